//! The name of a parameter as the way to a field, and the record of a value there.

use super::scope::{Scope, Source};
use crate::codec::{CodecError, ParseOptions, has_text_form, text_to_wire};
use crate::routing::binding::{self, Body};
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, MessageTable, Tables, WellKnown};
use crate::text::shown::{VALUE, shown};
use crate::wire::{DEPTH_LIMIT, write_record};

/// The way to a field.
#[derive(Debug, Default)]
pub(super) struct FieldPath {
    /// The fields from the outermost message on, each with the message that it belongs to. The last one has the value.
    pub(super) steps: Vec<(MessageIndex, FieldIndex)>,
    /// The record of the key, where the last field is a map; then its entry.
    pub(super) entry: Vec<u8>,
}

impl FieldPath {
    /// Sets the way to the field that the parameter `name` binds, and the key if it is an entry of a map. Returns `false`
    /// if it binds to nothing; it is an error if it names a field that a parameter can't give, or no key.
    pub(super) fn find(
        &mut self,
        tables: &Tables,
        scope: &Scope<'_>,
        name: &[u8],
        parse: &ParseOptions,
    ) -> Result<bool, String> {
        self.steps.clear();
        self.entry.clear();
        let body = match scope.body {
            Body::None => None,
            Body::Whole => return Ok(false),
            Body::Field(field) => Some(field),
        };
        let mut message = scope.message;
        let mut path_bound = scope.bound;
        let mut at = 0;
        let mut segments = name.split(|byte| *byte == b'.').peekable();
        while let Some(segment) = segments.next() {
            if self.steps.len() == DEPTH_LIMIT {
                return Err(format!("expected a nesting of at most {DEPTH_LIMIT} messages"));
            }
            let table = tables.message(message);
            let Some(index) = table.field_by_name(segment) else {
                return match map_entry(table, name.get(at..).unwrap_or_default()) {
                    Some((index, key)) => self.find_entry(tables, scope, message, index, key, parse),
                    None => Ok(false),
                };
            };
            let Some(field) = table.field(index) else {
                return Ok(false);
            };
            at += segment.len() + 1;
            if self.steps.is_empty() && body == Some(index) {
                return Ok(false);
            }
            path_bound = match path_bound.iter().find(|bound| bound.field == index) {
                Some(leaf) if leaf.below.is_empty() => return Ok(false),
                Some(inner) => &inner.below,
                None => &[],
            };
            self.steps.push((message, index));
            if field.cardinality == Cardinality::Map {
                return self.write_key(tables, scope, field, None, parse).map(|()| true);
            }
            if segments.peek().is_none() {
                if !has_text_form(tables, field.kind) {
                    return Err(not_by_a_parameter(tables, field, scope.source));
                }
            } else if field.cardinality == Cardinality::Singular
                && let Some(below) = binding::below(tables, field)
            {
                message = below;
            } else {
                return Err(not_by_a_parameter(tables, field, scope.source));
            }
        }
        Ok(true)
    }

    /// Ends the way at an entry of a map, the field `index` of `message`, if it is one.
    #[inline(never)]
    fn find_entry(
        &mut self,
        tables: &Tables,
        scope: &Scope<'_>,
        message: MessageIndex,
        index: FieldIndex,
        key: &[u8],
        parse: &ParseOptions,
    ) -> Result<bool, String> {
        let field = tables.message(message).field(index);
        // Brackets after what is no map are what other frameworks write for lists: `tags[]`.
        let Some(field) = field.filter(|field| field.cardinality == Cardinality::Map) else {
            return Ok(false);
        };
        if self.steps.is_empty() && scope.body == Body::Field(index) {
            return Ok(false);
        }
        self.steps.push((message, index));
        self.write_key(tables, scope, field, Some(key), parse)?;
        Ok(true)
    }

    /// Sets the entry of the map `field` to the record of its key, from what is in brackets. On error says how a parameter
    /// names an entry, or what the key should be.
    #[inline(never)]
    fn write_key(
        &mut self,
        tables: &Tables,
        scope: &Scope<'_>,
        field: &Field,
        key: Option<&[u8]>,
        parse: &ParseOptions,
    ) -> Result<(), String> {
        let (name, source) = (&field.name, scope.source);
        let Some((key_field, value_field)) = entry_fields(tables, field) else {
            return Err(format!("`{name}` is a map, which {source} can't give"));
        };
        if matches!(value_field.kind, Kind::Message(_) | Kind::Group(_)) {
            return Err(format!("`{name}` is a map of messages, which {source} can't give"));
        }
        let Some(key) = key.and_then(|key| key.strip_suffix(b"]")) else {
            return Err(format!(
                "`{name}` is a map: expected one of its entries, as in `{name}[key]`"
            ));
        };
        let key = std::str::from_utf8(key).map_err(|_| format!("the key of `{name}` isn't UTF-8"))?;
        if key_field.kind == Kind::Bool && !["true", "false"].contains(&key) {
            return Err(format!(
                "the key of `{name}`: expected true or false, found \"{}\"",
                shown(key.as_bytes(), VALUE)
            ));
        }
        text_to_wire(tables, key_field, key, parse, &mut self.entry)
            .map_err(|error| format!("the key of `{name}`: {}", error.message))
    }

