//! The bytes of a configuration, as the host hands them over, read as a JSON object.
//!
//! Kong hands over JSON text, and so does Envoy for a `google.protobuf.StringValue`. For a `google.protobuf.Struct`
//! Envoy hands over the Struct in wire format.

use std::collections::HashSet;

use prost::Message;
use prost_types::{Struct, value::Kind};
use serde_json::{Map, Number, Value};

use super::check::describe;
use super::error::ConfigError;
use crate::text::problems::Problems;
use crate::text::shown::{NAME, shown};

/// Reads a configuration. No bytes at all are the empty object. An object that has a key twice is an error, and read on
/// with the last.
///
/// `None`, with the error, where it can't be read.
pub(super) fn read(configuration: &[u8], errors: &mut Problems<ConfigError>) -> Option<Map<String, Value>> {
    let trimmed = configuration.trim_ascii();
    let unread = match (read_text(trimmed), configuration.first()) {
        (Ok((object, doubled)), _) => {
            errors.append(doubled, |error| error);
            return Some(object);
        }
        // A Struct starts with the tag of its first entry, 0x0a, which before JSON text is a line break.
        (Err(text_error), Some(0x0a)) => match (read_struct(configuration), trimmed.first()) {
            (Ok(object), _) => return Some(object),
            (Err(_), Some(b'{')) => text_error.into(),
            (Err(struct_errors), _) => struct_errors,
        },
        (Err(text_error), _) => text_error.into(),
    };
    errors.append(unread, |error| error);
    None
}

/// Also gives the errors of keys that are there twice.
fn read_text(configuration: &[u8]) -> Result<(Map<String, Value>, Problems<ConfigError>), ConfigError> {
    let expected = "expected a JSON object or a google.protobuf.Struct";
    if configuration.is_empty() {
        return Ok(Default::default());
    }
    let text = std::str::from_utf8(configuration)
        .map_err(|error| ConfigError::new("", format!("{expected}, but found bytes that are not UTF-8 ({error})")))?;
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ConfigError::new("", format!("{expected}, but found other text: {error}")))?;
    match value {
        Value::Object(object) => Ok((object, doubled_keys(text))),
        other => Err(ConfigError::new(
            "",
            format!("{expected}, but found {}", describe(&other)),
        )),
    }
}

fn read_struct(configuration: &[u8]) -> Result<Map<String, Value>, Problems<ConfigError>> {
    // The decoder bounds the nesting: it refuses messages deeper than 100.
    let decoded = Struct::decode(configuration).map_err(|error| {
        ConfigError::new(
            "",
            format!("expected a JSON object or a google.protobuf.Struct, but found other bytes ({error})"),
        )
    })?;
    let mut errors = Problems::default();
    let object = object("", decoded, &mut errors);
    errors.or(object)
}

fn object(path: &str, decoded: Struct, errors: &mut Problems<ConfigError>) -> Map<String, Value> {
    let entries = decoded.fields.into_iter().map(|(name, value)| {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        let value = json(&path, value, errors);
        (name, value)
    });
    entries.collect()
}

/// Null for a number that JSON lacks, which is an error.
fn json(path: &str, value: prost_types::Value, errors: &mut Problems<ConfigError>) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(flag)) => Value::Bool(flag),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::NumberValue(number)) => match json_number(number) {
            Some(number) => Value::Number(number),
            None => {
                let message = format!("expected a number that JSON can write, but found {number}");
                errors.add(|| ConfigError::new(path, message));
                Value::Null
            }
        },
        Some(Kind::StructValue(below)) => Value::Object(object(path, below, errors)),
        Some(Kind::ListValue(list)) => {
            let elements = list.values.into_iter().enumerate();
            Value::Array(
                elements
                    .map(|(at, value)| json(&format!("{path}[{at}]"), value, errors))
                    .collect(),
            )
        }
    }
}

/// A Struct has doubles only: those that are integers come out as integers, but for those that may have been rounded.
fn json_number(number: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        Some(Number::from(number as i64))
    } else {
        Number::from_f64(number)
    }
}

/// The errors of keys that an object in `text`, which must be JSON, has twice. serde_json lets the last one win.
fn doubled_keys(text: &str) -> Problems<ConfigError> {
    let bytes = text.as_bytes();
    let mut errors = Problems::default();
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' => frames.push(Frame::Object {
                keys: HashSet::new(),
                key: String::new(),
                key_is_next: true,
            }),
            b'[' => frames.push(Frame::List(0)),
            b'}' | b']' => {
                frames.pop();
            }
            b',' => match frames.last_mut() {
                Some(Frame::Object { key_is_next, .. }) => *key_is_next = true,
                Some(Frame::List(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                while let Some(byte) = bytes.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                at += 1;
                if let Some(Frame::Object { keys, key, key_is_next }) = frames.last_mut()
                    && std::mem::take(key_is_next)
                {
                    let name = text.get(start..at).and_then(|name| serde_json::from_str(name).ok());
                    *key = name.unwrap_or_default();
                    if !keys.insert(key.clone()) {
                        errors.add(|| ConfigError::new(path(&frames), "the key is there twice: leave one of them out"));
                    }
                }
            }
            _ => {}
        }
    }
    errors
}

/// Where an object or a list is being read.
enum Frame {
    Object {
        keys: HashSet<String>,
        key: String,
        key_is_next: bool,
    },
    List(usize),
}

/// The path of the key at hand in the last of `frames`.
fn path(frames: &[Frame]) -> String {
    frames.iter().fold(String::new(), |path, frame| match frame {
        Frame::Object { key, .. } => {
            let name = shown(key.as_bytes(), NAME);
            if path.is_empty() {
                name.into_owned()
            } else {
                format!("{path}.{name}")
            }
        }
        Frame::List(index) => format!("{path}[{index}]"),
    })
}
