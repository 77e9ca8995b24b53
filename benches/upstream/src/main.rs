//! The server behind the gateway of `make bench-envoy`: it knows no schema and costs little, as only the gateway is
//! measured. Prints the port that it listens on, and serves until it is ended.
//!
//! - `…/Echo…` answers with the request's frame.
//! - `…/Get…` answers with the frame in the file of the first argument.
//! - `…/List…` answers with that frame a thousand times, as many at a time as fit into 32 KiB, as tonic sends messages
//!   that are ready.

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
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let body = read(request.into_body()).await?;
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
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
    } else {
        send(&mut stream, body).await?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
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
