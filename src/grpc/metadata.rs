//! Which HTTP headers are metadata and which metadata are HTTP headers: the one list of names.
//!
//! Sources: RFC 9110 section 7.6.1 (hop-by-hop), `doc/PROTOCOL-HTTP2.md` ("Custom-Metadata", reserved names). Names
//! are in lower case, as Envoy hands them out; those of a host that leaves them as an HTTP/1.1 peer wrote them are lowered
//! where they are read. Every function here is called for each header of each request, so a name is told by its length
//! first.

/// What becomes of a header field of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestHeader {
    /// It is metadata.
    Forward,
    /// It holds several binary values ([`binary_values`]), which are metadata one by one. As a list they are the same by
    /// `doc/PROTOCOL-HTTP2.md`; but gRPC's C core takes the list for malformed, and after it any value of the name on the
    /// connection, whoever sends it.
    List,
    /// Its name ends here: it belongs to the connection or to the body, or gRPC reserves it.
    Drop,
    /// Its value cannot be metadata ([`is_metadata_value`]); another field of that name may.
    Invalid,
}

/// What becomes of a header field of an HTTP request.
#[inline]
pub fn request_header(name: &[u8], value: &[u8], connection: &ConnectionOptions<'_>) -> RequestHeader {
    if is_connection_header(name)
        || is_framing_header(name)
        || is_request_only(name)
        || (is_reserved(name) && !is_tracing(name))
        || !is_metadata_name(name)
        || connection.names(name)
    {
        RequestHeader::Drop
    } else if !is_metadata_value(name, value) {
        RequestHeader::Invalid
    } else if is_binary(name) && value.contains(&b',') {
        RequestHeader::List
    } else {
        RequestHeader::Forward
    }
}

/// The values of metadata that a header field of an HTTP request becomes: one, none, or those of a list.
pub fn metadata_values<'v>(
    name: &[u8],
    value: &'v [u8],
    connection: &ConnectionOptions<'_>,
) -> impl Iterator<Item = &'v [u8]> {
    let (whole, list) = match request_header(name, value, connection) {
        RequestHeader::Forward => (Some(value), None),
        RequestHeader::List => (None, Some(value)),
        RequestHeader::Drop | RequestHeader::Invalid => (None, None),
    };
    whole.into_iter().chain(list.into_iter().flat_map(binary_values))
}

/// The names in a message's `connection` headers: its sender's further hop-by-hop headers.
#[derive(Clone, Debug, Default)]
pub struct ConnectionOptions<'h>(Vec<&'h [u8]>);

/// The names in `headers` called `connection`; several of them are one list.
#[inline]
pub fn connection_options<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> ConnectionOptions<'h> {
    ConnectionOptions(
        headers
            .filter(|(name, _)| is(name, b"connection"))
            .map(|(_, value)| value)
            .collect(),
    )
}

impl ConnectionOptions<'_> {
    /// Whether `name` is one of them.
    #[inline]
    pub fn names(&self, name: &[u8]) -> bool {
        self.0
            .iter()
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(name))
    }
}

/// Whether one of the upstream's initial or trailing metadata becomes a response header. Those of the connection, of
/// the body and of gRPC don't, nor does `x-http-code` ([`success_status`]).
#[inline]
pub fn is_response_header(name: &[u8], value: &[u8], connection: &ConnectionOptions<'_>) -> bool {
    !is_connection_header(name)
        && !is_framing_header(name)
        && !is_reserved(name)
        && !is_http_code(name)
        && is_metadata_name(name)
        && is_header_value(value)
        && !connection.names(name)
}

/// Whether a value may be sent as metadata under this name: printable ASCII; for a name in `-bin`, base64 with the
/// standard alphabet, padded or not, several values separated by commas.
#[inline]
pub fn is_metadata_value(name: &[u8], value: &[u8]) -> bool {
    if is_binary(name) {
        binary_values(value).all(is_base64)
    } else {
        are_all(METADATA_VALUE, value)
    }
}

