mod hooks;
mod problems;

use std::time::Duration;

use base64::Engine as _;
use log::LevelFilter;
use prost::Message;
use prost_types::{ListValue, Struct, value::Kind};
use serde_json::{Map, Value, json};

use super::keys::{KEYS, Kind as KeyKind, MAX_SIZE};
use super::*;
use crate::codec::{ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields};
use crate::grpc::ErrorFormat;
use crate::http::stream_format::StreamFormat;
use crate::routing::{QueryOptions, UnknownParameters};
use crate::schema::{Schema, Source};

const PROTO: &str = r#"syntax = "proto3";
package shop;
message Book { string name = 1; Book child = 2; }
service Books { rpc Get(Book) returns (Book); rpc Put(Book) returns (Book); }
service Authors { rpc Get(Book) returns (Book); }
"#;

fn load(configuration: Value) -> Result<Plugin, ConfigErrors> {
    Plugin::load(configuration.to_string().as_bytes(), 7)
}

fn with(keys: Value) -> Value {
    let mut configuration = json!({ "proto": PROTO });
    configuration
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    configuration
}

/// The error that `PROTO` with these keys gives, without the `configuration: ` before it.
fn error_with(keys: Value) -> String {
    let error = load(with(keys)).unwrap_err().to_string();
    error.strip_prefix("configuration: ").unwrap().to_owned()
}

fn text_error(text: &[u8]) -> String {
    Plugin::load(text, 7).unwrap_err().to_string()
}

#[test]
fn a_proto_alone_is_enough_and_the_rest_has_its_documented_defaults() {
    let plugin = load(json!({ "proto": PROTO })).unwrap();
    assert_eq!(
        plugin.settings,
        Settings {
            dispatch: Dispatch::InPlace,
            bodyless: Dispatch::InPlace,
            native_grpc: NativeGrpc::PassThrough,
            upstream: Upstream {
                cluster: None,
                authority: None,
                timeout: None,
                grpc_web: false,
                connect_bridge: false,
                bridge_bodies: false,
            },
            hold_headers: None,
            unmatched: Unmatched::Reject,
            parse: ParseOptions::default(),
            print: PrintOptions::default(),
            query: QueryOptions::default(),
            update_mask_from_body: true,
            errors: ErrorFormat::Status,
            streaming: Streaming {
                default: StreamFormat::Array,
                timeout: None,
            },
            metrics: None,
            access_log: false,
            log_level: LevelFilter::Info,
            limits: Limits {
                max_proto_bytes: 1 << 20,
                max_schema_bytes: 16 << 20,
                max_request_bytes: 32 << 20,
                max_response_bytes: 32 << 20,
                max_message_bytes: 16 << 20,
                max_total_bytes: 512 << 20,
            },
        }
    );
}

fn everything() -> Value {
    with(json!({
        "services": ["shop.Books"],
        "http_rules": [{
            "selector": "shop.Books.Get",
            "get": "/books/{name}",
            "response_body": "child",
            "additional_bindings": [
                { "custom": { "kind": "SEARCH", "path": "/books" }, "body": "*" },
                { "post": "/books" },
            ],
        }],
        "auto_mapping": false,
        "dispatch": "call",
        "bodyless": "call",
        "native_grpc": "served",
        "upstream": { "cluster": "c", "authority": "a", "timeout": "1.5s", "grpc_web": false, "connect_bridge": false },
        "hold_headers": false,
        "success_status": [{ "selector": "shop.Books.Put", "status": 201 }],
        "unmatched": "pass_through",
        "json": {
            "always_print_fields_with_no_presence": true,
            "always_print_enums_as_ints": true,
            "preserve_proto_field_names": true,
            "unquote_int64_if_possible": true,
            "add_whitespace": true,
            "unknown_fields": "reject",
            "unknown_enum_names": "ignore",
            "case_insensitive_enums": true,
            "strip_enum_prefix": true,
        },
        "query": { "unknown": "reject", "ignored": ["key", "api_key"] },
        "update_mask_from_body": false,
        "errors": { "format": "google" },
        "streaming": { "default": "sse", "timeout": "60s" },
        "metrics": false,
        "access_log": true,
        "log_level": "debug",
        "limits": {
            "max_proto_bytes": 2000,
            "max_schema_bytes": 7,
            "max_request_bytes": 3,
            "max_response_bytes": 4,
            "max_message_bytes": 5,
            "max_total_bytes": 6,
        },
    }))
}

