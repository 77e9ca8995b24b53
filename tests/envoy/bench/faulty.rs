//! A gRPC server that fails as a test says: in its answer, in its HTTP/2 stream, or with its whole connection.
//!
//! It speaks HTTP/2 by the `h2` crate alone, so that nothing mends what is to be broken. Envoy gives each call a connection
//! of its own ([`super::bootstrap::FAULTY`]): one that is killed takes no other call with it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::upstream::{Gate, LIMIT, SCRIPT_KEY, split_frames};

/// What the server does next with a call.
#[derive(Clone)]
pub enum Act {
    /// Reads the request to its end. Until then, nothing of it is taken off the connection.
    Read,
    /// Sends the headers of a gRPC answer.
    Headers,
    /// Sends headers that end the answer, with this HTTP status.
    HeadersAlone(u16, &'static [(&'static str, &'static str)]),
    /// Sends the request's first message back.
    Echo,
    /// Sends bytes of the body, frames or not.
    Body(Bytes),
    /// Sends trailers, which end the answer.
    Trailers(&'static [(&'static str, &'static str)]),
    /// Ends the answer where it is.
    End,
    /// Waits until Envoy has taken in what was sent so far.
    Settle,
    /// Resets the call's stream.
    Reset(Reason),
    /// Writes bytes onto the connection, past HTTP/2.
    Wire(&'static [u8]),
    /// Closes the connection, as a server does that has exited.
    Close,
    /// Resets the connection, as one does that has crashed, or whose machine has.
    Kill,
    /// Waits until the test opens the gate.
    Hold(Gate),
    /// Does nothing more until the call is cancelled.
    Stall,
}

/// Calls that are answered by the same acts.
pub struct Play {
    id: String,
    events: mpsc::UnboundedReceiver<Event>,
}

/// What became of a call at the server.
pub enum Event {
    /// It has come, with these headers.
    Came(HeaderMap),
    /// It was read, and had these messages.
    Read(Vec<Bytes>),
    /// An [`Act::Settle`] is done.
    Settled,
    /// All acts are done.
    Done,
    /// It was cancelled during an [`Act::Stall`] or [`Act::Hold`], or its connection broke.
    Cancelled,
}

impl Play {
    /// What a request's `x-script` must say to be answered by these acts.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next event.
    ///
    /// # Panics
    /// When none comes.
    pub async fn event(&mut self) -> Event {
        tokio::time::timeout(LIMIT, self.events.recv())
            .await
            .expect("nothing happens at the upstream")
            .unwrap()
    }

    /// The next event, however long that takes.
    pub async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }

    /// Waits until a call was cancelled, and returns how many have come by then.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub async fn cancelled(&mut self) -> usize {
        let mut came = 0;
        loop {
            match self.event().await {
                Event::Came(_) => came += 1,
                Event::Read(_) | Event::Settled => {}
                Event::Done => panic!("the call ended"),
                Event::Cancelled => return came,
            }
        }
    }

    /// Waits until Envoy has taken in what was sent up to an [`Act::Settle`].
    ///
    /// # Panics
    /// When the call ends first.
    pub async fn settled(&mut self) {
        loop {
            match self.event().await {
                Event::Came(_) | Event::Read(_) => {}
                Event::Settled => return,
                Event::Done | Event::Cancelled => panic!("the call ended"),
            }
        }
    }

    /// How many calls have come that no event has told of.
    pub fn came(&mut self) -> usize {
        let events = std::iter::from_fn(|| self.events.try_recv().ok());
        events.filter(|event| matches!(event, Event::Came(_))).count()
    }
}

/// The plays by their ids.
#[derive(Clone, Default)]
pub struct Plays(Arc<Mutex<HashMap<String, Arc<Registered>>>>);

struct Registered {
    acts: Vec<Act>,
    events: mpsc::UnboundedSender<Event>,
}

impl Plays {
    /// Has calls that name the play answered by `acts`.
    pub fn add(&self, acts: Vec<Act>) -> Play {
        let mut plays = self.0.lock().unwrap();
        let id = format!("play-{}", plays.len());
        let (sender, events) = mpsc::unbounded_channel();
        plays.insert(id.clone(), Arc::new(Registered { acts, events: sender }));
        Play { id, events }
    }

