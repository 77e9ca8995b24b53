//! What is Envoy's own: names of headers and properties, the form of an upstream, the marks of its own answers.
//!
//! Sources: Envoy's documentation of attributes, of the router's headers and of `config.core.v3.GrpcService`.

use std::time::Duration;

use base64::Engine as _;

use super::host::{self, Map};
use crate::exchange::HostReply;
use crate::grpc::metadata::is_binary;
use crate::http::headers::Headers;
use crate::text::base64::STANDARD;
use crate::wire::write_record;

/// The router's header for the timeout of one request, in milliseconds; the router takes it out.
pub const TIMEOUT_HEADER: &[u8] = b"x-envoy-upstream-rq-timeout-ms";

/// The same for a request whose headers go on in front of its body: that time runs from the start, while
/// [`TIMEOUT_HEADER`]'s begins when the request is complete, which a stream may never be.
pub const DURATION_HEADER: &[u8] = b"x-envoy-upstream-stream-duration-ms";

/// The path before a filter changed it; Envoy's own access log formats print it.
pub const ORIGINAL_PATH_HEADER: &[u8] = b"x-envoy-original-path";

/// The value of [`TIMEOUT_HEADER`]: at least 1, since 0 means no timeout.
pub fn timeout_value(timeout: Duration) -> String {
    timeout.as_millis().clamp(1, u128::from(u32::MAX)).to_string()
}

/// What a 400 is sent as, to become 400 again on its way through this filter: Envoy closes an HTTP/1.1 connection behind
/// a 400 that a filter sends, whatever other requests wait on it.
pub const BAD_REQUEST_STAND_IN: u16 = 422;

/// A serialized `envoy.config.core.v3.GrpcService` with `envoy_grpc { cluster_name, authority }`.
///
/// A bare cluster name will not do: Envoy parses it as this message first, and one that happens to parse aborts Envoy.
pub fn grpc_service(cluster: &str, authority: Option<&str>) -> Vec<u8> {
    let mut envoy_grpc = Vec::with_capacity(cluster.len() + 8);
    write_record(1, cluster.as_bytes(), &mut envoy_grpc);
    if let Some(authority) = authority {
        write_record(2, authority.as_bytes(), &mut envoy_grpc);
    }
    let mut service = Vec::with_capacity(envoy_grpc.len() + 8);
    write_record(1, &envoy_grpc, &mut service);
    service
}

/// Metadata as Envoy's gRPC client takes them: the values of `-bin` names as bytes, which it writes in base64 itself.
pub fn call_metadata(metadata: &Headers) -> Headers {
    let mut converted = Headers::default();
    // A client's own would stand beside the one that is added, and Envoy would read neither of them.
    for (name, value) in metadata.iter().filter(|(name, _)| *name != TIMEOUT_HEADER) {
        match is_binary(name).then(|| STANDARD.decode(value)) {
            Some(Ok(bytes)) => converted.push(name, &bytes),
            _ => converted.push(name, value),
        }
    }
    converted
}

/// The HTTP status of the response whose headers are coming.
pub fn response_status() -> Option<u16> {
    host::headers(Map::ResponseHeaders).ok()?.status()
}

/// The cluster of the route that the current request took.
pub fn route_cluster() -> Option<String> {
    [&["xds", "cluster_name"][..], &["cluster_name"]]
        .into_iter()
        .filter_map(|path| host::property(path).ok())
        .filter(|name| !name.is_empty())
        .find_map(|name| String::from_utf8(name).ok())
}

/// Whether Envoy made up the response whose headers are `headers`: where something went wrong between it and the
/// upstream, it answers in plain text, as the client asked in HTTP; to a gRPC request it answers by a status alone.
pub fn host_reply(headers: &Headers, end_of_stream: bool) -> Option<HostReply> {
    let plain = matches!(headers.get(":status"), Some(b"408" | b"413" | b"502" | b"503" | b"504"));
    let status_alone = end_of_stream && headers.get("grpc-status") == Some(b"14");
    if !plain && !status_alone {
        return None;
    }
    let details = host::property(&["response", "code_details"]).ok()?;
    if details.is_empty() || details == b"via_upstream" {
        return None;
    }
    log::debug!("no answer from the upstream: {}", String::from_utf8_lossy(&details));
    if details == b"request_payload_too_large" {
        return Some(HostReply::TooLarge);
    }
    if memchr::memmem::find(&details, b"timeout").is_some() || details == b"upstream_max_stream_duration_reached" {
        return Some(HostReply::Deadline);
    }
    Some(HostReply::Unreachable)
}

/// The same for a gRPC call that closed with `code` and `message`. Envoy marks every message that is its own with the
/// details of what happened, `{…}`, and those of the upstream with `{via_upstream}`.
pub fn call_host_reply(code: u32, message: &[u8]) -> Option<HostReply> {
    if code == 13 && (message == b"response_timeout" || message.ends_with(b"{response_timeout}")) {
        return Some(HostReply::Deadline);
    }
    if code != 14 || !message.ends_with(b"}") || message.ends_with(b"{via_upstream}") {
        return None;
    }
    log::debug!("no answer from the upstream: {}", String::from_utf8_lossy(message));
    if message.starts_with(b"upstream request timeout") {
        return Some(HostReply::Deadline);
    }
    Some(HostReply::Unreachable)
}
