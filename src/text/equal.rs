//! Comparing short texts without a call.
//!
//! A comparison of a varying length is a call, inside wasm one that goes byte by byte; one of a fixed length is an
//! instruction. So short texts are compared by whole words.

/// Whether both texts are the same.
#[inline]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && equal_in_length(left, right)
}

#[inline]
fn equal_in_length(left: &[u8], right: &[u8]) -> bool {
    // The last word overlaps the one before it, so that there is no rest to go through byte by byte.
    if let (Some(left_end), Some(right_end)) = (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        let words = left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0);
        return left_end == right_end && words.into_iter().all(|(left, right)| left == right);
    }
    if let (Some(left_end), Some(right_end)) = (left.last_chunk::<4>(), right.last_chunk::<4>()) {
        return left_end == right_end && left.first_chunk::<4>() == right.first_chunk::<4>();
    }
    left.iter().zip(right).all(|(left, right)| left == right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_anywhere_or_in_length_are_not_the_same() {
        let text: Vec<u8> = (0..40).collect();
        for length in 0..=text.len() {
            assert!(equal(&text[..length], &text[..length]));
            for place in 0..length {
                let mut other = text.clone();
                other[place] ^= 0x80;
                assert!(!equal(&text[..length], &other[..length]), "{place} of {length}");
                assert!(!equal(&text[..length], &text[..place]), "{place} of {length}");
            }
        }
    }
}
