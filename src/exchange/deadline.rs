//! How long an answer may take: what the upstream is told, when the gateway gives up, and what it means then that an
//! upstream says "cancelled".

use std::time::Duration;

use super::failure::Failure;
use crate::config::Settings;
use crate::grpc::Code;
use crate::routing::Method;

/// The time for a unary answer where neither the client nor the configuration (`upstream.timeout`) says one.
const DEFAULT: Duration = Duration::from_secs(15);

/// The time for one answer.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    told: Option<Duration>,
    enforced: Option<Duration>,
    passed: bool,
}

impl Deadline {
    /// The time for an answer of `method`, for which the client asks by `grpc-timeout`, if it does.
    pub fn new(settings: &Settings, method: &Method, asked: Option<Duration>) -> Self {
        let streams = method.client_streaming || method.server_streaming;
        let (configured, default) = match streams {
            true => (settings.streaming.timeout, None),
            false => (settings.upstream.timeout, Some(DEFAULT)),
        };
        let most = configured.or(default);
        let told = match asked {
            Some(asked) => Some(most.map_or(asked, |most| most.min(asked))),
            None => most,
        };
        Self {
            told,
            // The default doesn't replace the gateway's own timeout for the route.
            enforced: told.filter(|_| configured.is_some() || asked.is_some()),
            passed: false,
        }
    }

    /// The time for the answer of a call: no route of the gateway's bounds it, so that it always ends.
    pub fn of_call(self) -> Self {
        let time = Some(self.told.unwrap_or(DEFAULT));
        Self {
            told: time,
            enforced: time,
            ..self
        }
    }

    /// What the upstream is told, by `grpc-timeout`; none for a stream without end.
    pub fn told(&self) -> Option<Duration> {
        self.told
    }

    /// How long the upstream may take; none where only the gateway's own timeouts apply.
    pub fn enforced(&self) -> Option<Duration> {
        self.enforced
    }

    /// After which time the gateway is to give up on a whole answer: a little earlier than the upstream, which is told all
    /// of it and may be the first to notice. Its own "cancelled" would then win over the deadline.
    pub fn of_whole_answer(&self) -> Option<Duration> {
        self.enforced
            .map(|time| time.saturating_sub((time / 16).min(Duration::from_millis(20))))
    }

    /// After which time the gateway is to give up on a streamed answer in place: later than the upstream, which may still
    /// end the stream with its error, while the gateway can only break it off.
    pub fn of_streamed_answer(&self) -> Option<Duration> {
        self.enforced
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
        match self.enforced {
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
