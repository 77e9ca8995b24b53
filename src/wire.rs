//! Protobuf's wire format: the primitives under both directions.
//!
//! Source: protobuf's encoding documentation, and what the conformance suite accepts and refuses. A [`Reader`] never
//! reads beyond its slice and never recurses; every failure is a [`WireError`].

use std::collections::HashMap;
use std::fmt;

use crate::text::append::append;

/// How deep values nest at most, both ways: messages, lists and maps, unknown and skipped ones too.
pub const DEPTH_LIMIT: usize = 100;

/// The highest field number: 2^29 - 1.
pub const MAX_FIELD_NUMBER: u32 = (1 << 29) - 1;

/// The longest varint: 64 bits, seven to a byte.
pub const MAX_VARINT_LENGTH: usize = 10;

/// Reads wire format from a slice, front to back.
///
/// Cheap to copy: a copy is a bookmark.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'w> {
    bytes: &'w [u8],
    position: usize,
}

impl<'w> Reader<'w> {
    /// A reader at the start of `bytes`.
    #[inline]
    pub fn new(bytes: &'w [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// A reader at `position` of `bytes`; beyond the end, at the end.
    #[inline]
    pub fn at(bytes: &'w [u8], position: usize) -> Self {
        Self {
            bytes,
            position: position.min(bytes.len()),
        }
    }

    /// How many bytes have been read.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Whether all bytes have been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.position >= self.bytes.len()
    }

    /// What has not been read yet.
    #[inline]
    pub fn rest(&self) -> &'w [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next byte.
    #[inline(always)]
    pub fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    /// Passes over `length` bytes, if there are so many.
    #[inline(always)]
    pub fn advance(&mut self, length: usize) -> bool {
        let enough = self.bytes.len().saturating_sub(self.position) >= length;
        if enough {
            self.position += length;
        }
        enough
    }

