//! What hooks are told of responses, and what their answers do to them.

use serde_json::{Value, json};
use tonic::Code;

use super::{WAYS, at, bench, each, hooks, post};
use crate::bench::client::Request;
use crate::bench::upstream::Script;

#[tokio::test]
async fn a_response_hook_sees_and_changes_all_of_the_response() {
    let script = "o.response.headers['X-Saw'] = seen(o); o.response.headers['X-N'] = '1'; o.response.raw_body = b'new'; \
                  o.response.status_code = 201";
    for (listener, version) in each(&[&WAYS[..], &["lua", "web", "narrow"]].concat()) {
        for request in [post(&json!({})), Request::get("/v1/echo")] {
            let service = Script::reply(json!({ "int32Value": 5 }))
                .initial("set-cookie", "a=1")
                .trailing("set-cookie", "b=2");
            let request = hooks(request, &[("response", script)]);
            let (answer, _) = at(listener).exchange(version, request, service).await;
            assert_eq!(answer.status, 201, "{listener} {version:?} {answer:?}");
            assert_eq!(answer.body, "new", "{listener} {version:?}");
            assert_eq!(answer.header("content-length"), Some("3"), "{listener} {version:?}");
            assert_eq!(answer.header("x-n"), Some("1"));
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
            assert_eq!(cookies, ["a=1", "b=2"], "{listener} {version:?}");
            let saw: Value = serde_json::from_str(answer.header("x-saw").unwrap()).unwrap();
            assert_eq!(saw["hook_type"], "Response");
            assert_eq!(saw["response"]["status_code"], 200);
            assert_eq!(saw["response"]["body"], r#"{"int32Value":5}"#);
            assert_eq!(saw["response"]["headers"]["Content-Type"], "application/json");
            assert_eq!(saw["response"]["headers"]["Set-Cookie"], "a=1");
            let all = saw["response"]["multivalue_headers"].as_array().unwrap();
            let cookies = json!({ "key": "Set-Cookie", "values": ["a=1", "b=2"] });
            assert!(all.contains(&cookies), "{saw}");
            assert_eq!(saw["session"], json!({}));
        }
    }
}

#[tokio::test]
async fn an_echoed_response_is_as_without_hooks() {
    for (listener, version) in each(&[&WAYS[..], &["lua", "web", "narrow"]].concat()) {
        for length in [0, 10, 16_000, 20_000, 100_000] {
            for request in [post(&json!({})), Request::get("/v1/echo")] {
                let expected = json!({ "stringValue": "x".repeat(length) });
                if listener == "bridge" || listener == "bodies" || length < 20_000 || listener != "narrow" {
                    let (answer, _) = at(listener)
                        .exchange(version, request, Script::reply(expected.clone()))
                        .await;
                    assert_eq!(answer.status, 200, "{listener} {version:?} {length} {answer:?}");
                    match length {
                        0 => assert_eq!(answer.json(), json!({})),
                        _ => assert_eq!(answer.json(), expected, "{listener} {version:?}"),
                    }
                    assert_eq!(answer.header("content-type"), Some("application/json"));
                }
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

/// What stands in for an answer is little longer than that.
#[tokio::test]
async fn a_short_answer_needs_a_short_buffer() {
    for (listener, version) in each(&["tiny"]) {
        for length in [0, 10, 3_000] {
            for request in [post(&json!({})), Request::get("/v1/echo")] {
                let expected = json!({ "stringValue": "x".repeat(length) });
                let request = hooks(request, &[("response", "o.response.headers['X-N'] = '1'")]);
                let script = Script::reply(expected.clone());
                let (answer, _) = at(listener).exchange(version, request, script).await;
                assert_eq!(answer.status, 200, "{listener} {version:?} {length} {answer:?}");
                assert_eq!(answer.header("x-n"), Some("1"), "{listener} {version:?} {length}");
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn a_response_without_content_says_nothing_of_its_length() {
    for (listener, version) in each(&[&WAYS[..], &["lua", "web", "narrow"]].concat()) {
        for status in [204, 205, 304] {
            let script = format!("o.response.status_code = {status}");
            let request = hooks(post(&json!({})), &[("response", &script)]);
            let (answer, _) = at(listener)
                .exchange(version, request, Script::reply(json!({ "int32Value": 5 })))
                .await;
            assert_eq!(answer.status, status, "{listener} {version:?} {answer:?}");
            assert!(answer.body.is_empty(), "{listener} {version:?} {status}");
            // Of a 304 it is the length of what the client has (RFC 9110, section 8.6).
            if status != 205 {
                assert_eq!(answer.header("content-length"), None, "{listener} {version:?} {status}");
            }
        }
    }
}

#[tokio::test]
async fn errors_of_the_service_are_seen_and_those_of_the_module_are_not() {
    for (listener, version) in each(&[&WAYS[..], &["lua", "web", "narrow"]].concat()) {
        for request in [post(&json!({})), Request::get("/v1/echo")] {
            for service in [
                Script::error(Code::NotFound, "gone"),
                Script::reply(json!({})).then_error(Code::NotFound, "gone"),
            ] {
                for (script, status, body) in [
                    (
                        "assert o.response.status_code == 404 and json.loads(o.response.body)['code'] == 5; \
                         o.response.status_code = 200; o.response.raw_body = b'here'",
                        200,
                        Some("here"),
                    ),
                    (
                        "o.ClearField('response')",
                        500,
                        Some("{\n    \"error\": \"Middleware error\"\n}"),
                    ),
                    ("refuse(o, 403)", 404, None),
                    ("abort(13)", 500, Some("{\n    \"error\": \"Middleware error\"\n}")),
                ] {
                    let request = hooks(request.clone(), &[("response", script)]);
                    let (answer, _) = at(listener).exchange(version, request, service.clone()).await;
                    assert_eq!(answer.status, status, "{listener} {version:?} {script} {answer:?}");
                    match body {
                        Some(body) => assert_eq!(answer.body, body, "{listener} {version:?} {script}"),
                        None => assert_eq!(answer.json()["code"], 5, "{listener} {version:?} {script}"),
                    }
                }
            }
        }
        let script = [("response", "o.response.status_code = 200")];
        let answer = at(listener)
            .refuse(
                version,
                hooks(Request::post("/v1/echo", &json!({ "int32Value": "x" })), &script),
            )
            .await;
        assert_eq!(answer.status, 400, "{listener} {version:?}");
        let answer = at(listener)
            .refuse(version, hooks(Request::get("/v1/nothing"), &script))
            .await;
        assert_eq!(answer.status, 404, "{listener} {version:?}");
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn streams_go_past_response_hooks() {
    for (listener, version) in each(&["in-place", "call"]) {
        let script = [("response", "o.response.status_code = 500")];
        let request = hooks(Request::get("/v1/streams"), &script);
        let messages = [json!({ "int32Value": 1 }), json!({ "int32Value": 2 })];
        let (answer, _) = at(listener).exchange(version, request, Script::replies(messages)).await;
        assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
        assert!(answer.body.ends_with(b"{\"int32Value\":2}]"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_head_has_no_body() {
    for (listener, version) in each(&[&WAYS[..], &["web"]].concat()) {
        let request = Request::new("HEAD", "/v1/any-kind");
        let script = "o.response.raw_body = b'new'; o.response.status_code = 203";
        let (answer, _) = at(listener)
            .exchange(
                version,
                hooks(request, &[("response", script)]),
                Script::reply(json!({ "int32Value": 5 })),
            )
            .await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (203, &b""[..]),
            "{listener} {version:?} {answer:?}"
        );
        // Nor the length of none: a GET would have one (RFC 9110, section 8.6).
        assert_eq!(answer.header("content-length"), None, "{listener} {version:?}");
    }
}

#[tokio::test]
async fn a_changed_answer_goes_through_the_filters_in_front() {
    // In front, Envoy's filter compresses what comes through it.
    for (listener, version) in each(&["compressed"]) {
        for (length, goes_through) in [(10_000, true), (16_000, true), (20_000, false)] {
            for script in ["o.response.headers['X-N'] = '1'", ""] {
                let request = hooks(post(&json!({})), &[("response", script)]).header("accept-encoding", "gzip");
                let message = json!({ "stringValue": "x".repeat(length) });
                let (answer, _) = at(listener).exchange(version, request, Script::reply(message)).await;
                assert_eq!(answer.status, 200, "{version:?} {length} {answer:?}");
                let encoding = answer.header("content-encoding");
                assert_eq!(encoding, goes_through.then_some("gzip"), "{version:?} {length}");
            }
        }
    }
}

/// So it is for an answer of any length and an error that comes without a body, where no other answer is held meanwhile.
#[tokio::test]
async fn by_a_call_every_answer_goes_through_the_filters_in_front() {
    for (listener, version) in each(&["compressed-call"]) {
        for script in ["o.response.headers['X-N'] = '1'", ""] {
            for service in [
                Script::reply(json!({ "stringValue": "x".repeat(200_000) })),
                Script::error(Code::NotFound, &"x".repeat(2000)),
            ] {
                let request = hooks(post(&json!({})), &[("response", script)]).header("accept-encoding", "gzip");
                let (answer, _) = at(listener).exchange(version, request, service).await;
                assert_eq!(
                    answer.header("content-encoding"),
                    Some("gzip"),
                    "{version:?} {answer:?}"
                );
            }
        }
    }
}

/// As Go's `net/http` does it in Tyk.
#[tokio::test]
async fn an_answer_whose_type_a_hook_drops_has_one_by_its_body() {
    for (listener, version) in each(&WAYS) {
        for (body, expected) in [
            ("o.response.raw_body", Some("text/plain; charset=utf-8")),
            ("b'<html>'", Some("text/html; charset=utf-8")),
            ("b''", None),
        ] {
            let script = format!("del o.response.headers['Content-Type']; o.response.raw_body = {body}");
            let request = hooks(post(&json!({})), &[("response", &script)]);
            let (answer, _) = at(listener)
                .exchange(version, request, Script::reply(json!({ "int32Value": 5 })))
                .await;
            assert_eq!(answer.header("content-type"), expected, "{listener} {version:?} {body}");
        }
    }
}
