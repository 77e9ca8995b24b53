//! Routes as paths and operations of OpenAPI: what each takes from path, query and body, and what it answers.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use serde_json::{Map, Value, json};

use super::changes::merge;
use super::options::{is_visible, resource_patterns};
use super::query::{self, below};
use super::schemas::{Fields, Schemas};
use super::source::Source;
use super::swagger::{self, Security, Whole};
use super::template::Path;
use super::values::{Side, nullable};
use super::writer::{self, Writer};
use crate::codec::http_body;
use crate::http::media_type::{EVENT_STREAM, JSON, NDJSON, OCTET_STREAM};
use crate::http::status::is_without_content;
use crate::routing::template::Template;
use crate::routing::{Body, Route};
use crate::schema::tables::{Cardinality, Field, Kind, MessageIndex, MessageTable};

/// The paths of a document, and what they need: `tags` and `components.schemas`.
pub(super) struct Operations {
    pub(super) paths: Vec<Item>,
    pub(super) tags: Vec<Value>,
    /// By their names, as JSON.
    pub(super) schemas: BTreeMap<String, Box<[u8]>>,
}

/// A path, and the operations on it.
pub(super) struct Item {
    text: String,
    /// The names of its parameters, in order.
    names: Vec<String>,
    /// Where its first route is among all.
    order: usize,
    /// By their HTTP methods, as JSON.
    operations: Vec<(&'static str, Box<[u8]>)>,
    /// What can't be said beside the operations.
    notes: Vec<String>,
}

impl Item {
    pub(super) fn write(self, out: &mut Writer) {
        out.open(&self.text);
        for (http_method, operation) in self.operations {
            out.text(http_method, operation);
        }
        if !self.notes.is_empty() {
            out.value("description", self.notes.join("\n\n"));
        }
        out.close();
    }

    fn has(&self, http_method: &str) -> bool {
        self.operations.iter().any(|(known, _)| *known == http_method)
    }
}

/// A route that is shown.
struct Shown<'s> {
    order: usize,
    route: &'s Route,
    descriptor: MethodDescriptor,
    path: Path,
    template: Template,
}

impl Operations {
    /// `whole` is what is said of all; methods ask for some of `security`.
    pub(super) fn new(source: &Source<'_>, whole: &Whole, security: &Security) -> Self {
        let resources = resource_patterns(source.pool);
        let mut shown: Vec<_> = source
            .routes
            .iter()
            .enumerate()
            .filter_map(|(order, route)| Shown::new(source, order, route, &resources))
            .collect();
        let bodies = |shown: &Shown<'_>| shown.route.method.input;
        let sent = shown
            .iter()
            .filter(|shown| shown.route.binding.body != Body::None)
            .map(bodies);
        let printed = shown.iter().map(|shown| shown.route.method.output);
        let schemas = Schemas::new(source, sent.collect(), printed.collect());
        // Of paths that are alike for OpenAPI, the one that says more comes first; any method is what the others leave.
        shown.sort_by_key(|shown| {
            let several = shown.path.parameters.iter().any(|parameter| parameter.multi);
            (&*shown.route.binding.http_method == "*", several)
        });
        let mut describer = Describer {
            source,
            error: Value::Null,
            schemas,
            items: Vec::new(),
            by_shape: HashMap::new(),
            ids: HashSet::new(),
            services: service_names(&shown),
            responses: whole.responses(),
            security,
        };
        describer.error = describer.schemas.error();
        for shown in &shown {
            describer.add(shown);
        }
        shown.sort_by_key(|shown| shown.order);
        let mut tags = describer.tags(&shown);
        whole.tags(&mut tags);
        let Describer { mut items, schemas, .. } = describer;
        items.sort_by_key(|item| item.order);
        items.retain(|item| !item.operations.is_empty() || !item.notes.is_empty());
        Self {
            paths: items,
            tags,
            schemas: schemas.finish(),
        }
    }
}

