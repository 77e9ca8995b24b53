//! The members that most messages are made of, each in one go.
//!
//! A singular scalar with a short key and a short value is put together in one stretch of the output: one look at the
//! room for it, and whole words copied, of which the next member covers what is too much. Whatever is unusual in any way
//! is left to the general code, which starts anew with the record.

use super::printer::{Members, Printer, Slots};
use super::scalar::{hundredths, write_hundredths};
use crate::codec::lanes::is_plain_start;
use crate::schema::tables::{EnumIndex, Field, Key, Kind};
use crate::text::append::{SHORT, SIGNED_DECIMAL, append_with, copy_to, write_at, write_signed_decimal};
use crate::wire::{Reader, unzigzag};

/// More than the longest common member: its key, and a value with its quotes, both cut from whole words.
const ROOM: usize = Key::SHORT + SHORT;

impl<'a> Printer<'a> {
    /// Prints the next record, if it is a common member. `false`: nothing has been read or printed.
    ///
    /// For messages that are printed without white space, without defaults and with JSON names.
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

    /// Prints the next number of a packed list, a comma before it, if it is a common one.
    #[inline(always)]
    pub(super) fn common_number(&mut self, kind: Kind, reader: &mut Reader<'a>) -> bool {
        let mut ahead = *reader;
        match kind {
            Kind::Int32 | Kind::Uint32 => {
                let Ok(raw) = ahead.varint() else {
                    return false;
                };
                let value = match kind {
                    Kind::Int32 => i64::from(raw as i32),
                    _ => i64::from(raw as u32),
                };
                append_with::<{ 1 + SIGNED_DECIMAL }>(self.out, |room| {
                    copy_to(room, 0, b",");
                    write_at(room, 1, |room| {
                        write_signed_decimal(value < 0, value.unsigned_abs(), room)
                    })
                });
            }
            Kind::Double => {
                let Ok(raw) = ahead.fixed64() else {
                    return false;
                };
                self.f64_after(b",", f64::from_bits(raw));
            }
            _ => return false,
        }
        *reader = ahead;
        true
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
        let Some((key, start)) = field.json_key.short(!members.empty) else {
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
