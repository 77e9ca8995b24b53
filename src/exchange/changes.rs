//! What the configured transforms make of messages, whichever way they go.

use std::rc::Rc;

use super::failure::Failure;
use super::matched::Matched;
use super::share::Share;
use super::steps::Abilities;
use crate::config::{Limits, Plugin};
use crate::grpc::frame;
use crate::http::headers::Headers;
use crate::routing::Method;
use crate::schema::tables::Tables;
use crate::transform::{Active, Memory};

/// The memory in which messages are changed.
#[derive(Debug, Default)]
pub struct Changes {
    memory: Memory,
    message: Vec<u8>,
}

/// The transforms of a method that apply to a request with these `headers`. `None`: its messages stay as they are.
///
/// # Errors
///
/// 401 where a source that is required isn't there, 400 where one doesn't fit its field.
#[inline]
pub fn activate(
    plugin: &Plugin,
    method: &Method,
    headers: &Headers,
    abilities: Abilities,
) -> Result<Option<Rc<Active>>, Failure> {
    let Some(transforms) = plugin.transforms.of(method) else {
        return Ok(None);
    };
    let active = transforms
        .activate(&plugin.tables, headers, &mut |path| (abilities.property)(path))
        .map_err(|error| Failure::transform(&error))?;
    let applies = active.changes_requests() || active.changes_responses();
    Ok(applies.then(|| Rc::new(active)))
}

impl Changes {
    /// Changes the message of the frame that begins at `at` in `out`, where the transforms that apply change requests.
    ///
    /// # Errors
    ///
    /// 413 where it becomes too large, 503 where there is no memory for it.
    #[inline]
    pub fn request(&mut self, matched: &Matched, at: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
        match &matched.active {
            Some(active) if active.changes_requests() => self.change_request(matched, active, at, out),
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn change_request(
        &mut self,
        matched: &Matched,
        active: &Active,
        at: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let start = at + frame::PREFIX_LENGTH;
        let wire = out.get(start..).unwrap_or_default();
        Share::lend_copy(wire.len(), &matched.plugin.settings.limits)?;
        self.message.clear();
        active
            .request(matched.tables(), wire, &mut self.memory, &mut self.message)
            .map_err(|error| Failure::transform(&error))?;
        out.truncate(start);
        out.extend_from_slice(&self.message);
        Ok(())
    }

    /// A message of the answer as the client may see it.
    ///
    /// # Errors
    ///
    /// 502 where it is malformed, or becomes too large; 503 where there is no memory for it.
    #[inline]
    pub fn response<'m>(&'m mut self, matched: &Matched, wire: &'m [u8]) -> Result<&'m [u8], Failure> {
        match &matched.active {
            Some(active) if active.changes_responses() => {
                Share::lend_copy(wire.len(), &matched.plugin.settings.limits)?;
                self.message.clear();
                active
                    .response(matched.tables(), wire, &mut self.memory, &mut self.message)
                    .map_err(|error| Failure::transform_answer(&error))?;
                Ok(&self.message)
            }
            _ => Ok(wire),
        }
    }

    /// Appends to `out` a message of a gRPC client's call of `method`, changed.
    ///
    /// # Errors
    ///
    /// As [`Changes::request`]; `out` is then as it was.
    pub fn native_request(
        &mut self,
        active: &Active,
        method: &Method,
        plugin: &Plugin,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        Share::lend_copy(wire.len(), &plugin.settings.limits)?;
        let changed = active.foreign_request(&plugin.tables, method.input, wire, &mut self.memory, out);
        changed.map_err(|error| Failure::transform(&error))
    }

    /// Appends to `out` a message for a gRPC client, changed.
    ///
    /// # Errors
    ///
    /// INTERNAL where it is malformed, RESOURCE_EXHAUSTED where it becomes too large or there is no memory for it; `out` is then
    /// as it was.
    pub fn native_response(
        &mut self,
        active: &Active,
        tables: &Tables,
        wire: &[u8],
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        Share::lend_copy(wire.len(), limits)?;
        let changed = active.response(tables, wire, &mut self.memory, out);
        changed.map_err(|error| Failure::transform_native_answer(&error))
    }

    /// How many bytes of memory stay for the next message.
    #[inline]
    pub fn footprint(&self) -> usize {
        self.memory.footprint() + self.message.capacity()
    }
}
