//! One HTTP exchange as a state machine without I/O: what happens goes in, what is to be done comes out.
//!
//! An [`Exchange`] is told of request headers, body and trailers, then, by the way that the request went, of the
//! response in place or of the gRPC call's metadata, message and end. Each answers with a step for the host. Whatever
//! the order of events, a client gets exactly one answer: once that is out, further events are left alone.
//!
//! The memory that a step needs lives in the [`Workspace`], which outlives the exchange.

mod answer;
mod body;
mod deadline;
pub mod failure;
mod matched;
mod message;
pub mod outcome;
mod reply;
mod request;
mod server_stream;
mod steps;
mod upload;
mod workspace;

use std::rc::Rc;
use std::time::Duration;

use crate::config::Plugin;
use crate::grpc::Code;
use crate::grpc::frame::PREFIX_LENGTH;
use crate::http::headers::Headers;
use crate::http::media_type::JSON;
use crate::http::stream_format::{StreamFormat, StreamWriter};
use crate::routing::{Method, Route};
use answer::Answer;
pub use failure::Failure;
use failure::Reason;
use outcome::{Outcome, Record};
pub use reply::{NO_SNIFFING, Reply};
use request::Pending;
use server_stream::Progress;
pub use steps::{Abilities, Call, CallStep, Forward, HostReply, RequestStep, ResponseStep};
use upload::Upload;
pub use workspace::Workspace;

/// One HTTP exchange.
#[derive(Debug)]
pub struct Exchange {
    plugin: Rc<Plugin>,
    state: State,
    /// The route that the request took.
    route: Option<Rc<Route>>,
    record: Record,
    /// A streamed request goes on beside its answer.
    upload: Option<Upload>,
    /// Whether the response's headers have gone out in front of its end.
    started: bool,
    /// How many bytes of the answer the host holds, with its headers, until the trailers come; none where it holds nothing.
    held: Option<usize>,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet.
    New,
    /// Not ours: nothing of it is touched.
    Untouched,
    /// The request's body is awaited.
    Receiving(Pending),
    /// The request is refused; so many bytes of its body have come. An answer in the middle of a body would cost an
    /// HTTP/1.1 client its connection, and the requests that wait on it.
    Refused(Failure, usize),
    /// The upstream has the request, in place.
    Forwarded(Answer),
    /// The upstream has the request, by a gRPC call.
    Called(Answer),
    /// The answer in place has failed, and nothing of it has gone out: the client is told as soon as may be.
    Rejected(Answer, Failure),
    /// The answer in place has failed behind its beginning. What still comes of it is dropped, `dropped` bytes by now.
    /// The client knows, or, where the error could not be written, learns it by the answer's being `cut` off.
    Failed { cut: bool, dropped: usize },
    /// The client has its answer.
    Finished,
}

impl Exchange {
    /// An exchange of which nothing is known yet.
    pub fn new(plugin: Rc<Plugin>) -> Self {
        Self {
            plugin,
            state: State::New,
            route: None,
            record: Record::default(),
            upload: None,
            started: false,
            held: None,
        }
    }

