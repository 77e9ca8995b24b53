//! Messages and enums as components of a document, each made once.
//!
//! What is accepted and what is printed of one message are two schemas: JSON may have null for any field, numbers in
//! quotes, the number of an enum's value, and a client doesn't send what the service alone sets.

use std::collections::{BTreeMap, HashSet};

use prost_reflect::{EnumValueDescriptor, FieldDescriptor, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::options::{Behavior, is_visible};
use super::source::Source;
use super::swagger;
use super::values::{self, Side, nullable};
use super::writer::text;
use crate::codec::{BoundField, UnknownEnumNames, UnknownFields};
use crate::grpc::ErrorFormat;
use crate::schema::tables::{Cardinality, EnumIndex, Field, FieldIndex, Kind, MessageIndex, MessageTable, WellKnown};

/// The components so far.
pub(super) struct Schemas<'s> {
    source: &'s Source<'s>,
    /// As JSON.
    components: BTreeMap<String, Box<[u8]>>,
    known: HashSet<(MessageIndex, Side)>,
    /// Those of `known` that aren't made yet.
    pending: Vec<(MessageIndex, Side)>,
    enums: HashSet<EnumIndex>,
    /// What requests have within them, and what responses have.
    sent: HashSet<MessageIndex>,
    printed: HashSet<MessageIndex>,
    /// Whether a request has an Any somewhere.
    takes_any: bool,
}

/// What the schema says of a field to clients.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Whether requests must have it, as the service sees to.
    pub(super) required: bool,
    deprecated: bool,
    description: Option<String>,
    default: Option<Value>,
    swagger: Option<swagger::Field>,
}

impl Shown {
    /// Adds what is said of a field to its schema, or to its parameter.
    pub(super) fn describe(&self, schema: &mut Value) {
        let Some(schema) = schema.as_object_mut() else {
            return;
        };
        if let Some(text) = &self.description {
            schema.insert("description".to_owned(), text.as_str().into());
        }
        if self.deprecated {
            schema.insert("deprecated".to_owned(), true.into());
        }
    }

    /// Adds what is said of a field's values to their schema.
    pub(super) fn refine(&self, schema: &mut Value) {
        let Some(schema) = schema.as_object_mut() else {
            return;
        };
        if let Some(value) = &self.default {
            schema.insert("default".to_owned(), value.clone());
        }
        if let Some(said) = &self.swagger {
            said.refine(schema);
        }
    }
}

/// Fields of a message.
#[derive(Clone, Copy)]
pub(super) struct Fields<'f> {
    /// All but these.
    pub(super) without: &'f [BoundField],
    /// Whether they are those of an update, which has what changes: what a service requires of a whole message is then no
    /// more than allowed.
    pub(super) partial: bool,
}

impl Fields<'_> {
    pub(super) const ALL: Self = Self {
        without: &[],
        partial: false,
    };
}

impl<'s> Schemas<'s> {
    /// `sent` and `printed` are the messages that requests and responses begin with.
    pub(super) fn new(source: &'s Source<'s>, sent: Vec<MessageIndex>, printed: Vec<MessageIndex>) -> Self {
        Self {
            components: BTreeMap::new(),
            known: HashSet::new(),
            pending: Vec::new(),
            enums: HashSet::new(),
            sent: reached(source, sent),
            printed: reached(source, printed),
            takes_any: false,
            source,
        }
    }

    /// All components.
    pub(super) fn finish(mut self) -> BTreeMap<String, Box<[u8]>> {
        while let Some((message, side)) = self.pending.pop() {
            let schema = self.message(message, side, Fields::ALL);
            self.components.insert(self.name(message, side), text(&schema));
        }
        if self.takes_any {
            let types: Vec<_> = self
                .sent
                .iter()
                .map(|message| self.source.tables.message(*message))
                .filter(|table| table.well_known().is_none() && !table.needs_required_check())
                .map(|table| format!("type.googleapis.com/{}", table.full_name()))
                .collect();
            self.components.insert(ANY.to_owned(), text(&any(types, self.source)));
        }
        self.components
    }

    fn name(&self, message: MessageIndex, side: Side) -> String {
        let name = self.source.tables.message(message).full_name();
        match side == Side::Request && self.sent.contains(&message) && self.printed.contains(&message) {
            true => format!("{name}-Input"),
            false => name.to_owned(),
        }
    }

