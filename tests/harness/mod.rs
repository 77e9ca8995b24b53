//! A gateway in the test's own process: it loads a proxy-wasm module and takes exchanges through it as a real gateway does.
//!
//! ```ignore
//! let gateway = Host::envoy().load(r#"{"proto": "…"}"#)?;
//! let exchange = gateway.request(Request::post("/v1/books").json(r#"{"title": "Dune"}"#));
//! let upstream = exchange.forwarded();      // or exchange.call(), for a gRPC call
//! exchange.respond(Response::ok(message));
//! let answer = exchange.answer();           // what the client sees
//! ```
//!
//! The ABI is the crate proxy-wasm-host; the order of callbacks, what each may reach and what becomes of their results is
//! Envoy's, and is here. [`profile`] names the facts in which gateways differ. Each has a test in
//! `tests/module/harness_envoy_profile.rs`, with a small guest that shows it.
//!
//! What a module must never do ends the test at the callback that did it: a trap (with the message of the panic), an
//! upstream argument that would abort Envoy, a header value that splits the message, a content-length that isn't the
//! body's, a body that is touched when its memory is freed, a gRPC call left open at the end of the exchange.
//!
//! Not reproduced: route selection (`:path` may be changed, and nothing else follows from it), even and odd tokens of
//! gRPC streams and calls (they count up from 1), the context of gRPC callbacks (here the root's, in Envoy the caller's;
//! the SDK finds the caller by token), HTTP dispatch (refused), and the order of the last callbacks (here done, log,
//! delete, which the host crate insists on; Envoy logs first).

mod calls;
mod exchange;
mod grpc;
mod ledger;
mod message;
mod nginx;
mod nginx_imports;
mod profile;
mod stream;
mod time;
mod vm;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proxy_wasm_host::abi::v0_2_1::{self, Guest};
use proxy_wasm_host::{Engine, Limits, Module};

use self::calls::Calls;
use self::ledger::Ledger;
use self::stream::{Properties, Streams};
use self::time::Time;
use self::vm::Vm;

pub use self::exchange::{Exchange, Progress};
pub use self::grpc::frame;
pub use self::ledger::HostCall;
pub use self::message::{Headers, Passed, Request, Response};
pub use self::profile::{Nginx, PauseAtHeaders, Profile};

/// A gateway, before it loads the plugin.
pub struct Host {
    profile: Profile,
    clusters: Vec<String>,
    properties: Properties,
    plugin: Plugin,
}

/// Which module is loaded.
enum Plugin {
    Built(Build),
    /// In WebAssembly text.
    Guest(String),
}

/// How the module was built.
#[derive(Clone, Copy)]
enum Build {
    /// By `make build`.
    Make,
    /// By cargo, without the step behind it.
    CargoAlone,
}

impl Host {
    /// Envoy, with `allow_on_headers_stop_iteration: true`. It has the cluster `upstream`, and no property says so.
    pub fn envoy() -> Self {
        Self {
            profile: Profile::ENVOY,
            clusters: vec!["upstream".to_owned(), "plugins".to_owned()],
            properties: Properties::new(),
            plugin: Plugin::Built(Build::Make),
        }
    }

    /// WasmX in Kong 3.9, a route to a service of protocol `grpc`.
    pub fn kong() -> Self {
        Self {
            profile: Profile::KONG,
            ..Self::envoy()
        }
    }

    /// WasmX in plain nginx: Kong's variable for `te` isn't there.
    pub fn without_upstream_te(mut self) -> Self {
        self.nginx().upstream_te = false;
        self
    }

    /// Another `client_body_buffer_size` than 8 KiB.
    pub fn body_buffer(mut self, bytes: usize) -> Self {
        self.nginx().body_buffer = bytes;
        self
    }

