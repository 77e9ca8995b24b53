//! `success_status` of a configuration: the HTTP status of each method's successes.

use prost_reflect::ServiceDescriptor;
use serde_json::Value;

use super::check::{Checked, whole_number};
use super::error::ConfigError;
use crate::http::status::is_without_content;
use crate::routing::{Method, Methods};

/// The HTTP status of successes, by method.
#[derive(Debug, Default)]
pub struct SuccessStatuses(
    /// By [`Method::index`]; empty where all are 200.
    Vec<u16>,
);

impl SuccessStatuses {
    /// Reads the rules. Of several that select one method the last wins, as in `http_rules`.
    ///
    /// # Errors
    ///
    /// A rule without one of its keys; a selector that selects no method; a status without content for a method that
    /// streams its response, which has content.
    pub(super) fn read(checked: &Checked, services: &[ServiceDescriptor]) -> Result<Self, ConfigError> {
        let Some(Value::Array(rules)) = checked.given("success_status") else {
            return Ok(Self::default());
        };
        let methods = Methods::of(services);
        let mut chosen: Vec<Option<(usize, u16)>> = vec![None; methods.descriptors().len()];
        for (at, rule) in rules.iter().enumerate() {
            let Some(selector) = rule.get("selector").and_then(Value::as_str) else {
                return Err(ConfigError::new(
                    format!("success_status[{at}].selector"),
                    "expected the full name of a method, but found nothing",
                ));
            };
            let status = rule.get("status").and_then(whole_number);
            let Some(status) = status.and_then(|status| u16::try_from(status).ok()) else {
                return Err(ConfigError::new(
                    format!("success_status[{at}].status"),
                    "expected a whole number from 200 to 299, but found nothing",
                ));
            };
            methods
                .give(selector, (at, status), &mut chosen)
                .map_err(|message| ConfigError::new(format!("success_status[{at}].selector"), message))?;
        }
        for (method, chosen) in methods.descriptors().iter().zip(&chosen) {
            if let Some((at, status)) = chosen
                && method.is_server_streaming()
                && is_without_content(*status)
            {
                return Err(ConfigError::new(
                    format!("success_status[{at}].status"),
                    format!(
                        "expected a status with content for {}, which streams its response, but found {status}; a later \
                         rule may give this method another",
                        method.full_name()
                    ),
                ));
            }
        }
        let statuses = chosen.into_iter().map(|chosen| chosen.map_or(OK, |(_, status)| status));
        Ok(Self(statuses.collect()))
    }

    /// The status of `method`'s successes: 200 unless a rule gives another.
    pub fn of(&self, method: &Method) -> u16 {
        self.0.get(method.index).copied().unwrap_or(OK)
    }
}

const OK: u16 = 200;
