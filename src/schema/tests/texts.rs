//! `.proto` texts: names, imports, limits, and what errors say.

use super::*;

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
fn a_given_file_takes_the_place_of_a_bundled_one() {
    let schema = compile_all(&[
        (
            "google/type/money.proto",
            "syntax = \"proto3\"; package google.type; message Money { string mine = 1; }",
        ),
        (
            "google/protobuf/source_context.proto",
            "syntax = \"proto3\"; package google.protobuf; message SourceContext { string mine = 5; }",
        ),
        (
            "a.proto",
            "syntax = \"proto3\"; import \"google/type/money.proto\"; import \"google/protobuf/api.proto\";
             message A { google.type.Money m = 1; google.protobuf.Api a = 2; }",
        ),
    ])
    .unwrap();
    let has = |message: &str, field: &str| {
        let message = schema.pool().get_message_by_name(message).unwrap();
        message.get_field_by_name(field).is_some()
    };
    assert!(has("google.type.Money", "mine"));
    assert!(has("google.protobuf.SourceContext", "mine"));
    assert!(!has("google.protobuf.SourceContext", "file_name"));
    // Its own file is bundled, and imports the given one.
    let api = schema.pool().get_message_by_name("google.protobuf.Api").unwrap();
    let context = api.get_field_by_name("source_context").unwrap().kind();
    assert!(context.as_message().unwrap().get_field_by_name("mine").is_some());
    assert!(has("google.protobuf.Timestamp", "seconds"));
}

/// protobuf's own files, as a set has them; `change` changes the messages of one of them.
fn own_files(name: &str, change: impl Fn(&mut Vec<RawMessage>)) -> Vec<RawFile> {
    let set = DescriptorPool::global().encode_to_vec();
    let mut files = descriptor_set::read(&set, &mut Features::default()).unwrap();
    let file = files.iter_mut().find(|file| file.name() == name).unwrap();
    change(&mut file.message_type);
    files
}

#[test]
fn all_files_of_google_protobuf_may_be_given() {
    let options = |messages: &mut Vec<RawMessage>| {
        let options = messages.iter_mut().find(|message| message.name() == "MethodOptions");
        options.unwrap().field.push(field("more", 77, OPTIONAL, STRING, ""));
    };
    let mut files = own_files("google/protobuf/descriptor.proto", options);
    let rich = descriptor_set::read(&rich_set(), &mut Features::default()).unwrap();
    files.extend(
        rich.into_iter()
            .filter(|file| !file.name().starts_with("google/protobuf/")),
    );
    let schema = compile_set(&files).unwrap();
    let options = schema
        .pool()
        .get_message_by_name("google.protobuf.MethodOptions")
        .unwrap();
    assert!(options.get_field(77).is_some());
    // What is read by these options is read as before.
    let method = schema.services()[0].methods().next().unwrap();
    let extension = schema.pool().get_extension_by_name("google.api.http").unwrap();
    assert!(method.options().has_extension(&extension));
    let rich = schema.pool().get_message_by_name("rich.Rich").unwrap();
    assert!(!rich.get_field(8).unwrap().is_packed());
    assert!(rich.get_field(2).unwrap().is_map());
}

#[test]
fn text_of_a_descriptor_proto_that_cannot_be_read_is_left_out() {
    // A single number with options, as in protobuf's own.
    let text = "syntax = \"proto2\"; package google.protobuf; message FileDescriptorSet { extensions 5 [verification = UNVERIFIED]; }";
    let schema = compile_all(&[("google/protobuf/descriptor.proto", text), ("rich.proto", RICH)]).unwrap();
    let options = schema.pool().get_message_by_name("google.protobuf.MethodOptions");
    assert!(options.is_some());
}

