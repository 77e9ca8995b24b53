//! Scalars as JSON: numbers, booleans, strings, bytes, enums.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::body::Raw;
use super::map_entry::map_key_number;
use super::printer::Printer;
use super::stop::Stop;
use crate::codec::lanes::plain_end_within;
use crate::schema::tables::{DefaultValue, Kind};
use crate::text::append::{
    SIGNED_DECIMAL, append, append_decimal, append_part, append_signed_decimal, append_with, copy_to, write_at,
    write_signed_decimal,
};
use crate::wire::unzigzag;

impl Printer<'_> {
    /// A scalar of that kind. `end` is where it ends in the wire bytes, for errors.
    #[inline]
    pub(super) fn scalar(&mut self, kind: Kind, raw: Raw<'_>, end: usize) -> Result<(), Box<Stop>> {
        match raw {
            Raw::Bytes(bytes) if kind == Kind::Bytes => self.base64(bytes),
            Raw::Bytes(bytes) => return self.string(bytes, end),
            Raw::Number(raw) => self.number(kind, raw),
        }
        Ok(())
    }

    fn number(&mut self, kind: Kind, raw: u64) {
        match kind {
            Kind::Int32 | Kind::Sfixed32 => self.i64_bare((raw as i32).into()),
            Kind::Uint32 | Kind::Fixed32 => self.u64_bare((raw as u32).into()),
            Kind::Sint32 => self.i64_bare((unzigzag((raw as u32).into()) as i32).into()),
            Kind::Int64 | Kind::Sfixed64 => self.i64(raw as i64),
            Kind::Uint64 | Kind::Fixed64 => self.u64(raw),
            Kind::Sint64 => self.i64(unzigzag(raw)),
            Kind::Bool => self.boolean(raw != 0),
            Kind::Double => self.f64(f64::from_bits(raw)),
            Kind::Float => self.f32(f32::from_bits(raw as u32)),
            Kind::Enum(_) => self.enumeration(kind, raw as i32),
            // Their wire types hold no number.
            Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_) => {}
        }
    }

    /// A map key that is no string, without its quotes.
    pub(super) fn map_key_number(&mut self, kind: Kind, raw: u64) {
        map_key_number(kind, raw, self.out);
    }

    pub(super) fn default_scalar(&mut self, kind: Kind, default: &DefaultValue) {
        match default {
            DefaultValue::Bool(value) => self.boolean(*value),
            DefaultValue::I32(value) => self.i64_bare((*value).into()),
            DefaultValue::U32(value) => self.u64_bare((*value).into()),
            DefaultValue::I64(value) => self.i64(*value),
            DefaultValue::U64(value) => self.u64(*value),
            DefaultValue::F32(value) => self.f32(*value),
            DefaultValue::F64(value) => self.f64(*value),
            DefaultValue::String(value) => self.quoted(value),
            DefaultValue::Bytes(value) => self.base64(value),
            DefaultValue::Enum(value) => self.enumeration(kind, *value),
            DefaultValue::Message | DefaultValue::List | DefaultValue::Map => {}
        }
    }

    fn boolean(&mut self, value: bool) {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(text);
    }

    fn enumeration(&mut self, kind: Kind, number: i32) {
        let Kind::Enum(index) = kind else {
            return;
        };
        let enumeration = self.tables.enumeration(index);
        if enumeration.is_null_value() {
            self.out.extend_from_slice(b"null");
            return;
        }
        match enumeration.quoted_name(number) {
            Some(name) if !self.options.always_print_enums_as_ints => append(name, self.out),
            _ => self.i64_bare(number.into()),
        }
    }

    fn i64(&mut self, value: i64) {
        if self.options.unquote_int64_if_possible && double_holds(value.unsigned_abs()) {
            self.i64_bare(value);
        } else {
            self.out.push(b'"');
            self.i64_bare(value);
            self.out.push(b'"');
        }
    }

    fn u64(&mut self, value: u64) {
        if self.options.unquote_int64_if_possible && double_holds(value) {
            self.u64_bare(value);
        } else {
            self.out.push(b'"');
            self.u64_bare(value);
            self.out.push(b'"');
        }
    }

    fn i64_bare(&mut self, value: i64) {
        append_signed_decimal(value, self.out);
    }

    fn u64_bare(&mut self, value: u64) {
        append_decimal(value, self.out);
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.f64_after(b"", value);
    }

    /// A number after a comma, or after nothing.
    #[inline(always)]
    pub(super) fn f64_after<const N: usize>(&mut self, before: &[u8; N], value: f64) {
        if let Some(hundredths) = hundredths(value) {
            append_with::<{ 1 + HUNDREDTHS }>(self.out, |room| {
                copy_to(room, 0, before);
                write_at(room, N, |room| write_hundredths(value < 0.0, hundredths, room))
            });
            return;
        }
        self.out.extend_from_slice(before);
        self.any_f64(value);
    }

    #[inline(never)]
    fn any_f64(&mut self, value: f64) {
        if !value.is_finite() {
            self.not_finite(value.is_nan(), value > 0.0);
            return;
        }
        let mut buffer = zmij::Buffer::new();
        append(without_fraction_zero(buffer.format_finite(value)), self.out);
    }

    fn f32(&mut self, value: f32) {
        if !value.is_finite() {
            self.not_finite(value.is_nan(), value > 0.0);
            return;
        }
        let mut buffer = zmij::Buffer::new();
        append(without_fraction_zero(buffer.format_finite(value)), self.out);
    }

    #[cold]
    fn not_finite(&mut self, nan: bool, positive: bool) {
        let text: &[u8] = match (nan, positive) {
            (true, _) => b"\"NaN\"",
            (false, true) => b"\"Infinity\"",
            (false, false) => b"\"-Infinity\"",
        };
        self.out.extend_from_slice(text);
    }

    /// Standard base64 with padding, quoted.
    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let start = self.out.len();
        self.out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        if let Some(target) = self.out.get_mut(start..)
            && BASE64_STANDARD.encode_slice(bytes, target).is_err()
        {
            // Never: the length is that of padded base64.
            self.out.truncate(start);
        }
        self.out.push(b'"');
    }

    /// A JSON string. `end` is where the bytes end on the wire; fails where they are not UTF-8.
    #[inline]
    pub(super) fn string(&mut self, bytes: &[u8], end: usize) -> Result<(), Box<Stop>> {
        if plain_end_within(self.wire, end - bytes.len(), end) >= end {
            self.out.push(b'"');
            append_part(self.wire, end - bytes.len(), bytes.len(), self.out);
            self.out.push(b'"');
            return Ok(());
        }
        self.unusual_string(bytes, end)
    }

    #[inline(never)]
    fn unusual_string(&mut self, bytes: &[u8], end: usize) -> Result<(), Box<Stop>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.quoted(text);
                Ok(())
            }
            Err(error) => Err(not_utf8(end - bytes.len() + error.valid_up_to())),
        }
    }

    pub(super) fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        self.text(text);
        self.out.push(b'"');
    }

    /// What stands between the quotes of a JSON string.
    pub(super) fn text(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            if is_escaped(byte) {
                self.escape(byte);
                rest = after;
            } else if let Some(word) = rest.first_chunk::<8>() {
                // Whole words, cut where something is to be escaped.
                let plain = match escaped_bytes(u64::from_le_bytes(*word)) {
                    0 => 8,
                    found => found.trailing_zeros() as usize / 8,
                };
                let end = self.out.len() + plain;
                self.out.extend_from_slice(word);
                self.out.truncate(end);
                rest = rest.get(plain..).unwrap_or_default();
            } else {
                self.out.push(byte);
                rest = after;
            }
        }
    }

    fn escape(&mut self, byte: u8) {
        const HEX: [u8; 16] = *b"0123456789abcdef";
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                let low = HEX.get(usize::from(byte & 0xf)).copied().unwrap_or(b'0');
                let high = if byte < 0x10 { b'0' } else { b'1' };
                self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }
}

