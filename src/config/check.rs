//! A configuration against the table of keys: every key must be known, and every value of its key's kind.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::keys::{HOOK, KEYS, Key, Kind, MAX_SIZE};
use crate::schema::nearest;
use crate::text::problems::Problems;
use crate::text::shown::{NAME, SETTING, beginning, shown};

/// A configuration that has been checked: the values of known keys are of their kinds.
///
/// What isn't has been refused and is null now, which no key takes. So those who read the rest know where something is
/// missing that need not be said again.
#[derive(Debug)]
pub(super) struct Checked(Map<String, Value>);

impl Checked {
    /// Checks all keys and values.
    pub(super) fn new(mut configuration: Map<String, Value>, errors: &mut Problems<ConfigError>) -> Self {
        check_object("", "", &mut configuration, errors);
        Self(configuration)
    }

    /// The value of a key that the configuration gives, without its default; null if it was refused. `path` must not
    /// lead into a list.
    pub(super) fn given(&self, path: &str) -> Option<&Value> {
        let (parent, name) = split(path);
        match parent {
            "" => self.0.get(name),
            parent => self.0.get(parent)?.get(name),
        }
    }

    /// Takes the value of a key that the configuration gives. What stands there from now on says no more than that there was
    /// one.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        let value = self.0.get_mut(key)?;
        let nothing = if value.is_null() {
            Value::Null
        } else {
            Value::Bool(true)
        };
        Some(std::mem::replace(value, nothing))
    }

    /// Whether it is known what the configuration says of a key, be it nothing. It isn't where its value was refused, or
    /// where an unknown key beside it may be this one misspelled.
    pub(super) fn is_known(&self, path: &str) -> bool {
        let (parent, name) = split(path);
        let object = match parent {
            "" => Some(&self.0),
            parent => match self.0.get(parent) {
                Some(Value::Object(object)) => Some(object),
                Some(_) => return false,
                None => None,
            },
        };
        match object.and_then(|object| object.get(name)) {
            Some(value) => !value.is_null(),
            None => {
                let mut unknown = object.into_iter().flat_map(|object| unknown_keys(parent, object));
                !unknown.any(|unknown| nearest(unknown, [name]).is_some())
            }
        }
    }

    /// The given value, else the default, else null.
    fn value(&self, path: &str) -> Value {
        match self.given(path) {
            None | Some(Value::Null) => default(path),
            Some(given) => given.clone(),
        }
    }

    /// A string, if one is given or the default.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.value(path) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The chosen string of a [`Kind::Choice`].
    pub(super) fn choice(&self, path: &str) -> String {
        self.text(path).unwrap_or_default()
    }

    /// Whether a [`Kind::Flag`] is set.
    pub(super) fn flag(&self, path: &str) -> bool {
        self.value(path) == Value::Bool(true)
    }

    /// Whether a [`Kind::FlagOrAuto`] is set; `None` for `auto`.
    pub(super) fn flag_or_auto(&self, path: &str) -> Option<bool> {
        self.value(path).as_bool()
    }

    /// The bytes of a [`Kind::Size`].
    pub(super) fn size(&self, path: &str) -> usize {
        whole_number(&self.value(path))
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or_default()
    }

    /// The time of a [`Kind::Duration`], if there is one.
    pub(super) fn duration(&self, path: &str) -> Option<Duration> {
        self.text(path).and_then(|text| duration(&text))
    }

    /// The strings of a [`Kind::Texts`].
    pub(super) fn texts(&self, path: &str) -> Vec<String> {
        match self.value(path) {
            Value::Array(elements) => elements
                .into_iter()
                .filter_map(|element| element.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The default of a key; null where it has none.
fn default(path: &str) -> Value {
    KEYS.iter()
        .find(|key| key.path == path)
        .and_then(|key| serde_json::from_str(key.default?).ok())
        .unwrap_or(Value::Null)
}

/// The keys of a checked object that aren't in the table. `table_path` is its path there.
fn unknown_keys<'o>(table_path: &str, object: &'o Map<String, Value>) -> impl Iterator<Item = &'o str> {
    let siblings = names(table_path);
    let refused = object.iter().filter(|(_, value)| value.is_null());
    refused
        .map(|(name, _)| name.as_str())
        .filter(move |name| !siblings.contains(name))
}

/// Whether a checked object lacks a key that it needs, and none that isn't known may be it. `table_path` is the path of
/// the object in the table.
pub(super) fn lacks(table_path: &str, object: &Map<String, Value>, names: &[&str]) -> bool {
    !names.iter().any(|name| object.contains_key(*name)) && unknown_keys(table_path, object).next().is_none()
}

/// The path of the object that a key is in, and the key's name there.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The names of the keys of the object at this path of the table.
fn names(table_path: &str) -> Vec<&'static str> {
    let keys = KEYS.iter().map(|key| split(key.path));
    keys.filter(|(parent, _)| *parent == table_path)
        .map(|(_, name)| name)
        .collect()
}

