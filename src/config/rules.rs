//! `http_rules` of a configuration, as [`HttpRule`]s, and the `base_path` that they are below.
//!
//! The rules have the fields of `google.api.HttpRule` (google/api/http.proto). Whether selectors select something and
//! templates are well-formed is checked when the router is built.

use serde_json::{Map, Value};

use super::check::{Checked, describe, lacks};
use super::error::ConfigError;
use crate::routing::HttpRule;
use crate::routing::template::BasePath;
use crate::text::problems::Problems;

/// The rules, each at its position in the configuration; none without the key.
///
/// What isn't known of a rule since it was refused is empty in it: a rule whose selector isn't known has none, and selects
/// nothing; one whose path isn't known has no way to its methods.
pub(super) fn http_rules(checked: &Checked, errors: &mut Problems<ConfigError>) -> Vec<HttpRule> {
    let Some(Value::Array(rules)) = checked.given("http_rules") else {
        return Vec::new();
    };
    let mut read = Vec::with_capacity(rules.len());
    for (at, rule) in rules.iter().enumerate() {
        let key = format!("http_rules[{at}]");
        let Some(rule) = rule.as_object() else {
            read.push(without_path(&Map::new()));
            continue;
        };
        if lacks("http_rules[]", rule, &["selector"]) {
            errors.add(|| {
                ConfigError::new(
                    format!("{key}.selector"),
                    "expected the full name of a method, but found nothing",
                )
            });
        }
        let takes_away = rule.len() == 1 && rule.contains_key("selector");
        read.push(match takes_away {
            true => without_path(rule),
            false => http_rule(&key, rule, errors),
        });
    }
    read
}

/// The path before all templates; none without the key.
pub(super) fn base_path(checked: &Checked, errors: &mut Problems<ConfigError>) -> BasePath {
    let text = checked.text("base_path").unwrap_or_default();
    BasePath::parse(&text).unwrap_or_else(|| {
        let found = describe(&Value::String(text));
        errors.add(|| {
            ConfigError::new(
                "base_path",
                format!(
                    "expected a path such as \"/api\" that begins with a slash, ends without one, and has no \
                     variables, wildcards, verb or query, but found {found}"
                ),
            )
        });
        BasePath::default()
    })
}

/// The rule at the key path `key`. Its additional bindings have none themselves, which bounds the recursion.
fn http_rule(key: &str, rule: &Map<String, Value>, errors: &mut Problems<ConfigError>) -> HttpRule {
    const PATTERNS: [&str; 6] = ["get", "put", "post", "delete", "patch", "custom"];
    let given: Vec<_> = PATTERNS
        .into_iter()
        .filter_map(|name| rule.get(name).map(|pattern| (name, pattern)))
        .collect();
    let (http_method, template) = match given.as_slice() {
        [(_, Value::Object(custom))] => {
            for part in ["kind", "path"] {
                if lacks("http_rules[].custom", custom, &[part]) {
                    errors.add(|| {
                        ConfigError::new(format!("{key}.custom.{part}"), "expected a string, but found nothing")
                    });
                }
            }
            match (custom.get("kind"), custom.get("path")) {
                (Some(Value::String(kind)), Some(Value::String(path))) => (kind.clone(), path.clone()),
                _ => Default::default(),
            }
        }
        [(name, Value::String(template))] => (name.to_ascii_uppercase(), template.clone()),
        [(_, _)] => Default::default(),
        [] if !lacks("http_rules[]", rule, &PATTERNS) => Default::default(),
        _ => {
            errors.add(|| {
                let found = given.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
                ConfigError::new(
                    key,
                    format!(
                        "expected exactly one of {}, but found {}",
                        PATTERNS.join(", "),
                        if found.is_empty() { "none" } else { &found }
                    ),
                )
            });
            Default::default()
        }
    };
    let additional = rule.get("additional_bindings").and_then(Value::as_array);
    let additional = additional.into_iter().flatten().enumerate();
    HttpRule {
        http_method,
        template,
        additional_bindings: additional
            .map(|(at, binding)| match binding.as_object() {
                Some(binding) => http_rule(&format!("{key}.additional_bindings[{at}]"), binding, errors),
                None => without_path(&Map::new()),
            })
            .collect(),
        ..without_path(rule)
    }
}

/// The rule without what says its path, and without additional bindings.
fn without_path(rule: &Map<String, Value>) -> HttpRule {
    let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    HttpRule {
        selector: text("selector"),
        http_method: String::new(),
        template: String::new(),
        body: text("body"),
        response_body: text("response_body"),
        additional_bindings: Vec::new(),
    }
}
