//! The host's side: proxy-wasm callbacks become events of an [`Exchange`], its steps become host calls.
//!
//! Only this module names proxy-wasm. [`Root`] holds one plugin configuration, [`Filter`] one HTTP exchange.

mod envoy;
mod hold;
mod host;
mod host_profile;
mod metrics;
mod observer;
mod replies;
mod ticker;
mod wasmx;
mod wrapped;

use std::cell::{Cell, OnceCell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use crate::config::{Limits, Plugin};
use crate::exchange::{
    Abilities, Call, CallStep, Exchange, Failure, Reply, RequestStep, ResponseStep, Workspace, is_trailers_frame,
};
use crate::http::headers::{HeaderEdits, Headers};
use hold::{Holding, Verdict, Waiting};
use host::{Buffer, HostStatus, Map, Stream};
use host_profile::{HostProfile, Known, Undecided};
use metrics::Timed;
use observer::Observer;
use replies::{Disguised, Replies, send, send_past_grpc_web, send_through};
use ticker::Ticker;
use wasmx::WasmxFilter;
use wrapped::Wrapped;

/// Registers the module's contexts with the SDK.
pub fn start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}

/// One plugin configuration.
#[derive(Default)]
struct Root {
    gateway: Option<Rc<Gateway>>,
    /// Why there is none.
    error: Rc<str>,
    host: Known,
}

/// What all exchanges of one plugin configuration share.
struct Gateway {
    plugin: Rc<Plugin>,
    workspace: RefCell<Workspace>,
    holding: Holding,
    replies: Replies,
    ticker: Ticker,
    observer: OnceCell<Observer>,
}

impl Gateway {
    fn abilities(&self) -> Abilities {
        Abilities::envoy(
            self.holding.verdict() == Verdict::Holds,
            self.plugin.settings.access_log.then_some(envoy::ORIGINAL_PATH_HEADER),
        )
    }
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        if let Some(gateway) = &self.gateway
            && let Some(observer) = gateway.observer.get()
        {
            observer.flush();
        }
        true
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match load(size) {
            Ok(plugin) => {
                log::set_max_level(plugin.settings.log_level);
                self.gateway = Some(Rc::new(Gateway {
                    plugin: Rc::new(plugin),
                    workspace: RefCell::default(),
                    holding: Holding::default(),
                    replies: Replies::default(),
                    ticker: Ticker::default(),
                    observer: OnceCell::new(),
                }));
                true
            }
            Err(error) => {
                log::error!("{error}");
                self.gateway = None;
                self.error = error.into();
                // Envoy takes no configuration that is refused. Kong would let all requests of all routes pass: there
                // it is accepted, and the requests of its routes are refused.
                wasmx::may_be_here()
            }
        }
    }

    fn on_tick(&mut self) {
        let Some(gateway) = &self.gateway else { return };
        let replied = gateway.replies.flush();
        if let Some(observer) = gateway.observer.get() {
            observer.flush();
        }
        // A tick that came for something else leaves those that wait the rest of their time.
        if !replied {
            gateway.release_waiting();
        }
        gateway.ticker.next(match gateway.holding.waits() {
            true => hold::PATIENCE,
            false => 0,
        });
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let (gateway, error) = (self.gateway.clone(), Rc::clone(&self.error));
        let make = move |host| http_context(host, context, gateway.as_ref(), &error);
        Some(match self.host.get() {
            Some(host) => make(host),
            None => Box::new(Wrapped(Undecided::new(self.host.clone(), make))),
        })
    }
}

fn load(size: usize) -> Result<Plugin, String> {
    let configuration = host::buffer(Buffer::PluginConfiguration, size)
        .map_err(|status| format!("cannot read the plugin configuration: {status}"))?;
    // Field names are hashed with a seed that a client cannot know.
    let seed = RandomState::new().hash_one(0);
    Plugin::load(&configuration, seed).map_err(|error| error.to_string())
}

