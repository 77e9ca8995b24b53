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

/// Reads a configuration. No bytes at all are the empty object; an object that has a key twice is an error.
pub(super) fn read(configuration: &[u8]) -> Result<Map<String, Value>, ConfigError> {
    let trimmed = configuration.trim_ascii();
    read_text(trimmed).or_else(|text_error| {
        // A Struct starts with the tag of its first entry, 0x0a, which before JSON text is a line break.
        match configuration.first() {
            Some(0x0a) => read_struct(configuration).map_err(|struct_error| match trimmed.first() {
                Some(b'{') => text_error,
                _ => struct_error,
            }),
            _ => Err(text_error),
        }
    })
}

fn read_text(configuration: &[u8]) -> Result<Map<String, Value>, ConfigError> {
    let expected = "expected a JSON object or a google.protobuf.Struct";
    if configuration.is_empty() {
        return Ok(Map::new());
    }
    let text = std::str::from_utf8(configuration)
        .map_err(|error| ConfigError::new("", format!("{expected}, but found bytes that are not UTF-8 ({error})")))?;
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ConfigError::new("", format!("{expected}, but found other text: {error}")))?;
    if let Some(key) = duplicate_key(text) {
        return Err(ConfigError::new(key, "the key is there twice"));
    }
    match value {
        Value::Object(object) => Ok(object),
        other => Err(ConfigError::new(
            "",
            format!("{expected}, but found {}", describe(&other)),
        )),
    }
}

fn read_struct(configuration: &[u8]) -> Result<Map<String, Value>, ConfigError> {
    // The decoder bounds the nesting: it refuses messages deeper than 100.
    let decoded = Struct::decode(configuration).map_err(|error| {
        ConfigError::new(
            "",
            format!("expected a JSON object or a google.protobuf.Struct, but found other bytes ({error})"),
        )
    })?;
    object("", decoded)
}

fn object(path: &str, decoded: Struct) -> Result<Map<String, Value>, ConfigError> {
    decoded
        .fields
        .into_iter()
        .map(|(name, value)| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            Ok((name, json(&path, value)?))
        })
        .collect()
}

fn json(path: &str, value: prost_types::Value) -> Result<Value, ConfigError> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(flag)) => Value::Bool(flag),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::NumberValue(number)) => Value::Number(json_number(number).ok_or_else(|| {
            ConfigError::new(
                path,
                format!("expected a number that JSON can write, but found {number}"),
            )
        })?),
        Some(Kind::StructValue(below)) => Value::Object(object(path, below)?),
        Some(Kind::ListValue(list)) => Value::Array(
            list.values
                .into_iter()
                .enumerate()
                .map(|(at, value)| json(&format!("{path}[{at}]"), value))
                .collect::<Result<_, _>>()?,
        ),
    })
}

/// A Struct has doubles only: those that are integers come out as integers.
fn json_number(number: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        Some(Number::from(number as i64))
    } else {
        Number::from_f64(number)
    }
}

/// The path of a key that an object in `text`, which must be JSON, has twice. serde_json would let the last one win.
fn duplicate_key(text: &str) -> Option<String> {
    enum Frame {
        Object {
            keys: HashSet<String>,
            key: String,
            key_is_next: bool,
        },
        List(usize),
    }
    let bytes = text.as_bytes();
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
                    *key = text.get(start..at).and_then(|name| serde_json::from_str(name).ok())?;
                    if !keys.insert(key.clone()) {
                        let path = frames.iter().fold(String::new(), |path, frame| match frame {
                            Frame::Object { key, .. } if path.is_empty() => key.clone(),
                            Frame::Object { key, .. } => format!("{path}.{key}"),
                            Frame::List(index) => format!("{path}[{index}]"),
                        });
                        return Some(path);
                    }
                }
            }
            _ => {}
        }
    }
    None
}
