//! Headers to metadata and back.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Host, Progress, Request, Response};
use crate::kit::{WAYS, configuration, error, everything, gateway, sent, works};

#[test]
fn request_headers_are_metadata_but_for_those_of_the_connection_and_the_body() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let request = Request::post("/v1/echo")
            .header("authorization", "Bearer abc.def")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .header("baggage", "a=b")
            .header("x-request-id", "7")
            .header("x-many", "one")
            .header("x-many", "two")
            .header("x-blob-bin", "AAEC")
            .header("connection", "keep-alive, x-hop")
            .header("x-hop", "1")
            .header("keep-alive", "5")
            .header("accept-encoding", "gzip")
            .header("expect", "nothing")
            .json("{}");
        let metadata = sent(&gateway.request(request)).metadata;
        for (name, value) in [
            ("authorization", "Bearer abc.def"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ("baggage", "a=b"),
            ("x-request-id", "7"),
            ("x-blob-bin", "AAEC"),
        ] {
            assert_eq!(metadata.get(name), Some(value), "{way}");
        }
        assert_eq!(metadata.all("x-many"), ["one", "two"], "{way}");
        for name in [
            "connection",
            "x-hop",
            "keep-alive",
            "accept-encoding",
            "expect",
            "content-encoding",
        ] {
            assert_eq!(metadata.get(name), None, "{way}: {name}");
        }
    }
}

#[test]
fn a_header_that_metadata_cannot_carry_is_dropped() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let request = Request::post("/v1/echo")
            .header("x-latin", b"caf\xe9")
            .header("x-utf8", "caf\u{e9}")
            .header("x-blob-bin", "%%%")
            .header("x-fine", "fine")
            .json("{}");
        let exchange = gateway.request(request);
        let metadata = sent(&exchange).metadata;
        assert_eq!(metadata.get("x-fine"), Some("fine"));
        for name in ["x-latin", "x-utf8", "x-blob-bin"] {
            assert_eq!(metadata.bytes(name), None, "{way}: {name}");
        }
    }
}

#[test]
fn binary_values_in_one_field_arrive_one_by_one() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let request = Request::post("/v1/echo")
            .header("x-blob-bin", "AAEC, Aw==,BA")
            .header("x-blob-bin", "BQ")
            .header("x-list", "AAEC, Aw==")
            .json("{}");
        let metadata = sent(&gateway.request(request)).metadata;
        let values = metadata.all("x-blob-bin");
        let values: Vec<_> = values.iter().map(|value| value.trim_end_matches('=')).collect();
        assert_eq!(values, ["AAEC", "Aw", "BA", "BQ"], "{way}");
        assert_eq!(metadata.all("x-list"), ["AAEC, Aw=="], "{way}");
    }
}

#[test]
fn a_clients_timeout_shortens_the_configured_one() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way, "upstream": { "cluster": "upstream", "timeout": "10s" } }));
        for (client, at_most) in [
            (None, 10_000),
            (Some("500m"), 500),
            (Some("2S"), 2000),
            (Some("1H"), 10_000),
        ] {
            let mut request = Request::post("/v1/echo");
            if let Some(client) = client {
                request = request.header("grpc-timeout", client);
            }
            let exchange = gateway.request(request.json("{}"));
            let timeout = sent(&exchange).metadata.get("grpc-timeout").map(milliseconds);
            let timeout = timeout.unwrap_or_else(|| panic!("{way} {client:?}: no grpc-timeout"));
            assert_eq!(timeout, at_most, "{way} {client:?}");
        }
    }
}

#[test]
fn a_timeout_that_is_none_is_400() {
    let gateway = gateway(json!({}));
    for timeout in ["", "0S", "0m", "1", "S", "-1S", "1s", "1 S", "123456789S", "1.5S"] {
        let exchange = gateway.request(Request::post("/v1/echo").header("grpc-timeout", timeout).json("{}"));
        assert_eq!((error(&exchange).0, error(&exchange).1), (400, 3), "{timeout:?}");
    }
    works(&gateway);
}

