//! Host calls that answer instead of panicking.
//!
//! The SDK's own wrappers panic on a status they don't expect, on a value that isn't UTF-8, and on WasmX's answers.
//! Here every call returns the host's status, values are bytes, and nothing is assumed of them.
//! Statuses, map and buffer numbers: proxy-wasm ABI 0.2.1.
//!
//! The host may call this module while it carries out a host call, when the SDK, the exchange and the workspace are
//! borrowed. Of Envoy's host calls (`source/extensions/common/wasm/context.cc`):
//!
//! | Host call | What it may call | And that is harmless, since |
//! |---|---|---|
//! | whatever returns bytes | `proxy_on_memory_allocate` | it allocates, and knows nothing of contexts |
//! | replacing a body that Envoy has buffered by a longer one | those of Envoy's own answer, 413 or 500, and of the end of the exchange | it is not done with a buffer that is known for one (`envoy::body`); with the part that another filter has buffered, and where a hook has made a request longer, `exports` keeps them from the SDK |
//! | opening a gRPC stream to a cluster that fails at once | `proxy_on_grpc_receive_initial_metadata` | the SDK knows no such token yet, and returns; the stream's end is told behind the callback |
//! | making a unary gRPC call | its end | Envoy tells that behind the callback |
//! | sending on a gRPC stream, ending and cancelling it | its end | Envoy tells that behind the callback, or, cancelled, never |
//! | answering, continuing, resetting | all callbacks of what follows | Envoy does them behind the callback |
//! | headers, properties, metrics, clock, timer, shared data | nothing | |

use std::time::Duration;

use super::pairs::{decode_pairs, encode_pairs};
use super::traffic::{self, Leg};
use crate::exchange::{Failure, Reply};
use crate::http::headers::{HeaderEdits, Headers};

/// What a host answers to a call that did not succeed (`proxy_status_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostStatus(u32);

impl HostStatus {
    const OK: u32 = 0;
    /// The property, header or token isn't there.
    pub const NOT_FOUND: Self = Self(1);
    /// What is shared is of another version.
    pub const CAS_MISMATCH: Self = Self(8);

    fn check(status: u32) -> Result<(), Self> {
        match status {
            Self::OK => Ok(()),
            status => Err(Self(status)),
        }
    }

    /// The failure of an exchange whose host refused `what`: the client is told no more than that.
    pub fn refused(self, what: &str) -> Failure {
        log::error!("the gateway refused {what}: {self}");
        Failure::internal(format!("the gateway refused {what}"))
    }
}

impl std::fmt::Display for HostStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            1 => "not found",
            2 => "bad argument",
            3 => "serialization failure",
            4 => "parse failure",
            7 => "empty",
            8 => "cas mismatch",
            10 => "internal failure",
            12 => "unimplemented",
            _ => "unknown",
        };
        write!(f, "host status {} ({name})", self.0)
    }
}

/// `proxy_map_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Map {
    /// Request headers.
    RequestHeaders = 0,
    /// Request trailers.
    RequestTrailers = 1,
    /// Response headers.
    ResponseHeaders = 2,
    /// Response trailers.
    ResponseTrailers = 3,
    /// Initial metadata of a gRPC call.
    GrpcInitialMetadata = 4,
    /// Trailing metadata of a gRPC call.
    GrpcTrailingMetadata = 5,
}

/// `proxy_buffer_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Buffer {
    /// The request body, or the part of it that the host has buffered.
    RequestBody = 0,
    /// The response body, likewise.
    ResponseBody = 1,
    /// A message of a gRPC call.
    GrpcMessage = 5,
    /// The plugin configuration.
    PluginConfiguration = 7,
}

/// `proxy_stream_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// The request, downstream to upstream.
    Request = 0,
    /// The response, upstream to downstream.
    Response = 1,
}

/// `proxy_metric_type_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MetricKind {
    /// A sum.
    Counter = 0,
    /// A distribution.
    Histogram = 2,
}

/// All fields of `map`.
pub fn headers(map: Map) -> Result<Headers, HostStatus> {
    let bytes = returned(|data, size| {
        // SAFETY: both pointers are valid for a write during the call.
        unsafe { raw::proxy_get_header_map_pairs(map as u32, data, size) }
    })?;
    let mut fields = Vec::with_capacity(32);
    decode_pairs(&bytes, &mut fields);
    Ok(Headers::new(bytes, fields))
}

