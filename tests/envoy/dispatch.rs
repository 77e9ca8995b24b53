//! The ways to the upstream, and an upstream that is absent, slow or wrong, through real Envoy.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::Code;

use crate::bench::bootstrap::{AWKWARD, EMPTY, GARBAGE, LONG, Listener, REFUSED, REMOVED_HEADER};
use crate::bench::client::{self, Answer, Connection, Http, Request};
use crate::bench::upstream::{Gate, RawAnswer, Script, frame};
use crate::bench::{Bench, Gateway, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        // `auto`: in place, but for a request without a body. `bridge`: that one in place by the Connect bridge; `bodies`: all
        // of them so.
        let with = |way: &str, mut upstream: Value| {
            let (dispatch, bodyless) = match way {
                "auto" => ("in_place", "call"),
                "bridge" | "bodies" => ("in_place", "in_place"),
                way => (way, way),
            };
            if ["bridge", "bodies"].contains(&way) {
                upstream["connect_bridge"] = json!(true);
                upstream["bridge_bodies"] = json!(way == "bodies");
            }
            json!({ "proto": schema::PROTO, "dispatch": dispatch, "bodyless": bodyless, "upstream": upstream })
        };
        let mut guarded = with("in_place", json!({}));
        guarded["auto_mapping"] = json!(true);
        Bench::start(&[
            Listener::new("auto", &with("auto", json!({}))),
            Listener::new("call", &with("call", json!({}))),
            Listener::new("in-place", &with("in_place", json!({}))),
            Listener::new("guarded", &guarded)
                .with_lua()
                .denies_behind("/test.everything.Echo/Query")
                .removes_header(),
            Listener::new("no-stop", &with("auto", json!({}))).without_stop_iteration(),
            Listener::new("no-stop-fresh", &with("auto", json!({}))).without_stop_iteration(),
            Listener::new("configured", &with("call", json!({ "cluster": "backend" }))).cluster(REFUSED),
            Listener::new("awkward", &with("call", json!({ "cluster": AWKWARD }))).cluster(REFUSED),
            Listener::new("awkward-route", &with("call", json!({}))).cluster(AWKWARD),
            Listener::new("long", &with("call", json!({ "cluster": LONG }))).cluster(REFUSED),
            Listener::new("long-route", &with("auto", json!({}))).cluster(LONG),
            Listener::new("missing", &with("auto", json!({ "cluster": "missing" }))).cluster("missing-too"),
            Listener::new("missing-call", &with("call", json!({ "cluster": "missing" }))),
            Listener::new("refused-auto", &with("auto", json!({}))).cluster(REFUSED),
            Listener::new("refused-call", &with("call", json!({}))).cluster(REFUSED),
            Listener::new("empty-auto", &with("auto", json!({}))).cluster(EMPTY),
            Listener::new("empty-call", &with("call", json!({}))).cluster(EMPTY),
            Listener::new("garbage-auto", &with("auto", json!({}))).cluster(GARBAGE),
            Listener::new("garbage-call", &with("call", json!({}))).cluster(GARBAGE),
            Listener::new("slow-auto", &with("auto", json!({ "timeout": "0.3s" }))),
            Listener::new("slow-call", &with("call", json!({ "timeout": "0.3s" }))),
            Listener::new("bridge", &with("bridge", json!({}))).with_bridge(),
            Listener::new("no-stop-bridge", &with("bridge", json!({})))
                .with_bridge()
                .without_stop_iteration(),
            Listener::new("missing-bridge", &with("bridge", json!({})))
                .with_bridge()
                .cluster("missing-too"),
            Listener::new("refused-bridge", &with("bridge", json!({})))
                .with_bridge()
                .cluster(REFUSED),
            Listener::new("empty-bridge", &with("bridge", json!({})))
                .with_bridge()
                .cluster(EMPTY),
            Listener::new("garbage-bridge", &with("bridge", json!({})))
                .with_bridge()
                .cluster(GARBAGE),
            Listener::new("slow-bridge", &with("bridge", json!({ "timeout": "0.3s" }))).with_bridge(),
            Listener::new("bodies", &with("bodies", json!({}))).with_bridge(),
            Listener::new("no-stop-bodies", &with("bodies", json!({})))
                .with_bridge()
                .without_stop_iteration(),
            Listener::new("missing-bodies", &with("bodies", json!({})))
                .with_bridge()
                .cluster("missing-too"),
            Listener::new("refused-bodies", &with("bodies", json!({})))
                .with_bridge()
                .cluster(REFUSED),
            Listener::new("empty-bodies", &with("bodies", json!({})))
                .with_bridge()
                .cluster(EMPTY),
            Listener::new("garbage-bodies", &with("bodies", json!({})))
                .with_bridge()
                .cluster(GARBAGE),
            Listener::new("slow-bodies", &with("bodies", json!({ "timeout": "0.3s" }))).with_bridge(),
            Listener::new("guarded-bridge", &with("bridge", json!({})))
                .with_bridge()
                .denies_behind("/test.everything.Echo/Query")
                .removes_header(),
        ])
    })
}

