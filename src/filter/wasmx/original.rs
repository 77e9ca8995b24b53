//! The request as the client sent it, from what nginx shows of it.

use crate::http::headers::Headers;
use crate::text::percent::{decode_lenient, encode_path};

/// Whether a request has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasBody {
    /// One that isn't empty.
    Yes,
    /// None.
    No,
    /// None, by `content-length`. HTTP/2 may send frames of it all the same.
    Empty,
    /// In chunks, the first of which may be the last and empty.
    Chunked,
    /// HTTP/2 says so by a flag that the host doesn't show.
    Unknown,
}

impl HasBody {
    /// What these request headers say, of a request whose line ends with `protocol`.
    pub fn of(headers: &Headers, protocol: &[u8]) -> Self {
        let http1 = protocol.starts_with(b"HTTP/1.");
        match headers.content_length() {
            _ if headers.get("transfer-encoding").is_some() => Self::Chunked,
            Some(0) if http1 => Self::No,
            Some(0) => Self::Empty,
            Some(_) => Self::Yes,
            // A length that is no number: the host has refused it, or else it is no length.
            None if headers.get("content-length").is_some() => Self::Unknown,
            None if http1 => Self::No,
            None => Self::Unknown,
        }
    }
}

/// The request's target. `shown` is the path decoded and normalised, with `query` as it is; `sent` is what the client sent.
/// That is better as long as it still is the same path: `%2F` in a variable is no separator.
pub fn target(shown: &[u8], query: &[u8], sent: &[u8]) -> Vec<u8> {
    let path = match query.is_empty() {
        true => shown.strip_suffix(b"?").unwrap_or(shown),
        false => shown
            .strip_suffix(query)
            .and_then(|rest| rest.strip_suffix(b"?"))
            .unwrap_or(shown),
    };
    let sent = sent.split(|byte| *byte == b'?').next().unwrap_or_default();
    let mut target = match decode_lenient(sent) == path {
        true => sent.to_vec(),
        false => encode_path(path),
    };
    if !query.is_empty() {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_the_one_that_was_sent_unless_a_plugin_changed_it() {
        let cases = [
            ("/a", "", "/a", "/a"),
            ("/a?x=1", "x=1", "/a?x=1", "/a?x=1"),
            ("/a?", "", "/a?", "/a"),
            // An escaped slash is no separator, and an escaped escape none either.
            ("/a/b", "", "/a%2Fb", "/a%2Fb"),
            ("/a%2Fb", "", "/a%252Fb", "/a%252Fb"),
            ("/a b?q=%20", "q=%20", "/a%20b?q=%20", "/a%20b?q=%20"),
            // nginx has normalised it, or a plugin has rewritten it.
            ("/b", "", "/a/../b", "/b"),
            ("/new?x=1", "x=1", "/old?x=1", "/new?x=1"),
            ("/new?y=2", "y=2", "/old?x=1", "/new?y=2"),
            ("/100%/what?", "", "/old", "/100%25/what"),
            ("/100%/what?/", "", "/old", "/100%25/what%3F/"),
            ("/a", "", "", "/a"),
        ];
        for (shown, query, sent, expected) in cases {
            let found = target(shown.as_bytes(), query.as_bytes(), sent.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), expected, "{shown} {query} {sent}");
        }
    }

    #[test]
    fn whether_there_is_a_body_is_in_the_headers_and_the_protocol() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, HasBody);
        let cases: [Case<'_>; 10] = [
            (&[], "HTTP/1.1", HasBody::No),
            (&[], "HTTP/2.0", HasBody::Unknown),
            (&[("content-length", "0")], "HTTP/1.1", HasBody::No),
            (&[("content-length", "0")], "HTTP/2.0", HasBody::Empty),
            (&[("content-length", "5")], "HTTP/1.0", HasBody::Yes),
            (&[("content-length", " 5 ")], "HTTP/2.0", HasBody::Yes),
            (&[("content-length", "x")], "HTTP/1.1", HasBody::Unknown),
            (&[("content-length", "")], "HTTP/2.0", HasBody::Unknown),
            (&[("transfer-encoding", "chunked")], "HTTP/1.1", HasBody::Chunked),
            (
                &[("content-length", "5"), ("transfer-encoding", "chunked")],
                "HTTP/1.1",
                HasBody::Chunked,
            ),
        ];
        for (fields, protocol, expected) in cases {
            let mut headers = Headers::default();
            for (name, value) in fields {
                headers.push(name.as_bytes(), value.as_bytes());
            }
            assert_eq!(
                HasBody::of(&headers, protocol.as_bytes()),
                expected,
                "{fields:?} {protocol}"
            );
        }
    }
}
