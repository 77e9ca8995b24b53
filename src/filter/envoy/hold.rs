//! Finding out whether the host holds request and response headers.
//!
//! Envoy lets a filter wait at the headers for the body only with `allow_on_headers_stop_iteration: true`; without it,
//! a filter that waits sees no body, for ever. No property tells; the operator may, by `hold_headers`. Else a request with a
//! body waits for at most one tick, and its body arriving while it waits proves that headers are held: from then on
//! nothing waits any more.
//!
//! That they cannot be held is never concluded. All that would tell is when bodies come, and clients choose that: one that
//! sends its bodies just when their headers have been let go could teach a worker wrong for all others. So each request of a
//! worker that has no proof waits its tick, and its own client alone decides what becomes of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::exchange::Exchange;

/// How long a request may wait while it isn't known whether headers are held, in milliseconds.
pub const TICK: u32 = 20;

/// How long a request waits, in nanoseconds. A timer may be a little early.
const WAIT: u64 = (TICK as u64 - 1) * 1_000_000;

/// How long a request waits that can only go on with its body, in nanoseconds.
const WAIT_FOR_A_CALL: u64 = 5_000_000_000;

/// What is known of one plugin configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    #[default]
    Unknown,
    /// Headers are held.
    Holds,
    /// Headers cannot be held, as the operator says.
    CannotHold,
}

/// A request that waits at its headers.
pub struct Waiting {
    /// Its context.
    pub context: u32,
    /// Its exchange.
    pub exchange: Rc<RefCell<Exchange>>,
    /// When it came, in nanoseconds.
    pub since: u64,
}

/// The state of finding out.
#[derive(Default)]
pub struct Holding {
    verdict: Cell<Verdict>,
    waiting: RefCell<Vec<Waiting>>,
    /// The operator has been told that nothing is known.
    told: Cell<bool>,
}

impl Holding {
    /// What the operator says by `hold_headers`.
    pub fn new(hold_headers: Option<bool>) -> Self {
        Self {
            verdict: Cell::new(match hold_headers {
                None => Verdict::Unknown,
                Some(true) => Verdict::Holds,
                Some(false) => Verdict::CannotHold,
            }),
            ..Self::default()
        }
    }

    /// What is known now.
    pub fn verdict(&self) -> Verdict {
        self.verdict.get()
    }

    /// A request begins to wait while the verdict is unknown; a tick after [`TICK`] lets it go.
    pub fn wait(&self, waiting: Waiting) {
        self.waiting.borrow_mut().push(waiting);
    }

    /// More of a request came: if it waits, headers are held.
    pub fn more_came(&self, context: u32) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.iter().any(|request| request.context == context) {
            self.verdict.set(Verdict::Holds);
            // The others wait for their bodies, but for those that need not: their time goes on.
            waiting.retain(|request| request.context != context && request.exchange.borrow().uploads());
        }
    }

    /// A request is let go without its body.
    pub fn let_go(&self) {
        if self.verdict.get() == Verdict::Unknown && !self.told.replace(true) {
            log::warn!(
                "a request's headers went on after {TICK} ms without its body, which has shown no sign that headers can be held. \
                 Set hold_headers: true where allow_on_headers_stop_iteration is set, else false: then no request waits; and an \
                 error that the upstream reports after its headers reaches the client with HTTP status 200"
            );
        }
    }

    /// A request ended.
    pub fn forget(&self, context: u32) {
        self.waiting.borrow_mut().retain(|waiting| waiting.context != context);
    }

    /// Whether requests wait.
    pub fn waits(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// The requests to let go `now`, in nanoseconds.
    pub fn take_due(&self, now: u64) -> Vec<Waiting> {
        let is_due = |request: &Waiting| {
            let wait = match request.exchange.borrow().awaits_call() {
                true => WAIT_FOR_A_CALL,
                false => WAIT,
            };
            now.saturating_sub(request.since) >= wait
        };
        let (due, waiting) = self.waiting.take().into_iter().partition(is_due);
        self.waiting.replace(waiting);
        due
    }
}
