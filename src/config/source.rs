//! The schema that a configuration gives (`proto`, `protos` or `descriptor_set`), and which of its services are served.

use std::collections::HashSet;

use prost_reflect::ServiceDescriptor;
use serde_json::Value;

use super::check::Checked;
use super::error::ConfigError;
use super::keys::MAX_SIZE;
use super::settings::Limits;
use crate::grpc::compression::{Encoding, InflateError, Inflater};
use crate::routing::Methods;
use crate::schema::{Comments, Schema, Source, nearest};
use crate::text::base64::decode_text;
use crate::text::problems::Problems;
use crate::text::shown::{NAME, listed, shown};

/// A schema that has been compiled.
pub(super) struct Compiled {
    /// The key that it came from, which later errors of it name.
    pub(super) key: &'static str,
    pub(super) schema: Schema,
    /// What is said in it; nothing unless that is wanted.
    pub(super) comments: Comments,
}

/// The keys of which one has the schema.
const SOURCES: [&str; 3] = ["proto", "protos", "descriptor_set"];

/// The schema as it is given: by the one key that it should be, or by others.
pub(super) struct Given(Vec<(&'static str, Value)>);

impl Given {
    /// Takes it out of a configuration, of which it is most mostly: what becomes of it needs the room.
    pub(super) fn take(checked: &mut Checked) -> Self {
        let given = SOURCES.into_iter().filter_map(|key| Some((key, checked.take(key)?)));
        Self(given.collect())
    }
}

/// Compiles the schema; `None` if there is none, which has been said then. Its comments are read too where they are wanted.
///
/// It is an error if not exactly one of the three keys is given. Of `limits`, those of `.proto` texts and descriptor sets
/// hold, unless what they were set to isn't known.
pub(super) fn compile_schema(
    checked: &Checked,
    given: Given,
    limits: &Limits,
    comments: bool,
    errors: &mut Problems<ConfigError>,
) -> Option<Compiled> {
    let (key, value) = match <[_; 1]>::try_from(given.0) {
        Ok([only]) => only,
        Err(given) => {
            if !given.is_empty() || SOURCES.iter().all(|key| checked.is_known(key)) {
                errors.add(|| not_one(&given));
            }
            return None;
        }
    };
    let known_limit = |key: &str, limit: usize| match checked.is_known(key) {
        true => limit,
        false => MAX_SIZE as usize,
    };
    let max_proto_bytes = known_limit("limits.max_proto_bytes", limits.max_proto_bytes);
    let max_schema_bytes = known_limit("limits.max_schema_bytes", limits.max_schema_bytes);
    let compile = |source: Source<'_>| match comments {
        true => Schema::compile_with_comments(source, max_proto_bytes),
        false => Ok((Schema::compile(source, max_proto_bytes)?, Comments::default())),
    };
    let compiled = match value {
        // What imports a file whose text isn't known can't be compiled.
        Value::Object(files) if files.values().any(Value::is_null) => return None,
        Value::Object(files) => {
            let texts = files.into_iter().map(|(name, text)| match text {
                Value::String(text) => (name, text),
                _ => (name, String::new()),
            });
            compile(Source::Protos(&texts.collect::<Vec<_>>()))
        }
        Value::String(text) if key == "proto" => compile(Source::Proto(&text)),
        Value::String(text) => {
            let bytes = match decode_text(&text) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let message = format!("expected base64, but found other text ({error})");
                    errors.add(|| ConfigError::new(key, message));
                    return None;
                }
            };
            drop(text);
            let mut inflater = Inflater::default();
            match plain(&bytes, max_schema_bytes, &mut inflater) {
                Ok(set) => compile(Source::DescriptorSet(set)),
                Err(message) => {
                    errors.add(|| ConfigError::new(key, message));
                    return None;
                }
            }
        }
        _ => return None,
    };
    match compiled {
        Ok((schema, comments)) => Some(Compiled { key, schema, comments }),
        Err(problems) => {
            errors.append(problems, |error| ConfigError::new(key, error.to_string()));
            None
        }
    }
}

fn not_one(given: &[(&str, Value)]) -> ConfigError {
    let found = given.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(" and ");
    ConfigError::new(
        "",
        format!(
            "expected a schema, in exactly one of {}, but found {}",
            SOURCES.join(", "),
            if found.is_empty() { "none" } else { &found }
        ),
    )
}

