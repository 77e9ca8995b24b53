//! Random schemas with HTTP rules, and what the rules mean, found by trying each of them.
//!
//! The messages are those of the codec's tests; beside them is one that suits paths and queries.

use std::ops::Range;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::differential::random_schema::{Random, random_proto};
use crate::differential::rules::{CALL, Rules, VERBS};

/// The one service.
pub const SERVICE: &str = "r.Service";

/// One schema, as both transcoders are given it.
pub struct Schema {
    /// The `.proto`.
    pub text: String,
    /// The same for Envoy, compiled by protox alone, without each `response_body` that it doesn't support.
    pub native_set: Vec<u8>,
    /// The same again, with them.
    pub pool: DescriptorPool,
    /// All rules.
    pub routes: Vec<Route>,
}

/// One HTTP rule of a method.
pub struct Route {
    /// The method.
    pub method: MethodDescriptor,
    /// The HTTP method; `*` for any.
    pub kind: String,
    /// The path template without its variables.
    pub segments: Vec<Segment>,
    /// What follows the last segment's colon.
    pub verb: Option<&'static str>,
    /// The variables of the template.
    pub captures: Vec<Capture>,
    /// What the request body fills.
    pub body: Body,
    /// The only field of the response that is printed.
    pub response_body: Option<FieldDescriptor>,
    /// Whether no annotation says so.
    pub auto_mapped: bool,
}

/// One segment of a path template.
#[derive(Clone, PartialEq, Eq)]
pub enum Segment {
    /// Itself.
    Literal(String),
    /// `*`.
    One,
    /// `**`.
    Many,
}

/// A variable of a path template.
pub struct Capture {
    /// The field that it binds, and those on the way to it.
    pub fields: Vec<FieldDescriptor>,
    /// Which segments of the template it has.
    pub segments: Range<usize>,
}

/// What the request body fills.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    None,
    /// The whole request.
    Whole,
    /// This field.
    Field(FieldDescriptor),
}

/// What becomes of a path.
pub enum Resolution {
    /// The route with this number, and what the path's segments are to each segment of its template.
    Route(usize, Vec<Range<usize>>),
    /// The path is one of a route, the HTTP method is none of its.
    WrongMethod,
    /// No route has the path.
    NotFound,
}

impl Schema {
    /// The schema of this seed.
    pub fn random(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x5eed);
        let mut text = random_proto(seed);
        let proto2 = text.starts_with("syntax = \"proto2\"");
        text.push_str("import \"google/api/annotations.proto\"; import \"google/api/httpbody.proto\"; ");
        text.push_str(&CALL.replace('?', if proto2 { "optional " } else { "" }));
        let service = Rules::new(compile(&text).1, &mut random).service();
        text.push_str(&service);
        let (_, pool) = compile(&text);
        // Envoy refuses others than those of `HttpBody`.
        let mut native = text.clone();
        for route in routes(&pool) {
            if let Some(field) = route.response_body.filter(|field| !is_http_body(&field.kind())) {
                native = native.replace(&format!(" response_body: \"{}\"", field.name()), "");
            }
        }
        let (native_set, _) = compile(&native);
        let routes = routes(&pool);
        Self {
            text,
            native_set,
            pool,
            routes,
        }
    }

    /// Whether the method has rules of its own.
    pub fn is_annotated(&self, method: &MethodDescriptor) -> bool {
        self.routes
            .iter()
            .any(|route| route.method == *method && !route.auto_mapped)
    }

    /// Whether this is the type of a group.
    pub fn has_group_of(&self, name: &str) -> bool {
        self.groups()
            .any(|group| matches!(group.kind(), Kind::Message(of) if of.full_name() == name))
    }

    /// Whether this is the name of a group.
    pub fn has_group(&self, name: &str) -> bool {
        self.groups()
            .any(|group| [group.name(), group.json_name()].contains(&name))
    }

    fn groups(&self) -> impl Iterator<Item = FieldDescriptor> + '_ {
        let fields = self
            .pool
            .all_messages()
            .flat_map(|message| message.fields().collect::<Vec<_>>());
        fields.filter(FieldDescriptor::is_group)
    }

    /// The method of a gRPC path.
    pub fn method(&self, path: &str) -> MethodDescriptor {
        let routes = self.routes.iter();
        let method = routes
            .map(|route| &route.method)
            .zip(self.routes.iter().map(Route::grpc_path))
            .find(|(_, at)| at == path);
        method
            .unwrap_or_else(|| panic!("the schema has no method {path}"))
            .0
            .clone()
    }

    /// Which route takes a request: of those whose template has the path the most specific one with the HTTP method.
    pub fn resolve(&self, kind: &str, path: &str) -> Resolution {
        let Some(path) = path.strip_prefix('/') else {
            return Resolution::NotFound;
        };
        let with_verb = path
            .rsplit_once(':')
            .filter(|(_, verb)| !verb.contains('/'))
            .map(|(path, verb)| self.candidates(path, Some(verb)))
            .filter(|candidates| !candidates.is_empty());
        let candidates = with_verb.unwrap_or_else(|| self.candidates(path, None));
        if candidates.is_empty() {
            return Resolution::NotFound;
        }
        let best = |kind: &str| {
            candidates
                .iter()
                .filter(|(route, _)| self.routes[*route].kind == kind)
                .max_by_key(|(route, _)| self.routes[*route].specificity())
        };
        // Of one template the rule that names the HTTP method goes before `*`.
        let specificity = |found: Option<&(usize, _)>| found.map(|(route, _)| self.routes[*route].specificity());
        let (named, any) = (best(kind), best("*"));
        let found = if specificity(named) >= specificity(any) {
            named
        } else {
            any
        };
        match found {
            Some((route, ranges)) => Resolution::Route(*route, ranges.clone()),
            None => Resolution::WrongMethod,
        }
    }

    fn candidates(&self, path: &str, verb: Option<&str>) -> Vec<(usize, Vec<Range<usize>>)> {
        let path: Vec<&str> = path.split('/').collect();
        let routes = self.routes.iter().enumerate();
        routes
            .filter(|(_, route)| route.verb == verb)
            .filter_map(|(at, route)| Some((at, route.matched(&path)?)))
            .collect()
    }
}

