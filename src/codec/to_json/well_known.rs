//! The types of `google/protobuf` that have a JSON form of their own (ProtoJSON, "well-known types").

use super::body::{Body, Raw};
use super::printer::{Members, Printer, Unknown};
use super::scalar::not_utf8;
use super::stop::Stop;
use crate::codec::span::Span;
use crate::codec::well_known::{DURATION_SECONDS, FIRST_SECOND, LAST_SECOND, NANOS_PER_SECOND};
use crate::schema::tables::{FieldIndex, MessageTable, WellKnown};
use crate::text::append::{append_decimal, eight_decimals};
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
        self.fraction(nanos.unsigned_abs());
        self.out.extend_from_slice(b"s\"");
        Ok(())
    }

    fn timestamp(&mut self, body: Body) -> Result<(), Box<Stop>> {
        let (seconds, nanos) = self.seconds_and_nanos(body)?;
        if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) || !(0..NANOS_PER_SECOND).contains(&nanos) {
            return Err(self.invalid(
                body,
                format!(
                    "found a google.protobuf.Timestamp of {seconds} seconds and {nanos} nanoseconds, expected \
                     {FIRST_SECOND} to {LAST_SECOND} seconds (years 1 to 9999) and 0 to {} nanoseconds",
                    NANOS_PER_SECOND - 1
                ),
            ));
        }
        const SECONDS_PER_DAY: i64 = 86_400;
        let (year, month, day) = date(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
        let [y1, y2, y3, y4, mo1, mo2, d1, d2] = eight_decimals(year * 10_000 + month * 100 + day);
        let [_, _, h1, h2, mi1, mi2, s1, s2] =
            eight_decimals(second / 3600 * 10_000 + second / 60 % 60 * 100 + second % 60);
        self.out.extend_from_slice(&[
            b'"', y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2,
        ]);
        self.fraction(nanos.unsigned_abs());
        self.out.extend_from_slice(b"Z\"");
        Ok(())
    }

    /// A decimal fraction of 3, 6 or 9 digits, or nothing.
    fn fraction(&mut self, nanos: u32) {
        if nanos == 0 {
            return;
        }
        let [_, _, a, b, c, d, e, f] = eight_decimals(nanos / 1000);
        let [.., g, h, i] = eight_decimals(nanos % 1000);
        let width = match (nanos.is_multiple_of(1_000_000), nanos.is_multiple_of(1000)) {
            (true, _) => 3,
            (_, true) => 6,
            _ => 9,
        };
        let end = self.out.len() + 1 + width;
        self.out.extend_from_slice(&[b'.', a, b, c, d, e, f, g, h, i]);
        self.out.truncate(end);
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

/// Year, month and day of a day of the Gregorian calendar, counted from 1970-01-01, for the years 1 to 9999.
///
/// By years that begin on 1 March, so that the leap day is the last one (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn date(day: i64) -> (u32, u32, u32) {
    const DAYS_PER_ERA: i64 = 146_097;
    let day = day + 719_468;
    let era = day.div_euclid(DAYS_PER_ERA);
    let day = day.rem_euclid(DAYS_PER_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    ((year + era * 400 + later) as u32, month as u32, day_of_month as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(date(day), expected, "day {day}");
        }
    }
}
