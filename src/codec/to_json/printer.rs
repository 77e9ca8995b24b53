//! One message being printed: its state, and the steps that every order of its records takes.

use super::body::{Body, Raw};
use super::index::{IndexedRecord, MapKey, Winner};
use super::map_entry::MapEntry;
use super::stop::Stop;
use crate::codec::options::PrintOptions;
use crate::codec::room::{self, Room};
use crate::codec::span::Span;
use crate::schema::tables::{
    Cardinality, DefaultValue, Field, FieldIndex, Kind, MessageIndex, MessageTable, Tables, WellKnown,
};
use crate::text::append::{append, append_part};
use crate::wire::{DEPTH_LIMIT, Groups, Reader, WireError, WireType};

pub(super) struct Printer<'a> {
    pub(super) tables: &'a Tables,
    pub(super) wire: &'a [u8],
    pub(super) options: PrintOptions,
    /// Nothing is asked for that changes keys or what stands between members.
    pub(super) compact: bool,
    pub(super) unknown_types: Unknown,
    pub(super) out: &'a mut Vec<u8>,
    /// Where the message begins in `out`.
    pub(super) start: usize,
    pub(super) scratch: &'a mut Scratch,
    pub(super) redo: Redo,
    /// How many objects and arrays are open.
    pub(super) depth: usize,
}

impl<'a> Printer<'a> {
    pub(super) fn whole(&self) -> Span {
        Span {
            start: 0,
            end: self.wire.len(),
        }
    }