/// All fields of `map`, which has none then.
pub fn take_headers(map: Map) -> Result<Headers, HostStatus> {
    // Removing a field costs a sixth of replacing all of them.
    const FEW: usize = 4;
    let headers = headers(map)?;
    if headers.len() > FEW {
        clear_headers(map)?;
    } else {
        for (name, _) in headers.iter() {
            remove_header(map, name)?;
        }
    }
    Ok(headers)
}

/// Replaces all fields of `map` by none.
pub fn clear_headers(map: Map) -> Result<(), HostStatus> {
    let none = 0u32.to_le_bytes();
    // SAFETY: the pointer and length are of a live array.
    HostStatus::check(unsafe { raw::proxy_set_header_map_pairs(map as u32, none.as_ptr(), none.len()) })
}

/// Applies `edits` to `map`, in their order: removals, sets, additions.
pub fn edit_headers(map: Map, edits: &HeaderEdits) -> Result<(), HostStatus> {
    for name in edits.removed() {
        remove_header(map, name)?;
    }
    for (name, value) in edits.sets() {
        set_header(map, name, value)?;
    }
    for (name, value) in edits.adds() {
        // SAFETY: pointers and lengths are of live slices.
        HostStatus::check(unsafe {
            raw::proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        })?;
    }
    Ok(())
}

/// Removes all fields called `name`.
fn remove_header(map: Map, name: &[u8]) -> Result<(), HostStatus> {
    // SAFETY: pointer and length are of a live slice.
    HostStatus::check(unsafe { raw::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Gives `name` this one value.
pub fn set_header(map: Map, name: &[u8], value: &[u8]) -> Result<(), HostStatus> {
    // SAFETY: pointers and lengths are of live slices.
    HostStatus::check(unsafe {
        raw::proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Of `buffer`, `size` bytes from `start` on; fewer where it holds fewer.
pub fn buffer(buffer: Buffer, start: usize, size: usize) -> Result<Vec<u8>, HostStatus> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let bytes = buffer_from(buffer, start, size);
    let length = bytes.as_ref().map_or(0, Vec::len);
    match buffer {
        Buffer::RequestBody => traffic::went(Leg::FromClient, length),
        Buffer::ResponseBody | Buffer::GrpcMessage => traffic::went(Leg::FromUpstream, length),
        Buffer::PluginConfiguration => {}
    }
    match bytes {
        Err(HostStatus::NOT_FOUND) => Ok(Vec::new()),
        bytes => bytes,
    }
}

/// Of `buffer`, `size` bytes from `start` on, as the host reads that.
pub fn buffer_from(buffer: Buffer, start: usize, size: usize) -> Result<Vec<u8>, HostStatus> {
    returned(|data, length| {
        // SAFETY: both pointers are valid for a write during the call.
        unsafe { raw::proxy_get_buffer_bytes(buffer as u32, start, size, data, length) }
    })
}

/// Replaces the first `size` bytes of `buffer` by `bytes`.
pub fn replace_buffer(buffer: Buffer, size: usize, bytes: &[u8]) -> Result<(), HostStatus> {
    match buffer {
        Buffer::RequestBody => traffic::went(Leg::ToUpstream, bytes.len()),
        _ => traffic::went(Leg::ToClient, bytes.len()),
    }
    write_buffer(buffer, size, bytes)
}

/// Replaces the first `size` bytes of `buffer` by `room` bytes that mean nothing, and go nowhere.
pub fn fill_buffer(buffer: Buffer, size: usize, room: usize) -> Result<(), HostStatus> {
    write_buffer(buffer, size, &vec![b' '; room])
}

fn write_buffer(buffer: Buffer, size: usize, bytes: &[u8]) -> Result<(), HostStatus> {
    // SAFETY: pointer and length are of a live slice.
    HostStatus::check(unsafe { raw::proxy_set_buffer_bytes(buffer as u32, 0, size, bytes.as_ptr(), bytes.len()) })
}

/// The property at `path`.
pub fn property(path: &[&str]) -> Result<Vec<u8>, HostStatus> {
    joined_property(&path.join("\0"))
}

/// The same of a path that is joined by zero bytes, whatever there is or isn't.
pub fn property_at(path: &str) -> Option<Vec<u8>> {
    joined_property(path).ok()
}

fn joined_property(path: &str) -> Result<Vec<u8>, HostStatus> {
    returned(|data, size| {
        // SAFETY: the path is live, both other pointers are valid for a write during the call.
        unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, size) }
    })
}

/// Gives the property at `path` this value. Zero bytes separate the segments of the path.
pub fn set_property(path: &str, value: &[u8]) -> Result<(), HostStatus> {
    // SAFETY: pointers and lengths are of live slices.
    HostStatus::check(unsafe { raw::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// What the virtual machines of one `vm_id` share under `key`, and a number that tells its versions apart. Not in WasmX,
/// which traps where its configuration has no memory for it.
pub fn shared_data(key: &str) -> Result<(Vec<u8>, u32), HostStatus> {
    let mut version = 0;
    let value = returned(|data, size| {
        // SAFETY: the key is live, the other pointers are valid for a write during the call.
        unsafe { raw::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut version) }
    })?;
    Ok((value, version))
}

/// Shares `value` under `key`, if that still is of `version`; 0 is any. Where [`shared_data`] may be called.
pub fn share_data(key: &str, value: &[u8], version: u32) -> Result<(), HostStatus> {
    // SAFETY: pointers and lengths are of live slices.
    HostStatus::check(unsafe {
        raw::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version)
    })
}

/// Nanoseconds since the Unix epoch.
pub fn now() -> Result<u64, HostStatus> {
    let mut time = 0;
    // SAFETY: the pointer is valid for a write during the call.
    HostStatus::check(unsafe { raw::proxy_get_current_time_nanoseconds(&mut time) })?;
    Ok(time)
}

/// Has the root context's `on_tick` called every `milliseconds`; 0 ends it.
pub fn set_tick(milliseconds: u32) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Makes the host calls that follow speak of the context `id`.
pub fn set_effective_context(id: u32) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_set_effective_context(id) })
}

/// Lets a paused stream go on.
pub fn continue_stream(stream: Stream) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_continue_stream(stream as u32) })
}

