//! Queries.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};

use super::text::{encoded_name, percent, text_of, wrong_text};
use super::{Bound, Builder, Note, QueryOddity, clear, set};
use crate::schema::{entered, is_leaf};

impl Builder<'_> {
    /// Writes what a query can carry of `message` into the query, but for the body's field and what the path binds.
    /// Returns what the query and the path make of it.
    pub(super) fn query(
        &mut self,
        target: &mut String,
        message: &DynamicMessage,
        body: Option<&FieldDescriptor>,
        bound: &[Bound],
    ) -> DynamicMessage {
        let mut rest = message.clone();
        for (fields, _) in bound {
            clear(&mut rest, fields);
        }
        if let Some(field) = body {
            rest.clear_field(field);
        }
        let mut result = DynamicMessage::new(message.descriptor());
        for (fields, value) in bound {
            set(&mut result, fields, value.clone());
        }
        let mut parameters = Vec::new();
        // The fields of a request that is one value in JSON are not for parameters.
        if message.descriptor().package_name() != "google.protobuf" {
            self.parameters(&rest, &mut Vec::new(), &mut parameters);
        }
        let mut pairs = Vec::new();
        for (fields, values) in parameters {
            let field = &fields[fields.len() - 1];
            let mut names: Vec<_> = fields.iter().map(|field| field.json_name().to_owned()).collect();
            if self.odd(4) {
                names = fields.iter().map(|field| field.name().to_owned()).collect();
                self.notes.push(Note::Query(QueryOddity::ProtoName, names.join(".")));
            }
            let name = names.join(".");
            if fields.len() > 1 {
                self.notes.push(Note::Query(QueryOddity::Nested, name.clone()));
            }
            if field.is_list() {
                self.notes.push(Note::Query(QueryOddity::List, name.clone()));
            }
            if matches!(field.kind(), Kind::Message(_)) {
                self.notes.push(Note::Query(QueryOddity::WellKnown, name.clone()));
            }
            for value in &values {
                let text = self.parameter_text(&name, &field.kind(), value);
                pairs.push(format!("{}={text}", encoded_name(&name)));
            }
            let value = match field.is_list() {
                true => Value::List(values),
                false => values.into_iter().next().unwrap(),
            };
            set(&mut result, &fields, value);
        }
        if message.descriptor().package_name() == "r" && self.odd(2) && self.refused.is_none() {
            self.odd_parameter(&mut pairs, &mut result, body, bound);
        }
        if !pairs.is_empty() {
            target.push('?');
            target.push_str(&pairs.join("&"));
        }
        result
    }

    /// The fields of a message that parameters can carry, each with the fields on the way to it.
    fn parameters(
        &mut self,
        message: &DynamicMessage,
        way: &mut Vec<FieldDescriptor>,
        out: &mut Vec<(Vec<FieldDescriptor>, Vec<Value>)>,
    ) {
        for (field, value) in message.fields() {
            way.push(field.clone());
            if let (Some(below), Some(_)) = (value.as_message(), entered(&field)) {
                // Deep ones make long requests of little more.
                if way.len() < 4 {
                    self.parameters(below, way, out);
                }
            } else if !field.is_map() && is_leaf(&field) && !field.is_group() && out.len() < 12 {
                let values = value.as_list().map_or(vec![value.clone()], <[_]>::to_vec);
                let have_text = values
                    .iter()
                    .all(|value| text_of(self.random, &field.kind(), value).is_some());
                if have_text && !values.is_empty() {
                    out.push((way.clone(), values));
                }
            }
            way.pop();
        }
    }

    fn parameter_text(&mut self, name: &str, kind: &Kind, value: &Value) -> String {
        let mut text = text_of(self.random, kind, value).unwrap();
        match value {
            Value::EnumNumber(number) if self.odd(3) => {
                self.notes.push(Note::Query(QueryOddity::EnumNumber, name.to_owned()));
                text = number.to_string();
            }
            Value::Bool(value) if self.odd(3) => {
                self.notes.push(Note::Query(QueryOddity::BoolNumber, name.to_owned()));
                text = u8::from(*value).to_string();
            }
            _ => {}
        }
        let plus = text.contains(' ') && self.odd(2);
        if plus {
            self.notes.push(Note::Query(QueryOddity::Plus, name.to_owned()));
        }
        let escaped = percent(
            &text,
            |byte| byte.is_ascii_alphanumeric() || b"-_.~!$'()*,;:@/?".contains(&byte),
            self.random.one_in(2),
        );
        if escaped != text {
            self.notes.push(Note::Query(QueryOddity::Escaped, name.to_owned()));
        }
        if plus { escaped.replace("%20", "+") } else { escaped }
    }

    /// Adds a parameter that is wrong, or binds to nothing.
    fn odd_parameter(
        &mut self,
        pairs: &mut Vec<String>,
        message: &mut DynamicMessage,
        body: Option<&FieldDescriptor>,
        bound: &[Bound],
    ) {
        let free = |field: &FieldDescriptor| {
            !message.has_field(field)
                && body != Some(field)
                && bound.iter().all(|(fields, _)| fields[0] != *field)
                && field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic())
                && !field.is_required()
        };
        let fields: Vec<_> = message.descriptor().fields().filter(free).collect();
        let first = |is: &dyn Fn(&FieldDescriptor) -> bool| fields.iter().find(|field| is(field)).cloned();
        let scalar = |field: &FieldDescriptor| !field.is_list() && !matches!(field.kind(), Kind::Message(_));
        let start = self.random.below(fields.len().max(1));
        let from = |is: &dyn Fn(&FieldDescriptor) -> bool| {
            fields
                .iter()
                .cycle()
                .skip(start)
                .take(fields.len())
                .find(|field| is(field))
                .cloned()
        };
        let encoded = |field: &FieldDescriptor| encoded_name(field.json_name());
        let (oddity, name, status) = match self.random.below(12) {
            0 => {
                pairs.push("noSuchField=1".to_owned());
                (QueryOddity::Unknown, "noSuchField".to_owned(), None)
            }
            1 => {
                let Some((fields, _)) = bound.first() else { return };
                let names: Vec<_> = fields.iter().map(FieldDescriptor::json_name).collect();
                pairs.push(format!("{}=1", encoded_name(&names.join("."))));
                (QueryOddity::PathBound, names.join("."), None)
            }
            2 => {
                let Some(field) = body else { return };
                pairs.push(format!("{}=1", encoded(field)));
                (QueryOddity::BodyBound, field.json_name().to_owned(), None)
            }
            3 => {
                let Some(field) =
                    from(&|field| !matches!(field.kind(), Kind::String) && !field.is_map() && is_leaf(field))
                else {
                    return;
                };
                let Some(text) = wrong_text(self.random, &field.kind()) else {
                    return;
                };
                pairs.push(format!("{}={text}", encoded(&field)));
                (QueryOddity::WrongValue, field.json_name().to_owned(), Some(400))
            }
            4 => {
                let Some(field) = from(&|field| scalar(field) && field.kind() == Kind::String) else {
                    return;
                };
                pairs.extend([format!("{}=a", encoded(&field)), format!("{}=b", encoded(&field))]);
                (QueryOddity::Twice, field.json_name().to_owned(), Some(400))
            }
            5 => {
                let Some(field) = from(&FieldDescriptor::is_map) else {
                    return;
                };
                let behind = self.random.pick(&["", ".a", "[a]"]);
                let name = format!("{}{behind}", field.json_name());
                pairs.push(format!("{}=1", encoded_name(&name)));
                match behind {
                    "[a]" => (QueryOddity::Unknown, name, None),
                    _ => (QueryOddity::Map, name, Some(400)),
                }
            }
            6 => {
                let Some(field) = from(&|field| entered(field).is_some() && !field.is_map()) else {
                    return;
                };
                pairs.push(format!("{}=1", encoded(&field)));
                (QueryOddity::Message, field.json_name().to_owned(), Some(400))
            }
            7 => {
                let Some(field) = from(&scalar) else { return };
                pairs.push(format!("{}.x=1", encoded(&field)));
                (
                    QueryOddity::ThroughScalar,
                    format!("{}.x", field.json_name()),
                    Some(400),
                )
            }
            8 => {
                let Some(field) = from(&|field| scalar(field) && field.kind() == Kind::String) else {
                    return;
                };
                pairs.push(format!(
                    "{}={}",
                    encoded(&field),
                    self.random.pick(&["%", "%zz", "a%2"])
                ));
                (QueryOddity::BadEscape, field.json_name().to_owned(), Some(400))
            }
            9 => {
                let Some(field) = first(&|field| scalar(field) && field.kind() == Kind::String) else {
                    return;
                };
                message.set_field(&field, Value::String(String::new()));
                pairs.push(encoded(&field));
                (QueryOddity::NoValue, field.json_name().to_owned(), None)
            }
            10 => {
                let choice = message.descriptor().oneofs().find(|oneof| oneof.name() == "choice");
                let Some(choice) = choice else { return };
                let mut members = choice.fields();
                let (Some(left), Some(right)) = (members.next(), members.next()) else {
                    return;
                };
                if choice.fields().any(|field| {
                    message.has_field(&field)
                        || body == Some(&field)
                        || bound.iter().any(|(fields, _)| fields[0] == field)
                }) {
                    return;
                }
                pairs.extend([format!("{}=1", left.json_name()), format!("{}=1", right.json_name())]);
                (QueryOddity::SecondOfOneof, right.json_name().to_owned(), Some(400))
            }
            _ => {
                pairs.push("key=AIza&prettyPrint=true".to_owned());
                (QueryOddity::Unknown, "key".to_owned(), None)
            }
        };
        self.notes.push(Note::Query(oddity, name));
        if let Some(status) = status {
            self.wrong(status);
        }
    }

    /// A parameter that binds to nothing, as the body is the whole message.
    pub(super) fn query_beside_whole_body(&mut self, target: &mut String, input: &MessageDescriptor) {
        if self.odd(8) {
            let field = input
                .fields()
                .find(|field| field.kind() == Kind::String && !field.is_list());
            let (oddity, name) = match field {
                Some(field) if self.random.one_in(2) => (QueryOddity::BesideWholeBody, field.name().to_owned()),
                _ => (QueryOddity::Unknown, "noSuchField".to_owned()),
            };
            target.push_str(&format!("?{}=other", encoded_name(&name)));
            self.notes.push(Note::Query(oddity, name));
        }
    }
}
