//! Everything at once, through a real Envoy with two workers: requests of all kinds over persistent connections, errors,
//! clients that leave or read slowly, an upstream that breaks in every way, and a new schema or a new listener every few
//! seconds. In the end the accounts of all three must agree: what the clients sent and got, what the upstream received,
//! what Envoy counted.
//!
//! `make soak` runs it for 10 minutes, or for so many `SOAK_SECONDS`, and checks that memory is flat. `make test` runs it for some
//! seconds, which says nothing of memory. What each fault looks like by itself is tested in `faults`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How long it runs unless `PROTOBRIDGE_SOAK_SECONDS` says otherwise.
const SECONDS: u64 = 4;

/// From this long on, memory is looked at: what is there for good has been allocated by then.
const LONG: u64 = 120;

/// By how much the process's memory may be larger in the last third of a long run than in the second, in bytes.
const GROWTH: u64 = 8 << 20;

/// How often a new schema comes, and every how many of them a new listener with it.
const RELOAD: Duration = Duration::from_secs(2);
const LISTENER_EVERY: usize = 2;

const NAME: &str = "soak";

fn listener(version: usize, directory: &Path) -> Listener {
    let proto = format!(
        r#"syntax = "proto3"; package soak; import "google/api/annotations.proto";
        service Items {{
          rpc Echo(Item) returns (Item) {{
            option (google.api.http) = {{
              post: "/v1/items" body: "*"
              additional_bindings {{ get: "/v1/items/{{id}}" }}
            }};
          }}
          rpc List(Item) returns (stream Item) {{
            option (google.api.http) = {{ post: "/v1/items:list" body: "*" }};
          }}
          rpc Collect(stream Item) returns (Item) {{
            option (google.api.http) = {{ post: "/v1/items:collect" body: "*" }};
          }}
        }}
        message Item {{ int32 id = 1; string text = 2 [json_name = "text{version}"]; }}"#
    );
    let configuration = json!({ "proto": proto, "upstream": { "grpc_web": true } });
    // A listener differs from the one before it.
    let timeout = ["60s", "61s"][version / LISTENER_EVERY % 2];
    Listener::new(NAME, &configuration)
        .with_grpc_web()
        .route_timeout(timeout)
        .narrow()
        .cluster(PLAYED)
        .sends_faults_apart()
        .keeps_connections()
        .closes_at_once()
        .discovers_filter(directory)
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Post,
    /// By a call.
    Get,
    Array,
    Ndjson,
    Sse,
    Collect,
    Malformed,
    Unbound,
}

/// What must come of it.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// So many times the request's own message.
    Messages(usize),
    /// An error in JSON, of this HTTP status and code.
    Error(u16, u16),
    /// Envoy's own text with this status.
    Text(u16),
    /// So many messages, and then the stream breaks off.
    Cut(usize),
    /// The client leaves as soon as it has sent the request.
    Left,
    /// The client leaves in the midst of the answer.
    LeftLater,
    /// The client begins to read late.
    ReadLate(usize),
}
use Outcome::{Cut, Error, Left, LeftLater, Messages, ReadLate, Text};

use crate::bench::bootstrap::{FAULT_HEADER, Listener, PLAYED};
use crate::bench::client::{Http, Live, Persistent, Request, Unanswered};
use crate::bench::faulty::Act::{self, Body, Close, Echo, Headers, Kill, Read, Reset, Stall, Trailers};
use crate::bench::faulty::{Event, Play};
use crate::bench::process::{EnvoyProcess, new_directory};
use crate::bench::upstream::{LIMIT, SCRIPT_KEY, frame};
use crate::bench::{Bench, play};

/// One kind of request.
struct Kind {
    name: &'static str,
    shape: Shape,
    /// The length of its text.
    length: usize,
    acts: Vec<Act>,
    outcome: Outcome,
}

const OK: Act = Trailers(&[("grpc-status", "0")]);
const GONE: Act = Trailers(&[("grpc-status", "5"), ("grpc-message", "gone")]);
/// The head of a frame that claims to have 4 GB.
const HUGE: Act = Body(Bytes::from_static(b"\0\xff\xff\xff\xff\x18\x05"));

