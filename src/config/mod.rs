//! The plugin configuration: text or Struct bytes to validated settings and a compiled schema and router.
//!
//! Everything that can be wrong is found here, before any request; each error names its key.

use std::fmt;
use std::time::Duration;

use log::LevelFilter;
use prost_reflect::ServiceDescriptor;
use serde_json::{Map, Value};

use self::keys::Checked;
use crate::codec::{ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields};
use crate::grpc::ErrorFormat;
use crate::http::stream_format::StreamFormat;
use crate::routing::{HttpRule, QueryOptions, Router, UnknownParameters};
use crate::schema::tables::Tables;
use crate::schema::{Schema, Source, nearest};
use crate::text::base64::decode_text;

pub mod keys;
#[cfg(test)]
mod kong_metadata;
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

/// What a request needs to know of the configuration beside schema and routing. [`keys::KEYS`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `dispatch`.
    pub dispatch: Dispatch,
    /// `upstream`.
    pub upstream: Upstream,
    /// `unmatched`.
    pub unmatched: Unmatched,
    /// The part of `json` that is about reading.
    pub parse: ParseOptions,
    /// The part of `json` that is about writing.
    pub print: PrintOptions,
    /// `query`.
    pub query: QueryOptions,
    /// `update_mask_from_body`.
    pub update_mask_from_body: bool,
    /// `errors.format`.
    pub errors: ErrorFormat,
    /// `streaming`.
    pub streaming: Streaming,
    /// `metrics`; unset, the host decides.
    pub metrics: Option<bool>,
    /// `access_log`.
    pub access_log: bool,
    /// `log_level`.
    pub log_level: LevelFilter,
    /// `limits`.
    pub limits: Limits,
}

impl Settings {
    fn new(checked: &Checked) -> Self {
        Self {
            dispatch: match checked.choice("dispatch").as_str() {
                "call" => Dispatch::Call,
                "forward" => Dispatch::Forward,
                _ => Dispatch::Auto,
            },
            upstream: Upstream {
                cluster: checked.text("upstream.cluster"),
                authority: checked.text("upstream.authority"),
                timeout: checked.duration("upstream.timeout"),
                grpc_web: checked.flag("upstream.grpc_web"),
            },
            unmatched: match checked.choice("unmatched").as_str() {
                "pass_through" => Unmatched::PassThrough,
                _ => Unmatched::Reject,
            },
            parse: ParseOptions {
                unknown_fields: match checked.choice("json.unknown_fields").as_str() {
                    "reject" => UnknownFields::Reject,
                    _ => UnknownFields::Ignore,
                },
                unknown_enum_names: match checked.choice("json.unknown_enum_names").as_str() {
                    "ignore" => UnknownEnumNames::Ignore,
                    _ => UnknownEnumNames::Reject,
                },
                case_insensitive_enums: checked.flag("json.case_insensitive_enums"),
                ..ParseOptions::default()
            },
            print: PrintOptions {
                always_print_fields_with_no_presence: checked.flag("json.always_print_fields_with_no_presence"),
                always_print_enums_as_ints: checked.flag("json.always_print_enums_as_ints"),
                preserve_proto_field_names: checked.flag("json.preserve_proto_field_names"),
                unquote_int64_if_possible: checked.flag("json.unquote_int64_if_possible"),
                add_whitespace: checked.flag("json.add_whitespace"),
            },
            query: QueryOptions {
                unknown: match checked.choice("query.unknown").as_str() {
                    "reject" => UnknownParameters::Reject,
                    _ => UnknownParameters::Ignore,
                },
                ignored: checked.texts("query.ignored").into_iter().collect(),
            },
            update_mask_from_body: checked.flag("update_mask_from_body"),
            errors: match checked.choice("errors.format").as_str() {
                "google" => ErrorFormat::Google,
                _ => ErrorFormat::Status,
            },
            streaming: Streaming {
                default: match checked.choice("streaming.default").as_str() {
                    "ndjson" => StreamFormat::Ndjson,
                    "sse" => StreamFormat::Sse,
                    _ => StreamFormat::Array,
                },
                timeout: checked.duration("streaming.timeout"),
            },
            metrics: checked.given("metrics").map(|_| checked.flag("metrics")),
            access_log: checked.flag("access_log"),
            log_level: match checked.choice("log_level").as_str() {
                "error" => LevelFilter::Error,
                "warn" => LevelFilter::Warn,
                "debug" => LevelFilter::Debug,
                _ => LevelFilter::Info,
            },
            limits: Limits {
                max_proto_bytes: checked.size("limits.max_proto_bytes"),
                max_request_bytes: checked.size("limits.max_request_bytes"),
                max_response_bytes: checked.size("limits.max_response_bytes"),
                max_message_bytes: checked.size("limits.max_message_bytes"),
                gateway_buffer_bytes: checked.size("limits.gateway_buffer_bytes"),
            },
        }
    }
}

