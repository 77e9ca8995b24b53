//! Path captures, query parameters and form fields as wire records of the request message.
//!
//! A parameter's name is decoded, then cut at its dots into the names of fields. All but the last must be messages. The
//! well-known types are what they are in JSON: Timestamp, Duration, FieldMask and the wrappers are values, and no name
//! leads to a field of theirs. An entry of a map is named by its key in brackets, `labels[key]`: all between the first
//! bracket and the last is the key.
//!
//! Each parameter becomes a record of its field. Those of the request message itself are written at once. Those of a
//! submessage are gathered (`submessages`), so that it is one record, whatever its parts come from. Where the body fills
//! the submessage too, what the path gives goes to where the body is read, as [`BoundRecords`]. What is given twice, and
//! must not be, is refused (`given`).

use std::collections::BTreeSet;
use std::fmt;

use super::binding::{self, Body, BoundVariable, Route};
use super::captures::Captures;
use crate::codec::{BoundField, BoundRecords, CodecError, ParseOptions, Present, UnknownFields, text_to_wire};
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, Tables, WellKnown};
use crate::text::percent::{self, Decoding};
use crate::text::shown::{NAME, listed, shown};
use crate::wire::{Tag, WireType, write_record};
use field_path::FieldPath;
use given::Given;
use scope::{Scope, Source};
use submessages::{ROOT, Submessages};

mod field_path;
mod given;
mod scope;
mod submessages;

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

/// Writes path captures, query parameters and form fields as wire records.
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
    submessages: Submessages,
}

impl Binder {
    /// Appends to `out` the wire records of the path captures of `route`, then those of the query. On error `out` may
    /// hold some of them. What the path binds within a message that the body fills too is in [`Bound::path`] instead.
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
        self.submessages.clear();
        let mut bound = Bound::default();
        for (variable, text) in binding.variables.iter().zip(captures.values()) {
            let Some((message, field)) = self.open(tables, route.method.input, variable) else {
                continue;
            };
            let write = |out: &mut Vec<u8>| text_to_wire(tables, field, text, parse, out);
            match (variable.record, message) {
                (Some(_), _) => bound.path.push(write),
                (None, ROOT) => write(out),
                (None, message) => self.submessages.leaf(message, write),
            }
            .map_err(|error| BindError::new(variable.name.as_bytes(), error.message))?;
        }

