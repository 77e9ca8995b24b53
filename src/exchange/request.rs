//! The request half: from HTTP headers and JSON to metadata and one gRPC frame.

use std::rc::Rc;
use std::time::Duration;

use super::body::{check_message, too_large, write_body};
use super::deadline::DEFAULT_TIMEOUT;
use super::failure::Failure;
use super::matched::{BodyType, body_type};
use super::steps::Abilities;
use super::upload::Upload;
use super::workspace::Workspace;
use crate::config::{Dispatch, Plugin, Unmatched};
use crate::grpc::metadata::{self, RequestHeader};
use crate::grpc::{frame, timeout};
use crate::http::elements::Form;
use crate::http::headers::{HeaderEdits, Headers, content_length};
use crate::http::media_type::{GRPC, GRPC_WEB_PROTO, is_json, is_lines, is_native_grpc, media_type};
use crate::routing::{Body, Bound, Match, Route};
use crate::schema::tables::Tables;
use crate::text::shown::{NAME, shown};

/// A request that has found its method and waits for its body.
#[derive(Debug)]
pub struct Pending {
    route: Rc<Route>,
    headers: Headers,
    /// The frame so far: its prefix, then what path and query bind.
    frame: Vec<u8>,
    bound: Bound,
    timeout: Option<Duration>,
    /// Whether the client or the configuration asked for the timeout.
    enforced: bool,
    bodyless: bool,
}

