//! Unary methods behind Envoy's gRPC-Web filter, and what every method asks of an upstream.

use serde_json::json;
use tonic::Code;

use super::{Form, bench, is_error, list, number};
use crate::bench::client::{Http, Request};
use crate::bench::upstream::Script;

#[tokio::test]
async fn unary_methods_work_with_the_grpc_web_filter() {
    let post = || Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let get = || Request::get("/v1/echo?int32Value=5");
    for listener in ["web", "web-lua", "web-no-stop"] {
        for version in Http::BOTH {
            for request in [post(), get()] {
                let row = format!("{listener} {version:?} {request:?}");
                let gateway = bench().at(listener);
                let sends = Script::echo()
                    .initial("x-initial", "a")
                    .initial("x-bytes-bin", "AAE=")
                    .trailing("x-trailing", "b");
                let (answer, received) = gateway.exchange(version, request.clone(), sends).await;
                assert_eq!((answer.status, answer.json()), (200, number(5)), "{row}: {answer:?}");
                assert_eq!(answer.header("content-type"), Some("application/json"), "{row}");
                assert_eq!(answer.header("x-initial"), Some("a"), "{row}: {answer:?}");
                if listener != "web-no-stop" {
                    assert_eq!(answer.header("x-trailing"), Some("b"), "{row}: {answer:?}");
                }
                assert_eq!(received.header("content-type"), Some("application/grpc"), "{row}");
                assert_eq!(
                    received.path,
                    if row.contains("POST") {
                        "/test.everything.Echo/Post"
                    } else {
                        "/test.everything.Echo/Query"
                    }
                );

                let (answer, _) = gateway
                    .exchange(version, request.clone(), Script::error(Code::NotFound, "ü %"))
                    .await;
                is_error(&answer, 404, 5);
                assert_eq!(answer.json()["message"], "ü %", "{row}");

                for sends in [
                    Script::late_error(Code::Aborted, "m"),
                    Script::reply(number(1)).then_error(Code::Aborted, "m"),
                ] {
                    let (answer, _) = gateway.exchange(version, request.clone(), sends).await;
                    assert_eq!(answer.json(), json!({ "code": 10, "message": "m" }), "{row}");
                    if listener != "web-no-stop" {
                        is_error(&answer, 409, 10);
                    }
                }
            }
        }
        let answer = bench()
            .at(listener)
            .refuse(Http::One, Request::new("POST", "/v1/echo").body("{"))
            .await;
        is_error(&answer, 400, 3);
    }
}

#[tokio::test]
async fn no_compression_is_asked_for() {
    for listener in ["web", "plain", "web-lua", "call"] {
        for request in [
            Request::post("/v1/echo", &json!({})),
            Request::get("/v1/echo"),
            list(Form::Array),
        ] {
            // What the client takes is not what is read here.
            let request = request.header("grpc-accept-encoding", "gzip");
            let (_, received) = bench().at(listener).exchange(Http::Two, request, Script::echo()).await;
            let asked = received.header("grpc-accept-encoding");
            assert!(matches!(asked, None | Some("identity")), "{listener}: {asked:?}");
        }
    }
}
