//! `success_status` of a configuration: the HTTP status of each method's successes.

use std::collections::HashSet;

use serde_json::Value;

use super::check::{Checked, lacks, whole_number};
use super::error::ConfigError;
use crate::http::status::is_without_content;
use crate::routing::{Method, Methods};
use crate::text::problems::Problems;

/// The HTTP status of successes, by method.
#[derive(Debug, Default)]
pub struct SuccessStatuses(
    /// By [`Method::index`]; empty where all are 200.
    Vec<u16>,
);

impl SuccessStatuses {
    /// The status of `method`'s successes: 200 unless a rule gives another.
    pub fn of(&self, method: &Method) -> u16 {
        self.0.get(method.index).copied().unwrap_or(OK)
    }
}

/// The rules of `success_status`, of which it isn't known yet what they select.
#[derive(Debug)]
pub(super) struct StatusRules<'c>(Vec<StatusRule<'c>>);

/// `None`: it was refused.
#[derive(Clone, Copy, Debug)]
struct StatusRule<'c> {
    selector: Option<&'c str>,
    status: Option<u16>,
}

impl<'c> StatusRules<'c> {
    /// Reads the rules, each at its position in the configuration. A rule without one of its keys is an error.
    pub(super) fn read(checked: &'c Checked, errors: &mut Problems<ConfigError>) -> Self {
        let rules = checked.given("success_status").and_then(Value::as_array);
        let rules = rules.into_iter().flatten().enumerate().map(|(at, rule)| {
            let given = rule.as_object();
            for (key, expected) in [
                ("selector", "the full name of a method"),
                ("status", "a whole number from 200 to 299"),
            ] {
                if given.is_some_and(|given| lacks("success_status[]", given, &[key])) {
                    let message = format!("expected {expected}, but found nothing");
                    errors.add(|| ConfigError::new(format!("success_status[{at}].{key}"), message));
                }
            }
            let status = rule.get("status").and_then(whole_number);
            StatusRule {
                selector: rule.get("selector").and_then(Value::as_str),
                status: status.and_then(|status| u16::try_from(status).ok()),
            }
        });
        Self(rules.collect())
    }

    /// What the rules select among `methods`. Of several that select one method the last wins, as in `http_rules`.
    ///
    /// Errors are a selector that selects no method, and a status without content for a method that streams its response,
    /// which has content.
    pub(super) fn select(&self, methods: &Methods, errors: &mut Problems<ConfigError>) -> SuccessStatuses {
        if self.0.is_empty() {
            return SuccessStatuses::default();
        }
        let mut chosen: Vec<Option<(usize, Option<u16>)>> = vec![None; methods.descriptors().len()];
        for (at, rule) in self.0.iter().enumerate() {
            if let Some(selector) = rule.selector
                && !methods.give(selector, (at, rule.status), &mut chosen)
            {
                let message = || methods.unknown(selector);
                errors.add(|| ConfigError::new(format!("success_status[{at}].selector"), message()));
            }
        }
        let mut refused = HashSet::new();
        for (method, chosen) in methods.descriptors().iter().zip(&chosen) {
            if let Some((at, Some(status))) = chosen
                && method.is_server_streaming()
                && is_without_content(*status)
                && refused.insert(at)
            {
                errors.add(|| {
                    ConfigError::new(
                        format!("success_status[{at}].status"),
                        format!(
                            "expected a status with content for {}, which streams its response, but found {status}; a \
                             later rule may give this method another",
                            method.full_name()
                        ),
                    )
                });
            }
        }
        let statuses = chosen
            .into_iter()
            .map(|chosen| chosen.and_then(|(_, status)| status).unwrap_or(OK));
        SuccessStatuses(statuses.collect())
    }
}

const OK: u16 = 200;
