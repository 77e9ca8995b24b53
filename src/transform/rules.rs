//! What the configuration says is to be changed; nothing of it has been looked up in the schema.

use std::fmt;

/// One of `transforms`: operations on the messages of some methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its key in the configuration: `transforms[2]`.
    pub key: String,
    /// The full name of a method, or a prefix that ends in `.*`; none for every served method.
    pub selector: Option<String>,
    /// Of which exchanges; none for all.
    pub when: Option<Condition>,
    /// What is done to each request message, in order.
    pub request: Vec<Operation>,
    /// What is done to each response message, in order.
    pub response: Vec<Operation>,
}

/// Which exchanges an entry is for, by a header of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The header's name, in lower case.
    pub header: Box<str>,
    /// What its values must be.
    pub test: Test,
}

/// What the values of a header must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// At least one is among these.
    Is(Vec<String>),
    /// At least one isn't among these, or there is none.
    Not(Vec<String>),
    /// There is one, or there is none.
    Present(bool),
}

/// A path of field names joined by dots, and the key that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathText {
    /// The key in the configuration: `transforms[2].request[0].set.field`.
    pub key: String,
    /// The path: `order.items.cost`.
    pub text: String,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Gives a singular field this value alone.
    Set {
        /// The field.
        field: PathText,
        /// The value.
        source: Source,
        /// Whether an exchange without the source is refused.
        required: bool,
    },
    /// Gives a singular field a value where it has none.
    Default {
        /// The field.
        field: PathText,
        /// Its value, in JSON.
        value: serde_json::Value,
    },
    /// Removes fields.
    Remove(Vec<PathText>),
    /// Removes all fields but these.
    Keep(Vec<PathText>),
    /// Hides a value but for its last characters or bytes.
    Mask {
        /// The field.
        field: PathText,
        /// How many characters or bytes are kept.
        keep_last: usize,
    },
    /// Removes every field that has a bool option, at any depth.
    RemoveAnnotated {
        /// The key in the configuration.
        key: String,
        /// The full name of an extension of `google.protobuf.FieldOptions`, or `debug_redact`.
        option: String,
    },
}

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// JSON of the field's type.
    Value(serde_json::Value),
    /// A header of the request, by its name in lower case.
    Header(Box<str>),
    /// A property of the host, by its path, whose segments are separated by zero bytes.
    Property(Box<str>),
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The key at fault.
    pub key: String,
    /// What was found and what was expected.
    pub message: String,
}

impl RuleError {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}
