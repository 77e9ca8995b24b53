//! Names in parsed `.proto` texts, made absolute.
//!
//! prost-reflect could do this, but it looks for a name among everything that the pool holds, imported or not, so that
//! an unrelated file's package can shadow a name; and it follows public imports to a depth of one. Here each file
//! sees exactly what it imports, by protobuf's own scoping ("innermost scope first, by the name's first part").

use std::collections::{HashMap, HashSet};

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, UninterpretedOption,
    field_descriptor_proto::{Label, Type},
};

use super::imports::{self, Sees};
use super::left_out::LeftOut;
use super::nearest::nearest;
use super::tokens::bracketed;
use crate::text::problems::SHOWN;

/// Longest full name, in bytes. Every element repeats the names of all that it stands in, so names without a bound
/// would make the schema quadratic in the text.
pub(super) const MAX_NAME: usize = 1000;

/// How many parts an option's name may have: each but the last is a message to step into.
const MAX_OPTION_PARTS: usize = 20;

/// Resolves the names in `files`, each seeing the files at its positions in `visible` (its own included; `outside`
/// starts at position `files.len()`). `bundled` is the bundled file that has a full name in it, loaded or not.
///
/// Where a file has imports that aren't there, options that nothing defines are blanked: they set nothing any more. They go
/// to `left_out`. Returns all errors, file by file.
pub(super) fn link(
    files: &mut [FileDescriptorProto],
    outside: &[&FileDescriptorProto],
    visible: &[Sees],
    bundled: &dyn Fn(&str) -> Option<&'static str>,
    left_out: &mut LeftOut,
) -> Vec<LinkError> {
    let mut errors = Vec::new();
    let mut symbols = HashMap::new();
    let mut doubled = Doubled::new();
    let mut said_missing = HashSet::new();
    for (position, file) in files.iter().chain(outside.iter().copied()).enumerate() {
        collect(file, position, &mut symbols, &mut doubled);
    }
    let packages: Vec<_> = files
        .iter()
        .chain(outside.iter().copied())
        .map(|file| file.package().to_owned())
        .collect();
    let names: Vec<_> = files
        .iter()
        .chain(outside.iter().copied())
        .map(|file| file.name().to_owned())
        .collect();
    for (position, (file, sees)) in files.iter_mut().zip(visible).enumerate() {
        let mut linker = Linker {
            symbols: &symbols,
            doubled: &doubled,
            file_names: &names,
            sees: sees.files.iter().copied().collect(),
            missing: &sees.missing,
            bundled,
            left_out: &mut *left_out,
            packages: sees
                .files
                .iter()
                .filter_map(|seen| packages.get(*seen))
                .flat_map(|package| prefixes(package))
                .collect(),
            path: Vec::new(),
            file: position,
            said: HashSet::new(),
            said_missing: &mut said_missing,
            errors: &mut errors,
        };
        if let Err(message) = linker.link(file) {
            linker.report(message, false);
        }
    }
    errors
}

/// The positions of the files, in rising order, that define one name: only those names that several define.
type Doubled = HashMap<String, Vec<usize>>;

