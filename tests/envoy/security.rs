//! What goes over the wire when somebody means harm, through real Envoy: the bytes of the answers, and what the service
//! receives. The tables of bytes for each place in the module are in `tests/module/security.rs`.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::bench::bootstrap::{BACKEND, GARBAGE, Listener, REFUSED};
use crate::bench::client::{AUTHORITY, Http, Request};
use crate::bench::upstream::{LIMIT, RawAnswer, Script, frame};
use crate::bench::{Bench, Gateway, schema, script};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let proto = schema::PROTO;
        let strict = json!({
            "proto": proto,
            "query": { "unknown": "reject" },
            "json": { "unknown_fields": "reject" },
        });
        let plain = json!({ "proto": proto });
        let call = json!({ "proto": proto, "dispatch": "call" });
        let missing = json!({ "proto": proto, "upstream": { "cluster": "secret-cluster" }, "dispatch": "call" });
        let web = json!({ "proto": proto, "upstream": { "grpc_web": true } });
        let short = json!({ "proto": proto, "upstream": { "timeout": "0.2s" } });
        let all = [
            Listener::new("auto", &plain),
            Listener::new("strict", &strict),
            Listener::new("call", &call),
            Listener::new("early", &plain).without_stop_iteration(),
            Listener::new("grpc_web", &web).with_grpc_web().with_lua(),
            Listener::new("refused", &plain).cluster(REFUSED),
            Listener::new("garbage", &plain).cluster(GARBAGE),
            Listener::new("missing", &missing),
            Listener::new("nowhere", &plain).cluster("secret-cluster"),
            Listener::new("short", &short),
        ];
        Bench::start(&all.map(|listener| listener.keeps_connections().closes_at_once()))
    })
}

const LISTENERS: [&str; 5] = ["auto", "strict", "call", "early", "grpc_web"];

fn gateway(name: &'static str) -> Gateway {
    bench().at(name)
}

/// An answer as its bytes are.
struct Wire {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Wire {
    fn all(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// Reads the one answer that `bytes` are, by the letter of RFC 9112: lines end in CR LF, and hold neither alone; a name
    /// is a token; behind the body there is nothing.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{what}: `{}`", bytes[..bytes.len().min(2000)].escape_ascii()));
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return wrong("no end of headers");
        };
        let (head, mut rest) = (&bytes[..end], &bytes[end + 4..]);
        let mut lines = head.split(|byte| *byte == b'\n');
        let mut headers = Vec::new();
        let mut status = 0;
        let count = head.split(|byte| *byte == b'\n').count();
        for (at, line) in lines.by_ref().enumerate() {
            // The last one's CR is part of the end.
            let line = if at + 1 == count {
                line
            } else {
                match line.strip_suffix(b"\r") {
                    Some(line) => line,
                    None => return wrong("a line feed alone"),
                }
            };
            if line.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
                return wrong("a control character in a line");
            }
            if at == 0 {
                let words = line.strip_prefix(b"HTTP/1.1 ").and_then(|words| words.get(..3));
                let Some(number) = words.and_then(|words| std::str::from_utf8(words).ok()?.parse().ok()) else {
                    return wrong("no status line");
                };
                status = number;
                continue;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return wrong("a line without a colon");
            };
            let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
            if colon == 0 || !line[..colon].iter().all(token) {
                return wrong("a name that is none");
            }
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
        let mut wire = Self {
            status,
            headers,
            body: Vec::new(),
        };
        if wire.all("transfer-encoding") == [b"chunked"] {
            loop {
                let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
                    return wrong("a chunk without a size");
                };
                let size = std::str::from_utf8(&rest[..end]).ok();
                let Some(size) = size.and_then(|size| usize::from_str_radix(size, 16).ok()) else {
                    return wrong("a chunk's size that is none");
                };
                let chunk = &rest[end + 2..];
                if chunk.get(size..size + 2) != Some(b"\r\n") {
                    return wrong("a chunk of another size");
                }
                wire.body.extend_from_slice(&chunk[..size]);
                rest = &chunk[size + 2..];
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = match wire.all("content-length")[..] {
                [length] => std::str::from_utf8(length).ok().and_then(|length| length.parse().ok()),
                _ => None,
            };
            let Some(length) = length.or((wire.status == 204).then_some(0)) else {
                return wrong("no one length");
            };
            if rest.len() < length {
                return wrong("cut off");
            }
            wire.body = rest[..length].to_vec();
            rest = &rest[length..];
        }
        if !rest.is_empty() {
            return wrong("more than one answer");
        }
        Ok(wire)
    }

