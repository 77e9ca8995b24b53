//! Calls of gRPC clients whose messages are changed, and paths that might be those of one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::growth::{Cost, check_costs};
use crate::host::Machine;
use crate::shapes::{framed, len};

const SERVICE: &str = "syntax = \"proto3\"; package t; service S { rpc Chat(stream M) returns (stream M); }
    service Other { rpc Chat(M) returns (M); } message M { string text = 1; string user = 2; }";

fn machine() -> Machine {
    let transforms =
        json!([{ "selector": "t.S.Chat", "request": [{ "set": { "field": "user", "header": "x-user" } }] }]);
    Machine::new(&json!({ "proto": SERVICE, "transforms": transforms }).to_string())
}

/// How many instructions it takes to change a request that comes in parts of so many bytes.
fn body(content_type: &str, body: &[u8], part: usize) -> u64 {
    let mut machine = machine();
    machine.start_native("/t.S/Chat", content_type);
    let before = machine.store.get_fuel().unwrap();
    body.chunks(part).for_each(|part| machine.request_chunk(part));
    before - machine.store.get_fuel().unwrap()
}

/// How many it takes to let a call to this path pass, or to refuse it.
fn path(path: &str) -> u64 {
    let mut machine = machine();
    let before = machine.store.get_fuel().unwrap();
    machine.start_native(path, "application/grpc");
    before - machine.store.get_fuel().unwrap()
}

#[test]
fn native_calls_cost_what_their_bytes_cost() {
    const GRPC: &str = "application/grpc";
    const TEXT: &str = "application/grpc-web-text";
    let small = framed(0, &len(1, "text"));
    let long = |length: usize| framed(0, &len(1, vec![b'x'; length]));
    let encoded = |bytes: Vec<u8>| BASE64_STANDARD.encode(bytes).into_bytes();
    let shapes: [Cost<'_>; 12] = [
        (
            "many messages",
            1000,
            Box::new(|n| body(GRPC, &small.repeat(n), usize::MAX)),
        ),
        (
            "many messages, in small parts",
            1000,
            Box::new(|n| body(GRPC, &small.repeat(n), 7)),
        ),
        (
            "many empty messages",
            1000,
            Box::new(|n| body(GRPC, &framed(0, b"").repeat(n), usize::MAX)),
        ),
        (
            "one long message",
            200_000,
            Box::new(|n| body(GRPC, &long(n), usize::MAX)),
        ),
        (
            "one long message, in parts",
            200_000,
            Box::new(|n| body(GRPC, &long(n), 1000)),
        ),
        ("base64", 200_000, Box::new(|n| body(TEXT, &encoded(long(n)), 1001))),
        (
            "base64, each group padded",
            10_000,
            Box::new(|n| {
                let groups = long(n)
                    .chunks(2)
                    .map(|group| encoded(group.to_vec()))
                    .collect::<Vec<_>>();
                body(TEXT, &groups.concat(), 1001)
            }),
        ),
        ("a path of escapes", 4000, Box::new(|n| path(&"/%61".repeat(n)))),
        (
            "a path of escapes in escapes",
            4000,
            Box::new(|n| path(&format!("/%{}61", "25".repeat(n)))),
        ),
        ("a path of segments", 4000, Box::new(|n| path(&"/a".repeat(n)))),
        (
            "a path of services",
            2000,
            Box::new(|n| path(&"/t.S/t.Other".repeat(n))),
        ),
        ("a path of dots", 4000, Box::new(|n| path(&"/..".repeat(n)))),
    ];
    check_costs(&shapes);
}
