//! Requests without a body through Envoy's Connect bridge, behind real Envoy: what no other way does. That the answers are
//! those of the other ways is in the tests of these.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Connection, Http, Request};
use crate::bench::upstream::{RawAnswer, Script, frame};
use crate::bench::{Bench, schema};

/// As a CORS filter does, in front.
const MARK: &str = "function envoy_on_response(handle) handle:headers():add('x-mark', '1') end";

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let with = |more: Value| {
            let mut configuration = json!({
                "proto": schema::PROTO,
                "bodyless": "in_place",
                "auto_mapping": true,
                "upstream": { "connect_bridge": true },
            });
            configuration
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            configuration
        };
        let passing = |policy: &str| with(json!({ "unmatched": "pass_through", "native_grpc": policy }));
        let head =
            json!({ "custom": { "kind": "HEAD", "path": "/v1/head" }, "selector": "test.everything.Echo.Query" });
        let bodies = with(json!({ "upstream": { "connect_bridge": true, "bridge_bodies": true } }));
        let web = json!({ "upstream": { "connect_bridge": true, "grpc_web": true } });
        let mut statuses = bodies.clone();
        statuses["hold_headers"] = json!(false);
        statuses["success_status"] = json!([
            { "selector": "test.everything.Echo.Post", "status": 204 },
            { "selector": "test.everything.Echo.Query", "status": 202 },
        ]);
        Bench::start(&[
            Listener::new("bridge", &with(json!({}))).with_bridge(),
            Listener::new("small", &with(json!({})))
                .with_bridge()
                .buffer_limit(16 * 1024),
            Listener::new("calls", &with(json!({ "bodyless": "call" }))).with_bridge(),
            Listener::new("web", &with(web)).with_bridge().with_grpc_web(),
            Listener::new("absent", &with(json!({}))),
            Listener::new("bodies", &bodies).with_bridge(),
            Listener::new("no-stop-bodies", &bodies)
                .with_bridge()
                .without_stop_iteration(),
            Listener::new("no-stop-statuses", &statuses)
                .with_bridge()
                .without_stop_iteration(),
            Listener::new("small-bodies", &bodies)
                .with_bridge()
                .buffer_limit(16 * 1024),
            Listener::new("absent-bodies", &bodies),
            Listener::new("marked-bodies", &bodies).with_bridge().in_front(json!({
                "name": "mark",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                    "default_source_code": { "inline_string": MARK },
                },
            })),
            Listener::new("head", &with(json!({ "http_rules": [head] }))).with_bridge(),
            Listener::new("no-stop", &with(json!({})))
                .with_bridge()
                .without_stop_iteration(),
            Listener::new("marked", &with(json!({}))).with_bridge().in_front(json!({
                "name": "mark",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                    "default_source_code": { "inline_string": MARK },
                },
            })),
            Listener::new("pass_through", &passing("pass_through")).with_bridge(),
            Listener::new("served", &passing("served")).with_bridge(),
            Listener::new("reject", &passing("reject")).with_bridge(),
        ])
    })
}

#[tokio::test]
async fn a_message_may_be_as_long_as_a_path_may_be_and_as_envoys_buffer() {
    for version in Http::BOTH {
        // Each element of two bytes and more takes nine in the path.
        for query in [format!("stringValue={}", "x".repeat(50_000)), "strings=&".repeat(5_000)] {
            let request = Request::get(&format!("/v1/echo?{query}"));
            let (answer, received) = bench().at("bridge").exchange(version, request, Script::echo()).await;
            assert_eq!(answer.status, 200, "{version:?}");
            assert!(answer.json() == received.json(), "{version:?}");
        }
    }
    let request = Request::get(&format!("/v1/echo?stringValue={}", "x".repeat(17_000)));
    let answer = bench().at("small").refuse(Http::One, request).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!(8)));
    let message = answer.json()["message"].to_string();
    assert!(message.contains("per_connection_buffer_limit_bytes"), "{message}");
}

