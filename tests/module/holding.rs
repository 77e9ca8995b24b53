//! Whether the gateway holds headers until the body is there: what is found out, what the operator says, and what waits for it.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Gateway, Host, HostCall, Progress, Request, Response};
use crate::kit::{call_of, configuration, error, everything, gateway, respond};

/// How long a request waits at its headers.
const WAIT: Duration = Duration::from_millis(20);

/// An error behind the headers has its status only where these are held.
fn holds(gateway: &Gateway) -> bool {
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    if exchange.progress() == Progress::WaitsForTime {
        gateway.advance(WAIT);
    }
    exchange.respond(
        Response::grpc()
            .message(everything(json!({})))
            .trailer("grpc-status", "5"),
    );
    match exchange.answer().status() {
        404 => true,
        200 => false,
        status => panic!("{status}"),
    }
}

#[test]
fn no_client_can_teach_that_headers_cannot_be_held() {
    let gateway = gateway(json!({}));
    for round in 0..10 {
        let exchange = gateway.request(Request::post("/v1/echo").open());
        // Its headers are let go, and at that moment its body comes.
        gateway.advance(WAIT);
        exchange.send(r#"{"int32Value": 7}"#, true);
        assert_eq!(call_of(&exchange).1, json!({ "int32Value": 7 }), "{round}");
        respond(&exchange, json!({ "int32Value": 8 }));
        assert_eq!(exchange.answer().json(), json!({ "int32Value": 8 }), "{round}");
    }
    assert!(holds(&gateway));
}

#[test]
fn what_never_waited_shows_nothing() {
    let gateway = Host::envoy()
        .without_headers_stop_iteration()
        .load(&configuration(json!({})))
        .unwrap();
    let native = Request::post("/test.everything.Echo/Post").header("content-type", "application/grpc");
    for request in [
        native.clone().chunk(b"\0\0\0\0\0"),
        native.trailer("a", "b"),
        Request::get("/v1/echo"),
    ] {
        gateway.request(request);
        // What takes headers for held waits for ever.
        assert!(!holds(&gateway));
    }
}

#[test]
fn what_the_operator_says_holds_from_the_first_request() {
    let load = |host: Host, hold_headers: bool| {
        host.load(&configuration(json!({ "hold_headers": hold_headers })))
            .unwrap()
    };
    for way in ["/v1/echo", "/v1/streams/x"] {
        let held = load(Host::envoy(), true);
        let exchange = held.request(Request::post(way).open());
        assert_eq!(exchange.progress(), Progress::WaitsForClient, "{way}");
        // Nor does time change anything.
        held.advance(Duration::from_secs(6));
        exchange.send("{}", true);
        exchange.respond(Response::grpc().trailer("grpc-status", "5"));
        assert_eq!(error(&exchange).0, 404, "{way}");

        let early = load(Host::envoy().without_headers_stop_iteration(), false);
        let exchange = early.request(Request::post(way).open());
        assert_eq!(exchange.forwarded().headers.get("te"), Some("trailers"), "{way}");
        exchange.send("{}", true);
        exchange.respond(Response::error(5, "gone"));
        assert_eq!(error(&exchange).0, 404, "{way}");
    }
    assert!(!holds(&load(Host::envoy(), false)), "though they could be held");
    let call = json!({ "hold_headers": false, "dispatch": "call" });
    let gateway = Host::envoy().load(&configuration(call)).unwrap();
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    gateway.advance(WAIT);
    assert_eq!(error(&exchange).0, 501);
}

#[test]
fn trailers_alone_end_the_waiting() {
    let gateway = gateway(json!({ "dispatch": "call" }));
    let exchange = gateway.request(Request::post("/v1/echo").header("a", "b").trailer("c", "d"));
    assert_eq!(exchange.call().method, "Post");
    // A slow call: the request itself stays where it is.
    gateway.advance(Duration::from_secs(6));
    assert_eq!(exchange.progress(), Progress::WaitsForCall);
    assert!(!exchange.host_calls().contains_key(&HostCall::ContinueStream));
    respond(&exchange, json!({ "int32Value": 8 }));
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 8 }));
    assert!(holds(&gateway));
}

#[test]
fn a_stream_whose_client_waits_goes_on_whatever_others_show() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::post("/v1/streams:chat").open());
    assert!(holds(&gateway));
    gateway.advance(WAIT);
    assert_eq!(
        exchange.forwarded().headers.get(":path"),
        Some("/test.everything.Streams/Chat")
    );
}

#[test]
fn refusals_do_not_keep_a_request_waiting() {
    let gateway = Host::envoy()
        .without_headers_stop_iteration()
        .load(&configuration(json!({})))
        .unwrap();
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    for _ in 0..WAIT.as_millis() {
        let refused = gateway.request(Request::get("/nowhere"));
        gateway.advance(Duration::from_millis(1));
        assert_eq!(error(&refused).0, 404);
    }
    assert_eq!(call_of(&exchange).1, json!({}));
    respond(&exchange, json!({ "int32Value": 8 }));
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 8 }));
}
