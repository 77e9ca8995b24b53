//! The plugin configuration in real Envoy: a bad one ends Envoy with the reason in its log, a large one is accepted.

use std::fmt::Write as _;

use serde_json::json;

use crate::bench::bootstrap::{Listener, bootstrap};
use crate::bench::client::{Http, Request};
use crate::bench::process::EnvoyProcess;
use crate::bench::upstream::{Script, Upstream};
use crate::bench::{Bench, schema};

/// What `limits.max_proto_bytes` is unless set.
const MAX_PROTO_BYTES: usize = 1_048_576;

#[test]
fn a_schema_error_ends_envoy_and_its_log_names_file_line_and_column() {
    let log = refused(&Listener::new(
        "bad",
        &json!({ "proto": "syntax = \"proto3\";\nmessage M {\n  strin a = 1;\n}\n" }),
    ));
    assert!(log.contains("service.proto:3:3"), "{log}");
    assert!(log.contains("strin"), "{log}");
}

#[test]
fn a_key_error_ends_envoy_and_its_log_names_the_key_and_the_nearest_one() {
    let configuration = json!({ "proto": "syntax = \"proto3\";", "upstream": { "clutser": "backend" } });
    for listener in [
        Listener::new("bad", &configuration),
        Listener::with_text("bad", &configuration.to_string()),
    ] {
        let log = refused(&listener);
        assert!(log.contains("upstream.clutser"), "{log}");
        assert!(log.contains("cluster"), "{log}");
    }
}

#[test]
fn every_error_ends_envoy_with_a_line_of_its_own_in_the_log() {
    let configuration = json!({
        "proto": schema::PROTO,
        "upstream": { "clutser": "backend" },
        "limits": { "max_request_bytes": 0 },
        "http_rules": [{ "selector": "test.everything.Echo.Post", "get": "/x/{strings}" }],
    });
    let log = refused(&Listener::new("bad", &configuration));
    for expected in [
        "configuration: upstream.clutser: unknown key; did you mean",
        "configuration: limits.max_request_bytes: expected a whole number of bytes",
        "configuration: http_rules[0].get: test.everything.Echo.Post: path `/x/{strings}`, variable `strings`",
    ] {
        let lines = log.lines().filter(|line| line.contains(expected));
        assert_ne!(lines.count(), 0, "{expected}\n{log}");
    }
}

#[test]
fn text_over_the_limit_ends_envoy_and_its_log_has_both_numbers() {
    let log = refused(&Listener::new(
        "bad",
        &json!({ "proto": proto_of(MAX_PROTO_BYTES + 1) }),
    ));
    assert!(log.contains("1048577") && log.contains("1048576"), "{log}");
}

#[tokio::test]
async fn a_megabyte_of_proto_text_is_accepted_and_works() {
    let proto = proto_of(MAX_PROTO_BYTES);
    let bench = Bench::start(&[
        Listener::new("struct", &json!({ "proto": proto })),
        Listener::with_text("text", &json!({ "proto": proto }).to_string()),
    ]);
    for listener in ["struct", "text"] {
        let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
        let (answer, _) = bench.at(listener).exchange(Http::One, request, Script::echo()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "int32Value": 5 })),
            "{listener}"
        );
    }
}

#[test]
fn envoy_is_gone_when_the_bench_is() {
    let listener = Listener::without_module("plain");
    let envoy = EnvoyProcess::start(&bootstrap(&[listener], Upstream::shared().addresses()));
    let address = envoy.listener("plain");
    std::net::TcpStream::connect(address).unwrap();
    drop(envoy);
    std::net::TcpStream::connect(address).unwrap_err();
}

/// The log of an Envoy that must not start with `listener`.
fn refused(listener: &Listener) -> String {
    EnvoyProcess::refuse(&bootstrap(
        std::slice::from_ref(listener),
        Upstream::shared().addresses(),
    ))
}

/// The schema of the tests with enough messages behind it to be `length` bytes long.
fn proto_of(length: usize) -> String {
    let mut proto = schema::PROTO.to_owned();
    let mut number = 0;
    while proto.len() + 400 < length {
        writeln!(
            proto,
            "message Filler{number} {{\n  string name = 1;\n  repeated int64 numbers = 2;\n  map<string, Child> children = 3;\n  \
             oneof choice {{\n    Everything everything = 4;\n    Color color = 5;\n  }}\n}}"
        )
        .unwrap();
        number += 1;
    }
    proto.push_str("// ");
    let rest = length - proto.len();
    proto.push_str(&"-".repeat(rest));
    proto
}
