//! Malformed wire, depth, and order that costs.

use super::*;

#[test]
fn malformed_wire_is_an_error_that_says_where() {
    let schema = Schema::new(PROTO3);
    let cases: [(Vec<u8>, &str); 9] = [
        (
            vec![0x0a, 5, b'x'],
            "name: found a length that reaches beyond the end of the message (at byte 1)",
        ),
        (
            len(2, len(2, [0x0a, 5])),
            "left.left.name: found a length that reaches beyond the end of the message (at byte 5)",
        ),
        (
            len(4, len(4, [0x00])),
            "children[0].children[0]: found field number 0, expected 1 to 536870911 (at byte 4)",
        ),
        (
            len(8, join([len(1, "key"), len(2, [0x0f])])),
            "trees[\"key\"]: found wire type 7, expected 0 to 5 (at byte 9)",
        ),
        (
            len(5, [1, 0x80]),
            "numbers[1]: the message ends in the middle of a value (at byte 3)",
        ),
        (
            [vec![0x28], vec![0xff; 11]].concat(),
            "numbers: found a varint that is too long (at byte 1)",
        ),
        (
            vec![0x0c],
            "name: found the end of group 1, which is not open (at byte 1)",
        ),
        (vec![0x80], "the message ends in the middle of a value (at byte 0)"),
        (
            len(9, join([varint(1, 7), len(2, b"\xff")])),
            "byInt[\"7\"]: found bytes that are not UTF-8, expected a string (at byte 6)",
        ),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.error("p3.Tree", &wire), expected);
    }
}

#[test]
fn every_prefix_of_a_message_prints_or_fails_and_leaves_no_output() {
    let schema = Schema::new(PROTO3);
    let wire = join([
        len(1, "name"),
        len(2, join([len(5, [1, 2]), group(99, varint(1, 1)), double(17, 1.0)])),
        len(8, join([len(1, "k"), len(2, len(12, "x"))])),
        len(4, len(4, len(1, "deep"))),
        len(16, join([varint(3, 1 << 40), len(12, "bytes")])),
        len(2, len(6, "again")),
    ]);
    for end in 0..=wire.len() {
        // The check of what is left behind is in `try_print`.
        let _ = schema.try_print("p3.Tree", &wire[..end], &PrintOptions::default());
    }
    assert!(schema.try_print("p3.Tree", &wire, &PrintOptions::default()).is_ok());
}

#[test]
fn objects_and_arrays_nest_100_deep_and_no_deeper() {
    let schema = Schema::new(PROTO3);
    let nest = |levels: usize, wrap: &dyn Fn(Vec<u8>) -> Vec<u8>| (0..levels).fold(Vec::new(), |wire, _| wrap(wire));
    let message = |levels: usize| nest(levels - 1, &|wire| len(2, wire));
    assert!(schema.print("p3.Tree", &message(100)).starts_with("{\"left\":{"));
    let text = schema.error("p3.Tree", &message(101));
    assert!(text.starts_with("left.left."), "{text}");
    assert!(text.contains("nested deeper than 100 levels"), "{text}");
    // A list counts as the message in it does: 1 + 2 * 49 + 1 for the innermost.
    let lists = |levels| nest(levels, &|wire| len(4, wire));
    schema.print("p3.Tree", &lists(49));
    schema.error("p3.Tree", &lists(50));
    let values = |levels| nest(levels, &|wire| len(6, len(1, wire)));
    schema.print("google.protobuf.Value", &values(100));
    schema.error("google.protobuf.Value", &values(101));
    let anys = |levels| nest(levels, &|wire| join([len(1, "t/google.protobuf.Any"), len(2, wire)]));
    schema.print("google.protobuf.Any", &anys(99));
    schema.error("google.protobuf.Any", &anys(100));
    // Split, so that every level is merged.
    let split = |levels: usize| nest(levels - 1, &|wire| join([len(2, wire), len(2, [])]));
    schema.print("p3.Tree", &split(100));
    schema.error("p3.Tree", &split(101));
    // Dropped, unknown.
    let dropped = |levels: usize| join([len(13, nest(levels - 2, &|wire| len(2, wire))), varint(15, 1)]);
    assert_eq!(schema.print("p3.Tree", &dropped(100)), r#"{"number":"1"}"#);
    schema.error("p3.Tree", &dropped(101));
    let unknown = |levels: usize| nest(levels - 1, &|wire| group(1000, wire));
    assert_eq!(schema.print("p3.Tree", &unknown(100)), "{}");
    schema.error("p3.Tree", &unknown(101));
    for levels in [10_000, 100_000] {
        schema.error("p3.Tree", &[vec![0x1b; levels], vec![0x1c; levels]].concat());
    }
}

#[test]
fn hostile_order_costs_a_constant_factor() {
    let schema = Schema::new(PROTO3);
    // Every level repeats a scalar after its sub-message: an optimistic pass sees it when all is printed.
    let nested_disorder = |width: usize, depth: usize| {
        let inner = (0..width).flat_map(|_| len(6, "w")).collect::<Vec<_>>();
        (0..depth).fold(inner, |wire, _| join([len(1, "a"), len(2, wire), len(1, "b")]))
    };
    let split = |width: usize, depth: usize| {
        let inner = (0..width).flat_map(|_| len(6, "w")).collect::<Vec<_>>();
        (0..depth).fold(inner, |wire, _| join([len(2, wire), len(2, len(1, "a"))]))
    };
    let interleaved = |width: usize, _| {
        (0..width)
            .flat_map(|_| join([len(6, "w"), varint(5, 1)]))
            .collect::<Vec<_>>()
    };
    let switches = |width: usize, _| {
        (0..width)
            .flat_map(|_| join([len(13, len(1, "a")), varint(15, 1)]))
            .collect::<Vec<_>>()
    };
    let duplicate_keys = |width: usize, _| {
        (0..width)
            .flat_map(|_| len(8, join([len(1, "k"), len(2, len(1, "a"))])))
            .collect::<Vec<_>>()
    };
    let nested_maps = |width: usize, depth: usize| {
        let inner = (0..width).flat_map(|_| len(8, len(1, "k"))).collect::<Vec<_>>();
        (0..depth).fold(inner, |wire, _| {
            join([
                len(8, join([len(1, "k"), len(2, wire)])),
                len(8, len(1, "k2")),
                len(8, len(1, "k2")),
            ])
        })
    };
    type Shape<'a> = (&'a str, &'a dyn Fn(usize, usize) -> Vec<u8>);
    let shapes: [Shape<'_>; 6] = [
        ("nested disorder", &nested_disorder),
        ("split", &split),
        ("interleaved", &interleaved),
        ("oneof switches", &switches),
        ("duplicate keys", &duplicate_keys),
        ("nested maps", &nested_maps),
    ];
    for (name, shape) in shapes {
        for depth in [1, 10, 40] {
            let (small, large) = (shape(500, depth), shape(1000, depth));
            let (few, many) = (schema.steps("p3.Tree", &small), schema.steps("p3.Tree", &large));
            let ratio = many as f64 / few as f64;
            assert!(ratio < 2.2, "{name} at depth {depth}: {few} steps, then {many}");
            // Each record is read by up to three passes, and by a pass each for indexing, for keys, and for checks.
            let bound = 7 * records(&large);
            assert!(
                many < bound,
                "{name} at depth {depth}: {many} steps, expected {bound} at most"
            );
        }
    }
}

/// How many records there are in these shapes: no record has less than two bytes.
fn records(wire: &[u8]) -> usize {
    wire.len() / 2
}
