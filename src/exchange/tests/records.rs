//! Submessages: what path, query and body say of one message is one record, whatever they are.

use std::collections::BTreeMap;

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value};

use super::*;
use crate::codec::single_records::assert_single_records;
use crate::schema::{Schema, Source};

const SCHEMA: &str = r#"
    syntax = "proto2";
    package test;
    service S { rpc A(M) returns (M); }
    message M {
      optional string a = 1;
      optional int32 bee_two = 2;
      optional M m = 3;
      optional group G = 4 { optional string a = 1; optional M m = 2; optional group G = 3 { optional string a = 1; } }
      repeated string r = 5;
      map<string, string> l = 6;
      oneof choice { string x = 7; M o = 8; }
      optional Inner inner = 9;
    }
    message Inner { optional string a = 1; optional M m = 2; repeated int32 r = 3; }
"#;

/// The ways from `M` to its fields that have a value, as the `.proto` names them; `m`, `o` and `inner` lead on.
const LEAVES: [&str; 4] = ["a", "bee_two", "x", "r"];
const WAYS: [&str; 8] = ["", "m.", "m.m.", "g.", "g.m.", "inner.", "inner.m.", "m.o."];

/// A leaf of `M`, and a value for it.
fn leaf(random: &mut Random) -> (String, String) {
    let way = WAYS[random.below(WAYS.len())];
    let name = match way {
        "g." => "a",
        "inner." => ["a", "r"][random.below(2)],
        _ => LEAVES[random.below(LEAVES.len())],
    };
    (format!("{way}{name}"), random.below(1000).to_string())
}

/// Leaves, each once.
fn leaves(random: &mut Random, most: usize) -> BTreeMap<String, String> {
    let count = random.below(most + 1);
    (0..count).map(|_| leaf(random)).collect()
}

/// A JSON object with these leaves.
fn object(leaves: &BTreeMap<String, String>) -> Value {
    let mut object = Value::Object(Map::new());
    for (path, value) in leaves {
        let mut at = &mut object;
        for name in path.split('.') {
            at = &mut at[name];
        }
        *at = match path.rsplit('.').next() {
            Some("r") => json!([value]),
            _ => json!(value),
        };
    }
    object
}

/// The value of a leaf; of a list, its only element.
fn value(message: &DynamicMessage, path: &str) -> String {
    let (name, below) = match path.split_once('.') {
        Some((name, below)) => (name, Some(below)),
        None => (path, None),
    };
    let found = message.get_field_by_name(name).unwrap();
    match below {
        Some(below) => value(found.as_message().unwrap(), below),
        None => match &*found {
            prost_reflect::Value::List(list) => {
                assert_eq!(list.len(), 1, "{path}");
                list[0].to_string()
            }
            other => other.to_string(),
        }
        .trim_matches('"')
        .to_owned(),
    }
}

/// What a request becomes: the message in wire form, or why not.
fn message(plugin: &Rc<Plugin>, request: &RandomRequest) -> Result<Vec<u8>, String> {
    let mut workspace = Workspace::default();
    let (path, _) = request.target.split_once('?').unwrap();
    let method = request.http_method.as_bytes();
    let matched = Matched::find(plugin, method, path.as_bytes(), &mut workspace.captures);
    let head = Head::new(headers(&[
        (":method", request.http_method),
        (":path", &request.target),
        ("content-type", request.content_type),
    ]));
    let why = |failure: Failure| failure.status.message.clone();
    let matched = matched.map_err(why)?.unwrap();
    let mut pending = Pending::new(matched, head, false, ENVOY, &mut workspace).map_err(why)?;
    pending
        .convert(request.body.as_bytes(), true, ENVOY, &mut workspace)
        .map_err(why)?;
    Ok(pending.take_frame().split_off(PREFIX_LENGTH))
}

struct RandomRequest {
    http_method: &'static str,
    target: String,
    content_type: &'static str,
    body: String,
}

#[test]
fn no_singular_field_comes_twice_whatever_path_query_and_body_say() {
    let mut random = Random(7);
    let pairs = |leaves: &BTreeMap<String, String>| {
        let pairs: Vec<_> = leaves.iter().map(|(path, value)| format!("{path}={value}")).collect();
        pairs.join("&")
    };
    let schema = Schema::compile(Source::Proto(SCHEMA), usize::MAX).unwrap();
    let pool = schema.services()[0].parent_pool();
    let descriptor = pool.get_message_by_name("test.M").unwrap();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut by_path = leaves(&mut random, 4);
        by_path.retain(|path, _| !path.ends_with('r'));
        let body_field = ["", "*", "m", "inner", "g"][random.below(5)];
        let variables: Vec<_> = by_path.keys().map(|path| format!("{{{path}}}")).collect();
        let configuration = json!({
            "proto": SCHEMA,
            "http_rules": [{"selector": "test.S.A", "patch": format!("/v/{}", variables.join("/")), "body": body_field}],
        });
        // Two members of a oneof, or a body field that the path binds.
        let Ok(plugin) = Plugin::load(configuration.to_string().as_bytes(), 1) else {
            refused += 1;
            continue;
        };
        let plugin = Rc::new(plugin);
        for _ in 0..30 {
            let (in_query, in_body) = (leaves(&mut random, 6), leaves(&mut random, 6));
            let below = format!("{body_field}.");
            let in_body: BTreeMap<_, _> = match body_field {
                "" => BTreeMap::new(),
                "*" => in_body,
                _ => in_body
                    .into_iter()
                    .filter_map(|(path, value)| Some((path.strip_prefix(&below)?.to_owned(), value)))
                    .collect(),
            };
            let is_form = random.below(2) == 0;
            let values: Vec<_> = by_path.values().map(String::as_str).collect();
            let request = RandomRequest {
                http_method: "PATCH",
                target: format!("/v/{}?{}", values.join("/"), pairs(&in_query)),
                content_type: if is_form {
                    "application/x-www-form-urlencoded"
                } else {
                    "application/json"
                },
                body: match (is_form, in_body.is_empty() && random.below(2) == 0) {
                    (true, _) => pairs(&in_body),
                    (false, true) => ["", "null", " "][random.below(3)].to_owned(),
                    (false, false) => object(&in_body).to_string(),
                },
            };
            let shown = format!("{configuration}\n{}\n{}", request.target, request.body);
            // Two members of a oneof are refused, among them one that the path binds.
            let wire = match message(&plugin, &request) {
                Ok(wire) => wire,
                Err(error) => {
                    assert!(error.contains("oneof"), "{error}: {shown}");
                    continue;
                }
            };
            taken += 1;
            let index = plugin.tables.message_index("test.M").unwrap();
            assert_single_records(&plugin.tables, index, &wire);
            let decoded = DynamicMessage::decode(descriptor.clone(), wire.as_slice()).unwrap();
            for (path, expected) in &by_path {
                assert_eq!(value(&decoded, path), *expected, "{path} of {shown}");
            }
            for (path, expected) in &in_body {
                let path = match body_field {
                    "*" => path.clone(),
                    field => format!("{field}.{path}"),
                };
                if !by_path.contains_key(&path) {
                    assert_eq!(value(&decoded, &path), *expected, "{path} of {shown}");
                }
            }
            for (path, expected) in &in_query {
                let bound = body_field != "*" && !(path.starts_with(&below) && !body_field.is_empty());
                if bound && !by_path.contains_key(path) {
                    assert_eq!(value(&decoded, path), *expected, "{path} of {shown}");
                }
            }
        }
    }
    assert!(
        taken > 4000 && refused < 200,
        "{taken} requests of {refused} rules too few"
    );
}
