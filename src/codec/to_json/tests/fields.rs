//! Scalars, lists, maps, oneofs, groups and extensions, in every order of their records; one field alone.

use super::*;

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
            join([varint(30, 3), varint(30, u64::MAX), len(30, [0, 5, 6])]),
            r#"{"int64s":["3","-1","0","5","6"]}"#,
        ),
        (
            len(30, packed(&[1, i64::MAX as u64, 1 << 63])),
            r#"{"int64s":["1","9223372036854775807","-9223372036854775808"]}"#,
        ),
        (
            len(31, packed(&[1, u64::MAX])),
            r#"{"uint64s":["1","18446744073709551615"]}"#,
        ),
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
        ("duration", "null"),
        ("value", "null"),
        ("object", "{}"),
        ("list", "null"),
        ("int64Value", "null"),
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
