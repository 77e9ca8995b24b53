//! Keys, and that nothing gets to the service past a hook that has not let it through.

use serde_json::{Value, json};

use super::{at, bench, each, hooks, post};
use crate::bench::client::{self, Connection, Http, Live, Request};
use crate::bench::upstream::{SCRIPT_KEY, Script, frame};
use crate::bench::{Gateway, script};
use crate::exposure::NATIVE;

#[tokio::test]
async fn a_token_becomes_the_services_credentials() {
    let known = "o.request.set_headers['x-saw'] = seen(o); o.request.set_headers['Authorization'] = 'Bearer ' + o.metadata['jwt']";
    let scripts = [
        ("auth", "let_in(o, 't'); o.metadata['jwt'] = 'j'"),
        ("known", known),
        ("post", "o.request.set_headers['x-post'] = o.session.metadata['token']"),
    ];
    for (listener, version) in each(&["keys", "keys-pass"]) {
        for request in [post(&json!({})), Request::get("/v1/echo")] {
            let request = hooks(request.header("authorization", "Bearer t"), &scripts);
            let (answer, received) = at(listener).exchange(version, request, Script::echo()).await;
            assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
            assert_eq!(received.header("authorization"), Some("Bearer j"));
            assert_eq!(received.header("x-post"), Some("t"));
            let saw: Value = serde_json::from_str(received.header("x-saw").unwrap()).unwrap();
            assert_eq!(saw["hook_type"], "PostKeyAuth");
            assert_eq!(saw["metadata"], json!({ "token": "t", "jwt": "j" }));
        }
    }
}

#[tokio::test]
async fn a_session_that_is_not_good_is_refused() {
    for (script, status, message) in [
        ("pass", 403, "Forbidden"),
        ("o.session.SetInParent()", 403, "Forbidden"),
        ("let_in(o, 't', expires=1)", 401, "Key has expired, please renew"),
        ("let_in(o, 't', is_inactive=True)", 403, "Key is inactive, please renew"),
        (
            "let_in(o, 't'); o.session.access_rights['other'].api_id = 'other'",
            403,
            "Access to this API has been disallowed",
        ),
        ("refuse(o, 401, 'who?', WWW_Authenticate='Basic')", 401, "who?"),
    ] {
        for version in Http::BOTH {
            for request in [post(&json!({})), Request::get("/v1/echo")] {
                let answer = at("keys").refuse(version, hooks(request, &[("auth", script)])).await;
                assert_eq!(answer.status, status, "{version:?} {script} {answer:?}");
                assert_eq!(answer.body, format!("{{\n    \"error\": \"{message}\"\n}}"), "{script}");
            }
        }
    }
}

