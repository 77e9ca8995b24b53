//! How often each kind of request crosses into the host: most of what a small request costs is this, so that one more is
//! a decision. docs/performance.md carries the table.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::HostCall::{self, *};
use crate::harness::{Exchange, Gateway, Host, Request, Response, frame};
use crate::kit::{everything, gateway, works};
use crate::schema;

/// Checks what one exchange costs on an Envoy that has served before.
fn costs(configuration: Value, expected: &[(HostCall, u32)], exchange: impl Fn(&Gateway) -> Exchange) {
    let gateway = gateway(configuration);
    works(&gateway);
    costs_at(&gateway, expected, exchange);
}

/// Checks what one exchange costs on a gateway that has served before.
fn costs_at(gateway: &Gateway, expected: &[(HostCall, u32)], exchange: impl Fn(&Gateway) -> Exchange) {
    // What was counted is handed over once a second, however many requests there were.
    gateway.advance(Duration::from_secs(1));
    let calls = exchange(gateway).host_calls();
    assert_eq!(calls, expected.iter().copied().collect::<BTreeMap<_, _>>());
}

/// With as many headers as a browser sends through a proxy: their number costs no calls.
fn post(path: &str) -> Request {
    [
        "accept-language",
        "authorization",
        "user-agent",
        "x-forwarded-for",
        "x-request-id",
        "cookie",
    ]
    .iter()
    .fold(Request::post(path), |request, name| request.header(name, "value"))
}

fn message() -> Vec<u8> {
    everything(json!({ "int32Value": 1 }))
}

/// A unary request, answered.
fn echo(gateway: &Gateway) -> Exchange {
    let exchange = gateway.request(post("/v1/echo").json(r#"{"int32Value": 1}"#));
    exchange.respond(Response::ok(message()));
    assert_eq!(exchange.answer().status(), 200);
    exchange
}

/// A unary request, answered by way of a Connect bridge.
fn bridged(gateway: &Gateway, request: Request) -> Exchange {
    let exchange = gateway.request(request);
    let headers = Response::new(200).header("content-type", "application/proto").chunk("");
    exchange.respond_headers(&headers);
    exchange.respond_data(message(), false);
    exchange.respond_trailers(&[]);
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 1 }));
    exchange
}

#[test]
fn a_unary_request_in_place() {
    let expected = [
        (GetHeaders, 3),
        // :path, content-type, te; content-type and content-length of the answer.
        (SetHeader, 5),
        // The request's content-length; grpc-status.
        (RemoveHeader, 2),
        (GetBuffer, 2),
        // Envoy tells the end of a request behind its body, which is taken out until then.
        (SetBuffer, 3),
    ];
    costs(json!({}), &expected, echo);
}

#[test]
fn a_unary_request_on_kong() {
    let gateway = Host::kong()
        .load(&json!({ "proto": schema::PROTO }).to_string())
        .unwrap();
    echo(&gateway);
    let expected = [
        (GetHeaders, 2),
        // What the client sent: request line, query, target. Whether the status is hidden among the headers; the trailers'.
        (GetProperty, 5),
        // The query, which makes way for the path; te.
        (SetProperty, 2),
        (SetHeader, 4),
        (GetBuffer, 2),
        // The message; each part of the answer, of which the first waits for the status.
        (SetBuffer, 3),
    ];
    costs_at(&gateway, &expected, echo);
}

#[test]
fn what_an_access_log_prints() {
    let expected = [
        (GetHeaders, 3),
        // What :path was, before the others.
        (SetHeader, 6),
        (RemoveHeader, 2),
        (GetBuffer, 2),
        // Envoy tells the end of a request behind its body, which is taken out until then.
        (SetBuffer, 3),
        // The method and the status.
        (SetProperty, 2),
    ];
    costs(json!({ "access_log": true }), &expected, echo);
}

#[test]
fn an_error_without_a_message() {
    let expected = [
        (GetHeaders, 2),
        (SetHeader, 3),
        (RemoveHeader, 1),
        (GetBuffer, 1),
        (SetBuffer, 2),
        (SendLocalReply, 1),
    ];
    costs(json!({}), &expected, |gateway| {
        let exchange = gateway.request(post("/v1/echo").json("{}"));
        exchange.respond(Response::error(5, "no such thing"));
        assert_eq!(exchange.answer().status(), 404);
        exchange
    });
}

