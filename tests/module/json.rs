//! JSON in and out through the whole module: options, and what a message looks like.

use serde_json::{Value, json};

use crate::harness::{Gateway, Host, Progress, Request, Response};
use crate::kit::{WAYS, call_of, error, everything, gateway, works};

#[test]
fn every_field_goes_there_and_back() {
    let message: Value = serde_json::from_str(EVERYTHING).unwrap();
    for way in WAYS {
        let gateway = gateway(json!({ "dispatch": way }));
        let exchange = gateway.request(Request::post("/v1/echo").json(&message.to_string()));
        assert_eq!(call_of(&exchange).1, message, "{way}");
        exchange.respond(Response::ok(everything(message.clone())));
        assert_eq!(exchange.answer().json(), message, "{way}");
    }
}

#[test]
fn print_options_do_what_they_say() {
    let message = json!({ "int64Value": "7", "color": "RED", "anotherName": "x" });
    let print = |options: Value| -> String {
        let gateway = gateway(json!({ "json": options }));
        let exchange = gateway.request(Request::post("/v1/echo").json("{}"));
        exchange.respond(Response::ok(everything(message.clone())));
        exchange.answer().text()
    };
    let parse = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    assert_eq!(parse(&print(json!({}))), message);
    let ints = parse(&print(json!({ "always_print_enums_as_ints": true })));
    assert_eq!(ints["color"], json!(1));
    let names = parse(&print(json!({ "preserve_proto_field_names": true })));
    assert_eq!(names, json!({ "int64_value": "7", "color": "RED", "renamed": "x" }));
    let unquoted = parse(&print(json!({ "unquote_int64_if_possible": true })));
    assert_eq!(unquoted["int64Value"], json!(7));
    let all = parse(&print(json!({ "always_print_fields_with_no_presence": true })));
    assert_eq!(
        (&all["int32Value"], &all["strings"], &all["stringMap"]),
        (&json!(0), &json!([]), &json!({}))
    );
    assert_eq!(
        (all.get("optionalInt32"), all.get("child"), all.get("choiceString")),
        (None, None, None)
    );
    let spaced = print(json!({ "add_whitespace": true }));
    assert!(spaced.contains('\n') && parse(&spaced) == message, "{spaced}");
    assert!(!print(json!({})).contains(['\n', ' ']));
}

