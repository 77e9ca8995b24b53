//! Wire to JSON: the schemas, and a writer of records for the cases.

mod fields;
mod hostile;
mod options;
mod well_known;

use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::WireToJson;
use crate::codec::error::CodecError;
use crate::codec::options::PrintOptions;
use crate::schema::Features;
use crate::schema::tables::{MessageIndex, Tables};
use crate::wire::{write_varint, zigzag};

/// The contents of a packed list of varints.
fn packed(values: &[u64]) -> Vec<u8> {
    let mut contents = Vec::new();
    for value in values {
        crate::wire::write_varint(*value, &mut contents);
    }
    contents
}

/// A schema and what prints its messages.
pub(super) struct Schema {
    pub(super) pool: DescriptorPool,
    pub(super) tables: Tables,
}

impl Schema {
    pub(super) fn new(text: &str) -> Self {
        Self::with_features(text, &Features::default())
    }

    fn with_features(text: &str, features: &Features) -> Self {
        let mut resolver = ChainFileResolver::new();
        resolver.add(OneFile(text.into()));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        if let Err(error) = compiler.open_file("test.proto") {
            panic!("{error:?}");
        }
        // The compiler's own pool loses `[packed]`.
        let pool = DescriptorPool::decode(&*compiler.encode_file_descriptor_set()).unwrap();
        let tables = Tables::build(&pool, features, 7);
        Self { pool, tables }
    }

    /// The same, printed by the names of the `.proto`.
    pub(super) fn by_proto_names(self) -> Self {
        Self {
            tables: self.tables.with_proto_names(),
            ..self
        }
    }

    fn index(&self, message: &str) -> MessageIndex {
        self.tables.message_index(message).unwrap()
    }

    fn print(&self, message: &str, wire: &[u8]) -> String {
        self.print_with(message, wire, &PrintOptions::default())
    }

    pub(super) fn print_with(&self, message: &str, wire: &[u8], options: &PrintOptions) -> String {
        match self.try_print(message, wire, options) {
            Ok(json) => json,
            Err(error) => panic!("{error}"),
        }
    }

    fn try_print(&self, message: &str, wire: &[u8], options: &PrintOptions) -> Result<String, CodecError> {
        let mut out = b"before".to_vec();
        let result = WireToJson::default().message(&self.tables, self.index(message), wire, options, &mut out);
        let out = String::from_utf8(out).unwrap();
        let json = out.strip_prefix("before").unwrap();
        match result {
            Ok(()) => Ok(json.into()),
            Err(error) => {
                assert_eq!(json, "", "output is left behind");
                Err(error)
            }
        }
    }

    fn error(&self, message: &str, wire: &[u8]) -> String {
        match self.try_print(message, wire, &PrintOptions::default()) {
            Ok(json) => panic!("printed as {json}"),
            Err(error) => error.to_string(),
        }
    }

