//! Envoy, and what the filter does there.

use std::rc::Rc;

use protobridge::config::Plugin;
use protobridge::exchange::{
    Abilities, CallStep, Exchange, Failure, HookStep, HostReply, RequestStep, ResponseStep, Workspace,
};
use protobridge::hooks::{CallFailure, Outcome};
use protobridge::http::headers::Headers;

use super::{Client, End, Ends, Flow, Host, Upstream};

/// Whether headers are held until the body is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    Yes,
    No,
    /// Not known: the request waits for its body or a tick.
    Unknown,
}

pub struct Envoy<'w> {
    exchange: Exchange,
    workspace: &'w mut Workspace,
    ends: Ends,
    holding: Holding,
    /// Whether the next tick lets the headers go.
    waits: bool,
    request_ended: bool,
    /// Whether the request's body can be replaced when trailers come: Envoy holds something in its place.
    filler: bool,
    initial: Headers,
    response_began: bool,
    /// The response's headers went on in front of its body.
    released: bool,
    /// What Envoy holds of the response's body.
    held: Vec<u8>,
    /// How much room there is for what takes its place.
    reserved: Option<usize>,
    response_ended: bool,
    /// What the hook got that is asked.
    hook: Option<Vec<u8>>,
    /// How many hooks must have let the request go on before it does.
    guards: usize,
}

impl<'w> Envoy<'w> {
    /// `guards`: how many hooks of the plugin's see a request before it goes on.
    pub fn new(plugin: Rc<Plugin>, guards: usize, holding: Holding, workspace: &'w mut Workspace) -> Self {
        Self {
            hook: None,
            guards,
            exchange: Exchange::new(Rc::clone(&plugin)),
            workspace,
            ends: Ends {
                client: Client {
                    hooked: plugin.hooks.is_some(),
                    ..Client::default()
                },
                upstream: Upstream::default(),
            },
            holding,
            waits: false,
            request_ended: false,
            filler: false,
            initial: Headers::default(),
            response_began: false,
            released: false,
            held: Vec::new(),
            reserved: None,
            response_ended: false,
        }
    }

    fn abilities(&self) -> Abilities {
        Abilities::envoy(self.holding == Holding::Yes, Some(b"x-envoy-original-path"))
    }

    pub fn request_headers(&mut self, headers: Headers, end: bool) {
        self.request_ended = end;
        let abilities = self.abilities();
        let step = self.exchange.request_headers(headers, end, abilities, self.workspace);
        let asks = matches!(step, RequestStep::Ask);
        self.ends.request(step, false);
        self.behind(asks);
        if !self.exchange.awaits_body() {
            return;
        }
        assert!(!end, "there is no body to wait for");
        match self.holding {
            Holding::Yes => {}
            Holding::No => self.release(),
            Holding::Unknown => self.waits = true,
        }
    }

    fn release(&mut self) {
        let abilities = self.abilities();
        let step = self.exchange.release_request_headers(abilities, self.workspace);
        let asks = matches!(step, RequestStep::Ask);
        self.ends.request(step, false);
        self.behind(asks);
    }

    fn request_chunk(&mut self, bytes: &[u8], end: bool) {
        let abilities = self.abilities();
        let step = self.exchange.request_chunk(bytes, end, abilities, self.workspace);
        let asks = matches!(step, RequestStep::Ask);
        self.ends.request(step, true);
        self.behind(asks);
    }

    /// A step about the request is done. `asks`: it was to ask hooks.
    fn behind(&mut self, asks: bool) {
        self.after_reply();
        if asks {
            return self.ask();
        }
        let goes_on = self.ends.upstream.asked || self.ends.upstream.called;
        assert!(
            self.guards == 0 || !goes_on && self.ends.client.end != Some(End::Untouched),
            "it goes on unasked"
        );
    }

    /// Does what is next where hooks are asked.
    fn ask(&mut self) {
        let abilities = self.abilities();
        match self.exchange.next_hook(abilities, self.workspace) {
            HookStep::Call(call) => self.hook = Some(call.message.to_vec()),
            // It is for nobody here, and goes on with what hooks have made of its body.
            HookStep::Request {
                step: RequestStep::Forward(forward),
                ..
            } if !forward.edits.sets().any(|(name, _)| name == b":path") => {
                self.ends.client.ends(End::Untouched);
                self.behind(false);
            }
            HookStep::Request { step, .. } => {
                let asks = matches!(step, RequestStep::Ask);
                assert!(!asks, "there is nothing to ask");
                self.ends.request(step, false);
                self.behind(false);
            }
            HookStep::Reply(reply) => {
                self.ends.client.reply(reply);
                self.after_reply();
            }
        }
    }

    fn is_over(&self) -> bool {
        self.ends.client.end.is_some()
    }

    /// An answer of the filter's own passes through it like any other, and must not be taken for the upstream's.
    fn after_reply(&mut self) {
        if self.ends.client.end == Some(End::Reply) {
            assert!(!self.exchange.awaits_response() && !self.exchange.awaits_body());
            self.hook = None;
            self.exchange.answered_elsewhere(None);
        }
    }

