//! Path captures and query parameters as wire records of the request message.
//!
//! Each capture and each parameter becomes a record of its own, within as many records of messages as its field is
//! deep. Nothing is collected first, because protobuf merges the records of one message. What must not be merged is
//! refused: a singular field that is given twice, and two members of one oneof.
//!
//! A parameter's name is decoded, then cut at its dots into the names of fields. All but the last must be messages. The
//! well-known types are what they are in JSON: Timestamp, Duration, FieldMask and the wrappers are values, and no name
//! leads to a field of theirs. An entry of a map is named by its key in brackets, `labels[key]`: all between the first
//! bracket and the last is the key.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::binding::{self, Binding, Body, Route};
use super::captures::Captures;
use crate::codec::{CodecError, ParseOptions, has_text_form, text_to_wire};
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, MessageTable, Tables, WellKnown};
use crate::text::percent::{self, Decoding};
use crate::text::shown::{NAME, VALUE, shown};
use crate::wire::{DEPTH_LIMIT, Tag, WireType, varint_length, write_record, write_varint};

/// Which query parameters are bound, and what becomes of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// What becomes of a parameter that binds to nothing.
    pub unknown: UnknownParameters,
    /// The decoded names of parameters that are neither bound nor unknown: they are left out.
    pub ignored: BTreeSet<String>,
}

/// What becomes of a query parameter that binds to nothing, because its name is no field's, or because the path or the
/// body fills that field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownParameters {
    /// It is left out.
    #[default]
    Ignore,
    /// It is an error.
    Reject,
}

/// Writes path captures and query parameters as wire records.
///
/// One serves all requests, so that their memory is reused. Nothing of one request shows in the next.
#[derive(Debug, Default)]
pub struct Binder {
    /// Memory for decoding a parameter's name.
    name: Vec<u8>,
    /// Memory for decoding a parameter's value.
    value: Vec<u8>,
    given: Given,
    field_path: FieldPath,
}

impl Binder {
    /// Appends to `out` the wire records of the path captures of `route`, then those of the query. On error `out` may
    /// hold some of them.
    ///
    /// With [`Body::Whole`] every query parameter binds to nothing, and the query isn't even read if such parameters
    /// are ignored. A query that is read must not hold a malformed escape anywhere, except in the values of parameters
    /// that the options ignore by name.
    pub fn bind(
        &mut self,
        tables: &Tables,
        route: &Route,
        parameters: Parameters<'_>,
        options: BindOptions<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Bound, BindError> {
        let Parameters {
            captures,
            query,
            has_body,
        } = parameters;
        let BindOptions { parse, query: options } = options;
        let binding = &route.binding;
        for (variable, text) in binding.variables.iter().zip(captures.values()) {
            self.field_path.follow(tables, route.method.input, &variable.fields);
            self.field_path
                .write(tables, text, parse, out)
                .map_err(|error| BindError::new(variable.name.as_bytes(), error.message))?;
        }

        let mut bound = Bound { update_mask_set: false };
        let unread = binding.body == Body::Whole && options.unknown == UnknownParameters::Ignore;
        let Some(query) = query.filter(|query| !unread && !query.is_empty()) else {
            return Ok(bound);
        };
        self.given.clear();
        let mut unknown = Vec::new();
        for parameter in query.split(|byte| *byte == b'&').filter(|text| !text.is_empty()) {
            let (name, value) = match memchr::memchr(b'=', parameter).and_then(|at| parameter.split_at_checked(at)) {
                Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
                None => (parameter, [].as_slice()),
            };
            let name = decoded(name, &mut self.name).map_err(|at| BindError::new(name, malformed_escape(name, at)))?;
            if !options.ignored.is_empty() && std::str::from_utf8(name).is_ok_and(|name| options.ignored.contains(name))
            {
                continue;
            }
            let refuse = |message| BindError::new(name, message);
            if !self.field_path.find(tables, route, name, parse).map_err(refuse)? {
                if let Some(at) = percent::malformed_escape(value) {
                    return Err(refuse(malformed_escape(value, at)));
                }
                if options.unknown == UnknownParameters::Reject {
                    unknown.push(shown(name, NAME).into_owned());
                }
                continue;
            }
            self.given
                .add(tables, binding, &self.field_path, has_body)
                .map_err(refuse)?;
            let text = match decoded(value, &mut self.value) {
                Ok(text) => std::str::from_utf8(text).map_err(|_| refuse("the value isn't UTF-8".into()))?,
                Err(at) => return Err(refuse(malformed_escape(value, at))),
            };
            self.field_path
                .write(tables, text, parse, out)
                .map_err(|error| refuse(error.message))?;
            if let [(_, field)] = self.field_path.steps.as_slice() {
                bound.update_mask_set |= binding.update_mask == Some(*field);
            }
        }
        match unknown.first() {
            None => Ok(bound),
            Some(first) => Err(BindError {
                field: first.clone(),
                message: unknown_parameters(&unknown),
            }),
        }
    }
}

/// What a request gives outside of its body, for [`Binder::bind`].
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'r> {
    /// What the variables of the route's path captured.
    pub captures: &'r Captures,
    /// The query as received: what follows the `?` of the request target, if there is one.
    pub query: Option<&'r [u8]>,
    /// Whether the request has a body that isn't blank. The body field then counts as given: no parameter may set
    /// another member of its oneof.
    pub has_body: bool,
}

