//! Bodies: JSON of a message or a field, varied and broken, or raw bytes.

use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, ReflectMessage as _, Value};

use super::{BodyOddity, Bound, Builder, Note, clear, set};
use crate::differential::json::Json;
use crate::differential::schema::entered;
use crate::differential::writer::{FAULTS, VARIATIONS, Variation, Writer};

impl Builder<'_> {
    /// The JSON of a value, varied and broken.
    fn json(&mut self, write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        let mut variations = Vec::new();
        while !self.plain && variations.len() < 3 && self.random.one_in(2) {
            variations.push(self.random.pick(&VARIATIONS));
        }
        // Not every text has a place for every fault.
        let mut tries = if self.refused.is_none() && self.odd(2) { 4 } else { 0 };
        loop {
            let fault = (tries > 0).then(|| self.random.pick(&FAULTS));
            let mut writer = Writer::new(self.random, &variations, fault);
            write(&mut writer);
            let (json, shown, site) = (writer.json, writer.shown, writer.site);
            if site.is_none() && tries > 0 {
                tries -= 1;
                continue;
            }
            self.notes.extend(shown.into_iter().map(Note::Varied));
            if let (Some(fault), Some(site)) = (fault, site) {
                self.notes.push(Note::Wrong(fault, site));
                self.wrong(400);
            }
            return json.into_bytes();
        }
    }

    pub(super) fn whole_body(&mut self, message: &mut DynamicMessage, bound: &[Bound]) -> Vec<u8> {
        let input = message.descriptor();
        if input.full_name() == "google.api.HttpBody" {
            return raw_body(message);
        }
        if self.odd(12) {
            return self.empty_body(message, &input, bound);
        }
        let mut rest = message.clone();
        for (fields, _) in bound {
            clear(&mut rest, fields);
        }
        let mut json = self.json(|writer| writer.message(&rest));
        if let Some((fields, _)) = bound.first()
            && self.odd(3)
            && json.starts_with(b"{")
            && fields.len() == 1
            && !self
                .notes
                .iter()
                .any(|note| matches!(note, Note::Varied(Variation::Nulls)))
        {
            let value = self.random.pick(&["\"other\"", "1", "null", "{}", "[true]"]);
            let end = if json.get(1) == Some(&b'}') { "" } else { "," };
            let member = format!("{{\"{}\":{value}{end}", fields[0].name());
            json.splice(..1, member.into_bytes());
            self.notes.push(Note::Body(BodyOddity::BoundMember));
        }
        self.spoilt(json)
    }

    /// A body that says nothing.
    fn empty_body(&mut self, message: &mut DynamicMessage, input: &MessageDescriptor, bound: &[Bound]) -> Vec<u8> {
        let (oddity, text) = self.random.pick(&[
            (BodyOddity::Empty, ""),
            (BodyOddity::Blank, " \n"),
            (BodyOddity::Null, "null"),
        ]);
        self.notes.push(Note::Body(oddity));
        *message = DynamicMessage::new(input.clone());
        for (fields, value) in bound {
            set(message, fields, value.clone());
        }
        if oddity == BodyOddity::Null && input.full_name() == "google.protobuf.Value" {
            message.set_field_by_name("null_value", Value::EnumNumber(0));
        }
        text.into()
    }

    /// The body of a rule with a body field, and what the field then is; `None`: unset.
    pub(super) fn field_body(
        &mut self,
        message: &DynamicMessage,
        field: &FieldDescriptor,
        bound: &[Bound],
    ) -> (Vec<u8>, Option<Value>) {
        let mut value = message.get_field(field).into_owned();
        if let Value::Message(below) = &value
            && below.descriptor().full_name() == "google.api.HttpBody"
        {
            return (raw_body(below), Some(value));
        }
        if let Value::Message(below) = &mut value
            && self.odd(12)
            && !bound.iter().any(|(fields, _)| fields[0] == *field)
        {
            let descriptor = below.descriptor();
            let text = self.empty_body(below, &descriptor, &[]);
            let unset = text == b"null" && descriptor.full_name() != "google.protobuf.Value";
            return (text, (!unset).then_some(value));
        }
        let json = self.json(|writer| writer.value(field, &value));
        let json = self.spoilt(json);
        (json, Some(value))
    }

    pub(super) fn stream_body(&mut self, messages: &[DynamicMessage], bound: &[Bound]) -> Vec<u8> {
        let mut json = b"[".to_vec();
        for (at, message) in messages.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            let mut rest = message.clone();
            for (fields, _) in bound {
                clear(&mut rest, fields);
            }
            let mut writer = Writer::new(self.random, &[], None);
            writer.message(&rest);
            json.extend_from_slice(writer.json.as_bytes());
        }
        json.push(b']');
        json
    }

    /// The JSON, or something that is no JSON.
    fn spoilt(&mut self, mut json: Vec<u8>) -> Vec<u8> {
        if self.refused.is_some() || !self.odd(12) {
            return json;
        }
        let sound = json.clone();
        let oddity = match self.random.below(6) {
            0 => {
                json.pop();
                BodyOddity::Cut
            }
            1 => {
                json.extend_from_slice(self.random.pick(&["x", "{}", "]", "}", " 1", "\0"]).as_bytes());
                BodyOddity::Trailing
            }
            2 => {
                json.splice(..0, *b"\xef\xbb\xbf");
                BodyOddity::ByteOrderMark
            }
            3 if json.starts_with(b"{") => {
                let end = if json.get(1) == Some(&b'}') { "" } else { "," };
                json.splice(..1, [b"{\"noSuchField\":\"\xff\"", end.as_bytes()].concat());
                BodyOddity::NotUtf8
            }
            4 if json.starts_with(b"{") => {
                let end = if json.get(1) == Some(&b'}') { "" } else { "," };
                let depth = 101 + self.random.below(100);
                json.splice(
                    ..1,
                    format!("{{\"noSuchField\":{}{}{end}", "[".repeat(depth), "]".repeat(depth)).into_bytes(),
                );
                BodyOddity::Deep
            }
            5 if json.starts_with(b"{") => {
                json.splice(..1, *b"{/* */");
                BodyOddity::Comment
            }
            _ => return json,
        };
        // A number that loses its last digit is a number still.
        if oddity != BodyOddity::Deep && Json::read(&json).is_some() {
            return sound;
        }
        self.notes.push(Note::Body(oddity));
        self.wrong(400);
        json
    }

    /// What the body field's members are, in the mask, for a PATCH without one.
    pub(super) fn mask(
        &mut self,
        kind: &str,
        message: &mut DynamicMessage,
        field: &FieldDescriptor,
        body: &[u8],
        bound: &[Bound],
    ) {
        let Some(mask) = message.descriptor().get_field_by_name("update_mask") else {
            return;
        };
        if kind != "PATCH" || message.has_field(&mask) || self.refused.is_some() || mask == *field {
            return;
        }
        let Some(descriptor) = entered(field).filter(|message| message.full_name() != "google.api.HttpBody") else {
            return;
        };
        if bound.iter().any(|(fields, _)| fields[0] == mask) {
            return;
        }
        let mut paths = Vec::new();
        mask_paths(&descriptor, &Json::read(body).unwrap_or(Json::Null), "", &mut paths);
        if paths.is_empty() {
            return;
        }
        let mut filled = DynamicMessage::new(mask.kind().as_message().unwrap().clone());
        filled.set_field_by_name("paths", Value::List(paths.into_iter().map(Value::String).collect()));
        message.set_field(&mask, Value::Message(filled));
        self.notes.push(Note::MaskFromBody);
    }
}

/// The leaves that are present in the JSON of a message.
fn mask_paths(descriptor: &MessageDescriptor, json: &Json, prefix: &str, paths: &mut Vec<String>) {
    let Json::Object(members) = json else { return };
    for (key, value) in members {
        let field = descriptor
            .get_field_by_name(key)
            .or_else(|| descriptor.get_field_by_json_name(key));
        let Some(field) = field else { continue };
        let path = format!("{prefix}{}", field.name());
        match (entered(&field), value) {
            (Some(below), Json::Object(members)) if !members.is_empty() => {
                mask_paths(&below, value, &format!("{path}."), paths);
            }
            _ => paths.push(path),
        }
    }
}

/// The bytes of a `google.api.HttpBody`.
fn raw_body(message: &DynamicMessage) -> Vec<u8> {
    message.get_field_by_name("data").unwrap().as_bytes().unwrap().to_vec()
}
