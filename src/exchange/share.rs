//! What all exchanges of a virtual machine hold together, and each one's share of it.
//!
//! A host gives a virtual machine so much memory (V8 1 GiB), and past that it is lost with all that it holds. So an exchange
//! that wants more than there is to have is refused, by `limits.max_total_bytes`. The last eighth of it is for those that
//! hold little, and the last sixteenth for those that hold next to nothing: clients that send a lot, or read nothing of what
//! they are sent, leave the others that.

use std::cell::Cell;

use super::failure::Failure;
use crate::config::Limits;

/// An exchange that holds no more than so many bytes holds little.
const LITTLE: usize = 64 * 1024;

/// And next to nothing.
const NEXT_TO_NOTHING: usize = 8 * 1024;

thread_local! {
    /// How many bytes all exchanges hold. A virtual machine is one thread.
    static TOTAL: Cell<usize> = const { Cell::new(0) };
    /// Whether it has been said that exchanges are refused, since there was room the last time.
    static TOLD: Cell<bool> = const { Cell::new(false) };
}

/// What one exchange holds.
#[derive(Debug, Default)]
pub struct Share {
    bytes: usize,
}

impl Share {
    /// Whether the exchange may hold so many bytes `more`.
    ///
    /// # Errors
    ///
    /// 503 where all together would hold more than they may.
    pub fn admit(&self, more: usize, limits: &Limits) -> Result<(), Failure> {
        let limit = limits.max_total_bytes;
        let total = TOTAL.get().saturating_add(more);
        let own = self.bytes.saturating_add(more);
        let bound = if own <= NEXT_TO_NOTHING {
            limit
        } else if own <= LITTLE {
            limit - limit / 16
        } else {
            limit - limit / 8
        };
        if total <= bound {
            if total <= limit / 2 {
                TOLD.set(false);
            }
            return Ok(());
        }
        if !TOLD.replace(true) {
            log::warn!(
                "requests are refused: together they would hold {total} bytes, over limits.max_total_bytes: {limit}"
            );
        }
        Err(Failure::overload())
    }

    /// Whether there is room for so many bytes, which nothing but the current event needs.
    ///
    /// # Errors
    ///
    /// As [`Share::admit`].
    pub fn lend(bytes: usize, limits: &Limits) -> Result<(), Failure> {
        Self::default().admit(bytes, limits)
    }

    /// Whether there is room for what the current event writes to grow beyond what it has taken: while it grows, the old and the
    /// new are there, which is twice as long. To be asked between the parts of it, as little bytes may become many.
    ///
    /// # Errors
    ///
    /// As [`Share::admit`].
    #[inline]
    pub fn lend_growth(written: &Vec<u8>, limits: &Limits) -> Result<(), Failure> {
        match written.capacity() {
            0..=LITTLE => Ok(()),
            taken => Self::lend(taken.saturating_mul(3), limits),
        }
    }

    /// Whether there is room for a message of so many bytes beside the one from which it is made.
    ///
    /// # Errors
    ///
    /// As [`Share::admit`].
    #[inline]
    pub fn lend_copy(bytes: usize, limits: &Limits) -> Result<(), Failure> {
        match bytes {
            0..=LITTLE => Ok(()),
            _ => Self::lend(bytes.saturating_mul(2), limits),
        }
    }

    /// The exchange holds so many bytes now.
    pub fn set(&mut self, bytes: usize) {
        let others = TOTAL.get().saturating_sub(self.bytes);
        TOTAL.set(others.saturating_add(bytes));
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_eighth_is_for_those_that_hold_little() {
        let limits = Limits {
            max_proto_bytes: 1,
            max_schema_bytes: 1,
            max_request_bytes: 1,
            max_response_bytes: 1,
            max_message_bytes: 1,
            max_total_bytes: 8 << 20,
        };
        let mut large = Share::default();
        assert!(large.admit(7 << 20, &limits).is_ok());
        large.set(7 << 20);
        assert!(large.admit(1, &limits).is_err());
        let mut others: Vec<Share> = Vec::new();
        loop {
            let mut little = Share::default();
            if little.admit(LITTLE, &limits).is_err() {
                break;
            }
            little.set(LITTLE);
            assert!(little.admit(1, &limits).is_err());
            others.push(little);
        }
        assert_eq!(others.len(), (1 << 19) / LITTLE);
        // And so there is room for a hundred that hold next to nothing.
        for _ in 0..(1 << 19) / NEXT_TO_NOTHING {
            let mut next_to_nothing = Share::default();
            assert!(next_to_nothing.admit(NEXT_TO_NOTHING, &limits).is_ok());
            next_to_nothing.set(NEXT_TO_NOTHING);
            others.push(next_to_nothing);
        }
        drop(large);
        assert!(Share::default().admit(6 << 20, &limits).is_ok());
        drop(others);
        assert_eq!(TOTAL.get(), 0);
    }
}
