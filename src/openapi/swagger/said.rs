//! What a message of grpc-gateway's options says, read, and written as OpenAPI has it.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Reflected};
use serde_json::{Map, Number, Value};

use super::super::options::{option, text};

const PACKAGE: &str = "grpc.gateway.protoc_gen_openapiv2.options";

/// The value of the option with this name, if it is set.
pub(super) fn find(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    option(options, &format!("{PACKAGE}.{name}"))?.as_message().cloned()
}

/// Adds `external_docs`, which have a URL (OpenAPI 3.1.0, section 4.8.11).
pub(super) fn external_docs(said: &DynamicMessage, out: &mut Map<String, Value>) {
    if let Some(docs) = within(said, "external_docs").filter(|docs| text(docs, "url").is_some()) {
        let names = [("description", "description"), ("url", "url")];
        out.insert("externalDocs".to_owned(), object(&docs, &names).into());
    }
}

/// Adds `extensions`, whose names begin with `x-` (OpenAPI 3.1.0, section 4.9).
pub(super) fn extensions(said: &DynamicMessage, out: &mut Map<String, Value>) {
    for (name, value) in entries(said, "extensions") {
        if name.starts_with("x-")
            && let Some(value) = value.as_message()
        {
            out.insert(name, json_of(value, DEEPEST));
        }
    }
}

/// The texts of a message by other names.
pub(super) fn object(said: &DynamicMessage, names: &[(&str, &str)]) -> Map<String, Value> {
    let mut out = Map::new();
    texts(said, names, &mut out);
    out
}

pub(super) fn texts(said: &DynamicMessage, names: &[(&str, &str)], out: &mut Map<String, Value>) {
    for (name, written) in names {
        if let Some(text) = text(said, name) {
            out.insert((*written).to_owned(), text.into());
        }
    }
}

/// A message within another, if it is set.
pub(super) fn within(said: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let is_set = said.has_field_by_name(name);
    let value = is_set.then(|| said.get_field_by_name(name)).flatten()?;
    value.as_message().cloned()
}

pub(super) fn messages(said: &DynamicMessage, name: &str) -> Vec<DynamicMessage> {
    let list = said.get_field_by_name(name);
    let list = list.as_deref().and_then(Reflected::as_list).unwrap_or_default();
    list.iter().filter_map(Reflected::as_message).cloned().collect()
}

pub(super) fn strings(said: &DynamicMessage, name: &str) -> Vec<Value> {
    let list = said.get_field_by_name(name);
    let list = list.as_deref().and_then(Reflected::as_list).unwrap_or_default();
    list.iter().filter_map(|text| Some(text.as_str()?.into())).collect()
}

/// The entries of a map, by their keys.
pub(super) fn entries(said: &DynamicMessage, name: &str) -> Vec<(String, Reflected)> {
    let map = said.get_field_by_name(name);
    let map = map.as_deref().and_then(Reflected::as_map);
    let entry = |(key, value): (&MapKey, &Reflected)| Some((key.as_str()?.to_owned(), value.clone()));
    let mut entries: Vec<_> = map.into_iter().flatten().filter_map(entry).collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    entries
}

pub(super) fn flag(said: &DynamicMessage, name: &str) -> bool {
    said.get_field_by_name(name).and_then(|value| value.as_bool()) == Some(true)
}

/// The name of the value of an enum's field.
pub(super) fn enum_name(said: &DynamicMessage, name: &str) -> String {
    let number = said.get_field_by_name(name).and_then(|value| value.as_enum_number());
    let field = said.descriptor().get_field_by_name(name);
    let kind = field.as_ref().map(FieldDescriptor::kind);
    let value = match (&kind, number) {
        (Some(Kind::Enum(kind)), Some(number)) => kind.get_value(number),
        _ => None,
    };
    value.map(|value| value.name().to_owned()).unwrap_or_default()
}

/// Text that is JSON as that, any other as a string.
pub(super) fn literal(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A number as JSON has it: 3, not 3.0. `None` for those that JSON has not.
pub(super) fn number(value: f64) -> Option<Value> {
    let is_whole = value.fract() == 0.0 && value.abs() <= MOST_EXACT;
    let whole = is_whole.then(|| format!("{value:.0}").parse::<i64>().ok()).flatten();
    match whole {
        Some(whole) => Some(whole.into()),
        None => Number::from_f64(value).map(Value::from),
    }
}

/// A `google.protobuf.Value` as JSON, down to so many levels.
pub(super) fn json_of(value: &DynamicMessage, levels: usize) -> Value {
    let Some((field, value)) = value.fields().next() else {
        return Value::Null;
    };
    let levels = levels.saturating_sub(1);
    match (field.name(), value) {
        ("number_value", Reflected::F64(value)) => number(*value).unwrap_or_default(),
        ("string_value", Reflected::String(text)) => text.as_str().into(),
        ("bool_value", Reflected::Bool(value)) => (*value).into(),
        ("struct_value", Reflected::Message(fields)) if levels > 0 => {
            let fields = entries(fields, "fields").into_iter();
            let fields = fields.filter_map(|(name, value)| Some((name, json_of(value.as_message()?, levels))));
            Value::Object(fields.collect())
        }
        ("list_value", Reflected::Message(values)) if levels > 0 => {
            let values = messages(values, "values");
            values.iter().map(|value| json_of(value, levels)).collect()
        }
        _ => Value::Null,
    }
}

const DEEPEST: usize = 32;

/// 2^53: whole numbers up to it are exact.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;
