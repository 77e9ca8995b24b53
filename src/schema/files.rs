//! The files of a schema on their way to a pool: read, completed with bundled ones, linked, built.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor, ServiceDescriptor};
use prost_types::FileDescriptorProto;

use super::comments::Comments;
use super::editions::Features;
use super::error::SchemaError;
use super::imports::{self, Imports, Sees};
use super::left_out::LeftOut;
use super::raw::RawFile;
use super::{bundled, descriptor_set, link, proto_text, well_known};
use crate::text::problems::{Problems, SHOWN};

/// The files on their way to a pool.
pub(super) struct Files<'a> {
    /// To begin with, those files of `google/protobuf` that neither are given nor import one that is.
    pub(super) pool: DescriptorPool,
    /// Given or bundled.
    texts: Vec<TextFile<'a>>,
    /// Of a descriptor set, or of `google/protobuf`.
    compiled: Vec<RawFile>,
    pub(super) features: Features,
    /// The names of the files whose services are served.
    given: Vec<String>,
    /// What files see that isn't there, by their names: some import paths of each.
    missing: HashMap<String, Vec<String>>,
    pub(super) left_out: LeftOut,
}

struct TextFile<'a> {
    name: String,
    text: &'a str,
    descriptor: FileDescriptorProto,
}

impl<'a> TextFile<'a> {
    /// Its comments are added to `comments`.
    fn parse(name: &str, text: &'a str, comments: Option<&mut Comments>) -> Result<Self, SchemaError> {
        let mut descriptor = proto_text::parse(name, text)?;
        if let Some(comments) = comments {
            comments.add(&descriptor);
        }
        // It costs much memory, and prost-reflect much time for each option.
        descriptor.source_code_info = None;
        Ok(Self {
            name: name.to_owned(),
            text,
            descriptor,
        })
    }
}

