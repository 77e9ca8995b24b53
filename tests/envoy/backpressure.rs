//! A client that does not read holds the upstream back, in real Envoy, and nobody's memory fills up.
//!
//! In an Envoy of its own, whose memory is measured.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::json;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Live, Request};
use crate::bench::upstream::{RawAnswer, Script, frame};
use crate::bench::{Bench, schema, script};

/// The upstream sends 300,000 messages, so many at once and so often.
const TOGETHER: usize = 100;
const PARTS: usize = 3000;

/// A gRPC client's form, in which each message is changed on its way.
const GRPC: &str = "application/grpc";

/// By how much Envoy's own memory may grow, in bytes: its buffers hold 1 MiB on either side. All of an answer is 32 MB.
const HELD: u64 = 4 << 20;

/// The same for all memory of the process, to which the module's belongs.
const RESIDENT: u64 = 12 << 20;

#[tokio::test]
async fn three_hundred_thousand_messages_wait_for_a_reader_that_stalls() {
    let plain = json!({ "proto": schema::PROTO });
    let web = json!({ "proto": schema::PROTO, "upstream": { "grpc_web": true } });
    // What is removed isn't there.
    let removal = json!([{ "selector": "test.everything.Streams.List", "response": [{ "remove": ["child.name"] }] }]);
    let changing = json!({ "proto": schema::PROTO, "transforms": removal });
    let listeners = [
        Listener::new("web", &web).with_grpc_web(),
        Listener::new("plain", &plain),
        Listener::new("changing", &changing),
    ];
    let bench = Bench::start(&listeners.map(|listener| listener.without_route_timeout().narrow()));
    let parts: Vec<Bytes> = (0..PARTS).map(messages).collect();
    // Over HTTP/1.1 the kernel takes in some megabytes, too.
    for (listener, accept, version, most) in [
        ("web", "application/json", Http::Two, PARTS / 6),
        ("plain", "text/event-stream", Http::Two, PARTS / 6),
        ("web", "text/event-stream", Http::One, PARTS / 2),
        ("plain", "application/x-ndjson", Http::One, PARTS / 2),
        ("changing", "application/x-ndjson", Http::Two, PARTS / 6),
        ("changing", GRPC, Http::Two, PARTS / 6),
    ] {
        let row = format!("{listener} {accept} {version:?}");
        let (held, resident) = (bench.envoy().held(), bench.envoy().resident());
        let is_flat = |when: &str| {
            let (held_now, resident_now) = (bench.envoy().held(), bench.envoy().resident());
            assert!(held_now < held + HELD, "{row}, {when}: {held} bytes, then {held_now}");
            assert!(
                resident_now < resident + RESIDENT,
                "{row}, {when}: {resident} bytes, then {resident_now}"
            );
        };
        let call = script(Script::raw(RawAnswer {
            headers: vec![("content-type", "application/grpc")],
            stream: parts.clone(),
            trailers: vec![("grpc-status", "0")],
            ..RawAnswer::default()
        }));
        let request = match accept {
            GRPC => Request::new("POST", "/test.everything.Streams/List")
                .header("content-type", GRPC)
                .body(frame(0, b"")),
            _ => Request::post("/v1/streams/x", &json!({})).header("accept", accept),
        };
        let mut live = Live::start(bench.at(listener).address, version, &request.script(&call)).await;
        assert_eq!(live.head().await.unwrap().0, 200, "{row}");
        // All buffers on the way fill up.
        let mut sent = 0;
        while sent == 0 || sent != call.sent() {
            sent = call.sent();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(sent < most, "{row}: {sent} parts of {PARTS} were sent");
        is_flat("stalled");
        for part in 0..PARTS {
            let expected = match accept {
                GRPC => messages(part),
                _ => text(accept, part).into(),
            };
            let arrived = live.exactly(expected.len()).await;
            assert!(arrived.is_ok_and(|arrived| arrived == expected), "{row}: part {part}");
        }
        let rest = if accept == "application/json" { "]" } else { "" };
        assert_eq!(live.rest().await.as_deref(), Ok(rest.as_bytes()), "{row}");
        is_flat("read");
    }
}

const FILLER: &str = "0123456789012345678901234567890123456789012345678901234567890123456789";

/// The frames of a part: messages with a number and a text.
fn messages(part: usize) -> Bytes {
    let mut frames = BytesMut::new();
    for number in part * TOGETHER..(part + 1) * TOGETHER {
        let number = json!({ "int32Value": number + 1, "stringValue": FILLER });
        let message = schema::from_json(&schema::message("test.everything.Everything"), &number);
        frames.extend_from_slice(&frame(0, &message));
    }
    frames.freeze()
}

/// What the client gets of a part.
fn text(accept: &str, part: usize) -> String {
    let mut text = String::new();
    for number in part * TOGETHER..(part + 1) * TOGETHER {
        let (before, after) = match accept {
            "application/json" if number == 0 => ("[", ""),
            "application/json" => (",", ""),
            "application/x-ndjson" => ("", "\n"),
            _ => ("data: ", "\n\n"),
        };
        let number = number + 1;
        text.push_str(&format!(
            r#"{before}{{"int32Value":{number},"stringValue":"{FILLER}"}}{after}"#
        ));
    }
    text
}
