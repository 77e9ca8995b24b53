//! Hooks: requests and responses that they are told of, and what they answer.

use serde_json::{Value, json};

use crate::growth::{Cost, check_costs};
use crate::host::{Machine, Request};
use crate::shapes::{len, varint};

const SERVICE: &str = "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";
    service S { rpc Post(M) returns (M) {
      option (google.api.http) = { post: \"/m\" body: \"*\" additional_bindings { get: \"/m\" } };
    } }
    message M { string text = 1; }";

/// So many Pre hooks, and one that sees the response.
fn hooks(count: usize) -> Value {
    let pre: Vec<_> = (0..count).map(|_| json!({ "name": "hook" })).collect();
    json!({ "cluster": "plugins", "pre": pre, "response": [{ "name": "hook" }] })
}

/// One that checks keys, and one behind it that gets the session.
fn with_key() -> Value {
    json!({ "cluster": "plugins", "auth": {}, "post_key_auth": [{ "name": "hook" }] })
}

fn numbered_headers(count: usize, value: &str) -> Vec<(String, String)> {
    (0..count).map(|at| (format!("x-{at}"), value.to_owned())).collect()
}

fn post(body: String) -> Request {
    Request::post(body)
}

fn get(query: String) -> Request {
    Request {
        method: "GET",
        target: format!("/m?{query}"),
        body: String::new(),
    }
}

/// How many instructions an exchange takes whose hooks answer with what they got and `change` behind it, which merges.
/// `response`: a text that the service answers with, about whose answer hooks are asked too.
fn cost(hooks: &Value, request: &Request, headers: &[(String, String)], change: &[u8], response: Option<&str>) -> u64 {
    cost_of_each(hooks, request, headers, &|_| change, response)
}

/// The same with the change of each hook, by its number.
fn cost_of_each<'c>(
    hooks: &Value,
    request: &Request,
    headers: &[(String, String)],
    change: &dyn Fn(usize) -> &'c [u8],
    response: Option<&str>,
) -> u64 {
    let configuration = json!({
        "proto": SERVICE,
        "hold_headers": true,
        "dispatch": "call",
        "upstream": { "cluster": "upstream" },
        "hooks": hooks,
        "limits": { "max_message_bytes": 1 << 28 },
    });
    let mut machine = Machine::new(&configuration.to_string());
    machine.begin();
    let before = machine.store.get_fuel().unwrap();
    machine.request_with(request, headers);
    let mut asked = answer_all(&mut machine, change);
    assert!(asked > 0, "no hook was asked");
    if let Some(text) = response {
        assert!(machine.store.data().sent, "the request isn't sent on");
        machine.answer_call(&len(1, text));
        asked = answer_all(&mut machine, change);
        assert!(asked > 0, "no hook was asked about the response");
    }
    before - machine.store.get_fuel().unwrap()
}

fn answer_all<'c>(machine: &mut Machine, change: &dyn Fn(usize) -> &'c [u8]) -> usize {
    let mut count = 0;
    while let Some(mut object) = machine.asked() {
        object.extend_from_slice(change(count));
        machine.hook_answers(object);
        count += 1;
    }
    count
}

/// A change of the request.
fn request(fields: Vec<u8>) -> Vec<u8> {
    len(3, fields)
}

fn entry(number: u32, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    len(number, [len(1, key), len(2, value)].concat())
}

/// The same record so many times, with its number in it.
fn each(count: usize, record: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(record).collect()
}

#[test]
fn what_hooks_are_told_costs_what_its_length_costs() {
    let text = |length: usize| format!("{{\"text\":\"{}\"}}", "x".repeat(length));
    let costs: [Cost<'_>; 8] = [
        (
            "a body",
            100_000,
            Box::new(|n| cost(&hooks(1), &post(text(n)), &[], b"", None)),
        ),
        (
            "headers",
            1000,
            Box::new(|n| cost(&hooks(1), &post(text(1)), &numbered_headers(n, "value"), b"", None)),
        ),
        (
            "one header again and again",
            2000,
            Box::new(|n| {
                let headers = vec![("x-a".to_owned(), "value".to_owned()); n];
                cost(&hooks(1), &post(text(1)), &headers, b"", None)
            }),
        ),
        (
            "headers that are no text",
            1000,
            Box::new(|n| {
                let headers = vec![("x-a\u{ff}".to_owned(), "\u{fffd}".repeat(10)); n];
                cost(&hooks(1), &post(text(1)), &headers, b"", None)
            }),
        ),
        (
            "parameters",
            1000,
            Box::new(|n| {
                let query = (0..n).map(|at| format!("unknown{at}=%20&")).collect();
                let more = request(entry(7, "text", "new"));
                cost(&hooks(1), &get(query), &[], &more, None)
            }),
        ),
        (
            "one parameter again and again",
            2000,
            Box::new(|n| {
                let more = request(entry(7, "text", "new"));
                cost(&hooks(1), &get("a=1&".repeat(n)), &[], &more, None)
            }),
        ),
        (
            "hooks",
            20,
            Box::new(|n| cost(&hooks(n), &post(text(1000)), &numbered_headers(20, "value"), b"", None)),
        ),
        (
            "a response",
            100_000,
            Box::new(|n| cost(&hooks(1), &post(text(1)), &[], b"", Some(&"x".repeat(n)))),
        ),
    ];
    check_costs(&costs);
}

