//! Answers of the filter's own, and when they go out.
//!
//! Envoy ends an HTTP/1.1 connection on which more than two responses wait to be written ("Too many responses queued").
//! A client that pipelines requests which the filter refuses at once runs into that, since Envoy writes only between
//! its rounds. So a refusal waits for a tick, and has a round of its own.

use std::cell::RefCell;

use super::envoy::BAD_REQUEST_STAND_IN;
use super::host::{self, HostStatus, Map};
use crate::exchange::Reply;
use crate::exchange::headers::Headers;

/// The tick that lets waiting answers go, in milliseconds.
pub const TICK: u32 = 1;

/// Refusals that wait.
#[derive(Default)]
pub struct Replies {
    waiting: RefCell<Vec<(u32, Reply)>>,
}

impl Replies {
    /// Answers the request of `context`, of which the upstream has seen nothing, at the next tick.
    pub fn send(&self, context: u32, reply: &Reply) -> Guise {
        if host::set_tick(TICK).is_err() {
            return send_through(reply, false);
        }
        self.waiting.borrow_mut().push((context, reply.clone()));
        Guise::of(reply, false)
    }

    /// A request ended: nobody waits for its answer.
    pub fn forget(&self, context: u32) {
        self.waiting.borrow_mut().retain(|(waiting, _)| *waiting != context);
    }

    /// Sends what waits. Returns whether anything did.
    pub fn flush(&self) -> bool {
        let waiting = self.waiting.take();
        for (context, reply) in &waiting {
            match host::set_effective_context(*context) {
                Ok(()) => {
                    send_through(reply, false);
                }
                Err(status) => log::error!("cannot reach context {context}: {status}"),
            }
        }
        !waiting.is_empty()
    }
}

/// Answers at once a client to whom nothing of an answer has gone. `behind_grpc_web`: the request's headers have gone on
/// to Envoy's grpc_web filter.
pub fn send_through(reply: &Reply, behind_grpc_web: bool) -> Guise {
    let guise = Guise::of(reply, behind_grpc_web);
    guise.send(reply);
    guise
}

/// What an answer of this filter's is sent as, on a way that leads through this filter again, where it becomes itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guise {
    /// Itself.
    #[default]
    None,
    /// A 400 as [`BAD_REQUEST_STAND_IN`].
    BadRequest,
    /// An error of this status as a gRPC answer: Envoy's grpc_web filter takes the body of anything else away.
    Grpc(u16),
}

impl Guise {
    fn of(reply: &Reply, behind_grpc_web: bool) -> Self {
        match reply.status {
            status if behind_grpc_web => Self::Grpc(status),
            400 => Self::BadRequest,
            _ => Self::None,
        }
    }

    fn send(self, reply: &Reply) {
        match self {
            Self::None => send(reply, reply.status),
            Self::BadRequest => send(reply, BAD_REQUEST_STAND_IN),
            Self::Grpc(_) => {
                let mut headers = Headers::default();
                for (name, value) in reply.headers.iter() {
                    match name {
                        b"content-type" => headers.push(name, b"application/grpc"),
                        _ => headers.push(name, value),
                    }
                }
                send_local(200, &headers, &reply.body);
            }
        }
    }

    /// Makes the answer itself again: its headers are the current ones.
    pub fn take_off(self) -> Result<(), HostStatus> {
        let status = match self {
            Self::None => return Ok(()),
            Self::BadRequest => 400,
            Self::Grpc(status) => {
                host::set_header(Map::ResponseHeaders, b"content-type", b"application/json")?;
                status
            }
        };
        host::set_header(Map::ResponseHeaders, b":status", status.to_string().as_bytes())
    }
}

/// Answers at once, with this status.
pub fn send(reply: &Reply, status: u16) {
    send_local(status, &reply.headers, &reply.body);
}

fn send_local(status: u16, headers: &Headers, body: &[u8]) {
    if let Err(status) = host::send_local_response(status, headers, body) {
        log::error!("cannot answer a request: {status}");
    }
}
