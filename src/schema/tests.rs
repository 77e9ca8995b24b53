use std::collections::HashSet;

use prost::Message as _;
use prost_reflect::{Cardinality, Kind};

use super::raw::{RawEnum, RawEnumValue, RawField, RawFile, RawMessage, RawMethod, RawOneof, RawService};
use super::tables::{DefaultValue, Tables};
use super::*;

const LIMIT: usize = 1 << 20;

fn compile(text: &str) -> Result<Schema, SchemaError> {
    Schema::compile(Source::Proto(text), LIMIT)
}

fn compile_all(texts: &[(&str, &str)]) -> Result<Schema, SchemaError> {
    let texts: Vec<_> = texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Schema::compile(Source::Protos(&texts), LIMIT)
}

fn compile_set(files: &[RawFile]) -> Result<Schema, SchemaError> {
    Schema::compile(Source::DescriptorSet(&descriptor_set::write(files, &[])), LIMIT)
}

fn tables(schema: &Schema) -> Tables {
    Tables::build(schema.pool(), schema.features(), 1)
}

// ---- texts

#[test]
fn a_service_with_annotations_compiles_and_keeps_them() {
    let schema = compile(
        r#"syntax = "proto3";
        package shop.v1;
        import "google/api/annotations.proto";
        message Book { string name = 1; }
        service Books {
          rpc Get(Book) returns (Book) {
            option (google.api.http) = { get: "/v1/{name=books/*}" additional_bindings { post: "/x" body: "*" } };
          }
        }"#,
    )
    .unwrap();
    assert_eq!(schema.services().len(), 1);
    let method = schema.services()[0].methods().next().unwrap();
    let extension = schema.pool().get_extension_by_name("google.api.http").unwrap();
    let rule = method.options().get_extension(&extension).to_string();
    assert_eq!(
        rule,
        r#"{get:"/v1/{name=books/*}",additional_bindings:[{post:"/x",body:"*"}]}"#
    );
}

#[test]
fn services_are_those_of_the_given_files_in_the_order_of_declaration() {
    let message = "syntax = \"proto3\"; import \"z.proto\"; message M {} ";
    let schema = compile_all(&[
        (
            "b.proto",
            &format!("{message} service Second {{}} service First {{}}").replace("M {}", "B {}"),
        ),
        ("a.proto", &message.replace("M {}", "A {} service Third {}")),
        ("z.proto", "syntax = \"proto3\"; service Imported {}"),
    ])
    .unwrap();
    let names: Vec<_> = schema
        .services()
        .iter()
        .map(|service| service.full_name().to_owned())
        .collect();
    assert_eq!(names, ["Second", "First", "Third", "Imported"]);
}

#[test]
fn the_bundled_files_all_compile_together() {
    let mut text = String::from("syntax = \"proto3\";\n");
    for name in bundled::names() {
        text += &format!("import \"{name}\";\n");
    }
    compile(&text).unwrap();
}

#[test]
fn every_pool_holds_what_error_details_and_raw_bodies_need() {
    let schema = compile("syntax = \"proto3\"; message M {}").unwrap();
    for name in [
        "google.rpc.Status",
        "google.rpc.BadRequest",
        "google.rpc.ErrorInfo",
        "google.rpc.LocalizedMessage",
        "google.api.HttpBody",
        "google.protobuf.Any",
        "google.protobuf.Timestamp",
        "google.protobuf.Struct",
        "google.protobuf.FieldMask",
        "google.protobuf.StringValue",
        "google.protobuf.Empty",
    ] {
        assert!(schema.pool().get_message_by_name(name).is_some(), "{name}");
    }
}

#[test]
fn a_given_file_takes_the_place_of_a_bundled_one_but_not_of_google_protobuf() {
    let schema = compile_all(&[
        (
            "google/type/money.proto",
            "syntax = \"proto3\"; package google.type; message Money { string mine = 1; }",
        ),
        (
            "google/protobuf/timestamp.proto",
            "syntax = \"proto3\"; package google.protobuf; message Timestamp { string mine = 1; }",
        ),
        (
            "a.proto",
            "syntax = \"proto3\"; import \"google/type/money.proto\"; import \"google/protobuf/timestamp.proto\";
             message A { google.type.Money m = 1; google.protobuf.Timestamp t = 2; }",
        ),
    ])
    .unwrap();
    let has = |message: &str, field: &str| {
        let message = schema.pool().get_message_by_name(message).unwrap();
        message.get_field_by_name(field).is_some()
    };
    assert!(has("google.type.Money", "mine"));
    assert!(!has("google.protobuf.Timestamp", "mine"));
    assert!(has("google.protobuf.Timestamp", "seconds"));
}

#[test]
fn what_every_pool_holds_may_also_be_given_under_another_path() {
    let schema = compile_all(&[
        (
            "third_party/rpc/status.proto",
            "syntax = \"proto3\"; package google.rpc; message Status { int32 code = 1; }",
        ),
        (
            "a.proto",
            "syntax = \"proto3\"; import \"third_party/rpc/status.proto\"; message A { google.rpc.Status s = 1; }",
        ),
    ])
    .unwrap();
    let status = schema.pool().get_message_by_name("google.rpc.Status").unwrap();
    assert_eq!(status.parent_file().name(), "third_party/rpc/status.proto");
    assert!(schema.pool().get_message_by_name("google.rpc.BadRequest").is_some());
}

