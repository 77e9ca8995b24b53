//! Path templates as SEMANTICS describes them, in the simplest way that does what it says: every template is compared
//! with the whole path, and the best of those that match wins. Nothing here is fast, and nothing comes from the crate.

use std::collections::BTreeSet;

/// One binding: an HTTP method (`*` for any) and a template.
pub struct Reference {
    pub http_method: &'static str,
    pub template: &'static str,
    segments: Vec<Piece>,
    verb: Option<&'static str>,
    /// The segments that each variable captures, and whether they keep `%2F`.
    variables: Vec<(usize, usize, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Literal(&'static str),
    Single,
    Multi,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Route {
        http_method: String,
        template: String,
        captures: Vec<String>,
    },
    WrongMethod(String),
    NoRoute,
    Malformed,
}

/// How specific a match is, the best being the least: a rank for each segment up to `**`, the more after that the less,
/// and a rank for each of these.
type Rank = (Vec<u8>, usize, Vec<u8>);

const LITERAL: u8 = 0;
const SINGLE: u8 = 1;
const MULTI: u8 = 2;

impl Reference {
    /// `template` is one that the grammar allows, and its literals have no escapes.
    pub fn new(http_method: &'static str, template: &'static str) -> Self {
        let mut reference = Self {
            http_method,
            template,
            segments: Vec::new(),
            verb: None,
            variables: Vec::new(),
        };
        let mut rest = &template[1..];
        if let Some((before, verb)) = rest.rsplit_once(':')
            && !verb.contains('}')
        {
            (rest, reference.verb) = (before, Some(verb));
        }
        while let Some(at) = rest.find('{') {
            reference.push(&rest[..at]);
            let (variable, behind) = rest[at + 1..].split_once('}').expect(template);
            let (_, inside) = variable.split_once('=').unwrap_or((variable, "*"));
            let start = reference.segments.len();
            reference.push(inside);
            let end = reference.segments.len();
            let multi = end - start > 1 || reference.segments[start] == Piece::Multi;
            reference.variables.push((start, end, multi));
            rest = behind;
        }
        reference.push(rest);
        if template == "/" {
            reference.segments.push(Piece::Literal(""));
        }
        reference
    }

    fn push(&mut self, segments: &'static str) {
        for segment in segments.split('/').filter(|segment| !segment.is_empty()) {
            self.segments.push(match segment {
                "*" => Piece::Single,
                "**" => Piece::Multi,
                literal => Piece::Literal(literal),
            });
        }
    }

    /// How well it matches these segments.
    fn rank(&self, path: &[&[u8]]) -> Option<Rank> {
        let multi = self.segments.iter().position(|segment| *segment == Piece::Multi);
        let (head, tail) = match multi {
            Some(at) => (&self.segments[..at], &self.segments[at + 1..]),
            None => (&self.segments[..], &[][..]),
        };
        let fits = match multi {
            Some(_) => path.len() >= head.len() + tail.len(),
            None => path.len() == head.len(),
        };
        if !fits {
            return None;
        }
        let mut ranks = rank_each(head, path)?;
        if multi.is_some() {
            ranks.push(MULTI);
        }
        let after = rank_each(tail, &path[path.len() - tail.len()..])?;
        Some((ranks, usize::MAX - tail.len(), after))
    }
}

/// A rank for each of `pieces`, if each matches its segment of the path.
fn rank_each(pieces: &[Piece], path: &[&[u8]]) -> Option<Vec<u8>> {
    let rank = |(piece, segment): (&Piece, &&[u8])| match piece {
        Piece::Literal(text) if decoded(segment, true).is_some_and(|found| found == text.as_bytes()) => Some(LITERAL),
        Piece::Single if !segment.is_empty() => Some(SINGLE),
        _ => None,
    };
    pieces.iter().zip(path).map(rank).collect()
}

/// What `path` leads to, of these bindings.
pub fn find(bindings: &[&Reference], http_method: &str, path: &[u8]) -> Outcome {
    let Some(segments) = path.strip_prefix(b"/") else {
        return Outcome::NoRoute;
    };
    let whole: Vec<&[u8]> = segments.split(|byte| *byte == b'/').collect();
    let last = whole[whole.len() - 1];
    let cut = last.iter().rposition(|byte| *byte == b':');
    let mut base = whole.clone();
    let mut verb = None;
    if let Some(cut) = cut {
        *base.last_mut().expect("a segment") = &last[..cut];
        verb = decoded(&last[cut + 1..], true);
    }
    let verb_is = |binding: &Reference| binding.verb.is_some() && binding.verb.map(str::as_bytes) == verb.as_deref();

    // The verb first: only where no template with it matches, the colon is data.
    let with_verb = bindings
        .iter()
        .any(|binding| verb_is(binding) && binding.rank(&base).is_some());
    let mut found: Vec<(Rank, &Reference)> = Vec::new();
    for binding in bindings {
        let rank = match with_verb {
            true if verb_is(binding) => binding.rank(&base),
            false if binding.verb.is_none() => binding.rank(&whole),
            _ => None,
        };
        if let Some(rank) = rank {
            found.push((rank, binding));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let best = found
        .iter()
        .filter(|(_, binding)| binding.http_method == http_method || binding.http_method == "*")
        // The method itself before any method, of the same template.
        .min_by_key(|(rank, binding)| (rank.clone(), binding.http_method == "*"));
    let Some((_, binding)) = best else {
        let allow: BTreeSet<_> = found.iter().map(|(_, binding)| binding.http_method).collect();
        return match allow.is_empty() {
            true => Outcome::NoRoute,
            false => Outcome::WrongMethod(allow.into_iter().collect::<Vec<_>>().join(", ")),
        };
    };
    let segments = if with_verb { &base } else { &whole };
    captures(binding, segments).map_or(Outcome::Malformed, |captures| Outcome::Route {
        http_method: binding.http_method.to_owned(),
        template: binding.template.to_owned(),
        captures,
    })
}

fn captures(binding: &Reference, path: &[&[u8]]) -> Option<Vec<String>> {
    for segment in path {
        decoded(segment, true)?;
    }
    let multi = binding.segments.iter().position(|segment| *segment == Piece::Multi);
    // Behind `**`, positions count from the end.
    let place = |at: usize| match multi {
        Some(multi) if at > multi => at + path.len() - binding.segments.len(),
        _ => at,
    };
    let values = binding.variables.iter().map(|(start, end, keeps_slashes)| {
        let captured = path[place(*start)..place(*end)].join(&b'/');
        String::from_utf8(decoded(&captured, !keeps_slashes)?).ok()
    });
    values.collect()
}

/// Percent-decoded once. `None`: an escape is malformed. Without `slashes`, `%2F` stays.
fn decoded(text: &[u8], slashes: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'%' {
            out.push(text[at]);
            at += 1;
            continue;
        }
        let digits = text.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        match u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()? {
            b'/' if !slashes => out.extend_from_slice(&text[at..at + 3]),
            byte => out.push(byte),
        }
        at += 3;
    }
    Some(out)
}
