//! Requests without a body through a Connect bridge behind the module: what goes there, and what the client gets of its
//! answers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::compressed::ENCODINGS;
use crate::harness::{Exchange, Gateway, Host, Progress, Request, Response};
use crate::kit::{configuration, error, everything, gateway, message, works};
use crate::schema;

/// A gateway with a bridge, and what else its configuration says; nothing goes by a call unless it says so.
fn bridged(mut more: Value) -> Gateway {
    let mut upstream = json!({ "connect_bridge": true });
    if let Some(given) = more["upstream"].take().as_object() {
        upstream.as_object_mut().unwrap().extend(given.clone());
    }
    let mut configuration = json!({ "proto": schema::PROTO, "hold_headers": true });
    configuration
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    configuration["upstream"] = upstream;
    Host::envoy().load(&configuration.to_string()).unwrap()
}

/// The answer of a bridge to a call that went well.
fn ok(message: impl AsRef<[u8]>) -> Response {
    Response::new(200)
        .header("content-type", "application/proto")
        .chunk(message)
}

/// Its answer to one that failed.
fn failed(http_status: u16, body: &str) -> Response {
    Response::new(http_status)
        .header("content-type", "application/json")
        .chunk(body)
}

/// The message that a bridge finds in the path of what has gone on.
fn sent(exchange: &Exchange) -> (String, Value) {
    use base64::Engine as _;
    let forwarded = exchange.forwarded();
    assert!(forwarded.ended && forwarded.body().is_empty());
    assert_eq!(forwarded.headers.get(":method"), Some("GET"));
    assert_eq!(forwarded.headers.get("content-type"), None);
    let target = forwarded.headers.get(":path").unwrap();
    let (path, query) = target.split_once('?').unwrap();
    let message = query
        .strip_prefix("connect=v1&encoding=proto&base64=1&message=")
        .unwrap();
    let message = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(message).unwrap();
    let method = path.strip_prefix("/test.everything.").unwrap();
    (
        method.to_owned(),
        schema::to_json(&schema::method(path).input(), &message),
    )
}

#[test]
fn a_unary_request_without_a_body_goes_on_with_its_message_in_the_path() {
    let gateway = bridged(json!({}));
    let post = |path: &str| Request::post(path).header("content-length", "0");
    for (request, method, message) in [
        (Request::get("/v1/echo"), "Echo/Query", json!({})),
        (
            Request::get("/v1/echo?int32Value=7&bytesValue=-_8"),
            "Echo/Query",
            json!({ "int32Value": 7, "bytesValue": "+/8=" }),
        ),
        (
            Request::new("DELETE", "/v1/echo?int32Value=7"),
            "Echo/Query",
            json!({ "int32Value": 7 }),
        ),
        (Request::new("REPORT", "/v1/custom"), "Echo/Custom", json!({})),
        (
            Request::get("/v1/paths/a%20b%26message=x"),
            "Paths/Single",
            json!({ "id": "a b&message=x" }),
        ),
        (post("/v1/echo"), "Echo/Post", json!({})),
        (Request::post("/v1/echo"), "Echo/Post", json!({})),
        (
            Request::post("/v1/echo").header("content-type", "application/json"),
            "Echo/Post",
            json!({}),
        ),
        // A request that only turns out to have none.
        (
            Request::post("/v1/echo").trailer("x-checksum", "1"),
            "Echo/Post",
            json!({}),
        ),
    ] {
        let exchange = gateway.request(request.clone());
        assert_eq!(exchange.calls().len(), 0, "{request:?}");
        assert_eq!(sent(&exchange), (method.to_owned(), message), "{request:?}");
        exchange.respond(ok(""));
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.json()), (200, json!({})), "{request:?}");
    }
    // One with a body is gRPC's already.
    works(&gateway);
}

#[test]
fn what_a_bridge_cannot_carry_goes_another_way() {
    // Methods that stream, and requests with a body.
    let streams = [
        Request::get("/v1/streams"),
        Request::post("/v1/streams:collect").header("content-length", "0"),
    ];
    let gateway = bridged(json!({ "bodyless": "call", "upstream": { "cluster": "upstream" } }));
    for request in &streams {
        assert_eq!(gateway.request(request.clone()).calls().len(), 1, "{request:?}");
    }
    assert_eq!(sent(&gateway.request(Request::get("/v1/echo"))).0, "Echo/Query");
    let gateway = bridged(json!({}));
    for request in &streams {
        let (status, code, message) = error(&gateway.request(request.clone()));
        assert_eq!((status, code), (501, 12), "{request:?}: {message}");
        assert!(message.contains("Lua filter"), "{request:?}: {message}");
    }
}

