//! Values that aren't messages with fields, as JSON Schema (draft 2020-12) has them: what is read, and what is printed.
//!
//! Source: ProtoJSON (protobuf.dev, "ProtoJSON Format").

use serde_json::{Map, Value, json};

use crate::codec::PrintOptions;
use crate::schema::tables::{DefaultValue, Kind, WellKnown};

/// Whose values a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Side {
    /// The JSON of a request's body: all that is accepted.
    Request,
    /// The JSON of a response's body: all that is printed.
    Response,
    /// The text of a segment of the path, or of a query parameter.
    Parameter,
}

/// The schema of a scalar; `None` for enums and messages.
pub(super) fn scalar(kind: Kind, side: Side, print: &PrintOptions) -> Option<Value> {
    Some(match kind {
        Kind::Double => float("double", None, side),
        Kind::Float => float("float", Some(f64::from(f32::MAX)), side),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer("int32", i32::MIN.into(), i32::MAX.into(), side),
        Kind::Uint32 | Kind::Fixed32 => integer("uint32", 0.into(), u32::MAX.into(), side),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => long(
            "int64",
            i64::MIN.into(),
            i64::MAX.into(),
            side,
            print.unquote_int64_if_possible,
        ),
        Kind::Uint64 | Kind::Fixed64 => long(
            "uint64",
            0.into(),
            u64::MAX.into(),
            side,
            print.unquote_int64_if_possible,
        ),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::String => json!({ "type": "string" }),
        Kind::Bytes => json!({
            "type": "string", "format": "byte", "contentEncoding": "base64", "pattern": BASE64, "examples": ["AAEC"],
        }),
        Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) => return None,
    })
}

/// The schema of a well-known type; `None` for those that are described as others are.
pub(super) fn well_known(kind: WellKnown, side: Side) -> Option<Value> {
    Some(match (kind, side) {
        (WellKnown::Timestamp, _) => json!({ "type": "string", "format": "date-time" }),
        (WellKnown::Duration, side) => {
            let pattern = match side {
                Side::Response => r"^-?[0-9]+(\.[0-9]+)?s$",
                _ => r"^-?(0|[1-9][0-9]{0,10}|[12][0-9]{11})(\.[0-9]{1,9})?s$",
            };
            json!({ "type": "string", "pattern": pattern, "examples": ["1.5s"] })
        }
        // In a path or a query, names of the `.proto` are read too.
        (WellKnown::FieldMask, Side::Parameter) => mask(r"[!-+\-/-~]+"),
        (WellKnown::FieldMask, _) => mask(r"[!-+\-/-^`-~]+"),
        (WellKnown::Struct, _) => json!({ "type": "object" }),
        (WellKnown::ListValue, _) => json!({ "type": "array", "items": {} }),
        (WellKnown::Value, _) => json!({}),
        (WellKnown::Any, _) => json!({ "type": "object", "properties": { "@type": { "type": "string" } } }),
        (WellKnown::Empty | WellKnown::Wrapper, _) => return None,
    })
}

/// The keys of a map with this type of keys.
pub(super) fn keys(kind: Kind, side: Side) -> Option<Value> {
    let format = match kind {
        Kind::Bool => return Some(json!({ "enum": ["true", "false"] })),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "int32",
        Kind::Uint32 | Kind::Fixed32 => "uint32",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "int64",
        Kind::Uint64 | Kind::Fixed64 => "uint64",
        _ => return None,
    };
    let (sign, above_zero, least) = decimal(format, side);
    Some(json!({ "pattern": format!("^(0|{sign}({above_zero}){least})$") }))
}

/// The same, or null.
pub(super) fn nullable(schema: Value) -> Value {
    let nothing = json!({ "type": "null" });
    let Value::Object(mut schema) = schema else {
        return schema;
    };
    // Anything is.
    if schema.is_empty() {
        return Value::Object(schema);
    }
    // Some tools forget the format of what may have several types.
    let is_time = schema.get("format").is_some_and(|format| format == "date-time");
    if let Some(Value::Array(allowed)) = schema.get_mut("enum") {
        allowed.push(Value::Null);
    }
    match schema.get_mut("type") {
        Some(_) if is_time => return json!({ "anyOf": [schema, nothing] }),
        Some(Value::String(only)) => {
            let both = json!([only, "null"]);
            schema.insert("type".to_owned(), both);
        }
        Some(Value::Array(several)) => several.push("null".into()),
        _ => match schema.get_mut("anyOf") {
            Some(Value::Array(several)) => several.push(nothing),
            _ => return json!({ "anyOf": [schema, nothing] }),
        },
    }
    Value::Object(schema)
}

