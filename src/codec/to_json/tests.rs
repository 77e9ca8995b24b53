use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::WireToJson;
use crate::codec::error::CodecError;
use crate::codec::options::PrintOptions;
use crate::schema::Features;
use crate::schema::tables::{MessageIndex, Tables};
use crate::wire::{write_varint, zigzag};

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

pub(super) fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = tag(number, 0);
    write_varint(value, &mut out);
    out
}

pub(super) fn fixed64(number: u32, value: u64) -> Vec<u8> {
    [tag(number, 1), value.to_le_bytes().to_vec()].concat()
}

pub(super) fn fixed32(number: u32, value: u32) -> Vec<u8> {
    [tag(number, 5), value.to_le_bytes().to_vec()].concat()
}

pub(super) fn len(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = tag(number, 2);
    write_varint(contents.as_ref().len() as u64, &mut out);
    out.extend_from_slice(contents.as_ref());
    out
}

pub(super) fn group(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    [tag(number, 3), contents.as_ref().to_vec(), tag(number, 4)].concat()
}

pub(super) fn double(number: u32, value: f64) -> Vec<u8> {
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

#[test]
fn scalars_print_as_proto_json_has_them() {
    let schema = Schema::new(PROTO3);
    let cases: &[(Vec<u8>, &str)] = &[
        (double(1, 1.0), r#"{"aDouble":1}"#),
        (double(1, -0.0), r#"{"aDouble":-0}"#),
        (double(1, 0.1), r#"{"aDouble":0.1}"#),
        (double(1, 1.5e300), r#"{"aDouble":1.5e+300}"#),
        (double(1, f64::MAX), r#"{"aDouble":1.7976931348623157e+308}"#),
        (double(1, 5e-324), r#"{"aDouble":5e-324}"#),
        (double(1, f64::NAN), r#"{"aDouble":"NaN"}"#),
        (double(1, -f64::NAN), r#"{"aDouble":"NaN"}"#),
        (double(1, f64::INFINITY), r#"{"aDouble":"Infinity"}"#),
        (double(1, f64::NEG_INFINITY), r#"{"aDouble":"-Infinity"}"#),
        (fixed32(2, 0.1_f32.to_bits()), r#"{"aFloat":0.1}"#),
        (fixed32(2, f32::MAX.to_bits()), r#"{"aFloat":3.4028235e+38}"#),
        (fixed32(2, 16_777_216_f32.to_bits()), r#"{"aFloat":16777216}"#),
        (fixed32(2, f32::NEG_INFINITY.to_bits()), r#"{"aFloat":"-Infinity"}"#),
        (varint(3, i64::MIN as u64), r#"{"anInt64":"-9223372036854775808"}"#),
        (varint(4, u64::MAX), r#"{"aUint64":"18446744073709551615"}"#),
        (varint(5, i64::MIN as u64 | 7), r#"{"anInt32":7}"#),
        (varint(5, -5_i64 as u64), r#"{"anInt32":-5}"#),
        (fixed64(6, u64::MAX), r#"{"aFixed64":"18446744073709551615"}"#),
        (fixed32(7, u32::MAX), r#"{"aFixed32":4294967295}"#),
        (varint(8, 1 << 40), r#"{"aBool":true}"#),
        (len(9, "text"), r#"{"aString":"text"}"#),
        (len(12, [0xff, 0xfe]), r#"{"aBytes":"//4="}"#),
        (len(12, b"abc"), r#"{"aBytes":"YWJj"}"#),
        (varint(13, u64::MAX), r#"{"aUint32":4294967295}"#),
        (varint(14, 2), r#"{"aColor":"BLUE"}"#),
        (varint(14, 77), r#"{"aColor":77}"#),
        (varint(14, -1_i64 as u64), r#"{"aColor":-1}"#),
        (fixed32(15, -3_i32 as u32), r#"{"anSfixed32":-3}"#),
        (fixed64(16, -3_i64 as u64), r#"{"anSfixed64":"-3"}"#),
        (varint(17, zigzag(i32::MIN.into())), r#"{"anSint32":-2147483648}"#),
        (varint(18, zigzag(i64::MIN)), r#"{"anSint64":"-9223372036854775808"}"#),
        (varint(20, 1), r#"{"aliased":"FIRST"}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Scalars", wire), *expected);
    }
}

#[test]
fn zero_is_left_out_where_there_is_no_presence() {
    let schema = Schema::new(PROTO3);
    let wire = join([
        double(1, 0.0),
        varint(3, 0),
        varint(5, 1 << 32),
        varint(8, 0),
        len(9, ""),
        len(12, ""),
        varint(14, 0),
        varint(17, 0),
    ]);
    assert_eq!(schema.print("p3.Scalars", &wire), "{}");
    assert_eq!(schema.print("p3.Scalars", &varint(19, 0)), r#"{"maybe":0}"#);
    // The last one counts, zero or not.
    let wire = join([varint(5, 7), varint(5, 0)]);
    assert_eq!(schema.print("p3.Scalars", &wire), "{}");
    let wire = join([varint(5, 0), varint(5, 7)]);
    assert_eq!(schema.print("p3.Scalars", &wire), r#"{"anInt32":7}"#);
    // Members of a oneof have presence.
    assert_eq!(schema.print("p3.Tree", &len(12, "")), r#"{"text":""}"#);
}

#[test]
fn strings_are_escaped_as_json_and_checked_as_utf_8() {
    let schema = Schema::new(PROTO3);
    let cases = [
        ("plain and long enough for words", "plain and long enough for words"),
        ("quote \" backslash \\ slash /", r#"quote \" backslash \\ slash /"#),
        ("\u{8}\u{c}\n\r\t", r"\b\f\n\r\t"),
        (
            "\u{0}\u{1}\u{f}\u{10}\u{1f}\u{7f}",
            "\\u0000\\u0001\\u000f\\u0010\\u001f\u{7f}",
        ),
        ("é \u{2028} 😀 <>", "é \u{2028} 😀 <>"),
        ("12345678\n", r"12345678\n"),
        ("é1234567890\"", "é1234567890\\\""),
    ];
    for (text, expected) in cases {
        assert_eq!(
            schema.print("p3.Scalars", &len(9, text)),
            format!(r#"{{"aString":"{expected}"}}"#)
        );
    }
    for bytes in [
        &b"abc\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"12345678\xf0\x9f\x98",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    ] {
        let message = schema.error("p3.Scalars", &len(9, bytes));
        assert!(
            message.starts_with("aString: found bytes that are not UTF-8"),
            "{message}"
        );
    }
    assert_eq!(
        schema.error("p3.Tree", &len(6, b"abc\xff")),
        "words[0]: found bytes that are not UTF-8, expected a string (at byte 5)"
    );
}

#[test]
fn lists_come_packed_unpacked_and_mixed() {
    let schema = Schema::new(PROTO3);
    let cases = [
        (join([varint(5, 1), varint(5, 2)]), r#"{"numbers":[1,2]}"#),
        (len(5, [1, 2, 3]), r#"{"numbers":[1,2,3]}"#),
        (
            join([varint(5, 1), len(5, [2, 3]), varint(5, 4)]),
            r#"{"numbers":[1,2,3,4]}"#,
        ),
        (len(5, []), "{}"),
        (join([len(5, []), varint(5, 0)]), r#"{"numbers":[0]}"#),
        (
            join([varint(5, 1), len(1, "x"), len(5, [2])]),
            r#"{"name":"x","numbers":[1,2]}"#,
        ),
        (join([varint(5, 1), varint(99, 1), len(5, [2])]), r#"{"numbers":[1,2]}"#),
        (join([len(6, "a"), len(6, "")]), r#"{"words":["a",""]}"#),
        (join([varint(7, 2), varint(7, 9)]), r#"{"colors":["BLUE",9]}"#),
        (
            len(17, [1.0_f64.to_le_bytes(), f64::NAN.to_le_bytes()].concat()),
            r#"{"doubles":[1,"NaN"]}"#,
        ),
        (len(18, [1, 2]), r#"{"sint64s":["-1","1"]}"#),
        (
            join([len(4, len(1, "a")), len(4, [])]),
            r#"{"children":[{"name":"a"},{}]}"#,
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Tree", &wire), expected);
    }
    let schema = Schema::new(PROTO2);
    assert_eq!(
        schema.print("p2.Old", &join([varint(14, 1), len(14, [2]), len(15, [3, 4])])),
        r#"{"packed":[1,2],"unpacked":[3,4]}"#
    );
}

#[test]
fn singular_fields_that_repeat_keep_the_last_value_and_merge_messages() {
    let schema = Schema::new(PROTO3);
    let cases = [
        (join([len(1, "a"), len(1, "b")]), r#"{"name":"b"}"#),
        (
            join([len(2, len(1, "a")), len(2, varint(5, 1)), len(2, len(1, "b"))]),
            r#"{"left":{"name":"b","numbers":[1]}}"#,
        ),
        // Split at three levels, with other fields between.
        (
            join([
                len(2, len(2, join([len(2, len(5, [1])), len(1, "x")]))),
                len(1, "top"),
                len(2, len(2, len(2, len(5, [2])))),
                len(2, join([len(1, "second"), len(2, len(2, varint(5, 3)))])),
            ]),
            r#"{"name":"top","left":{"name":"second","left":{"name":"x","left":{"numbers":[1,2,3]}}}}"#,
        ),
        // Elements of a list don't merge.
        (
            join([len(4, len(1, "a")), len(1, "n"), len(4, varint(5, 1))]),
            r#"{"name":"n","children":[{"name":"a"},{"numbers":[1]}]}"#,
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Tree", &wire), expected);
    }
}

#[test]
fn the_last_member_of_a_oneof_wins() {
    let schema = Schema::new(PROTO3);
    let cases = [
        (join([len(12, "a"), varint(15, 1)]), r#"{"number":"1"}"#),
        (join([varint(15, 1), len(12, "a")]), r#"{"text":"a"}"#),
        (join([len(12, "a"), varint(15, 1), len(12, "b")]), r#"{"text":"b"}"#),
        // A message member that repeats merges …
        (
            join([len(13, len(1, "a")), len(13, varint(5, 1))]),
            r#"{"tree":{"name":"a","numbers":[1]}}"#,
        ),
        // … but only what came after another member.
        (
            join([len(13, len(1, "a")), varint(15, 1), len(13, varint(5, 1))]),
            r#"{"tree":{"numbers":[1]}}"#,
        ),
        (
            join([len(13, len(1, "a")), len(1, "n"), len(13, len(13, []))]),
            r#"{"name":"n","tree":{"name":"a","tree":{}}}"#,
        ),
        // An open enum's unknown number is a value.
        (join([len(12, "a"), varint(14, 9)]), r#"{"color":9}"#),
        // A record of another wire type is no member.
        (join([len(12, "a"), len(15, "b")]), r#"{"text":"a"}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Tree", &wire), expected);
    }
    let schema = Schema::new(PROTO2);
    let cases = [
        // A closed enum's unknown number isn't one.
        (join([len(11, "a"), varint(10, 9)]), r#"{"choiceText":"a"}"#),
        (join([len(11, "a"), varint(10, 2)]), r#"{"choiceLevel":"HIGH"}"#),
        (
            join([group(12, varint(1, 1)), group(12, varint(2, 2))]),
            r#"{"chosen":{"number":1,"other":2}}"#,
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p2.Old", &wire), expected);
    }
}

#[test]
fn what_is_dropped_must_still_be_well_formed() {
    let schema = Schema::new(PROTO3);
    let cases = [
        (
            join([len(12, b"\xff"), varint(15, 1)]),
            "text: found bytes that are not UTF-8",
        ),
        (
            join([len(13, len(13, len(1, b"\xff"))), varint(15, 1)]),
            "tree.tree.name: found bytes that are not UTF-8",
        ),
        (
            join([len(13, [0x0a]), varint(15, 1)]),
            "tree.name: the message ends in the middle of a value",
        ),
        (
            join([len(8, join([len(1, "k"), len(2, [0x00])])), len(8, len(1, "k"))]),
            "trees[\"k\"]: found field number 0",
        ),
    ];
    for (wire, expected) in cases {
        let message = schema.error("p3.Tree", &wire);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn map_entries_may_lack_double_or_swap_key_and_value() {
    let schema = Schema::new(PROTO3);
    let cases = [
        (
            len(9, join([varint(1, 5), len(2, "five")])),
            r#"{"byInt":{"5":"five"}}"#,
        ),
        (
            len(9, join([len(2, "five"), varint(1, 5)])),
            r#"{"byInt":{"5":"five"}}"#,
        ),
        (len(9, len(2, "zero")), r#"{"byInt":{"0":"zero"}}"#),
        (len(9, varint(1, 5)), r#"{"byInt":{"5":""}}"#),
        (len(9, []), r#"{"byInt":{"0":""}}"#),
        (len(8, []), r#"{"trees":{"":{}}}"#),
        (len(10, []), r#"{"byBool":{"false":"RED"}}"#),
        (len(11, []), r#"{"byUint64":{"0":""}}"#),
        (len(19, []), r#"{"valuesByName":{"":null}}"#),
        (
            len(10, join([varint(1, 1), varint(2, 2)])),
            r#"{"byBool":{"true":"BLUE"}}"#,
        ),
        (
            len(9, join([varint(1, 5), len(2, "a"), varint(1, 6), len(2, "b")])),
            r#"{"byInt":{"6":"b"}}"#,
        ),
        (
            len(8, join([len(1, "k"), len(2, len(1, "a")), len(2, varint(5, 1))])),
            r#"{"trees":{"k":{"name":"a","numbers":[1]}}}"#,
        ),
        (
            len(
                9,
                join([varint(3, 1), varint(1, 5), len(2, "five"), group(7, varint(1, 1))]),
            ),
            r#"{"byInt":{"5":"five"}}"#,
        ),
        (
            len(20, join([varint(1, zigzag(-1)), double(2, 0.5)])),
            r#"{"bySint32":{"-1":0.5}}"#,
        ),
        (len(8, len(1, "a \"key\"\n")), r#"{"trees":{"a \"key\"\n":{}}}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Tree", &wire), expected);
    }
}

#[test]
fn the_last_entry_of_a_map_key_wins() {
    let schema = Schema::new(PROTO3);
    let entry = |key: u64, value: &str| len(9, join([varint(1, key), len(2, value)]));
    let cases = [
        (
            join([entry(1, "a"), entry(2, "b"), entry(1, "c")]),
            r#"{"byInt":{"2":"b","1":"c"}}"#,
        ),
        // int32 keys are cut to 32 bits.
        (join([entry(1, "a"), entry(1 << 32 | 1, "c")]), r#"{"byInt":{"1":"c"}}"#),
        (
            join([entry(1, "a"), len(1, "n"), entry(1, "c")]),
            r#"{"name":"n","byInt":{"1":"c"}}"#,
        ),
        (
            join([entry(1, "a"), len(1, "n"), entry(2, "c")]),
            r#"{"name":"n","byInt":{"1":"a","2":"c"}}"#,
        ),
        // The values of one key don't merge.
        (
            join([
                len(8, join([len(1, "k"), len(2, len(1, "a"))])),
                len(8, join([len(1, "k"), len(2, varint(5, 1))])),
            ]),
            r#"{"trees":{"k":{"numbers":[1]}}}"#,
        ),
        (
            join([len(10, varint(1, 2)), len(10, join([varint(1, 1), varint(2, 1)]))]),
            r#"{"byBool":{"true":"GREEN"}}"#,
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Tree", &wire), expected);
    }
    // More than are compared pair by pair.
    let mut wire = Vec::new();
    for key in 0..100 {
        wire.extend(entry(key * 7 % 100, "old"));
    }
    let expected = (0..100)
        .map(|key| format!("\"{}\":\"old\"", key * 7 % 100))
        .collect::<Vec<_>>();
    assert_eq!(
        schema.print("p3.Tree", &wire),
        format!("{{\"byInt\":{{{}}}}}", expected.join(","))
    );
    wire.extend(entry(0, "new"));
    let json = schema.print("p3.Tree", &wire);
    assert!(json.ends_with("\"93\":\"old\",\"0\":\"new\"}}"), "{json}");
}

#[test]
fn unknown_fields_are_skipped_groups_too() {
    let schema = Schema::new(PROTO3);
    let wire = join([
        varint(1000, 1),
        group(1001, join([len(1, "x"), group(2, fixed32(3, 1))])),
        len(1, "name"),
        fixed64(1002, 1),
        fixed32(1003, 1),
        len(1004, "unknown"),
        // Known numbers, other wire types.
        varint(1, 5),
        len(15, "b"),
        fixed64(5, 1),
        varint(6, 1),
        group(2, len(1, "x")),
        varint(8, 1),
    ]);
    assert_eq!(schema.print("p3.Tree", &wire), r#"{"name":"name"}"#);
}

#[test]
fn unknown_numbers_of_closed_enums_are_unknown_fields() {
    let schema = Schema::new(PROTO2);
    let entry = |key: &str, value| len(4, join([len(1, key), varint(2, value)]));
    let cases = [
        (varint(2, 9), "{}"),
        (join([varint(2, 2), varint(2, 9)]), r#"{"level":"HIGH"}"#),
        (join([varint(2, 1), varint(2, 2), varint(2, 9)]), r#"{"level":"HIGH"}"#),
        (len(3, [1, 9, 2]), r#"{"levels":["LOW","HIGH"]}"#),
        (join([varint(3, 9), varint(3, 1)]), r#"{"levels":["LOW"]}"#),
        (varint(3, 9), "{}"),
        (join([entry("a", 1), entry("b", 9)]), r#"{"byName":{"a":"LOW"}}"#),
        (join([entry("a", 1), entry("a", 9)]), r#"{"byName":{"a":"LOW"}}"#),
        (
            join([entry("a", 1), entry("a", 2), entry("a", 9)]),
            r#"{"byName":{"a":"HIGH"}}"#,
        ),
        (len(4, len(1, "a")), r#"{"byName":{"a":"LOW"}}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p2.Old", &wire), expected);
    }
    let features = Features {
        open_enums: ["p2.Level".into()].into(),
        ..Features::default()
    };
    let schema = Schema::with_features(PROTO2, &features);
    assert_eq!(schema.print("p2.Old", &varint(2, 9)), r#"{"level":9}"#);
}

#[test]
fn groups_print_as_messages() {
    let schema = Schema::new(PROTO2);
    let cases = [
        (
            group(5, join([varint(1, 1), len(2, varint(1, 2)), len(3, "w")])),
            r#"{"part":{"number":1,"part":{"number":2},"words":["w"]}}"#,
        ),
        (
            join([group(5, len(3, "a")), varint(1, 7), group(5, len(3, "b"))]),
            r#"{"number":7,"part":{"words":["a","b"]}}"#,
        ),
        (
            join([group(6, varint(1, 1)), group(6, []), group(6, varint(1, 3))]),
            r#"{"piece":[{"number":1},{},{"number":3}]}"#,
        ),
        // A group field isn't length-delimited.
        (join([len(5, varint(1, 1)), varint(1, 7)]), r#"{"number":7}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p2.Old", &wire), expected);
    }
    for wire in [tag(5, 3), join([tag(5, 3), tag(6, 4)]), tag(5, 4)] {
        schema.error("p2.Old", &wire);
    }
}

#[test]
fn extensions_print_with_their_full_names() {
    let schema = Schema::new(PROTO2);
    let wire = join([
        varint(100, 42),
        len(101, "a"),
        len(101, "b"),
        len(102, len(101, b"\xff")),
    ]);
    let message = schema.error("p2.Old", &wire);
    assert!(message.starts_with("[p2.other][p2.remarks][0]: "), "{message}");
    let wire = join([varint(100, 42), len(101, "a"), varint(1, 1), len(101, "b")]);
    assert_eq!(
        schema.print("p2.Old", &wire),
        r#"{"number":1,"[p2.answer]":42,"[p2.remarks]":["a","b"]}"#
    );
}

#[test]
fn features_take_presence_away() {
    let features = Features {
        implicit_presence: ["p2.Old.number".into()].into(),
        ..Features::default()
    };
    let wire = varint(1, 0);
    assert_eq!(Schema::new(PROTO2).print("p2.Old", &wire), r#"{"number":0}"#);
    assert_eq!(Schema::with_features(PROTO2, &features).print("p2.Old", &wire), "{}");
}

#[test]
fn fields_with_no_presence_are_printed_in_place_when_asked_for() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        always_print_fields_with_no_presence: true,
        ..PrintOptions::default()
    };
    let empty = r#"{"snakeCase":0,"a \"custom\" name":0,"someList":[],"someMap":{},"lastOne":""}"#;
    let cases = [
        (vec![], empty.to_owned()),
        (
            varint(2, 5),
            r#"{"snakeCase":0,"a \"custom\" name":5,"someList":[],"someMap":{},"lastOne":""}"#.into(),
        ),
        (
            join([len(5, []), varint(6, 0)]),
            format!(
                r#"{{"snakeCase":0,"a \"custom\" name":0,"someList":[],"someMap":{{}},"subMessage":{empty},"maybe":0,"lastOne":""}}"#
            ),
        ),
        // Out of order on the wire.
        (
            join([len(7, "x"), varint(3, 1), varint(1, 4)]),
            r#"{"snakeCase":4,"a \"custom\" name":0,"someList":[1],"someMap":{},"lastOne":"x"}"#.into(),
        ),
        // There, but empty or zero.
        (join([varint(1, 0), len(3, []), len(7, "")]), empty.into()),
        (join([len(7, ""), len(3, []), varint(1, 3), varint(1, 0)]), empty.into()),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print_with("p3.Names", &wire, &options), expected);
    }
    // In a list, in a map, in proto2 (where only lists and maps have no presence).
    assert_eq!(schema.print_with("p3.Scalars", &[], &options).matches(':').count(), 17);
    assert_eq!(
        Schema::new(PROTO2).print_with("p2.Old", &varint(1, 0), &options),
        r#"{"number":0,"levels":[],"byName":{},"piece":[],"packed":[],"unpacked":[]}"#
    );
}

#[test]
fn names_are_those_of_the_proto_file_when_asked_for() {
    let schema = Schema::new(PROTO3);
    let wire = join([varint(1, 1), varint(2, 2)]);
    assert_eq!(
        schema.print("p3.Names", &wire),
        r#"{"snakeCase":1,"a \"custom\" name":2}"#
    );
    let options = PrintOptions {
        preserve_proto_field_names: true,
        ..PrintOptions::default()
    };
    assert_eq!(
        schema.print_with("p3.Names", &wire, &options),
        r#"{"snake_case":1,"custom":2}"#
    );
}

#[test]
fn enums_are_numbers_when_asked_for() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        always_print_enums_as_ints: true,
        ..PrintOptions::default()
    };
    let wire = join([
        len(7, [1, 2]),
        len(10, join([varint(1, 1), varint(2, 2)])),
        varint(14, 1),
    ]);
    assert_eq!(
        schema.print_with("p3.Tree", &wire, &options),
        r#"{"colors":[1,2],"byBool":{"true":2},"color":1}"#
    );
    assert_eq!(
        schema.print_with("p3.Known", &varint(24, 0), &options),
        r#"{"nullChoice":null}"#
    );
}

#[test]
fn int64_goes_without_quotes_where_a_double_holds_it() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        unquote_int64_if_possible: true,
        ..PrintOptions::default()
    };
    let cases = [
        (varint(3, 5), r#"{"anInt64":5}"#),
        (varint(3, -5_i64 as u64), r#"{"anInt64":-5}"#),
        (varint(3, (1 << 53) + 1), r#"{"anInt64":"9007199254740993"}"#),
        (varint(3, i64::MIN as u64), r#"{"anInt64":-9223372036854775808}"#),
        (varint(3, i64::MAX as u64), r#"{"anInt64":"9223372036854775807"}"#),
        (varint(4, u64::MAX), r#"{"aUint64":"18446744073709551615"}"#),
        (fixed64(6, 1 << 63), r#"{"aFixed64":9223372036854775808}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print_with("p3.Scalars", &wire, &options), expected);
    }
    // Keys are strings all the same.
    let wire = len(11, varint(1, 5));
    assert_eq!(
        schema.print_with("p3.Tree", &wire, &options),
        r#"{"byUint64":{"5":""}}"#
    );
}

#[test]
fn whitespace_is_laid_out_as_protobuf_does() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        add_whitespace: true,
        ..PrintOptions::default()
    };
    let wire = join([
        len(1, "n"),
        len(4, len(5, [1, 2])),
        len(4, []),
        len(8, join([len(1, "k"), len(2, len(2, []))])),
    ]);
    let expected = r#"{
 "name": "n",
 "children": [
  {
   "numbers": [
    1,
    2
   ]
  },
  {}
 ],
 "trees": {
  "k": {
   "left": {}
  }
 }
}"#;
    assert_eq!(schema.print_with("p3.Tree", &wire, &options), expected);
    assert_eq!(schema.print_with("p3.Tree", &[], &options), "{}");
    let any = join([
        len(1, "t/google.protobuf.ListValue"),
        len(2, join([len(1, double(2, 1.0)), len(1, len(6, []))])),
    ]);
    let expected = r#"{
 "any": {
  "@type": "t/google.protobuf.ListValue",
  "value": [
   1,
   []
  ]
 },
 "object": {},
 "empty": {}
}"#;
    assert_eq!(
        schema.print_with("p3.Known", &join([len(1, any), len(5, []), len(8, [])]), &options),
        expected
    );
}

#[test]
fn durations_have_one_sign_and_0_3_6_or_9_digits() {
    let schema = Schema::new(PROTO3);
    let wire = |seconds: i64, nanos: i32| len(2, join([varint(1, seconds as u64), varint(2, i64::from(nanos) as u64)]));
    let cases = [
        (0, 0, "0s"),
        (1, 0, "1s"),
        (1, 500_000_000, "1.500s"),
        (1, 1_000, "1.000001s"),
        (1, 1, "1.000000001s"),
        (0, -500_000_000, "-0.500s"),
        (-1, -1, "-1.000000001s"),
        (315_576_000_000, 999_999_999, "315576000000.999999999s"),
        (-315_576_000_000, -999_999_999, "-315576000000.999999999s"),
    ];
    for (seconds, nanos, expected) in cases {
        assert_eq!(
            schema.print("p3.Known", &wire(seconds, nanos)),
            format!(r#"{{"duration":"{expected}"}}"#)
        );
    }
    for (seconds, nanos) in [
        (315_576_000_001, 0),
        (-315_576_000_001, 0),
        (0, 1_000_000_000),
        (0, -1_000_000_000),
        (1, -1),
        (-1, 1),
        (i64::MIN, 0),
        (0, i32::MIN),
    ] {
        let message = schema.error("p3.Known", &wire(seconds, nanos));
        assert!(
            message.starts_with("duration: found a google.protobuf.Duration of"),
            "{message}"
        );
    }
    // In two records, and in its default form.
    let split = join([len(2, varint(1, 1)), len(2, varint(2, 5))]);
    assert_eq!(schema.print("p3.Known", &split), r#"{"duration":"1.000000005s"}"#);
    assert_eq!(schema.print("p3.Known", &len(2, [])), r#"{"duration":"0s"}"#);
    assert_eq!(schema.print("google.protobuf.Duration", &[]), r#""0s""#);
}

#[test]
fn timestamps_are_in_utc_from_year_1_to_9999() {
    let schema = Schema::new(PROTO3);
    let wire = |seconds: i64, nanos: i32| len(3, join([varint(1, seconds as u64), varint(2, i64::from(nanos) as u64)]));
    let cases = [
        (0, 0, "1970-01-01T00:00:00Z"),
        (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
        (1_753_533_296, 120_000_000, "2025-07-26T12:34:56.120Z"),
        (951_782_400, 1_000, "2000-02-29T00:00:00.000001Z"),
        (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
        (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
    ];
    for (seconds, nanos, expected) in cases {
        assert_eq!(
            schema.print("p3.Known", &wire(seconds, nanos)),
            format!(r#"{{"timestamp":"{expected}"}}"#)
        );
    }
    for (seconds, nanos) in [
        (-62_135_596_801, 0),
        (253_402_300_800, 0),
        (0, -1),
        (0, 1_000_000_000),
        (i64::MAX, 0),
        (i64::MIN, 0),
    ] {
        let message = schema.error("p3.Known", &wire(seconds, nanos));
        assert!(
            message.starts_with("timestamp: found a google.protobuf.Timestamp of"),
            "{message}"
        );
    }
}

#[test]
fn field_masks_are_in_camel_case_where_that_leads_back() {
    let schema = Schema::new(PROTO3);
    let wire = |paths: &[&str]| len(4, paths.iter().flat_map(|path| len(1, path)).collect::<Vec<_>>());
    let cases: [(&[&str], &str); 5] = [
        (&[], ""),
        (&["foo"], "foo"),
        (&["foo_bar.baz_b2", "a"], "fooBar.bazB2,a"),
        (&["_a"], "A"),
        (&["a\"b"], "a\\\"b"),
    ];
    for (paths, expected) in cases {
        assert_eq!(
            schema.print("p3.Known", &wire(paths)),
            format!(r#"{{"mask":"{expected}"}}"#)
        );
    }
    for path in [
        "fooBar",
        "foo__bar",
        "foo_3_bar",
        "foo_",
        "_",
        "foo_.bar",
        "a,b",
        "foo_Bar",
        "",
        ".",
        "foo.",
        "foo..bar",
        "foo bar",
        "é",
        "foo\n",
    ] {
        let message = schema.error("p3.Known", &wire(&["fine", path]));
        assert!(message.starts_with(&format!("mask: found {path:?} in")), "{message}");
    }
    schema.error("p3.Known", &len(4, len(1, b"\xff")));
}

#[test]
fn struct_value_and_list_value_print_as_plain_json() {
    let schema = Schema::new(PROTO3);
    let entry = |key: &str, value: Vec<u8>| len(1, join([len(1, key), len(2, value)]));
    let cases = [
        (len(5, []), r#"{"object":{}}"#),
        (
            len(
                5,
                join([
                    entry("null", varint(1, 0)),
                    entry("number", double(2, 1.5)),
                    entry("string", len(3, "a\n")),
                    entry("true", varint(4, 1)),
                    entry("object", len(5, entry("x", len(5, [])))),
                    entry("list", len(6, join([len(1, varint(4, 0)), len(1, varint(1, 7))]))),
                ]),
            ),
            r#"{"object":{"null":null,"number":1.5,"string":"a\n","true":true,"object":{"x":{}},"list":[false,null]}}"#,
        ),
        (len(6, varint(1, 0)), r#"{"value":null}"#),
        (len(6, double(2, 0.0)), r#"{"value":0}"#),
        (len(6, len(3, "NaN")), r#"{"value":"NaN"}"#),
        (len(6, join([len(3, "a"), double(2, 3.0)])), r#"{"value":3}"#),
        (
            len(
                6,
                join([len(5, entry("a", len(3, "x"))), len(5, entry("b", len(3, "y")))]),
            ),
            r#"{"value":{"a":"x","b":"y"}}"#,
        ),
        (
            len(
                6,
                join([
                    len(5, entry("a", len(3, "x"))),
                    len(3, "z"),
                    len(5, entry("b", len(3, "y"))),
                ]),
            ),
            r#"{"value":{"b":"y"}}"#,
        ),
        (
            join([len(6, len(6, len(1, len(3, "a")))), len(6, len(6, len(1, len(3, "b"))))]),
            r#"{"value":["a","b"]}"#,
        ),
        (
            len(5, join([entry("a", len(3, "x")), entry("a", len(3, "y"))])),
            r#"{"object":{"a":"y"}}"#,
        ),
        (len(7, []), r#"{"list":[]}"#),
        // None of its kinds set.
        (len(6, []), r#"{"value":null}"#),
        (
            len(7, join([len(1, []), len(1, len(3, "x"))])),
            r#"{"list":[null,"x"]}"#,
        ),
        (join([len(20, []), len(20, double(2, 2.0))]), r#"{"values":[null,2]}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Known", &wire), expected);
    }
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for value in [double(2, number), join([len(3, "a"), double(2, number)])] {
            let message = schema.error("p3.Known", &len(5, entry("a", value)));
            assert!(
                message.starts_with("object[\"a\"]: found a google.protobuf.Value that is NaN"),
                "{message}"
            );
        }
    }
    assert_eq!(schema.print("google.protobuf.Value", &[]), "null");
    assert_eq!(
        schema.print("google.protobuf.ListValue", &len(1, len(3, "x"))),
        r#"["x"]"#
    );
}

#[test]
fn wrappers_print_their_value() {
    let schema = Schema::new(PROTO3);
    let cases = [
        (len(10, varint(1, 1)), r#"{"boolValue":true}"#),
        (len(10, []), r#"{"boolValue":false}"#),
        (len(11, varint(1, 0)), r#"{"int32Value":0}"#),
        (len(11, join([varint(1, 5), varint(1, 6)])), r#"{"int32Value":6}"#),
        (len(12, varint(1, 7)), r#"{"uint32Value":7}"#),
        (len(13, varint(1, 7)), r#"{"int64Value":"7"}"#),
        (len(14, []), r#"{"uint64Value":"0"}"#),
        (len(15, fixed32(1, 0.1_f32.to_bits())), r#"{"floatValue":0.1}"#),
        (len(16, double(1, f64::NAN)), r#"{"doubleValue":"NaN"}"#),
        (len(17, len(1, "x")), r#"{"stringValue":"x"}"#),
        (len(18, len(1, [0])), r#"{"bytesValue":"AA=="}"#),
        (join([len(22, varint(1, 1)), len(22, [])]), r#"{"int32Values":[1,0]}"#),
        (
            join([len(17, len(1, "x")), len(17, varint(2, 1))]),
            r#"{"stringValue":"x"}"#,
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print("p3.Known", &wire), expected);
    }
    let message = schema.error("p3.Known", &len(17, len(1, b"\xff")));
    assert!(message.starts_with("stringValue: found bytes"), "{message}");
}

#[test]
fn null_value_prints_null() {
    let schema = Schema::new(PROTO3);
    assert_eq!(schema.print("p3.Known", &varint(24, 0)), r#"{"nullChoice":null}"#);
    assert_eq!(schema.print("p3.Known", &varint(9, 0)), "{}");
}

#[test]
fn any_prints_its_type_and_its_fields() {
    let schema = Schema::new(PROTO3);
    let any = |name: &str, value: Vec<u8>| join([len(1, format!("type.googleapis.com/{name}")), len(2, value)]);
    let typed = |name: &str, rest: &str| format!(r#"{{"@type":"type.googleapis.com/{name}"{rest}}}"#);
    let duration = any("google.protobuf.Duration", varint(1, 1));
    let cases = [
        (vec![], "{}".into()),
        (any("p3.Tree", vec![]), typed("p3.Tree", "")),
        (any("p3.Tree", len(1, "n")), typed("p3.Tree", r#","name":"n""#)),
        (duration.clone(), typed("google.protobuf.Duration", r#","value":"1s""#)),
        (
            any("google.protobuf.Any", duration.clone()),
            typed(
                "google.protobuf.Any",
                &format!(",\"value\":{}", typed("google.protobuf.Duration", r#","value":"1s""#)),
            ),
        ),
        (
            any("google.protobuf.Any", vec![]),
            typed("google.protobuf.Any", r#","value":{}"#),
        ),
        (
            any("google.protobuf.Value", vec![]),
            typed("google.protobuf.Value", r#","value":null"#),
        ),
        (
            any(
                "google.protobuf.Struct",
                len(1, join([len(1, "a"), len(2, len(3, "b"))])),
            ),
            typed("google.protobuf.Struct", r#","value":{"a":"b"}"#),
        ),
        (
            any("google.protobuf.Int64Value", varint(1, 5)),
            typed("google.protobuf.Int64Value", r#","value":"5""#),
        ),
        (
            any("google.protobuf.Timestamp", vec![]),
            typed("google.protobuf.Timestamp", r#","value":"1970-01-01T00:00:00Z""#),
        ),
        (
            any("google.protobuf.FieldMask", len(1, "a_b")),
            typed("google.protobuf.FieldMask", r#","value":"aB""#),
        ),
        (any("google.protobuf.Empty", vec![]), typed("google.protobuf.Empty", "")),
        // The value first; records that repeat; a value that isn't in order.
        (
            join([len(2, len(1, "n")), len(1, "x/p3.Tree")]),
            r#"{"@type":"x/p3.Tree","name":"n"}"#.into(),
        ),
        (
            join([
                len(1, "x/other"),
                len(2, len(1, "old")),
                len(2, len(1, "n")),
                len(1, "x/y/p3.Tree"),
            ]),
            r#"{"@type":"x/y/p3.Tree","name":"n"}"#.into(),
        ),
        (
            any("p3.Tree", join([len(6, "a"), len(1, "n"), len(6, "b")])),
            typed("p3.Tree", r#","name":"n","words":["a","b"]"#),
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(
            schema.print("p3.Known", &len(1, &wire)),
            format!("{{\"any\":{expected}}}")
        );
        assert_eq!(schema.print("google.protobuf.Any", &wire), expected);
        assert_eq!(schema.detail(&wire).unwrap(), expected);
    }
    let cases = [
        (
            any("p3.Missing", vec![]),
            "any: found a google.protobuf.Any of type \"type.googleapis.com/p3.Missing\"",
        ),
        (
            len(1, "p3.Tree"),
            "any: found a google.protobuf.Any of type \"p3.Tree\"",
        ),
        (
            len(1, "/p3.Tree"),
            "any: found a google.protobuf.Any of type \"/p3.Tree\"",
        ),
        (len(2, "x"), "any: found a google.protobuf.Any of type \"\""),
        (any("p3.Tree", len(1, b"\xff")), "any.name: found bytes"),
        (any("p3.Tree", vec![8]), "any.name: the message ends"),
    ];
    for (wire, expected) in cases {
        let message = schema.error("p3.Known", &len(1, &wire));
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn details_that_cannot_be_printed_stay_base64() {
    let schema = Schema::new(PROTO3);
    let any = |name: &str, value: Vec<u8>| join([len(1, format!("t/{name}")), len(2, value)]);
    let cases = [
        (
            any("p3.Missing", b"abc".to_vec()),
            r#"{"@type":"t/p3.Missing","value":"YWJj"}"#,
        ),
        (any("p3.Tree", vec![8]), r#"{"@type":"t/p3.Tree","value":"CA=="}"#),
        (
            any("google.protobuf.Timestamp", varint(2, u64::MAX)),
            r#"{"@type":"t/google.protobuf.Timestamp","value":"EP///////////wE="}"#,
        ),
        (len(2, "abc"), r#"{"@type":"","value":"YWJj"}"#),
        (
            join([len(1, b"\xff"), len(2, "abc")]),
            "{\"@type\":\"\u{fffd}\",\"value\":\"YWJj\"}",
        ),
        // Within one that can be.
        (
            any("p3.Known", len(19, any("p3.Missing", b"abc".to_vec()))),
            r#"{"@type":"t/p3.Known","anys":[{"@type":"t/p3.Missing","value":"YWJj"}]}"#,
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.detail(&wire).unwrap(), expected);
    }
    assert!(schema.detail(&[0x0a, 0x05]).is_err());
}

#[test]
fn one_field_prints_alone() {
    let schema = Schema::new(PROTO3);
    let wire = join([
        len(1, "n"),
        len(4, len(1, "a")),
        len(2, len(1, "l")),
        len(4, []),
        len(8, join([len(1, "k"), len(2, [])])),
        varint(15, 5),
        len(2, varint(5, 1)),
        len(12, "t"),
    ]);
    let cases = [
        ("name", r#""n""#),
        ("left", r#"{"name":"l","numbers":[1]}"#),
        ("children", r#"[{"name":"a"},{}]"#),
        ("trees", r#"{"k":{}}"#),
        ("text", r#""t""#),
        // Dropped by another member of its oneof.
        ("number", r#""0""#),
        // Absent.
        ("right", "{}"),
        ("numbers", "[]"),
        ("byInt", "{}"),
        ("color", r#""RED""#),
        ("scalars", "{}"),
    ];
    for (field, expected) in cases {
        assert_eq!(schema.field("p3.Tree", field, &wire).unwrap(), expected, "{field}");
    }
    let cases = [
        ("any", "{}"),
        ("duration", r#""0s""#),
        ("value", "null"),
        ("object", "{}"),
        ("list", "[]"),
        ("int64Value", r#""0""#),
        ("nothing", "null"),
    ];
    for (field, expected) in cases {
        assert_eq!(schema.field("p3.Known", field, &[]).unwrap(), expected, "{field}");
    }
    let scalars = [
        ("aDouble", "0"),
        ("aBool", "false"),
        ("aString", r#""""#),
        ("aBytes", r#""""#),
        ("maybe", "0"),
        ("anInt64", r#""0""#),
    ];
    for (field, expected) in scalars {
        assert_eq!(schema.field("p3.Scalars", field, &[]).unwrap(), expected, "{field}");
        assert_eq!(
            schema
                .field("p3.Scalars", field, &join([varint(5, 1), varint(1000, 1)]))
                .unwrap(),
            expected
        );
    }
    let schema2 = Schema::new(PROTO2);
    assert_eq!(schema2.field("p2.Old", "greeting", &[]).unwrap(), r#""hello""#);
    assert_eq!(schema2.field("p2.Old", "preset", &[]).unwrap(), r#""HIGH""#);
    assert_eq!(schema2.field("p2.Old", "level", &[]).unwrap(), r#""LOW""#);
    let error = schema.field("p3.Tree", "left", &len(2, len(1, b"\xff"))).unwrap_err();
    assert_eq!(error.path, "left.name");
    assert_eq!(error.offset, Some(4));
}

#[test]
fn malformed_wire_is_an_error_that_says_where() {
    let schema = Schema::new(PROTO3);
    let cases: [(Vec<u8>, &str); 9] = [
        (
            vec![0x0a, 5, b'x'],
            "name: found a length that reaches beyond the end of the message (at byte 1)",
        ),
        (
            len(2, len(2, [0x0a, 5])),
            "left.left.name: found a length that reaches beyond the end of the message (at byte 5)",
        ),
        (
            len(4, len(4, [0x00])),
            "children[0].children[0]: found field number 0, expected 1 to 536870911 (at byte 4)",
        ),
        (
            len(8, join([len(1, "key"), len(2, [0x0f])])),
            "trees[\"key\"]: found wire type 7, expected 0 to 5 (at byte 9)",
        ),
        (
            len(5, [1, 0x80]),
            "numbers[1]: the message ends in the middle of a value (at byte 3)",
        ),
        (
            [vec![0x28], vec![0xff; 11]].concat(),
            "numbers: found a varint that is too long (at byte 1)",
        ),
        (
            vec![0x0c],
            "name: found the end of group 1, which is not open (at byte 1)",
        ),
        (vec![0x80], "the message ends in the middle of a value (at byte 0)"),
        (
            len(9, join([varint(1, 7), len(2, b"\xff")])),
            "byInt[\"7\"]: found bytes that are not UTF-8, expected a string (at byte 6)",
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.error("p3.Tree", &wire), expected);
    }
}

#[test]
fn every_prefix_of_a_message_prints_or_fails_and_leaves_no_output() {
    let schema = Schema::new(PROTO3);
    let wire = join([
        len(1, "name"),
        len(2, join([len(5, [1, 2]), group(99, varint(1, 1)), double(17, 1.0)])),
        len(8, join([len(1, "k"), len(2, len(12, "x"))])),
        len(4, len(4, len(1, "deep"))),
        len(16, join([varint(3, 1 << 40), len(12, "bytes")])),
        len(2, len(6, "again")),
    ]);
    for end in 0..=wire.len() {
        // The check of what is left behind is in `try_print`.
        let _ = schema.try_print("p3.Tree", &wire[..end], &PrintOptions::default());
    }
    assert!(schema.try_print("p3.Tree", &wire, &PrintOptions::default()).is_ok());
}

#[test]
fn objects_and_arrays_nest_100_deep_and_no_deeper() {
    let schema = Schema::new(PROTO3);
    let nest = |levels: usize, wrap: &dyn Fn(Vec<u8>) -> Vec<u8>| (0..levels).fold(Vec::new(), |wire, _| wrap(wire));
    let message = |levels: usize| nest(levels - 1, &|wire| len(2, wire));
    assert!(schema.print("p3.Tree", &message(100)).starts_with("{\"left\":{"));
    let text = schema.error("p3.Tree", &message(101));
    assert!(text.starts_with("left.left."), "{text}");
    assert!(text.contains("nested deeper than 100 levels"), "{text}");
    // A list counts as the message in it does: 1 + 2 * 49 + 1 for the innermost.
    let lists = |levels| nest(levels, &|wire| len(4, wire));
    schema.print("p3.Tree", &lists(49));
    schema.error("p3.Tree", &lists(50));
    let values = |levels| nest(levels, &|wire| len(6, len(1, wire)));
    schema.print("google.protobuf.Value", &values(100));
    schema.error("google.protobuf.Value", &values(101));
    let anys = |levels| nest(levels, &|wire| join([len(1, "t/google.protobuf.Any"), len(2, wire)]));
    schema.print("google.protobuf.Any", &anys(99));
    schema.error("google.protobuf.Any", &anys(100));
    // Split, so that every level is merged.
    let split = |levels: usize| nest(levels - 1, &|wire| join([len(2, wire), len(2, [])]));
    schema.print("p3.Tree", &split(100));
    schema.error("p3.Tree", &split(101));
    // Dropped, unknown.
    let dropped = |levels: usize| join([len(13, nest(levels - 2, &|wire| len(2, wire))), varint(15, 1)]);
    assert_eq!(schema.print("p3.Tree", &dropped(100)), r#"{"number":"1"}"#);
    schema.error("p3.Tree", &dropped(101));
    let unknown = |levels: usize| nest(levels - 1, &|wire| group(1000, wire));
    assert_eq!(schema.print("p3.Tree", &unknown(100)), "{}");
    schema.error("p3.Tree", &unknown(101));
    for levels in [10_000, 100_000] {
        schema.error("p3.Tree", &[vec![0x1b; levels], vec![0x1c; levels]].concat());
    }
}

#[test]
fn hostile_order_costs_a_constant_factor() {
    let schema = Schema::new(PROTO3);
    // Every level repeats a scalar after its sub-message: an optimistic pass sees it when all is printed.
    let nested_disorder = |width: usize, depth: usize| {
        let inner = (0..width).flat_map(|_| len(6, "w")).collect::<Vec<_>>();
        (0..depth).fold(inner, |wire, _| join([len(1, "a"), len(2, wire), len(1, "b")]))
    };
    let split = |width: usize, depth: usize| {
        let inner = (0..width).flat_map(|_| len(6, "w")).collect::<Vec<_>>();
        (0..depth).fold(inner, |wire, _| join([len(2, wire), len(2, len(1, "a"))]))
    };
    let interleaved = |width: usize, _| {
        (0..width)
            .flat_map(|_| join([len(6, "w"), varint(5, 1)]))
            .collect::<Vec<_>>()
    };
    let switches = |width: usize, _| {
        (0..width)
            .flat_map(|_| join([len(13, len(1, "a")), varint(15, 1)]))
            .collect::<Vec<_>>()
    };
    let duplicate_keys = |width: usize, _| {
        (0..width)
            .flat_map(|_| len(8, join([len(1, "k"), len(2, len(1, "a"))])))
            .collect::<Vec<_>>()
    };
    let nested_maps = |width: usize, depth: usize| {
        let inner = (0..width).flat_map(|_| len(8, len(1, "k"))).collect::<Vec<_>>();
        (0..depth).fold(inner, |wire, _| {
            join([
                len(8, join([len(1, "k"), len(2, wire)])),
                len(8, len(1, "k2")),
                len(8, len(1, "k2")),
            ])
        })
    };
    type Shape<'a> = (&'a str, &'a dyn Fn(usize, usize) -> Vec<u8>);
    let shapes: [Shape<'_>; 6] = [
        ("nested disorder", &nested_disorder),
        ("split", &split),
        ("interleaved", &interleaved),
        ("oneof switches", &switches),
        ("duplicate keys", &duplicate_keys),
        ("nested maps", &nested_maps),
    ];
    for (name, shape) in shapes {
        for depth in [1, 10, 40] {
            let (small, large) = (shape(500, depth), shape(1000, depth));
            let (few, many) = (schema.steps("p3.Tree", &small), schema.steps("p3.Tree", &large));
            let ratio = many as f64 / few as f64;
            assert!(ratio < 2.2, "{name} at depth {depth}: {few} steps, then {many}");
            // Each record is read by up to three passes, and by a pass each for indexing, for keys, and for checks.
            let bound = 7 * records(&large);
            assert!(
                many < bound,
                "{name} at depth {depth}: {many} steps, expected {bound} at most"
            );
        }
    }
}

/// How many records there are in these shapes: no record has less than two bytes.
fn records(wire: &[u8]) -> usize {
    wire.len() / 2
}

#[test]
fn wide_messages_know_all_their_fields() {
    let fields = (1..=200)
        .map(|number| format!("int32 f{number} = {number};"))
        .collect::<String>();
    let schema = Schema::new(&format!(
        "syntax = \"proto3\"; message Wide {{ {fields} repeated Wide subs = 201; oneof o {{ int32 x = 202; int32 y = 203; }} }}"
    ));
    let all = |value: u64| (1..=200).flat_map(|number| varint(number, value)).collect::<Vec<_>>();
    let expected = |value| {
        (1..=200)
            .map(|number| format!("\"f{number}\":{value}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(schema.print("Wide", &all(1)), format!("{{{}}}", expected(1)));
    assert_eq!(
        schema.print("Wide", &[all(1), all(2)].concat()),
        format!("{{{}}}", expected(2))
    );
    assert_eq!(
        schema.print(
            "Wide",
            &join([len(201, all(1)), len(201, join([varint(150, 1), varint(150, 3)]))])
        ),
        format!("{{\"subs\":[{{{}}},{{\"f150\":3}}]}}", expected(1))
    );
    assert_eq!(
        schema.print("Wide", &join([varint(202, 1), varint(203, 2)])),
        r#"{"y":2}"#
    );
}

#[test]
fn a_printer_is_as_new_after_a_failure() {
    let schema = Schema::new(PROTO3);
    let mut printer = WireToJson::default();
    let mut out = Vec::new();
    let options = PrintOptions::default();
    let broken = join([len(1, "a"), len(2, len(4, len(1, b"\xff"))), len(1, "b")]);
    for _ in 0..2 {
        assert!(
            printer
                .message(&schema.tables, schema.index("p3.Tree"), &broken, &options, &mut out)
                .is_err()
        );
        out.clear();
        printer
            .message(
                &schema.tables,
                schema.index("p3.Tree"),
                &len(1, "a"),
                &options,
                &mut out,
            )
            .unwrap();
        assert_eq!(out, br#"{"name":"a"}"#);
        out.clear();
    }
}

/// Keys, strings and names of every length around those that are copied as whole words, each with enough behind it.
#[test]
fn short_members_print_as_long_ones_do() {
    const LONGEST: usize = 40;
    let of = |letter: &str, length: usize| letter.repeat(length);
    let values = (1..=LONGEST)
        .map(|length| format!("{} = {length};", of("V", length)))
        .collect::<String>();
    let messages = (1..=LONGEST)
        .map(|length| {
            format!(
                "message M{length} {{ optional string {} = 1; optional string {} = 2; Choice {} = 3; string last = 4; \
                 optional google.protobuf.NullValue nothing = 5; repeated string list = 6; M{length} sub = 7; }}",
                of("k", length),
                of("l", length),
                of("e", length),
            )
        })
        .collect::<String>();
    let schema = Schema::new(&format!(
        "syntax = \"proto3\"; import \"google/protobuf/struct.proto\"; enum Choice {{ ZERO = 0; {values} }} {messages}"
    ));
    let last = of("y", LONGEST);
    for key in 1..=LONGEST {
        let message = format!("M{key}");
        for length in 1..=LONGEST {
            let text = of("x", length);
            let wire = join([
                len(1, &text),
                len(2, &text),
                varint(3, length as u64),
                len(6, &text),
                len(6, &text),
                len(4, &last),
            ]);
            let expected = format!(
                r#"{{"{}":"{text}","{}":"{text}","{}":"{}","list":["{text}","{text}"],"last":"{last}"}}"#,
                of("k", key),
                of("l", key),
                of("e", key),
                of("V", length),
            );
            assert_eq!(schema.print(&message, &wire), expected);
        }
        let wire = join([len(1, ""), varint(3, 0), varint(5, 0), len(4, ""), len(6, &last)]);
        let expected = format!(r#"{{"{}":"","nothing":null,"list":["{last}"]}}"#, of("k", key));
        assert_eq!(schema.print(&message, &wire), expected);
    }
    // A length within the input, but not within the message; what it reaches is plain text (the tag of 6 is '2').
    for length in 0..LONGEST {
        let text = [vec![length as u8 + 1], vec![b'x'; length]].concat();
        let error = "found a length that reaches beyond the end of the message";
        for (before, number, name) in [(vec![], 1, "k"), (len(6, "a"), 6, "list")] {
            let broken = len(7, join([before, tag(number, 2), text.clone()]));
            let message = schema.error("M1", &join([broken, len(6, &last)]));
            assert!(message.starts_with(&format!("sub.{name}: {error}")), "{message}");
        }
    }
}