    /// A varint of up to ten bytes. Bits beyond the 64th are dropped, as protobuf does.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match self.bytes.get(self.position) {
            Some(&byte) if byte < 0x80 => {
                self.position += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        if let Some(word) = self.rest().first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            // The high bit of each byte that ends a varint; up to the first one, all bits are this one's.
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                let bits = word & (ends ^ ends.wrapping_sub(1)) & 0x7f7f_7f7f_7f7f_7f7f;
                let bits = bits & 0x007f_007f_007f_007f | (bits & 0x7f00_7f00_7f00_7f00) >> 1;
                let bits = bits & 0x0000_3fff_0000_3fff | (bits & 0x3fff_0000_3fff_0000) >> 2;
                self.position += ends.trailing_zeros() as usize / 8 + 1;
                return Ok(bits & 0x0fff_ffff | bits >> 32 << 28);
            }
        }
        let mut value = 0;
        for (byte, index) in self.rest().iter().zip(0..MAX_VARINT_LENGTH) {
            value |= u64::from(byte & 0x7f) << (index * 7);
            if *byte < 0x80 {
                self.position += index + 1;
                return Ok(value);
            }
        }
        if self.rest().len() < MAX_VARINT_LENGTH {
            return Err(WireError::Truncated);
        }
        Err(WireError::OverlongVarint)
    }

    /// A tag: the field number, 1 to 2^29 - 1, and the wire type.
    #[inline]
    pub fn tag(&mut self) -> Result<(u32, WireType), WireError> {
        // The most common one: a byte, with a field number up to 15.
        if let Some(&tag @ 0x08..0x80) = self.bytes.get(self.position)
            && let Some(wire_type) = WireType::of(tag & 7)
        {
            self.position += 1;
            return Ok((u32::from(tag >> 3), wire_type));
        }
        self.any_tag()
    }

    fn any_tag(&mut self) -> Result<(u32, WireType), WireError> {
        let start = self.position;
        let tag = self.varint()?;
        // A tag has 32 bits, so five bytes at most, zero padding included.
        if self.position - start > 5 {
            return Err(WireError::OverlongVarint);
        }
        let Some(wire_type) = WireType::of(tag as u8 & 7) else {
            return Err(WireError::UnknownWireType(tag as u8 & 7));
        };
        match u32::try_from(tag >> 3) {
            Ok(number @ 1..=MAX_FIELD_NUMBER) => Ok((number, wire_type)),
            _ => Err(WireError::FieldNumber(tag >> 3)),
        }
    }

    /// Four bytes, little endian.
    #[inline]
    pub fn fixed32(&mut self) -> Result<u32, WireError> {
        let (bytes, _) = self.rest().split_first_chunk::<4>().ok_or(WireError::Truncated)?;
        self.position += 4;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Eight bytes, little endian.
    #[inline]
    pub fn fixed64(&mut self) -> Result<u64, WireError> {
        let (bytes, _) = self.rest().split_first_chunk::<8>().ok_or(WireError::Truncated)?;
        self.position += 8;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// A length and that many bytes.
    #[inline]
    pub fn length_delimited(&mut self) -> Result<&'w [u8], WireError> {
        let length = self.varint()?;
        let contents = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest().get(..length))
            .ok_or(WireError::LengthBeyondEnd)?;
        self.position += contents.len();
        Ok(contents)
    }

    /// A length-delimited record whose tag and length have a byte each: its field number, 1 to 15, and its contents.
    /// `None`: what comes next isn't one, and nothing has been read.
    #[inline(always)]
    pub fn short_record(&mut self) -> Option<(u32, &'w [u8])> {
        let &[tag @ 0x0a..0x80, length @ ..0x80, ref behind @ ..] = self.rest() else {
            return None;
        };
        if tag & 7 != WireType::Len as u8 {
            return None;
        }
        let contents = behind.get(..usize::from(length))?;
        self.position += 2 + contents.len();
        Some((u32::from(tag >> 3), contents))
    }

    /// The contents of the group whose start tag has just been read, without its end tag.
    ///
    /// `depth` is how many levels are open, this group included. It looks at every record of the group, but notes in
    /// `groups` where the groups within it end, so that reading these looks at nothing again. `groups` belongs to the
    /// bytes that this reader reads: positions count.
    pub fn group(&mut self, number: u32, depth: usize, groups: &mut Groups) -> Result<&'w [u8], WireError> {
        let start = self.position;
        let end = match groups.ends.get(&start) {
            Some(&end) => {
                self.position = end;
                self.tag()?;
                end
            }
            None => self.note_groups(number, depth, groups)?,
        };
        Ok(self.bytes.get(start..end).unwrap_or_default())
    }

    /// Passes over the rest of a group and its end tag, and notes the groups within it; the position of the end tag.
    fn note_groups(&mut self, number: u32, depth: usize, groups: &mut Groups) -> Result<usize, WireError> {
        groups.open.clear();
        // What is open within this group, the innermost apart.
        let mut innermost = (number, self.position);
        loop {
            let at = self.position;
            if self.is_empty() {
                return Err(WireError::Truncated);
            }
            if depth + groups.open.len() > DEPTH_LIMIT {
                return Err(WireError::TooDeep);
            }
            match self.tag()? {
                (number, WireType::StartGroup) => {
                    groups.open.push(innermost);
                    innermost = (number, self.position);
                }
                (number, WireType::EndGroup) if number != innermost.0 => {
                    return Err(WireError::UnexpectedEndGroup(number));
                }
                (_, WireType::EndGroup) => {
                    let Some(around) = groups.open.pop() else {
                        return Ok(at);
                    };
                    groups.ends.insert(innermost.1, at);
                    innermost = around;
                }
                (number, wire_type) => self.skip(number, wire_type, DEPTH_LIMIT)?,
            }
        }
    }

    /// Passes over the value whose tag has just been read, whatever it is.
    ///
    /// `depth` is how many levels are open around it; groups within groups count on from there to [`DEPTH_LIMIT`].
    #[inline]
    pub fn skip(&mut self, number: u32, wire_type: WireType, depth: usize) -> Result<(), WireError> {
        match wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::I64 => self.fixed64().map(drop),
            WireType::I32 => self.fixed32().map(drop),
            WireType::Len => self.length_delimited().map(drop),
            WireType::StartGroup => self.skip_group(number, depth + 1),
            WireType::EndGroup => Err(WireError::UnexpectedEndGroup(number)),
        }
    }

    /// Passes over the rest of a group and its end tag.
    fn skip_group(&mut self, number: u32, depth: usize) -> Result<(), WireError> {
        // The numbers of the groups that are open; a fixed array, since the depth is bounded.
        let mut open = [0; DEPTH_LIMIT];
        let mut count = 0;
        let mut inner = number;
        loop {
            if self.is_empty() {
                return Err(WireError::Truncated);
            }
            if depth + count > DEPTH_LIMIT {
                return Err(WireError::TooDeep);
            }
            match self.tag()? {
                (number, WireType::StartGroup) => {
                    *open.get_mut(count).ok_or(WireError::TooDeep)? = inner;
                    count += 1;
                    inner = number;
                }
                (number, WireType::EndGroup) if number != inner => {
                    return Err(WireError::UnexpectedEndGroup(number));
                }
                (_, WireType::EndGroup) => {
                    let Some(outer) = count.checked_sub(1) else {
                        return Ok(());
                    };
                    count = outer;
                    inner = open.get(outer).copied().unwrap_or(number);
                }
                (number, wire_type) => self.skip(number, wire_type, DEPTH_LIMIT)?,
            }
        }
    }
}

