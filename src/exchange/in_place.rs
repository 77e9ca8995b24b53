//! The response in place, a state machine: events of the upstream's response in, steps for the host out.
//!
//! ```text
//!              headers that cannot be held,
//!              or the first of the body                an error in a stream that has begun
//!    Unsent ---------------------------------> Begun ---------------------------------------> Failed
//!      | \                                     ^ |                                               |
//!      |  \ a small unary message     released | | the end                                       | the end
//!      |   +----------------> Held ------------+ v                                               |
//!      |                        +-------------> Done <-------------------------------------------+
//!      |                          the status     ^
//!      +-----------------------------------------+
//!         the end, or an error
//! ```
//!
//! What comes of the body is taken out of the host part by part, so that no buffer of the host's bounds it, and the host
//! cannot be given a body with the trailers any more. So what waits for the status waits here where the status comes with
//! the body, and else with the host, if it is small: over its buffer's mark the host would stop reading, and wait for ever.
//!
//! An error is told by what the client has of the answer already. While it has nothing, the error takes the answer's place
//! ([`InPlace::fail`]). In a stream that has begun, [`InPlace::fail_stream`] decides for an error among the messages, and
//! [`InPlace::chunks_ended`] for one that the trailers bring.

use std::time::Duration;

use super::answer::{Answer, Whole, no_message, too_large};
use super::bridged::{Bridged, broken_off, split};
use super::deadline::Deadline;
use super::failure::{Failure, Reason};
use super::matched::Matched;
use super::outcome::{Ending, Outcome};
use super::reply::NO_SNIFFING;
use super::server_stream::{Progress, ServerStream};
use super::steps::{Abilities, HostReply, ResponseStep};
use super::unary::Unary;
use super::workspace::Workspace;
use crate::grpc::Code;
use crate::grpc::frame::PREFIX_LENGTH;
use crate::grpc::metadata::{self, ConnectionOptions};
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::GRPC;
use crate::http::status::{NO_CONTENT, is_without_content};

/// The longest body of a unary answer that the host holds until the status is known, in bytes: less than what gateways
/// usually buffer, which is 32 KiB at the least.
const MAX_HELD: usize = 16 * 1024;

/// What the smallest buffer of a gateway's holds, in bytes.
const SMALLEST_BUFFER: usize = 1024;

/// Room for an error behind a short answer whose headers are gone.
const ERROR_ROOM: usize = 256;

/// The response in place.
#[derive(Debug)]
pub struct InPlace {
    answer: Answer,
    body: Body,
    state: State,
    /// The answer is to be whole before anything of it goes out: [`ResponseStep::Reply`] gives it.
    whole: bool,
}

/// The upstream's body, on its way to the client.
#[derive(Debug)]
enum Body {
    /// One message.
    Unary {
        message: Unary,
        /// The status comes while the body can still be written.
        ends_in_body: bool,
    },
    /// One message, without a frame, all of it in one part.
    Bridged(Bridged),
    /// Messages that go out as they come.
    Flow(ServerStream),
    /// Messages that go out at the end: an array which nobody could close.
    Gathered {
        stream: ServerStream,
        /// What there is of the array.
        array: Vec<u8>,
    },
}

/// What the client has of the response.
#[derive(Debug)]
enum State {
    /// Nothing: all of it can still be changed.
    Unsent,
    /// Nothing, and the host holds the whole body: only the headers can still be changed.
    Held,
    /// The headers, and what has come of the body: only the body can still say something.
    Begun,
    /// The beginning of a response that has failed. What still comes is dropped, `dropped` bytes by now. The client knows,
    /// or, where the error could not be written, learns it by the response's being `cut` off.
    Failed { cut: bool, dropped: usize },
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

/// The next bytes of the upstream's body.
#[derive(Clone, Copy)]
struct Part<'c> {
    bytes: &'c [u8],
    /// They are the last, and no trailers follow.
    end: bool,
    /// They may be gRPC-Web's last frame, and then the response must not be ended now: see [`is_trailers_frame`].
    amid_trailers: bool,
}

