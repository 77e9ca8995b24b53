//! An exchange with hooks: it waits while plugin servers are asked about its request or its response.
//!
//! ```text
//!   headers -> Gathers -> Asks (admission) -> the method is found -> Asks (sending) -> as without hooks
//!                                                                                            |
//!                          the client  <-  Answers (response hooks)  <-  the whole answer  <-+
//! ```
//!
//! A request that is converted is held here whole. Of a gRPC client's call, and of a request that goes on unread (an
//! upgrade, a preflight, or one that no method is for), hooks see only the headers: its body waits in the host.
//!
//! The host does its part in three steps:
//!
//! 1. It is told to ask: [`RequestStep::Ask`], [`ResponseStep::Ask`], [`CallStep::Ask`].
//! 2. It calls [`Exchange::next_hook`], which says what to do: make a call, or let request or answer go on.
//! 3. When a call has ended, it tells [`Exchange::hook_answered`], and goes on with the second step.

use std::rc::Rc;

use super::asking::{Answering, Asking, Body, Form, HookNews, Turn};
use super::body::too_large;
use super::failure::Failure;
use super::in_place::stand_in;
use super::matched::Matched;
use super::request::{Head, Pending, Way, cannot_stream};
use super::steps::{Abilities, CallStep, Forward, HookStep, RequestStep, ResponseStep};
use super::workspace::Workspace;
use super::{Exchange, ITSELF, State, describe};
use crate::config::Unmatched;
use crate::grpc::Code;
use crate::hooks::native::refusal_code;
use crate::hooks::settings::Chain;
use crate::hooks::{CallFailure, Caller, Course, CurrentRequest, CurrentResponse, HookCall, HookReply, Next, Stage};
use crate::http::headers::HeaderEdits;
use crate::text::append::reserve_as_it_comes;

