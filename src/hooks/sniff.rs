//! The type of a body that nobody has named, as Go's `net/http` finds it for texts (`DetectContentType`, after the
//! WHATWG's "MIME Sniffing").

use crate::http::headers::Headers;

/// Adds the type of the body to the headers of a response where they have none and don't say that it is encoded, as
/// Go's server does it.
pub fn add_content_type(body: &[u8], headers: &mut Headers) {
    if headers.get("content-type").is_none()
        && headers.get("content-encoding").is_none_or(<[u8]>::is_empty)
        && let Some(sniffed) = content_type(body)
    {
        headers.push(b"content-type", sniffed.as_bytes());
    }
}

/// The type of a body; `None` of an empty one.
pub fn content_type(body: &[u8]) -> Option<&'static str> {
    let start = body.get(..512).unwrap_or(body);
    let trimmed = start.trim_ascii_start();
    let begins_with = |mark: &str| start.starts_with(mark.as_bytes());
    Some(if body.is_empty() {
        return None;
    } else if HTML.iter().any(|tag| is_tag(trimmed, tag)) || trimmed.starts_with(b"<!--") {
        "text/html; charset=utf-8"
    } else if trimmed.starts_with(b"<?xml") {
        "text/xml; charset=utf-8"
    } else if begins_with("%PDF-") {
        "application/pdf"
    } else if begins_with("%!PS-Adobe-") {
        "application/postscript"
    } else if begins_with("\u{feff}") {
        "text/plain; charset=utf-8"
    } else if begins_with("GIF87a") || begins_with("GIF89a") {
        "image/gif"
    } else if trimmed.iter().any(is_binary) {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    })
}

/// Tags that HTML begins with.
const HTML: [&[u8]; 16] = [
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
];

/// Whether `text` begins with a tag, in whatever case, that ends there.
fn is_tag(text: &[u8], tag: &[u8]) -> bool {
    text.split_at_checked(tag.len())
        .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(tag) && matches!(rest, [b' ' | b'>', ..]))
}

fn is_binary(byte: &u8) -> bool {
    matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)
}
