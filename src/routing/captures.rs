//! The values that the variables of a path template capture of a request's path.

use std::ops::Range;

use super::binding::Binding;
use super::matcher::{PathSegment, Scratch};
use crate::text::percent::{self, Decoding};

/// The values of a route's path variables, percent-decoded, and the memory of the search for the route.
///
/// [`Router::find`](super::Router::find) fills it; one serves all requests, so that their memory is reused.
#[derive(Debug, Default)]
pub struct Captures {
    /// Memory for the matcher, and the segments of the path that it has found.
    pub(super) scratch: Scratch,
    /// All values, one after the other.
    text: String,
    /// Where in `text` each value is.
    values: Vec<Range<usize>>,
    /// Memory for decoding one value.
    decoded: Vec<u8>,
}

impl Captures {
    /// The values, in the order of the template's variables.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .map(|range| self.text.get(range.clone()).unwrap_or_default())
    }

    /// Forgets the values of the last request.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.values.clear();
    }

    /// Decodes what the variables of `binding` capture of `path`, whose segments are in [`Captures::scratch`]. On error
    /// says what is malformed.
    pub(super) fn fill(&mut self, binding: &Binding, path: &[u8]) -> Result<(), String> {
        let segments = &self.scratch.segments;
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