/// The request.
impl Exchange {
    /// The headers came of a request that meets these hooks.
    pub(super) fn begin_hooked<'w>(
        &mut self,
        (chain, form): (Chain, Form),
        head: Head,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        self.head = head.method() == b"HEAD" && !matches!(form, Form::Native(_));
        let length = head.content_length();
        let limits = &self.plugin.settings.limits;
        let footprint = ITSELF + head.headers().footprint();
        let gathers = form == Form::Whole && !end_of_stream;
        let refused = if !abilities.replaces_requests {
            Err(Failure::unimplemented(
                "hooks need all callbacks of the gateway: take the module that make build makes",
            ))
        } else if head.opens_tunnel() {
            Err(Failure::unimplemented(
                "CONNECT cannot be let through here: it has no path that a hook could be asked about",
            ))
        } else if gathers && head.expects_continue() && !abilities.continues {
            Err(Failure::expectation())
        } else if let Some(size) = length.filter(|size| gathers && *size > limits.max_request_bytes) {
            Err(too_large(size, limits.max_request_bytes))
        } else {
            self.share.admit(footprint, limits)
        };
        let caller = Caller::ask(chain.settings().attributes, abilities.property);
        let asking = Asking {
            course: Course::new(chain, caller, head.headers()),
            stage: Stage::Admission,
            form,
            body: match gathers {
                true => Body::Gathers { length },
                false => Body::Absent { ended: end_of_stream },
            },
            gathered: Vec::new(),
            request: CurrentRequest::new(head.into_headers(), Vec::new()),
            reply: None,
        };
        self.state = State::Asking(Box::new(asking));
        if let Err(failure) = refused {
            return self.fail_request(&failure, workspace);
        }
        match gathers {
            true => {
                self.account();
                RequestStep::Await
            }
            // `next_hook` accounts for it, here and wherever else it is what comes next.
            false => RequestStep::Ask,
        }
    }

    /// The hooks of a request, and what they see of it. `None`: there are none for it, or it is refused anyway.
    pub(super) fn hooks_for(
        &self,
        head: &Head,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &mut Workspace,
    ) -> Option<(Chain, Form)> {
        let hooks = self.plugin.hooks.as_ref()?;
        if head.opens_tunnel() {
            return Some((hooks.for_native(), Form::Unread));
        }
        if let Some(protocol) = head.grpc_protocol() {
            return self
                .admits_native(head)
                .then(|| (hooks.for_native(), Form::Native(protocol)));
        }
        let chain = hooks.for_path(head.path());
        if !self.goes_on_unread(head, end_of_stream, abilities, workspace) {
            return chain.map(|chain| (chain, Form::Whole));
        }
        // Outside of the path prefix, hooks are asked only where a service might take the request for a gRPC call.
        let may_call =
            || head.bridged_path().is_some() || self.plugin.router.called_alike(head.whole_path(), |_| true).is_some();
        (chain.is_some() || may_call()).then(|| (hooks.for_native(), Form::Unread))
    }

    /// Whether a request goes on without its body being read: an upgrade, a preflight, or one that no method is for.
    fn goes_on_unread(
        &self,
        head: &Head,
        end_of_stream: bool,
        abilities: Abilities,
        workspace: &mut Workspace,
    ) -> bool {
        if !abilities.passes_unread {
            return false;
        }
        if head.leaves_http() {
            return true;
        }
        let passes = self.plugin.settings.unmatched == Unmatched::PassThrough;
        if !passes && !head.is_preflight() {
            return false;
        }
        let describes = self.plugin.openapi.as_ref().and_then(|openapi| openapi.at(head.path()));
        if describes.is_some() {
            return head.is_preflight() && end_of_stream;
        }
        match Matched::find(&self.plugin, head.method(), head.path(), &mut workspace.captures) {
            Ok(None) => true,
            Err(failure) => failure.is_unmatched() && end_of_stream,
            Ok(Some(_)) => false,
        }
    }

    /// More came of the body of a request whose hooks wait for all of it. `end`: it is the last.
    pub(super) fn gather<'w>(&mut self, chunk: &[u8], end: bool, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let limits = &self.plugin.settings.limits;
        let State::Asking(asking) = &mut self.state else {
            return RequestStep::PassThrough;
        };
        let Body::Gathers { length } = asking.body else {
            return RequestStep::Drop;
        };
        let size = asking.gathered.len().saturating_add(chunk.len());
        let admitted = match size > limits.max_request_bytes {
            true => Err(too_large(size, limits.max_request_bytes)),
            false => self.share.admit(chunk.len(), limits),
        };
        if let Err(failure) = admitted {
            return self.fail_request(&failure, workspace);
        }
        let missing = length.unwrap_or(size).max(size).saturating_sub(asking.gathered.len());
        reserve_as_it_comes(&mut asking.gathered, chunk.len(), missing);
        asking.gathered.extend_from_slice(chunk);
        if end {
            asking.complete(true);
            return RequestStep::Ask;
        }
        self.account();
        RequestStep::Drop
    }

    /// The request whose hooks wait for its body has none.
    pub(super) fn gather_nothing<'w>(&mut self) -> RequestStep<'w> {
        match &mut self.state {
            State::Asking(asking) if asking.gathers() => {
                asking.complete(false);
                RequestStep::Ask
            }
            _ => RequestStep::Await,
        }
    }

    /// All hooks have been asked: the request goes on as they left it.
    fn release<'w>(&'w mut self, abilities: Abilities, workspace: &'w mut Workspace) -> HookStep<'w> {
        let State::Asking(asking) = std::mem::replace(&mut self.state, State::New) else {
            return request_step(RequestStep::Await);
        };
        let Asking {
            course,
            form,
            body,
            request,
            ..
        } = *asking;
        let mut changes = HeaderEdits::default();
        request.edits(&mut changes);
        if let Some(name) = abilities.original_path
            && request.headers().get(":path") != Some(course.request_uri())
        {
            changes.set(name, course.request_uri());
        }
        let ended = body == Body::Absent { ended: true };
        let step = match form {
            Form::Whole => self.release_whole(course, request, !ended, abilities, workspace),
            Form::Native(protocol) => {
                let head = Head::new(request.into_parts().0);
                self.native_headers(&head, protocol, ended, abilities, workspace)
            }
            Form::Unread => match self.bars(&Head::new(request.into_parts().0)) {
                Some(failure) => self.fail_request(&failure, workspace),
                None => self.pass_through(),
            },
        };
        HookStep::Request { changes, step }
    }

    fn release_whole<'w>(
        &'w mut self,
        course: Course,
        mut request: CurrentRequest,
        has_body: bool,
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        // Response hooks see them again.
        let headers = match course.awaits_response() {
            true => request.headers().clone(),
            false => request.take_headers(),
        };
        let head = Head::new(headers).sent_to(course.request_uri());
        let found = Matched::find(&self.plugin, head.method(), head.path(), &mut workspace.captures);
        let mut pending = match found {
            Ok(None) => match self.bars(&head) {
                Some(failure) => return self.fail_request(&failure, workspace),
                None => return self.pass_whole(&head, request.into_parts().1, has_body, workspace),
            },
            Ok(Some(matched)) => {
                self.method = Some(Rc::clone(matched.method()));
                let is_empty = request.body().is_empty() && !has_body;
                match Pending::new(matched, head, is_empty, abilities, workspace) {
                    Ok(pending) => pending,
                    Err(failure) => return self.fail_request(&failure, workspace),
                }
            }
            Err(failure) => return self.fail_request(&failure, workspace),
        };
        if pending.matched().streams_request() && !request.body().is_empty() {
            return match pending.way() {
                Way::InPlace if has_body => self.upload_whole(pending, request.body(), abilities, workspace),
                Way::InPlace | Way::Bridged | Way::BridgedBody | Way::ByCall => {
                    self.fail_request(&cannot_stream(), workspace)
                }
                Way::Barred(why) => self.fail_request(&Failure::unimplemented(why), workspace),
            };
        }
        let converted = pending.convert(request.body(), has_body, abilities, workspace);
        if converted.is_ok() && course.awaits_response() && !pending.matched().method().server_streaming {
            self.asks_later = Some(Box::new(Answering {
                course,
                request,
                response: None,
                reply: None,
            }));
        }
        self.carry(pending, converted, abilities, workspace)
    }

    /// A request that no method is for goes on as the hooks left it.
    fn pass_whole<'w>(
        &mut self,
        head: &Head,
        body: Vec<u8>,
        has_body: bool,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        if !has_body && !body.is_empty() {
            let failure = Failure::unimplemented(
                "a hook gave a body to a request without one, which cannot be carried in place here: bind the path to a \
                 method, or have the hook leave the body alone",
            );
            return self.fail_request(&failure, workspace);
        }
        workspace.edits.clear();
        if head.headers().get("content-length").is_some() {
            let length = itoa::Buffer::new().format(body.len()).to_owned();
            workspace.edits.set(b"content-length", length.as_bytes());
        }
        workspace.upload = body;
        self.state = State::Untouched;
        self.account();
        RequestStep::Forward(Forward {
            edits: &workspace.edits,
            body: &workspace.upload,
            timeout: None,
        })
    }

    /// A request that streams its messages goes on, with all of them at once.
    fn upload_whole<'w>(
        &'w mut self,
        pending: Pending,
        body: &[u8],
        abilities: Abilities,
        workspace: &'w mut Workspace,
    ) -> RequestStep<'w> {
        pending.edit_headers(abilities, &mut workspace.edits);
        let in_place = pending.await_in_place(abilities);
        let timeout = in_place.gateway_timeout();
        let mut frames = std::mem::take(&mut workspace.upload);
        frames.clear();
        let written = pending
            .into_upload(workspace)
            .and_then(|mut upload| upload.chunk(body, true, workspace, &mut frames));
        workspace.upload = frames;
        if let Err(failure) = written {
            return self.fail_request(&failure, workspace);
        }
        self.state = State::InPlace(in_place);
        self.account();
        RequestStep::Forward(Forward {
            edits: &workspace.edits,
            body: &workspace.upload,
            timeout,
        })
    }
}