#[test]
fn nothing_of_the_clients_speaks_to_the_bridge() {
    let gateway = bridged(json!({}));
    let headers = |request: Request| {
        request
            .header("connect-protocol-version", "1")
            .header("connect-timeout-ms", "1")
            .header("Connect-Accept-Encoding", "gzip")
            .header("accept-encoding", "gzip")
            .header("content-encoding", "identity")
            .header("grpc-encoding", "gzip")
            .header("x-connect-other", "kept")
            // Has what is good of other values be put back.
            .header("x-bad-bin", "*")
            .header("x-bad-bin", "AAEC")
    };
    for request in [
        Request::get("/v1/echo?connect=v1&message=CAE&base64=1&encoding=json&compression=gzip&int32Value=7")
            .header("content-type", "application/connect+proto"),
        Request::post("/v1/echo?connect=v1&message=CAE").json(r#"{"int32Value": 7}"#),
    ] {
        let request = headers(request);
        let exchange = gateway.request(request.clone());
        let forwarded = exchange.forwarded();
        for (name, value) in forwarded.headers.iter() {
            let name = String::from_utf8_lossy(name);
            assert!(
                !name.starts_with("connect-") && !name.ends_with("-encoding"),
                "{request:?}: {name}: {value:?}"
            );
        }
        assert_eq!(forwarded.headers.get("x-connect-other"), Some("kept"), "{request:?}");
        assert_eq!(forwarded.headers.all("x-bad-bin"), ["AAEC"], "{request:?}");
        let path = forwarded.headers.get(":path").unwrap();
        match forwarded.headers.get(":method") {
            Some("GET") => assert_eq!(sent(&exchange).1, json!({ "int32Value": 7 })),
            _ => assert_eq!(path, "/test.everything.Echo/Post"),
        }
    }
    // Without the setting they are metadata as any others.
    let exchange =
        crate::kit::gateway(json!({})).request(Request::post("/v1/echo").header("connect-timeout-ms", "1").json("{}"));
    assert_eq!(exchange.forwarded().headers.get("connect-timeout-ms"), Some("1"));
}

#[test]
fn authority_and_deadline_go_with_it() {
    let gateway = bridged(json!({ "upstream": { "authority": "books.test", "timeout": "7s" } }));
    let exchange = gateway.request(Request::get("/v1/echo"));
    let headers = exchange.forwarded().headers;
    assert_eq!(headers.get(":authority"), Some("books.test"));
    assert_eq!(headers.get("grpc-timeout"), Some("7S"));
    assert_eq!(headers.get("x-envoy-upstream-rq-timeout-ms"), Some("6980"));
    exchange.gateway_fails("response_timeout");
    assert_eq!(error(&exchange).0, 504);
}

#[test]
fn an_answer_may_come_in_any_of_the_bridges_forms() {
    let gateway = bridged(json!({}));
    // Headers alone are no message, but what they announce may have no bytes.
    let begin = || {
        let exchange = gateway.request(Request::get("/v1/echo"));
        exchange.respond_headers(&ok(""));
        exchange
    };
    let ends = [begin(), begin(), begin()];
    ends[0].respond_data("", true);
    ends[1].respond_data("", false);
    ends[1].respond_trailers(&[]);
    ends[2].respond_trailers(&[]);
    for (at, exchange) in ends.iter().enumerate() {
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.text().as_str()), (200, "{}"), "{at}");
        assert_eq!(answer.headers.get("content-type"), Some("application/json"), "{at}");
    }
    let exchange = begin();
    exchange.respond_data(everything(json!({ "int32Value": 8 })), false);
    exchange.respond_trailers(&[]);
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 8 }));
}

