//! The response in place, a state machine: events of the upstream's response in, steps for the host out.
//!
//! ```text
//!              headers that cannot be held,
//!              or the first part of a stream           an error in a stream that has begun
//!    Unsent --------------------------------> Begun ---------------------------------------> Failed
//!      |  \                                     |                                               |
//!      |   \  an error where nothing            |  the end                                      |  the end
//!      |    \ may be ended                      v                                               |
//!      |     +-----------> Rejected ---------> Done <-------------------------------------------+
//!      |                                        ^
//!      +----------------------------------------+
//!         the end, or an error
//! ```
//!
//! An error is told by what the client has of the answer already. While it has nothing, the error takes the answer's place
//! ([`InPlace::fail`]). In a stream that has begun, [`InPlace::fail_stream`] decides for an error among the messages, and
//! [`InPlace::chunks_ended`] for one that the trailers bring.

use std::time::Duration;

use super::answer::{Answer, Whole, more_messages, no_message, too_large};
use super::deadline::Deadline;
use super::failure::{Failure, Reason};
use super::matched::{BodyType, Matched};
use super::outcome::{Ending, Outcome};
use super::reply::{NO_CONTENT, NO_SNIFFING, is_without_content};
use super::server_stream::{Progress, ServerStream, bad_frame};
use super::steps::{Abilities, HostReply, ResponseStep};
use super::workspace::Workspace;
use crate::grpc::Code;
use crate::grpc::frame::{Frame, PREFIX_LENGTH};
use crate::grpc::metadata::{self, ConnectionOptions};
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::{GRPC, JSON, OCTET_STREAM};

/// The response in place.
#[derive(Debug)]
pub struct InPlace {
    answer: Answer,
    /// For a method that streams its answer.
    stream: Option<ServerStream>,
    state: State,
}

/// What the client has of the response.
#[derive(Debug)]
enum State {
    /// Nothing: all of it can still be changed.
    Unsent,
    /// The headers, and what has come of the body: only the body can still say something.
    Begun { held: Held },
    /// Nothing, and the response has failed at a moment when it must not be ended: the client is told at the next event.
    Rejected(Failure),
    /// The beginning of a response that has failed. What still comes is dropped, `dropped` bytes by now. The client knows,
    /// or, where the error could not be written, learns it by the response's being `cut` off.
    Failed { held: Held, cut: bool, dropped: usize },
    /// All of it.
    Done,
}

/// How far an answer has come, as the request's side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// There is nothing of it.
    Nothing,
    /// It is held: the client has nothing of it.
    Filter,
    /// The client has its beginning.
    Client,
}

/// How many bytes of the answer the host holds, with its headers, until the trailers come; `None` where it holds nothing.
type Held = Option<usize>;

/// The next bytes of a body that goes on as it comes.
#[derive(Clone, Copy)]
struct Part<'c> {
    /// The host holds the answer until the trailers come, and these are the bytes of it.
    held: Option<&'c [u8]>,
    /// The upstream's.
    bytes: &'c [u8],
    /// They are the last, and no trailers follow.
    end: bool,
    /// They are gRPC-Web's last frame, and the response must not be ended now: see [`is_trailers_frame`].
    amid_trailers: bool,
}

impl InPlace {
    /// Nothing of the response has come yet. `accept` is the client's header.
    pub fn new(matched: Matched, deadline: Deadline, accept: Option<&[u8]>, abilities: Abilities) -> Self {
        let streams = matched.method().server_streaming;
        Self {
            stream: streams.then(|| ServerStream::new(&matched, accept, abilities.trailers_with_body)),
            answer: Answer::new(matched, deadline),
            state: State::Unsent,
        }
    }

    /// After which time the gateway is to give up on the response.
    pub fn gateway_timeout(&self) -> Option<Duration> {
        match self.stream {
            Some(_) => self.answer.deadline.of_streamed_answer(),
            None => self.answer.deadline.of_whole_answer(),
        }
    }

