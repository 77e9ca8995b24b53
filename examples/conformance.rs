//! The testee of protobuf's conformance runner (conformance/conformance.proto): drives the codec of the product both
//! ways. `tests/conformance.sh` fetches the runner, and runs it on this.
//!
//! usage: `conformance DESCRIPTOR_SET`, a file with the messages that the runner tests with.
//!
//! On standard input and output: a length in four bytes, little endian, then a `ConformanceRequest`, answered by a length
//! and a `ConformanceResponse`; until the input ends.

use std::error::Error;
use std::io::{self, Read, Write};

use prost_reflect::DynamicMessage;

use protobridge::codec::{
    CodecError, JsonInput, JsonToWire, NullMessage, ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields,
    WireToJson, check_required,
};
use protobridge::schema::tables::{Kind, MessageIndex, Tables};
use protobridge::schema::{Schema, Source};
use protobridge::wire::{Reader, WireType, write_varint};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: conformance DESCRIPTOR_SET")?;
    let schema = Schema::compile(Source::DescriptorSet(&std::fs::read(path)?), 0)?;
    let mut testee = Testee {
        tables: Tables::build(schema.pool(), schema.features(), 0),
        schema,
        to_wire: JsonToWire::default(),
        to_json: WireToJson::default(),
    };
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut request = vec![0; usize::try_from(u32::from_le_bytes(length))?];
        input.read_exact(&mut request)?;
        let request = Request::read(&request)?;
        let response = match testee.answer(&request) {
            Ok(response) | Err(response) => response.write(),
        };
        output.write_all(&u32::try_from(response.len())?.to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
}

struct Testee {
    schema: Schema,
    tables: Tables,
    to_wire: JsonToWire,
    to_json: WireToJson,
}

impl Testee {
    fn answer(&mut self, request: &Request<'_>) -> Result<Response, Response> {
        let message = self
            .tables
            .message_index(request.message_type)
            .ok_or_else(|| Response::RuntimeError(format!("no message {}", request.message_type)))?;
        if let Some(reason) = self.unclaimed(request, message) {
            return Err(Response::Skipped(reason));
        }
        let (unknown_fields, unknown_enum_names) = match request.test_category {
            JSON_IGNORE_UNKNOWN_PARSING_TEST => (UnknownFields::Ignore, UnknownEnumNames::Ignore),
            _ => (UnknownFields::Reject, UnknownEnumNames::Reject),
        };
        let parse = ParseOptions {
            unknown_fields,
            unknown_enum_names,
            case_insensitive_enums: false,
            null_message: NullMessage::Reject,
        };
        match (&request.payload, request.output_format) {
            (Payload::Json(json), PROTOBUF) => Ok(Response::Protobuf(self.wire(message, json, &parse)?)),
            (Payload::Json(json), JSON) => {
                let wire = self.wire(message, json, &parse)?;
                Ok(Response::Json(self.json(message, &wire)?))
            }
            (Payload::Protobuf(wire), JSON) => Ok(Response::Json(self.json(message, wire)?)),
            (Payload::Protobuf(wire), PROTOBUF) => {
                let json = self.json(message, wire)?;
                Ok(Response::Protobuf(self.wire(message, &json, &parse)?))
            }
            _ => Err(Response::RuntimeError("nothing to convert".into())),
        }
    }

