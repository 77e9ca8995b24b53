//! The table of one field.

use prost_reflect::{ExtensionDescriptor, FieldDescriptor};

use super::key::Key;
use super::kind::{Kind, Names};
use crate::schema::editions::Features;
use crate::wire::{Tag, WireType};

/// One field, ready for both directions.
#[derive(Debug)]
pub struct Field {
    /// The name in the `.proto`; `[full.name]` for an extension.
    pub name: Box<str>,
    /// The name in JSON; `[full.name]` for an extension.
    pub json_name: Box<str>,
    /// The name that is printed, quoted and with a colon, ready to copy: that in JSON, unless [`Tables::with_proto_names`]
    /// has made it that of the `.proto`.
    ///
    /// [`Tables::with_proto_names`]: super::Tables::with_proto_names
    pub key: Key,
    /// The field number.
    pub number: u32,
    /// The type of the value, or of one element.
    pub kind: Kind,
    /// How many values there can be.
    pub cardinality: Cardinality,
    /// The tag of one value in wire form: number and the wire type of `kind` (LEN for packed fields).
    pub tag: Tag,
    /// Repeated scalars that are written as one length-delimited record.
    pub packed: bool,
    /// Whether absence can be told from the default value: proto2, `optional`, messages, members of a oneof.
    pub presence: bool,
    /// The real oneof that the field belongs to.
    pub oneof: Option<u32>,
    /// proto2 `required`.
    pub required: bool,
    /// What the field prints when it is absent: the declared default in proto2, else the zero value of its type.
    pub default: DefaultValue,
    /// The tag, if it is one byte long, so that the field is among the first 15, and the field is a singular scalar outside
    /// of oneofs; else 0, which is no tag.
    pub common_tag: u8,
}

impl Field {
    pub(super) fn from_descriptor(
        field: &FieldDescriptor,
        oneof: Option<u32>,
        names: &Names<'_>,
        features: &Features,
    ) -> Self {
        let cardinality = if field.is_map() {
            Cardinality::Map
        } else if field.is_list() {
            Cardinality::Repeated
        } else {
            Cardinality::Singular
        };
        let kind = Kind::of(&field.kind(), field.is_group(), names);
        Self::new(FieldParts {
            name: field.name().into(),
            json_name: field.json_name().into(),
            number: field.number(),
            kind,
            cardinality,
            packed: field.is_packed(),
            presence: field.supports_presence() && !features.implicit_presence.contains(field.full_name()),
            oneof,
            required: field.is_required(),
            default: DefaultValue::of(&field.default_value(), cardinality),
        })
    }

    pub(super) fn from_extension(extension: &ExtensionDescriptor, names: &Names<'_>) -> Self {
        let name = format!("[{}]", extension.full_name());
        let cardinality = if extension.is_list() {
            Cardinality::Repeated
        } else {
            Cardinality::Singular
        };
        Self::new(FieldParts {
            json_name: name.as_str().into(),
            name: name.into(),
            number: extension.number(),
            kind: Kind::of(&extension.kind(), extension.is_group(), names),
            cardinality,
            packed: extension.is_packed(),
            presence: extension.supports_presence(),
            oneof: None,
            required: false,
            default: DefaultValue::of(&extension.default_value(), cardinality),
        })
    }

    fn new(parts: FieldParts) -> Self {
        let packed = parts.packed && parts.cardinality == Cardinality::Repeated;
        let wire_type = if packed { WireType::Len } else { parts.kind.wire_type() };
        Self {
            key: Key::new(&parts.json_name),
            name: parts.name,
            json_name: parts.json_name,
            number: parts.number,
            kind: parts.kind,
            cardinality: parts.cardinality,
            tag: Tag::new(parts.number, wire_type),
            packed,
            presence: parts.presence,
            oneof: parts.oneof,
            required: parts.required,
            default: parts.default,
            common_tag: 0,
        }
    }

    pub(super) fn one_byte_tag(&self) -> Option<u8> {
        match (self.tag.as_bytes(), self.cardinality, self.kind, self.oneof) {
            (_, _, Kind::Message(_) | Kind::Group(_), _) => None,
            ([tag], Cardinality::Singular, _, None) => Some(*tag),
            _ => None,
        }
    }
}

struct FieldParts {
    name: Box<str>,
    json_name: Box<str>,
    number: u32,
    kind: Kind,
    cardinality: Cardinality,
    packed: bool,
    presence: bool,
    oneof: Option<u32>,
    required: bool,
    default: DefaultValue,
}

/// How many values a field can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// At most one.
    Singular,
    /// A list.
    Repeated,
    /// A map; the kind is [`Kind::Message`] of its entry type, whose field 1 is the key and field 2 the value.
    Map,
}

/// What an absent field prints where it has to be printed.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "one variant a type")]
pub enum DefaultValue {
    Bool(bool),
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
    Enum(i32),
    Message,
    List,
    Map,
}

impl DefaultValue {
    fn of(value: &prost_reflect::Value, cardinality: Cardinality) -> Self {
        use prost_reflect::Value;
        match (cardinality, value) {
            (Cardinality::Repeated, _) | (_, Value::List(_)) => Self::List,
            (Cardinality::Map, _) | (_, Value::Map(_)) => Self::Map,
            (_, Value::Bool(value)) => Self::Bool(*value),
            (_, Value::I32(value)) => Self::I32(*value),
            (_, Value::I64(value)) => Self::I64(*value),
            (_, Value::U32(value)) => Self::U32(*value),
            (_, Value::U64(value)) => Self::U64(*value),
            (_, Value::F32(value)) => Self::F32(*value),
            (_, Value::F64(value)) => Self::F64(*value),
            (_, Value::String(value)) => Self::String(value.as_str().into()),
            (_, Value::Bytes(value)) => Self::Bytes(value.to_vec().into()),
            (_, Value::EnumNumber(value)) => Self::Enum(*value),
            (_, Value::Message(_)) => Self::Message,
        }
    }
}
