//! Fields that an option of the schema hides.

use super::*;
use crate::wire::DEPTH_LIMIT;

const ANNOTATED: &str = r#"syntax = "proto3";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { bool secret = 50001; }
message M {
    string name = 1;
    string key = 2 [(secret) = true];
    repeated int32 numbers = 3 [(secret) = true];
    M below = 4;
    repeated M list = 5;
    map<string, M> map = 6;
    map<string, string> keys = 7 [(secret) = true];
    google.protobuf.Any any = 8;
    repeated google.protobuf.Any anys = 9;
    map<string, google.protobuf.Any> any_map = 10;
    oneof choice { M one = 11; string two = 12; M three = 13 [(secret) = true]; google.protobuf.Any four = 14; }
    Plain plain = 15;
    string redacted = 16 [debug_redact = true];
    string open = 17 [(secret) = false];
}
message Plain { string name = 1; Plain plain = 2; }
service S { rpc Do(M) returns (M); }
"#;

fn fixture() -> Fixture {
    Fixture::of(ANNOTATED, json!([{ "remove_annotated": "t.secret" }]))
}

fn any(url: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    [len(1, url), len(2, value)].concat()
}

#[test]
fn fields_with_the_option_are_removed_at_any_depth() {
    let open = json!({ "name": "n", "redacted": "r", "open": "o", "plain": { "name": "p", "plain": {} } });
    let mut hidden = open.clone();
    for (name, value) in [
        ("key", json!("k")),
        ("numbers", json!([1])),
        ("keys", json!({ "a": "b" })),
        ("three", json!({})),
    ] {
        hidden[name] = value;
    }
    let around = |inner: &Value| {
        let mut message = inner.clone();
        message["below"] = inner.clone();
        message["list"] = json!([inner, {}]);
        message["map"] = json!({ "a": inner });
        let mut typed = inner.clone();
        typed["@type"] = json!("x/t.M");
        message["any"] = typed.clone();
        message["anys"] = json!([typed]);
        message["any_map"] = json!({ "a": typed });
        message
    };
    let fixture = fixture();
    let (given, expected) = (around(&around(&hidden)), around(&around(&open)));
    let changed = fixture.change(&fixture.wire(&given)).unwrap();
    assert_eq!(fixture.json(&changed), expected);
    let redact = Fixture::of(ANNOTATED, json!([{ "remove_annotated": "debug_redact" }]));
    let changed = redact
        .change(&redact.wire(&json!({ "redacted": "r", "key": "k" })))
        .unwrap();
    assert_eq!(redact.json(&changed), json!({ "key": "k" }));
}

#[test]
fn what_has_nothing_to_hide_stays_byte_for_byte() {
    let fixture = fixture();
    for wire in [
        len(15, [len(1, "a"), len(1, "b"), varint(900, 1)].concat()),
        len(8, any("x/t.Plain", [len(1, "a"), vec![0xff]].concat())),
        // Value first, and a field that Any doesn't have.
        len(8, [len(2, "x"), varint(3, 1), len(1, "a/b/t.Plain")].concat()),
        len(8, []),
        len(9, varint(3, 1)),
    ] {
        assert_eq!(fixture.change(&wire).unwrap(), wire);
    }
    // Without such fields there isn't even a pass.
    let plain = Fixture::new(
        PROTO2,
        json!([{ "request": [{ "remove_annotated": "debug_redact" }, { "remove": ["n"] }] }]),
    );
    assert_eq!(plain.method().entries[0].request.passes.len(), 1);
}

#[test]
fn an_any_that_cannot_be_known_is_removed() {
    let fixture = fixture();
    let hidden = len(2, "k");
    for bad in [
        any("x/t.Unknown", &hidden),
        any("t.M", &hidden),
        any("", &hidden),
        any("x/", &hidden),
        [len(1, [0xff, b'/', b't']), len(2, &hidden)].concat(),
        any("x/t.M", [0xff]),
        any("x/t.M", [len(1, "a"), vec![0x12, 9]].concat()),
        len(2, &hidden),
        any("x/google.protobuf.Any", [0xff]),
    ] {
        let around = |any: &[u8]| {
            [
                len(1, "a"),
                len(8, any),
                len(9, any),
                len(9, []),
                len(10, [len(1, "k"), len(2, any)].concat()),
            ]
            .concat()
        };
        let expected = [len(1, "a"), len(9, [])].concat();
        assert_eq!(fixture.change(&around(&bad)).unwrap(), expected, "{bad:x?}");
        // Within one that is known, and within an Any itself.
        let nested = len(8, any("x/t.M", around(&bad)));
        assert_eq!(fixture.change(&nested).unwrap(), len(8, any("x/t.M", &expected)));
        let nested = len(8, any("x/google.protobuf.Any", &bad));
        assert_eq!(
            fixture.change(&nested).unwrap(),
            len(8, len(1, "x/google.protobuf.Any"))
        );
    }
}

