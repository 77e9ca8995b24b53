//! Envoy, and what behaves like it.
//!
//! - `context`: one exchange. `steps`: what a step asks for, done. `body`: what may be done to a body, and when.
//! - `shared`: what all exchanges of one plugin configuration share here: whether headers are held (`hold`), answers
//!   that wait for their status (`held`), answers that wait to go out (`replies`), and the timer for all (`ticker`).
//! - `hooks`: the calls of hooks. `call`: a gRPC call in the request's place. [`upstream`]: the form in which Envoy
//!   takes its target and metadata.
//! - [`local_reply`]: answers that Envoy made up.
//! - `names`: Envoy's own header names.
//!
//! Sources: Envoy's documentation of attributes, of the router's headers and of `config.core.v3.GrpcService`.

#[cfg(target_arch = "wasm32")]
mod body;
#[cfg(target_arch = "wasm32")]
mod call;
#[cfg(target_arch = "wasm32")]
pub mod context;
#[cfg(target_arch = "wasm32")]
mod held;
#[cfg(target_arch = "wasm32")]
mod hold;
#[cfg(target_arch = "wasm32")]
mod hooks;
mod local_reply;
#[cfg(target_arch = "wasm32")]
mod names;
#[cfg(target_arch = "wasm32")]
mod replies;
#[cfg(target_arch = "wasm32")]
pub mod shared;
#[cfg(target_arch = "wasm32")]
mod steps;
#[cfg(target_arch = "wasm32")]
mod ticker;
mod upstream;