fn everything_read() -> Settings {
    Settings {
        dispatch: Dispatch::Call,
        bodyless: Dispatch::Call,
        native_grpc: NativeGrpc::Served,
        upstream: Upstream {
            cluster: Some("c".to_owned()),
            authority: Some("a".to_owned()),
            timeout: Some(Duration::from_millis(1500)),
            grpc_web: false,
            connect_bridge: false,
            bridge_bodies: false,
        },
        hold_headers: Some(false),
        unmatched: Unmatched::PassThrough,
        parse: ParseOptions {
            unknown_fields: UnknownFields::Reject,
            unknown_enum_names: UnknownEnumNames::Ignore,
            case_insensitive_enums: true,
            ..ParseOptions::default()
        },
        print: PrintOptions {
            always_print_fields_with_no_presence: true,
            always_print_enums_as_ints: true,
            unquote_int64_if_possible: true,
            add_whitespace: true,
        },
        query: QueryOptions {
            unknown: UnknownParameters::Reject,
            ignored: ["key".to_owned(), "api_key".to_owned()].into(),
        },
        update_mask_from_body: false,
        errors: ErrorFormat::Google,
        streaming: Streaming {
            default: StreamFormat::Sse,
            timeout: Some(Duration::from_secs(60)),
        },
        metrics: Some(false),
        access_log: true,
        log_level: LevelFilter::Debug,
        limits: Limits {
            max_proto_bytes: 2000,
            max_schema_bytes: 7,
            max_request_bytes: 3,
            max_response_bytes: 4,
            max_message_bytes: 5,
            max_total_bytes: 6,
        },
    }
}

#[test]
fn every_key_reaches_its_setting() {
    assert_eq!(load(everything()).unwrap().settings, everything_read());
}

#[test]
fn every_choice_of_every_key_is_read_as_something_else() {
    for key in KEYS {
        let KeyKind::Choice(choices) = key.kind else { continue };
        // Those of hooks are no settings: see `hooks`.
        if key.path.contains("[]") {
            continue;
        }
        let mut seen = Vec::new();
        for choice in choices {
            let value = match key.path.split_once('.') {
                Some((parent, name)) => json!({ parent: { name: choice } }),
                None => json!({ key.path: choice }),
            };
            let settings = load(with(value)).unwrap().settings;
            assert!(!seen.contains(&settings), "{} {choice}", key.path);
            seen.push(settings);
        }
    }
}

#[test]
fn the_table_of_keys_has_every_parent_and_only_defaults_of_the_right_kind() {
    for key in KEYS {
        if let Some((parent, _)) = key.path.rsplit_once('.') {
            let parent = parent.strip_suffix("[]").unwrap_or(parent);
            assert!(KEYS.iter().any(|key| key.path == parent), "{}", key.path);
        }
        assert!(key.about.ends_with('.'), "{}", key.path);
        assert_eq!(KEYS.iter().filter(|other| other.path == key.path).count(), 1);
        let Some(default) = key.default else { continue };
        let default: Value = serde_json::from_str(default).unwrap();
        if !key.path.contains("[]") {
            let configuration = match key.path.split_once('.') {
                Some((parent, name)) => json!({ parent: { name: default } }),
                None => json!({ key.path: default }),
            };
            assert_eq!(
                load(with(configuration)).unwrap().settings,
                load(with(json!({}))).unwrap().settings
            );
        }
    }
}

