//! What a step of an exchange asks for, done by host calls.

use std::time::Duration;

use proxy_wasm::types::Action;

use super::call;
use super::names::DURATION_HEADER;
use super::replies::{Disguised, Replies, send_past_grpc_web, send_through};
use super::ticker::Ticker;
use super::upstream::{TIMEOUT_HEADER, timeout_value};
use crate::config::Settings;
use crate::exchange::{Failure, Reply, RequestStep, ResponseStep};
use crate::filter::abi::{self, Buffer, HostStatus, Map, Stream};
use crate::http::headers::{HeaderEdits, Headers};

/// What became of a step about the request.
pub enum Followed {
    /// The request goes on.
    Continue,
    /// It waits.
    Pause,
    /// It waits, and a gRPC call with this token was opened.
    Called(u32),
    /// An answer is on its way, maybe under another guise for now.
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
    /// Does what `step` asks for. Envoy has `body_size` bytes of the body.
    pub fn follow(&self, step: RequestStep<'_>, body_size: usize) -> Result<Followed, Failure> {
        match step {
            RequestStep::PassThrough => Ok(Followed::Continue),
            RequestStep::Await => Ok(Followed::Pause),
            RequestStep::Drop => replace_body(body_size, b"").map(|()| Followed::Pause),
            RequestStep::Reply(reply) => Ok(Followed::Answered(self.replies.send(self.context, reply, self.ticker))),
            RequestStep::BreakOff(reply) => Ok(Followed::Answered(self.break_off(reply))),
            // This answer goes past all filters, this one too: nothing would undo a disguise.
            RequestStep::Supersede(reply) => {
                abi::send_reply(reply, reply.status);
                Ok(Followed::Answered(None))
            }
            RequestStep::Reset => reset_response().map(|_| Followed::Answered(None)),
            RequestStep::Chunk(body) => replace_body(body_size, body).map(|()| Followed::Continue),
            RequestStep::ForwardHeaders { edits, timeout } => {
                edit_headers(edits, timeout, &[TIMEOUT_HEADER, DURATION_HEADER])?;
                Ok(Followed::Continue)
            }
            RequestStep::Forward(forward) => {
                edit_headers(forward.edits, forward.timeout, &[TIMEOUT_HEADER])?;
                replace_body(body_size, forward.body).map(|()| Followed::Continue)
            }
            RequestStep::Call(call) => call::start(&call).map(Followed::Called),
        }
    }

    /// Answers at once a request of which the filters behind have seen the beginning. Returns as [`send_through`].
    pub fn break_off(&self, reply: &Reply) -> Option<Disguised> {
        match self.settings.upstream.grpc_web {
            true => send_past_grpc_web(reply),
            false => send_through(reply),
        }
    }
}

/// Edits the request headers, and gives `timeout`, if there is one, by each of `timeout_headers`.
fn edit_headers(edits: &HeaderEdits, timeout: Option<Duration>, timeout_headers: &[&[u8]]) -> Result<(), Failure> {
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

fn replace_body(size: usize, body: &[u8]) -> Result<(), Failure> {
    abi::replace_buffer(Buffer::RequestBody, size, body).map_err(|status| status.refused("to change the request body"))
}

/// Does what a step about the response asks for. `headers_gone`: they went on before the body. Envoy has `body_size` bytes
/// of it.
pub fn follow_response(
    step: ResponseStep<'_>,
    headers_gone: bool,
    body_size: usize,
    settings: &Settings,
) -> Result<Action, Failure> {
    match step {
        ResponseStep::PassThrough => Ok(Action::Continue),
        ResponseStep::Await => Ok(Action::Pause),
        ResponseStep::RewriteHeaders(edits) => edit_response_headers(edits).map(|()| Action::Continue),
        ResponseStep::Rewrite { edits, body } => {
            let room = body_size.max(settings.limits.gateway_buffer_bytes);
            rewrite_response(edits, body, headers_gone, body_size, room)
        }
        ResponseStep::Chunk { edits, body, hold } => {
            if let Some(edits) = edits {
                edit_response_headers(edits)?;
            }
            replace_response_body(body_size, body).map(|()| if hold { Action::Pause } else { Action::Continue })
        }
        ResponseStep::Drop => replace_response_body(body_size, b"").map(|()| Action::Pause),
        ResponseStep::Reset => reset_response(),
        // With the headers gone and no body to rewrite, breaking off is the one way left not to look complete.
        ResponseStep::Reply(_) if headers_gone => reset_response(),
        ResponseStep::Reply(reply) => {
            abi::send_reply(reply, reply.status);
            Ok(Action::Pause)
        }
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
    if !headers_gone {
        edit_response_headers(edits)?;
    }
    if body.len() <= room {
        return replace_response_body(held, body).map(|()| Action::Continue);
    }
    if headers_gone {
        let length = body.len();
        log::error!("an answer of {length} bytes is broken off: it is over limits.gateway_buffer_bytes");
        return reset_response();
    }
    let headers = abi::headers(Map::ResponseHeaders).map_err(no_response_headers)?;
    let status = headers.status().unwrap_or(200);
    let mut kept = Headers::default();
    for (name, value) in headers.iter() {
        // Envoy adds these itself.
        let its_own = matches!(name, b"content-length" | b"date" | b"server");
        if !its_own && name.first() != Some(&b':') {
            kept.push(name, value);
        }
    }
    abi::send_local_response(status, &kept, body)
        .map(|()| Action::Pause)
        .map_err(|status| status.refused("to answer"))
}

fn edit_response_headers(edits: &HeaderEdits) -> Result<(), Failure> {
    abi::edit_headers(Map::ResponseHeaders, edits).map_err(no_response_headers)
}

fn no_response_headers(status: HostStatus) -> Failure {
    status.refused("to change the response headers")
}

fn replace_response_body(size: usize, body: &[u8]) -> Result<(), Failure> {
    abi::replace_buffer(Buffer::ResponseBody, size, body)
        .map_err(|status| status.refused("to change the response body"))
}

fn reset_response() -> Result<Action, Failure> {
    abi::close_stream(Stream::Response)
        .map(|()| Action::Pause)
        .map_err(|status| status.refused("to reset the response"))
}
