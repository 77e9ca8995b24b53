//! From an HTTP method, path and query to a gRPC method and the fields that path and query bind.
//!
//! - `rule`: which [`HttpRule`]s each method has.
//! - [`template`]: the grammar of their paths.
//! - `matcher`: the most specific template that a path matches, and the captures.
//! - [`binding`]: which request fields path, query and body fill; checked once, at configuration.
//! - [`query`]: path captures and query parameters as wire records of the request message.

pub mod binding;
mod matcher;
pub mod query;
mod rule;
pub mod template;

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use prost_reflect::ServiceDescriptor;

use self::binding::Part;
pub use self::binding::{Binding, Body};
use self::matcher::{Found, Matcher, PathSegment, Scratch};
pub use self::query::{BindError, Binder, Bound, QueryOptions, UnknownParameters};
use self::rule::{Declared, Origin};
use self::template::Template;
use crate::schema::tables::{MessageIndex, Tables};
use crate::text::percent::{self, Decoding};

/// A `google.api.HttpRule` (google/api/http.proto): how one method is reached over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    /// The full name of the method, or in the plugin configuration a pattern that ends in `.*`.
    pub selector: String,
    /// The HTTP method as it is sent, so in upper case for all common ones; `*` for any (`custom { kind: "*" }`).
    pub http_method: String,
    /// The path template.
    pub template: String,
    /// `""`, `"*"`, or the name of the request field that the body fills.
    pub body: String,
    /// `""`, or the name of the response field that is printed alone.
    pub response_body: String,
    /// Further ways to the same method; their own `additional_bindings` are empty.
    pub additional_bindings: Vec<HttpRule>,
}

/// All bindings of a configuration, ready to be searched.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Rc<Route>>,
    matcher: Matcher,
}

impl Router {
    /// Compiles the bindings of the methods of `services`: their annotations, or the `rules` of the plugin
    /// configuration that replace these, and with `auto_mapping` also `POST /pkg.Service/Method`.
    ///
    /// Everything that can be wrong with a rule is found here; a request meets only rules that hold.
    pub fn build(
        tables: &Tables,
        services: &[ServiceDescriptor],
        rules: &[HttpRule],
        auto_mapping: bool,
    ) -> Result<Self, RoutingError> {
        let mut router = Self {
            routes: Vec::new(),
            matcher: Matcher::new(),
        };
        let mut origins = Vec::new();
        for declared in rule::declared(tables, services, rules, auto_mapping)? {
            let origin = declared.origin;
            if router.add(tables, declared, &origins)? {
                origins.push(origin);
            }
        }
        Ok(router)
    }

    /// Finds the binding for a request and captures its path variables.
    ///
    /// `path` is the request target as it was received, without the query. HTTP methods are case-sensitive
    /// (RFC 9110, section 9.1).
    ///
    /// A malformed escape matters only where the path leads to a route: elsewhere the request isn't this router's
    /// to judge, as it may be passed through. It equals no literal, and a wildcard matches it.
    pub fn find<'r>(&'r self, http_method: &str, path: &[u8], captures: &mut Captures) -> Match<'r> {
        captures.clear();
        match self.matcher.find(http_method, path, &mut captures.scratch) {
            Found::Route { route, with_verb } => match self.routes.get(route as usize) {
                Some(route) => match captures.fill(&route.binding, path, with_verb) {
                    Ok(()) => Match::Route(route),
                    Err(message) => Match::Malformed(message),
                },
                None => Match::NoRoute,
            },
            Found::OtherMethods(allow) => Match::WrongMethod { allow },
            Found::Nothing => Match::NoRoute,
        }
    }

    /// Adds one binding, unless it is an automatic one that the method has already. `origins` are those of the routes
    /// so far.
    fn add(&mut self, tables: &Tables, declared: Declared, origins: &[Origin]) -> Result<bool, RoutingError> {
        let Declared { method, origin, rule } = declared;
        let refuse = |part, message: String| RoutingError::new(origin, part, &rule.http_method, &method, message);
        let template = Template::parse(&rule.template)
            .map_err(|error| refuse(Part::Path, format!("path `{}`: {error}", rule.template)))?;
        if let Err(taken) = self
            .matcher
            .insert(&template, &rule.http_method, self.routes.len() as u32)
        {
            let taken = self.routes.get(taken as usize).zip(origins.get(taken as usize));
            let Some((other, other_origin)) = taken else {
                return Ok(false);
            };
            let same_method = other.method.full_name == method.full_name;
            if origin == Origin::Auto && same_method {
                return Ok(false);
            }
            let whose = if same_method {
                "the same method"
            } else {
                &other.method.full_name
            };
            let hint = match origin {
                Origin::Rule { .. } if origin == *other_origin => {
                    ": a selector that ends in `.*` must select a single method"
                }
                Origin::Auto => ": set `auto_mapping: false`, or change that path",
                _ => "",
            };
            let message = format!(
                "{} `{}` is already bound to {whose} by {other_origin}, as `{}`{hint}",
                rule.http_method, rule.template, other.binding.template
            );
            return Err(refuse(Part::Rule, message));
        }
        let binding =
            Binding::build(tables, &method, &rule, &template).map_err(|(part, message)| refuse(part, message))?;
        self.routes.push(Rc::new(Route { method, binding }));
        Ok(true)
    }
}

