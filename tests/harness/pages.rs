//! The pages of the documentation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use crate::markdown::{blocks, yaml};

/// Every Markdown page of the repository, by its path in there.
pub static PAGES: LazyLock<BTreeMap<PathBuf, String>> = LazyLock::new(|| {
    let mut pages = BTreeMap::new();
    collect(Path::new(""), &mut pages);
    pages
});

/// Reads the pages in this folder and those below it, but for what is hidden or generated.
fn collect(folder: &Path, pages: &mut BTreeMap<PathBuf, String>) {
    for entry in root().join(folder).read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let path = folder.join(&name);
        if entry.file_type().unwrap().is_dir() {
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                collect(&path, pages);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of `docs/`.
pub fn page(name: &str) -> &'static str {
    &PAGES[&Path::new("docs").join(name)]
}

/// What a block of YAML on a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A configuration that Envoy starts with.
    Envoy,
    /// Some of it: fields of the connection manager or of the bootstrap, or a list of HTTP filters.
    PartOfEnvoy,
    /// Services, routes and plugins of Kong.
    Kong,
    /// A configuration of the module, or some of it.
    Module,
    /// A manifest of Kubernetes, or what another program reads.
    Other,
}

/// All blocks of YAML in the documentation, each with its page and with what it is.
pub fn pieces() -> Vec<(&'static Path, Piece, Value)> {
    let all = PAGES.iter().flat_map(|(path, text)| {
        let documents = blocks(text, "yaml")
            .into_iter()
            .flat_map(|block| block.split("\n---\n"));
        documents.map(move |document| (path.as_path(), yaml(document)))
    });
    all.map(|(path, value)| (path, piece(path, &value), value)).collect()
}

fn piece(path: &Path, value: &Value) -> Piece {
    let has = |key: &str| value.get(key).is_some();
    if has("static_resources") {
        Piece::Envoy
    } else if value[0].get("typed_config").is_some() {
        Piece::PartOfEnvoy
    } else if has("apiVersion") || !value.is_object() {
        Piece::Other
    } else if has("plugins") || has("filter_chains") {
        Piece::Kong
    } else if ["http_filters", "local_reply_config", "stats_config", "normalize_path"]
        .into_iter()
        .any(has)
        || value["access_log"].is_array()
    {
        Piece::PartOfEnvoy
    } else if path.starts_with("deploy") {
        Piece::Other
    } else {
        Piece::Module
    }
}