/// A name that resolves to nothing, or to the wrong kind of thing.
pub(super) struct LinkError {
    /// The position of the file.
    pub(super) file: usize,
    /// The element, as in `google.protobuf.SourceCodeInfo.Location`.
    pub(super) path: Vec<i32>,
    pub(super) message: String,
    /// Whether it is a name that isn't seen.
    pub(super) unknown: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum SymbolKind {
    Message,
    Enum,
    Extension,
}

#[derive(Clone, Copy)]
struct Symbol {
    file: usize,
    kind: SymbolKind,
}

/// What a name must stand for.
#[derive(Clone, Copy)]
enum Wanted {
    Message,
    MessageOrEnum,
    Extension,
}

impl Wanted {
    fn is(self, kind: SymbolKind) -> bool {
        match self {
            Self::Message => kind == SymbolKind::Message,
            Self::MessageOrEnum => kind != SymbolKind::Extension,
            Self::Extension => kind == SymbolKind::Extension,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Message => "a message type",
            Self::MessageOrEnum => "a message or enum type",
            Self::Extension => "an extension",
        }
    }
}

struct Linker<'s, 'm> {
    symbols: &'s HashMap<String, Symbol>,
    doubled: &'s Doubled,
    file_names: &'s [String],
    sees: HashSet<usize>,
    /// Imports that aren't there.
    missing: &'s [String],
    packages: HashSet<&'s str>,
    bundled: &'s dyn Fn(&str) -> Option<&'static str>,
    left_out: &'m mut LeftOut,
    /// The element at hand.
    path: Vec<i32>,
    /// The position of the file.
    file: usize,
    /// The names of which it has been said that they aren't defined: once is enough.
    said: HashSet<String>,
    /// The imports of which it has been said, in whatever file, that they aren't there.
    said_missing: &'m mut HashSet<Vec<String>>,
    errors: &'m mut Vec<LinkError>,
}

/// Why a name could not be resolved.
#[derive(Default)]
struct Unresolved {
    /// What has the name, but isn't seen or is of the wrong kind.
    found: Option<Symbol>,
    /// The name in the scope that the search ended in.
    searched: Option<String>,
}

/// An error ends what is read of the element at hand; others follow.
type Linked = Result<(), String>;

impl Linker<'_, '_> {
    fn link(&mut self, file: &mut FileDescriptorProto) -> Linked {
        let package = file.package().to_owned();
        if package.len() > MAX_NAME {
            return Err(too_long("package", package.len()));
        }
        if let Some(options) = &mut file.options {
            self.options(&[8], &mut options.uninterpreted_option, &package)?;
        }
        self.each(&[4], &mut file.message_type, |linker, message| {
            linker.message(message, &package)
        })?;
        self.each(&[5], &mut file.enum_type, |linker, enumeration| {
            linker.enumeration(enumeration, &package)
        })?;
        self.each(&[7], &mut file.extension, |linker, extension| {
            linker.field(extension, &package)
        })?;
        self.each(&[6], &mut file.service, |linker, service| {
            let scope = full_name(&package, service.name())?;
            if let Some(options) = &mut service.options {
                linker.options(&[3], &mut options.uninterpreted_option, &scope)?;
            }
            linker.each(&[2], &mut service.method, |linker, method| {
                let name = full_name(&scope, method.name())?;
                linker.name(&[2], &mut method.input_type, &scope, Wanted::Message);
                linker.name(&[3], &mut method.output_type, &scope, Wanted::Message);
                match &mut method.options {
                    Some(options) => linker.options(&[4], &mut options.uninterpreted_option, &name),
                    None => Ok(()),
                }
            })
        })
    }

    /// The parser bounds the recursion: messages nest 31 deep at most.
    fn message(&mut self, message: &mut DescriptorProto, scope: &str) -> Linked {
        let name = full_name(scope, message.name())?;
        if let Some(options) = &mut message.options {
            self.options(&[7], &mut options.uninterpreted_option, &name)?;
        }
        self.each(&[2], &mut message.field, |linker, field| linker.field(field, &name))?;
        self.each(&[3], &mut message.nested_type, |linker, nested| {
            linker.message(nested, &name)
        })?;
        self.each(&[4], &mut message.enum_type, |linker, enumeration| {
            linker.enumeration(enumeration, &name)
        })?;
        self.each(&[5], &mut message.extension_range, |linker, range| {
            match &mut range.options {
                Some(options) => linker.options(&[3], &mut options.uninterpreted_option, &name),
                None => Ok(()),
            }
        })?;
        self.each(&[6], &mut message.extension, |linker, extension| {
            linker.field(extension, &name)
        })?;
        self.each(&[8], &mut message.oneof_decl, |linker, oneof| {
            let name = full_name(&name, oneof.name())?;
            match &mut oneof.options {
                Some(options) => linker.options(&[2], &mut options.uninterpreted_option, &name),
                None => Ok(()),
            }
        })
    }