impl<'s> Shown<'s> {
    fn new(source: &Source<'_>, order: usize, route: &'s Route, resources: &[Vec<String>]) -> Option<Self> {
        let Route { method, binding } = route;
        let descriptor = source
            .pool
            .get_service_by_name(&method.service)?
            .methods()
            .find(|descriptor| descriptor.name() == &*method.name)?;
        let included = source.included();
        let is_seen = !source.is_excluded(method)
            && is_visible(&descriptor.options(), "method", included)
            && is_visible(&descriptor.parent_service().options(), "api", included);
        if !is_seen {
            return None;
        }
        let mut template = Template::parse(&binding.template).ok()?;
        template.put_under(source.base_path);
        let names = template.variables.iter().map(|variable| {
            let fields = variable_fields(source, method.input, &variable.field_path);
            let names = fields.iter().map(|(_, field)| source.tables.printed_name(field));
            names.collect::<Vec<_>>().join("_")
        });
        let names: Vec<_> = names.collect();
        let path = Path::new(&template, &names, resources);
        Some(Self {
            order,
            route,
            descriptor,
            path,
            template,
        })
    }
}

struct Describer<'s> {
    source: &'s Source<'s>,
    schemas: Schemas<'s>,
    /// The reference to what errors look like.
    error: Value,
    items: Vec<Item>,
    by_shape: HashMap<String, usize>,
    /// The operations' ids.
    ids: HashSet<String>,
    /// What services are called.
    services: HashMap<String, String>,
    /// What is said of the responses of all operations.
    responses: swagger::Responses,
    security: &'s Security,
}

