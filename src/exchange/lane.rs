//! One direction of a gRPC client's call, whose messages are changed: frames are cut from what comes, inflated where they are
//! compressed, changed, and framed again.

use base64::Engine as _;

use super::failure::Failure;
use super::in_place::is_trailers_frame;
use super::share::Share;
use crate::config::Limits;
use crate::grpc::Status;
use crate::grpc::compression::{Encoding, InflateError, Inflater};
use crate::grpc::frame::{self, Frame, FrameError, FrameReader, Kind};
use crate::grpc::status::encode_message;
use crate::http::media_type::GrpcProtocol;
use crate::text::base64::STANDARD;
use crate::text::shown::{NAME, shown};

/// The flags of a frame with trailers.
const TRAILERS: u8 = 0x80;

/// Whose messages they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Request,
    /// The upstream's.
    Response,
}

/// One direction of a call.
#[derive(Debug)]
pub struct Lane {
    side: Side,
    frames: FrameReader,
    /// gRPC-Web: the last frame of an answer has the trailers.
    web: bool,
    text: Option<Text>,
    /// What `grpc-encoding` says.
    encoding: Option<Box<[u8]>>,
}

/// The next bytes of a body.
#[derive(Clone, Copy, Debug)]
pub struct Part<'c> {
    /// As they came.
    pub bytes: &'c [u8],
    /// They are the last.
    pub end: bool,
}

impl Lane {
    /// A direction of which nothing has come. `encoding` is its `grpc-encoding`.
    pub fn new(side: Side, protocol: GrpcProtocol, encoding: Option<&[u8]>, limits: &Limits) -> Self {
        let web = protocol != GrpcProtocol::Grpc;
        Self {
            side,
            frames: match (side, web) {
                // A client has no trailers.
                (Side::Request, _) | (_, false) => FrameReader::new(limits.max_message_bytes),
                (Side::Response, true) => FrameReader::grpc_web(limits.max_message_bytes),
            },
            web,
            text: (protocol == GrpcProtocol::WebText).then(Text::default),
            encoding: encoding.map(Box::from),
        }
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let text = self.text.as_ref().map_or(0, Text::footprint);
        self.frames.footprint() + text + self.encoding.as_ref().map_or(0, |encoding| encoding.len())
    }

    /// Whether its last frame has the trailers.
    pub fn is_web(&self) -> bool {
        self.web
    }

    /// Whether there is a `grpc-encoding`, which what goes on has no more.
    pub fn is_encoded(&self) -> bool {
        self.encoding.is_some()
    }

    /// Appends to `out` the frames that the next bytes complete; `change` appends a message to it, changed.
    ///
    /// # Errors
    ///
    /// Where the bytes are no frames, and where `change` fails; `out` then has the frames before the fault.
    pub fn feed(
        &mut self,
        part: Part<'_>,
        limits: &Limits,
        inflater: &mut Inflater,
        change: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Failure>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let Some(mut text) = self.text.take() else {
            return self.feed_bytes(part, limits, inflater, change, out);
        };
        let mut plain = Vec::new();
        let fed = text
            .decode(part.bytes)
            .map_err(|()| self.broken("found what is no base64 in gRPC-Web's text form"))
            .and_then(|bytes| {
                let end = part.end;
                self.feed_bytes(Part { bytes: &bytes, end }, limits, inflater, change, &mut plain)?;
                match end && !text.is_between() {
                    true => Err(self.broken_frame(FrameError::Truncated)),
                    false => Ok(()),
                }
            });
        // A browser reads what has come of an answer, and no more messages of a request come behind its only one.
        text.encode(&plain, part.end || self.side == Side::Response, out);
        self.text = Some(text);
        fed
    }

    fn feed_bytes(
        &mut self,
        part: Part<'_>,
        limits: &Limits,
        inflater: &mut Inflater,
        mut change: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Failure>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let (side, encoding) = (self.side, self.encoding.as_deref());
        let mut frames = self.frames.push(part.bytes);
        while let Some(frame) = frames.next_frame().map_err(|error| broken_frame(side, error))? {
            let contents = match frame.compressed {
                false => frame.contents,
                true => inflate(side, frame, encoding, limits, inflater)?,
            };
            Share::lend_growth(out, limits)?;
            let at = frame::begin(out);
            match frame.kind {
                Kind::Message => {
                    if let Err(failure) = change(contents, out) {
                        out.truncate(at);
                        return Err(failure);
                    }
                    frame::finish(out, at);
                }
                Kind::Trailers => {
                    out.extend_from_slice(contents);
                    finish_trailers(out, at);
                }
            }
        }
        drop(frames);
        match part.end {
            true => self.finish(),
            false => Ok(()),
        }
    }

    /// The end has come.
    ///
    /// # Errors
    ///
    /// Where that is in the midst of a frame.
    pub fn finish(&self) -> Result<(), Failure> {
        let between = self.text.as_ref().is_none_or(Text::is_between);
        match self.frames.finish() {
            Ok(()) if between => Ok(()),
            Ok(()) => Err(self.broken_frame(FrameError::Truncated)),
            Err(error) => Err(self.broken_frame(error)),
        }
    }

