//! The document and its page, as the module serves them: on both hosts, before any rule, and to nobody who speaks gRPC.

use std::path::Path;
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha384};

use crate::harness::{Gateway, Host, Passed, Progress, Request};
use crate::kit::error;
use crate::schema;

const HOSTS: [fn() -> Host; 2] = [Host::envoy, Host::kong];

fn load(host: fn() -> Host, openapi: Value) -> Gateway {
    let configuration = json!({ "proto": schema::PROTO, "openapi": openapi });
    host().load(&configuration.to_string()).unwrap()
}

fn both() -> Value {
    json!({ "path": "/openapi.json", "page": "/docs" })
}

fn get(gateway: &Gateway, request: Request) -> Passed {
    gateway.request(request).answer()
}

#[test]
fn a_get_has_the_document_and_an_etag_by_which_it_is_not_sent_again() {
    for host in HOSTS {
        let gateway = load(host, both());
        let answer = get(&gateway, Request::get("/openapi.json?again=1"));
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers.get("content-type"), Some("application/json"));
        assert_eq!(answer.headers.get("cache-control"), Some("no-cache"));
        let document = answer.json();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["paths"]["/v1/echo"]["post"]["operationId"], "Echo_Post");
        let etag = answer.headers.get("etag").unwrap().to_owned();
        let again = get(&gateway, Request::get("/openapi.json").header("if-none-match", &etag));
        assert_eq!((again.status(), again.body().len()), (304, 0));
        assert_eq!(again.headers.get("etag"), Some(&*etag));
        let other = get(
            &gateway,
            Request::get("/openapi.json").header("if-none-match", "\"other\""),
        );
        assert_eq!((other.status(), other.json()), (200, document));
    }
}

