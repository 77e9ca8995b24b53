//! One `google.api.HttpRule`, compiled against the message tables and checked: which fields of the request message
//! path, query and body fill, and which field of the response message is printed.

use std::fmt;
use std::rc::Rc;

use super::error::RulePart;
use super::method::{HttpRule, Method};
use super::template::{Template, Variable};
use crate::codec::{BoundField, has_text_form, http_body};
use crate::schema::nearest;
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, MessageTable, Tables, WellKnown};
use crate::text::shown::{NAME, shown};

/// How the request message of a route is filled, and what of the response message is printed.
#[derive(Debug)]
pub struct Binding {
    /// The HTTP method; `*` for any.
    pub http_method: Box<str>,
    /// The path template, as the rule has it.
    pub template: Box<str>,
    /// What the request body fills.
    pub body: Body,
    /// The only field of the response message that is printed; `None` for the whole message.
    pub response_body: Option<FieldIndex>,
    /// The fields that the path binds, as a tree whose root is the request message.
    pub bound: Vec<BoundField>,
    /// The fields that the path binds within the body field, as a tree whose root is that field's message. Empty unless
    /// the body is a [`Body::Field`].
    pub body_bound: Vec<BoundField>,
    /// The field that names the fields present in the body (AIP-134): the singular `google.protobuf.FieldMask`
    /// `update_mask` of the request message. Only for a PATCH whose body field is a message, and unless the path binds
    /// it.
    pub update_mask: Option<FieldIndex>,
    /// The variables of the template, in its order.
    pub(super) variables: Box<[BoundVariable]>,
}

/// What the request body fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: a request's body is ignored.
    None,
    /// The whole request message, except for the fields that the path binds.
    Whole,
    /// This field of the request message.
    Field(FieldIndex),
}

impl Binding {
    /// Compiles `rule` for `method`; `template` is its parsed path template. What is wrong goes to `refuse`, with the part
    /// of the rule: then there is no binding.
    pub(super) fn build(
        tables: &Tables,
        method: &Method,
        rule: &HttpRule,
        template: &Template,
        refuse: &mut dyn FnMut(RulePart, &dyn fmt::Display),
    ) -> Option<Self> {
        let mut whole = true;
        let mut refuse = |part, error: &dyn fmt::Display| {
            whole = false;
            refuse(part, error);
        };
        let mut bound = Vec::new();
        let mut variables = Vec::with_capacity(template.variables.len());
        for variable in &template.variables {
            let fields = leaf(tables, method.input, variable).and_then(|fields| {
                bind(tables, method.input, &fields, &mut bound)?;
                Ok(fields)
            });
            match fields {
                Ok(fields) => variables.push(BoundVariable {
                    name: variable.name().into(),
                    fields: fields.into(),
                    record: None,
                    segments: CapturedSegments::new(template, variable),
                    multi_segment: variable.multi_segment,
                }),
                Err(error) => {
                    let path = shown(rule.template.as_bytes(), NAME);
                    let name = variable.name();
                    let name = shown(name.as_bytes(), NAME);
                    refuse(
                        RulePart::Path,
                        &format_args!("path `{path}`, variable `{name}`: {error}"),
                    );
                }
            }
        }

        let input = tables.message(method.input);
        let body = match rule.body.as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            name => match body_field(input, name, &bound) {
                Ok(field) => Body::Field(field),
                Err(error) => {
                    refuse(RulePart::Body, &error);
                    Body::None
                }
            },
        };
        give_records(body, &mut variables, &mut bound);
        let body_bound = match body {
            Body::Field(field) => bound.iter().find(|bound| bound.field == field),
            Body::None | Body::Whole => None,
        };
        let body_bound = body_bound.map(|bound| bound.below.clone()).unwrap_or_default();
        let response_body = match rule.response_body.as_str() {
            "" => None,
            name => match top_level(tables.message(method.output), name) {
                Ok(field) => Some(field),
                Err(error) => {
                    refuse(RulePart::ResponseBody, &error);
                    None
                }
            },
        };
        whole.then(|| Self {
            http_method: rule.http_method.as_str().into(),
            template: rule.template.as_str().into(),
            update_mask: update_mask(tables, input, &rule.http_method, body, &bound),
            body,
            response_body,
            bound,
            body_bound,
            variables: variables.into(),
        })
    }
}

/// Why a field can't be what a rule has it for. Printed with the name that was meant, which takes a search: only what is
/// shown is printed.
enum FieldError<'r> {
    /// The message has no such field.
    Unknown { table: &'r MessageTable, name: &'r str },
    /// What was expected and what was found.
    Other(String),
}

