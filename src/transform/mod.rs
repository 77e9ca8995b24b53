//! What the operator has changed in messages: fields set, removed and masked on the wire message, alike for JSON and
//! native clients.

use std::rc::Rc;

pub use self::error::{TransformError, TransformReason};
use crate::http::headers::Headers;
use crate::routing::Method;
use crate::schema::tables::Tables;

mod error;

/// The transforms of all methods.
#[derive(Debug, Default)]
pub struct Transforms {
    /// By [`Method::index`]; empty where no method has any.
    by_method: Vec<Option<Rc<MethodTransforms>>>,
}

impl Transforms {
    /// Those of `method`, if it has any.
    #[inline]
    pub fn of(&self, method: &Method) -> Option<&Rc<MethodTransforms>> {
        self.by_method.get(method.index)?.as_ref()
    }

    /// Whether no method has any.
    pub fn is_empty(&self) -> bool {
        self.by_method.is_empty()
    }
}

/// The transforms of one method.
#[derive(Debug)]
pub struct MethodTransforms {}

impl MethodTransforms {
    /// What holds for one exchange, by its request `headers` and the host's properties: which entries apply, and what
    /// their sources say. `property` gives the bytes of the property at a path, if it is there.
    ///
    /// # Errors
    ///
    /// Where a required source isn't there, or one doesn't fit its field.
    pub fn activate(
        self: &Rc<Self>,
        tables: &Tables,
        headers: &Headers,
        property: &mut dyn FnMut(&[Box<str>]) -> Option<Vec<u8>>,
    ) -> Result<Active, TransformError> {
        let _ = (tables, headers, property);
        Ok(Active {
            method: Rc::clone(self),
        })
    }
}

/// The transforms of one exchange.
#[derive(Clone, Debug)]
pub struct Active {
    method: Rc<MethodTransforms>,
}

impl Active {
    /// Whether [`request`](Self::request) changes anything.
    pub fn changes_requests(&self) -> bool {
        false
    }

    /// Whether [`response`](Self::response) changes anything.
    pub fn changes_responses(&self) -> bool {
        false
    }

    /// Appends `wire`, a message of the method's input type, changed, to `out`.
    ///
    /// # Errors
    ///
    /// Where `wire` is no message, or becomes too large; `out` is then as it was.
    pub fn request(
        &self,
        tables: &Tables,
        wire: &[u8],
        memory: &mut Memory,
        out: &mut Vec<u8>,
    ) -> Result<(), TransformError> {
        let _ = (tables, memory);
        out.extend_from_slice(wire);
        Ok(())
    }

    /// Appends `wire`, a message of the method's output type, changed, to `out`.
    ///
    /// # Errors
    ///
    /// As for [`request`](Self::request).
    pub fn response(
        &self,
        tables: &Tables,
        wire: &[u8],
        memory: &mut Memory,
        out: &mut Vec<u8>,
    ) -> Result<(), TransformError> {
        let _ = (tables, memory);
        out.extend_from_slice(wire);
        Ok(())
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let _ = &self.method;
        0
    }
}

/// Buffers that are used again from message to message.
#[derive(Debug, Default)]
pub struct Memory {}

impl Memory {
    /// How many bytes of memory they take.
    pub fn footprint(&self) -> usize {
        0
    }
}
