//! What a configuration may be, and what is said of one that is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protobridge::schema::{Schema, Source};
use serde_json::{Map, Value, json};

use crate::harness::{Host, Request, Response};
use crate::kit::{call_of, configuration, gateway, works};
use crate::schema;

#[test]
fn a_proto_alone_suffices() {
    let gateway = Host::envoy()
        .load(&json!({ "proto": schema::PROTO }).to_string())
        .unwrap();
    works(&gateway);
}

#[test]
fn a_struct_says_the_same_as_json_text() {
    let gateway = Host::envoy()
        .load_struct(&configuration(json!({ "limits": { "max_request_bytes": 4096 } })))
        .unwrap();
    works(&gateway);
    let long = format!(r#"{{"stringValue": "{}"}}"#, "x".repeat(5000));
    assert_eq!(
        gateway.request(Request::post("/v1/echo").json(&long)).answer().status(),
        413
    );
}

#[test]
fn several_files_import_each_other() {
    let service = r#"syntax = "proto3"; package b; import "a/a.proto"; service S { rpc Do(a.M) returns (a.M); }"#;
    let message = r#"syntax = "proto3"; package a; message M { string name = 1; }"#;
    let configuration = json!({ "protos": { "b.proto": service, "a/a.proto": message } });
    let gateway = Host::envoy().load(&configuration.to_string()).unwrap();
    let exchange = gateway.request(Request::post("/b.S/Do").json(r#"{"name": "x"}"#));
    assert_eq!(exchange.forwarded().messages(), [b"\x0a\x01x"]);
}

#[test]
fn a_descriptor_set_is_a_schema_too() {
    let set = STANDARD.encode(schema::descriptor_set());
    let configuration = json!({ "descriptor_set": set, "services": ["test.everything.Echo"] });
    let gateway = Host::envoy().load(&configuration.to_string()).unwrap();
    works(&gateway);
    let request = Request::get("/v1/paths/7");
    assert_eq!(
        gateway.request(request).answer().status(),
        404,
        "a service that is not chosen"
    );
}

#[test]
fn a_descriptor_set_may_be_gzipped() {
    // protoc --include_imports --descriptor_set_out=/dev/stdout b.proto | gzip -9 | base64 -w0
    let set =
        "H4sIAAAAAAACA+Ny4WJP0isoyi/JF2JMUhLnYvQVEuJiyUvMTZVgVGDU4AwCs41EuRiDhQS4mFzyhVj0kvR8pcBkEhtYpzEAwnFqEEYAAAA=";
    let gateway = Host::envoy()
        .load(&json!({ "descriptor_set": set }).to_string())
        .unwrap();
    let exchange = gateway.request(Request::post("/b.S/Do").json(r#"{"name": "x"}"#));
    assert_eq!(exchange.forwarded().messages(), [b"\x0a\x01x"]);
}

#[test]
fn a_given_file_of_googles_takes_the_place_of_the_bundled_one() {
    // Newer than the bundled one: `edition` is there.
    let api = r#"syntax = "proto3";
        package google.protobuf;
        import "google/protobuf/source_context.proto";
        import "google/protobuf/type.proto";
        message Api {
          string name = 1;
          repeated Option options = 3;
          string version = 4;
          SourceContext source_context = 5;
          Syntax syntax = 7;
          string edition = 8;
        }"#;
    let service = r#"syntax = "proto3";
        package b;
        import "google/protobuf/api.proto";
        import "google/protobuf/timestamp.proto";
        message M { google.protobuf.Api api = 1; google.protobuf.Timestamp at = 2; }
        service S { rpc Do(M) returns (M); }"#;
    let texts = [("b.proto", service), ("google/protobuf/api.proto", api)];
    let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let compiled = Schema::compile(Source::Protos(&texts), 1 << 20).unwrap();
    let set = STANDARD.encode(compiled.pool().encode_to_vec());
    let protos: Map<_, _> = texts.into_iter().map(|(name, text)| (name, json!(text))).collect();
    let message = r#"{"api":{"name":"x","edition":"2023"},"at":"1970-01-01T00:00:01Z"}"#;
    let wire = b"\x0a\x09\x0a\x01x\x42\x042023\x12\x02\x08\x01";
    for configuration in [json!({ "protos": protos }), json!({ "descriptor_set": set })] {
        let gateway = Host::envoy().load(&configuration.to_string()).unwrap();
        let exchange = gateway.request(Request::post("/b.S/Do").json(message));
        assert_eq!(exchange.forwarded().messages(), [wire]);
        exchange.respond(Response::ok(wire));
        assert_eq!(exchange.answer().text(), message);
    }
}

/// What a `.proto` of a project in Go has: imports that are there for their options alone.
const OPTIONED: &str = r#"syntax = "proto3";
package b;
import "gogoproto/gogo.proto";
import "google/api/annotations.proto";
import "protoc-gen-openapiv2/options/annotations.proto";
option (gogoproto.marshaler_all) = true;
message M { string name = 1 [(gogoproto.nullable) = false]; }
service S {
  rpc Do(M) returns (M) {
    option (google.api.http) = { get: "/m/{name}" };
    option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation) = { tags: ["m"] };
  }
}"#;

#[test]
fn a_file_that_is_imported_for_its_options_need_not_be_given_and_the_log_says_what_is_left_out() {
    for host in [Host::envoy as fn() -> Host, Host::kong] {
        let log = host().load(&json!({ "proto": OPTIONED }).to_string()).unwrap().log();
        assert_eq!(
            log.first().unwrap(),
            "Info: imports that are not given: gogoproto/gogo.proto, protoc-gen-openapiv2/options/annotations.proto; in \
             service.proto; options left out with them: (gogoproto.marshaler_all) (1), (gogoproto.nullable) (1), \
             (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operati… (1)"
        );
    }
    let gateway = gateway(json!({ "proto": OPTIONED }));
    let exchange = gateway.request(Request::get("/m/x"));
    assert_eq!(exchange.call().messages, [b"\x0a\x01x"]);
}

#[test]
fn what_is_deprecated_is_taken_and_one_line_warns_of_it() {
    for host in [Host::envoy as fn() -> Host, Host::kong] {
        let configuration = json!({ "proto": OPTIONED, "limits": { "gateway_buffer_bytes": 65536 } });
        let gateway = host().load(&configuration.to_string()).unwrap();
        let warnings = gateway.log().into_iter().filter(|line| line.starts_with("Warn: "));
        assert_eq!(
            warnings.collect::<Vec<_>>(),
            [
                "Warn: configuration: limits.gateway_buffer_bytes is deprecated since 0.2.0: it has no effect and can be removed"
            ]
        );
    }
}

#[test]
fn a_rule_of_the_configuration_replaces_the_methods_annotation() {
    let rule = json!({ "selector": "test.everything.Echo.Query", "get": "/v2/echo/{string_value}" });
    let gateway = gateway(json!({ "http_rules": [rule] }));
    let exchange = gateway.request(Request::get("/v2/echo/x"));
    assert_eq!(
        call_of(&exchange),
        ("Echo/Query".to_owned(), json!({ "stringValue": "x" }))
    );
    drop(exchange);
    let replaced = gateway.request(Request::get("/v1/echo")).answer();
    assert_eq!((replaced.status(), replaced.headers.get("allow")), (405, Some("POST")));
    works(&gateway);
}

#[test]
fn the_rules_may_be_those_of_a_service_configuration() {
    // As grpc-gateway has it in a file, with a service more, and an empty list as Kong hands it on.
    let document = json!({
        "type": "google.api.Service",
        "config_version": 3,
        "apis": {},
        "http": { "rules": [
            { "selector": "test.everything.Echo.Query", "get": "/v2/echo/{string_value}", "additionalBindings": {} },
            { "selector": "google.longrunning.Operations.GetOperation", "get": "/v2/{name=operations/*}" },
        ] },
    });
    let gateway = gateway(json!({ "http_rules": document }));
    let exchange = gateway.request(Request::get("/v2/echo/x"));
    assert_eq!(
        call_of(&exchange),
        ("Echo/Query".to_owned(), json!({ "stringValue": "x" }))
    );
    drop(exchange);
    for host in [Host::envoy as fn() -> Host, Host::kong] {
        let configuration = json!({ "proto": schema::PROTO, "http_rules": document });
        let log = host().load(&configuration.to_string()).unwrap().log();
        let passed_over = "Info: http_rules.http.rules: passed over, since their services aren't served: \
                           google.longrunning.Operations.GetOperation";
        assert_eq!(log.first().map(String::as_str), Some(passed_over));
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place_and_what_was_expected() {
    let proto = schema::PROTO;
    let rule = |selector: &str, rule: Value| {
        let mut rule = rule;
        rule["selector"] = json!(selector);
        json!({ "proto": proto, "http_rules": [rule] })
    };
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({}), &["proto"]),
        (json!({ "proto": proto, "dispach": "auto" }), &["dispach", "dispatch"]),
        (
            json!({ "proto": proto, "json": { "add_whitspace": true } }),
            &["json.add_whitspace", "add_whitespace"],
        ),
        (json!({ "proto": proto, "dispatch": 3 }), &["dispatch", "in_place"]),
        (
            json!({ "proto": proto, "dispatch": "both" }),
            &["dispatch", "both", "in_place"],
        ),
        (
            json!({ "proto": proto, "auto_mapping": "yes" }),
            &["auto_mapping", "true"],
        ),
        (
            json!({ "proto": proto, "upstream": { "timeout": "soon" } }),
            &["upstream.timeout", "soon"],
        ),
        (
            json!({ "proto": proto, "services": ["test.everything.Ecko"] }),
            &["services[0]", "test.everything.Ecko"],
        ),
        (
            json!({ "proto": proto, "protos": { "a.proto": proto } }),
            &["proto", "protos"],
        ),
        (
            json!({ "proto": proto, "descriptor_set": "CgA=" }),
            &["proto", "descriptor_set"],
        ),
        (json!({ "descriptor_set": "%%%" }), &["descriptor_set", "base64"]),
        (
            json!({ "proto": "syntax = \"proto3\";\nmessage M { string name 1; }" }),
            &["service.proto:2:25"],
        ),
        (
            json!({ "proto": "syntax = \"proto3\";\nmessage M {" }),
            &["service.proto:2"],
        ),
        (
            json!({ "proto": "syntax = \"proto3\";\nmessage M { Missing m = 1; }" }),
            &["service.proto:2:13", "Missing"],
        ),
        (
            json!({ "proto": "syntax = \"proto3\";\nmessage M {}\nservice S { rpc R(M) returns (M) { option (google.api.http).get = \"/\"; } }" }),
            &[
                "service.proto:3:36",
                "google.api.http",
                "google/api/annotations.proto, which is not imported",
            ],
        ),
        (
            json!({ "protos": { "google/type/mine.proto": "syntax = \"proto3\"; import \"other.proto\"; message M { Other o = 1; }" } }),
            &[
                "mine.proto:1:54",
                "Other",
                "other.proto",
                "(given: google/type/mine.proto;",
            ],
        ),
        (
            json!({ "protos": {
                "google/protobuf/timestamp.proto": "syntax = \"proto3\"; package google.protobuf; message Timestamp { string text = 1; }"
            } }),
            &[
                "google/protobuf/timestamp.proto",
                "google.protobuf.Timestamp",
                "field 1",
            ],
        ),
        (
            json!({ "proto": proto, "http_rules": { "http": { "rules": [
                { "selector": "test.everything.Echo.Post", "get": "/x/{nope}" },
            ] } } }),
            &["http_rules.http.rules[0].get", "nope"],
        ),
        (
            rule("test.everything.Nothing.Pong", json!({ "get": "/x" })),
            &["http_rules[0]", "test.everything.Nothing.Pong"],
        ),
        (
            rule("test.everything.Echo.Post", json!({ "get": "/x/{nope}" })),
            &["http_rules[0]", "nope"],
        ),
        (
            rule("test.everything.Echo.Post", json!({ "get": "/x/{child}" })),
            &["http_rules[0]", "child"],
        ),
        (
            rule("test.everything.Echo.Post", json!({ "get": "/x/{strings}" })),
            &["http_rules[0]", "strings"],
        ),
        (
            rule("test.everything.Echo.Post", json!({ "get": "/x/{a" })),
            &["http_rules[0]", "/x/{a"],
        ),
        (
            rule("test.everything.Echo.Post", json!({ "post": "/x", "body": "nope" })),
            &["http_rules[0]", "nope"],
        ),
        (
            rule(
                "test.everything.Echo.Post",
                json!({ "get": "/x", "response_body": "nope" }),
            ),
            &["http_rules[0]", "nope"],
        ),
        (
            rule("test.everything.Echo.*", json!({ "get": "/x/{string_value}" })),
            &["http_rules[0]", "test.everything.Echo."],
        ),
        (
            rule(
                "test.everything.Echo.Post",
                json!({ "get": "/v1/paths/{string_value}" }),
            ),
            &["test.everything.Echo.Post", "test.everything.Paths.Single"],
        ),
    ];
    for (configuration, expected) in cases {
        let refused = Host::envoy().load(&configuration.to_string()).err();
        let mut shown = configuration.clone();
        if shown["proto"] == json!(proto) {
            shown["proto"] = json!("everything.proto");
        }
        let refused = refused.unwrap_or_else(|| panic!("accepted: {shown}"));
        assert_eq!(refused.trap, None, "{shown}");
        let log = refused.log.join("\n");
        for part in expected {
            assert!(log.contains(part), "{shown}\nsays nothing of {part:?}:\n{log}");
        }
    }
}

#[test]
fn all_that_is_wrong_is_in_the_log_and_clients_are_told_the_first() {
    let configuration = json!({
        "proto": schema::PROTO,
        "limits": { "max_request_bytes": "4MiB" },
        "http_rules": [
            { "selector": "test.everything.Echo.Post", "get": "/x/{strings}", "body": "chld" },
            { "selector": "test.everything.Echo.Pst", "get": "/y" },
        ],
    });
    let expected = [
        "configuration: limits.max_request_bytes: expected a whole number of bytes",
        "configuration: http_rules[1].selector: `test.everything.Echo.Pst` selects no method: did you mean",
        "configuration: http_rules[0].get: test.everything.Echo.Post: path `/x/{strings}`, variable `strings`: expected",
        "configuration: http_rules[0].body: test.everything.Echo.Post: `test.everything.Everything` has no field `chld`",
    ];
    let refused = Host::envoy().load(&configuration.to_string()).err().unwrap();
    let gateway = Host::kong().load(&configuration.to_string()).unwrap();
    for log in [refused.log, gateway.log()] {
        assert_eq!(log.len(), expected.len(), "{log:#?}");
        for (line, expected) in log.iter().zip(expected) {
            assert!(line.contains(expected), "{expected}\n{log:#?}");
        }
    }
    let answer = gateway.request(Request::post("/v1/echo").json("{}")).answer();
    assert_eq!(answer.status(), 500);
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(expected[0]), "{message}");
    assert!(message.ends_with("(3 more problems are in the log)"), "{message}");
}

#[test]
fn a_selector_alone_takes_the_methods_annotation_away() {
    let gateway = gateway(json!({ "http_rules": [{ "selector": "test.everything.Echo.Query" }] }));
    // The path has another method's rule too.
    let taken = gateway.request(Request::get("/v1/echo")).answer();
    assert_eq!((taken.status(), taken.headers.get("allow")), (405, Some("POST")));
    works(&gateway);
}

#[test]
fn what_is_neither_json_nor_a_struct_is_refused() {
    for bytes in [
        &b""[..],
        b"proto",
        b"{",
        b"[]",
        b"\x0a\xff\xff",
        b"\xff",
        b"{\"proto\": \"\xff\"}",
    ] {
        let refused = Host::envoy()
            .load_bytes(bytes)
            .err()
            .unwrap_or_else(|| panic!("accepted: {bytes:?}"));
        assert_eq!(refused.trap, None, "{bytes:?}");
        assert!(
            refused
                .log
                .iter()
                .any(|line| line.starts_with("Error") || line.starts_with("Critical")),
            "{bytes:?}"
        );
    }
}

#[test]
fn proto_text_may_be_as_long_as_the_limit_and_no_longer() {
    let service = r#"syntax = "proto3"; package a; message M {} service S { rpc Do(M) returns (M); }"#;
    let padded = |length: usize| {
        let text = format!("{service}\n//{}", " ".repeat(length - service.len() - 3));
        assert_eq!(text.len(), length);
        json!({ "proto": text }).to_string()
    };
    assert!(Host::envoy().load(&padded(1_048_576)).is_ok());
    let refused = Host::envoy()
        .load(&padded(1_048_577))
        .err()
        .expect("one byte more is refused");
    let log = refused.log.join("\n");
    assert!(log.contains("1048576") || log.contains("1,048,576"), "{log}");
    assert!(log.contains("1048577") || log.contains("1,048,577"), "{log}");
}
