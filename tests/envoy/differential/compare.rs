//! What becomes of one request in each of the two, and in what it differs.

use std::collections::BTreeSet;

use http::HeaderMap;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use crate::bench::client::{Answer, send};
use crate::bench::upstream::{Received, SCRIPT_KEY};
use crate::bench::{Gateway, script};
use crate::differential::case::Case;
use crate::differential::json::Json;
use crate::differential::message::{same, same_value, words};
use crate::differential::schema::{Schema, is_http_body};
use crate::differential::writer::has_special_form;

/// What became of a request.
pub struct Outcome {
    /// What reached the upstream.
    pub received: Option<Received>,
    /// What the client got; else why there is nothing whole.
    pub answer: Result<Answer, String>,
}

impl Outcome {
    /// Sends the request of `case` through `gateway`.
    pub async fn of(case: &Case, gateway: Gateway) -> Self {
        let mut call = script(case.answer.script());
        let request = case.request.clone().script(&call);
        let answer = send(gateway.address, case.version, &request).await;
        let received = match call.has_received() {
            true => Some(call.received().await),
            false => None,
        };
        Self { received, answer }
    }

    /// The status of the answer; 0 when there is none.
    pub fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.status)
    }

    /// In words.
    pub fn words(&self) -> String {
        let received = self
            .received
            .as_ref()
            .map(|received| (&received.path, &received.headers, &received.messages));
        format!("{received:?} -> {:?}", self.answer)
    }

    /// The body of the answer, as JSON.
    pub fn json(&self) -> Option<Json> {
        Json::read(&self.answer.as_ref().ok()?.body)
    }

    /// The messages that the upstream received.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn messages(&self, schema: &Schema) -> Result<Vec<DynamicMessage>, String> {
        let Some(received) = &self.received else {
            return Ok(Vec::new());
        };
        let method = schema.method(&received.path);
        let decode = |message: &bytes::Bytes| {
            let decoded = DynamicMessage::decode(method.input(), message.clone());
            decoded.map_err(|error| format!("{error}: {message:?}"))
        };
        received.messages.iter().map(decode).collect()
    }
}

/// One thing in which the two differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What differs.
    pub aspect: Aspect,
    /// Ours.
    pub ours: String,
    /// The native one's.
    pub native: String,
}

/// What two outcomes can differ in.
#[derive(Clone, Debug)]
pub enum Aspect {
    /// Whether the upstream was called, and with which status the request was refused otherwise.
    Refusal,
    /// The gRPC path.
    Path,
    /// The number of messages that the upstream received.
    Messages,
    /// A field of a message that the upstream received.
    Field(FieldDescriptor),
    /// A header that the upstream received.
    Metadata(String),
    /// Whether there is a whole answer.
    Whole,
    /// The HTTP status.
    Status,
    /// A header of the answer.
    Header(String),
    /// A trailer of the answer.
    Trailer(String),
    /// Envoy's answers in the service's place.
    LocalReply,
    /// The body, where it is no JSON or an error.
    Body,
    /// The name of a member in the JSON of a message.
    Name(FieldDescriptor),
    /// A value in the JSON, with the kind of its field, if it has one.
    Value(Option<Kind>),
    /// How often a member with one value is there.
    Repetition,
    /// A last element of the JSON that ours alone has.
    Elements,
}

impl Difference {
    /// In words.
    pub fn words(&self) -> String {
        let aspect = match &self.aspect {
            Aspect::Field(field) => format!("field {}", field.full_name()),
            Aspect::Name(field) => format!("name of {}", field.full_name()),
            Aspect::Value(Some(kind)) => format!("value of {kind:?}"),
            other => format!("{other:?}"),
        };
        format!("{aspect}: ours {}, Envoy's {}", self.ours, self.native)
    }
}