    /// How long the upstream may take for a streamed response, where it may be the first to notice that this has passed.
    pub fn watched_timeout(&self) -> Option<Duration> {
        match self.is_open() && self.stream.is_some() {
            true => self.answer.deadline.enforced(),
            false => None,
        }
    }

    /// That time has passed.
    pub fn time_is_up(&mut self) {
        self.answer.deadline.pass();
    }

    /// Whether more of the response is awaited.
    pub fn is_awaited(&self) -> bool {
        !matches!(self.state, State::Done)
    }

    /// Whether the client has all that it gets, the end of a stream that still is to come aside.
    pub fn has_answered(&self) -> bool {
        match &self.state {
            State::Unsent | State::Begun { .. } => self.flowing().is_some_and(ServerStream::has_ended),
            State::Rejected(_) => false,
            State::Failed { .. } | State::Done => true,
        }
    }

    /// How far the answer has come.
    pub fn reached(&self) -> Reached {
        match &self.state {
            State::Unsent if self.answer.initial.is_empty() => Reached::Nothing,
            State::Unsent | State::Rejected(_) => Reached::Filter,
            State::Begun { .. } | State::Failed { .. } | State::Done => Reached::Client,
        }
    }

    /// Whether the body goes on as it comes.
    pub fn flows(&self) -> bool {
        match &self.state {
            State::Unsent | State::Begun { .. } => self.flowing().is_some(),
            State::Rejected(_) | State::Failed { .. } => true,
            State::Done => false,
        }
    }

    /// Whether the upstream's answer still decides what the client gets.
    fn is_open(&self) -> bool {
        matches!(self.state, State::Unsent | State::Begun { .. })
    }

    /// The stream, where its messages go out as they come.
    fn flowing(&self) -> Option<&ServerStream> {
        self.stream.as_ref().filter(|stream| stream.flows())
    }

