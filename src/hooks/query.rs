//! A query as Go's `net/url` has it (`ParseQuery`, `Values.Encode`).

use super::pairs::{Pairs, sort};
use crate::text::percent::{Decoding, decode};

/// Reads a query: names and values, decoded, in the order of the names, and the values of a name in theirs. What is
/// malformed isn't there: a pair with a semicolon in it, or with an escape that is none.
pub fn parse(query: &[u8]) -> Pairs<'static> {
    let mut values = Pairs::new();
    for pair in query.split(|byte| *byte == b'&') {
        if pair.is_empty() || pair.contains(&b';') {
            continue;
        }
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let mut part = || {
            let mut decoded = Vec::new();
            let encoded = parts.next().unwrap_or_default();
            decode(encoded, Decoding::Query, &mut decoded)
                .is_ok()
                .then_some(decoded)
        };
        if let (Some(name), Some(value)) = (part(), part()) {
            values.push((name.into(), value.into()));
        }
    }
    sort(&mut values);
    values
}

/// Writes a query, with `+` for spaces.
pub fn encode(values: &Pairs<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in values {
        if !out.is_empty() {
            out.push(b'&');
        }
        escape(name, &mut out);
        out.push(b'=');
        escape(value, &mut out);
    }
    out
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            byte => append_escape(*byte, out),
        }
    }
}

/// Appends the percent-escape of a byte.
pub fn append_escape(byte: u8, out: &mut Vec<u8>) {
    let digit = |value: u8| match value {
        0..=9 => b'0' + value,
        _ => b'A' + value - 10,
    };
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
}
