//! One pass over one input: messages, fields, lists, maps and scalars.

use super::duplicates::{MapKeys, Seen};
use super::fault::{Fault, Result};
use super::lengths::{Lengths, slot as slots};
use super::scalar::{self, Integer, NotAFloat, NotAnInteger, expected_scalar, write_integer};
use super::scan::{self, JsonString, Scanner};
use super::type_index::TypeIndex;
use crate::codec::bound::{BoundField, BoundRecords, Present};
use crate::codec::options::{NullMessage, ParseOptions, UnknownEnumNames, UnknownFields};
use crate::codec::room::{self, Room};
use crate::schema::tables::{Cardinality, EnumTable, Field, FieldIndex, Kind, MessageTable, Tables, WellKnown};
use crate::text::append::append_part;
use crate::text::shown::{VALUE, shown};
use crate::wire::{DEPTH_LIMIT, MAX_VARINT_LENGTH, Tag, WireType, varint_length, write_varint};

/// One pass over one input.
pub(super) struct Parser<'p, 'j> {
    pub(super) tables: &'p Tables,
    pub(super) options: ParseOptions,
    pub(super) scan: Scanner<'j>,
    pub(super) out: Vec<u8>,
    /// Where the message begins in `out`.
    pub(super) start: usize,
    pub(super) scratch: &'p mut Scratch,
    /// How many objects and arrays are open.
    pub(super) depth: usize,
    /// What the path binds.
    pub(super) records: &'j BoundRecords,
    /// Whether the fields of the message that is open go into `present`.
    pub(super) collecting: bool,
    pub(super) present: Option<&'j mut Present>,
}

impl<'p, 'j> Parser<'p, 'j> {
    pub(super) fn end(&mut self) -> Result<()> {
        self.scan.skip_whitespace();
        if self.scan.is_at_end() {
            Ok(())
        } else {
            Err(self.scan.expected("the end of the input"))
        }
    }

    /// Passes over `null` where it means that nothing is there.
    pub(super) fn is_null_for_nothing(&mut self, table: &MessageTable) -> bool {
        self.options.null_message == NullMessage::Empty
            && table.well_known() != Some(WellKnown::Value)
            && self.scan.take_text(b"null")
    }

    /// A message's contents, from any JSON value.
    pub(super) fn message(&mut self, table: &'p MessageTable, bound: &[BoundField]) -> Result<()> {
        match table.well_known() {
            None | Some(WellKnown::Empty) => self.object(table, bound),
            // What the path binds within a well-known type takes all of it: its JSON form can't be merged with.
            Some(_) if !bound.is_empty() => {
                self.bound_fields(table, bound);
                self.scan.skip_value(self.depth)
            }
            Some(well_known) => self.well_known(well_known, table),
        }
    }

    pub(super) fn object(&mut self, table: &'p MessageTable, bound: &[BoundField]) -> Result<()> {
        self.open(b'{', "an object")?;
        self.members(table, bound, None)?;
        self.depth -= 1;
        Ok(())
    }

    /// After an element of a list: true at the next one, false after the closing bracket.
    #[inline]
    pub(super) fn next_element(&mut self) -> Result<bool> {
        room::keep_up(self.scan.at, self.scan.json().len(), self.start, &mut self.out);
        self.scan.next_element()
    }

    /// After an entry of a map: true at the next one, false after the closing brace.
    #[inline]
    pub(super) fn next_entry(&mut self) -> Result<bool> {
        room::keep_up(self.scan.at, self.scan.json().len(), self.start, &mut self.out);
        self.scan.next_member()
    }

    /// Passes over an opening bracket or brace.
    #[inline]
    pub(super) fn open(&mut self, opening: u8, what: &'static str) -> Result<()> {
        if self.scan.peek() != opening {
            return Err(self.scan.expected(what));
        }
        if self.depth >= DEPTH_LIMIT {
            return Err(scan::too_deep(self.scan.at));
        }
        self.depth += 1;
        self.scan.at += 1;
        Ok(())
    }

