//! The outcome of a call, from the trailing metadata that carry it.

use std::fmt;

use base64::Engine as _;

use super::code::Code;
use crate::text::base64::{STANDARD, URL_SAFE};
use crate::text::percent::decode_lenient;
use crate::text::shown::{HEADER, beginning};
use crate::wire::{Reader, WireError, WireType, write_record};

/// The outcome of a call: the upstream's, or an error of the filter's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code.
    pub code: Code,
    /// For developers, in the upstream's words. May hold any character: it belongs into a body, never into a header.
    pub message: String,
    /// A `google.rpc.Status` in wire form, of which only field 3, `details`, counts. Always well-formed.
    details: Vec<u8>,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// Reads the three values that end a call (`doc/PROTOCOL-HTTP2.md`, "Responses"): `grpc-status`, `grpc-message`
    /// and `grpc-status-details-bin`, each as it stands in the trailing metadata.
    ///
    /// Code and message are those of the headers, whatever the details say. Details that cannot be read are left out:
    /// they explain an error, and the error itself is known.
    pub fn from_trailers(
        grpc_status: Option<&[u8]>,
        grpc_message: Option<&[u8]>,
        details_bin: Option<&[u8]>,
    ) -> Result<Self, BadStatus> {
        Ok(Self {
            code: parse_code(grpc_status.ok_or(BadStatus::Missing)?)?,
            message: decode_message(grpc_message.unwrap_or_default()),
            details: details_bin.and_then(decode_details).unwrap_or_default(),
        })
    }

    /// Adds one detail, a `google.protobuf.Any` in wire form.
    #[must_use]
    pub fn with_detail(mut self, any: &[u8]) -> Self {
        write_record(DETAILS, any, &mut self.details);
        self
    }

    /// The details in their order: each a `google.protobuf.Any` in wire form, which may itself be malformed.
    pub fn details(&self) -> impl Iterator<Item = &[u8]> {
        // `details` is well-formed, so no error cuts the iteration short.
        Details(Reader::new(&self.details)).map_while(Result::ok)
    }
}

/// Walks over the details in a `google.rpc.Status`; ends after the first error.
struct Details<'w>(Reader<'w>);

impl<'w> Iterator for Details<'w> {
    type Item = Result<&'w [u8], WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let record = self.0.tag().and_then(|tag| match tag {
                (DETAILS, WireType::Len) => self.0.length_delimited().map(Some),
                (number, wire_type) => self.0.skip(number, wire_type, 1).map(|()| None),
            });
            match record {
                Ok(Some(detail)) => return Some(Ok(detail)),
                Ok(None) => {}
                Err(error) => {
                    self.0 = Reader::new(&[]);
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// The number of `google.rpc.Status.details`.
const DETAILS: u32 = 3;

/// Why trailing metadata are no status. To the client it is 502, UNAVAILABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadStatus {
    /// There is no `grpc-status`.
    Missing,
    /// `grpc-status` is not a number; its beginning, as text.
    NotANumber(String),
}

impl fmt::Display for BadStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no grpc-status"),
            Self::NotANumber(found) => write!(f, "grpc-status is {found:?}, expected a number"),
        }
    }
}

impl std::error::Error for BadStatus {}

fn parse_code(value: &[u8]) -> Result<Code, BadStatus> {
    // The most common one first.
    if value == b"0" {
        return Ok(Code::Ok);
    }
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        let value = String::from_utf8_lossy(value);
        return Err(BadStatus::NotANumber(beginning(&value, HEADER).0.to_owned()));
    }
    // A number that no i64 holds is outside 0 to 16 as well.
    let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    Ok(number.map_or(Code::Unknown, Code::from_number))
}

