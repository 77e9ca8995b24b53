//! How long an answer may take.

use std::time::Duration;

/// The time for a unary answer where the configuration says nothing (`upstream.timeout`).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// After which time the gateway gives up on an answer that may take `timeout`: a little earlier than the upstream, which
/// is told all of it and may be the first to notice. Its own "cancelled" would then win over the deadline.
pub fn patience(timeout: Duration) -> Duration {
    timeout.saturating_sub((timeout / 16).min(Duration::from_millis(20)))
}

/// The same for a streamed answer in place: later than the upstream, which may still end the stream with its error, while
/// the gateway can only break it off.
pub fn patience_with_stream(timeout: Duration) -> Duration {
    timeout.saturating_add((timeout / 4).min(Duration::from_secs(1)))
}
