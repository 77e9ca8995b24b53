//! The hooks of one exchange, one after the other. This is a state machine without I/O: it says which call is next, and
//! is told how the call ended.

use std::time::Duration;

use super::answer;
use super::caller::Caller;
use super::failure::CallFailure;
use super::message::Answer;
use super::reply::HookReply;
use super::response;
use super::sent::Sent;
use super::session::Session;
use super::settings::{Chain, Hook, Kind, OnError};
use super::state::{CurrentRequest, CurrentResponse};
use crate::grpc::metadata::{is_binary, is_metadata_value};
use crate::http::headers::Headers;

/// The service of every call.
pub const SERVICE: &str = "coprocess.Dispatcher";

/// Its method.
pub const METHOD: &str = "Dispatch";

/// The hooks of one exchange.
#[derive(Debug)]
pub struct Course {
    chain: Chain,
    caller: Caller,
    /// The target as the client sent it.
    request_uri: Vec<u8>,
    /// The client's method is HEAD.
    is_head: bool,
    /// The hook whose turn it is.
    at: usize,
    /// Its call is under way.
    calls: bool,
    key: Key,
    session: Option<Session>,
}

/// What is known of the client's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// No hook has checked it.
    Unseen,
    /// The hook that checks it has been asked. There is a session; or the call failed, and the request goes on all the
    /// same.
    Seen,
    /// The session, if there is one, has been checked.
    Checked,
}

/// The hooks that a request meets in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Pre, CustomKeyCheck, PostKeyAuth, and the checks of the session: before the method is looked for.
    Admission,
    /// Post: when the method is known.
    Sending,
}

/// What is next on a request's way.
#[derive(Debug)]
pub enum Next<'c> {
    /// This call is to be made, and its end told.
    Call(HookCall<'c>),
    /// The request is refused: the session isn't good.
    Refuse(HookReply),
    /// All hooks of the stage have been asked.
    GoOn,
}

/// A call to [`SERVICE`] and [`METHOD`].
#[derive(Debug)]
pub struct HookCall<'c> {
    /// The hook: where it is called, and how long it has.
    pub hook: &'c Hook,
    /// The value of `:authority`; `None` for the gateway's own choice.
    pub authority: Option<&'c str>,
    /// After which time to give up.
    pub timeout: Duration,
    /// Initial metadata.
    pub metadata: &'c Headers,
    /// The message, without its frame prefix.
    pub message: &'c [u8],
}

/// How a hook's turn ended.
#[derive(Debug)]
pub struct Verdict {
    /// What the hook did.
    pub outcome: Outcome,
    /// The answer that the client gets now; `None`: the exchange goes on.
    pub reply: Option<HookReply>,
}

/// What a hook did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It let the exchange go on.
    Passed,
    /// It answered the client.
    Answered,
    /// Its call failed.
    Failed(CallFailure),
}

/// Buffers that are used for one call after the other.
#[derive(Debug, Default)]
pub struct Memory {
    message: Vec<u8>,
    scratch: Vec<u8>,
    metadata: Headers,
}

impl Memory {
    /// How many bytes of memory they take.
    pub fn footprint(&self) -> usize {
        self.message.capacity() + self.scratch.capacity() + self.metadata.footprint()
    }
}

impl Course {
    /// The course of a request that no hook has seen, with these headers, pseudo-headers included.
    pub fn new(chain: Chain, caller: Caller, headers: &Headers) -> Self {
        Self {
            chain,
            caller,
            request_uri: headers.get(":path").unwrap_or_default().to_vec(),
            is_head: headers.get(":method") == Some(b"HEAD"),
            at: 0,
            calls: false,
            key: Key::Unseen,
            session: None,
        }
    }

    /// The method has been found that the request calls: its full name, `package.Service/Method`.
    pub fn calls_method(&mut self, name: &str) {
        self.caller.calls(name);
    }

    /// The target as the client sent it.
    pub fn request_uri(&self) -> &[u8] {
        &self.request_uri
    }

    /// The hook whose call is under way.
    pub fn hook(&self) -> Option<&Hook> {
        self.chain.hook(self.at).filter(|_| self.calls)
    }

