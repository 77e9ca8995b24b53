//! Path templates as OpenAPI has them: literals, and parameters that are one segment each.

use std::collections::HashSet;

use crate::routing::template::{Segment, Template, Variable};

/// A path of OpenAPI, and its parameters in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) text: String,
    pub(super) parameters: Vec<PathParameter>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathParameter {
    pub(super) name: String,
    /// The variable that captures the segment, as a position in [`Template::variables`]; none for a wildcard by itself.
    pub(super) variable: Option<usize>,
    /// Whether the segment is all that the variable captures.
    pub(super) whole: bool,
    /// Whether it stands for any number of segments.
    pub(super) multi: bool,
}

impl Path {
    /// `names` are the names of the variables as clients know them. A `*` within a variable is named by the resource of
    /// that pattern, or after the collection in front of it.
    pub(super) fn new(template: &Template, names: &[String], resources: &[Vec<String>]) -> Self {
        let mut path = Self {
            text: String::new(),
            parameters: Vec::new(),
        };
        let mut taken: HashSet<String> = HashSet::new();
        for (at, segment) in template.segments.iter().enumerate() {
            path.text.push('/');
            if let Segment::Literal(text) = segment {
                encode(text, &mut path.text);
                continue;
            }
            let mut variables = template.variables.iter().enumerate();
            let variable = variables.find(|(_, variable)| (variable.start..variable.end).contains(&at));
            let whole = variable.is_none_or(|(_, variable)| variable.end == variable.start + 1);
            let wanted = match variable {
                None => "wildcard".to_owned(),
                Some((index, variable)) => {
                    let name = names.get(index).cloned().unwrap_or_default();
                    match whole {
                        true => name,
                        false => name_of(template, variable, at, resources).unwrap_or(name),
                    }
                }
            };
            let mut name = wanted.clone();
            let mut number = 2;
            while !taken.insert(name.clone()) {
                name = format!("{wanted}_{number}");
                number += 1;
            }
            path.text.push('{');
            path.text.push_str(&name);
            path.text.push('}');
            path.parameters.push(PathParameter {
                name,
                variable: variable.map(|(index, _)| index),
                whole,
                multi: *segment == Segment::Multi,
            });
        }
        if let Some(verb) = &template.verb {
            path.text.push(':');
            encode(verb, &mut path.text);
        }
        path
    }

    /// The path without the names of its parameters: two that are alike here are one for OpenAPI.
    pub(super) fn shape(&self) -> String {
        let mut shape = String::with_capacity(self.text.len());
        let mut within = false;
        for character in self.text.chars() {
            within &= character != '}';
            if !within {
                shape.push(character);
            }
            within |= character == '{';
        }
        shape
    }
}

/// The name of the wildcard at a position within a variable.
fn name_of(template: &Template, variable: &Variable, at: usize, resources: &[Vec<String>]) -> Option<String> {
    let captured = template.segments.get(variable.start..variable.end)?;
    let place = at - variable.start;
    let resource = resources.iter().find(|pattern| {
        pattern.len() == captured.len()
            && pattern.iter().zip(captured).all(|(text, segment)| match segment {
                Segment::Literal(literal) => text.as_bytes() == &**literal,
                Segment::Single | Segment::Multi => text.starts_with('{'),
            })
    });
    if let Some(text) = resource.and_then(|pattern| pattern.get(place)) {
        let name = text.trim_matches(['{', '}']);
        return Some(name.split('=').next().unwrap_or(name).to_owned());
    }
    let before = captured.get(place.checked_sub(1)?)?;
    match before {
        Segment::Literal(literal) => {
            let name = singular(std::str::from_utf8(literal).ok()?);
            let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
            (!name.is_empty() && name.chars().all(is_name)).then_some(name)
        }
        Segment::Single | Segment::Multi => None,
    }
}

/// One of a collection: `shelf` of `shelves`.
fn singular(plural: &str) -> String {
    const ENDS: [(&str, &str); 7] = [
        ("ies", "y"),
        ("lves", "lf"),
        ("sses", "ss"),
        ("xes", "x"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("s", ""),
    ];
    if plural.ends_with("ss") || plural.ends_with("us") {
        return plural.to_owned();
    }
    for (end, one) in ENDS {
        if let Some(stem) = plural.strip_suffix(end).filter(|stem| !stem.is_empty()) {
            return format!("{stem}{one}");
        }
    }
    plural.to_owned()
}

/// Appends a literal as a path holds it (RFC 3986, section 3.3), escaped but for what OpenAPI takes for a parameter too.
fn encode(literal: &[u8], out: &mut String) {
    for byte in literal {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=@".contains(byte) => out.push(char::from(*byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(template: &str, resources: &[&str]) -> String {
        let template = Template::parse(template).unwrap();
        let names: Vec<_> = template.variables.iter().map(Variable::name).collect();
        let resources: Vec<Vec<String>> = resources
            .iter()
            .map(|pattern| pattern.split('/').map(str::to_owned).collect())
            .collect();
        Path::new(&template, &names, &resources).text
    }

    #[test]
    fn a_template_is_written_out_into_segments() {
        for (template, expected) in [
            ("/", "/"),
            ("/v1/books", "/v1/books"),
            ("/v1/books/{id}", "/v1/books/{id}"),
            ("/v1/{book.id}", "/v1/{book.id}"),
            ("/v1/{name=shelves/*}", "/v1/shelves/{shelf}"),
            (
                "/v1/{name=shelves/*/books/*}:lend",
                "/v1/shelves/{shelf}/books/{book}:lend",
            ),
            (
                "/v1/{name=categories/*/boxes/*/classes/*}",
                "/v1/categories/{category}/boxes/{box}/classes/{class}",
            ),
            ("/v1/{name=*/x/*}", "/v1/{name}/x/{x}"),
            ("/v1/{name=*/*}", "/v1/{name}/{name_2}"),
            ("/v1/{one=a/*}/{other=a/*}", "/v1/a/{a}/a/{a_2}"),
            ("/v1/{name=fixed/path}", "/v1/fixed/path"),
            ("/v1/{rest=**}", "/v1/{rest}"),
            ("/v1/{name=rooms/**}/meta", "/v1/rooms/{room}/meta"),
            ("/v1/*/x/**", "/v1/{wildcard}/x/{wildcard_2}"),
            ("/v1/a%3Ab/%C3%A9", "/v1/a%3Ab/%C3%A9"),
        ] {
            assert_eq!(path(template, &[]), expected, "{template}");
        }
    }

    #[test]
    fn a_resource_names_its_segments() {
        let resources = ["shelves/{shelf_id}", "shelves/{rack}/books/{volume=**}"];
        assert_eq!(path("/v1/{name=shelves/*}", &resources), "/v1/shelves/{shelf_id}");
        assert_eq!(
            path("/v1/{name=shelves/*/books/*}", &resources),
            "/v1/shelves/{rack}/books/{volume}"
        );
        assert_eq!(path("/v1/{name=racks/*}", &resources), "/v1/racks/{rack}");
    }

    #[test]
    fn two_paths_are_alike_but_for_the_names_of_their_parameters() {
        let of = |text: &str| {
            Path {
                text: text.into(),
                parameters: Vec::new(),
            }
            .shape()
        };
        assert_eq!(of("/v1/{a}/b:c"), "/v1/{}/b:c");
        assert_eq!(of("/v1/{a}"), of("/v1/{b}"));
    }
}
