//! What response hooks get, and what their answers do.

use super::*;

fn rig(status: u16, lines: &[(&str, &str)], body: &[u8]) -> Rig {
    let headers = request_headers("GET", "/v1/books?q=1", &[("x-a", "1"), ("te", "trailers")]);
    let mut rig = Rig::new(vec![hook(Kind::Response), hook(Kind::Response)], headers, b"");
    rig.response = CurrentResponse {
        status,
        headers: self::headers(lines),
        body: body.to_vec(),
    };
    rig
}

const LINES: [(&str, &str); 5] = [
    ("content-type", "application/json"),
    ("content-length", "2"),
    ("set-cookie", "a=1"),
    ("set-cookie", "b=2"),
    ("x-n", "n"),
];

#[test]
fn a_response_hook_gets_request_and_response() {
    let mut rig = rig(404, &LINES, b"{}");
    let sent = rig.sent_response();
    assert_eq!(
        sent["response"],
        json!({
            "status_code": 404,
            "raw_body": base64(b"{}"),
            "body": "{}",
            "headers": {
                "Content-Type": "application/json", "Content-Length": "2", "Set-Cookie": "a=1", "X-N": "n",
            },
            "multivalue_headers": [
                { "key": "Content-Length", "values": ["2"] },
                { "key": "Content-Type", "values": ["application/json"] },
                { "key": "Set-Cookie", "values": ["a=1", "b=2"] },
                { "key": "X-N", "values": ["n"] },
            ],
        })
    );
    let request = &sent["request"];
    assert_eq!(request["url"], "http://api.test/v1/books?q=1");
    assert_eq!(request["request_uri"], "/v1/books?q=1");
    assert_eq!(request["headers"], json!({ "Host": "api.test", "X-A": "1" }));
    assert_eq!(sent["hook_type"], "Response");
    assert_eq!(sent["session"], json!({}));
}

#[test]
fn an_echo_changes_nothing() {
    let mut rig = rig(200, &LINES, b"{}");
    rig.response.headers.push(b"x-latin", b"caf\xe9");
    let mut before = texts(&rig.response.headers);
    let verdict = rig.response_turn(|object| object);
    assert_eq!(verdict.outcome, Outcome::Passed);
    let mut after = texts(&rig.response.headers);
    // The length is the gateway's.
    before.retain(|(name, _)| name != "content-length");
    before.sort();
    after.sort();
    assert_eq!(after, before);
    assert_eq!((rig.response.status, rig.response.body.as_slice()), (200, &b"{}"[..]));
}

