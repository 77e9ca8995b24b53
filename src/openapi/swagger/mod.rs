//! grpc-gateway's options for OpenAPI, where the schema has them: what they say takes the place of what is made out.
//!
//! - `operation`: methods. `schema`: messages, fields, enums. `security`: security schemes, and what asks for them.
//!
//! They are of OpenAPI 2.0, and are written as 3.1 has the same. What they say of bodies, media types and hosts isn't read:
//! that is what the gateway does.
//!
//! Source: protoc-gen-openapiv2/options/openapiv2.proto of grpc-gateway.

mod operation;
mod schema;
mod security;

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, ServiceDescriptor, Value as Reflected,
};
use serde_json::{Map, Number, Value};

pub(super) use self::operation::{Responses, id, method};
pub(super) use self::schema::{Field, enumeration, is_required, message};
pub(super) use self::security::Security;
use super::options::{option, text};

const PACKAGE: &str = "grpc.gateway.protoc_gen_openapiv2.options";

/// The value of the option with this name, if it is set.
fn find(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    option(options, &format!("{PACKAGE}.{name}"))?.as_message().cloned()
}

/// What the files of services say of the whole, those of the first service first.
#[derive(Default)]
pub(super) struct Whole(Vec<DynamicMessage>);

impl Whole {
    pub(super) fn new(services: &[ServiceDescriptor]) -> Self {
        let mut files: Vec<_> = services.iter().map(ServiceDescriptor::parent_file).collect();
        files.dedup();
        let said = files
            .iter()
            .filter_map(|file| find(&file.options(), "openapiv2_swagger"));
        Self(said.collect())
    }

    /// Adds what is said to `info`.
    pub(super) fn info(&self, info: &mut Map<String, Value>) {
        for said in self.0.iter().rev().filter_map(|said| within(said, "info")) {
            let renamed = [
                ("title", "title"),
                ("description", "description"),
                ("terms_of_service", "termsOfService"),
                ("version", "version"),
            ];
            texts(&said, &renamed, info);
            if let Some(contact) = within(&said, "contact") {
                let names = [("name", "name"), ("url", "url"), ("email", "email")];
                info.insert("contact".to_owned(), object(&contact, &names).into());
            }
            // A license has a name (OpenAPI 3.1.0, section 4.8.4).
            if let Some(license) = within(&said, "license").filter(|license| text(license, "name").is_some()) {
                let names = [("name", "name"), ("url", "url")];
                info.insert("license".to_owned(), object(&license, &names).into());
            }
            extensions(&said, info);
        }
    }

    /// What else is said of the whole: `externalDocs`, and extensions.
    pub(super) fn more(&self) -> Map<String, Value> {
        let mut more = Map::new();
        for said in self.0.iter().rev() {
            external_docs(said, &mut more);
            extensions(said, &mut more);
        }
        more
    }

    /// Adds what is said of tags to those of the services.
    pub(super) fn tags(&self, tags: &mut Vec<Value>) {
        for said in self.0.iter().flat_map(|said| messages(said, "tags")) {
            let Some(name) = text(&said, "name") else {
                continue;
            };
            let known = tags
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .find(|tag| tag.get("name").and_then(Value::as_str) == Some(&*name));
            match known {
                Some(tag) => describe_tag(&said, tag),
                None => {
                    let mut tag = Map::new();
                    tag.insert("name".to_owned(), name.into());
                    describe_tag(&said, &mut tag);
                    tags.push(tag.into());
                }
            }
        }
    }

    /// What is asked of clients.
    pub(super) fn security(&self) -> Security {
        Security::new(&self.0)
    }

    /// What is said of the responses of all operations.
    pub(super) fn responses(&self) -> Responses {
        let mut responses = Responses::default();
        self.0.iter().rev().for_each(|said| responses.add(said));
        responses
    }
}

/// The name of a service's tag, where it isn't that of the service.
pub(super) fn tag_name(options: &DynamicMessage) -> Option<String> {
    text(&find(options, "openapiv2_tag")?, "name")
}

