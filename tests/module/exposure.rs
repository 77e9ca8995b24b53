//! What a configuration exposes: which methods are served, to JSON and to native gRPC, and which requests go on untouched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protox::file::{File, FileResolver, GoogleFileResolver, IncludeFileResolver};
use serde_json::{Value, json};

use crate::harness::{Gateway, Host, Progress, Request};
use crate::kit::{call_of, error, gateway};
use crate::schema;

/// A service with a rule for one of its methods, and one without any.
const PROTO: &str = r#"
    syntax = "proto3"; package shop; import "google/api/annotations.proto";
    message M { string id = 1; }
    service Books {
      rpc Get(M) returns (M) { option (google.api.http) = { post: "/v1/books" body: "*" }; }
      rpc Purge(M) returns (M);
    }
    service Stock { rpc Count(M) returns (M); rpc Reset(M) returns (M); }
"#;

fn shop(more: Value) -> Gateway {
    let mut configuration = json!({ "proto": PROTO });
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    Host::envoy().load(&configuration.to_string()).unwrap()
}

/// Where a POST goes: to the path of a method, or to nothing.
fn post(gateway: &Gateway, path: &str) -> String {
    let exchange = gateway.request(Request::post(path).json("{}"));
    match exchange.progress() {
        Progress::WaitsForUpstream => exchange.forwarded().headers.get(":path").unwrap().to_owned(),
        _ => exchange.answer().status().to_string(),
    }
}

#[test]
fn only_a_service_without_any_rule_is_auto_mapped_unless_told_otherwise() {
    let paths = [
        "/v1/books",
        "/shop.Books/Get",
        "/shop.Books/Purge",
        "/shop.Stock/Count",
        "/shop.Stock/Reset",
    ];
    let [get, purge, count, reset] = [
        "/shop.Books/Get",
        "/shop.Books/Purge",
        "/shop.Stock/Count",
        "/shop.Stock/Reset",
    ];
    let rule = json!([{ "selector": "shop.Stock.Count", "post": "/v1/stock", "body": "*" }]);
    let cases = [
        (json!({}), [get, "404", "404", count, reset]),
        (json!({ "auto_mapping": "auto" }), [get, "404", "404", count, reset]),
        (json!({ "auto_mapping": true }), [get, get, purge, count, reset]),
        (json!({ "auto_mapping": false }), [get, "404", "404", "404", "404"]),
        (json!({ "http_rules": rule }), [get, "404", "404", "404", "404"]),
    ];
    for (more, expected) in cases {
        let gateway = shop(more.clone());
        assert_eq!(paths.map(|path| post(&gateway, path)), expected, "{more}");
    }
}

#[test]
fn auto_mapping_takes_the_whole_message_as_body_beside_the_rules() {
    let gateway = gateway(json!({ "auto_mapping": true }));
    for method in ["Echo/Unannotated", "Echo/Post", "Echo/Query"] {
        let request = Request::post(&format!("/test.everything.{method}")).json(r#"{"int32Value": 7}"#);
        assert_eq!(
            call_of(&gateway.request(request)),
            (method.to_owned(), json!({ "int32Value": 7 }))
        );
    }
    let exchange = gateway.request(Request::get("/test.everything.Echo/Query"));
    assert_eq!(error(&exchange).0, 405);
}

#[test]
fn services_of_google_are_served_only_where_they_are_named() {
    let operations = r#"syntax = "proto3"; package google.longrunning; import "google/api/annotations.proto";
        message M {}
        service Operations { rpc List(M) returns (M) { option (google.api.http) = { post: "/v1/operations" body: "*" }; } }"#;
    let own = |package: &str| {
        format!(
            r#"syntax = "proto3"; {package} import "google/longrunning/operations.proto";
            service S {{ rpc Do(.google.longrunning.M) returns (.google.longrunning.M); }}"#
        )
    };
    let texts = |package: &str| json!({ "protos": { "own.proto": own(package), "google/longrunning/operations.proto": operations } });
    let set = |package: &str| {
        let mut compiler = protox::Compiler::with_file_resolver(Texts(vec![
            ("own.proto", own(package)),
            ("google/longrunning/operations.proto", operations.to_owned()),
        ]));
        compiler.include_imports(true).open_file("own.proto").unwrap();
        json!({ "descriptor_set": STANDARD.encode(compiler.encode_file_descriptor_set()) })
    };
    for (package, service) in [
        ("package shop;", "shop.S"),
        ("package googles;", "googles.S"),
        ("package shop.google;", "shop.google.S"),
        ("", "S"),
    ] {
        for schema in [texts(package), set(package)] {
            let path = format!("/{service}/Do");
            let gateway = Host::envoy().load(&schema.to_string()).unwrap();
            assert_eq!(post(&gateway, &path), path);
            assert_eq!(post(&gateway, "/v1/operations"), "404", "{service}");
            let mut named = schema;
            named["services"] = json!([service, "google.longrunning.Operations"]);
            let gateway = Host::envoy().load(&named.to_string()).unwrap();
            assert_eq!(post(&gateway, &path), path);
            assert_eq!(post(&gateway, "/v1/operations"), "/google.longrunning.Operations/List");
        }
    }
    for package in ["package google;", "package google.a.b;"] {
        for schema in [texts(package), set(package)] {
            let refused = Host::envoy()
                .load(&schema.to_string())
                .err()
                .expect("nothing is served");
            let log = refused.log.join("\n");
            assert!(log.contains("`services`") && log.contains("google.*"), "{log}");
        }
    }
}

/// Files by name, and Google's.
struct Texts(Vec<(&'static str, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(own, _)| *own == name) {
            Some((_, text)) => File::from_source(name, text),
            None => match GoogleFileResolver::new().open_file(name) {
                Ok(file) => Ok(file),
                Err(_) => IncludeFileResolver::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema/bundled").into())
                    .open_file(name),
            },
        }
    }
}

