//! The JSON body of an error, in each format, and the detail that names the field of a request that is wrong.
//!
//! Which errors there are, and what else belongs to their HTTP responses, is decided where replies are made; this
//! writes the body alone.

use super::status::Status;
use crate::http::media_type::{JSON, PROBLEM};
use crate::wire::write_record;

/// The shape of an error body (`errors: { format }` in the plugin configuration).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `google.rpc.Status` in ProtoJSON: `{"code":5,"message":"…","details":[…]}`. As ProtoJSON does, it leaves out an
    /// empty message and an empty list.
    #[default]
    Status,
    /// AIP-193: `{"error":{"code":404,"status":"NOT_FOUND","message":"…","details":[…]}}`. The code is the HTTP
    /// status. Only an empty list of details is left out.
    Google,
    /// RFC 9457: `{"type":"about:blank","title":"NOT_FOUND","status":404,"detail":"…","code":5,"details":[…]}`. The status
    /// is the HTTP status; code and details are those of `google.rpc.Status`. An empty message and an empty list are left
    /// out.
    Problem,
}

impl ErrorFormat {
    /// The content-type of a response whose body is an error.
    pub fn content_type(self) -> &'static [u8] {
        match self {
            Self::Status | Self::Google => JSON,
            Self::Problem => PROBLEM,
        }
    }
}

/// Appends the error body for `status` to `out`: JSON without whitespace.
///
/// `http_status` is the one that goes out with the body. `print_detail` appends the JSON of one
/// `google.protobuf.Any`, given in wire form, and returns whether it could; a detail that it couldn't is left out.
pub fn write_error(
    status: &Status,
    http_status: u16,
    format: ErrorFormat,
    out: &mut Vec<u8>,
    mut print_detail: impl FnMut(&[u8], &mut Vec<u8>) -> bool,
) {
    let start = out.len();
    match format {
        ErrorFormat::Status => {
            out.extend_from_slice(b"{\"code\":");
            out.extend_from_slice(itoa::Buffer::new().format(status.code.number()).as_bytes());
            if !status.message.is_empty() {
                write_text(b",\"message\":", &status.message, out);
            }
            write_details(status, out, &mut print_detail);
            out.push(b'}');
        }
        ErrorFormat::Google => {
            out.extend_from_slice(b"{\"error\":{\"code\":");
            out.extend_from_slice(itoa::Buffer::new().format(http_status).as_bytes());
            out.extend_from_slice(b",\"status\":\"");
            out.extend_from_slice(status.code.name().as_bytes());
            out.push(b'"');
            write_text(b",\"message\":", &status.message, out);
            write_details(status, out, &mut print_detail);
            out.extend_from_slice(b"}}");
        }
        ErrorFormat::Problem => {
            out.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":\"");
            out.extend_from_slice(status.code.name().as_bytes());
            out.extend_from_slice(b"\",\"status\":");
            out.extend_from_slice(itoa::Buffer::new().format(http_status).as_bytes());
            if !status.message.is_empty() {
                write_text(b",\"detail\":", &status.message, out);
            }
            out.extend_from_slice(b",\"code\":");
            out.extend_from_slice(itoa::Buffer::new().format(status.code.number()).as_bytes());
            write_details(status, out, &mut print_detail);
            out.push(b'}');
        }
    }
    escape_controls(start, out);
}

/// Escapes what JSON leaves as it is and a terminal, or a log, may obey: U+007F to U+009F. In JSON they are nowhere but in
/// strings.
fn escape_controls(start: usize, out: &mut Vec<u8>) {
    let written = out.get(start..).unwrap_or_default();
    let is_control = |text: &[u8]| matches!(text, [0x7f, ..] | [0xc2, 0x80..=0x9f, ..]);
    let mut candidates = memchr::memchr2_iter(0x7f, 0xc2, written);
    if !candidates.any(|at| written.get(at..).is_some_and(is_control)) {
        return;
    }
    let written = out.split_off(start);
    let mut rest = written.as_slice();
    while let [byte, after @ ..] = rest {
        let (code, behind) = match rest {
            [0x7f, behind @ ..] => (0x7f, behind),
            [0xc2, code @ 0x80..=0x9f, behind @ ..] => (*code, behind),
            _ => {
                out.push(*byte);
                rest = after;
                continue;
            }
        };
        out.extend_from_slice(format!("\\u{code:04x}").as_bytes());
        rest = behind;
    }
}