/// The text of a `grpc-message`: percent-encoded UTF-8. As the specification asks, what is malformed is kept rather
/// than lost: an invalid escape stands for itself, invalid UTF-8 becomes U+FFFD.
pub fn decode_message(encoded: &[u8]) -> String {
    String::from_utf8(decode_lenient(encoded))
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The text of a `grpc-message`, which [`decode_message`] reads.
pub fn encode_message(message: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            // Writing into a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// The `google.rpc.Status` in a `grpc-status-details-bin`, if it is base64 and well-formed.
fn decode_details(value: &[u8]) -> Option<Vec<u8>> {
    // The specification has the standard alphabet; some servers write the other one.
    let engine = if value.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let details = engine.decode(value).ok()?;
    Details(Reader::new(&details))
        .all(|detail| detail.is_ok())
        .then_some(details)
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    /// Code 5, message "other", then the details `ab` and `\xfb\xff`: both alphabets differ on it.
    const DETAILS_WIRE: &[u8] = b"\x08\x05\x12\x05other\x1a\x02ab\x1a\x02\xfb\xff";

    #[test]
    fn the_status_is_a_number_or_an_error() {
        let not_a_number = |text: &str| Err(BadStatus::NotANumber(text.to_owned()));
        type Case<'a> = (Option<&'a [u8]>, Result<Code, BadStatus>);
        let table: [Case<'_>; 14] = [
            (None, Err(BadStatus::Missing)),
            (Some(b"0"), Ok(Code::Ok)),
            (Some(b"5"), Ok(Code::NotFound)),
            (Some(b"05"), Ok(Code::NotFound)),
            (Some(b"16"), Ok(Code::Unauthenticated)),
            (Some(b"17"), Ok(Code::Unknown)),
            (Some(b"-1"), Ok(Code::Unknown)),
            (Some(b"99999999999999999999999"), Ok(Code::Unknown)),
            (Some(b""), not_a_number("")),
            (Some(b"-"), not_a_number("-")),
            (Some(b"+5"), not_a_number("+5")),
            (Some(b"5.0"), not_a_number("5.0")),
            (Some(b"NOT_FOUND"), not_a_number("NOT_FOUND")),
            (Some(b"5\xff"), not_a_number("5\u{fffd}")),
        ];
        for (value, expected) in table {
            let status = Status::from_trailers(value, None, None);
            assert_eq!(status.map(|status| status.code), expected, "{value:?}");
        }
    }

    #[test]
    fn a_bad_status_is_named_and_cut() {
        let error = Status::from_trailers(Some(&[b'x'; 5000]), None, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("grpc-status is \"{}\", expected a number", "x".repeat(HEADER))
        );
    }

    #[test]
    fn messages_are_percent_decoded_and_nothing_malformed_is_lost() {
        let table: [(&[u8], &str); 12] = [
            (b"", ""),
            (b"no such book", "no such book"),
            (b"100%25", "100%"),
            (b"caf%C3%A9 %e2%82%ac", "café €"),
            (b"line%0Abreak%00", "line\nbreak\0"),
            (b"%", "%"),
            (b"50%", "50%"),
            (b"%4", "%4"),
            (b"%zz%41", "%zzA"),
            (b"%%41", "%A"),
            (b"%ff%C3", "\u{fffd}\u{fffd}"),
            ("raw é".as_bytes(), "raw é"),
        ];
        for (encoded, decoded) in table {
            assert_eq!(decode_message(encoded), decoded, "{encoded:?}");
            assert_eq!(
                decode_message(encode_message(decoded).as_bytes()),
                decoded,
                "{decoded:?}"
            );
        }
    }

    #[test]
    fn code_and_message_of_the_headers_win_over_those_of_the_details() {
        let details = BASE64_STANDARD.encode(DETAILS_WIRE);
        let status = Status::from_trailers(Some(b"3"), Some(b"mine"), Some(details.as_bytes())).unwrap();
        assert_eq!((status.code, status.message.as_str()), (Code::InvalidArgument, "mine"));
        let status = Status::from_trailers(Some(b"3"), None, Some(details.as_bytes())).unwrap();
        assert_eq!(status.message, "");
    }

    #[test]
    fn details_are_read_in_either_alphabet_padded_or_not() {
        for encoded in [
            BASE64_STANDARD.encode(DETAILS_WIRE),
            BASE64_STANDARD_NO_PAD.encode(DETAILS_WIRE),
            BASE64_URL_SAFE_NO_PAD.encode(DETAILS_WIRE),
        ] {
            let status = Status::from_trailers(Some(b"5"), None, Some(encoded.as_bytes())).unwrap();
            let details: Vec<_> = status.details().collect();
            assert_eq!(details, [b"ab".as_slice(), b"\xfb\xff"], "{encoded}");
        }
    }

    #[test]
    fn broken_details_are_dropped_and_the_status_stays() {
        let cut = BASE64_STANDARD.encode(&DETAILS_WIRE[..DETAILS_WIRE.len() - 1]);
        let trailing_tag = BASE64_STANDARD.encode(b"\x1a\x02ab\x1a");
        for broken in [
            cut.as_str(),
            trailing_tag.as_str(),
            "***",
            "A",
            "GgJhYg==GgJhYg==",
            "\u{e9}",
        ] {
            let status = Status::from_trailers(Some(b"5"), Some(b"gone"), Some(broken.as_bytes())).unwrap();
            assert_eq!(status, Status::new(Code::NotFound, "gone"), "{broken}");
        }
    }

    #[test]
    fn details_of_another_wire_type_and_unknown_fields_are_passed_over() {
        let encoded = BASE64_STANDARD.encode(b"\x18\x01\x1a\x01a\x7b\x1a\x01x\x7c\x1a\x00");
        let status = Status::from_trailers(Some(b"5"), None, Some(encoded.as_bytes())).unwrap();
        assert_eq!(status.details().collect::<Vec<_>>(), [b"a".as_slice(), b""]);
    }

    #[test]
    fn details_can_be_added() {
        let long = [7; 200];
        let status = Status::new(Code::Internal, "x").with_detail(b"one").with_detail(&long);
        assert_eq!(status.details().collect::<Vec<_>>(), [b"one".as_slice(), &long]);
    }
}
