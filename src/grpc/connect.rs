//! The Connect protocol, as far as Envoy's bridge speaks it with this filter: a unary request in a path, and an error as
//! JSON.
//!
//! Sources: the protocol's specification, "Unary-Get-Request" and "Error codes"; Envoy's `connect_grpc_bridge`, which
//! knows a request by less than that.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::code::Code;
use super::status::{Status, decode_message};
use crate::text::base64::STANDARD;
use crate::text::percent::decode_lenient;
use crate::wire::write_record;

/// The header by which a request without a query says that it is one.
pub const VERSION_HEADER: &str = "connect-protocol-version";

/// What it says.
pub const VERSION: &[u8] = b"1";

/// The content-type of a message.
pub const MESSAGE: &[u8] = b"application/proto";

/// Whether the protocol keeps a header for itself.
pub fn is_reserved(name: &[u8]) -> bool {
    name.starts_with(b"connect-")
}

/// What the name begins with of a header that holds trailing metadata.
pub const TRAILER: &[u8] = b"trailer-";

/// The `:path` of a GET that calls the method at `path` with this message.
pub fn get(path: &str, message: &[u8]) -> String {
    const QUERY: &str = "?connect=v1&encoding=proto&base64=1&message=";
    let length = message.len().div_ceil(3).saturating_mul(4);
    let mut target = String::with_capacity(path.len() + QUERY.len() + length);
    target.push_str(path);
    target.push_str(QUERY);
    URL_SAFE_NO_PAD.encode_string(message, &mut target);
    target
}

/// Whether a request with this query may be taken for such a GET, whatever its method.
pub fn is_get(query: &[u8]) -> bool {
    query.split(|byte| *byte == b'&').any(|parameter| {
        let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
        decode_lenient(name) == b"connect"
    })
}

/// Whether `content_type` is of messages that stream.
pub fn is_stream(content_type: &[u8]) -> bool {
    const STREAM: &[u8] = b"application/connect+";
    let beginning = content_type.get(..STREAM.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(STREAM))
}

/// The status that the body of an error holds; `None`: it is no such body.
///
/// The bridge leaves the message percent-encoded, as it was in `grpc-message`. Details that cannot be read are left out.
pub fn read_error(body: &[u8]) -> Option<Status> {
    let error: Value = serde_json::from_slice(body).ok()?;
    let code = code(error.get("code")?.as_str()?)?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut status = Status::new(code, decode_message(message.as_bytes()));
    for detail in error.get("details").and_then(Value::as_array).into_iter().flatten() {
        if let Some(any) = any(detail) {
            status = status.with_detail(&any);
        }
    }
    Some(status)
}

/// The code of a name. What the bridge has no name for is `code_17`.
fn code(name: &str) -> Option<Code> {
    match name {
        "canceled" => Some(Code::Cancelled),
        name if name.starts_with("code_") => Some(Code::Unknown),
        name => (1..=16)
            .map(Code::from_number)
            .find(|code| code.name().eq_ignore_ascii_case(name)),
    }
}

