//! Hooks: plugin servers that were written for Tyk are asked about requests and responses. They need no change: they
//! get what Tyk sends, and their answers have the effect that they have in Tyk.
//!
//! Nothing here makes a call or knows a host. [`Hooks`] is what a configuration says. For each request that meets hooks
//! it gives a [`Chain`](settings::Chain). An exchange makes a [`Course`] of that: it says which call is next, and is
//! told how it ended.
//!
//! ```text
//!  headers and body          method found                          response
//!        |                        |                                    |
//!   CurrentRequest ---------------+--------------------------> CurrentResponse
//!        |                        |                                    |
//!  Course::next(Admission)   next(Sending)                     next_of_response
//!     Pre*, CustomKeyCheck,     Post*                              Response*
//!     PostKeyAuth*, checks
//! ```
//!
//! - [`settings`]: which hooks there are, and for which paths.
//! - [`course`]: one exchange's way through them.
//! - [`state`]: request and response as they stand between two hooks. [`caller`]: what the gateway knows beside them.
//! - `sent`, `write`: the object that a hook gets. `message`: what is read of the one that it answers with.
//! - `answer`, `target`, `query`: what a request hook's answer does. `response`: what a response hook's does.
//! - `session`: who the client is, as the hook that checks keys says.
//! - [`reply`]: answers in place of the service's. `sniff`: the types of bodies that nobody names. [`native`]: refusals
//!   for gRPC clients. [`failure`]: failed calls.
//! - `names`: header names. `pairs`: names and values.
//!
//! Source: the code of Tyk's gateway, and `proto-fixtures/coprocess/coprocess.proto` for what is on the wire.

mod answer;
pub mod caller;
pub mod course;
pub mod failure;
mod message;
mod names;
pub mod native;
mod pairs;
mod query;
pub mod reply;
mod response;
mod sent;
mod session;
pub mod settings;
mod sniff;
pub mod state;
mod target;
#[cfg(test)]
mod tests;
mod write;

pub use caller::Caller;
pub use course::{Course, HookCall, METHOD, Memory, Next, Outcome, SERVICE, Stage, Verdict};
pub use failure::CallFailure;
pub use reply::HookReply;
pub use settings::Hooks;
pub use state::{CurrentRequest, CurrentResponse};
