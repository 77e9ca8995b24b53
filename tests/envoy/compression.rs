//! A real service in grpcio that compresses whoever calls, behind real Envoy.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Request};
use crate::bench::process::Running;
use crate::bench::upstream::frame;
use crate::bench::{Bench, schema};

const COMPRESSING: &str = "compressing";

fn bench() -> &'static Bench {
    static BENCH: OnceLock<(Bench, Running)> = OnceLock::new();
    let (bench, _) = BENCH.get_or_init(|| {
        let with = |more: Value| {
            let mut configuration = json!({ "proto": schema::PROTO });
            for (key, value) in more.as_object().unwrap() {
                configuration[key] = value.clone();
            }
            configuration
        };
        let small = json!({ "max_message_bytes": 10_000 });
        let listeners = [
            Listener::without_module("native"),
            Listener::new("plain", &with(json!({}))),
            Listener::new("web", &with(json!({ "upstream": { "grpc_web": true } }))).with_grpc_web(),
            Listener::new("no-stop", &with(json!({ "hold_headers": false }))).without_stop_iteration(),
            Listener::new("call", &with(json!({ "dispatch": "call" }))),
            Listener::new("bridge", &with(json!({ "upstream": { "connect_bridge": true } }))).with_bridge(),
            Listener::new("no-bridge", &with(json!({ "upstream": { "connect_bridge": true } }))),
            Listener::new("small", &with(json!({ "limits": small }))),
            Listener::new(
                "small-web",
                &with(json!({ "limits": small, "upstream": { "grpc_web": true } })),
            )
            .with_grpc_web(),
            Listener::new(
                "small-bridge",
                &with(json!({ "limits": small, "upstream": { "connect_bridge": true } })),
            )
            .with_bridge(),
        ]
        .map(|listener| listener.cluster(COMPRESSING));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let service = root.join("tests/envoy/services/compressing.py");
        let (running, address) = Running::service(Command::new(root.join(".venv/bin/python")).arg(service));
        (Bench::start_beside(&listeners, COMPRESSING, address), running)
    });
    bench
}

/// The encodings, and lengths of a text: held by the filter or not, and of many parts.
const ENCODINGS: [&str; 2] = ["gzip", "deflate"];
const LENGTHS: [usize; 3] = [100, 5000, 3_000_000];

fn told(request: Request, encoding: &str, length: usize) -> Request {
    request
        .header("x-compression", encoding)
        .header("x-length", length.to_string())
}

fn echo(encoding: &str, length: usize) -> Request {
    told(Request::post("/v1/echo", &json!({ "int32Value": 7 })), encoding, length)
}

/// The same without a body.
fn query(encoding: &str, length: usize) -> Request {
    told(Request::get("/v1/echo?int32Value=7"), encoding, length)
}

fn list(accept: &str, encoding: &str, length: usize) -> Request {
    let request = Request::post("/v1/streams/x", &json!({})).header("accept", accept);
    told(request, encoding, length)
}

async fn send(listener: &'static str, version: Http, request: &Request) -> Answer {
    bench().at(listener).send(version, request).await
}

/// The service does compress, and a client of gRPC has what it says as it is.
#[tokio::test]
async fn native_grpc_stays_compressed() {
    for listener in ["native", "plain"] {
        for encoding in ENCODINGS {
            let request = Request::new("POST", "/test.everything.Echo/Post")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(frame(0, b""));
            let answer = send(listener, Http::Two, &told(request, encoding, 5000)).await;
            assert_eq!(answer.header("grpc-encoding"), Some(encoding), "{listener}");
            assert_eq!(answer.body[0], 1, "{listener} {encoding}");
            assert!(answer.body.len() < 200, "{listener} {encoding}");
        }
    }
}

#[tokio::test]
async fn a_message_is_inflated_in_place() {
    for listener in ["plain", "web", "no-stop"] {
        for encoding in ENCODINGS {
            for length in LENGTHS {
                for version in Http::BOTH {
                    let answer = send(listener, version, &echo(encoding, length)).await;
                    let row = format!("{listener} {encoding} {length} {version:?}");
                    assert_eq!(answer.status, 200, "{row}");
                    let expected = json!({ "int32Value": 7, "stringValue": "x".repeat(length) });
                    assert!(answer.json() == expected, "{row}");
                    assert_eq!(answer.header("grpc-encoding"), None, "{row}");
                }
            }
            // An error has no message.
            let answer = send(listener, Http::Two, &echo(encoding, 1).header("x-fail", "1")).await;
            assert_eq!(answer.status, 404, "{listener} {encoding}: {answer:?}");
            assert_eq!(answer.json(), json!({ "code": 5, "message": "gone" }));
        }
    }
}

