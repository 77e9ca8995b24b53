//! Records of a `coprocess.Object`, written.

use super::names::append_canonical;
use super::pairs::lossy;
use crate::text::append::append;
use crate::wire::{Tag, WireType, record_length, write_record, write_record_head, write_varint};

/// Appends a number, unless it is 0.
pub fn write_number(number: u32, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        Tag::new(number, WireType::Varint).append_to(out);
        write_varint(value, out);
    }
}

/// Appends a string or bytes, unless they are empty.
pub fn write_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        write_record(number, bytes, out);
    }
}

/// Appends what stands before the key of an entry of a map of strings, of which these are the lengths.
fn begin_entry(number: u32, key: usize, value: usize, out: &mut Vec<u8>) {
    write_record_head(number, record_length(key) + record_length(value), out);
    write_record_head(1, key, out);
}

/// Appends an entry of a map of strings.
pub fn write_entry(number: u32, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    begin_entry(number, key.len(), value.len(), out);
    append(key, out);
    write_record(2, value, out);
}

/// Appends an entry of a map of strings whose key is the name of a header, canonical, without a copy of it.
pub fn write_header(number: u32, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    if !name.is_ascii() {
        return write_entry(number, &lossy(name), value, out);
    }
    begin_entry(number, name.len(), value.len(), out);
    append_canonical(name, out);
    write_record(2, value, out);
}

/// Appends an entry of a map of strings; what isn't UTF-8 has U+FFFD.
pub fn write_text_entry(number: u32, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    write_entry(number, &lossy(key), &lossy(value), out);
}
