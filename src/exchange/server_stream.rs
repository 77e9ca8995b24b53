//! The messages of a streamed answer on their way to the client.

use super::changes::Changes;
use super::failure::Failure;
use super::inflate::inflate;
use super::matched::{BodyType, Matched};
use super::message::{content_type_so_far, write_json, write_raw};
use super::share::Share;
use crate::codec::{PrintOptions, WireToJson};
use crate::grpc::compression::Inflater;
use crate::grpc::frame::{FrameError, FrameReader, Kind, TrailerBlock};
use crate::grpc::{Code, Status};
use crate::http::headers::Headers;
use crate::http::media_type::OCTET_STREAM;
use crate::http::stream_format::{StreamFormat, StreamWriter};

/// A stream of messages in the client's form.
#[derive(Debug)]
pub struct ServerStream {
    frames: FrameReader,
    output: Output,
    messages: u64,
    ended: bool,
}

/// What reads and writes the messages of any stream.
#[derive(Debug)]
pub struct Tools<'w> {
    pub to_json: &'w mut WireToJson,
    pub inflater: &'w mut Inflater,
    pub changes: &'w mut Changes,
}

/// What messages become.
#[derive(Debug)]
enum Output {
    Json {
        format: StreamFormat,
        writer: StreamWriter,
        print: PrintOptions,
    },
    /// `google.api.HttpBody`: raw bytes, without marks between them.
    Raw {
        /// The first message says it: a download has one type. Empty until then.
        content_type: Vec<u8>,
    },
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
    pub fn new(matched: &Matched, accept: Option<&[u8]>) -> Self {
        let settings = &matched.plugin.settings;
        Self {
            frames: matched.frame_reader(),
            output: match matched.response_type() {
                BodyType::Raw => Output::Raw {
                    content_type: Vec::new(),
                },
                BodyType::Json => {
                    let format = StreamFormat::negotiate(accept, settings.streaming.default);
                    Output::Json {
                        format,
                        writer: StreamWriter::new(format),
                        print: PrintOptions {
                            add_whitespace: settings.print.add_whitespace && !format.is_line_based(),
                            ..settings.print
                        },
                    }
                }
            },
            messages: 0,
            ended: false,
        }
    }

    /// Whether something must be written at the end of a stream that went well.
    pub fn needs_end(&self) -> bool {
        matches!(
            self.output,
            Output::Json {
                format: StreamFormat::Array,
                ..
            }
        )
    }

    /// Whether its messages are raw bytes, among which there is no place for an error.
    pub fn is_raw(&self) -> bool {
        matches!(self.output, Output::Raw { .. })
    }

    /// Whether no message has come.
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Whether the first message has begun to come, and with it all that the response's headers need.
    pub fn has_begun(&mut self, matched: &Matched) -> bool {
        let Some(message) = self.frames.message_so_far() else {
            return false;
        };
        if let Output::Raw { content_type } = &mut self.output
            && content_type.is_empty()
        {
            // What it is then, the whole message tells.
            if matched.changes_responses() {
                return false;
            }
            match content_type_so_far(matched, message) {
                Some(found) => *content_type = found,
                None => return false,
            }
        }
        true
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.frames.footprint()
    }

    /// Gives up what has come of a message: nothing of it is wanted any more.
    pub fn forget(&mut self, matched: &Matched) {
        if self.footprint() > 0 {
            self.frames = matched.frame_reader();
        }
    }

    /// Whether the last of it is written.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The content-type of the response.
    pub fn content_type(&self) -> &[u8] {
        match &self.output {
            Output::Json { format, .. } => format.content_type(),
            Output::Raw { content_type } if content_type.is_empty() => OCTET_STREAM,
            Output::Raw { content_type } => content_type,
        }
    }

