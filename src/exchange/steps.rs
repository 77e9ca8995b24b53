//! What an exchange has its host do ([`RequestStep`], [`ResponseStep`], [`CallStep`],
//! [`HookStep`]), and what it must know of the host
//! ([`Abilities`], [`HostReply`]).
//!
//! A step borrows from the workspace: it is to be done before the next event.

use std::time::Duration;

use super::reply::Reply;
use crate::hooks::HookCall;
use crate::http::headers::{HeaderEdits, Headers};

/// What the host can do with this exchange.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// It has a gRPC call API.
    pub calls: bool,
    /// A request that ended at its headers can be given a body in place.
    pub fills_bodyless: bool,
    /// It shows a request's body as it comes.
    pub streams_requests: bool,
    /// It answers `expect: 100-continue` itself, and leaves it there.
    pub continues: bool,
    /// Response headers can be held until the body and trailers are there.
    pub holds_response: bool,
    /// What is put in the place of a request's body whose parts were taken out may have any size.
    pub replaces_requests: bool,
    /// The response's trailers are known with the last bytes of its body, which can still be changed then. Else the body is
    /// out of reach when they come.
    pub trailers_with_body: bool,
    /// The header in which the host's access log looks for the path that the client sent.
    pub original_path: Option<&'static [u8]>,
    /// What keeps the host from carrying this request at all, as the client is told.
    pub obstacle: Option<&'static str>,
    /// The request may go on unread where it is none for a method, a preflight or an upgrade. A host that doesn't show bodies
    /// as they come has seen to it that there is none: it could be a call, whatever the headers say.
    pub passes_unread: bool,
    /// Reads a property of the host's, by its path, whose segments are separated by zero bytes. `None`: it isn't there.
    pub property: fn(&str) -> Option<Vec<u8>>,
    /// The response's trailers can be changed.
    pub changes_trailers: bool,
    /// The time in seconds since 1970.
    pub clock: fn() -> i64,
}

/// No host: it has no clock.
fn no_clock() -> i64 {
    0
}

/// No host: it has no property.
fn no_property(_: &str) -> Option<Vec<u8>> {
    None
}

impl Abilities {
    /// Envoy's, to a module that is complete. `original_path`: see [`Abilities::original_path`].
    pub const fn envoy(holds_response: bool, original_path: Option<&'static [u8]>) -> Self {
        Self {
            calls: true,
            fills_bodyless: false,
            streams_requests: true,
            continues: false,
            holds_response,
            replaces_requests: true,
            trailers_with_body: false,
            original_path,
            obstacle: None,
            passes_unread: true,
            property: no_property,
            changes_trailers: true,
            clock: no_clock,
        }
    }

    /// WasmX's. `obstacle`: see [`Abilities::obstacle`].
    pub const fn wasmx(obstacle: Option<&'static str>) -> Self {
        Self {
            calls: false,
            fills_bodyless: true,
            streams_requests: false,
            continues: true,
            holds_response: false,
            replaces_requests: true,
            trailers_with_body: true,
            original_path: None,
            obstacle,
            passes_unread: false,
            property: no_property,
            changes_trailers: false,
            clock: no_clock,
        }
    }
}