    #[inline]
    pub(super) fn reader(&self, part: Span) -> Reader<'a> {
        let wire = self.wire;
        Reader::at(wire.get(..part.end).unwrap_or(wire), part.start)
    }

    /// The value of a message field or a list element.
    pub(super) fn message(&mut self, message: MessageIndex, body: Body) -> Result<(), Box<Stop>> {
        let tables = self.tables;
        let table = tables.message(message);
        match table.well_known() {
            None => self.object(table, body),
            Some(well_known) => self.well_known(well_known, table, body),
        }
    }

    pub(super) fn object(&mut self, table: &'a MessageTable, body: Body) -> Result<(), Box<Stop>> {
        self.enter(b'{')?;
        let mut members = Members::new(table);
        self.members(&mut members, body)?;
        self.leave(b'}', members.empty);
        Ok(())
    }

    /// All fields of a message, keys included, braces not.
    pub(super) fn members(&mut self, members: &mut Members<'a>, body: Body) -> Result<(), Box<Stop>> {
        if let (Body::Whole(part), Redo::Within(_)) = (body, self.redo) {
            let (mark, empty) = (self.out.len(), members.empty);
            let wide = self.scratch.wide_slots.len();
            let in_order = self.members_in_wire_order(members, part)?;
            self.scratch.wide_slots.truncate(wide);
            if in_order {
                self.defaults_before(members, members.table.fields().len() as u32);
                return Ok(());
            }
            self.redo(part, mark)?;
            members.empty = empty;
            members.next = 0;
        }
        self.merged_members(members, body)?;
        self.defaults_before(members, members.table.fields().len() as u32);
        Ok(())
    }

    /// A singular scalar: key and value, unless it has no presence and is zero. `end` is where it ends in the wire bytes.
    #[inline]
    pub(super) fn singular_scalar(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        raw: Raw<'a>,
        end: usize,
    ) -> Result<(), Box<Stop>> {
        if !field.presence && is_zero(field.kind, raw) {
            return Ok(());
        }
        self.key(members, index, field);
        if let (Kind::Double, Raw::Number(raw)) = (field.kind, raw)
            && !f64::from_bits(raw).is_finite()
            && members.table.well_known() == Some(WellKnown::Value)
        {
            return Err(Stop::new(
                end,
                "found a google.protobuf.Value that is NaN or infinite, expected a finite number".into(),
            ));
        }
        self.scalar(field.kind, raw, end)
    }

    /// One record of a repeated field, packed or not: adds its elements to the list of which `count` are printed.
    #[inline]
    pub(super) fn list_record(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        reader: &mut Reader<'a>,
        wire_type: WireType,
        count: &mut usize,
    ) -> Result<(), Box<Stop>> {
        self.keep_up(reader)?;
        let element_type = field.kind.wire_type();
        if let Kind::Message(below) | Kind::Group(below) = field.kind
            && wire_type == element_type
        {
            let contents = self.contents(reader, field.number, wire_type)?;
            self.element(members, index, field, count)?;
            return self
                .message(below, Body::Whole(contents))
                .map_err(|stop| stop.within(&format!("[{}]", *count - 1)));
        }
        if wire_type == element_type {
            if *count > 0 && self.compact && field.kind == Kind::String && self.common_text(reader) {
                *count += 1;
                return Ok(());
            }
            let raw = self.raw(reader, wire_type)?;
            if self.is_unknown_enum_value(field.kind, raw) {
                return Ok(());
            }
            self.element(members, index, field, count)?;
            return self
                .scalar(field.kind, raw, reader.position())
                .map_err(|stop| stop.within(&format!("[{}]", *count - 1)));
        }
        if wire_type == WireType::Len && element_type != WireType::StartGroup {
            let contents = self.contents(reader, field.number, wire_type)?;
            let mut packed = self.reader(contents);
            while !packed.is_empty() {
                if *count > 0 && self.compact {
                    *count += self.common_numbers(field.kind, &mut packed);
                    if packed.is_empty() {
                        break;
                    }
                }
                self.keep_up(&packed)?;
                let raw = self
                    .raw(&mut packed, element_type)
                    .map_err(|stop| stop.within(&format!("[{count}]")))?;
                if self.is_unknown_enum_value(field.kind, raw) {
                    continue;
                }
                self.element(members, index, field, count)?;
                self.scalar(field.kind, raw, packed.position())?;
            }
            return Ok(());
        }
        self.skip(reader, field.number, wire_type)
    }

    /// Between elements: makes room for the rest, as far as there may be as much.
    #[inline]
    pub(super) fn keep_up(&mut self, reader: &Reader<'a>) -> Result<(), Box<Stop>> {
        match room::is_short(self.out) {
            false => Ok(()),
            true => self.make_room(reader.position()),
        }
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, position: usize) -> Result<(), Box<Stop>> {
        let limit = self.scratch.limit.unwrap_or(usize::MAX);
        if self.out.len() - self.start > limit {
            self.scratch.outgrown = true;
            return Err(Stop::new(position, format!("becomes more than {limit} bytes of JSON")));
        }
        match self.redo {
            Redo::Within(_) => room::grow(position, self.wire.len(), self.start, limit, self.out),
            // From an index, the position doesn't say how much comes.
            _ => self.out.reserve(1),
        }
        Ok(())
    }

    /// What stands before an element: the key and the bracket, or a comma.
    #[inline]
    fn element(
        &mut self,
        members: &mut Members<'a>,
        index: FieldIndex,
        field: &'a Field,
        count: &mut usize,
    ) -> Result<(), Box<Stop>> {
        if *count == 0 {
            self.key(members, index, field);
            self.enter(b'[')?;
        } else {
            self.out.push(b',');
        }
        *count += 1;
        self.new_line();
        Ok(())
    }

    pub(super) fn end_list(&mut self, count: usize) {
        if count > 0 {
            self.leave(b']', false);
        }
    }

    pub(super) fn end_map(&mut self, empty: bool) {
        if !empty {
            self.leave(b'}', false);
        }
    }

    pub(super) fn map_key(&mut self, entry: &MapEntry<'a>) -> Result<(), Box<Stop>> {
        match entry.key {
            Raw::Bytes(key) => self.string(key, entry.key_end),
            Raw::Number(raw) => {
                self.out.push(b'"');
                self.map_key_number(entry.key_field.kind, raw);
                self.out.push(b'"');
                Ok(())
            }
        }
    }

    pub(super) fn map_value(&mut self, entry: &MapEntry<'a>) -> Result<(), Box<Stop>> {
        let Kind::Message(below) = entry.value_field.kind else {
            return match entry.value {
                Some(raw) => self.scalar(entry.value_field.kind, raw, entry.value_end),
                None => {
                    self.default_value(entry.value_field);
                    Ok(())
                }
            };
        };
        if entry.value_records <= 1 {
            return self.message(below, Body::Whole(entry.value_part));
        }
        // A value that comes in several records is merged from them.
        let first = self.scratch.parts.len();
        let mut reader = self.reader(entry.part);
        while !reader.is_empty() {
            let (number, wire_type) = self.tag(&mut reader)?;
            if number == entry.value_field.number && wire_type == WireType::Len {
                let contents = self.contents(&mut reader, number, wire_type)?;
                self.scratch.parts.push(contents);
            } else {
                self.skip(&mut reader, number, wire_type)?;
            }
        }
        let count = self.scratch.parts.len() - first;
        self.message(below, Body::Split { first, count })?;
        self.scratch.parts.truncate(first);
        Ok(())
    }

    /// Reads one record of a map field: key and value in any order, any number of times, the last of each counts.
    /// `None` where the record is an unknown field: it isn't an entry, or its value is no member of a closed enum.
    pub(super) fn map_entry(
        &mut self,
        field: &'a Field,
        reader: &mut Reader<'a>,
        wire_type: WireType,
    ) -> Result<Option<MapEntry<'a>>, Box<Stop>> {
        let Kind::Message(entry) = field.kind else {
            self.skip(reader, field.number, wire_type)?;
            return Ok(None);
        };
        let tables = self.tables;
        // An entry type has two fields, 1 and 2.
        let (WireType::Len, [key_field, value_field]) = (wire_type, tables.message(entry).fields()) else {
            self.skip(reader, field.number, wire_type)?;
            return Ok(None);
        };
        let part = self.contents(reader, field.number, wire_type)?;
        let mut inner = self.reader(part);
        let mut entry = MapEntry {
            part,
            key_field,
            key: match key_field.kind {
                Kind::String => Raw::Bytes(&[]),
                _ => Raw::Number(0),
            },
            key_end: part.end,
            value_field,
            value: None,
            value_part: Span {
                start: part.end,
                end: part.end,
            },
            value_end: part.end,
            value_records: 0,
        };
        let mut known = true;
        while !inner.is_empty() {
            let (number, wire_type) = self.tag(&mut inner)?;
            if number == key_field.number && wire_type == key_field.kind.wire_type() {
                entry.key = self.raw(&mut inner, wire_type)?;
                entry.key_end = inner.position();
            } else if number == value_field.number && wire_type == value_field.kind.wire_type() {
                entry.value_records += 1;
                if let Kind::Message(_) = value_field.kind {
                    entry.value_part = self.contents(&mut inner, number, wire_type)?;
                } else {
                    let raw = self.raw(&mut inner, wire_type)?;
                    known = !self.is_unknown_enum_value(value_field.kind, raw);
                    entry.value = Some(raw);
                    entry.value_end = inner.position();
                }
            } else {
                self.skip(&mut inner, number, wire_type)?;
            }
        }
        Ok(known.then_some(entry))
    }

    /// One field of a message, the value alone.
    pub(super) fn field_alone(
        &mut self,
        table: &'a MessageTable,
        index: FieldIndex,
        body: Body,
    ) -> Result<(), Box<Stop>> {
        let Some(field) = table.field(index) else {
            return Err(Stop::new(
                0,
                format!("{} has no field at {}", table.full_name(), index.0),
            ));
        };
        if let (Body::Whole(part), Redo::Within(_)) = (body, self.redo) {
            let mark = self.out.len();
            let wide = self.scratch.wide_slots.len();
            let in_order = self.field_alone_in_wire_order(table, index, field, part)?;
            self.scratch.wide_slots.truncate(wide);
            if in_order {
                if self.out.len() == mark {
                    self.absent(field)?;
                }
                return Ok(());
            }
            self.redo(part, mark)?;
        }
        let mark = self.out.len();
        self.merged_field(table, index, body)?;
        if self.out.len() == mark {
            self.absent(field)?;
        }
        Ok(())
    }

    /// What a field prints that isn't there, where something has to be printed.
    fn absent(&mut self, field: &'a Field) -> Result<(), Box<Stop>> {
        match (field.cardinality, field.kind) {
            // An empty list or map is a level too.
            (Cardinality::Repeated | Cardinality::Map, _) if self.depth >= DEPTH_LIMIT => Err(self.too_deep()),
            (Cardinality::Singular, Kind::Message(below) | Kind::Group(below)) => {
                match self.tables.message(below).well_known() {
                    // An empty one of these would be a value that nobody has set: 1970, 0, "".
                    Some(
                        WellKnown::Timestamp
                        | WellKnown::Duration
                        | WellKnown::FieldMask
                        | WellKnown::Wrapper
                        | WellKnown::Value
                        | WellKnown::ListValue,
                    ) => {
                        self.out.extend_from_slice(b"null");
                        Ok(())
                    }
                    Some(WellKnown::Any | WellKnown::Empty | WellKnown::Struct) | None => {
                        self.message(below, Body::Whole(Span { start: 0, end: 0 }))
                    }
                }
            }
            _ => {
                self.default_value(field);
                Ok(())
            }
        }
    }

    /// Prints the fields before `end` that are absent and have no presence, where the options ask for it.
    #[inline]
    fn defaults_before(&mut self, members: &mut Members<'a>, end: u32) {
        if self.options.always_print_fields_with_no_presence && !members.alone {
            self.print_defaults_before(members, end);
        }
    }

    fn print_defaults_before(&mut self, members: &mut Members<'a>, end: u32) {
        while members.next < end {
            let Some(field) = members.table.field(FieldIndex(members.next)) else {
                return;
            };
            members.next += 1;
            // An extension isn't a field of the message until it is set.
            if !field.presence && !field.name.starts_with('[') {
                self.bare_key(members, field);
                self.default_value(field);
            }
        }
    }

    fn default_value(&mut self, field: &Field) {
        match &field.default {
            DefaultValue::List => self.out.extend_from_slice(b"[]"),
            DefaultValue::Map | DefaultValue::Message => self.out.extend_from_slice(b"{}"),
            default => self.default_scalar(field.kind, default),
        }
    }

    /// The key of a field, with what stands before it: a comma, a line break, the defaults of fields before it.
    #[inline]
    pub(super) fn key(&mut self, members: &mut Members<'a>, index: FieldIndex, field: &Field) {
        if members.alone {
            return;
        }
        if self.options.always_print_fields_with_no_presence {
            self.print_defaults_before(members, index.0);
            members.next = index.0 + 1;
        }
        self.bare_key(members, field);
    }

    #[inline]
    fn bare_key(&mut self, members: &mut Members<'a>, field: &Field) {
        let key = &field.key;
        if self.options.add_whitespace {
            self.member(&mut members.empty, key.as_bytes());
            return;
        }
        let (padded, length) = key.padded(!members.empty);
        members.empty = false;
        append_part(padded, 0, length, self.out);
    }

    /// A key that is ready to copy, with its colon. `empty`: nothing is printed in the object yet.
    #[inline]
    pub(super) fn member(&mut self, empty: &mut bool, key: &[u8]) {
        if !*empty {
            self.out.push(b',');
        }
        *empty = false;
        self.new_line();
        append(key, self.out);
        if self.options.add_whitespace {
            self.out.push(b' ');
        }
    }

    #[inline]
    pub(super) fn new_line(&mut self) {
        if self.options.add_whitespace {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + self.depth, b' ');
        }
    }

    /// Opens an object or an array.
    #[inline]
    pub(super) fn enter(&mut self, bracket: u8) -> Result<(), Box<Stop>> {
        if self.depth >= DEPTH_LIMIT {
            return Err(self.too_deep());
        }
        self.depth += 1;
        self.out.push(bracket);
        Ok(())
    }

    #[cold]
    fn too_deep(&self) -> Box<Stop> {
        Box::new(Stop::Error(WireError::TooDeep.into()))
    }

    #[inline]
    pub(super) fn leave(&mut self, bracket: u8, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.new_line();
        }
        self.out.push(bracket);
    }

    /// Gives up on the optimistic pass over `part`: what it printed since `mark` goes.
    fn redo(&mut self, part: Span, mark: usize) -> Result<(), Box<Stop>> {
        self.out.truncate(mark);
        if let Redo::Within(bytes) = self.redo {
            match bytes.checked_sub(part.end - part.start) {
                Some(left) => self.redo = Redo::Within(left),
                None => return Err(Box::new(Stop::RedoFromIndexes)),
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn slots(&mut self, table: &MessageTable) -> Slots {
        let wide = self.scratch.wide_slots.len();
        let count = table.fields().len() + table.oneof_count() as usize;
        if count > 64 {
            self.scratch.wide_slots.resize(wide + (count - 1) / 64, 0);
        }
        Slots { low: 0, wide }
    }

    /// Takes the slot of a field: its oneof's, else its own. `false` where it is taken already.
    #[inline]
    pub(super) fn take(&mut self, table: &MessageTable, slots: &mut Slots, index: FieldIndex, field: &Field) -> bool {
        let slot = match field.oneof {
            None => index.0 as usize,
            Some(oneof) => table.fields().len() + oneof as usize,
        };
        let bit = 1_u64 << (slot % 64);
        let word = match slot / 64 {
            0 => &mut slots.low,
            word => match self.scratch.wide_slots.get_mut(slots.wide + word - 1) {
                Some(word) => word,
                None => return false,
            },
        };
        let free = *word & bit == 0;
        *word |= bit;
        free
    }

    /// Whether the next record has this field's number too: then its wire type, and the reader stands after its tag.
    #[inline]
    pub(super) fn next_of(&mut self, field: &Field, reader: &mut Reader<'a>) -> Option<WireType> {
        let mut ahead = *reader;
        match ahead.tag() {
            Ok((number, wire_type)) if number == field.number => {
                self.count_step();
                *reader = ahead;
                Some(wire_type)
            }
            _ => None,
        }
    }

    #[inline]
    pub(super) fn tag(&mut self, reader: &mut Reader<'a>) -> Result<(u32, WireType), Box<Stop>> {
        self.count_step();
        let start = reader.position();
        reader.tag().map_err(|error| Stop::wire(start, error))
    }

    #[inline]
    pub(super) fn skip(&self, reader: &mut Reader<'a>, number: u32, wire_type: WireType) -> Result<(), Box<Stop>> {
        let start = reader.position();
        reader
            .skip(number, wire_type, self.depth)
            .map_err(|error| Stop::wire(start, error))
    }

    /// The contents of a length-delimited record or a group whose tag has just been read.
    #[inline]
    pub(super) fn contents(
        &mut self,
        reader: &mut Reader<'a>,
        number: u32,
        wire_type: WireType,
    ) -> Result<Span, Box<Stop>> {
        let start = reader.position();
        if wire_type == WireType::StartGroup {
            let contents = reader
                .group(number, self.depth, &mut self.scratch.groups)
                .map_err(|error| Stop::wire(start, error))?;
            return Ok(Span {
                start,
                end: start + contents.len(),
            });
        }
        let contents = reader.length_delimited().map_err(|error| Stop::wire(start, error))?;
        let end = reader.position();
        Ok(Span {
            start: end - contents.len(),
            end,
        })
    }

    /// The value of a scalar record whose tag has just been read.
    #[inline(always)]
    pub(super) fn raw(&self, reader: &mut Reader<'a>, wire_type: WireType) -> Result<Raw<'a>, Box<Stop>> {
        let start = reader.position();
        match wire_type {
            WireType::Varint => reader.varint().map(Raw::Number),
            WireType::I64 => reader.fixed64().map(Raw::Number),
            WireType::I32 => reader.fixed32().map(|value| Raw::Number(value.into())),
            _ => reader.length_delimited().map(Raw::Bytes),
        }
        .map_err(|error| Stop::wire(start, error))
    }

    /// Whether the number names no member of a closed enum: such a value counts as an unknown field.
    #[inline]
    pub(super) fn is_unknown_enum_value(&self, kind: Kind, raw: Raw<'_>) -> bool {
        match (kind, raw) {
            (Kind::Enum(enumeration), Raw::Number(raw)) => {
                let enumeration = self.tables.enumeration(enumeration);
                enumeration.is_closed() && enumeration.quoted_name(raw as i32).is_none()
            }
            _ => false,
        }
    }

    #[inline]
    pub(super) fn count_step(&mut self) {
        #[cfg(test)]
        {
            self.scratch.steps += 1;
        }
    }
}

/// Memory that printing uses again. Each vector is a stack: a message leaves it as long as it found it.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The indexes of the messages being merged.
    pub(super) records: Vec<IndexedRecord>,
    /// The parts of split messages.
    pub(super) parts: Vec<Span>,
    /// What decides the oneofs of the messages being merged.
    pub(super) oneofs: Vec<Winner>,
    /// The keys of the map being merged.
    pub(super) map_keys: Vec<MapKey>,
    /// The path of a `FieldMask` being printed.
    pub(super) path: String,
    /// A digest of each key of the maps being printed.
    pub(super) digests: Vec<u64>,
    /// The slots from 64 on of the messages being printed: one bit each, set when taken.
    wide_slots: Vec<u64>,
    pub(super) room: Room,
    /// How many bytes a message may become; `None`: as many as it does.
    pub(super) limit: Option<usize>,
    /// The message has become more.
    pub(super) outgrown: bool,
    /// Where the groups of the input end.
    groups: Groups,
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.parts.clear();
        self.oneofs.clear();
        self.map_keys.clear();
        self.digests.clear();
        self.wide_slots.clear();
        self.groups.clear();
        self.outgrown = false;
    }
}

/// What to do with a message that isn't written in order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Redo {
    /// Print it again from its index, as long as there are that many bytes left to do again.
    Within(usize),
    /// Print everything from indexes in the first place.
    Never,
}

