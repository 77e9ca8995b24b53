//! The comments of the given files, by what they are about.
//!
//! They are in source code info, which costs several times the rest of a schema: it is there for one file at a time, and
//! dropped.
//!
//! Source: google/protobuf/descriptor.proto (`SourceCodeInfo`).

use std::cmp::Ordering;

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::wire::{Reader, WireType};

/// The number of `FileDescriptorSet.file`.
const SET_FILE: u32 = 1;

/// What is said of services, methods, messages, fields, enums and their values.
#[derive(Debug, Default)]
pub struct Comments {
    /// All names and comments. There are many, and few are long: apart they would take twice as much.
    text: String,
    /// By their names, once all are there.
    each: Vec<Comment>,
}

/// A full name, and what is said of it right behind it.
#[derive(Debug)]
struct Comment {
    start: usize,
    name_length: usize,
    length: usize,
}

impl Comments {
    /// Adds those of a descriptor set, if it was made with source code info.
    pub(super) fn add_descriptor_set(&mut self, bytes: &[u8]) {
        let mut set = Reader::new(bytes);
        while let Ok((number, wire_type)) = set.tag() {
            if (number, wire_type) != (SET_FILE, WireType::Len) {
                if set.skip(number, wire_type, 0).is_err() {
                    return;
                }
                continue;
            }
            let Ok(bytes) = set.length_delimited() else {
                return;
            };
            if let Ok(file) = FileDescriptorProto::decode(bytes) {
                self.add(&file);
            }
        }
    }

    /// Adds those of a file that has its source code info.
    pub(super) fn add(&mut self, file: &FileDescriptorProto) {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        for location in locations {
            let said = [&location.leading_comments, &location.trailing_comments];
            let said: Vec<_> = said
                .into_iter()
                .flatten()
                .map(|comment| cleaned(comment))
                .filter(|comment| !comment.is_empty())
                .collect();
            if !said.is_empty()
                && let Some(name) = named(file, &location.path)
            {
                self.push(&name, &said.join("\n\n"));
            }
        }
    }

    fn push(&mut self, name: &str, said: &str) {
        self.each.push(Comment {
            start: self.text.len(),
            name_length: name.len(),
            length: said.len(),
        });
        self.text.push_str(name);
        self.text.push_str(said);
    }

    /// All are there: from now on they can be had.
    pub(super) fn complete(&mut self) {
        let Self { text, each } = self;
        text.shrink_to_fit();
        each.shrink_to_fit();
        each.sort_by(|one, other| one.name(text).cmp(other.name(text)));
    }

    /// What is said of the element with this full name, as Markdown. A value of an enum is named within it:
    /// `pkg.Color.RED`.
    pub fn get(&self, full_name: &str) -> Option<&str> {
        let compare = |comment: &Comment| comment.name(&self.text).cmp(full_name);
        let at = self.each.partition_point(|comment| compare(comment) == Ordering::Less);
        let comment = self
            .each
            .get(at)
            .filter(|comment| compare(comment) == Ordering::Equal)?;
        let start = comment.start + comment.name_length;
        self.text.get(start..start + comment.length)
    }
}

impl Comment {
    fn name<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.start + self.name_length).unwrap_or_default()
    }
}

/// A comment without the space that begins its lines, and without what is for the authors alone, `(-- … --)` (AIP-192).
fn cleaned(comment: &str) -> String {
    let mut shown = String::with_capacity(comment.len());
    let mut rest = comment;
    while let Some((before, after)) = rest.split_once("(--") {
        shown.push_str(before);
        rest = after.split_once("--)").map_or("", |(_, behind)| behind);
    }
    shown.push_str(rest);
    let lines: Vec<_> = shown
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The full name of what is at `path` of a file, if it is something that a comment is kept of.
fn named(file: &FileDescriptorProto, path: &[i32]) -> Option<String> {
    let (name, rest) = match path {
        [4, at, rest @ ..] => return in_message(file.package(), element(&file.message_type, *at)?, rest),
        [5, at, rest @ ..] => return in_enum(file.package(), element(&file.enum_type, *at)?, rest),
        [6, at, rest @ ..] => {
            let service = element(&file.service, *at)?;
            let name = within(file.package(), service.name());
            match rest {
                [] => (name, rest),
                [2, at] => (within(&name, element(&service.method, *at)?.name()), &[] as &[i32]),
                _ => return None,
            }
        }
        _ => return None,
    };
    rest.is_empty().then_some(name)
}

/// Messages nest as deep as the parser of their file lets them.
fn in_message(scope: &str, message: &DescriptorProto, path: &[i32]) -> Option<String> {
    let name = within(scope, message.name());
    match path {
        [] => Some(name),
        [2, at] => Some(within(&name, element(&message.field, *at)?.name())),
        [3, at, rest @ ..] => in_message(&name, element(&message.nested_type, *at)?, rest),
        [4, at, rest @ ..] => in_enum(&name, element(&message.enum_type, *at)?, rest),
        _ => None,
    }
}

fn in_enum(scope: &str, enumeration: &EnumDescriptorProto, path: &[i32]) -> Option<String> {
    let name = within(scope, enumeration.name());
    match path {
        [] => Some(name),
        [2, at] => Some(within(&name, element(&enumeration.value, *at)?.name())),
        _ => None,
    }
}

fn element<E>(elements: &[E], at: i32) -> Option<&E> {
    elements.get(usize::try_from(at).ok()?)
}

fn within(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::schema::proto_text;

    const PROTO: &str = r#"syntax = "proto3";
package p;

// Of nobody.

// A service,
//   with *two* lines.
service S {
  /* A method. */
  rpc Do(M) returns (M);
}
// A message. (-- For us
// alone. --)
message M {
  string name = 1; // Behind it.
  // A nested one.
  message N { string none = 1; }
  // An enum.
  enum E {
    // A value.
    ZERO = 0;
  }
}
"#;

    #[test]
    fn each_comment_is_that_of_its_element() {
        let mut comments = Comments::default();
        comments.add(&proto_text::parse("p.proto", PROTO).unwrap());
        comments.complete();
        let said: Vec<_> = [
            "p.S",
            "p.S.Do",
            "p.M",
            "p.M.name",
            "p.M.N",
            "p.M.N.none",
            "p.M.E",
            "p.M.E.ZERO",
        ]
        .iter()
        .map(|name| comments.get(name))
        .collect();
        assert_eq!(
            said,
            [
                Some("A service,\n  with *two* lines."),
                Some("A method."),
                Some("A message."),
                Some("Behind it."),
                Some("A nested one."),
                None,
                Some("An enum."),
                Some("A value."),
            ]
        );
    }

    #[test]
    fn those_of_a_descriptor_set_are_read_where_it_has_them() {
        let mut file = proto_text::parse("p.proto", PROTO).unwrap();
        let said = |file: &FileDescriptorProto| {
            let set = FileDescriptorSet {
                file: vec![FileDescriptorProto::default(), file.clone()],
            };
            let mut comments = Comments::default();
            // A field that isn't known, as of a later protoc.
            comments.add_descriptor_set(&[b"\x10\x01", &*set.encode_to_vec()].concat());
            comments.complete();
            comments.get("p.M").map(str::to_owned)
        };
        assert_eq!(said(&file).as_deref(), Some("A message."));
        file.source_code_info = None;
        assert_eq!(said(&file), None);
    }
}
