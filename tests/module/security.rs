//! What a client or an upstream sends stays where it belongs: no byte of it ends a line, becomes a header, leaves its
//! place in a body, or says more than it must. The module itself holds to that, whether its host looks at bytes or, as
//! nginx does when it writes headers, doesn't.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost::Message as _;
use serde_json::{Value, json};

use crate::harness::{Exchange, Gateway, Headers, Host, Passed, Progress, Request, Response, frame};
use crate::kit::{configuration, everything};
use crate::schema;

/// The gateways, by the way to the upstream and by what they can hold.
fn gateways() -> Vec<(&'static str, Gateway)> {
    let envoy = |more: Value| Host::envoy().load(&configuration(more)).unwrap();
    let early = Host::envoy().without_headers_stop_iteration();
    let proto = json!({ "proto": schema::PROTO }).to_string();
    vec![
        ("forward", envoy(json!({ "dispatch": "in_place" }))),
        ("call", envoy(json!({ "dispatch": "call" }))),
        (
            "grpc_web",
            envoy(json!({ "dispatch": "in_place", "upstream": { "grpc_web": true } })),
        ),
        ("early", early.load(&proto).unwrap()),
        ("kong", Host::kong().load(&proto).unwrap()),
        ("kong, hiding", Host::kong().hiding_status().load(&proto).unwrap()),
    ]
}

/// The bytes that are tried on a gateway: all of them on one of each host, on the others those that mean something.
fn bytes(name: &str) -> impl Iterator<Item = u8> {
    let all = ["forward", "kong"].contains(&name);
    (0..=255u8).filter(move |byte| all || byte.is_ascii_control() || b" \"%:,;=\\\x80\x85\xa0\xff".contains(byte))
}

/// Sends a request. Where headers cannot be held, the filter takes a moment to find out.
fn send(gateway: &Gateway, request: Request) -> Exchange {
    let exchange = gateway.request(request);
    if exchange.progress() == Progress::WaitsForTime {
        gateway.advance(Duration::from_millis(100));
    }
    exchange
}

/// The headers of the answer, if there is a whole one; a reset has none.
fn answer(exchange: &Exchange) -> Option<Passed> {
    (exchange.progress() == Progress::Answered).then(|| exchange.so_far())
}

/// Checks that each header is one: its name a token, nothing in its value that ends a line or is no text at all.
fn assert_well_formed(headers: &Headers, at: &str) {
    for (name, value) in headers.iter() {
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let name_is_one = name.strip_prefix(b":").unwrap_or(name).iter().all(token);
        let value_is_one = value
            .iter()
            .all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
        assert!(
            name_is_one && !name.is_empty() && value_is_one,
            "{at}: {}: {}",
            name.escape_ascii(),
            value.escape_ascii()
        );
        assert!(!name.starts_with(b"x-evil"), "{at}: {}", name.escape_ascii());
    }
}

/// `byte` among others, and what somebody would put behind it.
fn with(byte: u8) -> Vec<u8> {
    [b"a".as_slice(), &[byte], b"x-evil: 1"].concat()
}

#[test]
fn no_byte_in_metadata_of_the_upstream_makes_another_header() {
    let ok = everything(json!({ "int32Value": 1 }));
    for (name, gateway) in gateways() {
        for byte in bytes(name) {
            let value = with(byte);
            let at = format!("{name}: {byte:#04x}");
            let mut responses = vec![
                Response::ok(&ok).header("x-one", &value),
                Response::ok(&ok).header("x-one", "fine").header("x-one", &value),
                Response::ok(&ok).header("x-one", &value).header("x-one", "fine"),
                Response::ok(&ok).header("x-blob-bin", &value),
                Response::ok(&ok).trailer("x-two", &value),
                Response::error(5, "gone").header("x-one", &value),
                Response::error(5, "gone")
                    .header("x-one", "fine")
                    .header("x-one", &value),
                Response::grpc().trailer("grpc-status", "5").trailer("x-two", &value),
                Response::new(503).header("x-one", &value).chunk("no"),
            ];
            // nginx lets no name come that has one of them.
            if byte.is_ascii() && !name.starts_with("kong") {
                let hostile = format!("x-a{}x-evil", char::from(byte));
                responses.push(Response::ok(&ok).header(&hostile, "1"));
                responses.push(Response::ok(&ok).trailer(&hostile, "1"));
                responses.push(Response::error(5, "gone").header(&hostile, "1"));
            }
            for response in responses {
                let exchange = send(&gateway, Request::post("/v1/echo").json("{}"));
                exchange.respond(response.clone());
                // Where the answer has begun, it may have been broken off.
                if let Some(answer) = answer(&exchange) {
                    assert_well_formed(&answer.headers, &format!("{at}: {response:?}"));
                    assert!(answer.trailers.is_none_or(|trailers| trailers.len() == 0), "{at}");
                }
            }
        }
    }
}

