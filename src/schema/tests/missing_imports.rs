//! Files that are imported for their options alone, and aren't given.

use prost_reflect::DynamicMessage;

use super::*;

/// Options on everything that can have some, of three files that aren't given, among others that are.
const OPTIONED: &str = r#"syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/protobuf/descriptor.proto";
import "gogoproto/gogo.proto";
import "protoc-gen-openapiv2/options/annotations.proto";
import "validate/validate.proto";
option go_package = "shop";
option (gogoproto.goproto_getters_all) = false;
option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_swagger) = {
  info: { title: "Shop" } schemes: [HTTP, HTTPS]
  security: { security_requirement: { key: "x" value: {} } }
};
extend google.protobuf.FieldOptions { Mine mine = 50000 [(validate.rules).message.required = true]; }
message Mine { string text = 1; repeated Genre genres = 2; extensions 10 to 20 [(validate.range) = 1]; }
message Book {
  option (gogoproto.equal) = true;
  option deprecated = true;
  string name = 1 [(validate.rules).string = { min_len: 1, pattern: "^[a]: {$" }, deprecated = true, (mine).text = "x"];
  repeated int32 numbers = 2 [(gogoproto.nullable) = false, packed = false];
  oneof choice { option (validate.required) = true; string a = 3; bytes b = 4 [(.validate.rules).bytes.len = 3]; }
  Mine other = 5 [(mine) = { text: "[a.b]: {" genres: [FANTASY] genres: UNKNOWN }, (validate.rules).message.(.validate.more) = true];
  map<string, Genre> genres = 6 [(validate.rules).map.min_pairs = 1];
}
enum Genre {
  option (gogoproto.goproto_enum_prefix) = false;
  UNKNOWN = 0 [(gogoproto.enumvalue_customname) = "U"];
  FANTASY = 1 [deprecated = true];
}
service Books {
  option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_tag) = { name: "books" };
  rpc Get(Book) returns (Book) {
    option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation) = { summary: "Get" };
    option (google.api.http) = { get: "/v1/{name=books/*}" additional_bindings { post: "/x" body: "*" } };
  }
}
"#;

pub(super) fn optioned() -> String {
    // proto3 has no extension ranges.
    OPTIONED.replace(" extensions 10 to 20 [(validate.range) = 1];", "")
}

/// What is left of options, as text.
fn read(options: &DynamicMessage) -> String {
    assert_eq!(options.unknown_fields().count(), 0, "{options}");
    options.to_string()
}

#[test]
fn options_of_files_that_are_not_given_are_left_out_and_all_others_stay() {
    let schema = compile(&optioned()).unwrap();
    let pool = schema.pool();
    let book = pool.get_message_by_name("shop.v1.Book").unwrap();
    let field = |number| read(&book.get_field(number).unwrap().options());
    assert_eq!(read(&book.options()), "deprecated:true");
    assert_eq!(field(1), "deprecated:true,[shop.v1.mine]{text:\"x\"}");
    assert_eq!(field(2), "packed:false");
    assert_eq!(field(4), "");
    assert_eq!(field(5), "[shop.v1.mine]{text:\"[a.b]: {\",genres:[FANTASY,UNKNOWN]}");
    assert!(!book.get_field(2).unwrap().is_packed());
    let method = schema.services()[0].methods().next().unwrap();
    assert_eq!(
        read(&method.options()),
        r#"[google.api.http]{get:"/v1/{name=books/*}",additional_bindings:[{post:"/x",body:"*"}]}"#
    );
    assert_eq!(read(&schema.services()[0].options()), "");
    assert_eq!(read(&book.parent_file().options()), "go_package:\"shop\"");
    assert_eq!(
        schema.left_out().unwrap(),
        "imports that are not given: gogoproto/gogo.proto, protoc-gen-openapiv2/options/annotations.proto, \
         validate/validate.proto; in service.proto; options left out with them: (gogoproto.enumvalue_customname) (1), \
         (gogoproto.equal) (1), (gogoproto.goproto_enum_prefix) (1), (gogoproto.goproto_getters_all) (1), \
         (gogoproto.nullable) (1), (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operati… (1), \
         (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_swagger… (1), \
         (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_tag) (1) and 3 more"
    );
}

