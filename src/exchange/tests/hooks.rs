//! Exchanges with hooks, whatever comes in whichever order.

use super::*;
use crate::exchange::{HookStep, in_place_of};
use crate::hooks::{CallFailure, Outcome as HookOutcome};

/// What an exchange with hooks has come to.
#[derive(Default)]
struct Asked {
    /// The message of the call that is under way.
    under_way: Option<Vec<u8>>,
    passed: usize,
    /// How often the request has gone on.
    sent: usize,
    replies: usize,
}

impl Asked {
    fn request(&mut self, step: RequestStep<'_>) -> bool {
        match step {
            RequestStep::Ask => return true,
            RequestStep::Reply(_) | RequestStep::BreakOff(_) | RequestStep::Supersede(_) => self.replies += 1,
            RequestStep::Forward(_) | RequestStep::Call(_) | RequestStep::ForwardHeaders { .. } => self.sent += 1,
            _ => {}
        }
        false
    }

    fn next(&mut self, exchange: &mut Exchange, workspace: &mut Workspace) {
        match exchange.next_hook(ENVOY, workspace) {
            HookStep::Call(call) => self.under_way = Some(call.message.to_vec()),
            HookStep::Request {
                step: RequestStep::PassThrough,
                ..
            } => self.sent += 1,
            HookStep::Request { step, .. } => assert!(!self.request(step), "asked and nothing to ask"),
            HookStep::Reply(_) => self.replies += 1,
        }
    }
}

#[test]
fn nothing_goes_on_unasked_and_nobody_gets_two_answers() {
    let hooks = json!({
        "cluster": "c",
        "pre": [{ "name": "a" }, { "name": "b" }],
        "response": [{ "name": "c" }],
    });
    let plugins = [
        plugin(json!({ "hooks": hooks, "hold_headers": true })),
        plugin(json!({ "hooks": hooks, "hold_headers": true, "dispatch": "call" })),
        plugin(json!({ "hooks": hooks, "hold_headers": true, "unmatched": "pass_through" })),
        plugin(json!({ "hooks": hooks, "hold_headers": true, "upstream": { "connect_bridge": true } })),
    ];
    let paths = ["/unary", "/down", "/up/1", "/both", "/nowhere"];
    let mut workspace = Workspace::default();
    let mut ends = [0; 3];
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut exchange = Exchange::new(Rc::clone(&plugins[random.below(plugins.len())]));
        let mut asked = Asked::default();
        let method = ["GET", "POST", "PUT"][random.below(3)];
        let more: &[(&str, &str)] = match random.below(3) {
            0 => &[("content-type", "application/grpc")],
            _ => &[],
        };
        let headers = request(method, paths[random.below(paths.len())], more);
        let workspace = &mut workspace;
        let bodyless = random.below(2) == 0;
        let mut ask = asked.request(exchange.request_headers(headers, bodyless, ENVOY, workspace));
        for _ in 0..random.below(60) {
            // As hosts do, at once.
            if ask {
                asked.next(&mut exchange, workspace);
            }
            ask = false;
            let end = random.below(2) == 0;
            match random.below(9) {
                0 => ask = asked.request(exchange.release_request_headers(ENVOY, workspace)),
                1 => ask = asked.request(exchange.request_without_body(ENVOY, workspace)),
                2 | 3 => ask = asked.request(exchange.request_chunk(b"{\"id\": 3}", end, ENVOY, workspace)),
                4 | 5 => {
                    let Some(message) = asked.under_way.take() else {
                        continue;
                    };
                    let answer = match random.below(8) {
                        0 => Err(CallFailure::TimedOut),
                        1 => Ok(&b"\xff"[..]),
                        _ => Ok(&*message),
                    };
                    if let Some(news) = exchange.hook_answered(answer) {
                        asked.passed += usize::from(news.outcome == HookOutcome::Passed);
                        ask = true;
                    }
                }
                6 if asked.sent > 0 => {
                    let step = exchange.response_headers(grpc_response(), false, None, ENVOY, workspace);
                    asked.replies += usize::from(matches!(step, ResponseStep::Reply(_)));
                    ask = matches!(step, ResponseStep::Ask);
                }
                7 if asked.sent > 0 => {
                    let step = exchange.response_chunk(&framed(1), false, workspace);
                    asked.replies += usize::from(matches!(step, ResponseStep::Reply(_)));
                    ask = matches!(step, ResponseStep::Ask);
                }
                8 if asked.sent > 0 => {
                    let step = exchange.response_chunks_ended(ok(), workspace);
                    asked.replies += usize::from(matches!(step, ResponseStep::Reply(_)));
                    ask = matches!(step, ResponseStep::Ask);
                }
                _ => {}
            }
            assert!(asked.sent == 0 || asked.passed >= 2, "seed {seed}: unasked");
            assert!(
                asked.replies <= 1 && asked.sent <= 1,
                "seed {seed}: {} answers",
                asked.replies
            );
        }
        ends[0] += asked.sent;
        ends[1] += asked.replies;
        ends[2] += usize::from(asked.passed > 2);
    }
    // All of it happens.
    assert!(ends.iter().all(|count| *count > 20), "{ends:?}");
}

#[test]
fn an_answer_takes_the_place_of_one_that_is_held() {
    let held = headers(&[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("x-a", "1"),
        ("x-a", "2"),
    ]);
    let mut reply = Reply {
        status: 201,
        ..Reply::default()
    };
    reply.headers.push(b"x-b", b"1");
    reply.headers.push(b"x-b", b"2");
    reply.body = b"new".to_vec();
    let mut edits = HeaderEdits::default();
    in_place_of(&held, &reply, false, &mut edits);
    assert_eq!(edits.removed().collect::<Vec<_>>(), [&b"content-type"[..], b"x-a"]);
    assert_eq!(edits.sets().collect::<Vec<_>>(), [(&b":status"[..], &b"201"[..])]);
    let added = edits.adds().collect::<Vec<_>>();
    assert_eq!(
        added,
        [(&b"x-b"[..], &b"1"[..]), (b"x-b", b"2"), (b"content-length", b"3")]
    );
    reply.status = 204;
    in_place_of(&held, &reply, false, &mut edits);
    assert!(edits.adds().all(|(name, _)| name != b"content-length"));
    reply.status = 200;
    in_place_of(&held, &reply, true, &mut edits);
    assert!(edits.adds().all(|(name, _)| name != b"content-length"));
}
