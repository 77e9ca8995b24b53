//! What is WasmX's own, the proxy-wasm host of Kong and nginx: all that is done differently there.
//!
//! It differs in more than names, so it has an HTTP context of its own, [`WasmxFilter`]:
//! - There is no gRPC call API: the functions trap. A request goes on in place, always.
//! - A request's body comes whole, and not at all where it is empty: then one is made at the headers, but only where
//!   there certainly is none. The bytes of a body that is there would be read as the next request. One that may still
//!   turn out empty waits under a path that no service has.
//! - Response headers go out at once, trailers have no callback: they are properties by the last part of the body, and
//!   what is known then can only be told in the body. Late changes of headers trap, as does a reset.
//! - A trap anywhere replaces the instance that all requests share; what it knew of them is gone.
//!
//! Sources: HTTP and property handling of `ngx_wasm_module` (`ngx_http_proxy_wasm.c`, `ngx_proxy_wasm_maps.c`,
//! `ngx_http_wasm_headers_request.c`) and nginx's HTTP/2 (`ngx_http_v2.c`), run in Kong 3.9.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::host::{self, Buffer, HostStatus, Map};
use super::host_profile::HostProfile;
use super::observer::Observer;
use super::replies::send;
use super::{Gateway, refused};
use crate::config::{Dispatch, Plugin};
use crate::exchange::{Abilities, Exchange, Failure, NO_SNIFFING, Reply, RequestStep, ResponseStep};
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::GRPC;
use crate::text::percent::{decode_lenient, encode_path};

/// A property that every HTTP context has here, and none elsewhere.
const NGINX_VERSION: &[&str] = &["ngx", "nginx_version"];

/// The request line as the client sent it, whatever a plugin in front changed.
const REQUEST_LINE: &[&str] = &["ngx", "request"];

/// The request target as the client sent it.
const REQUEST_TARGET: &[&str] = &["ngx", "request_uri"];

/// The query. Setting it also makes nginx build the upstream's path from `:path` rather than from [`REQUEST_TARGET`].
const QUERY: &[&str] = &["request", "query"];

/// The `content-length` that goes upstream. See [`ends_with_headers`] before it is read.
const CONTENT_LENGTH: &[&str] = &["ngx", "content_length"];

/// Where a request goes whose body never came: every service answers it UNIMPLEMENTED. Set until the body is there.
const NOWHERE: &[u8] = b"/protobridge.Empty/Body";

/// Kong's variable for the `te` header that it sends upstream; the header itself never arrives.
const UPSTREAM_TE: &str = "ngx\0upstream_te";

/// Trailers that make up the status, and the properties that they are here.
const TRAILERS: [(&str, &str); 3] = [
    ("grpc-status", "upstream_trailer_grpc_status"),
    ("grpc-message", "upstream_trailer_grpc_message"),
    ("grpc-status-details-bin", "upstream_trailer_grpc_status_details_bin"),
];

/// The same of an answer that has nothing but headers, where `grpc_hide_header` keeps them out of these.
const HIDDEN_HEADERS: [(&str, &str); 3] = [
    ("grpc-status", "upstream_http_grpc_status"),
    ("grpc-message", "upstream_http_grpc_message"),
    ("grpc-status-details-bin", "upstream_http_grpc_status_details_bin"),
];

/// The response's `content-type` as it went out; the header is shown only where headers come.
const CONTENT_TYPE_SENT: &[&str] = &["ngx", "sent_http_content_type"];

/// Request headers that nginx replaces or drops by itself, and reads for its own purposes.
const OWN_REQUEST_HEADERS: [&[u8]; 8] = [
    b"connection",
    b"content-length",
    b"expect",
    b"host",
    b"keep-alive",
    b"te",
    b"transfer-encoding",
    b"upgrade",
];

/// Response headers that nginx only writes later, and shows all the same.
const OWN_RESPONSE_HEADERS: [&[u8]; 3] = [b"connection", b"keep-alive", b"transfer-encoding"];

/// The method cannot be changed from these: nginx has decided what they are.
const FIXED_METHODS: [&[u8]; 2] = [b"GET", b"HEAD"];

const FIXED_METHOD: &str = "this gateway cannot change a GET request into gRPC's POST here: add the plugin \
                            request-transformer with config.http_method: POST to the route (the method of the request \
                            line still decides which binding is meant)";

/// Whether this is the host, asked in an HTTP context.
pub fn is_here() -> bool {
    host::property(NGINX_VERSION).is_ok()
}