/// Request and response.
impl Exchange {
    /// What to do next: the first time when hooks are to be asked, then each time that one has answered.
    pub fn next_hook<'w>(&'w mut self, abilities: Abilities, workspace: &'w mut Workspace) -> HookStep<'w> {
        match self.turn(abilities, workspace) {
            Turn::Call => {
                self.account();
                match self.under_way(workspace) {
                    Some(call) => HookStep::Call(call),
                    None => request_step(RequestStep::Await),
                }
            }
            Turn::Failed(failure) => request_step(self.fail_request(&failure, workspace)),
            Turn::Described => request_step(self.described(workspace)),
            Turn::Reply(reply) => self.reply_for_hook(reply, workspace),
            Turn::GoOn if matches!(self.state, State::Answering(_)) => self.release_answer(workspace),
            Turn::GoOn => self.release(abilities, workspace),
        }
    }

    fn under_way<'w>(&'w self, workspace: &'w Workspace) -> Option<HookCall<'w>> {
        match &self.state {
            State::Asking(asking) => asking.course.under_way(&workspace.hooks),
            State::Answering(answering) => answering.course.under_way(&workspace.hooks),
            _ => None,
        }
    }

    fn turn(&mut self, abilities: Abilities, workspace: &mut Workspace) -> Turn {
        loop {
            let asking = match &mut self.state {
                State::Asking(asking) => asking,
                State::Answering(answering) => return answering.turn(workspace),
                _ => return Turn::GoOn,
            };
            if let Some(reply) = asking.reply.take() {
                return Turn::Reply(reply);
            }
            let next = asking
                .course
                .next(asking.stage, &asking.request, abilities.clock, &mut workspace.hooks);
            match next {
                Next::Call(_) => return Turn::Call,
                Next::Refuse(reply) => return Turn::Reply(reply),
                Next::GoOn if asking.stage == Stage::Sending || asking.form != Form::Whole => return Turn::GoOn,
                Next::GoOn => asking.stage = Stage::Sending,
            }
            let headers = asking.request.headers();
            let path = headers.get(":path").unwrap_or_default();
            let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
            let method = headers.get(":method").unwrap_or_default();
            match describe(&self.plugin, method, path, headers, workspace) {
                None => {}
                Some(Ok(())) => return Turn::Described,
                Some(Err(failure)) => return Turn::Failed(failure),
            }
            // If no hook waits for the method, it is found when the request is released.
            if !asking.course.awaits_method() {
                return Turn::GoOn;
            }
            match Matched::find(&self.plugin, method, path, &mut workspace.captures) {
                Ok(Some(matched)) => {
                    let method = matched.method();
                    asking
                        .course
                        .calls_method(method.path.strip_prefix('/').unwrap_or(&method.path));
                    self.method = Some(Rc::clone(method));
                }
                Ok(None) => {}
                Err(failure) => return Turn::Failed(failure),
            }
        }
    }

