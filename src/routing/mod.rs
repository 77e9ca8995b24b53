//! From an HTTP method, path and query to a gRPC method and the fields that path and query bind.
//!
//! At configuration, [`Router::build`] compiles the HTTP rules of all methods and refuses all those that are wrong:
//!
//! - `method`: a gRPC method, and an [`HttpRule`].
//! - `selector`: which methods a selector means.
//! - `declared`: which rules each method has.
//! - [`template`]: the grammar of their paths.
//! - [`binding`]: which fields of the request message path, query and body fill.
//! - `build`: the routes, or all that is wrong with the rules.
//! - `error`: why a rule is refused.
//! - `called`: all methods by the paths of gRPC.
//!
//! For each request, [`Router::find`] finds the route and [`Binder::bind`] fills the request message:
//!
//! - `matcher`: the most specific template that a path matches.
//! - `captures`: what its variables capture.
//! - [`query`]: captures, query parameters and form fields as wire records of the request message.

pub mod binding;
mod build;
mod called;
mod captures;
mod declared;
mod error;
mod matcher;
mod method;
pub mod query;
mod selector;
pub mod template;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use prost_reflect::ServiceDescriptor;

pub use self::binding::{Binding, Body, Route};
use self::build::Builder;
use self::called::Called;
pub use self::captures::Captures;
pub use self::declared::AutoMapping;
use self::declared::{Declared, declared};
use self::error::Origin;
pub use self::error::RoutingError;
use self::matcher::{Found, Matcher};
pub use self::method::{HttpRule, Method};
pub use self::query::{BindError, BindOptions, Binder, Bound, FormInput, Parameters, QueryOptions, UnknownParameters};
pub use self::selector::Methods;
use self::template::BasePath;
use crate::schema::tables::Tables;
use crate::text::problems::Problems;

/// All routes of a configuration, ready to be searched.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Rc<Route>>,
    matcher: Matcher,
    /// The methods that have a route, by their paths.
    methods: Vec<Rc<Method>>,
    /// All of them, whether they have a route or not.
    called: Called,
    services: Vec<ServedService>,
}

/// A service, and how many of its methods are served in which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedService {
    /// `pkg.Service`.
    pub full_name: Box<str>,
    /// The methods that rules lead to.
    pub by_rule: usize,
    /// The methods that auto mapping leads to, which may be the same ones.
    pub auto_mapped: usize,
}

impl Router {
    /// Compiles the routes to `methods`, whose messages are in `tables`.
    ///
    /// A method's rule is its `google.api.http` annotation, or one of `rules` (the plugin configuration's
    /// `http_rules`), which replaces the annotation, or takes it away where it has neither an HTTP method nor a path.
    /// The methods of `auto_mapping` are also reached by a POST to `/pkg.Service/Method`, with the request message as
    /// the body. All these paths are below `base_path`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the rules: first selectors, then the rules in the order of methods. If a rule is
    /// for several methods of one request message, its error is given once.
    pub fn build(
        tables: &Tables,
        methods: &Methods,
        rules: &[HttpRule],
        auto_mapping: AutoMapping,
        base_path: &BasePath,
    ) -> Result<Self, Problems<RoutingError>> {
        let mut problems = Problems::default();
        let (all, declared) = declared(tables, methods, rules, auto_mapping, &mut problems);
        let mut builder = Builder::new(tables, base_path, problems);
        for declared in &declared {
            builder.add(declared);
        }
        let Builder {
            matcher,
            inserted,
            routes,
            problems,
            ..
        } = builder;
        let mut of_routes: Vec<_> = routes.iter().map(|route| Rc::clone(&route.method)).collect();
        of_routes.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        of_routes.dedup_by(|one, other| one.path == other.path);
        problems.or(Self {
            matcher,
            services: count(methods.services(), &inserted),
            methods: of_routes,
            called: Called::new(all),
            routes,
        })
    }

