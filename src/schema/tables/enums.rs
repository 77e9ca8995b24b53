//! The table of one enum.

use std::collections::{HashMap, HashSet};

use prost_reflect::{EnumDescriptor, Syntax};

use super::key::Key;
use super::names::{NONE, NameSlot, hash_name, name_slots};
use crate::schema::editions::Features;
use crate::text::equal::equal;

/// One enum type.
#[derive(Debug)]
pub struct EnumTable {
    full_name: Box<str>,
    /// `google.protobuf.NullValue`, whose JSON form is `null`.
    null_value: bool,
    closed: bool,
    /// By number, the first declared name of each number only: what printing uses.
    by_number: Box<[(i32, EnumName)]>,
    names: Box<[(Box<str>, i32)]>,
    /// Open addressing over `names`, as for fields: `NameSlot::field` is a position there.
    slots: Box<[NameSlot]>,
    seed: u64,
    /// Names in lower case; the first declared wins.
    by_folded_name: HashMap<Box<str>, i32>,
}

/// The name of an enum value, quoted, and padding.
#[derive(Clone, Debug)]
struct EnumName {
    padded: Box<[u8]>,
    length: usize,
}

impl EnumName {
    fn new(name: &str) -> Self {
        let mut padded = format!("\"{name}\"").into_bytes();
        let length = padded.len();
        padded.resize(length.max(Key::SHORT), 0);
        Self {
            padded: padded.into(),
            length,
        }
    }

    /// Whether it is this name.
    fn is(&self, name: &str) -> bool {
        let quoted = self.padded.get(..self.length).unwrap_or_default();
        quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) == Some(name.as_bytes())
    }
}

impl EnumTable {
    pub(super) fn build(descriptor: &EnumDescriptor, features: &Features, seed: u64) -> Self {
        let mut by_number = Vec::<(i32, EnumName)>::new();
        let mut names = Vec::<(Box<str>, i32)>::new();
        let mut by_folded_name = HashMap::new();
        let mut known = HashSet::new();
        // The descriptor's own order: `values()` of the reflected enum is sorted by number, and an alias must not
        // take the place of the name that was declared first.
        for value in &descriptor.enum_descriptor_proto().value {
            let (name, number) = (value.name(), value.number());
            names.push((name.into(), number));
            by_folded_name
                .entry(Box::from(name.to_ascii_lowercase()))
                .or_insert(number);
            if known.insert(number) {
                by_number.push((number, EnumName::new(name)));
            }
        }
        by_number.sort_by_key(|(number, _)| *number);
        Self {
            full_name: descriptor.full_name().into(),
            null_value: descriptor.full_name() == "google.protobuf.NullValue",
            closed: descriptor.parent_file().syntax() == Syntax::Proto2
                && !features.open_enums.contains(descriptor.full_name()),
            by_number: by_number.into(),
            slots: name_slots(names.iter().map(|(name, _)| name.as_bytes()), seed),
            names: names.into(),
            seed,
            by_folded_name,
        }
    }

