//! Protobuf wire format to JSON, in one pass over the wire bytes.
//!
//! The pass is optimistic: it prints records in the order in which they come, which is right as long as no singular
//! field repeats, no repeated or map field is interrupted, no map key repeats and no oneof switches. Serializers write
//! that way. Where a message turns out to be written otherwise, the output is cut back to where the message began and
//! the message is done again from a sorted index of its records ([`merge`]).
//!
//! This file is the entry. [`printer`] is the state of one pass and its steps; [`wire_order`] takes them in the optimistic
//! order, [`merge`] in that of its [`index`]. [`common`] is a short way for the most frequent members. [`scalar`] and
//! [`well_known`] print values, [`map_entry`] knows the entries of maps, [`body`] the places in the wire bytes. A [`stop`]
//! is why printing ended early.
//!
//! **Cost.** Redoing at one level of nesting what an inner level has redone already would multiply. So the bytes that
//! are done again count against a budget, the length of the input; when it is spent, everything is done again from
//! sorted indexes alone, which never redo. The work is that of three passes at most, and one sort.
//!
//! **Depth.** JSON objects and arrays nest to [`DEPTH_LIMIT`](crate::wire::DEPTH_LIMIT); that bounds every recursion here.
//!
//! The forms are ProtoJSON's (protobuf.dev, "ProtoJSON Format"); where it leaves a choice, those of protobuf's C++.

mod body;
mod common;
mod index;
mod map_entry;
mod merge;
mod printer;
mod scalar;
mod stop;
mod well_known;
mod wire_order;

#[cfg(test)]
mod differential;
#[cfg(test)]
pub(super) mod tests;

use body::Body;
use printer::{Printer, Redo, Scratch, Unknown};
use stop::Stop;

use crate::codec::error::CodecError;
use crate::codec::options::PrintOptions;
use crate::schema::tables::{FieldIndex, MessageIndex, Tables};

/// Prints messages as JSON. It holds nothing of them, only memory to use again: keep one, and printing allocates
/// nothing but output.
#[derive(Debug, Default)]
pub struct WireToJson {
    scratch: Scratch,
}

impl WireToJson {
    /// Bounds what a message may become, in bytes, from now on: over it, printing fails, and [`WireToJson::has_outgrown`]
    /// says so. It is looked at between elements, and so not kept to the byte.
    pub fn limit(&mut self, max_bytes: usize) {
        self.scratch.limit = Some(max_bytes);
    }

    /// Whether the last message failed since it became too long.
    pub fn has_outgrown(&self) -> bool {
        self.scratch.outgrown
    }

    /// Appends the JSON form of one message to `out`.
    ///
    /// Required fields are not looked at. Fails when `wire` is no such message, when a value has no JSON form (a
    /// `Timestamp` out of range, an `Any` of a type that the schema doesn't have), when a string isn't UTF-8, and
    /// beyond [`DEPTH_LIMIT`](crate::wire::DEPTH_LIMIT); `out` is then as it was.
    pub fn message(
        &mut self,
        tables: &Tables,
        message: MessageIndex,
        wire: &[u8],
        options: &PrintOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        self.print(tables, wire, options, out, Unknown::Refuse, |printer| {
            printer.message(message, Body::Whole(printer.whole()))
        })
    }

    /// Appends the JSON form of one field of a message to `out`, the value alone. An absent field prints its default:
    /// `""`, `0`, `[]`, `{}`, and `null` where its type has a JSON form that is no object.
    ///
    /// Fails as [`message`](Self::message) does, but looks at the other fields only as far as it must to step over
    /// them. A field that the message doesn't have is an error too.
    pub fn field(
        &mut self,
        tables: &Tables,
        message: MessageIndex,
        field: FieldIndex,
        wire: &[u8],
        options: &PrintOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        self.print(tables, wire, options, out, Unknown::Refuse, |printer| {
            printer.field_alone(tables.message(message), field, Body::Whole(printer.whole()))
        })
    }

    /// Appends the JSON form of a `google.protobuf.Any` to `out`, for the details of a status.
    ///
    /// A type that the schema doesn't have, at any depth, stays `{"@type":…,"value":"<base64>"}`, and so does the whole
    /// detail when its value cannot be printed. Fails only when `any_wire` itself is no `Any`.
    pub fn detail(
        &mut self,
        tables: &Tables,
        any_wire: &[u8],
        options: &PrintOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let mut print = |as_base64: bool| {
            self.print(tables, any_wire, options, out, Unknown::Base64, |printer| {
                let any = printer.read_any(Body::Whole(printer.whole()))?;
                match as_base64 {
                    false => printer.any(any),
                    true => printer.any_as_base64(any),
                }
            })
        };
        print(false).or_else(|_| print(true))
    }

    fn print<'a>(
        &'a mut self,
        tables: &'a Tables,
        wire: &'a [u8],
        options: &PrintOptions,
        out: &'a mut Vec<u8>,
        unknown_types: Unknown,
        print: impl Fn(&mut Printer<'a>) -> Result<(), Box<Stop>>,
    ) -> Result<(), CodecError> {
        let start = out.len();
        self.scratch.clear();
        self.scratch.room.reserve(wire.len(), out);
        let mut printer = Printer {
            tables,
            wire,
            options: *options,
            compact: !options.always_print_fields_with_no_presence && !options.add_whitespace,
            unknown_types,
            out,
            start,
            scratch: &mut self.scratch,
            redo: Redo::Within(wire.len()),
            depth: 0,
        };
        let mut result = print(&mut printer);
        if let Err(stop) = &result
            && matches!(**stop, Stop::RedoFromIndexes)
        {
            printer.out.truncate(start);
            printer.scratch.clear();
            printer.depth = 0;
            printer.redo = Redo::Never;
            result = print(&mut printer);
        }
        if result.is_ok() {
            let printed = printer.out.len() - start;
            printer.scratch.room.learn(wire.len(), printed);
        }
        result.map_err(|stop| {
            printer.out.truncate(start);
            match *stop {
                Stop::Error(error) => error,
                // Only an optimistic pass asks for it, and the second pass isn't one.
                Stop::RedoFromIndexes => CodecError {
                    path: String::new(),
                    offset: None,
                    message: "the message could not be put in order".into(),
                },
            }
        })
    }

    /// How many records have been read since the last call, for the tests of cost.
    #[cfg(test)]
    fn take_steps(&mut self) -> usize {
        std::mem::take(&mut self.scratch.steps)
    }
}