/// How [`Binder::bind`] reads names and values.
#[derive(Clone, Copy, Debug)]
pub struct BindOptions<'o> {
    /// How a value's text is read.
    pub parse: &'o ParseOptions,
    /// Which query parameters are bound.
    pub query: &'o QueryOptions,
}

/// What there is to know of a request that [`Binder::bind`] has bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Whether the query sets the field [`Binding::update_mask`].
    pub update_mask_set: bool,
}

/// Why a path or a query doesn't fit the request message. It is the client's error: 400, INVALID_ARGUMENT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindError {
    /// What is at fault: the name of a path variable as the template has it, or the name of a query parameter as the
    /// client has sent it, decoded and cut to a length fit for a message.
    pub field: String,
    /// What was found and what was expected.
    pub message: String,
}

impl BindError {
    fn new(field: &[u8], message: String) -> Self {
        Self {
            field: shown(field, NAME).into_owned(),
            message,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for BindError {}

/// The way to a field of the request message, and memory for writing the record of a value there.
#[derive(Debug, Default)]
struct FieldPath {
    /// The fields from the request message on, each with the message that it belongs to. The last one has the value.
    steps: Vec<(MessageIndex, FieldIndex)>,
    /// The record of the key, where the last field is a map; then its entry.
    entry: Vec<u8>,
    /// Memory for the record of the last field.
    leaf: Vec<u8>,
    /// Memory for the lengths of the messages around it, from the inside out.
    lengths: Vec<usize>,
}

impl FieldPath {
    /// Sets the way to the field at the end of `fields`.
    fn follow(&mut self, tables: &Tables, input: MessageIndex, fields: &[FieldIndex]) {
        self.steps.clear();
        let mut message = input;
        for index in fields {
            self.steps.push((message, *index));
            let field = tables.message(message).field(*index);
            if let Some(below) = field.and_then(|field| binding::below(tables, field)) {
                message = below;
            }
        }
    }

    /// Sets the way to the field that the parameter `name` binds, and the key if it is an entry of a map. Returns `false`
    /// if it binds to nothing; it is an error if it names a field that a query can't give, or no key.
    fn find(&mut self, tables: &Tables, route: &Route, name: &[u8], parse: &ParseOptions) -> Result<bool, String> {
        self.steps.clear();
        self.entry.clear();
        let body = match route.binding.body {
            Body::None => None,
            Body::Whole => return Ok(false),
            Body::Field(field) => Some(field),
        };
        let mut message = route.method.input;
        let mut path_bound = route.binding.bound.as_slice();
        let mut at = 0;
        let mut segments = name.split(|byte| *byte == b'.').peekable();
        while let Some(segment) = segments.next() {
            if self.steps.len() == DEPTH_LIMIT {
                return Err(format!("expected a nesting of at most {DEPTH_LIMIT} messages"));
            }
            let table = tables.message(message);
            let Some(index) = table.field_by_name(segment) else {
                return match map_entry(table, name.get(at..).unwrap_or_default()) {
                    Some((index, key)) => self.find_entry(tables, message, index, key, body, parse),
                    None => Ok(false),
                };
            };
            let Some(field) = table.field(index) else {
                return Ok(false);
            };
            at += segment.len() + 1;
            if self.steps.is_empty() && body == Some(index) {
                return Ok(false);
            }
            path_bound = match path_bound.iter().find(|bound| bound.field == index) {
                Some(leaf) if leaf.below.is_empty() => return Ok(false),
                Some(inner) => &inner.below,
                None => &[],
            };
            self.steps.push((message, index));
            if field.cardinality == Cardinality::Map {
                return self.write_key(tables, field, None, parse).map(|()| true);
            }
            if segments.peek().is_none() {
                if !has_text_form(tables, field.kind) {
                    return Err(not_in_a_query(tables, field));
                }
            } else if field.cardinality == Cardinality::Singular
                && let Some(below) = binding::below(tables, field)
            {
                message = below;
            } else {
                return Err(not_in_a_query(tables, field));
            }
        }
        Ok(true)
    }

    /// Ends the way at an entry of a map, the field `index` of `message`, if it is one. `body` is the field that the body
    /// fills.
    #[inline(never)]
    fn find_entry(
        &mut self,
        tables: &Tables,
        message: MessageIndex,
        index: FieldIndex,
        key: &[u8],
        body: Option<FieldIndex>,
        parse: &ParseOptions,
    ) -> Result<bool, String> {
        let field = tables.message(message).field(index);
        // Brackets after what is no map are what other frameworks write for lists: `tags[]`.
        let Some(field) = field.filter(|field| field.cardinality == Cardinality::Map) else {
            return Ok(false);
        };
        if self.steps.is_empty() && body == Some(index) {
            return Ok(false);
        }
        self.steps.push((message, index));
        self.write_key(tables, field, Some(key), parse)?;
        Ok(true)
    }

    /// Sets the entry of the map `field` to the record of its key, from what is in brackets. On error says how a parameter
    /// names an entry, or what the key should be.
    #[inline(never)]
    fn write_key(
        &mut self,
        tables: &Tables,
        field: &Field,
        key: Option<&[u8]>,
        parse: &ParseOptions,
    ) -> Result<(), String> {
        let name = &field.name;
        let Some((key_field, value_field)) = entry_fields(tables, field) else {
            return Err(format!("`{name}` is a map, which a query can't give"));
        };
        if matches!(value_field.kind, Kind::Message(_) | Kind::Group(_)) {
            return Err(format!("`{name}` is a map of messages, which a query can't give"));
        }
        let Some(key) = key.and_then(|key| key.strip_suffix(b"]")) else {
            return Err(format!(
                "`{name}` is a map: expected one of its entries, as in `{name}[key]`"
            ));
        };
        let key = std::str::from_utf8(key).map_err(|_| format!("the key of `{name}` isn't UTF-8"))?;
        if key_field.kind == Kind::Bool && !["true", "false"].contains(&key) {
            return Err(format!(
                "the key of `{name}`: expected true or false, found \"{}\"",
                shown(key.as_bytes(), VALUE)
            ));
        }
        text_to_wire(tables, key_field, key, parse, &mut self.entry)
            .map_err(|error| format!("the key of `{name}`: {}", error.message))
    }

    /// Appends the record of the field to `out`, with `text` as the value; nothing where the value is to be left out
    /// (an enum name that isn't known and may be ignored).
    fn write(
        &mut self,
        tables: &Tables,
        text: &str,
        parse: &ParseOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let Some(((message, index), around)) = self.steps.split_last() else {
            return Ok(());
        };
        let Some(field) = tables.message(*message).field(*index) else {
            return Ok(());
        };
        let is_map = field.cardinality == Cardinality::Map;
        if around.is_empty() && !is_map {
            return text_to_wire(tables, field, text, parse, out);
        }
        self.leaf.clear();
        if is_map {
            write_entry(tables, field, text, parse, &mut self.entry, &mut self.leaf)?;
        } else {
            text_to_wire(tables, field, text, parse, &mut self.leaf)?;
        }
        if self.leaf.is_empty() {
            return Ok(());
        }
        let around = || {
            around
                .iter()
                .filter_map(|(message, index)| tables.message(*message).field(*index))
        };
        self.lengths.clear();
        let mut length = self.leaf.len();
        for field in around().rev() {
            self.lengths.push(length);
            let tag = field.tag.as_bytes().len();
            length += match field.kind {
                // The tag that ends a group is as long as the one that starts it.
                Kind::Group(_) => 2 * tag,
                _ => tag + varint_length(length as u64),
            };
        }
        for (field, length) in around().zip(self.lengths.iter().rev()) {
            out.extend_from_slice(field.tag.as_bytes());
            if !matches!(field.kind, Kind::Group(_)) {
                write_varint(*length as u64, out);
            }
        }
        out.extend_from_slice(&self.leaf);
        for field in around().rev() {
            if matches!(field.kind, Kind::Group(_)) {
                out.extend_from_slice(Tag::new(field.number, WireType::EndGroup).as_bytes());
            }
        }
        Ok(())
    }
}

/// What the query has given so far. Messages within the request message have numbers, the request message itself 0.
#[derive(Debug, Default)]
struct Given {
    /// By message and field: the number of the message in it, for one that has been gone through.
    fields: HashMap<(u32, FieldIndex), u32>,
    /// By message and oneof: the member that is set.
    oneofs: HashMap<(u32, u32), FieldIndex>,
    /// By message and map: the keys, in wire format. Not hashed: a second type of key would have the compiler share the
    /// code that hashes, and all other parameters pay for it.
    keys: BTreeSet<(u32, u32, Vec<u8>)>,
}

impl Given {
    fn clear(&mut self) {
        self.fields.clear();
        self.oneofs.clear();
        self.keys.clear();
    }

    /// Adds the field at the end of `field_path`, unless that gives a singular field or a key of a map twice, or two
    /// members of one oneof: by the query itself, with the path, or with the body field.
    fn add(
        &mut self,
        tables: &Tables,
        binding: &Binding,
        field_path: &FieldPath,
        has_body: bool,
    ) -> Result<(), String> {
        let FieldPath { steps, entry: key, .. } = field_path;
        let mut message = 0;
        let mut path_bound = binding.bound.as_slice();
        let mut body = match binding.body {
            Body::Field(field) if has_body => Some(field),
            _ => None,
        };
        for ((table, index), below) in steps.iter().zip((0..steps.len()).rev()) {
            let table = tables.message(*table);
            let Some(field) = table.field(*index) else {
                return Ok(());
            };
            let conflict = |member: FieldIndex, by: &str| {
                let other = table.field(member).map_or("", |field| &field.name);
                Err(format!(
                    "`{}` and `{other}`, which {by} gives, are members of one oneof: expected one of them",
                    field.name
                ))
            };
            if let Some(oneof) = field.oneof {
                let shares = |member: FieldIndex| binding::shares_oneof(table, member, *index);
                if let Some(bound) = path_bound.iter().find(|bound| shares(bound.field)) {
                    return conflict(bound.field, "the path");
                }
                if let Some(member) = body.filter(|member| shares(*member)) {
                    return conflict(member, "the body");
                }
                let member = *self.oneofs.entry((message, oneof)).or_insert(*index);
                if member != *index {
                    return conflict(member, "the query too");
                }
            }
            path_bound = match path_bound.iter().find(|bound| bound.field == *index) {
                Some(bound) => &bound.below,
                None => &[],
            };
            body = None;
            if field.cardinality == Cardinality::Map {
                return self.add_key(message, *index, field, key);
            }
            let number = self.fields.len() as u32 + 1;
            match self.fields.entry((message, *index)) {
                Entry::Vacant(entry) => message = *entry.insert(number),
                Entry::Occupied(entry) if below > 0 => message = *entry.get(),
                Entry::Occupied(_) if field.cardinality == Cardinality::Singular => {
                    return Err(format!("expected `{}` once, found it again", field.name));
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn add_key(&mut self, message: u32, index: FieldIndex, field: &Field, key: &[u8]) -> Result<(), String> {
        match self.keys.insert((message, index.0, key.to_vec())) {
            true => Ok(()),
            false => Err(format!("expected each key of `{}` once, found it again", field.name)),
        }
    }
}

/// The field that a name with a bracket names before it, and what is after it: a key and a closing bracket.
#[inline(never)]
fn map_entry<'n>(table: &MessageTable, name: &'n [u8]) -> Option<(FieldIndex, &'n [u8])> {
    let (map, key) = name.split_at_checked(memchr::memchr(b'[', name)?)?;
    Some((table.field_by_name(map)?, key.get(1..)?))
}

/// Appends an entry of the map `field` to `out`, with `text` as the value; `entry` is the record of its key.
// Apart, as most parameters are no entries, and pay for what is inlined around their own way.
#[inline(never)]
fn write_entry(
    tables: &Tables,
    field: &Field,
    text: &str,
    parse: &ParseOptions,
    entry: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let Some((_, value)) = entry_fields(tables, field) else {
        return Ok(());
    };
    let key = entry.len();
    text_to_wire(tables, value, text, parse, entry)?;
    // A value that is left out takes its entry with it, as in JSON.
    if entry.len() > key {
        write_record(field.number, entry, out);
    }
    Ok(())
}

/// The fields of a map's entries: key and value.
fn entry_fields<'t>(tables: &'t Tables, map: &Field) -> Option<(&'t Field, &'t Field)> {
    let Kind::Message(entry) = map.kind else {
        return None;
    };
    let table = tables.message(entry);
    Some((table.field(FieldIndex(0))?, table.field(FieldIndex(1))?))
}

/// Why this field isn't one that a parameter binds, or has no fields below that one could.
fn not_in_a_query(tables: &Tables, field: &Field) -> String {
    let name = &field.name;
    let (Kind::Message(message) | Kind::Group(message)) = field.kind else {
        return format!("`{name}` has no fields: expected `{name}` alone");
    };
    let table = tables.message(message);
    match table.well_known() {
        Some(WellKnown::Any | WellKnown::ListValue | WellKnown::Struct | WellKnown::Value) => {
            format!("`{name}` is a `{}`, which a query can't give", table.full_name())
        }
        Some(WellKnown::Duration | WellKnown::FieldMask | WellKnown::Timestamp | WellKnown::Wrapper) => {
            format!("`{name}` has no fields in JSON: expected `{name}` alone")
        }
        _ if field.cardinality == Cardinality::Repeated => {
            format!("`{name}` is a list of messages, which a query can't give")
        }
        _ => match table.fields().first() {
            Some(first) => format!(
                "`{name}` is a message: expected one of its fields, as in `{name}.{}`",
                first.name
            ),
            None => format!("`{name}` is a message without fields, which a query can't give"),
        },
    }
}

/// `text` decoded, in `scratch` if it has to be. On error, where an escape is malformed.
fn decoded<'t>(text: &'t [u8], scratch: &'t mut Vec<u8>) -> Result<&'t [u8], usize> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Ok(text);
    }
    scratch.clear();
    percent::decode(text, Decoding::Query, scratch)?;
    Ok(scratch)
}

fn malformed_escape(text: &[u8], position: usize) -> String {
    format!(
        "malformed escape `{}`: expected `%` and two hexadecimal digits",
        percent::shown(text, position)
    )
}

fn unknown_parameters(names: &[String]) -> String {
    let listed: Vec<_> = names
        .iter()
        .take(LISTED_NAMES)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match names.len().saturating_sub(LISTED_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let plural = if names.len() == 1 { "parameter" } else { "parameters" };
    format!("unknown query {plural}: {}{more}", listed.join(", "))
}

/// How many unknown parameters an error names.
const LISTED_NAMES: usize = 20;

#[cfg(test)]
mod tests;
