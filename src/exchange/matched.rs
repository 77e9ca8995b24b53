//! A request that has found its method: what its bodies hold.

use crate::codec::http_body;
use crate::routing::{Body, Route};
use crate::schema::tables::{Cardinality, FieldIndex, Kind, MessageIndex, Tables};

/// What a bound request body holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    Json,
    /// `google.api.HttpBody`: the bytes as they are.
    Raw,
}

pub fn body_type(tables: &Tables, route: &Route) -> BodyType {
    let input = route.method.input;
    let raw = match route.binding.body {
        Body::None => false,
        Body::Whole => is_http_body(tables, input),
        Body::Field(field) => http_body_number(tables, input, field).is_some(),
    };
    if raw { BodyType::Raw } else { BodyType::Json }
}

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