#[test]
fn packed_is_what_the_option_says_else_what_the_syntax_says() {
    for (syntax, option, expected) in [
        ("proto3", "", true),
        ("proto3", " [packed = false]", false),
        ("proto3", " [deprecated = true, packed = false]", false),
        ("proto2", "", false),
        ("proto2", " [packed = true]", true),
    ] {
        let text = format!("syntax = \"{syntax}\"; message M {{ repeated int32 n = 1{option}; }}");
        let schema = compile(&text).unwrap();
        let field = schema.pool().get_message_by_name("M").unwrap().get_field(1).unwrap();
        assert_eq!(field.is_packed(), expected, "{text}");
    }
}

#[test]
fn a_file_that_is_not_imported_shadows_nothing() {
    // `inner.Thing` in package outer.deep must not be looked for in outer.inner, which b.proto does not import.
    let schema = compile_all(&[
        ("a.proto", "syntax = \"proto3\"; package outer.inner; message Other {}"),
        ("i.proto", "syntax = \"proto3\"; package inner; message Thing {}"),
        (
            "b.proto",
            "syntax = \"proto3\"; package outer.deep; import \"i.proto\"; message B { inner.Thing thing = 1; }",
        ),
    ])
    .unwrap();
    let field = schema
        .pool()
        .get_message_by_name("outer.deep.B")
        .unwrap()
        .get_field(1)
        .unwrap();
    assert_eq!(field.kind().as_message().unwrap().full_name(), "inner.Thing");
}

#[test]
fn names_resolve_innermost_scope_first() {
    let schema = compile(
        "syntax = \"proto3\"; package p;
         message X { message Y {} }
         message A { message X { message Z {} } X near = 1; .p.X far = 2; p.X also_far = 3; Wide wide = 4; map<string, X> m = 5; }
         message Wide {}
         service S { rpc X(X) returns (A.X.Z); }",
    )
    .unwrap();
    let a = schema.pool().get_message_by_name("p.A").unwrap();
    for (number, expected) in [(1, "p.A.X"), (2, "p.X"), (3, "p.X"), (4, "p.Wide"), (5, "p.A.MEntry")] {
        let kind = a.get_field(number).unwrap().kind();
        assert_eq!(kind.as_message().unwrap().full_name(), expected, "{number}");
    }
    let method = schema.services()[0].methods().next().unwrap();
    assert_eq!(method.input().full_name(), "p.X");
    assert_eq!(method.output().full_name(), "p.A.X.Z");
}

#[test]
fn public_imports_are_seen_through_any_number_of_files() {
    let mut texts = vec![("f0.proto".to_owned(), "syntax = \"proto3\"; message Deep {}".to_owned())];
    for at in 1..40 {
        texts.push((
            format!("f{at}.proto"),
            format!("syntax = \"proto3\"; import public \"f{}.proto\";", at - 1),
        ));
    }
    texts.push((
        "user.proto".to_owned(),
        "syntax = \"proto3\"; import \"f39.proto\"; message M { Deep d = 1; }".to_owned(),
    ));
    Schema::compile(Source::Protos(&texts), LIMIT).unwrap();
}

#[test]
fn layers_of_public_imports_cost_no_more_than_they_are() {
    let mut texts = Vec::new();
    for layer in 0..30 {
        for side in ["a", "b"] {
            let imports = match layer {
                0 => String::new(),
                layer => format!("import public \"a{0}.proto\"; import public \"b{0}.proto\";", layer - 1),
            };
            texts.push((
                format!("{side}{layer}.proto"),
                format!("syntax = \"proto3\"; {imports}"),
            ));
        }
    }
    Schema::compile(Source::Protos(&texts), LIMIT).unwrap();
}

