//! A new schema while requests are under way, through real Envoy, which reads it from a file that is moved into place.
//!
//! Clients keep their connections busy over HTTP/1.1 and HTTP/2. Each version of the schema has names of its own, so that an
//! answer shows which version it is of, and whether its request was read by the same. Envoy gives a new listener (LDS) to
//! new connections, and asks clients of old ones to leave: by `connection: close`, by GOAWAY. A new filter (ECDS) serves
//! new requests of old connections too.
//!
//! What Envoy does, and a module can't change: connections of the old listener that are still there after
//! `--drain-time-s`, 10 minutes unless set, are closed, with whatever streams go on there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Live, Persistent, Request, Unanswered};
use crate::bench::process::new_directory;
use crate::bench::upstream::{Gate, LIMIT, SCRIPT_KEY, Script};
use crate::bench::{Bench, script};

/// How a new schema gets into Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// A new listener.
    Lds,
    /// A new filter in the listener.
    Ecds,
}

/// The schema in its `version`: the JSON names of its fields, and one route, say which.
fn configuration(version: usize) -> Value {
    let proto = format!(
        r#"syntax = "proto3"; package reload; import "google/api/annotations.proto";
        service Items {{
          rpc Echo(Item) returns (Item) {{
            option (google.api.http) = {{
              post: "/v1/items" body: "*"
              additional_bindings {{ get: "/v1/items/{{id}}" }}
              additional_bindings {{ get: "/v1/version{version}/{{id}}" }}
            }};
          }}
          rpc List(Item) returns (stream Item) {{
            option (google.api.http) = {{ post: "/v1/items:list" body: "*" }};
          }}
        }}
        message Item {{
          int32 id = 1;
          string text = 2 [json_name = "text{version}"];
          string note = 3 [json_name = "note{version}"];
        }}"#
    );
    json!({ "proto": proto, "upstream": { "grpc_web": true } })
}

/// An Envoy whose schema is replaced.
struct Gateway {
    by: By,
    directory: PathBuf,
    bench: Bench,
}

const NAME: &str = "reload";

impl Gateway {
    fn start(by: By, workers: usize, drain_seconds: &str) -> Self {
        let directory = new_directory();
        let listener = listener(by, &configuration(0), &directory);
        listener.publish_filter(&directory);
        listener.publish(&directory);
        let bench = Bench::from_files(
            &directory,
            workers,
            &["--drain-time-s", drain_seconds, "--drain-strategy", "immediate"],
        );
        Self { by, directory, bench }
    }

    fn publish(&self, configuration: &Value) {
        self.publish_listener(&listener(self.by, configuration, &self.directory));
    }

    fn publish_listener(&self, listener: &Listener) {
        match self.by {
            By::Lds => listener.publish(&self.directory),
            By::Ecds => listener.publish_filter(&self.directory),
        }
    }

    /// Replaces the schema and waits until new connections are served by it.
    async fn replace(&self, version: usize) {
        self.publish(&configuration(version));
        self.served(version).await;
    }

    async fn served(&self, version: usize) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = self
                .bench
                .at(NAME)
                .send(Http::One, &Request::get("/v1/items/7?text=x"))
                .await;
            if answer.json() == json!({ "id": 7, text(version): "x" }) {
                return;
            }
            assert!(Instant::now() < deadline, "version {version} is not served: {answer:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn listener(by: By, configuration: &Value, directory: &Path) -> Listener {
    let listener = Listener::new(NAME, configuration)
        .with_grpc_web()
        .without_route_timeout()
        .keeps_connections();
    match by {
        By::Lds => listener,
        By::Ecds => listener.discovers_filter(directory),
    }
}

fn text(version: usize) -> String {
    format!("text{version}")
}

/// What clients send.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Post,
    /// By a call.
    Get,
    /// The route that one version alone has.
    OfVersion,
    Array,
    Ndjson,
    Malformed,
}

const KINDS: [Kind; 6] = [
    Kind::Post,
    Kind::Get,
    Kind::OfVersion,
    Kind::Array,
    Kind::Ndjson,
    Kind::Malformed,
];

/// A request, told from all others by its number.
#[derive(Clone, Copy, Debug)]
struct Numbered {
    number: u64,
    kind: Kind,
    /// The version by whose names it is written.
    version: usize,
}

/// A stream has so many messages.
const MESSAGES: usize = 3;

