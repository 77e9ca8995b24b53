//! Each operation on each kind of field: what goes in and comes out, as JSON or as records.

mod annotated;
mod differential;
mod exchange;
mod linear;
mod one_reading;
mod problems;
mod records;

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Active, Memory, MethodTransforms, TransformError};
use crate::codec::{JsonInput, JsonToWire, ParseOptions, PrintOptions, WireToJson};
use crate::config::Plugin;
use crate::http::headers::Headers;
use crate::schema::tables::MessageIndex;
use crate::wire::write_varint;

const PROTO: &str = r#"syntax = "proto3";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Color { NONE = 0; RED = 1; BLUE = 2; }
message M {
    string s = 1; bytes y = 2; int32 i = 3; int64 l = 4; uint64 u = 5; sint32 z = 6; fixed32 f = 7; sfixed64 g = 8;
    double d = 9; float e = 10; bool b = 11; Color c = 12; M m = 13; optional string o = 14; optional int32 p = 15;
    repeated string rs = 16; repeated int32 ri = 17; repeated M rm = 18; repeated bytes ry = 19;
    map<string, string> ms = 20; map<int32, M> mm = 21; map<string, int32> mi = 22; map<string, bytes> my = 23;
    oneof choice { string one = 24; int32 two = 25; M three = 26; M four = 27; }
    google.protobuf.Timestamp t = 28; google.protobuf.Any a = 29; google.protobuf.Struct st = 30;
    google.protobuf.Int64Value w = 31; google.protobuf.StringValue ws = 32; google.protobuf.BoolValue wb = 33;
    string long_name = 100; string custom = 101 [json_name = "quite custom"]; string far = 50000;
}
service S { rpc Do(M) returns (M); }
"#;

const PROTO2: &str = r#"syntax = "proto2";
package t;
enum Closed { ZERO = 0; ONE = 1; }
message M {
    required string id = 1; optional int32 n = 2 [default = 7]; optional group G = 3 { optional string s = 1; optional int32 i = 2; }
    repeated group H = 4 { optional string s = 1; }
    optional M m = 5; optional Closed c = 6; oneof of { Closed d = 7; string e = 8; } extensions 100 to 200;
}
extend M { optional string ext = 100; optional M extm = 101; repeated string exts = 102; }
service S { rpc Do(M) returns (M); }
"#;

/// A configuration whose one method, `t.S.Do`, takes and gives `t.M`.
struct Fixture {
    plugin: Plugin,
    message: MessageIndex,
}

impl Fixture {
    /// The transforms are those of the configuration.
    fn new(proto: &str, transforms: Value) -> Self {
        let json = json!({ "preserve_proto_field_names": true });
        let configuration = json!({ "proto": proto, "json": json, "transforms": transforms }).to_string();
        let plugin = Plugin::load(configuration.as_bytes(), 7).unwrap_or_else(|error| panic!("{error}"));
        let message = plugin.tables.message_index("t.M").unwrap();
        Self { plugin, message }
    }

    /// These operations on requests.
    fn of(proto: &str, operations: Value) -> Self {
        Self::new(proto, json!([{ "request": operations }]))
    }

    fn method(&self) -> &Rc<MethodTransforms> {
        self.plugin.transforms.by_method[0].as_ref().unwrap()
    }

    fn activate(&self, headers: &[(&str, &str)]) -> Result<Active, TransformError> {
        let mut list = Headers::default();
        for (name, value) in headers {
            list.push(name.as_bytes(), value.as_bytes());
        }
        self.method().activate(&self.plugin.tables, &list, &mut |_| None)
    }

    /// The request message, changed.
    fn change(&self, wire: &[u8]) -> Result<Vec<u8>, TransformError> {
        change(&self.plugin, &self.activate(&[]).unwrap(), wire)
    }

    fn wire(&self, value: &Value) -> Vec<u8> {
        let mut wire = Vec::new();
        let json = value.to_string();
        let options = ParseOptions::default();
        let input = JsonInput::new(json.as_bytes(), &options);
        let written = JsonToWire::default().message(&self.plugin.tables, self.message, input, &mut wire);
        written.unwrap_or_else(|error| panic!("{error}: {value}"));
        wire
    }

