//! Headers become metadata, metadata become headers, and `grpc-timeout` is honoured, through real Envoy.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{AUTHORITY, Http, Request};
use crate::bench::upstream::{Received, Script};
use crate::bench::{Bench, Gateway, schema};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        Bench::start(&[
            Listener::new("auto", &json!({ "proto": schema::PROTO })),
            Listener::new(
                "configured",
                &json!({ "proto": schema::PROTO, "upstream": { "timeout": "7s", "authority": "books.test" } }),
            ),
            Listener::new(
                "bridge",
                &json!({ "proto": schema::PROTO, "upstream": { "connect_bridge": true } }),
            )
            .with_bridge(),
            Listener::new(
                "configured-bridge",
                &json!({
                    "proto": schema::PROTO,
                    "upstream": { "timeout": "7s", "authority": "books.test", "connect_bridge": true },
                }),
            )
            .with_bridge(),
            Listener::new(
                "bodies",
                &json!({ "proto": schema::PROTO, "upstream": { "connect_bridge": true, "bridge_bodies": true } }),
            )
            .with_bridge(),
            Listener::new(
                "configured-bodies",
                &json!({
                    "proto": schema::PROTO,
                    "upstream": {
                        "timeout": "7s", "authority": "books.test", "connect_bridge": true, "bridge_bodies": true,
                    },
                }),
            )
            .with_bridge(),
        ])
    })
}

fn auto() -> Gateway {
    bench().at("auto")
}

/// A way to the upstream: a request, and the listeners by which it goes there.
struct Way {
    request: Request,
    /// With the defaults.
    gateway: Gateway,
    /// With a timeout and an authority.
    configured: Gateway,
}

/// The ways to the upstream: with a body, in place; without, by a call and by the Connect bridge; with a body, by that
/// bridge too.
fn ways() -> [Way; 4] {
    let way = |request: &Request, gateway: &'static str, configured: &'static str| Way {
        request: request.clone(),
        gateway: bench().at(gateway),
        configured: bench().at(configured),
    };
    let get = Request::get("/v1/echo?int32Value=5");
    let post = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    [
        way(&post, "auto", "configured"),
        way(&get, "auto", "configured"),
        way(&get, "bridge", "configured-bridge"),
        way(&post, "bodies", "configured-bodies"),
    ]
}

