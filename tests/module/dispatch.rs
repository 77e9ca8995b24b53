//! The way to the upstream: in place or as a call, and what happens when it fails.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Gateway, Host, Progress, Request, Response, frame};
use crate::kit::{WAYS, call_of, configuration, error, everything, gateway, respond, sent, works};
use crate::schema;

#[test]
fn a_request_with_a_body_is_forwarded_in_place() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::post("/v1/echo?x=y").json(r#"{"int32Value": 7}"#));
    let forwarded = exchange.forwarded();
    assert_eq!(exchange.calls().len(), 0);
    assert_eq!(forwarded.headers.get(":path"), Some("/test.everything.Echo/Post"));
    assert_eq!(sent(&exchange).message, json!({ "int32Value": 7 }));
    respond(&exchange, json!({ "int32Value": 8 }));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.json()), (200, json!({ "int32Value": 8 })));
    assert_eq!(answer.headers.get("content-type"), Some("application/json"));
    assert!(
        answer
            .trailers
            .is_none_or(|trailers| trailers.get("grpc-status").is_none())
    );
}

#[test]
fn a_request_without_a_body_becomes_a_call() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::get("/v1/echo?int32_value=7"));
    let call = exchange.call();
    assert_eq!(
        (call.service.as_str(), call.method.as_str()),
        ("test.everything.Echo", "Query")
    );
    assert_eq!(sent(&exchange).message, json!({ "int32Value": 7 }));
    respond(&exchange, json!({ "int32Value": 8 }));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.json()), (200, json!({ "int32Value": 8 })));
    assert_eq!(answer.headers.get("content-type"), Some("application/json"));
}

#[test]
fn every_method_without_a_body_becomes_a_call() {
    let gateway = gateway(json!({}));
    for (method, path, expected) in [
        ("DELETE", "/v1/echo", "Echo/Query"),
        ("POST", "/v1/echo", "Echo/Post"),
        ("PUT", "/v1/nested/a/1", "Echo/NestedCapture"),
        ("PATCH", "/v1/things/a", "Patches/Update"),
    ] {
        let exchange = gateway.request(Request::new(method, path).header("content-length", "0"));
        assert_eq!(exchange.calls().len(), 1, "{method} {path}");
        assert_eq!(call_of(&exchange).0, expected);
        drop(exchange);
    }
}

#[test]
fn dispatch_call_makes_a_call_of_every_request() {
    let gateway = gateway(json!({ "dispatch": "call" }));
    let exchange = gateway.request(Request::post("/v1/echo").json(r#"{"int32Value": 7}"#));
    assert_eq!(exchange.calls().len(), 1);
    assert_eq!(sent(&exchange).message, json!({ "int32Value": 7 }));
    respond(&exchange, json!({ "int32Value": 8 }));
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 8 }));
}

#[test]
fn in_place_a_request_without_a_body_is_told_what_it_needs() {
    let gateway = Host::envoy()
        .load(&json!({ "proto": schema::PROTO }).to_string())
        .unwrap();
    for (request, needs) in [
        (Request::get("/v1/echo"), "Lua filter"),
        (Request::new("DELETE", "/v1/echo"), "Lua filter"),
        (Request::post("/v1/echo"), "send {}"),
        (Request::post("/v1/echo").header("content-length", "0"), "Lua filter"),
    ] {
        let exchange = gateway.request(request);
        if exchange.calls().is_empty() {
            let (status, code, message) = error(&exchange);
            assert_eq!((status, code), (501, 12), "{message}");
            assert!(
                message.contains(needs) && message.contains("bodyless: call"),
                "{message}"
            );
        } else {
            panic!("a call was made: {needs}");
        }
    }
    works(&gateway);
}

