//! Calls of hooks by Envoy's call API, and what is done with a request or an answer once they have ended.
//!
//! A hook's answer comes outside of the callbacks of the exchange. At that time, a filter can change a body only in
//! Envoy's own buffer. So a placeholder is held there in the body's place ([`Body::stand_in`]). The new body may be
//! longer than the placeholder. If it is longer than the buffer may be, Envoy answers 413 itself, during the host call
//! that puts it there. `filter::exports` catches the call that comes to this module meanwhile.

use super::body::Body;
use super::local_reply::call_host_reply;
use super::replies::{Disguised, send_through};
use super::shared::Shared;
use super::steps::{Followed, Request, edit_headers};
use super::upstream::grpc_service;
use crate::exchange::{Exchange, Failure, HookStep, HostReply, Reply, RequestStep, Workspace, in_place_of};
use crate::filter::abi::{self, Buffer, HostStatus, Map, Stream, send_reply};
use crate::filter::observe::metrics;
use crate::hooks::{CallFailure, HookCall, METHOD, SERVICE};
use crate::http::headers::HeaderEdits;

/// Makes the next call, and returns its token. If there is no more call to make, `then` gets what is next.
///
/// # Errors
///
/// This is no error: no call is under way, and it is what `then` returned.
pub fn ask<R>(
    exchange: &mut Exchange,
    workspace: &mut Workspace,
    shared: &Shared,
    then: impl FnOnce(HookStep<'_>) -> R,
) -> Result<u32, R> {
    // This ends: each round uses up one hook.
    loop {
        let failure = match exchange.next_hook(shared.abilities(), workspace) {
            HookStep::Call(call) => match start(&call) {
                Ok(token) => return Ok(token),
                Err(failure) => failure,
            },
            step => return Err(then(step)),
        };
        answered(exchange, Err(failure), shared);
    }
}

/// Tells the exchange how the call that was under way has ended.
pub fn answered(exchange: &mut Exchange, answer: Result<&[u8], CallFailure>, shared: &Shared) {
    if let Some(news) = exchange.hook_answered(answer)
        && shared.observer().hook(&news)
        && let Err(status) = shared.ticker.within(metrics::MAX_WAIT)
    {
        log::error!("cannot set a timer: {status}");
    }
}

/// Makes a call. Returns its token.
fn start(call: &HookCall<'_>) -> Result<u32, CallFailure> {
    let upstream = grpc_service(&call.hook.cluster, call.authority);
    abi::call_grpc(&upstream, SERVICE, METHOD, call.metadata, call.message, call.timeout).map_err(|status| {
        log::debug!("cannot call cluster {:?}: {status:?}", call.hook.cluster);
        CallFailure::NotSent
    })
}

/// What a call has ended with: the message, of which `size` bytes came, or why it failed. `limit`: the most bytes that
/// are taken.
pub fn message(code: u32, size: usize, limit: usize) -> Result<Vec<u8>, CallFailure> {
    match code {
        0 if size > limit => Err(CallFailure::TooLarge { size, limit }),
        // It isn't from the service, and so isn't counted among the bytes that came from there.
        0 if size == 0 => Ok(Vec::new()),
        0 => abi::buffer_from(Buffer::GrpcMessage, 0, size).map_err(|_| CallFailure::NoMessage),
        code => Err(
            match call_host_reply(code, &abi::grpc_status_message().unwrap_or_default()) {
                Some(HostReply::Deadline) => CallFailure::TimedOut,
                _ => CallFailure::Status(code),
            },
        ),
    }
}

/// What was done with an exchange after its last hook.
pub enum Then {
    /// What the step asked for.
    Followed(Followed),
    /// An answer is on its way. It may have to be changed when it comes through this filter.
    Answered(Option<Disguised>),
    /// The answer has replaced the service's in place, and goes on.
    InPlace,
}

/// Does what is next, during a callback about the request.
pub fn follow(step: HookStep<'_>, request: &Request<'_>, body: &mut Body) -> Result<Followed, Failure> {
    match step {
        HookStep::Request { changes, step } => {
            edit_headers(&changes, None, &[])?;
            request.follow(step, body)
        }
        HookStep::Call(_) | HookStep::Reply(_) => Ok(Followed::Pause),
    }
}

/// The service's answer, which Envoy holds, and which can be changed.
pub struct HeldAnswer<'a> {
    /// Its body.
    pub body: &'a mut Body,
    /// The client's method is HEAD.
    pub to_head: bool,
}

/// Does what is next when a hook has answered, outside of the callbacks. `answer`: the service's, if it has come.
pub fn follow_later(
    step: HookStep<'_>,
    request: &Request<'_>,
    body: &mut Body,
    answer: Option<HeldAnswer<'_>>,
) -> Result<Then, Failure> {
    match (step, answer) {
        // At once: it needn't wait for a round of its own (`replies`), since each hook's answer comes in one.
        (
            HookStep::Request {
                step: RequestStep::Reply(reply),
                ..
            },
            _,
        ) => Ok(Then::Answered(send_through(reply))),
        (HookStep::Reply(reply), None) => Ok(Then::Answered(send_through(reply))),
        (HookStep::Reply(reply), Some(answer))
            if answer.body.has_filler() && reply.body.len() <= answer.body.room() =>
        {
            put_in_place(reply, answer).map_err(|status| status.refused("to change the response"))?;
            Ok(Then::InPlace)
        }
        (HookStep::Reply(reply), Some(_)) => {
            send_reply(reply, reply.status);
            Ok(Then::Answered(None))
        }
        (step, _) => follow(step, request, body).map(Then::Followed),
    }
}

fn put_in_place(reply: &Reply, answer: HeldAnswer<'_>) -> Result<(), HostStatus> {
    let mut edits = HeaderEdits::default();
    in_place_of(&abi::headers(Map::ResponseHeaders)?, reply, answer.to_head, &mut edits);
    abi::edit_headers(Map::ResponseHeaders, &edits)?;
    answer.body.replace(&reply.body)?;
    abi::continue_stream(Stream::Response)
}
