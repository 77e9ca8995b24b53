//! Messages as no serializer writes them: records that are split, repeated, interleaved, or of another wire type.

use super::*;
use crate::codec::single_records::assert_single_records;
use crate::transform::TransformReason;
use crate::wire::DEPTH_LIMIT;

fn set(field: &str, value: Value) -> Value {
    json!([{ "set": { "field": field, "value": value } }])
}

/// What a message with these records becomes: what parsers that merge records see, and those that take the last.
#[track_caller]
fn assert_set(proto: &str, operations: Value, records: &[Vec<u8>], expected: Value) {
    let fixture = Fixture::of(proto, operations);
    let changed = fixture.change(&records.concat()).unwrap();
    assert_eq!(fixture.json(&changed), expected, "{changed:x?}");
    assert_single_records(&fixture.plugin.tables, fixture.message, &changed);
}

#[test]
fn a_set_field_has_one_record_whatever_the_client_sends() {
    assert_set(
        PROTO,
        set("s", json!("own")),
        &[
            len(1, "a"),
            varint(3, 5),
            len(1, "b"),
            varint(1, 7),
            fixed32(1, 7),
            group(1, len(1, "c")),
            len(1, "d"),
        ],
        json!({ "s": "own", "i": 5 }),
    );
    assert_set(
        PROTO,
        set("m.s", json!("own")),
        &[
            len(13, len(1, "a")),
            varint(3, 5),
            len(13, varint(3, 4)),
            len(13, []),
            len(13, [len(1, "b"), len(1, "c")].concat()),
        ],
        json!({ "m": { "s": "own", "i": 4 }, "i": 5 }),
    );
    // The message as a group, which a schema of another day may read.
    assert_set(
        PROTO,
        set("m.s", json!("own")),
        &[group(13, len(1, "a")), varint(13, 1)],
        json!({ "m": { "s": "own" } }),
    );
    assert_set(
        PROTO,
        set("m.m.m.s", json!("own")),
        &[
            len(13, len(13, len(13, len(1, "a")))),
            len(13, [len(13, varint(3, 1)), len(13, len(13, varint(3, 2)))].concat()),
            len(13, len(13, len(13, len(1, "b")))),
        ],
        json!({ "m": { "m": { "i": 1, "m": { "i": 2, "s": "own" } } } }),
    );
    assert_set(
        PROTO2,
        set("g.s", json!("own")),
        &[
            len(1, "id"),
            group(3, len(1, "a")),
            group(3, varint(2, 5)),
            len(3, len(1, "b")),
        ],
        json!({ "id": "id", "g": { "s": "own", "i": 5 } }),
    );
    let fixture = Fixture::of(PROTO, set("three.s", json!("own")));
    for records in [
        [len(26, len(1, "a")), varint(25, 1), len(26, varint(3, 3)), len(27, [])],
        [varint(25, 1), len(26, []), len(24, "x"), len(24, "y")],
    ] {
        let changed = fixture.change(&records.concat()).unwrap();
        assert_eq!(fixture.json(&changed), json!({ "three": { "s": "own" } }));
        assert_single_records(&fixture.plugin.tables, fixture.message, &changed);
    }
}

#[test]
fn entries_of_maps_are_changed_however_they_are_written() {
    let fixture = Fixture::of(PROTO, set("mm.s", json!("own")));
    for entry in [
        [varint(1, 5), len(2, len(1, "a"))].concat(),
        [len(2, len(1, "a")), varint(1, 5)].concat(),
        [len(2, len(1, "a")), varint(1, 5), len(2, len(1, "b"))].concat(),
        varint(1, 5),
        [varint(2, 1), varint(1, 5)].concat(),
    ] {
        let changed = fixture.change(&len(21, entry)).unwrap();
        assert_eq!(fixture.json(&changed), json!({ "mm": { "5": { "s": "own" } } }));
        assert_single_records(&fixture.plugin.tables, fixture.message, &changed);
    }
    let fixture = Fixture::of(PROTO, json!([{ "mask": { "field": "ms" } }]));
    for entry in [
        [len(1, "k"), len(2, "v")].concat(),
        [len(2, "v"), len(1, "k"), len(2, "w")].concat(),
        len(1, "k"),
        [len(1, "k"), varint(2, 1)].concat(),
    ] {
        let changed = fixture.change(&len(20, entry)).unwrap();
        assert_eq!(fixture.json(&changed), json!({ "ms": { "k": "***" } }));
    }
}

