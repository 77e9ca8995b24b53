//! One whole exchange: a request, an answer by the upstream or by the host, and anything that can come between, in an
//! order that Envoy (with and without holding headers) or Kong has, and in none at all.
//!
//! A client gets **exactly one final answer**, which is the first of these that happens; behind it nothing reaches the
//! client, and at the end of all events one of them has happened:
//!
//! - a reply: status, headers and a whole body in place of the upstream's answer, of which nothing has gone out;
//! - the upstream's answer in place: its headers changed, once, in front of any of its body, each byte of the body
//!   replaced, and the end of the stream let through;
//! - a cut: the stream is reset behind the beginning of an answer in place;
//! - the host's own answer, or none of ours: a request that isn't for us is let through at its headers.
//!
//! No action is lost or doubled: the upstream is asked once at most, in place or by a call, and the request that it gets
//! is whole frames of the method's messages. What the client gets is what its content-type says, JSON for any error, and
//! never a frame; gRPC's own headers stay behind. Without a host the order is arbitrary, and what is left of this is that
//! nothing panics and that there is one answer at most.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use protobridge::exchange::Workspace;
use protobridge_fuzz::hosts::script;

thread_local! {
    /// One for all, as in the filter.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

fuzz_target!(|data: &[u8]| WORKSPACE.with_borrow_mut(|workspace| script::run(data, workspace)));
