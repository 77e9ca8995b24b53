//! The answer of a gRPC call: nothing of it goes to the client before its end.

use std::time::Duration;

use super::answer::{Answer, Whole, more_messages, no_message, too_large};
use super::deadline::Deadline;
use super::failure::Failure;
use super::matched::Matched;
use super::outcome::Ending;
use super::server_stream::{Progress, ServerStream};
use super::steps::{CallStep, HostReply};
use super::workspace::Workspace;
use crate::grpc::{Code, Status};
use crate::http::headers::Headers;
use crate::text::shown::{NAME, shown};

/// The answer of a call.
#[derive(Debug)]
pub struct ByCall {
    answer: Answer,
    received: Received,
}

/// What has come of it.
#[derive(Debug)]
enum Received {
    /// Of a unary method, in wire form.
    Message(Option<Vec<u8>>),
    /// Of a method that streams its answer, as the client gets it.
    Stream(ServerStream, Vec<u8>),
    /// All: the client has its answer.
    Everything,
}

impl ByCall {
    /// Nothing has come yet. `accept` is the client's header.
    pub fn new(matched: Matched, deadline: Deadline, accept: Option<&[u8]>) -> Self {
        Self {
            received: match matched.method().server_streaming {
                true => Received::Stream(ServerStream::new(&matched, accept), Vec::new()),
                false => Received::Message(None),
            },
            answer: Answer::new(matched, deadline.of_call()),
        }
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let received = match &self.received {
            Received::Message(message) => message.as_ref().map_or(0, Vec::capacity),
            Received::Stream(stream, written) => stream.footprint() + written.capacity(),
            Received::Everything => 0,
        };
        self.answer.footprint() + received
    }

    /// After which time the gateway is to give up on the answer.
    pub fn gateway_timeout(&self) -> Option<Duration> {
        self.answer.deadline.of_whole_answer()
    }

    /// That time while the answer is awaited: the upstream may be the first to notice that it has passed.
    pub fn watched_timeout(&self) -> Option<Duration> {
        match self.received {
            Received::Everything => None,
            _ => self.gateway_timeout(),
        }
    }

    /// The time for the answer is up.
    pub fn time_is_up(&mut self) {
        self.answer.deadline.pass();
    }

    /// Initial metadata came.
    pub fn initial_metadata(&mut self, metadata: Headers) {
        self.answer.initial = metadata;
    }

    /// Trailing metadata came.
    pub fn trailing_metadata(&mut self, metadata: Headers) {
        self.answer.trailing = metadata;
    }

