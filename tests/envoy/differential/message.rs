//! Random messages, and their wire form as serializers write it and as they don't.

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes};
use prost_reflect::prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _,
    Value,
};

use crate::differential::random_schema::Random;

/// Makes messages.
pub struct Messages<'r> {
    /// The choices.
    pub random: &'r mut Random,
    /// Where the types that an `Any` holds are.
    pub pool: &'r DescriptorPool,
}

impl Messages<'_> {
    /// A message of this type, with about one field in three where there are few.
    pub fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                let seconds = (self.random.next() % 300_000_000_000) as i64 - 60_000_000_000;
                self.seconds_and_nanos(&mut message, seconds, 1);
            }
            "google.protobuf.Duration" => {
                let seconds = (self.random.next() >> self.random.below(64)) as i64 % 315_576_000_000;
                let sign = if self.random.one_in(2) { 1 } else { -1 };
                self.seconds_and_nanos(&mut message, seconds.abs() * sign, sign as i32);
            }
            "google.protobuf.FieldMask" => {
                let paths =
                    (0..self.random.below(3)).map(|_| self.random.pick(&["foo_bar.b_c", "a", "x.y_z"]).to_owned());
                message.set_field_by_name("paths", Value::List(paths.map(Value::String).collect()));
            }
            "google.protobuf.Any" => self.any(&mut message, depth),
            "google.protobuf.Value" => self.value(&mut message, depth),
            "google.protobuf.Struct" | "google.protobuf.ListValue" => {
                let field = descriptor.fields().next().unwrap();
                let value = self.field(&field, depth);
                message.set_field(&field, value);
            }
            name if name.starts_with("google.protobuf.") && name.ends_with("Value") => {
                let field = descriptor.fields().next().unwrap();
                let value = self.scalar(&field.kind());
                message.set_field(&field, value);
            }
            "google.api.HttpBody" => {
                let content_type = self
                    .random
                    .pick(&["text/plain", "application/octet-stream", "image/png"]);
                message.set_field_by_name("content_type", Value::String(content_type.to_owned()));
                let data = self.scalar(&Kind::Bytes);
                message.set_field_by_name("data", data);
            }
            _ => {
                let count = descriptor.fields().len();
                let one_in = if count < 10 { 2 } else { 5 + 4 * depth };
                for field in descriptor.fields() {
                    let absent = if field.is_required() {
                        false
                    } else {
                        !self.random.one_in(one_in) || depth > 3
                    };
                    // A message that requires itself has no finite form.
                    if !absent && depth < 4 {
                        let value = self.field(&field, depth);
                        message.set_field(&field, value);
                    }
                }
            }
        }
        message
    }

    /// A value of the field, whatever its cardinality.
    pub fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let count = if depth > 4 { 0 } else { self.random.below(4) };
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                unreachable!()
            };
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entries = (0..count).map(|_| (self.key(&key.kind()), self.singular(&value.kind(), depth)));
            Value::Map(entries.collect::<HashMap<_, _>>())
        } else if field.is_list() {
            Value::List((0..count).map(|_| self.singular(&field.kind(), depth)).collect())
        } else {
            self.singular(&field.kind(), depth)
        }
    }

    fn singular(&mut self, kind: &Kind, depth: usize) -> Value {
        match kind {
            Kind::Message(message) => Value::Message(self.message(message, depth + 1)),
            scalar => self.scalar(scalar),
        }
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        match kind {
            Kind::Bool => MapKey::Bool(self.random.one_in(2)),
            Kind::String => MapKey::String(self.random.pick(&["", "a", "b c", "é😀", "quote \" here"]).to_owned()),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(self.bits() as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(self.bits() as i64),
            Kind::Uint32 | Kind::Fixed32 => MapKey::U32(self.bits() as u32),
            _ => MapKey::U64(self.bits()),
        }
    }

    /// A value of this kind, which is no message.
    pub fn scalar(&mut self, kind: &Kind) -> Value {
        let bits = self.bits();
        match kind {
            Kind::Double => {
                let random = f64::from_bits(self.random.next());
                let random = if random.is_finite() { random } else { 0.1 };
                let price = (bits as i32) as f64 / 100.0;
                let edges = [
                    0.0,
                    -1.5,
                    price,
                    price,
                    1e21,
                    1e-7,
                    123_456_789_012_345_680.0,
                    f64::MAX,
                    random,
                ];
                let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
                Value::F64(if self.random.one_in(12) {
                    self.random.pick(&special)
                } else {
                    self.random.pick(&edges)
                })
            }
            Kind::Float => {
                let random = f32::from_bits(bits as u32);
                let random = if random.is_finite() { random } else { 0.2 };
                let edges = [0.0, 0.1, 3.5, 16_777_216.0, 1e10, f32::MAX, 1e-7, random];
                let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0];
                Value::F32(if self.random.one_in(12) {
                    self.random.pick(&special)
                } else {
                    self.random.pick(&edges)
                })
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
            Kind::Bool => Value::Bool(bits & 1 == 1),
            Kind::String => Value::String(self.text().to_owned()),
            Kind::Bytes => Value::Bytes(Bytes::copy_from_slice(&bits.to_le_bytes()[..self.random.below(9)])),
            Kind::Enum(of) => {
                let values: Vec<_> = of.values().collect();
                let closed = of.parent_file().syntax() == prost_reflect::Syntax::Proto2;
                let named = closed || of.full_name() == "google.protobuf.NullValue" || !self.random.one_in(6);
                Value::EnumNumber(match named {
                    true => values[self.random.below(values.len())].number(),
                    false => self.random.pick(&[77, -5, i32::MIN]),
                })
            }
            Kind::Message(_) => unreachable!("a message is no scalar"),
        }
    }

    /// Any text.
    pub fn text(&mut self) -> &'static str {
        self.random.pick(&[
            "",
            "a",
            "plain words",
            "quote \" backslash \\ slash /",
            "line\nbreak\tand \u{1} control",
            "é 漢 😀",
            "<script>&amp;'",
            "100% a+b=c;d",
            "\u{7f}\u{2028}\u{feff}",
            "a string that is longer than what is copied at once, by far",
        ])
    }

    fn bits(&mut self) -> u64 {
        let shift = self.random.below(64);
        self.random.next() >> shift
    }

    fn seconds_and_nanos(&mut self, message: &mut DynamicMessage, seconds: i64, sign: i32) {
        let nanos = self.random.pick(&[0, 0, 5, 5_000, 5_000_000, 250_000_000, 999_999_999]);
        message.set_field_by_name("seconds", Value::I64(seconds));
        message.set_field_by_name("nanos", Value::I32(nanos * sign));
    }

    fn any(&mut self, message: &mut DynamicMessage, depth: usize) {
        if depth > 3 || self.random.one_in(10) {
            return;
        }
        let name = self.random.pick(&[
            "r.M0",
            "r.Call",
            "google.protobuf.Duration",
            "google.protobuf.Struct",
            "google.protobuf.Int64Value",
        ]);
        let held = self.pool.get_message_by_name(name).unwrap();
        let held = self.message(&held, depth + 2);
        message.set_field_by_name("type_url", Value::String(format!("type.googleapis.com/{name}")));
        message.set_field_by_name("value", Value::Bytes(encode(&held).into()));
    }

    fn value(&mut self, message: &mut DynamicMessage, depth: usize) {
        let descriptor = message.descriptor();
        let kinds = [
            "null_value",
            "number_value",
            "string_value",
            "bool_value",
            "struct_value",
            "list_value",
        ];
        let name = self.random.pick(&kinds[..if depth > 4 { 4 } else { 6 }]);
        let field = descriptor.get_field_by_name(name).unwrap();
        let value = match name {
            // It has no form for what isn't finite.
            "number_value" => Value::F64(self.random.pick(&[0.0, 1.0, -2.5, 1e20, 0.1])),
            _ => self.field(&field, depth + 1),
        };
        message.set_field(&field, value);
    }
}

