//! What the answers of request hooks do.

use super::*;
use crate::http::headers::HeaderEdits;

/// A change of the object: values at paths.
fn at(changes: &Value) -> impl Fn(Value) -> Value + '_ {
    |object| {
        let changes = changes.as_object().unwrap().iter();
        changes.fold(object, |object, (path, value)| with(object, path, value.clone()))
    }
}

#[test]
fn an_echo_changes_nothing() {
    let targets = [
        "/v1/shelves/3/books?q=1",
        "/a%2Fb//c?b=2&a=1&a=%41&bad=%zz&semi;colon",
        "/x?",
        "/",
        "*",
        "/caf\u{e9}?q=\u{e9}",
        "/sp ace?a b",
        "/[x]{y}|z?k=[v]",
    ];
    for target in targets {
        let lines = [("x-a", "1"), ("x-a", "2"), ("content-length", "4"), ("te", "trailers")];
        let headers = request_headers("PATCH", target, &lines);
        let mut rig = Rig::new(vec![hook(Kind::Pre)], headers.clone(), b"\xffabc");
        rig.passes(Stage::Admission, |object| object);
        assert_eq!(texts(rig.request.headers()), texts(&headers), "{target}");
        assert_eq!(rig.request.body(), b"\xffabc");
        let mut edits = HeaderEdits::default();
        rig.request.edits(&mut edits);
        assert_eq!((edits.sets().count(), edits.removed().count()), (0, 0), "{target}");
    }
}

