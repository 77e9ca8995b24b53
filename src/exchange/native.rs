//! A call of a gRPC client whose messages are changed on their way, in one direction or in both (`lane`).
//!
//! What comes goes on as it comes; only the beginning of a frame is kept. A direction in which nothing is changed is left
//! alone.
//!
//! An error of the request ends the call: by a status, while nothing of the answer has gone out, and else by a reset. An error
//! of the answer becomes its status, in the trailers or in gRPC-Web's last frame, and what still comes is dropped. A stream
//! that goes on nevertheless is reset. Where neither is to be had, what the client gets is no frame.

use std::rc::Rc;

use super::changes::activate;
use super::failure::Failure;
use super::lane::{Lane, Part, Side};
use super::outcome::Ending;
use super::request::Head;
use super::share::Share;
use super::steps::{Abilities, RequestStep, ResponseStep};
use super::workspace::Workspace;
use crate::config::{Limits, Plugin};
use crate::grpc::Status;
use crate::grpc::compression::Encoding;
use crate::grpc::status::encode_message;
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::{GrpcProtocol, grpc_protocol, is_grpc_proto};
use crate::routing::Method;
use crate::transform::Active;

/// The encodings that are read here, as a client is told by `grpc-accept-encoding` (`doc/compression.md`).
pub const ENCODINGS: &[u8] = b"identity,deflate,gzip";

/// The header of a request that tells which encodings the client reads.
pub const ACCEPT_ENCODING: &[u8] = b"grpc-accept-encoding";

/// No frame begins so: a client that reads it knows that the answer is broken, whatever status follows.
const NO_FRAME: &[u8] = &[0xff, 0, 0, 0, 0];

/// A call whose messages are changed.
#[derive(Debug)]
pub struct Native {
    method: Rc<Method>,
    active: Rc<Active>,
    protocol: GrpcProtocol,
    request: Request,
    response: Response,
    /// The host can reset a response, and change its trailers.
    changes_trailers: bool,
    /// The client takes answers in encodings that aren't read here, though they have to be.
    accepts_more: bool,
}

/// What becomes of the request's messages.
#[derive(Debug)]
enum Request {
    /// They are left alone, or all have gone on.
    Passes,
    /// They go on as they come.
    Flows(Lane),
    /// They are awaited, all of them; what the content-type is to be then.
    Awaited(Lane, Box<[u8]>),
}

/// What becomes of the answer's messages.
#[derive(Debug)]
enum Response {
    /// They are left alone, if any come; `begun`: something of the answer has come.
    Passes { begun: bool },
    /// Nothing of the answer has come.
    Awaited,
    /// They go on as they come.
    Flows(Lane),
    /// The answer has failed: what still comes is dropped. gRPC-Web's last frame is `written`, or isn't.
    Failed {
        status: Box<Status>,
        lane: Lane,
        dropped: usize,
        written: bool,
    },
}

impl Native {
    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let request = match &self.request {
            Request::Passes => 0,
            Request::Flows(lane) | Request::Awaited(lane, _) => lane.footprint(),
        };
        let response = match &self.response {
            Response::Passes { .. } | Response::Awaited => 0,
            Response::Flows(lane) | Response::Failed { lane, .. } => lane.footprint(),
        };
        self.active.footprint() + request + response
    }

    /// What of gRPC the client speaks.
    pub fn protocol(&self) -> GrpcProtocol {
        self.protocol
    }

    /// Whether nothing of the request is touched from here on.
    pub fn passes_request(&self) -> bool {
        matches!(self.request, Request::Passes)
    }

    /// Whether the request's body goes on as it comes, changed.
    pub fn streams_request(&self) -> bool {
        matches!(self.request, Request::Flows(_))
    }

    /// Whether the request's body is awaited, all of it.
    pub fn awaits_body(&self) -> bool {
        matches!(self.request, Request::Awaited(..))
    }

    /// Whether the answer is looked at.
    pub fn awaits_response(&self) -> bool {
        !matches!(self.response, Response::Passes { .. })
    }
}

