//! Answers that the filter makes itself, and when they go out.
//!
//! Envoy ends an HTTP/1.1 connection on which more than two responses wait to be written ("Too many responses queued").
//! Envoy writes only between the rounds of its event loop. So a client that pipelines requests which the filter refuses
//! at once would lose its connection. To avoid that, a refusal waits for a tick of the timer, and has a round of its
//! own.

use std::cell::RefCell;

use super::ticker::Ticker;
use crate::exchange::Reply;
use crate::filter::abi::{self, HostStatus, Map, send_reply};
use crate::http::media_type::GRPC;

/// The tick that lets waiting answers go, in milliseconds.
const TICK: u32 = 1;

/// A 400 is sent under this status, and becomes 400 again on its way through this filter: its disguise. After a 400
/// that a filter sends, Envoy closes an HTTP/1.1 connection, even if other requests wait on it.
const BAD_REQUEST_STAND_IN: u16 = 422;

/// Refusals that wait.
#[derive(Default)]
pub struct Replies {
    waiting: RefCell<Vec<(u32, Reply)>>,
}

impl Replies {
    /// Answers the request of `context`, of which the upstream has seen nothing, at the next tick. Returns as
    /// [`send_through`].
    pub fn send(&self, context: u32, reply: &Reply, ticker: &Ticker) -> Option<Disguised> {
        if ticker.within(TICK).is_err() {
            return send_through(reply);
        }
        self.waiting.borrow_mut().push((context, reply.clone()));
        Disguised::of(reply)
    }

    /// A request ended: nobody waits for its answer.
    pub fn forget(&self, context: u32) {
        self.waiting.borrow_mut().retain(|(waiting, _)| *waiting != context);
    }

    /// Sends what waits.
    pub fn flush(&self) {
        let waiting = self.waiting.take();
        for (context, reply) in &waiting {
            match abi::set_effective_context(*context) {
                Ok(()) => {
                    send_through(reply);
                }
                Err(status) => log::error!("cannot reach context {context}: {status}"),
            }
        }
    }
}

/// The status and content-type to restore when a reply in disguise comes back through this filter.
#[derive(Debug)]
pub struct Disguised {
    status: u16,
    content_type: Option<Vec<u8>>,
}

impl Disguised {
    fn of(reply: &Reply) -> Option<Self> {
        let content_type = match reply.body.is_empty() {
            // Envoy gives an answer without a body no content-type.
            true => reply.headers.get("content-type").map(<[u8]>::to_vec),
            false => None,
        };
        (reply.status == 400 || content_type.is_some()).then_some(Self {
            status: reply.status,
            content_type,
        })
    }

    /// Makes the response headers what they are to be.
    pub fn restore(self) -> Result<(), HostStatus> {
        let status = self.status.to_string();
        abi::set_header(Map::ResponseHeaders, b":status", status.as_bytes())?;
        match &self.content_type {
            Some(content_type) => abi::set_header(Map::ResponseHeaders, b"content-type", content_type),
            None => Ok(()),
        }
    }
}

/// Answers at once a client that has got nothing of an answer yet. Returns what has to be restored when the answer
/// comes through this filter.
pub fn send_through(reply: &Reply) -> Option<Disguised> {
    send_reply(
        reply,
        match reply.status {
            400 => BAD_REQUEST_STAND_IN,
            status => status,
        },
    );
    Disguised::of(reply)
}

/// As [`send_through`], for a request that Envoy's gRPC-Web filter has seen. That filter takes the body out of an
/// answer that isn't a success in gRPC, so the reply is sent as a success.
pub fn send_past_grpc_web(reply: &Reply) -> Option<Disguised> {
    let mut disguise = Reply {
        status: 200,
        body: reply.body.clone(),
        ..Reply::default()
    };
    for (name, value) in reply.headers.iter() {
        if name != b"content-type" {
            disguise.headers.push(name, value);
        }
    }
    disguise.headers.push(b"content-type", GRPC);
    send_reply(&disguise, disguise.status);
    Some(Disguised {
        status: reply.status,
        content_type: reply.headers.get("content-type").map(<[u8]>::to_vec),
    })
}
