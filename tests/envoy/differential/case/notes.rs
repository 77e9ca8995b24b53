//! What is unusual in a request, as far as a class of differences may ask for it.

use crate::differential::writer::{Fault, Site, Variation};

/// Something unusual in a request.
#[derive(Clone, Debug)]
pub enum Note {
    /// The JSON is written in a way that serializers don't have.
    Varied(Variation),
    /// The JSON has a wrong value.
    Wrong(Fault, Site),
    /// The body as a whole is wrong, or unusual.
    Body(BodyOddity),
    /// The path, or how it is written.
    Path(PathOddity),
    /// A query parameter, by its field path.
    Query(QueryOddity, String),
    /// A header.
    Header(HeaderOddity),
    /// A required field is missing.
    Uninitialized,
    /// The body's mask is filled in.
    MaskFromBody,
}

/// What is wrong, or unusual, about a body as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyOddity {
    /// There are no bytes in it.
    Empty,
    /// There is nothing but white space in it.
    Blank,
    /// It is `null`.
    Null,
    /// It ends too early.
    Cut,
    /// Something follows the value.
    Trailing,
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// A string in it isn't UTF-8.
    NotUtf8,
    /// It nests too deep.
    Deep,
    /// It has a comment in it.
    Comment,
    /// It has a member that the path binds.
    BoundMember,
    /// The rule takes none, and there is one.
    Ignored,
}

/// What is unusual about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathOddity {
    /// A slash is escaped in a capture of one segment.
    SlashInOne,
    /// A slash is escaped in a capture of several segments.
    SlashInMany,
    /// A value has a colon in it.
    Colon,
    /// Characters are escaped that need not be.
    NeedlessEscapes,
    /// A literal is escaped.
    EscapedLiteral,
    /// A value is not of its field's type.
    WrongValue,
    /// An escape is malformed.
    BadEscape,
    /// It is a path of the templates that overlap.
    Shared,
    /// There is a slash at its end.
    TrailingSlash,
    /// No route has it.
    Unknown,
    /// Its route does not have the HTTP method.
    WrongMethod,
    /// `**` takes no segment at all.
    NoSegment,
}

/// What is unusual about a query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryOddity {
    /// It names no field.
    Unknown,
    /// It names a field, and the body has the whole message.
    BesideWholeBody,
    /// It names a field that the path binds.
    PathBound,
    /// It names a field below the one that the body fills, or that one.
    BodyBound,
    /// It has `+` for a space.
    Plus,
    /// It has a name as in the `.proto`.
    ProtoName,
    /// An enum value by its number.
    EnumNumber,
    /// `1` or `0` for a bool.
    BoolNumber,
    /// Its value isn't of the type of its field.
    WrongValue,
    /// It comes twice.
    Twice,
    /// Its field is a map.
    Map,
    /// Its field is a message.
    Message,
    /// Its path goes on behind a scalar.
    ThroughScalar,
    /// An escape in it is malformed.
    BadEscape,
    /// There is no value, nor `=`.
    NoValue,
    /// Another member of a oneof comes with it.
    SecondOfOneof,
    /// Its value has characters that are escaped.
    Escaped,
    /// It is a list of several values.
    List,
    /// It is a field of a well-known type in its JSON form.
    WellKnown,
    /// It is below a message.
    Nested,
}

/// What is unusual about a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderOddity {
    /// The content-type is not JSON.
    OtherType,
    /// The content-type is another spelling of JSON.
    JsonLike,
    /// There is none.
    NoType,
    /// The body is said to be compressed.
    Encoding,
    /// `grpc-timeout` is there.
    Timeout,
    /// `grpc-timeout` is malformed.
    BadTimeout,
}

impl QueryOddity {
    /// Whether the request has to be refused for it.
    pub fn is_wrong(self) -> bool {
        use QueryOddity::{BadEscape, Map, Message, SecondOfOneof, ThroughScalar, Twice, WrongValue};
        matches!(
            self,
            BadEscape | Map | Message | SecondOfOneof | ThroughScalar | Twice | WrongValue
        )
    }
}
