//! What grpc-gateway's options say of messages, fields and enums.

use prost_reflect::DynamicMessage;
use serde_json::{Map, Number, Value, json};

use super::super::options::text;
use super::said::{self, extensions, external_docs, find, flag, literal, strings, texts, within};

const TITLE_AND_DESCRIPTION: [(&str, &str); 2] = [("title", "title"), ("description", "description")];

/// What `openapiv2_schema` says of a message.
pub(in super::super) fn message(options: &DynamicMessage, schema: &mut Map<String, Value>) {
    let Some(said) = find(options, "openapiv2_schema") else {
        return;
    };
    if let Some(of_json) = within(&said, "json_schema") {
        texts(&of_json, &TITLE_AND_DESCRIPTION, schema);
        extensions(&of_json, schema);
    }
    external_docs(&said, schema);
    example(&said, schema);
}

/// Whether `openapiv2_schema` of a message requires the field with these names.
pub(in super::super) fn is_required(options: &DynamicMessage, names: [&str; 2]) -> bool {
    let said = find(options, "openapiv2_schema").and_then(|said| within(&said, "json_schema"));
    let required = said.map(|said| strings(&said, "required")).unwrap_or_default();
    let mut required = required.iter().filter_map(Value::as_str);
    required.any(|name| names.contains(&name))
}

/// What `openapiv2_enum` says of an enum.
pub(in super::super) fn enumeration(options: &DynamicMessage, schema: &mut Map<String, Value>) {
    let Some(said) = find(options, "openapiv2_enum") else {
        return;
    };
    texts(&said, &TITLE_AND_DESCRIPTION, schema);
    external_docs(&said, schema);
    example(&said, schema);
    extensions(&said, schema);
}

fn example(said: &DynamicMessage, schema: &mut Map<String, Value>) {
    if let Some(example) = text(said, "example") {
        schema.insert("examples".to_owned(), json!([literal(&example)]));
    }
}

/// What `openapiv2_field` says of a field.
#[derive(Debug)]
pub(in super::super) struct Field(DynamicMessage);

impl Field {
    pub(in super::super) fn of(options: &DynamicMessage) -> Option<Self> {
        find(options, "openapiv2_field").map(Self)
    }

    /// Whether it is only ever in responses.
    pub(in super::super) fn is_read_only(&self) -> bool {
        flag(&self.0, "read_only")
    }

    /// Whether its message must have it: the list is that of the message, given at the field.
    pub(in super::super) fn is_required(&self) -> bool {
        !strings(&self.0, "required").is_empty()
    }

    pub(in super::super) fn is_deprecated(&self) -> bool {
        within(&self.0, "field_configuration").is_some_and(|more| flag(&more, "deprecated"))
    }

    pub(in super::super) fn description(&self) -> Option<String> {
        text(&self.0, "description")
    }

    /// Adds what is said of values to their schema. What its type has no use for is left out, and so is what would make
    /// another type of it.
    pub(in super::super) fn refine(&self, schema: &mut Map<String, Value>) {
        let said = &self.0;
        texts(said, &[("title", "title")], schema);
        let is = |schema: &Map<String, Value>, kind: &str| match schema.get("type") {
            Some(Value::String(only)) => only == kind,
            Some(Value::Array(several)) => several.iter().any(|one| one == kind),
            _ => false,
        };
        let is_text = is(schema, "string") && !is(schema, "integer") && !is(schema, "number");
        for (name, written) in [("default", "default"), ("example", "examples")] {
            let Some(text) = text(said, name) else {
                continue;
            };
            let value = match literal(&text) {
                value if !is_text || value.is_string() => value,
                _ => text.into(),
            };
            let value = if written == "examples" { json!([value]) } else { value };
            schema.insert(written.to_owned(), value);
        }
        // Text that is anything else than itself, such as a number, has a form already.
        if is_text && !schema.contains_key("format") && !schema.contains_key("pattern") {
            texts(said, &[("format", "format"), ("pattern", "pattern")], schema);
            let allowed = strings(said, "enum");
            if !allowed.is_empty() {
                schema.insert("enum".to_owned(), allowed.into());
            }
            put(schema, "maxLength", whole(said, "max_length"));
            put(schema, "minLength", whole(said, "min_length"));
        }
        if is(schema, "integer") || is(schema, "number") {
            for (name, exclusive, inclusive, excluded) in [
                ("maximum", "exclusive_maximum", "maximum", "exclusiveMaximum"),
                ("minimum", "exclusive_minimum", "minimum", "exclusiveMinimum"),
            ] {
                match flag(said, exclusive) {
                    true => put(schema, excluded, Some(number(said, name).unwrap_or_else(|| 0.into()))),
                    false => put(schema, inclusive, number(said, name)),
                }
            }
            put(schema, "multipleOf", number(said, "multiple_of"));
        }
        if is(schema, "array") {
            put(schema, "maxItems", whole(said, "max_items"));
            put(schema, "minItems", whole(said, "min_items"));
            put(schema, "uniqueItems", flag(said, "unique_items").then(|| true.into()));
        }
        if is(schema, "object") {
            put(schema, "maxProperties", whole(said, "max_properties"));
            put(schema, "minProperties", whole(said, "min_properties"));
        }
        extensions(said, schema);
    }
}

fn put(schema: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        schema.insert(name.to_owned(), value);
    }
}

/// A number, unless it is 0, which is none.
fn number(said: &DynamicMessage, name: &str) -> Option<Value> {
    let number = said.get_field_by_name(name)?.as_f64().filter(|number| *number != 0.0)?;
    said::number(number)
}

fn whole(said: &DynamicMessage, name: &str) -> Option<Value> {
    let number = said.get_field_by_name(name)?.as_u64()?;
    (number != 0).then(|| Number::from(number).into())
}
