//! Documents of whole configurations, as clients get them.

use serde_json::{Value, json};

use crate::config::Plugin;

/// The document of a configuration, to which this adds a path for it.
fn document(mut configuration: Value) -> Value {
    if configuration.get("openapi").is_none() {
        configuration["openapi"] = json!({});
    }
    configuration["openapi"]["path"] = json!("/openapi.json");
    let plugin = match Plugin::load(configuration.to_string().as_bytes(), 7) {
        Ok(plugin) => plugin,
        Err(error) => panic!("{error}"),
    };
    let document = plugin.openapi.unwrap();
    serde_json::from_slice(&document.at(b"/openapi.json").unwrap().body).unwrap()
}

const BOOKSTORE: [(&str, &str); 2] = [
    (
        "bookstore/v1/bookstore.proto",
        include_str!("../../proto-fixtures/bookstore/v1/bookstore.proto"),
    ),
    (
        "bookstore/v1/types.proto",
        include_str!("../../proto-fixtures/bookstore/v1/types.proto"),
    ),
];

fn bookstore() -> Value {
    let protos: serde_json::Map<_, _> = BOOKSTORE
        .map(|(name, text)| (name.to_owned(), text.into()))
        .into_iter()
        .collect();
    json!({ "protos": protos })
}

/// Compares a document with the one that is kept; where they differ, the new one is left beside the build for a look.
#[test]
fn the_document_of_the_bookstore_is_the_one_that_is_kept() {
    let found = serde_json::to_string_pretty(&document(bookstore())).unwrap() + "\n";
    let root = env!("CARGO_MANIFEST_DIR");
    let kept = std::fs::read_to_string(format!("{root}/proto-fixtures/bookstore/openapi.json")).unwrap_or_default();
    if found != kept {
        std::fs::write(format!("{root}/target/bookstore-openapi.json"), found).unwrap();
        panic!(
            "proto-fixtures/bookstore/openapi.json is out of date: read target/bookstore-openapi.json, and copy it over"
        );
    }
}

const HEAD: &str = r#"
    package p;
    import "google/api/annotations.proto";
    import "google/api/field_behavior.proto";
    import "google/api/resource.proto";
    import "google/api/visibility.proto";
    import "google/api/httpbody.proto";
"#;

/// The document of a file with this text behind its syntax and imports.
fn of(syntax: &str, text: &str, more: Value) -> Value {
    let mut configuration = more;
    configuration["proto"] = json!(format!("syntax = \"{syntax}\"; {HEAD} {text}"));
    document(configuration)
}

/// The names of an object, sorted.
fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn each_side_has_the_fields_that_are_its_own() {
    let text = r#"
        message M {
          string plain = 1;
          string must = 2 [(google.api.field_behavior) = REQUIRED];
          string made = 3 [(google.api.field_behavior) = OUTPUT_ONLY];
          string secret = 4 [(google.api.field_behavior) = INPUT_ONLY];
          string old = 5 [deprecated = true];
        }
        service S {
          rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; }
          rpc Get(M) returns (M) { option (google.api.http) = { get: "/m" }; }
        }"#;
    let document = of("proto3", text, json!({}));
    let schemas = &document["components"]["schemas"];
    let (sent, printed) = (&schemas["p.M-Input"], &schemas["p.M"]);
    assert_eq!(names(&sent["properties"]), ["must", "old", "plain", "secret"]);
    assert_eq!(names(&printed["properties"]), ["made", "must", "old", "plain"]);
    assert_eq!(
        (&sent["required"], &printed["required"]),
        (&json!(["must"]), &Value::Null)
    );
    assert_eq!(sent["properties"]["old"]["deprecated"], true);
    let parameters = document["paths"]["/m"]["get"]["parameters"].as_array().unwrap();
    let shown: Vec<_> = parameters
        .iter()
        .map(|parameter| (parameter["name"].as_str().unwrap(), parameter["required"] == true))
        .collect();
    assert_eq!(
        shown,
        [("plain", false), ("must", true), ("secret", false), ("old", false)]
    );
}

