//! `http_rules` as a service configuration: the document of type `google.api.Service` in which APIs of Google, and
//! grpc-gateway with its `grpc_api_configuration`, keep the rules beside their `.proto`.
//!
//! Of the document, `http.rules` is read, which takes its place before the configuration is checked. It is written by
//! protobuf's JSON form, which takes `additionalBindings` for `additional_bindings`. `fully_decode_reserved_expansion` is
//! passed over: paths are decoded as by its true.
//!
//! Source: google/api/service.proto, google/api/http.proto.

use prost_reflect::ServiceDescriptor;
use serde_json::{Map, Value};

use super::check::describe;
use super::error::ConfigError;
use crate::routing::{HttpRule, Methods};
use crate::schema::nearest;
use crate::text::problems::Problems;
use crate::text::shown::{NAME, SETTING, listed, shown};

/// How `http_rules` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As a list, or not at all.
    List,
    /// As a document.
    Document,
}

impl Form {
    /// Puts the rules of a document in its place; none where it is an object, but no such document, which is an error.
    pub(super) fn take(configuration: &mut Map<String, Value>, errors: &mut Problems<ConfigError>) -> Self {
        let document = match configuration.get_mut(HTTP_RULES) {
            // An empty one is an empty list of Kong's.
            Some(Value::Object(document)) if !document.is_empty() => document,
            _ => return Self::List,
        };
        let mut rules = rules(document, errors).unwrap_or_else(|error| {
            errors.add(|| error);
            Value::Array(Vec::new())
        });
        for rule in rules.as_array_mut().into_iter().flatten() {
            snake_case(rule);
            let additional = rule.get_mut("additional_bindings").and_then(Value::as_array_mut);
            additional.into_iter().flatten().for_each(snake_case);
        }
        configuration.insert(HTTP_RULES.to_owned(), rules);
        Self::Document
    }

    /// This error, with the path that a rule has in the configuration as it was given.
    pub(super) fn told(self, mut error: ConfigError) -> ConfigError {
        if self == Self::Document {
            let is_list = error.key == HTTP_RULES || error.key.starts_with("http_rules[");
            if is_list {
                error.key.replace_range(..HTTP_RULES.len(), RULES);
            }
            error.message = error.message.replace("http_rules[", "http_rules.http.rules[");
        }
        error
    }

    /// Empties those rules of a document that are for services which aren't served: a document is of a whole API. What is
    /// to be said of them, if there are any.
    pub(super) fn pass_over(self, rules: &mut [HttpRule], served: &Methods) -> Option<String> {
        if self == Self::List {
            return None;
        }
        let names: Vec<&str> = served.services().iter().map(ServiceDescriptor::full_name).collect();
        let mut passed_over = Vec::new();
        for rule in rules {
            if !rule.selector.is_empty() && !names.iter().any(|name| is_of(&rule.selector, name)) {
                passed_over.push(std::mem::take(rule).selector);
            }
        }
        if passed_over.is_empty() {
            return None;
        }
        let named = passed_over.iter().take(NAMED);
        let named: Vec<_> = named.map(|selector| shown(selector.as_bytes(), SETTING)).collect();
        let named = listed(&named, passed_over.len());
        Some(format!(
            "{RULES}: passed over, since their services aren't served: {named}"
        ))
    }
}

const HTTP_RULES: &str = "http_rules";

/// Where the rules of a document are.
const RULES: &str = "http_rules.http.rules";

/// How many selectors a line of the log names.
const NAMED: usize = 20;

/// The keys of `google.api.Service`, and of its YAML.
const KEYS: [&str; 29] = [
    "type",
    "config_version",
    "name",
    "title",
    "producer_project_id",
    "id",
    "apis",
    "types",
    "enums",
    "documentation",
    "backend",
    "http",
    "quota",
    "authentication",
    "context",
    "usage",
    "endpoints",
    "control",
    "logs",
    "metrics",
    "monitored_resources",
    "billing",
    "logging",
    "monitoring",
    "system_parameters",
    "source_info",
    "publishing",
    "visibility",
    "@type",
];

/// Keys of `google.api.HttpRule`, of which a document has none.
const ONE_RULE: [&str; 7] = ["selector", "get", "put", "post", "delete", "patch", "custom"];

