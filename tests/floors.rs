//! The house stands: no file of `src` imports one on a higher floor, and no imports run in a circle, neither among files
//! nor among folders. What is compiled for tests alone doesn't count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from the top; rooms of one floor may import each other, though not in a circle.
const FLOORS: [&[&str]; 8] = [
    &["lib"],
    &["filter"],
    &["exchange"],
    &["config"],
    &["routing", "transform", "openapi", "hooks"],
    &["codec"],
    &["schema", "grpc", "http"],
    &["wire", "text"],
];

/// A module by its path in the crate: `["codec", "to_wire"]`; the crate itself is empty.
type Module = Vec<String>;

/// The modules of the crate that aren't for tests alone, and what each imports.
struct House {
    imports: BTreeMap<Module, BTreeSet<Module>>,
}

impl House {
    fn read(source: &Path) -> Self {
        let mut texts = BTreeMap::new();
        read_module(source, &source.join("lib.rs"), Module::new(), &mut texts);
        let imports = texts
            .iter()
            .map(|(module, text)| {
                let of = |path: Vec<String>| resolve(module, path, &texts);
                let imported = paths(text).into_iter().filter_map(of);
                (module.clone(), imported.filter(|other| other != module).collect())
            })
            .collect();
        Self { imports }
    }

    /// The imports between the crate's rooms: its top-level modules.
    fn rooms(&self) -> Self {
        let room = |module: &Module| vec![room(module).to_owned()];
        let mut imports = BTreeMap::<Module, BTreeSet<Module>>::new();
        for (module, imported) in &self.imports {
            let of = imports.entry(room(module)).or_default();
            of.extend(imported.iter().map(room).filter(|other| *other != room(module)));
        }
        Self { imports }
    }

    /// A way from a module back to itself, if there is one.
    fn circle(&self) -> Option<Vec<&Module>> {
        let mut done = BTreeSet::new();
        self.imports
            .keys()
            .find_map(|module| self.circle_from(module, &mut Vec::new(), &mut done))
    }

    fn circle_from<'h>(
        &'h self,
        module: &'h Module,
        way: &mut Vec<&'h Module>,
        done: &mut BTreeSet<&'h Module>,
    ) -> Option<Vec<&'h Module>> {
        if let Some(at) = way.iter().position(|passed| *passed == module) {
            return Some([&way[at..], &[module]].concat());
        }
        if done.contains(module) {
            return None;
        }
        way.push(module);
        let found = self.imports[module]
            .iter()
            .find_map(|imported| self.circle_from(imported, way, done));
        way.pop();
        done.insert(module);
        found
    }
}

/// Reads a module's file and those of its children, without what is for tests alone.
fn read_module(folder: &Path, file: &Path, module: Module, texts: &mut BTreeMap<Module, String>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let text = without_tests(&without_comments(&text));
    for name in children(&text) {
        let (in_file, in_folder) = (folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs"));
        let file: PathBuf = if in_file.exists() { in_file } else { in_folder };
        let child = [module.as_slice(), std::slice::from_ref(&name)].concat();
        read_module(&folder.join(name), &file, child, texts);
    }
    texts.insert(module, text);
}

/// The names of the modules that have files of their own.
fn children(text: &str) -> Vec<String> {
    let declared = text.lines().filter_map(|line| {
        let (visibility, name) = line.strip_suffix(';')?.split_once("mod ")?;
        (visibility.is_empty() || visibility.starts_with("pub")).then_some(name)
    });
    declared.map(str::to_owned).collect()
}

fn without_comments(text: &str) -> String {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// Takes out what follows `#[cfg(test)]`: an item that ends where a line with its indentation closes it.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let indentation = line.len() - line.trim_start().len();
        let mut first = true;
        for line in lines.by_ref() {
            let own = line.len() - line.trim_start().len() == indentation;
            let closes = line.ends_with(';') || line.trim_end() == format!("{}}}", " ".repeat(indentation));
            if own && closes || first && line.ends_with('}') && !line.ends_with("{}") {
                break;
            }
            first = false;
        }
    }
    kept.join("\n")
}

