//! Transforms on any bytes: what was a message stays one, what is guarded holds, and after the second time nothing changes.
//!
//! The first byte chooses the rules, the rest is the message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protobridge::codec::{PrintOptions, WireToJson};
use protobridge::config::Plugin;
use protobridge::http::headers::Headers;
use protobridge::routing::{Captures, Match};
use protobridge::transform::{Active, Memory};
use serde_json::{Value, json};

const PROTO: &str = include_str!("../transform.proto");

/// Rules, and what of a message they leave no doubt of.
struct Rules {
    plugin: Plugin,
    active: Active,
    checks: Vec<Check>,
}

/// A path, and the value of its field wherever the path leads; without a value it is gone.
type Check = (Vec<&'static str>, Option<&'static str>);

thread_local! {
    static RULES: Vec<Rules> = rules();
}

fn rules() -> Vec<Rules> {
    let set = |field: &str| json!({ "set": { "field": field, "value": "own" } });
    let own = |path: &'static str| (path.split('.').collect(), Some("own"));
    let gone = |path: &'static str| (path.split('.').collect(), None);
    let absent = |field: &str| json!({ "set": { "field": field, "header": "x-absent" } });
    [
        (json!([set("text")]), vec![own("text")]),
        (json!([set("below.text"), set("below.below.below.text")]), vec![own("below.text"), own("below.below.below.text")]),
        (json!([set("list.text"), set("list.below.list.text")]), vec![own("list.text"), own("list.below.list.text")]),
        (json!([set("map.text"), set("map.below.text")]), vec![own("map.text"), own("map.below.text")]),
        (json!([set("one")]), vec![own("one"), gone("two"), gone("three"), gone("four")]),
        (json!([set("two.two.one")]), vec![own("two.two.one"), gone("one"), gone("three"), gone("two.one")]),
        (json!([absent("text"), absent("below.text"), absent("two.text")]), vec![gone("text"), gone("below.text"), gone("two.text")]),
        (json!([{ "default": { "field": "number", "value": 5 } }, { "default": { "field": "below.maybe", "value": 0 } },
            { "default": { "field": "two.text", "value": "d" } }]), vec![]),
        (json!([{ "remove": ["text", "list.text", "map.list", "words", "one", "two.three", "any", "time.nanos"] }]),
            vec![gone("text"), gone("list.text"), gone("map.list"), gone("words"), gone("one"), gone("two.three"), gone("any"), gone("time.nanos")]),
        (json!([{ "keep": ["number", "below.list", "map.text", "two", "anys"] }]),
            vec![gone("text"), gone("list"), gone("below.text"), gone("map.list"), gone("one"), gone("four")]),
        (json!([{ "mask": { "field": "text" } }, { "mask": { "field": "words", "keep_last": 4 } }, { "mask": { "field": "list.strings", "keep_last": 5 } },
            { "mask": { "field": "data" } }, { "mask": { "field": "below.number" } }]), vec![gone("below.number")]),
        (json!([{ "remove_annotated": "fuzz.transform.secret" }]),
            vec![gone("key"), gone("three"), gone("list.key"), gone("map.three"), gone("below.below.key"), gone("two.map.key")]),
        (json!([{ "keep": ["list", "any", "four", "below"] }, { "remove_annotated": "fuzz.transform.secret" }, set("below.two.text"), { "remove": ["below.text"] },
            set("list.one")]), vec![gone("text"), gone("key"), own("below.two.text"), gone("below.text"), own("list.one")]),
    ]
    .into_iter()
    .map(|(operations, checks)| {
        let configuration = json!({ "proto": PROTO, "json": { "preserve_proto_field_names": true }, "transforms": [{ "request": operations }], "limits": { "max_message_bytes": 1 << 20 } });
        let plugin = Plugin::load(configuration.to_string().as_bytes(), 7).expect("a configuration");
        let mut captures = Captures::default();
        let Match::Route(route) = plugin.router.find("POST", b"/fuzz.transform.S/Do", &mut captures) else {
            panic!("no route");
        };
        let method = plugin.transforms.of(&route.method).expect("transforms");
        let active = method.activate(&plugin.tables, &Headers::default(), &mut |_| None).expect("no source is required");
        Rules { active, plugin, checks }
    })
    .collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, wire)) = data.split_first() else {
        return;
    };
    RULES.with(|rules| {
        let rules = &rules[usize::from(choice.wrapping_sub(b'A')) % rules.len()];
        let mut memory = Memory::default();
        let mut change = |wire: &[u8]| {
            let mut out = b"before".to_vec();
            let changed = rules.active.request(&rules.plugin.tables, wire, &mut memory, &mut out);
            let changed = changed.map(|()| out.strip_prefix(b"before").expect("what was there").to_vec());
            assert!(changed.is_ok() || out == b"before");
            changed
        };
        let Ok(first) = change(wire) else {
            return;
        };
        let tables = &rules.plugin.tables;
        let message = tables.message_index("fuzz.transform.M").expect("the message");
        let options = PrintOptions::default();
        let mut printed = Vec::new();
        if WireToJson::default()
            .message(tables, message, &first, &options, &mut printed)
            .is_ok()
        {
            let found: Value = serde_json::from_slice(&printed).expect("JSON");
            for (path, value) in &rules.checks {
                check(&found, path, *value);
            }
        }
        let second = change(&first).expect("a message");
        let third = change(&second).expect("a message");
        assert_eq!(second, third);
    });
});

/// Panics where the field at `path` isn't what it should be: there in every element of lists and maps, or nowhere.
fn check(message: &Value, path: &[&str], value: Option<&str>) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    let found = message.get(name);
    match (found, rest) {
        (Some(found), []) => assert_eq!(found.as_str(), value, "{name}"),
        (None, []) => assert_eq!(None, value, "{name}"),
        (Some(Value::Array(elements)), rest) => elements.iter().for_each(|below| check(below, rest, value)),
        (Some(Value::Object(entries)), rest) if *name == "map" => {
            entries.values().for_each(|below| check(below, rest, value))
        }
        (Some(below), rest) => check(below, rest, value),
        // What is set is set in elements that are there; messages are made on the way, where there are none.
        (None, rest) => {
            let mut fields = [*name].into_iter().chain(rest.iter().copied());
            assert!(
                value.is_none() || fields.any(|field| ["list", "map"].contains(&field)),
                "{name}"
            );
        }
    }
}
