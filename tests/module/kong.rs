//! The module in Kong: what it does differently there, and what must never happen.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Exchange, Gateway, Host, Progress, Request, Response, frame};
use crate::kit::{call_of, error, everything, respond};
use crate::markdown::yaml;
use crate::schema;

fn kong(more: Value) -> Gateway {
    load(Host::kong(), more)
}

fn load(host: Host, more: Value) -> Gateway {
    let mut configuration = json!({ "proto": schema::PROTO });
    for (key, value) in more.as_object().expect("an object") {
        configuration[key] = value.clone();
    }
    host.load(&configuration.to_string()).unwrap()
}

// The example

#[test]
fn every_configuration_of_the_example_is_accepted() {
    let example = yaml(include_str!("../../kong-plugin.yaml"));
    let chains = example["filter_chains"].as_array().unwrap().iter();
    let filters = chains.flat_map(|chain| {
        let route = &chain["route"];
        chain["filters"]
            .as_array()
            .unwrap()
            .iter()
            .map(move |filter| (route, filter))
    });
    let plugins = example["plugins"].as_array().unwrap().iter();
    let configurations: BTreeMap<_, _> = plugins
        .map(|plugin| (&plugin["route"], plugin))
        .chain(filters)
        .filter(|(_, filter)| filter["name"] == "protobridge")
        .map(|(route, filter)| (route.as_str().unwrap(), filter["config"].to_string()))
        .collect();
    for (route, path, method) in [
        ("bookstore-json", "/v1/books/7", "example.bookstore.Bookstore/GetBook"),
        (
            "bookstore-partner",
            "/v1/books/7",
            "example.bookstore.Bookstore/GetBook",
        ),
        ("greeter-json", "/hello/Ada", "example.greeter.Greeter/SayHello"),
    ] {
        let gateway = Host::kong().load(&configurations[route]).unwrap();
        let exchange = gateway.request(Request::get(path).method_in_front("POST"));
        let sent = exchange.forwarded().headers;
        assert_eq!(sent.get(":path"), Some(&*format!("/{method}")), "{route}");
    }
    assert_eq!(configurations.len(), 3);
}

// Requests

