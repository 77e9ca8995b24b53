//! Which host this is, found out once, by a property that only one of them has.
//!
//! What differs is in the modules named after the hosts, and in the context that serves an exchange there.

use std::cell::Cell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::wasmx;

/// A host of proxy-wasm modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostProfile {
    /// Envoy, and what behaves like it.
    Envoy,
    /// `ngx_wasm_module`, in Kong or plain nginx.
    Wasmx,
}

/// The host, once it is known. Clones share what they know.
#[derive(Clone, Default)]
pub struct Known(Rc<Cell<Option<HostProfile>>>);

impl Known {
    /// The host, if it is known.
    pub fn get(&self) -> Option<HostProfile> {
        self.0.get()
    }

    /// The host, asked in a callback of an HTTP context.
    fn find(&self) -> HostProfile {
        self.0.get().unwrap_or_else(|| {
            let profile = match wasmx::is_here() {
                true => HostProfile::Wasmx,
                false => HostProfile::Envoy,
            };
            self.0.set(Some(profile));
            profile
        })
    }
}

/// An exchange that began before the host was known: the first callback tells, and makes the context for it.
pub struct Undecided<M> {
    known: Known,
    make: M,
    context: Option<Box<dyn HttpContext>>,
}

impl<M: Fn(HostProfile) -> Box<dyn HttpContext>> Undecided<M> {
    /// `make` makes the context for a host.
    pub fn new(known: Known, make: M) -> Self {
        Self {
            known,
            make,
            context: None,
        }
    }

    fn context(&mut self) -> &mut dyn HttpContext {
        let Self { known, make, context } = self;
        context.get_or_insert_with(|| make(known.find())).as_mut()
    }
}

impl<M: Fn(HostProfile) -> Box<dyn HttpContext>> Context for Undecided<M> {
    fn on_grpc_stream_initial_metadata(&mut self, token: u32, count: u32) {
        self.context().on_grpc_stream_initial_metadata(token, count);
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        self.context().on_grpc_stream_message(token, size);
    }

    fn on_grpc_stream_trailing_metadata(&mut self, token: u32, count: u32) {
        self.context().on_grpc_stream_trailing_metadata(token, count);
    }

    fn on_grpc_stream_close(&mut self, token: u32, code: u32) {
        self.context().on_grpc_stream_close(token, code);
    }

    fn on_done(&mut self) -> bool {
        match &mut self.context {
            Some(context) => context.on_done(),
            None => true,
        }
    }
}

impl<M: Fn(HostProfile) -> Box<dyn HttpContext>> HttpContext for Undecided<M> {
    fn on_http_request_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        self.context().on_http_request_headers(count, end_of_stream)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.context().on_http_request_body(size, end_of_stream)
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.context().on_http_request_trailers(count)
    }

    fn on_http_response_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        self.context().on_http_response_headers(count, end_of_stream)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.context().on_http_response_body(size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.context().on_http_response_trailers(count)
    }
}
