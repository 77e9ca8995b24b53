//! One HTTP exchange in WasmX: the SDK's callbacks as events, and what is to be done about each.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::headers::in_lower_case;
use super::original::HasBody;
use super::request::{Request, answer, ends_with_headers, follow, length_required, send_nowhere};
use super::response::{CONTENT_TYPE_SENT, Response, replace_headers, shown_headers, trailers};
use crate::config::{Dispatch, Plugin, Settings};
use crate::exchange::{Abilities, Exchange, Failure, ResponseStep};
use crate::filter::abi::{self, Buffer, Map};
use crate::filter::host_profile::HostProfile;
use crate::filter::observe::Observer;
use crate::filter::shared::Shared;
use crate::http::headers::Headers;
use crate::http::media_type::GRPC;

/// What of a configuration cannot be had here.
pub fn unsupported(plugin: &Plugin) -> Vec<&'static str> {
    let Settings {
        dispatch,
        bodyless,
        upstream,
        ..
    } = &plugin.settings;
    let reasons = [
        (
            *dispatch == Dispatch::Call,
            "dispatch: call: Kong has no gRPC calls for filters; expected in_place",
        ),
        (
            *bodyless == Dispatch::Call,
            "bodyless: call: Kong has no gRPC calls for filters; expected in_place",
        ),
        (
            upstream.cluster.is_some(),
            "upstream.cluster: on Kong the route's service is the upstream; leave it out",
        ),
        (
            upstream.authority.is_some(),
            "upstream.authority: on Kong the route's service says it (host, preserve_host); leave it out",
        ),
        (
            upstream.grpc_web,
            "upstream.grpc_web: Kong shows a response's trailers to a filter without it; leave it out",
        ),
        (
            upstream.connect_bridge,
            "upstream.connect_bridge: on Kong a request without a body is given one without it; leave it out",
        ),
        (
            plugin.hooks.is_some(),
            "hooks: Kong has no gRPC calls for filters; leave them out",
        ),
    ];
    let found = reasons.into_iter().filter(|(is_set, _)| *is_set);
    found.map(|(_, reason)| reason).collect()
}

/// One HTTP exchange.
pub struct WasmxContext {
    shared: Rc<Shared>,
    exchange: Exchange,
    /// The names of the request headers that came more than once.
    repeated: Vec<Vec<u8>>,
    /// Whether this context has seen the request. One that has not stands in for one that was lost in a trap.
    began: bool,
    response: Response,
    /// The `content-length` of the upstream's response. The host tells the end only of a body without one.
    length: Option<usize>,
    /// How much of the body has come.
    seen: usize,
    /// Whether an access log can print how the exchange ended.
    shown: bool,
}

impl WasmxContext {
    /// An exchange of which nothing is known yet.
    pub fn new(shared: Rc<Shared>) -> Self {
        Self {
            exchange: Exchange::new(Rc::clone(&shared.plugin)),
            shared,
            repeated: Vec::new(),
            began: false,
            response: Response::Awaited,
            length: None,
            seen: 0,
            shown: false,
        }
    }
}

impl Context for WasmxContext {
    fn on_done(&mut self) -> bool {
        self.observer().ended(&self.exchange);
        true
    }
}

impl HttpContext for WasmxContext {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let action = self.take_request();
        self.observer().show(&self.exchange);
        self.shown = !self.exchange.lacks_outcome();
        action
    }

    fn on_http_request_body(&mut self, size: usize, _: bool) -> Action {
        let action = self.take_request_body(size);
        self.shared.workspace.borrow_mut().trim();
        self.show_outcome();
        action
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let action = self.take_response_headers();
        self.show_outcome();
        action
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let action = self.take_response_body(size, end_of_stream);
        self.shared.workspace.borrow_mut().trim();
        self.show_outcome();
        action
    }
}

impl WasmxContext {
    fn observer(&self) -> &Observer {
        self.shared.observer(HostProfile::Wasmx)
    }

    /// nginx writes its access log before it says that the exchange is done.
    fn show_outcome(&mut self) {
        if !self.shown && !self.exchange.lacks_outcome() {
            self.shown = true;
            self.observer().show(&self.exchange);
        }
    }

