//! What HTTP says around a message: header lists, media types, statuses, and many messages in one body.

pub mod elements;
pub mod headers;
pub mod media_type;
pub mod status;
pub mod stream_format;