/// A declared default, if it has a form in JSON that is the same in all settings.
pub(super) fn default(value: &DefaultValue) -> Option<Value> {
    Some(match value {
        DefaultValue::Bool(value) => (*value).into(),
        DefaultValue::I32(value) => (*value).into(),
        DefaultValue::U32(value) => (*value).into(),
        DefaultValue::I64(value) => value.to_string().into(),
        DefaultValue::U64(value) => value.to_string().into(),
        DefaultValue::F32(value) => float_value(f64::from(*value)),
        DefaultValue::F64(value) => float_value(*value),
        DefaultValue::String(value) => (&**value).into(),
        DefaultValue::Bytes(_)
        | DefaultValue::Enum(_)
        | DefaultValue::Message
        | DefaultValue::List
        | DefaultValue::Map => {
            return None;
        }
    })
}

fn float_value(value: f64) -> Value {
    match value {
        value if value.is_nan() => "NaN".into(),
        value if value.is_infinite() => if value > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        value => value.into(),
    }
}

fn integer(format: &str, minimum: Value, maximum: Value, side: Side) -> Value {
    let mut schema = json!({
        "type": "integer", "format": format, "minimum": minimum, "maximum": maximum, "examples": [0],
    });
    if side == Side::Request {
        or_text(&mut schema, digits(format, side));
    }
    schema
}

/// 64 bits, which JSON prints in quotes, since a double doesn't hold them all.
fn long(format: &str, minimum: Value, maximum: Value, side: Side, unquoted: bool) -> Value {
    let pattern = digits(format, side);
    if side == Side::Parameter || side == Side::Response && !unquoted {
        return json!({ "type": "string", "format": format, "pattern": pattern, "examples": ["0"] });
    }
    let mut schema = json!({
        "type": "integer", "format": format, "minimum": minimum, "maximum": maximum, "examples": ["0"],
    });
    or_text(&mut schema, pattern);
    schema
}

/// The texts of the integers of a format.
fn digits(format: &str, side: Side) -> String {
    let (sign, above_zero, least) = decimal(format, side);
    match least {
        "" => format!("^{sign}(0|{above_zero})$"),
        least => format!("^({sign}(0|{above_zero}){least})$"),
    }
}

/// The sign that integers of a format may have, those above zero, and the least one. What is printed is in range whatever
/// it is. Of what is read, those are here whose first digits show that they are, and the two at the ends.
fn decimal(format: &str, side: Side) -> (&'static str, &'static str, &'static str) {
    let sign = if format.starts_with('u') { "" } else { "-?" };
    if side == Side::Response {
        return (sign, "[1-9][0-9]*", "");
    }
    match format {
        "int32" => (sign, "[1-9][0-9]{0,8}|1[0-9]{9}|20[0-9]{8}|2147483647", "|-2147483648"),
        "uint32" => (sign, "[1-9][0-9]{0,8}|[1-3][0-9]{9}|4[01][0-9]{8}|4294967295", ""),
        "int64" => (
            sign,
            "[1-9][0-9]{0,17}|[1-8][0-9]{18}|9[01][0-9]{17}|9223372036854775807",
            "|-9223372036854775808",
        ),
        _ => (sign, "[1-9][0-9]{0,18}|1[0-7][0-9]{18}|18446744073709551615", ""),
    }
}

fn or_text(schema: &mut Value, pattern: String) {
    if let Some(schema) = schema.as_object_mut() {
        let own = schema.get("type").cloned();
        schema.insert("type".to_owned(), json!([own, "string"]));
        schema.insert("pattern".to_owned(), pattern.into());
    }
}

fn float(format: &str, most: Option<f64>, side: Side) -> Value {
    let mut schema = Map::new();
    let (types, pattern) = match side {
        Side::Parameter => (json!("number"), None),
        Side::Response => (json!(["number", "string"]), Some("^(NaN|-?Infinity)$")),
        Side::Request => (
            json!(["number", "string"]),
            Some(r"^(-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?|NaN|-?Infinity)$"),
        ),
    };
    schema.insert("type".to_owned(), types);
    schema.insert("format".to_owned(), format.into());
    if let (Some(most), Side::Request | Side::Parameter) = (most, side) {
        schema.insert("minimum".to_owned(), (-most).into());
        schema.insert("maximum".to_owned(), most.into());
    }
    if let Some(pattern) = pattern {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    schema.insert("examples".to_owned(), json!([0]));
    Value::Object(schema)
}

fn mask(name: &str) -> Value {
    json!({
        "type": "string",
        "pattern": format!("^({name}([.,]{name})*)?$"),
        "description": "Paths of fields, with commas between them.",
        "examples": [""],
    })
}

/// Either alphabet, with or without padding.
const BASE64: &str = "^([A-Za-z0-9+/_-]{4})*([A-Za-z0-9+/_-]{2}(==)?|[A-Za-z0-9+/_-]{3}=?)?$";
