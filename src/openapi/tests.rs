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
    serde_json::from_slice(&document.at(b"/openapi.json").unwrap().body.concat()).unwrap()
}

/// Documents that are kept, each beside what it is made of: the bookstore, a resource-oriented API, and a store of keys.
#[test]
fn documents_are_those_that_are_kept() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/proto-fixtures");
    let mut differ = Vec::new();
    for (name, files) in [
        ("bookstore", &["bookstore.proto", "types.proto"][..]),
        ("fleet", &["fleet.proto"]),
        ("ledger", &["ledger.proto"]),
    ] {
        let protos: serde_json::Map<_, _> = files
            .iter()
            .map(|file| {
                let path = format!("{name}/v1/{file}");
                let text = std::fs::read_to_string(format!("{root}/{path}")).unwrap();
                (path, text.into())
            })
            .collect();
        let found = serde_json::to_string_pretty(&document(json!({ "protos": protos }))).unwrap() + "\n";
        let kept = std::fs::read_to_string(format!("{root}/{name}/openapi.json")).unwrap_or_default();
        if found != kept {
            // For a look, and to be copied over.
            let new = format!("target/{name}-openapi.json");
            std::fs::write(format!("{}/{new}", env!("CARGO_MANIFEST_DIR")), found).unwrap();
            differ.push(new);
        }
    }
    assert_eq!(differ, [""; 0], "these differ from what is in proto-fixtures");
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
fn a_body_is_required_where_a_field_of_it_is_but_not_of_an_update() {
    let text = r#"
        message M { string name = 1 [(google.api.field_behavior) = REQUIRED]; string other = 2; M m = 3; }
        message Of { M m = 1 [(google.api.field_behavior) = REQUIRED]; M other = 2; string name = 3; }
        service S {
          rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; }
          rpc Named(M) returns (M) { option (google.api.http) = { post: "/{name}" body: "*" }; }
          rpc Patch(M) returns (M) { option (google.api.http) = { patch: "/m" body: "*" }; }
          rpc PostM(Of) returns (M) { option (google.api.http) = { post: "/of/m" body: "m" }; }
          rpc PatchM(Of) returns (M) { option (google.api.http) = { patch: "/of/m" body: "m" }; }
          rpc PostOther(Of) returns (M) { option (google.api.http) = { post: "/of/other" body: "other" }; }
        }"#;
    let document = of("proto3", text, json!({}));
    let all = json!({ "$ref": "#/components/schemas/p.M-Input" });
    for (path, http_method, required, schema) in [
        ("/m", "post", true, Some(&all)),
        ("/{name}", "post", false, None),
        ("/m", "patch", false, None),
        ("/of/m", "post", true, Some(&all)),
        ("/of/m", "patch", true, None),
        (
            "/of/other",
            "post",
            false,
            Some(&json!({ "anyOf": [all, { "type": "null" }] })),
        ),
    ] {
        let body = &document["paths"][path][http_method]["requestBody"];
        assert_eq!(body["required"] == true, required, "{http_method} {path}");
        let found = &body["content"]["application/json"]["schema"];
        match schema {
            Some(schema) => assert_eq!(found, schema, "{http_method} {path}"),
            None => assert_eq!(found["required"], Value::Null, "{http_method} {path}"),
        }
    }
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
    let bytes = json!({ "schema": { "type": "string", "format": "binary" } });
    assert_eq!(
        at("/paths/~1api~1raw/put/requestBody/content"),
        json!({ "application/octet-stream": bytes })
    );
    assert_eq!(
        at("/paths/~1api~1raw/put/responses/200/content"),
        json!({ "*/*": bytes })
    );
    // Of answers of several types, openapi-generator makes TypeScript that doesn't compile.
    assert_eq!(
        at("/paths/~1api~1raw/put/responses/2XX/content"),
        json!({ "*/*": bytes })
    );
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

