//! Any bytes as the body of a gRPC or gRPC-Web answer. However they are cut into chunks, and however many frames are
//! taken of each chunk, the frames and the error at their end are those that the protocol's description gives for the
//! bytes as a whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protobridge::grpc::frame::{FrameError, FrameReader, Kind, TrailerBlock};
use protobridge_fuzz::letters::{Letters, Random, cut};

/// A trailers frame may be this long where messages may not.
const LONGEST_TRAILERS: usize = 64 * 1024;

/// Flags and contents of each frame.
type Frames = (Vec<(u8, Vec<u8>)>, Result<(), FrameError>);

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let grpc_web = letters.flag();
    let limit = *letters.choose(&[1000, 0, 10, 1 << 20]);
    let seed = letters.letter() as u64;
    let body = letters.0;
    let expected = described(body, grpc_web, limit);
    assert_eq!(read(&[body], grpc_web, limit, usize::MAX), expected);
    for seed in [0, seed + 1] {
        let mut random = Random(seed);
        let pieces = match seed {
            0 => body.chunks(1).collect(),
            _ => cut(body, &mut random),
        };
        assert_eq!(read(&pieces, grpc_web, limit, usize::MAX), expected);
        // One frame of each chunk: what is left comes with the next chunk, and at last without one.
        let empty: &[u8] = &[];
        let rest = vec![empty; expected.0.len() + 1];
        assert_eq!(read(&[pieces, rest].concat(), grpc_web, limit, 1), expected);
    }
});

/// What the reader says, which is asked for `at_once` frames of a chunk.
fn read(chunks: &[&[u8]], grpc_web: bool, limit: usize, at_once: usize) -> Frames {
    let mut reader = match grpc_web {
        true => FrameReader::grpc_web(limit),
        false => FrameReader::new(limit),
    };
    let mut found = Vec::new();
    for chunk in chunks {
        let mut frames = reader.push(chunk);
        for _ in 0..at_once {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    let kind = match frame.kind {
                        Kind::Message => 0,
                        Kind::Trailers => 0x80,
                    };
                    let block = TrailerBlock(frame.contents);
                    for (name, value) in block.iter() {
                        assert!(!name.contains(&b':') && !value.contains(&b'\n'));
                        assert!(block.get(name).is_some());
                    }
                    found.push((kind | u8::from(frame.compressed), frame.contents.to_vec()));
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(frames.next_frame(), Err(error), "an error goes away");
                    break;
                }
            }
        }
    }
    (found, reader.finish())
}

/// What `doc/PROTOCOL-HTTP2.md` and `doc/PROTOCOL-WEB.md` say.
fn described(mut body: &[u8], grpc_web: bool, limit: usize) -> Frames {
    let mut found = Vec::new();
    let mut ended = false;
    let end = loop {
        let Some(([flags, length @ ..], rest)) = body.split_first_chunk::<5>() else {
            break match body {
                [] => Ok(()),
                _ => Err(FrameError::Truncated),
            };
        };
        let (flags, length) = (*flags, u32::from_be_bytes(*length));
        let longest = match flags {
            _ if ended => break Err(FrameError::AfterTrailers),
            0 | 1 => limit,
            0x80 | 0x81 if grpc_web => limit.max(LONGEST_TRAILERS),
            _ => break Err(FrameError::UnknownFlags(flags)),
        };
        if length as usize > longest {
            break Err(FrameError::TooLarge { length, limit: longest });
        }
        let Some((contents, rest)) = rest.split_at_checked(length as usize) else {
            break Err(FrameError::Truncated);
        };
        ended = flags & 0x80 != 0;
        found.push((flags, contents.to_vec()));
        body = rest;
    };
    (found, end)
}