/// Requests for connections that stay: each has an answer, and so has the next.
fn lasting() -> Vec<Kind> {
    use Shape::{Array, Collect, Get, Malformed, Ndjson, Post, Sse, Unbound};
    let kind = |name, shape, length, acts: &[Act], outcome| Kind {
        name,
        shape,
        length,
        acts: acts.to_vec(),
        outcome,
    };
    let echo = [Read, Headers, Echo, OK];
    let thrice = [Read, Headers, Echo, Echo, Echo, OK];
    vec![
        kind("unary", Post, 20, &echo, Messages(1)),
        kind("get", Get, 20, &echo, Messages(1)),
        kind("array", Array, 20, &thrice, Messages(3)),
        kind("ndjson", Ndjson, 20, &thrice, Messages(3)),
        kind("events", Sse, 20, &thrice, Messages(3)),
        kind("empty stream", Array, 20, &[Read, Headers, OK], Messages(0)),
        kind("upload", Collect, 1000, &echo, Messages(1)),
        kind("100 KB", Post, 100_000, &echo, Messages(1)),
        kind("stream of 100 KB", Ndjson, 33_000, &thrice, Messages(3)),
        kind("malformed", Malformed, 20, &echo, Error(400, 3)),
        kind("no route", Unbound, 20, &echo, Error(404, 5)),
        kind("not found", Post, 20, &[Read, Headers, GONE], Error(404, 5)),
        kind("not found, get", Get, 20, &[Read, Headers, GONE], Error(404, 5)),
        kind("not found, stream", Sse, 20, &[Read, Headers, GONE], Error(404, 5)),
    ]
}

/// Requests with connections of their own: an upstream or a client breaks.
fn broken() -> Vec<Kind> {
    use Shape::{Array, Collect, Get, Ndjson, Post, Sse};
    let kind = |name, shape, length, acts: &[Act], outcome| Kind {
        name,
        shape,
        length,
        acts: acts.to_vec(),
        outcome,
    };
    let half = Body(frame(0, &[0; 100]).slice(..50));
    let compressed = Body(frame(1, b"\x18\x05"));
    let reset = Reset(Reason::INTERNAL_ERROR);
    let (headers, message) = ([Read, Headers], [Read, Headers, Echo]);
    let with = |acts: &[Act], act: &Act| acts.iter().chain([act]).cloned().collect::<Vec<_>>();
    vec![
        kind("killed", Post, 20, &[Read, Kill], Error(503, 14)),
        kind("killed, get", Get, 20, &[Read, Kill], Error(503, 14)),
        kind("closed unread", Post, 300_000, &[Close], Error(503, 14)),
        kind("killed, upload", Collect, 20, &[Kill], Error(503, 14)),
        kind("killed behind headers", Post, 20, &with(&headers, &Kill), Text(503)),
        kind("reset behind headers", Sse, 20, &with(&headers, &reset), Text(503)),
        kind(
            "killed behind headers, get",
            Get,
            20,
            &with(&headers, &Kill),
            Error(502, 14),
        ),
        kind(
            "reset behind a half",
            Ndjson,
            20,
            &[Read, Headers, half.clone(), reset.clone()],
            Cut(0),
        ),
        kind(
            "reset behind a half, unary",
            Post,
            20,
            &[Read, Headers, half, reset.clone()],
            Text(503),
        ),
        kind("killed behind a message", Array, 20, &with(&message, &Kill), Cut(1)),
        kind("reset behind a message", Sse, 20, &with(&message, &reset), Cut(1)),
        kind("4 GB", Post, 20, &[Read, Headers, HUGE, OK], Error(502, 8)),
        kind("4 GB, stream", Ndjson, 20, &[Read, Headers, HUGE, OK], Error(502, 8)),
        kind(
            "compressed",
            Post,
            20,
            &[Read, Headers, compressed.clone(), OK],
            Error(502, 14),
        ),
        kind(
            "compressed, get",
            Get,
            20,
            &[Read, Headers, compressed, OK],
            Error(502, 14),
        ),
        kind(
            "no status",
            Post,
            20,
            &with(&message, &Trailers(&[("x-other", "1")])),
            Error(502, 14),
        ),
        kind("no message", Get, 20, &with(&headers, &OK), Error(502, 14)),
        kind("silence", Post, 20, &[Read, Stall], Error(504, 4)),
        kind("silence, get", Get, 20, &[Read, Stall], Error(504, 4)),
        kind("unread", Post, 300_000, &[Stall], Error(504, 4)),
        kind("silence behind headers", Post, 20, &with(&headers, &Stall), Text(504)),
        kind("left at once", Post, 20, &[Read, Stall], Left),
        kind("left at once, get", Get, 20, &[Read, Stall], Left),
        kind("left in a stream", Array, 20, &with(&message, &Stall), LeftLater),
        kind(
            "read late",
            Ndjson,
            20_000,
            &[&[Read, Headers][..], &vec![Echo; 30], &[OK]].concat(),
            ReadLate(30),
        ),
    ]
}

