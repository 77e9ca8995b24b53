//! The option `google.api.http`, where its files are given: routing reads it by number, so that another one would be no rule,
//! or a rule in part.
//!
//! Source: google/api/annotations.proto, google/api/http.proto.

use prost_reflect::{DescriptorPool, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};

use super::error::SchemaError;

const OPTION: &str = "google.api.http";

const RULE: &str = "google.api.HttpRule";

const CUSTOM: &str = "google.api.CustomHttpPattern";

/// The number of the option in `google.protobuf.MethodOptions`.
pub const NUMBER: u32 = 72_295_728;

/// What is known of a field.
struct Known {
    number: u32,
    name: &'static str,
    /// The message that it holds; none for a string.
    message: Option<&'static str>,
    is_list: bool,
}

const fn text(number: u32, name: &'static str) -> Known {
    Known {
        number,
        name,
        message: None,
        is_list: false,
    }
}

const RULE_FIELDS: [Known; 10] = [
    text(1, "selector"),
    text(2, "get"),
    text(3, "put"),
    text(4, "post"),
    text(5, "delete"),
    text(6, "patch"),
    text(7, "body"),
    Known {
        number: 8,
        name: "custom",
        message: Some(CUSTOM),
        is_list: false,
    },
    Known {
        number: 11,
        name: "additional_bindings",
        message: Some(RULE),
        is_list: true,
    },
    text(12, "response_body"),
];

const CUSTOM_FIELDS: [Known; 2] = [text(1, "kind"), text(2, "path")];

/// Checks that the option and its messages are Google's, if the pool has them. Fields may be missing, as in older ones, and
/// others be there.
pub(super) fn check(pool: &DescriptorPool) -> Result<(), SchemaError> {
    if let Some(option) = pool.get_extension_by_name(OPTION) {
        let is_same = option.containing_message().full_name() == "google.protobuf.MethodOptions"
            && option.number() == NUMBER
            && !option.is_list()
            && matches!(option.kind(), Kind::Message(rule) if rule.full_name() == RULE);
        if !is_same {
            return Err(another(&option.parent_file(), OPTION.to_owned()));
        }
    }
    for (message, fields) in [(RULE, &RULE_FIELDS[..]), (CUSTOM, &CUSTOM_FIELDS)] {
        if let Some(message) = pool.get_message_by_name(message)
            && let Some(known) = fields.iter().find(|known| !is_in(known, &message))
        {
            let differs = format!("field {} of {}", known.number, message.full_name());
            return Err(another(&message.parent_file(), differs));
        }
    }
    Ok(())
}

fn another(file: &FileDescriptor, differs: String) -> SchemaError {
    SchemaError::in_file(
        file.name(),
        format!("expected Google's own {differs}, but found another; without this file the bundled one is used"),
    )
}

/// Whether the message has the field, or none of its name and none of its number.
fn is_in(known: &Known, message: &MessageDescriptor) -> bool {
    let is_same = |field: &FieldDescriptor| {
        let holds = match (field.kind(), known.message) {
            (Kind::String, None) => true,
            (Kind::Message(held), Some(message)) => held.full_name() == message,
            _ => false,
        };
        holds && field.number() == known.number && field.name() == known.name && field.is_list() == known.is_list
    };
    let by_number = message.get_field(known.number);
    let by_name = message.get_field_by_name(known.name);
    by_number.iter().chain(&by_name).all(is_same)
}
