//! A compiled `google.protobuf.FileDescriptorSet`, checked and brought to a form that prost-reflect reads.
//!
//! prost-reflect trusts a descriptor set to come from a compiler, and panics on some that don't. A panic in the module
//! is an outage, so everything that it relies on is checked here first.

use std::collections::HashSet;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};

use super::editions::{self, Features};
use super::error::SchemaError;
use super::http_option;
use super::link::MAX_NAME;
use super::raw::{CUSTOM, RawEnum, RawField, RawFile, RawMessage, RawSet, is_map_entry, numbers, reason};

/// Decodes a set. Files in an edition become proto2 files; what proto2 can't say is added to `features`.
pub(super) fn read(bytes: &[u8], features: &mut Features) -> Result<Vec<RawFile>, SchemaError> {
    let set = RawSet::decode(bytes).map_err(|error| {
        SchemaError::new(format!(
            "expected a serialized google.protobuf.FileDescriptorSet, but found other bytes ({})",
            reason(&error)
        ))
    })?;
    if set.file.is_empty() {
        return Err(SchemaError::new(
            "expected a google.protobuf.FileDescriptorSet with at least one file, but found none",
        ));
    }
    let mut names = HashSet::new();
    for file in &set.file {
        if file.name().is_empty() {
            return Err(SchemaError::new("a file has no name"));
        }
        if !names.insert(file.name()) {
            return Err(SchemaError::in_file(file.name(), "the file is there twice"));
        }
    }
    let mut files = set.file;
    for file in &mut files {
        let name = file.name().to_owned();
        Checker::check(file).map_err(|message| SchemaError::in_file(&name, message))?;
        // An import for options alone is one like others here.
        for import in std::mem::take(&mut file.option_dependency) {
            if !file.dependency.contains(&import) {
                file.dependency.push(import);
            }
        }
        editions::lower(file, features).map_err(|message| SchemaError::in_file(&name, message))?;
    }
    Ok(files)
}

/// The serialized set of `files`, with which `others`, serialized files, go first.
pub(super) fn write(files: &[RawFile], others: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for bytes in others.iter().cloned().chain(files.iter().map(Message::encode_to_vec)) {
        prost::encoding::bytes::encode(1, &bytes, &mut out);
    }
    out
}

/// The options that matter here: their features, whatever their number, are read in [`editions`].
#[derive(Clone, PartialEq, Message)]
struct CheckedOptions {
    #[prost(bytes = "vec", repeated, tag = "999")]
    uninterpreted_option: Vec<Vec<u8>>,
}

/// What stands at `path` (of `google.protobuf.SourceCodeInfo.Location`): `field pkg.Message.name`.
pub(super) fn element_at(file: &RawFile, path: &[i32]) -> Option<String> {
    fn at<E>(elements: &[E], index: i32) -> Option<&E> {
        elements.get(usize::try_from(index).ok()?)
    }
    fn within(scope: &str, name: &str) -> String {
        if scope.is_empty() {
            name.to_owned()
        } else {
            format!("{scope}.{name}")
        }
    }
    let package = file.package();
    let (mut scope, mut message, mut rest) = match path {
        [4, index, rest @ ..] => {
            let message = at(&file.message_type, *index)?;
            (within(package, message.name()), message, rest)
        }
        [5, index, ..] => return Some(format!("enum {}", within(package, at(&file.enum_type, *index)?.name()))),
        [6, index, 2, method, ..] => {
            let service = at(&file.service, *index)?;
            let scope = within(package, service.name());
            return Some(format!(
                "method {}",
                within(&scope, at(&service.method, *method)?.name())
            ));
        }
        [6, index, ..] => {
            return Some(format!(
                "service {}",
                within(package, at(&file.service, *index)?.name())
            ));
        }
        [7, index, ..] => {
            return Some(format!(
                "extension {}",
                within(package, at(&file.extension, *index)?.name())
            ));
        }
        _ => return None,
    };
    loop {
        match rest {
            [2, index, ..] => return Some(format!("field {}", within(&scope, at(&message.field, *index)?.name()))),
            [3, index, below @ ..] => {
                message = at(&message.nested_type, *index)?;
                scope = within(&scope, message.name());
                rest = below;
            }
            [4, index, ..] => {
                return Some(format!(
                    "enum {}",
                    within(&scope, at(&message.enum_type, *index)?.name())
                ));
            }
            [6, index, ..] => {
                return Some(format!(
                    "extension {}",
                    within(&scope, at(&message.extension, *index)?.name())
                ));
            }
            [8, index, ..] => {
                return Some(format!(
                    "oneof {}",
                    within(&scope, at(&message.oneof_decl, *index)?.name())
                ));
            }
            _ => return Some(format!("message {scope}")),
        }
    }
}