impl Kind {
    fn request(&self, number: usize, play: &str) -> Request {
        let text = "x".repeat(self.length);
        let item = json!({ "id": number, "text": text });
        let list = |accept| Request::post("/v1/items:list", &item).header("accept", accept);
        let request = match self.shape {
            Shape::Post => Request::post("/v1/items", &item),
            Shape::Get => Request::get(&format!("/v1/items/{number}?text={text}")),
            Shape::Array => list("application/json"),
            Shape::Ndjson => list("application/x-ndjson"),
            Shape::Sse => list("text/event-stream"),
            Shape::Collect => Request::post("/v1/items:collect", &vec![item; 5].into()),
            Shape::Malformed => Request::new("POST", "/v1/items").body(format!("{{\"id\":{number},}}")),
            Shape::Unbound => Request::post("/v1/nothing", &item),
        };
        let request = request.header(SCRIPT_KEY, play).header("x-number", number.to_string());
        match self.outcome {
            Error(504, _) | Text(504) => request.header("grpc-timeout", "1S"),
            _ => request,
        }
    }

    /// How many calls the upstream gets of it, at least and at most.
    fn calls(&self) -> (u8, u8) {
        match self.shape {
            Shape::Unbound => (0, 0),
            // A new schema's first requests go on without their body when that is late: as calls that are cancelled before
            // their message.
            Shape::Malformed => (0, 1),
            _ => (1, 1),
        }
    }

    /// Whether the request called `number` has the answer that it must have.
    fn is_right(&self, number: usize, status: u16, body: &[u8], is_whole: bool) -> bool {
        let error = |expected: u16, code: u16| {
            let error = serde_json::from_slice::<Value>(body);
            status == expected && error.is_ok_and(|error| error["code"] == code && error["message"].is_string())
        };
        match self.outcome {
            Messages(count) | ReadLate(count) => is_whole && status == 200 && self.are_own(number, body, count),
            Cut(count) => !is_whole && status == 200 && self.are_own(number, body, count),
            Error(expected, code) => is_whole && error(expected, code),
            // On a busy machine the time may be up before there are headers.
            Text(504) if error(504, 4) => is_whole,
            Text(expected) => is_whole && status == expected && body.starts_with(b"upstream "),
            Left | LeftLater => true,
        }
    }

    /// Whether these are so many messages of the request called `number`, all of one version.
    fn are_own(&self, number: usize, body: &[u8], count: usize) -> bool {
        let body = String::from_utf8_lossy(body);
        let is_cut = matches!(self.outcome, Cut(_));
        let elements: Vec<Value> = match self.shape {
            Shape::Array if is_cut && count == 0 => return body.is_empty(),
            Shape::Array if is_cut => serde_json::from_str(&format!("{body}]")).unwrap_or_default(),
            Shape::Array => serde_json::from_str(&body).unwrap_or_else(|_| vec![Value::Null]),
            Shape::Ndjson => body.lines().map(|line| line.parse().unwrap_or_default()).collect(),
            Shape::Sse => {
                let events = body.split_terminator("\n\n").map(|event| event.strip_prefix("data: "));
                events
                    .map(|json| json.and_then(|json| json.parse().ok()).unwrap_or_default())
                    .collect()
            }
            _ => vec![body.parse().unwrap_or_default()],
        };
        let is_own = |item: &Value| {
            let Some(members) = item.as_object() else { return false };
            let text = members.iter().find(|(name, _)| name.starts_with("text"));
            let is_text = text.is_some_and(|(_, text)| text.as_str().is_some_and(|text| text.len() == self.length));
            members.len() == 2 && item["id"] == number && is_text
        };
        elements.len() == count && elements.iter().all(|item| is_own(item) && *item == elements[0])
    }
}

