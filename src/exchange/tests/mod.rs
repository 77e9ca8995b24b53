//! The state machine without a host: whatever comes in whatever order, a client gets one answer.

use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::json;

use super::*;
use crate::grpc::frame;
use crate::http::headers::HeaderEdits;

mod growth;
mod hooks;
mod records;

const PROTO: &str = r#"
    syntax = "proto3";
    package test;
    import "google/api/annotations.proto";
    service Echo {
      rpc Unary(Note) returns (Note) { option (google.api.http) = { post: "/unary" body: "*" additional_bindings { get: "/unary" } }; }
      rpc Down(Note) returns (stream Note) { option (google.api.http) = { post: "/down" body: "*" }; }
      rpc Up(stream Note) returns (Note) { option (google.api.http) = { post: "/up/{id}" additional_bindings { post: "/up-by/{text}" body: "*" } body: "*" }; }
      rpc Both(stream Note) returns (stream Note) { option (google.api.http) = { post: "/both" body: "*" }; }
    }
    message Note { string text = 1; int32 id = 2; }
"#;

const ENVOY: Abilities = Abilities::envoy(true, None);

fn plugin(configuration: serde_json::Value) -> Rc<Plugin> {
    let mut configuration = configuration;
    configuration["proto"] = PROTO.into();
    Rc::new(Plugin::load(configuration.to_string().as_bytes(), 1).unwrap())
}

fn headers(fields: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in fields {
        headers.push(name.as_bytes(), value.as_bytes());
    }
    headers
}

fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Headers {
    let mut fields = vec![
        (":method", method),
        (":path", path),
        (":authority", "test"),
        ("content-type", "application/json"),
    ];
    fields.extend_from_slice(more);
    headers(&fields)
}

fn grpc_response() -> Headers {
    headers(&[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-encoding", "deflate"),
    ])
}

/// One message in its frame: `Note { id }`.
fn framed(id: u8) -> Vec<u8> {
    let mut out = Vec::new();
    frame::begin(&mut out);
    out.extend_from_slice(&[0x10, id]);
    frame::finish(&mut out, 0);
    out
}

/// This message in a compressed frame.
fn compressed_frame(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::begin(&mut out);
    out.extend_from_slice(&compress_to_vec_zlib(message, 6));
    frame::finish(&mut out, 0);
    out[0] = 1;
    out
}

fn ok() -> Headers {
    headers(&[("grpc-status", "0")])
}

/// A small generator of numbers: the same sequence for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }
}

/// What is set in headers.
fn sets(edits: &HeaderEdits) -> Vec<(Vec<u8>, Vec<u8>)> {
    edits
        .sets()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

/// What a client has seen.
#[derive(Default)]
struct Client {
    replies: usize,
    whole: usize,
    resets: usize,
    /// What the host holds for it.
    held: Vec<u8>,
    chunks: Vec<u8>,
    /// How often an answer has begun.
    begun: usize,
}

impl Client {
    fn request(&mut self, step: &RequestStep<'_>) {
        match step {
            RequestStep::Reply(_) | RequestStep::BreakOff(_) | RequestStep::Supersede(_) => self.replies += 1,
            RequestStep::Reset => self.resets += 1,
            _ => {}
        }
    }

    fn response(&mut self, step: &ResponseStep<'_>) {
        match step {
            ResponseStep::Reply(_) => self.replies += 1,
            ResponseStep::Reset => self.resets += 1,
            ResponseStep::Hold(body) => self.held = body.to_vec(),
            ResponseStep::Fill(body) => self.chunks.extend_from_slice(body),
            ResponseStep::Chunk { body, edits, whole, .. } => {
                self.chunks.append(&mut self.held);
                self.chunks.extend_from_slice(body);
                self.begun += usize::from(edits.is_some());
                self.whole += usize::from(*whole);
            }
            _ => {}
        }
    }
}

#[test]
fn events_in_any_order_give_at_most_one_answer() {
    let plugins = [
        plugin(json!({})),
        plugin(json!({ "dispatch": "call" })),
        plugin(json!({ "upstream": { "grpc_web": true } })),
        plugin(json!({ "streaming": { "default": "ndjson" } })),
        plugin(json!({ "upstream": { "connect_bridge": true } })),
    ];
    let paths = ["/unary", "/down", "/up/1", "/both", "/nowhere"];
    let mut workspace = Workspace::default();
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut exchange = Exchange::new(Rc::clone(&plugins[random.below(plugins.len())]));
        let mut client = Client::default();
        let method = ["GET", "POST", "PUT"][random.below(3)];
        let asked = request(method, paths[random.below(paths.len())], &[]);
        let bodyless = random.below(2) == 0;
        client.request(&exchange.request_headers(asked, bodyless, ENVOY, &mut workspace));
        for _ in 0..random.below(12) {
            let chunk = match random.below(7) {
                0 => framed(1),
                6 => compressed_frame(&[0x10, 1]),
                1 => framed(2)[..3].to_vec(),
                2 => b"{\"id\": 3}".to_vec(),
                3 => b"[{\"id\": 3},".to_vec(),
                4 => Vec::new(),
                _ => vec![random.below(256) as u8; 9],
            };
            let end = random.below(2) == 0;
            let workspace = &mut workspace;
            match random.below(10) {
                0 => client.request(&exchange.release_request_headers(ENVOY, workspace)),
                1 => client.request(&exchange.request_without_body(ENVOY, workspace)),
                2 | 3 => client.request(&exchange.request_chunk(&chunk, end, ENVOY, workspace)),
                4 => {
                    let host_reply = [
                        None,
                        None,
                        Some(HostReply::TooLarge),
                        Some(HostReply::Deadline),
                        Some(HostReply::NoRoute),
                        Some(HostReply::Filter),
                    ][random.below(6)];
                    let response = match random.below(4) {
                        0 => headers(&[(":status", "200"), ("content-type", "application/proto")]),
                        1 => headers(&[(":status", "404"), ("content-type", "application/json")]),
                        _ => grpc_response(),
                    };
                    let step = exchange.response_headers(response, end, host_reply, ENVOY, workspace);
                    client.response(&step);
                }
                5 => client.response(&exchange.response_chunk(&chunk, end, workspace)),
                6 => client.response(&exchange.release_response(workspace)),
                7 => client.response(&exchange.response_chunks_ended(ok(), workspace)),
                8 => match exchange.call_message(chunk, workspace) {
                    CallStep::Await | CallStep::Ask => {}
                    CallStep::Reply(_) | CallStep::CancelAndReply(_) => client.replies += 1,
                },
                _ => match exchange.call_closed(random.below(17) as u32, b"why", None, workspace) {
                    CallStep::Await | CallStep::Ask => {}
                    CallStep::Reply(_) | CallStep::CancelAndReply(_) => client.replies += 1,
                },
            }
        }
        let answers = client.replies + client.whole;
        assert!(answers <= 1, "seed {seed}: {answers} answers");
        assert!(client.begun <= 1, "seed {seed}: an answer begun twice");
    }
}

