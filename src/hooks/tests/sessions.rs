//! Who is let in.

use super::*;

const HOOKS: [Kind; 4] = [Kind::CustomKeyCheck, Kind::PostKeyAuth, Kind::Post, Kind::Response];

#[test]
fn a_session_needs_a_token() {
    for (session, metadata, enters) in [
        (Value::Null, Value::Null, false),
        (Value::Null, json!({ "token": "t" }), false),
        (json!({}), Value::Null, false),
        (json!({}), json!({ "other": "t" }), false),
        (json!({ "metadata": { "token": "" } }), Value::Null, false),
        (json!({ "metadata": { "token": "t" } }), json!({ "token": "" }), false),
        (json!({ "metadata": { "token": "t" } }), Value::Null, true),
        (json!({}), json!({ "token": "t" }), true),
        (json!({ "metadata": { "token": "" } }), json!({ "token": "t" }), true),
    ] {
        let mut rig = Rig::post(&HOOKS);
        let verdict = rig.turn(Stage::Admission, |object| {
            with(with(object, "session", session.clone()), "metadata", metadata.clone())
        });
        match enters {
            true => assert_eq!(verdict.outcome, Outcome::Passed),
            false => {
                assert_eq!(verdict.outcome, Outcome::Answered);
                let (status, body, media_type) = told(&verdict.reply.unwrap());
                assert_eq!((status, body), (403, template("Forbidden")), "{session} {metadata}");
                assert_eq!(media_type.as_deref(), Some("application/json"));
            }
        }
    }
}

#[test]
fn an_override_counts_before_the_session() {
    let mut rig = Rig::post(&HOOKS);
    let reply = rig.replies(Stage::Admission, |object| {
        let object = with(object, "session", session(&json!({})));
        with(object, "request.return_overrides.response_code", json!(401))
    });
    assert_eq!(told(&reply).1, template("Key not authorised"));
}

#[test]
fn a_session_that_is_not_good_is_refused_behind_post_key_auth() {
    let inactive = Some((403, "Key is inactive, please renew"));
    let expired = Some((401, "Key has expired, please renew"));
    let barred = Some((403, "Access to this API has been disallowed"));
    for (more, refusal) in [
        (json!({}), None),
        (json!({ "is_inactive": true }), inactive),
        (
            json!({ "is_inactive": true, "expires": 1, "access_rights": { "other": {} } }),
            inactive,
        ),
        (json!({ "expires": 1 }), expired),
        (json!({ "expires": NOW, "access_rights": { "other": {} } }), expired),
        (json!({ "expires": NOW + 1 }), None),
        (json!({ "expires": 0 }), None),
        (json!({ "expires": -1 }), None),
        (json!({ "access_rights": { "other": {} } }), barred),
        (json!({ "access_rights": { "other": { "api_id": "a1" } } }), barred),
        (json!({ "access_rights": { "other": {}, "a1": {} } }), None),
    ] {
        let mut rig = Rig::post(&HOOKS);
        rig.passes(Stage::Admission, |object| with(object, "session", session(&more)));
        rig.passes(Stage::Admission, |object| {
            assert_eq!(object["hook_name"], "PostKeyAuth");
            assert_eq!(object["metadata"], json!({ "token": "t" }));
            object
        });
        match (rig.next(Stage::Admission), refusal) {
            (Err(None), None) => {}
            (Err(Some(reply)), Some((status, message))) => {
                assert_eq!(
                    told(&reply),
                    (status, template(message), Some("application/json".to_owned())),
                    "{more}"
                );
            }
            (found, _) => panic!("{more}: {found:?}"),
        }
    }
}

