//! One message of an answer, as the client gets it: JSON, or the raw bytes of a `google.api.HttpBody`.

use super::JSON;
use super::reply::Failure;
use crate::codec::wire::Reader;
use crate::codec::{CodecError, PrintOptions, WireToJson, http_body};
use crate::config::Plugin;
use crate::grpc::metadata;
use crate::routing::Route;
use crate::schema::tables::{Cardinality, FieldIndex, Kind, MessageIndex, Tables, WireType};

/// The content-type of raw bytes that say none, or have not said it yet.
pub const OCTET_STREAM: &[u8] = b"application/octet-stream";

/// Whether the messages of `route` go to the client as raw bytes.
pub fn is_raw(tables: &Tables, route: &Route) -> bool {
    let output = route.method.output;
    match route.binding.response_body {
        None => is_http_body(tables, output),
        Some(field) => http_body_number(tables, output, field).is_some(),
    }
}

/// Whether `message` is `google.api.HttpBody`.
pub fn is_http_body(tables: &Tables, message: MessageIndex) -> bool {
    tables.message(message).full_name() == http_body::FULL_NAME
}

/// The number of `field`, if it is a `google.api.HttpBody`.
pub fn http_body_number(tables: &Tables, message: MessageIndex, field: FieldIndex) -> Option<u32> {
    let field = tables.message(message).field(field)?;
    match (field.kind, field.cardinality) {
        (Kind::Message(below), Cardinality::Singular) if is_http_body(tables, below) => Some(field.number),
        _ => None,
    }
}

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
    written.map_err(|error| Failure::bad_answer(format!("malformed {}: {error}", tables.message(output).full_name())))
}

fn copy_http_body(message: &[u8], content_type: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let body = http_body::read(message)?;
    out.extend_from_slice(body.data);
    content_type.extend_from_slice(match body.content_type {
        content_type if !content_type.is_empty() && metadata::is_header_value(content_type) => content_type,
        _ => OCTET_STREAM,
    });
    Ok(())
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