/// grpc-gateway's options, as far as they are read.
const SWAGGER: &str = r#"
    syntax = "proto3";
    package grpc.gateway.protoc_gen_openapiv2.options;
    import "google/protobuf/descriptor.proto";
    import "google/protobuf/struct.proto";
    extend google.protobuf.FileOptions { Swagger openapiv2_swagger = 1042; }
    extend google.protobuf.MethodOptions { Operation openapiv2_operation = 1042; }
    extend google.protobuf.MessageOptions { Schema openapiv2_schema = 1042; }
    extend google.protobuf.EnumOptions { EnumSchema openapiv2_enum = 1042; }
    extend google.protobuf.ServiceOptions { Tag openapiv2_tag = 1042; }
    extend google.protobuf.FieldOptions { JSONSchema openapiv2_field = 1042; }
    message Swagger {
      Info info = 2;
      map<string, Response> responses = 10;
      SecurityDefinitions security_definitions = 11;
      repeated SecurityRequirement security = 12;
      repeated Tag tags = 13;
      ExternalDocumentation external_docs = 14;
      map<string, google.protobuf.Value> extensions = 15;
    }
    message Info {
      string title = 1; string description = 2; string terms_of_service = 3; Contact contact = 4; License license = 5;
      string version = 6;
    }
    message Contact { string name = 1; string url = 2; string email = 3; }
    message License { string name = 1; string url = 2; }
    message ExternalDocumentation { string description = 1; string url = 2; }
    message Operation {
      repeated string tags = 1; string summary = 2; string description = 3; ExternalDocumentation external_docs = 4;
      string operation_id = 5; map<string, Response> responses = 9; bool deprecated = 11;
      repeated SecurityRequirement security = 12; map<string, google.protobuf.Value> extensions = 13;
      Parameters parameters = 14;
    }
    message Parameters { repeated HeaderParameter headers = 1; }
    message HeaderParameter {
      enum Type { UNKNOWN = 0; STRING = 1; NUMBER = 2; INTEGER = 3; BOOLEAN = 4; }
      string name = 1; string description = 2; Type type = 3; string format = 4; bool required = 5;
    }
    message Response { string description = 1; map<string, Header> headers = 3; map<string, string> examples = 4; }
    message Header { string description = 1; string type = 2; string format = 3; string default = 6; string pattern = 13; }
    message Tag { string name = 1; string description = 2; ExternalDocumentation external_docs = 3; }
    message Schema { JSONSchema json_schema = 1; ExternalDocumentation external_docs = 5; string example = 6; }
    message EnumSchema { string description = 1; string title = 3; string example = 7; }
    message JSONSchema {
      string title = 5; string description = 6; string default = 7; bool read_only = 8; string example = 9;
      double multiple_of = 10; double maximum = 11; bool exclusive_maximum = 12; double minimum = 13;
      bool exclusive_minimum = 14; uint64 max_length = 15; uint64 min_length = 16; string pattern = 17;
      uint64 max_items = 20; uint64 min_items = 21; bool unique_items = 22; uint64 max_properties = 24;
      uint64 min_properties = 25; repeated string required = 26; string format = 36; repeated string enum = 46;
      FieldConfiguration field_configuration = 1001; map<string, google.protobuf.Value> extensions = 48;
      message FieldConfiguration { bool deprecated = 49; }
    }
    message SecurityDefinitions { map<string, SecurityScheme> security = 1; }
    message SecurityScheme {
      enum Type { TYPE_INVALID = 0; TYPE_BASIC = 1; TYPE_API_KEY = 2; TYPE_OAUTH2 = 3; }
      enum In { IN_INVALID = 0; IN_QUERY = 1; IN_HEADER = 2; }
      enum Flow { FLOW_INVALID = 0; FLOW_IMPLICIT = 1; FLOW_PASSWORD = 2; FLOW_APPLICATION = 3; FLOW_ACCESS_CODE = 4; }
      Type type = 1; string description = 2; string name = 3; In in = 4; Flow flow = 5; string authorization_url = 6;
      string token_url = 7; Scopes scopes = 8;
    }
    message SecurityRequirement {
      message SecurityRequirementValue { repeated string scope = 1; }
      map<string, SecurityRequirementValue> security_requirement = 1;
    }
    message Scopes { map<string, string> scope = 1; }
