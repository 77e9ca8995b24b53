//! What became of an exchange, for those who count and log.

use super::reply::Failure;
use crate::grpc::Code;

/// Why an exchange failed, where it wasn't the service that said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No method is bound to the path.
    NoRoute,
    /// The path is bound, to other HTTP methods.
    WrongMethod,
    /// The path is malformed.
    BadPath,
    /// A header that the filter reads is malformed.
    BadHeader,
    /// A path capture or query parameter doesn't fit its field.
    BadParameter,
    /// The body is no message of the method's type.
    BadBody,
    /// The body is in a form that the filter doesn't read.
    MediaType,
    /// The request must say how long its body is.
    LengthRequired,
    /// The request is over a limit.
    TooLarge,
    /// The host, or the configuration, cannot carry the request.
    Unsupported,
    /// The upstream's answer is no gRPC answer, or no message of the method's type.
    BadAnswer,
    /// The upstream's answer is over a limit.
    AnswerTooLarge,
    /// There was no answer.
    Unreachable,
    /// There was no answer in time.
    Deadline,
    /// The gateway did not do its part.
    Internal,
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = Self::Internal as usize + 1;

    /// The name in metrics and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::WrongMethod => "wrong_method",
            Self::BadPath => "bad_path",
            Self::BadHeader => "bad_header",
            Self::BadParameter => "bad_parameter",
            Self::BadBody => "bad_body",
            Self::MediaType => "media_type",
            Self::LengthRequired => "length_required",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::BadAnswer => "bad_answer",
            Self::AnswerTooLarge => "answer_too_large",
            Self::Unreachable => "unreachable",
            Self::Deadline => "deadline",
            Self::Internal => "internal",
        }
    }

    /// Whether it is the operator's business rather than the client's.
    pub fn is_the_gateways(self) -> bool {
        matches!(
            self,
            Self::Unsupported | Self::BadAnswer | Self::AnswerTooLarge | Self::Internal
        )
    }
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The gRPC status that the client got, or would have got.
    pub code: Code,
    /// Why it isn't the service's own.
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

/// The outcome, once there is one: a failure takes the place of a success, and nothing that of a failure.
#[derive(Debug, Default)]
pub struct Record(Option<Outcome>);

impl Record {
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
