//! Every key of the plugin configuration, in one table: the parser, the defaults and the reference are read from it.

use serde_json::{Map, Value};

use super::ConfigError;
use crate::schema::nearest;
use crate::text::shown::{SETTING, beginning};

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The path, with `[]` for the elements of a list: `http_rules[].get`.
    pub path: &'static str,
    /// What its value can be.
    pub kind: Kind,
    /// The value it has when it isn't given, as JSON; none where there is no such value.
    pub default: Option<&'static str>,
    /// What it does.
    pub about: &'static str,
}

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string that isn't empty.
    Text,
    /// A string, empty or not.
    TextOrEmpty,
    /// `true` or `false`.
    Flag,
    /// A whole number of bytes, from 1 to [`MAX_SIZE`].
    Size,
    /// protobuf's JSON form of a duration: seconds, at most nine decimals, and an `s`.
    Duration,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A list of strings that aren't empty.
    Texts,
    /// An object whose values are strings.
    TextMap,
    /// An object with keys of its own in the table.
    Object,
    /// A list of objects with keys of their own in the table.
    Objects,
}

/// The largest limit: a quarter of what a module can address.
pub const MAX_SIZE: u64 = 1 << 30;

/// All keys, a parent before what is below it.
pub const KEYS: &[Key] = &[
    key("proto", Kind::Text, None, "The text of one .proto file."),
    key(
        "protos",
        Kind::TextMap,
        None,
        "The texts of several .proto files, by import path.",
    ),
    key(
        "descriptor_set",
        Kind::Text,
        None,
        "A serialized google.protobuf.FileDescriptorSet in base64, either alphabet, white space allowed.",
    ),
    key(
        "services",
        Kind::Texts,
        None,
        "Full names of the services to serve; unset, every service of the given files.",
    ),
    key(
        "http_rules",
        Kind::Objects,
        Some("[]"),
        "google.api.HttpRule objects, which replace the annotations of the methods they select.",
    ),
    key(
        "http_rules[].selector",
        Kind::Text,
        None,
        "The full name of a method, or a prefix that ends in .* for all below it.",
    ),
    key("http_rules[].get", Kind::Text, None, "The path template of a GET."),
    key("http_rules[].put", Kind::Text, None, "The path template of a PUT."),
    key("http_rules[].post", Kind::Text, None, "The path template of a POST."),
    key(
        "http_rules[].delete",
        Kind::Text,
        None,
        "The path template of a DELETE.",
    ),
    key("http_rules[].patch", Kind::Text, None, "The path template of a PATCH."),
    key("http_rules[].custom", Kind::Object, None, "Any other HTTP method."),
    key(
        "http_rules[].custom.kind",
        Kind::Text,
        None,
        "The HTTP method, or * for all.",
    ),
    key("http_rules[].custom.path", Kind::Text, None, "The path template."),
    key(
        "http_rules[].body",
        Kind::TextOrEmpty,
        Some("\"\""),
        "The request field that the body fills, * for the whole request, empty for none.",
    ),
    key(
        "http_rules[].response_body",
        Kind::TextOrEmpty,
        Some("\"\""),
        "The response field to print alone, empty for the whole response.",
    ),
    key(
        "http_rules[].additional_bindings",
        Kind::Objects,
        Some("[]"),
        "Further rules for the same method, without selector and additional_bindings.",
    ),
    key(
        "auto_mapping",
        Kind::Flag,
        Some("true"),
        "Whether POST /pkg.Service/Method reaches every method.",
    ),
    key(
        "dispatch",
        Kind::Choice(&["auto", "call", "forward"]),
        Some("\"auto\""),
        "How a request travels: by the gateway's own router (forward) or its gRPC call API (call).",
    ),
    key("upstream", Kind::Object, Some("{}"), "Where calls go."),
    key(
        "upstream.cluster",
        Kind::Text,
        None,
        "The cluster of calls; unset, the cluster of the route.",
    ),
    key(
        "upstream.authority",
        Kind::Text,
        None,
        "The :authority of calls; unset, the host's own choice.",
    ),
    key(
        "upstream.timeout",
        Kind::Duration,
        None,
        "The longest that an answer may take; caps the client's grpc-timeout. Unset, the timeout of the gateway's own \
         route holds, and 15s for calls.",
    ),
    key(
        "upstream.grpc_web",
        Kind::Flag,
        Some("false"),
        "Whether Envoy's grpc_web filter is right behind this one.",
    ),
    key(
        "unmatched",
        Kind::Choice(&["reject", "pass_through"]),
        Some("\"reject\""),
        "What becomes of a request that no method is bound to.",
    ),
    key("json", Kind::Object, Some("{}"), "How JSON is read and written."),
    key(
        "json.always_print_fields_with_no_presence",
        Kind::Flag,
        Some("false"),
        "Print fields without presence, lists and maps also where they have their default value.",
    ),
    key(
        "json.always_print_enums_as_ints",
        Kind::Flag,
        Some("false"),
        "Print enum numbers instead of names.",
    ),
    key(
        "json.preserve_proto_field_names",
        Kind::Flag,
        Some("false"),
        "Print the names of the .proto instead of lowerCamelCase.",
    ),
    key(
        "json.unquote_int64_if_possible",
        Kind::Flag,
        Some("false"),
        "Print 64-bit integers without quotes where a double holds them exactly.",
    ),
    key(
        "json.add_whitespace",
        Kind::Flag,
        Some("false"),
        "Print line breaks and indentation.",
    ),
    key(
        "json.unknown_fields",
        Kind::Choice(&["ignore", "reject"]),
        Some("\"ignore\""),
        "What becomes of a key that the message has no field for.",
    ),
    key(
        "json.unknown_enum_names",
        Kind::Choice(&["reject", "ignore"]),
        Some("\"reject\""),
        "What becomes of an enum name that the enum does not have.",
    ),
    key(
        "json.case_insensitive_enums",
        Kind::Flag,
        Some("false"),
        "Whether enum names match whatever their case.",
    ),
    key("query", Kind::Object, Some("{}"), "How query parameters are bound."),
    key(
        "query.unknown",
        Kind::Choice(&["ignore", "reject"]),
        Some("\"ignore\""),
        "What becomes of a query parameter that binds to nothing.",
    ),
    key(
        "query.ignored",
        Kind::Texts,
        Some("[]"),
        "Query parameters that are never bound and never unknown.",
    ),
    key(
        "update_mask_from_body",
        Kind::Flag,
        Some("true"),
        "Whether an unset update_mask of a PATCH names the fields of the body.",
    ),
    key("errors", Kind::Object, Some("{}"), "How errors are written."),
    key(
        "errors.format",
        Kind::Choice(&["status", "google"]),
        Some("\"status\""),
        "google.rpc.Status as it is, or in AIP-193's \"error\" object.",
    ),
    key("streaming", Kind::Object, Some("{}"), "How streams are written."),
    key(
        "streaming.default",
        Kind::Choice(&["array", "ndjson", "sse"]),
        Some("\"array\""),
        "The format of a stream whose client accepts any.",
    ),
    key(
        "streaming.timeout",
        Kind::Duration,
        None,
        "The longest that a whole stream may take; caps the client's grpc-timeout. Unset, the timeout of the gateway's \
         own route holds, and 15s for calls.",
    ),
    key(
        "metrics",
        Kind::Flag,
        None,
        "Whether requests are counted through the gateway's metrics; unset, in Envoy yes and in Kong no.",
    ),
    key(
        "access_log",
        Kind::Flag,
        Some("false"),
        "Whether the gateway's access log can print the gRPC method and status.",
    ),
    key(
        "log_level",
        Kind::Choice(&["error", "warn", "info", "debug"]),
        Some("\"info\""),
        "The least that is logged; debug has a line for each request.",
    ),
    key("limits", Kind::Object, Some("{}"), "Bounds, in bytes."),
    key(
        "limits.max_proto_bytes",
        Kind::Size,
        Some("1048576"),
        "The .proto texts together.",
    ),
    key(
        "limits.max_request_bytes",
        Kind::Size,
        Some("33554432"),
        "The body of a request: over it, 413.",
    ),
    key(
        "limits.max_response_bytes",
        Kind::Size,
        Some("33554432"),
        "What is held of a response that cannot be streamed: over it, 502.",
    ),
    key(
        "limits.max_message_bytes",
        Kind::Size,
        Some("16777216"),
        "One gRPC message: over it, 413 for a request and 502 for a response.",
    ),
    key(
        "limits.gateway_buffer_bytes",
        Kind::Size,
        Some("1048576"),
        "What the gateway itself can hold back of a body, as it is configured.",
    ),
];

