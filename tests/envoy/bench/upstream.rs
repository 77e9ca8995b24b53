//! The servers behind Envoy: a gRPC server that does what a test tells it and reports what it received, one that breaks
//! as it is told (faulty.rs), those that other filters ask (filters.rs), and two that are no gRPC servers.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use protobridge::grpc::timeout;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

use super::bootstrap::Addresses;
use super::faulty::{Act, Play, Plays};
use super::{filters, process, schema};

/// The metadata key, or the name of a cookie, that names the script of a call.
pub const SCRIPT_KEY: &str = "x-script";

/// How long a test waits for something that must happen: far longer than it takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The servers of this test process. They run on threads of their own and end with the process.
pub struct Upstream {
    addresses: Addresses,
    scripts: Scripts,
    next_script: AtomicU64,
    plays: Plays,
    _runtime: Runtime,
    /// Bound and never listened on: its port refuses every connection, and no other process gets it.
    _refused: TcpSocket,
}

impl Upstream {
    /// The one instance, started by its first user.
    pub fn shared() -> &'static Self {
        static UPSTREAM: OnceLock<Upstream> = OnceLock::new();
        UPSTREAM.get_or_init(Self::start)
    }

    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let (grpc_listener, grpc) = listen();
        let (garbage_listener, garbage) = listen();
        let (faulty_listener, faulty) = listen();
        let (parrot_listener, parrot) = listen();
        let (authorizer_listener, authorizer) = listen();
        let refused_socket = TcpSocket::new_v4().unwrap();
        refused_socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let refused = refused_socket.local_addr().unwrap();

        let scripts = Scripts::default();
        let dispatcher = Dispatcher::new(scripts.clone());
        // What goes back and forth in small parts does not wait for acknowledgements.
        let incoming = TcpListenerStream::new(grpc_listener)
            .map(|accepted| accepted.inspect(|stream| stream.set_nodelay(true).unwrap()));
        runtime.spawn(async move {
            tonic::transport::Server::builder()
                // Requests that turn out bad behind their headers are reset, in some tests by the hundred: on a busy
                // machine a server that has accepted none of them takes that for an attack, and closes the connection.
                .http2_max_pending_accept_reset_streams(Some(10_000))
                .serve_with_incoming(dispatcher, incoming)
                .await
                .unwrap();
        });
        runtime.spawn(serve_garbage(garbage_listener));
        runtime.spawn(serve_parrot(parrot_listener));
        runtime.spawn(filters::authorize(authorizer_listener));
        let plays = Plays::default();
        runtime.spawn(plays.clone().serve(faulty_listener));
        let addresses = Addresses {
            grpc,
            refused,
            garbage,
            faulty,
            parrot,
            authorizer,
        };
        drop(_entered);
        Self {
            addresses,
            scripts,
            next_script: AtomicU64::new(0),
            plays,
            _runtime: runtime,
            _refused: refused_socket,
        }
    }

    /// Where the servers listen.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Has calls to the faulty server whose metadata name this play answered by it.
    pub fn play(&self, acts: Vec<Act>) -> Play {
        self.plays.add(acts)
    }

    /// Has calls whose metadata name this script answered by it.
    pub fn script(&self, script: Script) -> Call {
        let id = format!("script-{}", self.next_script.fetch_add(1, Ordering::Relaxed));
        let (sender, received) = mpsc::unbounded_channel();
        let (arrivals, arrived) = mpsc::unbounded_channel();
        let sent = Arc::new(AtomicUsize::new(0));
        self.scripts.lock().unwrap().insert(
            id.clone(),
            Arc::new(Registered {
                script,
                received: sender,
                arrivals,
                sent: Arc::clone(&sent),
            }),
        );
        Call {
            id,
            received,
            arrived,
            sent,
        }
    }
}

/// What the gRPC server does with a call. It first reads the whole request, unless [`Script::echo_each`] or
/// [`Script::early`].
#[derive(Clone, Default)]
pub struct Script {
    early: bool,
    initial: Pairs,
    steps: Vec<Step>,
    end: End,
    trailing: Pairs,
}

