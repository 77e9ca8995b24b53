//! Sixteen bytes at a time: where plain text ends.
//!
//! A byte is *plain* when it stands for itself in a JSON string and is a character of its own: printable ASCII but the
//! quote and the backslash. Both directions ask for the same thing: how far text is plain.
//!
//! The vectors are those that every machine of the kind has: SSE2, simd128. Elsewhere it is done byte by byte.

/// How many bytes are looked at at once.
const LANES: usize = 16;

/// The position of the first byte of `text` from `at` on that isn't plain; at most the text's length.
#[inline(always)]
pub(super) fn plain_end(text: &[u8], at: usize) -> usize {
    plain_end_within(text, at, text.len())
}

/// As [`plain_end`], but looking no farther than it must to tell whether all bytes before `end` are plain: a position
/// after `end` says that they are, and nothing of what follows.
#[inline(always)]
pub(super) fn plain_end_within(text: &[u8], mut at: usize, end: usize) -> usize {
    while at < end {
        let rest = text.get(at..).unwrap_or_default();
        let Some(chunk) = rest.first_chunk::<LANES>() else {
            return plain_end_of_tail(text, at);
        };
        match unusual(chunk) {
            0 => at += LANES,
            mask => return at + mask.trailing_zeros() as usize,
        }
    }
    at
}

/// [`plain_end`] where fewer bytes are left than are looked at at once.
#[inline]
fn plain_end_of_tail(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let Some(chunk) = text.last_chunk::<LANES>() else {
        return at + rest.iter().take_while(|byte| is_plain(**byte)).count();
    };
    // The chunk begins before `at`: those bits go.
    match unusual(chunk) >> (LANES - rest.len()) {
        0 => text.len(),
        mask => at + mask.trailing_zeros() as usize,
    }
}

/// Whether the first `length` bytes of `text`, at most all, are plain.
#[inline(always)]
pub(super) fn is_plain_start(text: &[u8; 2 * LANES], length: usize) -> bool {
    let [first, second] = text.as_chunks::<LANES>().0 else {
        return false;
    };
    let mask = u64::from(unusual(first)) | u64::from(unusual(second)) << LANES;
    mask.trailing_zeros() as usize >= length
}

/// How many bytes of `text` are plain before the first one that isn't.
#[inline(always)]
pub(super) fn plain_length(text: &[u8; 2 * LANES]) -> usize {
    let [first, second] = text.as_chunks::<LANES>().0 else {
        return 0;
    };
    match unusual(first) {
        0 => LANES + (unusual(second) | 1 << LANES).trailing_zeros() as usize,
        mask => mask.trailing_zeros() as usize,
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=0x7f) && byte != b'"' && byte != b'\\'
}

/// One bit for each byte that isn't plain, the first byte's lowest.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn unusual(chunk: &[u8; LANES]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let (low, high) = halves(chunk);
    // SAFETY: these functions need SSE2, which is part of x86-64; they take values and touch no memory.
    unsafe {
        let bytes = _mm_set_epi64x(high as i64, low as i64);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        // Signed: below the space are the control characters and all that isn't ASCII.
        let other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(b' ' as i8));
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), other)) as u32
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn unusual(chunk: &[u8; LANES]) -> u32 {
    use std::arch::wasm32::{i8x16_lt, i8x16_splat, u8x16_bitmask, u8x16_eq, u8x16_splat, u64x2, v128_or};
    let (low, high) = halves(chunk);
    let bytes = u64x2(low, high);
    let quote = u8x16_eq(bytes, u8x16_splat(b'"'));
    let backslash = u8x16_eq(bytes, u8x16_splat(b'\\'));
    // Signed: below the space are the control characters and all that isn't ASCII.
    let other = i8x16_lt(bytes, i8x16_splat(b' ' as i8));
    u32::from(u8x16_bitmask(v128_or(v128_or(quote, backslash), other)))
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
fn unusual(chunk: &[u8; LANES]) -> u32 {
    chunk
        .iter()
        .zip(0..)
        .fold(0, |mask, (byte, lane)| mask | u32::from(!is_plain(*byte)) << lane)
}

#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn halves(chunk: &[u8; LANES]) -> (u64, u64) {
    let [low, high] = *chunk.as_chunks::<8>().0 else {
        return (0, 0);
    };
    (u64::from_le_bytes(low), u64::from_le_bytes(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_at_every_place_of_every_length() {
        for byte in 0..=255_u8 {
            for length in 1..40 {
                for place in 0..length {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let expected = if is_plain(byte) { length } else { place };
                    assert_eq!(plain_end(&text, 0), expected, "{byte} at {place} of {length}");
                    let behind = if is_plain(byte) { length } else { place + 1 };
                    assert!(plain_end_within(&text, 0, behind) >= behind.min(expected));
                    assert_eq!(plain_end(&text, place), expected, "{byte}, from {place} of {length}");
                    assert_eq!(plain_end(&text, length), length);
                    if let Some(start) = text.first_chunk() {
                        assert_eq!(
                            plain_length(start),
                            expected.min(2 * LANES),
                            "{byte} at {place} of {length}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_follows_the_end_is_not_looked_through() {
        let text = vec![b'x'; 1000];
        assert!((5..5 + LANES).contains(&plain_end_within(&text, 2, 5)));
        assert_eq!(plain_end_within(&text, 2, 2), 2);
        let mut text = text;
        text[7] = b'"';
        assert!(plain_end_within(&text, 2, 7) >= 7);
        assert_eq!(plain_end_within(&text, 2, 8), 7);
    }
}
