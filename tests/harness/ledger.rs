//! What happened in a virtual machine: its log, its host calls by kind, and the guest's faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use proxy_wasm_host::abi::v0_2_1::types::{LogLevel, MetricType, Status};
use proxy_wasm_host::abi::v0_2_1::{InMemoryStore, Invocation, LogContext, LogSink, MetricId, SharedServices};

/// A kind of host call. Reads of gRPC metadata and messages are served by the host crate and not seen here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostCall {
    GetHeaders,
    GetHeader,
    SetHeaders,
    SetHeader,
    AddHeader,
    RemoveHeader,
    GetBuffer,
    SetBuffer,
    GetProperty,
    SetProperty,
    SendLocalReply,
    ContinueStream,
    CloseStream,
    OpenGrpc,
    SendGrpc,
    CloseGrpc,
    CancelGrpc,
    Metric,
    Log,
}

/// The record, shared by all that a guest can call.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// By context, as the ABI numbers them.
    calls: BTreeMap<(u32, HostCall), u32>,
    log: Vec<(LogLevel, String)>,
    faults: Vec<String>,
    /// Names of metrics by id, and what was added to each.
    metrics: BTreeMap<MetricId, String>,
    values: BTreeMap<String, Vec<u64>>,
}

impl Ledger {
    /// Counts a host call of `context`.
    pub fn count(&self, context: u32, call: HostCall) {
        *self.entries().calls.entry((context, call)).or_default() += 1;
    }

    /// The host calls of `context` so far.
    pub fn calls(&self, context: u32) -> BTreeMap<HostCall, u32> {
        let entries = self.entries();
        let mut calls: BTreeMap<_, _> = entries
            .calls
            .iter()
            .filter(|((of, _), _)| *of == context)
            .map(|((_, call), count)| (*call, *count))
            .collect();
        // The map is asked for once per read, of one value or of all; only the former is seen as such.
        let singles = calls.get(&HostCall::GetHeader).copied().unwrap_or_default();
        if let Some(reads) = calls.get_mut(&HostCall::GetHeaders) {
            *reads -= singles;
        }
        calls.retain(|_, count| *count > 0);
        calls
    }

    /// Notes something that a guest must never do.
    pub fn fault(&self, fault: String) {
        self.entries().faults.push(fault);
    }

    /// The faults since the last call.
    pub fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.entries().faults)
    }

    /// Notes a line that the gateway logs by itself.
    pub fn gateway_logs(&self, level: LogLevel, line: &str) {
        self.entries().log.push((level, line.to_owned()));
    }

    /// The log, one line each, with its level in front.
    pub fn log(&self) -> Vec<String> {
        self.entries()
            .log
            .iter()
            .map(|(level, line)| format!("{level:?}: {line}"))
            .collect()
    }

    /// The values that were added to each metric.
    pub fn metrics(&self) -> BTreeMap<String, Vec<u64>> {
        self.entries().values.clone()
    }

    fn define(&self, metric: MetricId, name: &[u8]) {
        let name = String::from_utf8_lossy(name).into_owned();
        self.entries().metrics.insert(metric, name);
    }

    fn add(&self, metric: MetricId, value: u64) {
        let mut entries = self.entries();
        if let Some(name) = entries.metrics.get(&metric).cloned() {
            entries.values.entry(name).or_default().push(value);
        }
    }

    /// The last line at level Critical: the message of a panic.
    pub fn panic_message(&self) -> Option<String> {
        self.entries()
            .log
            .iter()
            .rev()
            .find(|(level, _)| *level == LogLevel::Critical)
            .map(|(_, line)| line.clone())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl LogSink for Ledger {
    fn log(&self, context: LogContext<'_>, level: LogLevel, message: &[u8]) {
        if let Some(call) = context.call {
            self.count(call.context.get(), HostCall::Log);
        }
        self.entries()
            .log
            .push((level, String::from_utf8_lossy(message).into_owned()));
    }
}

/// Metrics that work and are counted; no shared data, no queues.
pub(super) struct Metrics {
    pub store: InMemoryStore,
    pub ledger: Arc<Ledger>,
}

impl SharedServices for Metrics {
    fn define_metric(&self, by: Invocation, vm_id: &[u8], kind: MetricType, name: &[u8]) -> Result<MetricId, Status> {
        self.ledger.count(by.context.get(), HostCall::Metric);
        let metric = self.store.define_metric(by, vm_id, kind, name)?;
        self.ledger.define(metric, name);
        Ok(metric)
    }

    fn record_metric(&self, by: Invocation, metric: MetricId, value: u64) -> Result<(), Status> {
        self.ledger.count(by.context.get(), HostCall::Metric);
        self.ledger.add(metric, value);
        self.store.record_metric(by, metric, value)
    }

    fn increment_metric(&self, by: Invocation, metric: MetricId, delta: i64) -> Result<(), Status> {
        self.ledger.count(by.context.get(), HostCall::Metric);
        self.ledger
            .add(metric, u64::try_from(delta).expect("counters only rise"));
        self.store.increment_metric(by, metric, delta)
    }

    fn get_metric(&self, by: Invocation, metric: MetricId) -> Result<u64, Status> {
        self.ledger.count(by.context.get(), HostCall::Metric);
        self.store.get_metric(by, metric)
    }
}
