//! Counters and histograms, kept by the host.
//!
//! Names follow the host: Envoy puts `wasmcustom.` in front of them, and they carry the module's own name, dots apart;
//! Kong puts the filter's name in front, and `protobridge.meta.json` tells it where the labels are. README.md,
//! "Metrics", lists them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::HttpContext;

use super::host::{self, HostStatus, MetricKind, Traffic};
use super::host_profile::HostProfile;
use super::wrapped::Wrapper;
use crate::exchange::report::{Outcome, Reason};
use crate::grpc::Code;
use crate::routing::Method;

/// How many series there may be in Kong, which keeps those of all filters in one piece of memory, 5 MB by default, and
/// has the filter trap when that is full.
const MAX_SERIES_IN_KONG: usize = 1000;

/// The longest name in Kong, which has the filter trap at one over 256 bytes with its own prefix.
const MAX_NAME_IN_KONG: usize = 200;

/// One exchange in so many is timed: reading the clock costs as much as all other counting.
const TIMED: u32 = 16;

/// The counters of [`Traffic`], in its order.
const TRAFFIC: [&str; 4] = [
    "downstream_rx_bytes",
    "upstream_tx_bytes",
    "upstream_rx_bytes",
    "downstream_tx_bytes",
];

/// A metric that is defined when it is first needed. `None` inside: the host does not want it.
type Slot = Cell<Option<Option<u32>>>;

/// The metrics of one plugin configuration.
pub struct Metrics {
    host: HostProfile,
    prefix: &'static str,
    max_name: usize,
    /// How many more series of methods there may be.
    room: Cell<usize>,
    /// By method, then by code.
    requests: RefCell<Vec<Option<Box<[Slot; Code::COUNT]>>>>,
    /// Those of requests without a method.
    unmatched: [Slot; Code::COUNT],
    /// Those of methods for which there is no room.
    other: [Slot; Code::COUNT],
    errors: [Slot; Reason::COUNT],
    traffic: [Slot; TRAFFIC.len()],
    time: Slot,
    exchanges: Cell<u32>,
}

impl Metrics {
    /// None is defined yet.
    pub fn new(host: HostProfile) -> Self {
        let (prefix, max_name, room) = match host {
            HostProfile::Envoy => ("protobridge.", usize::MAX, usize::MAX),
            HostProfile::Wasmx => ("", MAX_NAME_IN_KONG, MAX_SERIES_IN_KONG),
        };
        Self {
            host,
            prefix,
            max_name,
            room: Cell::new(room),
            requests: RefCell::default(),
            unmatched: Default::default(),
            other: Default::default(),
            errors: Default::default(),
            traffic: Default::default(),
            time: Slot::default(),
            exchanges: Cell::new(0),
        }
    }

    /// Counts an exchange that ended, with what went through the machine until then.
    pub fn ended(&self, method: Option<&Rc<Method>>, outcome: Outcome, traffic: Traffic) {
        match method {
            Some(method) => self.count_method(method, outcome.code),
            None => self.count(&self.unmatched, outcome.code, "unmatched"),
        }
        if let Some(reason) = outcome.reason
            && let Some(slot) = self.errors.get(reason as usize)
        {
            self.add(slot, 1, || format!("errors.{}", reason.name()));
        }
        for ((slot, bytes), name) in self.traffic.iter().zip(traffic.bytes).zip(TRAFFIC) {
            if bytes > 0 {
                self.add(slot, bytes, || name.to_owned());
            }
        }
    }

    fn count_method(&self, method: &Method, code: Code) {
        let mut requests = self.requests.borrow_mut();
        if requests.len() <= method.index {
            requests.resize_with(method.index + 1, || None);
        }
        let Some(entry) = requests.get_mut(method.index) else {
            return;
        };
        if let Some(slot) = entry.as_ref().and_then(|codes| codes.get(code as usize))
            && slot.get().is_some()
        {
            return self.add(slot, 1, String::new);
        }
        let room = self.room.get();
        if room == 0 || self.prefix.len() + method.full_name.len() > self.max_name {
            return self.count(&self.other, code, "other");
        }
        self.room.set(room - 1);
        self.count(entry.get_or_insert_default(), code, &method.full_name);
    }

    fn count(&self, codes: &[Slot; Code::COUNT], code: Code, whose: &str) {
        if let Some(slot) = codes.get(code as usize) {
            self.add(slot, 1, || format!("requests.{whose}.{}", code.name()));
        }
    }

    fn add(&self, slot: &Slot, count: u64, name: impl FnOnce() -> String) {
        if let Some(id) = self.id(slot, MetricKind::Counter, name) {
            report(host::increment_metric(id, count));
        }
    }

    /// The metric in `slot`, which gets this name where it is new.
    fn id(&self, slot: &Slot, kind: MetricKind, name: impl FnOnce() -> String) -> Option<u32> {
        slot.get().unwrap_or_else(|| {
            let name = format!("{}{}", self.prefix, name());
            let defined = host::define_metric(kind, &name)
                .inspect_err(|status| log::error!("cannot define the metric {name}: {status}"))
                .ok();
            slot.set(Some(defined));
            defined
        })
    }

    /// Whether the exchange that begins now is one of those that are timed. Kong's clock stands still in a filter.
    pub fn times_next(&self) -> bool {
        if self.host == HostProfile::Wasmx {
            return false;
        }
        let number = self.exchanges.get();
        self.exchanges.set(number.wrapping_add(1));
        number.is_multiple_of(TIMED)
    }

    /// An exchange has kept the filter busy for so long.
    fn took(&self, nanoseconds: u64) {
        if let Some(id) = self.id(&self.time, MetricKind::Histogram, || "filter_time_us".to_owned()) {
            report(host::record_metric(id, nanoseconds / 1000));
        }
    }
}

fn report(result: Result<(), HostStatus>) {
    if let Err(status) = result {
        log::error!("cannot change a metric: {status}");
    }
}

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
        let began = host::now();
        let result = callback(self.context.as_mut());
        if let (Ok(began), Ok(ended)) = (began, host::now()) {
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