    /// Serves connections for ever.
    pub async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(self.clone().connection(Arc::new(stream)));
        }
    }

    async fn connection(self, stream: Arc<TcpStream>) {
        let Ok(mut connection) = h2::server::handshake(Shared(Arc::clone(&stream))).await else {
            return;
        };
        let mut pings = connection.ping_pong().unwrap();
        let (orders, mut ordered) = mpsc::unbounded_channel();
        let mut due = None;
        loop {
            tokio::select! {
                biased;
                accepted = connection.accept() => match accepted {
                    Some(Ok((request, answer))) => self.call(request, answer, &orders),
                    // Closed, or broken by what was written onto it.
                    _ => return,
                },
                // What was sent before has been taken in by Envoy when it answers a ping behind it: else it would be lost
                // with a connection that is reset.
                Some(order) = ordered.recv(), if due.is_none() => {
                    pings.send_ping(h2::Ping::opaque()).unwrap();
                    due = Some(order);
                }
                _ = poll_fn(|context| pings.poll_pong(context)), if due.is_some() => match due.take() {
                    Some(Order::Wire(bytes, done)) => {
                        let _ = Shared(Arc::clone(&stream)).write_all(bytes).await;
                        let _ = done.send(());
                    }
                    Some(Order::Flush(done)) => {
                        let _ = done.send(());
                    }
                    Some(Order::Kill(never)) => {
                        stream.set_zero_linger().unwrap();
                        return drop(never);
                    }
                    Some(Order::Close(never)) => return drop(never),
                    None => return,
                },
            }
        }
    }

    fn call(&self, request: Request<RecvStream>, answer: SendResponse<Bytes>, orders: &mpsc::UnboundedSender<Order>) {
        let id = request.headers().get(SCRIPT_KEY).and_then(|id| id.to_str().ok());
        let registered = id.and_then(|id| self.0.lock().unwrap().get(id).cloned());
        let Some(registered) = registered else {
            panic!("no play {id:?}");
        };
        let _ = registered.events.send(Event::Came(request.headers().clone()));
        let orders = orders.clone();
        tokio::spawn(async move {
            let mut call = Call {
                request: request.into_body(),
                message: Bytes::new(),
                answer: Answer::Ahead(answer),
                orders,
            };
            let done = call.perform(&registered).await.is_some();
            // Nobody listens when the test doesn't look at the call.
            let _ = registered
                .events
                .send(if done { Event::Done } else { Event::Cancelled });
        });
    }
}