impl Route {
    /// `/package.Service/Method`.
    pub fn grpc_path(&self) -> String {
        format!("/{}/{}", self.method.parent_service().full_name(), self.method.name())
    }

    /// In words.
    pub fn words(&self) -> String {
        let body = match &self.body {
            Body::None => "none",
            Body::Whole => "*",
            Body::Field(field) => field.name(),
        };
        let stream = |is| if is { "stream " } else { "" };
        format!(
            "{} {} body {body}, response_body {}, {}({}{}) -> {}{}",
            self.kind,
            self.verb.unwrap_or("without a verb"),
            self.response_body.as_ref().map_or("none", |field| field.name()),
            self.method.name(),
            stream(self.method.is_client_streaming()),
            self.method.input().full_name(),
            stream(self.method.is_server_streaming()),
            self.method.output().full_name(),
        )
    }

    /// Whether the answer is raw bytes.
    pub fn gives_raw(&self) -> bool {
        match &self.response_body {
            Some(field) => is_http_body(&field.kind()),
            None => is_http_body(&Kind::Message(self.method.output())),
        }
    }

    /// The segments of `path` that belong to each segment of the template, if it is a path of this route.
    fn matched(&self, path: &[&str]) -> Option<Vec<Range<usize>>> {
        let many = self.segments.iter().position(|segment| *segment == Segment::Many);
        let spare = match many {
            Some(_) => (path.len() + 1).checked_sub(self.segments.len())?,
            None if path.len() == self.segments.len() => 1,
            None => return None,
        };
        let mut at = 0;
        let mut ranges = Vec::new();
        for segment in &self.segments {
            let length = if *segment == Segment::Many { spare } else { 1 };
            let matches = match segment {
                Segment::Literal(literal) => unescaped(path[at]) == *literal,
                Segment::One => !path[at].is_empty(),
                Segment::Many => true,
            };
            if !matches {
                return None;
            }
            ranges.push(at..at + length);
            at += length;
        }
        Some(ranges)
    }

    /// Greater for what is more specific: segment by segment a literal, `*`, `**`; the end before all of them.
    fn specificity(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 2,
            Segment::One => 1,
            Segment::Many => 0,
        };
        self.segments.iter().map(rank).chain([3]).collect()
    }
}

/// A segment whose first character is escaped, or none.
fn unescaped(segment: &str) -> String {
    let escaped = segment.strip_prefix('%').and_then(|rest| rest.split_at_checked(2));
    match escaped.and_then(|(hex, rest)| Some((u8::from_str_radix(hex, 16).ok()?, rest))) {
        Some((byte, rest)) => format!("{}{rest}", char::from(byte)),
        None => segment.to_owned(),
    }
}

/// Whether values of this kind are raw bytes.
pub fn is_http_body(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(message) if message.full_name() == "google.api.HttpBody")
}

/// Whether a value of the field is one text.
pub fn is_leaf(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => {
            let name = message.full_name();
            matches!(
                name,
                "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.FieldMask"
            ) || name.starts_with("google.protobuf.") && name.ends_with("Value") && {
                !["google.protobuf.Value", "google.protobuf.ListValue"].contains(&name)
            }
        }
        _ => true,
    }
}