/// What all clients share, and the upstream's side of it.
struct Soak {
    address: SocketAddr,
    stop: AtomicBool,
    /// By the requests' numbers, from 1.
    accounts: Mutex<Vec<Account>>,
    /// How often each kind of request has ended as it should.
    ended: Mutex<BTreeMap<&'static str, usize>>,
    /// The statuses that clients have got, by their first digit.
    statuses: [AtomicUsize; 6],
    /// The requests whose clients have left at once.
    left: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// How often the upstream must have received a request at least, and at most, and how often it has.
#[derive(Clone, Copy, Default)]
struct Account {
    least: u8,
    most: u8,
    received: u8,
}

/// What a client saw: the status, the body, whether that is all; `None` when it has not looked.
type Sight = Option<(u16, Bytes, bool)>;

impl Soak {
    fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            stop: AtomicBool::new(false),
            accounts: Mutex::new(vec![Account::default()]),
            ended: Mutex::default(),
            statuses: Default::default(),
            left: AtomicUsize::new(0),
            failures: Mutex::default(),
        })
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn number(&self) -> usize {
        let mut accounts = self.accounts.lock().unwrap();
        accounts.push(Account::default());
        accounts.len() - 1
    }

    /// The client has done with the request called `number`.
    fn end(&self, number: usize, kind: &Kind, sight: Result<Sight, Unanswered>) {
        let (least, most) = kind.calls();
        let (least, most, name) = match &sight {
            // Envoy may have heard of the leaving first.
            Ok(None) => (0, most, kind.name),
            Err(Unanswered::NotSent) => (0, 0, "not sent"),
            // By a GOAWAY, as a listener goes. Envoy may serve it all the same, of which the client is not told.
            Err(Unanswered::Refused) => (0, most, "refused"),
            _ => (least, most, kind.name),
        };
        {
            let account = &mut self.accounts.lock().unwrap()[number];
            (account.least, account.most) = (least, most);
        }
        *self.ended.lock().unwrap().entry(name).or_default() += 1;
        let failure = match sight {
            Ok(None) => {
                self.left.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Ok(Some((status, body, is_whole))) => {
                self.statuses[usize::from(status / 100)].fetch_add(1, Ordering::Relaxed);
                if kind.is_right(number, status, &body, is_whole) {
                    return;
                }
                let body = body[..body.len().min(300)].escape_ascii();
                format!("{status} `{body}` {is_whole}")
            }
            Err(Unanswered::NotSent | Unanswered::Refused) => return,
            Err(Unanswered::Lost(error)) => error,
        };
        self.failures
            .lock()
            .unwrap()
            .push(format!("{name} {number}: {failure}"));
    }

    /// Notes the calls of one kind that reach the upstream.
    async fn receive(self: Arc<Self>, mut play: Play, may_be_whole: bool) {
        loop {
            match play.next().await {
                Event::Came(headers) => {
                    let number: usize = headers["x-number"].to_str().unwrap().parse().unwrap();
                    self.accounts.lock().unwrap()[number].received += 1;
                }
                Event::Read(messages) if !may_be_whole => {
                    let failure = format!("a request that was refused reached the upstream: {messages:?}");
                    self.failures.lock().unwrap().push(failure);
                }
                Event::Read(_) | Event::Settled | Event::Done | Event::Cancelled => {}
            }
        }
    }

    /// Sends requests until they are served by this version of the schema.
    async fn is_served_by(&self, version: usize, (kind, play): &(Kind, String)) {
        let name = format!("text{version}");
        let deadline = Instant::now() + LIMIT;
        let mut is_served = false;
        while !is_served {
            assert!(Instant::now() < deadline, "schema {version} is not served");
            let number = self.number();
            let mut connection = Persistent::new(self.address, Http::One);
            let answer = connection.send(&kind.request(number, play)).await;
            is_served = answer.as_ref().is_ok_and(|answer| !answer.json()[&name].is_null());
            self.end(
                number,
                kind,
                answer.map(|answer| Some((answer.status, answer.body, true))),
            );
        }
    }

    /// A client that keeps its connection, with so many requests at once.
    async fn stay(self: Arc<Self>, kinds: Kinds, version: Http, at_once: usize) {
        let mut connection = Persistent::new(self.address, version);
        let mut kinds = kinds.iter().cycle();
        while self.goes_on() {
            let mut answers = Vec::new();
            for (kind, play) in kinds.by_ref().take(at_once) {
                let number = self.number();
                match connection.start(&kind.request(number, play)).await {
                    Ok(answer) => answers.push((number, kind, answer)),
                    Err(error) => self.end(number, kind, Err(error)),
                }
            }
            for (number, kind, answer) in answers {
                let answer = answer.await;
                self.end(
                    number,
                    kind,
                    answer.map(|answer| Some((answer.status, answer.body, true))),
                );
            }
        }
    }

    /// A client with a connection for each request: what it meets breaks, or it breaks itself.
    async fn come_and_go(self: Arc<Self>, kinds: Kinds, version: Http) {
        let mut kinds = kinds.iter().cycle();
        while self.goes_on() {
            let (kind, play) = kinds.next().unwrap();
            let number = self.number();
            let request = kind.request(number, play).header(FAULT_HEADER, "1");
            let mut live = Live::start(self.address, version, &request).await;
            let sight = match kind.outcome {
                Left => {
                    live.leave();
                    Ok(None)
                }
                LeftLater => match live.head().await {
                    Ok((status, _)) => {
                        let _ = live.part().await;
                        live.leave();
                        Ok(Some((status, Bytes::new(), false)))
                    }
                    Err(error) => Err(Unanswered::Lost(error)),
                },
                _ => {
                    if matches!(kind.outcome, ReadLate(_)) {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                    }
                    let seen = live.seen(|_| {}).await;
                    match seen.error {
                        Some(error) if seen.status == 0 || error.contains("hangs") => Err(Unanswered::Lost(error)),
                        error => Ok(Some((seen.status, seen.body, error.is_none()))),
                    }
                }
            };
            self.end(number, kind, sight);
            // Envoy has a connection to the upstream for each of them, and a closed one keeps its port for a minute.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Kinds of requests, with the plays by which the upstream answers them.
type Kinds = Arc<Vec<(Kind, String)>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_accounted_for_at_both_ends() {
    let seconds = std::env::var("PROTOBRIDGE_SOAK_SECONDS").map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let directory = new_directory();
    let first = listener(0, &directory);
    first.publish_filter(&directory);
    first.publish(&directory);
    let bench = Bench::from_files(
        &directory,
        2,
        &["--drain-time-s", "10", "--drain-strategy", "immediate"],
    );
    let soak = Soak::new(bench.at(NAME).address);

    let mut upstream = JoinSet::new();
    let mut with_plays = |kinds: Vec<Kind>| -> Kinds {
        let with_play = kinds.into_iter().map(|kind| {
            let play = play(kind.acts.clone());
            let id = play.id().to_owned();
            upstream.spawn(Arc::clone(&soak).receive(play, kind.calls().0 > 0));
            (kind, id)
        });
        Arc::new(with_play.collect())
    };
    let (lasting, broken) = (with_plays(lasting()), with_plays(broken()));
    let mut clients = JoinSet::new();
    for (version, at_once) in [
        (Http::One, 1),
        (Http::One, 1),
        (Http::One, 1),
        (Http::Two, 3),
        (Http::Two, 10),
    ] {
        clients.spawn(Arc::clone(&soak).stay(Arc::clone(&lasting), version, at_once));
    }
    for version in [Http::One, Http::Two, Http::One, Http::Two] {
        clients.spawn(Arc::clone(&soak).come_and_go(Arc::clone(&broken), version));
    }

    let begun = Instant::now();
    let mut memory = Memory::default();
    let (mut schemas, mut listeners) = (0, 0_u64);
    while begun.elapsed().as_secs() < seconds {
        tokio::time::sleep(RELOAD).await;
        schemas += 1;
        let next = listener(schemas, &directory);
        next.publish_filter(&directory);
        if schemas % LISTENER_EVERY == 0 {
            listeners += 1;
            next.publish(&directory);
        }
        memory.look(bench.envoy());
    }
    soak.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    soak.is_served_by(schemas, &lasting[0]).await;

    let envoy = bench.envoy();
    let gauges = [
        "http.soak.downstream_rq_active",
        "http.soak.downstream_cx_active",
        "cluster.played.upstream_rq_active",
        "cluster.played.upstream_rq_pending_active",
        "cluster.faulty.upstream_rq_active",
        "cluster.faulty.upstream_rq_pending_active",
    ];
    let deadline = Instant::now() + LIMIT;
    for gauge in gauges {
        while envoy.stat(gauge) > 0 {
            assert!(Instant::now() < deadline, "{gauge} is {}", envoy.stat(gauge));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    soak.compare(envoy, &format!("{seconds} s, {schemas} schemas, {listeners} listeners"));
    assert_eq!(bench.traps(), "");
    // Envoy has taken what it was given.
    let filters = "extension_config_discovery.http_filter.envoy.filters.http.wasm";
    assert_eq!(envoy.stat(&format!("{filters}.config_fail")), 0);
    assert_eq!(envoy.stat("listener_manager.lds.update_rejected"), 0);
    assert!(listeners > 0 && envoy.stat("listener_manager.lds.update_success") > 1);
    if seconds >= LONG {
        memory.assert_flat();
    }
}

impl Soak {
    /// Compares the accounts of all sides, and prints them.
    fn compare(&self, envoy: &EnvoyProcess, what: &str) {
        let accounts = self.accounts.lock().unwrap();
        let ended = self.ended.lock().unwrap();
        let count = |name: &str| ended.get(name).copied().unwrap_or_default() as u64;
        let load = |counter: &AtomicUsize| counter.load(Ordering::Relaxed) as u64;
        let (not_sent, refused, left) = (count("not sent"), count("refused"), load(&self.left));
        let sent = accounts.len() as u64 - 1 - not_sent;
        let received: u64 = accounts.iter().map(|account| u64::from(account.received)).sum();
        let in_doubt = left + refused;
        // (what is counted, by the clients or the upstream, by Envoy, how many more and how many less Envoy may have)
        let mut rows = vec![
            (
                "requests",
                sent,
                envoy.stat("http.soak.downstream_rq_total"),
                0,
                in_doubt,
            ),
            (
                "answers begun",
                self.statuses.iter().map(load).sum(),
                envoy.stat("http.soak.downstream_rq_completed"),
                refused,
                0,
            ),
            (
                "calls",
                received,
                envoy.stat("cluster.played.upstream_rq_total") + envoy.stat("cluster.faulty.upstream_rq_total"),
                in_doubt,
                0,
            ),
        ];
        for (class, name) in [(2, "2xx"), (4, "4xx"), (5, "5xx")] {
            let counter = format!("http.soak.downstream_rq_{name}");
            rows.push((name, load(&self.statuses[class]), envoy.stat(&counter), refused, 0));
        }
        println!("{what}\n");
        println!("{:28} {:>10}", "ended as they should", "");
        for (name, count) in &*ended {
            println!("{name:28} {count:10}");
        }
        println!("\n{:28} {:>10} {:>10}", "", "both ends", "Envoy");
        for (name, own, envoys, ..) in &rows {
            println!("{name:28} {own:10} {envoys:10}");
        }
        let unneeded = accounts
            .iter()
            .filter(|account| account.received > account.least)
            .count();
        println!(
            "\n{left} clients left at once, {refused} requests were refused by GOAWAY, {not_sent} not sent for it"
        );
        println!("{unneeded} calls have begun at the upstream that need not have");

        let failures = self.failures.lock().unwrap();
        assert!(
            failures.is_empty(),
            "{} failures: {:#?}",
            failures.len(),
            &failures[..failures.len().min(20)]
        );
        for (at, account) in accounts.iter().enumerate() {
            let expected = account.least..=account.most;
            assert!(
                expected.contains(&account.received),
                "request {at} reached the upstream {} times",
                account.received
            );
        }
        for (name, own, envoys, more, less) in rows {
            assert!(
                (own.saturating_sub(less)..=own + more).contains(&envoys),
                "{name}: {own}, and in Envoy {envoys}"
            );
        }
    }
}

/// Envoy's memory in the course of time, in bytes: all of the process, and what Envoy itself has allocated.
#[derive(Default)]
struct Memory {
    samples: Vec<(u64, u64)>,
}

impl Memory {
    fn look(&mut self, envoy: &EnvoyProcess) {
        self.samples.push((envoy.resident(), envoy.held()));
    }

    /// The peaks of the last two thirds differ by little: the first is for what is allocated once.
    fn assert_flat(&self) {
        let third = self.samples.len() / 3;
        for tenth in self.samples.chunks(self.samples.len().div_ceil(10)) {
            println!("at most {:?} bytes", peaks(tenth));
        }
        let (middle, last) = (
            peaks(&self.samples[third..2 * third]),
            peaks(&self.samples[2 * third..]),
        );
        assert!(last.0 < middle.0 + GROWTH, "{middle:?}, then {last:?}");
        assert!(last.1 < middle.1 + GROWTH, "{middle:?}, then {last:?}");
    }
}

/// The largest of each.
fn peaks(samples: &[(u64, u64)]) -> (u64, u64) {
    samples
        .iter()
        .fold((0, 0), |(one, other), sample| (one.max(sample.0), other.max(sample.1)))
}
