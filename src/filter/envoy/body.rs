//! One direction's body as Envoy shows it, part by part, and what may be put in its place. Functions that call the host
//! fail with its status.
//!
//! What a callback shows depends on how the callback before it ended:
//!
//! - After "stop, and watermark" or "continue" it shows only the new part. That is a buffer without bounds, which is
//!   gone when the callback ends.
//! - After "stop, and buffer" it shows Envoy's own buffer: first what was left there, then the new part. The trailers
//!   callback can reach this buffer too.
//!
//! Envoy's own buffer has bounds, which a filter can't ask for. If a host call makes it longer than that, Envoy answers
//! the client during that call, and calls this module while it is still running. So the buffer never grows here, unless
//! [`Body::may_grow`] says that it may: what is put there is at most as long as what Envoy shows.
//!
//! A new part can be such a buffer as well, if another filter has buffered it first, and nothing shows that. If it
//! outgrows its bounds, Envoy answers 500, and `filter::exports` catches the call that comes while the module runs.

use proxy_wasm::types::Action;

use crate::filter::abi::{self, Buffer, HostStatus};
use crate::filter::exports;

/// The body of one direction.
pub struct Body {
    buffer: Buffer,
    /// How many bytes the callback shows.
    shown: usize,
    /// How many of them, at the beginning, the callback before has left in Envoy's buffer.
    left: usize,
    /// What was left there is filler: bytes that only keep a place, and that anything may replace.
    filler: bool,
    /// What is shown is in Envoy's own buffer.
    buffered: bool,
    /// Envoy's buffer may become longer, although Envoy may answer the client then.
    grows: bool,
    /// How many bytes have come.
    pub seen: usize,
}

impl Body {
    /// A body of which nothing has come.
    pub fn new(buffer: Buffer) -> Self {
        Self {
            buffer,
            shown: 0,
            left: 0,
            filler: false,
            buffered: false,
            grows: false,
            seen: 0,
        }
    }

    /// A body callback shows `size` bytes: those that are new.
    pub fn take(&mut self, size: usize) -> Result<Vec<u8>, HostStatus> {
        if !self.buffered {
            self.left = 0;
        }
        self.shown = size;
        let new = abi::buffer(self.buffer, self.left, size.saturating_sub(self.left))?;
        self.seen = self.seen.saturating_add(new.len());
        Ok(new)
    }

    /// A body callback shows `size` bytes, which aren't read.
    pub fn show(&mut self, size: usize) {
        self.shown = size;
    }

    /// A trailers callback: what Envoy has buffered is all that is in reach.
    pub fn trailers(&mut self) {
        self.shown = if self.buffered { self.left } else { 0 };
    }

    /// How many bytes may be put in the place of the new part, or of the filler.
    pub fn room(&self) -> usize {
        match self.buffered {
            true if self.filler && self.grows => usize::MAX,
            true if self.filler => self.shown,
            true => self.shown.saturating_sub(self.left),
            false => usize::MAX,
        }
    }

    /// Whether there is filler, which the trailers callback too may replace.
    pub fn has_filler(&self) -> bool {
        self.buffered && self.filler
    }

    /// Puts `bytes`, for which there is [`Body::room`], in the place of the new part, or of the filler.
    pub fn replace(&mut self, bytes: &[u8]) -> Result<(), HostStatus> {
        if !self.buffered || self.filler || self.left == 0 {
            abi::replace_buffer(self.buffer, self.shown, bytes)?;
            self.shown = bytes.len();
            return Ok(());
        }
        let mut all = abi::buffer_from(self.buffer, 0, self.left)?;
        all.extend_from_slice(bytes);
        abi::replace_buffer(self.buffer, self.shown, &all)?;
        self.shown = all.len();
        Ok(())
    }

    /// Takes out the new part, or the filler.
    pub fn drop_all(&mut self) -> Result<(), HostStatus> {
        match self.shown {
            0 => Ok(()),
            _ => self.replace(b""),
        }
    }

    /// Ends the callback: what is shown goes on, with all that Envoy holds.
    pub fn go_on(&mut self) -> Action {
        self.buffered = false;
        Action::Continue
    }

    /// Ends a callback about a response: Envoy holds what is shown. If it can hold only by buffering, nothing is held:
    /// the headers have to go first then, and what is shown may go with them.
    pub fn hold_response(&mut self) -> Action {
        match exports::has_watermark() {
            true => self.hold(),
            false => self.go_on(),
        }
    }

    /// Ends the callback: Envoy holds what is shown, and more may come behind it.
    pub fn hold(&mut self) -> Action {
        self.buffered = !exports::has_watermark();
        self.filler = false;
        self.left = self.shown;
        exports::stop_and_watermark()
    }

    /// Ends the last callback about a body: filler keeps the place in Envoy's buffer, one byte if there is none yet.
    /// Later, something of any length replaces it. Only for hosts whose callbacks all come through `filter::exports`.
    pub fn stand_in(&mut self) -> Result<Action, HostStatus> {
        self.may_grow();
        match self.has_filler() && self.shown == self.left {
            true => Ok(Action::Pause),
            false => self.reserve(1),
        }
    }

    /// Ends the callback that has shown all of a body, before it is said that this is all: Envoy holds it, as filler in
    /// its own place.
    pub fn keep(&mut self) -> Action {
        self.hold_filler(self.shown)
    }

    /// From now on, what is in Envoy's buffer may become longer. If it outgrows its bounds, Envoy answers 413 or 500
    /// during the host call.
    pub fn may_grow(&mut self) {
        self.grows = true;
    }

    /// Ends the callback: Envoy holds `size` bytes of filler in place of what is shown, or as many as there is room
    /// for.
    pub fn reserve(&mut self, size: usize) -> Result<Action, HostStatus> {
        let size = match self.buffered {
            true => size.min(self.shown),
            false => size,
        };
        abi::fill_buffer(self.buffer, self.shown, size)?;
        Ok(self.hold_filler(size))
    }

    /// Ends the callback: the `size` bytes that Envoy's buffer has now are filler.
    fn hold_filler(&mut self, size: usize) -> Action {
        self.buffered = true;
        self.filler = true;
        self.shown = size;
        self.left = size;
        Action::Pause
    }
}
