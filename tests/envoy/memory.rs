//! What has gone by leaves nothing behind in real Envoy, of which the configuration may stay the same for months.
//!
//! In an Envoy of its own, whose memory is measured. What the module's own memory becomes is measured by `linear_cost`.

use std::time::{Duration, Instant};

use h2::Reason;
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench::bootstrap::{Listener, PLAYED};
use crate::bench::client::{Http, Persistent, Request};
use crate::bench::faulty::Act::{Body, Echo, Headers, Read, Reset, Trailers};
use crate::bench::upstream::{LIMIT, frame};
use crate::bench::{Bench, play, schema};

/// So many clients, and requests of each: as many at first as are measured then.
const CLIENTS: usize = 4;
const REQUESTS: usize = 400;

/// How much more Envoy may have allocated behind them, in bytes: far less than anything for each of them.
const GROWTH: u64 = 30 * (CLIENTS * REQUESTS) as u64;

/// How many connections clients have.
const CONNECTIONS: &str = "http.plain.downstream_cx_active";

#[tokio::test]
async fn requests_leave_no_memory_behind() {
    let listener = Listener::new("plain", &json!({ "proto": schema::PROTO }));
    let bench = Bench::start(&[listener.cluster(PLAYED).keeps_connections()]);
    let ok = Trailers(&[("grpc-status", "0")]);
    let post = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let get = Request::get("/v1/echo?int32Value=5");
    let list = Request::post("/v1/streams/x", &json!({})).header("accept", "application/x-ndjson");
    for (what, request, acts, status) in [
        ("in place", &post, vec![Read, Headers, Echo, ok.clone()], 200),
        ("by a call", &get, vec![Read, Headers, Echo, ok.clone()], 200),
        (
            "by a call, malformed",
            &get,
            vec![Read, Headers, Body(frame(1, b"\x18\x05")), ok.clone()],
            502,
        ),
        ("by a call, reset", &get, vec![Read, Reset(Reason::INTERNAL_ERROR)], 503),
        ("refused", &Request::new("POST", "/v1/echo").body("{"), vec![], 400),
        ("a stream", &list, vec![Read, Headers, Echo, Echo, ok], 200),
    ] {
        let play = play(acts);
        let request = request.clone().play(&play);
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut clients = JoinSet::new();
            for _ in 0..CLIENTS {
                let mut connection = Persistent::new(bench.at("plain").address, Http::One);
                let request = request.clone();
                clients.spawn(async move {
                    for _ in 0..REQUESTS {
                        let answer = connection.send(&request).await.unwrap();
                        assert_eq!(answer.status, status, "{what}: {answer:?}");
                    }
                });
            }
            clients.join_all().await;
            // Envoy hears later that they have left; until then, two connections take as much as all requests may.
            let deadline = Instant::now() + LIMIT;
            while bench.envoy().stat(CONNECTIONS) > 0 {
                assert!(Instant::now() < deadline, "{what}: the connections stay");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            held.push(bench.envoy().held());
        }
        assert!(held[1] < held[0] + GROWTH, "{what}: {held:?}");
    }
}
