//! The root context: one plugin configuration, and a context for each exchange.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use super::abi::{self, Buffer};
use super::envoy::context::EnvoyContext;
use super::envoy::shared::Shared as EnvoyShared;
use super::host_profile::{self, HostProfile, Known, Undecided};
use super::observe::loaded::{Fingerprint, loaded};
use super::observe::timed::Timed;
use super::shared::Shared;
use super::wasmx::context::{WasmxContext, unsupported};
use super::wrapped::Wrapped;
use crate::config::Plugin;
use crate::exchange::{Failure, Reply};

/// Registers the module's contexts with the SDK.
pub fn start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}

/// One plugin configuration.
#[derive(Default)]
struct Root {
    configured: Option<Configured>,
    /// Why it isn't.
    error: Rc<str>,
    host: Known,
}

/// What exchanges share, on any host and in Envoy.
#[derive(Clone)]
struct Configured {
    shared: Rc<Shared>,
    envoy: Rc<EnvoyShared>,
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        if let Some(configured) = &self.configured {
            configured.shared.flush();
        }
        true
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match load(size) {
            Ok((plugin, configuration)) => {
                log::set_max_level(plugin.settings.log_level);
                loaded(&configuration, &plugin);
                let shared = Rc::new(Shared::new(plugin));
                self.configured = Some(Configured {
                    envoy: Rc::new(EnvoyShared::new(Rc::clone(&shared))),
                    shared,
                });
                true
            }
            Err(refused) => {
                // A log line for each error: nginx cuts long lines.
                for line in refused.log.lines() {
                    log::error!("{line}");
                }
                self.configured = None;
                self.error = refused.answer.into();
                // Envoy doesn't use a configuration that is refused. Kong would then let all requests of all routes
                // pass, so there it is accepted, and the requests of its routes are refused.
                host_profile::may_be_wasmx(size)
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(configured) = &self.configured {
            configured.envoy.tick();
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let (configured, error) = (self.configured.clone(), Rc::clone(&self.error));
        let make = move |host| http_context(host, context, configured.as_ref(), &error);
        Some(match self.host.get() {
            Some(host) => make(host),
            None => Box::new(Wrapped(Undecided::new(self.host.clone(), make))),
        })
    }
}

/// Why there is no configuration.
struct Refused {
    /// All that is wrong, in lines.
    log: String,
    /// What requests are told.
    answer: String,
}

/// The configuration, and what tells it from others.
fn load(size: usize) -> Result<(Plugin, Fingerprint), Refused> {
    let configuration = abi::buffer(Buffer::PluginConfiguration, 0, size).map_err(|status| {
        let error = format!("cannot read the plugin configuration: {status}");
        Refused {
            log: error.clone(),
            answer: error,
        }
    })?;
    // Field names are hashed with a seed that a client cannot know.
    let seed = RandomState::new().hash_one(0);
    let fingerprint = Fingerprint::of(&configuration);
    match Plugin::load(configuration, seed) {
        Ok(plugin) => Ok((plugin, fingerprint)),
        Err(errors) => Err(Refused {
            log: errors.to_string(),
            answer: errors.summary(),
        }),
    }
}

/// The context of one exchange on `host`. Without a configuration, there is the `error` in it.
fn http_context(
    host: HostProfile,
    context: u32,
    configured: Option<&Configured>,
    error: &Rc<str>,
) -> Box<dyn HttpContext> {
    let Some(configured) = configured else {
        return Box::new(Unconfigured {
            error: Rc::clone(error),
        });
    };
    let observer = configured.shared.observer(host);
    let context: Box<dyn HttpContext> = match host {
        HostProfile::Envoy => Box::new(EnvoyContext::new(context, Rc::clone(&configured.envoy))),
        HostProfile::Wasmx => match unsupported(&configured.shared.plugin).as_slice() {
            [] => Box::new(WasmxContext::new(Rc::clone(&configured.shared))),
            reasons => Box::new(Unconfigured {
                error: reasons.join("; ").into(),
            }),
        },
    };
    match observer.timer() {
        Some(metrics) => Box::new(Wrapped(Timed::new(context, metrics))),
        None => context,
    }
}

/// The context of exchanges whose configuration was refused, on a host that serves all the same: answers each with the
/// error, so that nothing passes unfiltered.
struct Unconfigured {
    error: Rc<str>,
}

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let error = &self.error;
        let failure = Failure::internal(format!("protobridge has no valid configuration: {error}"));
        let reply = Reply::unconfigured(&failure);
        abi::send_reply(&reply, reply.status);
        Action::Pause
    }
}
