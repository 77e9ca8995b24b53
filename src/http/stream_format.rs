//! How a stream of messages becomes one HTTP body: a JSON array, NDJSON or server-sent events.
//!
//! Sources: RFC 9110 section 12.5.1 (`accept`), the NDJSON specification, the HTML standard's "Server-sent events".

use super::media_type::{EVENT_STREAM, JSON, LINES, NDJSON};

/// A way to write a stream of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// One JSON array.
    Array,
    /// A message a line.
    Ndjson,
    /// Server-sent events.
    Sse,
}

impl StreamFormat {
    /// The form that a client's `accept` asks for; `default` where it asks for none.
    ///
    /// What it says of a form is what the most specific of its ranges says that hold for the form. Of the forms that it
    /// accepts, the one with the highest `q`, then the one named first, then `default`. A `q` of 0 excludes: where nothing
    /// is accepted, the form is one that isn't excluded, unless all are.
    pub fn negotiate(accept: Option<&[u8]>, default: Self) -> Self {
        let Some(accept) = accept.filter(|accept| !accept.is_empty()) else {
            return default;
        };
        let mut best: Option<(Self, Preference)> = None;
        let mut left = None;
        for format in [default, Self::Array, Self::Ndjson, Self::Sse] {
            match format.preference(accept) {
                Some(Preference { quality: 0, .. }) => {}
                Some(preference) => {
                    if best.is_none_or(|(_, best)| preference.is_above(best)) {
                        best = Some((format, preference));
                    }
                }
                None => left = left.or(Some(format)),
            }
        }
        best.map(|(format, _)| format).or(left).unwrap_or(default)
    }

    /// What `accept` says of this form; `None` where that is nothing.
    fn preference(self, accept: &[u8]) -> Option<Preference> {
        let mut found: Option<Preference> = None;
        for (place, range) in accept.split(|byte| *byte == b',').enumerate() {
            let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let Some(specificity) = parts.next().and_then(|range| self.specificity(range)) else {
                continue;
            };
            let preference = Preference {
                specificity,
                quality: parts.find_map(quality).unwrap_or(1000),
                place,
            };
            if found.is_none_or(|found| preference.is_more_specific(found)) {
                found = Some(preference);
            }
        }
        found
    }

    /// How closely a media range fits this form, if it does.
    fn specificity(self, range: &[u8]) -> Option<u8> {
        let (names, group): (&[&[u8]], &[u8]) = match self {
            Self::Array => (&[JSON], b"application/*"),
            Self::Ndjson => (&LINES, b"application/*"),
            Self::Sse => (&[EVENT_STREAM], b"text/*"),
        };
        if names.iter().any(|name| range.eq_ignore_ascii_case(name)) {
            return Some(2);
        }
        if range.eq_ignore_ascii_case(group) {
            return Some(1);
        }
        (range == b"*/*").then_some(0)
    }

    /// The form of a response with this content-type, unless it may be no stream at all.
    pub fn of_stream(content_type: &[u8]) -> Option<Self> {
        [Self::Ndjson, Self::Sse]
            .into_iter()
            .find(|format| format.content_type() == content_type)
    }

    /// The content-type of the response.
    pub fn content_type(self) -> &'static [u8] {
        match self {
            Self::Array => JSON,
            Self::Ndjson => NDJSON,
            Self::Sse => EVENT_STREAM,
        }
    }

    /// Whether a message must be on one line.
    pub fn is_line_based(self) -> bool {
        self != Self::Array
    }
}

/// What a client says of a form.
#[derive(Clone, Copy, Debug)]
struct Preference {
    /// How closely the range fits the form.
    specificity: u8,
    /// In thousandths.
    quality: u32,
    /// Of the range in the header.
    place: usize,
}

impl Preference {
    /// Whether it counts in place of `other`, which is about the same form.
    fn is_more_specific(self, other: Self) -> bool {
        (self.specificity, self.quality) > (other.specificity, other.quality)
    }

    /// Whether the client would rather have this one's form than that of `other`.
    fn is_above(self, other: Self) -> bool {
        self.quality > other.quality || (self.quality == other.quality && self.place < other.place)
    }
}

/// A `q` parameter in thousandths; `None` for another parameter. What is no number counts as 0.
fn quality(parameter: &[u8]) -> Option<u32> {
    let value = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="))?;
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|value| value.parse::<f32>().ok());
    Some(number.map_or(0, |number| (number.clamp(0.0, 1.0) * 1000.0) as u32))
}

/// Writes what stands between messages.
#[derive(Clone, Copy, Debug)]
pub struct StreamWriter {
    format: StreamFormat,
    empty: bool,
}

impl StreamWriter {
    /// A stream of which nothing is written.
    pub fn new(format: StreamFormat) -> Self {
        Self { format, empty: true }
    }

    /// What goes before a message.
    pub fn begin_message(&mut self, out: &mut Vec<u8>) {
        match self.format {
            StreamFormat::Array => out.push(if self.empty { b'[' } else { b',' }),
            StreamFormat::Ndjson => {}
            StreamFormat::Sse => out.extend_from_slice(b"data: "),
        }
        self.empty = false;
    }

