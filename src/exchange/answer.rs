//! The response half: from the upstream's frames, status and metadata to an HTTP response.

use std::rc::Rc;
use std::time::Duration;

use super::failure::Failure;
use super::outcome::Outcome;
use super::server_stream::{Progress, ServerStream, bad_frame};
use super::steps::HostReply;
use super::workspace::Workspace;
use super::{deadline, matched, message};
use crate::config::Plugin;
use crate::grpc::frame::{Frame, FrameReader};
use crate::grpc::metadata::{self, ConnectionOptions};
use crate::grpc::{Code, Status};
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::{GRPC, JSON, OCTET_STREAM};
use crate::routing::{Method, Route};
use crate::text::shown::{NAME, shown};

/// The answer to a request that the upstream has, as far as it is known.
#[derive(Debug)]
pub struct Answer {
    route: Rc<Route>,
    timeout: Option<Duration>,
    /// Response headers in place, or a call's initial metadata.
    initial: Headers,
    /// Trailers in place, or a call's trailing metadata.
    trailing: Headers,
    /// The one message of a call, or what the client gets of all of them.
    message: Option<Vec<u8>>,
    /// For a method that streams its answer.
    stream: Option<ServerStream>,
    /// Whether the client had its headers before the end was known.
    headers_gone: bool,
    /// Whether the time for a streamed answer has passed.
    over_time: bool,
    /// How a streamed answer failed whose last element says so.
    failed: Option<Outcome>,
}

impl Answer {
    /// Nothing of the answer is there yet. `accept` is the client's header.
    pub fn new(plugin: &Plugin, route: Rc<Route>, timeout: Option<Duration>, accept: Option<&[u8]>) -> Self {
        Self {
            stream: route
                .method
                .server_streaming
                .then(|| ServerStream::new(plugin, &route, accept)),
            route,
            timeout,
            initial: Headers::default(),
            trailing: Headers::default(),
            message: None,
            headers_gone: false,
            over_time: false,
            failed: None,
        }
    }

    /// The method that was called.
    pub fn method(&self) -> &Method {
        &self.route.method
    }

    /// When the gateway is to give up on an answer in place.
    pub fn patience(&self) -> Option<Duration> {
        match self.stream {
            Some(_) => self.timeout.map(deadline::patience_with_stream),
            None => self.timeout.map(deadline::patience),
        }
    }

    /// When the gateway gives up on the answer of a call.
    pub fn call_timeout(&self) -> Option<Duration> {
        self.timeout.map(deadline::patience)
    }

    /// How long the upstream may take for a streamed answer.
    pub fn stream_timeout(&self) -> Option<Duration> {
        self.timeout.filter(|_| self.stream.is_some())
    }

    /// That time has passed.
    pub fn time_is_up(&mut self) {
        self.over_time = true;
    }