    /// The response headers came. `host_reply` says that the host made the response up.
    pub fn headers<'w>(
        &mut self,
        headers: Headers,
        end_of_stream: bool,
        host_reply: Option<HostReply>,
        abilities: Abilities,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        if !self.is_open() {
            return ResponseStep::PassThrough;
        }
        match self.take_headers(headers, end_of_stream, host_reply) {
            Err(failure) => self.fail(&failure, ending, workspace),
            Ok(()) if end_of_stream => {
                ending.add(Outcome::OK);
                self.answer_with_empty_stream(workspace)
            }
            Ok(()) if abilities.holds_response => ResponseStep::Await,
            Ok(()) => {
                self.edit_headers_early(&mut workspace.edits);
                self.state = State::Begun { held: None };
                ResponseStep::RewriteHeaders(&workspace.edits)
            }
        }
    }

    /// Errors where the headers say one already. With `end_of_stream`, they are the whole of an empty stream otherwise.
    fn take_headers(
        &mut self,
        headers: Headers,
        end_of_stream: bool,
        host_reply: Option<HostReply>,
    ) -> Result<(), Failure> {
        let answer = &mut self.answer;
        if let Some(host_reply) = host_reply {
            return Err(answer.host_failure(host_reply));
        }
        answer.initial = headers;
        let content_type = answer.initial.get("content-type").unwrap_or_default();
        if answer.initial.status() != Some(200) || !content_type.starts_with(GRPC) {
            return Err(answer.not_grpc());
        }
        if !end_of_stream {
            return Ok(());
        }
        match (answer.status()?, &self.stream) {
            (status, _) if status.code != Code::Ok => Err(answer.deadline.judge(Failure::of(status))),
            (_, None) => Err(no_message()),
            (_, Some(_)) => Ok(()),
        }
    }

    /// The trailers of a body that goes on as it comes, before its last bytes.
    pub fn trailers(&mut self, trailers: Headers) {
        self.answer.trailing = trailers;
    }

    /// The next bytes of a body that goes on as it comes, after those that a step has held. `end`: they are the last, and
    /// no trailers follow.
    pub fn chunk<'w>(
        &mut self,
        chunk: &[u8],
        end: bool,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let part = self.part(chunk, end);
        workspace.body.clear();
        workspace.body.extend_from_slice(part.held.unwrap_or_default());
        match &self.state {
            State::Unsent | State::Begun { .. } => self.convert(part, ending, workspace),
            State::Rejected(_) if part.amid_trailers => ResponseStep::Drop,
            State::Rejected(_) => self.reject(ending, workspace),
            State::Failed { .. } => self.drop_rest(part, workspace),
            State::Done => ResponseStep::PassThrough,
        }
    }

    fn part<'c>(&self, chunk: &'c [u8], end: bool) -> Part<'c> {
        let held = match &self.state {
            State::Begun { held } | State::Failed { held, .. } => *held,
            _ => None,
        };
        let (kept, bytes) = chunk.split_at_checked(held.unwrap_or(0)).unwrap_or((chunk, &[]));
        let grpc_web = self.answer.matched.plugin.settings.upstream.grpc_web;
        Part {
            held: held.map(|_| kept),
            bytes,
            end,
            amid_trailers: !end && grpc_web && is_trailers_frame(bytes),
        }
    }

    fn convert<'w>(&mut self, part: Part<'_>, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let status = part.end.then(|| self.answer.status());
        let Some(stream) = self
            .stream
            .as_mut()
            .filter(|stream| stream.flows() && !stream.has_ended())
        else {
            return hold_on(part, workspace);
        };
        let matched = &self.answer.matched;
        let progress = stream.feed(matched, part.bytes, &mut workspace.to_json, &mut workspace.body);
        let progress = match (progress, status) {
            (Progress::Open, Some(status)) => stream.finish(status),
            (progress, _) => progress,
        };
        match self.answer.judge(progress) {
            // The headers don't wait for the first message once it is coming: a host that holds a body bounds it, and
            // what becomes of a message knows no bound.
            Progress::Open
                if matches!(self.state, State::Unsent)
                    && workspace.body.is_empty()
                    && !stream.has_begun(&self.answer.matched) =>
            {
                ResponseStep::Drop
            }
            Progress::Open => self.go_on(part, |held| State::Begun { held }, workspace),
            Progress::Ended => {
                ending.add(Outcome::OK);
                stream.end(&mut workspace.body);
                self.go_on(part, |held| State::Begun { held }, workspace)
            }
            Progress::Failed(failure) => self.fail_stream(failure, part, ending, workspace),
        }
    }

    /// Lets go on what is in the workspace's body, with the headers if they wait. `next` makes the state of what is held.
    fn go_on<'w>(
        &mut self,
        part: Part<'_>,
        next: impl FnOnce(Held) -> State,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let first = matches!(self.state, State::Unsent);
        if first {
            self.edit_headers_early(&mut workspace.edits);
        }
        let hold = (first || part.is_held()) && part.amid_trailers;
        self.state = next(hold.then_some(workspace.body.len()));
        ResponseStep::Chunk {
            edits: first.then_some(&workspace.edits),
            body: &workspace.body,
            hold,
        }
    }

    /// A stream has failed among its messages: a late error. How the client learns of it depends on what it has.
    ///
    /// | of the answer, it has | and so |
    /// |---|---|
    /// | nothing | the error takes the answer's place; amid gRPC-Web's trailers, at the next event |
    /// | the headers, perhaps messages | the error is the last element, and what still comes is dropped |
    /// | the same, of raw bytes | the response is broken off; after this part, if something of it still goes out |
    fn fail_stream<'w>(
        &mut self,
        failure: Failure,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        ending.add(&failure);
        let Some(stream) = &mut self.stream else {
            return ResponseStep::Reset;
        };
        if matches!(self.state, State::Unsent) && stream.is_empty() {
            return match part.amid_trailers {
                true => self.reject_later(failure),
                false => self.fail(&failure, ending, workspace),
            };
        }
        let error = failure.element(&self.answer.matched.plugin, &mut workspace.to_json);
        let cut = !stream.end_with_error(&error, &mut workspace.body);
        if cut && !part.amid_trailers && (part.end || workspace.body.is_empty()) {
            self.state = State::Done;
            return ResponseStep::Reset;
        }
        let failed = |held| State::Failed { held, cut, dropped: 0 };
        self.go_on(part, failed, workspace)
    }

    /// Drops more of a response that has failed, and breaks it off where that tells the client, or where too much comes.
    fn drop_rest<'w>(&mut self, part: Part<'_>, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        if let State::Failed { cut, dropped, .. } = &mut self.state {
            *dropped += part.bytes.len();
            let limit = self.answer.matched.plugin.settings.limits.max_response_bytes;
            if (*cut || *dropped > limit) && !part.amid_trailers {
                self.state = State::Done;
                return ResponseStep::Reset;
            }
        }
        hold_on(part, workspace)
    }

    /// The trailers after a body that went on as it came.
    pub fn chunks_ended<'w>(
        &mut self,
        trailers: Headers,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        if let State::Rejected(_) = self.state {
            return self.reject(ending, workspace);
        }
        let begun = match std::mem::replace(&mut self.state, State::Done) {
            State::Unsent => false,
            State::Begun { .. } => true,
            State::Failed { cut: true, .. } => return ResponseStep::Reset,
            State::Failed { cut: false, .. } | State::Rejected(_) | State::Done => return ResponseStep::PassThrough,
        };
        self.answer.trailing = trailers;
        let status = self.answer.status();
        let Some(stream) = self.flowing().filter(|stream| !stream.has_ended()) else {
            return ResponseStep::PassThrough;
        };
        match (self.answer.judge(stream.finish(status)), begun) {
            (Progress::Failed(failure), false) => self.fail(&failure, ending, workspace),
            // Nothing can be written any more: a stream that broke off must not look complete.
            (Progress::Failed(failure), true) => {
                ending.add(&failure);
                ResponseStep::Reset
            }
            (Progress::Open | Progress::Ended, true) if stream.needs_end() => {
                ending.add(Outcome {
                    code: Code::Internal,
                    reason: Some(Reason::Internal),
                });
                ResponseStep::Reset
            }
            (Progress::Open | Progress::Ended, true) => {
                ending.add(Outcome::OK);
                ResponseStep::PassThrough
            }
            (Progress::Open | Progress::Ended, false) => {
                ending.add(Outcome::OK);
                self.answer_with_empty_stream(workspace)
            }
        }
    }

    /// No message came, and the stream ended well.
    fn answer_with_empty_stream<'w>(&mut self, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        self.state = State::Done;
        workspace.body.clear();
        if let Some(stream) = &mut self.stream {
            stream.end(&mut workspace.body);
            workspace.set_content_type(stream.content_type());
        }
        if workspace.body.is_empty() {
            self.edit_headers_early(&mut workspace.edits);
            return ResponseStep::RewriteHeaders(&workspace.edits);
        }
        workspace.set_success_reply(self.answer.success_status(), self.answer.metadata());
        ResponseStep::Reply(&workspace.reply)
    }

    /// More of a body came that is gathered, and it is `size` bytes now. Answers an error as soon as that is too much.
    pub fn body_grew<'w>(
        &mut self,
        size: usize,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let settings = &self.answer.matched.plugin.settings;
        let limit = settings.limits.max_response_bytes;
        match self.is_open() {
            // This may be gRPC-Web's last frame, and how much of the buffer that is does not show.
            true if size > limit && settings.upstream.grpc_web => self.reject_later(too_large(size, limit)),
            true if size > limit => self.fail(&too_large(size, limit), ending, workspace),
            true => ResponseStep::Await,
            false => ResponseStep::PassThrough,
        }
    }

    /// The response is complete: `body` is all of its body, `trailers` came after it.
    pub fn complete<'w>(
        &mut self,
        body: &[u8],
        trailers: Option<Headers>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        if !self.is_open() {
            return ResponseStep::PassThrough;
        }
        if let Some(trailers) = trailers {
            self.answer.trailing = trailers;
        }
        let whole = match self.stream {
            Some(_) => self.convert_whole_stream(body, workspace),
            None => self.convert_whole_message(body, workspace),
        };
        match whole {
            Ok(whole) => {
                ending.add(whole.outcome);
                self.state = State::Done;
                if body.is_empty() {
                    workspace.set_success_reply(whole.http_status, self.answer.metadata());
                    return ResponseStep::Reply(&workspace.reply);
                }
                let (content_type, length) = (&workspace.content_type, workspace.body.len());
                edit_headers(
                    &self.answer,
                    whole.http_status,
                    content_type,
                    length,
                    &mut workspace.edits,
                );
                ResponseStep::Rewrite {
                    edits: &workspace.edits,
                    body: &workspace.body,
                }
            }
            Err(failure) if !body.is_empty() => self.fail_rewritten(&failure, ending, workspace),
            Err(failure) => self.fail(&failure, ending, workspace),
        }
    }

    fn convert_whole_message(&mut self, body: &[u8], workspace: &mut Workspace) -> Result<Whole, Failure> {
        let mut reader = self.answer.matched.frame_reader();
        let mut frames = reader.push(body);
        let mut converted = None;
        let mut messages = 0;
        let cut = loop {
            match frames.next_frame() {
                Ok(None) => break Ok(()),
                Ok(Some(Frame::Message(message))) => {
                    if messages == 0 {
                        converted = Some(self.answer.convert(message, workspace));
                    }
                    messages += 1;
                }
                Ok(Some(Frame::Trailers(trailers))) => {
                    for (name, value) in trailers.iter() {
                        self.answer.trailing.push(&name.to_ascii_lowercase(), value);
                    }
                }
                Err(error) => break Err(bad_frame(error)),
            }
        };
        drop(frames);
        let cut = cut.and_then(|()| reader.finish().map_err(bad_frame));
        match self.answer.status() {
            // An error of the upstream's own says more than what its body looks like.
            Ok(status) if status.code != Code::Ok => return Err(Failure::of(status)),
            Err(failure) => return Err(cut.err().unwrap_or(failure)),
            Ok(_) => cut?,
        }
        match converted {
            Some(_) if messages > 1 => Err(more_messages()),
            Some(converted) => converted.map(|()| self.answer.succeed(workspace)),
            None => Err(no_message()),
        }
    }

    fn convert_whole_stream(&mut self, body: &[u8], workspace: &mut Workspace) -> Result<Whole, Failure> {
        let status = self.answer.status();
        let Some(stream) = &mut self.stream else {
            return Err(no_message());
        };
        let out = &mut workspace.body;
        out.clear();
        let progress = match stream.feed(&self.answer.matched, body, &mut workspace.to_json, out) {
            Progress::Open => stream.finish(status),
            progress => progress,
        };
        self.answer.end_whole_stream(stream, progress, workspace)
    }

    /// The response has failed, and its body has not begun to go out: an error takes its place.
    fn fail<'w>(&mut self, failure: &Failure, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        self.state = State::Done;
        ending.add(failure);
        if self.answer.promises_no_content() {
            return ResponseStep::Reset;
        }
        workspace.set_error_reply(&self.answer.matched.plugin, failure, self.answer.metadata());
        ResponseStep::Reply(&workspace.reply)
    }

    /// The response has failed at a moment when it must not be ended: the client is told at the next event.
    fn reject_later<'w>(&mut self, failure: Failure) -> ResponseStep<'w> {
        self.state = State::Rejected(failure);
        ResponseStep::Drop
    }

    /// The event after [`InPlace::reject_later`].
    fn reject<'w>(&mut self, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        if let State::Rejected(failure) = std::mem::replace(&mut self.state, State::Done) {
            ending.add(&failure);
            workspace.set_error_reply(&self.answer.matched.plugin, &failure, self.answer.metadata());
        }
        ResponseStep::Reply(&workspace.reply)
    }

    /// Makes a response that is complete, and was held, an error.
    fn fail_rewritten<'w>(
        &mut self,
        failure: &Failure,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        self.state = State::Done;
        ending.add(failure);
        if self.answer.promises_no_content() {
            return ResponseStep::Reset;
        }
        workspace.body.clear();
        failure.write_body(&self.answer.matched.plugin, &mut workspace.to_json, &mut workspace.body);
        edit_headers(
            &self.answer,
            failure.http_status,
            JSON,
            workspace.body.len(),
            &mut workspace.edits,
        );
        workspace.edits.set(NO_SNIFFING.0, NO_SNIFFING.1);
        ResponseStep::Rewrite {
            edits: &workspace.edits,
            body: &workspace.body,
        }
    }

    /// Makes the response headers the client's while the rest is not known: a service's choice of the status counts, errors
    /// come too late for that.
    fn edit_headers_early(&mut self, edits: &mut HeaderEdits) {
        edits.clear();
        let status = self.answer.send_status();
        let connection = metadata::connection_options(self.answer.initial.iter());
        remove_what_is_no_header(&self.answer, &connection, edits);
        let content_type = match &self.stream {
            Some(stream) => stream.content_type(),
            None => match self.answer.matched.response_type() {
                BodyType::Raw => OCTET_STREAM,
                BodyType::Json => JSON,
            },
        };
        edits.set(b"content-type", content_type);
        if status != 200 {
            edits.set(b":status", itoa::Buffer::new().format(status).as_bytes());
        }
    }
}