    fn fail(&mut self) {
        self.ends.upstream.called = false;
        let reply = self
            .exchange
            .fail(&Failure::internal("the gateway refused"), self.workspace);
        self.ends.client.reply(reply);
        self.after_reply();
    }

    /// Does what a step about the response asks for. `bytes`: it came with some. `end`: nothing comes behind it.
    fn respond(
        &mut self,
        bytes: bool,
        end: bool,
        event: impl for<'x> FnOnce(&'x mut Exchange, &'x mut Workspace) -> ResponseStep<'x>,
    ) {
        let client = &mut self.ends.client;
        let mut asks = false;
        let flow = match event(&mut self.exchange, self.workspace) {
            ResponseStep::PassThrough => {
                assert!(!bytes, "raw bytes pass");
                Flow::Continue
            }
            ResponseStep::Await => Flow::Hold,
            ResponseStep::Ask => {
                asks = true;
                Flow::Drop
            }
            ResponseStep::Drop => Flow::Drop,
            ResponseStep::RewriteTrailers(_) => Flow::Continue,
            ResponseStep::RewriteHeaders(edits) => {
                let length = edits.sets().find(|(name, _)| *name == b"content-length");
                assert!(length.is_none_or(|(_, length)| length == self.held.len().to_string().as_bytes()));
                client.headers(&self.initial, edits);
                self.released = true;
                Flow::Continue
            }
            ResponseStep::Hold(body) => {
                self.held.extend_from_slice(body);
                Flow::Hold
            }
            ResponseStep::Chunk {
                edits,
                body,
                whole,
                hold,
            } => {
                if let Some(edits) = edits {
                    let length = edits.sets().find(|(name, _)| *name == b"content-length");
                    let all = self.held.len() + body.len();
                    assert!(!whole || length.is_none_or(|(_, length)| length == all.to_string().as_bytes()));
                    client.headers(&self.initial, edits);
                    self.released = true;
                }
                self.held.extend_from_slice(body);
                self.reserved = None;
                match hold {
                    true => Flow::Hold,
                    false => Flow::Continue,
                }
            }
            ResponseStep::Reserve(room) => {
                self.reserved = Some(room);
                Flow::Drop
            }
            ResponseStep::Fill(body) => match self.reserved {
                Some(room) if body.len() <= room => {
                    self.held.extend_from_slice(body);
                    Flow::Continue
                }
                _ => {
                    client.ends(End::CutOff);
                    Flow::Drop
                }
            },
            ResponseStep::Reset => {
                client.ends(End::CutOff);
                Flow::Drop
            }
            ResponseStep::Reply(_) if self.released => {
                client.ends(End::CutOff);
                Flow::Drop
            }
            ResponseStep::Reply(reply) => {
                client.reply(reply);
                Flow::Drop
            }
        };
        if flow == Flow::Continue {
            client.bytes(&std::mem::take(&mut self.held));
        }
        self.after_reply();
        if asks {
            self.response_ended |= end;
            return self.ask();
        }
        if end && !self.is_over() {
            assert_eq!(flow, Flow::Continue, "the answer is lost");
            assert!(self.ends.client.has_headers(), "the headers go out as they are");
            self.ends.client.ends(End::InPlace);
        }
    }
}