#[test]
fn an_empty_list_may_be_an_empty_object() {
    let binding =
        |more: Value| json!({ "selector": "shop.Books.Get", "get": "/v9/{name}", "additional_bindings": more });
    for (key, empty, list) in [
        ("http_rules", json!({}), json!([])),
        ("query", json!({ "ignored": {} }), json!({ "ignored": [] })),
        ("http_rules", json!([binding(json!({}))]), json!([binding(json!([]))])),
    ] {
        let settings = |value: Value| load(with(json!({ key: value }))).map(|plugin| plugin.settings);
        assert_eq!(settings(empty).unwrap(), settings(list).unwrap(), "{key}");
    }
}

#[test]
fn each_wrong_configuration_has_an_error_that_names_its_key() {
    let cases = [
        (
            json!({ "servces": [] }),
            "servces: unknown key; did you mean \"services\"? (known here: proto, protos, \
          descriptor_set, services, http_rules, base_path, auto_mapping, dispatch, bodyless, native_grpc, upstream, hold_headers, success_status, transforms, unmatched, \
          json, query, update_mask_from_body, errors, streaming, hooks, openapi, metrics, access_log, log_level, limits)",
        ),
        (
            json!({ "limits": { "max_body_bytes": 1 } }),
            "limits.max_body_bytes: unknown key; did you mean \
          \"max_proto_bytes\"? (known here: max_proto_bytes, max_schema_bytes, max_request_bytes, max_response_bytes, max_message_bytes, \
          max_total_bytes)",
        ),
        (
            json!({ "timeout": "1s" }),
            "timeout: unknown key; did you mean \"upstream.timeout\"? (known here: proto, \
          protos, descriptor_set, services, http_rules, base_path, auto_mapping, dispatch, bodyless, native_grpc, upstream, hold_headers, success_status, transforms, unmatched, \
          json, query, update_mask_from_body, errors, streaming, hooks, openapi, metrics, access_log, log_level, limits)",
        ),
        (
            json!({ "query": { "xyz": 1 } }),
            "query.xyz: unknown key (known here: unknown, ignored)",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "gett": "/" }] }),
            "http_rules[0].gett: unknown key; did you mean \
          \"get\"? (known here: selector, get, put, post, delete, patch, custom, body, response_body, \
          additional_bindings)",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "custom": { "knd": "X" } }] }),
            "http_rules[0].custom.knd: unknown \
          key; did you mean \"kind\"? (known here: kind, path)",
        ),
        (
            json!({ "dispatch": "in-place" }),
            "dispatch: expected \"in_place\" or \"call\", but found \
          \"in-place\"; did you mean \"in_place\"?",
        ),
        (
            json!({ "dispatch": 1 }),
            "dispatch: expected \"in_place\" or \"call\", but found 1",
        ),
        (
            json!({ "unmatched": null }),
            "unmatched: expected \"reject\" or \"pass_through\", but found null",
        ),
        (
            json!({ "base_path": "api" }),
            "base_path: expected a path such as \"/api\" that begins with a slash, ends without one, and has no \
             variables, wildcards, verb or query, but found \"api\"",
        ),
        (
            json!({ "base_path": "/api/" }),
            "base_path: expected a path such as \"/api\" that begins with a slash, ends without one, and has no \
             variables, wildcards, verb or query, but found \"/api/\"",
        ),
        (
            json!({ "base_path": "/{tenant}" }),
            "base_path: expected a path such as \"/api\" that begins with a slash, ends without one, and has no \
             variables, wildcards, verb or query, but found \"/{tenant}\"",
        ),
        (
            json!({ "base_path": "/api?x" }),
            "base_path: expected a path such as \"/api\" that begins with a slash, ends without one, and has no \
             variables, wildcards, verb or query, but found \"/api?x\"",
        ),
        (
            json!({ "base_path": "/" }),
            "base_path: expected a path such as \"/api\" that begins with a slash, ends without one, and has no \
             variables, wildcards, verb or query, but found \"/\"",
        ),
        (json!({ "base_path": 1 }), "base_path: expected a string, but found 1"),
        (
            json!({ "auto_mapping": "yes" }),
            "auto_mapping: expected true, false or \"auto\", but found \"yes\"",
        ),
        (
            json!({ "auto_mapping": "true" }),
            "auto_mapping: expected true, false or \"auto\", but found \"true\"",
        ),
        (
            json!({ "hold_headers": "true" }),
            "hold_headers: expected true, false or \"auto\", but found \"true\"",
        ),
        (
            json!({ "upstream": [] }),
            "upstream: expected an object, but found a list",
        ),
        (
            json!({ "upstream": { "cluster": "" } }),
            "upstream.cluster: expected a string that isn't empty, but found an \
          empty string",
        ),
        (
            json!({ "upstream": { "timeout": 15 } }),
            "upstream.timeout: expected a duration in seconds such as \"15s\" or \
          \"0.5s\", from \"0.001s\" to \"2147483s\", but found 15",
        ),
        (
            json!({ "services": "shop.Books" }),
            "services: expected a list of strings, but found \"shop.Books\"",
        ),
        (
            json!({ "services": {} }),
            "services: expected at least one service, but found an empty list; without the key, all of the schema are served",
        ),
        (
            json!({ "services": [] }),
            "services: expected at least one service, but found an empty list; without the key, all of the schema are served",
        ),
        (
            json!({ "services": ["shop.Books", 2] }),
            "services[1]: expected a string that isn't empty, but found 2",
        ),
        (
            json!({ "services": ["shop.Boks"] }),
            "services[0]: expected a service of the schema, but found \"shop.Boks\"; \
          did you mean \"shop.Books\"? (services: shop.Authors, shop.Books)",
        ),
        (
            json!({ "services": ["shop.Books", "shop.Books"] }),
            "services[1]: the service shop.Books is listed twice: leave one of them out",
        ),
        (
            json!({ "limits": { "max_request_bytes": 0 } }),
            "limits.max_request_bytes: expected a whole number of bytes \
          from 1 to 1073741824, but found 0",
        ),
        (
            json!({ "limits": { "max_request_bytes": -5 } }),
            "limits.max_request_bytes: expected a whole number of bytes \
          from 1 to 1073741824, but found -5",
        ),
        (
            json!({ "limits": { "max_request_bytes": 1.5 } }),
            "limits.max_request_bytes: expected a whole number of bytes \
          from 1 to 1073741824, but found 1.5",
        ),
        (
            json!({ "limits": { "max_request_bytes": 1_073_741_825 } }),
            "limits.max_request_bytes: expected a whole \
          number of bytes from 1 to 1073741824, but found 1073741825",
        ),
        (
            json!({ "limits": { "max_request_bytes": "4MiB" } }),
            "limits.max_request_bytes: expected a whole number of \
          bytes from 1 to 1073741824, but found \"4MiB\"",
        ),
        (
            json!({ "limits": { "max_proto_bytes": 10 } }),
            "proto: expected at most 10 bytes of .proto text \
          (limits.max_proto_bytes), but found 211",
        ),
        (
            json!({ "query": { "ignored": ["a", ""] } }),
            "query.ignored[1]: expected a string that isn't empty, but found \
          an empty string",
        ),
        (
            json!({ "errors": { "format": "json" } }),
            "errors.format: expected \"status\" or \"google\" or \"problem\", but found \"json\"",
        ),
        (
            json!({ "protos": {} }),
            "expected a schema, in exactly one of proto, protos, descriptor_set, but found proto \
          and protos",
        ),
        (
            json!({ "http_rules": { "get": "/v1/books" } }),
            "http_rules: expected a list of rules or a service configuration, but found a rule by itself: put it in a list",
        ),
        (
            json!({ "http_rules": [1] }),
            "http_rules[0]: expected an object, but found 1",
        ),
        (
            json!({ "http_rules": [{ "get": "/" }] }),
            "http_rules[0].selector: expected the full name of a method, but \
          found nothing",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "body": "*" }] }),
            "http_rules[0]: expected exactly one of get, put, \
          post, delete, patch, custom, but found none",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "get": "/a", "custom": { "kind": "X", "path": "/" } }] }),
            "http_rules[0]: expected exactly one of get, put, post, delete, patch, custom, but found get and custom",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "custom": { "kind": "X" } }] }),
            "http_rules[0].custom.path: expected a string, but found nothing",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "get": "/a", "additional_bindings": [{ "get": "/b" },
          { "selector": "x", "get": "/c" }] }] }),
            "http_rules[0].additional_bindings[1].selector: unexpected key: the \
          selector of the rule around it holds",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "get": "/a", "additional_bindings":
          [{ "get": "/b", "additional_bindings": [] }] }] }),
            "http_rules[0].additional_bindings[0].additional_bindings: \
          unexpected key: additional bindings nest no deeper; give them all to the rule itself",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "get": "/a", "additional_bindings": [{}] }] }),
            "http_rules[0].additional_bindings[0]: expected exactly one of get, put, post, delete, patch, custom, but \
          found none",
        ),
        (
            json!({ "http_rules": [{ "selector": "shop.Books.Get", "get": "/a", "body": 1 }] }),
            "http_rules[0].body: \
          expected a string, but found 1",
        ),
        (
            json!({ "proto": 1 }),
            "proto: expected a string that isn't empty, but found 1",
        ),
        (
            json!({ "proto": "syntax = \"proto3\";\nmessage M {" }),
            "proto: service.proto:2:12: expected a message field, \
          oneof, reserved range, enum, message, option or '}', but reached end of file, in `message M {`",
        ),
        (
            json!({ "proto": "syntax = \"proto3\"; message M {}" }),
            "proto: expected at least one service, but the schema \
          has none",
        ),
    ];
    for (keys, expected) in cases {
        assert_eq!(error_with(keys.clone()), expected, "{keys}");
    }
}

