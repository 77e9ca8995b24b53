use prost::Message;
use prost_types::{ListValue, Struct, value::Kind};
use serde_json::json;

use super::*;

const PROTO: &str = r#"syntax = "proto3";
package shop;
message Book { string name = 1; }
service Books { rpc Get(Book) returns (Book); }
service Authors { rpc Get(Book) returns (Book); }
"#;

fn load(configuration: Value) -> Result<Plugin, ConfigError> {
    Plugin::load(configuration.to_string().as_bytes(), 7)
}

/// The message of the error that `PROTO` with these keys gives.
fn error_with(keys: Value) -> String {
    let mut configuration = json!({ "proto": PROTO });
    configuration
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    load(configuration).unwrap_err().to_string()
}

#[test]
fn a_proto_alone_is_enough_and_the_rest_has_its_documented_defaults() {
    let plugin = load(json!({ "proto": PROTO })).unwrap();
    assert_eq!(
        plugin.settings,
        Settings {
            dispatch: Dispatch::Auto,
            upstream: Upstream {
                cluster: None,
                authority: None,
                timeout: None,
                grpc_web: false,
            },
            unmatched: Unmatched::Reject,
            parse: ParseOptions::default(),
            print: PrintOptions::default(),
            query: QueryOptions::default(),
            update_mask_from_body: true,
            errors: ErrorFormat::Status,
            streaming: Streaming {
                default: StreamFormat::Array,
            },
            limits: Limits {
                max_proto_bytes: 1 << 20,
                max_request_bytes: 32 << 20,
                max_response_bytes: 32 << 20,
                max_message_bytes: 16 << 20,
            },
        }
    );
}