    fn json(&self, wire: &[u8]) -> Value {
        let mut text = Vec::new();
        let options = PrintOptions::default();
        let printed = WireToJson::default().message(&self.plugin.tables, self.message, wire, &options, &mut text);
        printed.unwrap_or_else(|error| panic!("{error}: {wire:x?}"));
        serde_json::from_slice(&text).unwrap()
    }
}

/// The request message, changed twice with the same memory and behind other bytes.
fn change(plugin: &Plugin, active: &Active, wire: &[u8]) -> Result<Vec<u8>, TransformError> {
    let mut memory = Memory::default();
    let mut results = (0..2).map(|_| {
        let mut out = b"before".to_vec();
        let changed = active.request(&plugin.tables, wire, &mut memory, &mut out);
        let rest = out.strip_prefix(b"before").unwrap().to_vec();
        assert!(changed.is_ok() || rest.is_empty(), "output is left behind");
        changed.map(|()| rest)
    });
    let (first, second) = (results.next().unwrap(), results.next().unwrap());
    assert_eq!(first, second);
    first
}

// Wire format by hand: what no serializer would write, too.

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
    let contents = contents.as_ref();
    let mut out = tag(number, 2);
    write_varint(contents.len() as u64, &mut out);
    out.extend_from_slice(contents);
    out
}

fn group(number: u32, contents: impl AsRef<[u8]>) -> Vec<u8> {
    [&tag(number, 3), contents.as_ref(), &tag(number, 4)].concat()
}

fn fixed32(number: u32, value: u32) -> Vec<u8> {
    [tag(number, 5), value.to_le_bytes().to_vec()].concat()
}

/// Checks what the operations make of messages, each given and expected in JSON.
#[track_caller]
fn assert_changes(proto: &str, cases: &[(Value, Value, Value)]) {
    for (operations, given, expected) in cases {
        let fixture = Fixture::of(proto, operations.clone());
        let wire = fixture.wire(given);
        let changed = fixture.change(&wire).unwrap();
        assert_eq!(
            fixture.json(&changed),
            *expected,
            "{operations} of {given}: {changed:x?}"
        );
        // Three stars are text too.
        if operations.to_string().contains("mask") {
            continue;
        }
        let again = fixture.change(&changed).unwrap();
        assert_eq!(fixture.json(&again), *expected, "{operations} of {given}, again");
    }
}

#[test]
fn fields_of_every_kind_are_removed() {
    let everything = json!({
        "s": "x", "y": "eA==", "i": 1, "l": "1", "u": "1", "z": -1, "f": 1, "g": "1", "d": 0.5, "e": 0.5, "b": true,
        "c": "RED", "m": { "s": "below" }, "o": "", "p": 0, "rs": ["a", "b"], "ri": [1, 2], "rm": [{ "s": "a" }, {}],
        "ry": ["eA=="], "ms": { "k": "v" }, "mm": { "1": { "s": "a" } }, "mi": { "k": 1 }, "my": { "k": "eA==" },
        "one": "x", "t": "1970-01-01T00:00:01Z", "a": { "@type": "x/t.M", "s": "x" }, "st": { "a": 1 }, "w": "1",
        "ws": "x", "wb": false, "long_name": "x", "custom": "x", "far": "x",
    });
    let names: Vec<_> = everything.as_object().unwrap().keys().cloned().collect();
    for name in &names {
        let mut expected = everything.clone();
        expected.as_object_mut().unwrap().remove(name);
        let mut kept = json!({});
        kept[name] = everything[name].clone();
        assert_changes(
            PROTO,
            &[
                (json!([{ "remove": [name] }]), everything.clone(), expected.clone()),
                (json!([{ "keep": [name] }]), everything.clone(), kept.clone()),
                (
                    json!([{ "remove": [format!("m.m.{name}"), format!("rm.{name}"), format!("mm.{name}")] }]),
                    json!({ "m": { "m": everything }, "rm": [everything, {}], "mm": { "1": everything, "0": everything }, "s": "x" }),
                    json!({ "m": { "m": expected }, "rm": [expected, {}], "mm": { "1": expected, "0": expected }, "s": "x" }),
                ),
                (
                    json!([{ "keep": [format!("m.m.{name}"), format!("rm.{name}"), format!("mm.{name}")] }]),
                    json!({ "m": { "m": everything }, "rm": [everything, {}], "mm": { "1": everything, "0": everything }, "s": "x" }),
                    json!({ "m": { "m": kept }, "rm": [kept, {}], "mm": { "1": kept, "0": kept } }),
                ),
            ],
        );
    }
}

