//! WasmX in Kong, and what the filter does there.

use std::rc::Rc;

use protobridge::config::Plugin;
use protobridge::exchange::{Abilities, Exchange, Failure, HostReply, RequestStep, ResponseStep, Workspace};
use protobridge::hooks::CallFailure;
use protobridge::http::headers::Headers;

use super::{Client, End, Ends, Host, Upstream};

/// Whether a request has a body, as the host shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasBody {
    /// Or it may have one, which turns out empty.
    Yes,
    No,
    /// None, which HTTP/2 says by a flag: the filter finds it out behind the headers.
    NoneByFlag,
}

/// What becomes of the response's body.
enum Response {
    Awaited,
    Passes,
    Flows,
    Replaced(Vec<u8>),
    Ended,
}

pub struct Kong<'w> {
    exchange: Exchange,
    workspace: &'w mut Workspace,
    ends: Ends,
    request: Vec<u8>,
    request_ended: bool,
    /// Whether the request goes on as it is: the host has not shown that there is nothing in it.
    unread: bool,
    response: Response,
    trailers: Headers,
}

impl<'w> Kong<'w> {
    pub fn new(plugin: Rc<Plugin>, workspace: &'w mut Workspace) -> Self {
        Self {
            exchange: Exchange::new(plugin),
            workspace,
            ends: Ends {
                client: Client::default(),
                upstream: Upstream::default(),
            },
            request: Vec::new(),
            request_ended: false,
            unread: false,
            response: Response::Awaited,
            trailers: Headers::default(),
        }
    }

    pub fn request_headers(&mut self, headers: Headers, has_body: HasBody, obstacle: Option<&'static str>) {
        self.request_ended = has_body != HasBody::Yes;
        let bodyless = has_body == HasBody::No;
        let abilities = Abilities {
            passes_unread: matches!(headers.get(":method"), Some(b"GET" | b"OPTIONS")),
            ..Abilities::wasmx(obstacle)
        };
        let step = self
            .exchange
            .request_headers(headers, bodyless, abilities, self.workspace);
        Self::follow(&mut self.ends, step, false);
        if self.exchange.is_refused() || has_body == HasBody::NoneByFlag && self.exchange.awaits_body() {
            self.complete_request(None);
        }
        self.after_reply();
    }

    fn follow(ends: &mut Ends, step: RequestStep<'_>, body: bool) {
        let fits = matches!(
            step,
            RequestStep::PassThrough | RequestStep::Await | RequestStep::Reply(_) | RequestStep::Forward(_)
        );
        assert!(fits, "{step:?}");
        ends.request(step, body);
    }

    fn complete_request(&mut self, body: Option<&[u8]>) {
        let abilities = Abilities::wasmx(None);
        let step = match body {
            Some(body) => self.exchange.request_chunk(body, true, abilities, self.workspace),
            None => self.exchange.request_without_body(abilities, self.workspace),
        };
        Self::follow(&mut self.ends, step, true);
        self.after_reply();
        assert!(self.is_over() || self.ends.upstream.complete, "the request is lost");
    }

    fn is_over(&self) -> bool {
        self.ends.client.end.is_some()
    }

    fn after_reply(&mut self) {
        if self.ends.client.end == Some(End::Reply) {
            assert!(!self.exchange.awaits_response() && !self.exchange.awaits_body());
            self.exchange.answered_elsewhere(None);
        }
    }

    fn fail(&mut self) {
        let reply = self
            .exchange
            .fail(&Failure::internal("the gateway refused"), self.workspace);
        self.ends.client.reply(reply);
        self.after_reply();
    }

