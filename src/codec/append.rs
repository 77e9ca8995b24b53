//! Appending to the output: short texts and numbers without a call.
//!
//! A copy of a varying length is a call, inside wasm even one out of the machine (`memory.copy`); a copy of a fixed length
//! is a few instructions. So short copies take whole words, too much of them, and are cut to size.

/// Copies of up to this many bytes are made inline.
pub(super) const SHORT: usize = 32;

/// Appends `text`.
#[inline]
pub(super) fn append(text: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + text.len();
    match text.len() {
        0 => {}
        16..=SHORT => {
            // The two halves overlap.
            if let (Some(first), Some(last)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
                out.extend_from_slice(first);
                out.truncate(end - 16);
                out.extend_from_slice(last);
            }
        }
        8..16 => {
            if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
                out.extend_from_slice(first);
                out.truncate(end - 8);
                out.extend_from_slice(last);
            }
        }
        1..8 => {
            for byte in text {
                out.push(*byte);
            }
        }
        _ => out.extend_from_slice(text),
    }
}

/// Appends `length` bytes of `text` from `start`, all of which it must have.
#[inline]
pub(super) fn append_part(text: &[u8], start: usize, length: usize, out: &mut Vec<u8>) {
    let rest = text.get(start..).unwrap_or_default();
    if length <= SHORT
        && let Some(chunk) = rest.first_chunk::<SHORT>()
    {
        let end = out.len() + length;
        out.extend_from_slice(chunk);
        out.truncate(end);
        return;
    }
    append(rest.get(..length).unwrap_or_default(), out);
}

/// Appends a number in decimal.
#[inline]
pub(super) fn append_decimal(number: u64, out: &mut Vec<u8>) {
    if number < 10 {
        out.push(b'0' + number as u8);
    } else if number < 10_000 {
        append_four_digits(number as u32, out);
    } else if number < EIGHT_DIGITS {
        append_first_digits(number, out);
    } else {
        append_long_decimal(number, out);
    }
}

/// The same for a signed number.
#[inline]
pub(super) fn append_signed_decimal(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    append_decimal(number.unsigned_abs(), out);
}

fn append_long_decimal(number: u64, out: &mut Vec<u8>) {
    let (rest, last) = (number / EIGHT_DIGITS, number % EIGHT_DIGITS);
    if rest < EIGHT_DIGITS {
        append_first_digits(rest, out);
    } else {
        append_first_digits(rest / EIGHT_DIGITS, out);
        out.extend_from_slice(&(eight_digits(rest % EIGHT_DIGITS) | ZEROS).to_le_bytes());
    }
    out.extend_from_slice(&(eight_digits(last) | ZEROS).to_le_bytes());
}

/// The eight decimal digits of a number, zeros in front included.
#[inline]
pub(super) fn eight_decimals(number: u32) -> [u8; 8] {
    (eight_digits(number.into()) | ZEROS).to_le_bytes()
}

/// A number above 0 of up to eight digits, without zeros in front.
#[inline]
fn append_first_digits(number: u64, out: &mut Vec<u8>) {
    let digits = eight_digits(number);
    let zeros = digits.trailing_zeros() / 8;
    let end = out.len() + 8 - zeros as usize;
    out.extend_from_slice(&((digits | ZEROS) >> (zeros * 8)).to_le_bytes());
    out.truncate(end);
}

/// A number above 0 of up to four digits, without zeros in front.
#[inline]
fn append_four_digits(number: u32, out: &mut Vec<u8>) {
    let hundreds = (number * 10_486) >> 20;
    let twos = hundreds | (number - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f;
    let digits = tens | (twos - tens * 10) << 8;
    let zeros = digits.trailing_zeros() / 8;
    let end = out.len() + 4 - zeros as usize;
    out.extend_from_slice(&((digits | ZEROS as u32) >> (zeros * 8)).to_le_bytes());
    out.truncate(end);
}

const EIGHT_DIGITS: u64 = 100_000_000;
/// "00000000".
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight digits of a number, a byte each, the first one lowest: four, two and one digit at a time, in parallel.
#[inline]
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    // Division by 100 and by 10 as multiplication, exact for these ranges.
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - tens * 10) << 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_appended() {
        let text: Vec<u8> = (0..200).collect();
        for length in 0..=100 {
            for start in [0, 1, text.len() - length] {
                let expected = [b"x", &text[start..start + length]].concat();
                let mut out = vec![b'x'];
                append(&text[start..start + length], &mut out);
                assert_eq!(out, expected, "{length} from {start}");
                out.truncate(1);
                append_part(&text, start, length, &mut out);
                assert_eq!(out, expected, "{length} from {start}");
            }
        }
    }

    #[test]
    fn numbers_are_printed_in_decimal() {
        let check = |number: u64| {
            let mut out = b"x".to_vec();
            append_decimal(number, &mut out);
            assert_eq!(out, format!("x{number}").as_bytes());
        };
        (0..200_000).for_each(check);
        for shift in 0..64 {
            check(1 << shift);
            check(u64::MAX >> shift);
            check((u64::MAX >> shift) / 7 * 5);
        }
        let mut power: u64 = 1;
        for _ in 0..20 {
            check(power);
            check(power - 1);
            check(power.wrapping_mul(9) + 1);
            power = power.wrapping_mul(10);
        }
        let mut out = Vec::new();
        append_signed_decimal(i64::MIN, &mut out);
        append_signed_decimal(-7, &mut out);
        append_signed_decimal(12, &mut out);
        assert_eq!(out, b"-9223372036854775808-712");
    }
}