/// Whether this may be the host, asked where no HTTP context is: there the property is known and cannot be read.
pub fn may_be_here() -> bool {
    host::property(NGINX_VERSION) != Err(HostStatus::NOT_FOUND)
}

/// What of a configuration cannot be had here.
pub fn unsupported(plugin: &Plugin) -> Option<&'static str> {
    let settings = &plugin.settings;
    if settings.dispatch == Dispatch::Call {
        return Some("dispatch: call: Kong has no gRPC calls for filters; expected auto or forward");
    }
    if settings.upstream.cluster.is_some() {
        return Some("upstream.cluster: on Kong the route's service is the upstream; leave it out");
    }
    if settings.upstream.authority.is_some() {
        return Some("upstream.authority: on Kong the route's service says it (host, preserve_host); leave it out");
    }
    if settings.upstream.grpc_web {
        return Some("upstream.grpc_web: Kong shows a response's trailers to a filter without it; leave it out");
    }
    None
}

/// One HTTP exchange.
pub struct WasmxFilter {
    gateway: Rc<Gateway>,
    exchange: Exchange,
    /// Whether this context has seen the request. One that has not stands in for one that was lost in a trap.
    began: bool,
    response: Response,
    /// The `content-length` of the upstream's response. The host tells the end only of a body without one.
    length: Option<usize>,
    /// How much of the body has come.
    seen: usize,
    /// Whether an access log can print how the exchange ended.
    shown: bool,
}

/// What becomes of the response's body.
enum Response {
    /// Its headers have not come.
    Awaited,
    /// It is left alone.
    Passes,
    /// Messages go out as they come.
    Flows,
    /// All of it becomes one answer; so much has come.
    Gathers(Vec<u8>),
    /// This takes its place.
    Replaced(Vec<u8>),
    /// The last of it has been written.
    Ended,
}

/// Whether a request has a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HasBody {
    Yes,
    No,
    /// None, by `content-length`. HTTP/2 may send frames of it all the same.
    Empty,
    /// In chunks, the first of which may be the last and empty.
    Chunked,
    /// HTTP/2 says so by a flag that the host doesn't show.
    Unknown,
}

impl WasmxFilter {
    /// An exchange of which nothing is known yet.
    pub fn new(gateway: Rc<Gateway>) -> Self {
        Self {
            exchange: Exchange::new(Rc::clone(&gateway.plugin)),
            gateway,
            began: false,
            response: Response::Awaited,
            length: None,
            seen: 0,
            shown: false,
        }
    }
}

impl Context for WasmxFilter {
    fn on_done(&mut self) -> bool {
        self.observer().ended(&self.exchange);
        true
    }
}

impl HttpContext for WasmxFilter {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let action = self.take_request();
        self.observer().show(&self.exchange);
        self.shown = !self.exchange.lacks_outcome();
        action
    }

    fn on_http_request_body(&mut self, size: usize, _: bool) -> Action {
        let action = self.take_request_body(size);
        self.show_outcome();
        action
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let action = self.take_response_headers();
        self.show_outcome();
        action
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let action = self.take_response_body(size, end_of_stream);
        self.show_outcome();
        action
    }
}

impl WasmxFilter {
    fn observer(&self) -> &Observer {
        self.gateway.observer(HostProfile::Wasmx)
    }

    /// nginx writes its access log before it says that the exchange is done.
    fn show_outcome(&mut self) {
        if !self.shown && !self.exchange.lacks_outcome() {
            self.shown = true;
            self.observer().show(&self.exchange);
        }
    }

    fn take_request(&mut self) -> Action {
        self.began = true;
        let request = match Request::read() {
            Ok(request) => request,
            Err(status) => return self.fail_request(&refused("to show the request headers", status)),
        };
        let abilities = Abilities::wasmx(request.obstacle);
        let bodyless = matches!(request.has_body, HasBody::No | HasBody::Empty);
        let gateway = Rc::clone(&self.gateway);
        let action = {
            let workspace = &mut gateway.workspace.borrow_mut();
            follow(
                self.exchange
                    .request_headers(request.headers, bodyless, abilities, workspace),
                request.has_body,
                0,
            )
        };
        if self.exchange.is_refused() {
            // Nothing is won by waiting for the body: nginx takes what is left of it from the connection.
            return self.complete_request(None, request.has_body, 0);
        }
        let may_be_empty = matches!(request.has_body, HasBody::Chunked | HasBody::Unknown);
        if self.exchange.awaits_body() && may_be_empty {
            if request.has_body == HasBody::Unknown && ends_with_headers() {
                // Or a plugin in front has taken the length away, and then frames come all the same.
                return self.complete_request(None, HasBody::Empty, 0);
            }
            if let Err(status) = send_nowhere() {
                return self.fail_request(&refused("to change the request headers", status));
            }
        }
        action.unwrap_or_else(|failure| self.fail_request(&failure))
    }

