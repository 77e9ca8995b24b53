//! No host at all: events in an order that none has.

use std::rc::Rc;

use protobridge::config::Plugin;
use protobridge::exchange::{
    Abilities, CallStep, Exchange, Failure, HookStep, HostReply, RequestStep, ResponseStep, Workspace,
};
use protobridge::http::headers::Headers;

use crate::letters::Letters;

/// Events by these letters; `fields` and `bytes` make what comes with one, `change` what a hook puts behind what it got.
/// There is at most one answer: a reply, or a response in place that begins in parts; and at most one request goes on.
pub fn run<'i>(
    plugin: Rc<Plugin>,
    asked: Headers,
    letters: &mut Letters<'i>,
    workspace: &mut Workspace,
    bytes: impl Fn(&mut Letters<'i>) -> Vec<u8>,
    fields: impl Fn(&mut Letters<'i>) -> Headers,
    change: impl Fn(&mut Letters<'i>) -> &'static [u8],
) {
    let mut exchange = Exchange::new(plugin);
    let (mut answers, mut parts, mut requests) = (0, 0, 0);
    let mut asked = Some(asked);
    let mut hook: Option<Vec<u8>> = None;
    loop {
        // All begins with the request's headers, and they come once.
        let event = if asked.is_some() { 0 } else { 1 + letters.letter() % 18 };
        let abilities = Abilities {
            calls: letters.flag(),
            fills_bodyless: letters.flag(),
            streams_requests: letters.flag(),
            continues: letters.flag(),
            holds_response: letters.flag(),
            replaces_requests: letters.flag(),
            trailers_with_body: letters.flag(),
            original_path: None,
            obstacle: None,
            passes_unread: true,
            property: |_| None,
            changes_trailers: letters.flag(),
            clock: || 0,
        };
        let (chunk, end) = (bytes(letters), letters.flag());
        let host_reply = *letters.choose(&[None, None, Some(HostReply::Deadline), Some(HostReply::Unreachable)]);
        let workspace = &mut *workspace;
        let request = match event {
            0 => exchange.request_headers(asked.take().unwrap_or_default(), end, abilities, workspace),
            1 => exchange.release_request_headers(abilities, workspace),
            2 | 3 => exchange.request_chunk(&chunk, end, abilities, workspace),
            4 => exchange.request_without_body(abilities, workspace),
            _ => RequestStep::Await,
        };
        let mut asks = matches!(request, RequestStep::Ask);
        match request {
            RequestStep::Reply(_) | RequestStep::BreakOff(_) | RequestStep::Supersede(_) => answers += 1,
            RequestStep::Call(_) | RequestStep::Forward(_) | RequestStep::ForwardHeaders { .. } => requests += 1,
            _ => {}
        }
        let response = match event {
            5 => exchange.response_headers(fields(letters), end, host_reply, abilities, workspace),
            6 | 7 => exchange.response_chunk(&chunk, end, workspace),
            8 | 9 if exchange.changes_native() => exchange.native_trailers(workspace),
            8 | 9 => exchange.response_chunks_ended(fields(letters), workspace),
            10 => exchange.release_response(workspace),
            _ => ResponseStep::Await,
        };
        asks |= matches!(response, ResponseStep::Ask);
        match response {
            ResponseStep::Reply(_) => answers += 1,
            ResponseStep::Chunk { edits: Some(_), .. } => parts += 1,
            _ => {}
        }
        let call = match event {
            11 => exchange.call_message(chunk, workspace),
            12 => exchange.call_closed(u32::from(end) * 13, b"why{via_upstream}", host_reply, workspace),
            _ => CallStep::Await,
        };
        match call {
            CallStep::Await => {}
            CallStep::Ask => asks = true,
            CallStep::Reply(_) | CallStep::CancelAndReply(_) => answers += 1,
        }
        match event {
            13 if exchange.changes_native() => exchange.native_answer_begins(),
            13 => exchange.call_initial_metadata(fields(letters)),
            14 => exchange.call_trailing_metadata(fields(letters)),
            15 => exchange.response_trailers(fields(letters)),
            16 if end => exchange.answered_elsewhere(None),
            16 if answers == 0 => {
                exchange.fail(&Failure::internal("why"), workspace);
                answers += 1;
            }
            _ => {}
        }
        if let Some(object) = hook.as_mut().filter(|_| event > 16) {
            object.extend_from_slice(change(letters));
            asks = exchange.hook_answered(Ok(object)).is_some();
            hook = None;
        }
        if asks {
            match exchange.next_hook(abilities, workspace) {
                HookStep::Call(call) => hook = Some(call.message.to_vec()),
                HookStep::Reply(_) => answers += 1,
                HookStep::Request { step, .. } => match step {
                    RequestStep::Reply(_) | RequestStep::BreakOff(_) | RequestStep::Supersede(_) => answers += 1,
                    RequestStep::Call(_) | RequestStep::Forward(_) | RequestStep::ForwardHeaders { .. } => {
                        requests += 1;
                    }
                    _ => {}
                },
            }
        }
        assert!(
            answers <= 1 && parts <= 1 && requests <= 1,
            "{answers} {parts} {requests}"
        );
        if letters.is_empty() {
            return;
        }
    }
}
