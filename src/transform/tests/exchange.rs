//! What the headers and properties of an exchange decide.

use super::*;
use crate::transform::TransformReason;

fn active(fixture: &Fixture, headers: &[(&str, &[u8])]) -> Result<Active, TransformError> {
    let mut list = Headers::default();
    for (name, value) in headers {
        list.push(name.as_bytes(), value);
    }
    fixture.method().activate(&fixture.plugin.tables, &list, &mut |_| None)
}

#[test]
fn conditions_look_at_every_value_of_a_header() {
    for (when, values, expected) in [
        (json!({ "is": ["admin", "staff"] }), &[][..], false),
        (json!({ "is": ["admin", "staff"] }), &["staff"], true),
        (json!({ "is": ["admin", "staff"] }), &["Staff"], false),
        (json!({ "is": ["admin", "staff"] }), &["guest", "staff"], true),
        (json!({ "is": ["admin", "staff"] }), &["guest, staff"], true),
        (json!({ "is": ["admin", "staff"] }), &["guest,staff,x"], true),
        (json!({ "is": ["a, b"] }), &["a, b"], true),
        (json!({ "is": ["admin"] }), &["administrator"], false),
        (json!({ "not": ["admin"] }), &[], true),
        (json!({ "not": ["admin"] }), &["admin"], false),
        (json!({ "not": ["admin", "staff"] }), &["admin", "staff"], false),
        (json!({ "not": ["admin", "staff"] }), &["admin, staff"], false),
        (json!({ "not": ["admin"] }), &["admin", "guest"], true),
        (json!({ "not": ["admin"] }), &["guest", "admin"], true),
        (json!({ "not": ["admin"] }), &["admin,guest"], true),
        (json!({ "not": ["admin"] }), &["guest, admin"], true),
        (json!({ "not": ["admin"] }), &["admin,"], true),
        (json!({ "not": ["admin"] }), &[""], true),
        (json!({ "not": ["a, b"] }), &["a, b"], false),
        (json!({ "present": true }), &[], false),
        (json!({ "present": true }), &["x"], true),
        (json!({ "present": false }), &[], true),
        (json!({ "present": false }), &["x"], false),
    ] {
        let mut condition = when.clone();
        condition["header"] = json!("X-Role");
        let entry = json!([{ "when": condition, "request": [{ "remove": ["s"] }], "response": [{ "remove": ["i"] }] }]);
        let fixture = Fixture::new(PROTO, entry);
        let mut headers: Vec<_> = values.iter().map(|value| ("x-role", value.as_bytes())).collect();
        headers.push(("x-other", b"admin"));
        let active = active(&fixture, &headers).unwrap();
        assert_eq!(active.changes_requests(), expected, "{when} of {values:?}");
        assert_eq!(active.changes_responses(), expected, "{when} of {values:?}");
        let changed = change(&fixture.plugin, &active, &len(1, "x")).unwrap();
        assert_eq!(changed.is_empty(), expected);
    }
}

#[test]
fn several_entries_act_in_turn() {
    let fixture = Fixture::new(
        PROTO,
        json!([
            { "when": { "header": "a", "present": true }, "request": [{ "set": { "field": "s", "header": "a" } }] },
            { "request": [{ "mask": { "field": "s", "keep_last": 1 } }] },
            { "selector": "t.S.Do", "request": [{ "set": { "field": "o", "header": "b" } }] },
            { "selector": "t.*", "response": [{ "remove": ["s"] }] },
        ]),
    );
    for (headers, expected) in [
        (&[][..], json!({ "s": "***s" })),
        (&[("a", &b"xyz"[..])], json!({ "s": "***z" })),
        (&[("a", b"xyz"), ("b", b"c")], json!({ "s": "***z", "o": "c" })),
    ] {
        let active = active(&fixture, headers).unwrap();
        let given = fixture.wire(&json!({ "s": "clients", "o": "own" }));
        assert_eq!(
            fixture.json(&change(&fixture.plugin, &active, &given).unwrap()),
            expected
        );
        let mut out = Vec::new();
        active
            .response(&fixture.plugin.tables, &given, &mut Memory::default(), &mut out)
            .unwrap();
        assert_eq!(fixture.json(&out), json!({ "o": "own" }));
        assert!(active.footprint() > 0);
    }
}

