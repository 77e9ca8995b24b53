//! Streams through real Envoy: of answers, of requests, of both; with and without Envoy's gRPC-Web filter.
//!
//! That messages arrive one by one is shown without a clock: the server sends the next one when the client has the one
//! before.

mod answers;
mod chats;
mod ends;
mod grpc_web;
mod requests;

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::bootstrap::Listener;
use crate::bench::client::{Answer, Http, Live, Request};
use crate::bench::upstream::{Call, Script};
use crate::bench::{Bench, schema};

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let plain = json!({ "proto": schema::PROTO });
        let web = json!({ "proto": schema::PROTO, "upstream": { "grpc_web": true } });
        let with = |base: &Value, key: &str, value: Value| {
            let mut configuration = base.clone();
            configuration[key] = value;
            configuration
        };
        let small = json!({ "max_response_bytes": 2000 });
        let deadline = json!({ "timeout": "0.5s" });
        let later = json!({ "timeout": "4s" });
        let short = |base: &Value| {
            with(&with(base, "streaming", later.clone()), "upstream", {
                let mut upstream = base["upstream"].clone();
                upstream["timeout"] = json!("0.5s");
                upstream
            })
        };
        let listeners = [
            Listener::new("plain", &plain),
            Listener::new("web", &web).with_grpc_web(),
            Listener::new("plain-no-stop", &plain).without_stop_iteration(),
            Listener::new("web-no-stop", &web)
                .with_grpc_web()
                .without_stop_iteration(),
            Listener::new("web-no-stop-fresh", &web)
                .with_grpc_web()
                .without_stop_iteration(),
            Listener::new("plain-fresh", &plain).finds_out(),
            Listener::new("plain-lua", &plain).with_lua(),
            Listener::new("web-lua", &web).with_lua().with_grpc_web(),
            Listener::new("call", &with(&plain, "dispatch", json!("call"))),
            Listener::new("plain-small", &with(&plain, "limits", small.clone())),
            Listener::new("web-small", &with(&web, "limits", small)).with_grpc_web(),
            Listener::new("plain-deadline", &with(&plain, "streaming", deadline.clone())),
            Listener::new("web-deadline", &with(&web, "streaming", deadline)).with_grpc_web(),
            Listener::new("plain-short", &short(&plain)),
            Listener::new("web-short", &short(&web)).with_grpc_web(),
            Listener::new("google", &with(&web, "errors", json!({ "format": "google" }))).with_grpc_web(),
        ];
        Bench::start(&listeners.map(|listener| listener.without_route_timeout().closes_at_once()))
    })
}

/// How the messages of an answer stand in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Array,
    Ndjson,
    Sse,
}

impl Form {
    const ALL: [Self; 3] = [Self::Array, Self::Ndjson, Self::Sse];

    fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Sse => "text/event-stream",
        }
    }

    /// The `index`th message in the body.
    fn message(self, index: usize, json: &str) -> String {
        match self {
            Self::Array if index == 0 => format!("[{json}"),
            Self::Array => format!(",{json}"),
            Self::Ndjson => format!("{json}\n"),
            Self::Sse => format!("data: {json}\n\n"),
        }
    }

    /// What is behind `count` messages.
    fn end(self, count: usize) -> &'static str {
        match self {
            Self::Array if count == 0 => "[]",
            Self::Array => "]",
            Self::Ndjson | Self::Sse => "",
        }
    }

    /// What is behind `count` messages when there was an error.
    fn error(self, count: usize, error: &str) -> String {
        let event = if self == Self::Sse { "event: error\n" } else { "" };
        let end = if self == Self::Array { "]" } else { "" };
        format!("{event}{}{end}", self.message(count, error))
    }

    /// The whole body of these messages.
    fn body(self, messages: &[&str]) -> String {
        let mut body = self.messages(messages);
        body.push_str(self.end(messages.len()));
        body
    }

    fn messages(self, messages: &[&str]) -> String {
        messages
            .iter()
            .enumerate()
            .map(|(index, message)| self.message(index, message))
            .collect()
    }
}

/// The listeners of one kind that stream an answer in this form.
fn flowing(form: Form) -> &'static [&'static str] {
    match form {
        // The end of an array can only be written where the end of the stream is part of the body.
        Form::Array => &["web", "web-no-stop", "web-lua"],
        Form::Ndjson | Form::Sse => &["web", "web-no-stop", "web-lua", "plain", "plain-no-stop", "plain-lua"],
    }
}

fn list(form: Form) -> Request {
    Request::post("/v1/streams/x", &json!({})).header("accept", form.content_type())
}

fn collect() -> Request {
    Request::new("POST", "/v1/streams:collect")
        .header("content-type", "application/json")
        .open()
}

fn chat(form: Form) -> Request {
    Request::new("POST", "/v1/streams:chat")
        .header("content-type", "application/x-ndjson")
        .header("accept", form.content_type())
        .open()
}

fn number(number: usize) -> Value {
    json!({ "int32Value": number })
}

fn text(number: usize) -> String {
    format!(r#"{{"int32Value":{number}}}"#)
}

fn is_form(answer: &Answer, form: Form, body: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some(form.content_type()), "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.body), body, "{answer:?}");
    for name in ["grpc-status", "grpc-message"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
        assert!(!answer.trailers.contains_key(name), "{answer:?}");
    }
}

fn is_error(answer: &Answer, status: u16, code: i32) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    assert_eq!(answer.json()["code"], code, "{answer:?}");
    assert!(answer.json()["message"].is_string(), "{answer:?}");
}

async fn start(listener: &'static str, version: Http, request: Request, call: &Call) -> Live {
    Live::start(bench().at(listener).address, version, &request.script(call)).await
}

async fn next_request_works(listener: &'static str) {
    let request = Request::post("/v1/echo", &json!({ "int32Value": 5 }));
    let (answer, _) = bench().at(listener).exchange(Http::One, request, Script::echo()).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, number(5)),
        "{listener}: {answer:?}"
    );
}
