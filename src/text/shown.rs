//! How much of what a peer or an operator wrote a message repeats: its beginning, by characters.

use std::borrow::{Borrow, Cow};

/// Of a name, a path or a media type.
pub const NAME: usize = 200;

/// Of a value in JSON or in a query.
pub const VALUE: usize = 40;

/// Of a number in a header, which is short where it is one.
pub const HEADER: usize = 64;

/// Of a value in the plugin configuration.
pub const SETTING: usize = 60;

/// Of a line of a `.proto`.
pub const LINE: usize = 80;

/// `sent` as a message shows it: as text, and with an ellipsis where it has more than `limit` characters.
///
/// What isn't UTF-8 becomes U+FFFD.
pub fn shown(sent: &[u8], limit: usize) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(sent);
    match beginning(&text, limit) {
        (start, true) => format!("{start}…").into(),
        (_, false) => text,
    }
}

/// The first `limit` characters of `text`, and whether there are more.
pub fn beginning(text: &str, limit: usize) -> (&str, bool) {
    match text.char_indices().nth(limit) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), true),
        None => (text, false),
    }
}

/// The first of `count` names in a row, and how many others there are.
pub fn listed<N: Borrow<str>>(first: &[N], count: usize) -> String {
    let names = first.join(", ");
    match count.saturating_sub(first.len()) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let cases: [(&[u8], usize, &str); 6] = [
            (b"", 3, ""),
            (b"abc", 3, "abc"),
            (b"abcd", 3, "abc…"),
            ("äöüß".as_bytes(), 3, "äöü…"),
            (b"a\xff", 3, "a\u{fffd}"),
            (b"a\xff\xfe\xfdd", 3, "a\u{fffd}\u{fffd}…"),
        ];
        for (sent, limit, expected) in cases {
            assert_eq!(shown(sent, limit), expected, "{sent:?}");
        }
    }

    #[test]
    fn names_that_are_left_out_are_counted() {
        for (first, count, expected) in [
            (&[][..], 0, ""),
            (&["a"], 1, "a"),
            (&["a", "b"], 2, "a, b"),
            (&["a", "b"], 5, "a, b and 3 more"),
        ] {
            assert_eq!(listed(first, count), expected);
        }
    }
}