const SHELVES: &str = r#"syntax = "proto3";
package shop;
message Book { string name = 1; }
service Books { rpc Get(Book) returns (Book); rpc Put(Book) returns (Book); rpc Watch(Book) returns (stream Book); }
"#;

#[test]
fn the_last_rule_that_selects_a_method_gives_its_success_status() {
    let statuses = |rules: Value| {
        let plugin = load(json!({ "proto": SHELVES, "success_status": rules })).unwrap();
        ["Get", "Put", "Watch"].map(|name| {
            let path = format!("/shop.Books/{name}");
            match plugin.router.find("POST", path.as_bytes(), &mut Default::default()) {
                crate::routing::Match::Route(route) => plugin.success_statuses.of(&route.method),
                other => panic!("{other:?}"),
            }
        })
    };
    let rule = |selector: &str, status: Value| json!({ "selector": selector, "status": status });
    for (rules, expected) in [
        (json!([]), [200, 200, 200]),
        (json!({}), [200, 200, 200]),
        (json!([rule("shop.Books.Put", json!(201))]), [200, 201, 200]),
        (json!([rule("shop.Books.Put", json!(204.0))]), [200, 204, 200]),
        (
            json!([rule("shop.*", json!(202)), rule("shop.Books.Get", json!(200))]),
            [200, 202, 202],
        ),
        (
            json!([rule("shop.Books.*", json!(204)), rule("shop.Books.Watch", json!(299))]),
            [204, 204, 299],
        ),
    ] {
        assert_eq!(statuses(rules.clone()), expected, "{rules}");
    }
}

