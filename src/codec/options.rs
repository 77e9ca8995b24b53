//! How JSON is read and how it is written.

/// How JSON is read. Names and defaults are SEMANTICS' "Parse options".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// What becomes of a key that the message has no field for.
    pub unknown_fields: UnknownFields,
    /// What becomes of an enum name that the enum doesn't have.
    pub unknown_enum_names: UnknownEnumNames,
    /// Whether enum names match whatever their ASCII case.
    pub case_insensitive_enums: bool,
    /// What `null` means in the place of a whole message. Not a setting: SEMANTICS decides for requests.
    pub null_message: NullMessage,
}

/// What becomes of a key that the message has no field for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// Its value is skipped: a client may be newer than the schema.
    #[default]
    Ignore,
    /// It is an error.
    Reject,
}

/// What becomes of an enum name that the enum doesn't have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownEnumNames {
    /// It is an error.
    #[default]
    Reject,
    /// The field, list element or map entry is left out.
    Ignore,
}

/// What `null` means in the place of a whole message, which isn't `google.protobuf.Value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NullMessage {
    /// The empty message: what a request body means by it.
    #[default]
    Empty,
    /// An error, as in ProtoJSON, where only a field can be null.
    Reject,
}

/// How JSON is written. Names and defaults are protobuf's `JsonPrintOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// Print fields without presence, lists and maps also where they have their default value.
    pub always_print_fields_with_no_presence: bool,
    /// Print enum numbers instead of names.
    pub always_print_enums_as_ints: bool,
    /// Print 64-bit integers without quotes where a double holds them exactly.
    pub unquote_int64_if_possible: bool,
    /// Print line breaks and indentation.
    pub add_whitespace: bool,
}
