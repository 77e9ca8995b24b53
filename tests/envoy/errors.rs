//! What a client gets when a request fails: in the upstream, or in the module itself.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Value, json};
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Request};
use crate::bench::upstream::{RawAnswer, Script};
use crate::bench::{Bench, Gateway, schema};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let with = |key: &str, value: Value| {
            let mut configuration = json!({ "proto": schema::PROTO });
            configuration[key] = value;
            configuration
        };
        let bridge = |more: Value| {
            let mut configuration = with("upstream", json!({ "connect_bridge": true, "bridge_bodies": true }));
            configuration
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            configuration
        };
        let small = json!({ "limits": { "max_request_bytes": 100, "max_response_bytes": 100 } });
        Bench::start(&[
            Listener::new("bodies", &bridge(json!({}))).with_bridge(),
            Listener::new("google-bodies", &bridge(json!({ "errors": { "format": "google" } }))).with_bridge(),
            Listener::new("small-bodies", &bridge(small)).with_bridge(),
            Listener::new("auto", &json!({ "proto": schema::PROTO })),
            Listener::new("google", &with("errors", json!({ "format": "google" }))),
            Listener::new("bridge", &with("upstream", json!({ "connect_bridge": true }))).with_bridge(),
            Listener::new(
                "google-bridge",
                &json!({
                    "proto": schema::PROTO,
                    "errors": { "format": "google" },
                    "upstream": { "connect_bridge": true },
                }),
            )
            .with_bridge(),
            Listener::new(
                "small-bridge",
                &json!({
                    "proto": schema::PROTO,
                    "limits": { "max_request_bytes": 100, "max_response_bytes": 100 },
                    "upstream": { "connect_bridge": true },
                }),
            )
            .with_bridge(),
            Listener::new("pass-through", &with("unmatched", json!("pass_through"))),
            Listener::new(
                "strict",
                &json!({
                    "proto": schema::PROTO,
                    "query": { "unknown": "reject", "ignored": ["api_key"] },
                    "json": { "unknown_fields": "reject" },
                }),
            ),
            Listener::new(
                "small",
                &with("limits", json!({ "max_request_bytes": 100, "max_response_bytes": 100 })),
            ),
        ])
    })
}

fn auto() -> Gateway {
    bench().at("auto")
}

/// `google.rpc.Code`'s own table of HTTP statuses.
const CODES: [(Code, &str, u16); 16] = [
    (Code::Cancelled, "CANCELLED", 499),
    (Code::Unknown, "UNKNOWN", 500),
    (Code::InvalidArgument, "INVALID_ARGUMENT", 400),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
    (Code::NotFound, "NOT_FOUND", 404),
    (Code::AlreadyExists, "ALREADY_EXISTS", 409),
    (Code::PermissionDenied, "PERMISSION_DENIED", 403),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
    (Code::FailedPrecondition, "FAILED_PRECONDITION", 400),
    (Code::Aborted, "ABORTED", 409),
    (Code::OutOfRange, "OUT_OF_RANGE", 400),
    (Code::Unimplemented, "UNIMPLEMENTED", 501),
    (Code::Internal, "INTERNAL", 500),
    (Code::Unavailable, "UNAVAILABLE", 503),
    (Code::DataLoss, "DATA_LOSS", 500),
    (Code::Unauthenticated, "UNAUTHENTICATED", 401),
];

/// A message that needs percent-encoding on its way.
const MESSAGE: &str = "100% naïve ✗ \"quoted\"\nline";

/// A way to the upstream: a request, and the listeners by which it goes there.
struct Way {
    request: Request,
    /// Where errors have the default format.
    plain: Gateway,
    google: Gateway,
    small: Gateway,
}

/// The ways to the upstream: with a body, in place and by the Connect bridge; without, by a call and by that bridge.
fn ways() -> [Way; 4] {
    let way = |request: &Request, [plain, google, small]: [&'static str; 3]| Way {
        request: request.clone(),
        plain: bench().at(plain),
        google: bench().at(google),
        small: bench().at(small),
    };
    let get = Request::get("/v1/echo");
    let post = Request::post("/v1/echo", &json!({}));
    [
        way(&post, ["auto", "google", "small"]),
        way(&post, ["bodies", "google-bodies", "small-bodies"]),
        way(&get, ["auto", "google", "small"]),
        way(&get, ["bridge", "google-bridge", "small-bridge"]),
    ]
}

