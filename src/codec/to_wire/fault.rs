//! An error on its way up: a pointer, so that the good path carries nothing; the path grows level by level.

use std::fmt::Write as _;

use crate::codec::error::CodecError;
use crate::text::shown::{VALUE, shown};

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// A [`CodecError`] that still lacks the part of the path above it.
#[derive(Debug)]
pub(super) struct Fault(Box<CodecError>);

impl Fault {
    /// `message` at a byte offset of the input.
    #[cold]
    #[inline(never)]
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self(Box::new(CodecError {
            path: String::new(),
            offset: Some(offset),
            message: message.into(),
        }))
    }

    /// It happened in the field that JSON calls `name`.
    #[cold]
    #[inline(never)]
    pub(super) fn in_field(self, name: &str) -> Self {
        self.below(shown(name.as_bytes(), VALUE).into_owned())
    }

    /// It happened in an element of a list.
    #[cold]
    #[inline(never)]
    pub(super) fn in_element(self, index: usize) -> Self {
        self.below(format!("[{index}]"))
    }

    /// It happened in the entry of a map with this key (as written, without the quotes).
    #[cold]
    #[inline(never)]
    pub(super) fn in_entry(self, key: &[u8]) -> Self {
        self.below(format!("[\"{}\"]", shown(key, VALUE)))
    }

    fn below(mut self, mut segment: String) -> Self {
        if !self.0.path.is_empty() && !self.0.path.starts_with('[') {
            segment.push('.');
        }
        segment.push_str(&self.0.path);
        self.0.path = segment;
        self
    }

    /// The finished error.
    pub(super) fn into_error(self) -> CodecError {
        *self.0
    }
}

/// What stands at `at`, for "found …": the kind of the JSON value and its text, cut where it is long.
#[cold]
pub(super) fn found(json: &[u8], at: usize) -> String {
    // Enough for the text that is shown; the whole value may be megabytes.
    let rest = json.get(at..).unwrap_or_default();
    let start = String::from_utf8_lossy(rest.get(..rest.len().min(VALUE * 4 + 8)).unwrap_or_default());
    let Some(first) = start.chars().next() else {
        return "the end of the input".to_owned();
    };
    match first {
        '"' => {
            let mut escaped = false;
            let body: String = start
                .chars()
                .skip(1)
                .take_while(|&character| {
                    let quote = character == '"' && !escaped;
                    escaped = character == '\\' && !escaped;
                    !quote
                })
                .collect();
            format!("string \"{}\"", shown(body.as_bytes(), VALUE))
        }
        '{' => "an object".to_owned(),
        '[' => "an array".to_owned(),
        '-' | '0'..='9' => {
            let body: String = start
                .chars()
                .take_while(|character| matches!(character, '-' | '+' | '.' | '0'..='9' | 'a'..='z' | 'A'..='Z'))
                .collect();
            format!("number {}", shown(body.as_bytes(), VALUE))
        }
        'a'..='z' | 'A'..='Z' => {
            let body: String = start.chars().take_while(char::is_ascii_alphanumeric).collect();
            shown(body.as_bytes(), VALUE).into_owned()
        }
        '\u{feff}' => "a byte order mark".to_owned(),
        char::REPLACEMENT_CHARACTER => "bytes that are not UTF-8".to_owned(),
        control if control.is_control() => {
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = write!(text, "control character 0x{:02x}", u32::from(control));
            text
        }
        other => format!("'{other}'"),
    }
}