/// The type that a document says it is of.
const TYPE: &str = "google.api.Service";

/// The value of `http.rules`; no rules without it. What else is wrong with the document goes to `errors`.
///
/// # Errors
///
/// Where there can't be any rules.
fn rules(document: &mut Map<String, Value>, errors: &mut Problems<ConfigError>) -> Result<Value, ConfigError> {
    if document.keys().any(|name| ONE_RULE.contains(&name.as_str())) {
        return Err(ConfigError::new(
            HTTP_RULES,
            "expected a list of rules or a service configuration, but found a rule by itself: put it in a list",
        ));
    }
    let is_known = check_known(HTTP_RULES, document, &KEYS, errors);
    match document.get("type") {
        None => {}
        Some(Value::String(name)) if name == TYPE => {}
        Some(other) => errors.add(|| wrong("http_rules.type", &format!("{TYPE:?}"), other)),
    }
    let http = match document.get_mut("http") {
        Some(Value::Object(http)) => http,
        Some(other) => return Err(wrong("http_rules.http", "an object", other)),
        // An unknown key may be this one.
        None if !is_known => return Ok(Value::Array(Vec::new())),
        None => {
            return Err(ConfigError::new(
                "http_rules.http",
                "expected an object with a list of rules, but found nothing",
            ));
        }
    };
    snake_case_of(http);
    check_known("http_rules.http", http, &["rules", FULLY_DECODE], errors);
    match http.get(FULLY_DECODE) {
        None | Some(Value::Bool(_)) => {}
        Some(other) => errors.add(|| wrong(&format!("http_rules.http.{FULLY_DECODE}"), "true or false", other)),
    }
    Ok(http.remove("rules").unwrap_or_else(|| Value::Array(Vec::new())))
}

const FULLY_DECODE: &str = "fully_decode_reserved_expansion";

/// Checks that the object at `path` has none but these keys, in either case of protobuf's JSON form. Whether that is so.
fn check_known(path: &str, object: &Map<String, Value>, keys: &[&str], errors: &mut Problems<ConfigError>) -> bool {
    let mut is_known = true;
    for unknown in object.keys().filter(|name| !keys.iter().any(|key| is_name(name, key))) {
        is_known = false;
        errors.add(|| {
            let meant = match nearest(unknown, keys.iter().copied()) {
                Some(meant) => format!("; did you mean \"{meant}\"?"),
                None => String::new(),
            };
            ConfigError::new(
                format!("{path}.{}", shown(unknown.as_bytes(), NAME)),
                format!("unknown key{meant} (known here: {})", keys.join(", ")),
            )
        });
    }
    is_known
}

fn wrong(path: &str, expected: &str, found: &Value) -> ConfigError {
    ConfigError::new(path, format!("expected {expected}, but found {}", describe(found)))
}

/// Whether a name is that of a `.proto`, or the one that protobuf's JSON form makes of it.
fn is_name(name: &str, key: &str) -> bool {
    let mut capital = false;
    let letters = key.chars().filter_map(|letter| match letter {
        '_' => {
            capital = true;
            None
        }
        letter if std::mem::take(&mut capital) => Some(letter.to_ascii_uppercase()),
        letter => Some(letter),
    });
    name == key || name.chars().eq(letters)
}

/// Names the keys of a rule as its `.proto` does.
fn snake_case(rule: &mut Value) {
    if let Value::Object(rule) = rule {
        snake_case_of(rule);
    }
}

fn snake_case_of(object: &mut Map<String, Value>) {
    for key in ["response_body", "additional_bindings", FULLY_DECODE] {
        let camel_case = object.keys().find(|name| *name != key && is_name(name, key)).cloned();
        // Of both, the other is left, and unknown.
        if let Some(camel_case) = camel_case.filter(|_| !object.contains_key(key))
            && let Some(value) = object.remove(&camel_case)
        {
            object.insert(key.to_owned(), value);
        }
    }
}

