//! From an HTTP method, path and query to a gRPC method and the fields that path and query bind.

/// A `google.api.HttpRule` (google/api/http.proto): how one method is reached over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    /// The full name of the method, or in the plugin configuration a pattern that ends in `.*`.
    pub selector: String,
    /// The HTTP method, upper case; `*` for any (`custom { kind: "*" }`).
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
