//! Answers in place of the upstream's: the one place where an error becomes an HTTP response.

use crate::http::headers::Headers;

/// An error's body repeats what a client sent: it is what its content-type says, and nothing else.
pub const NO_SNIFFING: (&[u8], &[u8]) = (b"x-content-type-options", b"nosniff");

/// A whole HTTP response.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// All header fields but `:status` and `content-length`.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Forgets the last answer and keeps its memory.
    pub fn clear(&mut self) {
        self.status = 200;
        self.headers.clear();
        self.body.clear();
    }
}
