//! What the upstream has said beside its messages, whichever way the request went: status and metadata, and what they
//! mean in HTTP.

use super::deadline::Deadline;
use super::failure::Failure;
use super::matched::{BodyType, Matched};
use super::message::{write_json, write_raw};
use super::outcome::Outcome;
use super::server_stream::{Progress, ServerStream};
use super::steps::HostReply;
use super::workspace::{Workspace, set_content_type};
use crate::grpc::metadata::{self, ConnectionOptions};
use crate::grpc::{Code, Status, connect};
use crate::http::headers::Headers;
use crate::http::media_type::{GRPC, JSON, OCTET_STREAM};
use crate::http::status::is_without_content;
use crate::text::shown::{NAME, shown};

/// The answer to a request that the upstream has, as far as it is known.
#[derive(Debug)]
pub struct Answer {
    /// The method that was called.
    pub matched: Matched,
    /// How long it may take.
    pub deadline: Deadline,
    /// Response headers in place, or a call's initial metadata.
    pub initial: Headers,
    /// Trailers in place, or a call's trailing metadata.
    pub trailing: Headers,
    /// The HTTP status that the client has already, where its headers went on before the end was known.
    sent_status: Option<u16>,
    /// The trailing metadata have come among the headers, under other names.
    trails_in_headers: bool,
}

/// A whole answer, whose body and content-type are in the workspace.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The HTTP status.
    pub http_status: u16,
    /// How it ended: the error of a stream may be its last element.
    pub outcome: Outcome,
}

impl Answer {
    /// Nothing of the answer is there yet.
    pub fn new(matched: Matched, deadline: Deadline) -> Self {
        Self {
            matched,
            deadline,
            initial: Headers::default(),
            trailing: Headers::default(),
            sent_status: None,
            trails_in_headers: false,
        }
    }

    /// The headers of Connect's form came, which hold the trailing metadata too.
    pub fn set_connect_headers(&mut self, headers: Headers) {
        for (name, value) in headers.iter() {
            if let Some(name) = name.strip_prefix(connect::TRAILER) {
                self.trailing.push(name, value);
                self.trails_in_headers = true;
            }
        }
        self.initial = headers;
    }

    /// Whether this of the response headers is a header of the client's: neither of the connection nor of the body or of
    /// gRPC, nor trailing metadata under another name.
    pub fn is_header(&self, name: &[u8], value: &[u8], connection: &ConnectionOptions<'_>) -> bool {
        metadata::is_response_header(name, value, connection)
            && !(self.trails_in_headers && name.starts_with(connect::TRAILER))
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.initial.footprint() + self.trailing.footprint() + self.matched.footprint()
    }

    /// The status in trailing or initial metadata.
    ///
    /// # Errors
    ///
    /// 502 where there is none.
    pub fn status(&self) -> Result<Status, Failure> {
        // An upstream may put its status into the headers even where a body follows.
        let source = match self.trailing.get("grpc-status") {
            Some(_) => &self.trailing,
            None => &self.initial,
        };
        Status::from_trailers(
            source.get("grpc-status"),
            source.get("grpc-message"),
            source.get("grpc-status-details-bin"),
        )
        .map_err(|error| Failure::bad_answer(error.to_string()))
    }

    /// The metadata that the client gets, initial before trailing.
    pub fn metadata(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let connection = metadata::connection_options(self.initial.iter());
        self.initial
            .iter()
            .chain(self.trailing.iter())
            .filter(move |(name, value)| self.is_header(name, value, &connection))
    }

    /// The HTTP status of a success: the one that the service chose, else the configuration's.
    pub fn success_status(&self) -> u16 {
        self.sent_status
            .or_else(|| self.chosen_status())
            .unwrap_or_else(|| self.configured_status())
    }