    /// The schema of one value of this type, by reference where it has a name.
    pub(super) fn value(&mut self, kind: Kind, side: Side) -> Value {
        if let Some(schema) = values::scalar(kind, side, self.source.print) {
            return schema;
        }
        match kind {
            Kind::Enum(index) => self.enumeration(index, side),
            Kind::Message(index) | Kind::Group(index) => {
                let table = self.source.tables.message(index);
                match table.well_known() {
                    Some(WellKnown::Any) if side == Side::Request => {
                        self.takes_any = true;
                        return reference(ANY);
                    }
                    Some(WellKnown::Wrapper) => {
                        let value = table.field(FieldIndex(0)).map(|field| field.kind);
                        return value.map_or_else(|| json!({}), |kind| self.value(kind, side));
                    }
                    Some(known) => {
                        if let Some(schema) = values::well_known(known, side) {
                            return schema;
                        }
                    }
                    None => {}
                }
                if self.known.insert((index, side)) {
                    self.pending.push((index, side));
                }
                reference(&self.name(index, side))
            }
            _ => json!({}),
        }
    }

    /// The schema of a field that is there.
    pub(super) fn field(&mut self, field: &Field, side: Side) -> Value {
        match field.cardinality {
            Cardinality::Singular => self.value(field.kind, side),
            Cardinality::Repeated => json!({ "type": "array", "items": self.value(field.kind, side) }),
            Cardinality::Map => {
                let Some((key, value)) = entry_kinds(self.source, field) else {
                    return json!({ "type": "object" });
                };
                let mut schema = json!({ "type": "object", "additionalProperties": self.value(value, side) });
                if let (Some(keys), Some(schema)) = (values::keys(key, side), schema.as_object_mut()) {
                    schema.insert("propertyNames".to_owned(), keys);
                }
                schema
            }
        }
    }