#[test]
fn an_any_in_pieces_is_the_one_that_they_make() {
    let fixture = fixture();
    let hidden = [len(1, "n"), len(2, "k")].concat();
    let clean = len(1, "n");
    for pieces in [
        vec![len(8, any("x/t.Plain", &hidden)), len(8, len(1, "x/t.M"))],
        vec![len(8, len(1, "x/t.M")), len(8, len(2, &hidden))],
        vec![
            len(8, any("x/t.M", "")),
            len(8, any("x/t.Plain", "")),
            len(8, any("x/t.M", &hidden)),
        ],
        vec![len(8, [len(1, "x/t.Plain"), len(2, &hidden), len(1, "x/t.M")].concat())],
        vec![len(8, [len(2, "zz"), len(2, &hidden), len(1, "x/t.M")].concat())],
    ] {
        let changed = fixture.change(&pieces.concat()).unwrap();
        assert_eq!(
            fixture.json(&changed),
            json!({ "any": { "@type": "x/t.M", "name": "n" } }),
            "{pieces:x?}"
        );
        // In pieces of a message around it.
        let around: Vec<_> = pieces.iter().map(|piece| len(4, piece)).collect();
        let changed = fixture.change(&around.concat()).unwrap();
        assert_eq!(
            fixture.json(&changed),
            json!({ "below": { "any": { "@type": "x/t.M", "name": "n" } } })
        );
        let around: Vec<_> = pieces.iter().map(|piece| len(11, piece)).collect();
        let changed = fixture.change(&around.concat()).unwrap();
        assert_eq!(
            fixture.json(&changed),
            json!({ "one": { "any": { "@type": "x/t.M", "name": "n" } } })
        );
    }
    // Another member of the oneof between the pieces: only the last counts.
    let pieces = [
        len(14, any("x/t.M", &hidden)),
        len(12, "x"),
        len(14, any("x/t.M", &clean)),
        len(14, len(2, &hidden)),
    ];
    let changed = fixture.change(&pieces.concat()).unwrap();
    assert_eq!(changed, len(14, [len(1, "x/t.M"), len(2, &clean)].concat()));
}

#[test]
fn depth_is_bounded_everywhere() {
    let fixture = fixture();
    let mut deep = len(1, "a");
    for _ in 1..DEPTH_LIMIT {
        deep = len(4, deep);
    }
    assert_eq!(fixture.change(&deep).unwrap(), deep);
    assert!(fixture.change(&len(4, &deep)).is_err());
    // An Any that is too deep goes.
    let mut anys = any("x/google.protobuf.Any", "");
    for _ in 0..3 * DEPTH_LIMIT {
        anys = any("x/google.protobuf.Any", anys);
    }
    let changed = fixture.change(&len(8, anys)).unwrap();
    assert!(changed.len() > 1000 && changed.len() < 4000, "{}", changed.len());
    let mut mixed = len(2, "k");
    for _ in 0..3 * DEPTH_LIMIT {
        mixed = len(8, any("x/t.M", mixed));
    }
    let changed = fixture.change(&mixed).unwrap();
    assert!(changed.len() > 1000 && changed.len() < 4000, "{}", changed.len());
}

#[test]
fn an_any_as_the_message_itself_is_cleared() {
    let proto = r#"syntax = "proto3"; package t; import "google/protobuf/any.proto";
        message M { string key = 2 [debug_redact = true]; string name = 1; }
        service S { rpc Do(google.protobuf.Any) returns (M); }"#;
    let fixture = Fixture::of(proto, json!([{ "remove_annotated": "debug_redact" }]));
    let hidden = [len(1, "n"), len(2, "k")].concat();
    for (given, expected) in [
        (any("x/t.M", &hidden), any("x/t.M", len(1, "n"))),
        (any("x/t.N", &hidden), vec![]),
        (any("x/t.M", [0xff]), vec![]),
    ] {
        assert_eq!(fixture.change(&given).unwrap(), expected);
    }
    assert!(fixture.change(&[0xff]).is_err());
}

#[test]
fn nothing_of_a_message_set_stays_where_the_option_could_hide_in_it() {
    const SETS: &str = r#"syntax = "proto2";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { optional bool secret = 50001; }
message Set { option message_set_wire_format = true; extensions 4 to max; }
message Open { option message_set_wire_format = true; extensions 4 to max; }
message M {
    extend Set { optional M in_set = 500; }
    extend Open { optional Plain in_open = 500; }
    optional string key = 1 [(secret) = true]; optional string name = 2; optional Set set = 3; optional Open open = 4;
    optional google.protobuf.Any any = 5;
}
message Plain { optional string name = 1; }
service S { rpc Do(M) returns (M); }
"#;
    let fixture = Fixture::of(SETS, json!([{ "remove_annotated": "t.secret" }]));
    let item = group(
        1,
        [varint(2, 500), len(3, [len(1, "k"), len(2, "n")].concat())].concat(),
    );
    let name = len(2, "n");
    for (given, expected) in [
        (len(3, &item), len(3, "")),
        (len(4, &item), len(4, &item)),
        (len(5, any("x/t.Set", &item)), len(5, any("x/t.Set", ""))),
    ] {
        let changed = fixture.change(&[given.as_slice(), &name].concat());
        assert_eq!(changed, Ok([expected.as_slice(), &name].concat()), "{given:x?}");
    }
    let wrong =
        json!({ "proto": SETS, "transforms": [{ "response": [{ "remove": ["set", "set.[t.M.in_set].name"] }] }] });
    let error = Plugin::load(wrong.to_string().as_bytes(), 7).unwrap_err().to_string();
    assert_eq!(
        error,
        "configuration: transforms[0].response[0].remove[1]: `t.Set` is a message set, which isn't read here: the path \
         (`set.[t.M.in_set].name`) can't go into it, in the response of t.S.Do"
    );
}
