//! One small exchange, as Envoy tells of it: what surrounds the codec for every request.

use std::rc::Rc;

use protobridge::config::Plugin;
use protobridge::exchange::{Abilities, Exchange, RequestStep, ResponseStep, Workspace};
use protobridge::http::headers::Headers;

const JSON: &[u8] = br#"{"name":"shelves/7/books/1234","title":"The Left Hand of Darkness","pageCount":304}"#;

/// A configuration, and the memory that exchanges leave to each other.
pub struct Exchanges {
    plugin: Rc<Plugin>,
    workspace: Workspace,
    /// The request's message, which is the answer's too.
    frame: Vec<u8>,
}

impl Exchanges {
    pub fn new() -> Self {
        let configuration = serde_json::json!({ "proto": include_str!("../bench.proto") });
        let plugin = Plugin::load(configuration.to_string().as_bytes(), 7).expect("a configuration");
        Self {
            plugin: Rc::new(plugin),
            workspace: Workspace::default(),
            frame: Vec::new(),
        }
    }

    /// The headers of the request and of its answer, and the trailers.
    pub fn headers() -> [Headers; 3] {
        let request = [
            (":authority", "bench"),
            (":path", "/v1/book"),
            (":method", "POST"),
            (":scheme", "http"),
            ("user-agent", "bench"),
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("content-length", "84"),
            ("x-request-id", "0af76519-16cd-43dd-8448-eb211c80319c"),
        ];
        let answer = [(":status", "200"), ("content-type", "application/grpc")];
        [headers(&request), headers(&answer), headers(&[("grpc-status", "0")])]
    }

    /// A unary request with a body, and its answer, which the headers wait for.
    pub fn unary(&mut self, [request, answer, trailers]: [Headers; 3]) {
        let Self {
            plugin,
            workspace,
            frame,
        } = self;
        let abilities = Abilities::envoy(true, None);
        let mut exchange = Exchange::new(Rc::clone(plugin));
        exchange.request_headers(request, false, abilities, workspace);
        exchange.request_chunk(JSON, false, abilities, workspace);
        match exchange.request_chunk(b"", true, abilities, workspace) {
            RequestStep::Forward(forward) => forward.body.clone_into(frame),
            step => panic!("expected the request to go on, found {step:?}"),
        }
        exchange.response_headers(answer, false, None, abilities, workspace);
        exchange.response_chunk(frame, false, workspace);
        let step = exchange.response_chunks_ended(trailers, workspace);
        assert!(matches!(step, ResponseStep::RewriteHeaders(_)), "{step:?}");
    }
}

fn headers(fields: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in fields {
        headers.push(name.as_bytes(), value.as_bytes());
    }
    headers
}