    /// The members of an object, from after its opening brace to after its closing one.
    ///
    /// `any`, in an `Any`, is where its `@type` has been found: the key at that place is passed over.
    pub(super) fn members(&mut self, table: &'p MessageTable, bound: &[BoundField], any: Option<usize>) -> Result<()> {
        if self.scan.closes(b'}') {
            self.bound_fields(table, bound);
            return Ok(());
        }
        let fields = table.fields();
        let oneofs = table.oneof_count() as usize;
        let mut seen = Seen::new(&self.scratch.seen);
        for bound in bound {
            if let Some(oneof) = table.field(bound.field).and_then(|field| field.oneof) {
                seen.insert(oneof as usize, &mut self.scratch.seen);
            }
            if bound.below.is_empty() {
                self.out.extend_from_slice(self.records.of(bound));
            }
        }
        let guesses = table.guesses();
        let mut guess = 0;
        let mut key_at = self.scan.at;
        let mut guessed = guesses.first().is_some_and(|field| self.scan.take_key(&field.key));
        loop {
            let index = if guessed {
                Some(guess)
            } else {
                self.look_up(table, any)?
            };
            self.scan.skip_whitespace();
            match index.and_then(|index| Some((index, fields.get(index)?))) {
                Some((index, field)) => {
                    guess = index + 1;
                    if seen.insert(oneofs + index, &mut self.scratch.seen) {
                        return Err(duplicate(key_at, field));
                    }
                    let plain = bound.is_empty() && field.oneof.is_none() && !self.collecting;
                    if !(plain && self.common_value(field)) {
                        let written = if plain {
                            self.value(field, slot_of(table, index as u32), &[])
                        } else {
                            self.member(table, index, field, bound, &mut seen)
                        };
                        written.map_err(|fault| fault.in_field(&field.json_name))?;
                    }
                }
                None => self.scan.skip_value(self.depth)?,
            }
            let field = guesses.get(guess);
            // Most keys come in the order of the fields, and without white space.
            key_at = self.scan.at + 1;
            guessed = field.is_some_and(|field| self.scan.take_next_key(&field.key));
            if !guessed {
                if !self.scan.next_member()? {
                    break;
                }
                // Without white space, it is known to be another one.
                let spaced = self.scan.at > key_at;
                key_at = self.scan.at;
                guessed = spaced && field.is_some_and(|field| self.scan.take_key(&field.key));
            }
        }
        if !bound.is_empty() {
            self.unseen_bound(table, bound, &mut seen);
        }
        seen.close(&mut self.scratch.seen);
        Ok(())
    }

    /// Appends what the path binds within fields that the body has not said.
    #[inline(never)]
    fn unseen_bound(&mut self, table: &'p MessageTable, bound: &[BoundField], seen: &mut Seen) {
        for bound in bound.iter().filter(|bound| !bound.below.is_empty()) {
            let bit = table.oneof_count() as usize + bound.field.0 as usize;
            if !seen.insert(bit, &mut self.scratch.seen) {
                self.bound_field(table, bound);
            }
        }
    }

    /// Appends what the path binds of a message of which the body says nothing.
    #[inline]
    pub(super) fn bound_fields(&mut self, table: &'p MessageTable, bound: &[BoundField]) {
        for bound in bound {
            self.bound_field(table, bound);
        }
    }

    /// Appends what the path binds of one field; nothing where that is an enum name to be left out.
    #[inline(never)]
    fn bound_field(&mut self, table: &'p MessageTable, bound: &BoundField) {
        if bound.below.is_empty() {
            self.out.extend_from_slice(self.records.of(bound));
            return;
        }
        if let Some(field) = table.field(bound.field) {
            let start = self.out.len();
            let slot = slot_of(table, bound.field.0);
            if !self.bound_message(field, slot, &bound.below) {
                self.out.truncate(start);
            }
        }
    }

    /// Appends the record of a message field of which the body says nothing, with what the path binds `below` it. Returns
    /// whether that is anything.
    pub(super) fn bound_message(&mut self, field: &'p Field, slot: usize, below: &[BoundField]) -> bool {
        field.tag.append_to(&mut self.out);
        match field.kind {
            Kind::Message(index) => {
                self.scratch.lengths.open(slot, &mut self.out);
                let contents = self.out.len();
                self.bound_fields(self.tables.message(index), below);
                let any = self.out.len() > contents;
                self.scratch.lengths.close(slot, &mut self.out);
                any
            }
            Kind::Group(index) => {
                let contents = self.out.len();
                self.bound_fields(self.tables.message(index), below);
                let any = self.out.len() > contents;
                Tag::new(field.number, WireType::EndGroup).append_to(&mut self.out);
                any
            }
            _ => false,
        }
    }

