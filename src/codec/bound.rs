//! Fields that the path binds, which a body cannot set, and the paths of those that a body sets.

use crate::schema::tables::FieldIndex;

/// A field that the path binds, and that the body therefore cannot set. A leaf has nothing `below`; else the fields
/// below it are the bound ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundField {
    /// The field.
    pub field: FieldIndex,
    /// What is bound within that message field; empty when the field itself is.
    pub below: Vec<BoundField>,
    /// Of a leaf, which of the [`BoundRecords`] is its own, if it has one.
    pub record: Option<usize>,
}

/// What the path binds within messages that the body fills too, as records that belong into the body's own record of each
/// message: of one that comes in several records, parsers that don't merge keep the last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BoundRecords(
    // Most requests have none.
    Option<Box<Records>>,
);

#[derive(Debug, Default, PartialEq, Eq)]
struct Records {
    /// One after the other.
    wire: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl BoundRecords {
    /// None.
    pub const NONE: &'static Self = &Self(None);

    /// Adds what `write` appends as the next record; it may be nothing.
    pub fn push<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let Records { wire, ends } = &mut **self.0.get_or_insert_default();
        write(wire)?;
        ends.push(wire.len());
        Ok(())
    }

    /// The record of a leaf; empty if it has none.
    pub fn of(&self, leaf: &BoundField) -> &[u8] {
        let (Some(records), Some(number)) = (&self.0, leaf.record) else {
            return &[];
        };
        let end = |number| records.ends.get(number).copied();
        let start = number.checked_sub(1).map_or(Some(0), end);
        let range = start.zip(end(number)).map(|(start, end)| start..end);
        range.and_then(|range| records.wire.get(range)).unwrap_or_default()
    }

    /// How many bytes of memory they take.
    pub fn footprint(&self) -> usize {
        let records = self.0.as_deref();
        records.map_or(0, |records| {
            size_of::<Records>() + records.wire.capacity() + records.ends.capacity() * size_of::<usize>()
        })
    }
}

/// The paths of an update mask. They repeat the names around a leaf for each leaf, and so may be a hundred times as long
/// as the body that they come from: bounded.
#[derive(Debug, Default)]
pub struct Present {
    paths: Vec<String>,
    room: usize,
    overflowed: bool,
}

impl Present {
    /// Forgets the paths of the last body. Those of the next may take `max_bytes` in the message.
    pub fn reset(&mut self, max_bytes: usize) {
        self.paths.clear();
        self.room = max_bytes;
        self.overflowed = false;
    }

    /// The paths, in the order of the body.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Whether a body was refused because its paths took more.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Adds a path, if there is room.
    pub fn push(&mut self, prefix: &str, name: &str) -> bool {
        // With a tag and a length.
        let length = prefix.len() + name.len() + 2;
        match self.room.checked_sub(length) {
            Some(room) => {
                self.room = room;
                self.paths.push(format!("{prefix}{name}"));
            }
            None => self.overflowed = true,
        }
        !self.overflowed
    }
}
