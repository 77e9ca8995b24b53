//! Messages that a peer has compressed (`doc/compression.md`): gzip (RFC 1952), and deflate, by which gRPC means zlib
//! (RFC 1950).

use std::fmt;

use memchr::memchr;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// An encoding that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `gzip`.
    Gzip,
    /// `deflate`: zlib. Bare deflate is no encoding of gRPC, and its peers don't read it either.
    Deflate,
}

impl Encoding {
    /// The encoding that `grpc-encoding` names; `None`: it is not read here.
    pub fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }
}

/// So much comes out at once at first, in bytes; then twice as much.
const FIRST: usize = 4 * 1024;

/// Deflate has blocks (RFC 1951, section 3.2), each with tables that take as long to build as a kilobyte to inflate. A block may
/// take ten bits and hold nothing: of those, a megabyte would take seconds. Compressors make blocks of some kilobytes, or, with
/// the least memory, of 128 symbols, and shorter ones where they are told to flush. So there may be one for so many bytes that
/// go in, one for so many that come out, and some in any case.
const IN_PER_BLOCK: usize = 64;
const OUT_PER_BLOCK: usize = 128;
const FREE_BLOCKS: usize = 8;

/// The blocks of one message.
struct Blocks {
    taken: usize,
    /// How many there may be before anything comes out.
    most: usize,
}

impl Blocks {
    /// One more, behind so many bytes that have come out.
    fn take(&mut self, written: usize) -> Result<(), InflateError> {
        self.taken += 1;
        match self.taken <= self.most + written / OUT_PER_BLOCK {
            true => Ok(()),
            false => Err(InflateError::Blocks),
        }
    }
}

/// Inflates one message after the other. It takes memory from the first one on.
#[derive(Default)]
pub struct Inflater {
    state: Option<Box<DecompressorOxide>>,
    /// What has come out, and room for more: it is as long as it ever was, so that none of it is zeroed twice.
    out: Vec<u8>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("room", &self.out.len())
            .finish_non_exhaustive()
    }
}

impl Inflater {
    /// What `compressed` holds, which is one whole message. The cost is linear in both, and so is the memory, which
    /// `admits` is asked for, in bytes, before it is taken.
    ///
    /// # Errors
    ///
    /// Where `compressed` is not in this encoding, whole and alone, or in more blocks than its length allows, or more than
    /// `limit` bytes come out of it.
    pub fn inflate(
        &mut self,
        encoding: Encoding,
        compressed: &[u8],
        limit: usize,
        admits: impl Fn(usize) -> bool,
    ) -> Result<&[u8], InflateError> {
        let mut rest = compressed;
        let mut length = 0;
        let mut blocks = Blocks {
            taken: 0,
            most: FREE_BLOCKS + compressed.len() / IN_PER_BLOCK,
        };
        loop {
            let start = length;
            rest = match encoding {
                Encoding::Gzip => behind_gzip_header(rest)?,
                Encoding::Deflate => rest,
            };
            (rest, length) = self.member(encoding, rest, start, limit, &mut blocks, &admits)?;
            if encoding == Encoding::Gzip {
                let written = self.out.get(start..length).unwrap_or_default();
                rest = behind_gzip_trailer(rest, written)?;
            }
            match encoding {
                _ if rest.is_empty() => return Ok(self.out.get(..length).unwrap_or_default()),
                // Any number of members is a gzip file too (RFC 1952, section 2.2).
                Encoding::Gzip => {}
                Encoding::Deflate => return Err(InflateError::Trailing),
            }
        }
    }