/// Answers the client in place of the upstream.
pub fn send_local_response(status: u16, headers: &Headers, body: &[u8]) -> Result<(), HostStatus> {
    traffic::went(Leg::ToClient, body.len());
    let headers = encode_pairs(headers);
    // -1: no gRPC status; a JSON client is answered in HTTP's terms.
    // SAFETY: pointers and lengths are of live slices.
    HostStatus::check(unsafe {
        raw::proxy_send_local_response(
            u32::from(status),
            std::ptr::null(),
            0,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    })
}

/// Answers the client with `reply` under this status. A refusal is logged: nothing else can be told to the client.
pub fn send_reply(reply: &Reply, status: u16) {
    if let Err(status) = send_local_response(status, &reply.headers, &reply.body) {
        log::error!("cannot answer a request: {status}");
    }
}

/// Resets a stream: the peer sees it broken off, never complete.
pub fn close_stream(stream: Stream) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_close_stream(stream as u32) })
}

/// Opens a gRPC stream and returns its token. Callbacks about it come to the context that is current now.
///
/// `grpc_service` is a serialized `envoy.config.core.v3.GrpcService`.
pub fn open_grpc_stream(
    grpc_service: &[u8],
    service: &str,
    method: &str,
    metadata: &Headers,
) -> Result<u32, proxy_wasm::types::Status> {
    // This call and the next one go through the SDK, since the SDK routes callbacks only for tokens that it saw opened. It takes the upstream as text and hands pointer and length to the host; the bytes of a serialized GrpcService
    // with a name of 128 bytes and more are no UTF-8.
    // SAFETY: neither the SDK nor the host reads the bytes as text.
    let upstream = unsafe { std::str::from_utf8_unchecked(grpc_service) };
    proxy_wasm::hostcalls::open_grpc_stream(upstream, service, method, text_names(metadata))
}

/// Metadata as the SDK takes them.
fn text_names(metadata: &Headers) -> Vec<(&str, &[u8])> {
    let mut pairs = Vec::with_capacity(metadata.len());
    for (name, value) in metadata.iter() {
        // Names are ASCII: the host has parsed them as HTTP field names.
        if let Ok(name) = std::str::from_utf8(name) {
            pairs.push((name, value));
        }
    }
    pairs
}

