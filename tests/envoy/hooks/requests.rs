//! What hooks are told of requests, and what their answers do to them.

use serde_json::{Value, json};

use super::{WAYS, at, bench, each, hooks, post};
use crate::bench::client::{Http, Request};
use crate::bench::upstream::{Script, frame};

#[tokio::test]
async fn an_echo_changes_nothing() {
    for (listener, version) in each(&["in-place", "call", "bridge", "bodies", "lua", "web", "raw", "narrow"]) {
        let (answer, received) = at(listener)
            .exchange(
                version,
                post(&json!({ "int32Value": 5 })).header("x-a", "1"),
                Script::echo(),
            )
            .await;
        assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
        assert_eq!(answer.json()["int32Value"], 5, "{listener} {version:?}");
        assert_eq!(received.json(), json!({ "int32Value": 5 }), "{listener} {version:?}");
        assert_eq!(received.header("x-a"), Some("1"), "{listener} {version:?}");
        let request = Request::get("/v1/echo?int32Value=5");
        let (answer, received) = at(listener).exchange(version, request, Script::echo()).await;
        assert_eq!(answer.json()["int32Value"], 5, "{listener} {version:?}");
        assert_eq!(received.json(), json!({ "int32Value": 5 }), "{listener} {version:?}");
    }
}

