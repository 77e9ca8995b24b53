//! The plugin configuration: from the bytes that the host hands over to a [`Plugin`], which is ready for requests.
//!
//! Everything that can be wrong with a configuration is found here, before any request; each error names its key.
//!
//! - `value`: the bytes as a JSON object.
//! - [`keys`]: the table of keys, with their defaults.
//! - `check`: the object against the table.
//! - `settings`: the values that are neither schema nor routing, each in its own type.
//! - `source`: the compiled schema, and which of its services are served.
//! - `service_config`: a document in `http_rules`, made a list before the check.
//! - `rules`: `http_rules` as HTTP rules.
//! - `success`: `success_status`, by method.
//! - `error`: why a configuration cannot be used.

use serde_json::{Map, Value};

use self::check::Checked;
pub use self::error::ConfigError;
use self::rules::{base_path, http_rules};
use self::service_config::Form;
pub use self::settings::{Dispatch, Limits, NativeGrpc, Settings, Streaming, Unmatched, Upstream};
use self::source::{compile_schema, served};
use self::success::SuccessStatuses;
use crate::routing::{AutoMapping, Router};
use crate::schema::tables::Tables;

mod check;
mod error;
pub mod keys;
#[cfg(test)]
mod kong_metadata;
mod rules;
mod service_config;
mod settings;
mod source;
mod success;
mod value;

/// A configuration, compiled and ready for requests. Nothing of it changes afterwards.
#[derive(Debug)]
pub struct Plugin {
    /// The settings that are neither schema nor routing.
    pub settings: Settings,
    /// The schema's messages and enums.
    pub tables: Tables,
    /// Finds the method for a request, among the HTTP bindings of the served services.
    pub router: Router,
    /// The HTTP status of each method's successes.
    pub success_statuses: SuccessStatuses,
    /// What to tell when it is loaded, a line each: what of the schema is left out for want of files
    /// ([`Schema::left_out`](crate::schema::Schema::left_out)), and which rules are for services that aren't served.
    pub notices: Vec<String>,
}

impl Plugin {
    /// Loads a configuration: a JSON object as text, or a `google.protobuf.Struct` in wire format.
    ///
    /// `seed` perturbs the hash of field names, see [`Tables::build`]. The error is the first that is found, with the
    /// path of its key.
    pub fn load(configuration: &[u8], seed: u64) -> Result<Self, ConfigError> {
        let mut configuration = value::read(configuration)?;
        let rules = Form::take(&mut configuration)?;
        Self::load_object(configuration, rules, seed).map_err(|error| rules.told(error))
    }

    /// Loads a configuration whose `http_rules` are a list, and were given in this form.
    fn load_object(configuration: Map<String, Value>, form: Form, seed: u64) -> Result<Self, ConfigError> {
        let checked = Checked::new(configuration)?;
        let settings = Settings::new(&checked);
        let mut rules = http_rules(&checked)?;
        let base_path = base_path(&checked)?;
        let (source_key, schema) = compile_schema(&checked, &settings.limits)?;
        let services = served(&checked, source_key, &schema)?;
        let passed_over = form.pass_over(&mut rules, &services);
        let mut tables = Tables::build(schema.pool(), schema.features(), seed);
        if checked.flag("json.strip_enum_prefix") {
            tables = tables.without_enum_prefixes();
        }
        let auto_mapping = match checked.flag_or_auto("auto_mapping") {
            None => AutoMapping::Unruled,
            Some(true) => AutoMapping::All,
            Some(false) => AutoMapping::None,
        };
        let router = Router::build(&tables, &services, &rules, auto_mapping, &base_path).map_err(|error| {
            let method = error.method.map(|method| format!("{method}: ")).unwrap_or_default();
            ConfigError::new(
                error.key.unwrap_or_else(|| source_key.to_owned()),
                format!("{method}{}", error.message),
            )
        })?;
        let success_statuses = SuccessStatuses::read(&checked, &services)?;
        Ok(Self {
            settings,
            tables,
            router,
            success_statuses,
            notices: schema
                .left_out()
                .map(str::to_owned)
                .into_iter()
                .chain(passed_over)
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests;
