//! The `coprocess.Object` that a hook gets.

use std::borrow::Cow;

use super::caller::Caller;
use super::names::append_canonical;
use super::pairs::{Pairs, first_of_each, lossy, owned_lossy, sort};
use super::query;
use super::session::Session;
use super::settings::{Hook, Kind, Settings};
use super::state::{CurrentRequest, CurrentResponse};
use super::write::{write_bytes, write_entry, write_header, write_number, write_text_entry};
use crate::grpc::metadata::is_connection_header;
use crate::wire::{record_length, write_record, write_record_head};

/// What a hook gets, beside the response.
pub(super) struct Sent<'s> {
    pub hook: &'s Hook,
    pub settings: &'s Settings,
    pub caller: &'s Caller,
    pub request: &'s CurrentRequest,
    /// The target as the client sent it.
    pub request_uri: &'s [u8],
    /// What `CustomKeyCheck` has answered with.
    pub session: Option<&'s Session>,
}

impl Sent<'_> {
    /// Appends the object to `out`. `scratch` is memory to reuse. A body is copied once, or twice if it is text: the
    /// object has it in two fields then.
    pub fn write(&self, response: Option<&CurrentResponse>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        write_number(1, self.hook.kind.number(), out);
        write_bytes(2, self.hook.name.as_bytes(), out);
        scratch.clear();
        self.write_request_head(scratch);
        let body = Body::new(self.request.body(), self.hook);
        body.write(3, BodyFields { text: 4, raw: 14 }, scratch, out);
        if let Some(session) = self.session {
            write_record(4, session.wire(), out);
            for (name, value) in session.metadata() {
                write_entry(5, name, value, out);
            }
        } else if self.hook.kind == Kind::Response {
            write_record(4, b"", out);
        }
        self.write_spec(out);
        if let Some(response) = response {
            scratch.clear();
            write_response_head(response, scratch);
            let body = Body::new(&response.body, self.hook);
            body.write(7, BodyFields { text: 3, raw: 2 }, scratch, out);
        }
    }

    /// The request without its body.
    fn write_request_head(&self, out: &mut Vec<u8>) {
        let headers = self.request.headers();
        let for_response = self.hook.kind == Kind::Response;
        let host = headers.get(":authority").or_else(|| headers.get("host"));
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            write_text_entry(1, b"Host", host, out);
        }
        let seen = headers
            .iter()
            .filter(|(name, _)| !matches!(*name, b"host" | b"transfer-encoding") && !name.starts_with(b":"))
            .filter(|(name, _)| !for_response || !is_connection_header(name));
        let seen = seen.map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)));
        let mut pairs = Pairs::with_capacity(headers.len());
        pairs.extend(seen);
        for (name, value) in first_of_each(pairs) {
            write_header(1, &name, &lossy(&value), out);
        }
        write_bytes(5, &self.url(), out);
        for (name, value) in first_of_each(query::parse(self.request.query())) {
            write_text_entry(6, &name, &value, out);
        }
        write_record(10, NO_OVERRIDE, out);
        write_bytes(11, &lossy(self.request.method()), out);
        write_bytes(12, &lossy(self.request_uri), out);
        write_bytes(13, self.scheme().as_bytes(), out);
    }

    /// Path and query as they stand; for response hooks the absolute URL.
    fn url(&self) -> Cow<'_, [u8]> {
        let target = lossy(self.request.target());
        if self.hook.kind != Kind::Response {
            return target;
        }
        let authority = lossy(self.request.headers().get(":authority").unwrap_or_default());
        Cow::Owned([self.scheme().as_bytes(), b"://", &authority, &target].concat())
    }

    fn scheme(&self) -> &'static str {
        match self.caller.tls {
            true => "https",
            false => "http",
        }
    }

    fn write_spec(&self, out: &mut Vec<u8>) {
        let Settings {
            org_id,
            api_id,
            config_data,
            ..
        } = self.settings;
        write_entry(6, b"OrgID", org_id.as_bytes(), out);
        write_entry(6, b"APIID", api_id.as_bytes(), out);
        write_entry(6, b"bundle_hash", NO_BUNDLE, out);
        if let Some(config_data) = config_data {
            write_entry(6, b"config_data", config_data.as_bytes(), out);
        }
        for (name, value) in self.caller.spec() {
            write_text_entry(6, name.as_bytes(), value, out);
        }
    }
}

/// `ReturnOverrides` whose code is -1, of which a varint has ten bytes.
const NO_OVERRIDE: &[u8] = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";

/// The MD5 of an empty name, in hexadecimal: there are no bundles here.
const NO_BUNDLE: &[u8] = b"d41d8cd98f00b204e9800998ecf8427e";

/// The response without its body.
fn write_response_head(response: &CurrentResponse, out: &mut Vec<u8>) {
    write_number(1, response.status.into(), out);
    for (name, value) in first_values(response.headers.iter()) {
        write_entry(4, &name, &value, out);
    }
    let mut all = canonical(response.headers.iter());
    sort(&mut all);
    for values in all.chunk_by(|(one, _), (other, _)| one == other) {
        let mut header = Vec::new();
        for (at, (name, value)) in values.iter().enumerate() {
            if at == 0 {
                write_record(1, name, &mut header);
            }
            write_record(2, value, &mut header);
        }
        write_record(5, &header, out);
    }
}

/// The first value of each header, by canonical names in their order, as text.
pub(super) fn first_values<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Pairs<'h> {
    first_of_each(canonical(headers))
}

/// Headers by their canonical names, as text.
fn canonical<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Pairs<'h> {
    let canonical = headers.map(|(name, value)| {
        let mut canonical = Vec::new();
        append_canonical(name, &mut canonical);
        (Cow::Owned(owned_lossy(canonical)), lossy(value))
    });
    canonical.collect()
}

/// A body, as bytes and, where it is text and the hook wants that, as such.
struct Body<'b> {
    raw: &'b [u8],
    text: &'b [u8],
}

/// The numbers of its two fields.
struct BodyFields {
    text: u32,
    raw: u32,
}

impl<'b> Body<'b> {
    fn new(raw: &'b [u8], hook: &Hook) -> Self {
        let is_text = !hook.raw_body_only && std::str::from_utf8(raw).is_ok();
        Self {
            raw,
            text: if is_text { raw } else { b"" },
        }
    }

    /// Appends the message `number` that is `head` with this body behind it.
    fn write(&self, number: u32, fields: BodyFields, head: &[u8], out: &mut Vec<u8>) {
        let length = |body: &[u8]| match body.len() {
            0 => 0,
            length => record_length(length),
        };
        let whole = head.len() + length(self.text) + length(self.raw);
        out.reserve(whole);
        write_record_head(number, whole, out);
        out.extend_from_slice(head);
        write_bytes(fields.text, self.text, out);
        write_bytes(fields.raw, self.raw, out);
    }
}
