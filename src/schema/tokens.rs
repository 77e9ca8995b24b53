//! The tokens of `.proto` text and of protobuf's text format, which has the same ones.

/// The words, strings and punctuation of a `.proto` text without comments. Only as exact as finding nesting and names
/// needs it.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

pub(super) struct Token<'t> {
    /// In bytes.
    pub(super) offset: usize,
    pub(super) text: &'t str,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let bytes = self.text.as_bytes();
        loop {
            let rest = bytes.get(self.at..)?;
            let offset = self.at;
            let length = match rest {
                [] => return None,
                [b'/', b'/', ..] | [b'#', ..] => {
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    continue;
                }
                [b'/', b'*', inside @ ..] => {
                    self.at += memchr::memmem::find(inside, b"*/").map_or(rest.len(), |end| end + 4);
                    continue;
                }
                [quote @ (b'"' | b'\''), inside @ ..] => 1 + string_length(inside, *quote),
                [first, ..] if is_word(*first) => rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len()),
                [first, ..] if first.is_ascii_whitespace() => {
                    self.at += 1;
                    continue;
                }
                [..] => 1,
            };
            self.at += length;
            return Some(Token {
                offset,
                // Every byte of a character beyond ASCII is a word's, so this cuts between characters.
                text: self.text.get(offset..self.at).unwrap_or_default(),
            });
        }
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// How long a string is that starts before `inside`, with its closing quote. It ends with its line at the latest.
fn string_length(inside: &[u8], quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in inside.iter().enumerate() {
        match byte {
            b'\n' => return at,
            b'\\' if !escaped => escaped = true,
            byte if *byte == quote && !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    inside.len()
}

/// The names in brackets that a value in text format sets: of extensions, `[a.b.c]: 1`, and of messages in an `Any`,
/// `[type.googleapis.com/a.b.C] {}`. Lists are in brackets too, but nothing that is set follows them.
pub(super) fn bracketed(value: &str) -> impl Iterator<Item = String> + '_ {
    let mut name = None::<String>;
    let mut closed = false;
    Tokens::of(value).filter_map(move |token| {
        let complete = name.take_if(|_| closed);
        closed = false;
        match token.text {
            "[" => name = Some(String::new()),
            "]" => closed = name.is_some(),
            ":" | "{" | "<" => {
                name = None;
                return complete;
            }
            "." | "/" | "-" => {
                if let Some(name) = &mut name {
                    name.push_str(token.text);
                }
            }
            word if word.starts_with(|first: char| first.is_alphanumeric() || first == '_') => {
                if let Some(name) = &mut name {
                    name.push_str(word);
                }
            }
            _ => name = None,
        }
        None
    })
}
