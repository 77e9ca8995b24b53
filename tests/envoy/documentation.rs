//! What the documentation has for Envoy, in Envoy: a newcomer's first steps, pieces of configuration, the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::Code;

use crate::bench::bootstrap::{Listener, REFUSED};
use crate::bench::client::{Http, Request};
use crate::bench::process::{EnvoyProcess, Running, new_directory};
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema};
use crate::markdown::blocks;
use crate::pages::{Piece, page, pieces, root};

const MODULE: &str = "target/wasm32-wasip1/release/protobridge.wasm";

/// A filter, or any other extension, by the last part of its type.
fn extension(name: &str, of: &str, mut fields: Value) -> Value {
    fields["@type"] = json!(format!("type.googleapis.com/envoy.extensions.{of}"));
    json!({ "name": name, "typed_config": fields })
}

fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn router() -> Value {
    extension("envoy.filters.http.router", "filters.http.router.v3.Router", json!({}))
}

/// The configuration of Getting started, whose module, service and ports are where they are here.
fn whole(service: u16) -> Value {
    let pieces = pieces();
    let mut whole = pieces.into_iter().filter(|(_, piece, _)| *piece == Piece::Envoy);
    let (_, _, mut bootstrap) = whole.next().expect("a whole configuration");
    assert!(whole.next().is_none(), "a further one, which nobody starts");
    bootstrap["admin"] = json!({ "address": loopback(0) });
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    assert_eq!(listener["address"].take(), loopback(8080));
    listener["address"] = loopback(0);
    let filters = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"].as_array_mut();
    let ours = filters
        .unwrap()
        .iter_mut()
        .find(|filter| filter["name"] == "protobridge");
    let code = &mut ours.unwrap()["typed_config"]["config"]["vm_config"]["code"]["local"];
    assert_eq!(code["filename"].take(), "protobridge.wasm");
    code["filename"] = json!(root().join(MODULE));
    let load = &mut bootstrap["static_resources"]["clusters"][0]["load_assignment"];
    let endpoint = &mut load["endpoints"][0]["lb_endpoints"][0]["endpoint"];
    assert_eq!(endpoint["address"].take(), loopback(50051));
    endpoint["address"] = loopback(service);
    bootstrap
}