#[tokio::test]
async fn request_headers_arrive_as_metadata() {
    let passed = [
        ("authorization", "Bearer secret"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "vendor=1"),
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
        ("grpc-trace-bin", "AAEC/w=="),
        ("baggage", "key=value"),
        ("x-request-id", "0af76519-16cd-43dd-8448-eb211c80319c"),
        ("x-custom", "a, b"),
        ("accept-language", "de"),
        ("user-agent", "test/1"),
        ("some-bin", "AAEC/w"),
        ("padded-bin", "AAEC/w=="),
    ];
    for version in Http::BOTH {
        for Way {
            mut request, gateway, ..
        } in ways()
        {
            for (name, value) in passed {
                request = request.header(name, value);
            }
            let (answer, received) = gateway.exchange(version, request.clone(), Script::echo()).await;
            assert_eq!(answer.status, 200, "{version:?} {request:?}: {answer:?}");
            for (name, value) in passed {
                // Base64 in metadata may lose its padding on the way, and an agent may be added to.
                let got = received.header(name).unwrap_or_default();
                assert_eq!(
                    got.trim_end_matches('='),
                    value.trim_end_matches('='),
                    "{version:?} {request:?}: {name}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_header_given_twice_arrives_with_both_values() {
    for version in Http::BOTH {
        for Way { request, gateway, .. } in ways() {
            let request = request.header("x-many", "one").header("x-many", "two");
            let (_, received) = gateway.exchange(version, request.clone(), Script::echo()).await;
            let values: Vec<&str> = received
                .headers
                .get_all("x-many")
                .iter()
                .map(|v| v.to_str().unwrap())
                .collect();
            // HTTP lets a proxy join them.
            assert_eq!(values.join(","), "one,two", "{version:?} {request:?}");
        }
    }
}

#[tokio::test]
async fn headers_of_the_message_and_the_connection_stay_behind() {
    for version in Http::BOTH {
        for Way { request, gateway, .. } in ways() {
            let mut request = request
                .header("accept-encoding", "gzip")
                .header("accept", "application/json");
            if version == Http::One {
                request = request
                    .header("connection", "keep-alive")
                    .header("keep-alive", "timeout=5");
            }
            let (_, received) = gateway.exchange(version, request.clone(), Script::echo()).await;
            for name in [
                "connection",
                "keep-alive",
                "content-length",
                "transfer-encoding",
                "host",
                "accept-encoding",
                "content-encoding",
                "upgrade",
            ] {
                assert_eq!(received.header(name), None, "{version:?} {request:?}: {name}");
            }
            let content_type = received.header("content-type");
            assert!(
                [Some("application/grpc"), Some("application/grpc+proto")].contains(&content_type),
                "{version:?} {request:?}: {content_type:?}"
            );
            assert_eq!(received.header("te"), Some("trailers"), "{version:?} {request:?}");
        }
    }
}

#[tokio::test]
async fn values_that_are_no_metadata_are_dropped_alone() {
    for version in Http::BOTH {
        for Way { request, gateway, .. } in ways() {
            let request = request
                .header("x-latin", b"caf\xe9")
                .header("x-broken", b"a\xff\xfeb")
                .header("x-not-base64-bin", "not base64!")
                .header("x-kept", "kept");
            let (answer, received) = gateway.exchange(version, request.clone(), Script::echo()).await;
            assert_eq!(answer.status, 200, "{version:?} {request:?}: {answer:?}");
            for name in ["x-latin", "x-broken", "x-not-base64-bin"] {
                assert!(!received.headers.contains_key(name), "{version:?} {request:?}: {name}");
            }
            assert_eq!(received.header("x-kept"), Some("kept"));
        }
    }
}

#[tokio::test]
async fn binary_values_in_one_field_arrive_one_by_one() {
    for version in Http::BOTH {
        let request = Request::post("/v1/echo", &json!({})).header("x-list-bin", "AAEC, Aw==,BA");
        let (answer, received) = auto().exchange(version, request, Script::echo()).await;
        assert_eq!(answer.status, 200, "{version:?}: {answer:?}");
        let values: Vec<_> = received.headers.get_all("x-list-bin").iter().collect();
        assert_eq!(values, ["AAEC", "Aw==", "BA"], "{version:?}");
    }
}

#[tokio::test]
async fn the_authority_is_the_configured_one_or_the_clients() {
    for Way {
        request, configured, ..
    } in ways()
    {
        let (_, received) = configured.exchange(Http::One, request.clone(), Script::echo()).await;
        assert_eq!(received.authority.as_deref(), Some("books.test"), "{request:?}");
    }
    let [in_place, _, bridged, bodies] = ways();
    for Way { request, gateway, .. } in [in_place, bridged, bodies] {
        let (_, received) = gateway.exchange(Http::One, request, Script::echo()).await;
        assert_eq!(received.authority.as_deref(), Some(AUTHORITY));
    }
}

#[tokio::test]
async fn metadata_come_back_as_headers() {
    for version in Http::BOTH {
        for Way { request, gateway, .. } in ways() {
            let script = Script::echo()
                .initial("x-initial", "initial value")
                .initial("x-initial-bin", "AAEC/w")
                .initial("x-many", "one")
                .initial("x-many", "two")
                .trailing("x-trailing", "trailing value");
            let (answer, _) = gateway.exchange(version, request.clone(), script).await;
            let row = format!("{version:?} {request:?}: {answer:?}");
            assert_eq!(answer.status, 200, "{row}");
            assert_eq!(answer.header("x-initial"), Some("initial value"), "{row}");
            assert_eq!(
                answer.header("x-initial-bin").map(|value| value.trim_end_matches('=')),
                Some("AAEC/w"),
                "{row}"
            );
            let many: Vec<&str> = answer
                .headers
                .get_all("x-many")
                .iter()
                .map(|v| v.to_str().unwrap())
                .collect();
            assert_eq!(many.join(","), "one,two", "{row}");
            assert_eq!(answer.header("x-trailing"), Some("trailing value"), "{row}");
            for name in [
                "grpc-status",
                "grpc-message",
                "grpc-encoding",
                "grpc-accept-encoding",
                "trailer",
            ] {
                assert_eq!(answer.header(name), None, "{row}");
            }
            assert!(answer.trailers.is_empty(), "{row}");
        }
    }
}

#[tokio::test]
async fn metadata_of_an_error_come_back_as_headers() {
    for Way { request, gateway, .. } in ways() {
        for script in [
            Script::error(Code::NotFound, "m"),
            Script::late_error(Code::NotFound, "m"),
        ] {
            let script = script.trailing("x-trailing", "trailing value");
            let (answer, _) = gateway.exchange(Http::One, request.clone(), script).await;
            assert_eq!(answer.status, 404, "{request:?}: {answer:?}");
            assert_eq!(
                answer.header("x-trailing"),
                Some("trailing value"),
                "{request:?}: {answer:?}"
            );
            assert_eq!(answer.header("grpc-status"), None, "{request:?}: {answer:?}");
            assert_eq!(answer.header("grpc-message"), None, "{request:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_upstream_may_choose_the_success_status() {
    for version in Http::BOTH {
        for Way { request, gateway, .. } in ways() {
            for (script, status) in [
                (Script::echo().initial("x-http-code", "201"), 201),
                (Script::echo().trailing("x-http-code", "202"), 202),
                // Only success may be chosen so.
                (Script::echo().initial("x-http-code", "404"), 200),
                (Script::echo().initial("x-http-code", "1000"), 200),
                (Script::echo().initial("x-http-code", "teapot"), 200),
                (Script::error(Code::NotFound, "m").trailing("x-http-code", "200"), 404),
            ] {
                let (answer, _) = gateway.exchange(version, request.clone(), script).await;
                assert_eq!(answer.status, status, "{version:?} {request:?}: {answer:?}");
                assert_eq!(
                    answer.header("x-http-code"),
                    None,
                    "{version:?} {request:?}: {answer:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_deadline_is_the_clients_capped_by_the_configured_one() {
    for version in Http::BOTH {
        for Way {
            request, configured, ..
        } in ways()
        {
            let (_, received) = configured.exchange(version, request.clone(), Script::echo()).await;
            assert_between(timeout(&received), 6, 7, &request);
            let (_, received) = configured
                .exchange(version, request.clone().header("grpc-timeout", "3S"), Script::echo())
                .await;
            assert_between(timeout(&received), 2, 3, &request);
            let (_, received) = configured
                .exchange(version, request.clone().header("grpc-timeout", "1H"), Script::echo())
                .await;
            assert_between(timeout(&received), 6, 7, &request);
        }
    }
}

#[tokio::test]
async fn a_malformed_or_zero_timeout_is_400() {
    for Way { request, gateway, .. } in ways() {
        for value in ["5", "S", "0S", "123456789S", "-1S", "1.5S", "5 S", "5X", "x"] {
            let answer = gateway
                .refuse(Http::One, request.clone().header("grpc-timeout", value))
                .await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &json!(3)),
                "{value}: {answer:?}"
            );
            assert!(
                answer.json()["message"].as_str().unwrap().contains("grpc-timeout"),
                "{value}: {answer:?}"
            );
        }
    }
}

/// The deadline that the upstream was told.
fn timeout(received: &Received) -> Duration {
    let value = received
        .header("grpc-timeout")
        .expect("the upstream was told no deadline");
    let (number, unit) = value.split_at(value.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => panic!("{value}"),
    }
}

fn assert_between(timeout: Duration, least: u64, most: u64, request: &Request) {
    assert!(
        timeout > Duration::from_secs(least) && timeout <= Duration::from_secs(most),
        "{timeout:?}: {request:?}"
    );
}
