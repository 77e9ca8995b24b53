//! The messages of a streamed answer on their way to the client.

use super::failure::Failure;
use super::{matched, message};
use crate::codec::{PrintOptions, WireToJson};
use crate::config::Plugin;
use crate::grpc::frame::{Frame, FrameError, FrameReader};
use crate::grpc::{Code, Status};
use crate::http::media_type::OCTET_STREAM;
use crate::http::stream_format::{StreamFormat, StreamWriter};
use crate::routing::Route;

/// A stream of messages in the client's form.
#[derive(Debug)]
pub struct ServerStream {
    frames: FrameReader,
    output: Output,
    /// The end comes inside the body, or with its last bytes.
    ends_in_body: bool,
    ended: bool,
}

/// How far a stream has come.
#[derive(Debug)]
pub enum Progress {
    /// More may come.
    Open,
    /// It ended with status OK.
    Ended,
    /// It ended otherwise.
    Failed(Failure),
}

impl ServerStream {
    /// A stream of which nothing has come.
    pub fn new(plugin: &Plugin, route: &Route, accept: Option<&[u8]>) -> Self {
        let settings = &plugin.settings;
        let limit = settings.limits.max_message_bytes;
        let format = StreamFormat::negotiate(accept, settings.streaming.default);
        Self {
            frames: if settings.upstream.grpc_web {
                FrameReader::grpc_web(limit)
            } else {
                FrameReader::new(limit)
            },
            output: Output {
                format,
                writer: StreamWriter::new(format),
                print: PrintOptions {
                    add_whitespace: settings.print.add_whitespace && !format.is_line_based(),
                    ..settings.print
                },
                raw: matched::is_raw(&plugin.tables, route),
                content_type: Vec::new(),
                messages: 0,
            },
            ends_in_body: settings.upstream.grpc_web,
            ended: false,
        }
    }

    /// The end comes while the body can still be written.
    pub fn end_in_body(&mut self) {
        self.ends_in_body = true;
    }

    /// Whether messages can go out as they come. An array cannot where nothing can be written at its end.
    pub fn flows(&self) -> bool {
        self.output.raw || self.ends_in_body || self.output.format != StreamFormat::Array
    }

    /// Whether something must be written at the end of a stream that went well.
    pub fn needs_end(&self) -> bool {
        !self.output.raw && self.output.format == StreamFormat::Array
    }

    /// Whether no message has come.
    pub fn is_empty(&self) -> bool {
        self.output.messages == 0
    }

    /// Whether the first message has begun to come, and with it all that the response's headers need.
    pub fn has_begun(&mut self, plugin: &Plugin, route: &Route) -> bool {
        let Some(message) = self.frames.message_so_far() else {
            return false;
        };
        if self.output.raw && self.output.content_type.is_empty() {
            match message::content_type_so_far(&plugin.tables, route, message) {
                Some(content_type) => self.output.content_type = content_type,
                None => return false,
            }
        }
        true
    }

    /// Whether the last of it is written.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The content-type of the response.
    pub fn content_type(&self) -> &[u8] {
        match &self.output {
            output if output.raw && output.content_type.is_empty() => OCTET_STREAM,
            output if output.raw => &output.content_type,
            output => output.format.content_type(),
        }
    }

    /// Appends to `out` what the next bytes of the upstream's body give.
    pub fn feed(
        &mut self,
        plugin: &Plugin,
        route: &Route,
        chunk: &[u8],
        to_json: &mut WireToJson,
        out: &mut Vec<u8>,
    ) -> Progress {
        let Self { frames, output, .. } = self;
        let mut frames = frames.push(chunk);
        loop {
            match frames.next_frame() {
                Ok(None) => return Progress::Open,
                Ok(Some(Frame::Message(message))) => {
                    if let Err(failure) = output.write(plugin, route, message, to_json, out) {
                        return Progress::Failed(failure);
                    }
                }
                Ok(Some(Frame::Trailers(trailers))) => {
                    let status = Status::from_trailers(
                        trailers.get(b"grpc-status"),
                        trailers.get(b"grpc-message"),
                        trailers.get(b"grpc-status-details-bin"),
                    );
                    return Progress::of(status.map_err(|error| Failure::bad_answer(error.to_string())));
                }
                Err(error) => return Progress::Failed(bad_frame(error)),
            }
        }
    }

    /// Appends one message, which came without its frame.
    pub fn feed_message(
        &mut self,
        plugin: &Plugin,
        route: &Route,
        message: &[u8],
        to_json: &mut WireToJson,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        self.output.write(plugin, route, message, to_json, out)
    }

    /// The body ended, and with it came `status`.
    pub fn finish(&self, status: Result<Status, Failure>) -> Progress {
        match self.frames.finish() {
            Ok(()) => Progress::of(status),
            Err(error) => Progress::Failed(bad_frame(error)),
        }
    }

    /// Appends what ends a stream that went well.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.ended = true;
        if !self.output.raw {
            self.output.writer.end(out);
        }
    }

    /// Appends the error that ends the stream, a JSON object. `false`: raw bytes have no place for one.
    pub fn end_with_error(&mut self, error: &[u8], out: &mut Vec<u8>) -> bool {
        self.ended = true;
        if !self.output.raw {
            self.output.writer.end_with_error(error, out);
        }
        !self.output.raw
    }
}

impl Progress {
    fn of(status: Result<Status, Failure>) -> Self {
        match status {
            Ok(status) if status.code == Code::Ok => Self::Ended,
            Ok(status) => Self::Failed(Failure::of(status)),
            Err(failure) => Self::Failed(failure),
        }
    }
}

