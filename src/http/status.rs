//! HTTP statuses that say something of the body.

/// The status of a success that has nothing to show, and must not even have a content-length.
pub const NO_CONTENT: u16 = 204;

/// Whether an answer with this status has no body: 204, and 205 (RFC 9110, sections 15.3.5 and 15.3.6).
pub fn is_without_content(http_status: u16) -> bool {
    matches!(http_status, NO_CONTENT | 205)
}