/// The values that a field with a name in `-bin` holds.
pub fn binary_values(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether a value may be a header of an HTTP response (RFC 9110 section 5.5): with a CR, LF or NUL in it, it could
/// end its own line and begin another.
#[inline]
pub fn is_header_value(value: &[u8]) -> bool {
    are_all(HEADER_VALUE, value)
}

/// The HTTP status that a service chooses for a success by the metadata `x-http-code`: 200 to 299. `None` for any
/// other value, and for metadata of any other name.
pub fn success_status(name: &[u8], value: &[u8]) -> Option<u16> {
    if !is_http_code(name) {
        return None;
    }
    match value.trim_ascii() {
        [b'2', tens @ b'0'..=b'9', units @ b'0'..=b'9'] => {
            Some(200 + u16::from(tens - b'0') * 10 + u16::from(units - b'0'))
        }
        _ => None,
    }
}

/// Whether the name ends in `-bin`: its value is base64.
#[inline]
pub fn is_binary(name: &[u8]) -> bool {
    name.ends_with(b"-bin")
}

/// Headers that belong to one connection, not to the message.
#[inline]
pub fn is_connection_header(name: &[u8]) -> bool {
    match name.len() {
        2 => is(name, b"te"),
        7 => is(name, b"trailer") || is(name, b"upgrade"),
        10 => is(name, b"connection") || is(name, b"keep-alive"),
        14 => is(name, b"http2-settings"),
        16 => is(name, b"proxy-connection"),
        17 => is(name, b"transfer-encoding"),
        18 => is(name, b"proxy-authenticate"),
        19 => is(name, b"proxy-authorization"),
        25 => is(name, b"proxy-authentication-info"),
        _ => false,
    }
}

/// Headers that describe a body, which is another one on the other side.
#[inline]
fn is_framing_header(name: &[u8]) -> bool {
    match name.len() {
        6 => is(name, b"digest"),
        11 => is(name, b"content-md5") || is(name, b"repr-digest"),
        12 => is(name, b"content-type"),
        13 => is(name, b"content-range"),
        14 => is(name, b"content-length") || is(name, b"content-digest"),
        16 => is(name, b"content-encoding"),
        _ => false,
    }
}

/// Headers of a request that concern its body, its answer's body or its host, and mean nothing in an answer.
#[inline]
fn is_request_only(name: &[u8]) -> bool {
    match name.len() {
        4 => is(name, b"host"),
        6 => is(name, b"expect"),
        15 => is(name, b"accept-encoding"),
        _ => false,
    }
}

/// Names that gRPC keeps for itself: `grpc-timeout`, `grpc-status`, `grpc-encoding`, …
///
/// A client's `grpc-accept-encoding` is about answers that it doesn't get, and could name what isn't read here. None takes its
/// place: it would have services compress that otherwise don't, for a gateway that is mostly next to them, and Envoy's gRPC
/// calls refuse what is compressed.
#[inline]
fn is_reserved(name: &[u8]) -> bool {
    name.starts_with(b"grpc-")
}

/// Reserved names that carry trace context and census tags from peer to peer, and change nothing in the call.
#[inline]
fn is_tracing(name: &[u8]) -> bool {
    match name.len() {
        13 => is(name, b"grpc-tags-bin"),
        14 => is(name, b"grpc-trace-bin"),
        _ => false,
    }
}

#[inline]
fn is_http_code(name: &[u8]) -> bool {
    is(name, b"x-http-code")
}

/// Whether a name may be metadata: lower-case letters, digits, `_`, `-`, `.`. Pseudo headers (`:path`) are not.
#[inline]
pub fn is_metadata_name(name: &[u8]) -> bool {
    !name.is_empty() && are_all(METADATA_NAME, name)
}

const METADATA_NAME: u8 = 1;
const METADATA_VALUE: u8 = 2;
const HEADER_VALUE: u8 = 4;

/// What each byte may be part of.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static PART_OF: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let byte = index as u8;
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.') {
            table[index] |= METADATA_NAME;
        }
        if matches!(byte, b' '..=b'~') {
            table[index] |= METADATA_VALUE;
        }
        if matches!(byte, b'\t' | b' '..=b'~' | 0x80..) {
            table[index] |= HEADER_VALUE;
        }
        index += 1;
    }
    table
};