/// What `openapiv2_tag` says of a service.
pub(super) fn tag(options: &DynamicMessage, tag: &mut Map<String, Value>) {
    if let Some(said) = find(options, "openapiv2_tag") {
        describe_tag(&said, tag);
    }
}

fn describe_tag(said: &DynamicMessage, tag: &mut Map<String, Value>) {
    texts(said, &[("description", "description")], tag);
    external_docs(said, tag);
    extensions(said, tag);
}

/// Adds `external_docs`, which have a URL (OpenAPI 3.1.0, section 4.8.11).
fn external_docs(said: &DynamicMessage, out: &mut Map<String, Value>) {
    if let Some(docs) = within(said, "external_docs").filter(|docs| text(docs, "url").is_some()) {
        let names = [("description", "description"), ("url", "url")];
        out.insert("externalDocs".to_owned(), object(&docs, &names).into());
    }
}

/// Adds `extensions`, whose names begin with `x-` (OpenAPI 3.1.0, section 4.9).
fn extensions(said: &DynamicMessage, out: &mut Map<String, Value>) {
    for (name, value) in entries(said, "extensions") {
        if name.starts_with("x-")
            && let Some(value) = value.as_message()
        {
            out.insert(name, json_of(value, DEEPEST));
        }
    }
}

/// The texts of a message by other names.
fn object(said: &DynamicMessage, names: &[(&str, &str)]) -> Map<String, Value> {
    let mut out = Map::new();
    texts(said, names, &mut out);
    out
}

fn texts(said: &DynamicMessage, names: &[(&str, &str)], out: &mut Map<String, Value>) {
    for (name, written) in names {
        if let Some(text) = text(said, name) {
            out.insert((*written).to_owned(), text.into());
        }
    }
}

/// A message within another, if it is set.
fn within(said: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let is_set = said.has_field_by_name(name);
    let value = is_set.then(|| said.get_field_by_name(name)).flatten()?;
    value.as_message().cloned()
}

fn messages(said: &DynamicMessage, name: &str) -> Vec<DynamicMessage> {
    let list = said.get_field_by_name(name);
    let list = list.as_deref().and_then(Reflected::as_list).unwrap_or_default();
    list.iter().filter_map(Reflected::as_message).cloned().collect()
}

fn strings(said: &DynamicMessage, name: &str) -> Vec<Value> {
    let list = said.get_field_by_name(name);
    let list = list.as_deref().and_then(Reflected::as_list).unwrap_or_default();
    list.iter().filter_map(|text| Some(text.as_str()?.into())).collect()
}

/// The entries of a map, by their keys.
fn entries(said: &DynamicMessage, name: &str) -> Vec<(String, Reflected)> {
    let map = said.get_field_by_name(name);
    let map = map.as_deref().and_then(Reflected::as_map);
    let entry = |(key, value): (&MapKey, &Reflected)| Some((key.as_str()?.to_owned(), value.clone()));
    let mut entries: Vec<_> = map.into_iter().flatten().filter_map(entry).collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    entries
}

fn flag(said: &DynamicMessage, name: &str) -> bool {
    said.get_field_by_name(name).and_then(|value| value.as_bool()) == Some(true)
}

/// The name of the value of an enum's field.
fn enum_name(said: &DynamicMessage, name: &str) -> String {
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
fn literal(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A number as JSON has it: 3, not 3.0. `None` for those that JSON has not.
fn number(value: f64) -> Option<Value> {
    let is_whole = value.fract() == 0.0 && value.abs() <= MOST_EXACT;
    let whole = is_whole.then(|| format!("{value:.0}").parse::<i64>().ok()).flatten();
    match whole {
        Some(whole) => Some(whole.into()),
        None => Number::from_f64(value).map(Value::from),
    }
}

/// A `google.protobuf.Value` as JSON, down to so many levels.
fn json_of(value: &DynamicMessage, levels: usize) -> Value {
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
