//! The comments of the given files, by what they are about.
//!
//! They are in source code info, which costs several times the rest of a schema: it is read for them alone, a file after
//! the other, and dropped.
//!
//! Source: google/protobuf/descriptor.proto (`SourceCodeInfo`).

use std::collections::HashMap;

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::proto_text;

/// What is said of services, methods, messages, fields, enums and their values.
#[derive(Debug, Default)]
pub struct Comments(HashMap<String, String>);

impl Comments {
    /// Those of texts by the names of their files. A text that can't be read has none.
    pub(super) fn of_texts<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut comments = Self::default();
        for (name, text) in texts {
            if let Ok(file) = proto_text::parse(name, text) {
                comments.add(&file);
            }
        }
        comments
    }

    /// Those of a descriptor set, if it was made with source code info.
    pub(super) fn of_descriptor_set(bytes: &[u8]) -> Self {
        let mut comments = Self::default();
        let set = FileDescriptorSet::decode(bytes).unwrap_or_default();
        set.file.iter().for_each(|file| comments.add(file));
        comments
    }

    /// What is said of the element with this full name, as Markdown. A value of an enum is named within it:
    /// `pkg.Color.RED`.
    pub fn get(&self, full_name: &str) -> Option<&str> {
        self.0.get(full_name).map(String::as_str)
    }

    fn add(&mut self, file: &FileDescriptorProto) {
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
                self.0.insert(name, said.join("\n\n"));
            }
        }
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
    use super::*;

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
        let comments = Comments::of_texts([("p.proto", PROTO)]);
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
        let set = |file: FileDescriptorProto| FileDescriptorSet { file: vec![file] }.encode_to_vec();
        let with = set(file.clone());
        assert_eq!(Comments::of_descriptor_set(&with).get("p.M"), Some("A message."));
        file.source_code_info = None;
        assert_eq!(Comments::of_descriptor_set(&set(file)).get("p.M"), None);
    }
}
