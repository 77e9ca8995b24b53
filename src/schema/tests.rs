use super::*;

const LIMIT: usize = 1 << 20;

fn compile(text: &str) -> Result<Schema, SchemaError> {
    Schema::compile(Source::Proto(text), LIMIT)
}

fn error(text: &str) -> String {
    compile(text).unwrap_err().to_string()
}

fn compile_all(texts: &[(&str, &str)]) -> Result<Schema, SchemaError> {
    let texts: Vec<_> = texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Schema::compile(Source::Protos(&texts), LIMIT)
}

#[test]
fn a_service_with_annotations_compiles_and_keeps_them() {
    let schema = compile(
        r#"syntax = "proto3";
        package shop.v1;
        import "google/api/annotations.proto";
        import "google/protobuf/timestamp.proto";
        message Book { string name = 1; google.protobuf.Timestamp made = 2; map<string, Book> parts = 3; }
        service Books { rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/v1/{name=books/*}" additional_bindings { post: "/x" body: "*" } }; } }"#,
    )
    .unwrap();
    let service = &schema.services()[0];
    assert_eq!(service.full_name(), "shop.v1.Books");
    let method = service.methods().next().unwrap();
    let extension = schema.pool().get_extension_by_name("google.api.http").unwrap();
    assert!(method.options().has_extension(&extension));
    assert!(
        method
            .options()
            .get_extension(&extension)
            .to_string()
            .contains("/v1/{name=books/*}")
    );
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
fn zz_time() {
    let mut texts = vec![];
    for file in 0..41 {
        let mut text = format!(
            "syntax = \"proto3\";\npackage load.v{file};\nimport \"google/api/annotations.proto\";\nimport \"google/protobuf/timestamp.proto\";\n"
        );
        if file > 0 {
            text += &format!("import \"load/f{}.proto\";\n", file - 1);
        }
        let mut m = 0;
        while text.len() < 25_500 {
            text += &format!(
                "// A comment line that says what the message {m} is for, as people write.\nmessage Message{m} {{\n  // name\n  string display_name = 1;\n  repeated int32 numbers = 2;\n  Kind kind = 3;\n  map<string, Message{m}> children = 4;\n  google.protobuf.Timestamp create_time = 5;\n  enum Kind {{ KIND_UNSPECIFIED = 0; KIND_A = 1; KIND_B = 2; }}\n  oneof choice {{ string a = 6; int64 b = 7; }}\n}}\nservice Service{m} {{ rpc Get(Message{m}) returns (Message{m}) {{ option (google.api.http) = {{ get: \"/v{file}/{m}/{{display_name}}\" }}; }} }}\n"
            );
            m += 1;
        }
        texts.push((format!("load/f{file}.proto"), text));
    }
    eprintln!("{} bytes", texts.iter().map(|t| t.1.len()).sum::<usize>());
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let schema = Schema::compile(Source::Protos(&texts), 2 << 20).unwrap();
        let t1 = start.elapsed();
        let tables = tables::Tables::build(schema.pool(), schema.features(), 1);
        eprintln!("compile {t1:?} tables {:?}", start.elapsed() - t1);
        drop(tables);
    }
    let start = std::time::Instant::now();
    compile("syntax = \"proto3\"; import \"google/api/annotations.proto\";").unwrap();
    eprintln!("small {:?}", start.elapsed());
}
