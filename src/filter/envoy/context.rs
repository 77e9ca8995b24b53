//! One HTTP exchange in Envoy: the SDK's callbacks as events, and what is to be done about each.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::body::Body;
use super::held;
use super::hold::{self, Verdict, Waiting};
use super::hooks::{self, HeldAnswer, Then};
use super::local_reply::{BRIDGE_OVERFLOW, call_host_reply, host_reply, may_be_made_up};
use super::replies::{Disguised, send_through};
use super::shared::Shared;
use super::steps::{Followed, follow_response, without_body};
use crate::exchange::{
    Abilities, CallStep, Exchange, Failure, HookStep, HostReply, RequestStep, ResponseStep, Workspace,
    is_trailers_frame,
};
use crate::filter::abi::{self, Buffer, HostStatus, Map, Stream, send_reply};
use crate::filter::exports;
use crate::filter::observe::metrics;
use crate::hooks::CallFailure;
use crate::http::headers::{HeaderEdits, Headers};

/// The longest body of a request that may turn out to end with trailers.
const MAX_SHORT: usize = 1024;

/// Bytes of room for a gRPC message, beside six times its JSON body: the shortest forms of JSON become six times as
/// long, most become shorter.
const SPARE_ROOM: usize = 64;

/// One HTTP exchange.
pub struct EnvoyContext {
    context: u32,
    shared: Rc<Shared>,
    exchange: Rc<RefCell<Exchange>>,
    phase: Phase,
    request_body: Body,
    response_body: Body,
    /// When the time for a streamed answer or a call is up, if it has a bound; nanoseconds.
    deadline: Option<u64>,
    /// The gRPC stream in flight.
    call: Option<u32>,
    /// The call of a hook in flight.
    hook: Option<u32>,
    /// What has to be restored when an answer of this filter's comes through it.
    disguised: Option<Disguised>,
}

/// Which of the two ways through the filter is being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request's, also while a call is made for it.
    Request,
    /// The response's. `headers_gone`: they went on without the body.
    Response { headers_gone: bool },
    /// None any more: an answer of this filter's is on its way.
    Answered,
}

impl EnvoyContext {
    /// An exchange of which nothing is known yet.
    pub fn new(context: u32, shared: Rc<Shared>) -> Self {
        Self {
            context,
            exchange: Rc::new(RefCell::new(Exchange::new(Rc::clone(shared.plugin())))),
            shared,
            phase: Phase::Request,
            request_body: Body::new(Buffer::RequestBody),
            response_body: Body::new(Buffer::ResponseBody),
            deadline: None,
            call: None,
            hook: None,
            disguised: None,
        }
    }
}

