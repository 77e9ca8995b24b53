//! What each print option changes.

use super::*;

#[test]
fn fields_with_no_presence_are_printed_in_place_when_asked_for() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        always_print_fields_with_no_presence: true,
        ..PrintOptions::default()
    };
    let empty = r#"{"snakeCase":0,"a \"custom\" name":0,"someList":[],"someMap":{},"lastOne":""}"#;
    let cases = [
        (vec![], empty.to_owned()),
        (
            varint(2, 5),
            r#"{"snakeCase":0,"a \"custom\" name":5,"someList":[],"someMap":{},"lastOne":""}"#.into(),
        ),
        (
            join([len(5, []), varint(6, 0)]),
            format!(
                r#"{{"snakeCase":0,"a \"custom\" name":0,"someList":[],"someMap":{{}},"subMessage":{empty},"maybe":0,"lastOne":""}}"#
            ),
        ),
        // Out of order on the wire.
        (
            join([len(7, "x"), varint(3, 1), varint(1, 4)]),
            r#"{"snakeCase":4,"a \"custom\" name":0,"someList":[1],"someMap":{},"lastOne":"x"}"#.into(),
        ),
        // There, but empty or zero.
        (join([varint(1, 0), len(3, []), len(7, "")]), empty.into()),
        (join([len(7, ""), len(3, []), varint(1, 3), varint(1, 0)]), empty.into()),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print_with("p3.Names", &wire, &options), expected);
    }
    // In a list, in a map, in proto2 (where only lists and maps have no presence).
    assert_eq!(schema.print_with("p3.Scalars", &[], &options).matches(':').count(), 17);
    assert_eq!(
        Schema::new(PROTO2).print_with("p2.Old", &varint(1, 0), &options),
        r#"{"number":0,"levels":[],"byName":{},"piece":[],"packed":[],"unpacked":[]}"#
    );
}

#[test]
fn names_are_those_of_the_proto_file_when_asked_for() {
    let schema = Schema::new(PROTO3);
    let wire = join([varint(1, 1), varint(2, 2)]);
    assert_eq!(
        schema.print("p3.Names", &wire),
        r#"{"snakeCase":1,"a \"custom\" name":2}"#
    );
    assert_eq!(
        schema.by_proto_names().print("p3.Names", &wire),
        r#"{"snake_case":1,"custom":2}"#
    );
}

#[test]
fn enums_are_numbers_when_asked_for() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        always_print_enums_as_ints: true,
        ..PrintOptions::default()
    };
    let wire = join([
        len(7, [1, 2]),
        len(10, join([varint(1, 1), varint(2, 2)])),
        varint(14, 1),
    ]);
    assert_eq!(
        schema.print_with("p3.Tree", &wire, &options),
        r#"{"colors":[1,2],"byBool":{"true":2},"color":1}"#
    );
    assert_eq!(
        schema.print_with("p3.Known", &varint(24, 0), &options),
        r#"{"nullChoice":null}"#
    );
}

#[test]
fn int64_goes_without_quotes_where_a_double_holds_it() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        unquote_int64_if_possible: true,
        ..PrintOptions::default()
    };
    let cases = [
        (varint(3, 5), r#"{"anInt64":5}"#),
        (varint(3, -5_i64 as u64), r#"{"anInt64":-5}"#),
        (varint(3, (1 << 53) + 1), r#"{"anInt64":"9007199254740993"}"#),
        (varint(3, i64::MIN as u64), r#"{"anInt64":-9223372036854775808}"#),
        (varint(3, i64::MAX as u64), r#"{"anInt64":"9223372036854775807"}"#),
        (varint(4, u64::MAX), r#"{"aUint64":"18446744073709551615"}"#),
        (fixed64(6, 1 << 63), r#"{"aFixed64":9223372036854775808}"#),
    ];
    for (wire, expected) in cases {
        assert_eq!(schema.print_with("p3.Scalars", &wire, &options), expected);
    }
    // Keys are strings all the same.
    let wire = len(11, varint(1, 5));
    assert_eq!(
        schema.print_with("p3.Tree", &wire, &options),
        r#"{"byUint64":{"5":""}}"#
    );
}

#[test]
fn whitespace_is_laid_out_as_protobuf_does() {
    let schema = Schema::new(PROTO3);
    let options = PrintOptions {
        add_whitespace: true,
        ..PrintOptions::default()
    };
    let wire = join([
        len(1, "n"),
        len(4, len(5, [1, 2])),
        len(4, []),
        len(8, join([len(1, "k"), len(2, len(2, []))])),
    ]);
    let expected = r#"{
 "name": "n",
 "children": [
  {
   "numbers": [
    1,
    2
   ]
  },
  {}
 ],
 "trees": {
  "k": {
   "left": {}
  }
 }
}"#;
    assert_eq!(schema.print_with("p3.Tree", &wire, &options), expected);
    assert_eq!(schema.print_with("p3.Tree", &[], &options), "{}");
    let any = join([
        len(1, "t/google.protobuf.ListValue"),
        len(2, join([len(1, double(2, 1.0)), len(1, len(6, []))])),
    ]);
    let expected = r#"{
 "any": {
  "@type": "t/google.protobuf.ListValue",
  "value": [
   1,
   []
  ]
 },
 "object": {},
 "empty": {}
}"#;
    assert_eq!(
        schema.print_with("p3.Known", &join([len(1, any), len(5, []), len(8, [])]), &options),
        expected
    );
}
