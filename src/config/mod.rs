//! The plugin configuration: text or Struct bytes to validated settings and a compiled schema and router.
//!
//! Everything that can be wrong is found here, before any request; each error names its key.

use self::check::Checked;
pub use self::error::ConfigError;
use self::rules::http_rules;
pub use self::settings::{Dispatch, Limits, Settings, Streaming, Unmatched, Upstream};
use self::source::{compile_schema, served};
use crate::routing::Router;
use crate::schema::tables::Tables;

mod check;
mod error;
pub mod keys;
#[cfg(test)]
mod kong_metadata;
mod rules;
mod settings;
mod source;
mod value;

/// All that a configuration gives, ready for requests. Nothing of it changes later.
#[derive(Debug)]
pub struct Plugin {
    /// What isn't schema or routing.
    pub settings: Settings,
    /// The schema's messages and enums.
    pub tables: Tables,
    /// The bindings of the served methods.
    pub router: Router,
}

impl Plugin {
    /// Loads a configuration: JSON text, or the wire form of a `google.protobuf.Struct`. `seed` is for
    /// [`Tables::build`].
    pub fn load(configuration: &[u8], seed: u64) -> Result<Self, ConfigError> {
        let checked = Checked::new(value::read(configuration)?)?;
        let settings = Settings::new(&checked);
        let rules = http_rules(&checked)?;
        let (source_key, schema) = compile_schema(&checked, settings.limits.max_proto_bytes)?;
        let services = served(&checked, source_key, &schema)?;
        let tables = Tables::build(schema.pool(), schema.features(), seed);
        let router = Router::build(&tables, &services, &rules, checked.flag("auto_mapping")).map_err(|error| {
            let method = error.method.map(|method| format!("{method}: ")).unwrap_or_default();
            ConfigError::new(
                error.key.unwrap_or_else(|| source_key.to_owned()),
                format!("{method}{}", error.message),
            )
        })?;
        Ok(Self {
            settings,
            tables,
            router,
        })
    }
}

#[cfg(test)]
mod tests;
