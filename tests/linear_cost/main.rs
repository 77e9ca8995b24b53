//! What the module does with an exchange grows no faster than the exchange, whatever a client or an upstream sends.
//!
//! The measure is wasmtime's fuel, the same on every machine and in every run: one unit for each instruction of the module,
//! and one for each byte that a bulk operation copies or fills. Each shape of input is taken through the module as a gateway
//! runs it, at one size and at twice that size. With `PRINT_COST=1` and `--nocapture`, the test prints what it measures.

mod growth;
mod host;
mod shapes;

mod compressed;
mod exchanges;
mod hooks;
mod native;
mod past;
mod schemas;
mod transforms;