    fn field(&mut self, field: &mut FieldDescriptorProto, scope: &str) -> Linked {
        check_length(scope, field.name())?;
        self.name(&[2], &mut field.extendee, scope, Wanted::Message);
        self.name(&[6], &mut field.type_name, scope, Wanted::MessageOrEnum);
        let packable = field.label() == Label::Repeated
            && !matches!(
                field.r#type.map(Type::try_from),
                Some(Ok(Type::String | Type::Bytes | Type::Message | Type::Group))
            );
        let name = field.name.as_deref().unwrap_or_default();
        let Some(options) = &mut field.options else {
            return Ok(());
        };
        // prost-reflect fixes how a field is packed before it interprets options: this one is interpreted here.
        let is_packed = |option: &UninterpretedOption| is_plain(option, "packed");
        if let Some(option) = options.uninterpreted_option.iter().find(|option| is_packed(option)) {
            options.packed = match (packable, option.identifier_value.as_deref()) {
                (true, Some("true")) => Some(true),
                (true, Some("false")) => Some(false),
                (true, _) => return Err("expected true or false for option packed".to_owned()),
                (false, _) => return Err("option packed is for repeated numbers, bools and enums only".to_owned()),
            };
            for option in &mut options.uninterpreted_option {
                if is_packed(option) {
                    *option = blank();
                }
            }
        }
        let name = full_name(scope, name)?;
        self.options(&[8], &mut options.uninterpreted_option, &name)
    }

    fn enumeration(&mut self, enumeration: &mut EnumDescriptorProto, scope: &str) -> Linked {
        let name = full_name(scope, enumeration.name())?;
        if let Some(options) = &mut enumeration.options {
            self.options(&[3], &mut options.uninterpreted_option, &name)?;
        }
        self.each(&[2], &mut enumeration.value, |linker, value| {
            // Values are siblings of their enum.
            check_length(scope, value.name())?;
            let name = value.name.as_deref().unwrap_or_default();
            match &mut value.options {
                Some(options) => {
                    let name = full_name(scope, name)?;
                    linker.options(&[3], &mut options.uninterpreted_option, &name)
                }
                None => Ok(()),
            }
        })
    }

    fn options(&mut self, path: &[i32], options: &mut [UninterpretedOption], scope: &str) -> Linked {
        self.path.extend(path);
        self.each(&[999], options, |linker, option| {
            if option.name.len() > MAX_OPTION_PARTS {
                return Err(format!(
                    "expected an option name of at most {MAX_OPTION_PARTS} parts, but found {}",
                    option.name.len()
                ));
            }
            // The compiler's own; set by hand they would make a schema that contradicts itself.
            for reserved in ["map_entry", "uninterpreted_option", "features"] {
                if option
                    .name
                    .first()
                    .is_some_and(|part| !part.is_extension && part.name_part == reserved)
                {
                    return Err(format!("option {reserved} cannot be set in proto2 and proto3"));
                }
            }
            let written = linker.unless_complete(|| written(option));
            for part in option.name.iter_mut().filter(|part| part.is_extension) {
                part.name_part = match linker.resolve(&part.name_part, scope, Wanted::Extension) {
                    Ok(name) => name,
                    Err(unresolved) => {
                        let missing = linker.may_be_missing(&part.name_part, scope, &unresolved);
                        match written.filter(|_| missing) {
                            Some(written) => linker.left_out.option(written),
                            None => linker.refuse(&part.name_part, scope, Wanted::Extension, unresolved),
                        }
                        *option = blank();
                        return Ok(());
                    }
                };
            }
            if let Some(written) = written
                && linker.has_missing_within(option)
            {
                linker.left_out.option(written);
                *option = blank();
            }
            Ok(())
        })?;
        self.path.truncate(self.path.len() - path.len());
        Ok(())
    }

    fn name(&mut self, path: &[i32], name: &mut Option<String>, scope: &str, wanted: Wanted) {
        if let Some(name) = name {
            self.path.extend(path);
            match self.resolve(name, scope, wanted) {
                Ok(resolved) => *name = resolved,
                Err(unresolved) => self.refuse(name, scope, wanted, unresolved),
            }
            self.path.truncate(self.path.len() - path.len());
        }
    }

    /// Adds an error of the element at hand. `unknown`: it is a name that isn't seen.
    fn report(&mut self, message: String, unknown: bool) {
        self.errors.push(LinkError {
            file: self.file,
            path: self.path.clone(),
            message,
            unknown,
        });
    }

