//! Answers that Envoy made up because the upstream gave none, and how they are known.
//!
//! If a request doesn't reach the upstream, or something goes wrong between the two, Envoy answers itself (a local
//! reply): in plain text to an HTTP request, and with only a status to a gRPC request. The attribute
//! `response.code_details` says what happened (`envoy/stream_info/stream_info.h`, `ResponseCodeDetailValues`).

use crate::exchange::HostReply;
use crate::grpc::connect;
use crate::http::headers::Headers;
use crate::http::media_type::GRPC;

/// The Connect bridge's details of an answer that is more than it holds.
#[cfg(target_arch = "wasm32")]
pub const BRIDGE_OVERFLOW: &[u8] = b"connect_bridge_unary_response_too_large";

/// Whether Envoy may have made up the response with these headers. Only then its details are asked for. They aren't for
/// what only a gRPC server sends, or a bridge for it.
pub fn may_be_made_up(headers: &Headers, end_of_stream: bool) -> bool {
    // The second is what only the Connect bridge makes of a message.
    let plain = headers.get(":status") != Some(b"200")
        || !headers
            .get("content-type")
            .is_some_and(|content_type| content_type.starts_with(GRPC) || content_type == connect::MESSAGE);
    // Its gRPC-Web filter puts the status of a plain answer into the headers, and lets an empty body follow.
    match headers.get("grpc-status") {
        _ if plain => true,
        Some(status) => !end_of_stream || status == b"14",
        None => false,
    }
}

/// What Envoy says by a response with these details and headers; `None` if it is the upstream's.
pub fn host_reply(details: &[u8], headers: &Headers) -> Option<HostReply> {
    if details.is_empty() || details == b"via_upstream" {
        return None;
    }
    log::debug!("no answer from the upstream: {}", String::from_utf8_lossy(details));
    let http_status = headers.status().unwrap_or(0);
    let status_alone = http_status == 200 && headers.get("grpc-status") == Some(b"14");
    Some(match details {
        b"request_payload_too_large" | b"connect_bridge_unary_request_too_large" => HostReply::TooLarge,
        b"route_not_found" => HostReply::NoRoute,
        b"cluster_not_found" => HostReply::NoUpstream,
        b"direct_response" => HostReply::Route(http_status),
        b"upstream_max_stream_duration_reached" => HostReply::Deadline,
        _ if !status_alone && !matches!(http_status, 408 | 502..=504) => HostReply::Filter,
        _ if memchr::memmem::find(details, b"timeout").is_some() => HostReply::Deadline,
        _ if details.starts_with(b"upstream_reset_before_response_started{remote_") => HostReply::BrokenOff,
        _ => HostReply::Unreachable,
    })
}

/// What happened, if Envoy has closed a gRPC call itself with `code` and `message`; `None` if that is the upstream's
/// status. Each message of Envoy's own ends with the details of what happened, `{…}`, and each of the upstream's with
/// `{via_upstream}`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_that_envoy_made_up_is_known_by_its_details() {
        let cases: [(&[u8], &str, Option<HostReply>); 14] = [
            (b"", "503", None),
            (b"via_upstream", "503", None),
            (b"via_upstream", "404", None),
            (b"request_payload_too_large", "413", Some(HostReply::TooLarge)),
            (
                b"connect_bridge_unary_request_too_large",
                "413",
                Some(HostReply::TooLarge),
            ),
            (b"response_timeout", "504", Some(HostReply::Deadline)),
            (
                b"upstream_max_stream_duration_reached",
                "408",
                Some(HostReply::Deadline),
            ),
            (b"no_healthy_upstream", "503", Some(HostReply::Unreachable)),
            (
                b"upstream_reset_before_response_started{connection_termination}",
                "503",
                Some(HostReply::Unreachable),
            ),
            (
                b"upstream_reset_before_response_started{remote_reset}",
                "503",
                Some(HostReply::BrokenOff),
            ),
            (b"route_not_found", "404", Some(HostReply::NoRoute)),
            (b"cluster_not_found", "503", Some(HostReply::NoUpstream)),
            (b"direct_response", "301", Some(HostReply::Route(301))),
            (
                b"rbac_access_denied_matched_policy[no_timeout]",
                "403",
                Some(HostReply::Filter),
            ),
        ];
        for (details, status, expected) in cases {
            let mut headers = Headers::default();
            headers.push(b":status", status.as_bytes());
            assert_eq!(host_reply(details, &headers), expected, "{}", details.escape_ascii());
        }
    }

    #[test]
    fn only_some_responses_are_asked_for_their_details() {
        let grpc = ("content-type", "application/grpc");
        type Case<'c> = (&'c [(&'c str, &'c str)], bool, bool);
        let cases: [Case<'_>; 11] = [
            (
                &[(":status", "200"), ("content-type", "application/proto")],
                false,
                false,
            ),
            (&[(":status", "200"), grpc], false, false),
            (&[(":status", "200"), grpc], true, false),
            (&[(":status", "200"), grpc, ("grpc-status", "5")], true, false),
            (&[(":status", "200"), grpc, ("grpc-status", "14")], true, true),
            (&[(":status", "200"), grpc, ("grpc-status", "2")], false, true),
            (&[(":status", "200"), ("content-type", "text/plain")], false, true),
            (&[(":status", "200")], true, true),
            (&[(":status", "503")], false, true),
            (&[(":status", "404")], true, true),
            (&[(":status", "404"), grpc], true, true),
        ];
        for (lines, end_of_stream, expected) in cases {
            let mut headers = Headers::default();
            for (name, value) in lines {
                headers.push(name.as_bytes(), value.as_bytes());
            }
            assert_eq!(may_be_made_up(&headers, end_of_stream), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_call_that_envoy_closed_is_known_by_the_mark_in_its_message() {
        let cases: [(u32, &[u8], Option<HostReply>); 9] = [
            (13, b"response_timeout", Some(HostReply::Deadline)),
            (13, b"late{response_timeout}", Some(HostReply::Deadline)),
            (13, b"late", None),
            (14, b"down", None),
            (14, b"down{via_upstream}", None),
            (14, b"down{no_healthy_upstream}", Some(HostReply::Unreachable)),
            (
                14,
                b"upstream request timeout{upstream_response_timeout}",
                Some(HostReply::Deadline),
            ),
            (5, b"no such book{no_healthy_upstream}", None),
            (14, b"", None),
        ];
        for (code, message, expected) in cases {
            assert_eq!(
                call_host_reply(code, message),
                expected,
                "{code} {}",
                message.escape_ascii()
            );
        }
    }
}
