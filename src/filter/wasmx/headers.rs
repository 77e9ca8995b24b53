//! Headers as nginx shows them, and how those are changed that it does not keep for itself.

use crate::exchange::{NO_SNIFFING, Reply};
use crate::grpc::metadata::is_metadata_name;
use crate::http::headers::{HeaderEdits, Headers};

/// Request headers that nginx replaces or drops by itself, and reads for its own purposes.
const OWN_REQUEST_HEADERS: [&[u8]; 8] = [
    b"connection",
    b"content-length",
    b"expect",
    b"host",
    b"keep-alive",
    b"te",
    b"transfer-encoding",
    b"upgrade",
];

/// A list that may be in several fields, and that a gRPC server doesn't read: what is left of it does no harm.
const ACCEPT_ENCODING: &[u8] = b"accept-encoding";

/// Response headers that nginx only writes later, and shows all the same.
pub const OWN_RESPONSE_HEADERS: [&[u8]; 3] = [b"connection", b"keep-alive", b"transfer-encoding"];

/// `headers` with names in lower case: HTTP/1.1's come as they were written.
pub fn in_lower_case(headers: &Headers) -> Headers {
    let mut lower = Headers::default();
    for (name, value) in headers.iter() {
        lower.push(&name.to_ascii_lowercase(), value);
    }
    lower
}

/// `headers` without the fields of these names.
pub fn without(headers: &Headers, names: &[&[u8]]) -> Headers {
    let mut rest = Headers::default();
    for (name, value) in headers.iter().filter(|(name, _)| !names.contains(name)) {
        rest.push(name, value);
    }
    rest
}

/// The names of the fields in `headers` that are there more than once.
pub fn repeated(headers: &Headers) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    let mut repeated: Vec<_> = names
        .array_windows()
        .filter(|[first, second]| first == second)
        .map(|[first, _]| first.to_vec())
        .collect();
    repeated.dedup();
    repeated
}

/// `edits` of the request headers for a body of `body_length` bytes, without those of headers that nginx has for itself,
/// and with an empty value, or one that says as little, in place of a removal that nothing is added behind: WasmX only marks
/// what is removed, and the gRPC module of nginx, which doesn't look at the mark, sends it on with its value.
///
/// Source: `ngx_http_wasm_set_header_helper`, `ngx_http_grpc_create_request`.
///
/// # Errors
///
/// The name among those that are `repeated` of a header that should be changed: WasmX gives the first of its fields the
/// value, and no call reaches the others.
pub fn request_edits(edits: &HeaderEdits, body_length: usize, repeated: &[Vec<u8>]) -> Result<HeaderEdits, Vec<u8>> {
    let mut own = HeaderEdits::default();
    for (name, value) in edits.sets().filter(|(name, _)| !OWN_REQUEST_HEADERS.contains(name)) {
        own.set(name, value);
    }
    for name in edits.removed().filter(|name| !OWN_REQUEST_HEADERS.contains(name)) {
        if !is_metadata_name(name) {
            // nginx lets no such name come. WasmX would write it otherwise, and so add a header.
            own.remove(name);
        } else if edits.sets().all(|(set, _)| set != name) {
            let mut again = edits.adds().filter(|(added, _)| *added == name).map(|(_, value)| value);
            own.set(name, again.next().unwrap_or_else(|| in_place_of_removal(name)));
            again.for_each(|value| own.add(name, value));
        }
    }
    let beyond_reach = |name: &&[u8]| *name != ACCEPT_ENCODING && repeated.iter().any(|repeated| repeated == name);
    if let Some(name) = own.sets().map(|(name, _)| name).find(beyond_reach) {
        return Err(name.to_vec());
    }
    own.set(b"content-length", itoa::Buffer::new().format(body_length).as_bytes());
    Ok(own)
}

/// What a header is given that can't be removed: nothing, but where servers read a number or the name of an encoding.
///
/// `grpc-timeout`, of which nothing is too little as well, is never among them: there is always one to set.
fn in_place_of_removal(name: &[u8]) -> &'static [u8] {
    match name {
        b"grpc-encoding" | b"grpc-accept-encoding" | b"grpc-internal-encoding-request" => b"identity",
        b"grpc-status" | b"grpc-previous-rpc-attempts" | b"grpc-retry-pushback-ms" => b"0",
        _ => b"",
    }
}

