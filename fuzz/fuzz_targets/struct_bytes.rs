//! Any bytes as the plugin configuration, as Envoy hands over a `google.protobuf.Struct`. They load or they don't, always
//! alike; what is a Struct gives what the same JSON as text gives.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use prost_types::Struct;
use protobridge_fuzz::letters::Letters;
use protobridge_fuzz::structs::{DEEPEST, PROTO, assert_same, load, shape, to_object, to_struct};
use serde_json::{Map, Value};

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let mut bytes = Vec::new();
    if letters.flag() {
        // Wire forms behind each other are one message.
        let schema = Map::from_iter([("proto".to_owned(), Value::from(PROTO))]);
        bytes = to_struct(&schema).encode_to_vec();
    }
    bytes.extend_from_slice(letters.0);
    let of_struct = load(&bytes);
    assert_eq!(load(&bytes), of_struct);

    // JSON text may begin with what begins a Struct, a line break.
    let is_text =
        bytes.first() != Some(&0x0a) || bytes.trim_ascii().is_empty() || bytes.trim_ascii().first() == Some(&b'{');
    let decoded = Struct::decode(bytes.as_slice());
    let (false, Ok(decoded)) = (is_text, decoded) else {
        return;
    };
    let Some(object) = to_object(&decoded) else {
        assert!(of_struct.is_err(), "a number that JSON hasn't");
        return;
    };
    let (has_numbers, depth) = shape(&object);
    if depth <= DEEPEST {
        let text = load(Value::Object(object).to_string().as_bytes());
        assert_same(&text, &of_struct, has_numbers);
    }
});