impl InPlace {
    /// Nothing of the response has come yet. `accept` is the client's header.
    pub fn new(matched: Matched, deadline: Deadline, accept: Option<&[u8]>, abilities: Abilities) -> Self {
        let grpc_web = matched.plugin.settings.upstream.grpc_web;
        let ends_in_body = abilities.trailers_with_body || grpc_web;
        let body = match matched.method().server_streaming {
            false => Body::Unary {
                message: Unary::new(&matched),
                ends_in_body,
            },
            true => match ServerStream::new(&matched, accept) {
                stream if ends_in_body || !stream.needs_end() => Body::Flow(stream),
                stream => Body::Gathered {
                    stream,
                    array: Vec::new(),
                },
            },
        };
        Self {
            body,
            answer: Answer::new(matched, deadline),
            state: State::Unsent,
            whole: false,
        }
    }

    /// Has a unary answer come whole, as a [`ResponseStep::Reply`]; until then [`ResponseStep::Reserve`] keeps its place.
    pub fn answer_whole(&mut self) {
        self.whole = true;
    }

    /// The same of a request that goes through a bridge.
    pub fn bridged(matched: Matched, deadline: Deadline) -> Self {
        Self {
            body: Body::Bridged(Bridged::default()),
            answer: Answer::new(matched, deadline),
            state: State::Unsent,
            whole: false,
        }
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let body = match &self.body {
            Body::Bridged(bridged) => bridged.footprint(),
            Body::Unary { message, .. } => message.footprint(),
            Body::Flow(stream) => stream.footprint(),
            Body::Gathered { stream, array } => stream.footprint() + array.capacity(),
        };
        self.answer.footprint() + body
    }

    /// After which time the gateway is to give up on the response.
    pub fn gateway_timeout(&self) -> Option<Duration> {
        match self.body {
            Body::Unary { .. } | Body::Bridged(_) => self.answer.deadline.of_whole_answer(),
            Body::Flow(_) | Body::Gathered { .. } => self.answer.deadline.of_streamed_answer(),
        }
    }

    /// How long the upstream may take for a streamed response, where it may be the first to notice that this has passed.
    pub fn watched_timeout(&self) -> Option<Duration> {
        match &self.body {
            Body::Flow(_) | Body::Gathered { .. } if self.is_open() => self.answer.deadline.time(),
            _ => None,
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
            State::Unsent | State::Held => false,
            State::Begun => match &self.body {
                Body::Unary { message, .. } => message.has_ended(),
                Body::Bridged(bridged) => bridged.has_ended(),
                Body::Flow(stream) => stream.has_ended(),
                Body::Gathered { .. } => false,
            },
            State::Failed { .. } | State::Done => true,
        }
    }

    /// Whether a bridge has handed on the answer.
    pub fn has_bridged(&self) -> bool {
        matches!(&self.body, Body::Bridged(bridged) if bridged.has_ended())
    }

    /// Whether a bridge has all that there is of the answer.
    pub fn awaits_bridge(&self) -> bool {
        matches!(self.body, Body::Bridged(_)) && self.reached() == Reached::Nothing
    }

    /// How far the answer has come.
    pub fn reached(&self) -> Reached {
        match &self.state {
            State::Unsent if self.answer.initial.is_empty() => Reached::Nothing,
            State::Unsent | State::Held => Reached::Filter,
            State::Begun | State::Failed { .. } | State::Done => Reached::Client,
        }
    }

    /// Whether the host holds a body that may be over the mark of its buffer.
    pub fn may_stall(&self) -> bool {
        let given = match &self.body {
            Body::Unary { message, .. } => message.given(),
            _ => None,
        };
        matches!(self.state, State::Held) && given > Some(SMALLEST_BUFFER)
    }

    /// Gives up what is kept of a body of which nothing is wanted any more.
    pub fn forget_what_is_over(&mut self) {
        if self.is_open() {
            return;
        }
        let matched = &self.answer.matched;
        match &mut self.body {
            Body::Unary { message, .. } => message.forget(matched),
            Body::Bridged(_) => {}
            Body::Flow(stream) => stream.forget(matched),
            Body::Gathered { stream, array } => {
                stream.forget(matched);
                *array = Vec::new();
            }
        }
    }

