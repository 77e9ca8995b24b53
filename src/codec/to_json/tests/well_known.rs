//! The types with a JSON form of their own.

use super::*;

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
fn timestamps_are_printed_however_their_fields_are_written() {
    let schema = Schema::new(PROTO3);
    let cases = [
        (vec![], "00Z"),
        (varint(2, 5_000_000), "00.005Z"),
        (join([varint(2, 5_000_000), varint(1, 1)]), "01.005Z"),
        (join([varint(1, 7), varint(1, 1)]), "01Z"),
        (join([varint(9, 7), varint(1, 1), len(8, "x")]), "01Z"),
        (varint(2, 1 << 32 | 5), "00.000000005Z"),
        (vec![0x08, 0x81, 0x00, 0x10, 0x80, 0x00], "01Z"),
    ];
    for (wire, expected) in cases {
        assert_eq!(
            schema.print("p3.Known", &len(3, wire)),
            format!(r#"{{"timestamp":"1970-01-01T00:00:{expected}"}}"#)
        );
    }
    for wire in [&[0x08][..], &[0x08, 0x80], &[0x08, 1, 0x10], &[0x09, 1]] {
        let message = schema.error("p3.Known", &len(3, wire));
        assert!(message.contains("timestamp: the message ends"), "{message}");
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
