//! Random schemas for the comparisons with prost-reflect, and how many messages they compare.

use std::fmt::Write as _;

/// How many messages each comparison makes: `PROTOBRIDGE_DIFFERENTIAL`, else a number that takes a few seconds.
pub(crate) fn rounds() -> u64 {
    match std::env::var("PROTOBRIDGE_DIFFERENTIAL") {
        Ok(rounds) => rounds.parse().unwrap(),
        Err(_) => 4000,
    }
}

/// How many messages are made of one random schema: compiling it costs as much as some of them.
pub(crate) const MESSAGES_PER_SCHEMA: u64 = 100;

/// The message that every random schema has.
pub(crate) const ROOT: &str = "r.M0";

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}

const SCALARS: &[&str] = &[
    "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32",
    "sfixed32", "sfixed64", "sint32", "sint64",
];

const KEYS: &[&str] = &[
    "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "uint32", "sfixed32", "sfixed64", "sint32",
    "sint64",
];

const WELL_KNOWN: &[&str] = &[
    "Any",
    "Duration",
    "Empty",
    "FieldMask",
    "ListValue",
    "Struct",
    "Timestamp",
    "Value",
    "BoolValue",
    "Int32Value",
    "Int64Value",
    "UInt32Value",
    "UInt64Value",
    "FloatValue",
    "DoubleValue",
    "StringValue",
    "BytesValue",
];

/// A `.proto` text: messages with fields of any type, cardinality and number, in any order, of package `r`.
pub(crate) fn random_proto(seed: u64) -> String {
    proto(seed, false)
}

/// The same, where some fields have the option `debug_redact`.
pub(crate) fn redacted_proto(seed: u64) -> String {
    proto(seed, true)
}

fn proto(seed: u64, redacted: bool) -> String {
    let mut random = Random(seed);
    let proto2 = random.one_in(3);
    let mut writer = SchemaWriter {
        proto2,
        redacted,
        messages: 1 + random.below(4),
        enums: 1 + random.below(2),
        random,
        fields: 0,
        text: String::new(),
    };
    writer.file();
    writer.text
}

struct SchemaWriter {
    random: Random,
    proto2: bool,
    redacted: bool,
    messages: usize,
    enums: usize,
    /// How many fields have been written: each has a name of its own.
    fields: usize,
    text: String,
}

impl SchemaWriter {
    fn file(&mut self) {
        let syntax = if self.proto2 { "proto2" } else { "proto3" };
        write!(self.text, "syntax = \"{syntax}\"; package r; ").unwrap();
        for file in [
            "any",
            "duration",
            "empty",
            "field_mask",
            "struct",
            "timestamp",
            "wrappers",
        ] {
            write!(self.text, "import \"google/protobuf/{file}.proto\"; ").unwrap();
        }
        for at in 0..self.enums {
            let more = self
                .random
                .pick(&["", "E#_TWO = 2; ", "E#_MINUS = -1; ", "E#_FAR = 2147483647; "]);
            let alias = self.random.pick(&["", "option allow_alias = true; E#_ALIAS = 1; "]);
            let values = format!("E#_ZERO = 0; E#_ONE = 1; {more}{alias}").replace('#', &at.to_string());
            writeln!(self.text, "enum E{at} {{ {values}}}").unwrap();
        }
        for at in 0..self.messages {
            write!(self.text, "message M{at} {{ ").unwrap();
            let fields = self.random.below(if self.random.0.is_multiple_of(8) { 90 } else { 14 });
            let mut numbers = Vec::new();
            self.body(fields, &mut numbers);
            if self.proto2 {
                self.text.push_str("extensions 100000 to 100100; ");
            }
            self.text.push_str("}\n");
        }
        if self.proto2 {
            for at in 0..self.messages {
                write!(self.text, "extend M{at} {{ ").unwrap();
                for number in 0..self.random.below(4) {
                    let label = self.random.pick(&["optional", "repeated"]);
                    let r#type = self.r#type();
                    writeln!(self.text, "{label} {type} e{at}_{number} = {}; ", 100_000 + number).unwrap();
                }
                // An empty block isn't allowed.
                writeln!(self.text, "optional int32 e{at}_last = 100100; }}").unwrap();
            }
        }
    }

