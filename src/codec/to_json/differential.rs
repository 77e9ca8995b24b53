//! Random messages, as no serializer writes them, printed here and by prost-reflect's dynamic messages.
//!
//! Records are shuffled, repeated and split at every level of nesting. Both answers are compared as JSON values: the
//! order of members and the spelling of numbers are free. What prost-reflect does otherwise than the specification says
//! is left out where the messages are made, with the reason.

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

use super::tests::{PROTO2, PROTO3, Schema};
use crate::codec::options::PrintOptions;
use crate::codec::random_messages::Generator;
use crate::codec::random_schema::{MESSAGES_PER_SCHEMA, ROOT, Random, random_proto, rounds};

#[test]
fn random_messages_print_as_prost_reflect_prints_them() {
    for (text, messages) in [(PROTO3, ["p3.Tree", "p3.Known"].as_slice()), (PROTO2, &["p2.Old"])] {
        let (schema, by_proto_names) = (Schema::new(text), Schema::new(text).by_proto_names());
        for name in messages {
            for seed in 0..rounds() / 3 {
                let schema = if proto_names(seed) { &by_proto_names } else { &schema };
                compare(schema, name, seed, &format!("{name}, seed {seed}"));
            }
        }
    }
}

#[test]
fn messages_of_random_schemas_print_as_prost_reflect_prints_them() {
    for seed in 0..rounds().div_ceil(MESSAGES_PER_SCHEMA) {
        let text = random_proto(seed);
        let (schema, by_proto_names) = (Schema::new(&text), Schema::new(&text).by_proto_names());
        for message in 0..MESSAGES_PER_SCHEMA {
            let seed = seed * MESSAGES_PER_SCHEMA + message;
            let schema = if proto_names(seed) { &by_proto_names } else { &schema };
            compare(schema, ROOT, seed, &format!("seed {seed} of {text}"));
        }
    }
}

/// Whether a message is printed by the names of the `.proto`.
fn proto_names(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

fn compare(schema: &Schema, name: &str, seed: u64, what: &str) {
    let mut generator = Generator {
        tables: &schema.tables,
        root: name,
        odd: false,
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ name.len() as u64),
    };
    let options = PrintOptions {
        always_print_enums_as_ints: seed.is_multiple_of(5),
        unquote_int64_if_possible: false,
        add_whitespace: seed.is_multiple_of(7),
        always_print_fields_with_no_presence: seed.is_multiple_of(4),
    };
    let index = schema.tables.message_index(name).unwrap();
    let wire = generator.message(index, 0);
    let ours: Value = serde_json::from_str(&schema.print_with(name, &wire, &options)).unwrap();
    let theirs = by_prost_reflect(schema, name, &wire, &options, proto_names(seed));
    assert!(same(&ours, &theirs), "{what}: {wire:x?}\n{ours}\n{theirs}");
}

fn by_prost_reflect(schema: &Schema, name: &str, wire: &[u8], options: &PrintOptions, proto_names: bool) -> Value {
    let descriptor = schema.pool.get_message_by_name(name).unwrap();
    let message = DynamicMessage::decode(descriptor, wire).unwrap();
    let options = SerializeOptions::new()
        .skip_default_fields(!options.always_print_fields_with_no_presence)
        .use_proto_field_name(proto_names)
        .use_enum_numbers(options.always_print_enums_as_ints);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .unwrap()
}

/// Equality but for the order of members, and for how numbers are written: `1` and `1.0` are one number, and so are a float
/// and the double that prost-reflect makes of it.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            ours == theirs || f64::from(theirs as f32) == theirs && ours as f32 == theirs as f32
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => ours == theirs,
    }
}