#[test]
fn what_is_no_answer_of_a_bridge_is_told_as_what_it_is() {
    let gateway = bridged(json!({}));
    let cases = [
        (
            Response::new(200).header("content-type", "application/proto"),
            502,
            14,
            "without a message",
        ),
        (ok("\u{18}"), 502, 14, "malformed message"),
        (
            Response::new(200)
                .header("content-type", "application/json")
                .chunk("{}"),
            502,
            14,
            "instead of gRPC",
        ),
        (Response::new(200), 502, 14, "instead of gRPC"),
        (
            Response::new(503).header("content-type", "text/html").chunk("<html>"),
            503,
            14,
            "instead of gRPC",
        ),
        (failed(404, "{\"code\":404}"), 501, 12, "instead of gRPC"),
        (failed(403, "forbidden"), 403, 7, "instead of gRPC"),
        (failed(403, ""), 403, 7, "instead of gRPC"),
        (Response::grpc(), 502, 14, "no grpc-status"),
        // gRPC itself: nobody has translated.
        (Response::ok(""), 501, 12, "connect_grpc_bridge"),
        (Response::error(12, "unknown method"), 501, 12, "connect_grpc_bridge"),
    ];
    for (response, status, code, part) in cases {
        let exchange = gateway.request(Request::get("/v1/echo"));
        exchange.respond(response.clone());
        let (found, found_code, message) = error(&exchange);
        assert_eq!((found, found_code), (status, code), "{response:?}: {message}");
        assert!(message.contains(part), "{response:?}: {message}");
    }
    // More than one part was never the bridge's.
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.respond_headers(&ok(""));
    exchange.respond_data(everything(json!({ "int32Value": 8 })), false);
    exchange.respond_data(everything(json!({ "stringValue": "x" })), true);
    assert_eq!(exchange.progress(), Progress::Reset);
}

#[test]
fn an_error_is_the_services_own() {
    let detail = json!({ "type": "google.rpc.ErrorInfo", "value": "CgFSEgFk" });
    let body = json!({ "code": "deadline_exceeded", "message": "100%25", "details": [detail] }).to_string();
    let expected = json!({
        "code": 4,
        "message": "100%",
        "details": [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R", "domain": "d" }],
    });
    for held in [true, false] {
        let gateway = bridged(json!({ "hold_headers": held }));
        let exchange = gateway.request(Request::get("/v1/echo"));
        exchange.respond(failed(408, &body).header("trailer-x-a", "1").header("x-b", "2"));
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.json()), (504, expected.clone()), "{held}");
        assert_eq!(answer.headers.get("content-type"), Some("application/json"), "{held}");
        assert_eq!(answer.headers.get("x-b"), Some("2"), "{held}");
        assert_eq!(answer.headers.get("trailer-x-a"), None, "{held}");
        assert_eq!(answer.headers.get("x-a"), Some("1"), "{held}");
    }
}

/// The bridge looks for a status in the trailers alone, and leaves one in the headers there where a body follows.
#[test]
fn a_status_among_the_headers_counts() {
    let gateway = bridged(json!({}));
    let message = everything(json!({ "int32Value": 8 }));
    for body in [Vec::new(), message.clone()] {
        let with = |status: &str| {
            let exchange = gateway.request(Request::get("/v1/echo"));
            let answer = ok("").header("grpc-status", status).header("grpc-message", "no%20such");
            exchange.respond_headers(&answer.header("x-kept", "1"));
            exchange.respond_data(&body, true);
            exchange
        };
        let exchange = with("5");
        assert_eq!(error(&exchange), (404, 5, "no such".to_owned()));
        assert_eq!(exchange.answer().headers.get("x-kept"), Some("1"));
        assert_eq!(error(&with("odd")).0, 502);
        assert_eq!(with("0").answer().status(), 200);
    }
}

#[test]
fn trailing_metadata_are_headers_and_may_choose_the_status() {
    let gateway = bridged(json!({}));
    let message = everything(json!({}));
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.respond(
        ok(&message)
            .header("x-initial", "i")
            .header("grpc-accept-encoding", "gzip")
            .header("trailer-x-trailing", "1")
            .header("trailer-x-trailing", "2")
            .header("trailer-x-blob-bin", "AAEC")
            .header("trailer-content-length", "5")
            .header("trailer-grpc-status", "5")
            .header("trailer-x-http-code", "201"),
    );
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.json()), (201, json!({})));
    assert_eq!(answer.headers.get("x-initial"), Some("i"));
    assert_eq!(answer.headers.all("x-trailing"), ["1", "2"]);
    assert_eq!(answer.headers.get("x-blob-bin"), Some("AAEC"));
    for (name, _) in answer.headers.iter() {
        let name = String::from_utf8_lossy(name);
        assert!(!name.starts_with("trailer-") && !name.starts_with("grpc-"), "{name}");
    }
    // Without content there is none, whatever the message.
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.respond(ok(everything(json!({ "int32Value": 1 }))).header("trailer-x-http-code", "204"));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.body()), (204, Vec::new()));
}