impl Numbered {
    fn request(self, echo: &str, list: &str) -> Request {
        let Self { number, kind, version } = self;
        let item = json!({ "id": number, "text": "x", format!("note{version}"): "y" });
        let request = match kind {
            Kind::Post => Request::post("/v1/items", &item),
            Kind::Get => Request::get(&format!("/v1/items/{number}?text=x&note{version}=y")),
            Kind::OfVersion => Request::get(&format!("/v1/version{version}/{number}?text=x&note{version}=y")),
            Kind::Array => Request::post("/v1/items:list", &item),
            Kind::Ndjson => Request::post("/v1/items:list", &item).header("accept", "application/x-ndjson"),
            Kind::Malformed => Request::post("/v1/items", &json!({ "id": number, "text": 5 })),
        };
        let script = match kind {
            Kind::Array | Kind::Ndjson => list,
            _ => echo,
        };
        request
            .header(SCRIPT_KEY, script)
            .header("x-number", number.to_string())
    }

    /// What the answer shows; `None` when it is not this request's, or not wholly of one version.
    fn served(self, answer: &Answer) -> Option<Served> {
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        let items = match (self.kind, answer.status) {
            (Kind::Malformed, 400) => return (json(&answer.body)?["code"] == 3).then_some(Served::Refused),
            (Kind::OfVersion, 404) => return (json(&answer.body)?["code"] == 5).then_some(Served::Refused),
            (Kind::Array, 200) => json(&answer.body)?.as_array()?.clone(),
            (Kind::Ndjson, 200) => {
                let lines = answer.body.split_inclusive(|byte| *byte == b'\n');
                lines.map(json).collect::<Option<_>>()?
            }
            (_, 200) => vec![json(&answer.body)?],
            _ => return None,
        };
        let names = items.first()?.as_object()?.keys();
        let version: usize = names
            .filter_map(|name| name.strip_prefix("text")?.parse().ok())
            .next()?;
        let mut item = json!({ "id": self.number, text(version): "x" });
        // The name of another version is no name: the request was read by the version that wrote the answer.
        if version == self.version {
            item[format!("note{version}")] = json!("y");
        }
        let is_own = match self.kind {
            Kind::Array | Kind::Ndjson => items == vec![item; MESSAGES],
            Kind::OfVersion => items == [item] && version == self.version,
            _ => items == [item],
        };
        is_own.then_some(Served::By(version))
    }
}

/// What became of a request that has an answer.
enum Served {
    /// It was refused, as it should be.
    Refused,
    /// It was served by this version.
    By(usize),
}

/// What the clients of a run share.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    sent: AtomicUsize,
    /// The newest version that Envoy may have.
    published: AtomicUsize,
    answered: AtomicUsize,
    /// By GOAWAY, or not sent at all because of it: a client sends them again. Envoy may serve one all the same.
    refused: Mutex<BTreeSet<u64>>,
    failures: Mutex<Vec<String>>,
    /// The requests that the upstream must have seen.
    served: Mutex<Vec<u64>>,
    versions: Mutex<BTreeSet<usize>>,
}

impl Tally {
    fn next(&self) -> Numbered {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        Numbered {
            number: number as u64 + 1,
            kind: KINDS[number % KINDS.len()],
            version: self.published.load(Ordering::Relaxed),
        }
    }

