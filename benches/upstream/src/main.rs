//! The server behind the gateway of `make bench-envoy`: it knows no schema and costs little, as only the gateway is
//! measured. Prints the port that it listens on, and serves until it is ended.
//!
//! - `…/Echo…` answers with the request's frame; so does `…/Dispatch`, a hook that changes nothing.
//! - `…/Get…` answers with the frame in the file of the first argument.
//! - `…/List…` answers with that frame a thousand times, as many at a time as fit into 32 KiB, as tonic sends messages
//!   that are ready.
//! - `…/Process`, an external processor, and `…/Check`, an external authorizer, let everything go on as it is. With the
//!   authority `echo`, the processor sends headers and body back, as a hook does.

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpListener;

/// How many messages a stream has.
const MESSAGES: usize = 1000;

/// How many bytes of messages go out at a time.
const AT_A_TIME: usize = 32 << 10;

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let message = std::env::args().nth(1).ok_or("usage: bench-upstream FILE")?;
    let message = Bytes::from(std::fs::read(message)?);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let message = message.clone();
        tokio::spawn(async move {
            let mut connection = Builder::new()
                .initial_window_size(1 << 24)
                .initial_connection_window_size(1 << 26)
                .handshake::<_, Bytes>(socket)
                .await?;
            while let Some(request) = connection.accept().await {
                let (request, respond) = request?;
                let message = message.clone();
                tokio::spawn(async move {
                    // A client that leaves ends its stream with an error, which concerns nobody.
                    let _left = serve(request, respond, message).await;
                });
            }
            Ok::<(), h2::Error>(())
        });
    }
}

async fn serve(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    message: Bytes,
) -> Result<(), h2::Error> {
    let echoes = request.uri().authority().is_some_and(|authority| authority == "echo");
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    if method == "Process" {
        let stream = respond.send_response(response, false)?;
        return process(request.into_body(), stream, echoes).await;
    }
    let body = read(request.into_body()).await?;
    let mut stream = respond.send_response(response, false)?;
    if method.starts_with("List") {
        let many = (AT_A_TIME / message.len()).clamp(1, MESSAGES);
        let chunk = Bytes::from(message.repeat(many));
        for _ in 0..MESSAGES / many {
            send(&mut stream, chunk.clone()).await?;
        }
        send(&mut stream, chunk.slice(..MESSAGES % many * message.len())).await?;
    } else if method.starts_with("Get") {
        send(&mut stream, message).await?;
    } else if method == "Check" {
        // CheckResponse (envoy/service/auth/v3/external_auth.proto): `status` with code 0.
        send(&mut stream, Bytes::from_static(b"\0\0\0\0\x02\x0a\0")).await?;
    } else {
        send(&mut stream, body).await?;
    }
    stream.send_trailers(ok())
}

fn ok() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}

/// Answers each message of an external processor's stream when it has come (envoy/service/ext_proc/v3/external_processor.proto):
/// a ProcessingRequest by an empty HeadersResponse or BodyResponse, or with `echoes` by the headers or the body that it has.
async fn process(mut body: RecvStream, mut stream: SendStream<Bytes>, echoes: bool) -> Result<(), h2::Error> {
    let mut come = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        come.extend_from_slice(&chunk);
        while let Some(message) = next_message(&mut come) {
            // The tag of `request_headers`, or else of `request_body`, comes first.
            let is_headers = message.first() == Some(&0x12);
            let answer = match (is_headers, echoes) {
                (true, true) => headers_again(&message),
                (false, true) => body_again(&message),
                (true, false) => record(0x0a, b""),
                (false, false) => record(0x1a, b""),
            };
            let answer = framed(&answer);
            send(&mut stream, answer).await?;
        }
    }
    stream.send_trailers(ok())
}

/// A ProcessingResponse whose `request_headers.response.header_mutation` sets the headers of this ProcessingRequest,
/// `request_headers.headers`, to the values that they have; but for those that no processor may set.
fn headers_again(message: &Bytes) -> Vec<u8> {
    let mut mutation = Vec::new();
    let map = within(0x12, message).and_then(|headers| within(0x0a, &headers));
    let mut map = map.as_deref().unwrap_or_default();
    while let Some((0x0a, rest)) = map.split_first().map(|(tag, rest)| (*tag, rest))
        && let Some((length, rest)) = varint(rest)
        && let Some((header, rest)) = rest.split_at_checked(length)
    {
        map = rest;
        let name = within(0x0a, header).unwrap_or_default();
        if !name.starts_with(b":") && !name.starts_with(b"x-envoy-") && name != b"host" {
            mutation.extend(record(0x0a, &record(0x0a, header)));
        }
    }
    [0x12, 0x0a, 0x0a]
        .iter()
        .fold(mutation, |inner, tag| record(*tag, &inner))
}

/// A ProcessingResponse whose `request_body.response.body_mutation.body` is the body of this ProcessingRequest,
/// `request_body.body`; an empty BodyResponse, if it has none.
fn body_again(message: &Bytes) -> Vec<u8> {
    match within(0x22, message).and_then(|http_body| within(0x0a, &http_body)) {
        Some(body) => [0x0a, 0x1a, 0x0a, 0x1a]
            .iter()
            .fold(body, |inner, tag| record(*tag, &inner)),
        None => record(0x1a, b""),
    }
}

/// The value of the field with this tag, if the message begins with it.
fn within(tag: u8, message: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = message.split_first()?;
    let (length, rest) = (*first == tag).then(|| varint(rest))??;
    rest.get(..length).map(<[u8]>::to_vec)
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::from(&b"\0"[..]);
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame.freeze()
}

/// A varint, and what follows it.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at_checked(end + 1)?;
    let number = number
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    Some((number, rest))
}

fn record(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut record = vec![tag];
    let mut length = bytes.len();
    while length > 0x7f {
        record.push(length as u8 | 0x80);
        length >>= 7;
    }
    record.push(length as u8);
    record.extend_from_slice(bytes);
    record
}

/// Takes the first gRPC message out of what has come, if it is whole.
fn next_message(come: &mut BytesMut) -> Option<Bytes> {
    let (_, length) = come.split_first_chunk::<5>().map(|(prefix, _)| prefix)?.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    (come.len() >= 5 + length).then(|| come.split_to(5 + length).freeze().slice(5..))
}

async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// Sends as fast as the client's window lets it.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match std::future::poll_fn(|context| stream.poll_capacity(context)).await {
            Some(room) => room?,
            None => return Ok(()),
        };
        stream.send_data(data.split_to(room.min(data.len())), false)?;
    }
    Ok(())
}
