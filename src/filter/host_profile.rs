//! Which host this is, found out once, by a property that only one of them has.
//!
//! What differs is in the modules named after the hosts, and in the context that serves an exchange there.

use std::cell::Cell;
use std::rc::Rc;

use proxy_wasm::traits::HttpContext;

use super::abi::{self, Buffer, HostStatus};
use super::wrapped::Wrapper;

/// A host of proxy-wasm modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostProfile {
    /// Envoy, and what behaves like it.
    Envoy,
    /// `ngx_wasm_module`, in Kong or plain nginx.
    Wasmx,
}

/// The host, once it is known. Clones share what they know.
#[derive(Clone, Default)]
pub struct Known(Rc<Cell<Option<HostProfile>>>);

impl Known {
    /// The host, if it is known.
    pub fn get(&self) -> Option<HostProfile> {
        self.0.get()
    }

    /// The host, asked in a callback of an HTTP context.
    fn find(&self) -> HostProfile {
        self.0.get().unwrap_or_else(|| {
            let profile = match is_wasmx() {
                true => HostProfile::Wasmx,
                false => HostProfile::Envoy,
            };
            self.0.set(Some(profile));
            profile
        })
    }
}

/// An exchange that began before the host was known: the first callback tells, and makes the context for it.
pub struct Undecided<M> {
    known: Known,
    make: M,
    context: Option<Box<dyn HttpContext>>,
}

impl<M: Fn(HostProfile) -> Box<dyn HttpContext>> Undecided<M> {
    /// `make` makes the context for a host.
    pub fn new(known: Known, make: M) -> Self {
        Self {
            known,
            make,
            context: None,
        }
    }
}

impl<M: Fn(HostProfile) -> Box<dyn HttpContext>> Wrapper for Undecided<M> {
    fn call<R>(&mut self, callback: impl FnOnce(&mut dyn HttpContext) -> R) -> R {
        let Self { known, make, context } = self;
        callback(context.get_or_insert_with(|| make(known.find())).as_mut())
    }

    fn done(&mut self) -> bool {
        self.context.as_mut().is_none_or(|context| context.on_done())
    }

    fn log(&mut self) {
        if let Some(context) = &mut self.context {
            context.on_log();
        }
    }
}

/// A property that every HTTP context has in WasmX, and none elsewhere.
const NGINX_VERSION: &[&str] = &["ngx", "nginx_version"];

/// Whether the host is WasmX, asked in an HTTP context.
fn is_wasmx() -> bool {
    abi::property(NGINX_VERSION).is_ok()
}

/// Whether the host may be WasmX, asked in a root context while its configuration, of `size` bytes, is to be had.
///
/// WasmX knows [`NGINX_VERSION`] there too, but won't return it, and logs an error: so this is only asked where reading tells
/// nothing.
/// Source: `ngx_proxy_wasm_properties_get`.
pub fn may_be_wasmx(size: usize) -> bool {
    reads_behind_the_end(size) || abi::property(NGINX_VERSION) != Err(HostStatus::NOT_FOUND)
}

/// Whether the host is Envoy, asked as [`may_be_wasmx`].
pub fn is_envoy(size: usize) -> bool {
    !reads_behind_the_end(size) && abi::property(NODE_ID).is_ok()
}

/// A property that every root context has in Envoy, empty where the bootstrap gives none. WasmX would log that it is asked
/// for one outside of a request.
const NODE_ID: &[&str] = &["xds", "node", "id"];

/// Whether there is something behind the configuration's last byte: WasmX takes no notice of where to start, and gives the
/// first byte.
/// Source: `ngx_proxy_wasm_hfuncs_get_buffer`.
fn reads_behind_the_end(size: usize) -> bool {
    abi::buffer_from(Buffer::PluginConfiguration, size, 1).is_ok_and(|bytes| !bytes.is_empty())
}