impl<'a> Files<'a> {
    /// Those that can't be read go to `problems`, and what imports them is left out with them. The comments of the others
    /// are added to `comments`.
    pub(super) fn from_texts(
        given: &[(&str, &'a str)],
        max_proto_bytes: usize,
        mut comments: Option<&mut Comments>,
        problems: &mut Problems<SchemaError>,
    ) -> Result<Self, SchemaError> {
        let length: usize = given.iter().map(|(_, text)| text.len()).sum();
        if length > max_proto_bytes {
            return Err(SchemaError::new(format!(
                "expected at most {max_proto_bytes} bytes of .proto text (limits.max_proto_bytes), but found {length}"
            )));
        }
        if given.is_empty() {
            return Err(SchemaError::new("expected at least one file, but found none"));
        }
        let mut files = Vec::with_capacity(given.len());
        let mut names = HashSet::new();
        let mut unread = HashSet::new();
        for (name, text) in given {
            if let Err(error) = check_import_path(name) {
                problems.add(|| error);
                continue;
            }
            if !names.insert(*name) {
                problems.add(|| SchemaError::in_file(name, "the file is given twice"));
                continue;
            }
            match TextFile::parse(name, text, comments.as_deref_mut()) {
                Ok(file) => files.push(file),
                // protox does not read all that is in newer ones, and few need what these have more.
                Err(error) if *name == DESCRIPTOR => log::warn!("the bundled {DESCRIPTOR} is used: {error}"),
                Err(error) => {
                    unread.insert((*name).to_owned());
                    problems.add(|| error);
                }
            }
        }
        leave_out_importing(unread, &mut files);
        let (pool, compiled) = well_known::beside(files.iter().map(|file| &*file.name))?;
        Ok(Self {
            pool,
            texts: files,
            compiled,
            features: Features::default(),
            given: given.iter().map(|(name, _)| (*name).to_owned()).collect(),
            missing: HashMap::new(),
            left_out: LeftOut::default(),
        })
    }

    pub(super) fn from_descriptor_set(bytes: &[u8]) -> Result<Self, SchemaError> {
        let mut features = Features::default();
        let mut compiled = descriptor_set::read(bytes, &mut features)?;
        let given: Vec<_> = compiled.iter().map(|file| file.name().to_owned()).collect();
        let (pool, mut others) = well_known::beside(compiled.iter().map(RawFile::name))?;
        compiled.append(&mut others);
        Ok(Self {
            given,
            pool,
            texts: Vec::new(),
            compiled,
            features,
            missing: HashMap::new(),
            left_out: LeftOut::default(),
        })
    }

    /// Adds the bundled files that are imported, directly or not, and those that every pool holds.
    pub(super) fn add_bundled(&mut self) -> Result<(), SchemaError> {
        let mut known: HashSet<String> = self
            .texts
            .iter()
            .map(|file| file.descriptor.name())
            .chain(self.compiled.iter().map(RawFile::name))
            .map(str::to_owned)
            .collect();
        let mut wanted: Vec<String> = self
            .texts
            .iter()
            .flat_map(|file| &file.descriptor.dependency)
            .chain(self.compiled.iter().flat_map(|file| &file.dependency))
            .cloned()
            .collect();
        if descriptor_set::needs_http(&self.compiled) {
            wanted.push(ANNOTATIONS.to_owned());
        }
        while let Some(name) = wanted.pop() {
            if let Some(text) = bundled::text(&name)
                && known.insert(name.clone())
            {
                let file = TextFile::parse(&name, text, None)?;
                wanted.extend(file.descriptor.dependency.iter().cloned());
                self.texts.push(file);
            }
        }
        let declared: HashSet<String> = self
            .texts
            .iter()
            .flat_map(|file| {
                let package = file.descriptor.package();
                let messages = file.descriptor.message_type.iter().map(|message| message.name());
                messages.map(move |name| format!("{package}.{name}"))
            })
            .chain(self.compiled.iter().flat_map(|file| {
                let messages = file.message_type.iter().map(|message| message.name());
                messages.map(move |name| format!("{}.{name}", file.package()))
            }))
            .collect();
        for name in bundled::ALWAYS {
            let Some(text) = bundled::text(name).filter(|_| !known.contains(name)) else {
                continue;
            };
            let file = TextFile::parse(name, text, None)?;
            // The same messages may have been given under another path.
            let package = file.descriptor.package();
            let mut messages = file.descriptor.message_type.iter();
            if !messages.any(|message| declared.contains(&format!("{package}.{}", message.name()))) {
                self.texts.push(file);
            }
        }
        Ok(())
    }

    /// Gives each file exactly what it sees, and makes the names in texts absolute.
    pub(super) fn link(&mut self) -> Result<(), Problems<SchemaError>> {
        let well_known: Vec<FileDescriptor> = self.pool.files().collect();
        let imports = self.imports(&well_known);
        let visible = imports::visible(&imports).map_err(|error| {
            let name = imports.get(error.file).map_or("", |file| file.name);
            self.error_at(name, &[3, error.import as i32], error.message)
        })?;
        let names = visible.iter().map(|sees| {
            let names = sees.files.iter().skip(1).filter_map(|at| imports.get(*at));
            names.map(|file| file.name.to_owned()).collect()
        });
        let names = names.collect();
        let incomplete = imports
            .iter()
            .zip(&visible)
            .filter(|(_, sees)| !sees.missing.is_empty());
        let missing: HashMap<_, _> = incomplete
            .map(|(file, sees)| (file.name.to_owned(), sees.missing.clone()))
            .collect();
        if !missing.is_empty() {
            self.left_out = self.left_out(&imports);
        }
        self.missing = missing;
        self.resolve_names(&well_known, &visible)?;
        self.make_imports_direct(names);
        Ok(self.refuse_doubled_extensions()?)
    }

    /// The imports that aren't there, and the options that they may define of compiled files; those of texts are found as
    /// their names are resolved.
    fn left_out(&self, imports: &[Imports<'_>]) -> LeftOut {
        let mut left_out = LeftOut::default();
        let there: HashSet<_> = imports.iter().map(|file| file.name).collect();
        for file in imports {
            for name in file.dependency.iter().filter(|name| !there.contains(name.as_str())) {
                left_out.import(name, file.name);
            }
        }
        let defined: HashSet<i32> = self.extensions().map(|extension| extension.number).collect();
        let is_incomplete = |file: &&RawFile| file.dependency.iter().any(|name| !there.contains(name.as_str()));
        for file in self.compiled.iter().filter(is_incomplete) {
            for number in descriptor_set::custom_options(file) {
                if !defined.contains(&number) {
                    left_out.option(format!("number {number}"));
                }
            }
        }
        left_out
    }

    /// What each file imports: of the texts, the compiled files and the well-known ones, in this order.
    fn imports<'f>(&'f self, well_known: &'f [FileDescriptor]) -> Vec<Imports<'f>> {
        let given: HashSet<&str> = self.given.iter().map(String::as_str).collect();
        self.texts
            .iter()
            .map(|file| Imports {
                name: &file.name,
                dependency: &file.descriptor.dependency,
                public: &file.descriptor.public_dependency,
                given: given.contains(&*file.name),
            })
            .chain(self.compiled.iter().map(|file| Imports {
                name: file.name(),
                dependency: &file.dependency,
                public: &file.public_dependency,
                given: given.contains(file.name()),
            }))
            .chain(well_known.iter().map(|file| {
                let descriptor = file.file_descriptor_proto();
                Imports {
                    name: descriptor.name(),
                    dependency: &descriptor.dependency,
                    public: &descriptor.public_dependency,
                    given: false,
                }
            }))
            .collect()
    }

    /// Makes the names in texts absolute, each text seeing the files at its positions in `visible`.
    fn resolve_names(&mut self, well_known: &[FileDescriptor], visible: &[Sees]) -> Result<(), Problems<SchemaError>> {
        // Only bundled texts are linked beside a descriptor set, and these rarely import what the set gives.
        let texts = self.texts.len();
        let seen: HashSet<usize> = visible
            .iter()
            .take(texts)
            .flat_map(|sees| sees.files.iter().copied())
            .collect();
        let compiled: Vec<_> = self
            .compiled
            .iter()
            .zip(texts..)
            .map(|(file, position)| {
                if seen.contains(&position) {
                    FileDescriptorProto::decode(file.encode_to_vec().as_slice()).unwrap_or_default()
                } else {
                    FileDescriptorProto::default()
                }
            })
            .collect();
        let outside: Vec<_> = compiled
            .iter()
            .chain(well_known.iter().map(FileDescriptor::file_descriptor_proto))
            .collect();
        let mut descriptors: Vec<_> = self
            .texts
            .iter_mut()
            .map(|file| std::mem::take(&mut file.descriptor))
            .collect();
        let bundled = BundledNames::default();
        let file_of = |full_name: &str| bundled.file_of(full_name);
        let linked = link::link(&mut descriptors, &outside, visible, &file_of, &mut self.left_out);
        for (file, descriptor) in self.texts.iter_mut().zip(descriptors) {
            file.descriptor = descriptor;
        }
        let mut problems = Problems::default();
        for errors in linked.chunk_by(|one, next| one.file == next.file) {
            let file = errors.first().and_then(|error| self.texts.get(error.file));
            let (name, text) = file.map_or(("", ""), |file| (&*file.name, file.text));
            // In the order of the text.
            let (shown, others) = errors.split_at(errors.len().min(SHOWN.saturating_sub(problems.count())));
            let paths: Vec<&[i32]> = shown.iter().map(|error| &*error.path).collect();
            let mut shown: Vec<_> = proto_text::locate(name, text, &paths).into_iter().zip(shown).collect();
            shown.sort_by_key(|(place, _)| *place);
            for (place, error) in shown {
                let message = match error.unknown {
                    true => self.with_missing(name, error.message.clone(), ""),
                    false => error.message.clone(),
                };
                problems.add(|| SchemaError::in_file(name, message).at(place));
            }
            for error in others {
                problems.add(|| SchemaError::in_file(name, error.message.clone()));
            }
        }
        problems.or(())
    }

    /// A message that a name, its first word in quotes, isn't defined in `file`; with what is to say of its imports that
    /// aren't there, and the `cure`.
    fn with_missing(&self, file: &str, message: String, cure: &str) -> String {
        let Some(missing) = self.missing.get(file) else {
            return message;
        };
        let well_known: Vec<_> = self.pool.files().collect();
        let name = message.split('\'').nth(1).unwrap_or_default();
        let not_there = imports::not_there(name, missing, &self.imports(&well_known));
        format!("{message}; {not_there}{cure}")
    }

    /// Has each file import what it sees, by name: prost-reflect follows public imports one level deep only, and not at
    /// all safely.
    fn make_imports_direct(&mut self, visible: Vec<Vec<String>>) {
        let mut visible = visible.into_iter();
        for (file, sees) in self.texts.iter_mut().zip(visible.by_ref()) {
            file.descriptor.dependency = sees;
            file.descriptor.public_dependency.clear();
            file.descriptor.weak_dependency.clear();
        }
        for (file, sees) in self.compiled.iter_mut().zip(visible) {
            file.dependency = sees;
            file.public_dependency.clear();
        }
    }

    /// Two extensions with one number would let prost-reflect read an option with the wrong type, and panic.
    fn refuse_doubled_extensions(&self) -> Result<(), SchemaError> {
        let mut known = HashMap::new();
        for extension in self.pool.all_extensions() {
            let key = (
                extension.containing_message().full_name().to_owned(),
                extension.number() as i32,
            );
            let file = extension.parent_file().name().to_owned();
            known.insert(key, (file, extension.full_name().to_owned()));
        }
        for Extension {
            file,
            extendee,
            number,
            name,
        } in self.extensions()
        {
            let other = known.insert((extendee.to_owned(), number), (file.to_owned(), name.to_owned()));
            let Some((other_file, other)) = other else {
                continue;
            };
            let message = |name: &str, other: &str| {
                format!("extension {name} has the number {number} of {extendee}, which extension {other} has already")
            };
            return Err(match self.one_given(file, &other_file) {
                _ if file == other_file => SchemaError::in_file(file, message(name, &other)),
                (given, elsewhere) if given == file => {
                    SchemaError::in_file(given, format!("{}, in {elsewhere}", message(name, &other)))
                }
                (given, elsewhere) => SchemaError::in_file(given, format!("{}, in {elsewhere}", message(&other, name))),
            });
        }
        Ok(())
    }

    /// All extensions of texts and compiled files.
    fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        let texts = self.texts.iter().flat_map(|file| {
            let descriptor = &file.descriptor;
            extensions(&descriptor.extension, &descriptor.message_type, |message| {
                (&message.extension, &message.nested_type)
            })
            .into_iter()
            .map(|field| (descriptor.name(), field.extendee(), field.number(), field.name()))
        });
        let compiled = self.compiled.iter().flat_map(|file| {
            extensions(&file.extension, &file.message_type, |message| {
                (&message.extension, &message.nested_type)
            })
            .into_iter()
            .map(|field| (file.name(), field.extendee(), field.number(), field.name()))
        });
        texts.chain(compiled).map(|(file, extendee, number, name)| Extension {
            file,
            extendee: extendee.trim_start_matches('.'),
            number,
            name,
        })
    }

    /// Given files of `google/protobuf` must not contradict what the codec and prost-reflect know of them.
    pub(super) fn check_well_known(&self) -> Result<(), SchemaError> {
        for file in self.texts.iter().filter(|file| well_known::is_one(&file.name)) {
            well_known::check(&file.name, &file.descriptor.encode_to_vec())?;
        }
        for file in self.compiled.iter().filter(|file| well_known::is_one(file.name())) {
            well_known::check(file.name(), &file.encode_to_vec())?;
        }
        Ok(())
    }

    /// Adds the files to the pool; the services of the given ones.
    pub(super) fn build(&mut self) -> Result<Vec<ServiceDescriptor>, SchemaError> {
        let built = if self.compiled.is_empty() {
            let descriptors = self.texts.iter_mut().map(|file| std::mem::take(&mut file.descriptor));
            self.pool.add_file_descriptor_protos(descriptors)
        } else {
            let texts: Vec<_> = self.texts.iter().map(|file| file.descriptor.encode_to_vec()).collect();
            let set = descriptor_set::write(&self.compiled, &texts);
            self.pool.decode_file_descriptor_set(set.as_slice())
        };
        if let Err(error) = built {
            let message = match std::error::Error::source(&error) {
                Some(reason) => format!("{error}: {reason}"),
                None => error.to_string(),
            };
            // Names in texts have been resolved before.
            let in_set = |file: &&str| self.compiled.iter().any(|compiled| compiled.name() == *file);
            let of_set = error
                .file()
                .filter(|_| message.ends_with("is not defined"))
                .filter(in_set);
            let message = match of_set {
                Some(file) => self.with_missing(file, message, "; protoc --include_imports makes a set complete"),
                None if message.ends_with(SECOND_PATTERN) => format!(
                    "{message}: expected one of get, put, post, delete, patch and custom; the others go into \
                     additional_bindings"
                ),
                None => message,
            };
            let message = match error.file().and_then(|file| self.doubled_in(file, &message)) {
                Some((given, message)) if Some(given) != error.file() => {
                    return Err(SchemaError::in_file(given, message));
                }
                Some((_, message)) => message,
                None => message,
            };
            return Err(match (error.file(), error.path()) {
                (Some(file), path) => self.error_at(file, path.unwrap_or_default(), message),
                (None, _) => SchemaError::new(message),
            });
        }
        let services = self
            .given
            .iter()
            .filter_map(|name| self.pool.get_file_by_name(name))
            .flat_map(|file| file.services().collect::<Vec<_>>())
            .collect();
        Ok(services)
    }

    /// What to say where `message` is that a name of this file is in another as well; and of which of the two files: one that
    /// is given.
    fn doubled_in<'f>(&self, file: &'f str, message: &'f str) -> Option<(&'f str, String)> {
        let (name, other) = message.split_once(DOUBLED)?;
        let other = other.trim_end_matches('\'');
        let (file, elsewhere) = self.one_given(file, other);
        let message = format!("{name}' is also defined in {elsewhere}: give a file under one path only");
        Some((file, message))
    }

    /// Of two files that contradict each other, one that is given, and what to call the other.
    fn one_given<'f>(&self, file: &'f str, other: &'f str) -> (&'f str, String) {
        let is_given = |file: &str| self.given.iter().any(|given| given == file);
        match (is_given(file), is_given(other)) {
            (true, true) => (file, other.to_owned()),
            (true, false) => (file, format!("the bundled {other}")),
            (false, _) => (other, format!("the bundled {file}")),
        }
    }

