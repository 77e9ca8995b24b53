//! One message there, and one back.

use super::*;
use crate::bench::client;

/// Around the bounds of the module and of Envoy.
const SIZES: [usize; 9] = [
    2,
    KIB - 1,
    KIB,
    KIB + 1,
    MAX_HELD - 1,
    MAX_HELD,
    MAX_HELD + 1,
    33_000,
    1_000_000,
];

/// What also goes out slowly.
const SLOW: [usize; 3] = [KIB + 1, 33_000, 1_000_000];

async fn all_sizes_pass(setups: impl IntoIterator<Item = Setup>) {
    let messages = SIZES.map(Message::of_size);
    let mut wrong = Vec::new();
    for setup in setups {
        for version in Http::BOTH {
            for message in &messages {
                let size = message.json.len();
                let sendings: &[Sending] = if SLOW.contains(&size) {
                    &Sending::ALL
                } else {
                    &Sending::WHOLE
                };
                for sending in sendings {
                    if let Some(misfit) = echo(bench(), setup.name, version, message, *sending).await {
                        wrong.push((format!("{setup:?} {version:?} {size} {sending:?}"), misfit));
                    }
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn a_message_of_any_size_passes_where_headers_are_held() {
    all_sizes_pass(Setup::ALL.into_iter().filter(|setup| setup.holds)).await;
}

#[tokio::test]
async fn a_message_of_any_size_passes_where_headers_are_not_held() {
    all_sizes_pass(Setup::ALL.into_iter().filter(|setup| !setup.holds)).await;
}

#[tokio::test]
async fn a_message_of_any_size_passes_by_a_call() {
    all_sizes_pass([CALL]).await;
}

#[tokio::test]
async fn requests_of_20_megabytes_pass() {
    let message = Message::of_size(20_000_000);
    let mut wrong = Vec::new();
    for (listener, version, sending) in [
        ("plain", Http::One, Sending::whole(true)),
        ("plain-1k", Http::One, Sending::slow(false)),
        ("web-1k", Http::Two, Sending::whole(false)),
        ("plain-no-stop-1k", Http::One, Sending::whole(false)),
        ("web-no-stop", Http::Two, Sending::slow(true)),
        ("call-1k", Http::One, Sending::whole(true)),
    ] {
        if let Some(misfit) = echo(bench(), listener, version, &message, sending).await {
            wrong.push((format!("{listener} {version:?} {sending:?}"), misfit));
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn answers_of_60_megabytes_pass() {
    let message = Message::of_size(60_000_000);
    let mut wrong = Vec::new();
    for (listener, version) in [
        ("plain-1k", Http::Two),
        ("web-1k", Http::One),
        ("plain-no-stop", Http::One),
        ("web-no-stop-1k", Http::Two),
    ] {
        let call = script(Script::reply_bytes(message.wire.clone()));
        let request = Request::post("/v1/echo", &json!({})).script(&call);
        let answer = client::send(bench().at(listener).address, version, &request).await;
        if let Some(misfit) = misfit(answer, &message.json) {
            wrong.push((format!("{listener} {version:?}"), misfit));
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

#[tokio::test]
async fn what_grows_on_its_way_passes() {
    // Two bytes of JSON are eight of wire format.
    let doubles = [10_000, 300_000].map(|count| Bytes::from(format!(r#"{{"doubles":[{}1]}}"#, "1,".repeat(count))));
    let growing = [100, 2_000, 6_000, 20_000, 300_000].map(Message::growing);
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for version in Http::BOTH {
            for (body, sending) in doubles
                .iter()
                .flat_map(|body| Sending::WHOLE.map(|sending| (body, sending)))
            {
                let mut call = script(Script::reply(json!({ "int32Value": 5 })));
                let request = post("/v1/echo").script(&call);
                let answer = send(bench(), setup.name, version, request, body, sending).await;
                let row = format!("{setup:?} {version:?} {} {sending:?}", body.len());
                if let Some(misfit) = misfit(answer, br#"{"int32Value":5}"#) {
                    wrong.push((row, misfit));
                    continue;
                }
                let count = body.iter().filter(|byte| **byte == b'1').count();
                // As many ones, behind the field's number and its length in three bytes.
                let packed = 1_f64.to_le_bytes().repeat(count);
                let received = call.received().await.messages;
                if received.len() != 1 || !received[0].ends_with(&packed) || received[0].len() > packed.len() + 6 {
                    wrong.push((row, "at the service".to_owned()));
                }
            }
            for message in &growing {
                let call = script(Script::reply_bytes(message.wire.clone()));
                let request = Request::post("/v1/echo", &json!({})).script(&call);
                let answer = client::send(bench().at(setup.name).address, version, &request).await;
                if let Some(misfit) = misfit(answer, &message.json) {
                    wrong.push((format!("{setup:?} {version:?} {}", message.json.len()), misfit));
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}

/// HTTP/2 alone: of HTTP/1.1, Envoy drops trailers.
#[tokio::test]
async fn a_request_with_trailers_passes_where_its_body_is_in_reach() {
    let mut wrong = Vec::new();
    for setup in Setup::ALL {
        for size in SIZES {
            for says_length in [true, false] {
                let message = Message::of_size(size);
                let mut call = script(Script::echo());
                let mut request = post("/v1/echo").body(message.json.clone()).trailer("x-checksum", "1");
                if says_length {
                    request = request.header("content-length", size.to_string());
                }
                let address = bench().at(setup.name).address;
                let answer = client::send(address, Http::Two, &request.script(&call)).await;
                let row = format!("{setup:?} {size} {says_length}");
                // Where headers go first, the body goes on with the last byte that was announced.
                if says_length && !setup.holds || !says_length && setup.holds && size <= KIB {
                    if let Some(misfit) = misfit(answer, &message.json) {
                        wrong.push((row, misfit));
                    }
                } else if !answer.as_ref().is_ok_and(|answer| answer.status == 501) || call.was_taken() {
                    wrong.push((row, format!("{answer:?}")));
                }
            }
        }
    }
    nothing_is(&wrong);
    is_well(bench());
}
