//! The length bytes of nested messages and packed lists, which come before contents that aren't known yet.
//!
//! [`Lengths::open`] reserves one or two bytes, by what the same field needed last time; [`Lengths::close`] patches them.
//! When the guess was too small, the contents move up, and every message that is open around them is widened in the
//! same go: each of these holds at least as much, so its own guess was too small as well. Hence a byte moves at most once
//! for each length a length can have, however deep the messages nest: the work stays linear. When the guess was too
//! large, it is at most 127 bytes that move down.

use crate::wire::varint_length;

/// Where lengths are reserved, and how much room each field's took last time.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    /// The lengths that are reserved and not known, outermost first.
    open: Vec<Open>,
    /// By slot: 2 where the last length took two bytes or more; anything else is 1.
    hints: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// The position of the first length byte.
    at: usize,
    /// How many bytes are reserved.
    reserved: usize,
}

/// Hints by position: first those of `Struct`, whose fields are written without their tables, then those of all fields.
pub(super) mod slot {
    /// An entry of a `Struct`.
    pub(in super::super) const STRUCT_ENTRY: usize = 0;
    /// The `Value` in an entry or in a list.
    pub(in super::super) const VALUE: usize = 1;
    /// The `Struct` or `ListValue` in a `Value`.
    pub(in super::super) const CONTAINER: usize = 2;

    /// The slot of a field, from its ordinal.
    #[inline]
    pub(in super::super) fn of_field(ordinal: usize) -> usize {
        ordinal + 3
    }
}

impl Lengths {
    /// Forgets what is open, not what has been learned.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    /// As [`open`](Self::open), where it is known of how many bytes the contents are, or that they will hardly be more.
    #[inline]
    pub(crate) fn open_for(&mut self, contents: usize, out: &mut Vec<u8>) {
        let at = out.len();
        let reserved = if contents < 0x80 { 1 } else { 2 };
        out.extend_from_slice(if reserved == 1 { &[0] } else { &[0, 0] });
        self.open.push(Open { at, reserved });
    }

    /// How many lengths are open.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Where the contents of the innermost open length begin; at the start where none is open. A distance from there stays
    /// what it is when lengths are widened.
    pub(crate) fn contents(&self) -> usize {
        self.open.last().map_or(0, |open| open.at + open.reserved)
    }

    /// Takes back all lengths but the `depth` outermost ones; the caller cuts them off.
    pub(crate) fn abandon_to(&mut self, depth: usize) {
        self.open.truncate(depth);
    }

    /// Memory in bytes.
    pub(crate) fn footprint(&self) -> usize {
        self.open.capacity() * size_of::<Open>() + self.hints.capacity()
    }

    /// Reserves a length at the end of `out`; the contents are appended after it.
    #[inline]
    pub(super) fn open(&mut self, slot: usize, out: &mut Vec<u8>) {
        let at = out.len();
        let reserved = match self.hints.get(slot) {
            Some(2) => {
                out.extend_from_slice(&[0, 0]);
                2
            }
            _ => {
                out.push(0);
                1
            }
        };
        self.open.push(Open { at, reserved });
    }

    /// Writes the length that was opened last: all of `out` after it.
    #[inline]
    pub(crate) fn close(&mut self, slot: usize, out: &mut Vec<u8>) {
        let Some(Open { at, reserved }) = self.open.pop() else {
            return;
        };
        let length = out.len() - at - reserved;
        match (reserved, length) {
            (1, 0..0x80) => {
                if let Some(byte) = out.get_mut(at) {
                    *byte = length as u8;
                }
            }
            (2, 0x80..0x4000) => {
                if let Some([low, high]) = out.get_mut(at..at + 2) {
                    *low = length as u8 | 0x80;
                    *high = (length >> 7) as u8;
                }
            }
            _ => self.close_misfit(slot, Open { at, reserved }, length, out),
        }
    }

    /// Takes back the length that was opened last; the caller cuts it off.
    pub(super) fn abandon(&mut self) {
        self.open.pop();
    }

    #[inline(never)]
    fn close_misfit(&mut self, slot: usize, open: Open, length: usize, out: &mut Vec<u8>) {
        let needed = varint_length(length as u64);
        if self.hints.len() <= slot {
            self.hints.resize(slot + 1, 1);
        }
        if let Some(hint) = self.hints.get_mut(slot) {
            *hint = needed.min(2) as u8;
        }
        let mut at = open.at;
        if needed < open.reserved {
            let contents = at + open.reserved;
            out.copy_within(contents.., at + needed);
            out.truncate(at + needed + length);
        } else if needed > open.reserved {
            self.open.push(open);
            self.widen(needed, out);
            at = self.open.pop().map_or(at, |open| open.at);
        }
        let mut rest = length;
        for byte in out.iter_mut().skip(at).take(needed) {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        if let Some(last) = out.get_mut(at + needed - 1) {
            *last &= 0x7f;
        }
    }

    /// Gives every open length at least `needed` bytes.
    fn widen(&mut self, needed: usize, out: &mut Vec<u8>) {
        let mut shift: usize = self.open.iter().map(|open| needed.saturating_sub(open.reserved)).sum();
        let mut end = out.len();
        out.resize(end + shift, 0);
        // From the innermost outwards: what stands after each length moves by the room that it and those before it gain.
        for open in self.open.iter_mut().rev() {
            if shift == 0 {
                break;
            }
            let contents = open.at + open.reserved;
            out.copy_within(contents..end, contents + shift);
            end = open.at;
            let gain = needed.saturating_sub(open.reserved);
            shift -= gain;
            open.reserved += gain;
            open.at += shift;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Reader;

    #[test]
    fn lengths_of_every_size_are_written_whatever_was_guessed() {
        let mut lengths = Lengths::default();
        for length in [
            0, 1, 127, 128, 5, 300, 16_383, 16_384, 0, 2_097_151, 2_097_152, 129, 127,
        ] {
            let mut out = vec![9];
            lengths.open(7, &mut out);
            out.extend((0..length).map(|index| index as u8));
            lengths.close(7, &mut out);
            let mut reader = Reader::at(&out, 1);
            let contents = reader.length_delimited().unwrap();
            assert!(reader.is_empty());
            assert_eq!(out.len(), 1 + varint_length(length as u64) + length);
            assert!(
                contents
                    .iter()
                    .zip(0..)
                    .all(|(byte, index): (_, usize)| *byte == index as u8)
            );
        }
    }

    #[test]
    fn nested_lengths_hold_when_all_of_them_were_guessed_too_small() {
        let mut lengths = Lengths::default();
        let mut out = Vec::new();
        for level in 0..100 {
            out.extend(vec![level; 3]);
            lengths.open(3, &mut out);
        }
        out.extend(vec![0xaa; 20_000]);
        for level in (0..100).rev() {
            lengths.close(3, &mut out);
            out.extend(vec![level; 200]);
        }
        let mut rest = &out[..];
        for level in 0..100 {
            assert_eq!(rest[..3], [level; 3]);
            assert_eq!(rest[rest.len() - 200..], [level; 200]);
            let mut reader = Reader::at(rest, 3);
            let contents = reader.length_delimited().unwrap();
            assert_eq!(reader.position(), rest.len() - 200);
            rest = contents;
        }
        assert_eq!(rest, vec![0xaa; 20_000]);
    }
}