/// The wire form as serializers write it: in the order of field numbers, packed as declared, map entries with both parts.
///
/// [`DynamicMessage`] itself leaves out a map entry's key or value where it is the default.
pub fn encode(message: &DynamicMessage) -> Vec<u8> {
    let mut out = Vec::new();
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(|(field, _)| field.number());
    for (field, value) in fields {
        encode_field(&field, value, &mut out);
    }
    out
}

fn encode_field(field: &FieldDescriptor, value: &Value, out: &mut Vec<u8>) {
    let (number, kind) = (field.number(), field.kind());
    match value {
        Value::List(values) if field.is_packed() => {
            let mut packed = Vec::new();
            for value in values {
                encode_value(&kind, value, &mut packed);
            }
            if !packed.is_empty() {
                encode_bytes(number, &packed, out);
            }
        }
        Value::List(values) => {
            for value in values {
                encode_record(number, field.is_group(), &kind, value, out);
            }
        }
        Value::Map(entries) => {
            let entry = field.kind();
            let entry = entry.as_message().unwrap();
            let (key_field, value_field) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| format!("{key:?}"));
            for (key, value) in entries {
                let mut both = Vec::new();
                encode_record(1, false, &key_field.kind(), &Value::from(key.clone()), &mut both);
                encode_record(2, false, &value_field.kind(), value, &mut both);
                encode_bytes(number, &both, out);
            }
        }
        value => encode_record(number, field.is_group(), &kind, value, out),
    }
}

