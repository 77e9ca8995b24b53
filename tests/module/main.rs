//! Tests of the module as it is built and loaded, in an in-process host. One binary, so that the module is compiled once.

#[path = "../harness/mod.rs"]
mod harness;

mod harness_envoy_profile;
