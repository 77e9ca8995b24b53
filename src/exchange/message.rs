//! One message of an answer, as the client gets it: JSON, or the raw bytes of a `google.api.HttpBody`.

use super::failure::Failure;
use super::matched::{http_body_number, is_http_body};
use crate::codec::{CodecError, PrintOptions, WireToJson, http_body};
use crate::config::Plugin;
use crate::grpc::metadata;
use crate::http::media_type::{JSON, OCTET_STREAM};
use crate::routing::Route;
use crate::schema::tables::Tables;
use crate::wire::{Reader, WireType};

/// The number of `content_type` in `google.api.HttpBody`.
const HTTP_BODY_CONTENT_TYPE: u32 = 1;

/// Appends what the client gets of a message in wire form to `out`, and replaces `content_type` by its type.
///
/// On an error, 502, `out` is as it was.
pub fn write(
    plugin: &Plugin,
    route: &Route,
    message: &[u8],
    print: &PrintOptions,
    to_json: &mut WireToJson,
    content_type: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let tables = &plugin.tables;
    let output = route.method.output;
    content_type.clear();
    let written = match route.binding.response_body {
        None if is_http_body(tables, output) => copy_http_body(message, content_type, out),
        None => {
            content_type.extend_from_slice(JSON);
            to_json.message(tables, output, message, print, out)
        }
        Some(field) => match http_body_number(tables, output, field) {
            Some(number) => merged_field(message, number).and_then(|value| copy_http_body(&value, content_type, out)),
            None => {
                content_type.extend_from_slice(JSON);
                to_json.field(tables, output, field, message, print, out)
            }
        },
    };
    written.map_err(|error| Failure::bad_answer(format!("malformed message: {error}")))
}

/// The content type of a raw message, of which the beginning has come; `None` while it may still come.
///
/// Serializers write it in front of the data. Where they don't, it is not waited for: the data may be large.
pub fn content_type_so_far(tables: &Tables, route: &Route, message: &[u8]) -> Option<Vec<u8>> {
    const MAX_WAIT: usize = 4096;
    let mut reader = Reader::new(message);
    let found = raw_content_type(tables, route, &mut reader);
    match found {
        None if message.len() < MAX_WAIT => None,
        found => Some(checked_content_type(found.unwrap_or_default()).to_vec()),
    }
}

fn raw_content_type<'m>(tables: &Tables, route: &Route, reader: &mut Reader<'m>) -> Option<&'m [u8]> {
    if let Some(field) = route.binding.response_body {
        let number = http_body_number(tables, route.method.output, field)?;
        loop {
            match reader.tag().ok()? {
                (found, WireType::Len) if found == number => break,
                (found, wire_type) => reader.skip(found, wire_type, 0).ok()?,
            }
        }
        reader.varint().ok()?;
    }
    match reader.tag().ok()? {
        (HTTP_BODY_CONTENT_TYPE, WireType::Len) => reader.length_delimited().ok(),
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
    use super::*;
    use crate::routing::{Captures, Match};

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

    #[test]
    fn a_content_type_is_known_before_its_message_is_whole() {
        let plugin = Plugin::load(serde_json::json!({ "proto": PROTO }).to_string().as_bytes(), 0).unwrap();
        let record = |number: u8, contents: &[u8]| [&[number << 3 | 2, contents.len() as u8], contents].concat();
        let typed = [record(1, b"a/b"), record(2, &[7; 90])].concat();
        let untyped = record(2, &[7; 90]);
        let wrapped = |text: &[u8], raw: &[u8]| [record(1, text), record(2, raw)].concat();
        let unknown = b"application/octet-stream".as_slice();
        // The content type, and behind which byte of the message it is known.
        let rows = [
            ("/t.S/Whole", typed.clone(), b"a/b".as_slice(), 5),
            ("/t.S/Whole", untyped.clone(), unknown, 1),
            ("/t.S/Whole", [record(1, b"a\nb"), untyped.clone()].concat(), unknown, 5),
            ("/field", wrapped(b"text", &typed), b"a/b", 6 + 2 + 5),
            ("/field", wrapped(b"text", &untyped), unknown, 6 + 2 + 1),
        ];
        for (path, message, content_type, known) in rows {
            let mut captures = Captures::default();
            let Match::Route(route) = plugin.router.find("POST", path.as_bytes(), &mut captures) else {
                panic!("{path}");
            };
            for length in 0..message.len() {
                let expected = (length >= known).then_some(content_type);
                let found = content_type_so_far(&plugin.tables, route, &message[..length]);
                assert_eq!(found.as_deref(), expected, "{path}: {length} of {message:?}");
            }
        }
    }

    #[test]
    fn a_content_type_is_not_waited_for_without_end() {
        let plugin = Plugin::load(serde_json::json!({ "proto": PROTO }).to_string().as_bytes(), 0).unwrap();
        let Match::Route(route) = plugin.router.find("POST", b"/field", &mut Captures::default()) else {
            panic!("no route");
        };
        let text = [&[10, 0xff, 0x7f][..], &[b'x'; 5000]].concat();
        assert_eq!(content_type_so_far(&plugin.tables, route, &text[..1000]), None);
        let found = content_type_so_far(&plugin.tables, route, &text);
        assert_eq!(found.as_deref(), Some(&b"application/octet-stream"[..]));
    }
}
