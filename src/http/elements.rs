//! The messages of a streamed request: the elements of a JSON array, or the lines of NDJSON, as they come in chunks.
//!
//! Only the borders are found here; whether an element is a message is the codec's question. Each byte is looked at
//! once, however the body is cut.

use std::fmt;

/// So much memory stays for the next element.
const KEPT: usize = 64 * 1024;

/// How a request body holds many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON array.
    Array,
    /// One JSON value a line; blank lines are skipped.
    Lines,
}

/// Cuts a body into elements.
#[derive(Debug)]
pub struct ElementReader {
    max_bytes: usize,
    place: Place,
    /// The beginning of an element whose end has not arrived.
    carry: Vec<u8>,
    /// The carry was given out, and goes at the next look.
    spent: bool,
    failed: Option<ElementError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In front of `[`.
    Start,
    /// Behind `[`: an element or `]`.
    First,
    /// Behind a comma: an element.
    Next,
    /// Within an element: in how many braces and brackets, and whether in a string, and there after a backslash. In neither,
    /// it is a number or a name, which ends in front of the first byte that cannot be its own.
    Element { depth: u32, string: bool, escaped: bool },
    /// Behind an element: a comma or `]`.
    Behind,
    /// Behind `]`.
    End,
    /// Within or between lines.
    Line,
}

impl ElementReader {
    /// A reader of a body in `form`, with elements of `max_bytes` at most.
    pub fn new(form: Form, max_bytes: usize) -> Self {
        Self {
            max_bytes,
            place: match form {
                Form::Array => Place::Start,
                Form::Lines => Place::Line,
            },
            carry: Vec::new(),
            spent: false,
            failed: None,
        }
    }

    /// The elements that `chunk`, the next bytes of the body, completes.
    pub fn read<'a>(&'a mut self, chunk: &'a [u8]) -> Elements<'a> {
        Elements {
            reader: self,
            rest: chunk,
        }
    }

    /// The body has ended. Gives the last line, which needs no line break after it.
    pub fn finish(&mut self) -> Result<Option<&[u8]>, ElementError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.drop_spent();
        match self.place {
            Place::End => Ok(None),
            Place::Line if self.carry.trim_ascii().is_empty() => Ok(None),
            Place::Line => {
                self.spent = true;
                Ok(Some(&self.carry))
            }
            // A body of nothing is a stream of nothing.
            Place::Start if self.carry.is_empty() => Ok(None),
            _ => Err(ElementError::Unfinished),
        }
    }

    /// How many bytes of memory the beginning of an element takes.
    pub fn footprint(&self) -> usize {
        self.carry.capacity()
    }

    fn drop_spent(&mut self) {
        if std::mem::take(&mut self.spent) {
            self.carry.clear();
            // A long element leaves no memory behind.
            if self.carry.capacity() > KEPT {
                self.carry = Vec::new();
            }
        }
    }

    /// How many bytes of `bytes` belong to the element, and whether it ends there. An element is whole with its own last
    /// byte, not with the comma behind it: a client may wait for the answer to one before it goes on.
    fn element_end(&mut self, bytes: &[u8]) -> (usize, bool) {
        let Place::Element {
            mut depth,
            mut string,
            mut escaped,
        } = self.place
        else {
            return (0, false);
        };
        for (at, byte) in bytes.iter().enumerate() {
            if string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => {
                        string = false;
                        if depth == 0 {
                            self.place = Place::Behind;
                            return (at + 1, true);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => string = true,
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 {
                        self.place = Place::Behind;
                        return (at + 1, true);
                    }
                }
                b',' | b']' if depth == 0 => {
                    self.place = Place::Behind;
                    return (at, true);
                }
                _ if depth == 0 && is_space(*byte) => {
                    self.place = Place::Behind;
                    return (at, true);
                }
                _ => {}
            }
        }
        self.place = Place::Element { depth, string, escaped };
        (bytes.len(), false)
    }
}

/// The elements that one chunk completes. To be read until there is none.
#[derive(Debug)]
pub struct Elements<'a> {
    reader: &'a mut ElementReader,
    rest: &'a [u8],
}

