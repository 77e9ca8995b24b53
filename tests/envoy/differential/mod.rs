//! Random requests of random schemas, sent to the module and to Envoy's own transcoder,
//! `envoy.filters.http.grpc_json_transcoder`: what the upstream receives and what the client gets is compared.
//!
//! ```text
//!   schema.rs    a .proto with rules (rules.rs)   message.rs  messages and their wire form
//!   case/        a request, and what it means     writer.rs   JSON as clients write it
//!   answer.rs    what the upstream answers        json.rs     JSON as it is written
//!   oracle.rs    whether ours does what SEMANTICS.md says
//!   compare.rs   in what the two differ           classes.rs  what of it is meant, and by which sentence (exchange.rs)
//! ```
//!
//! Each request is checked twice. The generator knows what it has written, so ours is checked against that, whatever the
//! other does. Then each single difference (one field of a message, one header, one value in the JSON, …) has to be of
//! a class in [`CLASSES`], or the test fails. It also fails when a class is not seen any more.
//!
//! Variables: `PROTOBRIDGE_DIFFERENTIAL_REQUESTS`, how many requests; `PROTOBRIDGE_DIFFERENTIAL_SEED`, which ones;
//! `PROTOBRIDGE_DIFFERENTIAL_ONLY`, the number of the one request to send, with all that becomes of it written down.

mod answer;
mod case;
mod classes;
mod compare;
mod defaults;
mod exchange;
mod json;
mod message;
mod oracle;
#[expect(dead_code, reason = "the codec's tests use the rest")]
#[path = "../../../src/codec/random_schema.rs"]
mod random_schema;
mod rules;
mod schema;
mod writer;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::case::Case;
use self::classes::{CLASSES, Class};
use self::compare::{Outcome, differences};
use self::exchange::Exchange;
use self::schema::{SERVICE, Schema};
use crate::bench::bootstrap::Listener;
use crate::bench::{Bench, Gateway};

/// How many requests there are unless it is said: they take half a minute, and every class is among them.
const REQUESTS: u64 = 4000;

/// Which ones.
const SEED: u64 = 1;

/// How many requests of another seed show every class.
const ENOUGH: u64 = 20_000;

/// How many schemas one Envoy has: each is two listeners.
const SCHEMAS: usize = 12;

/// How many requests one Envoy gets.
const REQUESTS_PER_ENVOY: u64 = 4000;

/// How many requests are under way at a time.
const WORKERS: usize = 8;

/// How many failures are told of: they tend to have one reason.
const TOLD: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_and_envoys_own_transcoder_differ_only_where_it_is_meant() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let requests = number("PROTOBRIDGE_DIFFERENTIAL_REQUESTS").unwrap_or(REQUESTS);
    let seed = number("PROTOBRIDGE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let only = number("PROTOBRIDGE_DIFFERENTIAL_ONLY");
    let findings = Arc::new(Mutex::new(Findings::default()));
    let mut first = 0;
    while first < requests {
        let numbers = first..requests.min(first + REQUESTS_PER_ENVOY);
        if only.is_none_or(|only| numbers.contains(&only)) {
            compare_all(seed, numbers.clone(), only, &findings).await;
        }
        first = numbers.end;
    }

    let findings = findings.lock().unwrap();
    print!("{}", findings.counts());
    assert!(
        findings.failures.is_empty(),
        "{} of {requests} requests, seed {seed}:\n\n{}",
        findings.failed,
        findings.failures.join("\n\n")
    );
    let unseen = CLASSES.iter().filter(|class| !findings.seen.contains_key(class.name));
    let unseen: Vec<_> = unseen.map(Class::words).collect();
    let enough = if seed == SEED { REQUESTS } else { ENOUGH };
    if requests >= enough && only.is_none() {
        assert!(
            unseen.is_empty(),
            "seed {seed}: no request shows these any more:\n{}",
            unseen.join("\n")
        );
    }
}

/// What has been found up to now.
#[derive(Default)]
struct Findings {
    /// How many requests show each class.
    seen: BTreeMap<&'static str, u64>,
    failed: u64,
    failures: Vec<String>,
}

impl Findings {
    fn fail(&mut self, failure: String) {
        self.failed += 1;
        if self.failures.len() < TOLD {
            self.failures.push(failure);
        }
    }

