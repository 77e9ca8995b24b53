//! Files in editions 2023 and 2024, lowered to proto2: what a file says by features, a proto2 file says by labels, types
//! and options. What proto2 has no form for goes to [`Features`].
//!
//! What 2024 has more is for compilers, and neither in the wire format nor in JSON: who may see a symbol
//! (`default_symbol_visibility`, `export`, `local`), how names are written (`enforce_naming_style`), and which imports are
//! for options alone.
//!
//! Source: protobuf's "Feature Settings for Editions", and the defaults of the editions in descriptor.proto.

use std::collections::HashSet;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};

use super::raw::{CUSTOM, RawEnum, RawField, RawFile, RawMessage, is_map_entry, numbers, reason};

/// Lowers a file in an edition; leaves others as they are. Errors say what the file has and what was expected.
pub(super) fn lower(file: &mut RawFile, features: &mut Features) -> Result<(), String> {
    if file.syntax.as_deref() != Some("editions") {
        return Ok(());
    }
    if !matches!(file.edition(), EDITION_2023 | EDITION_2024) {
        return Err(format!(
            "expected edition 2023 or 2024, proto2 or proto3, but found edition {}",
            match file.edition() {
                1002 => "2026".to_owned(),
                number => format!("number {number}"),
            }
        ));
    }
    file.syntax = None;
    file.edition = None;
    let file_options: FileOptions = decode(&file.options)?;
    let resolved = Resolved::DEFAULT.with(file_options.features)?;
    let package = file.package().to_owned();
    for message in &mut file.message_type {
        lower_message(message, &package, resolved, features)?;
    }
    for enumeration in &mut file.enum_type {
        lower_enum(enumeration, &package, resolved, features)?;
    }
    for extension in &mut file.extension {
        lower_field(extension, &package, resolved, false, features)?;
    }
    Ok(())
}

/// What edition features say and a proto2 or proto3 descriptor cannot, by full name.
///
/// Files in an edition are lowered to proto2 descriptors before prost-reflect sees them; where a feature
/// has no proto2 form, the lowering notes it here.
#[derive(Clone, Debug, Default)]
pub struct Features {
    /// Fields with `field_presence = IMPLICIT`.
    pub implicit_presence: HashSet<String>,
    /// Enums with `enum_type = OPEN`.
    pub open_enums: HashSet<String>,
}

const EDITION_2023: i32 = 1000;

const EDITION_2024: i32 = 1001;

/// The decoder bounds the recursion: it refuses messages that nest deeper than 100.
fn lower_message(
    message: &mut RawMessage,
    scope: &str,
    inherited: Resolved,
    features: &mut Features,
) -> Result<(), String> {
    let name = full_name(scope, message.name());
    let entry = is_map_entry(message);
    let options: MessageOptions = decode(&message.options)?;
    let resolved = inherited.with(options.features)?;
    let mut oneofs = Vec::with_capacity(message.oneof_decl.len());
    for oneof in &message.oneof_decl {
        let options: OneofOptions = decode(&oneof.options)?;
        oneofs.push(resolved.with(options.features)?);
    }
    // A map is always length-prefixed, and so is what it holds.
    let maps: Vec<_> = message
        .nested_type
        .iter()
        .filter(|nested| is_map_entry(nested))
        .map(|nested| format!(".{}", full_name(&name, nested.name())))
        .collect();
    for field in &mut message.field {
        let inherited = field
            .oneof_index
            .and_then(|index| oneofs.get(usize::try_from(index).ok()?))
            .unwrap_or(&resolved);
        let map = maps.iter().any(|map| map == field.type_name());
        lower_field(field, &name, *inherited, map || entry, features)?;
    }
    for nested in &mut message.nested_type {
        lower_message(nested, &name, resolved, features)?;
    }
    for enumeration in &mut message.enum_type {
        lower_enum(enumeration, &name, resolved, features)?;
    }
    for extension in &mut message.extension {
        lower_field(extension, &name, resolved, false, features)?;
    }
    Ok(())
}