type Pairs = Vec<(&'static str, String)>;

#[derive(Clone)]
enum Step {
    Json(Value),
    Bytes(Bytes),
    Many(Vec<Bytes>),
    Echo,
    EchoEach,
    Hold(Gate),
    Deadline,
}

#[derive(Clone, Default)]
enum End {
    #[default]
    Ok,
    Error {
        code: Code,
        message: String,
        details: Bytes,
        /// Whether the headers go out first; else the answer is Trailers-Only when there is no message.
        after_headers: bool,
    },
    /// No headers, no messages, no trailers.
    Never,
    /// An answer that tonic would not send.
    Raw(RawAnswer),
}

impl Script {
    /// Answers with the request's own messages.
    pub fn echo() -> Self {
        Self {
            steps: vec![Step::Echo],
            ..Self::default()
        }
    }

    /// Adds the request's own messages.
    pub fn then_echo(mut self) -> Self {
        self.steps.push(Step::Echo);
        self
    }

    /// Answers each message when it comes, with itself.
    pub fn echo_each() -> Self {
        Self {
            steps: vec![Step::EchoEach],
            ..Self::default()
        }
    }

    /// Answers with this message, given in ProtoJSON.
    pub fn reply(message: Value) -> Self {
        Self {
            steps: vec![Step::Json(message)],
            ..Self::default()
        }
    }

    /// Answers with these bytes for the message.
    pub fn reply_bytes(message: impl Into<Bytes>) -> Self {
        Self {
            steps: vec![Step::Bytes(message.into())],
            ..Self::default()
        }
    }

    /// Answers with these messages, given in ProtoJSON; none: a call that is OK without a message.
    pub fn replies(messages: impl IntoIterator<Item = Value>) -> Self {
        Self {
            steps: messages.into_iter().map(Step::Json).collect(),
            ..Self::default()
        }
    }

    /// Answers with these many messages, given as bytes.
    pub fn many(messages: Vec<Bytes>) -> Self {
        Self {
            steps: vec![Step::Many(messages)],
            ..Self::default()
        }
    }

    /// Answers with a status, Trailers-Only.
    pub fn error(code: Code, message: &str) -> Self {
        Self::default().ends_with(code, message, false)
    }

    /// Answers with headers, then with a status in trailers.
    pub fn late_error(code: Code, message: &str) -> Self {
        Self::default().ends_with(code, message, true)
    }

    /// Never answers.
    pub fn silence() -> Self {
        Self {
            end: End::Never,
            ..Self::default()
        }
    }

    /// Answers with exactly this.
    pub fn raw(answer: RawAnswer) -> Self {
        Self {
            end: End::Raw(answer),
            ..Self::default()
        }
    }

    /// Adds initial metadata.
    pub fn initial(mut self, key: &'static str, value: &str) -> Self {
        self.initial.push((key, value.to_owned()));
        self
    }

    /// Adds trailing metadata.
    pub fn trailing(mut self, key: &'static str, value: &str) -> Self {
        self.trailing.push((key, value.to_owned()));
        self
    }

    /// Adds another message, given in ProtoJSON.
    pub fn then(mut self, message: Value) -> Self {
        self.steps.push(Step::Json(message));
        self
    }

    /// Waits here until the test opens `gate`.
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Hold(gate.clone()));
        self
    }

    /// Waits for as long as `grpc-timeout` says, and ends with DEADLINE_EXCEEDED.
    pub fn until_deadline(mut self) -> Self {
        self.steps.push(Step::Deadline);
        self.then_error(Code::DeadlineExceeded, "the time is up")
    }

    /// Ends with a status after the messages.
    pub fn then_error(self, code: Code, message: &str) -> Self {
        self.ends_with(code, message, true)
    }

    /// Answers when the headers are there, and reads no message.
    pub fn early(mut self) -> Self {
        self.early = true;
        self
    }

    /// Adds a serialized `google.rpc.Status` to the status.
    pub fn details(mut self, serialized: impl Into<Bytes>) -> Self {
        if let End::Error { details, .. } = &mut self.end {
            *details = serialized.into();
        }
        self
    }

    fn ends_with(mut self, code: Code, message: &str, after_headers: bool) -> Self {
        self.end = End::Error {
            code,
            message: message.to_owned(),
            details: Bytes::new(),
            after_headers,
        };
        self
    }

    /// The status after the last message: `None` for a plain OK, which tonic adds itself.
    fn status(&self) -> Option<Status> {
        let trailing = metadata(&self.trailing);
        match &self.end {
            End::Error {
                code, message, details, ..
            } => Some(Status::with_details_and_metadata(
                *code,
                message,
                details.clone(),
                trailing,
            )),
            _ if trailing.is_empty() => None,
            _ => Some(Status::with_metadata(Code::Ok, "", trailing)),
        }
    }
}

