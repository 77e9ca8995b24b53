//! `openapi` of a configuration: what is asked of the document, and whether there is room for it beside the rules.

use serde_json::{Map, Value};

use super::check::{Checked, describe};
use super::error::ConfigError;
use crate::openapi::{Document, Options, taken};
use crate::routing::template::BasePath;
use crate::routing::{Methods, Router};
use crate::text::problems::Problems;

/// What is asked for, if a document is. Which methods are excluded isn't known yet.
pub(super) fn options(checked: &Checked, errors: &mut Problems<ConfigError>) -> Option<Options> {
    let Some(path) = path(checked, "openapi.path", errors) else {
        if checked.is_known("openapi.path") && checked.given("openapi.page").is_some() {
            errors.add(|| {
                let message = "expected a path such as \"/openapi.json\" for the document that the page shows, but found \
                               nothing";
                ConfigError::new("openapi.path", message)
            });
        }
        return None;
    };
    let page = path_if_given(checked, "openapi.page", errors);
    let script = page
        .as_ref()
        .map(|page| format!("{}/init.js", page.trim_end_matches('/')));
    if page.as_ref() == Some(&path) || script.as_ref() == Some(&path) {
        errors.add(|| {
            ConfigError::new(
                "openapi.page",
                "expected another path than that of the document, which isn't page/init.js either: the page's script is there",
            )
        });
    }
    Some(Options {
        path,
        page,
        title: checked.text("openapi.title"),
        version: checked.text("openapi.version"),
        description: checked.text("openapi.description"),
        servers: checked.texts("openapi.servers"),
        security: security(checked, errors),
        assets: assets(checked, errors),
        include: checked.texts("openapi.include").into_iter().collect(),
        excluded: Vec::new(),
    })
}

/// Which methods aren't shown. It is an error if a selector selects none.
pub(super) fn exclude(checked: &Checked, methods: &Methods, errors: &mut Problems<ConfigError>) -> Vec<bool> {
    let mut excluded = vec![None; methods.descriptors().len()];
    for (at, selector) in checked.texts("openapi.exclude").iter().enumerate() {
        if !methods.give(selector, (), &mut excluded) {
            errors.add(|| ConfigError::new(format!("openapi.exclude[{at}]"), methods.unknown(selector)));
        }
    }
    excluded.into_iter().map(|excluded| excluded.is_some()).collect()
}

/// It is an error if a rule has a path of the document.
pub(super) fn check_paths(
    document: &Document,
    router: &Router,
    base_path: &BasePath,
    errors: &mut Problems<ConfigError>,
) {
    for (path, key) in document.paths().zip(["openapi.path", "openapi.page", "openapi.page"]) {
        if let Some(route) = taken(path, router.routes(), base_path) {
            errors.add(|| {
                let rule = format!("{} `{}`", route.binding.http_method, route.binding.template);
                let method = &route.method.full_name;
                let message = format!("expected a path that no rule has, but `{path}` is bound to {method} by {rule}");
                ConfigError::new(key, message)
            });
        }
    }
}

fn path_if_given(checked: &Checked, key: &str, errors: &mut Problems<ConfigError>) -> Option<String> {
    checked.given(key).and_then(|_| path(checked, key, errors))
}

/// A path as requests have it: it begins with a slash, and has neither a query nor what would be written otherwise.
fn path(checked: &Checked, key: &str, errors: &mut Problems<ConfigError>) -> Option<String> {
    let text = checked.text(key)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let is_path = text.starts_with('/') && text.len() > 1 && text.bytes().all(is_plain) && !text.contains("//");
    if !is_path {
        errors.add(|| {
            let found = describe(&Value::String(text.clone()));
            let message = format!(
                "expected a path such as \"/openapi.json\", of letters, digits, -, ., _, ~ and single slashes, but found {found}"
            );
            ConfigError::new(key, message)
        });
    }
    is_path.then_some(text)
}

/// Security schemes, each an object with a type.
fn security(checked: &Checked, errors: &mut Problems<ConfigError>) -> Map<String, Value> {
    const TYPES: [&str; 5] = ["apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"];
    let given = match checked.given("openapi.security") {
        None | Some(Value::Null) => return Map::new(),
        // Kong, which is written in Lua, hands on an empty object as an empty list at times.
        Some(Value::Array(empty)) if empty.is_empty() => return Map::new(),
        Some(Value::Object(schemes)) => schemes.clone(),
        Some(other) => {
            let found = describe(other);
            errors.add(|| {
                let message = format!("expected an object of security schemes, but found {found}");
                ConfigError::new("openapi.security", message)
            });
            return Map::new();
        }
    };
    for (name, scheme) in &given {
        let kind = scheme.get("type").and_then(Value::as_str);
        if !kind.is_some_and(|kind| TYPES.contains(&kind)) {
            errors.add(|| {
                let found = scheme.get("type").map_or_else(|| "nothing".to_owned(), describe);
                let message = format!("expected \"{}\", but found {found}", TYPES.join("\" or \""));
                ConfigError::new(format!("openapi.security.{name}.type"), message)
            });
        }
    }
    given
}

/// A URL, or a path at the gateway, that the page's policy can name.
fn assets(checked: &Checked, errors: &mut Problems<ConfigError>) -> Option<String> {
    let text = checked.text("openapi.assets")?;
    let begins = ["https://", "http://", "/"].iter().any(|start| text.starts_with(start));
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"'<>;,?#".contains(&byte));
    if !begins || !is_plain {
        errors.add(|| {
            let found = describe(&Value::String(text.clone()));
            let message = format!(
                "expected the URL of a folder such as \"https://cdn.example.com/swagger-ui\", but found {found}"
            );
            ConfigError::new("openapi.assets", message)
        });
        return None;
    }
    Some(text)
}
