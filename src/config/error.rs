//! Why a configuration cannot be used.

use std::fmt;

/// Why a configuration cannot be used. Printed as `configuration: KEY: MESSAGE`.
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
