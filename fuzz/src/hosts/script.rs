//! What happens to one exchange, read from an input.

use std::rc::Rc;
use std::sync::LazyLock;

use protobridge::config::{Dispatch, Plugin, Settings};
use protobridge::exchange::{HostReply, Workspace};
use protobridge::hooks::CallFailure;
use protobridge::http::headers::Headers;
use serde_json::{Map, Value, json};

use super::envoy::{Envoy, Holding};
use super::kong::{HasBody, Kong};
use super::{End, Host, disorder};
use crate::edge::FILES;
use crate::letters::Letters;

thread_local! {
    /// All configurations, over one schema, and how many hooks each has that see a request before it goes on.
    static PLUGINS: Vec<(Rc<Plugin>, usize)> = configurations().into_iter().map(guarded).collect();
}

fn guarded(configuration: Value) -> (Rc<Plugin>, usize) {
    let hooks = &configuration["hooks"];
    let guards = hooks["pre"].as_array().map_or(0, Vec::len) + usize::from(hooks["auth"].is_object());
    (plugin(configuration), guards)
}

fn configurations() -> [Value; 22] {
    [
        json!({}),
        json!({ "dispatch": "call" }),
        json!({ "upstream": { "grpc_web": true } }),
        json!({ "bodyless": "call" }),
        json!({ "streaming": { "default": "ndjson" }, "errors": { "format": "google" }, "bodyless": "call" }),
        json!({ "streaming": { "default": "sse", "timeout": "5s" }, "upstream": { "grpc_web": true } }),
        json!({ "limits": { "max_request_bytes": 40, "max_response_bytes": 60, "max_message_bytes": 20 } }),
        json!({ "limits": { "max_request_bytes": 40, "max_response_bytes": 60, "max_message_bytes": 20 },
                "upstream": { "grpc_web": true } }),
        json!({ "limits": { "max_request_bytes": 40, "max_response_bytes": 60 }, "dispatch": "call" }),
        json!({ "json": { "add_whitespace": true, "unknown_fields": "reject" }, "query": { "unknown": "reject" } }),
        json!({ "unmatched": "pass_through", "upstream": { "timeout": "1s", "cluster": "c", "authority": "a" } }),
        json!({ "upstream": { "grpc_web": true }, "dispatch": "call", "streaming": { "default": "ndjson" } }),
        json!({ "upstream": { "connect_bridge": true } }),
        json!({ "upstream": { "connect_bridge": true }, "bodyless": "call", "unmatched": "pass_through",
                "limits": { "max_response_bytes": 60 } }),
        json!({ "transforms": transforms(), "bodyless": "call" }),
        json!({ "transforms": transforms(), "upstream": { "grpc_web": true }, "limits": { "max_message_bytes": 20 } }),
        json!({ "hold_headers": true, "hooks": hooks(), "bodyless": "call" }),
        json!({ "hold_headers": true, "hooks": hooks(), "dispatch": "call" }),
        json!({ "hold_headers": true, "hooks": hooks(), "upstream": { "grpc_web": true }, "bodyless": "in_place" }),
        json!({ "hold_headers": true, "hooks": hooks(), "upstream": { "connect_bridge": true }, "unmatched": "pass_through" }),
        json!({ "hold_headers": true, "hooks": hooks(), "transforms": transforms(), "bodyless": "call" }),
        json!({ "hooks": { "cluster": "c", "pre": [{ "name": "a" }], "auth": {} },
                "limits": { "max_request_bytes": 40, "max_response_bytes": 60, "max_message_bytes": 2000 } }),
    ]
}

fn hooks() -> Value {
    json!({
        "cluster": "c",
        "pre": [{ "name": "a" }, { "name": "b" }],
        "post": [{ "name": "c", "on_error": "allow" }],
        "response": [{ "name": "d" }, { "name": "e" }],
    })
}

