//! Headers as nginx shows them, and how those are changed that it does not keep for itself.

use crate::exchange::{NO_SNIFFING, Reply};
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

/// `edits` of the request headers for a body of `body_length` bytes, without those of headers that nginx has for itself.
pub fn request_edits(edits: &HeaderEdits, body_length: usize) -> HeaderEdits {
    let mut own = HeaderEdits::default();
    for name in edits.removed().filter(|name| !OWN_REQUEST_HEADERS.contains(name)) {
        own.remove(name);
    }
    for (name, value) in edits.sets().filter(|(name, _)| !OWN_REQUEST_HEADERS.contains(name)) {
        own.set(name, value);
    }
    for (name, value) in edits.adds() {
        own.add(name, value);
    }
    own.set(b"content-length", itoa::Buffer::new().format(body_length).as_bytes());
    own
}

/// What makes response headers those of `reply`, whose other fields are among them already.
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
        if name == b"content-type" || name == NO_SNIFFING.0 {
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
        edits.remove(b"x-name");
        edits.remove(b"connection");
        edits.set(b"te", b"trailers");
        edits.set(b":path", b"/p.S/M");
        edits.add(b"x-other", b"1");
        let own = request_edits(&edits, 12);
        assert_eq!(own.removed().collect::<Vec<_>>(), [b"x-name"]);
        let sets: Vec<_> = own.sets().collect();
        assert_eq!(sets, [(&b":path"[..], &b"/p.S/M"[..]), (b"content-length", b"12")]);
        assert_eq!(own.adds().collect::<Vec<_>>(), [(&b"x-other"[..], &b"1"[..])]);
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
