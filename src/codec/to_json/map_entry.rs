//! Entries of maps: read from their records, compared by their keys, printed.

use super::body::Raw;
use crate::codec::span::Span;
use crate::schema::tables::{Field, Kind};
use crate::text::shown::{VALUE, shown};
use crate::wire::unzigzag;

/// One entry of a map, as read from its record.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapEntry<'a> {
    pub(super) part: Span,
    pub(super) key_field: &'a Field,
    pub(super) key: Raw<'a>,
    /// Where the key ends in the wire bytes.
    pub(super) key_end: usize,
    pub(super) value_field: &'a Field,
    /// A scalar value; `None` where there is none.
    pub(super) value: Option<Raw<'a>>,
    /// A message value: its last record.
    pub(super) value_part: Span,
    /// Where a scalar value ends in the wire bytes.
    pub(super) value_end: usize,
    /// How many records the value has.
    pub(super) value_records: usize,
}

impl MapEntry<'_> {
    /// Equal for equal keys, and seldom for others.
    pub(super) fn digest(&self) -> u64 {
        match self.key {
            Raw::Bytes(key) => digest(key),
            Raw::Number(raw) => match self.key_field.kind {
                Kind::Int32 | Kind::Uint32 | Kind::Sint32 => raw & u64::from(u32::MAX),
                Kind::Bool => u64::from(raw != 0),
                _ => raw,
            },
        }
    }

    /// `["key"]`, shortened.
    #[cold]
    pub(super) fn path_step(&self) -> String {
        match self.key {
            Raw::Number(raw) => {
                let mut key = Vec::new();
                map_key_number(self.key_field.kind, raw, &mut key);
                format!("[\"{}\"]", String::from_utf8_lossy(&key))
            }
            Raw::Bytes(key) => {
                format!("[{:?}]", shown(key, VALUE))
            }
        }
    }
}

/// Up to this many digests are compared pair by pair rather than sorted.
const FEW: usize = 16;

/// Whether two of the digests are equal. Reorders them.
pub(super) fn has_duplicates(digests: &mut [u64]) -> bool {
    if digests.len() <= FEW {
        let mut rest = &*digests;
        while let Some((first, others)) = rest.split_first() {
            if others.contains(first) {
                return true;
            }
            rest = others;
        }
        return false;
    }
    digests.sort_unstable();
    digests.array_windows().any(|[one, other]| one == other)
}

/// Equal for equal keys, and seldom for others; for others it costs time, not correctness.
#[inline]
pub(super) fn digest(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(FACTOR);
        (product as u64) ^ (product >> 64) as u64
    };
    let (words, rest) = key.as_chunks::<8>();
    let mut state = mix(FACTOR, key.len() as u64);
    for word in words {
        state = mix(state, u64::from_le_bytes(*word));
    }
    let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u64::from(*byte));
    mix(state, tail)
}

/// A map key that is no string, without its quotes: ProtoJSON prints all keys as strings.
pub(super) fn map_key_number(kind: Kind, raw: u64, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let text = match kind {
        Kind::Int32 | Kind::Sfixed32 => buffer.format(raw as i32),
        Kind::Uint32 | Kind::Fixed32 => buffer.format(raw as u32),
        Kind::Sint32 => buffer.format(unzigzag((raw as u32).into()) as i32),
        Kind::Int64 | Kind::Sfixed64 => buffer.format(raw as i64),
        Kind::Sint64 => buffer.format(unzigzag(raw)),
        Kind::Bool if raw != 0 => "true",
        Kind::Bool => "false",
        _ => buffer.format(raw),
    };
    out.extend_from_slice(text.as_bytes());
}
