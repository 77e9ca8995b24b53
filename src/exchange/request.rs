//! The request half: from HTTP headers and JSON to metadata and one gRPC frame.

use std::rc::Rc;
use std::time::Duration;

use super::headers::{HeaderEdits, Headers};
use super::reply::Failure;
use super::{Abilities, Workspace};
use crate::codec::wire::write_varint;
use crate::codec::{check_required, http_body};
use crate::config::{Dispatch, Plugin, Unmatched};
use crate::grpc::metadata::{self, RequestHeader};
use crate::grpc::{frame, timeout};
use crate::routing::{Body, Bound, Match, Route};
use crate::schema::tables::{Cardinality, FieldIndex, Kind, MessageIndex, Tables, Tag, WireType};

/// A request that has found its method and waits for its body.
#[derive(Debug)]
pub struct Pending {
    route: Rc<Route>,
    headers: Headers,
    /// The frame so far: its prefix, then what path and query bind.
    frame: Vec<u8>,
    bound: Bound,
    timeout: Option<Duration>,
    bodyless: bool,
}

impl Pending {
    /// Finds the method for the request and binds path and query. `None`: the request is to go on untouched.
    pub fn new(
        plugin: &Plugin,
        headers: Headers,
        end_of_stream: bool,
        workspace: &mut Workspace,
    ) -> Result<Option<Self>, Failure> {
        let settings = &plugin.settings;
        let seen = Seen::read(&headers);
        if seen.content_type.is_some_and(is_native) {
            return Ok(None);
        }
        let http_method = text(seen.method);
        let (path, query) = split_target(seen.path);
        let found = plugin.router.find(&http_method, path, &mut workspace.captures);
        let route = match found {
            Match::Route(route) => Rc::clone(route),
            Match::NoRoute | Match::WrongMethod { .. } if settings.unmatched == Unmatched::PassThrough => {
                return Ok(None);
            }
            Match::NoRoute => return Err(Failure::no_route(&http_method, &text(path))),
            Match::WrongMethod { allow } => return Err(Failure::wrong_method(&http_method, &text(path), allow)),
            Match::Malformed(message) => return Err(Failure::bad_request(message)),
        };
        check_streaming(&route)?;
        let takes_body = !matches!(route.binding.body, Body::None);
        if takes_body {
            check_media_type(&plugin.tables, &route, &seen)?;
        }
        let timeout = match seen.grpc_timeout {
            None => settings.upstream.timeout,
            Some(value) => {
                let asked = timeout::parse(value).map_err(|error| Failure::bad_request(error.to_string()))?;
                Some(settings.upstream.timeout.map_or(asked, |cap| cap.min(asked)))
            }
        };
        let limit = settings.limits.max_request_bytes;
        if let Some(size) = seen.content_length.filter(|size| *size > limit) {
            return Err(too_large(size, limit));
        }
        let mut frame = std::mem::take(&mut workspace.spare_frame);
        frame.clear();
        frame::begin(&mut frame);
        let has_body = takes_body && !end_of_stream;
        let bound = workspace
            .binder
            .bind(
                &plugin.tables,
                &route,
                &workspace.captures,
                query,
                &settings.parse,
                &settings.query,
                has_body,
                &mut frame,
            )
            .map_err(|error| Failure::parameter(&error))?;
        Ok(Some(Self {
            route,
            headers,
            frame,
            bound,
            timeout,
            bodyless: end_of_stream,
        }))
    }

    /// The route that the request took.
    pub fn route(&self) -> &Rc<Route> {
        &self.route
    }

    /// When the upstream must have answered, counted from the moment that it gets the request.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The frame, complete after [`Pending::convert`].
    pub fn into_frame(self) -> Vec<u8> {
        self.frame
    }

    /// Whether the request goes by a gRPC call rather than in place.
    pub fn chooses_call(&self, plugin: &Plugin, abilities: Abilities) -> Result<bool, Failure> {
        let in_place = !self.bodyless || abilities.fills_bodyless;
        match plugin.settings.dispatch {
            _ if !abilities.calls && in_place => Ok(false),
            Dispatch::Call if abilities.calls => Ok(true),
            Dispatch::Auto if abilities.calls => Ok(!in_place),
            Dispatch::Forward if in_place => Ok(false),
            Dispatch::Forward => Err(Failure::unimplemented(
                "dispatch: forward cannot carry a request without a body on this gateway: set dispatch: auto",
            )),
            Dispatch::Auto | Dispatch::Call => Err(Failure::unimplemented(
                "this gateway cannot carry a request without a body to a gRPC method",
            )),
        }
    }

