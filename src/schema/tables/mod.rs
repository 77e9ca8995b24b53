//! Message tables: what the codec needs of a schema, laid out for reading in the hot path.
//!
//! Compiled once per configuration from a [`DescriptorPool`]; every message and enum of the pool gets a table.
//! Nothing here changes after [`Tables::build`].

use std::collections::{HashMap, HashSet};

use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, MessageDescriptor, Syntax};

use crate::schema::editions::Features;
use crate::wire::{Tag, WireType};

/// Names a message table within its [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageIndex(pub u32);

/// Names an enum table within its [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnumIndex(pub u32);

/// Names a field within its [`MessageTable`]: its position in field number order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldIndex(pub u32);

/// The tables of one schema.
#[derive(Debug)]
pub struct Tables {
    messages: Vec<MessageTable>,
    enums: Vec<EnumTable>,
    by_name: HashMap<Box<str>, MessageIndex>,
}

impl Tables {
    /// Compiles the tables of all messages and enums of `pool`. `seed` perturbs the hash of field names, so that
    /// a client cannot choose keys that collide.
    pub fn build(pool: &DescriptorPool, features: &Features, seed: u64) -> Self {
        let message_descriptors: Vec<_> = pool.all_messages().collect();
        let enum_descriptors: Vec<_> = pool.all_enums().collect();
        let names = Names {
            messages: message_descriptors
                .iter()
                .zip(0..)
                .map(|(message, index)| (message.full_name(), MessageIndex(index)))
                .collect(),
            enums: enum_descriptors
                .iter()
                .zip(0..)
                .map(|(enumeration, index)| (enumeration.full_name(), EnumIndex(index)))
                .collect(),
        };
        let mut messages: Vec<_> = message_descriptors
            .iter()
            .map(|message| MessageTable::build(message, &names, features, seed))
            .collect();
        let mut first_ordinal = 0;
        for message in &mut messages {
            message.first_ordinal = first_ordinal;
            first_ordinal += message.fields.len();
        }
        mark_needing_required_check(&mut messages);
        Self {
            enums: enum_descriptors
                .iter()
                .map(|enumeration| EnumTable::build(enumeration, features, seed))
                .collect(),
            by_name: names
                .messages
                .iter()
                .map(|(name, index)| (Box::from(*name), *index))
                .collect(),
            messages,
        }
    }

    /// The message with this full name, without a leading dot.
    pub fn message_index(&self, full_name: &str) -> Option<MessageIndex> {
        self.by_name.get(full_name).copied()
    }

    /// The table of `index`, which must come from these tables.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "every MessageIndex is made by `build` from a position in `messages`"
    )]
    pub fn message(&self, index: MessageIndex) -> &MessageTable {
        &self.messages[index.0 as usize]
    }

    /// The table of `index`, which must come from these tables.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "every EnumIndex is made by `build` from a position in `enums`"
    )]
    pub fn enumeration(&self, index: EnumIndex) -> &EnumTable {
        &self.enums[index.0 as usize]
    }
}

/// One message type.
#[derive(Debug)]
pub struct MessageTable {
    full_name: Box<str>,
    fields: Box<[Field]>,
    /// Field index by number for the small numbers; `NONE` where there is no such field.
    dense: Box<[u32]>,
    /// Open addressing over both names of every field; a power of two long, at most half full.
    names: Box<[NameSlot]>,
    seed: u64,
    /// How many fields the messages before this one have.
    first_ordinal: usize,
    oneof_count: u32,
    well_known: Option<WellKnown>,
    needs_required_check: bool,
}

const NONE: u32 = u32::MAX;

/// Numbers below this have a slot in `MessageTable::dense`; beyond, fields are found by binary search.
const DENSE_LIMIT: u32 = 256;