    /// Whether a hook is asked once the method is known, and told of it.
    pub fn awaits_method(&self) -> bool {
        self.chain.awaits_method()
    }

    /// Whether a hook may want to see the response: the request must be kept until then, and all of the response held.
    pub fn awaits_response(&self) -> bool {
        self.chain.awaits_response()
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.request_uri.capacity() + self.session.as_ref().map_or(0, Session::footprint)
    }

    /// What is next for a request in this stage. `now`: the time in seconds since 1970, which is asked for where it
    /// counts.
    pub fn next<'c>(
        &'c mut self,
        stage: Stage,
        request: &CurrentRequest,
        now: impl FnOnce() -> i64,
        memory: &'c mut Memory,
    ) -> Next<'c> {
        let last = match stage {
            Stage::Admission => Kind::PostKeyAuth,
            Stage::Sending => Kind::Post,
        };
        self.find(last, request);
        if let Some(hook) = self.chain.hook(self.at).filter(|_| self.calls) {
            return Next::Call(self.call(hook, request, None, memory));
        }
        if self.key == Key::Seen {
            self.key = Key::Checked;
            if let Some((status, message)) = self.session.as_ref().and_then(|session| session.refusal(now)) {
                return Next::Refuse(HookReply::error(status, message, request).to(self.is_head));
            }
        }
        Next::GoOn
    }

    /// The call that is under way, as [`Course::next`] or [`Course::next_of_response`] has just put it into `memory`.
    pub fn under_way<'c>(&'c self, memory: &'c Memory) -> Option<HookCall<'c>> {
        let hook = self.hook()?;
        Some(HookCall {
            hook,
            authority: self.chain.settings().authority.as_deref(),
            timeout: hook.timeout,
            metadata: &memory.metadata,
            message: &memory.message,
        })
    }

    /// The next call for a response; `None`: all hooks have been asked.
    pub fn next_of_response<'c>(
        &'c mut self,
        request: &CurrentRequest,
        response: &CurrentResponse,
        memory: &'c mut Memory,
    ) -> Option<HookCall<'c>> {
        self.find(Kind::Response, request);
        let hook = self.chain.hook(self.at).filter(|_| self.calls)?;
        Some(self.call(hook, request, Some(response), memory))
    }

    /// The hook's call has ended, with this message or a failure. What the answer says is done to `request`.
    pub fn answered(&mut self, answer: Result<&[u8], CallFailure>, request: &mut CurrentRequest) -> Verdict {
        let Some((kind, on_error)) = self.end() else {
            return Verdict::passed();
        };
        match answer.and_then(|message| self.take(kind, message, request)) {
            Ok(reply) => Verdict::of(reply.map(|reply| reply.to(self.is_head))),
            Err(failure) => {
                if kind == Kind::CustomKeyCheck {
                    self.key = Key::Seen;
                }
                self.failed(failure, kind, on_error, request)
            }
        }
    }

    /// The same for a hook that saw the response, to which it is done.
    pub fn answered_of_response(
        &mut self,
        answer: Result<&[u8], CallFailure>,
        request: &CurrentRequest,
        response: &mut CurrentResponse,
    ) -> Verdict {
        let Some((kind, on_error)) = self.end() else {
            return Verdict::passed();
        };
        let applied = answer.and_then(Answer::read).and_then(|answer| {
            let answer = answer.response.ok_or(CallFailure::Missing("response"))?;
            response::apply(&answer, self.is_head, response)
        });
        match applied {
            Ok(()) => Verdict::passed(),
            Err(failure) => self.failed(failure, kind, on_error, request),
        }
    }

    /// Finds the hook whose turn it is, among those up to the kind `last`.
    fn find(&mut self, last: Kind, request: &CurrentRequest) {
        self.calls = false;
        while let Some(hook) = self.chain.hook(self.at).filter(|hook| hook.kind <= last) {
            // If no key was checked, PostKeyAuth hooks don't run.
            let is_keyless = hook.kind == Kind::PostKeyAuth && self.key == Key::Unseen;
            // A request hook that hasn't been asked isn't asked about the response.
            let is_past = last == Kind::Response && hook.kind < last;
            if !is_keyless && !is_past && self.chain.includes(hook, request.path()) {
                self.calls = true;
                return;
            }
            self.at += 1;
        }
    }

    fn call<'c>(
        &'c self,
        hook: &'c Hook,
        request: &CurrentRequest,
        response: Option<&CurrentResponse>,
        memory: &'c mut Memory,
    ) -> HookCall<'c> {
        let Memory {
            message,
            scratch,
            metadata,
        } = memory;
        message.clear();
        let sent = Sent {
            hook,
            settings: self.chain.settings(),
            caller: &self.caller,
            request,
            request_uri: &self.request_uri,
            session: self.session.as_ref(),
        };
        sent.write(response, scratch, message);
        metadata.clear();
        let mut room = MOST_METADATA;
        for (name, value) in request.headers().iter().filter(|(name, _)| is_trace(name)) {
            let size = name.len() + value.len();
            if size <= room && is_metadata_value(name, value) {
                room -= size;
                metadata.push(name, value);
            }
        }
        HookCall {
            hook,
            authority: self.chain.settings().authority.as_deref(),
            timeout: hook.timeout,
            metadata,
            message,
        }
    }

    /// The call that was under way is over, and the hook's turn with it. `None`: there was none.
    fn end(&mut self) -> Option<(Kind, OnError)> {
        let hook = self.chain.hook(self.at).filter(|_| self.calls)?;
        let ended = (hook.kind, hook.on_error);
        self.calls = false;
        self.at += 1;
        Some(ended)
    }

    /// Takes the answer of a request hook; an answer for the client, if it has one.
    fn take(
        &mut self,
        kind: Kind,
        message: &[u8],
        request: &mut CurrentRequest,
    ) -> Result<Option<HookReply>, CallFailure> {
        let answer = Answer::read(message)?;
        let wanted = answer.request.as_ref().ok_or(CallFailure::Missing("request"))?;
        let session = match kind {
            Kind::CustomKeyCheck => Session::of(&answer, self.chain.settings())?,
            _ => None,
        };
        answer::apply(wanted, self.chain.client(), request)?;
        if let Some(reply) = HookReply::overriding(&wanted.overrides, request) {
            return Ok(Some(reply));
        }
        if kind == Kind::CustomKeyCheck {
            self.key = Key::Seen;
            self.session = session;
            if self.session.is_none() {
                return Ok(Some(HookReply::error(403, "Forbidden", request)));
            }
        }
        Ok(None)
    }

    fn failed(&self, failure: CallFailure, kind: Kind, on_error: OnError, request: &CurrentRequest) -> Verdict {
        let (status, message) = failure.told(kind);
        let denied = || HookReply::error(status, message, request).to(self.is_head);
        Verdict {
            outcome: Outcome::Failed(failure),
            reply: (on_error == OnError::Deny).then(denied),
        }
    }
}

impl Verdict {
    fn passed() -> Self {
        Self::of(None)
    }

    fn of(reply: Option<HookReply>) -> Self {
        Self {
            outcome: match reply {
                Some(_) => Outcome::Answered,
                None => Outcome::Passed,
            },
            reply,
        }
    }
}

/// How many bytes of names and values go along with a call as metadata. Servers refuse calls with too much of it
/// (gRPC's C core from 8 KiB on). A client that could bring that about would get past a hook with `on_error: allow`.
/// W3C's Trace Context, section 3.3.1.5, asks for 512 bytes of `tracestate`.
const MOST_METADATA: usize = 2048;

/// Whether a header of the request says which trace it belongs to: it goes along with the calls.
fn is_trace(name: &[u8]) -> bool {
    match name.first() {
        Some(b't') => matches!(name, b"traceparent" | b"tracestate"),
        // Of binary metadata there are none among them: they would have to be decoded for Envoy.
        Some(b'x') => name == b"x-request-id" || name.starts_with(b"x-b3-") && !is_binary(name),
        _ => name == b"b3",
    }
}