#[test]
fn a_base_path_is_in_front_of_rules_and_auto_mapping_and_not_of_native_grpc() {
    for policy in ["pass_through", "served"] {
        let gateway = shop(json!({ "base_path": "/api", "native_grpc": policy }));
        for (path, method) in [
            ("/api/v1/books", "/shop.Books/Get"),
            ("/api/shop.Stock/Count", "/shop.Stock/Count"),
        ] {
            let exchange = gateway.request(Request::post(path).json("{}"));
            assert_eq!(exchange.forwarded().headers.get(":path"), Some(method), "{path}");
        }
        for path in ["/v1/books", "/shop.Stock/Count", "/api", "/api/", "/api/api/v1/books"] {
            let exchange = gateway.request(Request::post(path).json("{}"));
            assert_eq!(exchange.answer().status(), 404, "{path}");
        }
        let exchange = gateway.request(Request::get("/api/v1/books"));
        assert_eq!(exchange.answer().status(), 405);
        let native = Request::post("/shop.Stock/Count").header("content-type", "application/grpc");
        let exchange = gateway.request(native.body("frame"));
        assert_eq!(exchange.forwarded().headers.get(":path"), Some("/shop.Stock/Count"));
    }
    let gateway = shop(json!({ "base_path": "/api", "unmatched": "pass_through" }));
    let exchange = gateway.request(Request::post("/v1/books").json("{}"));
    assert_eq!(exchange.forwarded().headers.get(":path"), Some("/v1/books"));
}

#[test]
fn native_grpc_may_be_kept_to_what_is_served_on_either_host() {
    let call = |gateway: &Gateway, path: &str, content_type: &str, length: Option<&str>| {
        let exchange = gateway.request(
            Request::post(path)
                .header("content-type", content_type)
                .body("\0\0\0\0\0"),
        );
        match exchange.progress() {
            Progress::WaitsForUpstream => {
                let forwarded = exchange.forwarded();
                assert_eq!(forwarded.headers.get(":path"), Some(path));
                assert_eq!(forwarded.chunks.concat(), b"\0\0\0\0\0");
                "passes".to_owned()
            }
            _ => {
                let answer = exchange.answer();
                assert_eq!((answer.status(), answer.chunks.concat()), (200, Vec::new()));
                assert_eq!(answer.headers.get("content-type"), Some(content_type));
                // In nginx, what has the headers end the stream, as trailers do.
                assert_eq!(answer.headers.get("content-length"), length);
                answer.headers.get("grpc-status").unwrap().to_owned()
            }
        }
    };
    let paths = [
        "/shop.Books/Get",
        "/shop.Books/Purge",
        "/shop.Stock/Count",
        "/shop.Stock/%43ount",
        "/shop.Stock/Count?x=y",
        "/grpc.health.v1.Health/Check",
    ];
    for (policy, expected) in [
        ("pass_through", ["passes"; 6]),
        ("served", ["passes", "12", "passes", "12", "12", "12"]),
        ("reject", ["12"; 6]),
    ] {
        for (name, host, length) in [
            ("Envoy", Host::envoy as fn() -> Host, None),
            ("Kong", Host::kong, Some("0")),
        ] {
            let gateway = host()
                .load(&json!({ "proto": PROTO, "native_grpc": policy }).to_string())
                .unwrap();
            for content_type in [
                "application/grpc",
                "application/grpc-web+proto",
                "application/grpc-web-text+proto",
            ] {
                let found = paths.map(|path| call(&gateway, path, content_type, length));
                assert_eq!(found, expected, "{policy} {name} {content_type}");
            }
        }
    }
}

/// Whether a request goes on with what it came with, but for headers of the connection, which nginx keeps to itself.
fn passes(gateway: &Gateway, request: &Request) -> bool {
    let exchange = gateway.request(request.clone());
    if exchange.progress() != Progress::WaitsForUpstream {
        return false;
    }
    let forwarded = exchange.forwarded();
    [":method", ":path", "content-type", "te", "origin"]
        .iter()
        .all(|name| forwarded.headers.get(name) == request.headers.get(name))
        && forwarded.chunks == request.chunks
}

