//! A pass: a program applied to a message in wire format, in one go from its first byte to its last.
//!
//! Runs of records without a rule are copied in one piece. Where a program needs to know of all the records of a field, the
//! records of that one message are looked at beforehand, by their tags alone ([`look_ahead`](super::look_ahead)); what was
//! found is kept in a slot for each such field. A message may be in several pieces, the contents of its records, which are
//! read as if they stood one after the other.
//!
//! The work is linear in the message: each record is read at most twice at the level that it is of.

use super::error::Fault;
use super::program::{Action, Below, Node, NodeIndex, NodeKind, Program, Rule, Slot, SlotIndex, Value};
use crate::codec::Lengths;
use crate::schema::tables::Tables;
use crate::wire::{DEPTH_LIMIT, Groups, Reader, WireError, WireType};

/// Buffers that are used again from pass to pass.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) lengths: Lengths,
    groups: Groups,
    /// The pieces of the messages that are open.
    pub(super) parts: Vec<Span>,
    /// The slots of the nodes that are open.
    pub(super) slots: Vec<SlotState>,
    /// The records of the messages in slots, in lists.
    pub(super) links: Vec<Link>,
    /// How many records were looked at.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Scratch {
    pub(super) fn footprint(&self) -> usize {
        self.lengths.footprint()
            + self.groups.footprint()
            + self.parts.capacity() * size_of::<Span>()
            + self.slots.capacity() * size_of::<SlotState>()
            + self.links.capacity() * size_of::<Link>()
    }

    /// Counts a record that is looked at, for the tests that measure the work.
    #[inline]
    pub(super) fn step(&mut self) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
    }

    fn clear(&mut self) {
        self.lengths.clear();
        self.groups.clear();
        self.parts.clear();
        self.slots.clear();
        self.links.clear();
    }
}

/// A stretch of the wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What is known of the field of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlotState {
    /// Whether it has a value, or of a oneof, which member has: by its number, else 0.
    pub(super) present: u32,
    /// Of a oneof: what is before this position doesn't count.
    pub(super) from: usize,
    /// Whether it is set.
    pub(super) sets: bool,
    /// Whether its records are made one.
    pub(super) merges: bool,
    /// The first and the last of its records in [`Scratch::links`], where they are made one.
    pub(super) records: Option<(usize, usize)>,
}

/// A record of a message in a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) contents: Span,
    pub(super) next: Option<usize>,
}

/// A program and what it is applied to.
pub(super) struct Pass<'p> {
    pub(super) tables: &'p Tables,
    pub(super) program: &'p Program,
    /// The records of the sources, where these are there.
    pub(super) values: &'p [Option<Box<[u8]>>],
    pub(super) wire: &'p [u8],
    pub(super) scratch: &'p mut Scratch,
    pub(super) out: &'p mut Vec<u8>,
    /// Where the changed message begins in `out`.
    pub(super) start: usize,
    /// How many bytes it may grow to.
    pub(super) limit: usize,
}

impl<'p> Pass<'p> {
    /// Appends the changed message; on error `out` is as it was.
    pub(super) fn run(mut self, root: NodeIndex) -> Result<(), Fault> {
        self.scratch.clear();
        self.out.reserve(self.wire.len());
        let whole = Span {
            start: 0,
            end: self.wire.len(),
        };
        self.scratch.parts.push(whole);
        let result = match self.message(root, 0, 1) {
            // Nothing holds this one.
            Ok(false) => {
                self.out.truncate(self.start);
                Ok(())
            }
            Ok(true) => self.check_growth(),
            Err(fault) => Err(fault),
        };
        if result.is_err() {
            self.out.truncate(self.start);
        }
        result
    }

