//! Names of headers that Envoy reads or writes itself.

/// The router's header for the time of a request whose headers go on before its body, in milliseconds: it runs from the
/// start, while the one of [`TIMEOUT_HEADER`](super::upstream::TIMEOUT_HEADER) begins when the request is complete,
/// which a stream may never be.
pub const DURATION_HEADER: &[u8] = b"x-envoy-upstream-stream-duration-ms";

/// The path before a filter changed it; Envoy's own access log formats print it.
pub const ORIGINAL_PATH_HEADER: &[u8] = b"x-envoy-original-path";