/// Where groups end, which takes reading them: what has been found out about the groups within one is kept, so that groups
/// in groups aren't read once for each level.
#[derive(Debug, Default)]
pub struct Groups {
    /// The position of a group's end tag, by where its contents begin.
    ends: HashMap<usize, usize>,
    /// The groups that are open while one is read: number, and where its contents begin.
    open: Vec<(u32, usize)>,
}

impl Groups {
    /// Forgets everything: the bytes are others now.
    pub fn clear(&mut self) {
        self.ends.clear();
    }

    /// How many bytes of memory they take, about.
    pub fn footprint(&self) -> usize {
        self.ends.capacity() * size_of::<(usize, usize)>() + self.open.capacity() * size_of::<(u32, usize)>()
    }
}

/// Appends a varint.
#[inline]
pub fn write_varint(value: u64, out: &mut Vec<u8>) {
    if value < 0x80 {
        out.push(value as u8);
    } else if value < 0x4000 {
        out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
    } else {
        write_long_varint(value, out);
    }
}

/// The varint of a value below 2^56, in the low bytes of a word, and how many bytes it takes.
#[inline(always)]
pub fn varint_word(value: u64) -> (u64, usize) {
    // Seven bits to a byte, in parallel: first two halves of 28 bits, then four quarters of 14.
    let bits = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let bits = bits & 0x0000_3fff_0000_3fff | (bits & 0x0fff_c000_0fff_c000) << 2;
    let bits = bits & 0x007f_007f_007f_007f | (bits & 0x3f80_3f80_3f80_3f80) << 1;
    // Of bytes: all that hold something, and the first one whatever it holds.
    let zeros = (bits | 1).leading_zeros() / 8;
    let continued = 0x0080_8080_8080_8080 >> (8 * zeros);
    (bits | continued, 8 - zeros as usize)
}

