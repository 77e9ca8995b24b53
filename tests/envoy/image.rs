//! The image, taken apart as Istio's agent and Envoy Gateway do it: from a module in it that real Envoy loads.
//!
//! Both go by the same steps (`pkg/wasm/imagefetcher.go` of Istio, `internal/wasm/imagefetcher.go` of Envoy Gateway): the
//! digest of the manifest is compared with the one that the operator has pinned; then the last layer has to be of OCI's or
//! Docker's type for a gzipped tar, and the first file in it whose last name is `plugin.wasm` is the module.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use protobridge_image::{Image, Layout};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bench::bootstrap::{Listener, SHIPPED};
use crate::bench::client::{Http, Request};
use crate::bench::process::new_directory;
use crate::bench::upstream::Script;
use crate::bench::{Bench, schema};

const CREATED: u64 = 1_764_565_447;

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// An image of the files that `make image` puts into it, but for the licences of others.
fn layout() -> &'static Layout {
    static LAYOUT: OnceLock<Layout> = OnceLock::new();
    LAYOUT.get_or_init(|| image().layout().unwrap())
}

fn image() -> Image {
    Image {
        files: vec![
            ("LICENSE".to_owned(), read("LICENSE")),
            ("plugin.wasm".to_owned(), read(SHIPPED)),
            ("protobridge.meta.json".to_owned(), read("protobridge.meta.json")),
        ],
        revision: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        created: CREATED,
        source: Some("https://example.com/protobridge".to_owned()),
    }
}

/// What a registry has of the image, by path.
fn stored(layout: &Layout) -> BTreeMap<String, Vec<u8>> {
    layout.files.iter().cloned().collect()
}

/// What a descriptor leads to, once its size and its digest are right.
fn blob(stored: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let bytes = stored[&format!("blobs/{}", digest.replace(':', "/"))].clone();
    assert_eq!(descriptor["size"], bytes.len());
    assert_eq!(digest, sha256(&bytes));
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    let hexadecimal: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hexadecimal}")
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut inflated).unwrap();
    inflated
}

/// The files of a tar, by their paths.
fn unpacked(tar: &[u8]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert_eq!(entry.header().mtime().unwrap(), CREATED);
        (entry.path().unwrap().into_owned(), bytes)
    });
    entries.collect()
}

/// The manifest of the image with this digest.
fn manifest(stored: &BTreeMap<String, Vec<u8>>, digest: &str) -> Value {
    let index = json_of(&stored["index.json"]);
    let [descriptor] = index["manifests"].as_array().unwrap().as_slice() else {
        panic!("expected one image: {index}");
    };
    assert_eq!(descriptor["digest"], digest);
    json_of(&blob(stored, descriptor))
}

/// The module as a gateway takes it from the image.
fn module(stored: &BTreeMap<String, Vec<u8>>, digest: &str) -> Vec<u8> {
    let manifest = manifest(stored, digest);
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let layer = manifest["layers"].as_array().unwrap().last().unwrap();
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let files = unpacked(&inflated(&blob(stored, layer)));
    let is_module = |path: &PathBuf| path.file_name().is_some_and(|name| name == "plugin.wasm");
    files.into_iter().find(|(path, _)| is_module(path)).unwrap().1
}

#[tokio::test]
async fn envoy_runs_the_module_that_a_gateway_takes_from_the_image() {
    let layout = layout();
    let directory = new_directory();
    let file = directory.join("plugin.wasm");
    fs::write(&file, module(&stored(layout), &layout.digest)).unwrap();
    let configuration = json!({ "proto": schema::PROTO }).to_string();
    // As text, as Istio and Envoy Gateway hand it on.
    let bench = Bench::start(&[Listener::with_text("image", &configuration).with_module(&file)]);
    let request = Request::post("/v1/echo", &json!({ "stringValue": "x" }));
    let (answer, _) = bench.at("image").exchange(Http::One, request, Script::echo()).await;
    assert_eq!((answer.status, answer.json()["stringValue"].as_str()), (200, Some("x")));
}

#[test]
fn the_archive_is_the_layout_as_one_file() {
    let layout = layout();
    let files = unpacked(&layout.archive().unwrap());
    let files: BTreeMap<_, _> = files
        .into_iter()
        .map(|(path, bytes)| (path.to_str().unwrap().to_owned(), bytes))
        .collect();
    assert_eq!(files, stored(layout));
    assert_eq!(json_of(&files["oci-layout"]), json!({ "imageLayoutVersion": "1.0.0" }));
}

#[test]
fn the_image_says_what_it_is() {
    let layout = layout();
    let stored = stored(layout);
    let manifest = manifest(&stored, &layout.digest);
    let annotations = json!({
        "org.opencontainers.image.title": "protobridge",
        "org.opencontainers.image.description": env!("CARGO_PKG_DESCRIPTION"),
        "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
        "org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567",
        "org.opencontainers.image.created": "2025-12-01T05:04:07Z",
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        "org.opencontainers.image.source": "https://example.com/protobridge",
    });
    assert_eq!(manifest["annotations"], annotations);
    let config = json_of(&blob(&stored, &manifest["config"]));
    // Where a registry shows no annotations, and in Docker's own form of manifest, which has none.
    assert_eq!(config["config"]["Labels"], annotations);
    let layers = manifest["layers"].as_array().unwrap();
    let tars: Vec<_> = layers
        .iter()
        .map(|layer| sha256(&inflated(&blob(&stored, layer))))
        .collect();
    assert_eq!(config["rootfs"]["diff_ids"], json!(tars));
}
