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

/// Why a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Wire(WireError),
    TooLarge,
}

impl Fault {
    /// What is said of it, where a message may have `limit` bytes.
    #[cold]
    pub(super) fn into_error(self, limit: usize) -> TransformError {
        match self {
            Self::Wire(error) => TransformError::new(TransformReason::Malformed, error.to_string()),
            Self::TooLarge => TransformError::new(
                TransformReason::TooLarge,
                format!("the message grows to more than {limit} bytes (limits.max_message_bytes) by what is set in it"),
            ),
        }
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}
