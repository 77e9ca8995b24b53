//! Masked values.

use super::program::Mask;
use crate::wire::write_varint;

/// What stands in the place of what is hidden.
const HIDDEN: &[u8] = b"***";

impl Mask {
    /// Appends the record of a masked `value`.
    pub(super) fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        let kept = self.kept(value);
        self.tag.append_to(out);
        write_varint((HIDDEN.len() + kept.len()) as u64, out);
        out.extend_from_slice(HIDDEN);
        out.extend_from_slice(kept);
    }

    /// The end of `value` that is kept: nothing unless there is more before it.
    fn kept<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        if self.keep_last == 0 {
            return &[];
        }
        if !self.text {
            let start = value.len().checked_sub(self.keep_last).filter(|start| *start > 0);
            return start.and_then(|start| value.get(start..)).unwrap_or_default();
        }
        // A character begins wherever a byte doesn't continue one (RFC 3629, section 3).
        let mut starts = (value.iter().enumerate().rev())
            .filter(|(_, byte)| **byte & 0xc0 != 0x80)
            .map(|(at, _)| at);
        match (starts.nth(self.keep_last - 1), starts.next()) {
            (Some(start), Some(_)) => value.get(start..).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Tag, WireType};

    #[test]
    fn the_end_is_kept_where_something_is_hidden_before_it() {
        for (value, keep_last, text, expected) in [
            (&b"555-1234"[..], 0, true, &b"***"[..]),
            (b"555-1234", 4, true, b"***1234"),
            (b"1234", 4, true, b"***"),
            (b"12345", 4, true, b"***2345"),
            (b"", 4, true, b"***"),
            (b"", 0, true, b"***"),
            ("äöüß".as_bytes(), 2, true, "***üß".as_bytes()),
            ("äöüß".as_bytes(), 4, true, b"***"),
            ("äöüß".as_bytes(), 2, false, "***ß".as_bytes()),
            ("a😀".as_bytes(), 1, true, "***😀".as_bytes()),
            // Of bytes that are no UTF-8, those that continue a character don't count.
            (b"\x80\x80\x80ab", 2, true, b"***"),
            (b"\xff\xfe\x80a", 2, true, b"***\xfe\x80a"),
            (b"abc", usize::MAX, true, b"***"),
            (b"abc", usize::MAX, false, b"***"),
        ] {
            let mask = Mask {
                tag: Tag::new(1, WireType::Len),
                keep_last,
                text,
                spares_empty: false,
            };
            let mut out = Vec::new();
            mask.write(value, &mut out);
            assert_eq!(out[..2], [10, expected.len() as u8]);
            assert_eq!(&out[2..], expected, "{value:?}");
        }
    }
}
