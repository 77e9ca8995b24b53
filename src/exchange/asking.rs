//! A request or an answer that waits while hooks are asked about it.

use std::rc::Rc;

use super::failure::Failure;
use super::reply::Reply;
use super::workspace::Workspace;
use crate::hooks::settings::Kind;
use crate::hooks::{Course, CurrentRequest, CurrentResponse, HookReply, Outcome as HookOutcome, Stage};
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::GrpcProtocol;
use crate::http::status::is_without_content;

/// A request that waits for hooks.
#[derive(Debug)]
pub struct Asking {
    /// The hooks.
    pub course: Course,
    /// Which of them it meets now.
    pub stage: Stage,
    /// What they see.
    pub form: Form,
    /// Where its body is.
    pub body: Body,
    /// What has come of the body so far; empty once all of it is there.
    pub gathered: Vec<u8>,
    /// The request as it stands, once all of it is there.
    pub request: CurrentRequest,
    /// An answer in its place.
    pub reply: Option<HookReply>,
}

/// What of a request hooks see and change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of it.
    Whole,
    /// The headers of a gRPC client's call.
    Native(GrpcProtocol),
    /// The headers of a request that goes on unread: an upgrade, a preflight, or one that no method is for.
    Unread,
}

/// Where the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It is coming. It may have said how long it is.
    Gathers {
        /// What it said.
        length: Option<usize>,
    },
    /// All of it is here. The host holds a placeholder, which a new body may replace.
    Whole,
    /// It isn't here: the request has none, or it waits in the host, unread.
    Absent {
        /// The request has none.
        ended: bool,
    },
}

/// An exchange whose response hooks are still to be asked.
#[derive(Debug)]
pub struct Answering {
    /// The hooks.
    pub course: Course,
    /// The request, as hooks have left it.
    pub request: CurrentRequest,
    /// The response as it stands; `None`: it is in the workspace's reply.
    pub response: Option<CurrentResponse>,
    /// An answer in its place.
    pub reply: Option<HookReply>,
}

/// What a hook did, for metrics and the log.
#[derive(Clone, Debug)]
pub struct HookNews {
    /// The hook's kind.
    pub kind: Kind,
    /// Its name.
    pub name: Rc<str>,
    /// What it did.
    pub outcome: HookOutcome,
}

/// What is next where hooks are asked.
pub enum Turn {
    /// A call is ready.
    Call,
    /// This is the answer.
    Reply(HookReply),
    /// The request is refused by this module: hooks have no say in it.
    Failed(Failure),
    /// The answer is in the workspace: it describes the services.
    Described,
    /// All have been asked.
    GoOn,
}

impl Asking {
    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.course.footprint() + self.gathered.capacity() + self.request.footprint()
    }

    /// Whether the request's body is awaited.
    pub fn gathers(&self) -> bool {
        matches!(self.body, Body::Gathers { .. })
    }

    /// Whether it is awaited and doesn't say how long it is.
    pub fn lacks_length(&self) -> bool {
        self.body == Body::Gathers { length: None }
    }

    /// Whether it is awaited, and as much of it has come as it said.
    pub fn has_all(&self) -> bool {
        matches!(self.body, Body::Gathers { length: Some(length) } if length == self.gathered.len())
    }

    /// Which form of gRPC the client speaks; `None`: it is no gRPC client.
    pub fn protocol(&self) -> Option<GrpcProtocol> {
        match self.form {
            Form::Native(protocol) => Some(protocol),
            Form::Whole | Form::Unread => None,
        }
    }

    /// All of the request is there. `has_body`: the host has a body.
    pub fn complete(&mut self, has_body: bool) {
        let (headers, _) = std::mem::take(&mut self.request).into_parts();
        let mut body = std::mem::take(&mut self.gathered);
        // That is the placeholder which Envoy's Lua filter gives to requests without a body.
        if body == b" " && matches!(headers.get(":method"), Some(b"GET" | b"DELETE")) {
            body.clear();
        }
        self.body = match has_body {
            true => Body::Whole,
            false => Body::Absent { ended: true },
        };
        self.request = CurrentRequest::new(headers, body);
    }
}

impl Answering {
    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let response = self.response.as_ref();
        self.course.footprint()
            + self.request.footprint()
            + response.map_or(0, |response| response.body.capacity() + response.headers.footprint())
    }

    /// How long the body of the response is.
    pub fn length(&self) -> usize {
        self.response.as_ref().map_or(0, |response| response.body.len())
    }
}

impl Answering {
    /// What is next. The response may still be in `workspace`.
    pub fn turn(&mut self, workspace: &mut Workspace) -> Turn {
        if let Some(reply) = self.reply.take() {
            return Turn::Reply(reply);
        }
        let reply = &mut workspace.reply;
        let response = self.response.get_or_insert_with(|| CurrentResponse {
            status: reply.status,
            headers: std::mem::take(&mut reply.headers),
            body: std::mem::take(&mut reply.body),
        });
        match self
            .course
            .next_of_response(&self.request, response, &mut workspace.hooks)
        {
            Some(_) => Turn::Call,
            None => Turn::GoOn,
        }
    }
}

/// The headers of a response that takes the place of the one that the host holds, whose names are `held`. `to_head`:
/// the client's method is HEAD.
pub fn in_place_of(held: &Headers, reply: &Reply, to_head: bool, edits: &mut HeaderEdits) {
    edits.clear();
    for (name, _) in held.iter().filter(|(name, _)| name.first() != Some(&b':')) {
        edits.remove(name);
    }
    let mut digits = itoa::Buffer::new();
    edits.set(b":status", digits.format(reply.status).as_bytes());
    for (name, value) in reply.headers.iter() {
        edits.add(name, value);
    }
    // Of a 304 it is the length of what the client has, and to a HEAD that of what a GET would have: nobody knows them.
    if !is_without_content(reply.status) && reply.status != 304 && !to_head {
        edits.add(b"content-length", digits.format(reply.body.len()).as_bytes());
    }
}
