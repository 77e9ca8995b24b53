//! The settings that are neither schema nor routing, read from a checked configuration.

use std::time::Duration;

use log::LevelFilter;

use super::check::Checked;
use crate::codec::{ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields};
use crate::grpc::ErrorFormat;
use crate::http::stream_format::StreamFormat;
use crate::routing::{BindOptions, QueryOptions, UnknownParameters};

/// The settings that are neither schema nor routing. Their defaults are in [`KEYS`](super::keys::KEYS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `dispatch`: how requests travel to the upstream.
    pub dispatch: Dispatch,
    /// `bodyless`: how those without a body do, where `dispatch` isn't a call for all.
    pub bodyless: Dispatch,
    /// `native_grpc`: which requests of gRPC and gRPC-Web clients go on.
    pub native_grpc: NativeGrpc,
    /// `upstream`: where calls go, and how long an answer may take.
    pub upstream: Upstream,
    /// `hold_headers`: whether Envoy holds headers until the body is there; `None`: to be found out.
    pub hold_headers: Option<bool>,
    /// `unmatched`: what becomes of a request that no method is bound to.
    pub unmatched: Unmatched,
    /// The keys of `json` about reading request bodies, captures and query parameters.
    pub parse: ParseOptions,
    /// The keys of `json` about writing response bodies.
    pub print: PrintOptions,
    /// `query`: which query parameters are bound.
    pub query: QueryOptions,
    /// `update_mask_from_body`: whether a PATCH's `update_mask`, if it is unset, names the fields of the body.
    pub update_mask_from_body: bool,
    /// `errors.format`: the shape of error bodies.
    pub errors: ErrorFormat,
    /// `streaming`: how streams are written, and how long they may take.
    pub streaming: Streaming,
    /// `metrics`: whether requests are counted; `None` leaves it to the host.
    pub metrics: Option<bool>,
    /// `access_log`: whether the gateway's access log can print the gRPC method and status.
    pub access_log: bool,
    /// `log_level`: the least severe messages that are logged.
    pub log_level: LevelFilter,
    /// `limits`: bounds in bytes.
    pub limits: Limits,
}

impl Settings {
    /// Reads the settings. None can be wrong: `checked` has values of the right kind, and defaults for the rest.
    pub(super) fn new(checked: &Checked) -> Self {
        Self {
            dispatch: Dispatch::of(checked, "dispatch"),
            bodyless: Dispatch::of(checked, "bodyless"),
            native_grpc: match checked.choice("native_grpc").as_str() {
                "served" => NativeGrpc::Served,
                "reject" => NativeGrpc::Reject,
                _ => NativeGrpc::PassThrough,
            },
            upstream: Upstream {
                cluster: checked.text("upstream.cluster"),
                authority: checked.text("upstream.authority"),
                timeout: checked.duration("upstream.timeout"),
                grpc_web: checked.flag("upstream.grpc_web"),
                connect_bridge: checked.flag("upstream.connect_bridge"),
                bridge_bodies: checked.flag("upstream.bridge_bodies"),
            },
            hold_headers: checked.flag_or_auto("hold_headers"),
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
                "problem" => ErrorFormat::Problem,
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
                max_schema_bytes: checked.size("limits.max_schema_bytes"),
                max_request_bytes: checked.size("limits.max_request_bytes"),
                max_response_bytes: checked.size("limits.max_response_bytes"),
                max_message_bytes: checked.size("limits.max_message_bytes"),
                max_total_bytes: checked.size("limits.max_total_bytes"),
            },
        }
    }

    /// How captures and query parameters are read: [`Settings::parse`] and [`Settings::query`].
    pub fn bind_options(&self) -> BindOptions<'_> {
        BindOptions {
            parse: &self.parse,
            query: &self.query,
        }
    }
}

/// How a request travels to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// In place: the request is rewritten, and the gateway's own router sends it.
    InPlace,
    /// By a call of the host's gRPC API, to the upstream of [`Upstream`]. What the filters and the route behind this one do
    /// to a request doesn't happen to a call.
    Call,
}

impl Dispatch {
    fn of(checked: &Checked, key: &str) -> Self {
        match checked.choice(key).as_str() {
            "call" => Self::Call,
            _ => Self::InPlace,
        }
    }
}

/// Which requests of gRPC and gRPC-Web clients go on, untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeGrpc {
    /// All of them.
    PassThrough,
    /// Those for methods that this configuration serves.
    Served,
    /// None.
    Reject,
}

/// Where calls go, and how long an answer may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The cluster that calls go to; `None` for the cluster of the route.
    pub cluster: Option<String>,
    /// The `:authority` of calls; `None` for the host's own choice.
    pub authority: Option<String>,
    /// The longest that an answer may take, from 1 ms to 2^31 - 1 ms. `None` leaves it to the gateway in place, and is
    /// 15 s for calls.
    pub timeout: Option<Duration>,
    /// Whether Envoy's grpc_web filter is the next filter after this one.
    pub grpc_web: bool,
    /// Whether Envoy's connect_grpc_bridge filter is behind this one, at most with the grpc_web filter between the two.
    pub connect_bridge: bool,
    /// Whether unary requests with a body go by that filter too.
    pub bridge_bodies: bool,
}

/// What becomes of a request that no method is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// 404 or 405.
    Reject,
    /// It goes on, untouched.
    PassThrough,
}

/// How streams are written, and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streaming {
    /// The format of a response whose client accepts any.
    pub default: StreamFormat,
    /// The longest that a whole stream may take, from 1 ms to 2^31 - 1 ms. `None` leaves it to the gateway in place,
    /// and is 15 s for calls.
    pub timeout: Option<Duration>,
}

/// Bounds in bytes, each at least 1 and at most [`MAX_SIZE`](super::keys::MAX_SIZE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All `.proto` texts together. A descriptor set isn't bounded by it.
    pub max_proto_bytes: usize,
    /// A descriptor set, out of base64 and gzip.
    pub max_schema_bytes: usize,
    /// The body of a request; of a body that streams, each message in it.
    pub max_request_bytes: usize,
    /// How much is held of a response that can't be passed on piece by piece.
    pub max_response_bytes: usize,
    /// One gRPC message.
    pub max_message_bytes: usize,
    /// What all exchanges of a virtual machine hold together.
    pub max_total_bytes: usize,
}
