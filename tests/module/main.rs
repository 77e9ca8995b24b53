//! Tests of the module as it is built and loaded, in an in-process host. One binary, so that the module is compiled once.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/markdown.rs"]
mod markdown;
#[path = "../envoy/bench/schema.rs"]
mod schema;

mod kit;

mod binding;
mod bridge;
mod compressed;
mod compression;
mod configuration;
mod depth;
mod dispatch;
mod documentation;
mod errors;
mod exposure;
mod forms;
mod harness_envoy_profile;
mod harness_kong_profile;
mod holding;
mod hooks;
mod host_calls;
mod json;
mod kong;
mod kong_headers;
mod manifests;
mod matching;
mod memory;
mod metadata;
mod observability;
mod openapi;
mod path_bound;
mod robustness;
mod security;
mod transforms;