/// All differences.
pub fn differences(schema: &Schema, case: &Case, ours: &Outcome, native: &Outcome) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    let reached = |outcome: &Outcome| outcome.received.is_some();
    if reached(ours) != reached(native) || !reached(ours) && ours.status() != native.status() {
        let word = |outcome: &Outcome| {
            let body = outcome
                .answer
                .as_ref()
                .map(|answer| answer.body.escape_ascii().to_string());
            match reached(outcome) {
                true => "called".to_owned(),
                false => format!("refused {} {}", outcome.status(), body.unwrap_or_default()),
            }
        };
        found.add(Aspect::Refusal, word(ours), word(native));
    }
    if reached(ours) != reached(native) {
        return found.0;
    }
    let called = reached(ours);
    if let (Some(ours), Some(native)) = (&ours.received, &native.received) {
        found.compare(Aspect::Path, &ours.path, &native.path);
        let headers = |received: &Received| ignoring(&received.headers, &IGNORED_METADATA);
        found.headers(&headers(ours), &headers(native), Aspect::Metadata);
        // What another method receives and answers is another thing.
        if ours.path != native.path {
            return found.0;
        }
    }
    if called {
        match (ours.messages(schema), native.messages(schema)) {
            (Ok(ours), Ok(native)) => {
                found.compare(Aspect::Messages, &ours.len(), &native.len());
                for (ours, native) in ours.iter().zip(&native) {
                    found.messages(ours, native);
                }
            }
            (ours, native) => {
                let word =
                    |messages: Result<Vec<_>, String>| messages.err().unwrap_or_else(|| "well-formed".to_owned());
                found.add(Aspect::Messages, word(ours), word(native));
            }
        }
    }
    let (ours, native) = match (&ours.answer, &native.answer) {
        (Ok(ours), Ok(native)) => (ours, native),
        (ours, native) => {
            let word = |answer: &Result<Answer, String>| match answer {
                Ok(answer) => format!("{answer:?}"),
                Err(error) => error.clone(),
            };
            if ours.is_ok() != native.is_ok() {
                found.add(Aspect::Whole, word(ours), word(native));
            }
            return found.0;
        }
    };
    // What Envoy says in the service's place; the rest is then its own as well.
    if called && !native.headers.contains_key("x-envoy-upstream-service-time") {
        let word = |answer: &Answer| format!("{} {}", answer.status, answer.body.escape_ascii());
        found.add(Aspect::LocalReply, word(ours), word(native));
        return found.0;
    }
    if called {
        found.compare(Aspect::Status, &ours.status, &native.status);
    }
    let headers = |answer: &Answer| ignoring(&answer.headers, &IGNORED_HEADERS);
    found.headers(&headers(ours), &headers(native), Aspect::Header);
    found.headers(&ours.trailers, &native.trailers, Aspect::Trailer);
    if ours.body != native.body {
        found.bodies(schema, case, ours, native);
    }
    found.0
}

/// Names the script; says what the path and the method were, which Envoy's transcoder adds to what it has; says what the
/// router waits for, and whence it has the request, which is its own doing for a request that goes by a call.
const IGNORED_METADATA: [&str; 5] = [
    SCRIPT_KEY,
    "x-envoy-original-method",
    "x-envoy-original-path",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-internal",
];

/// The time; what HTTP/1.1 says of the body, which is compared itself, and of the connection.
const IGNORED_HEADERS: [&str; 5] = [
    "date",
    "x-envoy-upstream-service-time",
    "content-length",
    "transfer-encoding",
    "connection",
];

fn ignoring(headers: &HeaderMap, ignored: &[&str]) -> HeaderMap {
    let mut headers = headers.clone();
    for name in ignored {
        headers.remove(*name);
    }
    headers
}

/// What a JSON value is of.
#[derive(Clone)]
enum Shape {
    /// No field of the schema.
    Unknown,
    /// A field, whatever its cardinality.
    Field(FieldDescriptor),
    /// An array of such fields.
    Fields(FieldDescriptor),
    /// An array.
    Elements(Kind),
    /// An object with free keys.
    Members(Kind),
    /// One value.
    One(Kind),
}

/// What `response_body` prints, of the whole message that Envoy's prints.
fn part(message: &Json, field: &FieldDescriptor) -> Json {
    match message.get(field.json_name()).or_else(|| message.get(field.name())) {
        Some(value) => value.clone(),
        None if field.is_list() => Json::Array(Vec::new()),
        None if field.is_map() => Json::Object(Vec::new()),
        None => default(&field.kind()),
    }
}

/// What a field that isn't set prints.
fn default(kind: &Kind) -> Json {
    match kind {
        Kind::Bool => Json::Bool(false),
        Kind::String | Kind::Bytes => Json::String(String::new()),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => Json::String("0".to_owned()),
        Kind::Enum(of) if of.full_name() == "google.protobuf.NullValue" => Json::Null,
        Kind::Enum(of) => Json::String(of.default_value().name().to_owned()),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.FieldMask" => Json::Null,
            name if name.starts_with("google.protobuf.") && name.ends_with("Value") => Json::Null,
            _ => Json::Object(Vec::new()),
        },
        _ => Json::Number("0".to_owned()),
    }
}

