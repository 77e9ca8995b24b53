//! What is wrong with the HTTP rules of a configuration, and where a rule is declared.

use std::fmt;

use super::method::Method;

/// One thing that is wrong with the HTTP rules of a configuration. Printed as `KEY: METHOD: MESSAGE`, without what is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingError {
    /// The path of the key in the plugin configuration, such as `http_rules[2].body`. `None` for an annotation in the
    /// schema: then the message begins with the path of the option, `google.api.http.body`.
    pub key: Option<String>,
    /// The full name of the method whose rule is wrong; `None` where no method is selected.
    pub method: Option<String>,
    /// What was found and what was expected.
    pub message: String,
}

impl RoutingError {
    /// What is wrong with the `part` of a rule, declared at `origin`. `http_method` is the rule's: the key of a path is
    /// named after it. An annotation may be in somebody else's file: what else can be done is said with it.
    pub(super) fn new(
        origin: Origin,
        part: RulePart,
        http_method: &str,
        method: Option<&Method>,
        message: String,
    ) -> Self {
        let below = match (part, http_method) {
            (RulePart::Whole, _) => "",
            (RulePart::Path, "GET") => ".get",
            (RulePart::Path, "PUT") => ".put",
            (RulePart::Path, "POST") => ".post",
            (RulePart::Path, "DELETE") => ".delete",
            (RulePart::Path, "PATCH") => ".patch",
            (RulePart::Path, _) => ".custom.path",
            (RulePart::Body, _) => ".body",
            (RulePart::ResponseBody, _) => ".response_body",
        };
        let method = method.map(|method| method.full_name.to_string());
        let (key, message) = match (origin, &method) {
            (Origin::Annotation { .. }, Some(selector)) => {
                let end = if message.ends_with('?') { "" } else { "." };
                let message = format!(
                    "{origin}{below}: {message}{end} To replace this rule, add one to `http_rules` with `selector: \
                     {selector}`; to remove it, give only the selector"
                );
                (None, message)
            }
            (Origin::Annotation { .. }, None) => (None, format!("{origin}{below}: {message}")),
            (Origin::Rule { .. } | Origin::Auto, _) => (origin.key().map(|key| key + below), message),
        };
        Self { key, method, message }
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

/// Where a rule is declared. Printed as a path: `google.api.http.additional_bindings[1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// The method's `google.api.http`.
    Annotation {
        /// The position in `additional_bindings`; `None` for the rule itself.
        additional: Option<usize>,
    },
    /// The plugin configuration's `http_rules`.
    Rule {
        /// The position in `http_rules`.
        index: usize,
        /// The position in that rule's `additional_bindings`; `None` for the rule itself.
        additional: Option<usize>,
    },
    /// `auto_mapping`.
    Auto,
}

impl Origin {
    /// The path of the key in the plugin configuration; `None` for an annotation.
    fn key(self) -> Option<String> {
        match self {
            Self::Annotation { .. } => None,
            Self::Rule { index, additional } => Some(format!("http_rules[{index}]{}", suffix(additional))),
            Self::Auto => Some("auto_mapping".into()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation { additional } => write!(f, "google.api.http{}", suffix(*additional)),
            Self::Rule { index, additional } => write!(f, "http_rules[{index}]{}", suffix(*additional)),
            Self::Auto => f.write_str("auto_mapping"),
        }
    }
}

/// The path of an additional binding below its rule.
fn suffix(additional: Option<usize>) -> String {
    additional.map_or_else(String::new, |index| format!(".additional_bindings[{index}]"))
}

/// The part of a rule that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RulePart {
    /// The rule as a whole.
    Whole,
    /// The HTTP method with the path template.
    Path,
    /// `body`.
    Body,
    /// `response_body`.
    ResponseBody,
}
