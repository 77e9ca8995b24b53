//! The response: what the host says of it, and how its headers are replaced.

use super::headers::{OWN_RESPONSE_HEADERS, reply_edits, without};
use crate::exchange::Reply;
use crate::filter::abi::{self, HostStatus, Map};
use crate::http::headers::Headers;

/// Trailers that make up the status, and the properties that they are here.
const TRAILERS: [(&str, &str); 3] = [
    ("grpc-status", "upstream_trailer_grpc_status"),
    ("grpc-message", "upstream_trailer_grpc_message"),
    ("grpc-status-details-bin", "upstream_trailer_grpc_status_details_bin"),
];

/// The status of an answer that has nothing but headers, as properties, where `grpc_hide_header` keeps them out of these.
const HIDDEN_HEADERS: [(&str, &str); 3] = [
    ("grpc-status", "upstream_http_grpc_status"),
    ("grpc-message", "upstream_http_grpc_message"),
    ("grpc-status-details-bin", "upstream_http_grpc_status_details_bin"),
];

/// The response's `content-type` as it went out; the header is shown only where headers come.
pub const CONTENT_TYPE_SENT: &[&str] = &["ngx", "sent_http_content_type"];

/// What becomes of the response's body.
pub enum Response {
    /// Its headers have not come.
    Awaited,
    /// It is left alone.
    Passes,
    /// It becomes the client's, part by part.
    Flows,
    /// This takes its place.
    Replaced(Vec<u8>),
    /// The last of it has been written.
    Ended,
}

/// The trailers of the response, as far as the status needs them.
pub fn trailers() -> Headers {
    let mut trailers = Headers::default();
    push_properties(&TRAILERS, &mut trailers);
    trailers
}

/// The response's headers without nginx's own, and with the status of an answer that has nothing but headers.
pub fn shown_headers(headers: &Headers) -> Headers {
    let mut shown = without(headers, &OWN_RESPONSE_HEADERS);
    if shown.get("grpc-status").is_none() {
        push_properties(&HIDDEN_HEADERS, &mut shown);
    }
    shown
}

/// Adds the headers that are there as properties. Without the first of them there are none, and the others say why it isn't
/// a success.
fn push_properties(properties: &[(&str, &str)], headers: &mut Headers) {
    for (name, property) in properties {
        match abi::property(&["ngx", property]) {
            Ok(value) if value == b"0" && *name == "grpc-status" => return headers.push(name.as_bytes(), &value),
            Ok(value) if !value.is_empty() => headers.push(name.as_bytes(), &value),
            _ if *name == "grpc-status" => return,
            _ => {}
        }
    }
}

/// Makes response headers those of `reply`, whose other fields are among them already.
pub fn replace_headers(headers: &Headers, reply: &Reply) -> Result<(), HostStatus> {
    abi::edit_headers(Map::ResponseHeaders, &reply_edits(headers, reply))
}
