//! The types of `google/protobuf` with a JSON form of their own (ProtoJSON, "well-known types"); `Any` has its own file.

use std::borrow::Cow;

use super::fault::Result;
use super::lengths::slot;
use super::parser::{Parser, slot_of};
use super::scalar::read_digits;
use super::scan::{JsonString, expected_at};
use crate::codec::well_known::{DURATION_SECONDS, EXPECTED_DURATION, EXPECTED_TIMESTAMP, FIRST_SECOND, LAST_SECOND};
use crate::schema::tables::{FieldIndex, MessageTable, WellKnown};
use crate::wire::write_varint;

/// What a field mask is called in errors.
pub(in crate::codec) const EXPECTED_FIELD_MASK: &str =
    "field paths in lowerCamelCase such as \"displayName,owner.name\"";

impl<'p, 'j> Parser<'p, 'j> {
    /// The contents of a well-known type from its JSON form.
    pub(super) fn well_known(&mut self, well_known: WellKnown, table: &'p MessageTable) -> Result<()> {
        match well_known {
            WellKnown::Any => self.any(table),
            WellKnown::Duration => self.seconds_and_nanos(parse_duration, EXPECTED_DURATION),
            WellKnown::Timestamp => self.seconds_and_nanos(parse_timestamp, EXPECTED_TIMESTAMP),
            WellKnown::Empty => self.object(table, &[]),
            WellKnown::FieldMask => {
                let (at, text) = self.text(EXPECTED_FIELD_MASK)?;
                if write_field_mask(&text, MaskNames::Json, &mut self.out) {
                    Ok(())
                } else {
                    Err(expected_at(self.scan.json(), at, EXPECTED_FIELD_MASK))
                }
            }
            WellKnown::ListValue => self.list_value(),
            WellKnown::Struct => self.structure(),
            WellKnown::Value => self.dynamic_value(),
            WellKnown::Wrapper => match table.field(FieldIndex(0)) {
                Some(field) => self.record(field, &field.tag, slot_of(table, 0), &[]),
                None => Ok(()),
            },
        }
    }

    /// A string's position and what it stands for.
    fn text(&mut self, what: &'static str) -> Result<(usize, Cow<'j, [u8]>)> {
        let at = self.scan.at;
        Ok((at, self.scan.string(what)?.decoded()))
    }

    fn seconds_and_nanos(&mut self, parse: fn(&[u8]) -> Option<(i64, i32)>, what: &'static str) -> Result<()> {
        let (at, text) = self.text(what)?;
        match parse(&text) {
            Some((seconds, nanos)) => {
                write_seconds_and_nanos(seconds, nanos, &mut self.out);
                Ok(())
            }
            None => Err(expected_at(self.scan.json(), at, what)),
        }
    }

