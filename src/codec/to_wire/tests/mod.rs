//! JSON to wire, by tables of cases; what the bytes say is printed by prost-reflect.

mod fields;
mod request;
mod values;
mod well_known;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use super::{JsonInput, JsonToWire};
use crate::codec::{
    BoundField, BoundRecords, CodecError, NullMessage, ParseOptions, Present, UnknownEnumNames, UnknownFields,
};
use crate::schema::Features;
use crate::schema::tables::Tables;
use crate::wire::DEPTH_LIMIT;

/// Compiles `.proto` texts, each with its import path. Only `google/protobuf` may be imported beside them.
pub(in crate::codec) fn compile(files: &[(&str, &str)]) -> (DescriptorPool, Tables) {
    let mut resolver = protox::file::ChainFileResolver::new();
    resolver.add(protox::file::GoogleFileResolver::new());
    for (name, text) in files {
        let file = protox::file::File::from_source(name, text).unwrap();
        resolver.add(Given(file));
    }
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    for (name, _) in files {
        compiler.open_file(name).unwrap();
    }
    // The compiler's own pool loses `[packed]`; the encoded set has it.
    let pool = DescriptorPool::decode(&compiler.encode_file_descriptor_set()[..]).unwrap();
    let tables = Tables::build(&pool, &Features::default(), 0x5eed);
    (pool, tables)
}

struct Given(protox::file::File);

