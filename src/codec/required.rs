//! Required fields of proto2: looked for when the message is complete, which it is only after path, query and body.

use crate::codec::error::CodecError;
use crate::codec::span::Span;
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, Tables};
use crate::wire::{DEPTH_LIMIT, Groups, Reader, WireError, WireType};

/// Checks that every required field is there, in `wire` and in the messages within it.
///
/// `wire` may hold a message field in several pieces, which merge. Contents of `google.protobuf.Any` are not looked at.
/// Worth calling only where [`needs_required_check`](crate::schema::tables::MessageTable::needs_required_check) says so.
///
/// # Errors
///
/// When a required field is missing, with its path; when `wire` is not wire format.
pub fn check_required(tables: &Tables, message: MessageIndex, wire: &[u8]) -> Result<(), CodecError> {
    let whole = Span {
        start: 0,
        end: wire.len(),
    };
    let mut checker = Checker {
        tables,
        wire,
        groups: Groups::default(),
    };
    checker.message(message, &[whole], 0)
}

/// Reads each record once, for the message that it is of: nothing is copied, and nothing read again at each level.
struct Checker<'a> {
    tables: &'a Tables,
    wire: &'a [u8],
    groups: Groups,
}

impl<'a> Checker<'a> {
    /// A message that is in several parts, which merge as if they stood one after the other.
    fn message(&mut self, message: MessageIndex, parts: &[Span], depth: usize) -> Result<(), CodecError> {
        let tables = self.tables;
        let table = tables.message(message);
        if !table.needs_required_check() {
            return Ok(());
        }
        // A map entry lies between every two messages, and a body's own depth is bounded already.
        if depth > 2 * DEPTH_LIMIT {
            return Err(WireError::TooDeep.into());
        }
        let mut present = vec![false; table.fields().len()];
        // The pieces of singular messages; those of one field are checked as the one message that they make.
        let mut pieces: Vec<(FieldIndex, Span)> = Vec::new();
        let mut elements = 0;
        let mut last = None;
        for part in parts {
            let mut reader = self.reader(*part);
            while !reader.is_empty() {
                let (number, wire_type) = reader.tag()?;
                let Some((index, field)) = table
                    .field_by_number(number)
                    .and_then(|index| Some((index, table.field(index)?)))
                else {
                    reader.skip(number, wire_type, 0)?;
                    continue;
                };
                if let Some(present) = present.get_mut(index.0 as usize) {
                    *present = true;
                }
                elements = if last == Some(number) { elements + 1 } else { 0 };
                last = Some(number);
                let (contents, below) = match (field.kind, wire_type) {
                    (Kind::Message(below), WireType::Len) | (Kind::Group(below), WireType::StartGroup) => {
                        (self.contents(&mut reader, number, wire_type)?, below)
                    }
                    _ => {
                        reader.skip(number, wire_type, 0)?;
                        continue;
                    }
                };
                if !tables.message(below).needs_required_check() {
                    continue;
                }
                match field.cardinality {
                    Cardinality::Singular => pieces.push((index, contents)),
                    Cardinality::Repeated => self
                        .message(below, &[contents], depth + 1)
                        .map_err(|error| below_field(error, field, Some(&elements.to_string())))?,
                    Cardinality::Map => self.entry(field, below, contents, depth)?,
                }
            }
        }
        if let Some((missing, _)) = table
            .fields()
            .iter()
            .zip(&present)
            .find(|(field, present)| field.required && !**present)
        {
            return Err(CodecError {
                path: missing.json_name.to_string(),
                offset: None,
                message: format!("the required field is missing ({})", table.full_name()),
            });
        }
        pieces.sort_by_key(|(index, _)| index.0);
        for pieces in pieces.chunk_by(|(left, _), (right, _)| left == right) {
            let Some((field, Kind::Message(below) | Kind::Group(below))) = pieces
                .first()
                .and_then(|(index, _)| table.field(*index))
                .map(|field| (field, field.kind))
            else {
                continue;
            };
            let parts: Vec<_> = pieces.iter().map(|(_, part)| *part).collect();
            self.message(below, &parts, depth + 1)
                .map_err(|error| below_field(error, field, None))?;
        }
        Ok(())
    }

    /// An entry of a map from anything to messages.
    fn entry(&mut self, field: &Field, entry: MessageIndex, contents: Span, depth: usize) -> Result<(), CodecError> {
        // The entry itself requires nothing; its value does, and it is there even when its bytes are not.
        let Some(value) = self.tables.message(entry).field(FieldIndex(1)) else {
            return Ok(());
        };
        let Kind::Message(below) = value.kind else {
            return Ok(());
        };
        let mut reader = self.reader(contents);
        let mut parts = Vec::new();
        while !reader.is_empty() {
            match reader.tag()? {
                (2, WireType::Len) => parts.push(self.contents(&mut reader, 2, WireType::Len)?),
                (number, wire_type) => reader.skip(number, wire_type, 0)?,
            }
        }
        self.message(below, &parts, depth + 1)
            .map_err(|error| below_field(error, field, Some(&self.key(contents))))
    }

