//! Envoy's configuration, as a user of the module would write it: listeners that differ in their filter, and clusters.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::markdown::{blocks, yaml};
use crate::pages::page;

/// The cluster of the gRPC server.
pub const BACKEND: &str = "backend";
/// The gRPC server again: a name that parses as a serialized `GrpcService`, which Envoy must not be given as it is.
pub const AWKWARD: &str = "users";
/// The gRPC server again: a name whose length takes two bytes in a serialized `GrpcService`.
pub const LONG: &str = "backend-with-a-name-of-more-than-127-bytes-0123456789-0123456789-0123456789-0123456789-\
                        0123456789-0123456789-0123456789-0123456789";
/// The gRPC server again, over connections that take in [`WINDOW`] bytes of a stream beyond what is read of it.
const NARROW: &str = "narrow";
/// A cluster whose port refuses connections.
pub const REFUSED: &str = "refused";
/// A cluster without a single server: what goes there fails before it has left.
pub const EMPTY: &str = "empty";
/// A cluster whose server answers with bytes that are no HTTP.
pub const GARBAGE: &str = "garbage";
/// The server that breaks as it is told, each call on a connection of its own that takes in [`WINDOW`] bytes.
pub const FAULTY: &str = "faulty";

/// The same server, which has as many calls on a connection as there are.
pub const PLAYED: &str = "played";
/// A request with this header goes to [`FAULTY`] where [`Listener::sends_faults_apart`].
pub const FAULT_HEADER: &str = "x-fault";

/// What the route of [`Listener::removes_header`] takes from requests.
pub const REMOVED_HEADER: &str = "x-user";

/// A server behind HTTP/1.1 that changes to any protocol it is asked for, and says everything back.
pub const PARROT: &str = "parrot";

/// A server behind HTTP/1.1 that answers everything with an empty 200: it authorizes every request.
pub const AUTHORIZER: &str = "authorizer";
/// The gRPC server again: as an external processor, it gives back what it is shown.
pub const PROCESSOR: &str = "processor";

/// How much of an HTTP/2 stream is taken in, and held back, where that is bounded as envoy.yaml does it.
const WINDOW: u32 = 1 << 20;

/// The most bytes of what Envoy answers itself; it allows 4096 unless it is told otherwise.
const LARGEST_PAGE: u32 = 4 << 20;

/// One listener, with its own filter configuration, and one route that sends everything to one cluster.
#[derive(Clone)]
pub struct Listener {
    name: &'static str,
    plugin: Option<Value>,
    native: Option<Value>,
    cluster: &'static str,
    stops_at_headers: bool,
    finds_out: bool,
    proxies_continue: bool,
    buffer_limit: Option<u32>,
    closes_after_400: bool,
    grpc_web: bool,
    bridge: bool,
    lua: bool,
    removes_header: bool,
    window: Option<u32>,
    pages: Vec<Page>,
    route_timeout: &'static str,
    close_delay: &'static str,
    access_log: Option<&'static str>,
    formats_replies: bool,
    filter_from: Option<PathBuf>,
    vm: String,
    faults_apart: bool,
    upgrades: bool,
    http_10: bool,
    cors: bool,
    denied_in_front: Option<&'static str>,
    denied_behind: Option<&'static str>,
    normalizes: bool,
    in_front: Vec<Value>,
    behind: Vec<Value>,
    routes: Option<Value>,
    module: PathBuf,
}

impl Listener {
    /// A listener with the module in front of the router, configured by an object written in place
    /// (`google.protobuf.Struct`). A request without a body goes by a call, which needs no filter in front, unless the
    /// configuration says how it travels.
    pub fn new(name: &'static str, configuration: &Value) -> Self {
        let configuration = with_a_way(configuration);
        let plugin = json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": configuration });
        Self {
            plugin: Some(plugin),
            ..Self::without_module(name)
        }
    }

