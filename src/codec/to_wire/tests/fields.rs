//! Absence, names, oneofs, enums, lists, maps, groups, extensions, and how deep they nest.

use super::*;

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
fn a_name_in_json_has_precedence_over_one_of_the_proto_however_keys_are_printed_and_spaced() {
    let proto = "syntax = \"proto2\"; package n; message Named { optional string foo_bar = 1; optional string x = 2 [json_name = \"foo_bar\"]; }
        message Swapped { optional string a = 1 [json_name = \"b\"]; optional string b = 2 [json_name = \"a\"]; }";
    let tables = || compile(&[("n.proto", proto)]).1;
    for tables in [tables(), tables().with_proto_names()] {
        for (message, json, expected) in [
            ("n.Named", r#"{"foo_bar":"v"}"#, &b"\x12\x01v"[..]),
            ("n.Named", r#"{ "foo_bar" : "v" }"#, b"\x12\x01v"),
            ("n.Swapped", r#"{"a":"v","b":"w"}"#, b"\x12\x01v\x0a\x01w"),
            ("n.Swapped", r#"{ "b" : "w", "a" : "v" }"#, b"\x0a\x01w\x12\x01v"),
        ] {
            let options = strict();
            let mut wire = Vec::new();
            let index = tables.message_index(message).unwrap();
            let input = JsonInput::new(json.as_bytes(), &options);
            JsonToWire::default().message(&tables, index, input, &mut wire).unwrap();
            assert_eq!(wire, expected, "{message} {json}");
        }
    }
}