/// The context of one exchange on `host`. Without a gateway, there is the error of its configuration.
fn http_context(
    host: HostProfile,
    context: u32,
    gateway: Option<&Rc<Gateway>>,
    error: &Rc<str>,
) -> Box<dyn HttpContext> {
    let Some(gateway) = gateway else {
        return Box::new(Unconfigured {
            error: Rc::clone(error),
        });
    };
    let observer = gateway.observer(host);
    let context: Box<dyn HttpContext> = match host {
        HostProfile::Envoy => Box::new(Filter::new(context, Rc::clone(gateway))),
        HostProfile::Wasmx => match wasmx::unsupported(&gateway.plugin) {
            None => Box::new(WasmxFilter::new(Rc::clone(gateway))),
            Some(error) => Box::new(Unconfigured { error: error.into() }),
        },
    };
    match observer.timer() {
        Some(metrics) => Box::new(Wrapped(Timed::new(context, metrics))),
        None => context,
    }
}

impl Gateway {
    /// The observer of exchanges on `host`.
    fn observer(&self, host: HostProfile) -> &Observer {
        self.observer.get_or_init(|| Observer::new(host, &self.plugin.settings))
    }

    /// Lets go on what waits while it isn't known whether headers are held.
    fn release_waiting(&self) {
        let waiting = self.holding.take_waiting();
        if self.holding.verdict() == Verdict::Holds {
            return;
        }
        for mut request in waiting {
            request.ticks += 1;
            if request.ticks < hold::CALL_PATIENCE && request.exchange.borrow().awaits_call() {
                self.holding.wait(request);
                continue;
            }
            let Waiting {
                context,
                exchange,
                released,
                ..
            } = request;
            if let Err(status) = host::set_effective_context(context) {
                log::error!("cannot reach context {context}: {status}");
                continue;
            }
            if self.release_headers(context, &exchange) {
                released.set(host::now().ok());
                if let Err(status) = host::continue_stream(Stream::Request) {
                    log::error!("cannot continue a request: {status}");
                }
            }
        }
    }

    /// Lets the request headers go on without their body. Returns whether they may.
    fn release_headers(&self, context: u32, exchange: &RefCell<Exchange>) -> bool {
        let workspace = &mut *self.workspace.borrow_mut();
        let mut exchange = exchange.borrow_mut();
        let step = exchange.release_request_headers(self.abilities(), workspace);
        // At once, since this is a round of its own, and as it is: its context isn't here to undo a disguise.
        if let RequestStep::Reply(reply) = step {
            send(reply, reply.status);
            return false;
        }
        let failure = match self.follow_request(context, step, 0) {
            Ok(Followed::Continue) => return true,
            Ok(_) => return false,
            Err(failure) => failure,
        };
        let reply = exchange.fail(&failure, workspace);
        send(reply, reply.status);
        false
    }

    /// Does what a step about the request of `context` asks for.
    fn follow_request(&self, context: u32, step: RequestStep<'_>, body_size: usize) -> Result<Followed, Failure> {
        match step {
            RequestStep::PassThrough => Ok(Followed::Continue),
            RequestStep::Await => Ok(Followed::Pause),
            RequestStep::Drop => host::replace_buffer(Buffer::RequestBody, body_size, b"")
                .map(|()| Followed::Pause)
                .map_err(|status| refused("to change the request body", status)),
            RequestStep::Reply(reply) => Ok(Followed::Answered {
                disguised: self.replies.send(context, reply, &self.ticker),
            }),
            RequestStep::BreakOff(reply) => Ok(Followed::Answered {
                disguised: match self.plugin.settings.upstream.grpc_web {
                    true => send_past_grpc_web(reply),
                    false => send_through(reply),
                },
            }),
            RequestStep::Chunk(body) => host::replace_buffer(Buffer::RequestBody, body_size, body)
                .map(|()| Followed::Continue)
                .map_err(|status| refused("to change the request body", status)),
            RequestStep::ForwardHeaders { edits, timeout } => edit_request(edits, timeout)
                .and_then(|()| match timeout {
                    Some(timeout) => host::set_header(
                        Map::RequestHeaders,
                        envoy::DURATION_HEADER,
                        envoy::timeout_value(timeout).as_bytes(),
                    ),
                    None => Ok(()),
                })
                .map(|()| Followed::Continue)
                .map_err(|status| refused("to change the request headers", status)),
            RequestStep::Forward(forward) => {
                edit_request(forward.edits, forward.timeout)
                    .map_err(|status| refused("to change the request headers", status))?;
                host::replace_buffer(Buffer::RequestBody, body_size, forward.body)
                    .map(|()| Followed::Continue)
                    .map_err(|status| refused("to change the request body", status))
            }
            RequestStep::Call(call) => start_call(&call).map(Followed::Called),
        }
    }
}