impl Describer<'_> {
    fn add(&mut self, shown: &Shown<'_>) {
        let shape = shown.path.shape();
        let next = self.items.len();
        let at = *self.by_shape.entry(shape).or_insert(next);
        if at == next {
            self.items.push(Item {
                text: shown.path.text.clone(),
                names: shown
                    .path
                    .parameters
                    .iter()
                    .map(|parameter| parameter.name.clone())
                    .collect(),
                order: shown.order,
                operations: Vec::new(),
                notes: Vec::new(),
            });
        }
        let Some(item) = self.items.get_mut(at) else {
            return;
        };
        item.order = item.order.min(shown.order);
        let names = item.names.clone();
        let method = &shown.route.method.full_name;
        let free = |methods: &[&'static str]| -> Vec<&'static str> {
            methods.iter().copied().filter(|method| !item.has(method)).collect()
        };
        let wanted: Vec<&'static str> = match &*shown.route.binding.http_method {
            "GET" => free(&["get"]),
            "PUT" => free(&["put"]),
            "POST" => free(&["post"]),
            "DELETE" => free(&["delete"]),
            "PATCH" => free(&["patch"]),
            "HEAD" => free(&["head"]),
            "OPTIONS" => free(&["options"]),
            "TRACE" => free(&["trace"]),
            "*" if shown.route.binding.body == Body::None => free(&["get", "put", "post", "delete", "patch"]),
            "*" => free(&["put", "post", "patch"]),
            other => {
                item.notes.push(format!(
                    "`{other}` calls `{method}`: OpenAPI has no place for that method."
                ));
                return;
            }
        };
        if wanted.is_empty() {
            let Shown { route, .. } = shown;
            let template = &route.binding.template;
            let http_method = &route.binding.http_method;
            item.notes.push(format!(
                "`{http_method}` of longer paths, `{template}`, calls `{method}`."
            ));
        }
        for http_method in wanted {
            let operation = writer::text(&self.operation(shown, &names));
            if let Some(item) = self.items.get_mut(at) {
                item.operations.push((http_method, operation));
            }
        }
    }

    fn operation(&mut self, shown: &Shown<'_>, names: &[String]) -> Value {
        let Shown { route, descriptor, .. } = shown;
        let method = &route.method;
        let service = self.services.get(&*method.service).cloned().unwrap_or_default();
        let mut operation = Map::new();
        let mut put = |key: &str, value: Value| operation.insert(key.to_owned(), value);
        let id = swagger::id(&descriptor.options());
        let id = id.unwrap_or_else(|| format!("{}_{}", service.replace('.', "_"), method.name));
        put("operationId", self.id(id).into());
        let (summary, description) = summary(self.source.comments.get(&method.full_name));
        if let Some(summary) = summary {
            put("summary", summary.into());
        }
        if let Some(description) = description {
            put("description", description.into());
        }
        let tag = swagger::tag_name(&descriptor.parent_service().options());
        put("tags", json!([tag.unwrap_or(service)]));
        if descriptor
            .method_descriptor_proto()
            .options
            .as_ref()
            .and_then(|options| options.deprecated)
            == Some(true)
        {
            put("deprecated", true.into());
        }
        let mut parameters = self.path_parameters(shown, names);
        query::add(self.source, &mut self.schemas, route, &mut parameters);
        if !parameters.is_empty() {
            put("parameters", parameters.into());
        }
        if let Some(body) = self.request_body(route) {
            put("requestBody", body);
        }
        put("responses", self.responses(route));
        swagger::method(&descriptor.options(), &self.responses, self.security, &mut operation);
        Value::Object(operation)
    }

    /// The id `first`, with a number where another operation has it.
    fn id(&mut self, first: String) -> String {
        let mut id = first.clone();
        let mut number = 2;
        while !self.ids.insert(id.clone()) {
            id = format!("{first}{number}");
            number += 1;
        }
        id
    }

    fn path_parameters(&mut self, shown: &Shown<'_>, names: &[String]) -> Vec<Value> {
        let source = self.source;
        let mut parameters = Vec::new();
        for (parameter, name) in shown.path.parameters.iter().zip(names) {
            let variable = parameter.variable.and_then(|at| shown.template.variables.get(at));
            let fields =
                variable.map(|variable| variable_fields(source, shown.route.method.input, &variable.field_path));
            let fields = fields.unwrap_or_default();
            let last = fields.last();
            let mut schema = match last.filter(|_| parameter.whole && !parameter.multi) {
                Some((_, field)) => self.schemas.value(field.kind, Side::Parameter),
                None => json!({ "type": "string" }),
            };
            if schema.get("type").is_some_and(|kind| kind == "string")
                && let Some(schema) = schema.as_object_mut()
                && !parameter.multi
            {
                schema.insert("minLength".to_owned(), 1.into());
                if !parameter.whole {
                    schema.insert("pattern".to_owned(), "^[^/]+$".into());
                }
            }
            let mut written = json!({ "name": name, "in": "path", "required": true, "schema": schema });
            let mut said = Vec::new();
            if let Some((table, field)) = last
                && let Some(text) = source.comments.get(&format!("{}.{}", table.full_name(), field.name))
            {
                said.push(text.to_owned());
            }
            if !parameter.whole
                && let Some(variable) = variable
            {
                said.push(format!("A segment of `{}`.", variable.name()));
            }
            if parameter.multi {
                said.push("Any number of segments: its slashes are sent as they are.".to_owned());
            }
            if !said.is_empty()
                && let Some(written) = written.as_object_mut()
            {
                written.insert("description".to_owned(), said.join("\n\n").into());
            }
            parameters.push(written);
        }
        parameters
    }

    fn request_body(&mut self, route: &Route) -> Option<Value> {
        let source = self.source;
        let (binding, input) = (&route.binding, route.method.input);
        let mut without = binding.bound.clone();
        merge(&mut without, source.sets(&route.method));
        let message = source.tables.message(input);
        let needs = message.needs_required_check();
        // What an update has is what changes.
        let partial = &*binding.http_method == "PATCH";
        let fields = |without| Fields { without, partial };
        let (schema, required) = match binding.body {
            Body::None => return None,
            Body::Whole if is_raw(message) => return Some(raw_body()),
            Body::Whole => {
                let needs = needs || !partial && self.schemas.requires(input, &without);
                let is_whole = without.is_empty() && !partial || message.well_known().is_some();
                let schema = match is_whole {
                    true => self.schemas.value(Kind::Message(input), Side::Request),
                    false => self.schemas.message(input, Side::Request, fields(&without)),
                };
                (schema, needs)
            }
            Body::Field(index) => {
                let field = message.field(index)?;
                let descriptor = source.pool.get_message_by_name(message.full_name());
                let needs = needs || self.schemas.requires_field(descriptor.as_ref(), field);
                let of_body = without.iter().find(|bound| bound.field == index);
                let of_body = of_body.map(|of_body| of_body.below.as_slice()).unwrap_or_default();
                match below(source, field).filter(|_| field.cardinality == Cardinality::Singular) {
                    Some(within) if is_raw(source.tables.message(within)) => return Some(raw_body()),
                    Some(within) if partial || !of_body.is_empty() => {
                        (self.schemas.message(within, Side::Request, fields(of_body)), needs)
                    }
                    Some(_) => (self.schemas.field(field, Side::Request), needs),
                    // It may be null all the same.
                    None if !needs => (nullable(self.schemas.field(field, Side::Request)), true),
                    None => (self.schemas.field(field, Side::Request), true),
                }
            }
        };
        let schema = if required { schema } else { nullable(schema) };
        let mut body = match route.method.client_streaming {
            false => json!({ "content": { text(JSON): { "schema": schema } } }),
            true => json!({
                "description": "A stream of messages: an array, or one a line.",
                "content": {
                    text(JSON): { "schema": { "type": "array", "items": schema } },
                    text(NDJSON): { "schema": schema },
                },
            }),
        };
        if required && let Some(body) = body.as_object_mut() {
            body.insert("required".to_owned(), true.into());
        }
        Some(body)
    }

    fn responses(&mut self, route: &Route) -> Value {
        let source = self.source;
        let method = &route.method;
        let status = (source.status)(method);
        let output = source.tables.message(method.output);
        let field = route.binding.response_body.and_then(|index| output.field(index));
        let raw = match field {
            None => is_raw(output),
            Some(field) => {
                let within = below(source, field).filter(|_| field.cardinality == Cardinality::Singular);
                within.is_some_and(|within| is_raw(source.tables.message(within)))
            }
        };
        let mut success = json!({ "description": "The answer." });
        let content = if is_without_content(status) {
            None
        } else if raw {
            Some(json!({ "*/*": bytes() }))
        } else {
            let schema = match field {
                None => self.schemas.value(Kind::Message(method.output), Side::Response),
                Some(field) => {
                    let schema = self.schemas.field(field, Side::Response);
                    let of_own_form = matches!(field.kind, Kind::Message(index) if source.tables.message(index).well_known().is_some());
                    match of_own_form && field.cardinality == Cardinality::Singular {
                        true => nullable(schema),
                        false => schema,
                    }
                }
            };
            Some(match method.server_streaming {
                false => json!({ text(JSON): { "schema": schema } }),
                true => self.stream(schema),
            })
        };
        if let (Some(content), Some(success)) = (content, success.as_object_mut()) {
            if method.server_streaming {
                let said = "The messages as they come: an array, one a line, or events, as the client accepts.";
                success.insert("description".to_owned(), said.into());
            }
            success.insert("content".to_owned(), content);
        }
        let error = &self.error;
        let media_type = text(source.errors.content_type());
        let failure = json!({ "description": "An error.", "content": { media_type: { "schema": error } } });
        // The service may choose another success (`x-http-code`): without a word of these, it would be an error.
        let mut others = success.clone();
        if let Some(others) = others.as_object_mut() {
            others.insert(
                "description".to_owned(),
                "The same, with a status that the service chose.".into(),
            );
        }
        json!({ status.to_string(): success, "2XX": others, "default": failure })
    }

    fn stream(&mut self, message: Value) -> Value {
        let ends = self.schemas.stream_error();
        let element = json!({ "anyOf": [message, ends] });
        json!({
            text(JSON): { "schema": { "type": "array", "items": element } },
            text(NDJSON): { "schema": element },
            text(EVENT_STREAM): { "schema": { "type": "string" } },
        })
    }

    /// The services of the routes that are shown.
    fn tags(&self, shown: &[Shown<'_>]) -> Vec<Value> {
        let mut seen = HashSet::new();
        let mut tags = Vec::new();
        for service in shown.iter().map(|shown| shown.descriptor.parent_service().clone()) {
            if !seen.insert(service.full_name().to_owned()) {
                continue;
            }
            let options = service.options();
            let name = swagger::tag_name(&options).or_else(|| self.services.get(service.full_name()).cloned());
            let mut tag = Map::new();
            tag.insert("name".to_owned(), name.into());
            if let Some(text) = self.source.comments.get(service.full_name()) {
                tag.insert("description".to_owned(), text.into());
            }
            swagger::tag(&options, &mut tag);
            tags.push(tag.into());
        }
        tags
    }
}