    fn counts(&self) -> String {
        let mut text = String::new();
        for class in CLASSES {
            let count = self.seen.get(class.name).unwrap_or(&0);
            writeln!(text, "{count:7}  {}", class.name).unwrap();
        }
        text
    }
}

/// Sends these requests of the run with this seed through one Envoy.
async fn compare_all(seed: u64, numbers: Range<u64>, only: Option<u64>, findings: &Arc<Mutex<Findings>>) {
    let schemas = (0..SCHEMAS as u64).map(|at| Schema::random((seed << 20) + (numbers.start << 8) + at));
    let schemas: Vec<_> = schemas.collect();
    let names: Vec<[&'static str; 2]> = (0..SCHEMAS)
        .map(|at| ["ours", "native"].map(|of| listener_name(of, at)))
        .collect();
    let mut listeners = Vec::new();
    for (schema, [ours, native]) in schemas.iter().zip(&names) {
        listeners.push(Listener::new(
            ours,
            &json!({ "proto": schema.text, "auto_mapping": true }),
        ));
        listeners.push(Listener::with_native(native, native_configuration(schema)));
    }
    let bench = Bench::start(&listeners);
    let gateways: Vec<[Gateway; 2]> = names.iter().map(|names| names.map(|name| bench.at(name))).collect();
    let shared = Arc::new((schemas, gateways));
    let next = Arc::new(AtomicU64::new(numbers.start));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (shared, next, findings, end) = (shared.clone(), next.clone(), findings.clone(), numbers.end);
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return;
                }
                if only.is_none_or(|only| only == number) {
                    let of = number as usize % SCHEMAS;
                    compare(seed, number, &shared.0[of], shared.1[of], only.is_some(), &findings).await;
                }
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        assert!(
            done.is_ok(),
            "Envoy is gone, or the client: see above\n{}",
            last_words(&bench)
        );
    }
}

/// What Envoy says of its crash: the exchange that it was about is in it.
fn last_words(bench: &Bench) -> String {
    let log = bench.envoy().log();
    let crash = log.lines().skip_while(|line| !line.contains("[critical]"));
    crash
        .filter(|line| !line.contains("[backtrace]"))
        .take(60)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A name for a listener; there are a few for each process.
fn listener_name(of: &str, at: usize) -> &'static str {
    Box::leak(format!("{of}-{at}").into_boxed_str())
}

/// Envoy's transcoder, set to what is nearest to ours.
fn native_configuration(schema: &Schema) -> Value {
    json!({
        "proto_descriptor_bin": STANDARD.encode(&schema.native_set),
        "services": [SERVICE],
        // `POST /package.Service/Method`, for methods without annotation.
        "auto_mapping": true,
        // Errors of the service in JSON.
        "convert_grpc_status": true,
        // `query: { unknown: ignore }`.
        "ignore_unknown_query_parameters": true,
        // A capture of several segments keeps `%2F`; one of a single segment is always decoded.
        "url_unescape_spec": "ALL_CHARACTERS_EXCEPT_SLASH",
        // `+` is a space.
        "query_param_unescape_plus": true,
        // `unmatched: reject`.
        "request_validation_options": { "reject_unknown_method": true },
    })
}

