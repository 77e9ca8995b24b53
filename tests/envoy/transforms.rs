//! Transforms in real Envoy: claims of a token that Envoy has verified, clients and a service in grpcio, gRPC-Web clients.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Live, Request};
use crate::bench::process::Running;
use crate::bench::upstream::{RawAnswer, Script, frame, split_frames};
use crate::bench::{Bench, Gateway, schema};

const TELLING: &str = "telling";

/// Signed with [`KEY`]: `sub: "ada"`, `level: 7`, `ratio: 1.5`, `staff: true`, `guest: false`.
const ADA: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0Iiwic3ViIjoi\
                   YWRhIiwibGV2ZWwiOjcsInJhdGlvIjoxLjUsInN0YWZmIjp0cnVlLCJndWVzdCI6ZmFsc2UsImV4cCI6NDEwMjQ0NDgwMH0.GrBpaR0H\
                   SuXNHO9AuCMyHOxXpez3jZct7tqriF62oLI";

/// The same with `sub: "12345678"`, which has as many bytes as a number, and `level: 7.5`, which is no whole one.
const EIGHT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0Iiwic3ViIj\
                     oiMTIzNDU2NzgiLCJsZXZlbCI6Ny41LCJyYXRpbyI6MS41LCJzdGFmZiI6dHJ1ZSwiZXhwIjo0MTAyNDQ0ODAwfQ.UD1YbaYrXr3x\
                     5CLRRX1B4ohBOcRd7U0BWIN5YYAn9VA";

const KEY: &str = r#"{"keys": [{"kty": "oct", "kid": "test", "alg": "HS256",
                       "k": "YSBrZXkgb2YgdGhlIHRlc3RzLCB3aGljaCBndWFyZHMgbm90aGluZw"}]}"#;

/// Envoy's filter for tokens: one must be good where there is one.
fn jwt_authn() -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {
                "issuer": {
                    "issuer": "https://issuer.test",
                    "local_jwks": { "inline_string": KEY },
                    "payload_in_metadata": "payload",
                },
            },
            "rules": [{
                "match": { "prefix": "/" },
                "requires": {
                    "requires_any": { "requirements": [{ "provider_name": "issuer" }, { "allow_missing": {} }] },
                },
            }],
        },
    })
}

fn grpc_web() -> Value {
    json!({
        "name": "envoy.filters.http.grpc_web",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb" },
    })
}

fn claim(name: &str) -> Value {
    json!([
        "metadata",
        "filter_metadata",
        "envoy.filters.http.jwt_authn",
        "payload",
        name
    ])
}

fn transforms() -> Value {
    let request = json!([
        { "set": { "field": "string_value", "property": claim("sub") } },
        { "set": { "field": "int32_value", "property": claim("level") } },
        { "set": { "field": "double_value", "property": claim("ratio") } },
        { "set": { "field": "optional_int32", "property": claim("level") } },
        { "set": { "field": "bool_value", "property": claim("staff") } },
        { "set": { "field": "bool_wrapper.value", "property": claim("guest") } },
        { "set": { "field": "renamed", "property": claim("missing") } },
    ]);
    let response = json!([{ "remove": ["bytes_value"] }, { "mask": { "field": "renamed", "keep_last": 2 } }]);
    let mut transforms: Vec<_> = ["Echo.*", "Streams.List", "Streams.Collect", "Streams.Chat"]
        .iter()
        .map(|methods| json!({ "selector": format!("test.everything.{methods}"), "request": request, "response": response }))
        .collect();
    transforms.push(json!({
        "selector": "test.everything.Echo.Query",
        "request": [{ "set": { "field": "string_value", "property": claim("sub"), "required": true } }],
    }));
    transforms.into()
}

/// The listeners, and whether gRPC-Web's clients are served.
const LISTENERS: [&str; 5] = ["plain", "no-stop", "finds-out", "web-in-front", "web-behind"];

