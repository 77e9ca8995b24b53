//! What only a call knows, `dispatch: call`, through real Envoy: how its API tells of answers, and which metadata it carries.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::bench::bootstrap::{FAULTY, Listener};
use crate::bench::client::{self, Answer, Http, Request};
use crate::bench::faulty::Act::{self, Body, Headers, HeadersAlone, Read, Stall, Trailers};
use crate::bench::upstream::{Script, frame};
use crate::bench::{Bench, play, schema};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let call = json!({ "proto": schema::PROTO, "dispatch": "call" });
        let small = json!({ "proto": schema::PROTO, "dispatch": "call", "limits": { "max_message_bytes": 64 } });
        Bench::start(&[
            Listener::new("call", &call),
            Listener::new("faulty", &call).cluster(FAULTY),
            Listener::new("small", &small).cluster(FAULTY),
        ])
    })
}

fn unary() -> [Request; 2] {
    [
        Request::post("/v1/echo", &json!({ "int32Value": 5 })),
        Request::get("/v1/echo?int32Value=5"),
    ]
}

/// A server stream.
fn list(accept: &str) -> Request {
    Request::post("/v1/streams/x", &json!({})).header("accept", accept)
}

async fn answer_of(listener: &'static str, request: Request, acts: &[Act]) -> Answer {
    let play = play(acts.to_vec());
    let request = request.play(&play);
    client::send(bench().at(listener).address, Http::One, &request)
        .await
        .unwrap_or_else(|error| panic!("{request:?}: {error}"))
}

/// `int32_value` of `Everything`.
fn message(number: u8) -> Act {
    Body(frame(0, &[3 << 3, number]))
}

const OK: Act = Trailers(&[("grpc-status", "0")]);
const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[tokio::test]
async fn an_answer_of_headers_alone_has_the_status_that_is_in_them() {
    let rows: [(&str, Act, u16, Value); 5] = [
        ("none", HeadersAlone(200, &[GRPC]), 502, json!(14)),
        (
            "a message alone",
            HeadersAlone(200, &[GRPC, ("grpc-message", "m")]),
            502,
            json!(14),
        ),
        (
            "no number",
            HeadersAlone(200, &[GRPC, ("grpc-status", "x")]),
            502,
            json!(14),
        ),
        (
            "UNKNOWN",
            HeadersAlone(200, &[GRPC, ("grpc-status", "2")]),
            500,
            json!(2),
        ),
        (
            "NOT_FOUND",
            HeadersAlone(200, &[GRPC, ("grpc-status", "5")]),
            404,
            json!(5),
        ),
    ];
    for (what, act, status, code) in rows {
        for request in unary()
            .into_iter()
            .chain([list("application/json"), list("text/event-stream")])
        {
            let row = format!("{what}: {request:?}");
            let answer = answer_of("faulty", request, &[Read, act.clone()]).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (status, &code),
                "{row}: {answer:?}"
            );
            assert_eq!(
                answer.header("content-type"),
                Some("application/json"),
                "{row}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn headers_alone_that_are_plain_http_are_mapped_by_grpcs_own_table() {
    for (http_status, status, code) in [(204, 500, 2), (404, 501, 12), (429, 503, 14), (503, 503, 14)] {
        for request in unary() {
            let row = format!("{http_status}: {request:?}");
            let alone = HeadersAlone(http_status, &[("content-type", "text/html")]);
            let answer = answer_of("faulty", request.clone(), &[Read, alone]).await;
            let error = json!({ "code": code, "message": "upstream: answered plain HTTP instead of gRPC" });
            assert_eq!((answer.status, answer.json()), (status, error), "{row}");
        }
    }
}

#[tokio::test]
async fn what_came_before_a_malformed_message_stays_and_the_error_is_the_last_element() {
    let malformed: [(&str, &'static str, Bytes); 2] = [
        ("malformed", "faulty", frame(0, &[0xff])),
        ("too large", "small", frame(0, &[0; 100])),
    ];
    let code = |what: &str| if what == "too large" { 8 } else { 14 };
    for (what, listener, bad) in malformed {
        // The stream is not awaited to its end.
        for rest in [vec![Stall], vec![message(3), OK]] {
            let acts = |before: usize| {
                let mut acts = vec![Read, Headers];
                acts.extend((1..=before).map(|number| message(u8::try_from(number).unwrap())));
                acts.push(Body(bad.clone()));
                acts.extend(rest.clone());
                acts
            };
            let error = |element: &Value| assert_eq!(element["error"]["code"], code(what), "{what}: {element}");

            let answer = answer_of(listener, list("application/json"), &acts(2)).await;
            let elements = answer.json();
            assert_eq!(
                (answer.status, elements.as_array().map(Vec::len)),
                (200, Some(3)),
                "{answer:?}"
            );
            assert_eq!(elements[0], json!({ "int32Value": 1 }));
            assert_eq!(elements[1], json!({ "int32Value": 2 }));
            error(&elements[2]);

            let answer = answer_of(listener, list("application/x-ndjson"), &acts(1)).await;
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!((answer.status, lines.len()), (200, 2), "{answer:?}");
            assert_eq!(lines[0], json!({ "int32Value": 1 }));
            error(&lines[1]);

            let answer = answer_of(listener, list("text/event-stream"), &acts(1)).await;
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(
                body.starts_with("data: {\"int32Value\":1}\n\nevent: error\ndata: {\"error\":"),
                "{body}"
            );

            // Nothing came before: an answer of its own.
            let answer = answer_of(listener, list("application/json"), &acts(0)).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (502, &json!(code(what))),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_binary_header_arrives_with_its_first_value_or_not_at_all() {
    for (value, expected) in [
        ("AAEC/w==", Some("AAEC/w==")),
        ("AAEC/w", Some("AAEC/w==")),
        ("", Some("")),
        // Envoy carries the first of several.
        ("AAEC, AAED", Some("AAEC")),
        ("AAEC,AAED", Some("AAEC")),
        ("AA==,", Some("AA==")),
        ("!!", None),
    ] {
        for request in unary() {
            let request = request.header("x-data-bin", value).header("x-text", value);
            let (answer, received) = bench().at("call").exchange(Http::One, request, Script::echo()).await;
            assert_eq!(answer.status, 200, "{value:?}: {answer:?}");
            assert_eq!(received.header("x-data-bin"), expected, "{value:?}");
            assert_eq!(received.header("x-text"), Some(value));
        }
    }
    let [request, _] = unary();
    let request = request.header("x-data-bin", "AAEC").header("x-data-bin", "AAED");
    let (_, received) = bench().at("call").exchange(Http::One, request, Script::echo()).await;
    assert_eq!(received.header("x-data-bin"), Some("AAEC"));
}
