//! Random messages, as no serializer writes them, printed here and by prost-reflect's dynamic messages.
//!
//! Records are shuffled, repeated and split at every level of nesting. Both answers are compared as JSON values: the
//! order of members and the spelling of numbers are free.

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

use super::tests::{PROTO2, PROTO3, Schema, double, fixed32, fixed64, group, len, varint};
use crate::codec::PrintOptions;
use crate::schema::tables::{Cardinality, Field, Kind, MessageIndex, MessageTable, WellKnown};

const ROUNDS: u64 = 4000;

#[test]
fn random_messages_print_as_prost_reflect_prints_them() {
    for (text, messages) in [(PROTO3, ["p3.Tree", "p3.Known"].as_slice()), (PROTO2, &["p2.Old"])] {
        let schema = Schema::new(text);
        for name in messages {
            for seed in 0..ROUNDS {
                let mut generator = Generator {
                    schema: &schema,
                    state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ name.len() as u64,
                };
                let options = PrintOptions {
                    preserve_proto_field_names: seed % 3 == 0,
                    always_print_enums_as_ints: seed % 5 == 0,
                    unquote_int64_if_possible: false,
                    add_whitespace: seed % 7 == 0,
                    always_print_fields_with_no_presence: false,
                };
                let index = schema.tables.message_index(name).unwrap();
                let wire = generator.message(index, 0);
                let ours: Value = serde_json::from_str(&schema.print_with(name, &wire, &options)).unwrap();
                let theirs = by_prost_reflect(&schema, name, &wire, &options);
                assert_eq!(normal(ours), normal(theirs), "{name}, seed {seed}: {wire:x?}");
            }
        }
    }
}

fn by_prost_reflect(schema: &Schema, name: &str, wire: &[u8], options: &PrintOptions) -> Value {
    let descriptor = schema.pool.get_message_by_name(name).unwrap();
    let message = DynamicMessage::decode(descriptor, wire).unwrap();
    let options = SerializeOptions::new()
        .use_proto_field_name(options.preserve_proto_field_names)
        .use_enum_numbers(options.always_print_enums_as_ints);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .unwrap()
}

/// Numbers as doubles: `1`, `1.0` and a float that went through a double are one number.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap() as f32),
        Value::Array(values) => values.into_iter().map(normal).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, normal(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

struct Generator<'s> {
    schema: &'s Schema,
    state: u64,
}