/// The request.
impl Native {
    /// A call of `method` by these request headers. `None`: none of its messages is changed.
    ///
    /// # Errors
    ///
    /// 401 or 400 where a transform's source is not as it must be, UNIMPLEMENTED where the messages are in a form that isn't read
    /// here.
    pub fn begin(
        plugin: &Plugin,
        method: &Rc<Method>,
        head: &Head,
        protocol: GrpcProtocol,
        end_of_stream: bool,
        abilities: Abilities,
    ) -> Result<Option<Self>, Failure> {
        let Some(active) = activate(plugin, method, head.headers(), abilities)? else {
            return Ok(None);
        };
        check_form(head, method, &active)?;
        let encoding = head.headers().get("grpc-encoding");
        let lane = || Lane::new(Side::Request, protocol, encoding, &plugin.settings.limits);
        Ok(Some(Self {
            method: Rc::clone(method),
            protocol,
            request: match active.changes_requests() && !end_of_stream {
                false => Request::Passes,
                true if abilities.streams_requests => Request::Flows(lane()),
                true => Request::Awaited(lane(), head.content_type().into()),
            },
            response: match active.changes_responses() {
                true => Response::Awaited,
                false => Response::Passes { begun: false },
            },
            changes_trailers: abilities.changes_trailers,
            accepts_more: active.changes_responses() && accepts_more(head.headers()),
            active,
        }))
    }

    /// What to do at the request headers.
    pub fn go_on<'w>(&self, head: &Head, workspace: &'w mut Workspace) -> RequestStep<'w> {
        let edits = &mut workspace.edits;
        edits.clear();
        match &self.request {
            Request::Awaited(..) => return RequestStep::Await,
            Request::Passes if !self.accepts_more => return RequestStep::PassThrough,
            Request::Passes => {}
            Request::Flows(_) => remove_what_changes(head.headers(), edits),
        }
        if self.accepts_more {
            edits.set(ACCEPT_ENCODING, ENCODINGS);
        }
        RequestStep::ForwardHeaders { edits, timeout: None }
    }

    /// Puts what becomes of the next bytes of the request into the workspace's upload, and where they are all of it, what changes
    /// in the headers into its edits. `end`: they are the last.
    ///
    /// # Errors
    ///
    /// Where the bytes are no messages, or become too large.
    pub fn chunk(
        &mut self,
        bytes: &[u8],
        end: bool,
        plugin: &Plugin,
        share: &Share,
        workspace: &mut Workspace,
    ) -> Result<(), Failure> {
        let (active, method, limits) = (&self.active, &self.method, &plugin.settings.limits);
        let Workspace {
            inflater,
            changes,
            upload: out,
            edits,
            ..
        } = workspace;
        out.clear();
        let (lane, content_type, end) = match &mut self.request {
            Request::Passes => return Ok(()),
            Request::Flows(lane) => (lane, None, end),
            // A host that shows no parts shows all at once.
            Request::Awaited(lane, content_type) => (lane, Some(&*content_type), true),
        };
        share.admit(bytes.len(), limits)?;
        let change = |wire: &[u8], out: &mut Vec<u8>| changes.native_request(active, method, plugin, wire, out);
        lane.feed(Part { bytes, end }, limits, inflater, change, out)?;
        if let Some(content_type) = content_type {
            edits.clear();
            edits.set(b":path", self.method.path.as_bytes());
            edits.set(b"content-type", content_type);
            if lane.is_encoded() {
                edits.remove(b"grpc-encoding");
            }
            if self.accepts_more {
                edits.set(ACCEPT_ENCODING, ENCODINGS);
            }
        }
        if end {
            self.request = Request::Passes;
        }
        Ok(())
    }

    /// The request has no body.
    pub fn without_body(&mut self) {
        self.request = Request::Passes;
    }
}

