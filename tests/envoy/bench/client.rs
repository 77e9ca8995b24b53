//! HTTP clients that send exactly what they are told: HTTP/1.1 by hand, so that it can be malformed, and HTTP/2.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::faulty::Play;
use super::schema;
use super::upstream::{Call, LIMIT, SCRIPT_KEY};

/// The version of HTTP between client and Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2 without TLS.
    Two,
}

impl Http {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::One, Self::Two];
}

/// A request, for either version.
#[derive(Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    protocol: Option<&'static str>,
    body: Option<Bytes>,
    open: bool,
    trailers: Vec<(String, String)>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            protocol: None,
            body: None,
            open: false,
            trailers: Vec::new(),
        }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A DELETE request.
    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// A POST request with a JSON body.
    pub fn post(target: &str, body: &Value) -> Self {
        Self::new("POST", target).json(body)
    }

    /// A PUT request with a JSON body.
    pub fn put(target: &str, body: &Value) -> Self {
        Self::new("PUT", target).json(body)
    }

    /// A PATCH request with a JSON body.
    pub fn patch(target: &str, body: &Value) -> Self {
        Self::new("PATCH", target).json(body)
    }

    /// Sets the body, and the content-type to JSON.
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string()).header("content-type", "application/json")
    }

    /// Sets the body; an empty one is sent as one, too.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Leaves the body open: what is in it goes out part by part, by a [`Live`]. HTTP/1.1: chunked, unless there is a header
    /// `content-length`.
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Makes a CONNECT an extended one (RFC 8441), in HTTP/2. Without it, that method has no path there.
    pub fn protocol(mut self, protocol: &'static str) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Adds a header. The name is written as it is.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds a trailer. HTTP/1.1: the body is sent chunked.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has the upstream answer by the script of this call.
    pub fn script(self, call: &Call) -> Self {
        let id = call.id().to_owned();
        self.header(SCRIPT_KEY, id)
    }

    /// Has the faulty upstream answer by this play.
    pub fn play(self, play: &Play) -> Self {
        self.header(SCRIPT_KEY, play.id())
    }

    /// The request as HTTP/1.1 bytes.
    pub fn to_http1(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.1\r\nhost: {AUTHORITY}\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        if self.open {
            if self.is_chunked() {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
            out.extend_from_slice(b"\r\n");
            return out;
        }
        let body = self.body.clone().unwrap_or_default();
        if self.trailers.is_empty() {
            if self.body.is_some() {
                out.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
            }
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&body);
            return out;
        }
        out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        if !body.is_empty() {
            out.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            out.extend_from_slice(&body);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in &self.trailers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// Whether an open body is sent in HTTP/1.1 chunks.
    fn is_chunked(&self) -> bool {
        self.headers.iter().all(|(name, _)| name != "content-length")
    }

    fn to_http2(&self) -> http::Request<()> {
        let uri = match (&*self.method, self.protocol) {
            ("CONNECT", None) => AUTHORITY.to_owned(),
            _ => format!("http://{AUTHORITY}{}", self.target),
        };
        let mut request = http::Request::builder()
            .method(self.method.as_bytes())
            .uri(uri)
            .version(http::Version::HTTP_2);
        if let Some(protocol) = self.protocol {
            request = request.extension(h2::ext::Protocol::from_static(protocol));
        }
        for (name, value) in &self.headers {
            request = request.header(name, HeaderValue::from_bytes(value).unwrap());
        }
        request.body(()).unwrap()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.to_http1();
        write!(f, "`{}`", request[..request.len().min(600)].escape_ascii())
    }
}

/// An answer, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, without HTTP/1.1 chunks.
    pub body: Bytes,
    /// The trailers; empty when there are none.
    pub trailers: HeaderMap,
}

impl Answer {
    /// The body as JSON, with [`schema::plain_numbers`].
    ///
    /// # Panics
    /// When it is none; with the answer.
    pub fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"));
        schema::plain_numbers(json)
    }

    /// The first value of a header; `None` when it isn't there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body[..self.body.len().min(600)].escape_ascii();
        write!(f, "{} {:?} `{body}` {:?}", self.status, self.headers, self.trailers)
    }
}

