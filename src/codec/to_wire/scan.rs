//! JSON's lexical level (RFC 8259): white space, strings, numbers, literals, and values that nobody wants.
//!
//! Nothing here knows protobuf. Strings are looked at sixteen bytes at a time; only those that hold something else than
//! plain ASCII are looked at again. Outside strings the grammar admits ASCII alone, so whatever a [`Scanner`] has passed
//! over is valid UTF-8.

use std::borrow::Cow;

use super::fault::{Fault, Result, found};
use crate::codec::lanes::plain_end;
use crate::schema::tables::Key;
use crate::text::append::append;
use crate::text::equal::equal;
use crate::wire::DEPTH_LIMIT;

/// A place in a JSON text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'j> {
    json: &'j [u8],
    /// The position of the next byte.
    pub(super) at: usize,
}

impl<'j> Scanner<'j> {
    pub(super) fn new(json: &'j [u8], at: usize) -> Self {
        Self { json, at }
    }

    /// The whole text.
    #[inline]
    pub(super) fn json(&self) -> &'j [u8] {
        self.json
    }

    /// What has not been read.
    #[inline]
    pub(super) fn rest(&self) -> &'j [u8] {
        self.json.get(self.at..).unwrap_or_default()
    }

    /// The next byte; 0 at the end, which is no byte of any token.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.json.get(self.at).copied().unwrap_or(0)
    }

    /// Whether everything has been read.
    #[inline]
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.json.len()
    }

    /// Passes over white space.
    #[inline]
    pub(super) fn skip_whitespace(&mut self) {
        if self.peek() <= b' ' {
            self.skip_long_whitespace();
        }
    }

    fn skip_long_whitespace(&mut self) {
        let rest = self.rest();
        let mut length = 0;
        loop {
            // Indentation comes in runs.
            while let Some(word) = rest.get(length..).and_then(|rest| rest.first_chunk::<8>())
                && u64::from_le_bytes(*word) == ONES * b' ' as u64
            {
                length += 8;
            }
            match rest.get(length) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => length += 1,
                _ => break,
            }
        }
        self.at += length;
    }

    /// Passes over `byte` if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == byte;
        self.at += usize::from(taken);
        taken
    }

    /// Passes over `text` if it is next.
    #[inline]
    pub(super) fn take_text(&mut self, text: &[u8]) -> bool {
        let taken = match self.rest().get(..text.len()) {
            Some(next) => equal(next, text),
            None => false,
        };
        if taken {
            self.at += text.len();
        }
        taken
    }

    /// Passes over a field's key and its colon if they are next, written without escapes and without white space.
    #[inline]
    pub(super) fn take_key(&mut self, key: &Key) -> bool {
        match key.starts(self.rest()) {
            Some(length) => {
                self.at += length;
                true
            }
            None => false,
        }
    }

    /// After a member of an object: passes over a comma, a field's key and its colon, if they are next without white space.
    #[inline]
    pub(super) fn take_next_key(&mut self, key: &Key) -> bool {
        let [b',', rest @ ..] = self.rest() else {
            return false;
        };
        match key.starts(rest) {
            Some(length) => {
                self.at += 1 + length;
                true
            }
            None => false,
        }
    }

    /// Passes over `text`, one of JSON's three literals.
    #[inline]
    pub(super) fn literal(&mut self, text: &'static str) -> Result<()> {
        if self.take_text(text.as_bytes()) {
            Ok(())
        } else {
            Err(self.expected(text))
        }
    }

    /// Passes over what stands between a key and its value.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<()> {
        if self.take(b':') {
            return Ok(());
        }
        self.skip_whitespace();
        if self.take(b':') {
            return Ok(());
        }
        Err(self.expected("':' after the key"))
    }

    /// After a member of an object: true at the next key, false after the closing brace.
    #[inline]
    pub(super) fn next_member(&mut self) -> Result<bool> {
        self.skip_whitespace();
        match self.peek() {
            b',' => {
                self.at += 1;
                self.skip_whitespace();
                Ok(true)
            }
            b'}' => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.expected("',' or '}'")),
        }
    }

    /// After an element of an array: true at the next element, false after the closing bracket.
    #[inline]
    pub(super) fn next_element(&mut self) -> Result<bool> {
        self.skip_whitespace();
        match self.peek() {
            b',' => {
                self.at += 1;
                self.skip_whitespace();
                Ok(true)
            }
            b']' => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.expected("',' or ']'")),
        }
    }

    /// After an opening bracket or brace: whether the closing one follows at once. If not, at the first member.
    #[inline]
    pub(super) fn closes(&mut self, closing: u8) -> bool {
        self.skip_whitespace();
        self.take(closing)
    }

    /// A string, from its opening quote to after its closing one.
    #[inline]
    pub(super) fn string(&mut self, what: &'static str) -> Result<JsonString<'j>> {
        if self.peek() != b'"' {
            return Err(self.expected(what));
        }
        let start = self.at + 1;
        let end = plain_end(self.json, start);
        if let Some(b'"') = self.json.get(end) {
            self.at = end + 1;
            return Ok(JsonString {
                raw: self.json.get(start..end).unwrap_or_default(),
                start,
                escaped: false,
            });
        }
        self.unusual_string(start, end - start)
    }

    /// A string with something else than printable ASCII; its first `length` bytes are plain.
    #[inline(never)]
    fn unusual_string(&mut self, start: usize, mut length: usize) -> Result<JsonString<'j>> {
        let rest = self.json.get(start..).unwrap_or_default();
        let mut escaped = false;
        let mut ascii = true;
        loop {
            match rest.get(length) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    length += self.escape_length(start + length)?;
                }
                Some(0..0x20) => {
                    self.at = start + length;
                    return Err(self.expected("an escape such as \\n (a string holds no bare control characters)"));
                }
                Some(byte) => {
                    ascii &= byte.is_ascii();
                    length += 1;
                    while let Some(word) = rest.get(length..).and_then(|rest| rest.first_chunk::<8>()) {
                        let word = u64::from_le_bytes(*word);
                        ascii &= word & HIGH == 0;
                        match delimiters(word) {
                            0 => length += 8,
                            mask => {
                                length += (mask.trailing_zeros() / 8) as usize;
                                break;
                            }
                        }
                    }
                }
                None => {
                    return Err(Fault::new(self.json.len(), "the input ends in the middle of a string"));
                }
            }
        }
        let raw = rest.get(..length).unwrap_or_default();
        if !ascii && let Err(error) = std::str::from_utf8(raw) {
            return Err(Fault::new(
                start + error.valid_up_to(),
                "found bytes that are not UTF-8",
            ));
        }
        self.at = start + length + 1;
        Ok(JsonString { raw, start, escaped })
    }

    /// The length of the escape at `at`: 2, 6, or 12 for a surrogate pair.
    #[inline]
    fn escape_length(&self, at: usize) -> Result<usize> {
        let rest = self.json.get(at..).unwrap_or_default();
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') => match hex4(rest.get(2..)) {
                None => Err(Fault::new(at, "expected four hexadecimal digits after \\u")),
                Some(0xd800..0xdc00) => match (rest.get(6..8), hex4(rest.get(8..))) {
                    (Some(b"\\u"), Some(0xdc00..0xe000)) => Ok(12),
                    _ => Err(Fault::new(at, "found a lone surrogate, expected a surrogate pair")),
                },
                Some(0xdc00..0xe000) => Err(Fault::new(at, "found a lone surrogate, expected a surrogate pair")),
                Some(_) => Ok(6),
            },
            _ => Err(Fault::new(at, "found an unknown escape in a string")),
        }
    }

    /// A number; its text.
    #[inline]
    pub(super) fn number(&mut self, what: &'static str) -> Result<&'j [u8]> {
        let rest = self.rest();
        match number_length(rest) {
            Some(length) => {
                self.at += length;
                Ok(rest.get(..length).unwrap_or_default())
            }
            None => Err(self.expected(what)),
        }
    }

    /// Passes over one value of any kind, checking that it is valid JSON. `depth` levels are open around it.
    pub(super) fn skip_value(&mut self, depth: usize) -> Result<()> {
        self.walk(depth, &mut ()).map(drop)
    }

    /// Passes over one value, telling `visitor` of its objects and keys; true when the visitor ended it.
    pub(super) fn walk<V: Visitor>(&mut self, depth: usize, visitor: &mut V) -> Result<bool> {
        // One bit for each open level, 1 for objects; DEPTH_LIMIT bits fit.
        const { assert!(DEPTH_LIMIT <= 128) };
        let mut objects = 0_u128;
        let mut level = 0;
        loop {
            match self.peek() {
                opening @ (b'{' | b'[') => {
                    if depth + level >= DEPTH_LIMIT {
                        return Err(too_deep(self.at));
                    }
                    level += 1;
                    objects = objects << 1 | u128::from(opening == b'{');
                    if opening == b'{' {
                        visitor.object(level, self.at);
                    }
                    self.at += 1;
                    self.skip_whitespace();
                    if opening == b'{' && self.peek() != b'}' {
                        if self.visited_key(level, visitor)? {
                            return Ok(true);
                        }
                        continue;
                    }
                    if opening == b'[' && self.peek() != b']' {
                        continue;
                    }
                }
                b'"' => drop(self.string("a value")?),
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                _ => drop(self.number("a value")?),
            }
            // After a value, or before the end of an empty object or array.
            loop {
                if level == 0 {
                    return Ok(false);
                }
                self.skip_whitespace();
                match (self.peek(), objects & 1 == 1) {
                    (b',', true) => {
                        self.at += 1;
                        self.skip_whitespace();
                        if self.visited_key(level, visitor)? {
                            return Ok(true);
                        }
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        self.skip_whitespace();
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        level -= 1;
                        objects >>= 1;
                    }
                    (_, true) => return Err(self.expected("',' or '}'")),
                    (_, false) => return Err(self.expected("',' or ']'")),
                }
            }
        }
    }

    #[inline]
    fn visited_key<V: Visitor>(&mut self, level: usize, visitor: &mut V) -> Result<bool> {
        let key = self.string("a key")?;
        self.colon()?;
        self.skip_whitespace();
        Ok(visitor.key(level, &key, self.at))
    }

    /// "expected …, found …" at this place.
    #[cold]
    #[inline(never)]
    pub(super) fn expected(&self, what: &str) -> Fault {
        expected_at(self.json, self.at, what)
    }
}