/// One HTTP exchange.
struct Filter {
    context: u32,
    gateway: Rc<Gateway>,
    exchange: Rc<RefCell<Exchange>>,
    /// When the request headers went on without their body, if they did; nanoseconds.
    released: Rc<Cell<Option<u64>>>,
    /// How much of the body that is coming the host has buffered.
    body_size: usize,
    /// Whether the upstream's response has begun to come.
    response_began: bool,
    /// Whether its headers went on without the body.
    response_released: bool,
    /// When the time for a streamed answer or a call is up, if it has a bound; nanoseconds.
    deadline: Option<u64>,
    /// The gRPC stream in flight.
    call: Option<u32>,
    /// Whether an answer of this filter's is on its way; and what it must become when it passes here.
    answered: bool,
    disguised: Option<Disguised>,
}

impl Filter {
    fn new(context: u32, gateway: Rc<Gateway>) -> Self {
        Self {
            context,
            exchange: Rc::new(RefCell::new(Exchange::new(Rc::clone(&gateway.plugin)))),
            gateway,
            released: Rc::default(),
            body_size: 0,
            response_began: false,
            response_released: false,
            deadline: None,
            call: None,
            answered: false,
            disguised: None,
        }
    }
}

impl HttpContext for Filter {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let headers = match host::headers(Map::RequestHeaders) {
            Ok(headers) => headers,
            Err(status) => return self.fail(&refused("to show the request headers", status)),
        };
        let action = self.request(|exchange, abilities, workspace| {
            exchange.request_headers(headers, end_of_stream, abilities, workspace)
        });
        let uploads = self.exchange.borrow().uploads();
        if !uploads && !self.exchange.borrow().awaits_body() {
            return action;
        }
        match self.gateway.holding.verdict() {
            Verdict::Unknown(_) => {
                self.gateway.holding.wait(Waiting {
                    context: self.context,
                    exchange: Rc::clone(&self.exchange),
                    released: Rc::clone(&self.released),
                    ticks: 0,
                });
                if let Err(status) = self.gateway.ticker.within(hold::PATIENCE) {
                    log::error!("cannot set a timer: {status}");
                }
                // Headers that could go on by themselves wait too: there may be no other requests to find out by.
                return Action::Pause;
            }
            // The headers went on of themselves: when the body comes says nothing of whether they can be held.
            _ if uploads => self.released.set(Some(0)),
            Verdict::Holds => {}
            Verdict::CannotHold => {
                let action = self
                    .request(|exchange, abilities, workspace| exchange.release_request_headers(abilities, workspace));
                self.released.set(Some(0));
                return action;
            }
        }
        action
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.answered {
            return match host::replace_buffer(Buffer::RequestBody, size, b"") {
                Ok(()) => Action::Pause,
                Err(status) => self.fail(&refused("to drop the request body", status)),
            };
        }
        if self.exchange.borrow().uploads() {
            self.gateway.holding.body_came(self.context, &self.released);
            self.body_size = size;
            return match host::buffer(Buffer::RequestBody, size) {
                Ok(chunk) => {
                    self.request(|exchange, _, workspace| exchange.request_chunk(&chunk, end_of_stream, workspace))
                }
                Err(status) => self.fail(&refused("to show the request body", status)),
            };
        }
        if !self.exchange.borrow().awaits_body() {
            return Action::Continue;
        }
        self.gateway.holding.body_came(self.context, &self.released);
        self.body_size = size;
        if end_of_stream {
            return self.complete_request();
        }
        self.request(|exchange, _, workspace| exchange.request_body_grew(size, workspace))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.answered {
            return Action::Pause;
        }
        if self.exchange.borrow().uploads() {
            return self.end_upload();
        }
        if !self.exchange.borrow().awaits_body() {
            return Action::Continue;
        }
        // The body never said that it had ended. A gRPC request has no trailers.
        match host::clear_headers(Map::RequestTrailers) {
            Ok(()) => self.complete_request(),
            Err(status) => self.fail(&refused("to drop the request trailers", status)),
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if !self.exchange.borrow().awaits_response() {
            // Our own answer, native gRPC, or an answer from in front of the upstream. In the last case nothing may be
            // sent on any more.
            let news = self.exchange.borrow().lacks_outcome();
            let status = news.then(envoy::response_status).flatten();
            self.exchange.borrow_mut().answered_elsewhere(status);
            self.cancel_call();
            if let Some(disguised) = self.disguised.take()
                && let Err(status) = disguised.restore()
            {
                log::error!("cannot change the headers of an answer: {status}");
            }
            return Action::Continue;
        }
        let headers = match host::headers(Map::ResponseHeaders) {
            Ok(headers) => headers,
            Err(status) => return self.fail(&refused("to show the response headers", status)),
        };
        let host_reply = envoy::host_reply(&headers, end_of_stream);
        self.body_size = 0;
        self.response_began = true;
        self.look_at_the_time();
        self.response(|exchange, abilities, workspace| {
            exchange.response_headers(headers, end_of_stream, host_reply, abilities, workspace)
        })
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !self.exchange.borrow().awaits_response() {
            return Action::Continue;
        }
        self.body_size = size;
        if self.exchange.borrow().response_flows() {
            return match host::buffer(Buffer::ResponseBody, size) {
                Ok(chunk) => {
                    if end_of_stream || is_trailers_frame(&chunk) {
                        self.look_at_the_time();
                    }
                    self.response(|exchange, _, workspace| exchange.response_chunk(&chunk, end_of_stream, workspace))
                }
                Err(status) => self.fail(&refused("to show the response body", status)),
            };
        }
        if end_of_stream {
            return self.complete_response(None);
        }
        self.response(|exchange, _, workspace| exchange.response_body_grew(size, workspace))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if !self.exchange.borrow().awaits_response() {
            return Action::Continue;
        }
        self.look_at_the_time();
        // gRPC's trailers never reach an HTTP client.
        match host::take_headers(Map::ResponseTrailers) {
            Ok(trailers) if self.exchange.borrow().response_flows() => {
                self.response(|exchange, _, workspace| exchange.response_chunks_ended(trailers, workspace))
            }
            Ok(trailers) => self.complete_response(Some(trailers)),
            Err(status) => self.fail(&refused("to take the response trailers", status)),
        }
    }

