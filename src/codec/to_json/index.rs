//! What is known of messages that are printed from a sorted index.

use std::cmp::Ordering;

use super::body::Raw;
use super::map_entry::MapEntry;
use crate::codec::span::Span;
use crate::wire::WireType;

/// A record of a known field.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexedRecord {
    pub(super) field: u32,
    pub(super) wire_type: WireType,
    /// Where its value begins: after the tag; a length, if it has one, comes first.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Which member a oneof has so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Winner {
    pub(super) field: u32,
    /// Where the first record of it begins that no other member follows.
    pub(super) since: usize,
}

/// The key of a map entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapKey {
    digest: u64,
    /// The bytes of a string key; empty for the others, whose digest is exact.
    key: Span,
    /// The entry's record, as a position in the index.
    pub(super) record: usize,
}

impl MapKey {
    pub(super) fn new(entry: &MapEntry<'_>, record: usize) -> Self {
        let length = match entry.key {
            Raw::Bytes(key) => key.len(),
            Raw::Number(_) => 0,
        };
        Self {
            digest: entry.digest(),
            key: Span {
                start: entry.key_end - length,
                end: entry.key_end,
            },
            record,
        }
    }

    pub(super) fn compare(&self, other: &Self, wire: &[u8]) -> Ordering {
        let key = |key: &Self| wire.get(key.key.start..key.key.end);
        self.digest.cmp(&other.digest).then_with(|| key(self).cmp(&key(other)))
    }
}
