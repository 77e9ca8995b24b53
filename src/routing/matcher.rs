//! Finds the most specific template that a path matches: a trie over path segments.
//!
//! Specificity is compared segment by segment from the left: a literal before `*` before `**`. With segments after
//! `**`, more of them come first, and of equally many again a literal before `*` from the left. Declaration order plays
//! no part. A template that matches the path but isn't bound for the HTTP method doesn't end the search: the next less
//! specific one is tried, and only when none has the method is the answer that the method is wrong.
//!
//! **Cost.** A node of the trie is visited at most once in a search, as its depth says which segment it is compared
//! with: from the start of the path, or after `**` from its end. A look-up among a node's literals is a binary search.
//! So the routes beside the path cost nothing, a longer path costs no more than its own length, and backtracking is
//! bounded by the templates that share a prefix with the path. The stack is explicit and, like all scratch memory,
//! reused from request to request.
//!
//! **Verbs.** What follows the last `:` of a path is first read as a verb: when a template that has it matches what
//! precedes the colon, the most specific of these is meant, and no template without the verb. Only when none does is the
//! path searched as a whole, the colon being data. An escaped colon always is.

use super::template::{Segment, Template};
use crate::text::percent::{self, Decoding};

/// A binding as the matcher names it: a position in the list of its owner.
pub(super) type RouteIndex = u32;

/// The trie.
#[derive(Debug)]
pub(super) struct Matcher {
    nodes: Vec<Node>,
    /// Whether any template has a verb. Else a colon in a path costs no search of its own.
    has_verbs: bool,
}

