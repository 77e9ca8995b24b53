//! A context around another: one place hands on what the SDK calls.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

/// What is done around each callback.
pub trait Wrapper {
    /// Has the context inside do something.
    fn call<R>(&mut self, callback: impl FnOnce(&mut dyn HttpContext) -> R) -> R;

    /// The exchange ended.
    fn done(&mut self) -> bool;

    /// The exchange is about to be logged.
    fn log(&mut self);
}

/// A wrapper as a context.
pub struct Wrapped<W>(pub W);

impl<W: Wrapper> Context for Wrapped<W> {
    fn on_grpc_call_response(&mut self, token: u32, code: u32, size: usize) {
        self.0.call(|context| context.on_grpc_call_response(token, code, size));
    }

    fn on_grpc_stream_initial_metadata(&mut self, token: u32, count: u32) {
        self.0
            .call(|context| context.on_grpc_stream_initial_metadata(token, count));
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        self.0.call(|context| context.on_grpc_stream_message(token, size));
    }

    fn on_grpc_stream_trailing_metadata(&mut self, token: u32, count: u32) {
        self.0
            .call(|context| context.on_grpc_stream_trailing_metadata(token, count));
    }

    fn on_grpc_stream_close(&mut self, token: u32, code: u32) {
        self.0.call(|context| context.on_grpc_stream_close(token, code));
    }

    fn on_done(&mut self) -> bool {
        self.0.done()
    }
}

impl<W: Wrapper> HttpContext for Wrapped<W> {
    fn on_http_request_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        self.0
            .call(|context| context.on_http_request_headers(count, end_of_stream))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.0.call(|context| context.on_http_request_body(size, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.0.call(|context| context.on_http_request_trailers(count))
    }

    fn on_http_response_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        self.0
            .call(|context| context.on_http_response_headers(count, end_of_stream))
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.0
            .call(|context| context.on_http_response_body(size, end_of_stream))
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.0.call(|context| context.on_http_response_trailers(count))
    }

    fn on_log(&mut self) {
        self.0.log();
    }
}
