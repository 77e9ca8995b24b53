//! One direction's body as Envoy shows it, part by part, and what may be put in its place. Functions that call the host fail
//! with its status.
//!
//! What a callback shows depends on how the one before it ended. Behind "stop, and watermark" or "continue" it is the new
//! part alone: a buffer without bounds, which is gone when the callback ends. Behind "stop, and buffer" it is Envoy's own
//! buffer, with what was left there at the beginning; that is in reach in the trailers callback too. Made longer than its
//! bounds, which nothing tells, it has Envoy answer in the midst of the host call, and call this module while it is running. So
//! it never grows here: what Envoy shows of it is a length that it has.
//!
//! A new part that another filter has buffered first is such a buffer too, and nothing shows it. Where it outgrows its bounds,
//! Envoy answers 500; `filter::exports` keeps the module whole then.

use proxy_wasm::types::Action;

use crate::filter::abi::{self, Buffer, HostStatus};
use crate::filter::exports;

/// The body of one direction.
pub struct Body {
    buffer: Buffer,
    /// How many bytes the callback shows.
    shown: usize,
    /// How many of them, at the beginning, were left there by the callback before.
    left: usize,
    /// What is left means nothing.
    filler: bool,
    /// What is shown is in Envoy's own buffer.
    buffered: bool,
    /// It may become longer than it is, whatever that has Envoy do.
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

    /// A body callback shows `size` bytes, which nobody wants to see.
    pub fn show(&mut self, size: usize) {
        self.shown = size;
    }

    /// A trailers callback: what Envoy has buffered is all that is in reach.
    pub fn trailers(&mut self) {
        self.shown = if self.buffered { self.left } else { 0 };
    }

    /// How many bytes may be put in the place of those that are new, or mean nothing.
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

    /// Puts `bytes`, for which there is [`Body::room`], in the place of those that are new, or mean nothing.
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

    /// Takes out what is new, or means nothing.
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

    /// Ends a callback about a response: Envoy holds what is shown. Where it only can by buffering, headers go first, and so may
    /// what there is.
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

    /// Ends the last callback about a body: a byte of filler stands in Envoy's buffer for what takes its place later, of whatever
    /// length. To be asked for where all callbacks come through `filter::exports`.
    pub fn stand_in(&mut self) -> Result<Action, HostStatus> {
        let action = self.reserve(1);
        self.may_grow();
        action
    }

    /// What is in Envoy's buffer may become longer than it is: it may outgrow its bounds, when Envoy answers 413 or 500 in the
    /// midst of the host call.
    pub fn may_grow(&mut self) {
        self.grows = true;
    }

    /// Ends the callback: Envoy holds `size` bytes of filler in place of what is shown, or as many as there is room for.
    pub fn reserve(&mut self, size: usize) -> Result<Action, HostStatus> {
        let size = match self.buffered {
            true => size.min(self.shown),
            false => size,
        };
        abi::fill_buffer(self.buffer, self.shown, size)?;
        self.buffered = true;
        self.filler = true;
        self.shown = size;
        self.left = size;
        Ok(Action::Pause)
    }
}
