//! Routes of Envoy's that take the HTTP paths and not the gRPC paths, and others that lead to no service.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::bootstrap::{BACKEND, EMPTY, Listener};
use crate::bench::client::{Http, Request};
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema};

/// What takes the HTTP paths of the schema alone.
fn http_paths() -> Value {
    json!({ "match": { "prefix": "/v1/" }, "route": { "cluster": BACKEND } })
}

/// What takes all other paths, and answers them itself.
fn page(status: u16) -> Value {
    json!({
        "match": { "prefix": "/" },
        "direct_response": { "status": status, "body": { "inline_string": "no such page" } },
        "response_headers_to_add": [{ "header": { "key": "x-page", "value": "1" } }],
    })
}

fn all_paths(action: Value) -> Value {
    let mut route = json!({ "match": { "prefix": "/" } });
    route
        .as_object_mut()
        .unwrap()
        .extend(action.as_object().unwrap().clone());
    json!([route])
}

/// Lua that lets nothing through.
fn guard() -> Value {
    let refuse = "function envoy_on_request(handle)
  handle:respond({ [':status'] = '401', ['www-authenticate'] = 'Bearer' }, 'who are you?')
end";
    json!({
        "name": "guard",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": { "inline_string": refuse },
        },
    })
}

/// Every listener with the gRPC-Web filter too, which gives a plain answer gRPC's headers; and with the Connect bridge.
const WAYS: [[&str; 3]; 10] = [
    ["none", "none-web", "none-bridge"],
    ["narrow", "narrow-web", "narrow-bridge"],
    ["page", "page-web", "page-bridge"],
    ["found", "found-web", "found-bridge"],
    ["redirect", "redirect-web", "redirect-bridge"],
    ["refusal", "refusal-web", "refusal-bridge"],
    ["unknown", "unknown-web", "unknown-bridge"],
    ["empty", "empty-web", "empty-bridge"],
    ["guard", "guard-web", "guard-bridge"],
    ["call", "call-web", "call-bridge"],
];

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let redirect = json!({ "match": { "prefix": "/" }, "redirect": { "host_redirect": "www.example.com" } });
        let service = json!({ "match": { "prefix": "/test.everything.Echo/" }, "route": { "cluster": BACKEND } });
        let routes = |name: &str| match name {
            "none" => json!([http_paths()]),
            "narrow" => json!([http_paths(), service]),
            "page" => json!([http_paths(), page(404)]),
            "found" => json!([http_paths(), page(200)]),
            "redirect" => json!([http_paths(), redirect]),
            "refusal" => json!([http_paths(), page(403)]),
            "unknown" => all_paths(json!({ "route": { "cluster": "nowhere" } })),
            "empty" => all_paths(json!({ "route": { "cluster": EMPTY } })),
            "guard" => all_paths(json!({ "route": { "cluster": BACKEND } })),
            "call" => json!([page(404)]),
            name => unreachable!("{name}"),
        };
        let mut listeners = Vec::new();
        for names in WAYS {
            let mut configuration = json!({ "proto": schema::PROTO });
            if names[0] == "call" {
                configuration["dispatch"] = json!("call");
            }
            for name in names {
                let (grpc_web, bridge) = (name.ends_with("-web"), name.ends_with("-bridge"));
                // A bridge is of no use to calls.
                let bridges = bridge && names[0] != "call";
                configuration["upstream"] = json!({ "grpc_web": grpc_web, "connect_bridge": bridges });
                let mut listener = Listener::new(name, &configuration).routes(routes(names[0]));
                if names[0] == "guard" {
                    listener = listener.behind(guard());
                }
                listeners.push(match (grpc_web, bridge) {
                    (true, _) => listener.with_grpc_web(),
                    (_, true) => listener.with_bridge(),
                    _ => listener,
                });
            }
        }
        Bench::start(&listeners)
    })
}

