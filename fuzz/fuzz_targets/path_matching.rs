//! Any bytes as a path, to routers over all and over some of a set of templates. The router finds the binding that the
//! naive matcher finds, with the same captures, or refuses the path for the same reason.

#![no_main]

use std::cell::RefCell;
use std::thread::LocalKey;

use libfuzzer_sys::fuzz_target;
use protobridge::routing::{Captures, Match, Router};
use protobridge_fuzz::edge::{EDGE, rule};
use protobridge_fuzz::letters::{Letters, Random};
use protobridge_fuzz::paths::{Outcome, Reference, find};

/// Literals, captures and wildcards in each other's way, verbs where they are data elsewhere, tails behind `**`.
const TEMPLATES: [(&str, &str); 57] = [
    ("GET", "/"),
    ("GET", "/a"),
    ("POST", "/a"),
    ("GET", "/a/b"),
    ("GET", "/a/{a}"),
    ("POST", "/a/*"),
    ("*", "/a/{b}"),
    ("GET", "/a/{a}/b"),
    ("GET", "/a/{a}/{b}"),
    ("PUT", "/a/b/{c}"),
    ("GET", "/a/{a=**}"),
    ("POST", "/a/{a=b/**}"),
    ("GET", "/a/{a=b/*}"),
    ("PUT", "/a/**/b"),
    ("GET", "/a/{a=**}/b"),
    ("GET", "/a/{a=**}/b/b"),
    ("GET", "/a/{a=**}/{b=b}/{c=c}"),
    ("GET", "/a:v"),
    ("POST", "/a/{a}:v"),
    ("GET", "/a/{a}:w"),
    ("GET", "/a/b:v"),
    ("PUT", "/a/{a=**}:v"),
    ("GET", "/a/{a=b/**}:v"),
    ("GET", "/a/**/b:v"),
    ("GET", "/{a}"),
    ("GET", "/{a}:v"),
    ("PUT", "/{a}/b"),
    ("GET", "/{a}/{b}/{c}"),
    ("GET", "/{a=*/b/*}"),
    ("GET", "/{a=*/*}/c"),
    ("DELETE", "/{a=**}"),
    ("GET", "/{a=**}:w"),
    ("PUT", "/**/c"),
    ("GET", "/c/{a=rooms/**}"),
    ("GET", "/c/{a=rooms/*/b/**}/c"),
    ("GET", "/c/{a}/b/{b=**}"),
    ("GET", "/c/{note.a}/{note.note.b=c/*}"),
    ("POST", "/c/**"),
    ("*", "/c/**:v"),
    ("GET", "/c/{a=b}"),
    ("GET", "/c/é"),
    ("POST", "/c/a=b"),
    ("GET", "/b/*/*/*/{a}"),
    ("GET", "/b/*/b/*/{a}"),
    ("GET", "/b/b/*/*/{a}"),
    ("PUT", "/b/*/*/b/{a}"),
    ("GET", "/b/**/b"),
    ("POST", "/b/**/a/b"),
    ("GET", "/d/*/**"),
    ("POST", "/d/{a=*/**}:v"),
    ("GET", "/d/**/{a}"),
    ("GET", "/d/{a=**}/b/{b}"),
    ("GET", "/d/{a=**}/*/b"),
    ("PUT", "/d/{a=**}/{b}/*:v"),
    ("GET", "/d/{a=b/**}/{b=a/*}"),
    ("POST", "/**/*"),
    ("GET", "/**/{a}/a/{b}:w"),
];

const HTTP_METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "*", "get"];

struct Set {
    router: Router,
    reference: Vec<Reference>,
}

thread_local! {
    /// All templates, then some of them.
    static SETS: Vec<Set> = (0..16).map(set).collect();
    /// One for all, as in the filter.
    static CAPTURES: RefCell<Captures> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let set = letters.letter();
    let http_method = *letters.choose(&HTTP_METHODS);
    let path = letters.0;
    with(&SETS, set, |set| {
        let bindings: Vec<_> = set.reference.iter().collect();
        let expected = find(&bindings, http_method, path);
        let found = CAPTURES.with_borrow_mut(|captures| found(&set.router, http_method, path, captures));
        let shown = String::from_utf8_lossy(path);
        assert_eq!(found, expected, "{http_method} {shown}");
        let fresh = self::found(&set.router, http_method, path, &mut Captures::default());
        assert_eq!(fresh, expected, "what came before shows: {http_method} {shown}");
    });
});

fn with(sets: &'static LocalKey<Vec<Set>>, at: usize, check: impl FnOnce(&Set)) {
    sets.with(|sets| check(&sets[at % sets.len()]));
}

fn set(number: u64) -> Set {
    let mut random = Random(number);
    let chosen: Vec<_> = TEMPLATES
        .iter()
        .filter(|_| number == 0 || random.below(3) == 0)
        .collect();
    let mut rules = chosen
        .iter()
        .map(|(http_method, template)| rule("Unary", http_method, template, ""));
    let mut all = rules.next().expect("a rule");
    all.additional_bindings = rules.collect();
    Set {
        router: EDGE.router(&[all]).expect("the templates"),
        reference: chosen
            .iter()
            .map(|(http_method, template)| Reference::new(http_method, template))
            .collect(),
    }
}

fn found(router: &Router, http_method: &str, path: &[u8], captures: &mut Captures) -> Outcome {
    match router.find(http_method, path, captures) {
        Match::Route(route) => Outcome::Route {
            http_method: route.binding.http_method.to_string(),
            template: route.binding.template.to_string(),
            captures: captures.values().map(str::to_owned).collect(),
        },
        Match::WrongMethod { allow } => Outcome::WrongMethod(allow),
        Match::NoRoute => Outcome::NoRoute,
        Match::Malformed(message) => {
            assert!(!message.is_empty());
            Outcome::Malformed
        }
    }
}
