//! What path, query and body each set.

use serde_json::json;

use crate::harness::{Request, Response};
use crate::kit::{call_of, error, everything, gateway, message, sent, works};
use crate::schema;

#[test]
fn the_query_binds_every_field_that_has_a_text_form() {
    let gateway = gateway(json!({}));
    let cases = [
        ("", json!({})),
        ("&&", json!({})),
        (
            "int32_value=7&int64Value=-8",
            json!({ "int32Value": 7, "int64Value": "-8" }),
        ),
        ("string_value=a+b%20c%2B", json!({ "stringValue": "a b c+" })),
        ("string_value", json!({})),
        ("optional_string", json!({ "optionalString": "" })),
        ("optional_string=", json!({ "optionalString": "" })),
        ("string_value=a=b", json!({ "stringValue": "a=b" })),
        (
            "bool_value=1&bools=0&bools=true",
            json!({ "boolValue": true, "bools": [false, true] }),
        ),
        (
            "color=GREEN&colors=1&colors=VERT",
            json!({ "color": "GREEN", "colors": ["RED", "GREEN"] }),
        ),
        ("strings=a&strings=b&strings=", json!({ "strings": ["a", "b", ""] })),
        (
            "int32s=1&unpacked_int32s=2&int32s=3",
            json!({ "int32s": [1, 3], "unpackedInt32s": [2] }),
        ),
        (
            "child.name=x&child.child.count=2",
            json!({ "child": { "name": "x", "child": { "count": 2 } } }),
        ),
        ("child.tags=a&child.tags=b", json!({ "child": { "tags": ["a", "b"] } })),
        (
            "timestamp=1970-01-01T00:00:01Z&duration=1s",
            json!({ "timestamp": "1970-01-01T00:00:01Z", "duration": "1s" }),
        ),
        ("mask=a,bC", json!({ "mask": "a,bC" })),
        ("mask=a,b_c.d_e", json!({ "mask": "a,bC.dE" })),
        (
            "string_wrapper=&int64_wrapper=7",
            json!({ "stringWrapper": "", "int64Wrapper": "7" }),
        ),
        ("bytes_value=-_8", json!({ "bytesValue": "+/8=" })),
        (
            "double_value=NaN&float_value=Infinity",
            json!({ "doubleValue": "NaN", "floatValue": "Infinity" }),
        ),
        ("anotherName=x", json!({ "anotherName": "x" })),
        ("choice_string=x", json!({ "choiceString": "x" })),
        ("nothing=here&child.nothing=x&int32_value=1", json!({ "int32Value": 1 })),
        ("%73tring_value=x", json!({ "stringValue": "x" })),
        (
            "string_map[a.b]=x+y&stringMap%5B%63%5D=",
            json!({ "stringMap": { "a.b": "x y", "c": "" } }),
        ),
    ];
    for (query, expected) in cases {
        let exchange = gateway.request(Request::get(&format!("/v1/echo?{query}")));
        assert_eq!(call_of(&exchange), ("Echo/Query".to_owned(), expected), "{query}");
    }
}

#[test]
fn a_query_that_does_not_fit_is_400() {
    let gateway = gateway(json!({}));
    for query in [
        "int32_value=1&int32_value=2",
        "int32_value=1&int32Value=2",
        "int32_value=x",
        "int32_value=",
        "bool_value=yes",
        "color=PURPLE",
        "choice_string=a&choice_int64=1",
        "choice_string=a&choice_child.name=b",
        "child=x",
        "children=x",
        "children.name=x",
        "string_map=x",
        "string_map.a=b",
        "string_map[a]=b&stringMap[a]=c",
        "string_map[a=b",
        "string_value.a=b",
        "struct.a=b",
        "value=1",
        "any=x",
        "timestamp=yesterday",
        "bytes_value=%25",
        "string_value=%FF",
    ] {
        let exchange = gateway.request(Request::get(&format!("/v1/echo?{query}")));
        let (status, code, message) = error(&exchange);
        assert_eq!((status, code), (400, 3), "{query}: {message}");
    }
    let (_, _, message) = error(&gateway.request(Request::get("/v1/echo?string_map.a=b")));
    assert!(message.contains("as in `string_map[key]`"), "{message}");
    works(&gateway);
}