/// What services are called: by their own names, unless several have one.
fn service_names(shown: &[Shown<'_>]) -> HashMap<String, String> {
    let services: Vec<ServiceDescriptor> = shown
        .iter()
        .map(|shown| shown.descriptor.parent_service().clone())
        .collect();
    let mut bearers: HashMap<&str, HashSet<&str>> = HashMap::new();
    for service in &services {
        bearers.entry(service.name()).or_default().insert(service.full_name());
    }
    let names = services.iter().map(|service| {
        let only = bearers.get(service.name()).is_some_and(|bearers| bearers.len() == 1);
        let name = if only { service.name() } else { service.full_name() };
        (service.full_name().to_owned(), name.to_owned())
    });
    names.collect()
}

/// The first paragraph of a comment, where it is short, and the rest.
fn summary(comment: Option<&str>) -> (Option<String>, Option<String>) {
    let Some(comment) = comment else {
        return (None, None);
    };
    let (first, rest) = comment.split_once("\n\n").unwrap_or((comment, ""));
    if first.len() > LONGEST_SUMMARY || first.contains('\n') {
        return (None, Some(comment.to_owned()));
    }
    let rest = rest.trim();
    let first = first.strip_suffix('.').unwrap_or(first);
    (Some(first.to_owned()), (!rest.is_empty()).then(|| rest.to_owned()))
}

const LONGEST_SUMMARY: usize = 120;

/// The fields of a path, each with its message. They are there: the router has been built.
fn variable_fields<'s>(
    source: &Source<'s>,
    input: MessageIndex,
    path: &[Box<str>],
) -> Vec<(&'s MessageTable, &'s Field)> {
    let mut message = input;
    let mut found = Vec::with_capacity(path.len());
    for name in path {
        let table = source.tables.message(message);
        let Some(field) = table.fields().iter().find(|field| field.name == *name) else {
            break;
        };
        found.push((table, field));
        if let Kind::Message(below) | Kind::Group(below) = field.kind {
            message = below;
        }
    }
    found
}

fn is_raw(message: &MessageTable) -> bool {
    message.full_name() == http_body::FULL_NAME
}

fn raw_body() -> Value {
    json!({ "description": "Bytes of any type.", "content": { text(OCTET_STREAM): bytes() } })
}

/// What isn't JSON. Without a schema, generated clients drop it.
fn bytes() -> Value {
    json!({ "schema": { "type": "string", "format": "binary" } })
}

fn text(media_type: &'static [u8]) -> &'static str {
    std::str::from_utf8(media_type).unwrap_or_default()
}
