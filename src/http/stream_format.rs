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
    /// The form that a client's `accept` asks for; `default` where it names none.
    ///
    /// Of several, the one with the highest `q`, then the one named first.
    pub fn negotiate(accept: Option<&[u8]>, default: Self) -> Self {
        let mut best = (default, 0);
        for range in accept.unwrap_or_default().split(|byte| *byte == b',') {
            let parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let named = |name: &[u8]| {
                let range = parts.clone().next().unwrap_or_default();
                range.eq_ignore_ascii_case(name)
            };
            let format = if LINES.iter().any(|name| named(name)) {
                Self::Ndjson
            } else if named(EVENT_STREAM) {
                Self::Sse
            } else if named(JSON) {
                Self::Array
            } else if named(b"*/*") || named(b"application/*") {
                default
            } else {
                continue;
            };
            let quality = parts.skip(1).find_map(quality).unwrap_or(1000);
            if quality > best.1 {
                best = (format, quality);
            }
        }
        best.0
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
