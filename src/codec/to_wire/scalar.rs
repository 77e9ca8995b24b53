//! Scalars from their text (ProtoJSON, "JSON representation of types"): integers, floats, bytes.
//!
//! The text is a JSON number, the inside of a JSON string, a path capture or a query parameter: the rules are the same,
//! and so these functions take bytes and know nothing of where they come from.

use super::scan::number_length;

/// A whole number, as wide as any field needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) struct Integer {
    negative: bool,
    magnitude: u64,
}

/// Why a text is not an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum NotAnInteger {
    /// No JSON number.
    Malformed,
    /// A number with a fraction.
    Fraction,
    /// Beyond 64 bits.
    OutOfRange,
}

impl Integer {
    /// The value of `text`, which must be one JSON number and nothing else. `1e5` and `1.0` are integers.
    ///
    /// Exact, and linear in the length, whatever the number of digits and the size of the exponent.
    pub(in crate::codec) fn parse(text: &[u8]) -> Result<Self, NotAnInteger> {
        match Self::plain(text) {
            Some((integer, length)) if length == text.len() => Ok(integer),
            _ if number_length(text) == Some(text.len()) => Self::from_decimal(text),
            _ => Err(NotAnInteger::Malformed),
        }
    }

    /// The common case: up to 18 digits with neither fraction nor exponent. The value and its length.
    #[inline(always)]
    pub(super) fn plain(text: &[u8]) -> Option<(Self, usize)> {
        let negative = text.first() == Some(&b'-');
        let digits = text.get(usize::from(negative)..)?;
        let mut magnitude = 0;
        let mut length = 0;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if length == 18 {
                return None;
            }
            magnitude = magnitude * 10 + u64::from(digit);
            length += 1;
        }
        let leading_zero = length > 1 && digits.first() == Some(&b'0');
        if length == 0 || leading_zero || matches!(digits.get(length), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        Some((Self { negative, magnitude }, usize::from(negative) + length))
    }

    /// The value of a valid JSON number.
    pub(super) fn from_decimal(number: &[u8]) -> Result<Self, NotAnInteger> {
        let negative = number.first() == Some(&b'-');
        let exponent_at = number.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = number.split_at(exponent_at.unwrap_or(number.len()));
        // The number is `significant`, as an integer, times ten to the power of `power`.
        let mut significant = 0_u64;
        let mut overflow = false;
        let mut pending_zeros = 0_u32;
        let mut power = decimal_exponent(exponent);
        let mut in_fraction = false;
        for byte in mantissa {
            match byte {
                b'.' => in_fraction = true,
                b'0'..=b'9' => {
                    power -= i64::from(in_fraction);
                    if *byte == b'0' {
                        pending_zeros = pending_zeros.saturating_add(1);
                        continue;
                    }
                    match shifted(significant, pending_zeros.saturating_add(1))
                        .and_then(|shifted| shifted.checked_add(u64::from(byte - b'0')))
                    {
                        Some(value) => significant = value,
                        None => overflow = true,
                    }
                    pending_zeros = 0;
                }
                _ => {}
            }
        }
        power += i64::from(pending_zeros);
        if significant == 0 && !overflow {
            return Ok(Self { negative, magnitude: 0 });
        }
        if power < 0 {
            return Err(NotAnInteger::Fraction);
        }
        if overflow {
            return Err(NotAnInteger::OutOfRange);
        }
        let power = u32::try_from(power).unwrap_or(u32::MAX);
        let magnitude = shifted(significant, power).ok_or(NotAnInteger::OutOfRange)?;
        Ok(Self { negative, magnitude })
    }

    /// As a signed integer of 64 bits.
    #[inline]
    pub(in crate::codec) fn as_i64(self) -> Option<i64> {
        if self.negative {
            // 2^63 is the magnitude of the lowest value; its negation wraps to itself.
            (self.magnitude <= 1 << 63).then_some((self.magnitude as i64).wrapping_neg())
        } else {
            i64::try_from(self.magnitude).ok()
        }
    }

    /// As a signed integer of 32 bits.
    #[inline]
    pub(in crate::codec) fn as_i32(self) -> Option<i32> {
        self.as_i64().and_then(|value| i32::try_from(value).ok())
    }

    /// As an unsigned integer of 64 bits.
    #[inline]
    pub(in crate::codec) fn as_u64(self) -> Option<u64> {
        (!self.negative || self.magnitude == 0).then_some(self.magnitude)
    }

    /// As an unsigned integer of 32 bits.
    #[inline]
    pub(in crate::codec) fn as_u32(self) -> Option<u32> {
        self.as_u64().and_then(|value| u32::try_from(value).ok())
    }
}