    /// Completes the frame with what the request body says.
    pub fn convert(&mut self, plugin: &Plugin, body: Option<&[u8]>, workspace: &mut Workspace) -> Result<(), Failure> {
        self.bodyless = body.is_none();
        let body = body.unwrap_or_default();
        let (settings, tables) = (&plugin.settings, &plugin.tables);
        let limit = settings.limits.max_request_bytes;
        if body.len() > limit {
            return Err(too_large(body.len(), limit));
        }
        let route = Rc::clone(&self.route);
        let (binding, input) = (&route.binding, route.method.input);
        match binding.body {
            Body::None => {}
            Body::Whole if is_http_body(tables, input) => {
                let content_type = self.headers.get("content-type").unwrap_or_default();
                http_body::write(content_type, body, &mut self.frame);
            }
            Body::Whole => workspace
                .to_wire
                .message(
                    tables,
                    input,
                    body,
                    &settings.parse,
                    &binding.bound,
                    None,
                    &mut self.frame,
                )
                .map_err(|error| Failure::body(&error))?,
            Body::Field(field) if http_body_field(tables, input, field) => {
                self.write_http_body_field(tables, input, field, body);
            }
            Body::Field(field) => {
                let mask = binding
                    .update_mask
                    .filter(|_| settings.update_mask_from_body && !self.bound.update_mask_set);
                workspace.present.clear();
                workspace
                    .to_wire
                    .field(
                        tables,
                        input,
                        field,
                        body,
                        &settings.parse,
                        &binding.body_bound,
                        mask.map(|_| &mut workspace.present),
                        &mut self.frame,
                    )
                    .map_err(|error| Failure::body(&error))?;
                if let Some(mask) = mask.and_then(|mask| tables.message(input).field(mask)) {
                    write_mask(mask.tag.as_bytes(), &workspace.present, &mut self.frame);
                }
            }
        }
        let message = self.frame.get(frame::PREFIX_LENGTH..).unwrap_or_default();
        let limit = settings.limits.max_message_bytes;
        if message.len() > limit {
            return Err(Failure::too_large(format!(
                "the request message has {} bytes, more than limits.max_message_bytes: {limit}",
                message.len()
            )));
        }
        if tables.message(input).needs_required_check() {
            check_required(tables, input, message).map_err(|error| Failure::body(&error))?;
        }
        frame::finish(&mut self.frame, 0);
        Ok(())
    }

    fn write_http_body_field(&mut self, tables: &Tables, input: MessageIndex, field: FieldIndex, body: &[u8]) {
        let Some(field) = tables.message(input).field(field) else {
            return;
        };
        let mut value = Vec::with_capacity(body.len() + 64);
        let content_type = self.headers.get("content-type").unwrap_or_default();
        http_body::write(content_type, body, &mut value);
        self.frame.extend_from_slice(field.tag.as_bytes());
        write_varint(value.len() as u64, &mut self.frame);
        self.frame.extend_from_slice(&value);
    }

    /// How the request headers become the upstream's: its path and framing in, what isn't metadata out.
    pub fn edit_headers(&self, plugin: &Plugin, edits: &mut HeaderEdits) {
        edits.clear();
        let connection = metadata::connection_options(self.headers.get("connection"));
        let mut invalid = false;
        for (name, value) in self.headers.iter() {
            // Pseudo-headers stay, and what is set below is not worth a removal.
            if name.first() == Some(&b':') || matches!(name, b"content-type" | b"te") {
                continue;
            }
            match metadata::request_header(name, value, &connection) {
                RequestHeader::Forward => {}
                RequestHeader::Drop => edits.remove(name),
                RequestHeader::Invalid => {
                    edits.remove(name);
                    invalid = true;
                }
            }
        }
        if invalid {
            // The removal takes all values of the name: the good ones come back.
            for (name, value) in self.headers.iter() {
                if edits.removes(name) && metadata::request_header(name, value, &connection) == RequestHeader::Forward {
                    edits.add(name, value);
                }
            }
        }
        if self.headers.get(":method") != Some(b"POST") {
            edits.set(b":method", b"POST");
        }
        edits.set(b":path", self.route.method.path.as_bytes());
        edits.set(b"content-type", b"application/grpc");
        edits.set(b"te", b"trailers");
        if let Some(authority) = &plugin.settings.upstream.authority {
            edits.set(b":authority", authority.as_bytes());
        }
        if let Some(timeout) = self.timeout {
            edits.set(b"grpc-timeout", timeout::format(timeout).as_bytes());
        }
    }

    /// The request headers as initial metadata of a call.
    pub fn write_metadata(&self, timeout: Option<Duration>, out: &mut Headers) {
        out.clear();
        let connection = metadata::connection_options(self.headers.get("connection"));
        for (name, value) in self.headers.iter() {
            if metadata::request_header(name, value, &connection) == RequestHeader::Forward {
                out.push(name, value);
            }
        }
        if let Some(timeout) = timeout {
            out.push(b"grpc-timeout", timeout::format(timeout).as_bytes());
        }
    }
}

