//! The work grows no faster than the message, whatever is in it: counted in records that are looked at.

use super::*;

/// How many records are looked at in a message, whether it is one or not.
fn steps(fixture: &Fixture, wire: &[u8]) -> usize {
    let mut memory = Memory::default();
    let active = fixture.activate(&[]).unwrap();
    let _ = active.request(&fixture.plugin.tables, wire, &mut memory, &mut Vec::new());
    memory.scratch.steps
}

#[track_caller]
fn assert_linear(what: &str, fixture: &Fixture, size: usize, wire: impl Fn(usize) -> Vec<u8>) {
    let (few, many) = (steps(fixture, &wire(size)), steps(fixture, &wire(2 * size)));
    assert!(few >= size, "{what}: {few} steps");
    assert!(many <= 2 * few + 10, "{what}: {few} steps, then {many}");
    // Each record once before and once in the pass, and once more for the pieces of a message.
    let bound = 8 * wire(2 * size).len();
    assert!(many <= bound, "{what}: {many} steps, expected {bound} at most");
}

#[test]
fn many_records_cost_what_they_are() {
    let set = |field: &str| Fixture::of(PROTO, json!([{ "set": { "field": field, "value": "x" } }]));
    let deep = set(&(vec!["m"; 20].join(".") + ".s"));
    let nested = |levels: usize, inner: Vec<u8>| (0..levels).fold(inner, |inner, _| len(13, inner));
    assert_linear("a parent in pieces", &set("m.s"), 5000, |n| {
        len(13, len(1, "a")).repeat(n)
    });
    assert_linear("empty pieces", &set("m.s"), 5000, |n| len(13, []).repeat(n));
    assert_linear("parents in pieces, each with one", &deep, 500, |n| {
        nested(20, len(1, "a")).repeat(n)
    });
    assert_linear("pieces at every level", &deep, 500, |n| {
        (0..20).fold(vec![], |inner: Vec<u8>, _| {
            [len(13, []).repeat(n / 20), len(13, inner)].concat()
        })
    });
    let oneof = set("three.three.three.s");
    assert_linear("members of a oneof in turn", &oneof, 5000, |n| {
        [len(26, len(26, [])), varint(25, 1)].concat().repeat(n)
    });
    assert_linear("elements", &set("rm.rm.s"), 2000, |n| {
        len(18, len(18, len(1, "x"))).repeat(n)
    });
    assert_linear("entries", &set("mm.mm.s"), 2000, |n| {
        len(21, [varint(1, 1), len(2, []), len(2, len(21, [])), len(2, [])].concat()).repeat(n)
    });
    let several = Fixture::of(
        PROTO,
        json!([
            { "default": { "field": "m.m.m.i", "value": 1 } }, { "set": { "field": "m.m.s", "value": "x" } },
            { "remove": ["m.rm.s", "one", "rm.one"] }, { "mask": { "field": "rs" } }, { "keep": ["m", "rm.m"] },
        ]),
    );
    assert_linear("several operations", &several, 1000, |n| {
        [
            len(13, len(13, len(13, varint(3, 1)))),
            len(18, [len(24, "a"), varint(25, 1)].concat()),
            len(16, "a"),
        ]
        .concat()
        .repeat(n)
    });
}

#[test]
fn any_and_recursion_cost_what_they_are() {
    let proto = r#"syntax = "proto3"; package t; import "google/protobuf/any.proto";
        message M { string key = 1 [debug_redact = true]; M m = 2; repeated M list = 3; google.protobuf.Any any = 4;
            repeated google.protobuf.Any anys = 5; oneof of { M one = 6; string two = 7; } }
        service S { rpc Do(M) returns (M); }"#;
    let fixture = Fixture::of(proto, json!([{ "remove_annotated": "debug_redact" }]));
    let any = |inner: &[u8]| [len(1, "x/t.M"), len(2, inner)].concat();
    assert_linear("pieces of an Any", &fixture, 2000, |n| {
        [len(4, len(1, "x/t.M")), len(4, len(2, len(1, "k")))]
            .concat()
            .repeat(n)
    });
    assert_linear("pieces of what holds an Any", &fixture, 2000, |n| {
        len(2, len(2, len(4, any(&len(1, "k"))))).repeat(n)
    });
    assert_linear("a list of Any", &fixture, 2000, |n| {
        len(5, any(&len(3, len(1, "k")))).repeat(n)
    });
    assert_linear("Any that can't be read", &fixture, 200, |n| {
        let deep = (0..50).fold(vec![0xff], |inner, _| len(4, any(&inner)));
        len(5, any(&deep)).repeat(n)
    });
    assert_linear("deep messages", &fixture, 200, |n| {
        (0..90).fold(len(1, "k"), |inner, _| len(3, inner)).repeat(n)
    });
    assert_linear("deep pieces", &fixture, 200, |n| {
        (0..90).fold(len(1, "k"), |inner, _| len(2, inner)).repeat(n)
    });
    assert_linear("members in turn", &fixture, 2000, |n| {
        [len(6, len(1, "k")), len(7, "")].concat().repeat(n)
    });
}