/// What a hook puts behind the object that it got, which merges into it.
const HOOK_CHANGES: [&[u8]; 17] = [
    b"",
    // A refusal, and an answer of its own.
    b"\x1a\x09\x52\x07\x08\x93\x03\x12\x02no",
    b"\x1a\x09\x52\x07\x08\xc8\x01\x2a\x02{}",
    // A body.
    b"\x1a\x02\x72\x00",
    b"\x1a\x04\x72\x02{}",
    b"\x1a\x09\x72\x07[{},{}]",
    b"\x1a\x0a\x72\x08{\"id\":3}",
    // A method and a URL.
    b"\x1a\x05\x5a\x03GET",
    b"\x1a\x06\x5a\x04POST",
    b"\x1a\x07\x2a\x05/up/7",
    b"\x1a\x07\x2a\x05/down",
    b"\x1a\x0a\x2a\x08/nowhere",
    // A header, and the metadata of a session.
    b"\x1a\x12\x12\x10\x0a\x06accept\x12\x06a/b, c",
    b"\x22\x00\x2a\x0a\x0a\x05token\x12\x01t",
    // Another response.
    b"\x3a\x08\x08\xc9\x01\x12\x03new",
    b"\x3a\x03\x08\xcc\x01",
    b"\xff",
];

/// Of every method whose messages are notes.
fn transforms() -> Value {
    let methods = ["Unary", "Down", "Up", "Both"].iter();
    methods
        .map(|method| {
            json!({
                "selector": format!("edge.Edge.{method}"),
                "request": [{ "set": { "field": "note.id", "header": "x-request-id" } }, { "remove": ["note.note"] }],
                "response": [{ "mask": { "field": "note.text", "keep_last": 1 } }, { "remove": ["a"] }],
            })
        })
        .collect()
}

fn plugin(mut configuration: Value) -> Rc<Plugin> {
    static PROTOS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        FILES
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Value::from(*text)))
            .collect()
    });
    let rules = [
        ("Unary", "post", "/unary", "*"),
        ("Down", "post", "/down", "*"),
        ("Up", "post", "/up/{id}", "*"),
        ("Both", "post", "/both", "*"),
        ("Raw", "post", "/raw", "note"),
        ("RawDown", "get", "/raw-down", ""),
        ("RawUp", "post", "/raw-up", "*"),
    ];
    let rules: Vec<Value> = rules
        .iter()
        .map(|(method, http_method, path, body)| {
            let get = json!({ "get": path });
            let more = if *http_method == "get" { json!([]) } else { json!([get]) };
            json!({ "selector": format!("edge.Edge.{method}"), *http_method: path, "body": body,
                    "additional_bindings": more })
        })
        .collect();
    configuration["protos"] = PROTOS.clone().into();
    configuration["services"] = json!(["edge.Edge"]);
    configuration["http_rules"] = rules.into();
    let configuration = configuration.to_string();
    Rc::new(Plugin::load(configuration.as_bytes(), 7).unwrap_or_else(|error| panic!("{error}")))
}

/// Method and path.
const TARGETS: [(&str, &str); 18] = [
    ("POST", "/unary"),
    ("POST", "/down"),
    ("POST", "/both"),
    ("POST", "/up/7"),
    ("GET", "/unary?id=3"),
    ("GET", "/down?text=x"),
    ("GET", "/both"),
    ("GET", "/up/7"),
    ("POST", "/raw"),
    ("GET", "/raw"),
    ("GET", "/raw-down"),
    ("POST", "/raw-up"),
    ("POST", "/edge.Edge/Unary"),
    ("POST", "/edge.Edge/RawDown"),
    ("POST", "/up/x"),
    ("GET", "/unary?id=x"),
    ("PUT", "/unary"),
    ("POST", "/nowhere"),
];

/// More headers of a request.
const REQUEST_HEADERS: [&[(&str, &str)]; 15] = [
    &[("content-type", "application/json")],
    &[("content-type", "application/json"), ("accept", "application/x-ndjson")],
    &[("content-type", "application/json"), ("accept", "text/event-stream")],
    &[("content-type", "application/x-ndjson"), ("accept", "application/json")],
    &[],
    &[("grpc-timeout", "1S"), ("x-request-id", "1"), ("cookie", "a=b")],
    &[("grpc-timeout", "x")],
    &[("content-type", "text/plain")],
    &[("content-type", "application/json"), ("content-length", "100")],
    &[
        ("content-type", "application/json"),
        ("connection", "close, x-a"),
        ("x-a", "1"),
        ("te", "trailers"),
    ],
    &[("content-encoding", "gzip")],
    &[("content-type", "application/grpc+proto")],
    &[
        ("content-type", "application/grpc"),
        ("grpc-encoding", "deflate"),
        ("x-request-id", "7"),
    ],
    &[("content-type", "application/grpc-web+proto")],
    &[("content-type", "application/grpc-web-text")],
];

