//! Length-prefixed messages: one byte of flags, four bytes of length (big endian), the message
//! (`doc/PROTOCOL-HTTP2.md`, "Length-Prefixed-Message"); and gRPC-Web's trailers frame (`doc/PROTOCOL-WEB.md`). What is
//! compressed in one stays so: [`compression`](super::compression).

use std::fmt;

use memchr::memchr;

use crate::text::append::reserve_as_it_comes;

/// How many bytes come before a message.
pub const PREFIX_LENGTH: usize = 5;

/// Cuts a body that arrives in chunks into frames.
///
/// A frame that lies whole in one chunk is borrowed from it. Only what is incomplete at the end of a chunk is copied,
/// every byte once.
#[derive(Debug)]
pub struct FrameReader {
    max_message_bytes: usize,
    grpc_web: bool,
    /// The beginning of a frame whose end has not arrived; before `carry_start` lies what was handed out already.
    carry: Vec<u8>,
    carry_start: usize,
    seen_trailers: bool,
    /// Where frames begin is lost after an error.
    failed: Option<FrameError>,
}

impl FrameReader {
    /// A reader of gRPC's body that refuses messages over `max_message_bytes`.
    pub fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            grpc_web: false,
            carry: Vec::new(),
            carry_start: 0,
            seen_trailers: false,
            failed: None,
        }
    }

    /// The same for gRPC-Web, whose body ends with a trailers frame.
    pub fn grpc_web(max_message_bytes: usize) -> Self {
        Self {
            grpc_web: true,
            ..Self::new(max_message_bytes)
        }
    }

    /// The frames that `chunk`, the next bytes of the body, completes.
    pub fn push<'a>(&'a mut self, chunk: &'a [u8]) -> Frames<'a> {
        Frames { reader: self, chunk }
    }

    /// To be called at the end of the body: whether it ended between two frames.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.carry_start < self.carry.len() => Err(FrameError::Truncated),
            None => Ok(()),
        }
    }

    /// How many bytes of memory the beginning of a frame takes.
    pub fn footprint(&self) -> usize {
        self.carry.capacity()
    }

    /// What has come of a message that is not whole yet, without its prefix; `None` when no message is under way, or a
    /// compressed one, of which nothing can be told before it is whole.
    pub fn message_so_far(&self) -> Option<&[u8]> {
        match self.carry.get(self.carry_start..)? {
            carried @ [0, ..] => Some(carried.get(PREFIX_LENGTH..).unwrap_or_default()),
            _ => None,
        }
    }

    /// Reads the prefix at the start of `bytes`; `None` while it is incomplete.
    fn prefix(&self, bytes: &[u8]) -> Result<Option<Prefix>, FrameError> {
        let Some(([flags, length @ ..], _)) = bytes.split_first_chunk::<PREFIX_LENGTH>() else {
            return Ok(None);
        };
        let (kind, compressed) = match *flags {
            _ if self.seen_trailers => return Err(FrameError::AfterTrailers),
            0 => (Kind::Message, false),
            COMPRESSED => (Kind::Message, true),
            TRAILERS if self.grpc_web => (Kind::Trailers, false),
            COMPRESSED_TRAILERS if self.grpc_web => (Kind::Trailers, true),
            flags => return Err(FrameError::UnknownFlags(flags)),
        };
        let length = u32::from_be_bytes(*length);
        let limit = kind.limit(self.max_message_bytes);
        match usize::try_from(length) {
            Ok(length) if length <= limit => Ok(Some(Prefix {
                kind,
                compressed,
                frame_length: PREFIX_LENGTH.saturating_add(length),
            })),
            _ => Err(FrameError::TooLarge { length, limit }),
        }
    }
}

struct Prefix {
    kind: Kind,
    compressed: bool,
    /// The prefix included.
    frame_length: usize,
}

const COMPRESSED: u8 = 0x01;
const TRAILERS: u8 = 0x80;
const COMPRESSED_TRAILERS: u8 = 0x81;

/// So much memory stays for the next frame.
const KEPT: usize = 64 * 1024;

/// A trailers frame may be this long even where messages may not.
const MAX_TRAILERS_BYTES: usize = 64 * 1024;

/// The frames that one chunk completes. When dropped it keeps what is left of the chunk for the next one.
#[derive(Debug)]
pub struct Frames<'a> {
    reader: &'a mut FrameReader,
    /// What has not been looked at.
    chunk: &'a [u8],
}

