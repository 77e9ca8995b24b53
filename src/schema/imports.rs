//! Who imports whom, and what each file therefore sees.

use std::collections::HashMap;

use super::bundled;
use super::nearest::nearest;

/// What one file imports, as its descriptor says.
pub(super) struct Imports<'f> {
    pub(super) name: &'f str,
    pub(super) dependency: &'f [String],
    /// Positions in `dependency`.
    pub(super) public: &'f [i32],
    /// Whether the configuration has it; else it is bundled.
    pub(super) given: bool,
}

/// An import that cannot be followed.
pub(super) struct ImportError {
    /// The position of the importing file.
    pub(super) file: usize,
    /// The position of the import in that file.
    pub(super) import: usize,
    /// Whether the imported file isn't there.
    pub(super) missing: bool,
    pub(super) message: String,
}

/// For each file the positions of all that it sees: itself, what it imports, and what is publicly imported there.
pub(super) fn visible(files: &[Imports<'_>]) -> Result<Vec<Vec<usize>>, ImportError> {
    let positions: HashMap<_, _> = files.iter().zip(0..).map(|(file, at)| (file.name, at)).collect();
    let mut direct = Vec::with_capacity(files.len());
    for (position, file) in files.iter().enumerate() {
        let mut imported = Vec::<usize>::with_capacity(file.dependency.len());
        for (import, name) in file.dependency.iter().enumerate() {
            let error = |missing, message| ImportError {
                file: position,
                import,
                missing,
                message,
            };
            let Some(target) = positions.get(name.as_str()) else {
                return Err(error(true, missing(name, files)));
            };
            if imported.contains(target) {
                return Err(error(false, format!("\"{name}\" is imported twice")));
            }
            imported.push(*target);
        }
        if let Some(wrong) = file
            .public
            .iter()
            .find(|at| usize::try_from(**at).map_or(true, |at| at >= imported.len()))
        {
            return Err(ImportError {
                file: position,
                import: 0,
                missing: false,
                message: format!(
                    "public import number {wrong} is not there, expected less than {}",
                    imported.len()
                ),
            });
        }
        direct.push(imported);
    }
    refuse_cycles(files, &direct)?;

    let mut seen_by = vec![usize::MAX; files.len()];
    let visible = (0..files.len()).map(|position| {
        let mut sees = vec![position];
        let mut pending: Vec<usize> = direct.get(position).cloned().unwrap_or_default();
        if let Some(mark) = seen_by.get_mut(position) {
            *mark = position;
        }
        while let Some(next) = pending.pop() {
            match seen_by.get_mut(next) {
                Some(mark) if *mark != position => *mark = position,
                _ => continue,
            }
            sees.push(next);
            if let (Some(file), Some(imported)) = (files.get(next), direct.get(next)) {
                pending.extend(file.public.iter().filter_map(|at| imported.get(*at as usize)));
            }
        }
        sees
    });
    Ok(visible.collect())
}

fn missing(name: &str, files: &[Imports<'_>]) -> String {
    let mut given: Vec<_> = files.iter().filter(|file| file.given).map(|file| file.name).collect();
    // One's own files first: a descriptor set may have many of Google's.
    given.sort_unstable_by_key(|name| (name.starts_with("google/"), *name));
    let more = match given.len().saturating_sub(20) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    given.truncate(20);
    let meant = match similar(name, files) {
        Some(meant) => format!("; did you mean \"{meant}\"?"),
        None => String::new(),
    };
    format!(
        "import \"{name}\" is not there{meant} (given: {}{more}; bundled: google/api, google/protobuf, google/rpc, \
         google/type)",
        given.join(", ")
    )
}

/// A file of the same folder with nearly the same name, else one with the same name in another folder.
fn similar<'f>(name: &str, files: &[Imports<'f>]) -> Option<&'f str> {
    let split = |path: &'f str| path.rsplit_once('/').unwrap_or(("", path));
    let known = || {
        let bundled = bundled::names().map(|name| -> &'f str { name });
        files.iter().map(|file| file.name).chain(bundled)
    };
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
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
fn refuse_cycles(files: &[Imports<'_>], direct: &[Vec<usize>]) -> Result<(), ImportError> {
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
            let Some(next) = direct.get(at).and_then(|imported| imported.get(followed)).copied() else {
                chain.pop();
                if let Some(state) = states.get_mut(at) {
                    *state = State::Done;
                }
                continue;
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
                        missing: false,
                        message: format!("imports go in a circle: {}", circle.join(" -> ")),
                    });
                }
                Some(State::Done) | None => {}
            }
        }
    }
    Ok(())
}