#[test]
fn unknown_parameters_are_rejected_by_name_when_told_so() {
    let gateway = gateway(json!({ "query": { "unknown": "reject", "ignored": ["api_key"] } }));
    assert_eq!(
        call_of(&gateway.request(Request::get("/v1/echo?api_key=x&int32_value=1"))).1,
        json!({ "int32Value": 1 })
    );
    let (status, _, message) = error(&gateway.request(Request::get("/v1/echo?zebra=x")));
    assert_eq!(status, 400);
    assert!(message.contains("zebra"), "{message}");
    let (status, _, message) = error(&gateway.request(Request::post("/v1/echo?int32_value=x").json("{}")));
    assert_eq!(status, 400, "with body: \"*\" no parameter binds");
    assert!(message.contains("int32_value"), "{message}");
}

#[test]
fn an_ignored_parameter_is_never_bound() {
    let gateway = gateway(json!({ "query": { "ignored": ["string_value"] } }));
    let exchange = gateway.request(Request::get("/v1/echo?string_value=x&int32_value=1"));
    assert_eq!(call_of(&exchange).1, json!({ "int32Value": 1 }));
}

#[test]
fn a_field_that_the_path_binds_belongs_to_the_path() {
    let gateway = gateway(json!({}));
    for body in [
        r#"{"child": {"name": "body", "tags": ["x"]}}"#,
        r#"{"child": {"name": 7, "tags": ["x"]}}"#,
        r#"{"child": {"tags": ["x"], "child": {"count": "many"}}}"#,
        r#"{"child": {"tags": ["x"], "child": null, "name": null}}"#,
    ] {
        let request = Request::new("PUT", "/v1/nested/path/7?child.name=query").json(body);
        let expected = json!({ "child": { "name": "path", "child": { "count": 7 }, "tags": ["x"] } });
        assert_eq!(
            call_of(&gateway.request(request)),
            ("Echo/NestedCapture".to_owned(), expected),
            "{body}"
        );
    }
    for name in ["string_value", "stringValue"] {
        let request = Request::get(&format!("/v1/typed/string/path?{name}=query"));
        assert_eq!(call_of(&gateway.request(request)).1, json!({ "stringValue": "path" }));
    }
    for name in ["renamed", "anotherName"] {
        let request = Request::get(&format!("/v1/typed/json-name/path?{name}=query"));
        assert_eq!(call_of(&gateway.request(request)).1, json!({ "anotherName": "path" }));
    }
    let request = Request::get("/v1/typed/oneof/path?choice_int64=7");
    assert_eq!(error(&gateway.request(request)).0, 400, "the path has taken the oneof");
}

