//! Other hooks while requests are under way, through real Envoy, which reads them from a file that is moved into place.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{DISPATCHER, dispatcher, hooks, with};
use crate::bench::bootstrap::{self, Listener};
use crate::bench::client::{Answer, Http, Live, Persistent, Request, Unanswered};
use crate::bench::process::new_directory;
use crate::bench::upstream::{LIMIT, Received, SCRIPT_KEY, Script, Upstream, frame};
use crate::bench::{Bench, script};

const NAME: &str = "reload";

/// How many configurations follow the first one.
const VERSIONS: usize = 4;

/// Each version has hooks of its own, in number and by name.
fn listener(version: usize, discovers: bool, directory: &Path) -> Listener {
    let named = |kind: &str, count: usize| {
        let hooks = (0..count).map(|_| json!({ "name": format!("{kind}-{version}") }));
        hooks.collect::<Value>()
    };
    let hooks = json!({
        "pre": named("pre", 1 + version % 2),
        "auth": { "name": format!("auth-{version}") },
        "post_key_auth": named("known", 1),
        "post": named("post", 1),
        "response": named("response", 1 + version % 2),
        "config_data": { "version": version.to_string() },
    });
    let listener = Listener::new(NAME, &with(hooks, json!({}))).keeps_connections();
    match discovers {
        true => listener.discovers_filter(directory),
        false => listener,
    }
}

/// Each hook leaves its version, and makes sure that it was called by that.
const SCRIPT: &str = "\
version = json.loads(o.spec['config_data'])['version']
assert o.hook_name.endswith('-' + version)
kind = pb.HookType.Name(o.hook_type)
if o.hook_type == pb.CustomKeyCheck and o.request.headers.get('Authorization') == 'Bearer t':
    let_in(o, 't')
elif o.hook_type == pb.CustomKeyCheck:
    refuse(o, 401)
if o.hook_type == pb.Response:
    o.response.headers['X-Response'] = version
else:
    o.request.set_headers['X-' + kind] = version
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Post,
    /// By a call.
    Get,
    Native,
    /// Without a key.
    Refused,
}

const KINDS: [Kind; 4] = [Kind::Post, Kind::Get, Kind::Native, Kind::Refused];

impl Kind {
    fn request(self, number: usize, id: &str) -> Request {
        let request = match self {
            Self::Post | Self::Refused => Request::post("/v1/echo", &json!({ "int32Value": 5 })),
            Self::Get => Request::get("/v1/echo?int32Value=5"),
            Self::Native => Request::new("POST", "/test.everything.Echo/Post")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(frame(0, b"\x18\x05")),
        };
        let request = match self {
            Self::Refused => request,
            _ => request.header("authorization", "Bearer t"),
        };
        hooks(request, &[("*", SCRIPT)])
            .header(SCRIPT_KEY, id)
            .header("x-kind", format!("{self:?}"))
            .header("x-number", number.to_string())
    }

    /// Whether this is the answer, whatever the version.
    fn is_answered_by(self, answer: &Answer) -> bool {
        match self {
            Self::Post | Self::Get => answer.status == 200 && answer.json() == json!({ "int32Value": 5 }),
            Self::Native => answer.status == 200 && answer.body == frame(0, b"\x18\x05"),
            Self::Refused => answer.status == 401,
        }
    }
}

/// The version whose hooks the service's request has seen.
///
/// # Panics
/// When one is missing, or is of another version.
fn version_of(received: &Received) -> String {
    let version = received.header("x-pre").expect("a Pre hook").to_owned();
    let mut kinds = vec!["x-customkeycheck", "x-postkeyauth"];
    if received.header("x-kind") != Some("Native") {
        kinds.push("x-post");
    }
    for kind in kinds {
        assert_eq!(received.header(kind), Some(&*version), "{kind} {:?}", received.headers);
    }
    version
}

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    sent: AtomicUsize,
    answered: AtomicUsize,
    /// What Envoy gave back unseen, as it wanted no more of a connection.
    refused: Mutex<BTreeSet<String>>,
    failures: Mutex<Vec<String>>,
    /// Number and, where the answer says it, version of what the service must have seen.
    served: Mutex<BTreeSet<(String, Option<String>)>>,
}