    /// With variables that its configuration `set`s.
    pub fn with_variables(mut self, names: &'static [&'static str]) -> Self {
        self.nginx().variables = names;
        self
    }

    /// With `grpc_hide_header` for the status, its message and its details.
    pub fn hiding_status(mut self) -> Self {
        self.nginx().hides_status = true;
        self
    }

    fn nginx(&mut self) -> &mut Nginx {
        self.profile.nginx.as_mut().expect("a profile of nginx")
    }

    /// Envoy without `allow_on_headers_stop_iteration`.
    pub fn without_headers_stop_iteration(mut self) -> Self {
        self.profile.pause_at_headers = PauseAtHeaders::Everything;
        self
    }

    /// Another `per_connection_buffer_limit_bytes` than 1 MiB.
    pub fn buffer_limit(mut self, bytes: usize) -> Self {
        self.profile.buffer_limit = bytes;
        self
    }

    /// A property that every context can read.
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> Self {
        self.properties.insert(
            path.iter().map(|segment| segment.as_bytes().to_vec()).collect(),
            value.as_ref().to_vec(),
        );
        self
    }

    /// A module in WebAssembly text instead of the built one.
    pub fn guest(mut self, text: impl Into<String>) -> Self {
        self.plugin = Plugin::Guest(text.into());
        self
    }

    /// The module as cargo alone builds it: without the step behind the linker, it has only the SDK's callbacks.
    pub fn module_of_cargo_alone(mut self) -> Self {
        self.plugin = Plugin::Built(Build::CargoAlone);
        self
    }

    /// Loads the plugin with its configuration as a `google.protobuf.StringValue` gives it.
    pub fn load(self, configuration: &str) -> Result<Gateway, Refused> {
        self.load_bytes(configuration.as_bytes())
    }

    /// Loads the plugin with its configuration, written as JSON, as a `google.protobuf.Struct` gives it: the bytes of
    /// the message.
    pub fn load_struct(self, configuration: &str) -> Result<Gateway, Refused> {
        let json: serde_json::Value = serde_json::from_str(configuration).expect("the configuration is JSON");
        let serde_json::Value::Object(members) = json else {
            panic!("the configuration is no object")
        };
        let message = prost_types::Struct {
            fields: members.into_iter().map(|(key, json)| (key, value(json))).collect(),
        };
        self.load_bytes(&prost::Message::encode_to_vec(&message))
    }

    /// Loads the plugin with a configuration of any bytes.
    pub fn load_bytes(self, configuration: &[u8]) -> Result<Gateway, Refused> {
        let runtime = Runtime::shared();
        let module = match &self.plugin {
            Plugin::Guest(text) => {
                let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("the guest's text: {error}"));
                let bytes = match &self.profile.nginx {
                    Some(nginx) => nginx_imports::link(&bytes, nginx),
                    None => bytes,
                };
                Module::new(&runtime.engine, &bytes).expect("the guest compiles")
            }
            Plugin::Built(build) if self.profile.nginx.is_some() => built_module_for_kong(*build).clone(),
            Plugin::Built(build) => built_module(*build).clone(),
        };
        let ledger = Arc::new(Ledger::default());
        let calls = Arc::new(Calls::new(self.clusters, self.profile, Arc::clone(&ledger)));
        let time = Arc::new(Time::default());
        let guest = Guest::new(&runtime.host, &module, Vm::services(&ledger, &calls, &time), &limits())
            .unwrap_or_else(|error| panic!("the module is not instantiated: {error:?}"));
        let streams = Streams {
            open: Default::default(),
            written: Vec::new(),
            profile: self.profile,
            properties: self.properties,
            ledger: Arc::clone(&ledger),
        };
        match Vm::start(guest, configuration, streams, calls, time) {
            Ok(Some(vm)) => Ok(Gateway {
                vm: Rc::new(RefCell::new(vm)),
            }),
            Ok(None) => Err(Refused {
                trap: None,
                log: ledger.log(),
            }),
            Err(error) => Err(Refused {
                trap: Some(error.to_string()),
                log: ledger.log(),
            }),
        }
    }
}

