//! What one exchange lends to the guest: its headers, bodies and properties, and what the guest asks of it.
//!
//! The guest's requests (local reply, resume, reset) are only noted here. As in Envoy they happen after the callback that
//! made them; [`super::vm`] carries them out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use proxy_wasm_host::abi::v0_2_1::types::{BufferType, LogLevel, MapType, Status, StreamType};
use proxy_wasm_host::abi::v0_2_1::{Access, Invocation, LocalResponse, StreamState};
use proxy_wasm_host::{Buffer, HeaderMap, NotAllowed};

use super::ledger::{HostCall, Ledger};
use super::message::{GuestHeaders, Headers, Passed};
use super::nginx::NginxState;
use super::profile::{PauseAtHeaders, Profile};

/// Property paths and their values.
pub(super) type Properties = BTreeMap<Vec<Vec<u8>>, Vec<u8>>;

/// All exchanges of a virtual machine, by context. Lent to the guest as one, since a guest may make any of its contexts
/// the effective one.
#[derive(Debug)]
pub(super) struct Streams {
    pub open: BTreeMap<u32, Stream>,
    /// Those whose bodies the guest may have written in the running callback.
    pub written: Vec<u32>,
    pub profile: Profile,
    pub properties: Properties,
    pub ledger: Arc<Ledger>,
}

impl Streams {
    fn of(&mut self, call: Invocation) -> Result<&mut Stream, Status> {
        self.open.get_mut(&call.context.get()).ok_or(Status::BadArgument)
    }

    fn count(&self, call: Invocation, kind: HostCall) {
        self.ledger.count(call.context.get(), kind);
    }
}

impl StreamState for Streams {
    fn header_map(&mut self, call: Invocation, access: Access, map: MapType) -> Result<&mut dyn HeaderMap, Status> {
        if access == Access::Read {
            self.count(call, HostCall::GetHeaders);
        }
        let out_of_reach = self.profile.map_out_of_reach;
        let nginx = self.profile.nginx.is_some();
        let late = Arc::clone(&self.ledger);
        let stream = self.of(call)?;
        let logging = stream.logging;
        let (direction, trailers) = match map {
            MapType::HttpRequestHeaders => (Direction::Request, false),
            MapType::HttpRequestTrailers => (Direction::Request, true),
            MapType::HttpResponseHeaders => (Direction::Response, false),
            MapType::HttpResponseTrailers => (Direction::Response, true),
            _ => return Err(Status::BadArgument),
        };
        let side = stream.side(direction);
        if nginx && access == Access::Write && !side.headers_in_reach {
            late.fault(format!("a late change of {direction:?} headers, which traps"));
        }
        let (reachable, map) = match trailers {
            false => (side.headers_in_reach, Some(&mut side.headers)),
            true => (side.trailers_in_reach, side.trailers.as_mut()),
        };
        let allowed = if logging { access == Access::Read } else { reachable };
        match map {
            Some(map) if allowed => Ok(map),
            _ => Err(out_of_reach),
        }
    }

    fn buffer(&mut self, call: Invocation, access: Access, buffer: BufferType) -> Result<&mut dyn Buffer, Status> {
        self.count(
            call,
            if access == Access::Read {
                HostCall::GetBuffer
            } else {
                HostCall::SetBuffer
            },
        );
        if access == Access::Write {
            self.written.push(call.context.get());
        }
        let Profile {
            body_out_of_reach: out_of_reach,
            buffer_limit: limit,
            ..
        } = self.profile;
        let nginx = self.profile.nginx.is_some();
        let ledger = Arc::clone(&self.ledger);
        let stream = self.of(call)?;
        let direction = match buffer {
            BufferType::HttpRequestBody => Direction::Request,
            BufferType::HttpResponseBody => Direction::Response,
            _ => return Err(Status::NotFound),
        };
        let side = stream.side(direction);
        if side.body_reach == BodyReach::Freed {
            ledger.fault(format!(
                "the {direction:?} body is touched behind a stop and watermark, which is freed memory in Envoy"
            ));
            return Err(out_of_reach);
        }
        if access == Access::Write && side.body_reach == BodyReach::Nothing {
            if nginx {
                ledger.fault(format!("a {direction:?} body set in another phase, which traps"));
            }
            return Err(out_of_reach);
        }
        // Between two writes, of which the second may make it smaller again.
        side.check_growth(limit, &ledger);
        side.body_written |= access == Access::Write;
        Ok(&mut side.body)
    }

