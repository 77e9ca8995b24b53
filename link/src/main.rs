//! The step behind the linker: gives the callbacks that the module has of its own the names under which a gateway calls
//! them.
//!
//! ```text
//! protobridge-link MODULE      rewrites the file
//! ```
//!
//! The SDK exports every callback of the ABI, with what a filter can return from it: for a body, only two of the four
//! values that Envoy knows. The module can export no second `proxy_on_request_body`, so it exports what calls the SDK's as
//! `protobridge_on_request_body`; here that takes the place of the other.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod exports;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let done = match arguments.as_slice() {
        [module] => link_file(Path::new(module)),
        _ => Err("usage: protobridge-link MODULE".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protobridge-link: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Rewrites the module in `path`.
///
/// The file is replaced, not written to: cargo keeps the module under a second name, `deps/…`, as another link to the same
/// file. There it stays as it was linked, and from there the next build takes it.
fn link_file(path: &Path) -> Result<(), String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let module = fs::read(path).map_err(|error| failed(path, &error))?;
    let linked = exports::link(&module).map_err(|error| failed(path, &error))?;
    let beside = beside(path);
    fs::write(&beside, linked).map_err(|error| failed(&beside, &error))?;
    fs::rename(&beside, path).map_err(|error| failed(path, &error))
}

/// A name in the same folder, so that a rename is one step.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or(OsStr::new("module"));
    path.with_file_name([name, OsStr::new(".linked")].into_iter().collect::<OsString>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty folder of a test's own.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("protobridge-link-{}-{name}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn the_file_is_replaced_and_another_link_to_it_stays_as_it_was() {
        let folder = folder("replaced");
        let [path, deps] = ["module.wasm", "deps.wasm"].map(|name| folder.join(name));
        let module = wat::parse_str(
            r#"(module (func $sdk) (func $own) (export "proxy_on_log" (func $sdk)) (export "protobridge_on_log" (func $own)))"#,
        )
        .unwrap();
        fs::write(&deps, &module).unwrap();
        fs::hard_link(&deps, &path).unwrap();

        link_file(&path).unwrap();

        assert_eq!(fs::read(&path).unwrap(), exports::link(&module).unwrap());
        assert_eq!(fs::read(&deps).unwrap(), module);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_fails_leaves_the_file_and_says_which_it_was() {
        let folder = folder("failed");
        let path = folder.join("module.wasm");
        let error = link_file(&path).unwrap_err();
        assert!(error.starts_with(path.to_str().unwrap()), "{error}");

        fs::write(&path, "no module").unwrap();
        let error = link_file(&path).unwrap_err();
        assert!(error.starts_with(path.to_str().unwrap()), "{error}");
        assert_eq!(error.lines().count(), 1);
        assert_eq!(fs::read(&path).unwrap(), b"no module");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
