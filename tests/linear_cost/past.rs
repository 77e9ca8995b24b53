//! What has gone by costs nothing any more: neither memory nor instructions.

use serde_json::json;

use crate::host::{Machine, Request};
use crate::shapes::{len, varint};

#[test]
fn what_has_gone_by_of_a_stream_leaves_no_memory_behind() {
    let service = "syntax = \"proto3\"; package t; service S { rpc List(M) returns (stream M); }
        message M { string text = 1; int32 number = 2; }";
    let messages: Vec<u8> = (0..1000)
        .flat_map(|at| {
            let message = [len(1, "some text"), varint(2, 1 + at % 100)].concat();
            [&[0, 0, 0, 0, message.len() as u8], &message[..]].concat()
        })
        .collect();
    for (web, accept) in [
        (false, "application/x-ndjson"),
        (true, "application/json"),
        (true, "text/event-stream"),
    ] {
        let configuration = json!({ "proto": service, "upstream": { "grpc_web": web } });
        let mut machine = Machine::new(&configuration.to_string());
        machine.start_stream(accept);
        let mut thousand = || {
            // Frames are cut anywhere.
            for chunk in messages.chunks(999) {
                machine.response_chunk(chunk);
            }
            let written = std::mem::take(&mut machine.store.data_mut().written);
            (written, machine.memory())
        };
        thousand();
        let (written, memory) = thousand();
        assert!(written > 30_000, "{accept}: {written} bytes");
        for _ in 2..300 {
            assert_eq!(thousand(), (written, memory), "{accept}");
        }
    }
}

/// Requests of all kinds, so many by default, or as `PROTOBRIDGE_REQUESTS` says.
const REQUESTS: usize = 10_000;

/// What the first requests leave behind is there for the others: the costs of so many are compared, after so many more.
const WINDOW: usize = 1000;

#[test]
fn a_request_costs_the_same_however_many_have_come_before() {
    let service = "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";
        service S {
          rpc Post(M) returns (M) {
            option (google.api.http) = { post: \"/m\" body: \"*\" additional_bindings { get: \"/m\" } };
          }
          rpc List(M) returns (stream M);
        }
        message M { string text = 1; int32 number = 2; repeated M children = 3; map<string, string> names = 4; }";
    let configuration =
        json!({ "proto": service, "bodyless": "call", "auto_mapping": true, "upstream": { "cluster": "upstream" } });
    let mut machine = Machine::new(&configuration.to_string());
    let message = [
        len(1, "some text"),
        varint(2, 300),
        len(3, len(1, "a child")),
        len(4, [len(1, "key"), len(2, "value")].concat()),
    ]
    .concat();
    let frame = [&[0, 0, 0, 0, message.len() as u8], &message[..]].concat();
    let body = r#"{"text":"some \"text\"","number":300,"children":[{"text":"a child"}],"names":{"key":"value"}}"#;
    let mut cost_of_four = || {
        let before = machine.store.get_fuel().unwrap();
        // By a call.
        machine.begin();
        machine.request(&Request {
            method: "GET",
            target: "/m?text=some%20text&number=300".into(),
            body: String::new(),
        });
        machine.answer_call(&message);
        assert_eq!(machine.store.data().status, 200);
        machine.end();
        // In place.
        machine.begin();
        machine.request(&Request::post(body.into()));
        let sent = machine.store.data().written;
        assert!(sent > message.len(), "nothing was sent on");
        machine.answer_in_place(&frame);
        assert!(machine.store.data().written > sent + message.len(), "no answer");
        machine.end();
        // Refused.
        machine.begin();
        machine.request(&Request::post(format!("{body},")));
        machine.tick();
        assert_eq!(machine.store.data().status, 422, "the stand-in for 400");
        machine.end();
        // A stream that its client leaves.
        machine.start_stream("application/x-ndjson");
        for chunk in [&frame[..3], &frame[3..], &frame[..9]] {
            machine.response_chunk(chunk);
        }
        assert!(machine.store.data().written > message.len(), "no message");
        machine.end();
        (before - machine.store.get_fuel().unwrap(), machine.memory())
    };
    let mut cost = |requests: usize| {
        let rounds = (0..requests / 4).map(|_| cost_of_four());
        rounds.fold((0, 0), |(fuel, _), (more, memory)| (fuel + more, memory))
    };
    let requests = std::env::var("PROTOBRIDGE_REQUESTS").map_or(REQUESTS, |requests| requests.parse().unwrap());
    cost(WINDOW);
    let (early, memory) = cost(WINDOW);
    cost(requests - 3 * WINDOW);
    let (late, memory_late) = cost(WINDOW);
    println!("{WINDOW} requests: {early} instructions and {memory} bytes at first, {late} and {memory_late} at last");
    assert_eq!((early, memory), (late, memory_late), "behind {requests} requests");
}