/// "expected …, found …" at a place of `json`.
#[cold]
#[inline(never)]
pub(super) fn expected_at(json: &[u8], at: usize, what: &str) -> Fault {
    Fault::new(at, format!("expected {what}, found {}", found(json, at)))
}

/// The fault of one level too many, opened at `at`.
#[cold]
pub(super) fn too_deep(at: usize) -> Fault {
    Fault::new(at, format!("the value is nested deeper than {DEPTH_LIMIT} levels"))
}

/// Hears of the objects and keys within a value; levels count from 1.
pub(super) trait Visitor {
    /// An object opens at `at`.
    fn object(&mut self, level: usize, at: usize);
    /// A key, with the position of its value; true ends the walk there.
    fn key(&mut self, level: usize, key: &JsonString<'_>, value_at: usize) -> bool;
}

/// Nobody is interested.
impl Visitor for () {
    #[inline]
    fn object(&mut self, _level: usize, _at: usize) {}

    #[inline]
    fn key(&mut self, _level: usize, _key: &JsonString<'_>, _value_at: usize) -> bool {
        false
    }
}

/// A string that has been scanned: valid UTF-8 with valid escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonString<'j> {
    /// What stands between the quotes.
    pub(super) raw: &'j [u8],
    /// The position of `raw` in the text.
    pub(super) start: usize,
    /// Whether `raw` holds escapes.
    pub(super) escaped: bool,
}