#[test]
fn errors_of_success_status_name_the_rule() {
    for (rule, expected) in [
        (
            json!({ "status": 201 }),
            "selector: expected the full name of a method, but found nothing",
        ),
        (
            json!({ "selector": "shop.Books.Get" }),
            "status: expected a whole number from 200 to 299, but found nothing",
        ),
        (
            json!({ "selector": "shop.Books.Get", "status": 304 }),
            "status: expected a whole number from 200 to 299, but found 304",
        ),
        (
            json!({ "selector": "shop.Books.Get", "status": "201" }),
            "status: expected a whole number from 200 to 299, but found \"201\"",
        ),
        (
            json!({ "selector": "shop.Books.Gte", "status": 201 }),
            "selector: `shop.Books.Gte` selects no method: did you mean `shop.Books.Get`?",
        ),
        (
            json!({ "selector": "store.*", "status": 201 }),
            "selector: `store.*` selects no method: expected the full name of a method of the configured services, \
             `package.Service.Method`, or such a name's beginning with `.*` after it",
        ),
        (
            json!({ "selector": "shop.Books.*", "status": 205 }),
            "status: expected a status with content for shop.Books.Watch, which streams its response, but found 205; a \
             later rule may give this method another",
        ),
    ] {
        let rules = json!([{ "selector": "shop.Books.Get", "status": 202 }, rule]);
        let error = load(json!({ "proto": SHELVES, "success_status": rules })).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("configuration: success_status[1].{expected}")
        );
    }
}

