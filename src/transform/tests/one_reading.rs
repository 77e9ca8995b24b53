//! Messages that clients wrote, of which parsers that don't go by the wire type would make others.

use super::*;

fn foreign(fixture: &Fixture, wire: &[u8]) -> Result<Vec<u8>, TransformError> {
    let mut out = b"before".to_vec();
    let mut memory = Memory::default();
    let active = fixture.activate(&[]).unwrap();
    let changed = active.foreign_request(&fixture.plugin.tables, fixture.message, wire, &mut memory, &mut out);
    let rest = out.strip_prefix(b"before").unwrap().to_vec();
    assert!(changed.is_ok() || rest.is_empty(), "output is left behind");
    changed.map(|()| rest)
}

fn overlong(number: u32, padded: usize) -> Vec<u8> {
    let mut out = tag(number, 0);
    out.extend(vec![0x80; padded - 1]);
    out.push(0);
    out
}

type Within<'w> = &'w dyn Fn(&[u8]) -> Vec<u8>;

#[test]
fn a_record_that_parsers_read_in_two_ways_is_refused() {
    let fixture = Fixture::of(PROTO, json!([{ "remove": ["far", "mm.o"] }]));
    let hidden = len(50000, "eve");
    let any = |value: &[u8]| [len(1, "t/t.M"), len(2, value)].concat();
    let good = [
        fixture.wire(&json!({
            "s": "s", "y": "AA==", "i": -1, "l": "-1", "u": "18446744073709551615", "z": -1, "f": 1, "g": "1", "d": 1.5, "e": 1.5,
            "b": true, "c": "RED", "m": { "m": {} }, "rs": [""], "ri": [1, -1, 1 << 30], "rm": [{}, {}], "ms": { "": "" },
            "mm": { "-1": { "s": "" } }, "t": "2026-01-01T00:00:00Z", "a": { "@type": "t/t.M", "i": 1 }, "st": { "a": [1] }, "w": "1",
        })),
        // Not packed, and packed in several records.
        [varint(17, 1), varint(17, 1), len(17, [1, 2])].concat(),
        overlong(3, 5),
        overlong(3, 10),
        overlong(4, 7),
        // Of unknown fields nothing is known, though they stand in a group with known numbers in it.
        group(900, [varint(1, 7), len(3, "x"), overlong(3, 7)].concat()),
        overlong(900, 7),
        len(29, [len(1, "t/t.Unknown"), len(2, "any bytes")].concat()),
        // What is removed is gone in whatever way it is written.
        varint(50000, 7),
    ];
    for wire in &good {
        let expected = fixture.change(wire).unwrap();
        assert_eq!(foreign(&fixture, wire), Ok(expected), "{wire:x?}");
    }
    let bad = [
        len(3, &hidden),
        [varint(1, 9), len(900, &hidden)].concat(),
        len(9, &hidden),
        [tag(7, 1), vec![0; 8]].concat(),
        [tag(8, 5), vec![0; 4]].concat(),
        [tag(13, 3), tag(13, 4)].concat(),
        overlong(3, 6),
        overlong(11, 9),
        overlong(12, 6),
        len(17, [0x80, 0x80, 0x80, 0x80, 0x80, 0]),
        len(17, [0x80]),
        [tag(900, 2), vec![0x80, 0x80, 0x80, 0x80, 0x80, 0]].concat(),
    ];
    let within: [Within<'_>; 6] = [
        &|wire| wire.to_vec(),
        &|wire| len(13, wire),
        &|wire| len(18, len(13, wire)),
        &|wire| len(21, [varint(1, 1), len(2, wire)].concat()),
        &|wire| len(29, any(&len(29, any(wire)))),
        &|wire| [len(13, "").as_slice(), &len(13, wire), &varint(3, 1)].concat(),
    ];
    for (at, wire) in bad.iter().enumerate() {
        for (way, within) in within.iter().enumerate() {
            let error = foreign(&fixture, &within(wire)).unwrap_err();
            assert_eq!(error.reason, crate::transform::TransformReason::Malformed, "{at} {way}");
        }
    }
    let error = foreign(&fixture, &len(13, len(3, &hidden))).unwrap_err();
    assert_eq!(
        error.message,
        "`i` of `t.M` comes with wire type 2, expected 0: services differ in what they read then"
    );
}

#[test]
fn messages_are_read_to_their_ends_and_no_deeper_than_any_parser_does() {
    let fixture = Fixture::of(PROTO, json!([{ "remove": ["far"] }]));
    let nested = |levels: usize| (0..levels).fold(Vec::new(), |wire, _| len(13, wire));
    assert!(foreign(&fixture, &nested(100)).is_ok());
    assert!(foreign(&fixture, &nested(10_000)).is_err());
    for wire in [
        tag(900, 3),
        tag(900, 4),
        [tag(900, 3), tag(901, 4)].concat(),
        vec![0x0a, 9],
    ] {
        assert!(foreign(&fixture, &wire).is_err(), "{wire:x?}");
        assert!(foreign(&fixture, &len(13, &wire)).is_err(), "{wire:x?}");
    }
}

#[test]
fn groups_are_messages_and_a_message_is_no_group() {
    let fixture = Fixture::of(PROTO2, json!([{ "remove": ["e"] }]));
    let id = len(1, "x");
    let good = [
        [id.clone(), group(3, varint(2, 1)), group(4, len(1, ""))].concat(),
        [id.clone(), len(101, len(100, "x"))].concat(),
        // The end of a group may have the number of a field in it.
        group(3, [len(1, ""), varint(2, 3)].concat()),
    ];
    for wire in &good {
        assert_eq!(foreign(&fixture, wire), Ok(wire.clone()), "{wire:x?}");
    }
    for wire in [
        group(3, len(2, "x")),
        len(3, ""),
        group(5, b""),
        group(3, varint(1, 1)),
        len(101, varint(100, 1)),
        varint(102, 1),
    ] {
        assert!(foreign(&fixture, &wire).is_err(), "{wire:x?}");
    }
}