    /// Appends gRPC-Web's last frame with this status to `out`.
    pub fn end_with(&self, status: &Status, out: &mut Vec<u8>) {
        let mut last = Vec::new();
        let at = frame::begin(&mut last);
        last.extend_from_slice(b"grpc-status:");
        last.extend_from_slice(status.code.number().to_string().as_bytes());
        last.extend_from_slice(b"\r\ngrpc-message:");
        last.extend_from_slice(encode_message(&status.message).as_bytes());
        last.extend_from_slice(b"\r\n");
        finish_trailers(&mut last, at);
        match self.text {
            Some(_) => out.extend_from_slice(STANDARD.encode(&last).as_bytes()),
            None => out.extend_from_slice(&last),
        }
    }

    /// Whether these bytes are gRPC-Web's last frame, and nothing else: see [`is_trailers_frame`].
    pub fn is_last_frame(&self, bytes: &[u8]) -> bool {
        match self.text {
            Some(_) => Text::default()
                .decode(bytes)
                .is_ok_and(|bytes| is_trailers_frame(&bytes)),
            None => self.web && is_trailers_frame(bytes),
        }
    }

    fn broken(&self, message: &str) -> Failure {
        broken(self.side, message)
    }

    fn broken_frame(&self, error: FrameError) -> Failure {
        broken_frame(self.side, error)
    }
}

/// As [`frame::finish`], of a frame with trailers.
fn finish_trailers(out: &mut [u8], at: usize) {
    frame::finish(out, at);
    if let Some(flags) = out.get_mut(at) {
        *flags = TRAILERS;
    }
}

fn broken(side: Side, message: &str) -> Failure {
    match side {
        Side::Request => Failure::bad_frames(message),
        Side::Response => Failure::bad_native_answer(message),
    }
}

fn broken_frame(side: Side, error: FrameError) -> Failure {
    match (side, error) {
        (_, FrameError::TooLarge { .. }) => too_large(side, format!("{error} (limits.max_message_bytes)")),
        _ => broken(side, &error.to_string()),
    }
}

fn too_large(side: Side, message: String) -> Failure {
    match side {
        Side::Request => Failure::too_large(message),
        Side::Response => Failure::answer_too_large(message),
    }
}

fn inflate<'i>(
    side: Side,
    frame: Frame<'_>,
    encoding: Option<&[u8]>,
    limits: &Limits,
    inflater: &'i mut Inflater,
) -> Result<&'i [u8], Failure> {
    let name = encoding.unwrap_or(b"identity");
    let Some(encoding) = Encoding::of(name) else {
        let message = format!(
            "found a compressed gRPC frame whose grpc-encoding is {:?}: expected gzip or deflate",
            shown(name, NAME)
        );
        return Err(broken(side, &message));
    };
    let limit = frame.kind.limit(limits.max_message_bytes);
    let admits = |bytes| Share::lend(bytes, limits).is_ok();
    let inflated = inflater.inflate(encoding, frame.contents, limit, admits);
    inflated.map_err(|error| match error {
        InflateError::NoMemory => Failure::overload(),
        InflateError::TooLarge { limit } => too_large(
            side,
            format!(
                "found {} bytes of {encoding} that become more than the limit of {limit} bytes (limits.max_message_bytes)",
                frame.contents.len()
            ),
        ),
        error => broken(
            side,
            &format!("found a compressed gRPC frame that cannot be read as its grpc-encoding, {encoding}: {error}"),
        ),
    })
}

/// gRPC-Web's text form (`doc/PROTOCOL-WEB.md`): base64, in any number of pieces that are padded each.
#[derive(Debug, Default)]
struct Text {
    /// The beginning of a group of four characters.
    group: Vec<u8>,
    /// What waits to be encoded: the beginning of three bytes.
    rest: Vec<u8>,
}

impl Text {
    fn footprint(&self) -> usize {
        self.group.capacity() + self.rest.capacity()
    }

    /// Whether all groups have come to their ends.
    fn is_between(&self) -> bool {
        self.group.is_empty()
    }

    fn decode(&mut self, chunk: &[u8]) -> Result<Vec<u8>, ()> {
        self.group.extend_from_slice(chunk);
        let whole = self.group.len() / 4 * 4;
        let mut decoded = Vec::with_capacity(whole / 4 * 3);
        let mut rest = self.group.get(..whole).unwrap_or_default();
        while !rest.is_empty() {
            // A piece ends with the group that is padded.
            let end = memchr::memchr(b'=', rest).map_or(rest.len(), |at| at / 4 * 4 + 4);
            let (piece, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            STANDARD.decode_vec(piece, &mut decoded).map_err(|_| ())?;
            rest = behind;
        }
        self.group.drain(..whole);
        Ok(decoded)
    }

    /// Appends `bytes` in text form to `out`; without `all`, but for up to two bytes that wait for more.
    fn encode(&mut self, bytes: &[u8], all: bool, out: &mut Vec<u8>) {
        self.rest.extend_from_slice(bytes);
        let length = match all {
            true => self.rest.len(),
            false => self.rest.len() / 3 * 3,
        };
        let encoded = STANDARD.encode(self.rest.get(..length).unwrap_or_default());
        out.extend_from_slice(encoded.as_bytes());
        self.rest.drain(..length);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
    }
}
