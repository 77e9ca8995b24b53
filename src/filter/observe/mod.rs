//! What an operator sees of an exchange: metrics, properties for access logs, and log lines.
//!
//! None of them shows anything of a message. This file has the properties and the log lines; [`metrics`] counts, [`timed`]
//! measures how long an exchange takes here, [`loaded`] says what a configuration serves.

pub mod loaded;
pub mod metrics;
pub mod timed;

use std::cell::Cell;
use std::rc::Rc;

use self::metrics::Metrics;
use super::abi::{self, HostStatus};
use super::host_profile::HostProfile;
use super::traffic;
use crate::config::Settings;
use crate::exchange::outcome::Outcome as Ended;
use crate::exchange::{Exchange, HookNews};
use crate::hooks::Outcome;

/// The least time between two warnings, in nanoseconds: an upstream that fails does so with every request.
const BETWEEN_WARNINGS: u64 = 1_000_000_000;

/// Where an access log finds method and status, as [`abi::set_property`] takes it. In Envoy: the filter state `wasm.protobridge.grpc_method`.
struct Properties {
    method: &'static str,
    status: &'static str,
}

const IN_ENVOY: Properties = Properties {
    method: "protobridge.grpc_method",
    status: "protobridge.grpc_status",
};

/// Variables, which are there where nginx's configuration has them.
const IN_KONG: Properties = Properties {
    method: "ngx\0protobridge_grpc_method",
    status: "ngx\0protobridge_grpc_status",
};

/// The observer of all exchanges of one plugin configuration.
pub struct Observer {
    metrics: Option<Rc<Metrics>>,
    properties: Properties,
    /// Whether somebody asks for the properties, and the host has them.
    shows: Cell<bool>,
    warned: Cell<Option<u64>>,
    unwarned: Cell<u32>,
}

impl Observer {
    /// Nothing has been seen yet.
    pub fn new(host: HostProfile, settings: &Settings) -> Self {
        let (metrics, properties) = match host {
            HostProfile::Envoy => (true, IN_ENVOY),
            // Older ones trap at a metric.
            HostProfile::Wasmx => (false, IN_KONG),
        };
        Self {
            metrics: settings.metrics.unwrap_or(metrics).then(|| Rc::new(Metrics::new(host))),
            properties,
            shows: Cell::new(settings.access_log),
            warned: Cell::new(None),
            unwarned: Cell::new(0),
        }
    }

    /// Where the time goes of the exchange that begins now, if it is one of those that are timed.
    pub fn timer(&self) -> Option<Rc<Metrics>> {
        self.metrics.as_ref().filter(|metrics| metrics.times_next()).cloned()
    }

    /// Lets an access log print the exchange as it stands.
    pub fn show(&self, exchange: &Exchange) {
        let Some(outcome) = exchange.outcome().filter(|_| self.shows.get()) else {
            return;
        };
        if let Some(method) = method(exchange) {
            self.set(self.properties.method, method);
        }
        self.set(self.properties.status, outcome.code.name());
    }

    fn set(&self, property: &str, value: &str) {
        match abi::set_property(property, value.as_bytes()) {
            Ok(()) => {}
            Err(HostStatus::NOT_FOUND) => self.shows.set(false),
            Err(status) => log::debug!("cannot set the property {property:?}: {status}"),
        }
    }

    /// Hands over what was counted.
    pub fn flush(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.flush();
        }
    }

    /// Counts an exchange that ended, and says so. Returns whether a tick is needed for [`Observer::flush`].
    pub fn ended(&self, exchange: &Exchange) -> bool {
        let traffic = traffic::take();
        let Some(outcome) = exchange.outcome() else {
            return false;
        };
        let waits = match &self.metrics {
            Some(metrics) => metrics.ended(exchange.method(), outcome, traffic),
            None => false,
        };
        let operators = outcome.reason.is_some_and(|reason| reason.is_the_gateways());
        if operators && self.may_warn() {
            let more = match self.unwarned.take() {
                0 => String::new(),
                count => format!(", and {count} more since the last warning"),
            };
            log::warn!("{}{more}", line(exchange, outcome));
        } else {
            log::debug!("{}", line(exchange, outcome));
        }
        waits
    }

    /// Counts a hook's turn, and says where one has failed. Returns whether a tick is needed for [`Observer::flush`].
    pub fn hook(&self, news: &HookNews) -> bool {
        let waits = match &self.metrics {
            Some(metrics) => metrics.hook(news.kind, news.outcome),
            None => false,
        };
        if let Outcome::Failed(failure) = news.outcome
            && self.may_warn()
        {
            log::warn!("hooks.{} {:?}: {failure}", news.kind.name(), news.name);
        }
        waits
    }

    fn may_warn(&self) -> bool {
        let now = abi::now().unwrap_or(0);
        if self
            .warned
            .get()
            .is_some_and(|last| now.saturating_sub(last) < BETWEEN_WARNINGS)
        {
            self.unwarned.set(self.unwarned.get().saturating_add(1));
            return false;
        }
        self.warned.set(Some(now));
        true
    }
}

/// `package.Service/Method`.
fn method(exchange: &Exchange) -> Option<&str> {
    exchange.method().and_then(|method| method.path.strip_prefix('/'))
}

fn line(exchange: &Exchange, outcome: Ended) -> String {
    let reason = outcome.reason.map(|reason| format!(" ({})", reason.name()));
    format!(
        "{}: {}{}",
        method(exchange).unwrap_or("no method"),
        outcome.code.name(),
        reason.unwrap_or_default()
    )
}
