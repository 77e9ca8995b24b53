//! Programs that remove every field with a bool option, by the types of messages.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, Kind as Reflected, MessageDescriptor, Value};

use super::program::{Node, NodeIndex, NodeKind, Plan, Program};
use crate::schema::nearest;
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, MessageTable, Tables, WellKnown};
use crate::text::shown::{NAME, shown};

/// The program of an option.
#[derive(Debug)]
pub(super) struct Annotated {
    pub(super) program: Rc<Program>,
    /// Required fields that have the option, by their messages.
    required: HashMap<MessageIndex, Box<str>>,
    /// Whether the message is an Any.
    any: Vec<bool>,
    /// The messages within each message, where the program goes on.
    within: Vec<Vec<MessageIndex>>,
}

impl Annotated {
    /// Compiles the program of the option with this name, for all messages of the schema. `left_out`: what of the schema
    /// isn't known for want of files, if anything.
    ///
    /// # Errors
    ///
    /// Where there is no such option of fields.
    pub(super) fn build(
        tables: &Tables,
        pool: &DescriptorPool,
        name: &str,
        left_out: Option<&str>,
    ) -> Result<Self, String> {
        let option = FieldOption::find(pool, name, left_out)?;
        let count = pool.all_messages().len();
        let mut types = vec![Type::default(); count];
        for descriptor in pool.all_messages() {
            if let Some(index) = tables.message_index(descriptor.full_name())
                && let Some(of_message) = types.get_mut(index.0 as usize)
            {
                *of_message = Type::read(tables.message(index), &descriptor, &option);
            }
        }
        let within: Vec<Vec<MessageIndex>> = (0u32..)
            .zip(&types)
            .map(|(index, of_message)| {
                let table = tables.message(MessageIndex(index));
                let others = table.fields().iter().filter(|field| !of_message.hides(field));
                others.filter_map(message_of).collect()
            })
            .collect();
        let needed = reaching(&within, |index| {
            types.get(index).is_some_and(|of| of.is_any || !of.hidden.is_empty())
        });
        // Of these, several records of a message may have pieces of an Any, and members of a oneof of which one goes.
        let singular: Vec<Vec<MessageIndex>> = (0u32..)
            .zip(&types)
            .map(|(index, of_message)| {
                let fields = tables.message(MessageIndex(index)).fields().iter();
                let singular = fields.filter(|field| field.cardinality == Cardinality::Singular);
                let others = singular.filter(|field| !of_message.hides(field));
                others.filter_map(message_of).collect()
            })
            .collect();
        let holding = reaching(&singular, |index| {
            types.get(index).is_some_and(|of| of.is_any || of.in_oneof)
        });
        let mut nodes = 0..;
        let by_message: Vec<Option<NodeIndex>> = needed
            .iter()
            .map(|needed| if *needed { nodes.next().map(NodeIndex) } else { None })
            .collect();
        let node_of = |message: MessageIndex| by_message.get(message.0 as usize).copied().flatten();
        let is_holding = |message: MessageIndex| holding.get(message.0 as usize) == Some(&true);
        let mut program = Vec::new();
        for (index, of_message) in (0u32..).zip(&types) {
            let index = MessageIndex(index);
            if node_of(index).is_none() {
                continue;
            }
            let table = tables.message(index);
            let fields = (0u32..).map(FieldIndex).zip(table.fields());
            let plans = fields.filter_map(|(at, field)| {
                if of_message.hides(field) {
                    return Some((at, Plan::Remove));
                }
                let below = message_of(field)?;
                let node = node_of(below)?;
                let merges = field.cardinality == Cardinality::Singular && is_holding(below);
                let plan = match merges {
                    true => Plan::Merge {
                        node,
                        sets: Vec::new(),
                        defaults: false,
                        always: true,
                    },
                    false => Plan::Descend(node),
                };
                Some((at, plan))
            });
            program.push(match of_message.is_any {
                true => Node::new(table, NodeKind::Any, false, Vec::new()),
                // Nothing of it stays where the option could hide in it.
                false if of_message.is_message_set => Node::new(table, NodeKind::Message, true, Vec::new()),
                false if of_message.is_entry => Node::new(table, NodeKind::Entry, false, plans.collect()),
                false => Node::new(table, NodeKind::Message, false, plans.collect()),
            });
        }
        let required = (0u32..)
            .map(MessageIndex)
            .zip(&types)
            .filter_map(|(index, of_message)| {
                let fields = tables.message(index).fields().iter();
                let mut hidden = fields.filter(|field| field.required && of_message.hides(field));
                hidden.next().map(|field| (index, field.name.clone()))
            });
        Ok(Self {
            required: required.collect(),
            any: types.iter().map(|of_message| of_message.is_any).collect(),
            within,
            program: Rc::new(Program {
                nodes: program,
                by_message,
            }),
        })
    }

    /// A required field that the program would remove from a message, or from one within it: its message and its name.
    pub(super) fn required_below(&self, message: MessageIndex) -> Option<(MessageIndex, &str)> {
        if self.required.is_empty() {
            return None;
        }
        let mut seen = HashSet::from([message]);
        let mut pending = vec![message];
        while let Some(message) = pending.pop() {
            if let Some(name) = self.required.get(&message) {
                return Some((message, name));
            }
            // An Any may hold each of them.
            if self.any.get(message.0 as usize) == Some(&true) {
                let mut required: Vec<_> = self.required.iter().collect();
                required.sort_by_key(|(message, _)| message.0);
                return required.first().map(|(message, name)| (**message, &***name));
            }
            let below = self.within.get(message.0 as usize).into_iter().flatten();
            pending.extend(below.filter(|below| seen.insert(**below)));
        }
        None
    }
}

