//! Hostile and broken requests: each gets its own answer, the next one works, and nothing traps.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{self, Answer, Connection, Http, Request};
use crate::bench::upstream::{Script, frame};
use crate::bench::{Bench, Gateway, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let plain = json!({ "proto": schema::PROTO });
        let roomy = json!({
            "proto": schema::PROTO,
            "limits": {
                "max_request_bytes": 16_777_216,
                "max_response_bytes": 16_777_216,
                "max_message_bytes": 16_777_216,
            },
        });
        Bench::start(&[
            Listener::new("auto", &plain).keeps_connections(),
            Listener::new("call", &json!({ "proto": schema::PROTO, "dispatch": "call" })).keeps_connections(),
            Listener::new("no-stop", &plain)
                .without_stop_iteration()
                .keeps_connections(),
            Listener::new(
                "bridge",
                &json!({ "proto": schema::PROTO, "upstream": { "connect_bridge": true } }),
            )
            .with_bridge()
            .keeps_connections(),
            Listener::new("roomy", &roomy).buffer_limit(32 << 20),
        ])
    })
}

/// The ways through the module that a hostile request may take.
const LISTENERS: [&str; 4] = ["auto", "call", "no-stop", "bridge"];

#[tokio::test]
async fn header_values_that_are_no_utf8_break_nothing() {
    for listener in LISTENERS {
        for version in Http::BOTH {
            for value in [&b"\xff\xfe"[..], b"\xe9", b"a\x80b", b"\xed\xa0\x80"] {
                for name in ["x-any", "accept", "authorization", "user-agent", "x-any-bin", "cookie"] {
                    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 })).header(name, value);
                    let answer = bench().at(listener).send(version, &request).await;
                    assert_echo(&answer, &request);
                }
                for (name, status) in [("content-type", 415), ("content-encoding", 415), ("grpc-timeout", 400)] {
                    let request = Request::new("POST", "/v1/echo").body("{}").header(name, value);
                    let answer = bench().at(listener).send(version, &request).await;
                    assert_eq!(answer.status, status, "{listener} {version:?} {request:?}: {answer:?}");
                    assert_eq!(
                        answer.json()["code"],
                        3,
                        "{listener} {version:?} {request:?}: {answer:?}"
                    );
                }
            }
            next_request_works(listener).await;
        }
    }
}

