//! Scalars from their text (ProtoJSON, "JSON representation of types"): integers, floats, bytes.
//!
//! The text is a JSON number, the inside of a JSON string, a path capture or a query parameter: the rules are the same,
//! and so these functions take bytes and know nothing of where they come from.

use super::scan::number_length;
use crate::schema::tables::Kind;
use crate::wire::{write_varint, zigzag};

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

    /// The common case: up to 19 digits with neither fraction nor exponent. The value and its length.
    #[inline(always)]
    pub(super) fn plain(text: &[u8]) -> Option<(Self, usize)> {
        let negative = text.first() == Some(&b'-');
        let digits = text.get(usize::from(negative)..)?;
        let (magnitude, length) = read_digits(digits, 0);
        let leading_zero = length > 1 && digits.first() == Some(&b'0');
        if length == 0 || length > MOST_DIGITS || leading_zero || matches!(digits.get(length), Some(b'.' | b'e' | b'E'))
        {
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

/// The double that `text` begins with, and its length, in one look: a JSON number without exponent, with at most 19
/// digits of which at most 27 places are a fraction. None: it has to be looked at again, it may be anything.
#[inline]
pub(super) fn plain_double(text: &[u8]) -> Option<(f64, usize)> {
    if let Some(small) = small_decimal(text) {
        return Some(small);
    }
    let (decimal, length) = Decimal::plain(text)?;
    Some((decimal.to_double()?, length))
}

/// The value of a JSON number in double precision, correctly rounded.
#[inline]
pub(super) fn double_from_number(number: &[u8]) -> Result<f64, NotAFloat> {
    if let Some((value, _)) = plain_double(number) {
        return Ok(value);
    }
    let value: f64 = parse_std(number)?;
    value.is_finite().then_some(value).ok_or(NotAFloat::OutOfRange)
}

/// The value of a JSON number in single precision, correctly rounded.
#[inline]
pub(super) fn float_from_number(number: &[u8]) -> Result<f32, NotAFloat> {
    if let Some((decimal, _)) = Decimal::plain(number)
        && decimal.mantissa <= 1 << 24
        && decimal.places <= 10
        && let Some(scale) = POWERS_OF_TEN.get(decimal.places)
    {
        // Ten to the tenth is the last power that single precision holds exactly.
        let value = decimal.mantissa as f32 / *scale as f32;
        return Ok(if decimal.negative { -value } else { value });
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

/// The integer that `text` begins with, and its length: up to seven digits, with something after them that ends it.
#[inline]
pub(super) fn small_integer(text: &[u8]) -> Option<(u32, usize)> {
    let word = u64::from_le_bytes(*text.first_chunk::<8>()?);
    let digits = word ^ ZEROS;
    let length = leading_digits(digits);
    let next = word.checked_shr(8 * length)? as u8;
    if length == 0 || matches!(next, b'.' | b'e' | b'E') || length > 1 && digits as u8 == 0 {
        return None;
    }
    Some((eight_digits(digits << (64 - 8 * length)) as u32, length as usize))
}

/// The decimal that `text` begins with, and its length: up to six digits around a point, with something after them that
/// ends it, all of it in one word, as prices are.
#[inline(always)]
fn small_decimal(text: &[u8]) -> Option<(f64, usize)> {
    let word = u64::from_le_bytes(*text.first_chunk::<8>()?);
    let digits = word ^ ZEROS;
    // The high bit of each byte over 9.
    let others = (((digits & !HIGH_BITS).wrapping_add(0x7676_7676_7676_7676)) | digits) & HIGH_BITS;
    let point = others.trailing_zeros() / 8;
    let end = (others & others.wrapping_sub(1)).trailing_zeros() / 8;
    let (whole, next) = (word.checked_shr(8 * point)? as u8, word.checked_shr(8 * end)? as u8);
    let places = end.checked_sub(point + 1)?;
    if whole != b'.'
        || point == 0
        || places == 0
        || point > 1 && digits as u8 == 0
        || matches!(next, b'.' | b'e' | b'E')
    {
        return None;
    }
    let before = (1_u64 << (8 * point)) - 1;
    let digits = digits & before | digits >> 8 & !before;
    let mantissa = eight_digits(digits << (64 - 8 * (point + places)));
    // Both operands are exact, so one operation rounds once (Clinger's fast path).
    Some((mantissa as f64 / POWERS_OF_TEN.get(places as usize)?, end as usize))
}

/// A number as its text has it: `mantissa` without its point, which stands before the last `places` digits.
struct Decimal {
    negative: bool,
    mantissa: u64,
    places: usize,
}

impl Decimal {
    /// The number that `text` begins with, and its length: a JSON number without exponent, and with no more significant
    /// digits than 64 bits hold.
    #[inline]
    fn plain(text: &[u8]) -> Option<(Self, usize)> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(negative);
        let rest = text.get(start..)?;
        let (mut mantissa, whole) = read_digits(rest, 0);
        let leading_zero = rest.first() == Some(&b'0');
        if whole == 0 || whole > 1 && leading_zero {
            return None;
        }
        let (mut places, mut length) = (0, whole);
        if rest.get(whole) == Some(&b'.') {
            let fraction = rest.get(whole + 1..)?;
            (mantissa, places) = read_digits(fraction, mantissa);
            if places == 0 {
                return None;
            }
            length += 1 + places;
            if whole + places > MOST_DIGITS {
                // Zeros in front count for nothing.
                let zeros = if leading_zero {
                    1 + fraction.iter().take_while(|digit| **digit == b'0').count()
                } else {
                    0
                };
                if whole + places - zeros > MOST_DIGITS {
                    return None;
                }
            }
        } else if whole > MOST_DIGITS {
            return None;
        }
        if let Some(b'e' | b'E') = rest.get(length) {
            return None;
        }
        let decimal = Self {
            negative,
            mantissa,
            places,
        };
        Some((decimal, start + length))
    }

    /// The nearest double, to even where two are; none with more places than the tables have.
    #[inline]
    fn to_double(&self) -> Option<f64> {
        let value = if self.mantissa <= 1 << 53
            && let Some(scale) = POWERS_OF_TEN.get(self.places)
        {
            // Both operands are exact, so one operation rounds once (Clinger's fast path).
            self.mantissa as f64 / scale
        } else {
            shifted_down(self.mantissa, self.places)?
        };
        Some(if self.negative { -value } else { value })
    }
}

/// `mantissa`, which isn't 0, divided by ten to the power of `places`, up to 27: Daniel Lemire, "Number Parsing at a
/// Gigabyte per Second", section 6. For these powers its product of 128 bits always decides.
fn shifted_down(mantissa: u64, places: usize) -> Option<f64> {
    const MANTISSA_BITS: u32 = 52;
    // What the first product leaves undecided: ones in all bits below those that a mantissa and its rounding need.
    const UNDECIDED: u64 = u64::MAX >> (MANTISSA_BITS + 3);
    let (high_factor, low_factor) = *RECIPROCALS.get(places)?;
    let zeros = mantissa.leading_zeros();
    let normal = mantissa.checked_shl(zeros)?;
    let product = |factor: u64| {
        let product = u128::from(normal) * u128::from(factor);
        ((product >> 64) as u64, product as u64)
    };
    let (mut high, mut low) = product(high_factor);
    if high & UNDECIDED == UNDECIDED {
        let (carried, carry) = low.overflowing_add(product(low_factor).0);
        low = carried;
        high += u64::from(carry);
    }
    let top = (high >> 63) as u32;
    let shift = top + 64 - MANTISSA_BITS - 3;
    let mut bits = high >> shift;
    // Exactly between two doubles, which only few places make possible: the bit that would round up goes.
    if low <= 1 && places <= 4 && bits & 3 == 1 && bits << shift == high {
        bits &= !1;
    }
    bits += bits & 1;
    bits >>= 1;
    // The binary exponent of 5^-places times 2^-places, and of the normal form of the mantissa.
    let places = i32::try_from(places).ok()?;
    let mut exponent = ((-places * 217_706) >> 16) + 63 + 1023 + top as i32 - zeros as i32;
    if bits >= 2 << MANTISSA_BITS {
        bits = 1 << MANTISSA_BITS;
        exponent += 1;
    }
    Some(f64::from_bits(
        bits & !(1 << MANTISSA_BITS) | (exponent as u64) << MANTISSA_BITS,
    ))
}

/// Five to the power of -0, -1, … -27, in 128 bits of which the first is set, rounded up.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const RECIPROCALS: [(u64, u64); 28] = {
    let mut reciprocals = [(1 << 63, 0); 28];
    let mut power = 1_u128;
    let mut places = 1;
    while places < reciprocals.len() {
        power *= 5;
        // 2^(127 + bits) / power, bit by bit.
        let (mut quotient, mut remainder) = (0_u128, 1_u128);
        let mut bits = 127 + (128 - power.leading_zeros());
        while bits > 0 {
            remainder <<= 1;
            quotient <<= 1;
            if remainder >= power {
                remainder -= power;
                quotient |= 1;
            }
            bits -= 1;
        }
        quotient += 1;
        reciprocals[places] = ((quotient >> 64) as u64, quotient as u64);
        places += 1;
    }
    reciprocals
};

/// So many decimal digits always fit into 64 bits.
const MOST_DIGITS: usize = 19;

/// Reads more digits of `number`; the number with them, and how many came. With more than [`MOST_DIGITS`], leading zeros
/// not counted, the number means nothing.
#[inline(always)]
pub(super) fn read_digits(text: &[u8], mut number: u64) -> (u64, usize) {
    let mut length = 0;
    while let Some(word) = text.get(length..).and_then(|rest| rest.first_chunk::<8>()) {
        let digits = u64::from_le_bytes(*word) ^ ZEROS;
        let count = leading_digits(digits);
        if count < 8 {
            if let (Some(scale), Some(digits)) = (SCALES.get(count as usize), digits.checked_shl(64 - 8 * count)) {
                number = number.wrapping_mul(*scale).wrapping_add(eight_digits(digits));
            }
            return (number, length + count as usize);
        }
        number = number.wrapping_mul(100_000_000).wrapping_add(eight_digits(digits));
        length += 8;
    }
    for byte in text.get(length..).unwrap_or_default() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        length += 1;
    }
    (number, length)
}

/// "00000000": digits become their values by exclusive or with it.
const ZEROS: u64 = 0x3030_3030_3030_3030;

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many bytes, from the lowest on, are 9 or less.
#[inline]
fn leading_digits(digits: u64) -> u32 {
    // The high bit of each byte over 9; those after the first one may be wrong.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGH_BITS;
    others.trailing_zeros() / 8
}

const SCALES: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// The number of eight digits, a byte each, the first one lowest: two, four and eight digits at a time, in parallel.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    const EVERY_FOURTH: u64 = 0x0000_00ff_0000_00ff;
    let twos = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let first = (twos & EVERY_FOURTH).wrapping_mul(0x000f_4240_0000_0064);
    let second = (twos >> 16 & EVERY_FOURTH).wrapping_mul(0x0000_2710_0000_0001);
    first.wrapping_add(second) >> 32
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

/// A `float` from the text of a JSON number, or from the names that ProtoJSON has for NaN and infinity.
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
    // Invalid digits have a bit set above those of any group; it is looked at once, at the end.
    let mut invalid = 0;
    out.resize(start + groups.len() * 3, 0);
    let target = out.get_mut(start..).unwrap_or_default();
    for ([a, b, c, d], target) in groups.iter().zip(target.as_chunks_mut::<3>().0) {
        let bits = group_digit::<18>(*a) | group_digit::<12>(*b) | group_digit::<6>(*c) | group_digit::<0>(*d);
        invalid |= bits;
        let [_, x, y, z] = bits.to_be_bytes();
        *target = [x, y, z];
    }
    let mut invalid = (invalid >> 24) as u8;
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

/// The value of a base64 digit in its place of a group of four; the highest bit for any other byte.
#[inline]
fn group_digit<const SHIFT: u32>(byte: u8) -> u32 {
    // A table for each place: a load, and no shift.
    GroupDigits::<SHIFT>::TABLE
        .get(usize::from(byte))
        .copied()
        .unwrap_or(INVALID_GROUP)
}

const INVALID_GROUP: u32 = 1 << 31;

struct GroupDigits<const SHIFT: u32>;

impl<const SHIFT: u32> GroupDigits<SHIFT> {
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const TABLE: &[u32; 256] = &{
        let mut table = [INVALID_GROUP; 256];
        let mut byte = 0;
        while byte < table.len() {
            if BASE64_VALUES[byte] < 0x80 {
                table[byte] = (BASE64_VALUES[byte] as u32) << SHIFT;
            }
            byte += 1;
        }
        table
    };
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

/// Writes `integer` as a value of `kind`, any kind of integer; none when it is out of the kind's range.
#[inline]
pub(in crate::codec) fn write_integer(kind: Kind, integer: Integer, out: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::Int32 => write_varint(i64::from(integer.as_i32()?) as u64, out),
        Kind::Int64 => write_varint(integer.as_i64()? as u64, out),
        Kind::Uint32 => write_varint(u64::from(integer.as_u32()?), out),
        Kind::Uint64 => write_varint(integer.as_u64()?, out),
        Kind::Sint32 => write_varint(zigzag(i64::from(integer.as_i32()?)), out),
        Kind::Sint64 => write_varint(zigzag(integer.as_i64()?), out),
        Kind::Fixed32 => out.extend_from_slice(&integer.as_u32()?.to_le_bytes()),
        Kind::Fixed64 => out.extend_from_slice(&integer.as_u64()?.to_le_bytes()),
        Kind::Sfixed32 => out.extend_from_slice(&integer.as_i32()?.to_le_bytes()),
        Kind::Sfixed64 => out.extend_from_slice(&integer.as_i64()?.to_le_bytes()),
        _ => return None,
    }
    Some(())
}

/// What a value of a scalar kind is called in errors.
pub(in crate::codec) fn expected_scalar(kind: Kind) -> &'static str {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a 32-bit integer",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a 64-bit integer",
        Kind::Uint32 | Kind::Fixed32 => "an unsigned 32-bit integer",
        Kind::Uint64 | Kind::Fixed64 => "an unsigned 64-bit integer",
        Kind::Double | Kind::Float => "a number",
        Kind::Bool => "true or false",
        Kind::String => "a string",
        Kind::Bytes => "a base64 string",
        Kind::Enum(_) => "an enum value",
        Kind::Message(_) | Kind::Group(_) => "an object",
    }
}

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

    #[test]
    fn plain_doubles_are_those_of_the_standard_library() {
        let mut bits = 1_u64;
        let mut decided = 0;
        for round in 0..200_000_u32 {
            bits = bits
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            let mantissa = bits >> (round % 64);
            let places = (bits >> 32) as usize % 29;
            let digits = format!("{mantissa:0width$}", width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            let text = if places == 0 {
                format!("{whole},")
            } else {
                format!("-{whole}.{fraction}]")
            };
            if let Some((value, length)) = plain_double(text.as_bytes()) {
                assert_eq!(length, text.len() - 1, "{text}");
                let expected: f64 = text[..length].parse().unwrap();
                assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
                decided += 1;
            }
        }
        assert!(decided > 150_000, "{decided}");
    }

    #[test]
    fn short_decimals_are_those_of_the_standard_library() {
        let mut taken = 0;
        for mantissa in (0..1_000_u32).chain((1_000..1_000_000).step_by(37)) {
            for places in 1..6 {
                let digits = format!("{mantissa:0width$}", width = places + 1);
                let (whole, fraction) = digits.split_at(digits.len() - places);
                let number = format!("{whole}.{fraction}");
                for behind in [",", "]", "}     ", " 1234567", "\n", "\u{ff}", "x"] {
                    let text = format!("{number}{behind}");
                    if let Some((value, length)) = small_decimal(text.as_bytes()) {
                        assert_eq!(length, number.len(), "{text:?}");
                        let expected: f64 = number.parse().unwrap();
                        assert_eq!(value.to_bits(), expected.to_bits(), "{text:?}");
                        taken += 1;
                    }
                }
            }
        }
        assert!(taken > 100_000, "{taken}");
        for other in [
            "1.5e3,   ",
            "1.5E,    ",
            "1.,      ",
            ".5,      ",
            "00.5,    ",
            "01.5,    ",
            "1.5.5,   ",
            "-1.5,    ",
            "1234567.5,",
            "15,      ",
            "1.234567,",
            "1,5,     ",
            "1.5",
            "",
            "        ",
            "\u{ff}\u{ff}1.5,,",
        ] {
            assert_eq!(small_decimal(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn doubles_halfway_between_two_are_rounded_to_even() {
        for mantissa in [
            (1_u64 << 53) + 1,
            (1 << 53) + 3,
            (1 << 54) + 2,
            (1 << 54) + 6,
            (1 << 60) + 128,
        ] {
            for places in 0..=4 {
                // Exactly halfway when divided by a power of two; 10^-places adds one of five.
                let scaled = mantissa.checked_mul(5_u64.pow(places as u32)).unwrap_or(mantissa);
                for mantissa in [scaled - 1, scaled, scaled + 1] {
                    let digits = format!("{mantissa:0width$}", width = places + 1);
                    let (whole, fraction) = digits.split_at(digits.len() - places);
                    let text = if places == 0 {
                        whole.to_owned()
                    } else {
                        format!("{whole}.{fraction}")
                    };
                    if let Some((value, _)) = plain_double(text.as_bytes()) {
                        let expected: f64 = text.parse().unwrap();
                        assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_plain_number_is_left_to_others() {
        for text in [
            "",
            "-",
            ".5",
            "-.5",
            "1.",
            "01",
            "-00.5",
            "1e5",
            "1.5E5",
            "1.e5",
            "99999999999999999999",
            "x",
            "0.x",
            "0.00000000000000000000000000001",
        ] {
            for text in [text.to_owned(), format!("{text},        ")] {
                assert_eq!(plain_double(text.as_bytes()), None, "{text}");
                let integer = small_integer(text.as_bytes());
                assert_eq!(integer, None, "{text}");
            }
        }
        assert_eq!(small_integer(b"0,      "), Some((0, 1)));
        assert_eq!(small_integer(b"1234567]"), Some((1_234_567, 7)));
        assert_eq!(small_integer(b"12345678"), None);
        assert_eq!(
            plain_double(b"0.0001234567890123456789]"),
            Some(("0.0001234567890123456789".parse().unwrap(), 24))
        );
        assert_eq!(
            plain_double(b"-0.0,").map(|(value, _)| value.to_bits()),
            Some((-0.0_f64).to_bits())
        );
    }
}