#[test]
fn initial_and_trailing_metadata_become_response_headers() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(
            Response::ok(everything(json!({ "int32Value": 1 })))
                .header("x-initial", "one")
                .header("x-many", "a")
                .header("x-many", "b")
                .header("grpc-encoding", "identity")
                .header("grpc-accept-encoding", "gzip")
                .trailer("grpc-message", "")
                .trailer("x-trailing", "two"),
        );
        let answer = exchange.answer();
        assert_eq!(answer.headers.get("x-initial"), Some("one"), "{way}");
        assert_eq!(answer.headers.all("x-many"), ["a", "b"], "{way}");
        assert_eq!(answer.headers.get("x-trailing"), Some("two"), "{way}");
        for name in ["grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding"] {
            assert_eq!(answer.headers.get(name), None, "{way}: {name}");
            assert!(
                answer
                    .trailers
                    .as_ref()
                    .is_none_or(|trailers| trailers.get(name).is_none()),
                "{way}: {name}"
            );
        }
        assert_eq!(answer.headers.all("content-type"), ["application/json"], "{way}");
    }
}

#[test]
fn metadata_of_an_error_become_response_headers_too() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        for response in [
            Response::error(5, "gone").header("x-why", "because"),
            Response::grpc().header("x-why", "because").trailer("grpc-status", "5"),
            Response::grpc().trailer("grpc-status", "5").trailer("x-why", "because"),
        ] {
            let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
            exchange.respond(response.clone());
            let answer = exchange.answer();
            assert_eq!(
                (answer.status(), answer.headers.get("x-why")),
                (404, Some("because")),
                "{way} {response:?}"
            );
        }
    }
}

#[test]
fn x_http_code_chooses_a_success_status_and_is_removed() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        for (code, status) in [
            ("201", 201),
            ("299", 299),
            ("300", 200),
            ("404", 200),
            ("199", 200),
            ("abc", 200),
            ("", 200),
        ] {
            for trailing in [false, true] {
                let mut response = Response::ok(everything(json!({ "int32Value": 1 })));
                response = match trailing {
                    true => response.trailer("x-http-code", code),
                    false => response.header("x-http-code", code),
                };
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.respond(response);
                let answer = exchange.answer();
                assert_eq!(answer.status(), status, "{way} {code:?} {trailing}");
                assert_eq!(answer.headers.get("x-http-code"), None, "{way} {code:?} {trailing}");
            }
        }
    }
}

#[test]
fn a_success_has_the_configured_status_unless_the_service_chooses_another() {
    let statuses = json!([
        { "selector": "test.everything.Streams.*", "status": 202 },
        { "selector": "test.everything.Echo.Post", "status": 201 },
    ]);
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way, "success_status": statuses }));
        for (path, response, expected) in [
            ("/v1/echo", Response::ok(b""), 201),
            ("/v1/echo", Response::ok(b"").header("x-http-code", "203"), 203),
            ("/v1/echo", Response::ok(b"").trailer("x-http-code", "200"), 200),
            ("/v1/echo", Response::ok(b"").header("x-http-code", "404"), 201),
            ("/v1/echo", Response::error(5, "gone"), 404),
            ("/v1/message-body/x", Response::ok(b""), 200),
            ("/v1/streams/x", Response::ok(b""), 202),
            ("/v1/streams/x", Response::grpc().trailer("grpc-status", "0"), 202),
            ("/v1/streams/x", Response::ok(b"").header("x-http-code", "204"), 202),
            ("/v1/streams/x", Response::error(5, "gone"), 404),
        ] {
            let exchange = gateway.request(Request::post(path).json("{}"));
            exchange.respond(response.clone());
            assert_eq!(exchange.answer().status(), expected, "{way} {path} {response:?}");
        }
    }
    let kong = Host::kong()
        .load(&json!({ "proto": crate::schema::PROTO, "success_status": statuses }).to_string())
        .unwrap();
    let exchange = kong.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(Response::ok(b""));
    assert_eq!(
        (exchange.answer().status(), exchange.answer().text()),
        (201, "{}".to_owned())
    );
}