/// Sends `request` on a connection of its own, and waits for the whole answer.
///
/// # Errors
/// What became of the request instead, when there is no whole answer.
pub async fn send(address: SocketAddr, version: Http, request: &Request) -> Result<Answer, String> {
    let exchange = async {
        match version {
            Http::One => {
                let mut connection = Connection::open(address).await;
                connection.send(&request.to_http1()).await;
                connection.answer(&request.method).await
            }
            Http::Two => {
                let (answer, _) = start_http2(address, request).await?;
                answer.await.map_err(|error| error.to_string())?.whole().await
            }
        }
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .unwrap_or_else(|_| Err("no answer: it hangs".to_owned()))
}

/// A connection for raw HTTP/1.1.
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    /// Connects to `address`.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// Sends bytes. An error is not reported: an answer may have come before all of them were taken.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Reads the status and the headers of the next answer alone: what follows is something else than HTTP.
    ///
    /// # Errors
    /// What is wrong with them.
    pub async fn changed(&mut self) -> Result<(u16, HeaderMap), String> {
        self.head().await
    }

    /// Reads so many bytes of what is something else than HTTP.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn bytes(&mut self, length: usize) -> Result<Bytes, String> {
        self.exactly(length).await
    }

    /// Reads the next answer; `method` is that of its request.
    ///
    /// # Errors
    /// What is wrong with it, when it is not whole.
    pub async fn answer(&mut self, method: &str) -> Result<Answer, String> {
        let (status, headers) = self.head().await?;
        let length = match headers.get("content-length") {
            Some(value) => value.to_str().ok().and_then(|length| length.parse().ok()),
            None => None,
        };
        let (body, trailers) = if method == "HEAD" || status == 204 || status == 304 {
            (Bytes::new(), HeaderMap::new())
        } else if headers
            .get("transfer-encoding")
            .is_some_and(|encoding| encoding == "chunked")
        {
            self.chunks().await?
        } else if let Some(length) = length {
            (self.exactly(length).await?, HeaderMap::new())
        } else {
            while self.fill().await? {}
            (self.buffer.split().freeze(), HeaderMap::new())
        };
        Ok(Answer {
            status,
            headers,
            body,
            trailers,
        })
    }

    async fn head(&mut self) -> Result<(u16, HeaderMap), String> {
        let head = self.until(b"\r\n\r\n").await?;
        let (status_line, headers) = head.split_once("\r\n").ok_or("no header lines")?;
        let status: u16 = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or("no status")?;
        Ok((status, header_map(headers)?))
    }

    /// Reads what has come of a chunked body, up to the end of the next chunk; `None` at the end of the body.
    ///
    /// # Errors
    /// What is wrong with it, when it is cut off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        let size = self.until(b"\r\n").await?;
        let size = usize::from_str_radix(size.trim_end(), 16).map_err(|error| format!("{size:?}: {error}"))?;
        if size == 0 {
            return Ok(None);
        }
        let chunk = self.exactly(size).await?;
        self.exactly(2).await?;
        Ok(Some(chunk))
    }

    async fn chunks(&mut self) -> Result<(Bytes, HeaderMap), String> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        let mut trailers = String::new();
        loop {
            let line = self.until(b"\r\n").await?;
            if line == "\r\n" {
                return Ok((body.freeze(), header_map(&trailers)?));
            }
            trailers.push_str(&line);
        }
    }

    async fn until(&mut self, end: &[u8]) -> Result<String, String> {
        loop {
            if let Some(position) = self.buffer.windows(end.len()).position(|window| window == end) {
                let text = self.buffer.split_to(position + end.len());
                // Header values need not be UTF-8; Latin-1 keeps each byte.
                return Ok(text.iter().map(|byte| char::from(*byte)).collect());
            }
            if !self.fill().await? {
                return Err(format!("the connection was closed after {:?}", self.buffer));
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Bytes, String> {
        while self.buffer.len() < length {
            if !self.fill().await? {
                return Err(format!(
                    "the connection was closed after {} bytes of {length}",
                    self.buffer.len()
                ));
            }
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn fill(&mut self) -> Result<bool, String> {
        match tokio::time::timeout(LIMIT, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(length)) => Ok(length > 0),
            Ok(Err(error)) => Err(format!("the connection broke: {error}")),
            Err(_) => Err("no answer: it hangs".to_owned()),
        }
    }
}

/// Sends the request over HTTP/2 and returns its answer to come, and what is needed to reset the request. The
/// connection stays open while one of them is kept.
///
/// # Errors
/// Why it could not be sent.
pub async fn start_http2(
    address: SocketAddr,
    request: &Request,
) -> Result<(h2::client::ResponseFuture, Resetter), String> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 30)
        .initial_connection_window_size(1 << 30)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let mut client = client.ready().await.map_err(|error| error.to_string())?;
    let bodyless = request.body.is_none() && request.trailers.is_empty();
    let (answer, mut sender) = client
        .send_request(request.to_http2(), bodyless)
        .map_err(|error| error.to_string())?;
    if !bodyless {
        let body = request.body.clone().unwrap_or_default();
        send_body(&mut sender, body, request.trailers.is_empty()).await;
        if !request.trailers.is_empty() {
            let trailers = request.trailers.iter().map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            });
            let _ = sender.send_trailers(trailers.collect());
        }
    }
    Ok((answer, Resetter(sender)))
}

