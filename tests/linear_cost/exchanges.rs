//! Requests and answers of one shape at two sizes, and how deep they may go.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};
use serde_json::json;

use crate::growth::{Shape, check_each};
use crate::host::{Answer, Gateway, Request, STACK};
use crate::shapes::{any_chain, chain, group, len, numbered, varint, wrap};

const PROTO3: &str = r#"
syntax = "proto3";
package t;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";

service S {
  rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; }
  rpc Query(M) returns (M) { option (google.api.http) = { get: "/m" 
      additional_bindings { get: "/path/{text=**}" } additional_bindings { get: "/tail/{text=**}/end/*/*" }
      additional_bindings { get: "/tail/{text=**}/x/*/a/*" } additional_bindings { get: "/tail/{text=**}/y/a/*/*" }
      additional_bindings { get: "/path/{text=**}:verb" } }; }
  rpc Patch(Update) returns (M) { option (google.api.http) = { patch: "/m" body: "m" }; }
}

message Update { M m = 1; google.protobuf.FieldMask update_mask = 2; }

enum Color { NONE = 0; RED = 1; }

message M {
  string text = 1;
  int32 number = 2;
  M left = 3;
  M right = 4;
  repeated M children = 5;
  repeated int32 ints = 6;
  repeated string words = 7;
  repeated Color colors = 8;
  bytes data = 9;
  double ratio = 10;
  map<string, int32> counts = 11;
  map<string, M> by_name = 12;
  map<int64, string> by_number = 13;
  oneof choice { string choice_text = 14; M choice_m = 15; int64 choice_number = 16; }
  google.protobuf.Any any = 17;
  repeated google.protobuf.Any anys = 18;
  google.protobuf.Struct struct = 19;
  google.protobuf.Value value = 20;
  google.protobuf.FieldMask mask = 21;
  optional int64 maybe = 22;
}
"#;