/// A descriptor set of at most `limit` bytes, as it is or out of gzip.
fn plain<'b>(bytes: &'b [u8], limit: usize, inflater: &'b mut Inflater) -> Result<&'b [u8], String> {
    let too_large = |found: String| {
        format!("expected a descriptor set of at most {limit} bytes (limits.max_schema_bytes), but found {found}")
    };
    // No protobuf message begins with these: there is no wire type 7.
    if !bytes.starts_with(&GZIP) {
        return match bytes.len() {
            length if length > limit => Err(too_large(length.to_string())),
            _ => Ok(bytes),
        };
    }
    match inflater.inflate(Encoding::Gzip, bytes, limit, |_| true) {
        Ok(set) => Ok(set),
        Err(InflateError::TooLarge { .. }) => {
            // It ends in the length (RFC 1952, section 2.3.1), which may be wrong, and of which there are 32 bits.
            let told = bytes.last_chunk().map(|length| u32::from_le_bytes(*length) as usize);
            Err(too_large(match told.filter(|length| *length > limit) {
                Some(length) => format!("{length} in gzip"),
                None => "more in gzip".to_owned(),
            }))
        }
        Err(error) => Err(format!(
            "expected a descriptor set in gzip, since it begins as such, but it can't be inflated: {error}"
        )),
    }
}

/// What a gzip file begins with (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The methods to serve: those of the services that `services` names, or without that key of all of the schema but
/// Google's. `None` if the schema has no service.
///
/// It is an error to serve none, to name a service that the schema doesn't have, or to name one twice. `source_key` is the
/// key of the schema, which is at fault if it has no service to serve. After an error there are the methods of the services
/// that are known to be served.
pub(super) fn served(
    checked: &Checked,
    source_key: &str,
    schema: &Schema,
    errors: &mut Problems<ConfigError>,
) -> Option<Methods> {
    let all: Vec<_> = schema.pool().services().collect();
    if all.is_empty() {
        errors.add(|| ConfigError::new(source_key, "expected at least one service, but the schema has none"));
        return None;
    }
    let mut served: Vec<ServiceDescriptor> = Vec::new();
    let mut complete = checked.is_known("services");
    match checked.given("services") {
        None if complete => {
            served = schema
                .services()
                .iter()
                .filter(|service| !is_google(service))
                .cloned()
                .collect();
            if served.is_empty() {
                complete = false;
                errors.add(|| no_own_service(source_key, schema));
            }
        }
        Some(Value::Array(names)) if !names.is_empty() => {
            let mut seen = HashSet::new();
            for (at, name) in names.iter().enumerate() {
                let service = name.as_str().and_then(|name| schema.pool().get_service_by_name(name));
                match (name.as_str(), service) {
                    (Some(_), Some(service)) if seen.insert(service.full_name().to_owned()) => served.push(service),
                    (Some(name), Some(_)) => errors.add(|| {
                        let message = format!("the service {name} is listed twice: leave one of them out");
                        ConfigError::new(format!("services[{at}]"), message)
                    }),
                    (Some(name), None) => {
                        complete = false;
                        errors.add(|| unknown_service(at, name, schema));
                    }
                    (None, _) => complete = false,
                }
            }
        }
        None | Some(Value::Null) => {}
        Some(_) => {
            complete = false;
            errors.add(|| {
                let message = "expected at least one service, but found an empty list; without the key, all of the schema \
                               are served";
                ConfigError::new("services", message)
            });
        }
    }
    Some(Methods::of(served, &all, complete))
}

/// The error of a schema that has no service of its own.
fn no_own_service(source_key: &str, schema: &Schema) -> ConfigError {
    let message = match schema.services().first() {
        None => "expected at least one service, but the schema has none".to_owned(),
        Some(first) => format!(
            "expected at least one service outside of the packages google and google.*, whose services are served only \
             where `services` names them, such as {}",
            first.full_name()
        ),
    };
    ConfigError::new(source_key, message)
}

