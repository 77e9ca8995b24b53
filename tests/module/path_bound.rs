//! A field that the path binds belongs to the path: whatever a client writes into body and query, in whatever spelling,
//! the service gets the path's value, or nothing at all.
//!
//! In all attacks the value is [`EVIL`], which then must not be anywhere in what the service receives.

use std::sync::OnceLock;
use std::time::Duration;

use prost_reflect::{DescriptorPool, DynamicMessage};
use protobridge::schema::{Schema, Source};
use serde_json::{Value, json};

use crate::harness::{Exchange, Gateway, Host, Progress, Request};
use crate::kit::error;

const EVIL: &str = "EVIL";

/// The value in every path.
const GOOD: &str = "good";

const PROTO: &str = r#"
syntax = "proto2";
package bound;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";

service S {
  rpc Plain(M) returns (M) {
    option (google.api.http) = {
      post: "/plain/{user_id}" body: "*"
      additional_bindings { get: "/plain/{user_id}" }
      additional_bindings { post: "/plain-beside/{user_id}" body: "child" }
    };
  }
  rpc Nested(M) returns (M) {
    option (google.api.http) = {
      post: "/nested/{child.user_id}" body: "*"
      additional_bindings { get: "/nested/{child.user_id}" }
      additional_bindings { post: "/nested-body/{child.user_id}" body: "child" }
      additional_bindings { patch: "/nested-body/{child.user_id}" body: "child" }
    };
  }
  rpc Deep(M) returns (M) {
    option (google.api.http) = {
      post: "/deep/{child.child.user_id}" body: "*"
      additional_bindings { get: "/deep/{child.child.user_id}" }
      additional_bindings { post: "/deep-body/{child.child.user_id}" body: "child" }
    };
  }
  rpc Wrapped(M) returns (M) {
    option (google.api.http) = {
      post: "/wrapped/{wrapped}" body: "*"
      additional_bindings { get: "/wrapped/{wrapped}" }
    };
  }
  rpc Choice(M) returns (M) {
    option (google.api.http) = {
      post: "/choice/{choice_text}" body: "*"
      additional_bindings { get: "/choice/{choice_text}" }
    };
  }
  rpc ChoiceChild(M) returns (M) {
    option (google.api.http) = {
      post: "/choice-child/{choice_child.user_id}" body: "*"
      additional_bindings { get: "/choice-child/{choice_child.user_id}" }
    };
  }
  rpc Kind(M) returns (M) {
    option (google.api.http) = {
      post: "/kind/{child.kind_one}" body: "*"
      additional_bindings { get: "/kind/{child.kind_one}" }
      additional_bindings { post: "/kind-body/{child.kind_one}" body: "child" }
    };
  }
  rpc Group(M) returns (M) {
    option (google.api.http) = {
      post: "/group/{pair.user_id}" body: "*"
      additional_bindings { get: "/group/{pair.user_id}" }
      additional_bindings { post: "/group-body/{pair.user_id}" body: "pair" }
    };
  }
  rpc Swapped(M) returns (M) {
    option (google.api.http) = {
      post: "/swapped/{swapped}" body: "*"
      additional_bindings { get: "/swapped/{swapped}" }
    };
  }
  rpc Mask(M) returns (M) {
    option (google.api.http) = { patch: "/mask/{update_mask}" body: "child" };
  }
  rpc Raw(google.api.HttpBody) returns (M) {
    option (google.api.http) = {
      post: "/raw/{content_type}" body: "*"
      additional_bindings { post: "/raw-data/{data}" body: "*" }
    };
  }
  rpc RawField(M) returns (M) {
    option (google.api.http) = {
      post: "/raw-field/{raw.content_type}" body: "raw"
      additional_bindings { post: "/raw-field-data/{raw.data}" body: "raw" }
    };
  }
  rpc Collect(stream M) returns (M) {
    option (google.api.http) = {
      post: "/collect/{user_id}" body: "*"
      additional_bindings { post: "/collect-nested/{child.user_id}" body: "child" }
    };
  }
  rpc CollectRaw(stream M) returns (M) {
    option (google.api.http) = { post: "/collect-raw/{raw.content_type}" body: "raw" };
  }
}

