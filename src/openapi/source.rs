//! What a document is made of, and what is asked of it.

use std::collections::BTreeSet;
use std::rc::Rc;

use prost_reflect::DescriptorPool;
use serde_json::{Map, Value};

use super::changes::Changes;
use crate::codec::{BoundField, ParseOptions, PrintOptions};
use crate::grpc::ErrorFormat;
use crate::routing::template::BasePath;
use crate::routing::{Method, Methods, Route};
use crate::schema::Comments;
use crate::schema::tables::Tables;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The path of the document.
    pub path: String,
    /// The path of the page.
    pub page: Option<String>,
    /// The title; unset, the names of the services.
    pub title: Option<String>,
    /// The version; unset, that of the package.
    pub version: Option<String>,
    /// What is said of all, as Markdown.
    pub description: Option<String>,
    /// The URLs at which clients find the gateway.
    pub servers: Vec<String>,
    /// Security schemes by their names, any of which is enough.
    pub security: Map<String, Value>,
    /// Where the files of Swagger UI are.
    pub assets: Option<String>,
    /// The labels of `google.api.visibility` whose elements are shown.
    pub include: BTreeSet<String>,
    /// The methods that aren't shown, by [`Method::index`].
    pub excluded: Vec<bool>,
}

/// What a document is made of.
pub struct Source<'s> {
    /// The schema's messages and enums.
    pub tables: &'s Tables,
    /// The schema.
    pub pool: &'s DescriptorPool,
    /// What is said in it.
    pub comments: &'s Comments,
    /// All ways to its methods.
    pub routes: &'s [Rc<Route>],
    /// The served methods.
    pub methods: &'s Methods,
    /// What their paths are below.
    pub base_path: &'s BasePath,
    /// How JSON is read.
    pub parse: &'s ParseOptions,
    /// How JSON is written.
    pub print: &'s PrintOptions,
    /// How errors are written.
    pub errors: ErrorFormat,
    /// The HTTP status of a method's successes.
    pub status: &'s dyn Fn(&Method) -> u16,
    /// What is asked for.
    pub options: &'s Options,
    /// What the gateway changes in messages.
    pub changes: Changes,
}

impl Source<'_> {
    pub(super) fn included(&self) -> &BTreeSet<String> {
        &self.options.include
    }

    pub(super) fn is_excluded(&self, method: &Method) -> bool {
        self.options.excluded.get(method.index) == Some(&true)
    }

    /// The fields of a method's request that the gateway sets, whatever a client sends.
    pub(super) fn sets(&self, method: &Method) -> &[BoundField] {
        self.changes.sets(method)
    }
}
