//! The host's side: proxy-wasm callbacks become events of an [`Exchange`](crate::exchange::Exchange), its steps become
//! host calls. Nothing else names proxy-wasm.
//!
//! - This file: the root context, with one plugin configuration, which makes a context for each exchange.
//! - [`abi`]: host calls that answer instead of panicking. `traffic`: the bytes that they move. [`pairs`]: the form of a
//!   header map. `exports`: what the host calls, where the SDK's own functions don't suffice.
//! - `host_profile`: which host this is. Each has a room of its own: [`envoy`] and [`wasmx`].
//! - `shared`: what all exchanges share on any host. `observe`: what an operator sees of them.
//! - `wrapped`: a context around another.
//!
//! What needs no host, reading what it says and writing what it is told, is compiled natively for tests.

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
