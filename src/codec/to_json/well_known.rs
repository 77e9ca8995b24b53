//! The types of `google/protobuf` that have a JSON form of their own (ProtoJSON, "well-known types").

use super::body::{Body, Raw};
use super::printer::{Members, Printer, Unknown};
use super::scalar::not_utf8;
use super::stop::Stop;
use crate::codec::span::Span;
use crate::codec::well_known::{DURATION_SECONDS, FIRST_SECOND, LAST_SECOND, NANOS_PER_SECOND};
use crate::schema::tables::{FieldIndex, MessageTable, WellKnown};
use crate::text::append::{append_decimal, append_with, copy_to, eight_decimals, write_at};
use crate::wire::WireType;

/// `Struct.fields`, `ListValue.values`, the value of a wrapper: these types have one field.
const ONLY_FIELD: FieldIndex = FieldIndex(0);

/// A `google.protobuf.Any`, as read from the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Any<'a> {
    type_url: &'a [u8],
    /// Where the URL ends in the wire bytes.
    type_url_end: usize,
    value: Span,
}

impl<'a> Printer<'a> {
    pub(super) fn well_known(
        &mut self,
        well_known: WellKnown,
        table: &'a MessageTable,
        body: Body,
    ) -> Result<(), Box<Stop>> {
        match well_known {
            WellKnown::Any => {
                let any = self.read_any(body)?;
                self.any(any)
            }
            WellKnown::Duration => self.duration(body),
            WellKnown::Timestamp => self.timestamp(body),
            WellKnown::FieldMask => self.field_mask(body),
            WellKnown::Value => self.value(table, body),
            WellKnown::Struct | WellKnown::ListValue | WellKnown::Wrapper => self.field_alone(table, ONLY_FIELD, body),
            WellKnown::Empty => self.object(table, body),
        }
    }