/// Whether a method has `google.api.http` of a file that isn't there. Without it, the rules would be passed over.
pub(super) fn needs_http(files: &[RawFile]) -> bool {
    let is_defined = |file: &RawFile| file.extension.iter().any(|extension| extension.number() == HTTP);
    let mut methods = files
        .iter()
        .flat_map(|file| &file.service)
        .flat_map(|service| &service.method);
    !files.iter().any(is_defined)
        && methods.any(|method| numbers(method.options.as_deref().unwrap_or_default()).any(|number| number == HTTP))
}

/// The number of the extension `google.api.http`.
const HTTP: i32 = http_option::NUMBER as i32;

/// The numbers of the options in a checked file that protobuf leaves to others, each as often as it is set.
pub(super) fn custom_options(file: &RawFile) -> Vec<i32> {
    let mut checker = Checker {
        scope: file.package().to_owned(),
        custom: Some(Vec::new()),
    };
    // It has been checked before; what is wrong with it now is wrong with its lowered form alone.
    let _ = checker.elements(file);
    checker.custom.unwrap_or_default()
}

struct Checker {
    /// The full name of the element at hand.
    scope: String,
    /// The numbers of custom options, where they are wanted.
    custom: Option<Vec<i32>>,
}

type Checked = Result<(), String>;

impl Checker {
    fn check(file: &RawFile) -> Checked {
        if !matches!(file.syntax.as_deref(), None | Some("proto2" | "proto3" | "editions")) {
            return Err(format!(
                "expected syntax proto2, proto3 or editions, but found '{}'",
                file.syntax().escape_debug()
            ));
        }
        let package = file.package();
        if !package.is_empty() && !package.split('.').all(is_identifier) {
            return Err(format!(
                "expected a package name, but found '{}'",
                package.escape_debug()
            ));
        }
        if package.len() > MAX_NAME {
            return Err(format!(
                "expected a package of at most {MAX_NAME} bytes, but found {}",
                package.len()
            ));
        }
        let mut checker = Self {
            scope: package.to_owned(),
            custom: None,
        };
        checker.elements(file)
    }

