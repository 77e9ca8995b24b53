//! One request message: what path and query have bound, and what the body says.

use super::failure::Failure;
use super::matched::{BodyType, body_type};
use super::workspace::Workspace;
use crate::codec::{BoundField, check_required, http_body};
use crate::config::Plugin;
use crate::routing::{Body, Route};
use crate::schema::tables::{Kind, MessageTable};
use crate::wire::write_record;

/// Appends what a request body gives to a message: all of it, one field, or nothing. With `fill_mask`, an unset update
/// mask is filled from it.
pub fn write_body(
    plugin: &Plugin,
    route: &Route,
    content_type: &[u8],
    body: &[u8],
    fill_mask: bool,
    workspace: &mut Workspace,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let (settings, tables) = (&plugin.settings, &plugin.tables);
    let (binding, input) = (&route.binding, route.method.input);
    match (&binding.body, body_type(tables, route)) {
        (Body::None, _) => Ok(()),
        (Body::Whole, BodyType::Raw) => {
            write_raw(tables.message(input), &binding.bound, content_type, body, out);
            Ok(())
        }
        (Body::Whole, BodyType::Json) => workspace
            .to_wire
            .message(tables, input, body, &settings.parse, &binding.bound, None, out)
            .map_err(|error| Failure::body(&error)),
        (Body::Field(field), BodyType::Raw) => {
            if let Some(field) = tables.message(input).field(*field)
                && let Kind::Message(below) = field.kind
            {
                let mut value = Vec::with_capacity(content_type.len() + body.len() + 16);
                let bound = &binding.body_bound;
                write_raw(tables.message(below), bound, content_type, body, &mut value);
                write_record(field.number, &value, out);
            }
            Ok(())
        }
        (Body::Field(field), BodyType::Json) => {
            let mask = binding
                .update_mask
                .filter(|_| fill_mask && settings.update_mask_from_body)
                .and_then(|mask| tables.message(input).field(mask));
            let limit = settings.limits.max_message_bytes;
            workspace.present.reset(limit);
            let written = workspace.to_wire.field(
                tables,
                input,
                *field,
                body,
                &settings.parse,
                &binding.body_bound,
                mask.map(|_| &mut workspace.present),
                out,
            );
            if workspace.present.overflowed() {
                return Err(Failure::too_large(format!(
                    "the request message has, with the update mask of the body, more bytes than \
                     limits.max_message_bytes: {limit}"
                )));
            }
            written.map_err(|error| Failure::body(&error))?;
            let paths = workspace.present.paths();
            if let Some(mask) = mask
                && !paths.is_empty()
            {
                write_record(mask.number, &field_mask(paths), out);
            }
            Ok(())
        }
    }
}

/// Appends the contents of a `google.api.HttpBody`, but for its fields that the path binds.
fn write_raw(table: &MessageTable, bound: &[BoundField], content_type: &[u8], data: &[u8], out: &mut Vec<u8>) {
    let unbound = |number: u32| {
        !bound
            .iter()
            .filter_map(|bound| table.field(bound.field))
            .any(|field| field.number == number)
    };
    let content_type = unbound(http_body::CONTENT_TYPE).then_some(content_type);
    let data = unbound(http_body::DATA).then_some(data);
    http_body::write(content_type.unwrap_or_default(), data.unwrap_or_default(), out);
}

/// Checks a whole request message: its size, and that nothing required is missing.
pub fn check_message(plugin: &Plugin, route: &Route, message: &[u8]) -> Result<(), Failure> {
    let limit = plugin.settings.limits.max_message_bytes;
    if message.len() > limit {
        return Err(Failure::too_large(format!(
            "the request message has {} bytes, more than limits.max_message_bytes: {limit}",
            message.len()
        )));
    }
    let input = route.method.input;
    if plugin.tables.message(input).needs_required_check() {
        check_required(&plugin.tables, input, message).map_err(|error| Failure::body(&error))?;
    }
    Ok(())
}

/// A request of `size` bytes is over the limit.
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
