//! Media types: the names that are used here, and what a `content-type` says.

use std::borrow::Cow;

/// One JSON value.
pub const JSON: &[u8] = b"application/json";

/// Bytes of which no more is known.
pub const OCTET_STREAM: &[u8] = b"application/octet-stream";

/// gRPC, with messages of whatever form.
pub const GRPC: &[u8] = b"application/grpc";

/// gRPC-Web, with protobuf messages.
pub const GRPC_WEB_PROTO: &[u8] = b"application/grpc-web+proto";

/// Server-sent events.
pub const EVENT_STREAM: &[u8] = b"text/event-stream";

/// JSON with one value a line, as it is written.
pub const NDJSON: &[u8] = b"application/x-ndjson";

/// All names of JSON with one value a line, NDJSON and JSON Lines.
pub const LINES: [&[u8]; 3] = [NDJSON, b"application/jsonl", b"application/ndjson"];

/// The media type of a `content-type` value: without its parameters, in lower case.
pub fn media_type(content_type: &[u8]) -> Cow<'_, [u8]> {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let media_type = content_type.get(..end).unwrap_or_default().trim_ascii();
    match media_type.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(media_type.to_ascii_lowercase()),
        false => Cow::Borrowed(media_type),
    }
}

/// Whether a `content-type` value says gRPC or gRPC-Web.
pub fn is_native_grpc(content_type: &[u8]) -> bool {
    media_type(content_type)
        .strip_prefix(GRPC)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b"-web"))
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
    fn a_content_type_is_read_without_case_and_parameters() {
        let cases: [(&[u8], bool, bool, bool); 14] = [
            (b"application/grpc", true, false, false),
            (b"Application/gRPC+proto; x=y", true, false, false),
            (b"application/grpc-web-text+proto", true, false, false),
            (b"application/grpcish", false, false, false),
            (b"application/json", false, true, false),
            (b" Application/JSON ;charset=utf-8", false, true, false),
            (b"application/problem+json", false, true, false),
            (b"application/jsonp", false, false, false),
            (b"application/x-ndjson", false, false, true),
            (b"application/NDJSON", false, false, true),
            (b"application/jsonl; charset=utf-8", false, false, true),
            (b"text/event-stream", false, false, false),
            (b"", false, false, false),
            (b";", false, false, false),
        ];
        for (value, native, json, lines) in cases {
            let media_type = media_type(value);
            let found = (is_native_grpc(value), is_json(&media_type), is_lines(&media_type));
            assert_eq!(found, (native, json, lines), "{}", value.escape_ascii());
        }
    }
}
