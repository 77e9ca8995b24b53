//! Other filters beside the module that hold bodies themselves, or cut them anew.

use super::*;
use crate::bench::client;
use crate::bench::filters::{authorization, buffer, gzip, processing, reads_responses};

/// Where the module is beside another filter.
const SETUPS: [Setup; 4] = [
    Setup::new("plain", None, false, true),
    Setup::new("web", None, true, true),
    Setup::new("plain-no-stop", Some(MIB), false, false),
    Setup::new("web-no-stop", Some(MIB), true, false),
];

/// What a small buffer holds.
const SMALL: u32 = 2048;
/// What a large one holds.
const LARGE: u32 = 4 << 20;

/// Another filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    SmallBufferInFront,
    SmallBufferBehind,
    LargeBufferInFront,
    LargeBufferBehind,
    PartialAuthorizationInFront,
    PartialAuthorizationBehind,
    WholeAuthorizationInFront,
    WholeAuthorizationBehind,
    CompressorInFront,
    ProcessorBehind,
    ProcessorInFront,
}

impl Other {
    const ALL: [Self; 11] = [
        Self::SmallBufferInFront,
        Self::SmallBufferBehind,
        Self::LargeBufferInFront,
        Self::LargeBufferBehind,
        Self::PartialAuthorizationInFront,
        Self::PartialAuthorizationBehind,
        Self::WholeAuthorizationInFront,
        Self::WholeAuthorizationBehind,
        Self::CompressorInFront,
        Self::ProcessorBehind,
        Self::ProcessorInFront,
    ];

    fn beside(self, listener: Listener) -> Listener {
        match self {
            Self::SmallBufferInFront => listener.in_front(buffer(SMALL)),
            Self::SmallBufferBehind => listener.behind(buffer(SMALL)),
            Self::LargeBufferInFront => listener.in_front(buffer(LARGE)),
            Self::LargeBufferBehind => listener.behind(buffer(LARGE)),
            Self::PartialAuthorizationInFront => listener.in_front(authorization(SMALL, true)),
            Self::PartialAuthorizationBehind => listener.behind(authorization(SMALL, true)),
            Self::WholeAuthorizationInFront => listener.in_front(authorization(LARGE, false)),
            Self::WholeAuthorizationBehind => listener.behind(authorization(LARGE, false)),
            Self::CompressorInFront => listener.in_front(gzip()),
            Self::ProcessorBehind => listener.behind(processing()),
            Self::ProcessorInFront => listener.in_front(processing()),
        }
    }
}

/// The setups beside this filter.
fn setups(other: Other) -> impl Iterator<Item = Setup> {
    SETUPS.into_iter().map(move |setup| Setup {
        name: format!("{}-{other:?}", setup.name).leak(),
        ..setup
    })
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let listeners: Vec<Listener> = Other::ALL
            .into_iter()
            .flat_map(|other| setups(other).map(move |setup| other.beside(setup.listener())))
            .collect();
        Bench::start(&listeners)
    })
}