    /// A field's value, and what the path binds `below` it where the value is `null`.
    pub(super) fn value_and_bound(&mut self, field: &'p Field, slot: usize, below: &[BoundField]) -> Result<()> {
        let start = self.out.len();
        self.value(field, slot, below)?;
        if !below.is_empty() && self.out.len() == start && !self.bound_message(field, slot, below) {
            self.out.truncate(start);
        }
        Ok(())
    }

    /// Finds the field of the key that is next and passes over it and its colon; none for a key to be skipped.
    #[inline(never)]
    fn look_up(&mut self, table: &MessageTable, any: Option<usize>) -> Result<Option<usize>> {
        let key_at = self.scan.at;
        let key = self.scan.string("a key")?;
        self.scan.colon()?;
        let decoded = key.decoded();
        if let Some(type_at) = any
            && *decoded == *b"@type"
        {
            self.scan.skip_whitespace();
            return if self.scan.at == type_at {
                Ok(None)
            } else {
                Err(Fault::new(key_at, "found the key \"@type\" a second time"))
            };
        }
        match table.field_by_name(&decoded) {
            Some(index) => Ok(Some(index.0 as usize)),
            None => self.unknown_key(table, key_at, &key).map(|()| None),
        }
    }

    /// What `unknown_fields` says of a key that the message has no field for.
    pub(super) fn unknown_key(&self, table: &MessageTable, key_at: usize, key: &JsonString<'_>) -> Result<()> {
        match self.options.unknown_fields {
            UnknownFields::Ignore => Ok(()),
            UnknownFields::Reject => {
                let name = String::from_utf8_lossy(key.raw);
                let message = format!(
                    "found the unknown key \"{}\", expected a field of {}",
                    shown(name.as_bytes(), VALUE),
                    table.full_name()
                );
                Err(Fault::new(key_at, message).in_field(&name))
            }
        }
    }

    /// The value of a key that names `field`, which is more than its value: it is in a oneof, the path binds something
    /// of this message, or paths are collected.
    #[inline(never)]
    fn member(
        &mut self,
        table: &'p MessageTable,
        index: usize,
        field: &'p Field,
        bound: &[BoundField],
        seen: &mut Seen,
    ) -> Result<()> {
        let slot = slot_of(table, index as u32);
        let mut below: &[BoundField] = &[];
        if !bound.is_empty()
            && let Some(bound) = bound.iter().find(|bound| bound.field.0 as usize == index)
        {
            if bound.below.is_empty() || !self.is_plain_message(field) {
                if !bound.below.is_empty() {
                    self.bound_field(table, bound);
                }
                return self.scan.skip_value(self.depth);
            }
            below = &bound.below;
        } else if let Some(oneof) = field.oneof
            && !(self.scan.peek() == b'n' && !self.takes_null(field))
            && seen.insert(oneof as usize, &mut self.scratch.seen)
        {
            return Err(Fault::new(
                self.scan.at,
                "another field of the same oneof is already set",
            ));
        }
        if self.collecting {
            self.collected_value(field, slot, below)
        } else {
            self.value_and_bound(field, slot, below)
        }
    }

    /// A message whose JSON form is an object with its fields as keys.
    pub(super) fn is_plain_message(&self, field: &Field) -> bool {
        match (field.cardinality, field.kind) {
            (Cardinality::Singular, Kind::Message(index) | Kind::Group(index)) => {
                self.tables.message(index).well_known().is_none()
            }
            _ => false,
        }
    }

    /// Whether `null` is a value of this field rather than its absence.
    fn takes_null(&self, field: &Field) -> bool {
        field.cardinality == Cardinality::Singular && self.is_null_a_value(field.kind)
    }