#[test]
fn a_given_file_may_not_contradict_what_is_known_of_its_messages() {
    let in_message = |name: &'static str, change: fn(&mut RawMessage)| {
        move |messages: &mut Vec<RawMessage>| {
            change(messages.iter_mut().find(|message| message.name() == name).unwrap());
        }
    };
    type Change = Box<dyn Fn(&mut Vec<RawMessage>)>;
    let cases: Vec<(&str, Change, &str)> = vec![
        (
            "timestamp",
            Box::new(in_message("Timestamp", |message| {
                message.field[0].r#type = Some(STRING)
            })),
            "Timestamp, but found another: field 1 is another",
        ),
        (
            "timestamp",
            Box::new(in_message("Timestamp", |message| message.field.push(int(3)))),
            "Timestamp, but found another: field 3 is more",
        ),
        (
            "timestamp",
            Box::new(|messages| messages.clear()),
            "Timestamp, but found another: it is missing",
        ),
        (
            "struct",
            Box::new(in_message("Struct", |message| message.nested_type[0].options = None)),
            "Struct, but found another: FieldsEntry is no map entry in one of them",
        ),
        (
            "wrappers",
            Box::new(in_message("BoolValue", |message| message.field.clear())),
            "BoolValue, but found another: field 1 is missing",
        ),
        (
            "descriptor",
            Box::new(in_message("MethodOptions", |message| {
                message.field[0].r#type = Some(STRING)
            })),
            "MethodOptions, but found another: field 33 is another",
        ),
        (
            "descriptor",
            Box::new(in_message("MessageOptions", |message| {
                message.field[0].name = Some("x".to_owned())
            })),
            "MessageOptions, but found another: field 1 is another",
        ),
        (
            "descriptor",
            Box::new(in_message("FieldOptions", |message| {
                message.extension_range[0].start = Some(3)
            })),
            "FieldOptions, but found another: it may be extended from number 3 on",
        ),
        (
            "descriptor",
            Box::new(|messages| messages.retain(|message| message.name() != "UninterpretedOption")),
            "UninterpretedOption, but found another: it is missing",
        ),
    ];
    for (name, change, expected) in cases {
        let path = format!("google/protobuf/{name}.proto");
        let error = compile_set(&own_files(&path, change)).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "{path}: expected protobuf's own google.protobuf.{expected}; without this file the bundled one is used"
            )
        );
    }
    let text = "syntax = \"proto3\"; package google.protobuf; message Timestamp { string mine = 1; }";
    let error = compile_all(&[("google/protobuf/timestamp.proto", text)])
        .unwrap_err()
        .to_string();
    assert!(error.contains("field 1 is another"), "{error}");
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
            "service.proto:1:1: expected syntax = \"proto2\" or syntax = \"proto3\", but found an edition, which only a \
             descriptor set can be in: make one by `protoc --include_imports --descriptor_set_out=set.binpb service.proto` \
             or `buf build -o set.binpb`, and give `base64 set.binpb` as descriptor_set",
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
             in google/protobuf/timestamp.proto, which is not imported: add import \"google/protobuf/timestamp.proto\"",
        ),
        (
            "syntax = \"proto3\";\nmessage M {}\nservice S {\n  rpc R(M) returns (M) { option (google.api.http) = { get: \"/\" }; }\n}",
            "service.proto:4:26: 'google.api.http' is not defined here, expected an extension; it is in \
             google/api/annotations.proto, which is not imported: add import \"google/api/annotations.proto\"",
        ),
        (
            "syntax = \"proto3\";\nimport \"google/api/annotations.proto\";\nmessage M {}\nservice S {\n  rpc R(M) returns (M) \
             { option (google.api.http) = { get: \"/\" post: \"/x\" }; }\n}",
            "service.proto:5:26: invalid value of type 'google.api.HttpRule' for option '(.google.api.http)': a value is \
             already set for oneof 'pattern': expected one of get, put, post, delete, patch and custom; the others go into \
             additional_bindings",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  google.type.Money price = 1;\n}",
            "service.proto:3:3: 'google.type.Money' is not defined here, expected a message or enum type; it is in \
             google/type/money.proto, which is not imported: add import \"google/type/money.proto\"",
        ),
        (
            "syntax = \"proto3\";\npackage google.shop;\nmessage M {\n  rpc.Status status = 1;\n}",
            "service.proto:4:3: 'rpc.Status' is not defined here, expected a message or enum type; it is in \
             google/rpc/status.proto, which is not imported: add import \"google/rpc/status.proto\"",
        ),
        (
            "syntax = \"proto3\";\npackage google.shop;\nmessage M {\n  type.Money.Part price = 1;\n}",
            "service.proto:4:3: 'type.Money.Part' is not defined here, expected a message or enum type; it is in \
             google/type/money.proto, which is not imported: add import \"google/type/money.proto\"",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  string s = 1 [deprecated = true, (google.api.field_behavior) = REQUIRED];\n}",
            "service.proto:3:36: 'google.api.field_behavior' is not defined here, expected an extension; it is in \
             google/api/field_behavior.proto, which is not imported: add import \"google/api/field_behavior.proto\"",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  google.type.Monye price = 1;\n}",
            "service.proto:3:3: 'google.type.Monye' is not defined, expected a message or enum type",
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
            "syntax = \"proto3\";\nimport \"google/api/annotation.proto\";\nmessage M {}\n\
             service S {\n  rpc R(M) returns (M) { option (google.api.http).get = \"/\"; }\n}",
            "service.proto:5:26: 'google.api.http' is not defined here, expected an extension; it is in \
             google/api/annotations.proto, which is not imported: add import \"google/api/annotations.proto\"; import \
             \"google/api/annotation.proto\" is not there; did you mean \"google/api/annotations.proto\"? (given: \
             service.proto; bundled: google/api, google/protobuf, google/rpc, google/type)",
        ),
        (
            "syntax = \"proto3\";\n\nimport \"b/other.proto\";\nmessage M {\n  b.Other other = 1;\n}",
            "service.proto:5:3: 'b.Other' is not defined, expected a message or enum type; import \"b/other.proto\" is not \
             there (given: service.proto; bundled: google/api, \
             google/protobuf, google/rpc, google/type)",
        ),
        (
            "syntax = \"proto3\";\nimport \"a.proto\";\nimport \"b/servce.proto\";\nmessage M {}\n\
             service S {\n  rpc R(M) returns (c.Other);\n}",
            "service.proto:6:21: 'c.Other' is not defined, expected a message type; imports \"a.proto\", \
             \"b/servce.proto\" are not there (given: service.proto; bundled: google/api, google/protobuf, google/rpc, \
             google/type)",
        ),
        (
            "syntax = \"proto3\";\nimport \"a.proto\";\nimport \"google/longrunning/operations.proto\";\nmessage M {}\n\
             service S {\n  rpc R(M) returns (google.longrunning.Operation);\n}",
            "service.proto:6:21: 'google.longrunning.Operation' is not defined, expected a message type; import \
             \"google/longrunning/operations.proto\" is not there (given: service.proto; bundled: google/api, \
             google/protobuf, google/rpc, google/type)",
        ),
        (
            "syntax = \"proto3\";\npackage shop.v1;\nimport \"a.proto\";\nimport \"shop/money/v1/price.proto\";\n\
             message M {\n  money.v1.Price price = 1;\n}",
            "service.proto:6:3: 'money.v1.Price' is not defined, expected a message or enum type; import \
             \"shop/money/v1/price.proto\" is not there (given: service.proto; bundled: google/api, google/protobuf, \
             google/rpc, google/type)",
        ),
        (
            "syntax = \"proto3\";\nimport \"a.proto\";\nimport \"a.proto\";",
            "service.proto:3:1: \"a.proto\" is imported twice",
        ),
        (
            "syntax = \"proto3\";\nimport \"a.proto\";\nextend a.Options {\n  int32 x = 1;\n}",
            "service.proto:3:8: 'a.Options' is not defined, expected a message type; import \"a.proto\" is not there \
             (given: service.proto; bundled: google/api, google/protobuf, google/rpc, google/type)",
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  repeated int32 a = 1 [packed = false, depricated = true];\n}",
            "service.proto:3:41: option field 'depricated' is not defined",
        ),
        (
            "syntax = \"proto3\";\nimport \"a.proto\";\nmessage M {\n  int32 a = 1 [(a.x) = 1, depricated = true];\n}",
            "service.proto:4:27: option field 'depricated' is not defined",
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
        "b.proto:2:13: 'C' is not defined here, expected a message or enum type; it is in c.proto, which is not imported: add import \"c.proto\""
    );
    // As the scopes around see it.
    assert_eq!(
        error(&[
            (
                "a.proto",
                "syntax = \"proto3\"; package shop.v1;\nmessage A { money.Price p = 1; }"
            ),
            ("b.proto", "syntax = \"proto3\"; package shop.money; message Price {}"),
        ]),
        "a.proto:2:13: 'money.Price' is not defined here, expected a message or enum type; it is in b.proto, which is not \
         imported: add import \"b.proto\""
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
fn a_missing_import_tells_what_is_given_whatever_that_is() {
    let text = "syntax = \"proto3\"; import \"other.proto\"; message M { other.T t = 1; }";
    for (given, expected) in [
        (&["google/type/mine.proto"][..], "google/type/mine.proto"),
        (
            &["google/type/mine.proto", "z.proto"][..],
            "z.proto, google/type/mine.proto",
        ),
    ] {
        let others = given.iter().skip(1).map(|name| (*name, "syntax = \"proto3\";"));
        let texts: Vec<_> = [(given[0], text)].into_iter().chain(others).collect();
        let error = compile_all(&texts).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "google/type/mine.proto:1:54: 'other.T' is not defined, expected a message or enum type; import \
                 \"other.proto\" is not there (given: {expected}; bundled: \
                 google/api, google/protobuf, google/rpc, google/type)"
            )
        );
    }
    let error = compile(text).unwrap_err().to_string();
    assert!(error.contains("(given: service.proto; "), "{error}");
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
