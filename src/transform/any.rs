//! What a program does to the message in a `google.protobuf.Any`, whose type is known by name only.

use super::apply::{Pass, Span};
use super::error::Fault;
use super::program::{NodeIndex, NodeKind};
use crate::wire::{Tag, WireType};

impl Pass<'_> {
    /// Appends an Any whose pieces are those from `first_part` on: as it is where nothing of its type is to be removed, and
    /// else with its value changed. `false`: what is in it can't be known, so that it must go.
    pub(super) fn any(&mut self, first_part: usize, depth: usize) -> Result<bool, Fault> {
        let (mut url, mut value) = (&[][..], Span { start: 0, end: 0 });
        for at in first_part..self.scratch.parts.len() {
            let mut reader = self.reader(self.part_at(at));
            while !reader.is_empty() {
                self.scratch.step();
                match reader.tag()? {
                    (ANY_TYPE_URL, WireType::Len) => url = reader.length_delimited()?,
                    (ANY_VALUE, WireType::Len) => {
                        let end = reader.length_delimited()?.len();
                        value = Span {
                            start: reader.position() - end,
                            end: reader.position(),
                        };
                    }
                    (number, wire_type) => reader.skip(number, wire_type, depth)?,
                }
            }
        }
        let is_empty = url.is_empty() && value.start == value.end;
        let name = std::str::from_utf8(url).ok().and_then(|url| url.rsplit_once('/'));
        let Some(message) = name.and_then(|(_, name)| self.tables.message_index(name)) else {
            if is_empty {
                self.copy_parts(first_part);
            }
            return Ok(is_empty);
        };
        let Some(below) = self.program.of_message(message) else {
            self.copy_parts(first_part);
            return Ok(true);
        };
        for at in first_part..self.scratch.parts.len() {
            let part = self.part_at(at);
            let mut reader = self.reader(part);
            let mut run = part.start;
            while !reader.is_empty() {
                let at = reader.position();
                self.scratch.step();
                let (number, wire_type) = reader.tag()?;
                reader.skip(number, wire_type, depth)?;
                if number == ANY_VALUE {
                    self.copy(run, at);
                    run = reader.position();
                }
            }
            self.copy(run, part.end);
        }
        self.any_value(below, value, depth)
    }

    /// Appends the value of an Any, changed. `false`: it isn't a message of its type.
    fn any_value(&mut self, node: NodeIndex, value: Span, depth: usize) -> Result<bool, Fault> {
        let mark = self.mark();
        let (parts, slots, links) = (
            self.scratch.parts.len(),
            self.scratch.slots.len(),
            self.scratch.links.len(),
        );
        self.scratch.parts.push(value);
        Tag::new(ANY_VALUE, WireType::Len).append_to(self.out);
        self.scratch.lengths.open_for(value.end - value.start, self.out);
        // An Any within an Any is a level, any other message stands in its place.
        let is_any = (self.program.node(node)).is_some_and(|node| node.kind == NodeKind::Any);
        match self.message(node, parts, depth + usize::from(is_any)) {
            Ok(true) => self.scratch.lengths.close(0, self.out),
            Ok(false) => self.cut(mark),
            Err(Fault::Wire(_)) => {
                self.scratch.parts.truncate(parts);
                self.scratch.slots.truncate(slots);
                self.scratch.links.truncate(links);
                return Ok(false);
            }
            Err(fault) => return Err(fault),
        }
        Ok(true)
    }

    fn part_at(&self, at: usize) -> Span {
        let nothing = Span { start: 0, end: 0 };
        self.scratch.parts.get(at).copied().unwrap_or(nothing)
    }

    fn copy_parts(&mut self, first_part: usize) {
        for at in first_part..self.scratch.parts.len() {
            let part = self.part_at(at);
            self.copy(part.start, part.end);
        }
    }
}

/// The fields of `google.protobuf.Any` (google/protobuf/any.proto).
pub(super) const ANY_TYPE_URL: u32 = 1;
pub(super) const ANY_VALUE: u32 = 2;