/// Checks the object at `path`. `table_path` is its path in [`KEYS`], which has `[]` where `path` has a position.
///
/// The nesting of [`KEYS`] bounds the recursion, but for `additional_bindings`, where [`check_binding`] does.
fn check_object(table_path: &str, path: &str, object: &mut Map<String, Value>, errors: &mut Problems<ConfigError>) {
    let join = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    for (name, value) in object {
        match KEYS.iter().find(|key| split(key.path) == (table_path, name)) {
            Some(key) => check_value(key, &join(name), value, errors),
            None => {
                errors.add(|| unknown_key(table_path, join(&shown(name.as_bytes(), NAME)), name));
                *value = Value::Null;
            }
        }
    }
}

/// Checks that `value`, found at `path`, is of the kind of `key`.
fn check_value(key: &Key, path: &str, value: &mut Value, errors: &mut Problems<ConfigError>) {
    match (key.kind, value) {
        // Kong, which is written in Lua, hands on an empty list as an empty object.
        (Kind::Texts | Kind::Objects | Kind::Hooks, Value::Object(object)) if object.is_empty() => {}
        (Kind::Texts, Value::Array(elements)) => {
            for (at, element) in elements.iter_mut().enumerate() {
                check_kind(Kind::Text, || format!("{path}[{at}]"), element, errors);
            }
        }
        (Kind::TextMap, Value::Object(entries)) => {
            for (name, value) in entries {
                let path = || format!("{path}[{:?}]", shown(name.as_bytes(), NAME));
                check_kind(Kind::TextOrEmpty, path, value, errors);
            }
        }
        (Kind::Object, Value::Object(object)) => check_object(key.path, path, object, errors),
        (Kind::AnyObject, Value::Object(_)) => {}
        (Kind::Hook, Value::Object(object)) => check_object(HOOK, path, object, errors),
        (Kind::Objects | Kind::Hooks, Value::Array(elements)) => {
            let table_path = match key.kind {
                Kind::Hooks => HOOK,
                _ => &format!("{}[]", elements_of(key)),
            };
            for (at, element) in elements.iter_mut().enumerate() {
                let path = format!("{path}[{at}]");
                match element {
                    Value::Object(binding) if key.path == ADDITIONAL_BINDINGS => check_binding(&path, binding, errors),
                    Value::Object(object) => check_object(table_path, &path, object, errors),
                    _ => check_kind(Kind::Object, || path, element, errors),
                }
            }
        }
        (kind, value) => check_kind(kind, || path.to_owned(), value, errors),
    }
}

/// The path in the table whose elements a list of objects has.
pub(super) fn elements_of(key: &Key) -> &'static str {
    match key.path {
        "transforms[].response" => "transforms[].request",
        path => path,
    }
}

/// Checks that `value`, found at `path`, is of this kind, in which there is nothing else to check. What isn't becomes
/// null.
fn check_kind(kind: Kind, path: impl FnOnce() -> String, value: &mut Value, errors: &mut Problems<ConfigError>) {
    let is_right = match kind {
        Kind::Text => value.as_str().is_some_and(|text| !text.is_empty()),
        Kind::TextOrEmpty => value.is_string(),
        Kind::Flag => value.is_boolean(),
        Kind::FlagOrAuto => value.is_boolean() || *value == AUTO,
        Kind::Size => whole_number(value).is_some_and(|size| (1..=MAX_SIZE).contains(&size)),
        Kind::Count => whole_number(value).is_some_and(|count| count <= MAX_SIZE),
        Kind::Json => !value.is_null(),
        Kind::SuccessStatus => whole_number(value).is_some_and(|status| (200..=299).contains(&status)),
        Kind::Duration => value.as_str().and_then(duration).is_some(),
        Kind::Choice(choices) => value.as_str().is_some_and(|text| choices.contains(&text)),
        Kind::Texts | Kind::TextMap | Kind::Object | Kind::Objects | Kind::AnyObject | Kind::Hook | Kind::Hooks => {
            false
        }
    };
    if !is_right {
        errors.add(|| wrong(kind, path(), value));
        *value = Value::Null;
    }
}

