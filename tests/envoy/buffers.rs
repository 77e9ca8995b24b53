//! Bodies that grow beyond what real Envoy buffers, on their way through the module: Envoy would crash if it were made to
//! hold them.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{self, Answer, Http, Live, Request};
use crate::bench::upstream::{Gate, RawAnswer, Script, frame};
use crate::bench::{Bench, schema, script};

/// What Envoy's documentation advises for a listener at the edge, and less than what any of the answers below is.
const TIGHT: u32 = 32768;
const WINDOW: u32 = 65536;

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let plain = json!({ "proto": schema::PROTO });
        let web = json!({ "proto": schema::PROTO, "upstream": { "grpc_web": true } });
        let tight = |base: &Value| {
            let mut configuration = base.clone();
            configuration["limits"] = json!({ "gateway_buffer_bytes": TIGHT });
            configuration
        };
        let listeners = [
            Listener::new("plain", &plain),
            Listener::new("web", &web).with_grpc_web(),
            Listener::new("plain-tight", &tight(&plain))
                .buffer_limit(TIGHT)
                .window(WINDOW),
            Listener::new("web-tight", &tight(&web))
                .with_grpc_web()
                .buffer_limit(TIGHT)
                .window(WINDOW),
            Listener::new("plain-no-stop", &plain).without_stop_iteration(),
            Listener::new("web-no-stop", &web)
                .with_grpc_web()
                .without_stop_iteration(),
        ];
        Bench::start(&listeners.map(|listener| listener.without_route_timeout().closes_at_once()))
    })
}

/// A message that is six times as long in JSON.
fn growing(length: usize) -> (Bytes, Value) {
    let json = json!({ "stringValue": "\u{1}".repeat(length) });
    let wire = schema::from_json(&schema::message("test.everything.Everything"), &json);
    (wire, json)
}

async fn next_request_works(listener: &'static str) {
    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let (answer, _) = bench().at(listener).exchange(Http::One, request, Script::echo()).await;
    assert_eq!(answer.json(), json!({ "int32Value": 5 }), "{listener}");
}

#[tokio::test]
async fn an_answer_may_grow_beyond_the_buffer() {
    for (listener, length) in [
        ("plain", 300_000),
        ("web", 300_000),
        ("plain", 100_000),
        ("plain-tight", 6_000),
        ("web-tight", 6_000),
        ("plain-tight", 20_000),
        ("web-tight", 20_000),
    ] {
        for version in Http::BOTH {
            let row = format!("{listener} {length} {version:?}");
            let (wire, json) = growing(length);
            let sends = Script::reply_bytes(wire)
                .initial("x-initial", "a")
                .initial("x-http-code", "203")
                .trailing("x-trailing", "b");
            let request = Request::post("/v1/echo", &json!({}));
            let (answer, _) = bench().at(listener).exchange(version, request, sends).await;
            assert_eq!(answer.status, 203, "{row}: {answer:?}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/json"),
                "{row}: {answer:?}"
            );
            assert_eq!(answer.header("x-initial"), Some("a"), "{row}: {answer:?}");
            assert_eq!(answer.header("x-trailing"), Some("b"), "{row}: {answer:?}");
            for name in ["grpc-status", "x-http-code", "grpc-encoding"] {
                assert_eq!(answer.header(name), None, "{row}: {answer:?}");
            }
            for name in ["content-length", "content-type", "date", "server"] {
                assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{row}: {answer:?}");
            }
            assert!(answer.json() == json, "{row}: {answer:?}");
            next_request_works(listener).await;
        }
    }
}

