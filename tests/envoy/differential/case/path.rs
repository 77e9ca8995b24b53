//! Paths with the values that they bind.

use prost_reflect::{FieldDescriptor, Kind, Value};

use super::text::{percent, text_of, wrong_text};
use super::{Builder, Note, Path, PathOddity};
use crate::differential::schema::{Route, Segment};

impl Builder<'_> {
    pub(super) fn path(&mut self, route: &Route) -> Path {
        let mut texts: Vec<Option<String>> = route.segments.iter().map(|_| None).collect();
        let mut bound = Vec::new();
        let wrong = !route.captures.is_empty() && self.odd(8);
        for capture in &route.captures {
            let field = &capture.fields[capture.fields.len() - 1];
            let single = capture.segments.len() == 1 && route.segments[capture.segments.start] == Segment::One;
            if single {
                let (text, value) = self.capture(field, wrong, route.verb.is_some());
                texts[capture.segments.start] = Some(text);
                bound.push((capture.fields.clone(), value));
                continue;
            }
            let mut value = Vec::new();
            for at in capture.segments.clone() {
                let (text, decoded) = match &route.segments[at] {
                    Segment::Literal(literal) => (literal.clone(), literal.clone()),
                    Segment::One => self.captured_segment(),
                    Segment::Many => {
                        let count = self.random.below(4);
                        let parts: Vec<_> = (0..count).map(|_| self.captured_segment()).collect();
                        let (texts, decoded): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
                        if count == 0 {
                            self.notes.push(Note::Path(PathOddity::NoSegment));
                        }
                        (texts.join("/"), decoded.join("/"))
                    }
                };
                texts[at] = Some(text);
                value.push(decoded);
            }
            let value = value
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("/");
            bound.push((capture.fields.clone(), Value::String(value)));
        }
        let mut path = String::new();
        for (segment, text) in route.segments.iter().zip(texts) {
            let text = match (segment, text) {
                (_, Some(text)) => text,
                (Segment::Literal(literal), _) if self.odd(40) => {
                    self.notes.push(Note::Path(PathOddity::EscapedLiteral));
                    format!("%{:02X}{}", literal.as_bytes()[0], &literal[1..])
                }
                (Segment::Literal(literal), _) => literal.clone(),
                (Segment::One, _) => "any".to_owned(),
                (Segment::Many, _) => "any/thing".to_owned(),
            };
            // `**` without a segment has no slash before it either.
            if *segment != Segment::Many || !text.is_empty() {
                path.push('/');
            }
            path.push_str(&text);
        }
        if let Some(verb) = route.verb {
            path.push(':');
            path.push_str(verb);
        }
        Path { text: path, bound }
    }

    /// A segment of a capture of several: how it is written, and what is captured of it.
    fn captured_segment(&mut self) -> (String, String) {
        let text = self
            .random
            .pick(&["x", "two words", "é", "a.b-c_d~", "100%", "a+b&c=d", "a@b,c;d!"]);
        if self.odd(8) {
            self.notes.push(Note::Path(PathOddity::SlashInMany));
            return ("up%2Fdown".to_owned(), "up%2Fdown".to_owned());
        }
        (self.escaped(text), text.to_owned())
    }

    /// A value for a capture of one segment: how it is written, and the value.
    fn capture(&mut self, field: &FieldDescriptor, wrong: bool, has_verb: bool) -> (String, Value) {
        let kind = field.kind();
        let mut value = self.messages().field(field, 3);
        let mut text = text_of(self.random, &kind, &value);
        // Nothing can't be captured, nor what has no text form.
        while text.is_none_or(|text| text.is_empty() || kind == Kind::String && text.contains(':') && has_verb) {
            value = self.messages().field(field, 3);
            text = text_of(self.random, &kind, &value);
        }
        let mut text = text_of(self.random, &kind, &value).unwrap_or_default();
        if kind == Kind::String {
            if self.odd(10) {
                self.notes.push(Note::Path(PathOddity::SlashInOne));
                text = "up/down".to_owned();
            } else if !has_verb && self.odd(10) {
                self.notes.push(Note::Path(PathOddity::Colon));
                text = self.random.pick(&["a:b", "x:archive", ":"]).to_owned();
            }
            value = Value::String(text.clone());
        }
        if wrong && self.refused.is_none() {
            if self.random.one_in(2) {
                self.notes.push(Note::Path(PathOddity::BadEscape));
                self.wrong(400);
                return (self.random.pick(&["%", "a%2", "%zz", "%4"]).to_owned(), value);
            }
            if let Some(wrong) = wrong_text(self.random, &kind) {
                self.notes.push(Note::Path(PathOddity::WrongValue));
                self.wrong(400);
                text = wrong.to_owned();
            }
        }
        let mut written = self.escaped(&text);
        // A colon and a slash that are the value's own.
        if has_verb || text.contains('/') {
            written = written.replace(':', "%3A");
        }
        (written, value)
    }

    /// A path segment with this value.
    fn escaped(&mut self, text: &str) -> String {
        let needless = self.odd(12);
        if needless {
            self.notes.push(Note::Path(PathOddity::NeedlessEscapes));
        }
        let lower = self.random.one_in(2);
        percent(
            text,
            |byte| !needless && (byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:@".contains(&byte)),
            lower,
        )
    }
}