impl fmt::Display for FieldError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { table, name } => {
                let shown = shown(name.as_bytes(), NAME);
                write!(f, "`{}` has no field `{shown}`", table.full_name())?;
                match nearest(name, table.fields().iter().map(|field| &*field.name)) {
                    Some(meant) => write!(f, "; did you mean `{meant}`?"),
                    None => Ok(()),
                }
            }
            Self::Other(message) => f.write_str(message),
        }
    }
}

/// One way by which HTTP requests reach a method.
#[derive(Debug)]
pub struct Route {
    /// The method, shared by all its routes.
    pub method: Rc<Method>,
    /// How the request message is filled, and what of the response message is printed.
    pub binding: Binding,
}

/// A variable of a path template, and the field that it binds.
#[derive(Debug)]
pub(super) struct BoundVariable {
    /// The field path as it is written.
    pub(super) name: Box<str>,
    /// The fields on the way from the request message, the bound one last; never empty.
    pub(super) fields: Box<[FieldIndex]>,
    /// Which of the [`BoundRecords`](crate::codec::BoundRecords) is its own: where the field is in a message that the body
    /// fills too.
    pub(super) record: Option<usize>,
    /// The segments that it captures.
    pub(super) segments: CapturedSegments,
    /// Whether it may capture several segments, so that an escaped slash, `%2F`, stays escaped.
    pub(super) multi_segment: bool,
}

/// The segments of a path that a variable captures.
#[derive(Clone, Copy, Debug)]
pub(super) struct CapturedSegments {
    start: usize,
    end: usize,
    template_length: usize,
    /// The position of `**` in the template, `usize::MAX` without it. Positions after it count from the end of the
    /// path.
    multi: usize,
}

impl CapturedSegments {
    fn new(template: &Template, variable: &Variable) -> Self {
        Self {
            start: variable.start,
            end: variable.end,
            template_length: template.segments.len(),
            multi: template.multi().unwrap_or(usize::MAX),
        }
    }

    /// The first captured segment of a path of `length` segments that matches, and one past the last.
    pub(super) fn of(self, length: usize) -> (usize, usize) {
        let position = |at: usize| {
            if at <= self.multi {
                at
            } else {
                (at + length).saturating_sub(self.template_length)
            }
        };
        (position(self.start), position(self.end))
    }
}

/// The fields on the way to the one that `variable` binds, that one last. It has to have a text form.
fn leaf<'r>(
    tables: &'r Tables,
    input: MessageIndex,
    variable: &'r Variable,
) -> Result<Vec<FieldIndex>, FieldError<'r>> {
    let refuse = |message: String| Err(FieldError::Other(message));
    let mut message = input;
    let mut fields = Vec::with_capacity(variable.field_path.len());
    let mut names = variable.field_path.iter().peekable();
    while let Some(name) = names.next() {
        let table = tables.message(message);
        let (index, field) = named(table, name)?;
        fields.push(index);
        match field.cardinality {
            Cardinality::Singular => {}
            Cardinality::Repeated => {
                return refuse(format!(
                    "expected a singular field, but `{name}` is repeated: only body and query can fill it"
                ));
            }
            Cardinality::Map => {
                return refuse(format!(
                    "expected a singular field, but `{name}` is a map: only body and query can fill it"
                ));
            }
        }
        if names.peek().is_some() {
            message = match below(tables, field) {
                Some(message) => message,
                None => return refuse(format!("expected a message before the dot, but `{name}` has no fields")),
            };
        } else if !has_text_form(tables, field.kind) {
            let (Kind::Message(kind) | Kind::Group(kind)) = field.kind else {
                return refuse(format!("`{name}` has no text form"));
            };
            return refuse(format!(
                "expected a scalar, an enum or a well-known type that is a string in JSON, but `{name}` is the \
                 message `{}`",
                tables.message(kind).full_name()
            ));
        }
    }
    Ok(fields)
}

/// The message of a singular field, if a field path may lead further into it. It may not into well-known types, which
/// are values without named fields in JSON; `google.protobuf.Empty` is an exception.
pub(super) fn below(tables: &Tables, field: &Field) -> Option<MessageIndex> {
    match field.kind {
        Kind::Message(message) | Kind::Group(message) => {
            matches!(tables.message(message).well_known(), None | Some(WellKnown::Empty)).then_some(message)
        }
        _ => None,
    }
}

