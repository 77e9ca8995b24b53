//! What earlier versions took and this one has no use for: it is still taken, and a warning says what to write instead.

use serde_json::{Map, Value};

use super::check::split;

/// Something of a configuration that a later version won't take.
#[derive(Clone, Copy, Debug)]
pub struct Deprecated {
    /// The path of the key.
    pub path: &'static str,
    /// What of it is deprecated.
    pub what: What,
    /// The version since which it is.
    pub since: &'static str,
    /// What to do about it.
    pub cure: &'static str,
}

/// What of a key is deprecated.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// All of it: whatever its value, it has no effect.
    Key,
    /// One value, which is read as another one.
    Value {
        /// The deprecated value.
        was: &'static str,
        /// What it is read as.
        is: &'static str,
    },
}

/// All that is deprecated. An entry stays for a minor version at least.
pub const DEPRECATED: &[Deprecated] = &[
    Deprecated {
        path: "limits.gateway_buffer_bytes",
        what: What::Key,
        since: "0.2.0",
        cure: "it has no effect and can be removed",
    },
    Deprecated {
        path: "dispatch",
        what: What::Value {
            was: "forward",
            is: "in_place",
        },
        since: "0.2.0",
        cure: "write in_place",
    },
    Deprecated {
        path: "dispatch",
        what: What::Value {
            was: "auto",
            is: "in_place",
        },
        since: "0.2.0",
        cure: "write in_place, and bodyless: call if requests without a body should go by call, as before",
    },
];

impl Deprecated {
    /// The line that tells the operator.
    fn warning(&self) -> String {
        let Self {
            path,
            what,
            since,
            cure,
        } = self;
        let value = match what {
            What::Key => String::new(),
            What::Value { was, .. } => format!(": {was}"),
        };
        format!("configuration: {path}{value} is deprecated since {since}: {cure}")
    }
}

/// Replaces what is deprecated by what it means now. Returns a warning for each.
pub(super) fn replace(configuration: &mut Map<String, Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    for deprecated in DEPRECATED {
        let (parent, name) = split(deprecated.path);
        let object = match parent {
            "" => Some(&mut *configuration),
            parent => configuration.get_mut(parent).and_then(Value::as_object_mut),
        };
        let Some(object) = object else {
            continue;
        };
        let found = match deprecated.what {
            What::Key => object.shift_remove(name).is_some(),
            What::Value { was, is } => match object.get_mut(name) {
                Some(value) if *value == was => {
                    *value = is.into();
                    true
                }
                _ => false,
            },
        };
        if found {
            warnings.push(deprecated.warning());
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::keys::{KEYS, Kind};
    use super::super::{Dispatch, Plugin};
    use super::*;

    const PROTO: &str = "syntax = \"proto3\"; package a; service S { rpc Do(M) returns (M); } message M {}";

    fn load(mut configuration: Value) -> Result<Plugin, String> {
        configuration["proto"] = json!(PROTO);
        Plugin::load(configuration.to_string().as_bytes(), 0).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_key_without_effect_may_have_any_value_and_is_told_of_once() {
        for value in [json!(1 << 20), json!("64KiB"), json!(null)] {
            let plugin = load(json!({ "limits": { "gateway_buffer_bytes": value, "max_request_bytes": 7 } })).unwrap();
            assert_eq!(plugin.settings.limits.max_request_bytes, 7);
            assert_eq!(
                plugin.warnings,
                [
                    "configuration: limits.gateway_buffer_bytes is deprecated since 0.2.0: it has no effect and can be removed"
                ]
            );
        }
        assert_eq!(load(json!({ "limits": {} })).unwrap().warnings, [""; 0]);
    }

    #[test]
    fn a_value_is_read_as_what_took_its_place() {
        for (value, warnings) in [("in_place", 0), ("forward", 1), ("auto", 1)] {
            let plugin = load(json!({ "dispatch": value })).unwrap();
            assert_eq!(plugin.settings.dispatch, Dispatch::InPlace, "{value}");
            assert_eq!(plugin.warnings.len(), warnings, "{value}");
        }
        assert_eq!(
            load(json!({ "dispatch": "forward" })).unwrap().warnings,
            ["configuration: dispatch: forward is deprecated since 0.2.0: write in_place"]
        );
        assert!(load(json!({ "dispatch": "backward" })).is_err());
    }

    #[test]
    fn what_is_no_object_is_refused_as_ever() {
        let error = load(json!({ "limits": 7 })).unwrap_err();
        assert!(error.contains("limits: expected an object"), "{error}");
    }

    #[test]
    fn nothing_is_deprecated_that_is_current() {
        for deprecated in DEPRECATED {
            let key = KEYS.iter().find(|key| key.path == deprecated.path);
            match deprecated.what {
                What::Key => assert!(key.is_none(), "{}", deprecated.path),
                What::Value { was, is } => {
                    let Some(Kind::Choice(choices)) = key.map(|key| key.kind) else {
                        panic!("{} is no choice", deprecated.path);
                    };
                    assert!(!choices.contains(&was) && choices.contains(&is), "{}", deprecated.path);
                }
            }
        }
    }

    /// Every key of 0.1.0, with the value that it was shipped with where it had one.
    #[test]
    fn a_configuration_of_an_earlier_version_is_taken() {
        let plugin = load(json!({
            "services": ["a.S"],
            "http_rules": [{
                "selector": "a.S.Do", "post": "/do", "body": "*", "response_body": "",
                "additional_bindings": [{ "custom": { "kind": "PURGE", "path": "/do" } }],
            }],
            "auto_mapping": true,
            "dispatch": "auto",
            "upstream": { "cluster": "c", "authority": "a", "timeout": "15s", "grpc_web": false },
            "unmatched": "reject",
            "json": {
                "always_print_fields_with_no_presence": false, "always_print_enums_as_ints": false,
                "preserve_proto_field_names": false, "unquote_int64_if_possible": false, "add_whitespace": false,
                "unknown_fields": "ignore", "unknown_enum_names": "reject", "case_insensitive_enums": false,
            },
            "query": { "unknown": "ignore", "ignored": [] },
            "update_mask_from_body": true,
            "errors": { "format": "status" },
            "streaming": { "default": "array", "timeout": "15s" },
            "metrics": true,
            "access_log": false,
            "log_level": "info",
            "limits": {
                "max_proto_bytes": 1048576, "max_request_bytes": 33554432, "max_response_bytes": 33554432,
                "max_message_bytes": 16777216, "gateway_buffer_bytes": 1048576,
            },
        }));
        assert_eq!(plugin.unwrap().warnings.len(), 2);
    }

    #[test]
    fn the_page_on_versions_lists_what_is_deprecated() {
        let page = include_str!("../../docs/versions.md");
        let listed: BTreeSet<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split(" |").next())
            .map(|cell| cell.replace('`', ""))
            .collect();
        let deprecated = DEPRECATED.iter().map(|deprecated| match deprecated.what {
            What::Key => deprecated.path.to_owned(),
            What::Value { was, .. } => format!("{}: {was}", deprecated.path),
        });
        assert_eq!(listed, deprecated.collect());
    }
}
