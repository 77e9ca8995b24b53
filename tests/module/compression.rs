//! Answers of services that compress whoever calls.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::compressed::{ENCODINGS, gzip, zlib};
use crate::harness::{Exchange, Gateway, Host, Passed, Request, Response, frame};
use crate::kit::{error, everything, gateway, message};
use crate::schema;

const MB: usize = 1 << 20;

/// The hosts of an answer in place, and how its end comes.
const HOSTS: [&str; 3] = ["plain", "web", "kong"];

fn host(name: &str, mut more: Value) -> Gateway {
    if name == "kong" {
        more["proto"] = schema::PROTO.into();
        return Host::kong().load(&more.to_string()).unwrap();
    }
    more["upstream"] = json!({ "cluster": "upstream", "grpc_web": name == "web" });
    gateway(more)
}

/// The upstream answers with this body, in parts of so many bytes, and then this status.
fn respond(exchange: &Exchange, host: &str, encoding: Option<&str>, body: &[u8], size: usize, status: &str) -> Passed {
    let mut headers = Response::grpc().chunk("");
    if let Some(encoding) = encoding {
        headers = headers.header("grpc-encoding", encoding);
    }
    exchange.respond_headers(&headers);
    for part in body.chunks(size) {
        exchange.respond_data(part, false);
    }
    if host == "web" {
        let trailers = format!("grpc-status:{status}\r\ngrpc-message:said\r\n");
        exchange.respond_data(frame(0x80, trailers.as_bytes()), false);
        exchange.respond_trailers(&[]);
    } else {
        exchange.respond_trailers(&[("grpc-status", status), ("grpc-message", "said")]);
    }
    exchange.answer()
}

fn echo(gateway: &Gateway) -> Exchange {
    gateway.request(Request::post("/v1/echo").json("{}"))
}

fn list(gateway: &Gateway, accept: &str) -> Exchange {
    gateway.request(Request::post("/v1/streams/x").header("accept", accept).json("{}"))
}

/// The parts in which a body of this length comes.
fn sizes(length: usize) -> [usize; 4] {
    [1, 7, 1000, length]
}

#[test]
fn a_message_is_inflated_in_every_way() {
    let text = "a text that repeats itself, ".repeat(100);
    let wire = everything(json!({ "stringValue": text }));
    let raw = json!({ "contentType": "text/plain", "data": BASE64_STANDARD.encode(&text) });
    let raw = message("google.api.HttpBody", raw);
    for name in HOSTS {
        let gateway = host(name, json!({}));
        for (encoding, compress) in ENCODINGS {
            let body = frame(1, &compress(&wire));
            assert!(body.len() < 200);
            for size in sizes(body.len()) {
                let row = format!("{name} {encoding} {size}");
                let answer = respond(&echo(&gateway), name, Some(encoding), &body, size, "0");
                assert_eq!(answer.status(), 200, "{row}");
                assert_eq!(answer.json(), json!({ "stringValue": text }), "{row}");
                assert_eq!(answer.headers.get("grpc-encoding"), None, "{row}");
            }
            let body = frame(1, &compress(&raw));
            let exchange = gateway.request(Request::post("/v1/raw").body("x"));
            let answer = respond(&exchange, name, Some(encoding), &body, 50, "0");
            assert_eq!(answer.text(), text, "{name} {encoding}");
            if name != "kong" {
                assert_eq!(answer.headers.get("content-type"), Some("text/plain"), "{encoding}");
            }
            // Nor need it be compressed.
            let answer = respond(&echo(&gateway), name, Some(encoding), &frame(0, &wire), 1000, "0");
            assert_eq!(answer.json(), json!({ "stringValue": text }), "{name} {encoding}");
        }
    }
}

#[test]
fn streams_are_inflated_message_by_message() {
    let messages: Vec<Vec<u8>> = (1..=3)
        .map(|number| everything(json!({ "int32Value": number })))
        .collect();
    for name in HOSTS {
        let gateway = host(name, json!({}));
        for (encoding, compress) in ENCODINGS {
            let body: Vec<u8> = messages
                .iter()
                .enumerate()
                .flat_map(|(at, message)| match at {
                    1 => frame(0, message),
                    _ => frame(1, &compress(message)),
                })
                .collect();
            for size in sizes(body.len()) {
                for (accept, expected) in [
                    (
                        "application/json",
                        r#"[{"int32Value":1},{"int32Value":2},{"int32Value":3}]"#,
                    ),
                    (
                        "application/x-ndjson",
                        "{\"int32Value\":1}\n{\"int32Value\":2}\n{\"int32Value\":3}\n",
                    ),
                ] {
                    let exchange = list(&gateway, accept);
                    let answer = respond(&exchange, name, Some(encoding), &body, size, "0");
                    assert_eq!(answer.text(), expected, "{name} {encoding} {size} {accept}");
                }
            }
        }
    }
}