impl MessageTable {
    fn build(descriptor: &MessageDescriptor, names: &Names<'_>, features: &Features, seed: u64) -> Self {
        let mut descriptors: Vec<_> = descriptor.fields().collect();
        descriptors.sort_by_key(FieldDescriptor::number);
        // Synthetic oneofs (proto3 optional) restrict nothing; only real ones get a number.
        let oneofs: Vec<_> = descriptor.oneofs().filter(|oneof| !oneof.is_synthetic()).collect();
        let mut fields: Vec<_> = descriptors
            .iter()
            .map(|field| {
                let oneof = field
                    .containing_oneof()
                    .and_then(|of| oneofs.iter().position(|oneof| oneof.name() == of.name()))
                    .map(|position| position as u32);
                Field::from_descriptor(field, oneof, names, features)
            })
            .collect();
        // Extensions are keys in JSON too, as "[full.name]".
        let mut extensions: Vec<_> = descriptor.extensions().collect();
        extensions.sort_by_key(|extension| extension.number());
        fields.extend(
            extensions
                .iter()
                .map(|extension| Field::from_extension(extension, names)),
        );
        fields.sort_by_key(|field| field.number);

        for field in &mut fields {
            field.common_tag = field.one_byte_tag().unwrap_or(0);
        }

        let dense_length = fields
            .iter()
            .map(|field| field.number)
            .filter(|number| *number < DENSE_LIMIT)
            .max()
            .map_or(0, |number| number as usize + 1);
        let mut dense = vec![NONE; dense_length];
        for (field, index) in fields.iter().zip(0..) {
            if let Some(slot) = dense.get_mut(field.number as usize) {
                *slot = index;
            }
        }
        let mut table = Self {
            full_name: descriptor.full_name().into(),
            names: vec![NameSlot { hash: 0, field: NONE }; (fields.len() * 4).next_power_of_two().max(4)].into(),
            fields: fields.into(),
            dense: dense.into(),
            seed,
            first_ordinal: 0,
            oneof_count: oneofs.len() as u32,
            well_known: WellKnown::of(descriptor.full_name()),
            needs_required_check: false,
        };
        table.fill_names();
        table
    }

    fn fill_names(&mut self) {
        let mask = self.names.len() - 1;
        for (field, index) in self.fields.iter().zip(0..) {
            for name in [&field.json_name, &field.name] {
                let hash = hash_name(self.seed, name.as_bytes());
                let mut at = hash as usize & mask;
                // Half of the slots stay free, so the probe ends.
                while let Some(slot) = self.names.get_mut(at) {
                    if slot.field == NONE {
                        *slot = NameSlot { hash, field: index };
                        break;
                    }
                    // The same name twice; not merely another name of the field in the way.
                    if slot.field == index && slot.hash == hash {
                        break;
                    }
                    at = (at + 1) & mask;
                }
            }
        }
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// All fields, extensions included, in number order.
    #[inline]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field at `index`, if there is one.
    #[inline]
    pub fn field(&self, index: FieldIndex) -> Option<&Field> {
        self.fields.get(index.0 as usize)
    }

    /// The position of a field among the fields of all messages: a key for what is remembered of each field.
    #[inline]
    pub fn ordinal(&self, index: FieldIndex) -> usize {
        self.first_ordinal + index.0 as usize
    }

    /// The field with this number.
    #[inline]
    pub fn field_by_number(&self, number: u32) -> Option<FieldIndex> {
        if number < DENSE_LIMIT {
            return match self.dense.get(number as usize) {
                Some(&index) if index != NONE => Some(FieldIndex(index)),
                _ => None,
            };
        }
        self.fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()
            .map(|index| FieldIndex(index as u32))
    }

    /// The field whose [`Field::common_tag`] is `tag`.
    #[inline(always)]
    pub fn field_by_common_tag(&self, tag: u8) -> Option<(FieldIndex, &Field)> {
        let index = *self.dense.get(usize::from(tag >> 3))?;
        let field = self.fields.get(index as usize)?;
        (field.common_tag == tag).then_some((FieldIndex(index), field))
    }

    /// The field that JSON calls `name`: its JSON name, its name in the `.proto`, or `[full.name]` of an extension.
    #[inline]
    pub fn field_by_name(&self, name: &[u8]) -> Option<FieldIndex> {
        let hash = hash_name(self.seed, name);
        let mask = self.names.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.names.get(at)?;
            if slot.field == NONE {
                return None;
            }
            if slot.hash == hash
                && let Some(field) = self.fields.get(slot.field as usize)
                && (field.json_name.as_bytes() == name || field.name.as_bytes() == name)
            {
                return Some(FieldIndex(slot.field));
            }
            at = (at + 1) & mask;
        }
    }

