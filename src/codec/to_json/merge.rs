//! Messages whose records are not in the order in which they are printed: printed from a sorted index.
//!
//! What counts is what a protobuf parser would keep. Of a scalar, the last record. Of a message, all of them, merged,
//! which is the message of their contents one after the other. Of a oneof, the last member, and of that one only what
//! came after the other members. Of a map key, the last entry. What doesn't count must still be well-formed.

use std::cmp::Ordering;

use super::body::{Body, Raw};
use super::index::{IndexedRecord, MapKey, Winner};
use super::printer::{Members, Printer};
use super::scalar::not_utf8;
use super::stop::Stop;
use crate::codec::span::Span;
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, MessageTable};
use crate::wire::{DEPTH_LIMIT, Reader, WireError, WireType};

/// No field has that index.
const NO_FIELD: u32 = u32::MAX;

impl<'a> Printer<'a> {
    /// All fields of a message, from an index.
    pub(super) fn merged_members(&mut self, members: &mut Members<'a>, body: Body) -> Result<(), Box<Stop>> {
        self.merged(members, body, None)
    }

    /// One field of a message, the value alone, from an index; nothing where it is absent.
    pub(super) fn merged_field(
        &mut self,
        table: &'a MessageTable,
        index: FieldIndex,
        body: Body,
    ) -> Result<(), Box<Stop>> {
        self.merged(&mut Members::alone(table), body, Some(index))
    }

    fn merged(&mut self, members: &mut Members<'a>, body: Body, only: Option<FieldIndex>) -> Result<(), Box<Stop>> {
        let table = members.table;
        let (records, oneofs) = (self.scratch.records.len(), self.scratch.oneofs.len());
        let none = Winner {
            field: NO_FIELD,
            since: 0,
        };
        self.scratch.oneofs.resize(oneofs + table.oneof_count() as usize, none);
        match body {
            Body::Whole(part) => self.index(table, part, oneofs)?,
            Body::Split { first, count } => {
                for at in first..first + count {
                    if let Some(&part) = self.scratch.parts.get(at) {
                        self.index(table, part, oneofs)?;
                    }
                }
            }
        }
        if let Some(index) = self.scratch.records.get_mut(records..) {
            // Records further on begin further on, so this is the order of the wire within each field.
            index.sort_unstable_by_key(|record| (record.field, record.start));
        }
        let mut at = records;
        while let Some(record) = self.scratch.records.get(at).copied() {
            let mut end = at + 1;
            while self
                .scratch
                .records
                .get(end)
                .is_some_and(|next| next.field == record.field)
            {
                end += 1;
            }
            let index = FieldIndex(record.field);
            if let Some(field) = table.field(index)
                && only.is_none_or(|only| only == index)
            {
                self.run(members, index, field, at, end, oneofs)
                    .map_err(|stop| stop.within_field(table, field))?;
            }
            at = end;
        }
        self.scratch.records.truncate(records);
        self.scratch.oneofs.truncate(oneofs);
        Ok(())
    }

    /// Appends the records of known fields in `part` to the index, and notes who wins the oneofs.
    fn index(&mut self, table: &'a MessageTable, part: Span, oneofs: usize) -> Result<(), Box<Stop>> {
        let mut reader = self.reader(part);
        while !reader.is_empty() {
            let (number, wire_type) = self.tag(&mut reader)?;
            let start = reader.position();
            let known = table
                .field_by_number(number)
                .and_then(|index| Some((index, table.field(index)?)))
                .filter(|(_, field)| is_of_type(field, wire_type));
            let Some((index, field)) = known else {
                self.skip(&mut reader, number, wire_type)?;
                continue;
            };
            if let Kind::Enum(_) = field.kind
                && field.cardinality == Cardinality::Singular
            {
                let raw = self.raw(&mut reader, wire_type)?;
                if self.is_unknown_enum_value(field.kind, raw) {
                    continue;
                }
            } else if let WireType::StartGroup = wire_type {
                // It will be read again: its end is noted.
                self.contents(&mut reader, number, wire_type)?;
            } else {
                self.skip(&mut reader, number, wire_type)?;
            }
            if let Some(oneof) = field.oneof
                && let Some(winner) = self.scratch.oneofs.get_mut(oneofs + oneof as usize)
                && winner.field != index.0
            {
                *winner = Winner {
                    field: index.0,
                    since: start,
                };
            }
            self.scratch.records.push(IndexedRecord {
                field: index.0,
                wire_type,
                start,
                end: reader.position(),
            });
        }
        Ok(())
    }

