//! gRPC as Envoy's client speaks it for a filter's calls: the upstream argument, frames, the way of a response into callbacks.

use prost::Message;

use super::message::{Headers, Response};

/// `envoy.config.core.v3.GrpcService`, the part that names a cluster.
#[derive(Clone, PartialEq, Message)]
struct GrpcService {
    #[prost(message, optional, tag = "1")]
    envoy_grpc: Option<EnvoyGrpc>,
}

#[derive(Clone, PartialEq, Message)]
struct EnvoyGrpc {
    #[prost(string, tag = "1")]
    cluster_name: String,
}

/// The cluster that the upstream argument of a gRPC call names: a serialized `GrpcService { envoy_grpc }`.
pub(super) fn cluster_name(upstream: &[u8]) -> Option<String> {
    let service = GrpcService::decode(upstream).ok()?;
    service
        .envoy_grpc
        .map(|target| target.cluster_name)
        .filter(|name| !name.is_empty())
}

/// One frame: flag, length, payload.
pub fn frame(flag: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a test's message is short");
    [&[flag], length.to_be_bytes().as_slice(), payload].concat()
}

/// The messages in whole uncompressed frames; `None` when they are something else.
pub(super) fn messages(mut body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    while let Some((flag, rest)) = body.split_first() {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (message, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if *flag != 0 {
            return None;
        }
        messages.push(message.to_vec());
        body = rest;
    }
    Some(messages)
}

/// One callback of a gRPC callout.
#[derive(Clone, Debug)]
pub(super) enum CallEvent {
    InitialMetadata(Headers),
    Message(Vec<u8>),
    TrailingMetadata(Headers),
    Close { code: u32, message: String },
}

/// The callbacks that a response becomes (`source/common/grpc/async_client_impl.cc`): framing and the HTTP status are
/// the client's business, so a filter sees a malformed answer as an error status. The message of the close says in
/// braces whose answer it was.
pub(super) fn call_events(response: Response) -> Vec<CallEvent> {
    let trailers_only = response.chunks.is_empty() && response.trailers.is_none();
    let status = response.headers.get(":status").unwrap_or_default().to_owned();
    let mut events = vec![CallEvent::InitialMetadata(if trailers_only {
        Headers::default()
    } else {
        response.headers.clone()
    })];
    let failed = |code: u32| {
        [
            CallEvent::TrailingMetadata(Headers::default()),
            CallEvent::Close {
                code,
                message: VIA_UPSTREAM.to_owned(),
            },
        ]
    };
    if status != "200" && !(trailers_only && response.headers.get("grpc-status").is_some()) {
        events.extend(failed(code_of_http(&status)));
        return events;
    }
    if trailers_only {
        events.extend(end(response.headers));
        return events;
    }
    match messages(&response.chunks.concat()) {
        Some(messages) => events.extend(messages.into_iter().map(CallEvent::Message)),
        None => {
            events.extend(failed(INTERNAL));
            return events;
        }
    }
    match response.trailers {
        Some(trailers) => events.extend(end(trailers)),
        None => events.extend(failed(UNKNOWN)),
    }
    events
}

/// The end of a call whose status came in these headers or trailers. A status that is no number is reported as Unknown.
fn end(metadata: Headers) -> [CallEvent; 2] {
    let code = metadata
        .get("grpc-status")
        .and_then(|code| code.parse().ok())
        .unwrap_or(UNKNOWN);
    let message = metadata.get("grpc-message").unwrap_or_default().to_owned() + VIA_UPSTREAM;
    [
        CallEvent::TrailingMetadata(metadata),
        CallEvent::Close { code, message },
    ]
}

/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
fn code_of_http(status: &str) -> u32 {
    match status {
        "400" => INTERNAL,
        "401" => 16,
        "403" => 7,
        "404" => 12,
        "429" | "502" | "503" | "504" => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// The callbacks of a call that the gateway itself ends with `code`: as a Trailers-Only answer would be, but for the
/// details in braces.
pub(super) fn failure_events(code: u32, message: &str, details: &str) -> [CallEvent; 3] {
    let metadata = Response::error(code, message).headers;
    let message = format!("{message}{{{details}}}");
    [
        CallEvent::InitialMetadata(Headers::default()),
        CallEvent::TrailingMetadata(metadata),
        CallEvent::Close { code, message },
    ]
}

const VIA_UPSTREAM: &str = "{via_upstream}";
const UNKNOWN: u32 = 2;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;
