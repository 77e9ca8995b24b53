//! How the first bytes of an input choose, and how it is cut.

/// Bytes that choose: letters in the seeds, so that `A` is always the first choice.
#[derive(Clone, Copy, Debug)]
pub struct Letters<'i>(pub &'i [u8]);

impl<'i> Letters<'i> {
    /// The next letter, 0 for `A`; 0 behind the end.
    pub fn letter(&mut self) -> usize {
        match self.0.split_first() {
            Some((letter, rest)) => {
                self.0 = rest;
                usize::from(letter.wrapping_sub(b'A'))
            }
            None => 0,
        }
    }

    /// One of these, by the next letter.
    pub fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.letter() % choices.len()]
    }

    /// Whether the next letter is odd: `B` and not `A`.
    pub fn flag(&mut self) -> bool {
        self.letter() % 2 == 1
    }

    /// So many bytes, or what is left.
    pub fn take(&mut self, length: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A small generator of numbers: the same sequence for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }
}

/// `bytes` in pieces, some of them empty.
pub fn cut<'b>(mut bytes: &'b [u8], random: &mut Random) -> Vec<&'b [u8]> {
    let longest = [1, 2, 7, 64][random.below(4)];
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(random.below(longest + 1).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
