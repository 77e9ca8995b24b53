//! grpc-gateway's options for OpenAPI, where the schema has them: what they say takes the place of what is made out.
//!
//! Source: protoc-gen-openapiv2/options/openapiv2.proto of grpc-gateway.

use prost_reflect::{DynamicMessage, Value as Reflected};
use serde_json::{Map, Value};

use super::options::{option, text};

const PACKAGE: &str = "grpc.gateway.protoc_gen_openapiv2.options";

fn find(options: &DynamicMessage, name: &str) -> Option<Reflected> {
    option(options, &format!("{PACKAGE}.{name}"))
}

/// The id of a method's first operation.
pub(super) fn id(options: &DynamicMessage) -> Option<String> {
    let found = find(options, "openapiv2_operation");
    text(found.as_ref().and_then(Reflected::as_message)?, "operation_id")
}

/// What `openapiv2_operation` says of a method.
pub(super) fn method(options: &DynamicMessage, operation: &mut Map<String, Value>) {
    let found = find(options, "openapiv2_operation");
    let Some(said) = found.as_ref().and_then(Reflected::as_message) else {
        return;
    };
    for name in ["summary", "description"] {
        if let Some(text) = text(said, name) {
            operation.insert(name.to_owned(), text.into());
        }
    }
    let tags = said.get_field_by_name("tags");
    let tags: Vec<Value> = tags
        .as_deref()
        .and_then(Reflected::as_list)
        .unwrap_or_default()
        .iter()
        .filter_map(|tag| Some(tag.as_str()?.into()))
        .collect();
    if !tags.is_empty() {
        operation.insert("tags".to_owned(), tags.into());
    }
    if said.get_field_by_name("deprecated").and_then(|value| value.as_bool()) == Some(true) {
        operation.insert("deprecated".to_owned(), true.into());
    }
}

/// What `openapiv2_tag` says of a service.
pub(super) fn tag(options: &DynamicMessage, tag: &mut Value) {
    let found = find(options, "openapiv2_tag");
    let Some(said) = found.as_ref().and_then(Reflected::as_message) else {
        return;
    };
    if let (Some(text), Some(tag)) = (text(said, "description"), tag.as_object_mut()) {
        tag.insert("description".to_owned(), text.into());
    }
}

/// What `openapiv2_swagger` of a file says of the whole.
pub(super) fn info(options: &DynamicMessage, info: &mut Map<String, Value>) {
    let found = find(options, "openapiv2_swagger");
    let said = found.as_ref().and_then(Reflected::as_message);
    let said = said.and_then(|said| said.get_field_by_name("info").map(|info| info.into_owned()));
    let Some(said) = said.as_ref().and_then(Reflected::as_message) else {
        return;
    };
    for name in ["title", "description", "version"] {
        if let Some(text) = text(said, name) {
            info.insert(name.to_owned(), text.into());
        }
    }
}