    fn continue_stream(&mut self, call: Invocation, stream: StreamType) -> Result<(), Status> {
        self.count(call, HostCall::ContinueStream);
        let direction = match stream {
            StreamType::HttpRequest => Direction::Request,
            StreamType::HttpResponse => Direction::Response,
            _ => return Err(Status::BadArgument),
        };
        let stream = self.of(call)?;
        let side = stream.side(direction);
        side.headers_in_reach = false;
        side.trailers_in_reach = false;
        stream.asked.push(Asked::Continue(direction));
        Ok(())
    }

    fn close_stream(&mut self, call: Invocation, stream: StreamType) -> Result<(), Status> {
        self.count(call, HostCall::CloseStream);
        match stream {
            StreamType::HttpRequest | StreamType::HttpResponse => self.of(call)?.asked.push(Asked::Reset),
            _ => return Err(Status::BadArgument),
        }
        Ok(())
    }

    fn send_local_response(&mut self, call: Invocation, response: LocalResponse<'_>) -> Result<(), Status> {
        self.count(call, HostCall::SendLocalReply);
        let second = self.profile.second_local_reply;
        let complete = match self.profile.nginx {
            Some(_) => LocalReply::as_written,
            None => LocalReply::new,
        };
        let stream = self.of(call)?;
        if std::mem::replace(&mut stream.local_reply_asked, true) {
            return Err(second);
        }
        stream.asked.push(Asked::LocalReply(complete(
            response.status_code,
            response
                .headers
                .iter()
                .map(|(name, value)| (name.as_ref(), value.as_ref()))
                .collect(),
            response.body.to_vec(),
        )));
        Ok(())
    }

    fn property(&mut self, call: Invocation, path: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Status> {
        self.count(call, HostCall::GetProperty);
        if let Some(nginx) = &self.profile.nginx
            && !self.open.contains_key(&call.context.get())
        {
            self.ledger
                .gateway_logs(LogLevel::Error, nginx.property_without_exchange_log);
            return Err(nginx.property_without_exchange);
        }
        if self.profile.nginx.is_some() && path == [b"ngx".as_slice(), b"content_length"] {
            let length = self.of(call)?.nginx_content_length();
            return length
                .map(|length| out.extend_from_slice(length.as_bytes()))
                .ok_or(self.profile.unknown_property);
        }
        let path: Vec<_> = path.iter().map(|segment| segment.to_vec()).collect();
        let own = self
            .open
            .get(&call.context.get())
            .and_then(|stream| stream.properties.get(&path));
        match own.or_else(|| self.properties.get(&path)) {
            Some(value) => {
                out.extend_from_slice(value);
                Ok(())
            }
            None => Err(self.profile.unknown_property),
        }
    }

    fn set_property(&mut self, call: Invocation, path: &[&[u8]], value: &[u8]) -> Result<(), Status> {
        self.count(call, HostCall::SetProperty);
        if let Some(nginx) = self.profile.nginx {
            return self.of(call)?.set_nginx_property(nginx, path, value);
        }
        let path = path.iter().map(|segment| segment.to_vec()).collect();
        self.of(call)?.properties.insert(path, value.to_vec());
        Ok(())
    }
}

/// Which way a message goes through the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Response,
}

