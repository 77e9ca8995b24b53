//! Every configuration of the module in the repository's examples and in `deploy/` is one that it accepts, and what
//! is around them in `deploy/` is what the platforms accept. `tests/deploy/` reads the YAML.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Host, Request};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a program of `tests/deploy/` prints.
///
/// # Panics
/// With that, if it fails.
fn run(program: &str) -> String {
    let python = format!("{ROOT}/target/deploy/venv/bin/python");
    let output = Command::new(&python)
        .arg(format!("{ROOT}/tests/deploy/{program}"))
        .output()
        .unwrap_or_else(|error| panic!("{python}: {error}: make it with `make services`"));
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said
}

/// The configurations, by file and position.
fn configurations() -> Vec<(String, Value)> {
    let found: Vec<Value> = serde_json::from_str(&run("manifests.py")).unwrap();
    let name = |found: &Value| format!("{} {}", found["file"].as_str().unwrap(), found["position"]);
    found.iter().map(|found| (name(found), found.clone())).collect()
}

#[test]
fn the_module_accepts_every_configuration() {
    for (name, found) in configurations() {
        let host = match found["host"].as_str().unwrap() {
            "kong" => Host::kong(),
            _ => Host::envoy(),
        };
        let gateway = host.load(&found["configuration"].to_string());
        let gateway = gateway.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        // In WasmX it accepts all, and answers every request with what is wrong.
        let exchange = gateway.request(Request::new("TRACE", "/nobody's"));
        assert_eq!(exchange.answer().status(), 404, "{name}: {:?}", exchange.answer());
    }
}

#[test]
fn the_configurations_for_kong_are_those_of_their_routes() {
    let configurations = configurations();
    for (name, path, method) in [
        (
            "kong-plugin.yaml 0",
            "/v1/books/7",
            "example.bookstore.Bookstore/GetBook",
        ),
        (
            "kong-plugin.yaml 1",
            "/v1/books/7",
            "example.bookstore.Bookstore/GetBook",
        ),
        ("kong-plugin.yaml 2", "/hello/Ada", "example.greeter.Greeter/SayHello"),
        (
            "deploy/kong-ingress/ingress.yaml 0",
            "/v1/books",
            "bookstore.v1.Bookstore/ListBooks",
        ),
    ] {
        let (_, found) = configurations.iter().find(|(found, _)| found == name).expect(name);
        let gateway = Host::kong().load(&found["configuration"].to_string()).unwrap();
        let exchange = gateway.request(Request::get(path).method_in_front("POST"));
        let sent = exchange.forwarded().headers;
        assert_eq!(sent.get(":path"), Some(&*format!("/{method}")), "{name}");
    }
    let of_kong = configurations.iter().filter(|(_, found)| found["host"] == "kong");
    assert_eq!(of_kong.count(), 4);
}

#[test]
fn the_platforms_accept_every_manifest() {
    run("check.py");
}