    /// Prints one field from its records, `first` up to `end` in the index.
    fn run(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        mut first: usize,
        end: usize,
        oneofs: usize,
    ) -> Result<(), Box<Stop>> {
        if let Some(oneof) = field.oneof
            && let Some(winner) = self.scratch.oneofs.get(oneofs + oneof as usize).copied()
        {
            while first < end
                && let Some(record) = self.record(first)
                && (winner.field != index.0 || record.start < winner.since)
            {
                self.check(field, record)?;
                first += 1;
            }
        }
        match field.cardinality {
            Cardinality::Repeated => {
                let mut count = 0;
                for at in first..end {
                    if let Some(record) = self.record(at) {
                        let mut reader = self.record_reader(record);
                        self.list_record(members, index, field, &mut reader, record.wire_type, &mut count)?;
                    }
                }
                self.end_list(count);
                Ok(())
            }
            Cardinality::Map => self.merged_map(members, index, field, first, end),
            Cardinality::Singular => match field.kind {
                Kind::Message(below) | Kind::Group(below) => {
                    self.merged_message(members, index, field, below, first, end)
                }
                _ => {
                    while first + 1 < end
                        && let Some(record) = self.record(first)
                    {
                        self.check(field, record)?;
                        first += 1;
                    }
                    let Some(record) = self.record(first).filter(|_| first < end) else {
                        return Ok(());
                    };
                    let mut reader = self.record_reader(record);
                    let raw = self.raw(&mut reader, record.wire_type)?;
                    self.singular_scalar(members, index, field, raw, record.end)
                }
            },
        }
    }

    fn merged_message(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        below: MessageIndex,
        first: usize,
        end: usize,
    ) -> Result<(), Box<Stop>> {
        if first >= end {
            return Ok(());
        }
        self.key(members, index, field);
        let parts = self.scratch.parts.len();
        for at in first..end {
            if let Some(record) = self.record(at) {
                let contents = self.record_contents(field, record)?;
                self.scratch.parts.push(contents);
            }
        }
        let body = match self.scratch.parts.get(parts..) {
            Some([part]) => Body::Whole(*part),
            _ => Body::Split {
                first: parts,
                count: end - first,
            },
        };
        self.message(below, body)?;
        self.scratch.parts.truncate(parts);
        Ok(())
    }

    /// A map: the last entry of each key, in the order of the wire.
    fn merged_map(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        first: usize,
        end: usize,
    ) -> Result<(), Box<Stop>> {
        self.drop_shadowed_entries(field, first, end)?;
        let digests = self.scratch.digests.len();
        let mut empty = true;
        for at in first..end {
            if let Some(record) = self.record(at)
                && record.field == index.0
            {
                let mut reader = self.record_reader(record);
                self.map_record(members, index, field, &mut reader, record.wire_type, &mut empty)?;
            }
        }
        self.scratch.digests.truncate(digests);
        self.end_map(empty);
        Ok(())
    }

