//! What the tests of the module share: a gateway for `everything.proto`, requests told in JSON, answers read as JSON.

use serde_json::{Value, json};

use crate::harness::{Exchange, Gateway, Headers, Host, Response};
use crate::schema;

/// The ways to the upstream. A request with a body goes either way; what a test expects is the same.
pub const WAYS: [&str; 2] = ["in_place", "call"];

/// A plugin configuration: the schema, the cluster, and what `more` says. A request without a body goes by a call, which
/// needs no filter in front.
pub fn configuration(more: Value) -> String {
    let mut configuration =
        json!({ "proto": schema::PROTO, "bodyless": "call", "upstream": { "cluster": "upstream" } });
    for (key, value) in more.as_object().expect("an object") {
        configuration[key] = value.clone();
    }
    // A route decides the cluster of what is forwarded: a configured one would be refused.
    if configuration["dispatch"] == "in_place" {
        configuration["upstream"]
            .as_object_mut()
            .expect("an object")
            .remove("cluster");
    }
    configuration.to_string()
}

/// Envoy with the module, configured.
pub fn gateway(more: Value) -> Gateway {
    Host::envoy().load(&configuration(more)).unwrap()
}

/// What the gRPC server receives, whichever way it went.
#[derive(Debug)]
pub struct Sent {
    /// `/package.Service/Method`.
    pub path: String,
    /// The headers, or the initial metadata of a call.
    pub metadata: Headers,
    /// The one message.
    pub message: Value,
}

/// What the gRPC server has received of this exchange: a unary request, complete.
pub fn sent(exchange: &Exchange) -> Sent {
    let (path, metadata, messages) = if exchange.calls().is_empty() {
        let forwarded = exchange.forwarded();
        assert!(forwarded.ended, "the request goes on");
        assert_eq!(forwarded.headers.get(":method"), Some("POST"));
        assert_eq!(forwarded.headers.get("te"), Some("trailers"));
        let content_type = forwarded.headers.get("content-type").expect("a content-type");
        assert!(
            ["application/grpc", "application/grpc+proto"].contains(&content_type),
            "{content_type}"
        );
        let path = forwarded.headers.get(":path").expect("a path").to_owned();
        let messages = forwarded.messages();
        (path, forwarded.headers, messages)
    } else {
        let call = exchange.call();
        assert!(call.closed && !call.cancelled, "the request side is ended: {call:?}");
        assert_eq!(call.cluster, "upstream");
        (
            format!("/{}/{}", call.service, call.method),
            call.metadata,
            call.messages,
        )
    };
    assert_eq!(messages.len(), 1, "one message for a unary method");
    let message = schema::to_json(&schema::method(&path).input(), &messages[0]);
    Sent {
        path,
        metadata,
        message,
    }
}

/// The method's name and the message that the gRPC server has received.
pub fn call_of(exchange: &Exchange) -> (String, Value) {
    let sent = sent(exchange);
    let method = sent
        .path
        .strip_prefix("/test.everything.")
        .expect("a method of the schema");
    (method.to_owned(), sent.message)
}

/// A message of type `Everything` in wire form.
pub fn everything(json: Value) -> Vec<u8> {
    message("test.everything.Everything", json)
}

/// A message in wire form.
pub fn message(name: &str, json: Value) -> Vec<u8> {
    schema::from_json(&schema::message(name), &json).to_vec()
}

/// The upstream answers with an `Everything`.
pub fn respond(exchange: &Exchange, json: Value) {
    exchange.respond(Response::ok(everything(json)));
}

/// The answer is an error in the default format; its HTTP status, code and message.
pub fn error(exchange: &Exchange) -> (u16, i64, String) {
    let answer = exchange.answer();
    assert_eq!(
        answer.headers.get("content-type"),
        Some("application/json"),
        "{answer:?}"
    );
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-encoding",
    ] {
        assert_eq!(answer.headers.get(name), None, "{name} reaches the client");
    }
    let body = answer.json();
    let code = body["code"].as_i64().unwrap_or_else(|| panic!("no code in {body}"));
    (
        answer.status(),
        code,
        body["message"].as_str().unwrap_or_default().to_owned(),
    )
}

/// Checks that the machine lives and keeps nothing of what was before: one good request.
pub fn works(gateway: &Gateway) {
    let request = crate::harness::Request::post("/v1/echo").json(r#"{"stringValue": "fine"}"#);
    let exchange = gateway.request(request);
    assert_eq!(
        call_of(&exchange),
        ("Echo/Post".to_owned(), json!({ "stringValue": "fine" }))
    );
    respond(&exchange, json!({ "stringValue": "answer" }));
    let answer = exchange.answer();
    assert_eq!(
        (answer.status(), answer.json()),
        (200, json!({ "stringValue": "answer" }))
    );
}