    fn on_log(&mut self) {
        self.gateway.observer(HostProfile::Envoy).show(&self.exchange.borrow());
    }
}

impl Context for Filter {
    fn on_grpc_stream_initial_metadata(&mut self, token: u32, _: u32) {
        if self.call == Some(token)
            && let Some(metadata) = readable("initial metadata", host::headers(Map::GrpcInitialMetadata))
        {
            self.exchange.borrow_mut().call_initial_metadata(metadata);
        }
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        if self.call != Some(token) {
            return;
        }
        match host::buffer(Buffer::GrpcMessage, size) {
            Ok(message) => self.called(|exchange, workspace| exchange.call_message(message, workspace)),
            Err(status) => {
                self.fail(&refused("to show a message", status));
            }
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, token: u32, _: u32) {
        if self.call == Some(token)
            && let Some(metadata) = readable("trailing metadata", host::headers(Map::GrpcTrailingMetadata))
        {
            self.exchange.borrow_mut().call_trailing_metadata(metadata);
        }
    }

    fn on_grpc_stream_close(&mut self, token: u32, code: u32) {
        if self.call != Some(token) {
            return;
        }
        self.call = None;
        if code != 0 {
            self.look_at_the_time();
        }
        let message = host::grpc_status_message().unwrap_or_default();
        let host_reply = envoy::call_host_reply(code, &message);
        self.called(|exchange, workspace| exchange.call_closed(code, &message, host_reply, workspace));
    }

    fn on_done(&mut self) -> bool {
        // The client may have left: the host itself cancels nothing.
        self.cancel_call();
        self.gateway.holding.forget(self.context);
        self.gateway.replies.forget(self.context);
        let observer = self.gateway.observer(HostProfile::Envoy);
        if observer.ended(&self.exchange.borrow())
            && let Err(status) = self.gateway.ticker.within(metrics::PATIENCE)
        {
            log::error!("cannot set a timer: {status}");
        }
        true
    }
}

impl Filter {
    /// Tells the exchange of something about the request, and does what it asks for.
    fn request(
        &mut self,
        event: impl for<'w> FnOnce(&'w mut Exchange, Abilities, &'w mut Workspace) -> RequestStep<'w>,
    ) -> Action {
        let followed = {
            let mut exchange = self.exchange.borrow_mut();
            let mut workspace = self.gateway.workspace.borrow_mut();
            let step = event(&mut exchange, self.gateway.abilities(), &mut workspace);
            self.gateway.follow_request(self.context, step, self.body_size)
        };
        if self.deadline.is_none()
            && let Some(timeout) = self.exchange.borrow().watched_timeout()
            && let Ok(now) = host::now()
        {
            let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
            self.deadline = Some(now.saturating_add(timeout));
        }
        match followed {
            Ok(Followed::Continue) => Action::Continue,
            Ok(Followed::Pause) => Action::Pause,
            Ok(Followed::Called(token)) => {
                self.call = Some(token);
                Action::Pause
            }
            Ok(Followed::Answered { disguised }) => {
                self.answered = true;
                self.disguised = disguised;
                Action::Pause
            }
            Err(failure) => self.fail(&failure),
        }
    }