    /// The request headers came. With `end_of_stream`, they are the whole request.
    pub fn request_headers<'w>(
        &'w mut self,
        headers: Headers,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        match Pending::new(&self.plugin, headers, end_of_stream, workspace, &mut self.route) {
            Ok(None) => {
                self.state = State::Untouched;
                RequestStep::PassThrough
            }
            Ok(Some(pending)) => self.begin(pending, end_of_stream, abilities, workspace),
            Err(failure) if !end_of_stream && failure.http_status != 413 => {
                self.state = State::Refused(failure, 0);
                RequestStep::Await
            }
            Err(failure) => self.fail_request(&failure, workspace),
        }
    }

    fn begin<'w>(
        &'w mut self,
        pending: Pending,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        if let Some(obstacle) = abilities.obstacle {
            return self.fail_request(&Failure::unimplemented(obstacle), workspace);
        }
        if pending.streams_body() && (!end_of_stream || !abilities.streams_requests) {
            return self.start_upload(pending, abilities, workspace);
        }
        if end_of_stream {
            return self.send(pending, None, abilities, workspace);
        }
        self.state = State::Receiving(pending);
        RequestStep::Await
    }

    fn start_upload<'w>(
        &mut self,
        pending: Pending,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        match pending.chooses_call(&self.plugin, abilities) {
            Ok(false) if abilities.streams_requests => self.upload(pending, abilities, workspace),
            Ok(_) => self.fail_request(&request::cannot_stream(), workspace),
            Err(failure) => self.fail_request(&failure, workspace),
        }
    }

    /// Lets the headers go on; the body follows as it comes, or when it is whole.
    fn upload<'w>(&mut self, pending: Pending, abilities: Abilities, workspace: &'w mut Workspace) -> RequestStep<'w> {
        pending.edit_headers(&self.plugin, abilities, &mut workspace.edits);
        let answer = Answer::new(
            &self.plugin,
            Rc::clone(pending.route()),
            pending.enforced_timeout(),
            pending.accept(),
        );
        let timeout = answer.patience();
        match pending.into_upload(&self.plugin, workspace) {
            Ok(upload) => self.upload = Some(upload),
            Err(failure) => return self.fail_request(&failure, workspace),
        }
        self.state = State::Forwarded(answer);
        RequestStep::ForwardHeaders {
            edits: &workspace.edits,
            timeout,
        }
    }

    /// Whether the request's body goes on as it comes.
    pub fn uploads(&self) -> bool {
        self.upload.is_some()
    }

    /// The next bytes of a request body that goes on as it comes. `end`: they are the last.
    pub fn request_chunk<'w>(&mut self, chunk: &[u8], end: bool, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let Some(upload) = &mut self.upload else {
            return RequestStep::PassThrough;
        };
        let mut frames = std::mem::take(&mut workspace.upload);
        frames.clear();
        let written = upload.chunk(&self.plugin, chunk, end, workspace, &mut frames);
        workspace.upload = frames;
        let answered = match &mut self.state {
            State::Finished | State::Failed { .. } => true,
            State::Forwarded(answer) => answer.flowing().is_some_and(|stream| stream.has_ended()),
            _ => false,
        };
        match written {
            Ok(()) => RequestStep::Chunk(&workspace.upload),
            // The client has its answer: what it still sends is nobody's any more.
            Err(_) if answered => {
                upload.close();
                workspace.upload.clear();
                RequestStep::Chunk(&workspace.upload)
            }
            Err(failure) => self.fail_request(&failure, workspace),
        }
    }

    /// Whether the request will go by a call once its body is there: then its headers cannot go on without it.
    pub fn awaits_call(&self, abilities: Abilities) -> bool {
        matches!(&self.state, State::Receiving(pending) if pending.chooses_call(&self.plugin, abilities).unwrap_or(false))
    }

    /// The host cannot hold the request headers until the body is there: they must go on now.
    pub fn release_request_headers<'w>(
        &mut self,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        let pending = match std::mem::replace(&mut self.state, State::Finished) {
            State::Receiving(pending) => pending,
            State::Refused(failure, _) => return self.fail_request(&failure, workspace),
            state => {
                self.state = state;
                return RequestStep::PassThrough;
            }
        };
        match pending.chooses_call(&self.plugin, abilities) {
            Ok(false) => self.upload(pending, abilities, workspace),
            Ok(true) => self.fail_request(&request::cannot_hold(), workspace),
            Err(failure) => self.fail_request(&failure, workspace),
        }
    }

    /// More of the request body came, and it is `size` bytes now. Answers an error as soon as that is too much.
    pub fn request_body_grew<'w>(&mut self, size: usize, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let limit = self.plugin.settings.limits.max_request_bytes;
        match &mut self.state {
            State::Refused(_, seen) if seen.saturating_add(size) <= limit => {
                *seen += size;
                RequestStep::Drop
            }
            State::Refused(..) => self.refuse(workspace),
            State::Receiving(_) if size > limit => self.fail_request(&body::too_large(size, limit), workspace),
            State::Receiving(_) => RequestStep::Await,
            _ => RequestStep::PassThrough,
        }
    }

    /// The request is complete, and `body` is all of its body. `None`: there is none that the host could replace.
    pub fn request_body<'w>(
        &'w mut self,
        body: Option<&[u8]>,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Receiving(pending) => self.send(pending, body, abilities, workspace),
            State::Refused(failure, _) => self.fail_request(&failure, workspace),
            state => {
                self.state = state;
                RequestStep::PassThrough
            }
        }
    }

    /// Whether the request is refused and its answer waits for the end of its body.
    pub fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(..))
    }

    /// Whether a request body is awaited.
    pub fn awaits_body(&self) -> bool {
        matches!(self.state, State::Receiving(_) | State::Refused(..))
    }

    fn refuse<'w>(&mut self, workspace: &'w mut Workspace) -> RequestStep<'w> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Refused(failure, _) => self.fail_request(&failure, workspace),
            _ => RequestStep::PassThrough,
        }
    }

    fn send<'w>(
        &'w mut self,
        mut pending: Pending,
        body: Option<&[u8]>,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        let call = match pending
            .convert(&self.plugin, body, workspace)
            .and_then(|()| pending.chooses_call(&self.plugin, abilities))
        {
            Ok(call) => call,
            Err(failure) => {
                workspace.spare_frame = pending.into_frame();
                return self.fail_request(&failure, workspace);
            }
        };
        let timeout = match call {
            true => Some(pending.timeout().unwrap_or(deadline::DEFAULT_TIMEOUT)),
            false => pending.enforced_timeout(),
        };
        let mut answer = Answer::new(&self.plugin, Rc::clone(pending.route()), timeout, pending.accept());
        if abilities.trailers_with_body {
            answer.end_in_body();
        }
        if call {
            pending.write_metadata(timeout, &mut workspace.metadata);
        } else {
            pending.edit_headers(&self.plugin, abilities, &mut workspace.edits);
        }
        workspace.spare_frame = pending.into_frame();
        if !call {
            let timeout = answer.patience();
            self.state = State::Forwarded(answer);
            return RequestStep::Forward(Forward {
                edits: &workspace.edits,
                body: &workspace.spare_frame,
                timeout,
            });
        }
        self.state = State::Called(answer);
        let State::Called(answer) = &self.state else {
            return RequestStep::PassThrough;
        };
        let method = answer.method();
        RequestStep::Call(Call {
            cluster: self.plugin.settings.upstream.cluster.as_deref(),
            authority: self.plugin.settings.upstream.authority.as_deref(),
            service: &method.service,
            method: &method.name,
            metadata: &workspace.metadata,
            message: workspace.spare_frame.get(PREFIX_LENGTH..),
            timeout: timeout.map(deadline::patience),
        })
    }

    fn fail_request<'w>(&mut self, failure: &Failure, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let forwarded = self.upload.is_some();
        let reply = self.fail(failure, workspace);
        match forwarded {
            true => RequestStep::BreakOff(reply),
            false => RequestStep::Reply(reply),
        }
    }

    /// Ends the exchange with an error that arose in the host: a call that could not be made, a missing cluster.
    pub fn fail<'w>(&mut self, failure: &Failure, workspace: &'w mut Workspace) -> &'w Reply {
        self.state = State::Finished;
        self.record.add(failure);
        if let Some(upload) = &mut self.upload {
            upload.close();
        }
        workspace.reply_with(&self.plugin, failure, std::iter::empty());
        &workspace.reply
    }

    /// What ends a body of which nothing is known but its content-type.
    pub fn fail_body(&mut self, failure: &Failure, content_type: &[u8], workspace: &mut Workspace) -> Vec<u8> {
        match StreamFormat::of_stream(content_type) {
            Some(format) => {
                self.state = State::Finished;
                self.record.add(failure);
                let mut body = Vec::new();
                let error = failure.element(&self.plugin, &mut workspace.to_json);
                StreamWriter::new(format).end_with_error(&error, &mut body);
                body
            }
            None => self.fail(failure, workspace).body.clone(),
        }
    }

    /// The headers of the response in place came. `host_reply` says that the host made the answer up.
    pub fn response_headers<'w>(
        &mut self,
        headers: Headers,
        end_of_stream: bool,
        host_reply: Option<HostReply>,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let State::Forwarded(answer) = &mut self.state else {
            return ResponseStep::PassThrough;
        };
        match answer.headers(headers, end_of_stream, host_reply, workspace) {
            Ok(Some(_)) if workspace.body.is_empty() => {
                answer.edit_headers_early(&workspace.content_type, &mut workspace.edits);
                self.state = State::Finished;
                self.record.add(Outcome::OK);
                ResponseStep::RewriteHeaders(&workspace.edits)
            }
            Ok(Some(status)) => {
                workspace.reply_with_body(status, answer.metadata());
                self.state = State::Finished;
                self.record.add(Outcome::OK);
                ResponseStep::Reply(&workspace.reply)
            }
            Ok(None) if abilities.holds_response => ResponseStep::Await,
            Ok(None) => {
                self.started = true;
                answer.let_headers_go();
                answer.edit_headers_early(answer.expected_content_type(&self.plugin), &mut workspace.edits);
                ResponseStep::RewriteHeaders(&workspace.edits)
            }
            Err(failure) => self.fail_response(&failure, workspace),
        }
    }

    /// How long the upstream may take, where it may be the first to notice that this has passed.
    pub fn watched_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Forwarded(answer) => answer.stream_timeout(),
            State::Called(answer) => answer.call_timeout(),
            _ => None,
        }
    }

    /// [`Exchange::watched_timeout`] has passed: from now on, an upstream that says "cancelled", or breaks off before its
    /// headers, does so for that.
    pub fn time_is_up(&mut self) {
        if let State::Forwarded(answer) | State::Called(answer) = &mut self.state {
            answer.time_is_up();
        }
    }

    /// Whether the response's body goes on as it comes.
    pub fn response_flows(&self) -> bool {
        match &self.state {
            State::Forwarded(answer) => answer.flows(),
            State::Rejected(..) | State::Failed { .. } => true,
            _ => false,
        }
    }

    /// The trailers of a response body that goes on as it comes, in front of its last bytes.
    pub fn response_trailers(&mut self, trailers: Headers) {
        if let State::Forwarded(answer) = &mut self.state {
            answer.set_trailing_metadata(trailers);
        }
    }

    /// The next bytes of a response body that goes on as it comes, behind those that a step has held. `end`: they are the
    /// last, and no trailers follow.
    pub fn response_chunk<'w>(&mut self, chunk: &[u8], end: bool, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        workspace.body.clear();
        let (held, chunk) = chunk.split_at_checked(self.held.unwrap_or(0)).unwrap_or((chunk, &[]));
        let hold = self.held.is_some() && !end;
        let last = !end && self.plugin.settings.upstream.grpc_web && is_trailers_frame(chunk);
        let answer = match &mut self.state {
            State::Forwarded(answer) => answer,
            State::Rejected(..) if last => return ResponseStep::Drop,
            State::Rejected(..) => return self.reject(workspace),
            State::Failed { cut, dropped } => {
                *dropped += chunk.len();
                let limit = self.plugin.settings.limits.max_response_bytes;
                if (*cut || *dropped > limit) && !last {
                    self.state = State::Finished;
                    return ResponseStep::Reset;
                }
                workspace.body.extend_from_slice(held);
                return ResponseStep::Chunk {
                    edits: None,
                    body: &workspace.body,
                    hold,
                };
            }
            _ => return ResponseStep::PassThrough,
        };
        if answer.flowing().is_none_or(|stream| stream.has_ended()) {
            workspace.body.extend_from_slice(held);
            return ResponseStep::Chunk {
                edits: None,
                body: &workspace.body,
                hold,
            };
        }
        let mut failed = None;
        workspace.body.extend_from_slice(held);
        match answer.chunk(&self.plugin, chunk, end, workspace) {
            Progress::Open => {
                // The headers don't wait for the first message once it is coming: a host that holds a body bounds it,
                // and what becomes of a message knows no bound.
                if !self.started && workspace.body.is_empty() && !answer.has_begun(&self.plugin) {
                    return ResponseStep::Drop;
                }
            }
            Progress::Ended => {
                self.record.add(Outcome::OK);
                if let Some(stream) = answer.flowing() {
                    stream.end(&mut workspace.body);
                }
            }
            Progress::Failed(failure) => {
                self.record.add(&failure);
                let Some(stream) = answer.flowing() else {
                    return ResponseStep::Reset;
                };
                if !self.started && stream.is_empty() {
                    return match last {
                        true => self.reject_later(failure),
                        false => self.fail_response(&failure, workspace),
                    };
                }
                let error = failure.element(&self.plugin, &mut workspace.to_json);
                let cut = !stream.end_with_error(&error, &mut workspace.body);
                failed = Some(State::Failed { cut, dropped: 0 });
            }
        }
        let first = !std::mem::replace(&mut self.started, true);
        if first {
            let content_type = answer.expected_content_type(&self.plugin);
            answer.edit_headers_early(content_type, &mut workspace.edits);
        }
        if let Some(failed) = failed {
            if matches!(failed, State::Failed { cut: true, .. }) && !last && (end || workspace.body.is_empty()) {
                self.state = State::Finished;
                return ResponseStep::Reset;
            }
            self.state = failed;
        }
        let hold = (first || hold) && last;
        self.held = hold.then_some(workspace.body.len());
        ResponseStep::Chunk {
            edits: first.then_some(&workspace.edits),
            body: &workspace.body,
            hold,
        }
    }

    /// The trailers behind a response body that went on as it came.
    pub fn response_chunks_ended<'w>(&mut self, trailers: Headers, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let mut answer = match std::mem::replace(&mut self.state, State::Finished) {
            State::Forwarded(answer) => answer,
            State::Rejected(answer, failure) => {
                self.state = State::Rejected(answer, failure);
                return self.reject(workspace);
            }
            State::Failed { cut: true, .. } => return ResponseStep::Reset,
            _ => return ResponseStep::PassThrough,
        };
        let Some(stream) = answer.flowing() else {
            return ResponseStep::PassThrough;
        };
        if stream.has_ended() {
            return ResponseStep::PassThrough;
        }
        let needs_end = stream.needs_end();
        answer.set_trailing_metadata(trailers);
        let progress = answer.chunks_ended();
        self.record.add(match &progress {
            Progress::Open | Progress::Ended if self.started && needs_end => Outcome {
                code: Code::Internal,
                reason: Some(Reason::Internal),
            },
            Progress::Open | Progress::Ended => Outcome::OK,
            Progress::Failed(failure) => failure.into(),
        });
        match progress {
            Progress::Open | Progress::Ended if self.started && needs_end => ResponseStep::Reset,
            Progress::Open | Progress::Ended if self.started => ResponseStep::PassThrough,
            Progress::Open | Progress::Ended => {
                // No message came: the answer is an empty stream.
                workspace.body.clear();
                if let Some(stream) = answer.flowing() {
                    stream.end(&mut workspace.body);
                }
                let content_type = answer.expected_content_type(&self.plugin);
                if workspace.body.is_empty() {
                    answer.edit_headers_early(content_type, &mut workspace.edits);
                    return ResponseStep::RewriteHeaders(&workspace.edits);
                }
                workspace.set_content_type(content_type);
                workspace.reply_with_body(answer.success_status(), answer.metadata());
                ResponseStep::Reply(&workspace.reply)
            }
            // Nothing can be written any more: a stream that broke off must not look complete.
            Progress::Failed(_) if self.started => ResponseStep::Reset,
            Progress::Failed(failure) => {
                workspace.reply_with(&self.plugin, &failure, answer.metadata());
                ResponseStep::Reply(&workspace.reply)
            }
        }
    }

    fn fail_response<'w>(&mut self, failure: &Failure, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let state = std::mem::replace(&mut self.state, State::Finished);
        self.record.add(failure);
        if let State::Forwarded(answer) | State::Called(answer) = &state {
            if answer.promises_no_content() {
                return ResponseStep::Reset;
            }
            workspace.reply_with(&self.plugin, failure, answer.metadata());
        }
        ResponseStep::Reply(&workspace.reply)
    }

    /// The response in place has failed at a moment when it must not be ended: the client is told at the next event.
    fn reject_later<'w>(&mut self, failure: Failure) -> ResponseStep<'w> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Forwarded(answer) => self.state = State::Rejected(answer, failure),
            state => self.state = state,
        }
        ResponseStep::Drop
    }

    fn reject<'w>(&mut self, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        if let State::Rejected(answer, failure) = std::mem::replace(&mut self.state, State::Finished) {
            self.record.add(&failure);
            workspace.reply_with(&self.plugin, &failure, answer.metadata());
        }
        ResponseStep::Reply(&workspace.reply)
    }

    /// Makes the response in place, which is complete, an error.
    fn fail_rewritten<'w>(&mut self, failure: &Failure, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        self.record.add(failure);
        if let State::Forwarded(answer) = std::mem::replace(&mut self.state, State::Finished) {
            if answer.promises_no_content() {
                return ResponseStep::Reset;
            }
            workspace.body.clear();
            failure.write_body(&self.plugin, &mut workspace.to_json, &mut workspace.body);
            answer.edit_headers(failure.http_status, JSON, workspace.body.len(), &mut workspace.edits);
            workspace.edits.set(NO_SNIFFING.0, NO_SNIFFING.1);
        }
        ResponseStep::Rewrite {
            edits: &workspace.edits,
            body: &workspace.body,
        }
    }

    /// More of the response body came, and it is `size` bytes now. Answers an error as soon as that is too much.
    pub fn response_body_grew<'w>(&mut self, size: usize, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let limit = self.plugin.settings.limits.max_response_bytes;
        match &self.state {
            // This may be gRPC-Web's last frame, and how much of the buffer that is does not show.
            State::Forwarded(_) if size > limit && self.plugin.settings.upstream.grpc_web => {
                self.reject_later(answer::too_large(size, limit))
            }
            State::Forwarded(_) if size > limit => self.fail_response(&answer::too_large(size, limit), workspace),
            State::Forwarded(_) => ResponseStep::Await,
            _ => ResponseStep::PassThrough,
        }
    }

    /// Whether nothing has told how the exchange ends: an answer that is none of its own would.
    pub fn lacks_outcome(&self) -> bool {
        !matches!(self.state, State::Untouched) && self.record.outcome().is_none()
    }

    /// The client is being answered by something other than this exchange, with this HTTP status where that is news.
    pub fn answered_elsewhere(&mut self, http_status: Option<u16>) {
        if !matches!(self.state, State::Untouched) {
            self.state = State::Finished;
        }
        if let Some(http_status) = http_status {
            self.record.add(Outcome {
                code: Code::from_http_status(http_status),
                reason: None,
            });
        }
    }

    /// The method that the request called, once that is known.
    pub fn method(&self) -> Option<&Rc<Method>> {
        self.route.as_ref().map(|route| &route.method)
    }

    /// How the exchange ended, or would end if nothing more came: a client that left has cancelled it. `None`: it is
    /// none of ours.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::New | State::Untouched => None,
            _ => Some(self.record.outcome().unwrap_or(Outcome::CANCELLED)),
        }
    }

    /// Whether the response in place is awaited.
    pub fn awaits_response(&self) -> bool {
        matches!(
            self.state,
            State::Forwarded(_) | State::Rejected(..) | State::Failed { .. }
        )
    }

    /// The response in place is complete: `body` is all of its body, `trailers` came behind it.
    pub fn response_complete<'w>(
        &mut self,
        body: &[u8],
        trailers: Option<Headers>,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let State::Forwarded(answer) = &mut self.state else {
            return ResponseStep::PassThrough;
        };
        if let Some(trailers) = trailers {
            answer.set_trailing_metadata(trailers);
        }
        let completed = answer.complete(&self.plugin, body, workspace);
        if completed.is_ok() {
            self.record.add(answer.outcome());
        }
        match completed {
            Ok(status) if !body.is_empty() => {
                let (content_type, length) = (&workspace.content_type, workspace.body.len());
                answer.edit_headers(status, content_type, length, &mut workspace.edits);
                self.state = State::Finished;
                ResponseStep::Rewrite {
                    edits: &workspace.edits,
                    body: &workspace.body,
                }
            }
            Ok(status) => {
                workspace.reply_with_body(status, answer.metadata());
                self.state = State::Finished;
                ResponseStep::Reply(&workspace.reply)
            }
            Err(failure) if !body.is_empty() => self.fail_rewritten(&failure, workspace),
            Err(failure) => self.fail_response(&failure, workspace),
        }
    }

    /// The call's initial metadata came.
    pub fn call_initial_metadata(&mut self, metadata: Headers) {
        if let State::Called(answer) = &mut self.state {
            answer.set_initial_metadata(metadata);
        }
    }

    /// A message of the call came.
    pub fn call_message<'w>(&mut self, message: Vec<u8>, workspace: &'w mut Workspace) -> CallStep<'w> {
        let State::Called(answer) = &mut self.state else {
            return CallStep::Await;
        };
        match answer.add_message(&self.plugin, message, workspace) {
            Ok(()) => CallStep::Await,
            Err(failure) => {
                self.record.add(&failure);
                workspace.reply_with(&self.plugin, &failure, answer.metadata());
                self.state = State::Finished;
                CallStep::CancelAndReply(&workspace.reply)
            }
        }
    }

    /// The call's trailing metadata came.
    pub fn call_trailing_metadata(&mut self, metadata: Headers) {
        if let State::Called(answer) = &mut self.state {
            answer.set_trailing_metadata(metadata);
        }
    }

    /// The call ended. `code` and `message` are the host's, for a call that ended without trailing metadata.
    pub fn call_closed<'w>(
        &mut self,
        code: u32,
        message: &[u8],
        host_reply: Option<HostReply>,
        workspace: &'w mut Workspace,
    ) -> CallStep<'w> {
        let State::Called(mut answer) = std::mem::replace(&mut self.state, State::Finished) else {
            return CallStep::Await;
        };
        match answer.closed(&self.plugin, code, message, host_reply, workspace) {
            Ok(status) => {
                self.record.add(answer.outcome());
                workspace.reply_with_body(status, answer.metadata());
            }
            Err(failure) => {
                self.record.add(&failure);
                workspace.reply_with(&self.plugin, &failure, answer.metadata());
            }
        }
        CallStep::Reply(&workspace.reply)
    }
}

/// Whether `chunk` is gRPC-Web's last frame, which comes by itself.
///
/// Envoy's gRPC-Web filter hands it on in the midst of its own work on the trailers, and goes on with that. Were the
/// response ended under it, by another in its place, by a reset, or because its headers, body and trailers all go on at
/// once, Envoy would crash. What is due waits for the trailers, which come next.
pub fn is_trailers_frame(chunk: &[u8]) -> bool {
    matches!(
        chunk.split_first_chunk::<PREFIX_LENGTH>(),
        Some(([0x80, length @ ..], block)) if usize::try_from(u32::from_be_bytes(*length)) == Ok(block.len())
    )
}

#[cfg(test)]
mod tests;