    fn take_request_body(&mut self, size: usize) -> Action {
        if !self.began {
            return self.fail_request(&lost());
        }
        if !self.exchange.awaits_body() {
            return Action::Continue;
        }
        match host::buffer(Buffer::RequestBody, size) {
            Ok(body) if body.len() == size => self.complete_request(Some(&body), HasBody::Yes, size),
            // A body in a temporary file has a size and no bytes.
            _ => self.fail_request(&Failure::too_large(format!(
                "the gateway keeps the request body of {size} bytes in a temporary file, where it cannot be read: set \
                 nginx_http_client_body_buffer_size in kong.conf to more than the largest body"
            ))),
        }
    }

    fn take_response_headers(&mut self) -> Action {
        let headers = match headers(Map::ResponseHeaders) {
            Ok(headers) => headers,
            Err(status) => {
                let failure = refused("to show the response headers", status);
                return self.replace_response(&failure, &Headers::default());
            }
        };
        self.length = headers.content_length().filter(|length| *length > 0);
        let grpc = headers.get("content-type").is_some_and(|value| value.starts_with(GRPC));
        if !self.began && grpc {
            return self.replace_response(&lost(), &headers);
        }
        if self.exchange.awaits_body() && grpc {
            // The body was empty after all, and so the request has gone on without a message, to nowhere.
            return self.replace_response(&length_required(), &headers);
        }
        if !self.exchange.awaits_response() {
            // Our own answer, one of the gateway's, or native gRPC.
            self.exchange.answered_elsewhere(None);
            self.response = Response::Passes;
            return Action::Continue;
        }
        self.take_response(&headers);
        Action::Continue
    }

