//! What docs/from-envoy.md's table says of Envoy's own transcoder with its defaults, each row by a request to both.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::json;
use tonic::Code;

use super::schema::compile;
use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Request};
use crate::bench::upstream::{RawAnswer, Received, Script, frame};
use crate::bench::{Bench, script};

const PROTO: &str = r#"
syntax = "proto3";
package t;
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";
service Service {
  rpc Get(Message) returns (Message) {
    option (google.api.http) = {
      get: "/get/{name}"
      additional_bindings { get: "/many/{name=**}" }
      additional_bindings { post: "/whole" body: "*" }
      additional_bindings { post: "/part" body: "child" }
    };
  }
  rpc Talk(stream Message) returns (Message) { option (google.api.http) = { post: "/talk/{name}" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
}
service Bare { rpc Get(Message) returns (Message); }
message Message {
  string name = 1;
  int32 number = 2;
  Message child = 3;
  map<string, string> labels = 4;
  google.protobuf.FieldMask mask = 5;
}
"#;

/// Of two field names, which is more than the module takes.
const NESTED: &str = r#"
service Nested { rpc Get(Message) returns (Message) { option (google.api.http) = { post: "/nested" body: "child.child" }; } }
"#;

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It is refused with this status.
    Refused(u16),
    /// It goes on as it is.
    Untouched,
    /// It becomes a call with these messages, in protobuf's text format.
    Call(Vec<String>),
}

fn call(message: &str) -> Fate {
    Fate::Call(vec![message.to_owned()])
}

fn calls(messages: &[&str]) -> Fate {
    Fate::Call(messages.iter().map(|&message| message.to_owned()).collect())
}

/// What it is about, the request, and what becomes of it in ours and in Envoy's.
type Row = (&'static str, Request, Fate, Fate);

fn native_text() -> String {
    format!("{PROTO}{NESTED}")
}

fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| compile(&native_text()).1)
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let (set, _) = compile(&native_text());
        let native = json!({
            "proto_descriptor_bin": STANDARD.encode(set),
            "services": ["t.Service", "t.Bare", "t.Nested"],
        });
        Bench::start(&[
            Listener::new("ours", &json!({ "proto": PROTO })),
            Listener::with_native("native", native),
        ])
    })
}

/// What becomes of a request at a listener.
async fn fate(name: &'static str, request: &Request) -> Fate {
    let mut call = script(Script::raw(RawAnswer {
        headers: vec![("content-type", "application/grpc")],
        body: frame(0, b""),
        trailers: vec![("grpc-status", "0")],
        ..RawAnswer::default()
    }));
    let request = request.clone().script(&call);
    let answer = bench().at(name).send(Http::Two, &request).await;
    if !call.has_received() {
        return Fate::Refused(answer.status);
    }
    let received = call.received().await;
    match received.header("content-type") {
        Some("application/grpc") => Fate::Call(messages(&received)),
        _ => Fate::Untouched,
    }
}

fn messages(received: &Received) -> Vec<String> {
    let message = pool().get_message_by_name("t.Message").unwrap();
    let text = |wire: &Bytes| {
        DynamicMessage::decode(message.clone(), wire.clone())
            .unwrap()
            .to_text_format()
    };
    received.messages.iter().map(text).collect()
}

fn post(target: &str, body: &str) -> Request {
    Request::new("POST", target)
        .header("content-type", "application/json")
        .body(body.to_owned())
}

