//! JSON to protobuf wire format and back, in one pass over the message tables, with no tree in between.

mod bound;
mod error;
pub mod http_body;
mod lanes;
mod options;
#[cfg(test)]
mod random_schema;
mod required;
mod room;
mod span;
mod text_to_wire;
mod to_json;
mod to_wire;
mod well_known;

pub use bound::{BoundField, Present};
pub use error::CodecError;
pub use options::{NullMessage, ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields};
pub use required::check_required;
pub use text_to_wire::{has_text_form, text_to_wire};
pub use to_json::WireToJson;
pub use to_wire::{JsonInput, JsonToWire};