/// Messages there and back.
async fn messages_pass(setups: impl Iterator<Item = Setup>, sizes: &[usize]) {
    let mut wrong = Vec::new();
    for setup in setups {
        for version in Http::BOTH {
            for size in sizes {
                for sending in Sending::BOTH {
                    if let Some(misfit) = echo(bench(), setup.name, version, &Message::of_size(*size), sending).await {
                        wrong.push((format!("{} {version:?} {size} {sending:?}", setup.name), misfit));
                    }
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn beside_a_buffer_that_is_small_answers_of_any_size_pass() {
    let mut wrong = Vec::new();
    for setup in [Other::SmallBufferInFront, Other::SmallBufferBehind]
        .into_iter()
        .flat_map(setups)
    {
        for version in Http::BOTH {
            for size in [
                2,
                KIB + 1,
                SMALL as usize + 1,
                MAX_HELD,
                MAX_HELD + 1,
                33_000,
                1_100_000,
            ] {
                let message = Message::of_size(size);
                let call = script(Script::reply_bytes(message.wire.clone()));
                let request = Request::post("/v1/echo", &json!({})).script(&call);
                let answer = client::send(bench().at(setup.name).address, version, &request).await;
                if let Some(misfit) = misfit(answer, &message.json) {
                    wrong.push((format!("{} {version:?} {size}", setup.name), misfit));
                }
            }
        }
    }
    nothing_is(&wrong);
    // It is there.
    for setup in setups(Other::SmallBufferInFront) {
        let body = Message::of_size(SMALL as usize + 1).json;
        let answer = send(
            bench(),
            setup.name,
            Http::One,
            post("/v1/echo"),
            &body,
            Sending::whole(true),
        )
        .await;
        assert_eq!(answer.unwrap().status, 413, "{}", setup.name);
    }
    is_well(bench());
}

#[tokio::test]
async fn beside_a_buffer_that_is_large_messages_of_any_size_pass() {
    for other in [Other::LargeBufferInFront, Other::LargeBufferBehind] {
        messages_pass(setups(other), &[2, KIB + 1, MAX_HELD, 33_000, 1_100_000]).await;
    }
}

#[tokio::test]
async fn beside_an_authorization_by_the_beginning_of_a_body_messages_of_any_size_pass() {
    for other in [Other::PartialAuthorizationInFront, Other::PartialAuthorizationBehind] {
        messages_pass(setups(other), &[2, KIB + 1, MAX_HELD, 33_000, 1_100_000]).await;
    }
    assert!(bench().envoy().stat("cluster.authorizer.upstream_rq_200") > 0);
}

#[tokio::test]
async fn beside_an_authorization_by_a_whole_body_messages_of_any_size_pass() {
    for other in [Other::WholeAuthorizationInFront, Other::WholeAuthorizationBehind] {
        messages_pass(setups(other), &[2, KIB + 1, MAX_HELD, 33_000, 1_100_000]).await;
    }
    assert!(bench().envoy().stat("cluster.authorizer.upstream_rq_200") > 0);
}

#[tokio::test]
async fn beside_a_compressor_bodies_of_any_size_pass() {
    messages_pass(setups(Other::CompressorInFront), &[2, MAX_HELD, 33_000, 1_100_000]).await;
    let mut wrong = Vec::new();
    for setup in setups(Other::CompressorInFront) {
        for version in Http::BOTH {
            for size in [KIB, KIB + 1, MAX_HELD, MAX_HELD + 1, 33_000, 200_000] {
                let message = Message::of_size(size);
                let call = script(Script::reply_bytes(message.wire.clone()));
                let request = Request::post("/v1/echo", &json!({}))
                    .header("accept-encoding", "gzip")
                    .script(&call);
                let row = format!("{} {version:?} {size}", setup.name);
                match client::send(bench().at(setup.name).address, version, &request).await {
                    Ok(answer) if answer.header("content-encoding") == Some("gzip") => {
                        if !is_gzip_of(&answer.body, &message.json) {
                            wrong.push((row, format!("{answer:?}")));
                        }
                    }
                    answer => wrong.push((row, format!("{answer:?}"))),
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

/// Whether gzip's head and end are those of these bytes (RFC 1952): their length, and their CRC-32.
fn is_gzip_of(compressed: &[u8], bytes: &[u8]) -> bool {
    let Some((_, end)) = compressed.split_last_chunk::<8>() else {
        return false;
    };
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    let expected = [(!crc).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
    compressed.starts_with(b"\x1f\x8b\x08") && end[..] == expected
}

#[tokio::test]
async fn beside_a_processor_messages_of_any_size_pass() {
    // Over 1 MiB is where others have lost some.
    let large = [MAX_HELD + 1, 33_000, 1_100_000, 3_000_000];
    let small = [2, KIB + 1, MAX_HELD];
    messages_pass(setups(Other::ProcessorBehind), &[&large[..], &small].concat()).await;
    messages_pass(setups(Other::ProcessorInFront), &[&large[..], &small].concat()).await;
    for setup in [Other::ProcessorBehind, Other::ProcessorInFront]
        .into_iter()
        .flat_map(setups)
    {
        let count = |name: &str| bench().envoy().stat(&format!("http.{}.ext_proc.{name}", setup.name));
        assert!(count("streams_started") > 0, "{}", setup.name);
        assert_eq!(count("streams_failed"), 0, "{}", setup.name);
    }
}

/// Envoy would read no further where a request waited for its end at a filter behind, over that filter's buffer.
#[tokio::test]
async fn what_is_too_long_for_a_filter_behind_is_answered_however_it_ends() {
    for setup in setups(Other::SmallBufferBehind) {
        let message = Message::of_size(5_000);
        for version in Http::BOTH {
            let call = script(Script::echo());
            let request = post("/v1/echo")
                .header("content-length", message.json.len().to_string())
                .open()
                .script(&call);
            let mut live = Live::start(bench().at(setup.name).address, version, &request).await;
            live.send(message.json.clone()).await;
            live.end().await;
            let answer = live.answer().await;
            // It comes there in one piece, which the filter lets pass, or doesn't.
            let is_answered = |answer: &Answer| [200, 413].contains(&answer.status);
            assert!(
                answer.as_ref().is_ok_and(is_answered),
                "{setup:?} {version:?}: {answer:?}"
            );
        }
    }
    is_well(bench());
}

/// A filter behind the module that holds an answer hands on Envoy's own buffer: what grows beyond that is Envoy's 500, which
/// it gives while the module is at work.
#[tokio::test]
async fn behind_a_filter_that_holds_answers_what_grows_is_right_or_500() {
    let small = [32 * KIB, MIB];
    let setups: Vec<Setup> = [(false, true), (false, false)]
        .into_iter()
        .flat_map(|(web, holds)| small.map(|buffer| (web, holds, buffer)))
        .map(|(web, holds, buffer)| Setup::new(format!("lua-{holds}-{buffer}").leak(), Some(buffer), web, holds))
        .collect();
    let listeners: Vec<Listener> = setups
        .iter()
        .map(|setup| setup.listener().behind(reads_responses()))
        .collect();
    let bench = Bench::start(&listeners);
    let mut wrong = Vec::new();
    let mut outgrown = 0;
    for setup in setups {
        for version in Http::BOTH {
            for length in [1, 1_000, 2_500, 6_000, 20_000, 200_000] {
                let message = Message::growing(length);
                let call = script(Script::reply_bytes(message.wire.clone()));
                let request = Request::post("/v1/echo", &json!({})).script(&call);
                let answer = client::send(bench.at(setup.name).address, version, &request).await;
                let over = message.json.len() > setup.buffer_of(version);
                let refused = over && answer.as_ref().map_or(true, |answer| answer.status == 500);
                outgrown += usize::from(refused);
                if let Some(misfit) = misfit(answer, &message.json).filter(|_| !refused) {
                    wrong.push((format!("{} {version:?} {length}", setup.name), misfit));
                }
                next_request_works(&bench, setup.name).await;
            }
        }
    }
    nothing_is(&wrong);
    assert!(outgrown > 0);
    is_well(&bench);
}
