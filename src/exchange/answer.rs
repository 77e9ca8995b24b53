//! The response half: from the upstream's frames, status and metadata to an HTTP response.

use std::rc::Rc;
use std::time::Duration;

use super::headers::{HeaderEdits, Headers};
use super::reply::Failure;
use super::{HostReply, JSON, Workspace};
use crate::codec::http_body;
use crate::codec::wire::Reader;
use crate::config::Plugin;
use crate::grpc::frame::{Frame, FrameError, FrameReader};
use crate::grpc::{Code, Status, metadata};
use crate::routing::{Method, Route};
use crate::schema::tables::{Cardinality, FieldIndex, Kind, MessageIndex, Tables, WireType};

/// The answer to a request that the upstream has, as far as it is known.
#[derive(Debug)]
pub struct Answer {
    route: Rc<Route>,
    timeout: Option<Duration>,
    /// Response headers in place, or a call's initial metadata.
    initial: Headers,
    trailing: Option<Headers>,
    /// The one message of a call.
    message: Option<Vec<u8>>,
}

impl Answer {
    /// Nothing of the answer is there yet.
    pub fn new(route: Rc<Route>, timeout: Option<Duration>) -> Self {
        Self {
            route,
            timeout,
            initial: Headers::default(),
            trailing: None,
            message: None,
        }
    }

    /// The method that was called.
    pub fn method(&self) -> &Method {
        &self.route.method
    }

    /// The response headers came, in place. An error, if they alone say that there is no success.
    pub fn headers(
        &mut self,
        headers: Headers,
        end_of_stream: bool,
        host_reply: Option<HostReply>,
    ) -> Result<(), Failure> {
        if let Some(host_reply) = host_reply {
            return Err(self.host_failure(host_reply));
        }
        self.initial = headers;
        let http_status = self
            .initial
            .get(":status")
            .and_then(|status| std::str::from_utf8(status).ok()?.parse::<u16>().ok())
            .unwrap_or(0);
        let content_type = self.initial.get("content-type").unwrap_or_default();
        if http_status != 200 || !content_type.starts_with(b"application/grpc") {
            return Err(not_grpc(http_status, content_type));
        }
        if !end_of_stream {
            return Ok(());
        }
        match self.status(None)?.code {
            Code::Ok => Err(no_message()),
            _ => Err(Failure::of(self.status(None)?)),
        }
    }

    /// The whole response in place is there. Converts the message into `workspace.body` and returns the HTTP status.
    pub fn complete(
        &mut self,
        plugin: &Plugin,
        body: &[u8],
        trailers: Option<&Headers>,
        workspace: &mut Workspace,
    ) -> Result<u16, Failure> {
        let status = self.status(trailers)?;
        if status.code != Code::Ok {
            return Err(Failure::of(status));
        }
        let mut reader = FrameReader::new(plugin.settings.limits.max_message_bytes);
        let mut frames = reader.push(body);
        let status = match frames.next_frame().map_err(bad_frame)? {
            Some(Frame::Message(message)) => Some(self.convert(plugin, message, trailers, workspace)?),
            _ => None,
        };
        let more = frames.next_frame().map_err(bad_frame)?.is_some();
        drop(frames);
        reader.finish().map_err(bad_frame)?;
        match status {
            Some(_) if more => Err(more_messages()),
            Some(status) => Ok(status),
            None => Err(no_message()),
        }
    }

    /// A call's initial metadata.
    pub fn set_initial_metadata(&mut self, metadata: Headers) {
        self.initial = metadata;
    }

    /// A call's trailing metadata.
    pub fn set_trailing_metadata(&mut self, metadata: Headers) {
        self.trailing = Some(metadata);
    }

    /// Takes the trailing metadata out.
    pub fn take_trailing_metadata(&mut self) -> Option<Headers> {
        self.trailing.take()
    }

    /// A message of a call.
    pub fn add_message(&mut self, plugin: &Plugin, message: Vec<u8>) -> Result<(), Failure> {
        let limits = &plugin.settings.limits;
        let limit = limits.max_message_bytes.min(limits.max_response_bytes);
        if message.len() > limit {
            return Err(too_large(message.len(), limit));
        }
        if self.message.is_some() {
            return Err(more_messages());
        }
        self.message = Some(message);
        Ok(())
    }

    /// A call ended. Converts the message into `workspace.body` and returns the HTTP status.
    pub fn closed(
        &mut self,
        plugin: &Plugin,
        code: u32,
        message: &[u8],
        trailing: Option<&Headers>,
        host_reply: Option<HostReply>,
        workspace: &mut Workspace,
    ) -> Result<u16, Failure> {
        if let Some(host_reply) = host_reply {
            return Err(self.host_failure(host_reply));
        }
        let status = match trailing.filter(|trailing| trailing.get("grpc-status").is_some()) {
            Some(trailing) => self.status(Some(trailing))?,
            None => Status::from_host(i64::from(code), message),
        };
        if status.code != Code::Ok {
            return Err(Failure::of(status));
        }
        match self.message.take() {
            Some(message) => self.convert(plugin, &message, trailing, workspace),
            None => Err(no_message()),
        }
    }