#[test]
fn errors_of_the_router_name_the_rule() {
    for (rule, key) in [
        (
            json!({ "selector": "shop.Books.Nothing", "get": "/" }),
            "http_rules[0].selector: ",
        ),
        (
            json!({ "selector": "shop.Books.Get", "get": "/{nme}" }),
            "http_rules[0].get: ",
        ),
        (
            json!({ "selector": "shop.Books.Get", "custom": { "kind": "REPORT", "path": "/{nme}" } }),
            "http_rules[0].custom.path: ",
        ),
        (
            json!({ "selector": "shop.Books.Get", "get": "/", "body": "nothing" }),
            "http_rules[0].body: ",
        ),
        (
            json!({ "selector": "shop.Books.Get", "get": "/", "response_body": "nothing" }),
            "http_rules[0].response_body: ",
        ),
        (
            json!({
                "selector": "shop.Books.Get",
                "get": "/",
                "additional_bindings": [{ "put": "/x", "body": "nothing" }],
            }),
            "http_rules[0].additional_bindings[0].body: ",
        ),
        (
            json!({ "selector": "shop.Books.Get", "get": "" }),
            "http_rules[0].get: ",
        ),
    ] {
        let error = error_with(json!({ "http_rules": [rule] }));
        assert!(error.starts_with(key), "{error}");
    }
}

#[test]
fn several_files_and_descriptor_sets_are_schemas_too() {
    let protos = json!({ "protos": {
        "a/b.proto": "syntax = \"proto3\"; import \"c.proto\"; service S { rpc R(C) returns (C); }",
        "c.proto": "syntax = \"proto3\"; message C {}",
    } });
    load(protos.clone()).unwrap();
    let mut wrong = protos;
    wrong["protos"]["c.proto"] = json!("syntax = \"proto3\"; message D {}");
    assert_eq!(
        load(wrong.clone()).unwrap_err().to_string(),
        "configuration: protos: a/b.proto:1:56: 'C' is not defined, expected a message type"
    );
    wrong["protos"]["c.proto"] = json!(null);
    assert_eq!(
        load(wrong).unwrap_err().to_string(),
        "configuration: protos[\"c.proto\"]: expected a string, but found null"
    );

    let set = Schema::compile(Source::Proto(PROTO), 1 << 20)
        .unwrap()
        .pool()
        .encode_to_vec();
    let standard = base64::engine::general_purpose::STANDARD.encode(&set);
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&set);
    let wrapped: String = standard.as_bytes().chunks(76).fold(String::new(), |lines, line| {
        format!("{lines}{}\r\n  ", std::str::from_utf8(line).unwrap())
    });
    for text in [standard, url_safe, wrapped] {
        load(json!({ "descriptor_set": text })).unwrap();
    }
    let error = |text: &str| load(json!({ "descriptor_set": text })).unwrap_err().to_string();
    assert_eq!(
        error("@@@"),
        "configuration: descriptor_set: expected base64, but found other text (Invalid symbol 64, offset 0.)"
    );
    assert!(error("YWJj").starts_with("configuration: descriptor_set: expected a serialized google.protobuf."));
}

