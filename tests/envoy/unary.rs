//! Unary methods from JSON to gRPC and back, through real Envoy: what the upstream receives, what the client gets.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Request};
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        Bench::start(&[
            Listener::new("auto", &json!({ "proto": schema::PROTO, "auto_mapping": true })),
            Listener::new(
                "call",
                &json!({ "proto": schema::PROTO, "dispatch": "call", "auto_mapping": true }),
            ),
            Listener::new(
                "in-place",
                &json!({ "proto": schema::PROTO, "bodyless": "in_place", "auto_mapping": true }),
            )
            .with_lua(),
            Listener::new(
                "bridge",
                &json!({
                    "proto": schema::PROTO, "bodyless": "in_place", "auto_mapping": true,
                    "upstream": { "connect_bridge": true },
                }),
            )
            .with_bridge(),
            Listener::new(
                "bridge-bodies",
                &json!({
                    "proto": schema::PROTO, "bodyless": "in_place", "auto_mapping": true,
                    "upstream": { "connect_bridge": true, "bridge_bodies": true },
                }),
            )
            .with_bridge(),
            Listener::with_text("text", &json!({ "proto": schema::PROTO }).to_string()),
            Listener::new(
                "printed",
                &json!({
                    "proto": schema::PROTO,
                    "json": { "always_print_fields_with_no_presence": true, "preserve_proto_field_names": true },
                }),
            ),
        ])
    })
}

/// The ways to the upstream: in place, but for a request without a body; by a call; in place also without a body, by the Lua
/// filter and by the Connect bridge; all of them by that bridge.
const WAYS: [(&str, Http); 9] = [
    ("auto", Http::One),
    ("auto", Http::Two),
    ("call", Http::Two),
    ("in-place", Http::One),
    ("in-place", Http::Two),
    ("bridge", Http::One),
    ("bridge", Http::Two),
    ("bridge-bodies", Http::One),
    ("bridge-bodies", Http::Two),
];

