//! The transforms of each method, and what an exchange makes of them: which entries apply to it, and their values.

use std::rc::Rc;

use super::apply::{self, Scratch};
use super::error::TransformError;
use super::one_reading::{self, Open};
use super::program::{NodeIndex, Program};
use super::rules::Condition;
use super::source::{Dynamic, Properties};
use crate::codec::ParseOptions;
use crate::http::headers::Headers;
use crate::routing::Method;
use crate::schema::tables::{MessageIndex, Tables};

/// The transforms of all methods.
#[derive(Debug, Default)]
pub struct Transforms {
    /// By [`Method::index`]; empty where no method has any.
    pub(super) by_method: Vec<Option<Rc<MethodTransforms>>>,
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
pub struct MethodTransforms {
    /// In the order of the configuration.
    pub(super) entries: Box<[MethodEntry]>,
    /// How text is read.
    parse: ParseOptions,
    /// How many bytes a message may have.
    limit: usize,
    /// Whether exchanges make no difference.
    constant: bool,
}

/// An entry, compiled for a method.
#[derive(Debug)]
pub(super) struct MethodEntry {
    pub(super) when: Option<Rc<Condition>>,
    pub(super) request: Rc<Side>,
    pub(super) response: Rc<Side>,
}

/// What an entry does to the messages of one direction.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) passes: Vec<Pass>,
    pub(super) sources: Vec<Dynamic>,
}

/// One pass over a message.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) program: Rc<Program>,
    pub(super) root: NodeIndex,
}

/// The records of a [`Side`]'s sources; none where the exchange doesn't have the value.
type Values = Box<[Option<Box<[u8]>>]>;

impl MethodTransforms {
    pub(super) fn new(entries: Vec<MethodEntry>, parse: ParseOptions, limit: usize) -> Self {
        let is_constant = |entry: &MethodEntry| {
            entry.when.is_none() && entry.request.sources.is_empty() && entry.response.sources.is_empty()
        };
        Self {
            constant: entries.iter().all(is_constant),
            entries: entries.into(),
            parse,
            limit,
        }
    }

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
        property: &mut Properties<'_>,
    ) -> Result<Active, TransformError> {
        let mut entries = Vec::new();
        for entry in self.entries.iter().filter(|_| !self.constant) {
            if entry.when.as_ref().is_some_and(|when| !when.holds(headers)) {
                entries.push(None);
                continue;
            }
            let mut values = |side: &Side| -> Result<Values, TransformError> {
                let records = side.sources.iter();
                records
                    .map(|source| source.record(tables, &self.parse, headers, property))
                    .collect()
            };
            entries.push(Some(EntryValues {
                request: values(&entry.request)?,
                response: values(&entry.response)?,
            }));
        }
        Ok(Active {
            entries: (!self.constant).then(|| entries.into()),
            method: Rc::clone(self),
        })
    }
}

/// The transforms of one exchange.
#[derive(Clone, Debug)]
pub struct Active {
    method: Rc<MethodTransforms>,
    /// By the method's entries, none of one that doesn't apply; none at all where exchanges make no difference.
    entries: Option<Rc<[Option<EntryValues>]>>,
}

/// What an exchange gives to an entry.
#[derive(Debug, Default)]
struct EntryValues {
    request: Values,
    response: Values,
}

impl Active {
    /// Whether [`request`](Self::request) changes anything.
    pub fn changes_requests(&self) -> bool {
        self.requests().next().is_some()
    }

    /// Whether [`response`](Self::response) changes anything.
    pub fn changes_responses(&self) -> bool {
        self.responses().next().is_some()
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
        self.run(self.requests(), tables, wire, memory, out)
    }

