//! Finding out whether the host holds request and response headers.
//!
//! Envoy lets a filter wait at the headers for the body only with `allow_on_headers_stop_iteration: true`; without it,
//! a filter that waits sees no body, for ever. No property tells. So the first request with a body waits for at most
//! one tick: its body arriving while it waits proves that headers are held; its body arriving at once when it is let
//! go shows that it had been kept back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::exchange::Exchange;
use crate::filter::abi;

/// How long a request may wait while it isn't known whether headers are held, in milliseconds.
pub const TICK: u32 = 20;

/// How many ticks a request waits that can only go on with its body.
pub const TICKS_FOR_A_CALL: u32 = 250;

/// A body that comes within this time after the headers were let go had been kept back, in nanoseconds.
const AT_ONCE: u64 = 1_000_000;

/// How often this must be seen: a slow client's body may come at that moment by chance.
const EVIDENCE: u32 = 3;

/// What is known of one plugin configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not known; so often the body came at once after the headers were let go.
    Unknown(u32),
    /// Headers are held.
    Holds,
    /// Headers cannot be held.
    CannotHold,
}

/// A request that waits at its headers.
pub struct Waiting {
    /// Its context.
    pub context: u32,
    /// Its exchange.
    pub exchange: Rc<RefCell<Exchange>>,
    /// Set when the headers have been let go.
    pub released: Rc<Cell<Option<u64>>>,
    /// How many ticks it has waited.
    pub ticks: u32,
}

/// The state of finding out.
#[derive(Default)]
pub struct Holding {
    verdict: Cell<Verdict>,
    waiting: RefCell<Vec<Waiting>>,
}

impl Default for Verdict {
    fn default() -> Self {
        Self::Unknown(0)
    }
}

impl Holding {
    /// What is known now.
    pub fn verdict(&self) -> Verdict {
        self.verdict.get()
    }

    /// A request begins to wait while the verdict is unknown; a tick after [`TICK`] lets it go.
    pub fn wait(&self, waiting: Waiting) {
        self.waiting.borrow_mut().push(waiting);
    }

    /// The body of a request came while `released` says whether its headers had been let go.
    pub fn body_came(&self, context: u32, released: &Cell<Option<u64>>) {
        let Verdict::Unknown(seen) = self.verdict.get() else {
            return;
        };
        let Some(since) = released.get() else {
            self.waiting.borrow_mut().retain(|waiting| waiting.context != context);
            self.settle(Verdict::Holds);
            return;
        };
        if abi::now().is_ok_and(|now| now.saturating_sub(since) < AT_ONCE) {
            self.settle(match seen + 1 {
                EVIDENCE => Verdict::CannotHold,
                seen => Verdict::Unknown(seen),
            });
        }
    }

    /// A request ended.
    pub fn forget(&self, context: u32) {
        if !matches!(self.verdict.get(), Verdict::Holds) {
            self.waiting.borrow_mut().retain(|waiting| waiting.context != context);
        }
    }

    /// Whether requests wait.
    pub fn waits(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// The requests to let go at a tick.
    pub fn take_waiting(&self) -> Vec<Waiting> {
        self.waiting.take()
    }

    fn settle(&self, verdict: Verdict) {
        if verdict == Verdict::CannotHold {
            log::warn!(
                "allow_on_headers_stop_iteration is not set: an error that the upstream reports after its headers \
                 reaches the client with HTTP status 200"
            );
        }
        self.verdict.set(verdict);
    }
}