    fn take_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if matches!(self.response, Response::Passes | Response::Ended) {
            return Action::Continue;
        }
        self.seen = self.seen.saturating_add(size);
        let end = end_of_stream || self.length.is_some_and(|length| self.seen >= length);
        let mut body = match host::buffer(Buffer::ResponseBody, size) {
            Ok(chunk) => self.convert(chunk, end),
            Err(status) => {
                let failure = refused("to show the response body", status);
                self.response = Response::Replaced(self.error_body(&failure));
                self.take_replacement(end)
            }
        };
        if end {
            self.response = Response::Ended;
        }
        if end && size > 0 && body.is_empty() {
            // A last part that is made empty is never sent, and the client waits for ever.
            body.push(b'\n');
        }
        if size == 0 && body.is_empty() {
            return Action::Continue;
        }
        // The host cuts what is written to the size that is named.
        if let Err(status) = host::replace_buffer(Buffer::ResponseBody, size.max(body.len()), &body) {
            log::error!("cannot change the response body: {status}");
        }
        Action::Continue
    }

    /// The request is there, with this body, of which the host holds `size` bytes.
    fn complete_request(&mut self, body: Option<&[u8]>, has_body: HasBody, size: usize) -> Action {
        let gateway = Rc::clone(&self.gateway);
        let action = {
            let workspace = &mut gateway.workspace.borrow_mut();
            follow(
                self.exchange.request_body(body, Abilities::wasmx(None), workspace),
                has_body,
                size,
            )
        };
        action.unwrap_or_else(|failure| self.fail_request(&failure))
    }

    /// Ends an exchange of which the upstream has seen nothing.
    fn fail_request(&mut self, failure: &Failure) -> Action {
        let reply = self
            .exchange
            .fail(failure, &mut self.gateway.workspace.borrow_mut())
            .clone();
        send(&reply, reply.status);
        Action::Pause
    }

    /// The upstream's response begins.
    fn take_response(&mut self, headers: &Headers) {
        let mut shown = without(headers, &OWN_RESPONSE_HEADERS);
        if shown.get("grpc-status").is_none() {
            push_properties(&HIDDEN_HEADERS, &mut shown);
        }
        // An error may come as headers alone, which no flag tells. A success has a body.
        let alone = shown.get("grpc-status").is_some_and(|status| status != b"0");
        let gateway = Rc::clone(&self.gateway);
        let workspace = &mut gateway.workspace.borrow_mut();
        let (edited, replacement) =
            match self
                .exchange
                .response_headers(shown, alone, None, Abilities::wasmx(None), workspace)
            {
                ResponseStep::RewriteHeaders(edits) => (host::edit_headers(Map::ResponseHeaders, edits), None),
                ResponseStep::Reply(reply) => (replace_headers(headers, reply), Some(reply.body.clone())),
                step => {
                    log::error!("unexpected step for response headers: {step:?}");
                    (Ok(()), Some(Vec::new()))
                }
            };
        if let Err(status) = edited {
            log::error!("cannot change the response headers: {status}");
        }
        self.response = match replacement {
            Some(body) => Response::Replaced(body),
            None if self.exchange.response_flows() => Response::Flows,
            None => Response::Gathers(Vec::new()),
        };
    }

    /// Makes the response an error, with its headers at hand.
    fn replace_response(&mut self, failure: &Failure, headers: &Headers) -> Action {
        let reply = self
            .exchange
            .fail(failure, &mut self.gateway.workspace.borrow_mut())
            .clone();
        if let Err(status) = replace_headers(headers, &reply) {
            log::error!("cannot change the response headers: {status}");
        }
        self.response = Response::Replaced(reply.body);
        Action::Continue
    }

    /// What goes out in place of the next part of the upstream's body. `end`: it is the last.
    fn convert(&mut self, chunk: Vec<u8>, end: bool) -> Vec<u8> {
        match &mut self.response {
            Response::Flows => self.convert_part(&chunk, end),
            Response::Gathers(gathered) => {
                gathered.extend_from_slice(&chunk);
                let body = std::mem::take(gathered);
                self.convert_whole(body, end)
            }
            Response::Replaced(_) => self.take_replacement(end),
            Response::Awaited => {
                // The headers came to a context that a trap took away. The client must not wait for the end to be told.
                self.response = Response::Replaced(Vec::new());
                let content_type = host::property(CONTENT_TYPE_SENT).unwrap_or_default();
                let workspace = &mut self.gateway.workspace.borrow_mut();
                self.exchange.fail_body(&lost(), &content_type, workspace)
            }
            Response::Passes | Response::Ended => chunk,
        }
    }

    fn convert_part(&mut self, chunk: &[u8], end: bool) -> Vec<u8> {
        if end {
            self.exchange.response_trailers(trailers());
        }
        let workspace = &mut self.gateway.workspace.borrow_mut();
        match self.exchange.response_chunk(chunk, end, workspace) {
            ResponseStep::Chunk { body, .. } | ResponseStep::Rewrite { body, .. } => body.to_vec(),
            ResponseStep::Reply(reply) => {
                self.response = Response::Replaced(Vec::new());
                reply.body.clone()
            }
            ResponseStep::Drop | ResponseStep::Await => Vec::new(),
            // No reset is to be had here: the body ends where it is.
            step => {
                log::error!("a response is cut short: {step:?}");
                self.response = Response::Replaced(Vec::new());
                Vec::new()
            }
        }
    }

    fn convert_whole(&mut self, gathered: Vec<u8>, end: bool) -> Vec<u8> {
        let gateway = Rc::clone(&self.gateway);
        let workspace = &mut gateway.workspace.borrow_mut();
        let step = match end {
            true => self.exchange.response_complete(&gathered, Some(trailers()), workspace),
            false => self.exchange.response_body_grew(gathered.len(), workspace),
        };
        let answer = match step {
            ResponseStep::Await => {
                self.response = Response::Gathers(gathered);
                return Vec::new();
            }
            ResponseStep::Rewrite { body, .. } => body.to_vec(),
            ResponseStep::Reply(reply) => reply.body.clone(),
            step => {
                log::error!("unexpected step for a response: {step:?}");
                Vec::new()
            }
        };
        self.response = Response::Replaced(answer);
        self.take_replacement(end)
    }

    /// What replaces a body goes out with its last part, which must not be empty.
    fn take_replacement(&mut self, end: bool) -> Vec<u8> {
        match &mut self.response {
            Response::Replaced(body) if end => std::mem::take(body),
            _ => Vec::new(),
        }
    }

    fn error_body(&mut self, failure: &Failure) -> Vec<u8> {
        self.exchange
            .fail(failure, &mut self.gateway.workspace.borrow_mut())
            .body
            .clone()
    }
}

