//! Clients that want a worker's memory, and honest ones beside them, in a real Envoy: V8 gives its one virtual machine
//! 1 GiB, and past that the gateway would be down for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Live, Persistent, Request};
use crate::bench::upstream::{Gate, LIMIT, Script};
use crate::bench::{Bench, Gateway, schema, script};

const MB: usize = 1 << 20;

/// What Envoy calls the counter of refusals.
const REFUSALS: &str = "wasmcustom.protobridge.errors.overload";

fn bench() -> Bench {
    let plain = json!({ "proto": schema::PROTO });
    let web = json!({ "proto": schema::PROTO, "upstream": { "grpc_web": true } });
    Bench::start(&[
        Listener::new("plain", &plain).without_route_timeout(),
        Listener::new("web", &web).with_grpc_web().without_route_timeout(),
    ])
}

/// Requests of all kinds, one after the other until it is over. Each must have its answer.
async fn honest(gateway: Gateway, version: Http, over: Arc<AtomicBool>, served: Arc<AtomicUsize>) {
    let mut connection = Persistent::new(gateway.address, version);
    let echo = script(Script::echo());
    let error = script(Script::error(tonic::Code::NotFound, "m"));
    let stream = script(Script::replies([
        json!({ "int32Value": 1 }),
        json!({ "int32Value": 2 }),
    ]));
    let body = json!({ "int32Value": 5, "stringValue": "x".repeat(10_000) });
    let lines = "{\"int32Value\":1}\n{\"int32Value\":2}\n";
    while !over.load(Ordering::Relaxed) {
        for (request, status, expected) in [
            (Request::post("/v1/echo", &body).script(&echo), 200, body.to_string()),
            (
                Request::get("/v1/echo?int32Value=7").script(&echo),
                200,
                r#"{"int32Value":7}"#.to_owned(),
            ),
            (
                Request::post("/v1/echo", &json!({})).script(&error),
                404,
                r#"{"code":5,"message":"m"}"#.to_owned(),
            ),
            (
                Request::post("/v1/streams/x", &json!({}))
                    .header("accept", "application/x-ndjson")
                    .script(&stream),
                200,
                lines.to_owned(),
            ),
        ] {
            let answer = connection.send(&request).await;
            let answer = answer.unwrap_or_else(|error| panic!("{} {version:?} {request:?}: {error:?}", gateway.name));
            let json = |text: &str| serde_json::from_str::<Value>(text).ok();
            let got = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(
                answer.status == status && (got == expected || json(&got) == json(&expected) && json(&got).is_some()),
                "{} {version:?} {request:?}: {answer:?}",
                gateway.name
            );
            served.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An upload with an element that has 20 MiB and no end, or a body of that kind.
async fn unfinished(gateway: Gateway, version: Http, path: &'static str, begin: &'static str) -> Live {
    let request = Request::new("POST", path)
        .header("content-type", "application/json")
        .open();
    let call = script(Script::silence());
    let mut live = Live::start(gateway.address, version, &request.script(&call)).await;
    live.send(begin).await;
    let part = Bytes::from(vec![b'x'; MB]);
    for _ in 0..20 {
        // It may have been refused by now, and the connection closed.
        if tokio::time::timeout(Duration::from_secs(5), live.send(part.clone()))
            .await
            .is_err()
        {
            break;
        }
    }
    live
}

/// An answer of 24 MiB of JSON whose status does not come.
async fn held(gateway: Gateway, version: Http, path: &'static str, gate: Gate, wire: Bytes) -> Live {
    let call = script(Script::reply_bytes(wire).hold(&gate));
    let request = Request::post(path, &json!({})).script(&call);
    Live::start(gateway.address, version, &request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn honest_clients_are_served_beside_hostile_ones() {
    let bench = bench();
    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut honest_clients = JoinSet::new();
    for listener in ["plain", "web"] {
        for version in Http::BOTH {
            honest_clients.spawn(honest(
                bench.at(listener),
                version,
                Arc::clone(&over),
                Arc::clone(&served),
            ));
        }
    }
    let wire = schema::from_json(
        &schema::message("test.everything.Everything"),
        &json!({ "stringValue": "\u{1}".repeat(4 * MB) }),
    );
    let gate = Gate::default();
    let bad = format!("{{\"stringValue\": \"{}\", \"int32Value\": x}}", "x".repeat(4 * MB));
    let mut idle = Vec::new();
    // Each kind by itself could take more than there is.
    let mut uploads = JoinSet::new();
    for index in 0..30 {
        let version = Http::BOTH[index % 2];
        uploads.spawn(unfinished(
            bench.at("plain"),
            version,
            "/v1/streams:collect",
            "[{\"stringValue\": \"",
        ));
    }
    let uploads = uploads.join_all().await;
    let mut answers = JoinSet::new();
    for index in 0..60 {
        let (listener, path) = [("web", "/v1/echo"), ("plain", "/v1/streams/x")][index % 2];
        answers.spawn(held(bench.at(listener), Http::Two, path, gate.clone(), wire.clone()));
    }
    let answers = answers.join_all().await;
    let mut bodies = JoinSet::new();
    for index in 0..30 {
        let version = Http::BOTH[index % 2];
        bodies.spawn(unfinished(bench.at("web"), version, "/v1/echo", "{\"stringValue\": \""));
    }
    let bodies = bodies.join_all().await;
    for index in 0..50 {
        let request = Request::new("POST", "/v1/echo")
            .header("content-type", "application/json")
            .body(bad.clone());
        let mut connection = Persistent::new(bench.at("plain").address, Http::BOTH[index % 2]);
        let status = connection.send(&request).await.map(|answer| answer.status);
        assert!(matches!(status, Ok(400 | 503)), "{status:?}");
        let open = Request::new("POST", "/v1/echo")
            .header("content-type", "application/json")
            .open();
        idle.push(Live::start(bench.at("plain").address, Http::BOTH[index % 2], &open).await);
    }
    let before = served.load(Ordering::Relaxed);
    let deadline = Instant::now() + LIMIT;
    while served.load(Ordering::Relaxed) < before + 200 {
        assert!(
            !honest_clients.is_empty() && Instant::now() < deadline,
            "the honest ones are served no more"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = bench.envoy().stat(REFUSALS);
    assert!(refused > 30, "{refused}");
    // They leave, and what they held is there for others.
    gate.open();
    for live in uploads.into_iter().chain(answers).chain(bodies).chain(idle) {
        live.leave();
    }
    let large = json!({ "stringValue": "x".repeat(12 * MB) });
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut connection = Persistent::new(bench.at("web").address, Http::Two);
        let request = Request::post("/v1/echo", &large).script(&script(Script::echo()));
        match connection.send(&request).await {
            Ok(answer) if answer.status == 200 => break assert!(answer.json() == large),
            answer => assert!(Instant::now() < deadline, "{:?}", answer.map(|answer| answer.status)),
        }
    }
    over.store(true, Ordering::Relaxed);
    while let Some(client) = honest_clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(bench.traps(), "");
}
