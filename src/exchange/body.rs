//! One request message: what path and query have bound, and what the body says.

use super::failure::Failure;
use super::matched::{BodyType, Matched};
use super::workspace::Workspace;
use crate::codec::{BoundField, BoundRecords, CodecError, JsonInput, ParseOptions, Present, check_required, http_body};
use crate::grpc::frame;
use crate::routing::{Binder, Body, FormInput};
use crate::schema::tables::{FieldIndex, Kind, MessageTable};
use crate::wire::write_record;

/// What a client sent for one message.
#[derive(Clone, Copy, Debug)]
pub struct Content<'b> {
    /// The value of `content-type`, which a `google.api.HttpBody` holds.
    pub content_type: &'b [u8],
    /// The body, or one element of it.
    pub bytes: &'b [u8],
    /// In which form it is.
    pub form: ContentForm,
    /// What the path binds within messages that it fills too.
    pub path: &'b BoundRecords,
    /// Whether the update mask is filled from it, where the method has one.
    pub fills_mask: bool,
    /// Which element of a stream it is, counted from 0.
    pub element: Option<usize>,
}

/// In which form a client sent what isn't raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentForm {
    Json,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
}

impl<'b> Content<'b> {
    /// The element of a stream with this number, counted from 0.
    pub fn element(bytes: &'b [u8], path: &'b BoundRecords, number: usize) -> Self {
        Self {
            content_type: b"",
            bytes,
            form: ContentForm::Json,
            path,
            fills_mask: false,
            element: Some(number),
        }
    }

    /// It as JSON; of what it fills, the path binds `bound`.
    fn json<'i>(&self, bound: &'i [BoundField], options: &'i ParseOptions) -> JsonInput<'i>
    where
        'b: 'i,
    {
        JsonInput {
            bound,
            records: self.path,
            ..JsonInput::new(self.bytes, options)
        }
    }

    /// 400: it is no such message. The path begins with the number of an element, `[2].title`; the offset is within it.
    #[cold]
    fn bad(&self, mut error: CodecError) -> Failure {
        if let Some(number) = self.element {
            let dot = match error.path.as_bytes() {
                // A message that is a list in JSON has no fields.
                [] | [b'[', ..] => "",
                _ => ".",
            };
            error.path = format!("[{number}]{dot}{}", error.path);
        }
        Failure::body(&error)
    }
}

/// Completes the frame that begins at `at` in `out` and has what path and query bind by now.
///
/// # Errors
///
/// 400 where `content` is no such message, 413 where the message becomes too large, 503 where there is no memory to change it.
pub fn complete_frame(
    matched: &Matched,
    content: Content<'_>,
    at: usize,
    workspace: &mut Workspace,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    write_content(matched, content, workspace, out)?;
    workspace.changes.request(matched, at, out)?;
    check_message(
        matched,
        content,
        out.get(at + frame::PREFIX_LENGTH..).unwrap_or_default(),
    )?;
    frame::finish(out, at);
    Ok(())
}

/// Appends what `content` gives to the message: all of it, one field, or nothing.
fn write_content(
    matched: &Matched,
    content: Content<'_>,
    workspace: &mut Workspace,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let (settings, tables) = (&matched.plugin.settings, matched.tables());
    let (binding, input) = (&matched.route.binding, matched.method().input);
    match (binding.body, matched.request_body(), content.form) {
        (Body::None, ..) => Ok(()),
        (Body::Whole, BodyType::Json, ContentForm::Json) => {
            let json = content.json(&binding.bound, &settings.parse);
            let written = workspace.to_wire.message(tables, input, json, out);
            written.map_err(|error| content.bad(error))
        }
        (Body::Whole, BodyType::Json, ContentForm::Urlencoded) => {
            write_form(matched, content, None, &mut workspace.binder, out)
        }
        (Body::Field(field), BodyType::Json, _) => write_field(matched, field, content, workspace, out),
        (Body::Whole, BodyType::Raw, _) => {
            write_raw(tables.message(input), &binding.bound, content, out);
            Ok(())
        }
        (Body::Field(field), BodyType::Raw, _) => {
            if let Some(field) = tables.message(input).field(field)
                && let Kind::Message(below) = field.kind
            {
                let mut value = Vec::with_capacity(content.content_type.len() + content.bytes.len() + 16);
                write_raw(tables.message(below), &binding.body_bound, content, &mut value);
                write_record(field.number, &value, out);
            }
            Ok(())
        }
    }
}

