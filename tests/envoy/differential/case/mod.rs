//! Random requests of a schema, each with what it means by SEMANTICS.md, and with the answer that it gets upstream.

mod body;
mod headers;
mod notes;
mod path;
mod query;
mod text;

use bytes::Bytes;
use prost_reflect::{DynamicMessage, FieldDescriptor, Value};

pub use self::notes::{BodyOddity, HeaderOddity, Note, PathOddity, QueryOddity};
use crate::bench::client::{Http, Request};
use crate::differential::answer::{self, Planned};
use crate::differential::message::{Messages, is_initialized};
use crate::differential::random_schema::Random;
use crate::differential::schema::{Body, Capture, Resolution, Schema, Segment};

/// One request, what it is about, and what has to become of it.
pub struct Case {
    /// The request, but for what names its script.
    pub request: Request,
    /// The version of HTTP.
    pub version: Http,
    /// The route that it is meant for.
    pub route: usize,
    /// What is unusual in it.
    pub notes: Vec<Note>,
    /// What has to become of it.
    pub expected: Expected,
    /// What the upstream answers.
    pub answer: Planned,
    /// The body as it is sent.
    pub body: Bytes,
}

/// What has to become of a request.
pub enum Expected {
    /// It is answered with this HTTP status, and a field violation for this field, if any.
    Refused(u16),
    /// The upstream receives this.
    Call {
        /// `/package.Service/Method`.
        path: String,
        /// The messages.
        messages: Vec<DynamicMessage>,
    },
}

impl Case {
    /// Whether the request has any note that `is` says yes to.
    pub fn has(&self, is: impl Fn(&Note) -> bool) -> bool {
        self.notes.iter().any(is)
    }

    /// What the upstream has to receive; nothing of a request to be refused.
    pub fn messages(&self) -> &[DynamicMessage] {
        match &self.expected {
            Expected::Refused(_) => &[],
            Expected::Call { messages, .. } => messages,
        }
    }

    /// The case of this seed.
    pub fn random(schema: &Schema, seed: u64) -> Self {
        let mut random = Random(seed);
        let plain = random.one_in(4);
        Builder {
            schema,
            random: &mut random,
            plain,
            notes: Vec::new(),
            refused: None,
        }
        .case()
    }
}

struct Builder<'b> {
    schema: &'b Schema,
    random: &'b mut Random,
    /// Whether to make nothing unusual.
    plain: bool,
    notes: Vec<Note>,
    /// The status of the answer to what is wrong.
    refused: Option<u16>,
}

/// A field with those on the way to it, and its value.
type Bound = (Vec<FieldDescriptor>, Value);

/// A request path, and the values that it binds.
struct Path {
    text: String,
    bound: Vec<Bound>,
}

