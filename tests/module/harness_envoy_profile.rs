//! The in-process gateway does what Envoy does: each fact that it claims, shown by a small guest.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Exchange, Gateway, Host, HostCall, Progress, Request, Response, frame};
use crate::kit::{call_of, configuration, respond};

// Configuration

#[test]
fn a_configuration_arrives_as_its_bytes() {
    let log_it = [("proxy_on_configure", "(call $log_buffer (i32.const 7)) (i32.const 1)")];
    let gateway = Host::envoy().guest(guest(&log_it)).load("some text").unwrap();
    assert_eq!(logged(&gateway), ["some text"]);
}

#[test]
fn a_struct_configuration_arrives_as_the_bytes_of_the_message() {
    let log_it = [("proxy_on_configure", "(call $log_buffer (i32.const 7)) (i32.const 1)")];
    let gateway = Host::envoy()
        .guest(guest(&log_it))
        .load_struct(r#"{"a": "b"}"#)
        .unwrap();
    // fields { key: "a" value { string_value: "b" } }
    assert_eq!(logged(&gateway), ["\n\u{8}\n\u{1}a\u{12}\u{3}\u{1a}\u{1}b"]);
}

#[test]
fn a_refused_configuration_gives_the_log() {
    let refusing = [("proxy_on_configure", "(call $say 'no such key') (i32.const 0)")];
    let refused = Host::envoy().guest(guest(&refusing)).load("").err().unwrap();
    assert_eq!(
        (refused.trap, refused.log),
        (None, vec!["Info: no such key".to_owned()])
    );
}

#[test]
fn a_trap_in_the_configuration_is_a_refusal_too() {
    let trapping = [("proxy_on_configure", "unreachable")];
    let refused = Host::envoy().guest(guest(&trapping)).load("").err().unwrap();
    assert!(refused.trap.is_some());
}

#[test]
fn the_module_can_be_loaded_as_cargo_alone_builds_it() {
    let gateway = Host::envoy()
        .module_of_cargo_alone()
        .load(&configuration(json!({})))
        .unwrap();
    let exchange = gateway.request(Request::get("/v1/echo"));
    assert_eq!(call_of(&exchange).1, json!({}));
    respond(&exchange, json!({ "int32Value": 7 }));
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 7 }));
}

// Headers

#[test]
fn what_a_filter_lets_through_reaches_the_other_side_unchanged() {
    let gateway = load(&[]);
    let exchange = gateway.request(
        Request::post("/a")
            .header("x-a", b"\xff\x80")
            .chunk("one")
            .chunk("two")
            .trailer("t", "1"),
    );
    let forwarded = exchange.forwarded();
    assert_eq!(forwarded.headers.get(":path"), Some("/a"));
    assert_eq!(forwarded.headers.bytes("x-a"), Some(b"\xff\x80".as_slice()));
    assert_eq!(forwarded.chunks, [b"one", b"two"]);
    assert_eq!(forwarded.trailers.unwrap().get("t"), Some("1"));
    exchange.respond(Response::ok("message").header("x-b", "c"));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.headers.get("x-b")), (200, Some("c")));
    assert_eq!(answer.messages(), [b"message"]);
    assert_eq!(answer.trailers.unwrap().get("grpc-status"), Some("0"));
}

#[test]
fn pause_at_headers_lets_body_and_trailer_callbacks_come_and_headers_stay_editable() {
    let gateway = load(&[
        ("proxy_on_request_headers", "(i32.const 1)"),
        (
            "proxy_on_request_body",
            "(call $status 'body' (call $set_header (i32.const 0) 'x-body' 'yes')) (i32.const 1)",
        ),
        (
            "proxy_on_request_trailers",
            "(call $status 'trailers' (call $set_header (i32.const 0) 'x-trailers' 'yes')) (i32.const 0)",
        ),
    ]);
    let exchange = gateway.request(Request::post("/").chunk("one").trailer("t", "1"));
    assert_eq!(logged(&gateway), ["body=00", "trailers=00"]);
    let forwarded = exchange.forwarded();
    assert_eq!(
        (forwarded.headers.get("x-body"), forwarded.headers.get("x-trailers")),
        (Some("yes"), Some("yes"))
    );
    assert_eq!(forwarded.body(), b"one");
}

