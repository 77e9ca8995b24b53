//! How an exchange ended, for those who count and log.

use super::failure::{Failure, Reason};
use crate::grpc::Code;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The gRPC status that the client got, or would have got.
    pub code: Code,
    /// Why the exchange failed; none where the code is the service's own.
    pub reason: Option<Reason>,
}

impl Outcome {
    /// The service's OK.
    pub const OK: Self = Self {
        code: Code::Ok,
        reason: None,
    };

    /// The client left before its answer was complete.
    pub const CANCELLED: Self = Self {
        code: Code::Cancelled,
        reason: None,
    };
}

impl From<&Failure> for Outcome {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.status.code,
            reason: failure.reason,
        }
    }
}

/// How an exchange ended, once that is known: a failure takes the place of a success, and nothing that of a failure.
#[derive(Debug, Default)]
pub struct Ending(Option<Outcome>);

impl Ending {
    /// The exchange ended so.
    pub fn add(&mut self, outcome: impl Into<Outcome>) {
        if self.0.is_none_or(|known| known == Outcome::OK) {
            self.0 = Some(outcome.into());
        }
    }

    /// What is known.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0
    }
}