/// The value of `e…`, or 0 for no exponent; far beyond any length of input it stays where it is.
fn decimal_exponent(exponent: &[u8]) -> i64 {
    let negative = exponent.get(1) == Some(&b'-');
    let mut value = 0_i64;
    for digit in exponent.iter().filter(|byte| byte.is_ascii_digit()) {
        value = (value * 10 + i64::from(digit - b'0')).min(1 << 50);
    }
    if negative { -value } else { value }
}

/// `value` times ten to the power of `power`.
fn shifted(value: u64, power: u32) -> Option<u64> {
    if value == 0 {
        return Some(0);
    }
    value.checked_mul(10_u64.checked_pow(power)?)
}

/// Why a text is not a floating-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum NotAFloat {
    /// Neither a JSON number nor one of `NaN`, `Infinity`, `-Infinity`.
    Malformed,
    /// A number that would become infinite.
    OutOfRange,
}

/// The value of a JSON number in double precision, correctly rounded.
#[inline]
pub(super) fn double_from_number(number: &[u8]) -> Result<f64, NotAFloat> {
    if let Some((mantissa, power, negative)) = small_decimal(number)
        && mantissa <= 1 << 53
        && let Some(scale) = POWERS_OF_TEN.get(power.unsigned_abs() as usize)
    {
        // Both operands are exact, so one operation rounds once (Clinger's fast path).
        let value = mantissa as f64;
        let value = if power < 0 { value / scale } else { value * scale };
        return Ok(if negative { -value } else { value });
    }
    let value: f64 = parse_std(number)?;
    value.is_finite().then_some(value).ok_or(NotAFloat::OutOfRange)
}

/// The value of a JSON number in single precision, correctly rounded.
#[inline]
pub(super) fn float_from_number(number: &[u8]) -> Result<f32, NotAFloat> {
    if let Some((mantissa, power, negative)) = small_decimal(number)
        && mantissa <= 1 << 24
        && power.unsigned_abs() <= 10
        && let Some(scale) = POWERS_OF_TEN.get(power.unsigned_abs() as usize)
    {
        // Ten to the tenth is the last power that single precision holds exactly.
        let (value, scale) = (mantissa as f32, *scale as f32);
        let value = if power < 0 { value / scale } else { value * scale };
        return Ok(if negative { -value } else { value });
    }
    let value: f32 = parse_std(number)?;
    value.is_finite().then_some(value).ok_or(NotAFloat::OutOfRange)
}

fn parse_std<F: std::str::FromStr>(number: &[u8]) -> Result<F, NotAFloat> {
    std::str::from_utf8(number)
        .ok()
        .and_then(|number| number.parse().ok())
        .ok_or(NotAFloat::Malformed)
}

/// A JSON number without exponent and with at most 18 digits: mantissa, power of ten, and whether it is negative.
#[inline]
fn small_decimal(number: &[u8]) -> Option<(u64, i32, bool)> {
    if number.len() > 20 {
        return None;
    }
    let mut mantissa = 0;
    let mut digits = 0;
    let mut power = 0;
    let mut step = 0;
    let mut negative = false;
    for byte in number {
        match byte {
            b'0'..=b'9' => {
                // Twenty digits may wrap around; more than 18 are none of these.
                mantissa = u64::wrapping_mul(mantissa, 10).wrapping_add(u64::from(byte - b'0'));
                digits += 1;
                power -= step;
            }
            b'.' => step = 1,
            b'-' => negative = true,
            _ => return None,
        }
    }
    (digits <= 18).then_some((mantissa, power, negative))
}

/// The powers of ten that double precision holds exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The value of a text that is a number or one of the names of ProtoJSON, in double precision.
pub(in crate::codec) fn double_from_text(text: &[u8]) -> Result<f64, NotAFloat> {
    match text {
        b"NaN" => Ok(f64::NAN),
        b"Infinity" => Ok(f64::INFINITY),
        b"-Infinity" => Ok(f64::NEG_INFINITY),
        _ if number_length(text) == Some(text.len()) => double_from_number(text),
        _ => Err(NotAFloat::Malformed),
    }
}

/// The same in single precision.
pub(in crate::codec) fn float_from_text(text: &[u8]) -> Result<f32, NotAFloat> {
    match text {
        b"NaN" => Ok(f32::NAN),
        b"Infinity" => Ok(f32::INFINITY),
        b"-Infinity" => Ok(f32::NEG_INFINITY),
        _ if number_length(text) == Some(text.len()) => float_from_number(text),
        _ => Err(NotAFloat::Malformed),
    }
}

