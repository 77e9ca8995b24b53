//! What only a request asks for: fields that the path binds, the update mask, one field alone.

use super::*;
use crate::codec::single_records::assert_single_records;
use crate::codec::text_to_wire;

#[test]
fn fields_that_the_path_binds_are_passed_over() {
    let (pool, tables) = compile(&[("t.proto", PROTO)]);
    let index = tables.message_index("t.M").unwrap();
    let table = tables.message(index);
    let bound = |name: &str, below: Vec<BoundField>| BoundField {
        field: table.field_by_name(name.as_bytes()).unwrap(),
        below,
        record: None,
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
                    records: BoundRecords::NONE,
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
fn what_the_path_binds_is_in_the_bodys_own_record_of_each_message() {
    let (pool, tables) = compile(&[("t.proto", PROTO)]);
    let index = tables.message_index("t.M").unwrap();
    let table = tables.message(index);
    let field = |name: &str| table.field(table.field_by_name(name.as_bytes()).unwrap()).unwrap();
    // The path gives i32 at the top, which is written already, and below.
    let mut records = BoundRecords::default();
    for (name, text) in [("i32", "5"), ("text", "path"), ("u32", "7")] {
        let write = |out: &mut Vec<u8>| text_to_wire(&tables, field(name), text, &strict(), out);
        records.push(write).unwrap();
    }
    let leaf = |name: &str, record: Option<usize>| BoundField {
        field: table.field_by_name(name.as_bytes()).unwrap(),
        below: Vec::new(),
        record,
    };
    let around = |name: &str, below: Vec<BoundField>| BoundField {
        below,
        ..leaf(name, None)
    };
    let below = || {
        vec![
            leaf("i32", Some(0)),
            around("child", vec![leaf("text", Some(1)), leaf("u32", Some(2))]),
        ]
    };
    let bound = [leaf("text", None), around("child", below())];
    let given = r#"{"text":"path","u32":7}"#;
    let cases = [
        ("", format!(r#"{{"child":{{"i32":5,"child":{given}}}}}"#)),
        ("null", format!(r#"{{"child":{{"i32":5,"child":{given}}}}}"#)),
        ("{}", format!(r#"{{"child":{{"i32":5,"child":{given}}}}}"#)),
        (
            r#"{"i32":1}"#,
            format!(r#"{{"i32":1,"child":{{"i32":5,"child":{given}}}}}"#),
        ),
        (
            r#"{"child":null}"#,
            format!(r#"{{"child":{{"i32":5,"child":{given}}}}}"#),
        ),
        (r#"{"child":{}}"#, format!(r#"{{"child":{{"i32":5,"child":{given}}}}}"#)),
        (
            r#"{"child":{"child":null}}"#,
            format!(r#"{{"child":{{"i32":5,"child":{given}}}}}"#),
        ),
        (
            r#"{"text":"body","child":{"i32":9,"u32":1,"child":{"text":"body","i32":2}},"longName":"l"}"#,
            r#"{"longName":"l","child":{"i32":5,"u32":1,"child":{"i32":2,"text":"path","u32":7}}}"#.to_owned(),
        ),
        (
            r#"{"child":{"child":{"longName":"l","child":{"i32":3}}}}"#,
            r#"{"child":{"i32":5,"child":{"longName":"l","text":"path","u32":7,"child":{"i32":3}}}}"#.to_owned(),
        ),
    ];
    let options = &strict();
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    for (json, expected) in cases {
        let mut out = Vec::new();
        let input = || JsonInput {
            bound: &bound,
            records: &records,
            ..JsonInput::new(json.as_bytes(), options)
        };
        JsonToWire::default()
            .message(&tables, index, input(), &mut out)
            .unwrap();
        assert_eq!(value(&decode(&pool, "t.M", &out)), value(&expected), "{json}");
        assert_single_records(&tables, index, &out);
        let mut out = Vec::new();
        let child = table.field_by_name(b"child").unwrap();
        let input = JsonInput {
            bound: &bound[1].below,
            ..input()
        };
        JsonToWire::default()
            .field(&tables, index, child, input, &mut out)
            .unwrap();
        assert_single_records(&tables, index, &out);
        let message = value(&decode(&pool, "t.M", &out));
        assert_eq!(message["child"]["i32"], 5, "{json}");
        assert_eq!(message["child"]["child"]["text"], "path", "{json}");
    }
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
        ("child", "null", "{}", ""),
        ("time", "null", "{}", ""),
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
