//! What the module does with an exchange grows no faster than the exchange, whatever a client or an upstream sends.
//!
//! The measure is wasmtime's fuel, the same on every machine and in every run: one unit for each instruction of the module,
//! and one for each byte that a bulk operation copies or fills. Each shape of input is taken through the module as a gateway
//! runs it, at one size and at twice that size. With `PRINT_COST=1` and `--nocapture`, the test prints what it measures.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};
use serde_json::{Value, json};
use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Memory, Module, Store, TypedFunc, WasmParams};

const MODULE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/wasm32-wasip1/release/protobridge.wasm"
);

/// Twice the input is at most twice the work and a tenth, which leaves room for sorting.
const MOST: f64 = 2.2;

const PROTO3: &str = r#"
syntax = "proto3";
package t;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";

service S {
  rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; }
  rpc Query(M) returns (M) { option (google.api.http) = { get: "/m" additional_bindings { get: "/path/{text=**}" } }; }
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

#[test]
fn what_has_gone_by_of_a_stream_leaves_no_memory_behind() {
    let service = "syntax = \"proto3\"; package t; service S { rpc List(M) returns (stream M); }
        message M { string text = 1; int32 number = 2; }";
    let messages: Vec<u8> = (0..1000)
        .flat_map(|at| {
            let message = [len(1, "some text"), varint(2, 1 + at % 100)].concat();
            [&[0, 0, 0, 0, message.len() as u8], &message[..]].concat()
        })
        .collect();
    for (web, accept) in [
        (false, "application/x-ndjson"),
        (true, "application/json"),
        (true, "text/event-stream"),
    ] {
        let configuration = json!({ "proto": service, "upstream": { "grpc_web": web } });
        let mut machine = Machine::new(&configuration.to_string());
        machine.start_stream(accept);
        let mut thousand = || {
            // Frames are cut anywhere.
            for chunk in messages.chunks(999) {
                machine.response_chunk(chunk);
            }
            let written = std::mem::take(&mut machine.store.data_mut().written);
            (written, machine.memory())
        };
        thousand();
        let (written, memory) = thousand();
        assert!(written > 30_000, "{accept}: {written} bytes");
        for _ in 2..300 {
            assert_eq!(thousand(), (written, memory), "{accept}");
        }
    }
}

/// Requests of all kinds, so many by default, or as `PROTOBRIDGE_REQUESTS` says.
const REQUESTS: usize = 10_000;

/// What the first requests leave behind is there for the others: the costs of so many are compared, after so many more.
const WINDOW: usize = 1000;

