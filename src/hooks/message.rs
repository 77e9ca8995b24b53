//! What is read of a `coprocess.Object` that a server answers with (`proto-fixtures/coprocess/coprocess.proto`).
//!
//! The wire format is read by hand, so that an answer needn't be copied: bodies are used where they lie, and a session
//! stays the bytes that it is. What a message means is as in Go:
//!
//! - A message that comes in several records is merged.
//! - Of several values of a string or a number, the last counts.
//! - A field with another wire type is an unknown one.
//! - A map's entries are all kept in their order, and the last of each key counts. Bytes that aren't UTF-8 become
//!   U+FFFD there.

use std::borrow::Cow;

use super::failure::CallFailure;
use super::pairs::{Pair, Pairs, lossy};
use crate::wire::{Reader, WireType};

/// What a server answers.
#[derive(Debug, Default)]
pub struct Answer<'m> {
    /// What becomes of the request.
    pub request: Option<RequestAnswer<'m>>,
    /// A `SessionState`, not looked into.
    pub session: Option<Cow<'m, [u8]>>,
    /// Further metadata of the session.
    pub metadata: Pairs<'m>,
    /// What becomes of the response.
    pub response: Option<ResponseAnswer<'m>>,
}

/// What becomes of the request.
#[derive(Debug, Default)]
pub struct RequestAnswer<'m> {
    /// Headers that get this one value.
    pub set_headers: Pairs<'m>,
    /// Headers to remove.
    pub delete_headers: Vec<&'m str>,
    /// The path, if it is one.
    pub url: &'m str,
    /// Query parameters that get this one value.
    pub add_params: Pairs<'m>,
    /// Query parameters to remove.
    pub delete_params: Vec<&'m str>,
    /// The answer in place of the service's.
    pub overrides: Overrides<'m>,
    /// The HTTP method.
    pub method: &'m str,
    /// The body.
    pub raw_body: &'m [u8],
}

/// An answer in place of the service's, where `code` is above 0.
#[derive(Debug, Default)]
pub struct Overrides<'m> {
    /// The HTTP status.
    pub code: i32,
    /// The body; if it isn't empty, it counts and not `body`.
    pub error: &'m str,
    /// Further headers.
    pub headers: Pairs<'m>,
    /// Whether an error's body is the text as it is, and not Tyk's template.
    pub override_error: bool,
    /// The body.
    pub body: &'m str,
}

/// What becomes of the response.
#[derive(Debug, Default)]
pub struct ResponseAnswer<'m> {
    /// The HTTP status; 0 leaves it.
    pub code: i32,
    /// The body.
    pub raw_body: &'m [u8],
    /// The first value of each header.
    pub headers: Pairs<'m>,
    /// All values.
    pub multivalue_headers: Vec<Header<'m>>,
}

/// All values of a header.
#[derive(Debug, Default)]
pub struct Header<'m> {
    /// Its name.
    pub key: &'m str,
    /// Its values.
    pub values: Vec<&'m str>,
}

impl<'m> Answer<'m> {
    /// Reads an object.
    ///
    /// # Errors
    ///
    /// It is no wire format, or has a string that isn't UTF-8.
    pub fn read(message: &'m [u8]) -> Result<Self, CallFailure> {
        let mut answer = Self::default();
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (3, Value::Bytes(bytes)) => answer.request.get_or_insert_default().merge(bytes)?,
                (4, Value::Bytes(bytes)) => match &mut answer.session {
                    // Messages one after the other are the message that they merge into.
                    Some(session) => session.to_mut().extend_from_slice(bytes),
                    None => answer.session = Some(Cow::Borrowed(bytes)),
                },
                (5, Value::Bytes(bytes)) => answer.metadata.push(entry(bytes)?),
                (7, Value::Bytes(bytes)) => answer.response.get_or_insert_default().merge(bytes)?,
                _ => {}
            }
        }
        Ok(answer)
    }
}