/// Makes a unary gRPC call and returns its token: see [`open_grpc_stream`].
pub fn call_grpc(
    grpc_service: &[u8],
    service: &str,
    method: &str,
    metadata: &Headers,
    message: &[u8],
    timeout: Duration,
) -> Result<u32, proxy_wasm::types::Status> {
    // SAFETY: neither the SDK nor the host reads the bytes as text.
    let upstream = unsafe { std::str::from_utf8_unchecked(grpc_service) };
    proxy_wasm::hostcalls::dispatch_grpc_call(upstream, service, method, text_names(metadata), Some(message), timeout)
}

/// Sends one message on a gRPC stream.
pub fn send_grpc_message(token: u32, message: &[u8], end_of_stream: bool) -> Result<(), HostStatus> {
    traffic::went(Leg::ToUpstream, message.len());
    // SAFETY: pointer and length are of a live slice.
    HostStatus::check(unsafe { raw::proxy_grpc_send(token, message.as_ptr(), message.len(), end_of_stream.into()) })
}

/// Ends the request side of a gRPC stream.
pub fn close_grpc_stream(token: u32) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_grpc_close(token) })
}

/// Cancels a gRPC stream: no callback about it comes any more.
pub fn cancel_grpc_stream(token: u32) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_grpc_cancel(token) })
}

/// The message that came with the status of the gRPC stream that just closed.
pub fn grpc_status_message() -> Result<Vec<u8>, HostStatus> {
    let mut code = 0;
    returned(|data, size| {
        // SAFETY: all pointers are valid for a write during the call.
        unsafe { raw::proxy_get_status(&mut code, data, size) }
    })
}

/// The metric called `name`. A new one begins at 0.
pub fn define_metric(kind: MetricKind, name: &str) -> Result<u32, HostStatus> {
    let mut id = 0;
    // SAFETY: pointer and length are of a live string, the last pointer is valid for a write during the call.
    HostStatus::check(unsafe { raw::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
    Ok(id)
}

/// Adds to a counter.
pub fn increment_metric(id: u32, by: u64) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_increment_metric(id, i64::try_from(by).unwrap_or(i64::MAX)) })
}

/// Adds a value to a histogram.
pub fn record_metric(id: u32, value: u64) -> Result<(), HostStatus> {
    // SAFETY: no pointers.
    HostStatus::check(unsafe { raw::proxy_record_metric(id, value) })
}

/// Calls a host function that returns bytes, and takes over the memory that the host had this module allocate.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostStatus> {
    let mut data = std::ptr::null_mut();
    let mut size = 0;
    HostStatus::check(call(&mut data, &mut size))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host got `data` from `proxy_on_memory_allocate`, which allocates exactly `size` bytes with the
    // global allocator as a boxed slice and gives them up; nobody else owns them.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// The ABI's functions as they are. They return a status; `u32`, since a host may answer a number of its own.
mod raw {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        pub fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
        pub fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        pub fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_set_buffer_bytes(buffer: u32, start: usize, size: usize, data: *const u8, data_size: usize)
        -> u32;
        pub fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
        pub fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
        pub fn proxy_get_shared_data(
            key: *const u8,
            key_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
            version: *mut u32,
        ) -> u32;
        pub fn proxy_set_shared_data(
            key: *const u8,
            key_size: usize,
            value: *const u8,
            value_size: usize,
            version: u32,
        ) -> u32;
        pub fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub fn proxy_set_effective_context(context: u32) -> u32;
        pub fn proxy_continue_stream(stream: u32) -> u32;
        pub fn proxy_close_stream(stream: u32) -> u32;
        pub fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
        pub fn proxy_grpc_send(token: u32, message: *const u8, message_size: usize, end_of_stream: u32) -> u32;
        pub fn proxy_grpc_cancel(token: u32) -> u32;
        pub fn proxy_grpc_close(token: u32) -> u32;
        pub fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
        pub fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub fn proxy_get_status(code: *mut u32, message: *mut *mut u8, message_size: *mut usize) -> u32;
    }
}