/// The error of the value `found` at `path`, which should be of this kind.
fn wrong(kind: Kind, path: String, found: &Value) -> ConfigError {
    let expected = match kind {
        Kind::Text => "a string that isn't empty",
        Kind::TextOrEmpty => "a string",
        Kind::Flag => "true or false",
        Kind::FlagOrAuto => "true, false or \"auto\"",
        Kind::Size => &format!("a whole number of bytes from 1 to {MAX_SIZE}"),
        Kind::Count => &format!("a whole number from 0 to {MAX_SIZE}"),
        Kind::Json => "a value",
        Kind::SuccessStatus => "a whole number from 200 to 299",
        Kind::Duration => "a duration in seconds such as \"15s\" or \"0.5s\", from \"0.001s\" to \"2147483s\"",
        Kind::Choice(choices) => &format!("\"{}\"", choices.join("\" or \"")),
        Kind::Texts => "a list of strings",
        Kind::TextMap => "an object of strings",
        Kind::Object | Kind::AnyObject | Kind::Hook => "an object",
        Kind::Objects | Kind::Hooks => "a list of objects",
    };
    let meant = match (kind, found) {
        (Kind::Choice(choices), Value::String(text)) => nearest(text, choices.iter().copied()),
        _ => None,
    };
    let meant = meant
        .map(|meant| format!("; did you mean \"{meant}\"?"))
        .unwrap_or_default();
    ConfigError::new(
        path,
        format!("expected {expected}, but found {}{meant}", describe(found)),
    )
}

const AUTO: &str = "auto";

const ADDITIONAL_BINDINGS: &str = "http_rules[].additional_bindings";

/// Checks an additional binding: it has the keys of a rule, except two.
fn check_binding(path: &str, binding: &mut Map<String, Value>, errors: &mut Problems<ConfigError>) {
    for (name, reason) in [
        ("selector", "the selector of the rule around it holds"),
        (
            "additional_bindings",
            "additional bindings nest no deeper; give them all to the rule itself",
        ),
    ] {
        if binding.shift_remove(name).is_some() {
            errors.add(|| ConfigError::new(format!("{path}.{name}"), format!("unexpected key: {reason}")));
        }
    }
    check_object("http_rules[]", path, binding, errors);
}

/// The error of the key `name` at `path`, with what may have been meant.
fn unknown_key(table_path: &str, path: String, name: &str) -> ConfigError {
    let siblings = names(table_path);
    let elsewhere = || {
        KEYS.iter()
            .map(|key| key.path)
            .find(|path| path.rsplit_once('.').is_some_and(|(_, last)| last == name) && !path.contains("[]"))
    };
    let meant = match nearest(name, siblings.iter().copied()).or_else(elsewhere) {
        Some(meant) => format!("; did you mean \"{meant}\"?"),
        None => String::new(),
    };
    ConfigError::new(
        path,
        format!("unknown key{meant} (known here: {})", siblings.join(", ")),
    )
}

/// A value as an error shows it: short, and of lists and objects only that they are such.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) => match beginning(text, SETTING) {
            (start, true) => format!("{start:?}…"),
            (text, false) => format!("{text:?}"),
        },
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    }
}

/// A number without a fraction, also in the forms 1.0 and 1e6: a Struct has doubles only.
pub(super) fn whole_number(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    (number.fract() == 0.0 && (0.0..=MAX_SIZE as f64).contains(&number)).then_some(number as u64)
}

/// protobuf's JSON form of a duration, within what the hosts' timers can be set to: 1 ms to 2^31 ms.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (seconds, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || seconds.len() > 10 || fraction.len() > 9 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    let duration = Duration::new(seconds.parse().ok()?, nanos);
    (1..=i32::MAX as u128)
        .contains(&duration.as_millis())
        .then_some(duration)
}