/// What the bridge answers itself then goes past all filters; the operator learns of it.
#[tokio::test]
async fn an_answer_longer_than_envoys_buffer_is_envoys_500() {
    let gateway = bench().at("small");
    for (length, status) in [(5_000, 200), (12_000, 200), (20_000, 500), (1_500_000, 500)] {
        // As JSON it is twice as long.
        let message = json!({ "stringValue": "\n".repeat(length) });
        let request = Request::get("/v1/echo");
        let (answer, _) = gateway
            .exchange(Http::One, request, Script::reply(message.clone()))
            .await;
        assert_eq!(answer.status, status, "{length}");
        match status {
            200 => assert!(answer.json() == message, "{length}"),
            _ => assert_eq!(answer.header("content-type"), Some("text/plain"), "{length}"),
        }
    }
    let line = "test.everything.Echo/Query: RESOURCE_EXHAUSTED (answer_too_large)";
    // The log is written behind the answers.
    for _ in 0..300 {
        if bench().envoy().log().contains(line) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(bench().envoy().log().contains(line));
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn streams_keep_their_own_way() {
    for version in Http::BOTH {
        let stream = Request::get("/v1/streams");
        let answer = bench().at("bridge").refuse(version, stream.clone()).await;
        assert_eq!(answer.status, 501, "{version:?}: {answer:?}");
        let gateway = bench().at("calls");
        let (answer, received) = gateway.exchange(version, stream, Script::echo()).await;
        assert_eq!((answer.status, answer.json()), (200, json!([{}])), "{version:?}");
        assert_eq!(received.header("x-envoy-internal"), Some("true"), "{version:?}");
        let (answer, received) = gateway
            .exchange(version, Request::get("/v1/echo"), Script::echo())
            .await;
        assert_eq!((answer.status, answer.json()), (200, json!({})), "{version:?}");
        assert_eq!(received.header("x-envoy-internal"), None, "{version:?}");
    }
}

/// Whether headers are held or not: there is a body to be written, though the message has none.
#[tokio::test]
async fn an_empty_message_is_an_empty_object() {
    for listener in ["bridge", "no-stop"] {
        for version in Http::BOTH {
            let empty = Script::reply(json!({})).trailing("x-trailing", "1");
            let (answer, _) = bench()
                .at(listener)
                .exchange(version, Request::get("/v1/echo"), empty)
                .await;
            assert_eq!(
                (answer.status, answer.json()),
                (200, json!({})),
                "{listener} {version:?}"
            );
            assert_eq!(answer.header("x-trailing"), Some("1"), "{listener} {version:?}");
        }
    }
}

/// A body would be the next answer to an HTTP/1.1 client.
#[tokio::test]
async fn head_has_headers_alone() {
    let gateway = bench().at("head");
    let mut connection = Connection::open(gateway.address).await;
    for (script, status) in [
        (Script::reply(json!({ "int32Value": 5 })), 200),
        (Script::error(Code::NotFound, "m"), 404),
        (Script::late_error(Code::NotFound, "m"), 404),
    ] {
        let call = crate::bench::script(script);
        let request = Request::new("HEAD", "/v1/head").script(&call);
        connection.send(&request.to_http1()).await;
        let answer = connection.answer("HEAD").await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{answer:?}");
        let answer = gateway.send(Http::Two, &request).await;
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{answer:?}");
    }
}

#[tokio::test]
async fn the_grpc_web_filter_may_be_in_between() {
    let gateway = bench().at("web");
    for version in Http::BOTH {
        for request in [
            Request::get("/v1/echo?int32Value=5"),
            Request::post("/v1/echo", &json!({ "int32Value": 5 })),
        ] {
            let (answer, _) = gateway.exchange(version, request.clone(), Script::echo()).await;
            assert_eq!(
                (answer.status, answer.json()),
                (200, json!({ "int32Value": 5 })),
                "{version:?} {request:?}"
            );
            let late = Script::reply(json!({})).then_error(Code::Aborted, "late");
            let (answer, _) = gateway.exchange(version, request.clone(), late).await;
            assert_eq!(
                (answer.status, answer.json()),
                (409, json!({ "code": 10, "message": "late" })),
                "{version:?} {request:?}"
            );
        }
        let (answer, _) = gateway
            .exchange(version, Request::post("/v1/streams/x", &json!({})), Script::echo())
            .await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!([{ "stringValue": "x" }])),
            "{version:?}"
        );
    }
}

