//! Bodies as HTML forms and `curl -d` send them: `application/x-www-form-urlencoded`.

use serde_json::{Value, json};

use crate::harness::{Exchange, Gateway, Host, Request};
use crate::kit::{WAYS, call_of, error, gateway, works};
use crate::schema;

const FORM: &str = "application/x-www-form-urlencoded";

fn post(gateway: &Gateway, path: &str, form: &str) -> Exchange {
    gateway.request(Request::post(path).header("content-type", FORM).body(form))
}

fn kong() -> Gateway {
    let configuration = json!({ "proto": schema::PROTO });
    Host::kong().load(&configuration.to_string()).unwrap()
}

#[test]
fn a_form_fills_the_message_that_a_body_would() {
    let rows = [
        ("/v1/echo", "&&", json!({})),
        (
            "/v1/echo",
            "string_value=a+b%26c%2B&int64Value=-8&bool_value=true&color=GREEN",
            json!({ "stringValue": "a b&c+", "int64Value": "-8", "boolValue": true, "color": "GREEN" }),
        ),
        (
            "/v1/echo",
            "strings=a&strings=b&int32s=1&int32s=2&string_map[x]=y&string_map%5Bz%5D=",
            json!({ "strings": ["a", "b"], "int32s": [1, 2], "stringMap": { "x": "y", "z": "" } }),
        ),
        (
            "/v1/echo",
            "child.name=x&timestamp=1970-01-01T00:00:01Z&child.child.count=2&child.tags=a&child.tags=b&nothing=1",
            json!({
                "child": { "name": "x", "child": { "count": 2 }, "tags": ["a", "b"] },
                "timestamp": "1970-01-01T00:00:01Z",
            }),
        ),
        // The query isn't bound beside the whole body.
        (
            "/v1/echo?int32_value=1",
            "string_value=x",
            json!({ "stringValue": "x" }),
        ),
        // Names begin below the body field; the rest is the query's.
        (
            "/v1/message-body/p?int32_value=3&child.name=query",
            "name=x&child.count=2&stringValue=y",
            json!({ "stringValue": "p", "int32Value": 3, "child": { "name": "x", "child": { "count": 2 } } }),
        ),
        ("/v1/message-body/p", "&", json!({ "stringValue": "p", "child": {} })),
    ];
    let gateways = WAYS.map(|way| gateway(json!({ "dispatch": way })));
    for gateway in gateways.iter().chain([&kong()]) {
        for (path, form, expected) in &rows {
            let (_, message) = call_of(&post(gateway, path, form));
            assert_eq!(message, *expected, "{path}: {form}");
        }
    }
    // The type may have parameters, and is read without case.
    let request = Request::post("/v1/echo").header("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8");
    let (_, message) = call_of(&gateways[0].request(request.body("string_value=x")));
    assert_eq!(message, json!({ "stringValue": "x" }));
}

#[test]
fn what_the_path_binds_is_the_paths_and_in_one_record() {
    let gateway = gateway(json!({}));
    let request = Request::new("PUT", "/v1/nested/path/7").header("content-type", FORM);
    let form = "child.name=form&child.tags=t&child.child.name=n&child.child.count=1&childName=x";
    let (_, message) = call_of(&gateway.request(request.body(form)));
    assert_eq!(
        message,
        json!({ "child": { "name": "path", "tags": ["t"], "child": { "name": "n", "count": 7 } } })
    );
}

#[test]
fn a_form_that_does_not_fit_is_400_and_names_the_field() {
    let gateway = gateway(json!({}));
    let violation = |form: &str| -> Value {
        let exchange = post(&gateway, "/v1/echo", form);
        assert_eq!((error(&exchange).0, error(&exchange).1), (400, 3), "{form}");
        exchange.answer().json()["details"][0]["fieldViolations"][0]["field"].clone()
    };
    for (form, field) in [
        ("int32_value=x", "int32_value"),
        ("int32_value=1&int32Value=1", "int32Value"),
        ("child.count=", "child.count"),
        ("choice_string=x&choice_int64=1", "choice_int64"),
        ("child=x", "child"),
        ("children.name=x", "children.name"),
        ("any=x", "any"),
        ("string_value=%zz", "string_value"),
        ("string_value=%ff", "string_value"),
        ("string_map.x=y", "string_map.x"),
        // As JSON's is.
        ("\u{feff}string_value=x", "body"),
    ] {
        assert_eq!(violation(form), field, "{form}");
    }
    works(&gateway);
}

