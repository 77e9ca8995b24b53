//! The way of an exchange through a filter in nginx with WasmX, which has another order of callbacks than Envoy's:
//!
//! - Request headers come without an end of stream, the path decoded and the query beside it.
//! - The body comes whole, in one callback with the end of stream; an empty one has no callback. It can be written in the
//!   headers callback too, which must happen only where the client sends none: HTTP/1.1's bytes would be read as the next
//!   request, HTTP/2's frames, empty ones included, would be written through a null pointer. They are thrown away where
//!   there is no `content-length` and nginx didn't expect any, or an empty one.
//! - A removed request header is only marked, which the gRPC module of nginx doesn't look at: it goes upstream with its
//!   value. So does every field but the first of a header that is set. An empty value goes upstream as one.
//! - `$content_length` is kept from when it was first asked for, unless a body may come and there was none. It is what
//!   goes upstream, and a removed `content-length` beside it.
//! - Response headers go out when their callback returns, whatever it returns.
//! - The response's body comes as the upstream sends it, and ends in an empty part; one with a content-length has no
//!   such part and no end of stream. A part that a filter empties isn't sent; the last one so never ends the response.
//! - Trailers have no callback: they are properties once the last part has come.
//! - A local reply passes the filter's own response callbacks, and ends in a line feed.

use proxy_wasm_host::abi::v0_2_1::ContextId;
use proxy_wasm_host::abi::v0_2_1::types::{Action, Status};

use super::message::{GuestHeaders, Headers, Request, Response};
use super::profile::Nginx;
use super::stream::{Asked, Body, BodyReach, End, LocalReply, Stream};
use super::vm::Vm;

/// Request headers that nginx itself never sends to a gRPC service (`ngx_http_grpc_headers` in `ngx_http_grpc_module.c`),
/// beside `te` and `content-length`, which it makes anew.
const NEVER_SENT: [&str; 6] = [
    "host",
    "connection",
    "transfer-encoding",
    "keep-alive",
    "expect",
    "upgrade",
];

/// What nginx knows of an exchange.
#[derive(Debug, Default)]
pub(super) struct NginxState {
    /// The request target as it came, which goes upstream as long as nothing takes its validity away.
    raw_target: Option<String>,
    query: String,
    te: String,
    /// The response never ends.
    pub hangs: bool,
    /// The content-length of the response.
    length: Option<usize>,
    /// Whether the request has no length and parts of a body may come for it.
    chunked: bool,
    /// Whether HTTP/2 frames of the request come after its headers.
    frames: bool,
    /// `$content_length`, once it stays what it is.
    kept_length: Option<Option<String>>,
}

impl Stream {
    /// Sets one of the few properties that can be set.
    pub fn set_nginx_property(&mut self, nginx: Nginx, segments: &[&[u8]], value: &[u8]) -> Result<(), Status> {
        let text = String::from_utf8_lossy(value).into_owned();
        let path: Vec<_> = segments.iter().map(|segment| segment.to_vec()).collect();
        match segments {
            [b"request", b"query"] => {
                self.nginx.raw_target = None;
                self.nginx.query = text;
                self.properties.insert(path, value.to_vec());
                Ok(())
            }
            [b"ngx", b"upstream_te"] if nginx.upstream_te => {
                self.nginx.te = text;
                Ok(())
            }
            [b"ngx", name] if nginx.variables.iter().any(|variable| variable.as_bytes() == *name) => {
                self.properties.insert(path, value.to_vec());
                Ok(())
            }
            _ if self.properties.contains_key(&path) => Err(nginx.read_only_property),
            _ => Err(Status::NotFound),
        }
    }

    /// `$content_length`.
    pub fn nginx_content_length(&mut self) -> Option<String> {
        if let Some(kept) = &self.nginx.kept_length {
            return kept.clone();
        }
        let headers = &self.request.headers;
        let header = headers
            .headers
            .get("content-length")
            .or_else(|| headers.removed.get("content-length"))
            .map(str::to_owned);
        if header.is_some() || !self.nginx.chunked {
            self.nginx.kept_length = Some(header.clone());
        }
        header
    }

    fn set(&mut self, path: &[&str], value: impl AsRef<[u8]>) {
        let path = path.iter().map(|segment| segment.as_bytes().to_vec()).collect();
        self.properties.insert(path, value.as_ref().to_vec());
    }
}

