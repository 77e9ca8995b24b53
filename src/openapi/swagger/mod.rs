//! grpc-gateway's options for OpenAPI, where the schema has them: what they say takes the place of what is made out.
//!
//! - `operation`: methods. `schema`: messages, fields, enums. `security`: security schemes, and what asks for them. `said`: how
//!   any of it is read.
//!
//! They are of OpenAPI 2.0, and are written as 3.1 has the same. What they say of bodies, media types and hosts isn't read:
//! that is what the gateway does.
//!
//! Source: protoc-gen-openapiv2/options/openapiv2.proto of grpc-gateway.

mod operation;
mod said;
mod schema;
mod security;

use prost_reflect::{DynamicMessage, ServiceDescriptor};
use serde_json::{Map, Value};

pub(super) use self::operation::{Responses, id, method};
use self::said::{extensions, external_docs, find, messages, object, texts, within};
pub(super) use self::schema::{Field, enumeration, is_required, message};
pub(super) use self::security::Security;
use super::options::text;

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
