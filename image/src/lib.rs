//! An OCI image with the module in it, from which Istio, Envoy Gateway and whatever pulls images can take it.
//!
//! The image has one layer, a gzipped tar with a `plugin.wasm`: the form that the [Wasm image specification] calls
//! "compat", as `docker build` makes it of the `Dockerfile` beside this package. The same files, revision and time make the
//! same bytes, on any machine: what has a digest is written by this package alone, and compressed by a library in
//! `Cargo.lock`.
//!
//! [Wasm image specification]: https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The module's name in the image: the one that the specification has gateways look for.
pub const MODULE: &str = "plugin.wasm";

/// What an image is made of.
pub struct Image {
    /// What is in its layer, by name, in this order.
    pub files: Vec<(String, Vec<u8>)>,
    /// The commit that the files are of.
    pub revision: String,
    /// The time of the commit, in seconds since 1970.
    pub created: u64,
    /// Where the source is, as an address; `None` if that isn't known.
    pub source: Option<String>,
}

/// An image as it is stored: an [OCI image layout].
///
/// [OCI image layout]: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
pub struct Layout {
    /// The digest of its manifest: what the image is pulled by, `sha256:…`.
    pub digest: String,
    /// The layout's files, by their paths within it.
    pub files: Vec<(String, Vec<u8>)>,
    created: u64,
}

impl Image {
    /// Lays the image out.
    ///
    /// # Errors
    /// If the files can't be put into a tar, as those whose name is too long.
    pub fn layout(&self) -> io::Result<Layout> {
        let annotations = self.annotations();
        let tar = tar_of(&self.files, self.created)?;
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", gzip(&tar)?);
        let config = json!({
            "created": rfc3339(self.created),
            // What `docker build` says on most machines. An image of one platform is pulled on all.
            "architecture": "amd64",
            "os": "linux",
            "config": { "Labels": annotations },
            "rootfs": { "type": "layers", "diff_ids": [digest(&tar)] },
            "history": [{ "created": rfc3339(self.created), "created_by": "protobridge-image" }],
        });
        let config = Blob::new("application/vnd.oci.image.config.v1+json", config.to_string().into());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
            "annotations": annotations,
        });
        let manifest = Blob::new(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.to_string().into(),
        );
        let mut listed = manifest.descriptor();
        listed["annotations"] = json!({ "org.opencontainers.image.ref.name": VERSION });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [listed],
        });
        let digest = manifest.digest.clone();
        let mut files = vec![
            (
                "oci-layout".to_owned(),
                json!({ "imageLayoutVersion": "1.0.0" }).to_string().into(),
            ),
            ("index.json".to_owned(), index.to_string().into()),
        ];
        files.extend([manifest, config, layer].map(Blob::into_file));
        Ok(Layout {
            digest,
            files,
            created: self.created,
        })
    }

    /// What the image says of itself, in OCI's words.
    fn annotations(&self) -> Value {
        let mut annotations = json!({
            "org.opencontainers.image.title": "protobridge",
            "org.opencontainers.image.description": "JSON to gRPC transcoding as a proxy-wasm module for Envoy and Kong",
            "org.opencontainers.image.version": VERSION,
            "org.opencontainers.image.revision": self.revision,
            "org.opencontainers.image.created": rfc3339(self.created),
            "org.opencontainers.image.licenses": "Apache-2.0",
        });
        if let Some(source) = &self.source {
            annotations["org.opencontainers.image.source"] = json!(source);
        }
        annotations
    }
}

impl Layout {
    /// The layout as one file, an OCI archive.
    ///
    /// # Errors
    /// As [`Image::layout`].
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        tar_of(&self.files, self.created)
    }
}

/// The version of the module, of this package, and of the image.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bytes that are known by their digest.
struct Blob {
    media_type: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            digest: digest(&bytes),
            bytes,
        }
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }

    fn into_file(self) -> (String, Vec<u8>) {
        (format!("blobs/{}", self.digest.replace(':', "/")), self.bytes)
    }
}

fn digest(bytes: &[u8]) -> String {
    let hexadecimal: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hexadecimal}")
}

/// A tar whose files are root's, may be read by all, and were all written at `time`.
fn tar_of(files: &[(String, Vec<u8>)], time: u64) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(time);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    tar.into_inner()
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    gzip.finish()
}

/// A time in seconds since 1970 as RFC 3339 has it, in UTC.
fn rfc3339(time: u64) -> String {
    let (days, second) = (time / 86_400, time % 86_400);
    let (mut year, mut day) = (1970, days);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{:02}Z",
        day + 1,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        Image {
            files: vec![
                (MODULE.to_owned(), b"\0asm".to_vec()),
                ("LICENSE".to_owned(), b"free".to_vec()),
            ],
            revision: "abc".to_owned(),
            created: 1_764_565_447,
            source: Some("https://example.com/protobridge".to_owned()),
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (time, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_764_565_447, "2025-12-01T05:04:07Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(time), expected);
        }
    }

    /// The digest is that of any machine, whatever it compresses by.
    #[test]
    fn a_layer_is_the_same_everywhere() {
        let files: Vec<_> = (0..40)
            .map(|name| (name.to_string(), vec![name; usize::from(name) * 100]))
            .collect();
        let layer = gzip(&tar_of(&files, 1_764_565_447).unwrap()).unwrap();
        assert_eq!(
            digest(&layer),
            "sha256:0b698df9e7655887c64a0910d1de67167d7c6242cbf0d26aad3912d4023c51f6"
        );
    }

    #[test]
    fn the_same_files_make_the_same_image() {
        let [first, second] = [image(), image()].map(|image| image.layout().unwrap().archive().unwrap());
        assert_eq!(first, second);
    }

    #[test]
    fn the_changelog_begins_with_this_version() {
        let changelog = include_str!("../../CHANGELOG.md");
        let latest = changelog.lines().find_map(|line| line.strip_prefix("## [")).unwrap();
        assert_eq!(latest.split(']').next(), Some(VERSION));
    }

    #[test]
    fn an_image_whose_source_is_unknown_says_nothing_of_it() {
        let of = |source: Option<&str>| {
            let image = Image {
                source: source.map(str::to_owned),
                ..image()
            };
            image.annotations()["org.opencontainers.image.source"].clone()
        };
        assert_eq!(of(None), Value::Null);
        assert_eq!(of(Some("https://example.com")), json!("https://example.com"));
    }
}