    /// How many real oneofs there are; [`Field::oneof`] is below this.
    pub fn oneof_count(&self) -> u32 {
        self.oneof_count
    }

    /// The special JSON form, for the well-known types.
    #[inline]
    pub fn well_known(&self) -> Option<WellKnown> {
        self.well_known
    }

    /// Whether this message, or one reachable from it, has a required field.
    pub fn needs_required_check(&self) -> bool {
        self.needs_required_check
    }
}

#[derive(Clone, Copy, Debug)]
struct NameSlot {
    hash: u32,
    field: u32,
}

/// Slots for distinct names, each with its position; a power of two long, at most half full, so that every probe ends.
fn name_slots<'n>(names: impl ExactSizeIterator<Item = &'n [u8]>, seed: u64) -> Box<[NameSlot]> {
    let length = (names.len() * 2).next_power_of_two().max(2);
    let mask = length - 1;
    let mut slots = vec![NameSlot { hash: 0, field: NONE }; length];
    for (name, field) in names.zip(0..) {
        let hash = hash_name(seed, name);
        let mut at = hash as usize & mask;
        while let Some(slot) = slots.get_mut(at) {
            if slot.field == NONE {
                *slot = NameSlot { hash, field };
                break;
            }
            at = (at + 1) & mask;
        }
    }
    slots.into()
}

