//! The examples of `docs/` do what the text around them says.

use serde_json::{Value, json};

use crate::harness::{Gateway, Host, Progress, Request, Response};
use crate::kit::error;

const TRANSFORMS: &str = include_str!("../../docs/transforms.md");

/// The blocks of a page in this language.
fn blocks(page: &'static str, language: &str) -> Vec<&'static str> {
    let parts = page.split("```").skip(1).step_by(2);
    parts.filter_map(|block| block.strip_prefix(language)).collect()
}

/// A gateway with the example at this position, and the messages of its schema.
fn example(host: Host, at: usize) -> (Gateway, prost_reflect::DescriptorPool) {
    let [proto] = blocks(TRANSFORMS, "proto\n")[..] else {
        panic!("expected one schema");
    };
    let mut configuration: Value = serde_json::from_str(blocks(TRANSFORMS, "json\n")[at]).unwrap();
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
