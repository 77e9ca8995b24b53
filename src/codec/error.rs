//! Why a conversion failed.

use std::fmt;

use crate::wire::WireError;

/// Why JSON is not a message, or wire bytes are not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// Where in the message, as a JSON path: `book.authors[2].name`; empty at the top.
    pub path: String,
    /// Where in the input, in bytes from its start.
    pub offset: Option<usize>,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CodecError {}

impl From<WireError> for CodecError {
    /// Without a path and an offset: the reader knows neither.
    #[cold]
    fn from(error: WireError) -> Self {
        Self {
            path: String::new(),
            offset: None,
            message: error.to_string(),
        }
    }
}
