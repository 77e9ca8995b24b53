//! What the variables of a path captured.

use std::ops::Range;

use super::binding::Binding;
use super::matcher::{PathSegment, Scratch};
use crate::text::percent::{self, Decoding};

/// What the variables of a route's path captured, decoded. Reused from request to request.
#[derive(Debug, Default)]
pub struct Captures {
    pub(super) scratch: Scratch,
    /// The values, one after the other.
    text: String,
    values: Vec<Range<usize>>,
    decoded: Vec<u8>,
}

impl Captures {
    /// The values, in the order of the template's variables.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .map(|range| self.text.get(range.clone()).unwrap_or_default())
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.values.clear();
    }

    /// Decodes what the variables of `binding` capture of `path`, whose segments the scratch holds. On error says
    /// what is malformed.
    pub(super) fn fill(&mut self, binding: &Binding, path: &[u8], with_verb: bool) -> Result<(), String> {
        let segments = &mut self.scratch.segments;
        if with_verb
            && let Some(verb) = self.scratch.verb.take()
            && let Some(last) = segments.last_mut()
        {
            *last = verb.base;
        }
        if let Some(position) = segments.iter().find_map(PathSegment::malformed) {
            return Err(format!(
                "malformed escape `{}` at byte {position} of the path: expected `%` and two hexadecimal digits",
                percent::shown(path, position)
            ));
        }
        for variable in &binding.variables {
            let (start, end) = variable.segments.of(segments.len());
            let captured = segments.get(start..end).unwrap_or_default();
            let raw = match (captured.first(), captured.last()) {
                (Some(first), Some(last)) => path.get(first.start..last.end).unwrap_or_default(),
                _ => &[],
            };
            let decoding = if variable.multi_segment {
                Decoding::Segments
            } else {
                Decoding::Segment
            };
            self.decoded.clear();
            // No escape in it is malformed: that has been looked at above.
            let value = match memchr::memchr(b'%', raw).map(|_| percent::decode(raw, decoding, &mut self.decoded)) {
                Some(Ok(())) => std::str::from_utf8(&self.decoded),
                Some(Err(_)) | None => std::str::from_utf8(raw),
            };
            let Ok(value) = value else {
                return Err(format!("the path's value of `{}` isn't UTF-8", variable.name));
            };
            let from = self.text.len();
            self.text.push_str(value);
            self.values.push(from..self.text.len());
        }
        Ok(())
    }
}