/// Does what a step about the request asks for. The host holds `size` bytes of its body.
fn follow(step: RequestStep<'_>, has_body: HasBody, size: usize) -> Result<Action, Failure> {
    match step {
        RequestStep::PassThrough | RequestStep::Await => Ok(Action::Continue),
        RequestStep::Reply(reply) => {
            send(reply, reply.status);
            Ok(Action::Pause)
        }
        RequestStep::Forward(forward) => {
            edit_request(forward.edits, forward.body.len())
                .map_err(|status| refused("to change the request headers", status))?;
            // The host cuts what is written to the size that is named.
            host::replace_buffer(Buffer::RequestBody, size.max(forward.body.len()), forward.body)
                .and_then(|()| match has_body {
                    HasBody::Empty => forget_length(),
                    _ => Ok(()),
                })
                .map(|()| Action::Continue)
                .map_err(|status| refused("to change the request body", status))
        }
        step => {
            log::error!("unexpected step for a request: {step:?}");
            Err(Failure::internal("the gateway cannot carry this request"))
        }
    }
}

fn edit_request(edits: &HeaderEdits, body_length: usize) -> Result<(), HostStatus> {
    let mut own = HeaderEdits::default();
    for name in edits.removed().filter(|name| !OWN_REQUEST_HEADERS.contains(name)) {
        own.remove(name);
    }
    for (name, value) in edits.sets().filter(|(name, _)| !OWN_REQUEST_HEADERS.contains(name)) {
        own.set(name, value);
    }
    for (name, value) in edits.adds() {
        own.add(name, value);
    }
    own.set(b"content-length", itoa::Buffer::new().format(body_length).as_bytes());
    edit_own(&own)
}

/// Sends the request nowhere, unless it is changed again. As gRPC, so that the answer is of gRPC too.
fn send_nowhere() -> Result<(), HostStatus> {
    let mut edits = HeaderEdits::default();
    edits.set(b":path", NOWHERE);
    edits.set(b"content-type", GRPC);
    edit_own(&edits)
}

/// Lets nginx throw away the frames that HTTP/2 may send after a `content-length` of 0, in place of whose body one was
/// made: while it knows a length, it writes them, an empty last one included, where a body that it reads itself would
/// be, and the worker dies. Removing the header would not do: nginx then sends it twice. An empty one it does not send.
/// Source: `ngx_http_v2_state_read_data`, `ngx_http_wasm_set_req_body`, `ngx_http_wasm_set_cl_header_handler`.
fn forget_length() -> Result<(), HostStatus> {
    host::set_header(Map::RequestHeaders, b"content-length", b"")
}

/// Whether an HTTP/2 request without `content-length` has ended with its headers, so that no body can come.
///
/// No variable says so, but one remembers: where no body can come, nginx keeps for the whole request that there is no
/// `$content_length`; where one may, it asks again each time, and then sees a header set in between. It keeps the
/// value of a variable that its configuration uses, and `grpc_pass` uses this one. What is seen here goes upstream:
/// nothing, as an empty header is not sent.
/// Source: `ngx_http_variable_content_length`, `ngx_http_v2_run_request`.
fn ends_with_headers() -> bool {
    host::property(CONTENT_LENGTH) == Err(HostStatus::NOT_FOUND)
        && forget_length().is_ok()
        && host::property(CONTENT_LENGTH) == Err(HostStatus::NOT_FOUND)
}

fn edit_own(edits: &HeaderEdits) -> Result<(), HostStatus> {
    // In front of the path: see QUERY.
    host::set_property("request\0query", b"")?;
    host::edit_headers(Map::RequestHeaders, edits)?;
    if host::set_property(UPSTREAM_TE, b"trailers").is_err() {
        // Plain nginx: there the configuration says it.
        log::debug!("no variable upstream_te");
    }
    Ok(())
}

/// A request as it was before plugins and nginx itself changed it.
struct Request {
    headers: Headers,
    has_body: HasBody,
    obstacle: Option<&'static str>,
}