#[tokio::test]
async fn an_array_that_is_held_back_may_grow_beyond_the_buffer() {
    for (listener, length) in [("plain", 30_000), ("plain-tight", 2_000)] {
        for version in Http::BOTH {
            let (wire, json) = growing(length);
            let request = Request::post("/v1/streams/x", &json!({}));
            let sends = Script::many(vec![wire; 10]);
            let (answer, _) = bench().at(listener).exchange(version, request, sends).await;
            assert_eq!(answer.status, 200, "{listener} {version:?}: {answer:?}");
            assert!(
                answer.json() == Value::from(vec![json; 10]),
                "{listener} {version:?}: {answer:?}"
            );
        }
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn where_the_headers_are_gone_an_answer_beyond_the_buffer_is_broken_off() {
    for listener in ["plain-no-stop", "web-no-stop"] {
        let (wire, _) = growing(300_000);
        let call = script(Script::reply_bytes(wire));
        let request = Request::post("/v1/echo", &json!({})).script(&call);
        let answer = client::send(bench().at(listener).address, Http::One, &request).await;
        assert!(answer.is_err(), "{listener}: {answer:?}");
        // Most don't come near it.
        let (wire, json) = growing(50_000);
        let request = Request::post("/v1/echo", &json!({}));
        let (answer, _) = bench()
            .at(listener)
            .exchange(Http::One, request, Script::reply_bytes(wire))
            .await;
        assert!(answer.json() == json, "{listener}: {answer:?}");
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn messages_of_a_stream_may_be_larger_than_the_buffer() {
    for (listener, length) in [
        ("plain", 400_000),
        ("web", 400_000),
        ("plain-no-stop", 400_000),
        ("web-no-stop", 400_000),
        ("plain-tight", 30_000),
        ("web-tight", 30_000),
        ("web-tight", 3_000),
    ] {
        for version in Http::BOTH {
            for (accept, begin, between, end) in [
                ("application/json", "[", ",", "]"),
                ("application/x-ndjson", "", "\n", "\n"),
                ("text/event-stream", "data: ", "\n\ndata: ", "\n\n"),
            ] {
                if accept == "application/json" && listener.starts_with("plain") {
                    continue;
                }
                let row = format!("{listener} {length} {version:?} {accept}");
                let (wire, json) = growing(length);
                let call = script(Script::many(vec![wire; 3]));
                let request = Request::post("/v1/streams/x", &json!({})).header("accept", accept);
                let answer = client::send(bench().at(listener).address, version, &request.script(&call)).await;
                let answer = answer.unwrap_or_else(|error| panic!("{row}: {error}"));
                assert_eq!(answer.status, 200, "{row}: {answer:?}");
                let json = json.to_string();
                assert!(
                    answer.body == format!("{begin}{json}{between}{json}{between}{json}{end}"),
                    "{row}: {answer:?}"
                );
            }
        }
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn parts_of_a_download_may_be_larger_than_the_buffer() {
    for (listener, length) in [("plain", 2_000_000), ("web", 2_000_000), ("web-tight", 100_000)] {
        for version in Http::BOTH {
            let row = format!("{listener} {version:?}");
            let data = vec![7; length];
            let part = json!({ "contentType": "image/png", "data": BASE64_STANDARD.encode(&data) });
            let sends = Script::replies([part.clone(), part]);
            let request = Request::post("/v1/streams:download", &json!({}));
            let (answer, _) = bench().at(listener).exchange(version, request, sends).await;
            assert_eq!(answer.header("content-type"), Some("image/png"), "{row}: {answer:?}");
            assert!(answer.body == [&data[..], &data[..]].concat(), "{row}: {answer:?}");
        }
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn the_headers_of_a_stream_go_out_when_its_first_message_begins() {
    let (wire, json) = growing(10_000);
    let message = frame(0, &wire);
    for listener in ["plain", "web"] {
        for cut in [1, 5, 6, 5_000] {
            let row = format!("{listener} {cut}");
            let gate = Gate::default();
            let call = script(Script::raw(RawAnswer {
                headers: vec![("content-type", "application/grpc")],
                body: message.slice(..cut),
                parts: vec![message.slice(cut..)],
                gate: gate.clone(),
                trailers: vec![("grpc-status", "0")],
                ..RawAnswer::default()
            }));
            let request = Request::post("/v1/streams/x", &json!({})).header("accept", "application/x-ndjson");
            let mut live = Live::start(bench().at(listener).address, Http::Two, &request.script(&call)).await;
            assert_eq!(live.head().await.unwrap().0, 200, "{row}");
            gate.open();
            let line = format!("{json}\n");
            assert!(live.exactly(line.len()).await.unwrap() == line, "{row}");
            gate.open();
            assert_eq!(live.rest().await.as_deref(), Ok(&b""[..]), "{row}");
        }
    }
}

#[tokio::test]
async fn a_request_that_grows_beyond_the_buffer_is_413() {
    for (listener, length) in [
        ("plain", 300_000),
        ("web", 300_000),
        ("plain-tight", 10_000),
        ("web-tight", 10_000),
    ] {
        // Two bytes of JSON are eight of wire format.
        let body = format!(r#"{{"doubles":[{}1]}}"#, "1,".repeat(length));
        let request = Request::new("POST", "/v1/echo")
            .body(body)
            .header("content-type", "application/json");
        let answer: Answer = bench().at(listener).refuse(Http::One, request).await;
        assert_eq!(answer.status, 413, "{listener}: {answer:?}");
        assert_eq!(answer.json()["code"], 8, "{listener}: {answer:?}");
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn an_error_behind_a_held_answer_is_small_again() {
    for listener in ["plain", "web", "plain-tight", "web-tight"] {
        let (wire, _) = growing(20_000);
        let sends = Script::reply_bytes(wire).then_error(Code::Aborted, "m");
        let request = Request::post("/v1/echo", &json!({}));
        let (answer, _) = bench().at(listener).exchange(Http::One, request, sends).await;
        assert_eq!(
            (answer.status, answer.json()),
            (409, json!({ "code": 10, "message": "m" })),
            "{listener}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_comes_larger_than_the_buffer_is_500() {
    for (listener, length) in [
        ("plain", 2 << 20),
        ("web", 2 << 20),
        ("plain-tight", 100_000),
        ("web-tight", 100_000),
    ] {
        let message = schema::from_json(
            &schema::message("test.everything.Everything"),
            &json!({ "stringValue": "x".repeat(length) }),
        );
        let request = Request::post("/v1/echo", &json!({}));
        let (answer, _) = bench()
            .at(listener)
            .exchange(Http::One, request, Script::reply_bytes(message))
            .await;
        assert_eq!(answer.status, 500, "{listener}: {answer:?}");
        next_request_works(listener).await;
    }
}