    /// Has values go by their names without the name of the enum in front: `FANTASY` for `GENRE_FANTASY` of `Genre`. Both
    /// are read. A name stays as it is where another value has the rest of it, and where that is none.
    pub(super) fn strip_prefix(&mut self) {
        let enum_name = self.full_name.rsplit('.').next().unwrap_or_default();
        let rests: Vec<_> = self.names.iter().map(|(name, _)| rest_of(name, enum_name)).collect();
        let mut bearers = HashMap::<&str, usize>::new();
        for name in self
            .names
            .iter()
            .map(|(name, _)| &**name)
            .chain(rests.iter().copied().flatten())
        {
            *bearers.entry(name).or_default() += 1;
        }
        let short: Vec<(Box<str>, Box<str>, i32)> = (self.names.iter().zip(rests))
            .filter_map(|((name, number), rest)| {
                let rest = rest.filter(|rest| bearers.get(rest) == Some(&1))?;
                Some((name.clone(), rest.into(), *number))
            })
            .collect();
        let mut names = std::mem::take(&mut self.names).into_vec();
        for (name, rest, number) in short {
            if let Ok(at) = self.by_number.binary_search_by_key(&number, |(known, _)| *known)
                && let Some((_, printed)) = self.by_number.get_mut(at)
                && printed.is(&name)
            {
                *printed = EnumName::new(&rest);
            }
            // Whole names come first, also where their case doesn't count.
            self.by_folded_name
                .entry(rest.to_ascii_lowercase().into())
                .or_insert(number);
            names.push((rest, number));
        }
        self.slots = name_slots(names.iter().map(|(name, _)| name.as_bytes()), self.seed);
        self.names = names.into();
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// Each number that has a name, and the name that is printed for it, in the order of the numbers.
    pub fn printed(&self) -> impl Iterator<Item = (i32, &str)> {
        self.by_number.iter().filter_map(|(number, name)| {
            let quoted = std::str::from_utf8(name.padded.get(..name.length)?).ok()?;
            Some((*number, quoted.trim_matches('"')))
        })
    }

    /// Whether this is `google.protobuf.NullValue`.
    #[inline]
    pub fn is_null_value(&self) -> bool {
        self.null_value
    }

    /// Whether a number without a name is an unknown field (closed) or a value (open).
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The quoted name of a number.
    #[inline]
    pub fn quoted_name(&self, number: i32) -> Option<&[u8]> {
        let name = self.name(number)?;
        name.padded.get(..name.length)
    }

    /// The quoted name of a number and its length, if the name is short; after that comes padding.
    #[inline]
    pub fn short_name(&self, number: i32) -> Option<(&[u8; Key::SHORT], usize)> {
        let name = self.name(number)?;
        (name.length <= Key::SHORT)
            .then(|| name.padded.first_chunk())
            .flatten()
            .map(|padded| (padded, name.length))
    }

    #[inline]
    fn name(&self, number: i32) -> Option<&EnumName> {
        // Most enums are numbered 0, 1, 2, …: try the position first.
        if let Some((known, name)) = self.by_number.get(number as usize)
            && *known == number
        {
            return Some(name);
        }
        let at = self.by_number.binary_search_by_key(&number, |(known, _)| *known).ok()?;
        self.by_number.get(at).map(|(_, name)| name)
    }

    /// The number of a name; with `fold_case`, whatever its ASCII case.
    #[inline]
    pub fn number(&self, name: &str, fold_case: bool) -> Option<i32> {
        self.number_of(name.as_bytes(), fold_case)
    }

    /// As [`number`](Self::number), of a name in bytes.
    pub fn number_of(&self, name: &[u8], fold_case: bool) -> Option<i32> {
        let hash = hash_name(self.seed, name);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get(at)
            && slot.field != NONE
        {
            if slot.hash == hash
                && let Some((known, number)) = self.names.get(slot.field as usize)
                && equal(known.as_bytes(), name)
            {
                return Some(*number);
            }
            at = (at + 1) & mask;
        }
        if !fold_case {
            return None;
        }
        let name = std::str::from_utf8(name).ok()?;
        self.by_folded_name.get(name.to_ascii_lowercase().as_str()).copied()
    }
}

/// What `name` has behind the name of its enum and underscores, if that is a name. Neither case nor underscores of the
/// prefix count, so that `HTTP_METHOD_GET` has that of `HttpMethod`, as protobuf itself compares them
/// (descriptor.cc, `PrefixRemover`).
fn rest_of<'n>(name: &'n str, enum_name: &str) -> Option<&'n str> {
    let mut rest = name;
    for letter in enum_name.chars().filter(|letter| *letter != '_') {
        rest = rest.trim_start_matches('_');
        let first = rest
            .chars()
            .next()
            .filter(|first| first.eq_ignore_ascii_case(&letter))?;
        rest = rest.get(first.len_utf8()..)?;
    }
    let rest = rest.strip_prefix('_')?.trim_start_matches('_');
    rest.starts_with(|first: char| first.is_ascii_alphabetic())
        .then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Schema, Source};

    /// The table of `enum Genre` with these values, without prefixes.
    fn stripped(name: &str, values: &str) -> EnumTable {
        let text = format!("syntax = \"proto3\"; package p; message M {{ enum {name} {{ {values} }} }}");
        let schema = Schema::compile(Source::Proto(&text), 1 << 20).unwrap();
        let descriptor = schema.pool().get_enum_by_name(&format!("p.M.{name}")).unwrap();
        let mut table = EnumTable::build(&descriptor, schema.features(), 7);
        table.strip_prefix();
        table
    }

    #[test]
    fn a_value_goes_by_what_is_behind_the_name_of_its_enum() {
        for (name, value, expected) in [
            ("Genre", "GENRE_FANTASY", "FANTASY"),
            ("Genre", "GENRE_NON_FICTION", "NON_FICTION"),
            ("Genre", "genre_fantasy", "fantasy"),
            ("Genre", "GENRE__FANTASY", "FANTASY"),
            ("BookGenre", "BOOK_GENRE_FANTASY", "FANTASY"),
            ("BookGenre", "BOOKGENRE_FANTASY", "FANTASY"),
            ("Book_Genre", "BOOK_GENRE_FANTASY", "FANTASY"),
            ("HTTPMethod", "HTTP_METHOD_GET", "GET"),
            // Nothing of the prefix, or not all of it.
            ("Genre", "FANTASY", "FANTASY"),
            ("BookGenre", "BOOK_FANTASY", "BOOK_FANTASY"),
            ("Genre", "GENRES_FANTASY", "GENRES_FANTASY"),
            ("Genre", "GENREFANTASY", "GENREFANTASY"),
            // Nothing is left, or no name.
            ("Genre", "GENRE", "GENRE"),
            ("Genre", "GENRE_", "GENRE_"),
            ("Version", "VERSION_1", "VERSION_1"),
        ] {
            let table = stripped(name, &format!("{value} = 0;"));
            assert_eq!(
                table.quoted_name(0),
                Some(format!("\"{expected}\"").as_bytes()),
                "{value}"
            );
            for read in [value, expected] {
                assert_eq!(table.number(read, false), Some(0), "{read}");
                assert_eq!(table.number(&read.to_lowercase(), true), Some(0), "{read}");
            }
        }
    }

    #[test]
    fn names_that_would_be_anothers_stay_as_they_are() {
        let table = stripped(
            "Genre",
            "option allow_alias = true; GENRE_A = 0; A = 1; GENRE_B = 2; Genre_B = 3; GENRE_C = 4; GENRE_D = 4; GENRE_red = 5;
             RED = 6; GENRE_GENRE_E = 7; GENRE_E = 8;",
        );
        let printed = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|number| {
            let name = table.quoted_name(number).unwrap();
            String::from_utf8(name.to_vec()).unwrap().replace('"', "")
        });
        assert_eq!(
            printed,
            [
                "GENRE_A",
                "A",
                "GENRE_B",
                "Genre_B",
                "C",
                "red",
                "RED",
                "GENRE_GENRE_E",
                "E"
            ]
        );
        for (name, fold_case, expected) in [
            ("A", false, Some(1)),
            ("GENRE_A", false, Some(0)),
            ("B", false, None),
            ("D", false, Some(4)),
            ("red", false, Some(5)),
            ("red", true, Some(5)),
            ("Red", true, Some(6)),
            ("GENRE_E", false, Some(8)),
            ("E", false, Some(8)),
            ("e", true, Some(8)),
        ] {
            assert_eq!(table.number(name, fold_case), expected, "{name} {fold_case}");
        }
    }
}
