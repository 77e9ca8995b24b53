//! What is wrong with transforms is said when the configuration is loaded, each with its key.

use super::*;

const OTHER: &str = r#"syntax = "proto3";
package t;
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { bool secret = 50001; repeated bool several = 50002; string level = 50003; }
extend google.protobuf.MessageOptions { bool hidden = 50001; }
message M { string name = 1; M child = 2; string only = 3; }
message N { string name = 1; int32 other = 2; }
service S { rpc Do(M) returns (M); rpc Else(N) returns (M); }
"#;

/// The lines, without the `configuration: ` before each.
fn lines(proto: &str, transforms: &Value) -> String {
    let configuration = json!({ "proto": proto, "transforms": transforms }).to_string();
    match Plugin::load(configuration.as_bytes(), 7) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string().replace("configuration: ", ""),
    }
}

#[track_caller]
fn assert_problems(proto: &str, cases: &[(Value, &str)]) {
    for (transforms, expected) in cases {
        let found = lines(proto, transforms);
        assert!(
            !expected.is_empty() && found == *expected,
            "{transforms}\n{found}\n{expected}"
        );
    }
}

#[test]
fn the_shape_of_entries_is_checked() {
    assert_problems(
        PROTO,
        &[
            (json!([7]), "transforms[0]: expected an object, but found 7"),
            (
                json!([{}]),
                "transforms[0]: expected operations in request or response, but found none",
            ),
            (
                json!([{ "request": [], "response": {} }]),
                "transforms[0]: expected operations in request or response, but found none",
            ),
            (
                json!([{ "reqest": [] }]),
                "transforms[0].reqest: unknown key; did you mean \"request\"? (known here: selector, when, request, response)",
            ),
            (
                json!([{ "selector": "t.S.D", "request": [{ "remove": ["s"] }] }]),
                "transforms[0].selector: `t.S.D` selects no method: did you mean `t.S.Do`?",
            ),
            (
                json!([{ "slector": "t.S.Do", "request": [{ "remove": ["not_there"] }] }]),
                "transforms[0].slector: unknown key; did you mean \"selector\"? (known here: selector, when, request, \
                 response)",
            ),
            (
                json!([{ "selector": 7, "request": [{ "remove": ["not_there"] }] }]),
                "transforms[0].selector: expected a string that isn't empty, but found 7",
            ),
            (
                json!([{ "when": { "is": ["a"] }, "request": [{ "remove": ["s"] }] }]),
                "transforms[0].when.header: expected the name of a header, but found nothing",
            ),
            (
                json!([{ "when": { "header": "x" }, "request": [{ "remove": ["s"] }] }]),
                "transforms[0].when: expected exactly one of is, not, present, but found none",
            ),
            (
                json!([{ "when": { "header": "x", "is": ["a"], "present": true }, "request": [{ "remove": ["s"] }] }]),
                "transforms[0].when: expected exactly one of is, not, present, but found is and present",
            ),
            (
                json!([{ "when": { "header": "x y", "is": ["a"] }, "request": [{ "remove": ["s"] }] }]),
                "transforms[0].when.header: expected the name of a header, but found other characters in it",
            ),
            (
                json!([{ "when": { "header": "x", "not": [] }, "request": [{ "remove": ["s"] }] }]),
                "transforms[0].when.not: expected at least one string, but found an empty list",
            ),
            (
                json!([{ "request": [{}] }]),
                "transforms[0].request[0]: expected exactly one of set, default, remove, keep, mask, remove_annotated, but \
                 found none",
            ),
            (
                json!([{ "response": [{ "remove": ["s"] }, { "keep": ["s"], "remove": ["i"] }] }]),
                "transforms[0].response[1]: expected exactly one of set, default, remove, keep, mask, remove_annotated, but \
                 found remove and keep",
            ),
            (
                json!([{ "response": [{ "removed": ["s"] }] }]),
                "transforms[0].response[0].removed: unknown key; did you mean \"remove\"? (known here: set, default, remove, \
                 keep, mask, remove_annotated)",
            ),
            (
                json!([{ "request": [{ "set": { "field": "s" } }] }]),
                "transforms[0].request[0].set: expected exactly one of value, header, property, but found none",
            ),
            (
                json!([{ "request": [{ "set": { "field": "s", "value": "a", "header": "b" } }] }]),
                "transforms[0].request[0].set: expected exactly one of value, header, property, but found value and header",
            ),
            (
                json!([{ "request": [{ "set": { "field": "s", "value": null } }] }]),
                "transforms[0].request[0].set.value: expected a value, but found null",
            ),
            (
                json!([{ "request": [{ "set": { "header": "s" } }] }]),
                "transforms[0].request[0].set.field: expected the path of a field, but found nothing",
            ),
            (
                json!([{ "request": [{ "set": { "field": "s", "value": "a", "required": true } }] }]),
                "transforms[0].request[0].set.required: unexpected key: a value of the configuration is always there",
            ),
            (
                json!([{ "request": [{ "set": { "field": "s", "property": [] } }] }]),
                "transforms[0].request[0].set.property: expected at least one string, but found an empty list",
            ),
            (
                json!([{ "request": [{ "default": { "field": "s" } }] }]),
                "transforms[0].request[0].default.value: expected a value, but found nothing",
            ),
            (
                json!([{ "request": [{ "mask": { "field": "s", "keep_last": -1 } }] }]),
                "transforms[0].request[0].mask.keep_last: expected a whole number from 0 to 1073741824, but found -1",
            ),
            (
                json!([{ "request": [{ "remove": [] }] }]),
                "transforms[0].request[0].remove: expected at least one string, but found an empty list",
            ),
        ],
    );
}

