//! Refusals for gRPC clients.

use crate::grpc::Code;

/// The gRPC codes in the place of the HTTP statuses with which a hook answers itself.
///
/// This is the table of `google/rpc/code.proto` read backwards, so that gRPC and HTTP clients are told the same. A
/// status that isn't there has the code that comes closest. gRPC's table for plain HTTP
/// (`doc/http-grpc-status-mapping.md`) isn't used, except for 502: it is for answers of proxies, not for those that
/// somebody chose.
pub const CODES: [(u16, Code); 19] = [
    (400, Code::InvalidArgument),
    (401, Code::Unauthenticated),
    (403, Code::PermissionDenied),
    (404, Code::NotFound),
    (405, Code::Unimplemented),
    (408, Code::DeadlineExceeded),
    (409, Code::Aborted),
    (410, Code::NotFound),
    (412, Code::FailedPrecondition),
    (413, Code::ResourceExhausted),
    (416, Code::OutOfRange),
    (428, Code::FailedPrecondition),
    (429, Code::ResourceExhausted),
    (499, Code::Cancelled),
    (500, Code::Internal),
    (501, Code::Unimplemented),
    (502, Code::Unavailable),
    (503, Code::Unavailable),
    (504, Code::DeadlineExceeded),
];

/// The gRPC code in the place of the HTTP status with which a hook answers itself. It is never OK: the method hasn't
/// been called.
///
/// A status that isn't among [`CODES`] counts as the first of its hundred (RFC 9110, section 15); of a success or a
/// redirection nothing is known in gRPC.
pub fn refusal_code(http_status: u16) -> Code {
    let of = |status: u16| CODES.iter().find(|(known, _)| *known == status);
    of(http_status)
        .or_else(|| of(http_status / 100 * 100))
        .map_or(Code::Unknown, |(_, code)| *code)
}
