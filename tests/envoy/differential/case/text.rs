//! Values as paths and queries have them.

use prost_reflect::{Kind, Value};

use crate::differential::json::Json;
use crate::differential::random_schema::Random;
use crate::differential::writer::Writer;

/// Percent-encodes all bytes but those that are `kept`.
pub(super) fn percent(text: &str, kept: impl Fn(u8) -> bool, lower: bool) -> String {
    let encode = |byte: u8| match (kept(byte), lower) {
        (true, _) => char::from(byte).to_string(),
        (_, true) => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// The text of a value in a path or query: its JSON, without quotes. `None` for what has none.
pub(super) fn text_of(random: &mut Random, kind: &Kind, value: &Value) -> Option<String> {
    let mut writer = Writer::new(random, &[], None);
    writer.singular(kind, value);
    match Json::read(writer.json.as_bytes())? {
        Json::String(text) | Json::Number(text) => Some(text),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A text that is no value of this kind, for both; `None` where there is none.
pub(super) fn wrong_text(random: &mut Random, kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::String => return None,
        Kind::Bytes => "*",
        Kind::Bool => random.pick(&["yes", "2", "TRUE"]),
        Kind::Enum(_) => random.pick(&["NO_SUCH_NAME", "1.5"]),
        Kind::Double => random.pick(&["x", "1e400", "nan"]),
        Kind::Float => random.pick(&["x", "1e39"]),
        Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => {
            random.pick(&["x", "-1", "99999999999999999999", "1.5"])
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.StringValue" | "google.protobuf.FieldMask" => return None,
            "google.protobuf.BytesValue" => "*",
            _ => "never",
        },
        _ => random.pick(&["x", "99999999999999999999", "1.5", "0x10"]),
    })
}

/// A parameter's name as it is written.
pub(super) fn encoded_name(name: &str) -> String {
    percent(
        name,
        |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte),
        false,
    )
}