    /// As [`request`](Self::request), of a message of type `input` that a client wrote: what services may read otherwise than it
    /// is read here is refused.
    ///
    /// # Errors
    ///
    /// As for [`request`](Self::request), and where what is known of the message isn't written as protobuf says.
    pub fn foreign_request(
        &self,
        tables: &Tables,
        input: MessageIndex,
        wire: &[u8],
        memory: &mut Memory,
        out: &mut Vec<u8>,
    ) -> Result<(), TransformError> {
        let start = out.len();
        self.request(tables, wire, memory, out)?;
        // Behind the changes: what is removed may have been written in any way.
        let changed = out.get(start..).unwrap_or_default();
        let checked = one_reading::check(tables, input, changed, &mut memory.open);
        if checked.is_err() {
            out.truncate(start);
        }
        checked
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
        self.run(self.responses(), tables, wire, memory, out)
    }

    /// How many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        let record =
            |record: &Option<Box<[u8]>>| size_of::<Option<Box<[u8]>>>() + record.as_deref().map_or(0, <[u8]>::len);
        let of_entry = |entry: &Option<EntryValues>| {
            let values = entry
                .iter()
                .flat_map(|entry| entry.request.iter().chain(&entry.response));
            size_of::<Option<EntryValues>>() + values.map(record).sum::<usize>()
        };
        self.entries
            .iter()
            .flat_map(|entries| entries.iter())
            .map(of_entry)
            .sum()
    }

    /// The passes over request messages, each with the values of its entry's sources.
    fn requests(&self) -> impl Iterator<Item = (&Pass, &[Option<Box<[u8]>>])> {
        self.passes(|entry| &entry.request, |values| &values.request)
    }

    /// The passes over response messages.
    fn responses(&self) -> impl Iterator<Item = (&Pass, &[Option<Box<[u8]>>])> {
        self.passes(|entry| &entry.response, |values| &values.response)
    }

    fn passes<'a>(
        &'a self,
        side: impl Fn(&'a MethodEntry) -> &'a Side,
        values: impl Fn(&'a EntryValues) -> &'a Values,
    ) -> impl Iterator<Item = (&'a Pass, &'a [Option<Box<[u8]>>])> {
        let applying = self.method.entries.iter().enumerate().filter_map(move |(at, entry)| {
            let values = match &self.entries {
                Some(entries) => values(entries.get(at)?.as_ref()?),
                None => &[][..],
            };
            Some((side(entry), values))
        });
        applying.flat_map(|(side, values)| side.passes.iter().map(move |pass| (pass, values)))
    }

    fn run<'a>(
        &'a self,
        passes: impl Iterator<Item = (&'a Pass, &'a [Option<Box<[u8]>>])>,
        tables: &Tables,
        wire: &[u8],
        memory: &mut Memory,
        out: &mut Vec<u8>,
    ) -> Result<(), TransformError> {
        let Memory {
            scratch, before, after, ..
        } = memory;
        let mut passes = passes.peekable();
        if passes.peek().is_none() {
            out.extend_from_slice(wire);
        }
        let mut first = true;
        while let Some((pass, values)) = passes.next() {
            let last = passes.peek().is_none();
            after.clear();
            let target = if last { &mut *out } else { &mut *after };
            let run = apply::Pass {
                tables,
                program: &pass.program,
                values,
                wire: if first { wire } else { before },
                scratch,
                start: target.len(),
                out: target,
                limit: self.method.limit,
            };
            run.run(pass.root)
                .map_err(|fault| fault.into_error(self.method.limit))?;
            std::mem::swap(before, after);
            first = false;
        }
        Ok(())
    }
}

/// Buffers that are used again from message to message.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) scratch: Scratch,
    /// What the last of several passes has made of a message.
    before: Vec<u8>,
    /// What the next one makes of it.
    after: Vec<u8>,
    /// The messages that are open while one is checked.
    open: Vec<Open>,
}

impl Memory {
    /// How many bytes of memory they take.
    pub fn footprint(&self) -> usize {
        self.scratch.footprint()
            + self.before.capacity()
            + self.after.capacity()
            + self.open.capacity() * size_of::<Open>()
    }
}