/// What filters in front make of an answer, they make of an error too, which is none of Envoy's own replies.
#[tokio::test]
async fn filters_in_front_see_every_answer() {
    for version in Http::BOTH {
        for script in [
            Script::echo(),
            Script::error(Code::NotFound, "m"),
            Script::late_error(Code::NotFound, "m"),
        ] {
            for (listener, request) in [
                ("marked", Request::get("/v1/echo")),
                ("marked-bodies", Request::post("/v1/echo", &json!({ "int32Value": 5 }))),
            ] {
                let (answer, _) = bench().at(listener).exchange(version, request, script.clone()).await;
                assert_eq!(answer.header("x-mark"), Some("1"), "{listener} {version:?}: {answer:?}");
            }
        }
    }
}

/// The status of a unary answer is known with its headers, which needn't be held for it.
#[tokio::test]
async fn requests_with_a_body_go_there_too_where_they_may() {
    let message = json!({ "int32Value": 5, "strings": ["x".repeat(500_000)] });
    for listener in ["bodies", "no-stop-bodies"] {
        let gateway = bench().at(listener);
        for version in Http::BOTH {
            for message in [json!({}), json!({ "int32Value": 5 }), message.clone()] {
                let request = Request::post("/v1/echo", &message);
                let (answer, received) = gateway.exchange(version, request, Script::echo()).await;
                let found = (answer.status, answer.json() == message, received.json() == message);
                assert_eq!(found, (200, true, true), "{listener} {version:?}");
                assert_eq!(received.header("te"), Some("trailers"), "{listener} {version:?}");
                assert_eq!(
                    received.header("connect-protocol-version"),
                    None,
                    "{listener} {version:?}"
                );
            }
            for (code, status) in [
                (Code::Aborted, 409),
                (Code::Unauthenticated, 401),
                (Code::DeadlineExceeded, 504),
                (Code::FailedPrecondition, 400),
                (Code::Unavailable, 503),
            ] {
                for script in [
                    Script::error(code, "m"),
                    Script::late_error(code, "m"),
                    Script::echo().then_error(code, "m"),
                ] {
                    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
                    let (answer, _) = gateway.exchange(version, request, script).await;
                    assert_eq!(
                        (answer.status, answer.json()),
                        (status, json!({ "code": code as i32, "message": "m" })),
                        "{listener} {version:?}"
                    );
                }
            }
            // What the client says of the protocol is not ours to say.
            let request = Request::post("/v1/echo", &json!({})).header("connect-protocol-version", "7");
            let (answer, _) = gateway.exchange(version, request, Script::echo()).await;
            assert_eq!(answer.status, 200, "{listener} {version:?}");
            let stream = Request::post("/v1/streams/x", &json!({}));
            let (answer, _) = gateway.exchange(version, stream, Script::echo()).await;
            assert_eq!(answer.json(), json!([{ "stringValue": "x" }]), "{listener} {version:?}");
        }
    }
    let small = bench().at("small-bodies");
    let answer = small.refuse(Http::One, Request::post("/v1/echo", &message)).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &json!(8)), "{answer:?}");
    let text = answer.json()["message"].to_string();
    assert!(text.contains("per_connection_buffer_limit_bytes"), "{text}");
    let script = Script::reply(json!({ "stringValue": "x".repeat(1_500_000) }));
    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let (answer, _) = small.exchange(Http::One, request, script).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(bench().traps(), "");
}

