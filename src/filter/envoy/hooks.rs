//! Calls of hooks by Envoy's HTTP call API, and what becomes of a request or an answer behind them.
//!
//! A hook's answer comes outside of all callbacks of the exchange. Of a body, only Envoy's own buffer can be changed then, and
//! so something stands there in its place ([`Body::stand_in`]). What a request becomes may be longer; over the buffer's bounds
//! Envoy answers 413 itself, in the midst of the host call, from which `filter::exports` keeps the module.

use super::body::Body;
use super::replies::{Disguised, send_through};
use super::shared::Shared;
use super::steps::{Followed, Request, edit_headers};
use crate::exchange::{Exchange, Failure, HookStep, Reply, RequestStep, Workspace, in_place_of};
use crate::filter::abi::{self, Buffer, HostStatus, Map, Stream, send_reply};
use crate::filter::observe::metrics;
use crate::grpc::frame::PREFIX_LENGTH;
use crate::hooks::{CallFailure, HookCall, PATH, ended};
use crate::http::headers::{HeaderEdits, Headers};

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
///
/// By HTTP, as that is cheaper than Envoy's API for gRPC calls, and says as much.
fn start(call: &HookCall<'_>) -> Result<u32, CallFailure> {
    let cluster = call.hook.cluster.as_str();
    let mut headers = Headers::default();
    for (name, value) in [
        (":method", "POST"),
        (":path", PATH),
        (":authority", call.authority.unwrap_or(cluster)),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        headers.push(name.as_bytes(), value.as_bytes());
    }
    for (name, value) in call.metadata.iter() {
        headers.push(name, value);
    }
    abi::call_http(cluster, &headers, call.frame, call.timeout).map_err(|status| {
        log::debug!("cannot call cluster {cluster:?}: {status:?}");
        CallFailure::NotSent
    })
}

/// The body of what a call has ended with, of which so many headers, bytes and trailers came: one frame. No more than `limit`
/// bytes of a message are taken.
pub fn body(headers: usize, size: usize, trailers: usize, limit: usize) -> Result<Vec<u8>, CallFailure> {
    let end = match (headers, trailers) {
        (0, _) => return Err(CallFailure::BrokenOff),
        (_, 0) => Map::CallHeaders,
        _ => Map::CallTrailers,
    };
    ended::status(&abi::headers(end).map_err(|_| CallFailure::BrokenOff)?)?;
    match size.saturating_sub(PREFIX_LENGTH) {
        message if message > limit => Err(CallFailure::TooLarge { size: message, limit }),
        _ => abi::buffer_from(Buffer::CallBody, 0, size).map_err(|_| CallFailure::NoMessage),
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