    fn field(&self, message: &str, field: &str, wire: &[u8]) -> Result<String, CodecError> {
        let index = self.index(message);
        let field = self.tables.message(index).field_by_name(field.as_bytes()).unwrap();
        let mut out = Vec::new();
        WireToJson::default().field(&self.tables, index, field, wire, &PrintOptions::default(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn detail(&self, wire: &[u8]) -> Result<String, CodecError> {
        let mut out = Vec::new();
        WireToJson::default().detail(&self.tables, wire, &PrintOptions::default(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn steps(&self, message: &str, wire: &[u8]) -> usize {
        let mut printer = WireToJson::default();
        let mut out = Vec::new();
        // Only the work counts here, not whether it comes to an end.
        let _ = printer.message(
            &self.tables,
            self.index(message),
            wire,
            &PrintOptions::default(),
            &mut out,
        );
        printer.take_steps()
    }
}

#[derive(Debug)]
struct OneFile(String);

impl FileResolver for OneFile {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "test.proto" {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

// Wire format by hand: what no serializer would write, too.

fn tag(number: u32, wire_type: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_varint((u64::from(number) << 3) | wire_type, &mut out);
    out
}

pub(in crate::codec) fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = tag(number, 0);
    write_varint(value, &mut out);
    out
}

pub(in crate::codec) fn fixed64(number: u32, value: u64) -> Vec<u8> {
    [tag(number, 1), value.to_le_bytes().to_vec()].concat()
}

pub(in crate::codec) fn fixed32(number: u32, value: u32) -> Vec<u8> {
    [tag(number, 5), value.to_le_bytes().to_vec()].concat()
}

pub(in crate::codec) fn len(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = tag(number, 2);
    write_varint(contents.as_ref().len() as u64, &mut out);
    out.extend_from_slice(contents.as_ref());
    out
}

pub(in crate::codec) fn group(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    [tag(number, 3), contents.as_ref().to_vec(), tag(number, 4)].concat()
}

pub(in crate::codec) fn double(number: u32, value: f64) -> Vec<u8> {
    fixed64(number, value.to_bits())
}

fn join<const N: usize>(records: [Vec<u8>; N]) -> Vec<u8> {
    records.concat()
}

pub(super) const PROTO3: &str = r#"
syntax = "proto3";
package p3;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Color { RED = 0; GREEN = 1; BLUE = 2; }
enum Aliased { option allow_alias = true; NONE = 0; FIRST = 1; SECOND = 1; }

message Scalars {
  double a_double = 1;
  float a_float = 2;
  int64 an_int64 = 3;
  uint64 a_uint64 = 4;
  int32 an_int32 = 5;
  fixed64 a_fixed64 = 6;
  fixed32 a_fixed32 = 7;
  bool a_bool = 8;
  string a_string = 9;
  bytes a_bytes = 12;
  uint32 a_uint32 = 13;
  Color a_color = 14;
  sfixed32 an_sfixed32 = 15;
  sfixed64 an_sfixed64 = 16;
  sint32 an_sint32 = 17;
  sint64 an_sint64 = 18;
  optional int32 maybe = 19;
  Aliased aliased = 20;
}

message Tree {
  string name = 1;
  Tree left = 2;
  Tree right = 3;
  repeated Tree children = 4;
  repeated int32 numbers = 5;
  repeated string words = 6;
  repeated Color colors = 7;
  map<string, Tree> trees = 8;
  map<int32, string> by_int = 9;
  map<bool, Color> by_bool = 10;
  map<uint64, bytes> by_uint64 = 11;
  oneof choice {
    string text = 12;
    Tree tree = 13;
    Color color = 14;
    int64 number = 15;
  }
  Scalars scalars = 16;
  repeated double doubles = 17;
  repeated sint64 sint64s = 18;
  repeated int64 int64s = 30;
  repeated uint64 uint64s = 31;
  map<string, google.protobuf.Value> values_by_name = 19;
  map<sint32, double> by_sint32 = 20;
}

message Known {
  google.protobuf.Any any = 1;
  google.protobuf.Duration duration = 2;
  google.protobuf.Timestamp timestamp = 3;
  google.protobuf.FieldMask mask = 4;
  google.protobuf.Struct object = 5;
  google.protobuf.Value value = 6;
  google.protobuf.ListValue list = 7;
  google.protobuf.Empty empty = 8;
  google.protobuf.NullValue nothing = 9;
  google.protobuf.BoolValue bool_value = 10;
  google.protobuf.Int32Value int32_value = 11;
  google.protobuf.UInt32Value uint32_value = 12;
  google.protobuf.Int64Value int64_value = 13;
  google.protobuf.UInt64Value uint64_value = 14;
  google.protobuf.FloatValue float_value = 15;
  google.protobuf.DoubleValue double_value = 16;
  google.protobuf.StringValue string_value = 17;
  google.protobuf.BytesValue bytes_value = 18;
  repeated google.protobuf.Any anys = 19;
  repeated google.protobuf.Value values = 20;
  repeated google.protobuf.Timestamp timestamps = 21;
  repeated google.protobuf.Int32Value int32_values = 22;
  map<string, google.protobuf.Duration> durations = 23;
  oneof choice {
    google.protobuf.NullValue null_choice = 24;
    string text = 25;
  }
}

message Names {
  int32 snake_case = 1;
  int32 custom = 2 [json_name = "a \"custom\" name"];
  repeated int32 some_list = 3;
  map<string, int32> some_map = 4;
  Names sub_message = 5;
  optional int32 maybe = 6;
  string last_one = 7;
}
"#;

pub(super) const PROTO2: &str = r#"
syntax = "proto2";
package p2;

enum Level { LOW = 1; HIGH = 2; }

message Old {
  optional int32 number = 1;
  optional Level level = 2;
  repeated Level levels = 3;
  map<string, Level> by_name = 4;
  optional group Part = 5 { optional int32 number = 1; optional Part part = 2; repeated string words = 3; }
  repeated group Piece = 6 { optional int32 number = 1; }
  required string name = 7;
  optional string greeting = 8 [default = "hello"];
  optional Level preset = 9 [default = HIGH];
  oneof choice {
    Level choice_level = 10;
    string choice_text = 11;
    group Chosen = 12 { optional int32 number = 1; optional int32 other = 2; }
  }
  optional Old old = 13;
  repeated int32 packed = 14 [packed = true];
  repeated int32 unpacked = 15;
  extensions 100 to 200;
}

extend Old {
  optional int32 answer = 100;
  repeated string remarks = 101;
  optional Old other = 102;
}
"#;
