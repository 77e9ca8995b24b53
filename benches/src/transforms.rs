//! What transforms cost: the pass over a message alone.

use protobridge::codec::{JsonInput, JsonToWire, ParseOptions};
use protobridge::config::Plugin;
use protobridge::http::headers::Headers;
use protobridge::routing::{Captures, Match};
use protobridge::transform::{Active, Memory};
use serde_json::{Value, json};

use crate::shapes::Shape;

/// Operations on the message of a shape.
pub struct Case {
    /// What the table calls it.
    pub name: &'static str,
    /// The name of the shape.
    shape: &'static str,
    method: &'static str,
    operations: Value,
}

/// All cases, in the order of the table.
pub fn all() -> [Case; 3] {
    [
        Case {
            name: "a removal two levels deep, objects, 4 KB",
            shape: "objects, 4 KB",
            method: "EchoBooks",
            operations: json!([{ "remove": ["books.publisher.city"] }]),
        },
        Case {
            name: "a removal two levels deep, objects, 1 MB",
            shape: "objects, 1 MB",
            method: "EchoBooks",
            operations: json!([{ "remove": ["books.publisher.city"] }]),
        },
        Case {
            name: "a field set, object, 200 B",
            shape: "object, 200 B",
            method: "EchoBook",
            operations: json!([{ "set": { "field": "author_name", "value": "Le Guin" } }]),
        },
    ]
}

/// A message and what changes it. Buffers are used again, as in the module.
pub struct Subject {
    plugin: Plugin,
    active: Active,
    wire: Vec<u8>,
    memory: Memory,
    out: Vec<u8>,
}

impl Case {
    /// Checks that something changes.
    pub fn subject(&self, shapes: &[Shape]) -> Subject {
        let configuration = json!({
            "proto": include_str!("../bench.proto"),
            "auto_mapping": true,
            "transforms": [{ "selector": format!("bench.Bench.{}", self.method), "request": self.operations }],
        });
        let plugin = Plugin::load(configuration.to_string().as_bytes(), 7).expect("a configuration");
        let path = format!("/bench.Bench/{}", self.method);
        let mut captures = Captures::default();
        let Match::Route(route) = plugin.router.find("POST", path.as_bytes(), &mut captures) else {
            panic!("no route to {path}");
        };
        let transforms = plugin.transforms.of(&route.method).expect("transforms");
        let active = transforms.activate(&plugin.tables, &Headers::default(), &mut |_| None);
        let shape = shapes.iter().find(|shape| shape.name == self.shape).expect("a shape");
        let mut wire = Vec::new();
        let options = ParseOptions::default();
        let input = JsonInput::new(shape.json.as_bytes(), &options);
        let written = JsonToWire::default().message(&plugin.tables, route.method.input, input, &mut wire);
        written.expect("a message");
        let mut subject = Subject {
            active: active.expect("no source is required"),
            plugin,
            wire,
            memory: Memory::default(),
            out: Vec::new(),
        };
        subject.run();
        assert!(subject.out.len() < subject.wire.len(), "{}", self.name);
        subject
    }
}

impl Subject {
    /// How many bytes of wire format one run reads.
    pub fn bytes(&self) -> usize {
        self.wire.len()
    }

    pub fn run(&mut self) {
        self.out.clear();
        self.active
            .request(&self.plugin.tables, &self.wire, &mut self.memory, &mut self.out)
            .expect("a message");
    }
}
