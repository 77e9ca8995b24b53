//! The schema of the tests, read independently of the module: prost-reflect says what JSON and bytes mean each other.

use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::Value;

/// `proto-fixtures/everything.proto`.
pub const PROTO: &str = include_str!("../../../proto-fixtures/everything.proto");

/// A message in ProtoJSON, with protobuf's default print options, and [`plain_numbers`].
///
/// # Panics
/// When `message` is not one.
pub fn to_json(descriptor: &MessageDescriptor, message: &[u8]) -> Value {
    let message = DynamicMessage::decode(descriptor.clone(), message)
        .unwrap_or_else(|error| panic!("not a {}: {error}: {message:02x?}", descriptor.full_name()));
    plain_numbers(serde_json::to_value(message).unwrap())
}

/// The same JSON with every whole number in one form: `1.0` and `1` are equal in JSON, and not in serde_json.
pub fn plain_numbers(json: Value) -> Value {
    match json {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => Value::from(float as i64),
            _ => Value::Number(number),
        },
        Value::Array(elements) => elements.into_iter().map(plain_numbers).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, plain_numbers(value)))
            .collect(),
        other => other,
    }
}

/// A message from ProtoJSON.
///
/// # Panics
/// When the JSON is not one.
pub fn from_json(descriptor: &MessageDescriptor, json: &Value) -> Bytes {
    let message = DynamicMessage::deserialize(descriptor.clone(), json)
        .unwrap_or_else(|error| panic!("not a {}: {error}: {json}", descriptor.full_name()));
    message.encode_to_vec().into()
}

/// A message of the schema by its full name.
pub fn message(name: &str) -> MessageDescriptor {
    pool()
        .get_message_by_name(name)
        .unwrap_or_else(|| panic!("the schema has no message {name}"))
}

/// A method by its path, `/package.Service/Method`.
pub fn method(path: &str) -> MethodDescriptor {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap();
    pool()
        .get_service_by_name(service)
        .and_then(|service| service.methods().find(|candidate| candidate.name() == method))
        .unwrap_or_else(|| panic!("the schema has no method {path}"))
}

/// The whole schema as a serialized `FileDescriptorSet`.
pub fn descriptor_set() -> Vec<u8> {
    pool().encode_to_vec()
}

/// Compiled by protox alone: the module's own handling of schemas is what the tests are about.
fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut compiler =
            protox::Compiler::new([root.join("proto-fixtures"), root.join("src/schema/bundled")]).unwrap();
        compiler.include_imports(true);
        compiler
            .open_files([
                "everything.proto",
                "bookstore/v1/bookstore.proto",
                "google/rpc/error_details.proto",
                "google/rpc/status.proto",
            ])
            .unwrap();
        DescriptorPool::decode(&compiler.encode_file_descriptor_set()[..]).unwrap()
    })
}
