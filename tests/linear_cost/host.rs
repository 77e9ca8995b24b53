//! The module in a host that counts its instructions.

use std::sync::LazyLock;

use serde_json::{Value, json};
use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Memory, Module, Store, TypedFunc, WasmParams};

const MODULE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/wasm32-wasip1/release/protobridge.wasm"
);

/// The part of a module's memory that is its stack: 1 MiB from its start, growing downwards (rustc's `wasm32-wasip1`).
pub const STACK: usize = 1 << 20;

/// What the host's stack may take: half of what wasmtime gives a module, and a quarter of what V8 does.
const HOST_STACK: usize = 256 << 10;

/// What one measurement sends through the module.
pub enum Exchange {
    Request(Request),
    Answer(Answer),
}

/// A client's request; the measure is of its way to the upstream.
pub struct Request {
    pub method: &'static str,
    pub target: String,
    pub body: String,
}

/// An upstream's answer to a request that costs next to nothing: one message, in wire format.
pub struct Answer(pub Vec<u8>);

impl Request {
    pub fn post(body: String) -> Self {
        Self {
            method: "POST",
            target: "/m".into(),
            body,
        }
    }
}

impl From<Request> for Exchange {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Answer> for Exchange {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Exchange {
    pub fn length(&self) -> usize {
        match self {
            Self::Request(request) => request.target.len() + request.body.len(),
            Self::Answer(answer) => answer.0.len(),
        }
    }
}

/// What became of an exchange.
pub struct Outcome {
    pub fuel: u64,
    /// The module has converted it, rather than answered with an error of its own.
    pub done: bool,
}

/// The module, compiled to count its instructions.
static COMPILED: LazyLock<(Engine, Module)> = LazyLock::new(|| {
    let mut config = Config::new();
    config.consume_fuel(true).max_wasm_stack(HOST_STACK);
    let engine = Engine::new(&config).unwrap();
    let module = Module::from_file(&engine, MODULE).unwrap_or_else(|error| panic!("{MODULE}: {error} (make build)"));
    (engine, module)
});

/// A plugin configuration. Each exchange has a machine of its own, so that no measure depends on another.
pub struct Gateway {
    configuration: String,
}

impl Gateway {
    pub fn new(mut configuration: Value) -> Self {
        configuration["dispatch"] = "call".into();
        configuration["upstream"] = json!({ "cluster": "upstream" });
        Self {
            configuration: configuration.to_string(),
        }
    }

    pub fn machine(&self) -> Machine {
        Machine::new(&self.configuration)
    }
}

/// The module, configured, in a host that knows as much of proxy-wasm as one exchange takes.
pub struct Machine {
    pub store: Store<Host>,
    instance: Instance,
    /// Of the request under way.
    context: i32,
}

const ROOT: i32 = 1;

impl Machine {
    pub fn new(configuration: &str) -> Self {
        let (machine, accepted) = Self::configured(configuration);
        assert!(accepted, "{configuration}");
        machine
    }

    /// And whether the module has accepted the configuration.
    pub fn configured(configuration: &str) -> (Self, bool) {
        let (engine, module) = &*COMPILED;
        let mut store = Store::new(engine, Host::default());
        store.set_fuel(u64::MAX).unwrap();
        let instance = linker(engine).instantiate(&mut store, module).unwrap();
        let mut machine = Self {
            store,
            instance,
            context: ROOT + 1,
        };
        machine.store.data_mut().buffers[PLUGIN_CONFIGURATION] = configuration.into();
        machine.call::<()>("_initialize", ());
        machine.call::<()>("proxy_on_context_create", (ROOT, 0));
        let size = configuration.len() as i32;
        let accepted = machine.call::<i32>("proxy_on_configure", (ROOT, size)) == 1;
        (machine, accepted)
    }

