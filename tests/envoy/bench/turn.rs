//! Tests of one capability run at a time, however many threads the test runner has: what one capability does to the
//! machine, another would measure, or miss its deadlines by.
//!
//! A test waits for its turn when it first uses the bench, and has it until its thread ends, as each test has one of its own.
//! Where all have the same, there is one test at a time, and the next takes its own turn.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::{Condvar, Mutex};

/// The capability whose turn it is, and how many of its tests run.
static RUNNING: Mutex<(&str, usize)> = Mutex::new(("", 0));
static ENDED: Condvar = Condvar::new();

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// A test's part in its capability's turn.
struct Turn(&'static str);

/// Waits until it is this capability's turn.
pub fn take(capability: &'static str) {
    TURN.with_borrow_mut(|turn| {
        if turn.as_ref().is_none_or(|turn| turn.0 != capability) {
            // That of the test before ends first.
            *turn = None;
            *turn = Some(Turn::new(capability));
        }
    });
}

/// The capability that the caller belongs to: the name of its file or folder in tests/envoy/.
#[track_caller]
pub fn capability() -> &'static str {
    let (_, place) = Location::caller().file().rsplit_once("tests/envoy/").expect("a test");
    place.split(['/', '.']).next().unwrap()
}

impl Turn {
    fn new(capability: &'static str) -> Self {
        let running = RUNNING.lock().unwrap();
        let is_others = |running: &mut (&str, usize)| running.1 > 0 && running.0 != capability;
        let mut running = ENDED.wait_while(running, is_others).unwrap();
        *running = (capability, running.1 + 1);
        Self(capability)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        RUNNING.lock().unwrap().1 -= 1;
        ENDED.notify_all();
    }
}