impl Pending {
    /// Finds the method for the request, which `taken` then names, and binds path and query. `None`: the request is to
    /// go on untouched.
    pub fn new(
        plugin: &Plugin,
        headers: Headers,
        end_of_stream: bool,
        workspace: &mut Workspace,
        taken: &mut Option<Rc<Route>>,
    ) -> Result<Option<Self>, Failure> {
        let settings = &plugin.settings;
        let seen = Seen::read(&headers);
        if seen.content_type.is_some_and(is_native_grpc) {
            return Ok(None);
        }
        let http_method = String::from_utf8_lossy(seen.method);
        let (path, query) = split_target(seen.path);
        let found = plugin.router.find(&http_method, path, &mut workspace.captures);
        let route = match found {
            Match::Route(route) => Rc::clone(route),
            Match::NoRoute | Match::WrongMethod { .. } if settings.unmatched == Unmatched::PassThrough => {
                return Ok(None);
            }
            Match::NoRoute => return Err(Failure::no_route(&shown(seen.method, NAME), &shown(path, NAME))),
            Match::WrongMethod { allow } => {
                return Err(Failure::wrong_method(
                    &shown(seen.method, NAME),
                    &shown(path, NAME),
                    allow,
                ));
            }
            Match::Malformed(message) => return Err(Failure::path(message)),
        };
        *taken = Some(Rc::clone(&route));
        let takes_body = !matches!(route.binding.body, Body::None);
        if takes_body {
            check_media_type(&plugin.tables, &route, &seen)?;
        }
        let streams = route.method.client_streaming || route.method.server_streaming;
        let configured = match streams {
            true => settings.streaming.timeout,
            false => settings.upstream.timeout,
        };
        let cap = configured.or(match streams {
            true => None,
            false => Some(DEFAULT_TIMEOUT),
        });
        let timeout = match seen.grpc_timeout {
            None => cap,
            Some(value) => {
                let asked = timeout::parse(value).map_err(|error| Failure::header("grpc-timeout", &error))?;
                Some(cap.map_or(asked, |cap| cap.min(asked)))
            }
        };
        let enforced = configured.is_some() || seen.grpc_timeout.is_some();
        let limit = settings.limits.max_request_bytes;
        // A streamed body has no bound; each of its messages has.
        let length = seen.content_length.filter(|_| !route.method.client_streaming);
        if let Some(size) = length.filter(|size| *size > limit) {
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
            enforced,
            bodyless: end_of_stream,
        }))
    }

    /// The route that the request took.
    pub fn route(&self) -> &Rc<Route> {
        &self.route
    }

    /// The time that the upstream is told it has; none for a stream without end.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The same, where somebody asked for it: the default does not replace the gateway's own timeout for the route.
    pub fn enforced_timeout(&self) -> Option<Duration> {
        self.timeout.filter(|_| self.enforced)
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
        let limit = plugin.settings.limits.max_request_bytes;
        if body.len() > limit {
            return Err(too_large(body.len(), limit));
        }
        if self.streams_body() {
            // Nothing was streamed: the upstream gets no message.
            self.frame.clear();
            return Ok(());
        }
        let content_type = self.headers.get("content-type").unwrap_or_default();
        let fill_mask = !self.bound.update_mask_set;
        write_body(
            plugin,
            &self.route,
            content_type,
            body,
            fill_mask,
            workspace,
            &mut self.frame,
        )?;
        check_message(
            plugin,
            &self.route,
            self.frame.get(frame::PREFIX_LENGTH..).unwrap_or_default(),
        )?;
        frame::finish(&mut self.frame, 0);
        Ok(())
    }

    /// Whether the request's body is a stream of messages.
    pub fn streams_body(&self) -> bool {
        self.route.method.client_streaming && !matches!(self.route.binding.body, Body::None)
    }

    /// The client's `accept` header.
    pub fn accept(&self) -> Option<&[u8]> {
        self.headers.get("accept")
    }

    /// Makes this a request whose headers go on at once.
    pub fn into_upload(self, plugin: &Plugin, workspace: &mut Workspace) -> Result<Upload, Failure> {
        let content_type = self.headers.get("content-type").unwrap_or_default();
        let first = self.frame.get(frame::PREFIX_LENGTH..).unwrap_or_default().to_vec();
        if !self.streams_body() {
            let fill_mask = !self.bound.update_mask_set;
            return Ok(Upload::whole(self.route, first, content_type, fill_mask));
        }
        let mut later = Vec::new();
        workspace
            .binder
            .bind(
                &plugin.tables,
                &self.route,
                &workspace.captures,
                None,
                &plugin.settings.parse,
                &plugin.settings.query,
                false,
                &mut later,
            )
            .map_err(|error| Failure::parameter(&error))?;
        let form = match body_type(&plugin.tables, &self.route) {
            BodyType::Raw => None,
            BodyType::Json if is_lines(&media_type(content_type)) => Some(Form::Lines),
            BodyType::Json => Some(Form::Array),
        };
        Ok(Upload::stream(plugin, self.route, first, later, form, content_type))
    }

    /// How the request headers become the upstream's: its path and framing in, what isn't metadata out.
    pub fn edit_headers(&self, plugin: &Plugin, abilities: Abilities, edits: &mut HeaderEdits) {
        edits.clear();
        let connection = metadata::connection_options(self.headers.iter());
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
        if let (Some(name), Some(path)) = (abilities.original_path, self.headers.get(":path")) {
            edits.set(name, path);
        }
        edits.set(b":path", self.route.method.path.as_bytes());
        // The host's gRPC-Web filter behind this one speaks plain gRPC upstream, and puts the trailers into the body.
        edits.set(
            b"content-type",
            match plugin.settings.upstream.grpc_web {
                true => GRPC_WEB_PROTO,
                false => GRPC,
            },
        );
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
        let connection = metadata::connection_options(self.headers.iter());
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

/// A streamed request can only go in place, through a host that streams.
pub fn cannot_stream() -> Failure {
    Failure::unimplemented(
        "a streamed request cannot be carried here: on Envoy it needs dispatch: auto or forward; gateways that read a \
         request whole cannot stream it",
    )
}

/// The request would go by a call, but its headers cannot wait for its body.
pub fn cannot_hold() -> Failure {
    Failure::unimplemented(
        "dispatch: call cannot carry a request with a body on this gateway: set \
         allow_on_headers_stop_iteration: true in the Wasm filter's configuration, or dispatch: auto",
    )
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
                b"content-length" => seen.content_length = content_length(value),
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

fn check_media_type(tables: &Tables, route: &Route, seen: &Seen<'_>) -> Result<(), Failure> {
    if let Some(encoding) = seen.content_encoding
        && !encoding.trim_ascii().is_empty()
        && !encoding.trim_ascii().eq_ignore_ascii_case(b"identity")
    {
        return Err(Failure::unsupported_media_type(format!(
            "content-encoding {} is not supported: send the body as it is",
            shown(encoding, NAME)
        )));
    }
    let Some(content_type) = seen.content_type else {
        return Ok(());
    };
    let media_type = media_type(content_type);
    let lines = route.method.client_streaming && is_lines(&media_type);
    let json = media_type.is_empty() || is_json(&media_type);
    if body_type(tables, route) == BodyType::Raw || json || lines {
        return Ok(());
    }
    Err(Failure::unsupported_media_type(format!(
        "content-type {} is not supported: expected application/json",
        shown(content_type, NAME)
    )))
}