/// One exchange.
#[derive(Debug)]
pub(super) struct Stream {
    pub request: Side,
    pub response: Side,
    pub properties: Properties,
    /// What the guest asked for in the last callback.
    pub asked: Vec<Asked>,
    pub local_reply_asked: bool,
    /// In `on_log`: everything can be read and nothing be written.
    pub logging: bool,
    /// How it ended; its context is gone then.
    pub end: Option<End>,
    /// Where nginx carries it.
    pub nginx: NginxState,
}

impl Stream {
    pub fn new(context: u32, ledger: &Arc<Ledger>) -> Self {
        Self {
            request: Side::new(context, ledger),
            response: Side::new(context, ledger),
            properties: Properties::new(),
            asked: Vec::new(),
            local_reply_asked: false,
            logging: false,
            end: None,
            nginx: NginxState::default(),
        }
    }

    pub fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client has its whole answer.
    Answered,
    /// The gateway reset the stream; the client sees a broken answer or none.
    Reset,
    /// The client went away.
    ClientLeft,
}

/// What a guest asks for in a callback, done after it.
#[derive(Debug)]
pub(super) enum Asked {
    Continue(Direction),
    Reset,
    LocalReply(LocalReply),
}

/// An answer by the gateway itself.
#[derive(Debug)]
pub(super) struct LocalReply {
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl LocalReply {
    /// As `ngx_http_wasm_flush_local_response` takes it: with the headers that the filter gives it.
    pub fn as_written(status: u32, mut headers: Headers, body: Vec<u8>) -> Self {
        headers.set(":status", status.to_string());
        Self { headers, body }
    }

    /// As `Utility::prepareLocalReply` completes it: a body gets a length, and a type when it has none; without a body
    /// there is neither.
    pub fn new(status: u32, mut headers: Headers, body: Vec<u8>) -> Self {
        headers.set(":status", status.to_string());
        if body.is_empty() {
            headers.remove(b"content-length");
            headers.remove(b"content-type");
        } else {
            headers.set("content-length", body.len().to_string());
            if headers.bytes("content-type").is_none() {
                headers.set("content-type", "text/plain");
            }
        }
        Self { headers, body }
    }
}

/// One direction of an exchange: what has come, what the guest reaches, what has passed it.
#[derive(Debug)]
pub(super) struct Side {
    pub headers: GuestHeaders,
    pub headers_in_reach: bool,
    pub trailers: Option<GuestHeaders>,
    pub trailers_in_reach: bool,
    pub body: Body,
    pub body_reach: BodyReach,
    /// Whether the guest has written the body since this was last reset.
    pub body_written: bool,
    /// What a stop and watermark holds back in front of `body`: the guest sees it again only if a later callback buffers.
    aside: Vec<u8>,
    pub flow: Flow,
    /// Whether the headers have come.
    pub begun: bool,
    /// Whether the guest has seen the end of the stream.
    pub end_seen: bool,
    /// What comes while everything is held back.
    pub held: VecDeque<Event>,
    pub passed: Passed,
    headers_passed: bool,
}

impl Side {
    fn new(context: u32, ledger: &Arc<Ledger>) -> Self {
        Self {
            headers: GuestHeaders::new(Headers::default(), context, Arc::clone(ledger)),
            headers_in_reach: false,
            trailers: None,
            trailers_in_reach: false,
            body: Body::default(),
            body_reach: BodyReach::Nothing,
            body_written: false,
            aside: Vec::new(),
            flow: Flow::Running,
            begun: false,
            end_seen: false,
            held: VecDeque::new(),
            passed: Passed::default(),
            headers_passed: false,
        }
    }

    /// Whether the headers have gone past the filter.
    pub fn headers_passed(&self) -> bool {
        self.headers_passed
    }

    /// Lets everything go that has come.
    pub fn pass(&mut self) {
        self.flow = Flow::Running;
        // What is freed stays so until another part comes.
        if self.body_reach != BodyReach::Freed {
            self.body_reach = BodyReach::Nothing;
        }
        if !self.headers_passed {
            self.headers_passed = true;
            self.passed.headers = self.headers.headers.clone();
        }
        let body = self.take_body();
        if !body.is_empty() {
            self.passed.chunks.push(body);
        }
        if self.end_seen {
            self.passed.trailers = self.trailers.as_ref().map(|trailers| trailers.headers.clone());
            self.passed.ended = true;
        }
    }