#[test]
fn paths_and_values_are_checked() {
    let set = |field: &str, value: Value| json!([{ "request": [{ "set": { "field": field, "value": value } }] }]);
    let remove = |path: &str| json!([{ "response": [{ "remove": ["s", path] }] }]);
    assert_problems(
        PROTO,
        &[
            (
                remove("m.lon_name"),
                "transforms[0].response[0].remove[1]: `t.M` has no field `lon_name`; did you mean `long_name`? \
                 (`m.lon_name`), in the response of t.S.Do",
            ),
            (
                remove("s.x"),
                "transforms[0].response[0].remove[1]: `s` of `t.M` has no fields: the path can't go on behind it (`s.x`), in \
                 the response of t.S.Do",
            ),
            (
                remove("ms.value"),
                "transforms[0].response[0].remove[1]: `ms` of `t.M` is a map whose values have no fields: a path that goes \
                 through it can't go on (`ms.value`), in the response of t.S.Do",
            ),
            (
                remove("a.value"),
                "transforms[0].response[0].remove[1]: `a` of `t.M` is a google.protobuf.Any, whose contents can't be named: \
                 only `remove_annotated` goes into it (`a.value`), in the response of t.S.Do",
            ),
            (
                remove("m.st.fields"),
                "transforms[0].response[0].remove[1]: `st` of `t.M` is a google.protobuf.Struct, whose contents have no \
                 names in the schema: the path can't go on behind it (`m.st.fields`), in the response of t.S.Do",
            ),
            (
                set("rs", json!(["a"])),
                "transforms[0].request[0].set.field: expected a singular field, but `rs` is repeated, in the request of t.S.Do",
            ),
            (
                set("ms", json!({})),
                "transforms[0].request[0].set.field: expected a singular field, but `ms` is a map, in the request of t.S.Do",
            ),
            (
                set("i", json!("x")),
                "transforms[0].request[0].set.value: expected a 32-bit integer, found string \"x\", in the request of t.S.Do",
            ),
            (
                set("m", json!({ "m": { "q": 1 } })),
                "transforms[0].request[0].set.value: m.q: found the unknown key \"q\", expected a field of t.M, in the request of t.S.Do",
            ),
            (
                json!([{ "request": [{ "set": { "field": "m", "header": "x" } }] }]),
                "transforms[0].request[0].set.field: `m` is t.M, which has no text form: a header or a property can't give \
                 it; set a field below it, in the request of t.S.Do",
            ),
            (
                json!([{ "request": [{ "default": { "field": "rm", "value": [] } }] }]),
                "transforms[0].request[0].default.field: expected a singular field, but `rm` is repeated, in the request of \
                 t.S.Do",
            ),
        ],
    );
    let long = vec!["m"; 101].join(".");
    assert!(lines(PROTO, &remove(&long)).contains("expected a path of at most 100 fields"));
    assert_eq!(lines(PROTO, &remove(&vec!["m"; 100].join("."))), "");
}