/// Whether all bytes may be part of `what`. Most are, so that none is worth a branch.
#[inline]
fn are_all(what: u8, bytes: &[u8]) -> bool {
    let common = bytes.iter().fold(what, |common, byte| {
        common & PART_OF.get(usize::from(*byte)).copied().unwrap_or_default()
    });
    common == what
}

#[inline]
fn is(name: &[u8], lower_case: &[u8]) -> bool {
    name == lower_case
}

fn is_base64(value: &[u8]) -> bool {
    let unpadded = value
        .strip_suffix(b"==")
        .or_else(|| value.strip_suffix(b"="))
        .unwrap_or(value);
    let whole = unpadded.len() == value.len() || value.len().is_multiple_of(4);
    whole
        && unpadded.len() % 4 != 1
        && unpadded
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, connection: &str) -> RequestHeader {
        let headers = [("accept", "a"), ("connection", connection)];
        let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        request_header(name.as_bytes(), b"AAEC", &connection_options(headers.into_iter()))
    }

    #[test]
    fn request_headers_are_metadata_except_those_of_connection_body_and_grpc() {
        for name in [
            "accept",
            "authorization",
            "baggage",
            "cookie",
            "forwarded",
            "grpc-tags-bin",
            "grpc-trace-bin",
            "grpcish",
            "traceparent",
            "tracestate",
            "user-agent",
            "x-forwarded-for",
            "x-http-code",
            "x-request-id",
            "x_custom.name-bin",
        ] {
            assert_eq!(header(name, ""), RequestHeader::Forward, "{name}");
        }
        for name in [
            "",
            ":authority",
            ":method",
            ":path",
            ":scheme",
            "accept-encoding",
            "connection",
            "Connection",
            "content-digest",
            "content-encoding",
            "content-length",
            "content-md5",
            "content-range",
            "content-type",
            "Content-Type",
            "digest",
            "expect",
            "grpc-accept-encoding",
            "grpc-encoding",
            "grpc-message",
            "grpc-previous-rpc-attempts",
            "grpc-status",
            "grpc-status-details-bin",
            "grpc-timeout",
            "Grpc-Timeout",
            "host",
            "http2-settings",
            "keep-alive",
            "proxy-authentication-info",
            "proxy-authorization",
            "proxy-connection",
            "repr-digest",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "not a name",
            // No host hands these out.
            "X-Mixed-Case",
            "x\r\ny",
            "caf\u{e9}",
        ] {
            assert_eq!(header(name, ""), RequestHeader::Drop, "{name}");
        }
    }

    #[test]
    fn metadata_become_response_headers_except_those_of_connection_body_and_grpc() {
        for name in [
            "server",
            "date",
            "set-cookie",
            "etag",
            "x-trace-id",
            "x-data-bin",
            "location",
        ] {
            let none = ConnectionOptions::default();
            assert!(is_response_header(name.as_bytes(), b"x", &none), "{name}");
        }
        for name in [
            "",
            ":status",
            "connection",
            "content-encoding",
            "content-length",
            "content-type",
            "grpc-accept-encoding",
            "grpc-encoding",
            "grpc-message",
            "Grpc-Status",
            "grpc-status",
            "grpc-status-details-bin",
            "grpc-trace-bin",
            "keep-alive",
            "proxy-authenticate",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-http-code",
            "X-Http-Code",
            "x\r\ny",
            "x y",
        ] {
            let none = ConnectionOptions::default();
            assert!(!is_response_header(name.as_bytes(), b"x", &none), "{name}");
        }
    }

    #[test]
    fn metadata_values_are_printable_ascii() {
        let table: [(&[u8], bool); 9] = [
            (b"", true),
            (b"plain ~!", true),
            (b"Bearer abc.def==", true),
            (b"tab\there", false),
            (b"line\r\nbreak", false),
            (b"nul\0", false),
            (b"del\x7f", false),
            ("caf\u{e9}".as_bytes(), false),
            (b"\xff", false),
        ];
        for (value, expected) in table {
            assert_eq!(is_metadata_value(b"x-name", value), expected, "{value:?}");
        }
    }

    #[test]
    fn binary_values_are_base64() {
        for (value, expected) in [
            ("", true),
            ("AAEC", true),
            ("+/==", true),
            ("AA==", true),
            ("AA", true),
            ("AAE=", true),
            ("AAE", true),
            ("AAEC, AA==,AAE", true),
            ("A", false),
            ("AAECA", false),
            ("AA=", false),
            ("A===", false),
            ("====", false),
            ("=", false),
            ("AAEC=", false),
            ("AAEC==", false),
            ("A=A=", false),
            ("-_8", false),
            ("not base64!", false),
            ("AAEC,*", false),
        ] {
            assert_eq!(is_metadata_value(b"x-data-bin", value.as_bytes()), expected, "{value}");
        }
        assert!(!is_metadata_value(b"x-data-bin", b"\xff"));
        assert!(is_metadata_value(b"x-cabin", b"not base64!"));
    }

    #[test]
    fn nothing_ends_a_header_line() {
        let table: [(&[u8], bool); 7] = [
            (b"", true),
            (b"a b\tc", true),
            ("caf\u{e9}".as_bytes(), true),
            (b"\xff", true),
            (b"a\r\nset-cookie: x", false),
            (b"a\nb", false),
            (b"a\0", false),
        ];
        for (value, expected) in table {
            assert_eq!(is_header_value(value), expected, "{value:?}");
            let none = ConnectionOptions::default();
            assert_eq!(is_response_header(b"x-name", value, &none), expected, "{value:?}");
        }
        for control in (0..0x20).filter(|byte| *byte != b'\t').chain([0x7f]) {
            assert!(!is_header_value(&[b'a', control, b'b']), "{control:#x}");
        }
    }

    #[test]
    fn headers_that_the_connection_header_names_end_here() {
        for (connection, name, expected) in [
            ("", "x-one", RequestHeader::Forward),
            ("close", "x-one", RequestHeader::Forward),
            ("x-one", "x-one", RequestHeader::Drop),
            (" keep-alive ,X-One,, x-two", "x-one", RequestHeader::Drop),
            (" keep-alive ,X-One,, x-two", "x-two", RequestHeader::Drop),
            ("x-one, x-two", "x-on", RequestHeader::Forward),
            ("x-one, x-two", "", RequestHeader::Drop),
        ] {
            assert_eq!(header(name, connection), expected, "{name} under {connection:?}");
        }
        let one = [("connection", "close, x-one"), ("connection", "X-Two")];
        let one = connection_options(one.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        for (name, forwarded) in [("x-one", false), ("x-two", false), ("x-three", true)] {
            assert_eq!(is_response_header(name.as_bytes(), b"1", &one), forwarded, "{name}");
        }
    }

    #[test]
    fn a_bad_value_is_told_from_a_bad_name() {
        let none = ConnectionOptions::default();
        for (name, value, expected) in [
            ("x-name", &b"\xff"[..], RequestHeader::Invalid),
            ("x-data-bin", b"*", RequestHeader::Invalid),
            ("x-data-bin", b"AA==", RequestHeader::Forward),
            ("x-data-bin", b"AA==, AQ", RequestHeader::List),
            ("x-data-bin", b"AA==, *", RequestHeader::Invalid),
            ("x-data", b"a, b", RequestHeader::Forward),
            ("grpc-timeout", b"\xff", RequestHeader::Drop),
        ] {
            assert_eq!(
                request_header(name.as_bytes(), value, &none),
                expected,
                "{name} {value:?}"
            );
        }
    }

    #[test]
    fn only_a_status_of_success_can_be_set() {
        for (value, expected) in [
            ("200", Some(200)),
            ("201", Some(201)),
            (" 204 ", Some(204)),
            ("299", Some(299)),
            ("199", None),
            ("300", None),
            ("404", None),
            ("20", None),
            ("2000", None),
            ("2x1", None),
            ("", None),
        ] {
            assert_eq!(success_status(b"x-http-code", value.as_bytes()), expected, "{value}");
        }
        assert_eq!(success_status(b"x-http-codes", b"201"), None);
    }
}
