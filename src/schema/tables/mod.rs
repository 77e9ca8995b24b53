//! Message tables: what the codec needs of a schema, laid out for reading in the hot path.
//!
//! Compiled once per configuration from a [`DescriptorPool`]; every message and enum of the pool gets a table.
//! Nothing here changes after [`Tables::build`].
//!
//! This file has the tables of a whole schema. Beside it: a message's fields by number and by name (`message`), one field
//! (`field`), the type of its value (`kind`) and its key in JSON (`key`), an enum's names (`enums`), and the hash by which
//! fields and enum values are found (`names`).

mod enums;
mod field;
mod key;
mod kind;
mod message;
mod names;

use std::collections::HashMap;

use prost_reflect::DescriptorPool;

use crate::schema::editions::Features;
pub use enums::EnumTable;
pub use field::{Cardinality, DefaultValue, Field};
pub use key::Key;
use kind::Names;
pub use kind::{EnumIndex, FieldIndex, Kind, MessageIndex, WellKnown};
pub use message::MessageTable;

/// The tables of one schema.
#[derive(Debug)]
pub struct Tables {
    messages: Vec<MessageTable>,
    enums: Vec<EnumTable>,
    by_name: HashMap<Box<str>, MessageIndex>,
    proto_names: bool,
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
            proto_names: false,
        }
    }

    /// These tables, with fields that are printed by their names in the `.proto` instead of lowerCamelCase. Both are read.
    pub fn with_proto_names(mut self) -> Self {
        self.proto_names = true;
        self.messages.iter_mut().for_each(MessageTable::take_proto_names);
        self
    }

    /// The name that a field is printed by.
    pub fn printed_name<'f>(&self, field: &'f Field) -> &'f str {
        match self.proto_names {
            true => &field.name,
            false => &field.json_name,
        }
    }

    /// These tables, with enum values that go by their names without the name of the enum in front, both of which are read.
    pub fn without_enum_prefixes(mut self) -> Self {
        for enumeration in &mut self.enums {
            enumeration.strip_prefix();
        }
        self
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
