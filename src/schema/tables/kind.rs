//! The type of a value, and the names of tables and fields within a schema's [`Tables`](super::Tables).

use std::collections::HashMap;

use prost_reflect::{EnumDescriptor, MessageDescriptor};

use crate::wire::WireType;

/// Names a message table within its [`Tables`](super::Tables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageIndex(pub u32);

/// Names an enum table within its [`Tables`](super::Tables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnumIndex(pub u32);

/// Names a field within its [`MessageTable`](super::MessageTable): its position in field number order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldIndex(pub u32);

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "protobuf's own names")]
pub enum Kind {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
    Enum(EnumIndex),
    Message(MessageIndex),
    /// A group (proto2) or a delimited message (editions).
    Group(MessageIndex),
}

impl Kind {
    pub(super) fn of(kind: &prost_reflect::Kind, group: bool, names: &Names<'_>) -> Self {
        use prost_reflect::Kind as Reflected;
        match kind {
            Reflected::Double => Self::Double,
            Reflected::Float => Self::Float,
            Reflected::Int64 => Self::Int64,
            Reflected::Uint64 => Self::Uint64,
            Reflected::Int32 => Self::Int32,
            Reflected::Fixed64 => Self::Fixed64,
            Reflected::Fixed32 => Self::Fixed32,
            Reflected::Bool => Self::Bool,
            Reflected::String => Self::String,
            Reflected::Bytes => Self::Bytes,
            Reflected::Uint32 => Self::Uint32,
            Reflected::Sfixed32 => Self::Sfixed32,
            Reflected::Sfixed64 => Self::Sfixed64,
            Reflected::Sint32 => Self::Sint32,
            Reflected::Sint64 => Self::Sint64,
            Reflected::Enum(descriptor) => Self::Enum(names.enumeration(descriptor)),
            Reflected::Message(descriptor) if group => Self::Group(names.message(descriptor)),
            Reflected::Message(descriptor) => Self::Message(names.message(descriptor)),
        }
    }

    /// The wire type of one value that isn't packed.
    pub fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::I64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::I32,
            Self::String | Self::Bytes | Self::Message(_) => WireType::Len,
            Self::Group(_) => WireType::StartGroup,
            _ => WireType::Varint,
        }
    }
}

/// The types of `google/protobuf` with a JSON form of their own (ProtoJSON, "well-known types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "protobuf's own names; `Wrapper` is BoolValue to BytesValue")]
pub enum WellKnown {
    Any,
    Duration,
    Empty,
    FieldMask,
    ListValue,
    Struct,
    Timestamp,
    Value,
    Wrapper,
}

impl WellKnown {
    pub(in crate::schema) fn of(full_name: &str) -> Option<Self> {
        Some(match full_name.strip_prefix("google.protobuf.")? {
            "Any" => Self::Any,
            "Duration" => Self::Duration,
            "Empty" => Self::Empty,
            "FieldMask" => Self::FieldMask,
            "ListValue" => Self::ListValue,
            "Struct" => Self::Struct,
            "Timestamp" => Self::Timestamp,
            "Value" => Self::Value,
            "BoolValue" | "Int32Value" | "UInt32Value" | "Int64Value" | "UInt64Value" | "FloatValue"
            | "DoubleValue" | "StringValue" | "BytesValue" => Self::Wrapper,
            _ => return None,
        })
    }
}

pub(super) struct Names<'d> {
    pub(super) messages: HashMap<&'d str, MessageIndex>,
    pub(super) enums: HashMap<&'d str, EnumIndex>,
}

impl Names<'_> {
    /// A pool is closed under reference, so the name is there.
    fn message(&self, descriptor: &MessageDescriptor) -> MessageIndex {
        self.messages
            .get(descriptor.full_name())
            .copied()
            .unwrap_or(MessageIndex(0))
    }

    fn enumeration(&self, descriptor: &EnumDescriptor) -> EnumIndex {
        self.enums.get(descriptor.full_name()).copied().unwrap_or(EnumIndex(0))
    }
}
