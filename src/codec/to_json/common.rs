//! The members that most messages are made of, each in one go.
//!
//! A singular scalar with a short key and a short value is put together in one stretch of the output: one look at the
//! room for it, and whole words copied, of which the next member covers what is too much. Whatever is unusual in any way
//! is left to the general code, which starts anew with the record.

use super::printer::{Members, Printer, Slots};
use super::scalar::{hundredths, write_hundredths};
use super::well_known::{TIMESTAMP, is_timestamp, write_timestamp};
use crate::codec::lanes::is_plain_start;
use crate::codec::room;
use crate::codec::span::Span;
use crate::schema::tables::{EnumIndex, Field, Key, Kind, MessageIndex, WellKnown};
use crate::text::append::{SHORT, SIGNED_DECIMAL, append_with, copy_to, write_at, write_signed_decimal};
use crate::wire::{Reader, unzigzag};

/// More than the longest common member: its key, and a value with its quotes, both cut from whole words.
const ROOM: usize = Key::SHORT + SHORT;

impl<'a> Printer<'a> {
    /// Prints the next record, if it is a common member. `false`: nothing has been read or printed.
    ///
    /// For messages that are printed without white space and without defaults.
    #[inline(always)]
    pub(super) fn common_member(
        &mut self,
        members: &mut Members<'a>,
        slots: &mut Slots,
        reader: &mut Reader<'a>,
    ) -> bool {
        let mut ahead = *reader;
        let Some((index, field)) = ahead.byte().and_then(|tag| members.table.field_by_common_tag(tag)) else {
            return false;
        };
        let slot = 1_u64 << (index.0 & 63);
        if slots.low & slot != 0 {
            return false;
        }
        let printed = match field.kind {
            Kind::String => self.common_string(members, field, &mut ahead),
            Kind::Double => self.common_double(members, field, &mut ahead),
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64 => {
                self.common_integer(members, field, &mut ahead)
            }
            Kind::Bool => self.common_bool(members, field, &mut ahead),
            Kind::Enum(enumeration) => self.common_enum(members, field, enumeration, &mut ahead),
            _ => false,
        };
        if printed {
            self.count_step();
            slots.low |= slot;
            *reader = ahead;
        }
        printed
    }

    /// Prints a timestamp, the message that is the `field` and has that `part` of the wire bytes. `false`: nothing has been
    /// printed; it is another message, or not written as usual.
    #[inline(always)]
    pub(super) fn common_timestamp(
        &mut self,
        members: &mut Members<'a>,
        field: &Field,
        message: MessageIndex,
        part: Span,
    ) -> bool {
        self.compact
            && !members.alone
            && self.tables.message(message).well_known() == Some(WellKnown::Timestamp)
            && self.timestamp_member(members, field, part)
    }

    #[inline(never)]
    fn timestamp_member(&mut self, members: &mut Members<'a>, field: &Field, part: Span) -> bool {
        const { assert!(Key::SHORT + TIMESTAMP <= ROOM) };
        let mut reader = self.reader(part);
        let mut value = |tag: u8| match reader.rest().first() {
            Some(next) if *next == tag => {
                reader.advance(1);
                reader.varint().ok()
            }
            _ => Some(0),
        };
        let (Some(seconds), Some(nanos)) = (value(0x08), value(0x10)) else {
            return false;
        };
        let (seconds, nanos) = (seconds as i64, nanos as i32);
        if !reader.is_empty() || !is_timestamp(seconds, nanos) {
            return false;
        }
        self.common(members, field, |room, start| {
            // The key brings the opening quote.
            write_at(room, start + 1, |room| {
                write_timestamp(seconds, nanos.unsigned_abs(), room)
            })
        })
    }

    /// Prints the next element of a list of strings, a comma and the record's contents, if it is a common one.
    #[inline(always)]
    pub(super) fn common_text(&mut self, reader: &mut Reader<'a>) -> bool {
        let mut ahead = *reader;
        let Some((text, length)) = self.short_text(&mut ahead) else {
            return false;
        };
        *reader = ahead;
        append_with::<{ 2 + SHORT }>(self.out, |room| {
            copy_to(room, 0, b",\"");
            copy_to(room, 2, text);
            copy_to(room, 2 + length, b"\"");
            length + 3
        });
        true
    }

    /// Prints numbers of a packed list, each after a comma, as long as they are common ones and there is plenty of room;
    /// how many.
    pub(super) fn common_numbers(&mut self, kind: Kind, reader: &mut Reader<'a>) -> usize {
        match kind {
            Kind::Int32 => self.common_integers(reader, |raw| i64::from(raw as i32)),
            Kind::Uint32 => self.common_integers(reader, |raw| i64::from(raw as u32)),
            Kind::Int64 => self.common_quoted_integers(reader, |raw| ((raw as i64) < 0, (raw as i64).unsigned_abs())),
            Kind::Uint64 => self.common_quoted_integers(reader, |raw| (false, raw)),
            Kind::Double => self.while_common(reader, |printer, reader| {
                let Ok(raw) = reader.fixed64() else {
                    return false;
                };
                printer.f64_after(b",", f64::from_bits(raw));
                true
            }),
            _ => 0,
        }
    }

    #[inline(never)]
    fn common_integers(&mut self, reader: &mut Reader<'a>, value: impl Fn(u64) -> i64) -> usize {
        self.while_common(reader, |printer, reader| {
            let Ok(raw) = reader.varint() else {
                return false;
            };
            let value = value(raw);
            append_with::<{ 1 + SIGNED_DECIMAL }>(printer.out, |room| {
                copy_to(room, 0, b",");
                write_at(room, 1, |room| {
                    write_signed_decimal(value < 0, value.unsigned_abs(), room)
                })
            });
            true
        })
    }

