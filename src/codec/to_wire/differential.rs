//! Random JSON of valid messages, read here and by prost-reflect's dynamic messages.
//!
//! The text is as no serializer writes it: both names of fields, any order, quoted and unquoted numbers, escapes, white
//! space, nulls, unknown keys, `@type` anywhere. Choices are drawn from a vector of bytes, so that a failure shrinks.

use proptest::prelude::*;
use prost_reflect::{DeserializeOptions, DynamicMessage};

use super::tests::{PROTO, PROTO2, compile};
use super::{JsonInput, JsonToWire};
use crate::codec::ParseOptions;
use crate::codec::random_schema::{MESSAGES_PER_SCHEMA, ROOT, Random, random_proto, rounds};
use crate::schema::tables::{Cardinality, Field, Kind, MessageIndex, MessageTable, Tables, WellKnown};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: rounds() as u32 / 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_messages_are_read_as_prost_reflect_reads_them(choices in proptest::collection::vec(any::<u8>(), 0..1500)) {
        thread_local! {
            static SCHEMA: (prost_reflect::DescriptorPool, Tables) = compile(&[("t.proto", PROTO), ("p2.proto", PROTO2)]);
            static CODEC: std::cell::RefCell<JsonToWire> = std::cell::RefCell::default();
        }
        SCHEMA.with(|(pool, tables)| {
            for name in ["t.M", "p2.M"] {
                CODEC.with_borrow_mut(|codec| compare(pool, tables, codec, name, &choices, ""))?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}

#[test]
fn messages_of_random_schemas_are_read_as_prost_reflect_reads_them() {
    for seed in 0..rounds().div_ceil(MESSAGES_PER_SCHEMA) {
        let text = random_proto(seed);
        let (pool, tables) = compile(&[("r.proto", &text)]);
        let mut codec = JsonToWire::default();
        for message in 0..MESSAGES_PER_SCHEMA {
            let seed = seed * MESSAGES_PER_SCHEMA + message;
            let mut random = Random(seed);
            let choices: Vec<_> = (0..random.below(1500)).map(|_| random.next() as u8).collect();
            compare(
                &pool,
                &tables,
                &mut codec,
                ROOT,
                &choices,
                &format!("seed {seed} of {text}"),
            )
            .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

fn compare(
    pool: &prost_reflect::DescriptorPool,
    tables: &Tables,
    codec: &mut JsonToWire,
    name: &str,
    choices: &[u8],
    what: &str,
) -> std::result::Result<(), TestCaseError> {
    let index = tables.message_index(name).unwrap();
    let mut writer = Writer {
        tables,
        root: name,
        choices,
        json: String::new(),
    };
    writer.space();
    writer.message(index, 0);
    writer.space();
    let json = writer.json;
    let mut wire = Vec::new();
    codec
        .message(
            tables,
            index,
            JsonInput::new(json.as_bytes(), &ParseOptions::default()),
            &mut wire,
        )
        .unwrap_or_else(|error| panic!("{what} {json}: {error}"));
    let descriptor = pool.get_message_by_name(name).unwrap();
    let ours = DynamicMessage::decode(descriptor.clone(), &wire[..]).unwrap();
    let mut deserializer = serde_json::Deserializer::from_str(&json);
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let theirs = DynamicMessage::deserialize_with_options(descriptor, &mut deserializer, &options)
        .unwrap_or_else(|error| panic!("{what} {json}: {error}"));
    prop_assert_eq!(normal(&ours), normal(&theirs), "{} {}", what, json);
    Ok(())
}

/// The message as a value in which the contents of an `Any` are compared as what they mean: maps have no order.
fn normal(message: &DynamicMessage) -> serde_json::Value {
    message
        .serialize_with_options(serde_json::value::Serializer, &prost_reflect::SerializeOptions::new())
        .unwrap()
}

struct Writer<'t> {
    tables: &'t Tables,
    /// A message that an `Any` may hold.
    root: &'t str,
    choices: &'t [u8],
    json: String,
}

impl Writer<'_> {
    /// A number below `limit`; 0 once the choices are used up.
    fn below(&mut self, limit: usize) -> usize {
        let (choice, rest) = self.choices.split_first().unwrap_or((&0, &[]));
        self.choices = rest;
        usize::from(*choice) % limit
    }

    fn bits(&mut self) -> u64 {
        let shift = self.below(64);
        (0..8).fold(0, |bits, _| bits << 8 | self.below(256) as u64) >> shift
    }

    fn push(&mut self, text: &str) {
        self.json.push_str(text);
    }

    fn space(&mut self) {
        let spaces = ["", "", "", " ", "\n  ", "\n                  \t", "\r\n"];
        let space = spaces[self.below(spaces.len())];
        self.push(space);
    }

    /// A string with some of its characters escaped.
    fn string(&mut self, text: &str) {
        self.push("\"");
        let escape = self.below(4) == 3;
        for character in text.chars() {
            match character {
                '"' | '\\' => self.json.extend(['\\', character]),
                '\n' => self.push("\\n"),
                _ if u32::from(character) < 0x20 || escape && self.below(2) == 1 => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        self.json.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                _ => self.json.push(character),
            }
        }
        self.push("\"");
    }

    fn separated(&mut self, open: &str, close: &str, count: usize, mut item: impl FnMut(&mut Self, usize)) {
        self.push(open);
        self.space();
        for index in 0..count {
            if index > 0 {
                self.push(",");
                self.space();
            }
            item(self, index);
            self.space();
        }
        self.push(close);
    }

    fn key(&mut self, key: &str) {
        self.string(key);
        self.space();
        self.push(":");
        self.space();
    }

    fn message(&mut self, index: MessageIndex, depth: usize) {
        let table = self.tables.message(index);
        match table.well_known() {
            None | Some(WellKnown::Empty) => {
                let members = self.members(table, depth);
                self.separated("{", "}", members.len(), |writer, at| writer.push(&members[at]));
            }
            Some(WellKnown::Any) => self.any(depth),
            Some(WellKnown::Duration) => {
                let forms = ["0s", "1.5s", "-0.000000001s", "315576000000s", "-7.250s"];
                let form = forms[self.below(forms.len())];
                self.string(form);
            }
            Some(WellKnown::Timestamp) => {
                let forms = [
                    "1970-01-01T00:00:00Z",
                    "2016-02-29T23:59:59.123456789-11:30",
                    "0001-01-01T00:00:00.5Z",
                ];
                let form = forms[self.below(forms.len())];
                self.string(form);
            }
            Some(WellKnown::FieldMask) => {
                let forms = ["", "a", "fooBar,baz.quxQuux"];
                let form = forms[self.below(forms.len())];
                self.string(form);
            }
            Some(WellKnown::ListValue) => {
                let count = self.below(4);
                self.separated("[", "]", count, |writer, _| writer.dynamic(depth + 1));
            }
            Some(WellKnown::Struct) => self.structure(depth),
            Some(WellKnown::Value) => self.dynamic(depth),
            Some(WellKnown::Wrapper) => self.scalar(table.fields()[0].kind),
        }
    }

    /// The members of a message, written, in the order in which they are to come.
    fn members(&mut self, table: &MessageTable, depth: usize) -> Vec<String> {
        let mut members = Vec::new();
        let outer = std::mem::take(&mut self.json);
        let mut oneofs = std::collections::HashSet::new();
        let mut fields: Vec<_> = table.fields().iter().collect();
        let one_in = if fields.len() < 20 { 3 } else { 12 };
        fields.retain(|_| depth < 6 && self.below(one_in) == one_in - 1);
        if self.below(3) == 2 {
            fields.reverse();
        }
        for field in fields {
            if field.oneof.is_some_and(|oneof| !oneofs.insert(oneof)) {
                continue;
            }
            let name = if self.below(2) == 0 {
                &field.json_name
            } else {
                &field.name
            };
            self.key(name);
            self.field(field, depth);
            members.push(std::mem::take(&mut self.json));
        }
        // prost-reflect admits none in Empty.
        if table.well_known().is_none() && self.below(5) == 4 {
            self.key("unknown");
            self.dynamic(depth);
            members.push(std::mem::take(&mut self.json));
        }
        self.json = outer;
        members
    }

    fn field(&mut self, field: &Field, depth: usize) {
        // prost-reflect takes null for a list of Value or NullValue as a value.
        if field.cardinality == Cardinality::Singular && self.below(16) == 15 {
            return self.push("null");
        }
        match field.cardinality {
            Cardinality::Singular => self.value(field.kind, depth),
            Cardinality::Repeated => {
                let count = self.below(4);
                self.separated("[", "]", count, |writer, _| writer.value(field.kind, depth + 1));
            }
            Cardinality::Map => {
                let Kind::Message(entry) = field.kind else {
                    unreachable!()
                };
                let [key, value] = self.tables.message(entry).fields() else {
                    unreachable!()
                };
                let keys: &[&str] = match key.kind {
                    Kind::Bool => &["true", "false"],
                    Kind::String => &["", "a", "é😀", "quote \" here", "a key longer than a word"],
                    Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => &["0", "7", "4294967295"],
                    _ => &["0", "-7", "2147483647"],
                };
                let count = self.below(keys.len() + 1);
                self.separated("{", "}", count, |writer, at| {
                    writer.key(keys[at]);
                    writer.value(value.kind, depth + 1);
                });
            }
        }
    }

    fn value(&mut self, kind: Kind, depth: usize) {
        match kind {
            Kind::Message(index) | Kind::Group(index) => self.message(index, depth + 1),
            kind => self.scalar(kind),
        }
    }

    fn scalar(&mut self, kind: Kind) {
        let bits = self.bits();
        let number = match kind {
            Kind::Double => {
                // Finite numbers, and no negative zero: prost-reflect leaves that out, protobuf doesn't.
                let value = f64::from_bits(bits);
                if bits == 0 {
                    "1.0E+3".to_owned()
                } else if self.below(3) == 2 {
                    let places = self.below(19) + 1;
                    let digits = format!("{bits:0width$}", width = places + 1);
                    let (whole, fraction) = digits.split_at(digits.len() - places);
                    format!("-{whole}.{fraction}")
                } else if value.is_finite() && value != 0.0 {
                    format!("{value:?}")
                } else {
                    (bits >> 11).to_string()
                }
            }
            Kind::Float => {
                let value = f32::from_bits(bits as u32);
                if value.is_normal() {
                    format!("{value:?}")
                } else {
                    (bits & 0xffff).to_string()
                }
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (bits as i32).to_string(),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (bits as i64).to_string(),
            Kind::Uint32 | Kind::Fixed32 => (bits as u32).to_string(),
            Kind::Uint64 | Kind::Fixed64 => bits.to_string(),
            Kind::Bool => return self.push(if bits & 1 == 1 { "true" } else { "false" }),
            Kind::String => {
                let forms = [
                    "",
                    "a",
                    "tab\t and\nnewline",
                    "\"\\/",
                    "é😀",
                    "twenty-four characters..",
                    "a string that is longer than the copies that are made inline",
                ];
                let form = forms[self.below(forms.len())];
                return self.string(form);
            }
            Kind::Bytes => {
                use base64::Engine as _;
                use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
                let engine = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD][self.below(4)].clone();
                let length = self.below(9);
                let text = engine.encode(&bits.to_le_bytes()[..length.min(8)]);
                return self.string(&text);
            }
            Kind::Enum(index) => {
                let table = self.tables.enumeration(index);
                if table.is_null_value() {
                    return self.push("null");
                }
                let number = (bits % 2) as i32;
                if self.below(2) == 0 {
                    match table.is_closed() {
                        true => number.to_string(),
                        false => (bits as i32).to_string(),
                    }
                } else {
                    let name = String::from_utf8(table.quoted_name(number).unwrap().to_vec()).unwrap();
                    return self.push(&name);
                }
            }
            Kind::Message(_) | Kind::Group(_) => unreachable!(),
        };
        if !matches!(kind, Kind::Enum(_)) && self.below(3) == 2 {
            self.string(&number);
        } else {
            self.push(&number);
        }
    }

    fn structure(&mut self, depth: usize) {
        let keys = ["", "a", "b", "é", "a key longer than a word"];
        let count = self.below(keys.len() + 1);
        self.separated("{", "}", count, |writer, at| {
            writer.key(keys[at]);
            writer.dynamic(depth + 1);
        });
    }

    /// Any JSON value.
    fn dynamic(&mut self, depth: usize) {
        match self.below(if depth < 6 { 7 } else { 5 }) {
            0 => self.push("null"),
            1 => self.push("true"),
            2 => self.push("false"),
            3 => {
                let forms = ["0", "1", "-1.5", "1e5", "123456789012345680", "0.1", "2.5E-3"];
                let form = forms[self.below(forms.len())];
                self.push(form);
            }
            4 => self.scalar(Kind::String),
            5 => self.structure(depth),
            _ => {
                let count = self.below(4);
                self.separated("[", "]", count, |writer, _| writer.dynamic(depth + 1));
            }
        }
    }

    fn any(&mut self, depth: usize) {
        let types = [
            self.root,
            "google.protobuf.Duration",
            "google.protobuf.Struct",
            "google.protobuf.Any",
        ];
        let name = types[self.below(if depth < 5 { types.len() } else { 3 })];
        let index = self.tables.message_index(name).unwrap();
        let table = self.tables.message(index);
        let mut members = if table.well_known().is_none() {
            self.members(table, depth + 1)
        } else {
            let outer = std::mem::take(&mut self.json);
            self.key("value");
            self.message(index, depth + 1);
            vec![std::mem::replace(&mut self.json, outer)]
        };
        let outer = std::mem::take(&mut self.json);
        self.key("@type");
        self.string(&format!("type.googleapis.com/{name}"));
        let member = std::mem::replace(&mut self.json, outer);
        let at = self.below(members.len() + 1);
        members.insert(at, member);
        self.separated("{", "}", members.len(), |writer, at| writer.push(&members[at]));
    }
}
