//! All that is wrong with something: the first problems in full, and of the others how many they are.

use std::fmt;

/// How many problems are kept in full. Whoever mends these sees the next ones.
pub const SHOWN: usize = 20;

/// Problems in the order in which they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems<E> {
    shown: Vec<E>,
    more: usize,
}

impl<E> Problems<E> {
    /// Adds a problem. It is made only if it is one of the first: what it says may cost a search for the name that was
    /// meant.
    pub fn add(&mut self, problem: impl FnOnce() -> E) {
        if self.shown.len() < SHOWN {
            self.shown.push(problem());
        } else {
            self.more += 1;
        }
    }

    /// Adds what `others` has, each first made what this one has.
    pub fn append<F>(&mut self, others: Problems<F>, into: impl Fn(F) -> E) {
        for other in others.shown {
            self.add(|| into(other));
        }
        self.more += others.more;
    }

    /// The first ones, at most [`SHOWN`].
    pub fn shown(&self) -> &[E] {
        &self.shown
    }

    /// How many there are besides [`Problems::shown`].
    pub fn more(&self) -> usize {
        self.more
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.shown.len() + self.more
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// `whole` if there are none.
    ///
    /// # Errors
    ///
    /// These problems.
    pub fn or<T>(self, whole: T) -> Result<T, Self> {
        match self.is_empty() {
            true => Ok(whole),
            false => Err(self),
        }
    }
}

impl<E> Default for Problems<E> {
    fn default() -> Self {
        Self {
            shown: Vec::new(),
            more: 0,
        }
    }
}

impl<E> From<E> for Problems<E> {
    fn from(problem: E) -> Self {
        Self {
            shown: vec![problem],
            more: 0,
        }
    }
}

/// A line for each, and one that says how many more there are.
impl<E: fmt::Display> fmt::Display for Problems<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.shown.iter().enumerate() {
            let line_break = if at > 0 { "\n" } else { "" };
            write!(f, "{line_break}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            1 => f.write_str("\nand 1 more problem"),
            more => write!(f, "\nand {more} more problems"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Problems<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_problems_are_made_and_the_others_counted() {
        let mut made = 0;
        let mut problems = Problems::default();
        for at in 0..SHOWN + 5 {
            problems.add(|| {
                made += 1;
                at
            });
        }
        assert_eq!((made, problems.shown().len(), problems.more()), (SHOWN, SHOWN, 5));
        let mut all = Problems::from("first".to_owned());
        all.append(problems, |at| at.to_string());
        assert_eq!((all.shown().len(), all.more(), all.count()), (SHOWN, 6, SHOWN + 6));
        assert_eq!(all.shown().first().map(String::as_str), Some("first"));
        assert_eq!(all.shown().last().map(String::as_str), Some("18"));
        let text = all.to_string();
        assert!(
            text.starts_with("first\n0\n1\n") && text.ends_with("\n18\nand 6 more problems"),
            "{text}"
        );
    }
}
