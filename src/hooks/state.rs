//! Request and response as they stand between two hooks.

use super::pairs::{Pair, Pairs, first_of_each, get, position};
use crate::http::headers::{HeaderEdits, Headers};
use crate::text::equal::equal;

/// A request as the hooks so far have left it.
#[derive(Debug, Default)]
pub struct CurrentRequest {
    headers: Headers,
    body: Vec<u8>,
    /// The names of headers that hooks have changed, pseudo-headers included.
    changed: Pairs<'static>,
}

impl CurrentRequest {
    /// A request that no hook has seen. `headers` has the pseudo-headers too, names in lower case; `body` is all of the
    /// body, or empty for a gRPC client's call, whose body hooks don't see.
    pub fn new(headers: Headers, body: Vec<u8>) -> Self {
        Self {
            headers,
            body,
            changed: Pairs::new(),
        }
    }

    /// The headers, with the pseudo-headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes the headers out, and leaves none.
    pub fn take_headers(&mut self) -> Headers {
        std::mem::take(&mut self.headers)
    }

    /// Headers and body.
    pub fn into_parts(self) -> (Headers, Vec<u8>) {
        (self.headers, self.body)
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.headers.footprint() + self.body.capacity()
    }

    /// Adds what the hooks have changed in the headers to `edits`, pseudo-headers included. The length of the body
    /// isn't among it: it is set where the body is.
    pub fn edits(&self, edits: &mut HeaderEdits) {
        if self.changed.is_empty() {
            return;
        }
        let mut seen = vec![false; self.changed.len()];
        for (name, value) in self.headers.iter() {
            // What is changed has one value.
            if let Some(seen) = position(&self.changed, name).and_then(|at| seen.get_mut(at)) {
                *seen = true;
                edits.set(name, value);
            }
        }
        let gone = self.changed.iter().zip(seen).filter(|(_, seen)| !seen);
        gone.for_each(|((name, _), _)| edits.remove_new(name));
    }

    pub(super) fn method(&self) -> &[u8] {
        self.headers.get(":method").unwrap_or_default()
    }

    /// Path and query.
    pub(super) fn target(&self) -> &[u8] {
        self.headers.get(":path").unwrap_or_default()
    }

    pub(super) fn path(&self) -> &[u8] {
        split(self.target()).0
    }

    /// What follows the `?`; empty where there is none.
    pub(super) fn query(&self) -> &[u8] {
        split(self.target()).1
    }

    /// Puts `body` in the place of the body, and its length into `changes`.
    pub(super) fn set_body(&mut self, body: &[u8], changes: &mut HeaderChanges<'_>) {
        if !equal(&self.body, body) {
            self.body.clear();
            self.body.extend_from_slice(body);
            changes.length = Some(body.len().to_string());
        }
    }

    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        headers.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Whether there is nothing to change, as when a hook returns the object as it came.
    fn is_as_after(&self, changes: &HeaderChanges<'_>) -> bool {
        let HeaderChanges { deleted, set, length } = changes;
        let mut set = set.iter();
        // Of a pseudo-header there is one.
        let is_set = |(name, value): &Pair<'_>| name.starts_with(b":") && self.header(name) == Some(&**value);
        deleted.is_empty() && length.is_none() && set.all(is_set)
    }

    /// Does what `changes` say, in one pass.
    pub(super) fn change(&mut self, changes: &HeaderChanges<'_>) {
        if self.is_as_after(changes) {
            return;
        }
        let HeaderChanges { deleted, set, length } = changes;
        let mut headers = Headers::default();
        let mut changed = |name: &[u8]| self.changed.push((name.to_vec().into(), b"".into()));
        for (name, value) in self.headers.iter() {
            match get(set, name) {
                // In their place, before all others.
                Some(wanted) if name.starts_with(b":") => {
                    headers.push(name, wanted);
                    if wanted != value {
                        changed(name);
                    }
                }
                // Below: one value takes the place of all.
                Some(_) => {}
                None if position(deleted, name).is_some() => changed(name),
                None => {
                    let length = length.as_ref().filter(|_| name == b"content-length");
                    headers.push(name, length.map_or(value, String::as_bytes));
                }
            }
        }
        for (name, value) in set.iter().filter(|(name, _)| !name.starts_with(b":")) {
            headers.push(name, value);
            changed(name);
        }
        self.changed = first_of_each(std::mem::take(&mut self.changed));
        self.headers = headers;
    }
}

/// What a hook changes in the headers of a request; names in lower case and in order.
#[derive(Debug, Default)]
pub(super) struct HeaderChanges<'c> {
    pub deleted: Pairs<'c>,
    pub set: Pairs<'c>,
    /// What `content-length` says, where there is one.
    pub length: Option<String>,
}

/// A response as the hooks so far have left it.
#[derive(Debug, Default)]
pub struct CurrentResponse {
    /// The HTTP status.
    pub status: u16,
    /// All headers without the pseudo-headers, names in lower case.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Path and query of a target.
fn split(target: &[u8]) -> (&[u8], &[u8]) {
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(at) => target.split_at_checked(at).unwrap_or((target, b"")),
        None => (target, &b""[..]),
    };
    (path, query.get(1..).unwrap_or_default())
}