/// The paths that `use` declarations and other code name.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for statement in text.split(';') {
        let declared = statement.rfind("use ").filter(|at| {
            let before = &statement[..*at];
            let line = before.rsplit('\n').next().unwrap_or_default().trim();
            line.is_empty() || line.starts_with("pub")
        });
        if let Some(at) = declared {
            expand(&statement[at + "use ".len()..], &[], &mut found);
        }
    }
    for keyword in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(keyword) {
            let name = |character: char| character.is_alphanumeric() || matches!(character, '_' | ':');
            // A visibility, `pub(in crate::codec)`, imports nothing.
            if text[..at].ends_with(name) || text[..at].ends_with("(in ") {
                continue;
            }
            let path: String = text[at..].chars().take_while(|character| name(*character)).collect();
            // What a tree leads to has been found above.
            if text[at + path.len()..].starts_with('{') {
                continue;
            }
            found.push(
                path.split("::")
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect(),
            );
        }
    }
    found
}

/// The paths of a use tree, `a::{b, c::d}`.
fn expand(tree: &str, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let (path, branches) = match tree.split_once('{') {
        Some((path, branches)) => (path, branches.trim_end().strip_suffix('}')),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let parts = path
        .split("::")
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != "self");
    let mut whole = prefix.to_vec();
    whole.extend(parts.map(str::to_owned));
    let Some(branches) = branches else {
        found.push(whole);
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, character) in branches.char_indices().chain([(branches.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&branches[start..at], &whole, found);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The module that a path in `module` leads to, of an item the one that has it; none where it leads out of the crate.
fn resolve(module: &Module, path: Vec<String>, texts: &BTreeMap<Module, String>) -> Option<Module> {
    let mut absolute = match path.first()?.as_str() {
        "crate" => Module::new(),
        _ => module.clone(),
    };
    let relative = !matches!(path[0].as_str(), "crate" | "super" | "self");
    for part in &path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => {
                absolute.pop()?;
            }
            part => absolute.push(part.to_owned()),
        }
    }
    // A path without a keyword leads to a child, or out of the crate.
    if relative && !texts.contains_key(&absolute[..module.len() + 1]) {
        return None;
    }
    while !texts.contains_key(&absolute) {
        absolute.pop()?;
    }
    Some(absolute)
}

fn room(module: &Module) -> &str {
    module.first().map_or("lib", String::as_str)
}

fn floor(module: &Module) -> usize {
    let room = room(module);
    let found = FLOORS.iter().position(|rooms| rooms.contains(&room));
    found.unwrap_or_else(|| panic!("{room} is on no floor"))
}

fn house() -> House {
    House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn nothing_imports_from_a_higher_floor() {
    let house = house();
    let mut upward = Vec::new();
    for (module, imported) in &house.imports {
        for other in imported.iter().filter(|other| floor(other) < floor(module)) {
            upward.push(format!("{} imports {}", module.join("::"), other.join("::")));
        }
    }
    assert_eq!(upward, Vec::<String>::new());
}

#[test]
fn no_imports_run_in_a_circle() {
    for house in [house(), house().rooms()] {
        let circle = house.circle().map(|way| {
            way.iter()
                .map(|module| module.join("::"))
                .collect::<Vec<_>>()
                .join(" -> ")
        });
        assert_eq!(circle, None);
    }
}

#[test]
fn the_imports_are_read() {
    let house = house();
    let imports = |module: &[&str], other: &[&str]| {
        let owned = |path: &[&str]| path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        house.imports[&owned(module)].contains(&owned(other))
    };
    assert!(imports(&["exchange", "in_place"], &["exchange", "answer"]));
    assert!(imports(&["exchange", "in_place"], &["grpc", "frame"]));
    assert!(imports(&["exchange"], &["exchange", "in_place"]));
    assert!(imports(&["filter", "envoy", "context"], &["filter", "abi"]));
    assert!(!imports(&["wire"], &["codec"]));
    // For tests alone.
    assert!(
        !house
            .imports
            .contains_key(&vec!["exchange".to_owned(), "tests".to_owned()])
    );
}

#[test]
fn a_use_tree_is_expanded() {
    let text = "pub use a::{self, b::{C, d::E as F}, G};\nlet x = crate::h::i();\nuse super::j::*;";
    let mut found: Vec<_> = paths(text).iter().map(|path| path.join("::")).collect();
    found.sort();
    found.dedup();
    assert_eq!(
        found,
        [
            "a",
            "a::G",
            "a::b::C",
            "a::b::d::E",
            "crate::h::i",
            "super::j",
            "super::j::*"
        ]
    );
}