message M {
  optional string user_id = 1;
  optional Child child = 2;
  optional google.protobuf.StringValue wrapped = 3;
  optional google.protobuf.FieldMask update_mask = 4;
  oneof choice {
    string choice_text = 5;
    string choice_other = 6;
    Child choice_child = 7;
    google.protobuf.Value choice_value = 8;
  }
  optional group Pair = 9 {
    optional string user_id = 1;
    optional string note = 2;
  }
  // Each is called in JSON what the other is called in the schema.
  optional string swapped = 10 [json_name = "other"];
  optional string other = 11 [json_name = "swapped"];
  optional google.protobuf.Struct extra = 12;
  optional google.protobuf.Any any = 13;
  optional string note = 14;
  optional google.api.HttpBody raw = 15;
  repeated Child children = 16;
  map<string, string> labels = 17;
}

message Child {
  optional string user_id = 1;
  optional string note = 2;
  optional Child child = 3;
  oneof kind { string kind_one = 4; string kind_two = 5; }
}
"#;

/// A route, and where in the message its path's value is.
struct Target {
    path: &'static str,
    /// JSON pointers.
    bound: &'static [&'static str],
    value: Value,
}

fn target(path: &'static str, bound: &'static [&'static str]) -> Target {
    Target {
        path,
        bound,
        value: GOOD.into(),
    }
}

/// The gateways that an attack is tried on: each way to the upstream, each host, each reading of what is unknown.
fn gateways() -> Vec<(&'static str, Gateway)> {
    let load = |host: Host, more: Value| {
        let mut configuration = json!({ "proto": PROTO, "upstream": { "cluster": "upstream" } });
        for (key, value) in more.as_object().unwrap() {
            configuration[key] = value.clone();
        }
        host.load(&configuration.to_string()).unwrap()
    };
    let kong = Host::kong().load(&json!({ "proto": PROTO }).to_string()).unwrap();
    let strict = json!({
        "bodyless": "call",
        "json": { "unknown_fields": "reject", "case_insensitive_enums": true },
        "query": { "unknown": "reject" },
    });
    vec![
        ("forward", load(Host::envoy(), json!({ "bodyless": "call" }))),
        ("call", load(Host::envoy(), json!({ "dispatch": "call" }))),
        ("strict", load(Host::envoy(), strict)),
        (
            "early",
            load(
                Host::envoy().without_headers_stop_iteration(),
                json!({ "bodyless": "call" }),
            ),
        ),
        ("kong", kong),
    ]
}

/// What became of an attack: 400, or the path's values and nothing evil.
fn withstands(name: &str, exchange: &Exchange, target: &Target, attack: &dyn std::fmt::Debug) -> bool {
    let sent = sent(exchange);
    let at = format!("{name}: {} {attack:?}", target.path);
    if sent.is_empty() {
        let (status, _, message) = error(exchange);
        assert_eq!(status, 400, "{at}: {message}");
        return false;
    }
    for message in sent {
        let evil = message.windows(EVIL.len()).any(|window| window == EVIL.as_bytes());
        let json = to_json(&message);
        assert!(!evil, "{at}: {json}");
        for pointer in target.bound {
            assert_eq!(json.pointer(pointer), Some(&target.value), "{at}: {json}");
        }
    }
    true
}

/// Sends a request. Where headers cannot be held, the filter takes a moment to find out.
fn send(name: &str, gateway: &Gateway, request: Request) -> Exchange {
    let exchange = gateway.request(request);
    if name == "early" {
        gateway.advance(Duration::from_millis(100));
    }
    exchange
}

/// The messages that the service gets.
fn sent(exchange: &Exchange) -> Vec<Vec<u8>> {
    if let Some(call) = exchange.calls().first() {
        return call.messages.clone();
    }
    match exchange.progress() {
        Progress::WaitsForUpstream => exchange.forwarded().messages(),
        _ => Vec::new(),
    }
}

/// Both messages that a service gets have their fields at the same places, as far as the tests go.
fn to_json(message: &[u8]) -> Value {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| Schema::compile(Source::Proto(PROTO), 1 << 20).unwrap().pool().clone());
    let descriptor = pool.get_message_by_name("bound.M").unwrap();
    serde_json::to_value(DynamicMessage::decode(descriptor, message).unwrap()).unwrap()
}

