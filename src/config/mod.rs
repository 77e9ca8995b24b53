//! The plugin configuration: makes a [`Plugin`], ready for requests, of the bytes that the host hands over.
//!
//! Everything that can be wrong with a configuration is found here, before any request, and all of it at once; each
//! error names its key.
//!
//! - `value`: the bytes as a JSON object.
//! - [`keys`]: the table of keys, with their defaults.
//! - [`deprecated`]: what earlier versions took, made what it means now before the check.
//! - `check`: the object against the table.
//! - `settings`: the values that are neither schema nor routing, each in its own type.
//! - `source`: the compiled schema, and which of its services are served.
//! - `service_config`: a document in `http_rules`, made a list before the check.
//! - `rules`: `http_rules` as HTTP rules.
//! - `success`: `success_status`, by method.
//! - `transforms`: `transforms`, as rules.
//! - `hooks`: `hooks`, with what they need of the other settings.
//! - `openapi`: `openapi`, and whether its paths are free.
//! - `error`: why a configuration cannot be used.

use serde_json::{Map, Value};

use self::check::Checked;
pub use self::error::{ConfigError, ConfigErrors};
use self::rules::{base_path, http_rules};
use self::service_config::Form;
pub use self::settings::{Dispatch, Limits, NativeGrpc, Settings, Streaming, Unmatched, Upstream};
use self::source::{Compiled, Given, compile_schema, served};
use self::success::{StatusRules, SuccessStatuses};
use self::transforms::{entries, rule_error};
use crate::hooks::Hooks;
use crate::openapi::{Changes, Document, Options, Source};
use crate::routing::{AutoMapping, Router, RoutingError, check_paths};
use crate::schema::tables::Tables;
use crate::text::problems::Problems;
use crate::transform::{self, Transforms};

mod check;
pub mod deprecated;
mod error;
mod hooks;
pub mod keys;
#[cfg(test)]
mod kong_metadata;
mod openapi;
mod rules;
mod service_config;
mod settings;
mod source;
mod success;
mod transforms;
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
    /// What is changed in the messages of each method.
    pub transforms: Transforms,
    /// The hooks: plugin servers that are asked about requests and responses, if there are any.
    pub hooks: Option<Hooks>,
    /// The OpenAPI document and its page, if the configuration asks for them.
    pub openapi: Option<Document>,
    /// What to tell when it is loaded, a line each: what of the schema is left out for want of files
    /// ([`Schema::left_out`](crate::schema::Schema::left_out)), and which rules are for services that aren't served.
    pub notices: Vec<String>,
    /// What the operator should change, a line each: what is [deprecated].
    pub warnings: Vec<String>,
}

impl Plugin {
    /// Loads a configuration: a JSON object as text, or a `google.protobuf.Struct` in wire format.
    ///
    /// `seed` perturbs the hash of field names, see [`Tables::build`].
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each with the path of its key: first keys and values, then the schema, then what
    /// depends on it. Errors that only follow from another one are left out: after an error, the rest is checked as far
    /// as its meaning is known.
    pub fn load(configuration: impl AsRef<[u8]>, seed: u64) -> Result<Self, ConfigErrors> {
        let mut errors = Problems::default();
        let read = value::read(configuration.as_ref(), &mut errors);
        // Most of it is the schema mostly, and that makes room for what becomes of it.
        drop(configuration);
        let Some(mut configuration) = read else {
            return Err(errors.into());
        };
        let warnings = deprecated::replace(&mut configuration);
        let form = Form::take(&mut configuration, &mut errors);
        let loaded = Self::load_object(configuration, form, seed);
        let loaded = loaded.map_err(|problems| errors.append(problems, |error| form.told(error)));
        match loaded {
            Ok(plugin) if errors.is_empty() => Ok(Self { warnings, ..plugin }),
            _ => Err(errors.into()),
        }
    }