impl Tally {
    fn count(&self, kind: Kind, number: usize, answer: Result<Answer, Unanswered>) {
        match answer {
            Err(Unanswered::NotSent | Unanswered::Refused) => {
                self.refused.lock().unwrap().insert(number.to_string());
            }
            Err(Unanswered::Lost(error)) => self.failures.lock().unwrap().push(error),
            Ok(answer) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                if !kind.is_answered_by(&answer) {
                    self.failures.lock().unwrap().push(format!("{kind:?} {answer:?}"));
                }
                if kind != Kind::Refused {
                    let version = answer.header("x-response").map(str::to_owned);
                    self.served.lock().unwrap().insert((number.to_string(), version));
                }
            }
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
async fn client(tally: Arc<Tally>, address: SocketAddr, version: Http, at_once: usize, id: String) {
    let mut connection = Persistent::new(address, version);
    while !tally.stop.load(Ordering::Relaxed) {
        let mut answers = Vec::new();
        for _ in 0..at_once {
            let number = tally.sent.fetch_add(1, Ordering::Relaxed);
            let kind = KINDS[number % KINDS.len()];
            match connection.start(&kind.request(number, &id)).await {
                Ok(answer) => answers.push((kind, number, answer)),
                Err(error) => tally.count(kind, number, Err(error)),
            }
        }
        for (kind, number, answer) in answers {
            tally.count(kind, number, answer.await);
        }
    }
}

#[tokio::test]
async fn no_request_is_lost_or_goes_around_hooks_that_are_replaced_under_load() {
    for discovers in [false, true] {
        tokio::time::timeout(4 * LIMIT, under_load(discovers))
            .await
            .unwrap_or_else(|_| panic!("discovers: {discovers}: it hangs"));
    }
}

async fn under_load(discovers: bool) {
    let (_running, dispatcher) = dispatcher();
    let directory = new_directory();
    listener(0, discovers, &directory).publish_filter(&directory);
    listener(0, discovers, &directory).publish(&directory);
    let mut configuration = bootstrap::from_files(&directory, Upstream::shared().addresses());
    bootstrap::add_cluster(&mut configuration, DISPATCHER, dispatcher);
    let draining = ["--drain-time-s", "20", "--drain-strategy", "immediate"];
    let bench = Bench::with_workers(&configuration, 2, &draining);
    let address = bench.at(NAME).address;
    let mut call = script(Script::echo());
    let tally = Arc::new(Tally::default());
    let mut clients = JoinSet::new();
    for (version, at_once) in [(Http::One, 1), (Http::One, 1), (Http::Two, 4)] {
        let id = call.id().to_owned();
        clients.spawn(client(Arc::clone(&tally), address, version, at_once, id));
    }
    tally.so_many_more(40).await;
    for version in 1..=VERSIONS {
        // A hook is asked about it while its configuration is replaced.
        let slow = format!("{SCRIPT}\nif o.hook_type == pb.PostKeyAuth: sleep(0.5)");
        let mut begun = Vec::new();
        for http in Http::BOTH {
            let call = script(Script::echo());
            let request = Request::post("/v1/echo", &json!({})).header("authorization", "Bearer t");
            let request = hooks(request, &[("*", &slow)]).script(&call);
            begun.push((Live::start(address, http, &request).await, call));
            assert!(!begun.last_mut().unwrap().1.has_received());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        match discovers {
            true => listener(version, discovers, &directory).publish_filter(&directory),
            false => listener(version, discovers, &directory).publish(&directory),
        }
        let deadline = Instant::now() + LIMIT;
        loop {
            let request = Kind::Get.request(usize::MAX, "nobody");
            let answer = bench.at(NAME).send(Http::One, &request).await;
            if answer.header("x-response") == Some(&*version.to_string()) {
                break;
            }
            assert!(Instant::now() < deadline, "{version} isn't there: {answer:?}");
        }
        for (live, mut call) in begun {
            let answer = live.answer().await.unwrap();
            let old = (version - 1).to_string();
            assert_eq!(answer.header("x-response"), Some(&*old), "{answer:?}");
            assert_eq!(version_of(&call.received().await), old);
        }
        tally.so_many_more(40).await;
    }
    tally.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    assert_eq!(*tally.failures.lock().unwrap(), Vec::<String>::new(), "{discovers}");
    let refused = tally.refused.lock().unwrap().clone();
    let answered = tally.answered.load(Ordering::Relaxed);
    assert_eq!(answered + refused.len(), tally.sent.load(Ordering::Relaxed));
    // The service has seen what it should have, each once and by one version.
    let mut received = BTreeSet::new();
    let mut versions = BTreeSet::new();
    while call.has_received() {
        let request = call.received().await;
        let version = version_of(&request);
        versions.insert(version.clone());
        let number = request.header("x-number").unwrap().to_owned();
        let by_response = (request.header("x-kind") != Some("Native")).then_some(version);
        if !refused.contains(&number) {
            assert!(received.insert((number, by_response)), "{:?}", request.headers);
        }
    }
    assert_eq!(received, *tally.served.lock().unwrap(), "{discovers}");
    assert_eq!(versions.len(), VERSIONS + 1, "{versions:?}");
    assert_eq!(bench.traps(), "");
    assert_eq!(bench.envoy().stat("http.reload.downstream_rq_active"), 0);
}
