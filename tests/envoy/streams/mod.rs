//! Streams through real Envoy: of answers, of requests, of both; with and without Envoy's gRPC-Web filter.
//!
//! That messages arrive one by one is shown without a clock: the server sends the next one when the client has the one
//! before.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{self, Answer, Http, Live, Request};
use crate::bench::upstream::{Call, Gate, RawAnswer, Script, frame};
use crate::bench::{Bench, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let plain = json!({ "proto": schema::PROTO });
        let web = json!({ "proto": schema::PROTO, "upstream": { "grpc_web": true } });
        let with = |base: &Value, key: &str, value: Value| {
            let mut configuration = base.clone();
            configuration[key] = value;
            configuration
        };
        let small = json!({ "max_response_bytes": 2000 });
        let deadline = json!({ "timeout": "0.5s" });
        let later = json!({ "timeout": "4s" });
        let short = |base: &Value| {
            with(&with(base, "streaming", later.clone()), "upstream", {
                let mut upstream = base["upstream"].clone();
                upstream["timeout"] = json!("0.5s");
                upstream
            })
        };
        let listeners = [
            Listener::new("plain", &plain),
            Listener::new("web", &web).with_grpc_web(),
            Listener::new("plain-no-stop", &plain).without_stop_iteration(),
            Listener::new("web-no-stop", &web)
                .with_grpc_web()
                .without_stop_iteration(),
            Listener::new("web-no-stop-fresh", &web)
                .with_grpc_web()
                .without_stop_iteration(),
            Listener::new("plain-fresh", &plain),
            Listener::new("plain-lua", &plain).with_lua(),
            Listener::new("web-lua", &web).with_lua().with_grpc_web(),
            Listener::new("call", &with(&plain, "dispatch", json!("call"))),
            Listener::new("plain-small", &with(&plain, "limits", small.clone())),
            Listener::new("web-small", &with(&web, "limits", small)).with_grpc_web(),
            Listener::new("plain-deadline", &with(&plain, "streaming", deadline.clone())),
            Listener::new("web-deadline", &with(&web, "streaming", deadline)).with_grpc_web(),
            Listener::new("plain-short", &short(&plain)),
            Listener::new("web-short", &short(&web)).with_grpc_web(),
            Listener::new("google", &with(&web, "errors", json!({ "format": "google" }))).with_grpc_web(),
        ];
        Bench::start(&listeners.map(|listener| listener.without_route_timeout().closes_at_once()))
    })
}

/// How the messages of an answer stand in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Array,
    Ndjson,
    Sse,
}

impl Form {
    const ALL: [Self; 3] = [Self::Array, Self::Ndjson, Self::Sse];

    fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Sse => "text/event-stream",
        }
    }

    /// The `index`th message in the body.
    fn message(self, index: usize, json: &str) -> String {
        match self {
            Self::Array if index == 0 => format!("[{json}"),
            Self::Array => format!(",{json}"),
            Self::Ndjson => format!("{json}\n"),
            Self::Sse => format!("data: {json}\n\n"),
        }
    }

    /// What is behind `count` messages.
    fn end(self, count: usize) -> &'static str {
        match self {
            Self::Array if count == 0 => "[]",
            Self::Array => "]",
            Self::Ndjson | Self::Sse => "",
        }
    }

    /// What is behind `count` messages when there was an error.
    fn error(self, count: usize, error: &str) -> String {
        let event = if self == Self::Sse { "event: error\n" } else { "" };
        let end = if self == Self::Array { "]" } else { "" };
        format!("{event}{}{end}", self.message(count, error))
    }

    /// The whole body of these messages.
    fn body(self, messages: &[&str]) -> String {
        let mut body = self.messages(messages);
        body.push_str(self.end(messages.len()));
        body
    }

    fn messages(self, messages: &[&str]) -> String {
        messages
            .iter()
            .enumerate()
            .map(|(index, message)| self.message(index, message))
            .collect()
    }
}

/// The listeners of one kind that stream an answer in this form.
fn flowing(form: Form) -> &'static [&'static str] {
    match form {
        // The end of an array can only be written where the end of the stream is part of the body.
        Form::Array => &["web", "web-no-stop", "web-lua"],
        Form::Ndjson | Form::Sse => &["web", "web-no-stop", "web-lua", "plain", "plain-no-stop", "plain-lua"],
    }
}

fn list(form: Form) -> Request {
    Request::post("/v1/streams/x", &json!({})).header("accept", form.content_type())
}

fn number(number: usize) -> Value {
    json!({ "int32Value": number })
}

fn text(number: usize) -> String {
    format!(r#"{{"int32Value":{number}}}"#)
}

/// `int32_value` of `Everything`.
fn wire(number: u8) -> Bytes {
    assert!(number < 128);
    Bytes::copy_from_slice(&[3 << 3, number])
}

fn is_form(answer: &Answer, form: Form, body: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some(form.content_type()), "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.body), body, "{answer:?}");
    for name in ["grpc-status", "grpc-message"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
        assert!(!answer.trailers.contains_key(name), "{answer:?}");
    }
}

fn is_error(answer: &Answer, status: u16, code: i32) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    assert_eq!(answer.json()["code"], code, "{answer:?}");
    assert!(answer.json()["message"].is_string(), "{answer:?}");
}