/// A gateway with the plugin loaded. Clones share the virtual machine.
#[derive(Clone)]
pub struct Gateway {
    vm: Rc<RefCell<Vm>>,
}

impl Gateway {
    /// Takes a request through the plugin until it waits for something, or is answered.
    pub fn request(&self, request: Request) -> Exchange {
        self.request_with(&[], request)
    }

    /// The same, with properties of this exchange alone.
    pub fn request_with(&self, properties: &[(Vec<&str>, &[u8])], request: Request) -> Exchange {
        Exchange::start(&self.vm, properties, request)
    }

    /// Lets time pass, with the ticks that are due in it. Else it stands still.
    pub fn advance(&self, duration: Duration) {
        self.vm.borrow_mut().advance(duration);
    }

    /// The values that were added to each metric so far.
    pub fn metrics(&self) -> BTreeMap<String, Vec<u64>> {
        self.vm.borrow().ledger.metrics()
    }

    /// The log so far, one line each, with its level in front.
    pub fn log(&self) -> Vec<String> {
        self.vm.borrow().ledger.log()
    }
}

/// The plugin refused its configuration.
pub struct Refused {
    /// The trap, when it did not live to refuse.
    pub trap: Option<String>,
    /// The log, which says why.
    pub log: Vec<String>,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the configuration was refused (trap: {:?}):\n{}",
            self.trap,
            self.log.join("\n")
        )
    }
}

/// What all tests of a process share.
struct Runtime {
    engine: Engine,
    host: v0_2_1::Host,
}

impl Runtime {
    fn shared() -> &'static Self {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        RUNTIME.get_or_init(|| {
            let engine = Engine::new().expect("an engine with its defaults");
            let host = v0_2_1::Host::new(&engine).expect("the ABI's functions");
            Self { engine, host }
        })
    }
}

/// The built module, compiled once per process: that takes seconds.
fn built_module(build: Build) -> &'static Module {
    static MODULES: [OnceLock<Module>; 2] = [const { OnceLock::new() }; 2];
    MODULES[build as usize].get_or_init(|| {
        Module::new(&Runtime::shared().engine, &built_bytes(build)).expect("the built module is WebAssembly")
    })
}

/// The same, with the host functions of WasmX.
fn built_module_for_kong(build: Build) -> &'static Module {
    static MODULES: [OnceLock<Module>; 2] = [const { OnceLock::new() }; 2];
    MODULES[build as usize].get_or_init(|| {
        let nginx = Profile::KONG.nginx.expect("Kong is nginx");
        let bytes = nginx_imports::link(&built_bytes(build), &nginx);
        Module::new(&Runtime::shared().engine, &bytes).expect("the linked module is WebAssembly")
    })
}

fn built_bytes(build: Build) -> Vec<u8> {
    let release = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/wasm32-wasip1/release");
    let path = match build {
        Build::Make => {
            std::env::var_os("PROTOBRIDGE_WASM").map_or_else(|| release.join("protobridge.wasm"), PathBuf::from)
        }
        // Where cargo keeps it.
        Build::CargoAlone => release.join("deps/protobridge.wasm"),
    };
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make build` first", path.display()))
}

/// Bounds that only a runaway guest reaches; time is wall clock on a machine that may be busy.
fn limits() -> Limits {
    Limits::new()
        .with_cpu_time(Duration::from_secs(60))
        .with_memory_bytes(1 << 30)
}

fn value(json: serde_json::Value) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match json {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(bool) => Kind::BoolValue(bool),
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().expect("a double")),
        serde_json::Value::String(text) => Kind::StringValue(text),
        serde_json::Value::Array(items) => Kind::ListValue(prost_types::ListValue {
            values: items.into_iter().map(value).collect(),
        }),
        serde_json::Value::Object(members) => Kind::StructValue(prost_types::Struct {
            fields: members.into_iter().map(|(key, json)| (key, value(json))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}
