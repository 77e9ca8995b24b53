//! Hooks in a test host: what is called, in which order, and what each crosses into the host. tests/envoy/hooks has the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::HostCall::*;
use crate::harness::{Exchange, Gateway, Request, Response};
use crate::kit::{everything, gateway, sent};

fn hooked(hooks: Value) -> Gateway {
    let mut hooks = hooks;
    hooks["cluster"] = json!("plugins");
    gateway(json!({ "hold_headers": true, "hooks": hooks }))
}

/// The hook whose call is under way echoes what it got.
fn echo(exchange: &Exchange) {
    let call = exchange.call();
    assert_eq!((&*call.service, &*call.method), ("coprocess.Dispatcher", "Dispatch"));
    assert_eq!(call.cluster, "plugins");
    exchange.call_message(&call.messages[0]);
}

fn post() -> Request {
    Request::post("/v1/echo").json(r#"{"int32Value": 1}"#)
}

#[test]
fn a_request_waits_for_its_hooks() {
    let gateway = hooked(json!({ "pre": [{ "name": "a" }, { "name": "b" }] }));
    let exchange = gateway.request(post());
    assert_eq!(exchange.calls().len(), 1);
    echo(&exchange);
    assert_eq!(exchange.calls().len(), 2);
    exchange.call_message(&exchange.calls()[1].messages[0]);
    assert_eq!(sent_in_place(&exchange), json!({ "int32Value": 1 }));
    exchange.respond(Response::ok(everything(json!({ "int32Value": 2 }))));
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 2 }));
}

/// In HTTP/2, parts with nothing in them may stand in front of the end.
#[test]
fn a_body_that_says_it_is_empty_may_come_in_parts() {
    let gateway = hooked(json!({ "pre": [{ "name": "a" }] }));
    let exchange = gateway.request(
        Request::post("/v1/echo")
            .header("content-type", "application/json")
            .header("content-length", "0")
            .open(),
    );
    exchange.send(b"", false);
    exchange.send(b"", true);
    echo(&exchange);
    assert_eq!(sent_in_place(&exchange), json!({}));
}

/// What went on in place, whatever calls there were beside it.
fn sent_in_place(exchange: &Exchange) -> Value {
    let forwarded = exchange.forwarded();
    assert!(forwarded.ended, "the request goes on");
    let wire = forwarded.body().get(5..).expect("a frame").to_vec();
    crate::schema::to_json(&crate::schema::message("test.everything.Everything"), &wire)
}

#[test]
fn a_hook_that_cannot_be_asked_refuses() {
    let gateway = gateway(json!({ "hooks": { "cluster": "missing", "pre": [{ "name": "a" }] } }));
    let exchange = gateway.request(Request::get("/v1/echo"));
    assert_eq!(exchange.calls().len(), 0);
    assert_eq!(exchange.answer().status(), 500);
    let exchange = gateway.request(post());
    assert_eq!(exchange.answer().status(), 500);
}

#[test]
fn a_hook_that_fails_refuses() {
    let gateway = hooked(json!({ "auth": {} }));
    let exchange = gateway.request(post());
    exchange.call_fails(14, "down", "connection_failure");
    assert_eq!(exchange.answer().status(), 403);
}

#[test]
fn a_client_that_leaves_ends_the_call() {
    let gateway = hooked(json!({ "pre": [{ "name": "a" }] }));
    let exchange = gateway.request(post());
    exchange.client_leaves();
    assert!(exchange.calls()[0].cancelled);
}

#[test]
fn what_a_hook_costs() {
    let gateway = hooked(json!({ "pre": [{ "name": "a" }] }));
    for at in 0..2 {
        let exchange = gateway.request(post());
        echo(&exchange);
        exchange.respond(Response::ok(everything(json!({ "int32Value": 1 }))));
        assert_eq!(exchange.answer().status(), 200);
        let expected = [
            // As without hooks.
            (GetHeaders, 3),
            (SetHeader, 5),
            (RemoveHeader, 2),
            (GetBuffer, 2),
            // A body as short as this keeps its own place until the hook has answered: one less.
            (SetBuffer, 2),
            // Whether the client speaks TLS, its address, the route.
            (GetProperty, 3),
            (OpenGrpc, 1),
            (ContinueStream, 1),
        ];
        // The first one finds out which host this is.
        if at > 0 {
            assert_eq!(exchange.host_calls(), BTreeMap::from(expected));
        }
    }
    let gateway = hooked(json!({ "pre": [{ "name": "a" }], "attributes": false }));
    drop(gateway.request(post()));
    let of_tls = 1;
    assert_eq!(gateway.request(post()).host_calls()[&GetProperty], of_tls);
}

#[test]
fn a_configuration_without_hooks_asks_nobody() {
    let exchange = gateway(json!({})).request(post());
    assert_eq!(sent(&exchange).message, json!({ "int32Value": 1 }));
    assert_eq!(exchange.calls().len(), 0);
}

#[test]
fn turns_of_hooks_are_counted_and_failures_are_logged() {
    let gateway = hooked(json!({ "pre": [{ "name": "a" }], "auth": { "name": "b", "cluster": "missing" } }));
    let exchange = gateway.request(post());
    echo(&exchange);
    assert_eq!(exchange.answer().status(), 403);
    drop(exchange);
    gateway.advance(Duration::from_secs(1));
    let metrics = gateway.metrics();
    for (name, count) in [
        ("protobridge.hooks.pre.passed", 1),
        ("protobridge.hooks.auth.failed", 1),
        ("protobridge.errors.hook", 1),
    ] {
        assert_eq!(metrics[name].iter().sum::<u64>(), count, "{name}");
    }
    let warning = "hooks.auth \"b\": the gateway didn't make the call";
    assert!(
        gateway.log().iter().any(|line| line.ends_with(warning)),
        "{:?}",
        gateway.log()
    );
}
