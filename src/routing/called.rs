//! All methods by the paths of gRPC: as they are spelt, and as a lenient server might read them.

use std::cmp::Ordering;
use std::ops::Range;
use std::rc::Rc;

use super::method::Method;
use crate::text::percent::decode_all;

/// A path that names more services than this is that of none, and is taken for any.
const MAX_SERVICES: usize = 8;

/// The methods of all configured services.
#[derive(Debug, Default)]
pub(super) struct Called {
    /// By their paths.
    methods: Vec<Rc<Method>>,
    /// Positions among them, by service and name whatever the case.
    folded: Vec<usize>,
}

impl Called {
    pub(super) fn new(mut methods: Vec<Rc<Method>>) -> Self {
        methods.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let mut folded: Vec<_> = (0..methods.len()).collect();
        folded.sort_by(|one, other| match (methods.get(*one), methods.get(*other)) {
            (Some(one), Some(other)) => {
                compare(&one.service, other.service.as_bytes()).then_with(|| compare(&one.name, other.name.as_bytes()))
            }
            _ => Ordering::Equal,
        });
        Self { methods, folded }
    }

    /// The method whose path this is, byte for byte.
    pub(super) fn at(&self, path: &[u8]) -> Option<&Rc<Method>> {
        let found = self.methods.binary_search_by(|method| method.path.as_bytes().cmp(path));
        self.methods.get(found.ok()?)
    }

    /// A method, of those that `matters` chooses, whose service and then whose name are among the segments of `path`, whatever
    /// is before, between and behind them: percent-encoded ones are decoded, as often as they are encoded, and case doesn't
    /// count. So servers differ in what they take a path for: some decode it, drop what is behind a `;` or an empty segment,
    /// resolve `..`, or look at its end alone, and a gateway's route may cut its beginning off. What is behind a `?` or `#` is
    /// no part of it. The cost is linear in the path.
    pub(super) fn alike(&self, path: &[u8], matters: impl Fn(&Method) -> bool) -> Option<&Rc<Method>> {
        if let Some(method) = self.at(path)
            && matters(method)
        {
            return Some(method);
        }
        let decoded = decode_all(path);
        let path = decoded.split(|byte| matches!(byte, b'?' | b'#')).next()?;
        let mut services: Vec<Range<usize>> = Vec::new();
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        for segment in path.split(|byte| !is_name(byte)) {
            // A segment of dots alone is a step within the path.
            let segment = trim_dots(segment);
            if segment.is_empty() {
                continue;
            }
            let named = services.iter().flat_map(|service| self.named(service, segment));
            if let Some(method) = named.into_iter().find(|method| matters(method)) {
                return Some(method);
            }
            let service = self.service(segment);
            if !service.is_empty() && !services.contains(&service) {
                if services.len() == MAX_SERVICES {
                    return self.folded(service).find(|method| matters(method));
                }
                services.push(service);
            }
        }
        None
    }

    /// Where the methods of a service are, of this name whatever the case.
    fn service(&self, name: &[u8]) -> Range<usize> {
        let compared = |at: &usize| self.methods.get(*at).map(|method| compare(&method.service, name));
        let start = self.folded.partition_point(|at| compared(at) == Some(Ordering::Less));
        let end = self
            .folded
            .partition_point(|at| compared(at) != Some(Ordering::Greater));
        start..end
    }

    /// The methods of this name, whatever the case, of the service whose methods are there.
    fn named(&self, service: &Range<usize>, name: &[u8]) -> impl Iterator<Item = &Rc<Method>> {
        let methods = self.folded.get(service.clone()).unwrap_or_default();
        let compared = |at: &usize| self.methods.get(*at).map(|method| compare(&method.name, name));
        let start = methods.partition_point(|at| compared(at) == Some(Ordering::Less));
        let end = methods.partition_point(|at| compared(at) != Some(Ordering::Greater));
        self.folded(service.start + start..service.start + end)
    }

    fn folded(&self, range: Range<usize>) -> impl Iterator<Item = &Rc<Method>> {
        let found = self.folded.get(range).unwrap_or_default();
        found.iter().filter_map(|at| self.methods.get(*at))
    }
}