#[tokio::test]
async fn a_message_that_the_connect_bridge_hands_on_is_inflated() {
    for encoding in ENCODINGS {
        for length in LENGTHS {
            for version in Http::BOTH {
                let answer = send("bridge", version, &query(encoding, length)).await;
                let row = format!("{encoding} {length} {version:?}");
                assert_eq!(answer.status, 200, "{row}");
                let expected = json!({ "int32Value": 7, "stringValue": "x".repeat(length) });
                assert!(answer.json() == expected, "{row}");
                assert_eq!(answer.header("content-encoding"), None, "{row}");
            }
        }
        let answer = send("bridge", Http::Two, &query(encoding, 1).header("x-fail", "1")).await;
        assert_eq!(answer.status, 404, "{encoding}: {answer:?}");
        assert_eq!(answer.json(), json!({ "code": 5, "message": "gone" }));

        let answer = send("small-bridge", Http::One, &query(encoding, 3_000_000)).await;
        assert_eq!((answer.status, &answer.json()["code"]), (502, &json!(8)), "{encoding}");
        let answer = send("small-bridge", Http::One, &query(encoding, 9_990)).await;
        assert_eq!(answer.status, 200, "{encoding}");
    }
}

/// What the service makes of a request that was meant for a bridge.
#[tokio::test]
async fn it_is_said_that_there_is_no_connect_bridge() {
    for version in Http::BOTH {
        let answer = send("no-bridge", version, &query("gzip", 1)).await;
        // gRPC's C core breaks a GET off; tonic, in `bridge`, answers it.
        assert_eq!(answer.status, 503, "{version:?}: {answer:?}");
        let message = answer.json()["message"].to_string();
        assert!(message.contains("connect_grpc_bridge"), "{version:?}: {message}");
    }
}

#[tokio::test]
async fn a_stream_is_inflated_in_place() {
    for listener in ["plain", "web", "no-stop"] {
        for encoding in ENCODINGS {
            for length in LENGTHS {
                for version in Http::BOTH {
                    let row = format!("{listener} {encoding} {length} {version:?}");
                    let text = "x".repeat(length);
                    let messages: Vec<Value> = [json!({}), json!({ "int32Value": 1 }), json!({ "int32Value": 2 })]
                        .into_iter()
                        .map(|mut message| {
                            message["stringValue"] = text.clone().into();
                            message
                        })
                        .collect();
                    // An array that nobody can close has to fit into what is reserved for it.
                    if listener != "no-stop" || length < 5000 {
                        let answer = send(listener, version, &list("application/json", encoding, length)).await;
                        assert!(answer.json() == json!(messages), "{row}");
                    }
                    let answer = send(listener, version, &list("application/x-ndjson", encoding, length)).await;
                    let lines = std::str::from_utf8(&answer.body).unwrap().lines();
                    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
                    assert!(lines == messages, "{row}");
                    let request = told(Request::post("/v1/streams:download", &json!({})), encoding, length);
                    let answer = send(listener, version, &request).await;
                    assert!(answer.body == text.repeat(3), "{row}");
                    if listener != "no-stop" {
                        assert_eq!(answer.header("content-type"), Some("text/plain"), "{row}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_error_behind_compressed_messages_is_written() {
    for encoding in ENCODINGS {
        let request = list("application/json", encoding, 10).header("x-fail", "1");
        let answer = send("web", Http::One, &request).await.json();
        assert_eq!(answer[2]["int32Value"], 2, "{answer}");
        assert_eq!(answer[3], json!({ "error": { "code": 5, "message": "gone" } }));
    }
}

#[tokio::test]
async fn what_inflates_beyond_the_limit_is_502() {
    for listener in ["small", "small-web"] {
        for encoding in ENCODINGS {
            for request in [
                echo(encoding, 3_000_000),
                list("application/json", encoding, 3_000_000),
                list("application/x-ndjson", encoding, 10_000),
            ] {
                let answer = send(listener, Http::One, &request).await;
                let error = answer.json();
                assert_eq!((answer.status, &error["code"]), (502, &json!(8)), "{listener}: {error}");
                let message = error["message"].as_str().unwrap();
                assert!(message.contains("limits.max_message_bytes"), "{message}");
            }
            let answer = send(listener, Http::One, &echo(encoding, 9_990)).await;
            assert_eq!(answer.status, 200, "{listener} {encoding}");
        }
    }
}

/// Envoy's own client of gRPC, by which calls go, takes no compressed frame.
#[tokio::test]
async fn by_a_call_it_is_502_that_names_the_encoding() {
    for encoding in ENCODINGS {
        for request in [echo(encoding, 1000), list("application/json", encoding, 1000)] {
            let answer = send("call", Http::One, &request).await;
            let error = answer.json();
            assert_eq!((answer.status, &error["code"]), (502, &json!(14)), "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&format!("grpc-encoding {encoding:?}")), "{message}");
        }
    }
}
