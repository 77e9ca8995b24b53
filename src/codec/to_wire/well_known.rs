//! The types of `google/protobuf` with a JSON form of their own (ProtoJSON, "well-known types"); `Any` has its own file.

use std::borrow::Cow;

use super::fault::Result;
use super::lengths::slot;
use super::parser::{Parser, slot_of};
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
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        mo1,
        mo2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        mi1,
        mi2,
        b':',
        s1,
        s2,
    ] = *date_time
    else {
        return None;
    };
    let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
    let month = two_digits(mo1, mo2)?;
    let day = two_digits(d1, d2)?;
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(mi1, mi2)?, two_digits(s1, s2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, rest) = parse_fraction(rest)?;
    let offset = match *rest {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    // Days since 1970-01-01 in the proleptic Gregorian calendar; years start in March, so that the leap day is the last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    (FIRST_SECOND..=LAST_SECOND)
        .contains(&seconds)
        .then_some((seconds, nanos))
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Nanoseconds of a fraction of one to nine digits after its point, or of none; and what comes after it.
fn parse_fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let [b'.', digits @ ..] = text else {
        return Some((0, text));
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let (digits, rest) = digits.split_at_checked(length)?;
    let nanos = digits
        .iter()
        .fold(0, |nanos, digit| nanos * 10 + i32::from(digit - b'0'));
    Some((nanos * 10_i32.pow(9 - length as u32), rest))
}

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
    let (nanos, rest) = parse_fraction(rest)?;
    if rest != b"s" || seconds > DURATION_SECONDS {
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
