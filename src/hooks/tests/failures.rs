//! What becomes of calls that fail.

use super::*;
use crate::wire::WireError;

const FAILURES: [CallFailure; 4] = [
    CallFailure::NotSent,
    CallFailure::TimedOut,
    CallFailure::Status(13),
    CallFailure::NoMessage,
];

#[test]
fn a_failed_call_is_an_error_unless_it_may_fail() {
    for failure in FAILURES {
        for (kind, stage, status, message) in [
            (Kind::Pre, Stage::Admission, 500, "Middleware error"),
            (Kind::CustomKeyCheck, Stage::Admission, 403, "Key not authorised"),
            (Kind::Post, Stage::Sending, 500, "Middleware error"),
        ] {
            let mut rig = Rig::post(&[kind]);
            rig.sent(stage);
            let verdict = rig.fails(failure);
            assert_eq!(verdict.outcome, Outcome::Failed(failure));
            let (found, body, media_type) = told(&verdict.reply.unwrap());
            assert_eq!((found, body), (status, template(message)), "{kind:?}");
            assert_eq!(media_type.as_deref(), Some("application/json"));

            let lenient = Hook {
                on_error: OnError::Allow,
                ..hook(kind)
            };
            let mut rig = Rig::new(vec![lenient], request_headers("GET", "/", &[]), b"");
            rig.sent(stage);
            let verdict = rig.fails(failure);
            assert_eq!(verdict.outcome, Outcome::Failed(failure));
            assert!(verdict.reply.is_none());
            rig.goes_on(stage);
        }
    }
}

#[test]
fn a_failed_response_hook_is_an_error_unless_it_may_fail() {
    for (on_error, status) in [(OnError::Deny, Some(500)), (OnError::Allow, None)] {
        let hook = Hook {
            on_error,
            ..hook(Kind::Response)
        };
        let mut rig = Rig::new(vec![hook], request_headers("GET", "/", &[]), b"");
        rig.sent_response();
        let failed = Err(CallFailure::TimedOut);
        let verdict = rig.course.answered_of_response(failed, &rig.request, &mut rig.response);
        assert_eq!(verdict.outcome, Outcome::Failed(CallFailure::TimedOut));
        assert_eq!(verdict.reply.map(|reply| reply.status), status);
    }
}

#[test]
fn where_the_key_may_go_unchecked_there_is_no_session() {
    let lenient = Hook {
        on_error: OnError::Allow,
        ..hook(Kind::CustomKeyCheck)
    };
    let mut rig = Rig::new(
        vec![lenient, hook(Kind::PostKeyAuth)],
        request_headers("GET", "/", &[]),
        b"",
    );
    rig.sent(Stage::Admission);
    rig.fails(CallFailure::TimedOut);
    rig.passes(Stage::Admission, |object| {
        assert_eq!(
            (&object["hook_name"], &object["session"]),
            (&json!("PostKeyAuth"), &Value::Null)
        );
        object
    });
    rig.goes_on(Stage::Admission);
}

#[test]
fn an_answer_that_is_none_is_a_failed_call() {
    let cases: [(&[u8], CallFailure); 7] = [
        (b"", CallFailure::Missing("request")),
        (b"\x1a", CallFailure::Malformed(WireError::Truncated)),
        (b"\x1a\x05x", CallFailure::Malformed(WireError::LengthBeyondEnd)),
        // url: not UTF-8.
        (b"\x1a\x03\x2a\x01\xff", CallFailure::NotText),
        // A session that is none, of a hook that gives one.
        (
            b"\x1a\x03\x2a\x01/\x22\x01\x0f",
            CallFailure::Malformed(WireError::UnknownWireType(7)),
        ),
        // No url.
        (b"\x1a\x00", CallFailure::Url),
        (b"\x1c", CallFailure::Malformed(WireError::UnexpectedEndGroup(3))),
    ];
    for (answer, failure) in cases {
        let mut rig = Rig::post(&[Kind::CustomKeyCheck]);
        let before = texts(rig.request.headers());
        rig.sent(Stage::Admission);
        let verdict = rig.course.answered(Ok(answer), &mut rig.request);
        assert_eq!(verdict.outcome, Outcome::Failed(failure), "{}", answer.escape_ascii());
        let status = if failure == CallFailure::Url { 500 } else { 403 };
        assert_eq!(verdict.reply.unwrap().status, status);
        assert_eq!(texts(rig.request.headers()), before);
        assert!(!failure.to_string().is_empty());
    }
}

