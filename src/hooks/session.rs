//! Who the client is: the `SessionState` in the answer of the `CustomKeyCheck` hook.

use super::failure::CallFailure;
use super::message::{Answer, Fields, Value, entry, raw_entry};
use super::pairs::{Pairs, get, last_of_each, owned};
use super::settings::Settings;
use super::write::write_entry;
use crate::wire::write_record;

/// A session, and what is checked of it.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// As the server wrote it, followed by what is set here: of two values of a field, readers take the later one. So
    /// later hooks get all of it, with fields that aren't known here.
    wire: Vec<u8>,
    metadata: Pairs<'static>,
    is_inactive: bool,
    /// In seconds since 1970; below 1 for never.
    expires: i64,
    /// It has access rights, and none of them are for this API.
    is_barred: bool,
}

impl Session {
    /// Takes the session of an answer, with the metadata that stand beside it. `None`: there is none, or it has no
    /// token.
    ///
    /// # Errors
    ///
    /// It is no wire format.
    pub fn of(answer: &Answer<'_>, settings: &Settings) -> Result<Option<Self>, CallFailure> {
        let Some(wire) = &answer.session else {
            return Ok(None);
        };
        let mut session = Self::default();
        let mut metadata = Pairs::new();
        let (mut has_rights, mut has_right) = (false, false);
        let mut fields = Fields::new(wire);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (5, Value::Number(number)) => session.expires = number as i64,
                (10, Value::Bytes(bytes)) => {
                    let (api, _) = raw_entry(bytes)?;
                    has_rights = true;
                    has_right |= api == settings.api_id.as_bytes();
                }
                (18, Value::Number(number)) => session.is_inactive = number != 0,
                (23, Value::Bytes(bytes)) => metadata.push(entry(bytes)?),
                _ => {}
            }
        }
        session.is_barred = has_rights && !has_right;
        session.wire.extend_from_slice(wire);
        let given = last_of_each(metadata.clone());
        metadata.extend(answer.metadata.iter().cloned());
        for (name, value) in last_of_each(metadata) {
            if get(&given, &name) != Some(&*value) {
                write_entry(23, &name, &value, &mut session.wire);
            }
            session.metadata.push(owned(&(name, value)));
        }
        let Some(token) = get(&session.metadata, b"token").filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        write_record(11, settings.org_id.as_bytes(), &mut session.wire);
        write_record(32, token, &mut session.wire);
        Ok(Some(session))
    }

    /// The wire format, for the hooks that come.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The metadata, with what stood beside the session.
    pub fn metadata(&self) -> &Pairs<'static> {
        &self.metadata
    }

    /// Why a request with this session is refused: the HTTP status and the message. `now`: gives the time in seconds
    /// since 1970; it is called only if the session expires.
    pub fn refusal(&self, now: impl FnOnce() -> i64) -> Option<(u16, &'static str)> {
        if self.is_inactive {
            Some((403, "Key is inactive, please renew"))
        } else if self.expires >= 1 && self.expires <= now() {
            Some((401, "Key has expired, please renew"))
        } else if self.is_barred {
            Some((403, "Access to this API has been disallowed"))
        } else {
            None
        }
    }

    /// How many bytes of memory its wire format takes.
    pub fn footprint(&self) -> usize {
        self.wire.capacity()
    }
}
