//! Keys that come twice.
//!
//! A message's fields are numbered: a bit each, and one for each oneof. A map's keys are anything: they are noted as they
//! come and sorted when the map closes, so that no choice of keys costs more than sorting them.

use std::cmp::Ordering;

use super::fault::{Fault, Result};
use super::scan::JsonString;
use crate::text::shown::{VALUE, shown};

/// What one open message has seen. The first 64 bits are here; more are in a vector that all open messages share,
/// each its own stretch of it, the innermost at the end.
#[derive(Debug)]
pub(super) struct Seen {
    first: u64,
    base: usize,
}

impl Seen {
    pub(super) fn new(shared: &[u64]) -> Self {
        Self {
            first: 0,
            base: shared.len(),
        }
    }

    /// Sets a bit; whether it was set before.
    #[inline]
    pub(super) fn insert(&mut self, bit: usize, shared: &mut Vec<u64>) -> bool {
        if bit < 64 {
            let mask = 1 << bit;
            let before = self.first & mask != 0;
            self.first |= mask;
            return before;
        }
        let at = self.base + bit / 64 - 1;
        if shared.len() <= at {
            shared.resize(at + 1, 0);
        }
        let mask = 1 << (bit % 64);
        match shared.get_mut(at) {
            Some(word) => {
                let before = *word & mask != 0;
                *word |= mask;
                before
            }
            None => false,
        }
    }

    /// The message is complete.
    #[inline]
    pub(super) fn close(self, shared: &mut Vec<u64>) {
        shared.truncate(self.base);
    }
}

/// The keys of the maps that are open.
#[derive(Debug, Default)]
pub(super) struct MapKeys {
    keys: Vec<MapKey>,
}

/// One key: a number, or a text's hash with its place in the input.
#[derive(Clone, Copy, Debug)]
struct MapKey {
    value: u64,
    start: u32,
    length: u32,
    text: bool,
    escaped: bool,
}

impl MapKeys {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    /// A map opens; what to close it with.
    #[inline]
    pub(super) fn open(&self) -> usize {
        self.keys.len()
    }

    /// A text key: `decoded` is what `key` stands for.
    #[inline]
    pub(super) fn push_text(&mut self, decoded: &[u8], key: &JsonString<'_>) {
        self.push(hash(decoded), true, key);
    }

    /// A number or boolean key.
    #[inline]
    pub(super) fn push_number(&mut self, value: u64, key: &JsonString<'_>) {
        self.push(value, false, key);
    }

    #[inline]
    fn push(&mut self, value: u64, text: bool, key: &JsonString<'_>) {
        self.keys.push(MapKey {
            value,
            start: key.start as u32,
            length: key.raw.len() as u32,
            text,
            escaped: key.escaped,
        });
    }

    /// The map that `open` answered `base` for is complete.
    #[inline]
    pub(super) fn close(&mut self, base: usize, json: &[u8]) -> Result<()> {
        if self.keys.len() > base + 1 {
            self.compare(base, json)?;
        }
        self.keys.truncate(base);
        Ok(())
    }

    fn compare(&mut self, base: usize, json: &[u8]) -> Result<()> {
        let keys = self.keys.get_mut(base..).unwrap_or_default();
        keys.sort_unstable_by(|left, right| left.compare(right, json));
        let twice = keys
            .array_windows()
            .filter(|[left, right]| left.compare(right, json) == Ordering::Equal)
            .map(|[left, right]| if left.start > right.start { left } else { right })
            .min_by_key(|key| key.start);
        match twice {
            None => Ok(()),
            Some(key) => {
                let text = String::from_utf8_lossy(key.string(json).raw);
                let message = format!("found the key \"{}\" a second time", shown(text.as_bytes(), VALUE));
                Err(Fault::new(key.start as usize - 1, message))
            }
        }
    }
}

impl MapKey {
    #[inline]
    fn compare(&self, other: &Self, json: &[u8]) -> Ordering {
        self.value.cmp(&other.value).then_with(|| {
            if self.text {
                self.string(json).decoded().cmp(&other.string(json).decoded())
            } else {
                Ordering::Equal
            }
        })
    }

    fn string<'j>(&self, json: &'j [u8]) -> JsonString<'j> {
        let start = self.start as usize;
        JsonString {
            raw: json.get(start..start + self.length as usize).unwrap_or_default(),
            start,
            escaped: self.escaped,
        }
    }
}

/// Tells most keys apart without looking at them again. Keys that were chosen to collide are compared, no more.
#[inline]
fn hash(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = key.as_chunks::<8>();
    let mut hash = key.len() as u64;
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    }
    let mut last = 0;
    for byte in rest {
        last = last << 8 | u64::from(*byte);
    }
    hash = (hash ^ last).wrapping_mul(FACTOR);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_remembered_for_each_open_message() {
        let mut shared = Vec::new();
        let mut outer = Seen::new(&shared);
        for bit in [0, 63, 64, 200] {
            assert!(!outer.insert(bit, &mut shared), "{bit}");
            assert!(outer.insert(bit, &mut shared), "{bit}");
        }
        let mut inner = Seen::new(&shared);
        for bit in [0, 63, 64, 200] {
            assert!(!inner.insert(bit, &mut shared), "{bit}");
        }
        inner.close(&mut shared);
        for bit in [0, 63, 64, 200] {
            assert!(outer.insert(bit, &mut shared), "{bit}");
        }
        assert!(!outer.insert(1000, &mut shared));
    }
}
