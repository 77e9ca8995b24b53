//! What a client is told when a hook's call fails.

use std::fmt;

use super::settings::Kind;
use crate::wire::WireError;

/// Why a hook's call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The gateway didn't make it.
    NotSent,
    /// It took longer than the hook has.
    TimedOut,
    /// The server, or the gateway in its place, ended it with this gRPC status.
    Status(u32),
    /// The server ended it with status OK, but without a message.
    NoMessage,
    /// The answer has more bytes than a message may have.
    TooLarge {
        /// How many it has.
        size: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The answer isn't the wire format of an object.
    Malformed(WireError),
    /// A text in the answer isn't UTF-8.
    NotText,
    /// The answer has no `request`, or of a response hook no `response`.
    Missing(&'static str),
    /// The answer's `url` is neither a path nor a URL with one.
    Url,
    /// The answer's method isn't an HTTP method.
    Method,
    /// HTTP can't carry a header of the answer.
    Header,
    /// The answer's status isn't one that a response can have.
    StatusCode(i32),
}

impl CallFailure {
    /// The HTTP status and the message of the error that the client of a hook of this kind gets.
    pub fn told(self, kind: Kind) -> (u16, &'static str) {
        match kind {
            Kind::CustomKeyCheck if self != Self::Url => (403, NOT_AUTHORISED),
            _ => (500, "Middleware error"),
        }
    }
}

/// The text of a refusal for which a hook gives none.
pub const NOT_AUTHORISED: &str = "Key not authorised";

impl From<WireError> for CallFailure {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str("the gateway didn't make the call"),
            Self::TimedOut => f.write_str("the call took too long"),
            Self::Status(code) => write!(f, "the call ended with gRPC status {code}"),
            Self::NoMessage => f.write_str("the call ended without a message"),
            Self::TooLarge { size, limit } => write!(
                f,
                "the answer has {size} bytes, more than limits.max_message_bytes ({limit})"
            ),
            Self::Malformed(error) => write!(f, "the answer is no coprocess.Object: {error}"),
            Self::NotText => f.write_str("the answer has a string that isn't UTF-8"),
            Self::Missing(field) => write!(
                f,
                "the answer has no {field}: expected the object that was sent, changed"
            ),
            Self::Url => f.write_str("request.url: expected a path, or a URL with one"),
            Self::Method => f.write_str("request.method: expected an HTTP method"),
            Self::Header => f.write_str("request.set_headers: expected names and values that HTTP can carry"),
            Self::StatusCode(code) => write!(f, "expected a status code from 200 to 599, but found {code}"),
        }
    }
}