impl Builder<'_> {
    fn messages(&mut self) -> Messages<'_> {
        Messages {
            random: self.random,
            pool: &self.schema.pool,
        }
    }

    /// Whether to make something unusual, once in so many times.
    fn odd(&mut self, one_in: usize) -> bool {
        !self.plain && self.random.one_in(one_in)
    }

    fn wrong(&mut self, status: u16) {
        self.refused = self.refused.or(Some(status));
    }

    fn case(mut self) -> Case {
        let schema = self.schema;
        if self.odd(14) {
            return self.shared();
        }
        let at = self.random.below(schema.routes.len());
        let route = &schema.routes[at];
        if route.segments[0] == Segment::Literal("shared".to_owned()) {
            return self.shared();
        }
        // Auto mapping beside an annotation is one class; it needs few requests.
        if route.auto_mapped && !self.random.one_in(12) && route.method.name() != "Do0" {
            return self.case();
        }
        let mut kind = match route.kind.as_str() {
            "*" => self.random.pick(&["GET", "POST", "PUT", "PATCH", "DELETE", "REPORT"]),
            kind => kind,
        };
        let path = self.path(route);
        let mut target = path.text;
        if self.odd(40) && self.refused.is_none() {
            let (oddity, status) = match self.random.below(3) {
                0 => {
                    target.push('/');
                    (PathOddity::TrailingSlash, 404)
                }
                1 => {
                    target.insert_str(0, "/no-such");
                    (PathOddity::Unknown, 404)
                }
                _ => {
                    kind = if kind == "PUT" { "DELETE" } else { "PUT" };
                    (PathOddity::WrongMethod, 405)
                }
            };
            self.notes.push(Note::Path(oddity));
            // A `**` takes the empty segment as well, and `*` any method: these requests may be good.
            match schema.resolve(kind, &target) {
                Resolution::Route(..) => {
                    return Self {
                        notes: Vec::new(),
                        refused: None,
                        ..self
                    }
                    .case();
                }
                _ => self.wrong(status),
            }
        }
        self.finish(at, kind, target, path.bound)
    }

    /// A request for one of the templates that overlap.
    fn shared(mut self) -> Case {
        let schema = self.schema;
        let kind = self.random.pick(&["GET", "GET", "PUT", "POST"]);
        let mut target = "/shared".to_owned();
        for _ in 0..1 + self.random.below(3) {
            target.push('/');
            target.push_str(self.random.pick(&["a", "b", "a", "b", "a", "b", "c", "x%20y", ""]));
        }
        self.notes.push(Note::Path(PathOddity::Shared));
        match schema.resolve(kind, &target) {
            Resolution::Route(at, ranges) => {
                let route = &schema.routes[at];
                let segments: Vec<_> = target[1..].split('/').collect();
                let capture = |capture: &Capture| {
                    let ranges = &ranges[capture.segments.clone()];
                    let (start, end) = (ranges[0].start, ranges[ranges.len() - 1].end);
                    let text = segments[start..end].join("/").replace("%20", " ");
                    (capture.fields.clone(), Value::String(text))
                };
                let bound = route.captures.iter().map(capture).collect();
                self.finish(at, kind, target, bound)
            }
            unmatched => {
                self.wrong(if matches!(unmatched, Resolution::NotFound) {
                    404
                } else {
                    405
                });
                let any = schema
                    .routes
                    .iter()
                    .position(|route| route.method.input().name() == "Call")
                    .unwrap_or(0);
                self.finish(any, kind, target, Vec::new())
            }
        }
    }

    fn finish(mut self, at: usize, kind: &str, mut target: String, bound: Vec<Bound>) -> Case {
        let schema = self.schema;
        let route = &schema.routes[at];
        let input = route.method.input();
        let count = match route.method.is_client_streaming() {
            true => self.random.below(4),
            false => 1,
        };
        let mut messages = Vec::new();
        for _ in 0..count {
            let mut message = self.messages().message(&input, 0);
            for (fields, value) in &bound {
                set(&mut message, fields, value.clone());
            }
            messages.push(message);
        }
        let mut body = None;
        match &route.body {
            Body::Whole if route.method.is_client_streaming() => body = Some(self.stream_body(&messages, &bound)),
            Body::Whole => {
                body = Some(self.whole_body(&mut messages[0], &bound));
                self.query_beside_whole_body(&mut target, &input);
            }
            Body::Field(field) => {
                if !messages[0].has_field(field) {
                    let value = self.messages().field(field, 1);
                    messages[0].set_field(field, value);
                }
                let (text, value) = self.field_body(&messages[0], field, &bound);
                body = Some(text);
                messages[0] = self.query(&mut target, &messages[0], Some(field), &bound);
                match value {
                    Some(value) => messages[0].set_field(field, value),
                    None => messages[0].clear_field(field),
                }
                self.mask(
                    &route.kind,
                    &mut messages[0],
                    field,
                    body.as_deref().unwrap_or_default(),
                    &bound,
                );
            }
            Body::None => {
                messages[0] = self.query(&mut target, &messages[0], None, &bound);
                if !matches!(kind, "GET" | "DELETE") && self.odd(3) {
                    self.notes.push(Note::Body(BodyOddity::Ignored));
                    let sound = input.package_name() == "r" && self.random.one_in(3);
                    body = Some(if sound { "{}" } else { "{\"name\":1," }.into());
                }
            }
        }
        if !messages.iter().all(is_initialized) {
            self.notes.push(Note::Uninitialized);
            self.wrong(400);
        }
        let version = if self.random.one_in(2) { Http::One } else { Http::Two };
        let mut request = Request::new(kind, &target);
        request = self.headers(request, route, &messages, body.is_some());
        let body = Bytes::from(body.unwrap_or_default());
        if route.body != Body::None || !body.is_empty() {
            request = request.body(body.clone());
        }
        let mut answer = answer::plan(self.random, schema, &route.method);
        // Envoy takes empty segments for others than ours does, and calls another method, whose answer is of another
        // type. An answer of the wrong type can bring it down.
        if request.path().contains("//") || request.path().ends_with('/') {
            answer.refuse();
        }
        let expected = match self.refused {
            Some(status) => Expected::Refused(status),
            None => Expected::Call {
                path: route.grpc_path(),
                messages,
            },
        };
        Case {
            request,
            version,
            route: at,
            notes: self.notes,
            expected,
            answer,
            body,
        }
    }
}

/// Sets a field below a message.
pub fn set(message: &mut DynamicMessage, fields: &[FieldDescriptor], value: Value) {
    match fields {
        [] => {}
        [field] => message.set_field(field, value),
        [field, below @ ..] => set(message.get_field_mut(field).as_message_mut().unwrap(), below, value),
    }
}

/// Clears a field below a message.
fn clear(message: &mut DynamicMessage, fields: &[FieldDescriptor]) {
    match fields {
        [] => {}
        [field] => message.clear_field(field),
        [field, below @ ..] if message.has_field(field) => {
            clear(message.get_field_mut(field).as_message_mut().unwrap(), below);
        }
        _ => {}
    }
}