#[test]
fn a_unary_request_through_the_connect_bridge() {
    let expected = [
        (GetHeaders, 2),
        // :path; content-type and content-length of the answer.
        (SetHeader, 3),
        (GetBuffer, 1),
        (SetBuffer, 1),
    ];
    costs(
        json!({ "upstream": { "connect_bridge": true } }),
        &expected,
        |gateway| bridged(gateway, Request::get("/v1/echo?int32Value=1")),
    );
    // One with a body pays nothing for it, unless it goes there too.
    let expected = [
        (GetHeaders, 3),
        (SetHeader, 5),
        (RemoveHeader, 2),
        (GetBuffer, 2),
        (SetBuffer, 3),
    ];
    costs(json!({ "upstream": { "connect_bridge": true } }), &expected, echo);
    let bodies = json!({ "connect_bridge": true, "bridge_bodies": true });
    let expected = [
        (GetHeaders, 2),
        // :path, content-type, connect-protocol-version; content-type and content-length of the answer.
        (SetHeader, 5),
        // The request's content-length.
        (RemoveHeader, 1),
        (GetBuffer, 2),
        (SetBuffer, 3),
    ];
    let gateway = gateway(json!({ "upstream": bodies, "hold_headers": true }));
    let exchange = |gateway: &Gateway| bridged(gateway, post("/v1/echo").json(r#"{"int32Value": 1}"#));
    exchange(&gateway);
    costs_at(&gateway, &expected, exchange);
}

#[test]
fn a_unary_request_as_a_call() {
    // What the call's own callbacks read, the in-process host hands out uncounted, nor does it count the close behind the
    // last message.
    let expected = [(GetHeaders, 1), (OpenGrpc, 1), (SendGrpc, 1), (SendLocalReply, 1)];
    costs(json!({}), &expected, |gateway| {
        let exchange = gateway.request(Request::get("/v1/echo?int32Value=1"));
        exchange.respond(Response::ok(message()));
        assert_eq!(exchange.answer().status(), 200);
        exchange
    });
}

#[test]
fn a_stream_of_messages_in_three_chunks() {
    let expected = [
        (GetHeaders, 3),
        // The answer has no content-length.
        (SetHeader, 4),
        (RemoveHeader, 2),
        // One each for the request and for each chunk, however many messages it has.
        (GetBuffer, 4),
        (SetBuffer, 5),
    ];
    costs(json!({}), &expected, |gateway| {
        let request = post("/v1/streams/a")
            .header("accept", "application/x-ndjson")
            .json("{}");
        let exchange = gateway.request(request);
        exchange.respond_headers(&Response::grpc().chunk(""));
        for _ in 0..3 {
            exchange.respond_data(frame(0, &message()).repeat(50), false);
        }
        exchange.respond_trailers(&[("grpc-status", "0")]);
        assert_eq!(exchange.answer().text().lines().count(), 150);
        exchange
    });
}

#[test]
fn a_chunk_of_a_stream_costs_one_read_and_one_write() {
    for web in [false, true] {
        let gateway = gateway(json!({ "upstream": { "grpc_web": web } }));
        let request = Request::post("/v1/streams/x")
            .header("accept", "application/x-ndjson")
            .json("{}");
        let exchange = gateway.request(request);
        let chunk = frame(0, &message()).repeat(100);
        exchange.respond_headers(&Response::ok(&chunk));
        exchange.respond_data(&chunk, false);
        let before = exchange.host_calls();
        exchange.respond_data(&chunk, false);
        let mut calls = exchange.host_calls();
        for (call, count) in before {
            calls.entry(call).and_modify(|now| *now -= count);
        }
        calls.retain(|_, count| *count > 0);
        let expected = [(GetBuffer, 1), (SetBuffer, 1)];
        assert_eq!(calls, expected.into_iter().collect(), "grpc_web: {web}");
        let lines = "{\"int32Value\":1}\n".repeat(200);
        assert_eq!(exchange.so_far().body(), lines.as_bytes(), "grpc_web: {web}");
    }
}

#[test]
fn counting_costs_a_request_nothing() {
    let gateway = gateway(json!({}));
    works(&gateway);
    for _ in 0..15 {
        works(&gateway);
    }
    let handed_over = |gateway: &Gateway| gateway.metrics().values().map(Vec::len).sum::<usize>();
    // Requests, the bytes from and to both sides; and the time of the first of sixteen.
    assert_eq!(handed_over(&gateway), 1);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(handed_over(&gateway), 1 + 5);
    gateway.advance(Duration::from_secs(10));
    assert_eq!(handed_over(&gateway), 1 + 5, "nothing has changed");
}

#[test]
fn native_grpc() {
    costs(json!({}), &[(GetHeaders, 1)], |gateway| {
        let exchange = gateway.request(
            post("/test.everything.Echo/Post")
                .header("content-type", "application/grpc")
                .body(frame(0, &message())),
        );
        exchange.respond(Response::ok(message()));
        exchange
    });
}

#[test]
fn native_grpc_that_is_changed() {
    // One read and one write for each chunk, either way, and the answer's headers.
    let expected = [(GetHeaders, 2), (GetBuffer, 2), (SetBuffer, 2)];
    let transforms = json!([{
        "selector": "test.everything.Echo.Post",
        "request": [{ "set": { "field": "string_value", "header": "user-agent" } }],
        "response": [{ "remove": ["int32_value"] }],
    }]);
    let changing = |gateway: &Gateway| {
        let request = post("/test.everything.Echo/Post").header("content-type", "application/grpc");
        let exchange = gateway.request(request.chunk(frame(0, &message())));
        exchange.respond(Response::ok(message()));
        assert_eq!(exchange.answer().messages(), [b""]);
        exchange
    };
    let gateway = gateway(json!({ "transforms": transforms }));
    changing(&gateway);
    costs_at(&gateway, &expected, changing);
    // JSON pays none for it.
    let expected = [
        (GetHeaders, 3),
        (SetHeader, 5),
        (RemoveHeader, 2),
        (GetBuffer, 2),
        (SetBuffer, 3),
    ];
    costs_at(&gateway, &expected, echo);
}

#[test]
fn a_refusal() {
    let expected = [(GetHeaders, 1), (SendLocalReply, 1)];
    costs(json!({}), &expected, |gateway| {
        let exchange = gateway.request(Request::get("/nowhere"));
        gateway.advance(Duration::from_millis(1));
        assert_eq!(exchange.answer().status(), 404);
        exchange
    });
}