    /// The same with the configuration as text (`google.protobuf.StringValue`), as it is.
    pub fn with_text(name: &'static str, configuration: &str) -> Self {
        let plugin = json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration });
        Self {
            plugin: Some(plugin),
            ..Self::without_module(name)
        }
    }

    /// A listener with Envoy's own transcoder in front of the router, configured by these fields of its
    /// `GrpcJsonTranscoder`.
    pub fn with_native(name: &'static str, configuration: Value) -> Self {
        Self {
            native: Some(configuration),
            ..Self::without_module(name)
        }
    }

    /// A listener with the router alone: what the bench and Envoy do by themselves.
    pub fn without_module(name: &'static str) -> Self {
        Self {
            name,
            plugin: None,
            native: None,
            cluster: BACKEND,
            stops_at_headers: true,
            finds_out: false,
            proxies_continue: false,
            buffer_limit: None,
            closes_after_400: true,
            grpc_web: false,
            bridge: false,
            lua: false,
            removes_header: false,
            window: None,
            pages: Vec::new(),
            // Envoy's own defaults.
            route_timeout: "15s",
            close_delay: "1s",
            access_log: None,
            formats_replies: false,
            filter_from: None,
            vm: "protobridge".to_owned(),
            faults_apart: false,
            upgrades: false,
            http_10: false,
            cors: false,
            denied_in_front: None,
            denied_behind: None,
            normalizes: false,
            in_front: Vec::new(),
            behind: Vec::new(),
            routes: None,
            module: SHIPPED.into(),
        }
    }

    /// The cluster of the route; [`BACKEND`] unless set.
    pub fn cluster(mut self, cluster: &'static str) -> Self {
        self.cluster = cluster;
        self
    }

    /// Bounds what Envoy takes in of a stream, and holds back for a client, as envoy.yaml does it.
    pub fn narrow(self) -> Self {
        self.window(WINDOW).cluster(NARROW)
    }

    /// How many bytes Envoy takes in, and holds back, of an HTTP/2 client's stream.
    pub fn window(mut self, bytes: u32) -> Self {
        self.window = Some(bytes);
        self
    }

    /// Has Envoy pass `expect: 100-continue` on rather than answer it.
    pub fn proxies_continue(mut self) -> Self {
        self.proxies_continue = true;
        self
    }

    /// Leaves it to the module to find out whether headers are held.
    pub fn finds_out(mut self) -> Self {
        self.finds_out = true;
        self
    }

    /// Leaves `allow_on_headers_stop_iteration` out.
    pub fn without_stop_iteration(mut self) -> Self {
        self.stops_at_headers = false;
        self
    }

    /// How many bytes Envoy buffers for a filter; 1 MiB unless set, for an HTTP/2 client 16 MiB.
    pub fn buffer_limit(mut self, bytes: u32) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// Has Envoy keep an HTTP/1.1 connection after a local reply of 400, which it otherwise takes for a broken message.
    pub fn keeps_connections(mut self) -> Self {
        self.closes_after_400 = false;
        self
    }

    /// Puts Envoy's gRPC-Web filter behind the module, as `upstream.grpc_web: true` expects it.
    pub fn with_grpc_web(mut self) -> Self {
        self.grpc_web = true;
        self
    }

    /// Puts Envoy's Connect bridge behind the module, as `upstream.connect_bridge: true` expects it.
    pub fn with_bridge(mut self) -> Self {
        self.bridge = true;
        self
    }

    /// Leaves out the route's timeout, as a route for streams does.
    pub fn without_route_timeout(self) -> Self {
        self.route_timeout("0s")
    }

    /// The route's timeout; 15 s unless set.
    pub fn route_timeout(mut self, timeout: &'static str) -> Self {
        self.route_timeout = timeout;
        self
    }

    /// Has Envoy close an HTTP/1.1 connection at once when it breaks an answer off, rather than after a second.
    pub fn closes_at_once(mut self) -> Self {
        self.close_delay = "0s";
        self
    }

    /// Has Envoy write its own answers to broken upstreams as JSON, as docs/errors.md has it.
    pub fn formats_replies(mut self) -> Self {
        self.formats_replies = true;
        self
    }

    /// Puts the Lua filter in front of the module that gives a request without a body one byte, on the routes of such
    /// requests.
    pub fn with_lua(mut self) -> Self {
        self.lua = true;
        self
    }

    /// Has the route take [`REMOVED_HEADER`] from requests.
    pub fn removes_header(mut self) -> Self {
        self.removes_header = true;
        self
    }

    /// Writes a line of this format for each request into Envoy's own log.
    pub fn access_log(mut self, format: &'static str) -> Self {
        self.access_log = Some(format);
        self
    }

    /// Has Envoy answer `GET path` with this page, past the module.
    pub fn page(mut self, path: &'static str, html: String) -> Self {
        self.pages.push(Page {
            path,
            media_type: "text/html; charset=utf-8",
            body: json!({ "inline_string": html }),
        });
        self
    }

    /// Has Envoy answer `GET path` with this file, past the module.
    pub fn file(mut self, path: &'static str, media_type: &'static str, file: &Path) -> Self {
        self.pages.push(Page {
            path,
            media_type,
            body: json!({ "filename": file }),
        });
        self
    }

    /// Sends requests with [`FAULT_HEADER`] to [`FAULTY`].
    pub fn sends_faults_apart(mut self) -> Self {
        self.faults_apart = true;
        self
    }

    /// Admits WebSockets and CONNECT, and sends them to [`PARROT`].
    pub fn with_upgrades(mut self) -> Self {
        self.upgrades = true;
        self
    }

    /// Admits clients that speak HTTP/1.0.
    pub fn accepts_http_10(mut self) -> Self {
        self.http_10 = true;
        self
    }

    /// Puts Envoy's CORS filter behind the module, and admits the origin `https://app.example.com`.
    pub fn with_cors_behind(mut self) -> Self {
        self.cors = true;
        self
    }

    /// Has a filter in front of the module deny this path.
    pub fn denies_in_front(mut self, path: &'static str) -> Self {
        self.denied_in_front = Some(path);
        self
    }

    /// Has a filter behind the module deny this path.
    pub fn denies_behind(mut self, path: &'static str) -> Self {
        self.denied_behind = Some(path);
        self
    }

    /// Has Envoy make the spellings of a path one, as docs/security.md has it.
    pub fn normalizes(mut self) -> Self {
        self.normalizes = true;
        self
    }

    /// Puts a filter in front of the module.
    pub fn in_front(mut self, filter: Value) -> Self {
        self.in_front.push(filter);
        self
    }

    /// Puts a filter right in front of the router, behind Envoy's gRPC-Web filter and Connect bridge if they are there.
    pub fn behind(mut self, filter: Value) -> Self {
        self.behind.push(filter);
        self
    }

    /// Has these routes and no others.
    pub fn routes(mut self, routes: Value) -> Self {
        self.routes = Some(routes);
        self
    }

    /// Takes the module as cargo alone makes it, without the step behind the link, in a virtual machine of its own.
    pub fn unlinked(mut self) -> Self {
        self.module = UNLINKED.into();
        self.vm("unlinked")
    }

    /// Takes the module in this file, in a virtual machine of its own.
    pub fn with_module(mut self, module: &Path) -> Self {
        self.module = module.to_owned();
        self.vm("from-file")
    }

    /// Gives the module a virtual machine of this name, which it shares with others of the name alone.
    pub fn vm(mut self, name: &str) -> Self {
        self.vm = name.to_owned();
        self
    }

    /// The file that the module's configuration comes from (ECDS), rather than from the listener's own.
    pub fn discovers_filter(mut self, directory: &Path) -> Self {
        self.filter_from = Some(directory.join(FILTER_FILE));
        self
    }

    /// Writes the listener to where [`from_files`] reads it (LDS), in one step, as an operator would.
    pub fn publish(&self, directory: &Path) {
        let mut listener = self.to_json();
        listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        publish(&directory.join(LISTENER_FILE), &listener);
    }

    /// The same of the filter alone, to where [`Self::discovers_filter`] reads it.
    pub fn publish_filter(&self, directory: &Path) {
        let filter = json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "envoy.filters.http.wasm",
            "typed_config": self.module_json(),
        });
        publish(&directory.join(FILTER_FILE), &filter);
    }

    /// The Wasm filter with the module.
    fn module_json(&self) -> Value {
        let mut config = json!({
            "name": self.name,
            // The same for all listeners of a process: one virtual machine, so the module is compiled once.
            "vm_config": {
                "vm_id": self.vm,
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": module(&self.module) } },
            },
            "configuration": self.plugin,
            "failure_policy": "FAIL_RELOAD",
        });
        if self.stops_at_headers {
            config["allow_on_headers_stop_iteration"] = json!(true);
            if let (false, Some(plugin)) = (self.finds_out, config["configuration"]["value"].as_object_mut()) {
                plugin.entry("hold_headers").or_insert(json!(true));
            }
        }
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": config,
        })
    }

    fn to_json(&self) -> Value {
        let mut filters = Vec::new();
        filters.extend(self.denied_in_front.map(denial));
        filters.extend(self.in_front.iter().cloned());
        if self.lua {
            filters.push(json!({
                "name": "envoy.filters.http.lua",
                "disabled": true,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                    "default_source_code": { "inline_string": FILL_BODY },
                },
            }));
        }
        if self.plugin.is_some() {
            let mut filter = json!({ "name": "envoy.filters.http.wasm" });
            match &self.filter_from {
                Some(path) => {
                    filter["config_discovery"] = json!({
                        "config_source": file_source(path),
                        "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
                    });
                }
                None => filter["typed_config"] = self.module_json(),
            }
            filters.push(filter);
        }
        if let Some(configuration) = &self.native {
            let mut configuration = configuration.clone();
            configuration["@type"] =
                json!("type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder");
            filters.push(json!({ "name": "envoy.filters.http.grpc_json_transcoder", "typed_config": configuration }));
        }
        if self.grpc_web {
            filters.push(json!({
                "name": "envoy.filters.http.grpc_web",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb" },
            }));
        }
        if self.bridge {
            filters.push(json!({
                "name": "envoy.filters.http.connect_grpc_bridge",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.connect_grpc_bridge.v3.FilterConfig",
                },
            }));
        }
        filters.extend(self.denied_behind.map(denial));
        if self.cors {
            filters.push(json!({
                "name": "envoy.filters.http.cors",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors" },
            }));
        }
        filters.extend(self.behind.iter().cloned());
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }));
        let mut routes: Vec<Value> = self.pages.iter().map(page_route).collect();
        if self.faults_apart {
            let header = json!({ "name": FAULT_HEADER, "present_match": true });
            routes.push(json!({
                "match": { "prefix": "/", "headers": [header] },
                "route": { "cluster": FAULTY, "timeout": self.route_timeout },
            }));
        }
        if self.upgrades {
            routes.push(json!({
                "match": { "connect_matcher": {} },
                "route": { "cluster": PARROT, "upgrade_configs": [{ "upgrade_type": "CONNECT", "connect_config": {} }] },
            }));
            let header = json!({ "name": "upgrade", "string_match": { "exact": "websocket" } });
            routes.push(json!({
                "match": { "prefix": "/", "headers": [header] },
                "route": { "cluster": PARROT },
            }));
        }
        routes.push(json!({
            "match": { "prefix": "/" },
            "route": { "cluster": self.cluster, "timeout": self.route_timeout },
        }));
        if self.lua {
            routes = routes.into_iter().flat_map(with_routes_for_bodyless).collect();
        }
        let removed = self.removes_header.then_some(REMOVED_HEADER);
        let mut listener = json!({
            "name": self.name,
            "address": loopback(0),
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.\
                              HttpConnectionManager",
                    "stat_prefix": self.name,
                    // Both HTTP/1.1 and HTTP/2 without TLS, told apart by the first bytes.
                    "codec_type": "AUTO",
                    "delayed_close_timeout": self.close_delay,
                    "stream_error_on_invalid_http_message": !self.closes_after_400,
                    "proxy_100_continue": self.proxies_continue,
                    "http_filters": filters,
                    "route_config": {
                        // A route may name a cluster that isn't there.
                        "validate_clusters": false,
                        "max_direct_response_body_size_bytes": LARGEST_PAGE,
                        "virtual_hosts": [{
                            "name": "all",
                            "domains": ["*"],
                            "request_headers_to_remove": removed.as_slice(),
                            "routes": self.routes.clone().unwrap_or(json!(routes)),
                        }],
                    },
                },
            }] }],
        });
        if self.upgrades {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["upgrade_configs"] = json!([{ "upgrade_type": "websocket" }, { "upgrade_type": "CONNECT" }]);
            manager["http2_protocol_options"] = json!({ "allow_connect": true });
        }
        if self.http_10 {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["http_protocol_options"] = json!({ "accept_http_10": true, "default_host_for_http_10": "a" });
        }
        if self.normalizes {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["normalize_path"] = json!(true);
            manager["merge_slashes"] = json!(true);
            manager["path_with_escaped_slashes_action"] = json!("REJECT_REQUEST");
        }
        if self.cors {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["route_config"]["virtual_hosts"][0]["typed_per_filter_config"] = json!({
                "envoy.filters.http.cors": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
                    "allow_origin_string_match": [{ "exact": "https://app.example.com" }],
                    "allow_methods": "GET, POST",
                },
            });
        }
        if let Some(bytes) = self.window {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["http2_protocol_options"] = json!({ "initial_stream_window_size": bytes });
        }
        if let Some(format) = self.access_log {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["access_log"] = json!([{
                "name": "envoy.access_loggers.stderr",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
                    "log_format": { "text_format_source": { "inline_string": format } },
                },
            }]);
        }
        if self.formats_replies {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            let mapper = |details: &str, code: u32| {
                json!({
                    "filter": { "extension_filter": {
                        "name": "cel",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                            "expression": format!("response.code_details.matches('{details}')"),
                        },
                    } },
                    "body_format_override": { "json_format": { "code": code, "message": "%LOCAL_REPLY_BODY%" } },
                })
            };
            manager["local_reply_config"] = json!({
                "mappers": [mapper("^upstream_reset_", 14), mapper("timeout|max_stream_duration", 4)],
            });
        }
        if let Some(bytes) = self.buffer_limit {
            listener["per_connection_buffer_limit_bytes"] = json!(bytes);
        }
        listener
    }
}