    /// The end of a streamed answer is known while its body can still be written.
    pub fn end_in_body(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.end_in_body();
        }
    }

    /// Whether the method streams its answer and messages go out as they come.
    pub fn flows(&self) -> bool {
        self.stream.as_ref().is_some_and(ServerStream::flows)
    }

    /// The stream, where the method streams its answer and messages go out as they come.
    pub fn flowing(&mut self) -> Option<&mut ServerStream> {
        self.stream.as_mut().filter(|stream| stream.flows())
    }

    /// Whether the first message of a streamed answer has begun to come, and with it all that its headers need.
    pub fn has_begun(&mut self, plugin: &Plugin) -> bool {
        match &mut self.stream {
            Some(stream) => stream.has_begun(plugin, &self.route),
            None => false,
        }
    }

    /// The response headers came, in place. `Some`: they are the whole of a success, with this HTTP status and the body
    /// in `workspace`.
    pub fn headers(
        &mut self,
        headers: Headers,
        end_of_stream: bool,
        host_reply: Option<HostReply>,
        workspace: &mut Workspace,
    ) -> Result<Option<u16>, Failure> {
        if let Some(host_reply) = host_reply {
            return Err(self.host_failure(host_reply));
        }
        self.initial = headers;
        let content_type = self.initial.get("content-type").unwrap_or_default();
        if self.initial.status() != Some(200) || !content_type.starts_with(GRPC) {
            return Err(self.not_grpc());
        }
        if !end_of_stream {
            return Ok(None);
        }
        let status = self.status()?;
        match &mut self.stream {
            _ if status.code != Code::Ok => Err(self.judge(Failure::of(status))),
            None => Err(no_message()),
            Some(stream) => {
                workspace.body.clear();
                workspace.set_content_type(stream.content_type());
                stream.end(&mut workspace.body);
                Ok(Some(self.success_status()))
            }
        }
    }

    /// The whole response in place is there. Puts what the client gets into `workspace` and returns the HTTP status.
    pub fn complete(&mut self, plugin: &Plugin, body: &[u8], workspace: &mut Workspace) -> Result<u16, Failure> {
        if self.stream.is_some() {
            return self.complete_stream(plugin, body, workspace);
        }
        let limit = plugin.settings.limits.max_message_bytes;
        let mut reader = if plugin.settings.upstream.grpc_web {
            FrameReader::grpc_web(limit)
        } else {
            FrameReader::new(limit)
        };
        let mut frames = reader.push(body);
        let mut converted = None;
        let mut messages = 0;
        let cut = loop {
            match frames.next_frame() {
                Ok(None) => break Ok(()),
                Ok(Some(Frame::Message(message))) => {
                    if messages == 0 {
                        converted = Some(self.convert(plugin, message, workspace));
                    }
                    messages += 1;
                }
                Ok(Some(Frame::Trailers(trailers))) => {
                    for (name, value) in trailers.iter() {
                        self.trailing.push(&name.to_ascii_lowercase(), value);
                    }
                }
                Err(error) => break Err(bad_frame(error)),
            }
        };
        drop(frames);
        let cut = cut.and_then(|()| reader.finish().map_err(bad_frame));
        match self.status() {
            // An error of the upstream's own says more than what its body looks like.
            Ok(status) if status.code != Code::Ok => return Err(Failure::of(status)),
            Err(failure) => return Err(cut.err().unwrap_or(failure)),
            Ok(_) => cut?,
        }
        match converted {
            Some(_) if messages > 1 => Err(more_messages()),
            Some(converted) => converted.map(|()| self.success(workspace)),
            None => Err(no_message()),
        }
    }

    fn complete_stream(&mut self, plugin: &Plugin, body: &[u8], workspace: &mut Workspace) -> Result<u16, Failure> {
        let status = self.status();
        let Some(stream) = &mut self.stream else {
            return Err(no_message());
        };
        let out = &mut workspace.body;
        out.clear();
        let progress = match stream.feed(plugin, &self.route, body, &mut workspace.to_json, out) {
            Progress::Open => stream.finish(status),
            progress => progress,
        };
        self.end_stream(plugin, progress, workspace)
    }

    /// Ends a stream of which nothing has gone out: all of it is in `workspace`.
    fn end_stream(&mut self, plugin: &Plugin, progress: Progress, workspace: &mut Workspace) -> Result<u16, Failure> {
        let progress = self.judge_progress(progress);
        let Some(stream) = &mut self.stream else {
            return Err(no_message());
        };
        let out = &mut workspace.body;
        match progress {
            Progress::Failed(failure) if stream.is_empty() => return Err(failure),
            Progress::Failed(failure) => {
                let error = failure.element(plugin, &mut workspace.to_json);
                if !stream.end_with_error(&error, out) {
                    return Err(failure);
                }
                self.failed = Some(Outcome::from(&failure));
            }
            Progress::Open | Progress::Ended => stream.end(out),
        }
        let limit = plugin.settings.limits.max_response_bytes;
        if out.len() > limit {
            return Err(too_large(out.len(), limit));
        }
        workspace.set_content_type(stream.content_type());
        Ok(self.success_status())
    }

    /// How an answer ended that is complete.
    pub fn outcome(&self) -> Outcome {
        self.failed.unwrap_or(Outcome::OK)
    }

    /// The next bytes of a response whose messages go out as they come: appends what they give to `workspace.body`.
    pub fn chunk(&mut self, plugin: &Plugin, chunk: &[u8], end: bool, workspace: &mut Workspace) -> Progress {
        let status = if end { Some(self.status()) } else { None };
        let Some(stream) = &mut self.stream else {
            return Progress::Failed(no_message());
        };
        let progress = stream.feed(plugin, &self.route, chunk, &mut workspace.to_json, &mut workspace.body);
        let progress = match (progress, status) {
            (Progress::Open, Some(status)) => stream.finish(status),
            (progress, _) => progress,
        };
        self.judge_progress(progress)
    }

    /// The trailers behind such a response came.
    pub fn chunks_ended(&mut self) -> Progress {
        let status = self.status();
        match &self.stream {
            Some(stream) => self.judge_progress(stream.finish(status)),
            None => Progress::Failed(no_message()),
        }
    }

    /// Initial metadata of a call.
    pub fn set_initial_metadata(&mut self, metadata: Headers) {
        self.initial = metadata;
    }

    /// Trailing metadata of a call, or trailers.
    pub fn set_trailing_metadata(&mut self, metadata: Headers) {
        self.trailing = metadata;
    }

    /// A message of a call.
    pub fn add_message(&mut self, plugin: &Plugin, message: Vec<u8>, workspace: &mut Workspace) -> Result<(), Failure> {
        let limits = &plugin.settings.limits;
        let limit = limits.max_message_bytes.min(limits.max_response_bytes);
        if message.len() > limit {
            return Err(too_large(message.len(), limit));
        }
        let Some(stream) = &mut self.stream else {
            return match self.message.replace(message) {
                None => Ok(()),
                Some(_) => Err(more_messages()),
            };
        };
        let so_far = self.message.get_or_insert_default();
        stream.feed_message(plugin, &self.route, &message, &mut workspace.to_json, so_far)?;
        if so_far.len() > limits.max_response_bytes {
            return Err(too_large(so_far.len(), limits.max_response_bytes));
        }
        Ok(())
    }

    /// A call ended. Puts what the client gets into `workspace` and returns the HTTP status.
    pub fn closed(
        &mut self,
        plugin: &Plugin,
        code: u32,
        message: &[u8],
        host_reply: Option<HostReply>,
        workspace: &mut Workspace,
    ) -> Result<u16, Failure> {
        let status = match host_reply {
            Some(host_reply) => Err(self.host_failure(host_reply)),
            None if self.trailing.get("grpc-status").is_some() => self.status(),
            None if self.initial.status().is_some_and(|status| status != 200) => Err(self.not_grpc()),
            // Envoy's reading of trailers that have no status.
            None if code == u32::from(Code::Unknown.number()) && !self.initial.is_empty() => self.status(),
            // Envoy's reading of a frame that is compressed or malformed, and of a reset.
            None if code == u32::from(Code::Internal.number()) && !self.initial.is_empty() => Err(Failure::bad_answer(
                "the answer broke off, or has a malformed or compressed gRPC frame",
            )),
            None => Ok(Status::from_host(i64::from(code), message)),
        };
        if let Some(stream) = &self.stream {
            let progress = stream.finish(status);
            workspace.body.clear();
            workspace.body.append(&mut self.message.take().unwrap_or_default());
            return self.end_stream(plugin, progress, workspace);
        }
        match status? {
            status if status.code != Code::Ok => Err(self.judge(Failure::of(status))),
            _ => match self.message.take() {
                Some(message) => {
                    self.convert(plugin, &message, workspace)?;
                    Ok(self.success(workspace))
                }
                None => Err(no_message()),
            },
        }
    }

    /// The metadata that the client gets, initial before trailing.
    pub fn metadata(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let connection = metadata::connection_options(self.initial.iter());
        self.initial
            .iter()
            .chain(self.trailing.iter())
            .filter(move |(name, value)| metadata::is_response_header(name, value, &connection))
    }

    /// How the response headers in place become the client's, with all of the body there.
    pub fn edit_headers(&self, http_status: u16, content_type: &[u8], body_length: usize, edits: &mut HeaderEdits) {
        edits.clear();
        let connection = metadata::connection_options(self.initial.iter());
        self.remove_what_is_no_header(&connection, edits);
        let mut digits = itoa::Buffer::new();
        let status = digits.format(http_status).as_bytes();
        if self.initial.get(":status") != Some(status) {
            edits.set(b":status", status);
        }
        if is_without_content(http_status) {
            edits.remove(b"content-type");
        } else {
            edits.set(b"content-type", content_type);
        }
        if http_status != NO_CONTENT {
            edits.set(b"content-length", digits.format(body_length).as_bytes());
        }
        for (name, value) in self.trailing.iter() {
            if metadata::is_response_header(name, value, &connection) {
                edits.add(name, value);
            }
        }
    }

    /// The headers go on before the end of the body is known: what comes in trailers changes them no more.
    pub fn let_headers_go(&mut self) {
        self.headers_gone = true;
    }

    /// How they do before the end of the body is known: a service's choice of the status counts, errors do not.
    pub fn edit_headers_early(&self, content_type: &[u8], edits: &mut HeaderEdits) {
        edits.clear();
        let connection = metadata::connection_options(self.initial.iter());
        self.remove_what_is_no_header(&connection, edits);
        edits.set(b"content-type", content_type);
        let status = self.success_status();
        if status != 200 {
            edits.set(b":status", itoa::Buffer::new().format(status).as_bytes());
        }
    }

    fn remove_what_is_no_header(&self, connection: &ConnectionOptions<'_>, edits: &mut HeaderEdits) {
        for (name, value) in self.initial.iter() {
            let kept = name.first() == Some(&b':') || name == b"content-type";
            if !kept && !metadata::is_response_header(name, value, connection) {
                edits.remove(name);
            }
        }
    }

    /// The content-type of the answer, as far as it is known before any of the body.
    pub fn expected_content_type(&self, plugin: &Plugin) -> &[u8] {
        match &self.stream {
            Some(stream) => stream.content_type(),
            None if matched::is_raw(&plugin.tables, &self.route) => OCTET_STREAM,
            None => JSON,
        }
    }

    fn status(&self) -> Result<Status, Failure> {
        // An upstream may put its status into the headers even where a body follows.
        let source = match self.trailing.get("grpc-status") {
            Some(_) => &self.trailing,
            None => &self.initial,
        };
        Status::from_trailers(
            source.get("grpc-status"),
            source.get("grpc-message"),
            source.get("grpc-status-details-bin"),
        )
        .map_err(|error| Failure::bad_answer(error.to_string()))
    }

    fn convert(&self, plugin: &Plugin, message: &[u8], workspace: &mut Workspace) -> Result<(), Failure> {
        workspace.body.clear();
        message::write(
            plugin,
            &self.route,
            message,
            &plugin.settings.print,
            &mut workspace.to_json,
            &mut workspace.content_type,
            &mut workspace.body,
        )?;
        let limit = plugin.settings.limits.max_response_bytes;
        if workspace.body.len() > limit {
            return Err(too_large(workspace.body.len(), limit));
        }
        Ok(())
    }

    /// The HTTP status of a success whose body is in `workspace`. Some have no body (RFC 9110, 15.3.5 and 15.3.6).
    fn success(&self, workspace: &mut Workspace) -> u16 {
        let status = self.success_status();
        if is_without_content(status) {
            workspace.body.clear();
        }
        status
    }

    /// The HTTP status of a success: 200, unless the service chose another. A stream has content, if only its error.
    pub fn success_status(&self) -> u16 {
        let trailing = self.trailing.iter().filter(|_| !self.headers_gone);
        self.initial
            .iter()
            .chain(trailing)
            .find_map(|(name, value)| metadata::success_status(name, value))
            .filter(|status| self.stream.is_none() || !is_without_content(*status))
            .unwrap_or(200)
    }

    /// Whether the client has headers already behind which there must be no body, not even an error's.
    pub fn promises_no_content(&self) -> bool {
        self.headers_gone && is_without_content(self.success_status())
    }

    /// An HTTP answer that no gRPC server gave: gRPC's own table tells its code.
    fn not_grpc(&self) -> Failure {
        let http_status = self.initial.status().unwrap_or(0);
        let content_type = shown(self.initial.get("content-type").unwrap_or_default(), NAME);
        let message = format!("answered HTTP {http_status} with content-type {content_type:?} instead of gRPC");
        if http_status == 200 {
            return Failure::bad_answer(message);
        }
        Failure::of(Status::new(
            Code::from_http_status(http_status),
            format!("upstream: {message}"),
        ))
    }

    fn host_failure(&self, host_reply: HostReply) -> Failure {
        match host_reply {
            HostReply::Unreachable if !self.over_time => Failure::unavailable("the upstream cannot be reached"),
            HostReply::Unreachable | HostReply::Deadline => self.late(),
            HostReply::TooLarge => Failure::too_large(
                "the request has become larger, as a gRPC message, than the gateway can hold (in Envoy: \
                 per_connection_buffer_limit_bytes, initial_stream_window_size)",
            ),
        }
    }

    fn late(&self) -> Failure {
        match self.timeout {
            Some(timeout) => Failure::deadline(format!("the upstream did not answer within {timeout:?}")),
            None => Failure::deadline("the upstream did not answer in time"),
        }
    }

    /// What an upstream's failure means. Some servers say "cancelled" of a call whose time is up.
    fn judge(&self, failure: Failure) -> Failure {
        match failure.status.code {
            Code::Cancelled if self.over_time => self.late(),
            _ => failure,
        }
    }

    fn judge_progress(&self, progress: Progress) -> Progress {
        match progress {
            Progress::Failed(failure) => Progress::Failed(self.judge(failure)),
            progress => progress,
        }
    }
}

/// The status of a success that has nothing to show, and must not even have a content-length.
const NO_CONTENT: u16 = 204;

/// Whether an answer with this status has no body: 204, and 205 (Reset Content).
pub fn is_without_content(http_status: u16) -> bool {
    matches!(http_status, NO_CONTENT | 205)
}

/// An answer of `size` bytes is over the limit.
pub fn too_large(size: usize, limit: usize) -> Failure {
    Failure::answer_too_large(format!(
        "the response has {size} bytes, more than the limit of {limit} (limits.max_response_bytes, \
         limits.max_message_bytes)"
    ))
}

fn no_message() -> Failure {
    Failure::bad_answer("status OK without a message")
}

fn more_messages() -> Failure {
    Failure::bad_answer("more than one message from a unary method")
}
