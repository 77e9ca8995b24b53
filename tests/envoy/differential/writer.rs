//! JSON as clients write it, well and badly.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};

use crate::differential::message::held;
use crate::differential::random_schema::Random;

/// A way of writing a valid message that serializers don't have, or don't all have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// `field_name` for `fieldName`.
    ProtoNames,
    /// `"1"` for `1`, and `1` for `"1"`.
    OtherQuotes,
    /// `1e0`, `1.0` for `1`.
    Exponents,
    /// Numbers for the names of enum values.
    EnumNumbers,
    /// White space wherever it may be.
    Whitespace,
    /// `\u0061` for `a`, `\/` for `/`.
    Escapes,
    /// `null` for fields that aren't set.
    Nulls,
    /// Members in the reverse order, `@type` last.
    Reversed,
    /// Members that the message doesn't have.
    UnknownMembers,
    /// The other alphabet, no padding.
    UrlSafeBase64,
    /// Timestamps of another zone.
    Offsets,
}

/// All of them.
pub const VARIATIONS: [Variation; 11] = [
    Variation::ProtoNames,
    Variation::OtherQuotes,
    Variation::Exponents,
    Variation::EnumNumbers,
    Variation::Whitespace,
    Variation::Escapes,
    Variation::Nulls,
    Variation::Reversed,
    Variation::UnknownMembers,
    Variation::UrlSafeBase64,
    Variation::Offsets,
];

/// A value that its field can't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An object for a scalar, a number for a message.
    Shape,
    /// A boolean for a number or a text, a text for a boolean.
    Type,
    /// A number for a text.
    NumberForText,
    /// A number that the type can't hold.
    Range,
    /// A whole number with a fraction.
    Fraction,
    /// Text that is no number, no name of the enum, no base64, no timestamp.
    Text,
    /// `null` in a list.
    NullElement,
    /// The same member twice.
    Twice,
    /// The same field under both names.
    BothNames,
    /// Half of a surrogate pair.
    Surrogate,
    /// A control character in a string.
    Control,
    /// `[1,]`, `{"a":1,}`.
    TrailingComma,
    /// A number with a leading zero, a plus or no digit before its point.
    Number,
}

/// All of them, and those more than once of which Envoy's transcoder takes few forms.
pub const FAULTS: [Fault; 17] = [
    Fault::Shape,
    Fault::Range,
    Fault::Number,
    Fault::Number,
    Fault::Shape,
    Fault::Type,
    Fault::NumberForText,
    Fault::Range,
    Fault::Fraction,
    Fault::Text,
    Fault::NullElement,
    Fault::Twice,
    Fault::BothNames,
    Fault::Surrogate,
    Fault::Control,
    Fault::TrailingComma,
    Fault::Number,
];

/// Where a fault is.
#[derive(Clone, Debug)]
pub struct Site {
    /// The path of the value.
    pub path: String,
    /// What stands there instead.
    pub text: String,
}

/// Writes messages as JSON.
pub struct Writer<'r> {
    /// The choices.
    pub random: &'r mut Random,
    /// How this text differs from what serializers write.
    pub variations: &'r [Variation],
    /// What to do wrong, once.
    pub fault: Option<Fault>,
    /// How many places for it to let go by.
    pub skip: usize,
    /// Where it has been done.
    pub site: Option<Site>,
    /// The variations that show in the text.
    pub shown: Vec<Variation>,
    /// The text.
    pub json: String,
    path: Vec<String>,
}

impl<'r> Writer<'r> {
    /// An empty text.
    pub fn new(random: &'r mut Random, variations: &'r [Variation], fault: Option<Fault>) -> Self {
        let skip = random.below(2);
        Self {
            random,
            variations,
            fault,
            skip,
            site: None,
            shown: Vec::new(),
            json: String::new(),
            path: Vec::new(),
        }
    }

    /// Whether the text is to be, and now is, written so.
    fn varied(&mut self, variation: Variation) -> bool {
        let varied = self.variations.contains(&variation);
        if varied && !self.shown.contains(&variation) {
            self.shown.push(variation);
        }
        varied
    }

