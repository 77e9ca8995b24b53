//! One value from a path capture or a query parameter to wire format.

use super::to_wire::scalar::{self, Integer, expected_scalar, write_integer};
use super::to_wire::well_known::{
    MaskNames, parse_duration, parse_timestamp, write_field_mask, write_seconds_and_nanos,
};
use super::well_known::{EXPECTED_DURATION, EXPECTED_TIMESTAMP};
use crate::codec::error::CodecError;
use crate::codec::options::{ParseOptions, UnknownEnumNames};
use crate::schema::tables::{EnumTable, Field, FieldIndex, Kind, MessageTable, Tables, WellKnown};
use crate::text::shown::{VALUE, shown};
use crate::wire::{Tag, write_varint};

/// Appends one record, tag included, for `field` from `text`, which is percent-decoded: the value as ProtoJSON writes it,
/// without quotes. Booleans may be `1` and `0` as well, enum values numbers; well-known types have their string form, and
/// the paths of a field mask may have the names of the `.proto`. Of a repeated field it is one element, never packed.
///
/// An enum name that isn't known appends nothing where the options ignore such names.
///
/// # Errors
///
/// When `text` is no value of the field's type: the message says what was found and what was expected; path and offset are
/// the caller's to know. `out` is then as it was.
pub fn text_to_wire(
    tables: &Tables,
    field: &Field,
    text: &str,
    options: &ParseOptions,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = out.len();
    let tag = if field.packed {
        &Tag::new(field.number, field.kind.wire_type())
    } else {
        &field.tag
    };
    tag.append_to(out);
    match write_value(tables, field.kind, text, options, out) {
        Ok(Written::Value) => Ok(()),
        Ok(Written::Nothing) => {
            out.truncate(start);
            Ok(())
        }
        Err(expected) => {
            out.truncate(start);
            Err(CodecError {
                path: String::new(),
                offset: None,
                message: format!("expected {expected}, found \"{}\"", shown(text.as_bytes(), VALUE)),
            })
        }
    }
}

/// Whether [`text_to_wire`] can ever succeed for values of this kind: all but messages, and of these the well-known types
/// whose JSON form is a string, a number or a boolean.
pub fn has_text_form(tables: &Tables, kind: Kind) -> bool {
    match kind {
        Kind::Group(_) => false,
        Kind::Message(index) => matches!(
            tables.message(index).well_known(),
            Some(WellKnown::Duration | WellKnown::FieldMask | WellKnown::Timestamp | WellKnown::Wrapper)
        ),
        _ => true,
    }
}

enum Written {
    Value,
    /// An enum name to be ignored.
    Nothing,
}

