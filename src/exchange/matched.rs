//! A request that has found its method: the route it takes, and what its bodies hold.

use std::rc::Rc;

use super::failure::Failure;
use crate::codec::http_body;
use crate::config::{Plugin, Unmatched};
use crate::grpc::frame::FrameReader;
use crate::routing::{Body, Captures, Match, Method, Route};
use crate::schema::tables::{Cardinality, FieldIndex, Kind, MessageIndex, Tables};
use crate::text::shown::{NAME, shown};
use crate::transform::Active;

/// A method under one of its bindings.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The configuration.
    pub plugin: Rc<Plugin>,
    /// The binding that the path matched, and its method.
    pub route: Rc<Route>,
    /// The transforms that apply to its messages.
    pub active: Option<Rc<Active>>,
}

/// In which form a body holds a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyType {
    /// As JSON.
    Json,
    /// `google.api.HttpBody`: the bytes as they are.
    Raw,
}

/// What the client gets of a response message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// All of it, as JSON.
    Message,
    /// This field, as JSON.
    Field(FieldIndex),
    /// The message is a `google.api.HttpBody`: its bytes.
    Raw,
    /// The field with this number is a `google.api.HttpBody`: its bytes.
    RawField(u32),
}

impl Matched {
    /// Finds the method for a request; its path captures go into `captures`. `None`: the request is to go on untouched.
    ///
    /// # Errors
    ///
    /// 404, 405, or 400 for a malformed path.
    pub fn find(
        plugin: &Rc<Plugin>,
        http_method: &[u8],
        path: &[u8],
        captures: &mut Captures,
    ) -> Result<Option<Self>, Failure> {
        let rejects = plugin.settings.unmatched == Unmatched::Reject;
        match plugin
            .router
            .find(&String::from_utf8_lossy(http_method), path, captures)
        {
            Match::Route(route) => Ok(Some(Self {
                plugin: Rc::clone(plugin),
                route: Rc::clone(route),
                active: None,
            })),
            Match::NoRoute if rejects => Err(Failure::unmatched(http_method, path)),
            Match::WrongMethod { allow } if rejects => Err(Failure::wrong_method(
                &shown(http_method, NAME),
                &shown(path, NAME),
                allow,
            )),
            Match::NoRoute | Match::WrongMethod { .. } => Ok(None),
            Match::Malformed(message) => Err(Failure::path(message)),
        }
    }

    /// Whether the answer's messages are changed before the client gets them.
    pub fn changes_responses(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.changes_responses())
    }

    /// How many bytes of memory its transforms take.
    pub fn footprint(&self) -> usize {
        self.active.as_ref().map_or(0, |active| active.footprint())
    }

    /// The schema's messages.
    pub fn tables(&self) -> &Tables {
        &self.plugin.tables
    }

    /// The method that is called.
    pub fn method(&self) -> &Rc<Method> {
        &self.route.method
    }

    /// Whether the request's body fills any of the message.
    pub fn takes_body(&self) -> bool {
        !matches!(self.route.binding.body, Body::None)
    }

    /// Whether the request's body is a stream of messages.
    pub fn streams_request(&self) -> bool {
        self.route.method.client_streaming && self.takes_body()
    }

    /// What the request's body holds.
    pub fn request_body(&self) -> BodyType {
        let input = self.route.method.input;
        let raw = match self.route.binding.body {
            Body::None => false,
            Body::Whole => is_http_body(self.tables(), input),
            Body::Field(field) => http_body_number(self.tables(), input, field).is_some(),
        };
        if raw { BodyType::Raw } else { BodyType::Json }
    }

    /// What the client gets of a response message.
    pub fn response_body(&self) -> ResponseBody {
        let output = self.route.method.output;
        match self.route.binding.response_body {
            None if is_http_body(self.tables(), output) => ResponseBody::Raw,
            None => ResponseBody::Message,
            Some(field) => match http_body_number(self.tables(), output, field) {
                Some(number) => ResponseBody::RawField(number),
                None => ResponseBody::Field(field),
            },
        }
    }

    /// A reader of the upstream's body.
    pub fn frame_reader(&self) -> FrameReader {
        let settings = &self.plugin.settings;
        let limit = settings.limits.max_message_bytes;
        match settings.upstream.grpc_web {
            true => FrameReader::grpc_web(limit),
            false => FrameReader::new(limit),
        }
    }

    /// In which form the client gets response messages.
    pub fn response_type(&self) -> BodyType {
        match self.response_body() {
            ResponseBody::Message | ResponseBody::Field(_) => BodyType::Json,
            ResponseBody::Raw | ResponseBody::RawField(_) => BodyType::Raw,
        }
    }
}

fn is_http_body(tables: &Tables, message: MessageIndex) -> bool {
    tables.message(message).full_name() == http_body::FULL_NAME
}

/// The number of `field`, if it is a `google.api.HttpBody`.
fn http_body_number(tables: &Tables, message: MessageIndex, field: FieldIndex) -> Option<u32> {
    let field = tables.message(message).field(field)?;
    match (field.kind, field.cardinality) {
        (Kind::Message(below), Cardinality::Singular) if is_http_body(tables, below) => Some(field.number),
        _ => None,
    }
}