impl HttpContext for EnvoyContext {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let headers = abi::headers(Map::RequestHeaders).and_then(|headers| self.drop_forged_path(headers));
        let headers = match headers {
            Ok(headers) => headers,
            Err(status) => return self.fail(&status.refused("to show the request headers")),
        };
        let action = self.request(|exchange, abilities, workspace| {
            exchange.request_headers(headers, end_of_stream, abilities, workspace)
        });
        if self.hook.is_some() && !end_of_stream {
            return exports::stop_all();
        }
        let uploads = self.exchange.borrow().uploads();
        if !uploads && !self.exchange.borrow().awaits_body() {
            return action;
        }
        match self.shared.holding.verdict() {
            Verdict::Unknown => {
                self.shared.holding.wait(Waiting {
                    context: self.context,
                    exchange: Rc::clone(&self.exchange),
                    since: abi::now().unwrap_or(0),
                });
                if let Err(status) = self.shared.ticker.within(hold::TICK) {
                    log::error!("cannot set a timer: {status}");
                }
                // Headers that could go on by themselves wait too: there may be no other requests to find out by.
                Action::Pause
            }
            Verdict::CannotHold if !uploads => {
                self.request(|exchange, abilities, workspace| exchange.release_request_headers(abilities, workspace))
            }
            Verdict::Holds | Verdict::CannotHold => action,
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let exchange = self.exchange.borrow();
        let (streams, awaited) = (exchange.streams_request(), exchange.awaits_body());
        if exchange.passes_request() {
            return Action::Continue;
        }
        let too_long = size > exchange.longest_part();
        drop(exchange);
        if too_long {
            let action = self.request(|exchange, _, workspace| exchange.request_part_too_long(size, workspace));
            self.request_body.show(size);
            return match action {
                Action::Continue => action,
                _ => self.hold_request_empty(),
            };
        }
        let chunk = match self.request_body.take(size) {
            Ok(chunk) => chunk,
            Err(status) => return self.fail(&status.refused("to show the request body")),
        };
        if self.phase == Phase::Answered || !streams && !awaited {
            return self.drop_request_part();
        }
        self.shared.holding.more_came(self.context);
        let action = self.request(|exchange, abilities, workspace| {
            exchange.request_chunk(&chunk, end_of_stream, abilities, workspace)
        });
        if action == Action::Continue {
            return self.request_body.go_on();
        }
        if self.hook.is_some() {
            return match self.request_body.stand_in() {
                Ok(action) => action,
                Err(status) => self.fail(&status.refused("to change the request body")),
            };
        }
        // It keeps a place in Envoy's buffer only if there is something of it.
        let is_first = size == self.request_body.seen;
        if is_first && (1..=MAX_SHORT).contains(&size) && self.exchange.borrow().has_all_for_hooks() {
            return self.request_body.keep();
        }
        if !end_of_stream && let Some(room) = self.room_before_trailers(chunk.len()) {
            return match self.request_body.reserve(room) {
                Ok(action) => action,
                Err(status) => self.fail(&status.refused("to change the request body")),
            };
        }
        self.hold_request_empty()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.phase == Phase::Answered {
            return Action::Pause;
        }
        // They may be the first thing behind the headers.
        self.shared.holding.more_came(self.context);
        let exchange = self.exchange.borrow();
        let (streams, awaited) = (exchange.streams_request(), exchange.awaits_body());
        if exchange.passes_request() {
            return Action::Continue;
        }
        drop(exchange);
        if streams {
            return self.end_upload();
        }
        // A gRPC request has no trailers.
        if let Err(status) = abi::clear_headers(Map::RequestTrailers) {
            return self.fail(&status.refused("to drop the request trailers"));
        }
        if !awaited {
            return self.behind_the_request();
        }
        // The body never said that it had ended.
        self.request_body.trailers();
        let action = if self.request_body.seen == 0 {
            self.request(|exchange, abilities, workspace| exchange.request_without_body(abilities, workspace))
        } else if self.request_body.has_filler() || self.exchange.borrow().is_refused() {
            self.request(|exchange, abilities, workspace| exchange.request_chunk(b"", true, abilities, workspace))
        } else {
            self.fail(&with_trailers())
        };
        if action == Action::Continue {
            return self.request_body.go_on();
        }
        self.request_body.may_grow();
        action
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let native = self.exchange.borrow().changes_native();
        if native && !self.exchange.borrow().awaits_response() {
            // Nothing of the answer is touched.
            self.exchange.borrow_mut().native_answer_begins();
            self.phase = Phase::Response { headers_gone: true };
            return Action::Continue;
        }
        if !self.exchange.borrow().awaits_response() {
            // Our own answer, native gRPC, or an answer from in front of the upstream. In the last case nothing may be
            // sent on any more.
            let news = self.exchange.borrow().lacks_outcome();
            let status = news
                .then(|| abi::headers(Map::ResponseHeaders).ok()?.status())
                .flatten();
            self.exchange.borrow_mut().answered_elsewhere(status);
            self.cancel_calls();
            if let Some(disguised) = self.disguised.take()
                && let Err(status) = disguised.restore()
            {
                log::error!("cannot change the headers of an answer: {status}");
            }
            return Action::Continue;
        }
        let headers = match abi::headers(Map::ResponseHeaders) {
            Ok(headers) => headers,
            Err(status) => return self.fail(&status.refused("to show the response headers")),
        };
        let host_reply = match native {
            true => None,
            false => made_up(&headers, end_of_stream),
        };
        self.phase = Phase::Response { headers_gone: false };
        self.look_at_the_time();
        self.response(|exchange, abilities, workspace| {
            exchange.response_headers(headers, end_of_stream, host_reply, abilities, workspace)
        })
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.hook.is_some() {
            self.response_body.show(size);
            return self.keep_the_place();
        }
        if !self.exchange.borrow().awaits_response() {
            return Action::Continue;
        }
        let chunk = match self.response_body.take(size) {
            Ok(chunk) => chunk,
            Err(status) => return self.fail(&status.refused("to show the response body")),
        };
        if end_of_stream || is_trailers_frame(&chunk) {
            self.look_at_the_time();
        }
        let action = self.response(|exchange, _, workspace| exchange.response_chunk(&chunk, end_of_stream, workspace));
        if self.hook.is_some() {
            return self.keep_the_place();
        }
        if exports::has_watermark() && self.exchange.borrow().response_may_stall() {
            self.shared.held.add(self.context, &self.exchange);
            if let Err(status) = self.shared.ticker.within(held::TICK) {
                log::error!("cannot set a timer: {status}");
            }
        }
        action
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if self.hook.is_some() {
            return match abi::clear_headers(Map::ResponseTrailers) {
                Ok(()) => Action::Pause,
                Err(status) => self.fail(&status.refused("to take the response trailers")),
            };
        }
        if self.exchange.borrow().changes_native() {
            self.response_body.trailers();
            return self.response(|exchange, _, workspace| exchange.native_trailers(workspace));
        }
        if !self.exchange.borrow().awaits_response_trailers() {
            return Action::Continue;
        }
        self.look_at_the_time();
        self.shared.held.forget(self.context);
        self.response_body.trailers();
        // gRPC's trailers never reach an HTTP client.
        match abi::take_headers(Map::ResponseTrailers) {
            Ok(trailers) => self.response(|exchange, _, workspace| exchange.response_chunks_ended(trailers, workspace)),
            Err(status) => self.fail(&status.refused("to take the response trailers")),
        }
    }