/// Pieces of a request's body.
const CLIENT_PIECES: [&[u8]; 16] = [
    b"{}",
    b"[",
    b",",
    b"]",
    b"{\"id\":3}",
    b"{\"text\":\"a\\\"],\\n\"}",
    b"\n",
    b" ",
    b"[{\"id\":1},{\"id\":2}]",
    b"{\"id\":\"x\"}",
    b"{\"text\":\"",
    b"}",
    b"{\"note\":{\"id\":1},\"other\":[1]}",
    b"null",
    b"\xff",
    b"{\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
];

/// Pieces of a response's body: messages in their frames, and what is none. A `google.api.HttpBody` is a note as well.
const UPSTREAM_PIECES: [&[u8]; 26] = [
    b"\0\0\0\0\x03\x0a\x01a",
    b"\0\0\0\0\x00",
    b"\0\0\0\0\x02\x10\x07",
    b"\0\0\0\0\x0e\x0a\x0atext/plain\x12\x00",
    b"\0\0\0\0\x05\x32\x03a\"\n",
    b"\0\0\0\0\x06\x1a\x04\x10\x07\x1a\x00",
    b"\0\0\0\0\x02\x0a\x05",
    b"\0\0\0\0\x03\x0a\x01\xff",
    b"\x01\0\0\0\x02\x10\x07",
    b"\x07\0\0\0\x02\x10\x07",
    b"\0\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"x",
    b"\x80\0\0\0\x0fgrpc-status:0\r\n",
    b"\x80\0\0\0\x20grpc-status:5\r\ngrpc-message:no\r\n",
    b"\x80\0\0\0\x00",
    b"\x80\0\0\0\x10grpc-status: x\r\n",
    b"\0\0\0\0\x1c\x0a\x1axxxxxxxxxxxxxxxxxxxxxxxxxx",
    // Compressed: gzip and zlib of a message, a thousand bytes, a cut end, trailers.
    b"\x01\x00\x00\x00\x17\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xe3bL\x04\x00K<x\xd1\x03\x00\x00\x00",
    b"\x01\x00\x00\x00\x0bx\x9c\xe3bL\x04\x00\x00\x84\x00m",
    b"\x01\x00\x00\x00\x1f\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xe3z\xc1^1\x0aF\xc1(\x18\xf6\x00\x00\xf2F\xfb\xe2\xeb\x03\x00\x00",
    b"\x01\x00\x00\x00\x09x\x9c\xe3bL\x04\x00\x00\x84",
    b"\x81\x00\x00\x00#\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03K/*H\xd6-.I,)-\xb62\xe5\xe5\x02\x00\x85hZ\x14\x0f\x00\x00\x00",
    // Of a Connect bridge: a message, the same as zlib, an error.
    b"\x0a\x01a",
    b"x\x9c\xe3bL\x04\x00\x00\x84\x00m",
    b"{\"code\":\"not_found\",\"message\":\"no%20book\",\"details\":[{\"type\":\"a.B\",\"value\":\"CAU\"}]}",
];