impl Part<'_> {
    /// Whether the host goes on holding what it holds.
    fn is_held(&self) -> bool {
        self.held.is_some() && !self.end
    }
}

/// Nothing of this part goes on, and what was held stays so.
fn hold_on<'w>(part: Part<'_>, workspace: &'w Workspace) -> ResponseStep<'w> {
    ResponseStep::Chunk {
        edits: None,
        body: &workspace.body,
        hold: part.is_held(),
    }
}

/// Makes the response headers the client's, with all of the body there.
fn edit_headers(answer: &Answer, http_status: u16, content_type: &[u8], body_length: usize, edits: &mut HeaderEdits) {
    edits.clear();
    let connection = metadata::connection_options(answer.initial.iter());
    remove_what_is_no_header(answer, &connection, edits);
    let mut digits = itoa::Buffer::new();
    let status = digits.format(http_status).as_bytes();
    if answer.initial.get(":status") != Some(status) {
        edits.set(b":status", status);
    }
    if is_without_content(http_status) {
        edits.remove(b"content-type");
    } else {
        edits.set(b"content-type", content_type);
    }
    if http_status != NO_CONTENT {
        edits.set(b"content-length", digits.format(body_length).as_bytes());
    }
    for (name, value) in answer.trailing.iter() {
        if metadata::is_response_header(name, value, &connection) {
            edits.add(name, value);
        }
    }
}

fn remove_what_is_no_header(answer: &Answer, connection: &ConnectionOptions<'_>, edits: &mut HeaderEdits) {
    for (name, value) in answer.initial.iter() {
        let kept = name.first() == Some(&b':') || name == b"content-type";
        if !kept && !metadata::is_response_header(name, value, connection) {
            edits.remove(name);
        }
    }
}

/// Whether `chunk` is gRPC-Web's last frame, which comes by itself.
///
/// Envoy's gRPC-Web filter hands it on in the midst of its own work on the trailers, and goes on with that. Were the
/// response ended under it, by another in its place, by a reset, or because its headers, body and trailers all go on at
/// once, Envoy would crash. What is due waits for the trailers, which come next.
pub fn is_trailers_frame(chunk: &[u8]) -> bool {
    matches!(
        chunk.split_first_chunk::<PREFIX_LENGTH>(),
        Some(([0x80, length @ ..], block)) if usize::try_from(u32::from_be_bytes(*length)) == Ok(block.len())
    )
}