#[test]
fn a_preflight_goes_on_unless_a_rule_binds_it() {
    let preflight = |method: &str, path: &str| {
        Request::new(method, path)
            .header("origin", "https://a.example")
            .header("access-control-request-method", "POST")
    };
    for host in [Host::envoy as fn() -> Host, Host::kong] {
        let gateway = host().load(&json!({ "proto": schema::PROTO }).to_string()).unwrap();
        assert!(passes(&gateway, &preflight("OPTIONS", "/v1/echo")));
        assert!(passes(&gateway, &preflight("OPTIONS", "/nowhere")));
        assert!(passes(&gateway, &preflight("OPTIONS", "*")));
        for refused in [
            preflight("OPTIONS", "/v1/custom-options"),
            preflight("PUT", "/v1/echo"),
            Request::new("OPTIONS", "/v1/echo").header("origin", "https://a.example"),
            Request::new("OPTIONS", "/v1/echo").header("access-control-request-method", "POST"),
        ] {
            assert!(!passes(&gateway, &refused), "{refused:?}");
        }
    }
}

/// nginx's gRPC module sends an upgrade on as any other request: as a POST, it would be a call.
#[test]
fn no_upgrade_or_preflight_is_a_call_in_disguise() {
    let upgrade = |request: Request| request.header("connection", "upgrade").header("upgrade", "websocket");
    let frame = "\0\0\0\0\0";
    let path = "/shop.Books/Purge";
    let preflight = || {
        Request::new("OPTIONS", path)
            .header("origin", "https://a.example")
            .header("access-control-request-method", "POST")
    };
    let kong = Host::kong().load(&json!({ "proto": PROTO }).to_string()).unwrap();
    let envoy = shop(json!({}));
    assert!(passes(&kong, &upgrade(Request::get("/v1/books"))));
    assert!(passes(&envoy, &upgrade(Request::get("/v1/books"))));
    assert!(passes(&envoy, &upgrade(Request::post("/v1/books"))));
    for request in [
        upgrade(Request::post(path)).body(frame),
        upgrade(Request::new("PUT", path)).body(frame),
        upgrade(Request::get(path)).method_in_front("POST").body(frame),
        preflight().method_in_front("POST").body(frame),
        preflight().body(frame),
        preflight().header("content-type", "application/grpcx"),
    ] {
        let refused = kong.request(request.clone()).answer().status();
        assert_eq!(refused, 404, "{request:?}");
    }
    assert!(passes(&kong, &preflight()) && passes(&envoy, &preflight()));
    for request in [
        preflight().body(frame),
        preflight().chunk(frame),
        preflight().header("content-type", "application/grpcx"),
    ] {
        let refused = envoy.request(request.clone()).answer().status();
        assert_eq!(refused, 404, "{request:?}");
    }
    // nginx would send it on as the GET that it is, with its body.
    let request = upgrade(Request::get(path)).body(frame);
    assert_eq!(kong.request(request).answer().status(), 404);
    // Native gRPC stays what it is under `reject`.
    let rejecting = json!({ "native_grpc": "reject" });
    for gateway in [
        shop(rejecting.clone()),
        Host::kong()
            .load(&json!({ "proto": PROTO, "native_grpc": "reject" }).to_string())
            .unwrap(),
    ] {
        for request in [Request::post(path), Request::get(path)] {
            let request = upgrade(request).header("content-type", "application/grpc").body(frame);
            let answer = gateway.request(request).answer();
            assert_eq!(answer.headers.get("grpc-status"), Some("12"));
        }
    }
}

#[test]
fn what_is_served_is_said_when_a_configuration_is_loaded() {
    let line = "configuration loaded: methods by rule: 1, by auto mapping: 2; services: shop.Books (1 by rule), shop.Stock \
                (2 by auto mapping)";
    for host in [Host::envoy as fn() -> Host, Host::kong] {
        let said = |more: Value| {
            let mut configuration = json!({ "proto": PROTO });
            for (key, value) in more.as_object().unwrap() {
                configuration[key] = value.clone();
            }
            host().load(&configuration.to_string()).unwrap().log()
        };
        assert_eq!(said(json!({})), [format!("Info: {line}")]);
        assert_eq!(said(json!({ "log_level": "warn" })), [""; 0]);
        let log = said(
            json!({ "services": ["shop.Books"], "auto_mapping": false, "http_rules": [
            { "selector": "shop.Books.Purge", "delete": "/v1/books" },
        ] }),
        );
        assert!(
            log[0].ends_with("methods by rule: 2, by auto mapping: 0; services: shop.Books (2 by rule)"),
            "{log:?}"
        );
    }
}