#[test]
fn errors_name_file_line_and_column_and_what_was_expected() {
    let cases = [
        (
            "syntax = \"proto3\";\nmessage M {\n  string name 1;\n}",
            "service.proto:3:15: expected '=', but found '1'",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  string name = 1;\n",
            "service.proto:3:19: expected a message field, oneof, reserved range, enum, message, option or '}', \
             but reached end of file, in `string name = 1;`",
        ),
        (
            "syntax = \"proto3\";\nmessage M { string name = 1; /* no end",
            "service.proto:2:39: expected comment terminator, but reached end of file, \
             in `message M { string name = 1; /* no end`",
        ),
        (
            "syntax = \"proto3\";\nimport \"a",
            "service.proto:2:10: expected string terminator, but reached end of file, in `import \"a`",
        ),
        (
            "syntax = \"proto3\";\npackage a;\npackage b;",
            "service.proto:3:1: multiple package names specified, in `package b;`",
        ),
        (
            "syntax = \"proto3\";\nmessage M { ! }",
            "service.proto:2:13: invalid token, in `message M { ! }`",
        ),
        (
            "syntax = \"proto4\";",
            "service.proto:1:10: unknown syntax 'proto4', in `syntax = \"proto4\";`",
        ),
        (
            "message M { int32 a = 1; }",
            "service.proto:1:13: fields must have a label with proto2 syntax (expected one of 'optional', 'repeated' \
             or 'required'), in `message M { int32 a = 1; }`",
        ),
        (
            "edition = \"2023\";\nmessage M { int32 a = 1; }",
            "service.proto:1:1: expected syntax = \"proto2\" or syntax = \"proto3\", but found an edition; text in an \
             edition cannot be compiled here: give a descriptor_set (protoc --include_imports --descriptor_set_out)",
        ),
        (
            "syntax = \"proto3\";\nmessage Book {}\nmessage M {\n  Bok book = 1;\n}",
            "service.proto:4:3: 'Bok' is not defined, expected a message or enum type; did you mean 'Book'?",
        ),
        (
            "syntax = \"proto3\";\nmessage M {}\nservice S { rpc R(M) returns (Nothing); }",
            "service.proto:3:31: 'Nothing' is not defined, expected a message type",
        ),
        (
            "syntax = \"proto3\";\nenum E { A = 0; }\nmessage M {}\nservice S { rpc R(M) returns (E); }",
            "service.proto:4:31: 'E' is not a message type",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  google.protobuf.Timestamp t = 1;\n}",
            "service.proto:3:3: 'google.protobuf.Timestamp' is not defined here, expected a message or enum type; it is \
             in google/protobuf/timestamp.proto, which is not imported",
        ),
        (
            "syntax = \"proto3\";\npackage a.b;\nmessage a { message T {} }\nmessage M { a.b.M m = 1; }",
            "service.proto:4:13: 'a.b.M' is not defined, expected a message or enum type (the innermost 'a' is \
             searched, 'a.b.a.b.M'; a leading dot starts at the top)",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  int32 a = 1;\n  int32 b = 1;\n}",
            "service.proto:4:13: field number '1' is already used",
        ),
        (
            "syntax = \"proto3\";\nmessage M {}\nmessage M {}",
            "service.proto:3:9: name 'M' is defined twice",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  int32 a = 1 [(foo) = 1];\n}",
            "service.proto:3:16: 'foo' is not defined, expected an extension",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  int32 a = 1 [depricated = true];\n}",
            "service.proto:3:16: option field 'depricated' is not defined",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  option map_entry = true;\n}",
            "service.proto:3:3: option map_entry cannot be set in proto2 and proto3",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  string a = 1 [packed = true];\n}",
            "service.proto:3:3: option packed is for repeated numbers, bools and enums only",
        ),
        (
            "syntax = \"proto3\";\nimport \"google/api/annotation.proto\";",
            "service.proto:2:1: import \"google/api/annotation.proto\" is not there; did you mean \
             \"google/api/annotations.proto\"? (given: service.proto; bundled: google/api, google/protobuf, google/rpc, \
             google/type)",
        ),
        (
            "syntax = \"proto3\";\n\nimport \"b/other.proto\";",
            "service.proto:3:1: import \"b/other.proto\" is not there (given: service.proto; bundled: google/api, \
             google/protobuf, google/rpc, google/type)",
        ),
        (
            "syntax = \"proto3\";\nimport \"service.proto\";",
            "service.proto:2:1: imports go in a circle: service.proto -> service.proto",
        ),
        (
            "syntax = \"proto3\";\nimport \"google/protobuf/any.proto\";\nimport \"google/protobuf/any.proto\";",
            "service.proto:3:1: \"google/protobuf/any.proto\" is imported twice",
        ),
        (
            "syntax = \"proto3\";\nimport \"google/protobuf/descriptor.proto\";\n\
             extend google.protobuf.MethodOptions {\n  int32 a = 50000;\n  string b = 50000;\n}",
            "service.proto: extension b has the number 50000 of google.protobuf.MethodOptions, which extension a has \
             already",
        ),
    ];
    for (text, expected) in cases {
        match compile(text) {
            Ok(_) => panic!("compiles: {text}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
        }
    }
}

#[test]
fn errors_name_the_file_among_several() {
    let error = |texts: &[(&str, &str)]| compile_all(texts).unwrap_err().to_string();
    assert_eq!(
        error(&[
            (
                "a.proto",
                "syntax = \"proto3\"; import \"b.proto\"; message A { B b = 1; }"
            ),
            ("b.proto", "syntax = \"proto3\";\nmessage B { C c = 1; }"),
            ("c.proto", "syntax = \"proto3\"; message C {}"),
        ]),
        "b.proto:2:13: 'C' is not defined here, expected a message or enum type; it is in c.proto, which is not imported"
    );
    assert_eq!(
        error(&[
            ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";"),
            ("b.proto", "syntax = \"proto3\";\nimport \"c.proto\";"),
            ("c.proto", "syntax = \"proto3\";\nimport \"a.proto\";"),
        ]),
        "c.proto:2:1: imports go in a circle: a.proto -> b.proto -> c.proto -> a.proto"
    );
}

