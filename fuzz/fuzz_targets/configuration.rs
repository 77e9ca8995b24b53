//! Any text as the plugin configuration. It loads or it doesn't; the same JSON as a `google.protobuf.Struct` does as well,
//! with the same settings or the same keys at fault. Nor does the order of keys, which a Struct hasn't, matter to whether it
//! loads and to what it gives. One thing more that is wrong is one error more: it hides no other, and none follows from it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use protobridge::config::ConfigErrors;
use protobridge_fuzz::letters::Letters;
use protobridge_fuzz::structs::{DEEPEST, PROTO, assert_same, load, shape, to_object, to_struct};
use serde_json::{Map, Value};

/// A key that is none, and near to none.
const UNKNOWN: &str = "@@@@@@@@@@@@@@@@";

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
        false => {
            assert_same(&text, &of_struct, has_numbers);
            let errors = |loaded: &Result<_, ConfigErrors>| loaded.as_ref().err().map_or(0, ConfigErrors::count);
            if object.insert(UNKNOWN.to_owned(), true.into()).is_none() {
                let one_more = load(Value::Object(object).to_string().as_bytes());
                assert_eq!(errors(&one_more), errors(&text) + 1, "{one_more:?}");
            }
        }
    }
    if let Ok(settings) = given {
        assert_eq!(text, Ok(settings), "in another order");
    }
});
