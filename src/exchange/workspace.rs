//! The memory that exchanges need one after the other.

use super::failure::Failure;
use super::reply::Reply;
use crate::codec::{JsonToWire, Present, WireToJson};
use crate::config::Plugin;
use crate::http::headers::{HeaderEdits, Headers};
use crate::routing::{Binder, Captures};

/// Memory that serves one exchange after the other. What a step borrows from it holds until the next event.
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
    /// What the client gets of the upstream's body.
    pub(super) body: Vec<u8>,
    /// The type of a body that is whole.
    pub(super) content_type: Vec<u8>,
    /// The frame of the last unary request.
    pub(super) spare_frame: Vec<u8>,
    /// The frames of the last part of an upload.
    pub(super) upload: Vec<u8>,
}

impl Workspace {
    pub(super) fn set_content_type(&mut self, content_type: &[u8]) {
        self.content_type.clear();
        self.content_type.extend_from_slice(content_type);
    }

    /// Makes `reply` an error response.
    pub(super) fn set_error_reply<'m>(
        &mut self,
        plugin: &Plugin,
        failure: &Failure,
        metadata: impl Iterator<Item = (&'m [u8], &'m [u8])>,
    ) {
        self.reply.set_error(plugin, failure, metadata, &mut self.to_json);
    }

    /// Makes `reply` a success with the body that was just converted.
    pub(super) fn set_success_reply<'m>(
        &mut self,
        http_status: u16,
        metadata: impl Iterator<Item = (&'m [u8], &'m [u8])>,
    ) {
        self.reply
            .set_success(http_status, &self.content_type, metadata, &mut self.body);
    }
}
