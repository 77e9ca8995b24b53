//! Which hooks are called, and when.

use super::*;

#[test]
fn hooks_are_called_by_kind_then_as_they_are_listed() {
    let named = |kind, name: &str| Hook {
        name: name.into(),
        ..hook(kind)
    };
    let hooks = vec![
        named(Kind::Response, "r1"),
        named(Kind::Post, "p1"),
        named(Kind::PostKeyAuth, "k1"),
        named(Kind::Pre, "b"),
        named(Kind::CustomKeyCheck, "auth"),
        named(Kind::Pre, "a"),
        named(Kind::PostKeyAuth, "k2"),
        named(Kind::Response, "r2"),
    ];
    let mut rig = Rig::new(hooks, request_headers("GET", "/", &[]), b"");
    let mut names = Vec::new();
    for (stage, count) in [(Stage::Admission, 5), (Stage::Sending, 1)] {
        for _ in 0..count {
            rig.passes(stage, |object| {
                names.push(format!("{} {}", object["hook_type"], object["hook_name"]).replace('"', ""));
                with(object, "session", session(&json!({})))
            });
        }
        rig.goes_on(stage);
        rig.goes_on(stage);
    }
    for _ in 0..2 {
        rig.response.status = 200;
        rig.response_turn(|object| {
            names.push(format!("{} {}", object["hook_type"], object["hook_name"]).replace('"', ""));
            object
        });
    }
    assert!(
        rig.course
            .next_of_response(&rig.request, &rig.response, &mut rig.memory)
            .is_none()
    );
    assert_eq!(
        names,
        [
            "Pre b",
            "Pre a",
            "CustomKeyCheck auth",
            "PostKeyAuth k1",
            "PostKeyAuth k2",
            "Post p1",
            "Response r1",
            "Response r2"
        ]
    );
}

#[test]
fn a_hook_sees_what_those_before_it_changed() {
    let mut rig = Rig::post(&[Kind::Pre, Kind::Pre]);
    rig.passes(Stage::Admission, |object| {
        let object = with(object, "request.set_headers", json!({ "X-New": "1" }));
        let object = with(object, "request.url", json!("/v1/other?q=1"));
        let object = with(object, "request.method", json!("PUT"));
        let object = with(object, "request.add_params", json!({ "r": "2" }));
        with(object, "request.raw_body", json!(base64(b"new")))
    });
    let sent = rig.sent(Stage::Admission);
    let request = &sent["request"];
    assert_eq!(request["url"], "/v1/other?q=1&r=2");
    assert_eq!(request["request_uri"], "/v1/shelves/3/books?q=1");
    assert_eq!(request["params"], json!({ "q": "1", "r": "2" }));
    assert_eq!((&request["method"], &request["body"]), (&json!("PUT"), &json!("new")));
    assert_eq!(request["headers"]["X-New"], "1");
    assert_eq!(request["headers"]["Content-Length"], "3");
    assert_eq!(request["return_overrides"], json!({ "response_code": -1 }));
    assert_eq!(request.get("set_headers"), None);
}

#[test]
fn a_prefix_covers_a_path_however_it_is_spelled() {
    let prefix = PathPrefix::new("/v1/").unwrap();
    for (path, covered) in [
        ("/v1/", true),
        ("/v1/books", true),
        ("/%761/books", true),
        ("/%76%31%2Fbooks", true),
        ("/v1", false),
        ("/v10/books", false),
        ("/v2/v1/", false),
        ("", false),
    ] {
        assert_eq!(prefix.covers(path.as_bytes()), covered, "{path}");
    }
    assert!(PathPrefix::new("/").unwrap().covers(b"*"));
    assert_eq!(PathPrefix::new("v1"), None);
}

#[test]
fn hooks_are_for_the_paths_that_they_are_for() {
    let for_paths = |kind, prefix: &str| Hook {
        paths: PathPrefix::new(prefix),
        ..hook(kind)
    };
    let hooks = vec![
        hook(Kind::Pre),
        for_paths(Kind::CustomKeyCheck, "/private/"),
        hook(Kind::PostKeyAuth),
        for_paths(Kind::Post, "/private/x"),
    ];
    let hooks = Hooks::new(Settings {
        paths: PathPrefix::new("/p").unwrap(),
        ..settings(hooks)
    })
    .unwrap();
    assert!(hooks.for_path(b"/other").is_none());
    for (path, moved, names) in [
        ("/public", None, "Pre"),
        ("/private/", None, "Pre CustomKeyCheck PostKeyAuth"),
        ("/private/x", None, "Pre CustomKeyCheck PostKeyAuth Post"),
        // The path as it stands when their turn comes.
        ("/public", Some("/private/x"), "Pre CustomKeyCheck PostKeyAuth Post"),
    ] {
        let mut rig = Rig::get(&[Kind::Pre], path);
        rig.course = Course::new(
            hooks.for_path(path.as_bytes()).unwrap(),
            Caller::default(),
            rig.request.headers(),
        );
        let mut called = Vec::new();
        for stage in [Stage::Admission, Stage::Sending] {
            while let Ok(object) = rig.next(stage) {
                called.push(object["hook_name"].as_str().unwrap().to_owned());
                let object = with(object, "session", session(&json!({})));
                let url = moved.unwrap_or(path);
                let answer = wire(&with(object, "request.url", json!(url)));
                assert!(rig.course.answered(Ok(&answer), &mut rig.request).reply.is_none());
            }
        }
        assert_eq!(called.join(" "), names, "{path}");
    }
}

#[test]
fn a_response_is_awaited_by_those_that_see_it() {
    assert!(Rig::post(&[Kind::Pre, Kind::Response]).course.awaits_response());
    assert!(!Rig::post(&[Kind::Pre, Kind::Post]).course.awaits_response());
    assert!(Hooks::new(settings(Vec::new())).is_none());
}

#[test]
fn what_a_stage_has_left_out_does_not_come_later() {
    let mut rig = Rig::post(&[Kind::Pre, Kind::Post, Kind::Response]);
    rig.passes(Stage::Admission, |object| object);
    rig.goes_on(Stage::Admission);
    assert_eq!(rig.sent_response()["hook_type"], "Response");
}