    /// The call that was under way has ended, with this message or a failure. Returns what the hook did;
    /// [`Exchange::next_hook`] says what is next.
    pub fn hook_answered(&mut self, answer: Result<&[u8], CallFailure>) -> Option<HookNews> {
        let (hook, verdict) = match &mut self.state {
            State::Asking(asking) => {
                let hook = asking.course.hook()?;
                let hook = (hook.kind, Rc::clone(&hook.name));
                let verdict = asking.course.answered(answer, &mut asking.request);
                asking.reply = verdict.reply;
                (hook, verdict.outcome)
            }
            State::Answering(answering) => {
                let Answering {
                    course,
                    request,
                    response,
                    reply,
                } = &mut **answering;
                let hook = course.hook()?;
                let hook = (hook.kind, Rc::clone(&hook.name));
                let verdict = course.answered_of_response(answer, request, response.get_or_insert_default());
                *reply = verdict.reply;
                (hook, verdict.outcome)
            }
            _ => return None,
        };
        let (kind, name) = hook;
        Some(HookNews {
            kind,
            name,
            outcome: verdict,
        })
    }

    /// The client gets the answer of a hook.
    fn reply_for_hook<'w>(&mut self, reply: HookReply, workspace: &'w mut Workspace) -> HookStep<'w> {
        let status = reply.status;
        let protocol = match &self.state {
            State::Asking(asking) => asking.protocol(),
            _ => None,
        };
        let of_response = matches!(self.state, State::Answering(_));
        let code = match (protocol, status) {
            (None, 200..=399) => Code::Ok,
            _ => refusal_code(status),
        };
        let failure = Failure::hooked(status, code, &reply.message);
        self.state = State::Finished;
        self.ending.add(&failure);
        self.account();
        match protocol {
            Some(protocol) => workspace.reply.set_native_error(&failure, protocol),
            None => workspace.reply.set_hooks(reply),
        }
        match of_response {
            true => HookStep::Reply(&workspace.reply),
            false => request_step(RequestStep::Reply(&workspace.reply)),
        }
    }
}

/// The response.
impl Exchange {
    /// How many bytes the host is to hold as a placeholder for the answer that hooks are asked about.
    pub fn room_for_answer(&self) -> usize {
        stand_in(match &self.state {
            State::Answering(answering) => answering.length(),
            _ => 0,
        })
    }

    /// Whether response hooks are still to be asked.
    pub(super) fn asks_later(&self) -> bool {
        self.asks_later.is_some()
    }

    /// The whole answer is in the workspace's reply. Returns whether hooks are asked about it: they see answers of the
    /// service, and none that this module has made.
    fn begin_answering(&mut self) -> bool {
        let Some(answering) = self.asks_later.take() else {
            return false;
        };
        let is_services = self.ending.outcome().is_some_and(|outcome| outcome.reason.is_none());
        if is_services {
            self.state = State::Answering(answering);
        }
        is_services
    }

    /// If this step would answer the client, response hooks are asked first.
    pub(super) fn ask_about<'w>(&mut self, step: ResponseStep<'w>) -> ResponseStep<'w> {
        match step {
            ResponseStep::Reply(_) if self.begin_answering() => ResponseStep::Ask,
            step => step,
        }
    }

    /// The same for a step of a call.
    pub(super) fn ask_about_call<'w>(&mut self, step: CallStep<'w>) -> CallStep<'w> {
        match step {
            CallStep::Reply(_) if self.begin_answering() => CallStep::Ask,
            step => step,
        }
    }

    fn release_answer<'w>(&mut self, workspace: &'w mut Workspace) -> HookStep<'w> {
        if let State::Answering(answering) = std::mem::replace(&mut self.state, State::Finished)
            && let Some(response) = answering.response
        {
            let CurrentResponse { status, headers, body } = response;
            workspace.reply.set_hooks(HookReply {
                status,
                headers,
                body,
                message: String::new(),
            });
        }
        self.account();
        HookStep::Reply(&workspace.reply)
    }
}

fn request_step(step: RequestStep<'_>) -> HookStep<'_> {
    HookStep::Request {
        changes: HeaderEdits::default(),
        step,
    }
}
