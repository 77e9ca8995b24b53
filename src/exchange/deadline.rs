//! How long an answer may take: what the upstream is told, when the gateway gives up, and what it means then that an
//! upstream says "cancelled".

use std::time::Duration;

use super::failure::Failure;
use crate::config::Settings;
use crate::grpc::Code;
use crate::routing::Method;

/// The time for the answer of a call where neither the client nor the configuration says one.
const DEFAULT: Duration = Duration::from_secs(15);

/// The time for one answer.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    time: Option<Duration>,
    passed: bool,
}

impl Deadline {
    /// The time for an answer of `method`, for which the client asks by `grpc-timeout`, if it does.
    pub fn new(settings: &Settings, method: &Method, asked: Option<Duration>) -> Self {
        let configured = match method.is_unary() {
            true => settings.upstream.timeout,
            false => settings.streaming.timeout,
        };
        Self {
            time: match (asked, configured) {
                (Some(asked), Some(most)) => Some(most.min(asked)),
                (asked, configured) => asked.or(configured),
            },
            passed: false,
        }
    }

    /// The time for the answer of a call: no route of the gateway's bounds it, so that it always ends.
    pub fn of_call(self) -> Self {
        Self {
            time: Some(self.time.unwrap_or(DEFAULT)),
            ..self
        }
    }

    /// How long the upstream may take, as it is told by `grpc-timeout`; none where only the gateway's own timeouts apply.
    pub fn time(&self) -> Option<Duration> {
        self.time
    }

    /// After which time the gateway is to give up on a whole answer: a little earlier than the upstream, which is told all
    /// of it and may be the first to notice. Its own "cancelled" would then win over the deadline.
    pub fn of_whole_answer(&self) -> Option<Duration> {
        self.time
            .map(|time| time.saturating_sub((time / 16).min(Duration::from_millis(20))))
    }

    /// After which time the gateway is to give up on a streamed answer in place: later than the upstream, which may still
    /// end the stream with its error, while the gateway can only break it off.
    pub fn of_streamed_answer(&self) -> Option<Duration> {
        self.time
            .map(|time| time.saturating_add((time / 4).min(Duration::from_secs(1))))
    }

    /// The time is up.
    pub fn pass(&mut self) {
        self.passed = true;
    }

    /// Whether the time is up.
    pub fn has_passed(&self) -> bool {
        self.passed
    }

    /// 504: the upstream has taken longer.
    pub fn late(&self) -> Failure {
        match self.time {
            Some(time) => Failure::deadline(format!("the upstream did not answer within {time:?}")),
            None => Failure::deadline("the upstream did not answer in time"),
        }
    }

    /// What a failure of the upstream's means. Some servers say "cancelled" of a call whose time is up.
    pub fn judge(&self, failure: Failure) -> Failure {
        match failure.status.code {
            Code::Cancelled if self.passed => self.late(),
            _ => failure,
        }
    }
}
