use prost_reflect::{DescriptorPool, ServiceDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::template::Template;
use super::*;
use crate::codec::BoundField;
use crate::schema::Features;
use crate::schema::tables::FieldIndex;

/// google/api/http.proto and annotations.proto, without their comments.
const HTTP: &str = r#"
    syntax = "proto3";
    package google.api;
    message Http { repeated HttpRule rules = 1; bool fully_decode_reserved_expansion = 2; }
    message HttpRule {
      string selector = 1;
      oneof pattern {
        string get = 2; string put = 3; string post = 4; string delete = 5; string patch = 6;
        CustomHttpPattern custom = 8;
      }
      string body = 7;
      string response_body = 12;
      repeated HttpRule additional_bindings = 11;
    }
    message CustomHttpPattern { string kind = 1; string path = 2; }
"#;
const ANNOTATIONS: &str = r#"
    syntax = "proto3";
    package google.api;
    import "google/api/http.proto";
    import "google/protobuf/descriptor.proto";
    extend google.protobuf.MethodOptions { HttpRule http = 72295728; }
"#;

/// What every test schema starts with.
const HEADER: &str = r#"
    package t;
    import "google/api/annotations.proto";
    import "google/protobuf/any.proto";
    import "google/protobuf/duration.proto";
    import "google/protobuf/empty.proto";
    import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";
"#;

/// A request message with every sort of field, and a response.
const MESSAGES: &str = r#"
    message Req {
      string id = 1;
      string name = 2;
      int32 page_size = 3 [json_name = "pageSize"];
      repeated string tags = 4;
      map<string, string> labels = 5;
      Book book = 6;
      repeated Book books = 7;
      Color color = 8;
      oneof choice { string left = 9; string right = 10; Book inner = 11; }
      google.protobuf.Timestamp time = 12;
      google.protobuf.Struct data = 13;
      google.protobuf.Value value = 14;
      google.protobuf.Any any = 15;
      google.protobuf.ListValue list = 16;
      google.protobuf.StringValue wrapped = 17;
      google.protobuf.FieldMask update_mask = 18;
      bytes raw = 19;
      bool flag = 20;
      repeated Color colors = 21;
      google.protobuf.Empty empty = 22;
      Req self = 23;
      repeated int32 numbers = 24;
      google.protobuf.Duration span = 25;
      repeated google.protobuf.Timestamp times = 26;
      optional string maybe = 27;
      map<int32, Color> colors_by_number = 28;
      map<bool, int64> counts = 29;
      map<string, Book> books_by_name = 30;
      map<string, google.protobuf.Timestamp> times_by_name = 31;
    }
    message Book {
      string title = 1;
      Author author_info = 2;
      int64 pages = 3;
      oneof kind { string paper = 4; string audio = 5; }
      repeated string words = 6;
      map<string, string> notes = 7;
    }
    message Author { string full_name = 1; int32 born = 2; }
    enum Color { NONE = 0; RED = 1; BLUE = 2; }
    message Res { string text = 1; repeated string items = 2; Book book = 3; }
"#;

#[derive(Debug)]
struct Sources(Vec<(&'static str, String)>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

pub(super) struct Fixture {
    pub(super) pool: DescriptorPool,
    pub(super) tables: Tables,
    services: Vec<ServiceDescriptor>,
}

impl Fixture {
    /// Compiles `text` behind the header and the messages.
    pub(super) fn new(text: &str) -> Self {
        Self::compiled(format!("syntax = \"proto3\"; {HEADER} {MESSAGES} {text}"))
    }

    /// A proto2 schema of `messages` and a method `t.S.A` from `Req` to `Req`.
    pub(super) fn proto2(messages: &str, rule: &str) -> Self {
        Self::compiled(format!(
            "syntax = \"proto2\"; {HEADER} {messages}
             service S {{ rpc A(Req) returns (Req) {{ option (google.api.http) = {{ {rule} }}; }} }}"
        ))
    }

    fn compiled(text: String) -> Self {
        let mut resolver = ChainFileResolver::new();
        resolver.add(Sources(vec![
            ("test.proto", text),
            ("google/api/http.proto", HTTP.into()),
            ("google/api/annotations.proto", ANNOTATIONS.into()),
        ]));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        if let Err(error) = compiler.open_file("test.proto") {
            panic!("{error:?}");
        }
        let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap();
        Self {
            tables: Tables::build(&pool, &Features::default(), 1),
            services: pool.services().collect(),
            pool,
        }
    }

    /// A service `t.S` with one method a line: `Name options`, `Name` taking `Req` and giving `Res`.
    pub(super) fn methods<'m>(methods: impl IntoIterator<Item = (&'m str, &'m str)>) -> Self {
        let methods: Vec<_> = methods
            .into_iter()
            .map(|(name, rule)| {
                let option = match rule {
                    "" => String::new(),
                    rule => format!("option (google.api.http) = {{ {rule} }};"),
                };
                format!("rpc {name}(Req) returns (Res) {{ {option} }}\n")
            })
            .collect();
        Self::new(&format!("service S {{ {} }}", methods.concat()))
    }

    pub(super) fn router(
        &self,
        rules: &[HttpRule],
        auto_mapping: AutoMapping,
    ) -> Result<Router, Problems<RoutingError>> {
        self.router_below("", rules, auto_mapping)
    }

    fn router_below(
        &self,
        base_path: &str,
        rules: &[HttpRule],
        auto_mapping: AutoMapping,
    ) -> Result<Router, Problems<RoutingError>> {
        let base_path = BasePath::parse(base_path).unwrap();
        let methods = Methods::of(self.services.clone(), &self.services, true);
        Router::build(&self.tables, &methods, rules, auto_mapping, &base_path)
    }

    /// What is wrong with the rules.
    fn problems(&self, rules: &[HttpRule], auto_mapping: AutoMapping) -> Vec<RoutingError> {
        let problems = self.router(rules, auto_mapping).unwrap_err();
        assert_eq!(problems.more(), 0);
        problems.shown().to_vec()
    }
}

fn rule(selector: &str, http_method: &str, template: &str) -> HttpRule {
    HttpRule {
        selector: selector.into(),
        http_method: http_method.into(),
        template: template.into(),
        body: String::new(),
        response_body: String::new(),
        additional_bindings: Vec::new(),
    }
}

/// A router with one method for each of `templates`, `GET /a/{id}`, named M0, M1, … in their order.
fn router(templates: &[&str]) -> Router {
    let names: Vec<_> = (0..templates.len()).map(|index| format!("M{index}")).collect();
    let fixture = Fixture::methods(names.iter().map(|name| (name.as_str(), "")));
    let rules: Vec<_> = names
        .iter()
        .zip(templates)
        .map(|(name, template)| {
            let (http_method, template) = template.split_once(' ').unwrap();
            rule(&format!("t.S.{name}"), http_method, template)
        })
        .collect();
    fixture.router(&rules, AutoMapping::None).unwrap()
}

/// Templates as `router` takes them, and requests with what `found` says of them.
type RoutingTable = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// What `find` says: `M1 capture|capture`, or what went wrong.
fn found(router: &Router, request: &str) -> String {
    let (http_method, path) = request.split_once(' ').unwrap();
    found_bytes(router, http_method, path.as_bytes())
}

fn found_bytes(router: &Router, http_method: &str, path: &[u8]) -> String {
    let mut captures = Captures::default();
    match router.find(http_method, path, &mut captures) {
        Match::Route(route) => {
            let values: Vec<_> = captures.values().collect();
            assert_eq!(values.len(), route.binding.variables.len());
            format!("{} {}", route.method.name, values.join("|")).trim_end().into()
        }
        Match::WrongMethod { allow } => format!("405 {allow}"),
        Match::NoRoute => "404".into(),
        Match::Malformed(message) => format!("400 {message}"),
    }
}

#[test]
fn a_path_finds_its_most_specific_template_whatever_the_order() {
    // What a request finds is a position among the templates.
    let tables: &[RoutingTable] = &[
        (
            &["GET /a/b", "GET /a/*", "GET /a/**"],
            &[
                ("GET /a/b", "0"),
                ("GET /a/c", "1"),
                ("GET /a/b/c", "2"),
                ("GET /a", "2"),
                ("GET /a/", "2"),
                ("GET /", "404"),
                ("GET /b", "404"),
            ],
        ),
        (
            // The literal `b` leads nowhere: back to `*`.
            &["GET /a/b/c", "GET /a/*/d", "GET /**"],
            &[
                ("GET /a/b/d", "1"),
                ("GET /a/b/c", "0"),
                ("GET /a/b/e", "2"),
                ("GET /", "2"),
                ("GET /a", "2"),
            ],
        ),
        (
            // An earlier literal outweighs a later one.
            &["GET /a/*/*", "GET /*/b/c"],
            &[("GET /a/b/c", "0"), ("GET /x/b/c", "1"), ("GET /x/b/d", "404")],
        ),
        (
            // Literals after `**`: the longest tail, and any tail before none.
            &["GET /a/**", "GET /a/**/z", "GET /a/**/y/z", "GET /a/*/z"],
            &[
                ("GET /a/1/2/z", "1"),
                ("GET /a/1/y/z", "2"),
                ("GET /a/y/z", "3"),
                ("GET /a/z", "1"),
                ("GET /a/1/z", "3"),
                ("GET /a/1/2", "0"),
                ("GET /a/1/z/", "0"),
            ],
        ),
        (
            // The longest tail, and of equally long ones a literal before `*` from the left.
            &[
                "GET /a/**",
                "GET /a/**/*",
                "GET /a/**/z",
                "GET /a/**/y/*",
                "GET /a/**/*/z",
                "GET /a/**/*/*/*",
            ],
            &[
                ("GET /a", "0"),
                ("GET /a/", "0"),
                ("GET /a/1/", "0"),
                ("GET /a/1", "1"),
                ("GET /a/z", "2"),
                ("GET /a/y/z", "3"),
                ("GET /a/y/1", "3"),
                ("GET /a/1/z", "4"),
                ("GET /a/1/2", "1"),
                ("GET /a/1/y/z", "5"),
                ("GET /a/1//z", "2"),
            ],
        ),
        (
            // `*` before `**`, wherever the segments after it.
            &["GET /a/*", "GET /a/**/*", "GET /**/b", "GET /a/*/**/*"],
            &[
                ("GET /a/b", "0"),
                ("GET /c/b", "2"),
                ("GET /a/c/b", "3"),
                ("GET /c/d", "404"),
            ],
        ),
        (
            &["GET /**/z", "GET /a/**/z"],
            &[
                ("GET /z", "0"),
                ("GET /a/z", "1"),
                ("GET /b/z", "0"),
                ("GET /z/a", "404"),
            ],
        ),
        (
            // A less specific template that has the method, before 405.
            &["POST /a/b", "GET /a/*", "PUT /a/**", "DELETE /a/b"],
            &[
                ("POST /a/b", "0"),
                ("GET /a/b", "1"),
                ("PUT /a/b", "2"),
                ("PATCH /a/b", "405 DELETE, GET, POST, PUT"),
                ("PATCH /a/x", "405 GET, PUT"),
                ("HEAD /a/b", "405 DELETE, GET, POST, PUT"),
                ("HEAD /b", "404"),
            ],
        ),
        (
            &["* /a", "GET /a", "HEAD /b", "PURGE /b"],
            &[
                ("GET /a", "1"),
                ("POST /a", "0"),
                ("OPTIONS /a", "0"),
                ("HEAD /b", "2"),
                ("PURGE /b", "3"),
                ("purge /b", "405 HEAD, PURGE"),
            ],
        ),
        (
            &["GET /"],
            &[
                ("GET /", "0"),
                ("GET //", "404"),
                ("GET /a", "404"),
                ("POST /", "405 GET"),
            ],
        ),
    ];
    for (templates, requests) in tables {
        for reversed in [false, true] {
            let mut order: Vec<_> = (0..templates.len()).collect();
            if reversed {
                order.reverse();
            }
            let router = router(&order.iter().map(|index| templates[*index]).collect::<Vec<_>>());
            for (request, expected) in *requests {
                let expected = match expected.parse::<usize>() {
                    Ok(index) if index < templates.len() => {
                        format!("M{}", order.iter().position(|at| *at == index).unwrap())
                    }
                    _ => (*expected).to_owned(),
                };
                assert_eq!(
                    found(&router, request),
                    expected,
                    "{request} in {templates:?}, reversed: {reversed}"
                );
            }
        }
    }
}

#[test]
fn wildcards_capture_what_they_should() {
    let cases = [
        ("/a/{id}", "/a/x", "M0 x"),
        ("/a/{id}", "/a/", "404"),
        ("/a/{id}", "/a", "404"),
        ("/a/{id}", "/a/x/", "404"),
        ("/a/{id}", "/a/x/y", "404"),
        ("/a/{id=*}", "/a/x", "M0 x"),
        ("/a/{id=**}", "/a/x/y", "M0 x/y"),
        ("/a/{id=**}", "/a", "M0"),
        ("/a/{id=**}", "/a/", "M0"),
        ("/a/{id=**}", "/a//x", "M0 /x"),
        ("/a/{id=**}", "/a/x/", "M0 x/"),
        ("/{id=**}", "/", "M0"),
        ("/{id=**}", "/x", "M0 x"),
        ("/{id=rooms/**}", "/rooms", "M0 rooms"),
        ("/{id=rooms/**}", "/rooms/", "M0 rooms/"),
        ("/{id=rooms/**}", "/rooms/1/2", "M0 rooms/1/2"),
        ("/{id=rooms/**}", "/room", "404"),
        (
            "/{id=rooms/*}/x/{name=beds/*}",
            "/rooms/1/x/beds/2",
            "M0 rooms/1|beds/2",
        ),
        ("/{name}/{id}", "/x/y", "M0 x|y"),
        ("/a/{id=**}/z", "/a/z", "M0"),
        ("/a/{id=**}/z", "/a/1/2/z", "M0 1/2"),
        ("/a/{id=b/**/y}/z", "/a/b/y/z", "M0 b/y"),
        ("/a/{id=b/**/y}/z", "/a/b/1/y/z", "M0 b/1/y"),
        ("/a/{id=b/**}/{name=z}", "/a/b/1/z", "M0 b/1|z"),
        ("/{id}/**/{name=z}", "/1/z", "M0 1|z"),
        ("/a/{id=**}/{name}", "/a/x", "M0 |x"),
        ("/a/{id=**}/{name}", "/a/1/2/x%2Fy", "M0 1/2|x/y"),
        ("/a/{id=**}/{name}", "/a", "404"),
        ("/a/{id=**}/{name}", "/a/1/", "404"),
        ("/a/{id=**}/*/{name}:v", "/a/1/2/3:v", "M0 1|3"),
        ("/a/{id=**/x/*}/{name=z/*}", "/a/0/x/1/z/2", "M0 0/x/1|z/2"),
        (
            "/v1/{name=projects/*/databases/*/documents/**}/{id}",
            "/v1/projects/p/databases/d/documents/rooms/1/beds",
            "M0 projects/p/databases/d/documents/rooms/1|beds",
        ),
        (
            "/v1/{name=projects/*/databases/*/documents/**}/{id}",
            "/v1/projects/p/databases/d/documents/rooms",
            "M0 projects/p/databases/d/documents|rooms",
        ),
        ("/{id=a}/b", "/a/b", "M0 a"),
        ("/a/*/{id}", "/a/x/y", "M0 y"),
    ];
    for (template, path, expected) in cases {
        let router = router(&[&format!("GET {template}")]);
        assert_eq!(found(&router, &format!("GET {path}")), expected, "{path} in {template}");
    }
}

#[test]
fn escapes_are_decoded_once_and_by_the_kind_of_capture() {
    let cases = [
        ("/a/{id}", "/a/x%20y", "M0 x y"),
        ("/a/{id}", "/a/x%2Fy%2fz", "M0 x/y/z"),
        ("/a/{id=**}", "/a/x%2Fy%2fz%20/q", "M0 x%2Fy%2fz /q"),
        ("/a/{id=b/*}", "/a/b/x%2Fy", "M0 b/x%2Fy"),
        ("/a/{id=b/*}", "/a/%62/x", "M0 b/x"),
        ("/a/{id}", "/a/%252F", "M0 %2F"),
        ("/a/{id=**}", "/a/%252F", "M0 %2F"),
        ("/a/{id}", "/a/x+y", "M0 x+y"),
        ("/a/{id}", "/a/%C3%A9", "M0 é"),
        ("/a/{id}", "/a/é", "M0 é"),
        ("/a/{id}", "/a/%E2%82", "400 the path's value of `id` isn't UTF-8"),
        ("/a/{id}", "/a/%00", "M0 \0"),
        ("/caf%C3%A9/{id}", "/café/x", "M0 x"),
        ("/café/{id}", "/caf%c3%a9/x", "M0 x"),
        ("/a%2Fb/{id}", "/a%2fb/x", "M0 x"),
        ("/a%2Fb/{id}", "/a/b/x", "404"),
        ("/a/{id}", "/%61/x", "M0 x"),
        (
            "/a/{id}",
            "/a/x%zz",
            "400 malformed escape `%zz` at byte 4 of the path: expected `%` and two hexadecimal digits",
        ),
        (
            "/a/{id}",
            "/a/%",
            "400 malformed escape `%` at byte 3 of the path: expected `%` and two hexadecimal digits",
        ),
        (
            "/a/*",
            "/a/%2",
            "400 malformed escape `%2` at byte 3 of the path: expected `%` and two hexadecimal digits",
        ),
        (
            "/a/{id=**}",
            "/a/b/%4g/c",
            "400 malformed escape `%4g` at byte 5 of the path: expected `%` and two hexadecimal digits",
        ),
        // Not this router's to judge.
        ("/a/{id}", "/b/%zz", "404"),
        ("/a/{id}", "/%61%/x", "404"),
    ];
    for (template, path, expected) in cases {
        let router = router(&[&format!("GET {template}")]);
        assert_eq!(found(&router, &format!("GET {path}")), expected, "{path} in {template}");
    }
    let router = router(&["GET /a/{id}"]);
    assert_eq!(
        found_bytes(&router, "GET", b"/a/\xff"),
        "400 the path's value of `id` isn't UTF-8"
    );
    assert_eq!(found_bytes(&router, "GET", b"/\xff/x"), "404");
    assert_eq!(found(&router, "POST /a/%zz"), "405 GET");
}

#[test]
fn a_colon_is_a_verb_where_a_template_with_that_verb_matches() {
    let tables: &[RoutingTable] = &[
        (
            &["GET /a/{id}", "POST /a/{id}:cancel", "POST /a:batch", "GET /a"],
            &[
                ("GET /a/x", "M0 x"),
                ("POST /a/x:cancel", "M1 x"),
                ("GET /a/x:cancel", "405 POST"),
                ("POST /a/x", "405 GET"),
                ("GET /a/x:other", "M0 x:other"),
                ("POST /a/x:other", "405 GET"),
                ("GET /a/x%3Acancel", "M0 x:cancel"),
                ("POST /a/x%3Acancel", "405 GET"),
                ("POST /a/x:y:cancel", "M1 x:y"),
                ("GET /a/x:cancel:y", "M0 x:cancel:y"),
                ("POST /a/x:can%63el", "M1 x"),
                (
                    "GET /a/x:%zz",
                    "400 malformed escape `%zz` at byte 5 of the path: expected `%` and two hexadecimal digits",
                ),
                ("POST /a:batch", "M2"),
                ("GET /a:batch", "405 POST"),
                ("GET /a:other", "404"),
                ("GET /a", "M3"),
                // `*` matches nothing empty, so no template with the verb matches.
                ("POST /a/:cancel", "405 GET"),
                ("GET /a/:cancel", "M0 :cancel"),
                ("GET /a/:other", "M0 :other"),
                ("GET /a/x:", "M0 x:"),
                ("POST /a/x:cancel/", "404"),
            ],
        ),
        (
            &["GET /a/**", "POST /a/{id=**}:cancel", "POST /{name=rooms/**}:cancel"],
            &[
                ("POST /a/x/y:cancel", "M1 x/y"),
                ("GET /a/x/y:cancel", "405 POST"),
                ("GET /a/x/y:other", "M0"),
                ("POST /a:cancel", "M1"),
                ("POST /a/:cancel", "M1"),
                ("POST /rooms:cancel", "M2 rooms"),
                ("POST /rooms/1:cancel", "M2 rooms/1"),
                ("POST /rooms", "404"),
            ],
        ),
        (
            // What is meant is the verb, for other HTTP methods too.
            &["POST /a/*:cancel", "GET /a/{id=**}", "GET /a/b"],
            &[
                ("GET /a/x:cancel", "405 POST"),
                ("GET /a/b:cancel", "405 POST"),
                ("POST /a/b:cancel", "M0"),
                ("GET /a/x/y:cancel", "M1 x/y:cancel"),
                ("GET /a/x:other", "M1 x:other"),
                ("GET /a/x%3Acancel", "M1 x:cancel"),
            ],
        ),
        (
            // A template with the verb before a more specific one without it.
            &[
                "POST /v1/{name=rooms/*}",
                "POST /v1/{name=**}:getIamPolicy",
                "POST /v1/{name=rooms/*/beds/*}:getIamPolicy",
                "GET /v1/rooms/5%3AgetIamPolicy",
            ],
            &[
                ("POST /v1/rooms/5:getIamPolicy", "M1 rooms/5"),
                ("POST /v1/rooms/5/beds/6:getIamPolicy", "M2 rooms/5/beds/6"),
                ("POST /v1/rooms/5:other", "M0 rooms/5:other"),
                ("POST /v1/rooms/5%3AgetIamPolicy", "M0 rooms/5:getIamPolicy"),
                ("POST /v1/rooms/a:b:getIamPolicy", "M1 rooms/a:b"),
                ("GET /v1/rooms/5:getIamPolicy", "405 POST"),
                ("GET /v1/rooms/5%3AgetIamPolicy", "M3"),
            ],
        ),
        (
            // The literal `b` has no such verb, `*` has.
            &["GET /a/b", "GET /a/b:x", "GET /a/{id}:y", "GET /a/b%3Ay"],
            &[
                ("GET /a/b:x", "M1"),
                ("GET /a/b:y", "M2 b"),
                ("GET /a/c:y", "M2 c"),
                ("GET /a/b", "M0"),
                ("GET /a/b%3Ay", "M3"),
            ],
        ),
        (
            &["GET /a:b", "GET /a%3Ab", "GET /**/z:v", "GET /**/z%3Av", "GET /**/z"],
            &[
                ("GET /a:b", "M0"),
                ("GET /a%3Ab", "M1"),
                ("GET /1/z:v", "M2"),
                ("GET /1/z%3Av", "M3"),
                ("GET /1/z", "M4"),
                ("GET /z:v", "M2"),
                ("GET /z:w", "404"),
            ],
        ),
        (
            // What the refusal of `/a:b:c` and `/a:b/c` says to write.
            &["GET /a%3Ab:c", "GET /a%3Ab/c"],
            &[("GET /a:b:c", "M0"), ("GET /a:b/c", "M1"), ("GET /a%3Ab:c", "M0")],
        ),
    ];
    for (templates, requests) in tables {
        let router = router(templates);
        for (request, expected) in *requests {
            assert_eq!(found(&router, request), *expected, "{request} in {templates:?}");
        }
    }
}

#[test]
fn a_target_that_is_no_absolute_path_finds_nothing() {
    let router = router(&["* /**"]);
    for path in ["", "*", "a/b", "http://host/a"] {
        assert_eq!(found(&router, &format!("OPTIONS {path}")), "404", "{path}");
    }
}

#[test]
fn hostile_paths_and_templates_cost_no_more_than_their_length() {
    // 2^n ways through literal and `*`, none of which ends: each node is still visited once. The tails make every
    // prefix start a `**`.
    let depth = 200;
    let mut templates = Vec::new();
    for at in 0..depth {
        templates.push(format!("GET {}/*/x{at}", "/a".repeat(at)));
        templates.push(format!("GET {}/**/b/x{at}", "/a".repeat(at)));
        templates.push(format!("GET {}/a/y{at}", "/*".repeat(at)));
        // From the end as well.
        templates.push(format!("GET /**/x{at}/*{}", "/a".repeat(at)));
        templates.push(format!("GET /**/x{at}/a{}", "/*".repeat(at)));
        templates.push(format!("GET /a/**/y{at}{}", "/a/*".repeat(at / 2)));
    }
    let router = router(&templates.iter().map(String::as_str).collect::<Vec<_>>());
    let mut captures = Captures::default();
    for path in [
        "/a".repeat(20_000),
        "/".repeat(60_000),
        "/a:b".repeat(10_000),
        "/a/b".repeat(10_000),
    ] {
        for _ in 0..20 {
            assert!(matches!(
                router.find("GET", path.as_bytes(), &mut captures),
                Match::NoRoute
            ));
        }
    }
    let path = format!("{}/b/x150", "/a".repeat(20_000));
    assert!(
        matches!(router.find("GET", path.as_bytes(), &mut captures), Match::Route(route) if format!("GET {}", route.binding.template) == templates[6 * 150 + 1])
    );
}

#[test]
fn annotations_are_read_with_all_their_parts() {
    let fixture = Fixture::methods([
        ("Get", r#"get: "/v1/{id}" response_body: "items""#),
        ("Put", r#"put: "/v1/{id}" body: "book""#),
        ("Post", r#"post: "/v1" body: "*""#),
        ("Delete", r#"delete: "/v1/{id}""#),
        ("Patch", r#"patch: "/v1/{book.title}" body: "book""#),
        ("Custom", r#"custom { kind: "PURGE" path: "/v1/{id}" }"#),
        ("Any", r#"custom { kind: "*" path: "/any" } body: "*""#),
        (
            "Many",
            r#"get: "/many" additional_bindings { post: "/many" body: "*" } additional_bindings { get: "/more/{name}" }"#,
        ),
        ("Plain", ""),
    ]);
    let router = fixture.router(&[], AutoMapping::None).unwrap();
    let cases = [
        ("GET /v1/x", "Get x"),
        ("PUT /v1/x", "Put x"),
        ("POST /v1", "Post"),
        ("DELETE /v1/x", "Delete x"),
        ("PATCH /v1/x", "Patch x"),
        ("PURGE /v1/x", "Custom x"),
        ("TRACE /any", "Any"),
        ("GET /many", "Many"),
        ("POST /many", "Many"),
        ("GET /more/x", "Many x"),
        ("POST /t.S/Plain", "404"),
        ("OPTIONS /v1/x", "405 DELETE, GET, PATCH, PURGE, PUT"),
    ];
    for (request, expected) in cases {
        assert_eq!(found(&router, request), expected, "{request}");
    }
    let mut captures = Captures::default();
    let Match::Route(route) = router.find("GET", b"/v1/x", &mut captures) else {
        panic!("no route");
    };
    assert_eq!(route.binding.response_body, Some(FieldIndex(1)));
    assert_eq!(route.binding.body, Body::None);
    assert_eq!(&*route.method.full_name, "t.S.Get");
    assert_eq!(&*route.method.service, "t.S");
    assert_eq!(&*route.method.path, "/t.S/Get");
    let Match::Route(route) = router.find("PATCH", b"/v1/x", &mut captures) else {
        panic!("no route");
    };
    let book = BoundField {
        field: FieldIndex(0),
        below: Vec::new(),
        record: Some(0),
    };
    assert_eq!(route.binding.body, Body::Field(FieldIndex(5)));
    assert_eq!(route.binding.body_bound, std::slice::from_ref(&book));
    assert_eq!(
        route.binding.bound,
        [BoundField {
            field: FieldIndex(5),
            below: vec![book],
            record: None,
        }]
    );
    assert_eq!(route.binding.update_mask, Some(FieldIndex(17)));
    let Match::Route(route) = router.find("PUT", b"/v1/x", &mut captures) else {
        panic!("no route");
    };
    assert_eq!(route.binding.update_mask, None);
}

#[test]
fn auto_mapping_stands_beside_the_others_and_repeats_none() {
    let fixture = Fixture::methods([
        ("Get", r#"get: "/v1/{id}""#),
        ("Own", r#"post: "/t.S/Own" body: "book""#),
        ("Plain", ""),
    ]);
    let router = fixture.router(&[], AutoMapping::All).unwrap();
    let cases = [
        ("GET /v1/x", "Get x"),
        ("POST /t.S/Get", "Get"),
        ("POST /t.S/Own", "Own"),
        ("POST /t.S/Plain", "Plain"),
        ("GET /t.S/Plain", "405 POST"),
    ];
    for (request, expected) in cases {
        assert_eq!(found(&router, request), expected, "{request}");
    }
    let mut captures = Captures::default();
    let Match::Route(own) = router.find("POST", b"/t.S/Own", &mut captures) else {
        panic!("no route");
    };
    assert_eq!(own.binding.body, Body::Field(FieldIndex(5)));
    let Match::Route(plain) = router.find("POST", b"/t.S/Plain", &mut captures) else {
        panic!("no route");
    };
    assert_eq!(plain.binding.body, Body::Whole);
}

#[test]
fn a_base_path_is_before_every_path_and_no_native_one() {
    let fixture = Fixture::methods([
        ("Get", r#"get: "/v1/{name=rooms/**}/{id}:v""#),
        ("List", r#"get: "/""#),
        ("Plain", ""),
    ]);
    let rules = [rule("t.S.Plain", "PUT", "/v2/{id}")];
    let router = fixture.router_below("/api/x", &rules, AutoMapping::All).unwrap();
    let cases = [
        ("GET /api/x/v1/rooms/1/2/3:v", "Get rooms/1/2|3"),
        ("GET /%61pi/x/v1/rooms/3:v", "Get rooms|3"),
        ("GET /api/x/", "List"),
        ("GET /api/x", "404"),
        ("PUT /api/x/v2/5", "Plain 5"),
        ("POST /api/x/v2/5", "405 PUT"),
        ("POST /api/x/t.S/Plain", "Plain"),
        ("POST /api/x/t.S/Get", "Get"),
        ("GET /v1/rooms/3:v", "404"),
        ("PUT /v2/5", "404"),
        ("POST /t.S/Plain", "404"),
    ];
    for (request, expected) in cases {
        assert_eq!(found(&router, request), expected, "{request}");
    }
    assert!(router.serves(b"/t.S/Plain"));
    assert!(!router.serves(b"/api/x/t.S/Plain"));
}

#[test]
fn a_service_is_auto_mapped_where_no_method_of_it_has_a_rule() {
    let fixture = Fixture::new(
        r#"service Ruled {
             rpc Get(Req) returns (Res) { option (google.api.http) = { get: "/v1/{id}" }; }
             rpc Purge(Req) returns (Res) {}
           }
           service Plain { rpc Do(Req) returns (Res) {} rpc Undo(Req) returns (Res) {} }"#,
    );
    let paths = [
        "/t.Ruled/Get",
        "/t.Ruled/Purge",
        "/t.Plain/Do",
        "/t.Plain/Undo",
        "/v1/x",
    ];
    let by_rule = [rule("t.Plain.Do", "POST", "/v1/x")];
    type Case<'a> = (AutoMapping, &'a [HttpRule], [&'a str; 5]);
    let cases: [Case<'_>; 5] = [
        (AutoMapping::Unruled, &[], ["404", "404", "Do", "Undo", "405 GET"]),
        (AutoMapping::All, &[], ["Get", "Purge", "Do", "Undo", "405 GET"]),
        (AutoMapping::None, &[], ["404", "404", "404", "404", "405 GET"]),
        // A rule of the configuration is a rule like an annotation.
        (AutoMapping::Unruled, &by_rule, ["404", "404", "404", "404", "Do"]),
        (AutoMapping::All, &by_rule, ["Get", "Purge", "Do", "Undo", "Do"]),
    ];
    for (auto_mapping, rules, expected) in cases {
        let router = fixture.router(rules, auto_mapping).unwrap();
        let results = paths.map(|path| found(&router, &format!("POST {path}")));
        assert_eq!(results, expected, "{auto_mapping:?} {}", rules.len());
        let mapped = expected.iter().filter(|result| !result.starts_with('4')).count();
        let counted: usize = router.services().iter().map(|service| service.auto_mapped).sum();
        assert_eq!(counted + rules.len(), mapped, "{auto_mapping:?}");
        let by_rule = router
            .services()
            .iter()
            .map(|service| (&*service.full_name, service.by_rule));
        assert_eq!(by_rule.collect::<Vec<_>>(), [("t.Ruled", 1), ("t.Plain", rules.len())]);
    }
}

#[test]
fn configured_rules_replace_annotations_and_the_last_wins() {
    let fixture = Fixture::methods([
        ("A", r#"get: "/a" additional_bindings { get: "/a2" }"#),
        ("B", r#"get: "/b""#),
        ("C", ""),
    ]);
    let rules = [
        rule("t.S.A", "GET", "/lost"),
        HttpRule {
            additional_bindings: vec![rule("", "PUT", "/new/{id}")],
            ..rule("t.S.A", "GET", "/new")
        },
        rule("t.S.C", "GET", "/c"),
    ];
    let router = fixture.router(&rules, AutoMapping::None).unwrap();
    let cases = [
        ("GET /a", "404"),
        ("GET /a2", "404"),
        ("GET /lost", "404"),
        ("GET /new", "A"),
        ("PUT /new/1", "A 1"),
        ("GET /b", "B"),
        ("GET /c", "C"),
    ];
    for (request, expected) in cases {
        assert_eq!(found(&router, request), expected, "{request}");
    }
    // A pattern that selects one method alone is a selector like any other.
    let one = Fixture::methods([("A", "")]);
    for selector in ["t.S.*", "t.*", "t.S.A"] {
        let router = one.router(&[rule(selector, "GET", "/x")], AutoMapping::None).unwrap();
        assert_eq!(found(&router, "GET /x"), "A", "{selector}");
    }
    // Of two, all but one may have a later rule.
    let rules = [
        rule("t.S.*", "GET", "/any"),
        rule("t.S.A", "GET", "/a"),
        rule("t.S.B", "GET", "/b"),
    ];
    let router = fixture.router(&rules, AutoMapping::None).unwrap();
    assert_eq!(found(&router, "GET /any"), "C");
}

#[test]
fn a_rule_that_is_a_selector_alone_takes_annotations_away() {
    let fixture = Fixture::new(
        r#"service Ruled {
             rpc A(Req) returns (Res) { option (google.api.http) = { get: "/a" additional_bindings { get: "/a2" } }; }
             rpc B(Req) returns (Res) { option (google.api.http) = { get: "/b" }; }
           }
           service Plain { rpc C(Req) returns (Res) {} }"#,
    );
    let alone = |selector: &str| rule(selector, "", "");
    let requests = [
        "GET /a",
        "GET /a2",
        "GET /b",
        "POST /t.Ruled/A",
        "POST /t.Ruled/B",
        "POST /t.Plain/C",
    ];
    let cases = [
        (
            vec![alone("t.Ruled.A")],
            AutoMapping::Unruled,
            ["404", "404", "B", "404", "404", "C"],
        ),
        (
            vec![alone("t.Ruled.A")],
            AutoMapping::All,
            ["404", "404", "B", "A", "B", "C"],
        ),
        // A service whose only rules are taken away isn't opened by that.
        (
            vec![alone("t.Ruled.*")],
            AutoMapping::Unruled,
            ["404", "404", "404", "404", "404", "C"],
        ),
        // Such a rule is one like any other: the last wins, and a service that has one isn't mapped by itself.
        (
            vec![alone("t.*"), rule("t.Ruled.B", "GET", "/b")],
            AutoMapping::Unruled,
            ["404", "404", "B", "404", "404", "404"],
        ),
        (
            vec![rule("t.Ruled.B", "GET", "/b"), alone("t.Ruled.B")],
            AutoMapping::None,
            ["A", "A", "404", "404", "404", "404"],
        ),
    ];
    for (rules, auto_mapping, expected) in cases {
        let router = fixture.router(&rules, auto_mapping).unwrap();
        let found = requests.map(|request| found(&router, request));
        assert_eq!(found, expected, "{auto_mapping:?} {rules:?}");
    }
    let unknown = fixture.problems(&[alone("t.Ruled.D")], AutoMapping::None);
    assert_eq!(unknown[0].key.as_deref(), Some("http_rules[0].selector"));
}

#[test]
fn every_rule_is_checked_in_all_its_parts() {
    let fixture = Fixture::methods([
        ("A", r#"post: "/{nme}/{tags}" body: "bok" response_body: "txt""#),
        ("B", r#"get: "/b/{id}" additional_bindings { get: "b" body: "tgs" }"#),
        ("C", r#"get: "/b/{nme}""#),
        ("D", ""),
    ]);
    let rules = [rule("t.S.E", "GET", "d"), rule("t.S.D", "A B", "/")];
    let problems = fixture.problems(&rules, AutoMapping::None);
    let told: Vec<_> = problems.iter().map(RoutingError::to_string).collect();
    let expected = [
        "http_rules[0].selector: `t.S.E` selects no method",
        "http_rules[0].get: path `d`: expected `/`",
        "t.S.A: google.api.http.post: path `/{nme}/{tags}`, variable `nme`: `t.Req` has no field `nme`",
        "t.S.A: google.api.http.post: path `/{nme}/{tags}`, variable `tags`: expected a singular field",
        "t.S.A: google.api.http.body: `t.Req` has no field `bok`; did you mean `book`? To replace this rule, add one \
         to `http_rules` with `selector: t.S.A`; to remove it, give only the selector",
        "t.S.A: google.api.http.response_body: `t.Res` has no field `txt`; did you mean `text`? To replace",
        "t.S.B: google.api.http.additional_bindings[0].get: path `b`: expected `/`",
        "t.S.B: google.api.http.additional_bindings[0].body: `t.Req` has no field `tgs`; did you mean `tags`? To replace",
        "t.S.C: google.api.http: GET `/b/{nme}` is already bound to t.S.B by google.api.http, as `/b/{id}`. To replace",
        "t.S.C: google.api.http.get: path `/b/{nme}`, variable `nme`: `t.Req` has no field `nme`",
        "http_rules[1]: t.S.D: expected an HTTP method (or `*` for any), found `A B`",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{expected}\n{told}");
    }
}

#[test]
fn what_is_wrong_with_an_annotation_is_said_with_its_method() {
    let cases = [
        (r#"body: "*""#, "google.api.http: expected an HTTP method and a path"),
        (
            r#"get: "v1""#,
            "google.api.http.get: path `v1`: expected `/`, found `v` (at byte 0)",
        ),
        (
            r#"get: """#,
            "path ``: expected `/`, found the end of the template (at byte 0)",
        ),
        (
            r#"custom { kind: "A B" path: "/" }"#,
            "expected an HTTP method (or `*` for any), found `A B`",
        ),
        (
            r#"custom { path: "/" }"#,
            "expected an HTTP method (or `*` for any), found ``",
        ),
        (
            r#"get: "/{nam}""#,
            "path `/{nam}`, variable `nam`: `t.Req` has no field `nam`; did you mean `name`?",
        ),
        (
            r#"get: "/{pageSize}""#,
            "`t.Req` has no field `pageSize`; did you mean `page_size`?",
        ),
        (
            r#"get: "/{book.titel}""#,
            "variable `book.titel`: `t.Book` has no field `titel`; did you mean `title`?",
        ),
        (r#"get: "/{zzzzzz}""#, "`t.Req` has no field `zzzzzz`"),
        (r#"get: "/{tags}""#, "expected a singular field, but `tags` is repeated"),
        (
            r#"get: "/{labels}""#,
            "expected a singular field, but `labels` is a map",
        ),
        (
            r#"get: "/{books.title}""#,
            "expected a singular field, but `books` is repeated",
        ),
        (
            r#"get: "/{labels.key}""#,
            "expected a singular field, but `labels` is a map",
        ),
        (r#"get: "/{book}""#, "but `book` is the message `t.Book`"),
        (
            r#"get: "/{data}""#,
            "but `data` is the message `google.protobuf.Struct`",
        ),
        (
            r#"get: "/{value}""#,
            "but `value` is the message `google.protobuf.Value`",
        ),
        (r#"get: "/{any}""#, "but `any` is the message `google.protobuf.Any`"),
        (
            r#"get: "/{empty}""#,
            "but `empty` is the message `google.protobuf.Empty`",
        ),
        (
            r#"get: "/{name.x}""#,
            "expected a message before the dot, but `name` has no fields",
        ),
        (
            r#"get: "/{wrapped.value}""#,
            "expected a message before the dot, but `wrapped` has no fields",
        ),
        (
            r#"get: "/{name}/{name}""#,
            "expected each variable once, found `name` again",
        ),
        (
            r#"get: "/{left}/{right}""#,
            "`right` is a member of the same oneof as `left`",
        ),
        (
            r#"get: "/{left}/{inner.title}""#,
            "`inner` is a member of the same oneof as `left`",
        ),
        (
            r#"get: "/{book.paper}/{book.audio}""#,
            "`audio` is a member of the same oneof as `paper`",
        ),
        (
            r#"post: "/{left}" body: "right""#,
            "body: `right` is a member of the same oneof as `left`",
        ),
        (
            r#"post: "/{name}" body: "name""#,
            "body: expected a field that the path doesn't bind, found `name`",
        ),
        (
            r#"post: "/" body: "nme""#,
            "body: `t.Req` has no field `nme`; did you mean `name`?",
        ),
        (r#"post: "/" body: "pageSize""#, "did you mean `page_size`?"),
        (
            r#"post: "/" body: "book.title""#,
            "body: expected a field of `t.Req` itself, such as `book`, found the path `book.title`",
        ),
        (
            r#"get: "/" response_body: "itms""#,
            "response_body: `t.Res` has no field `itms`; did you mean `items`?",
        ),
        (
            r#"get: "/" response_body: "*""#,
            "response_body: `t.Res` has no field `*`",
        ),
        (
            r#"get: "/a" additional_bindings { get: "/{x}" }"#,
            "google.api.http.additional_bindings[0].get: path `/{x}`, variable `x`",
        ),
        (
            r#"get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }"#,
            "additional_bindings[0]: expected no additional_bindings within additional_bindings",
        ),
        (
            r#"get: "/a/{id}" additional_bindings { get: "/a/{name=*}" }"#,
            "GET `/a/{name=*}` is already bound to the same method by google.api.http, as `/a/{id}`",
        ),
    ];
    for (rule, message) in cases {
        let problems = Fixture::methods([("Bad", rule)]).problems(&[], AutoMapping::All);
        let [error] = problems.as_slice() else {
            panic!("{rule}: {problems:?}");
        };
        assert_eq!(error.method.as_deref(), Some("t.S.Bad"), "{rule}");
        assert_eq!(error.key, None, "{rule}");
        assert!(error.to_string().contains(message), "{rule}: {error}");
    }
}

#[test]
fn paths_and_bodies_of_every_allowed_type_are_accepted() {
    for path in [
        "/{id}/{page_size}/{color}/{time}/{wrapped}/{update_mask}/{raw}/{flag}/{span}/{maybe}",
        "/{book.author_info.born}/{book.pages}/{inner.title}",
        "/{self.self.self.id}/{self.self.id}",
    ] {
        router(&[&format!("GET {path}")]);
    }
    for body in [
        "book", "tags", "books", "labels", "name", "color", "data", "time", "inner", "value",
    ] {
        let fixture = Fixture::methods([("A", format!(r#"post: "/" body: "{body}""#).as_str())]);
        assert!(fixture.router(&[], AutoMapping::All).is_ok(), "{body}");
    }
    let fixture = Fixture::new(
        r#"service S { rpc A(stream Req) returns (stream Res) { option (google.api.http) = { post: "/{id}" body: "book" response_body: "text" }; } }"#,
    );
    let router = fixture.router(&[], AutoMapping::All).unwrap();
    let Match::Route(route) = router.find("POST", b"/x", &mut Captures::default()) else {
        panic!("no route");
    };
    assert!(route.method.client_streaming && route.method.server_streaming);
}

#[test]
fn what_is_wrong_with_a_configured_rule_is_said_with_its_key() {
    let fixture = Fixture::methods([("First", r#"get: "/first/{id}""#), ("Second", "")]);
    let cases = [
        (
            vec![rule("t.S.Frist", "GET", "/")],
            "http_rules[0].selector: `t.S.Frist` selects no method: did you mean `t.S.First`?",
        ),
        (
            vec![rule("x.Y.*", "GET", "/")],
            "http_rules[0].selector: `x.Y.*` selects no method: expected the full name",
        ),
        (
            vec![rule("*", "GET", "/")],
            "http_rules[0].selector: `*` selects no method",
        ),
        (
            vec![rule("t.S.Fir*", "GET", "/")],
            "http_rules[0].selector: `t.S.Fir*` selects no method",
        ),
        (
            vec![rule("t.S", "GET", "/")],
            "http_rules[0].selector: `t.S` selects no method",
        ),
        (
            vec![rule("t.S.*", "GET", "/x")],
            "http_rules[0]: t.S.Second: GET `/x` is already bound to t.S.First by http_rules[0], as `/x`: \
             a selector that ends in `.*` must select a single method",
        ),
        (
            vec![rule("t.S.Second", "GET", "/first/{name=*}")],
            "http_rules[0]: t.S.Second: GET `/first/{name=*}` is already bound to t.S.First by google.api.http, as \
             `/first/{id}`",
        ),
        (
            vec![rule("t.S.First", "GET", "/a"), rule("t.S.Second", "GET", "/{x}")],
            "http_rules[1].get: t.S.Second: path `/{x}`, variable `x`: `t.Req` has no field `x`",
        ),
        (
            vec![HttpRule {
                additional_bindings: vec![rule("", "GET", "/a"), rule("", "GET", "a")],
                ..rule("t.S.Second", "GET", "/b")
            }],
            "http_rules[0].additional_bindings[1].get: t.S.Second: path `a`: expected `/`, found `a` (at byte 0)",
        ),
        (
            vec![rule("t.S.First", "POST", "/t.S/Second")],
            "auto_mapping: t.S.Second: POST `/t.S/Second` is already bound to t.S.First by http_rules[0], as \
             `/t.S/Second`: set `auto_mapping: false`, or change that path",
        ),
    ];
    for (rules, message) in cases {
        let problems = fixture.problems(&rules, AutoMapping::All);
        let [error] = problems.as_slice() else {
            panic!("{message}: {problems:?}");
        };
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn an_automatic_path_that_an_annotation_has_taken_says_how_to_change_that() {
    let fixture = Fixture::methods([("Own", r#"post: "/t.S/Plain" body: "*""#), ("Plain", "")]);
    let problems = fixture.problems(&[], AutoMapping::All);
    let told: Vec<_> = problems.iter().map(RoutingError::to_string).collect();
    assert_eq!(
        told,
        [
            "auto_mapping: t.S.Plain: POST `/t.S/Plain` is already bound to t.S.Own by google.api.http, as `/t.S/Plain`: \
          set `auto_mapping: false`, or give `http_rules` a rule with `selector: t.S.Own`"
        ]
    );
}

#[test]
fn equivalent_templates_are_refused_and_different_ones_are_not() {
    let cases = [
        ("GET /a/{id}", "GET /a/{name}", false),
        ("GET /a/{id=*}", "GET /a/*", false),
        ("GET /a/{id=b/*}", "GET /{name=a/b}/{id}", false),
        ("GET /a/%62", "GET /a/b", false),
        ("GET /**/x", "GET /{id=**/x}", false),
        ("GET /**/{id}", "GET /{id=**}/*", false),
        ("GET /**/x/{id}", "GET /**/{id}/x", true),
        ("GET /**/{id}", "GET /**", true),
        ("GET /a:v", "GET /a:%76", false),
        ("GET /a/*", "POST /a/*", true),
        ("GET /a/*", "* /a/*", true),
        ("GET /a/*", "GET /a/**", true),
        ("GET /a/*", "GET /a/*:v", true),
        ("GET /a:v", "GET /a%3Av", true),
        ("GET /**/x/y", "GET /**/y/x", true),
        ("GET /**/x", "GET /x", true),
    ];
    let fixture = Fixture::methods([("A", ""), ("B", "")]);
    for (left, right, accepted) in cases {
        let rules: Vec<_> = [("t.S.A", left), ("t.S.B", right)]
            .iter()
            .map(|(selector, text)| {
                let (http_method, template) = text.split_once(' ').unwrap();
                rule(selector, http_method, template)
            })
            .collect();
        assert_eq!(
            fixture.router(&rules, AutoMapping::None).is_ok(),
            accepted,
            "{left} and {right}"
        );
    }
}

/// A plain reading of the rules, template by template, that the trie must agree with.
mod reference {
    use super::super::template::{Segment, Template};

    /// The most specific of the templates that `path` matches, among those that have the method.
    pub(super) fn find(templates: &[(&str, Template)], http_method: &str, path: &str) -> Result<usize, Vec<String>> {
        let path: Vec<_> = path.strip_prefix('/').unwrap().split('/').collect();
        let matching = |verb, path: &[&str]| -> Vec<usize> {
            let templates = templates.iter().zip(0..);
            let matching = templates.filter(|((_, template), _)| matches(template, verb, path));
            matching.map(|(_, index)| index).collect()
        };
        let (last, before) = path.split_last().unwrap();
        let by_verb = last
            .rsplit_once(':')
            .map(|(base, verb)| matching(Some(verb), &[before, &[base]].concat()));
        let matching = match by_verb {
            Some(by_verb) if !by_verb.is_empty() => by_verb,
            _ => matching(None, &path),
        };
        matching
            .iter()
            .copied()
            .filter(|index| templates[*index].0 == http_method)
            .min_by_key(|index| rank(&templates[*index].1))
            .ok_or_else(|| {
                let mut allow: Vec<_> = matching.iter().map(|index| templates[*index].0.to_owned()).collect();
                allow.sort();
                allow.dedup();
                allow
            })
    }

    /// Whether the template matches the path; with a verb, what precedes it.
    fn matches(template: &Template, verb: Option<&str>, path: &[&str]) -> bool {
        template.verb.as_deref() == verb.map(str::as_bytes) && consume(&template.segments, path)
    }

    fn consume(segments: &[Segment], path: &[&str]) -> bool {
        match (segments.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((Segment::Literal(text), segments)), Some((first, path))) if first.as_bytes() == &**text => {
                consume(segments, path)
            }
            (Some((Segment::Single, segments)), Some((first, path))) if !first.is_empty() => consume(segments, path),
            (Some((Segment::Multi, segments)), _) => (0..=path.len()).any(|taken| consume(segments, &path[taken..])),
            _ => false,
        }
    }

    /// Less is more specific: literal, the end, `*`, `**` (and there, the longer tail first).
    fn rank(template: &Template) -> Vec<usize> {
        let mut rank = Vec::new();
        for (segment, at) in template.segments.iter().zip(1..) {
            match segment {
                Segment::Literal(_) => rank.push(0),
                Segment::Single => rank.push(2),
                Segment::Multi => {
                    rank.push(3);
                    rank.push(usize::MAX - (template.segments.len() - at));
                }
            }
        }
        rank.push(1);
        rank
    }
}

#[test]
fn the_trie_agrees_with_a_plain_reading_of_random_templates() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let names: Vec<_> = (0..12).map(|index| format!("M{index}")).collect();
    let fixture = Fixture::methods(names.iter().map(|name| (name.as_str(), "")));
    let (mut routed, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let mut templates: Vec<(&str, Template)> = Vec::new();
        let mut rules = Vec::new();
        for name in &names {
            let mut text = String::new();
            let multi = random.below(8);
            for at in 0..=random.below(4) {
                text += match at {
                    _ if at == multi => "/**",
                    _ if at > multi => ["/a", "/b", "/*"][random.below(3)],
                    _ => ["/a", "/b", "/*", "/*"][random.below(4)],
                };
            }
            text += ["", "", ":v", ":w"][random.below(4)];
            let http_method = ["GET", "POST"][random.below(2)];
            let template = Template::parse(&text).unwrap();
            if templates
                .iter()
                .all(|(known, other)| *known != http_method || *other != template)
            {
                templates.push((http_method, template));
                rules.push(rule(&format!("t.S.{name}"), http_method, &text));
            }
        }
        let router = fixture.router(&rules, AutoMapping::None).unwrap();
        for _ in 0..40 {
            let path: String = (0..=random.below(5))
                .map(|_| ["/a", "/b", "/c", "/", "/a:v", "/c:w", "/c:x", "/:v"][random.below(8)])
                .collect();
            let expected = match reference::find(&templates, "GET", &path) {
                Ok(index) => {
                    routed += 1;
                    rules[index].selector.strip_prefix("t.S.").unwrap().to_owned()
                }
                Err(allow) if allow.is_empty() => "404".into(),
                Err(allow) => {
                    refused += 1;
                    format!("405 {}", allow.join(", "))
                }
            };
            assert_eq!(
                found(&router, &format!("GET {path}")),
                expected,
                "{path} among {rules:#?}"
            );
        }
    }
    assert!(routed > 10_000 && refused > 1_000, "{routed} routed, {refused} refused");
}

/// Marsaglia's xorshift: the same sequence in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }
}
