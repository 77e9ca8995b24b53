//! Compressed messages cost what their bytes cost, those that come and those that come out.

use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::json;

use crate::growth::{Cost, check_costs};
use crate::host::Machine;
use crate::shapes::{framed, len};

const SERVICE: &str = "syntax = \"proto3\"; package t; service S { rpc List(M) returns (stream M); }
    message M { string text = 1; }";

/// Bytes that hardly repeat, as text.
fn text(length: usize) -> Vec<u8> {
    let mut random = 1_u64;
    let letters = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b'a' + (random >> 59) as u8 % 26
    });
    letters.take(length).collect()
}

fn message_of(length: usize) -> Vec<u8> {
    len(1, text(length))
}

/// How many instructions it takes to read this beginning of an answer.
fn cost(body: &[u8]) -> u64 {
    let mut machine = Machine::new(&json!({ "proto": SERVICE }).to_string());
    machine.start_stream("application/x-ndjson");
    let before = machine.store.get_fuel().unwrap();
    machine.response_chunk(body);
    before - machine.store.get_fuel().unwrap()
}

/// Each block has its tables, even one of nothing that takes ten bits: four of these are five bytes. Without a bound they cost
/// hundreds of times what others of the length do.
#[test]
fn a_message_cut_into_many_blocks_costs_some_times_what_others_of_its_length_do() {
    let length = 100_000;
    let ordinary = compress_to_vec_zlib(&message_of(length * 3 / 2), 6);
    assert!(ordinary.len() > length * 2 / 3);
    let end = [&b"\x03\0"[..], &1_u32.to_be_bytes()].concat();
    // It is answered where nothing has gone out; behind a message the stream ends instead.
    let message = framed(1, &compress_to_vec_zlib(&message_of(3), 6));
    for block in [&b"\x02\x08\x20\x80\x00"[..], b"\0\0\0\xff\xff"] {
        let blocks = [&b"x\x9c"[..], &block.repeat(ordinary.len() / block.len()), &end].concat();
        let [cut, whole] = [&blocks, &ordinary].map(|bytes| cost(&[&message[..], &framed(1, bytes)].concat()));
        assert!(cut < 12 * whole, "{cut}, {whole}");
    }
}

#[test]
fn compressed_messages_cost_what_their_bytes_cost() {
    type Shape<'s> = (&'static str, usize, Box<dyn Fn(usize) -> Vec<u8> + 's>);
    let shapes: [Shape<'_>; 5] = [
        (
            "many small messages",
            500,
            Box::new(|count| framed(1, &compress_to_vec_zlib(&message_of(3), 6)).repeat(count)),
        ),
        (
            "many empty messages",
            500,
            Box::new(|count| framed(1, &compress_to_vec_zlib(b"", 6)).repeat(count)),
        ),
        (
            "one long message",
            200_000,
            Box::new(|length| framed(1, &compress_to_vec_zlib(&message_of(length), 6))),
        ),
        (
            "one that repeats itself",
            1_000_000,
            Box::new(|length| framed(1, &compress_to_vec_zlib(&len(1, vec![b'x'; length]), 6))),
        ),
        (
            "small messages behind a long one",
            500,
            Box::new(|count| {
                let long = framed(1, &compress_to_vec_zlib(&message_of(100_000), 1));
                let small = framed(1, &compress_to_vec_zlib(&message_of(3), 6));
                [long, small.repeat(count)].concat()
            }),
        ),
    ];
    let costs = shapes.map(|(name, size, body)| -> Cost<'_> { (name, size, Box::new(move |size| cost(&body(size)))) });
    check_costs(&costs);
}
