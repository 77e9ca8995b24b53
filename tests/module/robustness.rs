//! Hostile and broken input: each has its own right answer, and the next request works.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Host, Progress, Request, Response, frame};
use crate::kit::{WAYS, call_of, configuration, error, everything, gateway, works};

#[test]
fn header_values_may_be_any_bytes() {
    let gateway = gateway(json!({}));
    for name in [
        "x-a",
        "authorization",
        "accept",
        "content-type",
        "content-encoding",
        "grpc-timeout",
        "connection",
        "te",
        "content-length",
        "x-blob-bin",
        "cookie",
    ] {
        for value in [&b"\xff\xfe"[..], b"\x80", b"", b"caf\xc3\xa9", &[b'x'; 20_000]] {
            for way in [Request::get("/v1/echo"), Request::post("/v1/echo").chunk("{}")] {
                let exchange = gateway.request(way.header(name, value));
                if exchange.progress() == crate::harness::Progress::Answered {
                    let (status, ..) = error(&exchange);
                    assert!([400, 415].contains(&status), "{name}: {value:?}: {status}");
                }
            }
        }
    }
    works(&gateway);
}

#[test]
fn paths_and_methods_may_be_any_bytes() {
    let gateway = gateway(json!({}));
    for path in [
        &b"/v1/paths/\xff"[..],
        b"/v1/\xc3\x28",
        b"/v1/echo?\xff=\xff",
        b"/v1/echo?string_value=\xff",
        b"",
        b"?",
        b"//",
        b"/v1/paths/%ff",
        b"/v1/paths/%00",
        &[b'/'; 10_000],
    ] {
        let mut request = Request::get("/");
        request.headers = [(":method", &b"GET"[..]), (":authority", b"a"), (":path", path)]
            .into_iter()
            .collect();
        let exchange = gateway.request(request);
        if exchange.progress() == crate::harness::Progress::Answered {
            let (status, ..) = error(&exchange);
            assert!([400, 404].contains(&status), "{path:?}: {status}");
        }
    }
    for method in [&b"\xff"[..], b"", b"G\xc3"] {
        let mut request = Request::get("/");
        request.headers = [(":method", method), (":authority", b"a"), (":path", b"/v1/echo")]
            .into_iter()
            .collect();
        assert_eq!(error(&gateway.request(request)).0, 405, "{method:?}");
    }
    works(&gateway);
}

#[test]
fn json_cut_anywhere_is_400() {
    let body = r#"{"stringValue": "a\u00e9\n", "int32s": [1, -2.0e0], "child": {"name": "x"}, "boolValue": true, "value": null}"#;
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        for length in 1..body.len() {
            let exchange = gateway.request(Request::post("/v1/echo").json(&body[..length]));
            assert_eq!(error(&exchange).0, 400, "{way} {:?}", &body[..length]);
        }
        works(&gateway);
    }
}

#[test]
fn bodies_that_are_no_text_are_400() {
    let gateway = gateway(json!({}));
    for body in [
        &b"\xff"[..],
        b"{\"stringValue\": \"\xff\"}",
        b"{\"\xff\": 1}",
        b"\x00",
        b"{\"stringValue\": \"\xed\xa0\x80\"}",
    ] {
        let exchange = gateway.request(
            Request::post("/v1/echo")
                .header("content-type", "application/json")
                .body(body),
        );
        assert_eq!((error(&exchange).0, error(&exchange).1), (400, 3), "{body:?}");
    }
    works(&gateway);
}