#[test]
fn options_of_extension_ranges_are_left_out() {
    let text = "syntax = \"proto2\"; import \"a.proto\"; message M { extensions 10 to 20 [(a.x) = 1]; }";
    let schema = compile(text).unwrap();
    assert_eq!(
        schema.left_out().unwrap(),
        "imports that are not given: a.proto; in service.proto; options left out with them: (a.x) (1)"
    );
}

#[test]
fn nothing_is_left_out_where_all_is_given() {
    assert_eq!(compile(RICH).unwrap().left_out(), None);
    let set = rich_set();
    let schema = Schema::compile(Source::DescriptorSet(&set), LIMIT).unwrap();
    assert_eq!(schema.left_out(), None);
}

#[test]
fn an_import_that_nothing_is_needed_of_need_not_be_given() {
    for import in ["", "public ", "weak "] {
        let text = format!("syntax = \"proto3\"; import {import}\"a.proto\"; message M {{}}");
        assert_eq!(
            compile(&text).unwrap().left_out().unwrap(),
            "imports that are not given: a.proto; in service.proto; nothing was needed of them",
            "{import}"
        );
    }
}

#[test]
fn what_a_public_import_may_define_is_left_out_where_it_is_seen() {
    let schema = compile_all(&[
        ("all.proto", "syntax = \"proto3\"; import public \"options/a.proto\";"),
        (
            "user.proto",
            "syntax = \"proto3\"; import \"all.proto\"; message M { int32 n = 1 [(a.x) = 1]; }",
        ),
    ])
    .unwrap();
    assert_eq!(
        schema.left_out().unwrap(),
        "imports that are not given: options/a.proto; in all.proto; options left out with them: (a.x) (1)"
    );
    // An import that isn't public shows nothing.
    let error = compile_all(&[
        ("all.proto", "syntax = \"proto3\"; import \"options/a.proto\";"),
        (
            "user.proto",
            "syntax = \"proto3\"; import \"all.proto\"; message M { int32 n = 1 [(a.x) = 1]; }",
        ),
    ])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "user.proto:1:65: 'a.x' is not defined, expected an extension"
    );
}

#[test]
fn an_option_of_a_file_that_is_given_but_not_imported_is_not_left_out() {
    let options = (
        "options.proto",
        "syntax = \"proto3\"; package mine; import \"google/protobuf/descriptor.proto\";
         extend google.protobuf.FieldOptions { int32 x = 50000; }",
    );
    let error = compile_all(&[
        options,
        (
            "a.proto",
            "syntax = \"proto3\"; import \"gogo.proto\"; message M {\n  int32 n = 1 [(gogo.y) = 1, (mine.x) = 1];\n}",
        ),
    ])
    .unwrap_err()
    .to_string();
    assert!(
        error.starts_with(
            "a.proto:2:30: 'mine.x' is not defined here, expected an extension; it is in options.proto, which is not imported"
        ),
        "{error}"
    );
}

