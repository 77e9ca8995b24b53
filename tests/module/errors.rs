//! Errors of the upstream and of the module: one shape, the right status.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Host, Request, Response, frame};
use crate::kit::{WAYS, error, everything, gateway, message, works};

#[test]
fn every_status_code_has_its_http_status() {
    let table = [
        (1, 499),
        (2, 500),
        (3, 400),
        (4, 504),
        (5, 404),
        (6, 409),
        (7, 403),
        (8, 429),
        (9, 400),
        (10, 409),
        (11, 400),
        (12, 501),
        (13, 500),
        (14, 503),
        (15, 500),
        (16, 401),
    ];
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        for (code, status) in table {
            for response in [
                Response::error(code, "why"),
                Response::grpc()
                    .trailer("grpc-status", code.to_string())
                    .trailer("grpc-message", "why"),
                Response::grpc()
                    .message(b"")
                    .trailer("grpc-status", code.to_string())
                    .trailer("grpc-message", "why"),
            ] {
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.respond(response.clone());
                assert_eq!(
                    error(&exchange),
                    (status, i64::from(code), "why".to_owned()),
                    "{way} {response:?}"
                );
            }
        }
    }
}

#[test]
fn a_number_that_is_no_code_is_unknown() {
    let gateway = gateway(json!({}));
    for number in ["17", "42", "4294967296", "-1"] {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::grpc().trailer("grpc-status", number));
        assert_eq!((error(&exchange).0, error(&exchange).1), (500, 2), "{number}");
    }
}

#[test]
fn a_status_message_is_decoded() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::error(5, "no%20b%C3%BCch%22 100%"));
        assert_eq!(error(&exchange).2, "no büch\" 100%");
    }
}

#[test]
fn an_empty_status_message_is_left_out() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(Response::grpc().header("grpc-status", "5"));
    assert_eq!(exchange.answer().json(), json!({ "code": 5 }));
}

#[test]
fn details_are_decoded_with_the_schema_and_the_bundled_types() {
    let known = json!({
        "code": 9,
        "message": "the whole message",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{ "field": "name", "description": "is taken" }]
            },
            { "@type": "type.googleapis.com/test.everything.Child", "name": "x" }
        ]
    });
    // An Any of a type that nobody knows: field 1 the type URL, field 2 the value.
    let unknown = b"\x1a\x10\x0a\x0aother/Type\x12\x02hi";
    let mut status = message("google.rpc.Status", known.clone());
    status.extend_from_slice(unknown);
    let mut expected = known;
    let unknown = json!({ "@type": "other/Type", "value": "aGk=" });
    expected["details"].as_array_mut().unwrap().push(unknown);
    for way in WAYS {
        for (format, expected) in [
            ("status", expected.clone()),
            ("google", google(400, "FAILED_PRECONDITION", &expected)),
            ("problem", problem(400, "FAILED_PRECONDITION", &expected)),
        ] {
            let gateway = gateway(json!({ "dispatch": way, "errors": { "format": format } }));
            for trailers_only in [true, false] {
                let details = STANDARD_NO_PAD.encode(&status);
                let response = if trailers_only {
                    Response::error(9, "the whole message").header("grpc-status-details-bin", &details)
                } else {
                    Response::grpc()
                        .trailer("grpc-status", "9")
                        .trailer("grpc-message", "the whole message")
                        .trailer("grpc-status-details-bin", &details)
                };
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.respond(response);
                let answer = exchange.answer();
                assert_eq!(
                    (answer.status(), answer.json()),
                    (400, expected.clone()),
                    "{way} {format}"
                );
            }
        }
    }
}

#[test]
fn details_that_are_none_are_left_out() {
    let gateway = gateway(json!({}));
    for details in ["", "%%%", "////"] {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::error(5, "gone").header("grpc-status-details-bin", details));
        assert_eq!(
            exchange.answer().json(),
            json!({ "code": 5, "message": "gone" }),
            "{details:?}"
        );
    }
}

#[test]
fn the_modules_own_errors_take_the_google_form_too() {
    let gateway = gateway(json!({ "errors": { "format": "google" } }));
    let answer = gateway.request(Request::get("/nowhere")).answer();
    let body = answer.json();
    assert_eq!(answer.status(), 404);
    assert_eq!(
        (&body["error"]["code"], &body["error"]["status"]),
        (&json!(404), &json!("NOT_FOUND"))
    );
    assert!(body["error"]["message"].is_string());
}

