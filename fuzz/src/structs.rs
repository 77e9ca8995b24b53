//! JSON objects as `google.protobuf.Struct` and back.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as ProtoValue};
use protobridge::config::{ConfigErrors, Plugin, Settings};
use serde_json::{Map, Number, Value};

/// A schema for configurations that give none.
pub const PROTO: &str = "syntax = \"proto3\"; package shop; \
                         message Book { string name = 1; int32 pages = 2; Book child = 3; } \
                         service Books { rpc Get(Book) returns (Book); rpc List(Book) returns (stream Book); } \
                         service Authors { rpc Get(Book) returns (Book); }";

/// What a configuration gives, as far as it can be compared.
pub fn load(configuration: &[u8]) -> Result<Settings, ConfigErrors> {
    Plugin::load(configuration, 7).map(|plugin| plugin.settings)
}

/// The object as a Struct, whose entries have no order.
pub fn to_struct(object: &Map<String, Value>) -> Struct {
    let fields = object.iter().map(|(name, value)| (name.clone(), to_value(value)));
    Struct {
        fields: fields.collect(),
    }
}

fn to_value(value: &Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(flag) => Kind::BoolValue(*flag),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(values) => Kind::ListValue(ListValue {
            values: values.iter().map(to_value).collect(),
        }),
        Value::Object(object) => Kind::StructValue(to_struct(object)),
    };
    ProtoValue { kind: Some(kind) }
}

/// The Struct as an object with its keys in order. `None`: a number is none that JSON has.
pub fn to_object(value: &Struct) -> Option<Map<String, Value>> {
    let fields = value.fields.iter();
    fields
        .map(|(name, value)| Some((name.clone(), to_json(value)?)))
        .collect()
}

fn to_json(value: &ProtoValue) -> Option<Value> {
    Some(match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(flag)) => Value::Bool(*flag),
        Some(Kind::NumberValue(number)) => Value::Number(Number::from_f64(*number)?),
        Some(Kind::StringValue(text)) => Value::String(text.clone()),
        Some(Kind::ListValue(list)) => Value::Array(list.values.iter().map(to_json).collect::<Option<_>>()?),
        Some(Kind::StructValue(below)) => Value::Object(to_object(below)?),
    })
}

/// The text and the Struct of one configuration: the same settings, or the same keys at fault, for the same reasons unless
/// these show a number, which a Struct has in one form only.
pub fn assert_same(
    text: &Result<Settings, ConfigErrors>,
    of_struct: &Result<Settings, ConfigErrors>,
    has_numbers: bool,
) {
    match (text, of_struct) {
        (Err(text), Err(of_struct)) if has_numbers => {
            let keys = |errors: &ConfigErrors| errors.shown().iter().map(|error| error.key.clone()).collect::<Vec<_>>();
            assert_eq!(keys(text), keys(of_struct));
        }
        (text, of_struct) => assert_eq!(text, of_struct),
    }
}

/// Whether there is a number in the object, and how deep it is.
pub fn shape(object: &Map<String, Value>) -> (bool, usize) {
    let mut has_numbers = false;
    let mut deepest = 0;
    let mut left: Vec<_> = object.values().map(|value| (value, 1)).collect();
    while let Some((value, depth)) = left.pop() {
        deepest = deepest.max(depth);
        has_numbers |= value.is_number();
        match value {
            Value::Array(values) => left.extend(values.iter().map(|value| (value, depth + 1))),
            Value::Object(object) => left.extend(object.values().map(|value| (value, depth + 1))),
            _ => {}
        }
    }
    (has_numbers, deepest)
}

/// The deepest nesting that both forms take: protobuf's own bound is on messages, of which a Struct has three a level.
pub const DEEPEST: usize = 30;
