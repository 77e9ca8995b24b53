//! The one message of a unary answer in place, as the upstream's body comes.

use super::answer::{Answer, Whole, more_messages, no_message, too_large};
use super::failure::{Failure, Reason};
use super::inflate::inflate;
use super::matched::{BodyType, Matched};
use super::server_stream::bad_frame;
use super::workspace::Workspace;
use crate::grpc::Code;
use crate::grpc::frame::{FrameReader, Kind, TrailerBlock};

/// The one message of a unary answer in place.
#[derive(Debug)]
pub struct Unary {
    frames: FrameReader,
    message: Message,
    /// More came behind the message.
    more: bool,
    /// How many bytes have come.
    seen: usize,
    /// Why the body is no sequence of frames, or its trailers cannot be read.
    broken: Option<Box<Failure>>,
    /// gRPC-Web's last frame came: the status is known.
    has_trailers: bool,
    /// The content-type of a raw message.
    content_type: Vec<u8>,
    /// The client's whole body is written.
    ended: bool,
}

/// What there is of the message.
#[derive(Debug)]
enum Message {
    /// Its end has not come.
    Awaited,
    /// It is no message of its type, or too large. An error of the upstream's own would say more: it is waited for.
    Unfit(Failure),
    /// As the client gets it.
    Kept(Vec<u8>),
    /// The host has it.
    Given(Given),
}

/// What the host has got of a message, as far as it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Given {
    length: usize,
    /// Its first bytes and its last ones.
    ends: [[u8; 8]; 2],
}

impl Given {
    fn of(bytes: &[u8]) -> Self {
        let mut ends = [[0; 8]; 2];
        let [first, last] = &mut ends;
        for (to, from) in first.iter_mut().zip(bytes) {
            *to = *from;
        }
        for (to, from) in last.iter_mut().zip(bytes.iter().rev()) {
            *to = *from;
        }
        Self {
            length: bytes.len(),
            ends,
        }
    }
}

impl Unary {
    /// Nothing has come.
    pub fn new(matched: &Matched) -> Self {
        Self {
            frames: matched.frame_reader(),
            message: Message::Awaited,
            more: false,
            seen: 0,
            broken: None,
            has_trailers: false,
            content_type: Vec::new(),
            ended: false,
        }
    }

