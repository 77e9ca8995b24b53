//! Records of fields within submessages, gathered so that each submessage becomes one record.
//!
//! Parsers are to merge the records of one submessage. Widely used ones keep the last of them instead (protobufjs 7,
//! betterproto), and with that lose what the others say.

use std::convert::Infallible;

use crate::schema::tables::{Field, FieldIndex, Kind, MessageIndex, Tables};
use crate::wire::{Tag, WireType, varint_length, write_varint};

/// The message that all others are in.
pub(super) const ROOT: u32 = 0;

/// So many submessages, or runs of records in them, take memory that stays for the next request; so many bytes of records.
const KEPT: usize = 1 << 10;
const KEPT_BYTES: usize = 1 << 16;

/// The submessages of one message, as a tree, and the records of fields in them. Messages have numbers, the root
/// [`ROOT`]; an outer one has a lower number than those in it.
///
/// The root's own records are not gathered: they can be written at once.
#[derive(Debug, Default)]
pub(super) struct Submessages {
    /// By number, from 1 on.
    messages: Vec<Submessage>,
    /// The first and the last submessage of the root.
    top: Chain,
    leaves: Vec<Leaf>,
    /// The records of all leaves, one after the other.
    records: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Submessage {
    parent: u32,
    /// The message that holds it, and its field there.
    field: (MessageIndex, FieldIndex),
    /// Its submessages, by number.
    below: Chain,
    /// The next one of the same parent; 0 for none.
    next: u32,
    /// Positions in `leaves`, from 1 on.
    leaves: Chain,
    /// How many bytes its contents take.
    length: usize,
}

/// Records of one message that were added one after the other.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    start: usize,
    end: usize,
    /// The next one of the same message; 0 for none.
    next: u32,
}

/// A list that is linked by its elements; 0 for none.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    first: u32,
    last: u32,
}

impl Submessages {
    /// Forgets all, and gives up what an unusual number of them has taken.
    #[inline]
    pub(super) fn clear(&mut self) {
        if !self.messages.is_empty() {
            self.forget();
        }
    }

    #[inline(never)]
    fn forget(&mut self) {
        if self.messages.capacity().max(self.leaves.capacity()) > KEPT || self.records.capacity() > KEPT_BYTES {
            *self = Self::default();
        }
        self.messages.clear();
        self.top = Chain::default();
        self.leaves.clear();
        self.records.clear();
    }

    /// Adds the submessage that `field`, a field of a message of this type, holds in the message `parent`. Returns its
    /// number.
    pub(super) fn add(&mut self, parent: u32, field: (MessageIndex, FieldIndex)) -> u32 {
        self.messages.push(Submessage {
            parent,
            field,
            below: Chain::default(),
            next: 0,
            leaves: Chain::default(),
            length: 0,
        });
        let number = self.messages.len() as u32;
        let last = match parent {
            ROOT => Some(&mut self.top),
            parent => self.message(parent).map(|parent| &mut parent.below),
        }
        .map(|chain| chain.append(number));
        if let Some(before) = last.and_then(|last| self.message(last)) {
            before.next = number;
        }
        number
    }

    /// The number of the submessage that `field` holds in the message `parent`. Looks at all of them: it is meant for
    /// what a path binds.
    pub(super) fn find(&self, parent: u32, field: FieldIndex) -> Option<u32> {
        let found = |message: &Submessage| message.parent == parent && message.field.1 == field;
        self.messages
            .iter()
            .zip(1..)
            .find_map(|(message, number)| found(message).then_some(number))
    }

    /// All of them: the parent, the field in it, the number.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, FieldIndex, u32)> {
        let numbers = self.messages.iter().zip(1..);
        numbers.map(|(message, number)| (message.parent, message.field.1, number))
    }

    /// Adds to the message `number`, which isn't the root, what `write` appends: whole records of its fields.
    pub(super) fn leaf<E>(&mut self, number: u32, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.records.len();
        write(&mut self.records)?;
        let end = self.records.len();
        if let Some(message) = self.message(number) {
            message.length += end - start;
            let last = message.leaves.last;
            if last as usize == self.leaves.len()
                && let Some(leaf) = self.leaves.last_mut()
            {
                leaf.end = end;
                return Ok(());
            }
        }
        self.leaves.push(Leaf { start, end, next: 0 });
        let leaf = self.leaves.len() as u32;
        let Some(message) = self.message(number) else {
            return Ok(());
        };
        let before = message.leaves.append(leaf);
        if let Some(before) = position(before).and_then(|at| self.leaves.get_mut(at)) {
            before.next = leaf;
        }
        Ok(())
    }

    /// How many runs of records there are.
    pub(super) fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Adds a whole record to the message `number`, which isn't the root.
    pub(super) fn append(&mut self, number: u32, record: &[u8]) {
        let Ok(()) = self.leaf::<Infallible>(number, |out| {
            out.extend_from_slice(record);
            Ok(())
        });
    }

    /// Appends the records of all submessages that hold anything. To be called once.
    #[inline]
    pub(super) fn write(&mut self, tables: &Tables, out: &mut Vec<u8>) {
        if !self.messages.is_empty() {
            self.write_all(tables, out);
        }
    }

    #[inline(never)]
    fn write_all(&mut self, tables: &Tables, out: &mut Vec<u8>) {
        // Outer ones come before inner ones.
        for number in (1..=self.messages.len() as u32).rev() {
            let Some(&mut Submessage {
                parent, field, length, ..
            }) = self.message(number)
            else {
                continue;
            };
            let (Some(field), 1..) = (field_of(tables, field), length) else {
                continue;
            };
            let tag = field.tag.as_bytes().len();
            let around = match field.kind {
                // The tag that ends a group is as long as the one that starts it.
                Kind::Group(_) => 2 * tag,
                _ => tag + varint_length(length as u64),
            };
            if let Some(parent) = self.message(parent) {
                parent.length += around + length;
            }
        }
        self.write_chain(tables, self.top.first, out);
    }

    /// Recursion is as deep as the messages, which have a bound (`DEPTH_LIMIT`).
    fn write_chain(&self, tables: &Tables, first: u32, out: &mut Vec<u8>) {
        let mut next = first;
        while let Some(message) = position(next).and_then(|at| self.messages.get(at)) {
            next = message.next;
            let (Some(field), 1..) = (field_of(tables, message.field), message.length) else {
                continue;
            };
            let group = matches!(field.kind, Kind::Group(_));
            field.tag.append_to(out);
            if !group {
                write_varint(message.length as u64, out);
            }
            let mut leaf = message.leaves.first;
            while let Some(found) = position(leaf).and_then(|at| self.leaves.get(at)) {
                leaf = found.next;
                out.extend_from_slice(self.records.get(found.start..found.end).unwrap_or_default());
            }
            self.write_chain(tables, message.below.first, out);
            if group {
                Tag::new(field.number, WireType::EndGroup).append_to(out);
            }
        }
    }

    fn message(&mut self, number: u32) -> Option<&mut Submessage> {
        self.messages.get_mut(position(number)?)
    }
}

impl Chain {
    /// Returns the element that was the last one.
    fn append(&mut self, element: u32) -> u32 {
        if self.first == 0 {
            self.first = element;
        }
        std::mem::replace(&mut self.last, element)
    }
}

/// Where the element with this number is, from 1 on.
fn position(number: u32) -> Option<usize> {
    (number as usize).checked_sub(1)
}

fn field_of(tables: &Tables, (message, field): (MessageIndex, FieldIndex)) -> Option<&Field> {
    tables.message(message).field(field)
}