    /// The contents of a `Struct` from an object.
    fn structure(&mut self) -> Result<()> {
        self.open(b'{', "an object")?;
        if !self.scan.closes(b'}') {
            let keys = self.scratch.map_keys.open();
            loop {
                self.out.push(0x0a);
                self.scratch.lengths.open(slot::STRUCT_ENTRY, &mut self.out);
                let key = self.scan.string("a key")?;
                self.struct_key(&key);
                self.scan.colon()?;
                self.scan.skip_whitespace();
                self.out.push(0x12);
                self.nested_value().map_err(|fault| fault.in_entry(key.raw))?;
                self.scratch.lengths.close(slot::STRUCT_ENTRY, &mut self.out);
                if !self.next_entry()? {
                    break;
                }
            }
            self.scratch.map_keys.close(keys, self.scan.json())?;
        }
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn struct_key(&mut self, key: &JsonString<'j>) {
        if key.escaped {
            self.scratch.map_keys.push_text(&key.decoded(), key);
        } else {
            self.scratch.map_keys.push_text(key.raw, key);
        }
        self.out.push(0x0a);
        self.string_contents(key);
    }

    /// The contents of a `ListValue` from an array.
    fn list_value(&mut self) -> Result<()> {
        self.open(b'[', "an array")?;
        if !self.scan.closes(b']') {
            let mut index = 0;
            loop {
                self.out.push(0x0a);
                self.nested_value().map_err(|fault| fault.in_element(index))?;
                index += 1;
                if !self.next_element()? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// A `Value` with its length.
    fn nested_value(&mut self) -> Result<()> {
        self.scratch.lengths.open(slot::VALUE, &mut self.out);
        self.dynamic_value()?;
        self.scratch.lengths.close(slot::VALUE, &mut self.out);
        Ok(())
    }

    /// The contents of a `Value` from any JSON value.
    fn dynamic_value(&mut self) -> Result<()> {
        match self.scan.peek() {
            b'n' => {
                self.scan.literal("null")?;
                self.out.extend_from_slice(&[0x08, 0]);
            }
            b't' => {
                self.scan.literal("true")?;
                self.out.extend_from_slice(&[0x20, 1]);
            }
            b'f' => {
                self.scan.literal("false")?;
                self.out.extend_from_slice(&[0x20, 0]);
            }
            b'"' => {
                let string = self.scan.string("a value")?;
                self.out.push(0x1a);
                self.string_contents(&string);
            }
            b'{' => {
                self.out.push(0x2a);
                self.scratch.lengths.open(slot::CONTAINER, &mut self.out);
                self.structure()?;
                self.scratch.lengths.close(slot::CONTAINER, &mut self.out);
            }
            b'[' => {
                self.out.push(0x32);
                self.scratch.lengths.open(slot::CONTAINER, &mut self.out);
                self.list_value()?;
                self.scratch.lengths.close(slot::CONTAINER, &mut self.out);
            }
            b'-' | b'0'..=b'9' => {
                let number = self.double()?;
                self.out.push(0x11);
                self.out.extend_from_slice(&number.to_le_bytes());
            }
            _ => return Err(self.scan.expected("a value")),
        }
        Ok(())
    }
}

/// Writes the two fields that `Timestamp` and `Duration` have.
pub(in crate::codec) fn write_seconds_and_nanos(seconds: i64, nanos: i32, out: &mut Vec<u8>) {
    if seconds != 0 {
        out.push(0x08);
        write_varint(seconds as u64, out);
    }
    if nanos != 0 {
        out.push(0x10);
        write_varint(i64::from(nanos) as u64, out);
    }
}

/// Seconds and nanoseconds of an RFC 3339 timestamp, with any offset, a fraction of up to nine digits, and `T` and `Z` in
/// upper case, from year 1 to 9999.
pub(in crate::codec) fn parse_timestamp(text: &[u8]) -> Option<(i64, i32)> {
    let (seconds, nanos, length) = timestamp_at_start(text)?;
    (length == text.len()).then_some((seconds, nanos))
}

/// As [`parse_timestamp`], of the timestamp that `text` begins with, and its length.
#[inline(never)]
pub(super) fn timestamp_at_start(text: &[u8]) -> Option<(i64, i32, usize)> {
    let local = date_time(text.first_chunk()?)?;
    let (nanos, places) = fraction_at_start(text.get(DATE_TIME..)?)?;
    let end = DATE_TIME + places;
    let (offset, length) = match text.get(end..)? {
        [b'Z', ..] => (0, end + 1),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] => {
            let (hours, minutes) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            (if *sign == b'-' { -offset } else { offset }, end + 6)
        }
        _ => return None,
    };
    let seconds = local - offset;
    (FIRST_SECOND..=LAST_SECOND)
        .contains(&seconds)
        .then_some((seconds, nanos, length))
}

/// The length of `2006-01-02T15:04:05`.
const DATE_TIME: usize = 19;

/// Seconds since 1970 of a date and a time, `2006-01-02T15:04:05`, eight characters at a time.
#[inline]
fn date_time(text: &[u8; DATE_TIME]) -> Option<i64> {
    // The digits of `form` and of the text become their values by exclusive or, and what stands between them 0.
    let word = |at: usize, form: &[u8; 8]| {
        let bytes = text.get(at..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*bytes) ^ u64::from_le_bytes(*form))
    };
    let (year, date, time) = (word(0, b"0000-00-")?, word(3, b"0-00-00T")?, word(11, b"00:00:00")?);
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let over = |digits: u64, most: u64| digits.wrapping_add(HIGH_BITS - 0x0101_0101_0101_0101 - most) | digits;
    let others =
        over(year, 0x0009_0900_0909_0909) | over(date, 0x0009_0900_0909_0009) | over(time, 0x0909_0009_0900_0909);
    if others & HIGH_BITS != 0 {
        return None;
    }
    // A byte and the one behind it as one number.
    let two = |digits: u64, at: u32| ((digits * 10 + (digits >> 8)) >> (8 * at)) as u32 & 0xff;
    let year = two(year, 0) * 100 + two(year, 2);
    let (month, day) = (two(date, 2), two(date, 5));
    let (hour, minute, second) = (two(time, 0), two(time, 3), two(time, 6));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        2 => 28 + u32::from(leap),
        // Odd months are long up to July, even ones from August on.
        1..=12 => 30 | (month ^ month >> 3) & 1,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days in the proleptic Gregorian calendar; years start in March, so that the leap day is the last. They count from
    // 400 years before year 0, which is as many days for every 400 years, so that no number is negative.
    let (y, m) = if month > 2 {
        (year + 400, month - 3)
    } else {
        (year + 399, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let day = i64::from(days) - (146_097 + 719_468);
    Some(day * 86_400 + i64::from(hour * 3600 + minute * 60 + second))
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Nanoseconds of a fraction of one to nine digits behind its point, and how many bytes it takes with it; of none, 0.
#[inline]
fn fraction_at_start(text: &[u8]) -> Option<(i32, usize)> {
    let [b'.', digits @ ..] = text else {
        return Some((0, 0));
    };
    let (number, length) = read_digits(digits, 0);
    let scale = NANOS.get(length)?;
    (length > 0).then_some((number as i32 * scale, 1 + length))
}

/// What the last of so many digits of a fraction counts, in nanoseconds.
const NANOS: [i32; 10] = [
    1_000_000_000,
    100_000_000,
    10_000_000,
    1_000_000,
    100_000,
    10_000,
    1000,
    100,
    10,
    1,
];

/// Seconds and nanoseconds of a duration: seconds with a fraction of up to nine digits, and `s`. Both have its sign.
pub(in crate::codec) fn parse_duration(text: &[u8]) -> Option<(i64, i32)> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    if length == 0 {
        return None;
    }
    let mut seconds = 0;
    for digit in digits {
        // Cut off far above the limit and far below overflow.
        seconds = (seconds * 10 + i64::from(digit - b'0')).min(DURATION_SECONDS * 10);
    }
    let (nanos, places) = fraction_at_start(rest)?;
    if rest.get(places..)? != b"s" || seconds > DURATION_SECONDS {
        return None;
    }
    Some(if negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// Which names the paths of a field mask have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum MaskNames {
    /// Those of JSON alone, in lowerCamelCase.
    Json,
    /// Those of the `.proto` as well: a name with an underscore is one, and stays as it is.
    JsonOrProto,
}

/// Appends the paths of a field mask's JSON form, back in snake case; false, with `out` as it was, when it is none.
///
/// An empty path or name, and anything but printable ASCII are refused, and an underscore where `names` are those of JSON:
/// no snake-case path has such a form.
pub(in crate::codec) fn write_field_mask(text: &[u8], names: MaskNames, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    if text.is_empty() {
        return true;
    }
    for path in text.split(|byte| *byte == b',') {
        let valid = path.split(|byte| *byte == b'.').all(|name| !name.is_empty())
            && path
                .iter()
                .all(|byte| byte.is_ascii_graphic() && (*byte != b'_' || names == MaskNames::JsonOrProto));
        if !valid {
            out.truncate(start);
            return false;
        }
        let of_json = |name: &[u8]| names == MaskNames::Json || memchr::memchr(b'_', name).is_none();
        let capitals = |name: &[u8]| name.iter().filter(|byte| byte.is_ascii_uppercase()).count();
        let added: usize = path
            .split(|byte| *byte == b'.')
            .filter(|name| of_json(name))
            .map(capitals)
            .sum();
        out.push(0x0a);
        write_varint((path.len() + added) as u64, out);
        for (name, at) in path.split(|byte| *byte == b'.').zip(0..) {
            if at > 0 {
                out.push(b'.');
            }
            if !of_json(name) {
                out.extend_from_slice(name);
                continue;
            }
            for byte in name {
                if byte.is_ascii_uppercase() {
                    out.push(b'_');
                }
                out.push(byte.to_ascii_lowercase());
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_follow_rfc_3339_strictly() {
        let ok = [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("1970-01-01T00:00:00.000000001Z", (0, 1)),
            ("1969-12-31T23:59:59.9Z", (-1, 900_000_000)),
            ("2000-02-29T12:30:45.123Z", (951_827_445, 123_000_000)),
            ("1970-01-01T01:00:00+01:00", (0, 0)),
            ("1969-12-31T23:30:00-00:30", (0, 0)),
            ("0001-01-01T00:00:00Z", (FIRST_SECOND, 0)),
            ("9999-12-31T23:59:59.999999999Z", (LAST_SECOND, 999_999_999)),
            ("1900-03-01T00:00:00Z", (-2_203_891_200, 0)),
        ];
        for (text, expected) in ok {
            assert_eq!(parse_timestamp(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234567890Z",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+01:60",
            "1970-01-01T00:00:00ZZ",
            "1970-01-01T00:00:00Z ",
            "1970-1-01T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-01-32T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:60Z",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "-001-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_month_begins_a_second_after_the_one_before() {
        let mut next = FIRST_SECOND;
        for year in 1..=9999 {
            for (month, days) in (1..).zip([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                let leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let days = days + i64::from(leap);
                let parse =
                    |day: i64, time: &str| parse_timestamp(format!("{year:04}-{month:02}-{day:02}T{time}Z").as_bytes());
                assert_eq!(parse(1, "00:00:00"), Some((next, 0)), "{year}-{month}");
                next += days * 86_400;
                assert_eq!(parse(days, "23:59:59"), Some((next - 1, 0)), "{year}-{month}");
                assert_eq!(parse(days + 1, "00:00:00"), None, "{year}-{month}");
            }
        }
        assert_eq!(next, LAST_SECOND + 1);
    }

    #[test]
    fn every_character_of_a_timestamp_has_its_place() {
        let text = b"2222-12-12T12:12:12Z";
        for place in 0..text.len() {
            for byte in 0..=255 {
                let mut other = *text;
                other[place] = byte;
                let right = byte == text[place] || text[place].is_ascii_digit() && byte.is_ascii_digit();
                let in_range = match place {
                    // Months, days and hours by their tens: 02 and 12, up to 32; minutes and seconds up to 59.
                    5 => byte < b'2',
                    6 => byte < b'3',
                    8 => byte < b'3',
                    11 => byte < b'3',
                    14 | 17 => byte < b'6',
                    _ => true,
                };
                let parsed = parse_timestamp(&other);
                assert_eq!(parsed.is_some(), right && in_range, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn durations_have_a_range_and_one_sign() {
        let ok = [
            ("0s", (0, 0)),
            ("1s", (1, 0)),
            ("-1s", (-1, 0)),
            ("1.5s", (1, 500_000_000)),
            ("-1.5s", (-1, -500_000_000)),
            ("-0.5s", (0, -500_000_000)),
            ("0.000000001s", (0, 1)),
            ("315576000000s", (DURATION_SECONDS, 0)),
            ("-315576000000.000000000s", (-DURATION_SECONDS, 0)),
            ("315576000000.999999999s", (DURATION_SECONDS, 999_999_999)),
            ("-315576000000.999999999s", (-DURATION_SECONDS, -999_999_999)),
        ];
        for (text, expected) in ok {
            assert_eq!(parse_duration(text.as_bytes()), Some(expected), "{text}");
        }
        let digits = "9".repeat(10_000) + "s";
        for text in [
            "",
            "s",
            "1",
            "-s",
            "+1s",
            " 1s",
            "1s ",
            "1 s",
            "1S",
            ".5s",
            "1.s",
            "1.1234567890s",
            "1e3s",
            "--1s",
            "315576000001s",
            "-315576000001s",
            "1m",
            "1.5.5s",
            &digits,
        ] {
            assert_eq!(parse_duration(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn field_masks_go_back_to_snake_case() {
        let ok: &[(&str, &[u8])] = &[
            ("", b""),
            ("foo", b"\x0a\x03foo"),
            ("fooBar,baz", b"\x0a\x07foo_bar\x0a\x03baz"),
            ("a.bC,d2", b"\x0a\x05a.b_c\x0a\x02d2"),
            ("*", b"\x0a\x01*"),
        ];
        for (text, expected) in ok {
            let mut out = b"x".to_vec();
            assert!(write_field_mask(text.as_bytes(), MaskNames::Json, &mut out), "{text}");
            assert_eq!(&out[1..], *expected, "{text}");
            out.truncate(1);
            assert!(
                write_field_mask(text.as_bytes(), MaskNames::JsonOrProto, &mut out),
                "{text}"
            );
            assert_eq!(&out[1..], *expected, "{text} among names of both forms");
        }
        for text in [
            "foo_bar",
            "foo,bar_bar",
            ",",
            "a,",
            "a,,b",
            "a..b",
            ".a",
            "a.",
            "a, b",
            "é",
            "a\n",
        ] {
            let mut out = b"x".to_vec();
            assert!(!write_field_mask(text.as_bytes(), MaskNames::Json, &mut out), "{text}");
            assert_eq!(out, b"x", "{text}");
            let proto = text.starts_with("foo");
            assert_eq!(
                write_field_mask(text.as_bytes(), MaskNames::JsonOrProto, &mut out),
                proto,
                "{text}"
            );
        }
    }
    #[test]
    fn a_name_with_an_underscore_is_one_of_the_proto_where_both_are_read() {
        let cases: &[(&str, &[u8])] = &[
            ("foo_bar", b"\x0a\x07foo_bar"),
            ("foo_bar,fooBar", b"\x0a\x07foo_bar\x0a\x07foo_bar"),
            ("aB.c_d.eF", b"\x0a\x0ba_b.c_d.e_f"),
            ("foo_Bar,_x", b"\x0a\x07foo_Bar\x0a\x02_x"),
        ];
        for (text, expected) in cases {
            let mut out = b"x".to_vec();
            assert!(
                write_field_mask(text.as_bytes(), MaskNames::JsonOrProto, &mut out),
                "{text}"
            );
            assert_eq!(&out[1..], *expected, "{text}");
        }
    }
}