    fn is_null_a_value(&self, kind: Kind) -> bool {
        match kind {
            Kind::Message(index) => self.tables.message(index).well_known() == Some(WellKnown::Value),
            Kind::Enum(index) => self.tables.enumeration(index).is_null_value(),
            _ => false,
        }
    }

    /// A field's value, with its path noted for the update mask.
    #[inline(never)]
    fn collected_value(&mut self, field: &'p Field, slot: usize, bound: &[BoundField]) -> Result<()> {
        let nested = self.is_plain_message(field) && self.scan.peek() == b'{' && {
            let mut ahead = self.scan;
            ahead.at += 1;
            !ahead.closes(b'}')
        };
        if nested {
            let length = self.scratch.prefix.len();
            self.scratch.prefix.push_str(&field.name);
            self.scratch.prefix.push('.');
            self.value_and_bound(field, slot, bound)?;
            self.scratch.prefix.truncate(length);
            return Ok(());
        }
        self.collecting = false;
        let ignorable = field.cardinality == Cardinality::Singular && self.scan.peek() == b'"';
        let start = self.out.len();
        self.value_and_bound(field, slot, bound)?;
        self.collecting = true;
        // Left out, as if it had not been there: see `record`.
        let left_out = ignorable && self.out.len() == start;
        if !left_out
            && let Some(present) = &mut self.present
            && !present.push(&self.scratch.prefix, &field.name)
        {
            return Err(Fault::new(self.scan.at, "the body's update mask is too long"));
        }
        Ok(())
    }

    /// A field's value.
    #[inline]
    pub(super) fn value(&mut self, field: &'p Field, slot: usize, bound: &[BoundField]) -> Result<()> {
        let next = self.scan.peek();
        // The most common one first.
        if next == b'"' && field.kind == Kind::String && field.cardinality == Cardinality::Singular {
            field.tag.append_to(&mut self.out);
            let string = self.scan.string("a string")?;
            self.string_contents(&string);
            return Ok(());
        }
        if next == b'n' && !self.takes_null(field) {
            return self.scan.literal("null");
        }
        match field.cardinality {
            Cardinality::Singular => self.record(field, &field.tag, slot, bound),
            Cardinality::Repeated if field.packed => self.packed(field, slot),
            Cardinality::Repeated => self.list(field, slot),
            Cardinality::Map => self.map(field, slot),
        }
    }

    /// One value with its tag; nothing for an enum name that isn't known and is to be left out.
    pub(super) fn record(&mut self, field: &'p Field, tag: &Tag, slot: usize, bound: &[BoundField]) -> Result<()> {
        let start = self.out.len();
        tag.append_to(&mut self.out);
        match field.kind {
            Kind::Message(index) => {
                self.scratch.lengths.open(slot, &mut self.out);
                self.message(self.tables.message(index), bound)?;
                self.scratch.lengths.close(slot, &mut self.out);
            }
            Kind::Group(index) => {
                self.message(self.tables.message(index), bound)?;
                Tag::new(field.number, WireType::EndGroup).append_to(&mut self.out);
            }
            Kind::Enum(index) => {
                let value = self.out.len();
                self.enumeration(self.tables.enumeration(index))?;
                if self.out.len() == value {
                    self.out.truncate(start);
                }
            }
            kind => self.scalar(kind)?,
        }
        Ok(())
    }

