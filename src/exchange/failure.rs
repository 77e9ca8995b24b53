//! Why an exchange cannot go on as asked: a [`Failure`] carries the gRPC code, the HTTP status and the words for the client
//! from where it arises to where a reply is written; its [`Reason`] is for those who count and log.

use crate::codec::{CodecError, PrintOptions, WireToJson};
use crate::config::Plugin;
use crate::grpc::error_body::{bad_request, write_error};
use crate::grpc::{Code, ErrorFormat, Status};
use crate::http::elements::ElementError;
use crate::routing::BindError;
use crate::text::shown::{NAME, shown};
use crate::transform::{TransformError, TransformReason};

/// Why an exchange cannot go on as asked, as the client is told.
#[derive(Debug)]
pub struct Failure {
    /// The HTTP status; mostly, but not always, the one that belongs to the code.
    pub http_status: u16,
    /// Code, message and details of the body.
    pub status: Status,
    /// The `allow` header of a 405.
    pub allow: Option<String>,
    /// What went wrong; none where the status is the upstream's own.
    pub reason: Option<Reason>,
}

impl Failure {
    /// The upstream's own status, under the HTTP status that `google.rpc.Code` gives it.
    pub fn of(status: Status) -> Self {
        Self {
            http_status: status.code.http_status(),
            status,
            allow: None,
            reason: None,
        }
    }

    fn new(reason: Reason, http_status: u16, code: Code, message: impl Into<String>) -> Self {
        Self {
            http_status,
            status: Status::new(code, message),
            allow: None,
            reason: Some(reason),
        }
    }

    /// 400 with a `google.rpc.BadRequest` that names the field.
    fn bad_field(reason: Reason, field: &str, description: &str, message: String) -> Self {
        let mut failure = Self::new(reason, 400, Code::InvalidArgument, message);
        failure.status = failure.status.with_detail(&bad_request(field, description));
        failure
    }

    /// 400: the body is no message of the method's type.
    pub fn body(error: &CodecError) -> Self {
        let field = if error.path.is_empty() { "body" } else { &error.path };
        Self::bad_field(Reason::BadBody, field, &error.message, format!("request body: {error}"))
    }

    /// 400: the body is no sequence of messages. 413: one of them is over the limit.
    pub fn body_form(error: &ElementError) -> Self {
        if let ElementError::TooLarge(_) = error {
            return Self::too_large(format!("request body: {error}"));
        }
        Self::bad_field(
            Reason::BadBody,
            "body",
            &error.to_string(),
            format!("request body: {error}"),
        )
    }

    /// 400: the path is malformed.
    pub fn path(message: String) -> Self {
        Self::bad_field(Reason::BadPath, "path", &message, message.clone())
    }

    /// 400: a header that the filter reads is malformed.
    pub fn header(name: &str, error: &impl std::fmt::Display) -> Self {
        Self::bad_field(Reason::BadHeader, name, &error.to_string(), error.to_string())
    }

    /// 400: a path capture or a query parameter does not fit its field.
    pub fn parameter(error: &BindError) -> Self {
        Self::bad_field(
            Reason::BadParameter,
            &error.field,
            &error.message,
            format!("{}: {}", error.field, error.message),
        )
    }

    /// What is wrong with a request whose messages are to be changed: 401 where the source of a field isn't there, 400 where
    /// it doesn't fit or the message is none, 413 where that becomes too large.
    pub fn transform(error: &TransformError) -> Self {
        let message = &error.message;
        match error.reason {
            TransformReason::Unauthenticated => Self::new(Reason::Unauthenticated, 401, Code::Unauthenticated, message),
            TransformReason::InvalidArgument => Self::new(Reason::BadSource, 400, Code::InvalidArgument, message),
            TransformReason::Malformed => {
                let message = format!("malformed request message: {message}");
                Self::new(Reason::BadBody, 400, Code::InvalidArgument, message)
            }
            TransformReason::TooLarge => Self::too_large(message),
        }
    }

    /// 502: a message of the answer cannot be changed.
    pub fn transform_answer(error: &TransformError) -> Self {
        match error.reason {
            TransformReason::TooLarge => Self::answer_too_large(&error.message),
            _ => Self::bad_answer(format!("malformed message: {error}")),
        }
    }

    /// The same for a gRPC client: INTERNAL, or RESOURCE_EXHAUSTED.
    pub fn transform_native_answer(error: &TransformError) -> Self {
        match error.reason {
            TransformReason::TooLarge => Self::answer_too_large(&error.message),
            _ => Self::bad_native_answer(format!("malformed message: {error}")),
        }
    }

    /// 501: what would go on untouched may call the method at `path`, whose messages are changed here.
    pub fn guarded(path: &str) -> Self {
        Self::guards(format!(
            "the gateway changes what is sent to {path}, and takes calls of it under this path alone, letter for letter, as \
             application/grpc+proto, or as JSON under its HTTP bindings"
        ))
    }

