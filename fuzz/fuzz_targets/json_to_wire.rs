//! Any bytes as JSON. What is taken is well-formed wire format, which prints again; what is refused leaves nothing behind.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use protobridge::codec::{JsonInput, JsonToWire, Present, PrintOptions, check_required};
use protobridge_fuzz::{Choice, MESSAGES, to_json};

thread_local! {
    /// One for all, as in the filter: what an input leaves behind must not matter.
    static CODEC: RefCell<JsonToWire> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, json)) = Choice::of(data) else {
        return;
    };
    let tables = &MESSAGES.tables;
    let options = choice.parse_options();
    let convert = |codec: &mut JsonToWire| {
        let mut wire = b"before".to_vec();
        let mut mask = Present::default();
        mask.reset(usize::MAX);
        let present = choice.mask().then_some(&mut mask);
        let result = match choice.field {
            None => codec.message(
                tables,
                choice.message,
                JsonInput {
                    bound: &choice.bound(),
                    present,
                    ..JsonInput::new(json, &options)
                },
                &mut wire,
            ),
            Some(field) => codec.field(
                tables,
                choice.message,
                field,
                JsonInput {
                    present,
                    ..JsonInput::new(json, &options)
                },
                &mut wire,
            ),
        };
        assert_eq!(wire[..6], *b"before");
        (result, wire.split_off(6))
    };
    let (result, wire) = CODEC.with_borrow_mut(convert);
    let fresh = convert(&mut JsonToWire::default());
    assert_eq!((&result, &wire), (&fresh.0, &fresh.1), "what came before shows");
    match result {
        Ok(()) => {
            let printed = to_json(choice.message, &wire, &PrintOptions::default());
            assert!(printed.is_ok(), "{printed:?}");
            // A missing field is no failure here, bad wire format is.
            if let Err(error) = check_required(tables, choice.message, &wire) {
                assert!(error.message.contains("missing"), "{error}");
            }
        }
        Err(error) => {
            assert!(wire.is_empty(), "an error leaves output behind");
            assert!(error.offset.is_none_or(|offset| offset <= json.len()), "{error}");
        }
    }
});
