//! The one timer of a plugin configuration, for all that waits for one.

use std::cell::Cell;

use crate::filter::abi::{self, HostStatus};

/// The timer.
#[derive(Default)]
pub struct Ticker {
    /// How often it ticks, in milliseconds; 0: never.
    period: Cell<u32>,
}

impl Ticker {
    /// Has a tick come within so many milliseconds.
    pub fn within(&self, milliseconds: u32) -> Result<(), HostStatus> {
        match self.period.get() {
            1.. if self.period.get() <= milliseconds => Ok(()),
            _ => self.set(milliseconds),
        }
    }

    /// A tick has come: has the next come after so many milliseconds; 0: never.
    pub fn next(&self, milliseconds: u32) {
        if self.period.get() != milliseconds
            && let Err(status) = self.set(milliseconds)
        {
            log::error!("cannot set a timer: {status}");
        }
    }

    fn set(&self, milliseconds: u32) -> Result<(), HostStatus> {
        abi::set_tick(milliseconds)?;
        self.period.set(milliseconds);
        Ok(())
    }
}
