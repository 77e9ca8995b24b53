//! `google.protobuf.Any`: an object whose `@type`, anywhere among its keys, says how to read the others.
//!
//! The type is mostly the first key. Where it isn't, the object is scanned ahead for it, once: that scan also notes the
//! `@type` of every object on its way, so that an `Any` within the `Any` finds its own without a scan of its own. So
//! each byte is scanned ahead at most once, however deep they nest.

use super::fault::{Fault, Result};
use super::lengths::slot;
use super::parser::Parser;
use super::scan::{Scanner, expected_at};
use super::type_index::is_type;
use crate::schema::tables::{FieldIndex, MessageTable, WellKnown};
use crate::text::shown::{VALUE, shown};
use crate::wire::write_varint;

impl<'p> Parser<'p, '_> {
    /// An `Any`; `any` is its table.
    pub(super) fn any(&mut self, any: &MessageTable) -> Result<()> {
        let object = self.scan;
        self.open(b'{', "an object")?;
        let Some(type_at) = self.scratch.types.find(object, self.depth - 1)? else {
            if !self.scan.closes(b'}') {
                return Err(Fault::new(object.at, "expected the key \"@type\" in an Any"));
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
        let url = scanner.string("a type URL").map_err(|fault| fault.in_field("@type"))?;
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
            return Err(Fault::new(at, message).in_field("@type"));
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
                    return Err(Fault::new(key_at, "found the key \"@type\" a second time"));
                }
                self.scan.skip_value(self.depth)?;
            } else if *key.decoded() == *b"value" {
                if seen_value {
                    return Err(Fault::new(key_at, "found the key \"value\" a second time"));
                }
                seen_value = true;
                has_value = true;
                self.message(table, &[]).map_err(|fault| fault.in_field("value"))?;
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
            Err(Fault::new(object_at, message))
        }
    }
}

#[cold]
fn scanner_expected(scanner: &Scanner<'_>, at: usize, what: &str) -> Fault {
    expected_at(scanner.json(), at, what).in_field("@type")
}
