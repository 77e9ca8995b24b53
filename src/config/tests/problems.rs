//! Everything that is wrong with a configuration is said at once, and nothing that is so only because something else is.

use std::fmt::Write as _;

use super::*;
use crate::text::problems::SHOWN;

/// Rules as they are in files of others: two methods with one path, a repeated field in a path, a path as a body, and
/// bindings within bindings.
const OTHERS: &str = r#"syntax = "proto3";
package far;
import "google/api/annotations.proto";
message Book { string name = 1; repeated string tags = 2; Book child = 3; }
service Books {
  rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/books/{name}" }; }
  rpc Read(Book) returns (Book) { option (google.api.http) = { get: "/books/{name=*}" }; }
  rpc List(Book) returns (Book) { option (google.api.http) = { get: "/lists/{tags}" }; }
  rpc Put(Book) returns (Book) { option (google.api.http) = { put: "/books" body: "child.name" response_body: "nme" }; }
  rpc Nest(Book) returns (Book) { option (google.api.http) = {
    get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }
  }; }
  rpc Plain(Book) returns (Book);
}
"#;

/// The lines, without the `configuration: ` before each.
fn lines(configuration: &Value) -> Vec<String> {
    let errors = match load(configuration.clone()) {
        Ok(_) => return Vec::new(),
        Err(errors) => errors.to_string(),
    };
    let line = |line: &str| line.strip_prefix("configuration: ").unwrap_or(line).to_owned();
    errors.lines().map(line).collect()
}

/// Checks that the lines begin so, each with its own.
fn assert_lines(configuration: &Value, expected: &[&str]) {
    let lines = lines(configuration);
    assert_eq!(lines.len(), expected.len(), "{configuration}\n{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{configuration}\n{expected}\n{lines:#?}");
    }
}

#[test]
fn every_problem_is_said_in_its_order() {
    let configuration = json!({
        "proto": OTHERS,
        "dispach": "call",
        "limits": { "max_request_bytes": "4MiB", "max_body_bytes": 1 },
        "query": { "ignored": ["", "a", 1] },
        "http_rules": [
            { "selector": "far.Books.Gte", "get": "/x/{name}" },
            { "selector": "far.Books.Plain", "post": "/p/{nme}/{tags}", "body": "chld", "response_body": "nme" },
            { "get": "/x" },
            7,
        ],
        "success_status": [{ "selector": "far.Books.Plan", "status": 201 }, { "selector": "far.Books.Get" }],
        "base_path": "api",
    });
    assert_lines(
        &configuration,
        &[
            "dispach: unknown key; did you mean \"dispatch\"?",
            "limits.max_request_bytes: expected a whole number of bytes",
            "limits.max_body_bytes: unknown key",
            "query.ignored[0]: expected a string that isn't empty, but found an empty string",
            "query.ignored[2]: expected a string that isn't empty, but found 1",
            "http_rules[3]: expected an object, but found 7",
            "http_rules[2].selector: expected the full name of a method, but found nothing",
            "base_path: expected a path such as \"/api\"",
            "success_status[1].status: expected a whole number from 200 to 299, but found nothing",
            "http_rules[0].selector: `far.Books.Gte` selects no method: did you mean `far.Books.Get`?",
            "proto: far.Books.Read: google.api.http: GET `/books/{name=*}` is already bound to far.Books.Get by \
             google.api.http, as `/books/{name}`. To replace this rule, add one to `http_rules` with `selector: \
             far.Books.Read`; to remove it, give only the selector",
            "proto: far.Books.List: google.api.http.get: path `/lists/{tags}`, variable `tags`: expected a singular \
             field, but `tags` is repeated: only body and query can fill it. To replace this rule, add one to \
             `http_rules` with `selector: far.Books.List`;",
            "proto: far.Books.Put: google.api.http.body: expected a field of `far.Book` itself, such as `child`, found \
             the path `child.name`. To replace this rule, add one to `http_rules` with `selector: far.Books.Put`;",
            "proto: far.Books.Put: google.api.http.response_body: `far.Book` has no field `nme`; did you mean `name`? \
             To replace this rule, add one to `http_rules` with",
            "proto: far.Books.Nest: google.api.http.additional_bindings[0]: expected no additional_bindings within \
             additional_bindings: give them all to the rule itself. To replace this rule, add one to `http_rules` with \
             `selector: far.Books.Nest`;",
            "http_rules[1].post: far.Books.Plain: path `/p/{nme}/{tags}`, variable `nme`: `far.Book` has no field",
            "http_rules[1].post: far.Books.Plain: path `/p/{nme}/{tags}`, variable `tags`: expected a singular field",
            "http_rules[1].body: far.Books.Plain: `far.Book` has no field `chld`; did you mean `child`?",
            "http_rules[1].response_body: far.Books.Plain: `far.Book` has no field `nme`; did you mean `name`?",
            "success_status[0].selector: `far.Books.Plan` selects no method: did you mean `far.Books.Plain`?",
        ],
    );
}

