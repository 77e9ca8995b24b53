//! The request headers that end at the gateway, in Kong: nginx sends on what WasmX has removed, so that they are emptied.

use serde_json::json;

use crate::harness::{Exchange, Gateway, Host, Request};
use crate::kit::{error, works};
use crate::schema;

fn kong() -> Gateway {
    Host::kong()
        .load(&json!({ "proto": schema::PROTO }).to_string())
        .unwrap()
}

fn send(gateway: &Gateway, headers: &[(&str, &[u8])]) -> Exchange {
    let request = headers
        .iter()
        .fold(Request::post("/v1/echo"), |request, (name, value)| {
            request.header(name, value)
        });
    gateway.request(request.json("{}"))
}

#[test]
fn none_arrives_with_its_value() {
    let gateway = kong();
    let table: [(&str, &[u8], &str); 14] = [
        ("proxy-authorization", b"Basic c2VjcmV0", ""),
        ("content-encoding", b"identity", ""),
        ("x-latin", b"caf\xe9", ""),
        ("x-utf8", "caf\u{e9}".as_bytes(), ""),
        ("x-bad-bin", b"!!", ""),
        ("grpc-trace-bin", b"!!", ""),
        ("grpc-message", b"a", ""),
        ("grpc-status-details-bin", b"CAU", ""),
        ("grpc-anything", b"a", ""),
        // Of these, nothing would be malformed.
        ("grpc-encoding", b"gzip", "identity"),
        ("grpc-accept-encoding", b"gzip", "identity"),
        ("grpc-status", b"5", "0"),
        ("grpc-previous-rpc-attempts", b"3", "0"),
        ("accept-encoding", b"gzip", ""),
    ];
    let alone = table.iter().map(|row| vec![*row]);
    for rows in alone.chain([table.to_vec()]) {
        let headers: Vec<_> = rows.iter().map(|(name, value, _)| (*name, *value)).collect();
        let sent = send(&gateway, &headers).forwarded().headers;
        for (name, _, expected) in rows {
            assert_eq!(sent.all(name), [expected], "{name}");
        }
    }
}

#[test]
fn the_time_for_the_answer_is_never_empty() {
    let gateway = kong();
    for (asked, told) in [("2S", "2S"), ("1H", "1H")] {
        let sent = send(&gateway, &[("grpc-timeout", asked.as_bytes())])
            .forwarded()
            .headers;
        assert_eq!(sent.all("grpc-timeout"), [told]);
    }
}

#[test]
fn what_comes_twice_and_cannot_be_taken_away_is_a_400() {
    let gateway = kong();
    for (name, values) in [
        ("proxy-authorization", [&b"Basic YTph"[..], b"Basic Yjpi"]),
        ("x-name", [b"good", b"caf\xe9"]),
        ("x-name", [b"caf\xe9", b"good"]),
        ("x-data-bin", [b"AAEC", b"!!"]),
        ("grpc-timeout", [b"1S", b"2S"]),
        ("grpc-encoding", [b"gzip", b"gzip"]),
        ("content-type", [b"application/json", b"application/json"]),
    ] {
        let exchange = send(&gateway, &values.map(|value| (name, value)));
        let (status, code, message) = error(&exchange);
        assert_eq!((status, code), (400, 3), "{name}");
        assert!(message.starts_with(&format!("{name} came more than once")), "{message}");
    }
    works(&gateway);
}

#[test]
fn what_comes_twice_and_may_stay_stays() {
    let gateway = kong();
    for name in ["x-name", "cookie", "x-forwarded-for"] {
        let exchange = send(&gateway, &[(name, b"one"), (name, b"two")]);
        assert_eq!(exchange.forwarded().headers.all(name), ["one", "two"], "{name}");
    }
    let exchange = send(&gateway, &[("x-data-bin", b"AAEC, Aw==")]);
    assert_eq!(exchange.forwarded().headers.all("x-data-bin"), ["AAEC", "Aw=="]);
    // A browser's proxy may have split it.
    let exchange = send(&gateway, &[("accept-encoding", b"gzip"), ("accept-encoding", b"br")]);
    assert!(exchange.forwarded().ended);
}
