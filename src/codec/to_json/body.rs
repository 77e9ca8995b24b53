//! Where in the wire bytes a message is, and what a scalar's record holds.

use crate::codec::span::Span;

/// Where the records of one message are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// In one stretch.
    Whole(Span),
    /// In several, which merge as if they stood one after the other: a range of
    /// [`Scratch::parts`](super::printer::Scratch::parts).
    Split { first: usize, count: usize },
}

/// The value of one scalar record, as the wire has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw<'w> {
    /// VARINT, I64 or I32.
    Number(u64),
    /// LEN.
    Bytes(&'w [u8]),
}