/// The answer.
impl Native {
    /// An answer has begun that is left alone.
    pub fn answer_begins(&mut self) {
        if let Response::Passes { begun } = &mut self.response {
            *begun = true;
        }
    }

    /// Whether something of the answer has come.
    pub fn has_answer(&self) -> bool {
        !matches!(self.response, Response::Awaited | Response::Passes { begun: false })
    }

    /// The headers came.
    pub fn response_headers<'w>(
        &mut self,
        headers: &Headers,
        end_of_stream: bool,
        plugin: &Plugin,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        if !matches!(self.response, Response::Awaited) {
            return ResponseStep::PassThrough;
        }
        match self.read_headers(headers, end_of_stream, &plugin.settings.limits) {
            Ok(false) => ResponseStep::PassThrough,
            Ok(true) => {
                workspace.edits.clear();
                remove_what_changes(headers, &mut workspace.edits);
                ResponseStep::RewriteHeaders(&workspace.edits)
            }
            Err(failure) => {
                ending.add(&failure);
                workspace.reply.set_native_error(&failure, self.protocol);
                ResponseStep::Reply(&workspace.reply)
            }
        }
    }

    /// Reads the headers; whether the messages behind them are to be changed.
    fn read_headers(&mut self, headers: &Headers, end_of_stream: bool, limits: &Limits) -> Result<bool, Failure> {
        self.response = Response::Passes { begun: true };
        let content_type = headers.get("content-type").unwrap_or_default();
        // There is no message where the trailers come with the headers, nor where it isn't gRPC that answers. Whatever the status
        // of one that says it is: browsers' clients read its messages before they look at that.
        if end_of_stream || headers.status() != Some(200) && grpc_protocol(content_type).is_none() {
            return Ok(false);
        }
        let Some(protocol) = grpc_protocol(content_type).filter(|_| is_grpc_proto(content_type)) else {
            return Err(Failure::bad_native_answer(
                "the answer's content-type isn't that of gRPC with protobuf, as which alone its messages can be changed",
            ));
        };
        let lane = Lane::new(Side::Response, protocol, headers.get("grpc-encoding"), limits);
        self.response = Response::Flows(lane);
        Ok(true)
    }

    /// The next bytes came. `end`: they are the last, and no trailers follow.
    pub fn response_chunk<'w>(
        &mut self,
        bytes: &[u8],
        end: bool,
        plugin: &Plugin,
        share: &Share,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let limits = &plugin.settings.limits;
        let Workspace {
            inflater,
            changes,
            body: out,
            ..
        } = workspace;
        out.clear();
        let (goes_on, hold) = match &mut self.response {
            Response::Passes { .. } | Response::Awaited => return ResponseStep::PassThrough,
            Response::Flows(lane) => {
                let last = !end && lane.is_last_frame(bytes);
                let active = &self.active;
                let begun = match last {
                    // The last frame is no end of one that is under way.
                    true => lane.finish(),
                    false => Ok(()),
                };
                let admitted = begun.and_then(|()| share.admit(bytes.len(), limits));
                let fed = admitted.and_then(|()| {
                    let change = |wire: &[u8], out: &mut Vec<u8>| {
                        changes.native_response(active, &plugin.tables, wire, limits, out)
                    };
                    lane.feed(Part { bytes, end }, limits, inflater, change, out)
                });
                let goes_on = match fed {
                    Ok(()) => true,
                    Err(failure) => {
                        ending.add(&failure);
                        self.fail_response(&failure, out);
                        !(end || last) || self.drop_part(Part { bytes: b"", end }, last, limits, out)
                    }
                };
                (goes_on, last)
            }
            Response::Failed { lane, .. } => {
                let last = !end && lane.is_last_frame(bytes);
                (self.drop_part(Part { bytes, end }, last, limits, out), last)
            }
        };
        match goes_on {
            true => ResponseStep::Chunk {
                edits: None,
                body: out,
                whole: false,
                hold,
            },
            false => ResponseStep::Reset,
        }
    }

    /// The trailers came.
    pub fn trailers<'w>(&mut self, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        if let Response::Flows(lane) = &self.response
            && let Err(failure) = lane.finish()
        {
            ending.add(&failure);
            self.fail_response(&failure, &mut Vec::new());
        }
        match &self.response {
            // gRPC-Web's have told, or its client would find none.
            Response::Failed { lane, written, .. } if lane.is_web() => match written {
                true => ResponseStep::PassThrough,
                false => ResponseStep::Reset,
            },
            Response::Failed { status, .. } => {
                let edits = &mut workspace.edits;
                edits.clear();
                edits.remove(b"grpc-status-details-bin");
                edits.set(b"grpc-status", status.code.number().to_string().as_bytes());
                edits.set(b"grpc-message", encode_message(&status.message).as_bytes());
                ResponseStep::RewriteTrailers(edits)
            }
            _ => ResponseStep::PassThrough,
        }
    }

    /// The answer fails behind the messages that are in `out`; appends what tells the client, where that is to be had now.
    fn fail_response(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        let Response::Flows(lane) = std::mem::replace(&mut self.response, Response::Passes { begun: true }) else {
            return;
        };
        let written = !self.changes_trailers;
        if written {
            out.extend_from_slice(NO_FRAME);
        }
        self.response = Response::Failed {
            status: Box::new(failure.status.clone()),
            lane,
            dropped: 0,
            written,
        };
    }

    /// More of an answer that has failed, at the end or `amid_trailers` perhaps: whether to go on, with what is in `out`.
    fn drop_part(&mut self, part: Part<'_>, amid_trailers: bool, limits: &Limits, out: &mut Vec<u8>) -> bool {
        let Response::Failed {
            status,
            lane,
            dropped,
            written,
        } = &mut self.response
        else {
            return true;
        };
        if !*written && lane.is_web() && (part.end || amid_trailers) {
            *written = true;
            lane.end_with(status, out);
            return true;
        }
        *dropped = dropped.saturating_add(part.bytes.len());
        let limit = match self.method.server_streaming {
            // Its end may be far.
            true => 0,
            false => limits.max_response_bytes,
        };
        *written || amid_trailers || !part.end && *dropped <= limit
    }
}

