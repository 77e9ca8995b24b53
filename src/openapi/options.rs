//! What the schema's options say to clients: who may see an element, what a field is for, how resources are named.
//!
//! Sources: google/api/visibility.proto, google/api/field_behavior.proto, google/api/resource.proto.

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, DynamicMessage, Value};

/// The value of the option with this full name, if it is set.
pub(super) fn option(options: &DynamicMessage, name: &str) -> Option<Value> {
    let mut set = options.extensions();
    let (_, value) = set.find(|(extension, _)| extension.full_name() == name)?;
    Some(value.clone())
}

/// A text field of a message, unless it is empty.
pub(super) fn text(message: &DynamicMessage, name: &str) -> Option<String> {
    let value = message.get_field_by_name(name)?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether an element with these options is shown: it isn't restricted, or to one of the labels that are included. `kind`
/// is what it is: `method`, `field`, ….
pub(super) fn is_visible(options: &DynamicMessage, kind: &str, included: &BTreeSet<String>) -> bool {
    let rule = option(options, &format!("google.api.{kind}_visibility"));
    let restriction = rule
        .as_ref()
        .and_then(Value::as_message)
        .and_then(|rule| text(rule, "restriction"));
    restriction.is_none_or(|labels| labels.split(',').any(|label| included.contains(label.trim())))
}

/// What `google.api.field_behavior` says of a field.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Behavior {
    pub(super) required: bool,
    pub(super) output_only: bool,
    pub(super) input_only: bool,
}

impl Behavior {
    pub(super) fn of(options: &DynamicMessage) -> Self {
        let behavior = option(options, "google.api.field_behavior");
        let listed = behavior.as_ref().and_then(Value::as_list).unwrap_or_default();
        let has = |number| listed.iter().any(|value| value.as_enum_number() == Some(number));
        Self {
            required: has(2),
            output_only: has(3),
            input_only: has(4),
        }
    }
}

/// The patterns of all resources, cut into segments: `shelves`, `{shelf}`, ….
pub(super) fn resource_patterns(pool: &DescriptorPool) -> Vec<Vec<String>> {
    let mut patterns = Vec::new();
    let mut add = |resource: &Value| {
        let Some(resource) = resource.as_message() else {
            return;
        };
        let listed = resource.get_field_by_name("pattern");
        let listed = listed.as_deref().and_then(Value::as_list).unwrap_or_default();
        for pattern in listed.iter().filter_map(Value::as_str) {
            patterns.push(pattern.split('/').map(str::to_owned).collect());
        }
    };
    for message in pool.all_messages() {
        if let Some(resource) = option(&message.options(), "google.api.resource") {
            add(&resource);
        }
    }
    for file in pool.files() {
        if let Some(defined) = option(&file.options(), "google.api.resource_definition") {
            defined.as_list().unwrap_or_default().iter().for_each(&mut add);
        }
    }
    patterns
}
