//! JSON to protobuf wire format and back, in one pass over the message tables, with no tree in between.

pub mod http_body;
mod lanes;
#[cfg(test)]
mod random_schema;
mod required;
mod room;
mod text_to_wire;
mod to_json;
mod to_wire;

pub use required::check_required;
pub use text_to_wire::{has_text_form, text_to_wire};
pub use to_json::WireToJson;
pub use to_wire::JsonToWire;

use std::fmt;

use crate::schema::tables::FieldIndex;
use crate::wire::WireError;

/// How JSON is read. Names and defaults are SEMANTICS' "Parse options".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// What becomes of a key that the message has no field for.
    pub unknown_fields: UnknownFields,
    /// What becomes of an enum name that the enum doesn't have.
    pub unknown_enum_names: UnknownEnumNames,
    /// Whether enum names match whatever their ASCII case.
    pub case_insensitive_enums: bool,
    /// What `null` means in the place of a whole message. Not a setting: SEMANTICS decides for requests.
    pub null_message: NullMessage,
}

/// What becomes of a key that the message has no field for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// Its value is skipped: a client may be newer than the schema.
    #[default]
    Ignore,
    /// It is an error.
    Reject,
}

/// What becomes of an enum name that the enum doesn't have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownEnumNames {
    /// It is an error.
    #[default]
    Reject,
    /// The field, list element or map entry is left out.
    Ignore,
}

/// What `null` means in the place of a whole message, which isn't `google.protobuf.Value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NullMessage {
    /// The empty message: what a request body means by it.
    #[default]
    Empty,
    /// An error, as in ProtoJSON, where only a field can be null.
    Reject,
}

/// How JSON is written. Names and defaults are protobuf's `JsonPrintOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// Print fields without presence, lists and maps also where they have their default value.
    pub always_print_fields_with_no_presence: bool,
    /// Print enum numbers instead of names.
    pub always_print_enums_as_ints: bool,
    /// Print the names of the `.proto` instead of lowerCamelCase.
    pub preserve_proto_field_names: bool,
    /// Print 64-bit integers without quotes where a double holds them exactly.
    pub unquote_int64_if_possible: bool,
    /// Print line breaks and indentation.
    pub add_whitespace: bool,
}

/// A field that the path binds, and that the body therefore cannot set. A leaf has nothing `below`; else the fields
/// below it are the bound ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundField {
    /// The field.
    pub field: FieldIndex,
    /// What is bound within that message field; empty when the field itself is.
    pub below: Vec<BoundField>,
}

/// The paths of an update mask. They repeat the names around a leaf for each leaf, and so may be a hundred times as long
/// as the body that they come from: bounded.
#[derive(Debug, Default)]
pub struct Present {
    paths: Vec<String>,
    room: usize,
    overflowed: bool,
}

impl Present {
    /// Forgets the paths of the last body. Those of the next may take `max_bytes` in the message.
    pub fn reset(&mut self, max_bytes: usize) {
        self.paths.clear();
        self.room = max_bytes;
        self.overflowed = false;
    }

    /// The paths, in the order of the body.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Whether a body was refused because its paths took more.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Adds a path, if there is room.
    fn push(&mut self, prefix: &str, name: &str) -> bool {
        // With a tag and a length.
        let length = prefix.len() + name.len() + 2;
        match self.room.checked_sub(length) {
            Some(room) => {
                self.room = room;
                self.paths.push(format!("{prefix}{name}"));
            }
            None => self.overflowed = true,
        }
        !self.overflowed
    }
}

/// Why JSON is not a message, or wire bytes are not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// Where in the message, as a JSON path: `book.authors[2].name`; empty at the top.
    pub path: String,
    /// Where in the input, in bytes from its start.
    pub offset: Option<usize>,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CodecError {}

impl From<WireError> for CodecError {
    /// Without a path and an offset: the reader knows neither.
    #[cold]
    fn from(error: WireError) -> Self {
        Self {
            path: String::new(),
            offset: None,
            message: error.to_string(),
        }
    }
}