impl Frames<'_> {
    /// The next whole frame; `None` when more bytes are needed. After an error there are only errors.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        if let Some(error) = self.reader.failed {
            return Err(error);
        }
        let found = match self.cut() {
            Ok(found) => found,
            Err(error) => {
                self.reader.failed = Some(error);
                return Err(error);
            }
        };
        let Some(Cut {
            kind,
            compressed,
            bytes,
        }) = found
        else {
            return Ok(None);
        };
        self.reader.seen_trailers = kind == Kind::Trailers;
        let contents = match bytes {
            CutFrom::Chunk(bytes) => bytes,
            CutFrom::Carry { start, end } => self.reader.carry.get(start..end).unwrap_or_default(),
        };
        Ok(Some(Frame {
            kind,
            compressed,
            contents,
        }))
    }
}

impl<'a> Frames<'a> {
    fn cut(&mut self) -> Result<Option<Cut<'a>>, FrameError> {
        if self.reader.carry_start >= self.reader.carry.len() {
            self.reader.carry.clear();
            self.reader.carry_start = 0;
            return self.cut_chunk();
        }
        let prefix = match self.reader.prefix(self.carried())? {
            Some(prefix) => prefix,
            None => {
                self.carry(PREFIX_LENGTH);
                match self.reader.prefix(self.carried())? {
                    Some(prefix) => prefix,
                    None => return Ok(None),
                }
            }
        };
        self.carry(prefix.frame_length);
        if self.carried().len() < prefix.frame_length {
            return Ok(None);
        }
        let start = self.reader.carry_start + PREFIX_LENGTH;
        let end = self.reader.carry_start + prefix.frame_length;
        self.reader.carry_start = end;
        Ok(Some(Cut {
            kind: prefix.kind,
            compressed: prefix.compressed,
            bytes: CutFrom::Carry { start, end },
        }))
    }

    fn cut_chunk(&mut self) -> Result<Option<Cut<'a>>, FrameError> {
        let Some(prefix) = self.reader.prefix(self.chunk)? else {
            self.carry(PREFIX_LENGTH);
            return Ok(None);
        };
        let Some((frame, rest)) = self.chunk.split_at_checked(prefix.frame_length) else {
            self.carry(prefix.frame_length);
            return Ok(None);
        };
        self.chunk = rest;
        Ok(Some(Cut {
            kind: prefix.kind,
            compressed: prefix.compressed,
            bytes: CutFrom::Chunk(frame.get(PREFIX_LENGTH..).unwrap_or_default()),
        }))
    }

    /// The beginning of the frame that is being put together.
    fn carried(&self) -> &[u8] {
        self.reader.carry.get(self.reader.carry_start..).unwrap_or_default()
    }

    /// Moves bytes from the chunk to the carry until `length` are carried, or the chunk is used up.
    fn carry(&mut self, length: usize) {
        let missing = length.saturating_sub(self.carried().len());
        if self.reader.carry.capacity() - self.reader.carry.len() < missing {
            // What was handed out makes room first; that happens once a frame at most.
            self.reader.carry.drain(..self.reader.carry_start);
            self.reader.carry_start = 0;
            reserve_as_it_comes(&mut self.reader.carry, missing.min(self.chunk.len()), missing);
        }
        let (moved, rest) = self.chunk.split_at_checked(missing).unwrap_or((self.chunk, &[]));
        self.reader.carry.extend_from_slice(moved);
        self.chunk = rest;
    }
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        let FrameReader { carry, carry_start, .. } = self.reader;
        // A long frame that was handed out leaves no memory behind.
        if *carry_start >= carry.len() && carry.capacity() > KEPT {
            *carry = Vec::new();
            *carry_start = 0;
        }
        if self.reader.failed.is_none() {
            self.reader.carry.extend_from_slice(self.chunk);
        }
    }
}

struct Cut<'a> {
    kind: Kind,
    compressed: bool,
    bytes: CutFrom<'a>,
}

/// Without the prefix. A position stands for what lies in the carry, whose borrow would be too long.
enum CutFrom<'a> {
    Chunk(&'a [u8]),
    Carry { start: usize, end: usize },
}