/// Refuses messages that cannot be read here, of a `method` some of whose are changed.
fn check_form(head: &Head, method: &Method, active: &Active) -> Result<(), Failure> {
    let path = &method.path;
    let content_types = head.headers().iter().filter(|(name, _)| *name == b"content-type");
    if content_types.count() > 1 || !is_grpc_proto(head.content_type()) {
        return Err(Failure::guards(format!(
            "the gateway changes the messages of {path}, and reads them as protobuf alone: send them with one content-type, \
             application/grpc+proto or gRPC-Web's"
        )));
    }
    let mut encodings = head.headers().iter().filter(|(name, _)| *name == b"grpc-encoding");
    if active.changes_requests() && encodings.any(|(_, name)| !is_read(name)) {
        return Err(Failure::guards(format!(
            "the gateway changes the messages of {path}, and reads no such grpc-encoding: expected gzip, deflate or identity"
        )));
    }
    Ok(())
}

/// Whether the client reads encodings that aren't read here.
fn accepts_more(headers: &Headers) -> bool {
    let lists = headers.iter().filter(|(name, _)| *name == ACCEPT_ENCODING);
    lists
        .flat_map(|(_, list)| list.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|name| !is_read(name))
}

/// Whether messages in this encoding are read here.
fn is_read(encoding: &[u8]) -> bool {
    encoding == b"identity" || Encoding::of(encoding).is_some()
}

/// Removes the headers that don't hold for changed messages.
fn remove_what_changes(headers: &Headers, edits: &mut HeaderEdits) {
    for name in [&b"content-length"[..], b"grpc-encoding"] {
        if headers.iter().any(|(found, _)| found == name) {
            edits.remove(name);
        }
    }
}
