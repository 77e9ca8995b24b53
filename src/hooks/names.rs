//! Header names: as Go spells them, and which of them a hook has no say in.

use crate::grpc::metadata::{is_connection_header, is_header_value};
use crate::text::append::{SHORT, append_with, copy_short};

/// Appends a name as Go's `textproto.CanonicalMIMEHeaderKey` spells it: a capital at its beginning and after each
/// hyphen, else small letters; as it is where it is no name.
pub fn append_canonical(name: &[u8], out: &mut Vec<u8>) {
    let mut is_plain = name.len() <= SHORT;
    if is_plain {
        append_with(out, |room| {
            let length = copy_short(name, room);
            is_plain = capitalise(room, length);
            if is_plain { length } else { 0 }
        });
    }
    if !is_plain {
        rewrite(name, out);
    }
}

/// Gives the name of this length in `room` its capitals, word by word. `false`: it has other bytes than those that nearly
/// all names are made of.
#[inline(always)]
fn capitalise(room: &mut [u8; SHORT], length: usize) -> bool {
    let (mut left, mut begins) = (length, true);
    for word in room.as_chunks_mut::<8>().0 {
        // Letters behind the end, where there are zeros.
        let letters = if left < 8 { LETTERS << (8 * left) } else { 0 };
        let Some((canonical, ends)) = capitals(u64::from_le_bytes(*word) | letters, begins) else {
            return false;
        };
        *word = canonical.to_le_bytes();
        if left <= 8 {
            break;
        }
        (left, begins) = (left - 8, ends);
    }
    true
}

/// A word of small letters, digits and hyphens, with capitals behind the hyphens and, if a part `begins` with it, at its
/// beginning; and whether another begins behind it. `None`: it has other bytes.
fn capitals(word: u64, begins: bool) -> Option<(u64, bool)> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // The high bits of those bytes that are at least `byte`, of bytes without a high bit.
    let from = |byte: u8| word + ONES * (0x80 - u64::from(byte));
    if word & HIGH != 0 {
        return None;
    }
    let within = |first: u8, last: u8| from(first) & !from(last + 1) & HIGH;
    let (letters, hyphens) = (within(b'a', b'z'), within(b'-', b'-'));
    if letters | hyphens | within(b'0', b'9') != HIGH {
        return None;
    }
    let beginnings = hyphens << 8 | u64::from(begins) << 7;
    Some((word ^ (beginnings & letters) >> 2, hyphens >> 63 == 1))
}

const LETTERS: u64 = u64::from_le_bytes([b'a'; 8]);

/// Appends a name, whatever bytes it has.
#[cold]
fn rewrite(name: &[u8], out: &mut Vec<u8>) {
    if !is_token(name) {
        out.extend_from_slice(name);
        return;
    }
    let mut begins = true;
    out.extend(name.iter().map(|byte| {
        let letter = match begins {
            true => byte.to_ascii_uppercase(),
            false => byte.to_ascii_lowercase(),
        };
        begins = *byte == b'-';
        letter
    }));
}

/// Whether the gateway alone decides on a header: pseudo-headers, the host, what belongs to the connection, and the
/// length of the body. `name` is in lower case.
pub fn is_gateways_own(name: &[u8]) -> bool {
    matches!(name, b"" | b"host" | b"content-length" | [b':', ..]) || is_connection_header(name)
}

/// Whether this is a token (RFC 9110, section 5.6.2), which methods and names of headers are.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| of_token(*byte))
}

fn of_token(byte: u8) -> bool {
    let (bits, at) = match byte {
        0..64 => (const { token_bits(0) }, byte),
        64..128 => (const { token_bits(64) }, byte - 64),
        _ => return false,
    };
    bits >> at & 1 == 1
}

/// Which of the 64 bytes from `first` on may stand in a token: most of a request's headers pass here.
const fn token_bits(first: u8) -> u64 {
    let (mut bits, mut at) = (0, 0);
    while at < 64 {
        let byte = first + at;
        let may = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        bits |= (may as u64) << at;
        at += 1;
    }
    bits
}

/// Whether HTTP can carry a header.
pub fn is_header(name: &[u8], value: &[u8]) -> bool {
    is_token(name) && is_header_value(value)
}