#[test]
fn a_request_costs_the_same_however_many_have_come_before() {
    let service = "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";
        service S {
          rpc Post(M) returns (M) {
            option (google.api.http) = { post: \"/m\" body: \"*\" additional_bindings { get: \"/m\" } };
          }
          rpc List(M) returns (stream M);
        }
        message M { string text = 1; int32 number = 2; repeated M children = 3; map<string, string> names = 4; }";
    let configuration = json!({ "proto": service, "upstream": { "cluster": "upstream" } });
    let mut machine = Machine::new(&configuration.to_string());
    let message = [
        len(1, "some text"),
        varint(2, 300),
        len(3, len(1, "a child")),
        len(4, [len(1, "key"), len(2, "value")].concat()),
    ]
    .concat();
    let frame = [&[0, 0, 0, 0, message.len() as u8], &message[..]].concat();
    let body = r#"{"text":"some \"text\"","number":300,"children":[{"text":"a child"}],"names":{"key":"value"}}"#;
    let mut cost_of_four = || {
        let before = machine.store.get_fuel().unwrap();
        // By a call.
        machine.begin();
        machine.request(&Request {
            method: "GET",
            target: "/m?text=some%20text&number=300".into(),
            body: String::new(),
        });
        machine.answer_call(&message);
        assert_eq!(machine.store.data().status, 200);
        machine.end();
        // In place.
        machine.begin();
        machine.request(&Request::post(body.into()));
        let sent = machine.store.data().written;
        assert!(sent > message.len(), "nothing was sent on");
        machine.answer_in_place(&frame);
        assert!(machine.store.data().written > sent + message.len(), "no answer");
        machine.end();
        // Refused.
        machine.begin();
        machine.request(&Request::post(format!("{body},")));
        machine.tick();
        assert_eq!(machine.store.data().status, 422, "the stand-in for 400");
        machine.end();
        // A stream that its client leaves.
        machine.start_stream("application/x-ndjson");
        for chunk in [&frame[..3], &frame[3..], &frame[..9]] {
            machine.response_chunk(chunk);
        }
        assert!(machine.store.data().written > message.len(), "no message");
        machine.end();
        (before - machine.store.get_fuel().unwrap(), machine.memory())
    };
    let mut cost = |requests: usize| {
        let rounds = (0..requests / 4).map(|_| cost_of_four());
        rounds.fold((0, 0), |(fuel, _), (more, memory)| (fuel + more, memory))
    };
    let requests = std::env::var("PROTOBRIDGE_REQUESTS").map_or(REQUESTS, |requests| requests.parse().unwrap());
    cost(WINDOW);
    let (early, memory) = cost(WINDOW);
    cost(requests - 3 * WINDOW);
    let (late, memory_late) = cost(WINDOW);
    println!("{WINDOW} requests: {early} instructions and {memory} bytes at first, {late} and {memory_late} at last");
    assert_eq!((early, memory), (late, memory_late), "behind {requests} requests");
}

/// A request costs what it costs, however much there is in the schema that it doesn't use.
#[test]
fn requests_cost_the_same_with_10_methods_and_with_5000() {
    let cost = |methods: usize| {
        let proto = service_of(methods);
        steady(
            json!({ "proto": proto, "limits": { "max_proto_bytes": 10_000_000 } }),
            Request {
                method: "POST",
                target: "/v1/group0/some%20name/at7:verb7".into(),
                body: "{}".into(),
            },
        )
    };
    // A literal is looked up among its neighbours by binary search: of a gateway's whole work, that is below a hundredth.
    assert_alike(cost(10), cost(5000), 0.1);
}

/// What a configuration takes before the first request. Memory that a module once had it keeps: what was needed while the
/// schema was compiled serves the requests.
#[test]
fn a_configuration_takes_what_its_schema_takes() {
    let (few, many) = (service_of(10), service_of(5000));
    let documented = documented(467, 20);
    for (name, proto, fuel, memory) in [
        ("10 methods", &few, 17, 3),
        ("1 MB of documented text", &documented, 580, 17),
        ("5,000 methods", &many, 1080, 17),
    ] {
        let configuration = json!({ "proto": proto, "limits": { "max_proto_bytes": 10_000_000 } });
        let mut machine = Gateway::new(configuration).machine();
        let used = (u64::MAX - machine.store.get_fuel().unwrap()) / 1_000_000;
        let taken = machine.memory() >> 20;
        if std::env::var_os("PRINT_COST").is_some() {
            println!(
                "{name}, {} bytes: {used} million instructions, {taken} MiB",
                proto.len()
            );
        }
        assert!(used <= fuel, "{name}: {used} million instructions");
        assert!(taken <= memory, "{name}: {taken} MiB");
        // A megabyte comes and goes in what was there before.
        let body = format!("{{\"unknown\":\"{}\"}}", "x".repeat(1 << 20));
        let request = Request {
            target: "/t.S/First".into(),
            ..Request::post(body)
        };
        assert!(machine.run(&request.into()).done, "{name}: the request isn't sent on");
        let later = machine.memory() >> 20;
        assert!(name == "10 methods" || later == taken, "{name}: {later} MiB");
    }
}

#[test]
fn messages_cost_the_same_with_10_fields_and_with_2000() {
    let cost = |fields: usize| {
        let mut proto = String::from(
            "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";\n\
             service S { rpc Post(M) returns (M) { option (google.api.http) = { post: \"/m\" body: \"*\" }; } }\n\
             message M {\n",
        );
        for at in 1..=fields {
            proto += &format!("string field_{at} = {at};\n");
        }
        proto += "}";
        let body: Vec<_> = (1..=10).map(|at| format!("\"field{at}\":\"some text\"")).collect();
        steady(
            json!({ "proto": proto }),
            Request::post(format!("{{{}}}", body.join(","))),
        )
    };
    assert_alike(cost(10), cost(2000), 0.1);
}

/// A service of so many methods, each with a rule.
fn service_of(methods: usize) -> String {
    let mut proto = String::from(
        "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";\nmessage M { string name = 1; }\n\
         service S {\nrpc First(M) returns (M);\n",
    );
    for at in 0..methods {
        // Some differ in their first segment, some in their last, some in their verb.
        let (group, place) = (at / 100, at % 100);
        proto += &format!(
            "rpc R{at}(M) returns (M) {{ option (google.api.http) = {{ post: \"/v1/group{group}/{{name}}/at{place}:verb{at}\" \
             body: \"*\" }}; }}\n"
        );
    }
    proto + "}"
}

/// So many messages of so many fields, each with a comment, as benches/envoy/start.py has them.
fn documented(messages: usize, fields: usize) -> String {
    const KINDS: [&str; 7] = [
        "string",
        "int64",
        "bool",
        "double",
        "repeated string",
        "bytes",
        "uint32",
    ];
    let mut proto =
        String::from("syntax = \"proto3\"; package t;\nservice S { rpc First(Message0) returns (Message1); }\n");
    for at in 0..messages {
        proto += &format!(
            "// A message with the number {at}, of which a service tells what it is for in a sentence or two.\n\
             message Message{at} {{\n"
        );
        for field in 0..fields {
            let message = format!("Message{}", at * 7 % messages);
            let kind = if field % 10 == 9 {
                &message
            } else {
                KINDS[(at + field) % KINDS.len()]
            };
            proto += &format!(
                "  // What the field {field} holds, and when it is set by the one that sends it.\n  {kind} field_name_{field} = \
                 {};\n",
                field + 1
            );
        }
        proto += "}\n";
    }
    proto
}

/// What a request costs that has come before.
fn steady(configuration: Value, request: Request) -> u64 {
    let mut machine = Gateway::new(configuration).machine();
    let exchange = request.into();
    let _first = machine.run(&exchange);
    machine.end();
    let outcome = machine.run(&exchange);
    assert!(outcome.done, "the request isn't sent on");
    outcome.fuel
}

fn assert_alike(few: u64, many: u64, tolerance: f64) {
    let ratio = many as f64 / few as f64;
    assert!((ratio - 1.0).abs() <= tolerance, "{few} and {many}: {ratio:.3}");
}

/// The part of a module's memory that is its stack: 1 MiB from its start, growing downwards (rustc's `wasm32-wasip1`).
const STACK: usize = 1 << 20;

/// What the host's stack may take: half of what wasmtime gives a module, and a quarter of what V8 does.
const HOST_STACK: usize = 256 << 10;

/// One way to be large.
struct Shape<'s> {
    name: &'static str,
    size: usize,
    exchange: Box<dyn Fn(usize) -> Exchange + 's>,
    /// Whether the module converts it; `None`: that doesn't matter.
    done: Option<bool>,
}

impl<'s> Shape<'s> {
    fn new<E: Into<Exchange>>(name: &'static str, size: usize, exchange: impl Fn(usize) -> E + 's) -> Self {
        Self {
            name,
            size,
            exchange: Box::new(move |size| exchange(size).into()),
            done: Some(true),
        }
    }

    fn refused<E: Into<Exchange>>(name: &'static str, size: usize, exchange: impl Fn(usize) -> E + 's) -> Self {
        Self {
            done: Some(false),
            ..Self::new(name, size, exchange)
        }
    }

    fn may_be_refused(self) -> Self {
        Self { done: None, ..self }
    }
}

/// Checks that each shape at twice its size costs no more than twice as much, to a tenth.
fn check_each(gateway: &Gateway, shapes: &[Shape<'_>]) {
    let mut failures = Vec::new();
    let every_request = gateway.machine().run(&Request::post("{}".into()).into()).fuel;
    let every_answer = gateway.machine().run(&Answer(Vec::new()).into()).fuel;
    for shape in shapes {
        let mut cost = |size: usize| {
            let exchange = (shape.exchange)(size);
            let length = exchange.length();
            let outcome = gateway.machine().run(&exchange);
            if shape.done.is_some_and(|done| done != outcome.done) {
                failures.push(format!("{}: done is {}", shape.name, outcome.done));
            }
            // What any exchange costs would hide how this one grows.
            let fixed = match exchange {
                Exchange::Request(_) => every_request,
                Exchange::Answer(_) => every_answer,
            };
            (length, outcome.fuel - fixed)
        };
        let ((small, few), (large, many)) = (cost(shape.size), cost(2 * shape.size));
        let growth = large as f64 / small as f64;
        // The lengths may not double exactly; what is allowed is per byte.
        let most = growth.max(2.0) / 2.0 * MOST;
        let ratio = many as f64 / few as f64;
        if std::env::var_os("PRINT_COST").is_some() {
            println!(
                "{:60} {small:8} bytes {few:12} {large:8} bytes {many:12}: {ratio:.3}",
                shape.name
            );
        }
        if ratio > most {
            failures.push(format!(
                "{}: {small} bytes cost {few}, {large} bytes cost {many}: {ratio:.2} times as much",
                shape.name
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

// The shapes of JSON.

fn wrap(before: &str, item: &str, count: usize, after: &str) -> String {
    format!("{before}{}{after}", item.repeat(count))
}

/// The same with each item's position, in five digits, for every `~` in it.
fn numbered(before: &str, item: &str, count: usize, after: &str) -> String {
    let items: String = (0..count)
        .map(|at| item.replace('~', &format!("{}", 10_000 + at)))
        .collect();
    format!("{before}{items}{after}")
}

/// `levels` objects in each other around an empty one.
fn chain(open: &str, levels: usize, close: &str) -> String {
    format!("{}{{}}{}", open.repeat(levels), close.repeat(levels))
}

/// `levels` of `Any` in each other, the type last in each, around a text.
fn any_chain(levels: usize, text: &str) -> String {
    let open = r#"{"any":"#.repeat(levels);
    let close = r#","@type":"a/t.M"}"#.repeat(levels - 1);
    format!("{open}{{\"text\":\"{text}\",\"@type\":\"a/t.M\"}}{close}}}")
}

// The shapes of wire format.

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn tag(number: u32, wire_type: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_varint(u64::from(number) << 3 | wire_type, &mut out);
    out
}

fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = tag(number, 0);
    write_varint(value, &mut out);
    out
}

fn len(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = tag(number, 2);
    write_varint(contents.as_ref().len() as u64, &mut out);
    out.extend_from_slice(contents.as_ref());
    out
}

fn group(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    [tag(number, 3), contents.as_ref().to_vec(), tag(number, 4)].concat()
}

/// What one measurement sends through the module.
enum Exchange {
    Request(Request),
    Answer(Answer),
}

/// A client's request; the measure is of its way to the upstream.
struct Request {
    method: &'static str,
    target: String,
    body: String,
}

/// An upstream's answer to a request that costs next to nothing: one message, in wire format.
struct Answer(Vec<u8>);

impl Request {
    fn post(body: String) -> Self {
        Self {
            method: "POST",
            target: "/m".into(),
            body,
        }
    }
}

impl From<Request> for Exchange {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Answer> for Exchange {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Exchange {
    fn length(&self) -> usize {
        match self {
            Self::Request(request) => request.target.len() + request.body.len(),
            Self::Answer(answer) => answer.0.len(),
        }
    }
}

/// What became of an exchange.
struct Outcome {
    fuel: u64,
    /// The module has converted it, rather than answered with an error of its own.
    done: bool,
}

/// The module, compiled to count its instructions.
static COMPILED: LazyLock<(Engine, Module)> = LazyLock::new(|| {
    let mut config = Config::new();
    config.consume_fuel(true).max_wasm_stack(HOST_STACK);
    let engine = Engine::new(&config).unwrap();
    let module = Module::from_file(&engine, MODULE).unwrap_or_else(|error| panic!("{MODULE}: {error} (make build)"));
    (engine, module)
});

/// A plugin configuration. Each exchange has a machine of its own, so that no measure depends on another.
struct Gateway {
    configuration: String,
}

impl Gateway {
    fn new(mut configuration: Value) -> Self {
        configuration["dispatch"] = "call".into();
        configuration["upstream"] = json!({ "cluster": "upstream" });
        Self {
            configuration: configuration.to_string(),
        }
    }

    fn machine(&self) -> Machine {
        Machine::new(&self.configuration)
    }
}

/// The module, configured, in a host that knows as much of proxy-wasm as one exchange takes.
struct Machine {
    store: Store<Host>,
    instance: Instance,
    /// Of the request under way.
    context: i32,
}

const ROOT: i32 = 1;

impl Machine {
    fn new(configuration: &str) -> Self {
        let (engine, module) = &*COMPILED;
        let mut store = Store::new(engine, Host::default());
        store.set_fuel(u64::MAX).unwrap();
        let instance = linker(engine).instantiate(&mut store, module).unwrap();
        let mut machine = Self {
            store,
            instance,
            context: ROOT + 1,
        };
        machine.store.data_mut().buffers[PLUGIN_CONFIGURATION] = configuration.into();
        machine.call::<()>("_initialize", ());
        machine.call::<()>("proxy_on_context_create", (ROOT, 0));
        let size = configuration.len() as i32;
        assert_eq!(
            machine.call::<i32>("proxy_on_configure", (ROOT, size)),
            1,
            "{configuration}"
        );
        machine
    }

    fn run(&mut self, exchange: &Exchange) -> Outcome {
        self.begin();
        match exchange {
            Exchange::Request(request) => {
                let before = self.store.get_fuel().unwrap();
                self.request(request);
                // Some answers wait for their time.
                let host = self.store.data();
                if !host.sent && !host.reply {
                    self.tick();
                }
                let fuel = before - self.store.get_fuel().unwrap();
                let host = self.store.data();
                assert!(host.sent != host.reply, "neither sent on nor answered");
                Outcome { fuel, done: host.sent }
            }
            Exchange::Answer(answer) => {
                self.request(&Request::post("{\"name\":\"\"}".into()));
                assert!(self.store.data().sent, "the request isn't sent on");
                let before = self.store.get_fuel().unwrap();
                self.answer_call(&answer.0);
                let fuel = before - self.store.get_fuel().unwrap();
                let host = self.store.data();
                assert!(host.reply, "no answer");
                Outcome {
                    fuel,
                    done: host.status == 200,
                }
            }
        }
    }

    /// A new context, by a number of its own.
    fn begin(&mut self) {
        self.context += 1;
        self.call::<()>("proxy_on_context_create", (self.context, ROOT));
    }

    /// The exchange has ended, or its client has left.
    fn end(&mut self) {
        let host = self.store.data_mut();
        (host.sent, host.reply, host.written) = (false, false, 0);
        self.call::<i32>("proxy_on_done", self.context);
        self.call::<()>("proxy_on_log", self.context);
        self.call::<()>("proxy_on_delete", self.context);
    }

    fn tick(&mut self) {
        self.store.data_mut().seconds += 1;
        self.call::<()>("proxy_on_tick", ROOT);
    }

    /// The call that was made last is answered by this message.
    fn answer_call(&mut self, message: &[u8]) {
        let call = CALL + self.store.data().calls - 1;
        self.store.data_mut().buffers[GRPC_MESSAGE] = message.to_vec();
        self.call::<()>("proxy_on_grpc_receive_initial_metadata", (self.context, call, 0));
        self.call::<()>("proxy_on_grpc_receive", (self.context, call, message.len() as i32));
        self.call::<()>("proxy_on_grpc_receive_trailing_metadata", (self.context, call, 0));
        self.call::<()>("proxy_on_grpc_close", (self.context, call, 0));
    }

    /// The request that went on in place is answered by this frame.
    fn answer_in_place(&mut self, frame: &[u8]) {
        self.headers(&[(":status", "200"), ("content-type", "application/grpc")]);
        self.call::<i32>("proxy_on_response_headers", (self.context, 2, 0));
        self.store.data_mut().buffers[RESPONSE_BODY] = frame.to_vec();
        self.call::<i32>("proxy_on_response_body", (self.context, frame.len() as i32, 0));
        self.call::<i32>("proxy_on_response_trailers", (self.context, 1));
    }

    fn request(&mut self, request: &Request) {
        let Request { method, target, body } = request;
        self.headers(&[
            (":method", method),
            (":path", target),
            (":authority", "a"),
            (":scheme", "http"),
            ("content-type", "application/json"),
        ]);
        let host = self.store.data_mut();
        let count = host.headers.len() as i32;
        host.buffers[REQUEST_BODY] = body.clone().into();
        let end = i32::from(body.is_empty());
        self.call::<i32>("proxy_on_request_headers", (self.context, count, end));
        if !body.is_empty() {
            self.call::<i32>("proxy_on_request_body", (self.context, body.len() as i32, 1));
        }
    }

    /// A server stream begins, in place.
    fn start_stream(&mut self, accept: &str) {
        self.begin();
        self.headers(&[
            (":method", "POST"),
            (":path", "/t.S/List"),
            (":authority", "a"),
            ("accept", accept),
        ]);
        self.call::<i32>("proxy_on_request_headers", (self.context, 4, 0));
        self.store.data_mut().buffers[REQUEST_BODY] = b"{}".to_vec();
        assert_eq!(
            self.call::<i32>("proxy_on_request_body", (self.context, 2, 1)),
            CONTINUE
        );
        self.headers(&[(":status", "200"), ("content-type", "application/grpc")]);
        self.call::<i32>("proxy_on_response_headers", (self.context, 2, 0));
    }

    fn response_chunk(&mut self, chunk: &[u8]) {
        self.store.data_mut().buffers[RESPONSE_BODY] = chunk.to_vec();
        let action = self.call::<i32>("proxy_on_response_body", (self.context, chunk.len() as i32, 0));
        assert_eq!(action, CONTINUE);
    }

    fn headers(&mut self, headers: &[(&str, &str)]) {
        let owned = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.store.data_mut().headers = owned.collect();
    }

    fn call<R: wasmtime::WasmResults>(&mut self, name: &str, arguments: impl WasmParams) -> R {
        let function = self.instance.get_typed_func(&mut self.store, name).unwrap();
        function
            .call(&mut self.store, arguments)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    /// How much memory the module has, in bytes. It never shrinks.
    fn memory(&mut self) -> usize {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        memory.data_size(&self.store)
    }

    /// How far down the module's own stack has ever been: fresh memory is zero.
    fn stack_used(&mut self) -> usize {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        let stack = &memory.data(&self.store)[..STACK];
        STACK - stack.iter().position(|byte| *byte != 0).unwrap_or(STACK)
    }
}

/// What the module sees, and what it has done.
#[derive(Default)]
struct Host {
    /// Of the request, later of the response.
    headers: Vec<(String, String)>,
    buffers: [Vec<u8>; 8],
    /// How many bytes the module has put into buffers.
    written: usize,
    /// The clock.
    seconds: u64,
    /// How many calls were made.
    calls: i32,
    /// The call has its message.
    sent: bool,
    /// The client has its answer, with this status.
    reply: bool,
    status: i32,
}

// `proxy_map_type_t`.
const REQUEST_HEADERS: i32 = 0;
const RESPONSE_HEADERS: i32 = 2;
const RESPONSE_TRAILERS: i32 = 3;

// `proxy_buffer_type_t`.
const REQUEST_BODY: usize = 0;
const RESPONSE_BODY: usize = 1;
const GRPC_MESSAGE: usize = 5;
const PLUGIN_CONFIGURATION: usize = 7;

/// The token of the first call; those behind it follow.
const CALL: i32 = 7;

const OK: i32 = 0;
/// `proxy_action_t`.
const CONTINUE: i32 = 0;
const NOT_FOUND: i32 = 1;

type Guest<'c> = Caller<'c, Host>;

fn linker(engine: &Engine) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    // Whatever isn't here answers 0, which is OK.
    let (_, module) = &*COMPILED;
    for import in module.imports() {
        if let wasmtime::ExternType::Func(function) = import.ty() {
            linker
                .func_new(import.module(), import.name(), function, |_, _, results| {
                    results.fill(wasmtime::Val::I32(OK));
                    Ok(())
                })
                .unwrap();
        }
    }
    linker.allow_shadowing(true);
    linker
        .func_wrap(
            "env",
            "proxy_get_buffer_bytes",
            |mut guest: Guest<'_>, buffer: i32, start: i32, size: i32, data: i32, length: i32| {
                let bytes = &guest.data().buffers[buffer as usize];
                let start = (start as usize).min(bytes.len());
                let end = (start + size as usize).min(bytes.len());
                let bytes = bytes[start..end].to_vec();
                give(&mut guest, &bytes, data, length)
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_set_buffer_bytes",
            |mut guest: Guest<'_>, _: i32, _: i32, _: i32, _: i32, length: i32| {
                guest.data_mut().written += length as usize;
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_header_map_pairs",
            |mut guest: Guest<'_>, map: i32, data: i32, length: i32| {
                let headers = match map {
                    REQUEST_HEADERS | RESPONSE_HEADERS => &guest.data().headers[..],
                    RESPONSE_TRAILERS => &[("grpc-status".to_owned(), "0".to_owned())],
                    _ => &[],
                };
                let mut bytes = (headers.len() as u32).to_le_bytes().to_vec();
                for (name, value) in headers {
                    bytes.extend((name.len() as u32).to_le_bytes());
                    bytes.extend((value.len() as u32).to_le_bytes());
                }
                for (name, value) in headers {
                    bytes.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
                }
                give(&mut guest, &bytes, data, length)
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_property",
            |_: Guest<'_>, _: i32, _: i32, _: i32, _: i32| NOT_FOUND,
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_current_time_nanoseconds",
            |mut guest: Guest<'_>, time: i32| {
                let now = guest.data().seconds * 1_000_000_000;
                write(&mut guest, time, &now.to_le_bytes());
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_status",
            |mut guest: Guest<'_>, code: i32, data: i32, length: i32| {
                write(&mut guest, code, &[0; 4]);
                give(&mut guest, b"", data, length)
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_grpc_stream",
            |mut guest: Guest<'_>, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, token: i32| {
                let call = CALL + guest.data().calls;
                guest.data_mut().calls += 1;
                write(&mut guest, token, &call.to_le_bytes());
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_grpc_send",
            |mut guest: Guest<'_>, _: i32, _: i32, _: i32, _: i32| {
                guest.data_mut().sent = true;
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_send_local_response",
            |mut guest: Guest<'_>, status: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32| {
                let host = guest.data_mut();
                host.reply = true;
                host.status = status;
                OK
            },
        )
        .unwrap();
    linker
}

/// Gives the guest bytes in memory of its own, and writes where they are and how many.
fn give(guest: &mut Guest<'_>, bytes: &[u8], data: i32, length: i32) -> i32 {
    let Some(Extern::Func(allocate)) = guest.get_export("proxy_on_memory_allocate") else {
        panic!("no proxy_on_memory_allocate");
    };
    let allocate: TypedFunc<i32, i32> = allocate.typed(&mut *guest).unwrap();
    let at = allocate.call(&mut *guest, bytes.len() as i32).unwrap();
    write(guest, at, bytes);
    write(guest, data, &at.to_le_bytes());
    write(guest, length, &(bytes.len() as u32).to_le_bytes());
    OK
}

fn write(guest: &mut Guest<'_>, at: i32, bytes: &[u8]) {
    let memory: Memory = guest.get_export("memory").and_then(Extern::into_memory).unwrap();
    memory.write(guest, at as usize, bytes).unwrap();
}
