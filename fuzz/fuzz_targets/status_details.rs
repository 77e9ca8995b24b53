//! Any bytes as `grpc-status`, `grpc-message` and `grpc-status-details-bin`, each on its line, and as what a host says of
//! a call. The error body that an HTTP client gets of it is UTF-8 and JSON in either format, with the code and the
//! message that the status has, and with objects as details.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use protobridge::codec::{PrintOptions, WireToJson};
use protobridge::grpc::error_body::{bad_request, write_error};
use protobridge::grpc::frame::TrailerBlock;
use protobridge::grpc::host_status::strip_host_suffix;
use protobridge::grpc::status::decode_message;
use protobridge::grpc::{Code, ErrorFormat, Status};
use protobridge::schema::tables::Tables;
use protobridge_fuzz::MESSAGES;
use protobridge_fuzz::letters::Letters;
use serde_json::{Map, Value};

static TABLES: LazyLock<&Tables> = LazyLock::new(|| &MESSAGES.tables);

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let wire_form = letters.flag();
    let http_status = *letters.choose(&[500, 404, 200]);
    let mut lines = letters.0.splitn(3, |byte| *byte == b'\n');
    let (number, message) = (lines.next(), lines.next());
    let details = lines.next().map(|line| match wire_form {
        true => base64(line),
        false => line.to_vec(),
    });
    if let Ok(status) = Status::from_trailers(number, message, details.as_deref()) {
        assert_eq!(status.message, decode_message(message.unwrap_or_default()));
        check(&status, http_status);
        let field = String::from_utf8_lossy(message.unwrap_or_default());
        check(&status.with_detail(&bad_request(&field, &field)), http_status);
    }

    let words = message.unwrap_or_default();
    assert!(words.starts_with(strip_host_suffix(words)));
    let host = Status::from_host(letters.0.len() as i64 - 1, words);
    check(&host, http_status);
    assert_eq!(host.details().count(), 0);

    // Whatever a message is, its percent-encoded form reads back.
    let text = String::from_utf8_lossy(words);
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(decode_message(encoded.as_bytes()), text);

    // The same values as gRPC-Web's last frame has them.
    let block = TrailerBlock(letters.0);
    let values = ["grpc-status", "grpc-message", "grpc-status-details-bin"].map(|name| block.get(name.as_bytes()));
    if let Ok(status) = Status::from_trailers(values[0], values[1], values[2]) {
        check(&status, http_status);
    }
});

fn check(status: &Status, http_status: u16) {
    assert_eq!(Code::from_number(i64::from(status.code.number())), status.code);
    for format in [ErrorFormat::Status, ErrorFormat::Google, ErrorFormat::Problem] {
        let mut body = b"before".to_vec();
        let mut printed = 0;
        write_error(status, http_status, format, &mut body, |any, out| {
            let mut to_json = WireToJson::default();
            let done = to_json.detail(&TABLES, any, &PrintOptions::default(), out).is_ok();
            printed += usize::from(done);
            done
        });
        let body = str::from_utf8(&body)
            .expect("UTF-8")
            .strip_prefix("before")
            .expect("kept");
        assert!(body.bytes().all(|byte| byte >= b' '), "{body}");
        let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let error = match format {
            ErrorFormat::Status => {
                assert_eq!(body["code"], status.code.number());
                &body
            }
            ErrorFormat::Google => {
                assert_eq!(body["error"]["code"], http_status);
                assert_eq!(body["error"]["status"], status.code.name());
                &body["error"]
            }
            ErrorFormat::Problem => {
                assert_eq!(body["code"], status.code.number());
                assert_eq!(body["status"], http_status);
                assert_eq!(body["title"], status.code.name());
                &body
            }
        };
        let message = if format == ErrorFormat::Problem {
            "detail"
        } else {
            "message"
        };
        assert_eq!(error[message].as_str().unwrap_or_default(), status.message);
        let details = error
            .get("details")
            .map_or(&[][..], |details| details.as_array().expect("a list"));
        assert_eq!(details.len(), printed);
        for detail in details {
            // An Any without a type has neither.
            let empty = detail.as_object().is_some_and(Map::is_empty);
            assert!(empty || detail.get("@type").is_some_and(Value::is_string), "{detail}");
        }
    }
}

/// As upstreams write a binary header (RFC 4648, section 4, without padding).
fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            out.push(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]);
        }
    }
    out
}
