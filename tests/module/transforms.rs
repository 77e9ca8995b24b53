//! Transforms as they meet requests: whatever form a message comes in, and on whichever way it goes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::compressed::ENCODINGS;
use crate::harness::Host;
use crate::harness::HostCall::*;
use crate::harness::{Exchange, Gateway, HostCall, Passed, Progress, Request, Response, frame};
use crate::kit::{WAYS, call_of, error, everything, respond};
use crate::schema;

/// `stringValue` is what the gateway says it is, and so is `child.name`; `choiceString` likewise, which has siblings.
fn guarded() -> Value {
    json!([
        {
            "selector": "test.everything.Echo.*",
            "request": [
                { "set": { "field": "stringValue", "header": "x-user" } },
                { "set": { "field": "child.name", "property": ["metadata", "user"] } },
                { "set": { "field": "choice_string", "header": "x-user" } },
                { "set": { "field": "uint32_value", "header": "x-number" } }
            ],
            "response": [{ "remove": ["bytesValue", "children.count"] }, { "mask": { "field": "renamed", "keep_last": 2 } }]
        },
        {
            "selector": "test.everything.Streams.List",
            "request": [{ "set": { "field": "stringValue", "header": "x-user" } }],
            "response": [{ "remove": ["child.name"] }]
        },
        {
            "selector": "test.everything.Streams.Collect",
            "request": [{ "set": { "field": "renamed", "header": "x-user" } }],
        },
        {
            "selector": "test.everything.Streams.Chat",
            "request": [{ "set": { "field": "stringValue", "header": "x-user" } }],
            "response": [{ "remove": ["child.name"] }]
        },
        {
            "selector": "test.everything.Streams.Download",
            "response": [{ "remove": ["content_type"] }]
        },
        {
            "selector": "test.everything.Raw.Exchange",
            "request": [{ "set": { "field": "content_type", "value": "text/x-own" } }],
            "response": [{ "set": { "field": "content_type", "value": "text/x-other" } }]
        }
    ])
}

fn load(host: Host, more: Value) -> Gateway {
    let mut configuration = json!({ "proto": schema::PROTO, "transforms": guarded() });
    for (key, value) in more.as_object().expect("an object") {
        configuration[key] = value.clone();
    }
    host.property(&["metadata", "user"], "property")
        .load(&configuration.to_string())
        .unwrap()
}

fn envoy(more: Value) -> Gateway {
    load(Host::envoy(), more)
}

/// Envoy, which has served before.
fn served(more: Value) -> Gateway {
    let gateway = envoy(more);
    gateway.request(native("/other.Service/Method")).forwarded();
    gateway.advance(Duration::from_secs(1));
    gateway
}

/// Both hosts, as gRPC clients meet them.
fn hosts(more: Value) -> [Gateway; 2] {
    [envoy(more.clone()), load(Host::kong(), more)]
}

/// What the gateway says, whatever the client does.
fn vouched() -> Value {
    json!({ "stringValue": "ada", "child": { "name": "property" }, "choiceString": "ada" })
}

fn with(mut base: Value, more: Value) -> Value {
    for (key, value) in more.as_object().expect("an object") {
        base[key] = value.clone();
    }
    base
}

fn native(path: &str) -> Request {
    Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-user", "ada")
        .http2()
}

fn text(json: &Value) -> Vec<u8> {
    everything(json.clone())
}

/// The messages that have gone on, in JSON.
fn messages(passed: &Passed) -> Vec<Value> {
    let descriptor = schema::message("test.everything.Everything");
    let messages = passed.messages();
    messages
        .iter()
        .map(|message| schema::to_json(&descriptor, message))
        .collect()
}

/// How a call of a gRPC client was refused.
fn refusal(exchange: &Exchange) -> (String, String) {
    let answer = exchange.answer();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(answer.body(), b"", "{answer:?}");
    let get = |name: &str| answer.headers.get(name).unwrap_or_default().to_owned();
    (get("grpc-status"), get("grpc-message"))
}

// JSON

