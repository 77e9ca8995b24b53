//! The body callbacks as the host calls them, and the answer that the SDK has no word for.
//!
//! Envoy reads four answers from a body callback (`FilterDataStatus`), of which the SDK's `Action` has two: "continue" and
//! "stop, and buffer", which has Envoy hold what it shows, and bounds it. With "stop, and watermark" it shows each part by
//! itself: what is taken out is held by nobody but this module.
//!
//! So the functions here stand around those that the SDK exports, and turn its "stop" into the other one where the filter
//! asked for that. They get the exported names in a step behind the link (`link/`). In a module as cargo alone makes it
//! nobody calls them: [`has_watermark`] then says so, and the filter makes do with the SDK's answers.

use std::cell::Cell;

use proxy_wasm::types::Action;

/// `FilterDataStatus::StopIterationAndWatermark`.
const STOP_AND_WATERMARK: u32 = 2;

thread_local! {
    /// Whether callbacks come through here.
    static CALLED: Cell<bool> = const { Cell::new(false) };
    /// Whether the callback that is running is to end with "stop, and watermark".
    static WATERMARK: Cell<bool> = const { Cell::new(false) };
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

/// Runs a body callback of the SDK's, and answers as it does or as the filter asked for.
fn around(callback: impl FnOnce() -> u32) -> u32 {
    WATERMARK.set(false);
    match callback() {
        answer if answer == Action::Pause as u32 && WATERMARK.get() => STOP_AND_WATERMARK,
        answer => answer,
    }
}

// `Action`, which the SDK's functions return, is a `u32` by its representation.
unsafe extern "C" {
    fn proxy_on_configure(context: u32, size: usize) -> bool;
    fn proxy_on_request_body(context: u32, size: usize, end_of_stream: bool) -> u32;
    fn proxy_on_response_body(context: u32, size: usize, end_of_stream: bool) -> u32;
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_configure(context: u32, size: usize) -> bool {
    CALLED.set(true);
    // SAFETY: the SDK defines this function with these arguments, for any caller.
    unsafe { proxy_on_configure(context, size) }
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_request_body(context: u32, size: usize, end_of_stream: bool) -> u32 {
    // SAFETY: as above.
    around(|| unsafe { proxy_on_request_body(context, size, end_of_stream) })
}

#[unsafe(no_mangle)]
extern "C" fn protobridge_on_response_body(context: u32, size: usize, end_of_stream: bool) -> u32 {
    // SAFETY: as above.
    around(|| unsafe { proxy_on_response_body(context, size, end_of_stream) })
}