/// A point at which a script waits for the test.
#[derive(Clone, Default)]
pub struct Gate(Arc<Notify>);

impl Gate {
    /// Lets one waiting script go on, now or when it gets there.
    pub fn open(&self) {
        self.0.notify_one();
    }

    /// Waits for it to be opened.
    pub async fn passed(&self) {
        self.0.notified().await;
    }
}

/// An HTTP/2 answer given in full: for upstreams that do not keep to gRPC.
#[derive(Clone, Default)]
pub struct RawAnswer {
    /// The HTTP status; 0 for 200.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body, frames and all.
    pub body: Bytes,
    /// More of the body, each part sent when the connection takes it; [`Call::sent`] counts them.
    pub stream: Vec<Bytes>,
    /// More of the body. Each part waits for the gate to be opened, and so do the trailers behind them.
    pub parts: Vec<Bytes>,
    /// What the parts wait for.
    pub gate: Gate,
    /// The trailers; none: the stream ends with the body.
    pub trailers: Vec<(&'static str, &'static str)>,
}

/// The calls that a script has answered.
pub struct Call {
    id: String,
    received: mpsc::UnboundedReceiver<Received>,
    arrived: mpsc::UnboundedReceiver<Arrival>,
    sent: Arc<AtomicUsize>,
}

/// News of a request that a script reads.
enum Arrival {
    Message(Bytes),
    /// The request broke off.
    Cancelled,
}

impl Call {
    /// What a request's `x-script` must say to be answered by this script.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next request that reached the server.
    pub async fn received(&mut self) -> Received {
        tokio::time::timeout(LIMIT, self.received.recv())
            .await
            .expect("nothing reached the upstream")
            .unwrap()
    }

    /// The next message of a request, as soon as it is there.
    ///
    /// # Panics
    /// When none comes.
    pub async fn message(&mut self) -> Bytes {
        match next(&mut self.arrived).await {
            Arrival::Message(message) => message,
            Arrival::Cancelled => panic!("the request broke off"),
        }
    }

    /// Waits until a request breaks off that the script is reading.
    ///
    /// # Panics
    /// When another message comes.
    pub async fn broken_off(&mut self) {
        let arrival = tokio::select! {
            arrival = next(&mut self.arrived) => arrival,
            // As if it had ended.
            Some(_) = self.received.recv(), if !process::resets_tell() => return,
        };
        match arrival {
            Arrival::Message(message) => panic!("a message reached the upstream: {message:?}"),
            Arrival::Cancelled => {}
        }
    }

    /// How many messages of [`Script::many`], or parts of [`RawAnswer::stream`], have gone out.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether there has been a request that [`Call::received`] has not returned.
    pub fn has_received(&mut self) -> bool {
        !self.received.is_empty()
    }

    /// Whether a request reached the server, and not only the beginning of one that was broken off. Where that isn't told
    /// ([`process::resets_tell`]), it is seen by there being no message.
    pub fn was_taken(&mut self) -> bool {
        std::iter::from_fn(|| self.received.try_recv().ok())
            .any(|received| process::resets_tell() || !received.messages.is_empty())
    }
}

async fn next(arrived: &mut mpsc::UnboundedReceiver<Arrival>) -> Arrival {
    tokio::time::timeout(LIMIT, arrived.recv())
        .await
        .expect("nothing reached the upstream")
        .unwrap()
}

