//! From declared rules to routes: each rule is checked, whatever is wrong with the others.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::binding::{Binding, Route};
use super::declared::{Declared, template};
use super::error::{Origin, RoutingError, RulePart};
use super::matcher::Matcher;
use super::template::BasePath;
use crate::schema::tables::{MessageIndex, Tables};
use crate::text::problems::Problems;
use crate::text::shown::{NAME, shown};

/// The routes so far.
pub(super) struct Builder<'d> {
    tables: &'d Tables,
    base_path: &'d BasePath,
    pub(super) matcher: Matcher,
    /// What the matcher's positions stand for. Without problems, each has become a route.
    pub(super) inserted: Vec<&'d Declared>,
    pub(super) routes: Vec<Rc<Route>>,
    pub(super) problems: Problems<RoutingError>,
    /// Of which method ([`Method::index`](super::Method::index)) it has been said what is wrong with a part of one of the
    /// plugin configuration's rules, which may each be that of many methods: it is so for every method with the same
    /// message.
    said: HashMap<(Origin, RulePart, Option<MessageIndex>), usize>,
}

impl<'d> Builder<'d> {
    pub(super) fn new(tables: &'d Tables, base_path: &'d BasePath, problems: Problems<RoutingError>) -> Self {
        Self {
            tables,
            base_path,
            matcher: Matcher::new(),
            inserted: Vec::new(),
            routes: Vec::new(),
            problems,
            said: HashMap::new(),
        }
    }

    /// Adds a route, unless it is an automatic one whose path the method is bound to already.
    pub(super) fn add(&mut self, declared: &'d Declared) {
        let Declared { method, origin, rule } = declared;
        let parsed = match declared.is_no_way() {
            true => None,
            false => match template(rule) {
                Ok(mut template) => {
                    template.put_under(self.base_path);
                    Some(template)
                }
                Err((part, message)) => {
                    self.refuse(declared, part, None, &message);
                    None
                }
            },
        };
        if !rule.additional_bindings.is_empty() {
            let message =
                "expected no additional_bindings within additional_bindings: give them all to the rule itself";
            self.refuse(declared, RulePart::Whole, None, &message);
        }
        if let Some(template) = &parsed {
            let position = self.inserted.len() as u32;
            match self.matcher.insert(template, &rule.http_method, position) {
                Ok(()) => self.inserted.push(declared),
                Err(taken) => {
                    let Some(other) = self.inserted.get(taken as usize).copied() else {
                        return;
                    };
                    if *origin == Origin::Auto && Rc::ptr_eq(&other.method, method) {
                        return;
                    }
                    self.refuse(declared, RulePart::Whole, None, &Taken { declared, other });
                }
            }
        }
        // The rest is checked without a path too.
        let is_way = parsed.is_some();
        let template = parsed.unwrap_or_default();
        let tables = self.tables;
        let mut refuse = |part, message: &dyn fmt::Display| {
            let of = match part {
                RulePart::ResponseBody => method.output,
                RulePart::Whole | RulePart::Path | RulePart::Body => method.input,
            };
            self.refuse(declared, part, Some(of), message);
        };
        if let Some(binding) = Binding::build(tables, method, rule, &template, &mut refuse)
            && is_way
        {
            let method = Rc::clone(method);
            self.routes.push(Rc::new(Route { method, binding }));
        }
    }

    /// Adds a problem with a part of a rule; `message` prints it. `of` is the message that it is about.
    fn refuse(&mut self, declared: &Declared, part: RulePart, of: Option<MessageIndex>, message: &dyn fmt::Display) {
        let Declared { method, origin, rule } = declared;
        if matches!(origin, Origin::Rule { .. })
            && *self.said.entry((*origin, part, of)).or_insert(method.index) != method.index
        {
            return;
        }
        self.problems
            .add(|| RoutingError::new(*origin, part, &rule.http_method, Some(method), message.to_string()));
    }
}

/// What is wrong where the path of `declared` is that of `other` already.
struct Taken<'d> {
    declared: &'d Declared,
    other: &'d Declared,
}

impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { declared, other } = self;
        let whose = if Rc::ptr_eq(&other.method, &declared.method) {
            "the same method"
        } else {
            &other.method.full_name
        };
        let hint = match declared.origin {
            Origin::Rule { .. } if declared.origin == other.origin => {
                ": a selector that ends in `.*` must select a single method; give each a rule of its own"
            }
            Origin::Rule { .. } => ": one of the two needs another path",
            Origin::Auto => match other.origin {
                Origin::Annotation { .. } => &format!(
                    ": set `auto_mapping: false`, or give `http_rules` a rule with `selector: {}`",
                    other.method.full_name
                ),
                Origin::Rule { .. } | Origin::Auto => ": set `auto_mapping: false`, or change that path",
            },
            Origin::Annotation { .. } => "",
        };
        write!(
            f,
            "{} `{}` is already bound to {whose} by {}, as `{}`{hint}",
            declared.rule.http_method,
            shown(declared.rule.template.as_bytes(), NAME),
            other.origin,
            shown(other.rule.template.as_bytes(), NAME),
        )
    }
}
