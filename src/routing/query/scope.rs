//! What the names of parameters may mean.

use std::fmt;

use crate::codec::BoundField;
use crate::routing::binding::Body;
use crate::schema::tables::MessageIndex;

/// Where the names of parameters begin, and what of it isn't theirs.
pub(super) struct Scope<'b> {
    /// The message whose fields they name.
    pub(super) message: MessageIndex,
    /// What the path binds in it.
    pub(super) bound: &'b [BoundField],
    /// What of it the body fills instead.
    pub(super) body: Body,
    /// Whether there is such a body.
    pub(super) has_body: bool,
    pub(super) source: Source,
}

/// What holds the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Query,
    Form,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "a query",
            Self::Form => "a form",
        })
    }
}