/// How a request travels to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// In place where the host can carry the request so, else by a call.
    Auto,
    /// By the host's gRPC call API.
    Call,
    /// In place: the gateway's own router sends the request.
    Forward,
}

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The cluster of calls; none: the route's.
    pub cluster: Option<String>,
    /// The `:authority` of calls; none: the host's own choice.
    pub authority: Option<String>,
    /// The longest that an answer may take, at least a millisecond; none: the gateway's own, and 15 s for calls.
    pub timeout: Option<Duration>,
    /// Whether Envoy's grpc_web filter is right behind this one.
    pub grpc_web: bool,
}

/// What becomes of a request that no method is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// 404 or 405.
    Reject,
    /// It goes on untouched.
    PassThrough,
}

/// How streams are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streaming {
    /// The format when the client accepts any.
    pub default: StreamFormat,
    /// The longest that a whole stream may take; none: the gateway's own, and 15 s for calls.
    pub timeout: Option<Duration>,
}

/// Bounds in bytes, each at least 1 and at most [`keys::MAX_SIZE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The `.proto` texts together.
    pub max_proto_bytes: usize,
    /// The body of a request.
    pub max_request_bytes: usize,
    /// What is held of a response that cannot be streamed.
    pub max_response_bytes: usize,
    /// One gRPC message.
    pub max_message_bytes: usize,
    /// What the gateway itself can hold back of a body.
    pub gateway_buffer_bytes: usize,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the key at fault, `http_rules[2].body`; empty for the configuration as a whole.
    pub key: String,
    /// What was found and what was expected.
    pub message: String,
}

impl ConfigError {
    fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration: ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Compiles the schema, and says which key it came from.
fn compile_schema(checked: &Checked, max_proto_bytes: usize) -> Result<(&'static str, Schema), ConfigError> {
    const SOURCES: [&str; 3] = ["proto", "protos", "descriptor_set"];
    let given: Vec<_> = SOURCES
        .into_iter()
        .filter_map(|key| checked.given(key).map(|value| (key, value)))
        .collect();
    let [(key, value)] = given.as_slice() else {
        let found = given.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(" and ");
        return Err(ConfigError::new(
            "",
            format!(
                "expected a schema, in exactly one of {}, but found {}",
                SOURCES.join(", "),
                if found.is_empty() { "none" } else { &found }
            ),
        ));
    };
    let compiled = match value {
        Value::Object(files) => {
            let texts: Vec<_> = files
                .iter()
                .map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned()))
                .collect();
            Schema::compile(Source::Protos(&texts), max_proto_bytes)
        }
        value => {
            let text = value.as_str().unwrap_or_default();
            if *key == "proto" {
                Schema::compile(Source::Proto(text), max_proto_bytes)
            } else {
                let bytes = decode_text(text).map_err(|error| {
                    ConfigError::new(*key, format!("expected base64, but found other text ({error})"))
                })?;
                Schema::compile(Source::DescriptorSet(&bytes), max_proto_bytes)
            }
        }
    };
    match compiled {
        Ok(schema) => Ok((key, schema)),
        Err(error) => Err(ConfigError::new(*key, error.to_string())),
    }
}