#[test]
fn raw_bodies_and_compressed_messages_are_read() {
    let gateway = bridged(json!({}));
    let raw = message(
        "google.api.HttpBody",
        json!({ "contentType": "image/png", "data": "iVBORw==" }),
    );
    let exchange = gateway.request(Request::get("/v1/raw/7"));
    exchange.respond(ok(raw));
    let answer = exchange.answer();
    assert_eq!(answer.headers.get("content-type"), Some("image/png"));
    assert_eq!(answer.body(), b"\x89PNG");

    let text = json!({ "stringValue": "x".repeat(5000) });
    for (encoding, compress) in ENCODINGS {
        let exchange = gateway.request(Request::get("/v1/echo"));
        exchange.respond(ok(compress(&everything(text.clone()))).header("content-encoding", encoding));
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.json()), (200, text.clone()), "{encoding}");
        assert_eq!(answer.headers.get("content-encoding"), None);
    }
    for encoding in ["br", "gzip"] {
        let exchange = gateway.request(Request::get("/v1/echo"));
        exchange.respond(ok("no such").header("content-encoding", encoding));
        let (status, _, message) = error(&exchange);
        assert!(status == 502 && message.contains(encoding), "{status} {message}");
    }
}

#[test]
fn limits_hold() {
    for limit in ["max_response_bytes", "max_message_bytes"] {
        let gateway = bridged(json!({ "limits": { limit: 100 } }));
        for (length, expected) in [(60, 200), (200, 502)] {
            let exchange = gateway.request(Request::get("/v1/echo"));
            exchange.respond(ok(everything(json!({ "stringValue": "x".repeat(length) }))));
            assert_eq!(exchange.answer().status(), expected, "{limit} {length}");
        }
    }
    let gateway = bridged(json!({ "limits": { "max_message_bytes": 100 } }));
    let request = Request::get(&format!("/v1/echo?stringValue={}", "x".repeat(200)));
    let (status, _, message) = error(&gateway.request(request));
    assert!(
        status == 413 && message.contains("limits.max_message_bytes"),
        "{status} {message}"
    );
}

#[test]
fn where_headers_are_not_held_the_status_is_the_nearest_that_is_known() {
    let gateway = bridged(json!({ "hold_headers": false }));
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.respond(ok(everything(json!({ "int32Value": 1 }))).header("trailer-x-http-code", "201"));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.json()), (201, json!({ "int32Value": 1 })));
    for (bridges, name, ours) in [
        (400, "out_of_range", 400),
        (404, "not_found", 404),
        (408, "deadline_exceeded", 504),
        (412, "failed_precondition", 400),
        (500, "internal", 500),
        // What the bridge's tells no more apart.
        (404, "unimplemented", 404),
        (408, "canceled", 504),
    ] {
        let exchange = gateway.request(Request::get("/v1/echo"));
        exchange.respond(failed(bridges, &json!({ "code": name }).to_string()));
        assert_eq!(exchange.answer().status(), ours, "{name}");
    }
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.respond(ok("\u{18}"));
    assert_eq!(exchange.answer().json()["code"], 14);
}

#[test]
fn head_has_no_body() {
    let rule = json!([{ "selector": "test.everything.Echo.Query", "custom": { "kind": "HEAD", "path": "/v1/head" } }]);
    let gateway = bridged(json!({ "http_rules": rule }));
    let exchange = gateway.request(Request::new("HEAD", "/v1/head"));
    assert_eq!(sent(&exchange).0, "Echo/Query");
    exchange.respond(ok(everything(json!({ "int32Value": 1 }))));
    let answer = exchange.so_far();
    assert!(answer.ended);
    assert_eq!((answer.status(), answer.body()), (200, Vec::new()));
    assert_eq!(answer.headers.get("content-length"), Some("16"));
}