impl Elements<'_> {
    /// The next whole element; `None` when more bytes are needed. After an error there are only errors.
    pub fn next_element(&mut self) -> Result<Option<&[u8]>, ElementError> {
        if let Some(error) = self.reader.failed {
            return Err(error);
        }
        self.reader.drop_spent();
        match self.cut() {
            Ok(Some(Cut::Chunk(element))) => Ok(Some(element)),
            Ok(Some(Cut::Carry)) => {
                self.reader.spent = true;
                Ok(Some(&self.reader.carry))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.reader.failed = Some(error);
                Err(error)
            }
        }
    }
}

enum Cut<'a> {
    /// The element lies in the chunk.
    Chunk(&'a [u8]),
    /// The element is in the reader's carry.
    Carry,
}

impl<'a> Elements<'a> {
    fn cut(&mut self) -> Result<Option<Cut<'a>>, ElementError> {
        loop {
            let length = match self.reader.place {
                Place::Line => {
                    let Some(end) = memchr::memchr(b'\n', self.rest) else {
                        let length = self.rest.len();
                        self.keep(length)?;
                        return Ok(None);
                    };
                    end
                }
                Place::Element { .. } => {
                    let (length, ended) = self.reader.element_end(self.rest);
                    if !ended {
                        self.keep(length)?;
                        return Ok(None);
                    }
                    length
                }
                place => {
                    let space = self.rest.iter().take_while(|byte| is_space(**byte)).count();
                    self.rest = self.rest.get(space..).unwrap_or_default();
                    let Some((byte, after)) = self.rest.split_first() else {
                        return Ok(None);
                    };
                    self.reader.place = match (place, byte) {
                        (Place::Start, b'[') => Place::First,
                        (Place::First | Place::Behind, b']') => Place::End,
                        (Place::Behind, b',') => Place::Next,
                        (Place::First | Place::Next, b',' | b']') => return Err(ElementError::Missing),
                        (Place::First | Place::Next, _) => Place::Element {
                            depth: 0,
                            string: false,
                            escaped: false,
                        },
                        (Place::Start, _) => return Err(ElementError::NoArray),
                        (Place::Behind, _) => return Err(ElementError::NoComma),
                        _ => return Err(ElementError::BehindEnd),
                    };
                    if !matches!(self.reader.place, Place::Element { .. }) {
                        self.rest = after;
                    }
                    continue;
                }
            };
            let (element, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
            if self.reader.place == Place::Line {
                self.rest = rest.get(1..).unwrap_or_default();
            } else {
                self.rest = rest;
            }
            if self.reader.carry.len() + element.len() > self.reader.max_bytes {
                return Err(ElementError::TooLarge(self.reader.max_bytes));
            }
            if self.reader.carry.is_empty() {
                if element.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(Cut::Chunk(element)));
            }
            self.reader.carry.extend_from_slice(element);
            if self.reader.carry.trim_ascii().is_empty() {
                self.reader.carry.clear();
                continue;
            }
            return Ok(Some(Cut::Carry));
        }
    }

    fn keep(&mut self, length: usize) -> Result<(), ElementError> {
        let (kept, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        if self.reader.carry.len() + kept.len() > self.reader.max_bytes {
            return Err(ElementError::TooLarge(self.reader.max_bytes));
        }
        self.reader.carry.extend_from_slice(kept);
        self.rest = rest;
        Ok(())
    }
}

/// JSON's white space (RFC 8259, section 2).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Why a body is no sequence of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementError {
    /// The body does not begin with `[`.
    NoArray,
    /// A comma or the end of the array where an element should be.
    Missing,
    /// Neither a comma nor the end of the array behind an element.
    NoComma,
    /// Something after the array's end.
    BehindEnd,
    /// The body ends within the array.
    Unfinished,
    /// An element has more than so many bytes.
    TooLarge(usize),
}

impl fmt::Display for ElementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoArray => f.write_str(
                "expected a JSON array of messages (or one message a line with content-type application/x-ndjson)",
            ),
            Self::Missing => f.write_str("expected a message in the array, found none"),
            Self::NoComma => f.write_str("expected `,` or `]` behind a message of the array"),
            Self::BehindEnd => f.write_str("expected nothing behind the array of messages"),
            Self::Unfinished => f.write_str("the array of messages is cut off"),
            Self::TooLarge(limit) => write!(f, "a message has more than {limit} bytes of JSON"),
        }
    }
}