#[test]
fn a_stream_of_raw_bytes_has_the_type_of_its_first_message() {
    let part = |data: &str| {
        let body = json!({ "contentType": "text/plain", "data": BASE64_STANDARD.encode(data) });
        frame(1, &gzip(&message("google.api.HttpBody", body)))
    };
    for name in ["plain", "web"] {
        let gateway = host(name, json!({}));
        let body = [part("one"), part("two")].concat();
        for size in sizes(body.len()) {
            let exchange = gateway.request(Request::post("/v1/streams:download").json("{}"));
            let answer = respond(&exchange, name, Some("gzip"), &body, size, "0");
            assert_eq!(answer.text(), "onetwo", "{name} {size}");
            assert_eq!(answer.headers.get("content-type"), Some("text/plain"), "{name} {size}");
        }
    }
}

/// A service that speaks gRPC-Web itself may compress its trailers too.
#[test]
fn compressed_trailers_are_read() {
    let gateway = host("web", json!({ "limits": { "max_message_bytes": 1000 } }));
    let wire = frame(1, &gzip(&everything(json!({ "int32Value": 1 }))));
    let trailers = |status: u32| format!("grpc-status:{status}\r\ngrpc-message:said\r\nx-trailing: t\r\n");
    for (status, trailers, expected) in [
        (200, gzip(trailers(0).as_bytes()), json!({ "int32Value": 1 })),
        (
            404,
            gzip(trailers(5).as_bytes()),
            json!({ "code": 5, "message": "said" }),
        ),
        // Longer than they may be.
        (502, gzip(&[b'x'; 65_537]), json!(8)),
        (502, b"grpc-status:0\r\n".to_vec(), json!(14)),
    ] {
        let exchange = echo(&gateway);
        exchange.respond_headers(&Response::grpc().header("grpc-encoding", "gzip").chunk(""));
        exchange.respond_data(&wire, false);
        exchange.respond_data(frame(0x81, &trailers), true);
        let answer = exchange.answer();
        let json = answer.json();
        assert_eq!(answer.status(), status, "{json}");
        if status == 502 {
            assert_eq!(json["code"], expected, "{json}");
        } else {
            assert_eq!(json, expected);
        }
        if status == 200 {
            assert_eq!(answer.headers.get("x-trailing"), Some("t"));
        }
        let exchange = list(&gateway, "application/json");
        exchange.respond_headers(&Response::grpc().header("grpc-encoding", "gzip").chunk(""));
        exchange.respond_data(&wire, false);
        exchange.respond_data(frame(0x81, &trailers), true);
        let json = exchange.answer().json();
        assert_eq!(json[0], json!({ "int32Value": 1 }), "{json}");
        let error = &json[1]["error"];
        match status {
            200 => assert_eq!(json, json!([{ "int32Value": 1 }])),
            502 => assert_eq!(error["code"], expected, "{json}"),
            _ => assert_eq!(*error, expected, "{json}"),
        }
    }
}

#[test]
fn what_is_not_compressed_as_it_says_is_502_and_named() {
    let wire = everything(json!({ "stringValue": "x".repeat(1000) }));
    let (gz, zl) = (gzip(&wire), zlib(&wire));
    let mut wrong = gz.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let changed = |at: usize| {
        let mut changed = zl.clone();
        let at = changed.len() - at;
        changed[at] ^= 1;
        changed
    };
    let no_encoding = "found a compressed gRPC frame, but no grpc-encoding that says how";
    let is_not = "found a compressed gRPC frame that cannot be read as its grpc-encoding";
    let rows: [(Option<&str>, &[u8], &str); 14] = [
        (None, &gz, no_encoding),
        (Some("identity"), &gz, no_encoding),
        (Some("br"), &gz, "grpc-encoding \"br\": expected gzip, deflate"),
        (Some("snappy"), b"", "grpc-encoding \"snappy\": expected gzip, deflate"),
        (Some("gzip"), b"", is_not),
        (Some("deflate"), b"", is_not),
        (Some("gzip"), &wire, is_not),
        (Some("deflate"), &wire, is_not),
        (Some("gzip"), &zl, "its grpc-encoding, gzip: it is malformed"),
        (Some("deflate"), &gz, "its grpc-encoding, deflate: it is malformed"),
        (Some("gzip"), &gz[..gz.len() - 1], "it ends too early"),
        (Some("gzip"), &wrong, "its checksum or length is wrong"),
        (Some("deflate"), &changed(1), "its checksum or length is wrong"),
        (Some("deflate"), &[&zl[..], b"x"].concat(), "it goes on behind its end"),
    ];
    for name in HOSTS {
        let gateway = host(name, json!({}));
        for (encoding, bytes, expected) in rows {
            let row = format!("{name} {encoding:?} {expected}");
            let body = frame(1, bytes);
            for size in [3, body.len()] {
                let exchange = echo(&gateway);
                respond(&exchange, name, encoding, &body, size, "0");
                let (status, code, message) = error(&exchange);
                assert_eq!(code, 14, "{row}: {message}");
                assert_eq!(status, if name == "kong" { 200 } else { 502 }, "{row}");
                assert!(message.contains(expected), "{row}: {message}");
            }
            // The service's own error says more.
            let exchange = echo(&gateway);
            respond(&exchange, name, encoding, &body, 1000, "5");
            let (status, code, message) = error(&exchange);
            assert_eq!((code, message.as_str()), (5, "said"), "{row}");
            assert_eq!(status, if name == "kong" { 200 } else { 404 }, "{row}");
            let body = [frame(0, &wire), body].concat();
            let answer = respond(&list(&gateway, "application/json"), name, encoding, &body, 1000, "0");
            let json = answer.json();
            // Nothing has gone out of an array that nobody could close.
            let error = &json[1]["error"];
            assert_eq!(error["code"], 14, "{row}: {json}");
            assert!(error["message"].as_str().unwrap().contains(expected), "{row}: {json}");
        }
    }
}

