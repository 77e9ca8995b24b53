//! Calls of hooks by Envoy's call API, and what becomes of a request or an answer behind them.
//!
//! A hook's answer comes outside of all callbacks of the exchange. Of a body, only Envoy's own buffer can be changed then, and
//! so something stands there in its place ([`Body::stand_in`]). What a request becomes may be longer; over the buffer's bounds
//! Envoy answers 413 itself, in the midst of the host call, from which `filter::exports` keeps the module.

use super::body::Body;
use super::local_reply::call_host_reply;
use super::replies::{Disguised, send_through};
use super::shared::Shared;
use super::steps::{Followed, Request, edit_headers};
use super::upstream::{call_metadata, grpc_service};
use crate::exchange::{Exchange, Failure, HookStep, HostReply, Reply, RequestStep, Workspace, in_place_of};
use crate::filter::abi::{self, Buffer, HostStatus, Map, Stream, send_reply};
use crate::filter::observe::metrics;
use crate::hooks::{CallFailure, HookCall, METHOD, SERVICE};
use crate::http::headers::HeaderEdits;

/// Makes the next call that can be made; else does with what is next as `then` says.
///
/// # Errors
///
/// None: what `then` returns, where no call is under way.
pub fn ask<R>(
    exchange: &mut Exchange,
    workspace: &mut Workspace,
    shared: &Shared,
    then: impl FnOnce(HookStep<'_>) -> R,
) -> Result<u32, R> {
    // Each turn takes a hook, of which there are so many.
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

/// The call that was under way has ended so.
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
    let metadata = call_metadata(call.metadata, None);
    abi::call_grpc(&upstream, SERVICE, METHOD, &metadata, call.message, call.timeout).map_err(|status| {
        log::debug!("cannot call cluster {:?}: {status:?}", call.hook.cluster);
        CallFailure::NotSent
    })
}

/// What a call has ended with, of whose message so many bytes came; no more than `limit` are taken.
pub fn message(code: u32, size: usize, limit: usize) -> Result<Vec<u8>, CallFailure> {
    match code {
        0 if size > limit => Err(CallFailure::TooLarge { size, limit }),
        // No message of the service's: it isn't counted as one.
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

/// What became of an exchange all of whose hooks have been asked.
pub enum Then {
    /// What its step asked for is done.
    Followed(Followed),
    /// An answer is on its way, maybe under another guise for now.
    Answered(Option<Disguised>),
    /// The answer goes on where the service's was.
    InPlace,
}

/// Does what is next within a callback about the request.
pub fn follow(step: HookStep<'_>, request: &Request<'_>, body: &mut Body) -> Result<Followed, Failure> {
    match step {
        HookStep::Request { changes, step } => {
            edit_headers(&changes, None, &[])?;
            request.follow(step, body)
        }
        HookStep::Call(_) | HookStep::Reply(_) => Ok(Followed::Pause),
    }
}

/// The service's answer, which is held and may be changed.
pub struct HeldAnswer<'a> {
    /// Its body.
    pub body: &'a mut Body,
    /// It is one to HEAD.
    pub to_head: bool,
}

/// Does what is next when a hook has answered. `answer`: there is one of the service's.
pub fn follow_later(
    step: HookStep<'_>,
    request: &Request<'_>,
    body: &mut Body,
    answer: Option<HeldAnswer<'_>>,
) -> Result<Then, Failure> {
    match (step, answer) {
        // Each of them has a round of its own.
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
