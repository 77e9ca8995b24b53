//! The module as cargo alone makes it, without the step behind the link: Envoy bounds what waits of a request, and headers of
//! answers go first, so that not all is carried as it should be. But Envoy never crashes, and what comes out is right.

use super::*;
use crate::bench::client;

const SETUPS: [Setup; 12] = [
    Setup::new("plain-1k", Some(KIB), false, true),
    Setup::new("web-1k", Some(KIB), true, true),
    Setup::new("plain-no-stop-1k", Some(KIB), false, false),
    Setup::new("web-no-stop-1k", Some(KIB), true, false),
    Setup::new("plain-32k", Some(32 * KIB), false, true),
    Setup::new("web-32k", Some(32 * KIB), true, true),
    Setup::new("plain-no-stop-32k", Some(32 * KIB), false, false),
    Setup::new("web-no-stop-32k", Some(32 * KIB), true, false),
    Setup::new("plain", None, false, true),
    Setup::new("web", None, true, true),
    Setup::new("plain-no-stop", None, false, false),
    Setup::new("web-no-stop", None, true, false),
];

/// An Envoy of its own.
fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| Bench::start(&SETUPS.map(|setup| setup.listener().unlinked())))
}

/// Whether there is no answer, or an error, in place of what did not pass.
fn is_refused(answer: &Result<Answer, String>) -> bool {
    answer
        .as_ref()
        .map_or(true, |answer| [413, 500, 502].contains(&answer.status))
}

#[tokio::test]
async fn an_answer_that_grows_is_right_or_none() {
    let messages = [1, 100, 300, 2_000, 6_000, 20_000, 200_000].map(Message::growing);
    let mut wrong = Vec::new();
    for setup in SETUPS {
        for version in Http::BOTH {
            for message in &messages {
                let call = script(Script::reply_bytes(message.wire.clone()));
                let request = Request::post("/v1/echo", &json!({})).script(&call);
                let answer = client::send(bench().at(setup.name).address, version, &request).await;
                // What is short passes all the same.
                let may_fail = message.json.len() > MAX_HELD && is_refused(&answer);
                if let Some(misfit) = misfit(answer, &message.json).filter(|_| !may_fail) {
                    wrong.push((format!("{} {version:?} {}", setup.name, message.json.len()), misfit));
                }
                next_request_works(bench(), setup.name).await;
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn a_message_is_right_there_and_back_or_none() {
    let messages = [2, KIB + 1, MAX_HELD, MAX_HELD + 1, 33_000, 1_100_000].map(Message::of_size);
    let mut wrong = Vec::new();
    for setup in SETUPS {
        for version in Http::BOTH {
            for (message, sending) in messages
                .iter()
                .flat_map(|message| Sending::BOTH.map(|sending| (message, sending)))
            {
                let mut call = script(Script::echo());
                let request = post("/v1/echo").script(&call);
                let answer = send(bench(), setup.name, version, request, &message.json, sending).await;
                let row = format!("{} {version:?} {} {sending:?}", setup.name, message.json.len());
                if call.has_received() {
                    let received = call.received().await.messages;
                    if received.iter().any(|received| *received != message.wire) || received.len() > 1 {
                        wrong.push((row.clone(), "at the service".to_owned()));
                    }
                }
                // Even the shortest becomes larger than its last part.
                let may_fail = (message.json.len() > KIB || sending.parts > 1) && is_refused(&answer);
                if let Some(misfit) = misfit(answer, &message.json).filter(|_| !may_fail) {
                    wrong.push((row, misfit));
                }
            }
            next_request_works(bench(), setup.name).await;
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn a_stream_is_right_or_none() {
    let mut wrong = Vec::new();
    for setup in SETUPS {
        for version in Http::BOTH {
            for (accept, [begin, between, end]) in [
                ("application/json", ["[", ",", "]"]),
                ("application/x-ndjson", ["", "\n", "\n"]),
            ] {
                for length in [1, 1_000, 6_000, 100_000] {
                    let message = Message::growing(length);
                    let messages = [&message.json[..]; 5].join(between.as_bytes());
                    let body = [begin.as_bytes(), &messages, end.as_bytes()].concat();
                    let call = script(Script::many(vec![message.wire; 5]));
                    let request = Request::post("/v1/streams/x", &json!({})).header("accept", accept);
                    let answer = client::send(bench().at(setup.name).address, version, &request.script(&call)).await;
                    let is_whole = |answer: &Answer| answer.status == 200 && answer.body == body;
                    // The array's room may be more than the buffer.
                    let lacks_room = !setup.web && setup.buffer == Some(KIB) && body.starts_with(b"[");
                    let may_fail = (body.len() > MAX_HELD || lacks_room) && is_refused(&answer);
                    if !answer.as_ref().is_ok_and(is_whole) && !may_fail {
                        wrong.push((
                            format!("{} {version:?} {accept} {length}", setup.name),
                            format!("{answer:?}"),
                        ));
                    }
                    next_request_works(bench(), setup.name).await;
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

/// Envoy's gRPC-Web filter adds the trailers to what Envoy holds.
#[tokio::test]
async fn trailers_longer_than_the_buffer_do_no_harm() {
    for setup in SETUPS {
        for version in Http::BOTH {
            for size in [2, KIB - 1, KIB, 16 * KIB - 30, 16 * KIB] {
                let wire = Message::of_size(size).wire;
                for length in [0, 3_000, 25_000] {
                    let sends = Script::reply_bytes(wire.clone()).trailing("x-trailing", &"x".repeat(length));
                    let request = Request::post("/v1/echo", &json!({})).script(&script(sends));
                    // Whether it is whole is another test's.
                    let _ = client::send(bench().at(setup.name).address, version, &request).await;
                }
            }
            next_request_works(bench(), setup.name).await;
        }
    }
    is_well(bench());
}