    /// Inflates what is compressed at the beginning of `input`; what is behind that, and how much has come out with the
    /// `start` bytes before.
    fn member<'c>(
        &mut self,
        encoding: Encoding,
        mut input: &'c [u8],
        start: usize,
        limit: usize,
        blocks: &mut Blocks,
        admits: impl Fn(usize) -> bool,
    ) -> Result<(&'c [u8], usize), InflateError> {
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
            | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY
            | match encoding {
                Encoding::Gzip => 0,
                Encoding::Deflate => TINFL_FLAG_PARSE_ZLIB_HEADER,
            };
        if self.state.is_none() && !admits(size_of::<DecompressorOxide>()) {
            return Err(InflateError::NoMemory);
        }
        let state = self.state.get_or_insert_default();
        state.init();
        blocks.take(start)?;
        let mut written = 0;
        loop {
            // A member refers to nothing that was before it.
            let end = self.out.len().min(limit);
            let room = self.out.get_mut(start..end).unwrap_or_default();
            let (status, read, more) = decompress(state, input, room, written, flags);
            input = input.get(read..).unwrap_or_default();
            written += more;
            match status {
                TINFLStatus::Done => return Ok((input, start + written)),
                TINFLStatus::BlockBoundary => blocks.take(start + written)?,
                TINFLStatus::HasMoreOutput => {
                    if end >= limit {
                        return Err(InflateError::TooLarge { limit });
                    }
                    let longer = end.saturating_mul(2).max(FIRST).min(limit);
                    if !admits(longer) {
                        return Err(InflateError::NoMemory);
                    }
                    self.out.reserve_exact(longer - end);
                    self.out.resize(longer, 0);
                }
                // All of the input was there.
                TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                    return Err(InflateError::Truncated);
                }
                TINFLStatus::Adler32Mismatch => return Err(InflateError::Checksum),
                _ => return Err(InflateError::Malformed),
            }
        }
    }

    /// How many bytes of memory stay for what comes out of the next message.
    #[inline]
    pub fn footprint(&self) -> usize {
        self.out.capacity()
    }
}

/// What is behind the header of a gzip member (RFC 1952, section 2.3).
fn behind_gzip_header(member: &[u8]) -> Result<&[u8], InflateError> {
    const DEFLATE: u8 = 8;
    const HEADER_CRC: u8 = 0x02;
    const EXTRA: u8 = 0x04;
    const NAME: u8 = 0x08;
    const COMMENT: u8 = 0x10;
    const RESERVED: u8 = 0xe0;
    let Some(([0x1f, 0x8b, DEFLATE, flags, ..], mut rest)) = member.split_first_chunk::<10>() else {
        return Err(match member.len() {
            0..10 => InflateError::Truncated,
            _ => InflateError::Malformed,
        });
    };
    if flags & RESERVED != 0 {
        return Err(InflateError::Malformed);
    }
    if flags & EXTRA != 0 {
        let (length, extra) = rest.split_first_chunk().ok_or(InflateError::Truncated)?;
        let length = usize::from(u16::from_le_bytes(*length));
        rest = extra.get(length..).ok_or(InflateError::Truncated)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = memchr(0, rest).ok_or(InflateError::Truncated)?;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
    if flags & HEADER_CRC != 0 {
        let header = member.get(..member.len() - rest.len()).unwrap_or_default();
        let (crc, behind) = rest.split_first_chunk().ok_or(InflateError::Truncated)?;
        let [low, high, ..] = crc32(header).to_le_bytes();
        if *crc != [low, high] {
            return Err(InflateError::Checksum);
        }
        rest = behind;
    }
    Ok(rest)
}

/// What is behind the trailer of a gzip member that has given `written` (RFC 1952, section 2.3.1).
fn behind_gzip_trailer<'c>(trailer: &'c [u8], written: &[u8]) -> Result<&'c [u8], InflateError> {
    let (crc, rest) = trailer.split_first_chunk().ok_or(InflateError::Truncated)?;
    let (length, rest) = rest.split_first_chunk().ok_or(InflateError::Truncated)?;
    // Of the length it has 32 bits.
    if u32::from_le_bytes(*crc) != crc32(written) || u32::from_le_bytes(*length) != written.len() as u32 {
        return Err(InflateError::Checksum);
    }
    Ok(rest)
}

