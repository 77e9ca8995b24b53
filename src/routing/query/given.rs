//! What parameters have given so far: nothing may be given twice.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::field_path::FieldPath;
use super::scope::{Scope, Source};
use super::submessages::{ROOT, Submessages};
use crate::routing::binding::{self, Body};
use crate::schema::tables::{Cardinality, Field, FieldIndex, Tables};

/// What parameters have given so far. Messages have the numbers of [`Submessages`].
#[derive(Debug, Default)]
pub(super) struct Given {
    /// By message and field: the number of the message in it, or [`ROOT`] for a field that holds a value.
    fields: HashMap<(u32, FieldIndex), u32>,
    /// By message and oneof: the member that is set.
    oneofs: HashMap<(u32, u32), FieldIndex>,
    /// By message and map: the keys, in wire format. Not hashed: a second type of key would have the compiler share the
    /// code that hashes, and all other parameters pay for it.
    keys: BTreeSet<(u32, u32, Vec<u8>)>,
}

/// Where a parameter's record belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The number of the message that holds the field.
    pub(super) message: u32,
    /// Whether it is the first record of its field.
    pub(super) is_first: bool,
}

/// So many fields may be given by name. Each takes some hundred bytes while they are gathered, and two letters may give one
/// more: the length of what is sent is no bound.
const MAX_FIELDS: usize = 1 << 16;

/// So many fields take memory that stays for the next request.
const KEPT_FIELDS: usize = 1 << 10;

impl Given {
    /// Forgets all, but for the submessages that the path has opened.
    pub(super) fn begin(&mut self, submessages: &Submessages) {
        if self.fields.capacity() > 2 * KEPT_FIELDS {
            *self = Self::default();
        }
        self.fields.clear();
        self.oneofs.clear();
        self.keys.clear();
        for (parent, field, number) in submessages.numbered() {
            self.fields.insert((parent, field), number);
        }
    }

    /// Adds the field at the end of `field_path`, and the messages on the way to it, unless that gives a singular field or a
    /// key of a map twice, or two members of one oneof: by the parameters themselves, with the path, or with the body field.
    pub(super) fn add(
        &mut self,
        tables: &Tables,
        scope: &Scope<'_>,
        field_path: &FieldPath,
        submessages: &mut Submessages,
    ) -> Result<Place, String> {
        let FieldPath { steps, entry: key } = field_path;
        let mut place = Place {
            message: ROOT,
            is_first: true,
        };
        let mut path_bound = scope.bound;
        let mut body = match scope.body {
            Body::Field(field) if scope.has_body => Some(field),
            _ => None,
        };
        for ((table_index, index), below) in steps.iter().zip((0..steps.len()).rev()) {
            let table = tables.message(*table_index);
            let Some(field) = table.field(*index) else {
                return Ok(place);
            };
            let message = place.message;
            let conflict = |member: FieldIndex, by: &str| {
                let other = table.field(member).map_or("", |field| &field.name);
                Err(format!(
                    "`{}` and `{other}`, which {by} gives, are members of one oneof: expected one of them",
                    field.name
                ))
            };
            if let Some(oneof) = field.oneof {
                let shares = |member: FieldIndex| binding::shares_oneof(table, member, *index);
                if let Some(bound) = path_bound.iter().find(|bound| shares(bound.field)) {
                    return conflict(bound.field, "the path");
                }
                if let Some(member) = body.filter(|member| shares(*member)) {
                    return conflict(member, "the body");
                }
                let member = *self.oneofs.entry((message, oneof)).or_insert(*index);
                if member != *index {
                    return conflict(
                        member,
                        match scope.source {
                            Source::Query => "the query too",
                            Source::Form => "the form too",
                        },
                    );
                }
            }
            path_bound = match path_bound.iter().find(|bound| bound.field == *index) {
                Some(bound) => &bound.below,
                None => &[],
            };
            body = None;
            if self.fields.len() + self.keys.len() + submessages.leaves() > MAX_FIELDS {
                return Err(format!("expected at most {MAX_FIELDS} fields, found one more"));
            }
            if field.cardinality == Cardinality::Map {
                self.add_key(message, *index, field, key)?;
            }
            match self.fields.entry((message, *index)) {
                Entry::Vacant(entry) if below > 0 => {
                    place.message = *entry.insert(submessages.add(message, (*table_index, *index)));
                }
                Entry::Vacant(entry) => {
                    entry.insert(ROOT);
                }
                Entry::Occupied(entry) if below > 0 => place.message = *entry.get(),
                Entry::Occupied(_) if field.cardinality == Cardinality::Singular => {
                    return Err(format!("expected `{}` once, found it again", field.name));
                }
                Entry::Occupied(_) => place.is_first = false,
            }
        }
        Ok(place)
    }

    #[inline(never)]
    fn add_key(&mut self, message: u32, index: FieldIndex, field: &Field, key: &[u8]) -> Result<(), String> {
        match self.keys.insert((message, index.0, key.to_vec())) {
            true => Ok(()),
            false => Err(format!("expected each key of `{}` once, found it again", field.name)),
        }
    }
}
