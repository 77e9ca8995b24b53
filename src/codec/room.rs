//! How much room the output needs, so that it grows once and not much too far.
//!
//! The first guess is what the last message made of its size. A message that turns out larger is measured as it goes:
//! what the part that is done has become says what the whole will become.

/// What was learned from the last message: its sizes before and after. Zero when there was none.
#[derive(Debug, Default)]
pub(super) struct Room {
    input: usize,
    output: usize,
}

impl Room {
    /// Makes room for what becomes of `input` bytes.
    pub(super) fn reserve(&self, input: usize, out: &mut Vec<u8>) {
        let expected = match self.input {
            // Of large messages little, until more is known.
            0 => input.min(UNKNOWN),
            last => scaled(input, self.output.min(last * 4), last),
        };
        // A buffer that is used again has been large enough before.
        if out.capacity() - out.len() < expected || out.capacity() == 0 {
            out.reserve_exact(with_slack(expected) + SPARE + SPARE / 8);
        }
    }

    /// Keeps what became of `input` bytes.
    pub(super) fn learn(&mut self, input: usize, output: usize) {
        *self = Self { input, output };
    }
}

/// Between the elements of a list: makes room for the rest where there is little left. `done` of the `input` bytes have
/// become what stands in `out` from `start` on.
#[inline]
pub(super) fn keep_up(done: usize, input: usize, start: usize, out: &mut Vec<u8>) {
    if is_short(out) {
        grow(done, input, start, usize::MAX, out);
    }
}

/// Whether there is little room left.
#[inline]
pub(super) fn is_short(out: &Vec<u8>) -> bool {
    out.capacity() - out.len() < SPARE
}

/// Makes room for the rest, as [`keep_up`] does, for `limit` bytes in all at the most.
#[cold]
#[inline(never)]
pub(super) fn grow(done: usize, input: usize, start: usize, limit: usize, out: &mut Vec<u8>) {
    let written = out.len() - start;
    let expected = with_slack(scaled(input, written, done.max(1)).min(limit)) + SPARE * 2;
    // The beginning may not be like the rest.
    let most = out.capacity().saturating_mul(16);
    out.reserve_exact(expected.min(most).saturating_sub(written).max(SPARE * 2));
}

/// `size * numerator / denominator`.
fn scaled(size: usize, numerator: usize, denominator: usize) -> usize {
    let scaled = size as u64 * numerator as u64 / denominator as u64;
    usize::try_from(scaled).unwrap_or(size)
}

/// Parts of one message differ a little.
fn with_slack(size: usize) -> usize {
    size.saturating_add(size / 16)
}

/// Less free room than this is made more between elements; few elements need as much.
const SPARE: usize = 512;

/// How much is reserved for a first message.
const UNKNOWN: usize = 4096;