    fn elements(&mut self, file: &RawFile) -> Checked {
        self.options(&file.options)?;
        for message in &file.message_type {
            self.message(message)?;
        }
        for enumeration in &file.enum_type {
            self.enumeration(enumeration)?;
        }
        for extension in &file.extension {
            self.field(extension, None)?;
        }
        for service in &file.service {
            self.within(service.name(), |checker| {
                checker.options(&service.options)?;
                for method in &service.method {
                    checker.within(method.name(), |checker| {
                        if method.input_type().is_empty() || method.output_type().is_empty() {
                            return Err(format!("method {} has no input or no output type", checker.scope));
                        }
                        checker.options(&method.options)
                    })?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The decoder bounds the recursion: it refuses messages that nest deeper than 100.
    fn message(&mut self, message: &RawMessage) -> Checked {
        self.within(message.name(), |checker| {
            checker.options(&message.options)?;
            if is_map_entry(message) {
                checker.map_entry(message)?;
            }
            for oneof in &message.oneof_decl {
                checker.within(oneof.name(), |checker| checker.options(&oneof.options))?;
            }
            for field in &message.field {
                checker.field(field, Some(message))?;
            }
            for extension in &message.extension {
                checker.field(extension, None)?;
            }
            for enumeration in &message.enum_type {
                checker.enumeration(enumeration)?;
            }
            for range in &message.extension_range {
                checker.options(&range.options)?;
            }
            message
                .nested_type
                .iter()
                .try_for_each(|nested| checker.message(nested))
        })
    }

    /// `message`: the message that has the field; none for an extension.
    fn field(&mut self, field: &RawField, message: Option<&RawMessage>) -> Checked {
        self.within(field.name(), |checker| {
            let name = &checker.scope;
            let kind = match field.r#type.map(Type::try_from) {
                Some(Ok(kind)) => Some(kind),
                Some(Err(_)) => return Err(format!("field {name} has the unknown type {}", field.r#type())),
                None => None,
            };
            let named = !field.type_name().is_empty();
            match (kind, named) {
                (None | Some(Type::Message | Type::Enum | Type::Group), true) => {}
                (Some(Type::Message | Type::Enum | Type::Group) | None, false) => {
                    return Err(format!("field {name} has no type"));
                }
                (Some(_), false) => {}
                (Some(_), true) => return Err(format!("field {name} has two types, {}", field.type_name())),
            }
            let label = match field.label.map(Label::try_from) {
                Some(Ok(label)) => label,
                Some(Err(_)) => return Err(format!("field {name} has the unknown label {}", field.label())),
                None => Label::Optional,
            };
            if let Some(index) = field.oneof_index {
                let oneofs = message.map_or(0, |message| message.oneof_decl.len());
                if usize::try_from(index).map_or(true, |index| index >= oneofs) {
                    return Err(format!(
                        "field {name} is in oneof number {index}, but there are {oneofs}"
                    ));
                }
                if label != Label::Optional {
                    return Err(format!("field {name} is in a oneof and is not optional"));
                }
            }
            match (message, &field.extendee) {
                (Some(_), Some(_)) => return Err(format!("field {name} of a message extends another")),
                (None, None) => return Err(format!("extension {name} extends nothing")),
                _ => {}
            }
            checker.options(&field.options)
        })
    }

    fn enumeration(&mut self, enumeration: &RawEnum) -> Checked {
        self.within(enumeration.name(), |checker| checker.options(&enumeration.options))?;
        // Values are siblings of their enum.
        enumeration
            .value
            .iter()
            .try_for_each(|value| self.within(value.name(), |checker| checker.options(&value.options)))
    }

    /// A map entry that is none makes prost-reflect panic where the map is used.
    fn map_entry(&self, message: &RawMessage) -> Checked {
        let is_entry = match message.field.as_slice() {
            [key, value] => {
                let key_type = key.r#type.and_then(|number| Type::try_from(number).ok());
                let plain = |field: &RawField| {
                    field.label.unwrap_or(Label::Optional as i32) == Label::Optional as i32
                        && field.oneof_index.is_none()
                };
                (key.name(), key.number(), value.name(), value.number()) == ("key", 1, "value", 2)
                    && plain(key)
                    && plain(value)
                    && key_type.is_some_and(|kind| {
                        !matches!(
                            kind,
                            Type::Double | Type::Float | Type::Bytes | Type::Message | Type::Group | Type::Enum
                        )
                    })
                    && value.r#type != Some(Type::Group as i32)
            }
            _ => false,
        };
        let alone = message.nested_type.is_empty() && message.enum_type.is_empty() && message.extension.is_empty();
        if is_entry && alone && message.extension_range.is_empty() {
            Ok(())
        } else {
            Err(format!("message {} is marked as a map entry, but is none", self.scope))
        }
    }

    fn options(&mut self, options: &Option<Vec<u8>>) -> Checked {
        let Some(options) = options else {
            return Ok(());
        };
        if let Some(custom) = &mut self.custom {
            custom.extend(numbers(options).filter(|number| *number >= CUSTOM));
        }
        match CheckedOptions::decode(options.as_slice()) {
            Ok(options) if options.uninterpreted_option.is_empty() => Ok(()),
            Ok(_) => Err(format!(
                "an option of '{}' was never interpreted by a compiler",
                self.scope
            )),
            Err(error) => Err(format!(
                "the options of '{}' cannot be read ({})",
                self.scope,
                reason(&error)
            )),
        }
    }

    /// Runs `check` for the element `name` in this scope.
    fn within(&mut self, name: &str, check: impl FnOnce(&mut Self) -> Checked) -> Checked {
        if !is_identifier(name) {
            return Err(format!(
                "expected a name in '{}', but found '{}'",
                self.scope,
                name.escape_debug()
            ));
        }
        let outer = self.scope.len();
        if outer > 0 {
            self.scope.push('.');
        }
        self.scope.push_str(name);
        if self.scope.len() > MAX_NAME {
            return Err(format!(
                "expected a full name of at most {MAX_NAME} bytes, but found {}",
                self.scope.len()
            ));
        }
        check(self)?;
        self.scope.truncate(outer);
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