    /// Appends to `out` what the next bytes of the upstream's body give, whose initial metadata is `initial`.
    pub fn feed(
        &mut self,
        matched: &Matched,
        initial: &Headers,
        chunk: &[u8],
        tools: Tools<'_>,
        out: &mut Vec<u8>,
    ) -> Progress {
        let Tools {
            to_json,
            inflater,
            changes,
        } = tools;
        let Self {
            frames,
            output,
            messages,
            ..
        } = self;
        let mut frames = frames.push(chunk);
        loop {
            let frame = match frames.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Progress::Open,
                Err(error) => return Progress::Failed(bad_frame(error)),
            };
            let contents = match frame.compressed {
                false => frame.contents,
                true => match inflate(frame, initial, &matched.plugin.settings.limits, inflater) {
                    Ok(contents) => contents,
                    Err(failure) => return Progress::Failed(failure),
                },
            };
            match frame.kind {
                Kind::Message => {
                    let room = Share::lend_growth(out, &matched.plugin.settings.limits);
                    let written = room
                        .and_then(|()| changes.response(matched, contents))
                        .and_then(|contents| output.write(matched, contents, *messages == 0, to_json, out));
                    if let Err(failure) = written {
                        return Progress::Failed(failure);
                    }
                    *messages += 1;
                }
                Kind::Trailers => {
                    let trailers = TrailerBlock(contents);
                    let status = Status::from_trailers(
                        trailers.get(b"grpc-status"),
                        trailers.get(b"grpc-message"),
                        trailers.get(b"grpc-status-details-bin"),
                    );
                    return Progress::of(status.map_err(|error| Failure::bad_answer(error.to_string())));
                }
            }
        }
    }

    /// Appends one message, which came without its frame.
    ///
    /// # Errors
    ///
    /// 502 where it is malformed; `out` is then as it was.
    pub fn feed_message(
        &mut self,
        matched: &Matched,
        message: &[u8],
        tools: Tools<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let message = tools.changes.response(matched, message)?;
        self.output
            .write(matched, message, self.messages == 0, tools.to_json, out)?;
        self.messages += 1;
        Ok(())
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
        if let Output::Json { writer, .. } = &self.output {
            writer.end(out);
        }
    }

    /// Appends the error that ends the stream, a JSON object. `false`: raw bytes have no place for one.
    pub fn end_with_error(&mut self, error: &[u8], out: &mut Vec<u8>) -> bool {
        self.ended = true;
        match &mut self.output {
            Output::Json { writer, .. } => {
                writer.end_with_error(error, out);
                true
            }
            Output::Raw { .. } => false,
        }
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

impl Output {
    /// Appends a message; on an error, nothing. `first`: it is the stream's first.
    fn write(
        &mut self,
        matched: &Matched,
        message: &[u8],
        first: bool,
        to_json: &mut WireToJson,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match self {
            Self::Json { writer, print, .. } => {
                let (start, before) = (out.len(), *writer);
                writer.begin_message(out);
                if let Err(failure) = write_json(matched, message, print, to_json, out) {
                    out.truncate(start);
                    *writer = before;
                    return Err(failure);
                }
                writer.end_message(out);
                Ok(())
            }
            Self::Raw { content_type } if first => write_raw(matched, message, content_type, out),
            Self::Raw { .. } => write_raw(matched, message, &mut Vec::new(), out),
        }
    }
}

/// 502: the upstream's body is no sequence of gRPC frames.
pub fn bad_frame(error: FrameError) -> Failure {
    match error {
        FrameError::TooLarge { .. } => Failure::answer_too_large(error.to_string()),
        _ => Failure::bad_answer(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;
    use crate::config::Plugin;
    use crate::routing::Captures;

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        service S { rpc List(M) returns (stream M); }
        message M { int32 number = 1; string text = 2; }
    "#;

    /// What a body gives that comes in these chunks.
    fn read(matched: &Matched, accept: &str, chunks: &[&[u8]]) -> String {
        let mut stream = ServerStream::new(matched, Some(accept.as_bytes()));
        let (mut to_json, mut inflater, mut out) = (WireToJson::default(), Inflater::default(), Vec::new());
        let mut changes = Changes::default();
        let mut initial = Headers::default();
        initial.push(b"grpc-encoding", b"deflate");
        let mut progress = Progress::Open;
        for chunk in chunks {
            let tools = Tools {
                to_json: &mut to_json,
                inflater: &mut inflater,
                changes: &mut changes,
            };
            progress = stream.feed(matched, &initial, chunk, tools, &mut out);
            if !matches!(progress, Progress::Open) {
                break;
            }
        }
        match progress {
            Progress::Open => out.extend_from_slice(b"<open>"),
            Progress::Ended => stream.end(&mut out),
            Progress::Failed(failure) => {
                let error = failure.element(&matched.plugin, &mut to_json);
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
        let plugin = Rc::new(Plugin::load(configuration.to_string().as_bytes(), 0).unwrap());
        let found = Matched::find(&plugin, b"POST", b"/t.S/List", &mut Captures::default());
        let matched = found.unwrap().unwrap();
        let (number, empty) = (&frame(0, &[1 << 3, 7]), &frame(0, &[]));
        // No UTF-8.
        let malformed = &frame(0, b"\x12\x03a\x80b");
        let text = frame(0, b"\x08\x01\x12\x04\"\n\xc3\xbc");
        let ok = frame(0x80, b"grpc-status:0\r\n");
        let error = frame(0x80, b"grpc-status: 5\r\ngrpc-message:m\r\n");
        let compressed = |flags, message: &[u8]| frame(flags, &compress_to_vec_zlib(message, 6));
        let (compressed_text, compressed_empty) = (&compressed(1, &text[5..]), &compressed(1, b""));
        let (compressed_ok, compressed_error) = (compressed(0x81, &ok[5..]), compressed(0x81, &error[5..]));
        let (no_zlib, compressed_malformed) = (&frame(1, &[8, 7]), &compressed(1, &malformed[5..]));
        let malformed_error = "{\"error\":{\"code\":14,";
        let rows: [(&[&Vec<u8>], &str, &str); 13] = [
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
            (
                &[compressed_text, number, compressed_empty, &compressed_ok],
                "application/json",
                "[{\"number\":1,\"text\":\"\\\"\\nü\"},{\"number\":7},{}]",
            ),
            (
                &[number, compressed_text, &compressed_error],
                "application/x-ndjson",
                "{\"number\":7}\n{\"number\":1,\"text\":\"\\\"\\nü\"}\n{\"error\":{\"code\":5,\"message\":\"m\"}}\n",
            ),
            (&[number, no_zlib], "application/x-ndjson", malformed_error),
            (&[number, compressed_malformed], "application/x-ndjson", malformed_error),
        ];
        for (frames, accept, expected) in rows {
            let body: Vec<u8> = frames.iter().flat_map(|frame| frame.iter().copied()).collect();
            let whole = read(&matched, accept, &[&body]);
            if expected == malformed_error {
                assert!(whole.starts_with(&format!("{{\"number\":7}}\n{expected}")), "{whole}");
            } else {
                assert_eq!(whole, expected);
            }
            for accept in ["application/json", "application/x-ndjson", "text/event-stream"] {
                let whole = read(&matched, accept, &[&body]);
                for first in 0..=body.len() {
                    for second in first..=body.len() {
                        let chunks = [&body[..first], &body[first..second], &body[second..]];
                        assert_eq!(
                            read(&matched, accept, &chunks),
                            whole,
                            "{accept}: cut at {first} and {second} of {body:?}"
                        );
                    }
                }
                let bytes: Vec<&[u8]> = body.chunks(1).collect();
                let byte_by_byte = read(&matched, accept, &bytes);
                assert_eq!(byte_by_byte, whole, "{accept}: byte by byte: {body:?}");
            }
        }
    }
}
