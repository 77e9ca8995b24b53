//! Random answers of the upstream.

use bytes::Bytes;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use tonic::Code;

use crate::bench::upstream::Script;
use crate::differential::message::{Disorder, Messages, disorder, encode};
use crate::differential::random_schema::Random;
use crate::differential::schema::Schema;

/// What the upstream answers, if it is asked.
#[derive(Clone)]
pub struct Planned {
    /// The messages in wire form.
    pub messages: Vec<Bytes>,
    /// How their records are out of order.
    pub disorder: Option<Disorder>,
    /// The status behind the messages; `None` for OK.
    pub error: Option<Failure>,
    /// Whether trailing metadata follow.
    pub trailing: bool,
    /// Whether initial metadata come first.
    pub initial: bool,
    /// Whether the method is server streaming.
    pub streams: bool,
    /// The success status that the service chooses.
    pub http_code: Option<&'static str>,
}

/// A status that isn't OK.
#[derive(Clone)]
pub struct Failure {
    /// The code.
    pub code: Code,
    /// The message.
    pub message: &'static str,
    /// A serialized `google.rpc.Status`; may be empty.
    pub details: Bytes,
    /// Whether headers go out before the status.
    pub late: bool,
}

impl Planned {
    /// Whether the client has to get an error and nothing else.
    pub fn fails_whole(&self) -> bool {
        self.error.is_some() && (self.messages.is_empty() || !self.streams)
    }

    /// Makes it an answer of any method: an error, at once.
    pub fn refuse(&mut self) {
        self.messages.clear();
        self.disorder = None;
        self.error = Some(Failure {
            code: Code::NotFound,
            message: "no such book",
            details: Bytes::new(),
            late: false,
        });
    }

    /// The script that answers so.
    pub fn script(&self) -> Script {
        let mut script = Script::many(self.messages.clone());
        if let Some(failure) = &self.error {
            script = match failure.late || !self.messages.is_empty() {
                true => script.then_error(failure.code, failure.message),
                false => Script::error(failure.code, failure.message),
            };
            script = script.details(failure.details.clone());
        }
        if self.initial {
            script = script.initial("x-initial", "first").initial("x-initial-bin", "AAEC/w");
        }
        if let Some(code) = self.http_code {
            script = script.initial("x-http-code", code);
        }
        if self.trailing {
            script = script.trailing("x-trailing", "last");
        }
        script
    }
}

/// An answer of this method.
pub fn plan(random: &mut Random, schema: &Schema, method: &MethodDescriptor) -> Planned {
    let count = match method.is_server_streaming() {
        true => random.below(4),
        false => 1,
    };
    let disorder_of = random.pick(&[Disorder::Rotated, Disorder::Repeated, Disorder::Unknown]);
    let disorder_of = random.one_in(6).then_some(disorder_of);
    let mut messages = Vec::new();
    for _ in 0..count {
        let mut message = Messages {
            random,
            pool: &schema.pool,
        };
        let wire = encode(&message.message(&method.output(), 0));
        messages.push(Bytes::from(match disorder_of {
            Some(kind) => disorder(&wire, kind),
            None => wire,
        }));
    }
    let error = random.one_in(6).then(|| failure(random, schema));
    if error.is_some() && !method.is_server_streaming() && !random.one_in(6) {
        messages.clear();
    }
    Planned {
        messages,
        disorder: disorder_of,
        error,
        trailing: random.one_in(4),
        initial: random.one_in(3),
        streams: method.is_server_streaming(),
        http_code: random.one_in(30).then_some("201"),
    }
}

fn failure(random: &mut Random, schema: &Schema) -> Failure {
    let code = Code::from(1 + random.below(16) as i32);
    let message = random.pick(&["", "no such book", "percent % and quote \"", "gibt's nicht ✗"]);
    let details = match random.one_in(2) {
        true => Bytes::new(),
        false => Bytes::from(encode(&status(random, schema, code, message))),
    };
    Failure {
        code,
        message,
        details,
        late: random.one_in(3),
    }
}

/// A `google.rpc.Status` with details.
fn status(random: &mut Random, schema: &Schema, code: Code, message: &str) -> DynamicMessage {
    let new = |name: &str| DynamicMessage::new(schema.pool.get_message_by_name(name).unwrap());
    let mut status = new("google.rpc.Status");
    status.set_field_by_name("code", Value::I32(code as i32));
    status.set_field_by_name("message", Value::String(message.to_owned()));
    let mut details = Vec::new();
    for _ in 0..random.below(3) {
        let mut info = new("google.rpc.ErrorInfo");
        info.set_field_by_name("reason", Value::String("GONE".to_owned()));
        let mut any = new("google.protobuf.Any");
        let name = "type.googleapis.com/google.rpc.ErrorInfo";
        any.set_field_by_name("type_url", Value::String(name.to_owned()));
        any.set_field_by_name("value", Value::Bytes(encode(&info).into()));
        details.push(Value::Message(any));
    }
    status.set_field_by_name("details", Value::List(details));
    status
}
