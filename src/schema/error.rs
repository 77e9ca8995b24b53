//! Why a schema cannot be used.

use std::fmt;

/// Why a schema cannot be used: where, and what was found instead of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The import path of the file at fault; absent when it is no single file.
    pub file: Option<String>,
    /// Where in that file's text; absent for a descriptor set.
    pub position: Option<Position>,
    /// What was found and what was expected.
    pub message: String,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
}

impl SchemaError {
    /// An error that belongs to no file.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            file: None,
            position: None,
            message: message.into(),
        }
    }

    /// An error somewhere in a file.
    pub(super) fn in_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: Some(file.to_owned()),
            position: None,
            message: message.into(),
        }
    }

    /// This error, at a place of its file.
    pub(super) fn at(self, position: Option<Position>) -> Self {
        Self { position, ..self }
    }
}

impl Position {
    /// The place `offset` bytes into `text`.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        Self {
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start + 1,
        }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(Position { line, column }) = self.position {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SchemaError {}
