//! What the module keeps away from the service, and what it lets go on untouched, in real Envoy.

use std::sync::OnceLock;
use std::time::Instant;

use serde_json::json;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::health_client::HealthClient;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Connection, Http, Live, Request};
use crate::bench::process::new_directory;
use crate::bench::upstream::{LIMIT, Script, frame};
use crate::bench::{Bench, schema};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let native = |policy: &str| json!({ "proto": schema::PROTO, "native_grpc": policy });
        let plain = json!({ "proto": schema::PROTO, "auto_mapping": true });
        Bench::start(&[
            Listener::new("in-front", &plain).denies_in_front("/v1/echo"),
            Listener::new("normalized", &plain)
                .denies_in_front("/v1/echo")
                .normalizes(),
            Listener::new("behind", &plain).denies_behind("/test.everything.Echo/Post"),
            Listener::new("served", &native("served")),
            Listener::new("served-no-stop", &native("served")).without_stop_iteration(),
            Listener::new("reject", &native("reject")),
            Listener::new("auto", &json!({ "proto": schema::PROTO }))
                .with_upgrades()
                .with_cors_behind(),
            Listener::new("no-stop", &native("reject"))
                .without_stop_iteration()
                .with_upgrades()
                .with_cors_behind(),
            Listener::new("call", &json!({ "proto": schema::PROTO, "dispatch": "call" }))
                .with_upgrades()
                .with_cors_behind(),
            Listener::new("lua", &json!({ "proto": schema::PROTO, "bodyless": "in_place" }))
                .with_lua()
                .with_upgrades()
                .with_cors_behind(),
        ])
    })
}