#[test]
fn headers_are_out_of_reach_once_their_callback_has_continued() {
    let gateway = load(&[(
        "proxy_on_request_body",
        "(call $status 'set' (call $set_header (i32.const 0) 'x-a' 'b')) \
         (call $status 'get' (call $get_header (i32.const 0) ':path' (i32.const 0) (i32.const 4))) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::post("/").chunk("one"));
    assert_eq!(logged(&gateway), ["set=02", "get=02"]);
    assert_eq!(exchange.forwarded().headers.get("x-a"), None);
}

#[test]
fn response_headers_paused_are_editable_at_the_trailers() {
    let gateway = load(&[
        ("proxy_on_response_headers", "(i32.const 1)"),
        ("proxy_on_response_body", "(i32.const 1)"),
        (
            "proxy_on_response_trailers",
            "(drop (call $set_header (i32.const 2) ':status' '404')) \
             (call $status 'body' (call $replace_body (i32.const 1) 'gone')) (i32.const 0)",
        ),
    ]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::grpc().message("m").trailer("grpc-status", "5"));
    assert_eq!(logged(&gateway), ["body=00"]);
    assert_eq!(
        (exchange.answer().status(), exchange.answer().text()),
        (404, "gone".to_owned())
    );
}

#[test]
fn without_stop_iteration_pause_at_headers_with_a_body_hangs() {
    let gateway = load_in(
        Host::envoy().without_headers_stop_iteration(),
        &[
            ("proxy_on_request_headers", "(i32.const 1)"),
            ("proxy_on_request_body", "(call $say 'body') (i32.const 0)"),
        ],
    );
    let exchange = gateway.request(Request::post("/").chunk("one"));
    assert_eq!(exchange.progress(), Progress::Hangs);
    assert_eq!(logged(&gateway), [""; 0]);
}

#[test]
fn without_stop_iteration_the_body_comes_once_the_stream_is_resumed() {
    let gateway = load_in(
        Host::envoy().without_headers_stop_iteration(),
        &[
            ("proxy_on_request_headers", &open_stream(UPSTREAM, "(i32.const 1)")),
            (
                "proxy_on_request_body",
                "(call $log_buffer (i32.const 0)) (i32.const 0)",
            ),
            ("proxy_on_grpc_receive", RESUME_REQUEST),
            ("proxy_on_done", CANCEL),
        ],
    );
    let exchange = gateway.request(Request::post("/").chunk("one").chunk("two"));
    assert_eq!(exchange.progress(), Progress::WaitsForCall);
    exchange.call_message("go");
    assert_eq!(logged(&gateway)[1..], ["onetwo"]);
    assert!(exchange.forwarded().ended);
}

#[test]
fn without_stop_iteration_a_filter_that_pauses_only_in_body_callbacks_works() {
    let gateway = load_in(
        Host::envoy().without_headers_stop_iteration(),
        &[(
            "proxy_on_request_body",
            "(if (result i32) (local.get 2) (then (drop (call $replace_body (i32.const 0) 'all')) (i32.const 0)) (else (i32.const 1)))",
        )],
    );
    let exchange = gateway.request(Request::post("/").chunk("one").chunk("two"));
    assert_eq!(exchange.forwarded().chunks, [b"all"]);
}

// Bodies

#[test]
fn a_paused_body_is_buffered_and_the_next_callback_sees_all_of_it() {
    let gateway = load(&[(
        "proxy_on_request_body",
        "(call $log_buffer (i32.const 0)) (i32.eqz (local.get 2))",
    )]);
    let exchange = gateway.request(Request::post("/").chunk("one").chunk("two").chunk(""));
    assert_eq!(logged(&gateway), ["one", "onetwo", "onetwo"]);
    assert_eq!(exchange.forwarded().chunks, [b"onetwo"]);
}

#[test]
fn a_body_that_continues_is_seen_and_passed_chunk_by_chunk() {
    let gateway = load(&[(
        "proxy_on_response_body",
        "(call $log_buffer (i32.const 1)) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond_headers(&Response::grpc().chunk(""));
    exchange.respond_data("one", false);
    assert_eq!(exchange.so_far().chunks, [b"one"]);
    exchange.respond_data("two", false);
    exchange.respond_trailers(&[("grpc-status", "0")]);
    assert_eq!(logged(&gateway), ["one", "two"]);
    assert_eq!(exchange.answer().chunks, [b"one", b"two"]);
}

#[test]
fn a_request_that_ended_at_its_headers_cannot_be_given_a_body() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(call $status 'set' (call $replace_body (i32.const 0) 'body')) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    assert_eq!(logged(&gateway), ["set=02"]);
    assert_eq!(exchange.forwarded().body(), b"");
}

#[test]
fn a_response_that_ended_at_its_headers_cannot_be_given_a_body() {
    let gateway = load(&[(
        "proxy_on_response_headers",
        "(call $status 'set' (call $replace_body (i32.const 1) 'body')) (i32.const 0)",
    )]);
    gateway.request(Request::get("/")).respond(Response::error(5, "gone"));
    assert_eq!(logged(&gateway), ["set=02"]);
}

#[test]
fn nothing_can_be_appended_at_the_trailers_once_the_body_has_gone_out() {
    let gateway = load(&[(
        "proxy_on_response_trailers",
        "(call $status 'set' (call $replace_body (i32.const 1) ']')) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::ok("message"));
    assert_eq!(logged(&gateway), ["set=02"]);
    assert_eq!(exchange.answer().messages(), [b"message"]);
}

#[test]
fn a_response_of_headers_and_trailers_has_no_body_to_write_at_the_trailers() {
    let gateway = load(&[
        ("proxy_on_response_headers", "(i32.const 1)"),
        (
            "proxy_on_response_trailers",
            "(call $status 'set' (call $replace_body (i32.const 1) 'body')) (i32.const 0)",
        ),
    ]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::grpc().trailer("grpc-status", "5"));
    assert_eq!(logged(&gateway), ["set=02"]);
    assert_eq!(exchange.answer().body(), b"");
}

#[test]
fn with_request_trailers_the_body_callback_never_sees_the_end() {
    let gateway = load(&[
        (
            "proxy_on_request_body",
            "(call $status 'end' (local.get 2)) (i32.const 0)",
        ),
        ("proxy_on_request_trailers", "(call $say 'trailers') (i32.const 0)"),
    ]);
    gateway.request(Request::post("/").chunk("one").chunk("two").trailer("t", "1"));
    assert_eq!(logged(&gateway), ["end=00", "end=00", "trailers"]);
}

#[test]
fn an_http1_body_ends_apart_from_its_bytes() {
    let gateway = load(&[(
        "proxy_on_request_body",
        "(call $status 'end' (local.get 2)) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::post("/").json("{}"));
    assert_eq!(logged(&gateway), ["end=00", "end=01"]);
    let forwarded = exchange.forwarded();
    assert_eq!(forwarded.headers.all("content-length"), ["2"]);
    assert_eq!(forwarded.json(), json!({}));
}

#[test]
fn a_buffer_write_replaces_all_or_goes_to_an_end_and_nothing_else() {
    let gateway = load(&[(
        "proxy_on_request_body",
        "(call $status 'all' (call $set_buffer (i32.const 0) (i32.const 0) (i32.const 9) 'bc')) \
         (call $status 'prepend' (call $set_buffer (i32.const 0) (i32.const 0) (i32.const 0) 'a')) \
         (call $status 'append' (call $set_buffer (i32.const 0) (i32.const 3) (i32.const 0) 'd')) \
         (call $status 'part' (call $set_buffer (i32.const 0) (i32.const 1) (i32.const 1) 'x')) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::post("/").chunk("one"));
    assert_eq!(logged(&gateway), ["all=00", "prepend=00", "append=00", "part=01"]);
    assert_eq!(exchange.forwarded().body(), b"abcd");
}

#[test]
fn a_buffered_request_over_the_limit_is_answered_413_whatever_the_filter_makes_of_it() {
    for last in [
        "(i32.const 1)",
        "(i32.const 0)",
        "(call $status 'set' (call $replace_body (i32.const 0) 'x')) (i32.const 0)",
        "(call $status 'set' (call $replace_body (i32.const 0) 'longer still')) (i32.const 2)",
        "(call $status 'reply' (call $reply (i32.const 404) 'no')) (i32.const 0)",
    ] {
        let gateway = load_in(
            Host::envoy().buffer_limit(4),
            &[(
                "proxy_on_request_body",
                &format!(
                    "(call $log_buffer (i32.const 0)) \
                     (if (result i32) (i32.gt_u (local.get 1) (i32.const 4)) (then {last}) (else (i32.const 1)))"
                ),
            )],
        );
        let exchange = gateway.request(Request::post("/").chunk("one").chunk("two"));
        // It does see it once more.
        assert_eq!(logged(&gateway)[..2], ["one", "onetwo"], "{last}");
        assert!(logged(&gateway)[2..].iter().all(|line| line.ends_with("=00")), "{last}");
        assert_eq!(
            (exchange.answer().status(), exchange.answer().text()),
            (413, "Payload Too Large".to_owned()),
            "{last}"
        );
        assert_eq!(exchange.forwarded().body(), b"", "{last}");
    }
}

#[test]
fn a_buffered_response_over_the_limit_becomes_a_bare_500() {
    let gateway = load_in(
        Host::envoy().buffer_limit(4),
        &[
            ("proxy_on_response_headers", "(i32.const 1)"),
            ("proxy_on_response_body", "(i32.const 1)"),
        ],
    );
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::new(200).header("x-a", "b").chunk("one").chunk("two"));
    assert_eq!(
        (exchange.answer().status(), exchange.answer().headers.get("x-a")),
        (500, None)
    );
}

#[test]
fn a_response_that_was_held_back_must_not_grow_over_the_limit() {
    let grow = "(drop (call $set_buffer (i32.const 1) (i32.const 0) (i32.const 100) 'longer'))";
    let respond = |at_body: &str, at_trailers: &str| {
        let gateway = load_in(
            Host::envoy().buffer_limit(4),
            &[
                ("proxy_on_response_headers", "(i32.const 1)"),
                ("proxy_on_response_body", at_body),
                ("proxy_on_response_trailers", at_trailers),
            ],
        );
        let exchange = gateway.request(Request::get("/"));
        exchange.respond(Response::new(200).chunk("one").trailer("x", "y"));
        exchange.answer().text()
    };
    let message = failure(|| {
        respond("(i32.const 1)", &format!("{grow} (i32.const 0)"));
    });
    assert!(message.contains("grows beyond the buffer"), "{message}");
    // What goes on at once knows no limit.
    assert_eq!(respond(&format!("{grow} (i32.const 0)"), "(i32.const 0)"), "longer");
}

#[test]
fn the_response_may_come_while_the_request_goes_on() {
    let gateway = load(&[]);
    let exchange = gateway.request(Request::post("/").chunk("one").open());
    assert_eq!(exchange.progress(), Progress::WaitsForClient);
    exchange.send("two", true);
    assert_eq!(exchange.progress(), Progress::WaitsForUpstream);
    assert_eq!(exchange.forwarded().chunks, [b"one", b"two"]);
}

// Bodies: what stop and buffer and what stop and watermark hold back

/// One of the two ways through a filter.
#[derive(Debug)]
struct Way {
    name: &'static str,
    /// The numbers of the body and of the headers, as the guest names them.
    body: u32,
    headers: u32,
    /// What the client gets when a buffer overflows.
    overflow: u16,
}

const WAYS: [Way; 2] = [
    Way {
        name: "request",
        body: 0,
        headers: 0,
        overflow: 413,
    },
    Way {
        name: "response",
        body: 1,
        headers: 2,
        overflow: 500,
    },
];

impl Way {
    /// A guest of this way's callbacks, by the end of their names.
    fn load(&self, limit: usize, callbacks: &[(&str, &str)]) -> Gateway {
        let named: Vec<_> = callbacks
            .iter()
            .map(|(name, body)| match name.strip_prefix("..") {
                Some(name) => (format!("proxy_on_{}_{name}", self.name), *body),
                None => ((*name).to_owned(), *body),
            })
            .collect();
        let named: Vec<_> = named.iter().map(|(name, body)| (name.as_str(), *body)).collect();
        load_in(Host::envoy().buffer_limit(limit), &named)
    }

    /// A body callback that logs what it sees, does `more`, and returns what the last character that it saw says.
    fn obey(&self, more: &str) -> String {
        format!(
            "(call $log_buffer (i32.const {})) {more} \
             (i32.sub \
                (i32.load8_u (i32.sub (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 4))) (i32.const 1))) \
                (i32.const 48))",
            self.body
        )
    }

    /// Writes a text over all of the body that is in reach, and logs the result.
    fn write(&self, text: &str) -> String {
        format!(
            "(call $status 'set' (call $replace_body (i32.const {}) '{text}'))",
            self.body
        )
    }

    /// Sends this through the filter.
    fn send(&self, gateway: &Gateway, chunks: &[&str], trailers: bool) -> Exchange {
        let exchange;
        if self.name == "request" {
            let mut request = chunks
                .iter()
                .fold(Request::post("/").open(), |request, chunk| request.chunk(chunk));
            if trailers {
                request = request.trailer("t", "1");
            }
            exchange = gateway.request(request);
        } else {
            exchange = gateway.request(Request::get("/"));
            exchange.respond_headers(&Response::new(200).chunk(""));
            for chunk in chunks {
                exchange.respond_data(chunk, false);
            }
            if trailers {
                exchange.respond_trailers(&[("t", "1")]);
            }
        }
        exchange
    }

    /// Sends one more chunk.
    fn send_more(&self, exchange: &Exchange, chunk: &str) {
        match self.name {
            "request" => exchange.send(chunk, false),
            _ => exchange.respond_data(chunk, false),
        }
    }

    /// The chunks that have come out behind the filter.
    fn passed(&self, exchange: &Exchange) -> Vec<String> {
        let passed = match self.name {
            "request" => exchange.forwarded(),
            _ => exchange.so_far(),
        };
        let text = |chunk: &Vec<u8>| String::from_utf8(chunk.clone()).unwrap();
        passed.chunks.iter().map(text).collect()
    }
}

#[test]
fn a_body_callback_sees_all_that_is_buffered_or_else_the_new_part_alone() {
    // The last character of a chunk is what the callback returns; each time what it has seen, and what has passed.
    type Case = (
        &'static [&'static str],
        &'static [&'static str],
        &'static [&'static str],
    );
    let cases: [Case; 6] = [
        (&["a2", "b2", "c0"], &["a2", "b2", "c0"], &["a2b2c0"]),
        (&["a1", "b1", "c0"], &["a1", "a1b1", "a1b1c0"], &["a1b1c0"]),
        (&["a2", "b1", "c0"], &["a2", "b1", "a2b1c0"], &["a2b1c0"]),
        (&["a1", "b2", "c0"], &["a1", "a1b2", "c0"], &["a1b2c0"]),
        (
            &["a1", "b2", "c1", "d2", "e0"],
            &["a1", "a1b2", "c1", "a1b2c1d2", "e0"],
            &["a1b2c1d2e0"],
        ),
        (
            &["a0", "b2", "c0", "d1", "e0"],
            &["a0", "b2", "c0", "d1", "d1e0"],
            &["a0", "b2c0", "d1e0"],
        ),
    ];
    for way in &WAYS {
        for (chunks, seen, passed) in cases {
            let gateway = way.load(100, &[("..body", &way.obey(""))]);
            let exchange = way.send(&gateway, &chunks[..chunks.len() - 1], false);
            assert_eq!(way.passed(&exchange), passed[..passed.len() - 1], "{way:?}");
            way.send_more(&exchange, chunks[chunks.len() - 1]);
            assert_eq!(logged(&gateway), seen, "{way:?}");
            assert_eq!(way.passed(&exchange), passed, "{way:?}");
        }
    }
}

#[test]
fn what_a_callback_has_made_of_a_part_is_put_aside_behind_a_stop_and_watermark() {
    for way in &WAYS {
        let gateway = way.load(100, &[("..body", &way.obey(&way.write("written,")))]);
        let exchange = way.send(&gateway, &["a2", "b2", "c0"], false);
        assert_eq!(
            logged(&gateway),
            ["a2", "set=00", "b2", "set=00", "c0", "set=00"],
            "{way:?}"
        );
        assert_eq!(way.passed(&exchange), ["written,written,written,"], "{way:?}");
    }
}

#[test]
fn what_a_callback_has_asked_for_is_done_behind_a_stop_and_watermark_too() {
    for way in &WAYS {
        let edit = format!("(drop (call $set_header (i32.const {}) 'x-a' 'b')) ", way.headers);
        let gateway = way.load(100, &[("..headers", "(i32.const 1)"), ("..body", &way.obey(&edit))]);
        let exchange = way.send(&gateway, &["a2", "b0"], false);
        let passed = match way.name {
            "request" => exchange.forwarded(),
            _ => exchange.so_far(),
        };
        assert_eq!((passed.headers.get("x-a"), passed.text().as_str()), (Some("b"), "a2b0"));
        let reply = [("..body", "(drop (call $reply (i32.const 404) 'no')) (i32.const 2)")];
        let gateway = way.load(100, &[&[("..headers", "(i32.const 1)")], reply.as_slice()].concat());
        let answer = way.send(&gateway, &["a"], false).answer();
        assert_eq!((answer.status(), answer.text().as_str()), (404, "no"), "{way:?}");
    }
}

#[test]
fn over_the_limit_stop_and_buffer_ends_an_exchange_and_stop_and_watermark_does_not() {
    for way in &WAYS {
        let load = || way.load(4, &[("..headers", "(i32.const 1)"), ("..body", &way.obey(""))]);
        // Behind the callback, when it has left too much; for a response in front of it, when too much comes.
        for (chunks, seen, by_a_request) in [
            (["abcd1"].as_slice(), ["abcd1"].as_slice(), None),
            (&["a1", "bcd1"], &["a1"], Some("a1bcd1")),
            // What was put aside counts.
            (&["a2", "bcd1"], &["a2", "bcd1"], None),
            (&["a2", "b1", "c0"], &["a2", "b1"], Some("a2b1c0")),
            (&["a1", "b2", "c1"], &["a1", "a1b2", "c1"], None),
        ] {
            let gateway = load();
            let exchange = way.send(&gateway, chunks, false);
            let by_a_request = by_a_request.filter(|_| way.name == "request");
            assert_eq!(logged(&gateway), [seen, by_a_request.as_slice()].concat(), "{way:?}");
            assert_eq!(exchange.answer().status(), way.overflow, "{way:?} {chunks:?}");
        }
        // What goes on at once, and what is put aside, knows no limit.
        for chunks in [["a2", "bcd2"], ["a2", "bcdef0"], ["abcd0", "e2"]] {
            let gateway = load();
            let exchange = way.send(&gateway, &chunks, false);
            assert_eq!(logged(&gateway), chunks, "{way:?}");
            assert!(
                !matches!(exchange.progress(), Progress::Answered | Progress::Reset),
                "{way:?}"
            );
        }
    }
}

#[test]
fn over_the_limit_a_stop_and_watermark_lets_nothing_more_come_until_the_stream_is_resumed() {
    for way in &WAYS {
        let resume = format!(
            "(drop (call $effective (i32.load (i32.const 20)))) (drop (call $continue (i32.const {})))",
            way.body
        );
        let remember = "(i32.store (i32.const 20) (local.get 0)) ";
        let gateway = way.load(
            4,
            &[
                ("..headers", "(drop (call $tick (i32.const 50))) (i32.const 1)"),
                ("..body", &way.obey(remember)),
                ("..trailers", "(call $say 'trailers') (i32.const 0)"),
                ("proxy_on_tick", &resume),
            ],
        );
        let exchange = way.send(&gateway, &["ab2", "c2", "d2", "efghi2"], true);
        let seen = ["ab2", "c2", "d2", "efghi2", "trailers"];
        assert_eq!(logged(&gateway), seen[..2], "{way:?}");
        assert_eq!(exchange.progress(), Progress::WaitsForTime, "{way:?}");
        // What was put aside goes, and then the rest comes as it was sent, until there is again too much.
        gateway.advance(Duration::from_millis(50));
        assert_eq!(logged(&gateway), seen[..4], "{way:?}");
        assert_eq!(way.passed(&exchange), ["ab2c2"], "{way:?}");
        gateway.advance(Duration::from_millis(50));
        assert_eq!(logged(&gateway), seen, "{way:?}");
        assert_eq!(way.passed(&exchange), ["ab2c2", "d2efghi2"], "{way:?}");
    }
}

#[test]
fn behind_a_stop_and_watermark_the_trailers_callback_must_not_touch_the_body() {
    for way in &WAYS {
        let read = format!("(call $log_buffer (i32.const {}))", way.body);
        for touch in [&read, &way.write("x")] {
            let at_trailers = format!("{touch} (i32.const 0)");
            let gateway = || {
                way.load(
                    100,
                    &[
                        ("..headers", "(i32.const 1)"),
                        ("..body", &way.obey("")),
                        ("..trailers", &at_trailers),
                    ],
                )
            };
            let message = failure(|| drop(way.send(&gateway(), &["a1", "b2"], true)));
            assert!(message.contains("freed memory"), "{message}");
            assert!(
                message.contains(&format!("proxy_on_{}_trailers", way.name)),
                "{message}"
            );
            // Behind a stop and buffer it is there, whatever was before.
            let gateway = gateway();
            let exchange = way.send(&gateway, &["a2", "b1"], true);
            let (seen, passed) = match touch == &read {
                true => ("a2b1", "a2b1"),
                false => ("set=00", "x"),
            };
            assert_eq!(logged(&gateway), ["a2", "b1", seen], "{way:?}");
            assert_eq!(way.passed(&exchange), [passed], "{way:?}");
        }
        // Who doesn't touch it lets all go.
        let gateway = way.load(100, &[("..body", &way.obey("")), ("..trailers", "(i32.const 0)")]);
        let exchange = way.send(&gateway, &["a1", "b2"], true);
        assert_eq!(way.passed(&exchange), ["a1b2"], "{way:?}");
    }
}

#[test]
fn what_is_buffered_must_not_grow_over_the_limit() {
    for way in &WAYS {
        let [long, short] = ["longer", "s"].map(|text| way.write(text));
        let send = |at_body: &str, at_trailers: &str| {
            let gateway = way.load(
                4,
                &[
                    ("..body", &way.obey(at_body)),
                    ("..trailers", &format!("{at_trailers} (i32.const 0)")),
                ],
            );
            move |chunks: &[&str]| {
                let exchange = way.send(&gateway, chunks, true);
                way.passed(&exchange).concat()
            }
        };
        // In the second body callback, also for a moment; in the trailers callback.
        let second = format!("(if (i32.gt_u (local.get 1) (i32.const 2)) (then {long} {short}))");
        for (at_body, at_trailers, chunks) in [
            (second.as_str(), "", ["a1", "b0"].as_slice()),
            (&second, "", &["a1", "b1"]),
            (&second, "", &["a1", "b2"]),
            ("", &long, &["a1"]),
            ("", &long, &["a2", "b1"]),
        ] {
            let message = failure(|| drop(send(at_body, at_trailers)(chunks)));
            assert!(
                message.contains("grows beyond the buffer"),
                "{way:?} {chunks:?}: {message}"
            );
        }
        // A part that comes is in no buffer.
        assert_eq!(send(&long, "")(&["a0", "b0"]), "longerlonger", "{way:?}");
        assert_eq!(send(&long, "")(&["a2"]), "", "{way:?}");
        assert_eq!(send(&short, &short)(&["a1", "b1"]), "s", "{way:?}");
    }
}

#[test]
fn what_is_put_aside_is_out_of_reach_of_other_callbacks_and_the_headers_are_not() {
    for way in &WAYS {
        let exchange = |at_tick: &str| {
            let gateway = way.load(
                100,
                &[
                    (
                        "..headers",
                        "(i32.store (i32.const 20) (local.get 0)) (drop (call $tick (i32.const 50))) (i32.const 1)",
                    ),
                    ("..body", &way.obey("")),
                    (
                        "proxy_on_tick",
                        &format!(
                            "(drop (call $tick (i32.const 0))) (drop (call $effective (i32.load (i32.const 20)))) {at_tick} \
                             (drop (call $continue (i32.const {})))",
                            way.body
                        ),
                    ),
                ],
            );
            let exchange = way.send(&gateway, &["a2"], false);
            gateway.advance(Duration::from_millis(50));
            (gateway, exchange)
        };
        for touch in [format!("(call $log_buffer (i32.const {}))", way.body), way.write("x")] {
            let message = failure(|| drop(exchange(&touch)));
            assert!(
                message.contains("in proxy_on_tick") && message.contains("freed memory"),
                "{message}"
            );
        }
        let edit = format!(
            "(call $status 'set' (call $set_header (i32.const {}) 'x-a' 'b'))",
            way.headers
        );
        let (gateway, exchange) = exchange(&edit);
        assert_eq!(logged(&gateway), ["a2", "set=00"], "{way:?}");
        assert_eq!(way.passed(&exchange), ["a2"], "{way:?}");
        // The next part is seen again, and goes on its own.
        way.send_more(&exchange, "b0");
        assert_eq!(way.passed(&exchange), ["a2", "b0"], "{way:?}");
        let passed = match way.name {
            "request" => exchange.forwarded(),
            _ => exchange.so_far(),
        };
        assert_eq!(passed.headers.get("x-a"), Some("b"), "{way:?}");
    }
}

#[test]
fn a_body_callback_must_return_nothing_else() {
    for way in &WAYS {
        let gateway = way.load(100, &[("..body", &way.obey(""))]);
        let message = failure(|| drop(way.send(&gateway, &["a3"], false)));
        assert!(message.contains("returned 3"), "{message}");
    }
}

// Local replies

#[test]
fn a_local_reply_passes_through_the_filters_own_response_callbacks() {
    let gateway = load(&[
        (
            "proxy_on_request_headers",
            "(call $status 'first' (call $reply (i32.const 404) 'no')) \
             (call $status 'second' (call $reply (i32.const 500) 'again')) (i32.const 0)",
        ),
        ("proxy_on_request_body", "(call $say 'body') (i32.const 0)"),
        (
            "proxy_on_response_headers",
            "(drop (call $set_header (i32.const 2) 'x-a' 'b')) (i32.const 0)",
        ),
        (
            "proxy_on_response_body",
            "(call $log_buffer (i32.const 1)) (i32.const 0)",
        ),
    ]);
    let exchange = gateway.request(Request::post("/").chunk("one"));
    assert_eq!(logged(&gateway), ["first=00", "second=02", "no"]);
    let answer = exchange.answer();
    assert_eq!(
        (answer.status(), answer.text(), answer.headers.get("x-a")),
        (404, "no".to_owned(), Some("b"))
    );
    assert_eq!(answer.headers.get("content-type"), Some("text/plain"));
    assert_eq!(answer.headers.get("content-length"), Some("2"));
}

#[test]
fn a_local_reply_to_head_has_no_body() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(drop (call $reply (i32.const 404) 'no')) (i32.const 1)",
    )]);
    let answer = gateway.request(Request::new("HEAD", "/")).answer();
    assert_eq!(
        (answer.status(), answer.body(), answer.headers.get("content-length")),
        (404, vec![], Some("2"))
    );
}

#[test]
fn a_local_reply_from_the_response_headers_replaces_the_response() {
    let gateway = load(&[(
        "proxy_on_response_headers",
        "(call $say 'headers') (call $status 'reply' (call $reply (i32.const 404) 'gone')) (i32.const 1)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::error(5, "gone"));
    assert_eq!(logged(&gateway), ["headers", "reply=00"]);
    let answer = exchange.answer();
    assert_eq!(
        (answer.status(), answer.text(), answer.headers.get("grpc-status")),
        (404, "gone".to_owned(), None)
    );
}

#[test]
fn a_local_reply_after_the_response_headers_resets_the_stream() {
    let gateway = load(&[(
        "proxy_on_response_body",
        "(drop (call $reply (i32.const 502) 'bad')) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::ok("message"));
    assert_eq!(exchange.progress(), Progress::Reset);
    assert_eq!(exchange.so_far().body(), b"");
}

#[test]
fn closing_the_stream_resets_it() {
    let gateway = load(&[(
        "proxy_on_response_body",
        "(drop (call $close (i32.const 1))) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::ok("message"));
    assert_eq!(exchange.progress(), Progress::Reset);
}

// gRPC calls

#[test]
fn a_stream_is_recorded_as_the_server_sees_it() {
    let gateway = load(&[
        ("proxy_on_request_headers", &open_stream(UPSTREAM, "(i32.const 1)")),
        (
            "proxy_on_grpc_receive_initial_metadata",
            "(call $status 'initial' (local.get 2))",
        ),
        ("proxy_on_grpc_receive", "(call $log_buffer (i32.const 5))"),
        (
            "proxy_on_grpc_receive_trailing_metadata",
            "(call $status 'trailing' (local.get 2))",
        ),
        (
            "proxy_on_grpc_close",
            "(call $status 'close' (local.get 2)) (call $answer)",
        ),
    ]);
    let exchange = gateway.request(Request::get("/"));
    let call = exchange.call();
    assert_eq!(
        (call.cluster.as_str(), call.service.as_str(), call.method.as_str()),
        ("upstream", "pkg.Service", "Do")
    );
    assert_eq!(
        (call.metadata.get("a"), call.messages),
        (Some("b"), vec![b"message".to_vec()])
    );
    assert!(call.closed && !call.cancelled && call.timeout.is_none());
    exchange.respond(
        Response::grpc()
            .message("one")
            .message("two")
            .trailer("grpc-status", "7")
            .trailer("a", "b"),
    );
    assert_eq!(
        logged(&gateway)[1..],
        ["initial=02", "one", "two", "trailing=02", "close=07"]
    );
    assert_eq!(exchange.answer().text(), "answer");
}

#[test]
fn trailers_only_arrives_wholly_as_trailing_metadata() {
    let gateway = grpc_logger();
    gateway.request(Request::get("/")).respond(Response::error(5, "gone"));
    assert_eq!(logged(&gateway)[1..4], ["initial=00", "trailing=04", "close=05"]);
}

#[test]
fn what_is_no_grpc_answer_arrives_as_a_status() {
    let cases = [
        (Response::new(503).chunk("no healthy upstream"), "14"),
        (Response::new(404).chunk("what?"), "12"),
        (Response::grpc().chunk("x").trailer("grpc-status", "0"), "13"),
        (
            Response::grpc()
                .chunk(frame(1, b"compressed"))
                .trailer("grpc-status", "0"),
            "13",
        ),
        (Response::grpc().message("and no trailers"), "02"),
        (Response::grpc().message("").trailer("grpc-status", "zero"), "02"),
    ];
    for (response, code) in cases {
        let gateway = grpc_logger();
        let exchange = gateway.request(Request::get("/"));
        exchange.respond(response.clone());
        assert!(logged(&gateway).contains(&format!("close={code}")), "{response:?}");
    }
}

#[test]
fn a_call_that_the_gateway_ends_looks_like_trailers_only() {
    let gateway = grpc_logger();
    let exchange = gateway.request(Request::get("/"));
    exchange.call_fails(14, "upstream request timeout", "response_timeout");
    let expected = [
        "initial=00",
        "trailing=04",
        "close=14",
        "upstream request timeout{response_timeout}",
    ];
    assert_eq!(logged(&gateway)[1..], expected);
}

#[test]
fn the_message_of_a_close_says_whose_answer_it_was() {
    let gateway = grpc_logger();
    gateway
        .request(Request::get("/"))
        .respond(Response::error(14, "why not"));
    assert_eq!(logged(&gateway).last().unwrap(), "why not{via_upstream}");
}

#[test]
fn a_cluster_that_does_not_exist_is_an_internal_failure_at_the_call() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        &open_stream("\\0a\\06\\0a\\04nope", "(i32.const 0)"),
    )]);
    let exchange = gateway.request(Request::get("/"));
    assert_eq!(logged(&gateway), ["open=10"]);
    assert_eq!(exchange.calls().len(), 0);
}

#[test]
fn a_bare_cluster_name_would_abort_envoy() {
    let gateway = load(&[("proxy_on_request_headers", &open_stream("upstream", "(i32.const 0)"))]);
    let failure = failure(|| drop(gateway.request(Request::get("/"))));
    assert!(failure.contains("would abort Envoy"), "{failure}");
}

#[test]
fn after_a_cancel_no_callback_arrives() {
    let gateway = load(&[
        ("proxy_on_request_headers", &open_stream(UPSTREAM, "(i32.const 1)")),
        (
            "proxy_on_grpc_receive",
            "(call $answer) (call $status 'cancel' (call $cancel (local.get 1)))",
        ),
        ("proxy_on_grpc_receive_trailing_metadata", "(call $say 'trailing')"),
        ("proxy_on_grpc_close", "(call $say 'close')"),
    ]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::ok("message"));
    assert_eq!(logged(&gateway)[1..], ["cancel=00"]);
    assert!(exchange.call().cancelled);
    assert_eq!(exchange.answer().text(), "answer");
}

#[test]
fn nothing_is_cancelled_when_the_client_leaves() {
    let gateway = load(&[("proxy_on_request_headers", &open_stream(UPSTREAM, "(i32.const 1)"))]);
    let exchange = gateway.request(Request::get("/"));
    let failure = failure(|| exchange.client_leaves());
    assert!(failure.contains("not cancelled"), "{failure}");
}

#[test]
fn a_callback_of_a_call_acts_on_the_exchange_through_the_effective_context() {
    let gateway = load(&[
        ("proxy_on_request_headers", &open_stream(UPSTREAM, "(i32.const 1)")),
        ("proxy_on_grpc_receive", RESUME_REQUEST),
        ("proxy_on_done", CANCEL),
    ]);
    let exchange = gateway.request(Request::get("/"));
    exchange.call_metadata(&[]);
    exchange.call_message("go");
    assert!(exchange.forwarded().ended);
}

// The rest

#[test]
fn time_stands_still_but_for_the_test_and_ticks_when_the_guest_says() {
    let gateway = load(&[
        (
            "proxy_on_request_headers",
            "(i32.store (i32.const 20) (local.get 0)) (drop (call $tick (i32.const 50))) (i32.const 1)",
        ),
        (
            "proxy_on_tick",
            "(call $say 'tick') (call $answer) (drop (call $tick (i32.const 0)))",
        ),
    ]);
    let exchange = gateway.request(Request::get("/"));
    assert_eq!(exchange.progress(), Progress::WaitsForTime);
    gateway.advance(Duration::from_millis(49));
    assert_eq!(exchange.progress(), Progress::WaitsForTime);
    gateway.advance(Duration::from_millis(100));
    assert_eq!(logged(&gateway), ["tick"]);
    assert_eq!(exchange.answer().text(), "answer");
}

#[test]
fn properties_are_found_or_not_found() {
    let get = "(call $status 'property' (call $get_property 'xds\\00cluster_name' (i32.const 0) (i32.const 4))) \
               (call $status 'ngx' (call $get_property 'ngx\\00nginx_version' (i32.const 0) (i32.const 4))) (i32.const 0)";
    let callbacks = [("proxy_on_request_headers", get)];
    let own: [(Vec<&str>, &[u8]); 1] = [(vec!["xds", "cluster_name"], b"users")];
    let gateway = load(&callbacks);
    gateway.request_with(&own, Request::get("/"));
    gateway.request(Request::get("/"));
    assert_eq!(logged(&gateway), ["property=00", "ngx=01", "property=01", "ngx=01"]);
    let gateway = load_in(Host::envoy().property(&["xds", "cluster_name"], "users"), &callbacks);
    gateway.request(Request::get("/"));
    assert_eq!(logged(&gateway), ["property=00", "ngx=01"]);
}

#[test]
fn host_calls_are_counted_by_kind() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(drop (call $get_header (i32.const 0) ':path' (i32.const 0) (i32.const 4))) \
         (drop (call $get_headers (i32.const 0) (i32.const 0) (i32.const 4))) \
         (drop (call $set_header (i32.const 0) 'a' 'b')) \
         (drop (call $define_metric (i32.const 0) 'requests' (i32.const 8))) \
         (call $status 'metric' (call $increment_metric (i32.load (i32.const 8)) (i64.const 1))) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    assert_eq!(logged(&gateway), ["metric=00"]);
    let expected = [
        (HostCall::GetHeaders, 1),
        (HostCall::GetHeader, 1),
        (HostCall::SetHeader, 1),
        (HostCall::Metric, 2),
        (HostCall::Log, 1),
    ];
    assert_eq!(exchange.host_calls(), expected.into_iter().collect());
}

#[test]
fn the_last_callbacks_come_in_order_and_reach_headers_read_only() {
    let log = "(call $status 'get' (call $get_header (i32.const 0) ':path' (i32.const 0) (i32.const 4))) \
               (call $status 'set' (call $set_header (i32.const 0) 'a' 'b'))";
    let callbacks = [
        ("proxy_on_done", "(call $say 'done') (i32.const 1)"),
        ("proxy_on_log", log),
        ("proxy_on_delete", "(call $say 'delete')"),
    ];
    let expected = ["done", "get=00", "set=02", "delete"];
    let gateway = load(&callbacks);
    gateway.request(Request::get("/")).respond(Response::ok("message"));
    assert_eq!(logged(&gateway), expected);
    let gateway = load(&callbacks);
    let exchange = gateway.request(Request::get("/"));
    exchange.client_leaves();
    assert_eq!(
        (logged(&gateway), exchange.progress()),
        (expected.map(str::to_owned).to_vec(), Progress::ClientLeft)
    );
}

#[test]
fn exchanges_interleave_in_one_machine() {
    let gateway = load(&[
        ("proxy_on_request_headers", "(i32.const 1)"),
        (
            "proxy_on_request_body",
            "(call $log_buffer (i32.const 0)) (i32.eqz (local.get 2))",
        ),
    ]);
    let exchanges: Vec<Exchange> = (0..3).map(|_| gateway.request(Request::post("/").open())).collect();
    for (exchange, body) in exchanges.iter().zip(["a", "b", "c"]) {
        exchange.send(body, false);
    }
    for exchange in &exchanges {
        exchange.send("!", true);
    }
    assert_eq!(logged(&gateway), ["a", "b", "c", "a!", "b!", "c!"]);
    assert_eq!(exchanges[1].forwarded().body(), b"b!");
}

#[test]
fn a_trap_fails_the_test_with_the_message_of_the_panic() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(call $panic 'index out of bounds') unreachable",
    )]);
    let failure = failure(|| drop(gateway.request(Request::get("/"))));
    assert!(
        failure.contains("trapped in proxy_on_request_headers: index out of bounds"),
        "{failure}"
    );
}

#[test]
fn a_header_that_splits_the_message_fails_the_test() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(call $set_header (i32.const 0) 'a' 'b\\0d\\0ac: d')",
    )]);
    let failure = failure(|| drop(gateway.request(Request::get("/"))));
    assert!(failure.contains("splits or truncates"), "{failure}");
}

#[test]
fn a_content_length_that_is_not_the_bodys_fails_the_test() {
    let gateway = load(&[(
        "proxy_on_request_body",
        "(drop (call $replace_body (i32.const 0) 'longer')) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::post("/").header("content-length", "3").chunk("one"));
    let failure = failure(|| drop(exchange.forwarded()));
    assert!(failure.contains("content-length 3 and has 6 bytes"), "{failure}");
}

/// A guest that answers a GET from a gRPC stream and logs what comes of it.
fn grpc_logger() -> Gateway {
    load(&[
        ("proxy_on_request_headers", &open_stream(UPSTREAM, "(i32.const 1)")),
        (
            "proxy_on_grpc_receive_initial_metadata",
            "(call $status 'initial' (local.get 2))",
        ),
        (
            "proxy_on_grpc_receive_trailing_metadata",
            "(call $status 'trailing' (local.get 2))",
        ),
        (
            "proxy_on_grpc_close",
            "(call $status 'close' (local.get 2)) \
             (drop (call $get_status (i32.const 8) (i32.const 0) (i32.const 4))) \
             (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))) (call $answer)",
        ),
    ])
}

/// Opens a stream, keeps its token at 16 and its context at 20, sends one message with the end; then `rest`. The metadata are `a: b`.
fn open_stream(upstream: &str, rest: &str) -> String {
    format!(
        "(i32.store (i32.const 20) (local.get 0)) \
         (call $status 'open' (call $grpc_stream '{upstream}' 'pkg.Service' 'Do' '\\01\\00\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00a\\00b\\00' (i32.const 16))) \
         (drop (call $grpc_send (i32.load (i32.const 16)) 'message' (i32.const 1))) {rest}"
    )
}

/// `GrpcService { envoy_grpc { cluster_name: "upstream" } }`.
const UPSTREAM: &str = "\\0a\\0a\\0a\\08upstream";
const RESUME_REQUEST: &str = "(drop (call $effective (i32.load (i32.const 20)))) (drop (call $continue (i32.const 0)))";
const CANCEL: &str = "(drop (call $cancel (i32.load (i32.const 16)))) (i32.const 1)";

fn load(callbacks: &[(&str, &str)]) -> Gateway {
    load_in(Host::envoy(), callbacks)
}

fn load_in(host: Host, callbacks: &[(&str, &str)]) -> Gateway {
    host.guest(guest(callbacks)).load("").unwrap()
}

/// What a guest has logged at level Info.
pub fn logged(gateway: &Gateway) -> Vec<String> {
    gateway
        .log()
        .iter()
        .filter_map(|line| line.strip_prefix("Info: "))
        .map(str::to_owned)
        .collect()
}

/// The message with which `action` fails the test.
pub fn failure(action: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(action)).expect_err("it fails");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a message")).to_owned(),
    }
}

/// A guest with these callbacks. In a body, `'text'` stands for the address and the length of a string.
pub fn guest(callbacks: &[(&str, &str)]) -> String {
    let mut module = PRELUDE.to_owned();
    for (name, body) in callbacks {
        let (parameters, result) = match *name {
            "proxy_on_configure" => (2, true),
            "proxy_on_done" => (1, true),
            "proxy_on_context_create" => (2, false),
            "proxy_on_log" | "proxy_on_delete" | "proxy_on_tick" => (1, false),
            "proxy_on_request_trailers" | "proxy_on_response_trailers" => (2, true),
            name if name.starts_with("proxy_on_grpc") => (3, false),
            _ => (3, true),
        };
        let parameters = "i32 ".repeat(parameters);
        let result = if result { "(result i32)" } else { "" };
        module.push_str(&format!(
            "(func (export \"{name}\") (param {parameters}) {result} {body})\n"
        ));
    }
    let mut text = String::new();
    let mut data = String::new();
    let mut address = 4096;
    for (index, part) in module.split('\'').enumerate() {
        if index % 2 == 0 {
            text.push_str(part);
            continue;
        }
        // A hexadecimal escape is three characters for one byte.
        let length = part.len() - 2 * part.matches('\\').count();
        data.push_str(&format!("(data (i32.const {address}) \"{part}\")\n"));
        text.push_str(&format!("(i32.const {address}) (i32.const {length})"));
        address += length;
    }
    format!("(module {text} {data})")
}

/// The host functions, an allocator, and what reports results. 0 to 32 are for results, 1024 to 4096 for log lines.
const PRELUDE: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_pairs" (func $get_headers (param i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_remove_header_map_value" (func $remove_header (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_done" (func $done (result i32)))
    (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
    (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
    (import "env" "proxy_send_local_response"
      (func $local_response (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
    (import "env" "proxy_grpc_stream" (func $grpc_stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_grpc_send" (func $grpc_send (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_grpc_cancel" (func $cancel (param i32) (result i32)))
    (import "env" "proxy_get_status" (func $get_status (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
    (import "env" "proxy_define_metric" (func $define_metric (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_increment_metric" (func $increment_metric (param i32 i64) (result i32)))
    (memory (export "memory") 4)
    (global $heap (mut i32) (i32.const 65536))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
      (global.get $heap)
      (global.set $heap (i32.add (global.get $heap) (local.get $size))))
    (func $say (param $text i32) (param $length i32)
      (drop (call $log (i32.const 2) (local.get $text) (local.get $length))))
    (func $panic (param $text i32) (param $length i32)
      (drop (call $log (i32.const 5) (local.get $text) (local.get $length))))
    ;; Logs `label=NN`.
    (func $status (param $label i32) (param $length i32) (param $status i32)
      (memory.copy (i32.const 1024) (local.get $label) (local.get $length))
      (i32.store8 offset=1024 (local.get $length) (i32.const 61))
      (i32.store8 offset=1025 (local.get $length)
        (i32.add (i32.const 48) (i32.div_u (local.get $status) (i32.const 10))))
      (i32.store8 offset=1026 (local.get $length)
        (i32.add (i32.const 48) (i32.rem_u (local.get $status) (i32.const 10))))
      (call $say (i32.const 1024) (i32.add (local.get $length) (i32.const 3))))
    ;; Logs what a buffer holds.
    (func $log_buffer (param $buffer i32)
      (drop (call $get_buffer (local.get $buffer) (i32.const 0) (i32.const 65536) (i32.const 0) (i32.const 4)))
      (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))))
    (func $replace_body (param $buffer i32) (param $text i32) (param $length i32) (result i32)
      (call $set_buffer (local.get $buffer) (i32.const 0) (i32.const 65536) (local.get $text) (local.get $length)))
    (func $reply (param $status i32) (param $text i32) (param $length i32) (result i32)
      (call $local_response (local.get $status) (i32.const 0) (i32.const 0) (local.get $text) (local.get $length)
        (i32.const 0) (i32.const 0) (i32.const -1)))
    ;; Answers the exchange whose context is kept at 20.
    (func $answer
      (drop (call $effective (i32.load (i32.const 20))))
      (drop (call $reply (i32.const 200) 'answer')))
"#;