const fn key(path: &'static str, kind: Kind, default: Option<&'static str>, about: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        about,
    }
}

/// A configuration that has known keys only, each with a value of its kind.
#[derive(Debug)]
pub(super) struct Checked(Map<String, Value>);

impl Checked {
    /// Checks all keys and values.
    pub(super) fn new(configuration: Map<String, Value>) -> Result<Self, ConfigError> {
        check_object("", "", &configuration)?;
        Ok(Self(configuration))
    }

    /// What the configuration gives for a key outside of lists.
    pub(super) fn given(&self, path: &str) -> Option<&Value> {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        match parent {
            "" => self.0.get(name),
            parent => self.0.get(parent)?.get(name),
        }
    }

    /// What is given, else the default.
    fn value(&self, path: &str) -> Value {
        self.given(path).cloned().unwrap_or_else(|| default(path))
    }

    /// A string, if there is one.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.value(path) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A string of a [`Kind::Choice`].
    pub(super) fn choice(&self, path: &str) -> String {
        self.text(path).unwrap_or_default()
    }

    /// A [`Kind::Flag`].
    pub(super) fn flag(&self, path: &str) -> bool {
        self.value(path) == Value::Bool(true)
    }

    /// A [`Kind::Size`].
    pub(super) fn size(&self, path: &str) -> usize {
        whole_number(&self.value(path))
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or_default()
    }