impl Matcher {
    /// A matcher that matches nothing.
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            has_verbs: false,
        }
    }

    /// Adds a template for an HTTP method (`*`: any). If an equivalent template has that method already, nothing is
    /// added and the route that has it is returned.
    pub(super) fn insert(
        &mut self,
        template: &Template,
        http_method: &str,
        route: RouteIndex,
    ) -> Result<(), RouteIndex> {
        let mut node = ROOT;
        let (before, after) = match template.multi() {
            Some(multi) => template.segments.split_at(multi),
            None => (template.segments.as_slice(), [].as_slice()),
        };
        for segment in before {
            node = self.child(node, segment);
        }
        if let Some((_, tail)) = after.split_first() {
            node = self.wildcard_child(node, |node| &mut node.multi);
            // What follows `**` is compared from the end of the path, so it is kept from its end.
            for segment in tail.iter().rev() {
                node = self.child(node, segment);
            }
        }
        self.has_verbs |= template.verb.is_some();
        let Some(node) = self.nodes.get_mut(node as usize) else {
            return Ok(());
        };
        let Some(verb) = &template.verb else {
            return node.plain.insert(http_method, route);
        };
        match node.verbs.binary_search_by(|(known, _)| known.cmp(verb)) {
            Ok(at) => match node.verbs.get_mut(at) {
                Some((_, methods)) => methods.insert(http_method, route),
                None => Ok(()),
            },
            Err(at) => {
                let mut methods = Methods::default();
                let inserted = methods.insert(http_method, route);
                node.verbs.insert(at, (verb.clone(), methods));
                inserted
            }
        }
    }

    /// Looks for the route of `http_method` and `path` (as received, without the query).
    pub(super) fn find(&self, http_method: &str, path: &[u8], scratch: &mut Scratch) -> Found {
        if !scratch.split(path) {
            return Found::Nothing;
        }
        if self.has_verbs && scratch.verb.is_some() {
            scratch.swap_base();
            match self.best(http_method, path, scratch, true) {
                Found::Nothing => scratch.swap_base(),
                found => return found,
            }
        }
        self.best(http_method, path, scratch, false)
    }

    /// The most specific route of `http_method`, among the templates that have the verb of the path, or without
    /// `with_verb` among those that have none.
    fn best(&self, http_method: &str, path: &[u8], scratch: &mut Scratch, with_verb: bool) -> Found {
        let mut bound = false;
        let hit = self.search(path, scratch, with_verb, |methods| {
            bound = true;
            methods.get(http_method).map(Found::Route)
        });
        match hit {
            Some(hit) => hit,
            None if bound => {
                let mut allow = Vec::new();
                self.search(path, scratch, with_verb, |methods| {
                    allow.extend(methods.0.iter().map(|(method, _)| &**method));
                    None::<()>
                });
                allow.sort_unstable();
                allow.dedup();
                Found::OtherMethods(allow.join(", "))
            }
            None => Found::Nothing,
        }
    }

    /// Shows `visit` the methods of every template that matches, the most specific first, until it returns something.
    fn search<'m, T>(
        &'m self,
        path: &[u8],
        scratch: &mut Scratch,
        with_verb: bool,
        mut visit: impl FnMut(&'m Methods) -> Option<T>,
    ) -> Option<T> {
        let Scratch {
            segments,
            verb,
            decoded,
            stack,
            tail,
            ..
        } = scratch;
        let mut texts = Texts {
            path,
            decoded,
            segments,
            verb: None,
        };
        if with_verb {
            texts.verb = Some(texts.text(&verb.as_ref()?.name)?);
        }
        stack.clear();
        stack.push(Step::At(ROOT, 0));
        while let Some(step) = stack.pop() {
            let hit = match step {
                Step::At(node, depth) => match (self.node(node), texts.segments.get(depth)) {
                    (Some(node), Some(segment)) => {
                        texts.push_children(node, segment, depth, stack);
                        None
                    }
                    (Some(node), None) => self.end_of_path(&texts, node, &mut visit),
                    (None, _) => None,
                },
                Step::Rest(multi, depth) => self.rest(&texts, multi, depth, tail, &mut visit),
            };
            if hit.is_some() {
                return hit;
            }
        }
        None
    }

    /// Shows `visit` what ends at `node`, where the path is used up: its templates, then those that go on with an empty
    /// `**`.
    fn end_of_path<'m, T>(
        &'m self,
        texts: &Texts<'_>,
        node: &'m Node,
        visit: &mut impl FnMut(&'m Methods) -> Option<T>,
    ) -> Option<T> {
        if let Some(hit) = texts.end(node, visit) {
            return Some(hit);
        }
        texts.end(self.node(node.multi?)?, visit)
    }

    /// Shows `visit` what ends after a `**` that starts at the segment `depth`. `multi` is the root of the tails,
    /// `tail` memory for those that match.
    fn rest<'m, T>(
        &'m self,
        texts: &Texts<'_>,
        multi: u32,
        depth: usize,
        tail: &mut Vec<u32>,
        visit: &mut impl FnMut(&'m Methods) -> Option<T>,
    ) -> Option<T> {
        let root = self.node(multi)?;
        self.find_tails(texts, root, depth, tail);
        for node in tail.iter().rev() {
            if let Some(node) = self.node(*node)
                && let Some(hit) = texts.end(node, visit)
            {
                return Some(hit);
            }
        }
        texts.end(root, visit)
    }

    /// Sets `tail` to the nodes of what may follow `**`, from the end of the path towards the segment `depth`: the most
    /// specific last.
    ///
    /// Those of one length stand together. Each comes from one of the next shorter ones, so in the order of these, and
    /// as it is a segment further to the left, the literals among them come after every `*`.
    fn find_tails(&self, texts: &Texts<'_>, root: &Node, depth: usize, tail: &mut Vec<u32>) {
        tail.clear();
        let remaining = texts.segments.get(depth..).unwrap_or_default();
        let mut shorter = 0..0;
        for (segment, length) in remaining.iter().rev().zip(0..) {
            let from = tail.len();
            if length == 0 {
                tail.extend(texts.single(root, segment));
                tail.extend(texts.literal(root, segment));
            } else {
                for single in [true, false] {
                    for at in shorter.clone() {
                        let node = tail.get(at).and_then(|node| self.node(*node));
                        tail.extend(node.and_then(|node| match single {
                            true => texts.single(node, segment),
                            false => texts.literal(node, segment),
                        }));
                    }
                }
            }
            shorter = from..tail.len();
            if shorter.is_empty() {
                break;
            }
        }
    }

    fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    /// The child of `node` for a segment that isn't `**`, added if it isn't there.
    fn child(&mut self, node: u32, segment: &Segment) -> u32 {
        match segment {
            Segment::Literal(text) => self.literal_child(node, text),
            Segment::Single | Segment::Multi => self.wildcard_child(node, |node| &mut node.single),
        }
    }

    fn literal_child(&mut self, node: u32, text: &[u8]) -> u32 {
        let new = self.nodes.len() as u32;
        let Some(parent) = self.nodes.get_mut(node as usize) else {
            return node;
        };
        match parent.literals.binary_search_by(|(known, _)| (**known).cmp(text)) {
            Ok(at) => parent.literals.get(at).map_or(node, |(_, child)| *child),
            Err(at) => {
                parent.literals.insert(at, (text.into(), new));
                self.nodes.push(Node::default());
                new
            }
        }
    }

    fn wildcard_child(&mut self, node: u32, child: impl Fn(&mut Node) -> &mut Option<u32>) -> u32 {
        let new = self.nodes.len() as u32;
        let Some(parent) = self.nodes.get_mut(node as usize) else {
            return node;
        };
        let slot = child(parent);
        match *slot {
            Some(child) => child,
            None => {
                *slot = Some(new);
                self.nodes.push(Node::default());
                new
            }
        }
    }
}

