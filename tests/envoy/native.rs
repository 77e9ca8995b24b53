//! Native gRPC goes through the module byte for byte: requests, answers, metadata, trailers, message by message.
//!
//! Each test runs against an Envoy listener without the module first: what differs then is the module's doing.

use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status, Streaming};
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Request};
use crate::bench::upstream::{BytesCodec, Call, Gate, LIMIT, RawAnswer, SCRIPT_KEY, Script, frame};
use crate::bench::{Bench, Gateway, schema, script};

/// The listener without the module, then those with it.
const LISTENERS: [&str; 5] = ["plain", "auto", "call", "no-stop", "bridge"];

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let configuration = json!({ "proto": schema::PROTO });
        Bench::start(&[
            Listener::without_module("plain"),
            Listener::new("auto", &configuration),
            Listener::new("call", &json!({ "proto": schema::PROTO, "dispatch": "call" })),
            Listener::new("no-stop", &configuration).without_stop_iteration(),
            Listener::new(
                "bridge",
                &json!({ "proto": schema::PROTO, "upstream": { "connect_bridge": true } }),
            )
            .with_bridge(),
        ])
    })
}

#[tokio::test]
async fn a_unary_call_is_the_same_with_and_without_the_module() {
    // Neither message needs to be one that the schema can read.
    let (question, answer) = (b"\x18\x05\xff\xff\0unreadable", b"\0\xff\xfe\n");
    let exchange = async |listener: &'static str| {
        let request = native("/test.everything.Echo/Post", "application/grpc")
            .header("te", "trailers")
            .header("authorization", "Bearer secret")
            .header("grpc-timeout", "5S")
            .header("some-key-bin", "AAEC/w")
            .body(frame(0, question));
        let script = Script::reply_bytes(&answer[..])
            .initial("initial-key", "initial value")
            .initial("grpc-encoding", "identity")
            .trailing("trailing-key", "trailing value")
            .trailing("trailing-key-bin", "AAEC/w");
        let (mut answer, mut received) = bench().at(listener).exchange(Http::Two, request, script).await;
        forget_what_differs(&mut answer.headers);
        forget_what_differs(&mut received.headers);
        (answer, received.headers, received.messages)
    };
    let without_module = exchange(LISTENERS[0]).await;
    assert_eq!(without_module.0.body, frame(0, answer));
    assert_eq!(without_module.0.trailers["grpc-status"], "0");
    assert_eq!(without_module.0.trailers["trailing-key"], "trailing value");
    assert_eq!(without_module.2, [&question[..]]);
    for listener in &LISTENERS[1..] {
        assert_eq!(exchange(listener).await, without_module, "{listener}");
    }
}

#[tokio::test]
async fn a_trailers_only_error_is_the_same_with_and_without_the_module() {
    let exchange = async |listener: &'static str| {
        let request = native("/test.everything.Echo/Post", "application/grpc+proto").body(frame(0, b""));
        let script = Script::error(Code::NotFound, "gibt's nicht ✗").details(&b"\x08\x05"[..]);
        let (mut answer, _) = bench().at(listener).exchange(Http::Two, request, script).await;
        forget_what_differs(&mut answer.headers);
        answer
    };
    let without_module = exchange(LISTENERS[0]).await;
    assert_eq!(without_module.headers["grpc-status"], "5");
    for listener in &LISTENERS[1..] {
        assert_eq!(exchange(listener).await, without_module, "{listener}");
    }
}