/// Whether a selector selects, or should select, something of the service with this name.
fn is_of(selector: &str, service: &str) -> bool {
    let (above, last) = selector.rsplit_once('.').unwrap_or(("", selector));
    let below = |name: &str, prefix: &str| {
        let rest = name.strip_prefix(prefix);
        prefix.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match last {
        "*" => below(service, above) || below(above, service),
        _ => above == service,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Plugin;
    use crate::routing::{Captures, Match};

    const PROTO: &str = r#"syntax = "proto3";
package shop;
message Book { string name = 1; Book child = 2; }
service Books { rpc Get(Book) returns (Book); rpc Put(Book) returns (Book); }
service Authors { rpc Get(Book) returns (Book); }
"#;

    fn load(http_rules: Value) -> Result<Plugin, String> {
        let configuration = json!({ "proto": PROTO, "services": ["shop.Books"], "http_rules": http_rules });
        let loaded = Plugin::load(configuration.to_string().as_bytes(), 7);
        loaded.map_err(|error| error.to_string().replace("configuration: ", ""))
    }

    /// The served method of a request.
    fn method(plugin: &Plugin, http_method: &str, path: &str) -> Option<String> {
        match plugin
            .router
            .find(http_method, path.as_bytes(), &mut Captures::default())
        {
            Match::Route(route) => Some(route.method.full_name.to_string()),
            _ => None,
        }
    }

    #[test]
    fn the_rules_of_a_document_are_those_of_a_list() {
        let rules = json!([
            {
                "selector": "shop.Books.Get",
                "get": "/v1/{name=books/*}",
                "responseBody": "child",
                "additionalBindings": [{ "post": "/v1/get", "body": "*", "responseBody": "child" }],
            },
            { "selector": "shop.Books.Put", "custom": { "kind": "MERGE", "path": "/v1/books" }, "additional_bindings": {} },
        ]);
        for document in [
            json!({ "http": { "rules": rules } }),
            json!({
                "type": "google.api.Service",
                "config_version": 3,
                "configVersion": 3,
                "name": "shop.example.com",
                "apis": [{ "name": "shop.Books" }],
                "documentation": null,
                "monitoredResources": {},
                "http": { "fullyDecodeReservedExpansion": false, "rules": rules },
            }),
        ] {
            let plugin = load(document).unwrap();
            assert_eq!(method(&plugin, "GET", "/v1/books/1").as_deref(), Some("shop.Books.Get"));
            assert_eq!(method(&plugin, "POST", "/v1/get").as_deref(), Some("shop.Books.Get"));
            assert_eq!(method(&plugin, "MERGE", "/v1/books").as_deref(), Some("shop.Books.Put"));
            assert_eq!(plugin.notices, [""; 0]);
        }
        for empty in [json!({ "rules": {} }), json!({}), json!({ "rules": [] })] {
            load(json!({ "http": empty })).unwrap();
        }
    }

    #[test]
    fn each_error_names_the_path_that_it_has_in_the_document() {
        let rule = |rule: Value| json!({ "name": "x", "http": { "rules": [{ "selector": "shop.Books.Get", "get": "/a" }, rule] } });
        let known = KEYS.join(", ");
        let cases = [
            (
                json!({ "htp": {} }),
                format!("http_rules.htp: unknown key; did you mean \"http\"? (known here: {known})"),
            ),
            (
                json!({ "name": "x" }),
                "http_rules.http: expected an object with a list of rules, but found nothing".to_owned(),
            ),
            (json!({ "http": [] }), "http_rules.http: expected an object, but found a list".to_owned()),
            (
                json!({ "http": { "ruls": [] } }),
                "http_rules.http.ruls: unknown key; did you mean \"rules\"? (known here: rules, fully_decode_reserved_expansion)"
                    .to_owned(),
            ),
            (
                json!({ "http": { "fully_decode_reserved_expansion": "yes" } }),
                "http_rules.http.fully_decode_reserved_expansion: expected true or false, but found \"yes\"".to_owned(),
            ),
            (
                json!({ "http": { "rules": "x" } }),
                "http_rules.http.rules: expected a list of objects, but found \"x\"".to_owned(),
            ),
            (
                json!({ "type": "google.api.Http", "http": {} }),
                "http_rules.type: expected \"google.api.Service\", but found \"google.api.Http\"".to_owned(),
            ),
            (
                json!({ "selector": "shop.Books.Get", "get": "/a" }),
                "http_rules: expected a list of rules or a service configuration, but found a rule by itself: put it in a list"
                    .to_owned(),
            ),
            (
                rule(json!({ "selector": "shop.Books.Put", "get": 3 })),
                "http_rules.http.rules[1].get: expected a string that isn't empty, but found 3".to_owned(),
            ),
            (
                rule(json!({ "selector": "shop.Books.Put", "custom": { "kind": "X" } })),
                "http_rules.http.rules[1].custom.path: expected a string, but found nothing".to_owned(),
            ),
            (
                rule(json!({ "get": "/b" })),
                "http_rules.http.rules[1].selector: expected the full name of a method, but found nothing".to_owned(),
            ),
            (
                rule(json!({ "selector": "shop.Books.Put", "additionalBindings": [], "additional_bindings": [], "get": "/b" })),
                "http_rules.http.rules[1].additionalBindings: unknown key; did you mean \"additional_bindings\"? (known here: \
                 selector, get, put, post, delete, patch, custom, body, response_body, additional_bindings)"
                    .to_owned(),
            ),
            (
                rule(json!({ "selector": "shop.Books.Pat", "get": "/b" })),
                "http_rules.http.rules[1].selector: `shop.Books.Pat` selects no method: did you mean `shop.Books.Put`?".to_owned(),
            ),
        ];
        for (document, expected) in cases {
            assert_eq!(load(document).unwrap_err(), expected);
        }
        let ambiguous = load(rule(json!({ "selector": "shop.Books.Put", "get": "/a" }))).unwrap_err();
        assert_eq!(ambiguous.matches("http_rules.http.rules[").count(), 2, "{ambiguous}");
        assert!(!ambiguous.contains("http_rules["), "{ambiguous}");
    }

    #[test]
    fn rules_of_services_that_are_not_served_are_passed_over_in_a_document_alone() {
        let rules = |selectors: &[&str]| -> Vec<Value> {
            let rule = |selector: &&str| json!({ "selector": selector, "get": format!("/{selector}/{{name}}").replace('*', "all") });
            selectors.iter().map(rule).collect()
        };
        let selectors = ["shop.Authors.Get", "google.longrunning.Operations.*", "shop.Books.Get"];
        let plugin = load(json!({ "http": { "rules": rules(&selectors) } })).unwrap();
        assert_eq!(
            plugin.notices,
            [
                "http_rules.http.rules: passed over, since their services aren't served: shop.Authors.Get, \
              google.longrunning.Operations.*"
            ]
        );
        assert_eq!(
            method(&plugin, "GET", "/shop.Books.Get/x").as_deref(),
            Some("shop.Books.Get")
        );
        assert_eq!(method(&plugin, "GET", "/shop.Authors.Get/x"), None);
        let error = load(Value::Array(rules(&selectors))).unwrap_err();
        assert!(
            error.starts_with("http_rules[0].selector: `shop.Authors.Get` selects no method"),
            "{error}"
        );
    }

    #[test]
    fn a_selector_is_of_a_service_that_it_selects_or_should_select_from() {
        for (selector, expected) in [
            ("a.B.C", true),
            ("a.B.*", true),
            ("a.*", true),
            ("a.B.C.*", true),
            ("*", true),
            ("a.C.D", false),
            ("a.BB.*", false),
            ("b.*", false),
            ("C", false),
            ("a.B", false),
        ] {
            assert_eq!(is_of(selector, "a.B"), expected, "{selector}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_document_is_said_at_once() {
        let document = json!({
            "type": "google.api.Servic",
            "htp": 1,
            "http": {
                "rules": [{ "selector": "shop.Books.Gte", "get": "/" }, { "selector": "shop.Books.Put" }],
                "rule": 1,
                "fullyDecodeReservedExpansion": 1,
            },
            "x": 1,
        });
        let errors = load(document).unwrap_err();
        let keys: Vec<_> = errors.lines().filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(
            keys,
            [
                "http_rules.htp",
                "http_rules.x",
                "http_rules.type",
                "http_rules.http.rule",
                "http_rules.http.fully_decode_reserved_expansion",
                "http_rules.http.rules[0].selector",
            ],
            "{errors}"
        );
    }
}