#[test]
fn rules_of_others_are_replaced_or_taken_away() {
    let away = |names: &[&str]| -> Vec<Value> {
        let rules = names
            .iter()
            .map(|name| json!({ "selector": format!("far.Books.{name}") }));
        rules.collect()
    };
    let with = |rules: Vec<Value>| json!({ "proto": OTHERS, "http_rules": rules });
    assert_eq!(
        lines(&with(away(&["Read", "List", "Put", "Nest"]))),
        Vec::<String>::new()
    );
    let mut rules = away(&["Get", "List", "Put"]);
    rules.push(json!({ "selector": "far.Books.Nest", "get": "/nest" }));
    assert_eq!(lines(&with(rules)), Vec::<String>::new());
    assert_eq!(
        lines(&with(vec![json!({ "selector": "far.Books.*" })])),
        Vec::<String>::new()
    );
    // A rule in place of one method's leaves those of the others wrong.
    assert_eq!(lines(&with(away(&["Read", "List"]))).len(), 3);
}

#[test]
fn what_follows_from_another_problem_is_not_said() {
    let rule = |rule: Value| with(json!({ "http_rules": [rule] }));
    let cases: &[(Value, &[&str])] = &[
        // The schema.
        (
            json!({ "proot": PROTO }),
            &["proot: unknown key; did you mean \"proto\"?"],
        ),
        (json!({ "proto": 1 }), &["proto: expected a string"]),
        (
            json!({ "dispach": "call" }),
            &["dispach: unknown key", "expected a schema, in exactly one of"],
        ),
        (
            json!({ "proto": 1, "protos": { "a.proto": PROTO } }),
            &["proto: expected a string", "expected a schema, in exactly one of"],
        ),
        (
            json!({ "protos": { "a.proto": "import \"b.proto\";", "b.proto": null } }),
            &["protos[\"b.proto\"]: expected a string, but found null"],
        ),
        (
            json!({ "proto": "message {", "http_rules": [{ "selector": "a.B", "get": "/{a" }], "services": ["a.B"] }),
            &["proto: service.proto:1:9:", "http_rules[0].get: path `/{a`: expected"],
        ),
        (
            with(json!({ "limits": { "max_proto_bytes": "10" } })),
            &["limits.max_proto_bytes: expected a whole number"],
        ),
        (
            json!({ "proto": PROTO.repeat(2), "limits": { "max_prto_bytes": 2 } }),
            &["limits.max_prto_bytes: unknown key", "proto: service.proto:"],
        ),
        // Services.
        (
            with(json!({
                "services": ["shop.Boks", 1],
                "http_rules": [
                    { "selector": "shop.Books.Get", "get": "/" },
                    { "selector": "shop.Authors.*", "get": "/" },
                    { "selector": "shop.Boks.Get", "get": "/" },
                ],
            })),
            &[
                "services[1]: expected a string",
                "services[0]: expected a service of the schema, but found \"shop.Boks\"; did you mean \"shop.Books\"?",
                "http_rules[2].selector: `shop.Boks.Get` selects no method",
            ],
        ),
        (
            json!({ "proto": OTHERS, "services": "far.Books" }),
            &["services: expected a list of strings"],
        ),
        (
            json!({ "proto": "syntax = \"proto3\";", "http_rules": [{ "selector": "a.B.C", "get": "/" }] }),
            &["proto: expected at least one service, but the schema has none"],
        ),
        // Rules.
        (
            rule(json!({ "selector": "shop.Books.Get", "gett": "/" })),
            &["http_rules[0].gett: unknown key"],
        ),
        (
            rule(json!({ "selector": "shop.Books.Get", "get": 1 })),
            &["http_rules[0].get: expected a string"],
        ),
        (
            rule(
                json!({ "selector": "shop.Books.Get", "get": 1, "body": "nme", "additional_bindings": [{ "get": "x" }] }),
            ),
            &[
                "http_rules[0].get: expected a string",
                "http_rules[0].body: shop.Books.Get: `shop.Book` has no field `nme`",
                "http_rules[0].additional_bindings[0].get: shop.Books.Get: path `x`: expected `/`",
            ],
        ),
        (
            rule(json!({ "selectr": "shop.Books.Get", "get": "/" })),
            &["http_rules[0].selectr: unknown key"],
        ),
        (
            rule(json!({ "selector": "shop.Books.Get", "custom": { "kind": 1, "paht": "/" } })),
            &[
                "http_rules[0].custom.kind: expected a string",
                "http_rules[0].custom.paht: unknown key",
            ],
        ),
        (
            rule(json!({ "selector": "shop.Books.Get", "get": "/", "additional_bindings": [1, { "get": "/" }] })),
            &[
                "http_rules[0].additional_bindings[0]: expected an object",
                "http_rules[0].additional_bindings[1]: shop.Books.Get: GET `/` is already bound to the same method",
            ],
        ),
        // One rule for many methods.
        (
            rule(json!({ "selector": "shop.*", "get": "/{nme}", "body": "x" })),
            &[
                "http_rules[0].get: shop.Books.Get: path `/{nme}`, variable `nme`: `shop.Book` has no field `nme`",
                "http_rules[0].body: shop.Books.Get: `shop.Book` has no field `x`",
                "http_rules[0]: shop.Books.Put: GET `/{nme}` is already bound to shop.Books.Get by http_rules[0]",
            ],
        ),
        (
            with(json!({
                "auto_mapping": "yes",
                "http_rules": [{ "selector": "shop.Authors.Get", "post": "/shop.Books/Get" }],
            })),
            &["auto_mapping: expected true, false or \"auto\""],
        ),
        (
            json!({ "proto": SHELVES, "success_status": [
                { "selector": "shop.Books.*", "status": 204 },
                { "selector": "shop.Books.Watch", "status": "200" },
            ] }),
            &["success_status[1].status: expected a whole number"],
        ),
    ];
    for (configuration, expected) in cases {
        assert_lines(configuration, expected);
    }
}

