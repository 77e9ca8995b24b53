//! JSON at the edge, gRPC behind it: a transcoder that runs inside Envoy and Kong as a proxy-wasm module.
//!
//! ```text
//!    once, when a configuration is loaded             for each request
//!
//!    plugin configuration                             client: HTTP/JSON                    service: gRPC
//!            |                                             |      ^                            ^    |
//!            v                                             v      |  the host: Envoy, WasmX    |    v
//!    +----------------+                           +-------------------------------------------------------+
//!    | config         |                           | filter     callbacks -> events,   steps -> host calls |
//!    |  keys, checks  |                           +-------------------------------------------------------+
//!    +----------------+                              | events: headers, body, trailers       ^ steps: send,
//!      | .proto text,   | rules                      v                                       | answer, call …
//!      v descriptor set v                         +-------------------------------------------------------+
//!    +-----------+  +-----------+     Plugin      | exchange   one HTTP exchange, a state machine         |
//!    | schema    |  | routing   | --------------> |            without I/O                                |
//!    |  tables   |->|  routes   |  (settings,     +-------------------------------------------------------+
//!    +-----------+  +-----------+   tables,          | request                      ^ response
//!                                   router)          v                              |
//!                                      routing   path -> method; captures and query -> records
//!                                      codec     JSON -> wire format                wire format -> JSON
//!                                      grpc      frame, metadata, timeout           frame, status, details
//!                                      http      headers, elements of a stream      stream formats
//! ```
//!
//! The way of one request, and the module that holds each step:
//!
//! 1. [`config`] has read the plugin configuration: `.proto` text or a descriptor set has become a [`schema`] (descriptors,
//!    then message tables), the `google.api.http` rules a router. Nothing of it changes later.
//! 2. `filter` turns the host's callbacks into events and does what the steps say. It alone knows proxy-wasm.
//! 3. [`exchange`] is one HTTP exchange as a state machine without I/O: events in, steps out. Start at
//!    [`Exchange`](exchange::Exchange); its responses are decided in `exchange::in_place` and `exchange::by_call`.
//! 4. [`routing`] finds the method and binds path captures and query parameters.
//! 5. [`codec`] writes JSON as protobuf wire format and back, in one pass over the tables.
//! 6. [`hooks`] is what servers of Tyk's rich plugins are told of an exchange, and what their answers do to it.
//! 7. [`grpc`] knows what surrounds a message: frames, compression, status and details, metadata, timeouts.
//! 8. [`openapi`] describes it all to clients, where that is asked for.
//! 9. [`http`] knows header lists, media types, and many messages in one body; [`text`] and [`wire`] are the ground for all:
//!    text forms, and the wire format.
//!
//! Floors, none of which imports from one above it (`tests/floors.rs`): filter -> exchange -> config -> {routing, hooks} ->
//! codec -> {schema, grpc, http} -> {wire, text}. All but the part of `filter` that calls the host compiles, is tested and is
//! measured natively.

// A panic in the module is an outage: it ends the virtual machine, with all requests that are in it. Tests panic when they
// fail, which clippy.toml allows those of this crate.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod codec;
pub mod config;
pub mod exchange;
#[cfg(any(target_arch = "wasm32", test))]
mod filter;
pub mod grpc;
pub mod hooks;
pub mod http;
pub mod openapi;
pub mod routing;
pub mod schema;
pub mod text;
pub mod transform;
pub mod wire;

#[cfg(target_arch = "wasm32")]
mod entry_point {
    proxy_wasm::main! {{
        crate::filter::start();
    }}
}