/// A connection that is used for one request after another, over HTTP/2 for several at a time, until Envoy says that it
/// wants no more of them.
pub enum Persistent {
    /// HTTP/1.1.
    One {
        /// Where to connect to.
        address: SocketAddr,
        /// `None` when the last answer was to be the last.
        connection: Option<Connection>,
    },
    /// HTTP/2.
    Two {
        /// Where to connect to.
        address: SocketAddr,
        /// `None` when there is none, or it takes no more requests.
        client: Option<h2::client::SendRequest<Bytes>>,
    },
}

/// Why there is no answer to a request.
#[derive(Debug)]
pub enum Unanswered {
    /// The connection took no more requests.
    NotSent,
    /// Envoy says that it has not looked at it: it was sent behind the last one that Envoy takes.
    Refused,
    /// Nobody knows what became of it.
    Lost(String),
}

impl Persistent {
    /// A connection to be opened when it is needed.
    pub fn new(address: SocketAddr, version: Http) -> Self {
        match version {
            Http::One => Self::One {
                address,
                connection: None,
            },
            Http::Two => Self::Two { address, client: None },
        }
    }

    /// Sends a request and waits for its whole answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn send(&mut self, request: &Request) -> Result<Answer, Unanswered> {
        self.start(request).await?.await
    }

    /// Sends a request, whose answer can be waited for beside others over HTTP/2.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn start(
        &mut self,
        request: &Request,
    ) -> Result<impl Future<Output = Result<Answer, Unanswered>> + use<>, Unanswered> {
        let lost = |error: String| Unanswered::Lost(format!("{error}: {request:?}"));
        let begun = match self {
            Self::One { address, connection } => {
                let mut open = match connection.take() {
                    Some(open) => open,
                    None => Connection::open(*address).await,
                };
                open.send(&request.to_http1()).await;
                let answer = open.answer(&request.method).await.map_err(lost)?;
                if answer.header("connection") != Some("close") {
                    *connection = Some(open);
                }
                Err(answer)
            }
            Self::Two { address, client } => {
                let mut ready = match client.take() {
                    // Envoy may have closed it by now.
                    Some(open) => open.ready().await.ok(),
                    None => None,
                };
                if ready.is_none() {
                    let stream = TcpStream::connect(*address).await.unwrap();
                    // One answer that is not read yet must not hold up another that is waited for.
                    let (open, connection) = h2::client::Builder::new()
                        .initial_window_size(1 << 30)
                        .initial_connection_window_size(1 << 30)
                        .handshake::<_, Bytes>(stream)
                        .await
                        .map_err(|error| lost(error.to_string()))?;
                    tokio::spawn(connection);
                    ready = open.ready().await.ok();
                }
                let mut open = ready.ok_or_else(|| lost("a new connection takes no request".to_owned()))?;
                let bodyless = request.body.is_none();
                let (answer, mut sender) = match open.send_request(request.to_http2(), bodyless) {
                    Ok(sent) => sent,
                    // In between it has said that it takes no more.
                    Err(_) => return Err(Unanswered::NotSent),
                };
                if let Some(body) = &request.body {
                    send_body(&mut sender, body.clone(), true).await;
                }
                *client = Some(open);
                Ok((answer, format!("{request:?}")))
            }
        };
        Ok(async {
            let (answer, request) = match begun {
                Ok(begun) => begun,
                Err(answer) => return Ok(answer),
            };
            let whole = tokio::time::timeout(LIMIT, async {
                match answer.await {
                    Ok(answer) => answer.whole().await.map_err(Unanswered::Lost),
                    Err(error) if error.is_remote() && error.is_go_away() => Err(Unanswered::Refused),
                    Err(error) if error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
                        Err(Unanswered::Refused)
                    }
                    Err(error) => Err(Unanswered::Lost(error.to_string())),
                }
            });
            match whole.await {
                Ok(Err(Unanswered::Lost(error))) => Err(Unanswered::Lost(format!("{error}: {request}"))),
                Ok(whole) => whole,
                Err(_) => Err(Unanswered::Lost(format!("it hangs: {request}"))),
            }
        })
    }
}

