//! The text of a JSON object, written member by member: a document's text takes a fraction of the memory that its values
//! would.

use serde_json::Value;

/// An object that is being written, and those within it that are open.
///
/// It is written in pieces, for which the parts that went into earlier ones make room.
pub(super) struct Writer {
    pieces: Vec<Box<[u8]>>,
    piece: Vec<u8>,
    /// An object has been opened, and has no member yet.
    is_empty: bool,
}

/// A piece has so many bytes, and what goes over.
const PIECE: usize = 64 << 10;

impl Writer {
    pub(super) fn new() -> Self {
        let mut writer = Self {
            pieces: Vec::new(),
            piece: Vec::new(),
            is_empty: true,
        };
        writer.put(b"{");
        writer
    }

    /// Adds a member.
    pub(super) fn value(&mut self, name: &str, value: impl Into<Value>) {
        self.text(name, &text(&value.into()));
    }

    /// Adds a member whose value is this JSON.
    pub(super) fn text(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.put(json);
    }

    /// Begins a member that is an object. What follows is within it, up to [`Writer::close`].
    pub(super) fn open(&mut self, name: &str) {
        self.name(name);
        self.put(b"{");
        self.is_empty = true;
    }

    /// Ends the object that was opened last.
    pub(super) fn close(&mut self) {
        self.put(b"}");
        self.is_empty = false;
    }

    /// All of it.
    pub(super) fn finish(mut self) -> Vec<Box<[u8]>> {
        self.close();
        self.pieces.push(self.piece.into());
        self.pieces
    }

    fn name(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.put(b",");
        }
        self.put(&text(&name.into()));
        self.put(b":");
    }

    fn put(&mut self, bytes: &[u8]) {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.pieces.push(std::mem::take(&mut self.piece).into());
        }
    }
}

/// A value as JSON, with no room beside it: many of them are kept.
pub(super) fn text(value: &Value) -> Box<[u8]> {
    value.to_string().into_bytes().into()
}
