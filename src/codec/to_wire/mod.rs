//! JSON to wire format, in one pass over the bytes, with no tree in between (ENGINE.md, "JSON -> wire").
//!
//! [`JsonToWire`] reads a request body against a message's table and appends records as it goes. What makes it one pass:
//!
//! - **Keys** are guessed: the next key is mostly the field after the last one; only a wrong guess costs a look-up.
//! - **Lengths** of nested messages and packed lists are not known before their contents: one or two bytes are reserved,
//!   by what the same field needed last time, and patched. See [`lengths`].
//! - **Duplicates** of fields and of oneof members are seen by a bitset for each open message; those of map keys when the
//!   map closes. See [`duplicates`].
//!
//! The work is linear in the input, whatever the input is: nothing is scanned again more than a fixed number of times
//! (`Any`, whose type may come last, once: see [`type_index`]), and nothing is moved again and again. Recursion is bounded by
//! [`DEPTH_LIMIT`](crate::wire::DEPTH_LIMIT), the number of objects and arrays that are open at once.
//!
//! This file is the entry. [`parser`] is the pass itself, with [`common`] as its short way for the most frequent values.
//! [`scan`] is JSON's lexical level, [`scalar`] the text of numbers and bytes. [`well_known`] and [`any`] are the types with
//! a JSON form of their own. A [`fault`] is an error on its way up.

use crate::codec::bound::{BoundField, BoundRecords, Present};
use crate::codec::error::CodecError;
use crate::codec::options::ParseOptions;
use crate::schema::tables::{Cardinality, FieldIndex, Kind, MessageIndex, Tables};
use fault::{Fault, Result};
pub(crate) use lengths::Lengths;
use parser::{Parser, Scratch, slot_of};
use scan::Scanner;

mod any;
mod common;
#[cfg(test)]
mod differential;
mod duplicates;
mod fault;
mod lengths;
mod parser;
pub(super) mod scalar;
mod scan;
#[cfg(test)]
pub(super) mod tests;
mod type_index;
pub(super) mod well_known;

/// Reads JSON messages. Keeps what it learns about lengths, and its scratch memory, from message to message.
#[derive(Debug, Default)]
pub struct JsonToWire {
    scratch: Scratch,
}

impl JsonToWire {
    /// Appends the wire form of the message that the input is, by ProtoJSON.
    ///
    /// Blank JSON is the empty message, and so is `null` unless the options reject it or the message is
    /// `google.protobuf.Value`.
    ///
    /// # Errors
    ///
    /// When the input is not JSON or not such a message, with its path and byte offset; `out` is then as it was.
    #[inline]
    pub fn message(
        &mut self,
        tables: &Tables,
        message: MessageIndex,
        input: JsonInput<'_>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), CodecError> {
        let bound = input.bound;
        self.parse(tables, input, out, |parser| {
            let table = tables.message(message);
            if parser.scan.is_at_end() || parser.is_null_for_nothing(table) {
                parser.bound_fields(table, bound);
                return Ok(());
            }
            parser.collecting &= table.well_known().is_none();
            parser.message(table, bound)
        })
    }

    /// Appends one field of `message`, with its tags, from the JSON value that the input is (`body: "field"`).
    ///
    /// Blank JSON is the empty message for a singular message field, which is then present; `null` leaves any field unset of
    /// which it is no value, but for what the path binds there. What the input calls bound is bound below the field, and the paths of an update mask are relative
    /// to the field's message.
    ///
    /// # Errors
    ///
    /// As for [`JsonToWire::message`]; blank JSON where the field is not a message.
    pub fn field(
        &mut self,
        tables: &Tables,
        message: MessageIndex,
        field: FieldIndex,
        input: JsonInput<'_>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), CodecError> {
        let bound = input.bound;
        self.parse(tables, input, out, |parser| {
            let holder = tables.message(message);
            let Some(table) = holder.field(field) else {
                return Ok(());
            };
            let slot = slot_of(holder, field.0);
            if parser.scan.is_at_end() {
                if let (Cardinality::Singular, Kind::Message(_) | Kind::Group(_)) = (table.cardinality, table.kind) {
                    parser.bound_message(table, slot, bound);
                    return Ok(());
                }
                let what = parser.expectation(table);
                return Err(Fault::new(
                    parser.scan.at,
                    format!("expected {what}, found an empty body"),
                ));
            }
            // Paths are relative to the field: only a message with fields of its own has any.
            parser.collecting &= parser.is_plain_message(table);
            parser.value_and_bound(table, slot, bound)
        })
    }

    fn parse<'p, 'j>(
        &'p mut self,
        tables: &'p Tables,
        input: JsonInput<'j>,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Parser<'p, 'j>) -> Result<()>,
    ) -> std::result::Result<(), CodecError> {
        let JsonInput {
            json,
            options,
            records,
            present,
            ..
        } = input;
        let start = out.len();
        // Positions in the input are kept in 32 bits.
        if u32::try_from(json.len()).is_err() {
            return Err(Fault::new(0, "the input is longer than 4 GiB").into_error());
        }
        self.scratch.room.reserve(json.len(), out);
        self.scratch.clear();
        let collecting = present.is_some();
        let mut parser = Parser {
            tables,
            options: *options,
            scan: Scanner::new(json, 0),
            // Owned while it lasts: one pointer less to follow for each byte.
            out: std::mem::take(out),
            start,
            scratch: &mut self.scratch,
            depth: 0,
            records,
            collecting,
            present,
        };
        parser.scan.skip_whitespace();
        let result = body(&mut parser).and_then(|()| parser.end());
        if result.is_ok() {
            parser.scratch.room.learn(json.len(), parser.out.len() - start);
        }
        *out = parser.out;
        result.map_err(|fault| {
            out.truncate(start);
            fault.into_error()
        })
    }
}

/// One JSON value, and how it is read.
#[derive(Debug)]
pub struct JsonInput<'i> {
    /// The text.
    pub json: &'i [u8],
    /// What is let pass.
    pub options: &'i ParseOptions,
    /// Fields that belong to the path: their keys are passed over, whatever their value's type, and their oneofs are taken.
    pub bound: &'i [BoundField],
    /// What the path gives those of them that aren't in the message yet.
    pub records: &'i BoundRecords,
    /// Receives, if given, the paths of an update mask (SEMANTICS, "The mask names the leaves …").
    pub present: Option<&'i mut Present>,
}

impl<'i> JsonInput<'i> {
    /// A value of which nothing is bound and no mask is wanted.
    pub fn new(json: &'i [u8], options: &'i ParseOptions) -> Self {
        Self {
            json,
            options,
            bound: &[],
            records: BoundRecords::NONE,
            present: None,
        }
    }
}
