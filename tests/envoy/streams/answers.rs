//! Streams of answers: in each form, by each way; their errors, their sizes, their headers.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use serde_json::json;
use tonic::Code;

use super::{Form, bench, flowing, is_error, is_form, list, next_request_works, number, start, text};
use crate::bench::client::{self, Answer, Http, Request};
use crate::bench::upstream::{Gate, RawAnswer, Script, frame};
use crate::bench::{schema, script};

/// As a raw answer has them.
type Trailers = &'static [(&'static str, &'static str)];

/// `int32_value` of `Everything`.
fn wire(number: u8) -> Bytes {
    assert!(number < 128);
    Bytes::copy_from_slice(&[3 << 3, number])
}

/// An answer that broke off, and did not just hang.
fn is_cut(answer: Result<Answer, String>, row: &str) {
    match answer {
        Ok(answer) => panic!("looks complete: {row}: {answer:?}"),
        Err(error) => assert!(!error.contains("hangs"), "{row}: {error}"),
    }
}

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

// By GET.

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
