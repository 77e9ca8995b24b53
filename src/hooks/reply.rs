//! Answers in place of the service's: refusals in Tyk's template, and bodies that a hook gives as they are.

use super::failure::NOT_AUTHORISED;
use super::message::Overrides;
use super::names::{is_gateways_own, is_header};
use super::pairs::last_of_each;
use super::sniff::add_content_type;
use super::state::CurrentRequest;
use crate::http::headers::Headers;
use crate::http::media_type::JSON;
use crate::http::status::is_without_content;
use crate::text::shown::{NAME, beginning};

/// A whole HTTP response in place of the service's.
#[derive(Clone, Debug, Default)]
pub struct HookReply {
    /// The HTTP status, from 200 to 599.
    pub status: u16,
    /// All header fields but `:status` and `content-length`, names in lower case.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// What a gRPC client is told instead of the body.
    pub message: String,
}

impl HookReply {
    /// An error in Tyk's template.
    pub(super) fn error(status: u16, message: &str, request: &CurrentRequest) -> Self {
        Self::from_template(status, message, Headers::default(), request)
    }

    /// The answer that `overrides` give; `None`: the request goes on. The code must be 0, below 0, or a status.
    pub(super) fn overriding(overrides: &Overrides<'_>, request: &CurrentRequest) -> Option<Self> {
        let status = u16::try_from(overrides.code).ok().filter(|status| *status > 0)?;
        let mut headers = Headers::default();
        let given = overrides.headers.iter();
        let given = given.map(|(name, value)| (name.to_ascii_lowercase().into(), value.trim_ascii().into()));
        for (name, value) in last_of_each(given.collect()) {
            if is_header(&name, &value) && !is_gateways_own(&name) {
                headers.push(&name, &value);
            }
        }
        let body = match overrides.error {
            "" => overrides.body,
            error => error,
        };
        if status >= 400 && !overrides.override_error {
            let message = if body.is_empty() { NOT_AUTHORISED } else { body };
            return Some(Self::from_template(status, message, headers, request));
        }
        if has_body(status) {
            add_content_type(body.as_bytes(), &mut headers);
        }
        Some(Self {
            status,
            headers,
            body: body.as_bytes().to_vec(),
            message: beginning(body, NAME).0.to_owned(),
        })
    }

    fn from_template(status: u16, message: &str, given: Headers, request: &CurrentRequest) -> Self {
        let asked = request.headers().get("content-type").unwrap_or_default();
        let asked = asked.split(|byte| *byte == b';').next().unwrap_or_default();
        let xml = XML.into_iter().find(|media_type| *media_type == asked);
        let mut body = Vec::with_capacity(message.len() + 64);
        match xml {
            Some(_) => {
                body.extend_from_slice(b"<?xml version = \"1.0\" encoding=\"UTF-8\"?>\n<error>");
                escape_xml(message, &mut body);
                body.extend_from_slice(b"</error>\n");
            }
            None => {
                body.extend_from_slice(b"{\n    \"error\": \"");
                escape_json(message, &mut body);
                body.extend_from_slice(b"\"\n}");
            }
        }
        let mut headers = Headers::default();
        for (name, value) in given.iter().filter(|(name, _)| *name != b"content-type") {
            headers.push(name, value);
        }
        headers.push(b"content-type", xml.unwrap_or(JSON));
        headers.push(b"x-generator", b"tyk.io");
        Self {
            status,
            headers,
            body,
            message: beginning(message, NAME).0.to_owned(),
        }
    }

    /// The reply as the client gets it: without a body if the request is a HEAD, or the status has none.
    pub(super) fn to(mut self, is_head: bool) -> Self {
        if is_head || !has_body(self.status) {
            self.body.clear();
        }
        self
    }
}

/// The types of requests whose errors are XML.
const XML: [&[u8]; 3] = [b"application/soap+xml", b"application/xml", b"text/xml"];

/// Whether a response with this status has a body.
pub(super) fn has_body(status: u16) -> bool {
    !is_without_content(status) && status != 304
}

/// As Tyk escapes what it puts into its template: what JSON asks for and no more.
fn escape_json(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..b' ' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.push(byte),
        }
    }
}

/// As Go's `template.HTMLEscapeString` has it.
fn escape_xml(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            byte => out.push(byte),
        }
    }
}
