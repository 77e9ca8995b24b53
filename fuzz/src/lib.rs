//! What the fuzz targets share: the schema, and how the first bytes of an input choose a message and options.

pub mod edge;
pub mod hosts;
pub mod letters;
pub mod paths;
pub mod structs;

use std::sync::LazyLock;

use protobridge::codec::{
    BoundField, CodecError, JsonInput, JsonToWire, NullMessage, ParseOptions, PrintOptions, UnknownEnumNames,
    UnknownFields, WireToJson,
};
use protobridge::schema::tables::{FieldIndex, MessageIndex, Tables};
use protobridge::schema::{Schema, Source};

/// The tables of every message here, and the ones that inputs are of.
pub struct Messages {
    pub tables: Tables,
    /// The same, printed by the names of the `.proto`.
    pub by_proto_names: Tables,
    roots: Vec<MessageIndex>,
}

pub static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    let files = [
        (
            "everything.proto",
            include_str!("../../proto-fixtures/everything.proto"),
        ),
        ("old.proto", include_str!("../old.proto")),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()));
    let schema = Schema::compile(Source::Protos(&files), 1 << 20).expect("the schema");
    let build = || Tables::build(schema.pool(), schema.features(), 0x5eed);
    let tables = build();
    let roots = [
        "test.everything.Everything",
        "fuzz.Old",
        "google.protobuf.Any",
        "google.protobuf.Value",
        "google.protobuf.FieldMask",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "google.protobuf.DoubleValue",
        "google.protobuf.FloatValue",
        "google.protobuf.Int64Value",
    ]
    .map(|name| tables.message_index(name).expect(name));
    Messages {
        tables,
        by_proto_names: build().with_proto_names(),
        roots: roots.into(),
    }
});

/// What the first three bytes of an input say. They are letters in the seeds: `AAA` is the first message, as a whole, with
/// the options as they are by default.
pub struct Choice {
    pub message: MessageIndex,
    /// One field alone.
    pub field: Option<FieldIndex>,
    options: u8,
}

impl Choice {
    /// The choice, and the input proper.
    pub fn of(data: &[u8]) -> Option<(Self, &[u8])> {
        let ([message, options, field], input) = data.split_first_chunk()?;
        let letter = |byte: &u8| usize::from(byte.wrapping_sub(b'A'));
        let messages = &*MESSAGES;
        let message = messages.roots[letter(message) % messages.roots.len()];
        let table = messages.tables.message(message);
        // A well-known type is more than its fields.
        let fields = if table.well_known().is_some() {
            0
        } else {
            table.fields().len()
        };
        let choice = Self {
            message,
            field: match letter(field) % (fields + 1) {
                0 => None,
                field => Some(FieldIndex(field as u32 - 1)),
            },
            options: letter(options) as u8,
        };
        Some((choice, input))
    }

    fn bit(&self, bit: u8) -> bool {
        self.options >> bit & 1 == 1
    }

    pub fn parse_options(&self) -> ParseOptions {
        ParseOptions {
            unknown_fields: if self.bit(0) {
                UnknownFields::Reject
            } else {
                UnknownFields::Ignore
            },
            unknown_enum_names: if self.bit(1) {
                UnknownEnumNames::Ignore
            } else {
                UnknownEnumNames::Reject
            },
            case_insensitive_enums: self.bit(2),
            null_message: if self.bit(3) {
                NullMessage::Reject
            } else {
                NullMessage::Empty
            },
        }
    }

    /// The tables to print by.
    pub fn tables(&self) -> &'static Tables {
        match self.bit(2) {
            true => &MESSAGES.by_proto_names,
            false => &MESSAGES.tables,
        }
    }

    pub fn print_options(&self) -> PrintOptions {
        PrintOptions {
            always_print_fields_with_no_presence: self.bit(0),
            always_print_enums_as_ints: self.bit(1),
            unquote_int64_if_possible: self.bit(3),
            add_whitespace: self.bit(4),
        }
    }

    /// Whether the update mask is asked for.
    pub fn mask(&self) -> bool {
        self.bit(5)
    }

    /// A field that the path binds, or one below it.
    pub fn bound(&self) -> Vec<BoundField> {
        if !self.bit(6) {
            return Vec::new();
        }
        let leaf = BoundField {
            field: FieldIndex(u32::from(self.options >> 7)),
            below: Vec::new(),
            record: None,
        };
        let fields = MESSAGES.tables.message(self.message).fields();
        let nested = fields
            .iter()
            .position(|field| &*field.name == "self" || &*field.name == "old");
        match nested {
            Some(nested) if self.bit(7) => vec![BoundField {
                field: FieldIndex(nested as u32),
                below: vec![leaf],
                record: None,
            }],
            _ => vec![leaf],
        }
    }
}

/// JSON of a whole message to wire format.
pub fn to_wire(message: MessageIndex, json: &[u8], options: &ParseOptions) -> Result<Vec<u8>, CodecError> {
    let mut wire = Vec::new();
    JsonToWire::default().message(&MESSAGES.tables, message, JsonInput::new(json, options), &mut wire)?;
    Ok(wire)
}

/// A whole message in wire format to JSON.
pub fn to_json(message: MessageIndex, wire: &[u8], options: &PrintOptions) -> Result<Vec<u8>, CodecError> {
    let mut json = Vec::new();
    WireToJson::default().message(&MESSAGES.tables, message, wire, options, &mut json)?;
    Ok(json)
}