#[test]
fn a_newcomer_gets_what_getting_started_shows() {
    let text = page("getting-started.md");
    let directory = new_directory();
    for (language, file) in [("proto", "greeter.proto"), ("python", "greeter.py")] {
        let [block] = blocks(text, language)[..] else {
            panic!("expected one block of {language}");
        };
        // Any port that is free.
        fs::write(directory.join(file), block.replace("127.0.0.1:50051", "127.0.0.1:0")).unwrap();
    }
    let mut python = Command::new(root().join(".venv/bin/python"));
    let (_service, address) = Running::service(python.arg("greeter.py").current_dir(&directory));
    let envoy = EnvoyProcess::start(&whole(address.port()));
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("    configuration loaded: "));
    assert!(envoy.log().contains(line.unwrap()), "{}", envoy.log());

    let gateway = envoy.listener("http").to_string();
    let mut seen = 0;
    for console in blocks(text, "console") {
        for step in console.strip_prefix("$ ").unwrap().split("\n$ ") {
            let (command, expected) = step.split_once('\n').unwrap();
            let mut shell = Command::new("sh");
            shell.args(["-c", &command.replace("127.0.0.1:8080", &gateway)]);
            let output = shell.env("no_proxy", "127.0.0.1").output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            assert_eq!(shown.trim_end(), expected.trim_end(), "{command}");
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn envoy_takes_every_piece_of_its_configuration() {
    let mut bootstrap = json!({ "admin": { "address": loopback(0) }, "static_resources": { "listeners": [] } });
    let mut expected = BTreeSet::new();
    let parts = pieces()
        .into_iter()
        .filter(|(_, piece, _)| *piece == Piece::PartOfEnvoy);
    for (number, (path, _, mut part)) in parts.enumerate() {
        if part.is_array() {
            part = json!({ "http_filters": part });
        }
        let name = format!("{}-{number}", path.display());
        let mut manager = json!({ "stat_prefix": "http", "http_filters": [], "route_config": {
            "virtual_hosts": [{ "name": "all", "domains": ["*"] }],
        } });
        for (key, value) in part.as_object().unwrap() {
            match &**key {
                "stats_config" => bootstrap["stats_config"] = value.clone(),
                "virtual_hosts" => manager["route_config"]["virtual_hosts"] = value.clone(),
                key => manager[key] = value.clone(),
            }
        }
        let filters = manager["http_filters"].as_array_mut().unwrap();
        filters.retain(|filter| filter["name"] != "envoy.filters.http.router");
        filters.iter_mut().for_each(write_out);
        filters.push(router());
        let kind = "filters.network.http_connection_manager.v3.HttpConnectionManager";
        let chain = json!({ "filters": [extension("manager", kind, manager)] });
        let listener = json!({ "name": name, "address": loopback(0), "filter_chains": [chain] });
        bootstrap["static_resources"]["listeners"]
            .as_array_mut()
            .unwrap()
            .push(listener);
        expected.insert(name);
    }
    assert!(expected.len() > 4, "{expected:?}");
    let envoy = EnvoyProcess::start(&bootstrap);
    for name in expected {
        envoy.listener(&name);
    }
}

/// Writes out a filter that a page only names, as another block has it.
fn write_out(filter: &mut Value) {
    if filter.get("typed_config").is_some() {
        return;
    }
    let whole = whole(1);
    let manager = &whole["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let known = manager["http_filters"].as_array().unwrap().iter();
    let same = known.clone().find(|known| known["name"] == filter["name"]);
    *filter = same
        .unwrap_or_else(|| panic!("{filter} is nowhere written out"))
        .clone();
}

#[tokio::test]
async fn the_dashboard_shows_metrics_that_are_there() {
    let hooks = json!({ "cluster": REFUSED, "pre": [{ "name": "Pre", "on_error": "allow" }] });
    let hooked = json!({ "proto": schema::PROTO, "hold_headers": true, "hooks": hooks });
    let bench = Bench::start(&[
        Listener::new("plain", &json!({ "proto": schema::PROTO })),
        Listener::new("hooked", &hooked),
    ]);
    for gateway in ["plain", "hooked"] {
        let post = Request::post("/v1/echo", &json!({ "int32Value": 1 }));
        let (answer, _) = bench.at(gateway).exchange(Http::One, post, Script::echo()).await;
        assert_eq!(answer.status, 200, "{gateway}");
    }
    let post = Request::post("/v1/echo", &json!({}));
    bench
        .at("plain")
        .exchange(Http::One, post, Script::error(Code::NotFound, "no"))
        .await;
    bench
        .at("plain")
        .refuse(Http::One, Request::get("/v1/echo?int32Value=x"))
        .await;

    let dashboard = fs::read_to_string(root().join("docs/grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut queries = Vec::new();
    collect_queries(&dashboard, &mut queries);
    assert!(queries.len() > 8, "{queries:?}");
    let (metrics, labels) = used(&queries);
    assert!(metrics.len() > 7 && labels.len() > 3, "{metrics:?} {labels:?}");
    // A second, until the module hands over what it has counted.
    let mut missing = Vec::new();
    for _ in 0..100 {
        let scrape = bench.envoy().admin_get("/stats/prometheus");
        let metrics = metrics.iter().filter(|name| {
            let is_there = |line: &str| {
                line.strip_prefix(**name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            };
            !scrape.lines().any(is_there)
        });
        let labels = labels.iter().filter(|name| !scrape.contains(&format!("{name}=\"")));
        missing = metrics.chain(labels).map(|name| (*name).to_owned()).collect();
        if missing.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not in Envoy's metrics: {missing:?}");
}

/// Adds the queries of all panels, and of the variables that a user selects.
fn collect_queries<'a>(value: &'a Value, queries: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str() {
                    Some(query) if key == "expr" || key == "definition" => queries.push(query),
                    _ => collect_queries(value, queries),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_queries(item, queries)),
        _ => {}
    }
}

/// The metrics that PromQL queries read, and the labels that they select and group by, but for those of the scrape itself.
fn used<'a>(queries: &[&'a str]) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut metrics = BTreeSet::new();
    let mut labels = BTreeSet::new();
    for query in queries {
        // Every other part is a string.
        for part in query.split('"').step_by(2) {
            for word in part.split(|letter| !is_word(letter)) {
                let known = [
                    "instance",
                    "job",
                    "by",
                    "sum",
                    "rate",
                    "histogram_quantile",
                    "label_values",
                    "__rate_interval",
                ];
                if word.starts_with("protobridge_") || word.starts_with("envoy_") {
                    metrics.insert(word);
                } else if word.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
                    && !known.contains(&word)
                {
                    labels.insert(word);
                }
            }
        }
    }
    (metrics, labels)
}
