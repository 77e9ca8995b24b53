//! `hooks` of a configuration: which servers are asked about requests and responses, and when.

use serde_json::{Map, Value};

use super::check::{Checked, describe, duration, lacks};
use super::error::ConfigError;
use super::keys::HOOK;
use super::settings::Settings;
use crate::hooks::Hooks;
use crate::hooks::settings::{self, Hook, Kind, OnError, PathPrefix};
use crate::text::problems::Problems;

/// The hooks; `None` without any that isn't disabled.
pub(super) fn read(checked: &Checked, settings: &Settings, errors: &mut Problems<ConfigError>) -> Option<Hooks> {
    checked.given("hooks").filter(|hooks| hooks.is_object())?;
    let mut hooks = Vec::new();
    for (key, kind) in [
        ("hooks.pre", Kind::Pre),
        ("hooks.auth", Kind::CustomKeyCheck),
        ("hooks.post_key_auth", Kind::PostKeyAuth),
        ("hooks.post", Kind::Post),
        ("hooks.response", Kind::Response),
    ] {
        match checked.given(key) {
            Some(Value::Object(hook)) if kind == Kind::CustomKeyCheck => {
                hooks.extend(read_hook(checked, key, kind, hook, errors));
            }
            Some(Value::Array(list)) => {
                for (at, hook) in list.iter().enumerate() {
                    if let Some(hook) = hook.as_object() {
                        hooks.extend(read_hook(checked, &format!("{key}[{at}]"), kind, hook, errors));
                    }
                }
            }
            _ => {}
        }
    }
    let has = |kind| hooks.iter().any(|hook: &Hook| hook.kind == kind);
    if has(Kind::PostKeyAuth) && !has(Kind::CustomKeyCheck) && checked.is_known("hooks.auth") {
        errors.add(|| {
            let message = "expected hooks.auth beside it, which none of them is called without: set that, or make them \
                           hooks.pre or hooks.post";
            ConfigError::new("hooks.post_key_auth", message)
        });
    }
    if !hooks.is_empty() && settings.hold_headers == Some(false) {
        errors.add(|| {
            let message = "expected true with hooks, which change headers that wait for them: set it, with Envoy's \
                           allow_on_headers_stop_iteration";
            ConfigError::new("hold_headers", message)
        });
    }
    if has(Kind::Response) && settings.hold_headers.is_none() {
        errors.add(|| {
            let message = "expected hold_headers: true beside it, and Envoy's allow_on_headers_stop_iteration: true: an answer \
                           waits for these hooks, and where its headers don't it would wait for ever";
            ConfigError::new("hooks.response", message)
        });
    }
    let config_data = checked.given("hooks.config_data").and_then(Value::as_object);
    let config_data = config_data.filter(|data| !data.is_empty()).map(|data| {
        let mut data = Value::Object(data.clone());
        data.sort_all_objects();
        data.to_string()
    });
    let paths = checked.text("hooks.path_prefix").unwrap_or_default();
    let paths = path_prefix("hooks.path_prefix", &paths, errors)?;
    Hooks::new(settings::Settings {
        authority: checked.text("hooks.authority"),
        paths,
        org_id: checked.text("hooks.org_id").unwrap_or_default(),
        api_id: checked.text("hooks.api_id").unwrap_or_default(),
        config_data,
        attributes: checked.flag("hooks.attributes"),
        hooks,
    })
}

/// The hook at the key path `key`; `None` if it is disabled, or wrong.
fn read_hook(
    checked: &Checked,
    key: &str,
    kind: Kind,
    hook: &Map<String, Value>,
    errors: &mut Problems<ConfigError>,
) -> Option<Hook> {
    let flag = |name: &str| hook.get(name) == Some(&Value::Bool(true));
    let text = |name: &str| hook.get(name).and_then(Value::as_str);
    if kind != Kind::CustomKeyCheck && lacks(HOOK, hook, &["name"]) {
        let message = "expected the name of the server's function, but found nothing";
        errors.add(|| ConfigError::new(format!("{key}.name"), message));
    }
    let common = checked.text("hooks.cluster");
    if common.is_none() && checked.is_known("hooks.cluster") && lacks(HOOK, hook, &["cluster"]) {
        let message = "expected the cluster of the server, here or in hooks.cluster, but found nothing";
        errors.add(|| ConfigError::new(format!("{key}.cluster"), message));
    }
    let paths = match text("path_prefix") {
        Some(prefix) => Some(path_prefix(&format!("{key}.path_prefix"), prefix, errors)?),
        None => None,
    };
    let timeout = text("timeout").and_then(duration);
    (!flag("disabled")).then(|| Hook {
        kind,
        name: text("name").unwrap_or_default().into(),
        cluster: text("cluster").map(str::to_owned).or(common).unwrap_or_default(),
        timeout: timeout
            .or_else(|| checked.duration("hooks.timeout"))
            .unwrap_or_default(),
        on_error: match text("on_error") {
            Some("allow") => OnError::Allow,
            _ => OnError::Deny,
        },
        raw_body_only: flag("raw_body_only"),
        paths,
    })
}

fn path_prefix(key: &str, prefix: &str, errors: &mut Problems<ConfigError>) -> Option<PathPrefix> {
    let parsed = PathPrefix::new(prefix);
    if parsed.is_none() {
        let found = describe(&Value::String(prefix.to_owned()));
        let message = format!("expected the beginning of a path, such as \"/v1/\", but found {found}");
        errors.add(|| ConfigError::new(key, message));
    }
    parsed
}