#[test]
fn a_problem_says_that_it_is_one_wherever_an_error_is_the_whole_answer() {
    let errors = json!({ "format": "problem" });
    let kong = json!({ "proto": crate::schema::PROTO, "errors": errors });
    let mut gateways = vec![Host::kong().load(&kong.to_string()).unwrap()];
    gateways.extend(WAYS.map(|way| gateway(json!({ "dispatch": way, "errors": errors }))));
    let problem = |title: &str, status: u16, code: u8| json!({ "type": "about:blank", "title": title, "status": status, "code": code });
    for gateway in &gateways {
        let stream = || Request::post("/v1/streams/a").json("{}");
        let echo = || Request::post("/v1/echo").json("{}");
        let cases = [
            (Request::get("/nowhere"), None, problem("NOT_FOUND", 404, 5)),
            (
                Request::post("/v1/echo").json("{"),
                None,
                problem("INVALID_ARGUMENT", 400, 3),
            ),
            (
                echo(),
                Some(Response::error(5, "no book")),
                problem("NOT_FOUND", 404, 5),
            ),
            (
                echo(),
                Some(Response::new(503).header("content-type", "text/html").chunk("<p>")),
                problem("UNAVAILABLE", 503, 14),
            ),
            (
                stream().header("accept", "text/event-stream"),
                Some(Response::error(5, "no book")),
                problem("NOT_FOUND", 404, 5),
            ),
        ];
        for (request, response, expected) in cases {
            let exchange = gateway.request(request.clone());
            if let Some(response) = response {
                exchange.respond(response);
            }
            let answer = exchange.answer();
            let mut found = answer.json();
            let detail = found.as_object_mut().unwrap().remove("detail");
            found.as_object_mut().unwrap().remove("details");
            assert!(detail.is_some_and(|detail| detail.is_string()), "{request:?}");
            assert_eq!(found, expected, "{request:?}");
            assert_eq!(
                Some(u64::from(answer.status())),
                expected["status"].as_u64(),
                "{request:?}"
            );
            assert_eq!(
                (
                    answer.headers.get("content-type"),
                    answer.headers.get("x-content-type-options")
                ),
                (Some("application/problem+json"), Some("nosniff")),
                "{request:?}"
            );
        }
        works(gateway);
    }
}

#[test]
fn a_problem_behind_the_status_line_has_the_place_that_an_error_has() {
    let problem = json!({
        "type": "about:blank", "title": "RESOURCE_EXHAUSTED", "status": 429, "detail": "enough", "code": 8
    });
    let last = json!({ "error": problem });
    let message = everything(json!({ "int32Value": 1 }));
    let failing = || {
        Response::grpc()
            .message(&message)
            .trailer("grpc-status", "8")
            .trailer("grpc-message", "enough")
    };
    let errors = json!({ "format": "problem" });
    let kong = json!({ "proto": crate::schema::PROTO, "errors": errors });
    let kong = Host::kong().load(&kong.to_string()).unwrap();
    let calls = gateway(json!({ "dispatch": "call", "errors": errors }));
    for (way, gateway) in [("kong", &kong), ("call", &calls)] {
        for (accept, expected) in [
            ("application/json", format!("[{{\"int32Value\":1}},{last}]")),
            ("application/x-ndjson", format!("{{\"int32Value\":1}}\n{last}\n")),
            (
                "text/event-stream",
                format!("data: {{\"int32Value\":1}}\n\nevent: error\ndata: {last}\n\n"),
            ),
        ] {
            let exchange = gateway.request(Request::post("/v1/streams/a").json("{}").header("accept", accept));
            exchange.respond(failing());
            let answer = exchange.answer();
            assert_eq!(answer.headers.get("content-type"), Some(accept), "{way}");
            assert_eq!(answer.text(), expected, "{way} {accept}");
        }
    }
    // A gateway that cannot hold headers says 200 and JSON before the error is there.
    let exchange = kong.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(failing());
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.json()), (200, problem));
}

#[test]
fn a_grpc_client_gets_no_problem() {
    let gateway = gateway(json!({ "native_grpc": "reject", "errors": { "format": "problem" } }));
    let request = Request::post("/test.everything.Echo/Post")
        .header("content-type", "application/grpc")
        .chunk("\0\0\0\0\0");
    let answer = gateway.request(request).answer();
    assert_eq!(
        (
            answer.status(),
            answer.headers.get("content-type"),
            answer.headers.get("grpc-status")
        ),
        (200, Some("application/grpc"), Some("12"))
    );
    assert_eq!(answer.text(), "");
}

#[test]
fn an_answer_that_is_no_proper_grpc_is_502() {
    let ok = everything(json!({ "int32Value": 1 }));
    let gateway = gateway(json!({}));
    let cases = [
        ("no message", Response::grpc().trailer("grpc-status", "0")),
        ("no message, Trailers-Only", Response::grpc().header("grpc-status", "0")),
        (
            "two messages",
            Response::grpc().message(&ok).message(&ok).trailer("grpc-status", "0"),
        ),
        ("no status", Response::grpc().message(&ok)),
        (
            "no status in the trailers",
            Response::grpc().message(&ok).trailer("a", "b"),
        ),
        (
            "a status that is no number",
            Response::grpc().message(&ok).trailer("grpc-status", "fine"),
        ),
        (
            "a cut frame",
            Response::grpc().chunk(&frame(0, &ok)[..4]).trailer("grpc-status", "0"),
        ),
        (
            "a cut message",
            Response::grpc().chunk(&frame(0, &ok)[..6]).trailer("grpc-status", "0"),
        ),
        (
            "a compressed frame",
            Response::grpc().chunk(frame(1, &ok)).trailer("grpc-status", "0"),
        ),
        (
            "a frame of no kind",
            Response::grpc().chunk(frame(7, &ok)).trailer("grpc-status", "0"),
        ),
        ("a malformed message", Response::ok(b"\xff\xff\xff")),
        ("text that is no UTF-8", Response::ok(b"\x72\x01\xff")),
        (
            "JSON",
            Response::new(200)
                .header("content-type", "application/json")
                .chunk("{}"),
        ),
    ];
    for (what, response) in cases {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(response);
        let (status, code, message) = error(&exchange);
        assert_eq!((status, code), (502, 14), "{what}: {message}");
        assert!(!message.is_empty(), "{what}");
        works(&gateway);
    }
}

