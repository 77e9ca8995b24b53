//! What the module keeps away from the service, and what it lets go on untouched, in real Envoy.

use std::sync::OnceLock;

use serde_json::json;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::health_client::HealthClient;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Live, Request};
use crate::bench::upstream::{Script, frame};
use crate::bench::{Bench, schema};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let native = |policy: &str| json!({ "proto": schema::PROTO, "native_grpc": policy });
        Bench::start(&[
            Listener::new("served", &native("served")),
            Listener::new("served-no-stop", &native("served")).without_stop_iteration(),
            Listener::new("reject", &native("reject")),
        ])
    })
}

const NATIVE: [&str; 6] = [
    "application/grpc",
    "application/grpc+proto",
    "Application/GRPC; x=y",
    "application/grpc-web+proto",
    "application/grpc-web",
    "application/grpc-web-text",
];

fn native(path: &str, content_type: &str) -> Request {
    Request::new("POST", path)
        .header("content-type", content_type)
        .header("te", "trailers")
        .body(frame(0, b""))
}

/// The answer says UNIMPLEMENTED in the terms of a client that sent this content type.
fn assert_unimplemented(answer: &Answer, content_type: &str, at: &str) {
    assert_eq!(answer.status, 200, "{at}: {answer:?}");
    let message = "the gateway serves no such method to gRPC clients";
    let expected = match content_type {
        "application/grpc-web-text" => "application/grpc-web-text+proto",
        web if web.contains("-web") => "application/grpc-web+proto",
        _ => "application/grpc",
    };
    assert_eq!(answer.header("content-type"), Some(expected), "{at}");
    assert_eq!(answer.header("grpc-status"), Some("12"), "{at}");
    assert_eq!(answer.header("grpc-message"), Some(message), "{at}");
    assert!(answer.body.is_empty() && answer.trailers.is_empty(), "{at}: {answer:?}");
}

#[tokio::test]
async fn a_native_call_of_a_method_that_is_not_served_never_leaves_the_gateway() {
    let served = "/test.everything.Echo/Post";
    for listener in ["served", "served-no-stop", "reject"] {
        for content_type in NATIVE {
            let mut paths = vec![
                // Its service has rules, and it has none.
                "/test.everything.Echo/Unannotated",
                "/test.everything.Echo/Missing",
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                // The path of an HTTP rule is none of gRPC's.
                "/v1/echo",
                // What a server might take for a method that is served, and what it might not.
                "/test.everything.Echo/Post?x",
                "/test.everything.Echo/Post/",
                "/test.everything.Echo/%50ost",
                "//test.everything.Echo/Post",
                "/x/../test.everything.Echo/Post",
                "/test.everything.echo/Post",
                "/test.everything.Echo/post",
                "/test.everything.Echo.Post",
                "/",
            ];
            if listener == "reject" {
                paths.push(served);
            }
            for path in paths {
                let at = format!("{listener} {content_type} {path}");
                for version in Http::BOTH {
                    let answer = bench().at(listener).refuse(version, native(path, content_type)).await;
                    assert_unimplemented(&answer, content_type, &at);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_native_call_of_a_method_that_is_served_goes_on_untouched() {
    for listener in ["served", "served-no-stop"] {
        for content_type in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web+proto",
        ] {
            for method in ["Echo/Post", "Echo/Query", "Paths/Single", "Nothing/Ping"] {
                let path = format!("/test.everything.{method}");
                let request = native(&path, content_type).body(frame(0, b"\x18\x05"));
                let (answer, received) = bench()
                    .at(listener)
                    .exchange(Http::Two, request, Script::reply_bytes(&b"\x18\x06"[..]))
                    .await;
                assert_eq!(received.path, path, "{listener}");
                assert_eq!(received.header("content-type"), Some(content_type), "{listener}");
                assert_eq!(received.messages, [&b"\x18\x05"[..]], "{listener} {path}");
                assert_eq!(answer.body, frame(0, b"\x18\x06"), "{listener} {path}");
                assert_eq!(answer.trailers["grpc-status"], "0", "{listener} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_native_stream_is_refused_before_it_ends() {
    for listener in ["served", "served-no-stop", "reject"] {
        let path = "/test.everything.Streams/Missing";
        let request = Request::new("POST", path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .open();
        let mut live = Live::start(bench().at(listener).address, Http::Two, &request).await;
        live.send(frame(0, b"")).await;
        let (status, headers) = live.head().await.unwrap();
        assert_eq!(
            (status, &headers["grpc-status"]),
            (200, &"12".parse().unwrap()),
            "{listener}"
        );
    }
}

#[tokio::test]
async fn a_grpc_library_sees_unimplemented() {
    for listener in ["served", "reject"] {
        let address = bench().at(listener).address;
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        let mut client = HealthClient::new(channel);
        // Several on one connection: the first refusal does not cost it.
        for _ in 0..3 {
            let status = client
                .check(tonic_health::pb::HealthCheckRequest::default())
                .await
                .unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{listener}: {status:?}");
            assert!(
                status.message().contains("serves no such method"),
                "{listener}: {status:?}"
            );
        }
    }
}

#[tokio::test]
async fn json_is_served_whatever_becomes_of_native_calls() {
    for listener in ["served", "reject"] {
        let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
        let (answer, _) = bench().at(listener).exchange(Http::One, request, Script::echo()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "int32Value": 5 })),
            "{listener}"
        );
    }
}