fn trim_dots(mut segment: &[u8]) -> &[u8] {
    while let [b'.', rest @ ..] | [rest @ .., b'.'] = segment {
        segment = rest;
    }
    segment
}

/// The order of two names without case.
fn compare(one: &str, other: &[u8]) -> Ordering {
    let folded = |bytes: &u8| bytes.to_ascii_lowercase();
    one.as_bytes().iter().map(folded).cmp(other.iter().map(folded))
}

#[cfg(test)]
mod tests {
    use crate::config::Plugin;

    const PROTO: &str = r#"
        syntax = "proto3";
        package shop.v1;
        import "google/api/annotations.proto";
        service Orders {
          rpc Create(M) returns (M) { option (google.api.http) = { post: "/orders" body: "*" }; }
          rpc Guess(M) returns (M);
        }
        service Stock { rpc Create(M) returns (M); rpc Take(M) returns (M); }
        message M { int32 number = 1; }
    "#;

    fn plugin() -> Plugin {
        Plugin::load(serde_json::json!({ "proto": PROTO }).to_string().as_bytes(), 0).unwrap()
    }

    #[test]
    fn a_method_is_found_by_its_path_whether_it_has_a_route_or_not() {
        let plugin = plugin();
        for (path, expected) in [
            ("/shop.v1.Orders/Create", Some("shop.v1.Orders.Create")),
            ("/shop.v1.Orders/Guess", Some("shop.v1.Orders.Guess")),
            ("/shop.v1.Stock/Take", Some("shop.v1.Stock.Take")),
            ("/shop.v1.orders/Create", None),
            ("/shop.v1.Orders/Create?x", None),
            ("/shop.v1.Orders/", None),
            ("", None),
        ] {
            let found = plugin.router.called(path.as_bytes());
            assert_eq!(found.map(|method| &*method.full_name), expected, "{path}");
        }
    }

    #[test]
    fn a_path_is_read_as_a_lenient_server_might() {
        let plugin = plugin();
        let guarded = "shop.v1.Orders.Create";
        let alike = [
            "/shop.v1.Orders/Create",
            "/shop.v1.orders/CREATE",
            "shop.v1.Orders/Create",
            "//shop.v1.Orders//Create/",
            "/shop.v1.Orders/Create?",
            "/shop.v1.Orders/Create?x=y",
            "/shop.v1.Orders/Create#x",
            "/shop.v1.Orders/Create;x=y",
            "/shop.v1.Orders;x=y/Create",
            "/shop.v1.Orders/./Create.",
            "/shop.v1.Orders/x/../Create",
            "/shop.v1.Orders/%43reate",
            "/shop.v1.Orders%2fCreate",
            "/shop.v1.Orders%252FCreate",
            "/shop%2Ev1.Orders/Create%00",
            "/shop.v1.Orders/Create%20",
            "\\shop.v1.Orders\\Create",
            "/shop.v1.Orders/Create%3Fx",
            "/api/shop.v1.Orders/Create",
            "http://host/shop.v1.Orders/Create",
            "/shop.v1.Stock/shop.v1.Orders/Create",
            "/shop.v1.Orders/shop.v1.Stock/../Create",
        ];
        for path in alike {
            let found = plugin
                .router
                .called_alike(path.as_bytes(), |method| &*method.full_name == guarded);
            assert_eq!(found.map(|method| &*method.full_name), Some(guarded), "{path}");
        }
        let others = [
            "",
            "/",
            "/shop.v1.Orders/Guess",
            "/shop.v1.Stock/Create",
            "/shop.v1.Orders",
            "/shop.v1.Orders/Creates",
            "/shop.v1.Orders2/Create",
            "/Create/shop.v1.Orders",
            "/Orders/Create",
            "/docs?method=/shop.v1.Orders/Create",
        ];
        for path in others {
            let found = plugin
                .router
                .called_alike(path.as_bytes(), |method| &*method.full_name == guarded);
            assert_eq!(found.map(|method| &*method.full_name), None, "{path}");
        }
    }
}