impl Request {
    fn read() -> Result<Self, HostStatus> {
        let shown = headers(Map::RequestHeaders)?;
        let line = host::property(REQUEST_LINE).unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        let method = words.next().filter(|word| !word.is_empty());
        let protocol = words.next_back().unwrap_or_default();
        let current = shown.get(":method").unwrap_or_default();
        let mut headers = Headers::default();
        for (name, value) in shown.iter() {
            match name {
                b":method" => headers.push(name, method.unwrap_or(value)),
                b":path" => headers.push(name, &target(value)),
                _ => headers.push(name, value),
            }
        }
        Ok(Self {
            obstacle: FIXED_METHODS.contains(&current).then_some(FIXED_METHOD),
            has_body: has_body(&shown, protocol),
            headers,
        })
    }
}

/// The host shows the path decoded and normalised, the query as it is. What was sent is better, as long as it still is
/// the same path: `%2F` in a variable is no separator.
fn target(shown: &[u8]) -> Vec<u8> {
    let query = host::property(QUERY).unwrap_or_default();
    let path = match query.is_empty() {
        true => shown.strip_suffix(b"?").unwrap_or(shown),
        false => shown
            .strip_suffix(query.as_slice())
            .and_then(|rest| rest.strip_suffix(b"?"))
            .unwrap_or(shown),
    };
    let sent = host::property(REQUEST_TARGET).unwrap_or_default();
    let sent = sent.split(|byte| *byte == b'?').next().unwrap_or_default();
    let mut target = match decode_lenient(sent) == path {
        true => sent.to_vec(),
        false => encode_path(path),
    };
    if !query.is_empty() {
        target.push(b'?');
        target.extend_from_slice(&query);
    }
    target
}

fn has_body(headers: &Headers, protocol: &[u8]) -> HasBody {
    let http1 = protocol.starts_with(b"HTTP/1.");
    match headers.content_length() {
        _ if headers.get("transfer-encoding").is_some() => HasBody::Chunked,
        Some(0) if http1 => HasBody::No,
        Some(0) => HasBody::Empty,
        Some(_) => HasBody::Yes,
        // A length that is no number: the host has refused it, or else it is no length.
        None if headers.get("content-length").is_some() => HasBody::Unknown,
        None if http1 => HasBody::No,
        None => HasBody::Unknown,
    }
}

/// The trailers of the response, as far as the status needs them.
fn trailers() -> Headers {
    let mut trailers = Headers::default();
    push_properties(&TRAILERS, &mut trailers);
    trailers
}

/// Adds the headers that are there as properties. Without the first of them there are none.
fn push_properties(properties: &[(&str, &str)], headers: &mut Headers) {
    for (name, property) in properties {
        match host::property(&["ngx", property]) {
            Ok(value) if !value.is_empty() => headers.push(name.as_bytes(), &value),
            _ if *name == "grpc-status" => return,
            _ => {}
        }
    }
}

/// All headers, with names in lower case: HTTP/1.1's come as they were written.
fn headers(map: Map) -> Result<Headers, HostStatus> {
    let shown = host::headers(map)?;
    let mut headers = Headers::default();
    for (name, value) in shown.iter() {
        headers.push(&name.to_ascii_lowercase(), value);
    }
    Ok(headers)
}

fn without(headers: &Headers, names: &[&[u8]]) -> Headers {
    let mut rest = Headers::default();
    for (name, value) in headers.iter().filter(|(name, _)| !names.contains(name)) {
        rest.push(name, value);
    }
    rest
}

/// Makes response headers those of `reply`, whose other fields are among them already.
fn replace_headers(headers: &Headers, reply: &Reply) -> Result<(), HostStatus> {
    let mut edits = HeaderEdits::default();
    for (name, value) in headers.iter() {
        let kept = name.first() == Some(&b':')
            || OWN_RESPONSE_HEADERS.contains(&name)
            || name == b"content-type"
            || name == NO_SNIFFING.0
            // With its value: of two under one name, one may be none that goes to a client.
            || reply.headers.iter().any(|field| field == (name, value));
        if !kept {
            edits.remove(name);
        }
    }
    edits.set(b":status", itoa::Buffer::new().format(reply.status).as_bytes());
    for (name, value) in reply.headers.iter() {
        if name == b"content-type" || name == NO_SNIFFING.0 {
            edits.set(name, value);
        }
    }
    host::edit_headers(Map::ResponseHeaders, &edits)
}

fn length_required() -> Failure {
    Failure::length_required(
        "the request's body turned out empty, which this gateway sees too late: send content-length: 0, or no body",
    )
}

fn lost() -> Failure {
    Failure::internal("the gateway lost this request: the filter's instance was replaced")
}