/// What makes response headers those of `reply`, most of whose fields are among them already.
pub fn reply_edits(headers: &Headers, reply: &Reply) -> HeaderEdits {
    let mut edits = HeaderEdits::default();
    for (name, value) in headers.iter() {
        let kept = name.first() == Some(&b':')
            || OWN_RESPONSE_HEADERS.contains(&name)
            || name == b"content-type"
            || name == NO_SNIFFING.0
            // With its value: of two under one name, one may be none that goes to a client.
            || reply.headers.iter().any(|field| field == (name, value));
        if !kept {
            edits.remove(name);
        }
    }
    edits.set(b":status", itoa::Buffer::new().format(reply.status).as_bytes());
    for (name, value) in reply.headers.iter() {
        if name == b"content-type" || name == NO_SNIFFING.0 || !headers.iter().any(|field| field == (name, value)) {
            edits.set(name, value);
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    #[test]
    fn names_come_in_lower_case_and_without_nginxs_own() {
        let shown = in_lower_case(&headers(&[("Connection", "close"), ("X-Name", "Value")]));
        let rest = without(&shown, &OWN_RESPONSE_HEADERS);
        assert_eq!(rest.iter().collect::<Vec<_>>(), [(&b"x-name"[..], &b"Value"[..])]);
    }

    #[test]
    fn what_nginx_has_for_itself_is_left_to_it() {
        let mut edits = HeaderEdits::default();
        edits.remove(b"connection");
        edits.set(b"te", b"trailers");
        edits.set(b":path", b"/p.S/M");
        edits.remove(b"no name");
        let own = request_edits(&edits, 12, &[b"connection".to_vec(), b"te".to_vec()]).unwrap();
        assert_eq!(own.removed().collect::<Vec<_>>(), [b"no name"]);
        let sets: Vec<_> = own.sets().collect();
        assert_eq!(sets, [(&b":path"[..], &b"/p.S/M"[..]), (b"content-length", b"12")]);
    }

    #[test]
    fn what_would_be_removed_says_nothing_instead() {
        let table = [
            ("proxy-authorization", ""),
            ("content-encoding", ""),
            ("x-data-bin", ""),
            ("grpc-message", ""),
            ("grpc-status-details-bin", ""),
            ("grpc-anything", ""),
            ("grpc-encoding", "identity"),
            ("grpc-accept-encoding", "identity"),
            ("grpc-status", "0"),
            ("grpc-previous-rpc-attempts", "0"),
            ("grpc-retry-pushback-ms", "0"),
            // It is set.
            ("grpc-timeout", "15S"),
        ];
        for (name, value) in table {
            let mut edits = HeaderEdits::default();
            edits.remove(name.as_bytes());
            edits.set(b"grpc-timeout", b"15S");
            let own = request_edits(&edits, 0, &[]).unwrap();
            assert_eq!(own.removed().count(), 0, "{name}");
            let values: Vec<_> = own.sets().filter(|(set, _)| *set == name.as_bytes()).collect();
            assert_eq!(values, [(name.as_bytes(), value.as_bytes())]);
        }
    }

    #[test]
    fn what_is_repeated_cannot_be_changed() {
        let shown = headers(&[
            ("grpc-timeout", "1S"),
            ("x-name", "1"),
            ("accept-encoding", "gzip"),
            ("x-once", "1"),
            ("x-name", "2"),
            ("accept-encoding", "br"),
            ("grpc-timeout", "2S"),
            ("x-name", "3"),
        ]);
        let repeated = repeated(&shown);
        assert_eq!(repeated, [&b"accept-encoding"[..], b"grpc-timeout", b"x-name"]);
        let table = [
            ("x-once", "x-once", true),
            ("x-name", "x-once", false),
            ("x-once", "x-name", false),
            ("grpc-timeout", "grpc-timeout", false),
            ("accept-encoding", "x-once", true),
        ];
        for (removed, set, possible) in table {
            let mut edits = HeaderEdits::default();
            edits.remove(removed.as_bytes());
            edits.set(set.as_bytes(), b"1");
            let own = request_edits(&edits, 0, &repeated);
            assert_eq!(own.is_ok(), possible, "{removed} {set}");
        }
    }

    #[test]
    fn a_reply_keeps_of_the_headers_those_that_it_has() {
        let shown = headers(&[
            (":status", "200"),
            ("connection", "close"),
            ("content-type", "application/grpc"),
            ("grpc-status", "5"),
            ("x-name", "kept"),
            ("x-name", "not"),
        ]);
        let reply = Reply {
            status: 404,
            headers: headers(&[("x-name", "kept"), ("content-type", "application/json")]),
            body: Vec::new(),
        };
        let edits = reply_edits(&shown, &reply);
        assert_eq!(edits.removed().collect::<Vec<_>>(), [&b"grpc-status"[..], b"x-name"]);
        let sets: Vec<_> = edits.sets().collect();
        assert_eq!(
            sets,
            [(&b":status"[..], &b"404"[..]), (b"content-type", b"application/json")]
        );
    }
}
