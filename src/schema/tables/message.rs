//! The table of one message: its fields by number and by name.

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::field::Field;
use super::key::Key;
use super::kind::{FieldIndex, Names, WellKnown};
use super::names::{NONE, NameSlot, hash_name};
use crate::schema::editions::Features;
use crate::text::equal::equal;

/// One message type.
#[derive(Debug)]
pub struct MessageTable {
    full_name: Box<str>,
    pub(super) fields: Box<[Field]>,
    /// Field index by number for the small numbers; `NONE` where there is no such field.
    dense: Box<[u32]>,
    /// Open addressing over both names of every field; a power of two long, at most half full.
    names: Box<[NameSlot]>,
    seed: u64,
    /// How many fields the messages before this one have.
    pub(super) first_ordinal: usize,
    oneof_count: u32,
    well_known: Option<WellKnown>,
    pub(super) needs_required_check: bool,
    /// What is read by each field's key is that field.
    reads_keys: bool,
}

/// Numbers below this have a slot in `MessageTable::dense`; beyond, fields are found by binary search.
const DENSE_LIMIT: u32 = 256;

impl MessageTable {
    pub(super) fn build(descriptor: &MessageDescriptor, names: &Names<'_>, features: &Features, seed: u64) -> Self {
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
            reads_keys: true,
        };
        table.fill_names();
        table
    }

    fn fill_names(&mut self) {
        let mask = self.names.len() - 1;
        // What comes first is found first: where one field's JSON name is another's own, the former has it.
        let json_names = self
            .fields
            .iter()
            .zip(0..)
            .map(|(field, index)| (&field.json_name, index));
        let own_names = self.fields.iter().zip(0..).map(|(field, index)| (&field.name, index));
        for (name, index) in json_names.chain(own_names) {
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

    /// Has all fields printed by their names in the `.proto`.
    pub(super) fn take_proto_names(&mut self) {
        for field in &mut self.fields {
            field.key = Key::new(&field.name);
        }
        // Where it is another one's JSON name too, it is read as that.
        let mut fields = self.fields.iter().zip(0..);
        self.reads_keys =
            fields.all(|(field, index)| self.field_by_name(field.name.as_bytes()) == Some(FieldIndex(index)));
    }

    /// All fields, if each may be guessed by its [`Field::key`] before it is looked up; else none.
    #[inline]
    pub fn guesses(&self) -> &[Field] {
        if self.reads_keys { &self.fields } else { &[] }
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

    /// The field that JSON calls `name`: by its JSON name, or `[full.name]` of an extension, and else by its name in the
    /// `.proto`.
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
                && (equal(field.json_name.as_bytes(), name) || equal(field.name.as_bytes(), name))
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
