//! Tests of the module in real Envoy. One binary; `cargo test --test envoy streams::` runs one capability's.

mod bench;
#[path = "../harness/markdown.rs"]
mod markdown;
#[path = "../harness/pages.rs"]
mod pages;

mod backpressure;
mod bridge;
mod browser;
mod buffers;
mod calls;
mod compression;
mod configuration;
mod differential;
mod dispatch;
mod documentation;
mod errors;
mod expectations;
mod exposure;
mod faults;
mod holding;
mod hooks;
mod hostile;
mod image;
mod memory;
mod metadata;
mod native;
mod observability;
mod openapi;
mod original_path;
mod platforms;
mod records;
mod reload;
mod robustness;
mod routes;
mod security;
mod soak;
mod streams;
mod transforms;
mod unary;
mod uploads;
