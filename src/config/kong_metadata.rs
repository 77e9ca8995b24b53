//! `protobridge.meta.json`, Kong's description of the filter: the JSON Schema (draft 4) of its configuration must say
//! what the table of keys says, but for what cannot be had in Kong.

use serde_json::{Map, Value, json};

use super::check::{elements_of, split};
use super::deprecated::{DEPRECATED, Deprecated, What};
use super::keys::{HOOK, KEYS, Key, Kind, MAX_SIZE};

/// Keys without use in Kong, where the route's service is the upstream, headers can't be held and nothing can be called: it refuses
/// them.
const NOT_IN_KONG: [&str; 7] = [
    "upstream.cluster",
    "upstream.authority",
    "upstream.grpc_web",
    "upstream.connect_bridge",
    "upstream.bridge_bodies",
    "hold_headers",
    "hooks",
];

/// Keys that additional bindings lack.
const RULE_ALONE: [&str; 2] = ["selector", "additional_bindings"];

#[test]
fn kongs_description_of_the_filter_is_the_table_of_keys() {
    let mut schema = object("", &[]);
    schema["$schema"] = json!("http://json-schema.org/draft-04/schema#");
    schema["oneOf"] = json!([
        { "required": ["proto"] },
        { "required": ["protos"] },
        { "required": ["descriptor_set"] },
    ]);
    let expected = json!({ "config_schema": schema, "metrics": { "label_patterns": label_patterns() } });
    let root = env!("CARGO_MANIFEST_DIR");
    let found = std::fs::read_to_string(format!("{root}/protobridge.meta.json")).unwrap_or_default();
    let wanted = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    if found != wanted {
        std::fs::create_dir_all(format!("{root}/target")).unwrap();
        std::fs::write(format!("{root}/target/protobridge.meta.json"), wanted).unwrap();
        panic!("protobridge.meta.json is out of date: copy target/protobridge.meta.json over it");
    }
}

/// Where Kong's Prometheus plugin finds labels in the names of metrics, `pw:protobridge:requests.shop.Books.Get.OK`: the
/// first group begins where the name ends, the second is the label's value. Each pattern is sought after the match of
/// the one before.
fn label_patterns() -> Value {
    json!([
        { "label": "grpc_method", "pattern": r":requests(\.(.+))(?=\.[A-Z_]+$)" },
        { "label": "grpc_status", "pattern": r"(\.([A-Z_]+))$" },
        { "label": "reason", "pattern": r":errors(\.([a-z_]+))$" },
    ])
}

/// The schema of the object whose keys are those below `parent` in the table.
fn object(parent: &str, without: &[&str]) -> Value {
    let mut properties = Map::new();
    for key in KEYS {
        let (above, name) = split(key.path);
        if above == parent && !without.contains(&name) && !NOT_IN_KONG.contains(&key.path) {
            properties.insert(name.to_owned(), property(key));
        }
    }
    for Deprecated {
        path,
        what,
        since,
        cure,
    } in DEPRECATED
    {
        let (above, name) = split(path);
        if above != parent {
            continue;
        }
        match (what, properties.get_mut(name)) {
            (What::Key, _) => {
                let description = format!("Deprecated since {since}: {cure}.");
                properties.insert(name.to_owned(), json!({ "description": description }));
            }
            (What::Value { was, .. }, Some(property)) => {
                let values = property["enum"]
                    .as_array_mut()
                    .expect("only a choice has deprecated values");
                values.push(json!(was));
            }
            (What::Value { .. }, None) => {}
        }
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn property(key: &Key) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let mut schema = match key.kind {
        Kind::Text => text,
        Kind::TextOrEmpty => json!({ "type": "string" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::FlagOrAuto => json!({ "enum": ["auto", true, false] }),
        Kind::Size => json!({ "type": "integer", "minimum": 1, "maximum": MAX_SIZE }),
        Kind::Count => json!({ "type": "integer", "minimum": 0, "maximum": MAX_SIZE }),
        Kind::Json => json!({}),
        Kind::SuccessStatus => json!({ "type": "integer", "minimum": 200, "maximum": 299 }),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]{1,10}(\\.[0-9]{1,9})?s$" }),
        Kind::Choice(choices) => {
            // There are no calls in Kong.
            let choices: Vec<_> = choices
                .iter()
                .filter(|choice| !["dispatch", "bodyless"].contains(&key.path) || **choice != "call")
                .collect();
            json!({ "type": "string", "enum": choices })
        }
        Kind::Texts if key.default.is_none() => json!({ "type": "array", "minItems": 1, "items": text }),
        Kind::Texts => json!({ "type": "array", "items": text }),
        Kind::TextMap => {
            json!({ "type": "object", "minProperties": 1, "additionalProperties": { "type": "string" } })
        }
        Kind::Object => object(key.path, &[]),
        Kind::AnyObject => json!({ "type": "object" }),
        Kind::Hook => object(HOOK, &[]),
        Kind::Hooks => json!({ "type": "array", "items": object(HOOK, &[]) }),
        Kind::Objects if key.path.ends_with("additional_bindings") => {
            json!({ "type": "array", "items": object("http_rules[]", &RULE_ALONE) })
        }
        Kind::Objects => json!({ "type": "array", "items": object(&format!("{}[]", elements_of(key)), &[]) }),
    };
    if key.path == "http_rules" {
        // Any: an empty table of Lua is both. What else is in a service configuration, the filter checks.
        schema = json!({ "anyOf": [schema, { "type": "object", "properties": { "http": { "type": "object" } } }] });
    }
    schema["description"] = json!(key.about);
    if let Some(default) = key.default {
        // As text: Kong would write a default of the schema into what it stores.
        schema["description"] = json!(format!("{} Default: {default}.", key.about));
    }
    schema
}