    /// Loads a configuration whose `http_rules` are a list, and were given in this form.
    fn load_object(configuration: Map<String, Value>, form: Form, seed: u64) -> Result<Self, Problems<ConfigError>> {
        let mut errors = Problems::default();
        let mut checked = Checked::new(configuration, &mut errors);
        let given = Given::take(&mut checked);
        let settings = Settings::new(&checked);
        if settings.upstream.connect_bridge && settings.dispatch == Dispatch::Call {
            errors.add(|| {
                let message =
                    "expected false with dispatch: call, by which nothing goes in place: leave one of them out";
                ConfigError::new("upstream.connect_bridge", message)
            });
        }
        if settings.upstream.bridge_bodies && !settings.upstream.connect_bridge {
            errors.add(|| {
                let message = "expected false without upstream.connect_bridge: true: set that too, or leave this out";
                ConfigError::new("upstream.bridge_bodies", message)
            });
        }
        let mut rules = http_rules(&checked, &mut errors);
        let base_path = base_path(&checked, &mut errors);
        let statuses = StatusRules::read(&checked, &mut errors);
        let entries = entries(&checked, &mut errors);
        let hooks = hooks::read(&checked, &settings, &mut errors);
        let described = openapi::options(&checked, &mut errors);
        let schema = compile_schema(&checked, given, &settings.limits, described.is_some(), &mut errors);
        let compiled = schema.and_then(|compiled| {
            let methods = served(&checked, compiled.key, &compiled.schema, &mut errors)?;
            Some((compiled, methods))
        });
        let Some((compiled, methods)) = compiled else {
            errors.append(check_paths(&rules), |error| routing_error("", error));
            return Err(errors);
        };
        let Compiled {
            key: source_key,
            schema,
            comments,
        } = compiled;
        let passed_over = form.pass_over(&mut rules, &methods);
        let mut tables = Tables::build(schema.pool(), schema.features(), seed);
        if checked.flag("json.strip_enum_prefix") {
            tables = tables.without_enum_prefixes();
        }
        if checked.flag("json.preserve_proto_field_names") {
            tables = tables.with_proto_names();
        }
        let auto_mapping = match checked.flag_or_auto("auto_mapping") {
            _ if !checked.is_known("auto_mapping") => AutoMapping::None,
            None => AutoMapping::Unruled,
            Some(true) => AutoMapping::All,
            Some(false) => AutoMapping::None,
        };
        let router = Router::build(&tables, &methods, &rules, auto_mapping, &base_path);
        let router = router.map_err(|problems| errors.append(problems, |error| routing_error(source_key, error)));
        let success_statuses = statuses.select(&methods, &mut errors);
        let transforms = Transforms::compile(
            &entries,
            &transform::Schema {
                tables: &tables,
                pool: schema.pool(),
                left_out: schema.left_out(),
            },
            &methods,
            &settings.parse,
            settings.limits.max_message_bytes,
        );
        let transforms = transforms.map_err(|problems| errors.append(problems, rule_error));
        let excluded = openapi::exclude(&checked, &methods, &mut errors);
        let openapi = match (described, &router) {
            (Some(options), Ok(router)) if errors.is_empty() => {
                let document = Document::new(&Source {
                    tables: &tables,
                    pool: schema.pool(),
                    comments: &comments,
                    routes: router.routes(),
                    methods: &methods,
                    base_path: &base_path,
                    parse: &settings.parse,
                    print: &settings.print,
                    errors: settings.errors,
                    status: &|method| success_statuses.of(method),
                    options: &Options { excluded, ..options },
                    changes: Changes::of(&entries, &methods, &tables),
                });
                openapi::check_paths(&document, router, &base_path, &mut errors);
                Some(document)
            }
            _ => None,
        };
        match (router, transforms) {
            (Ok(router), Ok(transforms)) if errors.is_empty() => Ok(Self {
                openapi,
                settings,
                tables,
                router,
                success_statuses,
                transforms,
                hooks,
                notices: schema
                    .left_out()
                    .map(str::to_owned)
                    .into_iter()
                    .chain(passed_over)
                    .collect(),
                warnings: Vec::new(),
            }),
            _ => Err(errors),
        }
    }
}

/// `source_key` is the key of the schema, which is at fault for annotations.
fn routing_error(source_key: &str, error: RoutingError) -> ConfigError {
    let method = error.method.map(|method| format!("{method}: ")).unwrap_or_default();
    ConfigError::new(
        error.key.unwrap_or_else(|| source_key.to_owned()),
        format!("{method}{}", error.message),
    )
}

#[cfg(test)]
mod tests;
