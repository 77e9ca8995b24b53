//! From what the configuration says to the passes of each method.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use prost_reflect::DescriptorPool;

use super::active::{MethodEntry, MethodTransforms, Pass, Side, Transforms};
use super::annotated::{Annotated, is_message_set};
use super::path::{self, ENTRY_VALUE, Step};
use super::program::{NodeIndex, Program, Value};
use super::rules::{Entry, Operation, PathText, RuleError, Source};
use super::source::{Dynamic, Origin};
use super::trie::{Leaf, Trie};
use crate::codec::{
    JsonInput, JsonToWire, ParseOptions, UnknownEnumNames, UnknownFields, check_required, has_text_form,
};
use crate::routing::Methods;
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, Tables, WellKnown};
use crate::text::problems::Problems;
use crate::wire::{Groups, Reader, WireType};

/// What rules are compiled against.
#[derive(Debug)]
pub struct Schema<'s> {
    /// The tables of the schema.
    pub tables: &'s Tables,
    /// Its descriptors, which have the options.
    pub pool: &'s DescriptorPool,
    /// What of it isn't known for want of files, if anything.
    pub left_out: Option<&'s str>,
}

impl Transforms {
    /// Compiles `entries` for those of `methods` that they select. `parse`: how values are read; `limit`: how many bytes a
    /// message may have, `limits.max_message_bytes`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the entries.
    pub fn compile(
        entries: &[Entry],
        schema: &Schema<'_>,
        methods: &Methods,
        parse: &ParseOptions,
        limit: usize,
    ) -> Result<Self, Problems<RuleError>> {
        let mut by_method: Vec<Vec<MethodEntry>> = methods.descriptors().iter().map(|_| Vec::new()).collect();
        let mut compiler = Compiler {
            schema,
            // What a gateway says must be right to the letter.
            parse: ParseOptions {
                unknown_fields: UnknownFields::Reject,
                unknown_enum_names: UnknownEnumNames::Reject,
                ..*parse
            },
            annotated: HashMap::new(),
            said: HashSet::new(),
            problems: Problems::default(),
        };
        for entry in entries {
            let selected = compiler.select(entry, methods);
            let when = entry.when.clone().map(Rc::new);
            let (mut requests, mut responses) = (HashMap::new(), HashMap::new());
            let several = selected.iter().filter(|selected| **selected).count() > 1;
            for ((method, entries), _) in (methods.descriptors().iter().zip(&mut by_method))
                .zip(&selected)
                .filter(|(_, selected)| **selected)
            {
                let mut side = |message: &str, operations: &[Operation], sides: &mut HashMap<_, Rc<Side>>, what| {
                    let Some(message) = schema.tables.message_index(message) else {
                        return Rc::default();
                    };
                    let of = Of {
                        message,
                        what,
                        method: method.full_name(),
                        several,
                    };
                    let compile = || Rc::new(compiler.side(&entry.key, operations, &of));
                    Rc::clone(sides.entry(message).or_insert_with(compile))
                };
                let (input, output) = (method.input(), method.output());
                let compiled = MethodEntry {
                    when: when.clone(),
                    request: side(input.full_name(), &entry.request, &mut requests, "request"),
                    response: side(output.full_name(), &entry.response, &mut responses, "response"),
                };
                if !compiled.request.passes.is_empty() || !compiled.response.passes.is_empty() {
                    entries.push(compiled);
                }
            }
        }
        let parse = compiler.parse;
        let of_method = |entries: Vec<MethodEntry>| {
            (!entries.is_empty()).then(|| Rc::new(MethodTransforms::new(entries, parse, limit)))
        };
        let mut by_method: Vec<_> = by_method.into_iter().map(of_method).collect();
        if by_method.iter().all(Option::is_none) {
            by_method.clear();
        }
        compiler.problems.or(Self { by_method })
    }
}

struct Compiler<'s> {
    schema: &'s Schema<'s>,
    parse: ParseOptions,
    /// By the name of the option; none where it is wrong.
    annotated: HashMap<String, Option<Rc<Annotated>>>,
    /// What has been said of a key for another method.
    said: HashSet<(String, String)>,
    problems: Problems<RuleError>,
}

/// What operations are compiled for.
struct Of<'m> {
    message: MessageIndex,
    what: &'static str,
    method: &'m str,
    /// Whether the entry selects other methods as well.
    several: bool,
}

