//! Path templates, by the grammar of `google/api/http.proto` ("Path template syntax"):
//!
//! ```text
//! Template  = "/" Segments [ Verb ] ;
//! Segments  = Segment { "/" Segment } ;
//! Segment   = "*" | "**" | LITERAL | Variable ;
//! Variable  = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! Verb      = ":" LITERAL ;
//! ```
//!
//! with rules that the grammar leaves to prose: variables don't nest, a variable occurs once, and so does `**`, so that
//! what follows it has a fixed number of segments. Google's text has `**` at the end alone; rules in use have segments
//! after it (Firestore, Bazel). One form is accepted beyond the grammar: `/` alone, which is the path `/`.

use std::fmt;

use crate::text::percent::{self, Decoding};
use crate::wire::DEPTH_LIMIT;

/// A parsed path template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The segments, those inside variables included.
    pub segments: Vec<Segment>,
    /// What follows the last `:`, decoded.
    pub verb: Option<Box<[u8]>>,
    /// The variables in the order they are written.
    pub variables: Vec<Variable>,
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text, percent-decoded.
    Literal(Box<[u8]>),
    /// `*`: any one segment that isn't empty.
    Single,
    /// `**`: any segments, or none.
    Multi,
}

/// A variable of a template: the field that it binds and the segments that it captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The names on the way to the field, as they are written.
    pub field_path: Vec<Box<str>>,
    /// The first captured segment, as a position in [`Template::segments`].
    pub start: usize,
    /// One past the last captured segment.
    pub end: usize,
    /// Whether the capture may span several segments, and so keeps `%2F` as it is.
    pub multi_segment: bool,
}

impl Variable {
    /// The field path as it is written: `book.name`.
    pub fn name(&self) -> String {
        self.field_path.join(".")
    }
}

impl Template {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser {
            text,
            at: 0,
            template: Self {
                segments: Vec::new(),
                verb: None,
                variables: Vec::new(),
            },
        };
        parser.template()?;
        Ok(parser.template)
    }

    /// Puts `base` before the template.
    pub fn put_under(&mut self, base: &BasePath) {
        let literals = base.0.iter().cloned().map(Segment::Literal);
        self.segments.splice(0..0, literals);
        for variable in &mut self.variables {
            variable.start += base.0.len();
            variable.end += base.0.len();
        }
    }

    /// The position of `**`, if there is one.
    pub fn multi(&self) -> Option<usize> {
        self.segments.iter().position(|segment| *segment == Segment::Multi)
    }
}

/// A path that all templates are below: literal segments, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(Vec<Box<[u8]>>);

impl BasePath {
    /// Parses `text`, which is a template of literals alone: `/api/v2`. Empty, it is no path, and templates stay as they
    /// are. `None` if it doesn't begin with `/`, ends with one, or has an empty segment or what isn't a literal: variables,
    /// wildcards, a verb, a query.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let template = Template::parse(text).ok()?;
        let literal = |segment| match segment {
            Segment::Literal(text) if !text.is_empty() => Some(text),
            _ => None,
        };
        let literals = template.segments.into_iter().map(literal).collect::<Option<_>>()?;
        (template.verb.is_none() && template.variables.is_empty()).then_some(Self(literals))
    }
}

/// Why a text isn't a path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Where, in bytes from the start of the template.
    pub position: usize,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.message, self.position)
    }
}

impl std::error::Error for TemplateError {}

struct Parser<'t> {
    text: &'t str,
    /// Always on a character boundary of `text`.
    at: usize,
    template: Template,
}

