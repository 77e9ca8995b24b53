//! Tests of the module in real Envoy. One binary; `cargo test --test envoy streams::` runs one capability's.

mod bench;

mod backpressure;
mod bridge;
mod browser;
mod buffers;
mod calls;
mod compression;
mod configuration;
mod differential;
mod dispatch;
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
