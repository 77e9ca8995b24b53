//! What an operator sees in real Envoy: metrics, access logs, log lines.

use std::time::Duration;

use serde_json::json;
use tonic::Code;

use crate::bench::bootstrap::{Listener, REFUSED};
use crate::bench::client::{Http, Request};
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema};

/// As docs/operation.md has it, but for what differs from run to run.
const FORMAT: &str = "ACCESS %REQ(X-CASE)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% \
                      %FILTER_STATE(wasm.protobridge.grpc_method:PLAIN)% \
                      %FILTER_STATE(wasm.protobridge.grpc_status:PLAIN)%\n";

/// Waits until `found` finds what it looks for.
async fn wait<T>(what: &str, mut found: impl FnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..300 {
        match found() {
            Ok(value) => return value,
            Err(seen) => last = seen,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} does not come: {last}");
}

#[tokio::test]
async fn access_logs_print_method_and_status() {
    let configuration = json!({ "proto": schema::PROTO, "access_log": true });
    let web = json!({ "proto": schema::PROTO, "access_log": true, "upstream": { "grpc_web": true } });
    let bench = Bench::start(&[
        Listener::new("in-place", &configuration).access_log(FORMAT),
        Listener::new("refused", &configuration)
            .cluster(REFUSED)
            .access_log(FORMAT),
        Listener::new("web", &web).with_grpc_web().access_log(FORMAT),
    ]);
    let gateway = bench.at("in-place");
    let mut expected = Vec::new();
    for (number, version) in Http::BOTH.into_iter().enumerate() {
        let post = |case: &str| Request::post("/v1/echo", &json!({})).header("x-case", format!("{case}-{number}"));
        let echo = "test.everything.Echo/Post";
        gateway.exchange(version, post("fine"), Script::echo()).await;
        expected.push(format!("fine-{number} /v1/echo 200 {echo} OK"));

        let get = Request::get("/v1/echo").header("x-case", format!("call-{number}"));
        gateway.exchange(version, get, Script::echo()).await;
        expected.push(format!("call-{number} /v1/echo 200 test.everything.Echo/Query OK"));

        let error = Script::error(Code::PermissionDenied, "no");
        gateway.exchange(version, post("denied"), error).await;
        expected.push(format!("denied-{number} /v1/echo 403 {echo} PERMISSION_DENIED"));

        let wrong = Request::post("/v1/echo", &json!([])).header("x-case", format!("wrong-{number}"));
        gateway.refuse(version, wrong).await;
        expected.push(format!("wrong-{number} /v1/echo 400 {echo} INVALID_ARGUMENT"));

        let nowhere = Request::get("/nowhere").header("x-case", format!("nowhere-{number}"));
        gateway.refuse(version, nowhere).await;
        expected.push(format!("nowhere-{number} /nowhere 404 - NOT_FOUND"));

        let late = Request::post("/v1/streams/x", &json!({}))
            .header("accept", "application/x-ndjson")
            .header("x-case", format!("late-{number}"));
        let script = Script::reply(json!({ "int32Value": 1 })).then_error(Code::Aborted, "late");
        bench.at("web").exchange(version, late, script).await;
        expected.push(format!(
            "late-{number} /v1/streams/x 200 test.everything.Streams/List ABORTED"
        ));

        bench.at("refused").send(version, &post("down")).await;
        expected.push(format!("down-{number} /v1/echo 503 {echo} UNAVAILABLE"));
    }
    wait("the access log", || {
        let log = bench.envoy().log();
        let lines = log.lines().filter_map(|line| line.split("ACCESS ").nth(1));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort();
        expected.sort();
        match lines == expected {
            true => Ok(()),
            false => Err(format!("{lines:#?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn metrics_reach_prometheus_with_labels() {
    let configuration = json!({ "proto": schema::PROTO });
    let without = json!({ "proto": schema::PROTO, "metrics": false });
    let bench = Bench::start(&[
        Listener::new("counted", &configuration),
        Listener::new("uncounted", &without),
    ]);
    let post = || Request::post("/v1/echo", &json!({ "int32Value": 1 }));
    for version in Http::BOTH {
        let (answer, _) = bench.at("uncounted").exchange(version, post(), Script::echo()).await;
        assert_eq!(answer.status, 200);
    }
    assert!(!bench.envoy().admin_get("/stats").contains("protobridge"));

    let gateway = bench.at("counted");
    for version in Http::BOTH {
        for _ in 0..3 {
            gateway.exchange(version, post(), Script::echo()).await;
        }
        let error = Script::error(Code::NotFound, "no such thing");
        gateway.exchange(version, post(), error).await;
        gateway.refuse(version, Request::get("/v1/echo?int32Value=x")).await;
    }
    let (echo, query) = ("test.everything.Echo.Post", "test.everything.Echo.Query");
    let size = r#"{"int32Value":1}"#.len();
    let expected = [
        format!(r#"protobridge_requests{{grpc_method="{echo}",grpc_status="OK"}} 6"#),
        format!(r#"protobridge_requests{{grpc_method="{echo}",grpc_status="NOT_FOUND"}} 2"#),
        format!(r#"protobridge_requests{{grpc_method="{query}",grpc_status="INVALID_ARGUMENT"}} 2"#),
        r#"protobridge_errors{reason="bad_parameter"} 2"#.to_owned(),
        format!("protobridge_downstream_rx_bytes{{}} {}", 8 * size),
        // A frame's prefix, then the field's tag and value.
        "protobridge_upstream_tx_bytes{} 56".to_owned(),
        "protobridge_upstream_rx_bytes{} 42".to_owned(),
        // The first of ten exchanges.
        "protobridge_filter_time_us_count{} 1".to_owned(),
    ];
    wait("the metrics", || {
        let stats = bench.envoy().admin_get("/stats/prometheus");
        let ours: Vec<_> = stats.lines().filter(|line| line.contains("protobridge")).collect();
        let missing: Vec<_> = expected.iter().filter(|line| !ours.contains(&line.as_str())).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("{missing:#?} in {ours:#?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn the_log_names_the_method_and_nothing_of_a_message() {
    let bench = Bench::start(&[Listener::new(
        "talkative",
        &json!({ "proto": schema::PROTO, "log_level": "debug" }),
    )]);
    let gateway = bench.at("talkative");
    let secret = Request::post("/v1/echo?stringValue=hunter2", &json!({ "int32Value": "hunter2" }));
    gateway.refuse(Http::One, secret).await;
    let broken = Request::post("/v1/echo", &json!({ "stringValue": "hunter2" }));
    let (answer, _) = gateway
        .exchange(Http::One, broken, Script::reply_bytes(b"\x0a\x7fhunter2".to_vec()))
        .await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let log = wait("the line", || {
        let log = bench.envoy().log();
        match log.contains("test.everything.Echo/Post: UNAVAILABLE (bad_answer)") {
            true => Ok(log),
            false => Err(log),
        }
    })
    .await;
    assert!(!log.contains("hunter2"), "{log}");
}