#[test]
fn a_body_in_pieces_is_one_message() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let requests = [
            Request::post("/v1/echo")
                .chunk(r#"{"int32"#)
                .chunk(r#"Value": 7"#)
                .chunk("}"),
            Request::post("/v1/echo").chunk(r#"{"int32Value": 7}"#).chunk(""),
            Request::post("/v1/echo")
                .chunk(r#"{"int32Value""#)
                .chunk(": 7}")
                .trailer("t", "1"),
        ];
        for request in requests {
            let exchange = gateway.request(request);
            assert_eq!(
                call_of(&exchange),
                ("Echo/Post".to_owned(), json!({ "int32Value": 7 })),
                "{way}"
            );
            respond(&exchange, json!({}));
            assert_eq!(exchange.answer().json(), json!({}));
        }
    }
}

#[test]
fn the_answer_may_come_in_any_pieces() {
    let gateway = gateway(json!({}));
    let body = Response::ok(crate::kit::everything(json!({ "stringValue": "some text" })));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    let frame = crate::harness::frame(0, &crate::kit::everything(json!({ "stringValue": "some text" })));
    exchange.respond_headers(&body);
    for byte in frame {
        exchange.respond_data([byte], false);
    }
    exchange.respond_trailers(&[("grpc-status", "0")]);
    assert_eq!(exchange.answer().json(), json!({ "stringValue": "some text" }));
}

/// An answer that is gathered is the service's alone, whatever the client still sends.
#[test]
fn what_comes_of_a_request_leaves_an_answer_that_is_gathered_alone() {
    let gateway = gateway(json!({ "dispatch": "in_place", "hold_headers": true }));
    let message = crate::kit::everything(json!({ "stringValue": "some text" }));
    for rest in [&["]", ""][..], &[",{}]"], &[",{}", "]", ""]] {
        let exchange = gateway.request(Request::post("/v1/streams:chat").chunk("[{}").open());
        exchange.respond_headers(&Response::ok(&message));
        exchange.respond_data(crate::harness::frame(0, &message), false);
        for (at, chunk) in rest.iter().enumerate() {
            exchange.send(chunk, at + 1 == rest.len());
        }
        exchange.respond_trailers(&[("grpc-status", "0")]);
        let answer = exchange.answer();
        assert_eq!(answer.json(), json!([{ "stringValue": "some text" }]), "{rest:?}");
        if let Some(length) = answer.headers.get("content-length") {
            assert_eq!(length.parse(), Ok(answer.body().len()), "{rest:?}");
        }
    }
}

#[test]
fn the_cluster_of_a_call_comes_from_the_configuration_or_the_route() {
    let bare = json!({ "proto": schema::PROTO, "bodyless": "call" }).to_string();
    let load = |host: Host, configuration: &str| -> Gateway { host.load(configuration).unwrap() };
    let route = |path: &[&str]| Host::envoy().property(path, "upstream");
    let gateways = [
        load(Host::envoy(), &configuration(json!({}))),
        load(route(&["xds", "cluster_name"]), &bare),
        load(route(&["cluster_name"]), &bare),
        load(
            Host::envoy().property(&["xds", "cluster_name"], "another"),
            &configuration(json!({})),
        ),
    ];
    for gateway in gateways {
        assert_eq!(gateway.request(Request::get("/v1/echo")).call().cluster, "upstream");
    }
    let (status, _, message) = error(&load(Host::envoy(), &bare).request(Request::get("/v1/echo")));
    assert!(
        status >= 500 && message.contains("upstream.cluster"),
        "{status} {message}"
    );
}

#[test]
fn a_cluster_that_does_not_exist_is_503() {
    let gateway = gateway(json!({ "upstream": { "cluster": "elsewhere" } }));
    let (status, code, _) = error(&gateway.request(Request::get("/v1/echo")));
    assert_eq!((status, code), (503, 14));
}

#[test]
fn a_cluster_name_of_any_length_and_form_is_asked_for() {
    for name in ["users", &"x".repeat(126), &"x".repeat(200)] {
        let gateway = gateway(json!({ "upstream": { "cluster": name } }));
        // The harness fails the test when the upstream argument is no serialized GrpcService.
        assert_eq!(error(&gateway.request(Request::get("/v1/echo"))).0, 503);
    }
}

#[test]
fn an_upstream_that_refuses_is_503() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.call_fails(
        14,
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
    );
    assert_eq!((error(&exchange).0, error(&exchange).1), (503, 14));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(
        Response::new(503)
            .header("content-type", "text/plain")
            .chunk("upstream connect error"),
    );
    assert_eq!((error(&exchange).0, error(&exchange).1), (503, 14));
    works(&gateway);
}

#[test]
fn an_upstream_that_is_too_slow_is_504() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.call_fails(14, "upstream request timeout", "response_timeout");
    assert_eq!((error(&exchange).0, error(&exchange).1), (504, 4));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.gateway_fails("response_timeout");
    assert_eq!((error(&exchange).0, error(&exchange).1), (504, 4));
    works(&gateway);
}

#[test]
fn a_service_that_cancels_a_call_because_its_time_is_up_was_late() {
    // Which of the two notices first is chance; a service that cancels before is taken at its word.
    for (waited, expected) in [(500, (499, 1)), (990, (504, 4))] {
        let gateway = gateway(json!({}));
        let request = Request::get("/v1/echo?int32Value=1").header("grpc-timeout", "1S");
        let exchange = gateway.request(request);
        gateway.advance(Duration::from_millis(waited));
        exchange.respond(Response::error(1, "cancelled"));
        let (status, code, _) = error(&exchange);
        assert_eq!((status, code), expected, "after {waited} ms");
    }
}

