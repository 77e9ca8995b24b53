//! Upstreams that break, through real Envoy: what the client sees of it, to the last byte, by every way through the module.
//!
//! Here are the faults of an upstream's connection, its HTTP/2 and its flow control, at each moment of an answer. Others are
//! tested where their subject is: answers that are whole in HTTP/2 but no gRPC, absent upstreams, and deadlines in
//! `dispatch`; the same of streams in `streams`; statuses and their details in `errors`; clients that break in
//! `robustness`; a new configuration under load in `reload`; all of it at once, for as long as one likes, in `soak`.
//!
//! Where the client sees Envoy's own text, a reset, or less than there is to know, it can't be helped:
//!
//! - Behind the upstream's headers, Envoy answers a reset or a timeout past all filters, or breaks the answer off.
//! - A call that breaks off behind its headers is to a module what a malformed frame is.
//! - A call whose last frame is cut by trailers has no such frame.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use serde_json::json;
use tokio::task::JoinSet;

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let plain = json!({ "proto": schema::PROTO });
        let web = json!({ "proto": schema::PROTO, "upstream": { "grpc_web": true } });
        let call = json!({ "proto": schema::PROTO, "dispatch": "call" });
        let listeners = [
            Listener::new("plain", &plain),
            Listener::new("web", &web).with_grpc_web(),
            Listener::new("lua", &plain).with_lua(),
            Listener::new("call", &call),
            Listener::new("formatted", &plain).formats_replies(),
            Listener::new("route-timeout", &web)
                .with_grpc_web()
                .route_timeout("0.5s"),
        ];
        Bench::start(&listeners.map(|listener| listener.narrow().cluster(FAULTY).closes_at_once()))
    })
}

/// The ways through the module that make a difference to what a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A unary method, in place.
    Unary,
    /// A unary method, by a call.
    UnaryCall,
    /// A server stream, in place, whose messages go out as they come.
    Flowing,
    /// A server stream, in place, that is held back to its end: an array without the gRPC-Web filter.
    Held,
    /// A server stream by a call, which comes whole.
    StreamCall,
}

