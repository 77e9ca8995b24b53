//! Nesting up to the limit, both ways, on the stack that the module has: 1 MB of its own, and what the host gives it.

use serde_json::json;

use crate::harness::{Gateway, Request, Response};
use crate::kit::{WAYS, error, gateway, works};

/// How many JSON objects and arrays may be open at once.
const LIMIT: usize = 100;

#[test]
fn messages_nest_to_the_limit_both_ways() {
    check(|levels| Nested {
        json: r#"{"self":"#.repeat(levels - 1) + "{}" + &"}".repeat(levels - 1),
        wire: (1..levels).fold(Vec::new(), |inner, _| record(82, &inner)),
    });
}

#[test]
fn structs_nest_to_the_limit_both_ways() {
    check(|levels| Nested {
        json: r#"{"struct":"#.to_owned() + &r#"{"a":"#.repeat(levels - 2) + "{}" + &"}".repeat(levels - 1),
        wire: record(
            54,
            &(2..levels).fold(Vec::new(), |inner, _| {
                record(1, &[record(1, b"a"), record(2, &record(5, &inner))].concat())
            }),
        ),
    });
}

#[test]
fn list_values_nest_to_the_limit_both_ways() {
    check(|levels| Nested {
        json: format!(
            r#"{{"listValue":{}{}}}"#,
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        ),
        wire: record(
            56,
            &(2..levels).fold(Vec::new(), |inner, _| record(1, &record(6, &inner))),
        ),
    });
}

#[test]
fn anys_nest_to_the_limit_both_ways() {
    check(|levels| Nested {
        json: r#"{"any":{"@type":"type.googleapis.com/test.everything.Everything","#.to_owned()
            + &r#""any":{"@type":"type.googleapis.com/test.everything.Everything","#.repeat(levels - 3)
            + r#""any":{}"#
            + &"}".repeat(levels - 1),
        wire: any(levels),
    });
}

#[test]
fn anys_whose_type_comes_last_nest_to_the_limit() {
    let json = |levels: usize| {
        r#"{"any":"#.repeat(levels - 1)
            + "{}"
            + &r#","@type":"type.googleapis.com/test.everything.Everything"}"#.repeat(levels - 2)
            + "}"
    };
    let gateway = gateway(json!({}));
    assert_eq!(sent(&gateway, &json(LIMIT)), any(LIMIT));
    let (status, ..) = error(&gateway.request(Request::post("/v1/echo").json(&json(LIMIT + 1))));
    assert_eq!(status, 400);
    works(&gateway);
}

/// A message in both forms. By hand: the reference decoder stops at 100 levels of *messages*, of which one level of
/// `Struct` has three.
struct Nested {
    json: String,
    wire: Vec<u8>,
}

/// 100 levels go there and back; 101 are the client's error in a request, the upstream's in a response.
fn check(nested: impl Fn(usize) -> Nested) {
    let (deepest, too_deep) = (nested(LIMIT), nested(LIMIT + 1));
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        assert_eq!(sent(&gateway, &deepest.json), deepest.wire, "{way}");
        let answer = |wire: &[u8]| {
            let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
            exchange.respond(Response::ok(wire));
            exchange.answer()
        };
        let answered = answer(&deepest.wire);
        assert_eq!(
            (answered.status(), answered.text()),
            (200, deepest.json.clone()),
            "{way}"
        );

        let (status, code, message) = error(&gateway.request(Request::post("/v1/echo").json(&too_deep.json)));
        assert_eq!((status, code), (400, 3), "{way}");
        assert!(message.contains("nested deeper than 100"), "{way}: {message}");
        assert_eq!(answer(&too_deep.wire).status(), 502, "{way}");
        works(&gateway);
    }
}

/// The message that the gRPC server receives for this body.
fn sent(gateway: &Gateway, body: &str) -> Vec<u8> {
    let exchange = gateway.request(Request::post("/v1/echo").json(body));
    let mut messages = if exchange.calls().is_empty() {
        exchange.forwarded().messages()
    } else {
        exchange.call().messages
    };
    assert_eq!(messages.len(), 1);
    let message = messages.remove(0).to_vec();
    exchange.respond(Response::ok([]));
    assert_eq!(exchange.answer().status(), 200);
    message
}

/// A length-delimited record.
fn record(number: usize, contents: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    for mut varint in [number << 3 | 2, contents.len()] {
        while varint >= 0x80 {
            record.push(varint as u8 | 0x80);
            varint >>= 7;
        }
        record.push(varint as u8);
    }
    record.extend_from_slice(contents);
    record
}

/// An `Everything` with `any`s below each other, the innermost empty.
fn any(levels: usize) -> Vec<u8> {
    let innermost = record(57, &[]);
    (2..levels).fold(innermost, |inner, _| {
        let type_url = record(1, b"type.googleapis.com/test.everything.Everything");
        record(57, &[type_url, record(2, &inner)].concat())
    })
}
