//! The messages of an exchange: what a client sends, what an upstream sends, what each of them receives.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use proxy_wasm_host::abi::v0_2_1::HeaderPairs;
use proxy_wasm_host::{HeaderMap, NotAllowed};

use super::ledger::{HostCall, Ledger};

/// Headers or trailers, in order: lower-case names, values of any bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// The first value of `name`, as text; `None` when there is none.
    ///
    /// # Panics
    ///
    /// When the value isn't UTF-8: ask [`Headers::bytes`].
    pub fn get(&self, name: &str) -> Option<&str> {
        self.bytes(name)
            .map(|value| std::str::from_utf8(value).unwrap_or_else(|_| panic!("{name} isn't UTF-8: {value:?}")))
    }

    /// The first value of `name`.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let name = name.as_bytes();
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_slice())
    }

    /// All values of `name`, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(key, _)| key == name.as_bytes())
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// The pairs in the form in which a gRPC callout delivers metadata.
    pub(super) fn to_pairs(&self) -> HeaderPairs<'_> {
        self.0
            .iter()
            .map(|(name, value)| (Cow::Borrowed(name.as_slice()), Cow::Borrowed(value.as_slice())))
            .collect()
    }

    /// Appends a pair.
    pub(super) fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0
            .push((name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec()));
    }

    /// Replaces every value of `name` by one.
    pub(super) fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref().to_ascii_lowercase();
        match self.0.iter().position(|(key, _)| *key == name) {
            Some(first) => {
                self.0[first].1 = value.as_ref().to_vec();
                let mut index = 0;
                self.0.retain(|(key, _)| {
                    index += 1;
                    index - 1 <= first || *key != name
                });
            }
            None => self.push(name, value),
        }
    }

    /// Removes every value of `name`.
    pub(super) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.0
                    .iter()
                    .map(|(name, value)| (String::from_utf8_lossy(name), String::from_utf8_lossy(value))),
            )
            .finish()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(name, value);
        }
        headers
    }
}

/// Headers or trailers as the guest reaches them: every call is counted, and a write that would corrupt what the
/// gateway sends is a fault of the guest.
#[derive(Debug)]
pub(super) struct GuestHeaders {
    pub headers: Headers,
    /// What the guest has removed, and what it has set another value in place of, but for the first field of a name. In
    /// nginx these still go upstream.
    pub removed: Headers,
    context: u32,
    ledger: Arc<Ledger>,
}

impl GuestHeaders {
    pub fn new(headers: Headers, context: u32, ledger: Arc<Ledger>) -> Self {
        Self {
            headers,
            removed: Headers::default(),
            context,
            ledger,
        }
    }

    fn note_removed(&mut self, key: &[u8], kept: usize) {
        let fields = self.headers.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        for (name, value) in fields.skip(kept) {
            self.removed.push(name, value);
        }
    }