#[test]
fn import_paths_are_relative_simple_and_given_once() {
    for path in [
        "",
        "/a.proto",
        "a//b.proto",
        "./a.proto",
        "a/../b.proto",
        "..",
        "a\\b.proto",
        "a/",
    ] {
        let error = compile_all(&[(path, "syntax = \"proto3\";")]).unwrap_err().to_string();
        assert!(
            error.starts_with("expected a relative import path such as a/b.proto"),
            "{path}: {error}"
        );
    }
    let twice = compile_all(&[("a.proto", "syntax = \"proto3\";"), ("a.proto", "syntax = \"proto3\";")]);
    assert_eq!(twice.unwrap_err().to_string(), "a.proto: the file is given twice");
    assert_eq!(
        compile_all(&[]).unwrap_err().to_string(),
        "expected at least one file, but found none"
    );
}

#[test]
fn exactly_the_limit_is_accepted_and_one_more_refused_with_both_numbers() {
    let mut text = String::from("syntax = \"proto3\";\n");
    text += &"/".repeat(LIMIT - text.len());
    assert_eq!(text.len(), LIMIT);
    compile(&text).unwrap();
    text.push('/');
    assert_eq!(
        compile(&text).unwrap_err().to_string(),
        "expected at most 1048576 bytes of .proto text (limits.max_proto_bytes), but found 1048577"
    );
    let halves = |second: usize| {
        let texts = [
            ("a.proto".to_owned(), " ".repeat(10)),
            ("b.proto".to_owned(), " ".repeat(second)),
        ];
        Schema::compile(Source::Protos(&texts), 20)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(halves(10), Ok(()));
    assert!(halves(11).unwrap_err().contains("at most 20 bytes"));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    compile("\u{feff}syntax = \"proto3\"; message M {}").unwrap();
}

#[test]
fn deep_nesting_is_an_error_and_needs_no_deep_stack() {
    let nested = move |open: &str, close: &str, levels: usize| {
        format!(
            "syntax = \"proto3\";\nimport \"google/protobuf/descriptor.proto\";\n\
             message O {{ O o = 1; repeated O r = 2; int32 i = 3; }}\n\
             extend google.protobuf.MessageOptions {{ O opt = 50000; }}\n\
             message M {{ option (opt) = {{ {} i: 1 {} }}; }}",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    let dotted = move |levels: usize| {
        nested("", "", 0).replace(
            "option (opt) = {  i: 1  };",
            &format!("option (opt){}.i = 1;", ".o".repeat(levels)),
        )
    };
    let messages = |levels: usize| {
        format!(
            "syntax = \"proto3\"; {}{}",
            "message M {".repeat(levels),
            "}".repeat(levels)
        )
    };
    // The module has 1 MiB, and optimised code; a test needs about twice as much.
    let run = move || {
        for accepted in [
            nested("o {", "}", 50),
            nested("o <", ">", 50),
            nested("r: [{", "}]", 25),
            dotted(17),
            messages(31),
        ] {
            let schema = compile(&accepted).unwrap();
            let message = schema.pool().get_message_by_name("M").unwrap();
            assert!(message.options().encoded_len() > 0 || message.name() == "M");
        }
        for refused in [
            nested("o {", "}", 60),
            nested("o {", "}", 10_000),
            nested("o <", ">", 10_000),
            nested("r: [", "]", 10_000),
            dotted(20),
            dotted(10_000),
            messages(32),
            messages(10_000),
            "message M { option (a) = { ".repeat(10_000),
            format!(
                "syntax = \"proto3\"; message M {{ map<{} a = 1; }}",
                "map<".repeat(10_000)
            ),
            format!(
                "syntax = \"proto3\"; message M {{ option {}a = 1; }}",
                "(".repeat(10_000)
            ),
        ] {
            assert!(compile(&refused).unwrap_err().position.is_some());
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn brackets_in_comments_and_strings_do_not_nest() {
    let brackets = "{[(<".repeat(100);
    compile(&format!(
        "syntax = \"proto3\"; // {brackets}\n/* {brackets} */ import \"google/api/annotations.proto\";
         message M {{}} service S {{ rpc R(M) returns (M) {{ option (google.api.http) = {{
           # {brackets}
           get: '/a' selector: \"\\\"{brackets}\" }}; }} }}"
    ))
    .unwrap();
}

#[test]
fn overlong_names_are_refused_before_they_multiply() {
    let long = "n".repeat(200_000);
    let fields: String = (1..20_000)
        .map(|number| format!("int32 f{number} = {number};"))
        .collect();
    for text in [
        format!("syntax = \"proto3\"; message {long} {{ {fields} }}"),
        format!("syntax = \"proto3\"; package {}a;", "a.".repeat(200_000)),
        format!(
            "syntax = \"proto3\"; message M {{ {}a b = 1; }}",
            "a . ".repeat(100_000)
        ),
    ] {
        let error = compile(&text).unwrap_err();
        assert_eq!(
            error.message,
            "expected a name of at most 1000 bytes, but found a longer one"
        );
        assert!(error.position.is_some());
    }
    // Names of a thousand bytes within one another.
    let part = "n".repeat(600);
    let error = compile(&format!(
        "syntax = \"proto3\"; message {part} {{ message {part} {{ {fields} }} }}"
    ))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "service.proto:1:631: expected a full name of at most 1000 bytes, but found 1201"
    );
}

// ---- descriptor sets

/// The set that protoc would write for these texts, imports included.
fn set_of(texts: &[(&str, &str)]) -> Vec<u8> {
    compile_all(texts).unwrap().pool().encode_to_vec()
}

const RICH: &str = r#"syntax = "proto3";
package rich;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/descriptor.proto";
message Rich {
  string name = 1;
  map<string, Rich> children = 2;
  map<int32, Kind> kinds = 3;
  oneof choice { int64 a = 4; bytes b = 5; Rich c = 6; }
  optional double maybe = 7;
  repeated sint32 numbers = 8 [packed = false];
  repeated Kind list = 9;
  google.protobuf.Any any = 10;
  enum Kind { option allow_alias = true; ZERO = 0; ONE = 1; UNO = 1; }
  message Inner { Inner again = 1; reserved 5 to 10; reserved "old"; }
  Inner inner = 11 [(note) = { inner { again {} } kinds: [ONE, ZERO] }, deprecated = true];
}
message Note { Rich.Inner inner = 1; repeated Rich.Kind kinds = 2; map<string, int32> m = 3; }
extend google.protobuf.FieldOptions { Note note = 50000; repeated string notes = 50001; }
service Riches {
  rpc Get(Rich) returns (Rich) { option (google.api.http) = { get: "/{name=r/*}" additional_bindings { post: "/x" body: "*" } }; }
  rpc Watch(stream Rich) returns (stream Rich.Inner);
}
"#;

const RICH2: &str = r#"syntax = "proto2";
package rich2;
import public "rich.proto";
message Old {
  required int32 a = 1;
  optional group Gr = 2 { optional string s = 1; }
  optional Color color = 3 [default = BLUE];
  optional bytes raw = 4 [default = "\001x"];
  repeated int64 packed = 5 [packed = true];
  extensions 100 to 200;
  optional rich.Rich rich = 6;
  enum Color { RED = 1; BLUE = 2; }
}
extend Old { optional Old again = 100; repeated float floats = 101; }
"#;

fn rich_set() -> Vec<u8> {
    set_of(&[("rich.proto", RICH), ("rich2.proto", RICH2)])
}

#[test]
fn a_descriptor_set_gives_the_same_schema_as_its_text() {
    let from_text = compile_all(&[("rich.proto", RICH), ("rich2.proto", RICH2)]).unwrap();
    let from_set = Schema::compile(Source::DescriptorSet(&rich_set()), LIMIT).unwrap();
    let names = |schema: &Schema| {
        let mut names: Vec<_> = schema
            .pool()
            .all_messages()
            .map(|message| message.full_name().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&from_text), names(&from_set));
    assert_eq!(from_set.services()[0].full_name(), "rich.Riches");
    let method = from_set.services()[0].methods().next().unwrap();
    let extension = from_set.pool().get_extension_by_name("google.api.http").unwrap();
    assert!(method.options().has_extension(&extension));
    let field = |message: &str, number| {
        from_set
            .pool()
            .get_message_by_name(message)
            .unwrap()
            .get_field(number)
            .unwrap()
    };
    assert!(!field("rich.Rich", 8).is_packed());
    assert!(field("rich.Rich", 9).is_packed());
    assert!(field("rich2.Old", 5).is_packed());
    assert!(field("rich2.Old", 2).is_group());
    assert!(field("rich.Rich", 2).is_map());
}

#[test]
fn a_set_without_the_bundled_files_gets_them() {
    let set = rich_set();
    let mut features = Features::default();
    let mut files = descriptor_set::read(&set, &mut features).unwrap();
    files.retain(|file| file.name().starts_with("rich"));
    assert_eq!(files.len(), 2);
    let schema = compile_set(&files).unwrap();
    let method = schema.services()[0].methods().next().unwrap();
    let extension = schema.pool().get_extension_by_name("google.api.http").unwrap();
    assert!(method.options().has_extension(&extension));
}

#[test]
fn a_bundled_file_may_import_what_the_set_gives() {
    // annotations.proto is bundled, http.proto given.
    let mut files = descriptor_set::read(&rich_set(), &mut Features::default()).unwrap();
    files.retain(|file| file.name().starts_with("rich") || file.name() == "google/api/http.proto");
    assert_eq!(files.len(), 3);
    compile_set(&files).unwrap();
}

fn file(name: &str) -> RawFile {
    RawFile {
        name: Some(name.to_owned()),
        syntax: Some("proto3".to_owned()),
        ..RawFile::default()
    }
}

fn message(name: &str, field: Vec<RawField>) -> RawMessage {
    RawMessage {
        name: Some(name.to_owned()),
        field,
        ..RawMessage::default()
    }
}

const OPTIONAL: i32 = 1;
const REPEATED: i32 = 3;
const INT32: i32 = 5;
const STRING: i32 = 9;
const GROUP: i32 = 10;
const MESSAGE: i32 = 11;
const ENUM: i32 = 14;

fn field(name: &str, number: i32, label: i32, kind: i32, type_name: &str) -> RawField {
    RawField {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label),
        r#type: Some(kind),
        type_name: (!type_name.is_empty()).then(|| type_name.to_owned()),
        ..RawField::default()
    }
}

fn int(number: i32) -> RawField {
    field(&format!("f{number}"), number, OPTIONAL, INT32, "")
}

#[test]
fn a_set_that_no_compiler_wrote_is_refused_with_a_reason() {
    let with = |change: &dyn Fn(&mut RawFile)| {
        let mut file = file("a.proto");
        file.message_type = vec![message("M", vec![int(1)])];
        change(&mut file);
        vec![file]
    };
    let map_entry = Some(vec![7 << 3, 1]);
    let cases: Vec<(Vec<RawFile>, &str)> = vec![
        (
            vec![],
            "expected a google.protobuf.FileDescriptorSet with at least one file, but found none",
        ),
        (with(&|file| file.name = None), "a file has no name"),
        (
            vec![file("a.proto"), file("a.proto")],
            "a.proto: the file is there twice",
        ),
        (
            with(&|file| file.syntax = Some("proto5".to_owned())),
            "a.proto: expected syntax proto2, proto3 or editions, but found 'proto5'",
        ),
        (
            with(&|file| file.package = Some("a..b".to_owned())),
            "a.proto: expected a package name, but found 'a..b'",
        ),
        (
            with(&|file| file.message_type[0].name = Some(String::new())),
            "a.proto: expected a name in '', but found ''",
        ),
        (
            with(&|file| file.message_type[0].field[0].name = Some("a.b".to_owned())),
            "a.proto: expected a name in 'M', but found 'a.b'",
        ),
        (
            with(&|file| file.message_type[0].field[0].r#type = Some(77)),
            "a.proto: field M.f1 has the unknown type 77",
        ),
        (
            with(&|file| file.message_type[0].field[0].r#type = None),
            "a.proto: field M.f1 has no type",
        ),
        (
            with(&|file| file.message_type[0].field[0].type_name = Some(".M".to_owned())),
            "a.proto: field M.f1 has two types, .M",
        ),
        (
            with(&|file| file.message_type[0].field[0].label = Some(9)),
            "a.proto: field M.f1 has the unknown label 9",
        ),
        (
            with(&|file| file.message_type[0].field[0].oneof_index = Some(0)),
            "a.proto: field M.f1 is in oneof number 0, but there are 0",
        ),
        (
            with(&|file| file.message_type[0].field[0].oneof_index = Some(-1)),
            "a.proto: field M.f1 is in oneof number -1, but there are 0",
        ),
        (
            with(&|file| file.extension = vec![int(1)]),
            "a.proto: extension f1 extends nothing",
        ),
        (
            with(&|file| file.message_type[0].field[0].extendee = Some(".M".to_owned())),
            "a.proto: field M.f1 of a message extends another",
        ),
        (
            with(&|file| file.message_type[0].options.clone_from(&map_entry)),
            "a.proto: message M is marked as a map entry, but is none",
        ),
        (
            with(&|file| file.message_type[0].options = Some(vec![0xff])),
            "a.proto: the options of 'M' cannot be read (invalid varint)",
        ),
        (
            with(&|file| file.options = Some(vec![0xba, 0x3e, 0])),
            "a.proto: an option of '' was never interpreted by a compiler",
        ),
        (
            with(&|file| file.dependency = vec!["other.proto".to_owned()]),
            "a.proto: import \"other.proto\" is not there (given: a.proto; bundled: google/api, google/protobuf, \
             google/rpc, google/type); protoc --include_imports makes a set complete",
        ),
        (
            with(&|file| file.dependency = vec!["a.proto".to_owned()]),
            "a.proto: imports go in a circle: a.proto -> a.proto",
        ),
        (
            with(&|file| file.public_dependency = vec![0]),
            "a.proto: public import number 0 is not there, expected less than 0",
        ),
        (
            with(&|file| file.message_type[0].field[0] = field("m", 1, OPTIONAL, MESSAGE, ".N")),
            "a.proto: name '.N' is not defined (field M.m)",
        ),
        (
            with(&|file| file.message_type[0].field[0].number = Some(0)),
            "a.proto: invalid field number '0' (field M.f1)",
        ),
        (
            with(&|file| {
                file.enum_type = vec![RawEnum {
                    name: Some("E".to_owned()),
                    ..RawEnum::default()
                }];
            }),
            "a.proto: enums must have at least one value (enum E)",
        ),
        (
            with(&|file| {
                file.package = Some("google.protobuf".to_owned());
                file.message_type[0].name = Some("MethodOptions".to_owned());
            }),
            "a.proto: name 'google.protobuf.MethodOptions' is already defined in file \
             'google/protobuf/descriptor.proto' (message google.protobuf.MethodOptions)",
        ),
        (
            with(&|file| {
                file.service = vec![RawService {
                    name: Some("S".to_owned()),
                    method: vec![RawMethod {
                        name: Some("R".to_owned()),
                        input_type: Some(".M".to_owned()),
                        ..RawMethod::default()
                    }],
                    ..RawService::default()
                }];
            }),
            "a.proto: method S.R has no input or no output type",
        ),
    ];
    for (files, expected) in cases {
        match compile_set(&files) {
            Ok(_) => panic!("compiles, but expected {expected}"),
            Err(error) => assert_eq!(error.to_string(), expected),
        }
    }
    let error = Schema::compile(Source::DescriptorSet(b"not a set"), LIMIT)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("expected a serialized google.protobuf.FileDescriptorSet, but found other bytes ("),
        "{error}"
    );
}

#[test]
fn public_imports_in_a_circle_are_refused() {
    let import = |name: &str, other: &str| RawFile {
        dependency: vec![other.to_owned()],
        public_dependency: vec![0],
        ..file(name)
    };
    let error = compile_set(&[import("a.proto", "b.proto"), import("b.proto", "a.proto")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b.proto: imports go in a circle: a.proto -> b.proto -> a.proto"
    );
}

#[test]
fn a_set_that_nests_too_deep_is_refused() {
    let mut nested = message("M", vec![int(1)]);
    for _ in 0..120 {
        nested = RawMessage {
            nested_type: vec![nested],
            ..message("M", vec![int(1)])
        };
    }
    let error = compile_set(&[RawFile {
        message_type: vec![nested],
        ..file("a.proto")
    }])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a serialized google.protobuf.FileDescriptorSet, but found other bytes (recursion limit reached)"
    );
}

// ---- editions

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

fn enumeration(name: &str, first: i32) -> RawEnum {
    RawEnum {
        name: Some(name.to_owned()),
        value: vec![RawEnumValue {
            name: Some(format!("{name}_FIRST")),
            number: Some(first),
            ..RawEnumValue::default()
        }],
        ..RawEnum::default()
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
            with_edition(Some(1001)),
            "a.proto: expected edition 2023, proto2 or proto3, but found edition 2024",
        ),
        (
            with_edition(Some(5)),
            "a.proto: expected edition 2023, proto2 or proto3, but found edition number 5",
        ),
        (
            with_edition(None),
            "a.proto: expected edition 2023, proto2 or proto3, but found edition number 0",
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
            with_feature(MESSAGE_ENCODING),
            "a.proto: feature message_encoding has the unknown value 9",
        ),
    ] {
        assert_eq!(compile_set(&[file]).unwrap_err().to_string(), expected);
    }
}

// ---- hostile input

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'p, T>(&mut self, of: &'p [T]) -> &'p T {
        &of[self.below(of.len())]
    }
}

/// How many mutations each of the tests below tries; more with `PROTOBRIDGE_MUTATIONS`.
fn mutations() -> u64 {
    std::env::var("PROTOBRIDGE_MUTATIONS").map_or(400, |number| number.parse().unwrap())
}

/// Compiles and goes on to what a request would do with the schema.
fn survive(set: &[u8]) -> bool {
    let Ok(schema) = Schema::compile(Source::DescriptorSet(set), LIMIT) else {
        return false;
    };
    let _ = tables(&schema);
    for method in schema.services().iter().flat_map(ServiceDescriptor::methods) {
        let _ = (method.options(), method.input(), method.output());
    }
    true
}

/// The files of the rich set that aren't bundled, so that mutations hit what is interesting.
fn rich_files() -> Vec<RawFile> {
    let mut files = descriptor_set::read(&rich_set(), &mut Features::default()).unwrap();
    files.retain(|file| file.name().starts_with("rich"));
    files
}

#[test]
fn a_cut_descriptor_set_never_panics() {
    let set = descriptor_set::write(&rich_files(), &[]);
    let step = set.len() / mutations() as usize + 1;
    for length in (0..set.len()).step_by(step) {
        assert!(!survive(&set[..length]) || length > 0);
    }
}

#[test]
fn a_descriptor_set_with_wrong_bytes_never_panics() {
    let set = descriptor_set::write(&rich_files(), &[]);
    for seed in 0..mutations() {
        let random = &mut Random(seed);
        let mut bytes = set.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, random.next() as u8),
                _ => {
                    let length = random.below(30).min(bytes.len() - at);
                    let piece = bytes[at..at + length].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        survive(&bytes);
    }
}

#[test]
fn a_descriptor_set_with_wrong_elements_never_panics() {
    let files = rich_files();
    let mut compiled = 0;
    for seed in 0..mutations() {
        let random = &mut Random(seed);
        let mut files = files.clone();
        for _ in 0..=random.below(3) {
            mutate_file(random, &mut files);
        }
        compiled += u64::from(survive(&descriptor_set::write(&files, &[])));
    }
    // Mutations that all fail in the first check would test nothing behind it.
    assert!(compiled > 0);
}

const NAMES: [&str; 16] = [
    "",
    ".",
    "a",
    "rich",
    "Rich",
    ".rich.Rich",
    ".rich.Rich.Kind",
    ".rich.Rich.Inner",
    ".rich.Rich.ChildrenEntry",
    "rich.Rich",
    ".rich.Note",
    ".google.protobuf.FieldOptions",
    ".google.protobuf.MethodOptions",
    "key",
    "value",
    ".rich2.Old",
];

fn some_name(random: &mut Random) -> Option<String> {
    match random.below(10) {
        0 => None,
        _ => Some((*random.pick(&NAMES)).to_owned()),
    }
}

fn mutate_file(random: &mut Random, files: &mut [RawFile]) {
    let other = random.pick(files).clone();
    let at = random.below(files.len());
    let file = &mut files[at];
    match random.below(12) {
        0 => file.name = some_name(random).or(other.name),
        1 => file.package = some_name(random),
        2 => file.dependency.push(other.name().to_owned()),
        3 => drop(file.dependency.pop()),
        4 => file.public_dependency.push(random.below(9) as i32 - 2),
        5 => {
            file.syntax =
                [None, Some("proto2"), Some("proto3"), Some("editions"), Some("")][random.below(5)].map(str::to_owned)
        }
        6 => file.edition = Some(1000),
        7 => file.extension.extend(
            other
                .message_type
                .iter()
                .flat_map(|message| message.field.clone())
                .take(1),
        ),
        8 => {
            let message = random.pick(&other.message_type).clone();
            file.message_type.push(message);
        }
        9 if !file.service.is_empty() => {
            let method = &mut file.service[0].method[0];
            match random.below(3) {
                0 => method.input_type = some_name(random),
                1 => method.options = other.options,
                _ => method.output_type = some_name(random),
            }
        }
        _ => {
            let at = random.below(file.message_type.len());
            if let Some(message) = file.message_type.get_mut(at) {
                mutate_message(random, message);
            }
        }
    }
}

fn mutate_message(random: &mut Random, message: &mut RawMessage) {
    if !message.nested_type.is_empty() && random.below(2) == 0 {
        let at = random.below(message.nested_type.len());
        return mutate_message(random, &mut message.nested_type[at]);
    }
    match random.below(10) {
        0 => message.name = some_name(random),
        1 => message.options = Some(vec![7 << 3, 1]),
        2 => message.options = None,
        3 => drop(message.nested_type.pop()),
        4 => drop(message.oneof_decl.pop()),
        5 => drop(message.field.pop()),
        6 => message.extension_range.clear(),
        _ => {
            let options: Vec<_> = message.field.iter().map(|field| field.options.clone()).collect();
            let at = random.below(message.field.len());
            let Some(field) = message.field.get_mut(at) else { return };
            match random.below(10) {
                0 => field.name = some_name(random),
                1 => field.number = Some(*random.pick(&[i32::MIN, -1, 0, 1, 2, 3, 19_000, 536_870_912, i32::MAX])),
                2 => field.label = Some(random.below(5) as i32),
                3 => field.r#type = Some(random.below(20) as i32),
                4 => field.type_name = some_name(random),
                5 => field.extendee = some_name(random),
                6 => field.default_value = some_name(random),
                7 => field.oneof_index = Some(random.below(4) as i32 - 1),
                8 => field.json_name = some_name(random),
                _ => field.options = random.pick(&options).clone(),
            }
            if random.below(3) == 0 {
                field.proto3_optional = Some(true);
            }
            if random.below(2) == 0 && field.r#type == Some(MESSAGE) {
                field.r#type = Some(GROUP);
            }
        }
    }
}

#[test]
fn a_mutated_text_never_panics() {
    const PIECES: [&str; 30] = [
        "{", "}", "[", "]", "(", ")", "<", ">", ";", "=", ",", ".", "\"", "'", "/*", "*/", "//", "#", "\n", "message ",
        "enum ", "oneof ", "map<", "group ", "extend ", "option ", "-", "0x", "1e999", "\u{fc}\\",
    ];
    for seed in 0..mutations() {
        let random = &mut Random(seed);
        let mut text: Vec<char> = if seed % 2 == 0 { RICH } else { RICH2 }.chars().collect();
        for _ in 0..=random.below(3) {
            let at = random.below(text.len());
            match random.below(4) {
                0 => text.truncate(at + 1),
                1 => drop(text.remove(at)),
                2 => drop(text.splice(at..at, random.pick(&PIECES).chars())),
                _ => {
                    let end = (at + random.below(20)).min(text.len());
                    let piece: Vec<char> = text[at..end].to_vec();
                    let to = random.below(text.len());
                    text.splice(to..to, piece);
                }
            }
        }
        let text: String = text.into_iter().collect();
        let other = if seed % 2 == 0 {
            ("rich2.proto", RICH2)
        } else {
            ("rich.proto", RICH)
        };
        let name = if seed % 2 == 0 { "rich.proto" } else { "rich2.proto" };
        if let Err(error) = compile_all(&[(name, &text), other])
            && error.file.as_deref() == Some(name)
            && !error.message.starts_with("extension ")
        {
            assert!(error.position.is_some(), "{error}\n{text}");
        }
    }
}
