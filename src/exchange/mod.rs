//! One HTTP exchange (a request and its response) as a state machine without I/O: events in, steps out.
//!
//! An [`Exchange`] gets the request's headers, body and trailers. Then, depending on the way that the request went, it
//! gets the response in place, or the gRPC call's metadata, message and end. It returns a step for the host to each
//! event. Whatever the order of events, a client gets exactly one answer: once that is out, further events are ignored.
//!
//! The way of a request, by files:
//!
//! - [`steps`]: what the host can do, and what an exchange has it do.
//! - `request`: the headers find the method (`matched`), the time (`deadline`) and the way to the upstream.
//! - `body`: path, query and body become one message. `upload`: the same for messages that go on as they come.
//! - `in_place`: the response in place. `bridged`: the same from Envoy's Connect bridge. `by_call`: the answer of a
//!   call. `answer`: what all of them know.
//! - `hooked`: hooks that are asked before the request or the answer goes on. `asking`: what waits for their answers.
//! - `native`: a gRPC client's call whose messages are changed. `lane`: one direction of it. `changes`: how they
//!   change.
//! - `message`, `unary`, `server_stream`: one message, or many, as the client gets them. `inflate`: compressed ones.
//! - [`failure`]: what can go wrong. `reply`: a whole answer of the module's own. [`outcome`]: how it all ended.
//! - `workspace`: buffers that one exchange after the other uses. `share`: how much else an exchange holds, and may
//!   hold.

mod answer;
mod asking;
mod body;
mod bridged;
mod by_call;
mod changes;
mod deadline;
pub mod failure;
mod hooked;
mod in_place;
mod inflate;
mod lane;
mod matched;
mod message;
mod native;
pub mod outcome;
mod reply;
mod request;
mod server_stream;
mod share;
pub mod steps;
mod unary;
mod upload;
mod workspace;

use std::rc::Rc;
use std::time::Duration;

use crate::config::{NativeGrpc, Plugin};
use crate::grpc::Code;
use crate::grpc::frame::PREFIX_LENGTH;
use crate::http::headers::Headers;
use crate::http::media_type::GrpcProtocol;
use crate::http::stream_format::{StreamFormat, StreamWriter};
use crate::openapi::ALLOW;
use crate::routing::Method;
use crate::text::shown::{NAME, shown};
use asking::{Answering, Asking};
pub use asking::{HookNews, in_place_of};
use body::too_large;
use by_call::ByCall;
pub use failure::Failure;
use failure::Reason;
pub use in_place::is_trailers_frame;
use in_place::{InPlace, Reached};
use matched::Matched;
use native::{ACCEPT_ENCODING, ENCODINGS, Native};
use outcome::{Ending, Outcome};
pub use reply::{NO_SNIFFING, Reply};
use request::{Head, Pending, Way, cannot_hold, cannot_hold_for_hooks, cannot_stream};
use share::Share;
pub use steps::{Abilities, Call, CallStep, Forward, HookStep, HostReply, RequestStep, ResponseStep};
use upload::Upload;
pub use workspace::Workspace;

/// The memory of an exchange without any body or headers, with its context in `filter`: an estimate, in bytes.
const ITSELF: usize = 2048;

/// One HTTP exchange.
#[derive(Debug)]
pub struct Exchange {
    plugin: Rc<Plugin>,
    state: State,
    /// The method that the request called, once that is known.
    method: Option<Rc<Method>>,
    ending: Ending,
    /// A request whose body goes on as it comes, beside the response.
    upload: Option<Upload>,
    share: Share,
    /// The client's method is HEAD.
    head: bool,
    /// The hooks that are to see the answer.
    asks_later: Option<Box<Answering>>,
}

/// Where an exchange is.
#[derive(Debug)]
enum State {
    /// Nothing has come yet.
    New,
    /// The request passes: nothing of it is touched.
    Untouched,
    /// Hooks are asked about the request.
    Asking(Box<Asking>),
    /// The request's body is awaited.
    Receiving(Pending),
    /// The request is refused, and this many bytes of its body have come. The answer waits for the rest of the body: in
    /// the middle of it, it would cost an HTTP/1.1 client its connection, with the requests that wait on it.
    Refused(Failure, usize),
    /// A gRPC client's call: messages of the request or the answer are changed as they pass.
    Native(Native),
    /// The upstream has the request, in place.
    InPlace(InPlace),
    /// The upstream has the request, by a gRPC call.
    ByCall(ByCall),
    /// Hooks are asked about the answer.
    Answering(Box<Answering>),
    /// The client has its answer.
    Finished,
}