#[tokio::test]
async fn paths_that_are_no_utf8_are_400_or_404() {
    for listener in LISTENERS {
        for (target, statuses) in [
            (&b"/v1/paths/\xff\xfe"[..], &[400, 404][..]),
            (b"/v1/echo?stringValue=\xff", &[400]),
            (b"/v1/paths/%ff", &[400]),
            (b"/v1/paths/%", &[400]),
            (b"/v1/paths/%4", &[400]),
            (b"/\xff", &[400, 404]),
        ] {
            let mut connection = Connection::open(bench().at(listener).address).await;
            let request = [b"GET ", target, b" HTTP/1.1\r\nhost: x\r\n\r\n"].concat();
            connection.send(&request).await;
            let answer = connection.answer("GET").await.unwrap();
            assert!(statuses.contains(&answer.status), "{listener} {target:?}: {answer:?}");
            next_request_works(listener).await;
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_utf8_are_400() {
    for listener in LISTENERS {
        for version in Http::BOTH {
            for body in [
                &b"\xff"[..],
                b"\xff\xfe{\0}\0",
                b"{\"stringValue\":\"\xff\"}",
                b"{\"stringValue\":\"\xed\xa0\x80\"}",
                b"{\"stringValue\":\"\xc3\"}",
                b"{\"\xff\":1}",
                b"\0",
                b"{\"stringValue\":\"\0\"}",
                b"{\"stringValue\":\"\\ud800\"}",
            ] {
                let request = Request::new("POST", "/v1/echo").body(body);
                let answer = bench().at(listener).refuse(version, request).await;
                assert_bad_request(&answer, &body);
            }
            next_request_works(listener).await;
        }
    }
}

#[tokio::test]
async fn json_cut_anywhere_is_400() {
    let whole = json!({
        "doubleValue": -1.5e-7,
        "stringValue": "a\u{1f600}\"\\\n\u{0}",
        "child": { "name": "n", "child": { "tags": ["a", "b"] } },
        "int32s": [1, -2, 3],
        "stringMap": { "k": "v" },
        "timestamp": "2024-01-01T00:00:00Z",
        "struct": { "a": [null, true, { "b": [] }] },
        "any": { "@type": "type.googleapis.com/test.everything.Child", "name": "x" },
        "bytesValue": "AAEC",
        "unknown": { "x": [1, { "y": "z" }] },
    })
    .to_string();
    // The cuts go through one connection, as a client would send them: an answer to each, in order.
    for (listener, step) in [("auto", 1), ("call", 3), ("no-stop", 3)] {
        let mut connection = Connection::open(bench().at(listener).address).await;
        for cut in (1..whole.len()).step_by(step) {
            let request = Request::new("POST", "/v1/echo").body(whole.as_bytes()[..cut].to_vec());
            connection.send(&request.to_http1()).await;
            let answer = connection.answer("POST").await.unwrap();
            assert_bad_request(&answer, &&whole[..whole.floor_char_boundary(cut)]);
        }
        let request = Request::new("POST", "/v1/echo").body(whole.clone());
        connection.send(&request.to_http1()).await;
        let answer = connection.answer("POST").await.unwrap();
        assert_eq!(answer.status, 200, "{listener}: {answer:?}\n{}", bench().traps());
    }
}

#[tokio::test]
async fn nesting_of_10_000_levels_is_400() {
    let nested = |open: &str, close: &str| [open.repeat(10_000), close.repeat(10_000)].concat();
    let bodies = [
        nested("[", "]"),
        nested("{\"self\":", "}").replace(":}", ":{}}"),
        format!("{{\"unknown\":{}}}", nested("[", "]")),
        format!("{{\"unknown\":{}}}", nested("{\"a\":", "}").replace(":}", ":1}")),
        format!("{{\"value\":{}}}", nested("[", "]")),
        format!("{{\"struct\":{{\"a\":{}}}}}", nested("[", "]")),
        nested("[", ""),
        nested("{\"self\":", ""),
        format!(
            "{{\"any\":{}}}",
            nested("{\"@type\":\"type.googleapis.com/google.protobuf.Any\",\"value\":", "}")
        ),
    ];
    for listener in LISTENERS {
        for version in Http::BOTH {
            for body in &bodies {
                let request = Request::new("POST", "/v1/echo").body(body.clone());
                let answer = bench().at(listener).refuse(version, request).await;
                assert_bad_request(&answer, &&body[..30]);
                next_request_works(listener).await;
            }
        }
        let target = format!("/v1/echo?{}=1", vec!["self"; 2_000].join("."));
        assert_bad_request(
            &bench().at(listener).refuse(Http::One, Request::get(&target)).await,
            &"a deep parameter",
        );
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn a_deep_answer_is_502() {
    // Everything.self (field 82), 10,000 levels.
    let mut message = Vec::new();
    for _ in 0..10_000 {
        let mut outer = vec![0x92, 0x05];
        let mut length = message.len();
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend_from_slice(&message);
        message = outer;
    }
    for listener in LISTENERS {
        let request = Request::new("POST", "/v1/echo").body("{}");
        let script = Script::reply_bytes(message.clone());
        let (answer, _) = bench().at(listener).exchange(Http::One, request, script).await;
        if !(listener == "no-stop" && answer.status == 200) {
            assert_eq!(answer.status, 502, "{listener}: {answer:?}");
        }
        assert_eq!(answer.json()["code"], 14, "{listener}: {answer:?}");
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn numbers_of_10_000_digits_have_their_own_answer() {
    let digits = "1".repeat(10_000);
    let rows = [
        (format!("{{\"int32Value\":{digits}}}"), 400),
        (format!("{{\"int64Value\":\"{digits}\"}}"), 400),
        (format!("{{\"doubleValue\":{digits}}}"), 400),
        (format!("{{\"int32Value\":-0.{digits}}}"), 400),
        (format!("{{\"int32Value\":1e{digits}}}"), 400),
        (format!("{{\"duration\":\"{digits}s\"}}"), 400),
        (format!("{{\"timestamp\":\"{digits}\"}}"), 400),
        (format!("{{\"color\":{digits}}}"), 400),
        (format!("{{\"int32Value\":1{}", "0".repeat(10_000)), 400),
        // Exact, or nearest to a double.
        (format!("{{\"int32Value\":5.{}}}", "0".repeat(10_000)), 200),
        (format!("{{\"doubleValue\":0.{digits}}}"), 200),
        (format!("{{\"unknown\":{digits}}}"), 200),
    ];
    for listener in LISTENERS {
        for (body, status) in &rows {
            let request = Request::new("POST", "/v1/echo").body(body.clone());
            let answer = bench().at(listener).send(Http::One, &request).await;
            assert_eq!(answer.status, *status, "{listener} {}…: {answer:?}", &body[..25]);
        }
        let request = Request::get(&format!("/v1/echo?int32Value={digits}"));
        assert_bad_request(
            &bench().at(listener).refuse(Http::One, request).await,
            &"a long parameter",
        );
        next_request_works(listener).await;
    }
}

#[tokio::test]
async fn a_body_of_5_megabytes_passes_or_is_413() {
    let text = "x".repeat(5_000_000);
    let request = Request::post("/v1/echo", &json!({ "stringValue": text }));
    for version in Http::BOTH {
        for listener in LISTENERS {
            next_request_works(listener).await;
            // Envoy's own limit for what a filter may hold is 1 MiB: it answers by itself. Over HTTP/2, and where the
            // module takes the body as it comes, more may get through.
            let call = script(Script::reply(json!({ "int32Value": 5 })));
            let answer = bench().at(listener).send(version, &request.clone().script(&call)).await;
            assert!(
                [200, 413].contains(&answer.status),
                "{listener} {version:?}: {answer:?}"
            );
            next_request_works(listener).await;
        }
        let (answer, received) = bench()
            .at("roomy")
            .exchange(version, request.clone(), Script::echo())
            .await;
        assert_eq!(answer.status, 200, "{version:?}: {:?}", answer.headers);
        assert_eq!(received.messages[0].len(), text.len() + 5, "{version:?}");
        assert!(answer.json()["stringValue"] == text, "{version:?}");
        next_request_works("roomy").await;
    }
}

#[tokio::test]
async fn a_large_answer_to_a_request_without_a_body_passes() {
    let text = "x".repeat(5_000_000);
    let reply = Script::reply(json!({ "stringValue": text }));
    let (answer, _) = bench()
        .at("roomy")
        .exchange(Http::Two, Request::get("/v1/echo"), reply)
        .await;
    assert_eq!(answer.status, 200, "{:?}", answer.headers);
    assert!(answer.json()["stringValue"] == text);
}

#[tokio::test]
async fn a_hundred_pipelined_requests_have_their_own_answers_in_order() {
    // All of them reach the upstream: three answers in a row that Envoy or a filter makes up, sent before the client
    // reads, are a flood to Envoy, and it closes the connection.
    let failing = script(Script::error(Code::NotFound, "not here"));
    for listener in LISTENERS {
        let mut connection = Connection::open(bench().at(listener).address).await;
        let mut requests = Vec::new();
        for number in 1..=100 {
            let request = match number % 5 {
                0 => Request::get(&format!("/v1/echo?int32Value={number}")),
                1 => Request::post("/v1/echo", &json!({ "int32Value": number })),
                2 => Request::put(&format!("/v1/nested/n/{number}"), &json!({})),
                3 => Request::delete(&format!("/v1/echo?int32Value={number}")),
                _ => Request::post("/v1/echo", &json!({})).script(&failing),
            };
            requests.extend_from_slice(&request.to_http1());
        }
        connection.send(&requests).await;
        for number in 1..=100 {
            let answer = connection.answer("GET").await;
            let answer = answer.unwrap_or_else(|error| panic!("{listener} {number}: {error}"));
            let row = format!("{listener} {number}: {answer:?}");
            match number % 5 {
                2 => assert_eq!(answer.json()["child"]["child"]["count"], number, "{row}"),
                4 => assert_eq!((answer.status, &answer.json()["code"]), (404, &json!(5)), "{row}"),
                _ => assert_eq!(
                    (answer.status, answer.json()),
                    (200, json!({ "int32Value": number })),
                    "{row}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn many_requests_at_once_have_their_own_answers() {
    for listener in LISTENERS {
        let running: Vec<_> = (1..=100)
            .map(|number| {
                let gateway = bench().at(listener);
                tokio::spawn(async move {
                    let request = match number % 2 {
                        0 => Request::get(&format!("/v1/echo?int32Value={number}")),
                        _ => Request::post("/v1/echo", &json!({ "int32Value": number })),
                    };
                    (number, gateway.send(Http::Two, &request).await)
                })
            })
            .collect();
        for exchange in running {
            let (number, answer) = exchange.await.unwrap();
            assert_eq!(
                (answer.status, answer.json()),
                (200, json!({ "int32Value": number })),
                "{listener}"
            );
        }
    }
}

#[tokio::test]
async fn clients_that_leave_in_the_middle_of_their_request_disturb_nobody() {
    for listener in LISTENERS {
        let gateway = bench().at(listener);
        let whole = Request::post("/v1/echo", &json!({ "stringValue": "x".repeat(1000) })).to_http1();
        for cut in [1, 20, 60, 90, whole.len() - 500, whole.len() - 1] {
            let mut connection = Connection::open(gateway.address).await;
            connection.send(&whole[..cut]).await;
            drop(connection);
            next_request_works(listener).await;
        }
        // Over HTTP/2 a request ends with a reset.
        let mut call = script(Script::silence());
        let request = Request::get("/v1/echo").script(&call);
        for _ in 0..10 {
            let (answer, resetter) = client::start_http2(gateway.address, &request).await.unwrap();
            resetter.reset();
            drop(answer);
        }
        next_request_works(listener).await;
        while call.has_received() {
            call.received().await.cancelled().await;
        }
    }
}

#[tokio::test]
async fn clients_that_leave_before_their_answer_disturb_nobody() {
    for listener in LISTENERS {
        let gateway = bench().at(listener);
        for request in [Request::get("/v1/echo"), Request::post("/v1/echo", &json!({}))] {
            let mut call = script(Script::silence());
            let mut connection = Connection::open(gateway.address).await;
            // Two in a row: the second one waits for the first one's answer.
            connection
                .send(&request.clone().script(&call).to_http1().repeat(2))
                .await;
            let received = call.received().await;
            drop(connection);
            received.cancelled().await;
            next_request_works(listener).await;
        }
    }
}

#[tokio::test]
async fn hostile_messages_and_statuses_from_the_upstream_break_nothing() {
    let raw = |message: &'static str, details: &'static str| crate::bench::upstream::RawAnswer {
        headers: vec![("content-type", "application/grpc")],
        body: frame(0, b""),
        trailers: vec![
            ("grpc-status", "5"),
            ("grpc-message", message),
            ("grpc-status-details-bin", details),
        ],
        ..Default::default()
    };
    for (message, details) in [
        ("%", ""),
        ("%f", "%%%"),
        ("%ff%fe", "AA"),
        ("%00%0a\"\\", "////"),
        ("%E2%9C", "="),
    ] {
        for listener in ["auto", "call"] {
            for request in [Request::get("/v1/echo"), Request::post("/v1/echo", &json!({}))] {
                let script = Script::raw(raw(message, details));
                let (answer, _) = bench().at(listener).exchange(Http::One, request, script).await;
                assert_eq!(
                    (answer.status, &answer.json()["code"]),
                    (404, &json!(5)),
                    "{message} {details}: {answer:?}"
                );
                next_request_works(listener).await;
            }
        }
    }
}

#[tokio::test]
async fn odd_but_legal_requests_have_an_answer() {
    let gateway: Gateway = bench().at("auto");
    let long_value = "v".repeat(8_000);
    for request in [
        Request::get("/v1/echo?"),
        Request::get("/v1/echo?&&&"),
        Request::get("/v1/echo?="),
        Request::get("/v1/echo?=x"),
        Request::get("/v1/echo?int32Value=5&").header("x-empty", ""),
        Request::get("/v1/echo").header("x-long", &long_value),
        Request::get(&format!("/v1/echo?stringValue={long_value}")),
        Request::get("/v1/echo").header("cookie", "a=b; c=d"),
        Request::get("/v1/echo").header("expect", "nothing"),
    ] {
        for version in Http::BOTH {
            let answer = gateway.send(version, &request).await;
            assert!(
                [200, 400, 417].contains(&answer.status),
                "{version:?} {request:?}: {answer:?}"
            );
        }
    }
    next_request_works("auto").await;
}

/// The next request works, and no virtual machine has been lost on the way.
/// The first request of a worker waits a moment to find out whether headers can be held; what is refused is refused all
/// the same, with its own status.
#[tokio::test]
async fn a_first_request_that_is_refused_before_its_body_comes_has_its_own_status() {
    for stop_iteration in [true, false] {
        for (headers, status) in [
            ("grpc-timeout: none", 400),
            ("content-type: text/plain", 415),
            ("content-encoding: gzip", 415),
        ] {
            let listener = Listener::new("fresh", &json!({ "proto": schema::PROTO })).keeps_connections();
            let bench = Bench::start(&[match stop_iteration {
                true => listener,
                false => listener.without_stop_iteration(),
            }]);
            let mut connection = Connection::open(bench.at("fresh").address).await;
            let head = format!("POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n{headers}\r\n\r\n");
            connection.send(head.as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            connection.send(b"{}").await;
            let answer = connection.answer("POST").await.unwrap();
            assert_eq!(answer.status, status, "{stop_iteration} {headers}: {answer:?}");
            assert_eq!(answer.json()["code"], 3, "{stop_iteration} {headers}: {answer:?}");
            assert_eq!(bench.traps(), "");
        }
    }
}

async fn next_request_works(listener: &'static str) {
    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let answer = bench().at(listener).send(Http::One, &request).await;
    assert_echo(&answer, &request);
    assert_eq!(bench().traps(), "", "{listener}");
}

fn assert_echo(answer: &Answer, of: &Request) {
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "int32Value": 5 })),
        "{of:?}: {answer:?}"
    );
}

fn assert_bad_request(answer: &Answer, of: &dyn std::fmt::Debug) {
    assert_eq!(answer.status, 400, "{of:?}: {answer:?}");
    let body: Value = answer.json();
    assert_eq!(body["code"], 3, "{of:?}: {body}");
    assert!(
        body["message"].as_str().is_some_and(|message| !message.is_empty()),
        "{of:?}: {body}"
    );
}
