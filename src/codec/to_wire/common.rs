//! The values that most messages are made of, each in one go.
//!
//! A singular scalar of the usual form is written with its tag in one stretch of the output: one look at the room for
//! it, and whole words copied, of which what is too much is cut off. Whatever is unusual in any way is left to the
//! general code, which starts anew with the value.

use super::parser::Parser;
use super::scalar;
use super::well_known::timestamp_at_start;
use crate::codec::lanes::{plain_end, plain_length};
use crate::schema::tables::{Cardinality, EnumIndex, Field, Kind, MessageIndex, WellKnown};
use crate::text::append::{SHORT, append_with, copy_to};
use crate::wire::{Tag, varint_word};

impl<'p> Parser<'p, '_> {
    /// Reads the value of `field`, if it is a common one. `false`: nothing has been read or written.
    #[inline(always)]
    pub(super) fn common_value(&mut self, field: &'p Field) -> bool {
        if field.cardinality != Cardinality::Singular {
            return false;
        }
        match field.kind {
            Kind::String => self.common_string(&field.tag),
            Kind::Int32 | Kind::Uint32 | Kind::Int64 | Kind::Uint64 => self.common_integer(&field.tag),
            Kind::Double => self.common_double(&field.tag),
            Kind::Bool => self.common_bool(&field.tag),
            Kind::Enum(index) => self.common_enum(index, &field.tag),
            Kind::Message(index) => self.scan.peek() == b'"' && self.common_timestamp(index, &field.tag),
            _ => false,
        }
    }

    /// Reads a string and writes it with the tag of its field, if it is a common one. `false`: nothing has been read or
    /// written.
    #[inline(always)]
    pub(super) fn common_string(&mut self, tag: &Tag) -> bool {
        let [b'"', text @ ..] = self.scan.rest() else {
            return false;
        };
        let Some(text) = text.first_chunk::<SHORT>() else {
            return false;
        };
        let length = plain_length(text);
        if text.get(length) != Some(&b'"') {
            return false;
        }
        self.scan.at += length + 2;
        self.common::<{ Tag::LONGEST + 1 + SHORT }>(tag, |room, at| {
            copy_to(room, at, &[length as u8]);
            copy_to(room, at + 1, text);
            1 + length
        });
        true
    }

    #[inline(always)]
    fn common_integer(&mut self, tag: &Tag) -> bool {
        // As a number, or in quotes as 64-bit integers come.
        let quotes = usize::from(self.scan.peek() == b'"');
        let rest = self.scan.json().get(self.scan.at + quotes..).unwrap_or_default();
        let Some((integer, length)) = scalar::small_integer(rest) else {
            return false;
        };
        if quotes == 1 && rest.get(length) != Some(&b'"') {
            return false;
        }
        self.scan.at += length + 2 * quotes;
        self.common::<{ Tag::LONGEST + 4 }>(tag, |room, at| {
            // Seven digits take up to 24 bits: seven to a byte, low ones first, all but the last with the high bit.
            let bits = integer & 0x7f | integer << 1 & 0x7f00 | integer << 2 & 0x7f_0000 | integer << 3 & 0x7f00_0000;
            let length = match integer {
                0..0x80 => 1,
                0x80..0x4000 => 2,
                0x4000..0x20_0000 => 3,
                _ => 4,
            };
            let continued = 0x0080_8080 >> (8 * (4 - length));
            copy_to(room, at, &(bits | continued).to_le_bytes());
            length
        });
        true
    }

    #[inline(always)]
    fn common_double(&mut self, tag: &Tag) -> bool {
        let Some((value, length)) = scalar::plain_double(self.scan.rest()) else {
            return false;
        };
        self.scan.at += length;
        self.common::<{ Tag::LONGEST + 8 }>(tag, |room, at| {
            copy_to(room, at, &value.to_le_bytes());
            8
        });
        true
    }

    #[inline(always)]
    fn common_bool(&mut self, tag: &Tag) -> bool {
        let value = if self.scan.take_text(b"true") {
            1
        } else if self.scan.take_text(b"false") {
            0
        } else {
            return false;
        };
        self.common::<{ Tag::LONGEST + 1 }>(tag, |room, at| {
            copy_to(room, at, &[value]);
            1
        });
        true
    }

    #[inline(never)]
    fn common_enum(&mut self, enumeration: EnumIndex, tag: &Tag) -> bool {
        if self.scan.peek() != b'"' {
            return false;
        }
        let json = self.scan.json();
        let start = self.scan.at + 1;
        let end = plain_end(json, start);
        let (Some(name), Some(b'"')) = (json.get(start..end), json.get(end)) else {
            return false;
        };
        let enumeration = self.tables.enumeration(enumeration);
        let Some(number @ 0..0x80) = enumeration.number_of(name, self.options.case_insensitive_enums) else {
            return false;
        };
        self.scan.at = end + 1;
        self.common::<{ Tag::LONGEST + 1 }>(tag, |room, at| {
            copy_to(room, at, &[number as u8]);
            1
        });
        true
    }

    /// The value of a message field that is a string, as timestamps are.
    #[inline(never)]
    pub(super) fn common_timestamp(&mut self, message: MessageIndex, tag: &Tag) -> bool {
        if self.tables.message(message).well_known() != Some(WellKnown::Timestamp) {
            return false;
        }
        let text = self.scan.rest().get(1..).unwrap_or_default();
        let Some((seconds @ 0.., nanos, length)) = timestamp_at_start(text) else {
            return false;
        };
        if text.get(length) != Some(&b'"') {
            return false;
        }
        self.scan.at += length + 2;
        self.common::<{ Tag::LONGEST + 1 + 2 * 9 }>(tag, |room, at| {
            let end = write_field(room, at + 1, 0x08, seconds as u64);
            let end = write_field(room, end, 0x10, nanos as u64);
            copy_to(room, at, &[(end - at - 1) as u8]);
            end - at
        });
        true
    }

    /// The tag and what `value` puts after it, at the position that it is given; it says how much that is.
    #[inline(always)]
    fn common<const ROOM: usize>(&mut self, tag: &Tag, value: impl FnOnce(&mut [u8; ROOM], usize) -> usize) {
        append_with::<ROOM>(&mut self.out, |room| {
            let (bytes, length) = tag.padded();
            copy_to(room, 0, bytes);
            length + value(room, length)
        });
    }
}

/// Writes a field below 2^56 with its tag, unless it is 0; where it ends.
#[inline(always)]
fn write_field<const ROOM: usize>(room: &mut [u8; ROOM], at: usize, tag: u8, value: u64) -> usize {
    if value == 0 {
        return at;
    }
    let (word, length) = varint_word(value);
    copy_to(room, at, &[tag]);
    copy_to(room, at + 1, &word.to_le_bytes());
    at + 1 + length
}