    /// Whether to do this wrong here, by writing `text`.
    fn fails(&mut self, fault: Fault, text: &str) -> bool {
        if self.fault != Some(fault) || self.site.is_some() {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.site = Some(Site {
            path: self.path.concat().trim_start_matches('.').to_owned(),
            text: text.to_owned(),
        });
        true
    }

    fn space(&mut self) {
        if self.variations.contains(&Variation::Whitespace) {
            let space = self.random.pick(&["", " ", "\n  ", "\t", "\r\n"]);
            self.json.push_str(space);
            if !space.is_empty() {
                self.varied(Variation::Whitespace);
            }
        }
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.json.push(',');
        }
        self.space();
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.json.push('"');
        if self.fails(Fault::Surrogate, "\\ud800") {
            self.json.push_str("\\ud800");
        }
        if self.fails(Fault::Control, "\n") {
            self.json.push('\n');
        }
        for character in text.chars() {
            match character {
                '"' | '\\' => self.json.extend(['\\', character]),
                '\n' => self.json.push_str("\\n"),
                '\t' => self.json.push_str("\\t"),
                '/' if self.varied(Variation::Escapes) => self.json.push_str("\\/"),
                _ if u32::from(character) < 0x20
                    || self.variations.contains(&Variation::Escapes) && self.random.one_in(2) =>
                {
                    if u32::from(character) >= 0x20 {
                        self.varied(Variation::Escapes);
                    }
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(self.json, "\\u{unit:04x}").unwrap();
                    }
                }
                _ => self.json.push(character),
            }
        }
        self.json.push('"');
    }

    fn key(&mut self, key: &str) {
        self.json.push('"');
        self.json.push_str(&key.replace('\\', "\\\\").replace('"', "\\\""));
        self.json.push('"');
        self.space();
        self.json.push(':');
        self.space();
    }

    /// A message as the value of a member, an element or the whole text.
    pub fn message(&mut self, message: &DynamicMessage) {
        let descriptor = message.descriptor();
        let by_name = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
        let number = |name: &str| match by_name(name) {
            Value::I64(value) => value,
            Value::I32(value) => value.into(),
            _ => unreachable!("seconds and nanos are integers"),
        };
        let name = descriptor.full_name();
        if !matches!(
            name,
            "google.protobuf.Value" | "google.protobuf.Struct" | "google.protobuf.ListValue"
        ) {
            let text = match name.ends_with("Value") && name.starts_with("google.protobuf.") {
                true => "[1]",
                false => self.random.pick(&["7", "true", "[]"]),
            };
            if self.fails(Fault::Shape, text) {
                return self.json.push_str(text);
            }
        }
        match name {
            "google.protobuf.Timestamp" => {
                let text = self.timestamp(number("seconds"), number("nanos"));
                self.special(
                    &text,
                    &[
                        "yesterday",
                        "2020-13-01T00:00:00Z",
                        "2020-01-01T00:00:00",
                        "10000-01-01T00:00:00Z",
                    ],
                );
            }
            "google.protobuf.Duration" => {
                let (seconds, nanos) = (number("seconds"), number("nanos"));
                let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
                let fraction = fraction(nanos.unsigned_abs());
                let text = format!("{sign}{}{fraction}s", seconds.unsigned_abs());
                self.special(&text, &["1", "1m", "s", "315576000001s"]);
            }
            "google.protobuf.FieldMask" => {
                let paths = by_name("paths");
                let paths: Vec<_> = paths
                    .as_list()
                    .unwrap()
                    .iter()
                    .map(|path| camel_case(path.as_str().unwrap()))
                    .collect();
                if self.fails(Fault::NumberForText, "5") {
                    return self.json.push('5');
                }
                self.string(&paths.join(","));
            }
            "google.protobuf.Any" => self.any(message),
            "google.protobuf.Struct" => {
                let field = descriptor.get_field_by_name("fields").unwrap();
                let entries = by_name("fields");
                self.value(&field, &entries);
            }
            "google.protobuf.ListValue" => {
                let field = descriptor.get_field_by_name("values").unwrap();
                self.value(&field, &by_name("values"));
            }
            "google.protobuf.Value" => self.dynamic(message),
            name if name.starts_with("google.protobuf.") && name.ends_with("Value") => {
                let field = descriptor.get_field_by_name("value").unwrap();
                self.scalar(&field.kind(), &by_name("value"));
            }
            _ => {
                self.json.push('{');
                let mut first = true;
                self.members(message, &mut first);
                self.json.push('}');
            }
        }
    }

    /// The members of a message, without braces.
    fn members(&mut self, message: &DynamicMessage, first: &mut bool) {
        let mut fields: Vec<_> = message.fields().collect();
        if fields.len() > 1 && self.varied(Variation::Reversed) {
            fields.reverse();
        }
        for (field, value) in &fields {
            self.comma(first);
            self.member(field, value);
        }
        let descriptor = message.descriptor();
        if self.variations.contains(&Variation::Nulls) {
            let unset = descriptor
                .fields()
                .filter(|field| !message.has_field(field) && null_is_unset(field));
            for field in unset.take(2) {
                self.varied(Variation::Nulls);
                self.comma(first);
                let name = self.name(&field);
                self.key(&name);
                self.json.push_str("null");
            }
        }
        if self.varied(Variation::UnknownMembers) {
            self.comma(first);
            let value = self
                .random
                .pick(&["1", "{\"a\":[1,{}]}", "null", "\"x\"", "[[],[1]]", "-1.5e3"]);
            self.key("noSuchField");
            self.json.push_str(value);
        }
        if !*first && self.fails(Fault::TrailingComma, ",}") {
            self.json.push(',');
        }
    }

    fn name(&mut self, field: &FieldDescriptor) -> String {
        if field.name() != field.json_name() && self.varied(Variation::ProtoNames) {
            return field.name().to_owned();
        }
        field.json_name().to_owned()
    }

    fn member(&mut self, field: &FieldDescriptor, value: &Value) {
        let name = self.name(field);
        self.path.push(format!(".{}", field.json_name()));
        self.key(&name);
        self.value(field, value);
        if self.fails(Fault::Twice, &name) {
            self.json.push(',');
            self.key(&name);
            self.value(field, value);
        }
        let other = if name == field.name() {
            field.json_name()
        } else {
            field.name()
        };
        if other != name && self.fails(Fault::BothNames, other) {
            self.json.push(',');
            self.key(other);
            self.value(field, value);
        }
        self.path.pop();
    }

    /// The value of a field, whatever its cardinality.
    pub fn value(&mut self, field: &FieldDescriptor, value: &Value) {
        // In a Value either may stand for the other.
        let dynamic = field.parent_message().package_name() == "google.protobuf";
        match value {
            Value::List(values) => {
                if !dynamic && self.fails(Fault::Shape, "{}") {
                    return self.json.push_str("{}");
                }
                self.json.push('[');
                let mut first = true;
                for (at, value) in values.iter().enumerate() {
                    self.comma(&mut first);
                    self.path.push(format!("[{at}]"));
                    if !accepts_null(&field.kind()) && self.fails(Fault::NullElement, "null") {
                        self.json.push_str("null");
                    } else {
                        self.singular(&field.kind(), value);
                    }
                    self.path.pop();
                }
                if !first && self.fails(Fault::TrailingComma, ",]") {
                    self.json.push(',');
                }
                self.space();
                self.json.push(']');
            }
            Value::Map(entries) => {
                if !dynamic && self.fails(Fault::Shape, "[]") {
                    return self.json.push_str("[]");
                }
                let entry = field.kind();
                let value_kind = entry.as_message().unwrap().map_entry_value_field().kind();
                self.json.push('{');
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| format!("{key:?}"));
                let mut first = true;
                for (key, value) in entries {
                    self.comma(&mut first);
                    let key = match key {
                        MapKey::Bool(key) => key.to_string(),
                        MapKey::I32(key) => key.to_string(),
                        MapKey::I64(key) => key.to_string(),
                        MapKey::U32(key) => key.to_string(),
                        MapKey::U64(key) => key.to_string(),
                        MapKey::String(key) => key.clone(),
                    };
                    self.path.push(format!("[{key:?}]"));
                    self.key(&key);
                    self.singular(&value_kind, value);
                    self.path.pop();
                    if self.fails(Fault::Twice, &key) {
                        self.json.push(',');
                        self.key(&key);
                        self.singular(&value_kind, value);
                    }
                }
                self.space();
                self.json.push('}');
            }
            value => self.singular(&field.kind(), value),
        }
    }

    /// A value that is no list and no map.
    pub fn singular(&mut self, kind: &Kind, value: &Value) {
        match value {
            Value::Message(message) => self.message(message),
            scalar => self.scalar(kind, scalar),
        }
    }

    fn scalar(&mut self, kind: &Kind, value: &Value) {
        if self.fails(Fault::Shape, "{}") {
            return self.json.push_str("{}");
        }
        let other_type = match value {
            Value::Bool(_) => "\"yes\"",
            _ => "true",
        };
        if !matches!(kind, Kind::Enum(of) if of.full_name() == "google.protobuf.NullValue")
            && self.fails(Fault::Type, other_type)
        {
            return self.json.push_str(other_type);
        }
        match value {
            Value::Bool(value) => write!(self.json, "{value}").unwrap(),
            Value::String(text) => {
                if self.fails(Fault::NumberForText, "5") {
                    return self.json.push('5');
                }
                self.string(text);
            }
            Value::Bytes(bytes) => {
                let text = match self.varied(Variation::UrlSafeBase64) {
                    true => URL_SAFE_NO_PAD.encode(bytes),
                    false => STANDARD.encode(bytes),
                };
                self.special(&text, &["*", "a", "AAAA=AAA", "AB$="]);
            }
            Value::EnumNumber(number) => self.enumeration(kind, *number),
            Value::F64(value) => self.float(*value, &format!("{value:?}"), &["1e400", "-1e999"]),
            Value::F32(value) => self.float(f64::from(*value), &format!("{value:?}"), &["1e39", "-3.5e38"]),
            Value::I32(value) => self.integer(&value.to_string(), &["2147483648", "-2147483649"], false),
            Value::U32(value) => self.integer(&value.to_string(), &["4294967296", "-1"], false),
            Value::I64(value) => self.integer(
                &value.to_string(),
                &["9223372036854775808", "-9223372036854775809"],
                true,
            ),
            Value::U64(value) => self.integer(&value.to_string(), &["18446744073709551616", "-1"], true),
            value => unreachable!("{value:?} is no scalar"),
        }
    }

    fn special(&mut self, text: &str, wrong: &[&'static str]) {
        let wrong = self.random.pick(wrong);
        if self.fails(Fault::Text, wrong) {
            return self.string(wrong);
        }
        if self.fails(Fault::NumberForText, "5") {
            return self.json.push('5');
        }
        self.string(text);
    }

    fn enumeration(&mut self, kind: &Kind, number: i32) {
        let Kind::Enum(descriptor) = kind else { unreachable!() };
        if descriptor.full_name() == "google.protobuf.NullValue" {
            return self.json.push_str("null");
        }
        if self.fails(Fault::Text, "NO_SUCH_NAME") {
            return self.json.push_str("\"NO_SUCH_NAME\"");
        }
        if self.fails(Fault::Fraction, "0.5") {
            return self.json.push_str("0.5");
        }
        match descriptor.get_value(number) {
            Some(value) if !self.varied(Variation::EnumNumbers) => self.string(value.name()),
            _ => write!(self.json, "{number}").unwrap(),
        }
    }

    fn float(&mut self, value: f64, text: &str, over: &[&'static str]) {
        let over = self.random.pick(over);
        if self.fails(Fault::Range, over) {
            return self.json.push_str(over);
        }
        if self.number_fault() {
            return;
        }
        if value.is_nan() {
            self.json.push_str("\"NaN\"");
        } else if value.is_infinite() {
            self.json
                .push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
        } else if self.varied(Variation::OtherQuotes) {
            self.string(text);
        } else {
            self.json.push_str(text);
        }
    }

    fn integer(&mut self, text: &str, over: &[&'static str], quoted: bool) {
        let over = self.random.pick(over);
        if self.fails(Fault::Range, over) {
            return self.json.push_str(over);
        }
        if self.fails(Fault::Fraction, "1.5") {
            return self.json.push_str("1.5");
        }
        let wrong = self.random.pick(&["", "x", "1 ", " 1", "0x10", "1_000"]);
        if self.fails(Fault::Text, wrong) {
            return self.string(wrong);
        }
        if self.number_fault() {
            return;
        }
        // A double holds only so many digits of what JSON calls a number.
        let text = match text.len() < 15 && self.varied(Variation::Exponents) {
            true if text == "0" => "0E+3".to_owned(),
            true => format!("{text}{}", self.random.pick(&["e0", ".0", ".0E+0", "00e-2"])),
            false => text.to_owned(),
        };
        if quoted != self.varied(Variation::OtherQuotes) {
            self.string(&text);
        } else {
            self.json.push_str(&text);
        }
    }

    fn number_fault(&mut self) -> bool {
        let wrong = self
            .random
            .pick(&["01", "+1", ".5", "1.", "1.", "-", "1e", "0x1", "NaN"]);
        let fails = self.fails(Fault::Number, wrong);
        if fails {
            self.json.push_str(wrong);
        }
        fails
    }

    fn any(&mut self, message: &DynamicMessage) {
        let url = message
            .get_field_by_name("type_url")
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        if url.is_empty() {
            return self.json.push_str("{}");
        }
        let held = held(message).unwrap();
        let mut first = true;
        self.json.push('{');
        let reversed = self.varied(Variation::Reversed);
        if !reversed {
            self.r#type(&url, &mut first);
        }
        if has_special_form(held.descriptor().full_name()) {
            self.comma(&mut first);
            self.key("value");
            self.path.push(".value".to_owned());
            self.message(&held);
            self.path.pop();
        } else {
            self.members(&held, &mut first);
        }
        if reversed {
            self.r#type(&url, &mut first);
        }
        self.json.push('}');
    }

    fn r#type(&mut self, url: &str, first: &mut bool) {
        self.comma(first);
        self.path.push(".@type".to_owned());
        self.key("@type");
        self.string(url);
        self.path.pop();
    }

    fn dynamic(&mut self, message: &DynamicMessage) {
        let Some((field, value)) = message.fields().next() else {
            return self.json.push_str("null");
        };
        match value {
            Value::F64(value) => write!(self.json, "{value:?}").unwrap(),
            Value::EnumNumber(_) => self.json.push_str("null"),
            Value::String(text) => self.string(text),
            Value::Bool(value) => write!(self.json, "{value}").unwrap(),
            value => self.singular(&field.kind(), value),
        }
    }

    fn timestamp(&mut self, seconds: i64, nanos: i64) -> String {
        let offset = if self.varied(Variation::Offsets) { 5400 } else { 0 };
        let (days, second) = (
            (seconds + offset).div_euclid(86_400),
            (seconds + offset).rem_euclid(86_400),
        );
        let (year, month, day) = date(days);
        let zone = if offset == 0 { "Z" } else { "+01:30" };
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let fraction = fraction(nanos.unsigned_abs());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
    }
}

/// Whether an `Any` has the value of such a message in a member `value`.
pub fn has_special_form(name: &str) -> bool {
    name.starts_with("google.protobuf.") && name != "google.protobuf.Empty"
}

/// Whether `null` is a value of this kind.
fn accepts_null(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => message.full_name() == "google.protobuf.Value",
        Kind::Enum(of) => of.full_name() == "google.protobuf.NullValue",
        _ => false,
    }
}

/// Whether `null` says that the field isn't set.
fn null_is_unset(field: &FieldDescriptor) -> bool {
    field.is_list() || field.is_map() || !accepts_null(&field.kind())
}

/// Nanoseconds in 0, 3, 6 or 9 digits behind a point.
fn fraction(nanos: u64) -> String {
    match nanos {
        0 => String::new(),
        nanos if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        nanos if nanos % 1000 == 0 => format!(".{:06}", nanos / 1000),
        nanos => format!(".{nanos:09}"),
    }
}

/// The date of a day since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// A field path as a FieldMask has it in JSON.
fn camel_case(path: &str) -> String {
    let mut camel = String::new();
    let mut upper = false;
    for character in path.chars() {
        if character == '_' {
            upper = true;
        } else {
            camel.push(if upper {
                character.to_ascii_uppercase()
            } else {
                character
            });
            upper = false;
        }
    }
    camel
}
