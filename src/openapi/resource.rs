//! What is served as it is: bytes, and the headers around them.

use crate::http::media_type::JSON;

/// Bytes with a type of their own.
#[derive(Debug)]
pub struct Resource {
    /// `content-type`.
    pub content_type: &'static [u8],
    /// `etag`: a hash of the body, in quotes (RFC 9110, section 8.8.3).
    pub etag: Box<[u8]>,
    /// `content-security-policy`, of a page.
    pub policy: Option<Box<[u8]>>,
    /// The body, in pieces.
    pub body: Vec<Box<[u8]>>,
}

/// The methods that a resource has, as the value of an `allow` header.
pub const ALLOW: &str = "GET, HEAD";

/// Clients ask whether what they have is still true: a configuration can change at any time.
pub const CACHE_CONTROL: &[u8] = b"no-cache";

impl Resource {
    pub(super) fn json(body: Vec<Box<[u8]>>) -> Self {
        Self::new(JSON, body)
    }

    pub(super) fn new(content_type: &'static [u8], body: Vec<Box<[u8]>>) -> Self {
        Self {
            content_type,
            etag: format!("\"{:016x}\"", fnv(&body)).into_bytes().into(),
            policy: None,
            body,
        }
    }

    /// How many bytes the body has.
    pub fn length(&self) -> usize {
        self.body.iter().map(|piece| piece.len()).sum()
    }

    /// Whether a client that sends this `if-none-match` has the body already (RFC 9110, section 13.1.2).
    pub fn is_known(&self, if_none_match: &[u8]) -> bool {
        let mut tags = if_none_match.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == &*self.etag)
    }
}

/// FNV-1a (IETF draft-eastlake-fnv): what changes gets another tag, and nobody gains by finding two alike.
fn fnv(pieces: &[Box<[u8]>]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    pieces.iter().flatten().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_every_form_of_the_header() {
        let resource = Resource::json(vec![(*b"{}").into()]);
        let tag = String::from_utf8(resource.etag.to_vec()).unwrap();
        assert_ne!(tag.as_bytes(), &*Resource::json(vec![(*b"[]").into()]).etag);
        for (value, expected) in [
            (tag.clone(), true),
            (format!("W/{tag}"), true),
            (format!("\"other\", {tag}"), true),
            ("*".to_owned(), true),
            ("\"other\"".to_owned(), false),
            (tag.trim_matches('"').to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(resource.is_known(value.as_bytes()), expected, "{value}");
        }
    }
}