#[test]
fn a_configured_status_without_content_has_no_body_and_leaves_errors_theirs() {
    let long = everything(json!({ "stringValue": "x".repeat(40_000) }));
    for status in [204, 205] {
        let statuses = json!([{ "selector": "test.everything.Echo.*", "status": status }]);
        for way in WAYS {
            let gateway = gateway(json!({ "dispatch": way, "success_status": statuses }));
            for message in [&b""[..], &long] {
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                exchange.respond(Response::ok(message));
                let answer = exchange.answer();
                assert_eq!((answer.status(), answer.body().len()), (status, 0), "{way}");
                assert_eq!(answer.headers.get("content-type"), None, "{way}");
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                let failing = Response::grpc().message(message).trailer("grpc-status", "8");
                exchange.respond(failing);
                assert_eq!((error(&exchange).0, error(&exchange).1), (429, 8), "{way}");
            }
        }
        // Where the status line goes out before the outcome is known, an error must still have a place.
        let kong = json!({ "proto": crate::schema::PROTO, "success_status": statuses });
        let kong = Host::kong().load(&kong.to_string()).unwrap();
        let exchange = kong.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::ok(b""));
        assert_eq!(
            (exchange.answer().status(), exchange.answer().text()),
            (200, "{}".to_owned())
        );
        let exchange = kong.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::grpc().message(b"").trailer("grpc-status", "8"));
        assert_eq!((error(&exchange).0, error(&exchange).1), (200, 8));
    }
}

#[test]
fn x_http_code_says_nothing_about_an_error() {
    let gateway = gateway(json!({}));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(Response::error(5, "gone").header("x-http-code", "201"));
    assert_eq!(error(&exchange).0, 404);
    assert_eq!(exchange.answer().headers.get("x-http-code"), None);
}

#[test]
fn the_upstreams_authority_is_the_configured_one() {
    let gateway = gateway(json!({ "upstream": { "cluster": "upstream", "authority": "books.internal" } }));
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    assert_eq!(exchange.forwarded().headers.get(":authority"), Some("books.internal"));
}

/// A `grpc-timeout` in milliseconds.
fn milliseconds(timeout: &str) -> u64 {
    let (number, unit) = timeout.split_at(timeout.len() - 1);
    let number: u64 = number.parse().expect("a number");
    match unit {
        "H" => number * 3_600_000,
        "M" => number * 60_000,
        "S" => number * 1000,
        "m" => number,
        "u" => number / 1000,
        "n" => number / 1_000_000,
        _ => panic!("no unit in {timeout}"),
    }
}

#[test]
fn a_status_without_content_has_no_body() {
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        for (code, status, length) in [("204", 204, None), ("205", 205, Some("0"))] {
            for trailing in [false, true] {
                let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
                let response = Response::grpc();
                let response = match trailing {
                    true => response.message(b"").trailer("x-http-code", code),
                    false => response.header("x-http-code", code).message(b""),
                };
                exchange.respond(response.trailer("grpc-status", "0").trailer("x-note", "kept"));
                let answer = exchange.answer();
                assert_eq!((answer.status(), answer.body().len()), (status, 0), "{way} {trailing}");
                assert_eq!(answer.headers.get("content-type"), None, "{way} {code} {trailing}");
                assert_eq!(answer.headers.get("x-note"), Some("kept"), "{way} {code} {trailing}");
                // A local reply has none in either case.
                let found = answer.headers.get("content-length");
                assert!(found.is_none() || found == length, "{way} {code} {trailing} {found:?}");
            }
        }
        works(&gateway);
    }
}

#[test]
fn a_status_that_comes_too_late_does_not_take_the_body_away() {
    let gateway = Host::envoy()
        .without_headers_stop_iteration()
        .load(&configuration(json!({ "dispatch": "in_place" })))
        .unwrap();
    for (status, length, response) in [
        (200, 2, Response::ok(b"").trailer("x-http-code", "204")),
        (204, 0, Response::ok(b"").header("x-http-code", "204")),
    ] {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        // The headers wait a moment for the body, which doesn't come.
        if exchange.progress() == Progress::WaitsForTime {
            gateway.advance(Duration::from_secs(6));
        }
        exchange.respond(response);
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.body().len()), (status, length));
    }
}