/// Word by word: names are short, and nothing a client sends is ever put into a table, so that the worst it can do is to
/// ask for the slot with the longest probe.
#[inline]
fn hash_name(seed: u64, name: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    };
    let mut hash = seed ^ name.len() as u64;
    for word in name.as_chunks::<8>().0 {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    // What is left over, with bytes before it that were seen already.
    let last = match (name.last_chunk::<8>(), name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (_, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    hash = mix(hash, last);
    (hash ^ hash >> 32) as u32
}

/// One field, ready for both directions.
#[derive(Debug)]
pub struct Field {
    /// The name in the `.proto`; `[full.name]` for an extension.
    pub name: Box<str>,
    /// The name in JSON; `[full.name]` for an extension.
    pub json_name: Box<str>,
    /// `"jsonName":`, ready to copy.
    pub json_key: Key,
    /// `"proto_name":`, ready to copy.
    pub proto_key: Key,
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
    fn from_descriptor(field: &FieldDescriptor, oneof: Option<u32>, names: &Names<'_>, features: &Features) -> Self {
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

    fn from_extension(extension: &prost_reflect::ExtensionDescriptor, names: &Names<'_>) -> Self {
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
            json_key: Key::new(&parts.json_name),
            proto_key: Key::new(&parts.name),
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

    fn one_byte_tag(&self) -> Option<u8> {
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

/// The key of a field in JSON, quoted, with its colon.
#[derive(Clone, Debug)]
pub struct Key {
    /// A comma, the key, a quote for the value, and padding: so that a short copy can take whole words.
    padded: Box<[u8]>,
    /// The length without comma and padding.
    length: usize,
    /// The key's first bytes, as many as [`Key::WORDS`] hold, and which bits of them are the key's.
    start: [(u64, u64); Key::WORDS],
}

impl Key {
    /// Enough for a copy of this many bytes from anywhere in the key.
    const PADDING: usize = 32;
    /// Keys of up to so many words are compared at once.
    const WORDS: usize = 3;
    /// Keys that are shorter, comma and all, are copied as so many bytes; names of enums too.
    pub const SHORT: usize = 32;

    fn new(name: &str) -> Self {
        let mut padded = Vec::with_capacity(name.len() + 5 + Self::PADDING);
        padded.push(b',');
        // It escapes: a custom json_name may hold any character. Writing to a vector cannot fail.
        let _ = serde_json::to_writer(&mut padded, name);
        padded.push(b':');
        let length = padded.len() - 1;
        let mut start = [(0, 0); Self::WORDS];
        for (word, bytes) in start.iter_mut().zip(padded.get(1..).unwrap_or_default().chunks(8)) {
            let mut padded = [0; 8];
            for (to, from) in padded.iter_mut().zip(bytes) {
                *to = *from;
            }
            *word = (u64::from_le_bytes(padded), u64::MAX >> (64 - 8 * bytes.len()));
        }
        padded.push(b'"');
        padded.resize(padded.len() + Self::PADDING, 0);
        Self {
            padded: padded.into(),
            length,
            start,
        }
    }

    /// The key's length if `text` begins with it.
    #[inline]
    pub fn starts(&self, text: &[u8]) -> Option<usize> {
        if self.length <= Self::WORDS * 8
            && let Some(chunk) = text.first_chunk::<{ Self::WORDS * 8 }>()
        {
            // Whole words, of which some bits are looked at: no loop, and one branch.
            let difference = self
                .start
                .iter()
                .zip(chunk.as_chunks::<8>().0)
                .fold(0, |difference, ((word, mask), bytes)| {
                    difference | (u64::from_le_bytes(*bytes) ^ word) & mask
                });
            return (difference == 0).then_some(self.length);
        }
        text.starts_with(self.as_bytes()).then_some(self.length)
    }

    /// The key, its quotes and its colon.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.padded.get(1..=self.length).unwrap_or_default()
    }

    /// The same with a comma before it, if there is something `before` it, and whatever padding behind: its length comes
    /// with it.
    #[inline]
    pub fn padded(&self, before: bool) -> (&[u8], usize) {
        let start = usize::from(!before);
        (self.padded.get(start..).unwrap_or_default(), self.length + 1 - start)
    }

    /// The same if it is short, with a quote behind it that the length doesn't count.
    #[inline]
    pub fn short(&self, before: bool) -> Option<(&[u8; Self::SHORT], usize)> {
        let start = usize::from(!before);
        let length = self.length + 1 - start;
        if length >= Self::SHORT {
            return None;
        }
        Some((self.padded.get(start..)?.first_chunk()?, length))
    }
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
    fn of(kind: &prost_reflect::Kind, group: bool, names: &Names<'_>) -> Self {
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
    fn of(full_name: &str) -> Option<Self> {
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

/// One enum type.
#[derive(Debug)]
pub struct EnumTable {
    full_name: Box<str>,
    /// `google.protobuf.NullValue`, whose JSON form is `null`.
    null_value: bool,
    closed: bool,
    /// By number, the first declared name of each number only: what printing uses.
    by_number: Box<[(i32, EnumName)]>,
    names: Box<[(Box<str>, i32)]>,
    /// Open addressing over `names`, as for fields: `NameSlot::field` is a position there.
    slots: Box<[NameSlot]>,
    seed: u64,
    /// Names in lower case; the first declared wins.
    by_folded_name: HashMap<Box<str>, i32>,
}

/// The name of an enum value, quoted, with padding behind it.
#[derive(Clone, Debug)]
struct EnumName {
    padded: Box<[u8]>,
    length: usize,
}

impl EnumName {
    fn new(name: &str) -> Self {
        let mut padded = format!("\"{name}\"").into_bytes();
        let length = padded.len();
        padded.resize(length.max(Key::SHORT), 0);
        Self {
            padded: padded.into(),
            length,
        }
    }
}

impl EnumTable {
    fn build(descriptor: &EnumDescriptor, features: &Features, seed: u64) -> Self {
        let mut by_number = Vec::<(i32, EnumName)>::new();
        let mut names = Vec::<(Box<str>, i32)>::new();
        let mut by_folded_name = HashMap::new();
        let mut known = HashSet::new();
        // The descriptor's own order: `values()` of the reflected enum is sorted by number, and an alias must not
        // take the place of the name that was declared first.
        for value in &descriptor.enum_descriptor_proto().value {
            let (name, number) = (value.name(), value.number());
            names.push((name.into(), number));
            by_folded_name
                .entry(Box::from(name.to_ascii_lowercase()))
                .or_insert(number);
            if known.insert(number) {
                by_number.push((number, EnumName::new(name)));
            }
        }
        by_number.sort_by_key(|(number, _)| *number);
        Self {
            full_name: descriptor.full_name().into(),
            null_value: descriptor.full_name() == "google.protobuf.NullValue",
            closed: descriptor.parent_file().syntax() == Syntax::Proto2
                && !features.open_enums.contains(descriptor.full_name()),
            by_number: by_number.into(),
            slots: name_slots(names.iter().map(|(name, _)| name.as_bytes()), seed),
            names: names.into(),
            seed,
            by_folded_name,
        }
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// Whether this is `google.protobuf.NullValue`.
    #[inline]
    pub fn is_null_value(&self) -> bool {
        self.null_value
    }

    /// Whether a number without a name is an unknown field (closed) or a value (open).
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The quoted name of a number.
    #[inline]
    pub fn quoted_name(&self, number: i32) -> Option<&[u8]> {
        let name = self.name(number)?;
        name.padded.get(..name.length)
    }

    /// The same if it is short, with padding behind it; its length comes with it.
    #[inline]
    pub fn short_name(&self, number: i32) -> Option<(&[u8; Key::SHORT], usize)> {
        let name = self.name(number)?;
        (name.length <= Key::SHORT)
            .then(|| name.padded.first_chunk())
            .flatten()
            .map(|padded| (padded, name.length))
    }

    #[inline]
    fn name(&self, number: i32) -> Option<&EnumName> {
        // Most enums are numbered 0, 1, 2, …: try the position first.
        if let Some((known, name)) = self.by_number.get(number as usize)
            && *known == number
        {
            return Some(name);
        }
        let at = self.by_number.binary_search_by_key(&number, |(known, _)| *known).ok()?;
        self.by_number.get(at).map(|(_, name)| name)
    }

    /// The number of a name; with `fold_case`, whatever its ASCII case.
    #[inline]
    pub fn number(&self, name: &str, fold_case: bool) -> Option<i32> {
        self.number_of(name.as_bytes(), fold_case)
    }

    /// The same for a name in bytes.
    pub fn number_of(&self, name: &[u8], fold_case: bool) -> Option<i32> {
        let hash = hash_name(self.seed, name);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get(at)
            && slot.field != NONE
        {
            if slot.hash == hash
                && let Some((known, number)) = self.names.get(slot.field as usize)
                && known.as_bytes() == name
            {
                return Some(*number);
            }
            at = (at + 1) & mask;
        }
        if !fold_case {
            return None;
        }
        let name = std::str::from_utf8(name).ok()?;
        self.by_folded_name.get(name.to_ascii_lowercase().as_str()).copied()
    }
}

struct Names<'d> {
    messages: HashMap<&'d str, MessageIndex>,
    enums: HashMap<&'d str, EnumIndex>,
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

/// A message needs the check when it has a required field or holds a message that needs it.
fn mark_needing_required_check(messages: &mut [MessageTable]) {
    let mut holders = vec![Vec::new(); messages.len()];
    let mut pending = Vec::new();
    for (message, index) in messages.iter().zip(0u32..) {
        for field in &message.fields {
            if let Kind::Message(below) | Kind::Group(below) = field.kind
                && let Some(list) = holders.get_mut(below.0 as usize)
            {
                list.push(index);
            }
        }
        if message.fields.iter().any(|field| field.required) {
            pending.push(index);
        }
    }
    while let Some(index) = pending.pop() {
        let Some(message) = messages.get_mut(index as usize) else {
            continue;
        };
        if !message.needs_required_check {
            message.needs_required_check = true;
            pending.extend(holders.get(index as usize).into_iter().flatten());
        }
    }
}
