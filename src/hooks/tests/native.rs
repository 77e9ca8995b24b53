//! Calls of gRPC clients.

use super::*;
use crate::grpc::Code;
use crate::hooks::native::refusal_code;

fn rig(hooks: Vec<Hook>) -> Rig {
    let lines = [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("content-length", "7"),
        ("grpc-timeout", "1S"),
        ("authorization", "Bearer t"),
    ];
    let headers = request_headers("POST", "/shop.Books/Get", &lines);
    let mut rig = Rig::new(vec![hook(Kind::Pre)], headers, b"");
    let chain = Hooks::new(settings(hooks)).unwrap().for_native();
    rig.course = Course::new(chain, Caller::default(), rig.request.headers());
    rig
}

#[test]
fn native_calls_are_guarded_whatever_their_path() {
    let guarded = [
        Kind::Pre,
        Kind::CustomKeyCheck,
        Kind::PostKeyAuth,
        Kind::Post,
        Kind::Response,
    ];
    let hooks = guarded.map(|kind| Hook {
        paths: PathPrefix::new("/v1/"),
        ..hook(kind)
    });
    let hooks = Settings {
        paths: PathPrefix::new("/v1/").unwrap(),
        ..settings(hooks.to_vec())
    };
    let mut rig = rig(hooks.hooks);
    for name in ["Pre", "CustomKeyCheck", "PostKeyAuth"] {
        rig.passes(Stage::Admission, |object| {
            assert_eq!(object["hook_name"], name);
            assert_eq!(object["request"]["raw_body"], Value::Null);
            with(object, "session", session(&json!({})))
        });
    }
    rig.goes_on(Stage::Admission);
    rig.goes_on(Stage::Sending);
    assert!(!rig.course.awaits_response());
}

#[test]
fn of_a_native_call_headers_alone_change() {
    let mut rig = rig(vec![hook(Kind::Pre)]);
    let before = texts(rig.request.headers());
    rig.passes(Stage::Admission, |object| {
        let object = with(object, "request.raw_body", json!(base64(b"new")));
        let object = with(object, "request.url", json!("/shop.Books/Delete"));
        let object = with(object, "request.method", json!("GET"));
        let object = with(object, "request.add_params", json!({ "q": "1" }));
        let object = with(
            object,
            "request.delete_headers",
            json!(["Content-Type", "Te", "Grpc-Timeout"]),
        );
        let set = json!({ "Content-Type": "text/plain", "Grpc-Encoding": "gzip", "Authorization": "Bearer j" });
        with(object, "request.set_headers", set)
    });
    let after = texts(rig.request.headers());
    let changed: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    assert_eq!(changed, [&("authorization".to_owned(), "Bearer j".to_owned())]);
    assert_eq!((after.len(), rig.request.body()), (before.len(), &b""[..]));
}

#[test]
fn refusals_are_told_with_a_code_and_a_message() {
    let mut rig = rig(vec![hook(Kind::CustomKeyCheck)]);
    let reply = rig.replies(Stage::Admission, |object| object);
    assert_eq!(
        (refusal_code(reply.status), reply.message.as_str()),
        (Code::PermissionDenied, "Forbidden")
    );
    for status in 200..600 {
        assert_ne!(refusal_code(status), Code::Ok);
    }
}

#[test]
fn each_status_has_its_code() {
    for (status, code) in [
        // As Tyk's contract has them for gRPC clients.
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (429, Code::ResourceExhausted),
        (500, Code::Internal),
        (400, Code::InvalidArgument),
        (404, Code::NotFound),
        (405, Code::Unimplemented),
        (408, Code::DeadlineExceeded),
        (409, Code::Aborted),
        (410, Code::NotFound),
        (412, Code::FailedPrecondition),
        (413, Code::ResourceExhausted),
        (416, Code::OutOfRange),
        (428, Code::FailedPrecondition),
        (499, Code::Cancelled),
        (501, Code::Unimplemented),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::DeadlineExceeded),
        // As the first of their hundreds.
        (402, Code::InvalidArgument),
        (418, Code::InvalidArgument),
        (505, Code::Internal),
        (599, Code::Internal),
        (200, Code::Unknown),
        (302, Code::Unknown),
    ] {
        assert_eq!(refusal_code(status), code, "{status}");
    }
    // What a service's error becomes in HTTP, a hook's refusal becomes in gRPC, but for codes that share their status.
    for number in 1..=16 {
        let code = Code::from_number(number);
        let shares = [
            Code::FailedPrecondition,
            Code::OutOfRange,
            Code::AlreadyExists,
            Code::Unknown,
            Code::DataLoss,
        ];
        if !shares.contains(&code) {
            assert_eq!(refusal_code(code.http_status()), code);
        }
    }
}