    /// The key of a map entry, as an error's path has it.
    #[cold]
    fn key(&self, entry: Span) -> String {
        let mut reader = self.reader(entry);
        let mut key = String::new();
        while let Ok((number, wire_type)) = reader.tag() {
            match (number, wire_type) {
                (1, WireType::Len) => {
                    key = format!(
                        "{:?}",
                        String::from_utf8_lossy(reader.length_delimited().unwrap_or_default())
                    );
                }
                (1, WireType::Varint) => key = reader.varint().unwrap_or_default().to_string(),
                _ if reader.skip(number, wire_type, 0).is_err() => break,
                _ => {}
            }
        }
        key
    }

    fn contents(&mut self, reader: &mut Reader<'a>, number: u32, wire_type: WireType) -> Result<Span, CodecError> {
        if wire_type == WireType::StartGroup {
            let start = reader.position();
            let contents = reader.group(number, 1, &mut self.groups)?;
            return Ok(Span {
                start,
                end: start + contents.len(),
            });
        }
        let contents = reader.length_delimited()?;
        let end = reader.position();
        Ok(Span {
            start: end - contents.len(),
            end,
        })
    }

    fn reader(&self, part: Span) -> Reader<'a> {
        Reader::at(self.wire.get(..part.end).unwrap_or(self.wire), part.start)
    }
}

/// The path of an error grows by the field, with its index or key.
#[cold]
fn below_field(mut error: CodecError, field: &Field, at: Option<&str>) -> CodecError {
    let at = at.map(|at| format!("[{at}]")).unwrap_or_default();
    let dot = if error.path.is_empty() { "" } else { "." };
    error.path = format!("{}{at}{dot}{}", field.json_name, error.path);
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::options::ParseOptions;
    use crate::codec::to_wire::tests::compile;
    use crate::codec::to_wire::{JsonInput, JsonToWire};

    const PROTO: &str = r#"
        syntax = "proto2";
        package t;
        message M {
            required string id = 1;
            optional M child = 2;
            repeated M list = 3;
            map<string, M> table = 4;
            optional group Part = 5 { required int32 size = 1; }
            optional Free free = 6;
        }
        message Free { optional int32 x = 1; }"#;

    #[test]
    fn a_missing_required_field_is_named_by_its_path() {
        let (_, tables) = compile(&[("t.proto", PROTO)]);
        let message = tables.message_index("t.M").unwrap();
        let cases = [
            (r#"{"id":"a"}"#, None),
            ("{}", Some("id")),
            (r#"{"id":"a","child":{}}"#, Some("child.id")),
            (r#"{"id":"a","child":{"id":"b","free":{}}}"#, None),
            (r#"{"id":"a","list":[{"id":"b"},{}]}"#, Some("list[1].id")),
            (r#"{"id":"a","table":{"k":{}}}"#, Some("table[\"k\"].id")),
            (
                r#"{"id":"a","table":{"k":{"id":"b","child":{}}}}"#,
                Some("table[\"k\"].child.id"),
            ),
            (r#"{"id":"a","part":{}}"#, Some("part.size")),
            (r#"{"id":"a","part":{"size":1}}"#, None),
        ];
        for (json, missing) in cases {
            let mut wire = Vec::new();
            JsonToWire::default()
                .message(
                    &tables,
                    message,
                    JsonInput::new(json.as_bytes(), &ParseOptions::default()),
                    &mut wire,
                )
                .unwrap();
            let result = check_required(&tables, message, &wire);
            assert_eq!(result.map_err(|error| error.path).err().as_deref(), missing, "{json}");
        }
    }

    #[test]
    fn pieces_of_one_message_are_checked_together() {
        let (_, tables) = compile(&[("t.proto", PROTO)]);
        let message = tables.message_index("t.M").unwrap();
        // child { child { id: "x" } } and child { id: "y" }, with the top's id between them.
        let wire = [0x12, 5, 0x12, 3, 0x0a, 1, b'x', 0x0a, 1, b'z', 0x12, 3, 0x0a, 1, b'y'];
        assert_eq!(check_required(&tables, message, &wire), Ok(()));
        assert_eq!(
            check_required(&tables, message, &wire[..10]).unwrap_err().path,
            "child.id"
        );
    }

    #[test]
    fn broken_wire_and_endless_nesting_are_errors() {
        let (_, tables) = compile(&[("t.proto", PROTO)]);
        let message = tables.message_index("t.M").unwrap();
        assert!(check_required(&tables, message, &[0x0a, 5]).is_err());
        let mut wire = vec![0x0a, 0];
        for _ in 0..1000 {
            let mut outer = vec![0x0a, 0, 0x12];
            crate::wire::write_varint(wire.len() as u64, &mut outer);
            outer.extend(&wire);
            wire = outer;
        }
        let error = check_required(&tables, message, &wire).unwrap_err();
        assert!(error.message.contains("nested"), "{error}");
    }
}