/// A configuration that says how a request without a body travels: by a call, where it doesn't say so itself.
fn with_a_way(configuration: &Value) -> Value {
    let mut configuration = configuration.clone();
    if let Some(keys) = configuration.as_object_mut() {
        keys.entry("bodyless").or_insert_with(|| json!("call"));
    }
    configuration
}

/// A bootstrap whose only listener is read from a file in `directory`, and read again whenever that is replaced.
pub fn from_files(directory: &Path, upstream: &Addresses) -> Value {
    let mut bootstrap = bootstrap(&[], upstream);
    bootstrap["node"] = json!({ "id": "test", "cluster": "test" });
    bootstrap["dynamic_resources"] = json!({ "lds_config": file_source(&directory.join(LISTENER_FILE)) });
    bootstrap
}

const LISTENER_FILE: &str = "listener.json";
const FILTER_FILE: &str = "filter.json";

fn file_source(path: &Path) -> Value {
    json!({ "path_config_source": { "path": path }, "resource_api_version": "V3" })
}

/// Envoy reads a file again when another is moved into its place.
fn publish(path: &Path, resource: &Value) {
    let next = path.with_extension("next");
    fs::write(&next, json!({ "resources": [resource] }).to_string()).unwrap();
    fs::rename(&next, path).unwrap();
}