/// CRC-32 as gzip has it (RFC 1952, section 8), of four bytes at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let [zero, one, two, three] = &CRC_TABLES;
    let look_up = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or_default();
    let (words, rest) = bytes.as_chunks::<4>();
    let crc = words.iter().fold(u32::MAX, |crc, word| {
        let [a, b, c, d] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes();
        look_up(three, a) ^ look_up(two, b) ^ look_up(one, c) ^ look_up(zero, d)
    });
    let crc = rest.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        look_up(zero, low ^ byte) ^ (crc >> 8)
    });
    !crc
}

/// What each byte does to the checksum with so many zero bytes behind it.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static CRC_TABLES: [[u32; 256]; 4] = {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < tables.len() {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[zeros - 1][byte];
            tables[zeros][byte] = tables[0][(crc & 0xff) as usize] ^ (crc >> 8);
            byte += 1;
        }
        zeros += 1;
    }
    tables
};

/// Why a message cannot be inflated. From an upstream it is 502, but for [`InflateError::NoMemory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// It is not in its encoding.
    Malformed,
    /// It ends too early.
    Truncated,
    /// It goes on behind its end.
    Trailing,
    /// What comes out is not what went in.
    Checksum,
    /// It has more blocks than its length allows.
    Blocks,
    /// More comes out than may, in bytes.
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// There is no memory for what comes out.
    NoMemory,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("it is malformed"),
            Self::Truncated => f.write_str("it ends too early"),
            Self::Trailing => f.write_str("it goes on behind its end"),
            Self::Checksum => f.write_str("its checksum or length is wrong"),
            Self::Blocks => write!(
                f,
                "it has more than one block for {IN_PER_BLOCK} bytes, expected longer ones"
            ),
            Self::TooLarge { limit } => write!(f, "it has more than {limit} bytes"),
            Self::NoMemory => f.write_str("there is no memory for it"),
        }
    }
}

