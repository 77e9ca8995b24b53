//! Any text as the plugin configuration. It loads or it doesn't; the same JSON as a `google.protobuf.Struct` does as well,
//! with the same settings or the same key at fault. Nor does the order of keys, which a Struct hasn't, matter to whether it
//! loads and to what it gives.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use protobridge_fuzz::letters::Letters;
use protobridge_fuzz::structs::{DEEPEST, PROTO, assert_same, load, shape, to_object, to_struct};
use serde_json::{Map, Value};

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let with_schema = letters.flag();
    let given = load(letters.0);
    let Ok(mut object) = serde_json::from_slice::<Map<String, Value>>(letters.0) else {
        return;
    };
    if with_schema
        && !["proto", "protos", "descriptor_set"]
            .iter()
            .any(|key| object.contains_key(*key))
    {
        object.insert("proto".to_owned(), PROTO.into());
    }
    let as_struct = to_struct(&object);
    let (has_numbers, depth) = shape(&object);
    let Some(sorted) = to_object(&as_struct) else {
        return;
    };
    let text = load(Value::Object(sorted).to_string().as_bytes());
    let of_struct = load(&as_struct.encode_to_vec());
    match depth > DEEPEST {
        true => assert!(text.is_err() && of_struct.is_err()),
        false => assert_same(&text, &of_struct, has_numbers),
    }
    if let Ok(settings) = given {
        assert_eq!(text, Ok(settings), "in another order");
    }
});
