//! An upstream, its metadata and its time in the forms in which Envoy takes them.

use std::time::Duration;

use base64::Engine as _;

use crate::grpc::metadata::is_binary;
use crate::http::headers::Headers;
use crate::text::base64::STANDARD;
use crate::wire::{record_length, write_record, write_record_head};

/// The router's header for the timeout of one request, in milliseconds; the router takes it out.
pub const TIMEOUT_HEADER: &[u8] = b"x-envoy-upstream-rq-timeout-ms";

/// The value of a header with a time: at least 1, since 0 means no timeout.
pub fn timeout_value(timeout: Duration) -> String {
    timeout.as_millis().clamp(1, u128::from(u32::MAX)).to_string()
}

/// A serialized `envoy.config.core.v3.GrpcService` with `envoy_grpc { cluster_name, authority }`.
///
/// A bare cluster name will not do: Envoy parses it as this message first, and one that happens to parse aborts Envoy.
pub fn grpc_service(cluster: &str, authority: Option<&str>) -> Vec<u8> {
    let within = record_length(cluster.len()) + authority.map_or(0, |authority| record_length(authority.len()));
    let mut service = Vec::with_capacity(record_length(within));
    write_record_head(1, within, &mut service);
    write_record(1, cluster.as_bytes(), &mut service);
    if let Some(authority) = authority {
        write_record(2, authority.as_bytes(), &mut service);
    }
    service
}

/// Metadata as Envoy's gRPC client takes them: the values of `-bin` names as bytes, which it writes in base64 itself,
/// one for a name.
pub fn call_metadata(metadata: &Headers, timeout: Option<Duration>) -> Headers {
    let mut converted = Headers::default();
    // A client's own would stand beside the one that is added, and Envoy would read neither of them.
    for (name, value) in metadata.iter().filter(|(name, _)| *name != TIMEOUT_HEADER) {
        match is_binary(name).then(|| STANDARD.decode(value)) {
            None => converted.push(name, value),
            Some(Ok(bytes)) => converted.push(name, &bytes),
            Some(Err(_)) => log::debug!("{} is left out of a call's metadata", String::from_utf8_lossy(name)),
        }
    }
    if let Some(timeout) = timeout {
        converted.push(TIMEOUT_HEADER, timeout_value(timeout).as_bytes());
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_in_a_grpc_service() {
        assert_eq!(grpc_service("c", None), b"\x0a\x03\x0a\x01c");
        assert_eq!(grpc_service("c", Some("a.b")), b"\x0a\x08\x0a\x01c\x12\x03a.b");
        let long = "c".repeat(200);
        let service = grpc_service(&long, None);
        assert_eq!(service[..6], [0x0a, 0xcb, 0x01, 0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn a_time_is_at_least_a_millisecond() {
        for (timeout, value) in [
            (Duration::ZERO, "1"),
            (Duration::from_micros(10), "1"),
            (Duration::from_millis(1500), "1500"),
            (Duration::MAX, "4294967295"),
        ] {
            assert_eq!(timeout_value(timeout), value);
        }
    }

    #[test]
    fn binary_metadata_go_as_bytes_and_a_clients_timeout_not_at_all() {
        type Case<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);
        let cases: [Case<'_>; 10] = [
            (b"x-text", b"QUJD", Some(b"QUJD")),
            (b"x-bin", b"QUJD", Some(b"ABC")),
            (b"x-bin", b"QUI=", Some(b"AB")),
            (b"x-bin", b"QUI", Some(b"AB")),
            // The bits that are left over don't matter.
            (b"x-bin", b"QUJ", Some(b"AB")),
            (b"x-bin", b"", Some(b"")),
            (b"x-bin", b"QUI=, QUJD", None),
            (b"x-bin", b"QUJD,", None),
            (b"x-bin", b"!!", None),
            (TIMEOUT_HEADER, b"1", None),
        ];
        for (name, value, expected) in cases {
            let mut metadata = Headers::default();
            metadata.push(name, value);
            let converted = call_metadata(&metadata, None);
            assert_eq!(converted.iter().next().map(|(_, value)| value), expected, "{value:?}");
        }
        let timed = call_metadata(&Headers::default(), Some(Duration::from_secs(2)));
        assert_eq!(timed.iter().collect::<Vec<_>>(), [(TIMEOUT_HEADER, &b"2000"[..])]);
    }
}