impl protox::file::FileResolver for Given {
    fn open_file(&self, name: &str) -> std::result::Result<protox::file::File, protox::Error> {
        if self.0.name() == name {
            Ok(self.0.clone())
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

/// What a message's bytes say, in ProtoJSON.
pub(in crate::codec) fn decode(pool: &DescriptorPool, message: &str, wire: &[u8]) -> String {
    let descriptor = pool.get_message_by_name(message).unwrap();
    let message = DynamicMessage::decode(descriptor, wire).unwrap();
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut json);
    message
        .serialize_with_options(&mut serializer, &SerializeOptions::new())
        .unwrap();
    String::from_utf8(json).unwrap()
}

pub(super) const PROTO: &str = r#"
    syntax = "proto3";
    package t;
    import "google/protobuf/any.proto";
    import "google/protobuf/duration.proto";
    import "google/protobuf/empty.proto";
    import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";
    enum Color { option allow_alias = true; NONE = 0; RED = 1; CRIMSON = 1; DARK_BLUE = 2; NEGATIVE = -1; }
    message M {
        int32 i32 = 1; int64 i64 = 2; uint32 u32 = 3; uint64 u64 = 4; sint32 s32 = 5; sint64 s64 = 6;
        fixed32 f32 = 7; fixed64 f64 = 8; sfixed32 sf32 = 9; sfixed64 sf64 = 10;
        double dbl = 11; float flt = 12; bool flag = 13; string text = 14; bytes data = 15; Color color = 16;
        M child = 17; optional int32 maybe = 18; string long_name = 19; string renamed = 20 [json_name = "Neu\"er"];
        repeated int32 ints = 21; repeated double dbls = 22; repeated string texts = 23; repeated bytes datas = 24;
        repeated Color colors = 25; repeated M children = 26; repeated int32 loose = 27 [packed = false];
        repeated bool flags = 28; repeated float flts = 29; repeated int64 longs = 30;
        map<string, int32> by_text = 31; map<int32, string> by_i32 = 32; map<uint64, string> by_u64 = 33;
        map<bool, string> by_flag = 34; map<string, M> by_m = 35; map<string, Color> by_color = 36;
        map<sint64, bytes> by_s64 = 37; map<fixed32, double> by_f32 = 38;
        oneof choice { int32 choice_int = 41; string choice_text = 42; M choice_m = 43;
                       google.protobuf.NullValue choice_null = 44; google.protobuf.Value choice_value = 45; }
        google.protobuf.Any any = 51; google.protobuf.Duration duration = 52; google.protobuf.Empty empty = 53;
        google.protobuf.FieldMask mask = 54; google.protobuf.Struct struct = 55; google.protobuf.Value value = 56;
        google.protobuf.ListValue list = 57; google.protobuf.Timestamp time = 58; google.protobuf.NullValue nil = 59;
        google.protobuf.BoolValue w_bool = 61; google.protobuf.Int32Value w_i32 = 62; google.protobuf.Int64Value w_i64 = 63;
        google.protobuf.UInt32Value w_u32 = 64; google.protobuf.UInt64Value w_u64 = 65;
        google.protobuf.FloatValue w_flt = 66; google.protobuf.DoubleValue w_dbl = 67;
        google.protobuf.StringValue w_text = 68; google.protobuf.BytesValue w_data = 69;
        repeated google.protobuf.Any anys = 71; repeated google.protobuf.Value values = 72;
        repeated google.protobuf.NullValue nils = 73; repeated google.protobuf.Int32Value w_i32s = 74;
        repeated google.protobuf.Timestamp times = 75; map<string, google.protobuf.Value> by_value = 76;
        map<string, google.protobuf.NullValue> by_nil = 77;
        int32 far = 1000; M far_child = 536870911;
    }"#;

pub(super) const PROTO2: &str = r#"
    syntax = "proto2";
    package p2;
    enum Closed { A = 0; B = 1; }
    message M {
        optional Closed closed = 1; repeated Closed list = 2; repeated Closed packed = 3 [packed = true];
        optional group Part = 4 { optional int32 size = 1; optional M m = 2; }
        repeated group Piece = 5 { optional int32 size = 1; }
        map<string, Closed> by_closed = 6;
        extensions 100 to 200;
    }
    extend M { optional int32 number = 100; repeated string names = 101; optional M nested = 102; }
    message Scope { extend M { optional bool inner = 103; } }"#;

thread_local! {
    static SCHEMA: (DescriptorPool, Tables) = compile(&[("t.proto", PROTO), ("p2.proto", PROTO2)]);
    /// One instance for all, as in the filter: what an error has left must not matter.
    static CODEC: std::cell::RefCell<JsonToWire> = std::cell::RefCell::default();
}

/// Converts with given options.
fn parse(message: &str, json: &[u8], options: &ParseOptions) -> std::result::Result<Vec<u8>, CodecError> {
    SCHEMA.with(|(_, tables)| {
        let index = tables.message_index(message).unwrap();
        let mut out = b"before".to_vec();
        let result =
            CODEC.with_borrow_mut(|codec| codec.message(tables, index, JsonInput::new(json, options), &mut out));
        assert_eq!(&out[..6], b"before");
        if result.is_err() {
            assert_eq!(out.len(), 6, "an error leaves the output as it was");
        }
        result.map(|()| out.split_off(6))
    })
}

/// Converts with given options; what the bytes say in JSON, or the error.
fn convert(message: &str, json: &[u8], options: &ParseOptions) -> std::result::Result<String, CodecError> {
    let wire = parse(message, json, options)?;
    Ok(SCHEMA.with(|(pool, _)| decode(pool, message, &wire)))
}

fn strict() -> ParseOptions {
    ParseOptions {
        unknown_fields: UnknownFields::Reject,
        ..ParseOptions::default()
    }
}

/// Each JSON text of `t.M` with what it means, in prost-reflect's JSON.
fn accepts(cases: &[(&str, &str)]) {
    for (json, expected) in cases {
        assert_same(json, &convert("t.M", json.as_bytes(), &strict()), expected);
    }
}

/// Equality but for the order of keys, which prost-reflect's maps don't keep.
fn assert_same(json: &str, result: &std::result::Result<String, CodecError>, expected: &str) {
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    match result {
        Ok(result) => assert_eq!(value(result), value(expected), "{json}"),
        Err(error) => panic!("{json}: {error}"),
    }
}

/// Each JSON text of `t.M` with a part of its error's text.
fn refuses(cases: &[(&str, &str)]) {
    for (json, expected) in cases {
        let error = convert("t.M", json.as_bytes(), &strict()).expect_err(json).to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
}
