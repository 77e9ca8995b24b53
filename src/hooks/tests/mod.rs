//! Hooks against servers that are played: what they get is read, and what they answer written, by prost-reflect with
//! `proto-fixtures/coprocess/coprocess.proto`.

mod answers;
mod failures;
mod native;
mod order;
mod overrides;
mod parts;
mod responses;
mod sent;
mod sessions;

use std::sync::LazyLock;
use std::time::Duration;

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::course::{Course, Memory, Next, Outcome, Stage, Verdict};
use super::failure::CallFailure;
use super::reply::HookReply;
use super::settings::{Hook, Hooks, Kind, OnError, PathPrefix, Settings};
use super::state::{CurrentRequest, CurrentResponse};
use crate::http::headers::Headers;
use crate::schema::{Schema, Source};

/// The time, in seconds since 1970.
const NOW: i64 = 1_800_000_000;

static OBJECT: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let text = include_str!("../../../proto-fixtures/coprocess/coprocess.proto");
    let files = [("coprocess.proto".to_owned(), text.to_owned())];
    let schema = Schema::compile(Source::Protos(&files), 1 << 20).unwrap();
    schema.pool().get_message_by_name("coprocess.Object").unwrap()
});

/// An object in wire form.
fn wire(object: &Value) -> Vec<u8> {
    DynamicMessage::deserialize(OBJECT.clone(), object)
        .unwrap()
        .encode_to_vec()
}

/// An object as JSON, with the names of the .proto; bytes are base64.
fn read(wire: &[u8]) -> Value {
    let message = DynamicMessage::decode(OBJECT.clone(), wire).unwrap();
    let options = SerializeOptions::new().use_proto_field_name(true);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .unwrap()
}

/// What `object` becomes where a path, `request.return_overrides.headers`, has this value.
fn with(mut object: Value, path: &str, value: Value) -> Value {
    let mut place = &mut object;
    for name in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut().unwrap().entry(name).or_insert(Value::Null);
    }
    *place = value;
    object
}

/// An object without what is at this path.
fn without(mut object: Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = parent
        .split('.')
        .filter(|part| !part.is_empty())
        .map(|part| format!("/{part}"));
    let parent = object.pointer_mut(&pointer.collect::<String>()).unwrap();
    parent.as_object_mut().unwrap().shift_remove(name);
    object
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn hook(kind: Kind) -> Hook {
    Hook {
        kind,
        name: format!("{kind:?}").into(),
        cluster: "server".to_owned(),
        timeout: Duration::from_secs(2),
        on_error: OnError::Deny,
        raw_body_only: false,
        paths: None,
    }
}

fn settings(hooks: Vec<Hook>) -> Settings {
    Settings {
        authority: None,
        paths: PathPrefix::new("/").unwrap(),
        org_id: "o1".to_owned(),
        api_id: "a1".to_owned(),
        config_data: Some(r#"{"k":"v"}"#.to_owned()),
        attributes: true,
        hooks,
    }
}

fn headers(lines: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in lines {
        headers.push(name.as_bytes(), value.as_bytes());
    }
    headers
}

/// The headers of a request, with these behind the pseudo-headers.
fn request_headers(method: &str, path: &str, lines: &[(&str, &str)]) -> Headers {
    let pseudo = [
        (":authority", "api.test"),
        (":path", path),
        (":method", method),
        (":scheme", "https"),
    ];
    headers(&[&pseudo, lines].concat())
}

fn texts(headers: &Headers) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    headers.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn value(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.escape_ascii().to_string())
}

/// One exchange and its hooks.
struct Rig {
    course: Course,
    request: CurrentRequest,
    response: CurrentResponse,
    memory: Memory,
}

impl Rig {
    fn new(hooks: Vec<Hook>, headers: Headers, body: &[u8]) -> Self {
        let hooks = Hooks::new(settings(hooks)).unwrap();
        let request = CurrentRequest::new(headers, body.to_vec());
        let chain = hooks.for_path(request.path()).unwrap();
        Self {
            course: Course::new(chain, Caller::default(), request.headers()),
            request,
            response: CurrentResponse::default(),
            memory: Memory::default(),
        }
    }

    /// A POST with a JSON body, before hooks of these kinds.
    fn post(kinds: &[Kind]) -> Self {
        let lines = [
            ("content-type", "application/json"),
            ("x-a", "1"),
            ("content-length", "13"),
        ];
        let headers = request_headers("POST", "/v1/shelves/3/books?q=1", &lines);
        Self::new(kinds.iter().copied().map(hook).collect(), headers, br#"{"title":"t"}"#)
    }

    /// A GET of `path`, before hooks of these kinds.
    fn get(kinds: &[Kind], path: &str) -> Self {
        let headers = request_headers("GET", path, &[]);
        Self::new(kinds.iter().copied().map(hook).collect(), headers, b"")
    }

    /// The next call's message; what is there instead of it is the error.
    fn next(&mut self, stage: Stage) -> Result<Value, Option<HookReply>> {
        match self.course.next(stage, &self.request, || NOW, &mut self.memory) {
            Next::Call(call) => Ok(read(call.message)),
            Next::Refuse(reply) => Err(Some(reply)),
            Next::GoOn => Err(None),
        }
    }

    fn sent(&mut self, stage: Stage) -> Value {
        self.next(stage).expect("a call")
    }

    fn goes_on(&mut self, stage: Stage) {
        assert!(matches!(self.next(stage), Err(None)));
    }

    /// The hook whose turn it is answers with what it got, changed.
    fn turn(&mut self, stage: Stage, change: impl FnOnce(Value) -> Value) -> Verdict {
        let answer = wire(&change(self.sent(stage)));
        self.course.answered(Ok(&answer), &mut self.request)
    }

    fn passes(&mut self, stage: Stage, change: impl FnOnce(Value) -> Value) {
        let verdict = self.turn(stage, change);
        assert!(verdict.reply.is_none(), "{verdict:?}");
        assert_eq!(verdict.outcome, Outcome::Passed);
    }

    fn replies(&mut self, stage: Stage, change: impl FnOnce(Value) -> Value) -> HookReply {
        let verdict = self.turn(stage, change);
        assert_eq!(verdict.outcome, Outcome::Answered);
        verdict.reply.expect("an answer")
    }

    fn fails(&mut self, failure: CallFailure) -> Verdict {
        self.course.answered(Err(failure), &mut self.request)
    }

    fn sent_response(&mut self) -> Value {
        let call = self
            .course
            .next_of_response(&self.request, &self.response, &mut self.memory);
        read(call.expect("a call").message)
    }

    fn response_turn(&mut self, change: impl FnOnce(Value) -> Value) -> Verdict {
        let answer = wire(&change(self.sent_response()));
        self.course
            .answered_of_response(Ok(&answer), &self.request, &mut self.response)
    }

    /// The request's target.
    fn path(&self) -> String {
        value(self.request.headers(), ":path").unwrap()
    }

    fn header(&self, name: &str) -> Option<String> {
        value(self.request.headers(), name)
    }
}

/// Status, body and the answer's content type.
fn told(reply: &HookReply) -> (u16, String, Option<String>) {
    let body = String::from_utf8(reply.body.clone()).unwrap();
    (reply.status, body, value(&reply.headers, "content-type"))
}

fn template(message: &str) -> String {
    format!("{{\n    \"error\": \"{message}\"\n}}")
}

/// A session with a token.
fn session(more: &Value) -> Value {
    let mut session = json!({ "metadata": { "token": "t" } });
    session
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    session
}
