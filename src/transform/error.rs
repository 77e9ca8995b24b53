//! Why a message cannot be changed.

use std::fmt;

use crate::wire::WireError;

/// Why a message, or an exchange, doesn't get its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformError {
    /// Whose fault it is, which decides the status.
    pub reason: TransformReason,
    /// What was found and what was expected, without what a field or a header has in it.
    pub message: String,
}

/// Whose fault it is that a message isn't changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransformReason {
    /// A source that is required isn't there: 401.
    Unauthenticated,
    /// A source doesn't fit the type of its field: 400.
    InvalidArgument,
    /// The bytes are no message: 400 of a request, 502 of a response.
    Malformed,
    /// The changed message is larger than `limits.max_message_bytes`.
    TooLarge,
}

impl TransformError {
    pub(super) fn new(reason: TransformReason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { reason, message }
    }
}

impl fmt::Display for TransformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransformError {}

impl From<WireError> for TransformError {
    #[cold]
    fn from(error: WireError) -> Self {
        Self::new(TransformReason::Malformed, error.to_string())
    }
}