    /// Whether the upstream's answer still decides what the client gets.
    fn is_open(&self) -> bool {
        matches!(self.state, State::Unsent | State::Held | State::Begun)
    }

    /// Whether nothing has gone to the client, not even headers.
    fn is_unsent(&self) -> bool {
        matches!(self.state, State::Unsent | State::Held)
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
        if self.has_answered() {
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
                self.state = State::Begun;
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
        match host_reply {
            // These headers are for the client too: what to authenticate by, when to try again.
            Some(HostReply::Filter) => {
                answer.initial = headers;
                return Err(answer.host_failure(HostReply::Filter));
            }
            Some(HostReply::BrokenOff) if matches!(self.body, Body::Bridged(_)) && !answer.deadline.has_passed() => {
                return Err(broken_off());
            }
            Some(host_reply) => return Err(answer.host_failure(host_reply)),
            None => {}
        }
        if let Body::Bridged(bridged) = &mut self.body {
            answer.set_connect_headers(headers);
            return bridged.headers(answer, end_of_stream);
        }
        answer.initial = headers;
        let content_type = answer.initial.get("content-type").unwrap_or_default();
        if answer.initial.status() != Some(200) || !content_type.starts_with(GRPC) {
            return Err(answer.not_grpc());
        }
        if !end_of_stream {
            return Ok(());
        }
        match (answer.status()?, &self.body) {
            (status, _) if status.code != Code::Ok => Err(answer.deadline.judge(Failure::of(status))),
            (_, Body::Unary { .. } | Body::Bridged(_)) => Err(no_message()),
            (_, Body::Flow(_) | Body::Gathered { .. }) => Ok(()),
        }
    }

    /// The trailers of a body whose last bytes come next.
    pub fn trailers(&mut self, trailers: Headers) {
        self.answer.trailing = trailers;
    }

    /// The next bytes of the body. `end`: they are the last, and no trailers follow.
    pub fn chunk<'w>(
        &mut self,
        chunk: &[u8],
        end: bool,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let grpc_web = self.answer.matched.plugin.settings.upstream.grpc_web;
        let part = Part {
            bytes: chunk,
            end,
            amid_trailers: !end && grpc_web && is_trailers_frame(chunk),
        };
        workspace.body.clear();
        match (&self.state, &self.body) {
            (State::Failed { .. }, _) => self.drop_rest(part, workspace),
            (State::Done, _) => ResponseStep::PassThrough,
            (_, Body::Bridged(_)) => self.bridged_part(part, ending, workspace),
            _ if self.has_answered() => part.becomes(false, false, workspace),
            (_, Body::Unary { .. }) => self.unary_part(part, ending, workspace),
            (_, Body::Flow(_)) => self.stream_part(part, ending, workspace),
            (_, Body::Gathered { .. }) => self.gather_part(part, ending, workspace),
        }
    }

