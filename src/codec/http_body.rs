//! `google.api.HttpBody`: raw bytes with a content type, instead of JSON, either way.
//!
//! Source: google/api/httpbody.proto. Its third field, `extensions`, is neither written nor read.

use crate::codec::error::CodecError;
use crate::wire::{Reader, WireType, write_record};

/// The full name of the message.
pub const FULL_NAME: &str = "google.api.HttpBody";

/// The number of its field `content_type`.
pub const CONTENT_TYPE: u32 = 1;
/// The number of its field `data`.
pub const DATA: u32 = 2;

/// What an `HttpBody` holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpBody<'w> {
    /// The value of the `content-type` header; empty when the sender gave none.
    pub content_type: &'w [u8],
    /// The body.
    pub data: &'w [u8],
}

/// Appends the contents of an `HttpBody`, without a tag or a length around them.
///
/// `content_type` must be UTF-8 for the receiver to take it: the field is a string.
pub fn write(content_type: &[u8], data: &[u8], out: &mut Vec<u8>) {
    for (number, value) in [(CONTENT_TYPE, content_type), (DATA, data)] {
        if !value.is_empty() {
            write_record(number, value, out);
        }
    }
}

/// Reads an `HttpBody`; of a field that comes more than once, the last.
///
/// # Errors
///
/// When `wire` is not wire format.
pub fn read(wire: &[u8]) -> Result<HttpBody<'_>, CodecError> {
    let mut body = HttpBody::default();
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        match reader.tag()? {
            (CONTENT_TYPE, WireType::Len) => body.content_type = reader.length_delimited()?,
            (DATA, WireType::Len) => body.data = reader.length_delimited()?,
            (number, wire_type) => reader.skip(number, wire_type, 0)?,
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_it_was_written() {
        for (content_type, data) in [
            (&b"text/plain"[..], &b"\x00\xff"[..]),
            (b"", b"x"),
            (b"a/b", b""),
            (b"", b""),
        ] {
            let mut wire = Vec::new();
            write(content_type, data, &mut wire);
            assert_eq!(read(&wire), Ok(HttpBody { content_type, data }));
        }
    }

    #[test]
    fn the_last_of_each_field_counts_and_other_fields_are_passed_over() {
        let mut wire = Vec::new();
        write(b"a/b", b"first", &mut wire);
        wire.extend([0x1a, 2, 0x0a, 0, 0x20, 7]);
        write(b"", b"second", &mut wire);
        let body = read(&wire).unwrap();
        assert_eq!((body.content_type, body.data), (&b"a/b"[..], &b"second"[..]));
    }

    #[test]
    fn broken_wire_is_an_error() {
        for wire in [&[0x0a, 5, b'x'][..], &[0x12], &[0x00], &[0x14], &[0x0f]] {
            assert!(read(wire).is_err(), "{wire:x?}");
        }
    }
}
