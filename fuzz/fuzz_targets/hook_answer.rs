//! Any bytes as the answer of a hook, of each kind, to a request and to a response. Whatever they are, what is made of them is
//! what HTTP can carry, and no more than there was in the answer; an answer that can't be used changes nothing. What the next
//! hook gets is an object.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use protobridge::hooks::settings::{Hook, Kind, OnError, PathPrefix, Settings};
use protobridge::hooks::{
    Caller, Course, CurrentRequest, CurrentResponse, HookReply, Hooks, Memory, Next, Outcome, Stage,
};
use protobridge::http::headers::{HeaderEdits, Headers};
use protobridge::schema::{Schema, Source};
use protobridge_fuzz::letters::Letters;

static OBJECT: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let text = include_str!("../../proto-fixtures/coprocess/coprocess.proto");
    let files = [("coprocess.proto".to_owned(), text.to_owned())];
    let schema = Schema::compile(Source::Protos(&files), 1 << 20).expect("the schema");
    schema.pool().get_message_by_name("coprocess.Object").expect("Object")
});

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let kind = *letters.choose(&[Kind::Pre, Kind::CustomKeyCheck, Kind::Post, Kind::Response]);
    let native = letters.flag();
    let method = *letters.choose(&["POST", "HEAD"]);
    let on_error = *letters.choose(&[OnError::Deny, OnError::Allow]);
    let answer = letters.0;
    let hook = |kind| Hook {
        kind,
        name: "hook".into(),
        cluster: "cluster".to_owned(),
        timeout: Duration::from_secs(2),
        on_error,
        raw_body_only: false,
        paths: None,
    };
    // The last one sees what was made of it.
    let last = if kind == Kind::Response {
        Kind::Response
    } else {
        Kind::PostKeyAuth.max(kind)
    };
    let hooks = Hooks::new(Settings {
        authority: None,
        paths: PathPrefix::new("/").expect("a path"),
        org_id: "o1".to_owned(),
        api_id: "a1".to_owned(),
        config_data: None,
        attributes: true,
        hooks: vec![hook(kind), hook(last)],
    })
    .expect("hooks");
    let chain = match native {
        true => hooks.for_native(),
        false => hooks.for_path(b"/v1/books").expect("all paths"),
    };
    let lines = [
        (":authority", "api.test"),
        (":path", "/v1/books?a=1&b=2&b=3"),
        (":method", method),
        (":scheme", "https"),
        ("content-length", "4"),
        ("x-a", "1"),
        ("x-b", "2"),
    ];
    let mut request = CurrentRequest::new(headers(&lines), b"body".to_vec());
    let before = texts(request.headers());
    let mut course = Course::new(chain, Caller::default(), request.headers());
    let mut memory = Memory::default();
    let mut response = CurrentResponse {
        status: 200,
        headers: headers(&[("content-length", "4"), ("x-a", "1"), ("x-a", "2")]),
        body: b"body".to_vec(),
    };

    if kind == Kind::Response {
        if course.next_of_response(&request, &response, &mut memory).is_none() {
            assert!(native);
            return;
        }
        let verdict = course.answered_of_response(Ok(answer), &request, &mut response);
        check_headers(&response.headers);
        assert!((200..=599).contains(&response.status));
        assert!(response.body.len() <= answer.len().max(4));
        check(verdict.reply.as_ref(), answer);
        if let Some(call) = course.next_of_response(&request, &response, &mut memory) {
            DynamicMessage::decode(OBJECT.clone(), call.message).expect("an object");
        }
        return;
    }

    let stage = if kind == Kind::Post {
        Stage::Sending
    } else {
        Stage::Admission
    };
    match course.next(stage, &request, || 0, &mut memory) {
        Next::Call(call) => DynamicMessage::decode(OBJECT.clone(), call.message).expect("an object"),
        _ => {
            assert!(native && kind == Kind::Post);
            return;
        }
    };
    let verdict = course.answered(Ok(answer), &mut request);
    check_headers(request.headers());
    assert!(request.body().len() <= answer.len().max(4));
    let pseudo = |name| request.headers().get(name).expect(name);
    assert!(!pseudo(":path").is_empty() && pseudo(":path").iter().all(u8::is_ascii_graphic));
    assert!(pseudo(":path").len() <= 3 * answer.len() + 64);
    assert!(is_token(pseudo(":method")));
    assert_eq!(
        (pseudo(":authority"), pseudo(":scheme")),
        (&b"api.test"[..], &b"https"[..])
    );
    if native {
        assert_eq!(request.body(), b"body");
        assert_eq!(pseudo(":path"), b"/v1/books?a=1&b=2&b=3");
    }
    // Who knows what the client sent and the edits knows what there is.
    let mut edits = HeaderEdits::default();
    request.edits(&mut edits);
    let mut edited: Vec<_> = before.clone();
    edited.retain(|(name, _)| !edits.removes(name) && !edits.sets().any(|(set, _)| set == name));
    edited.extend(edits.sets().map(|(name, value)| (name.to_vec(), value.to_vec())));
    let mut after = texts(request.headers());
    for lines in [&mut edited, &mut after] {
        lines.retain(|(name, _)| name != b"content-length");
        lines.sort();
    }
    assert_eq!(edited, after);
    if let Outcome::Failed(_) = verdict.outcome {
        assert_eq!(texts(request.headers()), before);
        assert_eq!(request.body(), b"body");
        assert_eq!(verdict.reply.is_some(), on_error == OnError::Deny);
    }
    check(verdict.reply.as_ref(), answer);
    if verdict.reply.is_none() {
        match course.next(stage, &request, || 0, &mut memory) {
            // A session is what the server wrote, whatever that is.
            Next::Call(call) if kind != Kind::CustomKeyCheck => {
                DynamicMessage::decode(OBJECT.clone(), call.message).expect("an object");
            }
            Next::Call(_) | Next::GoOn => {}
            Next::Refuse(reply) => check(Some(&reply), answer),
        }
    }
});

fn headers(lines: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in lines {
        headers.push(name.as_bytes(), value.as_bytes());
    }
    headers
}

fn texts(headers: &Headers) -> Vec<(Vec<u8>, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

fn check(reply: Option<&HookReply>, answer: &[u8]) {
    let Some(reply) = reply else { return };
    assert!((200..=599).contains(&reply.status), "{}", reply.status);
    check_headers(&reply.headers);
    assert!(!reply.headers.iter().any(|(name, _)| name.starts_with(b":")));
    // A control character has six bytes in JSON, and a template is around it.
    assert!(reply.body.len() <= 6 * answer.len() + 128);
    if matches!(reply.status, 204 | 205 | 304) {
        assert!(reply.body.is_empty());
    }
}

fn check_headers(headers: &Headers) {
    for (name, value) in headers.iter() {
        assert!(
            is_token(name.strip_prefix(b":").unwrap_or(name)),
            "{}",
            name.escape_ascii()
        );
        assert!(!name.iter().any(u8::is_ascii_uppercase), "{}", name.escape_ascii());
        let carried = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        assert!(value.iter().all(carried), "{}", value.escape_ascii());
        assert_eq!(value, value.trim_ascii());
    }
    let mut own = headers.iter().filter(|(name, _)| {
        matches!(
            *name,
            b"host" | b"connection" | b"transfer-encoding" | b"te" | b"upgrade"
        )
    });
    assert!(own.next().is_none());
}

fn is_token(text: &[u8]) -> bool {
    let of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(of_token)
}