    /// 501: a client's messages are in a form that isn't read here, of a method whose messages are changed.
    pub fn guards(message: impl Into<String>) -> Self {
        Self::new(Reason::Guarded, 501, Code::Unimplemented, message)
    }

    /// INTERNAL: a gRPC client's body is no sequence of frames.
    pub fn bad_frames(message: impl Into<String>) -> Self {
        Self::new(Reason::BadBody, 400, Code::Internal, message)
    }

    /// INTERNAL, for a gRPC client: the upstream's answer is none, as far as it has to be read here.
    pub fn bad_native_answer(message: impl AsRef<str>) -> Self {
        let message = format!("upstream: {}", message.as_ref());
        Self::new(Reason::BadAnswer, 502, Code::Internal, message)
    }

    /// 404: no binding has this path.
    pub fn unmatched(method: &[u8], path: &[u8]) -> Self {
        let (method, path) = (shown(method, NAME), shown(path, NAME));
        Self::new(
            Reason::NoRoute,
            404,
            Code::NotFound,
            format!("no gRPC method is bound to {method} {path}"),
        )
    }

    /// UNIMPLEMENTED, for a gRPC client, to which failures are successes of HTTP.
    pub fn no_native_method() -> Self {
        Self::new(
            Reason::NoRoute,
            200,
            Code::Unimplemented,
            "the gateway serves no such method to gRPC clients",
        )
    }

    /// 405: the path is bound, with other methods.
    pub fn wrong_method(method: &str, path: &str, allow: String) -> Self {
        let mut failure = Self::new(
            Reason::WrongMethod,
            405,
            Code::Unimplemented,
            format!("{path} is not bound to {method}; it allows {allow}"),
        );
        failure.allow = Some(allow);
        failure
    }

    /// Whether no binding has the path, or none with the method.
    pub fn is_unmatched(&self) -> bool {
        matches!(self.reason, Some(Reason::NoRoute | Reason::WrongMethod))
    }

    /// 411: the request must say how long its body is.
    pub fn length_required(message: impl Into<String>) -> Self {
        Self::new(Reason::LengthRequired, 411, Code::InvalidArgument, message)
    }