    /// Reads the next bytes of the upstream's body. Whether they complete the message, which then is in the workspace's body
    /// and is to be kept or given; trailers among them become the answer's.
    pub fn feed(&mut self, answer: &mut Answer, chunk: &[u8], workspace: &mut Workspace) -> bool {
        let Self {
            frames,
            message,
            more,
            broken,
            has_trailers,
            content_type,
            seen,
            ..
        } = self;
        *seen = seen.saturating_add(chunk.len());
        let mut complete = false;
        // The workspace's, while there is need of it beside the rest.
        let mut inflater = None;
        let mut frames = frames.push(chunk);
        loop {
            let frame = match frames.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    *broken = Some(Box::new(bad_frame(error)));
                    break;
                }
            };
            if frame.kind == Kind::Message && (complete || !matches!(message, Message::Awaited)) {
                *more = true;
                continue;
            }
            let contents = match frame.compressed {
                false => Ok(frame.contents),
                true => {
                    let inflater = inflater.get_or_insert_with(|| std::mem::take(&mut workspace.inflater));
                    let limits = &answer.matched.plugin.settings.limits;
                    inflate(frame, &answer.initial, limits, inflater)
                }
            };
            match frame.kind {
                Kind::Message => match contents.and_then(|wire| answer.convert(wire, workspace)) {
                    Ok(()) => {
                        complete = true;
                        if answer.matched.response_type() == BodyType::Raw {
                            content_type.clone_from(&workspace.content_type);
                        }
                    }
                    Err(failure) => *message = Message::Unfit(failure),
                },
                Kind::Trailers => match contents {
                    Ok(block) => {
                        *has_trailers = true;
                        for (name, value) in TrailerBlock(block).iter() {
                            answer.trailing.push(&name.to_ascii_lowercase(), value);
                        }
                    }
                    Err(failure) => *broken = Some(Box::new(failure)),
                },
            }
        }
        if let Some(inflater) = inflater {
            workspace.inflater = inflater;
        }
        complete
    }

    /// Why the answer is none, where the status is not waited for: it is too much, or more came behind the message, or there
    /// is no later moment to say it (`now`). `complete`: as [`Unary::feed`] said.
    pub fn misfit(&mut self, answer: &Answer, complete: bool, now: bool) -> Option<Failure> {
        let limit = answer.matched.plugin.settings.limits.max_response_bytes;
        let has_message = complete || matches!(self.message, Message::Kept(_) | Message::Given(_));
        match &self.broken {
            Some(failure) if has_message || now || failure.reason == Some(Reason::AnswerTooLarge) => {
                self.broken.take().map(|failure| *failure)
            }
            None if has_message && self.more => Some(more_messages()),
            _ if self.seen > limit => Some(too_large(self.seen, limit)),
            _ => match std::mem::replace(&mut self.message, Message::Awaited) {
                Message::Unfit(failure) if now => Some(failure),
                message => {
                    self.message = message;
                    None
                }
            },
        }
    }

    /// Keeps the message in the workspace's body until the status is known.
    pub fn keep(&mut self, workspace: &mut Workspace) {
        workspace.longest = workspace.longest.max(workspace.body.len());
        self.message = Message::Kept(std::mem::take(&mut workspace.body));
    }

    /// The host has the message that is in the workspace's body.
    pub fn give(&mut self, workspace: &Workspace) {
        self.message = Message::Given(Given::of(&workspace.body));
    }

    /// Whether this part of the body is what the host was given: filters share what it holds, and one that goes on behind
    /// this one brings it here once more.
    pub fn is_given(&self, part: &[u8]) -> bool {
        !part.is_empty() && matches!(self.message, Message::Given(given) if given == Given::of(part))
    }

    /// Gives up what is kept of the body: nothing of it is wanted any more.
    pub fn forget(&mut self, matched: &Matched) {
        if self.footprint() > 0 {
            self.frames = matched.frame_reader();
            self.message = Message::Awaited;
        }
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let kept = match &self.message {
            Message::Kept(kept) => kept.capacity(),
            _ => 0,
        };
        self.frames.footprint() + self.content_type.capacity() + kept
    }

    /// How many bytes are kept of the message; `None`: it isn't.
    pub fn kept(&self) -> Option<usize> {
        match &self.message {
            Message::Kept(kept) => Some(kept.len()),
            _ => None,
        }
    }

    /// How many bytes the host has got of the message; `None`: it has got none.
    pub fn given(&self) -> Option<usize> {
        match &self.message {
            Message::Given(given) => Some(given.length),
            _ => None,
        }
    }

    /// Whether the status came with the body.
    pub fn has_trailers(&self) -> bool {
        self.has_trailers
    }

    /// The content-type of the answer.
    pub fn content_type(&self, answer: &Answer) -> &[u8] {
        answer.content_type(&self.content_type)
    }

    /// The status is known, as `answer` has it. `complete`: the message came with it, and is in the workspace's body; else a
    /// message that was kept is put there.
    ///
    /// # Errors
    ///
    /// The upstream's, or 502 for a body that is not one message.
    pub fn finish(&mut self, answer: &Answer, complete: bool, workspace: &mut Workspace) -> Result<Whole, Failure> {
        let frames = match self.broken.take() {
            Some(failure) => Err(*failure),
            None => self.frames.finish().map_err(bad_frame),
        };
        match answer.status() {
            // An error of the upstream's own says more than what its body looks like.
            Ok(status) if status.code != Code::Ok => return Err(answer.deadline.judge(Failure::of(status))),
            Err(failure) => return Err(frames.err().unwrap_or(failure)),
            Ok(_) => frames?,
        }
        if self.more {
            return Err(more_messages());
        }
        match std::mem::replace(&mut self.message, Message::Awaited) {
            Message::Unfit(failure) => return Err(failure),
            Message::Kept(mut kept) => std::mem::swap(&mut kept, &mut workspace.body),
            given @ Message::Given(_) => {
                self.message = given;
                workspace.body.clear();
            }
            Message::Awaited if complete => {}
            Message::Awaited => return Err(no_message()),
        }
        Ok(answer.succeed(workspace))
    }

    /// Whether the client's whole body is written.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The client's whole body is written.
    pub fn end(&mut self) {
        self.ended = true;
    }
}
