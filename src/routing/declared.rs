//! Which HTTP rules each method has: its `google.api.http` annotation, or the plugin configuration's rule that replaces
//! it or takes it away, and the automatic `POST /pkg.Service/Method`.

use std::collections::HashSet;
use std::rc::Rc;

use prost_reflect::{DynamicMessage, MethodDescriptor, Value};

use super::error::{Origin, RoutingError, RulePart};
use super::method::{HttpRule, Method};
use super::selector::Methods;
use super::template::Template;
use crate::schema::http_option;
use crate::schema::tables::Tables;
use crate::text::problems::Problems;
use crate::text::shown::{NAME, shown};

/// One way to a method, and where it is declared. Additional bindings are each a `Declared` of their own: the rule has
/// some only where it is such a binding itself, which shouldn't.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) method: Rc<Method>,
    pub(super) origin: Origin,
    pub(super) rule: HttpRule,
}

impl Declared {
    /// Whether the rule leads nowhere and needn't: it is one of the plugin configuration without a path, which takes the
    /// annotation away, or whose path has been refused.
    pub(super) fn is_no_way(&self) -> bool {
        matches!(self.origin, Origin::Rule { .. }) && self.rule.is_without_path()
    }
}

/// Which methods are also reached by a POST to `/pkg.Service/Method`, with the request message as the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoMapping {
    /// Those of services none of whose methods has a rule: what a `.proto` with rules gives no path stays closed.
    Unruled,
    /// Every method.
    All,
    /// None.
    None,
}

/// The methods, and all ways to them: first those of rules, method by method, then by `auto_mapping` the automatic ones.
/// None of the ways has been checked.
///
/// `rules` are the plugin configuration's. A rule replaces the annotation of each method that it selects
/// ([`Methods::give`]). A rule that selects none is an error, but for one without a selector, which is passed over.
pub(super) fn declared(
    tables: &Tables,
    methods: &Methods,
    rules: &[HttpRule],
    auto_mapping: AutoMapping,
    problems: &mut Problems<RoutingError>,
) -> (Vec<Rc<Method>>, Vec<Declared>) {
    let descriptors = methods.descriptors();
    let mut compiled = Vec::with_capacity(descriptors.len());
    let mut replaced: Vec<Option<usize>> = vec![None; descriptors.len()];
    for (rule, index) in rules.iter().zip(0..) {
        // Without a selector, that it lacks one has been said.
        let selects = !rule.selector.is_empty() && methods.give(&rule.selector, index, &mut replaced);
        if !selects {
            if !rule.selector.is_empty() {
                problems.add(|| RoutingError {
                    key: Some(format!("http_rules[{index}].selector")),
                    method: None,
                    message: methods.unknown(&rule.selector),
                });
            }
            check_paths(index, rule, problems);
        }
    }

    let mut declared = Vec::new();
    let mut automatic = Vec::new();
    for (index, (descriptor, replaced)) in descriptors.iter().zip(replaced).enumerate() {
        let method = match method(tables, descriptor, index) {
            Ok(method) => Rc::new(method),
            Err(error) => {
                problems.add(|| error);
                continue;
            }
        };
        compiled.push(Rc::clone(&method));
        match replaced.and_then(|index| Some((index, rules.get(index)?))) {
            Some((index, rule)) => flatten(&method, rule, &mut declared, |additional| Origin::Rule {
                index,
                additional,
            }),
            None => {
                if let Some(rule) = annotation(descriptor) {
                    flatten(&method, &rule, &mut declared, |additional| Origin::Annotation {
                        additional,
                    });
                }
            }
        }
        if auto_mapping != AutoMapping::None {
            automatic.push(Declared {
                rule: HttpRule {
                    selector: method.full_name.to_string(),
                    http_method: "POST".into(),
                    template: method.path.to_string(),
                    body: "*".into(),
                    response_body: String::new(),
                    additional_bindings: Vec::new(),
                },
                origin: Origin::Auto,
                method,
            });
        }
    }
    if auto_mapping == AutoMapping::Unruled {
        let ruled: HashSet<_> = declared.iter().map(|declared| &*declared.method.service).collect();
        automatic.retain(|automatic| !ruled.contains(&*automatic.method.service));
    }
    declared.append(&mut automatic);
    (compiled, declared)
}

