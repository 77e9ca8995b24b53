//! Bytes as services compress messages (`doc/compression.md`).

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

type Compress = fn(&[u8]) -> Vec<u8>;

/// The values of `grpc-encoding` with what they mean.
pub const ENCODINGS: [(&str, Compress); 2] = [("gzip", gzip), ("deflate", zlib)];

/// As `gzip` (RFC 1952).
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    [HEAD, &compress_to_vec(bytes, 6), &trailer(bytes)].concat()
}

/// As `deflate`, which is zlib (RFC 1950).
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec_zlib(bytes, 6)
}

const HEAD: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";

/// The bytes' CRC-32, and their length.
fn trailer(bytes: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    [!crc, bytes.len() as u32].map(u32::to_le_bytes).concat()
}