    fn on_log(&mut self) {
        if self.exchange.borrow().awaits_bridge() && bridge_overflowed() {
            self.exchange.borrow_mut().bridge_overflowed();
        }
        self.shared.observer().show(&self.exchange.borrow());
    }
}

impl Context for EnvoyContext {
    fn on_grpc_call_response(&mut self, token: u32, code: u32, size: usize) {
        if self.hook == Some(token) {
            self.hook = None;
            let limit = self.shared.plugin().settings.limits.max_message_bytes;
            self.hook_answered(hooks::message(code, size, limit));
        }
    }

    fn on_grpc_stream_initial_metadata(&mut self, token: u32, _: u32) {
        if self.call == Some(token)
            && let Some(metadata) = readable("initial metadata", abi::headers(Map::GrpcInitialMetadata))
        {
            self.exchange.borrow_mut().call_initial_metadata(metadata);
        }
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        if self.call != Some(token) {
            return;
        }
        match abi::buffer(Buffer::GrpcMessage, 0, size) {
            Ok(message) => self.called(|exchange, workspace| exchange.call_message(message, workspace)),
            Err(status) => {
                self.fail(&status.refused("to show a message"));
            }
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, token: u32, _: u32) {
        if self.call == Some(token)
            && let Some(metadata) = readable("trailing metadata", abi::headers(Map::GrpcTrailingMetadata))
        {
            self.exchange.borrow_mut().call_trailing_metadata(metadata);
        }
    }

    fn on_grpc_stream_close(&mut self, token: u32, code: u32) {
        if self.call != Some(token) {
            return;
        }
        self.call = None;
        // A success has no message.
        let mut message = Vec::new();
        if code != 0 {
            self.look_at_the_time();
            message = abi::grpc_status_message().unwrap_or_default();
        }
        let host_reply = call_host_reply(code, &message);
        self.called(|exchange, workspace| exchange.call_closed(code, &message, host_reply, workspace));
    }

    fn on_done(&mut self) -> bool {
        // The client may have left: the host itself cancels nothing.
        self.cancel_calls();
        self.shared.holding.forget(self.context);
        self.shared.replies.forget(self.context);
        self.shared.held.forget(self.context);
        let observer = self.shared.observer();
        if observer.ended(&self.exchange.borrow())
            && let Err(status) = self.shared.ticker.within(metrics::MAX_WAIT)
        {
            log::error!("cannot set a timer: {status}");
        }
        true
    }
}

impl EnvoyContext {
    /// Takes out of a request's headers what an access log would take for the path that the client sent.
    fn drop_forged_path(&self, headers: Headers) -> Result<Headers, HostStatus> {
        let Some(name) = self.shared.abilities().original_path else {
            return Ok(headers);
        };
        if !headers.iter().any(|(found, _)| found == name) {
            return Ok(headers);
        }
        let mut removal = HeaderEdits::default();
        removal.remove(name);
        abi::edit_headers(Map::RequestHeaders, &removal)?;
        abi::headers(Map::RequestHeaders)
    }

