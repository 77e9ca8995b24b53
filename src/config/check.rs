//! A configuration against the table of keys: every key must be known, and every value of its key's kind.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::keys::{KEYS, Key, Kind, MAX_SIZE};
use crate::schema::nearest;
use crate::text::shown::{SETTING, beginning};

/// A configuration that has passed the check: known keys only, each with a value of its kind.
#[derive(Debug)]
pub(super) struct Checked(Map<String, Value>);

impl Checked {
    /// Checks all keys and values. The error names one key that is wrong.
    pub(super) fn new(configuration: Map<String, Value>) -> Result<Self, ConfigError> {
        check_object("", "", &configuration)?;
        Ok(Self(configuration))
    }

    /// The value of a key that the configuration gives, without its default. `path` must not lead into a list.
    pub(super) fn given(&self, path: &str) -> Option<&Value> {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        match parent {
            "" => self.0.get(name),
            parent => self.0.get(parent)?.get(name),
        }
    }

    /// The given value, else the default, else null.
    fn value(&self, path: &str) -> Value {
        self.given(path).cloned().unwrap_or_else(|| default(path))
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

/// Checks the object at `path`. `table_path` is its path in [`KEYS`], which has `[]` where `path` has a position.
///
/// The nesting of [`KEYS`] bounds the recursion, but for `additional_bindings`, where [`check_binding`] does.
fn check_object(table_path: &str, path: &str, object: &Map<String, Value>) -> Result<(), ConfigError> {
    for (name, value) in object {
        let join = |parent: &str| match parent {
            "" => name.clone(),
            parent => format!("{parent}.{name}"),
        };
        let path = join(path);
        match KEYS.iter().find(|key| key.path == join(table_path)) {
            Some(key) => check_value(key, &path, value)?,
            None => return Err(unknown_key(table_path, path, name)),
        }
    }
    Ok(())
}

/// Checks that `value`, found at `path`, is of the kind of `key`.
fn check_value(key: &Key, path: &str, value: &Value) -> Result<(), ConfigError> {
    let wrong = |path: String, expected: &str, value: &Value| {
        Err(ConfigError::new(
            path,
            format!("expected {expected}, but found {}", describe(value)),
        ))
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match (key.kind, value) {
        (Kind::Text, value) if is_text(value) => Ok(()),
        (Kind::Text, _) => wrong(path.to_owned(), "a string that isn't empty", value),
        (Kind::TextOrEmpty, Value::String(_)) => Ok(()),
        (Kind::TextOrEmpty, _) => wrong(path.to_owned(), "a string", value),
        (Kind::Flag, Value::Bool(_)) => Ok(()),
        (Kind::Flag, _) => wrong(path.to_owned(), "true or false", value),
        (Kind::FlagOrAuto, Value::Bool(_)) => Ok(()),
        (Kind::FlagOrAuto, Value::String(text)) if text == AUTO => Ok(()),
        (Kind::FlagOrAuto, _) => wrong(path.to_owned(), "true, false or \"auto\"", value),
        (Kind::Size, value) if whole_number(value).is_some_and(|size| (1..=MAX_SIZE).contains(&size)) => Ok(()),
        (Kind::Size, _) => wrong(
            path.to_owned(),
            &format!("a whole number of bytes from 1 to {MAX_SIZE}"),
            value,
        ),
        (Kind::SuccessStatus, value) if whole_number(value).is_some_and(|status| (200..=299).contains(&status)) => {
            Ok(())
        }
        (Kind::SuccessStatus, _) => wrong(path.to_owned(), "a whole number from 200 to 299", value),
        (Kind::Duration, value) if value.as_str().and_then(duration).is_some() => Ok(()),
        (Kind::Duration, _) => wrong(
            path.to_owned(),
            "a duration in seconds such as \"15s\" or \"0.5s\", from \"0.001s\" to \"2147483s\"",
            value,
        ),
        (Kind::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => Ok(()),
        (Kind::Choice(choices), value) => {
            let expected = format!("\"{}\"", choices.join("\" or \""));
            let meant = value.as_str().and_then(|text| nearest(text, choices.iter().copied()));
            match (wrong(path.to_owned(), &expected, value), meant) {
                (Err(error), Some(meant)) => Err(ConfigError::new(
                    error.key,
                    format!("{}; did you mean \"{meant}\"?", error.message),
                )),
                (error, _) => error,
            }
        }
        // Kong, which is written in Lua, hands on an empty list as an empty object.
        (Kind::Texts | Kind::Objects, Value::Object(object)) if object.is_empty() => Ok(()),
        (Kind::Texts, Value::Array(elements)) => {
            match elements.iter().enumerate().find(|(_, element)| !is_text(element)) {
                Some((at, element)) => wrong(format!("{path}[{at}]"), "a string that isn't empty", element),
                None => Ok(()),
            }
        }
        (Kind::Texts, _) => wrong(path.to_owned(), "a list of strings", value),
        (Kind::TextMap, Value::Object(entries)) => match entries.iter().find(|(_, value)| !value.is_string()) {
            Some((name, value)) => wrong(format!("{path}[{name:?}]"), "a string", value),
            None => Ok(()),
        },
        (Kind::TextMap, _) => wrong(path.to_owned(), "an object of strings", value),
        (Kind::Object, Value::Object(object)) => check_object(key.path, path, object),
        (Kind::Object, _) => wrong(path.to_owned(), "an object", value),
        (Kind::Objects, Value::Array(elements)) => elements.iter().enumerate().try_for_each(|(at, element)| {
            let path = format!("{path}[{at}]");
            match element {
                Value::Object(binding) if key.path == ADDITIONAL_BINDINGS => check_binding(&path, binding),
                Value::Object(object) => check_object(&format!("{}[]", key.path), &path, object),
                _ => wrong(path, "an object", element),
            }
        }),
        (Kind::Objects, _) => wrong(path.to_owned(), "a list of objects", value),
    }
}

const AUTO: &str = "auto";

const ADDITIONAL_BINDINGS: &str = "http_rules[].additional_bindings";

/// Checks an additional binding: it has the keys of a rule, except two.
fn check_binding(path: &str, binding: &Map<String, Value>) -> Result<(), ConfigError> {
    for (name, reason) in [
        ("selector", "the selector of the rule around it holds"),
        ("additional_bindings", "additional bindings nest no deeper"),
    ] {
        if binding.contains_key(name) {
            return Err(ConfigError::new(
                format!("{path}.{name}"),
                format!("unexpected key: {reason}"),
            ));
        }
    }
    check_object("http_rules[]", path, binding)
}

/// The error of the key `name` at `path`, with what may have been meant.
fn unknown_key(table_path: &str, path: String, name: &str) -> ConfigError {
    let siblings: Vec<_> = KEYS
        .iter()
        .filter_map(|key| {
            let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            (parent == table_path).then_some(name)
        })
        .collect();
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
fn duration(text: &str) -> Option<Duration> {
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
