//! Editions 2023 and 2024 and their features.

use super::*;

/// Options whose only field is `features`, with that number.
fn features(number: u32, set: &[(u32, u8)]) -> Option<Vec<u8>> {
    let features: Vec<u8> = set
        .iter()
        .flat_map(|(feature, value)| [(*feature << 3) as u8, *value])
        .collect();
    let mut options = Vec::new();
    prost::encoding::bytes::encode(number, &features, &mut options);
    Some(options)
}

const PRESENCE: u32 = 1;

const EXPLICIT: u8 = 1;

const IMPLICIT: u8 = 2;

const LEGACY_REQUIRED: u8 = 3;

const ENUM_TYPE: u32 = 2;

const CLOSED: u8 = 2;

const ENCODING: u32 = 3;

const EXPANDED: u8 = 2;

const UTF8: u32 = 4;

const MESSAGE_ENCODING: u32 = 5;

const LENGTH_PREFIXED: u8 = 1;

const DELIMITED: u8 = 2;

const JSON: u32 = 6;

const IN_FILE: u32 = 50;

const IN_MESSAGE: u32 = 12;

const IN_FIELD: u32 = 21;

const IN_ONEOF: u32 = 1;

const IN_ENUM: u32 = 7;

fn edition_2023(name: &str) -> RawFile {
    RawFile {
        syntax: Some("editions".to_owned()),
        edition: Some(1000),
        ..file(name)
    }
}

fn with_features(field: RawField, set: &[(u32, u8)]) -> RawField {
    RawField {
        options: features(IN_FIELD, set),
        ..field
    }
}

#[test]
fn edition_2023_has_its_defaults() {
    let schema = compile_set(&[RawFile {
        message_type: vec![message(
            "M",
            vec![
                int(1),
                field("numbers", 2, REPEATED, INT32, ""),
                field("kind", 3, OPTIONAL, ENUM, ".E"),
                field("below", 4, OPTIONAL, MESSAGE, ".M"),
                field("texts", 5, REPEATED, STRING, ""),
                field("kinds", 6, REPEATED, ENUM, ".E"),
            ],
        )],
        enum_type: vec![enumeration("E", 0)],
        ..edition_2023("a.proto")
    }])
    .unwrap();
    let tables = tables(&schema);
    let m = tables.message(tables.message_index("M").unwrap());
    let field = |number| m.field(m.field_by_number(number).unwrap()).unwrap();
    assert!(field(1).presence);
    assert!(field(2).packed);
    assert!(!field(5).packed);
    assert!(field(6).packed);
    assert!(matches!(field(4).kind, tables::Kind::Message(_)));
    let tables::Kind::Enum(e) = field(3).kind else { panic!() };
    assert!(!tables.enumeration(e).is_closed());
    assert!(!m.needs_required_check());
}

