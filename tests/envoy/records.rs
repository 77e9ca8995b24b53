//! A real service in Node behind real Envoy, whose protobufjs keeps the last of several records of one message.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Request};
use crate::bench::process::Running;
use crate::bench::upstream::{frame, split_frames};

const CLUSTER: &str = "records";

/// The ways to the service: in place, with the message's headers on before its body, and by a call.
const WAYS: [&str; 3] = ["in_place", "whole", "call"];

fn bench() -> &'static Bench {
    static BENCH: OnceLock<(Bench, Running)> = OnceLock::new();
    let (bench, _) = BENCH.get_or_init(|| {
        let rule = |selector: &str, method: &str, path: &str, body: &str| {
            let mut rule = json!({ "selector": format!("records.Library.{selector}"), "body": body });
            rule[method] = path.into();
            rule
        };
        let say = [
            ("patch", "/v1/{book.name=books/*}", "book"),
            ("post", "/v1/{book.name=books/*}/authors/{book.author.name}", "*"),
            ("put", "/v1/{book.author.name}", "book"),
            ("post", "/v1/genres/{filter.genre}", ""),
        ];
        let bindings = say.map(|(method, path, body)| {
            let mut binding = json!({ "body": body });
            binding[method] = path.into();
            binding
        });
        let mut first = rule("Say", "post", "/v1/say", "");
        first["additional_bindings"] = json!(bindings);
        let rules = [first, rule("Collect", "post", "/v1/{book.author.name}:collect", "book")];
        let listeners = WAYS.map(|way| {
            let mut configuration = json!({
                "proto": include_str!("services/records.proto"),
                "http_rules": rules,
            });
            if way == "call" {
                configuration["dispatch"] = "call".into();
            }
            let listener = Listener::new(way, &configuration).cluster(CLUSTER).with_lua();
            match way {
                "whole" => listener.without_stop_iteration(),
                _ => listener,
            }
        });
        let guarded = json!({
            "proto": include_str!("services/records.proto"),
            "transforms": [{
                "request": [
                    { "set": { "field": "book.author.name", "header": "x-user" } },
                    { "remove": ["filter.genre"] },
                ],
            }],
        });
        let guarded = Listener::new("guarded", &guarded).cluster(CLUSTER);
        let listeners: Vec<_> = listeners.into_iter().chain([guarded]).collect();
        let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/envoy/services/records.proto");
        let (service, address) = Running::javascript("records.js", &proto);
        (Bench::start_beside(&listeners, CLUSTER, address), service)
    });
    bench
}

async fn said(way: &'static str, request: Request) -> Value {
    let answer = bench().at(way).send(Http::One, &request).await;
    assert_eq!(answer.status, 200, "{way}: {answer:?}");
    let json = answer.json();
    serde_json::from_str(json["json"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn nothing_is_lost_at_a_service_that_does_not_merge() {
    let with = |method: &str, path: &str, body: Value| Request::new(method, path).json(&body);
    for way in WAYS {
        let rows = [
            (
                with("PATCH", "/v1/books/a", json!({ "title": "t", "author": { "born": 1 } })),
                json!({ "book": { "name": "books/a", "title": "t", "author": { "born": 1 } } }),
            ),
            (
                with("PATCH", "/v1/books/a?filter.genre=g&filter.min_pages=5", json!({})),
                json!({ "book": { "name": "books/a" }, "filter": { "genre": "g", "min_pages": 5 } }),
            ),
            (
                with(
                    "POST",
                    "/v1/books/a/authors/n",
                    json!({ "book": { "author": { "born": 2, "name": "x" }, "title": "t" }, "filter": { "genre": "g" } }),
                ),
                json!({
                    "book": { "name": "books/a", "title": "t", "author": { "name": "n", "born": 2 } },
                    "filter": { "genre": "g" },
                }),
            ),
            (
                with("POST", "/v1/books/a/authors/n", json!({})),
                json!({ "book": { "name": "books/a", "author": { "name": "n" } } }),
            ),
            (
                with("PUT", "/v1/n", json!({ "author": null, "title": "t" })),
                json!({ "book": { "title": "t", "author": { "name": "n" } } }),
            ),
            (
                Request::new(
                    "POST",
                    "/v1/genres/g?filter.tags=a&filter.min_pages=5&book.title=t&filter.tags=b",
                ),
                json!({ "book": { "title": "t" }, "filter": { "genre": "g", "min_pages": 5, "tags": ["a", "b"] } }),
            ),
        ];
        for (request, expected) in rows {
            let shown = format!("{way}: {request:?}");
            assert_eq!(said(way, request).await, expected, "{shown}");
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_of_a_stream() {
    let request = Request::new("POST", "/v1/n:collect?filter.genre=g&filter.min_pages=5")
        .json(&json!([{ "author": { "born": 1 } }, { "title": "t" }, {}]));
    let author = |born: Value| json!({ "name": "n", "born": born });
    assert_eq!(
        said("in_place", request).await,
        json!([
            { "book": { "author": author(json!(1)) }, "filter": { "genre": "g", "min_pages": 5 } },
            { "book": { "title": "t", "author": { "name": "n" } } },
            { "book": { "author": { "name": "n" } } },
        ])
    );
}

/// What the guarded service reads of a message of a gRPC client, or the status with which the gateway refuses it.
async fn guarded(message: &[u8]) -> Result<Value, String> {
    let request = Request::new("POST", "/records.Library/Say")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-user", "ada")
        .body(frame(0, message));
    let answer = bench().at("guarded").send(Http::Two, &request).await;
    let status = answer
        .trailers
        .get("grpc-status")
        .map(|status| status.to_str().unwrap());
    let status = status.or(answer.header("grpc-status")).unwrap_or_default().to_owned();
    match status.as_str() {
        "0" => {
            let said = split_frames(answer.body).remove(0);
            // The one field of `Said`: `{"...`.
            let start = said.iter().position(|byte| *byte == b'{').unwrap();
            Ok(serde_json::from_slice(&said[start..]).unwrap())
        }
        status => Err(status.to_owned()),
    }
}

/// protobufjs goes by the field alone, whatever the wire type, and takes what is longer than five bytes for ten where it reads
/// 32 bits: it finds other records in the same bytes than parsers that keep to the specification.
#[tokio::test]
async fn no_record_hides_from_the_gateway_in_another() {
    let ada = json!({ "author": { "name": "ada" } });
    let (genre, author) = (&b"\x0a\x03eve"[..], &b"\x0a\x07\x1a\x05\x0a\x03eve"[..]);
    assert_eq!(guarded(b"").await, Ok(json!({ "book": ada })));
    assert_eq!(guarded(author).await, Ok(json!({ "book": ada })));
    let filter = |records: &[u8]| [&[0x12, records.len() as u8], records].concat();
    assert_eq!(guarded(&filter(genre)).await, Ok(json!({ "book": ada, "filter": {} })));
    let tries = [
        ("min_pages with a length", filter(&[b"\x12\x05", genre].concat())),
        (
            "min_pages of six bytes",
            filter(&[b"\x10\x80\x80\x80\x80\x80\x00\x9a\x06\x07\x00", genre, b"\x08"].concat()),
        ),
    ];
    for (what, message) in tries {
        assert_eq!(guarded(&message).await, Err("3".to_owned()), "{what}");
    }
}