/// An RBAC filter that denies a path.
fn denial(path: &str) -> Value {
    json!({
        "name": format!("denial-of-{path}"),
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {
                "action": "DENY",
                "policies": { "path": {
                    "permissions": [{ "url_path": { "path": { "exact": path } } }],
                    "principals": [{ "any": true }],
                } },
            },
        },
    })
}

/// As in envoy.yaml.
/// What Envoy answers itself.
#[derive(Clone)]
struct Page {
    path: &'static str,
    media_type: &'static str,
    /// A `DataSource`.
    body: Value,
}

fn page_route(page: &Page) -> Value {
    let Page { path, media_type, body } = page;
    let past = json!({ "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true });
    json!({
        "match": { "path": path },
        "direct_response": { "status": 200, "body": body },
        "response_headers_to_add": [{
            "header": { "key": "content-type", "value": media_type },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
        "typed_per_filter_config": { "envoy.filters.http.lua": past, "envoy.filters.http.wasm": past },
    })
}

/// The whole configuration: these listeners, all clusters, the admin interface on a free port.
pub fn bootstrap(listeners: &[Listener], upstream: &Addresses) -> Value {
    let clusters = [
        (BACKEND, upstream.grpc),
        (AWKWARD, upstream.grpc),
        (LONG, upstream.grpc),
        (NARROW, upstream.grpc),
        (REFUSED, upstream.refused),
        (EMPTY, upstream.refused),
        (GARBAGE, upstream.garbage),
        (FAULTY, upstream.faulty),
        (PLAYED, upstream.faulty),
        (PARROT, upstream.parrot),
        (AUTHORIZER, upstream.authorizer),
        (PROCESSOR, upstream.grpc),
    ];
    json!({
        "admin": { "address": loopback(0) },
        "stats_config": stats_config(),
        "static_resources": {
            "listeners": listeners.iter().map(Listener::to_json).collect::<Vec<_>>(),
            "clusters": clusters.iter().map(|(name, address)| cluster(name, *address)).collect::<Vec<_>>(),
        },
    })
}

/// What of a metric's name is a label, as docs/operation.md has it.
fn stats_config() -> Value {
    let blocks = blocks(page("operation.md"), "yaml");
    let block = blocks.into_iter().find(|block| block.starts_with("stats_config:"));
    yaml(block.unwrap())["stats_config"].take()
}

/// Where the servers behind Envoy listen.
#[derive(Clone, Copy)]
pub struct Addresses {
    /// The gRPC server.
    pub grpc: SocketAddr,
    /// A port that is taken, and refuses connections.
    pub refused: SocketAddr,
    /// A server that answers with bytes that are no HTTP.
    pub garbage: SocketAddr,
    /// A server that breaks as it is told.
    pub faulty: SocketAddr,
    /// A server that says everything back.
    pub parrot: SocketAddr,
    /// A server that authorizes every request.
    pub authorizer: SocketAddr,
}

/// Adds a cluster of this one server.
pub fn add_cluster(bootstrap: &mut Value, name: &str, address: SocketAddr) {
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
    clusters.unwrap().push(cluster(name, address));
}

/// A cluster of this one server.
pub fn cluster(name: &str, address: SocketAddr) -> Value {
    let http2 = match name {
        NARROW | FAULTY | PLAYED => json!({ "initial_stream_window_size": WINDOW }),
        _ => json!({}),
    };
    let common = match name {
        FAULTY => json!({ "max_requests_per_connection": 1 }),
        _ => json!({}),
    };
    let explicit = match name {
        PARROT | AUTHORIZER => json!({ "http_protocol_options": {} }),
        _ => json!({ "http2_protocol_options": http2 }),
    };
    let endpoint = json!({ "lb_endpoints": [{ "endpoint": { "address": loopback(address.port()) } }] });
    let endpoints = if name == EMPTY { json!([]) } else { json!([endpoint]) };
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": explicit,
                "common_http_protocol_options": common,
            },
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": endpoints,
        },
    })
}