#[tokio::test]
async fn a_pre_hook_gets_all_of_the_request() {
    let script = "o.request.set_headers['x-saw'] = seen(o)";
    for (listener, version) in each(&["in-place", "raw"]) {
        let request = Request::post("/v1/echo?q=1", &json!({ "int32Value": 5 })).header("x-a", "1");
        let request = match listener {
            "in-place" => Request::post("/v1/echo", &json!({ "int32Value": 5 })).header("x-a", "1"),
            _ => request,
        };
        let (_, received) = at(listener)
            .exchange(version, hooks(request.clone(), &[("first", script)]), Script::echo())
            .await;
        let saw: Value = serde_json::from_str(received.header("x-saw").unwrap()).unwrap();
        assert_eq!(saw["hook_type"], "Pre");
        assert_eq!(saw["hook_name"], "first");
        let of = &saw["request"];
        assert_eq!(of["headers"]["X-A"], "1");
        assert!(of["headers"]["Host"].is_string());
        if version == Http::One {
            assert_eq!(of["headers"]["Content-Length"], "16");
        }
        assert_eq!(of["url"], request.target());
        assert_eq!(of["request_uri"], request.target());
        assert_eq!(of["method"], "POST");
        assert_eq!(of["scheme"], "http");
        assert_eq!(of["raw_body"], "eyJpbnQzMlZhbHVlIjo1fQ==");
        assert_eq!(of["return_overrides"], json!({ "response_code": -1 }));
        match listener {
            "raw" => {
                assert_eq!(of["body"], Value::Null);
                assert_eq!(of["params"], json!({ "q": "1" }));
            }
            _ => assert_eq!(of["body"], r#"{"int32Value":5}"#),
        }
        assert_eq!(saw["session"], Value::Null);
        assert_eq!(saw["spec"]["OrgID"], "o1");
        assert_eq!(saw["spec"]["APIID"], "a1");
        assert_eq!(saw["spec"]["config_data"], r#"{"k":"v"}"#);
        assert_eq!(saw["spec"]["client_ip"], "127.0.0.1");
    }
}

#[tokio::test]
async fn headers_are_set_and_deleted() {
    let script = "o.request.set_headers['X-A'] = '2'; o.request.set_headers['X-B'] = '3'; \
                  o.request.delete_headers.extend(['X-B', 'x-c'])";
    for (listener, version) in each(&WAYS) {
        for request in [post(&json!({})), Request::get("/v1/echo")] {
            let request = request
                .header("x-a", "0")
                .header("x-a", "1")
                .header("x-b", "1")
                .header("x-c", "1");
            let (answer, received) = at(listener)
                .exchange(version, hooks(request, &[("first", script)]), Script::echo())
                .await;
            assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
            let values: Vec<_> = received
                .headers
                .iter()
                .filter(|(name, _)| name.as_str() == "x-a")
                .collect();
            assert_eq!(values.len(), 1, "{listener} {version:?}");
            assert_eq!(received.header("x-a"), Some("2"), "{listener} {version:?}");
            assert_eq!(received.header("x-b"), Some("3"), "{listener} {version:?}");
            assert_eq!(received.header("x-c"), None, "{listener} {version:?}");
        }
    }
}

#[tokio::test]
async fn the_raw_body_of_the_answer_is_the_body() {
    for (listener, version) in each(&WAYS) {
        for (script, expected) in [
            (
                r#"o.request.raw_body = b'{"stringValue":"new"}'; o.request.body = 'old'"#,
                json!({ "stringValue": "new" }),
            ),
            (
                r#"o.request.body = '{"stringValue":"new"}'"#,
                json!({ "stringValue": "old" }),
            ),
            ("o.request.raw_body = b''", json!({})),
            // More than what came, and more than its place.
            (
                r#"o.request.raw_body = b'{"stringValue":"' + b'x' * 100000 + b'"}'"#,
                json!({ "stringValue": "x".repeat(100_000) }),
            ),
        ] {
            let (answer, received) = at(listener)
                .exchange(
                    version,
                    hooks(post(&json!({ "stringValue": "old" })), &[("first", script)]),
                    Script::echo(),
                )
                .await;
            assert_eq!(answer.status, 200, "{listener} {version:?} {script} {answer:?}");
            assert_eq!(received.json(), expected, "{listener} {version:?} {script}");
        }
    }
}

#[tokio::test]
async fn params_and_path_are_changed_each_in_its_way() {
    for (listener, version) in each(&WAYS) {
        let changes = "assert o.request.params == {'int32Value': '5', 'strings': 'a', 'x': '1'}; \
                       o.request.add_params['int32Value'] = '9'; o.request.delete_params.append('x')";
        let request = Request::get("/v1/echo?int32Value=5&strings=a&strings=b&x=1");
        let (answer, received) = at(listener)
            .exchange(version, hooks(request, &[("first", changes)]), Script::echo())
            .await;
        assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
        assert_eq!(
            received.json(),
            json!({ "int32Value": 9, "strings": ["a", "b"] }),
            "{listener}"
        );
        let elsewhere = "o.request.url = '/v1/paths/7?kind=99'";
        let request = Request::get("/v1/paths/3?kind=5");
        let (answer, received) = at(listener)
            .exchange(
                version,
                hooks(request, &[("first", elsewhere)]),
                Script::reply(json!({})),
            )
            .await;
        assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
        assert_eq!(received.path, "/test.everything.Paths/Single", "{listener}");
        assert_eq!(received.json(), json!({ "id": "7", "kind": "5" }), "{listener}");
    }
}

#[tokio::test]
async fn a_get_may_become_a_post_with_a_body() {
    let script = r#"o.request.method = 'POST'; o.request.raw_body = b'{"stringValue":"new"}'"#;
    for (listener, version) in each(&["in-place", "call", "bridge", "bodies", "lua"]) {
        let request = hooks(Request::get("/v1/echo"), &[("first", script)]);
        let (answer, received) = at(listener).exchange(version, request, Script::echo()).await;
        assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
        assert_eq!(received.path, "/test.everything.Echo/Post", "{listener}");
        assert_eq!(
            received.json(),
            json!({ "stringValue": "new" }),
            "{listener} {version:?}"
        );
    }
    let request = hooks(Request::get("/v1/echo"), &[("first", script)]);
    let answer = at("strict").refuse(Http::One, request).await;
    assert_eq!(answer.status, 501);
    assert!(
        answer.json()["message"].as_str().unwrap().contains("bodyless: call"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_later_hook_sees_what_an_earlier_one_has_changed() {
    let first = r#"o.request.set_headers['x-a'] = '1'; o.request.url = '/v1/paths/7'; o.request.method = 'GET';
o.request.raw_body = b''; o.request.return_overrides.response_code = 0; o.request.return_overrides.response_error = 'x';
o.request.return_overrides.headers['x-not'] = '1'"#;
    let second = "o.request.set_headers['x-saw'] = seen(o)";
    for (listener, version) in each(&["in-place", "call"]) {
        let request = hooks(
            post(&json!({})),
            &[
                ("first", first),
                ("second", second),
                ("post", "o.request.set_headers['x-method'] = o.spec['grpc_method']"),
            ],
        );
        let (answer, received) = at(listener).exchange(version, request, Script::reply(json!({}))).await;
        assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
        assert_eq!(answer.header("x-not"), None);
        assert_eq!(received.path, "/test.everything.Paths/Single");
        assert_eq!(received.header("x-method"), Some("test.everything.Paths/Single"));
        let saw: Value = serde_json::from_str(received.header("x-saw").unwrap()).unwrap();
        assert_eq!(saw["request"]["headers"]["X-A"], "1");
        assert_eq!(saw["request"]["url"], "/v1/paths/7");
        assert_eq!(saw["request"]["request_uri"], "/v1/echo");
        assert_eq!(saw["request"]["return_overrides"], json!({ "response_code": -1 }));
        assert_eq!(saw["request"]["raw_body"], Value::Null);
    }
}

#[tokio::test]
async fn overrides_without_a_code_are_none() {
    for (listener, version) in each(&["in-place", "call"]) {
        for code in [0, -1, -403] {
            let script = format!("refuse(o, {code}, 'x', 'y', True, x_not='1')");
            let request = hooks(post(&json!({ "int32Value": 5 })), &[("first", &script)]);
            let (answer, received) = at(listener).exchange(version, request, Script::echo()).await;
            assert_eq!(
                answer.json(),
                json!({ "int32Value": 5 }),
                "{listener} {version:?} {code}"
            );
            assert_eq!(answer.header("x-not"), None);
            assert_eq!(
                received.json(),
                json!({ "int32Value": 5 }),
                "{listener} {version:?} {code}"
            );
        }
    }
}

#[tokio::test]
async fn hooks_answer_in_the_services_place() {
    for (listener, version) in each(&["in-place", "call", "bridge", "lua"]) {
        for request in [post(&json!({})), Request::get("/v1/echo")] {
            let script = r#"refuse(o, 403, 'no "x"', x_r='1')"#;
            let answer = at(listener)
                .refuse(version, hooks(request.clone(), &[("first", script)]))
                .await;
            assert_eq!(answer.status, 403, "{listener} {version:?}");
            assert_eq!(answer.body, "{\n    \"error\": \"no \\\"x\\\"\"\n}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("x-r"), Some("1"));
            assert_eq!(answer.header("x-generator"), Some("tyk.io"));
            let script = r#"refuse(o, 200, '{"a":1}', Content_Type='application/json')"#;
            let answer = at(listener)
                .refuse(
                    version,
                    hooks(
                        request.clone(),
                        &[("post", script), ("response", "o.response.status_code = 500")],
                    ),
                )
                .await;
            assert_eq!(
                (answer.status, &answer.body[..]),
                (200, &br#"{"a":1}"#[..]),
                "{listener} {version:?}"
            );
            let script = "refuse(o, 400, body='nope', verbatim=True, WWW_Authenticate='Basic')";
            let answer = at(listener)
                .refuse(version, hooks(request.clone(), &[("second", script)]))
                .await;
            assert_eq!(
                (answer.status, &answer.body[..]),
                (400, &b"nope"[..]),
                "{listener} {version:?}"
            );
            assert_eq!(answer.header("www-authenticate"), Some("Basic"));
            let script = "refuse(o, 301, Location='/there')";
            let answer = at(listener).refuse(version, hooks(request, &[("first", script)])).await;
            assert_eq!(
                (answer.status, &answer.body[..]),
                (301, &b""[..]),
                "{listener} {version:?}"
            );
            assert_eq!(answer.header("location"), Some("/there"));
        }
    }
}

#[tokio::test]
async fn what_a_request_becomes_is_held_within_envoys_buffer() {
    // Nothing that came is in it: a message may become as long, and no longer.
    for (version, buffer) in [(Http::One, 32 * 1024), (Http::Two, 65_535)] {
        for (length, expected) in [
            (20_000, 200),
            (buffer - 300, 200),
            (buffer + 300, 413),
            (5_000_000, 413),
        ] {
            let script = format!(r#"o.request.raw_body = b'{{"stringValue":"' + b'x' * {length} + b'"}}'"#);
            let request = hooks(post(&json!({})), &[("first", &script)]);
            if expected == 200 {
                let (answer, _) = at("narrow").exchange(version, request, Script::reply(json!({}))).await;
                assert_eq!(answer.status, 200, "{version:?} {length} {answer:?}");
            } else {
                let answer = at("narrow").refuse(version, request).await;
                assert_eq!(answer.status, 413, "{version:?} {length} {answer:?}");
            }
        }
        // What came is never held by Envoy.
        let long = post(&json!({ "stringValue": "x".repeat(500_000) }));
        let script = r#"o.request.raw_body = b'{"int32Value":5}'"#;
        let (answer, received) = at("narrow")
            .exchange(version, hooks(long, &[("first", script)]), Script::echo())
            .await;
        assert_eq!(answer.status, 200, "{version:?} {answer:?}");
        assert_eq!(received.json(), json!({ "int32Value": 5 }));
        // Calls don't stay in Envoy's buffers.
        let long = post(&json!({ "stringValue": "x".repeat(5_000_000) }));
        let (answer, received) = at("call").exchange(version, long, Script::reply(json!({}))).await;
        assert_eq!(answer.status, 200, "{version:?} {answer:?}");
        assert_eq!(received.messages[0].len(), 5_000_005);
        let long = post(&json!({ "stringValue": "x".repeat(900_000) }));
        let (answer, _) = at("in-place").exchange(version, long, Script::reply(json!({}))).await;
        assert_eq!(answer.status, 200, "{version:?} {answer:?}");
    }
    assert_eq!(bench().traps(), "");
}

/// Short bodies stay in Envoy's buffer while hooks are asked, where what hooks made of them takes their place.
#[tokio::test]
async fn bodies_around_the_length_that_stays_in_the_buffer_become_others() {
    let text = |length: usize| json!({ "stringValue": "x".repeat(length - r#"{"stringValue":""}"#.len()) });
    for (listener, version) in each(&["in-place", "tiny"]) {
        for length in [20, 1023, 1024, 1025, 5000] {
            let sent = text(length);
            let scripts = [
                ("", sent.clone()),
                (
                    r#"o.request.raw_body = b'{"stringValue":"' + b'y' * 3000 + b'"}'"#,
                    json!({ "stringValue": "y".repeat(3000) }),
                ),
                ("o.request.raw_body = b'{}'", json!({})),
            ];
            for (script, expected) in scripts {
                let whole = post(&sent);
                let declared = Request::post("/v1/echo", &sent).header("content-length", length.to_string());
                let with_trailers = || declared.clone().trailer("x-trailer", "t");
                let mut requests = vec![whole];
                if version == Http::Two {
                    requests.push(declared.clone());
                    // Of a longer one with trailers, nothing can be changed any more.
                    requests.extend((length <= 1024).then(with_trailers));
                }
                for request in requests {
                    let at_request = format!("{listener} {version:?} {length} {script:?} {request:?}");
                    let (answer, received) = at(listener)
                        .exchange(version, hooks(request, &[("first", script)]), Script::echo())
                        .await;
                    assert_eq!(answer.status, 200, "{at_request} {answer:?}");
                    assert_eq!(received.json(), expected, "{at_request}");
                }
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_asked_about() {
    for version in Http::BOTH {
        let long = json!({ "stringValue": "x".repeat(1000) });
        let answer = at("small").refuse(version, post(&long)).await;
        assert_eq!(answer.status, 413, "{version:?} {answer:?}");
        assert!(
            answer.json()["message"]
                .as_str()
                .unwrap()
                .contains("limits.max_request_bytes")
        );
    }
}

#[tokio::test]
async fn a_body_that_is_not_text_is_seen_as_bytes() {
    for (listener, version) in each(&["in-place", "raw"]) {
        let request = Request::new("POST", "/v1/echo")
            .header("content-type", "application/json")
            .body(&b"\"\xff"[..]);
        let script = "assert o.request.raw_body == b'\"\\xff' and o.request.body == ''; refuse(o, 418)";
        let answer = at(listener)
            .refuse(version, hooks(request.clone(), &[("first", script)]))
            .await;
        assert_eq!(answer.status, 418, "{listener} {version:?} {answer:?}");
        let answer = at(listener).refuse(version, request).await;
        assert_eq!(answer.status, 400, "{listener} {version:?} {answer:?}");
    }
}

#[tokio::test]
async fn calls_belong_to_the_trace_of_the_request() {
    let script = "o.request.set_headers['x-saw'] = json.dumps(metadata)";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = hooks(post(&json!({})), &[("first", script)]).header("traceparent", trace);
    let (_, received) = at("in-place").exchange(Http::One, request, Script::echo()).await;
    let saw: Value = serde_json::from_str(received.header("x-saw").unwrap()).unwrap();
    assert_eq!(saw["traceparent"], trace);
    assert!(saw["x-request-id"].is_string(), "{saw}");
}

#[tokio::test]
async fn hooks_are_asked_about_what_no_method_is_bound_to() {
    for version in Http::BOTH {
        let refusal = [("second", "refuse(o, 418)")];
        let unbound = Request::get("/v1/nothing");
        let answer = at("in-place").refuse(version, hooks(unbound.clone(), &refusal)).await;
        assert_eq!(answer.status, 418, "{version:?}");
        assert_eq!(
            at("in-place")
                .refuse(version, hooks(unbound.clone(), &[("post", "refuse(o, 418)")]))
                .await
                .status,
            404
        );
        let (answer, received) = at("in-place")
            .exchange(
                version,
                hooks(unbound, &[("first", "o.request.url = '/v1/echo'")]),
                Script::echo(),
            )
            .await;
        assert_eq!(answer.status, 200, "{version:?} {answer:?}");
        assert_eq!(received.path, "/test.everything.Echo/Query");
    }
}

#[tokio::test]
async fn a_stream_of_messages_goes_on_whole() {
    for version in Http::BOTH {
        let request = Request::post(
            "/v1/streams:collect",
            &json!([{ "int32Value": 1 }, { "int32Value": 2 }]),
        );
        let script = r#"o.request.raw_body = o.request.raw_body[:-1] + b',{"int32Value":3}]'"#;
        let (answer, received) = at("in-place")
            .exchange(version, hooks(request, &[("first", script)]), Script::reply(json!({})))
            .await;
        assert_eq!(answer.status, 200, "{version:?} {answer:?}");
        assert_eq!(
            received.messages,
            [&b"\x18\x01"[..], b"\x18\x02", b"\x18\x03"],
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn a_request_may_end_with_trailers() {
    let request = post(&json!({ "int32Value": 5 })).trailer("x-trailer", "t");
    let script = r#"o.request.raw_body = b'{"stringValue":"longer than what came"}'"#;
    let (answer, received) = at("in-place")
        .exchange(Http::Two, hooks(request, &[("first", script)]), Script::echo())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(received.json(), json!({ "stringValue": "longer than what came" }));
}

#[tokio::test]
async fn transforms_see_what_hooks_have_set() {
    let script = [
        ("first", "o.request.set_headers['x-a'] = 'hooked'"),
        ("response", "assert o.response.body == '{\"stringValue\":\"hooked\"}'"),
    ];
    for version in Http::BOTH {
        let request = hooks(post(&json!({ "int32Value": 5 })).header("x-a", "client"), &script);
        let (answer, received) = at("transforms").exchange(version, request, Script::echo()).await;
        assert_eq!(
            answer.json(),
            json!({ "stringValue": "hooked" }),
            "{version:?} {answer:?}"
        );
        assert_eq!(received.json(), json!({ "int32Value": 5, "stringValue": "hooked" }));
        let request = Request::new("POST", "/test.everything.Echo/Post")
            .header("content-type", "application/grpc")
            .body(frame(0, b"\x18\x05"));
        let (answer, received) = at("transforms")
            .exchange(version, hooks(request, &script), Script::echo())
            .await;
        assert_eq!(
            received.json(),
            json!({ "int32Value": 5, "stringValue": "hooked" }),
            "{version:?}"
        );
        assert_eq!(answer.body, frame(0, b"\x72\x06hooked"), "{version:?} {answer:?}");
    }
}

/// An echo changes nothing, a path that can't be read neither: it is the client's error, as without hooks.
#[tokio::test]
async fn a_malformed_path_is_the_clients_error() {
    for (listener, version) in each(&["in-place", "lenient"]) {
        for (request, status) in [
            (Request::get("/v1/paths/%zz"), 400),
            (Request::post("/v1/paths/%zz?x=y", &json!({})), 405),
        ] {
            let answer = at(listener).refuse(version, request.clone()).await;
            assert_eq!(answer.status, status, "{listener} {version:?} {request:?} {answer:?}");
        }
        let script = [("first", "o.request.url = '/v1/paths/%zz'")];
        let answer = at("in-place")
            .refuse(version, hooks(Request::get("/v1/echo"), &script))
            .await;
        assert_eq!(answer.status, 500, "{version:?} {answer:?}");
    }
}

#[tokio::test]
async fn an_access_log_has_the_path_that_the_client_sent() {
    let mut expected = Vec::new();
    for (listener, version) in each(&["logged", "logged-call", "logged-pass"]) {
        let token = |request: Request| request.header("authorization", "Bearer t");
        for (name, request, script) in [
            ("echo", Request::get("/v1/echo?int32Value=1"), ""),
            (
                "query",
                Request::get("/v1/echo?int32Value=1"),
                "o.request.add_params['int32Value'] = '2'",
            ),
            ("path", Request::get("/v1/nothing?x=1"), "o.request.url = '/v1/echo'"),
            ("body", post(&json!({})), "o.request.url = '/v1/echo?'"),
            ("nowhere", Request::get("/v1/echo"), "o.request.url = '/v1/nothing'"),
            (
                "refused",
                Request::get("/v1/echo"),
                "o.request.url = '/v1/nothing'; refuse(o, 418)",
            ),
        ] {
            let case = format!("{name}-{listener}-{version:?}");
            expected.push(format!("{case} {}", request.target()));
            let request = token(request)
                .header("x-case", &case)
                .header("x-envoy-original-path", "/forged");
            let request = hooks(request, &[("first", script), ("pre", script)]);
            at(listener).send(version, &request).await;
        }
    }
    expected.sort();
    // The log is written behind the answers.
    let mut lines = Vec::new();
    for _ in 0..300 {
        let log = bench().envoy().log();
        let found = log.lines().filter_map(|line| line.split("ACCESS ").nth(1));
        lines = found.map(str::to_owned).collect();
        if lines.len() == expected.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    lines.sort();
    assert_eq!(lines, expected);
}