#[tokio::test]
async fn every_native_content_type_passes_and_grpc_web_too() {
    let answer = RawAnswer {
        headers: vec![("content-type", "application/grpc-web+proto"), ("grpc-status", "0")],
        body: Bytes::from_static(b"\0\0\0\0\x02\x18\x06\x80\0\0\0\x0fgrpc-status: 0\r\n"),
        ..RawAnswer::default()
    };
    let content_types = [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
        "application/grpc-web+proto",
    ];
    for listener in LISTENERS {
        for content_type in content_types {
            // A path that has an HTTP binding of its own.
            let request = native("/v1/echo", content_type).body(frame(0, b"\x18\x05"));
            let (passed, received) = bench()
                .at(listener)
                .exchange(Http::Two, request, Script::raw(answer.clone()))
                .await;
            assert_eq!(received.path, "/v1/echo", "{listener} {content_type}");
            assert_eq!(received.header("content-type"), Some(content_type), "{listener}");
            assert_eq!(received.messages, [&b"\x18\x05"[..]], "{listener} {content_type}");
            assert_eq!(passed.body, answer.body, "{listener} {content_type}");
        }
    }
}

#[tokio::test]
async fn a_server_stream_arrives_message_by_message() {
    for listener in LISTENERS {
        let gate = Gate::default();
        let script = Script::reply(json!({ "int32Value": 1 }))
            .hold(&gate)
            .then(json!({ "int32Value": 2 }))
            .trailing("end", "yes");
        let call = crate::bench::script(script);
        let mut client = connect(bench().at(listener)).await;
        let request = with_script(&call, ReceiverStream::from(channel_of([Bytes::new()])));
        let mut stream = streaming(&mut client, "/test.everything.Streams/List", request)
            .await
            .unwrap()
            .into_inner();
        // The upstream sends the second message only after the first one has arrived here.
        assert_eq!(
            next(&mut stream).await.unwrap(),
            Some(Bytes::from_static(b"\x18\x01")),
            "{listener}"
        );
        gate.open();
        assert_eq!(
            next(&mut stream).await.unwrap(),
            Some(Bytes::from_static(b"\x18\x02")),
            "{listener}"
        );
        assert_eq!(next(&mut stream).await.unwrap(), None, "{listener}");
        let trailers = stream.trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("end").unwrap(), "yes", "{listener}");
    }
}

#[tokio::test]
async fn a_server_stream_that_fails_late_keeps_its_status() {
    for listener in LISTENERS {
        let script = Script::reply(json!({ "int32Value": 1 }))
            .then_error(Code::DataLoss, "torn")
            .details(&b"\x08\x0f"[..]);
        let call = crate::bench::script(script);
        let mut client = connect(bench().at(listener)).await;
        let request = with_script(&call, ReceiverStream::from(channel_of([Bytes::new()])));
        let mut stream = streaming(&mut client, "/test.everything.Streams/List", request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            next(&mut stream).await.unwrap(),
            Some(Bytes::from_static(b"\x18\x01")),
            "{listener}"
        );
        let status = next(&mut stream).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::DataLoss, "torn"),
            "{listener}"
        );
        assert_eq!(status.details(), b"\x08\x0f", "{listener}");
    }
}

#[tokio::test]
async fn a_client_stream_arrives_whole() {
    for listener in LISTENERS {
        let mut call = script(Script::reply(json!({ "int32Value": 9 })));
        let mut client = connect(bench().at(listener)).await;
        let messages = [&b"\x18\x01"[..], b"\x18\x02", b"\x18\x03"];
        let request = with_script(
            &call,
            ReceiverStream::from(channel_of(messages.map(Bytes::from_static))),
        );
        let mut stream = streaming(&mut client, "/test.everything.Streams/Collect", request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            next(&mut stream).await.unwrap(),
            Some(Bytes::from_static(b"\x18\x09")),
            "{listener}"
        );
        assert_eq!(next(&mut stream).await.unwrap(), None, "{listener}");
        assert_eq!(call.received().await.messages, messages, "{listener}");
    }
}

