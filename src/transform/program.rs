//! A program: what a pass does with each field of each message, by field number.
//!
//! A program is made of nodes, one for each message that a path goes through, or of each type where the operation follows
//! types. What has no rule in a node is copied as it is, unless the node keeps only what has one.

use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, MessageTable};
use crate::wire::{Tag, WireType};

/// What one pass over a message does.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) nodes: Vec<Node>,
    /// The node of what an Any may hold, by [`MessageIndex`]; none where nothing in such a message changes.
    pub(super) by_message: Vec<Option<NodeIndex>>,
}

impl Program {
    pub(super) fn node(&self, at: NodeIndex) -> Option<&Node> {
        self.nodes.get(at.0 as usize)
    }

    pub(super) fn of_message(&self, message: MessageIndex) -> Option<NodeIndex> {
        self.by_message.get(message.0 as usize).copied().flatten()
    }
}

/// The position of a node in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeIndex(pub(super) u32);

/// What is done in one message.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// Whether fields without a rule are dropped.
    pub(super) keeps: bool,
    /// Bit n: the field number n, from 1 to 63, has a rule. Bit 0: one from 64 on has.
    low: u64,
    /// By field number.
    rules: Box<[Rule]>,
    /// What needs to know of all the records of a field.
    pub(super) slots: Box<[Slot]>,
}

/// What a node's message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Message,
    /// The entry of a map; one whose value is removed goes with it.
    Entry,
    /// A `google.protobuf.Any`, whose value has a program by its type.
    Any,
}

impl Node {
    /// The node of a message of this `table`, with a plan for some of its fields.
    pub(super) fn new(table: &MessageTable, kind: NodeKind, keeps: bool, plans: Vec<(FieldIndex, Plan)>) -> Self {
        let (mut rules, mut slots) = (Vec::new(), Vec::new());
        // The fields whose oneof matters, and what sets them.
        let mut members: Vec<(u32, Vec<Value>)> = Vec::new();
        for (index, plan) in plans {
            let Some(field) = table.field(index) else {
                continue;
            };
            let (matters, sets) = match &plan {
                Plan::Remove | Plan::Default(_) => (true, Vec::new()),
                Plan::Set(value) => (true, vec![value.clone()]),
                Plan::Merge { sets, .. } => (true, sets.clone()),
                // What is dropped beside it was perhaps the member that counted.
                Plan::Copy | Plan::Descend(_) => (keeps, Vec::new()),
                Plan::Mask(_) => (false, Vec::new()),
            };
            if let Some(oneof) = field.oneof.filter(|_| matters) {
                members.push((oneof, sets));
            }
            let action = plan.action(field, kind, &mut slots);
            rules.push(Rule::new(field, action));
        }
        members.sort_by_key(|(oneof, _)| *oneof);
        for of_oneof in members.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((oneof, _)) = of_oneof.first() else {
                continue;
            };
            let slot = SlotIndex(slots.len());
            let sets = of_oneof.iter().flat_map(|(_, sets)| sets.iter().cloned());
            slots.push(Slot::Oneof { sets: sets.collect() });
            for field in table.fields().iter().filter(|field| field.oneof == Some(*oneof)) {
                if let Some(rule) = rules.iter_mut().find(|rule| rule.number == field.number) {
                    rule.oneof = Some(slot);
                    if let Action::Slot(own) = &rule.action
                        && let Some(Slot::Default { oneof, .. } | Slot::Message { oneof, .. }) = slots.get_mut(own.0)
                    {
                        *oneof = Some(slot);
                    }
                    continue;
                }
                let action = if keeps { Action::Remove } else { Action::Copy };
                rules.push(Rule {
                    oneof: Some(slot),
                    ..Rule::new(field, action)
                });
            }
        }
        rules.sort_by_key(|rule| rule.number);
        let bit = |rule: &Rule| if rule.number < LOW { 1 << rule.number } else { 1 };
        Self {
            kind,
            keeps,
            low: rules.iter().map(bit).fold(0, |bits, bit| bits | bit),
            rules: rules.into(),
            slots: slots.into(),
        }
    }

    /// Whether it matters which member a oneof has.
    pub(super) fn has_oneof(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::Oneof { .. }))
    }

    /// The rule of a field number.
    #[inline]
    pub(super) fn rule(&self, number: u32) -> Option<&Rule> {
        if number >= LOW {
            if self.low & 1 == 0 {
                return None;
            }
            let at = self.rules.binary_search_by_key(&number, |rule| rule.number).ok()?;
            return self.rules.get(at);
        }
        if self.low >> number & 1 == 0 {
            return None;
        }
        // As many rules come before it as there are bits below its own.
        let below = self.low & ((1 << number) - 1) & !1;
        self.rules.get(below.count_ones() as usize)
    }
}

/// Field numbers below this have a bit in [`Node::low`].
const LOW: u32 = 64;

/// What is done with the records of one field.
#[derive(Debug)]
pub(super) struct Rule {
    number: u32,
    pub(super) kind: Kind,
    /// Whether several values may be packed into one record.
    packs: bool,
    pub(super) action: Action,
    /// The slot of its oneof, where that matters.
    pub(super) oneof: Option<SlotIndex>,
}

