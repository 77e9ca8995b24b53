//! What ends a stream besides its messages: a client that leaves, a deadline.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::{Form, bench, chat, collect, is_error, list, number, start, text};
use crate::bench::client::{self, Http, Request};
use crate::bench::script;
use crate::bench::upstream::{Gate, Script};

/// Where an exchange is when its client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The upstream has the request, and says nothing.
    Silence,
    /// The upstream has sent a message, which is held back.
    Held,
    /// The client has the first message.
    Begun,
    /// The upstream has the first message of a request that is still open.
    Sending,
    /// A message has gone there and back.
    Talking,
}

#[tokio::test]
async fn the_upstream_is_cancelled_when_the_client_leaves() {
    use Moment::{Begun, Held, Sending, Silence, Talking};
    let unary = || Request::post("/v1/echo", &json!({}));
    let download = || Request::post("/v1/streams:download", &json!({}));
    let upload = || Request::new("PUT", "/v1/streams/file/content").open();
    let get = |form: Form| Request::get("/v1/streams").header("accept", form.content_type());
    let rows = [
        // In place.
        ("plain", unary(), Silence),
        ("web", unary(), Silence),
        ("web", list(Form::Array), Silence),
        ("web", list(Form::Array), Begun),
        ("web", list(Form::Sse), Begun),
        ("plain", list(Form::Ndjson), Begun),
        ("plain", list(Form::Array), Held),
        ("web", download(), Begun),
        ("web-lua", get(Form::Sse), Begun),
        ("web-no-stop", list(Form::Sse), Begun),
        ("plain", collect(), Sending),
        ("web", collect(), Sending),
        ("plain", upload(), Sending),
        ("web", chat(Form::Array), Talking),
        ("plain", chat(Form::Ndjson), Talking),
        // By a call.
        ("call", unary(), Silence),
        ("plain", Request::get("/v1/echo"), Silence),
        ("call", list(Form::Sse), Held),
        ("plain", get(Form::Sse), Silence),
        ("plain", get(Form::Sse), Held),
    ];
    for (listener, request, moment) in rows {
        for version in Http::BOTH {
            let row = format!("{listener} {version:?} {moment:?} {request:?}");
            let message = match row.contains("download") {
                true => json!({ "data": "YWJj" }),
                false => number(1),
            };
            let mut call = script(match moment {
                Silence => Script::silence(),
                Held | Begun => Script::reply(message).hold(&Gate::default()),
                Sending => Script::reply(json!({})),
                Talking => Script::echo_each(),
            });
            let mut live = start(listener, version, request.clone(), &call).await;
            let left = match moment {
                Sending => {
                    live.send("[{},").await;
                    call.message().await;
                    live.leave();
                    let left = Instant::now();
                    call.broken_off().await;
                    left
                }
                _ => {
                    let mut received = call.received().await;
                    if moment == Talking {
                        live.send("{}\n").await;
                    }
                    if matches!(moment, Begun | Talking) {
                        assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                        assert!(live.part().await.unwrap().is_some(), "{row}");
                    }
                    assert!(received.is_open(), "{row}");
                    live.leave();
                    let left = Instant::now();
                    received.cancelled().await;
                    left
                }
            };
            // Within milliseconds; a second is promised, and this is for a machine with much else to do.
            assert!(
                left.elapsed() < Duration::from_secs(5),
                "{row}: after {:?}",
                left.elapsed()
            );
        }
    }
}