#[test]
fn what_is_removed_is_removed_under_every_wire_type() {
    let fixture = Fixture::of(
        PROTO,
        json!([{ "remove": ["s", "ri", "rm.s"] }, { "mask": { "field": "y" } }]),
    );
    let given = [
        len(1, "a"),
        varint(1, 1),
        len(17, [1, 2, 3]),
        varint(17, 1),
        len(18, [len(1, "a"), varint(3, 1), varint(1, 7)].concat()),
        varint(18, 7),
        group(18, len(1, "a")),
        varint(2, 5),
        len(2, "xy"),
        varint(900, 1),
    ];
    let expected = [len(18, varint(3, 1)), len(2, "***"), varint(900, 1)];
    assert_eq!(fixture.change(&given.concat()).unwrap(), expected.concat());
}

#[test]
fn what_is_kept_is_kept_byte_for_byte_and_nothing_beside_it() {
    let fixture = Fixture::of(PROTO, json!([{ "keep": ["ri", "m.i", "mm.i"] }]));
    let given = [
        len(17, [1, 2]),
        varint(17, 3),
        fixed32(17, 3),
        varint(900, 1),
        len(13, [varint(3, 1), varint(900, 1), len(3, "x")].concat()),
        len(13, vec![0x98, 0x80, 0x00, 0x01]),
        len(13, vec![0x18, 0x81, 0x00]),
        len(
            21,
            [varint(1, 4), len(2, [varint(3, 9), len(1, "x")].concat()), varint(3, 1)].concat(),
        ),
        group(901, group(902, [])),
    ];
    let expected = [
        len(17, [1, 2]),
        varint(17, 3),
        len(13, varint(3, 1)),
        len(13, vec![0x98, 0x80, 0x00, 0x01]),
        len(13, vec![0x18, 0x81, 0x00]),
        len(21, [varint(1, 4), len(2, varint(3, 9))].concat()),
    ];
    let changed = fixture.change(&given.concat());
    assert_eq!(changed.unwrap(), expected.concat());
}

#[test]
fn a_removed_member_of_a_oneof_does_not_bring_back_what_was_there_before() {
    let fixture = Fixture::of(PROTO, json!([{ "remove": ["one"] }]));
    for (records, expected) in [
        (vec![varint(25, 2), len(24, "x")], json!({})),
        (vec![len(24, "x"), varint(25, 2)], json!({ "two": 2 })),
        (
            vec![len(26, varint(3, 1)), len(24, "x"), len(26, len(1, "a"))],
            json!({ "three": { "s": "a" } }),
        ),
        (
            vec![len(26, varint(3, 1)), len(26, len(1, "a"))],
            json!({ "three": { "s": "a", "i": 1 } }),
        ),
        // No record of the field.
        (vec![varint(25, 2), varint(24, 1)], json!({ "two": 2 })),
    ] {
        let changed = fixture.change(&records.concat()).unwrap();
        assert_eq!(fixture.json(&changed), expected, "{records:x?}");
    }
    let fixture = Fixture::of(PROTO, json!([{ "keep": ["two", "three"] }]));
    let changed = fixture.change(&[varint(25, 2), len(24, "x")].concat()).unwrap();
    assert_eq!(changed, Vec::<u8>::new());
}

#[test]
fn a_default_sees_what_counts() {
    let default = |proto, field: &str, value: Value| {
        Fixture::of(proto, json!([{ "default": { "field": field, "value": value } }]))
    };
    let fixture = default(PROTO, "i", json!(50));
    for (records, expected) in [
        (vec![varint(3, 5), varint(3, 0)], json!({ "i": 50 })),
        (vec![varint(3, 0), varint(3, 5)], json!({ "i": 5 })),
        (vec![varint(3, 1 << 32)], json!({ "i": 50 })),
        (vec![len(3, "x")], json!({ "i": 50 })),
    ] {
        let changed = fixture.change(&records.concat()).unwrap();
        assert_eq!(fixture.json(&changed)["i"], expected["i"], "{records:x?}");
    }
    let fixture = default(PROTO, "m.i", json!(50));
    for (records, expected) in [
        (vec![len(13, varint(3, 5)), len(13, [])], json!({ "m": { "i": 5 } })),
        (
            vec![len(13, varint(3, 5)), len(13, varint(3, 0))],
            json!({ "m": { "i": 50 } }),
        ),
    ] {
        let changed = fixture.change(&records.concat()).unwrap();
        assert_eq!(fixture.json(&changed), expected, "{records:x?}");
        assert_single_records(
            &fixture.plugin.tables,
            fixture.message,
            &changed[4.min(changed.len())..4.min(changed.len())],
        );
    }
    // A number that a closed enum lacks is an unknown field.
    let fixture = default(PROTO2, "c", json!("ONE"));
    for (record, expected) in [(varint(6, 0), "ZERO"), (varint(6, 9), "ONE")] {
        let changed = fixture.change(&[len(1, "x"), record].concat()).unwrap();
        assert_eq!(fixture.json(&changed)["c"], expected);
    }
    let fixture = default(PROTO2, "e", json!("x"));
    for (record, expected) in [
        (varint(7, 0), json!({ "id": "", "d": "ZERO" })),
        (varint(7, 9), json!({ "id": "", "e": "x" })),
    ] {
        let changed = fixture.change(&[len(1, ""), record].concat()).unwrap();
        assert_eq!(fixture.json(&changed), expected);
    }
}