    fn count(&self, request: Numbered, answer: Result<Answer, Unanswered>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(Unanswered::NotSent | Unanswered::Refused) => {
                self.refused.lock().unwrap().insert(request.number);
                return;
            }
            Err(Unanswered::Lost(error)) => {
                self.failures.lock().unwrap().push(error);
                return;
            }
        };
        self.answered.fetch_add(1, Ordering::Relaxed);
        match request.served(&answer) {
            Some(Served::Refused) => {}
            Some(Served::By(version)) => {
                self.versions.lock().unwrap().insert(version);
                self.served.lock().unwrap().push(request.number);
            }
            None => self.failures.lock().unwrap().push(format!("{request:?}: {answer:?}")),
        }
    }

    async fn so_many_more(&self, count: usize) {
        let enough = self.answered.load(Ordering::Relaxed) + count;
        while self.answered.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A client that always has so many requests under way.
async fn client(tally: Arc<Tally>, address: SocketAddr, version: Http, at_once: usize, echo: String, list: String) {
    let mut connection = Persistent::new(address, version);
    while !tally.stop.load(Ordering::Relaxed) {
        let mut answers = Vec::new();
        for _ in 0..at_once {
            let numbered = tally.next();
            match connection.start(&numbered.request(&echo, &list)).await {
                Ok(answer) => answers.push((numbered, answer)),
                Err(error) => tally.count(numbered, Err(error)),
            }
        }
        for (numbered, answer) in answers {
            tally.count(numbered, answer.await);
        }
    }
}

#[tokio::test]
async fn no_request_is_lost_or_mixed_when_the_schema_is_replaced_under_load() {
    for (by, workers) in [(By::Lds, 2), (By::Ecds, 1)] {
        let gateway = Gateway::start(by, workers, "20");
        tokio::time::timeout(4 * LIMIT, under_load(gateway, workers))
            .await
            .unwrap_or_else(|_| panic!("{by:?} {workers} workers: it hangs"));
    }
}

/// Each client's HTTP, and how many of its requests are under way at once.
const CLIENTS: [(Http, usize); 5] = [
    (Http::One, 1),
    (Http::One, 1),
    (Http::One, 1),
    (Http::Two, 4),
    (Http::Two, 8),
];

async fn under_load(gateway: Gateway, workers: usize) {
    /// With one digit.
    const VERSIONS: usize = 8;
    let by = gateway.by;
    let address = gateway.bench.at(NAME).address;
    let mut echo = script(Script::echo());
    let mut list = script((1..MESSAGES).fold(Script::echo(), |script, _| script.then_echo()));
    let tally = Arc::new(Tally::default());
    let mut clients = JoinSet::new();
    for (version, at_once) in CLIENTS {
        let (echo, list) = (echo.id().to_owned(), list.id().to_owned());
        clients.spawn(client(Arc::clone(&tally), address, version, at_once, echo, list));
    }
    tally.so_many_more(100).await;
    for version in 1..=VERSIONS {
        // Streams that have begun before, and end behind.
        let mut begun = Vec::new();
        for http in Http::BOTH {
            let gate = Gate::default();
            let call = script(Script::echo().hold(&gate).then_echo());
            let request = Request::post("/v1/items:list", &json!({ "id": version, "text": "x" })).script(&call);
            let mut live = Live::start(address, http, &request).await;
            assert_eq!(live.head().await.unwrap().0, 200);
            let first = live.exactly(r#"[{"id":1,"text1":"x"}"#.len()).await.unwrap();
            begun.push((gate, live, first));
        }
        tally.published.store(version, Ordering::Relaxed);
        gateway.replace(version).await;
        tally.so_many_more(100).await;
        for (gate, mut live, first) in begun {
            gate.open();
            let rest = live.rest().await.unwrap();
            assert_eq!(rest, [b",", &first[1..], b"]"].concat(), "{by:?} {workers} workers");
            assert!(
                !rest.escape_ascii().to_string().contains(&text(version)),
                "{rest:?} is of a later version"
            );
        }
    }
    tally.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let row = format!("{by:?} {workers} workers");
    assert_eq!(*tally.failures.lock().unwrap(), Vec::<String>::new(), "{row}");
    let refused = tally.refused.lock().unwrap().clone();
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    assert_eq!(count(&tally.answered) + refused.len(), count(&tally.sent), "{row}");
    let versions: Vec<usize> = tally.versions.lock().unwrap().iter().copied().collect();
    assert_eq!(versions, Vec::from_iter(0..=VERSIONS), "{row}");
    // The upstream has seen what it should have, each once.
    let mut received = Vec::new();
    for call in [&mut echo, &mut list] {
        while call.has_received() {
            let number: u64 = call.received().await.header("x-number").unwrap().parse().unwrap();
            if !refused.contains(&number) {
                received.push(number);
            }
        }
    }
    received.sort_unstable();
    let mut served = tally.served.lock().unwrap().clone();
    served.sort_unstable();
    assert_eq!(received, served, "{row}");
    let envoy = gateway.bench.envoy();
    assert_eq!(envoy.stat("http.reload.downstream_rq_active"), 0, "{row}");
    assert_eq!(gateway.bench.traps(), "", "{row}");
    // Clients were asked to leave the old listeners.
    let drained = envoy.stat("http.reload.downstream_cx_drain_close");
    match by {
        By::Lds => assert!(drained >= VERSIONS as u64, "{row}: {drained}"),
        By::Ecds => assert_eq!(drained, 0, "{row}"),
    }
}

#[tokio::test]
async fn a_stream_that_outlives_the_draining_is_broken_off() {
    let gateway = Gateway::start(By::Lds, 1, "1");
    let mut begun = Vec::new();
    for version in Http::BOTH {
        let gate = Gate::default();
        let call = script(Script::echo().hold(&gate).then_echo());
        let request = Request::post("/v1/items:list", &json!({ "id": 1 })).script(&call);
        let mut live = Live::start(gateway.bench.at(NAME).address, version, &request).await;
        assert_eq!(live.head().await.unwrap().0, 200);
        assert_eq!(live.exactly(9).await.unwrap(), "[{\"id\":1}");
        begun.push((call, gate, live));
    }
    gateway.replace(1).await;
    for (mut call, _gate, mut live) in begun {
        let rest = live.rest().await;
        assert!(rest.is_err_and(|error| !error.contains("hangs")));
        call.received().await.cancelled().await;
    }
    assert_eq!(gateway.bench.traps(), "");
}

#[tokio::test]
async fn a_schema_that_is_refused_leaves_the_old_one_in_place() {
    for by in [By::Lds, By::Ecds] {
        let gateway = Gateway::start(by, 1, "1");
        let mut connections = Http::BOTH.map(|version| Persistent::new(gateway.bench.at(NAME).address, version));
        for broken in 1..=3 {
            let proto = format!("syntax = \"proto3\"; message M {{ strin{broken} name = 1; }}");
            gateway.publish(&json!({ "proto": proto }));
            let deadline = Instant::now() + LIMIT;
            while gateway.bench.envoy().log().matches("config update rejected").count() < broken {
                assert!(Instant::now() < deadline, "{by:?}: it was not refused");
                for connection in &mut connections {
                    let answer = connection.send(&Request::get("/v1/items/7?text=x")).await.unwrap();
                    assert_eq!(
                        (answer.status, answer.json()),
                        (200, json!({ "id": 7, "text0": "x" })),
                        "{by:?}"
                    );
                }
            }
        }
        let log = gateway.bench.envoy().log();
        assert!(log.contains("service.proto:1:32"), "{by:?}: {log}");
        for connection in &mut connections {
            let answer = connection.send(&Request::get("/v1/items/7?text=x")).await.unwrap();
            assert_eq!(
                (answer.status, answer.json()),
                (200, json!({ "id": 7, "text0": "x" })),
                "{by:?}"
            );
        }
        gateway.replace(4).await;
        assert_eq!(gateway.bench.traps(), "");
    }
}

/// How many schemas one after another, and by how much all memory of Envoy may differ between the tenth and the last.
const SCHEMAS: usize = 50;
const GROWTH: u64 = 2 << 20;

#[tokio::test]
async fn schemas_that_are_replaced_leave_no_memory_behind() {
    let gateway = Gateway::start(By::Ecds, 1, "1");
    let mut early = 0;
    for version in 1..=SCHEMAS {
        let mut configuration = configuration(version);
        let proto = configuration["proto"].as_str().unwrap();
        // Large enough to be seen.
        let others = (0..500).map(|at| format!("message Other{at} {{ string name = 1; Item item = 2; }}\n"));
        configuration["proto"] = (proto.to_owned() + &others.collect::<String>()).into();
        gateway.publish(&configuration);
        gateway.served(version).await;
        if version == 10 {
            early = gateway.bench.envoy().resident();
        }
    }
    let late = gateway.bench.envoy().resident();
    assert!(late < early + GROWTH, "{early} bytes, then {late}");
    assert_eq!(gateway.bench.traps(), "");
}

/// A module of a new version has a virtual machine of its own.
#[tokio::test]
async fn virtual_machines_that_are_replaced_are_freed() {
    const ACTIVE: &str = "wasm.envoy.wasm.runtime.v8.active";
    const CREATED: &str = "wasm.envoy.wasm.runtime.v8.created";
    let gateway = Gateway::start(By::Lds, 1, "1");
    let envoy = gateway.bench.envoy();
    gateway.served(0).await;
    let (active, created, held) = (envoy.stat(ACTIVE), envoy.stat(CREATED), envoy.held());
    for version in 1..=3 {
        let listener = listener(By::Lds, &configuration(version), &gateway.directory);
        gateway.publish_listener(&listener.vm(&version.to_string()));
        gateway.served(version).await;
    }
    assert!(
        envoy.stat(CREATED) >= created + 3 * active,
        "they have none of their own"
    );
    let deadline = Instant::now() + LIMIT;
    while envoy.stat(ACTIVE) != active {
        assert!(Instant::now() < deadline, "{} instead of {active}", envoy.stat(ACTIVE));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // One of them has 12 MB beside what is the module's, and is gone a moment before these are.
    while envoy.held() >= held + GROWTH {
        assert!(Instant::now() < deadline, "{held} bytes, then {}", envoy.held());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    gateway.served(3).await;
    assert_eq!(gateway.bench.traps(), "");
}