    fn each<E>(
        &mut self,
        path: &[i32],
        elements: &mut [E],
        mut link: impl FnMut(&mut Self, &mut E) -> Linked,
    ) -> Linked {
        let depth = self.path.len();
        for (element, index) in elements.iter_mut().zip(0..) {
            self.path.extend(path);
            self.path.push(index);
            if let Err(message) = link(self, element) {
                self.report(message, false);
            }
            self.path.truncate(depth);
        }
        Ok(())
    }

    /// The absolute form, with a leading dot, of `name` as `scope` sees it.
    fn resolve(&self, name: &str, scope: &str, wanted: Wanted) -> Result<String, Unresolved> {
        if let Some(absolute) = name.strip_prefix('.') {
            return match self.symbol(absolute) {
                Some(symbol) if self.sees.contains(&symbol.file) && wanted.is(symbol.kind) => Ok(name.to_owned()),
                found => Err(Unresolved { found, searched: None }),
            };
        }
        let (first, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
        let mut absolute = String::with_capacity(scope.len() + name.len() + 2);
        let mut misfit = None;
        for within in scopes(scope) {
            absolute.clear();
            for part in [".", within, if within.is_empty() { "" } else { "." }, first] {
                absolute.push_str(part);
            }
            if !rest.is_empty() && !self.is_scope(without_dot(&absolute)) {
                continue;
            }
            absolute.push_str(rest);
            match self.symbol(without_dot(&absolute)) {
                Some(symbol) if self.sees.contains(&symbol.file) && wanted.is(symbol.kind) => return Ok(absolute),
                found if rest.is_empty() => misfit = misfit.or(found),
                // Once the first part is found, the rest must be there.
                found => {
                    let searched = (!within.is_empty()).then(|| without_dot(&absolute).to_owned());
                    return Err(Unresolved { found, searched });
                }
            }
        }
        Err(Unresolved {
            found: misfit,
            searched: None,
        })
    }

    /// Whether names can stand below `full_name`.
    fn is_scope(&self, full_name: &str) -> bool {
        self.packages.contains(full_name)
            || self
                .symbol(full_name)
                .is_some_and(|symbol| symbol.kind == SymbolKind::Message && self.sees.contains(&symbol.file))
    }

    /// What has this full name. Of several files, one that is seen.
    fn symbol(&self, full_name: &str) -> Option<Symbol> {
        let symbol = *self.symbols.get(full_name)?;
        if self.doubled.is_empty() || self.sees.contains(&symbol.file) {
            return Some(symbol);
        }
        let mut files = self.doubled.get(full_name).into_iter().flatten();
        let seen = files.find(|file| self.sees.contains(file));
        Some(Symbol {
            file: seen.copied().unwrap_or(symbol.file),
            ..symbol
        })
    }

    /// What `make` gives, if an import of the file isn't there.
    fn unless_complete<T>(&self, make: impl FnOnce() -> T) -> Option<T> {
        (!self.missing.is_empty()).then(make)
    }

    /// Whether an import that isn't there may define the name: no file that is there does, seen or not, in any scope around.
    fn may_be_missing(&self, name: &str, scope: &str, unresolved: &Unresolved) -> bool {
        let is_there =
            |full_name: String| self.symbols.contains_key(&full_name) || (self.bundled)(&full_name).is_some();
        !self.missing.is_empty() && unresolved.found.is_none() && !full_names(name, scope).any(is_there)
    }

    /// Whether the option's value, in text format, has a `[name]` in it that nothing defines. A rule for HTTP has none.
    fn has_missing_within(&self, option: &UninterpretedOption) -> bool {
        let value = option.aggregate_value.as_deref().unwrap_or_default();
        let is_http = option
            .name
            .first()
            .is_some_and(|part| part.name_part == ".google.api.http");
        !is_http
            && bracketed(value).any(|name| {
                let full_name = name.rsplit('/').next().unwrap_or(&name);
                !self.symbols.contains_key(full_name)
            })
    }

    /// The file that has the name, as one of the scopes around would see it, but isn't imported; and whether it is a bundled
    /// one whose place a given one takes.
    fn elsewhere(&self, name: &str, scope: &str, wanted: Wanted) -> Option<(&str, bool)> {
        full_names(name, scope).find_map(|full_name| match self.symbol(&full_name) {
            Some(symbol) if wanted.is(symbol.kind) && !self.sees.contains(&symbol.file) => {
                Some((self.file_names.get(symbol.file)?.as_str(), false))
            }
            Some(_) => None,
            None => {
                let bundled = (self.bundled)(&full_name)?;
                Some((bundled, self.file_names.iter().any(|file| file == bundled)))
            }
        })
    }

    /// Adds the error of a name, unless the file has had it, or another error has said what is missing for it.
    fn refuse(&mut self, name: &str, scope: &str, wanted: Wanted, unresolved: Unresolved) {
        if !self.said.insert(name.to_owned()) {
            return;
        }
        let unseen = match unresolved.found {
            Some(symbol) if self.sees.contains(&symbol.file) => {
                return self.report(format!("'{name}' is not {}", wanted.text()), true);
            }
            Some(symbol) => self.file_names.get(symbol.file).map(|file| (file.as_str(), false)),
            None => self.elsewhere(name, scope, wanted),
        };
        let other_path = unseen.and_then(|(unseen, _)| imports::other_path(unseen, self.missing));
        let missing: Vec<String> = match unseen {
            Some((unseen, _)) => other_path
                .into_iter()
                .flat_map(|path| [unseen.to_owned(), path.to_owned()])
                .collect(),
            None => imports::likely(name, self.missing)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        let is_said = !missing.is_empty() && self.said_missing.contains(&missing);
        // What is meant takes a search through all names.
        let message = match unseen {
            _ if is_said || self.errors.len() >= SHOWN => String::new(),
            Some((unseen, is_replaced)) => explain_unseen(name, wanted, unseen, is_replaced, other_path),
            None => self.explain(name, wanted, unresolved),
        };
        let unknown = other_path.is_none() && !unseen.is_some_and(|(_, is_replaced)| is_replaced);
        if !is_said {
            self.said_missing.insert(missing);
            self.report(message, unknown);
        }
    }

    /// What is wrong with a name that no file has.
    fn explain(&self, name: &str, wanted: Wanted, unresolved: Unresolved) -> String {
        let expected = wanted.text();
        let short = name.rsplit('.').next().unwrap_or(name);
        let mut known: Vec<_> = self
            .symbols
            .iter()
            .filter(|(_, symbol)| wanted.is(symbol.kind) && self.sees.contains(&symbol.file))
            .map(|(full_name, _)| full_name.rsplit('.').next().unwrap_or(full_name))
            .collect();
        known.sort_unstable();
        let meant = match nearest(short, known) {
            Some(near) if near != short => format!("; did you mean '{near}'?"),
            _ => String::new(),
        };
        let searched = match unresolved.searched {
            Some(searched) => format!(
                " (the innermost '{}' is searched, '{searched}'; a leading dot starts at the top)",
                name.split('.').next().unwrap_or(name)
            ),
            None => String::new(),
        };
        format!("'{name}' is not defined, expected {expected}{meant}{searched}")
    }
}

/// What is wrong with a name that is in the file `unseen`: a given one takes its place, or it is imported by another path,
/// or not at all.
fn explain_unseen(name: &str, wanted: Wanted, unseen: &str, is_replaced: bool, other_path: Option<&str>) -> String {
    let expected = wanted.text();
    let cure = match other_path {
        _ if is_replaced => {
            return format!(
                "'{name}' is not defined, expected {expected}; the bundled {unseen} has it, but the one that is given takes \
                 its place: leave that out"
            );
        }
        Some(path) => format!("imported as \"{path}\": make the two paths the same"),
        None => format!("not imported: add import \"{unseen}\""),
    };
    format!("'{name}' is not defined here, expected {expected}; it is in {unseen}, which is {cure}")
}

/// A scope and those around it, the whole file last.
fn scopes(scope: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(scope), |scope| match scope.rsplit_once('.') {
        Some((outer, _)) => Some(outer),
        None if scope.is_empty() => None,
        None => Some(""),
    })
}

/// What a name may mean in a scope, the innermost first.
fn full_names<'n>(name: &'n str, scope: &'n str) -> impl Iterator<Item = String> + 'n {
    let (name, scope) = match name.strip_prefix('.') {
        Some(absolute) => (absolute, ""),
        None => (name, scope),
    };
    scopes(scope).map(move |within| match within {
        "" => name.to_owned(),
        within => format!("{within}.{name}"),
    })
}

fn without_dot(name: &str) -> &str {
    name.strip_prefix('.').unwrap_or(name)
}

/// Whether the option is the one that protobuf itself calls `name`.
fn is_plain(option: &UninterpretedOption, name: &str) -> bool {
    matches!(option.name.as_slice(), [part] if !part.is_extension && part.name_part == name)
}

/// An option without a name, which sets nothing. One that is taken out would shift those behind it, which errors then
/// find in the wrong place.
fn blank() -> UninterpretedOption {
    UninterpretedOption::default()
}

/// The name of an option as it is written: `(validate.rules).string.min_len`, without its fields `(validate.rules)`.
fn written(option: &UninterpretedOption) -> String {
    let parts = option.name.iter().map(|part| match part.is_extension {
        true => format!("({})", without_dot(&part.name_part)),
        false => part.name_part.clone(),
    });
    // Fields at the end tell nothing of what is missing, and would make many of one option.
    let fields = option.name.iter().rev().take_while(|part| !part.is_extension).count();
    parts.take(option.name.len() - fields).collect::<Vec<_>>().join(".")
}

fn full_name(scope: &str, name: &str) -> Result<String, String> {
    check_length(scope, name)?;
    Ok(if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    })
}

/// Most names are only checked: making each would cost an allocation a field.
fn check_length(scope: &str, name: &str) -> Linked {
    let length = if scope.is_empty() {
        name.len()
    } else {
        scope.len() + 1 + name.len()
    };
    if length > MAX_NAME {
        return Err(too_long("full name", length));
    }
    Ok(())
}

fn too_long(what: &str, length: usize) -> String {
    format!("expected a {what} of at most {MAX_NAME} bytes, but found {length}")
}

/// `a`, `a.b`, `a.b.c` of `a.b.c`.
fn prefixes(package: &str) -> impl Iterator<Item = &str> {
    package
        .match_indices('.')
        .filter_map(|(dot, _)| package.get(..dot))
        .chain((!package.is_empty()).then_some(package))
}

/// Adds the types and extensions of a file. Of two with one name the first stays; prost-reflect reports them.
fn collect(file: &FileDescriptorProto, position: usize, symbols: &mut HashMap<String, Symbol>, doubled: &mut Doubled) {
    let mut add = |scope: &str, name: &str, kind| {
        let full_name = if scope.is_empty() {
            name.to_owned()
        } else {
            format!("{scope}.{name}")
        };
        // The linker reports a name that is too long; its likes must not fill the memory before.
        let kept = full_name.len() <= MAX_NAME;
        if kept {
            let first = symbols
                .entry(full_name.clone())
                .or_insert(Symbol { file: position, kind })
                .file;
            if first != position {
                let files = doubled.entry(full_name.clone()).or_insert_with(|| vec![first]);
                if files.last() != Some(&position) {
                    files.push(position);
                }
            }
        }
        kept.then_some(full_name)
    };
    let mut messages: Vec<(String, &DescriptorProto)> = file
        .message_type
        .iter()
        .map(|message| (file.package().to_owned(), message))
        .collect();
    for enumeration in &file.enum_type {
        add(file.package(), enumeration.name(), SymbolKind::Enum);
    }
    for extension in &file.extension {
        add(file.package(), extension.name(), SymbolKind::Extension);
    }
    while let Some((scope, message)) = messages.pop() {
        let Some(full_name) = add(&scope, message.name(), SymbolKind::Message) else {
            continue;
        };
        for enumeration in &message.enum_type {
            add(&full_name, enumeration.name(), SymbolKind::Enum);
        }
        for extension in &message.extension {
            add(&full_name, extension.name(), SymbolKind::Extension);
        }
        messages.extend(message.nested_type.iter().map(|nested| (full_name.clone(), nested)));
    }
}