fn write_text(member: &[u8], text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(member);
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

fn write_details(status: &Status, out: &mut Vec<u8>, print_detail: &mut impl FnMut(&[u8], &mut Vec<u8>) -> bool) {
    let mut open = false;
    for detail in status.details() {
        let before = out.len();
        out.extend_from_slice(if open { b"," } else { b",\"details\":[" });
        if print_detail(detail, out) {
            open = true;
        } else {
            out.truncate(before);
        }
    }
    if open {
        out.push(b']');
    }
}

/// A `google.rpc.BadRequest` with one field violation, as a `google.protobuf.Any` in wire form.
///
/// `field` is the path of the field in the request message, `description` says what was found and what was expected.
pub fn bad_request(field: &str, description: &str) -> Vec<u8> {
    let mut violation = Vec::with_capacity(field.len() + description.len() + 8);
    for (number, text) in [(1, field), (2, description)] {
        // An empty string is the default value, and has no record.
        if !text.is_empty() {
            write_record(number, text.as_bytes(), &mut violation);
        }
    }
    let mut message = Vec::with_capacity(violation.len() + 4);
    write_record(1, &violation, &mut message);
    let mut any = Vec::with_capacity(message.len() + BAD_REQUEST.len() + 8);
    write_record(1, BAD_REQUEST.as_bytes(), &mut any);
    write_record(2, &message, &mut any);
    any
}

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

#[cfg(test)]
mod tests {
    use prost_types::Any;

    use super::*;
    use crate::grpc::code::Code;

    /// Prints a detail as a JSON string, and fails in the middle of `bad`.
    fn quote(detail: &[u8], out: &mut Vec<u8>) -> bool {
        out.push(b'"');
        if detail == b"bad" {
            return false;
        }
        out.extend_from_slice(detail);
        out.push(b'"');
        true
    }

    fn body(status: &Status, format: ErrorFormat) -> String {
        let mut out = Vec::new();
        write_error(status, status.code.http_status(), format, &mut out, quote);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_format_holds_code_message_and_details() {
        let plain = Status::new(Code::NotFound, "no such book");
        let one = plain.clone().with_detail(b"a");
        let table = [
            (
                plain.clone(),
                r#"{"code":5,"message":"no such book"}"#,
                r#"{"error":{"code":404,"status":"NOT_FOUND","message":"no such book"}}"#,
                r#"{"type":"about:blank","title":"NOT_FOUND","status":404,"detail":"no such book","code":5}"#,
            ),
            (
                one.clone(),
                r#"{"code":5,"message":"no such book","details":["a"]}"#,
                r#"{"error":{"code":404,"status":"NOT_FOUND","message":"no such book","details":["a"]}}"#,
                r#"{"type":"about:blank","title":"NOT_FOUND","status":404,"detail":"no such book","code":5,"details":["a"]}"#,
            ),
            (
                one.with_detail(b"b"),
                r#"{"code":5,"message":"no such book","details":["a","b"]}"#,
                r#"{"error":{"code":404,"status":"NOT_FOUND","message":"no such book","details":["a","b"]}}"#,
                r#"{"type":"about:blank","title":"NOT_FOUND","status":404,"detail":"no such book","code":5,"details":["a","b"]}"#,
            ),
            (
                Status::new(Code::Internal, ""),
                r#"{"code":13}"#,
                r#"{"error":{"code":500,"status":"INTERNAL","message":""}}"#,
                r#"{"type":"about:blank","title":"INTERNAL","status":500,"code":13}"#,
            ),
        ];
        for (status, expected, expected_google, expected_problem) in table {
            assert_eq!(body(&status, ErrorFormat::Status), expected);
            assert_eq!(body(&status, ErrorFormat::Google), expected_google);
            assert_eq!(body(&status, ErrorFormat::Problem), expected_problem);
        }
    }

    #[test]
    fn a_detail_that_cannot_be_printed_is_left_out() {
        let status = Status::new(Code::Aborted, "");
        for (details, expected) in [
            (vec!["bad"], r#"{"code":10}"#),
            (vec!["bad", "a"], r#"{"code":10,"details":["a"]}"#),
            (vec!["a", "bad", "b"], r#"{"code":10,"details":["a","b"]}"#),
            (vec!["a", "bad"], r#"{"code":10,"details":["a"]}"#),
        ] {
            let status = details
                .iter()
                .fold(status.clone(), |status, detail| status.with_detail(detail.as_bytes()));
            assert_eq!(body(&status, ErrorFormat::Status), expected);
        }
    }

    #[test]
    fn messages_are_escaped() {
        let message = "\"quoted\" \\ \r\n\0 \u{7f}\u{80}\u{9b}\u{9f}\u{a0} é \u{2028}";
        for format in [ErrorFormat::Status, ErrorFormat::Google, ErrorFormat::Problem] {
            let body = body(&Status::new(Code::Unknown, message), format);
            assert!(!body.chars().any(char::is_control), "{body:?}");
            let value: serde_json::Value = serde_json::from_str(&body).unwrap();
            let error = value.get("error").unwrap_or(&value);
            let member = if format == ErrorFormat::Problem {
                "detail"
            } else {
                "message"
            };
            assert_eq!(error[member], message);
        }
    }

    #[test]
    fn details_are_escaped_too() {
        let status = Status::new(Code::Unknown, "").with_detail("a\u{85}\u{7f}b".as_bytes());
        assert_eq!(
            body(&status, ErrorFormat::Status),
            r#"{"code":2,"details":["a\u0085\u007fb"]}"#
        );
    }

    #[test]
    fn what_was_there_before_is_left_alone() {
        let mut out = "\u{85}".as_bytes().to_vec();
        let status = Status::new(Code::Unknown, "\u{85}");
        write_error(&status, 500, ErrorFormat::Status, &mut out, quote);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\u{85}{\"code\":2,\"message\":\"\\u0085\"}"
        );
    }

    #[test]
    fn the_http_status_in_a_body_is_the_one_sent() {
        for (format, expected) in [
            (
                ErrorFormat::Google,
                r#"{"error":{"code":405,"status":"UNIMPLEMENTED","message":"use POST"}}"#,
            ),
            (
                ErrorFormat::Problem,
                r#"{"type":"about:blank","title":"UNIMPLEMENTED","status":405,"detail":"use POST","code":12}"#,
            ),
        ] {
            let mut out = Vec::new();
            let status = Status::new(Code::Unimplemented, "use POST");
            write_error(&status, 405, format, &mut out, quote);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_bad_request_is_an_any_that_protobuf_reads() {
        let any = <Any as prost::Message>::decode(bad_request("book.title", "found 5").as_slice()).unwrap();
        assert_eq!(any.type_url, "type.googleapis.com/google.rpc.BadRequest");
        assert_eq!(any.value, b"\x0a\x15\x0a\x0abook.title\x12\x07found 5");
        let any = <Any as prost::Message>::decode(bad_request("", "found 5").as_slice()).unwrap();
        assert_eq!(any.value, b"\x0a\x09\x12\x07found 5");
    }
}