/// A request, the method it must reach, and the message that must arrive there. The upstream answers with the message
/// it got, which must come back the same.
type Row = (Request, &'static str, Value);

async fn check(rows: Vec<Row>) {
    for (listener, version) in WAYS {
        for (request, method, message) in &rows {
            let (answer, received) = bench()
                .at(listener)
                .exchange(version, request.clone(), Script::echo())
                .await;
            let row = format!("{listener} {version:?} {request:?}: {answer:?}");
            assert_eq!(received.path, format!("/test.everything.{method}"), "{row}");
            let content_type = received.header("content-type");
            let bridged = content_type == Some("application/grpc+proto") && listener.starts_with("bridge");
            assert!(bridged || content_type == Some("application/grpc"), "{row}");
            assert_eq!(received.header("te"), Some("trailers"), "{row}");
            assert_eq!(received.json(), *message, "{row}");
            assert_eq!(answer.status, 200, "{row}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{row}");
            assert_eq!(answer.json(), *message, "{row}");
            if let Some(length) = answer.header("content-length") {
                assert_eq!(length.parse(), Ok(answer.body.len()), "{row}");
            }
            assert!(answer.trailers.is_empty(), "{row}");
        }
    }
}

#[tokio::test]
async fn the_five_methods_reach_their_rpc() {
    let body = json!({ "int32Value": 5, "stringValue": "ü \u{1f600} \"\\\u{7f}", "int64Value": "9007199254740993" });
    check(vec![
        (Request::get("/v1/echo"), "Echo/Query", json!({})),
        (
            Request::get("/v1/echo?int32_value=5"),
            "Echo/Query",
            json!({ "int32Value": 5 }),
        ),
        (Request::post("/v1/echo", &body), "Echo/Post", body.clone()),
        (
            Request::put(
                "/v1/nested/a%2Fb/3",
                &json!({ "child": { "tags": ["t"] }, "boolValue": true }),
            ),
            "Echo/NestedCapture",
            json!({ "child": { "name": "a/b", "child": { "count": 3 }, "tags": ["t"] }, "boolValue": true }),
        ),
        (
            Request::patch("/v1/things/x", &json!({ "int32Value": 1, "child": { "name": "c" } })),
            "Patches/Update",
            json!({
                "thing": { "stringValue": "x", "int32Value": 1, "child": { "name": "c" } },
                "updateMask": "int32Value,child.name",
            }),
        ),
        (
            Request::patch(
                "/v1/whole-things/x",
                &json!({ "thing": { "int32Value": 1 }, "updateMask": "boolValue" }),
            ),
            "Patches/UpdateWhole",
            json!({ "thing": { "stringValue": "x", "int32Value": 1 }, "updateMask": "boolValue" }),
        ),
        (
            Request::delete("/v1/echo?stringValue=gone"),
            "Echo/Query",
            json!({ "stringValue": "gone" }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn custom_kinds_and_auto_mapping_reach_their_rpc() {
    let body = json!({ "int32Value": 5 });
    check(vec![
        (
            Request::new("REPORT", "/v1/custom?int32Value=5"),
            "Echo/Custom",
            body.clone(),
        ),
        (Request::new("OPTIONS", "/v1/custom-options"), "Echo/Custom", json!({})),
        (Request::post("/v1/any-kind", &body), "Echo/Custom", body.clone()),
        (Request::put("/v1/any-kind", &body), "Echo/Custom", body.clone()),
        (
            Request::new("PURGE", "/v1/any-kind").json(&body),
            "Echo/Custom",
            body.clone(),
        ),
        (Request::get("/v1/any-kind"), "Echo/Custom", json!({})),
        (
            Request::post("/test.everything.Echo/Unannotated", &body),
            "Echo/Unannotated",
            body.clone(),
        ),
        // Auto mapping is kept beside the annotation.
        (
            Request::post("/test.everything.Echo/Post", &body),
            "Echo/Post",
            body.clone(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn query_parameters_are_bound() {
    let row = |query: &str, message: Value| (Request::get(&format!("/v1/echo?{query}")), "Echo/Query", message);
    check(vec![
        row("stringValue=a%20b+c%2B", json!({ "stringValue": "a b c+" })),
        row("string_value=", json!({})),
        row("optionalString", json!({ "optionalString": "" })),
        row("strings=a&strings=b&strings=", json!({ "strings": ["a", "b", ""] })),
        row(
            "child.name=n&child.child.count=-3",
            json!({ "child": { "name": "n", "child": { "count": -3 } } }),
        ),
        row("unknown=1&int32Value=5", json!({ "int32Value": 5 })),
        row(
            "color=RED&optional_color=2&colors=BLUE&colors=VERT",
            json!({
                "color": "RED", "optionalColor": "GREEN", "colors": ["BLUE", "GREEN"],
            }),
        ),
        row(
            "boolValue=true&bools=1&bools=0&bools=false",
            json!({ "boolValue": true, "bools": [true, false, false] }),
        ),
        row(
            "uint64Value=18446744073709551615",
            json!({ "uint64Value": "18446744073709551615" }),
        ),
        row(
            "sint64s=-9223372036854775808",
            json!({ "sint64s": ["-9223372036854775808"] }),
        ),
        row(
            "doubleValue=1e3&floatValue=-0.5&doubles=NaN&doubles=-Infinity",
            json!({
                "doubleValue": 1000, "floatValue": -0.5, "doubles": ["NaN", "-Infinity"],
            }),
        ),
        row(
            "bytesValue=-_8&blobs=%2B%2F8%3D",
            json!({ "bytesValue": "+/8=", "blobs": ["+/8="] }),
        ),
        row(
            "timestamp=2024-02-29T12:00:00.5Z&duration=-1.5s",
            json!({
                "timestamp": "2024-02-29T12:00:00.500Z", "duration": "-1.500s",
            }),
        ),
        row("mask=int32Value,child.name", json!({ "mask": "int32Value,child.name" })),
        row(
            "int64Wrapper=0&stringWrapper=s&boolWrapper=false",
            json!({
                "int64Wrapper": "0", "stringWrapper": "s", "boolWrapper": false,
            }),
        ),
        row("choiceString=c", json!({ "choiceString": "c" })),
        row("anotherName=a", json!({ "anotherName": "a" })),
        row("renamed=a", json!({ "anotherName": "a" })),
        row("optionalInt32=0", json!({ "optionalInt32": 0 })),
    ])
    .await;
}

#[tokio::test]
async fn paths_are_matched_by_their_most_specific_template() {
    let row = |path: &str, method: &'static str, message: Value| (Request::get(path), method, message);
    check(vec![
        row("/v1/paths/literal", "Paths/Literal", json!({})),
        row("/v1/paths/one", "Paths/Single", json!({ "id": "one" })),
        row("/v1/paths/one/two", "Paths/Rest", json!({ "rest": "one/two" })),
        row("/v1/paths/literal/two", "Paths/Rest", json!({ "rest": "literal/two" })),
        row("/v1/paths", "Paths/Rest", json!({})),
        row("/v1/paths/a%20b%2Fc%3f", "Paths/Single", json!({ "id": "a b/c?" })),
        row(
            "/v1/paths/a%20b/c%2Fd%2f",
            "Paths/Rest",
            json!({ "rest": "a b/c%2Fd%2f" }),
        ),
        row("/v1/paths/%2541", "Paths/Single", json!({ "id": "%41" })),
        row("/v1/paths/%C3%BC", "Paths/Single", json!({ "id": "ü" })),
        row("/v1/paths/l%69teral", "Paths/Literal", json!({})),
        row(
            "/v1/shelves/1/books/2",
            "Paths/Named",
            json!({ "name": "shelves/1/books/2" }),
        ),
        row(
            "/v1/shelves/1/books/special/3",
            "Paths/Backtracked",
            json!({ "id": "shelves", "kind": "1", "rest": "3" }),
        ),
        row("/v1/tree/rooms", "Paths/Rooms", json!({ "name": "rooms" })),
        row("/v1/tree/rooms/1/2", "Paths/Rooms", json!({ "name": "rooms/1/2" })),
        row("/v1/files/a/b/meta", "Paths/Suffix", json!({ "rest": "a/b" })),
        row("/v1/files/meta", "Paths/Suffix", json!({})),
        row("/v1/files/a/b", "Paths/File", json!({ "rest": "a/b" })),
        row("/v1/files/", "Paths/File", json!({})),
        row("/v1/verbs:list", "Paths/Verb", json!({})),
        row("/v1/verbs/x:watch", "Paths/Verb", json!({ "id": "x" })),
        row("/v1/verbs/x:unknown", "Paths/Verb", json!({ "id": "x:unknown" })),
        row("/v1/verbs/x%3Awatch", "Paths/Verb", json!({ "id": "x:watch" })),
        row("/v1/verb-tree/a/b:watch", "Paths/Verb", json!({ "rest": "a/b" })),
        (
            Request::post("/v1/verbs/x:cancel", &json!({ "kind": "k" })),
            "Paths/Verb",
            json!({ "id": "x", "kind": "k" }),
        ),
        row("/v1/unnamed/anything/x/1", "Paths/Unnamed", json!({ "id": "1" })),
        row("/v1/unnamed-rest/a/b/c", "Paths/Unnamed", json!({})),
        row(
            "/v1/paths/one?name=from-query&id=ignored",
            "Paths/Single",
            json!({ "id": "one", "name": "from-query" }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn captures_have_their_fields_type() {
    let row = |path: &str, message: Value| (Request::get(&format!("/v1/typed/{path}")), "Paths/Typed", message);
    check(vec![
        row("int32/-5", json!({ "int32Value": -5 })),
        row(
            "int64/-9223372036854775808",
            json!({ "int64Value": "-9223372036854775808" }),
        ),
        row("uint32/4294967295", json!({ "uint32Value": 4_294_967_295_u32 })),
        row(
            "uint64/18446744073709551615",
            json!({ "uint64Value": "18446744073709551615" }),
        ),
        row("double/1.5", json!({ "doubleValue": 1.5 })),
        row("float/-2.5e3", json!({ "floatValue": -2500 })),
        row("bool/true", json!({ "boolValue": true })),
        row("string/a%2Fb", json!({ "stringValue": "a/b" })),
        row("bytes/AP-_", json!({ "bytesValue": "AP+/" })),
        row("enum/BLUE", json!({ "color": "BLUE" })),
        row("enum/-1", json!({ "color": "NEGATIVE" })),
        row(
            "timestamp/1970-01-01T00:00:01Z",
            json!({ "timestamp": "1970-01-01T00:00:01Z" }),
        ),
        row("duration/3.5s", json!({ "duration": "3.500s" })),
        row("mask/a,b.c", json!({ "mask": "a,b.c" })),
        row("wrapper/7", json!({ "int64Wrapper": "7" })),
        row("optional/0", json!({ "optionalInt32": 0 })),
        row("oneof/x", json!({ "choiceString": "x" })),
        row("json-name/x", json!({ "anotherName": "x" })),
    ])
    .await;
}

#[tokio::test]
async fn bodies_of_every_kind_fill_their_field() {
    let row = |path: &str, body: &str, message: Value| {
        let request = Request::new("POST", &format!("/v1/field-body/{path}"));
        (
            request.body(body.to_owned()).header("content-type", "application/json"),
            "Echo/FieldBody",
            message,
        )
    };
    check(vec![
        row(
            "list",
            r#"[{"name":"a"},{}]"#,
            json!({ "children": [{ "name": "a" }, {}] }),
        ),
        row("list", "[]", json!({})),
        row("strings", r#"["a","b"]"#, json!({ "strings": ["a", "b"] })),
        row(
            "strings?int32Value=5&strings=no",
            r#"["a"]"#,
            json!({ "strings": ["a"], "int32Value": 5 }),
        ),
        row("map", r#"{"k":"v"}"#, json!({ "stringMap": { "k": "v" } })),
        row("scalar", "5", json!({ "int32Value": 5 })),
        row("scalar", " \"5\" ", json!({ "int32Value": 5 })),
        row("enum", "\"RED\"", json!({ "color": "RED" })),
        row("enum", "3", json!({ "color": "BLUE" })),
        row("value", r#"{"a":[1,null]}"#, json!({ "value": { "a": [1, null] } })),
        row("value", "null", json!({ "value": null })),
        row(
            "timestamp",
            r#""2024-01-01T00:00:00Z""#,
            json!({ "timestamp": "2024-01-01T00:00:00Z" }),
        ),
        (
            Request::post(
                "/v1/message-body/s?int32Value=5&child.name=no&string_value=no",
                &json!({ "name": "n" }),
            ),
            "Echo/MessageBody",
            json!({ "stringValue": "s", "int32Value": 5, "child": { "name": "n" } }),
        ),
        (
            Request::post("/v1/message-body/s", &Value::Null),
            "Echo/MessageBody",
            json!({ "stringValue": "s" }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_blank_or_absent_body_is_the_empty_message() {
    let blank = |body: &'static str| Request::new("POST", "/v1/echo").body(body);
    check(vec![
        (
            Request::new("POST", "/v1/echo").header("content-length", "0"),
            "Echo/Post",
            json!({}),
        ),
        (blank(" \r\n\t"), "Echo/Post", json!({})),
        (blank("null"), "Echo/Post", json!({})),
        (blank("{}"), "Echo/Post", json!({})),
        (
            Request::new("PUT", "/v1/nested/n/1").header("content-length", "0"),
            "Echo/NestedCapture",
            json!({
                "child": { "name": "n", "child": { "count": 1 } },
            }),
        ),
    ])
    .await;
}

/// No filter in front can see that a request without a content-length has no body, unless its method says so.
#[tokio::test]
async fn an_empty_post_without_a_length_goes_by_a_call_or_not_at_all() {
    let post = Request::new("POST", "/v1/echo");
    for (listener, version) in WAYS {
        let gateway = bench().at(listener);
        if listener == "in-place" {
            let answer = gateway.refuse(version, post.clone()).await;
            assert_eq!(answer.status, 501, "{version:?}: {answer:?}");
            let message = answer.json()["message"].to_string();
            assert!(message.contains("send {} as the body"), "{version:?}: {message}");
        } else {
            let (answer, received) = gateway.exchange(version, post.clone(), Script::echo()).await;
            assert_eq!(
                (answer.status, received.json()),
                (200, json!({})),
                "{listener} {version:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_ends_with_trailers_is_a_body() {
    check(vec![(
        Request::post("/v1/echo", &json!({ "int32Value": 5 })).trailer("x-checksum", "1"),
        "Echo/Post",
        json!({ "int32Value": 5 }),
    )])
    .await;
}

#[tokio::test]
async fn a_body_without_a_binding_is_ignored() {
    let body = json!({ "stringValue": "from the body" });
    check(vec![
        (
            Request::post("/v1/bodyless?int32Value=3", &body),
            "Echo/Bodyless",
            json!({ "int32Value": 3 }),
        ),
        (
            Request::new("POST", "/v1/bodyless").body("not JSON"),
            "Echo/Bodyless",
            json!({}),
        ),
        (
            Request::get("/v1/echo?int32Value=3").json(&body),
            "Echo/Query",
            json!({ "int32Value": 3 }),
        ),
        (
            Request::delete("/v1/echo")
                .body("\u{0}")
                .header("content-type", "text/plain"),
            "Echo/Query",
            json!({}),
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_the_path_binds_cannot_be_changed() {
    check(vec![
        (
            Request::put(
                "/v1/nested/n/3?child.name=q",
                &json!({
                    "child": { "name": "body", "child": { "count": 9, "name": "inner" } },
                }),
            ),
            "Echo/NestedCapture",
            json!({ "child": { "name": "n", "child": { "count": 3, "name": "inner" } } }),
        ),
        // Under both names, and with a value of the wrong type.
        (
            Request::patch(
                "/v1/whole-things/x",
                &json!({ "thing": { "string_value": 5, "boolValue": true } }),
            ),
            "Patches/UpdateWhole",
            json!({ "thing": { "stringValue": "x", "boolValue": true } }),
        ),
        (
            Request::get("/v1/typed/json-name/x?renamed=y&anotherName=z"),
            "Paths/Typed",
            json!({ "anotherName": "x" }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_response_body_is_printed_alone() {
    let message = json!({
        "child": { "name": "c" },
        "children": [{}, { "count": 2 }],
        "stringMap": { "k": "v" },
        "stringValue": "s",
        "int64Value": "5",
        "timestamp": "2024-01-01T00:00:00Z",
    });
    let rows = [
        ("child", message["child"].clone(), json!({})),
        ("children", message["children"].clone(), json!([])),
        ("map", message["stringMap"].clone(), json!({})),
        ("string", json!("s"), json!("")),
        ("int64", json!("5"), json!("0")),
        ("timestamp", message["timestamp"].clone(), Value::Null),
    ];
    for (listener, version) in WAYS {
        for (path, set, unset) in &rows {
            let gateway = bench().at(listener);
            let request = Request::post(&format!("/v1/part/{path}"), &json!({}));
            let (answer, _) = gateway
                .exchange(version, request.clone(), Script::reply(message.clone()))
                .await;
            assert_eq!(
                (answer.status, answer.json()),
                (200, set.clone()),
                "{listener} {version:?} {path}"
            );
            let (answer, _) = gateway.exchange(version, request, Script::reply(json!({}))).await;
            assert_eq!(
                (answer.status, answer.json()),
                (200, unset.clone()),
                "{listener} {version:?} {path}"
            );
        }
    }
}

#[tokio::test]
async fn raw_bodies_keep_their_bytes_and_their_type_both_ways() {
    let bytes = b"\0\xff not JSON {";
    for (listener, version) in WAYS {
        let gateway = bench().at(listener);
        let reply = json!({ "contentType": "image/png", "data": "iVBORw==" });

        let request = Request::new("POST", "/v1/raw")
            .header("content-type", "application/x-thing")
            .body(&bytes[..]);
        let (answer, received) = gateway.exchange(version, request, Script::reply(reply.clone())).await;
        assert_eq!(
            received.json(),
            json!({ "contentType": "application/x-thing", "data": "AP8gbm90IEpTT04gew==" })
        );
        assert_eq!(answer.status, 200, "{listener} {version:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("image/png"),
            "{listener} {version:?}"
        );
        assert_eq!(answer.body, &b"\x89PNG"[..], "{listener} {version:?}");

        let request = Request::new("PUT", "/v1/raw/file?note=n")
            .header("content-type", "text/plain")
            .body("hello");
        let (answer, received) = gateway
            .exchange(version, request, Script::reply(json!({ "int32Value": 1 })))
            .await;
        assert_eq!(
            received.json(),
            json!({
                "name": "file", "note": "n", "content": { "contentType": "text/plain", "data": "aGVsbG8=" },
            })
        );
        assert_eq!(answer.json(), json!({ "int32Value": 1 }), "{listener} {version:?}");

        let (answer, received) = gateway
            .exchange(version, Request::get("/v1/raw/7"), Script::reply(reply.clone()))
            .await;
        assert_eq!(
            (received.path.as_str(), received.json()),
            ("/test.everything.Raw/Download", json!({ "id": "7" }))
        );
        assert_eq!(
            answer.header("content-type"),
            Some("image/png"),
            "{listener} {version:?}"
        );
        assert_eq!(answer.body, &b"\x89PNG"[..], "{listener} {version:?}");

        let request = Request::post("/v1/part/raw", &json!({}));
        let (answer, _) = gateway
            .exchange(version, request, Script::reply(json!({ "raw": reply })))
            .await;
        assert_eq!(
            answer.header("content-type"),
            Some("image/png"),
            "{listener} {version:?}"
        );
        assert_eq!(answer.body, &b"\x89PNG"[..], "{listener} {version:?}");
    }
}

#[tokio::test]
async fn empty_messages_are_empty_objects() {
    check(vec![
        (Request::get("/v1/ping"), "Nothing/Ping", json!({})),
        (Request::post("/v1/ping", &json!({})), "Nothing/Ping", json!({})),
    ])
    .await;
}

#[tokio::test]
async fn answers_are_written_as_protobuf_writes_them() {
    let message = json!({ "int64Value": "1", "doubleValue": 1.5, "color": "RED", "bytesValue": "AP8=" });
    let script = Script::reply(message);
    let (answer, _) = bench()
        .at("auto")
        .exchange(Http::One, Request::get("/v1/echo"), script)
        .await;
    // Fields in number order, without white space.
    assert_eq!(
        answer.body,
        r#"{"doubleValue":1.5,"int64Value":"1","bytesValue":"AP8=","color":"RED"}"#
    );
}

#[tokio::test]
async fn the_configuration_may_be_text() {
    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let (answer, received) = bench().at("text").exchange(Http::One, request, Script::echo()).await;
    assert_eq!(received.path, "/test.everything.Echo/Post");
    assert_eq!(answer.body, r#"{"int32Value":5}"#);
}

#[tokio::test]
async fn print_options_apply() {
    let request = Request::post("/v1/verbs/x:cancel", &json!({}));
    let (answer, _) = bench().at("printed").exchange(Http::One, request, Script::echo()).await;
    assert_eq!(answer.body, r#"{"id":"x","name":"","rest":"","kind":""}"#);
    let request = Request::patch("/v1/whole-things/x", &json!({ "validateOnly": true }));
    let (answer, _) = bench().at("printed").exchange(Http::One, request, Script::echo()).await;
    assert_eq!(answer.json()["validate_only"], true);
    assert_eq!(answer.json()["thing"]["optional_int32"], Value::Null);
}