/// `offset` is that of the first byte that is wrong.
#[cold]
pub(super) fn not_utf8(offset: usize) -> Box<Stop> {
    Stop::new(offset, "found bytes that are not UTF-8, expected a string".into())
}

/// Whether a double represents the number exactly: its significant bits fit into 53.
fn double_holds(magnitude: u64) -> bool {
    magnitude == 0 || 64 - magnitude.leading_zeros() - magnitude.trailing_zeros() <= 53
}

/// A hundred times the magnitude of a number that has two decimal places or fewer, as prices and counts do.
///
/// Decimals of up to 15 digits lead to different doubles. So the one that leads to `value` is the shortest too.
#[inline]
pub(super) fn hundredths(value: f64) -> Option<u64> {
    const LIMIT: f64 = 1e15;
    let magnitude = value.abs();
    if !(0.01..LIMIT / 100.0).contains(&magnitude) {
        return None;
    }
    let scaled = magnitude * 100.0;
    // Signed: machines have an instruction for that one.
    let hundredths = (scaled + 0.5) as i64;
    // Rounded twice, a decimal is no farther from its integer than this. Most others are, and save the division.
    if (scaled - hundredths as f64).abs() > scaled * 1e-15 {
        return None;
    }
    // Both operands are exact, so that this is the double nearest to the decimal.
    (hundredths as f64 / 100.0 == magnitude).then_some(hundredths.unsigned_abs())
}

