//! Bodies of any size through real Envoy, whatever it buffers: what comes out is what went in, or breaks off. Envoy never
//! crashes, which it would if a body that it holds were made longer than its buffer.

mod ends;
mod filters;
mod sizes;
mod streams;
mod unlinked;

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::{Value, json};

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Live, Request};
use crate::bench::upstream::{LIMIT, Script};
use crate::bench::{Bench, schema, script};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The longest JSON that waits with Envoy for the status of its answer.
const MAX_HELD: usize = 16 * KIB;

/// The least that Envoy buffers of an HTTP/2 stream.
const LEAST_WINDOW: u32 = 65_535;

/// A listener, by what decides how bodies pass there.
#[derive(Clone, Copy, Debug)]
struct Setup {
    name: &'static str,
    /// How many bytes Envoy buffers; `None`: as many as it does unless told, 1 MiB.
    buffer: Option<usize>,
    /// Envoy's gRPC-Web filter is behind the module.
    web: bool,
    /// Headers are held.
    holds: bool,
}

impl Setup {
    /// Those with the module alone, of each kind and with each buffer.
    const ALL: [Self; 16] = [
        Self::new("plain-1k", Some(KIB), false, true),
        Self::new("plain-16k", Some(16 * KIB), false, true),
        Self::new("plain-32k", Some(32 * KIB), false, true),
        Self::new("plain", None, false, true),
        Self::new("web-1k", Some(KIB), true, true),
        Self::new("web-16k", Some(16 * KIB), true, true),
        Self::new("web-32k", Some(32 * KIB), true, true),
        Self::new("web", None, true, true),
        Self::new("plain-no-stop-1k", Some(KIB), false, false),
        Self::new("plain-no-stop-16k", Some(16 * KIB), false, false),
        Self::new("plain-no-stop-32k", Some(32 * KIB), false, false),
        Self::new("plain-no-stop", None, false, false),
        Self::new("web-no-stop-1k", Some(KIB), true, false),
        Self::new("web-no-stop-16k", Some(16 * KIB), true, false),
        Self::new("web-no-stop-32k", Some(32 * KIB), true, false),
        Self::new("web-no-stop", None, true, false),
    ];

    const fn new(name: &'static str, buffer: Option<usize>, web: bool, holds: bool) -> Self {
        Self {
            name,
            buffer,
            web,
            holds,
        }
    }

    fn listener(self) -> Listener {
        self.listener_with(&json!({}))
    }

    /// With more in the module's configuration.
    fn listener_with(self, more: &Value) -> Listener {
        let mut configuration = json!({
            "proto": schema::PROTO,
            "upstream": { "grpc_web": self.web },
            "limits": {
                "max_request_bytes": 64 * MIB,
                "max_response_bytes": 64 * MIB,
                "max_message_bytes": 64 * MIB,
            },
        });
        // Where all is as it is unless told, the module finds out by itself, and lets each request wait for that.
        if !self.holds && self.buffer.is_some() {
            configuration["hold_headers"] = json!(false);
        }
        for (key, value) in more.as_object().unwrap() {
            configuration[key] = value.clone();
        }
        let mut listener = Listener::new(self.name, &configuration)
            .without_route_timeout()
            .closes_at_once();
        if let Some(bytes) = self.buffer {
            listener = listener
                .buffer_limit(u32::try_from(bytes).unwrap())
                .window(LEAST_WINDOW);
        }
        if self.web {
            listener = listener.with_grpc_web();
        }
        if !self.holds {
            listener = listener.without_stop_iteration();
        }
        listener
    }

    /// How much Envoy buffers for a client of this version.
    fn buffer_of(self, version: Http) -> usize {
        match (self.buffer, version) {
            (Some(bytes), Http::One) => bytes,
            (Some(_), Http::Two) => LEAST_WINDOW as usize,
            (None, _) => MIB,
        }
    }
}

/// Where requests go by a call.
const CALL: Setup = Setup::new("call-1k", Some(KIB), false, true);

/// The Envoy of [`Setup::ALL`] and [`CALL`].
fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let mut listeners = Setup::ALL.map(Setup::listener).to_vec();
        listeners.push(CALL.listener_with(&json!({ "dispatch": "call" })));
        Bench::start(&listeners)
    })
}

/// Nothing has trapped in an Envoy that still runs.
fn is_well(bench: &Bench) {
    assert_eq!(bench.traps(), "");
    assert!(bench.envoy().admin_get("/ready").starts_with("LIVE"));
}

/// So many bytes of text, in which a part that is lost, doubled or moved shows.
fn text(length: usize) -> Bytes {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
        // As long as no buffer, and no multiple of one.
        const PERIOD: usize = 10_007;
        let mut state = 1_u32;
        let block: Vec<u8> = (0..PERIOD)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b'a' + (state >> 24) as u8 % 26
            })
            .collect();
        block.repeat(61 * MIB / PERIOD).into()
    });
    TEXT.slice(..length)
}

/// A message of the type Everything with a text that makes it so long in JSON.
#[derive(Clone)]
struct Message {
    json: Bytes,
    wire: Bytes,
}