fn write_long_varint(mut value: u64, out: &mut Vec<u8>) {
    if value < 1 << 56 {
        let (word, length) = varint_word(value);
        let end = out.len() + length;
        out.extend_from_slice(&word.to_le_bytes());
        out.truncate(end);
        return;
    }
    // All ten bytes, cut to size: a copy of a fixed length is a few instructions, one of a varying length is a call.
    let mut bytes = [0; MAX_VARINT_LENGTH];
    let mut length = 0;
    for byte in &mut bytes {
        length += 1;
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    let end = out.len() + length;
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

/// Appends a length-delimited record: field `number` with the value `bytes`.
pub fn write_record(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    write_record_head(number, bytes.len(), out);
    append(bytes, out);
}

/// Appends what stands before the value of a length-delimited record, of `length` bytes.
#[inline(always)]
pub fn write_record_head(number: u32, length: usize, out: &mut Vec<u8>) {
    // Nearly all of them.
    if number < 16 && length < 0x80 {
        out.extend_from_slice(&[(number << 3) as u8 | WireType::Len as u8, length as u8]);
        return;
    }
    write_long_head(number, length, out);
}

/// How many bytes a record takes whose contents are so many, under a field number below 16.
pub fn record_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

#[cold]
fn write_long_head(number: u32, length: usize, out: &mut Vec<u8>) {
    Tag::new(number, WireType::Len).append_to(out);
    write_varint(length as u64, out);
}

/// How many bytes [`write_varint`] appends: 1 to 10.
#[inline]
pub fn varint_length(value: u64) -> usize {
    // Seven bits to a byte, without a division: (bits * 9 + 64) / 64 is ceil(bits / 7) up to 64 bits.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    (bits * 9 + 64) >> 6
}

/// `sint32` and `sint64` on the wire: 0, -1, 1, -2 are 0, 1, 2, 3.
#[inline]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The reverse of [`zigzag`].
#[inline]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Why bytes are not wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The bytes end within a value or a group.
    Truncated,
    /// A varint of more than ten bytes, or a tag of more than five.
    OverlongVarint,
    /// A length that reaches beyond the bytes around it.
    LengthBeyondEnd,
    /// A field number that is 0 or over 2^29 - 1.
    FieldNumber(u64),
    /// Wire type 6 or 7.
    UnknownWireType(u8),
    /// The end of a group that isn't open.
    UnexpectedEndGroup(u32),
    /// Nested deeper than [`DEPTH_LIMIT`].
    TooDeep,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the message ends in the middle of a value"),
            Self::OverlongVarint => f.write_str("found a varint that is too long"),
            Self::LengthBeyondEnd => f.write_str("found a length that reaches beyond the end of the message"),
            Self::FieldNumber(number) => {
                write!(f, "found field number {number}, expected 1 to {MAX_FIELD_NUMBER}")
            }
            Self::UnknownWireType(wire_type) => write!(f, "found wire type {wire_type}, expected 0 to 5"),
            Self::UnexpectedEndGroup(number) => write!(f, "found the end of group {number}, which is not open"),
            Self::TooDeep => write!(f, "the message is nested deeper than {DEPTH_LIMIT} levels"),
        }
    }
}

impl std::error::Error for WireError {}

/// Wire types, by protobuf's encoding documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "protobuf's own names")]
pub enum WireType {
    Varint = 0,
    I64 = 1,
    Len = 2,
    StartGroup = 3,
    EndGroup = 4,
    I32 = 5,
}

impl WireType {
    /// The wire type of this number; 6 and 7 are none.
    #[inline]
    pub fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Varint,
            1 => Self::I64,
            2 => Self::Len,
            3 => Self::StartGroup,
            4 => Self::EndGroup,
            5 => Self::I32,
            _ => return None,
        })
    }
}

/// The wire form of a tag: up to five bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    bytes: [u8; Tag::LONGEST],
    length: u8,
}

impl Tag {
    /// The longest one, in bytes.
    pub const LONGEST: usize = 5;

    /// The tag of a field number with a wire type.
    pub fn new(number: u32, wire_type: WireType) -> Self {
        let mut rest = (number << 3) | wire_type as u32;
        let mut bytes = [0; Self::LONGEST];
        let mut length = 0;
        for byte in &mut bytes {
            length += 1;
            *byte = (rest & 0x7f) as u8;
            rest >>= 7;
            if rest == 0 {
                break;
            }
            *byte |= 0x80;
        }
        Self { bytes, length }
    }

