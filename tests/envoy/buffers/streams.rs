//! Streams of messages that are larger than Envoy's buffers, either way.

use prost::Message as _;

use super::*;
use crate::bench::client;
use crate::bench::upstream::{Gate, RawAnswer, frame};

/// How the messages of a stream stand in its body.
const FORMS: [(&str, [&str; 3]); 3] = [
    ("application/json", ["[", ",", "]"]),
    ("application/x-ndjson", ["", "\n", "\n"]),
    ("text/event-stream", ["data: ", "\n\ndata: ", "\n\n"]),
];

/// Messages as the body of a stream.
fn written(messages: &[Message], [begin, between, end]: [&str; 3]) -> Bytes {
    let mut body = BytesMut::from(begin);
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            body.put_slice(between.as_bytes());
        }
        body.put_slice(&message.json);
    }
    body.put_slice(end.as_bytes());
    body.freeze()
}

fn wires(messages: &[Message]) -> Vec<Bytes> {
    messages.iter().map(|message| message.wire.clone()).collect()
}

async fn list(setup: Setup, version: Http, accept: &str, messages: &[Message]) -> Result<Answer, String> {
    let call = script(Script::many(wires(messages)));
    let request = Request::post("/v1/streams/x", &json!({}))
        .header("accept", accept)
        .script(&call);
    client::send(bench().at(setup.name).address, version, &request).await
}

/// What is wrong with a stream that is to be 200 with this body.
fn wrong_stream(answer: Result<Answer, String>, body: &[u8]) -> Option<String> {
    match answer {
        Ok(answer) if answer.status == 200 => differs(&answer.body, body),
        Ok(answer) => Some(format!("{answer:?}")),
        Err(error) => Some(error),
    }
}