#[test]
fn a_unary_exchange_in_place_goes_there_and_back() {
    let mut workspace = Workspace::default();
    let mut exchange = Exchange::new(plugin(json!({})));
    let step = exchange.request_headers(request("POST", "/unary", &[]), false, ENVOY, &mut workspace);
    assert!(matches!(step, RequestStep::Await));
    let step = exchange.request_chunk(br#"{"id": 7}"#, true, ENVOY, &mut workspace);
    let RequestStep::Forward(forward) = step else {
        panic!("{step:?}");
    };
    assert_eq!(forward.body, framed(7));
    assert!(forward.edits.sets().any(|edit| edit == (b":path", b"/test.Echo/Unary")));
    let step = exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
    assert!(matches!(step, ResponseStep::Await));
    let step = exchange.response_chunk(&framed(8), false, &mut workspace);
    let ResponseStep::Hold(body) = step else {
        panic!("{step:?}");
    };
    assert_eq!(body, br#"{"id":8}"#);
    let step = exchange.response_chunks_ended(ok(), &mut workspace);
    let ResponseStep::RewriteHeaders(edits) = step else {
        panic!("{step:?}");
    };
    assert!(edits.sets().any(|edit| edit == (b"content-length", b"8")));
    let step = exchange.response_chunks_ended(ok(), &mut workspace);
    assert!(matches!(step, ResponseStep::PassThrough), "{step:?}");
}

#[test]
fn a_unary_answer_is_the_same_wherever_it_is_cut() {
    #[derive(Clone, Debug, PartialEq)]
    enum Ends {
        /// With this status and body, and with its length or without.
        Whole(u16, String, bool),
        BrokenOff,
    }
    let long = "x".repeat(20_000);
    let (short_json, long_json) = (r#"{"id":8}"#.to_owned(), format!("{{\"text\":\"{long}\"}}"));
    let message = |text: &str, id: u8| {
        let mut out = Vec::new();
        frame::begin(&mut out);
        match text {
            "" => out.extend_from_slice(&[0x10, id]),
            text => {
                out.extend_from_slice(&[0x0a, 0xa0, 0x9c, 0x01]);
                out.extend_from_slice(text.as_bytes());
            }
        }
        frame::finish(&mut out, 0);
        out
    };
    let gone = r#"{"code":5}"#.to_owned();
    let web = Abilities::envoy(true, None);
    let nginx = Abilities::wasmx(None);
    let rows = [
        // The way, the host, the body, the status, and what the client has in the end.
        (
            "plain",
            ENVOY,
            message("", 8),
            "0",
            Ends::Whole(200, short_json.clone(), true),
        ),
        (
            "plain",
            ENVOY,
            message(&long, 0),
            "0",
            Ends::Whole(200, long_json.clone(), false),
        ),
        (
            "plain",
            ENVOY,
            message("", 8),
            "5",
            Ends::Whole(404, gone.clone(), false),
        ),
        ("plain", ENVOY, message(&long, 0), "5", Ends::BrokenOff),
        ("plain", ENVOY, Vec::new(), "5", Ends::Whole(404, gone.clone(), false)),
        (
            "plain",
            NOT_HOLDING,
            message("", 8),
            "0",
            Ends::Whole(200, short_json.clone(), false),
        ),
        (
            "plain",
            NOT_HOLDING,
            message("", 8),
            "5",
            Ends::Whole(200, gone.clone(), false),
        ),
        (
            "plain",
            NOT_HOLDING,
            message(&long, 0),
            "0",
            Ends::Whole(200, long_json.clone(), false),
        ),
        ("plain", NOT_HOLDING, message(&long, 0), "5", Ends::BrokenOff),
        (
            "web",
            web,
            message("", 8),
            "0",
            Ends::Whole(200, short_json.clone(), true),
        ),
        (
            "web",
            web,
            message(&long, 0),
            "0",
            Ends::Whole(200, long_json.clone(), true),
        ),
        ("web", web, message(&long, 0), "5", Ends::Whole(404, gone.clone(), true)),
        ("web", web, Vec::new(), "5", Ends::Whole(404, gone.clone(), true)),
        (
            "web",
            NOT_HOLDING,
            message(&long, 0),
            "5",
            Ends::Whole(200, gone.clone(), false),
        ),
        (
            "body",
            nginx,
            message(&long, 0),
            "0",
            Ends::Whole(200, long_json.clone(), false),
        ),
        (
            "body",
            nginx,
            message(&long, 0),
            "5",
            Ends::Whole(200, gone.clone(), false),
        ),
    ];
    let compressed = |body: &[u8]| match body.split_at_checked(frame::PREFIX_LENGTH) {
        Some((_, message)) => compressed_frame(message),
        None => body.to_vec(),
    };
    let rows = rows.into_iter().flat_map(|(way, abilities, body, status, expected)| {
        let compressed = compressed(&body);
        [body, compressed].map(|body| (way, abilities, body, status, expected.clone()))
    });
    for (way, abilities, body, status, expected) in rows {
        let plugin = plugin(json!({ "upstream": { "grpc_web": way == "web" } }));
        for size in [1, 2, 5, 7, 1000, body.len().max(1)] {
            let flags = body.first();
            let row = format!(
                "{way} {abilities:?} {flags:?} {} {status} in parts of {size}",
                body.len()
            );
            let mut workspace = Workspace::default();
            let mut exchange = Exchange::new(Rc::clone(&plugin));
            exchange.request_headers(request("POST", "/unary", &[]), false, abilities, &mut workspace);
            exchange.request_chunk(b"{}", true, abilities, &mut workspace);
            let (mut client, mut edited, mut reply) = (Client::default(), None, None);
            let mut steps = Vec::new();
            let step = exchange.response_headers(grpc_response(), false, None, abilities, &mut workspace);
            client.response(&step);
            let mut parts: Vec<_> = body.chunks(size).map(<[u8]>::to_vec).collect();
            if way == "web" {
                parts.push([b"\x80\0\0\0\x0dgrpc-status:", status.as_bytes()].concat());
            }
            let last = parts.len();
            for (index, part) in parts.iter().enumerate() {
                let end = way == "body" && index + 1 == last;
                if end {
                    exchange.response_trailers(headers(&[("grpc-status", status)]));
                }
                let step = exchange.response_chunk(part, end, &mut workspace);
                if let ResponseStep::Chunk { edits: Some(edits), .. } = &step {
                    edited = Some(sets(edits));
                }
                client.response(&step);
                steps.push(format!("{step:?}"));
            }
            if way != "body" {
                let trailers = match way {
                    "web" => Headers::default(),
                    _ => headers(&[("grpc-status", status)]),
                };
                let step = exchange.response_chunks_ended(trailers, &mut workspace);
                match &step {
                    ResponseStep::RewriteHeaders(edits) => {
                        edited = Some(sets(edits));
                        client.chunks = std::mem::take(&mut client.held);
                    }
                    ResponseStep::Reply(sent) => reply = Some((sent.status, sent.body.clone())),
                    _ => {}
                }
                client.response(&step);
            }
            let field = |name: &[u8]| {
                let edits = edited.as_ref()?;
                edits
                    .iter()
                    .find(|(found, _)| found == name)
                    .map(|(_, value)| value.clone())
            };
            let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
            let ends = match (reply, client.resets) {
                (_, 1..) => Ends::BrokenOff,
                (Some((status, body)), 0) => Ends::Whole(status, text(&body), false),
                (None, 0) => Ends::Whole(
                    field(b":status").map_or(200, |status| text(&status).parse().unwrap()),
                    text(&client.chunks),
                    field(b"content-length").is_some(),
                ),
            };
            assert_eq!(ends, expected, "{row}: {steps:?}");
        }
    }
}

#[test]
fn an_answer_whose_status_does_not_come_goes_on_without_it() {
    for (text, status, stalls, breaks) in [
        (2000, "0", true, false),
        (2000, "5", true, true),
        // So little is over no mark.
        (900, "0", false, false),
    ] {
        let mut message = Vec::new();
        frame::begin(&mut message);
        message.extend_from_slice(&[0x0a, (text & 0x7f) as u8 | 0x80, (text >> 7) as u8]);
        message.resize(message.len() + text, b'x');
        frame::finish(&mut message, 0);
        let mut workspace = Workspace::default();
        let mut exchange = Exchange::new(plugin(json!({})));
        exchange.request_headers(request("POST", "/unary", &[]), false, ENVOY, &mut workspace);
        exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
        exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
        assert!(!exchange.response_may_stall());
        exchange.response_chunk(&message, false, &mut workspace);
        assert_eq!(exchange.response_may_stall(), stalls);
        if !stalls {
            continue;
        }
        let step = exchange.release_response(&mut workspace);
        let ResponseStep::RewriteHeaders(edits) = step else {
            panic!("{step:?}");
        };
        assert!(edits.sets().all(|(name, _)| name != b"content-length"));
        assert!(!exchange.response_may_stall());
        let step = exchange.response_chunks_ended(headers(&[("grpc-status", status)]), &mut workspace);
        assert_eq!(matches!(step, ResponseStep::Reset), breaks, "{step:?}");
    }
}

#[test]
fn a_response_stream_is_the_same_wherever_it_is_cut() {
    let plugin = plugin(json!({ "upstream": { "grpc_web": true } }));
    let mut body: Vec<u8> = (1..=3).flat_map(framed).collect();
    let trailers = b"grpc-status:5\r\ngrpc-message:gone\r\n";
    body.push(0x80);
    body.extend_from_slice(&(trailers.len() as u32).to_be_bytes());
    body.extend_from_slice(trailers);
    let cases = [
        (
            "application/json",
            r#"[{"id":1},{"id":2},{"id":3},{"error":{"code":5,"message":"gone"}}]"#,
        ),
        (
            "application/x-ndjson",
            "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n{\"error\":{\"code\":5,\"message\":\"gone\"}}\n",
        ),
        (
            "text/event-stream",
            "data: {\"id\":1}\n\ndata: {\"id\":2}\n\ndata: {\"id\":3}\n\n\
             event: error\ndata: {\"error\":{\"code\":5,\"message\":\"gone\"}}\n\n",
        ),
    ];
    for (accept, expected) in cases {
        for size in 1..=body.len() {
            let mut workspace = Workspace::default();
            let mut exchange = Exchange::new(Rc::clone(&plugin));
            let asked = request("POST", "/down", &[("accept", accept)]);
            exchange.request_headers(asked, false, ENVOY, &mut workspace);
            exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
            let answer = headers(&[(":status", "200"), ("content-type", "application/grpc-web+proto")]);
            exchange.response_headers(answer, false, None, ENVOY, &mut workspace);
            let mut client = Client::default();
            for chunk in body.chunks(size) {
                client.response(&exchange.response_chunk(chunk, false, &mut workspace));
            }
            client.response(&exchange.response_chunks_ended(Headers::default(), &mut workspace));
            assert_eq!(
                String::from_utf8_lossy(&client.chunks),
                expected,
                "{accept} in chunks of {size}"
            );
            assert_eq!((client.replies, client.whole, client.resets), (0, 0, 0));
        }
    }
}

#[test]
fn a_request_stream_is_the_same_wherever_it_is_cut() {
    let plugin = plugin(json!({}));
    let cases = [
        ("application/json", r#"[{"text":"a"}, {"text":"b,]"} ,{}]"#),
        ("application/x-ndjson", "{\"text\":\"a\"}\n\n{\"text\":\"b,]\"}\r\n{}"),
    ];
    // The path's id is in each message.
    let expected: Vec<u8> = [&b"\x10\x09\x0a\x01a"[..], b"\x10\x09\x0a\x03b,]", b"\x10\x09"]
        .into_iter()
        .flat_map(|message| {
            let mut out = Vec::new();
            frame::begin(&mut out);
            out.extend_from_slice(message);
            frame::finish(&mut out, 0);
            out
        })
        .collect();
    for (content_type, body) in cases {
        for size in 1..=body.len() {
            let mut workspace = Workspace::default();
            let mut exchange = Exchange::new(Rc::clone(&plugin));
            let asked = headers(&[(":method", "POST"), (":path", "/up/9"), ("content-type", content_type)]);
            let step = exchange.request_headers(asked, false, ENVOY, &mut workspace);
            assert!(matches!(step, RequestStep::ForwardHeaders { .. }), "{step:?}");
            let mut sent = Vec::new();
            let chunks: Vec<_> = body.as_bytes().chunks(size).collect();
            for (index, chunk) in chunks.iter().enumerate() {
                let step = exchange.request_chunk(chunk, index + 1 == chunks.len(), ENVOY, &mut workspace);
                let RequestStep::Chunk(frames) = step else {
                    panic!("{content_type} in chunks of {size}: {step:?}");
                };
                sent.extend_from_slice(frames);
            }
            assert_eq!(sent, expected, "{content_type} in chunks of {size}");
        }
    }
}

#[test]
fn an_array_that_can_no_longer_be_closed_is_reset() {
    let mut workspace = Workspace::default();
    let mut exchange = Exchange::new(plugin(json!({ "upstream": { "grpc_web": true } })));
    exchange.request_headers(request("POST", "/down", &[]), false, ENVOY, &mut workspace);
    exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
    exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
    let step = exchange.response_chunk(&framed(1), false, &mut workspace);
    assert!(matches!(step, ResponseStep::Chunk { .. }), "{step:?}");
    // The status comes as in gRPC, behind the body, and not in it.
    let step = exchange.response_chunks_ended(ok(), &mut workspace);
    assert!(matches!(step, ResponseStep::Reset), "{step:?}");
}

const NOT_HOLDING: Abilities = Abilities {
    holds_response: false,
    ..ENVOY
};

fn without_content() -> Headers {
    headers(&[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("x-http-code", "204"),
    ])
}

#[test]
fn a_stream_has_content_whatever_the_service_says() {
    for (accept, expected) in [
        ("application/json", "[{\"id\":1}]"),
        ("application/x-ndjson", "{\"id\":1}\n"),
    ] {
        for abilities in [ENVOY, NOT_HOLDING] {
            let mut workspace = Workspace::default();
            let mut exchange = Exchange::new(plugin(json!({})));
            let asked = request("POST", "/down", &[("accept", accept)]);
            exchange.request_headers(asked, false, abilities, &mut workspace);
            exchange.request_chunk(b"{}", true, abilities, &mut workspace);
            let (mut statuses, mut statuses_of_replies) = (Vec::new(), Vec::new());
            let mut keep = |edits: &HeaderEdits| {
                statuses.extend(
                    edits
                        .sets()
                        .filter(|(name, _)| *name == b":status")
                        .map(|(_, value)| value.to_vec()),
                );
            };
            let step = exchange.response_headers(without_content(), false, None, abilities, &mut workspace);
            if let ResponseStep::RewriteHeaders(edits) = step {
                keep(edits);
            }
            let mut body = Vec::new();
            let step = exchange.response_chunk(&framed(1), false, &mut workspace);
            match step {
                ResponseStep::Chunk { edits, body: part, .. } => {
                    edits.into_iter().for_each(&mut keep);
                    body.extend_from_slice(part);
                }
                ResponseStep::Drop | ResponseStep::Reserve(_) => {}
                step => panic!("{step:?}"),
            }
            match exchange.response_chunks_ended(ok(), &mut workspace) {
                ResponseStep::PassThrough => {}
                ResponseStep::Fill(all) => body.extend_from_slice(all),
                ResponseStep::Reply(reply) => {
                    statuses_of_replies.push(reply.status);
                    body.extend_from_slice(&reply.body);
                }
                step => panic!("{step:?}"),
            }
            assert_eq!(String::from_utf8_lossy(&body), expected);
            assert!(statuses_of_replies.iter().all(|status| *status == 200));
            assert!(statuses.iter().all(|status| status == b"200"), "{accept} {statuses:?}");
        }
    }
}

#[test]
fn an_error_behind_headers_that_promise_no_content_resets() {
    for body in [framed(1), Vec::new()] {
        let mut workspace = Workspace::default();
        let mut exchange = Exchange::new(plugin(json!({})));
        exchange.request_headers(request("POST", "/unary", &[]), false, NOT_HOLDING, &mut workspace);
        exchange.request_chunk(b"{}", true, NOT_HOLDING, &mut workspace);
        let step = exchange.response_headers(without_content(), false, None, NOT_HOLDING, &mut workspace);
        assert!(matches!(step, ResponseStep::RewriteHeaders(_)), "{step:?}");
        exchange.response_chunk(&body, false, &mut workspace);
        let failed = headers(&[("grpc-status", "5")]);
        let step = exchange.response_chunks_ended(failed, &mut workspace);
        assert!(matches!(step, ResponseStep::Reset), "{step:?}");
    }
}

#[test]
fn what_waits_for_the_trailers_waits_on_when_more_comes_in_front_of_them() {
    for (accept, expected) in [("application/json", "[]"), ("application/x-ndjson", "")] {
        let mut workspace = Workspace::default();
        let mut exchange = Exchange::new(plugin(json!({ "upstream": { "grpc_web": true } })));
        let asked = request("POST", "/down", &[("accept", accept)]);
        exchange.request_headers(asked, false, ENVOY, &mut workspace);
        exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
        exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
        let mut held = Vec::new();
        for _ in 0..3 {
            let step = exchange.response_chunk(b"\x80\0\0\0\x0fgrpc-status:0\r\n", false, &mut workspace);
            let ResponseStep::Chunk { body, hold: true, .. } = step else {
                panic!("{accept}: {step:?}");
            };
            held.extend_from_slice(body);
            assert_eq!(String::from_utf8_lossy(&held), expected);
        }
        let step = exchange.response_chunks_ended(Headers::default(), &mut workspace);
        assert!(matches!(step, ResponseStep::PassThrough), "{step:?}");
    }
}

#[test]
fn what_only_looks_like_the_last_frame_is_no_end() {
    let mut workspace = Workspace::default();
    let mut exchange = Exchange::new(plugin(json!({ "upstream": { "grpc_web": true } })));
    exchange.request_headers(request("POST", "/down", &[]), false, ENVOY, &mut workspace);
    exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
    exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
    // The second half of this text, U+00C0 and what follows, has the form of a trailers frame.
    let mut written = Vec::new();
    for chunk in [
        b"\0\0\0\0\x09\x0a\x07\xc3".to_vec(),
        b"\x80\0\0\0\x01A".to_vec(),
        framed(8),
    ] {
        let step = exchange.response_chunk(&chunk, false, &mut workspace);
        let ResponseStep::Chunk { body, hold, .. } = step else {
            panic!("{step:?}");
        };
        // It waits for what comes next, as the last frame would.
        assert_eq!(hold, chunk.starts_with(b"\x80"));
        written.extend_from_slice(body);
    }
    assert_eq!(
        String::from_utf8_lossy(&written),
        "[{\"text\":\"À\\u0000\\u0000\\u0000\\u0001A\"},{\"id\":8}"
    );
}

#[test]
fn a_request_that_goes_wrong_behind_the_end_of_its_answer_changes_nothing() {
    for status in ["0", "5"] {
        let mut workspace = Workspace::default();
        let mut exchange = Exchange::new(plugin(json!({ "upstream": { "grpc_web": true } })));
        exchange.request_headers(request("POST", "/both", &[]), false, ENVOY, &mut workspace);
        exchange.request_chunk(b"[{\"id\": 1}", false, ENVOY, &mut workspace);
        exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
        exchange.response_chunk(&framed(1), false, &mut workspace);
        let trailers = [b"\x80\0\0\0\x0dgrpc-status:", status.as_bytes()].concat();
        let step = exchange.response_chunk(&trailers, false, &mut workspace);
        assert!(matches!(step, ResponseStep::Chunk { .. }), "{step:?}");
        let step = exchange.request_chunk(b"nothing", true, ENVOY, &mut workspace);
        assert!(matches!(step, RequestStep::Chunk(b"")), "{step:?}");
        let step = exchange.response_chunks_ended(Headers::default(), &mut workspace);
        assert!(matches!(step, ResponseStep::PassThrough), "{step:?}");
    }
}

/// The exchange of a request to `path` that has gone by a call.
fn called(path: &str, workspace: &mut Workspace) -> Exchange {
    let mut exchange = Exchange::new(plugin(json!({ "dispatch": "call" })));
    let step = exchange.request_headers(request("POST", path, &[]), false, ENVOY, workspace);
    assert!(matches!(step, RequestStep::Await), "{step:?}");
    let step = exchange.request_chunk(b"{}", true, ENVOY, workspace);
    assert!(matches!(step, RequestStep::Call(_)), "{step:?}");
    exchange
}

#[test]
fn a_malformed_message_of_a_call_ends_the_stream_behind_what_came_before() {
    let rows: [(&[&[u8]], u16, &str); 3] = [
        (
            &[&[0x10, 1], &[0x10, 2], &[0xff]],
            200,
            r#"[{"id":1},{"id":2},{"error":{"code":14,"#,
        ),
        (&[&[0x10, 1], &[0xff]], 200, r#"[{"id":1},{"error":{"code":14,"#),
        (&[&[0xff]], 502, r#"{"code":14,"#),
    ];
    for (messages, status, body) in rows {
        let mut workspace = Workspace::default();
        let mut exchange = called("/down", &mut workspace);
        exchange.call_initial_metadata(grpc_response());
        let (last, good) = messages.split_last().unwrap();
        for message in good {
            let step = exchange.call_message(message.to_vec(), &mut workspace);
            assert!(matches!(step, CallStep::Await), "{step:?}");
        }
        match exchange.call_message(last.to_vec(), &mut workspace) {
            CallStep::CancelAndReply(reply) => {
                let got = String::from_utf8_lossy(&reply.body);
                assert_eq!(reply.status, status, "{got}");
                assert!(got.starts_with(body), "{got}");
                serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap();
            }
            step => panic!("{step:?}"),
        }
        assert_eq!(exchange.outcome().unwrap().code, Code::Unavailable);
        let step = exchange.call_closed(0, b"", None, &mut workspace);
        assert!(matches!(step, CallStep::Await), "{step:?}");
    }
}

#[test]
fn a_call_that_ends_without_a_status_is_502_wherever_its_headers_are_told() {
    for alone in [false, true] {
        let mut workspace = Workspace::default();
        let mut exchange = called("/unary", &mut workspace);
        // Headers alone are told as trailers, with the HTTP status among them.
        exchange.call_initial_metadata(if alone { Headers::default() } else { grpc_response() });
        exchange.call_trailing_metadata(if alone { grpc_response() } else { Headers::default() });
        match exchange.call_closed(2, b"via_upstream", None, &mut workspace) {
            CallStep::Reply(reply) => assert_eq!(reply.status, 502, "{alone}"),
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn what_a_client_learns_of_a_bad_element_goes_by_what_it_has_of_the_answer() {
    #[derive(Debug, PartialEq)]
    enum Learns {
        InTurn,
        InPlaceOfTheAnswer,
        BrokenOff,
    }
    let no_hold = Abilities::envoy(false, None);
    for (path, accept, abilities, answered, message, expected) in [
        ("/up/1", "*/*", ENVOY, false, false, Learns::InTurn),
        ("/both", "*/*", ENVOY, false, false, Learns::InTurn),
        ("/up/1", "*/*", no_hold, false, false, Learns::InTurn),
        ("/up/1", "*/*", ENVOY, true, false, Learns::InPlaceOfTheAnswer),
        ("/both", "text/*", ENVOY, true, false, Learns::InPlaceOfTheAnswer),
        ("/both", "text/*", ENVOY, true, true, Learns::BrokenOff),
        ("/up/1", "*/*", no_hold, true, false, Learns::BrokenOff),
        ("/both", "text/*", no_hold, true, false, Learns::BrokenOff),
    ] {
        for (element, status) in [("{\"text\": 1}", 400), (&format!("\"{}", "x".repeat(200)), 413)] {
            let row = format!("{path} {accept} {abilities:?} {answered} {message} {element}");
            let mut workspace = Workspace::default();
            let mut exchange = Exchange::new(plugin(json!({ "limits": { "max_request_bytes": 100 } })));
            let asked = request("POST", path, &[("accept", accept)]);
            exchange.request_headers(asked, false, abilities, &mut workspace);
            exchange.request_chunk(b"[{\"id\": 1}", false, ENVOY, &mut workspace);
            if answered {
                exchange.response_headers(grpc_response(), false, None, abilities, &mut workspace);
            }
            if message {
                exchange.response_chunk(&framed(1), false, &mut workspace);
            }
            let element = format!(",{element}");
            let (learns, reply) = match exchange.request_chunk(element.as_bytes(), false, ENVOY, &mut workspace) {
                RequestStep::BreakOff(reply) => (Learns::InTurn, Some(reply.status)),
                RequestStep::Supersede(reply) => (Learns::InPlaceOfTheAnswer, Some(reply.status)),
                RequestStep::Reset => (Learns::BrokenOff, None),
                step => panic!("{row}: {step:?}"),
            };
            let expected = (&expected, (expected != Learns::BrokenOff).then_some(status));
            assert_eq!((&learns, reply), expected, "{row}");
        }
    }
}

#[test]
fn a_client_that_keeps_its_body_back_is_answered_before_it_comes() {
    // nginx answers it when it reads the body.
    for (abilities, path, expected) in [
        (ENVOY, "/unary", Some(417)),
        (ENVOY, "/up/1", Some(417)),
        (ENVOY, "/nowhere", Some(404)),
        (Abilities::wasmx(None), "/unary", None),
        (Abilities::wasmx(None), "/nowhere", None),
    ] {
        let mut workspace = Workspace::default();
        let mut exchange = Exchange::new(plugin(json!({})));
        let asked = request("POST", path, &[("expect", "100-Continue")]);
        let status = match exchange.request_headers(asked, false, abilities, &mut workspace) {
            RequestStep::Reply(reply) => Some(reply.status),
            RequestStep::Await => None,
            step => panic!("{path}: {step:?}"),
        };
        assert_eq!(status, expected, "{path} {abilities:?}");
    }
}

/// A unary method's body of so many bytes, which is no message of it behind them.
fn long_body(length: usize, good: bool) -> Vec<u8> {
    let end = if good { "\"}" } else { "\", \"id\": x}" };
    [b"{\"text\": \"", "x".repeat(length).as_bytes(), end.as_bytes()].concat()
}

#[test]
fn what_exchanges_hold_together_is_bounded() {
    let plugin = plugin(json!({ "limits": { "max_total_bytes": 8 << 20 } }));
    let mut workspace = Workspace::default();
    let begin = |workspace: &mut Workspace| {
        let mut exchange = Exchange::new(Rc::clone(&plugin));
        exchange.request_headers(request("POST", "/unary", &[]), false, ENVOY, workspace);
        exchange
    };
    let mut waiting = Vec::new();
    let refused = loop {
        let mut exchange = begin(&mut workspace);
        match exchange.request_chunk(&long_body(1 << 20, true), false, ENVOY, &mut workspace) {
            RequestStep::Drop => waiting.push(exchange),
            RequestStep::Reply(reply) => break reply.status,
            step => panic!("{step:?}"),
        }
        assert!(waiting.len() < 8);
    };
    assert_eq!(refused, 503);
    assert!(waiting.len() >= 4, "{}", waiting.len());
    // What has hardly begun takes no more than has come, whatever it says of itself.
    let mut exchange = Exchange::new(Rc::clone(&plugin));
    let asked = request("POST", "/unary", &[("content-length", "1000000")]);
    exchange.request_headers(asked, false, ENVOY, &mut workspace);
    exchange.request_chunk(b"{", false, ENVOY, &mut workspace);
    assert!(exchange.footprint() < 6000, "{}", exchange.footprint());
    // Those that want little are served all the same, there and back.
    for _ in 0..100 {
        let mut exchange = begin(&mut workspace);
        let step = exchange.request_chunk(b"{\"id\": 7}", true, ENVOY, &mut workspace);
        assert!(matches!(step, RequestStep::Forward(_)), "{step:?}");
        exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
        let step = exchange.response_chunk(&framed(8), false, &mut workspace);
        assert!(matches!(step, ResponseStep::Hold(_)), "{step:?}");
    }
    // An answer is refused too, and what it held is there for others.
    let mut exchange = begin(&mut workspace);
    exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
    exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
    match exchange.response_chunk(&vec![0; 2 << 20], false, &mut workspace) {
        ResponseStep::Reply(reply) => assert_eq!(reply.status, 503),
        step => panic!("{step:?}"),
    }
    assert_eq!(exchange.outcome().unwrap().code, Code::ResourceExhausted);
    assert!(exchange.footprint() < 4000, "{}", exchange.footprint());
    // So is one that becomes so much of little.
    let bomb = compressed_frame(&[&[0x0a, 0x80, 0x80, 0xc0, 0x01][..], &[b'x'; 3 << 20]].concat());
    let answer = |exchange: &mut Exchange, workspace: &mut Workspace| {
        exchange.request_chunk(b"{}", true, ENVOY, workspace);
        exchange.response_headers(grpc_response(), false, None, ENVOY, workspace);
        let step = exchange.response_chunk(&bomb, false, workspace);
        let awaits = matches!(step, ResponseStep::Drop);
        match exchange.response_chunks_ended(ok(), workspace) {
            ResponseStep::Reply(reply) if awaits => reply.status,
            ResponseStep::PassThrough => 200,
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(answer(&mut begin(&mut workspace), &mut workspace), 503);
    assert!(workspace.inflater.footprint() < 4 << 20);
    // So is a stream, which goes on to its end without.
    let mut exchange = Exchange::new(Rc::clone(&plugin));
    let asked = request("POST", "/down", &[("accept", "application/x-ndjson")]);
    exchange.request_headers(asked, false, ENVOY, &mut workspace);
    exchange.request_chunk(b"{}", true, ENVOY, &mut workspace);
    exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
    exchange.response_chunk(&framed(1), false, &mut workspace);
    let mut message = vec![0, 0, 0x7f, 0xff, 0xff];
    message.resize(1 << 20, b'x');
    for _ in 0..8 {
        exchange.response_chunk(&message, false, &mut workspace);
        message.fill(b'x');
    }
    assert_eq!(exchange.outcome().unwrap().code, Code::ResourceExhausted);
    assert!(exchange.footprint() < 4000, "{}", exchange.footprint());
    drop(waiting);
    assert_eq!(answer(&mut begin(&mut workspace), &mut workspace), 200);
    let mut exchange = begin(&mut workspace);
    let step = exchange.request_chunk(&long_body(4 << 20, true), false, ENVOY, &mut workspace);
    assert!(matches!(step, RequestStep::Drop), "{step:?}");
}

#[test]
fn a_large_message_leaves_no_memory_behind() {
    for good in [true, false] {
        let mut workspace = Workspace::default();
        let mut exchange = Exchange::new(plugin(json!({})));
        exchange.request_headers(request("POST", "/unary", &[]), false, ENVOY, &mut workspace);
        exchange.request_chunk(&long_body(8 << 20, good), true, ENVOY, &mut workspace);
        workspace.trim();
        let mut next = Exchange::new(plugin(json!({})));
        next.request_headers(request("POST", "/unary", &[]), false, ENVOY, &mut workspace);
        assert!(next.footprint() < 100_000, "{}", next.footprint());
        assert!(exchange.footprint() < 100_000, "{}", exchange.footprint());
    }
    // A chat that has seen one, and goes on.
    let mut workspace = Workspace::default();
    let mut exchange = Exchange::new(plugin(json!({})));
    let asked = request("POST", "/both", &[("accept", "application/x-ndjson")]);
    exchange.request_headers(asked, false, ENVOY, &mut workspace);
    exchange.response_headers(grpc_response(), false, None, ENVOY, &mut workspace);
    for part in [&b"["[..], &long_body(8 << 20, true), b",", b"{}"].map(<[u8]>::to_vec) {
        for piece in part.chunks(100_000) {
            exchange.request_chunk(piece, false, ENVOY, &mut workspace);
            workspace.trim();
        }
    }
    let mut message = Vec::new();
    frame::begin(&mut message);
    message.extend_from_slice(&[0x0a, 0x80, 0x80, 0x80, 0x04]);
    message.resize(message.len() + (8 << 20), b'x');
    frame::finish(&mut message, 0);
    let compressed = compressed_frame(&message[frame::PREFIX_LENGTH..]);
    for message in [message, compressed] {
        for piece in message.chunks(100_000) {
            exchange.response_chunk(piece, false, &mut workspace);
            workspace.trim();
        }
    }
    exchange.response_chunk(&framed(1), false, &mut workspace);
    assert!(exchange.footprint() < 200_000, "{}", exchange.footprint());
    let kept = [&workspace.body, &workspace.upload, &workspace.reply.body].map(Vec::capacity);
    assert!(kept.iter().all(|kept| *kept <= 2 << 20), "{kept:?}");
    assert!(workspace.inflater.footprint() <= 2 << 20);
}
