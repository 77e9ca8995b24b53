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
    pub(super) fn push(&mut self, prefix: &str, name: &str) -> bool {
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