    /// A message came, which may be `admitted` or not.
    pub fn message<'w>(
        &mut self,
        message: Vec<u8>,
        admitted: Result<(), Failure>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> CallStep<'w> {
        let Err(failure) = admitted.and_then(|()| self.take(message, workspace)) else {
            return CallStep::Await;
        };
        let whole = match std::mem::replace(&mut self.received, Received::Everything) {
            // What came before it has gone well: it ends as where the upstream ends it with an error.
            Received::Stream(stream, written) => self.end_stream(stream, written, Progress::Failed(failure), workspace),
            Received::Message(_) | Received::Everything => Err(failure),
        };
        self.set_reply(whole, ending, workspace);
        CallStep::CancelAndReply(&workspace.reply)
    }

    fn take(&mut self, message: Vec<u8>, workspace: &mut Workspace) -> Result<(), Failure> {
        let matched = &self.answer.matched;
        let limits = &matched.plugin.settings.limits;
        let limit = limits.max_message_bytes.min(limits.max_response_bytes);
        match &mut self.received {
            Received::Everything => Ok(()),
            _ if message.len() > limit => Err(too_large(message.len(), limit)),
            Received::Message(received) => match received.replace(message) {
                None => Ok(()),
                Some(_) => Err(more_messages()),
            },
            Received::Stream(stream, written) => {
                stream.feed_message(matched, &message, workspace.tools().0, written)?;
                if written.len() > limits.max_response_bytes {
                    return Err(too_large(written.len(), limits.max_response_bytes));
                }
                Ok(())
            }
        }
    }

    /// The call ended. `code` and `message` are the host's, for a call that ended without trailing metadata.
    pub fn closed<'w>(
        &mut self,
        code: u32,
        message: &[u8],
        host_reply: Option<HostReply>,
        ending: &mut Ending,
        workspace: &'w mut Workspace,
    ) -> CallStep<'w> {
        let status = self.status(code, message, host_reply);
        let whole = match std::mem::replace(&mut self.received, Received::Everything) {
            Received::Everything => return CallStep::Await,
            Received::Message(received) => self.end_unary(received.as_deref(), status, workspace),
            Received::Stream(stream, written) => {
                let progress = stream.finish(status);
                self.end_stream(stream, written, progress, workspace)
            }
        };
        self.set_reply(whole, ending, workspace);
        CallStep::Reply(&workspace.reply)
    }

    fn end_stream(
        &self,
        mut stream: ServerStream,
        mut written: Vec<u8>,
        progress: Progress,
        workspace: &mut Workspace,
    ) -> Result<Whole, Failure> {
        workspace.body.clear();
        workspace.body.append(&mut written);
        self.answer.end_whole_stream(&mut stream, progress, workspace)
    }

    fn set_reply(&self, whole: Result<Whole, Failure>, ending: &mut Ending, workspace: &mut Workspace) {
        match whole {
            Ok(whole) => {
                ending.add(whole.outcome);
                workspace.set_success_reply(whole.http_status, self.answer.metadata());
            }
            Err(failure) => {
                ending.add(&failure);
                workspace.set_error_reply(&self.answer.matched.plugin, &failure, self.answer.metadata());
            }
        }
    }

    fn end_unary(
        &self,
        message: Option<&[u8]>,
        status: Result<Status, Failure>,
        workspace: &mut Workspace,
    ) -> Result<Whole, Failure> {
        match status? {
            status if status.code != Code::Ok => Err(self.answer.deadline.judge(Failure::of(status))),
            _ => {
                self.answer.convert(message.ok_or_else(no_message)?, workspace)?;
                Ok(self.answer.succeed(workspace))
            }
        }
    }

    /// The upstream's status, where the call ended with one.
    fn status(&self, code: u32, message: &[u8], host_reply: Option<HostReply>) -> Result<Status, Failure> {
        let Answer { initial, trailing, .. } = &self.answer;
        match host_reply {
            Some(host_reply) => Err(self.answer.host_failure(host_reply)),
            None if trailing.get("grpc-status").is_some() => self.answer.status(),
            None if initial.status().is_some_and(|status| status != 200) => Err(self.answer.not_grpc()),
            // Envoy's reading of trailers that have no status, and of an answer of headers alone, which it tells as trailers.
            None if code == u32::from(Code::Unknown.number()) && !(initial.is_empty() && trailing.is_empty()) => {
                self.answer.status()
            }
            // Envoy's reading of a frame that is compressed or malformed, and of a reset.
            None if code == u32::from(Code::Internal.number()) && !initial.is_empty() => Err(self.broken()),
            None => Ok(Status::from_host(i64::from(code), message)),
        }
    }

    /// 502: Envoy took the answer for none. Whether it was compressed is not told, but it may have said that it would be.
    fn broken(&self) -> Failure {
        match self.answer.initial.get("grpc-encoding") {
            None | Some(b"identity") => {
                Failure::bad_answer("the answer broke off, or has a malformed or compressed gRPC frame")
            }
            Some(encoding) => Failure::bad_answer(format!(
                "the answer broke off, or has a malformed gRPC frame or one compressed with grpc-encoding {:?}, which can be \
                 read in place alone: let the service send identity, or dispatch and bodyless be in_place",
                shown(encoding, NAME)
            )),
        }
    }
}
