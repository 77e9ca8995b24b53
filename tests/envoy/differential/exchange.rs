//! One request and what became of it in both, and what a class of differences may ask about it.

use std::str::FromStr;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};

use crate::differential::answer::Planned;
use crate::differential::case::{BodyOddity, Case, HeaderOddity, Note, PathOddity, QueryOddity};
use crate::differential::compare::{Aspect, Difference, Outcome};
use crate::differential::message::held;
use crate::differential::schema::{Route, Schema};
use crate::differential::writer::{Fault, Site, Variation};

/// One request, and what became of it in both.
pub struct Exchange<'e> {
    /// The schema.
    pub schema: &'e Schema,
    /// The request.
    pub case: &'e Case,
    /// What ours did.
    pub ours: &'e Outcome,
    /// What Envoy's did.
    pub native: &'e Outcome,
}

impl Exchange<'_> {
    /// The route that the request is meant for.
    pub fn route(&self) -> &Route {
        &self.schema.routes[self.case.route]
    }

    /// Whether the request has any note that `is` says yes to.
    pub fn has(&self, is: impl Fn(&Note) -> bool) -> bool {
        self.case.has(is)
    }

    /// Whether this is unusual about the path.
    pub fn path(&self, oddity: PathOddity) -> bool {
        self.has(|note| matches!(note, Note::Path(found) if *found == oddity))
    }

    /// Whether this is unusual about a parameter.
    pub fn query(&self, oddity: QueryOddity) -> bool {
        self.has(|note| matches!(note, Note::Query(found, _) if *found == oddity))
    }

    /// Whether the difference is in the field that such a parameter names.
    pub fn parameter(&self, oddity: QueryOddity, difference: &Difference) -> bool {
        let Aspect::Field(field) = &difference.aspect else {
            return false;
        };
        let names = |name: &str| [field.name(), field.json_name()].contains(&name.rsplit('.').next().unwrap_or(name));
        self.has(|note| matches!(note, Note::Query(found, name) if *found == oddity && names(name)))
    }

    /// Whether the path or the query of the request has this in it.
    pub fn asks_for(&self, text: &str) -> bool {
        self.case.request.target().contains(text)
    }

    /// Whether a parameter names a field of a group.
    pub fn asks_for_group(&self) -> bool {
        let names = |name: &str| name.split('.').any(|part| self.schema.has_group(part));
        self.has(|note| matches!(note, Note::Query(_, name) if names(name)))
    }

    /// Whether this is unusual about the body.
    pub fn body(&self, oddity: BodyOddity) -> bool {
        self.has(|note| matches!(note, Note::Body(found) if *found == oddity))
    }

    /// Whether the JSON has this fault, at a value of which `is` says yes.
    pub fn wrong(&self, fault: Fault, is: impl Fn(&Site) -> bool) -> bool {
        self.has(|note| matches!(note, Note::Wrong(found, site) if *found == fault && is(site)))
    }

    /// Whether the JSON is written so.
    pub fn varied(&self, variation: Variation) -> bool {
        self.has(|note| matches!(note, Note::Varied(found) if *found == variation))
    }

    /// Whether this is unusual about a header.
    pub fn header(&self, oddity: HeaderOddity) -> bool {
        self.has(|note| matches!(note, Note::Header(found) if *found == oddity))
    }

    /// What the upstream answers.
    pub fn answer(&self) -> &Planned {
        &self.case.answer
    }

    /// Whether neither has called the upstream.
    pub fn both_refuse(&self) -> bool {
        self.ours.received.is_none() && self.native.received.is_none()
    }

    /// Whether ours has refused the request with this status, and Envoy's has not, or with another one.
    pub fn ours_refuses(&self, difference: &Difference, status: u16) -> bool {
        matches!(difference.aspect, Aspect::Refusal)
            && self.ours.received.is_none()
            && self.ours.status() == status
            && (self.native.received.is_some() || self.native.status() != status)
    }

    /// Whether Envoy's has refused the request with this status and in these words, and ours has not, or with
    /// another one.
    pub fn native_refuses(&self, difference: &Difference, status: u16, words: &str) -> bool {
        matches!(difference.aspect, Aspect::Refusal)
            && self.native.received.is_none()
            && self.native.status() == status
            && difference.native.contains(words)
    }
}

/// Whether the difference is in this header of the answer.
pub fn header(difference: &Difference, name: &str) -> bool {
    matches!(&difference.aspect, Aspect::Header(header) if header == name)
}

/// Whether the difference is in this trailer of the answer.
pub fn trailer(difference: &Difference, name: &str) -> bool {
    matches!(&difference.aspect, Aspect::Trailer(trailer) if trailer == name)
}

/// Whether two texts are numbers, and the same one.
pub fn same_number<T: FromStr + PartialEq>(one: &str, other: &str) -> bool {
    matches!((one.parse::<T>(), other.parse::<T>()), (Ok(one), Ok(other)) if one == other)
}

/// Whether values of this kind are floats.
pub fn is_float(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(message) if message.full_name() == "google.protobuf.FloatValue")
        || *kind == Kind::Float
}

/// Whether somewhere in a message this field is set, and is a group or has one in it.
pub fn has_group_at(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    let here = message.has_field(field) && (field.is_group() || value_has_group(&message.get_field(field)));
    here || message
        .fields()
        .any(|(_, value)| messages_in(value).any(|below| has_group_at(below, field)))
}

/// Whether a group is set in a message.
pub fn has_group(message: &DynamicMessage) -> bool {
    held(message).is_some_and(|held| has_group(&held))
        || message
            .fields()
            .any(|(field, value)| field.is_group() || value_has_group(value))
}

fn value_has_group(value: &Value) -> bool {
    messages_in(value).any(has_group)
}

/// The messages that a value is, or has as its elements.
fn messages_in(value: &Value) -> Box<dyn Iterator<Item = &DynamicMessage> + '_> {
    match value {
        Value::Message(message) => Box::new([message].into_iter()),
        Value::List(values) => Box::new(values.iter().filter_map(Value::as_message)),
        Value::Map(entries) => Box::new(entries.values().filter_map(Value::as_message)),
        _ => Box::new([].into_iter()),
    }
}
