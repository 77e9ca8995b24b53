//! The outcome of a call as the host reports it, without what the host adds to the message.

use super::code::Code;
use super::status::{Status, decode_message};

impl Status {
    /// The status with which a host closed a call: its number, and the percent-encoded message, from which
    /// [`strip_host_suffix`] takes what the host added. Without details: a host doesn't report them.
    ///
    /// For a call without a `grpc-status` in its trailing metadata; with one, [`Status::from_trailers`] knows more.
    pub fn from_host(code: i64, message: &[u8]) -> Self {
        let message = match message {
            // The details without a message: an upstream has answered, and not in gRPC. The code is by gRPC's own table.
            b"via_upstream" => "upstream: answered plain HTTP instead of gRPC".to_owned(),
            message => decode_message(strip_host_suffix(message)),
        };
        Self::new(Code::from_number(code), message)
    }
}

/// The message of a status that a host reports, without what the host appended to it.
///
/// Envoy's gRPC call API appends its response code details in braces, which may nest: `no such book{via_upstream}`,
/// `…{upstream_reset_before_response_started{connection_termination}}`. Only these details are cut off, as the
/// upstream's own words may end in braces too.
pub fn strip_host_suffix(message: &[u8]) -> &[u8] {
    let mut open = 0usize;
    for (at, byte) in message.iter().enumerate().rev() {
        match byte {
            b'}' => open += 1,
            b'{' => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 {
            return match message.split_at_checked(at) {
                Some((words, suffix)) if is_response_code_details(suffix) => words,
                _ => message,
            };
        }
    }
    message
}

/// Whether this is, in braces, one of Envoy's response code details of an upstream request
/// (`envoy/stream_info/stream_info.h`, `ResponseCodeDetailValues`).
fn is_response_code_details(suffix: &[u8]) -> bool {
    let Some(details) = suffix.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")) else {
        return false;
    };
    details.starts_with(b"upstream_")
        || matches!(
            details,
            b"via_upstream" | b"no_healthy_upstream" | b"cluster_not_found" | b"maintenance_mode" | b"overload"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_own_suffix_is_cut_off() {
        let table: [(&[u8], &[u8]); 13] = [
            (b"", b""),
            (b"no such book", b"no such book"),
            (b"no such book{via_upstream}", b"no such book"),
            (b"{via_upstream}", b""),
            (b"no book {id}{via_upstream}", b"no book {id}"),
            (b"no book {id}", b"no book {id}"),
            (b"{via_upstream} seen", b"{via_upstream} seen"),
            (
                b"reset{upstream_reset_before_response_started{connection_termination}}",
                b"reset",
            ),
            (b"late{upstream_response_timeout}", b"late"),
            (b"down{no_healthy_upstream}", b"down"),
            (b"odd}", b"odd}"),
            (b"odd via_upstream}", b"odd via_upstream}"),
            (b"x{{via_upstream}}", b"x{{via_upstream}}"),
        ];
        for (message, expected) in table {
            assert_eq!(strip_host_suffix(message), expected, "{:?}", str::from_utf8(message));
        }
    }

    #[test]
    fn a_host_status_is_stripped_and_decoded() {
        assert_eq!(
            Status::from_host(5, b"no%20book%7Bvia_upstream%7D{via_upstream}"),
            Status::new(Code::NotFound, "no book{via_upstream}")
        );
        assert_eq!(Status::from_host(99, b"").code, Code::Unknown);
        assert_eq!(
            Status::from_host(12, b"via_upstream"),
            Status::new(Code::Unimplemented, "upstream: answered plain HTTP instead of gRPC")
        );
    }
}