const ROOT: u32 = 0;

/// How many segments' memory is kept between requests.
const KEPT_SEGMENTS: usize = 1024;

/// What [`Matcher::find`] says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The route; the segments of the path are then in [`Scratch::segments`], without the verb that the template has.
    Route(RouteIndex),
    /// The path is bound, for these methods alone: sorted, separated by a comma and a space.
    OtherMethods(String),
    /// No template matches the path.
    Nothing,
}

/// Memory for one search, reused by the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The segments of the path, the last one with its verb unless it is read as one.
    pub(super) segments: Vec<PathSegment>,
    /// How the last segment is cut into base and verb, if it has a colon.
    verb: Option<PathVerb>,
    /// The decoded text of what has an escape.
    decoded: Vec<u8>,
    stack: Vec<Step>,
    /// The nodes of tails that match.
    tail: Vec<u32>,
}

impl Scratch {
    /// Cuts `path` into segments. `false` if it isn't an absolute path.
    fn split(&mut self, path: &[u8]) -> bool {
        self.segments.clear();
        // A path of slashes alone must not hold its memory for ever.
        self.segments.shrink_to(KEPT_SEGMENTS);
        self.decoded.clear();
        self.verb = None;
        if path.first() != Some(&b'/') {
            return false;
        }
        let mut start = 1;
        for end in memchr::memchr_iter(b'/', path).skip(1).chain([path.len()]) {
            let segment = PathSegment::new(path, start, end, &mut self.decoded);
            self.segments.push(segment);
            start = end + 1;
        }
        if let Some(last) = self.segments.last()
            && let Some(colon) = path
                .get(last.start..last.end)
                .and_then(|text| memchr::memrchr(b':', text))
                .map(|at| last.start + at)
        {
            let (start, end) = (last.start, last.end);
            let name = PathSegment::new(path, colon + 1, end, &mut self.decoded);
            let base = PathSegment::new(path, start, colon, &mut self.decoded);
            self.verb = Some(PathVerb { base, name });
        }
        true
    }

    /// Puts what precedes the verb in the place of the last segment, or that back again.
    fn swap_base(&mut self) {
        if let (Some(last), Some(verb)) = (self.segments.last_mut(), &mut self.verb) {
            std::mem::swap(last, &mut verb.base);
        }
    }
}

/// One segment of a path, as a range of its bytes.
#[derive(Clone, Debug)]
pub(super) struct PathSegment {
    pub(super) start: usize,
    pub(super) end: usize,
    form: Form,
}

