//! What surrounds a message in gRPC: frames, status and details, metadata, timeouts.
//!
//! Sources: gRPC's `doc/PROTOCOL-HTTP2.md`, `doc/PROTOCOL-WEB.md`, `doc/statuscodes.md` and
//! `doc/http-grpc-status-mapping.md`; `google/rpc/code.proto`, `status.proto` and `error_details.proto`; AIP-193.
//! Names no host and knows no message type of the schema.

pub mod code;
pub mod error_body;
pub mod frame;
pub mod host_status;
pub mod metadata;
pub mod status;
pub mod timeout;

pub use code::Code;
pub use error_body::ErrorFormat;
pub use status::{BadStatus, Status};
