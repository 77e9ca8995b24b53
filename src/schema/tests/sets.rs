//! Descriptor sets.

use super::*;

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
            with(&|file| {
                file.dependency = vec!["other.proto".to_owned()];
                file.message_type[0].field[0] = field("m", 1, OPTIONAL, MESSAGE, ".N");
            }),
            "a.proto: name '.N' is not defined; import \"other.proto\" is not there (given: a.proto; bundled: google/api, \
             google/protobuf, google/rpc, google/type); protoc --include_imports makes a set complete (field M.m)",
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
            "a.proto: name 'google.protobuf.MethodOptions' is also defined in the bundled \
             google/protobuf/descriptor.proto: give a file under one path only (message google.protobuf.MethodOptions)",
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