#[tokio::test]
async fn each_row_of_the_table_holds_for_envoys_transcoder() {
    let x = || call("name:\"x\"");
    let rows: [Row; 19] = [
        (
            "path with no rule",
            Request::get("/nowhere"),
            Fate::Refused(404),
            Fate::Untouched,
        ),
        (
            "wrong method",
            post("/get/x", "{}"),
            Fate::Refused(405),
            Fate::Untouched,
        ),
        ("no annotation", post("/t.Bare/Get", "{}"), call(""), Fate::Untouched),
        ("unknown parameter", Request::get("/get/x?no=1"), x(), Fate::Untouched),
        (
            "query against path",
            Request::get("/get/x?name=y"),
            x(),
            call("name:\"y\""),
        ),
        (
            "map entry",
            Request::get("/watch?labels[a]=b"),
            call("labels:[{key:\"a\",value:\"b\"}]"),
            Fate::Untouched,
        ),
        (
            "parameter twice",
            Request::get("/watch?number=1&number=2"),
            Fate::Refused(400),
            call("number:2"),
        ),
        (
            "plus",
            Request::get("/watch?name=a+b"),
            call("name:\"a b\""),
            call("name:\"a+b\""),
        ),
        ("unknown key", post("/whole", r#"{"no":1}"#), call(""), call("")),
        (
            "body without a rule",
            Request::get("/get/x").body("{\"number\":1}"),
            x(),
            call("name:\"x\",number:1"),
        ),
        (
            "mask in a query",
            Request::get("/watch?mask=a_b"),
            call("mask{paths:[\"a_b\"]}"),
            call("mask{paths:[\"a_b\"]}"),
        ),
        (
            "mask in a body",
            post("/whole", r#"{"mask":"a_b"}"#),
            Fate::Refused(400),
            call("mask{paths:[\"a_b\"]}"),
        ),
        (
            "body field and query",
            post("/part?child.name=x", r#"{"number":1}"#),
            call("child{number:1}"),
            call("child{name:\"x\",number:1}"),
        ),
        (
            "whole body and query",
            post("/whole?name=x", r#"{"number":1}"#),
            call("number:1"),
            call("name:\"x\",number:1"),
        ),
        (
            "nested body",
            post("/nested", r#"{"number":1}"#),
            Fate::Refused(404),
            call("child{child{number:1}}"),
        ),
        (
            "comma",
            post("/whole", r#"{"number":1,}"#),
            Fate::Refused(400),
            call("number:1"),
        ),
        (
            "escape in one segment",
            Request::get("/get/a%2Fb%3Ac"),
            call("name:\"a/b:c\""),
            call("name:\"a/b:c\""),
        ),
        (
            "escape in several",
            Request::get("/many/a%3Ab%20c/d%2Fe"),
            call("name:\"a:b c/d%2Fe\""),
            call("name:\"a%3Ab c/d%2Fe\""),
        ),
        (
            "path and stream",
            post("/talk/x", r#"[{"number":1},{"number":2}]"#),
            calls(&["name:\"x\",number:1", "name:\"x\",number:2"]),
            calls(&["name:\"x\",number:1", "number:2"]),
        ),
    ];
    let mut wrong = Vec::new();
    for (row, request, ours, native) in rows {
        for (name, expected) in [("ours", ours), ("native", native)] {
            let found = fate(name, &request).await;
            if found != expected {
                wrong.push(format!("{row}, {name}: expected {expected:?}, found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn errors_have_no_body_in_envoys_transcoder_and_streams_are_an_array() {
    let error = Script::error(Code::NotFound, "no such thing");
    let (ours, _) = bench()
        .at("ours")
        .exchange(Http::Two, Request::get("/get/x"), error.clone())
        .await;
    let (native, _) = bench()
        .at("native")
        .exchange(Http::Two, Request::get("/get/x"), error)
        .await;
    assert_eq!(
        (ours.status, ours.json()),
        (404, json!({ "code": 5, "message": "no such thing" }))
    );
    assert_eq!((native.status, &native.body[..]), (404, &b""[..]));

    let number = |number: u8| frame(0, &[0x10, number]);
    let script = Script::raw(RawAnswer {
        headers: vec![("content-type", "application/grpc")],
        body: [number(1), number(2)].concat().into(),
        trailers: vec![("grpc-status", "0")],
        ..RawAnswer::default()
    });
    let lines = || Request::get("/watch").header("accept", "application/x-ndjson");
    let (ours, _) = bench().at("ours").exchange(Http::Two, lines(), script.clone()).await;
    let (native, _) = bench().at("native").exchange(Http::Two, lines(), script).await;
    assert_eq!(&ours.body[..], b"{\"number\":1}\n{\"number\":2}\n");
    assert_eq!(native.json(), json!([{ "number": 1 }, { "number": 2 }]));
}
