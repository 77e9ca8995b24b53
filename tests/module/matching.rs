//! Which requests are converted, to which method, and with what of the path.

use serde_json::{Value, json};

use crate::harness::{Gateway, Request, Response};
use crate::kit::{call_of, error, gateway, works};

#[test]
fn every_form_of_template_finds_its_method_and_captures() {
    let gateway = gateway(json!({}));
    let cases = [
        ("/v1/paths/literal", "Paths/Literal", json!({})),
        ("/v1/paths/literals", "Paths/Single", json!({ "id": "literals" })),
        ("/v1/paths/a/b/c", "Paths/Rest", json!({ "rest": "a/b/c" })),
        ("/v1/paths/literal/x", "Paths/Rest", json!({ "rest": "literal/x" })),
        (
            "/v1/shelves/1/books/2",
            "Paths/Named",
            json!({ "name": "shelves/1/books/2" }),
        ),
        (
            "/v1/shelves/1/books/special/2",
            "Paths/Backtracked",
            json!({ "id": "shelves", "kind": "1", "rest": "2" }),
        ),
        ("/v1/tree/rooms", "Paths/Rooms", json!({ "name": "rooms" })),
        ("/v1/tree/rooms/a/b", "Paths/Rooms", json!({ "name": "rooms/a/b" })),
        ("/v1/files/a/b/meta", "Paths/Suffix", json!({ "rest": "a/b" })),
        ("/v1/files/meta/", "Paths/File", json!({ "rest": "meta/" })),
        ("/v1/files/", "Paths/File", json!({})),
        ("/v1/verbs:list", "Paths/Verb", json!({})),
        ("/v1/verbs/7:watch", "Paths/Verb", json!({ "id": "7" })),
        ("/v1/verbs/7:other", "Paths/Verb", json!({ "id": "7:other" })),
        ("/v1/verbs/7%3Awatch", "Paths/Verb", json!({ "id": "7:watch" })),
        ("/v1/verb-tree/a/b:watch", "Paths/Verb", json!({ "rest": "a/b" })),
        ("/v1/unnamed/any/x/7", "Paths/Unnamed", json!({ "id": "7" })),
        ("/v1/unnamed-rest/a/b", "Paths/Unnamed", json!({})),
        ("/v1/paths/a%2Fb%20c", "Paths/Single", json!({ "id": "a/b c" })),
        ("/v1/paths/a%2Fb/%63", "Paths/Rest", json!({ "rest": "a%2Fb/c" })),
        ("/v1/paths/%E4%BD%A0", "Paths/Single", json!({ "id": "你" })),
        ("/v1/%70aths/literal", "Paths/Literal", json!({})),
        ("/v1/paths/%2525", "Paths/Single", json!({ "id": "%25" })),
    ];
    for (path, method, message) in cases {
        let exchange = gateway.request(Request::get(path));
        assert_eq!(call_of(&exchange), (method.to_owned(), message), "{path}");
    }
}

#[test]
fn a_path_is_read_with_its_verb_first() {
    let rule = |method: &str, template: &str| json!({ "selector": format!("test.everything.Paths.{method}"), "post": template });
    let gateway = gateway(json!({ "http_rules": [
        rule("Named", "/v2/{name=rooms/*}"),
        rule("Rooms", "/v2/{name=**}:getIamPolicy"),
    ] }));
    let cases = [
        ("/v2/rooms/5", "Paths/Named", "rooms/5"),
        ("/v2/rooms/5:getIamPolicy", "Paths/Rooms", "rooms/5"),
        ("/v2/rooms/a:b:getIamPolicy", "Paths/Rooms", "rooms/a:b"),
        ("/v2/rooms/5:other", "Paths/Named", "rooms/5:other"),
        ("/v2/rooms/5%3AgetIamPolicy", "Paths/Named", "rooms/5:getIamPolicy"),
    ];
    for (path, method, name) in cases {
        let exchange = gateway.request(Request::post(path).json("{}"));
        assert_eq!(
            call_of(&exchange),
            (method.to_owned(), json!({ "name": name })),
            "{path}"
        );
    }
    let exchange = gateway.request(Request::get("/v2/rooms/5:getIamPolicy"));
    assert_eq!(exchange.answer().headers.get("allow"), Some("POST"));
    assert_eq!(error(&exchange).0, 405);
}

