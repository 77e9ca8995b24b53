//! A stretch of wire bytes, as the passes over them note it.

/// A stretch of the wire bytes, from `start` up to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}
