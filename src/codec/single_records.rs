//! Whether a message says nothing twice, for tests: parsers that don't merge records keep the last one.

use crate::schema::tables::{Cardinality, Kind, MessageIndex, Tables};
use crate::wire::{Groups, Reader, WireType};

/// Panics where a singular field, message or not, has more than one record in its message, at any depth.
#[track_caller]
pub(crate) fn assert_single_records(tables: &Tables, message: MessageIndex, wire: &[u8]) {
    let table = tables.message(message);
    let mut seen = Vec::new();
    for (number, contents) in records(wire) {
        let field = table.field(table.field_by_number(number).unwrap()).unwrap();
        if field.cardinality == Cardinality::Singular {
            let again = seen.contains(&number);
            assert!(
                !again,
                "{} of {} comes twice in {wire:x?}",
                field.name,
                table.full_name()
            );
            seen.push(number);
        }
        if let Kind::Message(below) | Kind::Group(below) = field.kind {
            assert_single_records(tables, below, contents);
        }
    }
}

/// The records of a message: the number of each, and its contents where it is a string, a message or a group.
#[track_caller]
pub(crate) fn records(wire: &[u8]) -> Vec<(u32, &[u8])> {
    let mut reader = Reader::new(wire);
    let mut records = Vec::new();
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag().unwrap();
        let contents = match wire_type {
            WireType::Len => reader.length_delimited().unwrap(),
            WireType::StartGroup => reader.group(number, 1, &mut Groups::default()).unwrap(),
            _ => {
                reader.skip(number, wire_type, 0).unwrap();
                &[]
            }
        };
        records.push((number, contents));
    }
    records
}
