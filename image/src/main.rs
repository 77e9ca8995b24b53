//! Packs the module into an OCI image.
//!
//! ```text
//! protobridge-image FOLDER REVISION TIME SOURCE
//! ```
//!
//! Takes the files in `FOLDER/root`. Writes `FOLDER/oci`, an OCI image layout, and `FOLDER/protobridge.oci.tar`, the same as
//! one file, and prints the image's digest. `REVISION` is the commit, `TIME` its time in seconds since 1970, `SOURCE` the
//! address of the source, or empty.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use protobridge_image::{Image, Layout};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match pack(&arguments) {
        Ok(digest) => {
            println!("{digest}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("protobridge-image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn pack(arguments: &[String]) -> Result<String, String> {
    let [folder, revision, time, source] = arguments else {
        return Err("usage: protobridge-image FOLDER REVISION TIME SOURCE".to_owned());
    };
    if revision.is_empty() {
        return Err("which commit is it? Outside of a git repository, set REVISION and SOURCE_DATE_EPOCH".to_owned());
    }
    let image = Image {
        files: read(&Path::new(folder).join("root")).map_err(|error| format!("{folder}/root: {error}"))?,
        revision: revision.clone(),
        created: time.parse().map_err(|error| format!("the time {time:?}: {error}"))?,
        source: (!source.is_empty()).then(|| source.clone()),
    };
    let layout = image.layout().map_err(|error| error.to_string())?;
    write(Path::new(folder), &layout).map_err(|error| format!("{folder}: {error}"))?;
    Ok(layout.digest)
}

/// The files in `folder`, by name, in an order that doesn't depend on the file system.
fn read(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, fs::read(&path)?));
    }
    files.sort();
    Ok(files)
}

/// Replaces what is in `folder` of an image before.
fn write(folder: &Path, layout: &Layout) -> io::Result<()> {
    let unpacked = folder.join("oci");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir_all(unpacked.join("blobs/sha256"))?;
    for (path, bytes) in &layout.files {
        fs::write(unpacked.join(path), bytes)?;
    }
    fs::write(folder.join("protobridge.oci.tar"), layout.archive()?)
}