    fn packed(&mut self, field: &'p Field, slot: usize) -> Result<()> {
        self.open(b'[', "an array")?;
        if !self.scan.closes(b']') {
            let start = self.out.len();
            field.tag.append_to(&mut self.out);
            self.scratch.lengths.open(slot, &mut self.out);
            let contents = self.out.len();
            let mut index = 0;
            loop {
                let written = match field.kind {
                    Kind::Double => self.double_contents(),
                    Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => self.number(field.kind),
                    kind => self.scalar(kind),
                };
                written.map_err(|fault| fault.in_element(index))?;
                index += 1;
                if !self.next_element()? {
                    break;
                }
            }
            let empty = self.out.len() == contents;
            self.scratch.lengths.close(slot, &mut self.out);
            if empty {
                // All elements were names that the enum doesn't have.
                self.out.truncate(start);
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn list(&mut self, field: &'p Field, slot: usize) -> Result<()> {
        self.open(b'[', "an array")?;
        if !self.scan.closes(b']') {
            let mut index = 0;
            loop {
                if !(field.kind == Kind::String && self.common_string(&field.tag)) {
                    self.record(field, &field.tag, slot, &[])
                        .map_err(|fault| fault.in_element(index))?;
                }
                index += 1;
                if !self.next_element()? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn map(&mut self, field: &'p Field, slot: usize) -> Result<()> {
        self.open(b'{', "an object")?;
        let Kind::Message(entry) = field.kind else {
            return Err(Fault::new(self.scan.at, "the schema has a map without entries"));
        };
        let table = self.tables.message(entry);
        let (Some(key_field), Some(value_field)) = (table.field(FieldIndex(0)), table.field(FieldIndex(1))) else {
            return Err(Fault::new(
                self.scan.at,
                "the schema has a map entry without key and value",
            ));
        };
        let value_slot = slot_of(table, 1);
        if !self.scan.closes(b'}') {
            let keys = self.scratch.map_keys.open();
            loop {
                let start = self.out.len();
                field.tag.append_to(&mut self.out);
                self.scratch.lengths.open(slot, &mut self.out);
                let key = self.scan.string("a key")?;
                self.map_key(key_field, &key)?;
                self.scan.colon()?;
                self.scan.skip_whitespace();
                let value = self.out.len();
                self.record(value_field, &value_field.tag, value_slot, &[])
                    .map_err(|fault| fault.in_entry(key.raw))?;
                if self.out.len() > value {
                    self.scratch.lengths.close(slot, &mut self.out);
                } else {
                    // A value that is left out takes its entry with it.
                    self.scratch.lengths.abandon();
                    self.out.truncate(start);
                }
                if !self.next_entry()? {
                    break;
                }
            }
            self.scratch.map_keys.close(keys, self.scan.json())?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// The key of a map entry, with its tag.
    #[inline]
    fn map_key(&mut self, field: &Field, key: &JsonString<'j>) -> Result<()> {
        field.tag.append_to(&mut self.out);
        if field.kind == Kind::String {
            if key.escaped {
                self.scratch.map_keys.push_text(&key.decoded(), key);
            } else {
                self.scratch.map_keys.push_text(key.raw, key);
            }
            self.string_contents(key);
            return Ok(());
        }
        let decoded = key.decoded();
        let value = if field.kind == Kind::Bool {
            let value = match &*decoded {
                b"true" => 1,
                b"false" => 0,
                _ => {
                    return Err(scan::expected_at(
                        self.scan.json(),
                        key.start - 1,
                        "the key \"true\" or \"false\"",
                    ));
                }
            };
            self.out.push(value);
            u64::from(value)
        } else {
            let integer = Integer::parse(&decoded);
            self.integer(field.kind, integer, key.start - 1)?;
            // Two keys are the same when their values are: "1" and "1.0".
            integer
                .ok()
                .and_then(|integer| integer.as_i64().map(|value| value as u64).or(integer.as_u64()))
                .unwrap_or(0)
        };
        self.scratch.map_keys.push_number(value, key);
        Ok(())
    }

    /// A value that is no message, without its tag; nothing for an enum name that is to be left out.
    #[inline(always)]
    fn scalar(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::String => {
                let string = self.scan.string("a string")?;
                self.string_contents(&string);
            }
            Kind::Bool => {
                let value = match self.scan.peek() {
                    b't' if self.scan.take_text(b"true") => 1,
                    b'f' if self.scan.take_text(b"false") => 0,
                    _ => return Err(self.scan.expected("true or false")),
                };
                self.out.push(value);
            }
            Kind::Double => self.double_contents()?,
            Kind::Float => {
                let value = self.float()?;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Kind::Enum(index) => self.enumeration(self.tables.enumeration(index))?,
            Kind::Bytes => self.bytes()?,
            // Messages are records of their own: see `record`.
            Kind::Message(_) | Kind::Group(_) => {}
            _ => self.number(kind)?,
        }
        Ok(())
    }

    /// The contents of a string with their length.
    #[inline]
    pub(super) fn string_contents(&mut self, string: &JsonString<'j>) {
        if string.escaped {
            write_unescaped(string.raw, &mut self.out);
            return;
        }
        write_varint(string.raw.len() as u64, &mut self.out);
        append_part(self.scan.json(), string.start, string.raw.len(), &mut self.out);
    }

    fn bytes(&mut self) -> Result<()> {
        let at = self.scan.at;
        let string = self.scan.string("a base64 string")?;
        let text = string.decoded();
        if let Some(length) = scalar::base64_length(&text) {
            write_varint(length as u64, &mut self.out);
            if scalar::decode_base64(&text, &mut self.out) {
                return Ok(());
            }
        }
        Err(scan::expected_at(self.scan.json(), at, "a base64 string"))
    }

    /// An integer of any kind.
    #[inline]
    fn number(&mut self, kind: Kind) -> Result<()> {
        // The most common one fits every kind.
        if let Some((integer, length)) = scalar::small_integer(self.scan.rest()) {
            match kind {
                Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => {
                    self.scan.at += length;
                    write_varint(u64::from(integer), &mut self.out);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.any_number(kind)
    }

    #[inline(never)]
    fn any_number(&mut self, kind: Kind) -> Result<()> {
        let at = self.scan.at;
        let integer = match self.plain_integer() {
            Some(integer) => Ok(integer),
            None => self.unusual_integer(kind)?,
        };
        self.integer(kind, integer, at)
    }

    /// An integer of up to 19 digits with neither fraction nor exponent, as a number or in quotes, as 64-bit integers come.
    #[inline(always)]
    pub(super) fn plain_integer(&mut self) -> Option<Integer> {
        let quotes = usize::from(self.scan.peek() == b'"');
        let contents = self.scan.rest().get(quotes..)?;
        let (integer, length) = Integer::plain(contents)?;
        if quotes == 1 && contents.get(length) != Some(&b'"') {
            return None;
        }
        self.scan.at += length + 2 * quotes;
        Some(integer)
    }

    /// Any other integer, in quotes or not.
    #[inline(never)]
    fn unusual_integer(&mut self, kind: Kind) -> Result<std::result::Result<Integer, NotAnInteger>> {
        if self.scan.peek() == b'"' {
            let string = self.scan.string("a number")?;
            return Ok(Integer::parse(&string.decoded()));
        }
        let number = self.scan.number(expected_scalar(kind))?;
        Ok(Integer::from_decimal(number))
    }

    /// Writes an integer that was read at `at`.
    #[inline]
    fn integer(&mut self, kind: Kind, integer: std::result::Result<Integer, NotAnInteger>, at: usize) -> Result<()> {
        match integer
            .ok()
            .and_then(|integer| write_integer(kind, integer, &mut self.out))
        {
            Some(()) => Ok(()),
            None => Err(scan::expected_at(self.scan.json(), at, expected_scalar(kind))),
        }
    }

    #[inline]
    fn double_contents(&mut self) -> Result<()> {
        let value = self.double()?;
        self.out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    pub(super) fn double(&mut self) -> Result<f64> {
        if let Some((value, length)) = scalar::plain_double(self.scan.rest()) {
            self.scan.at += length;
            return Ok(value);
        }
        self.unusual_double()
    }

    #[inline(never)]
    fn unusual_double(&mut self) -> Result<f64> {
        let at = self.scan.at;
        let value = if self.scan.peek() == b'"' {
            let string = self.scan.string("a number")?;
            scalar::double_from_text(&string.decoded())
        } else {
            scalar::double_from_number(self.scan.number("a number")?)
        };
        value.map_err(|error| self.no_float(error, at, "a number", "a number that fits a double"))
    }

    fn float(&mut self) -> Result<f32> {
        let at = self.scan.at;
        let value = if self.scan.peek() == b'"' {
            let string = self.scan.string("a number")?;
            scalar::float_from_text(&string.decoded())
        } else {
            scalar::float_from_number(self.scan.number("a number")?)
        };
        value.map_err(|error| self.no_float(error, at, "a number", "a number that fits a float"))
    }

    #[cold]
    fn no_float(&self, error: NotAFloat, at: usize, malformed: &str, out_of_range: &str) -> Fault {
        let what = match error {
            NotAFloat::Malformed => malformed,
            NotAFloat::OutOfRange => out_of_range,
        };
        scan::expected_at(self.scan.json(), at, what)
    }

    /// An enum's value by name or number; nothing when the name isn't known and such names are left out.
    fn enumeration(&mut self, table: &EnumTable) -> Result<()> {
        let at = self.scan.at;
        match self.scan.peek() {
            b'"' => {
                let string = self.scan.string("a string")?;
                match table.number_of(&string.decoded(), self.options.case_insensitive_enums) {
                    Some(number) => write_varint(i64::from(number) as u64, &mut self.out),
                    None if self.options.unknown_enum_names == UnknownEnumNames::Ignore => {}
                    None => return Err(self.no_enum(table, at)),
                }
            }
            b'-' | b'0'..=b'9' => {
                let number = Integer::parse(self.scan.number("a number")?)
                    .ok()
                    .and_then(Integer::as_i32);
                let Some(number) = number else {
                    return Err(self.no_enum(table, at));
                };
                // Whether the enum has this number is the receiver's question: open enums keep it, closed ones put it
                // among their unknown fields.
                write_varint(i64::from(number) as u64, &mut self.out);
            }
            b'n' if table.is_null_value() => {
                self.scan.literal("null")?;
                self.out.push(0);
            }
            _ => return Err(self.no_enum(table, at)),
        }
        Ok(())
    }

    #[cold]
    fn no_enum(&self, table: &EnumTable, at: usize) -> Fault {
        let what = format!("a name or number of {}", table.full_name());
        scan::expected_at(self.scan.json(), at, &what)
    }

    /// What a field's value looks like, for errors.
    pub(super) fn expectation(&self, field: &Field) -> String {
        match (field.cardinality, field.kind) {
            (Cardinality::Repeated, _) => "an array".to_owned(),
            (Cardinality::Map, _) | (_, Kind::Message(_) | Kind::Group(_)) => "an object".to_owned(),
            (_, Kind::Enum(index)) => format!("a name or number of {}", self.tables.enumeration(index).full_name()),
            (_, kind) => expected_scalar(kind).to_owned(),
        }
    }
}

/// What outlives one message.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) lengths: Lengths,
    /// The bits of open messages with many fields: see [`Seen`].
    seen: Vec<u64>,
    pub(super) map_keys: MapKeys,
    pub(super) types: TypeIndex,
    pub(super) room: Room,
    /// The path of the message that is open, each name with its dot, while an update mask is collected.
    prefix: String,
}

impl Scratch {
    /// Forgets what an error may have left open.
    pub(super) fn clear(&mut self) {
        self.lengths.clear();
        self.seen.clear();
        self.map_keys.clear();
        self.types.clear();
        self.prefix.clear();
    }
}

/// Where [`Lengths`] keeps its hint for the field of `table` at `index`.
#[inline]
pub(super) fn slot_of(table: &MessageTable, index: u32) -> usize {
    slots::of_field(table.ordinal(FieldIndex(index)))
}

#[cold]
fn duplicate(at: usize, field: &Field) -> Fault {
    let names = if field.name == field.json_name {
        String::new()
    } else {
        format!(" (\"{}\" and \"{}\" are one field)", field.json_name, field.name)
    };
    Fault::new(at, format!("found the key of {} a second time{names}", field.name)).in_field(&field.json_name)
}

/// Appends a string with its length from the inside of a JSON string with escapes.
fn write_unescaped(raw: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    // Room for the length, which is that of `raw` or a little less; mostly it has as many bytes.
    let reserved = varint_length(raw.len() as u64);
    out.extend_from_slice(&[0; MAX_VARINT_LENGTH]);
    out.truncate(start + reserved);
    scan::unescape(raw, out);
    let length = out.len() - start - reserved;
    let end = out.len();
    write_varint(length as u64, out);
    let written = out.len() - end;
    if let Some(text) = out.get_mut(start..) {
        text.copy_within(text.len() - written.., 0);
        if written < reserved {
            text.copy_within(reserved..reserved + length, written);
        }
    }
    out.truncate(start + written + length);
}