    /// The schema of these fields of a message, not by reference.
    pub(super) fn message(&mut self, message: MessageIndex, side: Side, fields: Fields<'_>) -> Value {
        let source = self.source;
        let Fields { without, partial } = fields;
        let table = source.tables.message(message);
        let descriptor = source.pool.get_message_by_name(table.full_name());
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut members: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
        for (field, at) in table.fields().iter().zip(0..) {
            let bound = without.iter().find(|bound| bound.field == FieldIndex(at));
            if bound.is_some_and(|bound| bound.below.is_empty()) || taken_oneof(table, without, field) {
                continue;
            }
            let Some(shown) = shown(source, descriptor.as_ref(), field, side) else {
                continue;
            };
            let name = self.printed_name(field);
            let mut schema = match (bound, field.kind) {
                (Some(bound), Kind::Message(below) | Kind::Group(below)) => self.message(
                    below,
                    side,
                    Fields {
                        without: &bound.below,
                        partial,
                    },
                ),
                _ => self.field(field, side),
            };
            let is_required = match side {
                Side::Request => field.required || shown.required && !partial,
                Side::Response => self.is_always_printed(field),
                Side::Parameter => false,
            };
            shown.refine(&mut schema);
            if side == Side::Request && !is_required {
                schema = nullable(schema);
            }
            shown.describe(&mut schema);
            if is_required {
                required.push(Value::from(name));
            }
            if side == Side::Request
                && let Some(oneof) = field.oneof
            {
                members.entry(oneof).or_default().push(self.is_set(field, name));
            }
            properties.insert(name.to_owned(), schema);
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        let Some(object) = schema.as_object_mut() else {
            return schema;
        };
        if !required.is_empty() {
            object.insert("required".to_owned(), required.into());
        }
        if let Some(limits) = at_most_one_each(members) {
            object.insert("not".to_owned(), json!({ "not": limits }));
        }
        if side == Side::Request && source.parse.unknown_fields == UnknownFields::Reject {
            object.insert("additionalProperties".to_owned(), false.into());
        }
        if let Some(text) = source.comments.get(table.full_name()) {
            object.insert("description".to_owned(), text.into());
        }
        if let Some(descriptor) = &descriptor
            && let Some(options) = &descriptor.descriptor_proto().options
        {
            if options.deprecated == Some(true) {
                object.insert("deprecated".to_owned(), true.into());
            }
            swagger::message(&descriptor.options(), object);
        }
        schema
    }

    /// Whether requests must have a field of a message, other than those of `without`.
    pub(super) fn requires(&self, message: MessageIndex, without: &[BoundField]) -> bool {
        let table = self.source.tables.message(message);
        let descriptor = self.source.pool.get_message_by_name(table.full_name());
        let mut fields = table.fields().iter().zip(0..);
        fields.any(|(field, at)| {
            let is_bound = without.iter().any(|bound| bound.field == FieldIndex(at));
            !is_bound && self.requires_field(descriptor.as_ref(), field)
        })
    }

    /// Whether requests must have a field.
    pub(super) fn requires_field(&self, message: Option<&MessageDescriptor>, field: &Field) -> bool {
        let shown = shown(self.source, message, field, Side::Request);
        shown.is_some_and(|shown| field.required || shown.required)
    }

    /// The name that a field goes by.
    pub(super) fn printed_name<'f>(&self, field: &'f Field) -> &'f str {
        self.source.tables.printed_name(field)
    }

    fn is_always_printed(&self, field: &Field) -> bool {
        let always = self.source.print.always_print_fields_with_no_presence;
        let without_presence = always && !field.presence && field.oneof.is_none() && !field.name.starts_with('[');
        !self.source.changes.removes() && (field.required || without_presence)
    }

    /// Holds for an object in which a member of a oneof is set: null sets only what has null for a value.
    fn is_set(&self, field: &Field, name: &str) -> Value {
        let tables = self.source.tables;
        let takes_null = match field.kind {
            Kind::Enum(index) => tables.enumeration(index).is_null_value(),
            Kind::Message(index) => tables.message(index).well_known() == Some(WellKnown::Value),
            _ => false,
        };
        match takes_null {
            true => json!({ "required": [name] }),
            false => json!({ "required": [name], "properties": { name: { "not": { "type": "null" } } } }),
        }
    }

    fn enumeration(&mut self, index: EnumIndex, side: Side) -> Value {
        let source = self.source;
        let table = source.tables.enumeration(index);
        let number = json!({ "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX });
        if table.is_null_value() {
            return match side {
                Side::Response => json!({ "type": "null" }),
                Side::Request => json!({ "anyOf": [{ "type": "null" }, { "const": "NULL_VALUE" }, number] }),
                Side::Parameter => json!({ "anyOf": [{ "const": "NULL_VALUE" }, number] }),
            };
        }
        let name = table.full_name();
        if side == Side::Response && source.print.always_print_enums_as_ints {
            let mut schema = number;
            if let (Some(schema), Some(text)) = (schema.as_object_mut(), self.said_of_enum(index, true)) {
                schema.insert("description".to_owned(), text.into());
            }
            return schema;
        }
        if self.enums.insert(index) {
            let names: Vec<_> = self.values(index).into_iter().map(|(_, name)| name).collect();
            let names = json!({ "type": "string", "enum": names });
            let mut schema = match table.is_closed() {
                true => names,
                // What the schema doesn't know is printed as its number.
                false => json!({ "anyOf": [names, number] }),
            };
            if let Some(schema) = schema.as_object_mut() {
                if let Some(text) = self.said_of_enum(index, false) {
                    schema.insert("description".to_owned(), text.into());
                }
                if let Some(descriptor) = source.pool.get_enum_by_name(name) {
                    swagger::enumeration(&descriptor.options(), schema);
                }
            }
            self.components.insert(name.to_owned(), text(&schema));
        }
        let of_name = reference(name);
        match side {
            Side::Response => of_name,
            _ if source.parse.unknown_enum_names == UnknownEnumNames::Ignore => {
                json!({ "anyOf": [of_name, { "type": "string" }, number] })
            }
            _ if table.is_closed() => json!({ "anyOf": [of_name, number] }),
            _ => of_name,
        }
    }

    /// The values of an enum that clients may see.
    fn values(&self, index: EnumIndex) -> Vec<(i32, String)> {
        let table = self.source.tables.enumeration(index);
        let descriptor = self.source.pool.get_enum_by_name(table.full_name());
        let is_shown = |number: i32| {
            let value = descriptor.as_ref().and_then(|descriptor| descriptor.get_value(number));
            value.is_none_or(|value| is_visible(&value.options(), "value", self.source.included()))
        };
        table
            .printed()
            .filter(|(number, _)| is_shown(*number))
            .map(|(number, name)| (number, name.to_owned()))
            .collect()
    }

    /// What is said of an enum and of its values, the numbers of these too where they are printed.
    fn said_of_enum(&self, index: EnumIndex, numbers: bool) -> Option<String> {
        let name = self.source.tables.enumeration(index).full_name();
        let descriptor = self.source.pool.get_enum_by_name(name)?;
        let mut parts: Vec<String> = self.source.comments.get(name).map(str::to_owned).into_iter().collect();
        let mut lines = Vec::new();
        for (number, printed) in self.values(index) {
            let declared = descriptor.get_value(number);
            let said = declared
                .as_ref()
                .and_then(|value| self.source.comments.get(&format!("{name}.{}", value.name())));
            let is_old = declared.as_ref().is_some_and(is_deprecated_value);
            let said = match (is_old, said.map(|said| said.replace('\n', " "))) {
                (true, said) => Some(
                    format!("Deprecated. {}", said.unwrap_or_default())
                        .trim_end()
                        .to_owned(),
                ),
                (false, said) => said,
            };
            match (numbers, said) {
                (true, Some(said)) => lines.push(format!("- {number}, `{printed}`: {said}")),
                (true, None) => lines.push(format!("- {number}, `{printed}`")),
                (false, Some(said)) => lines.push(format!("- `{printed}`: {said}")),
                (false, None) => {}
            }
        }
        if !lines.is_empty() {
            parts.push(lines.join("\n"));
        }
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }

    /// Adds what errors look like; the reference to it.
    pub(super) fn error(&mut self) -> Value {
        let detail = json!({ "type": "object", "properties": { "@type": { "type": "string" } } });
        let code = |about: &str| json!({ "type": "integer", "format": "int32", "description": about });
        let message = json!({ "type": "string" });
        let details = json!({ "type": "array", "items": detail });
        let schema = match self.source.errors {
            ErrorFormat::Status => json!({
                "type": "object",
                "properties": { "code": code(GRPC_CODE), "message": message, "details": details },
                "required": ["code"],
            }),
            ErrorFormat::Google => json!({
                "type": "object",
                "properties": {
                    "error": {
                        "type": "object",
                        "properties": {
                            "code": code("The HTTP status."),
                            "status": { "type": "string", "description": "The name of a google.rpc.Code." },
                            "message": message,
                            "details": details,
                        },
                        "required": ["code", "status", "message"],
                    },
                },
                "required": ["error"],
            }),
            ErrorFormat::Problem => json!({
                "type": "object",
                "properties": {
                    "type": { "type": "string" },
                    "title": { "type": "string", "description": "The name of a google.rpc.Code." },
                    "status": code("The HTTP status."),
                    "detail": message,
                    "code": code(GRPC_CODE),
                    "details": details,
                },
                "required": ["type", "title", "status", "code"],
            }),
        };
        self.components.insert(ERROR.to_owned(), text(&schema));
        reference(ERROR)
    }

    /// Adds what ends a stream that fails; the reference to it.
    pub(super) fn stream_error(&mut self) -> Value {
        let schema = json!({
            "type": "object",
            "description": "The last element of a stream that failed.",
            "properties": { "error": { "type": "object" } },
            "required": ["error"],
        });
        self.components.insert(STREAM_ERROR.to_owned(), text(&schema));
        reference(STREAM_ERROR)
    }
}

/// What is said of a field to clients; `None` where they aren't to know it, or it isn't theirs to send or to get.
pub(super) fn shown(
    source: &Source<'_>,
    message: Option<&MessageDescriptor>,
    field: &Field,
    side: Side,
) -> Option<Shown> {
    let Some(descriptor) = message.and_then(|message| message.get_field(field.number)) else {
        return Some(Shown::default());
    };
    let options = descriptor.options();
    let behavior = Behavior::of(&options);
    let swagger = swagger::Field::of(&options);
    let says = |said: fn(&swagger::Field) -> bool| swagger.as_ref().is_some_and(said);
    let output_only = behavior.output_only || says(swagger::Field::is_read_only);
    let is_theirs = match side {
        Side::Response => !behavior.input_only,
        Side::Request | Side::Parameter => !output_only || field.required,
    };
    if !is_theirs || !is_visible(&options, "field", source.included()) {
        return None;
    }
    let of_message = || {
        let message = descriptor.parent_message();
        message.descriptor_proto().options.is_some()
            && swagger::is_required(&message.options(), [&field.name, &field.json_name])
    };
    let comment = || source.comments.get(descriptor.full_name()).map(str::to_owned);
    Some(Shown {
        required: behavior.required || says(swagger::Field::is_required) || of_message(),
        deprecated: is_deprecated(&descriptor) || says(swagger::Field::is_deprecated),
        description: swagger.as_ref().and_then(swagger::Field::description).or_else(comment),
        default: descriptor
            .field_descriptor_proto()
            .default_value
            .as_ref()
            .and_then(|_| values::default(&field.default)),
        swagger,
    })
}

fn is_deprecated_value(value: &EnumValueDescriptor) -> bool {
    let options = value.enum_value_descriptor_proto().options.as_ref();
    options.and_then(|options| options.deprecated) == Some(true)
}

fn is_deprecated(field: &FieldDescriptor) -> bool {
    let options = field.field_descriptor_proto().options.as_ref();
    options.and_then(|options| options.deprecated) == Some(true)
}

/// Whether another member of the field's oneof is among those that are left out.
fn taken_oneof(table: &MessageTable, without: &[BoundField], field: &Field) -> bool {
    let others = without.iter().filter_map(|bound| table.field(bound.field));
    field.oneof.is_some()
        && others
            .into_iter()
            .any(|other| other.oneof == field.oneof && other.number != field.number)
}

/// Holds where of each oneof at most one member is set. In a `not` of a `not`, as generators of code make classes of other
/// forms.
fn at_most_one_each(members: BTreeMap<u32, Vec<Value>>) -> Option<Value> {
    let mut limits: Vec<_> = members.into_values().filter_map(at_most_one).collect();
    match limits.len() {
        0 | 1 => limits.pop(),
        _ => Some(json!({ "allOf": limits })),
    }
}

/// Holds where at most one of several conditions does; none where that is so in any case.
pub(super) fn at_most_one(mut conditions: Vec<Value>) -> Option<Value> {
    if conditions.len() < 2 {
        return None;
    }
    let none = json!({ "not": { "anyOf": conditions } });
    conditions.push(none);
    Some(json!({ "oneOf": conditions }))
}

/// An Any of a request: nothing, or a message of a known type. Of others there are too many to name.
fn any(mut types: Vec<String>, source: &Source<'_>) -> Value {
    types.sort_unstable();
    let mut schema = json!({
        "type": "object",
        "properties": { "@type": { "type": "string", "enum": types } },
        "anyOf": [{ "maxProperties": 0 }, { "required": ["@type"] }],
        "description": "A message, with its type as `@type`.",
    });
    if source.parse.unknown_fields == UnknownFields::Reject
        && let Some(schema) = schema.as_object_mut()
    {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    schema
}

/// The types of a map's keys and values.
pub(super) fn entry_kinds(source: &Source<'_>, map: &Field) -> Option<(Kind, Kind)> {
    let Kind::Message(entry) = map.kind else {
        return None;
    };
    let table = source.tables.message(entry);
    Some((table.field(FieldIndex(0))?.kind, table.field(FieldIndex(1))?.kind))
}

/// These messages and all within them.
fn reached(source: &Source<'_>, mut pending: Vec<MessageIndex>) -> HashSet<MessageIndex> {
    let mut reached: HashSet<_> = pending.iter().copied().collect();
    while let Some(message) = pending.pop() {
        for field in source.tables.message(message).fields() {
            if let Kind::Message(below) | Kind::Group(below) = field.kind
                && reached.insert(below)
            {
                pending.push(below);
            }
        }
    }
    reached
}

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

const GRPC_CODE: &str = "A google.rpc.Code.";

// Names that no message can have.
const ANY: &str = "google.protobuf.Any-Input";
const ERROR: &str = "Gateway-Error";
const STREAM_ERROR: &str = "Gateway-StreamError";
