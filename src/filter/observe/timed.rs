//! How long an exchange keeps the filter busy.

use std::rc::Rc;

use proxy_wasm::traits::HttpContext;

use super::metrics::Metrics;
use crate::filter::abi;
use crate::filter::wrapped::Wrapper;

/// An exchange that is timed.
pub struct Timed {
    context: Box<dyn HttpContext>,
    metrics: Rc<Metrics>,
    /// Nanoseconds in the callbacks so far.
    spent: u64,
}

impl Timed {
    /// Times what `context` does.
    pub fn new(context: Box<dyn HttpContext>, metrics: Rc<Metrics>) -> Self {
        Self {
            context,
            metrics,
            spent: 0,
        }
    }
}

impl Wrapper for Timed {
    fn call<R>(&mut self, callback: impl FnOnce(&mut dyn HttpContext) -> R) -> R {
        let began = abi::now();
        let result = callback(self.context.as_mut());
        if let (Ok(began), Ok(ended)) = (began, abi::now()) {
            self.spent = self.spent.saturating_add(ended.saturating_sub(began));
        }
        result
    }

    fn done(&mut self) -> bool {
        self.metrics.took(self.spent);
        self.context.on_done()
    }

    fn log(&mut self) {
        self.context.on_log();
    }
}