    /// Tells the exchange of something about the request, and does what it asks for.
    fn request(
        &mut self,
        event: impl for<'w> FnOnce(&'w mut Exchange, Abilities, &'w mut Workspace) -> RequestStep<'w>,
    ) -> Action {
        let followed = {
            let mut exchange = self.exchange.borrow_mut();
            let mut workspace = self.shared.any.workspace.borrow_mut();
            let step = event(&mut exchange, self.shared.abilities(), &mut workspace);
            let (request, body) = (self.shared.request(self.context), &mut self.request_body);
            let followed = match step {
                RequestStep::Ask => hooks::ask(&mut exchange, &mut workspace, &self.shared, |step| {
                    hooks::follow(step, &request, body)
                })
                .map_or_else(|followed| followed, |token| Ok(Followed::Asked(token))),
                step => request.follow(step, body),
            };
            workspace.trim();
            followed
        };
        self.watch_the_time();
        match followed {
            Ok(followed) => self.followed(followed),
            Err(failure) => self.fail(&failure),
        }
    }

    /// Notes when the time for the answer is up, if it has a bound that the upstream may notice first.
    fn watch_the_time(&mut self) {
        if self.deadline.is_none()
            && let Some(timeout) = self.exchange.borrow().watched_timeout()
            && let Ok(now) = abi::now()
        {
            let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
            self.deadline = Some(now.saturating_add(timeout));
        }
    }

    /// A step about the request has been done, with this result.
    fn followed(&mut self, followed: Followed) -> Action {
        match followed {
            Followed::Continue => return Action::Continue,
            Followed::Pause => {}
            Followed::Called(token) => self.call = Some(token),
            Followed::Asked(token) => self.hook = Some(token),
            Followed::Answered(disguised) => {
                self.phase = Phase::Answered;
                self.disguised = disguised;
            }
        }
        Action::Pause
    }

    /// The call of a hook has ended.
    fn hook_answered(&mut self, answer: Result<Vec<u8>, CallFailure>) {
        let answers = matches!(self.phase, Phase::Response { .. });
        let next = {
            let mut exchange = self.exchange.borrow_mut();
            let mut workspace = self.shared.any.workspace.borrow_mut();
            hooks::answered(
                &mut exchange,
                answer.as_deref().map_err(|failure| *failure),
                &self.shared,
            );
            let (request, body) = (self.shared.request(self.context), &mut self.request_body);
            let answer = answers.then_some(HeldAnswer {
                body: &mut self.response_body,
                to_head: exchange.answers_head(),
            });
            let next = hooks::ask(&mut exchange, &mut workspace, &self.shared, |step| {
                hooks::follow_later(step, &request, body, answer)
            });
            workspace.trim();
            next
        };
        if exports::take_called_within() {
            // The new body was more than Envoy holds, and Envoy has answered the client.
            self.exchange.borrow_mut().answered_elsewhere(Some(413));
            self.phase = Phase::Answered;
            return;
        }
        self.watch_the_time();
        match next {
            Ok(token) => self.hook = Some(token),
            Err(Ok(Then::Followed(followed))) => {
                if self.followed(followed) == Action::Continue {
                    self.request_body.go_on();
                    if let Err(status) = abi::continue_stream(Stream::Request) {
                        self.fail(&status.refused("to continue the request"));
                    }
                }
            }
            Err(Ok(Then::Answered(disguised))) => {
                self.phase = Phase::Answered;
                self.disguised = disguised;
            }
            Err(Ok(Then::InPlace)) => {
                self.response_body.go_on();
                self.phase = Phase::Response { headers_gone: true };
            }
            Err(Err(failure)) => {
                self.fail(&failure);
            }
        }
    }