    /// The content-type of its one message, which is `raw` where it is raw and has one.
    pub fn content_type<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        match self.matched.response_type() {
            BodyType::Json => JSON,
            BodyType::Raw if raw.is_empty() => OCTET_STREAM,
            BodyType::Raw => raw,
        }
    }

    /// The HTTP status that the service chose. A stream has content, if only its error.
    fn chosen_status(&self) -> Option<u16> {
        let streams = self.matched.method().server_streaming;
        self.initial
            .iter()
            .chain(self.trailing.iter())
            .find_map(|(name, value)| metadata::success_status(name, value))
            .filter(|status| !streams || !is_without_content(*status))
    }

    fn configured_status(&self) -> u16 {
        self.matched.plugin.success_statuses.of(self.matched.method())
    }

    /// The headers go on now: what comes in trailers changes their status no more. Returns that status.
    ///
    /// Unless the call `has_succeeded`, an error may come later. Behind a status without content there is no place for it,
    /// and a service that knows nothing of HTTP has not said that there will be none: it is 200 then, with the message as
    /// body.
    pub fn send_status(&mut self, has_succeeded: bool) -> u16 {
        let status = self.chosen_status().unwrap_or_else(|| match self.configured_status() {
            status if is_without_content(status) && !has_succeeded => 200,
            status => status,
        });
        self.sent_status = Some(status);
        status
    }

    /// Whether the client has headers already after which there must be no body, not even an error's.
    pub fn promises_no_content(&self) -> bool {
        self.sent_status.is_some_and(is_without_content)
    }

    /// Puts what the client gets of a unary answer's message into `workspace`.
    ///
    /// # Errors
    ///
    /// 502 where the message is malformed, or becomes too large.
    pub fn convert(&self, message: &[u8], workspace: &mut Workspace) -> Result<(), Failure> {
        let settings = &self.matched.plugin.settings;
        let out = &mut workspace.body;
        out.clear();
        let message = workspace.changes.response(&self.matched, message)?;
        match self.matched.response_type() {
            BodyType::Raw => write_raw(&self.matched, message, &mut workspace.content_type, out)?,
            BodyType::Json => {
                write_json(&self.matched, message, &settings.print, &mut workspace.to_json, out)?;
                set_content_type(&mut workspace.content_type, JSON);
            }
        }
        let limit = settings.limits.max_response_bytes;
        if workspace.body.len() > limit {
            return Err(too_large(workspace.body.len(), limit));
        }
        Ok(())
    }

    /// A unary answer that went well, whose message [`Answer::convert`] has put into `workspace`.
    pub fn succeed(&self, workspace: &mut Workspace) -> Whole {
        let http_status = self.success_status();
        if is_without_content(http_status) {
            workspace.body.clear();
        }
        Whole {
            http_status,
            outcome: Outcome::OK,
        }
    }

    /// Ends a stream of which nothing has gone out: its messages are in `workspace`, and `progress` says how it ended.
    ///
    /// # Errors
    ///
    /// The stream's own, where it has no message or no place for it; 502 where it becomes too large.
    pub fn end_whole_stream(
        &self,
        stream: &mut ServerStream,
        progress: Progress,
        workspace: &mut Workspace,
    ) -> Result<Whole, Failure> {
        let plugin = &self.matched.plugin;
        let out = &mut workspace.body;
        let mut outcome = Outcome::OK;
        match self.judge(progress) {
            Progress::Failed(failure) if stream.is_empty() => return Err(failure),
            Progress::Failed(failure) => {
                let error = failure.element(plugin, &mut workspace.to_json);
                if !stream.end_with_error(&error, out) {
                    return Err(failure);
                }
                outcome = Outcome::from(&failure);
            }
            Progress::Open | Progress::Ended => stream.end(out),
        }
        let limit = plugin.settings.limits.max_response_bytes;
        if out.len() > limit {
            return Err(too_large(out.len(), limit));
        }
        workspace.set_content_type(stream.content_type());
        Ok(Whole {
            http_status: self.success_status(),
            outcome,
        })
    }

    /// What it means that a stream ended so: see [`Deadline::judge`].
    pub fn judge(&self, progress: Progress) -> Progress {
        match progress {
            Progress::Failed(failure) => Progress::Failed(self.deadline.judge(failure)),
            progress => progress,
        }
    }

    /// An HTTP answer that no gRPC server gave: gRPC's own table tells its code.
    pub fn not_grpc(&self) -> Failure {
        let http_status = self.initial.status().unwrap_or(0);
        let message = match self.initial.get("content-type") {
            // A host's gRPC-Web filter puts its own in the place of any other.
            Some(content_type) if !content_type.starts_with(GRPC) => {
                let content_type = shown(content_type, NAME);
                format!("answered HTTP {http_status} with content-type {content_type:?} instead of gRPC")
            }
            _ => format!("answered HTTP {http_status} instead of gRPC"),
        };
        if http_status == 200 {
            return Failure::bad_answer(message);
        }
        Failure::of(Status::new(
            Code::from_http_status(http_status),
            format!("upstream: {message}"),
        ))
    }

    /// What it means that the host made the answer up.
    pub fn host_failure(&self, host_reply: HostReply) -> Failure {
        match host_reply {
            HostReply::Unreachable | HostReply::BrokenOff if !self.deadline.has_passed() => {
                Failure::unavailable("the upstream cannot be reached")
            }
            HostReply::Unreachable | HostReply::BrokenOff | HostReply::Deadline => self.deadline.late(),
            HostReply::TooLarge => Failure::too_large(
                "the request has become larger, as a gRPC message, than the gateway can hold (in Envoy: \
                 per_connection_buffer_limit_bytes, initial_stream_window_size)",
            ),
            HostReply::NoRoute => Failure::no_grpc_route(&self.matched.method().path),
            HostReply::NoUpstream => {
                Failure::no_cluster("the gateway's route leads to an upstream that it does not have")
            }
            HostReply::Route(http_status) => Failure::route_to_nothing(http_status, &self.matched.method().path),
            HostReply::Filter => Failure::answered_by_gateway(self.initial.status().unwrap_or(0)),
        }
    }
}

/// 502: an answer of `size` bytes.
pub fn too_large(size: usize, limit: usize) -> Failure {
    Failure::answer_too_large(format!(
        "the response has {size} bytes, more than the limit of {limit} (limits.max_response_bytes, \
         limits.max_message_bytes)"
    ))
}

/// 502: a unary answer went well and has nothing to show.
pub fn no_message() -> Failure {
    Failure::bad_answer("status OK without a message")
}

/// 502: a unary answer has more to show than it may.
pub fn more_messages() -> Failure {
    Failure::bad_answer("more than one message from a unary method")
}