impl PathSegment {
    fn new(path: &[u8], start: usize, end: usize, decoded: &mut Vec<u8>) -> Self {
        let text = path.get(start..end).unwrap_or_default();
        let form = if memchr::memchr(b'%', text).is_none() {
            Form::Plain
        } else {
            let from = decoded.len();
            match percent::decode(text, Decoding::Segment, decoded) {
                Ok(()) => Form::Escaped {
                    start: from,
                    end: decoded.len(),
                },
                Err(at) => Form::Malformed { position: start + at },
            }
        };
        Self { start, end, form }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Where in the path an escape is malformed.
    pub(super) fn malformed(&self) -> Option<usize> {
        match self.form {
            Form::Malformed { position } => Some(position),
            Form::Plain | Form::Escaped { .. } => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Form {
    /// Without escapes: the bytes of the path are the text.
    Plain,
    /// With escapes: a range of [`Scratch::decoded`] is the text.
    Escaped { start: usize, end: usize },
    /// It is no text, and equals no literal.
    Malformed { position: usize },
}

/// The last segment of a path, cut at its last colon.
#[derive(Clone, Debug)]
struct PathVerb {
    /// What precedes the colon.
    base: PathSegment,
    name: PathSegment,
}

/// A node: what may follow the segments on the way to it, and what ends at it.
#[derive(Debug, Default)]
struct Node {
    /// Sorted by text.
    literals: Vec<(Box<[u8]>, u32)>,
    single: Option<u32>,
    /// The root of the tails after `**`, each kept from its end.
    multi: Option<u32>,
    plain: Methods,
    /// Sorted by verb.
    verbs: Vec<(Box<[u8]>, Methods)>,
}

/// The routes of one template by HTTP method, sorted by it.
#[derive(Debug, Default)]
struct Methods(Vec<(Box<str>, RouteIndex)>);

impl Methods {
    fn insert(&mut self, http_method: &str, route: RouteIndex) -> Result<(), RouteIndex> {
        match self.position(http_method) {
            Ok(at) => Err(self.0.get(at).map_or(route, |(_, known)| *known)),
            Err(at) => {
                self.0.insert(at, (http_method.into(), route));
                Ok(())
            }
        }
    }

    /// The route of this method, else that of any method.
    fn get(&self, http_method: &str) -> Option<RouteIndex> {
        let at = self.position(http_method).or_else(|_| self.position("*")).ok()?;
        self.0.get(at).map(|(_, route)| *route)
    }

    fn position(&self, http_method: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(http_method))
    }
}

/// A place still to be searched.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// This node has been reached with so many segments used.
    At(u32, usize),
    /// `**` of which this is the root of the tails starts at this segment.
    Rest(u32, usize),
}

/// The texts of a path that is being matched.
struct Texts<'p> {
    path: &'p [u8],
    decoded: &'p [u8],
    segments: &'p [PathSegment],
    /// The verb that the template has to have.
    verb: Option<&'p [u8]>,
}

impl<'p> Texts<'p> {
    /// Pushes where the search goes from `node` with `segment`, the one at `depth`.
    #[inline(always)]
    fn push_children(&self, node: &Node, segment: &PathSegment, depth: usize, stack: &mut Vec<Step>) {
        // Pushed in reverse: the most specific comes off the stack first.
        if let Some(multi) = node.multi {
            stack.push(Step::Rest(multi, depth));
        }
        if let Some(single) = self.single(node, segment) {
            stack.push(Step::At(single, depth + 1));
        }
        if let Some(literal) = self.literal(node, segment) {
            stack.push(Step::At(literal, depth + 1));
        }
    }

    /// The child of `node` for `*`, if `segment` is one that it matches.
    #[inline]
    fn single(&self, node: &Node, segment: &PathSegment) -> Option<u32> {
        node.single.filter(|_| !segment.is_empty())
    }

    /// The child of `node` for a literal that equals `segment`.
    fn literal(&self, node: &Node, segment: &PathSegment) -> Option<u32> {
        if node.literals.is_empty() {
            return None;
        }
        let text = self.text(segment)?;
        let at = node.literals.binary_search_by(|(known, _)| (**known).cmp(text)).ok()?;
        node.literals.get(at).map(|(_, child)| *child)
    }

    /// Shows `visit` what ends at `node`.
    fn end<'m, T>(&self, node: &'m Node, visit: &mut impl FnMut(&'m Methods) -> Option<T>) -> Option<T> {
        let Some(verb) = self.verb else {
            return if node.plain.0.is_empty() {
                None
            } else {
                visit(&node.plain)
            };
        };
        let at = node.verbs.binary_search_by(|(known, _)| (**known).cmp(verb)).ok()?;
        node.verbs.get(at).and_then(|(_, methods)| visit(methods))
    }

    /// The decoded text, unless an escape is malformed.
    fn text(&self, segment: &PathSegment) -> Option<&'p [u8]> {
        match segment.form {
            Form::Plain => self.path.get(segment.start..segment.end),
            Form::Escaped { start, end } => self.decoded.get(start..end),
            Form::Malformed { .. } => None,
        }
    }
}
