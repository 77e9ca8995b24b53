//! `google.protobuf.Any`: an object whose `@type`, anywhere among its keys, says how to read the others.
//!
//! The type is mostly the first key. Where it isn't, the object is scanned ahead for it, once: that scan also notes the
//! `@type` of every object on its way, so that an `Any` within the `Any` finds its own without a scan of its own. So
//! each byte is scanned ahead at most once, however deep they nest.

use crate::schema::tables::{FieldIndex, MessageTable, WellKnown};

use super::Parser;
use super::failure::{Failure, Result};
use super::lengths::slot;
use super::scan::{JsonString, Scanner, Visitor};
use crate::text::shown::{VALUE, shown};
use crate::wire::{DEPTH_LIMIT, write_varint};

/// What scanning ahead has found.
#[derive(Debug, Default)]
pub(super) struct TypeIndex {
    /// What has been scanned.
    from: usize,
    to: usize,
    /// The objects there that have an `@type`: their position and that of its value, in this order.
    found: Vec<(usize, usize)>,
}

impl TypeIndex {
    pub(super) fn clear(&mut self) {
        *self = Self {
            found: std::mem::take(&mut self.found),
            ..Self::default()
        };
        self.found.clear();
    }

    /// The position of the `@type` value of the object at `scanner`, around which `depth` levels are open.
    fn find(&mut self, scanner: Scanner<'_>, depth: usize) -> Result<Option<usize>> {
        let mut ahead = scanner;
        ahead.at += 1;
        if ahead.closes(b'}') {
            return Ok(None);
        }
        let key = ahead.string("a key")?;
        if is_type(&key) {
            ahead.colon()?;
            ahead.skip_whitespace();
            return Ok(Some(ahead.at));
        }
        let object = scanner.at;
        if !(self.from..self.to).contains(&object) {
            self.scan(scanner, depth)?;
        }
        let found = self.found.binary_search_by_key(&object, |(object, _)| *object).ok();
        Ok(found.and_then(|at| self.found.get(at)).map(|(_, value)| *value))
    }

    fn scan(&mut self, mut scanner: Scanner<'_>, depth: usize) -> Result<()> {
        self.found.clear();
        self.from = scanner.at;
        let mut visitor = TypeVisitor {
            open: [0; DEPTH_LIMIT],
            found: &mut self.found,
        };
        scanner.walk(depth, &mut visitor)?;
        self.to = scanner.at;
        self.found.sort_unstable();
        Ok(())
    }
}

/// Notes the `@type` of the objects within one; ends at its own.
struct TypeVisitor<'t> {
    /// The position of the open object of each level.
    open: [usize; DEPTH_LIMIT],
    found: &'t mut Vec<(usize, usize)>,
}

impl Visitor for TypeVisitor<'_> {
    fn object(&mut self, level: usize, at: usize) {
        if let Some(open) = self.open.get_mut(level - 1) {
            *open = at;
        }
    }

    fn key(&mut self, level: usize, key: &JsonString<'_>, value_at: usize) -> bool {
        if !is_type(key) {
            return false;
        }
        if let Some(object) = self.open.get(level - 1) {
            self.found.push((*object, value_at));
        }
        level == 1
    }
}

fn is_type(key: &JsonString<'_>) -> bool {
    if key.escaped {
        *key.decoded() == *b"@type"
    } else {
        key.raw == b"@type"
    }
}

impl<'p> Parser<'p, '_> {
    /// An `Any`; `any` is its table.
    pub(super) fn any(&mut self, any: &MessageTable) -> Result<()> {
        let object = self.scan;
        self.open(b'{', "an object")?;
        let Some(type_at) = self.scratch.types.find(object, self.depth - 1)? else {
            if !self.scan.closes(b'}') {
                return Err(Failure::new(object.at, "expected the key \"@type\" in an Any"));
            }
            self.depth -= 1;
            return Ok(());
        };
        let table = self.any_type(Scanner::new(object.json(), type_at))?;
        let start = self.out.len();
        self.out.push(0x12);
        let value_slot = slot::of_field(any.ordinal(FieldIndex(1)));
        self.scratch.lengths.open(value_slot, &mut self.out);
        let contents = self.out.len();
        match table.well_known() {
            None => self.members(table, &[], Some(type_at))?,
            Some(well_known) => self.any_well_known(table, well_known, type_at)?,
        }
        let empty = self.out.len() == contents;
        self.scratch.lengths.close(value_slot, &mut self.out);
        if empty {
            self.out.truncate(start);
        }
        self.depth -= 1;
        Ok(())
    }

    /// Writes the type URL that `scanner` is at; the table of its type.
    fn any_type(&mut self, mut scanner: Scanner<'_>) -> Result<&'p MessageTable> {
        let at = scanner.at;
        let url = scanner
            .string("a type URL")
            .map_err(|failure| failure.in_field("@type"))?;
        let url = url.decoded();
        let name = match url.iter().rposition(|byte| *byte == b'/') {
            Some(slash) if slash > 0 => url.get(slash + 1..).unwrap_or_default(),
            _ => {
                return Err(scanner_expected(
                    &scanner,
                    at,
                    "a type URL such as \"type.googleapis.com/pkg.Message\"",
                ));
            }
        };
        let index = std::str::from_utf8(name)
            .ok()
            .and_then(|name| self.tables.message_index(name));
        let Some(index) = index else {
            let name = String::from_utf8_lossy(name);
            let message = format!(
                "found type \"{}\", expected a message of the schema",
                shown(name.as_bytes(), VALUE)
            );
            return Err(Failure::new(at, message).in_field("@type"));
        };
        self.out.push(0x0a);
        write_varint(url.len() as u64, &mut self.out);
        self.out.extend_from_slice(&url);
        Ok(self.tables.message(index))
    }

    /// The members of an `Any` that holds a type with a JSON form of its own: that form is under `value`.
    fn any_well_known(&mut self, table: &'p MessageTable, well_known: WellKnown, type_at: usize) -> Result<()> {
        let object_at = self.scan.at - 1;
        // `Empty` has no members to write, with or without a `value` around them.
        let mut has_value = well_known == WellKnown::Empty;
        let mut seen_value = false;
        self.scan.skip_whitespace();
        loop {
            let key_at = self.scan.at;
            let key = self.scan.string("a key")?;
            self.scan.colon()?;
            self.scan.skip_whitespace();
            if is_type(&key) {
                if self.scan.at != type_at {
                    return Err(Failure::new(key_at, "found the key \"@type\" a second time"));
                }
                self.scan.skip_value(self.depth)?;
            } else if *key.decoded() == *b"value" {
                if seen_value {
                    return Err(Failure::new(key_at, "found the key \"value\" a second time"));
                }
                seen_value = true;
                has_value = true;
                self.message(table, &[]).map_err(|failure| failure.in_field("value"))?;
            } else {
                self.unknown_key(table, key_at, &key)?;
                self.scan.skip_value(self.depth)?;
            }
            if !self.scan.next_member()? {
                break;
            }
        }
        if has_value {
            Ok(())
        } else {
            let message = format!(
                "expected the key \"value\" beside \"@type\": {} has it",
                table.full_name()
            );
            Err(Failure::new(object_at, message))
        }
    }
}

#[cold]
fn scanner_expected(scanner: &Scanner<'_>, at: usize, what: &str) -> Failure {
    super::scan::expected_at(scanner.json(), at, what).in_field("@type")
}