#[tokio::test]
async fn a_deadline_covers_the_whole_stream() {
    let mut rows = JoinSet::new();
    for version in Http::BOTH {
        for (listener, request) in [
            ("web-deadline", list(Form::Array)),
            ("web-deadline", list(Form::Sse)),
            ("plain-deadline", list(Form::Ndjson)),
            ("plain-deadline", list(Form::Array)),
            ("plain-deadline", Request::get("/v1/streams")),
            ("web", list(Form::Array).header("grpc-timeout", "500m")),
            ("plain", list(Form::Sse).header("grpc-timeout", "500m")),
            ("plain", Request::get("/v1/streams").header("grpc-timeout", "500m")),
        ] {
            rows.spawn(async move {
                let row = format!("{listener} {version:?} {request:?}");
                // Nothing came: 504.
                let mut call = script(Script::silence());
                let silent = request.clone().script(&call);
                let answer = bench().at(listener).send(version, &silent).await;
                // The server has a clock too, and calls it "cancelled"; of a call that may come first.
                let called = row.contains("GET") && answer.status == 499;
                if !called || answer.json()["message"] != "Timeout expired" {
                    is_error(&answer, 504, 4);
                }
                call.received().await.cancelled().await;
                // Something came: it breaks off, or says so.
                let gate = Gate::default();
                let mut call = script(Script::reply(number(1)).hold(&gate));
                let answer = client::send(bench().at(listener).address, version, &request.script(&call)).await;
                match answer {
                    Ok(answer) => assert!(
                        answer.status == 504 || String::from_utf8_lossy(&answer.body).contains(r#"{"error":{"code":4"#),
                        "{row}: {answer:?}"
                    ),
                    Err(error) => assert!(!error.contains("hangs"), "{row}: {error}"),
                }
                call.received().await.cancelled().await;
            });
        }
        for listener in ["web-deadline", "plain-deadline"] {
            rows.spawn(async move {
                // A request that never ends.
                let call = script(Script::echo_each());
                let mut live = start(listener, version, chat(Form::Ndjson), &call).await;
                live.send(format!("{}\n", text(1))).await;
                assert_eq!(live.head().await.unwrap().0, 200);
                let rest = live.rest().await;
                assert!(
                    rest.as_ref().is_err_and(|error| !error.contains("hangs")),
                    "{listener} {version:?}: {rest:?}"
                );
                let call = script(Script::reply(json!({})));
                let live = start(listener, version, collect(), &call).await;
                is_error(&live.answer().await.unwrap(), 504, 4);
            });
        }
    }
    rows.join_all().await;
}

#[tokio::test]
async fn a_stream_may_take_longer_than_a_unary_call() {
    let mut rows = JoinSet::new();
    for version in Http::BOTH {
        for (listener, form) in [
            ("web-short", Form::Array),
            ("web-short", Form::Sse),
            ("plain-short", Form::Ndjson),
        ] {
            rows.spawn(async move {
                let row = format!("{listener} {form:?} {version:?}");
                let gate = Gate::default();
                let sends = Script::reply(number(1)).hold(&gate).then(number(2));
                let mut call = script(sends);
                let mut live = start(listener, version, list(form), &call).await;
                assert_eq!(call.received().await.header("grpc-timeout"), Some("4S"), "{row}");
                let first = form.message(0, &text(1));
                assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                assert_eq!(
                    live.exactly(first.len()).await.as_deref(),
                    Ok(first.as_bytes()),
                    "{row}"
                );
                // A unary call in the meantime, and longer.
                let unary = script(Script::silence());
                let request = Request::post("/v1/echo", &json!({})).script(&unary);
                assert!(
                    bench().at(listener).send(version, &request).await.status >= 400,
                    "{row}"
                );
                gate.open();
                let rest = form.message(1, &text(2)) + form.end(2);
                assert_eq!(live.rest().await.as_deref(), Ok(rest.as_bytes()), "{row}");
            });
        }
    }
    rows.join_all().await;
}

#[tokio::test]
async fn a_deadline_in_the_middle_of_a_stream_is_its_last_element() {
    let mut rows = JoinSet::new();
    for version in Http::BOTH {
        for (listener, request, form) in [
            ("web-short", list(Form::Array), Form::Array),
            ("web-short", list(Form::Ndjson), Form::Ndjson),
            ("web-short", list(Form::Sse), Form::Sse),
            ("plain-short", list(Form::Array), Form::Array),
            ("plain-short", Request::get("/v1/streams"), Form::Array),
        ] {
            rows.spawn(async move {
                let row = format!("{listener} {request:?} {version:?}");
                // As servers do whose handlers keep to the deadline.
                let sends = Script::reply(number(1)).until_deadline();
                let (answer, _) = bench().at(listener).exchange(version, request, sends).await;
                assert_eq!(answer.status, 200, "{row}: {answer:?}");
                let body = String::from_utf8_lossy(&answer.body);
                let start = form.message(0, &text(1)) + &form.error(1, "{\"error\":{\"code\":4,");
                let start = start.trim_end_matches([']', '\n']);
                assert!(body.starts_with(start), "{row}: {answer:?}");
                assert_eq!(body.ends_with("}}]"), form == Form::Array, "{row}: {answer:?}");
            });
        }
    }
    rows.join_all().await;
}
