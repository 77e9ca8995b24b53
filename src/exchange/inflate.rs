//! The compressed frames of an answer. They are not asked for, but some services compress whoever calls.

use super::failure::Failure;
use super::share::Share;
use crate::config::Limits;
use crate::grpc::compression::{Encoding, InflateError, Inflater};
use crate::grpc::frame::Frame;
use crate::http::headers::Headers;
use crate::text::shown::{NAME, shown};

/// What was compressed into a frame of the answer whose initial metadata is `initial`.
///
/// # Errors
///
/// 502 where the frame is not what `grpc-encoding` says, that names no encoding which is read here, or more comes out than
/// may; 503 where there is no memory for it.
pub fn inflate<'i>(
    frame: Frame<'_>,
    initial: &Headers,
    limits: &Limits,
    inflater: &'i mut Inflater,
) -> Result<&'i [u8], Failure> {
    let limit = frame.kind.limit(limits.max_message_bytes);
    inflate_to(frame.contents, initial.get("grpc-encoding"), limit, limits, inflater)
}

/// What was compressed into a message without a frame, in this encoding. Fails as [`inflate`].
pub fn inflate_message<'i>(
    message: &[u8],
    encoding: Option<&[u8]>,
    limits: &Limits,
    inflater: &'i mut Inflater,
) -> Result<&'i [u8], Failure> {
    inflate_to(message, encoding, limits.max_message_bytes, limits, inflater)
}

fn inflate_to<'i>(
    compressed: &[u8],
    name: Option<&[u8]>,
    limit: usize,
    limits: &Limits,
    inflater: &'i mut Inflater,
) -> Result<&'i [u8], Failure> {
    let encoding = encoding(name)?;
    let admits = |bytes| Share::lend(bytes, limits).is_ok();
    inflater
        .inflate(encoding, compressed, limit, admits)
        .map_err(|error| match error {
            InflateError::NoMemory => Failure::overload(),
            InflateError::TooLarge { limit } => Failure::answer_too_large(format!(
                "found {} bytes of {encoding} that become more than the limit of {limit} bytes \
                 (limits.max_message_bytes)",
                compressed.len()
            )),
            error => Failure::bad_answer(format!(
                "found a compressed gRPC frame that cannot be read as its grpc-encoding, {encoding}: {error}"
            )),
        })
}

fn encoding(name: Option<&[u8]>) -> Result<Encoding, Failure> {
    match name {
        None | Some(b"identity") => Err(Failure::bad_answer(
            "found a compressed gRPC frame, but no grpc-encoding that says how: expected gzip or deflate",
        )),
        Some(name) => Encoding::of(name).ok_or_else(|| {
            Failure::bad_answer(format!(
                "found a gRPC frame compressed with grpc-encoding {:?}: expected gzip, deflate, or none",
                shown(name, NAME)
            ))
        }),
    }
}