/// Several values of one member.
fn words_of(path: &str, values: &[(String, Json)]) -> String {
    let values: Vec<_> = values
        .iter()
        .map(|(name, value)| format!("{name:?}:{}", value.words()))
        .collect();
    if values.is_empty() {
        format!("no {path}")
    } else {
        values.join(",")
    }
}

struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, aspect: Aspect, ours: String, native: String) {
        self.0.push(Difference { aspect, ours, native });
    }

    fn compare<T: PartialEq + ToString>(&mut self, aspect: Aspect, ours: &T, native: &T) {
        if ours != native {
            self.add(aspect, ours.to_string(), native.to_string());
        }
    }

    fn headers(&mut self, ours: &HeaderMap, native: &HeaderMap, aspect: fn(String) -> Aspect) {
        let names: BTreeSet<_> = ours.keys().chain(native.keys()).map(ToString::to_string).collect();
        for name in names {
            // Whether several values come in one line or in several is the same.
            let values = |headers: &HeaderMap| {
                let values = headers
                    .get_all(&name)
                    .iter()
                    .map(|value| value.as_bytes().escape_ascii().to_string());
                let values = values.collect::<Vec<_>>().join(",");
                // base64 is the same with and without padding (gRPC, PROTOCOL-HTTP2.md, "Custom-Metadata").
                if name.ends_with("-bin") {
                    values.trim_end_matches('=').to_owned()
                } else {
                    values
                }
            };
            self.compare(aspect(name.clone()), &values(ours), &values(native));
        }
    }

    fn messages(&mut self, ours: &DynamicMessage, native: &DynamicMessage) {
        if same(ours, native) {
            return;
        }
        for field in ours.descriptor().fields() {
            let (has, has_native) = (ours.has_field(&field), native.has_field(&field));
            let (our_value, native_value) = (ours.get_field(&field), native.get_field(&field));
            if has == has_native && same_value(&our_value, &native_value) {
                continue;
            }
            if let (Value::Message(ours), Value::Message(native), true, true) =
                (&*our_value, &*native_value, has, has_native)
                && field.parent_message().package_name() != "google.protobuf"
                && ours.descriptor().package_name() != "google.protobuf"
            {
                self.messages(ours, native);
            } else {
                let word = |has: bool, value: &Value| if has { words(value) } else { "unset".to_owned() };
                self.add(
                    Aspect::Field(field),
                    word(has, &our_value),
                    word(has_native, &native_value),
                );
            }
        }
    }

    fn bodies(&mut self, schema: &Schema, case: &Case, ours: &Answer, native: &Answer) {
        let (our_json, native_json) = match (Json::read(&ours.body), Json::read(&native.body)) {
            // An error has no field of the schema, and neither have raw bytes.
            (Some(ours), Some(native)) if case.answer.fails_whole() || schema.routes[case.route].gives_raw() => {
                (Err(ours), native)
            }
            (Some(ours), Some(native)) => (Ok(ours), native),
            _ => {
                let word = |answer: &Answer| answer.body.escape_ascii().to_string();
                return self.add(Aspect::Body, word(ours), word(native));
            }
        };
        let ours = match our_json {
            Ok(json) => json,
            Err(error) if error == native_json => return,
            Err(error) => return self.add(Aspect::Body, error.words(), native_json.words()),
        };
        let route = &schema.routes[case.route];
        let output = Kind::Message(route.method.output());
        let stream = route.method.is_server_streaming();
        let Some(field) = route
            .response_body
            .as_ref()
            .filter(|field| !is_http_body(&field.kind()))
        else {
            let shape = if stream {
                Shape::Elements(output)
            } else {
                Shape::One(output)
            };
            return self.json("", &shape, &ours, &native_json);
        };
        let (shape, native) = match (stream, native_json) {
            (true, Json::Array(elements)) => {
                let parts = elements.iter().map(|element| part(element, field)).collect();
                (Shape::Fields(field.clone()), Json::Array(parts))
            }
            (_, native) => (Shape::Field(field.clone()), part(&native, field)),
        };
        self.json("", &shape, &ours, &native);
    }

    fn json(&mut self, path: &str, shape: &Shape, ours: &Json, native: &Json) {
        match (ours, native) {
            (Json::Object(our_members), Json::Object(native_members)) => {
                let shape = &shape.entered(our_members);
                let name = |name: &str| {
                    shape
                        .field(name)
                        .map_or(name.to_owned(), |field| field.json_name().to_owned())
                };
                let all = our_members.iter().chain(native_members);
                let names: BTreeSet<_> = all.map(|(key, _)| name(key)).collect();
                for key in names {
                    let of = |members: &[(String, Json)]| {
                        let named = members.iter().filter(|(found, _)| name(found) == key);
                        named.cloned().collect::<Vec<_>>()
                    };
                    let (ours, native) = (of(our_members), of(native_members));
                    if let (Some(field), Some((our_name, _)), Some((native_name, _))) =
                        (shape.field(&key), ours.first(), native.first())
                    {
                        self.compare(Aspect::Name(field), our_name, native_name);
                    }
                    let path = format!("{path}.{key}");
                    let shape = shape.member(&key);
                    match (&ours[..], &native[..]) {
                        ([(_, ours)], [(_, native), more @ ..]) if more.iter().all(|(_, other)| other == native) => {
                            if !more.is_empty() {
                                self.add(Aspect::Repetition, "1".to_owned(), (1 + more.len()).to_string());
                            }
                            self.json(&path, &shape, ours, native);
                        }
                        _ => self.add(
                            Aspect::Value(shape.kind()),
                            words_of(&path, &ours),
                            words_of(&path, &native),
                        ),
                    }
                }
            }
            (Json::Array(ours), Json::Array(native)) if ours.len() == native.len() || path.is_empty() => {
                if let [last] = ours.get(native.len()..).unwrap_or_default() {
                    self.add(Aspect::Elements, last.words(), String::new());
                } else {
                    self.compare(Aspect::Elements, &ours.len(), &native.len());
                }
                for (at, (ours, native)) in ours.iter().zip(native).enumerate() {
                    self.json(&format!("{path}[{at}]"), &shape.element(), ours, native);
                }
            }
            _ if ours == native => {}
            _ => self.add(Aspect::Value(shape.kind()), ours.words(), native.words()),
        }
    }
}

