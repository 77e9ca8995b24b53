//! `http_rules` of a configuration, as [`HttpRule`]s, and the `base_path` that they are below.
//!
//! The rules have the fields of `google.api.HttpRule` (google/api/http.proto). Whether selectors select something and
//! templates are well-formed is checked when the router is built.

use serde_json::{Map, Value};

use super::check::{Checked, describe};
use super::error::ConfigError;
use crate::routing::HttpRule;
use crate::routing::template::BasePath;

/// The rules in the order of the configuration; none without the key.
pub(super) fn http_rules(checked: &Checked) -> Result<Vec<HttpRule>, ConfigError> {
    let Some(Value::Array(rules)) = checked.given("http_rules") else {
        return Ok(Vec::new());
    };
    let objects = rules.iter().filter_map(Value::as_object).enumerate();
    objects
        .map(|(at, rule)| {
            let key = format!("http_rules[{at}]");
            if !rule.contains_key("selector") {
                return Err(ConfigError::new(
                    format!("{key}.selector"),
                    "expected the full name of a method, but found nothing",
                ));
            }
            http_rule(&key, rule)
        })
        .collect()
}

/// The path before all templates; none without the key.
pub(super) fn base_path(checked: &Checked) -> Result<BasePath, ConfigError> {
    let text = checked.text("base_path").unwrap_or_default();
    BasePath::parse(&text).ok_or_else(|| {
        let found = describe(&Value::String(text));
        ConfigError::new(
            "base_path",
            format!(
                "expected a path such as \"/api\" that begins with a slash, ends without one, and has no variables, \
                 wildcards, verb or query, but found {found}"
            ),
        )
    })
}

/// The rule at the key path `key`. Its additional bindings have none themselves, which bounds the recursion.
fn http_rule(key: &str, rule: &Map<String, Value>) -> Result<HttpRule, ConfigError> {
    const PATTERNS: [&str; 6] = ["get", "put", "post", "delete", "patch", "custom"];
    let text = |object: &Map<String, Value>, name: &str| {
        object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let given: Vec<_> = PATTERNS
        .into_iter()
        .filter_map(|name| rule.get(name).map(|pattern| (name, pattern)))
        .collect();
    let [(name, pattern)] = given.as_slice() else {
        let found = given.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
        return Err(ConfigError::new(
            key,
            format!(
                "expected exactly one of {}, but found {}",
                PATTERNS.join(", "),
                if found.is_empty() { "none" } else { &found }
            ),
        ));
    };
    let (http_method, template) = match pattern {
        Value::Object(custom) => {
            for part in ["kind", "path"] {
                if !custom.contains_key(part) {
                    return Err(ConfigError::new(
                        format!("{key}.custom.{part}"),
                        "expected a string, but found nothing",
                    ));
                }
            }
            (text(custom, "kind"), text(custom, "path"))
        }
        _ => (name.to_ascii_uppercase(), text(rule, name)),
    };
    let additional = rule.get("additional_bindings").and_then(Value::as_array);
    Ok(HttpRule {
        selector: text(rule, "selector"),
        http_method,
        template,
        body: text(rule, "body"),
        response_body: text(rule, "response_body"),
        additional_bindings: additional
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .enumerate()
            .map(|(at, binding)| http_rule(&format!("{key}.additional_bindings[{at}]"), binding))
            .collect::<Result<_, _>>()?,
    })
}
