//! What is given twice, under another path than it is imported by, or in place of a bundled file that has more.

use super::*;

pub(super) const HTTP: &str = r#"syntax = "proto3"; package google.api;
message HttpRule {
  string selector = 1;
  oneof pattern { string get = 2; string put = 3; string post = 4; string delete = 5; string patch = 6; CustomHttpPattern custom = 8; }
  string body = 7;
  repeated HttpRule additional_bindings = 11;
}
message CustomHttpPattern { string kind = 1; string path = 2; }"#;

pub(super) const ANNOTATIONS: &str = r#"syntax = "proto3"; package google.api;
import "google/api/http.proto"; import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }"#;

pub(super) const USER: &str = r#"syntax = "proto3"; import "google/api/annotations.proto"; message M { string name = 1; }
service S { rpc R(M) returns (M) { option (google.api.http) = { get: "/{name}" }; } }"#;

fn all_errors(texts: &[(&str, &str)]) -> Vec<String> {
    let texts: Vec<_> = texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let errors = Schema::compile(Source::Protos(&texts), LIMIT).unwrap_err();
    errors.shown().iter().map(SchemaError::to_string).collect()
}

#[test]
fn what_two_files_define_is_defined_twice_and_nothing_else_is_wrong() {
    let other = "syntax = \"proto3\"; package a; message Type { Other other = 1; } message Other {}";
    let user = "syntax = \"proto3\"; import \"b/type.proto\"; message M { a.Type m = 1; }";
    assert_eq!(
        all_errors(&[("a/type.proto", other), ("b/type.proto", other), ("user.proto", user)]),
        ["b/type.proto:1:39: name 'a.Type' is also defined in a/type.proto: give a file under one path only"]
    );
    // Annotations import the bundled file, as they do everywhere.
    assert_eq!(
        all_errors(&[
            ("third_party/google/api/annotations.proto", ANNOTATIONS),
            ("third_party/google/api/http.proto", HTTP),
            ("user.proto", &USER.replace("google/api/", "third_party/google/api/")),
        ]),
        [
            "third_party/google/api/http.proto: name 'google.api.HttpRule' is also defined in the bundled \
             google/api/http.proto: give a file under one path only"
        ]
    );
    // As where a whole folder is given.
    assert_eq!(
        all_errors(&[
            ("third_party/google/api/annotations.proto", ANNOTATIONS),
            ("user.proto", USER)
        ]),
        [
            "third_party/google/api/annotations.proto: extension http has the number 72295728 of \
             google.protobuf.MethodOptions, which extension http has already, in the bundled google/api/annotations.proto"
        ]
    );
}

#[test]
fn a_name_that_only_the_bundled_file_has_tells_to_leave_out_the_given_one() {
    for empty in ["syntax = \"proto3\"; package google.api;", ""] {
        assert_eq!(
            all_errors(&[("google/api/annotations.proto", empty), ("user.proto", USER)]),
            [
                "user.proto:2:36: 'google.api.http' is not defined, expected an extension; the bundled \
                 google/api/annotations.proto has it, but the one that is given takes its place: leave that out"
            ]
        );
    }
}

#[test]
fn a_file_under_another_path_than_it_is_imported_by_is_said_once() {
    let mount = "syntax = \"proto3\"; package types; message Mount {} message Other {}";
    let user = "syntax = \"proto3\"; import \"types/mount.proto\"; import \"more.proto\";
                message NAME { types.Mount m = 1; types.Other n = 2; }";
    assert_eq!(
        all_errors(&[
            ("a.proto", &user.replace("NAME", "A")),
            ("api/types/mount.proto", mount),
            ("b.proto", &user.replace("NAME", "B")),
        ]),
        [
            "a.proto:2:29: 'types.Mount' is not defined here, expected a message or enum type; it is in \
             api/types/mount.proto, which is imported as \"types/mount.proto\": make the two paths the same"
        ]
    );
    assert_eq!(
        all_errors(&[("user.proto", &USER.replace("google/api/", "third_party/google/api/"))]),
        [
            "user.proto:2:36: 'google.api.http' is not defined here, expected an extension; it is in \
             google/api/annotations.proto, which is imported as \"third_party/google/api/annotations.proto\": make the two \
             paths the same"
        ]
    );
}

#[test]
fn a_missing_import_is_said_once_however_much_of_it_is_used() {
    let options: String = (0..6).map(|at| format!("import \"options/{at}.proto\"; ")).collect();
    let user = format!(
        "syntax = \"proto3\"; {options}import \"cosmos/base/v1beta1/coin.proto\"; import \"cosmos/bank/bank.proto\";
         message NAME {{\n cosmos.base.v1beta1.Coin a = 1;\n cosmos.base.v1beta1.DecCoin b = 2;\n cosmos.bank.Bank c = 3;\n Typo d = 4;\n}}"
    );
    let errors = all_errors(&[
        ("a.proto", &user.replace("NAME", "A")),
        ("b.proto", &user.replace("NAME", "B")),
    ]);
    let beginnings: Vec<_> = errors
        .iter()
        .map(|error| error.split(" (given").next().unwrap())
        .collect();
    let options = (0..5)
        .map(|at| format!("\"options/{at}.proto\""))
        .collect::<Vec<_>>()
        .join(", ");
    let typo =
        format!("'Typo' is not defined, expected a message or enum type; imports {options} and 3 more are not there");
    assert_eq!(
        beginnings,
        [
            "a.proto:3:2: 'cosmos.base.v1beta1.Coin' is not defined, expected a message or enum type; import \
             \"cosmos/base/v1beta1/coin.proto\" is not there",
            "a.proto:5:2: 'cosmos.bank.Bank' is not defined, expected a message or enum type; import \
             \"cosmos/bank/bank.proto\" is not there",
            &format!("a.proto:6:2: {typo}"),
            &format!("b.proto:6:2: {typo}"),
        ]
    );
}