#[test]
fn a_field_as_body_leaves_the_rest_to_the_query() {
    let gateway = gateway(json!({}));
    let request = Request::post("/v1/message-body/path?int32_value=7&child.count=9").json(r#"{"name": "x"}"#);
    let expected = json!({ "stringValue": "path", "int32Value": 7, "child": { "name": "x" } });
    assert_eq!(
        call_of(&gateway.request(request)),
        ("Echo/MessageBody".to_owned(), expected)
    );
    let cases = [
        (
            "list",
            r#"[{"name": "a"}, {}]"#,
            json!({ "children": [{ "name": "a" }, {}] }),
        ),
        ("strings", r#"["a", "b"]"#, json!({ "strings": ["a", "b"] })),
        ("map", r#"{"a": "b"}"#, json!({ "stringMap": { "a": "b" } })),
        ("scalar", "7", json!({ "int32Value": 7 })),
        ("scalar", r#" "7" "#, json!({ "int32Value": 7 })),
        ("enum", r#""BLUE""#, json!({ "color": "BLUE" })),
        ("value", r#"[1, null]"#, json!({ "value": [1, null] })),
        ("value", "null", json!({ "value": null })),
        // Nothing is there, whatever the type.
        ("timestamp", "null", json!({})),
        ("list", "null", json!({})),
        ("scalar", "null", json!({})),
        (
            "timestamp",
            r#""1970-01-01T00:00:01Z""#,
            json!({ "timestamp": "1970-01-01T00:00:01Z" }),
        ),
    ];
    for (path, body, expected) in cases {
        let request = Request::post(&format!("/v1/field-body/{path}")).json(body);
        assert_eq!(
            call_of(&gateway.request(request)),
            ("Echo/FieldBody".to_owned(), expected),
            "{path} {body}"
        );
    }
    for (path, body) in [
        ("list", ""),
        ("strings", " "),
        ("scalar", ""),
        ("scalar", "{}"),
        ("list", "{}"),
    ] {
        let request = Request::post(&format!("/v1/field-body/{path}")).json(body);
        assert_eq!(error(&gateway.request(request)).0, 400, "{path} {body:?}");
    }
}

#[test]
fn a_blank_body_is_the_empty_message() {
    let gateway = gateway(json!({}));
    for body in ["", " ", "\r\n\t", "null", "{}"] {
        let exchange = gateway.request(Request::post("/v1/echo").json(body));
        assert_eq!(call_of(&exchange), ("Echo/Post".to_owned(), json!({})), "{body:?}");
        drop(exchange);
    }
}

#[test]
fn without_a_bound_body_a_body_is_ignored() {
    let gateway = gateway(json!({}));
    for body in [r#"{"int32Value": 1}"#, "not JSON"] {
        let request = Request::post("/v1/bodyless?string_value=x").json(body);
        let exchange = gateway.request(request);
        assert_eq!(
            call_of(&exchange),
            ("Echo/Bodyless".to_owned(), json!({ "stringValue": "x" })),
            "{body}"
        );
    }
}

#[test]
fn patch_fills_the_mask_with_what_the_body_has() {
    let patch = |path: &str| Request::new("PATCH", path);
    let filled = gateway(json!({}));
    let cases = [
        (r#"{"int32Value": 1}"#, "int32Value"),
        (
            r#"{"int32_value": 0, "optionalString": null}"#,
            "int32Value,optionalString",
        ),
        (
            r#"{"child": {"name": "x", "child": {"count": 1}}}"#,
            "child.name,child.child.count",
        ),
        (
            r#"{"strings": ["a"], "stringMap": {"a": "b"}, "children": [{"name": "x"}]}"#,
            "strings,stringMap,children",
        ),
        (
            r#"{"timestamp": "1970-01-01T00:00:01Z", "struct": {"a": 1}}"#,
            "timestamp,struct",
        ),
        (r#"{"stringValue": "ignored", "boolValue": true}"#, "boolValue"),
    ];
    for (body, mask) in cases {
        let sent = sent(&filled.request(patch("/v1/things/x").json(body)));
        assert_eq!(sent.message["updateMask"], mask, "{body}");
        assert_eq!(sent.message["thing"]["stringValue"], "x", "{body}");
    }
    let own = filled.request(patch("/v1/things/x?update_mask=color&validate_only=true").json(r#"{"int32Value": 1}"#));
    let message = sent(&own).message;
    assert_eq!(
        (&message["updateMask"], &message["validateOnly"]),
        (&json!("color"), &json!(true))
    );
    let whole = filled.request(patch("/v1/whole-things/x").json(r#"{"thing": {"int32Value": 1}}"#));
    assert_eq!(sent(&whole).message.get("updateMask"), None);
    let off = gateway(json!({ "update_mask_from_body": false }));
    let exchange = off.request(patch("/v1/things/x").json(r#"{"int32Value": 1}"#));
    assert_eq!(sent(&exchange).message.get("updateMask"), None);
}

#[test]
fn what_the_path_binds_of_an_http_body_is_the_paths() {
    let gateway = gateway(json!({ "http_rules": [
        {
            "selector": "test.everything.Raw.Exchange",
            "post": "/v1/typed/{content_type=*/*}",
            "body": "*",
            "additional_bindings": [{ "post": "/v1/data/{data}", "body": "*" }],
        },
        {
            "selector": "test.everything.Raw.Upload",
            "post": "/v1/uploads/{content.content_type}",
            "body": "content",
        },
    ] }));
    for (path, expected) in [
        (
            "/v1/typed/image/png",
            json!({ "contentType": "image/png", "data": "aGVsbG8=" }),
        ),
        ("/v1/data/AAEC", json!({ "contentType": "text/plain", "data": "AAEC" })),
        (
            "/v1/uploads/png",
            json!({ "content": { "contentType": "png", "data": "aGVsbG8=" } }),
        ),
    ] {
        let request = Request::post(path).header("content-type", "text/plain").body("hello");
        assert_eq!(call_of(&gateway.request(request)).1, expected, "{path}");
    }
}

#[test]
fn an_http_body_is_raw_bytes_both_ways() {
    let gateway = gateway(json!({}));
    let bytes = b"\xff\x00 anything";
    let request = Request::post("/v1/raw").header("content-type", "image/png").body(bytes);
    let exchange = gateway.request(request);
    let forwarded = exchange.forwarded();
    let body = message(
        "google.api.HttpBody",
        json!({ "contentType": "image/png", "data": "/wAgYW55dGhpbmc=" }),
    );
    assert_eq!(forwarded.messages(), std::slice::from_ref(&body));
    exchange.respond(Response::ok(body));
    let answer = exchange.answer();
    assert_eq!(
        (answer.status(), answer.headers.get("content-type")),
        (200, Some("image/png"))
    );
    assert_eq!(answer.body(), bytes);

    let request = Request::new("PUT", "/v1/raw/x?note=n")
        .header("content-type", "text/plain")
        .body("hello");
    let exchange = gateway.request(request);
    let expected = json!({ "name": "x", "note": "n", "content": { "contentType": "text/plain", "data": "aGVsbG8=" } });
    assert_eq!(call_of(&exchange), ("Raw/Upload".to_owned(), expected));
    drop(exchange);

    let exchange = gateway.request(Request::get("/v1/raw/7"));
    assert_eq!(call_of(&exchange), ("Raw/Download".to_owned(), json!({ "id": "7" })));
    exchange.respond(Response::ok(message(
        "google.api.HttpBody",
        json!({ "contentType": "text/css", "data": "aGk=" }),
    )));
    let answer = exchange.answer();
    assert_eq!(
        (answer.headers.get("content-type"), answer.text().as_str()),
        (Some("text/css"), "hi")
    );
}

#[test]
fn response_body_prints_one_field() {
    let gateway = gateway(json!({}));
    let whole = json!({
        "child": { "name": "x" },
        "children": [{}, { "count": 2 }],
        "stringMap": { "a": "b" },
        "stringValue": "text",
        "int64Value": "7",
        "timestamp": "1970-01-01T00:00:01Z",
    });
    let cases = [
        ("child", json!({ "name": "x" }), json!({})),
        ("children", json!([{}, { "count": 2 }]), json!([])),
        ("map", json!({ "a": "b" }), json!({})),
        ("string", json!("text"), json!("")),
        ("int64", json!("7"), json!("0")),
        ("timestamp", json!("1970-01-01T00:00:01Z"), json!(null)),
    ];
    for (path, set, unset) in cases {
        for (message, expected) in [(whole.clone(), set), (json!({}), unset)] {
            let exchange = gateway.request(Request::post(&format!("/v1/part/{path}")).json("{}"));
            exchange.respond(Response::ok(everything(message)));
            let answer = exchange.answer();
            assert_eq!((answer.status(), answer.json()), (200, expected), "{path}");
        }
    }
    let exchange = gateway.request(Request::post("/v1/part/raw").json("{}"));
    let raw = json!({ "raw": { "contentType": "text/plain", "data": "aGk=" } });
    exchange.respond(Response::ok(schema::from_json(
        &schema::message("test.everything.Everything"),
        &raw,
    )));
    let answer = exchange.answer();
    assert_eq!(
        (answer.headers.get("content-type"), answer.text().as_str()),
        (Some("text/plain"), "hi")
    );
}

#[test]
fn an_empty_message_is_an_empty_object() {
    let gateway = gateway(json!({}));
    for request in [Request::get("/v1/ping"), Request::post("/v1/ping").json("{}")] {
        let exchange = gateway.request(request);
        exchange.respond(Response::ok(b""));
        assert_eq!(
            (exchange.answer().status(), exchange.answer().text().as_str()),
            (200, "{}")
        );
    }
}