#[tokio::test]
async fn messages_of_a_stream_may_have_any_size() {
    let mut wrong = Vec::new();
    let mixed = [19, 400_000, KIB, 2, MAX_HELD + 1, 1_000_000].map(Message::of_size);
    let many = vec![Message::of_size(5_000); 100];
    let growing = vec![Message::growing(30_000); 3];
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for (accept, form) in FORMS {
                // Where nobody can close it any more, it doesn't flow: see below.
                if accept == "application/json" && !setup.web {
                    continue;
                }
                for messages in [&mixed[..], &many, &growing] {
                    let answer = list(setup, version, accept, messages).await;
                    if let Some(misfit) = wrong_stream(answer, &written(messages, form)) {
                        wrong.push((format!("{setup:?} {version:?} {accept} {}", messages.len()), misfit));
                    }
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn an_array_that_goes_out_at_its_end_may_have_any_size_where_headers_are_held() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        if setup.web {
            continue;
        }
        for version in Http::BOTH {
            for (count, size) in [
                (1, 2),
                (10, 19),
                (3, 300),
                (2, 4_000),
                (2, 8_000),
                (2, 8_200),
                (100, 1_000),
                (10, 400_000),
            ] {
                let messages = vec![Message::of_size(size); count];
                let body = written(&messages, FORMS[0].1);
                let answer = list(setup, version, FORMS[0].0, &messages).await;
                let broken_off = answer.is_err();
                let shown = format!("{answer:?}").chars().take(300).collect::<String>();
                let misfit = wrong_stream(answer, &body);
                let is_right = match (setup.holds, body.len() <= MAX_HELD) {
                    (true, _) => misfit.is_none(),
                    // The room for it may be more than Envoy has.
                    (false, true) if setup.buffer_of(version) < 32 * KIB => misfit.is_none() || broken_off,
                    (false, true) => misfit.is_none(),
                    (false, false) => broken_off,
                };
                if !is_right {
                    wrong.push((
                        format!("{setup:?} {version:?} {}", body.len()),
                        format!("{shown} {misfit:?}"),
                    ));
                }
            }
            next_request_works(bench(), setup.name).await;
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

/// Messages that a client streams to the service, and what is wrong with them there.
async fn collect(
    setup: Setup,
    version: Http,
    (content_type, form): (&str, [&str; 3]),
    messages: &[Message],
    sending: Sending,
) -> Option<String> {
    let mut call = script(Script::reply(json!({ "int32Value": 5 })));
    let request = Request::new("POST", "/v1/streams:collect")
        .header("content-type", content_type)
        .script(&call);
    let body = written(messages, form);
    let answer = send(bench(), setup.name, version, request, &body, sending).await;
    if let Some(misfit) = misfit(answer, br#"{"int32Value":5}"#) {
        return Some(misfit);
    }
    let received = call.received().await.messages;
    (received != wires(messages)).then(|| format!("{} messages at the service", received.len()))
}

#[tokio::test]
async fn an_upload_may_have_messages_of_any_size() {
    let mut wrong = Vec::new();
    let messages = [19, 400_000, KIB, 2, MAX_HELD + 1, 1_000_000].map(Message::of_size);
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for form in &FORMS[..2] {
                for sending in Sending::BOTH {
                    if let Some(misfit) = collect(setup, version, *form, &messages, sending).await {
                        wrong.push((format!("{setup:?} {version:?} {form:?} {sending:?}"), misfit));
                    }
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn uploads_of_20_megabytes_pass() {
    let mut wrong = Vec::new();
    let messages = vec![Message::of_size(100_000); 200];
    for setup in Setup::ALL {
        for (version, sending) in [(Http::One, Sending::whole(false)), (Http::Two, Sending::slow(true))] {
            if setup.buffer != Some(KIB) {
                continue;
            }
            if let Some(misfit) = collect(setup, version, FORMS[0], &messages, sending).await {
                wrong.push((format!("{setup:?} {version:?} {sending:?}"), misfit));
            }
            if let Some(misfit) = raw_upload(setup, version, 20_000_000, sending).await {
                wrong.push((format!("{setup:?} {version:?} {sending:?}, raw"), misfit));
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

/// `test.everything.RawRequest`, as far as it is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct RawRequest {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    content: Option<HttpBody>,
}

/// `google.api.HttpBody`.
#[derive(Clone, PartialEq, prost::Message)]
struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
}

fn png(data: Bytes) -> HttpBody {
    HttpBody {
        content_type: "image/png".to_owned(),
        data,
    }
}

/// The content-type of a raw answer in PNG: headers that don't wait for it cannot tell.
fn png_type(setup: Setup) -> &'static str {
    match setup.holds {
        true => "image/png",
        false => "application/octet-stream",
    }
}

/// Bytes that a client streams to the service, and what is wrong with them there.
async fn raw_upload(setup: Setup, version: Http, size: usize, sending: Sending) -> Option<String> {
    let mut call = script(Script::reply(json!({ "int32Value": 5 })));
    let request = Request::new("PUT", "/v1/streams/n/content")
        .header("content-type", "image/png")
        .script(&call);
    let answer = send(bench(), setup.name, version, request, &text(size), sending).await;
    if let Some(misfit) = misfit(answer, br#"{"int32Value":5}"#) {
        return Some(misfit);
    }
    let mut content = BytesMut::new();
    for message in call.received().await.messages {
        let message = RawRequest::decode(message).unwrap();
        assert_eq!(message.name, "n");
        content.put_slice(&message.content.unwrap().data);
    }
    differs(&content, &text(size))
}

#[tokio::test]
async fn raw_uploads_may_have_any_size() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for size in [1, KIB + 1, MAX_HELD + 1, 300_000] {
                for sending in Sending::BOTH {
                    if let Some(misfit) = raw_upload(setup, version, size, sending).await {
                        wrong.push((format!("{setup:?} {version:?} {size} {sending:?}"), misfit));
                    }
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn raw_bodies_may_have_any_size_both_ways() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for size in [1, KIB + 1, MAX_HELD, MAX_HELD + 1, 1_100_000] {
                for sending in Sending::BOTH {
                    let call = script(Script::echo());
                    let request = Request::new("POST", "/v1/raw")
                        .header("content-type", "image/png")
                        .script(&call);
                    let answer = send(bench(), setup.name, version, request, &text(size), sending).await;
                    let row = format!("{setup:?} {version:?} {size} {sending:?}");
                    match answer {
                        Ok(answer) => {
                            assert_eq!(answer.header("content-type"), Some(png_type(setup)), "{row} {answer:?}");
                            if let Some(differs) = differs(&answer.body, &text(size)) {
                                wrong.push((row, differs));
                            }
                        }
                        Err(error) => wrong.push((row, error)),
                    }
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn downloads_may_have_any_size() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for (count, size) in [(2, 2_000_000), (100, 1_000)] {
                let parts = vec![Bytes::from(png(text(size)).encode_to_vec()); count];
                let call = script(Script::many(parts));
                let request = Request::post("/v1/streams:download", &json!({})).script(&call);
                let answer = client::send(bench().at(setup.name).address, version, &request).await;
                let row = format!("{setup:?} {version:?} {size}");
                if let Ok(answer) = &answer {
                    assert_eq!(answer.header("content-type"), Some(png_type(setup)), "{row} {answer:?}");
                }
                if let Some(misfit) = wrong_stream(answer, &text(size).repeat(count)) {
                    wrong.push((row, misfit));
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn messages_go_there_and_back_one_by_one() {
    for setup in Setup::ALL {
        for version in Http::BOTH {
            let row = format!("{setup:?} {version:?}");
            let call = script(Script::echo_each());
            let request = post("/v1/streams:chat")
                .header("accept", "application/x-ndjson")
                .open()
                .script(&call);
            let mut live = Live::start(bench().at(setup.name).address, version, &request).await;
            for (index, size) in [19, 40_000, KIB, 200_000].into_iter().enumerate() {
                let message = Message::of_size(size);
                live.send(if index == 0 { "[" } else { "," }).await;
                live.send(message.json.clone()).await;
                if index == 0 {
                    assert_eq!(live.head().await.unwrap().0, 200, "{row}");
                }
                let line = live
                    .exactly(size + 1)
                    .await
                    .unwrap_or_else(|error| panic!("{row}: {error}"));
                assert_eq!(differs(&line[..size], &message.json), None, "{row}");
            }
            live.send("]").await;
            live.end().await;
            assert_eq!(live.rest().await.as_deref(), Ok(&b""[..]), "{row}");
        }
    }
    is_well(bench());
}

#[tokio::test]
async fn the_headers_of_a_stream_go_out_when_its_first_message_begins() {
    let message = Message::growing(10_000);
    let framed = frame(0, &message.wire);
    for listener in ["plain", "web", "plain-1k", "web-1k"] {
        for cut in [1, 5, 6, 5_000] {
            let row = format!("{listener} {cut}");
            let gate = Gate::default();
            let call = script(Script::raw(RawAnswer {
                headers: vec![("content-type", "application/grpc")],
                body: framed.slice(..cut),
                parts: vec![framed.slice(cut..)],
                gate: gate.clone(),
                trailers: vec![("grpc-status", "0")],
                ..RawAnswer::default()
            }));
            let request = Request::post("/v1/streams/x", &json!({})).header("accept", "application/x-ndjson");
            let mut live = Live::start(bench().at(listener).address, Http::Two, &request.script(&call)).await;
            assert_eq!(live.head().await.unwrap().0, 200, "{row}");
            gate.open();
            assert!(live.exactly(message.json.len()).await.unwrap() == message.json, "{row}");
            assert_eq!(live.exactly(1).await.as_deref(), Ok(&b"\n"[..]), "{row}");
            gate.open();
            assert_eq!(live.rest().await.as_deref(), Ok(&b""[..]), "{row}");
        }
    }
}