"#;

/// The document of a file with this text behind its imports and the options that are in front of a package's elements.
fn of_swagger(swagger: &str, text: &str, openapi: Value) -> Value {
    let text = format!(
        r#"syntax = "proto3"; package p;
        import "google/api/annotations.proto";
        import "protoc-gen-openapiv2/options/annotations.proto";
        option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_swagger) = {{ {swagger} }};
        {}"#,
        text.replace("(openapiv2_", "(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_")
    );
    document(json!({
        "protos": { "protoc-gen-openapiv2/options/annotations.proto": SWAGGER, "p.proto": text },
        "openapi": openapi,
    }))
}

#[test]
fn grpc_gateways_options_describe_the_whole() {
    let swagger = r#"
        info {
          title: "T" terms_of_service: "https://example.com/terms"
          contact { name: "C" url: "https://example.com" email: "c@example.com" } license { name: "L" }
        }
        external_docs { description: "D" url: "https://example.com/docs" }
        tags { name: "S" description: "Of S" external_docs { url: "https://example.com/s" } }
        tags { name: "t" description: "Of t" }
        extensions { key: "x-one" value { struct_value { fields { key: "a" value { list_value {
          values { number_value: 3 } values { bool_value: true } values { null_value: NULL_VALUE }
        } } } } } }
        extensions { key: "other" value { string_value: "no" } }
        security_definitions {
          security { key: "basic" value { type: TYPE_BASIC description: "B" } }
          security { key: "key" value { type: TYPE_API_KEY in: IN_HEADER name: "x-key" } }
          security { key: "oauth" value {
            type: TYPE_OAUTH2 flow: FLOW_ACCESS_CODE authorization_url: "https://a" token_url: "https://t"
            scopes { scope { key: "read" value: "Reads" } }
          } }
          security { key: "none" value {} }
        }
        security { security_requirement { key: "key" value {} } security_requirement { key: "basic" value {} } }
        security { security_requirement { key: "oauth" value { scope: "read" } } }
    "#;
    let text = r#"
        message M {}
        service S {
          rpc Get(M) returns (M) { option (google.api.http) = { get: "/m" }; }
          rpc Open(M) returns (M) {
            option (google.api.http) = { get: "/open" };
            option (openapiv2_operation) = { security {} };
          }
          rpc Own(M) returns (M) {
            option (google.api.http) = { get: "/own" };
            option (openapiv2_operation) = { security { security_requirement { key: "key" value {} } } };
          }
          rpc Lost(M) returns (M) {
            option (google.api.http) = { get: "/lost" };
            option (openapiv2_operation) = { security { security_requirement { key: "lost" value {} } } };
          }
        }"#;
    let whole = of_swagger(swagger, text, json!({}));
    assert_eq!(
        whole["info"],
        json!({
            "title": "T", "version": "unversioned", "termsOfService": "https://example.com/terms",
            "contact": { "name": "C", "url": "https://example.com", "email": "c@example.com" }, "license": { "name": "L" },
        })
    );
    assert_eq!(
        whole["externalDocs"],
        json!({ "description": "D", "url": "https://example.com/docs" })
    );
    assert_eq!(
        whole["tags"],
        json!([
            { "name": "S", "description": "Of S", "externalDocs": { "url": "https://example.com/s" } },
            { "name": "t", "description": "Of t" },
        ])
    );
    assert_eq!(
        (&whole["x-one"], &whole["other"]),
        (&json!({ "a": [3, true, null] }), &Value::Null)
    );
    assert_eq!(
        whole["components"]["securitySchemes"],
        json!({
            "basic": { "type": "http", "scheme": "basic", "description": "B" },
            "key": { "type": "apiKey", "name": "x-key", "in": "header" },
            "oauth": { "type": "oauth2", "flows": { "authorizationCode": {
                "authorizationUrl": "https://a", "tokenUrl": "https://t", "scopes": { "read": "Reads" },
            } } },
        })
    );
    assert_eq!(
        whole["security"],
        json!([{ "basic": [], "key": [] }, { "oauth": ["read"] }])
    );
    let asked = |document: &Value| {
        ["/m", "/open", "/own", "/lost"].map(|path| document["paths"][path]["get"].get("security").cloned())
    };
    let own = Some(json!([{ "key": [] }]));
    assert_eq!(asked(&whole), [None, Some(json!([])), own, None]);
    // What the configuration says takes the place of all that.
    let configured = json!({ "security": { "token": { "type": "http", "scheme": "bearer" } } });
    let whole = of_swagger(swagger, text, json!({ "security": configured["security"] }));
    assert_eq!(whole["security"], json!([{ "token": [] }]));
    assert_eq!(whole["components"]["securitySchemes"], configured["security"]);
    assert_eq!(asked(&whole), [None, Some(json!([])), None, None]);
}

