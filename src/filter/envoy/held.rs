//! Answers that Envoy holds until their status is known, and for how long.
//!
//! An answer is held until its trailers come, which have the status. Mostly they come with the message, or a moment
//! later. But if the answer is longer than the high watermark of Envoy's buffer, Envoy stops reading from the service,
//! and the trailers never come. A filter can't ask where that mark is. So an answer whose trailers don't come in time
//! goes on without them; then Envoy reads on. The shortest answers are below any mark, and wait.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::exchange::Exchange;
use crate::filter::abi;

/// An answer waits at least so long, and at most twice as long, in milliseconds.
pub const TICK: u32 = 50;

/// How long an answer waits, in nanoseconds. A timer may be a little early.
const WAIT: u64 = (TICK as u64 - 1) * 1_000_000;

/// An answer that is held.
struct Held {
    exchange: Rc<RefCell<Exchange>>,
    /// The first tick that found it, in nanoseconds; looking at the clock for each would cost more than all the rest.
    since: Option<u64>,
}

/// All that are held, by their contexts.
#[derive(Default)]
pub struct AllHeld(RefCell<BTreeMap<u32, Held>>);

impl AllHeld {
    /// The answer of `context` is held from now on.
    pub fn add(&self, context: u32, exchange: &Rc<RefCell<Exchange>>) {
        self.0.borrow_mut().entry(context).or_insert_with(|| Held {
            exchange: Rc::clone(exchange),
            since: None,
        });
    }

    /// That of `context` is held no longer.
    pub fn forget(&self, context: u32) {
        self.0.borrow_mut().remove(&context);
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// A tick: takes those that have waited for long enough, with their contexts.
    pub fn take_due(&self) -> Vec<(u32, Rc<RefCell<Exchange>>)> {
        if self.is_empty() {
            return Vec::new();
        }
        let now = abi::now().unwrap_or(u64::MAX);
        let mut due = Vec::new();
        self.0.borrow_mut().retain(|context, held| match held.since {
            Some(since) if now.saturating_sub(since) >= WAIT => {
                due.push((*context, Rc::clone(&held.exchange)));
                false
            }
            Some(_) => true,
            None => {
                held.since = Some(now);
                true
            }
        });
        due
    }
}
