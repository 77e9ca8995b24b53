//! What a step of an exchange asks for, done by host calls.

use std::time::Duration;

use proxy_wasm::types::Action;

use super::body::Body;
use super::call;
use super::names::DURATION_HEADER;
use super::replies::{Disguised, Replies, send_past_grpc_web, send_through};
use super::ticker::Ticker;
use super::upstream::{TIMEOUT_HEADER, timeout_value};
use crate::config::Settings;
use crate::exchange::{Failure, Reply, RequestStep, ResponseStep};
use crate::filter::abi::{self, HostStatus, Map, Stream};
use crate::http::headers::HeaderEdits;

/// The result of a step about the request.
pub enum Followed {
    /// The request goes on.
    Continue,
    /// It waits.
    Pause,
    /// It waits, and a gRPC call with this token was opened.
    Called(u32),
    /// It waits, and a hook is asked by a call with this token.
    Asked(u32),
    /// An answer is on its way. It may have to be changed when it comes through this filter.
    Answered(Option<Disguised>),
}

/// The request of a context.
pub struct Request<'s> {
    /// Its context.
    pub context: u32,
    /// The configuration's settings.
    pub settings: &'s Settings,
    /// Where answers wait for a tick.
    pub replies: &'s Replies,
    /// What ticks.
    pub ticker: &'s Ticker,
}

impl Request<'_> {
    /// Does what `step` asks for, about the part of the body that `body` shows.
    pub fn follow(&self, step: RequestStep<'_>, body: &mut Body) -> Result<Followed, Failure> {
        match step {
            RequestStep::PassThrough => Ok(Followed::Continue),
            // What is shown of a body that is awaited is dropped with the end of the callback.
            RequestStep::Await | RequestStep::Drop | RequestStep::Ask => Ok(Followed::Pause),
            RequestStep::Reply(reply) => Ok(Followed::Answered(self.replies.send(self.context, reply, self.ticker))),
            RequestStep::BreakOff(reply) => Ok(Followed::Answered(self.break_off(reply))),
            // This answer goes past all filters, this one too, where a disguise would be undone.
            RequestStep::Supersede(reply) => {
                abi::send_reply(reply, reply.status);
                Ok(Followed::Answered(None))
            }
            RequestStep::Reset => reset_response().map(|_| Followed::Answered(None)),
            RequestStep::Chunk(frames) => replace_body(body, frames).map(|()| Followed::Continue),
            RequestStep::ForwardHeaders { edits, timeout } => {
                edit_headers(edits, timeout, &[TIMEOUT_HEADER, DURATION_HEADER])?;
                Ok(Followed::Continue)
            }
            RequestStep::Forward(forward) => {
                edit_headers(forward.edits, forward.timeout, &[TIMEOUT_HEADER])?;
                replace_body(body, forward.body).map(|()| Followed::Continue)
            }
            RequestStep::Call(call) => call::start(&call).map(Followed::Called),
        }
    }

    /// Answers at once a request whose beginning later filters have seen. Returns as [`send_through`].
    pub fn break_off(&self, reply: &Reply) -> Option<Disguised> {
        match self.settings.upstream.grpc_web {
            true => send_past_grpc_web(reply),
            false => send_through(reply),
        }
    }
}

/// Edits the request headers, and gives `timeout`, if there is one, by each of `timeout_headers`.
pub fn edit_headers(edits: &HeaderEdits, timeout: Option<Duration>, timeout_headers: &[&[u8]]) -> Result<(), Failure> {
    let edited = abi::edit_headers(Map::RequestHeaders, edits).and_then(|()| match timeout {
        Some(timeout) => {
            let value = timeout_value(timeout);
            timeout_headers
                .iter()
                .try_for_each(|name| abi::set_header(Map::RequestHeaders, name, value.as_bytes()))
        }
        None => Ok(()),
    });
    edited.map_err(|status| status.refused("to change the request headers"))
}