/// What passes untouched comes to the bridge, which knows Connect's requests by little.
#[test]
fn connect_clients_pass_as_grpc_clients_do() {
    let served = "/test.everything.Echo/Post";
    let connect = |request: Request| request.header("connect-protocol-version", "1");
    let preflight = |request: Request| {
        request
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "GET")
    };
    let upgrade = |request: Request| request.header("connection", "upgrade").header("upgrade", "websocket");
    let get = format!("{served}?connect=v1&encoding=json&message=%7B%7D");
    let (hidden, hidden_get) = (
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Check?connect=v1",
    );
    let proto = |request: Request| request.header("content-type", "application/proto").body("x");
    let streams = |request: Request| request.header("content-type", "application/connect+proto").body("x");
    // (request, with native_grpc: served, with reject)
    let cases = [
        (Request::get(&get), true, false),
        (Request::new("DELETE", &get), true, false),
        (Request::get(hidden_get), false, false),
        (
            Request::get("/grpc.health.v1.Health/Check?x&c%6Fnnect=%761"),
            false,
            false,
        ),
        (connect(proto(Request::post(served))), true, false),
        (connect(proto(Request::post(hidden))), false, false),
        (connect(Request::post(hidden).json("{}")), false, false),
        // The bridge leaves the query there, and some services look at what is before it.
        (connect(proto(Request::post(&format!("{served}?a=b")))), false, false),
        (streams(Request::post(served)), true, false),
        (streams(Request::post(hidden)), false, false),
        (preflight(Request::new("OPTIONS", hidden_get)), false, false),
        (upgrade(Request::get(hidden_get)), false, false),
        // None for the bridge.
        (Request::get("/grpc.health.v1.Health/Check?message=x"), true, true),
        (proto(Request::post(hidden)), true, true),
        (preflight(Request::new("OPTIONS", hidden)), true, true),
        (upgrade(Request::get(hidden)), true, true),
    ];
    for (policy, at) in [("pass_through", None), ("served", Some(0)), ("reject", Some(1))] {
        let passing = json!({ "unmatched": "pass_through", "native_grpc": policy });
        let (bridged, plain) = (bridged(passing.clone()), gateway(passing));
        for (request, with_served, with_reject) in &cases {
            let expected = at.is_none_or(|at| [*with_served, *with_reject][at]);
            let exchange = bridged.request(request.clone());
            let passes = exchange.progress() == Progress::WaitsForUpstream;
            assert_eq!(passes, expected, "{policy} {request:?}");
            if !passes {
                bridged.advance(Duration::from_millis(1));
                assert_eq!(exchange.answer().status(), 404, "{policy} {request:?}");
            }
            // Without a bridge they are requests as any others.
            let progress = plain.request(request.clone()).progress();
            assert_eq!(progress, Progress::WaitsForUpstream, "{policy} {request:?}");
        }
    }
}

/// What follows it may never end.
#[test]
fn an_upgrade_that_may_not_pass_is_answered_at_once() {
    for unmatched in ["pass_through", "reject"] {
        let gateway = bridged(json!({ "unmatched": unmatched, "native_grpc": "reject" }));
        for target in ["/grpc.health.v1.Health/Check?connect=v1", "/v1/echo?connect=v1"] {
            let upgrade = Request::get(target)
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .open();
            let exchange = gateway.request(upgrade);
            gateway.advance(Duration::from_millis(1));
            assert_eq!(exchange.progress(), Progress::Answered, "{unmatched} {target}");
            assert_eq!(exchange.answer().status(), 404, "{unmatched} {target}");
        }
    }
}

#[test]
fn a_bridge_is_of_no_use_to_calls() {
    let refused = Host::envoy()
        .load(&configuration(json!({
            "dispatch": "call",
            "upstream": { "connect_bridge": true, "cluster": "upstream" },
        })))
        .err()
        .unwrap();
    let log = refused.log.join("\n");
    assert!(
        log.contains("upstream.connect_bridge: expected false with dispatch: call"),
        "{log}"
    );
    let upstream = json!({ "bridge_bodies": true });
    let refused = Host::envoy().load(&configuration(json!({ "upstream": upstream })));
    let log = refused.err().unwrap().log.join("\n");
    assert!(
        log.contains("upstream.bridge_bodies: expected false without upstream.connect_bridge: true"),
        "{log}"
    );
}