#[test]
fn no_byte_in_trailers_within_a_body_makes_another_header() {
    let gateway = crate::kit::gateway(json!({ "dispatch": "in_place", "upstream": { "grpc_web": true } }));
    // A line feed ends a line of these trailers: what is behind it is one of its own, by this form of them.
    for byte in (0..=255).filter(|byte| *byte != b'\n') {
        for line in [
            [b"x-two: ".as_slice(), &with(byte)].concat(),
            [b"x-two".as_slice(), &[byte], b"x-evil: 1"].concat(),
        ] {
            let trailers = [b"grpc-status: 0\r\n".as_slice(), &line, b"\r\n"].concat();
            let body = [frame(0, &everything(json!({}))), frame(0x80, &trailers)].concat();
            let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
            exchange.respond(Response::grpc().chunk(body));
            assert_well_formed(&exchange.answer().headers, &format!("{byte:#04x}"));
        }
    }
}

#[test]
fn no_byte_in_the_content_type_of_raw_bytes_makes_another_header() {
    for (name, gateway) in gateways() {
        for byte in bytes(name) {
            let raw = raw(&[b"text/plain; a=".as_slice(), &with(byte)].concat());
            for (request, response) in [
                (Request::post("/v1/raw").body("x"), Response::ok(&raw)),
                (
                    Request::post("/v1/streams:download").json("{}"),
                    Response::grpc().message(&raw).message(&raw).trailer("grpc-status", "0"),
                ),
            ] {
                let exchange = send(&gateway, request);
                exchange.respond(response);
                let answer = exchange.answer();
                let at = format!("{name}: {byte:#04x}");
                assert_well_formed(&answer.headers, &at);
                assert_eq!(answer.headers.all("content-type").len(), 1, "{at}");
            }
        }
    }
}

/// An `HttpBody` with any bytes as its type: a string and bytes are alike on the wire, and both messages have theirs as
/// field 1.
fn raw(content_type: &[u8]) -> Vec<u8> {
    content_type.to_vec().encode_to_vec()
}

#[test]
fn no_byte_of_a_status_leaves_its_json_string() {
    for (name, gateway) in gateways() {
        for byte in bytes(name) {
            let escaped = format!("a%{byte:02X}b%0D%0Ax-evil: 1%0D%0A%0D%0A</script>");
            let mut messages = vec![escaped.into_bytes()];
            if name != "call" || byte.is_ascii() {
                messages.push([b"a".as_slice(), &[byte], b"b"].concat());
            }
            for encoded in messages {
                for (path, accept) in [
                    ("/v1/echo", "application/json"),
                    ("/v1/streams/x", "application/json"),
                    ("/v1/streams/x", "application/x-ndjson"),
                    ("/v1/streams/x", "text/event-stream"),
                ] {
                    let response = Response::grpc()
                        .trailer("grpc-status", "9")
                        .trailer("grpc-message", &encoded);
                    let exchange = send(&gateway, Request::post(path).header("accept", accept).json("{}"));
                    exchange.respond(response);
                    let Some(answer) = answer(&exchange) else { continue };
                    let at = format!("{name}: {path} as {accept}: {}", encoded.escape_ascii());
                    assert_well_formed(&answer.headers, &at);
                    let body = answer.text();
                    let error = body.trim_end_matches('\n').trim_start_matches("event: error\ndata: ");
                    assert!(!error.contains(|letter: char| letter < ' '), "{at}: {body:?}");
                    let json: Value =
                        serde_json::from_str(error).unwrap_or_else(|wrong| panic!("{at}: {wrong}: {body}"));
                    let status = [&json["error"], &json[0]["error"], &json]
                        .into_iter()
                        .find(|at| at["code"] == 9);
                    let told = status.unwrap_or_else(|| panic!("{at}: {body}"))["message"]
                        .as_str()
                        .unwrap();
                    assert!(told.starts_with('a'), "{at}: {told:?}");
                }
            }
        }
    }
}

