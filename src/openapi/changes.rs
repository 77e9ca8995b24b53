//! Which fields the gateway changes itself, as far as clients are to know.

use crate::codec::BoundField;
use crate::routing::{Method, Methods};
use crate::schema::tables::{Cardinality, FieldIndex, Kind, MessageIndex, Tables};
use crate::transform::{Entry, Operation};

/// What `transforms` change for every client.
#[derive(Debug, Default)]
pub struct Changes {
    /// The fields that are set in requests, by [`Method::index`].
    sets: Vec<Vec<BoundField>>,
    removes: bool,
}

impl Changes {
    /// What these entries change, each on the methods that it selects. Entries for some exchanges alone promise nothing.
    pub fn of(entries: &[Entry], methods: &Methods, tables: &Tables) -> Self {
        let descriptors = methods.descriptors();
        let mut changes = Self {
            sets: vec![Vec::new(); descriptors.len()],
            removes: entries.iter().any(|entry| entry.response.iter().any(removes)),
        };
        for entry in entries.iter().filter(|entry| entry.when.is_none()) {
            let mut selected = vec![None; descriptors.len()];
            let all = entry
                .selector
                .as_deref()
                .is_none_or(|selector| !methods.give(selector, (), &mut selected));
            let on_all = all && entry.selector.is_none();
            for ((descriptor, selected), sets) in descriptors.iter().zip(selected).zip(&mut changes.sets) {
                if !on_all && selected.is_none() {
                    continue;
                }
                let Some(input) = tables.message_index(descriptor.input().full_name()) else {
                    continue;
                };
                for operation in &entry.request {
                    if let Operation::Set { field, .. } = operation
                        && let Some(path) = field_path(tables, input, &field.text)
                    {
                        merge(sets, &[path]);
                    }
                }
            }
        }
        changes
    }

    pub(super) fn sets(&self, method: &Method) -> &[BoundField] {
        self.sets.get(method.index).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether fields may be missing from answers that else are always there.
    pub(super) fn removes(&self) -> bool {
        self.removes
    }
}

/// Adds what `others` leave out to a tree of fields.
pub(super) fn merge(tree: &mut Vec<BoundField>, others: &[BoundField]) {
    for other in others {
        match tree.iter_mut().find(|known| known.field == other.field) {
            None => tree.push(other.clone()),
            Some(known) if known.below.is_empty() => {}
            Some(known) if other.below.is_empty() => known.below.clear(),
            Some(known) => merge(&mut known.below, &other.below),
        }
    }
}

fn removes(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Remove(_) | Operation::Keep(_) | Operation::RemoveAnnotated { .. }
    )
}

/// The field at the end of a path through singular messages, as a tree.
fn field_path(tables: &Tables, input: MessageIndex, text: &str) -> Option<BoundField> {
    let mut message = input;
    let mut fields = Vec::new();
    for name in text.split('.') {
        let table = tables.message(message);
        let at = table.fields().iter().position(|field| *field.name == *name)?;
        let index = FieldIndex(u32::try_from(at).ok()?);
        let field = table.field(index)?;
        if field.cardinality != Cardinality::Singular {
            return None;
        }
        fields.push(index);
        if let Kind::Message(below) | Kind::Group(below) = field.kind {
            message = below;
        }
    }
    let leaf = |field| BoundField {
        field,
        below: Vec::new(),
        record: None,
    };
    let mut around = fields.into_iter().rev();
    let last = leaf(around.next()?);
    Some(around.fold(last, |below, field| BoundField {
        below: vec![below],
        ..leaf(field)
    }))
}
