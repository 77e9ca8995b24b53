//! What an exchange looks like from outside: hosts that pass its events on in any order that they really come in, and do
//! what its steps ask for as the filter does; a client and an upstream that check what reaches them.

pub mod disorder;
pub mod envoy;
pub mod kong;
pub mod script;

use prost_reflect::DynamicMessage;
use protobridge::exchange::{HostReply, Reply, RequestStep};
use protobridge::grpc::frame::{FrameReader, Kind};
use protobridge::hooks::CallFailure;
use protobridge::http::headers::{HeaderEdits, Headers};
use serde_json::Value;

use crate::edge::EDGE;

/// A host, as the script drives it. Each function is something that happens there; where it cannot happen now, nothing
/// does.
pub trait Host {
    /// The next bytes of the request's body came.
    fn client_bytes(&mut self, bytes: &[u8], end: bool);
    /// The request ended with trailers.
    fn client_trailers(&mut self);
    /// The upstream's headers came, or a call's initial metadata.
    fn upstream_headers(&mut self, headers: Headers, end: bool);
    /// The next bytes of the response's body came.
    fn upstream_bytes(&mut self, bytes: &[u8], end: bool);
    /// The response ended with these trailers, or a call with this metadata.
    fn upstream_trailers(&mut self, trailers: Headers);
    /// The host answers by itself.
    fn host_answers(&mut self, headers: Headers, end: bool, host_reply: Option<HostReply>);
    /// A call ended without trailing metadata.
    fn call_closed(&mut self, code: u32, message: &[u8], host_reply: Option<HostReply>);
    /// The host's timer.
    fn tick(&mut self);
    /// The host refuses what a step asked for.
    fn refuses(&mut self);
    /// The client left.
    fn client_leaves(&mut self);
    /// The hook that is asked answers with the object that it got and this behind it, which changes it, or fails. Returns
    /// whether there was one.
    fn hook_answers(&mut self, answer: Result<&[u8], CallFailure>) -> bool;
    /// The client and the upstream.
    fn ends(&mut self) -> &mut Ends;
}

/// Both ends of an exchange.
#[derive(Debug)]
pub struct Ends {
    pub client: Client,
    pub upstream: Upstream,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A response in place of any other.
    Reply,
    /// The upstream's response in place, changed, to its end.
    InPlace,
    /// It broke off, so that it doesn't look complete.
    CutOff,
    /// The host answered in place of the exchange.
    Host,
    /// The request isn't the exchange's.
    Untouched,
    /// The client did not wait for it.
    Left,
}

/// Who asked, and what it has seen.
#[derive(Debug, Default)]
pub struct Client {
    /// How the answer ended, once it has.
    pub end: Option<End>,
    /// Whether the headers of an answer in place are changed; they go out no earlier.
    headers: bool,
    /// Hooks have their say in the answer.
    hooked: bool,
    status: u16,
    content_type: Vec<u8>,
    body: Vec<u8>,
}

impl Client {
    /// Whether an answer in place has begun.
    pub fn has_headers(&self) -> bool {
        self.headers
    }

    /// Whether an answer in place has all that it needs: an array that is closed.
    fn is_whole(&self) -> bool {
        self.headers && self.content_type == b"application/json" && is_json(&self.body)
    }

    /// The one end of the answer.
    pub fn ends(&mut self, end: End) {
        assert_eq!(self.end, None, "a second end: {end:?}");
        self.end = Some(end);
    }

    /// A reply, which to an answer that has begun is a cut.
    pub fn reply(&mut self, reply: &Reply) {
        if self.headers {
            return self.ends(End::CutOff);
        }
        self.status = reply.status;
        self.content_type = reply.headers.get("content-type").unwrap_or_default().to_vec();
        self.body = reply.body.clone();
        for (name, value) in reply.headers.iter() {
            assert!(!name.starts_with(b"grpc-") && !value.contains(&b'\n'), "{reply:?}");
        }
        if reply.status >= 400 && !self.hooked {
            assert_eq!(self.content_type, b"application/json");
            let body: Value = serde_json::from_slice(&reply.body).expect("an error body");
            let error = body.get("error").unwrap_or(&body);
            assert!(error.get("code").is_some_and(Value::is_number), "{body}");
        }
        self.ends(End::Reply);
    }

    /// The headers of the upstream's answer, `initial`, change and go out.
    pub fn headers(&mut self, initial: &Headers, edits: &HeaderEdits) {
        assert_eq!(self.end, None, "headers behind the end");
        assert!(!self.headers, "headers changed twice");
        self.headers = true;
        self.status = 200;
        for (name, value) in edits.sets() {
            match name {
                b":status" => self.status = str::from_utf8(value).expect("digits").parse().expect("a status"),
                b"content-type" => self.content_type = value.to_vec(),
                _ => {}
            }
        }
        assert!(
            !self.content_type.is_empty() || edits.removes(b"content-type"),
            "{edits:?}"
        );
        assert!(!self.content_type.starts_with(b"application/grpc"), "{edits:?}");
        for (name, _) in initial.iter() {
            if name.starts_with(b"grpc-") || name == b"x-http-code" {
                assert!(edits.removes(name), "{} goes out", name.escape_ascii());
            }
        }
        for (name, value) in edits.sets().chain(edits.adds()) {
            assert!(!name.starts_with(b"grpc-") && !value.contains(&b'\n'), "{edits:?}");
        }
    }