    /// More of a body that is one message.
    fn unary_part<'w>(
        &mut self,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let Body::Unary { message, ends_in_body } = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        if matches!(self.state, State::Held) && message.is_given(part.bytes) {
            workspace.body.extend_from_slice(part.bytes);
            return ResponseStep::Hold(&workspace.body);
        }
        let complete = message.feed(&mut self.answer, part.bytes, workspace);
        if part.end || message.has_trailers() && !self.whole {
            let whole = message.finish(&self.answer, complete, workspace);
            return self.end_unary(whole, part, ending, workspace);
        }
        let now = matches!(self.state, State::Begun) && !*ends_in_body;
        if !part.amid_trailers
            && let Some(failure) = message.misfit(&self.answer, complete, now)
        {
            return self.break_unary(failure, part, ending, workspace);
        }
        if !complete {
            return match (&self.state, message.kept()) {
                (_, Some(kept)) if self.whole && !part.amid_trailers => ResponseStep::Reserve(stand_in(kept)),
                (State::Begun, Some(kept)) if !*ends_in_body => ResponseStep::Reserve(ERROR_ROOM + kept),
                _ => ResponseStep::Drop,
            };
        }
        if self.whole {
            let length = workspace.body.len();
            message.keep(workspace);
            return match part.amid_trailers {
                true => ResponseStep::Drop,
                false => ResponseStep::Reserve(stand_in(length)),
            };
        }
        if *ends_in_body {
            message.keep(workspace);
            return ResponseStep::Drop;
        }
        if is_without_content(self.answer.success_status()) {
            workspace.body.clear();
        }
        let length = workspace.body.len();
        match self.state {
            State::Unsent if length <= MAX_HELD => {
                message.give(workspace);
                self.state = State::Held;
                ResponseStep::Hold(&workspace.body)
            }
            State::Begun if length + ERROR_ROOM <= SMALLEST_BUFFER => {
                message.keep(workspace);
                ResponseStep::Reserve(ERROR_ROOM + length)
            }
            _ => {
                message.give(workspace);
                self.go_on(part, workspace)
            }
        }
    }

    /// A body that a bridge hands on, whole.
    fn bridged_part<'w>(
        &mut self,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let Body::Bridged(bridged) = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        if bridged.has_ended() {
            if part.bytes.is_empty() {
                return part.becomes(false, false, workspace);
            }
            ending.add(&split());
            self.state = State::Done;
            return ResponseStep::Reset;
        }
        match bridged.body(&self.answer, part.bytes, workspace) {
            Ok(whole) if self.whole => {
                workspace.set_content_type(bridged.content_type(&self.answer));
                self.succeed(whole, ending, workspace)
            }
            Err(failure) if self.whole => self.fail(&failure, ending, workspace),
            Ok(whole) => {
                let (content_type, length) = (bridged.content_type(&self.answer), workspace.body.len());
                conclude(&self.answer, whole, content_type, length, ending, &mut workspace.edits);
                self.replace(part, workspace)
            }
            Err(failure) => self.fail_in_place(&failure, part, ending, workspace),
        }
    }

    /// The status of a unary answer came with the body.
    fn end_unary<'w>(
        &mut self,
        whole: Result<Whole, Failure>,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let Body::Unary { message, .. } = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        match whole {
            // There can be no body any more, and the host has one.
            Ok(whole)
                if is_without_content(whole.http_status)
                    && message.given() > Some(0)
                    && matches!(self.state, State::Held) =>
            {
                self.succeed(whole, ending, workspace)
            }
            Ok(whole) if self.whole => {
                workspace.set_content_type(message.content_type(&self.answer));
                self.succeed(whole, ending, workspace)
            }
            Err(failure) if self.whole => self.fail(&failure, ending, workspace),
            Ok(whole) => {
                let length = message.given().unwrap_or(workspace.body.len());
                let content_type = message.content_type(&self.answer);
                conclude(&self.answer, whole, content_type, length, ending, &mut workspace.edits);
                message.end();
                self.replace(part, workspace)
            }
            // The client, or the host, has its message already.
            Err(failure) if message.given().is_some() => self.break_unary(failure, part, ending, workspace),
            Err(failure) => {
                message.end();
                self.fail_in_place(&failure, part, ending, workspace)
            }
        }
    }

    /// A unary answer has failed at this part of its body.
    ///
    /// | of the answer, the client has | and so |
    /// |---|---|
    /// | nothing | the error takes the answer's place |
    /// | the headers | the error is the body |
    /// | the message | the response is broken off |
    fn break_unary<'w>(
        &mut self,
        failure: Failure,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let given = matches!(&self.body, Body::Unary { message, .. } if message.given().is_some());
        match (self.is_unsent(), given) {
            (true, _) => self.fail(&failure, ending, workspace),
            (false, false) => self.fail_in_place(&failure, part, ending, workspace),
            (false, true) => {
                ending.add(&failure);
                self.state = State::Done;
                ResponseStep::Reset
            }
        }
    }

    /// More of a stream whose messages go out as they come.
    fn stream_part<'w>(
        &mut self,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let status = part.end.then(|| self.answer.status());
        let Body::Flow(stream) = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        let Answer { matched, initial, .. } = &self.answer;
        let (tools, body) = workspace.tools();
        let progress = stream.feed(matched, initial, part.bytes, tools, body);
        let progress = match (progress, status) {
            (Progress::Open, Some(status)) => stream.finish(status),
            (progress, _) => progress,
        };
        match self.answer.judge(progress) {
            // The headers don't wait for the first message once it is coming: it may be long.
            Progress::Open
                if matches!(self.state, State::Unsent)
                    && workspace.body.is_empty()
                    && !stream.has_begun(&self.answer.matched) =>
            {
                ResponseStep::Drop
            }
            Progress::Open => self.go_on(part, workspace),
            Progress::Ended => {
                ending.add(Outcome::OK);
                stream.end(&mut workspace.body);
                self.go_on(part, workspace)
            }
            Progress::Failed(failure) => self.fail_stream(failure, part, ending, workspace),
        }
    }

    /// More of a stream whose messages go out at the end.
    fn gather_part<'w>(
        &mut self,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let Body::Gathered { stream, array } = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        let (tools, _) = workspace.tools();
        let Answer { matched, initial, .. } = &self.answer;
        let limit = matched.plugin.settings.limits.max_response_bytes;
        let progress = match stream.feed(matched, initial, part.bytes, tools, array) {
            Progress::Open if array.len() > limit => {
                let failure = too_large(array.len(), limit);
                return self.fail(&failure, ending, workspace);
            }
            Progress::Open if !part.end => {
                return match self.is_unsent() {
                    true => ResponseStep::Drop,
                    false => ResponseStep::Reserve(MAX_HELD),
                };
            }
            Progress::Open => stream.finish(self.answer.status()),
            progress => progress,
        };
        match self.end_gathered(progress, workspace) {
            Ok(whole) if part.end => {
                let (content_type, length) = (&workspace.content_type, workspace.body.len());
                conclude(&self.answer, whole, content_type, length, ending, &mut workspace.edits);
                self.replace(part, workspace)
            }
            Ok(whole) => self.succeed(whole, ending, workspace),
            Err(failure) if part.end => self.fail_in_place(&failure, part, ending, workspace),
            Err(failure) => self.fail(&failure, ending, workspace),
        }
    }

    /// Puts the array, which ends so, into the workspace's body.
    fn end_gathered(&mut self, progress: Progress, workspace: &mut Workspace) -> Result<Whole, Failure> {
        let Body::Gathered { stream, array } = &mut self.body else {
            return Err(no_message());
        };
        workspace.body.clear();
        std::mem::swap(array, &mut workspace.body);
        self.answer.end_whole_stream(stream, progress, workspace)
    }

    /// Lets go on what is in the workspace's body, with the headers if they wait.
    fn go_on<'w>(&mut self, part: Part<'_>, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let first = self.is_unsent();
        if first {
            self.edit_headers_early(&mut workspace.edits);
        }
        self.state = State::Begun;
        part.becomes(first, false, workspace)
    }

    /// Puts what is in the workspace's body in the place of this part, and of all that came before, as the end of the
    /// response, with the workspace's edits if the headers wait.
    fn replace<'w>(&mut self, part: Part<'_>, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let first = self.is_unsent();
        self.state = if part.end { State::Done } else { State::Begun };
        part.becomes(first, true, workspace)
    }

    /// A stream has failed among its messages: a late error. How the client learns of it depends on what it has.
    ///
    /// | of the answer, it has | and so |
    /// |---|---|
    /// | nothing | the error takes the answer's place |
    /// | the headers, perhaps messages | the error is the last element, and what still comes is dropped |
    /// | the same, of raw bytes | the response is broken off; after this part, if something of it still goes out |
    fn fail_stream<'w>(
        &mut self,
        failure: Failure,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let Body::Flow(stream) = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        if matches!(self.state, State::Unsent) && (stream.is_empty() || stream.is_raw()) {
            return match part.amid_trailers || part.end {
                true => self.fail_in_place(&failure, part, ending, workspace),
                false => self.fail(&failure, ending, workspace),
            };
        }
        ending.add(&failure);
        let error = failure.element(&self.answer.matched.plugin, &mut workspace.to_json);
        let cut = !stream.end_with_error(&error, &mut workspace.body);
        if cut && !part.amid_trailers && (part.end || workspace.body.is_empty()) {
            self.state = State::Done;
            return ResponseStep::Reset;
        }
        let step = self.go_on(part, workspace);
        self.state = State::Failed { cut, dropped: 0 };
        step
    }

    /// Drops more of a response that has failed, and breaks it off where that tells the client, or where too much comes.
    fn drop_rest<'w>(&mut self, part: Part<'_>, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let State::Failed { cut, dropped } = &mut self.state else {
            return ResponseStep::PassThrough;
        };
        *dropped += part.bytes.len();
        let limit = self.answer.matched.plugin.settings.limits.max_response_bytes;
        if (*cut || *dropped > limit) && !part.amid_trailers {
            self.state = State::Done;
            return ResponseStep::Reset;
        }
        part.becomes(false, false, workspace)
    }

    /// The next bytes of the body cannot be taken, since there is no memory for them.
    pub fn refuse<'w>(
        &mut self,
        failure: Failure,
        end: bool,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        let part = Part {
            bytes: b"",
            end,
            amid_trailers: false,
        };
        workspace.body.clear();
        match &self.body {
            _ if !self.is_open() || self.has_answered() => self.chunk(b"", end, ending, workspace),
            Body::Unary { .. } => self.break_unary(failure, part, ending, workspace),
            Body::Bridged(_) => self.fail_in_place(&failure, part, ending, workspace),
            Body::Flow(_) => self.fail_stream(failure, part, ending, workspace),
            Body::Gathered { .. } => self.fail(&failure, ending, workspace),
        }
    }

    /// The trailers came, behind all of the body.
    pub fn chunks_ended<'w>(
        &mut self,
        trailers: Headers,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        match self.state {
            State::Unsent | State::Held | State::Begun if self.has_answered() => {
                self.state = State::Done;
                return ResponseStep::PassThrough;
            }
            State::Unsent | State::Held | State::Begun => {}
            State::Failed { cut, .. } => {
                self.state = State::Done;
                return match cut {
                    true => ResponseStep::Reset,
                    false => ResponseStep::PassThrough,
                };
            }
            State::Done => return ResponseStep::PassThrough,
        }
        let told = matches!(&self.body, Body::Unary { message, .. } if message.has_trailers());
        if !told {
            self.answer.trailing = trailers;
        }
        match &self.body {
            Body::Unary { .. } => self.unary_ended(ending, workspace),
            Body::Bridged(_) => self.bridged_ended(ending, workspace),
            Body::Flow(_) => self.stream_ended(ending, workspace),
            Body::Gathered { .. } => self.gathered_ended(ending, workspace),
        }
    }

    fn unary_ended<'w>(&mut self, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let Body::Unary { message, .. } = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        workspace.body.clear();
        let reserved = matches!(self.state, State::Begun) && message.kept().is_some();
        let whole = message.finish(&self.answer, false, workspace);
        let content_type = message.content_type(&self.answer);
        match (whole, &self.state, message.given()) {
            // There can be no body any more, and the host has one.
            (Ok(whole), State::Held, Some(1..)) if is_without_content(whole.http_status) => {
                self.succeed(whole, ending, workspace)
            }
            (Ok(whole), State::Held, Some(length)) => {
                conclude(&self.answer, whole, content_type, length, ending, &mut workspace.edits);
                self.state = State::Done;
                ResponseStep::RewriteHeaders(&workspace.edits)
            }
            (Ok(whole), _, Some(_)) => {
                ending.add(whole.outcome);
                self.state = State::Done;
                ResponseStep::PassThrough
            }
            (Ok(whole), _, None) if reserved => {
                ending.add(whole.outcome);
                self.state = State::Done;
                ResponseStep::Fill(&workspace.body)
            }
            (Ok(whole), State::Unsent, None) if workspace.body.is_empty() && !self.whole => {
                conclude(&self.answer, whole, content_type, 0, ending, &mut workspace.edits);
                self.state = State::Done;
                ResponseStep::RewriteHeaders(&workspace.edits)
            }
            (Ok(whole), _, None) => {
                workspace.set_content_type(content_type);
                self.succeed(whole, ending, workspace)
            }
            (Err(failure), State::Begun, Some(_)) => {
                ending.add(&failure);
                self.state = State::Done;
                ResponseStep::Reset
            }
            (Err(failure), _, _) if reserved && !self.answer.promises_no_content() => {
                ending.add(&failure);
                self.state = State::Done;
                workspace.body.clear();
                failure.write_body(&self.answer.matched.plugin, &mut workspace.to_json, &mut workspace.body);
                ResponseStep::Fill(&workspace.body)
            }
            (Err(failure), ..) => self.fail(&failure, ending, workspace),
        }
    }

    /// No body has come: the message has no bytes.
    fn bridged_ended<'w>(&mut self, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let Body::Bridged(bridged) = &mut self.body else {
            return ResponseStep::PassThrough;
        };
        match bridged.body(&self.answer, b"", workspace) {
            Ok(whole) => {
                workspace.set_content_type(bridged.content_type(&self.answer));
                self.succeed(whole, ending, workspace)
            }
            Err(failure) => self.fail(&failure, ending, workspace),
        }
    }

    fn stream_ended<'w>(&mut self, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let begun = !self.is_unsent();
        let Body::Flow(stream) = &self.body else {
            return ResponseStep::PassThrough;
        };
        let progress = self.answer.judge(stream.finish(self.answer.status()));
        let needs_end = stream.needs_end();
        self.state = State::Done;
        match (progress, begun) {
            (Progress::Failed(failure), false) => self.fail(&failure, ending, workspace),
            // Nothing can be written any more: a stream that broke off must not look complete.
            (Progress::Failed(failure), true) => {
                ending.add(&failure);
                ResponseStep::Reset
            }
            (Progress::Open | Progress::Ended, true) if needs_end => {
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

    fn gathered_ended<'w>(&mut self, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        let Body::Gathered { stream, .. } = &self.body else {
            return ResponseStep::PassThrough;
        };
        let progress = stream.finish(self.answer.status());
        match self.end_gathered(progress, workspace) {
            Ok(whole) if self.is_unsent() => self.succeed(whole, ending, workspace),
            // The room that was reserved for it is all that there is.
            Ok(whole) if workspace.body.len() <= MAX_HELD => {
                ending.add(whole.outcome);
                self.state = State::Done;
                ResponseStep::Fill(&workspace.body)
            }
            Ok(_) => {
                let failure = too_large(workspace.body.len(), MAX_HELD);
                self.fail(&failure, ending, workspace)
            }
            Err(failure) => self.fail(&failure, ending, workspace),
        }
    }

    /// No message came, and the stream ended well.
    fn answer_with_empty_stream<'w>(&mut self, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        self.state = State::Done;
        workspace.body.clear();
        if let Body::Flow(stream) | Body::Gathered { stream, .. } = &mut self.body {
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

    /// The body is held no longer, whatever the status will be. Where a host stops reading over its buffer's mark, what it
    /// is read for is the trailers.
    pub fn release<'w>(&mut self, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        match self.state {
            State::Held => {
                self.edit_headers_early(&mut workspace.edits);
                self.state = State::Begun;
                ResponseStep::RewriteHeaders(&workspace.edits)
            }
            _ => ResponseStep::PassThrough,
        }
    }

    /// The response has gone well, and nothing of it has gone out: what is in the workspace's body and content-type answers
    /// the client in its place.
    fn succeed<'w>(&mut self, whole: Whole, ending: &mut Ending, workspace: &'w mut Workspace) -> ResponseStep<'w> {
        self.state = State::Done;
        ending.add(whole.outcome);
        workspace.set_success_reply(whole.http_status, self.answer.metadata());
        ResponseStep::Reply(&workspace.reply)
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

    /// The same with the last part of the body at hand: the error goes in its place, so that the filters in front see it.
    fn fail_in_place<'w>(
        &mut self,
        failure: &Failure,
        part: Part<'_>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> ResponseStep<'w> {
        ending.add(failure);
        workspace.body.clear();
        if self.answer.promises_no_content() {
            if part.amid_trailers {
                self.state = State::Failed { cut: true, dropped: 0 };
                return ResponseStep::Drop;
            }
            self.state = State::Done;
            return ResponseStep::Reset;
        }
        failure.write_body(&self.answer.matched.plugin, &mut workspace.to_json, &mut workspace.body);
        let content_type = self.answer.matched.plugin.settings.errors.content_type();
        let length = workspace.body.len();
        edit_headers(
            &self.answer,
            failure.http_status,
            content_type,
            length,
            &mut workspace.edits,
        );
        workspace.edits.set(NO_SNIFFING.0, NO_SNIFFING.1);
        let step = self.replace(part, workspace);
        if !part.end {
            self.state = State::Failed { cut: false, dropped: 0 };
        }
        step
    }

    /// Makes the response headers the client's while the rest is not known: a service's choice of the status counts, errors
    /// come too late for that.
    fn edit_headers_early(&mut self, edits: &mut HeaderEdits) {
        edits.clear();
        // A bridge has the whole answer.
        let (is_whole, error_status) = match &self.body {
            Body::Bridged(bridged) => (true, bridged.early_error_status()),
            _ => (false, None),
        };
        let status = error_status.unwrap_or_else(|| self.answer.send_status(is_whole));
        let connection = metadata::connection_options(self.answer.initial.iter());
        remove_what_is_no_header(&self.answer, &connection, edits);
        if let Body::Bridged(_) = self.body {
            add_trailing_metadata(&self.answer, &connection, edits);
        }
        let content_type = match &self.body {
            Body::Unary { message, .. } => message.content_type(&self.answer),
            Body::Bridged(bridged) => bridged.content_type(&self.answer),
            Body::Flow(stream) | Body::Gathered { stream, .. } => stream.content_type(),
        };
        if is_without_content(status) {
            edits.remove(b"content-type");
        } else {
            edits.set(b"content-type", content_type);
        }
        if status != self.answer.initial.status().unwrap_or(200) {
            edits.set(b":status", itoa::Buffer::new().format(status).as_bytes());
        }
    }
}