impl std::error::Error for InflateError {}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

    use super::*;

    const MANY: usize = 1 << 20;

    fn inflate(encoding: Encoding, compressed: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        let mut inflater = Inflater::default();
        let bytes = inflater.inflate(encoding, compressed, limit, |_| true)?;
        Ok(bytes.to_vec())
    }

    /// A gzip member with these flags, and `fields` for them, of this message as `deflated`.
    fn member_of(flags: u8, fields: &[u8], message: &[u8], deflated: &[u8]) -> Vec<u8> {
        let mut header = [&[0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255], fields].concat();
        if flags & 2 != 0 {
            header.extend_from_slice(&crc32(&header).to_le_bytes()[..2]);
        }
        let trailer = [crc32(message), u32::try_from(message.len()).unwrap()].map(u32::to_le_bytes);
        [&header, deflated, trailer.as_flattened()].concat()
    }

    fn member(flags: u8, fields: &[u8], message: &[u8]) -> Vec<u8> {
        member_of(flags, fields, message, &compress_to_vec(message, 6))
    }

    fn compressed(encoding: Encoding, message: &[u8], level: u8) -> Vec<u8> {
        match encoding {
            Encoding::Gzip => member_of(0, b"", message, &compress_to_vec(message, level)),
            Encoding::Deflate => compress_to_vec_zlib(message, level),
        }
    }

    const BOTH: [Encoding; 2] = [Encoding::Gzip, Encoding::Deflate];

    /// Bytes that neither repeat nor are all different.
    fn text(length: usize) -> Vec<u8> {
        let words = (0..length as u32).map(|number| number.wrapping_mul(number >> 3) % 1000);
        let mut text: Vec<u8> = words.flat_map(|word| word.to_string().into_bytes()).collect();
        text.truncate(length);
        text
    }

    #[test]
    fn what_others_have_compressed_is_read() {
        // By zlib, as Python has it.
        let message = b"one message, one message, one message, and another";
        let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\xcfKU\xc8M-.NLO\xd5Q\xc8\xc7\xc9I\xccK\x01\xe2\xfc\x92\x8c\xd4\x22\x00\x8b\x18\xc0f2\x00\x00\x00";
        let zlib = b"x\x9c\xcb\xcfKU\xc8M-.NLO\xd5Q\xc8\xc7\xc9I\xccK\x01\xe2\xfc\x92\x8c\xd4\x22\x00\xc9X\x11\xfe";
        assert_eq!(inflate(Encoding::Gzip, gzip, MANY).as_deref(), Ok(&message[..]));
        assert_eq!(inflate(Encoding::Deflate, zlib, MANY).as_deref(), Ok(&message[..]));
    }

    #[test]
    fn checksums_are_those_of_rfc_1952() {
        for (bytes, expected) in [
            (&b""[..], 0),
            (b"a", 0xe8b7_be43),
            (b"123456789", 0xcbf4_3926),
            (b"The quick brown fox jumps over the lazy dog", 0x414f_a339),
        ] {
            assert_eq!(crc32(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn messages_of_all_lengths_come_out_as_they_went_in() {
        let mut inflater = Inflater::default();
        for length in [0, 1, 2, 100, FIRST - 1, FIRST, FIRST + 1, 70_000, 300_000, 5] {
            for message in [text(length), vec![0; length]] {
                for encoding in BOTH {
                    for level in [0, 1, 9] {
                        let compressed = compressed(encoding, &message, level);
                        let found = inflater.inflate(encoding, &compressed, MANY, |_| true);
                        assert_eq!(found, Ok(&message[..]), "{encoding} {level}: {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn as_many_bytes_come_out_as_may() {
        for length in [0, 1, 258, FIRST, FIRST + 1, 3 * FIRST, 100_000] {
            for message in [text(length), vec![7; length]] {
                for encoding in BOTH {
                    let compressed = compressed(encoding, &message, 6);
                    assert_eq!(
                        inflate(encoding, &compressed, length,).as_ref(),
                        Ok(&message),
                        "{encoding} {length}"
                    );
                    if length > 0 {
                        let limit = length - 1;
                        let error = InflateError::TooLarge { limit };
                        assert_eq!(inflate(encoding, &compressed, limit), Err(error), "{encoding} {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_more_memory_is_taken_than_is_admitted() {
        let bomb = compressed(Encoding::Gzip, &vec![0; 64 * MANY], 9);
        assert!(bomb.len() < MANY / 8);
        for limit in [1000, 100_000, MANY] {
            let most = std::cell::Cell::new(0);
            let mut inflater = Inflater::default();
            let found = inflater.inflate(Encoding::Gzip, &bomb, limit, |bytes| {
                most.set(most.get().max(bytes));
                true
            });
            assert_eq!(found, Err(InflateError::TooLarge { limit }));
            assert_eq!(most.get(), limit.max(size_of::<DecompressorOxide>()));
            assert!(
                inflater.footprint() <= limit + size_of::<DecompressorOxide>(),
                "{limit}"
            );
        }
        let mut inflater = Inflater::default();
        let found = inflater.inflate(Encoding::Gzip, &bomb, MANY, |_| false);
        assert_eq!(found, Err(InflateError::NoMemory));
        assert_eq!(inflater.footprint(), 0);
        let found = inflater.inflate(Encoding::Gzip, &bomb, MANY, |bytes| bytes < 100_000);
        assert_eq!(found, Err(InflateError::NoMemory));
        assert!(inflater.footprint() < 100_000);
    }

    #[test]
    fn the_memory_of_longer_messages_lifts_no_limit() {
        let mut inflater = Inflater::default();
        let [long, short] = [50_000, 11].map(|length| compressed(Encoding::Deflate, &text(length), 6));
        assert!(inflater.inflate(Encoding::Deflate, &long, MANY, |_| true).is_ok());
        let found = inflater.inflate(Encoding::Deflate, &short, 10, |_| true);
        assert_eq!(found, Err(InflateError::TooLarge { limit: 10 }));
    }

    #[test]
    fn a_gzip_header_has_what_rfc_1952_gives_it() {
        use InflateError::{Checksum, Malformed, Truncated};
        let long = [&[0xff, 0xff][..], &[9; 0xffff]].concat();
        let rows: [(u8, &[u8], Result<(), InflateError>); 12] = [
            (0, b"", Ok(())),
            // Text, which means nothing.
            (1, b"", Ok(())),
            (2, b"", Ok(())),
            (4, b"\0\0", Ok(())),
            (4, b"\x03\0abc", Ok(())),
            (4, &long, Ok(())),
            (8, b"name\0", Ok(())),
            (8, b"\0", Ok(())),
            (16, b"comment\0", Ok(())),
            (31, b"\x01\0\0name\0comment\0", Ok(())),
            (32, b"", Err(Malformed)),
            (128, b"", Err(Malformed)),
        ];
        for (flags, fields, expected) in rows {
            let member = member(flags, fields, b"\x01\x02");
            let found = inflate(Encoding::Gzip, &member, MANY);
            assert_eq!(found, expected.map(|()| b"\x01\x02".to_vec()), "{flags} {fields:?}");
        }
        let head = [0x1f, 0x8b, 8, 31, 0, 0, 0, 0, 0, 0, 1, 0, 0, b'n', 0, b'c', 0, 0];
        for length in 0..head.len() {
            assert_eq!(
                inflate(Encoding::Gzip, &head[..length], MANY),
                Err(Truncated),
                "{length}"
            );
        }
        let mut wrong = member(2, b"", b"message");
        wrong[11] ^= 1;
        assert_eq!(inflate(Encoding::Gzip, &wrong, MANY), Err(Checksum));
        for (at, byte) in [(0, b'{'), (1, 0x8a), (2, 7)] {
            let mut other = member(0, b"", b"message");
            other[at] = byte;
            assert_eq!(inflate(Encoding::Gzip, &other, MANY), Err(Malformed), "{at}");
        }
    }

    #[test]
    fn members_behind_each_other_are_one_message() {
        let (one, two) = (text(5000), text(200));
        let members = [member(0, b"", &one), member(8, b"two\0", b""), member(0, b"", &two)].concat();
        let both = [one, two].concat();
        assert_eq!(inflate(Encoding::Gzip, &members, both.len()).as_ref(), Ok(&both));
        let limit = both.len() - 1;
        assert_eq!(
            inflate(Encoding::Gzip, &members, limit),
            Err(InflateError::TooLarge { limit })
        );
        // It refers to the nine bytes before it.
        let before = member(0, b"", b"123456789");
        let refers = [&before[..10], b"3\x841\x00", &before[before.len() - 8..]].concat();
        assert_eq!(
            inflate(Encoding::Gzip, &[before, refers].concat(), MANY),
            Err(InflateError::Malformed)
        );
    }

    /// So many blocks of ten bits that hold nothing, and one that is the last.
    fn empty_blocks(count: usize) -> Vec<u8> {
        let (mut bytes, mut at) = (vec![0; (10 * (count + 1)).div_ceil(8)], 0);
        for block in 0..=count {
            // The last or not; of the two bits for tables that are known, the lower is set.
            bytes[at / 8] |= u8::from(block == count) << (at % 8);
            bytes[(at + 1) / 8] |= 1 << ((at + 1) % 8);
            at += 10;
        }
        bytes
    }

    #[test]
    fn blocks_that_hold_nothing_are_bounded() {
        for (count, expected) in [
            (0, Ok(b"".to_vec())),
            (FREE_BLOCKS - 1, Ok(b"".to_vec())),
            (FREE_BLOCKS + 1, Err(InflateError::Blocks)),
            (800_000, Err(InflateError::Blocks)),
        ] {
            let deflated = empty_blocks(count);
            let zlib = [&b"\x78\x01"[..], &deflated, &1u32.to_be_bytes()].concat();
            assert_eq!(inflate(Encoding::Deflate, &zlib, MANY), expected, "{count}");
            let gzip = member_of(0, b"", b"", &deflated);
            assert_eq!(inflate(Encoding::Gzip, &gzip, MANY), expected, "{count}");
        }
        // Members have a block each.
        let members = member(0, b"", b"").repeat(10_000);
        assert_eq!(inflate(Encoding::Gzip, &members, MANY), Err(InflateError::Blocks));
        // As short as a compressor makes them that has the least memory: 128 symbols, each of many bytes or of one.
        for message in [vec![0; 300_000], text(300_000)] {
            let parts: Vec<u8> = message.chunks(128).flat_map(|part| member(0, b"", part)).collect();
            assert_eq!(inflate(Encoding::Gzip, &parts, MANY), Ok(message));
        }
    }

    #[test]
    fn what_is_cut_or_changed_or_goes_on_is_refused() {
        let message = text(600);
        let mut inflater = Inflater::default();
        for encoding in BOTH {
            let whole = compressed(encoding, &message, 6);
            for length in 0..whole.len() {
                let found = inflater.inflate(encoding, &whole[..length], MANY, |_| true);
                assert_eq!(
                    found,
                    Err(InflateError::Truncated),
                    "{encoding}: {length} of {}",
                    whole.len()
                );
            }
            // Adler-32 is the same for some other messages.
            let checked = match encoding {
                Encoding::Gzip => 0..whole.len(),
                Encoding::Deflate => whole.len() - 4..whole.len(),
            };
            for at in checked {
                for bit in 0..8 {
                    let mut changed = whole.clone();
                    changed[at] ^= 1 << bit;
                    match inflater.inflate(encoding, &changed, MANY, |_| true) {
                        // The time, the system, and the bits that fill a byte.
                        Ok(found) => assert_eq!(found, message, "{encoding}: {at} {bit}"),
                        Err(InflateError::TooLarge { .. } | InflateError::NoMemory) => panic!("{at} {bit}"),
                        Err(_) => {}
                    }
                }
            }
            for more in [&b"\0"[..], b"x", &whole[..1], &[0; 20]] {
                let found = inflater.inflate(encoding, &[&whole, more].concat(), MANY, |_| true);
                let expected = match (encoding, more.len()) {
                    (Encoding::Deflate, _) => InflateError::Trailing,
                    (Encoding::Gzip, 20) => InflateError::Malformed,
                    (Encoding::Gzip, _) => InflateError::Truncated,
                };
                assert_eq!(found, Err(expected), "{encoding} {more:?}");
            }
            // And what failed leaves nothing behind.
            assert_eq!(inflater.inflate(encoding, &whole, MANY, |_| true), Ok(&message[..]));
        }
    }

    #[test]
    fn neither_encoding_is_taken_for_another() {
        let message = text(100);
        let [gzip, zlib] = BOTH.map(|encoding| compressed(encoding, &message, 6));
        let bare = compress_to_vec(&message, 6);
        for (encoding, bytes) in [
            (Encoding::Gzip, &zlib),
            (Encoding::Gzip, &bare),
            (Encoding::Deflate, &gzip),
            (Encoding::Deflate, &bare),
            (Encoding::Gzip, &message),
            (Encoding::Deflate, &message),
        ] {
            assert_eq!(
                inflate(encoding, bytes, MANY),
                Err(InflateError::Malformed),
                "{encoding} {bytes:?}"
            );
        }
        for (name, encoding) in [
            ("gzip", Some(Encoding::Gzip)),
            ("deflate", Some(Encoding::Deflate)),
            ("identity", None),
            ("br", None),
            ("GZIP", None),
            ("gzip, deflate", None),
            ("", None),
        ] {
            assert_eq!(Encoding::of(name.as_bytes()), encoding, "{name}");
        }
    }
}