#[test]
fn grpc_gateways_options_describe_operations() {
    let swagger = r#"responses { key: "404" value { description: "Not there." } }"#;
    let text = r#"
        message M {}
        service S {
          option (openapiv2_tag) = { name: "Its own" external_docs { url: "https://example.com" } };
          rpc Get(M) returns (M) {
            option (google.api.http) = { get: "/m" };
            option (openapiv2_operation) = {
              external_docs { url: "https://example.com/get" }
              responses { key: "200" value {
                description: "Found." examples { key: "application/json" value: "{\"a\": 1}" }
                headers { key: "x-rate" value { description: "Left." type: "integer" format: "int64" default: "5" } }
              } }
              responses { key: "201" value { description: "Made." } }
              responses { key: "204" value { description: "Nothing." } }
              responses { key: "4XX" value { description: "Not a status." } }
              responses { key: "default" value { description: "Else." } }
              parameters { headers { name: "x-tenant" description: "Whose." type: INTEGER required: true } }
              extensions { key: "x-two" value { number_value: 1.5 } }
            };
          }
        }"#;
    let document = of_swagger(swagger, text, json!({}));
    assert_eq!(
        document["tags"],
        json!([{ "name": "Its own", "externalDocs": { "url": "https://example.com" } }])
    );
    let operation = &document["paths"]["/m"]["get"];
    assert_eq!(operation["tags"], json!(["Its own"]));
    assert_eq!(operation["operationId"], "S_Get");
    assert_eq!(operation["externalDocs"]["url"], "https://example.com/get");
    assert_eq!(operation["x-two"], 1.5);
    assert_eq!(
        operation["parameters"],
        json!([{
            "name": "x-tenant", "in": "header", "description": "Whose.", "required": true, "schema": { "type": "integer" },
        }])
    );
    let responses = &operation["responses"];
    let order: Vec<_> = responses.as_object().unwrap().keys().collect();
    assert_eq!(order, ["200", "404", "201", "204", "2XX", "default"]);
    let (content, failure) = (
        json!({ "application/json": { "schema": { "$ref": "#/components/schemas/p.M" } } }),
        json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Gateway-Error" } } }),
    );
    assert_eq!(
        responses["200"],
        json!({
            "description": "Found.",
            "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/p.M" }, "example": { "a": 1 },
            } },
            "headers": { "x-rate": {
                "description": "Left.", "schema": { "type": "integer", "format": "int64", "default": 5 },
            } },
        })
    );
    assert_eq!(responses["201"], json!({ "description": "Made.", "content": content }));
    assert_eq!(responses["204"], json!({ "description": "Nothing." }));
    assert_eq!(
        responses["404"],
        json!({ "description": "Not there.", "content": failure })
    );
    assert_eq!(
        responses["default"],
        json!({ "description": "Else.", "content": failure })
    );
}