    pub(super) fn read_any(&mut self, body: Body) -> Result<Any<'a>, Box<Stop>> {
        let mut any = Any {
            type_url: &[],
            type_url_end: 0,
            value: Span { start: 0, end: 0 },
        };
        self.each_record(body, |_, number, end, raw| {
            match (number, raw) {
                (1, Raw::Bytes(url)) => {
                    any.type_url = url;
                    any.type_url_end = end;
                }
                (2, Raw::Bytes(value)) => {
                    any.value = Span {
                        start: end - value.len(),
                        end,
                    };
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(any)
    }

    pub(super) fn any(&mut self, any: Any<'a>) -> Result<(), Box<Stop>> {
        if any.type_url.is_empty() && any.value.start == any.value.end {
            self.enter(b'{')?;
            self.leave(b'}', true);
            return Ok(());
        }
        let tables = self.tables;
        let name = std::str::from_utf8(any.type_url)
            .ok()
            .and_then(|url| url.rsplit_once('/'))
            // As protobuf's C++ and upb, and as the other direction: something stands before the slash.
            .filter(|(before, _)| !before.is_empty())
            .map(|(_, name)| name);
        let Some(message) = name.and_then(|name| tables.message_index(name)) else {
            return match self.unknown_types {
                Unknown::Base64 => self.any_as_base64(any),
                Unknown::Refuse => Err(unknown_type(any)),
            };
        };
        let table = tables.message(message);
        let body = Body::Whole(any.value);
        self.enter(b'{')?;
        let mut members = Members::new(table);
        self.any_type(&mut members.empty, any)?;
        match table.well_known() {
            // An empty object is no special form, so it has no "value" (as in protobuf's C++ and Java).
            None | Some(WellKnown::Empty) => self.members(&mut members, body)?,
            Some(well_known) => {
                self.member(&mut members.empty, b"\"value\":");
                self.well_known(well_known, table, body)?;
            }
        }
        self.leave(b'}', false);
        Ok(())
    }

    /// An `Any` whose value cannot be printed, or not as what it claims to be.
    pub(super) fn any_as_base64(&mut self, any: Any<'a>) -> Result<(), Box<Stop>> {
        self.enter(b'{')?;
        self.any_type(&mut true, any)?;
        self.member(&mut false, b"\"value\":");
        let value = self.wire.get(any.value.start..any.value.end).unwrap_or_default();
        self.base64(value);
        self.leave(b'}', false);
        Ok(())
    }

    fn any_type(&mut self, empty: &mut bool, any: Any<'a>) -> Result<(), Box<Stop>> {
        self.member(empty, b"\"@type\":");
        if self.unknown_types == Unknown::Base64 {
            self.quoted(&String::from_utf8_lossy(any.type_url));
            return Ok(());
        }
        self.string(any.type_url, any.type_url_end)
    }

    fn duration(&mut self, body: Body) -> Result<(), Box<Stop>> {
        let (seconds, nanos) = self.seconds_and_nanos(body)?;
        let out_of_range = seconds.unsigned_abs() > DURATION_SECONDS.unsigned_abs()
            || nanos.unsigned_abs() >= NANOS_PER_SECOND.unsigned_abs()
            || (seconds > 0 && nanos < 0)
            || (seconds < 0 && nanos > 0);
        if out_of_range {
            return Err(self.invalid(
                body,
                format!(
                    "found a google.protobuf.Duration of {seconds} seconds and {nanos} nanoseconds, expected at most \
                     {DURATION_SECONDS} seconds, less than {NANOS_PER_SECOND} nanoseconds, and one sign"
                ),
            ));
        }
        self.out.push(b'"');
        if seconds < 0 || nanos < 0 {
            self.out.push(b'-');
        }
        append_decimal(seconds.unsigned_abs(), self.out);
        append_with::<{ FRACTION + 2 }>(self.out, |room| {
            let end = write_at(room, 0, |room| write_fraction(nanos.unsigned_abs(), room));
            copy_to(room, end, b"s\"");
            end + 2
        });
        Ok(())
    }

    fn timestamp(&mut self, body: Body) -> Result<(), Box<Stop>> {
        let (seconds, nanos) = self.seconds_and_nanos(body)?;
        if !is_timestamp(seconds, nanos) {
            return Err(self.invalid(
                body,
                format!(
                    "found a google.protobuf.Timestamp of {seconds} seconds and {nanos} nanoseconds, expected \
                     {FIRST_SECOND} to {LAST_SECOND} seconds (years 1 to 9999) and 0 to {} nanoseconds",
                    NANOS_PER_SECOND - 1
                ),
            ));
        }
        append_with::<{ 1 + TIMESTAMP }>(self.out, |room| {
            copy_to(room, 0, b"\"");
            write_at(room, 1, |room| write_timestamp(seconds, nanos.unsigned_abs(), room))
        });
        Ok(())
    }

    fn seconds_and_nanos(&mut self, body: Body) -> Result<(i64, i32), Box<Stop>> {
        let (mut seconds, mut nanos) = (0, 0);
        self.each_record(body, |_, number, _, raw| {
            match (number, raw) {
                (1, Raw::Number(raw)) => seconds = raw as i64,
                (2, Raw::Number(raw)) => nanos = raw as i32,
                _ => {}
            }
            Ok(())
        })?;
        Ok((seconds, nanos))
    }

    fn field_mask(&mut self, body: Body) -> Result<(), Box<Stop>> {
        self.out.push(b'"');
        let mut first = true;
        self.each_record(body, |printer, number, end, raw| {
            if let (1, Raw::Bytes(path)) = (number, raw) {
                if !first {
                    printer.out.push(b',');
                }
                first = false;
                printer.camel_case_path(path, end)?;
            }
            Ok(())
        })?;
        self.out.push(b'"');
        Ok(())
    }

    /// A path of a `FieldMask` in lowerCamelCase, without quotes. `end` is where it ends in the wire bytes. Fails where
    /// camelCase doesn't lead back to the path, and where it is no path: that is what the other direction refuses.
    fn camel_case_path(&mut self, path: &[u8], end: usize) -> Result<(), Box<Stop>> {
        let text = std::str::from_utf8(path).map_err(|error| not_utf8(end - path.len() + error.valid_up_to()))?;
        let mut camel = std::mem::take(&mut self.scratch.path);
        camel.clear();
        let mut characters = text.chars();
        let mut round_trips =
            text.split('.').all(|name| !name.is_empty()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        while let Some(character) = characters.next() {
            match character {
                '_' => match characters.next() {
                    Some(character @ 'a'..='z') => camel.push(character.to_ascii_uppercase()),
                    _ => round_trips = false,
                },
                'A'..='Z' | ',' => round_trips = false,
                _ => camel.push(character),
            }
        }
        if round_trips {
            self.text(&camel);
        }
        self.scratch.path = camel;
        if round_trips {
            return Ok(());
        }
        Err(Stop::new(
            end - path.len(),
            format!(
                "found {text:?} in a google.protobuf.FieldMask, expected a path in snake_case that camelCase can \
                 express"
            ),
        ))
    }

    /// A `google.protobuf.Value`: whichever member of its oneof is set, the value alone. With none set it prints
    /// `null`, since something must stand in its place.
    fn value(&mut self, table: &'a MessageTable, body: Body) -> Result<(), Box<Stop>> {
        let mark = self.out.len();
        self.members(&mut Members::alone(table), body)?;
        if self.out.len() == mark {
            self.out.extend_from_slice(b"null");
        }
        Ok(())
    }

    /// Reads the records of a message that has fields of the wire types VARINT and LEN alone; others are skipped.
    /// `read` gets the number, the position after the record, and the value.
    fn each_record(
        &mut self,
        body: Body,
        mut read: impl FnMut(&mut Self, u32, usize, Raw<'a>) -> Result<(), Box<Stop>>,
    ) -> Result<(), Box<Stop>> {
        match body {
            Body::Whole(part) => self.each_record_of_part(part, &mut read),
            Body::Split { first, count } => {
                for at in first..first + count {
                    if let Some(&part) = self.scratch.parts.get(at) {
                        self.each_record_of_part(part, &mut read)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn each_record_of_part(
        &mut self,
        part: Span,
        read: &mut impl FnMut(&mut Self, u32, usize, Raw<'a>) -> Result<(), Box<Stop>>,
    ) -> Result<(), Box<Stop>> {
        let mut reader = self.reader(part);
        while !reader.is_empty() {
            let (number, wire_type) = self.tag(&mut reader)?;
            if let WireType::Varint | WireType::Len = wire_type {
                let raw = self.raw(&mut reader, wire_type)?;
                read(self, number, reader.position(), raw)?;
            } else {
                self.skip(&mut reader, number, wire_type)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn invalid(&self, body: Body, message: String) -> Box<Stop> {
        let part = match body {
            Body::Whole(part) => Some(part),
            Body::Split { first, .. } => self.scratch.parts.get(first).copied(),
        };
        Stop::new(part.map_or(0, |part| part.start), message)
    }
}

#[cold]
fn unknown_type(any: Any<'_>) -> Box<Stop> {
    Stop::new(
        any.type_url_end - any.type_url.len(),
        format!(
            "found a google.protobuf.Any of type {:?}, expected a type of the schema behind the last '/', as in type.googleapis.com/pkg.Message",
            String::from_utf8_lossy(any.type_url)
        ),
    )
}

/// Whether a `Timestamp` may hold so many seconds and nanoseconds.
#[inline]
pub(super) fn is_timestamp(seconds: i64, nanos: i32) -> bool {
    (FIRST_SECOND..=LAST_SECOND).contains(&seconds) && (0..NANOS_PER_SECOND).contains(&nanos)
}

/// The longest timestamp with its closing quote, in bytes.
pub(super) const TIMESTAMP: usize = DATE_TIME + FRACTION + 2;

/// Writes a timestamp, one for which [`is_timestamp`] holds, with its closing quote; how many bytes that takes.
#[inline]
pub(super) fn write_timestamp(seconds: i64, nanos: u32, room: &mut [u8; TIMESTAMP]) -> usize {
    const SECONDS_PER_DAY: u64 = 86_400;
    let seconds = seconds.abs_diff(FIRST_SECOND);
    let (year, month, day) = date((seconds / SECONDS_PER_DAY) as u32);
    let second = (seconds % SECONDS_PER_DAY) as u32;
    // "yyyymmdd" and "00hhmmss", and then three words of which the last one is cut: "yyyy-mm-", "ddThh:mm", ":ss".
    let date = u64::from_le_bytes(eight_decimals(year * 10_000 + month * 100 + day));
    let time = u64::from_le_bytes(eight_decimals(
        second / 3600 * 10_000 + second / 60 % 60 * 100 + second % 60,
    ));
    let year_month = date & 0xffff_ffff | (date >> 32 & 0xffff) << 40 | word(b"\0\0\0\0-\0\0-");
    let day_minute = date >> 48 | (time >> 16 & 0xffff) << 24 | (time >> 32 & 0xffff) << 48 | word(b"\0\0T\0\0:\0\0");
    let second = (time >> 48) << 8 | word(b":\0\0\0\0\0\0\0");
    copy_to(room, 0, &year_month.to_le_bytes());
    copy_to(room, 8, &day_minute.to_le_bytes());
    copy_to(room, 16, &second.to_le_bytes());
    let end = write_at(room, DATE_TIME, |room| write_fraction(nanos, room));
    copy_to(room, end, b"Z\"");
    end + 2
}

const fn word(text: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*text)
}

/// The length of `2006-01-02T15:04:05`.
const DATE_TIME: usize = 19;

/// The longest fraction with its point, in bytes.
const FRACTION: usize = 10;

/// Writes a decimal fraction of 3, 6 or 9 digits, or nothing; how many bytes that takes.
#[inline]
fn write_fraction(nanos: u32, room: &mut [u8; FRACTION]) -> usize {
    if nanos == 0 {
        return 0;
    }
    let (micros, rest) = (nanos / 1000, nanos % 1000);
    // "00" and the six digits; these go behind the point.
    let digits = u64::from_le_bytes(eight_decimals(micros));
    copy_to(room, 0, &((digits >> 16 << 8) | word(b".\0\0\0\0\0\0\0")).to_le_bytes());
    if rest > 0 {
        let [.., a, b, c] = eight_decimals(rest);
        copy_to(room, 7, &[a, b, c]);
        return FRACTION;
    }
    // The last three, as zeros.
    if digits >> 40 == 0x0030_3030 { 4 } else { 7 }
}

/// Year, month and day of a day of the Gregorian calendar, counted from 0001-01-01.
///
/// By years that begin on 1 March, so that the leap day is the last one (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn date(day: u32) -> (u32, u32, u32) {
    const DAYS_PER_ERA: u32 = 146_097;
    // From 1 March of year 0 on.
    let day = day + 306;
    let (era, day) = (day / DAYS_PER_ERA, day % DAYS_PER_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + later, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::to_wire::well_known::parse_timestamp;

    #[test]
    fn timestamps_lead_back_to_what_they_were() {
        // 17 days and some, so that months, years and times of day vary.
        let mut seconds = FIRST_SECOND;
        let mut nanos = 0;
        while seconds <= LAST_SECOND {
            let mut text = Vec::new();
            append_with::<TIMESTAMP>(&mut text, |room| write_timestamp(seconds, nanos, room));
            let (quote, stamp) = text.split_last().unwrap();
            assert_eq!(*quote, b'"');
            assert_eq!(parse_timestamp(stamp), Some((seconds, nanos as i32)));
            let places = match nanos {
                0 => 0,
                _ if nanos % 1_000_000 == 0 => 4,
                _ if nanos % 1000 == 0 => 7,
                _ => 10,
            };
            assert_eq!(stamp.len(), "2006-01-02T15:04:05Z".len() + places, "{nanos}");
            seconds += 17 * 86_400 + 12_345;
            nanos = match seconds % 5 {
                0 => 0,
                1 => (seconds % 1000) as u32 * 1_000_000,
                2 => (seconds % 1_000_000) as u32 * 1000,
                _ => (seconds % 1_000_000_000) as u32,
            };
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (-25_508, (1900, 3, 1)),
            (-25_509, (1900, 2, 28)),
            (-719_162, (1, 1, 1)),
            (2_932_896, (9999, 12, 31)),
        ];
        for (day, expected) in cases {
            assert_eq!(date((day + 719_162) as u32), expected, "day {day}");
        }
    }
}