/// The most bytes that [`write_hundredths`] writes over.
const HUNDREDTHS: usize = SIGNED_DECIMAL + 3;

/// Writes a number of hundredths as a decimal with as many places as it needs, with a sign if it is `negative`; how many
/// bytes that takes.
#[inline(always)]
pub(super) fn write_hundredths(negative: bool, hundredths: u64, room: &mut [u8; HUNDREDTHS]) -> usize {
    let length = write_at(room, 0, |room| write_signed_decimal(negative, hundredths / 100, room));
    let fraction = hundredths % 100;
    let (tenth, hundredth) = (b'0' + (fraction / 10) as u8, b'0' + (fraction % 10) as u8);
    copy_to(room, length, &[b'.', tenth, hundredth]);
    length
        + match (tenth, hundredth) {
            (b'0', b'0') => 0,
            (_, b'0') => 2,
            _ => 3,
        }
}

/// `1.0` is printed as `1`, as protobuf does.
fn without_fraction_zero(number: &str) -> &[u8] {
    match number.as_bytes() {
        [whole @ .., b'.', b'0'] => whole,
        number => number,
    }
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The high bit of every byte of the word that JSON escapes: below 0x20, the quote, the backslash. Bits above the
/// first one set may be wrong.
#[inline]
fn escaped_bytes(word: u64) -> u64 {
    let control = word.wrapping_sub(LOW_BITS * 0x20) & !word;
    let quote = word ^ (LOW_BITS * 0x22);
    let quote = quote.wrapping_sub(LOW_BITS) & !quote;
    let backslash = word ^ (LOW_BITS * 0x5c);
    let backslash = backslash.wrapping_sub(LOW_BITS) & !backslash;
    (control | quote | backslash) & HIGH_BITS
}

#[inline]
fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_are_printed_as_the_shortest_decimal() {
        let check = |value: f64| {
            if let Some(hundredths) = hundredths(value) {
                let printed = format!(
                    "{}{}.{:02}",
                    if value < 0.0 { "-" } else { "" },
                    hundredths / 100,
                    hundredths % 100
                );
                let printed = printed.trim_end_matches('0').trim_end_matches('.');
                assert_eq!(printed, format!("{value}"), "{value:e}");
            }
            hundredths(value).is_some()
        };
        let mut number = 1_u64;
        for _ in 0..100_000 {
            number = number
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            let integer = number >> 15 >> (number % 48);
            for value in [integer as f64 / 100.0, -(integer as f64), f64::from_bits(number)] {
                check(value);
                check(value.next_up());
                check(value.next_down());
            }
        }
        assert!(check(0.01) && check(12.99) && check(-304.0) && check(9_999_999_999_999.99));
        assert!(!check(0.0) && !check(-0.0) && !check(0.001) && !check(1e13) && !check(0.125));
    }

    #[test]
    fn doubles_hold_53_significant_bits() {
        let cases = [
            (0, true),
            (1, true),
            ((1 << 53) - 1, true),
            (1 << 53, true),
            ((1 << 53) + 1, false),
            (1 << 63, true),
            (u64::MAX, false),
            (i64::MAX as u64, false),
        ];
        for (magnitude, expected) in cases {
            assert_eq!(double_holds(magnitude), expected, "{magnitude}");
        }
    }
}