/// Compiles a method. `index` is its position among the served methods.
fn method(tables: &Tables, descriptor: &MethodDescriptor, index: usize) -> Result<Method, RoutingError> {
    let message = |name: &str| {
        tables.message_index(name).ok_or_else(|| RoutingError {
            key: None,
            method: Some(descriptor.full_name().into()),
            message: format!("the schema has no message `{name}`"),
        })
    };
    let service = descriptor.parent_service().full_name();
    Ok(Method {
        index,
        full_name: descriptor.full_name().into(),
        service: service.into(),
        name: descriptor.name().into(),
        path: format!("/{service}/{}", descriptor.name()).into(),
        input: message(descriptor.input().full_name())?,
        output: message(descriptor.output().full_name())?,
        client_streaming: descriptor.is_client_streaming(),
        server_streaming: descriptor.is_server_streaming(),
    })
}

/// Adds the rule and its additional bindings to `declared`, one after the other. `origin` tells where each is declared,
/// from its position in `additional_bindings`.
fn flatten(
    method: &Rc<Method>,
    rule: &HttpRule,
    declared: &mut Vec<Declared>,
    origin: impl Fn(Option<usize>) -> Origin,
) {
    let itself = HttpRule {
        additional_bindings: Vec::new(),
        ..rule.clone()
    };
    let additional = rule.additional_bindings.iter().cloned().zip(0..);
    let additional = additional.map(|(rule, index)| (rule, Some(index)));
    for (rule, additional) in [(itself, None)].into_iter().chain(additional) {
        declared.push(Declared {
            method: method.clone(),
            origin: origin(additional),
            rule,
        });
    }
}

/// Checks what can be said of the plugin configuration's rule at the position `index` without its methods: the HTTP methods
/// and the syntax of paths.
pub(super) fn check_paths(index: usize, rule: &HttpRule, problems: &mut Problems<RoutingError>) {
    let additional = rule.additional_bindings.iter().zip(0..);
    let additional = additional.map(|(rule, at)| (rule, Some(at)));
    for (rule, additional) in [(rule, None)].into_iter().chain(additional) {
        if !rule.is_without_path()
            && let Err((part, message)) = template(rule)
        {
            let origin = Origin::Rule { index, additional };
            problems.add(|| RoutingError::new(origin, part, &rule.http_method, None, message));
        }
    }
}

/// The parsed path of a rule. On error says which part of the rule is wrong, and how.
pub(super) fn template(rule: &HttpRule) -> Result<Template, (RulePart, String)> {
    if rule.is_without_path() {
        let message = "expected an HTTP method and a path: get, put, post, delete, patch or custom";
        return Err((RulePart::Whole, message.into()));
    }
    if !is_token(&rule.http_method) {
        let found = shown(rule.http_method.as_bytes(), NAME);
        let message = format!("expected an HTTP method (or `*` for any), found `{found}`");
        return Err((RulePart::Whole, message));
    }
    Template::parse(&rule.template).map_err(|error| {
        let path = shown(rule.template.as_bytes(), NAME);
        (RulePart::Path, format!("path `{path}`: {error}"))
    })
}

/// Whether this is a token (RFC 9110, section 5.6.2), as an HTTP method has to be (section 9.1).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The method's `google.api.http` (google/api/annotations.proto).
fn annotation(method: &MethodDescriptor) -> Option<HttpRule> {
    let options = method.options();
    let (_, value) = options
        .extensions()
        .find(|(extension, _)| extension.number() == http_option::NUMBER)?;
    Some(rule(value.as_message()?, 2))
}

/// Reads a `google.api.HttpRule`, with its additional bindings down to `levels`.
fn rule(message: &DynamicMessage, levels: u32) -> HttpRule {
    let text = |message: &DynamicMessage, number| {
        message
            .get_field_by_number(number)
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let (http_method, template) = PATTERNS
        .iter()
        .find(|(number, _)| message.has_field_by_number(*number))
        .map(|(number, http_method)| ((*http_method).to_owned(), text(message, *number)))
        .or_else(|| {
            let custom = message
                .has_field_by_number(8)
                .then(|| message.get_field_by_number(8))??;
            let custom = custom.as_message()?;
            Some((text(custom, 1), text(custom, 2)))
        })
        .unwrap_or_default();
    let additional = message.get_field_by_number(11);
    let additional = additional.as_deref().and_then(Value::as_list).unwrap_or_default();
    HttpRule {
        selector: text(message, 1),
        http_method,
        template,
        body: text(message, 7),
        response_body: text(message, 12),
        additional_bindings: if levels == 0 {
            Vec::new()
        } else {
            let below = additional.iter().filter_map(Value::as_message);
            below.map(|message| rule(message, levels - 1)).collect()
        },
    }
}

/// The numbers of the fields of `google.api.HttpRule` that hold a path template, and the HTTP method of each.
const PATTERNS: [(u32, &str); 5] = [(2, "GET"), (3, "PUT"), (4, "POST"), (5, "DELETE"), (6, "PATCH")];
