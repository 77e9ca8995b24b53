//! JSON at the edge, gRPC behind it: a transcoder that runs inside Envoy and Kong as a proxy-wasm module.
//!
//! The way of one request, and the module that holds each step:
//!
//! 1. [`config`] reads the plugin configuration once: `.proto` text or a descriptor set becomes a [`schema`]
//!    (descriptors, then message tables), the `google.api.http` rules become a router. Nothing of it changes later.
//! 2. `filter` turns the host's callbacks into events. It alone knows proxy-wasm.
//! 3. [`exchange`] is one HTTP exchange as a state machine without I/O: events in, actions out.
//! 4. [`routing`] finds the method and binds path captures and query parameters.
//! 5. [`codec`] writes JSON as protobuf wire format and back, in one pass over the tables.
//! 6. [`grpc`] knows what surrounds a message: frames, status and details, metadata, timeouts.
//!
//! Dependencies point one way: filter -> exchange -> {routing, codec, grpc} -> schema, and config -> {schema, routing}.
//! All but `filter` compiles, is tested and is measured natively.

// A panic in the module is an outage: it ends the virtual machine, with all requests that are in it. Tests panic when they
// fail, which clippy.toml allows those of this crate.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod codec;
pub mod config;
pub mod exchange;
#[cfg(any(target_arch = "wasm32", test))]
mod filter;
pub mod grpc;
pub mod http;
pub mod routing;
pub mod schema;
pub mod text;
pub mod wire;

#[cfg(target_arch = "wasm32")]
mod entry_point {
    proxy_wasm::main! {{
        crate::filter::start();
    }}
}
