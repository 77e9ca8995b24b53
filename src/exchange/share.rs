//! What all exchanges of a virtual machine hold together, and each one's share of it.
//!
//! A host gives a virtual machine so much memory (V8 1 GiB), and past that it is lost with all that it holds. So an exchange
//! that wants more than there is to have is refused, by `limits.max_total_bytes`. The last eighth of it is for those that
//! hold little: clients that send a lot, or read nothing of what they are sent, leave the others that.

use std::cell::Cell;

use super::failure::Failure;

/// An exchange that holds no more than so many bytes holds little.
const LITTLE: usize = 64 * 1024;

/// What an exchange takes in before it is looked at what that makes it hold, in bytes.
const TOO_FEW: usize = 8 * 1024;

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
    /// What came since that was looked at.
    unseen: usize,
}

impl Share {
    /// Whether so many bytes that come, with those before them, are too few to be looked at.
    #[inline]
    pub fn takes_little(&mut self, bytes: usize) -> bool {
        self.unseen = self.unseen.saturating_add(bytes);
        self.unseen <= TOO_FEW && self.bytes <= TOO_FEW
    }

    /// Whether the exchange may hold so many bytes `more`, where all together may hold `limit`.
    ///
    /// # Errors
    ///
    /// 503 where it may not.
    pub fn admit(&self, more: usize, limit: usize) -> Result<(), Failure> {
        let total = TOTAL.get().saturating_add(more);
        let bound = match self.bytes.saturating_add(more) {
            ..=LITTLE => limit,
            _ => limit - limit / 8,
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

    /// The exchange holds so many bytes now.
    pub fn set(&mut self, bytes: usize) {
        let others = TOTAL.get().saturating_sub(self.bytes);
        TOTAL.set(others.saturating_add(bytes));
        self.bytes = bytes;
        self.unseen = 0;
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
        const LIMIT: usize = 8 << 20;
        let mut large = Share::default();
        assert!(large.admit(7 << 20, LIMIT).is_ok());
        large.set(7 << 20);
        assert!(large.admit(1, LIMIT).is_err());
        let mut others: Vec<Share> = Vec::new();
        loop {
            let mut little = Share::default();
            if little.admit(LITTLE, LIMIT).is_err() {
                break;
            }
            little.set(LITTLE);
            assert!(little.admit(1, LIMIT).is_err());
            others.push(little);
        }
        assert_eq!(others.len(), (1 << 20) / LITTLE);
        drop(large);
        assert!(Share::default().admit(6 << 20, LIMIT).is_ok());
        drop(others);
        assert_eq!(TOTAL.get(), 0);
    }
}