/// What is known with the headers of a whole answer: success or not, and all metadata. Without the bridge, headers that aren't
/// held go out before.
#[tokio::test]
async fn the_status_of_a_success_needs_no_held_headers() {
    let gateway = bench().at("no-stop-statuses");
    for version in Http::BOTH {
        let post = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
        let (answer, _) = gateway.exchange(version, post.clone(), Script::echo()).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (204, &b""[..]),
            "{version:?}: {answer:?}"
        );
        assert_eq!(answer.header("content-type"), None, "{version:?}: {answer:?}");
        let (answer, _) = gateway
            .exchange(version, post, Script::echo().then_error(Code::Aborted, "late"))
            .await;
        assert_eq!(
            (answer.status, answer.json()),
            (409, json!({ "code": 10, "message": "late" })),
            "{version:?}"
        );
        let query = Request::get("/v1/echo?int32Value=5");
        let (answer, _) = gateway.exchange(version, query.clone(), Script::echo()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (202, json!({ "int32Value": 5 })),
            "{version:?}"
        );
        let chosen = Script::echo().trailing("x-http-code", "203").trailing("x-other", "1");
        let (answer, _) = gateway.exchange(version, query, chosen).await;
        assert_eq!(
            (answer.status, answer.header("x-other")),
            (203, Some("1")),
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn what_the_bridge_overlooks_is_a_success() {
    let ok = ("grpc-status", "0");
    for (what, body, trailers) in [
        ("no status", frame(0, b"\x18\x05"), vec![("x-other", "1")]),
        (
            "a frame longer than it says",
            Bytes::from_static(b"\0\0\0\0\0\x18\x05"),
            vec![ok],
        ),
    ] {
        let answer = RawAnswer {
            headers: vec![("content-type", "application/grpc")],
            body,
            trailers,
            ..RawAnswer::default()
        };
        let (answer, _) = bench()
            .at("bridge")
            .exchange(Http::One, Request::get("/v1/echo"), Script::raw(answer))
            .await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "int32Value": 5 })),
            "{what}"
        );
    }
}

/// With what gRPC's C core makes of the same in `compression`.
#[tokio::test]
async fn where_it_is_not_there_the_answer_says_so() {
    for version in Http::BOTH {
        for (listener, request) in [
            ("absent", Request::get("/v1/echo")),
            ("absent-bodies", Request::post("/v1/echo", &json!({ "int32Value": 5 }))),
        ] {
            let answer = bench().at(listener).send(version, &request).await;
            assert_eq!((answer.status, &answer.json()["code"]), (501, &json!(12)), "{answer:?}");
            let message = answer.json()["message"].to_string();
            assert!(message.contains("connect_grpc_bridge"), "{message}");
        }
        let (answer, _) = bench()
            .at("absent")
            .exchange(version, Request::post("/v1/echo", &json!({})), Script::echo())
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn connect_clients_reach_what_grpc_clients_may() {
    let served = "/test.everything.Echo/Unannotated?connect=v1&encoding=proto&base64=1&message=GAU";
    let hidden = "/hidden.Service/Method?connect=v1&encoding=proto&base64=1&message=GAU";
    let unary = |path: &str| {
        Request::new("POST", path)
            .header("connect-protocol-version", "1")
            .header("content-type", "application/proto")
            .body(&b"\x18\x05"[..])
    };
    let requests = [
        (Request::get(served), true),
        (Request::get(hidden), false),
        (Request::get("/hidden.Service/Method?%63onnect=v%31&message=x"), false),
        (Request::new("OPTIONS", hidden), false),
        (unary("/hidden.Service/Method"), false),
        (
            Request::new("POST", "/hidden.Service/Method")
                .header("content-type", "application/connect+proto")
                .body(frame(0, b"\x18\x05")),
            false,
        ),
    ];
    for version in Http::BOTH {
        for (request, is_served) in &requests {
            for (policy, passes) in [("pass_through", true), ("served", *is_served), ("reject", false)] {
                let gateway = bench().at(policy);
                if passes {
                    let (_, received) = gateway.exchange(version, request.clone(), Script::echo()).await;
                    // They did become calls.
                    let content_type = received.header("content-type").unwrap_or_default();
                    assert!(content_type.starts_with("application/grpc"), "{policy} {request:?}");
                } else {
                    let answer = gateway.refuse(version, request.clone()).await;
                    assert_eq!(answer.status, 404, "{policy} {version:?} {request:?}: {answer:?}");
                }
            }
        }
    }
}