    /// Ends a callback about the response's body: Envoy holds a placeholder for it until hooks have been asked.
    fn keep_the_place(&mut self) -> Action {
        let room = self.exchange.borrow().room_for_answer();
        match self.response_body.reserve(room) {
            Ok(action) => action,
            Err(status) => self.fail(&status.refused("to change the response body")),
        }
    }

    /// Tells the exchange when the time for its answer is up.
    fn look_at_the_time(&self) {
        if let Some(deadline) = self.deadline
            && abi::now().is_ok_and(|now| now >= deadline)
        {
            self.exchange.borrow_mut().time_is_up();
        }
    }

    /// The trailers came of a request whose headers have gone on. What is left of its body can't be sent any more.
    fn end_upload(&mut self) -> Action {
        let native = self.exchange.borrow().changes_native();
        let mut left = false;
        let action = self.request(|exchange, abilities, workspace| {
            match exchange.request_chunk(b"", true, abilities, workspace) {
                RequestStep::Chunk(frames) => {
                    left = !frames.is_empty();
                    RequestStep::PassThrough
                }
                step => step,
            }
        });
        if left {
            return self.fail(&Failure::unimplemented(
                "a request with trailers cannot be carried here: send it without, end its last line, or set \
                 allow_on_headers_stop_iteration: true in the Wasm filter's configuration",
            ));
        }
        if native {
            // In a gRPC client's call only messages are changed, and trailers aren't any.
            return action;
        }
        match abi::clear_headers(Map::RequestTrailers) {
            Ok(()) => action,
            Err(status) => self.fail(&status.refused("to drop the request trailers")),
        }
    }

    /// Drops a part of a request that is complete or answered already.
    fn drop_request_part(&mut self) -> Action {
        let action = self.hold_request_empty();
        match self.behind_the_request() {
            Action::Continue => self.request_body.go_on(),
            _ => action,
        }
    }

    /// Ends a callback about the request's body: what it shows is dropped, and nothing goes on.
    fn hold_request_empty(&mut self) -> Action {
        match self.request_body.drop_all() {
            Ok(()) => self.request_body.hold(),
            Err(status) => self.fail(&status.refused("to drop the request body")),
        }
    }

    /// How to end the last callback of a request that was complete before.
    fn behind_the_request(&self) -> Action {
        match self.call.is_some() || self.hook.is_some() || self.phase == Phase::Answered {
            true => Action::Pause,
            false => Action::Continue,
        }
    }

    /// How much room Envoy should hold, in case this request ends with trailers. Nothing tells that beforehand, and at
    /// the trailers only a body that Envoy holds can be changed. `new`: how many bytes of the body are in this part.
    /// `None`: no room is held. Such requests are rare, so it is done only if the request
    ///
    /// - doesn't say its length: one that does mostly has no trailers;
    /// - isn't too long;
    /// - has no next part that may be longer than what Envoy buffers, as in HTTP/1.1.
    fn room_before_trailers(&self, new: usize) -> Option<usize> {
        let length = self.request_body.seen;
        let begun = self.exchange.borrow().begun_without_length()?;
        let http1 = || abi::property(&["request", "protocol"]).is_ok_and(|protocol| protocol.starts_with(b"HTTP/1"));
        let may = length <= MAX_SHORT && (self.request_body.has_filler() || length == new && !http1());
        may.then_some(begun + 6 * length + SPARE_ROOM)
    }