impl Compiler<'_> {
    /// Whether the entry selects each of the methods.
    fn select(&mut self, entry: &Entry, methods: &Methods) -> Vec<bool> {
        let mut selected = vec![None; methods.descriptors().len()];
        match &entry.selector {
            None => selected.fill(Some(())),
            Some(selector) => {
                if !methods.give(selector, (), &mut selected) {
                    let key = format!("{}.selector", entry.key);
                    self.problems.add(|| RuleError::new(key, methods.unknown(selector)));
                }
            }
        }
        selected.into_iter().map(|selected| selected.is_some()).collect()
    }

    /// Compiles the operations of one direction.
    fn side(&mut self, key: &str, operations: &[Operation], of: &Of<'_>) -> Side {
        let mut side = Side::default();
        let mut trie = Trie::new(of.message);
        for (at, operation) in operations.iter().enumerate() {
            let key = format!("{key}.{}[{at}]", of.what);
            match operation {
                Operation::Set {
                    field,
                    source,
                    required,
                } => {
                    let Some((steps, value)) = self.set(&key, field, source, *required, of, &mut side.sources) else {
                        continue;
                    };
                    self.follow(&steps, Leaf::Set(value), &mut trie, &mut side);
                }
                Operation::Default { field, value } => {
                    let Some(steps) = self.singular(field, of) else {
                        continue;
                    };
                    if let Some(record) = self.constant(&format!("{key}.default.value"), &steps, value, of) {
                        self.follow(&steps, Leaf::Default(record), &mut trie, &mut side);
                    }
                }
                Operation::Remove(paths) => {
                    for path in paths {
                        if let Some(steps) = self.find(path, of)
                            && self.may_go(path, &steps, of)
                        {
                            self.follow(&steps, Leaf::Remove, &mut trie, &mut side);
                        }
                    }
                }
                Operation::Mask { field, keep_last } => {
                    if let Some((steps, leaf)) = self.mask(field, *keep_last, of) {
                        self.follow(&steps, leaf, &mut trie, &mut side);
                    }
                }
                Operation::Keep(paths) => {
                    self.end_pass(&mut trie, &mut side);
                    self.keep(&key, paths, of, &mut side);
                }
                Operation::RemoveAnnotated { key, option } => {
                    self.end_pass(&mut trie, &mut side);
                    self.remove_annotated(key, option, of, &mut side);
                }
            }
        }
        self.end_pass(&mut trie, &mut side);
        side
    }

    /// Adds a path to the pass that is open, or to a next one where it meets another path.
    fn follow(&mut self, steps: &[Step], leaf: Leaf, trie: &mut Trie, side: &mut Side) {
        let tables = self.schema.tables;
        if trie.meets(tables, steps, &leaf) {
            self.end_pass(trie, side);
        }
        trie.add(tables, steps, leaf);
    }

    fn end_pass(&mut self, trie: &mut Trie, side: &mut Side) {
        if !trie.is_empty() {
            let open = trie.take();
            side.passes.push(open.compile(self.schema.tables, false).into());
        }
    }

    fn set(
        &mut self,
        key: &str,
        field: &PathText,
        source: &Source,
        required: bool,
        of: &Of<'_>,
        sources: &mut Vec<Dynamic>,
    ) -> Option<(Vec<Step>, Value)> {
        let tables = self.schema.tables;
        let steps = self.singular(field, of)?;
        let last = *steps.last()?;
        let from = match source {
            Source::Value(value) => {
                let record = self.constant(&format!("{key}.set.value"), &steps, value, of)?;
                return Some((steps, Value::Constant(record)));
            }
            Source::Header(name) => Origin::Header(name.clone()),
            Source::Property(path) => Origin::Property(path.clone()),
        };
        let leaf = last.field(tables)?;
        if !has_text_form(tables, leaf.kind) {
            let message = format!(
                "`{}` is {}, which has no text form: a header or a property can't give it; set a field below it",
                field.text,
                type_name(tables, leaf)
            );
            self.say(&field.key, message, of);
            return None;
        }
        if leaf.required && !required {
            let message = format!(
                "`{}` is a required field, which can't be removed where its source isn't there: expected `required: true`",
                field.text
            );
            self.say(&field.key, message, of);
            return None;
        }
        sources.push(Dynamic {
            from,
            message: last.message,
            field: last.field,
            required,
        });
        Some((steps, Value::Source(sources.len() - 1)))
    }

    /// The record of the last step's field with this value.
    fn constant(&mut self, key: &str, steps: &[Step], value: &serde_json::Value, of: &Of<'_>) -> Option<Box<[u8]>> {
        let tables = self.schema.tables;
        let last = steps.last()?;
        if last.field(tables).is_some_and(|field| is_rounded(tables, field, value)) {
            let message = "expected a 64-bit integer this large in quotes: as a number it may have been rounded";
            self.say(key, message.to_owned(), of);
            return None;
        }
        let json = value.to_string();
        let input = JsonInput::new(json.as_bytes(), &self.parse);
        let mut record = Vec::new();
        let written = JsonToWire::default().field(tables, last.message, last.field, input, &mut record);
        let checked = written.and_then(|()| match last.field(tables).map(|field| field.kind) {
            Some(Kind::Message(below) | Kind::Group(below)) => check_required(tables, below, contents(&record)),
            _ => Ok(()),
        });
        match checked {
            Ok(()) => Some(record.into()),
            Err(error) => {
                let path = if error.path.is_empty() { "" } else { ": " };
                self.say(key, format!("{}{path}{}", error.path, error.message), of);
                None
            }
        }
    }

    /// A mask of a string or of bytes, in a list or in a map too; anything else is removed.
    fn mask(&mut self, field: &PathText, keep_last: usize, of: &Of<'_>) -> Option<(Vec<Step>, Leaf)> {
        let tables = self.schema.tables;
        let mut steps = self.find(field, of)?;
        let mut last = steps.last()?.field(tables)?;
        let map = match last.kind {
            Kind::Message(entry) if last.cardinality == Cardinality::Map => Some(Step {
                message: entry,
                field: ENTRY_VALUE,
            }),
            _ => None,
        };
        if let Some(value) = map {
            last = value.field(tables)?;
        }
        if matches!(last.kind, Kind::String | Kind::Bytes) {
            steps.extend(map);
            return Some((steps, Leaf::Mask(keep_last)));
        }
        self.may_go(field, &steps, of).then_some((steps, Leaf::Remove))
    }

    fn keep(&mut self, key: &str, paths: &[PathText], of: &Of<'_>, side: &mut Side) {
        let tables = self.schema.tables;
        let mut trie = Trie::new(of.message);
        let mut found = true;
        for path in paths {
            match self.find(path, of) {
                Some(steps) => trie.add(tables, &steps, Leaf::Keep),
                None => found = false,
            }
        }
        if let Some((message, field)) = trie.lost(tables).filter(|_| found) {
            let message = format!("`{field}` of `{message}` is a required field, which can't be removed: keep it too");
            self.say(&format!("{key}.keep"), message, of);
        } else {
            side.passes.push(trie.compile(tables, true).into());
        }
    }

    fn remove_annotated(&mut self, key: &str, option: &str, of: &Of<'_>, side: &mut Side) {
        let Schema { tables, pool, left_out } = *self.schema;
        let annotated = match self.annotated.get(option) {
            Some(annotated) => annotated.clone(),
            None => {
                let built = Annotated::build(tables, pool, option, left_out);
                let built = built.map_err(|message| self.problems.add(|| RuleError::new(key, message)));
                let built = built.ok().map(Rc::new);
                self.annotated.insert(option.to_owned(), built.clone());
                built
            }
        };
        let Some(annotated) = annotated else {
            return;
        };
        if let Some((message, field)) = annotated.required_below(of.message) {
            let message = format!(
                "`{field}` of `{}` has the option, but is a required field, which can't be removed",
                tables.message(message).full_name()
            );
            self.say(key, message, of);
        } else if let Some(root) = annotated.program.of_message(of.message) {
            side.passes.push(Pass {
                program: Rc::clone(&annotated.program),
                root,
            });
        }
    }

    /// The steps of a path.
    fn find(&mut self, path: &PathText, of: &Of<'_>) -> Option<Vec<Step>> {
        match path::find(self.schema.tables, of.message, &path.text) {
            Ok(steps) => match steps.iter().find_map(|step| self.message_set(*step)) {
                None => Some(steps),
                Some(name) => {
                    let message = format!(
                        "`{name}` is a message set, which isn't read here: the path (`{}`) can't go into it",
                        path.text
                    );
                    self.say(&path.key, message, of);
                    None
                }
            },
            Err(message) => {
                self.say(&path.key, format!("{message} (`{}`)", path.text), of);
                None
            }
        }
    }

    /// The name of the message that a step is in, if that is a message set.
    fn message_set(&self, step: Step) -> Option<String> {
        let Schema { tables, pool, .. } = *self.schema;
        let message = pool.get_message_by_name(tables.message(step.message).full_name())?;
        is_message_set(&message).then(|| message.full_name().to_owned())
    }

    /// The steps of a path that ends with a singular field.
    fn singular(&mut self, path: &PathText, of: &Of<'_>) -> Option<Vec<Step>> {
        let steps = self.find(path, of)?;
        let what = match steps.last()?.field(self.schema.tables)?.cardinality {
            Cardinality::Singular => return Some(steps),
            Cardinality::Repeated => "repeated",
            Cardinality::Map => "a map",
        };
        let message = format!("expected a singular field, but `{}` is {what}", path.text);
        self.say(&path.key, message, of);
        None
    }

    /// Whether the field may be removed, which a required one may not.
    fn may_go(&mut self, path: &PathText, steps: &[Step], of: &Of<'_>) -> bool {
        let last = steps.last().and_then(|step| step.field(self.schema.tables));
        let required = last.is_some_and(|field| field.required);
        if required {
            let message = format!("`{}` is a required field, which can't be removed", path.text);
            self.say(&path.key, message, of);
        }
        !required
    }

    /// Says what is wrong with a key, once, and for which method.
    fn say(&mut self, key: &str, message: String, of: &Of<'_>) {
        if !self.said.insert((key.to_owned(), message.clone())) {
            return;
        }
        let cure = match of.several {
            true => "; the selector selects other methods too, narrow it if this one isn't meant",
            false => "",
        };
        let Of { what, method, .. } = of;
        self.problems
            .add(|| RuleError::new(key, format!("{message}, in the {what} of {method}{cure}")));
    }
}