#[test]
fn nesting_beyond_the_limit_is_400_however_deep() {
    let gateway = gateway(json!({}));
    let nested = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    for depth in [200, 10_000, 100_000] {
        for body in [
            nested(r#"{"self":"#, "}", depth).replace(":}", ":{}}"),
            format!(r#"{{"value":{}}}"#, nested("[", "]", depth)),
            format!(r#"{{"nothing":{}}}"#, nested("[", "]", depth)),
            format!(
                r#"{{"nothing":{}}}"#,
                nested(r#"{"a":"#, "}", depth).replace(":}", ":1}")
            ),
            nested("[", "", depth),
        ] {
            let exchange = gateway.request(Request::post("/v1/echo").json(&body));
            assert_eq!(error(&exchange).0, 400, "{depth} {}", &body[..40]);
        }
        let path = vec!["child"; depth].join(".");
        let exchange = gateway.request(Request::get(&format!("/v1/echo?{path}.name=x")));
        assert_eq!(error(&exchange).0, 400, "{depth}");
    }
    works(&gateway);
}

#[test]
fn an_answer_nested_beyond_the_limit_is_502() {
    let gateway = gateway(json!({}));
    let mut message = Vec::new();
    for _ in 0..200 {
        // Field 82, self.
        let mut outer = vec![0x92, 0x05];
        let mut length = message.len();
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(message);
        message = outer;
    }
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(Response::ok(message));
    assert_eq!(error(&exchange).0, 502);
    works(&gateway);
}

#[test]
fn long_numbers_are_read_or_refused() {
    let gateway = gateway(json!({}));
    let digits = "9".repeat(10_000);
    for (body, status) in [
        (format!(r#"{{"int64Value": {digits}}}"#), 400),
        (format!(r#"{{"int64Value": "{digits}"}}"#), 400),
        (format!(r#"{{"doubleValue": {digits}}}"#), 400),
        (format!(r#"{{"doubleValue": 1e{digits}}}"#), 400),
        (format!(r#"{{"nothing": {digits}}}"#), 0),
        (format!(r#"{{"doubleValue": 0.{digits}}}"#), 0),
        (format!(r#"{{"doubleValue": 1e-{digits}}}"#), 0),
    ] {
        let exchange = gateway.request(Request::post("/v1/echo").json(&body));
        match status {
            0 => assert_eq!(call_of(&exchange).0, "Echo/Post"),
            _ => assert_eq!(error(&exchange).0, status, "{}", &body[..30]),
        }
    }
    let exchange = gateway.request(Request::get(&format!("/v1/echo?int32_value={digits}")));
    assert_eq!(error(&exchange).0, 400);
    works(&gateway);
}

#[test]
fn a_large_body_goes_through() {
    let limits = json!({ "limits": {
        "max_request_bytes": 8 << 20,
        "max_response_bytes": 8 << 20,
        "max_message_bytes": 8 << 20,
    } });
    let gateway = Host::envoy()
        .buffer_limit(16 << 20)
        .load(&configuration(limits))
        .unwrap();
    let text = "x".repeat(5 << 20);
    let body = format!(r#"{{"stringValue": "{text}"}}"#);
    let mut request = Request::post("/v1/echo");
    for chunk in body.as_bytes().chunks(16 * 1024) {
        request = request.chunk(chunk);
    }
    let exchange = gateway.request(request);
    assert_eq!(call_of(&exchange).1, json!({ "stringValue": text }));
    let message = everything(json!({ "stringValue": text }));
    exchange.respond_headers(&Response::grpc().chunk(""));
    for chunk in frame(0, &message).chunks(16 * 1024) {
        exchange.respond_data(chunk, false);
    }
    exchange.respond_trailers(&[("grpc-status", "0")]);
    assert_eq!(exchange.answer().json(), json!({ "stringValue": text }));
    works(&gateway);
}

#[test]
fn a_request_may_be_longer_than_envoys_own_buffer() {
    for way in WAYS {
        let gateway = Host::envoy()
            .buffer_limit(4096)
            .load(&configuration(json!({ "dispatch": way })))
            .unwrap();
        let exchange = gateway.request(
            Request::post("/v1/echo")
                .chunk(vec![b' '; 3000])
                .chunk(vec![b' '; 3000])
                .chunk(vec![b' '; 9000])
                .chunk("{\"int32Value\": 7}"),
        );
        assert_eq!(call_of(&exchange).1, json!({ "int32Value": 7 }), "{way}");
        works(&gateway);
    }
}

#[test]
fn an_answer_may_grow_over_envoys_own_buffer() {
    let gateway = Host::envoy()
        .buffer_limit(4096)
        .load(&configuration(json!({})))
        .unwrap();
    // Longer than the buffer, and than what is held whatever the buffer is.
    for (length, waits) in [(2000, true), (20_000, false)] {
        let json = json!({ "stringValue": "\u{1}".repeat(length) });
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        let response = Response::ok(everything(json.clone()));
        exchange.respond(response.header("x-initial", "a"));
        if waits {
            assert_eq!(exchange.progress(), Progress::WaitsForTime);
            gateway.advance(Duration::from_millis(200));
        }
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.json()), (200, json.clone()));
        for (name, value) in [("content-type", "application/json"), ("x-initial", "a")] {
            assert_eq!(answer.headers.all(name), [value], "{name}");
        }
    }
    let json = json!({ "stringValue": "\u{1}".repeat(2000) });
    // A message of a stream, in pieces or not.
    let message = frame(0, &everything(json.clone()));
    for size in [1, 5, 100, 2000, 5000] {
        let request = Request::post("/v1/streams/x").header("accept", "application/x-ndjson");
        let exchange = gateway.request(request.json("{}"));
        exchange.respond_headers(&Response::ok(&message));
        for piece in message.chunks(size) {
            exchange.respond_data(piece, false);
        }
        assert_eq!(exchange.so_far().text(), format!("{json}\n"), "in pieces of {size}");
        exchange.respond_trailers(&[("grpc-status", "0")]);
    }
    works(&gateway);
}

#[test]
fn a_frame_that_claims_more_than_there_is_does_not_allocate_it() {
    let gateway = gateway(json!({}));
    for claim in [u32::MAX, 1 << 30] {
        let head = [&[0][..], &claim.to_be_bytes(), b"abc"].concat();
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::grpc().chunk(head).trailer("grpc-status", "0"));
        assert_eq!(error(&exchange).0, 502);
    }
    works(&gateway);
}

#[test]
fn many_requests_after_each_other_keep_working() {
    let gateway = gateway(json!({}));
    for _ in 0..100 {
        works(&gateway);
        assert_eq!(error(&gateway.request(Request::post("/v1/echo").json("{"))).0, 400);
        assert_eq!(gateway.request(Request::get("/nowhere")).answer().status(), 404);
    }
}

#[test]
fn refusals_that_come_in_one_instant_all_go_out() {
    let gateway = gateway(json!({}));
    let refused: Vec<_> = (0..10).map(|_| gateway.request(Request::get("/nowhere"))).collect();
    gateway.advance(Duration::from_millis(1));
    for exchange in &refused {
        assert_eq!(exchange.answer().status(), 404);
    }
    // One that leaves while its answer waits is not answered, and the others are.
    let first = gateway.request(Request::get("/nowhere"));
    let leaving = gateway.request(Request::get("/nowhere"));
    let last = gateway.request(Request::get("/nowhere"));
    leaving.client_leaves();
    gateway.advance(Duration::from_millis(1));
    assert_eq!(first.answer().status(), 404);
    assert_eq!(last.answer().status(), 404);
}
