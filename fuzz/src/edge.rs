//! The schema that the targets at the edge use, and routers over it.

use std::sync::LazyLock;

use prost_reflect::MessageDescriptor;
use protobridge::routing::template::BasePath;
use protobridge::routing::{AutoMapping, HttpRule, Methods, Router, RoutingError};
use protobridge::schema::tables::Tables;
use protobridge::schema::{Schema, Source};
use protobridge::text::problems::Problems;

/// The files of the schema, by import path.
pub const FILES: [(&str, &str); 3] = [
    ("edge.proto", include_str!("../edge.proto")),
    (
        "everything.proto",
        include_str!("../../proto-fixtures/everything.proto"),
    ),
    ("old.proto", include_str!("../old.proto")),
];

/// The schema, compiled.
pub struct Edge {
    pub schema: Schema,
    pub tables: Tables,
}

pub static EDGE: LazyLock<Edge> = LazyLock::new(|| {
    let files = FILES.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let schema = Schema::compile(Source::Protos(&files), 1 << 20).expect("the schema");
    let tables = Tables::build(schema.pool(), schema.features(), 0x5eed);
    Edge { schema, tables }
});

impl Edge {
    pub fn message(&self, name: &str) -> MessageDescriptor {
        self.schema.pool().get_message_by_name(name).expect(name)
    }

    /// A router that has these rules and no others.
    pub fn router(&self, rules: &[HttpRule]) -> Result<Router, Problems<RoutingError>> {
        let service = self
            .schema
            .pool()
            .get_service_by_name("edge.Edge")
            .expect("the service");
        let methods = Methods::of(vec![service], &[], true);
        Router::build(&self.tables, &methods, rules, AutoMapping::None, &BasePath::default())
    }
}

/// The rule for a method of `edge.Edge`.
pub fn rule(method: &str, http_method: &str, template: &str, body: &str) -> HttpRule {
    HttpRule {
        selector: format!("edge.Edge.{method}"),
        http_method: http_method.to_owned(),
        template: template.to_owned(),
        body: body.to_owned(),
        response_body: String::new(),
        additional_bindings: Vec::new(),
    }
}