impl Host for Envoy<'_> {
    fn ends(&mut self) -> &mut Ends {
        &mut self.ends
    }

    fn client_bytes(&mut self, bytes: &[u8], end: bool) {
        // Behind a request that is asked about by its headers alone, nothing is shown.
        if self.request_ended || self.is_over() || self.hook.is_some() {
            return;
        }
        self.request_ended = end;
        if self.exchange.uploads() {
            self.request_chunk(bytes, end);
            if end && !self.is_over() {
                self.ends.upstream.ends();
            }
            return;
        }
        if self.ends.upstream.complete || self.ends.upstream.called {
            // It is complete by its content-length, and nothing more goes on.
            return;
        }
        assert!(self.exchange.awaits_body(), "the body passes");
        if std::mem::take(&mut self.waits) {
            self.holding = Holding::Yes;
        }
        self.filler = true;
        self.request_chunk(bytes, end);
        let upstream = &self.ends.upstream;
        assert!(
            !end || self.is_over() || upstream.complete || upstream.called || self.hook.is_some(),
            "the request is lost"
        );
    }

    fn client_trailers(&mut self) {
        if self.request_ended || self.is_over() || self.hook.is_some() {
            return;
        }
        self.request_ended = true;
        if std::mem::take(&mut self.waits) {
            self.holding = Holding::Yes;
        }
        if !self.exchange.uploads() {
            if self.ends.upstream.complete || self.ends.upstream.called {
                return;
            }
            assert!(self.exchange.awaits_body(), "the trailers pass");
            if self.filler {
                return self.request_chunk(b"", true);
            }
            let abilities = self.abilities();
            let step = self.exchange.request_without_body(abilities, self.workspace);
            let asks = matches!(step, RequestStep::Ask);
            self.ends.request(step, true);
            return self.behind(asks);
        }
        let abilities = self.abilities();
        let step = self.exchange.request_chunk(b"", true, abilities, self.workspace);
        if matches!(step, protobridge::exchange::RequestStep::Chunk(frames) if !frames.is_empty()) {
            // They can go nowhere any more.
            return self.fail();
        }
        self.ends.request(step, true);
        self.after_reply();
        if !self.is_over() {
            self.ends.upstream.ends();
        }
    }

    fn upstream_headers(&mut self, headers: Headers, end: bool) {
        if self.is_over() || self.hook.is_some() {
            return;
        }
        if self.ends.upstream.called {
            return self.exchange.call_initial_metadata(headers);
        }
        if self.response_began || !self.ends.upstream.asked {
            return;
        }
        assert!(self.exchange.awaits_response(), "raw headers pass");
        (self.response_began, self.response_ended) = (true, end);
        self.initial = headers.clone();
        let abilities = self.abilities();
        self.respond(false, end, |exchange, workspace| {
            exchange.response_headers(headers, end, None, abilities, workspace)
        });
    }

    fn upstream_bytes(&mut self, bytes: &[u8], end: bool) {
        // What comes while hooks are asked about the answer is dropped.
        if self.is_over() || self.response_ended || self.hook.is_some() {
            return;
        }
        if self.ends.upstream.called {
            match self.exchange.call_message(bytes.to_vec(), self.workspace) {
                CallStep::Await | CallStep::Ask => {}
                CallStep::Reply(_) => panic!("an answer in front of the end"),
                CallStep::CancelAndReply(reply) => {
                    self.ends.client.reply(reply);
                    self.ends.upstream.called = false;
                }
            }
            return self.after_reply();
        }
        if !self.response_began {
            return;
        }
        assert!(self.exchange.awaits_response(), "raw bytes pass");
        self.response_ended = end;
        self.respond(!bytes.is_empty(), end, |exchange, workspace| {
            exchange.response_chunk(bytes, end, workspace)
        });
    }

    fn upstream_trailers(&mut self, trailers: Headers) {
        if self.is_over() || self.response_ended || self.hook.is_some() {
            return;
        }
        if self.ends.upstream.called {
            return self.exchange.call_trailing_metadata(trailers);
        }
        if !self.response_began {
            return;
        }
        assert!(self.exchange.awaits_response(), "raw bytes pass");
        self.response_ended = true;
        self.respond(false, true, |exchange, workspace| {
            exchange.response_chunks_ended(trailers, workspace)
        });
    }

    fn host_answers(&mut self, headers: Headers, end: bool, host_reply: Option<HostReply>) {
        if self.is_over() {
            return;
        }
        if self.response_began {
            // Too late for an answer: the host resets.
            return self.ends.client.ends(End::Host);
        }
        if !self.exchange.awaits_response() {
            self.exchange.answered_elsewhere(None);
            self.ends.upstream.called = false;
            return self.ends.client.ends(End::Host);
        }
        let abilities = self.abilities();
        (self.response_began, self.response_ended) = (true, end);
        self.initial = headers.clone();
        self.respond(false, end, |exchange, workspace| {
            exchange.response_headers(headers, end, host_reply, abilities, workspace)
        });
    }

    fn call_closed(&mut self, code: u32, message: &[u8], host_reply: Option<HostReply>) {
        if self.is_over() || !self.ends.upstream.called {
            return;
        }
        self.ends.upstream.called = false;
        match self.exchange.call_closed(code, message, host_reply, self.workspace) {
            CallStep::Reply(reply) => self.ends.client.reply(reply),
            CallStep::Ask => return self.ask(),
            step => panic!("a call's end gives {step:?}"),
        }
        self.after_reply();
    }

    fn tick(&mut self) {
        if self.is_over() {
            return;
        }
        if self.exchange.response_may_stall() {
            self.respond(false, false, |exchange, workspace| exchange.release_response(workspace));
        }
        if std::mem::take(&mut self.waits) {
            self.release();
        }
    }

    fn refuses(&mut self) {
        if !self.is_over()
            && (self.exchange.awaits_body()
                || self.ends.upstream.called
                || self.exchange.awaits_response()
                || self.hook.is_some())
        {
            self.fail();
        }
    }

    fn client_leaves(&mut self) {
        if !self.is_over() {
            self.ends.client.ends(End::Left);
        }
    }

    fn hook_answers(&mut self, answer: Result<&[u8], CallFailure>) -> bool {
        if self.is_over() {
            return false;
        }
        let Some(mut object) = self.hook.take() else {
            return false;
        };
        let answer = answer.map(|change| {
            object.extend_from_slice(change);
            &*object
        });
        let news = self.exchange.hook_answered(answer).expect("a hook");
        if news.outcome == Outcome::Passed {
            self.guards = self.guards.saturating_sub(1);
        }
        self.ask();
        true
    }
}