    /// Tells the exchange when the time for its answer is up.
    fn look_at_the_time(&self) {
        if let Some(deadline) = self.deadline
            && host::now().is_ok_and(|now| now >= deadline)
        {
            self.exchange.borrow_mut().time_is_up();
        }
    }

    /// The trailers behind a request whose headers have gone on: what is left in front of them can go nowhere any more.
    fn end_upload(&mut self) -> Action {
        let mut left = false;
        let action = self.request(
            |exchange, _, workspace| match exchange.request_chunk(b"", true, workspace) {
                RequestStep::Chunk(frames) => {
                    left = !frames.is_empty();
                    RequestStep::PassThrough
                }
                step => step,
            },
        );
        if left {
            return self.fail(&Failure::unimplemented(
                "a request with trailers cannot be carried here: send it without, end its last line, or set \
                 allow_on_headers_stop_iteration: true in the Wasm filter's configuration",
            ));
        }
        match host::clear_headers(Map::RequestTrailers) {
            Ok(()) => action,
            Err(status) => self.fail(&refused("to drop the request trailers", status)),
        }
    }

    fn complete_request(&mut self) -> Action {
        // Without a body the host has no buffer to put one into.
        let body = match self.body_size {
            0 => None,
            size => match host::buffer(Buffer::RequestBody, size) {
                Ok(body) => Some(body),
                Err(status) => return self.fail(&refused("to show the request body", status)),
            },
        };
        self.request(|exchange, abilities, workspace| exchange.request_body(body.as_deref(), abilities, workspace))
    }

    /// The same for the response in place.
    fn response(
        &mut self,
        event: impl for<'w> FnOnce(&'w mut Exchange, Abilities, &'w mut Workspace) -> ResponseStep<'w>,
    ) -> Action {
        let followed = {
            let mut exchange = self.exchange.borrow_mut();
            let mut workspace = self.gateway.workspace.borrow_mut();
            let step = event(&mut exchange, self.gateway.abilities(), &mut workspace);
            self.response_released |= matches!(step, ResponseStep::RewriteHeaders(_));
            let limits = &self.gateway.plugin.settings.limits;
            follow_response(step, self.response_released, self.body_size, limits)
        };
        followed.unwrap_or_else(|failure| self.fail(&failure))
    }