    /// A part of the body of an answer in place.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        assert_eq!(self.end, None, "bytes behind the end");
        assert!(self.headers, "bytes behind unchanged headers");
        self.body.extend_from_slice(bytes);
    }

    /// Checks what it has seen. `raw`: bytes that are no JSON.
    pub fn check(&self, raw: bool) {
        if raw && self.status < 300 || self.hooked && self.end == Some(End::Reply) {
            return;
        }
        let (status, shown) = (self.status, String::from_utf8_lossy(&self.body));
        match self.end {
            Some(End::Reply | End::InPlace) if matches!(status, 204 | 205) => assert_eq!(shown.trim(), ""),
            Some(End::Reply | End::InPlace) => match self.content_type.as_slice() {
                b"application/x-ndjson" => {
                    for line in shown.split_terminator('\n').filter(|line| !line.is_empty()) {
                        assert!(is_json(line.as_bytes()), "{shown}");
                    }
                }
                b"text/event-stream" => {
                    for line in shown.lines().filter(|line| !line.is_empty() && *line != "event: error") {
                        let data = line.strip_prefix("data: ").expect("data");
                        assert!(is_json(data.as_bytes()), "{shown}");
                    }
                }
                _ => assert!(is_json(&self.body), "{status} {shown}"),
            },
            // Every frame has a zero in its length.
            _ => assert!(!self.body.contains(&0), "{shown}"),
        }
    }
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<Value>(text).is_ok()
}

/// Who is asked, and what it has got.
#[derive(Debug, Default)]
pub struct Upstream {
    /// Whether it has the beginning of a request in place.
    pub asked: bool,
    /// Whether it has all of it.
    pub complete: bool,
    /// Whether a gRPC call is under way.
    pub called: bool,
    method: Vec<u8>,
    body: Vec<u8>,
}

impl Upstream {
    fn begins(&mut self, edits: &HeaderEdits) {
        assert!(!self.asked && !self.called, "asked twice");
        self.asked = true;
        let path = edits.sets().find(|(name, _)| *name == b":path").expect("a path").1;
        self.method = path.strip_prefix(b"/edge.Edge/").expect("a method").to_vec();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        assert!(self.asked, "a body without headers");
        assert!(!self.complete || bytes.is_empty(), "bytes behind the end");
        self.body.extend_from_slice(bytes);
    }

    /// The request is complete: its body is frames, and nothing else.
    fn ends(&mut self) {
        if std::mem::replace(&mut self.complete, true) {
            return;
        }
        let mut reader = FrameReader::new(1 << 20);
        let mut frames = reader.push(&self.body);
        while let Some(frame) = frames.next_frame().expect("frames") {
            assert_eq!((frame.kind, frame.compressed), (Kind::Message, false));
            check_message(&self.method, frame.contents);
        }
        drop(frames);
        reader.finish().expect("whole frames");
    }
}

fn check_message(method: &[u8], message: &[u8]) {
    let input = match method {
        b"RawUp" => "google.api.HttpBody",
        _ => "edge.Note",
    };
    DynamicMessage::decode(EDGE.message(input), message).expect("wire format");
}

/// What becomes of the bytes at hand, and of what comes behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// They wait.
    Hold,
    /// They are dropped, what comes behind them waits.
    Drop,
}

impl Ends {
    /// Does what a step about the request asks for. `body`: it is about the request's body, not about its headers.
    fn request(&mut self, step: RequestStep<'_>, body: bool) -> Flow {
        match step {
            RequestStep::PassThrough => {
                assert!(!body, "the body passes");
                self.client.ends(End::Untouched);
                Flow::Continue
            }
            RequestStep::Await | RequestStep::Ask => Flow::Hold,
            RequestStep::Drop => Flow::Drop,
            RequestStep::Reply(reply) => {
                assert!(!self.upstream.asked && !self.upstream.called);
                self.client.reply(reply);
                Flow::Drop
            }
            RequestStep::BreakOff(reply) => {
                assert!(self.upstream.asked);
                assert!(!self.client.has_headers(), "the client has the beginning of an answer");
                self.client.reply(reply);
                Flow::Drop
            }
            RequestStep::Supersede(reply) => {
                assert!(self.upstream.asked);
                assert!(!self.client.has_headers(), "the client has the beginning of an answer");
                self.client.reply(reply);
                Flow::Drop
            }
            RequestStep::Reset => {
                assert!(self.client.has_headers(), "an answer is due");
                assert!(!self.client.is_whole(), "cut off behind its end");
                self.client.ends(End::CutOff);
                Flow::Drop
            }
            RequestStep::ForwardHeaders { edits, .. } => {
                self.upstream.begins(edits);
                Flow::Continue
            }
            RequestStep::Chunk(bytes) => {
                self.upstream.bytes(bytes);
                Flow::Continue
            }
            RequestStep::Forward(forward) => {
                self.upstream.begins(forward.edits);
                self.upstream.bytes(forward.body);
                self.upstream.ends();
                Flow::Continue
            }
            RequestStep::Call(call) => {
                assert!(!self.upstream.asked && !self.upstream.called, "called twice");
                assert_eq!(call.service, "edge.Edge");
                self.upstream.called = true;
                if let Some(message) = call.message {
                    check_message(call.method.as_bytes(), message);
                }
                Flow::Hold
            }
        }
    }
}
