//! Answers of the filter's own, and when they go out.
//!
//! Envoy ends an HTTP/1.1 connection on which more than two responses wait to be written ("Too many responses queued").
//! A client that pipelines requests which the filter refuses at once runs into that, since Envoy writes only between
//! its rounds. So a refusal waits for a tick, and has a round of its own.

use std::cell::RefCell;

use super::envoy::BAD_REQUEST_STAND_IN;
use super::host;
use crate::exchange::Reply;

/// The tick that lets waiting answers go, in milliseconds.
pub const TICK: u32 = 1;

/// Refusals that wait.
#[derive(Default)]
pub struct Replies {
    waiting: RefCell<Vec<(u32, Reply)>>,
}

impl Replies {
    /// Answers the request of `context`, of which the upstream has seen nothing, at the next tick. `true` as from
    /// [`send_through`].
    pub fn send(&self, context: u32, reply: &Reply) -> bool {
        if host::set_tick(TICK).is_err() {
            return send_through(reply);
        }
        self.waiting.borrow_mut().push((context, reply.clone()));
        stands_in(reply)
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
                    send_through(reply);
                }
                Err(status) => log::error!("cannot reach context {context}: {status}"),
            }
        }
        !waiting.is_empty()
    }
}

/// Answers at once a client to whom nothing of an answer has gone. `true`: with another status until the answer comes
/// through this filter.
pub fn send_through(reply: &Reply) -> bool {
    let stands_in = stands_in(reply);
    send(
        reply,
        match stands_in {
            true => BAD_REQUEST_STAND_IN,
            false => reply.status,
        },
    );
    stands_in
}

fn stands_in(reply: &Reply) -> bool {
    reply.status == 400
}

/// Answers at once, with this status.
pub fn send(reply: &Reply, status: u16) {
    if let Err(status) = host::send_local_response(status, &reply.headers, &reply.body) {
        log::error!("cannot answer a request: {status}");
    }
}