    /// Appends the tag.
    #[inline]
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let [first, ..] = self.bytes;
        if self.length == 1 {
            out.push(first);
            return;
        }
        // All five bytes, cut to size: a copy of a fixed length is a few instructions, one of a varying length is a call.
        let end = out.len() + usize::from(self.length);
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }

    /// The bytes with padding behind them, and how many they are.
    #[inline(always)]
    pub fn padded(&self) -> (&[u8; Self::LONGEST], usize) {
        (&self.bytes, self.length.into())
    }

    /// The bytes to copy.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_read_as_they_are_written() {
        for shift in 0..64 {
            for value in [
                1_u64 << shift,
                (1 << shift) - 1,
                u64::MAX >> shift,
                0xa5c3_7e91_4f2d_b86b >> shift,
            ] {
                let mut bytes = Vec::new();
                write_varint(value, &mut bytes);
                assert_eq!(bytes.len(), varint_length(value), "{value}");
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.varint(), Ok(value));
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn zigzag_goes_both_ways() {
        for (value, expected) in [
            (0, 0),
            (-1, 1),
            (1, 2),
            (-2, 3),
            (i64::MAX, u64::MAX - 1),
            (i64::MIN, u64::MAX),
        ] {
            assert_eq!(zigzag(value), expected);
            assert_eq!(unzigzag(expected), value);
        }
    }

    #[test]
    fn varints_of_ten_bytes_are_the_longest() {
        let mut padded = [0x80; 10];
        padded[9] = 0;
        assert_eq!(Reader::new(&padded).varint(), Ok(0));
        assert_eq!(Reader::new(&[0xff; 11]).varint(), Err(WireError::OverlongVarint));
        assert_eq!(Reader::new(&[0xff; 9]).varint(), Err(WireError::Truncated));
        assert_eq!(Reader::new(&[]).varint(), Err(WireError::Truncated));
    }

    #[test]
    fn tags_have_a_number_and_a_wire_type() {
        type Tag = Result<(u32, WireType), WireError>;
        let cases: [(&[u8], Tag); 8] = [
            (&[0x08], Ok((1, WireType::Varint))),
            (&[0xfd, 0xff, 0xff, 0xff, 0x0f], Ok((MAX_FIELD_NUMBER, WireType::I32))),
            (&[0x00], Err(WireError::FieldNumber(0))),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x10],
                Err(WireError::FieldNumber(u64::from(MAX_FIELD_NUMBER) + 1)),
            ),
            (&[0x0e], Err(WireError::UnknownWireType(6))),
            (&[0x0f], Err(WireError::UnknownWireType(7))),
            (&[0x88, 0x80, 0x80, 0x80, 0x80, 0x00], Err(WireError::OverlongVarint)),
            (&[0x88], Err(WireError::Truncated)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Reader::new(bytes).tag(), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn lengths_stay_within_the_bytes() {
        assert_eq!(Reader::new(&[2, 7, 8, 9]).length_delimited(), Ok(&[7, 8][..]));
        assert_eq!(Reader::new(&[2, 7]).length_delimited(), Err(WireError::LengthBeyondEnd));
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&huge).length_delimited(), Err(WireError::LengthBeyondEnd));
        assert_eq!(Reader::new(&[1, 2, 3]).fixed32(), Err(WireError::Truncated));
        assert_eq!(Reader::new(&[1, 0, 0, 0]).fixed32(), Ok(1));
        assert_eq!(Reader::new(&[1; 7]).fixed64(), Err(WireError::Truncated));
        assert_eq!(Reader::new(&[1, 0, 0, 0, 0, 0, 0, 0]).fixed64(), Ok(1));
    }

    #[test]
    fn groups_are_skipped_with_what_they_hold() {
        // 1: group { 2: varint 5, 3: group {}, 4: "x" }, then 5: varint 1.
        let bytes = [0x0b, 0x10, 0x05, 0x1b, 0x1c, 0x22, 0x01, b'x', 0x0c, 0x28, 0x01];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.tag(), Ok((1, WireType::StartGroup)));
        let mut contents = reader;
        assert_eq!(contents.group(1, 1, &mut Groups::default()), Ok(&bytes[1..8]));
        assert_eq!(reader.skip(1, WireType::StartGroup, 0), Ok(()));
        assert_eq!(reader.position(), contents.position());
        assert_eq!(reader.tag(), Ok((5, WireType::Varint)));
    }

    #[test]
    fn groups_within_groups_are_read_without_looking_at_them_again() {
        // 1: group { 3: group { 3: group {} }, 2: "\x1b\x1c" (a group again), 3: group { 4: varint 1 } }, 5: group {}.
        let mut bytes = vec![
            0x0b, 0x1b, 0x1b, 0x1c, 0x1c, 0x12, 0x02, 0x1b, 0x1c, 0x1b, 0x20, 0x01, 0x1c, 0x0c, 0x2b, 0x2c,
        ];
        let mut groups = Groups::default();
        let mut read = |bytes: &[u8], start: usize, number| {
            let mut reader = Reader::at(bytes, start);
            let length = reader.group(number, 1, &mut groups).map(<[u8]>::len);
            (length, reader.position())
        };
        assert_eq!(read(&bytes, 1, 1), (Ok(12), 14));
        // Whatever is in there now: only tags that end groups are looked at.
        bytes[10..12].fill(0xff);
        assert_eq!(read(&bytes, 2, 3), (Ok(2), 5));
        assert_eq!(read(&bytes, 3, 3), (Ok(0), 4));
        assert_eq!(read(&bytes, 8, 3), (Ok(0), 9), "not seen as a group before");
        assert_eq!(read(&bytes, 15, 5), (Ok(0), 16));
        assert_eq!(read(&bytes, 10, 3), (Ok(2), 13), "still known");
        groups.clear();
        let mut reader = Reader::at(&bytes, 10);
        assert_eq!(reader.group(3, 1, &mut groups), Err(WireError::UnknownWireType(7)));
    }

    #[test]
    fn broken_groups_are_refused() {
        let cases: [(&[u8], WireError); 4] = [
            (&[0x10, 0x05], WireError::Truncated),
            (&[0x14], WireError::UnexpectedEndGroup(2)),
            (&[0x1b, 0x0c], WireError::UnexpectedEndGroup(1)),
            (&[0x22, 0x09], WireError::LengthBeyondEnd),
        ];
        for (bytes, expected) in cases {
            assert_eq!(
                Reader::new(bytes).skip(1, WireType::StartGroup, 0),
                Err(expected),
                "{bytes:x?}"
            );
            assert_eq!(
                Reader::new(bytes).group(1, 1, &mut Groups::default()),
                Err(expected),
                "{bytes:x?}"
            );
        }
        assert_eq!(
            Reader::new(&[]).skip(3, WireType::EndGroup, 0),
            Err(WireError::UnexpectedEndGroup(3))
        );
    }

    #[test]
    fn groups_nest_to_the_depth_limit_and_no_deeper() {
        let nested = |levels: usize| {
            let mut bytes = vec![0x0b; levels];
            bytes.extend(vec![0x0c; levels]);
            bytes
        };
        let skip = |levels: usize, around: usize| {
            let bytes = nested(levels);
            let mut reader = Reader::new(&bytes);
            let (number, wire_type) = reader.tag()?;
            let mut noting = reader;
            let noted = noting.group(number, around + 1, &mut Groups::default()).map(drop);
            let skipped = reader.skip(number, wire_type, around);
            assert_eq!(noted, skipped);
            skipped
        };
        assert_eq!(skip(DEPTH_LIMIT, 0), Ok(()));
        assert_eq!(skip(DEPTH_LIMIT + 1, 0), Err(WireError::TooDeep));
        assert_eq!(skip(DEPTH_LIMIT - 40, 40), Ok(()));
        assert_eq!(skip(DEPTH_LIMIT - 39, 40), Err(WireError::TooDeep));
        assert_eq!(skip(100_000, 0), Err(WireError::TooDeep));
    }
}