fn encode_record(number: u32, group: bool, kind: &Kind, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Message(message) if group => {
            encode_key(number, WireType::StartGroup, out);
            out.extend(encode(message));
            encode_key(number, WireType::EndGroup, out);
        }
        Value::Message(message) => encode_bytes(number, &encode(message), out),
        Value::String(text) => encode_bytes(number, text.as_bytes(), out),
        Value::Bytes(bytes) => encode_bytes(number, bytes, out),
        scalar => {
            encode_key(number, kind.wire_type(), out);
            encode_value(kind, scalar, out);
        }
    }
}

fn encode_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn encode_value(kind: &Kind, value: &Value, out: &mut Vec<u8>) {
    let zigzag = matches!(kind, Kind::Sint32 | Kind::Sint64);
    let fixed = matches!(kind.wire_type(), WireType::ThirtyTwoBit | WireType::SixtyFourBit);
    match value {
        Value::F64(value) => out.put_f64_le(*value),
        Value::F32(value) => out.put_f32_le(*value),
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::I32(value) if fixed => out.put_i32_le(*value),
        Value::I64(value) if fixed => out.put_i64_le(*value),
        Value::U32(value) if fixed => out.put_u32_le(*value),
        Value::U64(value) if fixed => out.put_u64_le(*value),
        Value::I32(value) if zigzag => encode_varint(u64::from(((value << 1) ^ (value >> 31)) as u32), out),
        Value::I64(value) if zigzag => encode_varint(((value << 1) ^ (value >> 63)) as u64, out),
        Value::I32(value) | Value::EnumNumber(value) => encode_varint(i64::from(*value) as u64, out),
        Value::I64(value) => encode_varint(*value as u64, out),
        Value::U32(value) => encode_varint(u64::from(*value), out),
        Value::U64(value) => encode_varint(*value, out),
        value => unreachable!("{value:?} is no scalar"),
    }
}

/// What no serializer writes but every parser reads: other orders of the records, one of them twice, unknown ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    /// The last record comes first.
    Rotated,
    /// Fields in the order of their numbers, the last record of them twice.
    Repeated,
    /// An unknown field at the end.
    Unknown,
}