impl Part<'_> {
    /// Puts what is in the workspace's body in its place; `first`: with the edits there; `whole`: it is all of the body.
    fn becomes<'w>(&self, first: bool, whole: bool, workspace: &'w Workspace) -> ResponseStep<'w> {
        ResponseStep::Chunk {
            edits: first.then_some(&workspace.edits),
            body: &workspace.body,
            whole,
            hold: self.amid_trailers,
        }
    }
}

/// How many bytes stand in for an answer of this length that hooks may change: a host that holds the answer holds these mostly,
/// and what a hook makes of it is mostly no longer.
pub fn stand_in(length: usize) -> usize {
    (length + length / 4 + SMALLEST_BUFFER).min(MAX_HELD)
}

/// Notes how the whole answer ends, and makes the response headers the client's.
fn conclude(
    answer: &Answer,
    whole: Whole,
    content_type: &[u8],
    body_length: usize,
    ending: &mut Ending,
    edits: &mut HeaderEdits,
) {
    ending.add(whole.outcome);
    edit_headers(answer, whole.http_status, content_type, body_length, edits);
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
    add_trailing_metadata(answer, &connection, edits);
}

fn add_trailing_metadata(answer: &Answer, connection: &ConnectionOptions<'_>, edits: &mut HeaderEdits) {
    for (name, value) in answer.trailing.iter() {
        if metadata::is_response_header(name, value, connection) {
            edits.add(name, value);
        }
    }
}

fn remove_what_is_no_header(answer: &Answer, connection: &ConnectionOptions<'_>, edits: &mut HeaderEdits) {
    for (name, value) in answer.initial.iter() {
        let kept = name.first() == Some(&b':') || name == b"content-type";
        if !kept && !answer.is_header(name, value, connection) {
            edits.remove(name);
        }
    }
}

/// Whether `chunk` is gRPC-Web's last frame, which comes by itself.
///
/// Envoy's gRPC-Web filter hands it on in the midst of its own work on the trailers, and goes on with that. Were the
/// response ended under it, by another in its place, by a reset, or because what was held and the trailers all go on at
/// once, Envoy would crash. What is due waits for the trailers, which come next; behind a part that only looks so, it waits
/// for the next part.
pub fn is_trailers_frame(chunk: &[u8]) -> bool {
    matches!(
        chunk.split_first_chunk::<PREFIX_LENGTH>(),
        Some(([0x80, length @ ..], block)) if usize::try_from(u32::from_be_bytes(*length)) == Ok(block.len())
    )
}