#[test]
fn parse_options_do_what_they_say() {
    let post = |gateway: &Gateway, body: &str| gateway.request(Request::post("/v1/echo").json(body));
    let lenient = gateway(json!({}));
    let unknown = r#"{"nothing": [{"a": 1}], "int32Value": 1}"#;
    assert_eq!(call_of(&post(&lenient, unknown)).1, json!({ "int32Value": 1 }));
    assert_eq!(error(&post(&lenient, r#"{"color": "PURPLE"}"#)).0, 400);
    assert_eq!(error(&post(&lenient, r#"{"color": "blue"}"#)).0, 400);
    let strict = gateway(json!({ "json": { "unknown_fields": "reject" } }));
    let (status, _, message) = error(&post(&strict, unknown));
    assert!(status == 400 && message.contains("nothing"), "{status} {message}");
    let ignoring = gateway(json!({ "json": { "unknown_enum_names": "ignore" } }));
    let body = r#"{"color": "PURPLE", "colors": ["RED", "PURPLE"], "boolMap": {"true": "PURPLE"}}"#;
    assert_eq!(call_of(&post(&ignoring, body)).1, json!({ "colors": ["RED"] }));
    let any_case = gateway(json!({ "json": { "case_insensitive_enums": true } }));
    assert_eq!(
        call_of(&post(&any_case, r#"{"color": "bLuE"}"#)).1,
        json!({ "color": "BLUE" })
    );
}

#[test]
fn enum_names_go_without_the_prefix_of_their_enum_when_told_so() {
    const PROTO: &str = r#"
        syntax = "proto3";
        package shop;
        import "google/api/annotations.proto";
        message Book {
          enum Genre { GENRE_UNSPECIFIED = 0; GENRE_FANTASY = 1; GENRE_NOVEL = 2; NOVEL = 3; GENRE_1 = 4; }
          Genre genre = 1;
          repeated Genre genres = 2;
          map<string, Genre> by_name = 3;
          Book child = 4;
        }
        service Books {
          rpc Put(Book) returns (Book) { option (google.api.http) = { post: "/books" body: "*" }; }
          rpc Find(Book) returns (Book) { option (google.api.http) = { post: "/books/{genre}" }; }
        }
    "#;
    let load = |json: Value| {
        Host::envoy()
            .load(&json!({ "proto": PROTO, "json": json }).to_string())
            .unwrap()
    };
    let put = |gateway: &Gateway, path: &str, body: &str| {
        let exchange = gateway.request(Request::post(path).json(body));
        match exchange.progress() {
            Progress::WaitsForUpstream => Ok(exchange.forwarded().messages().concat()),
            _ => Err(exchange.answer().status()),
        }
    };
    let wire = b"\x08\x01\x12\x02\x01\x02\x1a\x05\x0a\x01a\x10\x01\x22\x02\x08\x04";
    let whole = r#"{"genre":"GENRE_FANTASY","genres":["GENRE_FANTASY","GENRE_NOVEL"],"byName":{"a":"GENRE_FANTASY"},"child":{"genre":"GENRE_1"}}"#;
    let short = r#"{"genre":"FANTASY","genres":["FANTASY","GENRE_NOVEL"],"byName":{"a":"FANTASY"},"child":{"genre":"GENRE_1"}}"#;
    let ints = r#"{"genre":1,"genres":[1,2],"byName":{"a":1},"child":{"genre":4}}"#;
    let query = b"\x08\x01\x10\x01\x10\x03\x22\x02\x08\x01".to_vec();
    let bound = "/books/FANTASY?genres=FANTASY&genres=NOVEL&child.genre=GENRE_FANTASY";
    for (options, printed) in [
        (json!({}), whole),
        (json!({ "strip_enum_prefix": true }), short),
        (
            json!({ "strip_enum_prefix": true, "always_print_enums_as_ints": true }),
            ints,
        ),
        (
            json!({ "strip_enum_prefix": true, "case_insensitive_enums": true }),
            short,
        ),
    ] {
        let gateway = load(options.clone());
        let exchange = gateway.request(Request::post("/books").json("{}"));
        exchange.respond(Response::ok(wire));
        assert_eq!(exchange.answer().text(), printed, "{options}");
        let strips = options["strip_enum_prefix"] == json!(true);
        assert_eq!(put(&gateway, "/books", whole), Ok(wire.to_vec()), "{options}");
        assert_eq!(put(&gateway, "/books", short).is_ok(), strips, "{options}");
        if strips {
            assert_eq!(put(&gateway, "/books", short), Ok(wire.to_vec()), "{options}");
            assert_eq!(put(&gateway, bound, "{}").as_ref(), Ok(&query), "{options}");
        }
        let folds = options["case_insensitive_enums"] == json!(true);
        for (text, expected) in [
            ("faNTasy", Ok(vec![8, 1])),
            ("noVel", Ok(vec![8, 3])),
            ("poem", Err(400)),
        ] {
            let expected = if folds { expected } else { Err(400) };
            let body = format!(r#"{{"genre":"{text}"}}"#);
            assert_eq!(put(&gateway, "/books", &body), expected, "{options} {text}");
            assert_eq!(
                put(&gateway, &format!("/books/{text}"), "{}"),
                expected,
                "{options} {text}"
            );
        }
    }
}

#[test]
fn what_is_no_such_message_is_400_and_says_where() {
    let gateway = gateway(json!({}));
    let cases = [
        ("{", "byte"),
        (r#"{"int32Value": 1"#, "byte"),
        (r#"{"int32Value": }"#, "byte"),
        (r#"{"int32Value": 1} x"#, "byte"),
        (r#"{"int32Value": 01}"#, "byte"),
        (r#"{"int32Value": 1,}"#, "byte"),
        ("{'a': 1}", "byte"),
        ("\u{feff}{}", "byte order mark"),
        ("[]", "object"),
        ("7", "object"),
        (r#"{"int32Value": "x"}"#, "int32Value"),
        (r#"{"int32Value": 1.5}"#, "int32Value"),
        (r#"{"int32Value": 2147483648}"#, "int32Value"),
        (r#"{"boolValue": "true"}"#, "boolValue"),
        (r#"{"bytesValue": "%"}"#, "bytesValue"),
        (r#"{"child": []}"#, "child"),
        (r#"{"children": {}}"#, "children"),
        (r#"{"children": [null]}"#, "children[0]"),
        (r#"{"child": {"child": {"count": true}}}"#, "child.child.count"),
        (r#"{"int32Value": 1, "int32Value": 2}"#, "int32Value"),
        (r#"{"int32Value": 1, "int32_value": 2}"#, "int32_value"),
        (r#"{"stringMap": {"a": "b", "a": "c"}}"#, "stringMap"),
        (r#"{"choiceString": "a", "choiceInt64": 1}"#, "choiceInt64"),
        (r#"{"timestamp": "2024-02-30T00:00:00Z"}"#, "timestamp"),
        (r#"{"any": {"@type": "type.googleapis.com/no.Such"}}"#, "no.Such"),
    ];
    for (body, expected) in cases {
        let (status, code, message) = error(&gateway.request(Request::post("/v1/echo").json(body)));
        assert_eq!((status, code), (400, 3), "{body}");
        assert!(message.contains(expected), "{body}: {message}");
    }
    works(&gateway);
}

/// Every field of `Everything`, as protobuf prints it.
const EVERYTHING: &str = r#"{
    "doubleValue": 1.5, "floatValue": -2.5, "int32Value": -3, "int64Value": "-4", "uint32Value": 5,
    "uint64Value": "6", "sint32Value": -7, "sint64Value": "-8", "fixed32Value": 9, "fixed64Value": "10",
    "sfixed32Value": -11, "sfixed64Value": "-12", "boolValue": true, "stringValue": "ü😀\"\\\n",
    "bytesValue": "AP8=", "color": "NEGATIVE", "child": { "name": "c", "child": {}, "tags": ["x"], "circle": "o" },
    "optionalInt32": 0, "optionalString": "", "optionalColor": "COLOR_UNSPECIFIED",
    "int32s": [1, -2], "unpackedInt32s": [3], "doubles": [0.1, "NaN"], "bools": [true, false], "strings": ["", "s"],
    "blobs": ["", "AA=="], "colors": ["RED", "GREEN"], "children": [{}, { "count": 1 }], "sint64s": ["-1"],
    "fixed32s": [4],
    "stringMap": { "k": "v" }, "int32Map": { "-1": { "name": "m" } }, "boolMap": { "true": "RED" },
    "uint64Map": { "18446744073709551615": 0.5 }, "valueMap": { "a": [1.5, null] },
    "choiceChild": { "square": "s" },
    "timestamp": "2024-02-29T12:00:00.123Z", "duration": "-1.500s", "mask": "a.bC,d",
    "struct": { "a": { "b": [true] } }, "value": "text", "listValue": [1.5, "x"],
    "any": { "@type": "type.googleapis.com/test.everything.Child", "name": "any" },
    "empty": {},
    "boolWrapper": false, "int32Wrapper": 0, "int64Wrapper": "0", "uint32Wrapper": 0, "uint64Wrapper": "0",
    "floatWrapper": 0.5, "doubleWrapper": 0.5, "stringWrapper": "", "bytesWrapper": "",
    "timestamps": ["1970-01-01T00:00:00Z"], "values": [null, 1.5], "stringWrappers": ["a"],
    "anotherName": "renamed", "self": { "self": {} }
}"#;

/// Each field's JSON name is the other's own name.
#[test]
fn a_json_name_goes_before_another_fields_own_name() {
    let proto = r#"
        syntax = "proto3";
        package swapped;
        import "google/api/annotations.proto";
        service S {
          rpc Echo(M) returns (M) {
            option (google.api.http) = { post: "/m" body: "*" additional_bindings { get: "/m" } };
          }
        }
        message M { int32 a = 1 [json_name = "b"]; int32 b = 2 [json_name = "a"]; }
    "#;
    let configuration = json!({ "proto": proto, "bodyless": "call", "upstream": { "cluster": "upstream" } });
    let gateway = Host::envoy().load(&configuration.to_string()).unwrap();
    // Field 1 is 7, and field 2 is 8.
    let expected = [0x08, 7, 0x10, 8];
    let same = |message: &[u8]| message == expected || message == [0x10, 8, 0x08, 7];
    for body in [r#"{"b":7,"a":8}"#, r#"{"a":8,"b":7}"#, r#"{ "b" : 7, "a" : 8 }"#] {
        let exchange = gateway.request(Request::post("/m").json(body));
        let messages = exchange.forwarded().messages();
        assert!(messages.len() == 1 && same(&messages[0]), "{body}: {messages:?}");
        exchange.respond(Response::ok(expected));
        let answer = exchange.answer().text();
        assert_eq!(answer, r#"{"b":7,"a":8}"#);
    }
    let exchange = gateway.request(Request::get("/m?b=7&a=8"));
    let messages = exchange.call().messages;
    assert!(messages.len() == 1 && same(&messages[0]), "{messages:?}");
}