fn bench() -> &'static Bench {
    static BENCH: OnceLock<(Bench, Running)> = OnceLock::new();
    let (bench, _) = BENCH.get_or_init(|| {
        let with = |more: Value| {
            let mut configuration = json!({ "proto": schema::PROTO, "transforms": transforms() });
            for (key, value) in more.as_object().unwrap() {
                configuration[key] = value.clone();
            }
            configuration
        };
        let listeners = [
            Listener::new("plain", &with(json!({}))),
            Listener::new("no-stop", &with(json!({ "hold_headers": false }))).without_stop_iteration(),
            Listener::new("finds-out", &with(json!({}))).finds_out(),
            Listener::new("web-in-front", &with(json!({}))).in_front(grpc_web()),
            Listener::new("web-behind", &with(json!({ "upstream": { "grpc_web": true } }))).with_grpc_web(),
        ]
        .map(|listener| listener.in_front(jwt_authn()).cluster(TELLING));
        let scripted = [
            Listener::new("scripted", &with(json!({}))).in_front(jwt_authn()),
            Listener::new("scripted-no-stop", &with(json!({ "hold_headers": false })))
                .in_front(jwt_authn())
                .without_stop_iteration(),
            Listener::new("scripted-web", &with(json!({ "upstream": { "grpc_web": true } })))
                .in_front(jwt_authn())
                .with_grpc_web(),
        ];
        let listeners: Vec<_> = listeners.into_iter().chain(scripted).collect();
        let (running, address) = Running::service(python().arg(service()));
        (Bench::start_beside(&listeners, TELLING, address), running)
    });
    bench
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn service() -> std::path::PathBuf {
    root().join("tests/envoy/services/transforms.py")
}

fn python() -> Command {
    Command::new(root().join(".venv/bin/python"))
}