/// The request would go by a call, but its headers cannot wait for its body.
pub fn cannot_hold() -> Failure {
    Failure::unimplemented(
        "dispatch: call cannot carry a request with a body on this gateway: set \
         allow_on_headers_stop_iteration: true in the Wasm filter's configuration, or dispatch: auto",
    )
}

/// A request of `size` bytes is over the limit.
pub fn too_large(size: usize, limit: usize) -> Failure {
    Failure::too_large(format!(
        "the request body has {size} bytes, more than limits.max_request_bytes: {limit}"
    ))
}

/// The headers that decide what a request is, found in one walk.
#[derive(Default)]
struct Seen<'h> {
    method: &'h [u8],
    path: &'h [u8],
    content_type: Option<&'h [u8]>,
    content_encoding: Option<&'h [u8]>,
    content_length: Option<usize>,
    grpc_timeout: Option<&'h [u8]>,
}

impl<'h> Seen<'h> {
    fn read(headers: &'h Headers) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers.iter() {
            match name {
                b":method" => seen.method = value,
                b":path" => seen.path = value,
                b"content-type" => seen.content_type = Some(value),
                b"content-encoding" => seen.content_encoding = Some(value),
                b"content-length" => {
                    seen.content_length = std::str::from_utf8(value)
                        .ok()
                        .and_then(|value| value.trim().parse().ok());
                }
                b"grpc-timeout" => seen.grpc_timeout = Some(value),
                _ => {}
            }
        }
        seen
    }
}

/// Splits a request target into path and query.
fn split_target(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target).and_then(|at| target.split_at_checked(at)) {
        Some((path, query)) => (path, query.get(1..)),
        None => (target, None),
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// gRPC itself and gRPC-Web are not JSON: they pass.
fn is_native(content_type: &[u8]) -> bool {
    let media_type = media_type(content_type);
    media_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b"-web"))
}

/// The type of a content-type value, without its parameters, in lower case.
fn media_type(content_type: &[u8]) -> Vec<u8> {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    content_type
        .get(..end)
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase()
}

fn check_streaming(route: &Route) -> Result<(), Failure> {
    let method = &route.method;
    if method.client_streaming || method.server_streaming {
        return Err(Failure::unimplemented(format!(
            "{} is a streaming method: it is reachable by gRPC only",
            method.full_name
        )));
    }
    Ok(())
}

fn check_media_type(tables: &Tables, route: &Route, seen: &Seen<'_>) -> Result<(), Failure> {
    if let Some(encoding) = seen.content_encoding
        && !encoding.trim_ascii().is_empty()
        && !encoding.trim_ascii().eq_ignore_ascii_case(b"identity")
    {
        return Err(Failure::unsupported_media_type(format!(
            "content-encoding {} is not supported: send the body as it is",
            text(encoding)
        )));
    }
    let Some(content_type) = seen.content_type else {
        return Ok(());
    };
    let input = route.method.input;
    let raw = match route.binding.body {
        Body::Whole => is_http_body(tables, input),
        Body::Field(field) => http_body_field(tables, input, field),
        Body::None => true,
    };
    let media_type = media_type(content_type);
    if raw || media_type.is_empty() || media_type == b"application/json" || media_type.ends_with(b"+json") {
        return Ok(());
    }
    Err(Failure::unsupported_media_type(format!(
        "content-type {} is not supported: expected application/json",
        text(content_type)
    )))
}

fn is_http_body(tables: &Tables, message: MessageIndex) -> bool {
    tables.message(message).full_name() == http_body::FULL_NAME
}

fn http_body_field(tables: &Tables, message: MessageIndex, field: FieldIndex) -> bool {
    match tables
        .message(message)
        .field(field)
        .map(|field| (field.kind, field.cardinality))
    {
        Some((Kind::Message(below), Cardinality::Singular)) => is_http_body(tables, below),
        _ => false,
    }
}

/// Appends a `google.protobuf.FieldMask` field: `paths` is its field 1.
fn write_mask(tag: &[u8], paths: &[String], out: &mut Vec<u8>) {
    if paths.is_empty() {
        return;
    }
    let path_tag = Tag::new(1, WireType::Len);
    let mut value = Vec::new();
    for path in paths {
        value.extend_from_slice(path_tag.as_bytes());
        write_varint(path.len() as u64, &mut value);
        value.extend_from_slice(path.as_bytes());
    }
    out.extend_from_slice(tag);
    write_varint(value.len() as u64, out);
    out.extend_from_slice(&value);
}