#[test]
fn what_hooks_answer_costs_what_its_length_costs() {
    let body = "{\"text\":\"x\"}";
    let asked = |change: Vec<u8>| {
        cost(
            &hooks(2),
            &post(body.to_owned()),
            &numbered_headers(20, "value"),
            &change,
            None,
        )
    };
    let keyed = |change: Vec<u8>| cost(&with_key(), &post(body.to_owned()), &[], &change, None);
    let told = |change: Vec<u8>| cost(&hooks(1), &post(body.to_owned()), &[], &len(7, change), Some("text"));
    let token = || [len(4, []), entry(5, "token", "t")].concat();
    let costs: [Cost<'_>; 22] = [
        (
            "headers to set",
            1000,
            Box::new(|n| asked(request(each(n, |at| entry(2, format!("X-New-{at}"), "value"))))),
        ),
        (
            "one header to set, again and again",
            4000,
            Box::new(|n| asked(request(entry(2, "X-A", "value").repeat(n)))),
        ),
        (
            "headers to delete",
            2000,
            Box::new(|n| asked(request(each(n, |at| len(3, format!("X-{at}")))))),
        ),
        (
            "headers to set and delete",
            500,
            Box::new(|n| {
                let set = each(n, |at| entry(2, format!("X-New-{at}"), "value"));
                asked(request([set, each(n, |at| len(3, format!("X-New-{at}")))].concat()))
            }),
        ),
        (
            "headers that one sets and one deletes",
            1000,
            Box::new(|n| {
                let set = request(each(n, |at| entry(2, format!("X-New-{at}"), "value")));
                let delete = request(each(n, |at| len(3, format!("X-New-{at}"))));
                let change = |at| [&*set, &*delete][at];
                cost_of_each(&hooks(2), &post(body.to_owned()), &[], &change, None)
            }),
        ),
        (
            "parameters to add",
            2000,
            Box::new(|n| asked(request(each(n, |at| entry(7, format!("p{at}"), "a b"))))),
        ),
        (
            "parameters to delete",
            4000,
            Box::new(|n| asked(request(each(n, |at| len(9, format!("p{at}")))))),
        ),
        (
            "a url",
            50_000,
            Box::new(|n| asked(request(len(5, format!("/m?{}", "\u{e9}#".repeat(n)))))),
        ),
        (
            "a path",
            50_000,
            Box::new(|n| asked(request(len(5, format!("/{}", "%C3\u{e9}/".repeat(n)))))),
        ),
        (
            "a body",
            100_000,
            Box::new(|n| asked(request(len(14, format!("{{\"text\":\"{}\"}}", "x".repeat(n)))))),
        ),
        (
            "bodies of which one counts",
            4000,
            Box::new(|n| asked(request(len(14, body).repeat(n)))),
        ),
        (
            "requests that merge",
            4000,
            Box::new(|n| asked(request(entry(7, "text", "x")).repeat(n))),
        ),
        (
            "an error to be escaped",
            50_000,
            Box::new(|n| {
                let overrides = [varint(1, 403), len(2, "\u{1}\"".repeat(n))].concat();
                asked(request(len(10, overrides)))
            }),
        ),
        (
            "headers of an override",
            2000,
            Box::new(|n| {
                let headers = each(n, |at| entry(3, format!("X-{at}"), "value"));
                asked(request(len(10, [varint(1, 200), len(5, "{}"), headers].concat())))
            }),
        ),
        (
            "fields that nobody knows",
            10_000,
            Box::new(|n| asked([varint(100, 1), len(101, "x")].concat().repeat(n))),
        ),
        (
            "a session's metadata",
            2000,
            Box::new(|n| keyed([token(), len(4, each(n, |at| entry(23, format!("k{at}"), "v")))].concat())),
        ),
        (
            "metadata beside a session",
            2000,
            Box::new(|n| keyed([token(), each(n, |at| entry(5, format!("k{at}"), "v"))].concat())),
        ),
        (
            "access rights",
            2000,
            Box::new(|n| keyed([token(), len(4, each(n, |at| entry(10, format!("a{at}"), "")))].concat())),
        ),
        (
            "a session in pieces",
            4000,
            Box::new(|n| keyed([token(), len(4, len(24, "tag")).repeat(n)].concat())),
        ),
        (
            "headers of a response",
            2000,
            Box::new(|n| told(each(n, |at| entry(4, format!("X-{at}"), "value")))),
        ),
        (
            "values of a response's header",
            4000,
            Box::new(|n| {
                let values = len(2, "a\u{fffd}").repeat(n);
                told([entry(4, "X-A", "v"), len(5, [len(1, "X-A"), values].concat())].concat())
            }),
        ),
        (
            "all headers of a response",
            2000,
            Box::new(|n| {
                told(each(n, |at| {
                    let name = format!("X-{at}");
                    let all = [len(1, &name), len(2, "value"), len(2, "other")].concat();
                    [entry(4, &name, "new"), len(5, all)].concat()
                }))
            }),
        ),
    ];
    check_costs(&costs);
}