#[test]
fn a_rule_that_a_scope_around_hides_is_not_left_out() {
    // `google` is searched in mine.google first, and found there.
    let error = compile(
        "syntax = \"proto3\"; package mine.google; import \"google/api/annotations.proto\"; import \"gogo.proto\";
         message M {}
         service S {\n  rpc R(M) returns (M) { option (google.api.http).get = \"/\"; }\n}",
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.starts_with(
            "service.proto:4:26: 'google.api.http' is not defined, expected an extension (the innermost 'google' is searched, \
             'mine.google.api.http'; a leading dot starts at the top); import \"gogo.proto\" is not there"
        ),
        "{error}"
    );
}

#[test]
fn an_option_is_left_out_for_what_its_value_sets_in_brackets() {
    let with = |value: &str, import: &str| {
        format!(
            "syntax = \"proto3\"; package mine; {import} import \"google/protobuf/any.proto\";
             import \"google/protobuf/descriptor.proto\";
             message X {{ repeated int32 list = 1; google.protobuf.Any any = 2; }}
             extend google.protobuf.MessageOptions {{ X x = 50000; }}
             message M {{ option (x) = {{ {value} }}; }}"
        )
    };
    for (value, left) in [
        ("list: [1, 2]", "[mine.x]{list:[1,2]}"),
        ("list: [1] list: [2] any { }", "[mine.x]{list:[1,2],any{}}"),
        (
            "any { [a.b/mine.X] { list: 1 } }",
            "[mine.x]{any{[a.b/mine.X]{list:[1]}}}",
        ),
        ("any { [type.googleapis.com/gogo.Y] { } }", ""),
        ("any: { [type.googleapis.com/gogo.Y]: { } }", ""),
        ("[gogo.z]: 1", ""),
        ("list: 1, [gogo.z] < >", ""),
    ] {
        let schema = compile(&with(value, "import \"gogo.proto\";")).unwrap();
        let message = schema.pool().get_message_by_name("mine.M").unwrap();
        assert_eq!(message.options().to_string(), left, "{value}");
    }
    // Without such an import it is an error.
    compile(&with("[gogo.z]: 1", "")).unwrap_err();
}

#[test]
fn a_value_that_a_known_option_cannot_have_stays_an_error() {
    let http = "import \"google/api/annotations.proto\"; import \"gogo.proto\"; message M {}
                service S { rpc R(M) returns (M) { option (google.api.http) = { VALUE }; } }";
    for value in ["gte: \"/\"", "get: 3", "[gogo.x]: 1"] {
        let error = compile(&format!("syntax = \"proto3\"; {}", http.replace("VALUE", value))).unwrap_err();
        assert!(error.position.is_some(), "{error}");
    }
}

/// The set that a compiler would write, without the files that only options are of.
fn incomplete_set() -> Vec<RawFile> {
    let gogo = "syntax = \"proto3\"; package gogo; import \"google/protobuf/descriptor.proto\";
                extend google.protobuf.FieldOptions { bool nullable = 65001; string type = 65003; }
                extend google.protobuf.FileOptions { bool all = 63001; }
                message Type {}";
    let user = r#"syntax = "proto3"; package shop;
                import "google/api/annotations.proto"; import "gogo.proto";
                option (gogo.all) = true;
                message Book { string name = 1 [(gogo.nullable) = false, (gogo.type) = "x"]; int32 n = 2 [(gogo.nullable) = true]; }
                service Books { rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/{name}" }; } }"#;
    let set = set_of(&[("gogo.proto", gogo), ("shop.proto", user)]);
    let mut files = descriptor_set::read(&set, &mut Features::default()).unwrap();
    files.retain(|file| file.name() != "gogo.proto");
    files
}

#[test]
fn a_set_need_not_have_the_files_of_its_options() {
    let schema = compile_set(&incomplete_set()).unwrap();
    let method = schema.services()[0].methods().next().unwrap();
    assert_eq!(read(&method.options()), "[google.api.http]{get:\"/{name}\"}");
    assert_eq!(
        schema.left_out().unwrap(),
        "imports that are not given: gogo.proto; in shop.proto; options left out with them: number 63001 (1), \
         number 65001 (2), number 65003 (1)"
    );
}

#[test]
fn http_rules_of_a_set_are_read_whatever_path_their_file_was_imported_by() {
    let mut files = incomplete_set();
    files.retain(|file| file.name() == "shop.proto");
    files[0].dependency = vec!["third_party/google/api/annotations.proto".to_owned()];
    let schema = compile_set(&files).unwrap();
    let method = schema.services()[0].methods().next().unwrap();
    assert_eq!(read(&method.options()), "[google.api.http]{get:\"/{name}\"}");
}

#[test]
fn many_missing_imports_and_options_cost_no_more_than_they_are() {
    let mut text = String::from("syntax = \"proto2\";\n");
    for at in 0..10_000 {
        text += &format!("import public \"{at}.proto\";\n");
    }
    text += "message M {\n";
    for at in 0..10_000 {
        text += &format!("optional int32 f{at} = {} [(google.x{at}.y) = 1];\n", at + 1);
    }
    text += "}";
    let schema = compile(&text).unwrap();
    let left_out = schema.left_out().unwrap();
    assert!(left_out.ends_with("and 9992 more"), "{left_out}");
    assert!(left_out.len() < 2000);
}

#[test]
fn all_names_in_bundled_files_are_known_to_be_there() {
    for (name, file) in [
        (
            "google.rpc.context.AttributeContext.Peer",
            "google/rpc/context/attribute_context.proto",
        ),
        ("google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"),
        ("google.type.DayOfWeek", "google/type/dayofweek.proto"),
    ] {
        let text = format!("syntax = \"proto3\"; import \"a.proto\"; message M {{ {name} m = 1 [(x) = 1]; }}");
        let error = compile(&text).unwrap_err().to_string();
        assert!(
            error.contains(&format!(
                "it is in {file}, which is not imported: add import \"{file}\""
            )),
            "{error}"
        );
    }
}
