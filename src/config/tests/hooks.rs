//! The hooks of a configuration.

use super::*;
use crate::hooks::settings::{Hook, Kind, OnError, PathPrefix, Settings as HookSettings};

fn hooks(hooks: &Value) -> Option<HookSettings> {
    let plugin = load(with(json!({ "hooks": hooks, "hold_headers": true }))).unwrap();
    Some(plugin.hooks?.for_native().settings().clone())
}

#[test]
fn hooks_are_read_with_their_defaults() {
    let found = hooks(&json!({ "cluster": "c", "pre": [{ "name": "a" }], "auth": {} })).unwrap();
    let hook = |kind, name: &str| Hook {
        kind,
        name: name.into(),
        cluster: "c".to_owned(),
        timeout: Duration::from_secs(2),
        on_error: OnError::Deny,
        raw_body_only: false,
        paths: None,
    };
    assert_eq!(
        found,
        HookSettings {
            authority: None,
            paths: PathPrefix::new("/").unwrap(),
            org_id: String::new(),
            api_id: String::new(),
            config_data: None,
            attributes: true,
            hooks: vec![hook(Kind::Pre, "a"), hook(Kind::CustomKeyCheck, "")],
        }
    );
}

#[test]
fn every_key_of_hooks_counts() {
    let given = json!({
        "cluster": "c",
        "authority": "a.test",
        "timeout": "1s",
        "path_prefix": "/v1/",
        "org_id": "o1",
        "api_id": "a1",
        "attributes": false,
        "config_data": { "b": { "z": 1, "a": [true, null] }, "a": 1.5 },
        "response": [{ "name": "r" }],
        "post": [{ "name": "p", "disabled": false }, { "name": "gone", "disabled": true }],
        "post_key_auth": [{ "name": "k", "on_error": "deny" }],
        "auth": { "name": "auth", "cluster": "d", "timeout": "0.5s", "raw_body_only": true, "path_prefix": "/v1/x" },
        "pre": [{ "name": "b", "on_error": "allow" }, { "name": "a" }],
    });
    let found = hooks(&given).unwrap();
    let hook = |kind, name: &str| Hook {
        kind,
        name: name.into(),
        cluster: "c".to_owned(),
        timeout: Duration::from_secs(1),
        on_error: OnError::Deny,
        raw_body_only: false,
        paths: None,
    };
    let expected = HookSettings {
        authority: Some("a.test".to_owned()),
        paths: PathPrefix::new("/v1/").unwrap(),
        org_id: "o1".to_owned(),
        api_id: "a1".to_owned(),
        config_data: Some(r#"{"a":1.5,"b":{"a":[true,null],"z":1}}"#.to_owned()),
        attributes: false,
        hooks: vec![
            Hook {
                on_error: OnError::Allow,
                ..hook(Kind::Pre, "b")
            },
            hook(Kind::Pre, "a"),
            Hook {
                cluster: "d".to_owned(),
                timeout: Duration::from_millis(500),
                raw_body_only: true,
                paths: PathPrefix::new("/v1/x"),
                ..hook(Kind::CustomKeyCheck, "auth")
            },
            hook(Kind::PostKeyAuth, "k"),
            hook(Kind::Post, "p"),
            hook(Kind::Response, "r"),
        ],
    };
    assert_eq!(found, expected);
    // As a Struct too, whose numbers are all doubles.
    let bytes = struct_bytes(&with(json!({ "hooks": given, "hold_headers": true })));
    let found = Plugin::load(&bytes, 7).unwrap().hooks.unwrap();
    assert_eq!(*found.for_native().settings(), expected);
}

#[test]
fn without_hooks_there_are_none() {
    assert!(load(with(json!({}))).unwrap().hooks.is_none());
    for given in [
        json!({}),
        json!({ "cluster": "c" }),
        json!({ "cluster": "c", "pre": [], "post": {} }),
        json!({ "cluster": "c", "pre": [{ "name": "a", "disabled": true }], "auth": { "disabled": true } }),
    ] {
        assert_eq!(hooks(&given), None, "{given}");
    }
}

#[test]
fn errors_of_hooks_name_the_key_and_the_cure() {
    for (given, expected) in [
        (json!([]), "hooks: expected an object, but found a list"),
        (
            json!({ "cluster": "c", "pre": { "name": "a" } }),
            "hooks.pre: expected a list of objects, but found an object",
        ),
        (
            json!({ "cluster": "c", "auth": [{ "name": "a" }] }),
            "hooks.auth: expected an object, but found a list",
        ),
        (
            json!({ "cluster": "c", "pre": [{}] }),
            "hooks.pre[0].name: expected the name of the server's function, but found nothing",
        ),
        (
            json!({ "pre": [{ "name": "a", "cluster": "c" }, { "name": "b" }] }),
            "hooks.pre[1].cluster: expected the cluster of the server, here or in hooks.cluster, but found nothing",
        ),
        (
            json!({ "auth": { "name": "a" } }),
            "hooks.auth.cluster: expected the cluster of the server, here or in hooks.cluster, but found nothing",
        ),
        (
            json!({ "cluster": "c", "post": [{ "name": "a", "on_eror": "deny" }] }),
            "hooks.post[0].on_eror: unknown key; did you mean \"on_error\"? (known here: name, cluster, timeout, \
             on_error, raw_body_only, path_prefix, disabled)",
        ),
        (
            json!({ "cluster": "c", "auth": { "on_error": "permit" } }),
            "hooks.auth.on_error: expected \"deny\" or \"allow\", but found \"permit\"",
        ),
        (
            json!({ "cluster": "c", "path_prefix": "v1", "pre": [{ "name": "a" }] }),
            "hooks.path_prefix: expected the beginning of a path, such as \"/v1/\", but found \"v1\"",
        ),
        (
            json!({ "cluster": "c", "post": [{ "name": "a", "path_prefix": "x/" }] }),
            "hooks.post[0].path_prefix: expected the beginning of a path, such as \"/v1/\", but found \"x/\"",
        ),
        (
            json!({ "cluster": "c", "post_key_auth": [{ "name": "a" }] }),
            "hooks.post_key_auth: expected hooks.auth beside it, which none of them is called without: set that, or make \
             them hooks.pre or hooks.post",
        ),
        (
            json!({ "cluster": "c", "post_key_auth": [{ "name": "a" }], "auth": { "disabled": true } }),
            "hooks.post_key_auth: expected hooks.auth beside it, which none of them is called without: set that, or make \
             them hooks.pre or hooks.post",
        ),
        (
            json!({ "cluster": "c", "config_data": [1] }),
            "hooks.config_data: expected an object, but found a list",
        ),
        // Nothing that is so only because of something else.
        (
            json!({ "cluster": "c", "auht": {}, "post_key_auth": [{ "name": "a" }] }),
            "hooks.auht: unknown key; did you mean \"auth\"? (known here: cluster, authority, timeout, path_prefix, org_id, \
             api_id, config_data, attributes, pre, auth, post_key_auth, post, response)",
        ),
        (
            json!({ "cluster": 1, "pre": [{ "name": "a" }] }),
            "hooks.cluster: expected a string that isn't empty, but found 1",
        ),
    ] {
        assert_eq!(error_with(json!({ "hooks": given })), expected);
    }
    assert_eq!(
        error_with(json!({ "hooks": { "cluster": "c", "response": [{ "name": "a" }] } })),
        "hooks.response: expected hold_headers: true beside it, and Envoy's allow_on_headers_stop_iteration: true: an answer \
         waits for these hooks, and where its headers don't it would wait for ever"
    );
    let hooks = json!({ "cluster": "c", "pre": [{ "name": "a" }] });
    assert_eq!(
        error_with(json!({ "hooks": hooks, "hold_headers": false })),
        "hold_headers: expected true with hooks, which change headers that wait for them: set it, with Envoy's \
         allow_on_headers_stop_iteration"
    );
}