#[test]
fn durations_are_read_as_protobuf_writes_them() {
    for (text, expected) in [
        ("15s", Some(Duration::from_secs(15))),
        ("0.5s", Some(Duration::from_millis(500))),
        ("0.001s", Some(Duration::from_millis(1))),
        ("1.000000001s", Some(Duration::new(1, 1))),
        ("2147483s", Some(Duration::from_secs(2_147_483))),
        ("2147484s", None),
        ("0.0009s", None),
        ("0s", None),
        ("0.000s", None),
        ("-1s", None),
        ("+1s", None),
        ("1", None),
        ("1 s", None),
        ("1m", None),
        (".5s", None),
        ("1.s", None),
        ("1.0000000001s", None),
        ("1e3s", None),
        ("s", None),
        ("99999999999999999999s", None),
    ] {
        let loaded = load(with(json!({ "upstream": { "timeout": text } })));
        assert_eq!(
            loaded.ok().and_then(|plugin| plugin.settings.upstream.timeout),
            expected,
            "{text}"
        );
    }
}

#[test]
fn services_may_also_be_imported_ones() {
    let plugin = load(json!({
        "protos": {
            "a.proto": "syntax = \"proto3\"; package a; import \"b.proto\"; service S { rpc R(b.M) returns (b.M); }",
            "b.proto": "syntax = \"proto3\"; package b; message M {} service T { rpc R(M) returns (M); }",
        },
        "services": ["b.T"],
    }))
    .unwrap();
    let found = |path: &str| {
        matches!(
            plugin.router.find("POST", path.as_bytes(), &mut Default::default()),
            crate::routing::Match::Route(_)
        )
    };
    assert!(found("/b.T/R"));
    assert!(!found("/a.S/R"));
}