    pub fn run(&mut self, exchange: &Exchange) -> Outcome {
        self.begin();
        match exchange {
            Exchange::Request(request) => {
                let before = self.store.get_fuel().unwrap();
                self.request(request);
                // Some answers wait for their time.
                let host = self.store.data();
                if !host.sent && !host.reply {
                    self.tick();
                }
                let fuel = before - self.store.get_fuel().unwrap();
                let host = self.store.data();
                assert!(host.sent != host.reply, "neither sent on nor answered");
                Outcome { fuel, done: host.sent }
            }
            Exchange::Answer(answer) => {
                self.request(&Request::post("{\"name\":\"\"}".into()));
                assert!(self.store.data().sent, "the request isn't sent on");
                let before = self.store.get_fuel().unwrap();
                self.answer_call(&answer.0);
                let fuel = before - self.store.get_fuel().unwrap();
                let host = self.store.data();
                assert!(host.reply, "no answer");
                Outcome {
                    fuel,
                    done: host.status == 200,
                }
            }
        }
    }

    /// A new context, by a number of its own.
    pub fn begin(&mut self) {
        self.context += 1;
        self.call::<()>("proxy_on_context_create", (self.context, ROOT));
    }

    /// The exchange has ended, or its client has left.
    pub fn end(&mut self) {
        let host = self.store.data_mut();
        (host.sent, host.reply, host.written) = (false, false, 0);
        self.call::<i32>("proxy_on_done", self.context);
        self.call::<()>("proxy_on_log", self.context);
        self.call::<()>("proxy_on_delete", self.context);
    }

    pub fn tick(&mut self) {
        self.store.data_mut().seconds += 1;
        self.call::<()>("proxy_on_tick", ROOT);
    }

    /// The call that was made last is answered by this message.
    pub fn answer_call(&mut self, message: &[u8]) {
        let call = CALL + self.store.data().calls - 1;
        self.store.data_mut().buffers[GRPC_MESSAGE] = message.to_vec();
        self.call::<()>("proxy_on_grpc_receive_initial_metadata", (self.context, call, 0));
        self.call::<()>("proxy_on_grpc_receive", (self.context, call, message.len() as i32));
        self.call::<()>("proxy_on_grpc_receive_trailing_metadata", (self.context, call, 0));
        self.call::<()>("proxy_on_grpc_close", (self.context, call, 0));
    }

    /// What the hook got that is asked; `None`: none is.
    pub fn asked(&mut self) -> Option<Vec<u8>> {
        self.store.data_mut().asked.take()
    }

    /// The hook that was asked last answers with this object.
    pub fn hook_answers(&mut self, object: Vec<u8>) {
        let call = CALL + self.store.data().calls - 1;
        let size = object.len() as i32;
        self.store.data_mut().buffers[GRPC_MESSAGE] = object;
        self.call::<()>("proxy_on_grpc_receive", (self.context, call, size));
    }

    /// The request that went on in place is answered by this frame.
    pub fn answer_in_place(&mut self, frame: &[u8]) {
        self.headers(&[(":status", "200"), ("content-type", "application/grpc")]);
        self.call::<i32>("proxy_on_response_headers", (self.context, 2, 0));
        self.store.data_mut().buffers[RESPONSE_BODY] = frame.to_vec();
        self.call::<i32>("proxy_on_response_body", (self.context, frame.len() as i32, 0));
        self.call::<i32>("proxy_on_response_trailers", (self.context, 1));
    }

    pub fn request(&mut self, request: &Request) {
        self.request_with(request, &[]);
    }

    /// The same with these headers besides.
    pub fn request_with(&mut self, request: &Request, more: &[(String, String)]) {
        let Request { method, target, body } = request;
        self.headers(&[
            (":method", method),
            (":path", target),
            (":authority", "a"),
            (":scheme", "http"),
            ("content-type", "application/json"),
        ]);
        self.store.data_mut().headers.extend_from_slice(more);
        let host = self.store.data_mut();
        let count = host.headers.len() as i32;
        host.buffers[REQUEST_BODY] = body.clone().into();
        let end = i32::from(body.is_empty());
        self.call::<i32>("proxy_on_request_headers", (self.context, count, end));
        if !body.is_empty() {
            self.call::<i32>("proxy_on_request_body", (self.context, body.len() as i32, 1));
        }
    }

    /// A call of a gRPC client begins at `path`, with a `content-type`.
    pub fn start_native(&mut self, path: &str, content_type: &str) {
        self.begin();
        self.headers(&[
            (":method", "POST"),
            (":path", path),
            (":authority", "a"),
            ("content-type", content_type),
            ("x-user", "ada"),
        ]);
        self.call::<i32>("proxy_on_request_headers", (self.context, 5, 0));
    }