/// Spellings of a member's name in a JSON body: the field's own names, and what a lenient reader might take for them.
fn json_spellings(name: &str) -> Vec<String> {
    let escaped = |format: fn(u32) -> String| name.chars().map(|letter| format(u32::from(letter))).collect::<String>();
    let (first, rest) = name.split_at(1);
    let code = u32::from(first.as_bytes()[0]);
    vec![
        name.to_owned(),
        escaped(|code| format!("\\u{code:04x}")),
        escaped(|code| format!("\\u{code:04X}")),
        format!("\\u{code:04x}{rest}"),
        name.to_uppercase(),
        first.to_uppercase() + rest,
        format!(" {name}"),
        format!("{name} "),
        format!("{name}\\u0000"),
        format!("\\u0000{name}"),
        format!("\\ufeff{name}"),
        format!("{name}\\u200b"),
        format!("[{name}]"),
        format!("[bound.M.{name}]"),
        format!("bound.M.{name}"),
        format!("{name}."),
        format!(".{name}"),
        // Letters that look alike, or fold to the same.
        name.replace('s', "\u{17f}"),
        name.replace('i', "\u{131}"),
        name.replace('_', "\\u005f"),
        name.replace('_', "-"),
        "1".to_owned(),
    ]
}

/// Spellings of a parameter's name in a query.
fn query_spellings(name: &str) -> Vec<String> {
    let every = |format: fn(u8) -> String| name.bytes().map(format).collect::<String>();
    let brackets = match name.split_once('.') {
        Some((first, rest)) => format!("{first}[{}]", rest.replace('.', "][")),
        None => format!("{name}[]"),
    };
    vec![
        name.to_owned(),
        every(|byte| format!("%{byte:02x}")),
        every(|byte| format!("%{byte:02X}")),
        every(|byte| format!("%25{byte:02x}")),
        name.replace('.', "%2E"),
        name.replace('.', "%2e"),
        name.replace('.', ".."),
        name.replace('.', "/"),
        brackets.replace('[', "%5B").replace(']', "%5D"),
        brackets,
        name.to_uppercase(),
        format!("{name}."),
        format!(".{name}"),
        format!("{name}%00"),
        format!("%00{name}"),
        format!("{name}%20"),
        format!("+{name}"),
        format!("%EF%BB%BF{name}"),
        format!("amp;{name}"),
        format!("{name};"),
        format!("x=1&{name}"),
        format!("x=1;{name}"),
        format!("x=1%26{name}"),
        format!("{name}=x&{name}"),
        format!("?{name}"),
        format!("{name}.value"),
        format!("{name}.paths"),
        format!("M.{name}"),
        name.replace('s', "%C5%BF"),
        name.replace('_', "%C0%9F"),
    ]
}

#[test]
fn no_spelling_of_its_name_in_a_body_changes_a_bound_field() {
    let mut goes_through = 0;
    // A body in which `~` is the name, for each place that it may have there.
    let rows = [
        (
            target("/plain/good", &["/userId"]),
            r#"{"~":"EVIL"}"#,
            ["user_id", "userId"],
        ),
        (
            target("/nested/good", &["/child/userId"]),
            r#"{"child":{"~":"EVIL"}}"#,
            ["user_id", "userId"],
        ),
        (
            target("/nested-body/good", &["/child/userId"]),
            r#"{"~":"EVIL"}"#,
            ["user_id", "userId"],
        ),
        (
            target("/deep/good", &["/child/child/userId"]),
            r#"{"child":{"child":{"~":"EVIL"}}}"#,
            ["user_id", "userId"],
        ),
        (
            target("/deep-body/good", &["/child/child/userId"]),
            r#"{"child":{"~":"EVIL"}}"#,
            ["user_id", "userId"],
        ),
        (
            target("/deep/good", &["/child/child/userId"]),
            r#"{"~":"EVIL"}"#,
            ["child.child.user_id", "child.child.userId"],
        ),
        (
            target("/deep/good", &["/child/child/userId"]),
            r#"{"child":{"~":"EVIL"}}"#,
            ["child.user_id", "child.userId"],
        ),
        (
            target("/wrapped/good", &["/wrapped"]),
            r#"{"~":"EVIL"}"#,
            ["wrapped", "wrapped"],
        ),
        (
            target("/choice/good", &["/choiceText"]),
            r#"{"~":"EVIL"}"#,
            ["choice_text", "choiceText"],
        ),
        (
            target("/kind/good", &["/child/kindOne"]),
            r#"{"child":{"~":"EVIL"}}"#,
            ["kind_one", "kindOne"],
        ),
        (
            target("/group/good", &["/pair/userId"]),
            r#"{"pair":{"~":"EVIL"}}"#,
            ["user_id", "userId"],
        ),
        (
            target("/group-body/good", &["/pair/userId"]),
            r#"{"~":"EVIL"}"#,
            ["user_id", "userId"],
        ),
    ];
    for (name, gateway) in gateways() {
        for (target, body, names) in &rows {
            for spelling in names.iter().flat_map(|name| json_spellings(name)) {
                let body = body.replace('~', &spelling);
                let exchange = send(name, &gateway, Request::post(target.path).json(&body));
                goes_through += u32::from(withstands(name, &exchange, target, &body));
            }
        }
    }
    assert!(goes_through > 500, "most of it is refused: then it shows little");
}