/// A request that goes on when it is whole, and one that does so as it comes, each with its gRPC path; and for a bridge
/// one without a body.
fn requests() -> [(&'static str, Request); 3] {
    [
        ("/test.everything.Echo/Post", Request::post("/v1/echo", &json!({}))),
        (
            "/test.everything.Streams/Collect",
            Request::post("/v1/streams:collect", &json!([{}])),
        ),
        ("/test.everything.Echo/Query", Request::get("/v1/echo")),
    ]
}

/// The listeners of this way to which such a request goes.
fn listeners_of(way: &str, path: &str) -> impl Iterator<Item = &'static str> {
    let names = WAYS.into_iter().find(|names| names[0] == way).unwrap();
    let bridged = path.ends_with("/Query");
    names
        .into_iter()
        .filter(move |name| !bridged || name.ends_with("-bridge"))
}

#[tokio::test]
async fn a_method_whose_path_no_route_takes_is_told_so() {
    for (path, request) in requests() {
        let (service, _) = path.rsplit_once('/').unwrap();
        let cure = format!("add one with the prefix {service}/ that leads to the service");
        let answers = [
            (
                "none",
                format!("no route of the gateway takes {path}, the gRPC path of this method: {cure}"),
            ),
            (
                "page",
                format!(
                    "the gateway's route for {path}, the gRPC path of this method, answers HTTP 404 by itself: {cure}"
                ),
            ),
            (
                "found",
                format!(
                    "the gateway's route for {path}, the gRPC path of this method, answers HTTP 200 by itself: {cure}"
                ),
            ),
            (
                "redirect",
                format!(
                    "the gateway's route for {path}, the gRPC path of this method, answers HTTP 301 by itself: {cure}"
                ),
            ),
        ];
        for (way, message) in answers {
            for name in listeners_of(way, path) {
                for version in Http::BOTH {
                    let answer = bench().at(name).refuse(version, request.clone()).await;
                    assert_eq!(
                        (answer.status, answer.json()),
                        (501, json!({ "code": 12, "message": message })),
                        "{name} {version:?}"
                    );
                    assert_eq!(
                        answer.header("location"),
                        None,
                        "{name}: the method's path is nowhere to go to"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_route_for_the_grpc_paths_is_all_that_it_takes() {
    for name in ["narrow", "narrow-web", "narrow-bridge"] {
        let request = Request::post("/v1/echo", &json!({ "int32Value": 7 }));
        let (answer, _) = bench().at(name).exchange(Http::Two, request, Script::echo()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "int32Value": 7 })),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_the_gateway_refuses_is_not_laid_at_the_services_door() {
    let answers = [
        (
            "refusal",
            403,
            json!({ "code": 7, "message": "the gateway itself answered HTTP 403" }),
        ),
        (
            "guard",
            401,
            json!({ "code": 16, "message": "the gateway itself answered HTTP 401" }),
        ),
        (
            "unknown",
            503,
            json!({ "code": 14, "message": "the gateway's route leads to an upstream that it does not have" }),
        ),
        (
            "empty",
            503,
            json!({ "code": 14, "message": "the upstream cannot be reached" }),
        ),
    ];
    for (way, status, body) in answers {
        for (path, request) in requests() {
            for name in listeners_of(way, path) {
                let answer = bench().at(name).refuse(Http::One, request.clone()).await;
                assert_eq!((answer.status, &answer.json()), (status, &body), "{name}");
                let asks = (way == "guard").then_some("Bearer");
                assert_eq!(
                    answer.header("www-authenticate"),
                    asks,
                    "{name}: a client logs in by it"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_call_on_a_route_without_a_cluster_says_what_to_set() {
    let answer = bench().at("call").refuse(Http::One, Request::get("/v1/echo")).await;
    let message = "no upstream for this request: set upstream.cluster, or a route with a cluster";
    assert_eq!(
        (answer.status, answer.json()),
        (503, json!({ "code": 14, "message": message }))
    );
}
