//! Appending to the output: short texts and numbers without a call.
//!
//! A copy of a varying length is a call, inside wasm even one out of the machine (`memory.copy`); a copy of a fixed length
//! is a few instructions. So short copies take whole words, too much of them, and are cut to size.
//!
//! What is put together from several parts is written to room that is asked for once, in [`append_with`]. With
//! the codec's lanes it is all the `unsafe` of the codec: asked for part by part, members of objects take a sixth
//! more instructions, and a third more time in wasm.

use std::mem::MaybeUninit;

/// Copies of up to this many bytes are made inline.
pub const SHORT: usize = 32;

/// Appends `text`.
#[inline]
pub fn append(text: &[u8], out: &mut Vec<u8>) {
    // No more room is asked for than the text takes.
    if text.len() <= SHORT && out.capacity() - out.len() >= SHORT {
        append_with(out, |room| copy_short(text, room));
    } else {
        out.extend_from_slice(text);
    }
}

/// Copies a text of up to [`SHORT`] bytes to the beginning of `room`; its length.
#[inline(always)]
pub fn copy_short(text: &[u8], room: &mut [u8; SHORT]) -> usize {
    let length = text.len();
    match length {
        0 => {}
        1..4 => {
            // The first byte, the one in the middle, and the last one: all there are.
            for at in [0, length / 2, length - 1] {
                if let (Some(place), Some(byte)) = (room.get_mut(at), text.get(at)) {
                    *place = *byte;
                }
            }
        }
        4..8 => copy_ends::<4>(text, room),
        8..16 => copy_ends::<8>(text, room),
        _ => copy_ends::<16>(text, room),
    }
    length
}

/// Copies a text of `N` to `2 * N` bytes by its two ends, which overlap.
#[inline(always)]
fn copy_ends<const N: usize>(text: &[u8], room: &mut [u8; SHORT]) {
    if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) {
        copy_to(room, 0, first);
        copy_to(room, text.len() - N, last);
    }
}