        let unread = binding.body == Body::Whole && options.unknown == UnknownParameters::Ignore;
        if let Some(query) = query.filter(|query| !unread && !query.is_empty()) {
            let scope = Scope {
                message: route.method.input,
                bound: &binding.bound,
                body: binding.body,
                has_body,
                source: Source::Query,
            };
            let mut noted = Noted {
                mask: binding.update_mask,
                ..Noted::default()
            };
            let options = PairOptions {
                parse,
                unknown: options.unknown,
                ignored: Some(&options.ignored).filter(|ignored| !ignored.is_empty()),
            };
            self.bind_pairs(tables, &scope, query, options, &mut noted, out)?;
            bound.update_mask_set = noted.mask_set;
        }
        self.submessages.write(tables, out);
        Ok(bound)
    }

    /// Appends to `out` what a form gives of the message that the body fills, and what the path binds there (`path`, as
    /// [`Binder::bind`] has given it): the contents of the whole message, or the record of the body field. `present` receives
    /// the paths of an update mask. On error `out` may hold some of it.
    ///
    /// A form is `application/x-www-form-urlencoded` (URL standard, section 5), its names and values as in a query.
    pub fn bind_form(
        &mut self,
        tables: &Tables,
        route: &Route,
        form: FormInput<'_>,
        present: Option<&mut Present>,
        out: &mut Vec<u8>,
    ) -> Result<(), BindError> {
        let Some((message, field, bound)) = form_message(tables, route) else {
            return Ok(());
        };
        self.submessages.clear();
        let mut contents = Vec::new();
        let to = if field.is_some() { &mut contents } else { &mut *out };
        self.open_bound(tables, message, bound, ROOT, form.path, to);
        let scope = Scope {
            message,
            bound,
            body: Body::None,
            has_body: false,
            source: Source::Form,
        };
        let mut noted = Noted {
            present,
            ..Noted::default()
        };
        let options = PairOptions {
            parse: form.parse,
            unknown: match form.parse.unknown_fields {
                UnknownFields::Ignore => UnknownParameters::Ignore,
                UnknownFields::Reject => UnknownParameters::Reject,
            },
            ignored: None,
        };
        self.bind_pairs(tables, &scope, form.pairs, options, &mut noted, to)?;
        self.submessages.write(tables, to);
        if let Some(field) = field {
            match field.kind {
                Kind::Group(_) => {
                    field.tag.append_to(out);
                    out.append(&mut contents);
                    Tag::new(field.number, WireType::EndGroup).append_to(out);
                }
                _ => write_record(field.number, &contents, out),
            }
        }
        Ok(())
    }

    /// The number of the message that holds the field of `variable`, and the field. Messages on the way are opened, unless
    /// the body fills them too.
    #[inline]
    fn open<'t>(
        &mut self,
        tables: &'t Tables,
        input: MessageIndex,
        variable: &BoundVariable,
    ) -> Option<(u32, &'t Field)> {
        let (last, around) = variable.fields.split_last()?;
        let (mut message, mut number) = (input, ROOT);
        for index in around {
            if variable.record.is_none() {
                number = match self.submessages.find(number, *index) {
                    Some(number) => number,
                    None => self.submessages.add(number, (message, *index)),
                };
            }
            message = binding::below(tables, tables.message(message).field(*index)?)?;
        }
        Some((number, tables.message(message).field(*last)?))
    }

    /// Opens the messages that hold what the path binds below the message `number`, and puts its records there; those of the
    /// outermost message go to `out`.
    fn open_bound(
        &mut self,
        tables: &Tables,
        message: MessageIndex,
        bound: &[BoundField],
        number: u32,
        path: &BoundRecords,
        out: &mut Vec<u8>,
    ) {
        for bound in bound {
            if !bound.below.is_empty() {
                let inner = self.submessages.add(number, (message, bound.field));
                let field = tables.message(message).field(bound.field);
                if let Some(below) = field.and_then(|field| binding::below(tables, field)) {
                    self.open_bound(tables, below, &bound.below, inner, path, out);
                }
            } else if number == ROOT {
                out.extend_from_slice(path.of(bound));
            } else {
                self.submessages.append(number, path.of(bound));
            }
        }
    }

    /// Appends the records of pairs, `name=value` with `&` between them, to `out`, or gathers them where they belong into
    /// submessages.
    fn bind_pairs(
        &mut self,
        tables: &Tables,
        scope: &Scope<'_>,
        pairs: &[u8],
        options: PairOptions<'_>,
        noted: &mut Noted<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), BindError> {
        self.given.begin(&self.submessages);
        let (mut unknown, mut unknowns) = (Vec::new(), 0);
        for pair in pairs.split(|byte| *byte == b'&').filter(|text| !text.is_empty()) {
            let (name, value) = match memchr::memchr(b'=', pair).and_then(|at| pair.split_at_checked(at)) {
                Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
                None => (pair, [].as_slice()),
            };
            let name = decoded(name, &mut self.name).map_err(|at| BindError::new(name, malformed_escape(name, at)))?;
            if let Some(ignored) = options.ignored
                && std::str::from_utf8(name).is_ok_and(|name| ignored.contains(name))
            {
                continue;
            }
            let refuse = |message| BindError::new(name, message);
            let found = self
                .field_path
                .find(tables, scope, name, options.parse)
                .map_err(refuse)?;
            if !found {
                if let Some(at) = percent::malformed_escape(value) {
                    return Err(refuse(malformed_escape(value, at)));
                }
                if options.unknown == UnknownParameters::Reject {
                    unknowns += 1;
                    if unknown.len() < LISTED_NAMES {
                        unknown.push(shown(name, NAME).into_owned());
                    }
                }
                continue;
            }
            let place = self
                .given
                .add(tables, scope, &self.field_path, &mut self.submessages)
                .map_err(refuse)?;
            let text = match decoded(value, &mut self.value) {
                Ok(text) => std::str::from_utf8(text).map_err(|_| refuse("the value isn't UTF-8".into()))?,
                Err(at) => return Err(refuse(malformed_escape(value, at))),
            };
            let field_path = &mut self.field_path;
            let mut is_left_out = false;
            let mut write = |out: &mut Vec<u8>| {
                let start = out.len();
                field_path.write(tables, text, options.parse, out)?;
                is_left_out = out.len() == start;
                Ok::<_, CodecError>(())
            };
            match place.message {
                ROOT => write(out),
                message => self.submessages.leaf(message, write),
            }
            .map_err(|error| refuse(error.message))?;
            // A list or a map is given, whatever of it is left out; so it is in JSON.
            if place.is_first && !(is_left_out && self.field_path.is_singular(tables)) {
                noted.note(tables, &self.field_path).map_err(refuse)?;
            }
        }
        match unknown.first() {
            None => Ok(()),
            Some(first) => Err(BindError {
                field: first.clone(),
                message: unknown_parameters(&unknown, unknowns, scope.source),
            }),
        }
    }
}