fn replace_body(body: &mut Body, bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() > body.room() {
        return Err(Failure::too_large(format!(
            "the request has become larger, as a gRPC message of {} bytes, than the gateway surely holds",
            bytes.len()
        )));
    }
    // A request that ended at its headers has no body to replace.
    let replaced = match bytes.is_empty() {
        true => body.drop_all(),
        false => body.replace(bytes),
    };
    replaced.map_err(|status| status.refused("to change the request body"))
}

/// The same step without the bytes, for an answer to HEAD: Envoy would send them, and an HTTP/1.1 client take them for
/// the next answer.
pub fn without_body(step: ResponseStep<'_>) -> ResponseStep<'_> {
    match step {
        ResponseStep::Hold(_) => ResponseStep::Hold(b""),
        ResponseStep::Chunk { edits, whole, hold, .. } => ResponseStep::Chunk {
            edits,
            body: b"",
            whole,
            hold,
        },
        ResponseStep::Fill(_) => ResponseStep::Fill(b""),
        step => step,
    }
}

/// Does what a step about the response asks for, about the part of the body that `body` shows. `headers_gone`: they
/// went on before the body.
pub fn follow_response(step: ResponseStep<'_>, headers_gone: bool, body: &mut Body) -> Result<Action, Failure> {
    match step {
        ResponseStep::Hold(bytes) if bytes.len() > body.room() => reset_response(),
        ResponseStep::PassThrough => Ok(body.go_on()),
        ResponseStep::Await | ResponseStep::Ask => Ok(Action::Pause),
        ResponseStep::RewriteHeaders(edits) => edit_response_headers(edits).map(|()| body.go_on()),
        ResponseStep::Hold(bytes) => replace_response_body(body, bytes).map(|()| body.hold_response()),
        // Only where room was reserved is there less than any.
        ResponseStep::Chunk { body: bytes, .. } if bytes.len() > body.room() => reset_response(),
        ResponseStep::Chunk {
            edits,
            body: bytes,
            hold,
            ..
        } => {
            if let Some(edits) = edits {
                edit_response_headers(edits)?;
            }
            replace_response_body(body, bytes)?;
            Ok(if hold { body.hold_response() } else { body.go_on() })
        }
        ResponseStep::RewriteTrailers(edits) => abi::edit_headers(Map::ResponseTrailers, edits)
            .map(|()| body.go_on())
            .map_err(|status| status.refused("to change the response trailers")),
        ResponseStep::Drop => replace_response_body(body, b"").map(|()| body.hold_response()),
        ResponseStep::Reserve(size) => body.reserve(size).map_err(no_response_body),
        ResponseStep::Fill(bytes) if bytes.len() > body.room() || !body.has_filler() => reset_response(),
        ResponseStep::Fill(bytes) => replace_response_body(body, bytes).map(|()| body.go_on()),
        ResponseStep::Reset => reset_response(),
        // With the headers gone and no body to rewrite, breaking off is the one way left not to look complete.
        ResponseStep::Reply(_) if headers_gone => reset_response(),
        ResponseStep::Reply(reply) => {
            abi::send_reply(reply, reply.status);
            Ok(Action::Pause)
        }
    }
}

fn edit_response_headers(edits: &HeaderEdits) -> Result<(), Failure> {
    abi::edit_headers(Map::ResponseHeaders, edits).map_err(no_response_headers)
}

fn no_response_headers(status: HostStatus) -> Failure {
    status.refused("to change the response headers")
}

fn replace_response_body(body: &mut Body, bytes: &[u8]) -> Result<(), Failure> {
    body.replace(bytes).map_err(no_response_body)
}

fn no_response_body(status: HostStatus) -> Failure {
    status.refused("to change the response body")
}

fn reset_response() -> Result<Action, Failure> {
    abi::close_stream(Stream::Response)
        .map(|()| Action::Pause)
        .map_err(|status| status.refused("to reset the response"))
}
