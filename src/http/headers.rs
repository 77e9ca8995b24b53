//! Header lists as bytes: one buffer, no allocation for a name or a value.

use std::ops::Range;

use crate::text::append::append;

/// A list of header fields in their order, HTTP/2 pseudo-headers included.
///
/// Names and values are bytes: a client may send values that are not UTF-8.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Headers {
    /// A list over `bytes`, of which `fields` gives the ranges of each name and value.
    pub fn new(bytes: Vec<u8>, fields: Vec<(Range<usize>, Range<usize>)>) -> Self {
        Self { bytes, fields }
    }

    /// Adds a field after the others.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        append(name, &mut self.bytes);
        let middle = self.bytes.len();
        append(value, &mut self.bytes);
        self.fields.push((start..middle, middle..self.bytes.len()));
    }

    /// Removes all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
    }

    /// How many bytes of memory they take.
    pub fn footprint(&self) -> usize {
        self.bytes.capacity() + self.fields.capacity() * size_of::<(Range<usize>, Range<usize>)>()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.fields.iter().map(|(name, value)| {
            (
                self.bytes.get(name.clone()).unwrap_or_default(),
                self.bytes.get(value.clone()).unwrap_or_default(),
            )
        })
    }

    /// The first value of `name`, which is given in lower case as hosts deliver names.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(candidate, _)| *candidate == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// The value of the field at this position, if there is one.
    pub fn value(&self, at: usize) -> Option<&[u8]> {
        let (_, value) = self.fields.get(at)?;
        self.bytes.get(value.clone())
    }

    /// The value of `content-length`, where it is a number.
    pub fn content_length(&self) -> Option<usize> {
        content_length(self.get("content-length")?)
    }

    /// The HTTP status, of a response.
    pub fn status(&self) -> Option<u16> {
        match self.get(":status")? {
            b"200" => Some(200),
            status => std::str::from_utf8(status).ok()?.parse().ok(),
        }
    }
}

/// The number in a value of `content-length`.
pub fn content_length(value: &[u8]) -> Option<usize> {
    // Mostly it is a few digits, of which none can be too many.
    if let 1..=9 = value.len()
        && value.iter().all(u8::is_ascii_digit)
    {
        return Some(
            value
                .iter()
                .fold(0, |number, digit| number * 10 + usize::from(digit - b'0')),
        );
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// How a header list is changed in place: what to remove, then what to set, then what to add.
///
/// Hosts charge by the call and by the field, so only differences are named.
#[derive(Debug, Default)]
pub struct HeaderEdits {
    removed: Headers,
    set: Headers,
    added: Headers,
}

impl HeaderEdits {
    /// Forgets all edits and keeps the memory.
    pub fn clear(&mut self) {
        self.removed.clear();
        self.set.clear();
        self.added.clear();
    }

    /// Removes every field called `name`.
    pub fn remove(&mut self, name: &[u8]) {
        if !self.removes(name) {
            self.remove_new(name);
        }
    }

    /// The same of a name that isn't among those to remove, for which nobody has to look then.
    pub fn remove_new(&mut self, name: &[u8]) {
        self.removed.push(name, b"");
    }

    /// Whether `name` is to be removed.
    pub fn removes(&self, name: &[u8]) -> bool {
        self.removed().any(|removed| removed == name)
    }

    /// Gives `name` this one value in place of all it has.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.set.push(name, value);
    }

    /// Adds a field beside the ones of that name.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.added.push(name, value);
    }

    /// The names to remove.
    pub fn removed(&self) -> impl Iterator<Item = &[u8]> {
        self.removed.iter().map(|(name, _)| name)
    }

    /// The fields to set.
    pub fn sets(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.set.iter()
    }

    /// The fields to add.
    pub fn adds(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.added.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_of_whatever_length() {
        let long = usize::MAX.to_string();
        for (value, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("999999999", Some(999_999_999)),
            ("1234567890", Some(1_234_567_890)),
            (" 12\t", Some(12)),
            (&long, Some(usize::MAX)),
            (&format!("{long}0"), None),
            ("", None),
            ("1,1", None),
            ("-1", None),
            ("1.0", None),
        ] {
            assert_eq!(content_length(value.as_bytes()), expected, "{value:?}");
        }
        for (value, expected) in [("200", Some(200)), ("404", Some(404)), ("2x0", None), ("", None)] {
            let mut headers = Headers::default();
            headers.push(b":status", value.as_bytes());
            assert_eq!(headers.status(), expected, "{value:?}");
        }
        assert_eq!(Headers::default().status(), None);
    }
}