    /// 413: the request is over a limit.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(Reason::TooLarge, 413, Code::ResourceExhausted, message)
    }

    /// 503: all requests together hold as much as they may.
    pub fn overload() -> Self {
        Self::new(
            Reason::Overload,
            503,
            Code::ResourceExhausted,
            "the gateway is at its memory limit: try again later",
        )
    }

    /// 415: the body is in a form that the filter does not read.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(Reason::MediaType, 415, Code::InvalidArgument, message)
    }

    /// 417: the client waits for a 100 that nobody sends; without the expectation it need not.
    pub fn expectation() -> Self {
        Self::new(
            Reason::BadHeader,
            417,
            Code::InvalidArgument,
            "expect: 100-continue cannot be met here: send the request without it, or leave proxy_100_continue out of the \
             gateway's configuration",
        )
    }

    /// 501: the host or this configuration cannot do it; the message says what to change.
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Reason::Unsupported, 501, Code::Unimplemented, message)
    }

    /// 502: the upstream's answer is no gRPC answer.
    pub fn bad_answer(message: impl AsRef<str>) -> Self {
        Self::new(
            Reason::BadAnswer,
            502,
            Code::Unavailable,
            format!("upstream: {}", message.as_ref()),
        )
    }

    /// 502: the upstream's answer is over a limit.
    pub fn answer_too_large(message: impl AsRef<str>) -> Self {
        Self::new(
            Reason::AnswerTooLarge,
            502,
            Code::ResourceExhausted,
            format!("upstream: {}", message.as_ref()),
        )
    }

    /// 503: there was no answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Reason::Unreachable, 503, Code::Unavailable, message)
    }

    /// 501: the gateway has no route for the method at `path`.
    pub fn no_grpc_route(path: &str) -> Self {
        let message = format!("no route of the gateway takes {path}, the gRPC path of this method");
        Self::unrouted(path, &message)
    }

    /// The gateway's route for the method at `path` leads to no upstream, but answers by itself with `http_status`. A refusal
    /// is meant so. A redirect, a page or its absence is for other paths, and this one has no route of its own: 501.
    pub fn route_to_nothing(http_status: u16, path: &str) -> Self {
        if matches!(http_status, 401 | 403 | 429 | 500..) {
            return Self::answered_by_gateway(http_status);
        }
        let message = format!(
            "the gateway's route for {path}, the gRPC path of this method, answers HTTP {http_status} by itself"
        );
        Self::unrouted(path, &message)
    }

    fn unrouted(path: &str, message: &str) -> Self {
        let service = path.rsplit_once('/').map_or(path, |(service, _)| service);
        Self::new(
            Reason::Unrouted,
            501,
            Code::Unimplemented,
            format!("{message}: add one with the prefix {service}/ that leads to the service"),
        )
    }

    /// 503: the gateway has a route, which leads to no upstream of its own.
    pub fn no_cluster(message: impl Into<String>) -> Self {
        Self::new(Reason::Unrouted, 503, Code::Unavailable, message)
    }

    /// Something in the gateway answered with `http_status`, whose code is by gRPC's own table. 502: it takes that for a success.
    pub fn answered_by_gateway(http_status: u16) -> Self {
        let message = format!("the gateway itself answered HTTP {http_status}");
        match http_status {
            200 => Self::new(Reason::BadAnswer, 502, Code::Unavailable, message),
            _ => Self::of(Status::new(Code::from_http_status(http_status), message)),
        }
    }

    /// 504: there was no answer in time.
    pub fn deadline(message: impl Into<String>) -> Self {
        Self::new(Reason::Deadline, 504, Code::DeadlineExceeded, message)
    }

    /// A hook has answered, or could not be asked; this is what counts as its outcome, and what a gRPC client is told.
    pub fn hooked(http_status: u16, code: Code, message: &str) -> Self {
        Self::new(Reason::Hook, http_status, code, message)
    }

    /// 500: the gateway did not do its part.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Reason::Internal, 500, Code::Internal, message)
    }

    /// The object that ends a stream with this error: `{"error": …}` in every format.
    pub fn element(&self, plugin: &Plugin, to_json: &mut WireToJson) -> Vec<u8> {
        let mut element = Vec::new();
        if plugin.settings.errors == ErrorFormat::Google {
            self.write_body(plugin, to_json, &mut element);
            return element;
        }
        element.extend_from_slice(br#"{"error":"#);
        self.write_body(plugin, to_json, &mut element);
        element.push(b'}');
        element
    }

    /// Appends the body of the error response to `out`.
    pub fn write_body(&self, plugin: &Plugin, to_json: &mut WireToJson, out: &mut Vec<u8>) {
        // The envelope is compact, and so are the details in it.
        let print = PrintOptions {
            add_whitespace: false,
            ..plugin.settings.print
        };
        write_error(
            &self.status,
            self.http_status,
            plugin.settings.errors,
            out,
            |any, out| to_json.detail(&plugin.tables, any, &print, out).is_ok(),
        );
    }
}

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
    /// What the gateway vouches for isn't there: the source of a field that a transform requires.
    Unauthenticated,
    /// The source of a field that a transform sets doesn't fit it.
    BadSource,
    /// The request might get around a transform.
    Guarded,
    /// A hook has answered in the service's place, or could not be asked.
    Hook,
    /// The host, or the configuration, cannot carry the request.
    Unsupported,
    /// No route of the gateway leads from the method's path to an upstream.
    Unrouted,
    /// The upstream's answer is no gRPC answer, or no message of the method's type.
    BadAnswer,
    /// The upstream's answer is over a limit.
    AnswerTooLarge,
    /// All requests together hold as much as they may.
    Overload,
    /// There was no answer.
    Unreachable,
    /// There was no answer in time.
    Deadline,
    /// The gateway did not do its part.
    Internal,
}

impl Reason {
    /// All of them, in their order.
    pub const ALL: [Self; Self::Internal as usize + 1] = [
        Self::NoRoute,
        Self::WrongMethod,
        Self::BadPath,
        Self::BadHeader,
        Self::BadParameter,
        Self::BadBody,
        Self::MediaType,
        Self::LengthRequired,
        Self::TooLarge,
        Self::Unauthenticated,
        Self::BadSource,
        Self::Guarded,
        Self::Hook,
        Self::Unsupported,
        Self::Unrouted,
        Self::BadAnswer,
        Self::AnswerTooLarge,
        Self::Overload,
        Self::Unreachable,
        Self::Deadline,
        Self::Internal,
    ];

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
            Self::Unauthenticated => "unauthenticated",
            Self::BadSource => "bad_source",
            Self::Guarded => "guarded",
            Self::Hook => "hook",
            Self::Unsupported => "unsupported",
            Self::Unrouted => "unrouted",
            Self::BadAnswer => "bad_answer",
            Self::AnswerTooLarge => "answer_too_large",
            Self::Overload => "overload",
            Self::Unreachable => "unreachable",
            Self::Deadline => "deadline",
            Self::Internal => "internal",
        }
    }

    /// Whether it is the operator's business rather than the client's.
    pub fn is_the_gateways(self) -> bool {
        matches!(
            self,
            Self::Unsupported | Self::Unrouted | Self::BadAnswer | Self::AnswerTooLarge | Self::Internal
        )
    }
}