    fn take_request(&mut self) -> Action {
        self.began = true;
        let request = match Request::read() {
            Ok(request) => request,
            Err(status) => return self.fail_request(&status.refused("to show the request headers")),
        };
        let abilities = Abilities {
            passes_unread: request.passes_unread,
            property: abi::property_at,
            ..Abilities::wasmx(request.obstacle)
        };
        let bodyless = matches!(request.has_body, HasBody::No | HasBody::Empty);
        self.repeated = request.repeated;
        let shared = Rc::clone(&self.shared);
        let action = {
            let workspace = &mut shared.workspace.borrow_mut();
            follow(
                self.exchange
                    .request_headers(request.headers, bodyless, abilities, workspace),
                request.has_body,
                0,
                &self.repeated,
            )
        };
        if self.exchange.is_refused() {
            // Nothing is won by waiting for the body: nginx takes what is left of it from the connection.
            return self.complete_request(None, request.has_body, 0);
        }
        let may_be_empty = matches!(request.has_body, HasBody::Chunked | HasBody::Unknown);
        if self.exchange.awaits_body() && may_be_empty {
            if request.has_body == HasBody::Unknown && ends_with_headers() {
                // Or a plugin in front has taken the length away, and then frames come all the same.
                return self.complete_request(None, HasBody::Empty, 0);
            }
            if let Err(status) = send_nowhere() {
                return self.fail_request(&status.refused("to change the request headers"));
            }
        }
        action.unwrap_or_else(|failure| self.fail_request(&failure))
    }

    fn take_request_body(&mut self, size: usize) -> Action {
        if !self.began {
            return self.fail_request(&lost());
        }
        if !self.exchange.awaits_body() {
            return Action::Continue;
        }
        match abi::buffer(Buffer::RequestBody, 0, size) {
            Ok(body) if body.len() == size => self.complete_request(Some(&body), HasBody::Yes, size),
            // A body in a temporary file has a size and no bytes.
            _ => self.fail_request(&Failure::too_large(format!(
                "the gateway keeps the request body of {size} bytes in a temporary file, where it cannot be read: set \
                 nginx_http_client_body_buffer_size in kong.conf to more than the largest body"
            ))),
        }
    }

    fn take_response_headers(&mut self) -> Action {
        let headers = match abi::headers(Map::ResponseHeaders) {
            Ok(headers) => in_lower_case(&headers),
            Err(status) => {
                let failure = status.refused("to show the response headers");
                return self.replace_response(&failure, &Headers::default());
            }
        };
        self.length = headers.content_length().filter(|length| *length > 0);
        let grpc = headers.get("content-type").is_some_and(|value| value.starts_with(GRPC));
        if !self.began && grpc {
            return self.replace_response(&lost(), &headers);
        }
        if self.exchange.awaits_body() && grpc && !self.exchange.changes_native() {
            // The body was empty after all, and so the request has gone on without a message, to nowhere.
            return self.replace_response(&length_required(), &headers);
        }
        if !self.exchange.awaits_response() {
            // Our own answer, one of the gateway's, or native gRPC.
            self.exchange.answered_elsewhere(None);
            self.response = Response::Passes;
            return Action::Continue;
        }
        self.take_response(&headers);
        Action::Continue
    }

