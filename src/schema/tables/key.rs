//! The key of a field in JSON, ready to copy and to compare.

/// The key of a field in JSON, quoted, with its colon.
#[derive(Clone, Debug)]
pub struct Key {
    /// A comma, the key, a quote for the value, and padding: so that a short copy can take whole words.
    padded: Box<[u8]>,
    /// The length without comma and padding.
    length: usize,
    /// The key's first bytes, as many as [`Key::WORDS`] hold, and which bits of them are the key's.
    start: [(u64, u64); Key::WORDS],
}

impl Key {
    /// Enough for a copy of this many bytes from anywhere in the key.
    const PADDING: usize = 32;
    /// Keys of up to so many words are compared at once.
    const WORDS: usize = 3;
    /// Keys that are shorter, comma and all, are copied as so many bytes; names of enums too.
    pub const SHORT: usize = 32;

    pub(super) fn new(name: &str) -> Self {
        let mut padded = Vec::with_capacity(name.len() + 5 + Self::PADDING);
        padded.push(b',');
        // It escapes: a custom json_name may hold any character. Writing to a vector cannot fail.
        let _ = serde_json::to_writer(&mut padded, name);
        padded.push(b':');
        let length = padded.len() - 1;
        let mut start = [(0, 0); Self::WORDS];
        for (word, bytes) in start.iter_mut().zip(padded.get(1..).unwrap_or_default().chunks(8)) {
            let mut padded = [0; 8];
            for (to, from) in padded.iter_mut().zip(bytes) {
                *to = *from;
            }
            *word = (u64::from_le_bytes(padded), u64::MAX >> (64 - 8 * bytes.len()));
        }
        padded.push(b'"');
        padded.resize(padded.len() + Self::PADDING, 0);
        Self {
            padded: padded.into(),
            length,
            start,
        }
    }

    /// The key's length if `text` begins with it.
    #[inline]
    pub fn starts(&self, text: &[u8]) -> Option<usize> {
        if self.length <= Self::WORDS * 8
            && let Some(chunk) = text.first_chunk::<{ Self::WORDS * 8 }>()
        {
            // Whole words, of which some bits are looked at: no loop, and one branch.
            let difference = self
                .start
                .iter()
                .zip(chunk.as_chunks::<8>().0)
                .fold(0, |difference, ((word, mask), bytes)| {
                    difference | (u64::from_le_bytes(*bytes) ^ word) & mask
                });
            return (difference == 0).then_some(self.length);
        }
        text.starts_with(self.as_bytes()).then_some(self.length)
    }

    /// The key, its quotes and its colon.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.padded.get(1..=self.length).unwrap_or_default()
    }

    /// The key with a comma, if there is something `before` it, and its length; after that comes padding.
    #[inline]
    pub fn padded(&self, before: bool) -> (&[u8], usize) {
        let start = usize::from(!before);
        (self.padded.get(start..).unwrap_or_default(), self.length + 1 - start)
    }

    /// As [`padded`](Self::padded), if the key is short; a quote follows it that the length doesn't count.
    #[inline]
    pub fn short(&self, before: bool) -> Option<(&[u8; Self::SHORT], usize)> {
        let start = usize::from(!before);
        let length = self.length + 1 - start;
        if length >= Self::SHORT {
            return None;
        }
        Some((self.padded.get(start..)?.first_chunk()?, length))
    }
}
