//! What a request needs to know of the configuration beside schema and routing.

use std::time::Duration;

use log::LevelFilter;

use super::check::Checked;
use crate::codec::{ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields};
use crate::grpc::ErrorFormat;
use crate::http::stream_format::StreamFormat;
use crate::routing::{BindOptions, QueryOptions, UnknownParameters};

/// What a request needs to know of the configuration beside schema and routing. [`KEYS`](super::keys::KEYS) has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `dispatch`.
    pub dispatch: Dispatch,
    /// `upstream`.
    pub upstream: Upstream,
    /// `unmatched`.
    pub unmatched: Unmatched,
    /// The part of `json` that is about reading.
    pub parse: ParseOptions,
    /// The part of `json` that is about writing.
    pub print: PrintOptions,
    /// `query`.
    pub query: QueryOptions,
    /// `update_mask_from_body`.
    pub update_mask_from_body: bool,
    /// `errors.format`.
    pub errors: ErrorFormat,
    /// `streaming`.
    pub streaming: Streaming,
    /// `metrics`; unset, the host decides.
    pub metrics: Option<bool>,
    /// `access_log`.
    pub access_log: bool,
    /// `log_level`.
    pub log_level: LevelFilter,
    /// `limits`.
    pub limits: Limits,
}

impl Settings {
    pub(super) fn new(checked: &Checked) -> Self {
        Self {
            dispatch: match checked.choice("dispatch").as_str() {
                "call" => Dispatch::Call,
                "forward" => Dispatch::Forward,
                _ => Dispatch::Auto,
            },
            upstream: Upstream {
                cluster: checked.text("upstream.cluster"),
                authority: checked.text("upstream.authority"),
                timeout: checked.duration("upstream.timeout"),
                grpc_web: checked.flag("upstream.grpc_web"),
            },
            unmatched: match checked.choice("unmatched").as_str() {
                "pass_through" => Unmatched::PassThrough,
                _ => Unmatched::Reject,
            },
            parse: ParseOptions {
                unknown_fields: match checked.choice("json.unknown_fields").as_str() {
                    "reject" => UnknownFields::Reject,
                    _ => UnknownFields::Ignore,
                },
                unknown_enum_names: match checked.choice("json.unknown_enum_names").as_str() {
                    "ignore" => UnknownEnumNames::Ignore,
                    _ => UnknownEnumNames::Reject,
                },
                case_insensitive_enums: checked.flag("json.case_insensitive_enums"),
                ..ParseOptions::default()
            },
            print: PrintOptions {
                always_print_fields_with_no_presence: checked.flag("json.always_print_fields_with_no_presence"),
                always_print_enums_as_ints: checked.flag("json.always_print_enums_as_ints"),
                preserve_proto_field_names: checked.flag("json.preserve_proto_field_names"),
                unquote_int64_if_possible: checked.flag("json.unquote_int64_if_possible"),
                add_whitespace: checked.flag("json.add_whitespace"),
            },
            query: QueryOptions {
                unknown: match checked.choice("query.unknown").as_str() {
                    "reject" => UnknownParameters::Reject,
                    _ => UnknownParameters::Ignore,
                },
                ignored: checked.texts("query.ignored").into_iter().collect(),
            },
            update_mask_from_body: checked.flag("update_mask_from_body"),
            errors: match checked.choice("errors.format").as_str() {
                "google" => ErrorFormat::Google,
                _ => ErrorFormat::Status,
            },
            streaming: Streaming {
                default: match checked.choice("streaming.default").as_str() {
                    "ndjson" => StreamFormat::Ndjson,
                    "sse" => StreamFormat::Sse,
                    _ => StreamFormat::Array,
                },
                timeout: checked.duration("streaming.timeout"),
            },
            metrics: checked.given("metrics").map(|_| checked.flag("metrics")),
            access_log: checked.flag("access_log"),
            log_level: match checked.choice("log_level").as_str() {
                "error" => LevelFilter::Error,
                "warn" => LevelFilter::Warn,
                "debug" => LevelFilter::Debug,
                _ => LevelFilter::Info,
            },
            limits: Limits {
                max_proto_bytes: checked.size("limits.max_proto_bytes"),
                max_request_bytes: checked.size("limits.max_request_bytes"),
                max_response_bytes: checked.size("limits.max_response_bytes"),
                max_message_bytes: checked.size("limits.max_message_bytes"),
                gateway_buffer_bytes: checked.size("limits.gateway_buffer_bytes"),
            },
        }
    }

    /// How path and query are read: the part of `json` that is about reading, and `query`.
    pub fn bind(&self) -> BindOptions<'_> {
        BindOptions {
            parse: &self.parse,
            query: &self.query,
        }
    }
}

/// How a request travels to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// In place where the host can carry the request so, else by a call.
    Auto,
    /// By the host's gRPC call API.
    Call,
    /// In place: the gateway's own router sends the request.
    Forward,
}

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The cluster of calls; none: the route's.
    pub cluster: Option<String>,
    /// The `:authority` of calls; none: the host's own choice.
    pub authority: Option<String>,
    /// The longest that an answer may take, at least a millisecond; none: the gateway's own, and 15 s for calls.
    pub timeout: Option<Duration>,
    /// Whether Envoy's grpc_web filter is right behind this one.
    pub grpc_web: bool,
}

/// What becomes of a request that no method is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// 404 or 405.
    Reject,
    /// It goes on untouched.
    PassThrough,
}

/// How streams are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streaming {
    /// The format when the client accepts any.
    pub default: StreamFormat,
    /// The longest that a whole stream may take; none: the gateway's own, and 15 s for calls.
    pub timeout: Option<Duration>,
}

/// Bounds in bytes, each at least 1 and at most [`MAX_SIZE`](super::keys::MAX_SIZE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The `.proto` texts together.
    pub max_proto_bytes: usize,
    /// The body of a request.
    pub max_request_bytes: usize,
    /// What is held of a response that cannot be streamed.
    pub max_response_bytes: usize,
    /// One gRPC message.
    pub max_message_bytes: usize,
    /// What the gateway itself can hold back of a body.
    pub gateway_buffer_bytes: usize,
}
