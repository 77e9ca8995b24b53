//! The text of a JSON object, written member by member: a document's text takes a fraction of the memory that its values
//! would.

use serde_json::Value;

/// An object that is being written, and those within it that are open.
///
/// It is written in pieces. What was made before becomes a piece of its own: nothing is there twice at any time.
pub(super) struct Writer {
    pieces: Vec<Box<[u8]>>,
    piece: Vec<u8>,
    /// An object has been opened, and has no member yet.
    is_empty: bool,
}

/// What is shorter is copied into the piece that is being written: it costs less than a piece of its own.
const PIECE: usize = 256;

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
        self.text(name, text(&value.into()));
    }

    /// Adds a member whose value is this JSON.
    pub(super) fn text(&mut self, name: &str, json: Box<[u8]>) {
        self.name(name);
        if json.len() < PIECE {
            self.put(&json);
        } else {
            self.end_piece();
            self.pieces.push(json);
        }
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
        self.end_piece();
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
    }

    /// Begins a piece. One with no room beside it, if the last has anything: many are kept.
    fn end_piece(&mut self) {
        if !self.piece.is_empty() {
            self.pieces.push(self.piece.as_slice().into());
            self.piece.clear();
        }
    }
}

/// A value as JSON, with no room beside it: many of them are kept.
pub(super) fn text(value: &Value) -> Box<[u8]> {
    value.to_string().into_bytes().into()
}
