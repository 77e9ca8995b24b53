//! The client of `make bench-envoy`: sends one HTTP/1.1 request again and again, and prints what that cost the gateway.
//!
//! `bench-load PID PORT CONNECTIONS REQUESTS FILE` opens connections to a port of this machine and sends the request in the
//! file, once on each of them to warm it up, and then so many times in all. Prints one line: nanoseconds of CPU that the
//! process has used meanwhile, nanoseconds that passed, and of the requests' own microseconds the median and the 99th
//! percentile. Fails where an answer isn't 200.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::LocalSet;

type Error = Box<dyn std::error::Error>;

const USAGE: &str = "usage: bench-load PID PORT CONNECTIONS REQUESTS FILE";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [pid, port, connections, requests, file] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let (port, connections): (u16, usize) = (port.parse()?, connections.parse()?);
    let turn = Rc::new(Turn {
        request: std::fs::read(file)?,
        left: Cell::new(requests.parse()?),
        took: RefCell::default(),
        // The connections, and this.
        warm: Barrier::new(connections + 1),
        started: Barrier::new(connections + 1),
    });
    let local = LocalSet::new();
    let clients: Vec<_> = (0..connections)
        .map(|_| local.spawn_local(client(port, Rc::clone(&turn))))
        .collect();
    local
        .run_until(async {
            turn.warm.wait().await;
            let (before, start) = (cpu(pid)?, Instant::now());
            turn.started.wait().await;
            for client in clients {
                client.await??;
            }
            let passed = start.elapsed();
            let used = cpu(pid)?.saturating_sub(before);
            let mut took = turn.took.take();
            took.sort_unstable();
            let percentile = |of: usize| took.get(took.len() * of / 100).copied().unwrap_or_default();
            println!("{used} {} {} {}", passed.as_nanos(), percentile(50), percentile(99));
            Ok(())
        })
        .await
}

/// What all connections share.
struct Turn {
    request: Vec<u8>,
    /// How many requests are still to be sent.
    left: Cell<usize>,
    /// How long each took, in microseconds.
    took: RefCell<Vec<u128>>,
    warm: Barrier,
    started: Barrier,
}

async fn client(port: u16, turn: Rc<Turn>) -> Result<(), String> {
    let connection = Connection::open(port).await;
    let mut connection = connection.map_err(|error| error.to_string())?;
    let warm = connection.exchange(&turn.request).await;
    turn.warm.wait().await;
    turn.started.wait().await;
    warm?;
    while let Some(left) = turn.left.get().checked_sub(1) {
        turn.left.set(left);
        let start = Instant::now();
        connection.exchange(&turn.request).await?;
        turn.took.borrow_mut().push(start.elapsed().as_micros());
    }
    Ok(())
}

/// A connection, and what has come on it.
struct Connection {
    socket: TcpStream,
    come: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> std::io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            come: Vec::with_capacity(64 << 10),
        })
    }

    /// Sends the request, and reads its answer to the end.
    async fn exchange(&mut self, request: &[u8]) -> Result<(), String> {
        let sent = self.socket.write_all(request).await;
        sent.map_err(|error| format!("cannot send the request: {error}"))?;
        let head = self.line_block().await?;
        if !head.starts_with("http/1.1 200 ") {
            return Err(format!("expected an answer of 200, found:\n{head}"));
        }
        if head.contains("\r\ntransfer-encoding: chunked\r\n") {
            return self.chunks().await;
        }
        let length = head.split_once("\r\ncontent-length:");
        let length = length.and_then(|(_, rest)| rest.split_once("\r\n")?.0.trim().parse().ok());
        let length: usize = length.ok_or_else(|| format!("the answer doesn't say its length:\n{head}"))?;
        self.skip(length).await
    }

    /// The body, and the trailers behind it (RFC 9112, section 7.1).
    async fn chunks(&mut self) -> Result<(), String> {
        loop {
            let end = self.find(b"\r\n").await?;
            let size = self.take(end);
            let size = std::str::from_utf8(&size).ok().and_then(|size| {
                let digits = size.split(';').next()?;
                usize::from_str_radix(digits.trim(), 16).ok()
            });
            let size = size.ok_or("a chunk without a size")?;
            if size == 0 {
                break;
            }
            self.skip(size + 2).await?;
        }
        while self.find(b"\r\n").await? > 2 {
            let end = self.find(b"\r\n").await?;
            self.take(end);
        }
        self.take(2);
        Ok(())
    }

    /// A status line and headers, in lower case.
    async fn line_block(&mut self) -> Result<String, String> {
        let end = self.find(b"\r\n\r\n").await?;
        Ok(String::from_utf8_lossy(&self.take(end)).to_ascii_lowercase())
    }

    /// Where the first `mark` ends.
    async fn find(&mut self, mark: &[u8]) -> Result<usize, String> {
        loop {
            if let Some(at) = self.come.windows(mark.len()).position(|window| window == mark) {
                return Ok(at + mark.len());
            }
            self.read().await?;
        }
    }

    async fn skip(&mut self, length: usize) -> Result<(), String> {
        let mut left = length;
        loop {
            let here = left.min(self.come.len());
            self.come.drain(..here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.read().await?;
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.come.drain(..length).collect()
    }

    async fn read(&mut self) -> Result<(), String> {
        match self.socket.read_buf(&mut self.come).await {
            Ok(0) => Err("the connection was closed in the midst of an answer".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("cannot read the answer: {error}")),
        }
    }
}

/// Nanoseconds of CPU that all threads of a process have used (proc(5), `/proc/pid/schedstat`).
fn cpu(pid: &str) -> Result<u64, Error> {
    let mut used = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let figures = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        used += figures.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(used)
}