impl Exchange {
    /// An exchange of which nothing is known yet.
    pub fn new(plugin: Rc<Plugin>) -> Self {
        Self {
            plugin,
            state: State::New,
            method: None,
            ending: Ending::default(),
            upload: None,
            share: Share::default(),
            head: false,
            asks_later: None,
        }
    }
}

/// The request.
impl Exchange {
    /// The request headers came. With `end_of_stream`, they are the whole request.
    pub fn request_headers<'w>(
        &'w mut self,
        headers: Headers,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        let head = Head::new(headers);
        if self.plugin.hooks.is_some()
            && let Some(hooks) = self.hooks_for(&head, end_of_stream, abilities, workspace)
        {
            return self.begin_hooked(hooks, head, end_of_stream, abilities, workspace);
        }
        if let Some(protocol) = head.grpc_protocol() {
            return self.native_headers(&head, protocol, end_of_stream, abilities, workspace);
        }
        self.head = head.method() == b"HEAD";
        if abilities.passes_unread && head.leaves_http() {
            // What follows may never end, and the answer doesn't wait for it.
            return match self.bars(&head) {
                Some(failure) => self.fail_request(&failure, workspace),
                None => self.pass_through(),
            };
        }
        let waits = head.expects_continue() && !end_of_stream && !abilities.continues;
        let found = match describe(&self.plugin, head.method(), head.path(), head.headers(), workspace) {
            None => Matched::find(&self.plugin, head.method(), head.path(), &mut workspace.captures),
            Some(Ok(())) => return self.described(workspace),
            Some(Err(failure)) => Err(failure),
        };
        let pending = match found {
            Ok(None) => match self.bars(&head) {
                Some(failure) => Err(failure),
                None => return self.pass_through(),
            },
            Ok(Some(matched)) => {
                self.method = Some(Rc::clone(matched.method()));
                Pending::new(matched, head, end_of_stream, abilities, workspace)
            }
            // The gateway's own CORS filter may come after this one. A preflight with a body isn't let through: some
            // services look at neither method nor content type, and would take it for a call.
            Err(failure)
                if failure.is_unmatched()
                    && abilities.passes_unread
                    && head.is_preflight()
                    && self.bars(&head).is_none()
                    && (end_of_stream || !abilities.streams_requests) =>
            {
                return self.pass_through();
            }
            Err(failure) => Err(failure),
        };
        match pending {
            // The host leaves the 100 (Continue) to the upstream, and a gRPC server sends none.
            Ok(_) if waits => self.fail_request(&Failure::expectation(), workspace),
            Ok(pending) => self.begin(pending, end_of_stream, abilities, workspace),
            Err(failure) if !end_of_stream && !waits && failure.http_status != 413 => {
                self.state = State::Refused(failure, 0);
                RequestStep::Await
            }
            Err(failure) => self.fail_request(&failure, workspace),
        }
    }

    /// The request headers of a gRPC client came.
    fn native_headers<'w>(
        &mut self,
        head: &Head,
        protocol: GrpcProtocol,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        if !self.admits_native(head) {
            return self.refuse_native(&Failure::no_native_method(), protocol, workspace);
        }
        if self.plugin.transforms.is_empty() {
            return self.pass_through();
        }
        let Some(method) = self.plugin.router.called(head.whole_path()).map(Rc::clone) else {
            return match self.guarded(head) {
                Some(failure) => self.refuse_native(&failure, protocol, workspace),
                None => self.pass_through(),
            };
        };
        let begun = Native::begin(&self.plugin, &method, head, protocol, end_of_stream, abilities);
        let admitted = begun.and_then(|native| {
            let footprint = ITSELF + native.as_ref().map_or(0, Native::footprint);
            self.share.admit(footprint, &self.plugin.settings.limits)?;
            Ok(native)
        });
        match admitted {
            Ok(None) => self.pass_through(),
            Ok(Some(native)) => {
                self.method = Some(method);
                let step = native.go_on(head, workspace);
                self.state = State::Native(native);
                self.account();
                step
            }
            Err(failure) => {
                self.method = Some(method);
                self.refuse_native(&failure, protocol, workspace)
            }
        }
    }

    /// Answers with the OpenAPI document or its page, which is the workspace's reply.
    fn described<'w>(&mut self, workspace: &'w Workspace) -> RequestStep<'w> {
        self.state = State::Finished;
        self.ending.add(Outcome::OK);
        self.account();
        RequestStep::Reply(&workspace.reply)
    }

    fn pass_through<'w>(&mut self) -> RequestStep<'w> {
        self.state = State::Untouched;
        self.account();
        RequestStep::PassThrough
    }

    /// Whether `native_grpc` lets a gRPC client's request through. With `served`, its path has to be the method's byte for
    /// byte, not only what a lenient server would take for it.
    fn admits_native(&self, head: &Head) -> bool {
        self.admits_call(head.whole_path())
    }

    fn admits_call(&self, path: &[u8]) -> bool {
        match self.plugin.settings.native_grpc {
            NativeGrpc::PassThrough => true,
            NativeGrpc::Served => self.plugin.router.serves(path),
            NativeGrpc::Reject => false,
        }
    }

    /// Whether the Connect bridge after this filter would make a call of the untouched request that `native_grpc`
    /// forbids.
    fn becomes_barred_call(&self, head: &Head) -> bool {
        self.plugin.settings.upstream.connect_bridge && head.bridged_path().is_some_and(|path| !self.admits_call(path))
    }

    /// Refuses a gRPC client's call in gRPC's form, without waiting for the request to end: a stream might never end.
    fn refuse_native<'w>(
        &mut self,
        failure: &Failure,
        protocol: GrpcProtocol,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        RequestStep::Reply(self.end_native(failure, protocol, workspace))
    }

    fn end_native<'w>(&mut self, failure: &Failure, protocol: GrpcProtocol, workspace: &'w mut Workspace) -> &'w Reply {
        self.state = State::Finished;
        self.ending.add(failure);
        self.account();
        workspace.reply.set_native_error(failure, protocol);
        if failure.reason == Some(Reason::Guarded) {
            workspace.reply.headers.push(ACCEPT_ENCODING, ENCODINGS);
        }
        &workspace.reply
    }

    /// Why a request that isn't for any method may not go on untouched: a later filter or the service might take it for
    /// a call.
    fn bars(&self, head: &Head) -> Option<Failure> {
        match self.becomes_barred_call(head) {
            true => Some(Failure::unmatched(head.method(), head.path())),
            false => self.guarded(head),
        }
    }

    /// Why a request may not go on untouched: a server might take its path for that of a method with transforms.
    fn guarded(&self, head: &Head) -> Option<Failure> {
        let Plugin { transforms, router, .. } = &*self.plugin;
        if transforms.is_empty() {
            return None;
        }
        let method = router.called_alike(head.whole_path(), |method| transforms.of(method).is_some())?;
        Some(Failure::guarded(&method.path))
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
        let footprint = ITSELF + pending.footprint();
        if let Err(failure) = self.share.admit(footprint, &self.plugin.settings.limits) {
            return self.fail_request(&failure, workspace);
        }
        self.share.set(footprint);
        if pending.matched().streams_request() && (!end_of_stream || !abilities.streams_requests) {
            return match pending.way() {
                Way::InPlace if abilities.streams_requests => self.upload(pending, abilities, workspace),
                Way::InPlace | Way::Bridged | Way::BridgedBody | Way::ByCall => {
                    self.fail_request(&cannot_stream(), workspace)
                }
                Way::Barred(why) => self.fail_request(&Failure::unimplemented(why), workspace),
            };
        }
        if end_of_stream {
            return self.send(pending, None, abilities, workspace);
        }
        self.state = State::Receiving(pending);
        RequestStep::Await
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
            State::Asking(asking) if asking.gathers() => {
                return self.fail_request(&cannot_hold_for_hooks(), workspace);
            }
            // What is answered, or called in its place, goes nowhere itself.
            state @ (State::Asking(_) | State::ByCall(_) | State::Finished) => {
                self.state = state;
                return RequestStep::Await;
            }
            state => {
                self.state = state;
                return RequestStep::PassThrough;
            }
        };
        match pending.way() {
            Way::InPlace | Way::Bridged | Way::BridgedBody => self.upload(pending, abilities, workspace),
            Way::ByCall => self.fail_request(&cannot_hold(), workspace),
            Way::Barred(why) => self.fail_request(&Failure::unimplemented(why), workspace),
        }
    }

    /// Lets the headers go on; the body follows as it comes, or when it is whole.
    fn upload<'w>(&mut self, pending: Pending, abilities: Abilities, workspace: &'w mut Workspace) -> RequestStep<'w> {
        pending.edit_headers(abilities, &mut workspace.edits);
        let in_place = pending.await_in_place(abilities);
        let timeout = in_place.gateway_timeout();
        match pending.into_upload(workspace) {
            Ok(upload) => self.upload = Some(upload),
            Err(failure) => return self.fail_request(&failure, workspace),
        }
        self.state = State::InPlace(in_place);
        RequestStep::ForwardHeaders {
            edits: &workspace.edits,
            timeout,
        }
    }

    /// Whether the request's body goes on as it comes, made of JSON.
    pub fn uploads(&self) -> bool {
        self.upload.is_some()
    }

    /// Whether the request's body goes on as it comes, changed.
    pub fn streams_request(&self) -> bool {
        self.uploads() || matches!(&self.state, State::Native(native) if native.streams_request())
    }

    /// The next bytes of the request body. `end`: they are the last.
    pub fn request_chunk<'w>(
        &'w mut self,
        chunk: &[u8],
        end: bool,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        if self.upload.is_some() {
            return self.upload_chunk(chunk, end, workspace);
        }
        let limit = self.plugin.settings.limits.max_request_bytes;
        match &mut self.state {
            State::Refused(_, seen) if !end && seen.saturating_add(chunk.len()) <= limit => {
                *seen += chunk.len();
                RequestStep::Drop
            }
            State::Refused(..) => self.refuse(workspace),
            State::Asking(_) => self.gather(chunk, end, workspace),
            State::Native(_) => self.native_chunk(chunk, end, workspace),
            State::Receiving(pending) => match self
                .share
                .admit(chunk.len(), &self.plugin.settings.limits)
                .and_then(|()| pending.keep(chunk, end, abilities))
            {
                Ok(false) => {
                    self.account();
                    RequestStep::Drop
                }
                Ok(true) => self.complete(chunk, abilities, workspace),
                Err(failure) => self.fail_request(&failure, workspace),
            },
            _ => RequestStep::PassThrough,
        }
    }

    /// The request ended without a body that the host could replace.
    pub fn request_without_body<'w>(
        &'w mut self,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Receiving(pending) => self.send(pending, None, abilities, workspace),
            State::Refused(failure, _) => self.fail_request(&failure, workspace),
            asking @ State::Asking(_) => {
                self.state = asking;
                self.gather_nothing()
            }
            State::Native(mut native) => {
                native.without_body();
                self.state = State::Native(native);
                RequestStep::PassThrough
            }
            state => {
                self.state = state;
                RequestStep::PassThrough
            }
        }
    }

    /// The whole request has come: its body is what was kept of it, or `last` if nothing was kept.
    fn complete<'w>(&'w mut self, last: &[u8], abilities: Abilities, workspace: &'w mut Workspace) -> RequestStep<'w> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Receiving(mut pending) => {
                let kept = pending.take_kept();
                let body = if kept.is_empty() { last } else { &kept };
                self.send(pending, Some(body), abilities, workspace)
            }
            state => {
                self.state = state;
                RequestStep::PassThrough
            }
        }
    }

    fn native_chunk<'w>(&mut self, chunk: &[u8], end: bool, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let State::Native(native) = &mut self.state else {
            return RequestStep::PassThrough;
        };
        let (whole, gone_on) = (native.awaits_body(), native.streams_request());
        let (begun, protocol) = (native.has_answer(), native.protocol());
        if let Err(failure) = native.chunk(chunk, end, &self.plugin, &self.share, workspace) {
            let reply = self.end_native(&failure, protocol, workspace);
            return match (begun, gone_on) {
                (true, _) => RequestStep::Reset,
                (false, true) => RequestStep::BreakOff(reply),
                (false, false) => RequestStep::Reply(reply),
            };
        }
        self.account();
        match whole {
            false => RequestStep::Chunk(&workspace.upload),
            true => RequestStep::Forward(Forward {
                edits: &workspace.edits,
                body: &workspace.upload,
                timeout: None,
            }),
        }
    }

    fn upload_chunk<'w>(&mut self, chunk: &[u8], end: bool, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let admitted = self.share.admit(chunk.len(), &self.plugin.settings.limits);
        let Some(upload) = &mut self.upload else {
            return RequestStep::PassThrough;
        };
        let mut frames = std::mem::take(&mut workspace.upload);
        frames.clear();
        let written = admitted.and_then(|()| upload.chunk(chunk, end, workspace, &mut frames));
        workspace.upload = frames;
        let answered = match &self.state {
            State::Finished => true,
            State::InPlace(in_place) => in_place.has_answered(),
            _ => false,
        };
        match written {
            Ok(()) => {}
            // The client has its answer: what it still sends is dropped.
            Err(_) if answered => {
                self.close_upload();
                workspace.upload.clear();
            }
            Err(failure) => return self.fail_request(&failure, workspace),
        }
        self.account();
        RequestStep::Chunk(&workspace.upload)
    }

    /// Whether a request body is awaited.
    pub fn awaits_body(&self) -> bool {
        match &self.state {
            State::Receiving(_) | State::Refused(..) => true,
            State::Asking(asking) => asking.gathers(),
            State::Native(native) => native.awaits_body(),
            _ => false,
        }
    }

    /// Whether the request will go by a call once its body is there, or hooks be asked: then its headers cannot go on
    /// without it.
    pub fn awaits_call(&self) -> bool {
        match &self.state {
            State::Receiving(pending) => pending.way() == Way::ByCall,
            State::Asking(asking) => asking.gathers(),
            _ => false,
        }
    }

    /// The length of the message that path and query make, if the body is still awaited and didn't say its own length.
    pub fn begun_without_length(&self) -> Option<usize> {
        match &self.state {
            State::Receiving(pending) if pending.lacks_length() => Some(pending.begun()),
            State::Asking(asking) if asking.lacks_length() => Some(0),
            _ => None,
        }
    }

    /// Whether hooks wait only for the end of a body that has come whole, by its own length.
    pub fn has_all_for_hooks(&self) -> bool {
        matches!(&self.state, State::Asking(asking) if asking.has_all())
    }

    /// The longest part of a request body that is read at all, if the body isn't streamed: a longer one is over the
    /// limit.
    pub fn longest_part(&self) -> usize {
        match self.awaits_body() {
            true => self.plugin.settings.limits.max_request_bytes,
            false => usize::MAX,
        }
    }

    /// Ends the exchange because a part of the request's body has this many bytes: see [`Exchange::longest_part`].
    pub fn request_part_too_long<'w>(&mut self, size: usize, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let limit = self.plugin.settings.limits.max_request_bytes;
        match self.state {
            State::Refused(..) => self.refuse(workspace),
            _ => self.fail_request(&too_large(size, limit), workspace),
        }
    }

    /// Whether the answer has only headers, whatever its content-length says: it is for HEAD (RFC 9110, section 9.3.2).
    pub fn answers_head(&self) -> bool {
        self.head
    }

    /// Whether nothing of the request is touched, from here on.
    pub fn passes_request(&self) -> bool {
        match &self.state {
            State::Untouched => true,
            State::Native(native) => native.passes_request(),
            _ => false,
        }
    }

    /// Whether the client speaks gRPC, and something of the exchange is changed.
    pub fn changes_native(&self) -> bool {
        matches!(self.state, State::Native(_))
    }

    /// Whether the request is refused and its answer waits for the end of its body.
    pub fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(..))
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
        let converted = pending.convert(body.unwrap_or_default(), body.is_some(), abilities, workspace);
        self.carry(pending, converted, abilities, workspace)
    }

    /// Sends on the message that was made of a request; if that failed, answers with the failure.
    fn carry<'w>(
        &'w mut self,
        mut pending: Pending,
        converted: Result<(), Failure>,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        let failure = match (converted, pending.way()) {
            (Ok(()), Way::InPlace | Way::Bridged | Way::BridgedBody) => {
                return self.forward(&mut pending, abilities, workspace);
            }
            (Ok(()), Way::ByCall) => return self.call(&mut pending, workspace),
            (Ok(()), Way::Barred(why)) => Failure::unimplemented(why),
            (Err(failure), _) => failure,
        };
        workspace.spare_frame = pending.take_frame();
        self.fail_request(&failure, workspace)
    }

    fn forward<'w>(
        &'w mut self,
        pending: &mut Pending,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        pending.edit_headers(abilities, &mut workspace.edits);
        let mut in_place = pending.await_in_place(abilities);
        if self.asks_later() {
            in_place.answer_whole();
        }
        let timeout = in_place.gateway_timeout();
        self.state = State::InPlace(in_place);
        self.account();
        workspace.spare_frame = pending.take_frame();
        let body = match pending.way() {
            Way::Bridged => None,
            Way::BridgedBody => workspace.spare_frame.get(PREFIX_LENGTH..),
            Way::InPlace | Way::ByCall | Way::Barred(_) => Some(workspace.spare_frame.as_slice()),
        };
        RequestStep::Forward(Forward {
            edits: &workspace.edits,
            body: body.unwrap_or_default(),
            timeout,
        })
    }

    fn call<'w>(&'w mut self, pending: &mut Pending, workspace: &'w mut Workspace) -> RequestStep<'w> {
        pending.write_metadata(&mut workspace.metadata);
        let by_call = pending.await_call();
        let timeout = by_call.gateway_timeout();
        self.state = State::ByCall(by_call);
        self.account();
        workspace.spare_frame = pending.take_frame();
        let (upstream, method) = (&self.plugin.settings.upstream, self.method.as_deref());
        RequestStep::Call(Call {
            cluster: upstream.cluster.as_deref(),
            authority: upstream.authority.as_deref(),
            service: method.map_or("", |method| &method.service),
            method: method.map_or("", |method| &method.name),
            metadata: &workspace.metadata,
            message: workspace.spare_frame.get(PREFIX_LENGTH..),
            timeout,
        })
    }

    fn fail_request<'w>(&mut self, failure: &Failure, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let reached = match (&self.upload, &self.state) {
            (Some(_), State::InPlace(in_place)) => Some(in_place.reached()),
            (Some(_), _) => Some(Reached::Nothing),
            (None, _) => None,
        };
        let reply = self.fail(failure, workspace);
        match reached {
            None => RequestStep::Reply(reply),
            Some(Reached::Nothing) => RequestStep::BreakOff(reply),
            Some(Reached::Filter) => RequestStep::Supersede(reply),
            Some(Reached::Client) => RequestStep::Reset,
        }
    }
}

