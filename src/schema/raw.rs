//! The messages of descriptor.proto, with options as bytes: they hold extensions, such as `google.api.http`, that only the
//! finished pool can read.

use prost::Message;

use crate::wire::Reader;

/// A `google.protobuf.FileDescriptorSet`. Here and below: the fields that are kept, with options whole.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RawSet {
    #[prost(message, repeated, tag = "1")]
    pub(super) file: Vec<RawFile>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawFile {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) package: Option<String>,
    #[prost(string, repeated, tag = "3")]
    pub(super) dependency: Vec<String>,
    #[prost(int32, repeated, packed = "false", tag = "10")]
    pub(super) public_dependency: Vec<i32>,
    #[prost(string, repeated, tag = "15")]
    pub(super) option_dependency: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(super) message_type: Vec<RawMessage>,
    #[prost(message, repeated, tag = "5")]
    pub(super) enum_type: Vec<RawEnum>,
    #[prost(message, repeated, tag = "6")]
    pub(super) service: Vec<RawService>,
    #[prost(message, repeated, tag = "7")]
    pub(super) extension: Vec<RawField>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(super) options: Option<Vec<u8>>,
    #[prost(string, optional, tag = "12")]
    pub(super) syntax: Option<String>,
    #[prost(int32, optional, tag = "14")]
    pub(super) edition: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawMessage {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) field: Vec<RawField>,
    #[prost(message, repeated, tag = "3")]
    pub(super) nested_type: Vec<RawMessage>,
    #[prost(message, repeated, tag = "4")]
    pub(super) enum_type: Vec<RawEnum>,
    #[prost(message, repeated, tag = "5")]
    pub(super) extension_range: Vec<RawExtensionRange>,
    #[prost(message, repeated, tag = "6")]
    pub(super) extension: Vec<RawField>,
    #[prost(bytes = "vec", optional, tag = "7")]
    pub(super) options: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "8")]
    pub(super) oneof_decl: Vec<RawOneof>,
    #[prost(message, repeated, tag = "9")]
    pub(super) reserved_range: Vec<RawRange>,
    #[prost(string, repeated, tag = "10")]
    pub(super) reserved_name: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawExtensionRange {
    #[prost(int32, optional, tag = "1")]
    pub(super) start: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) end: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) options: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawRange {
    #[prost(int32, optional, tag = "1")]
    pub(super) start: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) end: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawField {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) extendee: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(super) number: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub(super) label: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    pub(super) r#type: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub(super) type_name: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) default_value: Option<String>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(super) options: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "9")]
    pub(super) oneof_index: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub(super) json_name: Option<String>,
    #[prost(bool, optional, tag = "17")]
    pub(super) proto3_optional: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawOneof {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) options: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawEnum {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) value: Vec<RawEnumValue>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) options: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "4")]
    pub(super) reserved_range: Vec<RawRange>,
    #[prost(string, repeated, tag = "5")]
    pub(super) reserved_name: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawEnumValue {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(int32, optional, tag = "2")]
    pub(super) number: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) options: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawService {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) method: Vec<RawMethod>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) options: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawMethod {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) input_type: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) output_type: Option<String>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) options: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "5")]
    pub(super) client_streaming: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub(super) server_streaming: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct CheckedMessageOptions {
    #[prost(bool, optional, tag = "7")]
    map_entry: Option<bool>,
}

/// Whether a message is the entry type of a map field.
pub(super) fn is_map_entry(message: &RawMessage) -> bool {
    message
        .options
        .as_deref()
        .and_then(|options| CheckedMessageOptions::decode(options).ok())
        .is_some_and(|options| options.map_entry())
}

/// The first number of those that descriptor.proto leaves to extensions of options
/// and features.
pub(super) const CUSTOM: i32 = 1000;

/// The numbers of the fields of a serialized message.
pub(super) fn numbers(message: &[u8]) -> impl Iterator<Item = i32> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || {
        let (number, wire_type) = reader.tag().ok()?;
        reader.skip(number, wire_type, 0).ok()?;
        i32::try_from(number).ok()
    })
}

/// What is wrong with the bytes, without prost's list of the fields around.
pub(super) fn reason(error: &prost::DecodeError) -> String {
    let text = error.to_string();
    text.rsplit(": ").next().unwrap_or(&text).to_owned()
}
