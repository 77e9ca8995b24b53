//! The ends of answers: what is known in time is in the headers, an error comes out as one, and what could be taken for a
//! whole answer is one.

use std::time::Duration;

use tokio::task::JoinSet;
use tonic::Code;

use super::*;
use crate::bench::client::{self, Connection};
use crate::bench::upstream::Gate;

/// How often an answer is asked for that waits for a moment: on a busy machine, that may pass.
const ATTEMPTS: usize = 5;

/// The longest JSON whose end can still become an error behind headers that have gone.
const MAX_RESERVED: usize = 768;

const SIZES: [usize; 9] = [
    2,
    MAX_RESERVED,
    MAX_RESERVED + 1,
    KIB,
    KIB + 1,
    MAX_HELD,
    MAX_HELD + 1,
    33_000,
    1_000_000,
];

/// The error that services end with here.
const ERROR: &[u8] = br#"{"code":10,"message":"m"}"#;

/// When the status of an answer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// In time to change all of the answer.
    Surely,
    /// The same if it comes at once.
    Mostly,
    /// In time, or not.
    Perhaps,
    /// When the answer has gone.
    TooLate,
}

impl Known {
    /// The headers of an answer of `size` bytes wait for it.
    fn of(setup: Setup, version: Http, size: usize) -> Self {
        match (setup.holds, setup.web) {
            (false, _) => Self::TooLate,
            (true, true) => Self::Surely,
            (true, false) if size <= KIB => Self::Surely,
            (true, false) if size > MAX_HELD => Self::TooLate,
            (true, false) if setup.buffer_of(version) >= 32 * KIB => Self::Mostly,
            (true, false) => Self::Perhaps,
        }
    }
}

async fn ask(setup: Setup, version: Http, sends: Script) -> Result<Answer, String> {
    let call = script(sends);
    let request = Request::post("/v1/echo", &json!({})).script(&call);
    client::send(bench().at(setup.name).address, version, &request).await
}

#[tokio::test]
async fn the_headers_have_what_is_known_when_they_go() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for size in SIZES {
                let known = Known::of(setup, version, size);
                let message = Message::of_size(size);
                for attempt in 1..=ATTEMPTS {
                    let sends = Script::reply_bytes(message.wire.clone())
                        .initial("x-initial", "a")
                        .initial("x-http-code", "203")
                        .trailing("x-trailing", "b");
                    let answer = ask(setup, version, sends).await.unwrap();
                    let row = || format!("{setup:?} {version:?} {size}: {answer:?}");
                    assert_eq!(answer.status, 203, "{}", row());
                    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", row());
                    assert_eq!(answer.header("x-initial"), Some("a"), "{}", row());
                    for name in ["grpc-status", "x-http-code", "grpc-encoding"] {
                        assert_eq!(answer.header(name), None, "{}", row());
                    }
                    for name in ["content-type", "date", "server"] {
                        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{}", row());
                    }
                    assert_eq!(differs(&answer.body, &message.json), None, "{}", row());
                    let length = answer.header("content-length").map(str::to_owned);
                    let trailing = answer.header("x-trailing");
                    let all = length == Some(size.to_string()) && trailing == Some("b");
                    let nothing = length.is_none() && trailing.is_none();
                    let is_right = match known {
                        Known::Surely => all,
                        Known::Mostly if !all && attempt < ATTEMPTS => continue,
                        Known::Mostly => all,
                        Known::Perhaps => all || nothing,
                        Known::TooLate => nothing,
                    };
                    if !is_right {
                        wrong.push((format!("{known:?}"), row()));
                    }
                    break;
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn an_error_behind_the_message_is_no_whole_answer() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for size in SIZES {
                let known = Known::of(setup, version, size);
                let message = Message::of_size(size);
                for attempt in 1..=ATTEMPTS {
                    let sends = Script::reply_bytes(message.wire.clone()).then_error(Code::Aborted, "m");
                    let answer = ask(setup, version, sends).await;
                    let row = format!("{setup:?} {version:?} {size}: {answer:?}");
                    let broken_off = answer.is_err();
                    let error = answer.ok().map(|answer| (answer.status, answer.body));
                    let mapped = error == Some((409, ERROR.into()));
                    let is_body = error == Some((200, ERROR.into()));
                    let is_right = match known {
                        Known::Surely => mapped,
                        Known::Mostly if broken_off && attempt < ATTEMPTS => continue,
                        Known::Mostly => mapped,
                        Known::Perhaps => mapped || broken_off,
                        Known::TooLate if !setup.holds && (setup.web || size <= MAX_RESERVED) => is_body,
                        Known::TooLate => broken_off,
                    };
                    if !is_right {
                        wrong.push((format!("{known:?}"), row));
                    }
                    break;
                }
            }
            next_request_works(bench(), setup.name).await;
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

/// How long a status lets wait for it: by far longer than an answer is held that must not wait for ever.
const LONG: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_answer_waits_for_its_status_as_long_as_that_may_be() {
    let mut rows = JoinSet::new();
    for setup in Setup::ALL.into_iter().filter(|setup| setup.holds) {
        for version in Http::BOTH {
            for size in [2, KIB, KIB + 1, MAX_HELD, MAX_HELD + 1, 100_000] {
                if Known::of(setup, version, size) != Known::Surely {
                    continue;
                }
                rows.spawn(async move {
                    let row = format!("{setup:?} {version:?} {size}");
                    let (mut live, gate) = held_up(setup, version, &Message::of_size(size), true).await;
                    tokio::time::sleep(LONG).await;
                    gate.open();
                    let (status, headers) = live.head().await.unwrap_or_else(|error| panic!("{row}: {error}"));
                    assert_eq!(status, 409, "{row}");
                    assert_eq!(headers["x-trailing"], "b", "{row}");
                });
            }
        }
    }
    rows.join_all().await;
    is_well(bench());
}

#[tokio::test]
async fn an_answer_that_may_not_wait_for_ever_goes_without_its_status() {
    let mut rows = JoinSet::new();
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for size in [
                2,
                MAX_RESERVED,
                MAX_RESERVED + 1,
                KIB + 1,
                5_000,
                MAX_HELD,
                MAX_HELD + 1,
                100_000,
            ] {
                if Known::of(setup, version, size) == Known::Surely {
                    continue;
                }
                for is_error in [false, true] {
                    rows.spawn(goes_without_its_status(setup, version, size, is_error));
                }
            }
        }
    }
    rows.join_all().await;
    is_well(bench());
}