/// What a call asks of its connection.
enum Order {
    Flush(oneshot::Sender<()>),
    Wire(&'static [u8], oneshot::Sender<()>),
    /// Neither is ever done.
    Close(oneshot::Sender<()>),
    Kill(oneshot::Sender<()>),
}

struct Call {
    request: RecvStream,
    /// The first one.
    message: Bytes,
    answer: Answer,
    orders: mpsc::UnboundedSender<Order>,
}

enum Answer {
    Ahead(SendResponse<Bytes>),
    Begun(SendStream<Bytes>),
}

impl Call {
    /// `None`: the call was cancelled.
    async fn perform(&mut self, registered: &Registered) -> Option<()> {
        for act in &registered.acts {
            match act {
                Act::Read => {
                    let messages = self.read().await?;
                    self.message = messages.first().cloned().unwrap_or_default();
                    let _ = registered.events.send(Event::Read(messages));
                }
                Act::Headers => self.headers()?,
                Act::HeadersAlone(status, pairs) => self.headers_alone(*status, pairs)?,
                Act::Echo => self.body(super::upstream::frame(0, &self.message)).await?,
                Act::Body(bytes) => self.body(bytes.clone()).await?,
                Act::Trailers(pairs) => {
                    let pairs = pairs
                        .iter()
                        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
                    self.begun()?.send_trailers(pairs.collect()).ok()?;
                }
                Act::End => self.begun()?.send_data(Bytes::new(), true).ok()?,
                Act::Settle => {
                    self.flushed(Order::Flush).await?;
                    let _ = registered.events.send(Event::Settled);
                }
                Act::Reset(reason) => {
                    self.flushed(Order::Flush).await?;
                    match &mut self.answer {
                        Answer::Ahead(answer) => answer.send_reset(*reason),
                        Answer::Begun(answer) => answer.send_reset(*reason),
                    }
                }
                Act::Wire(bytes) => self.flushed(|done| Order::Wire(bytes, done)).await?,
                Act::Close => self.closed(Order::Close).await,
                Act::Kill => self.closed(Order::Kill).await,
                Act::Hold(gate) => tokio::select! {
                    () = gate.passed() => {}
                    () = self.answer.cancelled() => return None,
                },
                Act::Stall => {
                    self.answer.cancelled().await;
                    return None;
                }
            }
        }
        Some(())
    }

    async fn read(&mut self) -> Option<Vec<Bytes>> {
        let mut body = BytesMut::new();
        while let Some(data) = self.request.data().await {
            let data = data.ok()?;
            self.request.flow_control().release_capacity(data.len()).ok()?;
            body.extend_from_slice(&data);
        }
        Some(split_frames(body.freeze()))
    }

    fn headers(&mut self) -> Option<()> {
        if let Answer::Ahead(answer) = &mut self.answer {
            let head = Response::builder()
                .header("content-type", "application/grpc")
                .body(())
                .unwrap();
            self.answer = Answer::Begun(answer.send_response(head, false).ok()?);
        }
        Some(())
    }

    fn headers_alone(&mut self, status: u16, pairs: &[(&'static str, &'static str)]) -> Option<()> {
        if let Answer::Ahead(answer) = &mut self.answer {
            let mut head = Response::builder().status(status);
            for (name, value) in pairs {
                head = head.header(*name, *value);
            }
            self.answer = Answer::Begun(answer.send_response(head.body(()).unwrap(), true).ok()?);
        }
        Some(())
    }

    fn begun(&mut self) -> Option<&mut SendStream<Bytes>> {
        match &mut self.answer {
            Answer::Ahead(_) => panic!("no headers were sent"),
            Answer::Begun(answer) => Some(answer),
        }
    }

    /// As much at a time as the other side takes.
    async fn body(&mut self, mut bytes: Bytes) -> Option<()> {
        let answer = self.begun()?;
        while !bytes.is_empty() {
            answer.reserve_capacity(bytes.len());
            let capacity = poll_fn(|context| answer.poll_capacity(context)).await?.ok()?;
            answer
                .send_data(bytes.split_to(capacity.min(bytes.len())), false)
                .ok()?;
        }
        Some(())
    }

    async fn flushed(&mut self, order: impl FnOnce(oneshot::Sender<()>) -> Order) -> Option<()> {
        let (done, waits) = oneshot::channel();
        self.orders.send(order(done)).ok()?;
        waits.await.ok()
    }

    /// The stream is kept until then: HTTP/2 would reset it, and drop what it has not sent yet.
    async fn closed(&mut self, order: impl FnOnce(oneshot::Sender<()>) -> Order) {
        let _closed = self.flushed(order).await;
    }
}

impl Answer {
    async fn cancelled(&mut self) {
        // An error says that the connection has gone.
        let _ = poll_fn(|context| match self {
            Self::Ahead(answer) => answer.poll_reset(context),
            Self::Begun(answer) => answer.poll_reset(context),
        })
        .await;
    }
}

/// A connection that HTTP/2 does not have to itself.
struct Shared(Arc<TcpStream>);

impl AsyncRead for Shared {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(length) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