impl Shape {
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Unknown => None,
            Self::Field(field) | Self::Fields(field) => Some(field.kind()),
            Self::Elements(kind) | Self::Members(kind) | Self::One(kind) => Some(kind.clone()),
        }
    }

    /// The field of this name in the JSON of a message; Envoy has some by the name in the `.proto`.
    fn field(&self, name: &str) -> Option<FieldDescriptor> {
        let kind = match self {
            Self::Field(field) if !field.is_map() => field.kind(),
            Self::One(kind) => kind.clone(),
            _ => return None,
        };
        let message = kind
            .as_message()
            .filter(|message| !has_special_form(message.full_name()))?;
        message
            .get_field_by_json_name(name)
            .or_else(|| message.get_field_by_name(name))
    }

    /// What an object with these members is of: in an `Any` another message.
    fn entered(&self, members: &[(String, Json)]) -> Self {
        let any = match self {
            Self::Field(field) if !field.is_map() => field.kind(),
            Self::One(kind) => kind.clone(),
            _ => return self.clone(),
        };
        let Some(any) = any
            .as_message()
            .filter(|message| message.full_name() == "google.protobuf.Any")
        else {
            return self.clone();
        };
        let url = members
            .iter()
            .find(|(key, _)| key == "@type")
            .and_then(|(_, url)| url.as_str());
        match url.and_then(|url| any.parent_pool().get_message_by_name(url.rsplit('/').next()?)) {
            Some(held) if has_special_form(held.full_name()) => Self::Members(Kind::Message(held)),
            Some(held) => Self::One(Kind::Message(held)),
            None => Self::Unknown,
        }
    }

    /// What a member is of.
    fn member(&self, name: &str) -> Self {
        if let Some(field) = self.field(name) {
            return Self::Field(field);
        }
        match self {
            Self::Members(kind) => Self::One(kind.clone()),
            Self::Field(field) if field.is_map() => {
                let Kind::Message(entry) = field.kind() else {
                    return Self::Unknown;
                };
                Self::One(entry.map_entry_value_field().kind())
            }
            Self::Field(field) => Self::One(field.kind()).member(name),
            Self::One(Kind::Message(message)) => match message.full_name() {
                "google.protobuf.Struct" | "google.protobuf.Value" => self.clone(),
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    fn element(&self) -> Self {
        match self {
            Self::Fields(field) => Self::Field(field.clone()),
            Self::Field(field) => Self::One(field.kind()),
            Self::Elements(kind) => Self::One(kind.clone()),
            _ => self.clone(),
        }
    }
}