/// Appends the field that the body fills, and the update mask where that is the body's.
fn write_field(
    matched: &Matched,
    field: FieldIndex,
    content: Content<'_>,
    workspace: &mut Workspace,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let (settings, tables) = (&matched.plugin.settings, matched.tables());
    let (binding, input) = (&matched.route.binding, matched.method().input);
    let mask = binding
        .update_mask
        .filter(|_| content.fills_mask && settings.update_mask_from_body)
        .and_then(|mask| tables.message(input).field(mask));
    let limit = settings.limits.max_message_bytes;
    workspace.present.reset(limit);
    let present = mask.map(|_| &mut workspace.present);
    let written = match content.form {
        ContentForm::Json => {
            let json = JsonInput {
                present,
                ..content.json(&binding.body_bound, &settings.parse)
            };
            let written = workspace.to_wire.field(tables, input, field, json, out);
            written.map_err(|error| content.bad(error))
        }
        ContentForm::Urlencoded => write_form(matched, content, present, &mut workspace.binder, out),
    };
    if workspace.present.overflowed() {
        return Err(Failure::too_large(format!(
            "the request message has, with the update mask of the body, more bytes than limits.max_message_bytes: {limit}"
        )));
    }
    written?;
    let paths = workspace.present.paths();
    if let Some(mask) = mask
        && !paths.is_empty()
    {
        write_record(mask.number, &field_mask(paths), out);
    }
    Ok(())
}

/// Appends what a form gives. JSON under a form's name, as by `curl -d` without a header, would be one unknown name, which is
/// mostly ignored: it is refused instead. No field's name begins as JSON does.
fn write_form(
    matched: &Matched,
    content: Content<'_>,
    present: Option<&mut Present>,
    binder: &mut Binder,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    if let [b'{' | b'[', ..] = content.bytes.trim_ascii_start() {
        return Err(Failure::unsupported_media_type(
            "the body is JSON, but its content-type is application/x-www-form-urlencoded: expected application/json",
        ));
    }
    // It would make the first name another one, which is mostly ignored.
    if content.bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(content.bad(CodecError {
            path: String::new(),
            offset: Some(0),
            message: "expected a form, found a byte order mark".into(),
        }));
    }
    let form = FormInput {
        pairs: content.bytes,
        path: content.path,
        parse: &matched.plugin.settings.parse,
    };
    binder
        .bind_form(matched.tables(), &matched.route, form, present, out)
        .map_err(|error| Failure::parameter(&error))
}

/// Appends a `google.api.HttpBody`, but for its fields that the path binds.
fn write_raw(table: &MessageTable, bound: &[BoundField], content: Content<'_>, out: &mut Vec<u8>) {
    let unbound = |number: u32| {
        !bound
            .iter()
            .filter_map(|bound| table.field(bound.field))
            .any(|field| field.number == number)
    };
    for bound in bound {
        out.extend_from_slice(content.path.of(bound));
    }
    let content_type = unbound(http_body::CONTENT_TYPE).then_some(content.content_type);
    let data = unbound(http_body::DATA).then_some(content.bytes);
    http_body::write(content_type.unwrap_or_default(), data.unwrap_or_default(), out);
}

/// Checks a whole request message: its size, and that nothing required is missing.
fn check_message(matched: &Matched, content: Content<'_>, message: &[u8]) -> Result<(), Failure> {
    let limit = matched.plugin.settings.limits.max_message_bytes;
    if message.len() > limit {
        return Err(Failure::too_large(format!(
            "the request message has {} bytes, more than limits.max_message_bytes: {limit}",
            message.len()
        )));
    }
    let input = matched.method().input;
    if matched.tables().message(input).needs_required_check() {
        check_required(matched.tables(), input, message).map_err(|error| content.bad(error))?;
    }
    Ok(())
}

/// 413: a body of `size` bytes.
pub fn too_large(size: usize, limit: usize) -> Failure {
    Failure::too_large(format!(
        "the request body has {size} bytes, more than limits.max_request_bytes: {limit}"
    ))
}

/// A `google.protobuf.FieldMask`: `paths` is its field 1.
fn field_mask(paths: &[String]) -> Vec<u8> {
    let mut mask = Vec::new();
    for path in paths {
        write_record(1, path.as_bytes(), &mut mask);
    }
    mask
}