impl Vm {
    /// Takes a whole request through the filter, to the upstream or to a local reply.
    pub fn nginx_request(&mut self, context: ContextId, request: Request, nginx: Nginx) {
        let http2 = request.protocol == "HTTP/2.0";
        let parts = !request.chunks.is_empty();
        let length = request.headers.get("content-length").map(str::to_owned);
        // What comes after a length of 0 is no body.
        let body = match length.as_deref() {
            Some("0") => Vec::new(),
            _ => request.chunks.concat(),
        };
        let target = request.headers.get(":path").expect("a path").to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let sent_method = request.headers.get(":method").expect("a method").to_owned();
        let method = request.method_in_front.unwrap_or_else(|| sent_method.clone());
        let mut shown = decoded(path);
        if !query.is_empty() {
            shown = [&shown, b"?".as_slice(), query.as_bytes()].concat();
        }
        let mut headers = request.headers;
        headers.set(":path", shown);
        headers.set(":method", &method);
        if !http2 && parts && length.is_none() {
            headers.push("transfer-encoding", "chunked");
        }
        let guest_headers = self.guest_headers(context, headers);
        let stream = self.stream(context);
        stream.set(&["ngx", "nginx_version"], "1.25.3");
        stream.set(
            &["ngx", "request"],
            format!("{sent_method} {target} {}", request.protocol),
        );
        stream.set(&["ngx", "request_uri"], &target);
        stream.set(&["request", "query"], query);
        stream.nginx.raw_target = Some(target.clone());
        stream.nginx.query = query.to_owned();
        stream.nginx.chunked = parts && length.is_none();
        stream.nginx.frames = http2 && parts;
        let side = &mut stream.request;
        side.headers = guest_headers;
        side.begun = true;
        side.headers_in_reach = true;
        side.body_reach = BodyReach::Part;
        let count = u32::try_from(side.headers.headers.len()).expect("few headers");
        let action = self.run("proxy_on_request_headers", |scope| {
            scope.on_request_headers(context, count, false)
        });
        if self.nginx_answers(context, action, nginx) {
            return;
        }
        let stream = self.stream(context);
        let made = stream.request.body_written;
        let expected = stream.nginx.chunked || stream.request.headers.headers.get("content-length") != Some("");
        assert!(
            !made || (body.is_empty() && !(stream.nginx.chunked && !http2)),
            "the filter made a body where the client sends one: that would be read as the next request"
        );
        assert!(
            !(made && stream.nginx.frames && expected),
            "the filter made a body for which HTTP/2 frames come: the worker would die"
        );
        if body.is_empty() {
            return self.nginx_forward(context, &method, nginx);
        }
        let side = &mut self.stream(context).request;
        let size = u32::try_from(body.len()).expect("a test's body is short");
        // In a file, it has a size and no bytes.
        side.body = Body(if body.len() > nginx.body_buffer {
            Vec::new()
        } else {
            body.clone()
        });
        let action = self.run("proxy_on_request_body", |scope| {
            scope.on_request_body(context, size, true)
        });
        if self.nginx_answers(context, action, nginx) {
            return;
        }
        let side = &mut self.stream(context).request;
        if !side.body_written {
            side.body = Body(body);
        }
        self.nginx_forward(context, &method, nginx);
    }

    fn nginx_forward(&mut self, context: ContextId, method: &str, nginx: Nginx) {
        let stream = self.stream(context);
        let side = &mut stream.request;
        let mut headers = side.headers.headers.clone();
        if nginx.fixed_methods.contains(&method) {
            headers.set(":method", method);
        }
        // `:path` counts only where the raw target does not.
        let target = stream.nginx.raw_target.clone().unwrap_or_else(|| {
            let path = headers.get(":path").expect("a path").to_owned();
            match stream.nginx.query.is_empty() {
                true => path,
                false => format!("{path}?{}", stream.nginx.query),
            }
        });
        headers.set(":path", target);
        headers.remove(b"te");
        if !stream.nginx.te.is_empty() {
            headers.push("te", &stream.nginx.te);
        }
        for name in NEVER_SENT {
            headers.remove(name.as_bytes());
        }
        assert!(
            headers.bytes("content-length").is_some() || side.headers.removed.bytes("content-length").is_none(),
            "the filter removed content-length: it would go upstream twice"
        );
        headers.remove(b"content-length");
        let length = stream.nginx_content_length().filter(|length| !length.is_empty());
        if let Some(length) = &length {
            headers.push("content-length", length);
        }
        let side = &mut stream.request;
        for (name, value) in side
            .headers
            .removed
            .iter()
            .filter(|(name, _)| *name != b"content-length")
        {
            headers.push(name, value);
        }
        side.headers.headers = headers;
        side.headers_in_reach = false;
        side.end_seen = true;
        assert!(
            !side.body_written || length.is_none() || length == Some(side.body.0.len().to_string()),
            "the filter wrote a body of {} bytes, and content-length says {length:?}",
            side.body.0.len()
        );
        side.pass();
    }

    /// Whether the filter answered: then the answer is on its way.
    fn nginx_answers(&mut self, context: ContextId, action: Action, nginx: Nginx) -> bool {
        let stream = self.stream(context);
        let reply = stream.asked.drain(..).find_map(|asked| match asked {
            Asked::LocalReply(reply) => Some(reply),
            _ => None,
        });
        match reply {
            Some(reply) => self.nginx_reply(context, reply, nginx),
            None => assert_eq!(
                action,
                Action::Continue,
                "the filter pauses a request, which nothing resumes here"
            ),
        }
        self.stream(context).response.begun
    }