/// The message of a singular field that paths and queries may go into.
pub fn entered(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_list() && !field.is_map() => {
            (message.package_name() != "google.protobuf").then_some(message)
        }
        _ => None,
    }
}

/// Compiled by protox alone: the module's own handling of schemas is what the test is about.
pub fn compile(text: &str) -> (Vec<u8>, DescriptorPool) {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema/bundled");
    let mut resolver = protox::file::ChainFileResolver::new();
    resolver.add(Given(text.to_owned()));
    resolver.add(protox::file::IncludeFileResolver::new(directory));
    resolver.add(protox::file::GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler
        .open_files([
            "service.proto",
            "google/rpc/error_details.proto",
            "google/rpc/status.proto",
        ])
        .unwrap_or_else(|error| panic!("{error:?}: {text}"));
    let set = compiler.encode_file_descriptor_set();
    let pool = DescriptorPool::decode(&set[..]).unwrap();
    (set, pool)
}

/// The one file that is not on disk.
struct Given(String);

impl protox::file::FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        match name {
            "service.proto" => protox::file::File::from_source(name, &self.0),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// What the annotations of the service say, with auto mapping.
fn routes(pool: &DescriptorPool) -> Vec<Route> {
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let service = pool.get_service_by_name(SERVICE).unwrap();
    let mut routes = Vec::new();
    for method in service.methods() {
        let options = method.options();
        if options.has_extension(&http) {
            let rule = options.get_extension(&http).into_owned();
            let rule = rule.as_message().unwrap();
            let more = rule.get_field_by_name("additional_bindings").unwrap();
            let more = more.as_list().unwrap().iter().map(|rule| rule.as_message().unwrap());
            routes.extend(
                [rule]
                    .into_iter()
                    .chain(more)
                    .map(|rule| Route::annotated(&method, rule)),
            );
        }
        let path = format!("/{SERVICE}/{}", method.name());
        routes.push(Route {
            auto_mapped: true,
            ..Route::new(&method, "POST", &path, "*", "")
        });
    }
    routes
}

impl Route {
    fn annotated(method: &MethodDescriptor, rule: &DynamicMessage) -> Self {
        let text = |of: &DynamicMessage, name: &str| of.get_field_by_name(name).unwrap().as_str().unwrap().to_owned();
        let (body, response_body) = (text(rule, "body"), text(rule, "response_body"));
        let custom = rule.get_field_by_name("custom").unwrap();
        let custom = custom.as_message().unwrap();
        let standard = ["get", "put", "post", "delete", "patch"];
        let (kind, template) = match standard.into_iter().find(|name| rule.has_field_by_name(name)) {
            Some(name) => (name.to_uppercase(), text(rule, name)),
            None => (text(custom, "kind"), text(custom, "path")),
        };
        Self::new(method, &kind, &template, &body, &response_body)
    }

    fn new(method: &MethodDescriptor, kind: &str, template: &str, body: &str, response_body: &str) -> Self {
        let mut route = Self {
            method: method.clone(),
            kind: kind.to_owned(),
            segments: Vec::new(),
            verb: None,
            captures: Vec::new(),
            body: match body {
                "" => Body::None,
                "*" => Body::Whole,
                name => Body::Field(method.input().get_field_by_name(name).unwrap()),
            },
            response_body: method.output().get_field_by_name(response_body),
            auto_mapped: false,
        };
        route.read(template);
        route
    }

    /// Reads a template of those that [`Rules`] writes.
    fn read(&mut self, template: &str) {
        let verb = VERBS.into_iter().find(|verb| template.ends_with(&format!(":{verb}")));
        let template = match verb {
            Some(verb) => &template[..template.len() - verb.len() - 1],
            None => template,
        };
        self.verb = verb;
        let mut rest = &template[1..];
        while !rest.is_empty() {
            let (part, more) = match rest.strip_prefix('{') {
                Some(inside) => inside.split_once('}').unwrap(),
                None => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            };
            let start = self.segments.len();
            if rest.starts_with('{') {
                let (path, inner) = part.split_once('=').unwrap_or((part, "*"));
                self.segments.extend(inner.split('/').map(segment));
                let mut message = self.method.input();
                let mut fields: Vec<FieldDescriptor> = Vec::new();
                for name in path.split('.') {
                    if let Some(field) = fields.last() {
                        message = entered(field).unwrap();
                    }
                    fields.push(message.get_field_by_name(name).unwrap());
                }
                let segments = start..self.segments.len();
                self.captures.push(Capture { fields, segments });
            } else {
                self.segments.push(segment(part));
            }
            rest = more.strip_prefix('/').unwrap_or(more);
        }
    }
}

fn segment(text: &str) -> Segment {
    match text {
        "*" => Segment::One,
        "**" => Segment::Many,
        literal => Segment::Literal(literal.to_owned()),
    }
}