#[test]
fn what_a_selector_means_is_said_where_it_can_be_told() {
    let proto = r#"syntax = "proto3"; package a; message M {} service S { rpc R(M) returns (M); }
        service T { rpc R(M) returns (M); }"#;
    let cases = [
        ("a.S", "did you mean `a.S.*`?"),
        ("a.S.RR", "did you mean `a.S.R`?"),
        ("a.T.R", "its service `a.T` is served only if `services` names it"),
        ("a.T.*", "its service `a.T` is served only if `services` names it"),
        ("other.Far", "expected the full name of a method"),
    ];
    for (selector, expected) in cases {
        let rules = json!([{ "selector": selector, "get": "/" }]);
        let configuration = json!({ "proto": proto, "services": ["a.S"], "http_rules": rules });
        let expected = format!("http_rules[0].selector: `{selector}` selects no method: {expected}");
        assert_lines(&configuration, &[&expected]);
    }
}

#[test]
fn each_file_that_can_be_read_has_its_own_errors() {
    let protos = json!({
        "a.proto": "syntax = \"proto3\"; message A { strin a = 1; }",
        "b.proto": "syntax = \"proto3\"; message B {",
        "c.proto": "syntax = \"proto3\"; import \"b.proto\"; message C { B b = 1; Lost lost = 2; }",
        "d.proto": "syntax = \"proto3\"; service S { rpc R(D) returns (Gone) { option (gone) = 1; } rpc R2(Gone) returns (Never); } \
                    message D { Missing a = 1; D d = 2; Lost too = 3; Missing again = 4; }",
        "e.proto": "syntax = \"proto3\" message E {}",
        "f.proto": "syntax = \"proto3\"; import public \"c.proto\";",
        "g.proto": "syntax = \"proto3\"; import \"f.proto\"; message G { B b = 1; }",
    });
    assert_lines(
        &json!({ "protos": protos }),
        &[
            "protos: b.proto:1:31: ",
            "protos: e.proto:1:19: ",
            "protos: a.proto:1:32: 'strin' is not defined",
            "protos: d.proto:1:50: 'Gone' is not defined",
            "protos: d.proto:1:58: 'gone' is not defined",
            "protos: d.proto:1:101: 'Never' is not defined",
            "protos: d.proto:1:123: 'Missing' is not defined",
            "protos: d.proto:1:147: 'Lost' is not defined",
        ],
    );
}