    fn convert(&mut self, chunk: &[u8], end: bool) -> Vec<u8> {
        match &mut self.response {
            Response::Flows => {
                if end {
                    self.exchange.response_trailers(std::mem::take(&mut self.trailers));
                }
                match self.exchange.response_chunk(chunk, end, self.workspace) {
                    ResponseStep::Chunk {
                        edits: None,
                        body,
                        hold: false,
                        ..
                    } => body.to_vec(),
                    ResponseStep::Drop => Vec::new(),
                    ResponseStep::Reply(reply) => {
                        self.response = Response::Replaced(reply.body.clone());
                        self.replacement(end)
                    }
                    // There is no reset to be had: what ends so is cut short.
                    ResponseStep::Reset => {
                        self.ends.client.ends(End::CutOff);
                        self.response = Response::Ended;
                        Vec::new()
                    }
                    step => panic!("{step:?}"),
                }
            }
            Response::Replaced(_) => self.replacement(end),
            Response::Awaited | Response::Passes | Response::Ended => panic!("raw bytes pass"),
        }
    }

    fn replacement(&mut self, end: bool) -> Vec<u8> {
        match &mut self.response {
            Response::Replaced(body) if end => std::mem::take(body),
            _ => Vec::new(),
        }
    }
}

impl Host for Kong<'_> {
    fn ends(&mut self) -> &mut Ends {
        &mut self.ends
    }

    /// The body comes whole, and not at all where it is empty.
    fn client_bytes(&mut self, bytes: &[u8], end: bool) {
        if self.request_ended || self.is_over() {
            return;
        }
        self.request.extend_from_slice(bytes);
        if !end {
            return;
        }
        self.request_ended = true;
        assert!(self.exchange.awaits_body(), "the body passes");
        match std::mem::take(&mut self.request) {
            body if body.is_empty() => {
                self.unread = true;
                self.ends.upstream.asked = true;
            }
            body => self.complete_request(Some(&body)),
        }
    }

    fn client_trailers(&mut self) {
        self.client_bytes(b"", true);
    }

    fn upstream_headers(&mut self, headers: Headers, _: bool) {
        if self.is_over() || !matches!(self.response, Response::Awaited) || !self.request_ended {
            return;
        }
        let grpc = headers
            .get("content-type")
            .is_some_and(|value| value.starts_with(b"application/grpc"));
        if self.unread && grpc {
            assert!(self.exchange.awaits_body());
            return self.fail();
        }
        if !self.exchange.awaits_response() {
            assert!(!grpc, "a raw answer passes");
            self.exchange.answered_elsewhere(None);
            self.response = Response::Passes;
            return self.ends.client.ends(End::Host);
        }
        let alone = headers.get("grpc-status").is_some_and(|status| status != b"0");
        let step = self
            .exchange
            .response_headers(headers.clone(), alone, None, Abilities::wasmx(None), self.workspace);
        match step {
            ResponseStep::RewriteHeaders(edits) => {
                self.ends.client.headers(&headers, edits);
                self.response = Response::Flows;
            }
            // It takes the place of the upstream's answer; only what comes is different from a reply elsewhere.
            ResponseStep::Reply(reply) => {
                self.ends.client.reply(reply);
                self.after_reply();
            }
            step => panic!("{step:?}"),
        }
    }

    fn upstream_bytes(&mut self, bytes: &[u8], end: bool) {
        if self.is_over() || matches!(self.response, Response::Awaited) {
            return;
        }
        let body = self.convert(bytes, end);
        self.ends.client.bytes(&body);
        if end && !self.is_over() {
            self.response = Response::Ended;
            self.ends.client.ends(End::InPlace);
        }
    }

    /// They are there with the last bytes of the body.
    fn upstream_trailers(&mut self, trailers: Headers) {
        self.trailers = trailers;
        self.upstream_bytes(b"", true);
    }

    fn host_answers(&mut self, headers: Headers, end: bool, _: Option<HostReply>) {
        if self.ends.client.has_headers() && !self.is_over() {
            return self.ends.client.ends(End::Host);
        }
        self.upstream_headers(headers, end);
    }

    fn call_closed(&mut self, _: u32, _: &[u8], _: Option<HostReply>) {}

    fn tick(&mut self) {}

    fn refuses(&mut self) {
        if !self.is_over() && self.exchange.awaits_body() {
            self.fail();
        }
    }

    fn client_leaves(&mut self) {
        if !self.is_over() {
            self.ends.client.ends(End::Left);
        }
    }

    fn hook_answers(&mut self, _: Result<&[u8], CallFailure>) -> bool {
        false
    }
}