/// How many bytes a base64 text decodes to, if its length and padding are right.
///
/// Padding may be there or not, but not in part.
pub(in crate::codec) fn base64_length(text: &[u8]) -> Option<usize> {
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    if padding > 0 && !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.len() - padding;
    match digits % 4 {
        0 if padding == 0 => Some(digits / 4 * 3),
        2 => Some(digits / 4 * 3 + 1),
        3 => Some(digits / 4 * 3 + 2),
        _ => None,
    }
}

/// Appends what a base64 text stands for: both alphabets of RFC 4648, with and without padding. False, with `out` as it
/// was, when it is none.
pub(in crate::codec) fn decode_base64(text: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(length) = base64_length(text) else {
        return false;
    };
    let start = out.len();
    let digits = text.get(..(length * 4).div_ceil(3)).unwrap_or_default();
    let (groups, rest) = digits.as_chunks::<4>();
    // Invalid digits have the high bit of their value set; it is looked at once, at the end.
    let mut invalid = 0;
    out.reserve(length);
    for [a, b, c, d] in groups {
        let (a, b, c, d) = (digit(*a), digit(*b), digit(*c), digit(*d));
        invalid |= a | b | c | d;
        let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
        let [_, x, y, z] = bits.to_be_bytes();
        out.extend_from_slice(&[x, y, z]);
    }
    // What is left over in the bits of the last digit is ignored, as by most decoders.
    match rest {
        [a, b] => {
            let (a, b) = (digit(*a), digit(*b));
            invalid |= a | b;
            out.push(a << 2 | b >> 4);
        }
        [a, b, c] => {
            let (a, b, c) = (digit(*a), digit(*b), digit(*c));
            invalid |= a | b | c;
            out.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2]);
        }
        _ => {}
    }
    if invalid & 0x80 != 0 {
        out.truncate(start);
        return false;
    }
    true
}

