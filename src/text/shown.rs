//! How much of what a peer sent a message repeats.

/// How many characters of a client's value an error shows.
pub const SHOWN: usize = 40;

/// `text`, cut where it is long.
pub fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => {
            let mut shown = text.get(..end).unwrap_or_default().to_owned();
            shown.push('…');
            shown.into()
        }
        None => text.into(),
    }
}

/// What a client sent, a name or a path, as a message shows it: as text, the beginning of it if it is long.
pub fn shown(sent: &[u8]) -> String {
    let sent = String::from_utf8_lossy(sent);
    match sent.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", sent.get(..end).unwrap_or_default()),
        None => sent.into_owned(),
    }
}

/// How much of it an error shows.
const SHOWN_CHARACTERS: usize = 200;