impl Rule {
    fn new(field: &Field, action: Action) -> Self {
        let scalar = matches!(field.kind.wire_type(), WireType::Varint | WireType::I32 | WireType::I64);
        Self {
            number: field.number,
            kind: field.kind,
            packs: scalar && field.cardinality == Cardinality::Repeated,
            action,
            oneof: None,
        }
    }

    /// Whether a record with this wire type is one of the field, and no unknown field under its number.
    #[inline]
    pub(super) fn accepts(&self, wire_type: WireType) -> bool {
        wire_type == self.kind.wire_type() || self.packs && wire_type == WireType::Len
    }
}

/// What is to be done with a field.
#[derive(Debug)]
pub(super) enum Plan {
    Copy,
    Remove,
    /// How many characters or bytes are kept.
    Mask(usize),
    Set(Value),
    /// The record that it has where it is absent.
    Default(Box<[u8]>),
    /// Each record of a message by itself.
    Descend(NodeIndex),
    /// All records of a singular message as one, as [`Slot::Message`] says.
    Merge {
        node: NodeIndex,
        sets: Vec<Value>,
        defaults: bool,
        always: bool,
    },
}

impl Plan {
    /// What becomes of a record of `field` in a message of this kind; takes a slot if that needs one.
    fn action(self, field: &Field, kind: NodeKind, slots: &mut Vec<Slot>) -> Action {
        let slot = match self {
            Self::Copy => return Action::Copy,
            Self::Remove => return Action::Remove,
            Self::Descend(node) => return Action::Descend(Below::new(field, node)),
            Self::Mask(keep_last) => {
                let in_entry = kind == NodeKind::Entry;
                let mask = Mask {
                    tag: field.tag,
                    keep_last,
                    text: field.kind == Kind::String,
                    spares_empty: !in_entry && !field.presence && field.cardinality == Cardinality::Singular,
                };
                if !in_entry {
                    return Action::Mask(mask);
                }
                Slot::Mask(mask)
            }
            Self::Set(value) => Slot::Set(value),
            Self::Default(record) => Slot::Default {
                record,
                zero_is_absent: !field.presence,
                oneof: None,
            },
            Self::Merge {
                node,
                sets,
                defaults,
                always,
            } => Slot::Message {
                below: Below::new(field, node),
                sets: sets.into(),
                defaults,
                always,
                oneof: None,
            },
        };
        slots.push(slot);
        Action::Slot(SlotIndex(slots.len() - 1))
    }
}

/// What is done with a record.
#[derive(Debug)]
pub(super) enum Action {
    Copy,
    Remove,
    Mask(Mask),
    /// The message in it has a node of its own.
    Descend(Below),
    /// What the slot says.
    Slot(SlotIndex),
}

/// How a value is masked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    pub(super) tag: Tag,
    pub(super) keep_last: usize,
    /// Whether characters are counted, and not bytes.
    pub(super) text: bool,
    /// Whether an empty value is none, as of a field without presence.
    pub(super) spares_empty: bool,
}

/// The way to a message within the one at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Below {
    pub(super) node: NodeIndex,
    pub(super) tag: Tag,
    /// Of a group.
    pub(super) end: Option<Tag>,
    /// Whether it is cleared where it would be removed.
    pub(super) required: bool,
}

impl Below {
    pub(super) fn new(field: &Field, node: NodeIndex) -> Self {
        Self {
            node,
            tag: field.tag,
            end: matches!(field.kind, Kind::Group(_)).then(|| Tag::new(field.number, WireType::EndGroup)),
            required: field.required,
        }
    }
}

/// The position of a slot in its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotIndex(pub(super) usize);

/// What is done once for a singular field, whatever records it has.
#[derive(Debug)]
pub(super) enum Slot {
    /// Its records are dropped, and that of the value is put at the end, if there is a value.
    Set(Value),
    /// The value is put at the end where the field is absent.
    Default {
        record: Box<[u8]>,
        /// Whether zero is absent.
        zero_is_absent: bool,
        /// Its oneof: the field is left alone where another member is there.
        oneof: Option<SlotIndex>,
    },
    /// The records of a message become one, as parsers that don't merge them take the last.
    Message {
        below: Below,
        /// The values that are set below. Where there is one, the message is made if it isn't there.
        sets: Box<[Value]>,
        /// Whether there are defaults below, for which it is made as well.
        defaults: bool,
        /// Whether its records are made one whatever is set.
        always: bool,
        /// Its oneof: for defaults it isn't made where another member is there.
        oneof: Option<SlotIndex>,
    },
    /// A oneof. Of its members the last one counts, and what was there before another member doesn't, as if it had never
    /// been: parsers forget it, and what is removed behind it mustn't bring it back.
    Oneof {
        /// The values of its members. Where there is one, the other members are dropped.
        sets: Box<[Value]>,
    },
    /// The value of a map's entry, which is empty where it isn't there, and masked all the same.
    Mask(Mask),
}

/// A record to set.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(Box<[u8]>),
    /// The position among the sources of the entry and direction.
    Source(usize),
}
