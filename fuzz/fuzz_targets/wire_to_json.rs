//! Any bytes as wire format. What is printed is valid JSON; what is refused leaves nothing behind.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use protobridge::codec::{WireToJson, check_required};
use protobridge_fuzz::Choice;
use serde_json::Value;

thread_local! {
    /// One for all, as in the filter: what an input leaves behind must not matter.
    static CODEC: RefCell<WireToJson> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, wire)) = Choice::of(data) else {
        return;
    };
    let tables = choice.tables();
    let options = choice.print_options();
    let convert = |codec: &mut WireToJson| {
        let mut json = b"before".to_vec();
        let result = match choice.field {
            None => codec.message(tables, choice.message, wire, &options, &mut json),
            Some(field) => codec.field(tables, choice.message, field, wire, &options, &mut json),
        };
        assert_eq!(json[..6], *b"before");
        (result, json.split_off(6))
    };
    let (result, json) = CODEC.with_borrow_mut(convert);
    let fresh = convert(&mut WireToJson::default());
    assert_eq!((&result, &json), (&fresh.0, &fresh.1), "what came before shows");
    match result {
        Ok(()) => {
            let parsed = serde_json::from_slice::<Value>(&json);
            assert!(parsed.is_ok(), "{parsed:?}: {}", String::from_utf8_lossy(&json));
        }
        Err(error) => {
            assert!(json.is_empty(), "an error leaves output behind");
            assert!(error.offset.is_none_or(|offset| offset <= wire.len()), "{error}");
        }
    }
    let mut detail = Vec::new();
    if WireToJson::default()
        .detail(tables, wire, &options, &mut detail)
        .is_ok()
    {
        let parsed = serde_json::from_slice::<Value>(&detail);
        assert!(parsed.is_ok(), "{parsed:?}: {}", String::from_utf8_lossy(&detail));
    }
    // Whether it fails says nothing here.
    let _ = check_required(tables, choice.message, wire);
});
