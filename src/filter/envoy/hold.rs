//! Finding out whether the host holds request and response headers.
//!
//! Headers are held if Envoy keeps them back while this filter waits for the body. Envoy does so only with
//! `allow_on_headers_stop_iteration: true`. Without that, a filter that waits at the headers never sees a body. There
//! is no property to ask; the operator can say it by `hold_headers`. Otherwise a request with a body waits for at most
//! one tick. If its body comes in that time, headers are held, and from then on no request waits for this.
//!
//! It is never concluded that headers can't be held. Only the time at which bodies come could tell, and clients choose
//! that: a client that sends each body just after its headers were let go could mislead the worker about all other
//! requests. So without proof each request waits its tick, and only its own client decides what becomes of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::exchange::Exchange;

/// How long a request may wait while it isn't known whether headers are held, in milliseconds.
pub const TICK: u32 = 20;

/// How long a request waits, in nanoseconds. A timer may be a little early.
const WAIT: u64 = (TICK as u64 - 1) * 1_000_000;

/// How long a request waits that can't go on without its body, in nanoseconds.
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
            // Those that can go on without their bodies keep their time. The others now wait for their bodies.
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
