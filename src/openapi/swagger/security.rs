//! What grpc-gateway's options ask of clients before they are let in.

use std::collections::BTreeSet;

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value, json};

use super::super::options::text;
use super::said::{entries, enum_name, extensions, messages, strings, texts, within};

/// Security schemes, and which of them all operations ask for.
#[derive(Default)]
pub(in super::super) struct Security {
    /// By their names.
    pub(in super::super) schemes: Map<String, Value>,
    /// Each of these is enough.
    pub(in super::super) any: Vec<Value>,
    names: BTreeSet<String>,
}

impl Security {
    /// That of a configuration, any of whose schemes is enough.
    pub(in super::super) fn of(schemes: &Map<String, Value>) -> Self {
        Self {
            schemes: schemes.clone(),
            any: schemes.keys().map(|name| json!({ name: [] })).collect(),
            names: schemes.keys().cloned().collect(),
        }
    }

    /// What is said of the whole.
    pub(super) fn new(said: &[DynamicMessage]) -> Self {
        let mut security = Self::default();
        let defined = said.iter().filter_map(|said| within(said, "security_definitions"));
        for (name, definition) in defined.flat_map(|defined| entries(&defined, "security")) {
            if let Some(scheme) = definition.as_message().and_then(scheme)
                && security.names.insert(name.clone())
            {
                security.schemes.insert(name, scheme.into());
            }
        }
        security.any = said.iter().find_map(|said| security.asked(said)).unwrap_or_default();
        security
    }

    /// What `security` of an operation, or of the whole, asks for, if it says something: one of those that are listed. Schemes
    /// that aren't defined are nothing to ask for.
    pub(super) fn asked(&self, said: &DynamicMessage) -> Option<Vec<Value>> {
        let listed = messages(said, "security");
        if listed.is_empty() {
            return None;
        }
        let mut any = Vec::new();
        for requirement in &listed {
            let all = entries(requirement, "security_requirement");
            let is_known = all.iter().all(|(name, _)| self.names.contains(name));
            // An empty one says that nothing is asked for.
            if all.is_empty() {
                continue;
            }
            if !is_known {
                return None;
            }
            let all = all.into_iter().map(|(name, scopes)| {
                let scopes = scopes.as_message().map(|scopes| strings(scopes, "scope"));
                (name, scopes.unwrap_or_default().into())
            });
            any.push(Value::Object(all.collect()));
        }
        Some(any)
    }
}

/// A scheme as OpenAPI 3 has it; `None` where its type isn't known.
fn scheme(said: &DynamicMessage) -> Option<Map<String, Value>> {
    let mut scheme = Map::new();
    let mut put = |name: &str, value: Value| scheme.insert(name.to_owned(), value);
    match &*enum_name(said, "type") {
        "TYPE_BASIC" => {
            put("type", "http".into());
            put("scheme", "basic".into());
        }
        "TYPE_API_KEY" => {
            put("type", "apiKey".into());
            put("name", text(said, "name")?.into());
            let place = match &*enum_name(said, "in") {
                "IN_QUERY" => "query",
                _ => "header",
            };
            put("in", place.into());
        }
        "TYPE_OAUTH2" => {
            let (flow, urls): (_, &[_]) = match &*enum_name(said, "flow") {
                "FLOW_IMPLICIT" => ("implicit", &["authorization_url"]),
                "FLOW_PASSWORD" => ("password", &["token_url"]),
                "FLOW_APPLICATION" => ("clientCredentials", &["token_url"]),
                "FLOW_ACCESS_CODE" => ("authorizationCode", &["authorization_url", "token_url"]),
                _ => return None,
            };
            let mut of_flow = Map::new();
            for url in urls {
                let name = if *url == "token_url" {
                    "tokenUrl"
                } else {
                    "authorizationUrl"
                };
                of_flow.insert(name.to_owned(), text(said, url).unwrap_or_default().into());
            }
            let scopes = within(said, "scopes").map(|scopes| entries(&scopes, "scope"));
            let scopes = scopes.unwrap_or_default().into_iter();
            let scopes = scopes.filter_map(|(name, text)| Some((name, text.as_str()?.into())));
            of_flow.insert("scopes".to_owned(), Value::Object(scopes.collect()));
            put("type", "oauth2".into());
            put("flows", json!({ flow: of_flow }));
        }
        _ => return None,
    }
    texts(said, &[("description", "description")], &mut scheme);
    extensions(said, &mut scheme);
    Some(scheme)
}
