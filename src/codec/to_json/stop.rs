//! Why printing stopped, on its way up.

use crate::codec::error::CodecError;
use crate::schema::tables::{Field, MessageTable};
use crate::wire::WireError;

/// Why printing stopped. Boxed, so that a result is a word.
#[derive(Debug)]
pub(super) enum Stop {
    Error(CodecError),
    /// The budget is spent: begin again, without optimism.
    RedoFromIndexes,
}

impl Stop {
    #[cold]
    pub(super) fn new(offset: usize, message: String) -> Box<Self> {
        Box::new(Self::Error(CodecError {
            path: String::new(),
            offset: Some(offset),
            message,
        }))
    }

    #[cold]
    pub(super) fn wire(offset: usize, error: WireError) -> Box<Self> {
        Self::new(offset, error.to_string())
    }

    /// Puts one step before the path: `name`, `[3]` or `["key"]`.
    #[cold]
    pub(super) fn within(mut self: Box<Self>, step: &str) -> Box<Self> {
        if let Self::Error(error) = &mut *self {
            if !error.path.is_empty() && !error.path.starts_with('[') {
                error.path.insert(0, '.');
            }
            error.path.insert_str(0, step);
        }
        self
    }

    /// Puts a field of a message before the path. The fields of well-known types don't show in JSON.
    #[cold]
    pub(super) fn within_field(self: Box<Self>, table: &MessageTable, field: &Field) -> Box<Self> {
        match table.well_known() {
            None => self.within(&field.json_name),
            Some(_) => self,
        }
    }
}