    fn check(&self, name: &[u8], value: &[u8]) {
        if name.is_empty() || value.iter().chain(name).any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            self.ledger.fault(format!(
                "the module set a header that splits or truncates the message: {:?}: {:?}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            ));
        }
    }
}

impl HeaderMap for GuestHeaders {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.ledger.count(self.context, HostCall::GetHeader);
        self.headers
            .0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| Cow::Borrowed(value.as_slice()))
    }

    fn for_each_pair(&self, f: &mut proxy_wasm_host::PairVisitor<'_>) -> ControlFlow<()> {
        for (name, value) in &self.headers.0 {
            f(name, value)?;
        }
        ControlFlow::Continue(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), NotAllowed> {
        self.ledger.count(self.context, HostCall::SetHeader);
        self.check(key, value);
        self.note_removed(key, 1);
        self.headers.set(key, value);
        Ok(())
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), NotAllowed> {
        self.ledger.count(self.context, HostCall::AddHeader);
        self.check(key, value);
        self.headers.push(key, value);
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), NotAllowed> {
        self.ledger.count(self.context, HostCall::RemoveHeader);
        self.note_removed(key, 0);
        self.headers.remove(key);
        Ok(())
    }

    fn replace_all(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<(), NotAllowed> {
        self.ledger.count(self.context, HostCall::SetHeaders);
        for (name, value) in pairs {
            self.check(name, value);
        }
        for (name, value) in &self.headers.0 {
            self.removed.push(name, value);
        }
        self.headers = pairs.iter().copied().collect();
        Ok(())
    }
}

/// What a client sends.
#[derive(Clone, Debug)]
pub struct Request {
    /// Pseudo headers included.
    pub headers: Headers,
    /// The body.
    pub chunks: Vec<Vec<u8>>,
    pub(super) trailers: Option<Headers>,
    pub(super) open: bool,
    pub(super) protocol: &'static str,
    /// The method that a plugin in front of the filter has made of the client's.
    pub(super) method_in_front: Option<String>,
}

impl Request {
    /// A request with `:method`, `:scheme`, `:authority` `gateway.test` and `:path`.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            headers: [
                (":method", method),
                (":scheme", "http"),
                (":authority", "gateway.test"),
                (":path", path),
            ]
            .into_iter()
            .collect(),
            chunks: Vec::new(),
            trailers: None,
            open: false,
            protocol: "HTTP/1.1",
            method_in_front: None,
        }
    }

    /// A GET request.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST request.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Adds a header; the value may be any bytes.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The body as an HTTP/1.1 client sends it: with `content-length`, and the end of the stream apart from the bytes.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        self.headers.push("content-length", body.len().to_string());
        if body.is_empty() {
            self
        } else {
            self.chunk(body).chunk("")
        }
    }

    /// A JSON body: [`Request::body`] with its content-type.
    pub fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Appends a body chunk as an HTTP/2 client sends it; the last one ends the stream unless trailers follow. Without
    /// any, even an empty one, the headers do.
    pub fn chunk(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.chunks.push(bytes.as_ref().to_vec());
        self
    }

    /// Adds a trailer.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.get_or_insert_default().push(name, value);
        self
    }

    /// The request comes by HTTP/2. Only nginx makes a difference.
    pub fn http2(mut self) -> Self {
        self.protocol = "HTTP/2.0";
        self
    }

    /// A plugin in front of the filter changes the method, as Kong's request-transformer does.
    pub fn method_in_front(mut self, method: &str) -> Self {
        self.method_in_front = Some(method.to_owned());
        self
    }

    /// Leaves the client's side open: nothing of this request ends the stream, `Exchange::send` goes on.
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }
}

/// What an upstream sends: to the gateway's router for a forwarded request, or as the answer of a gRPC stream.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) headers: Headers,
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) trailers: Option<Headers>,
}

impl Response {
    /// A response with `:status`.
    pub fn new(status: u16) -> Self {
        Self {
            headers: [(":status", status.to_string())].into_iter().collect(),
            chunks: Vec::new(),
            trailers: None,
        }
    }

    /// The beginning of a gRPC response: status 200 and content-type. Without messages and trailers it is
    /// Trailers-Only, and its headers carry the status.
    pub fn grpc() -> Self {
        Self::new(200).header("content-type", "application/grpc")
    }

    /// A unary gRPC success.
    pub fn ok(message: impl AsRef<[u8]>) -> Self {
        Self::grpc().message(message).trailer("grpc-status", "0")
    }

    /// A Trailers-Only gRPC error; `message` as it travels, percent-encoded.
    pub fn error(code: u32, message: &str) -> Self {
        Self::grpc()
            .header("grpc-status", code.to_string())
            .header("grpc-message", message)
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Appends a chunk of one uncompressed gRPC frame.
    pub fn message(self, message: impl AsRef<[u8]>) -> Self {
        self.chunk(super::grpc::frame(0, message.as_ref()))
    }

    /// Appends a body chunk; the last one ends the stream unless trailers follow.
    pub fn chunk(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.chunks.push(bytes.as_ref().to_vec());
        self
    }

    /// Adds a trailer.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.get_or_insert_default().push(name, value);
        self
    }
}

/// What has passed the filter in one direction: what the upstream sees of the request, or the client of the response.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// The headers, pseudo headers included.
    pub headers: Headers,
    /// The body, in the pieces in which the filter let it go.
    pub chunks: Vec<Vec<u8>>,
    /// The trailers.
    pub trailers: Option<Headers>,
    /// Whether the end has passed.
    pub ended: bool,
}

impl Passed {
    /// The body in one piece.
    pub fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body()).expect("the body is UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body()).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The messages in a gRPC body.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        super::grpc::messages(&self.body()).expect("the body is whole gRPC frames")
    }

    /// `:status`.
    pub fn status(&self) -> u16 {
        self.headers
            .get(":status")
            .and_then(|status| status.parse().ok())
            .expect("a status")
    }

    /// A content-length that the body contradicts makes the next hop reset the stream or, on HTTP/1.1, takes the
    /// rest for the next message.
    pub(super) fn check_length(&self, whose: &str) {
        let body = self.body();
        if let Some(length) = self.headers.get("content-length")
            && self.ended
            && length != body.len().to_string()
        {
            panic!("the {whose} says content-length {length} and has {} bytes", body.len());
        }
    }
}
