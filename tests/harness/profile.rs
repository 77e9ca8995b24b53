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
    /// How many body bytes the gateway keeps for a filter that pauses in body callbacks, one direction
    /// (`per_connection_buffer_limit_bytes`). Over it a request is answered 413 and a response is replaced by a 500.
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
    };
}