#[test]
fn values_of_every_kind_are_set() {
    for (field, value, printed) in [
        ("s", json!("new"), json!("new")),
        ("y", json!("eHk="), json!("eHk=")),
        ("i", json!(-7), json!(-7)),
        ("l", json!("7"), json!("7")),
        ("u", json!(7), json!("7")),
        ("z", json!(-7), json!(-7)),
        ("f", json!(7), json!(7)),
        ("g", json!(-7), json!("-7")),
        ("d", json!(1.5), json!(1.5)),
        ("e", json!(1.5), json!(1.5)),
        ("b", json!(true), json!(true)),
        ("c", json!("BLUE"), json!("BLUE")),
        ("m", json!({ "i": 3 }), json!({ "i": 3 })),
        ("o", json!(""), json!("")),
        ("p", json!(0), json!(0)),
        ("one", json!(""), json!("")),
        ("two", json!(0), json!(0)),
        ("three", json!({}), json!({})),
        ("t", json!("1970-01-01T00:00:09Z"), json!("1970-01-01T00:00:09Z")),
        (
            "a",
            json!({ "@type": "x/t.M", "i": 1 }),
            json!({ "@type": "x/t.M", "i": 1 }),
        ),
        ("st", json!({ "k": [null] }), json!({ "k": [null] })),
        ("w", json!(5), json!("5")),
        ("long_name", json!("x"), json!("x")),
        ("longName", json!("x"), json!("x")),
        ("quite custom", json!("x"), json!("x")),
        ("far", json!("x"), json!("x")),
    ] {
        let name = match field {
            "longName" => "long_name",
            "quite custom" => "custom",
            name => name,
        };
        let operations = json!([{ "set": { "field": field, "value": value } }]);
        let mut old = json!({ "ri": [1] });
        let mut expected = old.clone();
        old[name] = match &printed {
            Value::String(text) if text == "new" => json!("old"),
            other => other.clone(),
        };
        expected[name] = printed.clone();
        let nested = json!([{ "set": { "field": format!("m.m.{field}"), "value": value } }]);
        let inner = json!({ name: printed });
        assert_changes(
            PROTO,
            &[
                (operations.clone(), old, expected.clone()),
                (operations, json!({ "ri": [1] }), expected),
                (nested.clone(), json!({}), json!({ "m": { "m": inner } })),
                (
                    nested,
                    json!({ "m": { "m": {}, "ri": [1] } }),
                    json!({ "m": { "m": inner, "ri": [1] } }),
                ),
            ],
        );
    }
}

#[test]
fn what_is_set_is_set_in_the_elements_that_are_there() {
    let set = |field: &str| json!([{ "set": { "field": field, "value": "new" } }]);
    assert_changes(
        PROTO,
        &[
            (set("rm.s"), json!({}), json!({})),
            (
                set("rm.s"),
                json!({ "rm": [{}, { "s": "a", "i": 1 }] }),
                json!({ "rm": [{ "s": "new" }, { "s": "new", "i": 1 }] }),
            ),
            (
                set("rm.m.s"),
                json!({ "rm": [{}, { "m": { "s": "a" } }] }),
                json!({ "rm": [{ "m": { "s": "new" } }, { "m": { "s": "new" } }] }),
            ),
            (
                set("mm.s"),
                json!({ "mm": { "1": {}, "2": { "s": "a" } } }),
                json!({ "mm": { "1": { "s": "new" }, "2": { "s": "new" } } }),
            ),
            (set("m.rm.s"), json!({}), json!({})),
            (set("m.rm.s"), json!({ "m": {} }), json!({ "m": {} })),
        ],
    );
}

#[test]
fn members_of_a_oneof_give_way_to_what_is_set() {
    let set = |field: &str, value: Value| json!([{ "set": { "field": field, "value": value } }]);
    assert_changes(
        PROTO,
        &[
            (
                set("one", json!("x")),
                json!({ "two": 2, "s": "a" }),
                json!({ "one": "x", "s": "a" }),
            ),
            (
                set("one", json!("x")),
                json!({ "three": { "s": "x" } }),
                json!({ "one": "x" }),
            ),
            (
                set("three.s", json!("x")),
                json!({ "two": 2 }),
                json!({ "three": { "s": "x" } }),
            ),
            (
                set("three.s", json!("x")),
                json!({ "four": { "i": 2 } }),
                json!({ "three": { "s": "x" } }),
            ),
            (
                set("three.s", json!("x")),
                json!({ "three": { "i": 2 } }),
                json!({ "three": { "s": "x", "i": 2 } }),
            ),
            (
                json!([{ "set": { "field": "one", "value": "x" } }, { "set": { "field": "two", "value": 2 } }]),
                json!({ "three": {} }),
                json!({ "two": 2 }),
            ),
            (json!([{ "remove": ["one"] }]), json!({ "two": 2 }), json!({ "two": 2 })),
        ],
    );
}

