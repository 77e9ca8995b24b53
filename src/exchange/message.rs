//! One message of an answer, as the client gets it: JSON, or the raw bytes of a `google.api.HttpBody`.

use super::failure::Failure;
use super::matched::{Matched, ResponseBody};
use crate::codec::{CodecError, PrintOptions, WireToJson, http_body};
use crate::grpc::metadata;
use crate::http::media_type::OCTET_STREAM;
use crate::wire::{Reader, WireType};

/// Appends a message in wire form to `out`, as JSON.
///
/// # Errors
///
/// 502 where it is malformed, or becomes too long; `out` is then as it was.
pub fn write_json(
    matched: &Matched,
    message: &[u8],
    print: &PrintOptions,
    to_json: &mut WireToJson,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let (tables, output) = (matched.tables(), matched.method().output);
    let limit = matched.plugin.settings.limits.max_response_bytes;
    to_json.limit(limit);
    match matched.route.binding.response_body {
        None => to_json.message(tables, output, message, print, out),
        Some(field) => to_json.field(tables, output, field, message, print, out),
    }
    .map_err(|error| match to_json.has_outgrown() {
        true => Failure::answer_too_large(format!(
            "a message of the response {}, the limit (limits.max_response_bytes)",
            error.message
        )),
        false => malformed(&error),
    })
}

/// Appends the bytes of a `google.api.HttpBody` in wire form to `out`, and replaces `content_type` by their type.
///
/// # Errors
///
/// 502 where it is malformed; `out` is then as it was.
pub fn write_raw(
    matched: &Matched,
    message: &[u8],
    content_type: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    content_type.clear();
    match matched.response_body() {
        ResponseBody::RawField(number) => {
            merged_field(message, number).and_then(|value| copy_http_body(&value, content_type, out))
        }
        _ => copy_http_body(message, content_type, out),
    }
    .map_err(|error| malformed(&error))
}

fn malformed(error: &CodecError) -> Failure {
    Failure::bad_answer(format!("malformed message: {error}"))
}

/// The content type of a raw message of which the beginning has come; `None` while it may still come.
///
/// Serializers write it before the data. Where they don't, it is not waited for: the data may be large.
pub fn content_type_so_far(matched: &Matched, message: &[u8]) -> Option<Vec<u8>> {
    const MAX_WAIT: usize = 4096;
    match raw_content_type(matched, message) {
        None if message.len() < MAX_WAIT => None,
        found => Some(checked_content_type(found.unwrap_or_default()).to_vec()),
    }
}

fn raw_content_type<'m>(matched: &Matched, message: &'m [u8]) -> Option<&'m [u8]> {
    let mut reader = Reader::new(message);
    if let ResponseBody::RawField(number) = matched.response_body() {
        loop {
            match reader.tag().ok()? {
                (found, WireType::Len) if found == number => break,
                (found, wire_type) => reader.skip(found, wire_type, 0).ok()?,
            }
        }
        reader.varint().ok()?;
    }
    match reader.tag().ok()? {
        (http_body::CONTENT_TYPE, WireType::Len) => reader.length_delimited().ok(),
        _ => Some(b""),
    }
}

fn copy_http_body(message: &[u8], content_type: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let body = http_body::read(message)?;
    out.extend_from_slice(body.data);
    content_type.extend_from_slice(checked_content_type(body.content_type));
    Ok(())
}

fn checked_content_type(content_type: &[u8]) -> &[u8] {
    match content_type {
        content_type if !content_type.is_empty() && metadata::is_header_value(content_type) => content_type,
        _ => OCTET_STREAM,
    }
}

/// The wire form of a singular message field: protobuf merges its records, which concatenation does.
fn merged_field(message: &[u8], number: u32) -> Result<Vec<u8>, CodecError> {
    let mut reader = Reader::new(message);
    let mut value = Vec::new();
    while !reader.is_empty() {
        match reader.tag()? {
            (found, WireType::Len) if found == number => value.extend_from_slice(reader.length_delimited()?),
            (found, wire_type) => reader.skip(found, wire_type, 0)?,
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::Plugin;
    use crate::routing::Captures;

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        import "google/api/annotations.proto";
        import "google/api/httpbody.proto";
        service S {
          rpc Whole(M) returns (stream google.api.HttpBody);
          rpc Field(M) returns (stream M) { option (google.api.http) = { post: "/field" body: "*" response_body: "raw" }; }
        }
        message M { string text = 1; google.api.HttpBody raw = 2; }
    "#;

    fn matched(path: &str) -> Matched {
        let configuration = serde_json::json!({ "proto": PROTO, "auto_mapping": true }).to_string();
        let plugin = Rc::new(Plugin::load(configuration.as_bytes(), 0).unwrap());
        let found = Matched::find(&plugin, b"POST", path.as_bytes(), &mut Captures::default());
        found.unwrap().unwrap()
    }

    #[test]
    fn a_content_type_is_known_before_its_message_is_whole() {
        let record = |number: u8, contents: &[u8]| [&[number << 3 | 2, contents.len() as u8], contents].concat();
        let typed = [record(1, b"a/b"), record(2, &[7; 90])].concat();
        let untyped = record(2, &[7; 90]);
        let wrapped = |text: &[u8], raw: &[u8]| [record(1, text), record(2, raw)].concat();
        let unknown = b"application/octet-stream".as_slice();
        // The content type, and after which byte of the message it is known.
        let rows = [
            ("/t.S/Whole", typed.clone(), b"a/b".as_slice(), 5),
            ("/t.S/Whole", untyped.clone(), unknown, 1),
            ("/t.S/Whole", [record(1, b"a\nb"), untyped.clone()].concat(), unknown, 5),
            ("/field", wrapped(b"text", &typed), b"a/b", 6 + 2 + 5),
            ("/field", wrapped(b"text", &untyped), unknown, 6 + 2 + 1),
        ];
        for (path, message, content_type, known) in rows {
            let matched = matched(path);
            for length in 0..message.len() {
                let expected = (length >= known).then_some(content_type);
                let found = content_type_so_far(&matched, &message[..length]);
                assert_eq!(found.as_deref(), expected, "{path}: {length} of {message:?}");
            }
        }
    }

    #[test]
    fn a_content_type_is_not_waited_for_without_end() {
        let matched = matched("/field");
        let text = [&[10, 0xff, 0x7f][..], &[b'x'; 5000]].concat();
        assert_eq!(content_type_so_far(&matched, &text[..1000]), None);
        let found = content_type_so_far(&matched, &text);
        assert_eq!(found.as_deref(), Some(&b"application/octet-stream"[..]));
    }
}