/// Appends `length` bytes of `text` from `start`, all of which it must have.
#[inline]
pub fn append_part(text: &[u8], start: usize, length: usize, out: &mut Vec<u8>) {
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

/// Appends what `write` puts into `N` bytes, as many of them as it says: one look at the room for all of its parts.
#[inline(always)]
pub fn append_with<const N: usize>(out: &mut Vec<u8>, write: impl FnOnce(&mut [u8; N]) -> usize) {
    out.reserve(N);
    let start = out.len();
    let Some(room) = out.spare_capacity_mut().first_chunk_mut::<N>() else {
        return;
    };
    room.fill(MaybeUninit::new(0));
    // SAFETY: all of `room` has just been initialized, and an initialized byte in a `MaybeUninit` is a byte.
    let room = unsafe { &mut *std::ptr::from_mut(room).cast::<[u8; N]>() };
    let length = write(room).min(N);
    // SAFETY: the capacity holds `N` more bytes, of which all are initialized, and `length` is no more than that.
    unsafe { out.set_len(start + length) };
}

/// Copies `words` to `at`, where [`append_with`] has room for all of them.
#[inline(always)]
pub fn copy_to<const ROOM: usize, const N: usize>(room: &mut [u8; ROOM], at: usize, words: &[u8; N]) {
    if let Some(place) = room.get_mut(at..).and_then(|room| room.first_chunk_mut()) {
        *place = *words;
    }
}

/// Has `write` write at `at`, where there must be room for all that it may write; where it ends.
#[inline(always)]
pub fn write_at<const ROOM: usize, const N: usize>(
    room: &mut [u8; ROOM],
    at: usize,
    write: impl FnOnce(&mut [u8; N]) -> usize,
) -> usize {
    match room.get_mut(at..).and_then(|room| room.first_chunk_mut()) {
        Some(room) => at + write(room),
        None => at,
    }
}

/// The most bytes that a number takes in decimal, in whole words.
const DECIMAL: usize = 24;

/// The longest decimal with a sign, in bytes.
pub const SIGNED_DECIMAL: usize = 1 + DECIMAL;

/// Appends a number in decimal.
#[inline]
pub fn append_decimal(number: u64, out: &mut Vec<u8>) {
    if number < 10 {
        out.push(b'0' + number as u8);
    } else {
        append_with(out, |room| write_decimal(number, room));
    }
}

/// Appends a signed number in decimal.
#[inline]
pub fn append_signed_decimal(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    append_decimal(number.unsigned_abs(), out);
}

/// Writes a number in decimal, with a sign if it is `negative`; how many bytes it takes. What is behind them is written
/// over too.
#[inline(always)]
pub fn write_signed_decimal(negative: bool, magnitude: u64, room: &mut [u8; SIGNED_DECIMAL]) -> usize {
    copy_to(room, 0, b"-");
    write_at(room, usize::from(negative), |room| write_decimal(magnitude, room))
}

#[inline(always)]
fn write_decimal(number: u64, room: &mut [u8; DECIMAL]) -> usize {
    if number < 10_000 {
        write_four_digits(number as u32, room)
    } else if number < EIGHT_DIGITS {
        write_first_digits(number, room)
    } else {
        write_long_decimal(number, room)
    }
}

#[inline(never)]
fn write_long_decimal(number: u64, room: &mut [u8; DECIMAL]) -> usize {
    let (rest, last) = (number / EIGHT_DIGITS, number % EIGHT_DIGITS);
    let length = if rest < EIGHT_DIGITS {
        write_first_digits(rest, room)
    } else {
        let length = write_first_digits(rest / EIGHT_DIGITS, room);
        write_word(eight_digits(rest % EIGHT_DIGITS) | ZEROS, room, length)
    };
    write_word(eight_digits(last) | ZEROS, room, length)
}

/// Writes eight bytes at `at`; where they end.
#[inline(always)]
fn write_word(word: u64, room: &mut [u8; DECIMAL], at: usize) -> usize {
    copy_to(room, at, &word.to_le_bytes());
    at + 8
}

/// The eight decimal digits of a number, zeros in front included.
#[inline]
pub fn eight_decimals(number: u32) -> [u8; 8] {
    (eight_digits(number.into()) | ZEROS).to_le_bytes()
}

/// A number above 0 of up to eight digits, without zeros in front; how many there are.
#[inline(always)]
fn write_first_digits(number: u64, room: &mut [u8; DECIMAL]) -> usize {
    let digits = eight_digits(number);
    let zeros = digits.trailing_zeros() / 8;
    write_word((digits | ZEROS) >> (zeros * 8), room, 0);
    8 - zeros as usize
}

/// A number of up to four digits, without zeros in front; how many there are.
#[inline(always)]
fn write_four_digits(number: u32, room: &mut [u8; DECIMAL]) -> usize {
    let hundreds = (number * 10_486) >> 20;
    let twos = hundreds | (number - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f;
    let digits = tens | (twos - tens * 10) << 8;
    // The last digit stays, whatever it is.
    let zeros = (digits | 1 << 24).trailing_zeros() / 8;
    copy_to(room, 0, &((digits | ZEROS as u32) >> (zeros * 8)).to_le_bytes());
    4 - zeros as usize
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

/// Makes room for `now` more bytes, and for those that are `expected` behind them as far as that is no more than there is
/// already: what a peer announces costs it nothing, and so it is believed as it comes true.
pub fn reserve_as_it_comes(out: &mut Vec<u8>, now: usize, expected: usize) {
    if out.capacity() - out.len() < now {
        let believed = expected.min(out.len() + now);
        out.reserve_exact(now.max(believed));
    }
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
    fn parts_are_put_together_and_cut_to_size() {
        for capacity in 0..20 {
            let mut out = Vec::with_capacity(capacity);
            out.push(b'x');
            for length in 0..=8 {
                let start = out.len();
                append_with::<8>(&mut out, |room| {
                    assert_eq!(*room, [0; 8], "nothing that was there shows");
                    copy_to(room, 0, b"abcdef");
                    copy_to(room, 6, b"gh");
                    copy_to(room, 7, b"no room");
                    length
                });
                assert_eq!(out[start..], b"abcdefgh"[..length]);
            }
            append_with::<2>(&mut out, |_| 100);
            assert!(out.ends_with(&[0, 0]), "no more than there is");
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
