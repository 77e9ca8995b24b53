//! Path captures and query parameters as wire records of the request message.

use std::collections::BTreeSet;

/// Which query parameters are bound, and what becomes of the others. SEMANTICS' "Query parameters that bind to nothing".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// What becomes of a parameter that binds to nothing.
    pub unknown: UnknownParameters,
    /// Parameters that are never bound and never unknown, by their decoded names.
    pub ignored: BTreeSet<String>,
}

/// What becomes of a query parameter that binds to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownParameters {
    /// It is left out.
    #[default]
    Ignore,
    /// It is an error.
    Reject,
}
