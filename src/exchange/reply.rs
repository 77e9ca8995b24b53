//! Answers in place of the upstream's: where an outcome becomes an HTTP response.

use super::failure::Failure;
use crate::codec::WireToJson;
use crate::config::Plugin;
use crate::grpc::error_body::write_error;
use crate::grpc::status::encode_message;
use crate::grpc::{ErrorFormat, Status};
use crate::hooks::HookReply;
use crate::http::headers::Headers;
use crate::http::media_type::GrpcProtocol;
use crate::http::status::is_without_content;
use crate::openapi::{CACHE_CONTROL, Resource};

/// An error's body repeats what a client sent: it is what its content-type says, and nothing else.
pub const NO_SNIFFING: (&[u8], &[u8]) = (b"x-content-type-options", b"nosniff");

/// A whole HTTP response.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// All header fields but `:status` and `content-length`.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The error of an exchange that has no valid configuration, and so no format for errors: the default one.
    pub fn unconfigured(failure: &Failure) -> Self {
        let mut reply = Self::default();
        let (format, no_detail) = (ErrorFormat::default(), |_: &[u8], _: &mut Vec<u8>| false);
        reply.set_error_head(failure, format, std::iter::empty());
        write_error(&failure.status, failure.http_status, format, &mut reply.body, no_detail);
        reply
    }

    /// Makes this the answer to a request that failed. `metadata`: what of the upstream's the client gets.
    pub fn set_error<'m>(
        &mut self,
        plugin: &Plugin,
        failure: &Failure,
        metadata: impl Iterator<Item = (&'m [u8], &'m [u8])>,
        to_json: &mut WireToJson,
    ) {
        self.set_error_head(failure, plugin.settings.errors, metadata);
        failure.write_body(plugin, to_json, &mut self.body);
    }

    fn set_error_head<'m>(
        &mut self,
        failure: &Failure,
        format: ErrorFormat,
        metadata: impl Iterator<Item = (&'m [u8], &'m [u8])>,
    ) {
        self.clear(failure.http_status);
        let (no_sniffing, value) = NO_SNIFFING;
        for (name, value) in metadata.filter(|(name, _)| !name.eq_ignore_ascii_case(no_sniffing)) {
            self.headers.push(name, value);
        }
        self.headers.push(b"content-type", format.content_type());
        self.headers.push(no_sniffing, value);
        if let Some(allow) = &failure.allow {
            self.headers.push(b"allow", allow.as_bytes());
        }
    }

    /// Makes this the answer to a gRPC client whose call failed: headers alone, which are its trailers too
    /// (`doc/PROTOCOL-HTTP2.md`, "Trailers-Only"; gRPC-Web has the same).
    pub fn set_native_error(&mut self, failure: &Failure, protocol: GrpcProtocol) {
        self.clear(200);
        let Status { code, message, .. } = &failure.status;
        self.headers.push(b"content-type", protocol.content_type());
        self.headers.push(b"grpc-status", code.number().to_string().as_bytes());
        self.headers.push(b"grpc-message", encode_message(message).as_bytes());
    }

    /// Makes this what a hook answers with.
    pub fn set_hooks(&mut self, reply: HookReply) {
        self.status = reply.status;
        self.headers = reply.headers;
        self.body = reply.body;
    }

    /// Makes this a success with the contents of `body`, for which it gives other memory.
    pub fn set_success<'m>(
        &mut self,
        http_status: u16,
        content_type: &[u8],
        metadata: impl Iterator<Item = (&'m [u8], &'m [u8])>,
        body: &mut Vec<u8>,
    ) {
        self.clear(http_status);
        for (name, value) in metadata {
            self.headers.push(name, value);
        }
        if !is_without_content(http_status) {
            self.headers.push(b"content-type", content_type);
        }
        std::mem::swap(&mut self.body, body);
    }

    /// Makes this the answer to a client that asks for a resource of the module's own, with these headers.
    pub fn set_resource(&mut self, resource: &Resource, request: &Headers) {
        let is_known = request
            .iter()
            .any(|(name, value)| name == b"if-none-match" && resource.is_known(value));
        self.clear(if is_known { 304 } else { 200 });
        self.headers.push(b"etag", &resource.etag);
        self.headers.push(b"cache-control", CACHE_CONTROL);
        if is_known {
            return;
        }
        let (no_sniffing, value) = NO_SNIFFING;
        self.headers.push(b"content-type", resource.content_type);
        self.headers.push(no_sniffing, value);
        if let Some(policy) = &resource.policy {
            self.headers.push(b"content-security-policy", policy);
        }
        self.body.reserve_exact(resource.length());
        for piece in &resource.body {
            self.body.extend_from_slice(piece);
        }
    }

    /// Forgets the last answer and keeps its memory.
    fn clear(&mut self, http_status: u16) {
        self.status = http_status;
        self.headers.clear();
        self.body.clear();
    }
}
