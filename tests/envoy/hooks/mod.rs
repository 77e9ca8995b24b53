//! Hooks in real Envoy: a server of Tyk's rich plugins in grpcio, whose hooks do what each request says.

mod failures;
mod guards;
mod load;
mod node;
mod reload;
mod requests;
mod responses;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::bootstrap::{EMPTY, GARBAGE, Listener, REFUSED};
use crate::bench::client::{Http, Request};
use crate::bench::filters::gzip;
use crate::bench::process::Running;
use crate::bench::{Bench, Gateway, schema};

const DISPATCHER: &str = "dispatcher";

/// A case, and the path that the client sent.
const ACCESS_LOG: &str = "ACCESS %REQ(X-CASE)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%\n";

/// Those that differ in how requests go to the service, with all kinds of hooks but those for keys.
const WAYS: [&str; 4] = ["in-place", "call", "bridge", "bodies"];

fn bench() -> &'static Bench {
    static BENCH: OnceLock<(Bench, Running)> = OnceLock::new();
    let (bench, _) = BENCH.get_or_init(|| {
        let (running, address) = dispatcher();
        (Bench::start_beside(&listeners(), DISPATCHER, address), running)
    });
    bench
}

/// A server of hooks, and where it listens.
fn dispatcher() -> (Running, SocketAddr) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let service = root.join("tests/envoy/services/dispatcher.py");
    Running::service(Command::new(root.join(".venv/bin/python")).arg(service))
}