#[test]
fn the_page_comes_with_a_policy_and_its_script() {
    for host in HOSTS {
        let gateway = load(host, both());
        let page = get(&gateway, Request::get("/docs"));
        assert_eq!(page.headers.get("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.headers.get("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self' https://"),
            "{policy}"
        );
        let html = String::from_utf8(page.body().to_vec()).unwrap();
        assert!(html.contains("data-document=\"./openapi.json\""), "{html}");
        assert!(html.contains("<script src=\"docs/init.js\"></script>"), "{html}");
        let script = get(&gateway, Request::get("/docs/init.js"));
        assert_eq!(
            script.headers.get("content-type"),
            Some("text/javascript; charset=utf-8")
        );
        assert!(
            String::from_utf8(script.body().to_vec())
                .unwrap()
                .contains("SwaggerUIBundle")
        );
    }
}

/// What a browser loads from elsewhere is what the page's hashes are of, in the version that its URLs name.
#[test]
fn the_hashes_in_the_page_are_those_of_the_published_files() {
    let gateway = load(Host::envoy, both());
    let page = get(&gateway, Request::get("/docs"));
    let html = String::from_utf8(page.body().to_vec()).unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/services/node_modules/swagger-ui-dist");
    let read = |name: &str| {
        let file = package.join(name);
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: make it with `make services`", file.display()))
    };
    let manifest: Value = serde_json::from_slice(&read("package.json")).unwrap();
    let version = manifest["version"].as_str().unwrap();
    for name in ["swagger-ui.css", "swagger-ui-bundle.js"] {
        let hash = BASE64_STANDARD.encode(Sha384::digest(read(name)));
        let expected = format!(
            "=\"https://cdn.jsdelivr.net/npm/swagger-ui-dist@{version}/{name}\" integrity=\"sha384-{hash}\" crossorigin"
        );
        assert!(html.contains(&expected), "{expected}\n{html}");
    }
}

#[test]
fn other_methods_are_told_which_there_are() {
    for host in HOSTS {
        let gateway = load(host, both());
        let exchange = gateway.request(Request::post("/openapi.json").json("{}"));
        let (status, code, _) = error(&exchange);
        assert_eq!((status, code), (405, 12));
        assert_eq!(exchange.answer().headers.get("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn nothing_of_it_is_there_unless_asked_for() {
    for host in HOSTS {
        let gateway = load(host, json!({}));
        for path in ["/openapi.json", "/docs", "/docs/init.js"] {
            assert_eq!(error(&gateway.request(Request::get(path))).0, 404, "{path}");
        }
        let gateway = load(host, json!({ "path": "/openapi.json" }));
        assert_eq!(get(&gateway, Request::get("/openapi.json")).status(), 200);
        for path in ["/docs", "/docs/init.js", "/openapi.json/"] {
            assert_eq!(error(&gateway.request(Request::get(path))).0, 404, "{path}");
        }
    }
}

#[test]
fn a_call_of_a_grpc_client_is_never_taken_for_it() {
    let gateway = load(Host::envoy, both());
    let request = Request::post("/openapi.json").header("content-type", "application/grpc");
    assert_eq!(gateway.request(request).progress(), Progress::WaitsForUpstream);
}

#[test]
fn head_has_the_headers() {
    for host in HOSTS {
        let gateway = load(host, both());
        let head = get(&gateway, Request::new("HEAD", "/openapi.json"));
        let etag = get(&gateway, Request::get("/openapi.json"));
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers.get("etag"), etag.headers.get("etag"));
    }
}

#[test]
fn what_cannot_be_served_is_an_error_of_the_configuration() {
    let refused = |openapi: Value, more: Value| {
        let mut configuration = json!({ "proto": schema::PROTO, "openapi": openapi });
        for (key, value) in more.as_object().unwrap() {
            configuration[key] = value.clone();
        }
        match Host::envoy().load(&configuration.to_string()) {
            Ok(_) => panic!("{configuration} is accepted"),
            Err(refused) => refused.log.join("\n"),
        }
    };
    let none = json!({});
    for (openapi, more, expected) in [
        (
            json!({ "page": "/docs" }),
            &none,
            "openapi.path: expected a path such as \"/openapi.json\" for the document that the page shows",
        ),
        (
            json!({ "path": "/v1/echo" }),
            &none,
            "openapi.path: expected a path that no rule has, but `/v1/echo` is bound to test.everything.Echo.Post by POST `/v1/echo`",
        ),
        (
            json!({ "path": "/a/v1/echo" }),
            &json!({ "base_path": "/a" }),
            "openapi.path: expected a path that no rule has, but `/a/v1/echo` is bound to",
        ),
        (
            json!({ "path": "/openapi.json", "page": "/v1/ping" }),
            &none,
            "openapi.page: expected a path that no rule has",
        ),
        (
            json!({ "path": "/d", "page": "/d" }),
            &none,
            "openapi.page: expected another path than that of the document",
        ),
        (
            json!({ "path": "openapi.json" }),
            &none,
            "openapi.path: expected a path such as \"/openapi.json\", of letters",
        ),
        (
            json!({ "path": "/d", "security": { "key": { "type": "token" } } }),
            &none,
            "openapi.security.key.type: expected \"apiKey\" or ",
        ),
        (
            json!({ "path": "/d", "assets": "javascript:x" }),
            &none,
            "openapi.assets: expected the URL of a folder",
        ),
        (
            json!({ "path": "/d", "exclude": ["x.Y.*"] }),
            &none,
            "openapi.exclude[0]: `x.Y.*` selects no method",
        ),
    ] {
        let error = refused(openapi.clone(), more.clone());
        assert!(error.contains(expected), "{openapi}: {error}");
    }
}

/// Documents of several schemas, by a validator of OpenAPI: the test schema in several settings, the bookstore, and two of
/// Google's own.
#[test]
fn a_validator_finds_nothing_wrong() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/openapi/venv/bin/python");
    assert!(
        python.exists(),
        "{} does not exist: make it with `make services`",
        python.display()
    );
    let google = |path: &str| {
        let packages = std::fs::read_dir(root.join(".venv/lib"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        std::fs::read_to_string(packages.join("site-packages").join(path)).unwrap()
    };
    let settings = json!({ "errors": { "format": "problem" }, "json": {
        "always_print_fields_with_no_presence": true, "always_print_enums_as_ints": true,
        "preserve_proto_field_names": true, "unquote_int64_if_possible": true, "unknown_fields": "reject",
    } });
    let longrunning = json!({
        "protos": { "google/longrunning/operations.proto": google("google/longrunning/operations_proto.proto") },
        "services": ["google.longrunning.Operations"],
    });
    let locations = json!({
        "protos": { "google/cloud/location/locations.proto": google("google/cloud/location/locations.proto") },
        "services": ["google.cloud.location.Locations"],
    });
    let mut everything = settings.clone();
    everything["proto"] = json!(schema::PROTO);
    let bookstore = json!({ "protos": {
        "bookstore/v1/bookstore.proto": include_str!("../../proto-fixtures/bookstore/v1/bookstore.proto"),
        "bookstore/v1/types.proto": include_str!("../../proto-fixtures/bookstore/v1/types.proto"),
    } });
    let folder = root.join("target/openapi/documents");
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(python);
    command.args(["-m", "openapi_spec_validator"]);
    let configurations = [
        json!({ "proto": schema::PROTO }),
        everything,
        bookstore,
        longrunning,
        locations,
    ];
    for (at, mut configuration) in configurations.into_iter().enumerate() {
        configuration["openapi"] = json!({
            "path": "/openapi.json",
            "servers": ["https://api.example.com"],
            "security": { "token": { "type": "http", "scheme": "bearer" } },
        });
        let gateway = Host::envoy().load(&configuration.to_string()).unwrap();
        let answer = get(&gateway, Request::get("/openapi.json"));
        let paths = answer.json()["paths"].as_object().map(serde_json::Map::len);
        assert!(paths > Some(1), "{at}: {paths:?}");
        let file = folder.join(format!("{at}.json"));
        std::fs::write(&file, answer.body()).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches(": OK").count(), 5, "{said}");
}