    fn complete_response(&mut self, trailers: Option<Headers>) -> Action {
        match host::buffer(Buffer::ResponseBody, self.body_size) {
            Ok(body) => self.response(|exchange, _, workspace| exchange.response_complete(&body, trailers, workspace)),
            Err(status) => self.fail(&refused("to show the response body", status)),
        }
    }

    /// The same for the gRPC call.
    fn called(&mut self, event: impl for<'w> FnOnce(&'w mut Exchange, &'w mut Workspace) -> CallStep<'w>) {
        let cancel = {
            let mut exchange = self.exchange.borrow_mut();
            let mut workspace = self.gateway.workspace.borrow_mut();
            match event(&mut exchange, &mut workspace) {
                CallStep::Await => false,
                CallStep::Reply(reply) => {
                    self.disguised = send_through(reply);
                    false
                }
                CallStep::CancelAndReply(reply) => {
                    self.disguised = send_through(reply);
                    true
                }
            }
        };
        if cancel {
            self.cancel_call();
        }
    }

    fn cancel_call(&mut self) {
        if let Some(token) = self.call.take()
            && let Err(status) = host::cancel_grpc_stream(token)
            && status != HostStatus::NOT_FOUND
        {
            log::error!("cannot cancel a gRPC call: {status}");
        }
    }

