//! The schema that a configuration gives (`proto`, `protos` or `descriptor_set`), and which of its services are served.

use prost_reflect::ServiceDescriptor;
use serde_json::Value;

use super::check::Checked;
use super::error::ConfigError;
use crate::schema::{Schema, Source, nearest};
use crate::text::base64::decode_text;

/// Compiles the schema. Also returns the key that it came from, which later errors of the schema name.
///
/// It is an error if not exactly one of the three keys is given. `max_proto_bytes` bounds `.proto` texts.
pub(super) fn compile_schema(checked: &Checked, max_proto_bytes: usize) -> Result<(&'static str, Schema), ConfigError> {
    const SOURCES: [&str; 3] = ["proto", "protos", "descriptor_set"];
    let given: Vec<_> = SOURCES
        .into_iter()
        .filter_map(|key| checked.given(key).map(|value| (key, value)))
        .collect();
    let [(key, value)] = given.as_slice() else {
        let found = given.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(" and ");
        return Err(ConfigError::new(
            "",
            format!(
                "expected a schema, in exactly one of {}, but found {}",
                SOURCES.join(", "),
                if found.is_empty() { "none" } else { &found }
            ),
        ));
    };
    let compiled = match value {
        Value::Object(files) => {
            let texts: Vec<_> = files
                .iter()
                .map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned()))
                .collect();
            Schema::compile(Source::Protos(&texts), max_proto_bytes)
        }
        value => {
            let text = value.as_str().unwrap_or_default();
            if *key == "proto" {
                Schema::compile(Source::Proto(text), max_proto_bytes)
            } else {
                let bytes = decode_text(text).map_err(|error| {
                    ConfigError::new(*key, format!("expected base64, but found other text ({error})"))
                })?;
                Schema::compile(Source::DescriptorSet(&bytes), max_proto_bytes)
            }
        }
    };
    match compiled {
        Ok(schema) => Ok((key, schema)),
        Err(error) => Err(ConfigError::new(*key, error.to_string())),
    }
}

/// The services to serve: those that `services` names, or without that key all of the schema but Google's.
///
/// It is an error to serve none, to name one that the schema doesn't have, or to name one twice. `source_key` is the
/// key of the schema, which is at fault if it has no service to serve.
pub(super) fn served(
    checked: &Checked,
    source_key: &str,
    schema: &Schema,
) -> Result<Vec<ServiceDescriptor>, ConfigError> {
    let names = checked.texts("services");
    if checked.given("services").is_some() && names.is_empty() {
        return Err(ConfigError::new(
            "services",
            "expected at least one service, but found an empty list",
        ));
    }
    if names.is_empty() {
        let (google, own): (Vec<_>, Vec<_>) = schema.services().iter().cloned().partition(is_google);
        return match (own.as_slice(), google.first()) {
            ([], None) => Err(ConfigError::new(
                source_key,
                "expected at least one service, but the schema has none",
            )),
            ([], Some(first)) => Err(ConfigError::new(
                source_key,
                format!(
                    "expected at least one service outside of the packages google and google.*, whose services are \
                     served only where `services` names them, such as {}",
                    first.full_name()
                ),
            )),
            _ => Ok(own),
        };
    }
    let mut served: Vec<ServiceDescriptor> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let key = format!("services[{at}]");
        let Some(service) = schema.pool().get_service_by_name(name) else {
            let mut known: Vec<_> = schema.services().iter().map(ServiceDescriptor::full_name).collect();
            let meant = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("; did you mean \"{meant}\"?"),
                None => String::new(),
            };
            known.sort_unstable();
            return Err(ConfigError::new(
                key,
                format!(
                    "expected a service of the schema, but found {name:?}{meant} (services: {})",
                    known.join(", ")
                ),
            ));
        };
        if served.contains(&service) {
            return Err(ConfigError::new(key, format!("the service {name} is listed twice")));
        }
        served.push(service);
    }
    Ok(served)
}

/// Whether the service is of the package `google` or of one below it, whose files mostly are there for their messages.
fn is_google(service: &ServiceDescriptor) -> bool {
    let package = service.parent_file().package_name().to_owned();
    package == "google" || package.starts_with("google.")
}
