//! A request whose headers have gone on: its body follows. Of a stream, each element becomes a frame when it is whole;
//! another body becomes one frame at its end.

use super::body::{Content, ContentForm, complete_frame, too_large};
use super::failure::Failure;
use super::matched::Matched;
use super::share::Share;
use super::workspace::Workspace;
use crate::codec::BoundRecords;
use crate::grpc::frame;
use crate::http::elements::{ElementReader, Form};
use crate::text::append::reserve_as_it_comes;

/// The most bytes of a raw upload that one message carries.
const MAX_RAW_MESSAGE: usize = 1 << 20;

/// The body of a request whose headers have gone on.
#[derive(Debug)]
pub struct Upload {
    matched: Matched,
    parameters: UploadParameters,
    intake: Intake,
    sent: bool,
    /// The one message goes without the prefix of a frame.
    bare: bool,
}

/// What path and query give to an upload's messages.
#[derive(Debug)]
pub struct UploadParameters {
    /// What both bind, in wire form: the first message has it.
    pub first: Vec<u8>,
    /// What the path binds: every further message has that.
    pub later: Vec<u8>,
    /// What the path binds within messages that the body fills too: in every message.
    pub path: BoundRecords,
}

#[derive(Debug)]
enum Intake {
    /// The messages of a stream, of which `count` have come.
    Elements { reader: ElementReader, count: usize },
    /// `google.api.HttpBody`: the bytes as they come, under this content-type.
    Raw(Vec<u8>),
    /// One message. The host is not left to gather it: once the headers have gone on, it stops reading instead.
    Whole(Gathered),
    /// All is sent, or the exchange has failed: what still comes goes nowhere.
    Closed,
}

/// A body that is one message, as far as it has come.
#[derive(Debug)]
pub struct Gathered {
    pub body: Vec<u8>,
    pub content_type: Vec<u8>,
    /// In which form it is.
    pub form: ContentForm,
    /// How many bytes there will be, where that is known and not none.
    pub length: Option<usize>,
    /// Whether the update mask is filled from it: neither path nor query gives that.
    pub fills_mask: bool,
}

impl Upload {
    /// A body that is one message. `bare`: it goes without the prefix of a frame.
    pub fn whole(matched: Matched, parameters: UploadParameters, message: Gathered, bare: bool) -> Self {
        Self {
            matched,
            parameters,
            intake: Intake::Whole(message),
            sent: false,
            bare,
        }
    }

    /// A body that is a stream of messages in `form`.
    pub fn elements(matched: Matched, parameters: UploadParameters, form: Form) -> Self {
        let limit = matched.plugin.settings.limits.max_request_bytes;
        Self {
            matched,
            parameters,
            intake: Intake::Elements {
                reader: ElementReader::new(form, limit),
                count: 0,
            },
            sent: false,
            bare: false,
        }
    }

    /// A body that is raw bytes of type `content_type`, in as many messages as it takes.
    pub fn raw(matched: Matched, parameters: UploadParameters, content_type: &[u8]) -> Self {
        Self {
            matched,
            parameters,
            intake: Intake::Raw(content_type.to_vec()),
            sent: false,
            bare: false,
        }
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let intake = match &self.intake {
            Intake::Elements { reader, .. } => reader.footprint(),
            Intake::Whole(message) => message.body.capacity(),
            Intake::Raw(_) | Intake::Closed => 0,
        };
        let UploadParameters { first, later, path } = &self.parameters;
        first.capacity() + later.capacity() + path.footprint() + self.matched.footprint() + intake
    }

    /// Lets nothing more through.
    pub fn close(&mut self) {
        self.intake = Intake::Closed;
    }

