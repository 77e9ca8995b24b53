//! Whether every service finds the same records in a message that a client wrote.
//!
//! Most services in Node read messages by protobufjs, which goes by a record's field whatever its wire type says, and takes a
//! varint of 32 bits for one of ten bytes if it has more than five. Bytes of an unknown field to others are fields to it: a
//! record that hides so in another is one that no rule has seen.
//!
//! The work is linear in the message: each record is read once, and an Any's twice.

use super::any::{ANY_TYPE_URL, ANY_VALUE};
use super::error::{TransformError, TransformReason};
use crate::schema::tables::{Cardinality, Field, Kind, MessageIndex, Tables, WellKnown};
use crate::wire::{DEPTH_LIMIT, Reader, WireError, WireType};

/// A message that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// Its type, if the schema has it.
    message: Option<MessageIndex>,
    /// Of an Any: the type of its value.
    value: Option<MessageIndex>,
    end: usize,
    /// The number of a group, which ends by a tag; else 0.
    group: u32,
}

/// Checks the records of `wire`, a message of this type, and those of the messages within it. `open` is memory.
///
/// # Errors
///
/// Where a known field has another wire type than its own, or a varint more bytes than it needs at most.
pub(super) fn check(
    tables: &Tables,
    message: MessageIndex,
    wire: &[u8],
    open: &mut Vec<Open>,
) -> Result<(), TransformError> {
    open.clear();
    let malformed = |error: WireError| TransformError::new(TransformReason::Malformed, error.to_string());
    let mut reader = Reader::new(wire);
    open.push(enter(tables, message, reader).map_err(malformed)?);
    while let Some(at) = open.last().copied() {
        if reader.position() >= at.end {
            if at.group != 0 {
                return Err(malformed(WireError::Truncated));
            }
            open.pop();
            let end = open.last().map_or(wire.len(), |around| around.end);
            reader = Reader::at(wire.get(..end).unwrap_or_default(), reader.position());
            continue;
        }
        // A map entry lies between every two messages.
        if open.len() > 2 * DEPTH_LIMIT {
            return Err(malformed(WireError::TooDeep));
        }
        let (number, wire_type) = reader.tag().map_err(malformed)?;
        let table = at.message.map(|message| tables.message(message));
        let field = table.and_then(|table| table.field(table.field_by_number(number)?));
        if let (Some(table), Some(field)) = (table, field)
            && !has_wire_type(field, wire_type)
        {
            let message = format!(
                "`{}` of `{}` comes with wire type {}, expected {}: services differ in what they read then",
                field.name,
                table.full_name(),
                wire_type as u8,
                field.kind.wire_type() as u8
            );
            return Err(TransformError::new(TransformReason::Malformed, message));
        }
        match wire_type {
            WireType::Varint => varint(&mut reader, field).map_err(malformed)?,
            WireType::I64 => _ = reader.fixed64().map_err(malformed)?,
            WireType::I32 => _ = reader.fixed32().map_err(malformed)?,
            WireType::EndGroup if at.group == number => _ = open.pop(),
            WireType::EndGroup => return Err(malformed(WireError::UnexpectedEndGroup(number))),
            WireType::StartGroup => open.push(Open {
                message: field.and_then(message_of),
                value: None,
                end: at.end,
                group: number,
            }),
            WireType::Len => {
                let before = reader.position();
                let contents = reader.length_delimited().map_err(malformed)?;
                let (start, end) = (reader.position() - contents.len(), reader.position());
                if start - before > LONGEST_NARROW {
                    return Err(malformed(WireError::OverlongVarint));
                }
                let of_any = at.value.filter(|_| number == ANY_VALUE);
                if let Some(below) = of_any.or_else(|| field.and_then(message_of)) {
                    reader = Reader::at(wire.get(..end).unwrap_or_default(), start);
                    open.push(enter(tables, below, reader).map_err(malformed)?);
                } else if let Some(field) = field {
                    packed(field, contents).map_err(malformed)?;
                }
            }
        }
    }
    Ok(())
}

/// How many bytes a varint of 32 bits has at most, unless it is negative, which makes it one of 64.
const LONGEST_NARROW: usize = 5;
const LONGEST: usize = 10;

/// A message of this type, which is all that the reader has left.
fn enter(tables: &Tables, message: MessageIndex, mut reader: Reader<'_>) -> Result<Open, WireError> {
    let end = reader.position() + reader.rest().len();
    let mut value = None;
    if tables.message(message).well_known() == Some(WellKnown::Any) {
        while !reader.is_empty() {
            match reader.tag()? {
                (ANY_TYPE_URL, WireType::Len) => {
                    let url = std::str::from_utf8(reader.length_delimited()?).ok();
                    let name = url.and_then(|url| url.rsplit_once('/'));
                    value = name.and_then(|(_, name)| tables.message_index(name));
                }
                (number, wire_type) => reader.skip(number, wire_type, 0)?,
            }
        }
    }
    Ok(Open {
        message: Some(message),
        value,
        end,
        group: 0,
    })
}

fn has_wire_type(field: &Field, wire_type: WireType) -> bool {
    // A field's own end tag is that of its group.
    wire_type == field.kind.wire_type()
        || wire_type == WireType::EndGroup
        || wire_type == WireType::Len && field.cardinality == Cardinality::Repeated && is_scalar(field.kind)
}

fn is_scalar(kind: Kind) -> bool {
    matches!(kind.wire_type(), WireType::Varint | WireType::I32 | WireType::I64)
}

/// Reads a varint; one of a known field with 32 bits has as many bytes as it needs at most.
fn varint(reader: &mut Reader<'_>, field: Option<&Field>) -> Result<(), WireError> {
    let start = reader.position();
    reader.varint()?;
    let length = reader.position() - start;
    let narrow = field.is_some_and(|field| !matches!(field.kind, Kind::Int64 | Kind::Uint64 | Kind::Sint64));
    match narrow && length > LONGEST_NARROW && length < LONGEST {
        true => Err(WireError::OverlongVarint),
        false => Ok(()),
    }
}

/// Reads the values of a packed field; nothing of another.
fn packed(field: &Field, contents: &[u8]) -> Result<(), WireError> {
    let mut reader = Reader::new(contents);
    while is_scalar(field.kind) && !reader.is_empty() {
        match field.kind.wire_type() {
            WireType::I64 => _ = reader.fixed64()?,
            WireType::I32 => _ = reader.fixed32()?,
            _ => varint(&mut reader, Some(field))?,
        }
    }
    Ok(())
}

fn message_of(field: &Field) -> Option<MessageIndex> {
    match field.kind {
        Kind::Message(below) | Kind::Group(below) => Some(below),
        _ => None,
    }
}