#[test]
fn many_problems_are_counted_and_none_is_long() {
    let count = 5000;
    let mut proto = String::from(
        "syntax = \"proto3\"; package a; import \"google/api/annotations.proto\"; message M { string name = 1; }\nservice S {\n",
    );
    for at in 0..count {
        let rule = format!("option (google.api.http) = {{ get: \"/{at}/{{lost_{at}}}\" }};");
        writeln!(proto, "rpc R{at}(M) returns (M) {{ {rule} }}").unwrap();
    }
    proto.push('}');
    let errors = load(json!({ "proto": proto })).unwrap_err();
    let lines: Vec<_> = errors.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), SHOWN + 1);
    assert!(
        lines[SHOWN - 1].starts_with("configuration: proto: a.S.R19: google.api.http.get: path"),
        "{lines:?}"
    );
    assert_eq!(lines[SHOWN], format!("and {} more problems", count - SHOWN));
    assert!(
        errors
            .summary()
            .ends_with("give only the selector (4999 more problems are in the log)"),
        "{}",
        errors.summary()
    );

    let long = "x".repeat(10_000);
    let rule = json!({
        "selector": "shop.Books.Get",
        "get": format!("/{{{long}}}"),
        "body": long,
        "additional_bindings": [{ "get": format!("/{long}{{") }, { "custom": { "kind": format!("{long} "), "path": "/" } }],
    });
    let configuration = with(json!({
        long.as_str(): 1,
        "services": ["shop.Books", long],
        "base_path": long,
        "http_rules": [rule, { "selector": long, "get": "/" }],
    }));
    let errors = load(configuration).unwrap_err().to_string();
    assert_eq!(errors.lines().count(), 8, "{errors}");
    for line in errors.lines() {
        assert!(line.len() < 1000, "{line}");
    }
}

#[test]
fn clients_are_told_the_first_problem() {
    let summary = |keys: Value| load(with(keys)).unwrap_err().summary();
    let one = summary(json!({ "metrics": 1 }));
    assert_eq!(one, "configuration: metrics: expected true or false, but found 1");
    let two = summary(json!({ "metrics": 1, "unmatched": 1 }));
    assert_eq!(two, format!("{one} (1 more problem is in the log)"));
    let three = summary(json!({ "metrics": 1, "unmatched": 1, "update_mask_from_body": 1 }));
    assert_eq!(three, format!("{one} (2 more problems are in the log)"));
}
