//! Random messages for the comparisons with prost-reflect, as no serializer writes them: records are shuffled, repeated and
//! split at every level of nesting.

use super::random_schema::Random;
use super::to_json::tests::{double, fixed32, fixed64, group, len, varint};
use crate::schema::tables::{Cardinality, Field, Kind, MessageIndex, MessageTable, Tables, WellKnown};

/// Writes messages.
pub(crate) struct Generator<'s> {
    pub(crate) tables: &'s Tables,
    /// A message that an `Any` may hold.
    pub(crate) root: &'s str,
    /// Whether an `Any` may be of an unknown type.
    pub(crate) odd: bool,
    pub(crate) random: Random,
}

impl Generator<'_> {
    fn next(&mut self) -> u64 {
        self.random.next()
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.random.one_in(count)
    }

    /// The records of a message.
    pub(crate) fn message(&mut self, index: MessageIndex, depth: usize) -> Vec<u8> {
        let tables = self.tables;
        let table = tables.message(index);
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
                let types = [
                    "google.protobuf.Timestamp",
                    "google.protobuf.Value",
                    table.full_name(),
                    self.root,
                ];
                let name = types[self.below(types.len())];
                let index = tables.message_index(name).unwrap();
                if self.odd && self.one_in(6) {
                    return [len(1, self.random.pick(&["t/not.There", "", "t"])), len(2, [0xff])].concat();
                }
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
                let entry = self.tables.message(entry);
                let mut parts = Vec::new();
                // An entry that goes with its value brings back one that has its key.
                let odd = self.odd;
                self.odd &= !entry.fields().iter().any(|part| self.is_any(part));
                for part in entry.fields() {
                    let least = usize::from(self.is_any(part));
                    for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2][self.below(8)].max(least) {
                        parts.push(self.record(part, depth));
                    }
                }
                self.odd = odd;
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

    /// Whether the field holds an `Any`, which prost-reflect can't print when it is empty: it is `{}` (conformance suite,
    /// `AnyWithNoType`).
    fn is_any(&self, field: &Field) -> bool {
        matches!(field.kind, Kind::Message(below) if self.tables.message(below).well_known() == Some(WellKnown::Any))
    }

    /// One value with its tag.
    pub(crate) fn record(&mut self, field: &Field, depth: usize) -> Vec<u8> {
        let number = field.number;
        let any = self.next() >> self.below(64);
        match field.kind {
            Kind::Double => {
                // No negative zero: prost-reflect leaves it out as if it were the default, protobuf doesn't.
                let bits = f64::from_bits(self.next());
                let random = if bits.is_finite() { bits } else { 0.1 };
                let price = (any as i64) as f64 / 100.0;
                let price = if price == 0.0 { 0.01 } else { price };
                let values = [0.0, 0.5, -1.0, price, 1e21, 3.4e-300, random, f64::NAN, f64::INFINITY];
                // google.protobuf.Value has no form for the last two; of wrappers, prost-reflect prints them as null.
                let finite = matches!(&*field.name, "number_value" | "value");
                double(number, values[self.below(if finite { 7 } else { 9 })])
            }
            Kind::Float => {
                let bits = f32::from_bits(any as u32);
                let random = if bits.is_normal() { bits } else { 0.2 };
                let values = [0.0, 0.1, 16_777_216.0, f32::MAX, random, f32::NEG_INFINITY];
                let finite = &*field.name == "value";
                fixed32(number, values[self.below(if finite { 5 } else { 6 })].to_bits())
            }
            Kind::Fixed64 | Kind::Sfixed64 => fixed64(number, any),
            Kind::Fixed32 | Kind::Sfixed32 => fixed32(number, any as u32),
            Kind::Bool => varint(number, any & 1),
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 => varint(number, any),
            Kind::Int32 | Kind::Uint32 | Kind::Sint32 => varint(number, any & 0xffff_ffff),
            // Of closed enums only numbers that have names: prost-reflect prints others, which are unknown fields (protobuf's
            // language guide, "Enum Behavior").
            Kind::Enum(index) => {
                let enumeration = self.tables.enumeration(index);
                let numbers: Vec<i32> = [-1, 0, 1, 2, 77, i32::MAX, i32::MIN]
                    .into_iter()
                    .filter(|number| !enumeration.is_closed() || enumeration.quoted_name(*number).is_some())
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
