//! Media types: the names that are used here, and what a `content-type` says.

use std::borrow::Cow;

/// One JSON value.
pub const JSON: &[u8] = b"application/json";

/// A problem of RFC 9457.
pub const PROBLEM: &[u8] = b"application/problem+json";

/// Bytes of which no more is known.
pub const OCTET_STREAM: &[u8] = b"application/octet-stream";

/// gRPC, with messages of whatever form.
pub const GRPC: &[u8] = b"application/grpc";

/// gRPC-Web, with protobuf messages.
pub const GRPC_WEB_PROTO: &[u8] = b"application/grpc-web+proto";

/// The same, in base64.
pub const GRPC_WEB_TEXT_PROTO: &[u8] = b"application/grpc-web-text+proto";

/// Server-sent events.
pub const EVENT_STREAM: &[u8] = b"text/event-stream";

/// JSON with one value a line, as it is written.
pub const NDJSON: &[u8] = b"application/x-ndjson";

/// All names of JSON with one value a line, NDJSON and JSON Lines.
pub const LINES: [&[u8]; 3] = [NDJSON, b"application/jsonl", b"application/ndjson"];

/// Names and values, as an HTML form sends them (URL standard, section 5).
pub const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// The media type of a `content-type` value: without its parameters, in lower case.
pub fn media_type(content_type: &[u8]) -> Cow<'_, [u8]> {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let media_type = content_type.get(..end).unwrap_or_default().trim_ascii();
    match media_type.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(media_type.to_ascii_lowercase()),
        false => Cow::Borrowed(media_type),
    }
}

/// What a gRPC client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcProtocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web.
    Web,
    /// gRPC-Web, in base64.
    WebText,
}

impl GrpcProtocol {
    /// The type of an answer, for a client of whatever message form.
    pub fn content_type(self) -> &'static [u8] {
        match self {
            Self::Grpc => GRPC,
            Self::Web => GRPC_WEB_PROTO,
            Self::WebText => GRPC_WEB_TEXT_PROTO,
        }
    }
}

/// What a `content-type` value says of gRPC; `None`: it is something else.
pub fn grpc_protocol(content_type: &[u8]) -> Option<GrpcProtocol> {
    // The most common one first.
    if content_type == JSON {
        return None;
    }
    let media_type = media_type(content_type);
    match media_type.strip_prefix(GRPC)? {
        // Of several headers gateways make one with commas, which servers that look at its beginning take for gRPC.
        b"" | [b'+' | b',', ..] => Some(GrpcProtocol::Grpc),
        rest if rest.starts_with(b"-web-text") => Some(GrpcProtocol::WebText),
        rest if rest.starts_with(b"-web") => Some(GrpcProtocol::Web),
        _ => None,
    }
}

/// Whether the messages under this `content-type`, which is gRPC's ([`grpc_protocol`]), are protobuf.
pub fn is_grpc_proto(content_type: &[u8]) -> bool {
    let media_type = media_type(content_type);
    let Some(rest) = media_type.strip_prefix(GRPC) else {
        return false;
    };
    matches!(
        rest,
        b"" | b"+proto" | b"-web" | b"-web+proto" | b"-web-text" | b"-web-text+proto"
    )
}

/// Whether a media type is JSON, by its name or by the suffix of RFC 6839.
pub fn is_json(media_type: &[u8]) -> bool {
    media_type == JSON || media_type.ends_with(b"+json")
}

/// Whether a media type is one of [`LINES`].
pub fn is_lines(media_type: &[u8]) -> bool {
    LINES.contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_in_protobuf_are_known() {
        for (content_type, expected) in [
            (&b"application/grpc"[..], true),
            (b"application/GRPC+Proto; x=y", true),
            (b"application/grpc-web", true),
            (b"application/grpc-web+proto", true),
            (b"application/grpc-web-text", true),
            (b"application/grpc-web-text+proto", true),
            (b"application/grpc+json", false),
            (b"application/grpc+protobuf", false),
            (b"application/grpc,application/grpc+json", false),
            (b"application/grpc-web+json", false),
            (b"application/grpc-web-text+json", false),
            (b"application/grpcish", false),
            (b"application/json", false),
            (b"", false),
        ] {
            assert_eq!(is_grpc_proto(content_type), expected, "{}", content_type.escape_ascii());
        }
    }

    #[test]
    fn a_content_type_is_read_without_case_and_parameters() {
        let cases: [(&[u8], Option<GrpcProtocol>, bool, bool); 17] = [
            (b"application/grpc", Some(GrpcProtocol::Grpc), false, false),
            (b"application/grpc,text/plain", Some(GrpcProtocol::Grpc), false, false),
            (b"Application/gRPC+proto; x=y", Some(GrpcProtocol::Grpc), false, false),
            (
                b"application/grpc-web-text+proto",
                Some(GrpcProtocol::WebText),
                false,
                false,
            ),
            (b"application/grpc-WEB-text", Some(GrpcProtocol::WebText), false, false),
            (b"application/grpc-web+proto", Some(GrpcProtocol::Web), false, false),
            (b"application/grpcish", None, false, false),
            (b"application/json", None, true, false),
            (b" Application/JSON ;charset=utf-8", None, true, false),
            (b"application/problem+json", None, true, false),
            (b"application/jsonp", None, false, false),
            (b"application/x-ndjson", None, false, true),
            (b"application/NDJSON", None, false, true),
            (b"application/jsonl; charset=utf-8", None, false, true),
            (b"text/event-stream", None, false, false),
            (b"", None, false, false),
            (b";", None, false, false),
        ];
        for (value, native, json, lines) in cases {
            let media_type = media_type(value);
            let found = (grpc_protocol(value), is_json(&media_type), is_lines(&media_type));
            assert_eq!(found, (native, json, lines), "{}", value.escape_ascii());
        }
    }
}