#[test]
fn unary_goes_by_all_five_methods() {
    let gateway = kong(json!({}));
    for (request, method, message) in [
        (
            Request::get("/v1/echo?int32_value=7").method_in_front("POST"),
            "Echo/Query",
            json!({ "int32Value": 7 }),
        ),
        (
            Request::new("DELETE", "/v1/echo?int32_value=7"),
            "Echo/Query",
            json!({ "int32Value": 7 }),
        ),
        (
            Request::post("/v1/echo").json(r#"{"int32Value": 7}"#),
            "Echo/Post",
            json!({ "int32Value": 7 }),
        ),
        (
            Request::new("PUT", "/v1/nested/a/1").json("{}"),
            "Echo/NestedCapture",
            json!({ "child": { "name": "a", "child": { "count": 1 } } }),
        ),
        (
            Request::new("PATCH", "/v1/things/a").json("{}"),
            "Patches/Update",
            json!({ "thing": { "stringValue": "a" } }),
        ),
    ] {
        let exchange = gateway.request(request);
        let (called, sent) = call_of(&exchange);
        assert_eq!(called, method);
        for (key, value) in message.as_object().unwrap() {
            assert_eq!(&sent[key], value, "{method}");
        }
        assert_eq!(exchange.forwarded().headers.all("content-length").len(), 1);
        if method.starts_with("Echo") {
            respond(&exchange, json!({ "stringValue": "answer" }));
            let answer = exchange.answer();
            assert_eq!(
                (answer.status(), answer.json()),
                (200, json!({ "stringValue": "answer" }))
            );
            assert_eq!(answer.headers.get("content-type"), Some("application/json"));
        }
    }
}

#[test]
fn a_get_that_still_is_get_is_told_what_to_add() {
    let exchange = kong(json!({})).request(Request::get("/v1/echo"));
    let (status, code, message) = error(&exchange);
    assert_eq!((status, code), (501, 12));
    assert!(
        message.contains("request-transformer") && message.contains("http_method: POST"),
        "{message}"
    );
}

#[test]
fn a_path_without_a_binding_is_404_whatever_the_method() {
    for request in [
        Request::get("/none"),
        Request::post("/none").json("{}"),
        Request::post("/none").chunk("x").http2(),
    ] {
        assert_eq!(error(&kong(json!({})).request(request)).0, 404);
    }
}

#[test]
fn an_escaped_slash_in_a_capture_stays_one() {
    let exchange = kong(json!({})).request(Request::get("/v1/paths/a%2Fb%25?ignored=1%2F").method_in_front("POST"));
    assert_eq!(call_of(&exchange), ("Paths/Single".to_owned(), json!({ "id": "a/b%" })));
}

#[test]
fn a_body_is_made_only_where_there_certainly_is_none() {
    // The harness fails a test that makes one where there is one.
    let gateway = kong(json!({}));
    let exchange = gateway.request(Request::new("DELETE", "/v1/echo?int32_value=7").body("smuggled"));
    assert_eq!(
        call_of(&exchange),
        ("Echo/Query".to_owned(), json!({ "int32Value": 7 }))
    );
    let exchange = gateway.request(Request::new("DELETE", "/v1/echo?int32_value=7").chunk("smuggled"));
    assert_eq!(
        call_of(&exchange),
        ("Echo/Query".to_owned(), json!({ "int32Value": 7 }))
    );
    let exchange = gateway.request(
        Request::new("DELETE", "/v1/echo?int32_value=7")
            .chunk("smuggled")
            .http2(),
    );
    assert_eq!(
        call_of(&exchange),
        ("Echo/Query".to_owned(), json!({ "int32Value": 7 }))
    );
    // A length of 0 doesn't keep frames from coming.
    for chunks in [&[][..], &[""], &["late"], &["late", ""]] {
        let request = Request::new("DELETE", "/v1/echo").header("content-length", "0").http2();
        let request = chunks.iter().fold(request, |request, chunk| request.chunk(chunk));
        assert_eq!(call_of(&gateway.request(request)).0, "Echo/Query", "{chunks:?}");
    }
}

#[test]
fn over_http2_a_request_may_end_with_its_headers() {
    let gateway = kong(json!({}));
    for request in [
        Request::get("/v1/echo?int32_value=7").method_in_front("POST"),
        Request::new("DELETE", "/v1/echo?int32_value=7"),
    ] {
        let exchange = gateway.request(request.http2());
        assert_eq!(
            call_of(&exchange),
            ("Echo/Query".to_owned(), json!({ "int32Value": 7 }))
        );
    }
    let exchange = gateway.request(Request::post("/v1/echo").http2());
    assert_eq!(call_of(&exchange), ("Echo/Post".to_owned(), json!({})));
}

#[test]
fn a_body_needs_no_length_unless_it_comes_and_is_empty() {
    let gateway = kong(json!({}));
    let exchange = gateway.request(Request::post("/v1/echo").chunk(r#"{"int32Value": 7}"#).http2());
    assert_eq!(call_of(&exchange), ("Echo/Post".to_owned(), json!({ "int32Value": 7 })));
    // Only the answer shows it: until the body comes, the request has no method of the service.
    for request in [
        Request::post("/v1/echo").chunk("").http2(),
        Request::post("/v1/echo").chunk(""),
        Request::new("DELETE", "/v1/echo").chunk("").http2(),
        Request::new("DELETE", "/v1/echo").chunk(""),
    ] {
        let exchange = gateway.request(request);
        let sent = exchange.forwarded().headers;
        assert_eq!(sent.get(":path"), Some("/protobridge.Empty/Body"));
        assert_eq!(sent.get("content-type"), Some("application/grpc"));
        assert_eq!(sent.get("te"), Some("trailers"));
        exchange.respond(Response::error(12, "unknown"));
        assert_eq!(error(&exchange).0, 411);
    }
}

#[test]
fn a_bad_body_is_a_400() {
    let exchange = kong(json!({})).request(Request::post("/v1/echo").json("{"));
    assert_eq!(error(&exchange).0, 400);
}

#[test]
fn a_body_in_a_file_is_a_413_that_names_the_setting() {
    let long = json!({ "stringValue": "x".repeat(9000) }).to_string();
    let exchange = kong(json!({})).request(Request::post("/v1/echo").json(&long));
    let (status, code, message) = error(&exchange);
    assert_eq!((status, code), (413, 8));
    assert!(message.contains("nginx_http_client_body_buffer_size"), "{message}");
    let gateway = load(Host::kong().body_buffer(1 << 20), json!({}));
    assert_eq!(
        call_of(&gateway.request(Request::post("/v1/echo").json(&long))).0,
        "Echo/Post"
    );
}

#[test]
fn streamed_requests_are_501() {
    let gateway = kong(json!({}));
    for path in ["/v1/streams:collect", "/v1/streams:chat"] {
        for request in [Request::post(path).json("[]"), Request::post(path)] {
            assert_eq!(error(&gateway.request(request)).0, 501, "{path}");
        }
    }
}

#[test]
fn without_kongs_variable_for_te_a_request_goes_all_the_same() {
    let gateway = load(Host::kong().without_upstream_te(), json!({}));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    assert_eq!(
        exchange.forwarded().headers.get(":path"),
        Some("/test.everything.Echo/Post")
    );
}

#[test]
fn native_grpc_passes() {
    let body = frame(0, &everything(json!({ "int32Value": 7 })));
    let request = Request::post("/test.everything.Echo/Post")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .chunk(&body)
        .http2();
    let exchange = kong(json!({})).request(request);
    assert_eq!(exchange.forwarded().body(), body);
    exchange.respond(Response::ok("message"));
    assert_eq!(exchange.answer().messages(), [b"message"]);
}

// Answers

#[test]
fn an_error_in_the_headers_has_its_status() {
    let exchange = post(&kong(json!({})));
    exchange.respond(Response::error(5, "no%20such%20book").header("x-meta", "kept"));
    assert_eq!(error(&exchange), (404, 5, "no such book".to_owned()));
    assert_eq!(exchange.answer().headers.get("x-meta"), Some("kept"));
}

#[test]
fn a_hidden_error_in_the_headers_has_its_status_too() {
    let exchange = post(&load(Host::kong().hiding_status(), json!({})));
    exchange.respond(Response::error(5, "no%20such%20book"));
    assert_eq!(error(&exchange), (404, 5, "no such book".to_owned()));
}

#[test]
fn a_late_error_is_a_json_body_under_status_200() {
    for response in [
        Response::grpc()
            .trailer("grpc-status", "5")
            .trailer("grpc-message", "gone"),
        Response::grpc()
            .message(everything(json!({})))
            .trailer("grpc-status", "5")
            .trailer("grpc-message", "gone"),
    ] {
        let exchange = post(&kong(json!({})));
        exchange.respond(response);
        assert_eq!(error(&exchange), (200, 5, "gone".to_owned()));
    }
}

#[test]
fn an_answer_that_is_not_grpc_is_an_error_and_hides_its_body() {
    let exchange = post(&kong(json!({})));
    exchange.respond(
        Response::new(503)
            .header("content-type", "text/html")
            .header("content-length", "6")
            .chunk("<p>")
            .chunk("bye"),
    );
    assert_eq!(error(&exchange).1, 14);
}

#[test]
fn an_answer_in_pieces_and_with_a_length_is_whole() {
    let message = frame(0, &everything(json!({ "stringValue": "in pieces" })));
    let (one, two) = message.split_at(7);
    for length in [None, Some(message.len())] {
        let exchange = post(&kong(json!({})));
        let mut response = Response::grpc().chunk(one).chunk(two).trailer("grpc-status", "0");
        if let Some(length) = length {
            response = response.header("content-length", length.to_string());
        }
        // Where the body has a length, the status comes with the headers or is known at its end.
        let response = match length {
            Some(_) => response.header("grpc-status", "0"),
            None => response,
        };
        exchange.respond(response);
        assert_eq!(exchange.answer().json(), json!({ "stringValue": "in pieces" }));
    }
}

#[test]
fn a_stream_goes_out_message_by_message() {
    for (accept, parts) in [
        ("application/json", ["[{\"int32Value\":1}", ",{\"int32Value\":2}", "]"]),
        (
            "application/x-ndjson",
            ["{\"int32Value\":1}\n", "{\"int32Value\":2}\n", ""],
        ),
    ] {
        let exchange = list(&kong(json!({})), accept);
        exchange.respond_headers(&Response::grpc());
        exchange.respond_data(frame(0, &everything(json!({ "int32Value": 1 }))), false);
        assert_eq!(exchange.so_far().text(), parts[0]);
        exchange.respond_data(frame(0, &everything(json!({ "int32Value": 2 }))), false);
        assert_eq!(exchange.so_far().text(), parts[..2].concat());
        exchange.respond_trailers(&[("grpc-status", "0")]);
        assert_eq!(exchange.answer().text(), parts.concat());
    }
}

#[test]
fn an_empty_stream_and_a_late_error_end_in_json() {
    let exchange = list(&kong(json!({})), "application/json");
    exchange.respond(Response::grpc().trailer("grpc-status", "0"));
    assert_eq!(exchange.answer().json(), json!([]));
    let exchange = list(&kong(json!({})), "application/json");
    exchange.respond(
        Response::grpc()
            .message(everything(json!({ "int32Value": 1 })))
            .trailer("grpc-status", "8"),
    );
    let answer = exchange.answer().json();
    assert_eq!(
        (&answer[0], &answer[1]["error"]["code"]),
        (&json!({ "int32Value": 1 }), &json!(8))
    );
}

#[test]
fn a_bad_frame_ends_a_stream_with_an_error_and_the_rest_is_dropped() {
    let exchange = list(&kong(json!({})), "application/json");
    exchange.respond(
        Response::grpc()
            .chunk(frame(0x40, b"?"))
            .chunk("raw gRPC")
            .trailer("grpc-status", "0"),
    );
    let answer = exchange.answer();
    assert_eq!(answer.json()[0]["error"]["code"], 14);
    assert!(!answer.text().contains("raw gRPC"));
}

#[test]
fn a_last_part_is_never_made_empty() {
    let body = frame(0, &everything(json!({ "int32Value": 1 })));
    let exchange = list(&kong(json!({})), "application/x-ndjson");
    let length = body.len().to_string();
    exchange.respond(
        Response::grpc()
            .header("content-length", length)
            .chunk(&body[..3])
            .chunk(&body[3..]),
    );
    assert_ne!(exchange.progress(), Progress::Hangs);
}

#[test]
fn raw_bytes_stream_as_they_are() {
    let exchange = kong(json!({})).request(Request::get("/v1/raw-stream/a").method_in_front("POST"));
    let part = |data: &str| {
        crate::kit::message(
            "google.api.HttpBody",
            json!({ "contentType": "text/plain", "data": base64(data) }),
        )
    };
    exchange.respond(
        Response::grpc()
            .message(part("one"))
            .message(part("two"))
            .trailer("grpc-status", "0"),
    );
    assert_eq!(exchange.answer().text(), "onetwo");
    // The first message, which says it, comes when the headers are gone.
    assert_eq!(
        exchange.answer().headers.get("content-type"),
        Some("application/octet-stream")
    );
}

#[test]
fn raw_bytes_are_not_called_json() {
    let exchange = kong(json!({})).request(Request::get("/v1/raw/a").method_in_front("POST"));
    let body = json!({ "contentType": "text/plain", "data": base64("one") });
    exchange.respond(Response::ok(crate::kit::message("google.api.HttpBody", body)));
    let answer = exchange.answer();
    assert_eq!(answer.text(), "one");
    assert_eq!(answer.headers.get("content-type"), Some("application/octet-stream"));
}

// From Kong's own plugin

/// The service of its documentation, as docs/from-kong.md has it changed.
const OLD_SERVICE: &str = r#"
  rpc SayHello(Hello) returns (Hello) {
    option (google.api.http) = {
      get: "/v1/messages/{first_name}"
      additional_bindings { get: "/v1/messages/legacy/{first_name=**}" }
      additional_bindings { post: "/v1/messages/**" body: "*" }
    };
  }"#;

fn old_proto(service: &str, more: &str) -> String {
    format!(
        r#"syntax = "proto3"; package hello;
        import "google/api/annotations.proto";
        import "google/protobuf/timestamp.proto";
        service HelloService {{ {service} }}
        message Hello {{ string first_name = 1; int64 count = 2; google.protobuf.Timestamp when = 3; }} {more}"#
    )
}

#[test]
fn clients_of_kongs_own_plugin_have_their_json_with_the_settings() {
    let json = json!({
        "preserve_proto_field_names": true,
        "always_print_fields_with_no_presence": true,
        "unquote_int64_if_possible": true,
    });
    let configuration = json!({ "proto": old_proto(OLD_SERVICE, ""), "json": json });
    let gateway = Host::kong().load(&configuration.to_string()).unwrap();
    let exchange = gateway.request(Request::post("/v1/messages/").json(r#"{"first_name": "Ada"}"#));
    assert_eq!(exchange.forwarded().messages(), [b"\x0a\x03Ada"]);
    exchange.respond(Response::ok([0x10, 0x05]));
    assert_eq!(exchange.answer().text().trim_end(), r#"{"first_name":"","count":5}"#);

    let zoneless = r#"{"when": "2026-01-02T03:04:05"}"#;
    assert_eq!(
        error(&gateway.request(Request::post("/v1/messages/").json(zoneless))).0,
        400
    );
    let exchange = gateway.request(Request::post("/v1/messages/").json("{}"));
    exchange.respond(Response::error(12, "not yet"));
    assert_eq!(error(&exchange), (501, 12, "not yet".to_owned()));
}

#[test]
fn what_the_parser_of_kongs_own_plugin_lets_pass_is_refused_with_its_place() {
    let rule =
        |rule: &str| format!("rpc SayHello(Hello) returns (Hello) {{ option (google.api.http) = {{ {rule} }}; }}");
    let both = rule(r#"get: "/v1/{first_name}" post: "/v1" body: "*""#);
    let nested = rule(r#"get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }"#);
    let import = r#"import "google/api/annotations.proto";"#;
    for (text, expected) in [
        (
            old_proto(OLD_SERVICE, "").replace(import, ""),
            "google/api/annotations.proto, which is not imported",
        ),
        (old_proto(OLD_SERVICE, "").replace("};", "}"), "expected ';'"),
        (
            old_proto(&rule(r#"post: "/v1/messages/" body: "*""#), ""),
            "path `/v1/messages/`: expected a segment",
        ),
        (old_proto(&both, ""), "already set for oneof 'pattern'"),
        (
            old_proto(&nested, ""),
            "no additional_bindings within additional_bindings",
        ),
        (
            old_proto(OLD_SERVICE, "message M { required int32 a = 1; }"),
            "required fields are not allowed",
        ),
        (
            old_proto(OLD_SERVICE, "message M { int32 a = 1 [default = 1]; }"),
            "default values are not allowed",
        ),
        (
            old_proto(OLD_SERVICE, "enum E { A = 1; }"),
            "the first value for proto3 enums must be 0",
        ),
        (
            old_proto(OLD_SERVICE, "enum E { A = 0; } enum F { A = 0; }"),
            "'hello.A' is defined twice",
        ),
        (
            old_proto(OLD_SERVICE, "message M { int32 a_b = 1; int32 aB = 2; }"),
            "camel-case name",
        ),
        (
            old_proto(OLD_SERVICE, "message M { repeated map<int32, int32> a = 1; }"),
            "map fields cannot have labels",
        ),
        (
            old_proto(OLD_SERVICE, "message M { reserved 1; int32 a = 1; }"),
            "conflicts with reserved range",
        ),
    ] {
        let refused = Host::envoy()
            .load(&json!({ "proto": text }).to_string())
            .map(drop)
            .unwrap_err();
        let log = format!("{refused:?}");
        assert!(log.contains(expected), "{text}: expected {expected:?}, found {log}");
    }
}

// Failures

#[test]
fn a_bad_configuration_answers_every_request_with_its_error() {
    let gateway = Host::kong()
        .load(&json!({ "proto": schema::PROTO, "dispach": "auto" }).to_string())
        .unwrap();
    // Nothing beside the error: a property that there is only in a request would be a line of its own.
    let log = gateway.log();
    assert!(log.len() == 1 && log[0].contains("dispach"), "{log:#?}");
    for request in [
        Request::get("/v1/echo"),
        Request::post("/v1/echo").json("{}"),
        Request::post("/a.B/C")
            .header("content-type", "application/grpc")
            .chunk("x")
            .http2(),
    ] {
        let (status, code, message) = error(&gateway.request(request));
        assert_eq!((status, code), (500, 13));
        assert!(message.contains("dispach"), "{message}");
    }
}

#[test]
fn no_configuration_at_all_is_a_bad_one() {
    let gateway = Host::kong().load("").unwrap();
    let (status, code, _) = error(&gateway.request(Request::post("/v1/echo").json("{}")));
    assert_eq!((status, code), (500, 13));
}

#[test]
fn what_kong_cannot_do_is_a_configuration_error() {
    for (more, names) in [
        (json!({ "dispatch": "call" }), "dispatch: call"),
        (json!({ "upstream": { "cluster": "a" } }), "upstream.cluster"),
        (json!({ "upstream": { "authority": "a" } }), "upstream.authority"),
        (json!({ "upstream": { "grpc_web": true } }), "upstream.grpc_web"),
        (
            json!({ "upstream": { "connect_bridge": true } }),
            "upstream.connect_bridge",
        ),
        (
            json!({ "hooks": { "cluster": "a", "pre": [{ "name": "p" }] } }),
            "hooks: Kong has no gRPC calls",
        ),
        (
            json!({ "bodyless": "call", "upstream": { "cluster": "a", "grpc_web": true } }),
            "bodyless: call; upstream.cluster; upstream.grpc_web",
        ),
    ] {
        let (status, _, message) = error(&kong(more).request(Request::post("/v1/echo").json("{}")));
        assert_eq!(status, 500);
        for name in names.split("; ") {
            assert!(message.contains(name), "{message}");
        }
    }
}

#[test]
fn a_request_whose_state_is_gone_fails_and_is_never_raw() {
    let gateway = kong(json!({}));
    // Before the response.
    let exchange = post(&gateway).after_trap();
    exchange.respond(Response::ok(everything(json!({ "stringValue": "secret" }))));
    assert_eq!((error(&exchange).0, error(&exchange).1), (500, 13));
    assert!(!exchange.answer().text().contains("secret"));
    // In its middle.
    let exchange = post(&gateway);
    exchange.respond_headers(&Response::grpc());
    let exchange = exchange.after_trap();
    exchange.respond_data(frame(0, &everything(json!({ "stringValue": "secret" }))), false);
    exchange.respond_trailers(&[("grpc-status", "0")]);
    assert_eq!(exchange.answer().json()["code"], 13);
}

#[test]
fn a_stream_whose_state_is_gone_ends_in_an_error_at_once() {
    let gateway = kong(json!({}));
    for (accept, first, error) in [
        ("application/x-ndjson", "{\"int32Value\":1}\n", "{\"error\":"),
        (
            "text/event-stream",
            "data: {\"int32Value\":1}\n\n",
            "event: error\ndata: {\"error\":",
        ),
    ] {
        let exchange = list(&gateway, accept);
        let message = |text: &str| frame(0, &everything(json!({ "int32Value": 1, "stringValue": text })));
        exchange.respond_headers(&Response::grpc());
        exchange.respond_data(message(""), false);
        let exchange = exchange.after_trap();
        exchange.respond_data(message("secret"), false);
        let said = exchange.so_far().text();
        assert!(said.starts_with(&format!("{first}{error}")), "{said}");
        exchange.respond_data(message("secret"), false);
        exchange.respond_trailers(&[("grpc-status", "0")]);
        assert_eq!(exchange.answer().text().trim_end(), said.trim_end());
    }
}

#[test]
fn an_answer_of_the_gateways_own_passes_where_the_state_is_gone() {
    let exchange = post(&kong(json!({}))).after_trap();
    exchange.respond(
        Response::new(502)
            .header("content-type", "application/json")
            .chunk("{}"),
    );
    assert_eq!(
        (exchange.answer().status(), exchange.answer().text()),
        (502, "{}".to_owned())
    );
}

#[test]
fn exchanges_keep_apart() {
    let gateway = kong(json!({}));
    let exchanges: Vec<Exchange> = (0..20)
        .map(|number| gateway.request(Request::post("/v1/echo").json(&json!({ "int32Value": number }).to_string())))
        .collect();
    for (number, exchange) in exchanges.iter().enumerate().rev() {
        assert_eq!(
            call_of(exchange).1,
            if number == 0 {
                json!({})
            } else {
                json!({ "int32Value": number })
            }
        );
        respond(exchange, json!({ "stringValue": number.to_string() }));
    }
    for (number, exchange) in exchanges.iter().enumerate() {
        assert_eq!(exchange.answer().json(), json!({ "stringValue": number.to_string() }));
    }
}

fn post(gateway: &Gateway) -> Exchange {
    gateway.request(Request::post("/v1/echo").json("{}"))
}

fn list(gateway: &Gateway, accept: &str) -> Exchange {
    gateway.request(Request::post("/v1/streams/a").json("{}").header("accept", accept))
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