#[test]
fn lengths_that_change_their_size_are_right() {
    // Around a byte more or less of a length, at several levels.
    for size in [
        0, 1, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16_370, 16_380, 16_383, 16_390, 2_097_150,
    ] {
        let text = "x".repeat(size);
        let message = json!({ "m": { "rm": [{ "m": { "s": text, "long_name": text } }, { "m": { "i": 1 } }], "l": "5" }, "i": 3 });
        let mut expected = message.clone();
        expected["m"]["rm"][0]["m"].as_object_mut().unwrap().remove("s");
        if size == 0 {
            expected["m"]["rm"][0]["m"] = json!({});
        }
        let fixture = Fixture::of(PROTO, json!([{ "remove": ["m.rm.m.s"] }]));
        let changed = fixture.change(&fixture.wire(&message)).unwrap();
        assert_eq!(fixture.json(&changed), fixture.json(&fixture.wire(&expected)), "{size}");
        let fixture = Fixture::of(PROTO, set("m.rm.m.s", json!("y".repeat(size))));
        let changed = fixture.change(&fixture.wire(&expected)).unwrap();
        let set = fixture.json(&changed);
        assert_eq!(set["m"]["rm"][0]["m"]["s"].as_str().unwrap_or_default().len(), size);
        assert_eq!(set["m"]["rm"][1]["m"]["s"].as_str().unwrap_or_default().len(), size);
    }
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let fixture = Fixture::of(
        PROTO,
        json!([{ "set": { "field": "m.s", "value": "x" } }, { "remove": ["rm.s", "mm.s"] }]),
    );
    let mut deep = Vec::new();
    for _ in 0..DEPTH_LIMIT + 1 {
        deep = group(900, deep);
    }
    for wire in [
        vec![0x08],
        vec![0x0a, 5, 1],
        vec![0x00],
        vec![0x0e],
        tag(13, 4),
        tag(13, 3),
        [tag(900, 3), tag(901, 4)].concat(),
        len(13, [0x0a]),
        len(18, [0x0a, 1]),
        len(21, len(2, [0xff])),
        deep.clone(),
        len(13, deep),
        vec![0xff; 11],
    ] {
        let error = fixture.change(&wire).unwrap_err();
        assert_eq!(error.reason, TransformReason::Malformed, "{wire:x?}: {error}");
    }
}

#[test]
fn what_is_set_may_not_make_too_much_of_a_message() {
    let configuration = |limit: usize| {
        json!({
            "proto": PROTO,
            "transforms": [{ "request": [{ "set": { "field": "rm.s", "value": "0123456789" } }] }],
            "limits": { "max_message_bytes": limit },
        })
    };
    let wire = len(18, []).repeat(10);
    // A tag of two bytes, a length, and the record of the string.
    let size = 10 * (3 + 12);
    for (limit, fits) in [(size, true), (size - 1, false)] {
        let plugin = Plugin::load(configuration(limit).to_string().as_bytes(), 7).unwrap();
        let method = plugin.transforms.by_method[0].as_ref().unwrap();
        let active = method
            .activate(&plugin.tables, &Headers::default(), &mut |_| None)
            .unwrap();
        let changed = change(&plugin, &active, &wire);
        match fits {
            true => assert_eq!(changed.unwrap().len(), size),
            false => {
                let error = changed.unwrap_err();
                assert_eq!(error.reason, TransformReason::TooLarge);
                assert!(
                    error.message.contains("149 bytes (limits.max_message_bytes)"),
                    "{error}"
                );
            }
        }
    }
}
