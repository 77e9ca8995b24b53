//! The types with a JSON form of their own.

use super::*;

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
            r#"{"time":"1970-01-01T00:00:00Z"}"#,
            r#"{"time":"1970-01-01T00:00:00Z"}"#,
        ),
        (
            r#"{"time":"9999-12-31T23:59:59.999999999Z","i32":1}"#,
            r#"{"i32":1,"time":"9999-12-31T23:59:59.999999999Z"}"#,
        ),
        (
            r#"{"time":"1969-12-31T23:59:59.5Z"}"#,
            r#"{"time":"1969-12-31T23:59:59.500Z"}"#,
        ),
        (
            r#"{"time":"1970-01-01T00:00:00\u005a"}"#,
            r#"{"time":"1970-01-01T00:00:00Z"}"#,
        ),
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
        (r#"{"time":"2000-01-01T00:00:00Z}"#, "in the middle of a string"),
        (r#"{"time":"2000-01-01T00:00:00Zx"}"#, "expected an RFC 3339 timestamp"),
        (r#"{"duration":"2000-01-01T00:00:00Z"}"#, "expected a duration within"),
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
