//! One `.proto` text to its unlinked descriptor, and from a place in that descriptor back to a place in the text.

use prost_types::FileDescriptorProto;
use prost_types::source_code_info::Location;
use protox::file::File;

use super::error::{Position, SchemaError};
use super::link::MAX_NAME;
use super::tokens::{Tokens, is_word};
use crate::text::shown::{LINE, beginning};

/// How deep brackets and braces of any kind may nest. protox and prost-reflect recurse into messages and option
/// values, and the module's stack is small; messages alone nest 31 deep at most, as in protoc.
const MAX_NESTING: usize = 60;

/// Parses the text of one file. The descriptor keeps its source code info; names in it are not resolved yet.
pub(super) fn parse(name: &str, text: &str) -> Result<FileDescriptorProto, SchemaError> {
    // protoc skips a byte order mark, too.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    scan(name, text)?;
    match File::from_source(name, text) {
        Ok(file) => Ok(file.into()),
        Err(error) => Err(parse_error(name, text, &error)),
    }
}

/// Where the element at each of `paths` (of `google.protobuf.SourceCodeInfo.Location`) stands in the text, or the closest
/// thing around it.
pub(super) fn locate(name: &str, text: &str, paths: &[&[i32]]) -> Vec<Option<Position>> {
    if paths.is_empty() {
        return Vec::new();
    }
    // Source info costs several times the rest, so it isn't kept: errors parse their file once more.
    let info = parse(name, text)
        .ok()
        .and_then(|descriptor| descriptor.source_code_info);
    let locations = info.map(|info| info.location).unwrap_or_default();
    paths.iter().map(|path| closest(&locations, path)).collect()
}

fn closest(locations: &[Location], path: &[i32]) -> Option<Position> {
    let depth = |location: &&Location| {
        if path.starts_with(&location.path) {
            location.path.len()
        } else {
            0
        }
    };
    let location = locations.iter().max_by_key(depth)?;
    let mut span = location.span.iter().map(|number| *number as usize + 1);
    Some(Position {
        line: span.next()?,
        column: span.next()?,
    })
}

/// What has to be known before protox parses: nothing nests too deep, and the text isn't in an edition.
fn scan(name: &str, text: &str) -> Result<(), SchemaError> {
    let mut depth = 0;
    // The length of the dotted name at hand: protox takes quadratic time over these.
    let mut name_length = 0;
    let mut after_dot = false;
    for (index, token) in (Tokens::of(text)).enumerate() {
        name_length = match token.text.bytes().next() {
            Some(b'.') => name_length + 1,
            Some(first) if is_word(first) && after_dot => name_length + token.text.len(),
            Some(first) if is_word(first) => token.text.len(),
            _ => 0,
        };
        after_dot = token.text == ".";
        if name_length > MAX_NAME {
            return Err(SchemaError::in_file(
                name,
                format!("expected a name of at most {MAX_NAME} bytes, but found a longer one"),
            )
            .at(Some(Position::of(text, token.offset))));
        }
        match token.text {
            "{" | "[" | "(" | "<" => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Err(
                        SchemaError::in_file(name, format!("brackets nest deeper than {MAX_NESTING} levels"))
                            .at(Some(Position::of(text, token.offset))),
                    );
                }
            }
            "}" | "]" | ")" | ">" => depth = depth.saturating_sub(1),
            "edition" if index == 0 => {
                return Err(SchemaError::in_file(
                    name,
                    format!(
                        "expected syntax = \"proto2\" or syntax = \"proto3\", but found an edition, which only a descriptor set \
                         can be in: make one by `protoc --include_imports --descriptor_set_out=set.binpb {name}` or `buf \
                         build -o set.binpb`, and give `base64 set.binpb` as descriptor_set"
                    ),
                )
                .at(Some(Position::of(text, token.offset))));
            }
            _ => {}
        }
    }
    Ok(())
}

/// protox's error with the place that its `Debug` form has and its fields have not.
fn parse_error(name: &str, text: &str, error: &protox::Error) -> SchemaError {
    let message = error.to_string();
    let debug = format!("{error:?}");
    let position = debug
        .strip_suffix(&message)
        .and_then(|place| place.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|place| {
            let mut numbers = place.split(':').map(str::trim);
            Some(Position {
                line: numbers.next()?.parse().ok()?,
                column: numbers.next()?.parse().ok()?,
            })
        })
        .unwrap_or_else(|| place_of_unplaced(text, &message));
    let found = match text.lines().nth(position.line - 1).map(str::trim) {
        Some(line) if !message.contains("found '") && !line.is_empty() => format!(", in `{}`", beginning(line, LINE).0),
        _ => String::new(),
    };
    SchemaError::in_file(name, format!("{message}{found}")).at(Some(position))
}

/// protox gives no place for the end of the file and for a second `package`.
fn place_of_unplaced(text: &str, message: &str) -> Position {
    let mut tokens = Tokens::of(text);
    let mut depth = 0;
    let mut package = tokens.by_ref().filter(|token| {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0 && token.text == "package"
    });
    let second_package = package.nth(1);
    match second_package {
        Some(token) if message.contains("package") => Position::of(text, token.offset),
        _ => Position::of(text, text.trim_end().len()),
    }
}
