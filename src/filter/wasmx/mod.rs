//! WasmX, the proxy-wasm host of Kong and nginx: all that is done differently there.
//!
//! - `context`: one exchange. `request`, `response`: what the host says of them, and what is done about it.
//! - [`original`]: the request as the client sent it. [`headers`]: header lists, and edits that nginx takes.
//!
//! It differs from Envoy in more than names:
//!
//! - There is no gRPC call API: the functions trap. A request goes on in place, always.
//! - A request's body comes whole, and not at all where it is empty: then one is made at the headers, but only where
//!   there certainly is none. The bytes of a body that is there would be read as the next request. One that may still
//!   turn out empty waits under a path that no service has.
//! - Response headers go out at once, trailers have no callback: they are properties by the last part of the body, and
//!   what is known then can only be told in the body. Late changes of headers trap, as does a reset.
//! - A trap anywhere replaces the instance that all requests share; what it knew of them is gone.
//!
//! Sources: HTTP and property handling of `ngx_wasm_module` (`ngx_http_proxy_wasm.c`, `ngx_proxy_wasm_maps.c`,
//! `ngx_http_wasm_headers_request.c`) and nginx's HTTP/2 (`ngx_http_v2.c`), run in Kong 3.9.

#[cfg(target_arch = "wasm32")]
pub mod context;
mod headers;
mod original;
#[cfg(target_arch = "wasm32")]
mod request;
#[cfg(target_arch = "wasm32")]
mod response;
