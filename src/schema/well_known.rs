//! The files of `google/protobuf`, where some of them are given: the given ones take the place of prost-reflect's own.
//!
//! Two kinds of their messages must stay what they are all the same. The codec knows those with a JSON form of their own by
//! heart; and prost-reflect reads options by the given descriptor.proto first, then by the messages that it was compiled
//! with, and panics where these disagree.

use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor};

use super::error::SchemaError;
use super::raw::{RawExtensionRange, RawField, RawFile, RawMessage, is_map_entry, reason};
use super::tables::WellKnown;

/// The files of `google/protobuf` beside the given ones of these names: those that import none of them, in a pool, and the
/// others, which are still to be built.
///
/// # Errors
///
/// None that a name could cause.
pub(super) fn beside<'n>(
    given: impl IntoIterator<Item = &'n str>,
) -> Result<(DescriptorPool, Vec<RawFile>), SchemaError> {
    let own = DescriptorPool::global();
    let is_own = |name: &&str| own.get_file_by_name(name).is_some();
    let mut replaced: Vec<String> = given.into_iter().filter(is_own).map(str::to_owned).collect();
    if replaced.is_empty() {
        return Ok((own, Vec::new()));
    }
    let given = replaced.clone();
    let mut kept: Vec<FileDescriptor> = own
        .files()
        .filter(|file| !given.iter().any(|name| name == file.name()))
        .collect();
    // Of files that import each other without a circle, each round finds some, or there are none left.
    while let Some(at) = kept
        .iter()
        .position(|file| file.dependencies().any(|below| is_among(&below, &replaced)))
    {
        replaced.push(kept.swap_remove(at).name().to_owned());
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(kept.iter().map(|file| file.file_descriptor_proto().clone()))
        .map_err(|error| SchemaError::new(error.to_string()))?;
    let others = replaced
        .iter()
        .filter(|name| !given.contains(name))
        .filter_map(|name| own.get_file_by_name(name));
    let others: Result<_, _> = others.map(|file| decode(&file.encode_to_vec())).collect();
    Ok((pool, others?))
}

fn is_among(file: &FileDescriptor, names: &[String]) -> bool {
    names.iter().any(|name| name == file.name())
}

fn decode(bytes: &[u8]) -> Result<RawFile, SchemaError> {
    RawFile::decode(bytes).map_err(|error| SchemaError::new(reason(&error)))
}

/// Whether it is the import path of a file of `google/protobuf`.
pub(super) fn is_one(name: &str) -> bool {
    own(name).is_some()
}

fn own(name: &str) -> Option<FileDescriptor> {
    DescriptorPool::global().get_file_by_name(name)
}

/// Checks a serialized file that is given in place of one of `google/protobuf`. Names in it must be absolute.
///
/// # Errors
///
/// Where one of the messages that must stay what they are is another.
pub(super) fn check(name: &str, given: &[u8]) -> Result<(), SchemaError> {
    let Some(own) = own(name) else {
        return Ok(());
    };
    let (own, given) = (decode(&own.encode_to_vec())?, decode(given)?);
    for message in &own.message_type {
        let full_name = format!("google.protobuf.{}", message.name());
        let rule = match WellKnown::of(&full_name) {
            Some(_) => Rule::Same,
            None if message.name().ends_with("Options") || message.name() == "UninterpretedOption" => Rule::Agreeing,
            None => continue,
        };
        let found = given.message_type.iter().find(|other| other.name() == message.name());
        let differs = match found {
            _ if given.package() != own.package() => Some("it is missing".to_owned()),
            None => Some("it is missing".to_owned()),
            Some(found) => difference(message, found, rule),
        };
        if let Some(differs) = differs {
            return Err(SchemaError::in_file(
                name,
                format!(
                    "expected protobuf's own {full_name}, but found another: {differs}; without this file the bundled one is used"
                ),
            ));
        }
    }
    Ok(())
}

/// What must be in a message.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// The same fields.
    Same,
    /// Under the numbers of protobuf's fields the same ones, or none; others may be there.
    Agreeing,
}

/// How `given` breaks the rule. The nesting of `own` bounds the recursion.
fn difference(own: &RawMessage, given: &RawMessage, rule: Rule) -> Option<String> {
    for field in &given.field {
        let known = own.field.iter().find(|known| known.number() == field.number());
        match known {
            Some(known) if !is_same(known, field) => return Some(format!("field {} is another", field.number())),
            None if rule == Rule::Same => return Some(format!("field {} is more", field.number())),
            _ => {}
        }
    }
    let missing = |known: &&RawField| !given.field.iter().any(|field| field.number() == known.number());
    if rule == Rule::Same
        && let Some(missing) = own.field.iter().find(missing)
    {
        return Some(format!("field {} is missing", missing.number()));
    }
    if is_map_entry(own) != is_map_entry(given) {
        return Some(format!("{} is no map entry in one of them", own.name()));
    }
    let takes_field = |range: &RawExtensionRange| {
        let mut numbers = own.field.iter().map(RawField::number);
        rule == Rule::Same || numbers.any(|number| (range.start()..range.end()).contains(&number))
    };
    if let Some(range) = given.extension_range.iter().find(|range| takes_field(range)) {
        return Some(format!("it may be extended from number {} on", range.start()));
    }
    own.nested_type.iter().find_map(|nested| {
        match given.nested_type.iter().find(|other| other.name() == nested.name()) {
            Some(found) => difference(nested, found, rule),
            None => (rule == Rule::Same).then(|| format!("{} is missing", nested.name())),
        }
    })
}

fn is_same(own: &RawField, given: &RawField) -> bool {
    // A text names a message or enum type, and not which of the two it is.
    let is_type = match given.r#type {
        None => !own.type_name().is_empty(),
        found => found == own.r#type,
    };
    let label = |field: &RawField| field.label.unwrap_or(OPTIONAL);
    is_type && own.name() == given.name() && own.type_name() == given.type_name() && label(own) == label(given)
}

/// `google.protobuf.FieldDescriptorProto.LABEL_OPTIONAL`.
const OPTIONAL: i32 = 1;
