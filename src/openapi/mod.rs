//! What is served, as an OpenAPI document, and a page that shows it.
//!
//! A document is made once, when a configuration is loaded, and only where one is asked for. It says what the gateway does:
//! what it describes of a request is accepted, what it describes of an answer is printed, by the same settings.
//!
//! - `operations`: routes as paths, parameters, bodies and answers. `template`: path templates, written out.
//!   `query`: fields as query parameters.
//! - `schemas`: messages and enums as components. `values`: all other values.
//! - `options`: what Google's options say to clients. `swagger`: what grpc-gateway's do.
//! - `source`: what a document is made of. `changes`: which fields the gateway sets itself.
//! - `writer`: the text of the document.
//! - `page`: the page.
//! - `resource`: how all of it is served.
//!
//! Sources: OpenAPI Specification 3.1.0; JSON Schema draft 2020-12.

mod changes;
mod operations;
mod options;
mod page;
mod query;
mod resource;
mod schemas;
mod source;
mod swagger;
mod template;
mod values;
mod writer;

use std::rc::Rc;

use serde_json::{Map, Value, json};

pub use self::changes::Changes;
use self::operations::Operations;
pub use self::resource::{ALLOW, CACHE_CONTROL, Resource};
pub use self::source::{Options, Source};
use self::swagger::{Security, Whole};
use self::writer::Writer;
use crate::routing::Route;
use crate::routing::template::{BasePath, Segment, Template};

/// A document and its page, ready to be served.
#[derive(Debug)]
pub struct Document(
    /// By their paths; a few.
    Vec<(Box<str>, Resource)>,
);

impl Document {
    /// Makes the document.
    pub fn new(source: &Source<'_>) -> Self {
        let options = source.options;
        let whole = Whole::new(source.methods.services());
        let mut resources = vec![(options.path.as_str().into(), Resource::json(document(source, &whole)))];
        if let Some(page) = &options.page {
            let title = info(source, &whole).shift_remove("title").unwrap_or_default();
            page::add(page, title.as_str().unwrap_or_default(), options, &mut resources);
        }
        Self(resources)
    }

    /// What is at this path of a request, without its query.
    pub fn at(&self, path: &[u8]) -> Option<&Resource> {
        let mut resources = self.0.iter();
        let (_, resource) = resources.find(|(known, _)| known.as_bytes() == path)?;
        Some(resource)
    }

    /// All paths that are taken.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, _)| &**path)
    }

    /// How many bytes are kept.
    pub fn footprint(&self) -> usize {
        self.0
            .iter()
            .map(|(path, resource)| path.len() + resource.length())
            .sum()
    }
}

/// The template of a route that has exactly this path, without a variable or wildcard: it would never be reached.
pub fn taken<'r>(path: &str, routes: &'r [Rc<Route>], base_path: &BasePath) -> Option<&'r Route> {
    let decoded = Template::parse(path).ok()?;
    let routes = routes.iter().map(|route| &**route);
    routes.into_iter().find(|route| {
        let template = Template::parse(&route.binding.template);
        template.is_ok_and(|mut template| {
            template.put_under(base_path);
            let is_literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
            template.segments.iter().all(is_literal)
                && template.segments == decoded.segments
                && template.verb == decoded.verb
        })
    })
}

fn document(source: &Source<'_>, whole: &Whole) -> Vec<Box<[u8]>> {
    let options = source.options;
    let security = match options.security.is_empty() {
        true => whole.security(),
        false => Security::of(&options.security),
    };
    let Operations { paths, tags, schemas } = Operations::new(source, whole, &security);
    let mut out = Writer::new();
    out.value("openapi", "3.1.0");
    out.value("info", info(source, whole));
    if !options.servers.is_empty() {
        let servers: Value = options.servers.iter().map(|url| json!({ "url": url })).collect();
        out.value("servers", servers);
    }
    if !security.any.is_empty() {
        out.value("security", security.any);
    }
    if !tags.is_empty() {
        out.value("tags", tags);
    }
    out.open("paths");
    for item in paths {
        item.write(&mut out);
    }
    out.close();
    out.open("components");
    out.open("schemas");
    for (name, schema) in schemas {
        out.text(&name, schema);
    }
    out.close();
    if !security.schemes.is_empty() {
        out.value("securitySchemes", security.schemes);
    }
    out.close();
    for (name, value) in whole.more() {
        out.value(&name, value);
    }
    out.finish()
}

/// What is said of the whole: by the configuration, else by grpc-gateway's options of a file, else by names.
fn info(source: &Source<'_>, whole: &Whole) -> Map<String, Value> {
    let services = source.methods.services();
    let names: Vec<_> = services.iter().map(|service| service.name().to_owned()).collect();
    let package = services
        .first()
        .map(|service| service.parent_file().package_name().to_owned());
    let version = package.as_deref().and_then(|package| package.rsplit('.').next());
    let is_version = |name: &&str| {
        let number = name.strip_prefix('v').unwrap_or_default();
        number.starts_with(|first: char| first.is_ascii_digit())
    };
    let mut info = Map::new();
    info.insert("title".to_owned(), names.join(", ").into());
    if let [only] = services {
        let said = source.comments.get(only.full_name());
        if let Some(said) = said {
            info.insert("description".to_owned(), said.into());
        }
    }
    info.insert(
        "version".to_owned(),
        version.filter(is_version).unwrap_or("unversioned").into(),
    );
    whole.info(&mut info);
    let options = source.options;
    for (key, text) in [
        ("title", &options.title),
        ("description", &options.description),
        ("version", &options.version),
    ] {
        if let Some(text) = text {
            info.insert(key.to_owned(), text.as_str().into());
        }
    }
    info
}

#[cfg(test)]
mod tests;
