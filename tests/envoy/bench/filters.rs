//! Filters that stand beside the module, and the servers that they ask.

use std::pin::Pin;

use bytes::{Buf as _, Bytes, BytesMut};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::bootstrap::{AUTHORIZER, PROCESSOR};
use super::upstream::{Answering, BytesCodec, HttpRequest, HttpResponse};

/// Holds a request until it is whole, and refuses one of more bytes than these.
pub fn buffer(max_request_bytes: u32) -> Value {
    json!({
        "name": "envoy.filters.http.buffer",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
            "max_request_bytes": max_request_bytes,
        },
    })
}

/// Holds the whole of a response.
pub fn reads_responses() -> Value {
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": { "inline_string": "function envoy_on_response(handle) handle:body() end" },
        },
    })
}

/// Asks [`authorize`] whether a request may pass, and shows it so much of the body. `partial`: a longer one passes too.
pub fn authorization(max_request_bytes: u32, partial: bool) -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "http_service": {
                "server_uri": { "uri": "http://authorizer.test", "cluster": AUTHORIZER, "timeout": "30s" },
            },
            "with_request_body": {
                "max_request_bytes": max_request_bytes,
                "allow_partial_message": partial,
                "pack_as_bytes": true,
            },
        },
    })
}

/// Compresses answers for clients that accept it.
pub fn gzip() -> Value {
    json!({
        "name": "envoy.filters.http.compressor",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor",
            "compressor_library": {
                "name": "gzip",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip",
                },
            },
        },
    })
}

/// Has [`process`] see every part of a request and of its answer, and sends on what that gives back.
pub fn processing() -> Value {
    json!({
        "name": "envoy.filters.http.ext_proc",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": { "envoy_grpc": { "cluster_name": PROCESSOR } },
            "processing_mode": {
                "request_header_mode": "SEND",
                "request_body_mode": "FULL_DUPLEX_STREAMED",
                "request_trailer_mode": "SEND",
                "response_header_mode": "SEND",
                "response_body_mode": "FULL_DUPLEX_STREAMED",
                "response_trailer_mode": "SEND",
            },
            "message_timeout": "30s",
        },
    })
}

/// Authorizes every request, when it has read it.
pub async fn authorize(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut seen = BytesMut::new();
            loop {
                while let Some(length) = whole_request(&seen) {
                    seen.advance(length);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
                if !stream.read_buf(&mut seen).await.is_ok_and(|length| length > 0) {
                    return;
                }
            }
        });
    }
}

/// How long the request is with which `bytes` begin; `None`: it is not all there.
fn whole_request(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = String::from_utf8_lossy(&bytes[..head]).lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    });
    let end = head + length.unwrap_or(0);
    (bytes.len() >= end).then_some(end)
}

/// An external processor, `envoy.service.ext_proc.v3.ExternalProcessor`, that gives back each part as it comes.
pub async fn process(request: HttpRequest) -> HttpResponse {
    tonic::server::Grpc::new(BytesCodec)
        .max_decoding_message_size(usize::MAX)
        .streaming(Processor, request)
        .await
}

struct Processor;

impl tonic::server::StreamingService<Bytes> for Processor {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = Answering<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let answers = request.into_inner().map(|shown| shown.map(give_back));
        Box::pin(async { Ok(Response::new(Box::pin(answers) as Self::ResponseStream)) })
    }
}

/// A `ProcessingResponse` to a `ProcessingRequest`.
fn give_back(request: Bytes) -> Bytes {
    let request = ProcessingRequest::decode(request).unwrap();
    let body = |part: Option<HttpBody>| {
        part.map(|HttpBody { body, end_of_stream }| BodyResponse {
            response: Some(CommonResponse {
                body_mutation: Some(BodyMutation {
                    streamed_response: Some(HttpBody { body, end_of_stream }),
                }),
            }),
        })
    };
    let response = ProcessingResponse {
        request_headers: request.request_headers,
        response_headers: request.response_headers,
        request_body: body(request.request_body),
        response_body: body(request.response_body),
        request_trailers: request.request_trailers,
        response_trailers: request.response_trailers,
    };
    response.encode_to_vec().into()
}

/// The messages of envoy/service/ext_proc/v3/external_processor.proto, with what is needed of them. The fields are each
/// one's `oneof`.
#[derive(Clone, PartialEq, prost::Message)]
struct ProcessingRequest {
    #[prost(message, optional, tag = "2")]
    request_headers: Option<Nothing>,
    #[prost(message, optional, tag = "3")]
    response_headers: Option<Nothing>,
    #[prost(message, optional, tag = "4")]
    request_body: Option<HttpBody>,
    #[prost(message, optional, tag = "5")]
    response_body: Option<HttpBody>,
    #[prost(message, optional, tag = "6")]
    request_trailers: Option<Nothing>,
    #[prost(message, optional, tag = "7")]
    response_trailers: Option<Nothing>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProcessingResponse {
    #[prost(message, optional, tag = "1")]
    request_headers: Option<Nothing>,
    #[prost(message, optional, tag = "2")]
    response_headers: Option<Nothing>,
    #[prost(message, optional, tag = "3")]
    request_body: Option<BodyResponse>,
    #[prost(message, optional, tag = "4")]
    response_body: Option<BodyResponse>,
    #[prost(message, optional, tag = "5")]
    request_trailers: Option<Nothing>,
    #[prost(message, optional, tag = "6")]
    response_trailers: Option<Nothing>,
}

/// Headers and trailers that nobody looks at, or changes.
#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

/// `StreamedBodyResponse` has the same fields.
#[derive(Clone, PartialEq, prost::Message)]
struct HttpBody {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
    #[prost(bool, tag = "2")]
    end_of_stream: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BodyResponse {
    #[prost(message, optional, tag = "1")]
    response: Option<CommonResponse>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CommonResponse {
    #[prost(message, optional, tag = "3")]
    body_mutation: Option<BodyMutation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BodyMutation {
    #[prost(message, optional, tag = "3")]
    streamed_response: Option<HttpBody>,
}
