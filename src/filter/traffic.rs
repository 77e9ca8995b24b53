//! How many bytes of bodies and messages went through the virtual machine.

use std::cell::Cell;

/// From where to where bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// The client to this module.
    FromClient,
    /// This module to the upstream.
    ToUpstream,
    /// The upstream to this module.
    FromUpstream,
    /// This module to the client.
    ToClient,
}

/// Bytes of bodies and messages that this module read and wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// By [`Leg`], in its order.
    pub bytes: [u64; 4],
}

thread_local! {
    static TRAFFIC: Cell<Traffic> = const { Cell::new(Traffic { bytes: [0; 4] }) };
}

/// What went through the virtual machine since the last call.
pub fn take() -> Traffic {
    TRAFFIC.take()
}

/// So many bytes went.
pub fn went(leg: Leg, bytes: usize) {
    let mut traffic = TRAFFIC.get();
    if let Some(sum) = traffic.bytes.get_mut(leg as usize) {
        *sum = sum.saturating_add(bytes as u64);
    }
    TRAFFIC.set(traffic);
}