    /// Appends the contents of a message whose pieces are those from `first_part` on, and takes these away. `depth` counts
    /// the messages that are open, this one included. `false`: whatever holds the message must not.
    pub(super) fn message(&mut self, at: NodeIndex, first_part: usize, depth: usize) -> Result<bool, Fault> {
        let Some(node) = self.program.node(at) else {
            return Ok(true);
        };
        if depth > DEPTH_LIMIT {
            return Err(WireError::TooDeep.into());
        }
        if node.kind == NodeKind::Any {
            let kept = self.any(first_part, depth);
            self.scratch.parts.truncate(first_part);
            return kept;
        }
        let (first_slot, first_link) = (self.scratch.slots.len(), self.scratch.links.len());
        let parts = first_part..self.scratch.parts.len();
        if self.open_slots(node) {
            for part in parts.clone() {
                if let Some(part) = self.scratch.parts.get(part).copied() {
                    self.look_ahead(node, part, first_slot, depth)?;
                }
            }
        }
        let mut kept = true;
        for part in parts {
            if let Some(part) = self.scratch.parts.get(part).copied() {
                kept &= self.part(node, part, first_slot, depth)?;
            }
        }
        if !node.slots.is_empty() {
            kept &= self.close_slots(node, first_slot, depth)?;
        }
        self.scratch.slots.truncate(first_slot);
        self.scratch.links.truncate(first_link);
        self.scratch.parts.truncate(first_part);
        Ok(kept || node.kind != NodeKind::Entry)
    }

    /// Copies a piece of a message but for what has rules. `false`: a message in it was removed.
    fn part(&mut self, node: &'p Node, part: Span, first_slot: usize, depth: usize) -> Result<bool, Fault> {
        let mut reader = self.reader(part);
        let mut run = part.start;
        let mut kept = true;
        while !reader.is_empty() {
            let at = reader.position();
            self.scratch.step();
            let (number, wire_type) = reader.tag()?;
            let Some(rule) = node.rule(number) else {
                // Most records are passed over here: those of the two common types without a call.
                match wire_type {
                    WireType::Len => _ = reader.length_delimited()?,
                    WireType::Varint => _ = reader.varint()?,
                    _ => reader.skip(number, wire_type, depth)?,
                }
                if node.keeps {
                    self.copy(run, at);
                    run = reader.position();
                }
                continue;
            };
            let accepted = rule.accepts(wire_type);
            let dropped = self.is_dropped(rule, at, first_slot);
            let copied = !dropped
                && match &rule.action {
                    Action::Copy => accepted || !node.keeps,
                    Action::Slot(slot) => matches!(node.slots.get(slot.0), Some(Slot::Default { .. })),
                    _ => false,
                };
            if copied {
                reader.skip(number, wire_type, depth)?;
                continue;
            }
            self.copy(run, at);
            if dropped || !accepted {
                reader.skip(number, wire_type, depth)?;
                run = reader.position();
                continue;
            }
            match &rule.action {
                Action::Mask(mask) => {
                    let value = reader.length_delimited()?;
                    if value.is_empty() && mask.spares_empty {
                        self.copy(at, reader.position());
                    } else {
                        mask.write(value, self.out);
                        self.check_growth()?;
                    }
                }
                Action::Descend(below) => {
                    let contents = self.contents(&mut reader, number, wire_type, depth)?;
                    kept &= self.descend(below, contents, depth)?;
                }
                Action::Slot(slot) => {
                    kept &= self.slot_record(node, *slot, first_slot, &mut reader, number, wire_type, depth)?;
                }
                Action::Copy | Action::Remove => reader.skip(number, wire_type, depth)?,
            }
            run = reader.position();
        }
        self.copy(run, part.end);
        Ok(kept)
    }

    /// Whether a record at this position is dropped for its oneof: since another member is set, or came later.
    #[inline]
    fn is_dropped(&self, rule: &Rule, at: usize, first_slot: usize) -> bool {
        let state = |slot: SlotIndex| self.scratch.slots.get(first_slot + slot.0);
        let Some(oneof) = rule.oneof.and_then(state) else {
            return false;
        };
        let is_set = || match rule.action {
            Action::Slot(slot) => state(slot).is_some_and(|state| state.sets),
            _ => false,
        };
        at < oneof.from || oneof.sets && !is_set()
    }