#[test]
fn a_malformed_answer_of_a_call_is_an_error_too() {
    let ok = everything(json!({ "int32Value": 1 }));
    let gateway = gateway(json!({ "dispatch": "call" }));
    let cases = [
        ("no message", Response::grpc().trailer("grpc-status", "0")),
        (
            "two messages",
            Response::grpc().message(&ok).message(&ok).trailer("grpc-status", "0"),
        ),
        ("a malformed message", Response::ok(b"\xff\xff\xff")),
    ];
    for (what, response) in cases {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(response);
        assert_eq!((error(&exchange).0, error(&exchange).1), (502, 14), "{what}");
        works(&gateway);
    }
}

#[test]
fn plain_http_is_read_by_grpcs_table() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        for (http, status, code) in [
            (400, 500, 13),
            (401, 401, 16),
            (403, 403, 7),
            (404, 501, 12),
            (429, 503, 14),
            (502, 503, 14),
            (418, 500, 2),
        ] {
            let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
            exchange.respond(
                Response::new(http)
                    .header("content-type", "text/html")
                    .chunk("<h1>no</h1>"),
            );
            assert_eq!((error(&exchange).0, error(&exchange).1), (status, code), "{way} {http}");
        }
    }
}

#[test]
fn an_answer_over_a_limit_is_502() {
    let long = everything(json!({ "stringValue": "x".repeat(5000) }));
    for way in WAYS {
        for limit in ["max_message_bytes", "max_response_bytes"] {
            let gateway = gateway(json!({ "dispatch": way, "limits": { limit: 4096 } }));
            let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
            exchange.respond(Response::ok(&long));
            assert_eq!((error(&exchange).0, error(&exchange).1), (502, 8), "{way} {limit}");
            works(&gateway);
        }
    }
}

#[test]
fn a_request_over_a_limit_is_413() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way, "limits": { "max_request_bytes": 4096 } }));
        let body = format!(r#"{{"stringValue": "{}"}}"#, "x".repeat(5000));
        for request in [
            Request::post("/v1/echo").json(&body),
            Request::post("/v1/echo").chunk(&body),
        ] {
            let exchange = gateway.request(request);
            let (status, code, message) = error(&exchange);
            assert_eq!((status, code), (413, 8), "{way}");
            assert!(message.contains("4096") || message.contains("4,096"), "{message}");
        }
        works(&gateway);
    }
}

/// The same error as RFC 9457 writes it.
fn problem(http: u16, title: &str, error: &Value) -> Value {
    json!({
        "type": "about:blank",
        "title": title,
        "status": http,
        "detail": error["message"],
        "code": error["code"],
        "details": error["details"],
    })
}

/// The same error as AIP-193 writes it.
fn google(http: u16, status: &str, error: &Value) -> Value {
    json!({ "error": {
        "code": http,
        "status": status,
        "message": error["message"],
        "details": error["details"],
    } })
}

#[test]
fn a_bad_message_of_a_stream_is_named_by_its_number() {
    let gateway = gateway(json!({}));
    for (content_type, body, field, message) in [
        (
            "application/json",
            r#"[{}, {"int32Value": 1}, {"child": {"count": "x"}}]"#,
            "[2].child.count",
            "request body: [2].child.count: expected a 32-bit integer, found string \"x\" (at byte 20)",
        ),
        (
            "application/x-ndjson",
            "{}\n\n{\"strings\": [\"a\", 1]}\n",
            "[1].strings[1]",
            "request body: [1].strings[1]: expected a string, found number 1 (at byte 18)",
        ),
        (
            "application/json",
            "[{}, 7]",
            "[1]",
            "request body: [1]: expected an object, found number 7 (at byte 0)",
        ),
    ] {
        let request = Request::post("/v1/streams:collect").header("content-type", content_type);
        let exchange = gateway.request(request.chunk(body));
        let (status, code, found) = error(&exchange);
        assert_eq!((status, code, &*found), (400, 3, message), "{body}");
        let answer: Value = serde_json::from_str(&exchange.answer().text()).unwrap();
        assert_eq!(answer["details"][0]["fieldViolations"][0]["field"], field, "{body}");
    }
}