    /// Ends the exchange with an error.
    fn fail(&mut self, failure: &Failure) -> Action {
        self.cancel_call();
        let mut workspace = self.gateway.workspace.borrow_mut();
        let mut exchange = self.exchange.borrow_mut();
        let reply = exchange.fail(failure, &mut workspace);
        self.answered = true;
        if self.response_began {
            send(reply, reply.status);
        } else {
            self.disguised = self.gateway.replies.send(self.context, reply, &self.gateway.ticker);
        }
        Action::Pause
    }
}

/// What became of a step about the request.
enum Followed {
    Continue,
    Pause,
    /// A gRPC stream with this token was opened.
    Called(u32),
    /// An answer is on its way, maybe under another guise for now.
    Answered {
        disguised: Option<Disguised>,
    },
}

fn follow_response(
    step: ResponseStep<'_>,
    headers_gone: bool,
    body_size: usize,
    limits: &Limits,
) -> Result<Action, Failure> {
    match step {
        ResponseStep::PassThrough => Ok(Action::Continue),
        ResponseStep::Await => Ok(Action::Pause),
        ResponseStep::RewriteHeaders(edits) => host::edit_headers(Map::ResponseHeaders, edits)
            .map(|()| Action::Continue)
            .map_err(|status| refused("to change the response headers", status)),
        ResponseStep::Rewrite { edits, body } => {
            let room = body_size.max(limits.gateway_buffer_bytes);
            rewrite_response(edits, body, headers_gone, body_size, room)
        }
        ResponseStep::Chunk { edits, body, hold } => {
            if let Some(edits) = edits {
                host::edit_headers(Map::ResponseHeaders, edits)
                    .map_err(|status| refused("to change the response headers", status))?;
            }
            host::replace_buffer(Buffer::ResponseBody, body_size, body)
                .map(|()| if hold { Action::Pause } else { Action::Continue })
                .map_err(|status| refused("to change the response body", status))
        }
        ResponseStep::Drop => host::replace_buffer(Buffer::ResponseBody, body_size, b"")
            .map(|()| Action::Pause)
            .map_err(|status| refused("to change the response body", status)),
        ResponseStep::Reset => host::close_stream(Stream::Response)
            .map(|()| Action::Pause)
            .map_err(|status| refused("to reset the response", status)),
        // With the headers gone and no body to rewrite, breaking off is the one way left not to look complete.
        ResponseStep::Reply(_) if headers_gone => host::close_stream(Stream::Response)
            .map(|()| Action::Pause)
            .map_err(|status| refused("to reset the response", status)),
        ResponseStep::Reply(reply) => {
            send(reply, reply.status);
            Ok(Action::Pause)
        }
    }
}

fn edit_request(edits: &HeaderEdits, timeout: Option<Duration>) -> Result<(), HostStatus> {
    host::edit_headers(Map::RequestHeaders, edits)?;
    match timeout {
        Some(timeout) => host::set_header(
            Map::RequestHeaders,
            envoy::TIMEOUT_HEADER,
            envoy::timeout_value(timeout).as_bytes(),
        ),
        None => Ok(()),
    }
}

/// Changes a response that is held back, of which the host has `held` bytes and room for `room`.
///
/// Should it become more than that, Envoy would answer 500 in the midst of this, go on with both, and crash: such a body
/// goes out as an answer of the filter's own.
fn rewrite_response(
    edits: &HeaderEdits,
    body: &[u8],
    headers_gone: bool,
    held: usize,
    room: usize,
) -> Result<Action, Failure> {
    let no_headers = |status| refused("to change the response headers", status);
    if !headers_gone {
        host::edit_headers(Map::ResponseHeaders, edits).map_err(no_headers)?;
    }
    if body.len() <= room {
        return host::replace_buffer(Buffer::ResponseBody, held, body)
            .map(|()| Action::Continue)
            .map_err(|status| refused("to change the response body", status));
    }
    if headers_gone {
        let length = body.len();
        log::error!("an answer of {length} bytes is broken off: it is over limits.gateway_buffer_bytes");
        return host::close_stream(Stream::Response)
            .map(|()| Action::Pause)
            .map_err(|status| refused("to reset the response", status));
    }
    let headers = host::headers(Map::ResponseHeaders).map_err(no_headers)?;
    let status = headers.status().unwrap_or(200);
    let mut kept = Headers::default();
    for (name, value) in headers.iter() {
        // Envoy adds these itself.
        let its_own = matches!(name, b"content-length" | b"date" | b"server");
        if !its_own && name.first() != Some(&b':') {
            kept.push(name, value);
        }
    }
    host::send_local_response(status, &kept, body)
        .map(|()| Action::Pause)
        .map_err(|status| refused("to answer", status))
}

fn start_call(call: &Call<'_>) -> Result<u32, Failure> {
    let Some(cluster) = call.cluster.map(str::to_owned).or_else(envoy::route_cluster) else {
        return Err(Failure::unavailable(
            "no upstream for this request: set upstream.cluster, or a route with a cluster",
        ));
    };
    let mut metadata = envoy::call_metadata(call.metadata);
    if let Some(timeout) = call.timeout {
        metadata.push(envoy::TIMEOUT_HEADER, envoy::timeout_value(timeout).as_bytes());
    }
    let upstream = envoy::grpc_service(&cluster, call.authority);
    let unreachable = |reason: String| {
        log::error!("cannot call cluster {cluster:?}: {reason}");
        Failure::unavailable("the upstream cannot be reached")
    };
    let token = host::open_grpc_stream(&upstream, call.service, call.method, &metadata)
        .map_err(|status| unreachable(format!("{status:?}")))?;
    // Envoy forgets a stream at its end only when this side was closed by the call for that, and else keeps it for as long
    // as there is this configuration.
    call.message
        .map_or(Ok(()), |message| host::send_grpc_message(token, message, true))
        .and_then(|()| host::close_grpc_stream(token))
        .map_err(|status| unreachable(status.to_string()))?;
    Ok(token)
}

/// The host refused what it was asked for. The client is told no more than that.
fn refused(what: &str, status: HostStatus) -> Failure {
    log::error!("the gateway refused {what}: {status}");
    Failure::internal(format!("the gateway refused {what}"))
}

fn readable<T>(what: &str, read: Result<T, HostStatus>) -> Option<T> {
    read.inspect_err(|status| log::error!("cannot read {what}: {status}"))
        .ok()
}

/// Answers where the configuration was refused and the host serves all the same: nothing passes unfiltered.
struct Unconfigured {
    error: Rc<str>,
}

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let reply = Reply::unconfigured(&Failure::internal(format!(
            "protobridge has no valid configuration: {}",
            self.error
        )));
        send(&reply, reply.status);
        Action::Pause
    }
}