/// An answer that broke off, and did not just hang.
fn is_cut(answer: Result<Answer, String>, row: &str) {
    match answer {
        Ok(answer) => panic!("looks complete: {row}: {answer:?}"),
        Err(error) => assert!(!error.contains("hangs"), "{row}: {error}"),
    }
}

async fn start(listener: &'static str, version: Http, request: Request, call: &Call) -> Live {
    Live::start(bench().at(listener).address, version, &request.script(call)).await
}

async fn next_request_works(listener: &'static str) {
    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let (answer, _) = bench().at(listener).exchange(Http::One, request, Script::echo()).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, number(5)),
        "{listener}: {answer:?}"
    );
}

/// As a raw answer has them.
type Trailers = &'static [(&'static str, &'static str)];

// Server streaming.

#[tokio::test]
async fn each_message_arrives_before_the_next_is_sent() {
    for form in Form::ALL {
        for listener in flowing(form) {
            for version in Http::BOTH {
                let row = format!("{form:?} {listener} {version:?}");
                let gate = Gate::default();
                let mut sends = Script::default();
                for index in 0..5 {
                    sends = sends.then(number(index + 1)).hold(&gate);
                }
                let call = script(sends);
                let mut live = start(listener, version, list(form), &call).await;
                let (status, headers) = live.head().await.unwrap_or_else(|error| panic!("{row}: {error}"));
                assert_eq!(
                    (status, &headers["content-type"]),
                    (200, &form.content_type().parse().unwrap()),
                    "{row}"
                );
                assert!(!headers.contains_key("content-length"), "{row}");
                for index in 0..5 {
                    let expected = form.message(index, &text(index + 1));
                    let arrived = live.exactly(expected.len()).await;
                    assert_eq!(arrived.as_deref(), Ok(expected.as_bytes()), "{row}");
                    gate.open();
                }
                assert_eq!(live.rest().await.as_deref(), Ok(form.end(5).as_bytes()), "{row}");
            }
        }
    }
}

#[tokio::test]
async fn accept_chooses_the_form() {
    let rows = [
        (None, Form::Array),
        (Some("*/*"), Form::Array),
        (Some("text/html"), Form::Array),
        (Some("application/jsonl"), Form::Ndjson),
        (Some("application/x-ndjson"), Form::Ndjson),
        (Some("text/event-stream"), Form::Sse),
        (Some("application/json;q=0.2, text/event-stream;q=0.9"), Form::Sse),
        (
            Some("text/event-stream;q=0.1, application/x-ndjson; q=0.3, */*;q=0.2"),
            Form::Ndjson,
        ),
    ];
    for listener in ["web", "plain", "call"] {
        for (accept, form) in rows {
            let mut request = Request::post("/v1/streams/x", &json!({}));
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            let sends = Script::replies([number(1), number(2)]);
            let (answer, _) = bench().at(listener).exchange(Http::Two, request, sends).await;
            is_form(&answer, form, &form.body(&[&text(1), &text(2)]));
        }
    }
}

#[tokio::test]
async fn a_stream_may_be_empty() {
    for form in Form::ALL {
        for listener in ["web", "web-no-stop", "web-lua", "plain", "plain-lua", "call"] {
            for version in Http::BOTH {
                let (answer, received) = bench()
                    .at(listener)
                    .exchange(version, list(form), Script::replies([]))
                    .await;
                is_form(&answer, form, form.end(0));
                assert_eq!(received.json(), json!({ "stringValue": "x" }));
            }
        }
    }
}

