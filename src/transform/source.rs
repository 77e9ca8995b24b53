//! What one exchange gives to its transforms: whether an entry applies to it, and the values of headers and properties.

use super::error::{TransformError, TransformReason};
use super::rules::{Condition, Test};
use crate::codec::{ParseOptions, text_to_wire};
use crate::http::headers::Headers;
use crate::schema::tables::{Field, FieldIndex, Kind, MessageIndex, Tables, WellKnown};
use crate::text::shown::{NAME, shown};

impl Condition {
    /// Whether it holds for a request with these headers.
    ///
    /// Values that a proxy has joined by commas are looked at one by one as well: a client that sends a header of its own
    /// beside that of the gateway adds a value, and takes none away.
    pub(super) fn holds(&self, headers: &Headers) -> bool {
        let mut values = headers.iter().filter(|(name, _)| *name == self.header.as_bytes());
        match &self.test {
            Test::Present(present) => values.next().is_some() == *present,
            Test::Is(listed) => {
                let is_listed = |value: &[u8]| is_among(value, listed);
                values.any(|(_, value)| is_listed(value) || value.split(is_comma).any(is_listed))
            }
            Test::Not(listed) => {
                let is_other = |value: &[u8]| !is_among(value, listed);
                let mut absent = true;
                let other = values.any(|(_, value)| {
                    absent = false;
                    is_other(value) && value.split(is_comma).any(is_other)
                });
                absent || other
            }
        }
    }
}

fn is_among(value: &[u8], listed: &[String]) -> bool {
    listed.iter().any(|listed| listed.as_bytes() == value.trim_ascii())
}

fn is_comma(byte: &u8) -> bool {
    *byte == b','
}

/// The host's properties: the bytes of the one at a path, whose segments are separated by zero bytes, if it is there.
pub type Properties<'h> = dyn FnMut(&str) -> Option<Vec<u8>> + 'h;

/// Where the value of a field comes from in each exchange.
#[derive(Debug)]
pub(super) struct Dynamic {
    pub(super) from: Origin,
    pub(super) message: MessageIndex,
    pub(super) field: FieldIndex,
    /// Whether an exchange without it is refused.
    pub(super) required: bool,
}

/// What names a value of an exchange.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// In lower case.
    Header(Box<str>),
    /// Segments are separated by zero bytes.
    Property(Box<str>),
}

impl Origin {
    /// As errors name it.
    fn name(&self) -> String {
        match self {
            Self::Header(name) => format!("header `{}`", shown(name.as_bytes(), NAME)),
            Self::Property(path) => format!("property `{}`", shown(path.replace('\0', ".").as_bytes(), NAME)),
        }
    }
}

impl Dynamic {
    /// The record of the field with the exchange's value, if it has one. An empty value is none: an identity that is
    /// empty is nobody's.
    pub(super) fn record(
        &self,
        tables: &Tables,
        parse: &ParseOptions,
        headers: &Headers,
        property: &mut Properties<'_>,
    ) -> Result<Option<Box<[u8]>>, TransformError> {
        let Some(field) = tables.message(self.message).field(self.field) else {
            return Ok(None);
        };
        let mut record = Vec::new();
        let is_there = match &self.from {
            Origin::Header(name) => {
                let mut values = headers.iter().filter(|(candidate, _)| *candidate == name.as_bytes());
                match (values.next(), values.next()) {
                    (Some(_), Some(_)) => return Err(self.unfit("is there more than once: expected one value")),
                    (Some((_, value)), None) if !value.is_empty() => {
                        let text = std::str::from_utf8(value).map_err(|_| self.unfit("isn't UTF-8"))?;
                        self.write(tables, field, text, parse, &mut record)?;
                        true
                    }
                    _ => false,
                }
            }
            Origin::Property(path) => match property(path) {
                Some(value) if !value.is_empty() => {
                    self.write_property(tables, field, &value, parse, &mut record)?;
                    true
                }
                _ => false,
            },
        };
        if !is_there && self.required {
            let message = format!("expected the {}, but it isn't there or is empty", self.from.name());
            return Err(TransformError::new(TransformReason::Unauthenticated, message));
        }
        Ok(is_there.then(|| record.into()))
    }

    fn write(
        &self,
        tables: &Tables,
        field: &Field,
        text: &str,
        parse: &ParseOptions,
        record: &mut Vec<u8>,
    ) -> Result<(), TransformError> {
        text_to_wire(tables, field, text, parse, record).map_err(|error| {
            // The codec's own words end with the value, which is nobody's business.
            let expected = error.message.split(", found ").next().unwrap_or_default();
            self.unfit(&format!("doesn't fit `{}`: {expected}", field.name))
        })
    }

    /// A property is text, or a number or a bool as Envoy hands over those of metadata: a double in eight bytes, little
    /// endian, and a byte that is 0 or 1.
    fn write_property(
        &self,
        tables: &Tables,
        field: &Field,
        value: &[u8],
        parse: &ParseOptions,
        record: &mut Vec<u8>,
    ) -> Result<(), TransformError> {
        let kind = scalar(tables, field.kind);
        let text = std::str::from_utf8(value);
        let refused = match text {
            Ok(text) if kind != Kind::String || !text.chars().any(char::is_control) => {
                match self.write(tables, field, text, parse, record) {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                }
            }
            Ok(_) => self.unfit(&format!("doesn't fit `{}`: expected text", field.name)),
            Err(_) => self.unfit(&format!(
                "doesn't fit `{}`: expected text, found other bytes",
                field.name
            )),
        };
        let other = match (kind, value) {
            (Kind::Bool, [0]) => Some("false".to_owned()),
            (Kind::Bool, [1]) => Some("true".to_owned()),
            (Kind::Bool | Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_), _) => None,
            (_, _) => <[u8; 8]>::try_from(value)
                .ok()
                .map(f64::from_le_bytes)
                .and_then(|number| {
                    let exact = kind != Kind::Float || f64::from(number as f32) == number;
                    (number.is_finite() && exact).then(|| number.to_string())
                }),
        };
        match other {
            Some(text) => self.write(tables, field, &text, parse, record),
            None => Err(refused),
        }
    }

    fn unfit(&self, what: &str) -> TransformError {
        TransformError::new(
            TransformReason::InvalidArgument,
            format!("the {} {what}", self.from.name()),
        )
    }
}

/// The type of the value, also of one in a wrapper.
fn scalar(tables: &Tables, kind: Kind) -> Kind {
    let wrapped = match kind {
        Kind::Message(index) if tables.message(index).well_known() == Some(WellKnown::Wrapper) => {
            tables.message(index).field(FieldIndex(0))
        }
        _ => None,
    };
    wrapped.map_or(kind, |field| field.kind)
}