#[test]
fn grpc_gateways_options_describe_values() {
    let text = r#"
        message M {
          option (openapiv2_schema) = {
            json_schema { title: "An M" description: "What it is." required: "must" required: "mustToo" }
            example: "{\"must\": \"x\"}"
            external_docs { url: "https://example.com" }
          };
          // A comment.
          string must = 1 [(openapiv2_field) = {
            title: "Must" description: "Its own." pattern: "^x" min_length: 1 max_length: 9 format: "uuid"
            example: "\"xy\"" default: "x" extensions { key: "x-f" value { bool_value: true } }
          }];
          int32 must_too = 2 [(openapiv2_field) = { maximum: 10 exclusive_maximum: true minimum: 1 multiple_of: 0.5 }];
          string made = 3 [(openapiv2_field) = { read_only: true }];
          repeated string list = 4 [(openapiv2_field) = {
            max_items: 3 min_items: 1 unique_items: true pattern: "^none$" example: "[\"a\"]"
          }];
          map<string, string> map = 5 [(openapiv2_field) = { max_properties: 3 min_properties: 1 }];
          int64 long = 6 [(openapiv2_field) = { pattern: "^none$" required: "long" example: "12" }];
          string choice = 7 [(openapiv2_field) = { enum: "a" enum: "b" field_configuration { deprecated: true } }];
          E e = 8;
          string number = 9 [(openapiv2_field) = { example: "12" }];
        }
        enum E { option (openapiv2_enum) = { title: "An E" description: "What." example: "\"A\"" }; A = 0; }
        service S {
          rpc Post(M) returns (M) { option (google.api.http) = { post: "/m" body: "*" }; }
          rpc Get(M) returns (M) { option (google.api.http) = { get: "/m" }; }
        }"#;
    let document = of_swagger("", text, json!({}));
    let (sent, printed) = (
        &document["components"]["schemas"]["p.M-Input"],
        &document["components"]["schemas"]["p.M"],
    );
    assert_eq!(sent["required"], json!(["must", "mustToo", "long"]));
    for schema in [sent, printed] {
        assert_eq!(
            (&schema["title"], &schema["description"]),
            (&json!("An M"), &json!("What it is."))
        );
        assert_eq!(schema["examples"], json!([{ "must": "x" }]));
        assert_eq!(schema["externalDocs"]["url"], "https://example.com");
        let field = |name: &str| schema["properties"][name].clone();
        assert_eq!(
            field("must"),
            json!({
                "type": "string", "title": "Must", "default": "x", "examples": ["xy"], "format": "uuid", "pattern": "^x",
                "maxLength": 9, "minLength": 1, "x-f": true, "description": "Its own.",
            })
        );
        let bounded = field("mustToo");
        assert_eq!(
            ["exclusiveMaximum", "minimum", "multipleOf"].map(|name| bounded[name].clone()),
            [json!(10), json!(1), json!(0.5)]
        );
        let list = field("list");
        assert_eq!(
            ["maxItems", "minItems", "uniqueItems", "pattern"].map(|name| list[name].clone()),
            [json!(3), json!(1), json!(true), Value::Null]
        );
        assert_eq!(list["examples"], json!([["a"]]));
        assert_eq!(
            (&field("map")["maxProperties"], &field("map")["minProperties"]),
            (&json!(3), &json!(1))
        );
        assert_ne!(field("long")["pattern"], "^none$");
        assert_eq!(field("choice")["deprecated"], true);
        assert_eq!(field("number")["examples"], json!(["12"]));
    }
    assert_eq!(sent["properties"]["choice"]["enum"], json!(["a", "b", null]));
    assert_eq!(printed["properties"]["choice"]["enum"], json!(["a", "b"]));
    assert_eq!(
        (&sent["properties"]["made"], &printed["properties"]["made"]["type"]),
        (&Value::Null, &json!("string"))
    );
    let of_enum = &document["components"]["schemas"]["p.E"];
    assert_eq!(
        ["title", "description", "examples"].map(|name| of_enum[name].clone()),
        [json!("An E"), json!("What."), json!(["A"])]
    );
    let parameters = document["paths"]["/m"]["get"]["parameters"].as_array().unwrap();
    assert_eq!(parameters[0]["required"], true);
    assert_eq!(parameters[0]["description"], "Its own.");
    assert_eq!(parameters[0]["schema"]["pattern"], "^x");
}

#[test]
fn what_grpc_gateways_options_say_wins() {
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
        "protos": { "protoc-gen-openapiv2/options/annotations.proto": SWAGGER, "p.proto": text },
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
