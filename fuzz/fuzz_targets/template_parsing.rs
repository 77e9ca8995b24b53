//! Any text as a path template. What is accepted can be written out again and is the same; a router that has it and
//! nothing else finds it for a path that is made from it, with the captures that were put in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protobridge::routing::template::{Segment, Template};
use protobridge::routing::{Captures, Match};
use protobridge_fuzz::edge::{EDGE, rule};
use protobridge_fuzz::letters::Letters;

/// What `*` is in a path, and what a variable captures of it: in a template of one segment, and of several.
const SINGLE: [[&str; 3]; 5] = [
    ["x", "x", "x"],
    ["a%2Fb", "a/b", "a%2Fb"],
    ["%C3%A9", "é", "é"],
    ["x%3Av", "x:v", "x:v"],
    ["%25%32F", "%2F", "%2F"],
];

/// What `**` is in a path, and what a variable captures of it.
const MULTI: [Option<[&str; 2]>; 6] = [
    Some(["x", "x"]),
    None,
    Some(["", ""]),
    Some(["a/b", "a/b"]),
    Some(["a//%2f", "a//%2f"]),
    Some(["a%20b/c%252F", "a b/c%2F"]),
];

/// The fields that the variables of a template bind here, whatever they bind there.
const FIELDS: [&str; 8] = ["text", "a", "b", "c", "note.text", "note.a", "note.b", "note.note.text"];

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let mut choices = Letters(letters.take(6));
    let Ok(text) = str::from_utf8(letters.0) else {
        return;
    };
    // Its fields are hardly ever there: that is an error, or a router.
    let _ = EDGE.router(&[rule("Unary", "GET", text, "")]);
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            assert!(text.is_char_boundary(error.position), "{error}");
            return;
        }
    };
    if template.variables.len() > FIELDS.len() {
        return;
    }
    let written = written(&template);
    let again = Template::parse(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(
        (&again.segments, &again.verb),
        (&template.segments, &template.verb),
        "{written}"
    );
    let router = EDGE
        .router(&[rule("Unary", "GET", &written, "")])
        .unwrap_or_else(|problems| panic!("{problems:?}"));

    let escape_all = choices.flag();
    let mut parts = Vec::new();
    for segment in &template.segments {
        parts.push(match segment {
            Segment::Literal(literal) => {
                let escaped = escaped(literal, escape_all);
                // A literal that a variable captures is decoded as the variable is.
                let whole = String::from_utf8_lossy(literal).into_owned();
                Some([escaped, whole.clone(), whole.replace('/', "%2F")])
            }
            Segment::Single => Some(choices.choose(&SINGLE).map(str::to_owned)),
            Segment::Multi => choices
                .choose(&MULTI)
                .map(|[path, value]| [path, value, value].map(str::to_owned)),
        });
    }
    if parts.iter().all(Option::is_none) {
        // There is no path without a segment.
        parts = vec![Some(["", "", ""].map(str::to_owned))];
    }
    let join = |from: usize, to: usize, form: usize| {
        let parts: Vec<_> = parts[from..to]
            .iter()
            .flatten()
            .map(|part| part[form].as_str())
            .collect();
        parts.join("/")
    };
    let mut path = format!("/{}", join(0, parts.len(), 0));
    if let Some(verb) = &template.verb {
        path = format!("{path}:{}", escaped(verb, escape_all));
    }
    let mut captures = Captures::default();
    match router.find("GET", path.as_bytes(), &mut captures) {
        Match::Route(route) => {
            assert_eq!(*route.binding.template, written);
            let expected: Vec<_> = template
                .variables
                .iter()
                .map(|variable| join(variable.start, variable.end, 1 + usize::from(variable.multi_segment)))
                .collect();
            assert_eq!(captures.values().collect::<Vec<_>>(), expected, "{written} {path}");
        }
        // Text that a template can have and a field cannot.
        Match::Malformed(message) => assert!(message.ends_with("isn't UTF-8"), "{written} {path}: {message}"),
        other => panic!("{written} {path}: {other:?}"),
    }
});

/// The template, as it is written with these fields.
fn written(template: &Template) -> String {
    let mut out = String::new();
    for (at, segment) in template.segments.iter().enumerate() {
        out.push('/');
        for (variable, field) in template.variables.iter().zip(FIELDS) {
            if variable.start == at {
                out += &format!("{{{field}=");
            }
        }
        match segment {
            Segment::Literal(literal) => out += &escaped(literal, true),
            Segment::Single => out.push('*'),
            Segment::Multi => out += "**",
        }
        if template.variables.iter().any(|variable| variable.end == at + 1) {
            out.push('}');
        }
    }
    if let Some(verb) = &template.verb {
        out += &format!(":{}", escaped(verb, true));
    }
    out
}

/// Percent-encoded: all of it, or what a path has to have so.
fn escaped(text: &[u8], all: bool) -> String {
    text.iter()
        .map(|byte| match byte {
            byte if !all && (byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=@".contains(byte)) => {
                char::from(*byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