    /// Reads the record of a field that has a slot.
    #[expect(clippy::too_many_arguments, reason = "the record, and where it is")]
    fn slot_record(
        &mut self,
        node: &'p Node,
        slot: SlotIndex,
        first_slot: usize,
        reader: &mut Reader<'p>,
        number: u32,
        wire_type: WireType,
        depth: usize,
    ) -> Result<bool, Fault> {
        let state = self.scratch.slots.get(first_slot + slot.0).copied().unwrap_or_default();
        match node.slots.get(slot.0) {
            Some(Slot::Message { below, .. }) => {
                let contents = self.contents(reader, number, wire_type, depth)?;
                if !state.merges {
                    return self.descend(below, contents, depth);
                }
                if self.last_record(state) == Some(contents) {
                    return self.descend_merged(below, state, depth);
                }
            }
            Some(Slot::Mask(mask)) => {
                mask.write(reader.length_delimited()?, self.out);
                self.check_growth()?;
                if let Some(state) = self.scratch.slots.get_mut(first_slot + slot.0) {
                    state.present = number;
                }
            }
            _ => reader.skip(number, wire_type, depth)?,
        }
        Ok(true)
    }

    /// Opens the slots of a node: whether one of them needs to know of all records before the first is copied.
    fn open_slots(&mut self, node: &'p Node) -> bool {
        let mut looks_ahead = false;
        for slot in &node.slots {
            let is_set = |sets: &'p [Value]| sets.iter().any(|value| self.value(value).is_some());
            let (sets, merges) = match slot {
                Slot::Set(value) => (self.value(value).is_some(), false),
                Slot::Oneof { sets } => (is_set(sets), false),
                Slot::Message {
                    sets, defaults, always, ..
                } => {
                    let sets = is_set(sets);
                    (sets, sets || *defaults || *always)
                }
                Slot::Default { .. } | Slot::Mask(_) => (false, false),
            };
            looks_ahead |= merges || matches!(slot, Slot::Default { .. } | Slot::Oneof { .. });
            self.scratch.slots.push(SlotState {
                sets,
                merges,
                ..SlotState::default()
            });
        }
        looks_ahead
    }

    /// Appends what the slots of a node have to say when all of its records are read.
    fn close_slots(&mut self, node: &'p Node, first_slot: usize, depth: usize) -> Result<bool, Fault> {
        let mut kept = true;
        for (slot, at) in node.slots.iter().zip(first_slot..) {
            let state = self.scratch.slots.get(at).copied().unwrap_or_default();
            match slot {
                Slot::Set(value) => {
                    if let Some(record) = self.value(value) {
                        self.append(record)?;
                    }
                }
                Slot::Default { record, oneof, .. } => {
                    if state.present == 0 && self.oneof(*oneof, first_slot).present == 0 {
                        self.append(record)?;
                    }
                }
                Slot::Message {
                    below, defaults, oneof, ..
                } => {
                    let oneof = self.oneof(*oneof, first_slot);
                    let is_there = state.merges && self.last_record(state).is_some_and(|last| last.start > oneof.from);
                    if !is_there && (state.sets || *defaults && oneof.present == 0) {
                        kept &= self.descend_into(below, self.scratch.parts.len(), 0, depth)?;
                    }
                }
                Slot::Oneof { .. } => {}
                Slot::Mask(mask) => {
                    if state.present == 0 {
                        mask.write(&[], self.out);
                        self.check_growth()?;
                    }
                }
            }
        }
        Ok(kept)
    }

    /// What is known of a oneof; of none, nothing.
    pub(super) fn oneof(&self, slot: Option<SlotIndex>, first_slot: usize) -> SlotState {
        let state = slot.and_then(|slot| self.scratch.slots.get(first_slot + slot.0));
        state.copied().unwrap_or_default()
    }

    /// The last record of a message in a slot.
    pub(super) fn last_record(&self, state: SlotState) -> Option<Span> {
        let (_, last) = state.records?;
        self.scratch.links.get(last).map(|last| last.contents)
    }

