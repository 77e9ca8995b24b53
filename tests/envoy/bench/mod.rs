//! The test bench around real Envoy: a client, Envoy with the built module, and a gRPC server that does what a test says.
//!
//! ```text
//!   client.rs  --HTTP/1.1, HTTP/2-->  Envoy (process.rs, bootstrap.rs)  --gRPC-->  upstream.rs, faulty.rs
//! ```
//!
//! One Envoy serves all tests of a capability but those that need one of their own. What differs from test to test in the
//! module's configuration is a listener of its own in that Envoy: the module is compiled once for all of them. Such an Envoy
//! ends with the test process. When the last test runs there are eleven, which have some 100 MB each and do nothing: it is
//! one capability's turn at a time (turn.rs).

pub mod bootstrap;
pub mod chromium;
pub mod client;
pub mod faulty;
pub mod filters;
pub mod process;
pub mod schema;
pub mod turn;
pub mod upstream;

use std::net::SocketAddr;
use std::path::Path;

use bootstrap::Listener;
use client::{Answer, Http, Request};
use faulty::{Act, Play};
use process::EnvoyProcess;
use serde_json::Value;
use upstream::{Call, Received, Script, Upstream};

/// An Envoy with its listeners, and the servers behind it.
pub struct Bench {
    capability: &'static str,
    envoy: EnvoyProcess,
}

impl Bench {
    /// Starts Envoy with these listeners.
    #[track_caller]
    pub fn start(listeners: &[Listener]) -> Self {
        let upstream = Upstream::shared();
        Self {
            capability: turn::capability(),
            envoy: EnvoyProcess::start(&bootstrap::bootstrap(listeners, upstream.addresses())),
        }
    }

    /// The same with a cluster besides, of a server that the test has started itself.
    #[track_caller]
    pub fn start_beside(listeners: &[Listener], cluster: &str, address: SocketAddr) -> Self {
        let mut bootstrap = bootstrap::bootstrap(listeners, Upstream::shared().addresses());
        bootstrap::add_cluster(&mut bootstrap, cluster, address);
        Self {
            capability: turn::capability(),
            envoy: EnvoyProcess::start(&bootstrap),
        }
    }

    /// Starts Envoy with a listener that is read from `directory`, with so many workers, and these arguments besides.
    #[track_caller]
    pub fn from_files(directory: &Path, workers: usize, arguments: &[&str]) -> Self {
        let bootstrap = bootstrap::from_files(directory, Upstream::shared().addresses());
        Self::with_workers(&bootstrap, workers, arguments)
    }

    /// Starts Envoy with this bootstrap.
    #[track_caller]
    pub fn with_workers(bootstrap: &Value, workers: usize, arguments: &[&str]) -> Self {
        Self {
            capability: turn::capability(),
            envoy: EnvoyProcess::start_with(bootstrap, workers, arguments),
        }
    }

    /// The listener called `name`. Waits for the capability's turn.
    pub fn at(&self, name: &'static str) -> Gateway {
        turn::take(self.capability);
        Gateway {
            name,
            address: self.envoy.listener(name),
        }
    }

    /// The Envoy process.
    pub fn envoy(&self) -> &EnvoyProcess {
        &self.envoy
    }

    /// The calls into the module that have trapped, one line each, as Envoy logged them; and any virtual machine that it
    /// had to replace.
    pub fn traps(&self) -> String {
        let log = self.envoy.log();
        let failed = log
            .lines()
            .filter(|line| line.contains("Function: ") && line.contains(" failed: "));
        let stats = self.envoy.admin_get("/stats?filter=vm_reload");
        let replaced = stats.lines().filter(|line| !line.ends_with(": 0"));
        failed.chain(replaced).map(|line| format!("{line}\n")).collect()
    }
}

/// Has the upstream answer calls that name this script.
#[track_caller]
pub fn script(script: Script) -> Call {
    turn::take(turn::capability());
    Upstream::shared().script(script)
}

/// Has the faulty upstream answer calls that name this play.
#[track_caller]
pub fn play(acts: impl IntoIterator<Item = Act>) -> Play {
    turn::take(turn::capability());
    Upstream::shared().play(acts.into_iter().collect())
}

/// One listener, as clients see it.
#[derive(Clone, Copy)]
pub struct Gateway {
    /// Its name.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Gateway {
    /// Sends a request.
    ///
    /// # Panics
    /// When there is no whole answer.
    pub async fn send(&self, version: Http, request: &Request) -> Answer {
        match client::send(self.address, version, request).await {
            Ok(answer) => answer,
            Err(error) => panic!("{} {version:?} {request:?}: {error}", self.name),
        }
    }

    /// Sends a request whose upstream does as `script` says, and returns also what it received.
    ///
    /// # Panics
    /// When there is no whole answer, or the request doesn't reach the upstream.
    pub async fn exchange(&self, version: Http, request: Request, script: Script) -> (Answer, Received) {
        let mut call = Upstream::shared().script(script);
        let request = request.script(&call);
        let answer = self.send(version, &request).await;
        assert!(
            call.has_received(),
            "nothing reached the upstream: {} {version:?} {request:?}: {answer:?}",
            self.name
        );
        (answer, call.received().await)
    }

    /// Sends a request that must not reach the upstream.
    ///
    /// # Panics
    /// When there is no whole answer, or the request reaches the upstream.
    pub async fn refuse(&self, version: Http, request: Request) -> Answer {
        let mut call = Upstream::shared().script(Script::echo());
        let request = request.script(&call);
        let answer = self.send(version, &request).await;
        assert!(
            !call.was_taken(),
            "reached the upstream: {} {version:?} {request:?}: {answer:?}",
            self.name
        );
        answer
    }
}