    /// Tells the exchange of something about the response in place, and does what it asks for.
    fn response(
        &mut self,
        event: impl for<'w> FnOnce(&'w mut Exchange, Abilities, &'w mut Workspace) -> ResponseStep<'w>,
    ) -> Action {
        let followed = {
            let mut exchange = self.exchange.borrow_mut();
            let mut workspace = self.shared.any.workspace.borrow_mut();
            let head = exchange.answers_head();
            let step = event(&mut exchange, self.shared.abilities(), &mut workspace);
            if matches!(step, ResponseStep::RewriteHeaders(_)) {
                self.phase = Phase::Response { headers_gone: true };
            }
            let headers_gone = self.phase == Phase::Response { headers_gone: true };
            let step = if head { without_body(step) } else { step };
            let body = &mut self.response_body;
            let followed = match step {
                ResponseStep::Ask => hooks::ask(&mut exchange, &mut workspace, &self.shared, |step| match step {
                    HookStep::Reply(reply) => follow_response(ResponseStep::Reply(reply), headers_gone, body),
                    HookStep::Call(_) | HookStep::Request { .. } => Ok(Action::Pause),
                })
                .map_or_else(
                    |followed| followed,
                    |token| {
                        self.hook = Some(token);
                        Ok(Action::Pause)
                    },
                ),
                step => follow_response(step, headers_gone, body),
            };
            workspace.trim();
            followed
        };
        followed.unwrap_or_else(|failure| self.fail(&failure))
    }

    /// Tells the exchange of something about the gRPC call, and does what it asks for.
    fn called(&mut self, event: impl for<'w> FnOnce(&'w mut Exchange, &'w mut Workspace) -> CallStep<'w>) {
        let cancel = {
            let mut exchange = self.exchange.borrow_mut();
            let mut workspace = self.shared.any.workspace.borrow_mut();
            let cancel = match event(&mut exchange, &mut workspace) {
                CallStep::Await => false,
                CallStep::Reply(reply) => {
                    self.disguised = send_through(reply);
                    false
                }
                CallStep::CancelAndReply(reply) => {
                    self.disguised = send_through(reply);
                    true
                }
                CallStep::Ask => {
                    let asked = hooks::ask(&mut exchange, &mut workspace, &self.shared, |step| match step {
                        HookStep::Reply(reply) => send_through(reply),
                        HookStep::Call(_) | HookStep::Request { .. } => None,
                    });
                    match asked {
                        Ok(token) => self.hook = Some(token),
                        Err(disguised) => self.disguised = disguised,
                    }
                    false
                }
            };
            workspace.trim();
            cancel
        };
        if cancel {
            self.cancel_call();
        }
    }

    fn cancel_call(&mut self) {
        cancel(self.call.take());
    }

    fn cancel_calls(&mut self) {
        self.cancel_call();
        cancel(self.hook.take());
    }

    /// Ends the exchange with an error.
    fn fail(&mut self, failure: &Failure) -> Action {
        self.cancel_calls();
        let mut workspace = self.shared.any.workspace.borrow_mut();
        let mut exchange = self.exchange.borrow_mut();
        let streams = exchange.streams_request();
        let reply = exchange.fail(failure, &mut workspace);
        match std::mem::replace(&mut self.phase, Phase::Answered) {
            Phase::Request if streams => self.disguised = self.shared.request(self.context).break_off(reply),
            Phase::Request => {
                self.disguised = self.shared.replies.send(self.context, reply, &self.shared.ticker);
            }
            Phase::Response { .. } => send_reply(reply, reply.status),
            // The client has been answered already.
            Phase::Answered => {}
        }
        Action::Pause
    }
}

/// Cancels a gRPC call, if there is one.
fn cancel(token: Option<u32>) {
    if let Some(token) = token
        && let Err(status) = abi::cancel_grpc_stream(token)
        && status != HostStatus::NOT_FOUND
    {
        log::error!("cannot cancel a gRPC call: {status}");
    }
}

/// 501: the request has ended by trailers, where its body is out of reach.
fn with_trailers() -> Failure {
    Failure::unimplemented("a request with trailers cannot be carried here: send it without")
}

/// What happened, if Envoy made up this response.
fn made_up(headers: &Headers, end_of_stream: bool) -> Option<HostReply> {
    if !may_be_made_up(headers, end_of_stream) {
        return None;
    }
    host_reply(&abi::property(&["response", "code_details"]).ok()?, headers)
}

/// Whether Envoy's Connect bridge has given up an answer because of its length. The client has Envoy's own 500 then.
fn bridge_overflowed() -> bool {
    abi::property(&["response", "code_details"]).is_ok_and(|details| details == BRIDGE_OVERFLOW)
}

fn readable<T>(what: &str, read: Result<T, HostStatus>) -> Option<T> {
    read.inspect_err(|status| log::error!("cannot read {what}: {status}"))
        .ok()
}