#[test]
fn a_header_becomes_a_value_as_in_a_query_or_nothing() {
    for (field, values, expected) in [
        ("s", &[&b"abc"[..]][..], Ok(json!({ "s": "abc" }))),
        ("s", &["ä".as_bytes()], Ok(json!({ "s": "ä" }))),
        ("s", &[], Ok(json!({}))),
        ("s", &[b""], Ok(json!({}))),
        (
            "s",
            &[b"a", b"b"],
            Err("the header `x-user` is there more than once: expected one value"),
        ),
        (
            "s",
            &[b"a", b"a"],
            Err("the header `x-user` is there more than once: expected one value"),
        ),
        ("s", &[b"\xff"], Err("the header `x-user` isn't UTF-8")),
        ("i", &[b"12"], Ok(json!({ "i": 12 }))),
        (
            "i",
            &[b"12x"],
            Err("the header `x-user` doesn't fit `i`: expected a 32-bit integer"),
        ),
        ("b", &[b"1"], Ok(json!({ "b": true }))),
        ("c", &[b"RED"], Ok(json!({ "c": "RED" }))),
        (
            "c",
            &[b"PINK"],
            Err("the header `x-user` doesn't fit `c`: expected a name or number of t.Color"),
        ),
        (
            "t",
            &[b"1970-01-01T00:00:01Z"],
            Ok(json!({ "t": "1970-01-01T00:00:01Z" })),
        ),
        ("w", &[b"5"], Ok(json!({ "w": "5" }))),
        ("y", &[b"eA=="], Ok(json!({ "y": "eA==" }))),
        ("m.s", &[b"abc"], Ok(json!({ "m": { "s": "abc" } }))),
        ("m.s", &[], Ok(json!({ "m": {} }))),
        ("one", &[], Ok(json!({ "two": 2 }))),
        ("two", &[], Ok(json!({}))),
        ("three.s", &[], Ok(json!({ "two": 2 }))),
        ("three.s", &[b"a"], Ok(json!({ "three": { "s": "a" } }))),
    ] {
        let fixture = Fixture::of(PROTO, json!([{ "set": { "field": field, "header": "X-User" } }]));
        let headers: Vec<_> = values.iter().map(|value| ("x-user", *value)).collect();
        let found = active(&fixture, &headers);
        match (found, expected) {
            (Ok(active), Ok(expected)) => {
                // What the client says of it doesn't count, but for other fields.
                let mut sent = json!({ "s": "f", "i": 1, "b": true, "c": "BLUE", "t": "1970-01-01T00:00:09Z", "w": 9, "y": "AA==", "m": { "s": "f" }, "two": 2 });
                let kept: Vec<_> = ["s", "i", "b", "c", "t", "w", "y", "m", "two"]
                    .into_iter()
                    .filter(|name| expected.get(name).is_none())
                    .collect();
                for name in kept {
                    if name != field && !(field == "one" && name == "two") {
                        sent.as_object_mut().unwrap().remove(name);
                    }
                }
                let changed = change(&fixture.plugin, &active, &fixture.wire(&sent)).unwrap();
                assert_eq!(fixture.json(&changed), expected, "{field} {values:?}");
            }
            (Err(error), Err(expected)) => {
                assert_eq!(
                    (error.reason, &*error.message),
                    (TransformReason::InvalidArgument, expected)
                );
            }
            (found, expected) => panic!("{field} {values:?}: {found:?}, {expected:?}"),
        }
    }
}

#[test]
fn a_source_that_is_not_there_removes_the_field_or_refuses_the_request() {
    let source = json!({ "field": "m.s", "header": "x-user", "required": true });
    let fixture = Fixture::of(PROTO, json!([{ "set": source }]));
    for headers in [&[][..], &[("x-user", &b""[..])]] {
        let error = active(&fixture, headers).unwrap_err();
        assert_eq!(error.reason, TransformReason::Unauthenticated);
        assert_eq!(
            error.message,
            "expected the header `x-user`, but it isn't there or is empty"
        );
    }
    let fixture = Fixture::of(PROTO, json!([{ "set": { "field": "m.s", "header": "x-user" } }]));
    let nothing = active(&fixture, &[]).unwrap();
    for (given, expected) in [
        (vec![], vec![]),
        (
            len(13, [len(1, "a"), varint(3, 1), varint(1, 1)].concat()),
            len(13, varint(3, 1)),
        ),
        (
            [len(13, len(1, "a")), len(13, len(1, "b"))].concat(),
            [len(13, []), len(13, [])].concat(),
        ),
        (group(13, len(1, "a")), vec![]),
    ] {
        assert_eq!(change(&fixture.plugin, &nothing, &given).unwrap(), expected);
    }
}

