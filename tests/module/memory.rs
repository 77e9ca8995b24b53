//! What clients can have a worker hold. The harness gives the module the memory that V8 does, and a trap ends a test.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Exchange, Gateway, Progress, Request, Response, frame};
use crate::kit::{error, everything, gateway};

const MB: usize = 1 << 20;

/// A request of which so much of the body has come, and no end.
fn unfinished(gateway: &Gateway, path: &str, begin: &str, length: usize) -> Exchange {
    let exchange = gateway.request(Request::post(path).header("content-type", "application/json").open());
    exchange.send(begin, false);
    // As much as a frame of HTTP/2 has.
    let part = vec![b'x'; 16 * 1024];
    for _ in 0..length / part.len() {
        if exchange.progress() != Progress::WaitsForClient && exchange.progress() != Progress::WaitsForUpstream {
            break;
        }
        exchange.send(&part, false);
    }
    exchange
}

/// A request there and back, to a service behind gRPC-Web or not.
fn serves(gateway: &Gateway) {
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(
        Response::grpc()
            .message(everything(json!({ "int32Value": 5 })))
            .trailer("grpc-status", "0"),
    );
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.json()), (200, json!({ "int32Value": 5 })));
}

/// How many of these are refused for all that there is, which is said once in the log and counted each time.
fn assert_refused(gateway: &Gateway, exchanges: &[Exchange]) -> usize {
    // A refusal has a round of its own.
    gateway.advance(Duration::from_millis(1));
    let refused = |exchange: &&Exchange| exchange.progress() == Progress::Answered;
    let refused: Vec<_> = exchanges.iter().filter(refused).collect();
    for exchange in &refused {
        let (status, code, message) = error(exchange);
        assert_eq!((status, code), (503, 8), "{message}");
    }
    let told = gateway
        .log()
        .iter()
        .filter(|line| line.contains("limits.max_total_bytes"))
        .count();
    assert_eq!(told, usize::from(!refused.is_empty()));
    gateway.advance(Duration::from_secs(1));
    let counted: u64 = gateway
        .metrics()
        .iter()
        .filter(|(name, _)| name.ends_with("errors.overload"))
        .flat_map(|(_, values)| values)
        .sum();
    assert_eq!(counted, refused.len() as u64);
    refused.len()
}

#[test]
fn requests_whose_bodies_never_end_are_refused_and_others_served() {
    for (path, begin) in [
        ("/v1/streams:collect", "[{\"stringValue\": \""),
        ("/v1/echo", "{\"stringValue\": \""),
    ] {
        let gateway = gateway(json!({ "limits": { "max_total_bytes": 128 * MB } }));
        let mut waiting = Vec::new();
        for _ in 0..30 {
            waiting.push(unfinished(&gateway, path, begin, 5 * MB));
            serves(&gateway);
        }
        let refused = assert_refused(&gateway, &waiting);
        assert!((5..20).contains(&refused), "{path}: {refused}");
        // What they held is there for others.
        drop(waiting);
        let body = format!("{{\"stringValue\": \"{}\"}}", "x".repeat(12 * MB));
        let exchange = gateway.request(Request::post("/v1/echo").json(&body));
        assert_eq!(exchange.progress(), Progress::WaitsForUpstream);
    }
}

#[test]
fn many_that_hold_little_leave_room_for_those_that_hold_next_to_nothing() {
    let gateway = gateway(json!({ "limits": { "max_total_bytes": 8 * MB } }));
    let mut waiting = Vec::new();
    for _ in 0..300 {
        let exchange = gateway.request(
            Request::post("/v1/echo")
                .header("content-type", "application/json")
                .open(),
        );
        exchange.send("{\"stringValue\": \"", false);
        for _ in 0..4 {
            exchange.send(vec![b'x'; 14_000], false);
        }
        waiting.push(exchange);
    }
    for _ in 0..100 {
        serves(&gateway);
    }
    let refused = assert_refused(&gateway, &waiting);
    assert!((100..250).contains(&refused), "{refused}");
}

#[test]
fn answers_that_are_held_are_refused_and_others_served() {
    // 6 MiB of JSON for 1 MiB of wire format.
    let wire = everything(json!({ "stringValue": "\u{1}".repeat(MB) }));
    for (grpc_web, path) in [(true, "/v1/echo"), (false, "/v1/streams/x")] {
        let upstream = json!({ "cluster": "upstream", "grpc_web": grpc_web });
        let gateway = gateway(json!({ "limits": { "max_total_bytes": 128 * MB }, "upstream": upstream }));
        let mut waiting = Vec::new();
        for _ in 0..60 {
            let exchange = gateway.request(Request::post(path).json("{}"));
            exchange.respond_headers(&Response::grpc().chunk(""));
            for part in frame(0, &wire).chunks(MB / 2) {
                if exchange.progress() != Progress::WaitsForUpstream {
                    break;
                }
                exchange.respond_data(part, false);
            }
            waiting.push(exchange);
            serves(&gateway);
        }
        let refused = assert_refused(&gateway, &waiting);
        assert!((30..59).contains(&refused), "{path}: {refused}");
        for exchange in waiting
            .iter()
            .filter(|exchange| exchange.progress() == Progress::WaitsForUpstream)
        {
            let trailers = frame(0x80, b"grpc-status:0\r\n");
            if path == "/v1/echo" {
                exchange.respond_data(trailers, false);
                exchange.respond_trailers(&[]);
            } else {
                exchange.respond_trailers(&[("grpc-status", "0")]);
            }
            assert!(exchange.answer().text().len() > 6 * MB);
        }
    }
}

