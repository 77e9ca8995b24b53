//! Both directions after each other, from either end: after the first round nothing changes any more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protobridge::codec::ParseOptions;
use protobridge_fuzz::{Choice, to_json, to_wire};

fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = Choice::of(data) else {
        return;
    };
    let message = choice.message;
    let parse = ParseOptions::default();
    let print = choice.print_options();
    let wire = match input.split_first() {
        Some((b'w', wire)) => wire.to_vec(),
        _ => match to_wire(message, input, &parse) {
            Ok(wire) => wire,
            Err(_) => return,
        },
    };
    let Ok(first) = to_json(message, &wire, &print) else {
        return;
    };
    let shown = String::from_utf8_lossy;
    let again = |json: &[u8]| {
        let wire = to_wire(message, json, &parse).unwrap_or_else(|error| panic!("{error}: {}", shown(json)));
        let json = to_json(message, &wire, &print).unwrap_or_else(|error| panic!("{error}: {}", shown(json)));
        (wire, json)
    };
    let (second_wire, second) = again(&first);
    let (third_wire, third) = again(&second);
    assert_eq!(shown(&second), shown(&third));
    let (fourth_wire, _) = again(&third);
    assert_eq!(third_wire, fourth_wire);
    // A default value that JSON leaves out is the one thing that the first round may drop.
    assert!(second_wire.len() >= third_wire.len());
});