    /// Checks that there is no header that somebody put in.
    fn assert_clean(&self, at: &str) {
        for name in [
            "x-evil",
            "set-cookie",
            "grpc-status",
            "grpc-message",
            "grpc-status-details-bin",
            "trailer",
        ] {
            assert!(self.all(name).is_empty(), "{at}: {name}");
        }
        for name in ["content-type", "content-length", "location"] {
            assert!(self.all(name).len() <= 1, "{at}: {name}");
        }
    }
}

/// Sends these bytes on a connection of their own, which the request asks to be closed, and reads all that comes.
async fn raw(to: Gateway, request: &[u8]) -> Result<Wire, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(to.address).await.unwrap();
        // Envoy may have answered and closed before it has all of a request that is none.
        let _ = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    };
    let bytes = tokio::time::timeout(LIMIT, exchange)
        .await
        .expect("an answer, and its end");
    Wire::read(&bytes)
}

/// A request whose head has these lines.
fn head(line: &[u8], more: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [
        line,
        format!(" HTTP/1.1\r\nhost: {AUTHORITY}\r\nconnection: close\r\n").as_bytes(),
    ]
    .concat();
    for line in more {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Whether a byte means something to somebody who reads lines. These are tried everywhere, the others in one place.
fn is_telling(byte: u8) -> bool {
    matches!(byte, 0 | b'\n' | b'\r' | 0x7f | 0x85)
}

/// What stands for `byte` in a request target, in what a decoder of any kind may take for it, with more behind it.
fn spellings(byte: u8) -> Vec<Vec<u8>> {
    let mut spellings = vec![
        format!("a%{byte:02X}x-evil:%201").into_bytes(),
        format!("a%25{byte:02x}x-evil:%201").into_bytes(),
        [b"a".as_slice(), &[byte], b"x-evil:1"].concat(),
    ];
    if byte < 0x20 {
        // Too long a form of it in UTF-8, and what a cut to eight bits would leave of another character.
        spellings.push(format!("a%{:02x}%{:02x}x-evil:%201", 0xc0 | byte >> 6, 0x80 | byte & 0x3f).into_bytes());
        spellings.push(format!("a%{:02x}%{:02x}x-evil:%201", 0xc4, 0x80 | byte).into_bytes());
        spellings.push(format!("a%u00{byte:02x}x-evil:%201").into_bytes());
    }
    spellings
}

#[tokio::test]
async fn no_byte_of_a_target_leaves_its_place_in_the_answer() {
    let crlf = b"a%0d%0aset-cookie:%20a=1%0d%0a%0d%0aHTTP%2f1.1%20200%20OK%0d%0ax-evil:%201".to_vec();
    for byte in 0..=255 {
        // A line feed or a space ends a request line, whoever reads it.
        let mut values = spellings(byte);
        if is_telling(byte) {
            values.push(crlf.clone());
        }
        for value in &values {
            if value
                .iter()
                .any(|byte| matches!(byte, b'\n' | b'\r' | b' ' | b'?' | b'#' | b'/'))
            {
                continue;
            }
            for listener in LISTENERS
                .into_iter()
                .filter(|listener| is_telling(byte) || *listener == "strict")
            {
                for before in [
                    "/v1/typed/int32/",
                    "/v1/echo?",
                    "/v1/nowhere/",
                    "/v1/raw/",
                    "/v1/echo?int32_value=",
                ]
                .iter()
                .take(if is_telling(byte) { 5 } else { 2 })
                .copied()
                {
                    let method: &[u8] = if before == "/v1/raw/" { b"DELETE " } else { b"GET " };
                    let request = head(&[method, before.as_bytes(), value].concat(), &[]);
                    let at = format!("{listener}: {}", request[..60].escape_ascii());
                    let wire = raw(gateway(listener), &request).await;
                    let wire = wire.unwrap_or_else(|wrong| panic!("{at}: {wrong}"));
                    wire.assert_clean(&at);
                    let ours = wire.body.starts_with(b"{\"code\":");
                    assert!(
                        ours || wire.status == 400 || wire.status == 200,
                        "{at}: {}",
                        wire.body.escape_ascii()
                    );
                    if ours {
                        assert_eq!(wire.all("content-type"), [b"application/json"], "{at}");
                        assert_eq!(wire.all("x-content-type-options"), [b"nosniff"], "{at}");
                        let _: Value = serde_json::from_slice(&wire.body).unwrap();
                        assert!(
                            wire.body.iter().all(|byte| *byte >= b' '),
                            "{at}: {}",
                            wire.body.escape_ascii()
                        );
                    }
                    if before == "/v1/raw/" && ours {
                        assert_eq!(wire.all("allow"), [b"GET, PUT"], "{at}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_captured_value_reaches_the_service_as_data_alone() {
    for listener in ["auto", "call", "grpc_web"] {
        for byte in 0..=127u8 {
            let mut call = script(Script::reply(json!({ "id": "x" })));
            let line = format!("GET /v1/paths/a%{byte:02x}%0d%0ax-evil:%201");
            let request = head(line.as_bytes(), &[format!("x-script: {}", call.id()).as_bytes()]);
            let wire = raw(gateway(listener), &request).await.unwrap();
            wire.assert_clean(listener);
            // What Envoy itself refuses in a path doesn't come.
            if !call.has_received() {
                assert_eq!(wire.status, 400, "{listener}: {byte:#04x}");
                continue;
            }
            let received = call.received().await;
            assert!(!received.headers.contains_key("x-evil"));
            assert_eq!(received.path, "/test.everything.Paths/Single", "{byte:#04x}");
            let expected = format!("a{}\r\nx-evil: 1", char::from(byte));
            assert_eq!(received.json(), json!({ "id": expected }), "{listener}");
        }
    }
}

#[tokio::test]
async fn no_byte_of_a_header_makes_another_one_upstream() {
    for listener in LISTENERS {
        for byte in 0..=255u8 {
            // A CR LF ends the line, which then begins another one that the client itself sends.
            if byte == b'\n' {
                continue;
            }
            for name in ["x-one", "authorization", "x-one-bin"] {
                if listener != "auto" && !is_telling(byte) {
                    continue;
                }
                let mut call = script(Script::echo());
                let value = [name.as_bytes(), b": a", &[byte], b"x-evil: 1"].concat();
                let id = format!("x-script: {}", call.id());
                let lines: [&[u8]; 4] = [
                    &value,
                    id.as_bytes(),
                    b"content-type: application/json",
                    b"content-length: 2",
                ];
                let request = [head(b"POST /v1/echo", &lines), b"{}".to_vec()].concat();
                let at = format!("{listener}: {name}: {byte:#04x}");
                let wire = raw(gateway(listener), &request).await;
                wire.unwrap_or_else(|wrong| panic!("{at}: {wrong}")).assert_clean(&at);
                if !call.has_received() {
                    continue;
                }
                let received = call.received().await;
                assert!(!received.headers.contains_key("x-evil"), "{at}");
                if let Some(value) = received.headers.get(name) {
                    assert!(
                        value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~')),
                        "{at}: {value:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn no_byte_of_the_services_leaves_its_place_in_the_answer() {
    for listener in ["auto", "call", "early", "grpc_web"] {
        for byte in 0..=255u8 {
            if listener != "auto" && !is_telling(byte) {
                continue;
            }
            // As bytes: `HttpBody.content_type` is field 1.
            let value = [b"text/plain;a=".as_slice(), &[byte], b"x-evil: 1"].concat();
            let body = [&[10, value.len() as u8], value.as_slice(), b"\x12\x02hi"].concat();
            let split: &'static str = format!("a%{byte:02X}b%0D%0Ax-evil: 1%0D%0A%0D%0Aevent: evil").leak();
            let scripts = [
                ("/v1/raw", Script::reply_bytes(body.clone())),
                (
                    "/v1/streams:download",
                    Script::many(vec![body.clone().into(), body.into()]),
                ),
                ("/v1/echo", Script::raw(trailers_only(split))),
                ("/v1/echo", Script::raw(late_status(split))),
                ("/v1/streams/x", Script::raw(late_status(split))),
            ];
            for (path, script) in scripts {
                let call = crate::bench::script(script);
                let id = format!("x-script: {}", call.id());
                let lines: [&[u8]; 4] = [
                    id.as_bytes(),
                    b"content-type: application/json",
                    b"accept: text/event-stream",
                    b"content-length: 2",
                ];
                let request = [head(format!("POST {path}").as_bytes(), &lines), b"{}".to_vec()].concat();
                let at = format!("{listener}: {path}: {byte:#04x}");
                let wire = match raw(gateway(listener), &request).await {
                    Ok(wire) => wire,
                    // A stream whose error cannot be written any more is broken off.
                    Err(wrong) if path.contains("streams") || listener == "early" => {
                        assert!(
                            wrong.contains("cut off") || wrong.contains("chunk") || wrong.contains("no end"),
                            "{at}: {wrong}"
                        );
                        assert!(!wrong.contains("\\r\\nx-evil"), "{at}: {wrong}");
                        continue;
                    }
                    Err(wrong) => panic!("{at}: {wrong}"),
                };
                wire.assert_clean(&at);
                if path != "/v1/raw" && path != "/v1/streams:download" {
                    let text = String::from_utf8(wire.body).unwrap();
                    for line in text.split(['\r', '\n']).filter(|line| !line.is_empty()) {
                        let json = line.strip_prefix("data: ").unwrap_or(line);
                        let whole = serde_json::from_str::<Value>(json).is_ok();
                        assert!(whole || line == "event: error", "{at}: {text:?}");
                    }
                }
            }
        }
    }
}

fn trailers_only(message: &'static str) -> RawAnswer {
    RawAnswer {
        headers: vec![
            ("content-type", "application/grpc"),
            ("grpc-status", "9"),
            ("grpc-message", message),
        ],
        ..RawAnswer::default()
    }
}

fn late_status(message: &'static str) -> RawAnswer {
    RawAnswer {
        headers: vec![("content-type", "application/grpc")],
        body: frame(0, b""),
        trailers: vec![("grpc-status", "9"), ("grpc-message", message)],
        ..RawAnswer::default()
    }
}

/// A frame of trailers that the service itself put into its body: no other line than by CR LF, and only good values.
#[tokio::test]
async fn trailers_that_a_service_forges_in_its_body_make_no_bad_headers() {
    for byte in (0..=255u8).filter(|byte| *byte != b'\n') {
        let line = [b"grpc-status: 0\r\nx-one: a".as_slice(), &[byte], b"x-evil: 1\r\n"].concat();
        let body: Bytes = [frame(0, b""), frame(0x80, &line)].concat().into();
        let call = script(Script::raw(RawAnswer {
            headers: vec![("content-type", "application/grpc")],
            body,
            trailers: vec![("grpc-status", "0")],
            ..RawAnswer::default()
        }));
        let id = format!("x-script: {}", call.id());
        let lines: [&[u8]; 3] = [id.as_bytes(), b"content-type: application/json", b"content-length: 2"];
        let request = [head(b"POST /v1/echo", &lines), b"{}".to_vec()].concat();
        let wire = raw(gateway("grpc_web"), &request)
            .await
            .unwrap_or_else(|wrong| panic!("{byte:#04x}: {wrong}"));
        wire.assert_clean(&format!("{byte:#04x}"));
    }
}

#[tokio::test]
async fn headers_of_the_connection_end_here() {
    for listener in LISTENERS {
        for (line, body) in [("POST /v1/echo", "{}"), ("GET /v1/echo", "")] {
            let mut call = script(
                Script::echo()
                    .initial("keep-alive", "timeout=5")
                    .initial("proxy-authenticate", "Basic")
                    .initial("trailer", "x-two")
                    .initial("content-encoding", "identity")
                    .initial("grpc-encoding", "identity"),
            );
            let id = format!("x-script: {}", call.id());
            let length = format!("content-length: {}", body.len());
            let lines: [&[u8]; 15] = [
                id.as_bytes(),
                length.as_bytes(),
                b"content-type: application/json",
                b"Connection: keep-alive, X-Hop, x-hop-two",
                b"x-hop: 1",
                b"x-hop-two: 1",
                b"keep-alive: timeout=5",
                b"proxy-connection: keep-alive",
                b"proxy-authorization: Basic abc",
                b"te: gzip, trailers",
                b"trailer: x-two",
                b"accept-encoding: gzip",
                b"grpc-encoding: gzip",
                b"grpc-accept-encoding: gzip",
                b"grpc-status: 5",
            ];
            let request = [head(line.as_bytes(), &lines), body.as_bytes().to_vec()].concat();
            let wire = raw(gateway(listener), &request).await;
            let wire = wire.unwrap_or_else(|wrong| panic!("{listener}: {wrong}"));
            assert_eq!(wire.status, 200, "{listener}: {line}: {}", wire.body.escape_ascii());
            for name in [
                "proxy-authenticate",
                "trailer",
                "content-encoding",
                "grpc-encoding",
                "grpc-status",
            ] {
                assert!(wire.all(name).is_empty(), "{listener}: {line}: {name}");
            }
            let received = call.received().await;
            for name in [
                "connection",
                "x-hop",
                "x-hop-two",
                "keep-alive",
                "proxy-connection",
                "proxy-authorization",
                "trailer",
                "transfer-encoding",
                "content-length",
                "accept-encoding",
                "host",
                "grpc-encoding",
                "grpc-status",
            ] {
                assert_eq!(received.header(name), None, "{listener}: {line}: {name}");
            }
            assert_eq!(received.header("te"), Some("trailers"), "{listener}: {line}");
            assert_ne!(
                received.header("grpc-accept-encoding"),
                Some("gzip"),
                "{listener}: {line}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_behind_the_gateway_is_not_told() {
    // Names of clusters and addresses, Envoy's words for what went wrong, and what a program says of itself.
    let secrets = [
        "secret",
        BACKEND,
        "127.0.0.1",
        "reset",
        "transport",
        "refused",
        "upstream_",
        "via_upstream",
        "delayed",
        "protocol error",
        "envoy",
        "wasm",
        "panicked",
        ".rs",
        "src/",
        "Some(",
        "None",
        "Err(",
        "UF,",
        "UH,",
    ];
    for (listener, status) in [
        ("refused", 503),
        ("garbage", 503),
        ("missing", 503),
        ("nowhere", 503),
        ("short", 504),
    ] {
        for request in [
            Request::post("/v1/echo", &json!({})),
            Request::get("/v1/echo"),
            Request::post("/v1/streams/x", &json!({})).header("accept", "application/x-ndjson"),
            Request::new("POST", "/v1/streams:collect")
                .body("[{}]")
                .header("content-type", "application/json"),
        ] {
            // A stream has no deadline there.
            if listener == "short" && format!("{request:?}").contains("streams") {
                continue;
            }
            let call = script(Script::silence());
            let request = request.script(&call);
            let answer = gateway(listener).send(Http::Two, &request).await;
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            // Without calls, or with calls alone, some of these are 501. Of a deadline the service may be the first to tell.
            assert!(
                [status, 501].contains(&answer.status)
                    || listener == "nowhere"
                    || (listener == "short" && answer.status == 499),
                "{listener}: {request:?}: {answer:?}"
            );
            for secret in secrets {
                assert!(!body.contains(secret), "{listener}: {request:?}: {secret}: {body}");
            }
        }
    }
    // What the service says is passed on as it is, and nothing is added.
    for request in [Request::post("/v1/echo", &json!({})), Request::get("/v1/echo")] {
        let (answer, _) = gateway("auto")
            .exchange(Http::One, request, Script::error(Code::Internal, "at db-7.internal"))
            .await;
        assert_eq!(answer.json(), json!({ "code": 13, "message": "at db-7.internal" }));
    }
}

#[tokio::test]
async fn a_client_cannot_change_how_long_envoy_waits() {
    for value in ["0", "600000", "x"] {
        for request in [Request::post("/v1/echo", &json!({})), Request::get("/v1/echo")] {
            let call = script(Script::silence());
            let request = request
                .script(&call)
                .header("x-envoy-upstream-rq-timeout-ms", value)
                .header("x-envoy-upstream-stream-duration-ms", value);
            let answer = gateway("short").send(Http::One, &request).await;
            // Or the service, which is told of the time, is the first to notice.
            assert!([504, 499].contains(&answer.status), "{request:?}: {answer:?}");
        }
    }
}

/// What docs/operation.md says of bounds that are Envoy's own.
#[tokio::test]
async fn envoy_bounds_headers_and_streams() {
    let auto = gateway("auto");
    for (bytes, status) in [(50_000, 404), (70_000, 431)] {
        let answer = auto
            .send(Http::One, &Request::get(&format!("/{}", "x".repeat(bytes))))
            .await;
        assert_eq!(answer.status, status, "a path of {bytes} bytes");
        let query = format!("/v1/echo?{}int32_value=5", "a=1&".repeat(bytes / 4));
        let answer = auto.send(Http::One, &Request::get(&query)).await;
        assert_eq!(
            answer.status,
            if status == 404 { 200 } else { status },
            "a query of {bytes} bytes"
        );
    }
    for (count, status) in [(80, 200), (120, 431)] {
        let request = (0..count).fold(Request::get("/v1/echo"), |request, at| {
            request.header(&format!("x-{at}"), "1")
        });
        assert_eq!(auto.send(Http::One, &request).await.status, status, "{count} headers");
    }
    let mut stream = TcpStream::connect(auto.address).await.unwrap();
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    stream
        .write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), settings].concat())
        .await
        .unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    let mut values = vec![0; usize::from(head[2])];
    stream.read_exact(&mut values).await.unwrap();
    let of = |number: u8| {
        let setting = values.chunks(6).find(|setting| setting[1] == number).unwrap();
        u32::from_be_bytes(setting[2..].try_into().unwrap())
    };
    // SETTINGS_MAX_CONCURRENT_STREAMS and SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, section 6.5.2).
    assert_eq!((of(3), of(4)), (1024, 16 << 20));
}

/// Behind all of it, the module has not trapped once.
#[tokio::test]
async fn nothing_of_it_brings_the_module_down() {
    let long = "x".repeat(40_000);
    for listener in LISTENERS {
        for request in [
            Request::get(&format!("/{long}")),
            Request::get(&format!("/v1/echo?{long}=1")),
            Request::get("/v1/echo").header("x-long", &long),
            Request::post("/v1/echo", &json!({})).header("content-type", &long),
        ] {
            let answer = gateway(listener).send(Http::One, &request).await;
            assert!(
                answer.body.len() < 6000,
                "{listener}: {request:?}: {}",
                answer.body.len()
            );
        }
    }
    assert_eq!(bench().traps(), "");
}
