//! Fields as query parameters, as `routing` binds them.
//!
//! The members of a oneof, of which a request may have one, are the properties of one parameter, an object whose members
//! each go into the query by their names (`style: form`, `explode: true`): so it can say that one is enough.

use std::collections::BTreeMap;

use prost_reflect::MessageDescriptor;
use serde_json::{Map, Value, json};

use super::changes::merge;
use super::schemas::{Schemas, Shown, at_most_one, entry_kinds, shown};
use super::source::Source;
use super::values::Side;
use crate::codec::{BoundField, has_text_form};
use crate::routing::{Body, Route};
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, MessageTable, WellKnown};

/// Adds the parameters of a route's query.
pub(super) fn add(source: &Source<'_>, schemas: &mut Schemas<'_>, route: &Route, out: &mut Vec<Value>) {
    let binding = &route.binding;
    let mut without = binding.bound.clone();
    merge(&mut without, source.sets(&route.method));
    match binding.body {
        Body::Whole => return,
        Body::None => {}
        Body::Field(field) => {
            without.retain(|bound| bound.field != field);
            without.push(BoundField {
                field,
                below: Vec::new(),
                record: None,
            });
        }
    }
    let mut walk = Walk {
        source,
        schemas,
        way: vec![route.method.input],
    };
    walk.below("", &without, out);
}

struct Walk<'w, 's> {
    source: &'w Source<'w>,
    schemas: &'w mut Schemas<'s>,
    /// The messages on the way to the fields at hand. One that is within itself ends it.
    way: Vec<MessageIndex>,
}

impl Walk<'_, '_> {
    /// Adds the parameters for the fields of the last message of the way, whose names begin with `prefix`.
    fn below(&mut self, prefix: &str, without: &[BoundField], out: &mut Vec<Value>) {
        let source = self.source;
        let Some(table) = self.way.last().map(|message| source.tables.message(*message)) else {
            return;
        };
        let descriptor = source.pool.get_message_by_name(table.full_name());
        let mut oneofs: BTreeMap<u32, Vec<Vec<Value>>> = BTreeMap::new();
        for (field, at) in table.fields().iter().zip(0..) {
            let bound = without.iter().find(|bound| bound.field == FieldIndex(at));
            let is_taken = bound.is_some_and(|bound| bound.below.is_empty()) || other_is_bound(table, without, field);
            // A dot in a name would be read as the end of one.
            if is_taken || field.name.starts_with('[') || out.len() >= MOST_PARAMETERS {
                continue;
            }
            let Some(shown) = shown(source, descriptor.as_ref(), field, Side::Parameter) else {
                continue;
            };
            let name = format!("{prefix}{}", self.schemas.printed_name(field));
            let within = bound.map(|bound| bound.below.as_slice()).unwrap_or_default();
            let mut parameters = Vec::new();
            self.field(field, &shown, &name, within, prefix.is_empty(), &mut parameters);
            match field.oneof {
                None => out.append(&mut parameters),
                Some(oneof) => oneofs.entry(oneof).or_default().push(parameters),
            }
        }
        for (oneof, mut members) in oneofs {
            members.retain(|member| !member.is_empty());
            match members.as_mut_slice() {
                [only] => out.append(only),
                _ => out.extend(choice(prefix, descriptor.as_ref(), oneof, members)),
            }
        }
    }

    /// Adds the parameter of a field, or those of the fields below it.
    fn field(
        &mut self,
        field: &Field,
        shown: &Shown,
        name: &str,
        without: &[BoundField],
        is_outermost: bool,
        out: &mut Vec<Value>,
    ) {
        let source = self.source;
        let mut written = Map::new();
        match field.cardinality {
            Cardinality::Map => match entry_kinds(source, field) {
                Some((_, Kind::Message(_) | Kind::Group(_))) | None => return,
                Some(_) => {
                    written.insert("style".to_owned(), "deepObject".into());
                    written.insert("explode".to_owned(), true.into());
                }
            },
            _ if has_text_form(source.tables, field.kind) => {}
            Cardinality::Repeated => return,
            Cardinality::Singular => {
                if let Some(below) = below(source, field)
                    && !self.way.contains(&below)
                    && self.way.len() < MOST_LEVELS
                {
                    self.way.push(below);
                    self.below(&format!("{name}."), without, out);
                    self.way.pop();
                }
                return;
            }
        }
        let mut schema = self.schemas.field(field, Side::Parameter);
        shown.refine(&mut schema);
        let mut parameter = json!({ "name": name, "in": "query" });
        shown.describe(&mut parameter);
        let Some(object) = parameter.as_object_mut() else {
            return;
        };
        if is_outermost && (field.required || shown.required) {
            object.insert("required".to_owned(), true.into());
        }
        object.append(&mut written);
        object.insert("schema".to_owned(), schema);
        out.push(parameter);
    }
}

/// The members of a oneof as one parameter, each with the parameters that it has. What has no single value has no place in
/// an object of a query, and is left out.
fn choice(prefix: &str, message: Option<&MessageDescriptor>, oneof: u32, members: Vec<Vec<Value>>) -> Option<Value> {
    let mut declared = message?.oneofs().filter(|oneof| !oneof.is_synthetic());
    let declared = declared.nth(usize::try_from(oneof).ok()?)?;
    let mut properties = Map::new();
    let mut set = Vec::new();
    for member in members {
        let mut names = Vec::new();
        for parameter in member {
            let name = parameter.get("name").and_then(Value::as_str)?.to_owned();
            let mut schema = parameter.get("schema")?.clone();
            if schema
                .get("type")
                .is_some_and(|kind| kind == "array" || kind == "object")
            {
                continue;
            }
            for key in ["description", "deprecated"] {
                if let (Some(said), Some(schema)) = (parameter.get(key), schema.as_object_mut()) {
                    schema.insert(key.to_owned(), said.clone());
                }
            }
            names.push(json!({ "required": [name] }));
            properties.insert(name, schema);
        }
        match names.len() {
            0 => {}
            1 => set.append(&mut names),
            _ => set.push(json!({ "anyOf": names })),
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if let (Some(limit), Some(schema)) = (at_most_one(set), schema.as_object_mut()) {
        schema.insert("not".to_owned(), json!({ "not": limit }));
    }
    Some(json!({
        "name": format!("{prefix}{}", declared.name()),
        "in": "query",
        "description": "One of these, each a parameter by its own name.",
        "style": "form",
        "explode": true,
        "schema": schema,
    }))
}

/// The message of a field that has fields by names in JSON.
pub(super) fn below(source: &Source<'_>, field: &Field) -> Option<MessageIndex> {
    match field.kind {
        Kind::Message(message) | Kind::Group(message) => {
            let known = source.tables.message(message).well_known();
            matches!(known, None | Some(WellKnown::Empty)).then_some(message)
        }
        _ => None,
    }
}

fn other_is_bound(table: &MessageTable, without: &[BoundField], field: &Field) -> bool {
    let mut others = without.iter().filter_map(|bound| table.field(bound.field));
    field.oneof.is_some() && others.any(|other| other.oneof == field.oneof && other.number != field.number)
}

/// More parameters, of deeper messages, nobody reads.
const MOST_PARAMETERS: usize = 300;
const MOST_LEVELS: usize = 8;
