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
fn the_document_of_the_bookstore_is_the_one_that_was_read_by_a_person() {
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
