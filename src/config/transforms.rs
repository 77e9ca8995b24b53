//! `transforms` of a configuration, as [`Entry`]s. What their selectors, paths and values mean is found out when they are
//! compiled.

use serde_json::{Map, Value};

use super::check::{Checked, lacks, whole_number};
use super::error::ConfigError;
use crate::text::problems::Problems;
use crate::transform::{Condition, Entry, Operation, PathText, RuleError, Source, Test};

/// The entries, each with its position in the configuration; none without the key. What has been refused of them is left
/// out.
pub(super) fn entries(checked: &Checked, errors: &mut Problems<ConfigError>) -> Vec<Entry> {
    let given = checked.given("transforms").and_then(Value::as_array);
    let given = given.into_iter().flatten().enumerate();
    given
        .filter_map(|(at, entry)| Some((format!("transforms[{at}]"), entry.as_object()?)))
        .filter_map(|(key, entry)| {
            let request = operations(&key, entry, "request", errors);
            let response = operations(&key, entry, "response", errors);
            let is_empty = |direction| match entry.get(direction) {
                None => true,
                Some(Value::Array(operations)) => operations.is_empty(),
                Some(Value::Object(empty)) => empty.is_empty(),
                Some(_) => false,
            };
            if is_empty("request") && is_empty("response") && lacks("transforms[]", entry, &[]) {
                errors.add(|| ConfigError::new(&key, "expected operations in request or response, but found none"));
            }
            let selector = text(entry, "selector");
            // Of one whose selector isn't known it isn't known either for which methods its paths are wrong.
            if selector.is_none() && !lacks("transforms[]", entry, &["selector"]) {
                return None;
            }
            Some(Entry {
                selector,
                when: entry.get("when").and_then(|when| condition(&key, when, errors)),
                request,
                response,
                key,
            })
        })
        .collect()
}

/// The error of a rule, whose key is one of the configuration.
pub(super) fn rule_error(error: RuleError) -> ConfigError {
    ConfigError::new(error.key, error.message)
}

fn condition(key: &str, when: &Value, errors: &mut Problems<ConfigError>) -> Option<Condition> {
    const TESTS: [&str; 3] = ["is", "not", "present"];
    let key = format!("{key}.when");
    let when = when.as_object()?;
    if lacks("transforms[].when", when, &["header"]) {
        errors.add(|| {
            ConfigError::new(
                format!("{key}.header"),
                "expected the name of a header, but found nothing",
            )
        });
    }
    let test = match one_of(&key, "transforms[].when", when, &TESTS, errors)? {
        "present" => Test::Present(when.get("present")?.as_bool()?),
        name => {
            let listed = when.get(name)?;
            let values = texts(&format!("{key}.{name}"), listed, errors);
            let values = values.into_iter().map(|value| value.text.trim().to_owned()).collect();
            match name {
                "is" => Test::Is(values),
                _ => Test::Not(values),
            }
        }
    };
    Some(Condition {
        header: header(&format!("{key}.header"), when, errors)?,
        test,
    })
}

/// The operations of one direction.
fn operations(
    key: &str,
    entry: &Map<String, Value>,
    direction: &str,
    errors: &mut Problems<ConfigError>,
) -> Vec<Operation> {
    let operations = entry.get(direction).and_then(Value::as_array);
    let operations = operations.into_iter().flatten().enumerate();
    operations
        .filter_map(|(at, given)| operation(&format!("{key}.{direction}[{at}]"), given.as_object()?, errors))
        .collect()
}