/// What a client sees.
#[derive(Clone, Copy, Debug)]
enum Saw {
    /// The message of a unary method, in JSON.
    Message,
    /// An error in JSON, of this HTTP status, code and message.
    Error(u16, u16, &'static str),
    /// Envoy's own text with this HTTP status.
    Text(u16),
    /// A stream of so many messages that is whole.
    Stream(usize),
    /// A stream of so many messages whose last element is an error of this code and message.
    StreamError(usize, u16, &'static str),
    /// The same, of an error that is first known from the trailers: without the gRPC-Web filter, the stream breaks off.
    TrailersError(usize, u16, &'static str),
    /// The same, and the stream is reset behind it: the upstream has not ended its own.
    StreamErrorCut(usize, u16, &'static str),
    /// A stream that breaks off behind so many messages.
    Cut(usize),
}
use Saw::{Cut, Error, Message, Stream, StreamError, StreamErrorCut, Text, TrailersError};

use crate::bench::bootstrap::{FAULTY, Listener};
use crate::bench::client::{Http, Live, Request, Seen};
use crate::bench::faulty::Act::{
    self, Body, Close, Echo, End, Headers, Hold, Kill, Read, Reset, Stall, Trailers, Wire,
};
use crate::bench::faulty::Event;
use crate::bench::upstream::{Gate, frame};
use crate::bench::{Bench, play, schema};

/// What went wrong, and what is seen of it [in each way](Way).
struct Fault {
    what: &'static str,
    acts: Vec<Act>,
    /// So much of a flowing answer is there to be seen before the last act: headers, and messages.
    before: Option<usize>,
    saw: [Saw; 5],
}

const UNREACHABLE: Saw = Error(503, 14, "the upstream cannot be reached");
const BROKEN_CALL: &str = "upstream: the answer broke off, or has a malformed or compressed gRPC frame";
const OVER: &str = "upstream: found a message of 4294967295 bytes, over the limit of 16777216 bytes";
const COMPRESSED: &str =
    "upstream: found a compressed gRPC frame, but no grpc-encoding that says how: expected gzip or deflate";
const LATE: &str = "the upstream did not answer within 1s";
const NO_STATUS: &str = "upstream: no grpc-status";
const NO_MESSAGE: &str = "upstream: status OK without a message";
const OK: Act = Trailers(&[("grpc-status", "0")]);

/// The head of a frame that claims to have 4 GB, and two bytes of it.
const HUGE: Act = Body(Bytes::from_static(b"\0\xff\xff\xff\xff\x18\x05"));

fn half() -> Act {
    Body(frame(0, &[0; 100]).slice(..50))
}

fn faults() -> Vec<Fault> {
    let fault = |what, acts: &[Act], before, saw| Fault {
        what,
        acts: acts.to_vec(),
        before,
        saw,
    };
    let mut faults = vec![
        fault(
            "none",
            &[Read, Headers, Echo, OK],
            None,
            [Message, Message, Stream(1), Stream(1), Stream(1)],
        ),
        fault("killed before it reads", &[Kill], None, [UNREACHABLE; 5]),
        fault(
            "no HTTP/2 any more",
            &[Read, Wire(b"220 smtp.example ESMTP at your service\r\n"), Stall],
            None,
            [UNREACHABLE; 5],
        ),
        fault(
            "a garbage frame, and an end",
            &[Read, Headers, Body(Bytes::from_static(b"\x42\0\0\0\x02\x18\x05")), OK],
            None,
            [
                Error(
                    502,
                    14,
                    "upstream: found gRPC frame flags 0x42, expected 0x00, or 0x01 where it is compressed",
                ),
                Error(502, 14, BROKEN_CALL),
                Error(
                    502,
                    14,
                    "upstream: found gRPC frame flags 0x42, expected 0x00, or 0x01 where it is compressed",
                ),
                Error(
                    502,
                    14,
                    "upstream: found gRPC frame flags 0x42, expected 0x00, or 0x01 where it is compressed",
                ),
                Error(502, 14, BROKEN_CALL),
            ],
        ),
        fault(
            "a frame of 4 GB, and an end",
            &[Read, Headers, HUGE, OK],
            None,
            // A call has no such frame: of a stream nothing tells.
            [
                Error(502, 8, OVER),
                Error(502, 14, NO_MESSAGE),
                Error(502, 8, OVER),
                Error(502, 8, OVER),
                Stream(0),
            ],
        ),
        fault(
            "a frame of 4 GB behind a message, and no end",
            &[Read, Headers, Echo, HUGE, Stall],
            None,
            [
                Error(502, 8, OVER),
                Error(504, 4, LATE),
                StreamErrorCut(1, 8, OVER),
                StreamError(1, 8, OVER),
                StreamError(1, 4, LATE),
            ],
        ),
        fault(
            "a compressed frame, and no end",
            &[Read, Headers, Body(frame(1, b"\x18\x05")), Stall],
            None,
            [
                Text(504),
                Error(502, 14, BROKEN_CALL),
                Error(502, 14, COMPRESSED),
                Error(502, 14, COMPRESSED),
                Error(502, 14, BROKEN_CALL),
            ],
        ),
        fault(
            "a compressed frame behind a message, and no end",
            &[Read, Headers, Echo, Body(frame(1, b"\x18\x05")), Stall],
            None,
            [
                Error(502, 14, "upstream: more than one message from a unary method"),
                Error(502, 14, BROKEN_CALL),
                StreamErrorCut(1, 14, COMPRESSED),
                StreamError(1, 14, COMPRESSED),
                StreamError(1, 14, BROKEN_CALL),
            ],
        ),
        fault(
            "trailers without a status",
            &[Read, Headers, Echo, Trailers(&[("x-other", "1")])],
            None,
            [
                Error(502, 14, NO_STATUS),
                Error(502, 14, NO_STATUS),
                TrailersError(1, 14, NO_STATUS),
                StreamError(1, 14, NO_STATUS),
                StreamError(1, 14, NO_STATUS),
            ],
        ),
        fault(
            "no trailers",
            &[Read, Headers, Echo, End],
            None,
            [
                Error(502, 14, NO_STATUS),
                Error(502, 14, NO_STATUS),
                StreamError(1, 14, NO_STATUS),
                StreamError(1, 14, NO_STATUS),
                StreamError(1, 14, NO_STATUS),
            ],
        ),
        fault(
            "a status without a message",
            &[Read, Headers, OK],
            None,
            [
                Error(502, 14, NO_MESSAGE),
                Error(502, 14, NO_MESSAGE),
                Stream(0),
                Stream(0),
                Stream(0),
            ],
        ),
        fault("silence", &[Read, Stall], None, [Error(504, 4, LATE); 5]),
        fault(
            "silence behind the headers",
            &[Read, Headers, Stall],
            None,
            [
                Text(504),
                Error(504, 4, LATE),
                Text(504),
                Text(504),
                Error(504, 4, LATE),
            ],
        ),
        fault(
            "silence behind a message",
            &[Read, Headers, Echo, Stall],
            None,
            [
                Text(504),
                Error(504, 4, LATE),
                Cut(1),
                Text(504),
                StreamError(1, 4, LATE),
            ],
        ),
    ];
    // How an upstream goes away, and the HTTP status that Envoy itself has for that behind headers.
    for (how, act, status) in [
        ("closed", Close, 503),
        ("killed", Kill, 503),
        ("reset", Reset(Reason::INTERNAL_ERROR), 503),
        ("refused", Reset(Reason::REFUSED_STREAM), 503),
        ("cancelled", Reset(Reason::CANCEL), 503),
        ("a frame for no stream", Wire(b"\0\0\x01\0\0\0\0\0\0x"), 502),
        ("a frame of 16 MB", Wire(b"\xff\xff\xff\0\0\0\0\0\x01"), 502),
    ] {
        let mut at = |what, acts: &[Act], before, saw| {
            let what = format!("{how} {what}").leak();
            let act = [act.clone(), Stall];
            // Nothing comes behind what ends a stream.
            let act = if matches!(act[0], Wire(_)) { &act[..] } else { &act[..1] };
            faults.push(fault(what, &[acts, act].concat(), before, saw));
        };
        at("before its headers", &[Read], None, [UNREACHABLE; 5]);
        let broken = Error(502, 14, BROKEN_CALL);
        let text = Text(status);
        at(
            "behind its headers",
            &[Read, Headers],
            None,
            [text, broken, text, text, broken],
        );
        at(
            "behind half a message",
            &[Read, Headers, half()],
            Some(0),
            [text, broken, Cut(0), text, broken],
        );
        at(
            "behind a message",
            &[Read, Headers, Echo],
            Some(1),
            [text, broken, Cut(1), text, StreamError(1, 14, BROKEN_CALL)],
        );
        at(
            "behind two messages and a half",
            &[Read, Headers, Echo, Echo, half()],
            Some(2),
            [
                Error(502, 14, "upstream: more than one message from a unary method"),
                Error(502, 14, "upstream: more than one message from a unary method"),
                Cut(2),
                text,
                StreamError(2, 14, BROKEN_CALL),
            ],
        );
    }
    faults
}

#[tokio::test]
async fn a_broken_upstream_is_seen_for_what_it_is() {
    let mut rows = JoinSet::new();
    let mut failures = 0;
    for fault in faults() {
        for (saw, way) in
            fault
                .saw
                .into_iter()
                .zip([Way::Unary, Way::UnaryCall, Way::Flowing, Way::Held, Way::StreamCall])
        {
            for (listener, method, form) in exchanges(way) {
                for version in Http::BOTH {
                    let row = format!("{}: {way:?} {listener} {method} {form:?} {version:?}", fault.what);
                    let gate = Gate::default();
                    let mut acts = fault.acts.clone();
                    // What goes out before the fault is on its way until it has arrived.
                    let awaited = (way == Way::Flowing).then_some(fault.before).flatten();
                    if awaited.is_some() {
                        let last = acts.iter().rposition(|act| !matches!(act, Stall)).unwrap();
                        acts.insert(last, Hold(gate.clone()));
                    }
                    rows.spawn(async move {
                        let exchange = Exchange::new(way, listener, method, form);
                        let awaited = awaited.map(|count| exchange.messages(count).len());
                        let mut play = play(acts);
                        let request = exchange.request.clone().play(&play).header("grpc-timeout", "1S");
                        let mut live = Live::start(bench().at(listener).address, version, &request).await;
                        let seen = live
                            .seen(|length| {
                                if awaited.is_some_and(|awaited| length >= awaited) {
                                    gate.open();
                                }
                            })
                            .await;
                        exchange.check(&seen, saw, &row);
                        assert_eq!(play.came(), 1, "{row}");
                        assert_connection_is_in_step(live, version, &seen, &row).await;
                    });
                }
            }
        }
        // Not all at once: each call is a connection.
        while rows.len() > 64 {
            failures += usize::from(rows.join_next().await.unwrap().is_err());
        }
    }
    while let Some(row) = rows.join_next().await {
        failures += usize::from(row.is_err());
    }
    assert_eq!(failures, 0, "rows failed");
    assert_eq!(bench().traps(), "");
}

/// A time that passes by the clock of Envoy's route alone.
#[tokio::test]
async fn a_route_that_gives_up_is_seen_as_a_deadline() {
    let mut rows = JoinSet::new();
    for (acts, saw) in [
        (&[Read, Stall][..], Error(504, 4, "the upstream did not answer in time")),
        (&[Read, Headers, Stall], Text(504)),
        (&[Read, Headers, Echo, Stall], Cut(1)),
    ] {
        for version in Http::BOTH {
            let acts = acts.to_vec();
            rows.spawn(async move {
                let exchange = Exchange::new(Way::Flowing, "route-timeout", "POST", Form::Ndjson);
                let mut play = play(acts);
                let request = exchange.request.clone().play(&play);
                let mut live = Live::start(bench().at("route-timeout").address, version, &request).await;
                exchange.check(&live.seen(|_| {}).await, saw, &format!("{version:?}"));
                assert_eq!(play.cancelled().await, 1, "{saw:?} {version:?}");
            });
        }
    }
    rows.join_all().await;
}

/// Envoy's own text becomes JSON where Envoy is told so; what the module says stays as it is.
#[tokio::test]
async fn envoy_may_be_told_to_write_json_itself() {
    let error = |code: u16, message: &str| json!({ "code": code, "message": message });
    let broken = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
    for (acts, status, expected) in [
        (&[Read, Kill][..], 503, error(14, "the upstream cannot be reached")),
        (&[Read, Headers, Kill], 503, error(14, broken)),
        (&[Read, Stall], 504, error(4, LATE)),
        (&[Read, Headers, Stall], 504, error(4, "upstream request timeout")),
        (&[Read, Headers, OK], 502, error(14, NO_MESSAGE)),
        (&[Read, Headers, Echo, OK], 200, json!({ "int32Value": 5 })),
    ] {
        for version in Http::BOTH {
            let play = play(acts.to_vec());
            let request = Request::post("/v1/echo", &json!({ "int32Value": 5 })).header("grpc-timeout", "1S");
            let answer = bench().at("formatted").send(version, &request.play(&play)).await;
            assert_eq!((answer.status, answer.json()), (status, expected.clone()), "{answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        }
    }
}

/// What an upstream has read of a request when it breaks is none of the client's concern; nor how much the client has sent.
#[tokio::test]
async fn an_upstream_that_does_not_read_holds_the_request_back_until_it_does_or_breaks() {
    // More than the upstream's window.
    let text = "x".repeat(300_000);
    let body = json!({ "stringValue": text });
    for listener in ["plain", "web", "call"] {
        for version in Http::BOTH {
            let reply = Body(frame(0, b"\x18\x05"));
            for (what, acts, status, expected) in [
                (
                    "reads in the end",
                    &[Read, Headers, Echo, OK][..],
                    200,
                    body.to_string(),
                ),
                (
                    "answers without reading",
                    &[Headers, reply, OK],
                    200,
                    r#"{"int32Value":5}"#.to_owned(),
                ),
                ("is killed", &[Kill], 503, unreachable()),
                ("resets", &[Reset(Reason::INTERNAL_ERROR)], 503, unreachable()),
                (
                    "never does anything",
                    &[Stall],
                    504,
                    format!(r#"{{"code":4,"message":"{LATE}"}}"#),
                ),
            ] {
                let row = format!("{what}: {listener} {version:?}");
                let gate = Gate::default();
                let mut play = play([&[Hold(gate.clone())], acts].concat());
                let request = Request::post("/v1/echo", &body).header("grpc-timeout", "1S");
                let mut live = Live::start(bench().at(listener).address, version, &request.play(&play)).await;
                assert!(matches!(play.event().await, Event::Came(_)), "{row}");
                gate.open();
                let seen = live.seen(|_| {}).await;
                assert_eq!((seen.status, &seen.error), (status, &None), "{row}");
                assert!(
                    seen.body == expected,
                    "{row}: {}",
                    seen.body[..seen.body.len().min(200)].escape_ascii()
                );
                assert_eq!(play.came(), 0, "{row}: a second time");
                assert_connection_is_in_step(live, version, &seen, &row).await;
            }
            let mut play = play([Stall]);
            let request = Request::post("/v1/echo", &body).play(&play);
            let live = Live::start(bench().at(listener).address, version, &request).await;
            assert!(matches!(play.event().await, Event::Came(_)), "{listener} {version:?}");
            live.leave();
            play.cancelled().await;
        }
    }
    assert_eq!(bench().traps(), "");
}

fn unreachable() -> String {
    r#"{"code":14,"message":"the upstream cannot be reached"}"#.to_owned()
}

/// So many elements of an upload, of so many bytes each: 20 MB, of which Envoy, with the windows that it has here, and the
/// kernel take in less than half.
const ELEMENTS: usize = 2000;
const ELEMENT: usize = 10_000;

#[tokio::test]
async fn an_upload_waits_for_an_upstream_that_does_not_read() {
    for listener in ["plain", "web"] {
        for version in Http::BOTH {
            let gate = Gate::default();
            let reply = Body(frame(0, b"\x18\x05"));
            let mut play = play([Hold(gate.clone()), Read, Headers, reply, OK]);
            let request = Request::new("POST", "/v1/streams:collect")
                .header("content-type", "application/x-ndjson")
                .open()
                .play(&play);
            let sent = Arc::new(AtomicUsize::new(0));
            let client = tokio::spawn({
                let sent = Arc::clone(&sent);
                async move {
                    let mut live = Live::start(bench().at(listener).address, version, &request).await;
                    let element = format!("{{\"stringValue\":\"{}\"}}\n", "x".repeat(ELEMENT));
                    for _ in 0..ELEMENTS {
                        live.send(element.clone()).await;
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    live.end().await;
                    live.answer().await
                }
            });
            assert!(matches!(play.event().await, Event::Came(_)));
            let mut before = 0;
            while before == 0 || before != sent.load(Ordering::Relaxed) {
                before = sent.load(Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            let row = format!("{listener} {version:?}: {before} of {ELEMENTS} were sent");
            assert!(before < ELEMENTS, "{row}");
            gate.open();
            let answer = client.await.unwrap().unwrap_or_else(|error| panic!("{row}: {error}"));
            assert_eq!(
                (answer.status, answer.json()),
                (200, json!({ "int32Value": 5 })),
                "{row}"
            );
            let Event::Read(messages) = play.event().await else {
                panic!("{row}: the request wasn't read");
            };
            assert_eq!(messages.len(), ELEMENTS, "{row}");
            assert!(messages.iter().all(|message| message.len() > ELEMENT), "{row}");
        }
    }
}

#[tokio::test]
async fn an_upstream_may_break_while_the_request_is_still_coming() {
    let reply = Body(frame(0, b"\x18\x05"));
    let exhausted = Trailers(&[("grpc-status", "8"), ("grpc-message", "enough")]);
    for listener in ["plain", "web"] {
        for version in Http::BOTH {
            for (acts, status, expected) in [
                (&[Kill][..], 503, unreachable()),
                (&[Close], 503, unreachable()),
                (&[Reset(Reason::INTERNAL_ERROR)], 503, unreachable()),
                (
                    &[Headers, exhausted.clone()],
                    429,
                    r#"{"code":8,"message":"enough"}"#.to_owned(),
                ),
                (&[Headers, reply.clone(), OK], 200, r#"{"int32Value":5}"#.to_owned()),
            ] {
                let gate = Gate::default();
                let mut play = play([&[Hold(gate.clone())], acts].concat());
                let request = Request::new("POST", "/v1/streams:collect").open().play(&play);
                let mut live = Live::start(bench().at(listener).address, version, &request).await;
                live.send(r#"[{"int32Value":1},"#).await;
                assert!(matches!(play.event().await, Event::Came(_)));
                gate.open();
                let seen = live.seen(|_| {}).await;
                let body = String::from_utf8_lossy(&seen.body);
                assert_eq!(
                    (seen.status, &*body, seen.error),
                    (status, &*expected, None),
                    "{listener} {version:?}"
                );
                assert_eq!(play.came(), 0, "a second time");
            }
            // In the midst of a conversation.
            for act in [Kill, Close, Reset(Reason::CANCEL)] {
                let gate = Gate::default();
                let play = play([Headers, reply.clone(), Hold(gate.clone()), act]);
                let request = Request::new("POST", "/v1/streams:chat")
                    .header("accept", "application/x-ndjson")
                    .open()
                    .play(&play);
                let mut live = Live::start(bench().at(listener).address, version, &request).await;
                live.send(r#"[{"int32Value":1},"#).await;
                let said = "{\"int32Value\":5}\n";
                let seen = live
                    .seen(|length| {
                        if length >= said.len() {
                            gate.open();
                        }
                    })
                    .await;
                assert_eq!(
                    (seen.status, &seen.body[..]),
                    (200, said.as_bytes()),
                    "{listener} {version:?}"
                );
                assert!(
                    seen.error.is_some_and(|error| !error.contains("hangs")),
                    "{listener} {version:?}"
                );
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

/// Such a client's memory, and that it gets all of it when it reads on, is the subject of `backpressure`.
#[tokio::test]
async fn an_answer_that_waits_for_its_reader_breaks_off_with_the_upstream() {
    let number = json!({ "int32Value": 5, "stringValue": "x".repeat(10_000) });
    let message = schema::from_json(&schema::message("test.everything.Everything"), &number);
    // As much as Envoy takes in; a client over HTTP/2 that doesn't read takes 64 KB.
    let messages: Vec<Bytes> = (0..80).map(|_| frame(0, &message)).collect();
    for (listener, accept) in [("web", "application/json"), ("plain", "text/event-stream")] {
        let gate = Gate::default();
        for act in [Kill, Close, Reset(Reason::INTERNAL_ERROR)] {
            let mut play = play([Read, Headers, Body(messages.concat().into()), Hold(gate.clone()), act]);
            let request = Request::post("/v1/streams/x", &json!({}))
                .header("accept", accept)
                .play(&play);
            let mut live = Live::start(bench().at(listener).address, Http::Two, &request).await;
            assert!(matches!(play.event().await, Event::Came(_)));
            assert!(matches!(play.event().await, Event::Read(_)));
            assert_eq!(live.head().await.unwrap().0, 200);
            gate.open();
            // Neither more than was sent nor an end.
            let rest = live.rest().await;
            assert!(rest.is_err_and(|error| !error.contains("hangs")), "{listener} {accept}");
        }
        let mut play = play([Read, Headers, Body(messages.concat().into()), Stall]);
        let request = Request::post("/v1/streams/x", &json!({}))
            .header("accept", accept)
            .play(&play);
        let mut live = Live::start(bench().at(listener).address, Http::Two, &request).await;
        assert_eq!(live.head().await.unwrap().0, 200);
        live.leave();
        assert_eq!(play.cancelled().await, 1);
    }
    assert_eq!(bench().traps(), "");
}

/// The listeners of a way, and the requests' HTTP methods and forms.
fn exchanges(way: Way) -> Vec<(&'static str, &'static str, Form)> {
    use Form::{Array, Ndjson, Sse};
    match way {
        Way::Unary => vec![("plain", "POST", Array), ("web", "POST", Array), ("lua", "GET", Array)],
        Way::UnaryCall => vec![("plain", "GET", Array), ("web", "GET", Array), ("call", "POST", Array)],
        Way::Flowing => vec![
            ("web", "POST", Array),
            ("web", "POST", Ndjson),
            ("web", "POST", Sse),
            ("plain", "POST", Ndjson),
            ("plain", "POST", Sse),
            ("lua", "GET", Sse),
        ],
        Way::Held => vec![("plain", "POST", Array), ("lua", "GET", Array)],
        Way::StreamCall => vec![
            ("plain", "GET", Array),
            ("web", "GET", Sse),
            ("call", "POST", Array),
            ("call", "POST", Ndjson),
        ],
    }
}

/// Another request on the connection has its own answer: there has been no more than one to the first.
async fn assert_connection_is_in_step(mut live: Live, version: Http, seen: &Seen, row: &str) {
    let closes = seen.headers.get("connection").is_some_and(|value| value == "close");
    if version == Http::Two || seen.error.is_some() || closes {
        return;
    }
    let other = play([Read, Headers, Echo, OK]);
    let number = next_number();
    let request = Request::get(&format!("/v1/echo?int32Value={number}")).play(&other);
    let answer = live
        .next(&request)
        .await
        .unwrap_or_else(|error| panic!("{row}: {error}"));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "int32Value": number })),
        "{row}"
    );
}

/// A request of this test process, told from all others by a number that its answer must have.
struct Exchange {
    request: Request,
    listener: &'static str,
    form: Form,
    text: String,
}

fn next_number() -> u32 {
    static NUMBERS: AtomicU32 = AtomicU32::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

impl Exchange {
    fn new(way: Way, listener: &'static str, method: &str, form: Form) -> Self {
        let number = next_number();
        let is_unary = matches!(way, Way::Unary | Way::UnaryCall);
        let path = if is_unary { "/v1/echo" } else { "/v1/streams" };
        let (request, text) = match method {
            "GET" => (
                Request::get(&format!("{path}?int32Value={number}")),
                format!(r#"{{"int32Value":{number}}}"#),
            ),
            _ if is_unary => (
                Request::post(path, &json!({ "int32Value": number })),
                format!(r#"{{"int32Value":{number}}}"#),
            ),
            _ => (
                Request::post(&format!("{path}/{listener}"), &json!({ "int32Value": number })),
                format!(r#"{{"stringValue":"{listener}","int32Value":{number}}}"#),
            ),
        };
        Self {
            request: request.header("accept", form.content_type()),
            listener,
            form,
            text,
        }
    }

    fn messages(&self, count: usize) -> String {
        (0..count).map(|index| self.form.element(index, &self.text)).collect()
    }

    fn check(&self, seen: &Seen, saw: Saw, row: &str) {
        let body = String::from_utf8_lossy(&seen.body);
        let content_type = seen
            .headers
            .get("content-type")
            .map_or("", |value| value.to_str().unwrap());
        let row = format!(
            "{row}: {saw:?}, but {} {content_type} `{body}` {:?}",
            seen.status, seen.error
        );
        for name in ["grpc-status", "grpc-message"] {
            assert!(!seen.headers.contains_key(name), "{row}");
        }
        let whole = |status: u16, expected_type: &str, expected: &str| {
            assert_eq!((seen.status, content_type), (status, expected_type), "{row}");
            assert_eq!((&*body, &seen.error), (expected, &None), "{row}");
        };
        let error = |code: u16, message: &str| format!(r#"{{"code":{code},"message":"{message}"}}"#);
        let late = |count: usize, code, message| {
            let error = format!(r#"{{"error":{}}}"#, error(code, message));
            let event = if self.form == Form::Sse { "event: error\n" } else { "" };
            let end = if self.form == Form::Array { "]" } else { "" };
            format!(
                "{}{event}{}{end}",
                self.messages(count),
                self.form.element(count, &error)
            )
        };
        let cut = |expected: &str| {
            assert_eq!((seen.status, content_type), (200, self.form.content_type()), "{row}");
            assert_eq!(body, expected, "{row}");
            assert!(
                seen.error.as_ref().is_some_and(|error| !error.contains("hangs")),
                "{row}"
            );
        };
        match saw {
            Message => whole(200, "application/json", &self.text),
            Error(status, code, message) => whole(status, "application/json", &error(code, message)),
            Text(status) => {
                assert_eq!((seen.status, content_type), (status, "text/plain"), "{row}");
                assert!(body.starts_with("upstream ") && seen.error.is_none(), "{row}");
            }
            Stream(count) => {
                let end = match (self.form, count) {
                    (Form::Array, 0) => "[]",
                    (Form::Array, _) => "]",
                    _ => "",
                };
                whole(200, self.form.content_type(), &(self.messages(count) + end));
            }
            StreamError(count, code, message) => whole(200, self.form.content_type(), &late(count, code, message)),
            TrailersError(count, code, message) if self.listener == "web" => {
                whole(200, self.form.content_type(), &late(count, code, message));
            }
            TrailersError(count, ..) => cut(&self.messages(count)),
            StreamErrorCut(count, code, message) => cut(&late(count, code, message)),
            Cut(count) => cut(&self.messages(count)),
        }
    }
}

/// How the messages of a stream stand in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Array,
    Ndjson,
    Sse,
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Sse => "text/event-stream",
        }
    }

    fn element(self, index: usize, json: &str) -> String {
        match self {
            Self::Array if index == 0 => format!("[{json}"),
            Self::Array => format!(",{json}"),
            Self::Ndjson => format!("{json}\n"),
            Self::Sse => format!("data: {json}\n\n"),
        }
    }
}