#[test]
fn a_default_holds_where_nothing_is() {
    let default = |field: &str, value: Value| json!([{ "default": { "field": field, "value": value } }]);
    assert_changes(
        PROTO,
        &[
            (default("i", json!(50)), json!({}), json!({ "i": 50 })),
            (default("i", json!(50)), json!({ "i": 7 }), json!({ "i": 7 })),
            (default("p", json!(50)), json!({ "p": 0 }), json!({ "p": 0 })),
            (default("p", json!(50)), json!({}), json!({ "p": 50 })),
            (default("s", json!("x")), json!({ "s": "" }), json!({ "s": "x" })),
            (default("o", json!("x")), json!({ "o": "" }), json!({ "o": "" })),
            (default("m", json!({ "i": 1 })), json!({}), json!({ "m": { "i": 1 } })),
            (default("m", json!({ "i": 1 })), json!({ "m": {} }), json!({ "m": {} })),
            (
                default("m.m.i", json!(5)),
                json!({}),
                json!({ "m": { "m": { "i": 5 } } }),
            ),
            (
                default("m.m.i", json!(5)),
                json!({ "m": { "m": { "i": 6 } } }),
                json!({ "m": { "m": { "i": 6 } } }),
            ),
            (
                default("rm.i", json!(5)),
                json!({ "rm": [{ "i": 1 }, {}] }),
                json!({ "rm": [{ "i": 1 }, { "i": 5 }] }),
            ),
            (default("one", json!("x")), json!({}), json!({ "one": "x" })),
            (default("one", json!("x")), json!({ "one": "" }), json!({ "one": "" })),
            (default("one", json!("x")), json!({ "two": 0 }), json!({ "two": 0 })),
            (
                default("three.s", json!("x")),
                json!({ "four": {} }),
                json!({ "four": {} }),
            ),
            (
                default("three.s", json!("x")),
                json!({ "three": {} }),
                json!({ "three": { "s": "x" } }),
            ),
            (
                default("three.s", json!("x")),
                json!({}),
                json!({ "three": { "s": "x" } }),
            ),
        ],
    );
}

#[test]
fn text_and_bytes_are_masked_and_others_removed() {
    let mask = |field: &str, keep_last: usize| json!([{ "mask": { "field": field, "keep_last": keep_last } }]);
    assert_changes(
        PROTO,
        &[
            (
                mask("s", 0),
                json!({ "s": "555-1234", "i": 1 }),
                json!({ "s": "***", "i": 1 }),
            ),
            (mask("s", 4), json!({ "s": "555-1234" }), json!({ "s": "***1234" })),
            (mask("s", 4), json!({ "s": "1234" }), json!({ "s": "***" })),
            (mask("s", 4), json!({}), json!({})),
            (mask("o", 4), json!({ "o": "" }), json!({ "o": "***" })),
            (mask("y", 0), json!({ "y": "AAAA" }), json!({ "y": "Kioq" })),
            (
                mask("rs", 1),
                json!({ "rs": ["", "a", "ab"] }),
                json!({ "rs": ["***", "***", "***b"] }),
            ),
            (
                mask("ms", 1),
                json!({ "ms": { "a": "", "b": "ab" } }),
                json!({ "ms": { "a": "***", "b": "***b" } }),
            ),
            (
                mask("my", 0),
                json!({ "my": { "a": "AA==" } }),
                json!({ "my": { "a": "Kioq" } }),
            ),
            (mask("i", 1), json!({ "i": 1, "s": "x" }), json!({ "s": "x" })),
            (mask("m", 1), json!({ "m": {} }), json!({})),
            (mask("mi", 1), json!({ "mi": { "a": 1 } }), json!({})),
            (
                mask("rm.mm.s", 1),
                json!({ "rm": [{ "mm": { "1": { "s": "abc" } } }] }),
                json!({ "rm": [{ "mm": { "1": { "s": "***c" } } }] }),
            ),
            (mask("one", 1), json!({ "one": "abc" }), json!({ "one": "***c" })),
        ],
    );
}

