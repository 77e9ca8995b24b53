//! Converts JSON requests to gRPC calls, and their answers back to JSON: a proxy-wasm module for Envoy and Kong.
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
//! The way of one request, and the module that does each step (docs/architecture.md has the same with more words):
//!
//! 1. [`config`] has loaded the plugin configuration before: `.proto` text or a descriptor set has become a [`schema`]
//!    (descriptors, then message tables), the `google.api.http` rules have become a router. Neither changes later.
//! 2. `filter` turns the host's callbacks into events and carries out the steps. No other module knows proxy-wasm.
//! 3. [`exchange`] is one HTTP exchange as a state machine without I/O: events in, steps out. Start at
//!    [`Exchange`](exchange::Exchange); its responses are decided in `exchange::in_place` and `exchange::by_call`.
//! 4. [`routing`] finds the method and binds path captures and query parameters.
//! 5. [`codec`] writes JSON as protobuf wire format and back, in one pass over the tables.
//! 6. [`transform`] changes fields of messages in wire format. [`hooks`] asks servers of Tyk's rich plugins about an
//!    exchange, and does what they answer.
//! 7. [`grpc`] knows what surrounds a message: frames, compression, status and details, metadata, timeouts.
//! 8. [`openapi`] makes the OpenAPI document, if the configuration asks for one.
//! 9. [`http`] knows header lists, media types, and many messages in one body. [`text`] and [`wire`] serve all others:
//!    text forms, and the wire format.
//!
//! Modules import only from those further right (`tests/floors.rs`): filter -> exchange -> config -> {routing,
//! transform, openapi, hooks} -> codec -> {schema, grpc, http} -> {wire, text}. Everything except the part of `filter`
//! that calls the host is compiled natively too, for tests and measurements.

// A panic in the module is an outage: it ends the virtual machine, with all requests that are in it. Tests panic when
// they fail, which clippy.toml allows those of this crate.
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
