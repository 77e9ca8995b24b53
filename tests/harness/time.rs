//! The time that a guest reads. It stands still unless the test moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proxy_wasm_host::abi::v0_2_1::Clock;

/// Time since the gateway started.
#[derive(Debug, Default)]
pub(super) struct Time(AtomicU64);

impl Time {
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    pub fn set(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).expect("a test's time is short");
        self.0.store(nanos, Ordering::Relaxed);
    }
}

impl Clock for Time {
    fn realtime_nanos(&self) -> u64 {
        // Any day will do.
        1_700_000_000_000_000_000 + self.monotonic_nanos()
    }

    fn monotonic_nanos(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