#[test]
fn requests_that_wait_hold_nothing_of_what_others_have_sent() {
    let gateway = gateway(json!({ "limits": { "max_total_bytes": 32 * MB } }));
    let bad = format!("{{\"stringValue\": \"{}\", \"int32Value\": x}}", "x".repeat(MB));
    let mut waiting = Vec::new();
    for _ in 0..60 {
        let exchange = gateway.request(Request::post("/v1/echo").json(&bad));
        assert_eq!(error(&exchange).0, 400);
        waiting.push(gateway.request(Request::post("/v1/echo").open()));
    }
    serves(&gateway);
    assert_eq!(assert_refused(&gateway, &waiting), 0);
}

#[test]
fn a_stream_under_which_there_is_no_memory_ends_with_the_error() {
    let gateway = gateway(json!({ "limits": { "max_total_bytes": 8 * MB }, "upstream": { "grpc_web": true } }));
    let exchange = gateway.request(Request::post("/v1/streams/x").json("{}"));
    let small = frame(0, &everything(json!({ "int32Value": 1 })));
    let large = frame(0, &everything(json!({ "stringValue": "x".repeat(10 * MB) })));
    exchange.respond_headers(&Response::grpc().chunk(""));
    exchange.respond_data(small, false);
    for part in large.chunks(MB) {
        exchange.respond_data(part, false);
    }
    exchange.respond_data(frame(0x80, b"grpc-status:0\r\n"), false);
    exchange.respond_trailers(&[]);
    let answer = exchange.answer().json();
    assert_eq!(answer[0], json!({ "int32Value": 1 }));
    assert_eq!(answer[1]["error"]["code"], json!(8), "{answer}");
    assert_eq!(answer.as_array().map(Vec::len), Some(2));
    serves(&gateway);
}

#[test]
fn on_kong_too_what_is_held_is_bounded() {
    let gateway = crate::harness::Host::kong()
        .body_buffer(64 * MB)
        .load(&json!({ "proto": crate::schema::PROTO, "limits": { "max_total_bytes": 8 * MB } }).to_string())
        .unwrap();
    let large = json!({ "stringValue": "x".repeat(10 * MB) });
    let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
    exchange.respond(Response::ok(everything(large)));
    let answer = exchange.answer();
    assert_eq!(answer.json()["code"], json!(8), "{answer:?}");
}

#[test]
fn bodies_that_have_hardly_begun_take_no_more_than_has_come() {
    let gateway = gateway(json!({ "limits": { "max_total_bytes": 64 * MB } }));
    let mut waiting = Vec::new();
    for _ in 0..5_000 {
        let request = Request::post("/v1/echo").header("content-length", "1000000").open();
        let exchange = gateway.request(request);
        exchange.send("{", false);
        waiting.push(exchange);
    }
    // Nor do answers.
    for _ in 0..1_000 {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond_headers(&Response::grpc().chunk(""));
        exchange.respond_data(b"\0\0\xf0\0\0x", false);
        waiting.push(exchange);
    }
    serves(&gateway);
    assert_eq!(assert_refused(&gateway, &waiting), 0);
}

#[test]
fn an_answer_that_becomes_too_long_is_given_up_as_it_is_written() {
    let name = "A_VALUE_WITH_A_NAME_THAT_IS_A_HUNDRED_TIMES_AS_LONG_AS_IT_IS_ON_THE_WIRE_".repeat(2);
    let proto = format!(
        r#"syntax = "proto3"; package t;
        service S {{ rpc Get(M) returns (M); rpc List(M) returns (stream M); }}
        message M {{ repeated E e = 1; repeated F f = 2; }}
        message F {{ int32 a_field_that_is_printed = 1; int32 another_field_that_is_printed = 2; }}
        enum E {{ {name} = 0; }}"#
    );
    let configuration = json!({
        "proto": proto,
        "upstream": { "grpc_web": true },
        "json": { "always_print_fields_with_no_presence": true },
    });
    let gateway = crate::harness::Host::envoy().load(&configuration.to_string()).unwrap();
    let length = 12 * MB;
    let packed = [&b"\x0a\x80\x80\x80\x06"[..], &vec![0; length]].concat();
    let empty = b"\x12\x00".repeat(length / 2);
    for message in [packed, empty] {
        for path in ["/t.S/Get", "/t.S/List"] {
            let exchange = gateway.request(Request::post(path).json("{}"));
            exchange.respond_headers(&Response::grpc().chunk(""));
            for part in frame(0, &message).chunks(MB) {
                exchange.respond_data(part, false);
            }
            exchange.respond_data(frame(0x80, b"grpc-status:0\r\n"), false);
            exchange.respond_trailers(&[]);
            let answer = exchange.answer();
            let body = answer.json();
            let error = if path == "/t.S/Get" { &body } else { &body[0]["error"] };
            assert_eq!(error["code"], json!(8), "{path}: {}", answer.text().len());
        }
    }
}
