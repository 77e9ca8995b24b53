//! A gRPC method, and the rule by which HTTP reaches it.

use crate::schema::tables::MessageIndex;

/// A `google.api.HttpRule` (google/api/http.proto): how one method is reached over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    /// The full name of the method, or in the plugin configuration a pattern that ends in `.*`.
    pub selector: String,
    /// The HTTP method as it is sent, so in upper case for all common ones; `*` for any (`custom { kind: "*" }`).
    pub http_method: String,
    /// The path template.
    pub template: String,
    /// `""`, `"*"`, or the name of the request field that the body fills.
    pub body: String,
    /// `""`, or the name of the response field that is printed alone.
    pub response_body: String,
    /// Further ways to the same method; their own `additional_bindings` are empty.
    pub additional_bindings: Vec<HttpRule>,
}

/// A gRPC method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its number among the served methods.
    pub index: usize,
    /// `pkg.Service.Method`
    pub full_name: Box<str>,
    /// `pkg.Service`
    pub service: Box<str>,
    /// `Method`
    pub name: Box<str>,
    /// `/pkg.Service/Method`: the path of a gRPC request.
    pub path: Box<str>,
    /// The request message.
    pub input: MessageIndex,
    /// The response message.
    pub output: MessageIndex,
    /// Whether the client sends a stream of messages.
    pub client_streaming: bool,
    /// Whether the server sends a stream of messages.
    pub server_streaming: bool,
}