impl<'t> Parser<'t> {
    fn template(&mut self) -> Result<(), TemplateError> {
        if !self.take('/') {
            return Err(self.expected("`/`"));
        }
        if self.rest().is_empty() {
            self.template.segments.push(Segment::Literal(Box::default()));
            return Ok(());
        }
        self.segments(false)?;
        if self.take(':') {
            let verb = self.literal("a verb")?;
            self.template.verb = Some(verb);
            if self.peek().is_some() {
                // An escaped colon in the verb would be found only where clients escape it too.
                return Err(self.expected(if self.ends_in_own_literal() {
                    "the end of the template after its verb (a `:` before the verb, in a literal, is written `%3A`)"
                } else {
                    "the end of the template after its verb, which has no `:` and comes after the last segment"
                }));
            }
        }
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("`/`, `:` or the end of the template")),
        }
    }

    fn segments(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        loop {
            self.segment(in_variable)?;
            if !self.take('/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        let start = self.at;
        match self.peek() {
            Some('*') => {
                self.take('*');
                let segment = if self.take('*') {
                    Segment::Multi
                } else {
                    Segment::Single
                };
                if !matches!(self.peek(), None | Some('/' | ':' | '}')) {
                    return Err(self.expected("`/`, `:` or the end after a wildcard, which is a segment of its own"));
                }
                if segment == Segment::Multi && self.template.multi().is_some() {
                    return Err(TemplateError {
                        position: start,
                        message: "expected `**` once, found it again: what follows it is a literal, `*` or a variable \
                                  without `**`"
                            .into(),
                    });
                }
                self.template.segments.push(segment);
                Ok(())
            }
            Some('{') if in_variable => Err(self.expected("a segment without variables: variables don't nest")),
            Some('{') => self.variable(),
            _ => {
                let literal = self.literal("a segment (`*`, `**`, a literal or `{variable}`)")?;
                self.template.segments.push(Segment::Literal(literal));
                Ok(())
            }
        }
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        let opening = self.at;
        self.take('{');
        let mut field_path = vec![self.identifier()?];
        while self.take('.') {
            field_path.push(self.identifier()?);
        }
        let start = self.template.segments.len();
        if self.take('=') {
            self.segments(true)?;
            if !self.take('}') {
                return Err(self.expected("`/` or `}`"));
            }
        } else if self.take('}') {
            self.template.segments.push(Segment::Single);
        } else {
            return Err(self.expected("`.`, `=` or `}`"));
        }
        let captured = self.template.segments.get(start..).unwrap_or_default();
        let variable = Variable {
            field_path,
            start,
            end: self.template.segments.len(),
            multi_segment: captured.len() != 1 || captured.contains(&Segment::Multi),
        };
        let refused = if variable.field_path.len() > DEPTH_LIMIT {
            Some(format!("expected at most {DEPTH_LIMIT} fields in a field path"))
        } else if self
            .template
            .variables
            .iter()
            .any(|known| known.field_path == variable.field_path)
        {
            Some(format!(
                "expected each variable once, found `{}` again",
                variable.name()
            ))
        } else {
            None
        };
        if let Some(message) = refused {
            return Err(TemplateError {
                position: opening,
                message,
            });
        }
        self.template.variables.push(variable);
        if matches!(self.peek(), None | Some('/' | ':')) {
            Ok(())
        } else {
            Err(self.expected("`/`, `:` or the end after a variable, which is a segment of its own"))
        }
    }

    /// Whether the last segment is a literal outside of variables.
    fn ends_in_own_literal(&self) -> bool {
        let Template {
            segments, variables, ..
        } = &self.template;
        matches!(segments.last(), Some(Segment::Literal(_)))
            && variables.last().is_none_or(|variable| variable.end < segments.len())
    }

    fn identifier(&mut self) -> Result<Box<str>, TemplateError> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        match rest.get(..length) {
            Some(identifier) if !identifier.is_empty() && !identifier.starts_with(|c: char| c.is_ascii_digit()) => {
                self.at += length;
                Ok(identifier.into())
            }
            _ => Err(self.expected("a field name")),
        }
    }

    fn literal(&mut self, what: &str) -> Result<Box<[u8]>, TemplateError> {
        let rest = self.rest();
        let length = rest.find(|c| !is_literal(c)).unwrap_or(rest.len());
        let literal = rest.get(..length).unwrap_or_default().as_bytes();
        if literal.is_empty() {
            return Err(self.expected(what));
        }
        let mut decoded = Vec::with_capacity(length);
        if let Err(position) = percent::decode(literal, Decoding::Segment, &mut decoded) {
            return Err(TemplateError {
                position: self.at + position,
                message: format!(
                    "expected `%` and two hexadecimal digits, found `{}`",
                    percent::shown(literal, position)
                ),
            });
        }
        self.at += length;
        Ok(decoded.into())
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn expected(&self, what: &str) -> TemplateError {
        TemplateError {
            position: self.at,
            message: match self.peek() {
                Some(found) => format!("expected {what}, found `{found}`"),
                None => format!("expected {what}, found the end of the template"),
            },
        }
    }
}

/// What a literal may hold: RFC 3986's `pchar` without the characters that the grammar uses, and anything beyond
/// ASCII (a client sends it escaped, and literals compare decoded).
fn is_literal(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "-._~!$&'()+,;=@%".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A template written out from its parts, with variables as ranges.
    fn described(text: &str) -> Result<String, TemplateError> {
        Template::parse(text).map(|template| written(&template))
    }

    fn written(template: &Template) -> String {
        let segments: Vec<_> = template
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => format!("'{}'", String::from_utf8_lossy(text)),
                Segment::Single => "*".into(),
                Segment::Multi => "**".into(),
            })
            .collect();
        let mut out = segments.join(" ");
        if let Some(verb) = &template.verb {
            out += &format!(" :{}", String::from_utf8_lossy(verb));
        }
        for variable in &template.variables {
            let multi = if variable.multi_segment { "+" } else { "" };
            out += &format!(" {}={}..{}{multi}", variable.name(), variable.start, variable.end);
        }
        out
    }

    #[test]
    fn every_form_of_the_grammar_is_read() {
        let cases = [
            ("/", "''"),
            ("/v1", "'v1'"),
            ("/v1/*", "'v1' *"),
            ("/v1/**", "'v1' **"),
            ("/**", "**"),
            ("/v1/{id}", "'v1' * id=1..2"),
            ("/v1/{id=*}", "'v1' * id=1..2"),
            ("/v1/{path=**}", "'v1' ** path=1..2+"),
            ("/v1/{name=shelves/*}", "'v1' 'shelves' * name=1..3+"),
            (
                "/v1/{name=shelves/*/books/*}/x",
                "'v1' 'shelves' * 'books' * 'x' name=1..5+",
            ),
            ("/v1/{kind=literal}", "'v1' 'literal' kind=1..2"),
            ("/{a}/{b.c_1.d=x/**}/y/z", "* 'x' ** 'y' 'z' a=0..1 b.c_1.d=1..3+"),
            ("/{a=**}/{b=tail}", "** 'tail' a=0..1+ b=1..2"),
            ("/**/*", "** *"),
            ("/x/{a=y/**}/{b}", "'x' 'y' ** * a=1..3+ b=3..4"),
            ("/{a=**/x/*}/{b=y/*}/*:v", "** 'x' * 'y' * * :v a=0..3+ b=3..5+"),
            ("/v1/{id}:cancel", "'v1' * :cancel id=1..2"),
            ("/v1:batchGet", "'v1' :batchGet"),
            ("/v1/**:verb", "'v1' ** :verb"),
            ("/v1/*:verb", "'v1' * :verb"),
            ("/a%20b/%3A/%2f", "'a b' ':' '/'"),
            ("/a:%63an%3Acel", "'a' :can:cel"),
            ("/pkg.Service/Method", "'pkg.Service' 'Method'"),
            ("/a=b/~!$&'()+,;@", "'a=b' '~!$&'()+,;@'"),
            ("/é", "'é'"),
        ];
        for (text, expected) in cases {
            assert_eq!(described(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        let cases = [
            ("", 0, "expected `/`, found the end"),
            ("v1", 0, "expected `/`, found `v`"),
            ("//", 1, "expected a segment"),
            (
                "/a/",
                3,
                "expected a segment (`*`, `**`, a literal or `{variable}`), found the end",
            ),
            ("/a//b", 3, "expected a segment"),
            ("/:verb", 1, "expected a segment"),
            ("/a:", 3, "expected a verb, found the end"),
            (
                "/a:b/c",
                4,
                "expected the end of the template after its verb (a `:` before the verb, in a literal, is written \
                 `%3A`), found `/`",
            ),
            ("/a:b:c", 4, "in a literal, is written `%3A`), found `:`"),
            (
                "/{a}:b:c",
                6,
                "expected the end of the template after its verb, which has no `:` and comes after the last segment, \
                 found `:`",
            ),
            ("/{a=x}:b:c", 8, "which has no `:` and comes after the last segment"),
            (
                "/*:b/c",
                4,
                "which has no `:` and comes after the last segment, found `/`",
            ),
            ("/***", 3, "a segment of its own"),
            ("/a*", 2, "expected `/`, `:` or the end of the template, found `*`"),
            ("/*a", 2, "a segment of its own"),
            ("/**/**", 4, "expected `**` once, found it again: what follows it is"),
            ("/**/a/*/**", 8, "expected `**` once"),
            ("/{a=**}/{b=**}", 11, "expected `**` once"),
            ("/{a=**/**}", 7, "expected `**` once"),
            ("/{", 2, "expected a field name, found the end"),
            ("/{}", 2, "expected a field name, found `}`"),
            ("/{1a}", 2, "expected a field name"),
            ("/{a.}", 4, "expected a field name, found `}`"),
            ("/{a", 3, "expected `.`, `=` or `}`, found the end"),
            ("/{a-b}", 3, "expected `.`, `=` or `}`, found `-`"),
            ("/{a=}", 4, "expected a segment"),
            ("/{a=b", 5, "expected `/` or `}`, found the end"),
            ("/{a=b:c}", 5, "expected `/` or `}`, found `:`"),
            ("/{a={b}}", 4, "variables don't nest"),
            ("/{a=x/{b}}", 6, "variables don't nest"),
            ("/{a}b", 4, "a segment of its own"),
            ("/{a}{b}", 4, "a segment of its own"),
            ("/x{a}", 2, "expected `/`, `:` or the end of the template, found `{`"),
            ("/{a}/{a}", 5, "expected each variable once, found `a` again"),
            ("/{a.b}/{a.b=x}", 7, "expected each variable once, found `a.b` again"),
            ("/a}", 2, "found `}`"),
            ("/a b", 2, "found ` `"),
            ("/a?b", 2, "found `?`"),
            ("/a#b", 2, "found `#`"),
            ("/a%2", 2, "two hexadecimal digits, found `%2`"),
            ("/a%zz", 2, "two hexadecimal digits, found `%zz`"),
            ("/a:%", 3, "two hexadecimal digits, found `%`"),
        ];
        for (text, position, message) in cases {
            let error = Template::parse(text).unwrap_err();
            assert_eq!(error.position, position, "{text}: {error}");
            assert!(error.message.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn a_base_path_is_put_before_segments_and_variables() {
        let cases = [
            ("", "/v1/{id}:v", "'v1' * :v id=1..2"),
            ("/api", "/v1/{id}:v", "'api' 'v1' * :v id=2..3"),
            ("/a%20b/c", "/{id=x/**}/*", "'a b' 'c' 'x' ** * id=2..4+"),
            ("/api", "/", "'api' ''"),
        ];
        for (base, text, expected) in cases {
            let mut template = Template::parse(text).unwrap();
            template.put_under(&BasePath::parse(base).unwrap());
            assert_eq!(written(&template), expected, "{text} below {base}");
        }
        for text in [
            "api", "/", "/api/", "//api", "/a//b", "/{a}", "/{a=b}", "/*", "/a/**", "/a:b", "/a?b", "/a#b", "/%",
        ] {
            assert!(BasePath::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_field_path_over_the_depth_limit_is_refused() {
        let path = |length: usize| format!("/{{{}}}", vec!["a"; length].join("."));
        assert!(Template::parse(&path(100)).is_ok());
        assert!(Template::parse(&path(101)).unwrap_err().message.contains("at most 100"));
    }
}
