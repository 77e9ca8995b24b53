//! The ways from JSON to the wire and back that are compared, each on one message again and again.

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use protobridge::codec::{JsonInput, JsonToWire, ParseOptions, PrintOptions, WireToJson};
use protobridge::schema::tables::{MessageIndex, Tables};
use protobridge::schema::{Schema, Source};
use serde::Deserialize as _;
use serde::de::IgnoredAny;

use crate::shapes::Shape;

/// The schema, as each way wants it.
pub struct Codec {
    schema: Schema,
    tables: Tables,
}

/// A message in both forms, and the ways between them. Buffers are used again, as in the module.
pub struct Subject<'c> {
    tables: &'c Tables,
    message: MessageIndex,
    descriptor: MessageDescriptor,
    json: &'c [u8],
    wire: Vec<u8>,
    printed: usize,
    to_wire: JsonToWire,
    to_json: WireToJson,
    out: Vec<u8>,
}

/// A direction, and who goes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// JSON to wire, this crate.
    ToWire,
    /// JSON to wire by prost-reflect and serde_json.
    ReflectToWire,
    /// JSON parsed by serde_json, and nothing done with it.
    ParseOnly,
    /// Wire to JSON, this crate.
    ToJson,
    /// Wire to JSON by prost-reflect and serde_json.
    ReflectToJson,
}

impl Codec {
    pub fn new() -> Self {
        let schema = Schema::compile(Source::Proto(include_str!("../bench.proto")), usize::MAX).expect("bench.proto");
        Self {
            tables: Tables::build(schema.pool(), schema.features(), 7),
            schema,
        }
    }

    /// Checks that all ways agree on the message of a shape.
    pub fn subject<'c>(&'c self, shape: &'c Shape) -> Subject<'c> {
        let mut subject = Subject {
            tables: &self.tables,
            message: self
                .tables
                .message_index(shape.message)
                .expect("a message of bench.proto"),
            descriptor: self.schema.pool().get_message_by_name(shape.message).expect("the same"),
            json: shape.json.as_bytes(),
            wire: Vec::new(),
            printed: 0,
            to_wire: JsonToWire::default(),
            to_json: WireToJson::default(),
            out: Vec::new(),
        };
        subject.run(Way::ToWire);
        subject.wire = subject.out.clone();
        subject.run(Way::ReflectToWire);
        // As JSON: zeros that are written and zeros that are left out are one message.
        let (ours, theirs) = (subject.decoded(&subject.wire), subject.decoded(&subject.out));
        let [ours, theirs] = [ours, theirs].map(|message| serde_json::to_value(message).expect("JSON"));
        assert!(ours == theirs, "{}: JSON to wire", shape.name);
        subject.run(Way::ToJson);
        let ours: serde_json::Value = serde_json::from_slice(&subject.out).expect("JSON");
        let given: serde_json::Value = serde_json::from_slice(subject.json).expect("JSON");
        subject.printed = subject.out.len();
        assert!(same(&ours, &given), "{}: wire to JSON", shape.name);
        subject
    }
}

/// Equal, where 1 and 1.0 are, and members have no order.
fn same(left: &serde_json::Value, right: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

impl Subject<'_> {
    /// How many bytes of JSON one run reads or writes.
    pub fn bytes(&self, way: Way) -> usize {
        match way {
            Way::ToJson | Way::ReflectToJson => self.printed,
            _ => self.json.len(),
        }
    }

    pub fn run(&mut self, way: Way) {
        self.out.clear();
        match way {
            Way::ToWire => self
                .to_wire
                .message(
                    self.tables,
                    self.message,
                    JsonInput::new(self.json, &ParseOptions::default()),
                    &mut self.out,
                )
                .expect("a message"),
            Way::ToJson => self
                .to_json
                .message(
                    self.tables,
                    self.message,
                    &self.wire,
                    &PrintOptions::default(),
                    &mut self.out,
                )
                .expect("a message"),
            Way::ReflectToWire => {
                let mut deserializer = serde_json::Deserializer::from_slice(self.json);
                DynamicMessage::deserialize(self.descriptor.clone(), &mut deserializer)
                    .expect("a message")
                    .encode(&mut self.out)
                    .expect("room");
            }
            Way::ReflectToJson => {
                let message = self.decoded(&self.wire);
                serde_json::to_writer(&mut self.out, &message).expect("JSON");
            }
            Way::ParseOnly => {
                IgnoredAny::deserialize(&mut serde_json::Deserializer::from_slice(self.json)).expect("JSON");
            }
        }
    }

    fn decoded(&self, wire: &[u8]) -> DynamicMessage {
        DynamicMessage::decode(self.descriptor.clone(), wire).expect("a message")
    }
}