impl Message {
    /// The least size is 2, the next 19.
    fn of_size(size: usize) -> Self {
        const AROUND: [&[u8]; 2] = [br#"{"stringValue":""#, br#""}"#];
        if size == 2 {
            return Self {
                json: Bytes::from_static(b"{}"),
                wire: Bytes::new(),
            };
        }
        let text = text(size - AROUND[0].len() - AROUND[1].len());
        let mut wire = BytesMut::with_capacity(size);
        encode_key(14, WireType::LengthDelimited, &mut wire);
        encode_varint(text.len() as u64, &mut wire);
        wire.put_slice(&text);
        Self {
            json: [AROUND[0], &text, AROUND[1]].concat().into(),
            wire: wire.freeze(),
        }
    }

    /// One with so many control characters, each of which is six bytes in JSON.
    fn growing(length: usize) -> Self {
        let json = json!({ "stringValue": "\u{1}".repeat(length) });
        Self {
            wire: schema::from_json(&schema::message("test.everything.Everything"), &json),
            json: json.to_string().into(),
        }
    }
}

/// How a request's body goes out.
#[derive(Clone, Copy, Debug)]
struct Sending {
    /// With a content-length. Else: in HTTP/1.1, chunked.
    says_length: bool,
    /// In so many parts, with a pause behind each.
    parts: usize,
}

impl Sending {
    const WHOLE: [Self; 2] = [Self::whole(true), Self::whole(false)];
    /// What differs most.
    const BOTH: [Self; 2] = [Self::whole(true), Self::slow(false)];
    const ALL: [Self; 4] = [
        Self::whole(true),
        Self::whole(false),
        Self::slow(true),
        Self::slow(false),
    ];

    const fn whole(says_length: bool) -> Self {
        Self { says_length, parts: 1 }
    }

    const fn slow(says_length: bool) -> Self {
        Self { says_length, parts: 10 }
    }
}

/// A request whose body is to follow, in JSON.
fn post(path: &str) -> Request {
    Request::new("POST", path).header("content-type", "application/json")
}

/// Sends a request with this body, and waits for its answer.
async fn send(
    bench: &Bench,
    listener: &'static str,
    version: Http,
    request: Request,
    body: &Bytes,
    sending: Sending,
) -> Result<Answer, String> {
    let mut request = request.open();
    if sending.says_length {
        request = request.header("content-length", body.len().to_string());
    }
    let address = bench.at(listener).address;
    let exchange = async {
        let mut live = Live::start(address, version, &request).await;
        let length = body.len().div_ceil(sending.parts).max(1);
        for start in (0..body.len()).step_by(length) {
            live.send(body.slice(start..body.len().min(start + length))).await;
            if sending.parts > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        live.end().await;
        live.answer().await
    };
    let exchanged = tokio::time::timeout(LIMIT, exchange).await;
    exchanged.unwrap_or_else(|_| Err("it hangs".to_owned()))
}

/// What is wrong with an answer that is to be 200 with this JSON.
fn misfit(answer: Result<Answer, String>, json: &[u8]) -> Option<String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Some(start_of(&error)),
    };
    let is_json = answer.header("content-type") == Some("application/json");
    let length = answer.header("content-length");
    if answer.status != 200 || !is_json || length.is_some_and(|length| length != json.len().to_string()) {
        return Some(format!("{answer:?}"));
    }
    differs(&answer.body, json)
}

/// As much of a text as may be shown.
fn start_of(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Where bytes differ from those that are to be.
fn differs(bytes: &[u8], expected: &[u8]) -> Option<String> {
    if bytes == expected {
        return None;
    }
    let at = bytes.iter().zip(expected).position(|(byte, expected)| byte != expected);
    Some(format!(
        "{} bytes instead of {}, which differ at {at:?}",
        bytes.len(),
        expected.len()
    ))
}

/// A message there and back: what is wrong with it at the service, or at the client.
async fn echo(
    bench: &Bench,
    listener: &'static str,
    version: Http,
    message: &Message,
    sending: Sending,
) -> Option<String> {
    let mut call = script(Script::echo());
    let request = post("/v1/echo").script(&call);
    let answer = send(bench, listener, version, request, &message.json, sending).await;
    if call.has_received() {
        let received = call.received().await;
        if let [only] = &received.messages[..]
            && let Some(differs) = differs(only, &message.wire)
        {
            return Some(format!("at the service: {differs}"));
        }
    }
    misfit(answer, &message.json)
}

/// A small request that has nothing to do with what came before.
async fn next_request_works(bench: &Bench, listener: &'static str) {
    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let (answer, _) = bench.at(listener).exchange(Http::One, request, Script::echo()).await;
    assert_eq!(answer.json(), json!({ "int32Value": 5 }), "{listener}");
}

/// Says of each row that went wrong what is wrong.
#[track_caller]
fn nothing_is(wrong: &[(String, String)]) {
    let shown: Vec<String> = wrong
        .iter()
        .map(|(row, what)| format!("{row}: {}", start_of(what)))
        .collect();
    assert!(wrong.is_empty(), "{shown:#?}");
}