#[test]
fn headers_are_deleted_then_set() {
    let lines = [
        ("x-a", "1"),
        ("x-a", "old"),
        ("x-c", "c"),
        ("x-d", "d"),
        ("cookie", "k"),
    ];
    let mut rig = Rig::new(
        vec![hook(Kind::Pre), hook(Kind::Pre)],
        request_headers("GET", "/", &lines),
        b"",
    );
    rig.passes(Stage::Admission, |object| {
        let object = with(
            object,
            "request.set_headers",
            json!({ "X-A": "2", "x-B": " 3 ", "X-E": "e" }),
        );
        with(object, "request.delete_headers", json!(["X-B", "X-C", "x-nowhere"]))
    });
    rig.passes(Stage::Admission, |object| {
        assert_eq!(object["request"]["headers"]["X-A"], "2");
        with(object, "request.delete_headers", json!(["x-E"]))
    });
    let mut left = texts(rig.request.headers());
    left.retain(|(name, _)| !name.starts_with(':'));
    let expected = [("x-d", "d"), ("cookie", "k"), ("x-a", "2"), ("x-b", "3")];
    assert_eq!(left, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut edits = HeaderEdits::default();
    rig.request.edits(&mut edits);
    let sets: Vec<_> = edits.sets().collect();
    assert_eq!(sets, [(&b"x-a"[..], &b"2"[..]), (b"x-b", b"3")]);
    let removed: Vec<_> = edits.removed().collect();
    assert_eq!(removed, [&b"x-c"[..], b"x-e"]);
}

#[test]
fn what_is_the_gateways_own_is_not_for_hooks() {
    let lines = [("te", "trailers"), ("content-length", "0"), ("host", "h")];
    let mut rig = Rig::new(vec![hook(Kind::Pre)], request_headers("GET", "/", &lines), b"");
    rig.passes(Stage::Admission, |object| {
        let set = json!({
            "Host": "evil", ":path": "/evil", ":authority": "evil", "Content-Length": "7", "Transfer-Encoding": "chunked",
            "Connection": "close", "Upgrade": "x", "TE": "x", "": "x", "Keep-Alive": "1", "Proxy-Authorization": "x",
        });
        let object = with(object, "request.set_headers", set);
        with(object, "request.delete_headers", json!(["Host", ":method", "te", "Content-Length"]))
    });
    assert_eq!(
        texts(rig.request.headers()),
        texts(&request_headers("GET", "/", &lines))
    );
}

#[test]
fn headers_that_http_cannot_carry_are_no_answer() {
    for (name, value) in [
        ("X-A", "a\r\nx-b: c"),
        ("X-A", "a\nb"),
        ("X-A", "a\0b"),
        ("X-A", "\u{7f}"),
        ("X A", "b"),
        ("x\r\ny", "b"),
        ("x-é", "b"),
    ] {
        let mut rig = Rig::post(&[Kind::Pre]);
        let verdict = rig.turn(Stage::Admission, |object| {
            let object = with(object, "request.set_headers", json!({ "X-Ok": "1", name: value }));
            with(object, "request.method", json!("PUT"))
        });
        assert_eq!(
            verdict.outcome,
            Outcome::Failed(CallFailure::Header),
            "{name:?} {value:?}"
        );
        assert_eq!(told(&verdict.reply.unwrap()).1, template("Middleware error"));
        assert_eq!(
            (rig.header("x-ok"), rig.header(":method")),
            (None, Some("POST".to_owned()))
        );
    }
}

#[test]
fn the_body_is_raw_body_whatever_body_says() {
    for (body, raw_body, expected) in [
        (
            json!("old"),
            json!(base64(b"{\"title\":\"new\"}")),
            &b"{\"title\":\"new\"}"[..],
        ),
        (json!("new"), json!(base64(b"old")), b"old"),
        (json!("new"), json!(""), b""),
        (json!(""), json!(base64(b"\xff")), b"\xff"),
    ] {
        let mut rig = Rig::post(&[Kind::Pre]);
        rig.passes(Stage::Admission, |object| {
            with(with(object, "request.body", body), "request.raw_body", raw_body)
        });
        assert_eq!(rig.request.body(), expected);
        assert_eq!(rig.header("content-length"), Some(expected.len().to_string()));
    }
}

#[test]
fn the_query_is_what_its_parameters_make_it() {
    let query = "page_size=5&tag=a&tag=b&x=1";
    for (add, delete, url, expected) in [
        (
            json!({ "page_size": "9" }),
            json!(["x"]),
            None,
            "/a?page_size=9&tag=a&tag=b",
        ),
        // In both: set.
        (
            json!({ "x": "2" }),
            json!(["x"]),
            None,
            "/a?page_size=5&tag=a&tag=b&x=2",
        ),
        (json!({ "tag": "c" }), json!([]), None, "/a?page_size=5&tag=c&x=1"),
        (json!({}), json!(["page_size", "tag", "x", "nowhere"]), None, "/a"),
        (
            json!({ "n": "a b+&=/é~" }),
            json!(["page_size", "tag", "x"]),
            None,
            "/a?n=a+b%2B%26%3D%2F%C3%A9~",
        ),
        // The url's query has no say, but for the spelling.
        (
            json!({}),
            json!([]),
            Some("/b?page_size=99"),
            "/b?page_size=5&tag=a&tag=b&x=1",
        ),
        (
            json!({}),
            json!([]),
            Some("/b?x=%31&tag=a&tag=b&page_size=5"),
            "/b?x=%31&tag=a&tag=b&page_size=5",
        ),
        (
            json!({ "x": "2" }),
            json!([]),
            Some("/b?x=2&tag=a&tag=b&page_size=5"),
            "/b?x=2&tag=a&tag=b&page_size=5",
        ),
        (
            json!({}),
            json!([]),
            Some("/b?tag=b&tag=a&page_size=5&x=1"),
            "/b?page_size=5&tag=a&tag=b&x=1",
        ),
        (
            json!({}),
            json!([]),
            Some("http://other.test:1/b?x"),
            "/b?page_size=5&tag=a&tag=b&x=1",
        ),
    ] {
        let mut rig = Rig::get(&[Kind::Pre], &format!("/a?{query}"));
        rig.passes(Stage::Admission, |mut object| {
            if let Some(url) = url {
                object = with(object, "request.url", json!(url));
            }
            let object = with(object, "request.add_params", add.clone());
            with(object, "request.delete_params", delete.clone())
        });
        assert_eq!(rig.path(), expected, "{add} {delete} {url:?}");
        assert_eq!(rig.header(":authority").as_deref(), Some("api.test"));
    }
}

/// Others tell the client, as without hooks.
#[test]
fn a_malformed_path_may_stay_as_it_is() {
    for path in ["/v1/%zz", "/v1/%zz?q=%zz"] {
        let mut rig = Rig::new(vec![hook(Kind::Pre)], request_headers("GET", path, &[]), b"");
        rig.passes(Stage::Admission, |object| object);
        assert_eq!(rig.path(), path);
        let mut rig = Rig::new(vec![hook(Kind::Pre)], request_headers("GET", path, &[]), b"");
        rig.passes(Stage::Admission, |object| {
            with(object, "request.add_params", json!({ "a": "1" }))
        });
        assert_eq!(rig.path(), "/v1/%zz?a=1");
    }
}

#[test]
fn of_a_url_the_path_counts() {
    for (url, expected) in [
        ("/v1/shelves/7/books?page_size=99", "/v1/shelves/7/books"),
        ("https://other.test/x", "/x"),
        ("https://other.test", "/"),
        ("https:/x", "/x"),
        ("//x/y", "//x/y"),
        ("/a:b", "/a:b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a b/é#f", "/a%20b/%C3%A9%23f"),
        ("*", "*"),
    ] {
        let mut rig = Rig::get(&[Kind::Pre], "/v1/shelves/3/books");
        rig.passes(Stage::Admission, |object| with(object, "request.url", json!(url)));
        assert_eq!(rig.path(), expected, "{url}");
    }
    for url in [
        "", "x", "a/b", "?q", "mailto:x", ":x", "1a:/x", "/%zz", "/a%2", "/a\n", "/\u{7f}", "#",
    ] {
        for kind in [Kind::Pre, Kind::CustomKeyCheck] {
            let mut rig = Rig::get(&[kind], "/v1/shelves/3/books");
            let verdict = rig.turn(Stage::Admission, |object| {
                let object = with(object, "request.return_overrides.response_code", json!(418));
                with(object, "request.url", json!(url))
            });
            assert_eq!(verdict.outcome, Outcome::Failed(CallFailure::Url), "{url:?}");
            let (status, body, _) = told(&verdict.reply.unwrap());
            assert_eq!((status, body), (500, template("Middleware error")), "{url:?}");
            assert_eq!(rig.path(), "/v1/shelves/3/books");
        }
    }
}

#[test]
fn the_method_is_the_answers() {
    for (method, expected) in [("POST", "POST"), ("", "GET"), ("custom-1", "custom-1")] {
        let mut rig = Rig::get(&[Kind::Pre], "/");
        rig.passes(Stage::Admission, |object| {
            let object = with(object, "request.method", json!(method));
            with(object, "request.raw_body", json!(base64(b"{}")))
        });
        assert_eq!(rig.header(":method").as_deref(), Some(expected));
        assert_eq!(rig.request.body(), b"{}");
    }
    for method in ["GET /", "G\r\n", "é"] {
        let mut rig = Rig::get(&[Kind::Pre], "/");
        let verdict = rig.turn(Stage::Admission, |object| with(object, "request.method", json!(method)));
        assert_eq!(verdict.outcome, Outcome::Failed(CallFailure::Method), "{method:?}");
    }
}

#[test]
fn the_rest_of_an_answer_is_ignored() {
    let mut rig = Rig::post(&[Kind::Pre, Kind::Post]);
    let before = texts(rig.request.headers());
    rig.passes(Stage::Admission, |object| {
        at(&json!({
            "hook_type": "Response", "hook_name": "x", "request.headers": { "X-A": "9" }, "request.params": { "q": "9" },
            "request.extended_params": { "q": "[1,2]" }, "request.request_uri": "/x", "request.scheme": "ftp",
            "request.body": "x", "spec": { "OrgID": "x" }, "response": { "status_code": 500 },
            "session": { "metadata": { "token": "t" } }, "metadata": { "a": "b" },
        }))(object)
    });
    assert_eq!(texts(rig.request.headers()), before);
    let sent = rig.sent(Stage::Sending);
    assert_eq!(sent["session"], Value::Null);
    assert_eq!(sent["metadata"], Value::Null);
    assert_eq!(sent["request"]["request_uri"], "/v1/shelves/3/books?q=1");
}