impl std::error::Error for ElementError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements of a body that comes in chunks of `size`.
    fn elements(form: Form, body: &str, size: usize) -> Result<Vec<String>, ElementError> {
        let mut reader = ElementReader::new(form, 64);
        let mut found = Vec::new();
        for chunk in body.as_bytes().chunks(size) {
            let mut elements = reader.read(chunk);
            while let Some(element) = elements.next_element()? {
                found.push(String::from_utf8_lossy(element.trim_ascii()).into_owned());
            }
        }
        if let Some(last) = reader.finish()? {
            found.push(String::from_utf8_lossy(last.trim_ascii()).into_owned());
        }
        Ok(found)
    }

    #[test]
    fn elements_are_found_wherever_the_body_is_cut() {
        let cases: [(Form, &str, &[&str]); 9] = [
            (Form::Array, "", &[]),
            (Form::Array, " [ ] ", &[]),
            (Form::Array, "[1]", &["1"]),
            (
                Form::Array,
                r#"[{"a":[1,2]}, {"b":"],\"}"} ]"#,
                &[r#"{"a":[1,2]}"#, r#"{"b":"],\"}"}"#],
            ),
            (Form::Array, "[[],[[1,2],3]]", &["[]", "[[1,2],3]"]),
            (Form::Array, r#"["\\",2]"#, &[r#""\\""#, "2"]),
            (Form::Lines, "", &[]),
            (Form::Lines, "{}\n\n{\"a\":1}\r\n", &["{}", "{\"a\":1}"]),
            (Form::Lines, "{}\n[1,2]", &["{}", "[1,2]"]),
        ];
        for (form, body, expected) in cases {
            for size in 1..=body.len().max(1) {
                assert_eq!(
                    elements(form, body, size).as_deref(),
                    Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                    "{body} by {size}"
                );
            }
        }
    }

    #[test]
    fn an_element_is_whole_with_its_own_last_byte() {
        // How many elements of an array are there once so much of it has come.
        let cases = [
            ("[{\"a\":[1,{}]}", 1),
            ("[{\"a\":[1,{}]", 0),
            ("[[[]]", 1),
            ("[\"a\\\"\"", 1),
            ("[\"a\\\"", 0),
            // More digits may follow.
            ("[1", 0),
            ("[1 ", 1),
            ("[1\n", 1),
            ("[true]", 1),
            ("[{},{}", 2),
            ("[{} , null", 1),
        ];
        for (body, expected) in cases {
            for size in 1..=body.len() {
                let mut reader = ElementReader::new(Form::Array, 64);
                let mut found = 0;
                for chunk in body.as_bytes().chunks(size) {
                    let mut elements = reader.read(chunk);
                    while elements.next_element().unwrap().is_some() {
                        found += 1;
                    }
                }
                assert_eq!(found, expected, "{body} by {size}");
            }
        }
    }

    #[test]
    fn what_is_no_array_is_an_error_wherever_it_is_cut() {
        let cases = [
            ("{}", ElementError::NoArray),
            ("[,1]", ElementError::Missing),
            ("[1,]", ElementError::Missing),
            ("[1] 2", ElementError::BehindEnd),
            ("[1 2]", ElementError::NoComma),
            ("[{} {}]", ElementError::NoComma),
            ("[{}{}]", ElementError::NoComma),
            ("[\"a\"1]", ElementError::NoComma),
            ("[{}\x0c]", ElementError::NoComma),
            ("[1", ElementError::Unfinished),
            ("[\"]", ElementError::Unfinished),
        ];
        for (body, expected) in cases {
            for size in 1..=body.len() {
                assert_eq!(elements(Form::Array, body, size), Err(expected), "{body} by {size}");
            }
        }
    }

    #[test]
    fn an_element_over_the_limit_is_refused_before_it_is_whole() {
        let body = format!("[\"{}", "x".repeat(100));
        for form in [Form::Array, Form::Lines] {
            assert_eq!(elements(form, &body, 7), Err(ElementError::TooLarge(64)));
        }
    }
}
