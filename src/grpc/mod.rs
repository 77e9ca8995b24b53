//! What surrounds a message in gRPC: frames, compression, status and details, metadata, timeouts.
//!
//! - [`frame`]: length-prefixed messages, and the trailers frame of gRPC-Web.
//! - [`compression`]: messages that were compressed.
//! - [`connect`]: the Connect protocol, which a host's filter translates.
//! - [`code`]: the status codes, and their tables to and from HTTP.
//! - [`status`]: the outcome of a call, read from its trailing metadata.
//! - [`host_status`]: the outcome of a call, as the host reports it. It alone knows a host: what Envoy adds to
//!   messages.
//! - [`error_body`]: a status as the JSON body of an HTTP response.
//! - [`metadata`]: which headers are metadata, and which metadata are headers.
//! - [`timeout`]: the `grpc-timeout` header.
//!
//! Nothing here knows a message type of the schema.
//!
//! Sources: gRPC's `doc/PROTOCOL-HTTP2.md`, `doc/PROTOCOL-WEB.md`, `doc/compression.md`, `doc/statuscodes.md` and
//! `doc/http-grpc-status-mapping.md`; `google/rpc/code.proto`, `status.proto` and `error_details.proto`; AIP-193.

pub mod code;
pub mod compression;
pub mod connect;
pub mod error_body;
pub mod frame;
pub mod host_status;
pub mod metadata;
pub mod status;
pub mod timeout;

pub use code::Code;
pub use error_body::ErrorFormat;
pub use status::{BadStatus, Status};