impl Generator<'_> {
    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn message(&mut self, index: MessageIndex, depth: usize) -> Vec<u8> {
        let schema = self.schema;
        let table = schema.tables.message(index);
        match table.well_known() {
            None | Some(WellKnown::Struct | WellKnown::ListValue | WellKnown::Value | WellKnown::Wrapper) => {
                self.ordinary(table, depth)
            }
            Some(WellKnown::Empty) => Vec::new(),
            Some(WellKnown::Timestamp) => {
                let seconds = self.next() as i64 % 60_000_000_000;
                self.seconds_and_nanos(seconds)
            }
            Some(WellKnown::Duration) => {
                let seconds = (self.next() % 300_000_000_000) as i64;
                self.seconds_and_nanos(seconds)
            }
            Some(WellKnown::FieldMask) => (0..self.below(3)).flat_map(|_| len(1, "foo_bar.b1_c")).collect(),
            Some(WellKnown::Any) => {
                let types = ["google.protobuf.Timestamp", "google.protobuf.Value", table.full_name()];
                let name = types[self.below(types.len())];
                let index = schema.tables.message_index(name).unwrap();
                if depth > 4 {
                    return [len(1, "t/google.protobuf.Duration"), len(2, [])].concat();
                }
                let value = self.message(index, depth + 1);
                let mut records = [len(1, format!("t/{name}")), len(2, value)];
                if self.one_in(4) {
                    records.reverse();
                }
                records.concat()
            }
        }
    }

    fn seconds_and_nanos(&mut self, seconds: i64) -> Vec<u8> {
        let nanos = [0, 5, 5_000, 5_000_000, 999_999_999][self.below(5)];
        let mut records = vec![varint(1, seconds as u64), varint(2, nanos)];
        if self.one_in(3) {
            records.reverse();
        }
        if self.one_in(5) {
            records.pop();
        }
        records.concat()
    }

    fn ordinary(&mut self, table: &MessageTable, depth: usize) -> Vec<u8> {
        let mut records = Vec::new();
        if !table.fields().is_empty() && depth < 6 {
            let mut fields: Vec<_> = (0..self.below(7)).map(|_| self.below(table.fields().len())).collect();
            if self.one_in(2) {
                fields.sort_unstable();
            }
            if self.one_in(2) {
                fields.dedup();
            }
            for index in fields {
                self.field(&table.fields()[index], depth, &mut records);
            }
        }
        if self.one_in(6) {
            let unknown = [
                varint(900, 1),
                len(901, "x"),
                group(902, group(903, fixed64(1, 1))),
                fixed32(904, 1),
            ];
            records.push(unknown[self.below(4)].clone());
        }
        if self.one_in(3) {
            for at in (1..records.len()).rev() {
                records.swap(at, self.below(at + 1));
            }
        }
        records.concat()
    }

    fn field(&mut self, field: &Field, depth: usize, records: &mut Vec<Vec<u8>>) {
        let count = match field.cardinality {
            Cardinality::Singular if self.one_in(8) => 2,
            Cardinality::Singular => 1,
            _ => 1 + self.below(4),
        };
        for _ in 0..count {
            if field.cardinality == Cardinality::Map {
                let Kind::Message(entry) = field.kind else {
                    unreachable!()
                };
                let entry = self.schema.tables.message(entry);
                let mut parts = Vec::new();
                for part in entry.fields() {
                    for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2][self.below(8)] {
                        parts.push(self.record(part, depth));
                    }
                }
                if self.one_in(4) {
                    parts.reverse();
                }
                records.push(len(field.number, parts.concat()));
            } else if field.cardinality == Cardinality::Repeated
                && !matches!(field.kind.wire_type() as u8, 2 | 3)
                && self.one_in(2)
            {
                let packed: Vec<u8> = (0..self.below(4))
                    .flat_map(|_| {
                        let record = self.record(field, depth);
                        let tag_length = field.tag.as_bytes().len();
                        record[tag_length..].to_vec()
                    })
                    .collect();
                records.push(len(field.number, packed));
            } else {
                records.push(self.record(field, depth));
            }
        }
    }

    /// One value with its tag.
    fn record(&mut self, field: &Field, depth: usize) -> Vec<u8> {
        let number = field.number;
        let any = self.next() >> self.below(64);
        match field.kind {
            Kind::Double => {
                // No negative zero: prost-reflect leaves it out as if it were the default, protobuf doesn't.
                let values = [0.0, 0.5, 1.0, -1.5, 1e21, 3.4e-300, f64::NAN, f64::INFINITY];
                // google.protobuf.Value has no form for the last two; of wrappers, prost-reflect prints them as null.
                let finite = matches!(&*field.name, "number_value" | "value");
                double(number, values[self.below(if finite { 6 } else { 8 })])
            }
            Kind::Float => {
                let values = [0.0, 0.1, 16_777_216.0, f32::MAX, f32::NEG_INFINITY];
                let finite = &*field.name == "value";
                fixed32(number, values[self.below(if finite { 4 } else { 5 })].to_bits())
            }
            Kind::Fixed64 | Kind::Sfixed64 => fixed64(number, any),
            Kind::Fixed32 | Kind::Sfixed32 => fixed32(number, any as u32),
            Kind::Bool => varint(number, any & 1),
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 => varint(number, any),
            Kind::Int32 | Kind::Uint32 | Kind::Sint32 => varint(number, any & 0xffff_ffff),
            // Only numbers that have names: prost-reflect knows no closed enums.
            Kind::Enum(index) => {
                let enumeration = self.schema.tables.enumeration(index);
                let numbers: Vec<i32> = (0..3)
                    .filter(|number| enumeration.quoted_name(*number).is_some())
                    .collect();
                varint(number, numbers[self.below(numbers.len())] as u64)
            }
            Kind::String => {
                let values = ["", "a", "b", "quote \" and \n", "longer than a word, é, 😀", "\u{1}"];
                len(number, values[self.below(6)])
            }
            Kind::Bytes => len(number, &any.to_le_bytes()[..self.below(9)]),
            Kind::Message(below) => len(number, self.message(below, depth + 1)),
            Kind::Group(below) => group(number, self.message(below, depth + 1)),
        }
    }
}
