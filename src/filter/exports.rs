//! Callbacks as the host calls them, where the SDK's own functions don't suffice: an answer that the SDK has no word for, and
//! calls in the midst of others.
//!
//! Envoy reads four answers from a body callback (`FilterDataStatus`), of which the SDK's `Action` has two: "continue" and
//! "stop, and buffer", which has Envoy hold what it shows, and bounds it. With "stop, and watermark" it shows each part by
//! itself: what is taken out is held by nobody but this module.
//!
//! So the functions here stand around those that the SDK exports, and turn its "stop" into the other one where the filter
//! asked for that. They get the exported names in a step behind the link (`link/`). In a module as cargo alone makes it
//! nobody calls them: [`has_watermark`] then says so, and the filter makes do with the SDK's answers.
//!
//! The host may call this module while it carries out a host call of this module's (`filter::abi` has the list), when all that
//! the SDK would look at is borrowed: a panic, by which Envoy is lost. Such a call is answered as by a filter that does
//! nothing; what it told of the end of an exchange is told to the SDK behind the callback that is running.

use std::cell::{Cell, RefCell};

use proxy_wasm::types::Action;

/// `FilterDataStatus::StopIterationAndWatermark`.
const STOP_AND_WATERMARK: u32 = 2;

/// `FilterHeadersStatus::StopAllIterationAndWatermark`.
const STOP_ALL_AND_WATERMARK: u32 = 4;

thread_local! {
    /// Whether callbacks come through here.
    static CALLED: Cell<bool> = const { Cell::new(false) };
    /// Whether the callback that is running is to end with "stop, and watermark".
    static WATERMARK: Cell<bool> = const { Cell::new(false) };
    /// Whether the callback about headers that is running is to end with "stop all, and watermark".
    static ALL: Cell<bool> = const { Cell::new(false) };
    /// Whether a callback is running in which the host may call another.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    /// Whether it has.
    static CALLED_WITHIN: Cell<bool> = const { Cell::new(false) };
    /// What the SDK is still to be told of the ends of exchanges, in this order.
    static ENDS: RefCell<Vec<(End, u32)>> = const { RefCell::new(Vec::new()) };
}

/// The last callbacks of an exchange.
#[derive(Clone, Copy)]
enum End {
    Done,
    Log,
    Delete,
}

/// Whether a body callback can end with "stop, and watermark". Known from `on_configure` on.
pub fn has_watermark() -> bool {
    CALLED.get()
}

/// Ends the body callback that is running with "stop, and watermark", where that is to be had, and else with "stop, and
/// buffer".
pub fn stop_and_watermark() -> Action {
    WATERMARK.set(true);
    Action::Pause
}

/// Ends the callback about request headers that is running with "stop all, and watermark": Envoy shows nothing of the body
/// until the request goes on, and bounds what it reads of it.
pub fn stop_all() -> Action {
    ALL.set(true);
    Action::Pause
}

/// Whether the host has called this module within a host call, since that was last asked: it has answered the client itself.
pub fn take_called_within() -> bool {
    CALLED_WITHIN.take()
}

/// Runs a callback of the SDK's about a body or trailers, and answers as it does or as the filter asked for. Within another,
/// what comes goes on.
fn around(callback: impl FnOnce() -> u32) -> u32 {
    if RUNNING.replace(true) {
        CALLED_WITHIN.set(true);
        return Action::Continue as u32;
    }
    WATERMARK.set(false);
    CALLED_WITHIN.set(false);
    let answer = callback();
    RUNNING.set(false);
    for (end, context) in ENDS.take() {
        // SAFETY: the SDK defines these functions with this argument, for any caller.
        unsafe {
            match end {
                End::Done => _ = proxy_on_done(context),
                End::Log => proxy_on_log(context),
                End::Delete => proxy_on_delete(context),
            }
        }
    }
    match answer {
        answer if answer == Action::Pause as u32 && WATERMARK.get() => STOP_AND_WATERMARK,
        answer => answer,
    }
}

/// Whether the end of an exchange is to be told to the SDK later, since a callback is running.
fn waits(end: End, context: u32) -> bool {
    let running = RUNNING.get();
    if running {
        ENDS.with_borrow_mut(|ends| ends.push((end, context)));
    }
    running
}

// `Action`, which some of the SDK's functions return, is a `u32` by its representation.
unsafe extern "C" {
    fn proxy_on_configure(context: u32, size: usize) -> bool;
    fn proxy_on_request_headers(context: u32, count: usize, end_of_stream: bool) -> u32;
    fn proxy_on_request_body(context: u32, size: usize, end_of_stream: bool) -> u32;
    fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_response_headers(context: u32, count: usize, end_of_stream: bool) -> u32;
    fn proxy_on_response_body(context: u32, size: usize, end_of_stream: bool) -> u32;
    fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_grpc_receive(context: u32, token: u32, size: usize);
    fn proxy_on_grpc_close(context: u32, token: u32, code: u32);
    fn proxy_on_done(context: u32) -> bool;
    fn proxy_on_log(context: u32);
    fn proxy_on_delete(context: u32);
}

// SAFETY, of all calls below: the SDK defines these functions with these arguments, for any caller.

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_configure(context: u32, size: usize) -> bool {
    CALLED.set(true);
    unsafe { proxy_on_configure(context, size) }
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_request_headers(context: u32, count: usize, end_of_stream: bool) -> u32 {
    ALL.set(false);
    match unsafe { proxy_on_request_headers(context, count, end_of_stream) } {
        answer if answer == Action::Pause as u32 && ALL.get() => STOP_ALL_AND_WATERMARK,
        answer => answer,
    }
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_request_body(context: u32, size: usize, end_of_stream: bool) -> u32 {
    around(|| unsafe { proxy_on_request_body(context, size, end_of_stream) })
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_request_trailers(context: u32, count: usize) -> u32 {
    around(|| unsafe { proxy_on_request_trailers(context, count) })
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_response_headers(context: u32, count: usize, end_of_stream: bool) -> u32 {
    around(|| unsafe { proxy_on_response_headers(context, count, end_of_stream) })
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_response_body(context: u32, size: usize, end_of_stream: bool) -> u32 {
    around(|| unsafe { proxy_on_response_body(context, size, end_of_stream) })
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_response_trailers(context: u32, count: usize) -> u32 {
    around(|| unsafe { proxy_on_response_trailers(context, count) })
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_grpc_receive(context: u32, token: u32, size: usize) {
    around(|| {
        unsafe { proxy_on_grpc_receive(context, token, size) };
        Action::Continue as u32
    });
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_grpc_close(context: u32, token: u32, code: u32) {
    around(|| {
        unsafe { proxy_on_grpc_close(context, token, code) };
        Action::Continue as u32
    });
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_done(context: u32) -> bool {
    waits(End::Done, context) || unsafe { proxy_on_done(context) }
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_log(context: u32) {
    if !waits(End::Log, context) {
        unsafe { proxy_on_log(context) }
    }
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_delete(context: u32) {
    if !waits(End::Delete, context) {
        unsafe { proxy_on_delete(context) }
    }
}