/// A detail as a `google.protobuf.Any` in wire form. Of its type the bridge keeps what is behind the last slash.
fn any(detail: &Value) -> Option<Vec<u8>> {
    let name = detail.get("type")?.as_str()?;
    let value = detail.get("value").map_or(Some(""), Value::as_str)?;
    let value = STANDARD.decode(value).ok()?;
    let mut any = Vec::with_capacity(name.len() + value.len() + 32);
    match name.contains('/') {
        true => write_record(1, name.as_bytes(), &mut any),
        false => write_record(1, format!("type.googleapis.com/{name}").as_bytes(), &mut any),
    }
    write_record(2, &value, &mut any);
    Some(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_the_query_of_a_get() {
        for (message, encoded) in [
            (&b""[..], ""),
            (b"\x08", "CA"),
            (b"\x08\x05", "CAU"),
            (b"\xfb\xff\xfe", "-__-"),
        ] {
            let expected = format!("/a.B/C?connect=v1&encoding=proto&base64=1&message={encoded}");
            let target = get("/a.B/C", message);
            assert_eq!(target, expected);
            let (_, query) = target.split_once('?').unwrap();
            assert!(is_get(query.as_bytes()), "{query}");
        }
    }

    #[test]
    fn a_get_is_known_by_one_parameter_however_it_is_spelt() {
        for (query, expected) in [
            ("connect=v1", true),
            ("a=b&connect=v1", true),
            ("c%6fnnect=v1", true),
            ("%63onnect=%761", true),
            ("connect", true),
            ("connect=v2", true),
            ("", false),
            ("connects=v1", false),
            ("x=connect", false),
            ("Connect=v1", false),
            ("message=AA&base64=1", false),
            ("%zz=1", false),
        ] {
            assert_eq!(is_get(query.as_bytes()), expected, "{query}");
        }
    }

    #[test]
    fn headers_and_streams_are_known_by_their_beginning() {
        assert!(is_reserved(b"connect-timeout-ms") && is_reserved(b"connect-protocol-version"));
        assert!(!is_reserved(b"connect") && !is_reserved(b"connection") && !is_reserved(b"x-connect-a"));
        assert!(is_stream(b"application/connect+proto") && is_stream(b"Application/Connect+json"));
        assert!(!is_stream(b"application/connect") && !is_stream(b"application/json"));
    }

    #[test]
    fn an_error_is_a_status() {
        let table = [
            (r#"{"code":"not_found"}"#, Some((Code::NotFound, ""))),
            (r#"{"code":"canceled","message":"m"}"#, Some((Code::Cancelled, "m"))),
            (
                r#"{"code":"unauthenticated","message":""}"#,
                Some((Code::Unauthenticated, "")),
            ),
            (
                r#"{"message":"caf%C3%A9 100%25","code":"internal"}"#,
                Some((Code::Internal, "café 100%")),
            ),
            (r#"{"code":"code_17","message":"odd"}"#, Some((Code::Unknown, "odd"))),
            (r#"{"code":"ok"}"#, None),
            (r#"{"code":"odd"}"#, None),
            (r#"{"code":5,"message":"m"}"#, None),
            (r#"{"message":"m"}"#, None),
            (r#"[]"#, None),
            (r#"{"code":"#, None),
            ("", None),
        ];
        for (body, expected) in table {
            let status = read_error(body.as_bytes());
            let found = status.as_ref().map(|status| (status.code, status.message.as_str()));
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn every_code_has_a_name() {
        for number in 1..=16 {
            let code = Code::from_number(number);
            let name = match code {
                Code::Cancelled => "canceled".to_owned(),
                code => code.name().to_ascii_lowercase(),
            };
            let status = read_error(format!(r#"{{"code":"{name}"}}"#).as_bytes());
            assert_eq!(status.map(|status| status.code), Some(code), "{name}");
        }
    }

    #[test]
    fn details_are_messages_of_any_type() {
        let body = r#"{"code":"aborted","details":[
            {"type":"a.B","value":"CAU"}, {"type":"x.test/a.B","value":"CAU="}, {"type":"a.C"},
            {"type":"a.D","value":"***"}, {"value":"CAU"}, 5]}"#;
        let status = read_error(body.as_bytes()).unwrap();
        let details: Vec<_> = status.details().collect();
        let any = |name: &str, value: &[u8]| {
            let mut any = Vec::new();
            write_record(1, name.as_bytes(), &mut any);
            write_record(2, value, &mut any);
            any
        };
        let expected = [
            any("type.googleapis.com/a.B", b"\x08\x05"),
            any("x.test/a.B", b"\x08\x05"),
            any("type.googleapis.com/a.C", b""),
        ];
        assert_eq!(details, expected);
    }
}