/// The error of `services[at]`, which the schema doesn't have.
fn unknown_service(at: usize, name: &str, schema: &Schema) -> ConfigError {
    let mut known: Vec<_> = schema.services().iter().map(ServiceDescriptor::full_name).collect();
    let meant = match nearest(name, known.iter().copied()) {
        Some(meant) => format!("; did you mean \"{meant}\"?"),
        None => String::new(),
    };
    known.sort_unstable();
    let count = known.len();
    known.truncate(NAMED);
    ConfigError::new(
        format!("services[{at}]"),
        format!(
            "expected a service of the schema, but found {:?}{meant} (services: {})",
            shown(name.as_bytes(), NAME),
            listed(&known, count)
        ),
    )
}

/// How many services an error names.
const NAMED: usize = 20;

/// Whether the service is of the package `google` or of one below it, whose files mostly are there for their messages.
fn is_google(service: &ServiceDescriptor) -> bool {
    let package = service.parent_file().package_name().to_owned();
    package == "google" || package.starts_with("google.")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use miniz_oxide::deflate::compress_to_vec;
    use serde_json::json;

    use crate::config::Plugin;
    use crate::schema::{Schema, Source};
    use crate::text::base64::STANDARD;

    const PROTO: &str =
        "syntax = \"proto3\"; package b; message M { string name = 1; } service S { rpc Do(M) returns (M); }";

    /// A gzip file, and what it says of itself.
    fn gzip(bytes: &[u8], length: u32) -> Vec<u8> {
        let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        });
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        let trailer = [!crc, length].map(u32::to_le_bytes);
        [&header, &*compress_to_vec(bytes, 9), trailer.as_flattened()].concat()
    }

    /// Loads a configuration with this descriptor set, and with a limit if there is one; the error.
    fn load(set: &[u8], limit: Option<usize>) -> Result<(), String> {
        let mut configuration = json!({ "descriptor_set": STANDARD.encode(set) });
        if let Some(limit) = limit {
            configuration["limits"] = json!({ "max_schema_bytes": limit });
        }
        let loaded = Plugin::load(configuration.to_string().as_bytes(), 7);
        loaded.map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_descriptor_set_is_as_large_as_the_limit_whether_gzipped_or_not_and_no_larger() {
        let set = Schema::compile(Source::Proto(PROTO), 1000)
            .unwrap()
            .pool()
            .encode_to_vec();
        let length = set.len();
        let gzipped = gzip(&set, length as u32);
        assert!(gzipped.len() < length / 2);
        for bytes in [&set, &gzipped] {
            load(bytes, None).unwrap();
            load(bytes, Some(length)).unwrap();
        }
        let limit = length - 1;
        let error = |found: &str| {
            Err(format!(
                "configuration: descriptor_set: expected a descriptor set of at most {limit} bytes \
                 (limits.max_schema_bytes), but found {found}"
            ))
        };
        assert_eq!(load(&set, Some(limit)), error(&length.to_string()));
        assert_eq!(load(&gzipped, Some(limit)), error(&format!("{length} in gzip")));
        // What a file says of its length isn't taken for true.
        assert_eq!(load(&gzip(&set, 1), Some(limit)), error("more in gzip"));
    }

    #[test]
    fn without_a_limit_there_are_16_mib() {
        let zeros = |length: usize| gzip(&vec![0; length], length as u32);
        let error = load(&zeros(16 << 20), None).unwrap_err();
        assert!(
            error.contains("expected a serialized google.protobuf.FileDescriptorSet"),
            "{error}"
        );
        let error = load(&zeros((16 << 20) + 1), None).unwrap_err();
        assert!(
            error.ends_with("of at most 16777216 bytes (limits.max_schema_bytes), but found 16777217 in gzip"),
            "{error}"
        );
    }

    #[test]
    fn gzip_that_cannot_be_inflated_is_an_error_that_says_so() {
        let whole = gzip(b"", 0);
        let error = "configuration: descriptor_set: expected a descriptor set in gzip, since it begins as such, but it can't be inflated: ";
        for (bytes, reason) in [
            (&whole[..2], "it ends too early"),
            (&whole[..whole.len() - 1], "it ends too early"),
            (&gzip(b"", 1), "its checksum or length is wrong"),
            (&[0x1f, 0x8b, 9, 0, 0, 0, 0, 0, 0, 0, 0], "it is malformed"),
        ] {
            assert_eq!(load(bytes, None), Err(format!("{error}{reason}")));
        }
    }
}
