//! The schema by its public door: what is compiled, and what errors say.

mod editions;
mod elsewhere;
mod hostile;
mod http_option;
mod missing_imports;
mod sets;
mod texts;

use std::collections::HashSet;

use prost::Message as _;
use prost_reflect::{Cardinality, Kind};

use super::raw::{RawEnum, RawEnumValue, RawField, RawFile, RawMessage, RawMethod, RawOneof, RawService};
use super::tables::{DefaultValue, Tables};
use super::*;

const LIMIT: usize = 1 << 20;

/// The only one of the problems.
fn only(problems: Problems<SchemaError>) -> SchemaError {
    assert_eq!((problems.shown().len(), problems.more()), (1, 0), "{problems}");
    problems.shown()[0].clone()
}

fn compile(text: &str) -> Result<Schema, SchemaError> {
    Schema::compile(Source::Proto(text), LIMIT).map_err(only)
}

fn compile_all(texts: &[(&str, &str)]) -> Result<Schema, SchemaError> {
    let texts: Vec<_> = texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Schema::compile(Source::Protos(&texts), LIMIT).map_err(only)
}

fn compile_set(files: &[RawFile]) -> Result<Schema, SchemaError> {
    Schema::compile(Source::DescriptorSet(&descriptor_set::write(files, &[])), LIMIT).map_err(only)
}

fn tables(schema: &Schema) -> Tables {
    Tables::build(schema.pool(), schema.features(), 1)
}

/// The set that protoc would write for these texts, imports included.
fn set_of(texts: &[(&str, &str)]) -> Vec<u8> {
    compile_all(texts).unwrap().pool().encode_to_vec()
}

const RICH: &str = r#"syntax = "proto3";
package rich;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/descriptor.proto";
message Rich {
  string name = 1;
  map<string, Rich> children = 2;
  map<int32, Kind> kinds = 3;
  oneof choice { int64 a = 4; bytes b = 5; Rich c = 6; }
  optional double maybe = 7;
  repeated sint32 numbers = 8 [packed = false];
  repeated Kind list = 9;
  google.protobuf.Any any = 10;
  enum Kind { option allow_alias = true; ZERO = 0; ONE = 1; UNO = 1; }
  message Inner { Inner again = 1; reserved 5 to 10; reserved "old"; }
  Inner inner = 11 [(note) = { inner { again {} } kinds: [ONE, ZERO] }, deprecated = true];
}
message Note { Rich.Inner inner = 1; repeated Rich.Kind kinds = 2; map<string, int32> m = 3; }
extend google.protobuf.FieldOptions { Note note = 50000; repeated string notes = 50001; }
service Riches {
  rpc Get(Rich) returns (Rich) { option (google.api.http) = { get: "/{name=r/*}" additional_bindings { post: "/x" body: "*" } }; }
  rpc Watch(stream Rich) returns (stream Rich.Inner);
}
"#;

const RICH2: &str = r#"syntax = "proto2";
package rich2;
import public "rich.proto";
message Old {
  required int32 a = 1;
  optional group Gr = 2 { optional string s = 1; }
  optional Color color = 3 [default = BLUE];
  optional bytes raw = 4 [default = "\001x"];
  repeated int64 packed = 5 [packed = true];
  extensions 100 to 200;
  optional rich.Rich rich = 6;
  enum Color { RED = 1; BLUE = 2; }
}
extend Old { optional Old again = 100; repeated float floats = 101; }
"#;

fn rich_set() -> Vec<u8> {
    set_of(&[("rich.proto", RICH), ("rich2.proto", RICH2)])
}

fn file(name: &str) -> RawFile {
    RawFile {
        name: Some(name.to_owned()),
        syntax: Some("proto3".to_owned()),
        ..RawFile::default()
    }
}

fn message(name: &str, field: Vec<RawField>) -> RawMessage {
    RawMessage {
        name: Some(name.to_owned()),
        field,
        ..RawMessage::default()
    }
}

const OPTIONAL: i32 = 1;
const REPEATED: i32 = 3;
const INT32: i32 = 5;
const STRING: i32 = 9;
const GROUP: i32 = 10;
const MESSAGE: i32 = 11;
const ENUM: i32 = 14;

fn field(name: &str, number: i32, label: i32, kind: i32, type_name: &str) -> RawField {
    RawField {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label),
        r#type: Some(kind),
        type_name: (!type_name.is_empty()).then(|| type_name.to_owned()),
        ..RawField::default()
    }
}

fn int(number: i32) -> RawField {
    field(&format!("f{number}"), number, OPTIONAL, INT32, "")
}

fn enumeration(name: &str, first: i32) -> RawEnum {
    RawEnum {
        name: Some(name.to_owned()),
        value: vec![RawEnumValue {
            name: Some(format!("{name}_FIRST")),
            number: Some(first),
            ..RawEnumValue::default()
        }],
        ..RawEnum::default()
    }
}