/// The response in place.
impl Exchange {
    /// Whether the response in place is awaited.
    pub fn awaits_response(&self) -> bool {
        match &self.state {
            State::InPlace(in_place) => in_place.is_awaited(),
            State::Native(native) => native.awaits_response(),
            _ => false,
        }
    }

    /// Whether the trailers of the response in place are wanted: a bridge has put them into its headers.
    pub fn awaits_response_trailers(&self) -> bool {
        matches!(&self.state, State::InPlace(in_place) if in_place.is_awaited() && !in_place.has_bridged())
    }

    /// Whether the host holds a response that may be over the mark of its buffer: see [`Exchange::release_response`].
    pub fn response_may_stall(&self) -> bool {
        matches!(&self.state, State::InPlace(in_place) if in_place.may_stall())
    }

    /// Whether a bridge behind this filter has the answer, or waits for it.
    pub fn awaits_bridge(&self) -> bool {
        matches!(&self.state, State::InPlace(in_place) if in_place.awaits_bridge())
    }

    /// The bridge held no more of the answer, and the client was told so past this filter.
    pub fn bridge_overflowed(&mut self) {
        self.ending.add(&bridged::overflow());
    }

    /// The headers of the response came. `host_reply` says that the host made the answer up.
    pub fn response_headers<'w>(
        &mut self,
        headers: Headers,
        end_of_stream: bool,
        host_reply: Option<HostReply>,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        if let State::Native(native) = &mut self.state {
            let step = native.response_headers(&headers, end_of_stream, &self.plugin, &mut self.ending, workspace);
            self.account();
            return step;
        }
        let abilities = Abilities {
            holds_response: abilities.holds_response || self.asks_later(),
            ..abilities
        };
        self.respond(|in_place, ending| {
            in_place.headers(headers, end_of_stream, host_reply, abilities, ending, workspace)
        })
    }

    /// The trailers of a response whose last bytes come next.
    pub fn response_trailers(&mut self, trailers: Headers) {
        if let State::InPlace(in_place) = &mut self.state {
            in_place.trailers(trailers);
        }
    }

    /// The next bytes of the response body. `end`: they are the last, and no trailers follow.
    pub fn response_chunk<'w>(&mut self, chunk: &[u8], end: bool, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        if let State::Native(native) = &mut self.state {
            let (plugin, share, ending) = (&self.plugin, &self.share, &mut self.ending);
            let step = native.response_chunk(chunk, end, plugin, share, ending, workspace);
            self.account();
            return step;
        }
        let admitted = match self.awaits_response() {
            true => self.share.admit(chunk.len(), &self.plugin.settings.limits),
            false => Ok(()),
        };
        self.respond(|in_place, ending| match admitted {
            Err(failure) if !is_trailers_frame(chunk) => in_place.refuse(failure, end, ending, workspace),
            _ => in_place.chunk(chunk, end, ending, workspace),
        })
    }

    /// An answer to a gRPC client has begun that is left alone.
    pub fn native_answer_begins(&mut self) {
        if let State::Native(native) = &mut self.state {
            native.answer_begins();
        }
    }

    /// The trailers came of an answer to a gRPC client that is changed.
    pub fn native_trailers<'w>(&mut self, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        match &mut self.state {
            State::Native(native) => native.trailers(&mut self.ending, workspace),
            _ => ResponseStep::PassThrough,
        }
    }

    /// The trailers after all of the response body.
    pub fn response_chunks_ended<'w>(&mut self, trailers: Headers, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        self.respond(|in_place, ending| in_place.chunks_ended(trailers, ending, workspace))
    }

    /// The response is held no longer, whatever its status will be: a host may have stopped reading what it holds too
    /// much of, and its trailers would not come. Gives [`ResponseStep::RewriteHeaders`], or nothing to do.
    pub fn release_response<'w>(&mut self, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        self.respond(|in_place, _| in_place.release(workspace))
    }

    fn respond<'w>(&mut self, event: impl FnOnce(&mut InPlace, &mut Ending) -> ResponseStep<'w>) -> ResponseStep<'w> {
        match &mut self.state {
            State::InPlace(in_place) => {
                let step = event(in_place, &mut self.ending);
                in_place.forget_what_is_over();
                self.account();
                self.ask_about(step)
            }
            _ => ResponseStep::PassThrough,
        }
    }
}

