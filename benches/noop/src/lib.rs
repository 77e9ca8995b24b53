//! A filter that is called for everything and does nothing: the floor of `make bench-envoy`.

#[cfg(target_arch = "wasm32")]
mod filter {
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::ContextType;

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(Nothing));
    }}

    struct Nothing;

    impl Context for Nothing {}

    impl HttpContext for Nothing {}

    impl RootContext for Nothing {
        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }

        fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Nothing))
        }
    }
}