#[test]
fn later_hooks_see_session_and_metadata() {
    let mut rig = Rig::post(&HOOKS);
    rig.passes(Stage::Admission, |object| {
        assert_eq!((&object["session"], &object["metadata"]), (&Value::Null, &Value::Null));
        let given = json!({ "alias": "al", "org_id": "theirs", "certificate": "c", "max_query_depth": "3", "metadata": { "a": "1", "b": "2" } });
        let object = with(object, "session", given);
        with(object, "metadata", json!({ "token": "t", "b": "3", "jwt": "j" }))
    });
    let metadata = json!({ "token": "t", "jwt": "j", "a": "1", "b": "3" });
    let expected = json!({
        "alias": "al", "org_id": "o1", "key_id": "t", "certificate": "c", "max_query_depth": "3", "metadata": metadata,
    });
    let seen = |object: &Value| {
        assert_eq!(object["session"], expected, "{}", object["hook_name"]);
        assert_eq!(object["metadata"], metadata, "{}", object["hook_name"]);
    };
    rig.passes(Stage::Admission, |object| {
        seen(&object);
        // The session is no longer theirs to change.
        with(object, "session", json!({ "alias": "forged" }))
    });
    rig.goes_on(Stage::Admission);
    rig.passes(Stage::Sending, |object| {
        seen(&object);
        without(object, "session")
    });
    rig.goes_on(Stage::Sending);
    seen(&rig.sent_response());
}

#[test]
fn a_session_reaches_later_hooks_byte_for_byte() {
    // A field that nobody knows, a map's entry with more than its fields, and a field in two records.
    let bytes = b"\xca\x3e\x03abc\xba\x01\x0e\x0a\x05token\x12\x01t\x1a\x02zz\xca\x01\x01x\xca\x01\x01y";
    let object = [b"\x1a\x03\x2a\x01/\x22", &[bytes.len() as u8][..], bytes].concat();
    let mut rig = Rig::post(&[Kind::CustomKeyCheck, Kind::PostKeyAuth]);
    rig.sent(Stage::Admission);
    let verdict = rig.course.answered(Ok(&object), &mut rig.request);
    assert_eq!(verdict.outcome, Outcome::Passed);
    let Next::Call(call) = rig.course.next(Stage::Admission, &rig.request, || NOW, &mut rig.memory) else {
        panic!("a call");
    };
    assert!(call.message.windows(bytes.len()).any(|part| part == bytes));
    assert_eq!(read(call.message)["session"]["alias"], "y");
}

#[test]
fn without_auth_nobody_is_asked_for_a_key() {
    let mut rig = Rig::post(&[Kind::Pre, Kind::PostKeyAuth, Kind::Post, Kind::Response]);
    rig.passes(Stage::Admission, |object| object);
    rig.goes_on(Stage::Admission);
    rig.passes(Stage::Sending, |object| {
        assert_eq!(
            (&object["hook_name"], &object["session"]),
            (&json!("Post"), &Value::Null)
        );
        object
    });
    rig.goes_on(Stage::Sending);
    let sent = rig.sent_response();
    // It is there, and empty.
    assert_eq!((&sent["session"], &sent["metadata"]), (&json!({}), &Value::Null));
}

#[test]
fn a_token_found_by_auth_becomes_the_services_credentials() {
    let headers = request_headers("GET", "/v1/shelves/3/books", &[("authorization", "Bearer t")]);
    let mut rig = Rig::new(HOOKS.map(hook).to_vec(), headers, b"");
    rig.passes(Stage::Admission, |object| {
        let token = object["request"]["headers"]["Authorization"].as_str().unwrap();
        let metadata = json!({ "token": token.strip_prefix("Bearer ").unwrap(), "jwt": "j" });
        with(with(object, "session", json!({})), "metadata", metadata)
    });
    rig.passes(Stage::Admission, |object| {
        let metadata = json!({ "token": "t", "jwt": "j" });
        assert_eq!(
            (&object["session"]["metadata"], &object["metadata"]),
            (&metadata, &metadata)
        );
        with(object, "request.set_headers", json!({ "Authorization": "Bearer j" }))
    });
    rig.goes_on(Stage::Admission);
    assert_eq!(rig.header("authorization").as_deref(), Some("Bearer j"));
}