/// The headers of a response, or a call's initial metadata.
const RESPONSE_HEADERS: [&[(&str, &str)]; 19] = [
    &[(":status", "200"), ("content-type", "application/grpc")],
    &[
        (":status", "200"),
        ("content-type", "application/grpc-web+proto"),
        ("x-a", "1"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", "5"),
        ("grpc-message", "no%0Abook"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", "0"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("x-http-code", "201"),
        ("grpc-encoding", "identity"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("x-http-code", "204"),
    ],
    &[(":status", "503"), ("content-type", "text/plain")],
    &[(":status", "404")],
    &[(":status", "200"), ("content-type", "text/html")],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", "x"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("content-length", "5"),
        ("x-a", "1\r\nb: 2"),
    ],
    &[],
    &[(":status", "x"), ("content-type", "application/grpc")],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("x-http-code", "205"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-encoding", "gzip"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-encoding", "deflate"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/proto"),
        ("trailer-x-a", "1"),
    ],
    &[
        (":status", "200"),
        ("content-type", "application/proto"),
        ("content-encoding", "deflate"),
    ],
    &[(":status", "404"), ("content-type", "application/json")],
];

/// The trailers of a response, or a call's trailing metadata.
const TRAILERS: [&[(&str, &str)]; 9] = [
    &[("grpc-status", "0")],
    &[],
    &[("grpc-status", "5"), ("grpc-message", "no%20book"), ("x-trailer", "1")],
    &[("grpc-status", "0"), ("x-http-code", "202"), ("x-trailer", "1")],
    &[("grpc-status", "x")],
    &[("grpc-status", "99")],
    &[("grpc-status", "3"), ("grpc-status-details-bin", "GgQKAmFi")],
    &[("grpc-message", "no status")],
    &[("grpc-status", "0"), ("x-http-code", "204")],
];

/// The host's own answers: headers, whether they are all, and what the filter makes of it.
type HostAnswer = (&'static [(&'static str, &'static str)], bool, Option<HostReply>);
const HOST_ANSWERS: [HostAnswer; 5] = [
    (
        &[(":status", "503"), ("content-type", "text/plain")],
        false,
        Some(HostReply::Unreachable),
    ),
    (
        &[(":status", "504"), ("content-type", "text/plain")],
        false,
        Some(HostReply::Deadline),
    ),
    (
        &[
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-status", "14"),
        ],
        true,
        Some(HostReply::Unreachable),
    ),
    (&[(":status", "403"), ("content-type", "text/plain")], false, None),
    (&[(":status", "500")], true, None),
];

const CLOSES: [(u32, &[u8], Option<HostReply>); 6] = [
    (0, b"", None),
    (14, b"reset{connection_termination}", Some(HostReply::Unreachable)),
    (13, b"response_timeout", Some(HostReply::Deadline)),
    (2, b"", None),
    (13, b"", None),
    (5, b"no book{via_upstream}", None),
];

fn fields(list: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in list {
        headers.push(name.as_bytes(), value.as_bytes());
    }
    headers
}

/// Runs the exchange that an input describes: four letters for the configuration, the host, the request's target and its
/// headers, one for its end, then a letter for each event with letters for what comes with it.
pub fn run(data: &[u8], workspace: &mut Workspace) {
    let mut letters = Letters(data);
    let (plugin, guards) = PLUGINS.with(|plugins| letters.choose(plugins).clone());
    let host = letters.letter() % 5;
    let (method, path) = *letters.choose(&TARGETS);
    let mut asked = fields(&[(":method", method), (":path", path), (":authority", "a")]);
    for (name, value) in *letters.choose(&REQUEST_HEADERS) {
        asked.push(name.as_bytes(), value.as_bytes());
    }
    let raw = path.contains("aw");
    // Ends know of JSON alone.
    let native = asked
        .get("content-type")
        .is_some_and(|value| value.starts_with(b"application/grpc"));
    let host = match native && (guards > 0 || !plugin.transforms.is_empty()) {
        true => 4,
        false => host,
    };
    match host {
        0..=2 => {
            let holding = match plugin.settings.hold_headers {
                Some(true) => Holding::Yes,
                _ => [Holding::Yes, Holding::No, Holding::Unknown][host],
            };
            let mut envoy = Envoy::new(plugin, guards, holding, workspace);
            envoy.request_headers(asked, letters.flag());
            play(&mut letters, &mut envoy, raw);
        }
        3 => {
            let Settings {
                dispatch,
                bodyless,
                upstream,
                ..
            } = &plugin.settings;
            let calls = [dispatch, bodyless].contains(&&Dispatch::Call);
            let refused =
                guards > 0 || calls || upstream.grpc_web || upstream.connect_bridge || upstream.cluster.is_some();
            let plugin = match refused {
                true => PLUGINS.with(|plugins| Rc::clone(&plugins[0].0)),
                false => plugin,
            };
            let mut kong = Kong::new(plugin, workspace);
            let has_body = *letters.choose(&[HasBody::Yes, HasBody::No, HasBody::NoneByFlag]);
            let obstacle = letters.choose(&[None, None, None, Some("this gateway cannot")]);
            kong.request_headers(asked, has_body, *obstacle);
            play(&mut letters, &mut kong, raw);
        }
        _ => disorder::run(
            plugin,
            asked,
            &mut letters,
            workspace,
            |letters| match letters.flag() {
                true => letters.choose(&UPSTREAM_PIECES).to_vec(),
                false => letters.choose(&CLIENT_PIECES).to_vec(),
            },
            |letters| match letters.flag() {
                true => fields(letters.choose(&TRAILERS)),
                false => fields(letters.choose(&RESPONSE_HEADERS)),
            },
            |letters| *letters.choose(&HOOK_CHANGES),
        ),
    }
}

/// What is on its way, and has not been delivered.
#[derive(Default)]
struct Wires {
    up: Vec<u8>,
    down: Vec<u8>,
}

fn play(letters: &mut Letters<'_>, host: &mut impl Host, raw: bool) {
    let mut wires = Wires::default();
    while !letters.is_empty() {
        event(letters, host, &mut wires);
    }
    // What is left happens in order, and well: whoever still waits gets an answer.
    host.tick();
    host.client_bytes(&wires.up, true);
    // A key, too, where somebody asks for one.
    while host.hook_answers(Ok(HOOK_CHANGES[13])) {}
    host.upstream_headers(fields(RESPONSE_HEADERS[0]), false);
    deliver(host, &mut wires.down, usize::MAX, false);
    host.upstream_trailers(fields(TRAILERS[0]));
    host.call_closed(0, b"", None);
    while host.hook_answers(Ok(HOOK_CHANGES[0])) {}
    let ends = host.ends();
    assert!(ends.client.end.is_some(), "no answer");
    assert!(!matches!(ends.client.end, Some(End::InPlace)) || ends.upstream.asked);
    ends.client.check(raw);
}

fn event(letters: &mut Letters<'_>, host: &mut impl Host, wires: &mut Wires) {
    match letters.letter() % 21 {
        0 | 1 => wires.up.extend_from_slice(letters.choose(&CLIENT_PIECES)),
        2 => {
            let length = letters.letter().min(wires.up.len());
            let bytes: Vec<u8> = wires.up.drain(..length).collect();
            host.client_bytes(&bytes, false);
        }
        3 => host.client_bytes(&std::mem::take(&mut wires.up), false),
        4 => host.client_bytes(&std::mem::take(&mut wires.up), true),
        5 => {
            host.client_bytes(&std::mem::take(&mut wires.up), false);
            host.client_trailers();
        }
        6 => {
            let headers = fields(letters.choose(&RESPONSE_HEADERS));
            host.upstream_headers(headers, letters.flag());
        }
        7 | 8 => wires.down.extend_from_slice(letters.choose(&UPSTREAM_PIECES)),
        9 => {
            let length = letters.letter();
            deliver(host, &mut wires.down, length, letters.flag());
        }
        10 => deliver(host, &mut wires.down, usize::MAX, letters.flag()),
        11 => {
            deliver(host, &mut wires.down, usize::MAX, false);
            host.upstream_trailers(fields(letters.choose(&TRAILERS)));
        }
        12 => {
            // As Envoy's gRPC-Web filter does it: the last frame by itself, and no trailers behind it.
            deliver(host, &mut wires.down, usize::MAX, false);
            host.upstream_bytes(letters.choose(&UPSTREAM_PIECES[13..17]), false);
            host.upstream_trailers(Headers::default());
        }
        13 => host.tick(),
        14 => {
            let (list, end, host_reply) = *letters.choose(&HOST_ANSWERS);
            host.host_answers(fields(list), end, host_reply);
        }
        15 => {
            let (code, message, host_reply) = *letters.choose(&CLOSES);
            host.call_closed(code, message, host_reply);
        }
        16 => host.client_leaves(),
        17 => host.refuses(),
        18 | 19 => {
            host.hook_answers(Ok(letters.choose(&HOOK_CHANGES)));
        }
        _ => {
            host.hook_answers(Err(CallFailure::TimedOut));
        }
    }
}

/// A call's messages come without their frames, one by one.
fn deliver(host: &mut impl Host, down: &mut Vec<u8>, length: usize, end: bool) {
    if host.ends().upstream.called {
        for piece in std::mem::take(down)
            .split(|byte| *byte == 0)
            .filter(|piece| !piece.is_empty())
        {
            host.upstream_bytes(piece.get(1..).unwrap_or_default(), false);
        }
        return;
    }
    let bytes: Vec<u8> = down.drain(..length.min(down.len())).collect();
    host.upstream_bytes(&bytes, end);
}
