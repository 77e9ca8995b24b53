//! What all exchanges of one plugin configuration share in Envoy.

use std::cell::RefCell;
use std::rc::Rc;

use super::body::Body;
use super::held::{self, AllHeld};
use super::hold::{self, Holding, Verdict, Waiting};
use super::names::ORIGINAL_PATH_HEADER;
use super::replies::Replies;
use super::steps::{Followed, Request};
use super::ticker::Ticker;
use crate::config::Plugin;
use crate::exchange::{Abilities, Exchange, RequestStep, ResponseStep};
use crate::filter::abi::{self, Buffer, Map, Stream};
use crate::filter::exports;
use crate::filter::host_profile::HostProfile;
use crate::filter::observe::Observer;
use crate::filter::shared::Shared as AnyShared;

/// What all exchanges of one plugin configuration share in Envoy.
pub struct Shared {
    /// What they share on any host.
    pub any: Rc<AnyShared>,
    /// Whether headers can be held, and who waits to find out.
    pub holding: Holding,
    /// Answers that wait for a tick.
    pub replies: Replies,
    /// Answers that wait for their status.
    pub held: AllHeld,
    /// The timer.
    pub ticker: Ticker,
}

impl Shared {
    /// Nothing has been served yet.
    pub fn new(any: Rc<AnyShared>) -> Self {
        Self {
            holding: Holding::new(any.plugin.settings.hold_headers),
            any,
            replies: Replies::default(),
            held: AllHeld::default(),
            ticker: Ticker::default(),
        }
    }

    /// The configuration.
    pub fn plugin(&self) -> &Rc<Plugin> {
        &self.any.plugin
    }

    /// What an operator sees of exchanges.
    pub fn observer(&self) -> &Observer {
        self.any.observer(HostProfile::Envoy)
    }

    /// What Envoy can do with an exchange, as far as is known now.
    pub fn abilities(&self) -> Abilities {
        let logged = self.plugin().settings.access_log;
        Abilities {
            replaces_requests: exports::has_watermark(),
            property: abi::property_at,
            clock: || abi::now().map_or(0, |now| i64::try_from(now / 1_000_000_000).unwrap_or(i64::MAX)),
            ..Abilities::envoy(
                // Without "stop, and watermark", what is held is in Envoy's buffer, which is bounded and fills.
                self.holding.verdict() == Verdict::Holds && exports::has_watermark(),
                logged.then_some(ORIGINAL_PATH_HEADER),
            )
        }
    }

    /// The request of `context`, for which a step is to be done.
    pub fn request(&self, context: u32) -> Request<'_> {
        Request {
            context,
            settings: &self.plugin().settings,
            replies: &self.replies,
            ticker: &self.ticker,
        }
    }

    /// The timer has ticked.
    pub fn tick(&self) {
        self.replies.flush();
        self.any.flush();
        self.release_waiting();
        self.release_held();
        self.ticker.next(match (self.holding.waits(), self.held.is_empty()) {
            (true, _) => hold::TICK,
            (false, false) => held::TICK,
            (false, true) => 0,
        });
    }

    /// Lets answers go on that have waited long enough for their status.
    fn release_held(&self) {
        for (context, exchange) in self.held.take_due() {
            if let Err(status) = abi::set_effective_context(context) {
                log::error!("cannot reach context {context}: {status}");
                continue;
            }
            let workspace = &mut *self.any.workspace.borrow_mut();
            let released = match exchange.borrow_mut().release_response(workspace) {
                // Its context needn't know of this: the exchange asks for nothing more that depends on it.
                ResponseStep::RewriteHeaders(edits) => {
                    abi::edit_headers(Map::ResponseHeaders, edits).and_then(|()| abi::continue_stream(Stream::Response))
                }
                // It has ended meanwhile.
                _ => Ok(()),
            };
            if let Err(status) = released {
                log::error!("cannot continue a response: {status}");
                if let Err(status) = abi::close_stream(Stream::Response) {
                    log::error!("cannot reset a response: {status}");
                }
            }
        }
    }

    /// Lets requests go on that have waited long enough while it isn't known whether headers are held.
    fn release_waiting(&self) {
        let now = abi::now().unwrap_or(u64::MAX);
        for request in self.holding.take_due(now) {
            let Waiting { context, exchange, .. } = request;
            if let Err(status) = abi::set_effective_context(context) {
                log::error!("cannot reach context {context}: {status}");
                continue;
            }
            if self.release_headers(context, &exchange) {
                self.holding.let_go();
                if let Err(status) = abi::continue_stream(Stream::Request) {
                    log::error!("cannot continue a request: {status}");
                }
            }
        }
    }

    /// Lets the request headers go on without their body. Returns whether they may.
    fn release_headers(&self, context: u32, exchange: &RefCell<Exchange>) -> bool {
        let workspace = &mut *self.any.workspace.borrow_mut();
        let mut exchange = exchange.borrow_mut();
        let step = exchange.release_request_headers(self.abilities(), workspace);
        // At once, since a tick is a round of its own; and without a disguise, since the context that would undo it
        // isn't here.
        if let RequestStep::Reply(reply) = step {
            abi::send_reply(reply, reply.status);
            return false;
        }
        // Nothing of a body is shown here.
        let failure = match self.request(context).follow(step, &mut Body::new(Buffer::RequestBody)) {
            Ok(Followed::Continue) => return true,
            Ok(_) => return false,
            Err(failure) => failure,
        };
        let reply = exchange.fail(&failure, workspace);
        abi::send_reply(reply, reply.status);
        false
    }
}
