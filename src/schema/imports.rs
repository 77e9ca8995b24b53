//! Who imports whom, and what each file therefore sees.

use std::collections::{HashMap, HashSet};

use super::bundled;
use super::nearest::nearest;
use crate::text::shown::listed;

/// What one file imports, as its descriptor says.
pub(super) struct Imports<'f> {
    pub(super) name: &'f str,
    pub(super) dependency: &'f [String],
    /// Positions in `dependency`.
    pub(super) public: &'f [i32],
    /// Whether the configuration has it; else it is bundled.
    pub(super) given: bool,
}

/// What one file sees: itself, what it imports, and what is publicly imported there.
pub(super) struct Sees {
    /// Their positions, its own first.
    pub(super) files: Vec<usize>,
    /// The import paths of some of those that aren't there, at most [`MISSING`].
    pub(super) missing: Vec<String>,
}

/// How many missing imports of a file are known: each is compared with what isn't defined.
const MISSING: usize = 50;

/// How many missing imports an error names.
const NAMED: usize = 5;

/// An import that is wrong.
pub(super) struct ImportError {
    /// The position of the importing file.
    pub(super) file: usize,
    /// The position of the import in that file.
    pub(super) import: usize,
    pub(super) message: String,
}

/// What each file sees. That a file isn't there is no error here: it may be that nothing of it is needed.
pub(super) fn visible(files: &[Imports<'_>]) -> Result<Vec<Sees>, ImportError> {
    let positions: HashMap<_, _> = files.iter().zip(0..).map(|(file, at)| (file.name, at)).collect();
    let mut direct = Vec::with_capacity(files.len());
    for (position, file) in files.iter().enumerate() {
        let error = |import, message| ImportError {
            file: position,
            import,
            message,
        };
        let mut names = HashSet::with_capacity(file.dependency.len());
        for (name, import) in file.dependency.iter().zip(0..) {
            if !names.insert(name) {
                return Err(error(import, format!("\"{name}\" is imported twice")));
            }
        }
        let imported: Vec<Option<usize>> = file
            .dependency
            .iter()
            .map(|name| positions.get(name.as_str()).copied())
            .collect();
        if let Some(wrong) = file
            .public
            .iter()
            .find(|at| usize::try_from(**at).map_or(true, |at| at >= imported.len()))
        {
            return Err(error(
                0,
                format!(
                    "public import number {wrong} is not there, expected less than {}",
                    imported.len()
                ),
            ));
        }
        direct.push(imported);
    }
    refuse_cycles(files, &direct)?;

    let mut seen_by = vec![usize::MAX; files.len()];
    let visible = (0..files.len()).map(|position| {
        let mut sees = Sees {
            files: vec![position],
            missing: Vec::new(),
        };
        if let Some(mark) = seen_by.get_mut(position) {
            *mark = position;
        }
        let mut pending = Vec::new();
        if let (Some(file), Some(imported)) = (files.get(position), direct.get(position)) {
            for (name, target) in file.dependency.iter().zip(imported) {
                sees.follow(name, *target, &mut pending);
            }
        }
        while let Some(next) = pending.pop() {
            match seen_by.get_mut(next) {
                Some(mark) if *mark != position => *mark = position,
                _ => continue,
            }
            sees.files.push(next);
            if let (Some(file), Some(imported)) = (files.get(next), direct.get(next)) {
                for at in file.public.iter().map(|at| *at as usize) {
                    if let (Some(name), Some(target)) = (file.dependency.get(at), imported.get(at)) {
                        sees.follow(name, *target, &mut pending);
                    }
                }
            }
        }
        sees
    });
    Ok(visible.collect())
}

impl Sees {
    /// An import that this file sees, of the file at `target` if it is there, which is added to what is `pending`.
    fn follow(&mut self, name: &String, target: Option<usize>, pending: &mut Vec<usize>) {
        match target {
            Some(target) => pending.push(target),
            None if self.missing.len() < MISSING && !self.missing.contains(name) => {
                self.missing.push(name.clone());
            }
            None => {}
        }
    }
}

/// Those of the `missing` imports that are in the folder of the package of `name`, which isn't defined.
pub(super) fn likely<'f>(name: &str, missing: &'f [String]) -> Vec<&'f str> {
    let name = name.trim_start_matches('.');
    let qualifier = name.rsplit_once('.').map_or("", |(qualifier, _)| qualifier);
    let is_likely = |path: &&str| {
        let package = path.rsplit_once('/').map_or("", |(folder, _)| folder).replace('/', ".");
        let ends_with = |whole: &str, part: &str| whole == part || whole.ends_with(&format!(".{part}"));
        let absolute = !package.is_empty() && name.starts_with(&format!("{package}."));
        absolute || !qualifier.is_empty() && ends_with(&package, qualifier)
    };
    missing.iter().map(String::as_str).filter(is_likely).collect()
}