fn lower_field(
    field: &mut RawField,
    scope: &str,
    inherited: Resolved,
    of_map: bool,
    features: &mut Features,
) -> Result<(), String> {
    let options: FieldOptions = decode(&field.options)?;
    let resolved = inherited.with(options.features)?;
    let kind = field.r#type.and_then(|number| Type::try_from(number).ok());
    if field.label == Some(Label::Repeated as i32) {
        if !matches!(
            kind,
            Some(Type::String | Type::Bytes | Type::Message | Type::Group) | None
        ) {
            // FieldOptions.packed; the last one wins.
            let packed = u8::from(resolved.packed);
            field.options.get_or_insert_default().extend([2 << 3, packed]);
        }
    } else if !of_map {
        match resolved.presence {
            Presence::Explicit => {}
            Presence::Required => field.label = Some(Label::Required as i32),
            Presence::Implicit => {
                let always_present = matches!(kind, Some(Type::Message | Type::Group));
                if !always_present && field.oneof_index.is_none() && field.extendee.is_none() {
                    features.implicit_presence.insert(full_name(scope, field.name()));
                }
            }
        }
    }
    if kind == Some(Type::Message) && resolved.delimited && !of_map {
        field.r#type = Some(Type::Group as i32);
    }
    Ok(())
}

fn lower_enum(enumeration: &RawEnum, scope: &str, inherited: Resolved, features: &mut Features) -> Result<(), String> {
    let options: EnumOptions = decode(&enumeration.options)?;
    if inherited.with(options.features)?.open_enums {
        features.open_enums.insert(full_name(scope, enumeration.name()));
    }
    Ok(())
}

fn full_name(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}

/// The features that matter to this crate, with every inheritance done. `utf8_validation` isn't one: JSON is UTF-8, so
/// strings that aren't are errors in any case. `json_format` isn't either: it's about warnings of the compiler.
#[derive(Clone, Copy)]
struct Resolved {
    presence: Presence,
    open_enums: bool,
    packed: bool,
    delimited: bool,
}

#[derive(Clone, Copy)]
enum Presence {
    Explicit,
    Implicit,
    Required,
}

impl Resolved {
    /// Of both editions.
    const DEFAULT: Self = Self {
        presence: Presence::Explicit,
        open_enums: true,
        packed: true,
        delimited: false,
    };

    /// These features, with what `set` changes. A value of 0 is the enum's "unknown", which changes nothing.
    fn with(self, set: Vec<Vec<u8>>) -> Result<Self, String> {
        if set.is_empty() {
            return Ok(self);
        }
        // Of a message that is there more than once, all parts hold.
        let set = Some(set.concat());
        let is_unknown = |number: &i32| (KNOWN_FEATURES + 1..CUSTOM).contains(number);
        if let Some(number) = numbers(set.as_deref().unwrap_or_default()).find(is_unknown) {
            return Err(format!("feature number {number} is of a later edition than 2024"));
        }
        let set: FeatureSet = decode(&set)?;
        let unknown = |feature: &str, value: i32| Err(format!("feature {feature} has the unknown value {value}"));
        Ok(Self {
            presence: match set.field_presence() {
                0 => self.presence,
                1 => Presence::Explicit,
                2 => Presence::Implicit,
                3 => Presence::Required,
                other => return unknown("field_presence", other),
            },
            open_enums: match set.enum_type() {
                0 => self.open_enums,
                1 => true,
                2 => false,
                other => return unknown("enum_type", other),
            },
            packed: match set.repeated_field_encoding() {
                0 => self.packed,
                1 => true,
                2 => false,
                other => return unknown("repeated_field_encoding", other),
            },
            delimited: match set.message_encoding() {
                0 => self.delimited,
                1 => false,
                2 => true,
                other => return unknown("message_encoding", other),
            },
        })
    }
}

fn decode<O: Message + Default>(options: &Option<Vec<u8>>) -> Result<O, String> {
    O::decode(options.as_deref().unwrap_or_default())
        .map_err(|error| format!("options cannot be read ({})", reason(&error)))
}

/// The features of edition 2024 have numbers up to this.
const KNOWN_FEATURES: i32 = 8;

/// `google.protobuf.FeatureSet`, without what only compilers need.
#[derive(Clone, Copy, PartialEq, Message)]
struct FeatureSet {
    #[prost(int32, optional, tag = "1")]
    field_presence: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    enum_type: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    repeated_field_encoding: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    message_encoding: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct FileOptions {
    #[prost(bytes = "vec", repeated, tag = "50")]
    features: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageOptions {
    #[prost(bytes = "vec", repeated, tag = "12")]
    features: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldOptions {
    #[prost(bytes = "vec", repeated, tag = "21")]
    features: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct OneofOptions {
    #[prost(bytes = "vec", repeated, tag = "1")]
    features: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumOptions {
    #[prost(bytes = "vec", repeated, tag = "7")]
    features: Vec<Vec<u8>>,
}