    /// Finds the route for a request, and fills `captures` with the values of its path's variables.
    ///
    /// `path` is the path of the request target as it was received: still percent-encoded, without the query. HTTP
    /// methods are case-sensitive (RFC 9110, section 9.1).
    ///
    /// A segment with a malformed escape equals no literal, but a wildcard matches it. If the path leads to a route
    /// that way, the result is [`Match::Malformed`]. If it doesn't, the escape doesn't matter: the request may be
    /// passed through, and isn't this router's to judge.
    pub fn find<'r>(&'r self, http_method: &str, path: &[u8], captures: &mut Captures) -> Match<'r> {
        captures.clear();
        match self.matcher.find(http_method, path, &mut captures.scratch) {
            Found::Route(route) => match self.routes.get(route as usize) {
                Some(route) => match captures.fill(&route.binding, path) {
                    Ok(()) => Match::Route(route),
                    Err(message) => Match::Malformed(message),
                },
                None => Match::NoRoute,
            },
            Found::OtherMethods(allow) => Match::WrongMethod { allow },
            Found::Nothing => Match::NoRoute,
        }
    }

    /// Whether `path`, a `:path` as it was received, is that of a method which has a route: `/pkg.Service/Method`, byte
    /// for byte.
    pub fn serves(&self, path: &[u8]) -> bool {
        let found = self.methods.binary_search_by(|method| method.path.as_bytes().cmp(path));
        found.is_ok()
    }

    /// The method of a configured service whose `:path` this is, byte for byte, whether it has a route or not.
    pub fn called(&self, path: &[u8]) -> Option<&Rc<Method>> {
        self.called.at(path)
    }

    /// A method that a lenient server, or one behind a route that rewrites paths, might take `path` for: its service
    /// and then its name are among the segments, in any encoding and any case. Only methods that `matters` chooses
    /// count.
    pub fn called_alike(&self, path: &[u8], matters: impl Fn(&Method) -> bool) -> Option<&Rc<Method>> {
        self.called.alike(path, matters)
    }

    /// All of them, in the order of declaration.
    pub fn routes(&self) -> &[Rc<Route>] {
        &self.routes
    }

    /// The configured services, in their order.
    pub fn services(&self) -> &[ServedService] {
        &self.services
    }
}

/// How many methods of each service are served in which way, by their `routes`.
fn count(services: &[ServiceDescriptor], routes: &[&Declared]) -> Vec<ServedService> {
    let mut seen = HashSet::new();
    let mut counts: HashMap<&str, [usize; 2]> = HashMap::new();
    for Declared { method, origin, .. } in routes {
        let automatic = *origin == Origin::Auto;
        if seen.insert((method.index, automatic)) {
            let [by_rule, auto_mapped] = counts.entry(&*method.service).or_default();
            *(if automatic { auto_mapped } else { by_rule }) += 1;
        }
    }
    let served = |service: &ServiceDescriptor| {
        let [by_rule, auto_mapped] = counts.get(service.full_name()).copied().unwrap_or_default();
        ServedService {
            full_name: service.full_name().into(),
            by_rule,
            auto_mapped,
        }
    };
    services.iter().map(served).collect()
}

/// Errors in the plugin configuration's rules that can be found without a schema: HTTP methods, and the syntax of
/// paths.
pub fn check_paths(rules: &[HttpRule]) -> Problems<RoutingError> {
    let mut problems = Problems::default();
    for (at, rule) in rules.iter().enumerate() {
        declared::check_paths(at, rule, &mut problems);
    }
    problems
}

/// Whether a request has a route: what [`Router::find`] found.
#[derive(Debug)]
pub enum Match<'r> {
    /// The request takes this route; its captures are filled.
    Route(&'r Rc<Route>),
    /// The path is bound, but not for this HTTP method.
    WrongMethod {
        /// The methods that it is bound for, as the value of an `allow` header (RFC 9110, section 10.2.1): `GET, POST`,
        /// sorted.
        allow: String,
    },
    /// No template matches the path.
    NoRoute,
    /// The path matches a route, but an escape in it is malformed or a captured value isn't UTF-8. Says what is wrong
    /// and where.
    Malformed(String),
}

#[cfg(test)]
mod tests;
