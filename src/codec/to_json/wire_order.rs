//! The optimistic pass: records are printed in the order in which they come.

use super::body::Body;
use super::map_entry::has_duplicates;
use super::printer::{Members, Printer, Slots};
use super::stop::Stop;
use crate::codec::span::Span;
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageTable};
use crate::wire::{Reader, WireType};

impl<'a> Printer<'a> {
    /// The optimistic pass over one message. `false`: its records are not in an order that can be printed as it is.
    pub(super) fn members_in_wire_order(&mut self, members: &mut Members<'a>, part: Span) -> Result<bool, Box<Stop>> {
        let table = members.table;
        let mut slots = self.slots(table);
        let mut reader = self.reader(part);
        while !reader.is_empty() {
            if self.compact && self.common_member(members, &mut slots, &mut reader) {
                continue;
            }
            let (number, wire_type) = self.tag(&mut reader)?;
            let index = table.field_by_number(number);
            let (Some(index), Some(field)) = (index, index.and_then(|index| table.field(index))) else {
                self.skip(&mut reader, number, wire_type)?;
                continue;
            };
            match self.field_in_wire_order(members, &mut slots, index, field, &mut reader, wire_type) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(stop) => return Err(stop.within_field(table, field)),
            }
        }
        Ok(true)
    }

    /// One field in the optimistic pass: a record, or all adjacent records of a repeated field. The reader stands
    /// after the first tag.
    #[inline]
    fn field_in_wire_order(
        &mut self,
        members: &mut Members<'a>,
        slots: &mut Slots,
        index: FieldIndex,
        field: &'a Field,
        reader: &mut Reader<'a>,
        wire_type: WireType,
    ) -> Result<bool, Box<Stop>> {
        // Defaults are printed in field order, so the fields must come in it.
        if self.options.always_print_fields_with_no_presence && index.0 < members.next {
            return Ok(false);
        }
        match field.cardinality {
            Cardinality::Singular => {
                if wire_type != field.kind.wire_type() {
                    self.skip(reader, field.number, wire_type)?;
                    return Ok(true);
                }
                if let Kind::Message(below) | Kind::Group(below) = field.kind {
                    let contents = self.contents(reader, field.number, wire_type)?;
                    if !self.take(members.table, slots, index, field) {
                        return Ok(false);
                    }
                    if self.common_timestamp(members, field, below, contents) {
                        return Ok(true);
                    }
                    self.key(members, index, field);
                    self.message(below, Body::Whole(contents))?;
                    return Ok(true);
                }
                if field.kind == Kind::String {
                    // The most common one.
                    let start = reader.position();
                    let text = reader.length_delimited().map_err(|error| Stop::wire(start, error))?;
                    if !self.take(members.table, slots, index, field) {
                        return Ok(false);
                    }
                    if !field.presence && text.is_empty() {
                        return Ok(true);
                    }
                    self.key(members, index, field);
                    self.string(text, reader.position())?;
                    return Ok(true);
                }
                let raw = self.raw(reader, wire_type)?;
                if self.is_unknown_enum_value(field.kind, raw) {
                    return Ok(true);
                }
                if !self.take(members.table, slots, index, field) {
                    return Ok(false);
                }
                self.singular_scalar(members, index, field, raw, reader.position())?;
                Ok(true)
            }
            Cardinality::Repeated => {
                if !self.take(members.table, slots, index, field) {
                    return Ok(false);
                }
                self.list_in_wire_order(members, index, field, reader, wire_type)?;
                Ok(true)
            }
            Cardinality::Map => {
                if !self.take(members.table, slots, index, field) {
                    return Ok(false);
                }
                self.map_in_wire_order(members, index, field, reader, wire_type)
            }
        }
    }

    /// Adjacent records of a repeated field.
    fn list_in_wire_order(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        reader: &mut Reader<'a>,
        mut wire_type: WireType,
    ) -> Result<(), Box<Stop>> {
        let mut count = 0;
        loop {
            self.list_record(members, index, field, reader, wire_type, &mut count)?;
            match self.next_of(field, reader) {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        self.end_list(count);
        Ok(())
    }

    /// Adjacent records of a map field. `false`: a key repeats.
    fn map_in_wire_order(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        reader: &mut Reader<'a>,
        mut wire_type: WireType,
    ) -> Result<bool, Box<Stop>> {
        let digests = self.scratch.digests.len();
        let mut empty = true;
        loop {
            self.map_record(members, index, field, reader, wire_type, &mut empty)?;
            match self.next_of(field, reader) {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        self.end_map(empty);
        let keys_repeat = match self.scratch.digests.get_mut(digests..) {
            Some(digests) if digests.len() > 1 => has_duplicates(digests),
            _ => false,
        };
        self.scratch.digests.truncate(digests);
        Ok(!keys_repeat)
    }

    /// One record of a map field: an entry, whose key's digest is noted.
    pub(super) fn map_record(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        reader: &mut Reader<'a>,
        wire_type: WireType,
        empty: &mut bool,
    ) -> Result<(), Box<Stop>> {
        self.keep_up(reader)?;
        let Some(entry) = self.map_entry(field, reader, wire_type)? else {
            return Ok(());
        };
        self.scratch.digests.push(entry.digest());
        if *empty {
            self.key(members, index, field);
            self.enter(b'{')?;
            *empty = false;
        } else {
            self.out.push(b',');
        }
        self.new_line();
        self.map_key(&entry)?;
        self.out.push(b':');
        if self.options.add_whitespace {
            self.out.push(b' ');
        }
        self.map_value(&entry).map_err(|stop| stop.within(&entry.path_step()))
    }

    pub(super) fn field_alone_in_wire_order(
        &mut self,
        table: &'a MessageTable,
        wanted: FieldIndex,
        wanted_field: &'a Field,
        part: Span,
    ) -> Result<bool, Box<Stop>> {
        let mut members = Members::alone(table);
        let mut slots = self.slots(table);
        let mut reader = self.reader(part);
        while !reader.is_empty() {
            let (number, wire_type) = self.tag(&mut reader)?;
            if number == wanted_field.number {
                match self.field_in_wire_order(&mut members, &mut slots, wanted, wanted_field, &mut reader, wire_type) {
                    Ok(true) => continue,
                    Ok(false) => return Ok(false),
                    Err(stop) => return Err(stop.within_field(table, wanted_field)),
                }
            }
            if wanted_field.oneof.is_some()
                && let Some(other) = table.field_by_number(number).and_then(|other| table.field(other))
                && other.oneof == wanted_field.oneof
            {
                return Ok(false);
            }
            self.skip(&mut reader, number, wire_type)?;
        }
        Ok(true)
    }
}
