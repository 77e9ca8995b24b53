//! Answers that hooks give in place of the service.

use super::*;

#[test]
fn a_code_ends_the_request() {
    let json_type = || Some("application/json".to_owned());
    let plain = || Some("text/plain; charset=utf-8".to_owned());
    for (overrides, expected) in [
        (
            json!({ "response_code": 403 }),
            (403, template("Key not authorised"), json_type()),
        ),
        (
            json!({ "response_code": 403, "response_error": "no \"x\"", "headers": { "Content-Type": "text/plain" } }),
            (403, template(r#"no \"x\""#), json_type()),
        ),
        (
            json!({ "response_code": 400, "response_body": "b\\\n\r\t\u{1}<é>'&" }),
            (400, template("b\\\\\\n\\r\\t\\u0001<é>'&"), json_type()),
        ),
        (
            json!({ "response_code": 500, "response_error": "error", "response_body": "body" }),
            (500, template("error"), json_type()),
        ),
        (
            json!({ "response_code": 401, "override_error": true, "response_body": "nope" }),
            (401, "nope".to_owned(), plain()),
        ),
        (
            json!({ "response_code": 401, "override_error": true, "response_body": "body", "response_error": "error" }),
            (401, "error".to_owned(), plain()),
        ),
        (
            json!({ "response_code": 200, "response_error": "{\"a\":1}", "headers": { "Content-Type": "application/json" } }),
            (200, "{\"a\":1}".to_owned(), json_type()),
        ),
        (
            json!({ "response_code": 200, "response_body": "{\"a\":1}" }),
            (200, "{\"a\":1}".to_owned(), plain()),
        ),
        (
            json!({ "response_code": 200, "response_body": "\n <html>" }),
            (200, "\n <html>".to_owned(), Some("text/html; charset=utf-8".to_owned())),
        ),
        (
            json!({ "response_code": 200, "response_body": "x", "headers": { "content-encoding": "br" } }),
            (200, "x".to_owned(), None),
        ),
        (
            json!({ "response_code": 301, "headers": { "Location": "/b" } }),
            (301, String::new(), None),
        ),
        (
            json!({ "response_code": 204, "response_body": "gone" }),
            (204, String::new(), None),
        ),
        (
            json!({ "response_code": 304, "response_body": "gone" }),
            (304, String::new(), None),
        ),
    ] {
        for kind in [Kind::Pre, Kind::CustomKeyCheck] {
            let mut rig = Rig::post(&[kind]);
            let reply = rig.replies(Stage::Admission, |object| {
                with(object, "request.return_overrides", overrides.clone())
            });
            assert_eq!(told(&reply), expected, "{overrides}");
        }
    }
}

#[test]
fn a_code_of_0_or_below_goes_on_and_nothing_else_of_it_counts() {
    for code in [0, -1, i32::MIN] {
        let mut rig = Rig::post(&[Kind::Pre]);
        rig.passes(Stage::Admission, |object| {
            let overrides =
                json!({ "response_code": code, "response_error": "x", "response_body": "y", "headers": { "X": "y" } });
            with(object, "request.return_overrides", overrides)
        });
        assert_eq!(rig.header("x"), None);
    }
    let mut rig = Rig::post(&[Kind::Pre]);
    rig.passes(Stage::Admission, |object| without(object, "request.return_overrides"));
}

#[test]
fn codes_that_no_response_can_have_are_no_answer() {
    for code in [1, 99, 100, 101, 199, 600, 1000, i32::MAX] {
        let mut rig = Rig::post(&[Kind::Post]);
        let verdict = rig.turn(Stage::Sending, |object| {
            with(object, "request.return_overrides.response_code", json!(code))
        });
        assert_eq!(verdict.outcome, Outcome::Failed(CallFailure::StatusCode(code)));
        assert_eq!(verdict.reply.unwrap().status, 500);
    }
}

#[test]
fn an_answers_headers_are_those_that_a_client_may_get() {
    let overrides = json!({
        "response_code": 403,
        "headers": {
            "X-R": " 1 ", "X-Crlf": "a\r\nb", "Content-Length": "5", "Transfer-Encoding": "chunked", "Connection": "close",
            ":status": "200", "X Y": "z", "WWW-Authenticate": "Basic", "Host": "h",
        },
    });
    for override_error in [false, true] {
        let mut rig = Rig::post(&[Kind::Pre]);
        let reply = rig.replies(Stage::Admission, |object| {
            let object = with(object, "request.return_overrides", overrides.clone());
            with(object, "request.return_overrides.override_error", json!(override_error))
        });
        let mut names: Vec<_> = texts(&reply.headers).into_iter().map(|(name, _)| name).collect();
        names.sort();
        let expected: &[&str] = match override_error {
            true => &["www-authenticate", "x-r"],
            false => &["content-type", "www-authenticate", "x-generator", "x-r"],
        };
        assert_eq!(names, expected);
        assert_eq!(value(&reply.headers, "x-r").as_deref(), Some("1"));
    }
}

#[test]
fn requests_in_xml_are_refused_in_xml() {
    let json = (template("a<'\\\">&"), "application/json");
    let xml = |media_type| {
        let body = "<?xml version = \"1.0\" encoding=\"UTF-8\"?>\n<error>a&lt;&#39;&#34;&gt;&amp;</error>\n";
        (body.to_owned(), media_type)
    };
    for (asked, (body, media_type)) in [
        ("text/xml", xml("text/xml")),
        ("application/xml; charset=utf-8", xml("application/xml")),
        ("application/soap+xml", xml("application/soap+xml")),
        ("application/atom+xml", json.clone()),
        ("Text/XML", json.clone()),
        ("", json),
    ] {
        let headers = request_headers("POST", "/", &[("content-type", asked)]);
        let mut rig = Rig::new(vec![hook(Kind::Pre)], headers, b"");
        let overrides = json!({ "response_code": 403, "response_error": "a<'\">&" });
        let reply = rig.replies(Stage::Admission, |object| {
            with(object, "request.return_overrides", overrides)
        });
        assert_eq!(told(&reply), (403, body, Some(media_type.to_owned())), "{asked}");
    }
}

#[test]
fn heads_get_no_body() {
    let mut rig = Rig::new(vec![hook(Kind::Pre)], request_headers("HEAD", "/", &[]), b"");
    let reply = rig.replies(Stage::Admission, |object| {
        // It is the client's method that counts.
        let object = with(object, "request.method", json!("GET"));
        with(object, "request.return_overrides", json!({ "response_code": 403 }))
    });
    assert_eq!(reply.body, b"");
}
