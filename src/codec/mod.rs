//! JSON to protobuf wire format and back, in one pass over the message tables, with no tree in between.
//!
//! A request takes these ways to wire format, each appending to one buffer:
//!
//! - `to_wire`: a body, or one field of it, by [`JsonToWire`];
//! - `text_to_wire`: a path capture or a query parameter, by [`text_to_wire()`];
//! - [`http_body`]: raw bytes.
//!
//! `required` checks the finished message, by [`check_required`]. An answer takes one way back: `to_json`, by
//! [`WireToJson`], or again `http_body`.
//!
//! What they share:
//!
//! - `options`: how JSON is read and written. `bound`: the fields that the path binds. `error`: what went wrong.
//! - `well_known`: what Timestamp and Duration may hold.
//! - `lanes`: many bytes looked at in one step. `room`: an estimate of the output's length. `span`: a range of wire
//!   bytes.
//!
//! Files of this folder import from each other directly, not from here.

mod bound;
mod error;
pub mod http_body;
mod lanes;
mod options;
#[cfg(test)]
pub(crate) mod random_messages;
#[cfg(test)]
pub(crate) mod random_schema;
mod required;
mod room;
#[cfg(test)]
pub(crate) mod single_records;
mod span;
mod text_to_wire;
mod to_json;
mod to_wire;
mod well_known;

pub use bound::{BoundField, BoundRecords, Present};
pub use error::CodecError;
pub use options::{NullMessage, ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields};
pub use required::check_required;
pub use text_to_wire::{has_text_form, text_to_wire};
pub use to_json::WireToJson;
pub(crate) use to_wire::Lengths;
pub use to_wire::{JsonInput, JsonToWire};