#[test]
fn what_inflates_beyond_the_limit_is_502_and_names_it() {
    let limits = json!({ "limits": { "max_message_bytes": 100_000 } });
    let bomb = vec![0; 4 * MB];
    for name in HOSTS {
        let gateway = host(name, limits.clone());
        for (encoding, compress) in ENCODINGS {
            let just = everything(json!({ "stringValue": "x".repeat(100_000 - 4) }));
            assert_eq!(just.len(), 100_000);
            let answer = respond(
                &echo(&gateway),
                name,
                Some(encoding),
                &frame(1, &compress(&just)),
                1000,
                "0",
            );
            assert_eq!(answer.json()["stringValue"].as_str().map(str::len), Some(99_996));
            let body = frame(1, &compress(&[&just[..], b"x"].concat()));
            let bomb = frame(1, &compress(&bomb));
            for body in [body, bomb] {
                let exchange = echo(&gateway);
                respond(&exchange, name, Some(encoding), &body, 10_000, "0");
                let (status, code, message) = error(&exchange);
                assert_eq!((status, code), (if name == "kong" { 200 } else { 502 }, 8), "{message}");
                assert!(
                    message.contains("the limit of 100000 bytes (limits.max_message_bytes)"),
                    "{message}"
                );
                let exchange = list(&gateway, "application/json");
                let one = frame(0, &everything(json!({ "int32Value": 1 })));
                let answer = respond(&exchange, name, Some(encoding), &[one, body].concat(), 10_000, "0");
                let json = answer.json();
                assert_eq!(json[0], json!({ "int32Value": 1 }), "{json}");
                assert_eq!(json[1]["error"]["code"], 8, "{json}");
            }
        }
    }
}

/// Envoy's client of gRPC reads none.
#[test]
fn by_a_call_it_is_said_that_nothing_compressed_is_read() {
    let gateway = gateway(json!({ "dispatch": "call" }));
    let wire = everything(json!({ "int32Value": 1 }));
    for path in ["/v1/echo", "/v1/streams/x"] {
        for (encoding, said) in [("gzip", true), ("identity", false)] {
            let exchange = gateway.request(Request::post(path).json("{}"));
            exchange.respond(
                Response::grpc()
                    .header("grpc-encoding", encoding)
                    .chunk(frame(1, &gzip(&wire)))
                    .trailer("grpc-status", "0"),
            );
            let (status, code, message) = error(&exchange);
            assert_eq!((status, code), (502, 14), "{message}");
            assert_eq!(message.contains("grpc-encoding \"gzip\""), said, "{message}");
            assert_eq!(message.contains("be in_place"), said, "{message}");
        }
        // An encoding is no obstacle where nothing is compressed.
        let exchange = gateway.request(Request::post(path).json("{}"));
        exchange.respond(Response::ok(&wire).header("grpc-encoding", "gzip"));
        assert_eq!(exchange.answer().status(), 200);
    }
}

#[test]
fn what_answers_inflate_to_is_counted_with_all_that_is_held() {
    let large = frame(1, &gzip(&everything(json!({ "stringValue": "x".repeat(3 * MB) }))));
    let small = frame(1, &gzip(&everything(json!({ "int32Value": 5 }))));
    let gateway = host("web", json!({ "limits": { "max_total_bytes": 128 * MB } }));
    let mut held = Vec::new();
    for _ in 0..60 {
        let exchange = echo(&gateway);
        exchange.respond_headers(&Response::grpc().header("grpc-encoding", "gzip").chunk(""));
        exchange.respond_data(&large, false);
        held.push(exchange);
        let answer = respond(&echo(&gateway), "web", Some("gzip"), &small, MB, "0");
        assert_eq!(answer.json(), json!({ "int32Value": 5 }));
    }
    let mut refused = 0;
    for exchange in &held {
        exchange.respond_data(frame(0x80, b"grpc-status:0\r\n"), false);
        exchange.respond_trailers(&[]);
        if exchange.answer().status() != 200 {
            let (status, code, message) = error(exchange);
            assert_eq!((status, code), (503, 8), "{message}");
            refused += 1;
        }
    }
    assert!((30..59).contains(&refused), "{refused}");
    // What they held is there for others.
    let answer = respond(&echo(&gateway), "web", Some("gzip"), &large, MB, "0");
    assert_eq!(answer.status(), 200);
}
