//! Header names: as Go spells them, and which of them a hook has no say in.

use crate::grpc::metadata::{is_connection_header, is_header_value};

/// Appends a name as Go's `textproto.CanonicalMIMEHeaderKey` spells it: a capital at its beginning and after each
/// hyphen, else small letters; as it is where it is no name.
pub fn append_canonical(name: &[u8], out: &mut Vec<u8>) {
    if !is_token(name) {
        out.extend_from_slice(name);
        return;
    }
    let mut starts = true;
    for byte in name {
        out.push(match starts {
            true => byte.to_ascii_uppercase(),
            false => byte.to_ascii_lowercase(),
        });
        starts = *byte == b'-';
    }
}

/// Whether the gateway alone decides on a header: pseudo-headers, the host, what belongs to the connection, and the
/// length of the body. `name` is in lower case.
pub fn is_gateways_own(name: &[u8]) -> bool {
    matches!(name, b"" | b"host" | b"content-length" | [b':', ..]) || is_connection_header(name)
}

/// Whether this is a token (RFC 9110, section 5.6.2), which methods and names of headers are.
pub fn is_token(text: &[u8]) -> bool {
    let of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(of_token)
}

/// Whether HTTP can carry a header.
pub fn is_header(name: &[u8], value: &[u8]) -> bool {
    is_token(name) && is_header_value(value)
}