    /// Takes the entries out of the index that a later one with the same key replaces, and those that are unknown
    /// fields.
    fn drop_shadowed_entries(&mut self, field: &'a Field, first: usize, end: usize) -> Result<(), Box<Stop>> {
        let keys = self.scratch.map_keys.len();
        for at in first..end {
            if let Some(record) = self.record(at) {
                let mut reader = self.record_reader(record);
                if let Some(entry) = self.map_entry(field, &mut reader, record.wire_type)? {
                    self.scratch.map_keys.push(MapKey::new(&entry, at));
                }
            }
        }
        let wire = self.wire;
        if let Some(keys) = self.scratch.map_keys.get_mut(keys..) {
            keys.sort_unstable_by(|one, other| one.compare(other, wire).then(one.record.cmp(&other.record)));
        }
        for at in keys + 1..self.scratch.map_keys.len() {
            if let Some([one, other]) = self.scratch.map_keys.get(at - 1..=at)
                && one.compare(other, wire) == Ordering::Equal
            {
                let shadowed = one.record;
                if let Some(record) = self.record(shadowed) {
                    self.check(field, record)?;
                }
                if let Some(record) = self.scratch.records.get_mut(shadowed) {
                    record.field = NO_FIELD;
                }
            }
        }
        self.scratch.map_keys.truncate(keys);
        Ok(())
    }

    /// Checks a record that doesn't count: protobuf parses it all the same.
    fn check(&mut self, field: &'a Field, record: IndexedRecord) -> Result<(), Box<Stop>> {
        match field.kind {
            Kind::String => {
                let mut reader = self.record_reader(record);
                if let Raw::Bytes(text) = self.raw(&mut reader, WireType::Len)? {
                    check_text(text, record.end)?;
                }
                Ok(())
            }
            Kind::Message(below) | Kind::Group(below) => {
                let contents = self.record_contents(field, record)?;
                self.check_message(below, contents, self.depth + 1)
            }
            _ => Ok(()),
        }
    }

    /// `depth`: how many levels are open, this message included.
    fn check_message(&mut self, message: MessageIndex, part: Span, depth: usize) -> Result<(), Box<Stop>> {
        if depth > DEPTH_LIMIT {
            return Err(Stop::wire(part.start, WireError::TooDeep));
        }
        let tables = self.tables;
        let table = tables.message(message);
        let mut reader = self.reader(part);
        while !reader.is_empty() {
            let (number, wire_type) = self.tag(&mut reader)?;
            let field = table.field_by_number(number).and_then(|index| table.field(index));
            match (field, field.map(|field| field.kind)) {
                (Some(field), Some(Kind::Message(below) | Kind::Group(below)))
                    if wire_type == field.kind.wire_type() =>
                {
                    let contents = self.contents(&mut reader, number, wire_type)?;
                    self.check_message(below, contents, depth + 1)
                        .map_err(|stop| stop.within_field(table, field))?;
                }
                (Some(field), Some(Kind::String)) if wire_type == WireType::Len => {
                    if let Raw::Bytes(text) = self.raw(&mut reader, wire_type)? {
                        check_text(text, reader.position()).map_err(|stop| stop.within_field(table, field))?;
                    }
                }
                _ => self.skip(&mut reader, number, wire_type)?,
            }
        }
        Ok(())
    }

    fn record(&self, at: usize) -> Option<IndexedRecord> {
        self.scratch.records.get(at).copied()
    }

    fn record_reader(&self, record: IndexedRecord) -> Reader<'a> {
        self.reader(Span {
            start: record.start,
            end: record.end,
        })
    }

    fn record_contents(&mut self, field: &Field, record: IndexedRecord) -> Result<Span, Box<Stop>> {
        self.contents(&mut self.record_reader(record), field.number, record.wire_type)
    }
}

/// Whether a record of that wire type holds a value of the field; it is an unknown field else.
fn is_of_type(field: &Field, wire_type: WireType) -> bool {
    let expected = field.kind.wire_type();
    wire_type == expected
        || field.cardinality == Cardinality::Repeated && wire_type == WireType::Len && expected != WireType::StartGroup
}

fn check_text(text: &[u8], end: usize) -> Result<(), Box<Stop>> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(not_utf8(end - text.len() + error.valid_up_to())),
    }
}