#[tokio::test]
async fn who_checks_keys_may_answer_in_its_own_words() {
    for (script, status, body, header) in [
        (
            "refuse(o, 401, body='nope', verbatim=True, WWW_Authenticate='Bearer')",
            401,
            "nope",
            ("www-authenticate", "Bearer"),
        ),
        ("refuse(o, 301, Location='/login')", 301, "", ("location", "/login")),
    ] {
        for version in Http::BOTH {
            for request in [post(&json!({})), Request::get("/v1/echo")] {
                let answer = at("keys").refuse(version, hooks(request, &[("auth", script)])).await;
                assert_eq!(
                    (answer.status, &answer.body[..]),
                    (status, body.as_bytes()),
                    "{version:?} {script}"
                );
                assert_eq!(answer.header(header.0), Some(header.1), "{version:?} {script}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_checked_is_refused() {
    let key = "{\n    \"error\": \"Key not authorised\"\n}";
    for (script, status, body) in [
        ("abort(13)", 403, key),
        ("raw(b'')", 403, key),
        (r"raw(b'\xff\xff')", 403, key),
        ("o.ClearField('request')", 403, key),
        (
            "let_in(o, 't'); o.request.url = ''",
            500,
            "{\n    \"error\": \"Middleware error\"\n}",
        ),
    ] {
        for version in Http::BOTH {
            for request in [post(&json!({})), Request::get("/v1/echo")] {
                let answer = at("keys").refuse(version, hooks(request, &[("auth", script)])).await;
                assert_eq!(
                    (answer.status, &answer.body[..]),
                    (status, body.as_bytes()),
                    "{version:?} {script}"
                );
            }
        }
    }
}

/// What describes the services is for those who may ask them.
#[tokio::test]
async fn the_openapi_document_is_behind_the_key() {
    for (script, status) in [("let_in(o, 't')", 200), ("pass", 403)] {
        for version in Http::BOTH {
            for listener in ["keys-described", "keys-described-pass"] {
                let request = hooks(Request::get("/openapi.json"), &[("auth", script)]);
                let answer = at(listener).refuse(version, request).await;
                assert_eq!(answer.status, status, "{listener} {version:?} {script} {answer:?}");
                assert_eq!(
                    answer.json()["openapi"].is_string(),
                    status == 200,
                    "{listener} {version:?}"
                );
            }
        }
    }
}

fn native(path: &str, content_type: &str) -> Request {
    Request::new("POST", path)
        .header("content-type", content_type)
        .header("te", "trailers")
        .body(frame(0, b"\x18\x05\xff\xff\0unreadable"))
}

#[tokio::test]
async fn native_calls_are_let_in_as_they_are_or_refused_in_their_terms() {
    for (listener, version) in each(&["keys", "keys-pass", "keys-below", "keys-upgrades"]) {
        for content_type in NATIVE {
            for path in ["/test.everything.Echo/Post", "/no.such/Method", "/v1/echo", "/"] {
                let answer = at(listener).refuse(version, native(path, content_type)).await;
                let at = format!("{listener} {version:?} {content_type} {path}");
                assert_eq!(
                    (answer.status, answer.header("grpc-status")),
                    (200, Some("7")),
                    "{at} {answer:?}"
                );
                assert_eq!(answer.header("grpc-message"), Some("no key"), "{at}");
                assert!(answer.body.is_empty() && answer.trailers.is_empty(), "{at}");
            }
            let busy = hooks(
                native("/test.everything.Echo/Post", content_type),
                &[("auth", "refuse(o, 502, 'busy')")],
            );
            assert_eq!(
                at(listener).refuse(version, busy).await.header("grpc-status"),
                Some("14"),
                "{listener} {content_type}"
            );
            if content_type.contains("text") {
                continue;
            }
            let script = [(
                "auth",
                "assert o.request.headers['X-Bad'] == 'a\\ufffd'; let_in(o, 't'); o.request.raw_body = b'x'",
            )];
            let request = native("/test.everything.Echo/Post", content_type).header("x-bad", b"a\xff");
            let (answer, received) = at(listener)
                .exchange(version, hooks(request, &script), Script::reply_bytes(&b"\xff\0"[..]))
                .await;
            assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
            assert_eq!(
                received.messages,
                [&b"\x18\x05\xff\xff\0unreadable"[..]],
                "{listener} {version:?} {content_type}"
            );
            let bad = received.headers.get("x-bad").unwrap();
            assert_eq!(bad.as_bytes(), b"a\xff");
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn the_body_of_a_native_call_waits_whatever_its_length() {
    for (listener, version) in each(&["keys", "narrow"]) {
        let message = vec![b'x'; 3_000_000];
        let request = Request::new("POST", "/test.everything.Echo/Post")
            .header("content-type", "application/grpc")
            .header("authorization", "Bearer t")
            .body(frame(0, &message));
        let slow = [("pre", "sleep(0.3)"), ("first", "sleep(0.3)")];
        let (answer, received) = at(listener)
            .exchange(version, hooks(request, &slow), Script::reply_bytes(&b""[..]))
            .await;
        assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
        assert_eq!(received.messages[0].len(), message.len());
    }
    assert_eq!(bench().traps(), "");
}

/// Whatever these are, none of them has a key.
fn keyless_requests() -> Vec<Request> {
    let body = json!({ "int32Value": 5 });
    let mut requests = Vec::new();
    for path in [
        "/v1/echo",
        "/v1/%65cho",
        "//v1/echo",
        "/x/../v1/echo",
        "/test.everything.Echo/Post",
        "/test.everything.Echo/Post;x",
        "/TEST.everything.echo/post",
        "/%74est.everything.Echo%2FPost",
        "/test.everything.Echo/Query?connect=v1&encoding=json&message=%7B%7D",
        "/v1/streams:collect",
        "/v1/any-kind",
    ] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "REPORT", "QUERY", "get",
        ] {
            requests.push(Request::new(method, path));
            if !matches!(method, "GET" | "HEAD" | "TRACE" | "get") {
                requests.push(Request::new(method, path).json(&body));
            }
        }
        for content_type in [
            "text/plain",
            "application/proto",
            "application/connect+proto",
            "application/x-grpc",
            "application/grp",
            " application/json",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            "",
        ] {
            requests.push(
                Request::new("POST", path)
                    .header("content-type", content_type)
                    .body(frame(0, b"")),
            );
        }
        requests.push(Request::post(path, &body).header("connect-protocol-version", "1"));
        requests.push(
            Request::post(path, &body)
                .header("expect", "100-continue")
                .header("connection", "close"),
        );
        requests.push(
            Request::post(path, &body)
                .header("authorization", "Bearer x")
                .header("authorization", "Bearer t"),
        );
        requests.push(
            Request::new("OPTIONS", path)
                .header("origin", "https://app.example.com")
                .header("access-control-request-method", "POST"),
        );
    }
    requests
}

#[tokio::test]
async fn nothing_gets_past_the_key() {
    for (listener, version) in each(&["keys", "keys-pass", "keys-upgrades"]) {
        for request in keyless_requests() {
            let mut call = script(Script::echo());
            let request = request.script(&call);
            let Ok(answer) = client::send(at(listener).address, version, &request).await else {
                // Not all of them are HTTP.
                assert!(!call.has_received(), "{listener} {version:?} {request:?}");
                continue;
            };
            // Behind a 100.
            let broken = answer.body.starts_with(b"HTTP/1.1 403 ");
            let refused = matches!(answer.status, 400 | 403 | 417) || answer.header("grpc-status") == Some("7");
            assert!(refused || broken, "{listener} {version:?} {request:?} {answer:?}");
            assert!(!call.has_received(), "{listener} {version:?} {request:?}");
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn an_upgrade_needs_the_key_too() {
    let gateway: Gateway = at("keys-upgrades");
    for (line, connection) in [
        ("GET /nowhere", "keep-alive, upgrade"),
        ("POST /v1/echo", "upgrade"),
        ("GET /v1/echo", "Upgrade"),
        ("GET /test.everything.Echo/Post", "upgrade"),
    ] {
        for (authorization, expected) in [("x", 403), ("Bearer t", 101)] {
            let mut client = Connection::open(gateway.address).await;
            let head = format!(
                "{line} HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\nupgrade: websocket\r\nauthorization: {authorization}\r\n\r\n"
            );
            client.send(head.as_bytes()).await;
            match expected {
                101 => {
                    assert_eq!(client.changed().await.unwrap().0, 101, "{line}");
                    client.send(b"hello").await;
                    assert_eq!(client.bytes(5).await.unwrap(), "hello", "{line}");
                }
                expected => assert_eq!(client.answer("GET").await.unwrap().status, expected, "{line}"),
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

/// Whatever goes through a tunnel gets past every filter, and it has no path that a hook could be told of.
#[tokio::test]
async fn no_hook_lets_a_tunnel_in() {
    for listener in ["keys-upgrades", "keys-below-upgrades", "lenient-upgrades"] {
        for headers in [
            vec![],
            vec![("authorization", "Bearer t")],
            vec![("authorization", "Bearer t"), ("content-type", "application/grpc")],
        ] {
            let mut client = Connection::open(at(listener).address).await;
            let mut head = "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n".to_owned();
            let mut request = Request::new("CONNECT", "").open();
            for (name, value) in &headers {
                head += &format!("{name}: {value}\r\n");
                request = request.header(name, value);
            }
            client.send(format!("{head}\r\n").as_bytes()).await;
            assert_eq!(client.changed().await.unwrap().0, 501, "{listener} {headers:?}");
            let mut client = Live::start(at(listener).address, Http::Two, &request).await;
            assert_eq!(client.head().await.unwrap().0, 501, "{listener} {headers:?}");
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn an_upgrade_in_http2_needs_the_key_too() {
    for listener in ["keys-upgrades", "keys-below-upgrades"] {
        for path in ["/v1/echo", "/v1/nothing?x=y", "/test.everything.Echo/Post"] {
            for (authorization, expected) in [("x", 403), ("Bearer t", 200)] {
                let row = format!("{listener} {path} {authorization}");
                let request = Request::new("CONNECT", path)
                    .protocol("websocket")
                    .open()
                    .header("authorization", authorization);
                let mut client = Live::start(at(listener).address, Http::Two, &request).await;
                // Before there is an answer.
                client.send("first").await;
                let (status, headers) = client.head().await.unwrap_or_else(|wrong| panic!("{row}: {wrong}"));
                assert_eq!(status, expected, "{row}: {headers:?}");
                if expected == 200 {
                    assert_eq!(headers["x-path"], path, "{row}");
                    client.send("second").await;
                    assert_eq!(client.exactly(11).await.unwrap(), "firstsecond", "{row}");
                }
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

/// Its requests may lack a host, and its answers have a length or end with the connection.
#[tokio::test]
async fn a_client_of_http_10_needs_the_key_too() {
    for (line, body, (status, answered)) in [
        ("GET /v1/echo?int32Value=5", "", (200, r#"{"int32Value":5}"#)),
        ("POST /v1/echo", r#"{"int32Value":5}"#, (200, r#"{"int32Value":5}"#)),
        ("HEAD /v1/any-kind", "", (200, "")),
        (
            "GET /v1/nothing",
            "",
            (
                404,
                r#"{"code":5,"message":"no gRPC method is bound to GET /v1/nothing"}"#,
            ),
        ),
    ] {
        for host in ["", "host: a\r\n"] {
            for (authorization, admitted) in [("x", false), ("Bearer t", true)] {
                let mut call = script(Script::echo());
                let row = format!("{line} {host:?} {authorization}");
                let mut client = Connection::open(at("keys-http-10").address).await;
                let head = format!(
                    "{line} HTTP/1.0\r\n{host}content-length: {}\r\nauthorization: {authorization}\r\n\
                     {SCRIPT_KEY}: {}\r\n\r\n{body}",
                    body.len(),
                    call.id()
                );
                client.send(head.as_bytes()).await;
                let answer = client.answer(line.split(' ').next().unwrap()).await;
                let answer = answer.unwrap_or_else(|wrong| panic!("{row}: {wrong}"));
                assert_eq!(call.has_received(), admitted && status == 200, "{row} {answer:?}");
                assert_eq!(answer.header("transfer-encoding"), None, "{row}");
                match admitted {
                    true => assert_eq!(
                        (answer.status, &answer.body[..]),
                        (status, answered.as_bytes()),
                        "{row}"
                    ),
                    false => assert_eq!(answer.status, 403, "{row}"),
                }
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn only_what_may_be_a_call_is_asked_about_outside_of_the_listen_path() {
    for version in Http::BOTH {
        let below = at("keys-below");
        assert_eq!(below.refuse(version, post(&json!({}))).await.status, 403);
        assert_eq!(below.refuse(version, Request::get("/v1/nothing")).await.status, 403);
        for path in [
            "/test.everything.Echo/Post",
            "/x/test.everything.Echo/Post",
            "/test.everything.echo/Post;x",
        ] {
            let answer = below.refuse(version, Request::post(path, &json!({}))).await;
            assert_eq!(answer.status, 403, "{version:?} {path}");
        }
        let (answer, received) = below
            .exchange(
                version,
                Request::new("POST", "/pages").body(frame(0, b"")),
                Script::echo(),
            )
            .await;
        assert_eq!(received.path, "/pages", "{answer:?}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_guarded_path_finds_its_method_unasked() {
    for version in Http::BOTH {
        for path in [
            "//v1/echo",
            "/v1//echo",
            "/./v1/echo",
            "/x/../v1/echo",
            "/%76%31/echo",
            "/v1%2Fecho",
            "/%2Fv1/echo",
            "/v1;x/echo",
            "/v1/echo/",
            "/V1/echo",
            "/\\v1/echo",
        ] {
            let mut call = script(Script::echo());
            let request = Request::new("POST", path).body(frame(0, b"")).script(&call);
            let answer = at("keys-below").send(version, &request).await;
            if call.has_received() {
                assert_eq!(call.received().await.path, path, "{version:?} {answer:?}");
            } else {
                assert!(matches!(answer.status, 400 | 403), "{version:?} {path} {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_passes_is_let_in_with_its_body() {
    for (listener, version) in each(&["keys-pass", "keys-below", "keys-upgrades"]) {
        let request = Request::new("POST", "/v1/nothing?x=y")
            .body(frame(0, &[b'x'; 200_000]))
            .header("authorization", "Bearer t");
        let script = [("known", "o.request.set_headers['x-a'] = '1'; o.request.raw_body = b''")];
        let (answer, received) = at(listener)
            .exchange(version, hooks(request, &script), Script::echo())
            .await;
        assert_eq!(received.path, "/v1/nothing", "{listener} {version:?} {answer:?}");
        assert_eq!(received.header("x-a"), Some("1"));
        assert_eq!(received.messages[0].len(), 200_000);
    }
}

#[tokio::test]
async fn requests_on_one_connection_are_asked_about_one_by_one() {
    let gateway = at("keys");
    let mut client = Connection::open(gateway.address).await;
    let mut all = Vec::new();
    for number in 0..8 {
        let request = match number % 2 {
            0 => post(&json!({})),
            _ => post(&json!({ "int32Value": number })).header("authorization", "Bearer t"),
        };
        all.extend(request.to_http1());
    }
    client.send(&all).await;
    for number in 0..8 {
        let answer = client.answer("POST").await.unwrap();
        match number % 2 {
            0 => assert_eq!(answer.status, 403, "{number}"),
            // The service knows no script.
            _ => assert_ne!(answer.status, 403, "{number}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_early_has_reached_nobody() {
    for version in Http::BOTH {
        for request in [
            post(&json!({})).open(),
            Request::new("POST", "/test.everything.Echo/Post")
                .header("content-type", "application/grpc")
                .open(),
        ] {
            let mut call = script(Script::echo());
            let request = hooks(request, &[("pre", "sleep(0.2)")]).script(&call);
            let mut live = Live::start(at("keys").address, version, &request).await;
            live.send(frame(0, b"").slice(..3)).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            live.leave();
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            assert!(!call.has_received(), "{version:?} {request:?}");
        }
    }
    assert_eq!(bench().traps(), "");
}