#[test]
fn an_entry_that_does_not_act_needs_no_source() {
    let fixture = Fixture::new(
        PROTO,
        json!([{ "when": { "header": "a", "present": true }, "request": [{ "set": { "field": "s", "header": "b", "required": true } }] }]),
    );
    assert!(!active(&fixture, &[]).unwrap().changes_requests());
    assert!(active(&fixture, &[("a", b"")]).is_err());
}

#[test]
fn a_property_is_text_or_what_envoy_makes_of_a_number_or_a_bool() {
    let number = |value: f64| Some(value.to_le_bytes().to_vec());
    let text = |value: &str| Some(value.as_bytes().to_vec());
    for (field, value, expected) in [
        ("s", text("alice"), Ok(json!("alice"))),
        ("s", None, Ok(Value::Null)),
        ("s", text(""), Ok(Value::Null)),
        ("s", number(42.0), Err("doesn't fit `s`: expected text")),
        (
            "s",
            number(0.1),
            Err("doesn't fit `s`: expected text, found other bytes"),
        ),
        ("s", Some(vec![1]), Err("doesn't fit `s`: expected text")),
        ("ws", Some(vec![1]), Err("doesn't fit `ws`: expected text")),
        ("i", text("42"), Ok(json!(42))),
        ("i", text("12345678"), Ok(json!(12_345_678))),
        ("i", number(42.0), Ok(json!(42))),
        ("i", number(-1.0), Ok(json!(-1))),
        ("i", number(0.5), Err("doesn't fit `i`: expected a 32-bit integer")),
        ("i", number(3e9), Err("doesn't fit `i`: expected a 32-bit integer")),
        ("l", number(3e9), Ok(json!("3000000000"))),
        (
            "u",
            number(-1.0),
            Err("doesn't fit `u`: expected an unsigned 64-bit integer"),
        ),
        ("d", number(0.1), Ok(json!(0.1))),
        ("d", number(1e300), Ok(json!(1e300))),
        (
            "d",
            number(f64::NAN),
            Err("doesn't fit `d`: expected text, found other bytes"),
        ),
        ("e", number(0.5), Ok(json!(0.5))),
        (
            "e",
            number(0.1),
            Err("doesn't fit `e`: expected text, found other bytes"),
        ),
        ("c", number(2.0), Ok(json!("BLUE"))),
        ("w", number(7.0), Ok(json!("7"))),
        ("b", text("true"), Ok(json!(true))),
        ("b", Some(vec![1]), Ok(json!(true))),
        ("wb", Some(vec![0]), Ok(json!(false))),
        ("b", Some(vec![2]), Err("doesn't fit `b`: expected true, false, 1 or 0")),
        ("y", number(42.0), Err("doesn't fit `y`: expected ")),
    ] {
        let path = json!(["metadata", "filter_metadata", "jwt"]);
        let fixture = Fixture::of(PROTO, json!([{ "set": { "field": field, "property": path } }]));
        let active = fixture
            .method()
            .activate(&fixture.plugin.tables, &Headers::default(), &mut |path| {
                assert_eq!(path, "metadata\0filter_metadata\0jwt");
                value.clone()
            });
        match (active, expected) {
            (Ok(active), Ok(expected)) => {
                let changed = change(&fixture.plugin, &active, &[]).unwrap();
                assert_eq!(
                    fixture.json(&changed).get(field).cloned().unwrap_or_default(),
                    expected,
                    "{field} {value:?}"
                );
            }
            (Err(error), Err(expected)) => {
                let message = error
                    .message
                    .strip_prefix("the property `metadata.filter_metadata.jwt` ")
                    .unwrap();
                assert!(message.starts_with(expected), "{field} {value:?}: {error}");
            }
            (found, expected) => panic!("{field} {value:?}: {found:?}, {expected:?}"),
        }
    }
}