/// One request as the gRPC server received it.
pub struct Received {
    /// `/package.Service/Method`.
    pub path: String,
    /// `:authority`.
    pub authority: Option<String>,
    /// All headers but the pseudo-headers.
    pub headers: HeaderMap,
    /// The messages.
    pub messages: Vec<Bytes>,
    gone: oneshot::Receiver<()>,
}

impl Received {
    /// The only message, in ProtoJSON.
    ///
    /// # Panics
    /// When there is not exactly one.
    pub fn json(&self) -> Value {
        assert_eq!(
            self.messages.len(),
            1,
            "{} received {} messages",
            self.path,
            self.messages.len()
        );
        schema::to_json(&schema::method(&self.path).input(), &self.messages[0])
    }

    /// The first value of a header; `None` when it isn't there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the call has neither ended nor been cancelled.
    pub fn is_open(&mut self) -> bool {
        self.gone.try_recv() == Err(oneshot::error::TryRecvError::Empty)
    }

    /// Waits until the call is cancelled.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub async fn cancelled(self) {
        let gone = tokio::time::timeout(LIMIT, self.gone)
            .await
            .expect("the upstream's call was not cancelled");
        assert!(
            gone.is_ok() || !process::resets_tell(),
            "the upstream's call ended without being cancelled"
        );
    }
}

/// A codec that leaves messages as they are.
#[derive(Clone, Copy, Default)]
pub struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        use bytes::Buf as _;
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

/// One gRPC frame: the compressed flag, the length, the message.
pub fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

/// The messages of whole frames; nothing of a body that is no frames.
pub fn split_frames(mut body: Bytes) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while body.len() >= 5 {
        let length = u32::from_be_bytes([body[1], body[2], body[3], body[4]]) as usize;
        if body.len() - 5 < length {
            break;
        }
        messages.push(body.split_to(5 + length).slice(5..));
    }
    messages
}

type Scripts = Arc<Mutex<HashMap<String, Arc<Registered>>>>;

struct Registered {
    script: Script,
    received: mpsc::UnboundedSender<Received>,
    arrivals: mpsc::UnboundedSender<Arrival>,
    sent: Arc<AtomicUsize>,
}

pub type HttpRequest = http::Request<tonic::body::Body>;
pub type HttpResponse = http::Response<tonic::body::Body>;
pub type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type HttpService = Arc<dyn Fn(HttpRequest) -> Answering<HttpResponse> + Send + Sync>;

/// The gRPC server: reflection, health, external processing, and scripts for all other paths.
#[derive(Clone)]
struct Dispatcher {
    scripts: Scripts,
    reflection: HttpService,
    health: HttpService,
}

impl Dispatcher {
    fn new(scripts: Scripts) -> Self {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(&schema::descriptor_set())
            .build_v1()
            .unwrap();
        let (_, health) = tonic_health::server::health_reporter();
        Self {
            scripts,
            reflection: Arc::new(move |request| infallible(reflection.clone().call(request))),
            health: Arc::new(move |request| infallible(health.clone().call(request))),
        }
    }
}

impl Service<HttpRequest> for Dispatcher {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Answering<Result<HttpResponse, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let path = request.uri().path();
        let answer: Answering<HttpResponse> = if path.starts_with("/grpc.reflection.") {
            (self.reflection)(request)
        } else if path.starts_with("/grpc.health.") {
            (self.health)(request)
        } else if path.starts_with("/envoy.service.ext_proc.") {
            Box::pin(filters::process(request))
        } else {
            Box::pin(scripted(self.scripts.clone(), request))
        };
        Box::pin(async { Ok(answer.await) })
    }
}

/// The script that a call names; an EventSource can do so by a cookie alone.
fn script_id(headers: &HeaderMap) -> Option<&str> {
    let cookie = headers.get("cookie").and_then(|cookie| cookie.to_str().ok());
    let in_cookie = || cookie.and_then(|cookie| cookie.strip_prefix(SCRIPT_KEY)?.strip_prefix('='));
    match headers.get(SCRIPT_KEY) {
        Some(id) => Some(id.to_str().unwrap_or_default()),
        None => in_cookie(),
    }
}

