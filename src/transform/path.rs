//! The path of an operation, looked up in the tables.

use crate::schema::nearest;
use crate::schema::tables::{Cardinality, Field, FieldIndex, Kind, MessageIndex, Tables, WellKnown};
use crate::text::shown::{NAME, shown};
use crate::wire::DEPTH_LIMIT;

/// A step of a path: a field of a message. A map is two, the map and the value of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) message: MessageIndex,
    pub(super) field: FieldIndex,
}

impl Step {
    pub(super) fn field(self, tables: &Tables) -> Option<&Field> {
        tables.message(self.message).field(self.field)
    }
}

/// Finds the fields of the path `text` from `message` on. It goes through the elements of lists and the values of maps; a
/// map that it ends with is one step.
///
/// # Errors
///
/// Where a field isn't there or has none below: what was expected.
pub(super) fn find(tables: &Tables, mut message: MessageIndex, text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut segments = segments(text).enumerate().peekable();
    while let Some((at, segment)) = segments.next() {
        if at == DEPTH_LIMIT {
            return Err(format!("expected a path of at most {DEPTH_LIMIT} fields"));
        }
        let table = tables.message(message);
        let index = table.field_by_name(segment.as_bytes());
        let Some((index, field)) = index.and_then(|index| Some((index, table.field(index)?))) else {
            return Err(unknown(tables, message, segment));
        };
        steps.push(Step { message, field: index });
        if segments.peek().is_none() {
            break;
        }
        message = match below(tables, field) {
            Below::Message(below) => below,
            Below::Values(entry, below) => {
                steps.push(Step {
                    message: entry,
                    field: ENTRY_VALUE,
                });
                below
            }
            Below::Nothing(why) => return Err(format!("`{segment}` of `{}` {why}", table.full_name())),
        };
    }
    Ok(steps)
}

/// The fields of a map's entries.
pub(super) const ENTRY_KEY: FieldIndex = FieldIndex(0);
pub(super) const ENTRY_VALUE: FieldIndex = FieldIndex(1);

/// What a path goes on in.
enum Below {
    Message(MessageIndex),
    /// The entry of a map, and the message that its value is.
    Values(MessageIndex, MessageIndex),
    /// Why it ends.
    Nothing(String),
}

fn below(tables: &Tables, field: &Field) -> Below {
    let (entry, value) = match (field.cardinality, field.kind) {
        (Cardinality::Map, Kind::Message(entry)) => match tables.message(entry).field(ENTRY_VALUE) {
            Some(value) => (Some(entry), value),
            None => (None, field),
        },
        _ => (None, field),
    };
    let (Kind::Message(message) | Kind::Group(message)) = value.kind else {
        return Below::Nothing(match entry {
            Some(_) => "is a map whose values have no fields: a path that goes through it can't go on".to_owned(),
            None => "has no fields: the path can't go on behind it".to_owned(),
        });
    };
    let table = tables.message(message);
    match (table.well_known(), entry) {
        (Some(WellKnown::Any), _) => Below::Nothing(
            "is a google.protobuf.Any, whose contents can't be named: only `remove_annotated` goes into it".to_owned(),
        ),
        (Some(WellKnown::Struct | WellKnown::Value | WellKnown::ListValue), _) => Below::Nothing(format!(
            "is a {}, whose contents have no names in the schema: the path can't go on behind it",
            table.full_name()
        )),
        (_, Some(entry)) => Below::Values(entry, message),
        (_, None) => Below::Message(message),
    }
}

fn unknown(tables: &Tables, message: MessageIndex, segment: &str) -> String {
    let table = tables.message(message);
    let name = shown(segment.as_bytes(), NAME);
    let known = (table.fields().iter()).flat_map(|field| [&*field.name, &*field.json_name]);
    let meant = match nearest(segment, known) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None if table.fields().is_empty() => ", nor any other".to_owned(),
        None => String::new(),
    };
    format!("`{}` has no field `{name}`{meant}", table.full_name())
}

/// What is between dots, but for those in brackets, which are of an extension's name.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0usize;
    text.split(move |letter: char| {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == '.' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_brackets_divide_nothing() {
        for (text, expected) in [
            ("a", &["a"][..]),
            ("a.b.c", &["a", "b", "c"]),
            ("a.[p.q.ext].c", &["a", "[p.q.ext]", "c"]),
            ("[p.ext]", &["[p.ext]"]),
            ("a..b", &["a", "", "b"]),
            ("", &[""]),
        ] {
            assert_eq!(segments(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