    /// Appends to `out` the frames that the next bytes of the body complete. `end`: they are the last.
    ///
    /// # Errors
    ///
    /// 400 or 413; `out` then holds the frames before the fault.
    pub fn chunk(
        &mut self,
        chunk: &[u8],
        end: bool,
        workspace: &mut Workspace,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let Self {
            matched,
            parameters: UploadParameters { first, later, path },
            intake,
            sent,
            bare,
        } = self;
        let mut send = |content: Content<'_>| {
            workspace.longest = workspace.longest.max(content.bytes.len());
            let parameters = if *sent { &*later } else { &*first };
            *sent = true;
            // What the path binds is in each of them, however short they are.
            Share::lend_growth(out, &matched.plugin.settings.limits)?;
            let at = frame::begin(out);
            out.extend_from_slice(parameters);
            complete_frame(matched, content, at, workspace, out)
        };
        match intake {
            Intake::Closed => Ok(()),
            Intake::Whole(Gathered {
                body,
                content_type,
                form,
                length,
                fills_mask,
            }) => {
                let limit = matched.plugin.settings.limits.max_request_bytes;
                let size = body.len().saturating_add(chunk.len());
                if size > limit {
                    return Err(too_large(size, limit));
                }
                let missing = length.map_or(size, |length| length.max(size)) - body.len();
                reserve_as_it_comes(body, chunk.len(), missing);
                body.extend_from_slice(chunk);
                if !end && length.is_none_or(|length| size < length) {
                    return Ok(());
                }
                send(Content {
                    content_type,
                    bytes: body,
                    form: *form,
                    path,
                    fills_mask: *fills_mask,
                    element: None,
                })?;
                if *bare {
                    out.drain(..frame::PREFIX_LENGTH.min(out.len()));
                }
                *intake = Intake::Closed;
                Ok(())
            }
            Intake::Raw(content_type) => {
                for part in chunk.chunks(MAX_RAW_MESSAGE) {
                    send(Content {
                        // The type is that of the whole upload: the first message says it.
                        content_type: &std::mem::take(content_type),
                        bytes: part,
                        form: ContentForm::Json,
                        path,
                        fills_mask: false,
                        element: None,
                    })?;
                }
                Ok(())
            }
            Intake::Elements { reader, count } => {
                let bad = |error| Failure::body_form(&error);
                let mut send_next = |bytes: &[u8]| {
                    let element = *count;
                    *count += 1;
                    send(Content::element(bytes, path, element))
                };
                let mut elements = reader.read(chunk);
                while let Some(bytes) = elements.next_element().map_err(bad)? {
                    send_next(bytes)?;
                }
                if end && let Some(bytes) = reader.finish().map_err(bad)? {
                    send_next(bytes)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::Plugin;
    use crate::routing::Captures;

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        service S { rpc Collect(stream M) returns (M); }
        message M { int32 number = 1; string text = 2; }
    "#;

    /// What a body gives that comes in these chunks, or what is wrong with it.
    fn read(matched: &Matched, form: Form, chunks: &[&[u8]]) -> Result<Vec<u8>, String> {
        // number: 9 in the first message, 8 in the others, as if path and query had bound them.
        let parameters = UploadParameters {
            first: vec![8, 9],
            later: vec![8, 8],
            path: BoundRecords::default(),
        };
        let mut upload = Upload::elements(matched.clone(), parameters, form);
        let (mut workspace, mut out) = (Workspace::default(), Vec::new());
        for (index, chunk) in chunks.iter().enumerate() {
            upload
                .chunk(chunk, index + 1 == chunks.len(), &mut workspace, &mut out)
                .map_err(|failure| failure.status.message.clone())?;
        }
        Ok(out)
    }

    #[test]
    fn a_body_cut_anywhere_gives_the_same_frames() {
        let configuration = serde_json::json!({ "proto": PROTO });
        let plugin = Rc::new(Plugin::load(configuration.to_string().as_bytes(), 0).unwrap());
        let found = Matched::find(&plugin, b"POST", b"/t.S/Collect", &mut Captures::default());
        let matched = found.unwrap().unwrap();
        let first: &[u8] = b"\0\0\0\0\x02\x08\x09";
        let second: &[u8] = b"\0\0\0\0\x08\x08\x08\x12\x04],\"}";
        let rows: [(Form, &str, Option<Vec<u8>>); 11] = [
            (Form::Array, "[]", Some(Vec::new())),
            (Form::Array, " \n", Some(Vec::new())),
            (Form::Lines, "\n\r\n", Some(Vec::new())),
            (Form::Array, "[{}]", Some(first.to_vec())),
            (Form::Lines, "{}", Some(first.to_vec())),
            (
                Form::Array,
                " [ {} ,{\"text\":\"],\\\"}\"}\n] ",
                Some([first, second].concat()),
            ),
            (
                Form::Lines,
                "{}\r\n\n{\"text\":\"],\\\"}\"} \n",
                Some([first, second].concat()),
            ),
            (Form::Array, "[{},]", None),
            (Form::Array, "[{}", None),
            (Form::Array, "[{}]]", None),
            (Form::Lines, "{}\n{\"text\":1}\n", None),
        ];
        for (form, body, expected) in rows {
            let body = body.as_bytes();
            let whole = read(&matched, form, &[body]);
            assert_eq!(whole.as_ref().ok(), expected.as_ref(), "{whole:?}");
            for first in 0..=body.len() {
                for second in first..=body.len() {
                    let chunks = [&body[..first], &body[first..second], &body[second..]];
                    assert_eq!(
                        read(&matched, form, &chunks),
                        whole,
                        "cut at {first} and {second} of `{}`",
                        body.escape_ascii()
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_in_an_element_that_is_a_list_has_a_path() {
        let proto = r#"
            syntax = "proto3";
            package t;
            import "google/protobuf/struct.proto";
            service S { rpc Collect(stream google.protobuf.ListValue) returns (google.protobuf.ListValue); }
        "#;
        let configuration = serde_json::json!({ "proto": proto });
        let plugin = Rc::new(Plugin::load(configuration.to_string().as_bytes(), 0).unwrap());
        let found = Matched::find(&plugin, b"POST", b"/t.S/Collect", &mut Captures::default());
        let matched = found.unwrap().unwrap();
        let message = read(&matched, Form::Array, &[b"[[], [1, [1e999]]]"]).unwrap_err();
        assert!(message.starts_with("request body: [1][1][0]: "), "{message}");
    }
}
