//! The blocks of code on a page, and YAML as JSON.

use serde_json::{Map, Number, Value};
use yaml_rust2::{Yaml, YamlLoader};

/// The blocks of a page in this language.
pub fn blocks<'page>(page: &'page str, language: &str) -> Vec<&'page str> {
    let parts = page.split("```").skip(1).step_by(2);
    parts
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

/// A YAML document as JSON, with its anchors in place.
///
/// # Panics
/// When the text is no YAML, or holds more than one document.
#[track_caller]
pub fn yaml(text: &str) -> Value {
    let documents = YamlLoader::load_from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let [document] = &documents[..] else {
        panic!("{} documents in {text}", documents.len());
    };
    json(document)
}

fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Real(text) => text
            .parse::<Number>()
            .map_or_else(|_| text.as_str().into(), Value::from),
        Yaml::Integer(number) => (*number).into(),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Boolean(flag) => (*flag).into(),
        Yaml::Array(items) => items.iter().map(json).collect(),
        Yaml::Hash(members) => {
            let member = |(key, value): (&Yaml, &Yaml)| (key.as_str().expect("a text as key").to_owned(), json(value));
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Yaml::Null => Value::Null,
        Yaml::Alias(_) | Yaml::BadValue => panic!("cannot be read: {yaml:?}"),
    }
}
