//! `google.api.http` in files that are given.

use super::elsewhere::{ANNOTATIONS, HTTP, USER};
use super::*;

#[test]
fn given_annotations_may_be_older_but_not_others() {
    let http = |from: &str, to: &str| {
        assert!(HTTP.contains(from));
        ("google/api/http.proto", HTTP.replace(from, to))
    };
    let annotations = |from: &str, to: &str| {
        assert!(ANNOTATIONS.contains(from));
        ("google/api/annotations.proto", ANNOTATIONS.replace(from, to))
    };
    // Without `response_body`, which came later.
    for (path, text) in [
        http("", ""),
        annotations("", ""),
        http("repeated HttpRule additional_bindings = 11;", ""),
        http("string body = 7;", "string body = 7; string mine = 100;"),
        annotations("}", "string mine = 50000; }"),
    ] {
        compile_all(&[(path, &text), ("user.proto", USER)]).unwrap();
    }
    for ((path, text), differs) in [
        (http("get = 2", "get = 22"), "field 2 of google.api.HttpRule"),
        (http("body = 7", "content = 7"), "field 7 of google.api.HttpRule"),
        (
            http("string body", "repeated string body"),
            "field 7 of google.api.HttpRule",
        ),
        (
            http("repeated HttpRule", "repeated string"),
            "field 11 of google.api.HttpRule",
        ),
        (
            http("string kind = 1", "int32 kind = 1"),
            "field 1 of google.api.CustomHttpPattern",
        ),
        (
            annotations("HttpRule http", "repeated HttpRule http"),
            "google.api.http",
        ),
        (annotations("= 72295728", "= 72295729"), "google.api.http"),
    ] {
        let error = compile_all(&[(path, &text), ("user.proto", USER)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{path}: expected Google's own {differs}, but found another; without this file the bundled one is used"
            )
        );
    }
}