/// One frame, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: Kind,
    /// Whether it holds that in the encoding that the answer's `grpc-encoding` names.
    pub compressed: bool,
    /// A message in wire form, or a [`TrailerBlock`].
    pub contents: &'a [u8],
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message.
    Message,
    /// The trailing metadata: gRPC-Web's last frame.
    Trailers,
}

impl Kind {
    /// How many bytes it may have, compressed or not, where messages may have so many.
    pub fn limit(self, max_message_bytes: usize) -> usize {
        match self {
            Self::Message => max_message_bytes,
            Self::Trailers => max_message_bytes.max(MAX_TRAILERS_BYTES),
        }
    }
}

/// Trailing metadata as gRPC-Web writes them: `name:value` lines that end in CR LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailerBlock<'a>(pub &'a [u8]);

impl<'a> TrailerBlock<'a> {
    /// Names, in whatever case they were written, and values, without the white space around them. A line without a
    /// colon is passed over. A value has no LF, but may have any other byte.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0.split(|byte| *byte == b'\n').filter_map(|line| {
            let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
            Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
        })
    }

    /// The value of the first line with this name, whatever its ASCII case.
    pub fn get(self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter()
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Appends the prefix of a message that the caller then appends itself; where the prefix lies, for [`finish`].
#[inline]
pub fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; PREFIX_LENGTH]);
    at
}

/// Writes the length of the message into the prefix at `at`, which [`begin`] returned for this same `out`. All bytes
/// behind it are the message: no more than 32 bits can count, which the caller's limit sees to.
#[inline]
pub fn finish(out: &mut [u8], at: usize) {
    if let Some((prefix, message)) = out
        .get_mut(at..)
        .and_then(|frame| frame.split_first_chunk_mut::<PREFIX_LENGTH>())
    {
        // Beyond 32 bits the frame is one that its reader refuses, never one with another message's bounds.
        let [a, b, c, d] = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
        *prefix = [0, a, b, c, d];
    }
}

