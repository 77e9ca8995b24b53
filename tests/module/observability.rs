//! What an operator sees: metrics, properties for access logs, log lines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Exchange, Gateway, Host, HostCall, Request, Response, frame};
use crate::kit::{configuration, everything, gateway, works};

/// A word that only bodies, queries and messages of errors have.
const SECRET: &str = "hunter2";

/// The counters, and how many values each histogram has.
fn counters(gateway: &Gateway) -> BTreeMap<String, u64> {
    // They are handed over at a tick.
    gateway.advance(Duration::from_secs(1));
    let metrics = gateway.metrics().into_iter();
    metrics
        .map(|(name, values)| match name.ends_with("_us") {
            true => (name, values.len() as u64),
            false => (name, values.iter().sum()),
        })
        .collect()
}

fn table(entries: &[(&str, u64)]) -> BTreeMap<String, u64> {
    entries
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect()
}

fn shown(exchange: &Exchange) -> (Option<String>, Option<String>) {
    (
        exchange.property(&["protobridge.grpc_method"]),
        exchange.property(&["protobridge.grpc_status"]),
    )
}

fn some(method: &str, status: &str) -> (Option<String>, Option<String>) {
    (Some(format!("test.everything.{method}")), Some(status.to_owned()))
}

#[test]
fn requests_bytes_and_time_are_counted() {
    let gateway = gateway(json!({}));
    let (request, response) = (r#"{"int32Value": 1}"#, everything(json!({ "int32Value": 300 })));
    let exchange = gateway.request(Request::post("/v1/echo").json(request));
    exchange.respond(Response::ok(&response));
    let (sent, answer) = (exchange.forwarded().body(), exchange.answer().body());
    let expected = [
        ("protobridge.requests.test.everything.Echo.Post.OK", 1),
        ("protobridge.downstream_rx_bytes", request.len() as u64),
        ("protobridge.upstream_tx_bytes", sent.len() as u64),
        ("protobridge.upstream_rx_bytes", response.len() as u64 + 5),
        ("protobridge.downstream_tx_bytes", answer.len() as u64),
        ("protobridge.filter_time_us", 1),
    ];
    assert_eq!(counters(&gateway), table(&expected));
}

#[test]
fn a_call_counts_like_a_request_in_place() {
    let gateway = gateway(json!({ "dispatch": "call", "access_log": true }));
    let message = everything(json!({ "int32Value": 300 }));
    let exchange = gateway.request(Request::get("/v1/echo?int32Value=1"));
    exchange.respond(Response::ok(&message));
    let answer = exchange.answer().body();
    let expected = [
        ("protobridge.requests.test.everything.Echo.Query.OK", 1),
        ("protobridge.upstream_tx_bytes", 2),
        ("protobridge.upstream_rx_bytes", message.len() as u64),
        ("protobridge.downstream_tx_bytes", answer.len() as u64),
        ("protobridge.filter_time_us", 1),
    ];
    assert_eq!(counters(&gateway), table(&expected));
    assert_eq!(shown(&exchange), some("Echo/Query", "OK"));
}

/// What is counted of one exchange, bytes and time apart, and what an access log can print.
fn outcome(
    gateway: &Gateway,
    exchange: impl FnOnce(&Gateway) -> Exchange,
) -> (BTreeMap<String, u64>, (Option<String>, Option<String>)) {
    let before = counters(gateway);
    let exchange = exchange(gateway);
    let mut counted = counters(gateway);
    counted.retain(|name, value| {
        *value -= before.get(name).copied().unwrap_or_default();
        *value > 0 && !name.contains("bytes") && !name.ends_with("_us")
    });
    (counted, shown(&exchange))
}

#[test]
fn every_end_has_its_method_status_and_reason() {
    type Case = (
        &'static str,
        fn(&Gateway) -> Exchange,
        (Option<String>, Option<String>),
        &'static [&'static str],
    );
    let cases: [Case; 15] = [
        (
            "the service's own error",
            |gateway| {
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.respond(Response::error(5, SECRET));
                exchange
            },
            some("Echo/Post", "NOT_FOUND"),
            &["protobridge.requests.test.everything.Echo.Post.NOT_FOUND"],
        ),
        (
            "no such path",
            |gateway| answered(gateway.request(Request::get("/nowhere"))),
            (None, Some("NOT_FOUND".to_owned())),
            &[
                "protobridge.errors.no_route",
                "protobridge.requests.unmatched.NOT_FOUND",
            ],
        ),
        (
            "another HTTP method",
            |gateway| answered(gateway.request(Request::new("PUT", "/v1/echo").json("{}"))),
            (None, Some("UNIMPLEMENTED".to_owned())),
            &[
                "protobridge.errors.wrong_method",
                "protobridge.requests.unmatched.UNIMPLEMENTED",
            ],
        ),
        (
            "a body that is no message",
            |gateway| answered(gateway.request(Request::post("/v1/echo").json(r#"{"int32Value": "hunter2"}"#))),
            some("Echo/Post", "INVALID_ARGUMENT"),
            &[
                "protobridge.errors.bad_body",
                "protobridge.requests.test.everything.Echo.Post.INVALID_ARGUMENT",
            ],
        ),
        (
            "a parameter that doesn't fit",
            |gateway| answered(gateway.request(Request::get("/v1/echo?int32Value=hunter2"))),
            some("Echo/Query", "INVALID_ARGUMENT"),
            &[
                "protobridge.errors.bad_parameter",
                "protobridge.requests.test.everything.Echo.Query.INVALID_ARGUMENT",
            ],
        ),
        (
            "a header that the filter reads",
            |gateway| {
                let request = Request::post("/v1/echo").header("grpc-timeout", "soon").json("{}");
                answered(gateway.request(request))
            },
            some("Echo/Post", "INVALID_ARGUMENT"),
            &[
                "protobridge.errors.bad_header",
                "protobridge.requests.test.everything.Echo.Post.INVALID_ARGUMENT",
            ],
        ),
        (
            "a form that the filter doesn't read",
            |gateway| {
                let request = Request::post("/v1/echo")
                    .header("content-type", "text/plain")
                    .body(SECRET);
                answered(gateway.request(request))
            },
            some("Echo/Post", "INVALID_ARGUMENT"),
            &[
                "protobridge.errors.media_type",
                "protobridge.requests.test.everything.Echo.Post.INVALID_ARGUMENT",
            ],
        ),
        (
            "too much",
            |gateway| {
                let body = format!(r#"{{"stringValue": "{}"}}"#, SECRET.repeat(300));
                answered(gateway.request(Request::post("/v1/echo").json(&body)))
            },
            some("Echo/Post", "RESOURCE_EXHAUSTED"),
            &[
                "protobridge.errors.too_large",
                "protobridge.requests.test.everything.Echo.Post.RESOURCE_EXHAUSTED",
            ],
        ),
        (
            "an answer that is no message",
            |gateway| {
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.respond(Response::ok([0xff; 3]));
                exchange
            },
            some("Echo/Post", "UNAVAILABLE"),
            &[
                "protobridge.errors.bad_answer",
                "protobridge.requests.test.everything.Echo.Post.UNAVAILABLE",
            ],
        ),
        (
            "no connection",
            |gateway| {
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.gateway_fails("upstream_reset_before_response_started{connection_refused}");
                exchange
            },
            some("Echo/Post", "UNAVAILABLE"),
            &[
                "protobridge.errors.unreachable",
                "protobridge.requests.test.everything.Echo.Post.UNAVAILABLE",
            ],
        ),
        (
            "no route",
            |gateway| {
                let details = [(vec!["response", "code_details"], &b"route_not_found"[..])];
                let exchange = gateway.request_with(&details, Request::post("/v1/echo").json("{}"));
                exchange.respond(Response::new(404));
                exchange
            },
            some("Echo/Post", "UNIMPLEMENTED"),
            &[
                "protobridge.errors.unrouted",
                "protobridge.requests.test.everything.Echo.Post.UNIMPLEMENTED",
            ],
        ),
        (
            "a client that leaves",
            |gateway| {
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.client_leaves();
                exchange
            },
            some("Echo/Post", "CANCELLED"),
            &["protobridge.requests.test.everything.Echo.Post.CANCELLED"],
        ),
        (
            "a stream that ends well",
            |gateway| {
                let exchange = gateway.request(Request::post("/v1/streams/a").json("{}"));
                exchange.respond(Response::ok(everything(json!({ "int32Value": 1 }))));
                exchange
            },
            some("Streams/List", "OK"),
            &["protobridge.requests.test.everything.Streams.List.OK"],
        ),
        (
            "a stream whose last element is an error",
            |gateway| {
                let request = Request::post("/v1/streams/a").header("accept", "application/x-ndjson");
                let exchange = gateway.request(request.json("{}"));
                exchange.respond_headers(&Response::grpc().chunk(""));
                exchange.respond_data(frame(0, &everything(json!({ "int32Value": 1 }))), false);
                exchange.respond_trailers(&[("grpc-status", "8"), ("grpc-message", SECRET)]);
                exchange
            },
            some("Streams/List", "RESOURCE_EXHAUSTED"),
            &["protobridge.requests.test.everything.Streams.List.RESOURCE_EXHAUSTED"],
        ),
        (
            "native gRPC, which is none of ours",
            |gateway| {
                let request = Request::post("/test.everything.Echo/Post").header("content-type", "application/grpc");
                let exchange = gateway.request(request.body(frame(0, b"")));
                exchange.respond(Response::ok(b""));
                exchange
            },
            (None, None),
            &[],
        ),
    ];
    let settings = json!({
        "limits": { "max_request_bytes": 1000 },
        "upstream": { "grpc_web": false },
        "access_log": true,
        "log_level": "debug",
    });
    let gateway = gateway(settings);
    works(&gateway);
    for (case, exchange, expected, metrics) in cases {
        let (counted, shown) = outcome(&gateway, exchange);
        assert_eq!(shown, expected, "{case}");
        let metrics: Vec<_> = metrics.iter().map(|name| (*name, 1)).collect();
        assert_eq!(counted, table(&metrics), "{case}");
    }
    let log = gateway.log().join("\n");
    assert!(
        log.contains("test.everything.Echo/Post: INVALID_ARGUMENT (bad_body)"),
        "{log}"
    );
    assert!(!log.contains(SECRET), "{log}");
}

fn answered(exchange: Exchange) -> Exchange {
    exchange.answer();
    exchange
}

#[test]
fn one_exchange_in_sixteen_is_timed() {
    let gateway = gateway(json!({}));
    for _ in 0..33 {
        works(&gateway);
    }
    assert_eq!(gateway.metrics()["protobridge.filter_time_us"].len(), 3);
}

#[test]
fn metrics_can_be_left_out() {
    let gateway = gateway(json!({ "metrics": false }));
    works(&gateway);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(gateway.metrics(), BTreeMap::new());
}

#[test]
fn the_log_says_as_much_as_is_asked_for() {
    // The request's own line, and the one for the operator.
    for (level, expected) in [("error", 0), ("warn", 1), ("info", 1), ("debug", 2)] {
        let gateway = gateway(json!({ "log_level": level }));
        works(&gateway);
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::ok([0xff; 3]));
        let log = gateway.log();
        let lines = log.iter().filter(|line| line.contains("test.everything.Echo/Post: "));
        assert_eq!(lines.count(), expected, "{level}: {log:?}");
    }
}

#[test]
fn a_failing_upstream_does_not_flood_the_log() {
    let gateway = gateway(json!({}));
    let fail = || {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::ok([0xff; 3]));
    };
    for _ in 0..100 {
        fail();
    }
    gateway.advance(Duration::from_secs(1));
    fail();
    let line = "Warn: test.everything.Echo/Post: UNAVAILABLE (bad_answer)";
    let expected = [line.to_owned(), format!("{line}, and 99 more since the last warning")];
    let log = gateway.log();
    let warnings: Vec<_> = log.iter().filter(|line| line.starts_with("Warn")).collect();
    assert_eq!(warnings, expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_method_without_a_route_is_warned_of() {
    let gateway = gateway(json!({}));
    let details = [(vec!["response", "code_details"], &b"route_not_found"[..])];
    let exchange = gateway.request_with(&details, Request::post("/v1/echo").json("{}"));
    exchange.respond(Response::new(404));
    let line = "Warn: test.everything.Echo/Post: UNIMPLEMENTED (unrouted)";
    assert!(gateway.log().iter().any(|logged| logged == line), "{:?}", gateway.log());
}

// Kong

/// The variables that docs/operation.md has in nginx's configuration.
const VARIABLES: &[&str] = &["protobridge_grpc_method", "protobridge_grpc_status"];

fn kong(host: Host, more: Value) -> Gateway {
    let mut configuration: Value = serde_json::from_str(&configuration(more)).unwrap();
    for key in ["upstream", "bodyless"] {
        configuration.as_object_mut().unwrap().remove(key);
    }
    host.load(&configuration.to_string()).unwrap()
}

fn in_kong(exchange: &Exchange) -> (Option<String>, Option<String>) {
    (
        exchange.property(&["ngx", VARIABLES[0]]),
        exchange.property(&["ngx", VARIABLES[1]]),
    )
}

#[test]
fn kong_counts_where_it_is_asked_to() {
    let gateway = kong(Host::kong(), json!({}));
    works(&gateway);
    assert_eq!(gateway.metrics(), BTreeMap::new(), "older ones trap");

    let gateway = kong(Host::kong(), json!({ "metrics": true }));
    works(&gateway);
    let counted = counters(&gateway);
    assert_eq!(counted["requests.test.everything.Echo.Post.OK"], 1);
    assert_eq!(
        counted.get("filter_time_us"),
        None,
        "its clock stands still in a filter"
    );
    assert!(counted["downstream_rx_bytes"] > 0 && counted["downstream_tx_bytes"] > 0);
}

#[test]
fn kong_has_no_more_series_than_its_memory_holds() {
    let methods: String = (0..1100)
        .map(|number| format!("rpc M{number}(M) returns (M);"))
        .collect();
    let proto = format!("syntax = \"proto3\"; package p; message M {{}} service S {{ {methods} }}");
    let long = format!("L{}", "o".repeat(200));
    let proto = format!("{proto} service {long} {{ rpc M(M) returns (M); }}");
    let configuration = json!({ "proto": proto, "metrics": true }).to_string();
    let gateway = Host::kong().load(&configuration).unwrap();
    let request = |path: &str| gateway.request(Request::post(path).json("[]")).answer();
    request(&format!("/p.{long}/M"));
    for number in 0..1100 {
        request(&format!("/p.S/M{number}"));
    }
    let counted = counters(&gateway);
    let series = counted.keys().filter(|name| name.starts_with("requests.p.S.M"));
    assert_eq!(series.count(), 1000);
    assert_eq!(counted["requests.other.INVALID_ARGUMENT"], 101);
    assert!(counted.keys().all(|name| name.len() <= 230), "{counted:?}");
}

#[test]
fn kong_shows_method_and_status_in_variables() {
    let gateway = kong(Host::kong().with_variables(VARIABLES), json!({ "access_log": true }));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    assert_eq!(in_kong(&exchange), some("Echo/Post", "CANCELLED"), "a client may leave");
    exchange.respond(Response::ok(everything(json!({}))));
    assert_eq!(in_kong(&exchange), some("Echo/Post", "OK"));

    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(Response::error(5, "no such thing"));
    assert_eq!(in_kong(&exchange), some("Echo/Post", "NOT_FOUND"));

    let exchange = gateway.request(Request::post("/v1/echo").json("[]"));
    assert_eq!(in_kong(&exchange), some("Echo/Post", "INVALID_ARGUMENT"));

    let exchange = gateway.request(Request::post("/nowhere").json("{}"));
    assert_eq!(in_kong(&exchange), (None, Some("NOT_FOUND".to_owned())));
}

#[test]
fn kong_without_the_variables_is_asked_once() {
    let gateway = kong(Host::kong(), json!({ "access_log": true }));
    works(&gateway);
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    // The query, and the te header.
    assert_eq!(exchange.host_calls()[&HostCall::SetProperty], 2);
}
