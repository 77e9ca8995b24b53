//! `expect: 100-continue` in real Envoy, which answers it, or passes it on with `proxy_100_continue`: the client keeps its body
//! back until it has an answer.

use std::sync::OnceLock;

use serde_json::json;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Connection, Http, Live, Request};
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let plain = json!({ "proto": schema::PROTO });
        let call = json!({ "proto": schema::PROTO, "dispatch": "call" });
        let auto = json!({ "proto": schema::PROTO, "hold_headers": "auto" });
        Bench::start(&[
            Listener::new("plain", &plain),
            Listener::new("proxied", &plain).proxies_continue(),
            Listener::new("proxied-call", &call).proxies_continue(),
            Listener::new("proxied-auto", &auto).proxies_continue(),
        ])
    })
}

fn expecting(path: &str) -> Request {
    Request::new("POST", path)
        .header("content-type", "application/json")
        .header("Expect", "100-Continue")
        .open()
}

#[tokio::test]
async fn the_client_sends_its_body_when_envoy_has_answered() {
    let mut call = script(Script::echo());
    let mut connection = Connection::open(bench().at("plain").address).await;
    connection.send(&expecting("/v1/echo").script(&call).to_http1()).await;
    // Its own head is all that it has.
    assert_eq!(connection.answer("HEAD").await.unwrap().status, 100);
    connection.send(b"13\r\n{\"int32Value\": 123}\r\n0\r\n\r\n").await;
    let answer = connection.answer("POST").await.unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({ "int32Value": 123 })));
    assert_eq!(call.received().await.messages.len(), 1);
}

#[tokio::test]
async fn what_nobody_answers_is_told_the_client() {
    for listener in ["proxied", "proxied-call", "proxied-auto"] {
        for version in Http::BOTH {
            for (path, status) in [
                ("/v1/echo", 417),
                ("/v1/streams/x", 417),
                ("/v1/streams:collect", 417),
                ("/nowhere", 404),
                ("/v1/paths/x", 405),
            ] {
                let row = format!("{listener} {version:?} {path}");
                let mut call = script(Script::echo());
                let request = expecting(path).script(&call);
                let live = Live::start(bench().at(listener).address, version, &request).await;
                let answer = live.answer().await.unwrap_or_else(|error| panic!("{row}: {error}"));
                assert_eq!(answer.status, status, "{row}: {answer:?}");
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/json"),
                    "{row}: {answer:?}"
                );
                assert!(!call.has_received(), "{row}");
            }
            // A request without a body has nothing to keep back.
            let get = Request::get("/v1/echo?int32Value=1").header("expect", "100-continue");
            let (answer, _) = bench().at(listener).exchange(version, get, Script::echo()).await;
            assert_eq!(answer.status, 200, "{listener}: {answer:?}");
        }
    }
}