#[test]
fn what_is_restricted_is_shown_to_whom_it_is_for() {
    let text = r#"
        message M {
          string open = 1;
          string inner = 2 [(google.api.field_visibility).restriction = "INTERNAL, PARTNER"];
        }
        service S {
          rpc Get(M) returns (M) { option (google.api.http) = { get: "/m" }; }
          rpc Try(M) returns (M) {
            option (google.api.http) = { get: "/try" };
            option (google.api.method_visibility).restriction = "INTERNAL";
          }
        }
        service Hidden {
          option (google.api.api_visibility).restriction = "INTERNAL";
          rpc Get(M) returns (M) { option (google.api.http) = { get: "/hidden" }; }
        }"#;
    for (openapi, paths, fields) in [
        (json!({}), &["/m"][..], &["open"][..]),
        (json!({ "include": ["PARTNER"] }), &["/m"], &["inner", "open"]),
        (
            json!({ "include": ["INTERNAL"] }),
            &["/hidden", "/m", "/try"],
            &["inner", "open"],
        ),
        (
            json!({ "include": ["INTERNAL"], "exclude": ["p.Hidden.*", "p.S.Get"] }),
            &["/try"],
            &["inner", "open"],
        ),
    ] {
        let document = of("proto3", text, json!({ "openapi": openapi }));
        assert_eq!(names(&document["paths"]), paths, "{openapi}");
        assert_eq!(
            names(&document["components"]["schemas"]["p.M"]["properties"]),
            fields,
            "{openapi}"
        );
    }
}

#[test]
fn proto2_says_what_is_required_and_what_is_meant_without() {
    let text = r#"
        message M { required string must = 1; optional int32 count = 2 [default = 7]; optional E e = 3; }
        enum E { A = 0; B = 3; }
        service S { rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; } }"#;
    let document = of("proto2", text, json!({}));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["p.M-Input"]["required"], json!(["must"]));
    assert_eq!(schemas["p.M"]["required"], json!(["must"]));
    assert_eq!(schemas["p.M"]["properties"]["count"]["default"], 7);
    assert_eq!(schemas["p.E"], json!({ "type": "string", "enum": ["A", "B"] }));
    assert_eq!(document["paths"]["/m"]["post"]["requestBody"]["required"], true);
}

#[test]
fn settings_of_json_are_those_of_the_document() {
    let text = r#"
        message M { int64 long_one = 1; Genre genre = 2; optional int32 maybe = 3; repeated M more = 4; }
        enum Genre { GENRE_NONE = 0; GENRE_FANTASY = 1; }
        service S { rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; } }"#;
    let schema = |json: Value, path: &str| {
        let document = of("proto3", text, json!({ "json": json }));
        document["components"]["schemas"]
            .pointer(path)
            .cloned()
            .unwrap_or_default()
    };
    for (json, path, expected) in [
        (json!({}), "/p.M/properties/longOne/type", json!("string")),
        (
            json!({ "unquote_int64_if_possible": true }),
            "/p.M/properties/longOne/type",
            json!(["integer", "string"]),
        ),
        (
            json!({ "preserve_proto_field_names": true }),
            "/p.M/properties/long_one/type",
            json!("string"),
        ),
        (
            json!({}),
            "/p.Genre/anyOf/0/enum",
            json!(["GENRE_NONE", "GENRE_FANTASY"]),
        ),
        (
            json!({ "strip_enum_prefix": true }),
            "/p.Genre/anyOf/0/enum",
            json!(["NONE", "FANTASY"]),
        ),
        (
            json!({ "always_print_enums_as_ints": true }),
            "/p.M/properties/genre/type",
            json!("integer"),
        ),
        (json!({}), "/p.M/required", Value::Null),
        (
            json!({ "always_print_fields_with_no_presence": true }),
            "/p.M/required",
            json!(["longOne", "genre", "more"]),
        ),
        (
            json!({ "unknown_fields": "reject" }),
            "/p.M-Input/additionalProperties",
            json!(false),
        ),
        (json!({}), "/p.M-Input/additionalProperties", Value::Null),
    ] {
        assert_eq!(schema(json.clone(), path), expected, "{json} {path}");
    }
}