    /// Appends the record of a message with these contents, changed.
    fn descend(&mut self, below: &Below, contents: Span, depth: usize) -> Result<bool, Fault> {
        let first_part = self.scratch.parts.len();
        self.scratch.parts.push(contents);
        self.descend_into(below, first_part, contents.end - contents.start, depth)
    }

    /// Appends one record for all those of a slot.
    fn descend_merged(&mut self, below: &Below, state: SlotState, depth: usize) -> Result<bool, Fault> {
        let first_part = self.scratch.parts.len();
        let mut length = 0;
        let mut next = state.records.map(|(first, _)| first);
        while let Some(link) = next.and_then(|at| self.scratch.links.get(at).copied()) {
            length += link.contents.end - link.contents.start;
            self.scratch.step();
            self.scratch.parts.push(link.contents);
            next = link.next;
        }
        self.descend_into(below, first_part, length, depth)
    }

    /// Appends the record of the message whose pieces, of this length together, are those from `first_part` on. `false`: it
    /// was removed.
    fn descend_into(&mut self, below: &Below, first_part: usize, length: usize, depth: usize) -> Result<bool, Fault> {
        let mark = self.mark();
        // The entry of a map is no level of its own.
        let node = self.program.node(below.node);
        let depth = depth + usize::from(node.is_some_and(|node| node.kind != NodeKind::Entry));
        below.tag.append_to(self.out);
        if below.end.is_none() {
            self.scratch.lengths.open_for(length, self.out);
        }
        let contents = self.mark();
        let kept = self.message(below.node, first_part, depth)?;
        if !kept && !below.required {
            self.cut(mark);
            return Ok(false);
        }
        if !kept {
            self.cut(contents);
        }
        match &below.end {
            Some(end) => end.append_to(self.out),
            None => self.scratch.lengths.close(0, self.out),
        }
        Ok(true)
    }

    /// The record of a value, if it is there.
    pub(super) fn value(&self, value: &'p Value) -> Option<&'p [u8]> {
        match value {
            Value::Constant(record) => Some(record),
            Value::Source(at) => self.values.get(*at)?.as_deref(),
        }
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Fault> {
        self.out.extend_from_slice(record);
        self.check_growth()
    }

    /// What is put in may not make more of a message than there may be, though it were put into a million elements.
    fn check_growth(&self) -> Result<(), Fault> {
        match self.out.len() - self.start > self.limit.max(self.wire.len()) {
            true => Err(Fault::TooLarge),
            false => Ok(()),
        }
    }

    #[inline]
    pub(super) fn copy(&mut self, start: usize, end: usize) {
        self.out
            .extend_from_slice(self.wire.get(start..end).unwrap_or_default());
    }

    /// A reader of a piece, whose positions are those of all the bytes.
    pub(super) fn reader(&self, part: Span) -> Reader<'p> {
        Reader::at(self.wire.get(..part.end).unwrap_or_default(), part.start)
    }

    /// Passes over the message whose tag has just been read: where its contents are.
    pub(super) fn contents(
        &mut self,
        reader: &mut Reader<'p>,
        number: u32,
        wire_type: WireType,
        depth: usize,
    ) -> Result<Span, Fault> {
        if wire_type == WireType::StartGroup {
            let start = reader.position();
            let length = reader.group(number, depth + 1, &mut self.scratch.groups)?.len();
            return Ok(Span {
                start,
                end: start + length,
            });
        }
        let length = reader.length_delimited()?.len();
        let end = reader.position();
        Ok(Span {
            start: end - length,
            end,
        })
    }

    /// The end of the output, to cut back to. Widening the lengths around moves it, so it counts from the innermost one.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            lengths: self.scratch.lengths.depth(),
            distance: self.out.len() - self.scratch.lengths.contents(),
        }
    }

    pub(super) fn cut(&mut self, mark: Mark) {
        self.scratch.lengths.abandon_to(mark.lengths);
        self.out.truncate(self.scratch.lengths.contents() + mark.distance);
    }
}

/// A place in the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    lengths: usize,
    distance: usize,
}