/// What a client in grpcio hears of each kind of method.
fn calls(gateway: Gateway, metadata: Value) -> Value {
    let mut client = python();
    client
        .arg(service())
        .arg(gateway.address.to_string())
        .arg(metadata.to_string());
    let output = client.output().unwrap();
    let (said, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{}: {error}: {said} {wrong}", gateway.name))
}

/// What the gateway says of ada.
fn ada() -> Value {
    json!({
        "stringValue": "ada",
        "int32Value": 7,
        "doubleValue": 1.5,
        "optionalInt32": 7,
        "boolValue": true,
        "boolWrapper": false,
    })
}

/// A request of eve's, as the service gets it with ada's token.
fn of_ada(mut more: Value) -> Value {
    for (key, value) in ada().as_object().unwrap() {
        more[key] = value.clone();
    }
    more
}

fn authorized(request: Request, token: &str) -> Request {
    request.header("authorization", format!("Bearer {token}"))
}

#[tokio::test]
async fn claims_hold_for_json_clients() {
    for listener in LISTENERS {
        let gateway = bench().at(listener);
        let eve = json!({ "stringValue": "eve", "anotherName": "eve", "int64Value": "5", "boolWrapper": true });
        let request = authorized(Request::post("/v1/echo?int32_value=8", &eve), ADA);
        let answer = gateway.send(Http::Two, &request).await;
        assert_eq!(answer.status, 200, "{listener}: {answer:?}");
        let expected = of_ada(json!({ "int64Value": "5" }));
        assert_eq!(
            answer.json(),
            json!({ "self": expected, "anotherName": "***ne" }),
            "{listener}"
        );
        // Without a token there is nothing to vouch for.
        let answer = gateway.send(Http::One, &Request::post("/v1/echo", &eve)).await;
        assert_eq!(
            answer.json()["self"],
            json!({ "int64Value": "5", "boolWrapper": false }),
            "{listener}: {answer:?}"
        );
        // A claim of eight bytes is text all the same; one that is no whole number fits no integer.
        let answer = gateway
            .send(Http::Two, &authorized(Request::post("/v1/echo", &json!({})), EIGHT))
            .await;
        assert_eq!(answer.status, 400, "{listener}: {answer:?}");
        assert!(
            answer.json()["message"].as_str().unwrap().contains("level"),
            "{listener}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_required_claim_that_is_missing_is_401() {
    let gateway = bench().at("plain");
    let answer = gateway.send(Http::Two, &Request::get("/v1/echo?stringValue=eve")).await;
    assert_eq!(
        (answer.status, answer.json()["code"].clone()),
        (401, json!(16)),
        "{answer:?}"
    );
}

#[tokio::test]
async fn claims_hold_for_grpcio_clients_of_all_kinds_of_methods() {
    for listener in LISTENERS {
        for compression in ["identity", "gzip", "deflate"] {
            let metadata = json!({ "authorization": format!("Bearer {ADA}"), "x-compression": compression });
            let gateway = bench().at(listener);
            let heard = tokio::task::spawn_blocking(move || calls(gateway, metadata))
                .await
                .unwrap();
            let row = format!("{listener} {compression}: {heard}");
            let answer = |number: u32, sent: &Value| {
                let mut answer = json!({ "self": sent, "anotherName": "***ne" });
                if number > 0 {
                    answer["uint32Value"] = number.into();
                }
                answer
            };
            let sent = of_ada(json!({ "int64Value": "5" }));
            assert_eq!(heard["unary"], answer(0, &sent), "{row}");
            let three: Vec<_> = (0..3).map(|number| answer(number, &sent)).collect();
            assert_eq!(heard["server"], json!(three), "{row}");
            let whole = heard["client"]["self"]["values"].as_array().expect("a list");
            let told: Vec<Value> = whole
                .iter()
                .map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
                .collect();
            assert_eq!(told, [sent.clone(), sent.clone(), sent.clone()], "{row}");
            let three: Vec<_> = (0..3).map(|number| answer(number, &ada())).collect();
            assert_eq!(heard["bidi"], json!(three), "{row}");
        }
        let gateway = bench().at(listener);
        let heard = tokio::task::spawn_blocking(move || calls(gateway, json!({})))
            .await
            .unwrap();
        assert_eq!(
            heard["unary"]["self"],
            json!({ "int64Value": "5" }),
            "{listener}: {heard}"
        );
        assert_eq!(heard["required"]["code"], "UNAUTHENTICATED", "{listener}: {heard}");
        let metadata = json!({ "authorization": format!("Bearer {EIGHT}") });
        let heard = tokio::task::spawn_blocking(move || calls(gateway, metadata))
            .await
            .unwrap();
        for kind in ["unary", "server", "client", "bidi"] {
            assert_eq!(heard[kind]["code"], "INVALID_ARGUMENT", "{listener} {kind}: {heard}");
        }
    }
}

fn native(path: &str) -> Request {
    authorized(Request::new("POST", path), ADA)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

fn message(json: Value) -> Bytes {
    schema::from_json(&schema::message("test.everything.Everything"), &json)
}

fn to_json(message: &[u8]) -> Value {
    schema::to_json(&schema::message("test.everything.Everything"), message)
}

#[tokio::test]
async fn a_conversation_waits_for_nothing() {
    for listener in ["scripted", "scripted-no-stop"] {
        let call = crate::bench::script(Script::echo_each());
        let request = native("/test.everything.Streams/Chat").open().script(&call);
        let mut live = Live::start(bench().at(listener).address, Http::Two, &request).await;
        for number in 1..4 {
            let question = message(json!({ "stringValue": "eve", "sint32Value": number, "bytesValue": "AAAA" }));
            let (first, second) = question.split_at(3);
            let mut framed = frame(0, &question).to_vec();
            framed.truncate(framed.len() - second.len());
            assert!(framed.ends_with(first));
            live.send(framed).await;
            live.send(Bytes::copy_from_slice(second)).await;
            if number == 1 {
                assert_eq!(live.head().await.unwrap().0, 200, "{listener}");
            }
            let prefix = live.exactly(5).await.unwrap();
            let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
            let answer = live.exactly(length as usize).await.unwrap();
            assert_eq!(to_json(&answer), of_ada(json!({ "sint32Value": number })), "{listener}");
        }
        live.end().await;
        assert_eq!(live.rest().await.as_deref(), Ok(&b""[..]), "{listener}");
    }
}

#[tokio::test]
async fn a_malformed_request_is_answered_and_a_malformed_answer_has_a_status() {
    for listener in ["scripted", "scripted-no-stop", "scripted-web"] {
        let gateway = bench().at(listener);
        // Refused while the upstream has the headers.
        for (body, status) in [
            (frame(0, b"\x72\x05eve"), "3"),
            (frame(7, b""), "13"),
            (frame(0, b"abc").slice(..6), "13"),
        ] {
            for version in [Http::One, Http::Two] {
                let request = native("/test.everything.Echo/Post").body(body.clone());
                let answer = gateway.send(version, &request).await;
                assert_eq!(status_of(&answer), status, "{listener} {version:?}: {answer:?}");
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/grpc"),
                    "{listener} {version:?}"
                );
            }
        }
        let bad = Script::reply_bytes(&b"\x72\x05eve"[..]).trailing("key", "value");
        let request = native("/test.everything.Echo/Post").body(frame(0, b""));
        let (answer, _) = gateway.exchange(Http::Two, request, bad).await;
        assert_eq!(
            (status_of(&answer), &answer.body[..]),
            ("13", &b""[..]),
            "{listener}: {answer:?}"
        );
        assert_eq!(answer.trailers["key"], "value", "{listener}");
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn an_answer_that_cannot_be_changed_does_not_pass_for_a_good_one() {
    let secret = frame(0, &message(json!({ "bytesValue": "c2VjcmV0" })));
    let raw = |content_type: &'static str, stream: Vec<Bytes>| {
        Script::raw(RawAnswer {
            headers: vec![("content-type", content_type)],
            stream,
            trailers: vec![("grpc-status", "0"), ("key", "value")],
            ..RawAnswer::default()
        })
    };
    for listener in ["scripted", "scripted-no-stop", "scripted-web"] {
        let gateway = bench().at(listener);
        let unary = || native("/test.everything.Echo/Post").body(frame(0, b""));
        // In another form than that of messages.
        for content_type in ["application/grpc+json", "text/plain"] {
            let (answer, _) = gateway
                .exchange(Http::Two, unary(), raw(content_type, vec![secret.clone()]))
                .await;
            assert!(
                !answer.body.windows(6).any(|bytes| bytes == b"secret"),
                "{listener}: {answer:?}"
            );
            assert_ne!(status_of(&answer), "0", "{listener} {content_type}: {answer:?}");
        }
        // It ends in the midst of a frame.
        let cut = raw("application/grpc", vec![secret.clone(), secret.slice(..8)]);
        let (answer, _) = gateway.exchange(Http::Two, unary(), cut).await;
        assert_eq!(
            (status_of(&answer), &answer.body[..]),
            ("13", &frame(0, b"")[..]),
            "{listener}: {answer:?}"
        );
        assert_eq!(answer.trailers["key"], "value", "{listener}");
        // A stream goes on behind what is no frame, and is reset.
        let mut stream = vec![secret.clone(), frame(7, b"")];
        stream.extend((0..50).map(|_| Bytes::from(secret.repeat(1000))));
        let call = crate::bench::script(raw("application/grpc", stream));
        let request = native("/test.everything.Streams/List")
            .body(frame(0, b""))
            .script(&call);
        let mut live = Live::start(gateway.address, Http::Two, &request).await;
        live.head().await.unwrap();
        let rest = live.rest().await;
        assert!(rest.is_err(), "{listener}: {rest:?}");
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn a_malformed_message_behind_an_answer_resets_the_call() {
    for listener in ["scripted", "scripted-no-stop"] {
        let call = crate::bench::script(Script::echo_each());
        let request = native("/test.everything.Streams/Chat").open().script(&call);
        let mut live = Live::start(bench().at(listener).address, Http::Two, &request).await;
        live.send(frame(0, b"")).await;
        live.head().await.unwrap();
        live.send(frame(0, b"\x72\x05eve")).await;
        let rest = live.rest().await;
        assert!(rest.is_err(), "{listener}: {rest:?}");
    }
    assert_eq!(bench().traps(), "");
}

/// The status of a call, wherever it is.
fn status_of(answer: &Answer) -> &str {
    let status = answer
        .trailers
        .get("grpc-status")
        .or_else(|| answer.headers.get("grpc-status"));
    status.map_or("none", |status| status.to_str().unwrap())
}

#[tokio::test]
async fn grpc_web_clients_get_their_messages_changed_too() {
    let eve = frame(0, &message(json!({ "stringValue": "eve", "int64Value": "5" })));
    for listener in ["web-in-front", "web-behind"] {
        for version in [Http::One, Http::Two] {
            for text in [false, true] {
                let content_type = match text {
                    false => "application/grpc-web+proto",
                    true => "application/grpc-web-text+proto",
                };
                let body = match text {
                    false => eve.clone(),
                    true => encode(&eve).into(),
                };
                let request = authorized(Request::new("POST", "/test.everything.Echo/Post"), ADA)
                    .header("content-type", content_type)
                    .header("accept", content_type)
                    .header("x-grpc-web", "1")
                    .body(body);
                let answer = bench().at(listener).send(version, &request).await;
                let row = format!("{listener} {version:?} {content_type}: {answer:?}");
                assert_eq!(answer.header("content-type"), Some(content_type), "{row}");
                let body = match text {
                    false => answer.body.clone(),
                    true => decode(&answer.body).into(),
                };
                let (messages, last) = frames(&body);
                let sent = of_ada(json!({ "int64Value": "5" }));
                let heard: Vec<_> = messages.iter().map(|message| to_json(message)).collect();
                assert_eq!(heard, [json!({ "self": sent, "anotherName": "***ne" })], "{row}");
                assert!(
                    last.contains("grpc-status:0") && last.contains("x-trailing:t"),
                    "{row}: {last}"
                );
            }
        }
    }
    // An answer that fails, whose last frame Envoy's filter makes.
    for version in [Http::One, Http::Two] {
        let request = authorized(Request::new("POST", "/test.everything.Echo/Post"), ADA)
            .header("content-type", "application/grpc-web+proto")
            .body(frame(0, b""));
        let bad = Script::reply_bytes(&b"\x72\x05eve"[..]);
        let (answer, _) = bench().at("scripted-web").exchange(version, request, bad).await;
        let (messages, last) = frames(&answer.body);
        assert!(
            messages.is_empty() && last.contains("grpc-status:13"),
            "{version:?}: {answer:?}"
        );
        let request = authorized(Request::new("POST", "/test.everything.Echo/Post"), ADA)
            .header("content-type", "application/grpc-web+proto")
            .body(frame(0, b"\x72\x05eve"));
        let answer = bench().at("scripted-web").send(version, &request).await;
        assert_eq!(status_of(&answer), "3", "{version:?}: {answer:?}");
    }
    // One that ends in the midst of a frame, and one that goes on behind what is none.
    let secret = frame(0, &message(json!({ "bytesValue": "c2VjcmV0" })));
    let rest = (0..50).map(|_| Bytes::from(secret.repeat(1000)));
    let streams = [
        vec![secret.slice(..8)],
        [secret.clone(), frame(7, b"")].into_iter().chain(rest).collect(),
    ];
    for stream in streams {
        for version in [Http::One, Http::Two] {
            let call = crate::bench::script(Script::raw(RawAnswer {
                headers: vec![("content-type", "application/grpc")],
                stream: stream.clone(),
                trailers: vec![("grpc-status", "0")],
                ..RawAnswer::default()
            }));
            let request = authorized(Request::new("POST", "/test.everything.Streams/List"), ADA)
                .header("content-type", "application/grpc-web+proto")
                .body(frame(0, b""));
            let mut live = Live::start(bench().at("scripted-web").address, version, &request.script(&call)).await;
            live.head().await.unwrap();
            if let Ok(body) = live.rest().await {
                let (_, last) = frames(&body);
                assert!(last.contains("grpc-status:13"), "{version:?}: {body:?}");
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

fn encode(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

/// What padded pieces of base64, one behind the other, hold.
fn decode(text: &[u8]) -> Vec<u8> {
    let standard = base64::engine::general_purpose::STANDARD;
    let groups = text.chunks(4);
    groups
        .flat_map(|group| base64::Engine::decode(&standard, group).unwrap())
        .collect()
}

/// The messages of a gRPC-Web body, and its trailers.
fn frames(body: &Bytes) -> (Vec<Bytes>, String) {
    let at = (0..body.len()).find(|at| {
        body[*at] == 0x80
            && body
                .get(at + 1..at + 5)
                .is_some_and(|length| u32::from_be_bytes(length.try_into().unwrap()) as usize == body.len() - at - 5)
    });
    let at = at.expect("a last frame");
    (
        split_frames(body.slice(..at)),
        String::from_utf8_lossy(&body[at + 5..]).into_owned(),
    )
}

#[tokio::test]
async fn no_disguise_reaches_the_service() {
    for listener in ["scripted", "scripted-no-stop", "scripted-web"] {
        for path in [
            "/test.everything.Echo/Post?x",
            "/test.everything.Echo/%50ost",
            "//test.everything.Echo/Post",
        ] {
            let request = Request::new("POST", path)
                .header("content-type", "application/grpc")
                .body(frame(0, b""));
            let answer = bench().at(listener).refuse(Http::Two, request).await;
            assert_eq!(status_of(&answer), "12", "{listener} {path}: {answer:?}");
        }
        let request = Request::new("POST", "/test.everything.Echo/Post")
            .header("content-type", "application/grpc+json")
            .body(frame(0, b"{}"));
        let answer = bench().at(listener).refuse(Http::Two, request).await;
        assert_eq!(status_of(&answer), "12", "{listener}: {answer:?}");
    }
}