#[test]
fn each_selected_method_must_have_the_path() {
    let remove = |path: &str| json!([{ "request": [{ "remove": [path] }] }]);
    assert_eq!(lines(OTHER, &remove("name")), "");
    assert_problems(
        OTHER,
        &[(
            remove("only"),
            "transforms[0].request[0].remove[0]: `t.N` has no field `only` (`only`), in the request of t.S.Else; the \
             selector selects other methods too, narrow it if this one isn't meant",
        )],
    );
    assert_eq!(
        lines(
            OTHER,
            &json!([{ "selector": "t.S.Do", "request": [{ "remove": ["only"] }] }])
        ),
        ""
    );
}

#[test]
fn required_fields_cannot_be_removed() {
    let of = |operation: Value| json!([{ "request": [operation] }]);
    assert_problems(
        PROTO2,
        &[
            (
                of(json!({ "remove": ["m.id"] })),
                "transforms[0].request[0].remove[0]: `m.id` is a required field, which can't be removed, in the request of \
                 t.S.Do",
            ),
            (
                of(json!({ "keep": ["id", "m.n"] })),
                "transforms[0].request[0].keep: `id` of `t.M` is a required field, which can't be removed: keep it too, in \
                 the request of t.S.Do",
            ),
            (
                of(json!({ "set": { "field": "id", "header": "x" } })),
                "transforms[0].request[0].set.field: `id` is a required field, which can't be removed where its source isn't \
                 there: expected `required: true`, in the request of t.S.Do",
            ),
            (
                of(json!({ "set": { "field": "m", "value": { "n": 1 } } })),
                "transforms[0].request[0].set.value: id: the required field is missing (t.M), in the request of t.S.Do",
            ),
        ],
    );
    for right in [
        json!({ "mask": { "field": "id" } }),
        json!({ "set": { "field": "id", "header": "x", "required": true } }),
        json!({ "set": { "field": "id", "value": "x" } }),
        json!({ "keep": ["id", "m"] }),
    ] {
        assert_eq!(lines(PROTO2, &of(right.clone())), "", "{right}");
    }
}

#[test]
fn options_are_those_of_the_schema() {
    let of = |option: &str| json!([{ "response": [{ "remove_annotated": option }] }]);
    assert_eq!(lines(OTHER, &of("t.secret")), "");
    assert_eq!(lines(OTHER, &of(".t.secret")), "");
    assert_eq!(lines(OTHER, &of("debug_redact")), "");
    let expected = "transforms[0].response[0].remove_annotated: expected ";
    assert_problems(
        OTHER,
        &[
            (
                of("t.secrt"),
                &format!(
                    "{expected}an extension of google.protobuf.FieldOptions by its full name, or debug_redact, but the \
                     schema has no option `t.secrt`; did you mean `t.secret`?"
                ),
            ),
            (
                of("secret"),
                &format!(
                    "{expected}an extension of google.protobuf.FieldOptions by its full name, or debug_redact, but the \
                     schema has no option `secret`; did you mean `t.secret`?"
                ),
            ),
            (
                of("t.hidden"),
                &format!("{expected}a bool option of fields, but `t.hidden` is bool of google.protobuf.MessageOptions"),
            ),
            (
                of("t.several"),
                &format!(
                    "{expected}a bool option of fields, but `t.several` is a list of bools of google.protobuf.FieldOptions"
                ),
            ),
            (
                of("t.level"),
                &format!("{expected}a bool option of fields, but `t.level` is string of google.protobuf.FieldOptions"),
            ),
        ],
    );
    let without = OTHER
        .replace(
            "import \"google/protobuf/descriptor.proto\";",
            "import \"not/there.proto\";",
        )
        .lines()
        .filter(|line| !line.starts_with("extend"))
        .map(|line| line.replace("string only = 3;", "string only = 3 [(not.there.secret) = true];"))
        .collect::<String>();
    let found = lines(&without, &of("not.there.secret"));
    assert!(
        found.contains("has no option `not.there.secret`; what isn't given of the schema may define it: imports that are not given: not/there.proto"),
        "{found}"
    );
    let required = r#"syntax = "proto2"; package t;
        message M { repeated N n = 1; }
        message N { required string id = 1 [debug_redact = true]; }
        service S { rpc Do(M) returns (M); }"#;
    assert_problems(
        required,
        &[(
            of("debug_redact"),
            "transforms[0].response[0].remove_annotated: `id` of `t.N` has the option, but is a required field, which can't \
             be removed, in the response of t.S.Do",
        )],
    );
}