/// What the option says of a message type.
#[derive(Clone, Debug, Default)]
struct Type {
    /// The numbers of the fields that have it, sorted.
    hidden: Vec<u32>,
    is_any: bool,
    is_entry: bool,
    /// Whether what is in it isn't read here: see [`is_message_set`].
    is_message_set: bool,
    /// Whether a member of a oneof has it.
    in_oneof: bool,
}

impl Type {
    fn read(table: &MessageTable, descriptor: &MessageDescriptor, option: &FieldOption) -> Self {
        let fields = descriptor.fields().filter(|field| option.is_set(&field.options()));
        let extensions = descriptor.extensions().filter(|field| option.is_set(&field.options()));
        let numbers = fields.map(|field| field.number());
        let mut hidden: Vec<u32> = numbers.chain(extensions.map(|field| field.number())).collect();
        hidden.sort_unstable();
        let is_hidden = |field: &Field| hidden.binary_search(&field.number).is_ok();
        Self {
            in_oneof: table
                .fields()
                .iter()
                .any(|field| field.oneof.is_some() && is_hidden(field)),
            hidden,
            is_any: table.well_known() == Some(WellKnown::Any),
            is_entry: descriptor.is_map_entry(),
            is_message_set: is_message_set(descriptor),
        }
    }

    fn hides(&self, field: &Field) -> bool {
        self.hidden.binary_search(&field.number).is_ok()
    }
}

/// A bool option of fields.
enum FieldOption {
    /// One of protobuf's own.
    Own(&'static str),
    Extension(ExtensionDescriptor),
}

impl FieldOption {
    fn find(pool: &DescriptorPool, name: &str, left_out: Option<&str>) -> Result<Self, String> {
        let options = pool.get_message_by_name(FIELD_OPTIONS);
        if name == DEBUG_REDACT {
            let known = options.is_some_and(|options| options.get_field_by_name(DEBUG_REDACT).is_some());
            return match known {
                true => Ok(Self::Own(DEBUG_REDACT)),
                false => Err(format!(
                    "the given google/protobuf/descriptor.proto has no `{DEBUG_REDACT}`: leave it out, and the bundled one is \
                     used"
                )),
            };
        }
        let of_fields = |extension: &ExtensionDescriptor| extension.containing_message().full_name() == FIELD_OPTIONS;
        match pool.get_extension_by_name(name) {
            Some(found) if of_fields(&found) && found.kind() == Reflected::Bool && !found.is_list() => {
                Ok(Self::Extension(found))
            }
            Some(found) => Err(format!(
                "expected a bool option of fields, but `{name}` is {} of {}",
                match found.kind() {
                    Reflected::Bool if found.is_list() => "a list of bools".to_owned(),
                    kind => format!("{kind:?}"),
                },
                found.containing_message().full_name()
            )),
            None => {
                let known: Vec<_> = pool.all_extensions().filter(of_fields).collect();
                let names = known.iter().map(ExtensionDescriptor::full_name).chain([DEBUG_REDACT]);
                // An option's bare name is often all that is said.
                let last = |known: &&str| known.rsplit('.').next() == Some(name);
                let meant = match names.clone().find(last).or_else(|| nearest(name, names)) {
                    Some(meant) => format!("; did you mean `{meant}`?"),
                    None => String::new(),
                };
                let left_out = match left_out {
                    Some(left_out) => format!("; what isn't given of the schema may define it: {left_out}"),
                    None => String::new(),
                };
                Err(format!(
                    "expected an extension of {FIELD_OPTIONS} by its full name, or {DEBUG_REDACT}, but the schema has no \
                     option `{}`{meant}{left_out}",
                    shown(name.as_bytes(), NAME)
                ))
            }
        }
    }

    fn is_set(&self, options: &DynamicMessage) -> bool {
        let value = match self {
            Self::Own(name) => options.get_field_by_name(name).map(|value| value.into_owned()),
            Self::Extension(extension) => Some(options.get_extension(extension).into_owned()),
        };
        value == Some(Value::Bool(true))
    }
}

const FIELD_OPTIONS: &str = "google.protobuf.FieldOptions";
const DEBUG_REDACT: &str = "debug_redact";

/// The message that a field holds; of a map, its entry.
fn message_of(field: &Field) -> Option<MessageIndex> {
    match field.kind {
        Kind::Message(below) | Kind::Group(below) => Some(below),
        _ => None,
    }
}

/// Whether a message holds its extensions in the wire format of message sets, in groups that have the field's number in them
/// (`message_set_wire_format`), which nothing here reads.
pub(super) fn is_message_set(descriptor: &MessageDescriptor) -> bool {
    let options = descriptor.descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.message_set_wire_format == Some(true))
}

/// Which messages are such, or have such a one within them.
fn reaching(within: &[Vec<MessageIndex>], is_such: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut holders = vec![Vec::new(); within.len()];
    for (holder, below) in within.iter().enumerate() {
        for below in below {
            if let Some(holders) = holders.get_mut(below.0 as usize) {
                holders.push(holder);
            }
        }
    }
    let mut reaching = vec![false; within.len()];
    let mut pending: Vec<usize> = (0..within.len()).filter(|index| is_such(*index)).collect();
    while let Some(index) = pending.pop() {
        if let Some(reached) = reaching.get_mut(index).filter(|reached| !**reached) {
            *reached = true;
            pending.extend(holders.get(index).into_iter().flatten());
        }
    }
    reaching
}