#[test]
fn json_costs_what_its_length_costs() {
    let gateway = Gateway::new(json!({ "proto": PROTO3 }));
    let body = |text: String| Request::post(text);
    let repeated = |item: &'static str| move |n: usize| body(wrap("{\"children\":[", item, n, "{}]}"));
    check_each(
        &gateway,
        &[
            Shape::new(
                "objects in order",
                1000,
                repeated(r#"{"text":"some text","number":12345,"ratio":0.5},"#),
            ),
            Shape::new(
                "keys in no order",
                1000,
                repeated(r#"{"ratio":0.5,"text":"a","maybe":"1","number":1},"#),
            ),
            Shape::new(
                "members of a oneof",
                1000,
                repeated(r#"{"choiceText":"a"},{"choiceNumber":1},{"choiceM":{}},"#),
            ),
            Shape::new("unknown keys", 2000, |n| {
                body(numbered("{", r#""unknown~":{"a":[1,"b",{}]},"#, n, "\"text\":\"\"}"))
            }),
            Shape::new("one unknown key", 2000, |n| {
                body(wrap("{", r#""u":1,"#, n, "\"text\":\"\"}"))
            }),
            Shape::new("a map", 4000, |n| {
                body(numbered(r#"{"counts":{"#, r#""key~":1,"#, n, "\"x\":1}}"))
            }),
            Shape::new("a map by numbers", 4000, |n| {
                body(numbered(r#"{"byNumber":{"#, r#""~":"v","#, n, "\"-1\":\"\"}}"))
            }),
            Shape::new("a map of maps", 1000, |n| {
                body(numbered(
                    r#"{"byName":{"#,
                    r#""~":{"byName":{"a":{},"b":{}}},"#,
                    n,
                    "\"x\":{}}}",
                ))
            }),
            Shape::new("a struct", 4000, |n| {
                body(numbered(r#"{"struct":{"#, r#""~":{"a":[null,1]},"#, n, "\"x\":1}}"))
            }),
            Shape::refused("one key of a map, again and again", 4000, |n| {
                body(wrap(r#"{"counts":{"#, r#""k":1,"#, n, "\"k\":1}}"))
            }),
            Shape::refused("one key with escapes, again and again", 4000, |n| {
                body(wrap(
                    r#"{"struct":{"#,
                    r#""\u0061 somewhat longer key":1,"#,
                    n,
                    "\"x\":1}}",
                ))
            }),
            Shape::refused("keys of a map that differ in their escapes", 2000, |n| {
                let item = r#""\u0061bcdefgh~":1,"abcdefgh~":2,"#;
                body(numbered(r#"{"counts":{"#, item, n, "\"x\":1}}"))
            }),
            Shape::new("escapes", 8000, |n| {
                body(wrap(r#"{"text":""#, r"\n\u00e9\ud83d\ude00x", n, "\"}"))
            }),
            Shape::new("escapes in keys", 4000, |n| {
                body(numbered(r#"{"counts":{"#, r#""\u006b\"~":1,"#, n, "\"x\":1}}"))
            }),
            Shape::new("strings with escapes", 4000, |n| {
                body(wrap(r#"{"words":["#, r#""a\nb","#, n, "\"\"]}"))
            }),
            Shape::new("text that is not ASCII", 20_000, |n| {
                body(wrap(r#"{"text":""#, "é", n, "\"}"))
            }),
            Shape::new("white space", 20_000, |n| {
                body(wrap("{", " \n\t    ", n, "\"text\":\"\"}"))
            }),
            Shape::new("base64", 20_000, |n| body(wrap(r#"{"data":""#, "QUJD", n, "\"}"))),
            Shape::new("integers", 8000, |n| {
                body(wrap(r#"{"ints":["#, "1e2,\"-7\",3.0,", n, "0]}"))
            }),
            Shape::new("an integer of many digits", 40_000, |n| {
                body(wrap(r#"{"number":1."#, "0", n, "}"))
            }),
            Shape::new("a double of many digits", 40_000, |n| {
                body(wrap(r#"{"ratio":0."#, "7", n, "}"))
            }),
            Shape::refused("an exponent of many digits", 40_000, |n| {
                body(wrap(r#"{"ratio":1e"#, "9", n, "}"))
            }),
            Shape::new("a field mask", 8000, |n| {
                body(wrap(r#"{"mask":""#, "fooBar.baz,", n, "a\"}"))
            }),
            Shape::new("enums", 8000, |n| body(wrap(r#"{"colors":["#, "\"RED\",1,", n, "0]}"))),
            Shape::new("Any with its type first", 1000, |n| {
                body(wrap(r#"{"anys":["#, r#"{"@type":"a/t.M","text":"x"},"#, n, "{}]}"))
            }),
            Shape::new("Any with its type last", 1000, |n| {
                body(wrap(r#"{"anys":["#, r#"{"text":"x","@type":"a/t.M"},"#, n, "{}]}"))
            }),
            Shape::new("Any in Any, types last", 1000, |n| {
                body(wrap(
                    r#"{"any":{"anys":["#,
                    r#"{"any":{"text":"x","@type":"a/t.M"},"@type":"a/t.M"},"#,
                    n,
                    r#"{}],"@type":"a/t.M"}}"#,
                ))
            }),
            Shape::new("Any in Any with types last, a long text within", 40_000, |n| {
                body(any_chain(40, &"x".repeat(n)))
            }),
            Shape::new("Any in Any with types last, deeper", 40, |n| body(any_chain(n, ""))),
            Shape::new("Any in Any with types last, again and again", 100, |n| {
                body(wrap(r#"{"children":["#, &(any_chain(20, "x") + ","), n, "{}]}"))
            }),
            Shape::new("messages in messages", 48, |n| {
                body(chain(r#"{"text":"some text","left":"#, n, r#","number":1}"#))
            }),
            Shape::new("lists in lists", 48, |n| {
                body(format!("{{\"value\":{}}}", "[".repeat(n) + &"]".repeat(n)))
            }),
            Shape::new("unknown values in unknown values", 48, |n| {
                body(format!("{{\"u\":{}}}", chain(r#"{"u":"#, n - 1, "}")))
            }),
            Shape::new("lengths that outgrow every guess", 200, |n| {
                let long =
                    chain(r#"{"left":"#, 90, "}").replace("{}", &format!("{{\"text\":\"{}\"}}", "y".repeat(200)));
                body(wrap(
                    "{\"children\":[",
                    &format!("{long},{{\"left\":{{\"left\":{{}}}}}},"),
                    n / 10,
                    "{}]}",
                ))
            }),
            Shape::new("lengths that outgrow every guess at every level", 100, |n| {
                let text = "y".repeat(n);
                body(chain(r#"{"left":"#, 90, &format!(",\"text\":\"{text}\"}}")))
            }),
            Shape::refused("what is no JSON at its end", 20_000, |n| {
                body(wrap(r#"{"words":["#, "\"a\",", n, "}"))
            }),
        ],
    );
}

#[test]
fn update_masks_cost_what_the_body_costs() {
    let gateway = Gateway::new(json!({ "proto": PROTO3 }));
    let body = |text: String| Request {
        method: "PATCH",
        ..Request::post(text)
    };
    check_each(
        &gateway,
        &[
            Shape::new("few fields", 40_000, |n| {
                body(wrap(r#"{"number":1,"text":""#, "x", n, "\"}"))
            }),
            Shape::new("a chain", 48, |n| body(chain(r#"{"left":"#, n, "}"))),
            Shape::new("a list", 4000, |n| {
                body(wrap(r#"{"left":{"children":["#, r#"{"text":"a"},"#, n, "{}]}}"))
            }),
        ],
    );
}

/// Each path in a mask repeats the names on the way to its leaf: a body can ask for a mask many times its own length.
#[test]
fn an_update_mask_takes_no_more_memory_than_a_message_may() {
    let gateway = Gateway::new(json!({ "proto": PROTO3, "limits": { "max_message_bytes": 1 << 20 } }));
    let bush = (0..14).fold(r#"{"number":1}"#.to_owned(), |leaf, _| {
        format!(r#"{{"left":{leaf},"right":{leaf}}}"#)
    });
    let body = format!("{}{bush}{}", r#"{"left":"#.repeat(80), "}".repeat(80));
    assert!(body.len() < 700_000, "the mask is what is large");
    let mut machine = gateway.machine();
    let before = machine.memory();
    let patch = Request {
        method: "PATCH",
        ..Request::post(body)
    };
    assert!(!machine.run(&patch.into()).done, "the request is sent on");
    assert_eq!(machine.store.data().status, 413);
    let more = machine.memory() - before;
    assert!(more < 6 << 20, "{more} bytes");
}

#[test]
fn queries_and_paths_cost_what_their_length_costs() {
    let gateway = Gateway::new(json!({ "proto": PROTO3 }));
    let rejecting = Gateway::new(json!({ "proto": PROTO3, "query": { "unknown": "reject" } }));
    let get = |target: String| Request {
        method: "GET",
        target,
        body: String::new(),
    };
    let query = |parameter: &'static str| move |n: usize| get(numbered("/m?", parameter, n, "number=1"));
    check_each(
        &gateway,
        &[
            Shape::new("a list", 2000, query("ints=~&")),
            Shape::new("lists in turn", 2000, query("ints=~&words=a&")),
            Shape::new("entries of maps", 2000, query("counts[~]=1&byNumber[~]=a&")),
            Shape::new("a list further down", 1000, query("left.left.words=~&right.words=~&")),
            Shape::new("a long name", 48, |n| get(format!("/m?{}text=a", "left.".repeat(n)))),
            Shape::new("long names", 500, |n| {
                get(wrap(
                    "/m?",
                    &format!("{}words=a&", "left.right.".repeat(40)),
                    n / 10,
                    "number=1",
                ))
            }),
            Shape::new("messages", 6, |n| {
                // All ways of this length through two fields: as many messages.
                let depth = n.ilog2() + 8;
                let name = |way: u32| {
                    (0..depth)
                        .map(|at| if way >> at & 1 == 1 { "left." } else { "right." })
                        .collect::<String>()
                };
                let parameters: Vec<_> = (0..n as u32 * 100)
                    .map(|way| format!("{}number=1", name(way % (1 << depth))))
                    .collect();
                get(format!("/m?{}", parameters.join("&")))
            })
            .may_be_refused(),
            Shape::new("unknown parameters", 4000, query("unknown~=1&")),
            Shape::new("escapes", 4000, |n| get(wrap("/m?text=", "%C3%A9+x", n, "&number=1"))),
            Shape::new("escapes in names", 2000, query("%77ords=#&")),
            Shape::refused("a field twice, at the end", 2000, |n| {
                get(numbered("/m?number=2&", "ints=~&", n, "number=1"))
            }),
            Shape::new("a path", 4000, |n| get(wrap("/path", "/%61b", n, ""))),
            Shape::new("a path with segments after `**`", 4000, |n| {
                get(wrap("/tail", "/a", n, "/end/1/2"))
            }),
            Shape::refused("a path that fits many tails in part", 4000, |n| {
                get(wrap("/tail", "/a", n, "/b"))
            }),
            Shape::new("a path that ends in colons", 4000, |n| {
                get(wrap("/path/a", ":verb", n, ""))
            }),
            Shape::refused("a path that leads nowhere", 4000, |n| get(wrap("/m", "/m", n, ""))),
        ],
    );
    check_each(
        &rejecting,
        &[Shape::refused(
            "unknown parameters that are refused",
            4000,
            query("unknown~=1&"),
        )],
    );
}

#[test]
fn wire_format_costs_what_its_length_costs() {
    let gateway = Gateway::new(json!({ "proto": PROTO3 }));
    let whole = Gateway::new(json!({ "proto": PROTO3, "json": { "always_print_fields_with_no_presence": true } }));
    let many = |record: Vec<u8>| move |n: usize| Answer(record.repeat(n));
    let entry = |field: u32, key: Vec<u8>, value: Vec<u8>| len(field, [key, value].concat());
    let nested = |levels: usize, inner: Vec<u8>, wrap: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        (0..levels).fold(inner, |wire, _| wrap(wire))
    };
    let words = |n: usize| len(7, "w").repeat(n);
    let disorder = |wire: Vec<u8>| [len(1, "a"), len(3, wire), len(1, "b")].concat();
    let split = |wire: Vec<u8>| [len(3, wire), len(3, len(1, "a"))].concat();
    let split_before = |wire: Vec<u8>| [len(3, len(1, "a")), varint(2, 1), len(3, wire)].concat();
    let lost = |wire: Vec<u8>| [len(15, wire), varint(16, 1), len(15, len(1, "a"))].concat();
    let maps = |wire: Vec<u8>| {
        let twice = len(12, len(1, "k")).repeat(2);
        [
            entry(12, len(1, "k2"), [len(2, wire), len(2, len(1, "x"))].concat()),
            twice,
        ]
        .concat()
    };
    let any = |wire: Vec<u8>| len(17, [len(2, wire), len(1, "t/t.M")].concat());
    let shapes = [
        Shape::new(
            "a list",
            2000,
            many(len(5, [len(1, "some text"), varint(2, 5)].concat())),
        ),
        Shape::new("packed integers", 20_000, |n| Answer(len(6, vec![5; n]))),
        Shape::new("lists in turn", 2000, many([len(7, "w"), varint(6, 1)].concat())),
        Shape::new(
            "lists of messages in turn",
            2000,
            many([len(5, len(1, "a")), len(7, "w")].concat()),
        ),
        Shape::new(
            "a oneof that switches",
            2000,
            many([len(15, len(1, "a")), varint(16, 1)].concat()),
        ),
        Shape::new("a scalar again and again", 8000, many(varint(2, 1))),
        Shape::new("a message again and again", 4000, many(len(3, len(1, "a")))),
        Shape::new(
            "a message in pieces",
            4000,
            many([len(3, len(7, "a")), varint(2, 1)].concat()),
        ),
        Shape::new(
            "unknown fields",
            8000,
            many([varint(900, 1), len(901, "x"), group(902, varint(1, 1))].concat()),
        ),
        Shape::new(
            "unknown groups in groups",
            400,
            many(nested(50, Vec::new(), &|wire| group(902, wire))),
        ),
        Shape::new("a map", 4000, |n| {
            Answer(
                (0..n)
                    .flat_map(|at| entry(11, len(1, format!("key{at}")), varint(2, 1)))
                    .collect(),
            )
        }),
        Shape::new("a map in no order", 4000, |n| {
            let keys = (0..n).map(|at| (at * 7919) % n);
            Answer(
                keys.flat_map(|key| [entry(11, len(1, format!("key{key}")), varint(2, 1)), varint(2, 1)].concat())
                    .collect(),
            )
        }),
        Shape::new(
            "one key of a map",
            4000,
            many(entry(12, len(1, "k"), len(2, len(1, "a")))),
        ),
        Shape::new("long keys that begin alike", 500, |n| {
            let start = "k".repeat(100);
            Answer(
                (0..2 * n)
                    .flat_map(|at| entry(11, len(1, format!("{start}{}", at % n)), varint(2, 1)))
                    .collect(),
            )
        }),
        Shape::new("an entry with many keys and values", 4000, |n| {
            Answer(len(12, [len(1, "k"), len(2, len(7, "a"))].concat().repeat(n)))
        }),
        Shape::new("escapes", 20_000, |n| Answer(len(1, "\n\"é\u{1}".repeat(n)))),
        Shape::new("bytes", 40_000, |n| Answer(len(9, vec![0xff; n]))),
        Shape::new("a field mask", 4000, |n| {
            Answer(len(21, len(1, "foo_bar.baz").repeat(n)))
        }),
        Shape::new("a struct", 2000, |n| {
            Answer(len(
                19,
                (0..n)
                    .flat_map(|at| entry(1, len(1, at.to_string()), len(2, len(6, len(1, varint(4, 1))))))
                    .collect::<Vec<_>>(),
            ))
        }),
        Shape::new(
            "Any again and again",
            2000,
            many(len(18, [len(2, len(1, "x")), len(1, "t/t.M")].concat())),
        ),
        Shape::new("Any in Any, a long text within", 40_000, |n| {
            Answer(nested(40, len(1, "x".repeat(n)), &any))
        }),
        Shape::new("Any in Any, deeper", 40, |n| Answer(nested(n, len(1, "x"), &any))),
        Shape::new("disorder at ten levels", 4000, |n| {
            Answer(nested(10, words(n), &disorder))
        }),
        Shape::new("disorder at eighty levels", 4000, |n| {
            Answer(nested(80, words(n), &disorder))
        }),
        Shape::new("disorder, deeper", 45, |n| Answer(nested(n, words(n), &disorder))),
        Shape::new("pieces at ten levels", 4000, |n| Answer(nested(10, words(n), &split))),
        Shape::new("pieces at eighty levels", 4000, |n| {
            Answer(nested(80, words(n), &split))
        }),
        Shape::new("pieces, deeper", 45, |n| Answer(nested(n, words(n), &split))),
        Shape::new("late pieces at eighty levels", 4000, |n| {
            Answer(nested(80, words(n), &split_before))
        }),
        Shape::new("late pieces, deeper", 45, |n| {
            Answer(nested(n, words(n), &split_before))
        }),
        Shape::new("lost members at eighty levels", 4000, |n| {
            Answer(nested(80, words(n), &lost))
        }),
        Shape::new("lost members, deeper", 45, |n| Answer(nested(n, words(n), &lost))),
        Shape::new("maps in maps at forty levels", 4000, |n| {
            Answer(nested(40, words(n), &maps))
        }),
        Shape::new("maps in maps, deeper", 22, |n| Answer(nested(n, words(n), &maps))),
        Shape::new("disorder in a list", 400, |n| {
            Answer(len(5, nested(8, words(2), &disorder)).repeat(n))
        }),
        Shape::refused("what is no wire format at its end", 8000, |n| {
            Answer([words(n), vec![0x0a, 9]].concat())
        }),
    ];
    check_each(&gateway, &shapes);
    check_each(&whole, &shapes);
}

#[test]
fn groups_cost_what_their_length_costs() {
    // Recursive through a group, which proto2 can't say and editions can (`DELIMITED`).
    let field = |name: &str, number: i32, label: Label, r#type: Type, type_name: Option<&str>| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(r#type.into()),
        type_name: type_name.map(Into::into),
        ..FieldDescriptorProto::default()
    };
    let message = DescriptorProto {
        name: Some("M".into()),
        field: vec![
            field("m", 1, Label::Optional, Type::Group, Some(".t.M")),
            field("words", 2, Label::Repeated, Type::String, None),
            field("list", 3, Label::Repeated, Type::Group, Some(".t.M")),
            field("name", 4, Label::Required, Type::String, None),
        ],
        ..DescriptorProto::default()
    };
    let method = MethodDescriptorProto {
        name: Some("Post".into()),
        input_type: Some(".t.M".into()),
        output_type: Some(".t.M".into()),
        ..MethodDescriptorProto::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("S".into()),
        method: vec![method],
        ..ServiceDescriptorProto::default()
    };
    let set = FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("t.proto".into()),
            package: Some("t".into()),
            message_type: vec![message],
            service: vec![service],
            ..FileDescriptorProto::default()
        }],
    };
    let gateway = Gateway::new(json!({
        "descriptor_set": BASE64_STANDARD.encode(set.encode_to_vec()),
        "http_rules": [{ "selector": "t.S.Post", "post": "/m", "body": "*", "additional_bindings": [{ "get": "/m" }] }],
    }));
    let words = |n: usize| len(2, "w").repeat(n);
    let groups = |levels: usize, inner: Vec<u8>, wrap: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        Answer((0..levels).fold(inner, |wire, _| wrap(group(1, wire))))
    };
    let alone = |wire: Vec<u8>| wire;
    let between = |wire: Vec<u8>| [len(2, "a"), wire, len(2, "b")].concat();
    let split = |wire: Vec<u8>| [wire, group(1, len(2, "a"))].concat();
    check_each(
        &gateway,
        &[
            Shape::new("a list of groups", 4000, |n| Answer(group(3, len(2, "w")).repeat(n))),
            Shape::new("a list within groups", 4000, |n| groups(90, words(n), &alone)),
            Shape::new("groups, deeper", 45, |n| groups(n, Vec::new(), &alone)),
            Shape::new("groups, deeper and longer", 45, |n| groups(n, words(50 * n), &alone)),
            Shape::new("groups between words, deeper", 45, |n| {
                groups(n, words(50 * n), &between)
            }),
            Shape::new("groups in pieces, deeper", 45, |n| groups(n, words(50 * n), &split)),
            Shape::new("required fields at every level", 45, |n| {
                Request::post(chain(r#"{"name":"a","m":"#, n, "}").replace("{}", r#"{"name":""}"#))
            }),
            Shape::new("required fields in the query", 45, |n| {
                let parameters: Vec<_> = (0..n).map(|level| format!("{}name=a", "m.".repeat(level))).collect();
                Request {
                    method: "GET",
                    target: format!("/m?{}", parameters.join("&")),
                    body: String::new(),
                }
            }),
            Shape::new("required fields below many", 45, |n| {
                let words = "\"w\",".repeat(50 * n);
                let inner = format!(r#"{{"name":"","words":[{words}""]}}"#);
                Request::post(chain(r#"{"name":"a","m":"#, n, "}").replace("{}", &inner))
            }),
        ],
    );
}

#[test]
fn a_hundred_levels_leave_most_of_the_stack() {
    let gateway = Gateway::new(json!({ "proto": PROTO3 }));
    let nested = |levels: usize, wrap: &dyn Fn(Vec<u8>) -> Vec<u8>| (0..levels).fold(Vec::new(), |wire, _| wrap(wire));
    let json = [
        chain(r#"{"left":"#, 99, "}"),
        chain(r#"{"children":["#, 49, "]}"),
        format!("{{\"value\":{}{}}}", "[".repeat(99), "]".repeat(99)),
        format!("{{\"value\":{}1{}}}", "{\"a\":".repeat(99), "}".repeat(99)),
        format!("{{\"unknown\":{}{}}}", "[".repeat(99), "]".repeat(99)),
        chain(r#"{"any":{"left":"#, 49, r#","@type":"a/t.M"}}"#),
        chain(r#"{"byName":{"k":"#, 49, "}}"),
    ];
    let wire = [
        nested(99, &|wire| len(3, wire)),
        nested(49, &|wire| len(5, wire)),
        len(20, nested(99, &|wire| len(6, len(1, wire)))),
        len(
            20,
            nested(99, &|wire| len(5, len(1, [len(1, "k"), len(2, wire)].concat()))),
        ),
        nested(99, &|wire| group(900, wire)),
        nested(49, &|wire| len(17, [len(1, "t/t.M"), len(2, len(3, wire))].concat())),
        nested(49, &|wire| len(12, [len(1, "k"), len(2, wire)].concat())),
        // Merged at every level, and checked at every level.
        nested(99, &|wire| [len(3, wire), len(3, [])].concat()),
        [len(15, nested(98, &|wire| len(3, wire))), varint(16, 1)].concat(),
    ];
    let exchanges = json
        .into_iter()
        .map(|json| Request::post(json).into())
        .chain(wire.into_iter().map(|wire| Answer(wire).into()));
    for (exchange, at) in exchanges.zip(0..) {
        let mut machine = gateway.machine();
        let outcome = machine.run(&exchange);
        assert!(outcome.done, "exchange {at}");
        let used = machine.stack_used();
        assert!(used < STACK / 4, "exchange {at} uses {used} bytes of {STACK}");
    }
}