#[test]
fn segments_may_follow_a_double_star() {
    let gateway = gateway(json!({ "http_rules": [
        { "selector": "test.everything.Paths.Named", "get": "/v2/{name=documents/**}/{id}" },
        { "selector": "test.everything.Paths.Rooms", "get": "/v2/{name=documents/**}/{id}/{kind=pages/*}" },
        { "selector": "test.everything.Paths.Suffix", "get": "/v2/{name=documents/**}/{id}/*:count" },
    ] }));
    let cases = [
        (
            "/v2/documents/a",
            "Paths/Named",
            json!({ "name": "documents", "id": "a" }),
        ),
        (
            "/v2/documents/a/b/c%2Fd",
            "Paths/Named",
            json!({ "name": "documents/a/b", "id": "c/d" }),
        ),
        (
            "/v2/documents/a/b/pages/c",
            "Paths/Rooms",
            json!({ "name": "documents/a", "id": "b", "kind": "pages/c" }),
        ),
        (
            "/v2/documents/pages/c",
            "Paths/Named",
            json!({ "name": "documents/pages", "id": "c" }),
        ),
        (
            "/v2/documents/a/b/c:count",
            "Paths/Suffix",
            json!({ "name": "documents/a", "id": "b" }),
        ),
    ];
    for (path, method, message) in cases {
        let exchange = gateway.request(Request::get(path));
        assert_eq!(call_of(&exchange), (method.to_owned(), message), "{path}");
    }
    for path in ["/v2/documents", "/v2/documents/", "/v2/documents/a/"] {
        assert_eq!(error(&gateway.request(Request::get(path))).0, 404, "{path}");
    }
}

#[test]
fn a_capture_of_every_kind_is_read_in_its_text_form() {
    let gateway = gateway(json!({}));
    let cases = [
        ("int32/-7", json!({ "int32Value": -7 })),
        ("int64/-9007199254740993", json!({ "int64Value": "-9007199254740993" })),
        ("uint32/4294967295", json!({ "uint32Value": 4_294_967_295_u32 })),
        (
            "uint64/18446744073709551615",
            json!({ "uint64Value": "18446744073709551615" }),
        ),
        ("double/1.5e3", json!({ "doubleValue": 1500 })),
        ("float/-0.25", json!({ "floatValue": -0.25 })),
        ("bool/true", json!({ "boolValue": true })),
        ("string/a%20b", json!({ "stringValue": "a b" })),
        ("bytes/aGk", json!({ "bytesValue": "aGk=" })),
        ("bytes/-_8=", json!({ "bytesValue": "+/8=" })),
        ("enum/BLUE", json!({ "color": "BLUE" })),
        ("enum/3", json!({ "color": "BLUE" })),
        (
            "timestamp/2024-02-29T12:00:00.5Z",
            json!({ "timestamp": "2024-02-29T12:00:00.500Z" }),
        ),
        ("duration/1.5s", json!({ "duration": "1.500s" })),
        ("mask/a.b,cD", json!({ "mask": "a.b,cD" })),
        ("wrapper/7", json!({ "int64Wrapper": "7" })),
        ("optional/0", json!({ "optionalInt32": 0 })),
        ("oneof/x", json!({ "choiceString": "x" })),
        ("json-name/x", json!({ "anotherName": "x" })),
    ];
    for (path, message) in cases {
        let exchange = gateway.request(Request::get(&format!("/v1/typed/{path}")));
        assert_eq!(call_of(&exchange), ("Paths/Typed".to_owned(), message), "{path}");
    }
    for path in [
        "int32/x",
        "int32/2147483648",
        "uint32/-1",
        "bool/yes",
        "enum/PURPLE",
        "bytes/%25",
        "timestamp/today",
    ] {
        let exchange = gateway.request(Request::get(&format!("/v1/typed/{path}")));
        let (status, code, message) = error(&exchange);
        assert_eq!((status, code), (400, 3), "{path}: {message}");
    }
}

#[test]
fn what_no_rule_matches_is_404_or_405_with_allow() {
    let gateway = gateway(json!({ "auto_mapping": true }));
    for (method, path) in [
        ("GET", "/nowhere"),
        ("GET", "/v1/echo/"),
        ("GET", "/v1//echo"),
        ("GET", "/v1/shelves/1/books"),
        ("POST", "/test.everything.Echo/Nothing"),
        ("HEAD", "/nowhere"),
        ("OPTIONS", "/nowhere"),
        ("OPTIONS", "*"),
        ("GET", ""),
    ] {
        let exchange = gateway.request(Request::new(method, path));
        let answer = exchange.answer();
        assert_eq!(answer.status(), 404, "{method} {path}");
        if method != "HEAD" {
            assert_eq!(error(&exchange).1, 5, "{method} {path}");
        }
    }
    for (method, path, allow) in [
        ("PUT", "/v1/echo", "DELETE, GET, POST"),
        ("HEAD", "/v1/echo", "DELETE, GET, POST"),
        ("OPTIONS", "/v1/echo", "DELETE, GET, POST"),
        ("TRACE", "/v1/echo", "DELETE, GET, POST"),
        ("GET", "/v1/verbs/7:cancel", "POST"),
        ("GET", "/test.everything.Echo/Unannotated", "POST"),
        ("get", "/v1/bodyless", "POST"),
    ] {
        let exchange = gateway.request(Request::new(method, path));
        let answer = exchange.answer();
        assert_eq!(answer.status(), 405, "{method} {path}");
        let mut allowed: Vec<_> = answer.headers.get("allow").expect("allow").split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), allow, "{method} {path}");
        if method != "HEAD" {
            assert_eq!(error(&exchange).1, 12, "{method} {path}");
        }
    }
    works(&gateway);
}

