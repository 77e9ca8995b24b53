//! The `url` of an answer, read as Go's `url.ParseRequestURI` reads it. Only path and query are used.

use super::query::append_escape;
use crate::text::percent::malformed_escape;

/// Path and query of a URL, as it spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'u> {
    /// It may be empty, of a URL that ends with its host.
    path: &'u str,
    /// What follows the first `?`; empty where there is none.
    pub query: &'u str,
}

impl<'u> Target<'u> {
    /// Path and query of a target that is no absolute URL, whatever they are.
    pub fn split(target: &'u str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { path, query }
    }

    /// Reads an absolute path or an absolute URL. `None`: it is neither.
    pub fn parse(url: &'u str) -> Option<Self> {
        if url.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let Self { path, query } = Self::split(url);
        let path = match scheme(path) {
            // The asterisk-form of OPTIONS (RFC 9110, section 9.3.7).
            None if url == "*" => url,
            None => Some(path).filter(|path| path.starts_with('/'))?,
            Some(rest) => match rest.strip_prefix("//") {
                Some(authority) => authority
                    .find('/')
                    .and_then(|at| authority.get(at..))
                    .unwrap_or_default(),
                None => Some(rest).filter(|path| path.starts_with('/'))?,
            },
        };
        malformed_escape(path.as_bytes())
            .is_none()
            .then_some(Self { path, query })
    }

    /// Appends the path. What can't stand there is escaped.
    pub fn append_path(&self, out: &mut Vec<u8>) {
        if self.path.is_empty() {
            out.push(b'/');
        }
        for byte in self.path.bytes() {
            match byte {
                b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => append_escape(byte, out),
                b'!'..=b'~' => out.push(byte),
                byte => append_escape(byte, out),
            }
        }
    }

    /// Appends the query as the URL spells it. What can't stand there is escaped.
    pub fn append_query(&self, out: &mut Vec<u8>) {
        for byte in self.query.bytes() {
            match byte {
                b'#' => append_escape(byte, out),
                b'!'..=b'~' => out.push(byte),
                byte => append_escape(byte, out),
            }
        }
    }
}

/// What follows the scheme and its colon (RFC 3986, section 3.1); `None`: there is no scheme.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    let mut bytes = scheme.bytes();
    let is_scheme = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme.then_some(rest)
}
