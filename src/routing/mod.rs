//! From an HTTP method, path and query to a gRPC method and the fields that path and query bind.
//!
//! At configuration, [`Router::build`] compiles the HTTP rules of all methods and refuses those that are wrong:
//!
//! - `method`: a gRPC method, and an [`HttpRule`].
//! - `selector`: which methods a selector means.
//! - `declared`: which rules each method has.
//! - [`template`]: the grammar of their paths.
//! - [`binding`]: which fields of the request message path, query and body fill.
//! - `error`: why a rule is refused.
//!
//! For each request, [`Router::find`] finds the route and [`Binder::bind`] fills the request message:
//!
//! - `matcher`: the most specific template that a path matches.
//! - `captures`: what its variables capture.
//! - [`query`]: captures and query parameters as wire records of the request message.

pub mod binding;
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
pub use self::captures::Captures;
pub use self::declared::AutoMapping;
use self::declared::{Declared, declared};
pub use self::error::RoutingError;
use self::error::{Origin, RulePart};
use self::matcher::{Found, Matcher};
pub use self::method::{HttpRule, Method};
pub use self::query::{BindError, BindOptions, Binder, Bound, FormInput, Parameters, QueryOptions, UnknownParameters};
pub use self::selector::Methods;
use self::template::{BasePath, Template};
use crate::schema::tables::Tables;

/// All routes of a configuration, ready to be searched.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Rc<Route>>,
    matcher: Matcher,
    /// The methods that have a route, by their paths.
    methods: Vec<Rc<Method>>,
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
    /// Compiles the routes to the methods of `services`, whose messages are in `tables`.
    ///
    /// A method's rule is its `google.api.http` annotation, or one of `rules` (the plugin configuration's
    /// `http_rules`), which replaces the annotation. The methods of `auto_mapping` are also reached by a POST to
    /// `/pkg.Service/Method`, with the request message as the body. All these paths are below `base_path`.
    ///
    /// Everything that can be wrong with a rule is found here, so that requests meet only rules that hold.
    pub fn build(
        tables: &Tables,
        services: &[ServiceDescriptor],
        rules: &[HttpRule],
        auto_mapping: AutoMapping,
        base_path: &BasePath,
    ) -> Result<Self, RoutingError> {
        let mut router = Self {
            routes: Vec::new(),
            matcher: Matcher::new(),
            methods: Vec::new(),
            services: Vec::new(),
        };
        let mut origins = Vec::new();
        for declared in declared(tables, services, rules, auto_mapping)? {
            let origin = declared.origin;
            if router.add(tables, declared, base_path, &origins)? {
                origins.push(origin);
            }
        }
        router.methods = router.routes.iter().map(|route| Rc::clone(&route.method)).collect();
        router.methods.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        router.methods.dedup_by(|one, other| one.path == other.path);
        router.services = router.count(services, &origins);
        Ok(router)
    }

    /// Finds the route for a request, and fills `captures` with the values of its path's variables.
    ///
    /// `path` is the path of the request target as it was received: still percent-encoded, without the query. HTTP
    /// methods are case-sensitive (RFC 9110, section 9.1).
    ///
    /// A segment with a malformed escape equals no literal, but a wildcard matches it. If the path leads to a route that
    /// way, the result is [`Match::Malformed`]. If it doesn't, the escape doesn't matter: the request may be passed
    /// through, and isn't this router's to judge.
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

    /// Whether `path`, a `:path` as it was received, is that of a method which has a route: `/pkg.Service/Method`, byte for
    /// byte.
    pub fn serves(&self, path: &[u8]) -> bool {
        let found = self.methods.binary_search_by(|method| method.path.as_bytes().cmp(path));
        found.is_ok()
    }

    /// The configured services, in their order.
    pub fn services(&self) -> &[ServedService] {
        &self.services
    }

    /// `origins` are those of the routes.
    fn count(&self, services: &[ServiceDescriptor], origins: &[Origin]) -> Vec<ServedService> {
        let mut seen = HashSet::new();
        let mut counts: HashMap<&str, [usize; 2]> = HashMap::new();
        for (route, origin) in self.routes.iter().zip(origins) {
            let automatic = *origin == Origin::Auto;
            if seen.insert((route.method.index, automatic)) {
                let [by_rule, auto_mapped] = counts.entry(&*route.method.service).or_default();
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

    /// Adds one route. Returns `false` for an automatic one whose path the method is bound to already. `origins` are
    /// those of the routes so far.
    fn add(
        &mut self,
        tables: &Tables,
        declared: Declared,
        base_path: &BasePath,
        origins: &[Origin],
    ) -> Result<bool, RoutingError> {
        let Declared { method, origin, rule } = declared;
        let refuse = |part, message: String| RoutingError::new(origin, part, &rule.http_method, &method, message);
        let mut template = Template::parse(&rule.template)
            .map_err(|error| refuse(RulePart::Path, format!("path `{}`: {error}", rule.template)))?;
        template.put_under(base_path);
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
            return Err(refuse(RulePart::Whole, message));
        }
        let binding =
            Binding::build(tables, &method, &rule, &template).map_err(|(part, message)| refuse(part, message))?;
        self.routes.push(Rc::new(Route { method, binding }));
        Ok(true)
    }
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