#[test]
fn no_form_of_a_json_request_says_what_the_gateway_says() {
    let tries: [(&str, &str, &str); 13] = [
        ("POST", "/v1/echo", r#"{"stringValue": "eve"}"#),
        (
            "POST",
            "/v1/echo",
            r#"{"string_value": "eve", "child": {"name": "eve"}}"#,
        ),
        ("POST", "/v1/echo", r#"{"child": {"name": "eve"}, "choiceInt64": "7"}"#),
        ("POST", "/v1/echo", r#"{"choiceChild": {"name": "eve"}}"#),
        ("POST", "/v1/echo", r#"{"choice_string": "eve"}"#),
        ("POST", "/v1/echo", r#"{"choiceNull": null, "child": null}"#),
        ("GET", "/v1/echo?stringValue=eve&child.name=eve", ""),
        ("GET", "/v1/echo?string_value=eve&choiceInt64=7", ""),
        ("DELETE", "/v1/echo?choice_child.name=eve", ""),
        ("POST", "/v1/message-body/eve?choiceString=eve", r#"{"name": "eve"}"#),
        ("PUT", "/v1/nested/eve/1?stringValue=eve", r#"{"choiceString": "eve"}"#),
        ("POST", "/v1/field-body/strings?child.name=eve", r#"["a"]"#),
        (
            "POST",
            "/v1/any-kind",
            r#"{"stringValue": "eve", "choiceColor": "RED"}"#,
        ),
    ];
    for way in WAYS {
        let mut more = json!({ "bodyless": "call", "upstream": { "cluster": "upstream" } });
        if way == "call" {
            more["dispatch"] = way.into();
        }
        let gateway = envoy(more);
        for (method, path, body) in tries {
            let request = Request::new(method, path).header("x-user", "ada");
            let exchange = gateway.request(match body {
                "" => request,
                body => request.json(body),
            });
            assert!(
                exchange.progress() != Progress::WaitsForTime,
                "{method} {path} {body}: {:?}",
                error(&exchange)
            );
            let (_, sent) = call_of(&exchange);
            let expected = vouched();
            for key in ["stringValue", "choiceString"] {
                assert_eq!(sent[key], expected[key], "{way} {method} {path} {body}: {sent}");
            }
            assert_eq!(
                sent["child"]["name"], "property",
                "{way} {method} {path} {body}: {sent}"
            );
            for sibling in ["choiceInt64", "choiceChild", "choiceColor", "choiceNull"] {
                assert_eq!(sent.get(sibling), None, "{way} {method} {path} {body}: {sent}");
            }
            respond(&exchange, json!({}));
            assert_eq!(exchange.answer().status(), 200);
        }
    }
    let kong = load(Host::kong(), json!({}));
    for (method, path, body) in tries {
        let request = Request::new(method, path)
            .header("x-user", "ada")
            .method_in_front("POST");
        let exchange = kong.request(match body {
            "" => request,
            body => request.json(body),
        });
        let (_, sent) = call_of(&exchange);
        assert_eq!(sent["stringValue"], "ada", "{method} {path} {body}: {sent}");
        assert_eq!(sent["child"]["name"], "property", "{method} {path} {body}: {sent}");
    }
}

#[test]
fn a_source_that_is_missing_removes_the_field() {
    for gateway in hosts(json!({})) {
        let exchange = gateway.request(Request::post("/v1/echo").json(r#"{"stringValue": "eve", "int32Value": 7}"#));
        let (_, sent) = call_of(&exchange);
        assert_eq!(sent, json!({ "int32Value": 7, "child": { "name": "property" } }));
    }
}

#[test]
fn a_required_source_that_is_missing_is_401_in_json_and_unauthenticated_in_grpc() {
    let transforms = json!([{ "selector": "test.everything.Echo.Post", "request": [
        { "set": { "field": "int32_value", "header": "x-number", "required": true } },
    ] }]);
    for gateway in hosts(json!({ "transforms": transforms })) {
        for (header, status, code) in [(None, 401, 16), (Some("seven"), 400, 3)] {
            let request = Request::post("/v1/echo");
            let request = match header {
                Some(value) => request.header("x-number", value),
                None => request,
            };
            let exchange = gateway.request(request.json("{}"));
            let (found, found_code, message) = error(&exchange);
            assert_eq!((found, found_code), (status, code), "{message}");
            assert!(message.contains("x-number") && !message.contains("seven"), "{message}");
            let request = native("/test.everything.Echo/Post");
            let request = match header {
                Some(value) => request.header("x-number", value),
                None => request,
            };
            let exchange = gateway.request(request.chunk(frame(0, b"")));
            let (found, message) = refusal(&exchange);
            assert_eq!(found, code.to_string(), "{message}");
            assert!(message.contains("x-number") && !message.contains("seven"), "{message}");
        }
        let request = native("/test.everything.Echo/Post").header("x-number", "7");
        let exchange = gateway.request(request.chunk(frame(0, b"")));
        assert_eq!(messages(&exchange.forwarded()), [json!({ "int32Value": 7 })]);
    }
}

#[test]
fn a_header_that_comes_twice_sets_nothing() {
    for gateway in hosts(json!({})) {
        let request = Request::post("/v1/echo")
            .header("x-user", "ada")
            .header("x-user", "eve");
        let (status, code, message) = error(&gateway.request(request.json("{}")));
        assert_eq!((status, code), (400, 3), "{message}");
        assert!(message.contains("x-user"), "{message}");
        let request = native("/test.everything.Echo/Post").header("x-user", "eve");
        let (status, message) = refusal(&gateway.request(request.chunk(frame(0, b""))));
        assert_eq!(status, "3", "{message}");
    }
}

#[test]
fn an_answer_is_changed_before_it_becomes_json() {
    let answer = json!({
        "bytesValue": "c2VjcmV0",
        "int32Value": 1,
        "anotherName": "telephone",
        "children": [{ "name": "a", "count": 5 }, { "count": 6 }],
    });
    let expected = json!({ "int32Value": 1, "anotherName": "***ne", "children": [{ "name": "a" }, {}] });
    for gateway in hosts(json!({})) {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        respond(&exchange, answer.clone());
        assert_eq!(exchange.answer().json(), expected);
        let exchange = gateway.request(Request::post("/v1/part/children").json("{}"));
        respond(&exchange, answer.clone());
        assert_eq!(exchange.answer().json(), expected["children"]);
    }
    let gateway = envoy(json!({ "bodyless": "call", "upstream": { "cluster": "upstream" } }));
    let exchange = gateway.request(Request::get("/v1/echo"));
    respond(&exchange, answer);
    assert_eq!(exchange.answer().json(), expected);
}

#[test]
fn an_answer_by_the_connect_bridge_is_changed_and_its_request_too() {
    let gateway = envoy(json!({ "upstream": { "connect_bridge": true } }));
    let exchange = gateway.request(Request::get("/v1/echo?stringValue=eve").header("x-user", "ada"));
    let path = exchange.forwarded().headers.get(":path").unwrap().to_owned();
    let value = path.split("message=").nth(1).unwrap().split('&').next().unwrap();
    let message = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, value).unwrap();
    let sent = schema::to_json(&schema::message("test.everything.Everything"), &message);
    assert_eq!(sent, vouched());
    let headers = Response::new(200).header("content-type", "application/proto").chunk("");
    exchange.respond_headers(&headers);
    exchange.respond_data(text(&json!({ "bytesValue": "c2VjcmV0", "int32Value": 1 })), false);
    exchange.respond_trailers(&[]);
    assert_eq!(exchange.answer().json(), json!({ "int32Value": 1 }));
}

#[test]
fn every_message_of_a_stream_is_changed_both_ways() {
    let gateway = envoy(json!({}));
    for (accept, expected) in [
        (
            "application/json",
            "[{\"int32Value\":1,\"child\":{}},{\"int32Value\":2}]",
        ),
        (
            "application/x-ndjson",
            "{\"int32Value\":1,\"child\":{}}\n{\"int32Value\":2}\n",
        ),
        (
            "text/event-stream",
            "data: {\"int32Value\":1,\"child\":{}}\n\ndata: {\"int32Value\":2}\n\n",
        ),
    ] {
        let request = Request::post("/v1/streams:chat")
            .header("x-user", "ada")
            .header("accept", accept);
        let exchange = gateway.request(request.json(r#"[{"stringValue": "eve"}, {}, {"int32Value": 3}]"#));
        let sent = messages(&exchange.forwarded());
        assert_eq!(
            sent,
            [
                json!({ "stringValue": "ada" }),
                json!({ "stringValue": "ada" }),
                json!({ "stringValue": "ada", "int32Value": 3 })
            ]
        );
        let response = Response::grpc()
            .message(text(&json!({ "int32Value": 1, "child": { "name": "secret" } })))
            .message(text(&json!({ "int32Value": 2 })))
            .trailer("grpc-status", "0");
        exchange.respond(response);
        assert_eq!(exchange.answer().text(), expected);
    }
    // Kong reads requests whole, and shows answers as they come.
    let kong = load(Host::kong(), json!({}));
    let exchange = kong.request(
        Request::post("/v1/streams/x")
            .header("accept", "application/x-ndjson")
            .json("{}"),
    );
    exchange.respond_headers(&Response::ok(b""));
    for number in 1..4 {
        let message = text(&json!({ "int32Value": number, "child": { "name": "secret" } }));
        exchange.respond_data(frame(0, &message), false);
        let line = format!("{{\"int32Value\":{number},\"child\":{{}}}}\n");
        assert!(
            exchange.so_far().text().ends_with(&line),
            "{number}: {:?}",
            exchange.so_far()
        );
    }
    exchange.respond_trailers(&[("grpc-status", "0")]);
    assert_eq!(exchange.answer().text().lines().count(), 3);
    let request = Request::post("/v1/streams/eve/children?int32Value=4").header("x-user", "ada");
    let exchange = gateway.request(request.json(r#"[{"name": "a"}, {"name": "b"}]"#));
    assert_eq!(
        messages(&exchange.forwarded()),
        [
            json!({ "int32Value": 4, "child": { "name": "a" }, "anotherName": "ada" }),
            json!({ "child": { "name": "b" }, "anotherName": "ada" })
        ]
    );
}

#[test]
fn raw_bodies_are_messages_too() {
    for (at, gateway) in hosts(json!({})).into_iter().enumerate() {
        let exchange = gateway.request(
            Request::post("/v1/raw")
                .header("content-type", "image/png")
                .body("bytes"),
        );
        let sent = &exchange.forwarded().messages()[0];
        let http_body = schema::to_json(&schema::message("google.api.HttpBody"), sent);
        assert_eq!(http_body, json!({ "contentType": "text/x-own", "data": "Ynl0ZXM=" }));
        exchange.respond(Response::ok(sent));
        let answer = exchange.answer();
        // In Kong the headers go out before the message has come.
        let content_type = answer.headers.get("content-type").expect("a content-type");
        assert!(
            ["text/x-other", "application/octet-stream"][at..].contains(&content_type),
            "{content_type}"
        );
        assert_eq!(answer.text().trim_end(), "bytes");
    }
    // The type of a download isn't known before the whole message is.
    let part = crate::kit::message(
        "google.api.HttpBody",
        json!({ "contentType": "text/html", "data": "Ynl0ZXM=" }),
    );
    let gateway = envoy(json!({}));
    let exchange = gateway.request(Request::post("/v1/streams:download").json("{}"));
    exchange.respond_headers(&Response::ok(b""));
    let framed = frame(0, &part);
    let (first, rest) = framed.split_at(12);
    exchange.respond_data(first, false);
    exchange.respond_data(rest, false);
    exchange.respond_trailers(&[("grpc-status", "0")]);
    let answer = exchange.answer();
    assert_eq!(answer.headers.get("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.text(), "bytes");
}

#[test]
fn an_answer_that_is_no_message_is_502() {
    for gateway in hosts(json!({})) {
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::ok(b"\x8a\x01\x7f"));
        let answer = exchange.answer();
        assert!(answer.text().contains("malformed message"), "{answer:?}");
    }
}

// gRPC

#[test]
fn no_form_of_a_native_message_says_what_the_gateway_says() {
    let eve = text(&json!({ "stringValue": "eve", "child": { "name": "eve", "count": 1 }, "choiceInt64": "7" }));
    let child = |name: &str| text(&json!({ "child": { "name": name } }));
    let counted = with(vouched(), json!({ "child": { "name": "property", "count": 1 } }));
    let siblings = text(&json!({ "choiceChild": { "name": "eve" } }));
    let tries: [(&str, Vec<u8>, &Value); 10] = [
        ("nothing", Vec::new(), &vouched()),
        ("once", eve.clone(), &counted),
        ("twice", [eve.clone(), eve.clone()].concat(), &counted),
        // A message in two records, which parsers merge.
        ("split", [child("eve"), child("adam")].concat(), &vouched()),
        ("siblings", siblings, &vouched()),
        // The fields' numbers with another wire type.
        ("other wire types", b"\x70\x07\x88\x01\x07".to_vec(), &vouched()),
        ("unknown", b"\xfa\x3f\x03eve".to_vec(), &vouched()),
        ("a group", b"\x73\x74".to_vec(), &vouched()),
        ("a number", b"\x28\x07".to_vec(), &vouched()),
        ("packed", b"\x2a\x01\x07".to_vec(), &vouched()),
    ];
    for gateway in hosts(json!({})) {
        for (what, message, expected) in &tries {
            for cut in [1, 4, 7, 1000] {
                let mut request = native("/test.everything.Echo/Post");
                for chunk in frame(0, message).chunks(cut) {
                    request = request.chunk(chunk);
                }
                let exchange = gateway.request(request);
                let forwarded = exchange.forwarded();
                assert_eq!(forwarded.headers.get(":path"), Some("/test.everything.Echo/Post"));
                assert_eq!(forwarded.headers.get("content-type"), Some("application/grpc"));
                assert_eq!(
                    messages(&forwarded),
                    [(*expected).clone()],
                    "{what}, cut every {cut} bytes"
                );
                let fields = forwarded.messages()[0].clone();
                assert!(!fields.ends_with(b"\x2a\x01\x07"), "{what}: {fields:?}");
            }
        }
    }
}

#[test]
fn compressed_frames_go_on_uncompressed() {
    let eve = text(&json!({ "stringValue": "eve" }));
    let secret = text(&json!({ "bytesValue": "c2VjcmV0", "int32Value": 1 }));
    for gateway in hosts(json!({})) {
        for (encoding, compress) in ENCODINGS {
            let request = native("/test.everything.Echo/Post").header("grpc-encoding", encoding);
            let exchange = gateway.request(request.chunk(frame(1, &compress(&eve))));
            let forwarded = exchange.forwarded();
            assert_eq!(messages(&forwarded), [vouched()], "{encoding}");
            let named = forwarded.headers.get("grpc-encoding");
            assert!(matches!(named, None | Some("identity")), "{named:?}");
            let response = Response::grpc()
                .header("grpc-encoding", encoding)
                .chunk(frame(1, &compress(&secret)))
                .trailer("grpc-status", "0");
            exchange.respond(response);
            let answer = exchange.answer();
            assert_eq!(messages(&answer), [json!({ "int32Value": 1 })], "{encoding}");
            assert_eq!(answer.headers.get("grpc-encoding"), None);
        }
        let request = native("/test.everything.Echo/Post").header("grpc-encoding", "zstd");
        let exchange = gateway.request(request.chunk(frame(1, &eve)));
        let (status, message) = refusal(&exchange);
        assert_eq!(status, "12", "{message}");
        let accepted = exchange.answer().headers.get("grpc-accept-encoding").map(str::to_owned);
        assert_eq!(accepted.as_deref(), Some("identity,deflate,gzip"));
        for broken in [frame(1, &eve), frame(2, &eve)] {
            let request = native("/test.everything.Echo/Post").header("grpc-encoding", "gzip");
            let (status, message) = refusal(&gateway.request(request.chunk(broken)));
            assert_eq!(status, "13", "{message}");
        }
    }
}

#[test]
fn a_service_is_told_of_the_encodings_in_which_its_answer_can_be_changed() {
    let response_alone =
        json!([{ "selector": "test.everything.Echo.Post", "response": [{ "remove": ["bytes_value"] }] }]);
    let request_alone =
        json!([{ "selector": "test.everything.Echo.Post", "request": [{ "remove": ["bytes_value"] }] }]);
    for (transforms, accepted, told) in [
        (guarded(), "zstd, gzip", "identity,deflate,gzip"),
        (guarded(), "gzip, identity", "gzip, identity"),
        (response_alone.clone(), "zstd", "identity,deflate,gzip"),
        (response_alone, "deflate", "deflate"),
        (request_alone, "zstd", "zstd"),
    ] {
        for gateway in hosts(json!({ "transforms": transforms })) {
            let request = native("/test.everything.Echo/Post").header("grpc-accept-encoding", accepted);
            let forwarded = gateway.request(request.chunk(frame(0, b""))).forwarded();
            assert_eq!(forwarded.headers.get("grpc-accept-encoding"), Some(told), "{accepted}");
            assert_eq!(forwarded.messages().len(), 1);
        }
    }
}

#[test]
fn a_native_answer_is_changed_and_its_trailers_are_not() {
    let secret = text(&json!({ "bytesValue": "c2VjcmV0", "int32Value": 1, "anotherName": "telephone" }));
    for gateway in hosts(json!({})) {
        for cut in [1, 6, 1000] {
            let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(frame(0, b"")));
            let mut response = Response::grpc().header("initial", "yes");
            for chunk in frame(0, &secret).chunks(cut) {
                response = response.chunk(chunk);
            }
            exchange.respond(response.trailer("grpc-status", "0").trailer("end", "yes"));
            let answer = exchange.answer();
            assert_eq!(messages(&answer), [json!({ "int32Value": 1, "anotherName": "***ne" })]);
            assert_eq!(answer.headers.get("initial"), Some("yes"));
            // nginx sends them on by itself.
            if let Some(trailers) = answer.trailers {
                assert_eq!(
                    (trailers.get("grpc-status"), trailers.get("end")),
                    (Some("0"), Some("yes"))
                );
            }
        }
        let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(frame(0, b"")));
        exchange.respond(Response::error(5, "none").header("key", "value"));
        let answer = exchange.answer();
        assert_eq!(answer.headers.get("grpc-status"), Some("5"));
        assert_eq!(answer.headers.get("key"), Some("value"));
    }
}

#[test]
fn a_conversation_goes_on_message_by_message() {
    for host in [
        Host::envoy(),
        Host::envoy().without_headers_stop_iteration(),
        Host::envoy().module_of_cargo_alone(),
    ] {
        let gateway = load(host, json!({}));
        let exchange = gateway.request(native("/test.everything.Streams/Chat").open());
        assert_eq!(exchange.progress(), Progress::WaitsForClient);
        exchange.forwarded();
        exchange.respond_headers(&Response::ok(b""));
        assert_eq!(exchange.so_far().status(), 200, "the headers don't wait");
        for number in 1..4 {
            let question = text(&json!({ "stringValue": "eve", "int32Value": number }));
            exchange.send(frame(0, &question), false);
            let sent = messages(&exchange.forwarded());
            assert_eq!(sent.len(), number);
            assert_eq!(sent[number - 1], json!({ "stringValue": "ada", "int32Value": number }));
            let answer = text(&json!({ "child": { "name": "secret" }, "int32Value": number }));
            exchange.respond_data(frame(0, &answer), false);
            let answers = messages(&exchange.so_far());
            assert_eq!(answers[number - 1], json!({ "child": {}, "int32Value": number }));
        }
        exchange.send("", true);
        exchange.respond_trailers(&[("grpc-status", "0")]);
        assert_eq!(exchange.answer().trailers.unwrap().get("grpc-status"), Some("0"));
    }
}

#[test]
fn a_request_alone_leaves_the_answer_alone_and_the_other_way_round() {
    let request_alone =
        json!([{ "selector": "test.everything.Echo.Post", "request": [{ "remove": ["bytes_value"] }] }]);
    let response_alone =
        json!([{ "selector": "test.everything.Echo.Post", "response": [{ "remove": ["bytes_value"] }] }]);
    let secret = text(&json!({ "bytesValue": "c2VjcmV0" }));
    let exchange = |transforms: &Value| {
        let gateway = served(json!({ "transforms": transforms }));
        let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(frame(0, &secret)));
        // No sequence of frames, in a direction that isn't looked at.
        let compressed = frame(1, &secret);
        let contents = if transforms == &request_alone {
            &compressed
        } else {
            &frame(0, &secret)
        };
        exchange.respond(
            Response::grpc()
                .header("grpc-encoding", "own")
                .chunk(contents)
                .trailer("grpc-status", "0"),
        );
        let (sent, answer) = (exchange.forwarded().body(), exchange.answer().body());
        (sent, answer, exchange.host_calls())
    };
    let calls = |calls: &[(HostCall, u32)]| calls.iter().copied().collect::<BTreeMap<_, _>>();
    let (sent, answer, counted) = exchange(&request_alone);
    assert_eq!((sent, answer), (frame(0, b""), frame(1, &secret)));
    assert_eq!(counted, calls(&[(GetHeaders, 1), (GetBuffer, 1), (SetBuffer, 1)]));
    let (sent, answer, counted) = exchange(&response_alone);
    assert_eq!((sent, answer), (frame(0, &secret), frame(0, b"")));
    let expected = [(GetHeaders, 2), (RemoveHeader, 1), (GetBuffer, 1), (SetBuffer, 1)];
    assert_eq!(counted, calls(&expected));
}

#[test]
fn a_method_without_transforms_costs_and_changes_nothing() {
    let body = frame(0, b"\x18\x05\xff\xff\0unreadable");
    for path in ["/test.everything.Paths/Single", "/other.Service/Method"] {
        let gateway = served(json!({}));
        let exchange = gateway.request(native(path).header("grpc-encoding", "own").chunk(&body));
        assert_eq!(exchange.forwarded().body(), body);
        exchange.respond(Response::grpc().chunk(&body).trailer("grpc-status", "0"));
        assert_eq!(exchange.answer().body(), body);
        assert_eq!(exchange.host_calls(), BTreeMap::from([(GetHeaders, 1)]), "{path}");
    }
    // Nor where an entry's condition isn't met.
    let transforms = json!([{
        "selector": "test.everything.Echo.Post",
        "when": { "header": "x-role", "is": ["guest"] },
        "request": [{ "remove": ["int32_value"] }],
    }]);
    let gateway = served(json!({ "transforms": transforms }));
    let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(&body));
    assert_eq!(exchange.forwarded().body(), body);
    assert_eq!(exchange.host_calls(), BTreeMap::from([(GetHeaders, 1)]));
}

// Errors of native calls

#[test]
fn a_body_that_is_no_sequence_of_messages_is_an_error_wherever_it_ends() {
    let whole = frame(0, &text(&json!({ "int32Value": 7 })));
    let tries = [
        ("a part of a prefix", whole[..3].to_vec(), "13"),
        ("a part of a message", whole[..6].to_vec(), "13"),
        ("a part behind a message", [&whole[..], &whole[..2]].concat(), "13"),
        ("no flags", frame(7, b""), "13"),
        ("trailers", frame(0x80, b"grpc-status:0\r\n"), "13"),
        ("no message", frame(0, b"\x72\x05eve"), "3"),
        ("too long", [&[0, 0xff, 0xff, 0xff, 0xff][..], b"x"].concat(), "8"),
    ];
    for gateway in hosts(json!({})) {
        for (what, body, expected) in &tries {
            let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(body));
            let (status, message) = refusal(&exchange);
            assert_eq!(status, *expected, "{what}: {message}");
        }
    }
    // Trailers end a request too.
    let request = native("/test.everything.Echo/Post")
        .chunk(&whole[..6])
        .trailer("t", "1");
    assert_eq!(refusal(&envoy(json!({})).request(request)).0, "13");
    let request = native("/test.everything.Echo/Post").chunk(&whole).trailer("t", "1");
    let exchange = envoy(json!({})).request(request);
    assert_eq!(exchange.forwarded().trailers.unwrap().get("t"), Some("1"));
}

#[test]
fn an_error_behind_the_beginning_of_the_answer_resets_the_call() {
    let gateway = envoy(json!({}));
    for path in ["/test.everything.Streams/Chat", "/test.everything.Streams/Collect"] {
        let exchange = gateway.request(native(path).open());
        exchange.respond_headers(&Response::ok(b""));
        exchange.send(frame(9, b""), false);
        assert_eq!(exchange.progress(), Progress::Reset, "{path}");
    }
}

#[test]
fn an_answer_that_fails_has_a_status_that_says_so() {
    let good = frame(0, &text(&json!({ "int32Value": 7 })));
    let tries = [
        ("no message", frame(0, b"\x72\x05eve"), "13"),
        ("no flags", frame(7, b""), "13"),
        ("its end is missing", good[..6].to_vec(), "13"),
        ("too long", [&[0, 0xff, 0xff, 0xff, 0xff][..], b"x"].concat(), "8"),
        ("compressed, by nothing", frame(1, b"x"), "13"),
    ];
    for (what, bad, expected) in &tries {
        let exchange = envoy(json!({})).request(native("/test.everything.Echo/Post").chunk(frame(0, b"")));
        let response = Response::grpc().chunk([&good[..], bad].concat());
        let response = response
            .trailer("grpc-status", "0")
            .trailer("grpc-status-details-bin", "AAAA");
        exchange.respond(response.trailer("end", "yes"));
        let answer = exchange.answer();
        assert_eq!(messages(&answer), [json!({ "int32Value": 7 })], "{what}");
        let trailers = answer.trailers.unwrap();
        assert_eq!(trailers.get("grpc-status"), Some(*expected), "{what}: {trailers:?}");
        assert_eq!(trailers.get("grpc-status-details-bin"), None);
        assert_eq!(trailers.get("end"), Some("yes"));
        // nginx shows no trailers: what the client gets is no frame.
        let kong = load(Host::kong(), json!({}));
        let exchange = kong.request(native("/test.everything.Echo/Post").chunk(frame(0, b"")));
        exchange.respond(
            Response::grpc()
                .chunk([&good[..], bad].concat())
                .trailer("grpc-status", "0"),
        );
        let body = exchange.answer().body();
        assert_eq!(body, [&good[..], b"\xff\0\0\0\0"].concat(), "{what}");
    }
    // A stream that goes on behind an error is broken off.
    let exchange = envoy(json!({})).request(native("/test.everything.Streams/Chat").chunk(""));
    exchange.respond_headers(&Response::ok(b""));
    exchange.respond_data(frame(7, b""), false);
    assert_eq!(exchange.so_far().body(), b"");
    exchange.respond_data(&good, false);
    assert_eq!(exchange.progress(), Progress::Reset);
}

#[test]
fn an_answer_that_is_no_grpc_is_not_passed_for_one() {
    let secret = frame(0, &text(&json!({ "bytesValue": "c2VjcmV0" })));
    for content_type in ["application/grpc+json", "text/plain"] {
        let exchange = envoy(json!({})).request(native("/test.everything.Echo/Post").chunk(frame(0, b"")));
        let response = Response::new(200).header("content-type", content_type).chunk(&secret);
        exchange.respond(response.trailer("grpc-status", "0"));
        assert_eq!(refusal(&exchange).0, "13", "{content_type}");
    }
    for gateway in hosts(json!({})) {
        let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(frame(0, b"")));
        exchange.respond(Response::new(503).header("content-type", "text/plain").chunk("down"));
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.body()), (503, b"down".to_vec()));
        for status in [206, 500] {
            let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(frame(0, b"")));
            let response = Response::new(status)
                .header("content-type", "application/grpc")
                .chunk(&secret);
            exchange.respond(response.trailer("grpc-status", "0"));
            let answer = exchange.answer();
            assert_eq!((answer.status(), answer.messages()), (status, vec![Vec::new()]));
        }
    }
}

#[test]
fn an_incomplete_frame_is_all_that_is_kept() {
    let gateway = envoy(json!({}));
    let exchange = gateway.request(native("/test.everything.Streams/Chat").open());
    let message = frame(0, &text(&json!({ "int32Value": 7 })));
    let three_and_a_part = [&message.repeat(3)[..], &message[..4]].concat();
    exchange.send(&three_and_a_part, false);
    assert_eq!(messages(&exchange.forwarded()).len(), 3);
    exchange.send(&message[4..], false);
    assert_eq!(messages(&exchange.forwarded()).len(), 4);
}

// gRPC-Web

fn web(content_type: &str, body: Vec<u8>) -> Request {
    let request = Request::post("/test.everything.Echo/Post").header("content-type", content_type);
    request.header("x-user", "ada").body(body)
}

#[test]
fn grpc_web_is_changed_in_either_form() {
    let eve = frame(0, &text(&json!({ "stringValue": "eve" })));
    let secret = frame(0, &text(&json!({ "bytesValue": "c2VjcmV0", "int32Value": 1 })));
    let last = frame(0x80, b"grpc-status:0\r\nend:yes\r\n");
    let seen = frame(0, &text(&json!({ "int32Value": 1 })));
    for gateway in hosts(json!({})) {
        let exchange = gateway.request(web("application/grpc-web+proto", eve.clone()));
        let forwarded = exchange.forwarded();
        assert_eq!(messages(&forwarded), [vouched()]);
        assert_eq!(
            forwarded.headers.get("content-type"),
            Some("application/grpc-web+proto")
        );
        let response = Response::new(200).header("content-type", "application/grpc-web+proto");
        exchange.respond(response.chunk(&secret).chunk(&last));
        assert_eq!(exchange.answer().body(), [&seen[..], &last].concat());
    }
    // With the trailers frame as Envoy's filter makes it, behind which the trailers come.
    let gateway = envoy(json!({}));
    let exchange = gateway.request(web("application/grpc-web", eve.clone()));
    exchange.respond_headers(
        &Response::new(200)
            .header("content-type", "application/grpc-web+proto")
            .chunk(""),
    );
    exchange.respond_data(&secret, false);
    exchange.respond_data(&last, false);
    exchange.respond_trailers(&[]);
    assert_eq!(exchange.answer().body(), [&seen[..], &last].concat());
}

fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

/// What padded pieces of base64, one behind the other, hold.
fn unbase64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in text.chunks(4) {
        bytes.extend(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, group).unwrap());
    }
    bytes
}

#[test]
fn grpc_web_in_base64_is_changed_however_it_is_cut() {
    let eve = frame(0, &text(&json!({ "stringValue": "eve" })));
    let (head, tail) = eve.split_at(5);
    let bodies = [base64(&eve), base64(head) + &base64(tail)];
    let secret = frame(0, &text(&json!({ "bytesValue": "c2VjcmV0", "int32Value": 1 })));
    let last = frame(0x80, b"grpc-status:0\r\n");
    for body in &bodies {
        for cut in [1, 3, 4, 7, 1000] {
            let gateway = envoy(json!({}));
            let mut request = Request::post("/test.everything.Echo/Post")
                .header("content-type", "application/grpc-web-text+proto")
                .header("x-user", "ada");
            for chunk in body.as_bytes().chunks(cut) {
                request = request.chunk(chunk);
            }
            let exchange = gateway.request(request);
            let sent = exchange.forwarded().body();
            let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &sent).unwrap();
            assert_eq!(decoded, frame(0, &text(&vouched())), "{cut}");
            let mut response = Response::new(200).header("content-type", "application/grpc-web-text+proto");
            let answer = base64(&secret) + &base64(&last);
            for chunk in answer.as_bytes().chunks(cut) {
                response = response.chunk(chunk);
            }
            exchange.respond(response);
            let expected = [frame(0, &text(&json!({ "int32Value": 1 }))), last.clone()].concat();
            assert_eq!(unbase64(&exchange.answer().body()), expected, "{cut}");
        }
    }
    for bad in ["AAA", "!!!!", "AAAAAAA"] {
        let exchange = envoy(json!({})).request(web("application/grpc-web-text", bad.into()));
        assert_eq!(refusal(&exchange).0, "13", "{bad}");
    }
}

#[test]
fn a_grpc_web_answer_that_fails_has_its_status_in_its_last_frame() {
    let gateway = envoy(json!({}));
    let exchange = gateway.request(web("application/grpc-web+proto", frame(0, b"")));
    let response = Response::new(200).header("content-type", "application/grpc-web+proto");
    let last = frame(0x80, b"grpc-status:0\r\n");
    exchange.respond(response.chunk(frame(0, b"\x72\x05eve")).chunk(&last));
    fails(&exchange);
    // It ends in the midst of a frame, which the last one would complete.
    let exchange = gateway.request(web("application/grpc-web+proto", frame(0, b"")));
    exchange.respond_headers(
        &Response::new(200)
            .header("content-type", "application/grpc-web+proto")
            .chunk(""),
    );
    exchange.respond_data(b"\0\0\0\0\x14\x0a", false);
    exchange.respond_data(&last, false);
    exchange.respond_trailers(&[]);
    fails(&exchange);
}

/// The answer is gRPC-Web's last frame alone, which says that it failed.
fn fails(exchange: &Exchange) {
    let body = exchange.answer().body();
    assert_eq!(body[0], 0x80, "{body:?}");
    let block = String::from_utf8(body[5..].to_vec()).unwrap();
    assert!(block.starts_with("grpc-status:13\r\ngrpc-message:"), "{block}");
}

// Ways around

#[test]
fn messages_in_another_form_are_refused() {
    let content_types = [
        "application/grpc+json",
        "application/grpc+thrift",
        "application/grpc-web+json",
        "application/grpc-web-text+thrift",
        "application/grpc,text/plain",
    ];
    for gateway in hosts(json!({})) {
        for content_type in content_types {
            let request = Request::post("/test.everything.Echo/Post").header("content-type", content_type);
            let (status, message) = refusal(&gateway.request(request.http2().chunk(frame(0, b"{}"))));
            assert_eq!(status, "12", "{content_type}: {message}");
            assert!(message.contains("/test.everything.Echo/Post"), "{message}");
        }
        let request = native("/test.everything.Echo/Post").header("content-type", "application/grpc+proto");
        let (status, message) = refusal(&gateway.request(request.chunk(frame(0, b"{}"))));
        assert_eq!(status, "12", "{message}");
    }
}

/// Paths under which a server may take a call for one of `Echo/Post`, or of a method without a route.
const DISGUISES: [&str; 14] = [
    "/test.everything.Echo/Post?x",
    "/test.everything.echo/post",
    "//test.everything.Echo/Post",
    "/test.everything.Echo//Post",
    "/test.everything.Echo/Post/",
    "/test.everything.Echo/%50ost",
    "/test.everything.Echo%2FPost",
    "/test.everything.Echo/%2550ost",
    "/test.everything.Echo/./Post",
    "/test.everything.Echo/x/../Post",
    "/test.everything.Echo;x/Post",
    "/prefix/test.everything.Echo/Post",
    "/test.everything.Echo/Post%20",
    "/test.everything.Echo/unannotated",
];

#[test]
fn a_path_that_may_be_taken_for_a_guarded_methods_is_refused() {
    for (more, pass_through) in [
        (json!({ "unmatched": "pass_through" }), true),
        (json!({}), true),
        (json!({ "native_grpc": "served" }), false),
    ] {
        for gateway in hosts(more.clone()) {
            for path in DISGUISES {
                let (status, message) = refusal(&gateway.request(native(path).chunk(frame(0, b""))));
                assert_eq!(status, "12", "{path} {more}: {message}");
                assert!(
                    message.contains("letter for letter") == pass_through,
                    "{path} {more}: {message}"
                );
            }
        }
    }
}

#[test]
fn no_other_content_type_calls_a_guarded_method() {
    for gateway in hosts(json!({ "unmatched": "pass_through", "auto_mapping": false })) {
        for path in DISGUISES
            .iter()
            .chain(&["/test.everything.Echo/Post", "/test.everything.Echo/Unannotated"])
        {
            for content_type in [
                "text/plain",
                "application/proto",
                "application/json,application/grpc",
                "",
            ] {
                let request = Request::post(path).header("content-type", content_type);
                let exchange = gateway.request(request.http2().chunk(frame(0, b"")));
                let (status, code, message) = error(&exchange);
                assert_eq!((status, code), (501, 12), "{path} {content_type}: {message}");
            }
        }
        // What has nothing to do with it passes.
        let exchange = gateway.request(Request::get("/page?of=/test.everything.Echo/Post"));
        exchange.forwarded();
    }
    let gateway = envoy(json!({ "auto_mapping": false }));
    let preflight = |path: &str| {
        Request::new("OPTIONS", path)
            .header("origin", "http://else.where")
            .header("access-control-request-method", "POST")
    };
    let upgrade = |path: &str| {
        Request::get(path)
            .header("upgrade", "websocket")
            .header("connection", "upgrade")
    };
    for request in [preflight as fn(&str) -> Request, upgrade] {
        let exchange = gateway.request(request("/test.everything.Echo/Post"));
        assert_ne!(exchange.answer().status(), 200);
        gateway.request(request("/elsewhere")).forwarded();
    }
}

#[test]
fn a_connect_client_is_refused_where_a_bridge_would_make_its_call() {
    for more in [
        json!({ "upstream": { "connect_bridge": true }, "unmatched": "pass_through", "auto_mapping": false }),
        json!({ "upstream": { "connect_bridge": true }, "auto_mapping": false }),
    ] {
        let gateway = envoy(more);
        for path in ["/test.everything.Echo/Post", "/test.everything.Echo/Unannotated"] {
            let unary = Request::post(path)
                .header("connect-protocol-version", "1")
                .header("content-type", "application/proto")
                .body("x");
            let streaming = Request::post(path)
                .header("content-type", "application/connect+proto")
                .body("x");
            let get = Request::get(&format!("{path}?connect=v1&encoding=proto&message="));
            for request in [unary, streaming, get] {
                let exchange = gateway.request(request);
                assert!([404, 501].contains(&exchange.answer().status()), "{path}");
            }
        }
    }
}

#[test]
fn a_guard_holds_for_methods_without_a_route() {
    for gateway in hosts(json!({ "auto_mapping": false })) {
        let eve = text(&json!({ "stringValue": "eve" }));
        let exchange = gateway.request(native("/test.everything.Echo/Unannotated").chunk(frame(0, &eve)));
        assert_eq!(messages(&exchange.forwarded()), [vouched()]);
    }
}

// Kong

#[test]
fn kongs_properties_are_sources_and_unknown_ones_are_absent() {
    let transforms = json!([{ "selector": "test.everything.Echo.Post", "request": [
        { "set": { "field": "string_value", "property": ["kong", "route_name"] } },
        { "set": { "field": "renamed", "property": ["kong", "no", "such"] } },
        { "set": { "field": "optional_string", "property": ["ngx", "remote_user"] } },
        { "set": { "field": "int32_value", "property": ["a", "b"] } },
    ] }]);
    let host = Host::kong().property(&["kong", "route_name"], "orders");
    let gateway = load(host, json!({ "transforms": transforms }));
    let body = json!({ "anotherName": "eve", "optionalString": "eve", "int32Value": 5 });
    let exchange = gateway.request(Request::post("/v1/echo").json(&body.to_string()));
    assert_eq!(call_of(&exchange).1, json!({ "stringValue": "orders" }));
}

#[test]
fn a_native_request_without_messages_goes_on_in_kong() {
    let gateway = load(Host::kong(), json!({}));
    let exchange = gateway.request(native("/test.everything.Streams/Collect"));
    assert_eq!(
        exchange.forwarded().headers.get(":path"),
        Some("/test.everything.Streams/Collect")
    );
}

#[test]
fn a_native_request_too_long_for_kongs_buffer_is_refused_in_grpcs_terms() {
    let gateway = load(Host::kong(), json!({}));
    let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(frame(0, &[0; 9000])));
    let (status, message) = refusal(&exchange);
    assert_eq!(status, "8", "{message}");
    assert!(message.contains("nginx_http_client_body_buffer_size"), "{message}");
}

// Values

#[test]
fn a_value_that_a_struct_has_rounded_is_refused() {
    let loads = |field: &str, value: Value| {
        let transforms = json!([{ "selector": "test.everything.Echo.*", "request": [
            { "set": { "field": field, "value": value } }
        ] }]);
        let configuration = json!({ "proto": schema::PROTO, "transforms": transforms }).to_string();
        Host::envoy().load_struct(&configuration)
    };
    // 2^53 + 1, which as a double is 2^53.
    let large = 9_007_199_254_740_993_i64;
    for (field, value) in [
        ("int64_value", json!(large)),
        ("uint64_value", json!(large)),
        ("sint64_value", json!(-large)),
        ("int64_wrapper", json!(large)),
        ("self", json!({ "int64Value": large })),
        ("self", json!({ "self": { "sint64s": [1, large] } })),
    ] {
        let errors = loads(field, value).err().map(|refused| format!("{refused:?}"));
        let errors = errors.unwrap_or_default();
        assert!(
            errors.contains("transforms[0].request[0].set.value: expected a 64-bit integer this large in quotes"),
            "{field}: {errors}"
        );
    }
    for (field, value) in [
        ("int64_value", json!(large.to_string())),
        ("int64_value", json!(large - 2)),
        ("double_value", json!(large)),
        ("self", json!({ "doubleValue": 1e300, "int64Value": "5" })),
        ("value", json!({ "int64Value": large })),
    ] {
        if let Err(refused) = loads(field, value) {
            panic!("{field}: {refused:?}");
        }
    }
}

// Memory

#[test]
fn a_call_that_would_hold_more_than_there_is_room_for_is_refused() {
    let gateway = envoy(json!({ "limits": { "max_total_bytes": 1 << 20 } }));
    let begun: Vec<_> = (0..40)
        .map(|_| {
            let exchange = gateway.request(native("/test.everything.Streams/Chat").open());
            let beginning = [&[0, 0, 1, 0, 0][..], &[0; 30_000]].concat();
            exchange.send(beginning, false);
            exchange
        })
        .collect();
    let refused = begun
        .iter()
        .filter(|exchange| exchange.progress() == Progress::Answered);
    let refused: Vec<_> = refused.map(|exchange| refusal(exchange).0).collect();
    assert!((1..20).contains(&refused.len()), "{} of 40 are refused", refused.len());
    assert!(refused.iter().all(|status| status == "8"), "{refused:?}");
    drop(begun);
    let exchange = gateway.request(native("/test.everything.Echo/Post").chunk(frame(0, &text(&json!({})))));
    assert_eq!(messages(&exchange.forwarded()), [vouched()]);
}

#[test]
fn what_is_inflated_or_grows_is_bounded() {
    let gateway = envoy(json!({ "limits": { "max_message_bytes": 10_000 } }));
    for (what, request) in [
        (
            "inflated",
            native("/test.everything.Echo/Post")
                .header("grpc-encoding", "gzip")
                .chunk(frame(1, &crate::compressed::gzip(&[0; 20_000]))),
        ),
        (
            "as it is",
            native("/test.everything.Echo/Post").chunk(frame(0, &[0; 10_001])),
        ),
        (
            "grown",
            native("/test.everything.Echo/Post").chunk(frame(0, &text(&json!({ "bytesValue": base64(&[0; 9_990]) })))),
        ),
    ] {
        let (status, message) = refusal(&gateway.request(request));
        assert_eq!(status, "8", "{what}: {message}");
        assert!(message.contains("limits.max_message_bytes"), "{what}: {message}");
    }
    let (status, code, message) = error(
        &gateway.request(
            Request::post("/v1/echo")
                .header("x-user", "ada")
                .json(&json!({ "bytesValue": base64(&[0; 9_990]) }).to_string()),
        ),
    );
    assert_eq!((status, code), (413, 8), "{message}");
}
