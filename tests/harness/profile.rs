//! What one gateway does where gateways differ, each fact a named item.
//!
//! A profile holds facts and no behaviour: [`super::stream`] and [`super::vm`] ask it. Another gateway is another constant here, with
//! a new item for every question that it answers differently.

use proxy_wasm_host::abi::v0_2_1::GrpcOpenRefusal;
use proxy_wasm_host::abi::v0_2_1::types::Status;

/// The facts of one gateway.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// What Pause in a headers callback holds back.
    pub pause_at_headers: PauseAtHeaders,
    /// How many body bytes the gateway keeps for a filter that holds them back in body callbacks, one direction
    /// (`per_connection_buffer_limit_bytes`). Over it, with stop and buffer a request is answered 413 and a response is
    /// replaced by a 500; with stop and watermark the sender has to wait.
    pub buffer_limit: usize,
    /// What reading or writing headers or trailers answers once they are out of the filter's reach: after Continue in
    /// their own callback, after resuming the stream, and for writes in `on_log`.
    pub map_out_of_reach: Status,
    /// What writing a body answers when there is none to write to: the message ended at its headers, its first chunk
    /// has not come, or what came has gone out.
    pub body_out_of_reach: Status,
    /// What reading a property that nobody set answers.
    pub unknown_property: Status,
    /// What opening a gRPC call or stream answers when the cluster does not exist.
    pub unknown_cluster: GrpcOpenRefusal,
    /// What a second local reply in one exchange answers.
    pub second_local_reply: Status,
    /// What is so where nginx carries the exchange, and not elsewhere.
    pub nginx: Option<Nginx>,
}

/// The facts of WasmX in nginx. Their common order of callbacks is in [`super::nginx`].
#[derive(Clone, Copy, Debug)]
pub struct Nginx {
    /// Host functions that can be imported and trap when called.
    pub trapping_functions: &'static [&'static str],
    /// Host functions that cannot be imported: they have another arity there.
    pub unlinkable_functions: &'static [&'static str],
    /// What any property answers where no exchange is: at the configuration.
    pub property_without_exchange: Status,
    /// What it logs then.
    pub property_without_exchange_log: &'static str,
    /// What setting a property answers that cannot be set, and one that is not there.
    pub read_only_property: Status,
    /// Methods that stay what they are, whatever `:method` is set to.
    pub fixed_methods: &'static [&'static str],
    /// Whether the variable for the upstream's `te` header is there, as in Kong.
    pub upstream_te: bool,
    /// The variables that can be set because the configuration has `set` them.
    pub variables: &'static [&'static str],
    /// `client_body_buffer_size`: a larger body is in a file, where a filter cannot read it.
    pub body_buffer: usize,
    /// Whether `grpc_hide_header` keeps a status in the headers from the filter; properties have it either way.
    pub hides_status: bool,
    /// What a local reply's body ends with, whatever the filter wrote.
    pub local_reply_ending: &'static [u8],
}

/// What Pause in a headers callback holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseAtHeaders {
    /// The headers; body and trailer callbacks go on coming.
    HeadersOnly,
    /// Everything, until the filter resumes the stream: it waits for a body that waits for it.
    Everything,
}

impl Profile {
    /// Envoy 1.40, `envoy.filters.http.wasm`, with `allow_on_headers_stop_iteration: true`.
    pub const ENVOY: Self = Self {
        pause_at_headers: PauseAtHeaders::HeadersOnly,
        buffer_limit: 1024 * 1024,
        map_out_of_reach: Status::BadArgument,
        body_out_of_reach: Status::BadArgument,
        unknown_property: Status::NotFound,
        unknown_cluster: GrpcOpenRefusal::Failed,
        second_local_reply: Status::BadArgument,
        nginx: None,
    };

    /// WasmX in Kong 3.9, a route to a service of protocol `grpc`.
    pub const KONG: Self = Self {
        nginx: Some(Nginx {
            trapping_functions: &[
                "proxy_grpc_call",
                "proxy_grpc_stream",
                "proxy_grpc_send",
                "proxy_grpc_cancel",
                "proxy_grpc_close",
                "proxy_get_status",
                "proxy_close_stream",
                "proxy_done",
                // Where nginx's configuration has no memory for them.
                "proxy_get_shared_data",
                "proxy_set_shared_data",
            ],
            unlinkable_functions: &["proxy_get_log_level"],
            property_without_exchange: Status::InternalFailure,
            property_without_exchange_log: "cannot get scoped properties outside of a request",
            read_only_property: Status::InternalFailure,
            fixed_methods: &["GET", "HEAD"],
            upstream_te: true,
            variables: &[],
            body_buffer: 8 * 1024,
            hides_status: false,
            local_reply_ending: b"\n",
        }),
        ..Self::ENVOY
    };
}
