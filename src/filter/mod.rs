//! The host's side: proxy-wasm callbacks become events of an [`Exchange`](crate::exchange::Exchange), its steps become
//! host calls. Nothing else names proxy-wasm.
//!
//! - `root`: the root context, with one plugin configuration, which makes a context for each exchange.
//! - [`abi`]: host calls that answer instead of panicking. `traffic`: the bytes that they move. [`pairs`]: the form of
//!   a header map. `exports`: what the host calls, where the SDK's own functions don't suffice.
//! - `host_profile`: which host this is. What is special to each is in [`envoy`] and [`wasmx`].
//! - `shared`: what all exchanges of a configuration share. `observe`: metrics, access logs, log lines.
//! - `wrapped`: a context around another.
//!
//! Functions that make no host call (they read or write the host's formats) are compiled natively too, for tests.

#[cfg(target_arch = "wasm32")]
mod abi;
mod envoy;
#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(target_arch = "wasm32")]
mod host_profile;
#[cfg(target_arch = "wasm32")]
mod observe;
mod pairs;
#[cfg(target_arch = "wasm32")]
mod root;
#[cfg(target_arch = "wasm32")]
mod shared;
#[cfg(target_arch = "wasm32")]
mod traffic;
mod wasmx;
#[cfg(target_arch = "wasm32")]
mod wrapped;

#[cfg(target_arch = "wasm32")]
pub use root::start;
