//! Counters and histograms, kept by the host.
//!
//! Names follow the host: Envoy puts `wasmcustom.` in front of them, and they carry the module's own name, dots apart;
//! Kong puts the filter's name in front, and `protobridge.meta.json` tells it where the labels are.
//! docs/operation.md, "Metrics", lists them.
//!
//! Counters are added up here and handed over at the next tick, since each call of the host costs what counting a dozen
//! requests costs. In Kong, where nothing else ticks, they are handed over at once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::exchange::failure::Reason;
use crate::exchange::outcome::Outcome;
use crate::filter::abi::{self, HostStatus, MetricKind};
use crate::filter::host_profile::HostProfile;
use crate::filter::traffic::Traffic;
use crate::grpc::Code;
use crate::hooks::Outcome as HookOutcome;
use crate::hooks::settings::Kind;
use crate::routing::Method;

/// How long what was counted may wait for a tick, in milliseconds.
pub const MAX_WAIT: u32 = 1000;

/// How many series of methods there may be in Kong, which keeps those of all filters in one piece of memory, 5 MB by
/// default, and has the filter trap when that is full.
const MAX_SERIES_IN_KONG: usize = 1000;

/// The longest name of a method in Kong, which has the filter trap at a metric whose name is over 256 bytes.
const MAX_NAME_IN_KONG: usize = 200;

/// One exchange in so many is timed: reading the clock costs more than all counting.
const TIMED: u32 = 16;

/// The counters of [`Traffic`], in its order.
const TRAFFIC: [&str; 4] = [
    "downstream_rx_bytes",
    "upstream_tx_bytes",
    "upstream_rx_bytes",
    "downstream_tx_bytes",
];

/// The metrics of one plugin configuration.
pub struct Metrics {
    host: HostProfile,
    counters: RefCell<Counters>,
    /// The histogram, once it is defined; `None` inside: the host does not want it.
    time: Cell<Option<Option<u32>>>,
    exchanges: Cell<u32>,
}

#[derive(Default)]
struct Counters {
    all: Vec<Counter>,
    /// Those that have something to hand over.
    changed: Vec<usize>,
    /// Where each is in `all`: by method, then by code.
    requests: Vec<Option<Box<[Place; Code::COUNT]>>>,
    /// Those of requests without a method.
    unmatched: [Place; Code::COUNT],
    /// Those of methods for which there is no room.
    other: [Place; Code::COUNT],
    errors: [Place; Reason::ALL.len()],
    /// By kind, then by what they did.
    hooks: [Place; 3 * Kind::ALL.len()],
    traffic: [Place; TRAFFIC.len()],
    /// How many series of methods there are.
    series: usize,
}

/// Where a counter is, once there is one.
type Place = Option<usize>;

struct Counter {
    name: String,
    /// The host's number, once it has one; `None` inside: the host does not want it.
    id: Option<Option<u32>>,
    /// What is to be handed over.
    pending: u64,
}

impl Metrics {
    /// None is defined yet.
    pub fn new(host: HostProfile) -> Self {
        Self {
            host,
            counters: RefCell::default(),
            time: Cell::new(None),
            exchanges: Cell::new(0),
        }
    }

    /// Counts an exchange that ended, with what went through the machine until then. Returns whether a tick is needed.
    pub fn ended(&self, method: Option<&Rc<Method>>, outcome: Outcome, traffic: Traffic) -> bool {
        let waited = {
            let counters = &mut *self.counters.borrow_mut();
            let waited = !counters.changed.is_empty();
            counters.count(self.host, method, outcome.code);
            if let Some(reason) = outcome.reason
                && let Some(place) = counters.errors.get_mut(reason as usize)
            {
                let name = || format!("errors.{}", reason.name());
                add(&mut counters.all, &mut counters.changed, place, 1, name);
            }
            for ((place, bytes), name) in counters.traffic.iter_mut().zip(traffic.bytes).zip(TRAFFIC) {
                if bytes > 0 {
                    add(&mut counters.all, &mut counters.changed, place, bytes, || {
                        name.to_owned()
                    });
                }
            }
            waited
        };
        match self.host {
            HostProfile::Envoy => !waited,
            HostProfile::Wasmx => {
                self.flush();
                false
            }
        }
    }