/// The one of the `missing` imports that may be of the file `name`: one path ends in the other.
pub(super) fn other_path<'f>(name: &str, missing: &'f [String]) -> Option<&'f str> {
    let ends_with = |whole: &str, end: &str| whole.strip_suffix(end).is_some_and(|folder| folder.ends_with('/'));
    let mut missing = missing.iter().map(String::as_str);
    missing.find(|path| ends_with(name, path) || ends_with(path, name))
}

/// What to add where `name` is not defined: that the files `missing`, which are imported, aren't there, what was meant, and
/// what is there. Those that are [`likely`] are named alone.
pub(super) fn not_there<'f>(name: &str, missing: &'f [String], files: &[Imports<'f>]) -> String {
    let mut named = likely(name, missing);
    if named.is_empty() {
        named = missing.iter().map(String::as_str).collect();
    }
    let missing = named;
    let mut given: Vec<_> = files.iter().filter(|file| file.given).map(|file| file.name).collect();
    // One's own files first: a descriptor set may have many of Google's.
    given.sort_unstable_by_key(|name| (name.starts_with("google/"), *name));
    let count = given.len();
    given.truncate(20);
    let meant = match missing.iter().find_map(|name| similar(name, files)) {
        Some(meant) => format!("; did you mean \"{meant}\"?"),
        None => String::new(),
    };
    let (imports, are) = if missing.len() > 1 {
        ("imports", "are")
    } else {
        ("import", "is")
    };
    let others = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    format!(
        "{imports} \"{}\"{others} {are} not there{meant} (given: {}; bundled: google/api, google/protobuf, \
         google/rpc, google/type)",
        missing.get(..NAMED).unwrap_or(&missing).join("\", \""),
        listed(&given, count)
    )
}

/// A file of the same folder with nearly the same name, else one with the same name in another folder.
fn similar<'f>(name: &'f str, files: &[Imports<'f>]) -> Option<&'f str> {
    // That they all end in the same makes names no more alike.
    let split = |path: &'f str| {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        (folder, file.strip_suffix(".proto").unwrap_or(file))
    };
    let known = || {
        let bundled = bundled::names().map(|name| -> &'f str { name });
        files.iter().map(|file| file.name).chain(bundled)
    };
    let (folder, file) = split(name);
    let siblings = known().map(split).filter(|(other, _)| *other == folder);
    let meant = nearest(file, siblings.map(|(_, file)| file));
    known().find(|path| {
        let (other_folder, other_file) = split(path);
        match meant {
            Some(meant) => (other_folder, other_file) == (folder, meant),
            None => other_file == file,
        }
    })
}

/// Depth first, without recursion: imports may chain as deep as there are files.
fn refuse_cycles(files: &[Imports<'_>], direct: &[Vec<Option<usize>>]) -> Result<(), ImportError> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        OnChain,
        Done,
    }
    let mut states = vec![State::New; files.len()];
    for start in 0..files.len() {
        if states.get(start) != Some(&State::New) {
            continue;
        }
        // The chain of imports from `start` on, each file with the position of the import to follow next.
        let mut chain = vec![(start, 0)];
        while let Some((file, import)) = chain.last_mut() {
            let (at, followed) = (*file, *import);
            *import += 1;
            if let Some(state) = states.get_mut(at) {
                *state = State::OnChain;
            }
            let next = match direct.get(at).and_then(|imported| imported.get(followed)) {
                Some(Some(next)) => *next,
                Some(None) => continue,
                None => {
                    chain.pop();
                    if let Some(state) = states.get_mut(at) {
                        *state = State::Done;
                    }
                    continue;
                }
            };
            match states.get(next) {
                Some(State::New) => chain.push((next, 0)),
                Some(State::OnChain) => {
                    let circle: Vec<_> = chain
                        .iter()
                        .map(|(file, _)| *file)
                        .skip_while(|file| *file != next)
                        .chain([next])
                        .filter_map(|file| files.get(file).map(|file| file.name))
                        .collect();
                    return Err(ImportError {
                        file: at,
                        import: followed,
                        message: format!("imports go in a circle: {}", circle.join(" -> ")),
                    });
                }
                Some(State::Done) | None => {}
            }
        }
    }
    Ok(())
}