    /// More of its body comes, which goes on.
    pub fn request_chunk(&mut self, chunk: &[u8]) {
        self.store.data_mut().buffers[REQUEST_BODY] = chunk.to_vec();
        let action = self.call::<i32>("proxy_on_request_body", (self.context, chunk.len() as i32, 0));
        assert_eq!(action, CONTINUE);
    }

    /// A server stream begins, in place.
    pub fn start_stream(&mut self, accept: &str) {
        self.begin();
        self.headers(&[
            (":method", "POST"),
            (":path", "/t.S/List"),
            (":authority", "a"),
            ("accept", accept),
        ]);
        self.call::<i32>("proxy_on_request_headers", (self.context, 4, 0));
        self.store.data_mut().buffers[REQUEST_BODY] = b"{}".to_vec();
        assert_eq!(
            self.call::<i32>("proxy_on_request_body", (self.context, 2, 1)),
            CONTINUE
        );
        self.headers(&[
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("grpc-encoding", "deflate"),
        ]);
        self.call::<i32>("proxy_on_response_headers", (self.context, 3, 0));
    }

    pub fn response_chunk(&mut self, chunk: &[u8]) {
        self.store.data_mut().buffers[RESPONSE_BODY] = chunk.to_vec();
        let action = self.call::<i32>("proxy_on_response_body", (self.context, chunk.len() as i32, 0));
        assert_eq!(action, CONTINUE);
    }

    fn headers(&mut self, headers: &[(&str, &str)]) {
        let owned = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.store.data_mut().headers = owned.collect();
    }

