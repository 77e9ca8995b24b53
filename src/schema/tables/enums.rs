//! The table of one enum.

use std::collections::{HashMap, HashSet};

use prost_reflect::{EnumDescriptor, Syntax};

use super::key::Key;
use super::names::{NONE, NameSlot, hash_name, name_slots};
use crate::schema::editions::Features;

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

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> &str {
        &self.full_name
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
                && known.as_bytes() == name
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