/// The value of a base64 digit of either alphabet; 0x80 for any other byte.
#[inline]
fn digit(byte: u8) -> u8 {
    BASE64_VALUES.get(usize::from(byte)).copied().unwrap_or(0x80)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const BASE64_VALUES: [u8; 256] = {
    let mut values = [0x80; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut value = 0;
    while value < alphabet.len() {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_in_every_notation() {
        let zeros = "0".repeat(10_000);
        let ok: &[(&str, i128)] = &[
            ("0", 0),
            ("-0", 0),
            ("7", 7),
            ("-7", -7),
            ("1e5", 100_000),
            ("1E+5", 100_000),
            ("1.0", 1),
            ("1.5e1", 15),
            ("100e-2", 1),
            ("0.0", 0),
            ("0e999999999999999999999", 0),
            ("0.000e-99999999999999999", 0),
            ("9223372036854775807", i64::MAX as i128),
            ("-9223372036854775808", i64::MIN as i128),
            ("9223372036854775807.000", i64::MAX as i128),
            ("18446744073709551615", u64::MAX as i128),
            ("1844674407370955161.5e1", u64::MAX as i128),
            ("123456789012345678", 123_456_789_012_345_678),
            ("1234567890123456789", 1_234_567_890_123_456_789),
        ];
        for (text, expected) in ok {
            let integer = Integer::parse(text.as_bytes()).unwrap();
            let value = if integer.negative {
                -i128::from(integer.magnitude)
            } else {
                i128::from(integer.magnitude)
            };
            assert_eq!(value, *expected, "{text}");
        }
        assert_eq!(
            Integer::parse(format!("1{zeros}e-10000").as_bytes()),
            Ok(Integer {
                negative: false,
                magnitude: 1
            })
        );
        assert_eq!(
            Integer::parse(format!("0.{zeros}1e10001").as_bytes()),
            Ok(Integer {
                negative: false,
                magnitude: 1
            })
        );
        let bad = [
            ("18446744073709551616", NotAnInteger::OutOfRange),
            ("1e20", NotAnInteger::OutOfRange),
            ("1e99999999999999999999", NotAnInteger::OutOfRange),
            ("0.5", NotAnInteger::Fraction),
            ("1e-1", NotAnInteger::Fraction),
            ("1e-99999999999999999999", NotAnInteger::Fraction),
            ("111111111111111111111111.1", NotAnInteger::Fraction),
            ("", NotAnInteger::Malformed),
            ("-", NotAnInteger::Malformed),
            ("+5", NotAnInteger::Malformed),
            (" 5", NotAnInteger::Malformed),
            ("5 ", NotAnInteger::Malformed),
            (".5", NotAnInteger::Malformed),
            ("5.", NotAnInteger::Malformed),
            ("00", NotAnInteger::Malformed),
            ("01", NotAnInteger::Malformed),
            ("-01", NotAnInteger::Malformed),
            ("0x1", NotAnInteger::Malformed),
            ("1e", NotAnInteger::Malformed),
            ("1e+", NotAnInteger::Malformed),
            ("--1", NotAnInteger::Malformed),
            ("1_000", NotAnInteger::Malformed),
        ];
        for (text, expected) in bad {
            assert_eq!(Integer::parse(text.as_bytes()), Err(expected), "{text}");
        }
    }

    #[test]
    fn integers_keep_to_their_range() {
        let parse = |text: &str| Integer::parse(text.as_bytes()).unwrap();
        assert_eq!(parse("2147483647").as_i32(), Some(i32::MAX));
        assert_eq!(parse("2147483648").as_i32(), None);
        assert_eq!(parse("-2147483648").as_i32(), Some(i32::MIN));
        assert_eq!(parse("-2147483649").as_i32(), None);
        assert_eq!(parse("4294967295").as_u32(), Some(u32::MAX));
        assert_eq!(parse("4294967296").as_u32(), None);
        assert_eq!(parse("-1").as_u32(), None);
        assert_eq!(parse("-0").as_u64(), Some(0));
        assert_eq!(parse("9223372036854775808").as_i64(), None);
        assert_eq!(parse("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(parse("-9223372036854775809").as_i64(), None);
    }

    #[test]
    fn floats_round_as_the_standard_library_does() {
        for text in [
            "0",
            "-0",
            "1",
            "0.1",
            "-1.5",
            "3.14159",
            "123456789.123456789",
            "9007199254740993",
            "1e22",
            "1e23",
            "1e-5",
            "5e-324",
            "1.7976931348623157e308",
            "0.30000000000000004",
            "179769313486231570000000000000000",
            "16777217",
            "3.4028235e38",
            "1.17549435e-38",
            "0.0000001",
            "100000000000000000000",
            "99999999999999999999",
            "-9999999999999999999",
            "0.9999999999999999999",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(
                double_from_text(text.as_bytes()).unwrap().to_bits(),
                expected.to_bits(),
                "{text}"
            );
            let expected: f32 = text.parse().unwrap();
            match float_from_text(text.as_bytes()) {
                Ok(value) => assert_eq!(value.to_bits(), expected.to_bits(), "{text}"),
                Err(error) => assert!(error == NotAFloat::OutOfRange && expected.is_infinite(), "{text}"),
            }
        }
    }

    #[test]
    fn floats_have_names_for_what_is_no_number_and_do_not_overflow() {
        assert!(double_from_text(b"NaN").unwrap().is_nan());
        assert_eq!(double_from_text(b"Infinity"), Ok(f64::INFINITY));
        assert_eq!(float_from_text(b"-Infinity"), Ok(f32::NEG_INFINITY));
        for text in ["1e309", "-1e309", "1e99999999999"] {
            assert_eq!(double_from_text(text.as_bytes()), Err(NotAFloat::OutOfRange), "{text}");
        }
        assert_eq!(float_from_text(b"3.5e38"), Err(NotAFloat::OutOfRange));
        assert_eq!(
            double_from_text("9".repeat(10_000).as_bytes()),
            Err(NotAFloat::OutOfRange)
        );
        for text in [
            "",
            "nan",
            "inf",
            "infinity",
            "+Infinity",
            "-NaN",
            "1.",
            ".5",
            "+1",
            " 1",
            "0x1p3",
            "1e",
        ] {
            assert_eq!(double_from_text(text.as_bytes()), Err(NotAFloat::Malformed), "{text}");
            assert_eq!(float_from_text(text.as_bytes()), Err(NotAFloat::Malformed), "{text}");
        }
    }

    #[test]
    fn base64_comes_in_both_alphabets_with_and_without_padding() {
        let ok: &[(&str, &[u8])] = &[
            ("", b""),
            ("QQ==", b"A"),
            ("QQ", b"A"),
            ("QUI=", b"AB"),
            ("QUI", b"AB"),
            ("QUJD", b"ABC"),
            ("QUJDRA", b"ABCD"),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
        ];
        for (text, expected) in ok {
            let mut out = b"x".to_vec();
            assert!(decode_base64(text.as_bytes(), &mut out), "{text}");
            assert_eq!(&out[1..], *expected, "{text}");
        }
        for text in [
            "Q", "QQ=", "QQ===", "=", "==", "QUJD=", "QUJD====", "Q Q=", "Q\nQ", "Q!==", "QUI=QUI=", "QUJDé",
        ] {
            let mut out = b"x".to_vec();
            assert!(!decode_base64(text.as_bytes(), &mut out), "{text}");
            assert_eq!(out, b"x", "{text}");
        }
    }
}