/// As envoy.yaml has it.
const FILL_BODY: &str = "function envoy_on_request(handle)
  local body = handle:body(true)
  if body and body:length() == 0 then body:setBytes(' ') end
end";

/// A route, behind others for its requests without a body, where the Lua filter is enabled: as in envoy.yaml.
fn with_routes_for_bodyless(route: Value) -> Vec<Value> {
    if route.get("route").is_none() {
        return vec![route];
    }
    let for_header = |name: &str, regex: &str| {
        let mut route = route.clone();
        let mut headers = route["match"]["headers"].as_array().cloned().unwrap_or_default();
        headers.push(json!({ "name": name, "string_match": { "safe_regex": { "regex": regex } } }));
        for absent in ["upgrade", "access-control-request-method"] {
            headers.push(json!({ "name": absent, "present_match": true, "invert_match": true }));
        }
        route["match"]["headers"] = json!(headers);
        route["typed_per_filter_config"] = json!({
            "envoy.filters.http.lua": {
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
                "config": {},
            },
        });
        route
    };
    vec![
        for_header(":method", "GET|DELETE|OPTIONS|REPORT|PURGE|LOCK"),
        for_header("content-length", "0"),
        route,
    ]
}

fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

/// The module as it is shipped.
pub const SHIPPED: &str = "target/wasm32-wasip1/release/protobridge.wasm";
/// The module as cargo alone makes it.
const UNLINKED: &str = "target/wasm32-wasip1/release/deps/protobridge.wasm";

fn module(path: &Path) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(
        path.exists(),
        "{} does not exist: make it with `make build`",
        path.display()
    );
    path
}
