//! Answers that Envoy made up because the upstream gave none, and how they are known.
//!
//! Where something went wrong between Envoy and the upstream, it answers in plain text, as the client asked in HTTP; to a
//! gRPC request it answers by a status alone. The attribute `response.code_details` says what happened.

use crate::exchange::HostReply;
use crate::http::headers::Headers;

/// Whether Envoy may have made up the response with these headers, so that its details are worth asking for.
pub fn may_be_made_up(headers: &Headers, end_of_stream: bool) -> bool {
    let plain = matches!(headers.get(":status"), Some(b"408" | b"413" | b"502" | b"503" | b"504"));
    let status_alone = end_of_stream && headers.get("grpc-status") == Some(b"14");
    plain || status_alone
}

/// What Envoy says by a response with these details; `None` if it is the upstream's.
pub fn host_reply(details: &[u8]) -> Option<HostReply> {
    if details.is_empty() || details == b"via_upstream" {
        return None;
    }
    log::debug!("no answer from the upstream: {}", String::from_utf8_lossy(details));
    if details == b"request_payload_too_large" {
        return Some(HostReply::TooLarge);
    }
    if memchr::memmem::find(details, b"timeout").is_some() || details == b"upstream_max_stream_duration_reached" {
        return Some(HostReply::Deadline);
    }
    Some(HostReply::Unreachable)
}

/// What Envoy says by closing a gRPC call with `code` and `message`; `None` if that is the upstream's. Envoy marks every
/// message that is its own with the details of what happened, `{…}`, and those of the upstream with `{via_upstream}`.
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
        let cases: [(&[u8], Option<HostReply>); 7] = [
            (b"", None),
            (b"via_upstream", None),
            (b"request_payload_too_large", Some(HostReply::TooLarge)),
            (b"response_timeout", Some(HostReply::Deadline)),
            (b"upstream_max_stream_duration_reached", Some(HostReply::Deadline)),
            (b"no_healthy_upstream", Some(HostReply::Unreachable)),
            (
                b"upstream_reset_before_response_started{connection_termination}",
                Some(HostReply::Unreachable),
            ),
        ];
        for (details, expected) in cases {
            assert_eq!(host_reply(details), expected, "{}", details.escape_ascii());
        }
    }

    #[test]
    fn only_some_responses_are_asked_for_their_details() {
        let cases = [
            (":status", "200", false, false),
            (":status", "503", false, true),
            (":status", "404", true, false),
            ("grpc-status", "14", true, true),
            ("grpc-status", "14", false, false),
            ("grpc-status", "5", true, false),
        ];
        for (name, value, end_of_stream, expected) in cases {
            let mut headers = Headers::default();
            headers.push(name.as_bytes(), value.as_bytes());
            assert_eq!(may_be_made_up(&headers, end_of_stream), expected, "{name}: {value}");
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