/// Why a body is not a sequence of frames. From an upstream it is 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Flags that gRPC doesn't have.
    UnknownFlags(u8),
    /// A message over the limit; both in bytes.
    TooLarge {
        /// What the prefix says, before any of it is buffered.
        length: u32,
        /// What is allowed.
        limit: usize,
    },
    /// The body ends within a frame.
    Truncated,
    /// Bytes behind the trailers frame.
    AfterTrailers,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFlags(flags) => write!(
                f,
                "found gRPC frame flags {flags:#04x}, expected 0x00, or 0x01 where it is compressed"
            ),
            Self::TooLarge { length, limit } => {
                write!(f, "found a message of {length} bytes, over the limit of {limit} bytes")
            }
            Self::Truncated => f.write_str("the body ends in the middle of a gRPC frame"),
            Self::AfterTrailers => f.write_str("found a gRPC frame behind the trailers"),
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let at = begin(&mut out);
        out.extend_from_slice(message);
        finish(&mut out, at);
        out[0] = flags;
        out
    }

    fn flags(frame: Frame<'_>) -> u8 {
        let kind = match frame.kind {
            Kind::Message => 0,
            Kind::Trailers => 0x80,
        };
        kind | u8::from(frame.compressed)
    }

    fn reader(grpc_web: bool) -> FrameReader {
        match grpc_web {
            true => FrameReader::grpc_web(1000),
            false => FrameReader::new(1000),
        }
    }

    /// The frames of a body as their flags and bytes, and how the body ended.
    type Read = (Vec<(u8, Vec<u8>)>, Result<(), FrameError>);

    fn read_all<'c>(reader: &mut FrameReader, chunks: impl IntoIterator<Item = &'c [u8]>) -> Read {
        let mut found = Vec::new();
        for chunk in chunks {
            let mut frames = reader.push(chunk);
            loop {
                match frames.next_frame() {
                    Ok(Some(frame)) => found.push((flags(frame), frame.contents.to_vec())),
                    Ok(None) => break,
                    Err(error) => return (found, Err(error)),
                }
            }
        }
        (found, reader.finish())
    }

    #[test]
    fn bodies_are_cut_alike_wherever_the_chunks_end() {
        let long = vec![b'x'; 300];
        let table: [(bool, Vec<Vec<u8>>); 11] = [
            (false, vec![]),
            (false, vec![frame(0, b"")]),
            (false, vec![frame(0, b"hello")]),
            (
                false,
                vec![frame(0, b"hello"), frame(0, b""), frame(0, &long), frame(0, b"z")],
            ),
            (true, vec![frame(0, b"hello"), frame(0x80, b"grpc-status:0\r\n")]),
            (true, vec![frame(0x80, b"")]),
            (false, vec![frame(0, b"a"), frame(1, b"b"), frame(0, b"c")]),
            (true, vec![frame(1, b"a"), frame(0x81, b"b")]),
            (false, vec![frame(0, b"a"), frame(2, b"b"), frame(0, b"c")]),
            (false, vec![frame(0, b"a"), vec![0, 0, 0]]),
            (true, vec![frame(0, b"a"), frame(0x80, b"t"), frame(0, b"b")]),
        ];
        for (grpc_web, frames) in table {
            let body = frames.concat();
            let whole = read_all(&mut reader(grpc_web), [body.as_slice()]);
            for first in 0..=body.len() {
                for second in first..=body.len() {
                    let chunks = [&body[..first], &body[first..second], &body[second..]];
                    assert_eq!(
                        read_all(&mut reader(grpc_web), chunks),
                        whole,
                        "{frames:?} cut at {first} and {second}"
                    );
                }
            }
            assert_eq!(read_all(&mut reader(grpc_web), body.chunks(1)), whole);
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        for trailers in [0x80, 0x81] {
            let frames = [
                (0, b"one".to_vec()),
                (0, vec![]),
                (1, b"two".to_vec()),
                (trailers, b"a:b\r\n".to_vec()),
            ];
            let body: Vec<u8> = frames.iter().flat_map(|(flags, bytes)| frame(*flags, bytes)).collect();
            let (found, end) = read_all(&mut FrameReader::grpc_web(3), [body.as_slice()]);
            assert_eq!(end, Ok(()));
            assert_eq!(found, frames);
        }
    }

    #[test]
    fn a_whole_frame_is_borrowed_from_its_chunk() {
        let body = frame(0, b"hello");
        let mut reader = FrameReader::new(1000);
        let mut frames = reader.push(&body);
        let Ok(Some(frame)) = frames.next_frame() else {
            panic!("no message");
        };
        assert_eq!(frame.contents.as_ptr(), body[PREFIX_LENGTH..].as_ptr());
        drop(frames);
        assert_eq!(reader.carry.capacity(), 0);
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let too_large = |length, limit| FrameError::TooLarge { length, limit };
        let table = [
            (false, frame(3, b"x"), FrameError::UnknownFlags(3)),
            (false, frame(0x81, b"x"), FrameError::UnknownFlags(0x81)),
            (false, frame(0x80, b"x"), FrameError::UnknownFlags(0x80)),
            (true, frame(2, b"x"), FrameError::UnknownFlags(2)),
            (false, b"<html>".to_vec(), FrameError::UnknownFlags(b'<')),
            (false, b"\0\0\0\x03\xe9".to_vec(), too_large(1001, 1000)),
            (false, b"\0\xff\xff\xff\xff".to_vec(), too_large(u32::MAX, 1000)),
            (false, b"\x01\0\0\x03\xe9".to_vec(), too_large(1001, 1000)),
            (true, b"\x81\0\x01\0\x01".to_vec(), too_large(65537, 65536)),
            (true, b"\x80\0\x01\0\x01".to_vec(), too_large(65537, 65536)),
            (false, b"\0".to_vec(), FrameError::Truncated),
            (false, b"\0\0\0\0\x02x".to_vec(), FrameError::Truncated),
            (
                true,
                [frame(0x80, b""), frame(0x80, b"")].concat(),
                FrameError::AfterTrailers,
            ),
            (true, [frame(0x80, b""), vec![0]].concat(), FrameError::Truncated),
        ];
        for (grpc_web, body, expected) in table {
            let mut reader = reader(grpc_web);
            let (_, end) = read_all(&mut reader, [body.as_slice()]);
            assert_eq!(end, Err(expected), "{body:x?}");
        }
    }

    #[test]
    fn a_message_is_under_way_from_its_first_byte() {
        let body = [frame(0, b"a"), frame(0, b"hello"), frame(0x80, b"grpc-status:0")].concat();
        let mut reader = reader(true);
        for (piece, so_far) in [
            (0..6, None),
            (6..7, Some("")),
            (7..11, Some("")),
            (11..13, Some("he")),
            (13..16, None),
            (16..25, None),
        ] {
            let _ = read_all(&mut reader, [&body[piece.clone()]]);
            let found = reader.message_so_far().map(String::from_utf8_lossy);
            assert_eq!(found.as_deref(), so_far, "{piece:?}");
        }
    }

    #[test]
    fn of_a_compressed_message_nothing_is_told_before_it_is_whole() {
        let mut reader = reader(false);
        for byte in &frame(1, b"hello")[..9] {
            let _ = read_all(&mut reader, [&[*byte][..]]);
            assert_eq!(reader.message_so_far(), None);
        }
        let (found, end) = read_all(&mut reader, [&b"o"[..]]);
        assert_eq!((found, end), (vec![(1, b"hello".to_vec())], Ok(())));
    }

    #[test]
    fn the_length_is_checked_before_anything_is_buffered() {
        let mut reader = FrameReader::new(10);
        let (_, end) = read_all(&mut reader, [&[0, 0, 0][..], &[1, 0, 7, 7]]);
        assert_eq!(end, Err(FrameError::TooLarge { length: 256, limit: 10 }));
        assert!(reader.carry.len() <= PREFIX_LENGTH);
    }

    #[test]
    fn messages_up_to_the_limit_and_trailers_beyond_it_are_taken() {
        let body = [frame(0, &[1; 10]), frame(0x80, &[b'a'; 11])].concat();
        let (found, end) = read_all(&mut FrameReader::grpc_web(10), [body.as_slice()]);
        assert_eq!((found.len(), end), (2, Ok(())));
    }

    #[test]
    fn after_an_error_there_are_only_errors() {
        let mut reader = FrameReader::new(1000);
        let bad = frame(2, b"x");
        let good = frame(0, b"x");
        let error = FrameError::UnknownFlags(2);
        assert_eq!(reader.push(&bad).next_frame(), Err(error));
        assert_eq!(reader.push(&good).next_frame(), Err(error));
        assert_eq!(reader.finish(), Err(error));
    }

    #[test]
    fn frames_that_nobody_asked_for_are_kept() {
        let body: Vec<u8> = (0..20).flat_map(|number| frame(0, &[number; 3])).collect();
        let (first, second) = body.split_at(70);
        let mut reader = FrameReader::new(1000);
        for (chunk, contents) in [(first, &[0; 3]), (&[], &[1; 3])] {
            let expected = Frame {
                kind: Kind::Message,
                compressed: false,
                contents,
            };
            assert_eq!(reader.push(chunk).next_frame(), Ok(Some(expected)));
        }
        let (found, end) = read_all(&mut reader, [second]);
        assert_eq!(end, Ok(()));
        assert_eq!(found, (2..20).map(|number| (0, vec![number; 3])).collect::<Vec<_>>());
    }

    #[test]
    fn trailers_are_lines_of_name_and_value() {
        type Lines<'a> = &'a [(&'a [u8], &'a [u8])];
        let table: [(&[u8], Lines<'_>); 6] = [
            (b"", &[]),
            (
                b"grpc-status:5\r\ngrpc-message:no%20book\r\n",
                &[(b"grpc-status", b"5"), (b"grpc-message", b"no%20book")],
            ),
            (b"Grpc-Status: 5 \r\n", &[(b"Grpc-Status", b"5")]),
            (b"a:b\nc:d", &[(b"a", b"b"), (b"c", b"d")]),
            (b"a:b:c\r\nnothing\r\n:x\r\n", &[(b"a", b"b:c"), (b"", b"x")]),
            (b"a:\r\n", &[(b"a", b"")]),
        ];
        for (block, expected) in table {
            let found: Vec<_> = TrailerBlock(block).iter().collect();
            assert_eq!(found, expected, "{:?}", str::from_utf8(block));
        }
        let block = TrailerBlock(b"x: 1\r\nGRPC-Status: 5\r\ngrpc-status: 6\r\n");
        assert_eq!(block.get(b"grpc-status"), Some(&b"5"[..]));
        assert_eq!(block.get(b"grpc-message"), None);
    }

    #[test]
    fn a_frame_is_written_in_place_behind_what_is_there() {
        let mut out = b"before".to_vec();
        let at = begin(&mut out);
        out.extend_from_slice(&[9; 258]);
        finish(&mut out, at);
        assert_eq!(&out[..11], b"before\0\0\0\x01\x02");
        assert_eq!(out.len(), 6 + 5 + 258);
    }
}