#[test]
fn unknown_fields_of_a_form_are_the_bodys() {
    let gateway = gateway(json!({ "json": { "unknown_fields": "reject" }, "query": { "ignored": ["token"] } }));
    let exchange = post(&gateway, "/v1/echo?token=1", "token=1&string_value=x&other=2");
    let (status, _, message) = error(&exchange);
    assert_eq!(status, 400);
    assert!(message.contains("unknown form fields: `token`, `other`"), "{message}");
}

#[test]
fn a_form_is_415_where_no_message_is_bound() {
    let gateway = gateway(json!({}));
    for path in ["/v1/field-body/strings", "/v1/field-body/list"] {
        let (status, code, message) = error(&post(&gateway, path, "a=b"));
        assert_eq!((status, code), (415, 3), "{path}");
        assert!(message.ends_with("expected application/json"), "{message}");
    }
    let request = Request::post("/v1/echo")
        .header("content-type", "text/plain")
        .body("a=b");
    let (_, _, message) = error(&gateway.request(request));
    assert!(
        message.ends_with("expected application/json or application/x-www-form-urlencoded"),
        "{message}"
    );
}

#[test]
fn the_update_mask_of_a_form_names_its_fields_once() {
    let proto = r#"
        syntax = "proto3";
        package test;
        import "google/api/annotations.proto";
        import "google/protobuf/field_mask.proto";
        service S { rpc Patch(Req) returns (Req) { option (google.api.http) = { patch: "/{book.name}" body: "book" }; } }
        message Req { Book book = 1; google.protobuf.FieldMask update_mask = 2; }
        message Book { string name = 1; string long_title = 2; repeated string tags = 3; map<string, string> labels = 4; Book part = 5; }
    "#;
    let configuration = json!({ "proto": proto });
    let gateway = Host::envoy().load(&configuration.to_string()).unwrap();
    let request = Request::new("PATCH", "/n").header("content-type", FORM);
    let form = "name=x&tags=a&tags=b&part.longTitle=t&labels[a]=b&labels[c]=d&unknown=1";
    let exchange = gateway.request(request.body(form));
    let [message] = &exchange.forwarded().messages()[..] else {
        panic!("one message");
    };
    let mask = ["tags", "part.long_title", "labels"];
    let mask: Vec<u8> = mask
        .iter()
        .flat_map(|path| [&[0x0a, path.len() as u8], path.as_bytes()].concat())
        .collect();
    assert!(
        message.ends_with(&[&[0x12, mask.len() as u8], &mask[..]].concat()),
        "{}",
        message.escape_ascii()
    );
    // One record of the book, the path's name in it.
    assert!(message.starts_with(&[&b"\x0a"[..], &[(message.len() - mask.len() - 4) as u8], b"\x0a\x01n"].concat()));
}

#[test]
fn the_update_mask_of_a_form_has_no_field_that_is_left_out_and_so_is_that_of_json() {
    let proto = r#"
        syntax = "proto3";
        package test;
        import "google/api/annotations.proto";
        import "google/protobuf/field_mask.proto";
        service S { rpc Patch(Req) returns (Req) { option (google.api.http) = { patch: "/patch" body: "book" }; } }
        message Req { Book book = 1; google.protobuf.FieldMask update_mask = 2; }
        enum Kind { NONE = 0; NOVEL = 1; }
        message Book { string title = 1; Kind kind = 2; map<string, Kind> kinds = 3; repeated Kind all = 4; Book part = 5; }
    "#;
    let configuration = json!({ "proto": proto, "json": { "unknown_enum_names": "ignore" } });
    let gateway = Host::envoy().load(&configuration.to_string()).unwrap();
    for (content_type, body) in [
        (
            "application/json",
            r#"{"title":"t","kind":"POEM","kinds":{"a":"POEM"},"all":["POEM"],"part":{"kind":"POEM","title":"p"}}"#,
        ),
        (
            FORM,
            "title=t&kind=POEM&kinds[a]=POEM&all=POEM&part.kind=POEM&part.title=p",
        ),
    ] {
        let request = Request::new("PATCH", "/patch").header("content-type", content_type);
        let exchange = gateway.request(request.body(body));
        let [message] = &exchange.forwarded().messages()[..] else {
            panic!("one message");
        };
        let book = b"\x0a\x08\x0a\x01t\x2a\x03\x0a\x01p";
        let mask = b"\x12\x1f\x0a\x05title\x0a\x05kinds\x0a\x03all\x0a\x0apart.title";
        // Lists and maps are given, even if nothing of them is left.
        assert_eq!(
            message.escape_ascii().to_string(),
            [&book[..], mask].concat().escape_ascii().to_string(),
            "{content_type}"
        );
    }
}