async fn scripted(scripts: Scripts, request: HttpRequest) -> HttpResponse {
    let registered = match script_id(request.headers()) {
        Some(id) => scripts.lock().unwrap().get(id).cloned(),
        // A request that no test is interested in, such as the one after a hostile one.
        None => Some(Arc::new(Registered {
            script: Script::echo(),
            received: mpsc::unbounded_channel().0,
            arrivals: mpsc::unbounded_channel().0,
            sent: Arc::default(),
        })),
    };
    let Some(registered) = registered else {
        return Status::unknown("no such script").into_http();
    };
    if let End::Raw(answer) = &registered.script.end {
        return raw(&registered, answer, request).await;
    }
    let performance = Performance {
        registered,
        uri: request.uri().clone(),
    };
    tonic::server::Grpc::new(BytesCodec)
        .max_decoding_message_size(usize::MAX)
        .streaming(performance, request)
        .await
}

async fn raw(registered: &Registered, answer: &RawAnswer, request: HttpRequest) -> HttpResponse {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (_, gone) = oneshot::channel();
    let path = head.uri.path().to_owned();
    let authority = head.uri.authority().map(ToString::to_string);
    // Nobody listens when the test doesn't look at the request.
    let _ = registered.received.send(Received {
        path,
        authority,
        headers: head.headers,
        messages: split_frames(body),
        gone,
    });

    let mut response = http::Response::builder().status(if answer.status == 0 { 200 } else { answer.status });
    for (name, value) in &answer.headers {
        response = response.header(*name, *value);
    }
    let (out, frames) = mpsc::channel::<Result<_, Infallible>>(1);
    let answer = answer.clone();
    let sent = Arc::clone(&registered.sent);
    tokio::spawn(async move {
        // An error says that the call was given up.
        if !answer.body.is_empty() {
            out.send(Ok(http_body::Frame::data(answer.body))).await.ok()?;
        }
        for part in answer.stream {
            out.send(Ok(http_body::Frame::data(part))).await.ok()?;
            sent.fetch_add(1, Ordering::Relaxed);
        }
        let waits = !answer.parts.is_empty();
        for part in answer.parts {
            answer.gate.passed().await;
            out.send(Ok(http_body::Frame::data(part))).await.ok()?;
        }
        if !answer.trailers.is_empty() {
            if waits {
                answer.gate.passed().await;
            }
            let trailers = answer
                .trailers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            out.send(Ok(http_body::Frame::trailers(trailers.collect())))
                .await
                .ok()?;
        }
        Some(())
    });
    let body = http_body_util::StreamBody::new(ReceiverStream::new(frames));
    response.body(tonic::body::Body::new(body)).unwrap()
}

/// One call that is being answered by its script.
struct Performance {
    registered: Arc<Registered>,
    uri: http::Uri,
}

impl tonic::server::StreamingService<Bytes> for Performance {
    type Response = Bytes;
    type ResponseStream = ReceiverStream<Result<Bytes, Status>>;
    type Future = Answering<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        Box::pin(perform(self.registered.clone(), self.uri.clone(), request))
    }
}

