//! What grpc-gateway's options say of methods, and of responses.

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value, json};

use super::super::options::text;
use super::said::{
    entries, enum_name, extensions, external_docs, find, flag, literal, messages, strings, texts, within,
};
use super::security::Security;
use crate::http::status::is_without_content;

/// The id of a method's first operation.
pub(in super::super) fn id(options: &DynamicMessage) -> Option<String> {
    text(&find(options, "openapiv2_operation")?, "operation_id")
}

/// What `openapiv2_operation` says of a method, and what is said of the responses of all.
pub(in super::super) fn method(
    options: &DynamicMessage,
    of_all: &Responses,
    security: &Security,
    operation: &mut Map<String, Value>,
) {
    of_all.describe(operation);
    let Some(said) = find(options, "openapiv2_operation") else {
        return;
    };
    let names = [("summary", "summary"), ("description", "description")];
    texts(&said, &names, operation);
    let tags = strings(&said, "tags");
    if !tags.is_empty() {
        operation.insert("tags".to_owned(), tags.into());
    }
    if flag(&said, "deprecated") {
        operation.insert("deprecated".to_owned(), true.into());
    }
    external_docs(&said, operation);
    if let Some(asked) = security.asked(&said) {
        operation.insert("security".to_owned(), asked.into());
    }
    let headers = within(&said, "parameters").map(|parameters| messages(&parameters, "headers"));
    for header in headers.unwrap_or_default() {
        let Some(name) = text(&header, "name") else {
            continue;
        };
        let mut parameter = Map::new();
        parameter.insert("name".to_owned(), name.into());
        parameter.insert("in".to_owned(), "header".into());
        texts(&header, &[("description", "description")], &mut parameter);
        if flag(&header, "required") {
            parameter.insert("required".to_owned(), true.into());
        }
        let kind = match &*enum_name(&header, "type") {
            "UNKNOWN" | "" => "string".to_owned(),
            name => name.to_lowercase(),
        };
        let mut schema = Map::new();
        schema.insert("type".to_owned(), kind.into());
        texts(&header, &[("format", "format")], &mut schema);
        parameter.insert("schema".to_owned(), schema.into());
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(parameter.into());
        }
    }
    let mut responses = Responses::default();
    responses.add(&said);
    responses.describe(operation);
    extensions(&said, operation);
}

/// What is said of responses, by their statuses.
#[derive(Default)]
pub(in super::super) struct Responses(Vec<(String, DynamicMessage)>);

impl Responses {
    /// Adds the `responses` of an operation, or of all.
    pub(super) fn add(&mut self, said: &DynamicMessage) {
        for (status, response) in entries(said, "responses") {
            if let Some(response) = response.as_message() {
                self.0.push((status, response.clone()));
            }
        }
    }

    /// Describes the responses of an operation. One that it has not is a success or an error, as its status says, and has
    /// what these have.
    fn describe(&self, operation: &mut Map<String, Value>) {
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
            return;
        };
        for (status, said) in &self.0 {
            let Some(code) = code(status) else {
                continue;
            };
            let like = if code / 100 == 2 { "2XX" } else { "default" };
            let mut response = responses.get(status).or_else(|| responses.get(like)).cloned();
            if let Some(response) = response.as_mut().and_then(Value::as_object_mut) {
                describe(said, response);
                if is_without_content(code) {
                    response.remove("content");
                }
            }
            if let Some(response) = response {
                responses.insert(status.clone(), response);
            }
        }
        // Those for all the others stay the last.
        for others in ["2XX", "default"] {
            if let Some((name, response)) = responses.shift_remove_entry(others) {
                responses.insert(name, response);
            }
        }
    }
}

/// The status of a response, 0 for `default`.
fn code(status: &str) -> Option<u16> {
    match status {
        "default" => Some(0),
        status => status.parse().ok().filter(|code| (100..600).contains(code)),
    }
}

fn describe(said: &DynamicMessage, response: &mut Map<String, Value>) {
    texts(said, &[("description", "description")], response);
    for (media_type, example) in entries(said, "examples") {
        let content = response.get_mut("content").and_then(Value::as_object_mut);
        let media = content.and_then(|content| content.get_mut(&media_type)?.as_object_mut());
        if let (Some(media), Some(example)) = (media, example.as_str()) {
            media.insert("example".to_owned(), literal(example));
        }
    }
    let mut headers = Map::new();
    for (name, header) in entries(said, "headers") {
        let Some(header) = header.as_message() else {
            continue;
        };
        let mut schema = Map::new();
        texts(
            header,
            &[("type", "type"), ("format", "format"), ("pattern", "pattern")],
            &mut schema,
        );
        if let Some(default) = text(header, "default") {
            schema.insert("default".to_owned(), literal(&default));
        }
        let mut written = Map::new();
        texts(header, &[("description", "description")], &mut written);
        written.insert("schema".to_owned(), schema.into());
        headers.insert(name, written.into());
    }
    if !headers.is_empty() {
        response.insert("headers".to_owned(), headers.into());
    }
    extensions(said, response);
}
