//! Streams of requests: elements become messages as they come.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tonic::Code;

use super::{Form, bench, collect, is_error, is_form, next_request_works, number, start};
use crate::bench::client::{Http, Request};
use crate::bench::upstream::Script;
use crate::bench::{schema, script};

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