impl From<(Program, NodeIndex)> for Pass {
    fn from((program, root): (Program, NodeIndex)) -> Self {
        Self {
            program: Rc::new(program),
            root,
        }
    }
}

/// Whether the value of a field has a 64-bit integer that is a double too large to be exact, as a Struct has it. What is in
/// an Any isn't looked at.
fn is_rounded(tables: &Tables, field: &Field, value: &serde_json::Value) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_large = |number: &serde_json::Number| number.is_f64() && number.as_f64().is_some_and(|n| n.abs() >= EXACT);
    match (field.kind, value) {
        (_, serde_json::Value::Array(elements)) => elements.iter().any(|element| is_rounded(tables, field, element)),
        (
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64,
            serde_json::Value::Number(number),
        ) => is_large(number),
        (Kind::Message(below) | Kind::Group(below), _) => {
            let below = tables.message(below);
            match (below.well_known(), value) {
                (Some(WellKnown::Wrapper), _) => {
                    (below.field(FieldIndex(0))).is_some_and(|wrapped| is_rounded(tables, wrapped, value))
                }
                (None, serde_json::Value::Object(members)) if field.cardinality == Cardinality::Map => {
                    let values = below.field(ENTRY_VALUE);
                    values.is_some_and(|field| members.values().any(|value| is_rounded(tables, field, value)))
                }
                (None, serde_json::Value::Object(members)) => members.iter().any(|(name, value)| {
                    let index = below.field_by_name(name.as_bytes());
                    let field = index.and_then(|index| below.field(index));
                    field.is_some_and(|field| is_rounded(tables, field, value))
                }),
                _ => false,
            }
        }
        _ => false,
    }
}

/// What is in the record of a message; nothing where there is no record.
fn contents(record: &[u8]) -> &[u8] {
    let mut reader = Reader::new(record);
    match reader.tag() {
        Ok((number, WireType::StartGroup)) => reader.group(number, 1, &mut Groups::default()).unwrap_or_default(),
        Ok(_) => reader.length_delimited().unwrap_or_default(),
        Err(_) => &[],
    }
}

/// As errors name it.
fn type_name<'t>(tables: &'t Tables, field: &Field) -> &'t str {
    match field.kind {
        Kind::Message(index) | Kind::Group(index) => tables.message(index).full_name(),
        _ => "a scalar",
    }
}
