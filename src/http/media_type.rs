//! Media types, by the value of `content-type`.

use std::borrow::Cow;

/// gRPC itself and gRPC-Web are not JSON: they pass.
pub fn is_native(content_type: &[u8]) -> bool {
    let media_type = media_type(content_type);
    media_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b"-web"))
}

/// The type of a content-type value, without its parameters, in lower case.
pub fn media_type(content_type: &[u8]) -> Cow<'_, [u8]> {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let media_type = content_type.get(..end).unwrap_or_default().trim_ascii();
    match media_type.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(media_type.to_ascii_lowercase()),
        false => Cow::Borrowed(media_type),
    }
}

/// NDJSON and JSON Lines: one message a line.
pub fn is_lines(media_type: &[u8]) -> bool {
    matches!(
        media_type,
        b"application/x-ndjson" | b"application/ndjson" | b"application/jsonl"
    )
}