    fn call<R: wasmtime::WasmResults>(&mut self, name: &str, arguments: impl WasmParams) -> R {
        let function = self.instance.get_typed_func(&mut self.store, name).unwrap();
        function
            .call(&mut self.store, arguments)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    /// How much memory the module has, in bytes. It never shrinks.
    pub fn memory(&mut self) -> usize {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        memory.data_size(&self.store)
    }

    /// How far down the module's own stack has ever been: fresh memory is zero.
    pub fn stack_used(&mut self) -> usize {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        let stack = &memory.data(&self.store)[..STACK];
        STACK - stack.iter().position(|byte| *byte != 0).unwrap_or(STACK)
    }
}

/// What the module sees, and what it has done.
#[derive(Default)]
pub struct Host {
    /// Of the request, later of the response.
    headers: Vec<(String, String)>,
    buffers: [Vec<u8>; 8],
    /// How many bytes the module has put into buffers.
    pub written: usize,
    /// The clock.
    seconds: u64,
    /// How many calls were made.
    calls: i32,
    /// The message of a call that was made in one piece, as hooks are asked.
    asked: Option<Vec<u8>>,
    /// The call has its message.
    pub sent: bool,
    /// The client has its answer, with this status, and a body of so many bytes.
    pub reply: bool,
    pub status: i32,
    pub replied: usize,
}

// `proxy_map_type_t`.
const REQUEST_HEADERS: i32 = 0;
const RESPONSE_HEADERS: i32 = 2;
const RESPONSE_TRAILERS: i32 = 3;

// `proxy_buffer_type_t`.
const REQUEST_BODY: usize = 0;
const RESPONSE_BODY: usize = 1;
const GRPC_MESSAGE: usize = 5;
const PLUGIN_CONFIGURATION: usize = 7;

/// The token of the first call; those behind it follow.
const CALL: i32 = 7;

const OK: i32 = 0;
/// `proxy_action_t`.
const CONTINUE: i32 = 0;
const NOT_FOUND: i32 = 1;

type Guest<'c> = Caller<'c, Host>;

fn linker(engine: &Engine) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    // Whatever isn't here answers 0, which is OK.
    let (_, module) = &*COMPILED;
    for import in module.imports() {
        if let wasmtime::ExternType::Func(function) = import.ty() {
            linker
                .func_new(import.module(), import.name(), function, |_, _, results| {
                    results.fill(wasmtime::Val::I32(OK));
                    Ok(())
                })
                .unwrap();
        }
    }
    linker.allow_shadowing(true);
    linker
        .func_wrap(
            "env",
            "proxy_get_buffer_bytes",
            |mut guest: Guest<'_>, buffer: i32, start: i32, size: i32, data: i32, length: i32| {
                let bytes = &guest.data().buffers[buffer as usize];
                let start = (start as usize).min(bytes.len());
                let end = (start + size as usize).min(bytes.len());
                let bytes = bytes[start..end].to_vec();
                give(&mut guest, &bytes, data, length)
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_set_buffer_bytes",
            |mut guest: Guest<'_>, _: i32, _: i32, _: i32, _: i32, length: i32| {
                guest.data_mut().written += length as usize;
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_header_map_pairs",
            |mut guest: Guest<'_>, map: i32, data: i32, length: i32| {
                let headers = match map {
                    REQUEST_HEADERS | RESPONSE_HEADERS => &guest.data().headers[..],
                    RESPONSE_TRAILERS => &[("grpc-status".to_owned(), "0".to_owned())],
                    _ => &[],
                };
                let mut bytes = (headers.len() as u32).to_le_bytes().to_vec();
                for (name, value) in headers {
                    bytes.extend((name.len() as u32).to_le_bytes());
                    bytes.extend((value.len() as u32).to_le_bytes());
                }
                for (name, value) in headers {
                    bytes.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
                }
                give(&mut guest, &bytes, data, length)
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_property",
            |_: Guest<'_>, _: i32, _: i32, _: i32, _: i32| NOT_FOUND,
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_current_time_nanoseconds",
            |mut guest: Guest<'_>, time: i32| {
                let now = guest.data().seconds * 1_000_000_000;
                write(&mut guest, time, &now.to_le_bytes());
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_get_status",
            |mut guest: Guest<'_>, code: i32, data: i32, length: i32| {
                write(&mut guest, code, &[0; 4]);
                give(&mut guest, b"", data, length)
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_grpc_stream",
            |mut guest: Guest<'_>, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, token: i32| {
                let call = CALL + guest.data().calls;
                guest.data_mut().calls += 1;
                write(&mut guest, token, &call.to_le_bytes());
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_grpc_call",
            |mut guest: Guest<'_>,
             _: i32,
             _: i32,
             _: i32,
             _: i32,
             _: i32,
             _: i32,
             _: i32,
             _: i32,
             message: i32,
             length: i32,
             _: i32,
             token: i32| {
                let mut object = vec![0; length as usize];
                let memory: Memory = guest.get_export("memory").and_then(Extern::into_memory).unwrap();
                memory.read(&guest, message as usize, &mut object).unwrap();
                let call = CALL + guest.data().calls;
                let host = guest.data_mut();
                host.calls += 1;
                host.asked = Some(object);
                write(&mut guest, token, &call.to_le_bytes());
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_grpc_send",
            |mut guest: Guest<'_>, _: i32, _: i32, _: i32, _: i32| {
                guest.data_mut().sent = true;
                OK
            },
        )
        .unwrap()
        .func_wrap(
            "env",
            "proxy_send_local_response",
            |mut guest: Guest<'_>, status: i32, _: i32, _: i32, _: i32, length: i32, _: i32, _: i32, _: i32| {
                let host = guest.data_mut();
                host.reply = true;
                host.status = status;
                host.replied = length as usize;
                OK
            },
        )
        .unwrap();
    linker
}

/// Gives the guest bytes in memory of its own, and writes where they are and how many.
fn give(guest: &mut Guest<'_>, bytes: &[u8], data: i32, length: i32) -> i32 {
    let Some(Extern::Func(allocate)) = guest.get_export("proxy_on_memory_allocate") else {
        panic!("no proxy_on_memory_allocate");
    };
    let allocate: TypedFunc<i32, i32> = allocate.typed(&mut *guest).unwrap();
    let at = allocate.call(&mut *guest, bytes.len() as i32).unwrap();
    write(guest, at, bytes);
    write(guest, data, &at.to_le_bytes());
    write(guest, length, &(bytes.len() as u32).to_le_bytes());
    OK
}

fn write(guest: &mut Guest<'_>, at: i32, bytes: &[u8]) {
    let memory: Memory = guest.get_export("memory").and_then(Extern::into_memory).unwrap();
    memory.write(guest, at as usize, bytes).unwrap();
}
