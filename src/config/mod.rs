//! The plugin configuration: from the bytes that the host hands over to a [`Plugin`], which is ready for requests.
//!
//! Everything that can be wrong with a configuration is found here, before any request; each error names its key.
//!
//! - `value`: the bytes as a JSON object.
//! - [`keys`]: the table of keys, with their defaults.
//! - `check`: the object against the table.
//! - `settings`: the values that are neither schema nor routing, each in its own type.
//! - `source`: the compiled schema, and which of its services are served.
//! - `rules`: `http_rules` as HTTP rules.
//! - `success`: `success_status`, by method.
//! - `error`: why a configuration cannot be used.

use self::check::Checked;
pub use self::error::ConfigError;
use self::rules::{base_path, http_rules};
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
    /// What of the schema is left out for want of files ([`Schema::left_out`](crate::schema::Schema::left_out)).
    pub left_out: Option<String>,
}

impl Plugin {
    /// Loads a configuration: a JSON object as text, or a `google.protobuf.Struct` in wire format.
    ///
    /// `seed` perturbs the hash of field names, see [`Tables::build`]. The error is the first that is found, with the
    /// path of its key.
    pub fn load(configuration: &[u8], seed: u64) -> Result<Self, ConfigError> {
        let checked = Checked::new(value::read(configuration)?)?;
        let settings = Settings::new(&checked);
        let rules = http_rules(&checked)?;
        let base_path = base_path(&checked)?;
        let (source_key, schema) = compile_schema(&checked, &settings.limits)?;
        let services = served(&checked, source_key, &schema)?;
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
            left_out: schema.left_out().map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests;
