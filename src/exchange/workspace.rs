//! The memory that exchanges need one after the other.

use super::changes::Changes;
use super::failure::Failure;
use super::reply::Reply;
use super::server_stream::Tools;
use crate::codec::{JsonToWire, Present, WireToJson};
use crate::config::Plugin;
use crate::grpc::compression::Inflater;
use crate::hooks;
use crate::http::headers::{HeaderEdits, Headers};
use crate::routing::{Binder, Captures};

/// So much of each buffer stays for the next exchange, in bytes. An exchange takes its frame with it, and may wait for long.
const KEPT: usize = 2 * 1024 * 1024;
const KEPT_FRAME: usize = 64 * 1024;

/// Memory that serves one exchange after the other. What a step borrows from it holds until the next event.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(super) to_wire: JsonToWire,
    pub(super) to_json: WireToJson,
    pub(super) inflater: Inflater,
    pub(super) changes: Changes,
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
    /// For the calls of hooks.
    pub(super) hooks: hooks::Memory,
    /// The longest body that was read since the last [`Workspace::trim`].
    pub(super) longest: usize,
}

impl Workspace {
    /// Gives up what a large message has left. To be called behind each event, when its step is done.
    #[inline]
    pub fn trim(&mut self) {
        let large = self.spare_frame.capacity() > KEPT_FRAME
            || self
                .body
                .capacity()
                .max(self.upload.capacity())
                .max(self.reply.body.capacity())
                .max(self.inflater.footprint())
                .max(self.changes.footprint())
                .max(self.hooks.footprint())
                > KEPT
            || self.longest > KEPT;
        if large {
            self.cut_back();
        }
    }

    #[cold]
    fn cut_back(&mut self) {
        if self.spare_frame.capacity() > KEPT_FRAME {
            self.longest = self.longest.max(self.spare_frame.capacity());
            self.spare_frame = Vec::new();
        }
        for buffer in [&mut self.body, &mut self.upload, &mut self.reply.body] {
            if buffer.capacity() > KEPT {
                self.longest = self.longest.max(buffer.capacity());
                *buffer = Vec::new();
            }
        }
        if self.inflater.footprint() > KEPT {
            self.longest = self.longest.max(self.inflater.footprint());
            self.inflater = Inflater::default();
        }
        if self.changes.footprint() > KEPT {
            self.longest = self.longest.max(self.changes.footprint());
            self.changes = Changes::default();
        }
        if self.hooks.footprint() > KEPT {
            self.hooks = hooks::Memory::default();
        }
        if self.longest > KEPT {
            self.to_wire = JsonToWire::default();
            self.to_json = WireToJson::default();
            self.present = Present::default();
            self.binder = Binder::default();
        }
        self.longest = 0;
    }

    pub(super) fn set_content_type(&mut self, content_type: &[u8]) {
        set_content_type(&mut self.content_type, content_type);
    }

    /// What reads and writes the messages of a stream, and where to what goes out at once.
    pub(super) fn tools(&mut self) -> (Tools<'_>, &mut Vec<u8>) {
        let tools = Tools {
            to_json: &mut self.to_json,
            inflater: &mut self.inflater,
            changes: &mut self.changes,
        };
        (tools, &mut self.body)
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

/// Makes `place` this content-type.
pub fn set_content_type(place: &mut Vec<u8>, content_type: &[u8]) {
    place.clear();
    place.extend_from_slice(content_type);
}