async fn perform(
    registered: Arc<Registered>,
    uri: http::Uri,
    request: Request<Streaming<Bytes>>,
) -> Result<Response<ReceiverStream<Result<Bytes, Status>>>, Status> {
    let script = &registered.script;
    let path = uri.path().to_owned();
    let authority = uri.authority().map(ToString::to_string);
    let headers = request.metadata().clone().into_headers();
    let timeout = headers
        .get("grpc-timeout")
        .and_then(|value| timeout::parse(value.as_bytes()).ok());
    let mut incoming = request.into_inner();
    let mut messages = Vec::new();
    if !script.early && !matches!(script.steps[..], [Step::EchoEach]) {
        let reading = Reading(Some(registered.arrivals.clone()));
        while let Some(message) = incoming.message().await? {
            let _ = registered.arrivals.send(Arrival::Message(message.clone()));
            messages.push(message);
        }
        reading.end();
    }
    let (running, gone) = Running::new();
    // Nobody listens when the test doesn't look at the request.
    let _ = registered.received.send(Received {
        path: path.clone(),
        authority,
        headers,
        messages: messages.clone(),
        gone,
    });

    match &script.end {
        End::Never => std::future::pending().await,
        End::Error {
            after_headers: false, ..
        } if script.steps.is_empty() => {
            running.end();
            return Err(script.status().unwrap());
        }
        _ => {}
    }

    let (out, stream) = mpsc::channel(1);
    let mut response = Response::new(ReceiverStream::new(stream));
    *response.metadata_mut() = metadata(&script.initial);
    let registered = registered.clone();
    tokio::spawn(async move {
        let send = async {
            for step in &registered.script.steps {
                match step {
                    Step::Json(message) => {
                        let message = schema::from_json(&schema::method(&path).output(), message);
                        out.send(Ok(message)).await.ok()?;
                    }
                    Step::Bytes(message) => out.send(Ok(message.clone())).await.ok()?,
                    Step::Many(messages) => {
                        for message in messages {
                            out.send(Ok(message.clone())).await.ok()?;
                            registered.sent.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Step::Echo => {
                        for message in &messages {
                            out.send(Ok(message.clone())).await.ok()?;
                        }
                    }
                    Step::EchoEach => {
                        while let Some(message) = incoming.message().await.ok()? {
                            out.send(Ok(message)).await.ok()?;
                        }
                    }
                    Step::Hold(gate) => gate.passed().await,
                    Step::Deadline => tokio::time::sleep(timeout.unwrap_or(LIMIT)).await,
                }
            }
            if let Some(status) = registered.script.status() {
                out.send(Err(status)).await.ok()?;
            }
            Some(())
        };
        tokio::select! {
            Some(()) = send => running.end(),
            () = out.closed() => {}
        }
    });
    Ok(response)
}

/// Tells the test, when dropped, that a request broke off while it was read.
struct Reading(Option<mpsc::UnboundedSender<Arrival>>);

impl Reading {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(arrivals) = self.0.take() {
            let _ = arrivals.send(Arrival::Cancelled);
        }
    }
}

/// Tells the test, when dropped, that the call was given up before its end.
struct Running(Option<oneshot::Sender<()>>);

impl Running {
    fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, gone) = oneshot::channel();
        (Self(Some(sender)), gone)
    }

    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(());
        }
    }
}

async fn serve_garbage(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            // Waits for the request, so that it is the request that fails and not the connection.
            if stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                let _ = stream
                    .write_all(b"220 smtp.example ESMTP at your service\r\n\0\xff\xfe")
                    .await;
            }
        });
    }
}

/// Changes to the protocol that a request in HTTP/1.1 asks for, and says back what comes behind it; in a tunnel, at once.
async fn serve_parrot(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut seen = BytesMut::new();
            while stream.read_buf(&mut seen).await.is_ok_and(|length| length > 0) {
                let is_http = ["GET ", "POST "]
                    .iter()
                    .any(|method| seen.starts_with(method.as_bytes()));
                let end = seen.windows(4).position(|window| window == b"\r\n\r\n");
                let said = match (is_http, end) {
                    (true, None) => continue,
                    (true, Some(end)) => {
                        let head = seen.split_to(end + 4);
                        let path = String::from_utf8_lossy(&head)
                            .split(' ')
                            .nth(1)
                            .unwrap_or_default()
                            .to_owned();
                        format!(
                            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-path: \
                             {path}\r\n\r\n"
                        )
                        .into_bytes()
                    }
                    (false, _) => seen.split().to_vec(),
                };
                if stream.write_all(&said).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// A listener on a free port of the loopback interface. Needs a runtime.
fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (TcpListener::from_std(listener).unwrap(), address)
}

fn metadata(pairs: &Pairs) -> MetadataMap {
    let headers = pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    MetadataMap::from_headers(map)
}

fn infallible<F>(answer: F) -> Answering<HttpResponse>
where
    F: Future<Output = Result<HttpResponse, Infallible>> + Send + 'static,
{
    Box::pin(async {
        match answer.await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    })
}