#[test]
fn features_are_inherited_and_overridden_at_every_level() {
    let inner = RawMessage {
        options: features(IN_MESSAGE, &[(PRESENCE, EXPLICIT)]),
        enum_type: vec![enumeration("Below", 0)],
        ..message("Inner", vec![int(1), with_features(int(2), &[(PRESENCE, IMPLICIT)])])
    };
    let entry = RawMessage {
        options: Some(vec![7 << 3, 1]),
        ..message(
            "MapEntry",
            vec![
                field("key", 1, OPTIONAL, STRING, ""),
                field("value", 2, OPTIONAL, MESSAGE, ".p.M"),
            ],
        )
    };
    let in_oneof = |field: RawField| RawField {
        oneof_index: Some(0),
        ..field
    };
    let outer = RawMessage {
        nested_type: vec![inner, entry],
        oneof_decl: vec![RawOneof {
            name: Some("choice".to_owned()),
            options: features(IN_ONEOF, &[(MESSAGE_ENCODING, LENGTH_PREFIXED)]),
        }],
        ..message(
            "M",
            vec![
                int(1),
                with_features(int(2), &[(PRESENCE, LEGACY_REQUIRED)]),
                field("list", 3, REPEATED, INT32, ""),
                with_features(field("packed_list", 4, REPEATED, INT32, ""), &[(ENCODING, 1)]),
                field("grouped", 5, OPTIONAL, MESSAGE, ".p.M"),
                with_features(
                    field("prefixed", 6, OPTIONAL, MESSAGE, ".p.M"),
                    &[(MESSAGE_ENCODING, LENGTH_PREFIXED), (UTF8, 3), (JSON, 2)],
                ),
                field("map", 7, REPEATED, MESSAGE, ".p.M.MapEntry"),
                in_oneof(field("in_oneof", 8, OPTIONAL, MESSAGE, ".p.M")),
                in_oneof(int(9)),
                field("groups", 10, REPEATED, MESSAGE, ".p.M"),
            ],
        )
    };
    let schema = compile_set(&[RawFile {
        package: Some("p".to_owned()),
        options: features(
            IN_FILE,
            &[
                (PRESENCE, IMPLICIT),
                (ENUM_TYPE, CLOSED),
                (ENCODING, EXPANDED),
                (MESSAGE_ENCODING, DELIMITED),
            ],
        ),
        message_type: vec![outer],
        enum_type: vec![
            enumeration("Closed", 1),
            RawEnum {
                options: features(IN_ENUM, &[(ENUM_TYPE, 1)]),
                ..enumeration("Open", 0)
            },
        ],
        ..edition_2023("a.proto")
    }])
    .unwrap();
    let tables = tables(&schema);
    let m = tables.message(tables.message_index("p.M").unwrap());
    let field = |number| m.field(m.field_by_number(number).unwrap()).unwrap();
    assert!(!field(1).presence);
    assert_eq!(field(1).default, DefaultValue::I32(0));
    assert!(field(2).required && field(2).presence);
    assert!(!field(3).packed);
    assert!(field(4).packed);
    assert!(matches!(field(5).kind, tables::Kind::Group(_)));
    assert!(field(5).presence);
    assert!(matches!(field(6).kind, tables::Kind::Message(_)));
    assert_eq!(field(7).cardinality, tables::Cardinality::Map);
    let tables::Kind::Message(entry) = field(7).kind else {
        panic!()
    };
    let entry = tables.message(entry);
    let value = entry.field(entry.field_by_number(2).unwrap()).unwrap();
    assert!(matches!(value.kind, tables::Kind::Message(_)));
    assert!(matches!(field(8).kind, tables::Kind::Message(_)));
    assert!(field(9).presence);
    assert!(matches!(field(10).kind, tables::Kind::Group(_)));
    let inner = tables.message(tables.message_index("p.M.Inner").unwrap());
    let inner_field = |number| inner.field(inner.field_by_number(number).unwrap()).unwrap();
    assert!(inner_field(1).presence);
    assert!(!inner_field(2).presence);
    assert_eq!(schema.features().open_enums, HashSet::from(["p.Open".to_owned()]));
    let below = schema.pool().get_enum_by_name("p.Closed").unwrap();
    assert_eq!(below.default_value().number(), 1);
}

#[test]
fn a_proto3_file_and_an_edition_file_live_in_one_set() {
    let proto3 = RawFile {
        enum_type: vec![enumeration("Three", 0)],
        message_type: vec![message("Old", vec![int(1), field("l", 2, REPEATED, INT32, "")])],
        ..file("old.proto")
    };
    let new = RawFile {
        dependency: vec!["old.proto".to_owned()],
        message_type: vec![message("New", vec![field("old", 1, OPTIONAL, MESSAGE, ".Old")])],
        ..edition_2023("new.proto")
    };
    let schema = compile_set(&[new, proto3]).unwrap();
    let old = schema.pool().get_message_by_name("Old").unwrap();
    assert!(!old.get_field(1).unwrap().supports_presence());
    assert!(old.get_field(2).unwrap().is_packed());
    assert_eq!(old.get_field(2).unwrap().cardinality(), Cardinality::Repeated);
    let new = schema.pool().get_message_by_name("New").unwrap();
    assert_eq!(new.get_field(1).unwrap().kind(), Kind::Message(old));
}

