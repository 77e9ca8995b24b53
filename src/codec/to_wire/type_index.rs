//! Where the `@type` of each `Any` is, when it isn't the first key.

use super::fault::Result;
use super::scan::{JsonString, Scanner, Visitor};
use crate::wire::DEPTH_LIMIT;

/// What scanning ahead has found.
#[derive(Debug, Default)]
pub(super) struct TypeIndex {
    /// What has been scanned.
    from: usize,
    to: usize,
    /// The objects there that have an `@type`: their position and that of its value, in this order.
    found: Vec<(usize, usize)>,
}

impl TypeIndex {
    pub(super) fn clear(&mut self) {
        *self = Self {
            found: std::mem::take(&mut self.found),
            ..Self::default()
        };
        self.found.clear();
    }

    /// The position of the `@type` value of the object at `scanner`, around which `depth` levels are open.
    pub(super) fn find(&mut self, scanner: Scanner<'_>, depth: usize) -> Result<Option<usize>> {
        let mut ahead = scanner;
        ahead.at += 1;
        if ahead.closes(b'}') {
            return Ok(None);
        }
        let key = ahead.string("a key")?;
        if is_type(&key) {
            ahead.colon()?;
            ahead.skip_whitespace();
            return Ok(Some(ahead.at));
        }
        let object = scanner.at;
        if !(self.from..self.to).contains(&object) {
            self.scan(scanner, depth)?;
        }
        let found = self.found.binary_search_by_key(&object, |(object, _)| *object).ok();
        Ok(found.and_then(|at| self.found.get(at)).map(|(_, value)| *value))
    }

    fn scan(&mut self, mut scanner: Scanner<'_>, depth: usize) -> Result<()> {
        self.found.clear();
        self.from = scanner.at;
        let mut visitor = TypeVisitor {
            open: [0; DEPTH_LIMIT],
            found: &mut self.found,
        };
        scanner.walk(depth, &mut visitor)?;
        self.to = scanner.at;
        self.found.sort_unstable();
        Ok(())
    }
}

/// Notes the `@type` of the objects within one; ends at its own.
struct TypeVisitor<'t> {
    /// The position of the open object of each level.
    open: [usize; DEPTH_LIMIT],
    found: &'t mut Vec<(usize, usize)>,
}

impl Visitor for TypeVisitor<'_> {
    fn object(&mut self, level: usize, at: usize) {
        if let Some(open) = self.open.get_mut(level - 1) {
            *open = at;
        }
    }

    fn key(&mut self, level: usize, key: &JsonString<'_>, value_at: usize) -> bool {
        if !is_type(key) {
            return false;
        }
        if let Some(object) = self.open.get(level - 1) {
            self.found.push((*object, value_at));
        }
        level == 1
    }
}

pub(super) fn is_type(key: &JsonString<'_>) -> bool {
    if key.escaped {
        *key.decoded() == *b"@type"
    } else {
        key.raw == b"@type"
    }
}