/// The services to serve.
fn served(checked: &Checked, source_key: &str, schema: &Schema) -> Result<Vec<ServiceDescriptor>, ConfigError> {
    let names = checked.texts("services");
    if checked.given("services").is_some() && names.is_empty() {
        return Err(ConfigError::new(
            "services",
            "expected at least one service, but found an empty list",
        ));
    }
    if names.is_empty() {
        return match schema.services() {
            [] => Err(ConfigError::new(
                source_key,
                "expected at least one service, but the schema has none",
            )),
            services => Ok(services.to_vec()),
        };
    }
    let mut served: Vec<ServiceDescriptor> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let key = format!("services[{at}]");
        let Some(service) = schema.pool().get_service_by_name(name) else {
            let mut known: Vec<_> = schema.services().iter().map(ServiceDescriptor::full_name).collect();
            let meant = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("; did you mean \"{meant}\"?"),
                None => String::new(),
            };
            known.sort_unstable();
            return Err(ConfigError::new(
                key,
                format!(
                    "expected a service of the schema, but found {name:?}{meant} (services: {})",
                    known.join(", ")
                ),
            ));
        };
        if served.contains(&service) {
            return Err(ConfigError::new(key, format!("the service {name} is listed twice")));
        }
        served.push(service);
    }
    Ok(served)
}

fn http_rules(checked: &Checked) -> Result<Vec<HttpRule>, ConfigError> {
    let Some(Value::Array(rules)) = checked.given("http_rules") else {
        return Ok(Vec::new());
    };
    let objects = rules.iter().filter_map(Value::as_object).enumerate();
    objects
        .map(|(at, rule)| {
            let key = format!("http_rules[{at}]");
            if !rule.contains_key("selector") {
                return Err(ConfigError::new(
                    format!("{key}.selector"),
                    "expected the full name of a method, but found nothing",
                ));
            }
            http_rule(&key, rule)
        })
        .collect()
}

/// One rule; its additional bindings have none themselves, which bounds the recursion.
fn http_rule(key: &str, rule: &Map<String, Value>) -> Result<HttpRule, ConfigError> {
    const PATTERNS: [&str; 6] = ["get", "put", "post", "delete", "patch", "custom"];
    let text = |object: &Map<String, Value>, name: &str| {
        object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let given: Vec<_> = PATTERNS
        .into_iter()
        .filter_map(|name| rule.get(name).map(|pattern| (name, pattern)))
        .collect();
    let [(name, pattern)] = given.as_slice() else {
        let found = given.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
        return Err(ConfigError::new(
            key,
            format!(
                "expected exactly one of {}, but found {}",
                PATTERNS.join(", "),
                if found.is_empty() { "none" } else { &found }
            ),
        ));
    };
    let (http_method, template) = match pattern {
        Value::Object(custom) => {
            for part in ["kind", "path"] {
                if !custom.contains_key(part) {
                    return Err(ConfigError::new(
                        format!("{key}.custom.{part}"),
                        "expected a string, but found nothing",
                    ));
                }
            }
            (text(custom, "kind"), text(custom, "path"))
        }
        _ => (name.to_ascii_uppercase(), text(rule, name)),
    };
    let additional = rule.get("additional_bindings").and_then(Value::as_array);
    Ok(HttpRule {
        selector: text(rule, "selector"),
        http_method,
        template,
        body: text(rule, "body"),
        response_body: text(rule, "response_body"),
        additional_bindings: additional
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .enumerate()
            .map(|(at, binding)| http_rule(&format!("{key}.additional_bindings[{at}]"), binding))
            .collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests;