    /// Fields within a message, a group or a oneof.
    fn body(&mut self, fields: usize, numbers: &mut Vec<usize>) {
        for _ in 0..fields {
            match self.random.below(12) {
                0 => {
                    write!(self.text, "oneof o{} {{ ", self.fields).unwrap();
                    for _ in 0..1 + self.random.below(4) {
                        self.field("", numbers);
                    }
                    self.text.push_str("} ");
                }
                1 | 2 => {
                    let key = self.random.pick(KEYS);
                    let value = self.r#type();
                    self.named(&format!("map<{key}, {value}>"), numbers, "");
                }
                3 if self.proto2 => {
                    let label = self.random.pick(&["optional", "repeated"]);
                    let number = self.number(numbers);
                    self.fields += 1;
                    write!(self.text, "{label} group G{} = {number} {{ ", self.fields).unwrap();
                    let fields = self.random.below(4);
                    self.body(fields, &mut Vec::new());
                    self.text.push_str("} ");
                }
                4..=6 => {
                    let scalar = self.random.pick(SCALARS);
                    let options = match scalar {
                        "string" | "bytes" => "",
                        _ => self.random.pick(&["", "packed = true", "packed = false"]),
                    };
                    self.named(&format!("repeated {scalar}"), numbers, options);
                }
                7 => self.field("repeated", numbers),
                _ => {
                    let labels: &[&str] = match self.proto2 {
                        true => &["optional", "optional", "required"],
                        false => &["", "", "optional"],
                    };
                    let label = self.random.pick(labels);
                    self.field(label, numbers);
                }
            }
        }
    }

    fn field(&mut self, label: &str, numbers: &mut Vec<usize>) {
        let r#type = self.r#type();
        self.named(&format!("{label} {type}"), numbers, "");
    }

    fn named(&mut self, of: &str, numbers: &mut Vec<usize>, options: &str) {
        let number = self.number(numbers);
        self.fields += 1;
        let name = format!(
            "{}_{}",
            self.random.pick(&["some_name", "x", "UPPER", "a_b_c", "with_1"]),
            self.fields
        );
        let json_name = match self.random.below(8) {
            0 => format!("json_name = \"custom \\\"{}\\\"\"", self.fields),
            _ => String::new(),
        };
        let redacted = match self.redacted && !of.starts_with("required") && self.random.one_in(6) {
            true => "debug_redact = true",
            false => "",
        };
        let options: Vec<_> = [options, &json_name, redacted]
            .into_iter()
            .filter(|option| !option.is_empty())
            .collect();
        let options = match options.is_empty() {
            true => String::new(),
            false => format!(" [{}]", options.join(", ")),
        };
        write!(self.text, "{of} {name} = {number}{options}; ").unwrap();
    }

    fn number(&mut self, numbers: &mut Vec<usize>) -> usize {
        loop {
            let number = match self.random.below(10) {
                0 => 1 + self.random.below(300),
                1 => 20_000 + self.random.below(50_000),
                2 => 536_870_911 - self.random.below(100),
                _ => 1 + self.random.below(16 + numbers.len() * 2),
            };
            if !numbers.contains(&number) {
                numbers.push(number);
                return number;
            }
        }
    }

    fn r#type(&mut self) -> String {
        match self.random.below(10) {
            0 => format!("E{}", self.random.below(self.enums)),
            1 | 2 => format!("M{}", self.random.below(self.messages)),
            3 | 4 => format!("google.protobuf.{}", self.random.pick(WELL_KNOWN)),
            _ => self.random.pick(SCALARS).into(),
        }
    }
}
