//! The memory that exchanges need one after the other.

use super::answer;
use super::failure::Failure;
use super::reply::{NO_SNIFFING, Reply};
use crate::codec::{JsonToWire, Present, WireToJson};
use crate::config::Plugin;
use crate::http::headers::{HeaderEdits, Headers};
use crate::http::media_type::JSON;
use crate::routing::{Binder, Captures};

/// Memory that serves one exchange after the other.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(super) to_wire: JsonToWire,
    pub(super) to_json: WireToJson,
    pub(super) binder: Binder,
    pub(super) captures: Captures,
    pub(super) present: Present,
    pub(super) edits: HeaderEdits,
    pub(super) metadata: Headers,
    pub(super) reply: Reply,
    pub(super) body: Vec<u8>,
    pub(super) content_type: Vec<u8>,
    pub(super) spare_frame: Vec<u8>,
    pub(super) upload: Vec<u8>,
}

impl Workspace {
    pub(super) fn set_content_type(&mut self, content_type: &[u8]) {
        self.content_type.clear();
        self.content_type.extend_from_slice(content_type);
    }

    /// Makes `reply` an error response.
    pub(super) fn reply_with<'m>(
        &mut self,
        plugin: &Plugin,
        failure: &Failure,
        metadata: impl Iterator<Item = (&'m [u8], &'m [u8])>,
    ) {
        self.reply.clear();
        self.reply.status = failure.http_status;
        let (no_sniffing, value) = NO_SNIFFING;
        for (name, value) in metadata.filter(|(name, _)| !name.eq_ignore_ascii_case(no_sniffing)) {
            self.reply.headers.push(name, value);
        }
        self.reply.headers.push(b"content-type", JSON);
        self.reply.headers.push(no_sniffing, value);
        if let Some(allow) = &failure.allow {
            self.reply.headers.push(b"allow", allow.as_bytes());
        }
        failure.write_body(plugin, &mut self.to_json, &mut self.reply.body);
    }

    /// Makes `reply` a success with the body that was just converted.
    pub(super) fn reply_with_body<'m>(&mut self, status: u16, metadata: impl Iterator<Item = (&'m [u8], &'m [u8])>) {
        self.reply.clear();
        self.reply.status = status;
        for (name, value) in metadata {
            self.reply.headers.push(name, value);
        }
        if !answer::is_without_content(status) {
            self.reply.headers.push(b"content-type", &self.content_type);
        }
        std::mem::swap(&mut self.reply.body, &mut self.body);
    }
}