/// Appends the value without its tag; the error is what was expected.
fn write_value(
    tables: &Tables,
    kind: Kind,
    text: &str,
    options: &ParseOptions,
    out: &mut Vec<u8>,
) -> Result<Written, String> {
    let bytes = text.as_bytes();
    let written = match kind {
        Kind::String => {
            write_varint(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
            Some(())
        }
        Kind::Bytes => scalar::base64_length(bytes).and_then(|length| {
            write_varint(length as u64, out);
            scalar::decode_base64(bytes, out).then_some(())
        }),
        Kind::Bool => match text {
            "true" | "1" => Some(1),
            "false" | "0" => Some(0),
            _ => None,
        }
        .map(|value| out.push(value)),
        Kind::Double => scalar::double_from_text(bytes)
            .ok()
            .map(|value| out.extend_from_slice(&value.to_le_bytes())),
        Kind::Float => scalar::float_from_text(bytes)
            .ok()
            .map(|value| out.extend_from_slice(&value.to_le_bytes())),
        Kind::Enum(index) => return write_enum(tables.enumeration(index), text, options, out),
        Kind::Message(index) => return write_well_known(tables, tables.message(index), text, options, out),
        Kind::Group(_) => None,
        _ => Integer::parse(bytes)
            .ok()
            .and_then(|integer| write_integer(kind, integer, out)),
    };
    match written {
        Some(()) => Ok(Written::Value),
        None if kind == Kind::Bool => Err("true, false, 1 or 0".to_owned()),
        None => Err(expected_scalar(kind).to_owned()),
    }
}

fn write_enum(table: &EnumTable, text: &str, options: &ParseOptions, out: &mut Vec<u8>) -> Result<Written, String> {
    let number = match table.number(text, options.case_insensitive_enums) {
        Some(number) => number,
        None => match Integer::parse(text.as_bytes()) {
            Ok(integer) => match integer.as_i32() {
                Some(number) => number,
                None => return Err(format!("a name or number of {}", table.full_name())),
            },
            Err(_) if options.unknown_enum_names == UnknownEnumNames::Ignore => return Ok(Written::Nothing),
            Err(_) => return Err(format!("a name or number of {}", table.full_name())),
        },
    };
    write_varint(i64::from(number) as u64, out);
    Ok(Written::Value)
}

/// A message with its length.
fn write_well_known(
    tables: &Tables,
    table: &MessageTable,
    text: &str,
    options: &ParseOptions,
    out: &mut Vec<u8>,
) -> Result<Written, String> {
    let mut contents = Vec::new();
    let bytes = text.as_bytes();
    match table.well_known() {
        Some(WellKnown::Timestamp) => {
            let (seconds, nanos) = parse_timestamp(bytes).ok_or(EXPECTED_TIMESTAMP)?;
            write_seconds_and_nanos(seconds, nanos, &mut contents);
        }
        Some(WellKnown::Duration) => {
            let (seconds, nanos) = parse_duration(bytes).ok_or(EXPECTED_DURATION)?;
            write_seconds_and_nanos(seconds, nanos, &mut contents);
        }
        Some(WellKnown::FieldMask) => {
            if !write_field_mask(bytes, MaskNames::JsonOrProto, &mut contents) {
                return Err("field paths such as display_name,owner.name".to_owned());
            }
        }
        Some(WellKnown::Wrapper) => {
            // Its one field is a scalar, so this goes no deeper.
            if let Some(value) = table.field(FieldIndex(0)) {
                value.tag.append_to(&mut contents);
                write_value(tables, value.kind, text, options, &mut contents)?;
            }
        }
        _ => return Err(format!("no value: {} has no text form", table.full_name())),
    }
    write_varint(contents.len() as u64, out);
    out.extend_from_slice(&contents);
    Ok(Written::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::to_wire::tests::{compile, decode};

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        import "google/protobuf/any.proto";
        import "google/protobuf/duration.proto";
        import "google/protobuf/field_mask.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/wrappers.proto";
        enum Color { NONE = 0; RED = 1; DARK_BLUE = 2; }
        message M {
            int32 i32 = 1; uint32 u32 = 2; sint64 s64 = 3; fixed32 f32 = 4; double d = 5; float f = 6;
            bool b = 7; string s = 8; bytes y = 9; Color e = 10; repeated int32 list = 11; M m = 12;
            google.protobuf.Timestamp ts = 13; google.protobuf.Duration du = 14; google.protobuf.FieldMask fm = 15;
            google.protobuf.BoolValue bv = 16; google.protobuf.StringValue sv = 17; google.protobuf.Int64Value iv = 18;
            google.protobuf.Struct st = 19; google.protobuf.Value va = 20; google.protobuf.Any an = 21;
            google.protobuf.NullValue nv = 22;
        }"#;

    #[test]
    fn text_becomes_the_record_of_its_field() {
        let (pool, tables) = compile(&[("t.proto", PROTO)]);
        let message = tables.message(tables.message_index("t.M").unwrap());
        let cases = [
            ("i32", "-5", Some(r#"{"i32":-5}"#)),
            ("i32", "1e3", Some(r#"{"i32":1000}"#)),
            ("i32", "", None),
            ("i32", "+5", None),
            ("i32", "2147483648", None),
            ("u32", "-1", None),
            ("s64", "-9", Some(r#"{"s64":"-9"}"#)),
            ("f32", "7", Some(r#"{"f32":7}"#)),
            ("d", "1.5", Some(r#"{"d":1.5}"#)),
            ("d", "NaN", Some(r#"{"d":"NaN"}"#)),
            ("d", "x", None),
            ("f", "-Infinity", Some(r#"{"f":"-Infinity"}"#)),
            ("f", "1e39", None),
            ("b", "true", Some(r#"{"b":true}"#)),
            ("b", "1", Some(r#"{"b":true}"#)),
            ("b", "0", Some("{}")),
            ("b", "TRUE", None),
            ("b", "", None),
            ("s", "ä\"b", Some(r#"{"s":"ä\"b"}"#)),
            ("s", "", Some("{}")),
            ("y", "-_-_", Some(r#"{"y":"+/+/"}"#)),
            ("y", "QQ==", Some(r#"{"y":"QQ=="}"#)),
            ("y", "Q", None),
            ("e", "DARK_BLUE", Some(r#"{"e":"DARK_BLUE"}"#)),
            ("e", "1", Some(r#"{"e":"RED"}"#)),
            ("e", "77", Some(r#"{"e":77}"#)),
            ("e", "red", None),
            ("e", "1.5", None),
            ("list", "4", Some(r#"{"list":[4]}"#)),
            ("ts", "1970-01-01T00:00:01Z", Some(r#"{"ts":"1970-01-01T00:00:01Z"}"#)),
            ("ts", "1", None),
            ("du", "-1.5s", Some(r#"{"du":"-1.500s"}"#)),
            ("du", "1", None),
            ("fm", "aB,c", Some(r#"{"fm":"aB,c"}"#)),
            ("fm", "", Some(r#"{"fm":""}"#)),
            ("fm", "a_b,cD.e_f", Some(r#"{"fm":"aB,cD.eF"}"#)),
            ("fm", "a_b,", None),
            ("bv", "1", Some(r#"{"bv":true}"#)),
            ("sv", "x", Some(r#"{"sv":"x"}"#)),
            ("iv", "12", Some(r#"{"iv":"12"}"#)),
            ("iv", "x", None),
            ("nv", "NULL_VALUE", Some("{}")),
            ("st", "{}", None),
            ("va", "1", None),
            ("an", "", None),
            ("m", "", None),
        ];
        for (name, text, expected) in cases {
            let field = message.field(message.field_by_name(name.as_bytes()).unwrap()).unwrap();
            let mut out = vec![0x5a];
            let result = text_to_wire(&tables, field, text, &ParseOptions::default(), &mut out);
            match expected {
                Some(json) => {
                    assert_eq!(result, Ok(()), "{name}={text}");
                    assert_eq!(decode(&pool, "t.M", &out[1..]), json, "{name}={text}");
                }
                None => {
                    let message = result.expect_err(text).message;
                    assert!(
                        message.starts_with("expected ") && message.contains(&format!("\"{text}\"")),
                        "{message}"
                    );
                    assert_eq!(out, [0x5a], "{name}={text}");
                }
            }
        }
    }

    #[test]
    fn an_element_of_a_packed_field_is_not_packed() {
        let (_, tables) = compile(&[("t.proto", PROTO)]);
        let message = tables.message(tables.message_index("t.M").unwrap());
        let field = message.field(message.field_by_name(b"list").unwrap()).unwrap();
        let mut out = Vec::new();
        text_to_wire(&tables, field, "4", &ParseOptions::default(), &mut out).unwrap();
        assert_eq!(out, [11 << 3, 4]);
    }

    #[test]
    fn enum_names_are_ignored_or_folded_when_the_options_say_so() {
        let (_, tables) = compile(&[("t.proto", PROTO)]);
        let message = tables.message(tables.message_index("t.M").unwrap());
        let field = message.field(message.field_by_name(b"e").unwrap()).unwrap();
        let ignore = ParseOptions {
            unknown_enum_names: UnknownEnumNames::Ignore,
            ..ParseOptions::default()
        };
        let mut out = Vec::new();
        text_to_wire(&tables, field, "PURPLE", &ignore, &mut out).unwrap();
        assert!(out.is_empty());
        assert!(text_to_wire(&tables, field, "99999999999", &ignore, &mut out).is_err());
        let fold = ParseOptions {
            case_insensitive_enums: true,
            ..ParseOptions::default()
        };
        text_to_wire(&tables, field, "dark_Blue", &fold, &mut out).unwrap();
        assert_eq!(out, [10 << 3, 2]);
    }

    #[test]
    fn only_kinds_with_a_text_form_claim_one() {
        let (_, tables) = compile(&[("t.proto", PROTO)]);
        let message = tables.message(tables.message_index("t.M").unwrap());
        for field in message.fields() {
            let without = ["m", "st", "va", "an"].contains(&&*field.name);
            assert_eq!(has_text_form(&tables, field.kind), !without, "{}", field.name);
        }
    }
}
