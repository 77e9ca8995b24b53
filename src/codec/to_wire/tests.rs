//! JSON to wire, by tables of cases; what the bytes say is printed by prost-reflect.

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use super::{JsonInput, JsonToWire};
use crate::codec::{BoundField, CodecError, NullMessage, ParseOptions, Present, UnknownEnumNames, UnknownFields};
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
        repeated bool flags = 28; repeated float flts = 29;
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
    /// One instance for all, as in the filter: what an error left behind must not matter.
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

/// The same; what the bytes say in JSON, or the error.
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

#[test]
fn every_scalar_kind_is_read_from_its_json_form() {
    accepts(&[
        (r#"{"i32":-5}"#, r#"{"i32":-5}"#),
        (r#"{"i32":"-5"}"#, r#"{"i32":-5}"#),
        (r#"{"i64":-9223372036854775808}"#, r#"{"i64":"-9223372036854775808"}"#),
        (r#"{"i64":"9223372036854775807"}"#, r#"{"i64":"9223372036854775807"}"#),
        (r#"{"u32":4294967295}"#, r#"{"u32":4294967295}"#),
        (r#"{"u64":18446744073709551615}"#, r#"{"u64":"18446744073709551615"}"#),
        (r#"{"s32":-2147483648}"#, r#"{"s32":-2147483648}"#),
        (r#"{"s64":"-2"}"#, r#"{"s64":"-2"}"#),
        (
            r#"{"f32":7,"f64":8,"sf32":-9,"sf64":-10}"#,
            r#"{"f32":7,"f64":"8","sf32":-9,"sf64":"-10"}"#,
        ),
        (r#"{"dbl":1.5,"flt":-0.25}"#, r#"{"dbl":1.5,"flt":-0.25}"#),
        (r#"{"dbl":"1.5e2","flt":"3"}"#, r#"{"dbl":150.0,"flt":3.0}"#),
        (r#"{"flag":true}"#, r#"{"flag":true}"#),
        (r#"{"flag":false}"#, "{}"),
        (r#"{"text":"a"}"#, r#"{"text":"a"}"#),
        (r#"{"data":"QUI="}"#, r#"{"data":"QUI="}"#),
        (r#"{"color":"RED"}"#, r#"{"color":"RED"}"#),
        (r#"{"maybe":0}"#, r#"{"maybe":0}"#),
        (r#"{"far":3}"#, r#"{"far":3}"#),
        (
            r#"{"farChild":{"far_child":{"i32":1}}}"#,
            r#"{"farChild":{"farChild":{"i32":1}}}"#,
        ),
        (r#"{"child":{}}"#, r#"{"child":{}}"#),
        (
            " \r\n\t{ \"i32\" : 1 ,\n                  \"child\" : { } , \"ints\" : [ 1 , 2 ] } \n",
            r#"{"i32":1,"child":{},"ints":[1,2]}"#,
        ),
    ]);
}

#[test]
fn values_of_the_wrong_type_say_what_was_found_and_expected() {
    let long = format!(r#"{{"i32":"{}"}}"#, "x".repeat(100));
    let cut = format!("expected a 32-bit integer, found string \"{}…\"", "x".repeat(40));
    refuses(&[
        (
            r#"{"i32":"abc"}"#,
            "i32: expected a 32-bit integer, found string \"abc\" (at byte 7)",
        ),
        (&long, &cut),
        (r#"{"i32":true}"#, "expected a 32-bit integer, found true"),
        (r#"{"i32":{}}"#, "expected a 32-bit integer, found an object"),
        (r#"{"u32":[1]}"#, "expected an unsigned 32-bit integer, found an array"),
        (r#"{"dbl":"abc"}"#, "expected a number, found string \"abc\""),
        (r#"{"dbl":false}"#, "expected a number, found false"),
        (r#"{"flag":"true"}"#, "expected true or false, found string \"true\""),
        (r#"{"flag":1}"#, "expected true or false, found number 1"),
        (r#"{"text":1}"#, "expected a string, found number 1"),
        (r#"{"data":1}"#, "expected a base64 string, found number 1"),
        (r#"{"data":"A"}"#, "expected a base64 string, found string \"A\""),
        (
            r#"{"color":"PINK"}"#,
            "expected a name or number of t.Color, found string \"PINK\"",
        ),
        (r#"{"color":"1"}"#, "expected a name or number of t.Color"),
        (
            r#"{"color":1.5}"#,
            "expected a name or number of t.Color, found number 1.5",
        ),
        (r#"{"child":[]}"#, "child: expected an object, found an array"),
        (r#"{"children":{}}"#, "children: expected an array, found an object"),
        (r#"{"byText":[]}"#, "byText: expected an object, found an array"),
        (r#"{"texts":"a"}"#, "expected an array, found string \"a\""),
        (
            r#"{"child":{"children":[{},{"i32":"x"}]}}"#,
            "child.children[1].i32: expected",
        ),
        (
            r#"{"byM":{"k":{"texts":["a",1]}}}"#,
            r#"byM["k"].texts[1]: expected a string"#,
        ),
        (r#"[]"#, "expected an object, found an array (at byte 0)"),
        (r#"1"#, "expected an object, found number 1"),
        (r#""""#, "expected an object, found string \"\""),
    ]);
}

#[test]
fn integers_may_have_an_exponent_or_a_zero_fraction_and_nothing_else() {
    accepts(&[
        (r#"{"i32":1e5}"#, r#"{"i32":100000}"#),
        (r#"{"i32":1.0}"#, r#"{"i32":1}"#),
        (r#"{"i32":"1e5"}"#, r#"{"i32":100000}"#),
        (
            r#"{"u64":1.8446744073709551615e19}"#,
            r#"{"u64":"18446744073709551615"}"#,
        ),
        (r#"{"i32":-0}"#, "{}"),
        (r#"{"u32":-0}"#, "{}"),
        (r#"{"i32":-2147483648.0}"#, r#"{"i32":-2147483648}"#),
    ]);
    for value in [
        r#""+5""#,
        r#"" 5""#,
        r#""5 ""#,
        r#"".5""#,
        r#""05""#,
        r#""""#,
        r#""1.5""#,
        r#""-""#,
        r#""0x10""#,
        "1.5",
        "1e-1",
        "2147483648",
        "-2147483649",
        "1e10",
        "NaN",
        r#""NaN""#,
        "+5",
        ".5",
        "05",
        "-",
        "1.",
        "1e",
        "00",
        "--1",
        "-a",
    ] {
        let json = format!(r#"{{"i32":{value}}}"#);
        convert("t.M", json.as_bytes(), &strict()).expect_err(&json);
    }
    refuses(&[
        (r#"{"u32":-1}"#, "expected an unsigned 32-bit integer, found number -1"),
        (r#"{"u64":18446744073709551616}"#, "expected an unsigned 64-bit integer"),
        (r#"{"i64":9223372036854775808}"#, "expected a 64-bit integer"),
        (r#"{"i32":05}"#, "expected ',' or '}', found number 5"),
    ]);
}

#[test]
fn floats_have_names_for_infinity_and_do_not_overflow() {
    accepts(&[
        (r#"{"dbl":"NaN","flt":"NaN"}"#, r#"{"dbl":"NaN","flt":"NaN"}"#),
        (
            r#"{"dbl":"Infinity","flt":"-Infinity"}"#,
            r#"{"dbl":"Infinity","flt":"-Infinity"}"#,
        ),
        (r#"{"dbls":[-0.0,"-0"]}"#, r#"{"dbls":[-0.0,-0.0]}"#),
        (r#"{"flt":3.4028235e38}"#, r#"{"flt":3.4028235e38}"#),
        (r#"{"dbl":1e-400}"#, "{}"),
    ]);
    assert_eq!(parse("t.M", br#"{"flt":-0}"#, &strict()), Ok(vec![0x65, 0, 0, 0, 0x80]));
    refuses(&[
        (
            r#"{"dbl":1e309}"#,
            "expected a number that fits a double, found number 1e309",
        ),
        (
            r#"{"flt":3.5e38}"#,
            "expected a number that fits a float, found number 3.5e38",
        ),
        (r#"{"flt":"-1e39"}"#, "expected a number that fits a float"),
        (r#"{"dbl":NaN}"#, "expected a number, found NaN"),
        (r#"{"dbl":Infinity}"#, "expected a number"),
        (r#"{"dbl":"inf"}"#, "expected a number"),
        (r#"{"dbl":"nan"}"#, "expected a number"),
        (r#"{"dbl":""}"#, "expected a number"),
        (r#"{"dbl":" 1"}"#, "expected a number"),
        (r#"{"value":1e999}"#, "expected a number that fits a double"),
    ]);
}

#[test]
fn numbers_of_ten_thousand_digits_are_read_or_refused() {
    let digits = "1".repeat(10_000);
    let zeros = "0".repeat(10_000);
    convert("t.M", format!(r#"{{"i32":{digits}}}"#).as_bytes(), &strict()).unwrap_err();
    convert("t.M", format!(r#"{{"dbl":{digits}}}"#).as_bytes(), &strict()).unwrap_err();
    assert_eq!(
        convert("t.M", format!(r#"{{"dbl":0.{digits}}}"#).as_bytes(), &strict()).as_deref(),
        Ok(r#"{"dbl":0.1111111111111111}"#)
    );
    assert_eq!(
        convert("t.M", format!(r#"{{"i32":1{zeros}e-10000}}"#).as_bytes(), &strict()).as_deref(),
        Ok(r#"{"i32":1}"#)
    );
}

#[test]
fn strings_are_unescaped() {
    let plain = "abcdefghijklmnopqrstuvwxyz".repeat(20);
    for (inside, expected) in [
        (r"", "".to_owned()),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t".to_owned()),
        (r"a\u0041b", "aAb".to_owned()),
        (r"\u0000", "\0".to_owned()),
        (r"\u00e9\u20AC", "é€".to_owned()),
        (r"\ud83d\uDE00", "😀".to_owned()),
        (r"\ud83d\uDE00\u0041", "😀A".to_owned()),
        ("ä€😀", "ä€😀".to_owned()),
        ("1234567ä", "1234567ä".to_owned()),
        ("\u{7f}", "\u{7f}".to_owned()),
        (&plain, plain.clone()),
        (&format!("{plain}\\n{plain}"), format!("{plain}\n{plain}")),
    ] {
        let json = format!(r#"{{"text":"{inside}","texts":["{inside}"],"byM":{{"{inside}":{{}}}}}}"#);
        let mut wire = Vec::new();
        let (pool, tables) = compile(&[("t.proto", PROTO)]);
        let index = tables.message_index("t.M").unwrap();
        JsonToWire::default()
            .message(&tables, index, JsonInput::new(json.as_bytes(), &strict()), &mut wire)
            .unwrap();
        let message = DynamicMessage::decode(pool.get_message_by_name("t.M").unwrap(), &wire[..]).unwrap();
        assert_eq!(message.get_field_by_name("text").unwrap().as_str(), Some(&*expected));
        assert_eq!(
            message.get_field_by_name("texts").unwrap().as_list().unwrap()[0].as_str(),
            Some(&*expected)
        );
        let map = message.get_field_by_name("by_m").unwrap().into_owned();
        let key = map
            .as_map()
            .unwrap()
            .keys()
            .next()
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(key, expected);
    }
}

/// Strings of every length around those that are copied as whole words, each with enough behind it.
#[test]
fn short_strings_are_read_as_long_ones_are() {
    let room = " ".repeat(40);
    for length in 0..=40 {
        let text = "x".repeat(length);
        for json in [
            format!(r#"{{"text":"{text}"{room}}}"#),
            format!(r#"{{"text":"{text}"}}{room}"#),
        ] {
            let wire = parse("t.M", json.as_bytes(), &strict()).unwrap();
            let expected = match length {
                0 => "{}".to_owned(),
                _ => format!(r#"{{"text":"{text}"}}"#),
            };
            assert_same(&json, &convert("t.M", json.as_bytes(), &strict()), &expected);
            assert!(wire.ends_with(&[&[length as u8], text.as_bytes()].concat()), "{json}");
        }
    }
    for broken in [r#"{"i32":"12 ,"u32":1}"#, r#"{"i32":12"}"#, r#"{"i32":"12 "}"#] {
        let json = format!("{broken}{room}");
        assert!(convert("t.M", json.as_bytes(), &strict()).is_err(), "{json}");
    }
}

#[test]
fn broken_strings_are_refused_in_values_keys_and_skipped_values() {
    let broken: &[(&[u8], &str)] = &[
        (b"\xff", "not UTF-8"),
        (b"abcdefgh\xc3", "not UTF-8"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b"\xc0\x80", "not UTF-8"),
        (b"\\ud800", "lone surrogate"),
        (b"\\ud800\\u0041", "lone surrogate"),
        (b"\\ud800x", "lone surrogate"),
        (b"\\udc00", "lone surrogate"),
        (b"\\u12g4", "four hexadecimal digits"),
        (b"\\u+123", "four hexadecimal digits"),
        (b"\\u12", "four hexadecimal digits"),
        (b"\\x41", "unknown escape"),
        (b"a\nb", "control character 0x0a"),
        (b"12345678\x00", "control character 0x00"),
    ];
    let lenient = ParseOptions::default();
    for (inside, expected) in broken {
        for (before, after) in [
            (&b"{\"text\":\""[..], &b"\"}"[..]),
            (b"{\"texts\":[\"", b"\"]}"),
            (b"{\"", b"\":1}"),
            (b"{\"unknown\":\"", b"\"}"),
            (b"{\"unknown\":[{\"", b"\":1}]}"),
            (b"{\"byText\":{\"", b"\":1}}"),
            (b"{\"struct\":{\"a\":\"", b"\"}}"),
            (b"{\"any\":{\"x\":\"", b"\",\"@type\":\"a/t.M\"}}"),
            (b"{\"i32\":\"", b"\"}"),
            (b"{\"time\":\"", b"\"}"),
        ] {
            let json = [before, inside, after].concat();
            let error = convert("t.M", &json, &lenient).unwrap_err().to_string();
            assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(&json));
        }
    }
}

#[test]
fn broken_json_is_refused_wherever_it_is_cut() {
    let whole = r#"{"i32":1,"text":"a\n\u00e9","ints":[1,2],"byM":{"k":{"dbl":1.5e3}},"child":{"flag":true},
        "any":{"dbl":2,"@type":"a/t.M"},"struct":{"a":[null,{"b":false}]},"unknown":[{"x":[1,"\ud83d\ude00"]},-0.5e-1]} "#;
    let options = ParseOptions::default();
    convert("t.M", whole.as_bytes(), &options).unwrap();
    for end in 1..whole.trim_end().len() {
        let error = convert("t.M", &whole.as_bytes()[..end], &options).unwrap_err();
        assert!(error.offset.is_some_and(|offset| offset <= end), "{error}");
    }
}

#[test]
fn json_syntax_is_strict_in_known_and_skipped_values() {
    for json in [
        "{,}",
        r#"{"i32":1,}"#,
        r#"{"i32":1 "u32":2}"#,
        r#"{"i32" 1}"#,
        r#"{"i32":}"#,
        r#"{i32:1}"#,
        r#"{'i32':1}"#,
        "{",
        "}",
        r#"{"ints":[1,]}"#,
        r#"{"ints":[,1]}"#,
        r#"{"ints":[1 2]}"#,
        r#"{"ints":[1}"#,
        r#"{"child":{]}"#,
        "{} {}",
        "{}x",
        "{}\0",
        "\u{feff}{}",
        r#"{"i32":1}//"#,
        "/**/{}",
        r#"{"flag":True}"#,
        r#"{"flag":tru}"#,
        r#"{"child":nul}"#,
        r#"{"i32":1;}"#,
        "nullx",
        "null null",
        "\u{a0}{}",
        "\x0b{}",
        r#"{"x":[1,]}"#,
        r#"{"x":[,]}"#,
        r#"{"x":{,}}"#,
        r#"{"x":{"a":1,}}"#,
        r#"{"x":{"a"}}"#,
        r#"{"x":{1:2}}"#,
        r#"{"x":[}}"#,
        r#"{"x":{]}}"#,
        r#"{"x":01}"#,
        r#"{"x":+1}"#,
        r#"{"x":.5}"#,
        r#"{"x":1.}"#,
        r#"{"x":1e}"#,
        r#"{"x":-}"#,
        r#"{"x":nan}"#,
        r#"{"x":True}"#,
        r#"{"x":}"#,
        r#"{"x":'a'}"#,
        r#"{"x":1 2}"#,
        r#"{"x":[1 2]}"#,
        r#"{"x":tru}"#,
    ] {
        convert("t.M", json.as_bytes(), &ParseOptions::default()).expect_err(json);
    }
    refuses(&[
        ("\u{feff}{}", "expected an object, found a byte order mark (at byte 0)"),
        ("{}x", "expected the end of the input, found x (at byte 2)"),
        (
            r#"{"i32":1"#,
            "expected ',' or '}', found the end of the input (at byte 8)",
        ),
        (r#"{"ints":[1"#, "ints: expected ',' or ']', found the end of the input"),
    ]);
}

#[test]
fn blank_and_null_are_the_empty_message() {
    accepts(&[
        ("", "{}"),
        (" \n\t\r", "{}"),
        ("null", "{}"),
        (" null ", "{}"),
        ("{}", "{}"),
        (" { } ", "{}"),
    ]);
    let options = strict();
    for json in ["", " ", "null", "{}"] {
        assert_eq!(
            convert("google.protobuf.Empty", json.as_bytes(), &options).as_deref(),
            Ok("{}"),
            "{json}"
        );
    }
    assert_eq!(
        convert("google.protobuf.Value", b"null", &options).as_deref(),
        Ok("null")
    );
    assert_eq!(
        convert("google.protobuf.Duration", b"null", &options).as_deref(),
        Ok("\"0s\"")
    );
    assert_eq!(
        convert("google.protobuf.Duration", b" \"2s\" ", &options).as_deref(),
        Ok("\"2s\"")
    );
    assert_eq!(
        convert("google.protobuf.Struct", b"{\"a\":1}", &options).as_deref(),
        Ok("{\"a\":1.0}")
    );
}

#[test]
fn null_is_no_message_where_the_options_reject_it() {
    let options = ParseOptions {
        null_message: NullMessage::Reject,
        ..strict()
    };
    for message in ["t.M", "google.protobuf.Empty", "google.protobuf.Duration"] {
        let error = convert(message, b"null", &options).unwrap_err();
        assert!(error.to_string().contains("found null"), "{error}");
    }
    assert_eq!(
        convert("google.protobuf.Value", b"null", &options).as_deref(),
        Ok("null")
    );
    assert_eq!(convert("t.M", b"", &options).as_deref(), Ok("{}"));
}

#[test]
fn null_is_absence_except_for_value_and_null_value() {
    accepts(&[
        (
            r#"{"i32":null,"text":null,"child":null,"ints":null,"byText":null,"color":null,"any":null}"#,
            "{}",
        ),
        (
            r#"{"time":null,"wI32":null,"struct":null,"list":null,"mask":null,"empty":null,"nils":null}"#,
            "{}",
        ),
        (r#"{"value":null}"#, r#"{"value":null}"#),
        (r#"{"choiceNull":null}"#, r#"{"choiceNull":null}"#),
        (r#"{"choiceValue":null}"#, r#"{"choiceValue":null}"#),
        (r#"{"choiceInt":null}"#, "{}"),
        (r#"{"values":[null,1]}"#, r#"{"values":[null,1.0]}"#),
        (r#"{"nils":[null,"NULL_VALUE",0]}"#, r#"{"nils":[null,null,null]}"#),
        (r#"{"byValue":{"a":null}}"#, r#"{"byValue":{"a":null}}"#),
        (r#"{"byNil":{"a":null}}"#, r#"{"byNil":{"a":null}}"#),
        (r#"{"struct":{"a":null}}"#, r#"{"struct":{"a":null}}"#),
        (r#"{"list":[null]}"#, r#"{"list":[null]}"#),
    ]);
    refuses(&[
        (r#"{"ints":[null]}"#, "ints[0]: expected a 32-bit integer, found null"),
        (r#"{"texts":["a",null]}"#, "texts[1]: expected a string, found null"),
        (r#"{"children":[null]}"#, "children[0]: expected an object, found null"),
        (r#"{"colors":[null]}"#, "found null"),
        (r#"{"wI32s":[null]}"#, "found null"),
        (r#"{"times":[null]}"#, "found null"),
        (r#"{"anys":[null]}"#, "found null"),
        (
            r#"{"byText":{"a":null}}"#,
            r#"byText["a"]: expected a 32-bit integer, found null"#,
        ),
        (r#"{"byM":{"a":null}}"#, "found null"),
        (r#"{"text":nul}"#, "expected null"),
    ]);
}

#[test]
fn a_field_may_come_once_under_any_of_its_names() {
    accepts(&[
        (r#"{"longName":"a"}"#, r#"{"longName":"a"}"#),
        (r#"{"long_name":"a"}"#, r#"{"longName":"a"}"#),
        (r#"{"Neu\"er":"a"}"#, r#"{"Neu\"er":"a"}"#),
        (r#"{"renamed":"a"}"#, r#"{"Neu\"er":"a"}"#),
        (r#"{"long\u004eame":"a"}"#, r#"{"longName":"a"}"#),
        (
            r#"{"far":1,"i32":2,"long_name":"c","text":"b"}"#,
            r#"{"i32":2,"text":"b","longName":"c","far":1}"#,
        ),
    ]);
    refuses(&[
        (
            r#"{"i32":1,"i32":1}"#,
            "i32: found the key of i32 a second time (at byte 9)",
        ),
        (
            r#"{"longName":"a","long_name":"a"}"#,
            "found the key of long_name a second time (\"longName\" and",
        ),
        (r#"{"longName":"a","long\u004eame":"a"}"#, "a second time"),
        (r#"{"i32":null,"i32":1}"#, "a second time"),
        (r#"{"ints":[],"ints":[]}"#, "a second time"),
        (r#"{"far":1,"i32":1,"far":1}"#, "a second time"),
        (
            r#"{"child":{"byText":{},"by_text":{}}}"#,
            "child.byText: found the key of by_text a second time",
        ),
    ]);
}

#[test]
fn a_oneof_takes_one_member() {
    accepts(&[
        (r#"{"choiceInt":1}"#, r#"{"choiceInt":1}"#),
        (r#"{"choiceInt":0}"#, r#"{"choiceInt":0}"#),
        (r#"{"choiceInt":null,"choiceText":"a"}"#, r#"{"choiceText":"a"}"#),
        (r#"{"choiceText":"a","choiceM":null}"#, r#"{"choiceText":"a"}"#),
        (
            r#"{"child":{"choiceInt":1},"choiceText":"a"}"#,
            r#"{"child":{"choiceInt":1},"choiceText":"a"}"#,
        ),
    ]);
    refuses(&[
        (
            r#"{"choiceInt":1,"choiceText":"a"}"#,
            "choiceText: another field of the same oneof is already set",
        ),
        (r#"{"choiceM":{},"choice_int":1}"#, "already set"),
        (r#"{"choiceInt":1,"choiceNull":null}"#, "already set"),
        (r#"{"choiceNull":null,"choiceValue":null}"#, "already set"),
    ]);
}

#[test]
fn unknown_keys_are_skipped_or_refused() {
    let json = br#"{"x":{"a":[1,{"b":"\u0041"}],"c":true},"i32":1,"y":null,"child":{"z":-1.5e3}}"#;
    assert_eq!(
        convert("t.M", json, &ParseOptions::default()).as_deref(),
        Ok(r#"{"i32":1,"child":{}}"#)
    );
    refuses(&[
        (
            r#"{"i32":1,"x":1}"#,
            "x: found the unknown key \"x\", expected a field of t.M (at byte 9)",
        ),
        (
            r#"{"child":{"@type":"t.M"}}"#,
            "child.@type: found the unknown key \"@type\"",
        ),
        (r#"{"I32":1}"#, "unknown key"),
        (r#"{"empty":{"a":1}}"#, "expected a field of google.protobuf.Empty"),
    ]);
}

#[test]
fn enums_are_read_by_name_alias_or_number() {
    accepts(&[
        (r#"{"color":"CRIMSON"}"#, r#"{"color":"RED"}"#),
        (r#"{"color":"DARK\u005fBLUE"}"#, r#"{"color":"DARK_BLUE"}"#),
        (r#"{"color":2}"#, r#"{"color":"DARK_BLUE"}"#),
        (r#"{"color":-1}"#, r#"{"color":"NEGATIVE"}"#),
        (r#"{"color":1e0}"#, r#"{"color":"RED"}"#),
        (r#"{"color":77}"#, r#"{"color":77}"#),
        (r#"{"colors":["RED",0,77]}"#, r#"{"colors":["RED","NONE",77]}"#),
        (r#"{"byColor":{"a":"RED"}}"#, r#"{"byColor":{"a":"RED"}}"#),
    ]);
    refuses(&[
        (r#"{"color":"red"}"#, "t.Color"),
        (r#"{"color":2147483648}"#, "t.Color"),
        (r#"{"color":true}"#, "t.Color"),
    ]);
    let fold = ParseOptions {
        case_insensitive_enums: true,
        ..strict()
    };
    assert_eq!(
        convert("t.M", br#"{"color":"dark_Blue"}"#, &fold).as_deref(),
        Ok(r#"{"color":"DARK_BLUE"}"#)
    );
}

#[test]
fn unknown_enum_names_are_left_out_when_they_are_ignored() {
    let ignore = ParseOptions {
        unknown_enum_names: UnknownEnumNames::Ignore,
        ..strict()
    };
    for (json, expected) in [
        (r#"{"color":"PINK","i32":1}"#, r#"{"i32":1}"#),
        (r#"{"colors":["PINK","RED","GREY"]}"#, r#"{"colors":["RED"]}"#),
        (r#"{"colors":["PINK"]}"#, "{}"),
        (r#"{"byColor":{"a":"PINK","b":"RED"}}"#, r#"{"byColor":{"b":"RED"}}"#),
    ] {
        assert_eq!(
            convert("t.M", json.as_bytes(), &ignore).as_deref(),
            Ok(expected),
            "{json}"
        );
    }
    // A long key: its entry would have moved those around it.
    let json = format!(
        r#"{{"children":[{{"byColor":{{"{}":"PINK"}}}}],"i32":1}}"#,
        "k".repeat(5000)
    );
    assert_eq!(
        convert("t.M", json.as_bytes(), &ignore).as_deref(),
        Ok(r#"{"i32":1,"children":[{}]}"#)
    );
    convert("t.M", br#"{"byColor":{"a":"PINK","a":"RED"}}"#, &ignore).unwrap_err();
    convert("t.M", br#"{"color":1.5}"#, &ignore).unwrap_err();
    assert_eq!(
        convert(
            "p2.M",
            br#"{"closed":"Z","list":["Z","B"],"packed":["Z"],"byClosed":{"a":"Z"}}"#,
            &ignore
        )
        .as_deref(),
        Ok(r#"{"list":["B"]}"#)
    );
}

#[test]
fn lists_are_packed_or_not_as_the_schema_says() {
    accepts(&[
        (r#"{"ints":[]}"#, "{}"),
        (r#"{"ints":[1,-2,3]}"#, r#"{"ints":[1,-2,3]}"#),
        (r#"{"dbls":[1,"NaN"]}"#, r#"{"dbls":[1.0,"NaN"]}"#),
        (r#"{"texts":["","a"]}"#, r#"{"texts":["","a"]}"#),
        (r#"{"datas":["","QQ"]}"#, r#"{"datas":["","QQ=="]}"#),
        (r#"{"loose":[1,2]}"#, r#"{"loose":[1,2]}"#),
        (r#"{"flags":[true,false]}"#, r#"{"flags":[true,false]}"#),
        (r#"{"children":[{},{"i32":1}]}"#, r#"{"children":[{},{"i32":1}]}"#),
    ]);
    let (_, tables) = compile(&[("t.proto", PROTO)]);
    let index = tables.message_index("t.M").unwrap();
    let mut out = Vec::new();
    JsonToWire::default()
        .message(
            &tables,
            index,
            JsonInput::new(br#"{"ints":[1,2],"loose":[1,2]}"#, &strict()),
            &mut out,
        )
        .unwrap();
    assert_eq!(out, [0xaa, 1, 2, 1, 2, 0xd8, 1, 1, 0xd8, 1, 2]);
}

#[test]
fn maps_take_every_kind_of_key() {
    accepts(&[
        (r#"{"byText":{"":1,"a":2}}"#, r#"{"byText":{"":1,"a":2}}"#),
        (r#"{"byI32":{"-5":"a","0":"b"}}"#, r#"{"byI32":{"-5":"a","0":"b"}}"#),
        (
            r#"{"byU64":{"18446744073709551615":"a"}}"#,
            r#"{"byU64":{"18446744073709551615":"a"}}"#,
        ),
        (
            r#"{"byFlag":{"true":"a","fals\u0065":"b"}}"#,
            r#"{"byFlag":{"false":"b","true":"a"}}"#,
        ),
        (r#"{"byS64":{"-2":"QQ"}}"#, r#"{"byS64":{"-2":"QQ=="}}"#),
        (r#"{"byF32":{"7":0}}"#, r#"{"byF32":{"7":0.0}}"#),
        (r#"{"byM":{"a":{"byM":{"b":{}}}}}"#, r#"{"byM":{"a":{"byM":{"b":{}}}}}"#),
        (r#"{"byText":{}}"#, "{}"),
    ]);
    refuses(&[
        (
            r#"{"byI32":{"a":"b"}}"#,
            "expected a 32-bit integer, found string \"a\"",
        ),
        (r#"{"byI32":{"":"b"}}"#, "expected a 32-bit integer"),
        (r#"{"byI32":{"+1":"b"}}"#, "expected a 32-bit integer"),
        (r#"{"byI32":{"2147483648":"b"}}"#, "expected a 32-bit integer"),
        (r#"{"byI32":{1:"b"}}"#, "expected a key, found number 1"),
        (r#"{"byU64":{"-1":"b"}}"#, "expected an unsigned 64-bit integer"),
        (
            r#"{"byFlag":{"1":"b"}}"#,
            "expected the key \"true\" or \"false\", found string \"1\"",
        ),
        (r#"{"byFlag":{"True":"b"}}"#, "expected the key"),
    ]);
}

#[test]
fn map_keys_may_come_once() {
    refuses(&[
        (
            r#"{"byText":{"a":1,"b":2,"a":3}}"#,
            "byText: found the key \"a\" a second time (at byte 23)",
        ),
        (r#"{"byText":{"1":1,"\u0031":2}}"#, "a second time"),
        (r#"{"byText":{"\u0031":1,"\u0031":2}}"#, "a second time"),
        (r#"{"byI32":{"1":"a","1":"b"}}"#, "a second time"),
        (r#"{"byI32":{"1":"a","\u0031":"b"}}"#, "a second time"),
        (r#"{"byI32":{"1":"a","1.0":"b"}}"#, "a second time"),
        (r#"{"byFlag":{"true":"a","true":"b"}}"#, "a second time"),
        (r#"{"struct":{"a":1,"a":1}}"#, "a second time"),
        (r#"{"struct":{"x":{"é":1,"\u00e9":1}}}"#, "a second time"),
        (r#"{"value":{"a":1,"a":1}}"#, "a second time"),
    ]);
    accepts(&[(
        r#"{"byM":{"a":{"byText":{"a":1,"b":1}},"b":{"byText":{"a":1,"b":1}}}}"#,
        r#"{"byM":{"a":{"byText":{"a":1,"b":1}},"b":{"byText":{"a":1,"b":1}}}}"#,
    )]);
}

#[test]
fn well_known_types_have_their_own_forms() {
    accepts(&[
        (r#"{"duration":"1.5s"}"#, r#"{"duration":"1.500s"}"#),
        (r#"{"duration":"\u0031s"}"#, r#"{"duration":"1s"}"#),
        (
            r#"{"time":"2000-01-01T01:00:00.5+01:00"}"#,
            r#"{"time":"2000-01-01T00:00:00.500Z"}"#,
        ),
        (r#"{"mask":"aB,c.dE"}"#, r#"{"mask":"aB,c.dE"}"#),
        (r#"{"empty":{}}"#, r#"{"empty":{}}"#),
        (
            r#"{"wBool":false,"wI32":0,"wI64":"5","wU32":6,"wU64":7}"#,
            r#"{"wBool":false,"wI32":0,"wI64":"5","wU32":6,"wU64":"7"}"#,
        ),
        (
            r#"{"wFlt":0.5,"wDbl":1,"wText":"","wData":"-_-_"}"#,
            r#"{"wFlt":0.5,"wDbl":1.0,"wText":"","wData":"+/+/"}"#,
        ),
        (r#"{"wI32s":[1,"2"]}"#, r#"{"wI32s":[1,2]}"#),
        (
            r#"{"struct":{"a":null,"b":true,"c":false,"d":-1.5,"e":"x\ny","f":{},"g":[],"h":{"i":[[{}]]}}}"#,
            r#"{"struct":{"a":null,"b":true,"c":false,"d":-1.5,"e":"x\ny","f":{},"g":[],"h":{"i":[[{}]]}}}"#,
        ),
        (r#"{"value":"NaN"}"#, r#"{"value":"NaN"}"#),
        (r#"{"value":[1,"a",{"b":null}]}"#, r#"{"value":[1.0,"a",{"b":null}]}"#),
        (r#"{"list":[]}"#, r#"{"list":[]}"#),
    ]);
    refuses(&[
        (r#"{"duration":1}"#, "expected a duration within"),
        (r#"{"duration":"1"}"#, "found string \"1\""),
        (r#"{"time":"2000-01-01"}"#, "expected an RFC 3339 timestamp"),
        (r#"{"time":{}}"#, "expected an RFC 3339 timestamp"),
        (r#"{"mask":"a_b"}"#, "expected field paths in lowerCamelCase"),
        (r#"{"mask":[]}"#, "expected field paths"),
        (r#"{"wI32":{}}"#, "expected a 32-bit integer, found an object"),
        (r#"{"wI32":{"value":1}}"#, "expected a 32-bit integer, found an object"),
        (r#"{"struct":[]}"#, "expected an object, found an array"),
        (r#"{"list":{}}"#, "expected an array, found an object"),
        (r#"{"list":[1,x]}"#, "list[1]: expected a value, found x"),
        (r#"{"struct":{"a":{"b":x}}}"#, r#"struct["a"]["b"]: expected a value"#),
        (r#"{"value":}"#, "expected a value"),
        (r#"{"empty":1}"#, "expected an object"),
    ]);
}

#[test]
fn any_finds_its_type_wherever_it_stands() {
    let url = "type.googleapis.com";
    let m = |members: &str| format!(r#"{{"any":{{"@type":"{url}/t.M"{members}}}}}"#);
    let cases = [
        (m(""), m("")),
        (m(r#","i32":1,"text":"a""#), m(r#","i32":1,"text":"a""#)),
        (
            format!(r#"{{"any":{{"i32":1,"@type":"{url}/t.M","text":"a"}}}}"#),
            m(r#","i32":1,"text":"a""#),
        ),
        (
            format!(r#"{{"any":{{"i32":1,"child":{{"i32":2}}, "\u0040type" : "{url}/t\u002eM"}}}}"#),
            m(r#","i32":1,"child":{"i32":2}"#),
        ),
        (
            format!(r#"{{"any":{{"value":"1.5s","@type":"{url}/google.protobuf.Duration"}}}}"#),
            format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Duration","value":"1.500s"}}}}"#),
        ),
        (
            format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Value","value":null}}}}"#),
            format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Value","value":null}}}}"#),
        ),
        (
            format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Int32Value","value":0}}}}"#),
            format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Int32Value","value":0}}}}"#),
        ),
        (
            format!(r#"{{"any":{{"value":{{"i32":1,"@type":"{url}/t.M"}},"@type":"{url}/google.protobuf.Any"}}}}"#),
            format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Any","value":{{"@type":"{url}/t.M","i32":1}}}}}}"#),
        ),
        (
            m(&format!(
                r#","any":{{"any":{{"any":{{"flag":true,"@type":"{url}/t.M"}},"@type":"{url}/t.M"}},"@type":"{url}/t.M"}}"#
            )),
            m(&format!(
                r#","any":{{"@type":"{url}/t.M","any":{{"@type":"{url}/t.M","any":{{"@type":"{url}/t.M","flag":true}}}}}}"#
            )),
        ),
        (
            // What comes behind the outer type has not been scanned ahead.
            format!(
                r#"{{"any":{{"i32":1,"@type":"{url}/t.M","any":{{"i32":2,"@type":"{url}/t.M"}},"anys":[{{"i32":3,"@type":"{url}/t.M"}}]}}}}"#
            ),
            m(&format!(
                r#","i32":1,"any":{{"@type":"{url}/t.M","i32":2}},"anys":[{{"@type":"{url}/t.M","i32":3}}]"#
            )),
        ),
    ];
    for (json, expected) in &cases {
        assert_eq!(
            convert("t.M", json.as_bytes(), &strict()).as_deref(),
            Ok(&**expected),
            "{json}"
        );
    }
    for value in ["", r#","value":{}"#] {
        let json = format!(r#"{{"any":{{"@type":"{url}/google.protobuf.Empty"{value}}}}}"#);
        convert("t.M", json.as_bytes(), &strict()).unwrap();
    }
    assert_eq!(parse("t.M", br#"{"any":{ }}"#, &strict()), Ok(vec![0x9a, 3, 0]));
    refuses(&[
        (r#"{"any":{"i32":1}}"#, "any: expected the key \"@type\" in an Any"),
        (
            r#"{"any":{"child":{"@type":"a/t.M"}}}"#,
            "any: expected the key \"@type\"",
        ),
        (
            r#"{"any":{"@type":"a/t.M","@type":"a/t.M"}}"#,
            "\"@type\" a second time",
        ),
        (
            r#"{"any":{"i32":1,"@type":"a/t.M","@type":"a/t.M"}}"#,
            "\"@type\" a second time",
        ),
        (
            r#"{"any":{"@type":"a/t.None"}}"#,
            "any.@type: found type \"t.None\", expected a message of the schema",
        ),
        (r#"{"any":{"@type":"t.M"}}"#, "expected a type URL such as"),
        (r#"{"any":{"@type":"/t.M"}}"#, "expected a type URL"),
        (r#"{"any":{"@type":""}}"#, "expected a type URL"),
        (
            r#"{"any":{"@type":1}}"#,
            "any.@type: expected a type URL, found number 1",
        ),
        (r#"{"any":{"@type":null}}"#, "expected a type URL"),
        (r#"{"any":{"@type":"a/t.M","x":1}}"#, "unknown key \"x\""),
        (
            r#"{"any":{"@type":"a/t.M","i32":"x"}}"#,
            "any.i32: expected a 32-bit integer",
        ),
        (
            r#"{"any":{"@type":"a/google.protobuf.Duration"}}"#,
            "expected the key \"value\"",
        ),
        (
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s","value":"1s"}}"#,
            "\"value\" a second time",
        ),
        (
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s","@type":"a/t.M"}}"#,
            "\"@type\" a second time",
        ),
        (
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"x"}}"#,
            "any.value: expected a duration",
        ),
        (
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s","x":1}}"#,
            "unknown key \"x\"",
        ),
        (r#"{"any":[]}"#, "expected an object"),
        (r#"{"any":{1}}"#, "expected a key"),
    ]);
}

#[test]
fn groups_and_extensions_are_keys_as_other_fields() {
    for (json, expected) in [
        (
            r#"{"part":{"size":1,"m":{"part":{}}}}"#,
            r#"{"part":{"size":1,"m":{"part":{}}}}"#,
        ),
        (r#"{"piece":[{"size":1},{}]}"#, r#"{"piece":[{"size":1},{}]}"#),
        (
            r#"{"[p2.number]":5,"[p2.names]":["a","b"]}"#,
            r#"{"[p2.number]":5,"[p2.names]":["a","b"]}"#,
        ),
        (
            r#"{"[p2.nested]":{"[p2.Scope.inner]":true}}"#,
            r#"{"[p2.nested]":{"[p2.Scope.inner]":true}}"#,
        ),
        (
            r#"{"closed":"B","list":["A","B"],"packed":[1]}"#,
            r#"{"closed":"B","list":["A","B"],"packed":["B"]}"#,
        ),
    ] {
        assert_eq!(
            convert("p2.M", json.as_bytes(), &strict()).as_deref(),
            Ok(expected),
            "{json}"
        );
    }
    for json in [
        r#"{"[p2.number]":1,"[p2.number]":1}"#,
        r#"{"[p2.none]":1}"#,
        r#"{"number":1}"#,
        r#"{"Part":{},"part":{}}"#,
    ] {
        convert("p2.M", json.as_bytes(), &strict()).expect_err(json);
    }
}

#[test]
fn a_number_that_a_closed_enum_does_not_have_stays_for_the_receiver() {
    let (_, tables) = compile(&[("p2.proto", PROTO2)]);
    let index = tables.message_index("p2.M").unwrap();
    let mut out = Vec::new();
    JsonToWire::default()
        .message(&tables, index, JsonInput::new(br#"{"closed":7}"#, &strict()), &mut out)
        .unwrap();
    assert_eq!(out, [0x08, 7]);
}

#[test]
fn nesting_ends_at_the_depth_limit() {
    let deep = |open: &str, close: &str, levels: usize, inner: &str| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    type Nest<'n> = &'n dyn Fn(usize) -> String;
    let cases: [Nest<'_>; 9] = [
        &|levels| deep(r#"{"child":"#, "}", levels - 1, "{}"),
        &|levels| {
            deep(
                r#"{"children":["#,
                "]}",
                levels / 2 - 1,
                if levels % 2 == 0 {
                    r#"{"children":[]}"#
                } else {
                    r#"{"children":[{}]}"#
                },
            )
        },
        &|levels| {
            deep(
                r#"{"byM":{"a":"#,
                "}}",
                levels / 2 - 1,
                if levels % 2 == 0 {
                    r#"{"byM":{}}"#
                } else {
                    r#"{"byM":{"a":{}}}"#
                },
            )
        },
        &|levels| format!(r#"{{"struct":{}}}"#, deep(r#"{"a":"#, "}", levels - 2, "{}")),
        &|levels| format!(r#"{{"value":{}}}"#, deep("[", "]", levels - 1, "")),
        &|levels| format!(r#"{{"unknown":{}}}"#, deep("[", "]", levels - 1, "")),
        &|levels| format!(r#"{{"unknown":{}}}"#, deep(r#"{"a":"#, "}", levels - 1, "1")),
        &|levels| {
            format!(
                r#"{{"any":{}}}"#,
                deep(r#"{"@type":"a/t.M","any":"#, "}", levels - 2, r#"{}"#)
            )
        },
        &|levels| {
            format!(
                r#"{{"any":{}}}"#,
                deep(r#"{"any":"#, r#","@type":"a/t.M"}"#, levels - 2, r#"{}"#)
            )
        },
    ];
    for (nest, case) in cases.iter().zip(0..) {
        let options = ParseOptions::default();
        let index = |levels: usize| {
            let (_, tables) = compile(&[("t.proto", PROTO)]);
            let index = tables.message_index("t.M").unwrap();
            JsonToWire::default().message(
                &tables,
                index,
                JsonInput::new(nest(levels).as_bytes(), &options),
                &mut Vec::new(),
            )
        };
        assert_eq!(index(DEPTH_LIMIT), Ok(()), "case {case}");
        for levels in [DEPTH_LIMIT + 1, 10_001] {
            let error = index(levels).unwrap_err();
            assert!(error.message.contains("nested deeper than 100"), "case {case}: {error}");
        }
    }
}

#[test]
fn fields_that_the_path_binds_are_passed_over() {
    let (pool, tables) = compile(&[("t.proto", PROTO)]);
    let index = tables.message_index("t.M").unwrap();
    let table = tables.message(index);
    let bound = |name: &str, below: Vec<BoundField>| BoundField {
        field: table.field_by_name(name.as_bytes()).unwrap(),
        below,
    };
    let run = |json: &str, bound: &[BoundField]| {
        let mut out = Vec::new();
        let mut present = Present::default();
        present.reset(usize::MAX);
        JsonToWire::default()
            .message(
                &tables,
                index,
                JsonInput {
                    json: json.as_bytes(),
                    options: &strict(),
                    bound,
                    present: Some(&mut present),
                },
                &mut out,
            )
            .map(|()| {
                // The same without a mask.
                let mut unmasked = Vec::new();
                JsonToWire::default()
                    .message(
                        &tables,
                        index,
                        JsonInput {
                            bound,
                            ..JsonInput::new(json.as_bytes(), &strict())
                        },
                        &mut unmasked,
                    )
                    .unwrap();
                assert_eq!(unmasked, out, "{json}");
                (decode(&pool, "t.M", &out), present.paths().join(","))
            })
            .map_err(|error| error.to_string())
    };
    let ok = |json: &str, mask: &str| Ok((json.to_owned(), mask.to_owned()));
    let leaf = [bound("long_name", vec![])];
    assert_eq!(run(r#"{"longName":"x","i32":1}"#, &leaf), ok(r#"{"i32":1}"#, "i32"));
    let room = " ".repeat(40);
    assert_eq!(run(&format!(r#"{{"longName":"x"{room}}}"#), &leaf), ok("{}", ""));
    assert_eq!(
        run(r#"{"long_name":[{"a":1}],"i32":1}"#, &leaf),
        ok(r#"{"i32":1}"#, "i32")
    );
    assert!(run(r#"{"longName":"x","long_name":"x"}"#, &leaf).is_err());
    assert!(run(r#"{"longName":[}}"#, &leaf).is_err());
    let nested = [bound(
        "child",
        vec![bound("text", vec![]), bound("child", vec![bound("i32", vec![])])],
    )];
    assert_eq!(
        run(
            r#"{"text":"a","child":{"text":"b","i32":2,"child":{"i32":3,"u32":4}}}"#,
            &nested
        ),
        ok(
            r#"{"text":"a","child":{"i32":2,"child":{"u32":4}}}"#,
            "text,child.i32,child.child.u32"
        )
    );
    let oneof = [bound("choice_int", vec![])];
    assert_eq!(run(r#"{"choiceInt":"any"}"#, &oneof), ok("{}", ""));
    assert!(run(r#"{"choiceText":"a"}"#, &oneof).unwrap_err().contains("oneof"));
    assert_eq!(run(r#"{"choiceText":null}"#, &oneof), ok("{}", "choice_text"));
    let within = [bound("choice_m", vec![bound("i32", vec![])])];
    assert_eq!(
        run(r#"{"choiceM":{"i32":1,"u32":2}}"#, &within),
        ok(r#"{"choiceM":{"u32":2}}"#, "choice_m.u32")
    );
    assert!(run(r#"{"choiceText":"a"}"#, &within).unwrap_err().contains("oneof"));
    // Within a well-known type: it belongs to the path as a whole.
    let time = [bound("time", vec![bound("i32", vec![])])];
    assert_eq!(run(r#"{"time":"x"}"#, &time), ok("{}", ""));
}

#[test]
fn the_update_mask_names_the_leaves_that_are_present() {
    let (_, tables) = compile(&[("t.proto", PROTO)]);
    let index = tables.message_index("t.M").unwrap();
    let ignore = ParseOptions {
        unknown_enum_names: UnknownEnumNames::Ignore,
        ..ParseOptions::default()
    };
    for (json, expected) in [
        ("", ""),
        ("{}", ""),
        (r#"{"i32":1,"longName":"a"}"#, "i32,long_name"),
        (
            r#"{"child":{"longName":"a","child":{"i32":1},"u32":2},"text":"b"}"#,
            "child.long_name,child.child.i32,child.u32,text",
        ),
        (r#"{"i32":null,"child":{"text":null}}"#, "i32,child.text"),
        (r#"{"child":null}"#, "child"),
        (r#"{"child": { } }"#, "child"),
        (
            r#"{"ints":[1],"children":[{"i32":1}],"byM":{"a":{"i32":1}}}"#,
            "ints,children,by_m",
        ),
        (
            r#"{"struct":{"a":{"b":1}},"any":{"@type":"a/t.M","i32":1},"time":"2000-01-01T00:00:00Z","empty":{}}"#,
            "struct,any,time,empty",
        ),
        (
            r#"{"children":[{"child":{"i32":1}}],"child":{"i32":1}}"#,
            "children,child.i32",
        ),
        (r#"{"unknown":1,"child":{"unknown":1},"i32":1}"#, "i32"),
        (r#"{"color":"PINK","i32":1}"#, "i32"),
    ] {
        let mut present = Present::default();
        present.reset(usize::MAX);
        JsonToWire::default()
            .message(
                &tables,
                index,
                JsonInput {
                    present: Some(&mut present),
                    ..JsonInput::new(json.as_bytes(), &ignore)
                },
                &mut Vec::new(),
            )
            .unwrap();
        assert_eq!(present.paths().join(","), expected, "{json}");
    }
}

#[test]
fn one_field_is_read_with_its_tags() {
    let (pool, tables) = compile(&[("t.proto", PROTO), ("p2.proto", PROTO2)]);
    let run = |message: &str, field: &str, json: &str| {
        let index = tables.message_index(message).unwrap();
        let field = tables.message(index).field_by_name(field.as_bytes()).unwrap();
        let mut out = Vec::new();
        let mut present = Present::default();
        present.reset(usize::MAX);
        JsonToWire::default()
            .field(
                &tables,
                index,
                field,
                JsonInput {
                    present: Some(&mut present),
                    ..JsonInput::new(json.as_bytes(), &strict())
                },
                &mut out,
            )
            .map(|()| (decode(&pool, message, &out), present.paths().join(",")))
            .map_err(|error| error.to_string())
    };
    for (field, json, expected, mask) in [
        ("i32", "5", r#"{"i32":5}"#, ""),
        ("text", " \"a\" ", r#"{"text":"a"}"#, ""),
        ("color", "\"RED\"", r#"{"color":"RED"}"#, ""),
        ("ints", "[1,2]", r#"{"ints":[1,2]}"#, ""),
        ("ints", "[]", "{}", ""),
        ("children", r#"[{"i32":1}]"#, r#"{"children":[{"i32":1}]}"#, ""),
        ("by_text", r#"{"a":1}"#, r#"{"byText":{"a":1}}"#, ""),
        (
            "child",
            r#"{"i32":1,"child":{"u32":2}}"#,
            r#"{"i32":0}"#,
            "i32,child.u32",
        ),
        ("child", "", r#"{"child":{}}"#, ""),
        ("child", "null", r#"{"child":{}}"#, ""),
        ("value", "null", r#"{"value":null}"#, ""),
        (
            "any",
            r#"{"@type":"a/t.M","i32":1}"#,
            r#"{"any":{"@type":"a/t.M","i32":1}}"#,
            "",
        ),
        ("time", "", r#"{"time":"1970-01-01T00:00:00Z"}"#, ""),
        ("i32", "null", "{}", ""),
        ("ints", "null", "{}", ""),
    ] {
        let expected = if mask.is_empty() {
            expected
        } else {
            r#"{"child":{"i32":1,"child":{"u32":2}}}"#
        };
        assert_eq!(
            run("t.M", field, json),
            Ok((expected.to_owned(), mask.to_owned())),
            "{field} {json}"
        );
    }
    assert_eq!(
        run("p2.M", "part", ""),
        Ok((r#"{"part":{}}"#.to_owned(), String::new()))
    );
    assert_eq!(
        run("p2.M", "part", r#"{"size":1}"#).unwrap().0,
        r#"{"part":{"size":1}}"#
    );
    for (field, json, expected) in [
        ("i32", "", "expected a 32-bit integer, found an empty body"),
        ("text", " ", "expected a string, found an empty body"),
        ("ints", "", "expected an array, found an empty body"),
        ("children", "", "expected an array, found an empty body"),
        ("by_text", "", "expected an object, found an empty body"),
        ("i32", "1 2", "expected the end of the input"),
        ("child", r#"{"i32":"x"}"#, "i32: expected a 32-bit integer"),
    ] {
        let error = run("t.M", field, json).unwrap_err();
        assert!(error.contains(expected), "{field} {json}: {error}");
    }
}