/// Resets a request's HTTP/2 stream.
pub struct Resetter(h2::SendStream<Bytes>);

impl Resetter {
    /// As a client does that has lost interest.
    pub fn reset(mut self) {
        self.0.send_reset(h2::Reason::CANCEL);
    }
}

/// An exchange whose directions go on side by side, part by part.
pub struct Live {
    wire: Wire,
    /// What has come of the body and was not asked for yet.
    buffer: BytesMut,
}

enum Wire {
    One {
        connection: Connection,
        method: String,
        chunked: bool,
    },
    Two {
        sender: h2::SendStream<Bytes>,
        answer: Option<h2::client::ResponseFuture>,
        body: Option<h2::RecvStream>,
    },
}

impl Live {
    /// Sends `request`, all but the body when that is left open.
    pub async fn start(address: SocketAddr, version: Http, request: &Request) -> Self {
        let wire = match version {
            Http::One => {
                let mut connection = Connection::open(address).await;
                connection.send(&request.to_http1()).await;
                Wire::One {
                    connection,
                    method: request.method.clone(),
                    chunked: request.is_chunked(),
                }
            }
            Http::Two => {
                // The default window: a client that does not read takes in no more than 64 KiB.
                let stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (client, connection) = h2::client::handshake(stream).await.unwrap();
                tokio::spawn(connection);
                let mut client = client.ready().await.unwrap();
                let bodyless = request.body.is_none() && !request.open;
                let (answer, mut sender) = client.send_request(request.to_http2(), bodyless).unwrap();
                if let (false, Some(body)) = (request.open, &request.body) {
                    send_body(&mut sender, body.clone(), true).await;
                }
                Wire::Two {
                    sender,
                    answer: Some(answer),
                    body: None,
                }
            }
        };
        Self {
            wire,
            buffer: BytesMut::new(),
        }
    }