    /// An error at an element of a file: with its place in the text, or with its name in a descriptor set.
    fn error_at(&self, file: &str, path: &[i32], message: String) -> SchemaError {
        if let Some(text) = self.texts.iter().find(|text| text.name == file) {
            let places = proto_text::locate(file, text.text, &[path]);
            return SchemaError::in_file(file, message).at(places.first().copied().flatten());
        }
        let element = self.compiled.iter().find(|compiled| compiled.name() == file);
        match element.and_then(|file| descriptor_set::element_at(file, path)) {
            Some(element) => SchemaError::in_file(file, format!("{message} ({element})")),
            None => SchemaError::in_file(file, message),
        }
    }
}

/// protobuf's own description of `.proto` files.
const DESCRIPTOR: &str = "google/protobuf/descriptor.proto";

/// What prost-reflect says of a rule with two HTTP methods, as Kong's own plugin and its examples take it.
const SECOND_PATTERN: &str = "a value is already set for oneof 'pattern'";

/// What prost-reflect says between a name and the file that defines it too.
const DOUBLED: &str = "' is already defined in file '";

/// Where `google.api.http` is defined.
const ANNOTATIONS: &str = "google/api/annotations.proto";

/// An extension as its file declares it.
struct Extension<'f> {
    file: &'f str,
    /// The full name of the message that it extends, without a leading dot.
    extendee: &'f str,
    number: i32,
    name: &'f str,
}