/// A configuration with these hooks, and more.
fn with(mut hooks: Value, more: Value) -> Value {
    for (key, value) in [
        ("cluster", json!(DISPATCHER)),
        ("org_id", json!("o1")),
        ("api_id", json!("a1")),
        ("config_data", json!({ "k": "v" })),
        // The first call waits for Python to compile its regular expressions.
        ("timeout", json!("5s")),
    ] {
        hooks.as_object_mut().unwrap().entry(key).or_insert(value);
    }
    let mut configuration = json!({ "proto": schema::PROTO, "hooks": hooks });
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

fn keyless() -> Value {
    json!({
        "pre": [{ "name": "first" }, { "name": "second" }],
        "post": [{ "name": "post" }],
        "response": [{ "name": "response" }],
    })
}

fn with_keys() -> Value {
    json!({
        "pre": [{ "name": "pre" }],
        "auth": { "name": "auth" },
        "post_key_auth": [{ "name": "known" }],
        "post": [{ "name": "post" }],
    })
}

/// For paths below `/v1/` alone.
fn below() -> Value {
    let mut hooks = with_keys();
    hooks["path_prefix"] = json!("/v1/");
    hooks
}

fn with_keys_and_response() -> Value {
    let mut hooks = with_keys();
    hooks["response"] = json!([{ "name": "response" }]);
    hooks
}

fn pre(more: Value) -> Value {
    let mut hook = json!({ "name": "first" });
    for (key, value) in more.as_object().unwrap() {
        hook[key] = value.clone();
    }
    json!({ "pre": [hook] })
}

fn listeners() -> Vec<Listener> {
    let bridge = json!({ "connect_bridge": true });
    let bodies = json!({ "connect_bridge": true, "bridge_bodies": true });
    let query = json!({ "unknown": "reject" });
    vec![
        Listener::new("in-place", &with(keyless(), json!({ "query": query }))),
        Listener::new("call", &with(keyless(), json!({ "dispatch": "call" }))),
        Listener::new(
            "bridge",
            &with(keyless(), json!({ "bodyless": "in_place", "upstream": bridge })),
        )
        .with_bridge(),
        Listener::new(
            "bodies",
            &with(keyless(), json!({ "bodyless": "in_place", "upstream": bodies })),
        )
        .with_bridge(),
        Listener::new("lua", &with(keyless(), json!({ "bodyless": "in_place" }))).with_lua(),
        Listener::new("strict", &with(keyless(), json!({ "bodyless": "in_place" }))),
        Listener::new("web", &with(keyless(), json!({ "upstream": { "grpc_web": true } }))).with_grpc_web(),
        Listener::new("keys", &with(with_keys(), json!({}))),
        Listener::new("keys-pass", &with(with_keys(), json!({ "unmatched": "pass_through" }))),
        Listener::new(
            "keys-described",
            &with(with_keys(), json!({ "openapi": { "path": "/openapi.json" } })),
        ),
        Listener::new(
            "keys-described-pass",
            &with(
                with_keys(),
                json!({ "openapi": { "path": "/openapi.json" }, "unmatched": "pass_through" }),
            ),
        ),
        Listener::new(
            "keys-upgrades",
            &with(with_keys(), json!({ "unmatched": "pass_through" })),
        )
        .with_upgrades(),
        Listener::new("keys-below", &with(below(), json!({ "unmatched": "pass_through" }))),
        Listener::new(
            "keys-below-upgrades",
            &with(below(), json!({ "unmatched": "pass_through" })),
        )
        .with_upgrades(),
        Listener::new("keys-http-10", &with(with_keys_and_response(), json!({}))).accepts_http_10(),
        Listener::new("raw", &with(pre(json!({ "raw_body_only": true })), json!({}))),
        Listener::new("narrow", &with(keyless(), json!({})))
            .buffer_limit(32 * 1024)
            .window(65_535),
        Listener::new("tiny", &with(keyless(), json!({}))).buffer_limit(8 * 1024),
        Listener::new(
            "small",
            &with(keyless(), json!({ "limits": { "max_request_bytes": 1000 } })),
        ),
        Listener::new(
            "transforms",
            &with(
                keyless(),
                json!({
                    "transforms": [{
                        "selector": "test.everything.Echo.Post",
                        "request": [{ "set": { "field": "string_value", "header": "x-a", "required": true } }],
                        "response": [{ "remove": ["int32_value"] }],
                    }],
                }),
            ),
        ),
        Listener::new("compressed", &with(keyless(), json!({}))).in_front(gzip()),
        Listener::new("compressed-call", &with(keyless(), json!({ "dispatch": "call" }))).in_front(gzip()),
        Listener::new("no-stop", &with(pre(json!({})), json!({}))).without_stop_iteration(),
        Listener::new("finds-out", &with(pre(json!({})), json!({}))).finds_out(),
        Listener::new("hasty", &with(pre(json!({ "timeout": "0.2s" })), json!({}))),
        Listener::new("down", &with(pre(json!({ "cluster": REFUSED })), json!({}))),
        Listener::new("empty", &with(pre(json!({ "cluster": EMPTY })), json!({}))),
        Listener::new("missing", &with(pre(json!({ "cluster": "missing" })), json!({}))),
        Listener::new("garbage", &with(pre(json!({ "cluster": GARBAGE })), json!({}))),
        Listener::new(
            "lenient",
            &with(pre(json!({ "cluster": "missing", "on_error": "allow" })), json!({})),
        ),
        Listener::new(
            "lenient-down",
            &with(pre(json!({ "cluster": REFUSED, "on_error": "allow" })), json!({})),
        ),
        Listener::new(
            "lenient-upgrades",
            &with(
                pre(json!({ "on_error": "allow" })),
                json!({ "unmatched": "pass_through" }),
            ),
        )
        .with_upgrades(),
        Listener::new("logged", &with(keyless(), json!({ "access_log": true }))).access_log(ACCESS_LOG),
        Listener::new(
            "logged-call",
            &with(keyless(), json!({ "access_log": true, "dispatch": "call" })),
        )
        .access_log(ACCESS_LOG),
        Listener::new(
            "logged-pass",
            &with(with_keys(), json!({ "access_log": true, "unmatched": "pass_through" })),
        )
        .access_log(ACCESS_LOG),
        Listener::new("down-key", &with(json!({ "auth": { "cluster": REFUSED } }), json!({}))),
    ]
}

fn at(listener: &'static str) -> Gateway {
    bench().at(listener)
}

/// Has the hooks called so do this.
fn hooks(request: Request, scripts: &[(&str, &str)]) -> Request {
    let scripts: serde_json::Map<_, _> = scripts
        .iter()
        .map(|(name, script)| (name.to_string(), json!(script)))
        .collect();
    request.header("x-hook", Value::from(scripts).to_string())
}

fn post(body: &Value) -> Request {
    Request::post("/v1/echo", body)
}

/// Each HTTP version with each of these listeners.
fn each(listeners: &[&'static str]) -> Vec<(&'static str, Http)> {
    let versions = |listener: &&'static str| Http::BOTH.map(|version| (*listener, version));
    listeners.iter().flat_map(versions).collect()
}