#[test]
fn bodies_and_answers_are_those_of_the_binding() {
    let text = r#"
        message M { string id = 1; M m = 2; repeated string tags = 3; google.api.HttpBody raw = 4; }
        service S {
          rpc Part(M) returns (M) { option (google.api.http) = { post: "/part/{m.id}" body: "m" response_body: "tags" }; }
          rpc Rest(M) returns (M) { option (google.api.http) = { post: "/rest/{id}" body: "*" }; }
          rpc Raw(M) returns (google.api.HttpBody) { option (google.api.http) = { put: "/raw" body: "raw" }; }
          rpc Stream(stream M) returns (stream M) { option (google.api.http) = { post: "/stream" body: "*" }; }
          rpc Odd(M) returns (M) { option (google.api.http) = { custom { kind: "REPORT" path: "/odd" } }; }
          rpc Any(M) returns (M) { option (google.api.http) = { custom { kind: "*" path: "/any" } body: "*" }; }
        }"#;
    let more = json!({
        "success_status": [{ "selector": "p.S.Rest", "status": 204 }],
        "base_path": "/api",
        "transforms": [{ "request": [{ "set": { "field": "id", "value": "x" } }], "selector": "p.S.Rest" }],
    });
    let document = of("proto3", text, more);
    let at = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    let part = "/paths/~1api~1part~1{m_id}/post";
    let body = at(&format!(
        "{part}/requestBody/content/application~1json/schema/properties"
    ));
    assert_eq!(names(&body), ["m", "raw", "tags"]);
    assert_eq!(
        at(&format!("{part}/responses/200/content/application~1json/schema")),
        json!({ "type": "array", "items": { "type": "string" } })
    );
    let parameters = at(&format!("{part}/parameters"));
    let parameters: Vec<_> = parameters.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(parameters, ["m_id", "id", "tags", "raw.contentType", "raw.data"]);
    let rest = "/paths/~1api~1rest~1{id}/post";
    assert_eq!(at(&format!("{rest}/responses/204/content")), Value::Null);
    let body = at(&format!(
        "{rest}/requestBody/content/application~1json/schema/properties"
    ));
    assert_eq!(names(&body), ["m", "raw", "tags"]);
    assert_eq!(
        names(&at("/paths/~1api~1raw/put/requestBody/content")),
        ["application/octet-stream"]
    );
    assert_eq!(names(&at("/paths/~1api~1raw/put/responses/200/content")), ["*/*"]);
    let stream = "/paths/~1api~1stream/post";
    assert_eq!(
        names(&at(&format!("{stream}/requestBody/content"))),
        ["application/json", "application/x-ndjson"]
    );
    assert_eq!(
        names(&at(&format!("{stream}/responses/200/content"))),
        ["application/json", "application/x-ndjson", "text/event-stream"]
    );
    assert_eq!(names(&at("/paths/~1api~1odd")), ["description"]);
    assert_eq!(names(&at("/paths/~1api~1any")), ["patch", "post", "put"]);
}

#[test]
fn what_grpc_gateways_options_say_wins() {
    let options = r#"
        syntax = "proto3";
        package grpc.gateway.protoc_gen_openapiv2.options;
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.FileOptions { Swagger openapiv2_swagger = 1042; }
        extend google.protobuf.MethodOptions { Operation openapiv2_operation = 1042; }
        extend google.protobuf.ServiceOptions { Tag openapiv2_tag = 1042; }
        message Swagger { Info info = 2; }
        message Info { string title = 1; string description = 2; string version = 6; }
        message Operation { repeated string tags = 1; string summary = 2; string operation_id = 5; bool deprecated = 11; }
        message Tag { string name = 1; string description = 2; }
    "#;
    let text = r#"
        syntax = "proto3";
        package p;
        import "google/api/annotations.proto";
        import "protoc-gen-openapiv2/options/annotations.proto";
        option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_swagger) = { info { title: "A title" version: "3" } };
        message M {}
        // A comment.
        service S {
          option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_tag) = { description: "A tag" };
          // Another comment.
          rpc Get(M) returns (M) {
            option (google.api.http) = { get: "/m" additional_bindings { get: "/n" } };
            option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation) = {
              summary: "Its own" operation_id: "getM" tags: ["t"] deprecated: true
            };
          }
        }
    "#;
    let configuration = json!({
        "protos": { "protoc-gen-openapiv2/options/annotations.proto": options, "p.proto": text },
        "openapi": { "version": "4" },
    });
    let document = document(configuration);
    assert_eq!(
        document["info"],
        json!({ "title": "A title", "description": "A comment.", "version": "4" })
    );
    assert_eq!(document["tags"], json!([{ "name": "S", "description": "A tag" }]));
    let operation = &document["paths"]["/m"]["get"];
    assert_eq!(operation["summary"], "Its own");
    assert_eq!(operation["tags"], json!(["t"]));
    assert_eq!(operation["deprecated"], true);
    assert_eq!(operation["operationId"], "getM");
    assert_eq!(document["paths"]["/n"]["get"]["operationId"], "getM2");
}