#[test]
fn text_in_a_map_that_is_not_utf_8_is_taken_as_far_as_it_goes() {
    // set_headers { "x-a": "<ff>" }.
    let answer = b"\x1a\x0d\x2a\x01/\x12\x08\x0a\x03x-a\x12\x01\xff";
    let mut rig = Rig::post(&[Kind::Pre]);
    rig.sent(Stage::Admission);
    let verdict = rig.course.answered(Ok(answer), &mut rig.request);
    assert_eq!(verdict.outcome, Outcome::Passed);
    assert_eq!(rig.request.headers().get("x-a"), Some("\u{fffd}".as_bytes()));
}

#[test]
fn records_in_any_order_and_number_are_one_answer() {
    // request { url: "/a" }, then request { url: "/b", raw_body: "x" }, then request { return_overrides {}, code 0 twice }.
    let answer = b"\x1a\x04\x2a\x02/a\x1a\x07\x2a\x02/b\x72\x01x\x1a\x04\x52\x02\x08\x00\x1a\x02\x52\x00";
    let mut rig = Rig::post(&[Kind::Pre]);
    rig.sent(Stage::Admission);
    let verdict = rig.course.answered(Ok(answer), &mut rig.request);
    assert_eq!(verdict.outcome, Outcome::Passed);
    assert_eq!((rig.path().as_str(), rig.request.body()), ("/b?q=1", &b"x"[..]));
    assert_eq!(rig.header(":method").as_deref(), Some("GET"));
}

#[test]
fn what_nobody_waits_for_does_nothing() {
    let mut rig = Rig::post(&[Kind::Pre]);
    let verdict = rig.course.answered(Ok(b"\x1a\x03\x2a\x01/"), &mut rig.request);
    assert_eq!((verdict.outcome, verdict.reply.is_none()), (Outcome::Passed, true));
    assert_eq!(rig.path(), "/v1/shelves/3/books?q=1");
    rig.passes(Stage::Admission, |object| object);
}

#[test]
fn cut_or_changed_answers_never_panic_and_leave_headers_that_can_be_sent() {
    let answer = wire(&json!({
        "request": {
            "set_headers": { "X-A": "1", "X-B": "2" },
            "delete_headers": ["X-C"],
            "url": "/b?q=1",
            "add_params": { "a": "b" },
            "delete_params": ["q"],
            "return_overrides": { "response_code": 403, "response_error": "e", "headers": { "X-R": "1" } },
            "method": "PUT",
            "raw_body": base64(b"body"),
        },
        "session": session(&json!({ "access_rights": { "a1": {} } })),
        "metadata": { "a": "b" },
        "response": {
            "status_code": 201,
            "headers": { "X-N": "1" },
            "multivalue_headers": [{ "key": "X-N", "values": ["0", "2"] }],
        },
    }));
    let can_be_sent = |headers: &Headers| {
        let bytes = |(name, value): (&[u8], &[u8])| [name, value].concat();
        !headers
            .iter()
            .any(|line| bytes(line).iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)))
    };
    let check = |answer: &[u8]| {
        for kind in [Kind::Pre, Kind::CustomKeyCheck] {
            let mut rig = Rig::post(&[kind]);
            rig.sent(Stage::Admission);
            let verdict = rig.course.answered(Ok(answer), &mut rig.request);
            assert!(can_be_sent(rig.request.headers()), "{}", answer.escape_ascii());
            assert!(verdict.reply.is_none_or(|reply| can_be_sent(&reply.headers)));
        }
        let mut rig = Rig::post(&[Kind::Response]);
        rig.sent_response();
        rig.course
            .answered_of_response(Ok(answer), &rig.request, &mut rig.response);
        assert!(can_be_sent(&rig.response.headers), "{}", answer.escape_ascii());
    };
    for at in 0..answer.len() {
        check(&answer[..at]);
        for change in [0x01, 0x08, 0x0a ^ answer[at], 0x41, 0x80] {
            let mut changed = answer.clone();
            changed[at] ^= change;
            check(&changed);
        }
    }
}
