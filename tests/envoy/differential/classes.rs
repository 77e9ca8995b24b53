//! The differences that are meant: each with the sentence that decides for ours.

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use crate::differential::case::{BodyOddity, HeaderOddity, Note, PathOddity, QueryOddity};
use crate::differential::compare::{Aspect, Difference};
use crate::differential::exchange::{Exchange, has_group, has_group_at, header, is_float, same_number, trailer};
use crate::differential::json::Json;
use crate::differential::message::{Disorder, is_initialized};
use crate::differential::schema::Body;
use crate::differential::writer::{Fault, Variation};

/// A difference that is meant.
pub struct Class {
    /// What to call it.
    pub name: &'static str,
    /// The sentence that decides for ours: SEMANTICS.md's unless another specification is named.
    pub rule: &'static str,
    /// What Envoy's transcoder does instead.
    pub native: &'static str,
    /// Whether a difference is of this class.
    pub explains: fn(&Exchange<'_>, &Difference) -> bool,
}

impl Class {
    /// In words.
    pub fn words(&self) -> String {
        format!("{}\n    by {:?}\n    Envoy's {}", self.name, self.rule, self.native)
    }
}

/// All of them.
pub const CLASSES: &[Class] = &[
    Class {
        name: "auto mapping of an annotated method",
        rule: "auto mapping `POST /pkg.Service/Method` with `body: \"*\"`, kept beside the others",
        native: "has it for methods without annotation only: 404",
        explains: |exchange, difference| {
            exchange.route().auto_mapped
                && exchange.native_refuses(difference, 404, "Could not resolve /")
                && exchange.schema.is_annotated(&exchange.route().method)
        },
    },
    Class {
        name: "a request body that no rule asks for",
        rule: "No `body`: a request body is ignored, never merged",
        native: "reads it as JSON of the request, and merges it",
        explains: |exchange, difference| {
            exchange.body(BodyOddity::Ignored)
                && exchange.route().body == Body::None
                && exchange.native_refuses(difference, 400, "")
        },
    },
    Class {
        name: "deadline",
        rule: "The client's `grpc-timeout` is honoured, capped by the configured timeout",
        native: "tells the service none of its own",
        explains: |exchange, difference| {
            matches!(&difference.aspect, Aspect::Metadata(name) if name == "grpc-timeout")
                && difference.ours == "15S"
                && difference.native.is_empty()
                && !exchange.header(HeaderOddity::Timeout)
        },
    },
    Class {
        name: "gRPC status as header or trailer",
        rule: "`grpc-status`, `grpc-message`, `grpc-encoding` never reach an HTTP client",
        native: "copies them to the headers, and lets the trailers through",
        explains: |_, difference| {
            let names = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
            names
                .iter()
                .any(|name| header(difference, name) || trailer(difference, name))
                && difference.ours.is_empty()
        },
    },
    Class {
        name: "trailing metadata",
        rule: "custom trailing metadata too [become response headers] where the answer is buffered",
        native: "lets them through as trailers, where the client's protocol has them",
        explains: |exchange, difference| {
            exchange.answer().trailing
                && (header(difference, "x-trailing") && difference.ours == "last" && difference.native.is_empty()
                    || trailer(difference, "x-trailing") && difference.ours.is_empty() && difference.native == "last")
        },
    },
    Class {
        name: "x-http-code",
        rule: "`x-http-code` in initial metadata […] sets the success status (200-299) and is removed",
        native: "passes it on as any other",
        explains: |exchange, difference| {
            let code = exchange.answer().http_code;
            code.is_some()
                && (header(difference, "x-http-code") && difference.ours.is_empty()
                    || matches!(difference.aspect, Aspect::Status)
                        && Some(&*difference.ours) == code
                        && difference.native == "200")
        },
    },
    Class {
        name: "refusal in JSON",
        rule: "One shape for the filter's own errors, the upstream's, …: `google.rpc.Status` in ProtoJSON",
        native: "answers in plain text",
        explains: |exchange, difference| {
            exchange.both_refuse()
                && (matches!(difference.aspect, Aspect::Body)
                    || header(difference, "content-type")
                        && difference.ours == "application/json"
                        && difference.native == "text/plain")
        },
    },
    Class {
        name: "no guessing at errors",
        rule: "docs/errors.md: an error may repeat a part of the request, so it has `x-content-type-options: nosniff`",
        native: "does not say so",
        explains: |exchange, difference| {
            exchange.ours.status() >= 400
                && header(difference, "x-content-type-options")
                && difference.ours == "nosniff"
                && difference.native.is_empty()
        },
    },
    Class {
        name: "wrong method",
        rule: "A binding for the path but not the method: 405 with `allow`",
        native: "404",
        explains: |exchange, difference| {
            exchange.both_refuse()
                && exchange.ours.status() == 405
                && (header(difference, "allow") && difference.native.is_empty()
                    || exchange.native_refuses(difference, 404, "Could not resolve /"))
        },
    },
    Class {
        name: "a wrong grpc-timeout",
        rule: "`grpc-timeout` […]; a malformed or zero one: 400",
        native: "passes it on",
        explains: |exchange, difference| {
            exchange.header(HeaderOddity::BadTimeout) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "another content-type or content-encoding",
        rule: "Content-type of a request whose binding takes a body: `application/json`, `…+json`, or absent; […] else \
               415 […] `content-encoding` other than identity: 415",
        native: "reads every body as JSON",
        explains: |exchange, difference| {
            (exchange.header(HeaderOddity::OtherType) || exchange.header(HeaderOddity::Encoding))
                && exchange.ours_refuses(difference, 415)
        },
    },
    Class {
        name: "an error behind the first message of a stream",
        rule: "After it: NDJSON and array end with `{\"error\": <status>}`",
        native: "ends the array as if all were well",
        explains: |exchange, difference| {
            let answer = exchange.answer();
            answer.error.is_some()
                && !answer.messages.is_empty()
                && exchange.route().method.is_server_streaming()
                && matches!(difference.aspect, Aspect::Elements)
                && difference.native.is_empty()
        },
    },
    Class {
        name: "a success without a message that fails late",
        rule: "One shape for the filter's own errors, the upstream's, and errors in the middle of a stream",
        native: "answers with the message, under the HTTP status of the error",
        explains: |exchange, difference| {
            let answer = exchange.answer();
            matches!(difference.aspect, Aspect::Body) && answer.fails_whole() && !answer.messages.is_empty()
        },
    },
    Class {
        name: "digits of a number",
        rule: "ProtoJSON: \"JSON value will be a number\", whichever way it is written",
        native: "writes more digits than tell it from its neighbours, and two or more of an exponent",
        explains: |_, difference| {
            let (ours, native) = (&difference.ours, &difference.native);
            match &difference.aspect {
                Aspect::Value(Some(kind)) if is_float(kind) => same_number::<f32>(ours, native),
                Aspect::Value(_) => same_number::<f64>(ours, native),
                _ => false,
            }
        },
    },
    Class {
        name: "json_name of a field with a capital in front",
        rule: "ProtoJSON: \"If the json_name field option is specified, the specified value will be used as the key\"",
        native: "prints the name in the .proto",
        explains: |_, difference| {
            let Aspect::Name(field) = &difference.aspect else {
                return false;
            };
            field.name().starts_with(|first: char| first.is_ascii_uppercase())
                && difference.ours == field.json_name()
                && difference.native == field.name()
        },
    },
    Class {
        name: "a singular message that an answer has twice",
        rule: "ProtoJSON exactly; protobuf's encoding: \"Normally, an encoded message would never have more than one \
               instance of a non-repeated field. However, parsers are expected to handle the case\"",
        native: "gives the answer up",
        explains: |exchange, difference| {
            exchange.answer().disorder == Some(Disorder::Repeated)
                && (matches!(difference.aspect, Aspect::LocalReply)
                    && difference
                        .native
                        .starts_with("502 repeated entries for singular field number")
                    || matches!(difference.aspect, Aspect::Whole)
                        && (difference.native.contains("unexpected internal error")
                            || difference.native.starts_with("the connection was closed after")))
        },
    },
    Class {
        name: "a map key that an answer has twice",
        rule: "ProtoJSON exactly; protobuf's encoding: \"When there are duplicate map keys, the last one seen is used\"",
        native: "prints the member twice",
        explains: |exchange, difference| {
            exchange.answer().disorder == Some(Disorder::Repeated) && matches!(difference.aspect, Aspect::Repetition)
        },
    },
    Class {
        name: "escaped literal",
        rule: "Literals compare decoded",
        native: "compares them as they are written: 404",
        explains: |exchange, difference| {
            exchange.path(PathOddity::EscapedLiteral) && exchange.native_refuses(difference, 404, "Could not resolve /")
        },
    },
    Class {
        name: "empty segment",
        rule: "`*` needs a non-empty segment; […] A trailing slash is significant",
        native: "leaves out a slash at the end, and takes an empty segment for `*`",
        explains: |exchange, difference| {
            let path = exchange.case.request.path();
            (path.ends_with('/') || path.contains("//"))
                && (exchange.ours_refuses(difference, 404)
                    || exchange.ours_refuses(difference, 405)
                    || matches!(difference.aspect, Aspect::Path)
                    || matches!(&difference.aspect, Aspect::Field(field) if field.name() == "name"))
        },
    },
    Class {
        name: "content-encoding upstream",
        rule: "Request headers go through as metadata except hop-by-hop and message-framing ones",
        native: "passes `content-encoding` on, though the message is not encoded so",
        explains: |_, difference| {
            matches!(&difference.aspect, Aspect::Metadata(name) if name == "content-encoding")
                && difference.ours.is_empty()
                && difference.native == "gzip"
        },
    },
    Class {
        name: "parameter for a field of the path",
        rule: "A field that the path binds belongs to the path. Neither body nor query can change it",
        native: "binds it, and the last one wins",
        explains: |exchange, difference| {
            exchange.parameter(QueryOddity::PathBound, difference)
                || exchange.query(QueryOddity::PathBound) && exchange.native_refuses(difference, 400, "invalid value")
        },
    },
    Class {
        name: "an error before the first message of a stream",
        rule: "Error before the first message: status and body as for unary",
        native: "200 once the headers are out",
        explains: |exchange, difference| {
            let answer = exchange.answer();
            matches!(difference.aspect, Aspect::Status)
                && difference.native == "200"
                && answer.streams
                && answer.fails_whole()
        },
    },
    Class {
        name: "kind `*` with a verb",
        rule: "`custom { kind }`, `kind: \"*\"` included; Full grammar: […] `:verb`",
        native: "never matches it: 404",
        explains: |exchange, difference| {
            exchange.route().kind == "*"
                && exchange.route().verb.is_some()
                && exchange.native_refuses(difference, 404, "Could not resolve /")
        },
    },
    Class {
        name: "a capture in a stream",
        rule: "path captures go into every message",
        native: "puts them into the first alone, and doesn't look at them where there is none",
        explains: |exchange, difference| {
            let route = exchange.route();
            let captured =
                |field: &FieldDescriptor| route.captures.iter().any(|capture| capture.fields.contains(field));
            route.method.is_client_streaming()
                && match &difference.aspect {
                    Aspect::Field(field) => captured(field),
                    _ => {
                        exchange.path(PathOddity::WrongValue)
                            && exchange.case.body == "[]"
                            && exchange.ours_refuses(difference, 400)
                    }
                }
        },
    },
    Class {
        name: "a number alone as body",
        rule: "`body: \"f\"`: field `f` from the body (scalar, enum, repeated, map or message)",
        native: "waits for the end of the number, and calls the service without a message",
        explains: |exchange, difference| {
            matches!(difference.aspect, Aspect::Messages)
                && (&*difference.ours, &*difference.native) == ("1", "0")
                && matches!(Json::read(&exchange.case.body), Some(Json::Number(_)))
        },
    },
    Class {
        name: "a group in a request",
        rule: "ProtoJSON exactly: […] for proto2, proto3 and editions",
        native: "writes it as a message with a length, which none can read; doesn't see it in a query, nor what it lacks",
        explains: |exchange, difference| {
            let messages = exchange.case.messages();
            match &difference.aspect {
                Aspect::Messages => {
                    difference.ours == "well-formed"
                        && difference.native.starts_with("failed to decode")
                        && messages.iter().any(has_group)
                }
                Aspect::Field(field) => messages.iter().any(|message| has_group_at(message, field)),
                Aspect::Refusal => {
                    let missing = difference.ours.split_once("the required field is missing (");
                    let group = missing.and_then(|(_, rest)| rest.split(')').next());
                    missing.is_some()
                        && (exchange.schema.has_group_of(group.unwrap_or_default()) || exchange.asks_for_group())
                        && exchange.ours_refuses(difference, 400)
                }
                _ => false,
            }
        },
    },
    Class {
        name: "raw bytes that fail late",
        rule: "One shape for the filter's own errors, the upstream's, and errors in the middle of a stream; NDJSON and SSE \
               still flow and a late error resets the stream, so that it never looks complete",
        native: "answers with the bytes and their type, and under the HTTP status of the error where it is not a stream",
        explains: |exchange, difference| {
            let answer = exchange.answer();
            answer.error.is_some()
                && !answer.messages.is_empty()
                && exchange.route().gives_raw()
                && match difference.aspect {
                    Aspect::Body => true,
                    Aspect::Status => answer.streams && difference.native == "200",
                    Aspect::Whole => answer.streams && exchange.ours.answer.is_err(),
                    _ => header(difference, "content-type") && difference.ours == "application/json",
                }
        },
    },
    Class {
        name: "a parameter below a scalar",
        rule: "a path through a scalar […]: 400",
        native: "ignores it",
        explains: |exchange, difference| {
            exchange.query(QueryOddity::ThroughScalar) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a parameter for a map",
        rule: "A map with scalar values by `field[key]=value`; other maps […]: 400",
        native: "ignores it",
        explains: |exchange, difference| exchange.query(QueryOddity::Map) && exchange.ours_refuses(difference, 400),
    },
    Class {
        name: "a malformed escape in the query",
        rule: "a malformed escape […]: 400",
        native: "takes it as it is",
        explains: |exchange, difference| {
            exchange.query(QueryOddity::BadEscape) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a malformed escape in the path",
        rule: "A malformed escape: 400",
        native: "takes it as it is",
        explains: |exchange, difference| exchange.path(PathOddity::BadEscape) && exchange.ours_refuses(difference, 400),
    },
    Class {
        name: "a singular parameter twice",
        rule: "A singular field given twice […]: 400",
        native: "takes the last",
        explains: |exchange, difference| exchange.query(QueryOddity::Twice) && exchange.ours_refuses(difference, 400),
    },
    Class {
        name: "null or a list in a list",
        rule: "ProtoJSON exactly: null is no element of a list, but of ListValue and of Value, and neither is a list",
        native: "takes it for nothing",
        explains: |exchange, difference| {
            let list = exchange.wrong(Fault::Shape, |site| site.text == "[]" && site.path.ends_with(']'));
            (list || exchange.wrong(Fault::NullElement, |_| true)) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a member twice",
        rule: "Duplicate keys, map keys too: 400",
        native: "takes both",
        explains: |exchange, difference| {
            (exchange.wrong(Fault::Twice, |_| true) || exchange.wrong(Fault::BothNames, |_| true))
                && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a control character in a string",
        rule: "ProtoJSON is JSON (RFC 8259, section 7): control characters are escaped",
        native: "takes it",
        explains: |exchange, difference| {
            exchange.wrong(Fault::Control, |_| true) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a comma at the end",
        rule: "ProtoJSON is JSON (RFC 8259, sections 4 and 5)",
        native: "takes it",
        explains: |exchange, difference| {
            exchange.wrong(Fault::TrailingComma, |_| true) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a number that JSON doesn't have",
        rule: "ProtoJSON is JSON (RFC 8259, section 6)",
        native: "takes a point without digits behind it",
        explains: |exchange, difference| {
            let cut = exchange.body(BodyOddity::Cut) && difference.ours.contains(", found number");
            (cut || exchange.wrong(Fault::Number, |_| true)) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a word for a boolean",
        rule: "ProtoJSON: true, false",
        native: "takes `yes` and `TRUE` as well",
        explains: |exchange, difference| {
            let wrong = exchange.wrong(Fault::Type, |site| site.text == "\"yes\"")
                || (exchange.query(QueryOddity::WrongValue) || exchange.path(PathOddity::WrongValue))
                    && (exchange.asks_for("=TRUE")
                        || exchange.asks_for("=yes")
                        || exchange.asks_for("/TRUE")
                        || exchange.asks_for("/yes"));
            wrong && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "an object for a wrapper",
        rule: "ProtoJSON: wrappers use the representation of the wrapped type",
        native: "takes `{}` for the default",
        explains: |exchange, difference| {
            exchange.wrong(Fault::Shape, |site| site.text == "{}") && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "an integer out of range",
        rule: "ProtoJSON exactly: a number that the type can't hold is an error",
        native: "rounds it to one that fits",
        explains: |exchange, difference| {
            exchange.wrong(Fault::Range, |site| {
                ["-9223372036854775809", "9223372036854775808", "18446744073709551616"].contains(&&*site.text)
            }) && exchange.ours_refuses(difference, 400)
        },
    },
    Class {
        name: "a parameter without `=`",
        rule: "no `=` means the empty string",
        native: "ignores it",
        explains: |exchange, difference| {
            exchange.parameter(QueryOddity::NoValue, difference)
                && (&*difference.ours, &*difference.native) == ("String(\"\")", "unset")
        },
    },
    Class {
        name: "HttpBody as the request of a rule without a body",
        rule: "No `body`: a request body is ignored, never merged",
        native: "fills it from the body all the same, and not from the query",
        explains: |exchange, difference| {
            let route = exchange.route();
            matches!(&difference.aspect, Aspect::Field(field) if field.parent_message() == &route.method.input())
                && route.method.input().full_name() == "google.api.HttpBody"
                && route.body == Body::None
        },
    },
    Class {
        name: "PATCH without a mask",
        rule: "PATCH with `body: \"f\"` and an unset singular FieldMask field `update_mask`: filled with the paths",
        native: "leaves it unset",
        explains: |exchange, difference| {
            exchange.has(|note| matches!(note, Note::MaskFromBody))
                && matches!(&difference.aspect, Aspect::Field(field) if field.name() == "update_mask")
                && difference.native == "unset"
        },
    },
    Class {
        name: "ListValue as the request",
        rule: "`body: \"*\"`: all other fields from the body",
        native: "can't begin a message with `[`",
        explains: |exchange, difference| {
            exchange.route().method.input().full_name() == "google.protobuf.ListValue"
                && exchange.native_refuses(difference, 400, "Cannot start root message with ListValue.")
        },
    },
    Class {
        name: "an enum number without a name, in path or query",
        rule: "enums by name or number",
        native: "knows named ones only there",
        explains: |exchange, difference| {
            let Some((_, rest)) = difference.native.split_once("invalid value \\\"") else {
                return false;
            };
            let Some((number, rest)) = rest.split_once("\\\" for type type.googleapis.com/") else {
                return false;
            };
            let named = exchange
                .schema
                .pool
                .get_enum_by_name(rest)
                .map(|of| number.parse().map(|number| of.get_value(number)));
            matches!(named, Some(Ok(None))) && exchange.native_refuses(difference, 400, "")
        },
    },
    Class {
        name: "the greatest float in its shortest digits",
        rule: "ProtoJSON: a number that rounds to one of the type is that one",
        native: "says it doesn't fit",
        explains: |exchange, difference| {
            difference.native.contains("3.4028235e38")
                && exchange.native_refuses(difference, 400, "for type TYPE_FLOAT")
        },
    },
    Class {
        name: "an integer in quotes with an exponent or a point",
        rule: "The conformance suite, Int32FieldStringValueZeroDecimal and others: as without quotes",
        native: "takes digits alone there",
        explains: |exchange, difference| {
            exchange.varied(Variation::Exponents)
                && ["INT32", "INT64", "FIXED32", "FIXED64"]
                    .iter()
                    .any(|kind| difference.native.ends_with(kind))
                && exchange.native_refuses(difference, 400, "invalid value \\\"")
        },
    },
    Class {
        name: "a member that the path binds",
        rule: "A path-bound field in the body is skipped, whatever its value's type",
        native: "reads it, and lets the last one win",
        explains: |exchange, difference| {
            let bound = |field: &FieldDescriptor| {
                exchange
                    .route()
                    .captures
                    .iter()
                    .any(|capture| capture.fields[0] == *field)
            };
            exchange.body(BodyOddity::BoundMember)
                && (matches!(&difference.aspect, Aspect::Field(field) if bound(field))
                    || exchange.native_refuses(difference, 400, "invalid value")
                    || exchange.native_refuses(difference, 400, "cannot start list")
                    || exchange.path(PathOddity::WrongValue) && exchange.ours_refuses(difference, 400))
        },
    },
    Class {
        name: "a path field below a member of a oneof",
        rule: "`body: \"*\"`: all other fields from the body",
        native: "takes the member in the path and the one in the body for two, as their names are not the same",
        explains: |exchange, difference| {
            let member =
                |field: &FieldDescriptor| field.containing_oneof().is_some() && field.name() != field.json_name();
            let mut captures = exchange.route().captures.iter();
            captures.any(|capture| capture.fields.len() > 1 && member(&capture.fields[0]))
                && exchange.native_refuses(difference, 400, "is already set. Cannot set")
        },
    },
    Class {
        name: "a stream of raw bytes without any",
        rule: "`google.api.HttpBody` […] as response, streams included: raw bytes, with content-type",
        native: "says that it is JSON",
        explains: |exchange, difference| {
            header(difference, "content-type")
                && (&*difference.ours, &*difference.native) == ("application/octet-stream", "application/json")
                && exchange.answer().streams
                && exchange.answer().messages.is_empty()
                && exchange.route().gives_raw()
        },
    },
    Class {
        name: "null for the whole request",
        rule: "A bare `null` for the whole request is the empty message",
        native: "asks for a message",
        explains: |exchange, difference| {
            exchange.body(BodyOddity::Null)
                && exchange.native_refuses(difference, 400, "Root element must be a message.")
        },
    },
    Class {
        name: "a blank body",
        rule: "An empty or blank body where a message is bound is the empty message",
        native: "asks for a value, unless there are no bytes at all",
        explains: |exchange, difference| {
            exchange.body(BodyOddity::Blank)
                && exchange.native_refuses(difference, 400, "Unexpected end of string. Expected a value.")
        },
    },
    Class {
        name: "a parameter beside the whole body",
        rule: "`body: \"*\"`: all other fields from the body, query parameters not bound",
        native: "binds it",
        explains: |exchange, difference| {
            exchange.query(QueryOddity::BesideWholeBody)
                && (exchange.native_refuses(difference, 400, "invalid value")
                    || exchange.parameter(QueryOddity::BesideWholeBody, difference))
        },
    },
    Class {
        name: "a required field",
        rule: "ProtoJSON exactly: […] for proto2",
        native: "finds it missing though it is there",
        explains: |exchange, difference| {
            let missing = difference.native.rsplit_once("missing field ").map(|(_, name)| name);
            let is_required = |message: MessageDescriptor| {
                message
                    .fields()
                    .any(|field| field.is_required() && Some(field.name()) == missing)
            };
            exchange.native_refuses(difference, 400, "missing field ")
                && exchange.case.messages().iter().all(is_initialized)
                && exchange.schema.pool.all_messages().any(is_required)
        },
    },
    Class {
        name: "Value as the request, without a body",
        rule: "An empty or blank body where a message is bound is the empty message",
        native: "makes of nothing an empty object",
        explains: |exchange, difference| {
            let Aspect::Field(field) = &difference.aspect else {
                return false;
            };
            let whole = exchange.route().method.input().full_name() == "google.protobuf.Value"
                && field.name() == "struct_value"
                && (&*difference.ours, &*difference.native) == ("unset", "{}");
            let part = exchange.route().body == Body::Field(field.clone())
                && (&*difference.ours, &*difference.native) == ("{}", "{struct_value{}}");
            exchange.case.body.trim_ascii().is_empty() && (whole || part)
        },
    },
    Class {
        name: "a parameter for the field of the body",
        rule: "a query parameter below `f` is not bound",
        native: "binds it",
        explains: |exchange, difference| {
            exchange.query(QueryOddity::BodyBound)
                && (exchange.native_refuses(difference, 400, "invalid value")
                    || exchange.parameter(QueryOddity::BodyBound, difference))
        },
    },
    Class {
        name: "a colon in a value",
        rule: "`x:y` is read with its verb first […]. Only then is it a value containing a colon",
        native: "takes it for a verb if any rule has that verb: 404",
        explains: |exchange, difference| {
            exchange.path(PathOddity::Colon) && exchange.native_refuses(difference, 404, "Could not resolve /")
        },
    },
    Class {
        name: "raw bytes of no type",
        rule: "`google.api.HttpBody` […] as response […]: raw bytes, with content-type",
        native: "sends an empty content-type",
        explains: |exchange, difference| {
            header(difference, "content-type")
                && (&*difference.ours, &*difference.native) == ("application/octet-stream", "")
                && exchange.route().gives_raw()
        },
    },
];
