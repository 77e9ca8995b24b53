//! Whether headers are held until the body is there, in real Envoy: what the operator says, and what is found out.

use std::sync::OnceLock;

use serde_json::json;
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Live, Request};
use crate::bench::upstream::{Gate, Script};
use crate::bench::{Bench, Gateway, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let auto = json!({ "proto": schema::PROTO });
        let call = json!({ "proto": schema::PROTO, "dispatch": "call" });
        let told = |hold_headers: bool| json!({ "proto": schema::PROTO, "hold_headers": hold_headers });
        Bench::start(&[
            Listener::new("true", &told(true)),
            Listener::new("false", &told(false)).without_stop_iteration(),
            Listener::new("false-held", &told(false)),
            Listener::new("held", &auto).finds_out(),
            Listener::new("early", &auto).without_stop_iteration(),
            Listener::new("fresh", &call).finds_out(),
        ])
    })
}

fn post() -> Request {
    Request::new("POST", "/v1/echo").header("content-type", "application/json")
}

/// The answer to a request whose service fails behind its headers, and whose client sends the body when it is told that
/// `pause` is over.
async fn late_error(gateway: Gateway, version: Http, pause: impl Future<Output = ()>) -> Answer {
    let call = script(Script::reply(json!({})).then_error(Code::NotFound, "late"));
    let mut live = Live::start(gateway.address, version, &post().open().script(&call)).await;
    pause.await;
    live.send("{}").await;
    live.end().await;
    live.answer().await.unwrap()
}

/// Another request goes there and back, and with it any time that a request waits.
async fn while_others_go(gateway: Gateway, version: Http) {
    let body = json!({ "int32Value": 1 });
    let (answer, _) = gateway
        .exchange(version, Request::post("/v1/echo", &body), Script::echo())
        .await;
    assert_eq!((answer.status, answer.json()), (200, body));
}

#[tokio::test]
async fn what_the_operator_says_holds_from_the_first_request() {
    for version in Http::BOTH {
        for (listener, status) in [("true", 404), ("false", 200), ("false-held", 200)] {
            let gateway = bench().at(listener);
            for _ in 0..2 {
                let answer = late_error(gateway, version, while_others_go(gateway, version)).await;
                // Behind headers that have gone on, the error is the body.
                assert_eq!(
                    (answer.status, &answer.json()["code"]),
                    (status, &json!(5)),
                    "{listener}: {answer:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn each_request_is_seen_to_by_itself_until_one_has_shown_that_headers_are_held() {
    for version in Http::BOTH {
        for (listener, status) in [("held", 404), ("early", 200)] {
            let gateway = bench().at(listener);
            for _ in 0..5 {
                while_others_go(gateway, version).await;
            }
            let answer = late_error(gateway, version, async {}).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (status, &json!(5)),
                "{listener}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_of_headers_and_trailers_reaches_the_service_once() {
    let gate = Gate::default();
    let mut call = script(Script::reply(json!({ "int32Value": 9 })).hold(&gate));
    let request = post().body("").trailer("a", "b").script(&call);
    let gateway = bench().at("fresh");
    let answer = tokio::spawn(async move { gateway.send(Http::Two, &request).await });
    assert_eq!(call.received().await.messages.len(), 1);
    // By the time that another has run into its deadline, nothing else has come of it.
    let mut other = script(Script::silence());
    let request = Request::get("/v1/echo").header("grpc-timeout", "100m").script(&other);
    assert_eq!(bench().at("fresh").send(Http::Two, &request).await.status, 504);
    assert!(other.has_received());
    assert!(!call.has_received());
    gate.open();
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({ "int32Value": 9 })));
}
