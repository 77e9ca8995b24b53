//! What a node needs to know of the records of a message before it copies the first.

use super::apply::{Link, Pass, Span};
use super::error::Fault;
use super::program::{Action, Node, Rule, Slot, SlotIndex};
use crate::schema::tables::{Kind, Tables};
use crate::wire::{Reader, WireError, WireType};

impl<'p> Pass<'p> {
    /// Reads the records of a piece of a message, no deeper, for the node's slots: which fields are there, and of which
    /// messages there are several records.
    pub(super) fn look_ahead(
        &mut self,
        node: &'p Node,
        part: Span,
        first_slot: usize,
        depth: usize,
    ) -> Result<(), Fault> {
        let mut reader = self.reader(part);
        while !reader.is_empty() {
            let at = reader.position();
            self.scratch.step();
            let (number, wire_type) = reader.tag()?;
            let Some(rule) = node.rule(number).filter(|rule| rule.accepts(wire_type)) else {
                reader.skip(number, wire_type, depth)?;
                continue;
            };
            let slot = match rule.action {
                Action::Slot(slot) => node.slots.get(slot.0).map(|of| (slot, of)),
                _ => None,
            };
            if let Some((slot, Slot::Message { .. })) = slot {
                let contents = self.contents(&mut reader, number, wire_type, depth)?;
                self.note_member(rule, number, at, first_slot);
                self.note_record(rule, contents, first_slot, slot);
                continue;
            }
            let value = scalar(&mut reader, rule, number, wire_type, depth)?;
            if !is_known(self.tables, rule, value) {
                continue;
            }
            self.note_member(rule, number, at, first_slot);
            if let Some((slot, Slot::Default { zero_is_absent, .. })) = slot
                && let Some(state) = self.scratch.slots.get_mut(first_slot + slot.0)
            {
                state.present = if *zero_is_absent && value == 0 { 0 } else { number };
            }
        }
        Ok(())
    }

    /// Notes that a oneof has this member, from the position of its record on.
    fn note_member(&mut self, rule: &Rule, number: u32, at: usize, first_slot: usize) {
        let state = rule
            .oneof
            .and_then(|slot| self.scratch.slots.get_mut(first_slot + slot.0));
        if let Some(state) = state.filter(|state| state.present != number) {
            state.present = number;
            state.from = at;
        }
    }

    /// Adds a record to the message in a slot; to none if another member of its oneof came in between.
    fn note_record(&mut self, rule: &Rule, contents: Span, first_slot: usize, slot: SlotIndex) {
        let from = self.oneof(rule.oneof, first_slot).from;
        let at = self.scratch.links.len();
        let Some(state) = self.scratch.slots.get_mut(first_slot + slot.0) else {
            return;
        };
        let last = state.records.and_then(|(_, last)| self.scratch.links.get_mut(last));
        let first = match (state.records, last) {
            (Some((first, _)), Some(last)) if last.contents.start > from => {
                last.next = Some(at);
                first
            }
            _ => at,
        };
        state.records = Some((first, at));
        self.scratch.links.push(Link { contents, next: None });
    }
}

/// Passes over a value: zero if it is what an absent field without presence has, as far as its type has bits.
fn scalar(
    reader: &mut Reader<'_>,
    rule: &Rule,
    number: u32,
    wire_type: WireType,
    depth: usize,
) -> Result<u64, WireError> {
    Ok(match wire_type {
        WireType::Varint => match (reader.varint()?, rule.kind) {
            (value, Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_)) => value & 0xffff_ffff,
            (value, _) => value,
        },
        WireType::I64 => reader.fixed64()?,
        WireType::I32 => reader.fixed32()?.into(),
        WireType::Len => reader.length_delimited()?.len() as u64,
        _ => {
            reader.skip(number, wire_type, depth)?;
            1
        }
    })
}

/// Whether the value is one of the field: a number that a closed enum lacks is an unknown field (protobuf's language guide,
/// "Enum Behavior").
fn is_known(tables: &Tables, rule: &Rule, value: u64) -> bool {
    let Kind::Enum(index) = rule.kind else {
        return true;
    };
    let table = tables.enumeration(index);
    !table.is_closed() || table.quoted_name(value as u32 as i32).is_some()
}
