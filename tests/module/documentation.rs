//! The examples of `docs/` do what the text around them says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Gateway, Host, Progress, Request, Response};
use crate::kit::error;
use crate::markdown::blocks;

const TRANSFORMS: &str = include_str!("../../docs/transforms.md");

/// A gateway with the example at this position, and the messages of its schema.
fn example(host: Host, at: usize) -> (Gateway, prost_reflect::DescriptorPool) {
    let [proto] = blocks(TRANSFORMS, "proto")[..] else {
        panic!("expected one schema");
    };
    let mut configuration: Value = serde_json::from_str(blocks(TRANSFORMS, "json")[at]).unwrap();
    configuration["proto"] = json!(proto);
    configuration["bodyless"] = json!("in_place");
    let schema = protobridge::schema::Schema::compile(protobridge::schema::Source::Proto(proto), 1 << 20).unwrap();
    let gateway = host.load(&configuration.to_string()).unwrap();
    (gateway, schema.pool().clone())
}

/// What an order becomes on its way to the service, and back.
fn order(gateway: &Gateway, pool: &prost_reflect::DescriptorPool, headers: &[(&str, &str)]) -> Result<[Value; 2], u16> {
    use prost_reflect::prost::Message as _;
    let order = json!({
        "id": "1", "customerId": "eve", "items": [{ "sku": "a", "cost": "7" }],
        "card": { "number": "4111111111111111", "securityCode": "123" },
    });
    let request = headers
        .iter()
        .fold(Request::post("/v1/orders"), |request, (name, value)| {
            request.header(name, value)
        });
    let exchange = gateway.request(request.json(&order.to_string()));
    gateway.advance(std::time::Duration::from_millis(1));
    if exchange.progress() == Progress::Answered {
        return Err(error(&exchange).0);
    }
    let message = |name: &str| pool.get_message_by_name(name).unwrap();
    let sent = exchange.forwarded().messages().remove(0);
    let sent = prost_reflect::DynamicMessage::decode(message("shop.v1.CreateOrderRequest"), &*sent).unwrap();
    let answer = prost_reflect::DynamicMessage::deserialize(message("shop.v1.Order"), &order).unwrap();
    exchange.respond(Response::ok(answer.encode_to_vec()));
    Ok([serde_json::to_value(sent).unwrap(), exchange.answer().json()])
}

#[test]
fn the_customer_id_comes_from_the_token() {
    let claim = [
        "metadata",
        "filter_metadata",
        "envoy.filters.http.jwt_authn",
        "payload",
        "sub",
    ];
    let (gateway, pool) = example(Host::envoy().property(&claim, "ada"), 0);
    let [sent, _] = order(&gateway, &pool, &[]).unwrap();
    assert_eq!(sent["order"]["customerId"], "ada");
    let (gateway, pool) = example(Host::envoy(), 0);
    assert_eq!(order(&gateway, &pool, &[]), Err(401));
}

#[test]
fn the_customer_id_comes_from_kongs_consumer() {
    let (gateway, pool) = example(Host::kong(), 1);
    let [sent, _] = order(&gateway, &pool, &[("x-consumer-custom-id", "ada")]).unwrap();
    assert_eq!(sent["order"]["customerId"], "ada");
    assert_eq!(order(&gateway, &pool, &[]), Err(401));
}

#[test]
fn support_staff_see_no_card_numbers() {
    let (gateway, pool) = example(Host::envoy(), 2);
    for (headers, number) in [
        (&[("x-role", "billing")][..], "4111111111111111"),
        (&[("x-role", "support")], "***1111"),
        (&[], "***1111"),
    ] {
        let [sent, answer] = order(&gateway, &pool, headers).unwrap();
        assert_eq!(sent["order"]["card"]["number"], "4111111111111111", "{headers:?}");
        assert_eq!(answer["card"]["number"], number, "{headers:?}");
    }
}

#[test]
fn everything_annotated_sensitive_is_dropped_for_callers_from_outside() {
    let (gateway, pool) = example(Host::envoy(), 3);
    let whole = json!({
        "id": "1", "customerId": "eve", "items": [{ "sku": "a", "cost": "7" }],
        "card": { "number": "4111111111111111", "securityCode": "123" },
    });
    let dropped = json!({
        "id": "1", "customerId": "eve", "items": [{ "sku": "a" }], "card": { "number": "4111111111111111" },
    });
    for (headers, expected) in [(&[("x-internal", "1")][..], whole), (&[], dropped)] {
        let [_, answer] = order(&gateway, &pool, headers).unwrap();
        assert_eq!(answer, expected, "{headers:?}");
    }
}

