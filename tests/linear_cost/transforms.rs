//! Transforms of requests and of answers.

use serde_json::json;

use crate::growth::{Shape, check_each};
use crate::host::{Answer, Gateway, Request};
use crate::shapes::{group, len, varint, wrap};

const PROTO: &str = r#"
syntax = "proto3";
package t;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
service S { rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; } }
message M {
  string text = 1;
  string key = 2 [debug_redact = true];
  M below = 3;
  repeated M list = 4;
  map<string, M> map = 5;
  oneof choice { M one = 6; string two = 7; }
  google.protobuf.Any any = 8;
  repeated google.protobuf.Any anys = 9;
}
"#;

#[test]
fn messages_that_are_changed_cost_what_their_length_costs() {
    let set = |field: &str| json!({ "set": { "field": field, "value": "own" } });
    let gateway = Gateway::new(json!({
        "proto": PROTO,
        "transforms": [{
            "request": [set("list.below.text"), set("map.text"), set("below.below.text"), { "remove": ["list.list.key"] }],
            "response": [
                set("below.text"), set("below.below.below.text"), set("one.one.text"),
                { "mask": { "field": "list.text", "keep_last": 2 } }, { "remove": ["list.list.key", "map.two"] },
                { "remove_annotated": "debug_redact" },
            ],
        }],
    }));
    let any = |inner: &[u8]| [len(1, "x/t.M"), len(2, inner)].concat();
    let key = len(2, "k");
    check_each(
        &gateway,
        &[
            Shape::new("elements of a request", 1000, |n| {
                Request::post(wrap(r#"{"list":["#, r#"{"text":"a","list":[{"key":"k"}]},"#, n, "{}]}"))
            }),
            Shape::new("a parent in pieces", 20_000, |n| Answer(len(3, len(1, "a")).repeat(n))),
            Shape::new("empty pieces", 20_000, |n| Answer(len(3, []).repeat(n))),
            Shape::new("parents in pieces", 5000, |n| {
                Answer(len(3, len(3, len(3, len(1, "a")))).repeat(n))
            }),
            Shape::new("members of a oneof in turn", 10_000, |n| {
                Answer([len(6, len(6, [])), len(7, "x")].concat().repeat(n))
            }),
            Shape::new("elements", 5000, |n| {
                Answer(len(4, [len(1, "a long text"), len(4, len(2, "k"))].concat()).repeat(n))
            }),
            Shape::new("entries", 5000, |n| {
                Answer(
                    [len(
                        5,
                        [len(1, "k"), len(2, [len(1, "a"), len(7, "x")].concat())].concat(),
                    )]
                    .concat()
                    .repeat(n),
                )
            }),
            Shape::new("a list of Any", 5000, |n| Answer(len(9, any(&len(4, &key))).repeat(n))),
            Shape::new("an Any in pieces", 5000, |n| {
                Answer([len(8, len(1, "x/t.M")), len(8, len(2, &key))].concat().repeat(n))
            }),
            Shape::new("Any that can't be read", 100, |n| {
                let deep = (0..40).fold(vec![0xff], |inner, _| len(8, any(&inner)));
                Answer(len(9, any(&deep)).repeat(n))
            })
            .may_be_refused(),
            Shape::new("deep messages", 100, |n| {
                Answer((0..40).fold(key.clone(), |inner, _| len(4, inner)).repeat(n))
            }),
            Shape::new("lengths that shrink at every level", 100, |n| {
                Answer(
                    (0..40)
                        .fold([len(1, "x".repeat(40)), key.clone()].concat(), |inner, _| len(4, inner))
                        .repeat(n),
                )
            }),
            Shape::new("unknown groups", 5000, |n| {
                Answer(group(900, group(901, varint(1, 1))).repeat(n))
            }),
        ],
    );
}
