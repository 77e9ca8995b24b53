//! The schema: from `.proto` text or a descriptor set to descriptors, and from these to the codec's tables.
//!
//! protox parses each text; the linker here resolves names; prost-reflect interprets options and checks the rest. A
//! descriptor set is checked and lowered to proto2 and proto3 before prost-reflect sees it.
//!
//! The way of a schema, and the file that holds each step:
//!
//! 1. `proto_text` parses a `.proto` text, whose `tokens` it looks over first; or `descriptor_set` reads a set into the
//!    messages of `raw`, checks them, and has `editions` lower them.
//! 2. `files` completes them with what is `bundled`, and with the `well_known` files beside given ones of these, has
//!    `imports` say which file sees which, and `link` make names absolute. Options of files that aren't there are
//!    `left_out`.
//! 3. prost-reflect's pool, with the services of the given files, becomes the [`Schema`] of this file, if its `http_option` is
//!    Google's.
//! 4. [`tables`] compiles it into what the codec reads.
//!
//! The `comments` are kept apart, where somebody wants them.
//!
//! An `error` says where it is in which file, and the `nearest` name where one was misspelled.

mod bundled;
mod comments;
mod descriptor_set;
mod editions;
mod error;
mod files;
pub mod http_option;
mod imports;
mod left_out;
mod link;
mod nearest;
mod proto_text;
mod raw;
pub mod tables;
#[cfg(test)]
mod tests;
mod tokens;
mod well_known;

use prost_reflect::{DescriptorPool, ServiceDescriptor};

pub use self::comments::Comments;
pub use self::editions::Features;
pub use self::error::{Position, SchemaError};
use self::files::Files;
pub(crate) use self::nearest::nearest;
use crate::text::problems::Problems;

/// What a schema is compiled from. `google/api`, `google/protobuf`, `google/rpc` and `google/type` may be imported
/// without being given.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The text of one file, which errors call `service.proto`.
    Proto(&'a str),
    /// Texts by import path.
    Protos(&'a [(String, String)]),
    /// A serialized `google.protobuf.FileDescriptorSet`.
    DescriptorSet(&'a [u8]),
}

/// The name of the file that [`Source::Proto`] is.
const SINGLE_FILE: &str = "service.proto";

/// A compiled schema.
#[derive(Clone, Debug)]
pub struct Schema {
    pool: DescriptorPool,
    features: Features,
    services: Vec<ServiceDescriptor>,
    left_out: Option<String>,
}

impl Schema {
    /// Compiles `source`. `max_proto_bytes` bounds the sum of its texts; a descriptor set isn't bounded by it.
    ///
    /// A file that is imported for its options alone need not be given: [`Schema::left_out`] says what that leaves out.
    ///
    /// A given file takes the place of a bundled one. Those of `google/protobuf` may say more there, but must agree with
    /// protobuf on its options and on the messages that have a JSON form of their own.
    ///
    /// # Errors
    ///
    /// The first that is wrong with each file, but for those that import one which can't be read.
    pub fn compile(source: Source<'_>, max_proto_bytes: usize) -> Result<Self, Problems<SchemaError>> {
        Self::compile_noting(source, max_proto_bytes, None)
    }

    /// The same, and the comments of the given files.
    ///
    /// # Errors
    ///
    /// As [`Schema::compile`].
    pub fn compile_with_comments(
        source: Source<'_>,
        max_proto_bytes: usize,
    ) -> Result<(Self, Comments), Problems<SchemaError>> {
        let mut comments = Comments::default();
        let schema = Self::compile_noting(source, max_proto_bytes, Some(&mut comments))?;
        comments.complete();
        Ok((schema, comments))
    }

    fn compile_noting(
        source: Source<'_>,
        max_proto_bytes: usize,
        comments: Option<&mut Comments>,
    ) -> Result<Self, Problems<SchemaError>> {
        let mut problems = Problems::default();
        match Self::compile_readable(source, max_proto_bytes, comments, &mut problems) {
            Ok(schema) => problems.or(schema),
            Err(others) => {
                problems.append(others, |other| other);
                Err(problems)
            }
        }
    }

    /// Compiles those texts that can be read and import none that can't; what is wrong with the others goes to
    /// `problems`.
    fn compile_readable(
        source: Source<'_>,
        max_proto_bytes: usize,
        comments: Option<&mut Comments>,
        problems: &mut Problems<SchemaError>,
    ) -> Result<Self, Problems<SchemaError>> {
        let mut files = match source {
            Source::Proto(text) => Files::from_texts(&[(SINGLE_FILE, text)], max_proto_bytes, comments, problems)?,
            Source::Protos(texts) => {
                let texts: Vec<_> = texts
                    .iter()
                    .map(|(name, text)| (name.as_str(), text.as_str()))
                    .collect();
                Files::from_texts(&texts, max_proto_bytes, comments, problems)?
            }
            Source::DescriptorSet(bytes) => {
                let files = Files::from_descriptor_set(bytes)?;
                if let Some(comments) = comments {
                    comments.add_descriptor_set(bytes);
                }
                files
            }
        };
        files.add_bundled()?;
        files.link()?;
        files.check_well_known()?;
        let services = files.build()?;
        http_option::check(&files.pool)?;
        Ok(Self {
            pool: files.pool,
            features: files.features,
            services,
            left_out: (!files.left_out.is_empty()).then(|| files.left_out.to_string()),
        })
    }

    /// All descriptors: the given files, what they import, and in any case `google/protobuf`, `google/rpc/status.proto`,
    /// `google/rpc/error_details.proto` and `google/api/httpbody.proto`. The options of methods hold the extension
    /// `google.api.http` wherever it was used.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// What the descriptors of lowered editions can't say.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// What was left out because the files that define it aren't given, if anything was: imports that no type is of, and
    /// options.
    pub fn left_out(&self) -> Option<&str> {
        self.left_out.as_deref()
    }

    /// The services of the given files, not of imported ones, in the order of declaration. All files of a descriptor
    /// set are given.
    pub fn services(&self) -> &[ServiceDescriptor] {
        &self.services
    }
}