    /// Appends the record of the field to `out`, with `text` as the value; nothing where the value is to be left out
    /// (an enum name that isn't known and may be ignored). To be called once.
    pub(super) fn write(
        &mut self,
        tables: &Tables,
        text: &str,
        parse: &ParseOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let Some((message, index)) = self.steps.last() else {
            return Ok(());
        };
        match tables.message(*message).field(*index) {
            Some(field) if field.cardinality == Cardinality::Map => {
                write_entry(tables, field, text, parse, &mut self.entry, out)
            }
            Some(field) => text_to_wire(tables, field, text, parse, out),
            None => Ok(()),
        }
    }

    /// Whether the field is neither a list nor a map.
    pub(super) fn is_singular(&self, tables: &Tables) -> bool {
        let last = self.steps.last();
        let field = last.and_then(|(message, index)| tables.message(*message).field(*index));
        field.is_some_and(|field| field.cardinality == Cardinality::Singular)
    }

    /// Appends the names of the fields, as the `.proto` has them and with dots between them.
    pub(super) fn name(&self, tables: &Tables, out: &mut String) {
        for (message, index) in &self.steps {
            if let Some(field) = tables.message(*message).field(*index) {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&field.name);
            }
        }
    }
}

/// The field that a name with a bracket names before it, and what is after it: a key and a closing bracket.
#[inline(never)]
fn map_entry<'n>(table: &MessageTable, name: &'n [u8]) -> Option<(FieldIndex, &'n [u8])> {
    let (map, key) = name.split_at_checked(memchr::memchr(b'[', name)?)?;
    Some((table.field_by_name(map)?, key.get(1..)?))
}

/// Appends an entry of the map `field` to `out`, with `text` as the value; `entry` is the record of its key.
// Apart, as most parameters are no entries, and pay for what is inlined around their own way.
#[inline(never)]
fn write_entry(
    tables: &Tables,
    field: &Field,
    text: &str,
    parse: &ParseOptions,
    entry: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let Some((_, value)) = entry_fields(tables, field) else {
        return Ok(());
    };
    let key = entry.len();
    text_to_wire(tables, value, text, parse, entry)?;
    // A value that is left out takes its entry with it, as in JSON.
    if entry.len() > key {
        write_record(field.number, entry, out);
    }
    Ok(())
}

/// The fields of a map's entries: key and value.
fn entry_fields<'t>(tables: &'t Tables, map: &Field) -> Option<(&'t Field, &'t Field)> {
    let Kind::Message(entry) = map.kind else {
        return None;
    };
    let table = tables.message(entry);
    Some((table.field(FieldIndex(0))?, table.field(FieldIndex(1))?))
}

/// Why this field isn't one that a parameter binds, or has no fields below that one could.
fn not_by_a_parameter(tables: &Tables, field: &Field, source: Source) -> String {
    let name = &field.name;
    let (Kind::Message(message) | Kind::Group(message)) = field.kind else {
        return format!("`{name}` has no fields: expected `{name}` alone");
    };
    let table = tables.message(message);
    match table.well_known() {
        Some(WellKnown::Any | WellKnown::ListValue | WellKnown::Struct | WellKnown::Value) => {
            format!("`{name}` is a `{}`, which {source} can't give", table.full_name())
        }
        Some(WellKnown::Duration | WellKnown::FieldMask | WellKnown::Timestamp | WellKnown::Wrapper) => {
            format!("`{name}` has no fields in JSON: expected `{name}` alone")
        }
        _ if field.cardinality == Cardinality::Repeated => {
            format!("`{name}` is a list of messages, which {source} can't give")
        }
        _ => match table.fields().first() {
            Some(first) => format!(
                "`{name}` is a message: expected one of its fields, as in `{name}.{}`",
                first.name
            ),
            None => format!("`{name}` is a message without fields, which {source} can't give"),
        },
    }
}
