//! Hooks in Node, whose runtime drops the fields that a server's `.proto` doesn't have: with all of them, and with those of
//! old.

use std::fs;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{post, with};
use crate::bench::bootstrap::{self, Listener};
use crate::bench::client::{Http, Request};
use crate::bench::process::{Running, new_directory};
use crate::bench::upstream::{Script, Upstream};
use crate::bench::{Bench, Gateway};

const CURRENT: &str = "node";
const OLD: &str = "node-old";

const COPROCESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto-fixtures/coprocess/coprocess.proto");

fn bench() -> &'static Bench {
    static BENCH: OnceLock<(Bench, [Running; 2])> = OnceLock::new();
    let (bench, _) = BENCH.get_or_init(|| {
        // As servers have it that were written before these fields.
        let old = new_directory().join("old.proto");
        let lines = fs::read_to_string(COPROCESS).unwrap();
        let known = lines
            .lines()
            .filter(|line| !line.contains("bytes raw_body") && !line.contains("multivalue_headers"));
        fs::write(&old, known.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let (current, at) = Running::javascript("dispatcher.js", COPROCESS.as_ref());
        let (before, at_old) = Running::javascript("dispatcher.js", &old);
        let hooks = |cluster: &str, mut hooks: Value| {
            hooks["cluster"] = json!(cluster);
            with(hooks, json!({}))
        };
        let echoes = json!({ "pre": [{ "name": "echoes" }], "response": [{ "name": "echoes" }] });
        let all = json!({
            "pre": [{ "name": "sets" }],
            "auth": { "name": "authenticates" },
            "post_key_auth": [{ "name": "knows" }],
            "post": [{ "name": "echoes" }],
            "response": [{ "name": "responds" }],
        });
        let mut bootstrap = bootstrap::bootstrap(
            &[
                Listener::new("echoes", &hooks(CURRENT, echoes.clone())),
                Listener::new("all", &hooks(CURRENT, all)),
                Listener::new("answers", &hooks(CURRENT, json!({ "pre": [{ "name": "answers" }] }))),
                Listener::new("old", &hooks(OLD, echoes)),
            ],
            Upstream::shared().addresses(),
        );
        bootstrap::add_cluster(&mut bootstrap, CURRENT, at);
        bootstrap::add_cluster(&mut bootstrap, OLD, at_old);
        (Bench::with_workers(&bootstrap, 1, &[]), [current, before])
    });
    bench
}

fn at(listener: &'static str) -> Gateway {
    bench().at(listener)
}

fn with_cookies() -> Script {
    Script::echo()
        .initial("set-cookie", "a=1")
        .trailing("set-cookie", "b=2")
}

#[tokio::test]
async fn an_echo_changes_nothing() {
    for version in Http::BOTH {
        for request in [
            post(&json!({ "stringValue": "é" })),
            Request::get("/v1/echo?stringValue=%C3%A9"),
        ] {
            let (answer, received) = at("echoes")
                .exchange(version, request.header("x-a", "1"), with_cookies())
                .await;
            assert_eq!(answer.status, 200, "{version:?} {answer:?}");
            assert_eq!(answer.json(), json!({ "stringValue": "é" }), "{version:?}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
            assert_eq!(cookies, ["a=1", "b=2"], "{version:?}");
            assert_eq!(received.json(), json!({ "stringValue": "é" }), "{version:?}");
            assert_eq!(received.header("x-a"), Some("1"));
        }
    }
}

#[tokio::test]
async fn a_session_comes_to_later_hooks_as_it_was_written() {
    for version in Http::BOTH {
        for request in [post(&json!({ "int32Value": 5 })), Request::get("/v1/echo?int32Value=5")] {
            let answer = at("all").refuse(version, request.clone()).await;
            assert_eq!(answer.status, 401, "{version:?} {answer:?}");
            assert_eq!(answer.json(), json!({ "error": "who?" }));
            let request = request.header("authorization", "Bearer t").header("x-hook", "set");
            let (answer, received) = at("all").exchange(version, request, with_cookies()).await;
            assert_eq!(answer.json(), json!({ "int32Value": 5 }), "{version:?} {answer:?}");
            assert_eq!(answer.header("x-node"), Some("1"));
            let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
            assert_eq!(cookies, ["a=1", "b=2"], "{version:?}");
            assert_eq!(received.header("x-node"), Some("set"));
            let json = |name: &str| serde_json::from_str::<Value>(received.header(name).unwrap()).unwrap();
            assert_eq!(json("x-metadata"), json!({ "token": "t", "plan": "gold" }));
            let session = json("x-session");
            for (key, value) in [
                ("rate", json!(1000.5)),
                ("expires", json!("4102444800")),
                ("tags", json!(["x", "y"])),
                ("org_id", json!("o1")),
                ("key_id", json!("t")),
                ("metadata", json!({ "token": "t", "plan": "gold" })),
            ] {
                assert_eq!(session[key], value, "{version:?} {session}");
            }
            assert_eq!(session["access_rights"]["a1"]["versions"], json!(["Default"]));
        }
    }
}

#[tokio::test]
async fn an_override_of_200_is_the_answer() {
    for version in Http::BOTH {
        for request in [post(&json!({})), Request::get("/v1/echo")] {
            let answer = at("answers").refuse(version, request).await;
            assert_eq!(
                (answer.status, answer.json()),
                (200, json!({ "answered": true })),
                "{version:?}"
            );
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("x-node"), Some("1"));
        }
    }
}

/// As in Tyk: what such a server echoes has no body, and no header but the first of each, which count for nothing.
#[tokio::test]
async fn an_old_server_empties_bodies_and_drops_headers() {
    for version in Http::BOTH {
        let (answer, received) = at("old")
            .exchange(version, post(&json!({ "int32Value": 5 })), with_cookies())
            .await;
        assert_eq!(received.json(), json!({}), "{version:?}");
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, &b""[..]),
            "{version:?} {answer:?}"
        );
        for name in ["content-type", "set-cookie"] {
            assert_eq!(answer.header(name), None, "{version:?}");
        }
    }
    assert_eq!(bench().traps(), "");
}