    /// `value`: whether it is negative, and its magnitude.
    #[inline(never)]
    fn common_quoted_integers(&mut self, reader: &mut Reader<'a>, value: impl Fn(u64) -> (bool, u64)) -> usize {
        if self.options.unquote_int64_if_possible {
            return 0;
        }
        self.while_common(reader, |printer, reader| {
            let Ok(raw) = reader.varint() else {
                return false;
            };
            let (negative, magnitude) = value(raw);
            append_with::<{ 2 + SIGNED_DECIMAL + 1 }>(printer.out, |room| {
                copy_to(room, 0, b",\"");
                let end = write_at(room, 2, |room| write_signed_decimal(negative, magnitude, room));
                copy_to(room, end, b"\"");
                end + 1
            });
            true
        })
    }

    #[inline(always)]
    fn while_common(
        &mut self,
        reader: &mut Reader<'a>,
        mut print: impl FnMut(&mut Self, &mut Reader<'a>) -> bool,
    ) -> usize {
        let mut count = 0;
        while !reader.is_empty() && !room::is_short(self.out) {
            let mut ahead = *reader;
            if !print(self, &mut ahead) {
                break;
            }
            *reader = ahead;
            count += 1;
        }
        count
    }

    /// A string whose length is next, if it is plain and so short that copying whole words does; the words and its
    /// length.
    #[inline(always)]
    fn short_text(&self, reader: &mut Reader<'a>) -> Option<(&'a [u8; SHORT], usize)> {
        let length = usize::from(reader.byte()?);
        let text = self.wire.get(reader.position()..)?.first_chunk()?;
        (length < SHORT && is_plain_start(text, length) && reader.advance(length)).then_some((text, length))
    }

    #[inline(always)]
    fn common_string(&mut self, members: &mut Members<'a>, field: &Field, reader: &mut Reader<'a>) -> bool {
        let Some((text, length)) = self.short_text(reader) else {
            return false;
        };
        if length == 0 && !field.presence {
            return false;
        }
        self.common(members, field, |room, start| {
            // The key brings the opening quote.
            copy_to(room, start + 1, text);
            copy_to(room, start + 1 + length, b"\"");
            start + length + 2
        })
    }

    #[inline(always)]
    fn common_enum(
        &mut self,
        members: &mut Members<'a>,
        field: &Field,
        enumeration: EnumIndex,
        reader: &mut Reader<'a>,
    ) -> bool {
        let Some(number @ 0..0x80) = reader.byte() else {
            return false;
        };
        let enumeration = self.tables.enumeration(enumeration);
        let Some((name, length)) = enumeration.short_name(number.into()) else {
            return false;
        };
        if number == 0 && !field.presence || self.options.always_print_enums_as_ints || enumeration.is_null_value() {
            return false;
        }
        self.common(members, field, |room, start| {
            copy_to(room, start, name);
            start + length
        })
    }

    #[inline(always)]
    fn common_integer(&mut self, members: &mut Members<'a>, field: &Field, reader: &mut Reader<'a>) -> bool {
        let Ok(raw) = reader.varint() else {
            return false;
        };
        let (value, quoted) = match field.kind {
            Kind::Int32 => (i64::from(raw as i32), false),
            Kind::Uint32 => (i64::from(raw as u32), false),
            Kind::Sint32 => (unzigzag((raw as u32).into()), false),
            Kind::Uint64 if raw > i64::MAX as u64 => return false,
            Kind::Sint64 => (unzigzag(raw), true),
            _ => (raw as i64, true),
        };
        if value == 0 && !field.presence || quoted && self.options.unquote_int64_if_possible {
            return false;
        }
        self.common(members, field, |room, start| {
            // The key brings the opening quote.
            let quotes = usize::from(quoted);
            let end = write_at(room, start + quotes, |room| {
                write_signed_decimal(value < 0, value.unsigned_abs(), room)
            });
            copy_to(room, end, b"\"");
            end + quotes
        })
    }

    #[inline(always)]
    fn common_double(&mut self, members: &mut Members<'a>, field: &Field, reader: &mut Reader<'a>) -> bool {
        let Ok(raw) = reader.fixed64() else {
            return false;
        };
        let value = f64::from_bits(raw);
        let Some(hundredths) = hundredths(value) else {
            return false;
        };
        self.common(members, field, |room, start| {
            write_at(room, start, |room| write_hundredths(value < 0.0, hundredths, room))
        })
    }

    #[inline(always)]
    fn common_bool(&mut self, members: &mut Members<'a>, field: &Field, reader: &mut Reader<'a>) -> bool {
        let Some(value @ 0..=1) = reader.byte() else {
            return false;
        };
        if value == 0 && !field.presence {
            return false;
        }
        self.common(members, field, |room, start| {
            let (text, length) = match value {
                0 => (b"false   ", 5),
                _ => (b"true    ", 4),
            };
            copy_to(room, start, text);
            start + length
        })
    }

    /// The key and what `value` puts after it, at the position that it is given; it says where that ends. `false` for a
    /// long key.
    #[inline(always)]
    fn common(
        &mut self,
        members: &mut Members<'a>,
        field: &Field,
        value: impl FnOnce(&mut [u8; ROOM], usize) -> usize,
    ) -> bool {
        let Some((key, start)) = field.key.short(!members.empty) else {
            return false;
        };
        members.empty = false;
        append_with::<ROOM>(self.out, |room| {
            copy_to(room, 0, key);
            value(room, start)
        });
        true
    }
}