async fn goes_without_its_status(setup: Setup, version: Http, size: usize, is_error: bool) {
    let row = format!("{setup:?} {version:?} {size} {is_error}");
    let message = Message::of_size(size);
    let (mut live, gate) = held_up(setup, version, &message, is_error).await;
    let (status, headers) = live.head().await.unwrap_or_else(|error| panic!("{row}: {error}"));
    assert_eq!(status, 200, "{row}");
    for name in ["content-length", "x-trailing"] {
        assert_eq!(headers.get(name), None, "{row}");
    }
    let is_kept = !setup.holds && (setup.web || size <= MAX_RESERVED);
    if !is_kept {
        let body = live.exactly(size).await;
        let body = body.unwrap_or_else(|error| panic!("{row}: {}", start_of(&error)));
        assert_eq!(differs(&body, &message.json), None, "{row}");
    }
    gate.open();
    let rest = live.rest().await;
    match (is_kept, is_error) {
        (true, true) => assert_eq!(rest.as_deref(), Ok(ERROR), "{row}"),
        (true, false) => assert_eq!(differs(&rest.unwrap(), &message.json), None, "{row}"),
        (false, true) => assert!(rest.is_err(), "{row}: {rest:?}"),
        (false, false) => assert_eq!(rest.as_deref(), Ok(&b""[..]), "{row}"),
    }
}

/// A request whose answer's status, and trailers, wait for the gate behind the message.
async fn held_up(setup: Setup, version: Http, message: &Message, is_error: bool) -> (Live, Gate) {
    let gate = Gate::default();
    let mut sends = Script::reply_bytes(message.wire.clone()).hold(&gate);
    if is_error {
        sends = sends.then_error(Code::Aborted, "m");
    }
    let call = script(sends.trailing("x-trailing", "b"));
    let request = Request::post("/v1/echo", &json!({})).script(&call);
    let live = Live::start(bench().at(setup.name).address, version, &request).await;
    (live, gate)
}

/// A service may say that there is no content, and send some.
#[tokio::test]
async fn an_answer_without_content_has_none() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for size in [2, MAX_RESERVED, MAX_HELD, 33_000] {
            for code in [204, 205] {
                let wire = Message::of_size(size).wire;
                let sends = || Script::reply_bytes(wire.clone()).initial("x-http-code", &code.to_string());
                let is_right = |answer: &Answer| answer.status == code && answer.body.is_empty();
                let answer = ask(setup, Http::Two, sends()).await;
                if !answer.as_ref().is_ok_and(is_right) {
                    wrong.push((format!("{setup:?} HTTP/2 {size} {code}"), format!("{answer:?}")));
                }
                let call = script(sends());
                let request = Request::post("/v1/echo", &json!({}));
                let mut connection = Connection::open(bench().at(setup.name).address).await;
                connection.send(&request.clone().script(&call).to_http1()).await;
                let answer = connection.answer("POST").await;
                // A body that is there all the same would be read as the next answer.
                connection.send(&request.to_http1()).await;
                let next = connection.answer("POST").await;
                if !answer.as_ref().is_ok_and(is_right) || !next.as_ref().is_ok_and(|next| next.body == "{}") {
                    wrong.push((format!("{setup:?} {size} {code}"), format!("{answer:?}, {next:?}")));
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

/// Envoy writes what a filter leaves of the body to a HEAD, and a client takes that for the next answer.
#[tokio::test]
async fn an_answer_to_head_has_none() {
    let rules = json!({ "http_rules": [{
        "selector": "test.everything.Echo.Post",
        "custom": { "kind": "HEAD", "path": "/v1/head" },
        "body": "*",
        "additional_bindings": [{ "post": "/v1/echo", "body": "*" }],
    }] });
    let setups = [
        Setup::new("head", Some(MIB), false, true),
        Setup::new("head-web", Some(MIB), true, true),
        Setup::new("head-no-stop", Some(MIB), false, false),
    ];
    let bench = Bench::start(&setups.map(|setup| setup.listener_with(&rules)));
    for setup in setups {
        for size in [2, MAX_HELD, 33_000] {
            let wire = Message::of_size(size).wire;
            let call = script(Script::reply_bytes(wire));
            let head = Request::new("HEAD", "/v1/head")
                .header("content-type", "application/json")
                .body("{}")
                .script(&call);
            let mut connection = Connection::open(bench.at(setup.name).address).await;
            connection.send(&head.to_http1()).await;
            let answer = connection.answer("HEAD").await.unwrap();
            assert_eq!((answer.status, &answer.body[..]), (200, &b""[..]), "{setup:?} {size}");
            connection.send(&Request::post("/v1/echo", &json!({})).to_http1()).await;
            let next = connection.answer("POST").await;
            assert!(
                next.as_ref().is_ok_and(|next| next.body == "{}"),
                "{setup:?} {size}: {next:?}"
            );
        }
    }
    is_well(&bench);
}