/// What to do with an `Any` of a type that the schema doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    Refuse,
    Base64,
}

/// The object being printed.
#[derive(Debug)]
pub(super) struct Members<'a> {
    pub(super) table: &'a MessageTable,
    /// Nothing is printed in it yet.
    pub(super) empty: bool,
    /// With `always_print_fields_with_no_presence`: all fields before this one are printed or have no need to be.
    pub(super) next: u32,
    /// Only one field is printed, without key and braces.
    pub(super) alone: bool,
}

impl<'a> Members<'a> {
    pub(super) fn new(table: &'a MessageTable) -> Self {
        Self {
            table,
            empty: true,
            next: 0,
            alone: false,
        }
    }

    pub(super) fn alone(table: &'a MessageTable) -> Self {
        Self {
            alone: true,
            ..Self::new(table)
        }
    }
}

/// What a message has had so far: one slot for each field outside of oneofs, one for each oneof.
#[derive(Debug)]
pub(super) struct Slots {
    pub(super) low: u64,
    /// Where the slots from 64 on begin in [`Scratch::wide_slots`].
    wide: usize,
}

/// Whether a scalar is the zero value of its type. Negative zero is not.
#[inline]
fn is_zero(kind: Kind, raw: Raw<'_>) -> bool {
    match raw {
        Raw::Bytes(bytes) => bytes.is_empty(),
        Raw::Number(0) => true,
        // 32-bit varints are cut to 32 bits.
        Raw::Number(raw) => {
            raw as u32 == 0 && matches!(kind, Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_))
        }
    }
}
