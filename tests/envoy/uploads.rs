//! Requests that go on as they come, through real Envoy: when each message goes on, and what becomes of one that is wrong
//! once an answer has begun.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::bootstrap::{Listener, PLAYED};
use crate::bench::client::{Answer, Http, Live, Request};
use crate::bench::faulty::{Act, Play};
use crate::bench::upstream::{Script, frame};
use crate::bench::{Bench, play, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let limits = json!({ "max_request_bytes": LIMIT });
        let plain = json!({ "proto": schema::PROTO, "limits": limits });
        let web = json!({ "proto": schema::PROTO, "limits": limits, "upstream": { "grpc_web": true } });
        let listeners = [
            Listener::new("plain", &plain),
            Listener::new("web", &web).with_grpc_web(),
            Listener::new("plain-played", &plain).cluster(PLAYED),
            Listener::new("web-played", &web).with_grpc_web().cluster(PLAYED),
            Listener::new("plain-no-stop", &plain).without_stop_iteration(),
            Listener::new("plain-no-stop-played", &plain)
                .without_stop_iteration()
                .cluster(PLAYED),
        ];
        Bench::start(&listeners.map(|listener| listener.without_route_timeout().closes_at_once().keeps_connections()))
    })
}

/// `limits.max_request_bytes`.
const LIMIT: usize = 1000;

/// A stream of messages as a JSON array, whose parts are to follow.
fn upload(path: &str) -> Request {
    Request::new("POST", path)
        .header("content-type", "application/json")
        .header("accept", "application/x-ndjson")
        .open()
}

fn is_error(answer: &Answer, status: u16, code: i32, row: &str) {
    assert_eq!(answer.status, status, "{row}: {answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{row}: {answer:?}"
    );
    assert_eq!(answer.json()["code"], code, "{row}: {answer:?}");
}

/// Messages that cannot go on, with the status and code of the error.
fn bad_elements() -> [(Value, u16, i32); 2] {
    [
        (json!({ "int32Value": "x" }), 400, 3),
        (json!({ "stringValue": "x".repeat(LIMIT) }), 413, 8),
    ]
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

#[tokio::test]
async fn an_element_over_the_limit_is_413() {
    for listener in ["plain", "web", "plain-no-stop"] {
        for version in Http::BOTH {
            for (content_type, open) in [("application/json", "["), ("application/x-ndjson", "")] {
                let row = format!("{listener} {version:?} {content_type}");
                let body = format!(
                    "{open}{{}}\n{}{}",
                    if open.is_empty() { "" } else { "," },
                    bad_elements()[1].0
                );
                let request = Request::new("POST", "/v1/streams:collect")
                    .header("content-type", content_type)
                    .body(body);
                let call = script(Script::reply(json!({})));
                let answer = bench().at(listener).send(version, &request.script(&call)).await;
                is_error(&answer, 413, 8, &row);
            }
        }
    }
}

#[tokio::test]
async fn what_trailers_leave_no_place_for_is_told() {
    for listener in ["plain", "web", "plain-no-stop"] {
        let request = Request::new("POST", "/v1/streams:collect")
            .header("content-type", "application/x-ndjson")
            // The end of the last line would be the end of the body, which trailers don't let a filter change.
            .body("{}")
            .trailer("a", "b");
        let call = script(Script::reply(json!({})));
        // Envoy drops an HTTP/1.1 client's.
        let answer = bench().at(listener).send(Http::Two, &request.script(&call)).await;
        is_error(&answer, 501, 12, listener);
    }
}

/// Begins an upload whose upstream answers its headers, then does `acts`, and returns when Envoy has all of that.
async fn answered_early(
    listener: &'static str,
    version: Http,
    path: &str,
    acts: impl IntoIterator<Item = Act>,
) -> (Live, Play) {
    // That headers can be held is known when this has gone through.
    let echo = [
        Act::Read,
        Act::Headers,
        Act::Echo,
        Act::Trailers(&[("grpc-status", "0")]),
    ];
    let request = Request::post("/v1/echo", &json!({})).play(&play(echo));
    assert_eq!(bench().at(listener).send(Http::Two, &request).await.status, 200);
    let mut played = play([Act::Headers].into_iter().chain(acts).chain([Act::Settle, Act::Stall]));
    let mut live = Live::start(bench().at(listener).address, version, &upload(path).play(&played)).await;
    live.send("[{\"int32Value\":1}").await;
    played.settled().await;
    (live, played)
}

#[tokio::test]
async fn a_bad_element_behind_held_headers_of_an_answer_is_an_error_as_any() {
    for listener in ["plain-played", "web-played"] {
        for version in Http::BOTH {
            for path in ["/v1/streams:collect", "/v1/streams:chat"] {
                for (element, status, code) in bad_elements() {
                    let row = format!("{listener} {version:?} {path} {status}");
                    let (mut live, mut played) = answered_early(listener, version, path, []).await;
                    live.send(format!(",{element}")).await;
                    let answer = live.answer().await.unwrap_or_else(|error| panic!("{row}: {error}"));
                    is_error(&answer, status, code, &row);
                    played.cancelled().await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_bad_element_behind_an_answer_that_has_begun_breaks_it_off() {
    let message = || Act::Body(frame(0, &[3 << 3, 7]));
    for (listener, path, acts, begun) in [
        (
            "plain-played",
            "/v1/streams:chat",
            vec![message()],
            "{\"int32Value\":7}\n",
        ),
        (
            "web-played",
            "/v1/streams:chat",
            vec![message()],
            "{\"int32Value\":7}\n",
        ),
        (
            "plain-no-stop-played",
            "/v1/streams:chat",
            vec![message()],
            "{\"int32Value\":7}\n",
        ),
        ("plain-no-stop-played", "/v1/streams:collect", vec![], ""),
    ] {
        for version in Http::BOTH {
            for (element, status, _) in bad_elements() {
                let row = format!("{listener} {version:?} {path} {status}");
                let (mut live, mut played) = answered_early(listener, version, path, acts.clone()).await;
                if !begun.is_empty() {
                    assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                    assert_eq!(
                        live.exactly(begun.len()).await.as_deref(),
                        Ok(begun.as_bytes()),
                        "{row}"
                    );
                }
                live.send(format!(",{element}")).await;
                let ended = match begun.is_empty() {
                    true => live.answer().await.map(|answer| format!("{answer:?}")),
                    false => live.rest().await.map(|rest| format!("{rest:?}")),
                };
                match ended {
                    Ok(rest) => panic!("{row}: looks complete: {rest}"),
                    Err(error) => assert!(!error.contains("hangs"), "{row}: {error}"),
                }
                played.cancelled().await;
            }
        }
    }
}