/// The message that a form fills, as the body of a request to `route`, with the field that holds it and what the path binds
/// within it; `None` where that is no message, or one with a JSON form of its own.
fn form_message<'r>(
    tables: &'r Tables,
    route: &'r Route,
) -> Option<(MessageIndex, Option<&'r Field>, &'r [BoundField])> {
    let (binding, input) = (&route.binding, route.method.input);
    match binding.body {
        Body::None => None,
        Body::Whole => matches!(tables.message(input).well_known(), None | Some(WellKnown::Empty)).then_some((
            input,
            None,
            &*binding.bound,
        )),
        Body::Field(index) => {
            let field = tables.message(input).field(index)?;
            let message = binding::below(tables, field).filter(|_| field.cardinality == Cardinality::Singular)?;
            Some((message, Some(field), &*binding.body_bound))
        }
    }
}

impl Route {
    /// Whether a form can be the body of a request.
    pub fn takes_form(&self, tables: &Tables) -> bool {
        form_message(tables, self).is_some()
    }
}

/// How pairs are read.
#[derive(Clone, Copy)]
struct PairOptions<'o> {
    parse: &'o ParseOptions,
    unknown: UnknownParameters,
    /// Names that are left out; `None` for none.
    ignored: Option<&'o BTreeSet<String>>,
}

/// What is to be known of pairs beside their records.
#[derive(Default)]
struct Noted<'n> {
    /// The field of the update mask.
    mask: Option<FieldIndex>,
    /// Whether a pair has set it.
    mask_set: bool,
    /// Receives the paths of an update mask.
    present: Option<&'n mut Present>,
    /// Memory for one of them.
    path: String,
}

impl Noted<'_> {
    fn note(&mut self, tables: &Tables, field_path: &FieldPath) -> Result<(), String> {
        if let (Some(mask), [(_, field)]) = (self.mask, field_path.steps.as_slice()) {
            self.mask_set |= mask == *field;
        }
        if let Some(present) = &mut self.present {
            self.path.clear();
            field_path.name(tables, &mut self.path);
            if !present.push("", &self.path) {
                return Err("the form's update mask is too long".into());
            }
        }
        Ok(())
    }
}

/// A body of the type `application/x-www-form-urlencoded`, for [`Binder::bind_form`].
#[derive(Clone, Copy, Debug)]
pub struct FormInput<'r> {
    /// The body: names and values.
    pub pairs: &'r [u8],
    /// What the path binds within the message that the form fills.
    pub path: &'r BoundRecords,
    /// How a value's text is read, and what becomes of names that are no field's.
    pub parse: &'r ParseOptions,
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
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Whether the query sets the field [`Binding::update_mask`](super::Binding::update_mask).
    pub update_mask_set: bool,
    /// What the path binds within messages that the body fills too: not written yet.
    pub path: BoundRecords,
}

/// Why a path, a query or a form doesn't fit the request message. It is the client's error: 400, INVALID_ARGUMENT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindError {
    /// What is at fault: the name of a path variable as the template has it, or the name of a parameter as the
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

/// What is wrong with `count` parameters of unknown names.
fn unknown_parameters(first: &[String], count: usize, source: Source) -> String {
    let names: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
    let kind = match source {
        Source::Query => "query parameter",
        Source::Form => "form field",
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("unknown {kind}{plural}: {}", listed(&names, count))
}

/// How many unknown parameters an error names.
const LISTED_NAMES: usize = 20;

#[cfg(test)]
mod tests;