#[test]
fn unmatched_requests_pass_through_untouched_when_told_so() {
    let gateway = gateway(json!({ "unmatched": "pass_through" }));
    for request in [
        Request::get("/nowhere?x=y").header("accept-encoding", "gzip"),
        Request::new("PUT", "/v1/echo")
            .header("accept-encoding", "gzip")
            .chunk("{}")
            .chunk("!"),
    ] {
        let exchange = gateway.request(request.clone());
        let forwarded = exchange.forwarded();
        assert_eq!(forwarded.headers, request.headers);
        assert_eq!(forwarded.chunks, request.chunks);
        exchange.respond(
            Response::new(418)
                .header("content-type", "text/plain")
                .chunk("tea")
                .trailer("a", "b"),
        );
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.text().as_str()), (418, "tea"));
        assert_eq!(answer.headers.get("content-type"), Some("text/plain"));
        assert_eq!(answer.trailers.expect("the trailers").get("a"), Some("b"));
    }
    works(&gateway);
}

#[test]
fn custom_kinds_match_their_method_or_any() {
    let gateway = gateway(json!({}));
    assert_eq!(
        call_of(&gateway.request(Request::new("REPORT", "/v1/custom"))).0,
        "Echo/Custom"
    );
    assert_eq!(
        call_of(&gateway.request(Request::new("OPTIONS", "/v1/custom-options"))).0,
        "Echo/Custom"
    );
    for method in ["GET", "POST", "PURGE", "HEAD", "OPTIONS"] {
        assert_eq!(
            call_of(&gateway.request(Request::new(method, "/v1/any-kind"))).0,
            "Echo/Custom",
            "{method}"
        );
    }
}

#[test]
fn the_content_type_must_be_json_where_a_body_is_bound() {
    let gateway = gateway(json!({}));
    let send = |gateway: &Gateway, path: &str, content_type: Option<&str>, encoding: Option<&str>| {
        let mut request = Request::post(path);
        for (name, value) in [("content-type", content_type), ("content-encoding", encoding)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        gateway.request(request.body("{}"))
    };
    for content_type in [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("Application/JSON"),
        Some("application/vnd.api+json"),
    ] {
        for encoding in [None, Some("identity")] {
            let exchange = send(&gateway, "/v1/echo", content_type, encoding);
            assert_eq!(call_of(&exchange).0, "Echo/Post", "{content_type:?} {encoding:?}");
        }
    }
    for content_type in [
        "text/plain",
        "application/xml",
        "application/x-www-form",
        "application/jsonx",
    ] {
        let exchange = send(&gateway, "/v1/echo", Some(content_type), None);
        assert_eq!((error(&exchange).0, error(&exchange).1), (415, 3), "{content_type}");
    }
    for encoding in ["gzip", "br", "deflate", "identity, gzip"] {
        let exchange = send(&gateway, "/v1/echo", Some("application/json"), Some(encoding));
        assert_eq!((error(&exchange).0, error(&exchange).1), (415, 3), "{encoding}");
    }
    assert_eq!(
        call_of(&send(&gateway, "/v1/bodyless", Some("text/plain"), None)).0,
        "Echo/Bodyless"
    );
    assert_eq!(
        call_of(&send(&gateway, "/v1/raw", Some("text/plain"), None)).0,
        "Raw/Exchange"
    );
    works(&gateway);
}

#[test]
fn a_malformed_escape_is_400() {
    let gateway = gateway(json!({}));
    for path in [
        "/v1/paths/%",
        "/v1/paths/%2",
        "/v1/paths/%zz",
        "/v1/echo?string_value=%",
        "/v1/echo?a%zz=b",
    ] {
        let exchange = gateway.request(Request::get(path));
        assert_eq!((error(&exchange).0, error(&exchange).1), (400, 3), "{path}");
    }
    works(&gateway);
}

#[test]
fn a_bad_request_names_the_field() {
    let gateway = gateway(json!({}));
    let violation = |request: Request| -> Value {
        let answer = gateway.request(request).answer().json();
        assert_eq!(
            answer["details"][0]["@type"], "type.googleapis.com/google.rpc.BadRequest",
            "{answer}"
        );
        answer["details"][0]["fieldViolations"][0]["field"].clone()
    };
    assert_eq!(violation(Request::get("/v1/echo?child.count=x")), "child.count");
    assert_eq!(violation(Request::get("/v1/typed/int32/x")), "int32_value");
    let body = r#"{"children": [{}, {"count": "x"}]}"#;
    assert_eq!(violation(Request::post("/v1/echo").json(body)), "children[1].count");
}
