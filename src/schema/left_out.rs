//! What is left out of a schema because the files that define it aren't given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::text::shown::{SETTING, listed, shown};

/// Imports that aren't there and that no type is of, and the options that nothing defines for want of them.
///
/// Its text names some of each: a line of nginx's log ends after 2 KiB.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    imports: BTreeSet<String>,
    /// How often each is set.
    options: BTreeMap<String, usize>,
    /// The files that have these imports.
    files: BTreeSet<String>,
}

impl LeftOut {
    pub(super) fn import(&mut self, name: &str, of_file: &str) {
        self.imports.insert(name.to_owned());
        self.files.insert(of_file.to_owned());
    }

    pub(super) fn option(&mut self, name: String) {
        *self.options.entry(name).or_default() += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.imports.is_empty()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("imports that are not given: ")?;
        list(f, self.imports.iter().map(|name| shortened(name)))?;
        f.write_str("; in ")?;
        list(f, self.files.iter().map(|name| shortened(name)))?;
        if self.options.is_empty() {
            return f.write_str("; nothing was needed of them");
        }
        f.write_str("; options left out with them: ")?;
        list(
            f,
            self.options
                .iter()
                .map(|(name, count)| format!("{} ({count})", shortened(name))),
        )
    }
}

/// How many of each are named.
const NAMED: usize = 8;

fn list(f: &mut fmt::Formatter<'_>, elements: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    let count = elements.len();
    let named: Vec<_> = elements.take(NAMED).collect();
    f.write_str(&listed(&named, count))
}

fn shortened(name: &str) -> String {
    shown(name.as_bytes(), SETTING).into_owned()
}