#[test]
fn an_unknown_edition_or_feature_is_an_error() {
    let with_edition = |edition| RawFile {
        edition,
        ..edition_2023("a.proto")
    };
    let with_feature = |feature| RawFile {
        options: features(IN_FILE, &[(feature, 9)]),
        ..edition_2023("a.proto")
    };
    for (file, expected) in [
        (
            with_edition(Some(1002)),
            "a.proto: expected edition 2023 or 2024, proto2 or proto3, but found edition 2026",
        ),
        (
            with_edition(Some(5)),
            "a.proto: expected edition 2023 or 2024, proto2 or proto3, but found edition number 5",
        ),
        (
            with_edition(None),
            "a.proto: expected edition 2023 or 2024, proto2 or proto3, but found edition number 0",
        ),
        (
            with_feature(PRESENCE),
            "a.proto: feature field_presence has the unknown value 9",
        ),
        (
            with_feature(ENUM_TYPE),
            "a.proto: feature enum_type has the unknown value 9",
        ),
        (
            with_feature(ENCODING),
            "a.proto: feature repeated_field_encoding has the unknown value 9",
        ),
        (
            with_feature(9),
            "a.proto: feature number 9 is of a later edition than 2024",
        ),
        (
            with_feature(MESSAGE_ENCODING),
            "a.proto: feature message_encoding has the unknown value 9",
        ),
    ] {
        assert_eq!(compile_set(&[file]).unwrap_err().to_string(), expected);
    }
}

/// What protoc 35 makes of this in `edition = "2024"`, in which files and keywords are for options and visibility alone:
///
/// ```text
/// package shop.v1;
/// import option "google/api/annotations.proto";
/// import option "opts.proto";
/// option features.default_symbol_visibility = LOCAL_ALL;
/// option features.enforce_naming_style = STYLE_LEGACY;
/// export message Book {
///   string name = 1 [(opts.rules).max = 3];
///   int32 pages = 2 [features.field_presence = IMPLICIT];
///   Genre genre = 3;
///   Book sequel = 4 [features.message_encoding = DELIMITED];
///   message Part { option features.enforce_naming_style = STYLE2024; int32 n = 1; }
///   repeated Part parts = 5;
/// }
/// local enum Genre { option features.enum_type = CLOSED; NONE = 0; FANTASY = 1; }
/// service Books {
///   rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/v1/{name=books/*}" }; }
/// }
/// ```
const OF_2024: &str = "Cp8DCgpzaG9wLnByb3RvEgdzaG9wLnYxItkBCgRCb29rEhoKBG5hbWUYASABKAlCBoK1GAIIA1IEbmFtZRIbCgVwYWdlcxgCIAEo\
     BUIFqgECCAJSBXBhZ2VzEiQKBWdlbnJlGAMgASgOMg4uc2hvcC52MS5HZW5yZVIFZ2VucmUSLAoGc2VxdWVsGAQgASgLMg0uc2hv\
     cC52MS5Cb29rQgWqAQIoAlIGc2VxdWVsEigKBXBhcnRzGAUgAygLMhIuc2hvcC52MS5Cb29rLlBhcnRSBXBhcnRzGhgKBFBhcnQS\
     DAoBbhgBIAEoBVIBbjoCYgBYAiomCgVHZW5yZRIICgROT05FEAASCwoHRkFOVEFTWRABGgQ6AhACMAEySAoFQm9va3MSPwoDR2V0\
     Eg0uc2hvcC52MS5Cb29rGg0uc2hvcC52MS5Cb29rIhqC0+STAhQSEi92MS97bmFtZT1ib29rcy8qfUIDkgMAYghlZGl0aW9uc3Dp\
     B3ocZ29vZ2xlL2FwaS9hbm5vdGF0aW9ucy5wcm90b3oKb3B0cy5wcm90bw==";

#[test]
fn edition_2024_is_2023_with_what_only_compilers_need() {
    let set = crate::text::base64::decode_text(OF_2024).unwrap();
    let schema = Schema::compile(Source::DescriptorSet(&set), LIMIT).unwrap();
    assert_eq!(
        schema.left_out().unwrap(),
        "imports that are not given: opts.proto; in shop.proto; options left out with them: number 50000 (1)"
    );
    let method = schema.services()[0].methods().next().unwrap();
    let extension = schema.pool().get_extension_by_name("google.api.http").unwrap();
    assert!(method.options().has_extension(&extension));
    let tables = tables(&schema);
    let book = tables.message(tables.message_index("shop.v1.Book").unwrap());
    let field = |number| book.field(book.field_by_number(number).unwrap()).unwrap();
    assert!(field(1).presence);
    assert!(!field(2).presence);
    let tables::Kind::Enum(genre) = field(3).kind else {
        panic!()
    };
    assert!(tables.enumeration(genre).is_closed());
    assert!(matches!(field(4).kind, tables::Kind::Group(_)));
}