/// Sends one request to both, and compares.
async fn compare(
    seed: u64,
    number: u64,
    schema: &Schema,
    [ours, native]: [Gateway; 2],
    tell: bool,
    findings: &Mutex<Findings>,
) {
    let case = Case::random(schema, (seed << 32) + number);
    let ours = Outcome::of(&case, ours).await;
    let native = Outcome::of(&case, native).await;
    let exchange = Exchange {
        schema,
        case: &case,
        ours: &ours,
        native: &native,
    };
    let mut seen: Vec<&'static str> = Vec::new();
    let mut wrong = String::new();
    if let Err(error) = oracle::check(schema, &case, &ours) {
        writeln!(wrong, "  ours is wrong: {error}").unwrap();
    }
    for difference in differences(schema, &case, &ours, &native) {
        match CLASSES.iter().find(|class| (class.explains)(&exchange, &difference)) {
            Some(class) => seen.push(class.name),
            None => writeln!(wrong, "  of no class: {}", difference.words()).unwrap(),
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let mut findings = findings.lock().unwrap();
    if tell {
        println!("{}\n{}", schema.text, words(number, &exchange));
    }
    if !wrong.is_empty() {
        findings.fail(format!("{wrong}{}", words(number, &exchange)));
    }
    for class in seen {
        *findings.seen.entry(class).or_default() += 1;
    }
}

/// A request, and what became of it.
fn words(number: u64, exchange: &Exchange<'_>) -> String {
    let Exchange { case, ours, native, .. } = exchange;
    format!(
        "  request {number}: {:?}\n  of {}\n  unusual in it: {:?}\n  ours: {}\n  Envoy's: {}",
        case.request,
        exchange.route().words(),
        case.notes,
        ours.words(),
        native.words()
    )
}

/// What Envoy's transcoder doesn't survive, and the generator leaves out. Ours does.
mod what_brings_envoys_down {
    use std::sync::OnceLock;

    use bytes::Bytes;
    use serde_json::json;

    use crate::bench::bootstrap::Listener;
    use crate::bench::client::{Answer, Http, Request};
    use crate::bench::upstream::{RawAnswer, Script, frame};
    use crate::bench::{Bench, Gateway, schema};

    fn gateway() -> Gateway {
        static BENCH: OnceLock<Bench> = OnceLock::new();
        let listener = || Listener::new("ours", &json!({ "proto": schema::PROTO }));
        BENCH.get_or_init(|| Bench::start(&[listener()])).at("ours")
    }

    /// The error in an answer, as this test looks at it: what follows the last thing that went well.
    fn is_error(answer: &Answer, status: u16, words: &str) {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(words), "{answer:?}");
    }

    #[tokio::test]
    async fn a_null_map_value_in_a_request_is_refused() {
        for version in Http::BOTH {
            for (body, path) in [
                (json!({ "stringMap": { "a": null } }), "stringMap[\"a\"]"),
                (json!({ "int32Map": { "7": null } }), "int32Map[\"7\"]"),
            ] {
                let answer = gateway().refuse(version, Request::post("/v1/echo", &body)).await;
                is_error(&answer, 400, "found null");
                let violation = &answer.json()["details"][0]["fieldViolations"][0];
                assert_eq!(violation["field"], path, "{answer:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_map_entry_without_a_value_in_an_answer_has_the_default() {
        let echo = schema::method("/test.everything.Echo/Post");
        for (map, entry, expected) in [
            ("string_map", &b"\x0a\x01a"[..], json!({ "a": "" })),
            ("string_map", b"", json!({ "": "" })),
            ("int32_map", b"\x08\x07", json!({ "7": {} })),
            ("value_map", b"\x0a\x01a", json!({ "a": null })),
        ] {
            let field = echo.output().get_field_by_name(map).unwrap();
            let message = [
                &[
                    0x82 | (field.number() << 3) as u8,
                    (field.number() >> 4) as u8,
                    entry.len() as u8,
                ],
                entry,
            ];
            let request = Request::post("/v1/echo", &json!({}));
            let (answer, _) = gateway()
                .exchange(Http::Two, request, Script::reply_bytes(message.concat()))
                .await;
            assert_eq!(answer.status, 200, "{map}: {answer:?}");
            assert_eq!(answer.json(), json!({ field.json_name(): expected }), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_is_an_error() {
        let whole = frame(0, b"\x18\x05");
        // A part of a message, a part of its length, nothing but the flag.
        for body in [&b"\0\0\0\0\x09\x18"[..], b"\0\0\0", b"\0"] {
            let answer = RawAnswer {
                headers: vec![("content-type", "application/grpc")],
                body: Bytes::copy_from_slice(body),
                trailers: vec![("grpc-status", "0")],
                ..RawAnswer::default()
            };
            let request = Request::post("/v1/echo", &json!({}));
            let (answer, _) = gateway().exchange(Http::Two, request, Script::raw(answer)).await;
            is_error(&answer, 502, "frame");
        }
        let answer = RawAnswer {
            headers: vec![("content-type", "application/grpc")],
            body: [&whole[..], b"\0\0\0\0\x09\x18"].concat().into(),
            trailers: vec![("grpc-status", "0")],
            ..RawAnswer::default()
        };
        let request = Request::post("/v1/streams/x", &json!({}));
        let (answer, _) = gateway().exchange(Http::Two, request, Script::raw(answer)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()[0], json!({ "int32Value": 5 }), "{answer:?}");
        assert_eq!(answer.json()[1]["error"]["code"], 14, "{answer:?}");
    }
}