/// An operation, of which the object must have exactly one; none if it has been refused.
fn operation(key: &str, given: &Map<String, Value>, errors: &mut Problems<ConfigError>) -> Option<Operation> {
    const OPERATIONS: [&str; 6] = ["set", "default", "remove", "keep", "mask", "remove_annotated"];
    let name = one_of(key, OPERATION, given, &OPERATIONS, errors)?;
    let value = given.get(name)?;
    let key = format!("{key}.{name}");
    match (name, value) {
        ("set", Value::Object(set)) => {
            let field = field(&key, "set", set, errors);
            let table_path = format!("{OPERATION}.set");
            let source = match one_of(&key, &table_path, set, &["value", "header", "property"], errors)? {
                "header" => Source::Header(header(&format!("{key}.header"), set, errors)?),
                "property" => {
                    let parts = texts(&format!("{key}.property"), set.get("property")?, errors);
                    let segments: Vec<_> = parts.into_iter().map(|part| part.text).collect();
                    Source::Property(segments.join("\0").into())
                }
                _ => {
                    if set.contains_key("required") {
                        errors.add(|| {
                            let message = "unexpected key: a value of the configuration is always there";
                            ConfigError::new(format!("{key}.required"), message)
                        });
                    }
                    Source::Value(json(set)?)
                }
            };
            Some(Operation::Set {
                field: field?,
                source,
                required: set.get("required") == Some(&Value::Bool(true)),
            })
        }
        ("default", Value::Object(default)) => {
            let field = field(&key, "default", default, errors);
            if lacks(&format!("{OPERATION}.default"), default, &["value"]) {
                errors.add(|| ConfigError::new(format!("{key}.value"), "expected a value, but found nothing"));
            }
            Some(Operation::Default {
                field: field?,
                value: json(default)?,
            })
        }
        ("mask", Value::Object(mask)) => {
            let keep_last = match mask.get("keep_last") {
                None => 0,
                Some(given) => usize::try_from(whole_number(given)?).ok()?,
            };
            Some(Operation::Mask {
                field: field(&key, "mask", mask, errors)?,
                keep_last,
            })
        }
        ("remove_annotated", Value::String(option)) => Some(Operation::RemoveAnnotated {
            option: option.trim_start_matches('.').to_owned(),
            key,
        }),
        ("remove", paths) => Some(Operation::Remove(texts(&key, paths, errors))),
        ("keep", paths) => match texts(&key, paths, errors) {
            paths if paths.is_empty() => None,
            paths => Some(Operation::Keep(paths)),
        },
        _ => None,
    }
}

/// The path of operations in the table of keys.
const OPERATION: &str = "transforms[].request[]";

/// The one of `names` that the object at `key` has. It is an error if it hasn't exactly one; `None` then, and where it has
/// an unknown key instead.
fn one_of<'n>(
    key: &str,
    table_path: &str,
    given: &Map<String, Value>,
    names: &[&'n str],
    errors: &mut Problems<ConfigError>,
) -> Option<&'n str> {
    let mut found = names.iter().filter(|name| given.contains_key(**name));
    match (found.next(), found.next()) {
        (Some(name), None) => return Some(name),
        (None, _) if !lacks(table_path, given, names) => return None,
        _ => {}
    }
    errors.add(|| {
        let found: Vec<_> = (names.iter().copied())
            .filter(|name| given.contains_key(*name))
            .collect();
        let found = if found.is_empty() {
            "none".to_owned()
        } else {
            found.join(" and ")
        };
        ConfigError::new(
            key,
            format!("expected exactly one of {}, but found {found}", names.join(", ")),
        )
    });
    None
}

/// The `field` of the operation of this name at `key`.
fn field(key: &str, name: &str, given: &Map<String, Value>, errors: &mut Problems<ConfigError>) -> Option<PathText> {
    let key = format!("{key}.field");
    if lacks(&format!("{OPERATION}.{name}"), given, &["field"]) {
        errors.add(|| ConfigError::new(&key, "expected the path of a field, but found nothing"));
    }
    let text = text(given, "field")?;
    Some(PathText { key, text })
}

/// The `header` of an object, in lower case.
fn header(key: &str, given: &Map<String, Value>, errors: &mut Problems<ConfigError>) -> Option<Box<str>> {
    let name = text(given, "header")?.to_ascii_lowercase();
    let is_named = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b';' | b'"');
    if !name.bytes().all(is_named) {
        errors.add(|| ConfigError::new(key, "expected the name of a header, but found other characters in it"));
        return None;
    }
    Some(name.into())
}

/// The strings of a list that must not be empty, with their keys.
fn texts(key: &str, given: &Value, errors: &mut Problems<ConfigError>) -> Vec<PathText> {
    let elements = given.as_array().map(Vec::as_slice).unwrap_or_default();
    if elements.is_empty() && !given.is_null() {
        errors.add(|| ConfigError::new(key, "expected at least one string, but found an empty list"));
    }
    let elements = elements.iter().enumerate();
    elements
        .filter_map(|(at, element)| {
            Some(PathText {
                text: element.as_str()?.to_owned(),
                key: format!("{key}[{at}]"),
            })
        })
        .collect()
}

/// The `value` of an object; none if it has been refused.
fn json(given: &Map<String, Value>) -> Option<Value> {
    given.get("value").filter(|value| !value.is_null()).cloned()
}

fn text(given: &Map<String, Value>, name: &str) -> Option<String> {
    given.get(name).and_then(Value::as_str).map(str::to_owned)
}
