//! Requests that go on as they come, through real Envoy: when each message goes on.

use std::sync::OnceLock;

use serde_json::json;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Live, Request};
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let plain = json!({ "proto": schema::PROTO });
        let web = json!({ "proto": schema::PROTO, "upstream": { "grpc_web": true } });
        let listeners = [
            Listener::new("plain", &plain),
            Listener::new("web", &web).with_grpc_web(),
            Listener::new("plain-no-stop", &plain).without_stop_iteration(),
        ];
        Bench::start(&listeners.map(|listener| listener.without_route_timeout().closes_at_once().keeps_connections()))
    })
}

/// A stream of messages as a JSON array, whose parts are to follow.
fn upload(path: &str) -> Request {
    Request::new("POST", path)
        .header("content-type", "application/json")
        .header("accept", "application/x-ndjson")
        .open()
}

#[tokio::test]
async fn a_client_may_wait_for_the_answer_to_each_element() {
    for listener in ["plain", "web", "plain-no-stop"] {
        for version in Http::BOTH {
            let row = format!("{listener} {version:?}");
            let call = script(Script::echo_each());
            let request = upload("/v1/streams:chat").script(&call);
            let mut live = Live::start(bench().at(listener).address, version, &request).await;
            for (index, mark) in ["[", ",", " , "].into_iter().enumerate() {
                let element = json!({ "stringValue": format!("}},]{index}") });
                live.send(format!("{mark}{element}")).await;
                if index == 0 {
                    assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                }
                let expected = format!("{element}\n");
                let arrived = live.exactly(expected.len()).await;
                assert_eq!(arrived.as_deref(), Ok(expected.as_bytes()), "{row}");
            }
            live.send("]").await;
            live.end().await;
            assert_eq!(live.rest().await.as_deref(), Ok(&b""[..]), "{row}");
        }
    }
}