    /// Sends a part of the body.
    pub async fn send(&mut self, part: impl Into<Bytes>) {
        let part = part.into();
        match &mut self.wire {
            Wire::One {
                connection,
                chunked: false,
                ..
            } => connection.send(&part).await,
            Wire::One { connection, .. } => {
                let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
                chunk.extend_from_slice(&part);
                chunk.extend_from_slice(b"\r\n");
                connection.send(&chunk).await;
            }
            Wire::Two { sender, .. } => send_body(sender, part, false).await,
        }
    }

    /// Ends the body.
    pub async fn end(&mut self) {
        match &mut self.wire {
            Wire::One { chunked: false, .. } => {}
            Wire::One { connection, .. } => connection.send(b"0\r\n\r\n").await,
            Wire::Two { sender, .. } => {
                let _ = sender.send_data(Bytes::new(), true);
            }
        }
    }

    /// The status and headers of the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn head(&mut self) -> Result<(u16, HeaderMap), String> {
        match &mut self.wire {
            Wire::One { connection, .. } => connection.head().await,
            Wire::Two { answer, body, .. } => {
                let answer = answer.take().expect("the head was asked for twice");
                let answer = tokio::time::timeout(LIMIT, answer)
                    .await
                    .map_err(|_| "no answer: it hangs")?
                    .map_err(|error| error.to_string())?;
                let (head, stream) = answer.into_parts();
                *body = Some(stream);
                Ok((head.status.as_u16(), head.headers))
            }
        }
    }

    /// Some more of the body, chunked in HTTP/1.1; `None` at its end.
    ///
    /// # Errors
    /// How it was broken off.
    pub async fn part(&mut self) -> Result<Option<Bytes>, String> {
        if !self.buffer.is_empty() {
            return Ok(Some(self.buffer.split().freeze()));
        }
        match &mut self.wire {
            Wire::One { connection, .. } => connection.chunk().await,
            Wire::Two { body, .. } => {
                let body = body.as_mut().expect("the body was asked for before the head");
                let data = tokio::time::timeout(LIMIT, body.data())
                    .await
                    .map_err(|_| "no more of the body: it hangs")?;
                let Some(data) = data else { return Ok(None) };
                let data = data.map_err(|error| error.to_string())?;
                let _ = body.flow_control().release_capacity(data.len());
                Ok(Some(data))
            }
        }
    }

    /// So many bytes of the body.
    ///
    /// # Errors
    /// When it ends before.
    pub async fn exactly(&mut self, length: usize) -> Result<Bytes, String> {
        let mut bytes = BytesMut::new();
        while bytes.len() < length {
            let part = self.part().await.map_err(|error| format!("{error}, after {bytes:?}"))?;
            bytes.extend_from_slice(&part.ok_or_else(|| format!("the body ended after {bytes:?}"))?);
        }
        self.buffer = bytes.split_off(length);
        Ok(bytes.freeze())
    }

    /// The rest of the body.
    ///
    /// # Errors
    /// How it was broken off, and behind what.
    pub async fn rest(&mut self) -> Result<Bytes, String> {
        let mut bytes = BytesMut::new();
        loop {
            match self.part().await {
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Ok(None) => return Ok(bytes.freeze()),
                Err(error) => {
                    let end = &bytes[bytes.len().saturating_sub(200)..];
                    return Err(format!("{error}, after `{}`", end.escape_ascii()));
                }
            }
        }
    }

    /// The whole answer.
    ///
    /// # Errors
    /// What is wrong with it, when it is not whole.
    pub async fn answer(mut self) -> Result<Answer, String> {
        if let Wire::One { connection, method, .. } = &mut self.wire {
            return connection.answer(method).await;
        }
        let (status, headers) = self.head().await?;
        Ok(Answer {
            status,
            headers,
            body: self.rest().await?,
            trailers: HeaderMap::new(),
        })
    }

    /// Sends another request behind an answer that has been seen whole, on the same HTTP/1.1 connection. What comes is its
    /// own answer, unless there was more than one to the request before it.
    ///
    /// # Errors
    /// What is wrong with it, when it is not whole.
    pub async fn next(&mut self, request: &Request) -> Result<Answer, String> {
        let Wire::One { connection, .. } = &mut self.wire else {
            panic!("HTTP/2 has more than one request at a time");
        };
        connection.send(&request.to_http1()).await;
        connection.answer(&request.method).await
    }

    /// All that comes of the answer. `progress` is told when the headers have come, and how long the body has become.
    pub async fn seen(&mut self, mut progress: impl FnMut(usize)) -> Seen {
        let (status, headers) = match self.head().await {
            Ok(head) => head,
            Err(error) => {
                return Seen {
                    error: Some(error),
                    ..Seen::default()
                };
            }
        };
        let length = headers.get("content-length");
        let length = length.map(|length| length.to_str().unwrap().parse().unwrap());
        let mut body = BytesMut::new();
        let error = loop {
            progress(body.len());
            let part = match (&mut self.wire, length) {
                (Wire::One { .. }, Some(length)) if body.len() == length => break None,
                (Wire::One { connection, .. }, Some(length)) => connection.exactly(length).await.map(Some),
                _ => self.part().await,
            };
            match part {
                Ok(Some(part)) => body.extend_from_slice(&part),
                Ok(None) => break self.trailers().await.err(),
                Err(error) => break Some(error),
            }
        };
        Seen {
            status,
            headers,
            body: body.freeze(),
            error,
        }
    }

    /// Takes what is behind the last chunk.
    async fn trailers(&mut self) -> Result<(), String> {
        if let Wire::One { connection, .. } = &mut self.wire {
            while connection.until(b"\r\n").await? != "\r\n" {}
        }
        Ok(())
    }

    /// Leaves in the middle.
    pub fn leave(self) {
        if let Wire::Two { mut sender, .. } = self.wire {
            sender.send_reset(h2::Reason::CANCEL);
        }
    }
}

