//! The path that an access log prints, in real Envoy: the one that the client sent, and nothing that it made up.

use std::time::Duration;

use serde_json::json;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Request};
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema};

#[tokio::test]
async fn the_clients_own_header_is_not_taken_for_its_path() {
    let configuration = json!({ "proto": schema::PROTO, "access_log": true });
    let mut bridged = configuration.clone();
    bridged["upstream"] = json!({ "connect_bridge": true });
    let format = "ACCESS %REQ(X-CASE)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%\n";
    let bench = Bench::start(&[
        Listener::new("auto", &configuration).access_log(format),
        Listener::new("lua", &configuration).with_lua().access_log(format),
        Listener::new("bridge", &bridged).with_bridge().access_log(format),
    ]);
    let mut expected = Vec::new();
    for listener in ["auto", "lua", "bridge"] {
        let gateway = bench.at(listener);
        for version in Http::BOTH {
            let case = |case: &str| format!("{case}-{listener}-{version:?}");
            let forged = |request: Request, name: &str| {
                request
                    .header("x-envoy-original-path", "/forged")
                    .header("x-case", case(name))
            };
            for (name, request) in [
                ("get", Request::get("/v1/echo?int32Value=1")),
                ("post", Request::post("/v1/echo", &json!({}))),
                ("empty", Request::new("POST", "/v1/echo").body("")),
            ] {
                let path = request.target().to_owned();
                gateway.exchange(version, forged(request, name), Script::echo()).await;
                expected.push(format!("{} {path}", case(name)));
            }
            for (name, request) in [
                ("nowhere", Request::get("/nowhere")),
                ("bad", Request::post("/v1/echo", &json!([]))),
            ] {
                let path = request.target().to_owned();
                gateway.refuse(version, forged(request, name)).await;
                expected.push(format!("{} {path}", case(name)));
            }
        }
    }
    expected.sort();
    let mut lines = Vec::new();
    // The log is written behind the answers.
    for _ in 0..300 {
        let log = bench.envoy().log();
        lines = log
            .lines()
            .filter_map(|line| line.split("ACCESS ").nth(1))
            .map(str::to_owned)
            .collect();
        lines.sort();
        if lines.len() == expected.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(lines, expected);
}