/// A message in wire form, put out of order.
pub fn disorder(wire: &[u8], disorder: Disorder) -> Vec<u8> {
    let mut records = records(wire);
    match disorder {
        Disorder::Rotated => {
            let by = records.len().min(1);
            records.rotate_right(by);
        }
        Disorder::Repeated => records.extend(records.last().copied()),
        Disorder::Unknown => records.push(b"\xaa\xf7\xc0\x07\x03abc"),
    }
    records.concat()
}

/// The records of a message, tags included.
pub fn records(wire: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let start = rest;
        let mut depth = 0;
        loop {
            let (_, wire_type) = decode_key(&mut rest).unwrap();
            match wire_type {
                WireType::Varint => drop(decode_varint(&mut rest).unwrap()),
                WireType::SixtyFourBit => rest = &rest[8..],
                WireType::ThirtyTwoBit => rest = &rest[4..],
                WireType::LengthDelimited => {
                    let length = decode_varint(&mut rest).unwrap() as usize;
                    rest = &rest[length..];
                }
                WireType::StartGroup => depth += 1,
                WireType::EndGroup => depth -= 1,
            }
            if depth == 0 {
                break;
            }
        }
        records.push(&start[..start.len() - rest.len()]);
    }
    records
}

/// Whether every required field is there, at every level.
pub fn is_initialized(message: &DynamicMessage) -> bool {
    let required = |field: FieldDescriptor| field.cardinality() != Cardinality::Required || message.has_field(&field);
    message.descriptor().fields().all(required) && message.fields().all(|(_, value)| is_value_initialized(value))
}

fn is_value_initialized(value: &Value) -> bool {
    match value {
        Value::Message(message) => is_initialized(message),
        Value::List(values) => values.iter().all(is_value_initialized),
        Value::Map(entries) => entries.values().all(is_value_initialized),
        _ => true,
    }
}

/// The message that an `Any` holds; `None` where it holds none, and of other messages.
pub fn held(any: &DynamicMessage) -> Option<DynamicMessage> {
    if any.descriptor().full_name() != "google.protobuf.Any" {
        return None;
    }
    let url = any.get_field_by_name("type_url")?;
    let name = url.as_str()?.rsplit_once('/')?.1.to_owned();
    let descriptor = any.descriptor().parent_pool().get_message_by_name(&name)?;
    let value = any.get_field_by_name("value")?;
    DynamicMessage::decode(descriptor, value.as_bytes()?.clone()).ok()
}

/// Equality in which NaN is equal to itself, and 0 is not to -0.
pub fn same(one: &DynamicMessage, other: &DynamicMessage) -> bool {
    // What an `Any` holds is in the order in which it was written.
    if let (Some(ours), Some(theirs)) = (held(one), held(other)) {
        return one.get_field_by_name("type_url") == other.get_field_by_name("type_url") && same(&ours, &theirs);
    }
    let (ours, theirs): (Vec<_>, Vec<_>) = (one.fields().collect(), other.fields().collect());
    ours.len() == theirs.len()
        && one.unknown_fields().eq(other.unknown_fields())
        && ours
            .iter()
            .zip(&theirs)
            .all(|((of, one), (field, other))| of == field && same_value(one, other))
}

/// The same of two values.
pub fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::F64(one), Value::F64(other)) => one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan(),
        (Value::F32(one), Value::F32(other)) => one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan(),
        (Value::Message(one), Value::Message(other)) => same(one, other),
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| same_value(one, other)))
        }
        _ => one == other,
    }
}

/// A value in words. The `Debug` form of a message has its whole schema in it, which need not end.
pub fn words(value: &Value) -> String {
    match value {
        Value::Message(message) => format!("{{{}}}", message.to_text_format()),
        Value::List(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key:?}: {}", words(value)));
            entries.collect::<Vec<_>>().join(", ")
        }
        scalar => format!("{scalar:?}"),
    }
}