/// Content types of gRPC clients.
pub const NATIVE: [&str; 6] = [
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

const UPGRADING: [&str; 4] = ["auto", "no-stop", "call", "lua"];

#[tokio::test]
async fn an_upgrade_goes_on_untouched_whatever_its_path_is_bound_to() {
    for listener in UPGRADING {
        for (line, connection) in [
            ("GET /v1/echo?a=b", "Upgrade"),
            ("GET /nowhere", "keep-alive, upgrade"),
            ("POST /v1/echo", "upgrade"),
        ] {
            let at = format!("{listener} {line}");
            let mut client = Connection::open(bench().at(listener).address).await;
            let head = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\nupgrade: websocket\r\n\r\n");
            client.send(head.as_bytes()).await;
            let (status, headers) = client.changed().await.unwrap_or_else(|wrong| panic!("{at}: {wrong}"));
            assert_eq!(status, 101, "{at}: {headers:?}");
            assert_eq!(headers["x-path"], line.split(' ').nth(1).unwrap(), "{at}");
            for said in ["first", "second"] {
                client.send(said.as_bytes()).await;
                assert_eq!(client.bytes(said.len()).await.unwrap(), said, "{at}");
            }
        }
    }
}

#[tokio::test]
async fn a_tunnel_goes_on_untouched() {
    for listener in UPGRADING {
        let mut client = Connection::open(bench().at(listener).address).await;
        client.send(b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n").await;
        let (status, headers) = client
            .changed()
            .await
            .unwrap_or_else(|wrong| panic!("{listener}: {wrong}"));
        assert_eq!(status, 200, "{listener}: {headers:?}");
        for said in ["first", "second"] {
            client.send(said.as_bytes()).await;
            assert_eq!(client.bytes(said.len()).await.unwrap(), said, "{listener}");
        }
    }
}

#[tokio::test]
async fn a_tunnel_in_http2_goes_on_untouched() {
    for listener in UPGRADING {
        for protocol in [None, Some("websocket")] {
            let at = format!("{listener} {protocol:?}");
            let mut request = Request::new("CONNECT", "/v1/echo").open();
            if let Some(protocol) = protocol {
                request = request.protocol(protocol);
            }
            let mut client = Live::start(bench().at(listener).address, Http::Two, &request).await;
            let (status, headers) = client.head().await.unwrap_or_else(|wrong| panic!("{at}: {wrong}"));
            assert_eq!(status, 200, "{at}: {headers:?}");
            for said in ["first", "second"] {
                client.send(said).await;
                assert_eq!(client.exactly(said.len()).await.unwrap(), said, "{at}");
            }
        }
    }
}

#[tokio::test]
async fn what_only_looks_like_an_upgrade_is_served() {
    for listener in UPGRADING {
        for headers in [
            vec![("upgrade", "websocket-2")],
            vec![("connection", "upgrade")],
            vec![("connection", "x-other"), ("upgrade", "other")],
            // As `curl --http2` has it.
            vec![
                ("connection", "Upgrade, HTTP2-Settings"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABk"),
            ],
        ] {
            let mut request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
            for (name, value) in &headers {
                request = request.header(name, value);
            }
            let (answer, _) = bench().at(listener).exchange(Http::One, request, Script::echo()).await;
            let found = (answer.status, answer.json());
            assert_eq!(found, (200, json!({ "int32Value": 5 })), "{listener} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_preflight_that_no_rule_binds_reaches_a_cors_filter_behind() {
    for listener in UPGRADING {
        let send = async |request: Request| {
            let answer = bench().at(listener).refuse(Http::Two, request.clone()).await;
            assert_eq!(answer.header("grpc-status"), None, "{request:?}");
            answer
        };
        for path in ["/v1/echo", "/nowhere", "/v1/paths/a%2Fb"] {
            let options = Request::new("OPTIONS", path).header("origin", "https://app.example.com");
            let answer = send(options.clone().header("access-control-request-method", "POST")).await;
            assert_eq!(answer.status, 200, "{listener} {path}: {answer:?}");
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some("https://app.example.com"),
                "{listener} {path}"
            );
            // No preflight: it is a request like any other.
            let bound = path != "/nowhere";
            assert_eq!(
                send(options).await.status,
                if bound { 405 } else { 404 },
                "{listener} {path}"
            );
            let other = Request::new("OPTIONS", path).header("access-control-request-method", "POST");
            assert_eq!(
                send(other).await.status,
                if bound { 405 } else { 404 },
                "{listener} {path}"
            );
        }
        // A rule that binds OPTIONS means these too.
        if listener == "call" {
            let request = Request::new("OPTIONS", "/v1/custom-options")
                .header("origin", "https://app.example.com")
                .header("access-control-request-method", "POST");
            let (answer, received) = bench().at(listener).exchange(Http::Two, request, Script::echo()).await;
            assert_eq!((answer.status, &*received.path), (200, "/test.everything.Echo/Custom"));
        }
    }
}

/// In the log of an Envoy that configures each plugin on its main thread and on several workers.
#[tokio::test]
async fn what_is_served_is_said_once_when_a_configuration_is_loaded() {
    let directory = new_directory();
    let configuration = |methods: &str| {
        json!({
            "proto": format!("syntax = \"proto3\"; package shop; message M {{}} service Stock {{ {methods} }}"),
        })
    };
    let one = configuration("rpc Count(M) returns (M);");
    let two = configuration("rpc Count(M) returns (M); rpc Reset(M) returns (M);");
    let listener = |configuration| Listener::new("http", configuration).discovers_filter(&directory);
    listener(&one).publish_filter(&directory);
    listener(&one).publish(&directory);
    let bench = Bench::from_files(&directory, 4, &[]);
    let serves = async |path: &'static str| {
        let until = Instant::now() + LIMIT;
        // Not found, until the filter is there whose method it is.
        while bench
            .at("http")
            .send(Http::One, &Request::post(path, &json!({})))
            .await
            .status
            == 404
        {
            assert!(Instant::now() < until, "{path} is never served");
        }
    };
    let lines = || {
        let log = bench.envoy().log();
        let lines = log
            .lines()
            .filter_map(|line| line.split("configuration loaded: ").nth(1));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (first, second) = (
        "methods by rule: 0, by auto mapping: 1; services: shop.Stock (1 by auto mapping)",
        "methods by rule: 0, by auto mapping: 2; services: shop.Stock (2 by auto mapping)",
    );
    assert_eq!(lines(), [first]);
    listener(&two).publish_filter(&directory);
    // A worker that serves it has been configured: each of several connections is another's.
    for _ in 0..8 {
        serves("/shop.Stock/Reset").await;
    }
    assert_eq!(lines(), [first, second]);
}

/// Where the bootstrap names no node either, and listeners share a virtual machine.
#[tokio::test]
async fn each_of_several_configurations_is_said_once() {
    let of = |service: &str| {
        json!({
            "proto": format!("syntax = \"proto3\"; message M {{}} service {service} {{ rpc Do(M) returns (M); }}"),
        })
    };
    let bench = Bench::start(&[Listener::new("a", &of("A")), Listener::new("b", &of("B"))]);
    let log = bench.envoy().log();
    for service in ["A", "B"] {
        let line = format!(
            "configuration loaded: methods by rule: 0, by auto mapping: 1; services: {service} (1 by auto mapping)"
        );
        assert_eq!(log.matches(&line).count(), 1, "{log}");
    }
}

/// docs/security.md, "Which policy sees which path".
#[tokio::test]
async fn a_policy_in_front_sees_the_path_as_it_is_spelled_and_one_behind_sees_the_method() {
    let spellings = ["/v1/echo", "/v1/%65cho", "/v1/./echo", "/test.everything.Echo/Post"];
    for (listener, expected) in [
        ("in-front", [403, 200, 404, 200]),
        ("normalized", [403, 403, 403, 200]),
        ("behind", [403, 403, 404, 403]),
    ] {
        for (path, status) in spellings.into_iter().zip(expected) {
            let call = crate::bench::script(Script::echo());
            let request = Request::post(path, &json!({})).script(&call);
            let answer = bench().at(listener).send(Http::One, &request).await;
            assert_eq!(answer.status, status, "{listener} {path}: {answer:?}");
        }
    }
    // One with the method's path holds native clients too.
    let request = native("/test.everything.Echo/Post", "application/grpc");
    let answer = bench().at("behind").refuse(Http::Two, request).await;
    assert_eq!(answer.header("grpc-status"), Some("7"), "{answer:?}");
}