/// What a client has seen of an answer, whole or not.
#[derive(Default)]
pub struct Seen {
    /// The HTTP status; 0 when none has come.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// What has come of the body.
    pub body: Bytes,
    /// How it was broken off; `None` when it is whole.
    pub error: Option<String>,
}

/// The reading of an HTTP/2 answer.
pub trait ReadWhole {
    /// Waits for its end.
    ///
    /// # Errors
    /// Why it has none: the stream was reset.
    fn whole(self) -> impl Future<Output = Result<Answer, String>>;
}

impl ReadWhole for http::Response<h2::RecvStream> {
    async fn whole(self) -> Result<Answer, String> {
        let (head, mut stream) = self.into_parts();
        let mut body = BytesMut::new();
        while let Some(data) = stream.data().await {
            let data = data.map_err(|error| error.to_string())?;
            let _ = stream.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        let trailers = stream
            .trailers()
            .await
            .map_err(|error| error.to_string())?
            .unwrap_or_default();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.freeze(),
            trailers,
        })
    }
}

/// Sends as much of the body as the other side takes: it may answer, or reset, before the end.
async fn send_body(sender: &mut h2::SendStream<Bytes>, mut body: Bytes, end: bool) {
    while !body.is_empty() {
        sender.reserve_capacity(body.len());
        let Some(Ok(capacity)) = poll_fn(|context| sender.poll_capacity(context)).await else {
            return;
        };
        let part = body.split_to(capacity.min(body.len()));
        if sender.send_data(part, end && body.is_empty()).is_err() {
            return;
        }
        if body.is_empty() {
            return;
        }
    }
    let _ = sender.send_data(Bytes::new(), end);
}

/// The authority that all requests name.
pub const AUTHORITY: &str = "gateway.test";

fn header_map(lines: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("not a header: {line:?}"))?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| format!("{line:?}: {error}"))?;
        let bytes: Vec<u8> = value
            .trim()
            .chars()
            .map(|character| u32::from(character) as u8)
            .collect();
        headers.append(
            name,
            HeaderValue::from_bytes(&bytes).map_err(|error| format!("{line:?}: {error}"))?,
        );
    }
    Ok(headers)
}