#[test]
fn no_form_of_a_body_resets_a_bound_field() {
    let mut goes_through = 0;
    let rows = [
        (
            target("/plain/good", &["/userId"]),
            &[
                r#"{"userId":null}"#,
                r#"{"userId":{"userId":"EVIL"}}"#,
                r#"{"userId":["EVIL"]}"#,
                r#"{"userId":"EVIL","user_id":"EVIL"}"#,
                r#"{"userId":null,"userId":"EVIL"}"#,
                r#"null"#,
                r#"{}"#,
                r#"[{"userId":"EVIL"}]"#,
                r#"{} {"userId":"EVIL"}"#,
                r#""\n\u0004EVIL""#,
            ][..],
        ),
        (
            target("/nested/good", &["/child/userId"]),
            &[
                r#"{"child":null}"#,
                r#"{"child":{}}"#,
                r#"{"child":{"userId":null}}"#,
                r#"{"child":null,"child":{"userId":"EVIL"}}"#,
                r#"{"child":{"note":"a"},"child":{"userId":"EVIL"}}"#,
                r#"{"child":{"note":"a"},"\u0063hild":{"userId":"EVIL"}}"#,
                r#"{"child":[{"userId":"EVIL"}]}"#,
                r#"{"child":"EVIL"}"#,
                r#"{"child":"\n\u0004EVIL"}"#,
                r#"null"#,
            ],
        ),
        (
            target("/nested-body/good", &["/child/userId"]),
            &[
                r#"null"#,
                r#"{}"#,
                r#"{"child":{"note":"a"}}"#,
                r#"{"note":"a"}"#,
                r#"{"child":{"userId":null},"userId":null}"#,
                r#"[]"#,
                r#""EVIL""#,
            ],
        ),
        (
            target("/deep/good", &["/child/child/userId"]),
            &[
                r#"{"child":{"child":null}}"#,
                r#"{"child":null}"#,
                r#"{"child":{"child":{"child":{"userId":"a"}}}}"#,
                r#"{"child":{"userId":"a"}}"#,
            ],
        ),
        (
            target("/wrapped/good", &["/wrapped"]),
            &[
                r#"{"wrapped":{"value":"EVIL"}}"#,
                r#"{"wrapped":null}"#,
                r#"{"wrapped":["EVIL"]}"#,
                r#"{"wrapped.value":"EVIL"}"#,
            ],
        ),
        (
            target("/choice/good", &["/choiceText"]),
            &[
                r#"{"choiceText":null}"#,
                r#"{"choiceOther":"EVIL"}"#,
                r#"{"choice_other":"EVIL"}"#,
                r#"{"choiceOther":""}"#,
                r#"{"choiceOther":null}"#,
                r#"{"choiceChild":{}}"#,
                r#"{"choiceChild":null}"#,
                r#"{"choiceChild":{"note":"EVIL"}}"#,
                r#"{"choiceValue":null}"#,
                r#"{"choiceValue":"EVIL"}"#,
                r#"{"choice":"EVIL"}"#,
                r#"{"choiceText":"EVIL","choiceOther":"EVIL"}"#,
            ],
        ),
        (
            target("/choice-child/good", &["/choiceChild/userId"]),
            &[
                r#"{"choiceText":"EVIL"}"#,
                r#"{"choiceValue":null}"#,
                r#"{"choiceChild":null}"#,
                r#"{"choiceChild":{"note":"a"}}"#,
                r#"{"choiceChild":{"userId":"EVIL"}}"#,
                r#"{"choiceChild":{"userId":"EVIL"},"choiceText":"EVIL"}"#,
            ],
        ),
        (
            target("/kind/good", &["/child/kindOne"]),
            &[
                r#"{"child":{"kindTwo":"EVIL"}}"#,
                r#"{"child":{"kind_two":""}}"#,
                r#"{"child":{"kindTwo":null}}"#,
                r#"{"child":{"child":{"kindTwo":"a"}}}"#,
                r#"{"child":null}"#,
            ],
        ),
        (
            target("/kind-body/good", &["/child/kindOne"]),
            &[
                r#"{"kindTwo":"EVIL"}"#,
                r#"{"kindTwo":null}"#,
                r#"{"kindOne":"EVIL"}"#,
                r#"{"kindOne":"EVIL","kindTwo":"EVIL"}"#,
                r#"null"#,
            ],
        ),
        (
            target("/group/good", &["/pair/userId"]),
            &[
                r#"{"pair":null}"#,
                r#"{"pair":{"note":"a"}}"#,
                r#"{"Pair":{"userId":"EVIL"}}"#,
                r#"{"pair":{"userId":"EVIL"},"Pair":{"userId":"EVIL"}}"#,
            ],
        ),
        (
            target("/group-body/good", &["/pair/userId"]),
            &[r#"null"#, r#"{"note":"a"}"#, r#"{"userId":null}"#],
        ),
        (
            // Which of two fields a name means is one thing; the bound one is the path's whatever its name.
            target("/swapped/good", &["/other"]),
            &[
                r#"{"other":"a"}"#,
                r#"{"swapped":"a"}"#,
                r#"{"swapped":"a","other":"a"}"#,
            ],
        ),
        (
            target("/plain-beside/good", &["/userId"]),
            &[r#"{"userId":"a"}"#, r#"{"user_id":"a","note":"b"}"#, r#"null"#],
        ),
        (
            // What is neither the field nor around it may hold what it wants.
            target("/plain/good", &["/userId"]),
            &[
                r#"{"extra":{"userId":"a"}}"#,
                r#"{"labels":{"userId":"a"}}"#,
                r#"{"any":{"@type":"t/bound.M","userId":"a"}}"#,
                r#"{"children":[{"userId":"a"}]}"#,
            ],
        ),
    ];
    for (name, gateway) in gateways() {
        for (target, bodies) in &rows {
            for body in *bodies {
                let exchange = send(name, &gateway, Request::post(target.path).json(body));
                goes_through += u32::from(withstands(name, &exchange, target, body));
            }
        }
    }
    assert!(goes_through > 150, "most of it is refused: then it shows little");
}

#[test]
fn no_spelling_of_its_name_in_a_query_changes_a_bound_field() {
    let mut goes_through = 0;
    let rows = [
        (target("/plain/good", &["/userId"]), ["user_id", "userId"]),
        (
            target("/nested/good", &["/child/userId"]),
            ["child.user_id", "child.userId"],
        ),
        (
            target("/deep/good", &["/child/child/userId"]),
            ["child.child.user_id", "child.child.userId"],
        ),
        (target("/wrapped/good", &["/wrapped"]), ["wrapped", "wrapped.value"]),
        (target("/choice/good", &["/choiceText"]), ["choice_text", "choiceText"]),
        (
            target("/choice/good", &["/choiceText"]),
            ["choice_other", "choiceOther"],
        ),
        (
            target("/choice/good", &["/choiceText"]),
            ["choice_child.note", "choiceChild.note"],
        ),
        (
            target("/choice-child/good", &["/choiceChild/userId"]),
            ["choice_child.user_id", "choiceChild.userId"],
        ),
        (
            target("/choice-child/good", &["/choiceChild/userId"]),
            ["choice_text", "choiceText"],
        ),
        (
            target("/kind/good", &["/child/kindOne"]),
            ["child.kind_one", "child.kindOne"],
        ),
        (
            target("/kind/good", &["/child/kindOne"]),
            ["child.kind_two", "child.kindTwo"],
        ),
        (
            target("/group/good", &["/pair/userId"]),
            ["pair.user_id", "Pair.userId"],
        ),
    ];
    for (name, gateway) in gateways() {
        for (target, names) in &rows {
            for spelling in names.iter().flat_map(|name| query_spellings(name)) {
                let query = format!("{}?{spelling}=EVIL", target.path);
                let exchange = send(name, &gateway, Request::get(&query).method_in_front("POST"));
                goes_through += u32::from(withstands(name, &exchange, target, &query));
                // With a body that takes every field, and with one that takes a part.
                let exchange = send(name, &gateway, Request::post(&query).json("{}"));
                goes_through += u32::from(withstands(name, &exchange, target, &query));
            }
        }
        for spelling in ["user_id", "userId", "child.user_id", "child.userId", "%63hild.userId"]
            .map(query_spellings)
            .concat()
        {
            let nested = target("/nested-body/good", &["/child/userId"]);
            if spelling.contains("child") || spelling.contains("hild") || spelling.contains("63") {
                let query = format!("{}?{spelling}=EVIL", nested.path);
                let exchange = send(name, &gateway, Request::post(&query).json(r#"{"note":"a"}"#));
                goes_through += u32::from(withstands(name, &exchange, &nested, &query));
            }
        }
    }
    assert!(goes_through > 500, "most of it is refused: then it shows little");
}

#[test]
fn raw_bytes_do_not_change_what_the_path_binds_of_them() {
    // In wire form, an HttpBody's type and data are fields 1 and 2.
    let whole = [
        ("/raw/good", &b"\x0a\x04good"[..]),
        ("/raw-data/Z29vZA", b"\x12\x04good"),
    ];
    let field = [
        ("/raw-field/good", &b"\x7a\x0c\x0a\x04good"[..]),
        ("/raw-field-data/Z29vZA", b"\x7a\x0b\x12\x04good"),
    ];
    for (name, gateway) in gateways() {
        for (path, bound) in whole.into_iter().chain(field) {
            let content_type = if path.contains("data") { "a/b" } else { EVIL };
            let data = if path.contains("data") { EVIL } else { "data" };
            let request = Request::post(path).header("content-type", content_type).body(data);
            let sent = sent(&send(name, &gateway, request));
            let [message] = &sent[..] else {
                panic!("{name}: {path}: {sent:?}");
            };
            let evil = message.windows(EVIL.len()).any(|window| window == EVIL.as_bytes());
            assert!(
                message.starts_with(bound) && !evil,
                "{name}: {path}: {}",
                message.escape_ascii()
            );
            assert!(message.len() > bound.len(), "{name}: {path}: the rest is the body's");
        }
        if name != "kong" && name != "call" {
            let request = Request::post("/collect-raw/good")
                .header("content-type", EVIL)
                .body("data");
            let sent = sent(&send(name, &gateway, request));
            let evil = sent
                .concat()
                .windows(EVIL.len())
                .any(|window| window == EVIL.as_bytes());
            assert!(!sent.is_empty() && !evil, "{name}: {sent:?}");
        }
    }
}

#[test]
fn every_message_of_a_stream_has_the_paths_value() {
    let nested = target("/collect-nested/good", &["/child/userId"]);
    let plain = target("/collect/good", &["/userId"]);
    for (name, gateway) in gateways() {
        if name == "kong" || name == "call" {
            continue;
        }
        for spelling in ["user_id", "userId"].map(json_spellings).concat() {
            for target in [&plain, &nested] {
                let element = format!("{{\"{spelling}\":\"EVIL\"}}");
                let body = format!("[{element},null,{{}},{element}]");
                let exchange = send(name, &gateway, Request::post(target.path).json(&body));
                withstands(name, &exchange, target, &body);
                let lines = format!("{element}\n{{}}\n{element}\n");
                let request = Request::post(target.path)
                    .header("content-type", "application/x-ndjson")
                    .body(&lines);
                withstands(name, &send(name, &gateway, request), target, &lines);
            }
        }
    }
}

#[test]
fn no_update_mask_names_or_replaces_what_the_path_binds() {
    for (name, gateway) in gateways() {
        for body in [
            r#"{"userId":"EVIL","note":"a"}"#,
            r#"{"\u0075ser_id":"EVIL","note":"a"}"#,
            r#"{"note":"a","userId":null}"#,
        ] {
            let nested = target("/nested-body/good", &["/child/userId"]);
            let exchange = send(name, &gateway, Request::new("PATCH", nested.path).json(body));
            assert!(withstands(name, &exchange, &nested, &body));
            assert_eq!(to_json(&sent(&exchange)[0])["updateMask"], "note", "{name}: {body}");
            let mask = target("/mask/good", &["/updateMask"]);
            for query in ["", "?update_mask=EVIL", "?updateMask=EVIL", "?%75pdate_mask=EVIL"] {
                let request = Request::new("PATCH", &format!("{}{query}", mask.path)).json(r#"{"note":"a"}"#);
                withstands(name, &send(name, &gateway, request), &mask, &query);
            }
        }
    }
}