impl<'m> RequestAnswer<'m> {
    fn merge(&mut self, message: &'m [u8]) -> Result<(), CallFailure> {
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (2, Value::Bytes(bytes)) => self.set_headers.push(entry(bytes)?),
                (3, Value::Bytes(bytes)) => self.delete_headers.push(text(bytes)?),
                (5, Value::Bytes(bytes)) => self.url = text(bytes)?,
                (7, Value::Bytes(bytes)) => self.add_params.push(entry(bytes)?),
                (9, Value::Bytes(bytes)) => self.delete_params.push(text(bytes)?),
                (10, Value::Bytes(bytes)) => self.overrides.merge(bytes)?,
                (11, Value::Bytes(bytes)) => self.method = text(bytes)?,
                (14, Value::Bytes(bytes)) => self.raw_body = bytes,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'m> Overrides<'m> {
    fn merge(&mut self, message: &'m [u8]) -> Result<(), CallFailure> {
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (1, Value::Number(number)) => self.code = number as i32,
                (2, Value::Bytes(bytes)) => self.error = text(bytes)?,
                (3, Value::Bytes(bytes)) => self.headers.push(entry(bytes)?),
                (4, Value::Number(number)) => self.override_error = number != 0,
                (5, Value::Bytes(bytes)) => self.body = text(bytes)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'m> ResponseAnswer<'m> {
    fn merge(&mut self, message: &'m [u8]) -> Result<(), CallFailure> {
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (1, Value::Number(number)) => self.code = number as i32,
                (2, Value::Bytes(bytes)) => self.raw_body = bytes,
                (4, Value::Bytes(bytes)) => self.headers.push(entry(bytes)?),
                (5, Value::Bytes(bytes)) => self.multivalue_headers.push(Header::read(bytes)?),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'m> Header<'m> {
    fn read(message: &'m [u8]) -> Result<Self, CallFailure> {
        let mut header = Self::default();
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => header.key = text(bytes)?,
                (2, Value::Bytes(bytes)) => header.values.push(text(bytes)?),
                _ => {}
            }
        }
        Ok(header)
    }
}

/// A value of one of the two wire types that are of use.
#[derive(Clone, Copy, Debug)]
pub enum Value<'m> {
    /// A varint.
    Number(u64),
    /// A string, bytes or a message.
    Bytes(&'m [u8]),
}

/// The fields of a message that have such a value; the others are passed over.
pub struct Fields<'m>(Reader<'m>);

impl<'m> Fields<'m> {
    /// Of a whole message.
    pub fn new(message: &'m [u8]) -> Self {
        Self(Reader::new(message))
    }

    /// The next one: its number and its value.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<Option<(u32, Value<'m>)>, CallFailure> {
        // Nearly all of them.
        if let Some((number, bytes)) = self.0.short_record() {
            return Ok(Some((number, Value::Bytes(bytes))));
        }
        self.any()
    }

    fn any(&mut self) -> Result<Option<(u32, Value<'m>)>, CallFailure> {
        let reader = &mut self.0;
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            match wire_type {
                WireType::Varint => return Ok(Some((number, Value::Number(reader.varint()?)))),
                WireType::Len => return Ok(Some((number, Value::Bytes(reader.length_delimited()?)))),
                other => reader.skip(number, other, 1)?,
            }
        }
        Ok(None)
    }
}

/// The key of a map's entry and the value, which may be a string or a message.
pub fn raw_entry(message: &[u8]) -> Result<(&[u8], &[u8]), CallFailure> {
    let (mut key, mut value) = Default::default();
    let mut fields = Fields::new(message);
    while let Some((number, found)) = fields.next_field()? {
        match (number, found) {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Ok((key, value))
}

/// An entry of a map of strings.
pub fn entry(message: &[u8]) -> Result<Pair<'_>, CallFailure> {
    let (key, value) = raw_entry(message)?;
    Ok((lossy(key), lossy(value)))
}

fn text(bytes: &[u8]) -> Result<&str, CallFailure> {
    std::str::from_utf8(bytes).map_err(|_| CallFailure::NotText)
}
