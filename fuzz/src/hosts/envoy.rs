//! Envoy, and what the filter does there.

use std::rc::Rc;

use protobridge::config::Plugin;
use protobridge::exchange::{Abilities, CallStep, Exchange, Failure, HostReply, ResponseStep, Workspace};
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
    request: Vec<u8>,
    initial: Headers,
    response_began: bool,
    /// The response's headers went on in front of its body.
    released: bool,
    response: Vec<u8>,
    response_ended: bool,
}

impl<'w> Envoy<'w> {
    pub fn new(plugin: Rc<Plugin>, holding: Holding, workspace: &'w mut Workspace) -> Self {
        Self {
            exchange: Exchange::new(plugin),
            workspace,
            ends: Ends {
                client: Client::default(),
                upstream: Upstream::default(),
            },
            holding,
            waits: false,
            request_ended: false,
            request: Vec::new(),
            initial: Headers::default(),
            response_began: false,
            released: false,
            response: Vec::new(),
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
        self.ends.request(step, false);
        self.after_reply();
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
        self.ends.request(step, false);
        self.after_reply();
    }

    fn complete_request(&mut self) {
        let body = std::mem::take(&mut self.request);
        let body = (!body.is_empty()).then_some(body.as_slice());
        let abilities = self.abilities();
        let step = self.exchange.request_body(body, abilities, self.workspace);
        self.ends.request(step, true);
        self.after_reply();
        let upstream = &self.ends.upstream;
        assert!(
            self.is_over() || upstream.complete || upstream.called,
            "the request is lost"
        );
    }

    fn is_over(&self) -> bool {
        self.ends.client.end.is_some()
    }

    /// An answer of the filter's own passes through it like any other, and must not be taken for the upstream's.
    fn after_reply(&mut self) {
        if self.ends.client.end == Some(End::Reply) {
            assert!(!self.exchange.awaits_response() && !self.exchange.awaits_body());
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

    /// Does what a step about the response asks for; what then waits, where that is not what came. `bytes`: it came with
    /// some.
    fn follow(
        ends: &mut Ends,
        initial: &Headers,
        released: &mut bool,
        step: ResponseStep<'_>,
        bytes: bool,
    ) -> (Flow, Option<Vec<u8>>) {
        let client = &mut ends.client;
        let flow = match step {
            ResponseStep::PassThrough => {
                assert!(!bytes, "raw bytes pass");
                Flow::Continue
            }
            ResponseStep::Await => Flow::Hold,
            ResponseStep::Drop => Flow::Drop,
            ResponseStep::RewriteHeaders(edits) => {
                client.headers(initial, edits);
                *released = true;
                Flow::Continue
            }
            ResponseStep::Rewrite { edits, body } => {
                if !*released {
                    let length = edits.sets().find(|(name, _)| *name == b"content-length");
                    assert!(length.is_none_or(|(_, length)| length == body.len().to_string().as_bytes()));
                    client.headers(initial, edits);
                }
                client.bytes(body);
                Flow::Continue
            }
            ResponseStep::Chunk { edits, body, hold } => {
                if let Some(edits) = edits {
                    client.headers(initial, edits);
                }
                if hold {
                    return (Flow::Hold, Some(body.to_vec()));
                }
                client.bytes(body);
                Flow::Continue
            }
            ResponseStep::Reset => {
                client.ends(End::CutOff);
                Flow::Drop
            }
            ResponseStep::Reply(_) if *released => {
                client.ends(End::CutOff);
                Flow::Drop
            }
            ResponseStep::Reply(reply) => {
                client.reply(reply);
                Flow::Drop
            }
        };
        (flow, None)
    }

    /// What is at hand goes on, waits, or is gone; and if nothing comes behind it, the client has an answer.
    fn settle(&mut self, (flow, held): (Flow, Option<Vec<u8>>), end: bool) {
        self.after_reply();
        match (flow, held) {
            (Flow::Hold, Some(held)) => self.response = held,
            (Flow::Hold, None) => {}
            (Flow::Continue | Flow::Drop, _) => self.response.clear(),
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
        if self.request_ended || self.is_over() {
            return;
        }
        self.request_ended = end;
        self.request.extend_from_slice(bytes);
        if self.exchange.uploads() {
            let chunk = std::mem::take(&mut self.request);
            let step = self.exchange.request_chunk(&chunk, end, self.workspace);
            self.ends.request(step, true);
            self.after_reply();
            if end && !self.is_over() {
                self.ends.upstream.ends();
            }
            return;
        }
        assert!(self.exchange.awaits_body(), "the body passes");
        if std::mem::take(&mut self.waits) {
            self.holding = Holding::Yes;
        }
        if end {
            return self.complete_request();
        }
        let step = self.exchange.request_body_grew(self.request.len(), self.workspace);
        if self.ends.request(step, true) == Flow::Drop {
            self.request.clear();
        }
        self.after_reply();
    }

    fn client_trailers(&mut self) {
        if self.request_ended || self.is_over() {
            return;
        }
        self.request_ended = true;
        if std::mem::take(&mut self.waits) {
            self.holding = Holding::Yes;
        }
        if !self.exchange.uploads() {
            assert!(self.exchange.awaits_body(), "the trailers pass");
            return self.complete_request();
        }
        let step = self.exchange.request_chunk(b"", true, self.workspace);
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
        if self.is_over() {
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
        let step = self
            .exchange
            .response_headers(headers, end, None, abilities, self.workspace);
        let followed = Self::follow(&mut self.ends, &self.initial, &mut self.released, step, false);
        self.settle(followed, end);
    }

    fn upstream_bytes(&mut self, bytes: &[u8], end: bool) {
        if self.is_over() || self.response_ended {
            return;
        }
        if self.ends.upstream.called {
            match self.exchange.call_message(bytes.to_vec(), self.workspace) {
                CallStep::Await => {}
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
        self.response.extend_from_slice(bytes);
        let body = std::mem::take(&mut self.response);
        let step = match (self.exchange.response_flows(), end) {
            (true, end) => self.exchange.response_chunk(&body, end, self.workspace),
            (false, true) => self.exchange.response_complete(&body, None, self.workspace),
            (false, false) => self.exchange.response_body_grew(body.len(), self.workspace),
        };
        let followed = Self::follow(
            &mut self.ends,
            &self.initial,
            &mut self.released,
            step,
            !body.is_empty(),
        );
        self.response = body;
        self.settle(followed, end);
    }

    fn upstream_trailers(&mut self, trailers: Headers) {
        if self.is_over() || self.response_ended {
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
        let body = std::mem::take(&mut self.response);
        let step = match self.exchange.response_flows() {
            true => {
                // What a step held goes on with them.
                self.ends.client.bytes(&body);
                self.exchange.response_chunks_ended(trailers, self.workspace)
            }
            false => self.exchange.response_complete(&body, Some(trailers), self.workspace),
        };
        let followed = Self::follow(&mut self.ends, &self.initial, &mut self.released, step, false);
        self.settle(followed, true);
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
        let step = self
            .exchange
            .response_headers(headers, end, host_reply, abilities, self.workspace);
        let followed = Self::follow(&mut self.ends, &self.initial, &mut self.released, step, false);
        self.settle(followed, end);
    }

    fn call_closed(&mut self, code: u32, message: &[u8], host_reply: Option<HostReply>) {
        if self.is_over() || !self.ends.upstream.called {
            return;
        }
        self.ends.upstream.called = false;
        match self.exchange.call_closed(code, message, host_reply, self.workspace) {
            CallStep::Reply(reply) => self.ends.client.reply(reply),
            step => panic!("a call's end gives {step:?}"),
        }
        self.after_reply();
    }

    fn tick(&mut self) {
        if self.is_over() || !std::mem::take(&mut self.waits) {
            return;
        }
        self.release();
    }

    fn refuses(&mut self) {
        if !self.is_over()
            && (self.exchange.awaits_body() || self.ends.upstream.called || self.exchange.awaits_response())
        {
            self.fail();
        }
    }

    fn client_leaves(&mut self) {
        if !self.is_over() {
            self.ends.client.ends(End::Left);
        }
    }
}