// Troubleshooting

const TROUBLESHOOTING: &str = include_str!("../../docs/troubleshooting.md");

/// The greeter of Getting started, without its Lua filter.
fn greeter(host: Host, more: Value) -> Gateway {
    let [proto] = blocks(include_str!("../../docs/getting-started.md"), "proto")[..] else {
        panic!("expected one schema");
    };
    let mut configuration = json!({ "proto": proto, "hold_headers": true });
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    host.load(&configuration.to_string()).unwrap()
}

#[test]
fn the_errors_in_troubleshooting_are_what_clients_get() {
    let get = || Request::get("/v1/greet/Ada");
    let post = |body: &str| Request::post("/v1/greetings").json(body);
    let of_type = |content_type: &str| {
        let request = Request::post("/v1/greetings").header("content-type", content_type);
        request.body(r#"{"name":"Ada"}"#)
    };
    let plain = json!({});
    let small = json!({ "limits": { "max_request_bytes": 16 } });
    let strict = json!({ "json": { "unknown_fields": "reject" } });
    let with_bridge = json!({ "upstream": { "connect_bridge": true } });
    let full = json!({ "limits": { "max_total_bytes": 1000 } });
    let hurried = json!({ "upstream": { "timeout": "0.3s" } });
    // What happens at Envoy once the request has gone on.
    let (gone, reset, no_route, late) = (
        Some("upstream_reset_before_response_started{connection_termination}"),
        Some("upstream_reset_before_response_started{remote_reset}"),
        Some("route_not_found"),
        Some("response_timeout"),
    );
    let cases = [
        (&plain, Request::get("/v1/greet/Ada?times=x").body(" "), None, 400),
        (&plain, post(r#"{"name":Ada}"#), None, 400),
        (
            &plain,
            Request::get("/v1/greet/Ada?times=1&times=2").body(" "),
            None,
            400,
        ),
        (&strict, post(r#"{"nam":"Ada"}"#), None, 400),
        (&plain, Request::get("/v1/greets"), None, 404),
        (&plain, Request::new("PUT", "/v1/greet/Ada"), None, 405),
        (&small, post(r#"{"name":"Ada Lovelace"}"#), None, 413),
        (&plain, of_type("application/x-www-form-urlencoded"), None, 415),
        (&plain, of_type("text/plain"), None, 415),
        (&plain, post("{}").header("content-encoding", "gzip"), None, 415),
        (&plain, get(), None, 501),
        (&plain, Request::post("/v1/greetings"), None, 501),
        (&plain, post("{}"), no_route, 501),
        (&plain, post("{}"), gone, 503),
        (&with_bridge, get(), reset, 503),
        (&full, post(&format!(r#"{{"name":"{}"}}"#, "a".repeat(2000))), None, 503),
        (&hurried, post("{}"), late, 504),
    ];
    let mut shown: BTreeSet<_> = blocks(TROUBLESHOOTING, "json").into_iter().map(str::trim_end).collect();
    for (configuration, request, fails, status) in cases {
        let case = format!("{configuration} {request:?} {fails:?}");
        let exchange = greeter(Host::envoy(), configuration.clone()).request(request);
        if let Some(details) = fails {
            assert_eq!(exchange.progress(), Progress::WaitsForUpstream, "{case}");
            exchange.gateway_fails(details);
        }
        let answer = exchange.answer();
        let text = answer.text();
        assert_eq!(answer.status(), status, "{case}: {text}");
        assert!(shown.remove(&*text), "{case}: {text}");
        let row = format!("| {status} | {} ", answer.json()["code"]);
        assert!(include_str!("../../docs/errors.md").contains(&row), "{row}");
        // Under a heading that says so, in the order of the page.
        let headed = TROUBLESHOOTING
            .split("\n### ")
            .filter(|part| part.starts_with(&format!("{status}\n")));
        assert!(headed.count() == 1, "{status}");
    }
    assert_eq!(shown, BTreeSet::new());
}

#[test]
fn a_refused_configuration_is_logged_as_troubleshooting_shows_it() {
    let line = TROUBLESHOOTING
        .lines()
        .find_map(|line| line.strip_prefix("    configuration: "));
    let configuration = json!({ "proto": "syntax = \"proto3\";", "upstream": { "timeot": "15s" } });
    let Err(refused) = Host::envoy().load(&configuration.to_string()) else {
        panic!("accepted");
    };
    let expected = format!("configuration: {}", line.unwrap());
    assert!(
        refused.log.iter().any(|logged| logged.ends_with(&expected)),
        "{:?}",
        refused.log
    );
}

// Operation

const OPERATION: &str = include_str!("../../docs/operation.md");

/// The names of the metrics that the page lists, in which `<…>` stands for any name.
fn listed_metrics() -> BTreeSet<&'static str> {
    let section = OPERATION
        .split("\n### Metrics\n")
        .nth(1)
        .unwrap()
        .split("\n### ")
        .next()
        .unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_metric_is_listed_and_every_listed_one_is_there() {
    let hooks = json!({ "cluster": "plugins", "pre": [{ "name": "Pre", "on_error": "allow" }] });
    let mut seen = BTreeSet::new();
    for more in [json!({}), json!({ "hooks": hooks })] {
        let gateway = greeter(Host::envoy(), more);
        let exchange = gateway.request(Request::post("/v1/greetings").json(r#"{"name":"Ada"}"#));
        for _ in exchange.calls() {
            exchange.call_fails(14, "no", "");
        }
        exchange.respond(Response::ok(b"\x0a\x01x"));
        gateway.request(Request::get("/v1/greets"));
        gateway.advance(std::time::Duration::from_secs(2));
        seen.extend(gateway.metrics().into_keys().map(|name| {
            let name = name.strip_prefix("protobridge.").unwrap_or(&name).to_owned();
            let parts: Vec<_> = name.split('.').collect();
            match parts[..] {
                ["requests", ..] => "requests.<package.Service.Method>.<STATUS>".to_owned(),
                ["errors", _] => "errors.<reason>".to_owned(),
                ["hooks", _, _] => "hooks.<kind>.<outcome>".to_owned(),
                _ => name,
            }
        }));
    }
    assert_eq!(
        seen.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        listed_metrics()
    );
}

#[test]
fn the_log_lines_are_as_the_page_has_them() {
    let proto = r#"
        syntax = "proto3";
        package shop;
        import "google/api/annotations.proto";
        service Books {
          rpc Get(M) returns (M) { option (google.api.http) = { get: "/a" }; }
          rpc A(M) returns (M) { option (google.api.http) = { post: "/b" body: "*" }; }
          rpc B(M) returns (M) { option (google.api.http) = { get: "/c" }; }
          rpc C(M) returns (M) { option (google.api.http) = { get: "/d" }; }
          rpc D(M) returns (M) { option (google.api.http) = { get: "/e" }; }
        }
        service Stock { rpc A(M) returns (M); rpc B(M) returns (M); }
        message M {}
    "#;
    let gateway = Host::envoy().load(&json!({ "proto": proto }).to_string()).unwrap();
    let loaded = gateway
        .log()
        .into_iter()
        .find(|line| line.contains("configuration loaded"))
        .unwrap();
    let loaded = loaded.strip_prefix("Info: ").unwrap();
    assert!(OPERATION.contains(&format!("`{loaded}`")), "{loaded}");
}

// Kong

#[test]
fn the_configuration_for_kong_serves_the_request_of_its_page() {
    let page = include_str!("../../docs/kong.md");
    let [block] = blocks(page, "yaml")[..] else {
        panic!("expected one configuration");
    };
    let configuration = crate::markdown::yaml(block);
    let plugins = configuration["plugins"].as_array().unwrap();
    let config = |name: &str| &plugins.iter().find(|plugin| plugin["name"] == name).unwrap()["config"];
    let gateway = Host::kong().load(&config("protobridge").to_string()).unwrap();
    let method = config("request-transformer")["http_method"].as_str().unwrap();
    let exchange = gateway.request(Request::get("/v1/greet/Ada?times=2").method_in_front(method));
    let sent = exchange.forwarded();
    assert_eq!(sent.headers.get(":path"), Some("/greeter.Greeter/Greet"));
    assert_eq!(sent.messages(), [b"\x0a\x03Ada\x10\x02"]);
    exchange.respond(Response::ok(b"\x0a\x05Hello"));
    assert_eq!(exchange.answer().json(), json!({ "text": "Hello" }));
}
