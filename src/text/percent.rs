//! Percent-encoding (RFC 3986, section 2.1) as paths and queries use it.

/// Which escapes stand for data where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoding {
    /// One path segment: every escape is decoded.
    Segment,
    /// Several path segments: `%2F` and `%2f` stay, so that a slash in the data is not taken for a separator.
    Segments,
    /// A name or a value in a query: every escape is decoded, and `+` is a space.
    Query,
}

/// Appends `text`, decoded, to `out`. On error, the position in `text` of the escape that isn't `%` and two
/// hexadecimal digits; `out` then holds what came before it.
pub fn decode(text: &[u8], decoding: Decoding, out: &mut Vec<u8>) -> Result<(), usize> {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let Some((value, tail)) = escape(tail) else {
                    return Err(text.len() - tail.len() - 1);
                };
                if value == b'/' && decoding == Decoding::Segments {
                    out.push(b'%');
                } else {
                    out.push(value);
                    rest = tail;
                }
            }
            b'+' if decoding == Decoding::Query => out.push(b' '),
            _ => out.push(byte),
        }
    }
    Ok(())
}

/// `text` decoded as often as it is encoded: no escape is left in it.
pub fn decode_all(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    for byte in text {
        decoded.push(*byte);
        // What an escape stands for may end another one.
        while let Some((rest, [b'%', digits @ ..])) = decoded.split_last_chunk::<3>()
            && let Some((value, _)) = escape(digits)
        {
            let length = rest.len();
            decoded.truncate(length);
            decoded.push(value);
        }
    }
    decoded
}

/// The position of the first malformed escape in `text`.
pub fn malformed_escape(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'%', text).find(|at| text.get(at + 1..).and_then(escape).is_none())
}

/// The escape at `position` of `text` as a message shows it: `%` and up to two characters after it.
pub fn shown(text: &[u8], position: usize) -> String {
    let escape = text.iter().skip(position).take(3).copied().collect::<Vec<_>>();
    String::from_utf8_lossy(&escape).into_owned()
}

/// The value of two hexadecimal digits at the start of `text`, and what follows them.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = text else {
        return None;
    };
    Some((hexadecimal(*high)? << 4 | hexadecimal(*low)?, rest))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `text` decoded; what is no escape stands for itself.
pub fn decode_lenient(text: &[u8]) -> Vec<u8> {
    if memchr::memchr(b'%', text).is_none() {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Err(at) = decode(rest, Decoding::Segment, &mut out) {
        out.push(b'%');
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    out
}

/// Percent-encodes what a decoded path cannot show as it is.
pub fn encode_path(path: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'%' => bytes.extend_from_slice(b"%25"),
            b'?' => bytes.extend_from_slice(b"%3F"),
            byte => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_all_leaves_no_escape() {
        for (text, expected) in [
            ("", ""),
            ("/a/b", "/a/b"),
            ("%2Fa%2fb", "/a/b"),
            ("%252525252Fa", "/a"),
            ("%25%32%46a", "/a"),
            ("%%32Fa", "/a"),
            ("%2", "%2"),
            ("%%%zz%4", "%%%zz%4"),
        ] {
            assert_eq!(decode_all(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn each_decoding_decodes_its_escapes_once() {
        let cases = [
            ("a%20b", Decoding::Segment, "a b"),
            ("a%2Fb%2fc", Decoding::Segment, "a/b/c"),
            ("a%2Fb%2fc%20d", Decoding::Segments, "a%2Fb%2fc d"),
            ("%252F", Decoding::Segment, "%2F"),
            ("%252F", Decoding::Segments, "%2F"),
            ("a+b", Decoding::Segment, "a+b"),
            ("a+b%2B", Decoding::Query, "a b+"),
            ("", Decoding::Query, ""),
        ];
        for (text, decoding, expected) in cases {
            let mut out = Vec::new();
            assert_eq!(decode(text.as_bytes(), decoding, &mut out), Ok(()), "{text}");
            assert_eq!(String::from_utf8_lossy(&out), expected, "{text} as {decoding:?}");
        }
    }

    #[test]
    fn leniently_everything_is_text() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"a%20b+c", b"a b+c"),
            (b"%", b"%"),
            (b"%4", b"%4"),
            (b"%zz%41", b"%zzA"),
            (b"%%41", b"%A"),
            (b"%2F%2f%00", b"//\0"),
            (b"\xff%ff", b"\xff\xff"),
        ];
        for (text, expected) in cases {
            assert_eq!(decode_lenient(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_path_comes_back_from_its_encoding() {
        for (path, encoded) in [("/a b/c", "/a b/c"), ("/100%", "/100%25"), ("/what?", "/what%3F")] {
            assert_eq!(encode_path(path.as_bytes()), encoded.as_bytes());
            assert_eq!(decode_lenient(encoded.as_bytes()), path.as_bytes());
        }
    }

    #[test]
    fn a_malformed_escape_is_found_where_it_starts() {
        for (text, position) in [("%", 0), ("a%2", 1), ("ab%zz", 2), ("%20%2g", 3), ("%%20", 0)] {
            let mut out = Vec::new();
            assert_eq!(
                decode(text.as_bytes(), Decoding::Segment, &mut out),
                Err(position),
                "{text}"
            );
            assert_eq!(malformed_escape(text.as_bytes()), Some(position), "{text}");
        }
        assert_eq!(malformed_escape(b"a%20%7Eb"), None);
    }
}