/// The gRPC call.
impl Exchange {
    /// The call's initial metadata came.
    pub fn call_initial_metadata(&mut self, metadata: Headers) {
        if let State::ByCall(by_call) = &mut self.state {
            by_call.initial_metadata(metadata);
        }
    }

    /// A message of the call came.
    pub fn call_message<'w>(&mut self, message: Vec<u8>, workspace: &'w mut Workspace) -> CallStep<'w> {
        match &mut self.state {
            State::ByCall(by_call) => {
                let admitted = self.share.admit(message.len(), &self.plugin.settings.limits);
                let step = by_call.message(message, admitted, &mut self.ending, workspace);
                self.account();
                step
            }
            _ => CallStep::Await,
        }
    }

    /// The call's trailing metadata came.
    pub fn call_trailing_metadata(&mut self, metadata: Headers) {
        if let State::ByCall(by_call) = &mut self.state {
            by_call.trailing_metadata(metadata);
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
        match &mut self.state {
            State::ByCall(by_call) => {
                let step = by_call.closed(code, message, host_reply, &mut self.ending, workspace);
                self.account();
                self.ask_about_call(step)
            }
            _ => CallStep::Await,
        }
    }
}

/// Either way.
impl Exchange {
    /// How long the upstream may take, where it may be the first to notice that this has passed.
    pub fn watched_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::InPlace(in_place) => in_place.watched_timeout(),
            State::ByCall(by_call) => by_call.watched_timeout(),
            _ => None,
        }
    }

    /// [`Exchange::watched_timeout`] has passed: from now on, an upstream that says "cancelled", or breaks off before
    /// its headers, does so for that.
    pub fn time_is_up(&mut self) {
        match &mut self.state {
            State::InPlace(in_place) => in_place.time_is_up(),
            State::ByCall(by_call) => by_call.time_is_up(),
            _ => {}
        }
    }

    /// Ends the exchange with an error that arose in the host: a call that could not be made, a missing cluster.
    pub fn fail<'w>(&mut self, failure: &Failure, workspace: &'w mut Workspace) -> &'w Reply {
        let native = match &self.state {
            State::Native(native) => Some(native.protocol()),
            State::Asking(asking) => asking.protocol(),
            _ => None,
        };
        self.state = State::Finished;
        self.asks_later = None;
        self.ending.add(failure);
        self.close_upload();
        self.account();
        match native {
            Some(protocol) => workspace.reply.set_native_error(failure, protocol),
            None => workspace.set_error_reply(&self.plugin, failure, std::iter::empty()),
        }
        &workspace.reply
    }

    /// Lets nothing more of a request through whose body goes on as it comes.
    fn close_upload(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.close();
        }
    }

    /// Looks at what is held now.
    fn account(&mut self) {
        self.share.set(self.footprint());
    }

    /// How many bytes of memory it takes.
    fn footprint(&self) -> usize {
        let state = match &self.state {
            State::Receiving(pending) => pending.footprint(),
            State::Native(native) => native.footprint(),
            State::InPlace(in_place) => in_place.footprint(),
            State::ByCall(by_call) => by_call.footprint(),
            State::Asking(asking) => asking.footprint(),
            State::Answering(answering) => answering.footprint(),
            State::New | State::Untouched | State::Refused(..) | State::Finished => 0,
        };
        let later = self.asks_later.as_ref().map_or(0, |later| later.footprint());
        ITSELF + state + later + self.upload.as_ref().map_or(0, Upload::footprint)
    }

    /// Closes a response whose headers went to an instance that is lost: only the content-type that went out is known.
    /// Returns what is left of its body.
    pub fn fail_body(&mut self, failure: &Failure, content_type: &[u8], workspace: &mut Workspace) -> Vec<u8> {
        match StreamFormat::of_stream(content_type) {
            Some(format) => {
                self.state = State::Finished;
                self.ending.add(failure);
                let mut body = Vec::new();
                let error = failure.element(&self.plugin, &mut workspace.to_json);
                StreamWriter::new(format).end_with_error(&error, &mut body);
                body
            }
            None => self.fail(failure, workspace).body.clone(),
        }
    }

    /// The client is being answered by something other than this exchange, with this HTTP status where that is news.
    pub fn answered_elsewhere(&mut self, http_status: Option<u16>) {
        if !matches!(self.state, State::Untouched | State::Native(_)) {
            self.state = State::Finished;
            self.asks_later = None;
            self.close_upload();
            self.account();
        }
        if let Some(http_status) = http_status {
            self.ending.add(Outcome {
                code: Code::from_http_status(http_status),
                reason: None,
            });
        }
    }

    /// The method that the request called, once that is known.
    pub fn method(&self) -> Option<&Rc<Method>> {
        self.method.as_ref()
    }

    /// Whether nothing has told how the exchange ends: an answer that is none of its own would.
    pub fn lacks_outcome(&self) -> bool {
        !matches!(self.state, State::Untouched | State::Native(_)) && self.ending.outcome().is_none()
    }

    /// How the exchange ended, or would end if nothing more came: a client that left has cancelled it. `None` if the
    /// request is passed through, changed or not, and has not failed here.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::New | State::Untouched => None,
            // It counts where it was ended here.
            State::Native(_) => self.ending.outcome(),
            _ => Some(self.ending.outcome().unwrap_or(Outcome::CANCELLED)),
        }
    }
}

/// Makes what is at this path the workspace's reply, where it describes the services; else 405. `None`: it doesn't.
fn describe(
    plugin: &Plugin,
    method: &[u8],
    path: &[u8],
    headers: &Headers,
    workspace: &mut Workspace,
) -> Option<Result<(), Failure>> {
    let resource = plugin.openapi.as_ref()?.at(path)?;
    Some(match method {
        b"GET" | b"HEAD" => {
            workspace.reply.set_resource(resource, headers);
            Ok(())
        }
        _ => Err(Failure::wrong_method(
            &shown(method, NAME),
            &shown(path, NAME),
            ALLOW.to_owned(),
        )),
    })
}

#[cfg(test)]
mod tests;