    /// Counts how a hook's turn ended. Returns whether a tick is needed.
    pub fn hook(&self, kind: Kind, outcome: HookOutcome) -> bool {
        let counters = &mut *self.counters.borrow_mut();
        let waited = !counters.changed.is_empty();
        let (at, ended) = match outcome {
            HookOutcome::Passed => (0, "passed"),
            HookOutcome::Answered => (1, "answered"),
            HookOutcome::Failed(_) => (2, "failed"),
        };
        if let Some(place) = counters.hooks.get_mut(kind as usize * 3 + at) {
            let name = || format!("hooks.{}.{ended}", kind.name());
            add(&mut counters.all, &mut counters.changed, place, 1, name);
        }
        !waited
    }

    /// Hands over what was counted.
    pub fn flush(&self) {
        let counters = &mut *self.counters.borrow_mut();
        for place in counters.changed.drain(..) {
            let Some(counter) = counters.all.get_mut(place) else {
                continue;
            };
            let id = *counter
                .id
                .get_or_insert_with(|| define(self.host, MetricKind::Counter, &counter.name));
            let pending = std::mem::take(&mut counter.pending);
            if let Some(id) = id {
                report(abi::increment_metric(id, pending));
            }
        }
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
    pub fn took(&self, nanoseconds: u64) {
        let id = self.time.get().unwrap_or_else(|| {
            let id = define(self.host, MetricKind::Histogram, "filter_time_us");
            self.time.set(Some(id));
            id
        });
        if let Some(id) = id {
            report(abi::record_metric(id, nanoseconds / 1000));
        }
    }
}

impl Counters {
    fn count(&mut self, host: HostProfile, method: Option<&Rc<Method>>, code: Code) {
        let (places, whose) = match method {
            None => (&mut self.unmatched, "unmatched"),
            Some(method) => {
                if self.requests.len() <= method.index {
                    self.requests.resize_with(method.index + 1, || None);
                }
                let Some(places) = self.requests.get_mut(method.index) else {
                    return;
                };
                let known = places
                    .as_ref()
                    .is_some_and(|places| matches!(places.get(code as usize), Some(Some(_))));
                let room = host == HostProfile::Envoy
                    || (self.series < MAX_SERIES_IN_KONG && method.full_name.len() < MAX_NAME_IN_KONG);
                match known || room {
                    true => {
                        self.series += usize::from(!known);
                        (&mut **places.get_or_insert_default(), &*method.full_name)
                    }
                    false => (&mut self.other, "other"),
                }
            }
        };
        if let Some(place) = places.get_mut(code as usize) {
            let name = || format!("requests.{whose}.{}", code.name());
            add(&mut self.all, &mut self.changed, place, 1, name);
        }
    }
}

/// Adds to the counter at `place`, which gets this name where it is new.
fn add(all: &mut Vec<Counter>, changed: &mut Vec<usize>, place: &mut Place, count: u64, name: impl FnOnce() -> String) {
    let place = *place.get_or_insert_with(|| {
        all.push(Counter {
            name: name(),
            id: None,
            pending: 0,
        });
        all.len() - 1
    });
    if let Some(counter) = all.get_mut(place) {
        if counter.pending == 0 {
            changed.push(place);
        }
        counter.pending = counter.pending.saturating_add(count);
    }
}

fn define(host: HostProfile, kind: MetricKind, name: &str) -> Option<u32> {
    let defined = match host {
        HostProfile::Envoy => abi::define_metric(kind, &format!("protobridge.{name}")),
        HostProfile::Wasmx => abi::define_metric(kind, name),
    };
    defined
        .inspect_err(|status| log::error!("cannot define the metric {name}: {status}"))
        .ok()
}

fn report(result: Result<(), HostStatus>) {
    if let Err(status) = result {
        log::error!("cannot change a metric: {status}");
    }
}