#[test]
fn text_that_is_no_object_is_an_error_that_says_what_it_is() {
    for (text, expected) in [
        (
            &b""[..],
            "configuration: expected a schema, in exactly one of proto, protos, descriptor_set, but found none",
        ),
        (
            b"{}",
            "configuration: expected a schema, in exactly one of proto, protos, descriptor_set, but found none",
        ),
        (
            b"[]",
            "configuration: expected a JSON object or a google.protobuf.Struct, but found a list",
        ),
        (
            b"\"{}\"",
            "configuration: expected a JSON object or a google.protobuf.Struct, but found \"{}\"",
        ),
        (
            b"proto: x",
            "configuration: expected a JSON object or a google.protobuf.Struct, but found other text: expected \
          value at line 1 column 1",
        ),
        (
            b"{\"proto\": 1,}",
            "configuration: expected a JSON object or a google.protobuf.Struct, but found other text: \
          trailing comma at line 1 column 13",
        ),
        (
            b"{\xff}",
            "configuration: expected a JSON object or a google.protobuf.Struct, but found bytes that are not \
          UTF-8 (invalid utf-8 sequence of 1 bytes from index 1)",
        ),
    ] {
        assert_eq!(text_error(text), expected, "{}", String::from_utf8_lossy(text));
    }
    let twice = |key: &str| format!("configuration: {key}: the key is there twice: leave one of them out");
    for (text, keys) in [
        (r#"{"dispatch": "call", "dispatch": "in_place"}"#, vec!["dispatch"]),
        (r#"{"limits": {"a": "\"}{", "\u0061": 1}}"#, vec!["limits.a"]),
        (
            r#"{"http_rules": [{"get": 1, "put": 2}, {"get": 1, "put": [3], "get": 2, "put": 4}], "http_rules": []}"#,
            vec!["http_rules[1].get", "http_rules[1].put", "http_rules"],
        ),
    ] {
        let errors = text_error(text.as_bytes());
        let doubled: Vec<_> = errors.lines().filter(|line| line.contains("twice")).collect();
        assert_eq!(doubled, keys.into_iter().map(twice).collect::<Vec<_>>(), "{errors}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(text_error(deep.as_bytes()).contains("recursion limit"));
}

/// The wire form that Envoy hands over.
fn struct_bytes(value: &Value) -> Vec<u8> {
    fn convert(value: &Value) -> prost_types::Value {
        let kind = match value {
            Value::Null => Kind::NullValue(0),
            Value::Bool(flag) => Kind::BoolValue(*flag),
            Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
            Value::String(text) => Kind::StringValue(text.clone()),
            Value::Array(values) => Kind::ListValue(ListValue {
                values: values.iter().map(convert).collect(),
            }),
            Value::Object(object) => Kind::StructValue(convert_object(object)),
        };
        prost_types::Value { kind: Some(kind) }
    }
    fn convert_object(object: &Map<String, Value>) -> Struct {
        Struct {
            fields: object
                .iter()
                .map(|(name, value)| (name.clone(), convert(value)))
                .collect(),
        }
    }
    convert_object(value.as_object().unwrap()).encode_to_vec()
}

#[test]
fn a_struct_means_what_the_same_json_means() {
    let bytes = struct_bytes(&everything());
    assert_eq!(bytes[0], 0x0a);
    assert_eq!(Plugin::load(&bytes, 7).unwrap().settings, everything_read());
    assert_eq!(
        text_error(&struct_bytes(&with(json!({ "limits": { "max_request_bytes": 1.5 } })))),
        "configuration: limits.max_request_bytes: expected a whole number of bytes from 1 to 1073741824, but found 1.5"
    );
    assert_eq!(
        text_error(&struct_bytes(&with(json!({ "http_rules": [{ "gett": null }] })))),
        "configuration: http_rules[0].gett: unknown key; did you mean \"get\"? (known here: selector, get, put, post, \
         delete, patch, custom, body, response_body, additional_bindings)"
    );
}

#[test]
fn a_struct_with_numbers_that_json_lacks_or_nested_too_deep_is_an_error() {
    let number = |number: f64| {
        let value = prost_types::Value {
            kind: Some(Kind::NumberValue(number)),
        };
        Struct {
            fields: [("limits".to_owned(), value)].into(),
        }
        .encode_to_vec()
    };
    assert_eq!(
        text_error(&number(f64::NAN)),
        "configuration: limits: expected a number that JSON can write, but found NaN"
    );
    assert_eq!(
        text_error(&number(7.0)),
        "configuration: limits: expected an object, but found 7\n\
         configuration: expected a schema, in exactly one of proto, protos, descriptor_set, but found none"
    );
    let mut deep = json!(1);
    for _ in 0..60 {
        deep = json!({ "limits": deep });
    }
    assert!(text_error(&struct_bytes(&deep)).contains("recursion limit"));
}

#[test]
fn json_text_may_begin_with_a_line_break_like_a_struct() {
    let text = format!("\n  {}\n", json!({ "proto": PROTO }));
    Plugin::load(text.as_bytes(), 7).unwrap();
    assert!(text_error(b"\n{\"proto\": ").contains("EOF while parsing"));
    assert!(text_error(b"\n\x05xy").contains("google.protobuf.Struct"));
}

#[test]
fn cut_or_changed_struct_bytes_never_panic() {
    let bytes = struct_bytes(&everything());
    for length in (0..bytes.len()).step_by(5) {
        let _ = Plugin::load(&bytes[..length], 7);
        let mut changed = bytes.clone();
        changed[length] ^= 0x41;
        let _ = Plugin::load(&changed, 7);
    }
}

#[test]
fn the_largest_size_fits_the_memory_of_a_module() {
    assert!(MAX_SIZE <= u64::from(u32::MAX) / 4 + 1);
}