#[test]
fn a_status_that_is_no_number_is_told_in_a_json_string() {
    for (name, gateway) in gateways() {
        for byte in bytes(name) {
            if name == "call" && !byte.is_ascii() {
                continue;
            }
            let status = [b"5".as_slice(), &[byte], b"\r\n\r\nx-evil: 1"].concat();
            let exchange = send(&gateway, Request::post("/v1/echo").json("{}"));
            exchange.respond(Response::grpc().message(b"").trailer("grpc-status", &status));
            let Some(answer) = answer(&exchange) else { continue };
            assert_well_formed(&answer.headers, name);
            let body = answer.text();
            assert!(
                !body.trim_end().contains(|letter: char| letter < ' '),
                "{name}: {body:?}"
            );
            assert_eq!(answer.json()["code"], 14, "{name}: {body}");
        }
    }
}

/// Every place of a message whose JSON is a string of the upstream's choice, with this text there.
fn text_everywhere(text: &str) -> Value {
    json!({
        "stringValue": text,
        "choiceString": text,
        "strings": [text, text],
        "child": { "name": text, "tags": [text], "child": { "circle": text } },
        "stringMap": { text: text },
        "valueMap": { text: text },
        "struct": { text: [text, { text: text }] },
        "value": text,
        "listValue": [text],
        "stringWrapper": text,
        "stringWrappers": [text],
        "anotherName": text,
    })
}

#[test]
fn no_character_of_a_message_leaves_its_line() {
    for (name, gateway) in gateways() {
        let characters = bytes(name).map(char::from);
        for character in characters.chain(['\u{200b}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{fffd}', '\u{10ffff}']) {
            let text = format!("a{character}\n\nevent: evil\ndata: {{}}\r\rid: 1\r\n\r\n");
            let message = everything(text_everywhere(&text));
            for accept in ["application/x-ndjson", "text/event-stream"] {
                let request = Request::post("/v1/streams/x").header("accept", accept).json("{}");
                let exchange = send(&gateway, request);
                exchange.respond(
                    Response::grpc()
                        .message(&message)
                        .message(&message)
                        .trailer("grpc-status", "0"),
                );
                let body = exchange.answer().text();
                let at = format!("{name}: {accept}: {character:?}");
                // A server-sent event's line ends at CR and LF alike.
                let lines: Vec<_> = body.split(['\n', '\r']).filter(|line| !line.is_empty()).collect();
                assert_eq!(lines.len(), 2, "{at}: {body:?}");
                for line in lines {
                    let json = match accept {
                        "text/event-stream" => line.strip_prefix("data: ").unwrap_or_else(|| panic!("{at}: {line}")),
                        _ => line,
                    };
                    let json: Value =
                        serde_json::from_str(json).unwrap_or_else(|wrong| panic!("{at}: {wrong}: {line}"));
                    assert_eq!(json, text_everywhere(&text), "{at}");
                }
            }
        }
    }
}

