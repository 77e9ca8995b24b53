//! Many exchanges with hooks at once, on four workers.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::{DISPATCHER, hooks, keyless, post, with};
use crate::bench::bootstrap::{self, Listener};
use crate::bench::client::{self, Http, Live, Request};
use crate::bench::process::EnvoyProcess;
use crate::bench::script;
use crate::bench::turn;
use crate::bench::upstream::{Script, Upstream, frame};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_of_four_workers_have_their_own_hooks() {
    let (_running, dispatcher) = super::dispatcher();
    let upstream = Upstream::shared();
    let mut configuration = bootstrap::bootstrap(
        &[Listener::new("many", &with(keyless(), json!({})))],
        upstream.addresses(),
    );
    bootstrap::add_cluster(&mut configuration, DISPATCHER, dispatcher);
    turn::take(turn::capability());
    let envoy = EnvoyProcess::start_with(&configuration, 4, &[]);
    let address = envoy.listener("many");
    let mut all = JoinSet::new();
    for client in 0..8_u64 {
        all.spawn(async move {
            for number in 0..20 {
                let version = [Http::One, Http::Two][number % 2];
                let id = (client * 100 + number as u64).to_string();
                let first = format!(
                    "o.request.set_headers['x-id'] = '{id}'; o.request.raw_body = b'{{\"stringValue\":\"{id}\"}}'"
                );
                let response =
                    format!("o.response.headers['X-Id'] = o.request.headers['X-Id']; assert '{id}' in o.response.body");
                let scripts = [("first", &*first), ("response", &*response)];
                let call = script(Script::echo());
                let request = hooks(post(&json!({})), &scripts).script(&call);
                match number % 5 {
                    // Leaves while a hook is asked.
                    0 => {
                        let live = Live::start(address, version, &request).await;
                        tokio::time::sleep(Duration::from_millis(3 * client)).await;
                        live.leave();
                    }
                    1 => {
                        let script = [("second", "refuse(o, 429)")];
                        let request = hooks(Request::get("/v1/echo"), &script);
                        assert_eq!(client::send(address, version, &request).await.unwrap().status, 429);
                    }
                    2 => {
                        let request = Request::new("POST", "/test.everything.Echo/Post")
                            .header("content-type", "application/grpc")
                            .body(frame(0, b""))
                            .script(&call);
                        let answer = client::send(address, version, &request).await.unwrap();
                        assert_eq!(answer.status, 200, "{answer:?}");
                    }
                    _ => {
                        let answer = client::send(address, version, &request).await.unwrap();
                        assert_eq!(answer.status, 200, "{answer:?}");
                        assert_eq!(answer.header("x-id"), Some(&*id), "{answer:?}");
                        assert_eq!(answer.json(), json!({ "stringValue": id }));
                    }
                }
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.unwrap();
    }
    let log = envoy.log();
    assert!(!log.contains(" failed: "), "{log}");
    // All exchanges are over, and so are their calls.
    let mut open = u64::MAX;
    for _ in 0..60 {
        open = envoy.stat("cluster.dispatcher.upstream_rq_active") + envoy.stat("cluster.backend.upstream_rq_active");
        if open == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(open, 0);
}
