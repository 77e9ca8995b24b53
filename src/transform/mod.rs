//! Transforms: what the operator has changed in messages, on the wire, alike for JSON and native clients.
//!
//! ```text
//!    once, when a configuration is loaded           for each exchange, at its request's headers
//!
//!    rules: what the configuration says             source: which entries apply, and what
//!       |                                              |    headers and properties say
//!       v                                              v
//!    compile  ->  path: names to fields             Active
//!       |     ->  trie: the paths of a pass            |
//!       |     ->  annotated: options to fields         |  for each message
//!       v                                              v
//!    program: what to do in each message  ------->  apply: one pass over the bytes, with look_ahead
//!                                                      and mask
//! ```
//!
//! A message of an exchange passes through the programs of all entries that apply, in their order. Operations whose paths
//! don't meet share a pass; so most messages are read once.
//!
//! What is set here can't be got around by how a message is written: all records of the field go, of whatever wire type,
//! and those of the other members of its oneof; a message on the path that comes in several records becomes one, since
//! some parsers merge them and others take the last. A message of a gRPC client that services may read otherwise than it is
//! read here is refused (`one_reading`).

pub use self::active::{Active, Memory, MethodTransforms, Transforms};
pub use self::compile::Schema;
pub use self::error::{TransformError, TransformReason};
pub use self::rules::{Condition, Entry, Operation, PathText, RuleError, Source, Test};
pub use self::source::Properties;

mod active;
mod annotated;
mod any;
mod apply;
mod compile;
mod error;
mod look_ahead;
mod mask;
mod one_reading;
mod path;
mod program;
mod rules;
mod source;
#[cfg(test)]
mod tests;
mod trie;