/// What [`Router::find`] says of a request.
#[derive(Debug)]
pub enum Match<'r> {
    /// It is this route's; the captures are filled.
    Route(&'r Rc<Route>),
    /// The path is bound, but not for this HTTP method.
    WrongMethod {
        /// The methods that it is bound for, as the `allow` header lists them: sorted, `GET, POST`.
        allow: String,
    },
    /// The path isn't bound.
    NoRoute,
    /// The path is a route's, but an escape in it is malformed or a captured value isn't UTF-8. Says which and where.
    Malformed(String),
}

/// One way to reach a method.
#[derive(Debug)]
pub struct Route {
    /// The method; shared by its routes.
    pub method: Rc<Method>,
    /// How its request message is filled.
    pub binding: Binding,
}

/// A gRPC method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its number among the served methods.
    pub index: usize,
    /// `pkg.Service.Method`
    pub full_name: Box<str>,
    /// `pkg.Service`
    pub service: Box<str>,
    /// `Method`
    pub name: Box<str>,
    /// `/pkg.Service/Method`: the path of a gRPC request.
    pub path: Box<str>,
    /// The request message.
    pub input: MessageIndex,
    /// The response message.
    pub output: MessageIndex,
    /// Whether the client sends a stream of messages.
    pub client_streaming: bool,
    /// Whether the server sends a stream of messages.
    pub server_streaming: bool,
}

/// What the variables of a route's path captured, decoded. Reused from request to request.
#[derive(Debug, Default)]
pub struct Captures {
    scratch: Scratch,
    /// The values, one after the other.
    text: String,
    values: Vec<Range<usize>>,
    decoded: Vec<u8>,
}

impl Captures {
    /// The values, in the order of the template's variables.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .map(|range| self.text.get(range.clone()).unwrap_or_default())
    }

    fn clear(&mut self) {
        self.text.clear();
        self.values.clear();
    }

    /// Decodes what the variables of `binding` capture of `path`, whose segments the scratch holds. On error says
    /// what is malformed.
    fn fill(&mut self, binding: &Binding, path: &[u8], with_verb: bool) -> Result<(), String> {
        let segments = &mut self.scratch.segments;
        if with_verb
            && let Some(verb) = self.scratch.verb.take()
            && let Some(last) = segments.last_mut()
        {
            *last = verb.base;
        }
        if let Some(position) = segments.iter().find_map(PathSegment::malformed) {
            return Err(format!(
                "malformed escape `{}` at byte {position} of the path: expected `%` and two hexadecimal digits",
                percent::shown(path, position)
            ));
        }
        for variable in &binding.variables {
            let (start, end) = variable.segments.of(segments.len());
            let captured = segments.get(start..end).unwrap_or_default();
            let raw = match (captured.first(), captured.last()) {
                (Some(first), Some(last)) => path.get(first.start..last.end).unwrap_or_default(),
                _ => &[],
            };
            let decoding = if variable.multi_segment {
                Decoding::Segments
            } else {
                Decoding::Segment
            };
            self.decoded.clear();
            // No escape in it is malformed: that has been looked at above.
            let value = match memchr::memchr(b'%', raw).map(|_| percent::decode(raw, decoding, &mut self.decoded)) {
                Some(Ok(())) => std::str::from_utf8(&self.decoded),
                Some(Err(_)) | None => std::str::from_utf8(raw),
            };
            let Ok(value) = value else {
                return Err(format!("the path's value of `{}` isn't UTF-8", variable.name));
            };
            let from = self.text.len();
            self.text.push_str(value);
            self.values.push(from..self.text.len());
        }
        Ok(())
    }
}

/// Why the bindings of a configuration can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingError {
    /// The key path in the plugin configuration, `http_rules[2].body`; none for what an annotation in the schema says.
    pub key: Option<String>,
    /// The full name of the method whose binding is wrong.
    pub method: Option<String>,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl RoutingError {
    /// `http_method` is the one of the rule: it names the key of a path.
    fn new(origin: Origin, part: Part, http_method: &str, method: &Method, message: String) -> Self {
        let below = match (part, http_method) {
            (Part::Rule, _) => "",
            (Part::Path, "GET") => ".get",
            (Part::Path, "PUT") => ".put",
            (Part::Path, "POST") => ".post",
            (Part::Path, "DELETE") => ".delete",
            (Part::Path, "PATCH") => ".patch",
            (Part::Path, _) => ".custom.path",
            (Part::Body, _) => ".body",
            (Part::ResponseBody, _) => ".response_body",
        };
        let (key, message) = match origin {
            Origin::Annotation { .. } => (None, format!("{origin}{below}: {message}")),
            Origin::Rule { .. } | Origin::Auto => (origin.key().map(|key| key + below), message),
        };
        Self {
            key,
            method: Some(method.full_name.to_string()),
            message,
        }
    }
}

impl fmt::Display for RoutingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.key, &self.method].into_iter().flatten() {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for RoutingError {}

#[cfg(test)]
mod tests;