    /// Why the codec doesn't claim to do this: all that is skipped, in one place.
    fn unclaimed(&self, request: &Request<'_>, message: MessageIndex) -> Option<&'static str> {
        match (&request.payload, request.output_format) {
            (Payload::Other, _) | (_, TEXT_FORMAT | JSPB) => {
                Some("text format and JSPB: the codec knows the wire format and JSON")
            }
            // Wire to wire goes through JSON.
            (Payload::Protobuf(wire), PROTOBUF) => self.lost_in_json(message, wire),
            _ => None,
        }
    }

    /// What a message holds that has no JSON form, if it is well-formed.
    fn lost_in_json(&self, message: MessageIndex, wire: &[u8]) -> Option<&'static str> {
        let table = self.tables.message(message);
        let mut lost = None;
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag().ok()?;
            reader.skip(number, wire_type, 0).ok()?;
            let field = table.field_by_number(number).and_then(|index| table.field(index));
            match field.map(|field| field.kind) {
                None => lost = Some("unknown fields: ProtoJSON has no form for them"),
                Some(Kind::Message(below) | Kind::Group(below)) if self.is_message_set(below) => {
                    lost = Some("MessageSet: a wire format of its own from before proto2, which gRPC doesn't use");
                }
                Some(_) => {}
            }
        }
        lost
    }

    fn is_message_set(&self, message: MessageIndex) -> bool {
        let name = self.tables.message(message).full_name();
        let descriptor = self.schema.pool().get_message_by_name(name);
        descriptor.is_some_and(|descriptor| {
            let options = descriptor.descriptor_proto().options.as_ref();
            options.is_some_and(|options| options.message_set_wire_format())
        })
    }

    fn wire(&mut self, message: MessageIndex, json: &[u8], options: &ParseOptions) -> Result<Vec<u8>, Response> {
        let mut wire = Vec::new();
        self.to_wire
            .message(&self.tables, message, JsonInput::new(json, options), &mut wire)
            .and_then(|()| check_required(&self.tables, message, &wire))
            .map_err(|error| Response::ParseError(error.to_string()))?;
        Ok(wire)
    }

    fn json(&mut self, message: MessageIndex, wire: &[u8]) -> Result<Vec<u8>, Response> {
        let mut json = Vec::new();
        match self
            .to_json
            .message(&self.tables, message, wire, &PrintOptions::default(), &mut json)
        {
            Ok(()) => Ok(json),
            Err(error) => Err(self.classify(message, wire, &error)),
        }
    }

    /// The runner tells messages that aren't well-formed from those that have no JSON form; the codec, which does both
    /// at once, doesn't.
    fn classify(&self, message: MessageIndex, wire: &[u8], error: &CodecError) -> Response {
        let name = self.tables.message(message).full_name();
        let parsed = self
            .schema
            .pool()
            .get_message_by_name(name)
            .map(|descriptor| DynamicMessage::decode(descriptor, wire).is_ok());
        match parsed {
            Some(true) => Response::SerializeError(error.to_string()),
            _ => Response::ParseError(error.to_string()),
        }
    }
}

// conformance.proto, `WireFormat`.
const PROTOBUF: u64 = 1;
const JSON: u64 = 2;
const JSPB: u64 = 3;
const TEXT_FORMAT: u64 = 4;

// conformance.proto, `TestCategory`.
const JSON_IGNORE_UNKNOWN_PARSING_TEST: u64 = 3;

/// `ConformanceRequest`.
struct Request<'a> {
    payload: Payload<'a>,
    output_format: u64,
    message_type: &'a str,
    test_category: u64,
}

enum Payload<'a> {
    Protobuf(&'a [u8]),
    Json(&'a [u8]),
    Other,
}

impl<'a> Request<'a> {
    fn read(wire: &'a [u8]) -> Result<Self, Box<dyn Error>> {
        let mut request = Self {
            payload: Payload::Other,
            output_format: 0,
            message_type: "",
            test_category: 0,
        };
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            match reader.tag()? {
                (1, WireType::Len) => request.payload = Payload::Protobuf(reader.length_delimited()?),
                (2, WireType::Len) => request.payload = Payload::Json(reader.length_delimited()?),
                (3, WireType::Varint) => request.output_format = reader.varint()?,
                (4, WireType::Len) => request.message_type = std::str::from_utf8(reader.length_delimited()?)?,
                (5, WireType::Varint) => request.test_category = reader.varint()?,
                (number, wire_type) => reader.skip(number, wire_type, 0)?,
            }
        }
        Ok(request)
    }
}

/// `ConformanceResponse`.
enum Response {
    ParseError(String),
    RuntimeError(String),
    Protobuf(Vec<u8>),
    Json(Vec<u8>),
    Skipped(&'static str),
    SerializeError(String),
}

impl Response {
    fn write(self) -> Vec<u8> {
        let (number, contents) = match self {
            Self::ParseError(message) => (1, message.into_bytes()),
            Self::RuntimeError(message) => (2, message.into_bytes()),
            Self::Protobuf(wire) => (3, wire),
            Self::Json(json) => (4, json),
            Self::Skipped(reason) => (5, reason.into()),
            Self::SerializeError(message) => (6, message.into_bytes()),
        };
        let mut wire = Vec::new();
        write_varint(number << 3 | WireType::Len as u64, &mut wire);
        write_varint(contents.len() as u64, &mut wire);
        wire.extend(contents);
        wire
    }
}
