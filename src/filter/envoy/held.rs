//! Answers that Envoy holds until their status is known, and for how long.
//!
//! Over its buffer's mark, which nothing tells, Envoy stops reading the service, and so the trailers for which an answer is
//! held would never come. They mostly come with the message, or within a moment. An answer for which they don't goes on
//! without them, and then what is behind it is read. The shortest are over no mark, and wait.

use std::cell::RefCell;
use std::rc::Rc;

use crate::exchange::Exchange;
use crate::filter::abi;

/// How long an answer waits at the least, and at the most for so much longer, in milliseconds.
pub const TICK: u32 = 50;

/// How long an answer waits, in nanoseconds. A timer may be a little early.
const WAIT: u64 = (TICK as u64 - 1) * 1_000_000;

/// An answer that is held.
pub struct Held {
    /// Its context.
    pub context: u32,
    /// Its exchange.
    pub exchange: Rc<RefCell<Exchange>>,
    /// The first tick that found it, in nanoseconds; looking at the clock for each would cost more than all the rest.
    since: Option<u64>,
}

/// All that are held.
#[derive(Default)]
pub struct AllHeld(RefCell<Vec<Held>>);

impl AllHeld {
    /// The answer of `context` is held from now on.
    pub fn add(&self, context: u32, exchange: &Rc<RefCell<Exchange>>) {
        let mut held = self.0.borrow_mut();
        if held.iter().all(|held| held.context != context) {
            held.push(Held {
                context,
                exchange: Rc::clone(exchange),
                since: None,
            });
        }
    }

    /// That of `context` is held no longer.
    pub fn forget(&self, context: u32) {
        let mut held = self.0.borrow_mut();
        if let Some(at) = held.iter().rposition(|held| held.context == context) {
            held.swap_remove(at);
        }
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// A tick: those that have waited for long enough.
    pub fn take_due(&self) -> Vec<Held> {
        if self.is_empty() {
            return Vec::new();
        }
        let now = abi::now().unwrap_or(u64::MAX);
        let (due, waiting) = self
            .0
            .take()
            .into_iter()
            .partition(|held: &Held| held.since.is_some_and(|since| now.saturating_sub(since) >= WAIT));
        self.0.replace(waiting);
        for held in self.0.borrow_mut().iter_mut() {
            held.since.get_or_insert(now);
        }
        due
    }
}