#[test]
fn operations_follow_each_other_as_they_are_written() {
    assert_changes(
        PROTO,
        &[
            (
                json!([{ "set": { "field": "m.s", "value": "a" } }, { "remove": ["m"] }]),
                json!({ "i": 1 }),
                json!({ "i": 1 }),
            ),
            (
                json!([{ "remove": ["m"] }, { "set": { "field": "m.s", "value": "a" } }]),
                json!({ "m": { "i": 1 } }),
                json!({ "m": { "s": "a" } }),
            ),
            (
                json!([{ "set": { "field": "s", "value": "abc" } }, { "mask": { "field": "s", "keep_last": 1 } }, { "default": { "field": "o", "value": "x" } }]),
                json!({}),
                json!({ "s": "***c", "o": "x" }),
            ),
            (
                json!([{ "keep": ["m.s", "m.i", "rm"] }, { "remove": ["m.i"] }, { "set": { "field": "l", "value": 1 } }]),
                json!({ "m": { "s": "a", "i": 1, "l": 2 }, "rm": [{ "i": 1 }], "s": "x" }),
                json!({ "m": { "s": "a" }, "rm": [{ "i": 1 }], "l": "1" }),
            ),
            (
                json!([{ "keep": ["m", "m.s"] }]),
                json!({ "m": { "i": 1 } }),
                json!({ "m": { "i": 1 } }),
            ),
            (
                json!([{ "keep": ["m.s", "m"] }]),
                json!({ "m": { "i": 1 } }),
                json!({ "m": { "i": 1 } }),
            ),
        ],
    );
}

#[test]
fn groups_and_extensions_are_fields_as_others() {
    assert_changes(
        PROTO2,
        &[
            (
                json!([{ "set": { "field": "g.s", "value": "x" } }]),
                json!({ "id": "a" }),
                json!({ "id": "a", "g": { "s": "x" } }),
            ),
            (
                json!([{ "set": { "field": "g.s", "value": "x" } }]),
                json!({ "id": "a", "g": { "s": "y", "i": 1 } }),
                json!({ "id": "a", "g": { "s": "x", "i": 1 } }),
            ),
            (
                json!([{ "remove": ["h.s", "g.i"] }]),
                json!({ "id": "a", "g": { "s": "y", "i": 1 }, "h": [{ "s": "x" }, {}] }),
                json!({ "id": "a", "g": { "s": "y" }, "h": [{}, {}] }),
            ),
            (
                json!([{ "set": { "field": "[t.ext]", "value": "x" } }, { "remove": ["[t.exts]"] }]),
                json!({ "id": "a", "[t.exts]": ["a"] }),
                json!({ "id": "a", "[t.ext]": "x" }),
            ),
            (
                json!([{ "set": { "field": "[t.extm].[t.extm].n", "value": 3 } }]),
                json!({ "id": "a", "[t.extm]": { "id": "b" } }),
                json!({ "id": "a", "[t.extm]": { "id": "b", "[t.extm]": { "n": 3 } } }),
            ),
            (
                json!([{ "default": { "field": "n", "value": 9 } }]),
                json!({ "id": "a", "n": 0 }),
                json!({ "id": "a", "n": 0 }),
            ),
            (
                json!([{ "keep": ["id", "g.s"] }]),
                json!({ "id": "a", "g": { "s": "y", "i": 1 }, "n": 1 }),
                json!({ "id": "a", "g": { "s": "y" } }),
            ),
        ],
    );
}

#[test]
fn an_operation_without_work_leaves_every_byte() {
    let fixture = Fixture::of(PROTO, json!([{ "remove": ["m.rm.s"] }]));
    for wire in [
        vec![],
        [
            len(1, "x"),
            varint(900, 1),
            group(901, group(902, fixed32(1, 1))),
            vec![0x08 | 0x80, 0x00, 0x01],
        ]
        .concat(),
        [len(13, len(18, varint(3, 300))), vec![0x6a, 0x00]].concat(),
    ] {
        if let Ok(changed) = fixture.change(&wire) {
            assert_eq!(changed, wire);
        }
    }
}
