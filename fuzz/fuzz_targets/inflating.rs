//! Any bytes as a compressed message. Whatever they are, no more comes out than may, and no more memory is taken than is
//! asked for; what comes out of zlib is what another reader makes of it, and what was compressed comes out as it was.

#![no_main]

use std::cell::Cell;

use libfuzzer_sys::fuzz_target;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use protobridge::grpc::compression::{Encoding, InflateError, Inflater};
use protobridge_fuzz::letters::Letters;

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let encoding = *letters.choose(&[Encoding::Gzip, Encoding::Deflate]);
    let limit = *letters.choose(&[1 << 16, 1000, 10, 0]);
    let bytes = letters.0;
    let most = Cell::new(0);
    let admits = |bytes: usize| {
        most.set(most.get().max(bytes));
        true
    };
    let mut inflater = Inflater::default();
    let found = inflater.inflate(encoding, bytes, limit, admits).map(<[u8]>::to_vec);
    assert!(inflater.footprint() <= most.get());
    assert!(inflater.footprint() <= limit);
    assert_ne!(found, Err(InflateError::NoMemory));
    assert!(found.as_ref().map_or(0, Vec::len) <= limit);
    // Behind the end there may be more for the other, which also takes any number of blocks.
    if encoding == Encoding::Deflate && !matches!(found, Err(InflateError::Trailing | InflateError::Blocks)) {
        let theirs = decompress_to_vec_zlib_with_limit(bytes, limit).ok();
        assert_eq!(found.as_ref().ok(), theirs.as_ref());
    }
    // What was before it changes nothing.
    let again = inflater.inflate(encoding, bytes, limit, |_| true).map(<[u8]>::to_vec);
    assert_eq!(again, found);
    let compressed = compress_to_vec_zlib(bytes, 6);
    let back = inflater.inflate(Encoding::Deflate, &compressed, bytes.len(), |_| true);
    assert_eq!(back, Ok(bytes));
});
