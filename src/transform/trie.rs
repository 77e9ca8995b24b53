//! The paths of one pass, which don't meet: none is another, nor above or below it, so that their order doesn't count.

use std::collections::BTreeMap;

use super::path::{ENTRY_KEY, Step};
use super::program::{Node, NodeIndex, NodeKind, Plan, Program, Value};
use crate::schema::tables::{Cardinality, FieldIndex, MessageIndex, Tables};

/// A message that paths go through, and what they do there.
#[derive(Debug)]
pub(super) struct Trie {
    message: MessageIndex,
    kind: NodeKind,
    /// By field index.
    children: BTreeMap<u32, Child>,
}

#[derive(Debug)]
enum Child {
    Leaf(Leaf),
    Inner(Trie),
}

/// What is done at the end of a path.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    Keep,
    Remove,
    Mask(usize),
    Set(Value),
    Default(Box<[u8]>),
}

impl Leaf {
    /// Whether it may put a value where none is.
    fn gives(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Default(_))
    }
}

impl Trie {
    pub(super) fn new(message: MessageIndex) -> Self {
        Self {
            message,
            kind: NodeKind::Message,
            children: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// The paths, which leaves none here.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.message))
    }

    /// Whether a path meets one that is there: the order in which both are followed counts then. Members of one oneof meet
    /// where one of them is given a value.
    pub(super) fn meets(&self, tables: &Tables, steps: &[Step], leaf: &Leaf) -> bool {
        let mut at = self;
        for step in steps {
            let table = tables.message(at.message);
            let oneof = |index: u32| table.field(FieldIndex(index)).and_then(|field| field.oneof);
            let own = oneof(step.field.0);
            let mut others = at.children.iter().filter(|(index, _)| **index != step.field.0);
            if own.is_some() && others.any(|(index, child)| oneof(*index) == own && (leaf.gives() || child.gives())) {
                return true;
            }
            match at.children.get(&step.field.0) {
                None => return false,
                Some(Child::Leaf(_)) => return true,
                // A default doesn't make a member of a oneof beside another, and what is set behind it does.
                Some(child) if own.is_some() && matches!(leaf, Leaf::Set(_)) && child.has_default() => return true,
                Some(Child::Inner(below)) => at = below,
            }
        }
        true
    }

    /// Adds a path. Where it meets another, the one that is nearer to the root holds.
    pub(super) fn add(&mut self, tables: &Tables, steps: &[Step], leaf: Leaf) {
        let mut at = self;
        let Some((last, above)) = steps.split_last() else {
            return;
        };
        for (step, next) in above.iter().zip(steps.iter().skip(1)) {
            let is_map = step
                .field(tables)
                .is_some_and(|field| field.cardinality == Cardinality::Map);
            let child = at.children.entry(step.field.0).or_insert_with(|| {
                Child::Inner(Self {
                    message: next.message,
                    kind: if is_map { NodeKind::Entry } else { NodeKind::Message },
                    children: BTreeMap::new(),
                })
            });
            match child {
                Child::Leaf(_) => return,
                Child::Inner(below) => at = below,
            }
        }
        at.children.insert(last.field.0, Child::Leaf(leaf));
    }

    /// The first required field that isn't kept: its message and its name.
    pub(super) fn lost<'t>(&self, tables: &'t Tables) -> Option<(&'t str, &'t str)> {
        let table = tables.message(self.message);
        let lost = (0u32..)
            .zip(table.fields())
            .find(|(index, field)| field.required && !self.children.contains_key(index));
        if let Some((_, field)) = lost {
            return Some((table.full_name(), &field.name));
        }
        self.children.values().find_map(|child| match child {
            Child::Inner(below) if below.kind != NodeKind::Entry => below.lost(tables),
            Child::Inner(entry) => entry.children.values().find_map(|child| match child {
                Child::Inner(below) => below.lost(tables),
                Child::Leaf(_) => None,
            }),
            Child::Leaf(_) => None,
        })
    }

    /// The program that follows the paths, and where it begins. `keeps`: what isn't on one is dropped.
    pub(super) fn compile(self, tables: &Tables, keeps: bool) -> (Program, NodeIndex) {
        let mut nodes = Vec::new();
        let (root, _) = self.compile_node(tables, keeps, &mut nodes);
        let program = Program {
            nodes,
            by_message: Vec::new(),
        };
        (program, root)
    }

    /// Also says whether the records of the message must be one, since a oneof in it matters or in a singular message below:
    /// a member in one record takes the place of another in the record before.
    ///
    /// The length of paths bounds the recursion.
    fn compile_node(self, tables: &Tables, keeps: bool, nodes: &mut Vec<Node>) -> (NodeIndex, bool) {
        let table = tables.message(self.message);
        let mut plans = Vec::new();
        let mut one = false;
        for (index, child) in self.children {
            let index = FieldIndex(index);
            let plan = match child {
                Child::Leaf(Leaf::Keep) => Plan::Copy,
                Child::Leaf(Leaf::Remove) => Plan::Remove,
                Child::Leaf(Leaf::Mask(keep_last)) => Plan::Mask(keep_last),
                Child::Leaf(Leaf::Set(value)) => Plan::Set(value),
                Child::Leaf(Leaf::Default(record)) => Plan::Default(record),
                Child::Inner(below) => {
                    let mut sets = Vec::new();
                    let defaults = below.singular_gifts(tables, &mut sets);
                    let singular = table
                        .field(index)
                        .is_some_and(|field| field.cardinality == Cardinality::Singular);
                    let (node, always) = below.compile_node(tables, keeps, nodes);
                    one |= singular && always;
                    match singular && (defaults || always || !sets.is_empty()) {
                        true => Plan::Merge {
                            node,
                            sets,
                            defaults,
                            always,
                        },
                        false => Plan::Descend(node),
                    }
                }
            };
            plans.push((index, plan));
        }
        if keeps && self.kind == NodeKind::Entry {
            plans.push((ENTRY_KEY, Plan::Copy));
        }
        let node = Node::new(table, self.kind, keeps, plans);
        one |= node.has_oneof();
        nodes.push(node);
        (NodeIndex(nodes.len() as u32 - 1), one)
    }

    /// Adds what is set in this message and in singular ones below it to `sets`; whether there are defaults as well.
    fn singular_gifts(&self, tables: &Tables, sets: &mut Vec<Value>) -> bool {
        let table = tables.message(self.message);
        let mut defaults = false;
        for (index, child) in &self.children {
            match child {
                Child::Leaf(Leaf::Set(value)) => sets.push(value.clone()),
                Child::Leaf(leaf) => defaults |= matches!(leaf, Leaf::Default(_)),
                Child::Inner(below) => {
                    let field = table.field(FieldIndex(*index));
                    if field.is_some_and(|field| field.cardinality == Cardinality::Singular) {
                        defaults |= below.singular_gifts(tables, sets);
                    }
                }
            }
        }
        defaults
    }
}

impl Child {
    fn gives(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.gives(),
            Self::Inner(below) => below.children.values().any(Self::gives),
        }
    }

    fn has_default(&self) -> bool {
        match self {
            Self::Leaf(leaf) => matches!(leaf, Leaf::Default(_)),
            Self::Inner(below) => below.children.values().any(Self::has_default),
        }
    }
}
