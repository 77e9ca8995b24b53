//! The schema that a configuration gives (`proto`, `protos` or `descriptor_set`), and which of its services are served.

use prost_reflect::ServiceDescriptor;
use serde_json::Value;

use super::check::Checked;
use super::error::ConfigError;
use super::settings::Limits;
use crate::grpc::compression::{Encoding, InflateError, Inflater};
use crate::schema::{Schema, Source, nearest};
use crate::text::base64::decode_text;

/// Compiles the schema. Also returns the key that it came from, which later errors of the schema name.
///
/// It is an error if not exactly one of the three keys is given. Of `limits`, those of `.proto` texts and descriptor sets
/// hold.
pub(super) fn compile_schema(checked: &Checked, limits: &Limits) -> Result<(&'static str, Schema), ConfigError> {
    const SOURCES: [&str; 3] = ["proto", "protos", "descriptor_set"];
    let given: Vec<_> = SOURCES
        .into_iter()
        .filter_map(|key| checked.given(key).map(|value| (key, value)))
        .collect();
    let [(key, value)] = given.as_slice() else {
        let found = given.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(" and ");
        return Err(ConfigError::new(
            "",
            format!(
                "expected a schema, in exactly one of {}, but found {}",
                SOURCES.join(", "),
                if found.is_empty() { "none" } else { &found }
            ),
        ));
    };
    let max_proto_bytes = limits.max_proto_bytes;
    let compiled = match value {
        Value::Object(files) => {
            let texts: Vec<_> = files
                .iter()
                .map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned()))
                .collect();
            Schema::compile(Source::Protos(&texts), max_proto_bytes)
        }
        value => {
            let text = value.as_str().unwrap_or_default();
            if *key == "proto" {
                Schema::compile(Source::Proto(text), max_proto_bytes)
            } else {
                let bytes = decode_text(text).map_err(|error| {
                    ConfigError::new(*key, format!("expected base64, but found other text ({error})"))
                })?;
                let mut inflater = Inflater::default();
                let set = plain(&bytes, limits.max_schema_bytes, &mut inflater)
                    .map_err(|message| ConfigError::new(*key, message))?;
                Schema::compile(Source::DescriptorSet(set), max_proto_bytes)
            }
        }
    };
    match compiled {
        Ok(schema) => Ok((key, schema)),
        Err(error) => Err(ConfigError::new(*key, error.to_string())),
    }
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

/// The services to serve: those that `services` names, or without that key all of the schema but Google's.
///
/// It is an error to serve none, to name one that the schema doesn't have, or to name one twice. `source_key` is the
/// key of the schema, which is at fault if it has no service to serve.
pub(super) fn served(
    checked: &Checked,
    source_key: &str,
    schema: &Schema,
) -> Result<Vec<ServiceDescriptor>, ConfigError> {
    let names = checked.texts("services");
    if checked.given("services").is_some() && names.is_empty() {
        return Err(ConfigError::new(
            "services",
            "expected at least one service, but found an empty list",
        ));
    }
    if names.is_empty() {
        let (google, own): (Vec<_>, Vec<_>) = schema.services().iter().cloned().partition(is_google);
        return match (own.as_slice(), google.first()) {
            ([], None) => Err(ConfigError::new(
                source_key,
                "expected at least one service, but the schema has none",
            )),
            ([], Some(first)) => Err(ConfigError::new(
                source_key,
                format!(
                    "expected at least one service outside of the packages google and google.*, whose services are \
                     served only where `services` names them, such as {}",
                    first.full_name()
                ),
            )),
            _ => Ok(own),
        };
    }
    let mut served: Vec<ServiceDescriptor> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let key = format!("services[{at}]");
        let Some(service) = schema.pool().get_service_by_name(name) else {
            let mut known: Vec<_> = schema.services().iter().map(ServiceDescriptor::full_name).collect();
            let meant = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("; did you mean \"{meant}\"?"),
                None => String::new(),
            };
            known.sort_unstable();
            return Err(ConfigError::new(
                key,
                format!(
                    "expected a service of the schema, but found {name:?}{meant} (services: {})",
                    known.join(", ")
                ),
            ));
        };
        if served.contains(&service) {
            return Err(ConfigError::new(key, format!("the service {name} is listed twice")));
        }
        served.push(service);
    }
    Ok(served)
}

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