impl<'j> JsonString<'j> {
    /// The characters that the string stands for, in UTF-8.
    #[inline]
    pub(super) fn decoded(&self) -> Cow<'j, [u8]> {
        if self.escaped {
            let mut decoded = Vec::with_capacity(self.raw.len());
            unescape(self.raw, &mut decoded);
            decoded.into()
        } else {
            self.raw.into()
        }
    }
}

/// Appends what `raw`, the inside of a valid string, stands for. Never longer than `raw`.
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'\\' {
            let Some(word) = rest.first_chunk::<8>() else {
                out.push(byte);
                rest = after;
                continue;
            };
            // Whole words, cut where an escape begins.
            let backslash = u64::from_le_bytes(*word) ^ (ONES * b'\\' as u64);
            let plain = match backslash.wrapping_sub(ONES) & !backslash & HIGH {
                0 => 8,
                found => (found.trailing_zeros() / 8) as usize,
            };
            let end = out.len() + plain;
            out.extend_from_slice(word);
            out.truncate(end);
            rest = rest.get(plain..).unwrap_or_default();
            continue;
        }
        let (character, length) = match rest.get(1) {
            Some(b'u') => match (hex4(rest.get(2..)), hex4(rest.get(8..))) {
                (Some(high @ 0xd800..0xdc00), Some(low)) => (
                    0x1_0000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff),
                    12,
                ),
                (Some(character), _) => (character, 6),
                (None, _) => (0, 6),
            },
            Some(b'b') => (0x08, 2),
            Some(b'f') => (0x0c, 2),
            Some(b'n') => (0x0a, 2),
            Some(b'r') => (0x0d, 2),
            Some(b't') => (0x09, 2),
            Some(&other) => (u32::from(other), 2),
            None => (0, 1),
        };
        if character < 0x80 {
            out.push(character as u8);
        } else {
            let character = char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER);
            append(character.encode_utf8(&mut [0; 4]).as_bytes(), out);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// The number that four hexadecimal digits write.
fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    let mut number = 0;
    let mut invalid = 0;
    for digit in digits?.first_chunk::<4>()? {
        let value = HEX_VALUES.get(usize::from(*digit)).copied().unwrap_or(0x80);
        invalid |= value;
        number = number << 4 | u32::from(value);
    }
    (invalid < 0x80).then_some(number)
}

/// The value of each hexadecimal digit; 0x80 for any other byte.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const HEX_VALUES: [u8; 256] = {
    let mut values = [0x80; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// The length of the longest start of `text` that is a number by RFC 8259, section 6; none when there is none.
pub(super) fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        text.get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut length = usize::from(text.first() == Some(&b'-'));
    length += match text.get(length) {
        Some(b'0') => 1,
        Some(b'1'..=b'9') => digits(length),
        _ => return None,
    };
    if text.get(length) == Some(&b'.') {
        match digits(length + 1) {
            0 => return None,
            fraction => length += 1 + fraction,
        }
    }
    if let Some(b'e' | b'E') = text.get(length) {
        let sign = usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        match digits(length + 1 + sign) {
            0 => return None,
            exponent => length += 1 + sign + exponent,
        }
    }
    Some(length)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the high bit of the first byte of `word` that is a quote, a backslash or a control character. Bits above that
/// one mean nothing.
#[inline]
fn delimiters(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) | backslash.wrapping_sub(ONES) | word.wrapping_sub(ONES * 0x20)) & !word & HIGH
}
