//! How a hook's call ended, read of the HTTP answer that it is (gRPC over HTTP/2, "Responses").

use super::failure::CallFailure;
use crate::grpc::Code;
use crate::grpc::frame::single;
use crate::http::headers::Headers;

/// What the end of an answer says: its trailers, or its headers where it has none.
///
/// # Errors
///
/// The call failed.
pub fn status(end: &Headers) -> Result<(), CallFailure> {
    let code = match end.get("grpc-status") {
        Some(b"0") => return Ok(()),
        Some(status) => std::str::from_utf8(status).ok().and_then(|status| status.parse().ok()),
        None => end
            .status()
            .map(|status| Code::from_http_status(status).number().into()),
    };
    // What the gateway says in the server's place, in gRPC as it was asked.
    let timed_out = |message: &[u8]| message.starts_with(b"upstream request timeout");
    Err(match code.unwrap_or(UNKNOWN) {
        4 | 14 if end.get("grpc-message").is_some_and(timed_out) => CallFailure::TimedOut,
        code => CallFailure::Status(code),
    })
}

/// The message that an answer's body holds.
///
/// # Errors
///
/// It holds none, or anything else.
pub fn message(body: &[u8]) -> Result<&[u8], CallFailure> {
    match body {
        [] => Err(CallFailure::NoMessage),
        body => single(body).ok_or(CallFailure::NotOneMessage),
    }
}

const UNKNOWN: u32 = 2;