    /// Takes this whole message past the filter, whatever the filter holds.
    pub fn replace(&mut self, reply: LocalReply) {
        self.held.clear();
        self.begun = true;
        self.end_seen = true;
        self.trailers = None;
        self.headers.headers = reply.headers;
        self.drop_body();
        self.body = Body(reply.body);
        self.pass();
    }

    /// Holds the body back in a buffer, which the guest sees from now on.
    pub fn buffer_body(&mut self) {
        self.body.0 = self.take_body();
        self.body_reach = BodyReach::Buffered;
        self.flow = Flow::Paused;
    }

    /// Holds the body back where the guest does not see it. Over `limit`, nothing more comes.
    pub fn put_body_aside(&mut self, limit: usize) {
        self.aside = self.take_body();
        self.body_reach = BodyReach::Freed;
        self.flow = match self.aside.len() > limit {
            true => Flow::Full,
            false => Flow::Paused,
        };
    }

    /// Throws away what is held back of the body.
    pub fn drop_body(&mut self) {
        self.take_body();
        self.body_reach = BodyReach::Nothing;
    }

    fn take_body(&mut self) -> Vec<u8> {
        let mut body = std::mem::take(&mut self.aside);
        body.append(&mut self.body.0);
        body
    }

    /// Envoy does not survive it when a filter makes larger than the gateway's buffer what that buffer holds.
    pub fn check_growth(&self, limit: usize, ledger: &Ledger) {
        if self.body_reach == BodyReach::Buffered && self.body.0.len() > limit {
            ledger.fault("a body that was held back grows beyond the buffer, which crashes Envoy".to_owned());
        }
    }

    /// Holds back after Pause in a headers callback.
    pub fn pause_at_headers(&mut self, pause: PauseAtHeaders) {
        self.flow = match pause {
            PauseAtHeaders::HeadersOnly => Flow::Paused,
            PauseAtHeaders::Everything => Flow::Stopped,
        };
    }
}

/// Whether a direction flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// What comes goes to the filter and on.
    Running,
    /// What comes goes to the filter, and then is held back.
    Paused,
    /// What comes is held back in front of the filter.
    Stopped,
    /// What would come stays with its sender, who isn't read from: what is held back exceeds the gateway's buffer.
    Full,
}

/// What the guest reaches of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyReach {
    /// Nothing: none has come, or what has come has gone out.
    Nothing,
    /// The part of the running callback.
    Part,
    /// All that is held back, since the last body callback left it in the gateway's buffer.
    Buffered,
    /// Memory that isn't the gateway's any more: after a stop and watermark, it still points to the part that its body
    /// callback had.
    Freed,
}

/// A part of a message, on its way to the filter.
#[derive(Debug)]
pub(super) enum Event {
    Headers { end: bool },
    Data { bytes: Vec<u8>, end: bool },
    Trailers,
}

/// The body bytes that the guest reaches: the chunk of the running callback, or all that is held back.
#[derive(Debug, Default)]
pub(super) struct Body(pub Vec<u8>);

impl Buffer for Body {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn copy_range_into(&self, start: usize, max_size: usize, out: &mut Vec<u8>) {
        self.0.copy_range_into(start, max_size, out);
    }

    /// Envoy replaces all, prepends or appends, and refuses the rest (`Buffer::copyFrom`).
    fn replace(&mut self, start: usize, size: usize, value: &[u8]) -> Result<(), NotAllowed> {
        let whole = start == 0 && size == self.0.len();
        let at_an_end = size == 0 && (start == 0 || start == self.0.len());
        if !whole && !at_an_end {
            return Err(NotAllowed);
        }
        self.0.replace(start, size, value)
    }
}