#[tokio::test]
async fn an_error_before_the_first_message_is_one_as_from_a_unary_method() {
    let details = schema::from_json(
        &schema::message("google.rpc.Status"),
        &json!({ "code": 5, "message": "m", "details": [
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "r" }
        ] }),
    );
    for form in Form::ALL {
        for listener in [
            "web",
            "web-lua",
            "plain",
            "plain-lua",
            "call",
            "web-no-stop",
            "plain-no-stop",
        ] {
            for version in Http::BOTH {
                let trailers_only = Script::error(Code::NotFound, "m").details(details.clone());
                let late = Script::late_error(Code::NotFound, "m").details(details.clone());
                for (sends, is_late) in [(trailers_only, false), (late, true)] {
                    let call = script(sends);
                    let request = list(form).script(&call);
                    let answer = client::send(bench().at(listener).address, version, &request).await;
                    let row = format!("{form:?} {listener} {version:?} {is_late}: {answer:?}");
                    let error = json!({
                        "code": 5,
                        "message": "m",
                        "details": [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "r" }],
                    });
                    match (listener, is_late) {
                        // The headers are gone.
                        ("plain-no-stop", true) => is_cut(answer, &row),
                        ("web-no-stop", true) => {
                            let error = json!({ "error": error }).to_string();
                            is_form(&answer.unwrap(), form, &form.error(0, &error));
                        }
                        _ => {
                            let answer = answer.unwrap_or_else(|_| panic!("{row}"));
                            is_error(&answer, 404, 5);
                            assert_eq!(answer.json(), error, "{row}");
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_error_behind_messages_is_the_last_element() {
    let error = r#"{"error":{"code":8,"message":"m"}}"#;
    for form in Form::ALL {
        for listener in [
            "web",
            "web-no-stop",
            "web-lua",
            "plain",
            "plain-no-stop",
            "plain-lua",
            "call",
        ] {
            for version in Http::BOTH {
                for count in [1, 3] {
                    let texts: Vec<String> = (1..=count).map(text).collect();
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    let sends = Script::replies((1..=count).map(number)).then_error(Code::ResourceExhausted, "m");
                    let call = script(sends);
                    let request = list(form).script(&call);
                    let answer = client::send(bench().at(listener).address, version, &request).await;
                    let row = format!("{form:?} {listener} {version:?} {count}: {answer:?}");
                    if listener.starts_with("plain") && form != Form::Array {
                        is_cut(answer, &row);
                        continue;
                    }
                    let body = form.messages(&texts) + &form.error(count, error);
                    is_form(&answer.unwrap_or_else(|_| panic!("{row}")), form, &body);
                }
            }
        }
    }
    let sends = Script::reply(number(1)).then_error(Code::ResourceExhausted, "m");
    let (answer, _) = bench().at("google").exchange(Http::Two, list(Form::Array), sends).await;
    assert_eq!(
        answer.json(),
        json!([{ "int32Value": 1 }, { "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m" } }])
    );
}

#[tokio::test]
async fn an_upstream_that_does_not_keep_to_grpc_is_told_from_a_complete_stream() {
    let good = frame(0, &wire(1));
    let mut cut = BytesMut::from(&frame(0, &[0; 100])[..]);
    cut.truncate(50);
    let ok: Trailers = &[("grpc-status", "0")];
    let rows: [(&str, Bytes, Trailers); 6] = [
        ("no status", Bytes::new(), &[("x-other", "1")]),
        ("no trailers", Bytes::new(), &[]),
        ("a cut frame", cut.freeze(), ok),
        ("a compressed frame", frame(1, &wire(2)), ok),
        ("unknown flags", frame(0x42, &wire(2)), ok),
        ("no such message", frame(0, &[0xff]), ok),
    ];
    for (what, garbage, trailers) in rows {
        for form in Form::ALL {
            for listener in ["web", "plain", "web-no-stop", "plain-no-stop"] {
                for count in [0, 1] {
                    let mut body = BytesMut::new();
                    for _ in 0..count {
                        body.extend_from_slice(&good);
                    }
                    body.extend_from_slice(&garbage);
                    let call = script(Script::raw(RawAnswer {
                        headers: vec![("content-type", "application/grpc")],
                        body: body.freeze(),
                        trailers: trailers.to_vec(),
                        ..RawAnswer::default()
                    }));
                    let request = list(form).script(&call);
                    let answer = client::send(bench().at(listener).address, Http::One, &request).await;
                    let row = format!("{what} {form:?} {listener} {count}: {answer:?}");
                    match answer {
                        // Broken off, and nothing else.
                        Err(error) => {
                            // Behind the cut there is no telling that a frame has the status.
                            assert!(listener.starts_with("plain") || what == "a cut frame", "{row}");
                            assert!(!error.contains("hangs"), "{row}");
                        }
                        Ok(answer) if count == 0 && !listener.ends_with("no-stop") => is_error(&answer, 502, 14),
                        Ok(answer) => {
                            let body = String::from_utf8_lossy(&answer.body).into_owned();
                            let good: Vec<String> = (0..count).map(|_| text(1)).collect();
                            let good: Vec<&str> = good.iter().map(String::as_str).collect();
                            let start = form.messages(&good) + form.error(count, "").trim_end_matches([']', '\n']);
                            let broken = body.starts_with(&(start + r#"{"error":{"code":14,"#));
                            // Nothing was sent on yet.
                            let whole = form == Form::Array && answer.json()["code"] == 14;
                            assert!(broken || whole, "{row}");
                        }
                    }
                }
            }
        }
    }
    next_request_works("web").await;
    next_request_works("plain").await;
}

#[tokio::test]
async fn a_stream_that_fails_in_the_middle_gets_nothing_more_of_it() {
    for form in Form::ALL {
        for listener in ["web", "plain", "web-no-stop", "plain-no-stop"] {
            for count in [0, 1] {
                let gate = Gate::default();
                let mut body = BytesMut::new();
                for _ in 0..count {
                    body.extend_from_slice(&frame(0, &wire(1)));
                }
                body.extend_from_slice(&frame(0, &[0xff]));
                let call = script(Script::raw(RawAnswer {
                    headers: vec![("content-type", "application/grpc")],
                    body: body.freeze(),
                    parts: vec![frame(0, &wire(2)), frame(0, &wire(3))],
                    gate: gate.clone(),
                    trailers: vec![("grpc-status", "0")],
                    ..RawAnswer::default()
                }));
                let request = list(form).script(&call);
                // There is no sign at the client by which the upstream could know when to go on.
                let opener = tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        gate.open();
                    }
                });
                let answer = client::send(bench().at(listener).address, Http::One, &request).await;
                opener.abort();
                let row = format!("{form:?} {listener} {count}: {answer:?}");
                match answer {
                    Err(error) => assert!(!error.contains("hangs"), "{row}"),
                    Ok(answer) => {
                        let body = String::from_utf8_lossy(&answer.body);
                        assert!(body.contains(r#""code":14,"#), "{row}");
                        assert!(!body.contains(&text(2)), "{row}");
                        assert!(!body.contains('\0'), "{row}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn frames_may_be_cut_and_glued_anywhere() {
    let frames: Vec<u8> = (1..=4).flat_map(|number| frame(0, &wire(number))).collect();
    // Each part completes as many messages as the number beside it says.
    let cuts: [&[(usize, usize)]; 4] = [
        // Behind one byte of the next frame, in its length, before its message, in its message.
        &[(8, 1), (17, 1), (26, 1), (28, 1)],
        &[(10, 1), (20, 1), (28, 2)],
        &[(7, 1), (21, 2), (28, 1)],
        &[(27, 3), (28, 1)],
    ];
    for form in Form::ALL {
        for listener in flowing(form) {
            for cut in cuts {
                let row = format!("{form:?} {listener} {cut:?}");
                let mut parts = Vec::new();
                let mut from = 0;
                for (to, _) in cut {
                    parts.push(Bytes::copy_from_slice(&frames[from..*to]));
                    from = *to;
                }
                let gate = Gate::default();
                let call = script(Script::raw(RawAnswer {
                    headers: vec![("content-type", "application/grpc")],
                    body: parts.remove(0),
                    parts,
                    gate: gate.clone(),
                    trailers: vec![("grpc-status", "0")],
                    ..RawAnswer::default()
                }));
                let mut live = start(listener, Http::Two, list(form), &call).await;
                assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                let mut index = 0;
                for (_, count) in cut {
                    for _ in 0..*count {
                        let expected = form.message(index, &text(index + 1));
                        let arrived = live.exactly(expected.len()).await;
                        assert_eq!(arrived.as_deref(), Ok(expected.as_bytes()), "{row}");
                        index += 1;
                    }
                    gate.open();
                }
                assert_eq!(live.rest().await.as_deref(), Ok(form.end(4).as_bytes()), "{row}");
            }
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_messages_arrive() {
    let messages = vec![wire(7); 100_000];
    for (form, listener, version) in [
        (Form::Array, "web", Http::Two),
        (Form::Ndjson, "plain", Http::One),
        (Form::Sse, "web", Http::One),
    ] {
        let texts = vec![r#"{"int32Value":7}"#; messages.len()];
        let (answer, _) = bench()
            .at(listener)
            .exchange(version, list(form), Script::many(messages.clone()))
            .await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.body == form.body(&texts),
            "{listener} {form:?}: {} bytes",
            answer.body.len()
        );
    }
}

#[tokio::test]
async fn a_hundred_messages_of_a_megabyte_arrive() {
    let value = "x".repeat(1 << 20);
    let message = schema::from_json(
        &schema::message("test.everything.Everything"),
        &json!({ "stringValue": value }),
    );
    let element = json!({ "stringValue": value }).to_string();
    for (form, listener, version) in [
        (Form::Array, "web", Http::Two),
        (Form::Ndjson, "plain", Http::Two),
        (Form::Sse, "web", Http::One),
    ] {
        let call = script(Script::many(vec![message.clone(); 100]));
        let mut live = start(listener, version, list(form), &call).await;
        assert_eq!(live.head().await.unwrap().0, 200);
        for index in 0..100 {
            let expected = form.message(index, &element);
            let arrived = live.exactly(expected.len()).await.unwrap();
            assert!(arrived == expected, "{listener} {index}");
        }
        assert_eq!(live.rest().await.as_deref(), Ok(form.end(100).as_bytes()), "{listener}");
    }
}

#[tokio::test]
async fn a_download_is_raw_bytes_under_the_first_messages_type() {
    let part =
        |content_type: &str, data: &[u8]| json!({ "contentType": content_type, "data": BASE64_STANDARD.encode(data) });
    let (first, second) = (b"\0\x01\xff\x80".as_slice(), b"\r\n\0[".as_slice());
    let request = Request::post("/v1/streams:download", &json!({}));
    for listener in ["web", "plain", "web-lua", "web-no-stop", "plain-no-stop"] {
        for version in Http::BOTH {
            let gate = Gate::default();
            let sends = Script::reply(part("image/png", first))
                .hold(&gate)
                .then(part("", second));
            let call = script(sends);
            let mut live = start(listener, version, request.clone(), &call).await;
            let (status, headers) = live.head().await.unwrap();
            assert_eq!(status, 200, "{listener}");
            if !listener.ends_with("no-stop") {
                assert_eq!(headers["content-type"], "image/png", "{listener}");
            }
            assert_eq!(live.exactly(first.len()).await.as_deref(), Ok(first), "{listener}");
            gate.open();
            assert_eq!(live.rest().await.as_deref(), Ok(second), "{listener}");

            // An error has no place in raw bytes.
            let call = script(Script::reply(part("image/png", first)).then_error(Code::DataLoss, "m"));
            let cut = client::send(bench().at(listener).address, version, &request.clone().script(&call)).await;
            is_cut(cut, listener);
        }
    }
    for listener in ["call", "plain-lua", "web-lua"] {
        let request = Request::get("/v1/raw-stream/7");
        let sends = Script::replies([part("image/png", first), part("text/plain", second)]);
        let (answer, received) = bench().at(listener).exchange(Http::One, request, sends).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("image/png")),
            "{answer:?}"
        );
        assert_eq!(answer.body, [first, second].concat(), "{listener}");
        assert_eq!(received.json(), json!({ "id": "7" }));
    }
}

#[tokio::test]
async fn a_part_of_each_message_may_be_the_answer() {
    for listener in ["web", "plain", "call"] {
        let messages = [
            json!({ "child": { "name": "a" } }),
            json!({}),
            json!({ "int32Value": 4, "child": {} }),
        ];
        let request = Request::post("/v1/streams:part", &json!({}));
        let (answer, _) = bench()
            .at(listener)
            .exchange(Http::Two, request, Script::replies(messages))
            .await;
        is_form(&answer, Form::Array, r#"[{"name":"a"},{},{}]"#);
    }
}

#[tokio::test]
async fn metadata_of_a_stream_become_headers() {
    for (listener, status) in [("web", 203), ("plain", 203), ("call", 203), ("web-no-stop", 203)] {
        for form in Form::ALL {
            let sends = Script::replies([number(1)])
                .initial("x-initial", "a")
                .initial("x-http-code", "203")
                .trailing("x-trailing", "b");
            let (answer, _) = bench().at(listener).exchange(Http::Two, list(form), sends).await;
            assert_eq!(answer.status, status, "{listener} {form:?}: {answer:?}");
            assert_eq!(answer.header("x-initial"), Some("a"), "{listener} {form:?}: {answer:?}");
            assert_eq!(answer.header("x-http-code"), None, "{listener} {form:?}: {answer:?}");
            assert_eq!(answer.body, form.body(&[&text(1)]), "{listener} {form:?}");
        }
    }
}

// Unary methods behind the gRPC-Web filter.

#[tokio::test]
async fn unary_methods_work_with_the_grpc_web_filter() {
    let post = || Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let get = || Request::get("/v1/echo?int32Value=5");
    for listener in ["web", "web-lua", "web-no-stop"] {
        for version in Http::BOTH {
            for request in [post(), get()] {
                let row = format!("{listener} {version:?} {request:?}");
                let gateway = bench().at(listener);
                let sends = Script::echo()
                    .initial("x-initial", "a")
                    .initial("x-bytes-bin", "AAE=")
                    .trailing("x-trailing", "b");
                let (answer, received) = gateway.exchange(version, request.clone(), sends).await;
                assert_eq!((answer.status, answer.json()), (200, number(5)), "{row}: {answer:?}");
                assert_eq!(answer.header("content-type"), Some("application/json"), "{row}");
                assert_eq!(answer.header("x-initial"), Some("a"), "{row}: {answer:?}");
                if listener != "web-no-stop" {
                    assert_eq!(answer.header("x-trailing"), Some("b"), "{row}: {answer:?}");
                }
                assert_eq!(received.header("content-type"), Some("application/grpc"), "{row}");
                assert_eq!(
                    received.path,
                    if row.contains("POST") {
                        "/test.everything.Echo/Post"
                    } else {
                        "/test.everything.Echo/Query"
                    }
                );

                let (answer, _) = gateway
                    .exchange(version, request.clone(), Script::error(Code::NotFound, "ü %"))
                    .await;
                is_error(&answer, 404, 5);
                assert_eq!(answer.json()["message"], "ü %", "{row}");

                for sends in [
                    Script::late_error(Code::Aborted, "m"),
                    Script::reply(number(1)).then_error(Code::Aborted, "m"),
                ] {
                    let (answer, _) = gateway.exchange(version, request.clone(), sends).await;
                    assert_eq!(answer.json(), json!({ "code": 10, "message": "m" }), "{row}");
                    if listener != "web-no-stop" {
                        is_error(&answer, 409, 10);
                    }
                }
            }
        }
        let answer = bench()
            .at(listener)
            .refuse(Http::One, Request::new("POST", "/v1/echo").body("{"))
            .await;
        is_error(&answer, 400, 3);
    }
}

#[tokio::test]
async fn no_compression_is_asked_for() {
    for listener in ["web", "plain", "web-lua", "call"] {
        for request in [
            Request::post("/v1/echo", &json!({})),
            Request::get("/v1/echo"),
            list(Form::Array),
        ] {
            // What the client takes is not what is read here.
            let request = request.header("grpc-accept-encoding", "gzip");
            let (_, received) = bench().at(listener).exchange(Http::Two, request, Script::echo()).await;
            let asked = received.header("grpc-accept-encoding");
            assert!(matches!(asked, None | Some("identity")), "{listener}: {asked:?}");
        }
    }
}

// Server streaming by GET.

#[tokio::test]
async fn get_streams_come_whole_through_the_call_api() {
    for listener in ["web", "plain", "call", "web-no-stop"] {
        for form in Form::ALL {
            for version in Http::BOTH {
                for request in [
                    Request::get("/v1/streams?int32Value=3"),
                    Request::delete("/v1/streams?int32Value=3"),
                ] {
                    let request = request.header("accept", form.content_type());
                    let sends = Script::replies((1..=3).map(number));
                    let (answer, received) = bench().at(listener).exchange(version, request, sends).await;
                    is_form(&answer, form, &form.body(&[&text(1), &text(2), &text(3)]));
                    assert_eq!(received.json(), number(3));
                }
            }
        }
    }
    for (listener, request) in [
        ("plain-small", Request::get("/v1/streams")),
        ("web-small", Request::get("/v1/streams")),
        ("plain-small", list(Form::Array)),
    ] {
        let gate = Gate::default();
        let mut sends = Script::default();
        for index in 0..500 {
            sends = sends.then(number(index));
        }
        let (answer, received) = bench()
            .at(listener)
            .exchange(Http::One, request, sends.hold(&gate))
            .await;
        is_error(&answer, 502, 8);
        received.cancelled().await;
    }
    // Where messages go out as they come, there is nothing to limit.
    let (answer, _) = bench()
        .at("web-small")
        .exchange(Http::One, list(Form::Array), Script::replies((0..200).map(number)))
        .await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(200));
}

#[tokio::test]
async fn get_streams_flow_behind_the_lua_filter() {
    for (listener, forms) in [("web-lua", &Form::ALL[..]), ("plain-lua", &Form::ALL[1..])] {
        for form in forms {
            for version in Http::BOTH {
                for method in ["GET", "DELETE"] {
                    let row = format!("{listener} {form:?} {version:?} {method}");
                    let gate = Gate::default();
                    let mut sends = Script::default();
                    for index in 0..3 {
                        sends = sends.then(number(index + 1)).hold(&gate);
                    }
                    let mut call = script(sends);
                    let request =
                        Request::new(method, "/v1/streams?stringValue=a%20b").header("accept", form.content_type());
                    let mut live = start(listener, version, request, &call).await;
                    assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                    for index in 0..3 {
                        let expected = form.message(index, &text(index + 1));
                        let arrived = live.exactly(expected.len()).await;
                        assert_eq!(arrived.as_deref(), Ok(expected.as_bytes()), "{row}");
                        gate.open();
                    }
                    assert_eq!(live.rest().await.as_deref(), Ok(form.end(3).as_bytes()), "{row}");
                    assert_eq!(call.received().await.json(), json!({ "stringValue": "a b" }), "{row}");
                }
            }
        }
    }
}

// Client streaming.

fn collect() -> Request {
    Request::new("POST", "/v1/streams:collect")
        .header("content-type", "application/json")
        .open()
}

fn everything(message: &[u8]) -> Value {
    schema::to_json(&schema::message("test.everything.Everything"), message)
}

#[tokio::test]
async fn each_element_reaches_the_upstream_before_the_next_is_sent() {
    for listener in ["web", "plain", "web-no-stop", "plain-no-stop"] {
        for version in Http::BOTH {
            for (content_type, parts, end) in [
                (
                    "application/json",
                    ["[{\"int32Value\":0},", " {\"int32Value\":1},", "\n{\"int32Value\":2}]"],
                    "",
                ),
                (
                    "application/json",
                    ["[{\"int32Value\":0} ,{\"int", "32Value\":1}\t,{\"int32Value\"", ":2}]"],
                    "",
                ),
                (
                    "application/x-ndjson",
                    [
                        "{\"int32Value\":0}\n",
                        "{\"int32Value\":1}\r\n",
                        "\n{\"int32Value\":2}\n",
                    ],
                    "",
                ),
                (
                    "application/jsonl",
                    [
                        "{\"int32Value\":0}\n{\"int32",
                        "Value\":1}\n",
                        " {\"int32Value\":2}\n{}",
                    ],
                    "{}",
                ),
            ] {
                let row = format!("{listener} {version:?} {parts:?}");
                let mut call = script(Script::reply(json!({ "int32Value": 9 })));
                let request = Request::new("POST", "/v1/streams:collect")
                    .header("content-type", content_type)
                    .open();
                let mut live = start(listener, version, request, &call).await;
                for (index, part) in parts.into_iter().enumerate() {
                    live.send(part).await;
                    assert_eq!(everything(&call.message().await), schema_number(index), "{row}");
                }
                live.end().await;
                if !end.is_empty() {
                    assert_eq!(everything(&call.message().await), json!({}), "{row}");
                }
                let answer = live.answer().await.unwrap_or_else(|error| panic!("{row}: {error}"));
                assert_eq!((answer.status, answer.json()), (200, number(9)), "{row}: {answer:?}");
            }
        }
    }
}

/// A number as it is printed by default: 0 is not.
fn schema_number(number: usize) -> Value {
    if number == 0 { json!({}) } else { self::number(number) }
}

#[tokio::test]
async fn path_captures_are_in_every_message_and_parameters_in_the_first() {
    let request = Request::post(
        "/v1/streams/a%2Fb/children?int64Value=7",
        &json!([{ "name": "1" }, {}, { "name": "3" }]),
    );
    for listener in ["web", "plain"] {
        for version in Http::BOTH {
            let (answer, received) = bench()
                .at(listener)
                .exchange(version, request.clone(), Script::reply(json!({})))
                .await;
            assert_eq!((answer.status, answer.json()), (200, json!({})), "{answer:?}");
            let messages: Vec<Value> = received.messages.iter().map(|message| everything(message)).collect();
            assert_eq!(
                messages,
                [
                    json!({ "anotherName": "a/b", "int64Value": "7", "child": { "name": "1" } }),
                    json!({ "anotherName": "a/b", "child": {} }),
                    json!({ "anotherName": "a/b", "child": { "name": "3" } }),
                ]
            );
        }
    }
}

#[tokio::test]
async fn a_malformed_element_ends_request_and_call() {
    for listener in ["web", "plain", "web-no-stop"] {
        for version in Http::BOTH {
            for (good, bad) in [
                ("[{\"int32Value\":1},", "{\"int32Value\":\"x\"},"),
                ("[{\"int32Value\":1},", ","),
                ("[{\"int32Value\":1},", "{\"int32Value\":1}]]"),
            ] {
                let row = format!("{listener} {version:?} {bad}");
                let mut call = script(Script::reply(json!({})));
                let mut live = start(listener, version, collect(), &call).await;
                live.send(good).await;
                assert_eq!(everything(&call.message().await), number(1), "{row}");
                live.send(bad).await;
                // The rest of the request is not waited for.
                let answer = live.answer().await.unwrap_or_else(|error| panic!("{row}: {error}"));
                is_error(&answer, 400, 3);
                call.broken_off().await;
            }
            // The array never ends.
            let mut call = script(Script::reply(json!({})));
            let mut live = start(listener, version, collect(), &call).await;
            live.send("[{\"int32Value\":1}").await;
            live.end().await;
            is_error(&live.answer().await.unwrap(), 400, 3);
            let _ = call.has_received();
        }
        next_request_works(listener).await;
    }
    for (body, content_type) in [
        ("{}", "application/json"),
        ("x", "application/x-ndjson"),
        ("[1]", "application/json"),
    ] {
        let request = Request::new("POST", "/v1/streams:collect")
            .body(body)
            .header("content-type", content_type);
        let answer = bench().at("plain").refuse(Http::One, request).await;
        is_error(&answer, 400, 3);
    }
    let answer = bench()
        .at("plain")
        .refuse(
            Http::One,
            Request::new("POST", "/v1/streams:collect")
                .body("[]")
                .header("content-type", "text/plain"),
        )
        .await;
    is_error(&answer, 415, 3);
}

#[tokio::test]
async fn a_streamed_request_may_be_empty() {
    for listener in ["web", "plain", "web-no-stop", "call"] {
        for version in Http::BOTH {
            for request in [
                Request::new("POST", "/v1/streams:collect").body(""),
                Request::new("POST", "/v1/streams:collect"),
                Request::new("POST", "/v1/streams:collect").body("[]"),
                Request::new("POST", "/v1/streams:collect").body(" [\n] "),
                Request::new("POST", "/v1/streams:collect")
                    .body("\n\n")
                    .header("content-type", "application/x-ndjson"),
            ] {
                let row = format!("{listener} {version:?} {request:?}");
                let call_only = listener == "call" && row.contains("content-length");
                let mut call = script(Script::reply(json!({ "int32Value": 9 })));
                let answer = bench().at(listener).send(version, &request.script(&call)).await;
                if answer.status == 501 && call_only {
                    continue;
                }
                assert_eq!((answer.status, answer.json()), (200, number(9)), "{row}: {answer:?}");
                assert!(call.received().await.messages.is_empty(), "{row}");
            }
            let mut live_call = script(Script::reply(json!({ "int32Value": 9 })));
            if listener == "call" {
                continue;
            }
            let mut live = start(listener, version, collect(), &live_call).await;
            live.end().await;
            let answer = live.answer().await.unwrap();
            assert_eq!(
                (answer.status, answer.json()),
                (200, number(9)),
                "{listener}: {answer:?}"
            );
            assert!(live_call.received().await.messages.is_empty());
        }
    }
}

#[tokio::test]
async fn errors_of_a_streamed_request_have_their_status() {
    for listener in ["web", "plain"] {
        for version in Http::BOTH {
            for sends in [
                Script::error(Code::PermissionDenied, "m").early(),
                Script::error(Code::PermissionDenied, "m"),
                Script::late_error(Code::PermissionDenied, "m"),
            ] {
                let request = Request::post("/v1/streams:collect", &json!([{}, {}]));
                let (answer, _) = bench().at(listener).exchange(version, request, sends).await;
                is_error(&answer, 403, 7);
            }
        }
    }
}

#[tokio::test]
async fn the_first_request_of_all_may_be_streamed() {
    // What is learned from it must not be wrong for the ones that follow.
    let listener = "web-no-stop-fresh";
    let request = Request::post("/v1/streams:collect", &json!([{}, {}]));
    let (answer, _) = bench()
        .at(listener)
        .exchange(Http::Two, request, Script::reply(number(1)))
        .await;
    assert_eq!((answer.status, answer.json()), (200, number(1)));
    next_request_works(listener).await;
    next_request_works(listener).await;
}

#[tokio::test]
async fn headers_are_held_where_all_requests_are_streamed() {
    // An answer that has no body, or fails behind its headers, needs them held. That they can be is to be found out
    // without a request whose body is awaited whole.
    let send = async |body: &'static str, script: Script| {
        let request = Request::new("POST", "/v1/streams:chat").body(body);
        bench().at("plain-fresh").exchange(Http::Two, request, script).await
    };
    for body in ["[]", "[{}, {}]"] {
        let (answer, received) = send(body, Script::replies([])).await;
        is_form(&answer, Form::Array, "[]");
        assert_eq!(received.messages.len(), body.matches('{').count());
        let (answer, _) = send(body, Script::late_error(Code::NotFound, "m")).await;
        is_error(&answer, 404, 5);
    }
}

#[tokio::test]
async fn an_upload_is_cut_into_messages() {
    let raw = schema::message("test.everything.RawRequest");
    let body: Vec<u8> = (0..5_000_000_u32).map(|byte| (byte % 251) as u8).collect();
    for listener in ["web", "plain"] {
        for version in Http::BOTH {
            let request = Request::put("/v1/streams/file/content?note=n", &json!(null)).body(body.clone());
            let (answer, received) = bench()
                .at(listener)
                .exchange(version, request, Script::reply(number(1)))
                .await;
            assert_eq!((answer.status, answer.json()), (200, number(1)), "{answer:?}");
            let mut whole = Vec::new();
            for (index, message) in received.messages.iter().enumerate() {
                assert!(message.len() <= (1 << 20) + 100, "{listener} {}", message.len());
                let message = schema::to_json(&raw, message);
                assert_eq!(message["name"], "file");
                assert_eq!(message["note"].as_str(), (index == 0).then_some("n"));
                assert_eq!(
                    message["content"]["contentType"].as_str(),
                    (index == 0).then_some("application/json")
                );
                whole.extend(
                    BASE64_STANDARD
                        .decode(message["content"]["data"].as_str().unwrap())
                        .unwrap(),
                );
            }
            assert!(whole == body, "{listener} {version:?}: {} bytes", whole.len());
        }
    }
    // Each part goes on as it comes.
    let mut call = script(Script::reply(number(1)));
    let request = Request::new("PUT", "/v1/streams/file/content")
        .header("content-type", "image/png")
        .open();
    let mut live = start("plain", Http::Two, request, &call).await;
    for (part, expected) in [
        (
            "abc",
            json!({ "name": "file", "content": { "contentType": "image/png", "data": "YWJj" } }),
        ),
        ("de", json!({ "name": "file", "content": { "data": "ZGU=" } })),
    ] {
        live.send(part).await;
        assert_eq!(schema::to_json(&raw, &call.message().await), expected);
    }
    live.end().await;
    assert_eq!(live.answer().await.unwrap().json(), number(1));
}

// Both directions.

fn chat(form: Form) -> Request {
    Request::new("POST", "/v1/streams:chat")
        .header("content-type", "application/x-ndjson")
        .header("accept", form.content_type())
        .open()
}

#[tokio::test]
async fn a_chat_goes_back_and_forth() {
    for form in Form::ALL {
        for listener in flowing(form) {
            for version in Http::BOTH {
                let row = format!("{form:?} {listener} {version:?}");
                let call = script(Script::echo_each());
                let mut live = start(listener, version, chat(form), &call).await;
                for index in 0..10 {
                    live.send(format!("{}\n", text(index + 1))).await;
                    if index == 0 {
                        assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                    }
                    let expected = form.message(index, &text(index + 1));
                    let arrived = live.exactly(expected.len()).await;
                    assert_eq!(arrived.as_deref(), Ok(expected.as_bytes()), "{row}");
                }
                live.end().await;
                assert_eq!(live.rest().await.as_deref(), Ok(form.end(10).as_bytes()), "{row}");
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_element_in_a_chat_breaks_it_off() {
    for listener in ["web", "plain", "web-no-stop"] {
        for version in Http::BOTH {
            let mut call = script(Script::echo_each());
            let mut live = start(listener, version, chat(Form::Ndjson), &call).await;
            let received = call.received().await;
            live.send(format!("{}\n", text(1))).await;
            assert_eq!(live.head().await.unwrap().0, 200);
            assert_eq!(
                live.exactly(17).await.as_deref(),
                Ok(format!("{}\n", text(1)).as_bytes())
            );
            live.send("{\"int32Value\":\"x\"}\n").await;
            let rest = live.rest().await;
            match &rest {
                Ok(rest) => assert!(
                    String::from_utf8_lossy(rest).starts_with(r#"{"error":{"code":3,"#),
                    "{listener} {version:?}: {rest:?}"
                ),
                Err(error) => assert!(!error.contains("hangs"), "{listener} {version:?}: {error}"),
            }
            received.cancelled().await;

            // Before anything of an answer has gone out, it is an error as any.
            let call = script(Script::echo_each());
            let mut live = start(listener, version, chat(Form::Ndjson), &call).await;
            live.send("{\"int32Value\":\"x\"}\n").await;
            match live.answer().await {
                Ok(answer) => is_error(&answer, 400, 3),
                Err(error) => panic!("{listener} {version:?}: {error}"),
            }
        }
    }
}

// Ends.

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
