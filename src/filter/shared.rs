//! What all exchanges of one plugin configuration share, on any host.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::host_profile::HostProfile;
use super::observe::Observer;
use crate::config::Plugin;
use crate::exchange::Workspace;

/// What all exchanges of one plugin configuration share, on any host.
pub struct Shared {
    /// The configuration.
    pub plugin: Rc<Plugin>,
    /// Memory for the exchange whose event is being handled.
    pub workspace: RefCell<Workspace>,
    observer: OnceCell<Observer>,
}

impl Shared {
    /// Nothing has been served yet.
    pub fn new(plugin: Plugin) -> Self {
        Self {
            plugin: Rc::new(plugin),
            workspace: RefCell::default(),
            observer: OnceCell::new(),
        }
    }

    /// The observer of exchanges on `host`, which is the same for all of them.
    pub fn observer(&self, host: HostProfile) -> &Observer {
        self.observer.get_or_init(|| Observer::new(host, &self.plugin.settings))
    }

    /// Hands over to the host what was counted.
    pub fn flush(&self) {
        if let Some(observer) = self.observer.get() {
            observer.flush();
        }
    }
}
