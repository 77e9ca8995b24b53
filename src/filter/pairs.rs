//! A header map in the form in which it crosses to the host and back: the count, the sizes of each name and value, then each
//! of them with a zero byte after it. Numbers are 32 bits, the low byte first.
//!
//! Source: proxy-wasm ABI 0.2.1, "Serialization".

use std::ops::Range;

use crate::http::headers::Headers;

/// Appends to `fields` where in `bytes` each name and value is. Stops at the first field that doesn't fit.
pub fn decode_pairs(bytes: &[u8], fields: &mut Vec<(Range<usize>, Range<usize>)>) {
    let number = |at: usize| {
        let word = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes(word.try_into().ok()?) as usize)
    };
    let Some(count) = number(0) else { return };
    let Some(mut at) = count.checked_mul(8).and_then(|sizes| sizes.checked_add(4)) else {
        return;
    };
    for field in 0..count {
        let (Some(name), Some(value)) = (number(4 + field * 8), number(8 + field * 8)) else {
            return;
        };
        let (name, value) = (at..at + name, at + name + 1..at + name + 1 + value);
        if value.end >= bytes.len() {
            return;
        }
        at = value.end + 1;
        fields.push((name, value));
    }
}

/// `headers` in that form.
pub fn encode_pairs(headers: &Headers) -> Vec<u8> {
    let size = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 10)
        .sum::<usize>()
        + 4;
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(&(headers.len() as u32).to_le_bytes());
    for (name, value) in headers.iter() {
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    for (name, value) in headers.iter() {
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut fields = Vec::new();
        decode_pairs(bytes, &mut fields);
        let owned = |range: Range<usize>| bytes[range].to_vec();
        fields
            .into_iter()
            .map(|(name, value)| (owned(name), owned(value)))
            .collect()
    }

    #[test]
    fn a_map_comes_back_from_its_form() {
        let mut headers = Headers::default();
        for (name, value) in [
            (&b":path"[..], &b"/a"[..]),
            (b"empty", b""),
            (b"x", b"\xff\0"),
            (b"x", b"again"),
        ] {
            headers.push(name, value);
        }
        let bytes = encode_pairs(&headers);
        assert_eq!(&bytes[..12], b"\x04\0\0\0\x05\0\0\0\x02\0\0\0");
        let fields = decoded(&bytes);
        let expected: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        assert_eq!(fields, expected);
        assert_eq!(decoded(&encode_pairs(&Headers::default())), []);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut headers = Headers::default();
        headers.push(b"name", b"value");
        headers.push(b"other", b"thing");
        let whole = encode_pairs(&headers);
        for length in 0..whole.len() {
            let fields = decoded(&whole[..length]);
            assert!(fields.len() < 2, "{length}: {fields:?}");
        }
        let mut huge = whole.clone();
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decoded(&huge), []);
        huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decoded(&huge), []);
    }
}