    /// The metadata that the client gets, initial before trailing.
    pub fn metadata<'h>(&'h self, trailing: Option<&'h Headers>) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
        self.initial
            .iter()
            .chain(trailing.into_iter().flat_map(Headers::iter))
            .filter(|(name, value)| metadata::is_response_header(name, value))
    }

    /// How the response headers in place become the client's.
    pub fn edit_headers(
        &self,
        http_status: u16,
        content_type: &[u8],
        trailing: Option<&Headers>,
        body_length: usize,
        edits: &mut HeaderEdits,
    ) {
        self.edit_headers_early(edits);
        let mut digits = itoa::Buffer::new();
        edits.set(b":status", digits.format(http_status).as_bytes());
        edits.set(b"content-type", content_type);
        edits.set(b"content-length", digits.format(body_length).as_bytes());
        for (name, value) in trailing.into_iter().flat_map(Headers::iter) {
            if metadata::is_response_header(name, value) {
                edits.add(name, value);
            }
        }
    }

    /// What changes in the response headers before anything behind them is known: the status stays 200.
    pub fn edit_headers_early(&self, edits: &mut HeaderEdits) {
        edits.clear();
        for (name, value) in self.initial.iter() {
            let kept = name.first() == Some(&b':') || name == b"content-type";
            if !kept && !metadata::is_response_header(name, value) {
                edits.remove(name);
            }
        }
        edits.set(b"content-type", JSON);
    }

    fn status(&self, trailers: Option<&Headers>) -> Result<Status, Failure> {
        // An upstream may put its status into the headers even where a body follows.
        let source = trailers
            .filter(|trailers| trailers.get("grpc-status").is_some())
            .unwrap_or(&self.initial);
        Status::from_trailers(
            source.get("grpc-status"),
            source.get("grpc-message"),
            source.get("grpc-status-details-bin"),
        )
        .map_err(|error| Failure::bad_answer(error.to_string()))
    }

    /// Writes the body for a message, and returns the HTTP status of the success.
    fn convert(
        &self,
        plugin: &Plugin,
        message: &[u8],
        trailing: Option<&Headers>,
        workspace: &mut Workspace,
    ) -> Result<u16, Failure> {
        let (tables, print) = (&plugin.tables, &plugin.settings.print);
        let output = self.route.method.output;
        let bad_message = |error: crate::codec::CodecError| {
            Failure::bad_answer(format!("malformed {}: {error}", tables.message(output).full_name()))
        };
        workspace.body.clear();
        workspace.content_type.clear();
        match self.route.binding.response_body {
            None if is_http_body(tables, output) => copy_http_body(message, workspace).map_err(bad_message)?,
            None => {
                workspace.content_type.extend_from_slice(JSON);
                workspace
                    .to_json
                    .message(tables, output, message, print, &mut workspace.body)
                    .map_err(bad_message)?;
            }
            Some(field) => match http_body_number(tables, output, field) {
                Some(number) => {
                    let value = merged_field(message, number).map_err(bad_message)?;
                    copy_http_body(&value, workspace).map_err(bad_message)?;
                }
                None => {
                    workspace.content_type.extend_from_slice(JSON);
                    workspace
                        .to_json
                        .field(tables, output, field, message, print, &mut workspace.body)
                        .map_err(bad_message)?;
                }
            },
        }
        let limit = plugin.settings.limits.max_response_bytes;
        if workspace.body.len() > limit {
            return Err(too_large(workspace.body.len(), limit));
        }
        Ok(self
            .initial
            .iter()
            .chain(trailing.into_iter().flat_map(Headers::iter))
            .find_map(|(name, value)| metadata::success_status(name, value))
            .unwrap_or(200))
    }

    fn host_failure(&self, host_reply: HostReply) -> Failure {
        match (host_reply, self.timeout) {
            (HostReply::Unreachable, _) => Failure::unavailable("the upstream cannot be reached"),
            (HostReply::Deadline, Some(timeout)) => {
                Failure::deadline(format!("the upstream did not answer within {timeout:?}"))
            }
            (HostReply::Deadline, None) => Failure::deadline("the upstream did not answer in time"),
        }
    }
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

fn bad_frame(error: FrameError) -> Failure {
    match error {
        FrameError::TooLarge { .. } => Failure::answer_too_large(error.to_string()),
        _ => Failure::bad_answer(error.to_string()),
    }
}

/// An HTTP answer that no gRPC server gave.
fn not_grpc(http_status: u16, content_type: &[u8]) -> Failure {
    let content_type = String::from_utf8_lossy(content_type);
    let message = format!("answered HTTP {http_status} with content-type {content_type:?} instead of gRPC");
    if http_status == 200 {
        return Failure::bad_answer(message);
    }
    Failure::of(Status::new(
        Code::from_http_status(http_status),
        format!("upstream: {message}"),
    ))
}

fn is_http_body(tables: &Tables, message: MessageIndex) -> bool {
    tables.message(message).full_name() == http_body::FULL_NAME
}

/// The number of `field`, if it is a `google.api.HttpBody`.
fn http_body_number(tables: &Tables, message: MessageIndex, field: FieldIndex) -> Option<u32> {
    let field = tables.message(message).field(field)?;
    match (field.kind, field.cardinality) {
        (Kind::Message(below), Cardinality::Singular) if is_http_body(tables, below) => Some(field.number),
        _ => None,
    }
}

fn copy_http_body(message: &[u8], workspace: &mut Workspace) -> Result<(), crate::codec::CodecError> {
    let body = http_body::read(message)?;
    workspace.body.extend_from_slice(body.data);
    let content_type = match body.content_type {
        content_type if !content_type.is_empty() && metadata::is_header_value(content_type) => content_type,
        _ => b"application/octet-stream",
    };
    workspace.content_type.extend_from_slice(content_type);
    Ok(())
}

/// The wire form of a singular message field: protobuf merges its records, which concatenation does.
fn merged_field(message: &[u8], number: u32) -> Result<Vec<u8>, crate::codec::CodecError> {
    let mut reader = Reader::new(message);
    let mut value = Vec::new();
    while !reader.is_empty() {
        match reader.tag()? {
            (found, WireType::Len) if found == number => value.extend_from_slice(reader.length_delimited()?),
            (found, wire_type) => reader.skip(found, wire_type, 0)?,
        }
    }
    Ok(value)
}