    /// What goes after a message.
    pub fn end_message(&self, out: &mut Vec<u8>) {
        match self.format {
            StreamFormat::Array => {}
            StreamFormat::Ndjson => out.push(b'\n'),
            StreamFormat::Sse => out.extend_from_slice(b"\n\n"),
        }
    }

    /// The stream ended well.
    pub fn end(&self, out: &mut Vec<u8>) {
        match self.format {
            StreamFormat::Array if self.empty => out.extend_from_slice(b"[]"),
            StreamFormat::Array => out.push(b']'),
            StreamFormat::Ndjson | StreamFormat::Sse => {}
        }
    }

    /// The stream ended with an error, whose JSON object is `error`: the last element says so.
    pub fn end_with_error(&mut self, error: &[u8], out: &mut Vec<u8>) {
        if self.format == StreamFormat::Sse {
            out.extend_from_slice(b"event: error\n");
        }
        self.begin_message(out);
        out.extend_from_slice(error);
        self.end_message(out);
        self.end(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_chooses_the_form() {
        use StreamFormat::{Array, Ndjson, Sse};
        let cases = [
            ("", Array),
            ("*/*", Array),
            ("text/html", Array),
            ("application/x-ndjson", Ndjson),
            ("application/jsonl", Ndjson),
            ("Text/Event-Stream", Sse),
            ("application/json, text/event-stream", Array),
            ("application/json;q=0.5, text/event-stream", Sse),
            ("text/event-stream;q=0.8, application/x-ndjson; q=0.9", Ndjson),
            ("text/event-stream;q=0", Array),
            ("text/event-stream;charset=utf-8;q=0.3, */*;q=0.1", Sse),
            ("text/*", Sse),
            ("Text/*;q=0.5", Sse),
            ("text/html, text/*;q=0.9, */*;q=0.8", Sse),
            ("text/*;q=0.5, */*;q=0.8", Array),
            ("text/*, application/*", Sse),
            ("application/*, text/*", Array),
            ("application/x-ndjson, */*", Ndjson),
            ("*/*, application/x-ndjson", Array),
            // The closest range counts, not the one that is above the others.
            ("text/event-stream;q=0.1, text/*;q=0.9, application/json;q=0.5", Array),
            ("application/json;q=0.2, */*", Ndjson),
            ("application/json;q=0, */*", Ndjson),
            ("application/json; q=0.000, text/*", Sse),
            ("application/*;q=0, */*", Sse),
            ("*/*;q=0, text/event-stream", Sse),
            ("application/jsonl;q=0, application/x-ndjson;q=0.1", Ndjson),
            // What is excluded is not the way out, as long as something else is left.
            ("application/json;q=0", Ndjson),
            ("application/*;q=0", Sse),
            ("application/json;q=0, text/html", Ndjson),
            ("*/*;q=0", Array),
            ("application/json;q=0, */*;q=0", Array),
        ];
        for (accept, expected) in cases {
            assert_eq!(
                StreamFormat::negotiate(Some(accept.as_bytes()), Array),
                expected,
                "{accept}"
            );
        }
        assert_eq!(StreamFormat::negotiate(Some(b"application/json"), Sse), Array);
        assert_eq!(StreamFormat::negotiate(None, Sse), Sse);
        let cases = [
            ("*/*", Sse),
            ("text/html", Sse),
            ("application/*", Array),
            ("text/event-stream;q=0, */*", Array),
            ("text/event-stream;q=0", Array),
            ("*/*;q=0", Sse),
        ];
        for (accept, expected) in cases {
            assert_eq!(
                StreamFormat::negotiate(Some(accept.as_bytes()), Sse),
                expected,
                "{accept}"
            );
        }
    }

    #[test]
    fn each_form_has_its_marks() {
        let cases = [
            (
                StreamFormat::Array,
                "[]",
                "[1,2]",
                r#"[1,{"error":{}}]"#,
                r#"[{"error":{}}]"#,
            ),
            (
                StreamFormat::Ndjson,
                "",
                "1\n2\n",
                "1\n{\"error\":{}}\n",
                "{\"error\":{}}\n",
            ),
            (
                StreamFormat::Sse,
                "",
                "data: 1\n\ndata: 2\n\n",
                "data: 1\n\nevent: error\ndata: {\"error\":{}}\n\n",
                "event: error\ndata: {\"error\":{}}\n\n",
            ),
        ];
        let write = |format, messages: &[&str], error: bool| {
            let mut writer = StreamWriter::new(format);
            let mut out = Vec::new();
            for message in messages {
                writer.begin_message(&mut out);
                out.extend_from_slice(message.as_bytes());
                writer.end_message(&mut out);
            }
            match error {
                true => writer.end_with_error(br#"{"error":{}}"#, &mut out),
                false => writer.end(&mut out),
            }
            String::from_utf8(out).unwrap()
        };
        for (format, empty, two, late_error, error) in cases {
            assert_eq!(write(format, &[], false), empty);
            assert_eq!(write(format, &["1", "2"], false), two);
            assert_eq!(write(format, &["1"], true), late_error);
            assert_eq!(write(format, &[], true), error);
        }
    }
}
