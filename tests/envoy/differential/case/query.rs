//! Queries.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};

use super::text::{encoded_name, percent, text_of, wrong_text};
use super::{Bound, Builder, Note, QueryOddity, clear, set};
use crate::differential::schema::{entered, is_leaf};

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
        if message.descriptor().package_name() == "r"
            && self.odd(2)
            && self.refused.is_none()
            && let Some((oddity, name)) = self.odd_parameter(&mut pairs, &mut result, body, bound)
        {
            if oddity.is_wrong() {
                self.wrong(400);
            }
            self.notes.push(Note::Query(oddity, name));
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

    /// Adds a parameter that is wrong, or binds to nothing: its oddity, and what it names. `None` where the message has no
    /// field for it.
    fn odd_parameter(
        &mut self,
        pairs: &mut Vec<String>,
        message: &mut DynamicMessage,
        body: Option<&FieldDescriptor>,
        bound: &[Bound],
    ) -> Option<(QueryOddity, String)> {
        let is_given = |field: &FieldDescriptor| {
            message.has_field(field) || body == Some(field) || bound.iter().any(|(fields, _)| fields[0] == *field)
        };
        let free = |field: &FieldDescriptor| {
            let alone = field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic());
            alone && !is_given(field) && !field.is_required()
        };
        let mut fields: Vec<_> = message.descriptor().fields().filter(free).collect();
        let start = self.random.below(fields.len().max(1));
        fields.rotate_left(start);
        let find = |is: &dyn Fn(&FieldDescriptor) -> bool| fields.iter().find(|field| is(field));
        let is_scalar = |field: &FieldDescriptor| !field.is_list() && !matches!(field.kind(), Kind::Message(_));
        let string = || find(&|field| is_scalar(field) && field.kind() == Kind::String);
        let mut add = |name: &str, value: &str| pairs.push(format!("{}={value}", encoded_name(name)));

        let (oddity, name) = match self.random.below(13) {
            0 => (QueryOddity::PathBound, {
                let names: Vec<_> = bound.first()?.0.iter().map(FieldDescriptor::json_name).collect();
                names.join(".")
            }),
            1 => (QueryOddity::BodyBound, body?.json_name().to_owned()),
            2 => (QueryOddity::Map, {
                let behind = self.random.pick(&["", ".a"]);
                format!("{}{behind}", find(&FieldDescriptor::is_map)?.json_name())
            }),
            3 => {
                let message = find(&|field| entered(field).is_some() && !field.is_map())?;
                (QueryOddity::Message, message.json_name().to_owned())
            }
            4 => (
                QueryOddity::ThroughScalar,
                format!("{}.x", find(&is_scalar)?.json_name()),
            ),
            5 => (QueryOddity::Unknown, format!("{}[a]", string()?.json_name())),
            6 => {
                let is_typed =
                    |field: &FieldDescriptor| field.kind() != Kind::String && !field.is_map() && is_leaf(field);
                let field = find(&is_typed)?;
                add(field.json_name(), wrong_text(self.random, &field.kind())?);
                return Some((QueryOddity::WrongValue, field.json_name().to_owned()));
            }
            7 => {
                let name = string()?.json_name();
                add(name, "a");
                (QueryOddity::Twice, name.to_owned())
            }
            8 => {
                let name = string()?.json_name();
                add(name, self.random.pick(&["%", "%zz", "a%2"]));
                return Some((QueryOddity::BadEscape, name.to_owned()));
            }
            9 => {
                let field = string()?.clone();
                pairs.push(encoded_name(field.json_name()));
                message.set_field(&field, Value::String(String::new()));
                return Some((QueryOddity::NoValue, field.json_name().to_owned()));
            }
            10 => {
                let choice = message.descriptor().oneofs().find(|oneof| oneof.name() == "choice")?;
                let members: Vec<_> = choice.fields().collect();
                if members.iter().any(is_given) {
                    return None;
                }
                add(members[0].json_name(), "1");
                (QueryOddity::SecondOfOneof, members[1].json_name().to_owned())
            }
            11 => {
                // As it is written in the .proto, and not in JSON.
                let mask_of = |field: &FieldDescriptor| match field.kind() {
                    Kind::Message(of) if of.full_name() == "google.protobuf.FieldMask" && !field.is_list() => Some(of),
                    _ => None,
                };
                let field = find(&|field| mask_of(field).is_some())?.clone();
                let mut mask = DynamicMessage::new(mask_of(&field)?);
                mask.set_field_by_name("paths", Value::List(vec![Value::String("foo_bar".to_owned())]));
                pairs.push(format!("{}=foo_bar", encoded_name(field.json_name())));
                message.set_field(&field, Value::Message(mask));
                return Some((QueryOddity::WellKnown, field.json_name().to_owned()));
            }
            _ => (QueryOddity::Unknown, "noSuchField".to_owned()),
        };
        add(&name, "1");
        Some((oddity, name))
    }

    /// A parameter that binds to nothing, as the body is the whole message.
    pub(super) fn query_beside_whole_body(&mut self, target: &mut String, input: &MessageDescriptor) {
        if input.package_name() == "r" && self.odd(8) {
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