fn post() -> Request {
    Request::post("/v1/echo", &json!({ "int32Value": 5 }))
}

fn get() -> Request {
    Request::get("/v1/echo?int32Value=5")
}

#[tokio::test]
async fn each_way_reaches_the_upstream() {
    let rows = [
        ("auto", vec![post(), get()]),
        ("call", vec![post(), get()]),
        ("in-place", vec![post()]),
        ("bridge", vec![post(), get()]),
        ("no-stop", vec![post(), get()]),
        ("no-stop-bridge", vec![post(), get()]),
        ("bodies", vec![post(), get()]),
        ("no-stop-bodies", vec![post(), get()]),
        ("configured", vec![post(), get()]),
        ("awkward", vec![post(), get()]),
        ("awkward-route", vec![post(), get()]),
        ("long", vec![post(), get()]),
        ("long-route", vec![post(), get()]),
    ];
    for (listener, requests) in rows {
        for version in Http::BOTH {
            for request in &requests {
                let (answer, received) = bench()
                    .at(listener)
                    .exchange(version, request.clone(), Script::echo())
                    .await;
                assert_eq!(
                    received.json(),
                    json!({ "int32Value": 5 }),
                    "{listener} {version:?} {request:?}"
                );
                assert_eq!(answer.status, 200, "{listener} {version:?} {request:?}: {answer:?}");
                assert_eq!(
                    answer.json(),
                    json!({ "int32Value": 5 }),
                    "{listener} {version:?} {request:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn in_place_it_is_said_what_a_request_without_a_body_needs() {
    for version in Http::BOTH {
        let answer = bench().at("in-place").refuse(version, get()).await;
        assert_error(&answer, 501, 12);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("bodyless: call"), "{message}");
    }
}

/// What the operator puts behind the module, and on the route, applies to a request whether it has a body or not.
#[tokio::test]
async fn a_request_in_place_never_leaves_the_filter_chain() {
    let gateway = bench().at("guarded");
    let guarded = [
        get(),
        Request::new("DELETE", "/v1/echo"),
        Request::new("DELETE", "/v1/echo").json(&json!({})),
        Request::post("/test.everything.Echo/Query", &json!({})),
        Request::new("POST", "/test.everything.Echo/Query").header("content-length", "0"),
    ];
    let open = [
        (Request::get("/v1/any-kind"), json!({})),
        (post(), json!({ "int32Value": 5 })),
    ];
    for version in Http::BOTH {
        for request in &guarded {
            let answer = gateway.refuse(version, request.clone()).await;
            assert_eq!(answer.status, 403, "{version:?} {request:?}: {answer:?}");
        }
        let bridged = bench().at("guarded-bridge");
        for request in [get(), Request::new("DELETE", "/v1/echo")] {
            let answer = bridged.refuse(version, request.clone()).await;
            assert_eq!(answer.status, 403, "{version:?} {request:?}: {answer:?}");
        }
        let request = Request::get("/v1/any-kind").header(REMOVED_HEADER, "mallory");
        let (answer, received) = bridged.exchange(version, request, Script::echo()).await;
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        assert_eq!(received.header(REMOVED_HEADER), None, "{version:?}");
        assert_eq!(received.header("x-envoy-internal"), None, "{version:?}");
        // Without a length, no filter in front can tell that there is no body: refused, but by the module.
        let answer = gateway
            .refuse(version, Request::new("POST", "/test.everything.Echo/Query"))
            .await;
        assert_eq!(answer.status, 501, "{version:?}: {answer:?}");
        for (request, message) in &open {
            let request = request.clone().header(REMOVED_HEADER, "mallory");
            let (answer, received) = gateway.exchange(version, request.clone(), Script::echo()).await;
            assert_eq!(answer.status, 200, "{version:?} {request:?}: {answer:?}");
            assert_eq!(received.json(), *message, "{version:?} {request:?}");
            assert_eq!(received.header(REMOVED_HEADER), None, "{version:?} {request:?}");
            assert_eq!(received.header("x-envoy-internal"), None, "{version:?} {request:?}");
        }
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_exist_is_503() {
    for listener in ["missing", "missing-call", "missing-bridge", "missing-bodies"] {
        for request in [post(), get()] {
            let answer = bench().at(listener).refuse(Http::One, request.clone()).await;
            assert_error(&answer, 503, 14);
        }
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_503() {
    // Where there is no server at all, Envoy tells of a call's end while the call is being made.
    for listener in [
        "refused-auto",
        "refused-call",
        "refused-bridge",
        "refused-bodies",
        "empty-auto",
        "empty-call",
        "empty-bridge",
        "empty-bodies",
    ] {
        for version in Http::BOTH {
            for request in [post(), get()] {
                let answer = bench().at(listener).refuse(version, request.clone()).await;
                assert_error(&answer, 503, 14);
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn an_upstream_that_speaks_no_http_is_502_or_503() {
    for listener in ["garbage-auto", "garbage-call", "garbage-bridge", "garbage-bodies"] {
        for request in [post(), get()] {
            let answer = bench().at(listener).refuse(Http::One, request.clone()).await;
            // Envoy reports a protocol error of the connection, which is all that can be known.
            assert!(
                [502, 503].contains(&answer.status),
                "{listener} {request:?}: {answer:?}"
            );
            assert_error(&answer, answer.status, 14);
        }
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_504_and_its_call_is_cancelled() {
    // Each waits for its deadline: all at once.
    let mut rows = JoinSet::new();
    let deadlines = [
        ("slow-auto", None),
        ("slow-call", None),
        ("auto", Some("300m")),
        ("call", Some("300m")),
        ("slow-bridge", None),
        ("bridge", Some("300m")),
    ];
    for (listener, timeout) in deadlines {
        for version in Http::BOTH {
            for mut request in [post(), get()] {
                if let Some(timeout) = timeout {
                    request = request.header("grpc-timeout", timeout);
                }
                rows.spawn(async move {
                    let row = format!("{listener} {version:?} {request:?}");
                    let (answer, received) = bench().at(listener).exchange(version, request, Script::silence()).await;
                    assert_eq!(answer.status, 504, "{row}: {answer:?}");
                    assert_error(&answer, 504, 4);
                    received.cancelled().await;
                });
            }
        }
    }
    rows.join_all().await;
}

#[tokio::test]
async fn an_upstream_that_stops_in_the_middle_is_504() {
    for listener in ["slow-auto", "slow-call", "slow-bridge", "slow-bodies"] {
        for request in [post(), get()] {
            let gate = Gate::default();
            let script = Script::reply(json!({ "int32Value": 5 })).hold(&gate);
            let (answer, received) = bench().at(listener).exchange(Http::One, request, script).await;
            assert_eq!(answer.status, 504, "{answer:?}");
            // In place, the router's own answer to a timeout after the upstream's headers passes by all filters.
            if answer.header("content-type") != Some("text/plain") {
                assert_error(&answer, 504, 4);
            }
            received.cancelled().await;
        }
    }
}

/// What Envoy's Connect bridge takes for a message that went well, or for the service's own error.
const BRIDGE_OVERLOOKS: [&str; 11] = [
    "no status",
    "no trailers",
    "a status that is no number",
    "an empty status",
    "no message",
    // Without `grpc-encoding` the bridge says nothing of it.
    "a compressed message",
    "an unknown flag",
    "a frame cut in its head",
    "a frame of 4 GB",
    "an answer that ends at its headers",
    "a Trailers-Only OK",
];

#[tokio::test]
async fn an_upstream_that_does_not_keep_to_grpc_is_502_and_says_how() {
    let grpc = ("content-type", "application/grpc");
    let ok = ("grpc-status", "0");
    let message = frame(0, b"\x18\x05");
    let raw = |body: Bytes, trailers: &[(&'static str, &'static str)]| RawAnswer {
        headers: vec![grpc],
        body,
        trailers: trailers.to_vec(),
        ..RawAnswer::default()
    };
    let rows = [
        ("no status", raw(message.clone(), &[("x-other", "1")])),
        ("no trailers", raw(message.clone(), &[])),
        (
            "a status that is no number",
            raw(message.clone(), &[("grpc-status", "fine")]),
        ),
        ("an empty status", raw(message.clone(), &[("grpc-status", "")])),
        ("no message", raw(Bytes::new(), &[ok])),
        (
            "two messages",
            raw([message.clone(), message.clone()].concat().into(), &[ok]),
        ),
        ("a compressed message", raw(frame(1, b"\x18\x05"), &[ok])),
        ("an unknown flag", raw(frame(0x40, b"\x18\x05"), &[ok])),
        ("a frame cut in its head", raw(message.slice(..3), &[ok])),
        ("a frame cut in its message", raw(message.slice(..6), &[ok])),
        (
            "a frame of 4 GB",
            raw(Bytes::from_static(b"\0\xff\xff\xff\xff\x18\x05"), &[ok]),
        ),
        ("a message that is none", raw(frame(0, b"\x18"), &[ok])),
        (
            "a message with a string that is no UTF-8",
            raw(frame(0, b"\x72\x01\xff"), &[ok]),
        ),
        (
            "bytes that are no frame",
            raw(Bytes::from_static(b"<html>not found</html>"), &[ok]),
        ),
        (
            "an answer that ends at its headers",
            RawAnswer {
                headers: vec![grpc],
                ..RawAnswer::default()
            },
        ),
        (
            "a Trailers-Only OK",
            RawAnswer {
                headers: vec![grpc, ok],
                ..RawAnswer::default()
            },
        ),
    ];
    for (what, answer) in rows {
        for listener in ["auto", "call", "no-stop", "bridge", "bodies"] {
            for request in [post(), get()] {
                let bridged = listener == "bodies" || listener == "bridge" && request.to_http1().starts_with(b"GET");
                if bridged && BRIDGE_OVERLOOKS.contains(&what) {
                    continue;
                }
                let gateway = bench().at(listener);
                let call = script(Script::raw(answer.clone()));
                let answer = match client::send(gateway.address, Http::One, &request.clone().script(&call)).await {
                    Ok(answer) => answer,
                    // Without allow_on_headers_stop_iteration the headers have gone before the trailers come, and
                    // where there is no body that could tell, the answer breaks off.
                    Err(error) if listener == "no-stop" && !error.contains("hangs") => continue,
                    Err(error) => panic!("{what}: {listener} {request:?}: {error}"),
                };
                if !(listener == "no-stop" && answer.status == 200) {
                    assert_eq!(answer.status, 502, "{what}: {listener} {request:?}: {answer:?}");
                }
                // A frame that announces too much may be told as such (RESOURCE_EXHAUSTED).
                let code = if what == "a frame of 4 GB" { [8, 14] } else { [14, 14] };
                assert!(
                    code.map(Value::from).contains(&answer.json()["code"]),
                    "{what}: {listener} {request:?}: {answer:?}"
                );
                assert!(
                    answer.json()["message"].is_string(),
                    "{what}: {listener} {request:?}: {answer:?}"
                );
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/json"),
                    "{what}: {listener}"
                );
                next_request_works(listener).await;
            }
        }
    }
}

#[tokio::test]
async fn a_status_outside_the_known_codes_is_unknown() {
    for (status, body) in [
        ("17", Bytes::new()),
        ("-1", Bytes::new()),
        ("99999999999999999999", frame(0, b"")),
    ] {
        for request in [post(), get()] {
            let answer = RawAnswer {
                headers: vec![("content-type", "application/grpc")],
                body: body.clone(),
                trailers: vec![("grpc-status", status), ("grpc-message", "odd")],
                ..RawAnswer::default()
            };
            for listener in ["auto", "bridge", "bodies"] {
                let script = Script::raw(answer.clone());
                let (answer, _) = bench().at(listener).exchange(Http::One, request.clone(), script).await;
                assert_eq!(
                    (answer.status, answer.json()),
                    (500, json!({ "code": 2, "message": "odd" })),
                    "{listener} {status}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_that_answers_plain_http_is_mapped_by_grpcs_own_table() {
    // (its status, the code by gRPC's table, that code's HTTP status)
    for (status, code, expected) in [
        (400, 13, 500),
        (401, 16, 401),
        (403, 7, 403),
        (404, 12, 501),
        (429, 14, 503),
        (502, 14, 503),
        (503, 14, 503),
        (504, 14, 503),
        (418, 2, 500),
        (500, 2, 500),
    ] {
        for listener in ["auto", "call", "bridge", "bodies"] {
            for request in [post(), get()] {
                for body in [Bytes::from_static(b"<html>no</html>"), Bytes::new()] {
                    let answer = RawAnswer {
                        status,
                        headers: vec![("content-type", "text/html")],
                        body,
                        ..RawAnswer::default()
                    };
                    let (answer, _) = bench()
                        .at(listener)
                        .exchange(Http::One, request.clone(), Script::raw(answer))
                        .await;
                    assert_eq!(answer.status, expected, "{status} {listener} {request:?}: {answer:?}");
                    assert_error(&answer, expected, code);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_is_cancelled_when_the_client_leaves() {
    for listener in ["auto", "call", "bridge", "bodies"] {
        for request in [post(), get()] {
            let gateway = bench().at(listener);

            let mut call = script(Script::silence());
            let mut connection = Connection::open(gateway.address).await;
            connection.send(&request.clone().script(&call).to_http1()).await;
            let received = call.received().await;
            drop(connection);
            received.cancelled().await;

            let mut call = script(Script::silence());
            let (answer, resetter) = client::start_http2(gateway.address, &request.clone().script(&call))
                .await
                .unwrap();
            let received = call.received().await;
            resetter.reset();
            received.cancelled().await;
            drop(answer);
            next_request_works(listener).await;
        }
    }
}

#[tokio::test]
async fn without_stop_iteration_nothing_hangs() {
    for listener in ["no-stop", "no-stop-bridge", "no-stop-bodies"] {
        nothing_hangs(bench().at(listener)).await;
    }
}

async fn nothing_hangs(gateway: Gateway) {
    for version in Http::BOTH {
        for request in [post(), get()] {
            // An error that comes instead of headers has its HTTP status all the same.
            let error = Script::error(Code::NotFound, "m");
            let (answer, _) = gateway.exchange(version, request.clone(), error).await;
            assert_eq!(
                (answer.status, answer.json()),
                (404, json!({ "code": 5, "message": "m" })),
                "{request:?}"
            );
            // One that comes behind a message has at least its body.
            let error = Script::reply(json!({})).then_error(Code::NotFound, "m");
            let (answer, _) = gateway.exchange(version, request.clone(), error).await;
            assert_eq!(
                answer.json(),
                json!({ "code": 5, "message": "m" }),
                "{request:?}: {answer:?}"
            );
            // One behind headers alone may find no body to be written into: then the answer breaks off.
            let call = script(Script::late_error(Code::NotFound, "m"));
            match client::send(gateway.address, version, &request.clone().script(&call)).await {
                Ok(answer) => assert_eq!(
                    answer.json(),
                    json!({ "code": 5, "message": "m" }),
                    "{request:?}: {answer:?}"
                ),
                Err(error) => assert!(!error.contains("hangs"), "{version:?} {request:?}: {error}"),
            }
        }
        for (request, status) in [
            (Request::get("/nowhere"), 404),
            (Request::put("/v1/echo", &json!({})), 405),
            (Request::new("POST", "/v1/echo").body("{"), 400),
            (
                Request::new("POST", "/v1/echo")
                    .body("{}")
                    .header("content-type", "text/plain"),
                415,
            ),
            (Request::get("/v1/echo?int32Value=x"), 400),
        ] {
            let answer = gateway.refuse(version, request.clone()).await;
            assert_eq!(answer.status, status, "{version:?} {request:?}: {answer:?}");
        }
        let request = Request::patch("/v1/things/x", &json!({ "boolValue": true })).trailer("x-checksum", "1");
        // They come when the last of the body has passed: that may be too late, but must be said.
        let answer = gateway.send(version, &request).await;
        assert!([200, 501].contains(&answer.status), "{answer:?}");
        assert!(answer.json().is_object());
    }
}

#[tokio::test]
async fn without_stop_iteration_even_the_first_request_may_be_large() {
    let request = Request::post("/v1/echo", &json!({ "stringValue": "x".repeat(5_000_000) }));
    let call = script(Script::reply(json!({ "int32Value": 5 })));
    let answer = bench()
        .at("no-stop-fresh")
        .send(Http::One, &request.script(&call))
        .await;
    // 413 would be Envoy's own limit for what a filter may hold.
    assert!([200, 413].contains(&answer.status), "{answer:?}");
    next_request_works("no-stop-fresh").await;
}

#[tokio::test]
async fn an_upstream_may_refuse_a_request_before_it_is_whole() {
    for listener in ["auto", "no-stop"] {
        next_request_works(listener).await;
        let call = script(Script::error(Code::Unauthenticated, "who are you").early());
        let request = post().script(&call).to_http1();
        let (head, tail) = request.split_at(request.len() - 5);
        let mut connection = Connection::open(bench().at(listener).address).await;
        connection.send(head).await;
        if listener == "auto" {
            // The request goes on when it is whole.
            connection.send(tail).await;
        }
        let answer = connection.answer("POST").await.unwrap();
        assert_eq!(
            answer.json(),
            json!({ "code": 16, "message": "who are you" }),
            "{listener}: {answer:?}"
        );
        assert_eq!(answer.status, 401, "{listener}: {answer:?}");
        next_request_works(listener).await;
    }
}

async fn next_request_works(listener: &'static str) {
    let (answer, _) = bench().at(listener).exchange(Http::One, post(), Script::echo()).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "int32Value": 5 })),
        "{listener}"
    );
}

/// A JSON error of this HTTP status and code.
fn assert_error(answer: &Answer, status: u16, code: i32) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    assert_eq!(answer.json()["code"], code, "{answer:?}");
    assert!(
        answer.json()["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty()),
        "{answer:?}"
    );
}