#[test]
fn the_gateway_is_told_the_deadline() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way, "upstream": { "cluster": "upstream", "timeout": "2s" } }));
        for (client, expected) in [
            // A little less than what the upstream is told: its own clock must not be the first to run out.
            (None, "1980"),
            (Some("160m"), "150"),
            (Some("1H"), "1980"),
            (Some("1n"), "1"),
        ] {
            let mut request = Request::post("/v1/echo");
            if let Some(client) = client {
                request = request.header("grpc-timeout", client);
            }
            let exchange = gateway.request(request.json("{}"));
            let metadata = sent(&exchange).metadata;
            assert_eq!(
                metadata.get("x-envoy-upstream-rq-timeout-ms"),
                Some(expected),
                "{way} {client:?}"
            );
            let told = match client {
                Some(client) if client != "1H" => client,
                _ => "2S",
            };
            assert_eq!(metadata.get("grpc-timeout"), Some(told), "{way} {client:?}");
        }
    }
}

/// A service that was told less than the gateway's route allows would give up early.
#[test]
fn where_nobody_says_a_time_the_gateways_own_holds() {
    for (way, asked, told, enforced) in [
        ("in_place", None, None, None),
        ("in_place", Some("1H"), Some("1H"), Some("3599980")),
        ("call", None, Some("15S"), Some("14980")),
        ("call", Some("1H"), Some("1H"), Some("3599980")),
    ] {
        let gateway = gateway(json!({ "dispatch": way }));
        let mut request = Request::post("/v1/echo");
        if let Some(asked) = asked {
            request = request.header("grpc-timeout", asked);
        }
        let metadata = sent(&gateway.request(request.json("{}"))).metadata;
        assert_eq!(metadata.get("grpc-timeout"), told, "{way} {asked:?}");
        assert_eq!(
            metadata.get("x-envoy-upstream-rq-timeout-ms"),
            enforced,
            "{way} {asked:?}"
        );
    }
}

#[test]
fn a_stream_in_place_may_end_by_its_own_error_at_the_deadline() {
    // The gateway can only break a stream off: it leaves time to the upstream to end it, which is told the deadline.
    for (way, expected) in [("in_place", "11000"), ("call", "9980")] {
        let upstream = json!({ "cluster": "upstream", "timeout": "2s" });
        let gateway = gateway(json!({ "dispatch": way, "upstream": upstream, "streaming": { "timeout": "10s" } }));
        let exchange = gateway.request(Request::post("/v1/streams/x").json("{}"));
        let metadata = sent(&exchange).metadata;
        assert_eq!(metadata.get("x-envoy-upstream-rq-timeout-ms"), Some(expected), "{way}");
        assert_eq!(metadata.get("grpc-timeout"), Some("10S"), "{way}");
    }
}

#[test]
fn an_upstream_that_says_cancelled_when_its_time_is_up_means_the_deadline() {
    let gateway = gateway(json!({ "streaming": { "timeout": "10s" }, "upstream": { "grpc_web": true } }));
    let web = |trailers: &str| frame(0x80, trailers.as_bytes());
    let cancelled = || web("grpc-status:1\r\ngrpc-message:m\r\n");
    let message = || frame(0, &everything(json!({ "int32Value": 1 })));
    for (seconds, status, code) in [(9, 499, 1), (10, 504, 4)] {
        let start = || gateway.request(Request::post("/v1/streams/x").json("{}"));
        let wait = || gateway.advance(Duration::from_secs(seconds));

        let exchange = start();
        wait();
        exchange.respond(Response::error(1, "m"));
        assert_eq!((error(&exchange).0, error(&exchange).1), (status, code), "at once");

        let exchange = start();
        exchange.respond_headers(&Response::ok(message()));
        wait();
        exchange.respond_data(cancelled(), false);
        exchange.respond_trailers(&[]);
        assert_eq!(
            (error(&exchange).0, error(&exchange).1),
            (status, code),
            "behind headers"
        );

        let exchange = start();
        exchange.respond_headers(&Response::ok(message()));
        exchange.respond_data(message(), false);
        wait();
        exchange.respond_data(cancelled(), false);
        exchange.respond_trailers(&[]);
        let answer = exchange.answer().json();
        assert_eq!(answer[1]["error"]["code"], code, "behind a message: {answer}");
    }
    // An error of another kind is what it is.
    let exchange = gateway.request(Request::post("/v1/streams/x").json("{}"));
    gateway.advance(Duration::from_secs(10));
    exchange.respond(Response::error(5, "m"));
    assert_eq!((error(&exchange).0, error(&exchange).1), (404, 5));
    // A unary method's deadline is the gateway's.
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    gateway.advance(Duration::from_secs(20));
    exchange.respond(Response::error(1, "m"));
    assert_eq!((error(&exchange).0, error(&exchange).1), (499, 1));
}