#[test]
fn headers_and_their_values_are_brought_together() {
    type Lines<'l> = &'l [(&'l str, &'l str)];
    let all = json!([{ "key": "Set-Cookie", "values": ["a=1", "b=2"] }, { "key": "X-N", "values": ["n"] }]);
    let cases: [(Value, Value, Lines); 9] = [
        // As sent: multivalue_headers count alone.
        (
            json!({ "Set-Cookie": "a=1", "X-N": "n" }),
            all.clone(),
            &[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-n", "n")],
        ),
        (
            json!({ "Set-Cookie": "a=1", "X-N": "n" }),
            json!([{ "key": "Y", "values": ["1", "2"] }]),
            &[("y", "1"), ("y", "2")],
        ),
        (json!({ "Set-Cookie": "a=1", "X-N": "n" }), json!([]), &[]),
        // Changed: the first value is replaced, what is new added, what is gone taken away.
        (
            json!({ "Set-Cookie": "c=3", "X-M": "m" }),
            all.clone(),
            &[("set-cookie", "c=3"), ("set-cookie", "b=2"), ("x-m", "m")],
        ),
        (json!({}), all.clone(), &[]),
        // Exactly that key.
        (json!({ "set-cookie": "c=3" }), all.clone(), &[("set-cookie", "c=3")]),
        (json!({ "X-N": "o" }), json!([]), &[("x-n", "o")]),
        (json!({ "X-N": "o" }), json!([{ "key": "X-N", "values": [] }]), &[]),
        (
            json!({ "X-N": "" }),
            json!([{ "key": "X-N", "values": ["n", "p"] }]),
            &[("x-n", ""), ("x-n", "p")],
        ),
    ];
    for (headers, multivalue, expected) in cases {
        let mut rig = rig(200, &LINES[2..], b"");
        let verdict = rig.response_turn(|object| {
            let object = with(object, "response.headers", headers.clone());
            with(object, "response.multivalue_headers", multivalue.clone())
        });
        assert_eq!(verdict.outcome, Outcome::Passed);
        assert_eq!(
            texts(&rig.response.headers),
            texts(&self::headers(expected)),
            "{headers} {multivalue}"
        );
    }
}

#[test]
fn body_and_status_are_the_answers() {
    for (code, status, body, expected) in [
        (json!(201), 201, "new", "new"),
        (json!(0), 404, "new", "new"),
        (json!(200), 200, "", ""),
        (json!(204), 204, "new", ""),
        (json!(304), 304, "new", ""),
    ] {
        let mut rig = rig(404, &LINES, b"{}");
        let verdict = rig.response_turn(|object| {
            let object = with(object, "response.status_code", code);
            let object = with(object, "response.body", json!("ignored"));
            with(object, "response.raw_body", json!(base64(body.as_bytes())))
        });
        assert_eq!(verdict.outcome, Outcome::Passed);
        assert_eq!(
            (rig.response.status, rig.response.body.as_slice()),
            (status, expected.as_bytes())
        );
        assert_eq!(value(&rig.response.headers, "content-length"), None);
    }
}

#[test]
fn only_the_response_of_the_answer_counts() {
    let mut rig = rig(404, &LINES, b"{}");
    let verdict = rig.response_turn(|object| {
        let object = with(object, "request.return_overrides.response_code", json!(403));
        let object = with(object, "request.set_headers", json!({ "X-A": "2" }));
        without(with(object, "session", session(&json!({}))), "request")
    });
    assert_eq!(verdict.outcome, Outcome::Passed);
    assert_eq!(rig.response.status, 404);
    assert_eq!(rig.header("x-a").as_deref(), Some("1"));
    // The second sees what the first made of it.
    rig.response.body = b"first".to_vec();
    assert_eq!(rig.sent_response()["response"]["body"], "first");
}

#[test]
fn without_a_response_there_is_none() {
    for change in [
        (|object: Value| without(object, "response")) as fn(Value) -> Value,
        |object| with(object, "response.status_code", json!(99)),
        |object| with(object, "response.status_code", json!(600)),
        |object| with(object, "response.status_code", json!(-1)),
    ] {
        let mut rig = rig(200, &LINES, b"{}");
        let before = texts(&rig.response.headers);
        let verdict = rig.response_turn(change);
        assert!(matches!(verdict.outcome, Outcome::Failed(_)), "{verdict:?}");
        let (status, body, _) = told(&verdict.reply.unwrap());
        assert_eq!((status, body), (500, template("Middleware error")));
        assert_eq!(texts(&rig.response.headers), before);
    }
}

#[test]
fn headers_that_a_client_may_not_get_are_left_out() {
    let mut rig = rig(200, &LINES, b"{}");
    rig.response_turn(|object| {
        let headers = json!({
            "X-Ok": "1", "X-Crlf": "a\r\nb", ":status": "500", "Content-Length": "9", "Transfer-Encoding": "chunked",
            "Connection": "x", "X Y": "z", "Content-Encoding": "",
        });
        with(
            with(object, "response.headers", headers),
            "response.multivalue_headers",
            json!([]),
        )
    });
    // The type is the body's: Go takes an empty encoding for none.
    let sniffed = ("content-type", "text/plain; charset=utf-8");
    let expected = [("content-encoding", ""), ("x-ok", "1"), sniffed];
    assert_eq!(texts(&rig.response.headers), texts(&self::headers(&expected)));
}

#[test]
fn a_response_may_become_another_with_its_cookies() {
    let mut rig = rig(200, &LINES, b"{}");
    let verdict = rig.response_turn(|object| {
        let mut headers = object["response"]["headers"].clone();
        headers["X-M"] = json!("m");
        let object = with(object, "response.headers", headers);
        let object = with(object, "response.status_code", json!(201));
        with(object, "response.raw_body", json!(base64(b"new")))
    });
    assert_eq!(verdict.outcome, Outcome::Passed);
    assert_eq!((rig.response.status, rig.response.body.as_slice()), (201, &b"new"[..]));
    let expected = [
        ("content-type", "application/json"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-n", "n"),
        ("x-m", "m"),
    ];
    assert_eq!(texts(&rig.response.headers), texts(&self::headers(&expected)));
}