/// All extensions of a file, those in messages included.
fn extensions<'f, F, M>(
    top: &'f [F],
    messages: &'f [M],
    below: impl Fn(&'f M) -> (&'f Vec<F>, &'f Vec<M>),
) -> Vec<&'f F> {
    let mut found: Vec<_> = top.iter().collect();
    let mut pending: Vec<_> = messages.iter().collect();
    while let Some(message) = pending.pop() {
        let (extensions, nested) = below(message);
        found.extend(extensions);
        pending.extend(nested);
    }
    found
}

/// The bundled file of each top-level name in one. Read when it is first asked for: most schemas never do.
#[derive(Default)]
struct BundledNames(OnceCell<HashMap<String, &'static str>>);

/// No name in a bundled file has as many parts, but for those below a message.
const MAX_PARTS: usize = 6;

impl BundledNames {
    /// The file that has this name in it: an extension, or a type, or one below it.
    fn file_of(&self, full_name: &str) -> Option<&'static str> {
        full_name.strip_prefix("google.")?;
        let names = self.0.get_or_init(Self::read);
        let ends = full_name
            .match_indices('.')
            .map(|(dot, _)| dot)
            .chain([full_name.len()]);
        ends.take(MAX_PARTS)
            .find_map(|end| names.get(full_name.get(..end)?))
            .copied()
    }

    fn read() -> HashMap<String, &'static str> {
        let mut names = HashMap::new();
        for file in bundled::names() {
            let Some(TextFile { descriptor, .. }) =
                bundled::text(file).and_then(|text| TextFile::parse(file, text, None).ok())
            else {
                continue;
            };
            let messages = descriptor.message_type.iter().map(|message| message.name());
            let enums = descriptor.enum_type.iter().map(|enumeration| enumeration.name());
            let extensions = descriptor.extension.iter().map(|extension| extension.name());
            for name in messages.chain(enums).chain(extensions) {
                names.insert(format!("{}.{name}", descriptor.package()), file);
            }
        }
        names
    }
}

/// Leaves out the files that import one of these, directly or not.
fn leave_out_importing(mut unread: HashSet<String>, files: &mut Vec<TextFile<'_>>) {
    while !unread.is_empty() {
        let mut importing = HashSet::new();
        files.retain(|file| {
            let whole = !file.descriptor.dependency.iter().any(|name| unread.contains(name));
            if !whole {
                importing.insert(file.name.clone());
            }
            whole
        });
        unread = importing;
    }
}

/// Import paths are relative and in their simplest form, so that an `import` can only be written one way.
fn check_import_path(path: &str) -> Result<(), SchemaError> {
    let simple = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0', '\n']);
    if path.split('/').all(simple) {
        return Ok(());
    }
    Err(SchemaError::new(format!(
        "expected a relative import path such as a/b.proto, without . and .. in it, but found '{}'",
        path.escape_debug()
    )))
}