/// What writes the messages.
#[derive(Debug)]
struct Output {
    format: StreamFormat,
    writer: StreamWriter,
    print: PrintOptions,
    /// `google.api.HttpBody`: raw bytes, without marks between them.
    raw: bool,
    /// Of raw bytes. The first message says it: a download has one type.
    content_type: Vec<u8>,
    messages: u64,
}

impl Output {
    fn write(
        &mut self,
        plugin: &Plugin,
        route: &Route,
        message: &[u8],
        to_json: &mut WireToJson,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let start = out.len();
        let writer = self.writer;
        if !self.raw {
            self.writer.begin_message(out);
        }
        let mut other = Vec::new();
        let content_type = match self.messages {
            0 => &mut self.content_type,
            _ => &mut other,
        };
        if let Err(failure) = message::write(plugin, route, message, &self.print, to_json, content_type, out) {
            out.truncate(start);
            self.writer = writer;
            return Err(failure);
        }
        if !self.raw {
            self.writer.end_message(out);
        }
        self.messages += 1;
        Ok(())
    }
}

/// The upstream's body is no sequence of gRPC frames.
pub fn bad_frame(error: FrameError) -> Failure {
    match error {
        FrameError::TooLarge { .. } => Failure::answer_too_large(error.to_string()),
        _ => Failure::bad_answer(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Captures, Match};

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        service S { rpc List(M) returns (stream M); }
        message M { int32 number = 1; string text = 2; }
    "#;

    /// What a body gives that comes in these chunks.
    fn read(plugin: &Plugin, route: &Route, accept: &str, chunks: &[&[u8]]) -> String {
        let mut stream = ServerStream::new(plugin, route, Some(accept.as_bytes()));
        let (mut to_json, mut out) = (WireToJson::default(), Vec::new());
        let mut progress = Progress::Open;
        for chunk in chunks {
            progress = stream.feed(plugin, route, chunk, &mut to_json, &mut out);
            if !matches!(progress, Progress::Open) {
                break;
            }
        }
        match progress {
            Progress::Open => out.extend_from_slice(b"<open>"),
            Progress::Ended => stream.end(&mut out),
            Progress::Failed(failure) => {
                let error = failure.element(plugin, &mut to_json);
                stream.end_with_error(&error, &mut out);
            }
        }
        String::from_utf8(out).unwrap()
    }

    fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
        let mut frame = vec![flags];
        frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(message);
        frame
    }

    #[test]
    fn a_body_cut_anywhere_gives_the_same_stream() {
        let configuration = serde_json::json!({ "proto": PROTO, "upstream": { "grpc_web": true } });
        let plugin = Plugin::load(configuration.to_string().as_bytes(), 0).unwrap();
        let mut captures = Captures::default();
        let Match::Route(route) = plugin.router.find("POST", b"/t.S/List", &mut captures) else {
            panic!("no route");
        };
        let (number, empty) = (&frame(0, &[1 << 3, 7]), &frame(0, &[]));
        // No UTF-8.
        let malformed = &frame(0, b"\x12\x03a\x80b");
        let text = frame(0, b"\x08\x01\x12\x04\"\n\xc3\xbc");
        let ok = frame(0x80, b"grpc-status:0\r\n");
        let error = frame(0x80, b"grpc-status: 5\r\ngrpc-message:m\r\n");
        let malformed_error = "{\"error\":{\"code\":14,";
        let rows: [(&[&Vec<u8>], &str, &str); 9] = [
            (&[&ok], "application/json", "[]"),
            (&[&ok], "text/event-stream", ""),
            (
                &[number, empty, &text, &ok],
                "application/json",
                "[{\"number\":7},{},{\"number\":1,\"text\":\"\\\"\\nü\"}]",
            ),
            (&[number, empty, &ok], "application/x-ndjson", "{\"number\":7}\n{}\n"),
            (
                &[number, empty, &ok],
                "text/event-stream",
                "data: {\"number\":7}\n\ndata: {}\n\n",
            ),
            (
                &[number, &error],
                "application/json",
                "[{\"number\":7},{\"error\":{\"code\":5,\"message\":\"m\"}}]",
            ),
            (
                &[number, &error],
                "text/event-stream",
                "data: {\"number\":7}\n\nevent: error\ndata: {\"error\":{\"code\":5,\"message\":\"m\"}}\n\n",
            ),
            (&[number], "application/json", "[{\"number\":7}<open>"),
            (&[number, malformed], "application/x-ndjson", malformed_error),
        ];
        for (frames, accept, expected) in rows {
            let body: Vec<u8> = frames.iter().flat_map(|frame| frame.iter().copied()).collect();
            let whole = read(&plugin, route, accept, &[&body]);
            if expected == malformed_error {
                assert!(whole.starts_with(&format!("{{\"number\":7}}\n{expected}")), "{whole}");
            } else {
                assert_eq!(whole, expected);
            }
            for accept in ["application/json", "application/x-ndjson", "text/event-stream"] {
                let whole = read(&plugin, route, accept, &[&body]);
                for first in 0..=body.len() {
                    for second in first..=body.len() {
                        let chunks = [&body[..first], &body[first..second], &body[second..]];
                        assert_eq!(
                            read(&plugin, route, accept, &chunks),
                            whole,
                            "{accept}: cut at {first} and {second} of {body:?}"
                        );
                    }
                }
                let bytes: Vec<&[u8]> = body.chunks(1).collect();
                let byte_by_byte = read(&plugin, route, accept, &bytes);
                assert_eq!(byte_by_byte, whole, "{accept}: byte by byte: {body:?}");
            }
        }
    }
}
