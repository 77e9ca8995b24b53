//! The text of a JSON object, written member by member: a document's text takes a fraction of the memory that its values
//! would.

use serde_json::Value;

/// An object that is being written, and those within it that are open.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// With room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut text = Vec::with_capacity(bytes);
        text.push(b'{');
        Self(text)
    }

    /// Adds a member.
    pub(super) fn value(&mut self, name: &str, value: impl Into<Value>) {
        self.text(name, &text(&value.into()));
    }

    /// Adds a member whose value is this JSON.
    pub(super) fn text(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(json);
    }

    /// Begins a member that is an object. What follows is within it, up to [`Writer::close`].
    pub(super) fn open(&mut self, name: &str) {
        self.name(name);
        self.0.push(b'{');
    }

    /// Ends the object that was opened last.
    pub(super) fn close(&mut self) {
        self.0.push(b'}');
    }

    /// All of it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.close();
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.extend_from_slice(&text(&name.into()));
        self.0.push(b':');
    }
}

/// A value as JSON, with no room beside it: many of them are kept.
pub(super) fn text(value: &Value) -> Box<[u8]> {
    value.to_string().into_bytes().into()
}