/// Adds the field at the end of `fields` to the tree of what the path binds. It is an error if another member of a
/// oneof is bound already.
fn bind(
    tables: &Tables,
    input: MessageIndex,
    fields: &[FieldIndex],
    bound: &mut Vec<BoundField>,
) -> Result<(), FieldError<'static>> {
    let mut message = input;
    let mut level = bound;
    for index in fields {
        let table = tables.message(message);
        let known = level.iter().position(|bound| bound.field == *index);
        let at = match known {
            Some(at) => at,
            None => {
                if let Some(member) = level.iter().find(|bound| shares_oneof(table, bound.field, *index)) {
                    return Err(FieldError::Other(format!(
                        "`{}` is a member of the same oneof as `{}`, which the path binds too: expected one of them",
                        name_of(table, *index),
                        name_of(table, member.field),
                    )));
                }
                level.push(BoundField {
                    field: *index,
                    below: Vec::new(),
                    record: None,
                });
                level.len() - 1
            }
        };
        if let Some(next) = table.field(*index).and_then(|field| below(tables, field)) {
            message = next;
        }
        match level.get_mut(at) {
            Some(bound) => level = &mut bound.below,
            None => break,
        }
    }
    Ok(())
}

/// Whether two different fields are members of one oneof.
pub(super) fn shares_oneof(table: &MessageTable, one: FieldIndex, other: FieldIndex) -> bool {
    let oneof = |index| table.field(index).and_then(|field| field.oneof);
    one != other && oneof(one).is_some() && oneof(one) == oneof(other)
}

/// Numbers the variables whose fields are in messages that the body fills too, and with them the leaves of `bound`.
fn give_records(body: Body, variables: &mut [BoundVariable], bound: &mut [BoundField]) {
    let mut records = 0..;
    for variable in variables {
        let shares = match (body, &*variable.fields) {
            (Body::Whole, [_, _, ..]) => true,
            (Body::Field(field), [first, _, ..]) => *first == field,
            _ => false,
        };
        variable.record = if shares { records.next() } else { None };
        let mut level = &mut *bound;
        for index in &variable.fields {
            let Some(found) = level.iter_mut().find(|bound| bound.field == *index) else {
                break;
            };
            if found.below.is_empty() {
                found.record = variable.record;
            }
            level = &mut found.below;
        }
    }
}

fn name_of(table: &MessageTable, index: FieldIndex) -> &str {
    table.field(index).map_or("", |field| &field.name)
}

/// The field that a `body` names, and what the path binds within it; `bound` is what the path binds.
fn body_field<'r>(input: &'r MessageTable, name: &'r str, bound: &[BoundField]) -> Result<FieldIndex, FieldError<'r>> {
    let index = top_level(input, name)?;
    if let Some(member) = bound
        .iter()
        .find(|bound| bound.field != index && shares_oneof(input, bound.field, index))
    {
        return Err(FieldError::Other(format!(
            "`{name}` is a member of the same oneof as `{}`, which the path binds: expected one of them",
            name_of(input, member.field),
        )));
    }
    match bound.iter().find(|bound| bound.field == index) {
        Some(field) if field.below.is_empty() => Err(FieldError::Other(format!(
            "expected a field that the path doesn't bind, found `{name}`"
        ))),
        _ => Ok(index),
    }
}

/// The field that a `body` or `response_body` names.
fn top_level<'r>(table: &'r MessageTable, name: &'r str) -> Result<FieldIndex, FieldError<'r>> {
    if let Some((first, _)) = name.split_once('.') {
        let such_as = match named(table, first) {
            Ok(_) => format!(", such as `{first}`"),
            Err(_) => String::new(),
        };
        return Err(FieldError::Other(format!(
            "expected a field of `{}` itself{such_as}, found the path `{}`",
            table.full_name(),
            shown(name.as_bytes(), NAME)
        )));
    }
    named(table, name).map(|(index, _)| index)
}

/// The field with this name in the `.proto`. Rules name fields so; `jsonName`s are for clients.
fn named<'r>(table: &'r MessageTable, name: &'r str) -> Result<(FieldIndex, &'r Field), FieldError<'r>> {
    let mut fields = table.fields().iter().zip(0..);
    match fields.find(|(field, _)| *field.name == *name) {
        Some((field, index)) => Ok((FieldIndex(index), field)),
        None => Err(FieldError::Unknown { table, name }),
    }
}

/// See [`Binding::update_mask`].
fn update_mask(
    tables: &Tables,
    input: &MessageTable,
    http_method: &str,
    body: Body,
    bound: &[BoundField],
) -> Option<FieldIndex> {
    let Body::Field(body) = body else {
        return None;
    };
    let (mask, field) = named(input, "update_mask").ok()?;
    let Kind::Message(mask_type) = field.kind else {
        return None;
    };
    let content = input
        .field(body)
        .filter(|body| body.cardinality == Cardinality::Singular)?;
    // Of a well-known type and of raw bytes no fields are present.
    let content = tables.message(below(tables, content)?);
    (http_method == "PATCH"
        && field.cardinality == Cardinality::Singular
        && field.oneof.is_none()
        && tables.message(mask_type).well_known() == Some(WellKnown::FieldMask)
        && content.full_name() != http_body::FULL_NAME
        && bound.iter().all(|bound| bound.field != mask))
    .then_some(mask)
}