#[tokio::test]
async fn a_bidirectional_stream_is_a_conversation() {
    for listener in LISTENERS {
        let call = script(Script::echo_each());
        let mut client = connect(bench().at(listener)).await;
        let (questions, outgoing) = tokio::sync::mpsc::channel(1);
        questions.send(Bytes::from_static(b"\x18\x01")).await.unwrap();
        let request = with_script(&call, ReceiverStream::from(outgoing));
        let mut stream = streaming(&mut client, "/test.everything.Streams/Chat", request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            next(&mut stream).await.unwrap(),
            Some(Bytes::from_static(b"\x18\x01")),
            "{listener}"
        );
        // Each question is asked after the last answer.
        for number in 2..5 {
            let message = Bytes::from(vec![0x18, number]);
            questions.send(message.clone()).await.unwrap();
            assert_eq!(next(&mut stream).await.unwrap(), Some(message), "{listener}");
        }
        drop(questions);
        assert_eq!(next(&mut stream).await.unwrap(), None, "{listener}");
    }
}

#[tokio::test]
async fn a_native_call_that_its_client_leaves_is_cancelled_upstream() {
    for listener in LISTENERS {
        let mut call = script(Script::silence());
        let mut client = connect(bench().at(listener)).await;
        let request = with_script(&call, ReceiverStream::from(channel_of([Bytes::new()])));
        let running =
            tokio::spawn(async move { streaming(&mut client, "/test.everything.Streams/List", request).await });
        let received = call.received().await;
        running.abort();
        received.cancelled().await;
    }
}

#[tokio::test]
async fn server_reflection_passes() {
    for listener in LISTENERS {
        let mut client = ServerReflectionClient::new(channel(bench().at(listener)).await);
        let question = tonic_reflection::pb::v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = client
            .server_reflection_info(tokio_stream::iter([question]))
            .await
            .unwrap()
            .into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::ListServicesResponse(list) = answer else {
            panic!("{listener}: {answer:?}")
        };
        assert!(
            list.service
                .iter()
                .any(|service| service.name == "test.everything.Echo"),
            "{listener}: {list:?}"
        );
    }
}

#[tokio::test]
async fn health_checks_pass() {
    for listener in LISTENERS {
        let mut client = HealthClient::new(channel(bench().at(listener)).await);
        let answer = client
            .check(tonic_health::pb::HealthCheckRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            answer.status(),
            tonic_health::pb::health_check_response::ServingStatus::Serving,
            "{listener}"
        );
        let unknown = tonic_health::pb::HealthCheckRequest {
            service: "no.such.Service".to_owned(),
        };
        assert_eq!(
            client.check(unknown).await.unwrap_err().code(),
            Code::NotFound,
            "{listener}"
        );
    }
}

fn native(path: &str, content_type: &str) -> Request {
    Request::new("POST", path).header("content-type", content_type)
}

/// Headers whose values differ from one exchange to the next.
fn forget_what_differs(headers: &mut HeaderMap) {
    for name in ["date", "x-envoy-upstream-service-time", "x-request-id", SCRIPT_KEY] {
        headers.remove(name);
    }
}

async fn channel(gateway: Gateway) -> Channel {
    Endpoint::from_shared(format!("http://{}", gateway.address))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

async fn connect(gateway: Gateway) -> tonic::client::Grpc<Channel> {
    tonic::client::Grpc::new(channel(gateway).await)
}

fn with_script<T>(call: &Call, messages: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(messages);
    request.metadata_mut().insert(SCRIPT_KEY, call.id().parse().unwrap());
    request
}

/// A channel that holds these messages and is closed behind them.
fn channel_of<const N: usize>(messages: [Bytes; N]) -> tokio::sync::mpsc::Receiver<Bytes> {
    let (sender, receiver) = tokio::sync::mpsc::channel(N);
    for message in messages {
        sender.try_send(message).unwrap();
    }
    receiver
}

async fn streaming(
    client: &mut tonic::client::Grpc<Channel>,
    path: &'static str,
    request: tonic::Request<ReceiverStream<Bytes>>,
) -> Result<Response<Streaming<Bytes>>, Status> {
    client.ready().await.unwrap();
    client
        .streaming(request, PathAndQuery::from_static(path), BytesCodec)
        .await
}

async fn next(stream: &mut Streaming<Bytes>) -> Result<Option<Bytes>, Status> {
    tokio::time::timeout(LIMIT, stream.message())
        .await
        .expect("the next message did not come")
}