    /// A [`Kind::Duration`].
    pub(super) fn duration(&self, path: &str) -> Option<std::time::Duration> {
        self.text(path).and_then(|text| duration(&text))
    }

    /// A [`Kind::Texts`].
    pub(super) fn texts(&self, path: &str) -> Vec<String> {
        match self.value(path) {
            Value::Array(elements) => elements
                .into_iter()
                .filter_map(|element| element.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn default(path: &str) -> Value {
    KEYS.iter()
        .find(|key| key.path == path)
        .and_then(|key| serde_json::from_str(key.default?).ok())
        .unwrap_or(Value::Null)
}

/// Checks an object. `table_path` is its path in [`KEYS`], `path` the same with the positions in lists.
///
/// The nesting of [`KEYS`] bounds the recursion, and for `additional_bindings` its own check does.
fn check_object(table_path: &str, path: &str, object: &Map<String, Value>) -> Result<(), ConfigError> {
    for (name, value) in object {
        let join = |parent: &str| match parent {
            "" => name.clone(),
            parent => format!("{parent}.{name}"),
        };
        let path = join(path);
        match KEYS.iter().find(|key| key.path == join(table_path)) {
            Some(key) => check_value(key, &path, value)?,
            None => return Err(unknown_key(table_path, path, name)),
        }
    }
    Ok(())
}

fn check_value(key: &Key, path: &str, value: &Value) -> Result<(), ConfigError> {
    let wrong = |path: String, expected: &str, value: &Value| {
        Err(ConfigError::new(
            path,
            format!("expected {expected}, but found {}", describe(value)),
        ))
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match (key.kind, value) {
        (Kind::Text, value) if is_text(value) => Ok(()),
        (Kind::Text, _) => wrong(path.to_owned(), "a string that isn't empty", value),
        (Kind::TextOrEmpty, Value::String(_)) => Ok(()),
        (Kind::TextOrEmpty, _) => wrong(path.to_owned(), "a string", value),
        (Kind::Flag, Value::Bool(_)) => Ok(()),
        (Kind::Flag, _) => wrong(path.to_owned(), "true or false", value),
        (Kind::Size, value) if whole_number(value).is_some_and(|size| (1..=MAX_SIZE).contains(&size)) => Ok(()),
        (Kind::Size, _) => wrong(
            path.to_owned(),
            &format!("a whole number of bytes from 1 to {MAX_SIZE}"),
            value,
        ),
        (Kind::Duration, value) if value.as_str().and_then(duration).is_some() => Ok(()),
        (Kind::Duration, _) => wrong(
            path.to_owned(),
            "a duration in seconds such as \"15s\" or \"0.5s\", from \"0.001s\" to \"2147483s\"",
            value,
        ),
        (Kind::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => Ok(()),
        (Kind::Choice(choices), value) => {
            let expected = format!("\"{}\"", choices.join("\" or \""));
            let meant = value.as_str().and_then(|text| nearest(text, choices.iter().copied()));
            match (wrong(path.to_owned(), &expected, value), meant) {
                (Err(error), Some(meant)) => Err(ConfigError::new(
                    error.key,
                    format!("{}; did you mean \"{meant}\"?", error.message),
                )),
                (error, _) => error,
            }
        }
        // Kong, which is written in Lua, hands on an empty list as an empty object.
        (Kind::Texts | Kind::Objects, Value::Object(object)) if object.is_empty() => Ok(()),
        (Kind::Texts, Value::Array(elements)) => {
            match elements.iter().enumerate().find(|(_, element)| !is_text(element)) {
                Some((at, element)) => wrong(format!("{path}[{at}]"), "a string that isn't empty", element),
                None => Ok(()),
            }
        }
        (Kind::Texts, _) => wrong(path.to_owned(), "a list of strings", value),
        (Kind::TextMap, Value::Object(entries)) => match entries.iter().find(|(_, value)| !value.is_string()) {
            Some((name, value)) => wrong(format!("{path}[{name:?}]"), "a string", value),
            None => Ok(()),
        },
        (Kind::TextMap, _) => wrong(path.to_owned(), "an object of strings", value),
        (Kind::Object, Value::Object(object)) => check_object(key.path, path, object),
        (Kind::Object, _) => wrong(path.to_owned(), "an object", value),
        (Kind::Objects, Value::Array(elements)) => elements.iter().enumerate().try_for_each(|(at, element)| {
            let path = format!("{path}[{at}]");
            match element {
                Value::Object(binding) if key.path == ADDITIONAL_BINDINGS => check_binding(&path, binding),
                Value::Object(object) => check_object(&format!("{}[]", key.path), &path, object),
                _ => wrong(path, "an object", element),
            }
        }),
        (Kind::Objects, _) => wrong(path.to_owned(), "a list of objects", value),
    }
}

const ADDITIONAL_BINDINGS: &str = "http_rules[].additional_bindings";

/// Additional bindings have the keys of a rule but these two.
fn check_binding(path: &str, binding: &Map<String, Value>) -> Result<(), ConfigError> {
    for (name, reason) in [
        ("selector", "the selector of the rule around it holds"),
        ("additional_bindings", "additional bindings nest no deeper"),
    ] {
        if binding.contains_key(name) {
            return Err(ConfigError::new(
                format!("{path}.{name}"),
                format!("unexpected key: {reason}"),
            ));
        }
    }
    check_object("http_rules[]", path, binding)
}

fn unknown_key(table_path: &str, path: String, name: &str) -> ConfigError {
    let siblings: Vec<_> = KEYS
        .iter()
        .filter_map(|key| {
            let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            (parent == table_path).then_some(name)
        })
        .collect();
    let elsewhere = || {
        KEYS.iter()
            .map(|key| key.path)
            .find(|path| path.rsplit_once('.').is_some_and(|(_, last)| last == name) && !path.contains("[]"))
    };
    let meant = match nearest(name, siblings.iter().copied()).or_else(elsewhere) {
        Some(meant) => format!("; did you mean \"{meant}\"?"),
        None => String::new(),
    };
    ConfigError::new(
        path,
        format!("unknown key{meant} (known here: {})", siblings.join(", ")),
    )
}

/// A value, short enough for a log.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) => match beginning(text, SETTING) {
            (start, true) => format!("{start:?}…"),
            (text, false) => format!("{text:?}"),
        },
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    }
}

/// A number without a fraction, also in the forms 1.0 and 1e6: a Struct has doubles only.
fn whole_number(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    (number.fract() == 0.0 && (0.0..=MAX_SIZE as f64).contains(&number)).then_some(number as u64)
}

/// protobuf's JSON form of a duration, within what the hosts' timers can be set to: 1 ms to 2^31 ms.
fn duration(text: &str) -> Option<std::time::Duration> {
    let number = text.strip_suffix('s')?;
    let (seconds, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || seconds.len() > 10 || fraction.len() > 9 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    let duration = std::time::Duration::new(seconds.parse().ok()?, nanos);
    (1..=i32::MAX as u128)
        .contains(&duration.as_millis())
        .then_some(duration)
}