#[test]
fn a_call_is_cancelled_when_the_client_leaves() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.client_leaves();
    assert!(exchange.call().cancelled);
    let exchange = gateway.request(Request::get("/v1/echo"));
    exchange.call_metadata(&[("content-type", "application/grpc")]);
    exchange.call_message(b"");
    exchange.client_leaves();
    assert!(exchange.call().cancelled);
    works(&gateway);
}

#[test]
fn a_client_may_leave_at_any_time() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        gateway.request(Request::post("/v1/echo").open()).client_leaves();
        gateway
            .request(Request::post("/v1/echo").chunk(r#"{"int32"#).open())
            .client_leaves();
        gateway.request(Request::post("/v1/echo").json("{}")).client_leaves();
        works(&gateway);
    }
}

#[test]
fn requests_that_overlap_do_not_mix() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let open: Vec<_> = (0..20)
            .map(|_| gateway.request(Request::post("/v1/echo").open()))
            .collect();
        for (number, exchange) in open.iter().enumerate() {
            exchange.send(format!(r#"{{"int32Value": {}"#, number + 1), false);
        }
        for exchange in open.iter().rev() {
            exchange.send("}", true);
        }
        for (number, exchange) in open.iter().enumerate() {
            assert_eq!(sent(exchange).message, json!({ "int32Value": number + 1 }));
        }
        for (number, exchange) in open.iter().enumerate().rev() {
            respond(exchange, json!({ "int32Value": number + 100 }));
        }
        for (number, exchange) in open.iter().enumerate() {
            assert_eq!(exchange.answer().json(), json!({ "int32Value": number + 100 }));
        }
    }
}

#[test]
fn without_headers_stop_iteration_nothing_hangs() {
    for way in ["in_place", "call"] {
        let gateway = Host::envoy()
            .without_headers_stop_iteration()
            .load(&configuration(json!({ "dispatch": way })))
            .unwrap();
        for round in 0..5 {
            let exchange = gateway.request(Request::post("/v1/echo").json(r#"{"int32Value": 7}"#));
            if exchange.progress() == Progress::WaitsForTime {
                gateway.advance(Duration::from_secs(6));
            }
            if exchange.progress() == Progress::Answered {
                assert_eq!((way, error(&exchange).0), ("call", 501), "round {round}");
                continue;
            }
            assert_eq!(sent(&exchange).message, json!({ "int32Value": 7 }), "{way} {round}");
            respond(&exchange, json!({ "int32Value": 8 }));
            assert_eq!(exchange.answer().json(), json!({ "int32Value": 8 }), "{way} {round}");
        }
    }
}

#[test]
fn without_headers_stop_iteration_an_error_in_the_headers_keeps_its_status() {
    let gateway = Host::envoy()
        .without_headers_stop_iteration()
        .load(&configuration(json!({})))
        .unwrap();
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    if exchange.progress() == Progress::WaitsForTime {
        gateway.advance(Duration::from_millis(100));
    }
    exchange.respond(Response::error(5, "gone"));
    assert_eq!(error(&exchange), (404, 5, "gone".to_owned()));
}

#[test]
fn native_grpc_goes_through_untouched() {
    let gateway = gateway(json!({}));
    let body = crate::harness::frame(0, b"\xff\x00 anything");
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-web+proto",
    ] {
        let request = Request::post("/test.everything.Echo/Post")
            .header("content-type", content_type)
            .header("te", "trailers")
            .header("grpc-timeout", "1S")
            .chunk(&body)
            .chunk(&body);
        let exchange = gateway.request(request);
        let forwarded = exchange.forwarded();
        assert_eq!(forwarded.chunks, [body.clone(), body.clone()]);
        assert_eq!(forwarded.headers.get("content-type"), Some(content_type));
        assert_eq!(forwarded.headers.get("grpc-timeout"), Some("1S"));
        let response = Response::grpc().message("one").message("two");
        exchange.respond(
            response
                .trailer("grpc-status", "5")
                .trailer("grpc-message", "gone")
                .trailer("a", "b"),
        );
        let answer = exchange.answer();
        assert_eq!(
            (answer.status(), answer.messages()),
            (200, vec![b"one".to_vec(), b"two".to_vec()])
        );
        let trailers = answer.trailers.expect("the trailers");
        assert_eq!((trailers.get("grpc-status"), trailers.get("a")), (Some("5"), Some("b")));
    }
    // A stream whose request and response overlap.
    let request = Request::post("/any.Service/Chat").header("content-type", "application/grpc");
    let exchange = gateway.request(request.chunk(&body).open());
    assert_eq!(exchange.forwarded().chunks, std::slice::from_ref(&body));
    exchange.send(&body, true);
    exchange.respond(Response::error(12, "unknown service"));
    assert_eq!(exchange.answer().headers.get("grpc-status"), Some("12"));
}
