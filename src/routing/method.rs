//! A gRPC method, and the rule by which an HTTP request reaches it.

use crate::schema::tables::MessageIndex;

/// A `google.api.HttpRule` (google/api/http.proto): how one method is reached over HTTP.
///
/// Nothing of it has been checked: [`Router::build`](super::Router::build) does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRule {
    /// The full name of the method, `pkg.Service.Method`; in the plugin configuration also a prefix of names that ends
    /// in `.*`. Not read where the rule is a method's annotation.
    pub selector: String,
    /// The HTTP method as clients send it: `GET`. `*` stands for any (`custom { kind: "*" }`).
    pub http_method: String,
    /// The path template, in the grammar of [`template`](super::template).
    pub template: String,
    /// The name of the request field that the body fills; `*` for the whole request message, empty for no body.
    pub body: String,
    /// The name of the response field that is the whole HTTP response body; empty for the whole response message.
    pub response_body: String,
    /// Further ways to the same method. Their own `additional_bindings` have to be empty.
    pub additional_bindings: Vec<HttpRule>,
}

impl HttpRule {
    /// Whether the rule has neither an HTTP method nor a path. In the plugin configuration, one that is a selector alone
    /// takes away the annotations of the methods it selects; in the schema it is an error.
    pub fn is_without_path(&self) -> bool {
        self.http_method.is_empty() && self.template.is_empty()
    }
}

/// A gRPC method that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its position among the served methods, from 0.
    pub index: usize,
    /// The full name: `pkg.Service.Method`.
    pub full_name: Box<str>,
    /// The full name of its service: `pkg.Service`.
    pub service: Box<str>,
    /// The name within its service: `Method`.
    pub name: Box<str>,
    /// The `:path` of a gRPC request: `/pkg.Service/Method` (`doc/PROTOCOL-HTTP2.md`, "Requests").
    pub path: Box<str>,
    /// The type of its request message.
    pub input: MessageIndex,
    /// The type of its response message.
    pub output: MessageIndex,
    /// Whether the client sends a stream of messages.
    pub client_streaming: bool,
    /// Whether the server sends a stream of messages.
    pub server_streaming: bool,
}

impl Method {
    /// Whether there is one message either way.
    pub fn is_unary(&self) -> bool {
        !self.client_streaming && !self.server_streaming
    }
}