    fn nginx_reply(&mut self, context: ContextId, reply: LocalReply, nginx: Nginx) {
        let mut headers = reply.headers;
        let body = match reply.body.is_empty() {
            true => Vec::new(),
            false => [reply.body.as_slice(), nginx.local_reply_ending].concat(),
        };
        if !body.is_empty() {
            headers.set("content-length", body.len().to_string());
        }
        self.nginx_response_headers(context, headers);
        self.nginx_response_data(context, body, true);
    }

    /// Takes a whole response through the filter.
    pub fn nginx_response(&mut self, context: ContextId, response: Response) {
        self.nginx_response_headers(context, response.headers);
        for chunk in response.chunks {
            self.nginx_response_data(context, chunk, false);
        }
        self.nginx_response_end(context, response.trailers.unwrap_or_default());
    }

    /// The upstream's response ends, with these trailers.
    pub fn nginx_response_end(&mut self, context: ContextId, trailers: Headers) {
        let stream = self.stream(context);
        for (name, value) in trailers.iter() {
            let name = String::from_utf8_lossy(name).replace('-', "_");
            stream.set(&["ngx", &format!("upstream_trailer_{name}")], value);
        }
        if stream.nginx.length.is_some() {
            // It has ended with its last byte; nothing more comes.
            stream.response.end_seen = true;
            stream.response.pass();
            return self.nginx_finish(context);
        }
        self.nginx_response_data(context, Vec::new(), true);
    }

    /// Response headers come, and go.
    pub fn nginx_response_headers(&mut self, context: ContextId, mut headers: Headers) {
        let hides = self.profile.nginx.is_some_and(|nginx| nginx.hides_status);
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            if let Some(value) = headers.bytes(name).map(<[u8]>::to_vec) {
                let property = format!("upstream_http_{}", name.replace('-', "_"));
                self.stream(context).set(&["ngx", &property], value);
            }
            if hides {
                headers.remove(name.as_bytes());
            }
        }
        let length = headers
            .get("content-length")
            .and_then(|length| length.parse().ok())
            .filter(|length| *length > 0);
        let guest_headers = self.guest_headers(context, headers);
        let stream = self.stream(context);
        stream.nginx.length = length;
        let side = &mut stream.response;
        side.headers = guest_headers;
        side.begun = true;
        side.headers_in_reach = true;
        let count = u32::try_from(side.headers.headers.len()).expect("few headers");
        self.run("proxy_on_response_headers", |scope| {
            scope.on_response_headers(context, count, false)
        });
        let stream = self.stream(context);
        if stream
            .asked
            .drain(..)
            .any(|asked| matches!(asked, Asked::LocalReply(_)))
        {
            stream.nginx.hangs = true;
        }
        stream.response.headers_in_reach = false;
        stream.response.pass();
        if let Some(content_type) = stream.response.passed.headers.bytes("content-type").map(<[u8]>::to_vec) {
            stream.set(&["ngx", "sent_http_content_type"], content_type);
        }
    }

    /// A part of the response's body comes. `last`: with the end of stream, where nginx tells it.
    pub fn nginx_response_data(&mut self, context: ContextId, bytes: Vec<u8>, last: bool) {
        let stream = self.stream(context);
        if stream.nginx.hangs || stream.end.is_some() {
            return;
        }
        let told = match stream.nginx.length {
            // One part that has all of it is seen to be the last.
            Some(length) => bytes.len() == length,
            None => last,
        };
        let size = u32::try_from(bytes.len()).expect("a test's body is short");
        let side = &mut stream.response;
        side.body = Body(bytes);
        side.body_written = false;
        if size > 0 || told {
            side.body_reach = BodyReach::Part;
            self.run("proxy_on_response_body", |scope| {
                scope.on_response_body(context, size, told)
            });
        }
        let stream = self.stream(context);
        stream.asked.clear();
        let side = &mut stream.response;
        side.body_reach = BodyReach::Nothing;
        if last && side.body_written && side.body.0.is_empty() {
            // The part that says that it is the last is thrown away.
            stream.nginx.hangs = true;
            return;
        }
        side.end_seen = last;
        side.pass();
        if last {
            self.nginx_finish(context);
        }
    }

    fn nginx_finish(&mut self, context: ContextId) {
        self.finish(context, End::Answered);
    }

    /// The filter's instance is replaced, as after a trap in another exchange: this one goes on in a context that has
    /// seen nothing of it.
    pub fn replace_context(&mut self, context: ContextId) -> ContextId {
        let fresh = self.open();
        let streams = &mut self.streams_mut().open;
        let stream = streams.remove(&context.get()).expect("an exchange of this machine");
        let unused = streams
            .insert(fresh.get(), stream)
            .expect("the fresh context's exchange");
        streams.insert(context.get(), unused);
        self.finish(context, End::ClientLeft);
        fresh
    }

    fn guest_headers(&self, context: ContextId, headers: Headers) -> GuestHeaders {
        GuestHeaders::new(headers, context.get(), std::sync::Arc::clone(&self.ledger))
    }
}

fn decoded(path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escape = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, escape.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}