/// What to do with the request.
#[derive(Debug)]
pub enum RequestStep<'w> {
    /// Leave the request and its response alone, from here to their ends.
    PassThrough,
    /// Hold what has come of the request, and wait for more of it.
    Await,
    /// Take this part of the body out, and wait for more of it.
    Drop,
    /// Answer the client with this. The upstream has seen nothing of the request.
    Reply(&'w Reply),
    /// Answer the client with this at once: the upstream has the beginning of the request, and may answer too. Nothing of
    /// an answer has come yet.
    BreakOff(&'w Reply),
    /// The same where the headers of an answer have come, and are held: answer with this in its place.
    Supersede(&'w Reply),
    /// Break the exchange off: an answer has begun to go out, and must not look complete.
    Reset,
    /// Let the headers go on now, with these changes; the body's parts follow as [`RequestStep::Chunk`].
    ForwardHeaders {
        /// What changes in the headers.
        edits: &'w HeaderEdits,
        /// After which time to give up on the response; none: the host's own timeouts apply.
        timeout: Option<Duration>,
    },
    /// Replace this part of the body, and let it go on.
    Chunk(&'w [u8]),
    /// Send the request on in place.
    Forward(Forward<'w>),
    /// Make a gRPC call instead; the request stays where it is.
    Call(Call<'w>),
    /// Hold what has come of the request, the last of its body too: a hook is to be asked, by [`Exchange::next_hook`].
    ///
    /// [`Exchange::next_hook`]: super::Exchange::next_hook
    Ask,
}

/// A request, as it is to go on in place.
#[derive(Debug)]
pub struct Forward<'w> {
    /// What changes in the headers.
    pub edits: &'w HeaderEdits,
    /// The new body: one gRPC frame; nothing where the client streamed nothing, or the message is in the path.
    pub body: &'w [u8],
    /// After which time to give up on the response; none: the host's own timeouts apply.
    pub timeout: Option<Duration>,
}

/// A gRPC call.
#[derive(Debug)]
pub struct Call<'w> {
    /// The host's name of the upstream, where the configuration gives one.
    pub cluster: Option<&'w str>,
    /// The value of `:authority`, where the configuration gives one.
    pub authority: Option<&'w str>,
    /// The service's full name.
    pub service: &'w str,
    /// The method's name in it.
    pub method: &'w str,
    /// Initial metadata.
    pub metadata: &'w Headers,
    /// The one request message, without its frame prefix; none where the client streamed none.
    pub message: Option<&'w [u8]>,
    /// After which time to give up on the answer.
    pub timeout: Option<Duration>,
}

/// What to do with the response in place.
#[derive(Debug)]
pub enum ResponseStep<'w> {
    /// Leave the response alone, to its end.
    PassThrough,
    /// Hold what has come of it, and wait for more.
    Await,
    /// Change the headers, and let them go on now, with what is held of the body; drop the trailers.
    RewriteHeaders(&'w HeaderEdits),
    /// Put this in the place of this part of the body, and hold all of it until the trailers come: it is the whole body.
    Hold(&'w [u8]),
    /// Replace this part of the body, and let it go on; the headers too, with these changes, if they wait.
    Chunk {
        /// What changes in the headers, where they wait.
        edits: Option<&'w HeaderEdits>,
        /// The new bytes.
        body: &'w [u8],
        /// Whether these are all of the body.
        whole: bool,
        /// Whether it is held all the same, and goes on with the trailers.
        hold: bool,
    },
    /// Drop this part of the body, and wait for more.
    Drop,
    /// Change the trailers, and let them go on.
    RewriteTrailers(&'w HeaderEdits),
    /// Drop this part of the body, and hold so many bytes of anything in its place, for [`ResponseStep::Fill`].
    Reserve(usize),
    /// Put this in the place of what was held by [`ResponseStep::Reserve`], and let it go on.
    Fill(&'w [u8]),
    /// Break the response off: it must not look complete.
    Reset,
    /// Answer with this in place of all that came.
    Reply(&'w Reply),
    /// All of the answer is there: hold it as [`ResponseStep::Reserve`] does, and ask a hook, by [`Exchange::next_hook`].
    ///
    /// [`Exchange::next_hook`]: super::Exchange::next_hook
    Ask,
}

/// What is next where hooks are asked.
#[derive(Debug)]
pub enum HookStep<'w> {
    /// Make this call, and tell how it ended.
    Call(HookCall<'w>),
    /// All have been asked of the request: it goes on, or is answered.
    Request {
        /// What they have changed in its headers, before anything else is.
        changes: HeaderEdits,
        /// What to do with it. [`RequestStep::PassThrough`] and [`RequestStep::ForwardHeaders`] leave the body as it is.
        step: RequestStep<'w>,
    },
    /// All have been asked of the response: this is what the client gets.
    Reply(&'w Reply),
}

/// What to do after news of the gRPC call.
#[derive(Debug)]
pub enum CallStep<'w> {
    /// Nothing yet.
    Await,
    /// Answer the client; the call has ended.
    Reply(&'w Reply),
    /// Answer the client; the call goes on and must be cancelled.
    CancelAndReply(&'w Reply),
    /// The call has ended. A hook is to be asked before the client is answered, by [`Exchange::next_hook`].
    ///
    /// [`Exchange::next_hook`]: super::Exchange::next_hook
    Ask,
}

/// An answer that the host made up because the upstream gave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostReply {
    /// The upstream could not be reached, or broke off before its headers.
    Unreachable,
    /// The upstream was reached, and broke the request off before its headers.
    BrokenOff,
    /// The upstream did not answer in time.
    Deadline,
    /// The upstream has not got the request: as a gRPC message it is more than the host holds.
    TooLarge,
    /// No route of the host takes the method's path.
    NoRoute,
    /// The route leads to an upstream that the host doesn't know.
    NoUpstream,
    /// The route leads to no upstream: the host answers itself, with this HTTP status.
    Route(u16),
    /// Another filter of the host has answered, with the headers that came.
    Filter,
}
