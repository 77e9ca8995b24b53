//! A request whose headers have gone on: its body follows. Of a stream, each element becomes a frame when it is whole;
//! another body becomes one frame at its end.

use std::rc::Rc;

use super::body;
use super::failure::Failure;
use super::workspace::Workspace;
use crate::config::Plugin;
use crate::grpc::frame;
use crate::http::elements::{ElementReader, Form};
use crate::routing::Route;

/// The most bytes of a raw upload that one message carries.
const MAX_RAW_MESSAGE: usize = 1 << 20;

/// The body of a request whose headers have gone on.
#[derive(Debug)]
pub struct Upload {
    route: Rc<Route>,
    /// What path and query bind, in wire form: the first message has both.
    first: Vec<u8>,
    /// What the path binds: every further message has that.
    later: Vec<u8>,
    intake: Intake,
    sent: bool,
}

#[derive(Debug)]
enum Intake {
    Elements(ElementReader),
    /// `google.api.HttpBody`: the bytes as they come, under this content-type.
    Raw(Vec<u8>),
    /// One message. The host is not left to gather it: behind headers that have gone on, it stops reading instead.
    Whole {
        body: Vec<u8>,
        content_type: Vec<u8>,
        fill_mask: bool,
    },
    /// The exchange has failed: what still comes goes nowhere.
    Closed,
}

impl Upload {
    /// A body that is one message, with what path and query bind of it. `fill_mask`: neither gives the update mask.
    pub fn whole(route: Rc<Route>, parameters: Vec<u8>, content_type: &[u8], fill_mask: bool) -> Self {
        Self {
            route,
            first: parameters,
            later: Vec::new(),
            intake: Intake::Whole {
                body: Vec::new(),
                content_type: content_type.to_vec(),
                fill_mask,
            },
            sent: false,
        }
    }

    /// A body that is a stream of messages. `form` is `None` for raw bytes of type `content_type`.
    pub fn stream(
        plugin: &Plugin,
        route: Rc<Route>,
        first: Vec<u8>,
        later: Vec<u8>,
        form: Option<Form>,
        content_type: &[u8],
    ) -> Self {
        Self {
            route,
            first,
            later,
            intake: match form {
                Some(form) => Intake::Elements(ElementReader::new(form, plugin.settings.limits.max_request_bytes)),
                None => Intake::Raw(content_type.to_vec()),
            },
            sent: false,
        }
    }

    /// Lets nothing more through.
    pub fn close(&mut self) {
        self.intake = Intake::Closed;
    }

    /// Appends to `out` the frames that the next bytes of the body complete. `end`: they are the last.
    pub fn chunk(
        &mut self,
        plugin: &Plugin,
        chunk: &[u8],
        end: bool,
        workspace: &mut Workspace,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let Self {
            route,
            first,
            later,
            intake,
            sent,
        } = self;
        let mut send = |element: &[u8], content_type: &[u8]| {
            let parameters = if *sent { &*later } else { &*first };
            *sent = true;
            write_message(plugin, route, parameters, content_type, element, false, workspace, out)
        };
        match intake {
            Intake::Closed => Ok(()),
            Intake::Whole {
                body,
                content_type,
                fill_mask,
            } => {
                let limit = plugin.settings.limits.max_request_bytes;
                if body.len() + chunk.len() > limit {
                    return Err(body::too_large(body.len() + chunk.len(), limit));
                }
                body.extend_from_slice(chunk);
                if end {
                    write_message(plugin, route, first, content_type, body, *fill_mask, workspace, out)?;
                }
                Ok(())
            }
            Intake::Raw(content_type) => {
                for part in chunk.chunks(MAX_RAW_MESSAGE) {
                    // The type is that of the whole upload: the first message says it.
                    send(part, &std::mem::take(content_type))?;
                }
                Ok(())
            }
            Intake::Elements(reader) => {
                let bad = |error| Failure::body_form(&error);
                let mut elements = reader.read(chunk);
                while let Some(element) = elements.next_element().map_err(bad)? {
                    send(element, b"")?;
                }
                if end && let Some(element) = reader.finish().map_err(bad)? {
                    send(element, b"")?;
                }
                Ok(())
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "one message's parts, from two callers")]
fn write_message(
    plugin: &Plugin,
    route: &Route,
    parameters: &[u8],
    content_type: &[u8],
    body: &[u8],
    fill_mask: bool,
    workspace: &mut Workspace,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let at = frame::begin(out);
    out.extend_from_slice(parameters);
    body::write_body(plugin, route, content_type, body, fill_mask, workspace, out)?;
    body::check_message(plugin, route, out.get(at + frame::PREFIX_LENGTH..).unwrap_or_default())?;
    frame::finish(out, at);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Captures, Match};

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        service S { rpc Collect(stream M) returns (M); }
        message M { int32 number = 1; string text = 2; }
    "#;

    /// What a body gives that comes in these chunks, or what is wrong with it.
    fn read(plugin: &Plugin, route: &Rc<Route>, form: Form, chunks: &[&[u8]]) -> Result<Vec<u8>, String> {
        // number: 9 in the first message, 8 in the others, as if path and query had bound them.
        let (first, later) = (vec![8, 9], vec![8, 8]);
        let mut upload = Upload::stream(plugin, Rc::clone(route), first, later, Some(form), b"");
        let (mut workspace, mut out) = (Workspace::default(), Vec::new());
        for (index, chunk) in chunks.iter().enumerate() {
            upload
                .chunk(plugin, chunk, index + 1 == chunks.len(), &mut workspace, &mut out)
                .map_err(|failure| failure.status.message.clone())?;
        }
        Ok(out)
    }

    #[test]
    fn a_body_cut_anywhere_gives_the_same_frames() {
        let configuration = serde_json::json!({ "proto": PROTO });
        let plugin = Plugin::load(configuration.to_string().as_bytes(), 0).unwrap();
        let mut captures = Captures::default();
        let Match::Route(route) = plugin.router.find("POST", b"/t.S/Collect", &mut captures) else {
            panic!("no route");
        };
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
            let whole = read(&plugin, route, form, &[body]);
            assert_eq!(whole.as_ref().ok(), expected.as_ref(), "{whole:?}");
            for first in 0..=body.len() {
                for second in first..=body.len() {
                    let chunks = [&body[..first], &body[first..second], &body[second..]];
                    assert_eq!(
                        read(&plugin, route, form, &chunks),
                        whole,
                        "cut at {first} and {second} of `{}`",
                        body.escape_ascii()
                    );
                }
            }
        }
    }
}
