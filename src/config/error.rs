//! Why a configuration cannot be used: all that is wrong with it.

use std::fmt;

use crate::text::problems::Problems;

/// One thing that is wrong with a configuration. Printed as `configuration: KEY: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the key at fault, such as `http_rules[2].body`; empty for the configuration as a whole.
    pub key: String,
    /// What was found and what was expected.
    pub message: String,
}

impl ConfigError {
    /// The error of `key`, which may be empty. `message` says what was expected and what was found.
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration: ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// All that is wrong with a configuration, at least one thing. Printed with a line for each, and one that counts those
/// over the bound of [`Problems`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Problems<ConfigError>);

impl ConfigErrors {
    /// The first ones, as many as [`Problems`] keeps.
    pub fn shown(&self) -> &[ConfigError] {
        self.0.shown()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// The first error, and how many others there are: for the clients of a gateway that runs without a configuration.
    pub fn summary(&self) -> String {
        let first = self.shown().first().map(ConfigError::to_string).unwrap_or_default();
        match self.count().saturating_sub(1) {
            0 => first,
            1 => format!("{first} (1 more problem is in the log)"),
            more => format!("{first} ({more} more problems are in the log)"),
        }
    }
}

impl From<Problems<ConfigError>> for ConfigErrors {
    fn from(problems: Problems<ConfigError>) -> Self {
        Self(problems)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ConfigErrors {}