    fn take_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if matches!(self.response, Response::Passes | Response::Ended) {
            return Action::Continue;
        }
        self.seen = self.seen.saturating_add(size);
        let end = end_of_stream || self.length.is_some_and(|length| self.seen >= length);
        let mut body = match abi::buffer(Buffer::ResponseBody, 0, size) {
            Ok(chunk) => self.convert(chunk, end),
            Err(status) => {
                let failure = status.refused("to show the response body");
                self.response = Response::Replaced(self.error_body(&failure));
                self.take_replacement(end)
            }
        };
        if end {
            self.response = Response::Ended;
        }
        if end && size > 0 && body.is_empty() {
            // A last part that is made empty is never sent, and the client waits for ever.
            body.push(b'\n');
        }
        if size == 0 && body.is_empty() {
            return Action::Continue;
        }
        // The host cuts what is written to the size that is named.
        if let Err(status) = abi::replace_buffer(Buffer::ResponseBody, size.max(body.len()), &body) {
            log::error!("cannot change the response body: {status}");
        }
        Action::Continue
    }

    /// The request is there, with this body, of which the host holds `size` bytes.
    fn complete_request(&mut self, body: Option<&[u8]>, has_body: HasBody, size: usize) -> Action {
        let shared = Rc::clone(&self.shared);
        let action = {
            let workspace = &mut shared.workspace.borrow_mut();
            follow(
                match body {
                    Some(body) => self
                        .exchange
                        .request_chunk(body, true, Abilities::wasmx(None), workspace),
                    None => self.exchange.request_without_body(Abilities::wasmx(None), workspace),
                },
                has_body,
                size,
                &self.repeated,
            )
        };
        action.unwrap_or_else(|failure| self.fail_request(&failure))
    }

    /// Ends an exchange of which the upstream has seen nothing.
    fn fail_request(&mut self, failure: &Failure) -> Action {
        answer(self.exchange.fail(failure, &mut self.shared.workspace.borrow_mut()));
        Action::Pause
    }

    /// The upstream's response begins.
    fn take_response(&mut self, headers: &Headers) {
        let shown = shown_headers(headers);
        // An error may come as headers alone, which no flag tells. A success has a body.
        let alone = shown.get("grpc-status").is_some_and(|status| status != b"0");
        let shared = Rc::clone(&self.shared);
        let workspace = &mut shared.workspace.borrow_mut();
        let (edited, replacement) =
            match self
                .exchange
                .response_headers(shown, alone, None, Abilities::wasmx(None), workspace)
            {
                ResponseStep::RewriteHeaders(edits) => (abi::edit_headers(Map::ResponseHeaders, edits), None),
                ResponseStep::PassThrough => {
                    self.response = Response::Passes;
                    return;
                }
                ResponseStep::Reply(reply) => (replace_headers(headers, reply), Some(reply.body.clone())),
                step => {
                    log::error!("unexpected step for response headers: {step:?}");
                    (Ok(()), Some(Vec::new()))
                }
            };
        if let Err(status) = edited {
            log::error!("cannot change the response headers: {status}");
        }
        self.response = match replacement {
            Some(body) => Response::Replaced(body),
            None => Response::Flows,
        };
    }

    /// Makes the response an error, with its headers at hand.
    fn replace_response(&mut self, failure: &Failure, headers: &Headers) -> Action {
        let reply = self
            .exchange
            .fail(failure, &mut self.shared.workspace.borrow_mut())
            .clone();
        if let Err(status) = replace_headers(headers, &reply) {
            log::error!("cannot change the response headers: {status}");
        }
        self.response = Response::Replaced(reply.body);
        Action::Continue
    }

    /// What goes out in place of the next part of the upstream's body. `end`: it is the last.
    fn convert(&mut self, chunk: Vec<u8>, end: bool) -> Vec<u8> {
        match &mut self.response {
            Response::Flows => self.convert_part(&chunk, end),
            Response::Replaced(_) => self.take_replacement(end),
            Response::Awaited => {
                // The headers came to a context that a trap took away. The client must not wait for the end to be told.
                self.response = Response::Replaced(Vec::new());
                let content_type = abi::property(CONTENT_TYPE_SENT).unwrap_or_default();
                let workspace = &mut self.shared.workspace.borrow_mut();
                self.exchange.fail_body(&lost(), &content_type, workspace)
            }
            Response::Passes | Response::Ended => chunk,
        }
    }

    fn convert_part(&mut self, chunk: &[u8], end: bool) -> Vec<u8> {
        if end && !self.exchange.changes_native() {
            self.exchange.response_trailers(trailers());
        }
        let workspace = &mut self.shared.workspace.borrow_mut();
        match self.exchange.response_chunk(chunk, end, workspace) {
            ResponseStep::Chunk { body, .. } => body.to_vec(),
            ResponseStep::Reply(reply) => {
                self.response = Response::Replaced(Vec::new());
                reply.body.clone()
            }
            ResponseStep::Drop | ResponseStep::Await => Vec::new(),
            // No reset is to be had here: the body ends where it is.
            step => {
                log::error!("a response is cut short: {step:?}");
                self.response = Response::Replaced(Vec::new());
                Vec::new()
            }
        }
    }

    /// What replaces a body goes out with its last part, which must not be empty.
    fn take_replacement(&mut self, end: bool) -> Vec<u8> {
        match &mut self.response {
            Response::Replaced(body) if end => std::mem::take(body),
            _ => Vec::new(),
        }
    }

    fn error_body(&mut self, failure: &Failure) -> Vec<u8> {
        self.exchange
            .fail(failure, &mut self.shared.workspace.borrow_mut())
            .body
            .clone()
    }
}

fn lost() -> Failure {
    Failure::internal("the gateway lost this request: the filter's instance was replaced")
}