#[test]
fn the_type_of_an_any_does_not_leave_its_line_either() {
    for (name, gateway) in gateways() {
        for byte in bytes(name).filter(u8::is_ascii).map(char::from) {
            let any = prost_types::Any {
                type_url: format!("t/a{byte}\n\ndata: evil\r\r"),
                value: vec![1],
            };
            // Field 57 of the message.
            let body = any.encode_to_vec();
            let record = [&[0xca, 0x03, body.len() as u8], body.as_slice()].concat();
            let details = [&[0x1a, body.len() as u8], body.as_slice()].concat();
            let status = Response::grpc()
                .message(b"")
                .trailer("grpc-status", "9")
                .trailer("grpc-status-details-bin", BASE64_STANDARD.encode(&details));
            for response in [Response::grpc().message(&record).trailer("grpc-status", "0"), status] {
                for accept in ["application/x-ndjson", "text/event-stream"] {
                    let request = Request::post("/v1/streams/x").header("accept", accept).json("{}");
                    let exchange = send(&gateway, request);
                    exchange.respond(response.clone());
                    let Some(answer) = answer(&exchange) else { continue };
                    let body = answer.text();
                    for line in body.split(['\n', '\r']).filter(|line| !line.is_empty()) {
                        let json = line.strip_prefix("data: ").unwrap_or(line);
                        let well_formed = serde_json::from_str::<Value>(json).is_ok() || line == "event: error";
                        assert!(well_formed, "{name}: {accept}: {byte:?}: {body:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn no_byte_of_a_request_header_makes_another_one_upstream() {
    for (name, gateway) in gateways() {
        for byte in bytes(name) {
            for header in ["x-one", "authorization", "x-blob-bin", "accept", "user-agent", "cookie"] {
                let request = Request::post("/v1/echo").header(header, with(byte)).json("{}");
                let exchange = send(&gateway, request);
                let headers = metadata(&exchange);
                let at = format!("{name}: {header}: {byte:#04x}");
                assert_well_formed(&headers, &at);
                let value = headers.bytes(header);
                assert!(
                    value.is_none_or(|value| value.iter().all(|byte| matches!(byte, b' '..=b'~'))),
                    "{at}"
                );
            }
            // nginx lets no name come that has one of them.
            if byte.is_ascii() && !name.starts_with("kong") {
                let hostile = format!("x-a{}x-evil", char::from(byte));
                let exchange = send(&gateway, Request::post("/v1/echo").header(&hostile, "1").json("{}"));
                assert_well_formed(&metadata(&exchange), &format!("{name}: {byte:#04x}"));
            }
        }
    }
}

/// What the service gets beside the message.
fn metadata(exchange: &Exchange) -> Headers {
    match exchange.calls().first() {
        Some(call) => call.metadata.clone(),
        None => exchange.forwarded().headers,
    }
}

#[test]
fn headers_of_the_connection_end_here_in_both_directions() {
    const HOP_BY_HOP: [(&str, &str); 12] = [
        ("connection", "keep-alive, X-Hop,x-hop-two"),
        ("x-hop", "1"),
        ("x-hop-two", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authenticate", "Basic"),
        ("proxy-authorization", "Basic abc"),
        ("proxy-authentication-info", "a"),
        ("te", "gzip"),
        ("trailer", "x-two"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABk"),
    ];
    const OF_THE_BODY: [(&str, &str); 4] = [
        ("content-encoding", "identity"),
        ("content-md5", "Q2hlY2sgSW50ZWdyaXR5IQ=="),
        ("content-range", "bytes 0-1/2"),
        ("digest", "sha-256=abc"),
    ];
    const OF_GRPC: [(&str, &str); 5] = [
        ("grpc-encoding", "gzip"),
        ("grpc-accept-encoding", "gzip"),
        ("grpc-message", "a"),
        ("grpc-previous-rpc-attempts", "1"),
        ("grpc-retry-pushback-ms", "1"),
    ];
    for (name, gateway) in gateways() {
        // Each of them alone, and all of them: a removal must not depend on another.
        let all: Vec<_> = HOP_BY_HOP.into_iter().chain(OF_THE_BODY).chain(OF_GRPC).collect();
        let mut sets: Vec<Vec<_>> = all.iter().map(|header| vec![*header]).collect();
        sets.push(all.clone());
        // Two headers are one list.
        sets.push(vec![("connection", "close"), ("connection", "x-hop"), ("x-hop", "1")]);
        for set in sets {
            let named = set.iter().any(|(name, _)| *name == "connection");
            let mut request = Request::post("/v1/echo");
            let mut response = Response::grpc();
            for (header, value) in &set {
                request = request.header(header, value);
                response = response.header(header, value);
            }
            let exchange = send(&gateway, request.json("{}"));
            let sent = metadata(&exchange);
            exchange.respond(response.message(everything(json!({}))).trailer("grpc-status", "0"));
            let got = exchange.answer().headers;
            for (header, value) in &set {
                if header.starts_with("x-hop") && !named {
                    continue;
                }
                let at = format!("{name}: {header} of {set:?}");
                // nginx sends on what is removed; kong_headers.rs has what is there in place of it.
                let own = *header == "te" && sent.get(header) == Some("trailers")
                    || name.starts_with("kong") && !sent.all(header).iter().any(|sent| sent == value);
                assert!(own || sent.get(header).is_none(), "{at}: {sent:?}");
                // An upstream's `connection` and `keep-alive` are nginx's to drop; it shows its own under these names.
                let nginx =
                    name.starts_with("kong") && ["connection", "keep-alive", "x-hop", "x-hop-two"].contains(header);
                assert!(nginx || got.get(header).is_none(), "{at}: {got:?}");
            }
        }
    }
}

#[test]
fn an_error_tells_back_only_the_beginning_of_what_it_is_about() {
    const LONG: usize = 50_000;
    let gateways = gateways();
    let (_, forward) = &gateways[0];
    let strict =
        crate::kit::gateway(json!({ "query": { "unknown": "reject" }, "json": { "unknown_fields": "reject" } }));
    for filling in ["x", "\u{e9}", "%C3%A9", "\"", "\u{1}", "\\", "<", "\u{2028}"] {
        let long = filling.repeat(LONG / filling.len());
        let quoted = Value::from(long.as_str()).to_string();
        let many: String = (0..LONG / 20)
            .map(|at| format!("&p{at}{}=1", filling.repeat(10)))
            .collect();
        let requests = [
            Request::get(&format!("/nowhere/{long}")),
            Request::get(&"/nowhere".repeat(LONG / 8)),
            Request::get(&format!("/v1/typed/int32/{long}")),
            Request::get(&format!("/v1/typed/enum/{long}")),
            Request::get(&format!("/v1/typed/string/{long}%")),
            Request::get(&format!("/v1/echo?int32_value={long}")),
            Request::get(&format!("/v1/echo?{long}=1&{long}=2&int32_value=x")),
            Request::get(&format!("/v1/echo?x=1{many}")),
            Request::get(&format!("/v1/echo?{}=1", "child.".repeat(LONG / 6))),
            Request::get(&format!("/v1/echo?{long}%=1")),
            Request::new(&long, "/v1/echo").json("{}"),
            Request::new("PUT", &format!("/v1/paths/{long}")).json("{}"),
            Request::new("DELETE", &format!("/v1/raw/{long}")),
            Request::post("/v1/echo").header("content-type", &long).body("{}"),
            Request::post("/v1/echo").header("content-encoding", &long).json("{}"),
            Request::post("/v1/echo").header("grpc-timeout", &long).json("{}"),
            Request::post("/v1/echo").json(&long),
            Request::post("/v1/echo").json(&format!("{{{quoted}:1}}")),
            Request::post("/v1/echo").json(&format!("{{\"int32Value\":{quoted}}}")),
            Request::post("/v1/echo").json(&format!("{{\"color\":{quoted}}}")),
            Request::post("/v1/echo").json(&format!("{{\"int32Map\":{{{quoted}:1}}}}")),
            Request::post("/v1/echo").json(&format!("{{\"stringMap\":{{{quoted}:1}}}}")),
            Request::post("/v1/echo").json(&format!("{{\"any\":{{\"@type\":{quoted}}}}}")),
            Request::post("/v1/echo").json(&format!("{{\"timestamp\":{quoted}}}")),
            Request::post("/v1/echo").json(&format!("{{\"mask\":{quoted}}}")),
            Request::post("/v1/echo").json(&format!("{{\"bytesValue\":{quoted}}}")),
            Request::post("/v1/echo").json(&format!("{{\"int32Value\":{}}}", "1".repeat(LONG))),
            Request::post("/v1/echo").json(&format!("{{\"child\":{}{quoted}", r#"{"child":"#.repeat(90))),
            Request::post("/v1/echo").json(&format!("{{\"struct\":{}{quoted}x", format!("{{{quoted}:").repeat(5))),
            Request::post("/v1/streams:collect").json(&format!("[{quoted}]")),
        ];
        for gateway in [forward, &strict] {
            for request in &requests {
                let exchange = send(gateway, request.clone());
                if exchange.progress() != Progress::Answered {
                    continue;
                }
                let answer = exchange.answer();
                let target = request.headers.get(":path").unwrap();
                let length: usize = answer
                    .headers
                    .iter()
                    .map(|(name, value)| name.len() + value.len())
                    .sum();
                let start: String = target.chars().take(40).collect();
                let body = answer.text();
                let at = format!("{start}: {filling:?}: {}", body.chars().take(400).collect::<String>());
                assert!(answer.status() >= 400, "{at}");
                // Most of it is there twice, as message and as detail; a character takes six bytes where JSON escapes it.
                // Of unknown parameters twenty are named.
                let most = if start.contains("?x=1") { 60_000 } else { 6000 };
                assert!(body.len() < most && length < 500, "{} bytes: {at}", body.len());
            }
        }
    }
}

#[test]
fn an_error_body_is_json_whatever_is_in_it_and_is_not_to_be_taken_for_more() {
    for (name, gateway) in gateways() {
        for request in [
            Request::get("/nowhere/<script>alert(1)</script>").method_in_front("POST"),
            Request::get("/v1/typed/int32/%3Cscript%3E").method_in_front("POST"),
            Request::post("/v1/echo").json(r#"{"int32Value":"<script>alert(1)</script>"}"#),
            Request::post("/v1/echo").header("content-type", "text/<b>").body("{}"),
            Request::post("/v1/echo").header("grpc-timeout", "<b>").json("{}"),
        ] {
            let exchange = send(&gateway, request);
            let answer = exchange.answer();
            let at = format!("{name}: {answer:?}");
            assert_eq!(answer.headers.all("content-type"), ["application/json"], "{at}");
            assert_eq!(answer.headers.all("x-content-type-options"), ["nosniff"], "{at}");
        }
        for response in [
            Response::error(5, "<script>alert(1)</script>"),
            Response::error(5, "<script>").header("x-content-type-options", "nosniff"),
            Response::grpc()
                .trailer("grpc-status", "5")
                .trailer("grpc-message", "<script>"),
            Response::grpc().message(b"\xff").trailer("grpc-status", "0"),
            Response::new(200).header("content-type", "text/html").chunk("<script>"),
        ] {
            let exchange = send(&gateway, Request::post("/v1/echo").json("{}"));
            exchange.respond(response.clone());
            let Some(answer) = answer(&exchange) else { continue };
            // Where headers go out before the outcome is known, they are a success's.
            if answer.status() == 200 && name != "forward" {
                continue;
            }
            let at = format!("{name}: {response:?}: {answer:?}");
            assert_eq!(answer.headers.all("content-type"), ["application/json"], "{at}");
            assert_eq!(answer.headers.all("x-content-type-options"), ["nosniff"], "{at}");
        }
    }
}

#[test]
fn a_client_cannot_lengthen_the_time_that_a_call_may_take() {
    let gateway =
        crate::kit::gateway(json!({ "dispatch": "call", "upstream": { "cluster": "upstream", "timeout": "2s" } }));
    let plain = send(&gateway, Request::post("/v1/echo").json("{}"));
    let timeout = metadata(&plain).all("x-envoy-upstream-rq-timeout-ms");
    assert_eq!(timeout.len(), 1);
    for value in ["0", "600000", "x"] {
        let request = Request::post("/v1/echo")
            .header("x-envoy-upstream-rq-timeout-ms", value)
            .json("{}");
        let exchange = send(&gateway, request);
        assert_eq!(
            metadata(&exchange).all("x-envoy-upstream-rq-timeout-ms"),
            timeout,
            "{value}"
        );
    }
}

#[test]
fn an_error_of_the_gateways_says_nothing_of_what_is_behind_it() {
    // As Envoy words them, with what it knows of the host, of the cluster and of its own insides.
    const DETAILS: [&str; 6] = [
        "upstream_reset_before_response_started{connection_termination}",
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
        "cluster_not_found",
        "no_healthy_upstream",
        "upstream_response_timeout",
        "upstream_max_stream_duration_reached",
    ];
    const MESSAGE: &str = "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: \
                           remote connection failure, transport failure reason: delayed connect error: 10.1.2.3:50051 refused";
    for (name, gateway) in gateways() {
        if name.starts_with("kong") {
            continue;
        }
        for details in DETAILS {
            let code_details = [(vec!["response", "code_details"], details.as_bytes())];
            let exchange = gateway.request_with(&code_details, Request::post("/v1/echo").json("{}"));
            if exchange.progress() == Progress::WaitsForTime {
                gateway.advance(Duration::from_millis(100));
            }
            if name == "call" {
                exchange.call_fails(14, MESSAGE, details);
            } else {
                exchange.respond(Response::error(14, MESSAGE));
            }
            let answer = exchange.answer();
            let body = answer.text();
            for secret in [
                "10.1.2.3",
                "50051",
                "reset",
                "transport",
                "refused",
                "cluster",
                "{upstream",
                "upstream_",
            ] {
                assert!(!body.contains(secret), "{name}: {details}: {body}");
            }
            assert!([503, 504].contains(&answer.status()), "{name}: {details}: {body}");
        }
    }
}