#[tokio::test]
async fn every_code_has_its_http_status_and_body() {
    for (code, name, status) in CODES {
        for way in ways() {
            let request = &way.request;
            for script in [Script::error(code, MESSAGE), Script::late_error(code, MESSAGE)] {
                let (answer, _) = way.plain.exchange(Http::One, request.clone(), script.clone()).await;
                assert_is_json_error(&answer);
                assert_eq!(answer.status, status, "{code:?} {request:?}");
                assert_eq!(
                    answer.json(),
                    json!({ "code": code as i32, "message": MESSAGE }),
                    "{code:?} {request:?}"
                );

                let (answer, _) = way.google.exchange(Http::Two, request.clone(), script).await;
                assert_is_json_error(&answer);
                assert_eq!(answer.status, status, "{code:?} {request:?}");
                assert_eq!(
                    answer.json(),
                    json!({ "error": { "code": status, "status": name, "message": MESSAGE } }),
                    "{code:?} {request:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_status_after_a_message_is_an_error_all_the_same() {
    for Way { request, plain, .. } in ways() {
        let script = Script::reply(json!({ "int32Value": 5 })).then_error(Code::Aborted, "late");
        let (answer, _) = plain.exchange(Http::One, request, script).await;
        assert_eq!(
            (answer.status, answer.json()),
            (409, json!({ "code": 10, "message": "late" }))
        );
    }
}

#[tokio::test]
async fn details_are_decoded_with_the_schema_and_the_bundled_types() {
    let details = json!([
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": "a.b", "description": "bad" }],
        },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s" },
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R", "domain": "d", "metadata": { "k": "v" } },
        { "@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "de", "message": "nö" },
        { "@type": "type.googleapis.com/test.everything.Child", "name": "own", "count": 3 },
        { "@type": "type.googleapis.com/google.protobuf.Duration", "value": "3s" },
    ]);
    let status = json!({ "code": 9, "message": "m", "details": details });
    let serialized = schema::from_json(&schema::message("google.rpc.Status"), &status);
    for way in ways() {
        let request = &way.request;
        for script in [
            Script::error(Code::FailedPrecondition, "m").details(serialized.clone()),
            Script::late_error(Code::FailedPrecondition, "m").details(serialized.clone()),
        ] {
            let (answer, _) = way.plain.exchange(Http::One, request.clone(), script.clone()).await;
            assert_eq!((answer.status, answer.json()), (400, status.clone()), "{request:?}");
            assert_eq!(answer.header("grpc-status-details-bin"), None);
            let (answer, _) = way.google.exchange(Http::Two, request.clone(), script).await;
            let error = json!({ "code": 400, "status": "FAILED_PRECONDITION", "message": "m", "details": details });
            assert_eq!(
                (answer.status, answer.json()),
                (400, json!({ "error": error })),
                "{request:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_detail_that_cannot_be_read_stays_as_it_is() {
    // google.rpc.Status with two Any: one of an unknown type, one whose value is no BadRequest.
    let any = |type_url: &[u8], value: &[u8]| {
        [
            &[0x0a, type_url.len() as u8],
            type_url,
            &[0x12, value.len() as u8],
            value,
        ]
        .concat()
    };
    let unknown = any(b"type.googleapis.com/no.such.Type", b"\x08\x01");
    let malformed = any(b"type.googleapis.com/google.rpc.BadRequest", b"\x0a\xff");
    let status = [
        &[0x08, 3, 0x12, 1, b'm', 0x1a, unknown.len() as u8],
        &unknown[..],
        &[0x1a, malformed.len() as u8],
        &malformed[..],
    ]
    .concat();
    for Way { request, plain, .. } in ways() {
        let script = Script::error(Code::InvalidArgument, "m").details(status.clone());
        let (answer, _) = plain.exchange(Http::One, request, script).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.json(),
            json!({ "code": 3, "message": "m", "details": [
                { "@type": "type.googleapis.com/no.such.Type", "value": "CAE=" },
                { "@type": "type.googleapis.com/google.rpc.BadRequest", "value": "Cv8=" },
            ] })
        );
    }
}

#[tokio::test]
async fn details_that_are_no_status_do_not_hide_the_error() {
    for Way { request, plain, .. } in ways() {
        let script = Script::error(Code::NotFound, "m").details(&b"\xff\xff"[..]);
        let (answer, _) = plain.exchange(Http::One, request, script).await;
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({ "code": 5, "message": "m" }))
        );
    }
}

#[tokio::test]
async fn a_path_without_a_binding_is_404() {
    for request in [
        Request::get("/nowhere"),
        Request::get("/"),
        Request::post("/v1", &json!({})),
        Request::get("/v1/typed/int32/"),
        Request::get("/v1/tree/rooms2"),
        Request::post("/test.everything.Echo/NoSuchMethod", &json!({})),
        // Its service has rules, and it has none.
        Request::post("/test.everything.Echo/Unannotated", &json!({})),
        Request::new("OPTIONS", "/nowhere"),
    ] {
        for version in Http::BOTH {
            let answer = auto().refuse(version, request.clone()).await;
            assert_error(&answer, 404, 5, &request);
        }
    }
    let answer = bench().at("google").refuse(Http::One, Request::get("/nowhere")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        (&answer.json()["error"]["code"], &answer.json()["error"]["status"]),
        (&json!(404), &json!("NOT_FOUND"))
    );
}

#[tokio::test]
async fn a_path_bound_to_other_methods_is_405_and_lists_them() {
    for (request, allow) in [
        (Request::put("/v1/echo", &json!({})), &["DELETE", "GET", "POST"][..]),
        (Request::new("OPTIONS", "/v1/echo"), &["DELETE", "GET", "POST"]),
        (Request::new("TRACE", "/v1/echo"), &["DELETE", "GET", "POST"]),
        (Request::post("/v1/paths/literal", &json!({})), &["GET"]),
        (Request::get("/v1/verbs/x:cancel"), &["POST"]),
        (Request::get("/v1/custom"), &["REPORT"]),
    ] {
        for version in Http::BOTH {
            let answer = auto().refuse(version, request.clone()).await;
            // Envoy answers TRACE over HTTP/1.1 by itself.
            if answer.header("allow").is_none() && request.to_http1().starts_with(b"TRACE") {
                continue;
            }
            assert_error(&answer, 405, 12, &request);
            let mut listed: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
            listed.sort_unstable();
            assert_eq!(listed, allow, "{version:?} {request:?}");
        }
    }
    let answer = auto().refuse(Http::One, Request::new("HEAD", "/v1/echo")).await;
    assert_eq!((answer.status, answer.body.len()), (405, 0));
}

#[tokio::test]
async fn what_is_unmatched_passes_through_when_configured() {
    let answer = RawAnswer {
        status: 418,
        headers: vec![("content-type", "text/plain")],
        body: Bytes::from_static(b"untouched"),
        ..RawAnswer::default()
    };
    for request in [
        Request::get("/nowhere?a=b"),
        Request::put("/v1/echo", &json!({ "a": 1 })),
    ] {
        for version in Http::BOTH {
            let (passed, received) = bench()
                .at("pass-through")
                .exchange(version, request.clone(), Script::raw(answer.clone()))
                .await;
            assert_eq!(
                (passed.status, passed.body),
                (418, Bytes::from_static(b"untouched")),
                "{request:?}"
            );
            assert!(received.path == "/nowhere" || received.path == "/v1/echo");
            assert_ne!(received.header("content-type"), Some("application/grpc"), "{request:?}");
        }
    }
    let bound = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let (answer, _) = bench()
        .at("pass-through")
        .exchange(Http::One, bound, Script::echo())
        .await;
    assert_eq!(answer.json(), json!({ "int32Value": 5 }));
}

#[tokio::test]
async fn content_types_other_than_json_are_415() {
    let post = |content_type: &str| {
        Request::new("POST", "/v1/echo")
            .header("content-type", content_type)
            .body("{}")
    };
    for content_type in [
        "text/plain",
        "application/xml",
        "application/x-ndjson",
        "application/jsonp",
        "x",
    ] {
        let request = post(content_type);
        for version in Http::BOTH {
            assert_error(&auto().refuse(version, request.clone()).await, 415, 3, &request);
        }
    }
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/problem+json",
    ] {
        let (answer, _) = auto().exchange(Http::One, post(content_type), Script::echo()).await;
        assert_eq!(answer.status, 200, "{content_type}");
    }
    // Without a bound body it isn't looked at.
    let unbound = Request::get("/v1/echo").header("content-type", "text/plain");
    assert_eq!(auto().exchange(Http::One, unbound, Script::echo()).await.0.status, 200);
    // A compressed body can't be read.
    for (encoding, status) in [("gzip", 415), ("br", 415), ("identity", 200)] {
        let request = Request::post("/v1/echo", &json!({})).header("content-encoding", encoding);
        let answer = auto().send(Http::One, &request).await;
        assert_eq!(answer.status, status, "{encoding}");
    }
}

#[tokio::test]
async fn bad_json_is_400_and_says_what_and_where() {
    let post = |body: &'static str| {
        Request::new("POST", "/v1/echo")
            .header("content-type", "application/json")
            .body(body)
    };
    // (body, the field of the violation, what the message must name)
    let rows = [
        ("{", "", "byte 1"),
        ("{\"int32Value\":", "", "byte 14"),
        ("{\"int32Value\":1,}", "", "byte 16"),
        ("{\"int32Value\":01}", "", "byte"),
        ("[]", "", ""),
        ("5", "", ""),
        ("{} {}", "", "byte 3"),
        ("\u{feff}{}", "", "byte 0"),
        ("{\"int32Value\":1.5}", "int32Value", ""),
        ("{\"int32Value\":2147483648}", "int32Value", "2147483648"),
        ("{\"int32Value\":\"x\"}", "int32Value", ""),
        ("{\"boolValue\":\"true\"}", "boolValue", ""),
        ("{\"stringValue\":5}", "stringValue", ""),
        ("{\"color\":\"PURPLE\"}", "color", "PURPLE"),
        ("{\"bytesValue\":\"*\"}", "bytesValue", ""),
        ("{\"timestamp\":\"yesterday\"}", "timestamp", "yesterday"),
        ("{\"children\":[{},{\"count\":\"x\"}]}", "children[1].count", ""),
        (
            "{\"self\":{\"int32Map\":{\"1\":{\"count\":true}}}}",
            "self.int32Map",
            "",
        ),
        ("{\"int32Value\":1,\"int32_value\":2}", "int32", ""),
        ("{\"choiceString\":\"a\",\"choiceInt64\":\"1\"}", "choiceInt64", ""),
        ("{\"stringMap\":{\"a\":\"\",\"a\":\"\"}}", "stringMap", ""),
        ("{\"strings\":[null]}", "strings[0]", ""),
    ];
    for (body, field, named) in rows {
        for version in Http::BOTH {
            let answer = auto().refuse(version, post(body)).await;
            assert_error(&answer, 400, 3, body);
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains(named), "{body}: {message}");
            assert!(message.contains(field), "{body}: {message}");
            let (violated, description) = violation(&answer);
            // A key that comes twice may be told as a fault of the object that has it.
            assert!(
                violated.contains(field) || description.contains(field),
                "{body}: {violated:?} {description:?}"
            );
            assert!(!description.is_empty(), "{body}: {violated:?}");
        }
    }
    let answer = bench()
        .at("google")
        .refuse(Http::One, post("{\"int32Value\":true}"))
        .await;
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!(
        (&error["code"], &error["status"]),
        (&json!(400), &json!("INVALID_ARGUMENT"))
    );
    assert_eq!(error["details"][0]["fieldViolations"][0]["field"], "int32Value");
}

#[tokio::test]
async fn bad_parameters_and_captures_are_400_and_name_the_field() {
    let rows = [
        ("/v1/echo?int32Value=x", "int32Value"),
        ("/v1/echo?int32Value=", "int32Value"),
        ("/v1/echo?int32Value=1&int32_value=2", "int32"),
        ("/v1/echo?choiceString=a&choiceInt64=1", "choiceInt64"),
        ("/v1/echo?stringValue=%zz", "stringValue"),
        ("/v1/echo?stringValue=%ff", "stringValue"),
        ("/v1/echo?stringValue.x=1", "stringValue.x"),
        ("/v1/echo?child=x", "child"),
        ("/v1/echo?stringMap=x", "stringMap"),
        ("/v1/echo?children.name=x", "children"),
        ("/v1/echo?struct=x", "struct"),
        ("/v1/echo?color=PURPLE", "color"),
        ("/v1/echo?boolValue=yes", "boolValue"),
        ("/v1/echo?timestamp=now", "timestamp"),
        ("/v1/typed/int32/x", "int32_value"),
        ("/v1/typed/bool/yes", "bool_value"),
        ("/v1/typed/enum/PURPLE", "color"),
        ("/v1/typed/timestamp/now", "timestamp"),
        ("/v1/typed/string/%f", ""),
        ("/v1/typed/string/%ff", ""),
    ];
    for (target, field) in rows {
        for version in Http::BOTH {
            let answer = auto().refuse(version, Request::get(target)).await;
            assert_error(&answer, 400, 3, target);
            let violation = violation(&answer);
            assert!(violation.0.contains(field), "{target}: {violation:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_its_field_cannot_take_is_400() {
    for (path, body) in [
        ("scalar", ""),
        ("strings", ""),
        ("list", " "),
        ("list", "{}"),
        ("strings", "[1]"),
        ("map", "[]"),
        ("enum", "\"PURPLE\""),
        ("timestamp", "\"now\""),
    ] {
        let request = Request::new("POST", &format!("/v1/field-body/{path}")).body(body);
        assert_error(&auto().refuse(Http::One, request.clone()).await, 400, 3, &request);
        assert_error(&auto().refuse(Http::Two, request.clone()).await, 400, 3, &request);
    }
}

#[tokio::test]
async fn unknown_names_are_refused_when_configured() {
    let strict = bench().at("strict");
    for (target, name) in [("/v1/echo?nope=1", "nope"), ("/v1/echo?child.nope=1", "child.nope")] {
        let answer = strict.refuse(Http::One, Request::get(target)).await;
        assert_error(&answer, 400, 3, target);
        assert!(answer.json()["message"].as_str().unwrap().contains(name), "{answer:?}");
    }
    let ignored = Request::get("/v1/echo?api_key=secret&int32Value=1");
    let (answer, received) = strict.exchange(Http::One, ignored, Script::echo()).await;
    assert_eq!((answer.status, received.json()), (200, json!({ "int32Value": 1 })));

    let body = json!({ "child": { "nope": 1 } });
    let answer = strict.refuse(Http::One, Request::post("/v1/echo", &body)).await;
    assert_error(&answer, 400, 3, &body);
    assert!(violation(&answer).0.contains("child"), "{answer:?}");
    // By default both are ignored.
    let (answer, received) = auto()
        .exchange(Http::One, Request::post("/v1/echo?nope=1", &body), Script::echo())
        .await;
    assert_eq!((answer.status, received.json()), (200, json!({ "child": {} })));
}

#[tokio::test]
async fn a_request_over_the_limit_is_413_and_an_answer_over_it_502() {
    let small = bench().at("small");
    let body = json!({ "stringValue": "x".repeat(100) });
    for version in Http::BOTH {
        let request = Request::post("/v1/echo", &body);
        assert_error(&small.refuse(version, request.clone()).await, 413, 8, &request);
        for Way { request, small, .. } in ways() {
            let (answer, _) = small
                .exchange(version, request.clone(), Script::reply(body.clone()))
                .await;
            assert_error(&answer, 502, 8, &request);
        }
        let fits = json!({ "stringValue": "x".repeat(50) });
        let (answer, _) = small
            .exchange(version, Request::post("/v1/echo", &fits), Script::echo())
            .await;
        assert_eq!((answer.status, answer.json()), (200, fits));
    }
}

#[tokio::test]
async fn streaming_requests_are_served_or_refused_with_501() {
    for path in ["/v1/streams:collect", "/v1/streams:chat"] {
        let answer = auto()
            .send(Http::Two, &Request::post(path, &json!([{ "int32Value": 1 }])))
            .await;
        assert!([200, 501].contains(&answer.status), "{answer:?}");
        if answer.status == 501 {
            assert_error(&answer, 501, 12, path);
        }
    }
}

fn assert_is_json_error(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-encoding",
    ] {
        assert_eq!(answer.header(name), None, "{answer:?}");
        assert!(!answer.trailers.contains_key(name), "{answer:?}");
    }
    if let Some(length) = answer.header("content-length") {
        assert_eq!(length.parse(), Ok(answer.body.len()), "{answer:?}");
    }
}

/// An error of the module's own: this status and code, and a message.
fn assert_error(answer: &Answer, status: u16, code: i32, of: impl std::fmt::Debug) {
    assert_eq!(answer.status, status, "{of:?}: {answer:?}");
    assert_is_json_error(answer);
    let body = answer.json();
    assert_eq!(body["code"], code, "{of:?}: {body}");
    assert!(
        body["message"].as_str().is_some_and(|message| !message.is_empty()),
        "{of:?}: {body}"
    );
    for key in body.as_object().unwrap().keys() {
        assert!(["code", "message", "details"].contains(&key.as_str()), "{of:?}: {body}");
    }
}

/// Field and description of the first field violation.
fn violation(answer: &Answer) -> (String, String) {
    let details = &answer.json()["details"][0];
    assert_eq!(
        details["@type"], "type.googleapis.com/google.rpc.BadRequest",
        "{answer:?}"
    );
    let violation = &details["fieldViolations"][0];
    let text = |key: &str| violation[key].as_str().unwrap_or_default().to_owned();
    (text("field"), text("description"))
}
