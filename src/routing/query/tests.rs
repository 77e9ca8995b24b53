use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use super::*;
use crate::codec::UnknownEnumNames;
use crate::routing::tests::{Fixture, Random};
use crate::routing::{AutoMapping, Match};

/// A schema with a method `t.S.A`, and what is set for its requests.
struct Bench {
    fixture: Fixture,
    parse: ParseOptions,
    options: QueryOptions,
    has_body: bool,
}

impl Bench {
    /// `rule` is the annotation of the method.
    fn new(rule: &str) -> Self {
        Self {
            fixture: Fixture::methods([("A", rule)]),
            parse: ParseOptions::default(),
            options: QueryOptions::default(),
            has_body: false,
        }
    }

    fn rejecting(rule: &str) -> Self {
        let mut bench = Self::new(rule);
        bench.options.unknown = UnknownParameters::Reject;
        bench
    }

    /// Binds a request, `GET /a?b=c`: its records, and whether the query sets the update mask.
    fn records(&self, request: &str) -> Result<(Vec<u8>, bool), BindError> {
        let router = self.fixture.router(&[], AutoMapping::None).unwrap();
        let (http_method, target) = request.split_once(' ').unwrap();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.as_bytes())),
            None => (target, None),
        };
        let mut captures = Captures::default();
        let Match::Route(route) = router.find(http_method, path.as_bytes(), &mut captures) else {
            panic!("no route for {request}");
        };
        let mut binder = Binder::default();
        let mut bind = || {
            let mut out = Vec::new();
            let parameters = Parameters {
                captures: &captures,
                query,
                has_body: self.has_body,
            };
            let options = BindOptions {
                parse: &self.parse,
                query: &self.options,
            };
            binder
                .bind(&self.fixture.tables, route, parameters, options, &mut out)
                .map(|bound| (out, bound.update_mask_set))
        };
        let first = bind();
        assert_eq!(bind(), first, "what {request} left behind shows in the next request");
        first
    }

    /// The request message in JSON, as prost-reflect reads the records.
    fn bound(&self, request: &str) -> Result<Value, String> {
        let (wire, _) = self.records(request).map_err(|error| error.to_string())?;
        let descriptor = self.fixture.pool.get_message_by_name("t.Req").unwrap();
        let message = DynamicMessage::decode(descriptor, wire.as_slice()).unwrap();
        Ok(serde_json::to_value(&message).unwrap())
    }

    #[track_caller]
    fn assert_error(&self, request: &str, expected: &str) {
        let error = self.bound(request).unwrap_err();
        assert!(error.contains(expected), "{request}: {error}");
    }
}

#[test]
fn path_captures_fill_their_fields() {
    // prost-reflect doesn't print a field without presence that holds its default.
    let cases = [
        (
            r#"get: "/{id}/{page_size}""#,
            "GET /x%20y/7",
            json!({"id": "x y", "pageSize": 7}),
        ),
        (r#"get: "/{name=a/*}""#, "GET /a/b", json!({"name": "a/b"})),
        (r#"get: "/{name=**}""#, "GET /", json!({})),
        (
            r#"get: "/{color}/{flag}""#,
            "GET /RED/true",
            json!({"color": "RED", "flag": true}),
        ),
        (r#"get: "/{color}/{flag}""#, "GET /2/false", json!({"color": "BLUE"})),
        (
            r#"get: "/{book.title}/{book.author_info.born}/{id}""#,
            "GET /t/1900/x",
            json!({"id": "x", "book": {"title": "t", "authorInfo": {"born": 1900}}}),
        ),
        (
            r#"get: "/{wrapped}/{time}""#,
            "GET /w/2020-01-02T03:04:05Z",
            json!({"wrapped": "w", "time": "2020-01-02T03:04:05Z"}),
        ),
        (
            r#"get: "/{self.self.raw}""#,
            "GET /AAEC",
            json!({"self": {"self": {"raw": "AAEC"}}}),
        ),
    ];
    for (rule, request, expected) in cases {
        assert_eq!(Bench::new(rule).bound(request), Ok(expected), "{rule}: {request}");
    }
}

#[test]
fn a_capture_of_the_wrong_type_names_its_variable() {
    for (rule, request, field) in [
        (r#"get: "/{page_size}""#, "GET /x", "page_size"),
        (r#"get: "/{page_size=**}""#, "GET /", "page_size"),
        (r#"get: "/{book.pages}""#, "GET /1.5", "book.pages"),
        (r#"get: "/{color}""#, "GET /GREEN", "color"),
        (r#"get: "/{flag}""#, "GET /yes", "flag"),
        (r#"get: "/{time}""#, "GET /yesterday", "time"),
    ] {
        let error = Bench::new(rule).records(request).unwrap_err();
        assert_eq!(error.field, field, "{request}: {error}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn query_parameters_fill_the_other_fields() {
    let bench = Bench::new(r#"get: "/a""#);
    let cases = [
        ("", json!({})),
        ("id=x", json!({"id": "x"})),
        ("id=x&name=y", json!({"id": "x", "name": "y"})),
        ("&&id=x&&", json!({"id": "x"})),
        ("page_size=5", json!({"pageSize": 5})),
        ("pageSize=5", json!({"pageSize": 5})),
        ("maybe=", json!({"maybe": ""})),
        ("maybe", json!({"maybe": ""})),
        ("id=a=b", json!({"id": "a=b"})),
        ("id=a+b%2Bc%20d%26e", json!({"id": "a b+c d&e"})),
        ("id=%252F", json!({"id": "%2F"})),
        ("id=a;name=b", json!({"id": "a;name=b"})),
        ("%69d=x", json!({"id": "x"})),
        ("book%2Etitle=x", json!({"book": {"title": "x"}})),
        ("tags=a&tags=b&id=x&tags=", json!({"id": "x", "tags": ["a", "b", ""]})),
        ("numbers=1&numbers=-2", json!({"numbers": [1, -2]})),
        ("colors=RED&colors=2", json!({"colors": ["RED", "BLUE"]})),
        ("color=BLUE", json!({"color": "BLUE"})),
        ("color=1", json!({"color": "RED"})),
        ("flag=true", json!({"flag": true})),
        ("flag=1", json!({"flag": true})),
        ("flag=0", json!({})),
        ("raw=-_-_", json!({"raw": "+/+/"})),
        ("raw=%2B/%2B/", json!({"raw": "+/+/"})),
        ("time=2020-01-02T03:04:05Z", json!({"time": "2020-01-02T03:04:05Z"})),
        (
            "times=2020-01-02T03:04:05Z&times=2021-01-02T03:04:05Z",
            json!({"times": ["2020-01-02T03:04:05Z", "2021-01-02T03:04:05Z"]}),
        ),
        ("span=1.5s", json!({"span": "1.500s"})),
        ("wrapped=w", json!({"wrapped": "w"})),
        ("wrapped=", json!({"wrapped": ""})),
        (
            "updateMask=book.title,pageSize",
            json!({"updateMask": "book.title,pageSize"}),
        ),
        (
            "update_mask=book.author_info,page_size,pageSize",
            json!({"updateMask": "book.authorInfo,pageSize,pageSize"}),
        ),
        (
            "book.title=x&book.pages=7",
            json!({"book": {"title": "x", "pages": "7"}}),
        ),
        (
            "book.author_info.full_name=x&book.authorInfo.born=1&book.words=a&book.words=b",
            json!({"book": {"authorInfo": {"fullName": "x", "born": 1}, "words": ["a", "b"]}}),
        ),
        (
            "self.self.id=x&self.id=y&id=z",
            json!({"id": "z", "self": {"id": "y", "self": {"id": "x"}}}),
        ),
        ("left=x", json!({"left": "x"})),
        (
            "inner.title=x&inner.pages=1",
            json!({"inner": {"title": "x", "pages": "1"}}),
        ),
        (
            "book.paper=x&inner.audio=y",
            json!({"book": {"paper": "x"}, "inner": {"audio": "y"}}),
        ),
        // They bind to nothing.
        ("nothing=1&id=x", json!({"id": "x"})),
        ("=x&id=x", json!({"id": "x"})),
        ("book.nothing=1&nothing.title=2", json!({})),
        ("inner.nothing=1&left=x", json!({"left": "x"})),
        ("ID=x&Page_Size=1", json!({})),
        ("book.=x&.id=x", json!({})),
        ("%FF=x", json!({})),
        ("tags[]=a&tags[0]=b&id[x]=c&book[title]=d", json!({})),
        ("nothing[a]=x&book.nothing[a]=x&[a]=x", json!({})),
        ("empty.x=1", json!({})),
    ];
    for (query, expected) in cases {
        assert_eq!(bench.bound(&format!("GET /a?{query}")), Ok(expected), "{query}");
    }
    assert_eq!(bench.bound("GET /a"), Ok(json!({})));
}

#[test]
fn the_entries_of_a_map_are_bound_by_their_keys() {
    let bench = Bench::new(r#"get: "/a""#);
    let cases = [
        ("labels[a]=x", json!({"labels": {"a": "x"}})),
        ("labels%5Ba%5D=x", json!({"labels": {"a": "x"}})),
        (
            "labels[a]=x&id=y&labels[b]=&labels[c]",
            json!({"id": "y", "labels": {"a": "x", "b": "", "c": ""}}),
        ),
        (
            "labels[a+b%2Ec]=x+y&labels[app.kubernetes.io/name]=z",
            json!({"labels": {"a b.c": "x y", "app.kubernetes.io/name": "z"}}),
        ),
        (
            "labels[]=x&labels[[a]]=y&labels[a%5D]=z",
            json!({"labels": {"": "x", "[a]": "y", "a]": "z"}}),
        ),
        (
            "colors_by_number[-1]=RED&colorsByNumber[2]=2",
            json!({"colorsByNumber": {"-1": "RED", "2": "BLUE"}}),
        ),
        (
            "counts[true]=7&counts[false]=0",
            json!({"counts": {"true": "7", "false": "0"}}),
        ),
        (
            "book.notes[a]=x&book.title=t&self.book.notes[a]=y",
            json!({"book": {"title": "t", "notes": {"a": "x"}}, "self": {"book": {"notes": {"a": "y"}}}}),
        ),
        (
            "inner.notes[a]=x&labels[a]=y",
            json!({"inner": {"notes": {"a": "x"}}, "labels": {"a": "y"}}),
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(bench.bound(&format!("GET /a?{query}")), Ok(expected), "{query}");
    }
    // A body field is the body's.
    let body = Bench::new(r#"post: "/a" body: "labels""#);
    assert_eq!(body.bound("POST /a?labels[a]=x&id=y"), Ok(json!({"id": "y"})));
    // A value that is left out takes its entry with it.
    let mut ignoring = Bench::new(r#"get: "/a""#);
    ignoring.parse.unknown_enum_names = UnknownEnumNames::Ignore;
    assert_eq!(
        ignoring.bound("GET /a?colorsByNumber[1]=GREEN&colorsByNumber[2]=RED"),
        Ok(json!({"colorsByNumber": {"2": "RED"}}))
    );
    let (wire, _) = ignoring
        .records("GET /a?colorsByNumber[1]=GREEN&book.notes[a]=")
        .unwrap();
    assert_eq!(wire, b"\x32\x07\x3a\x05\x0a\x01a\x12\x00");
}

#[test]
fn what_a_query_may_not_give_is_an_error_with_its_name() {
    let bench = Bench::new(r#"get: "/a""#);
    let deep = |levels: usize| format!("{}id", "self.".repeat(levels));
    let cases = [
        ("id=x&id=x", "id: expected `id` once, found it again"),
        (
            "pageSize=1&page_size=2",
            "page_size: expected `page_size` once, found it again",
        ),
        ("book.pages=1&book.pages=1", "book.pages: expected `pages` once"),
        ("wrapped=a&wrapped=a", "wrapped: expected `wrapped` once"),
        (
            "left=x&right=y",
            "right: `right` and `left`, which the query too gives, are members of one oneof",
        ),
        ("left=x&left=y", "left: expected `left` once"),
        ("left=x&inner.title=y", "inner.title: `inner` and `left`"),
        ("inner.title=x&right=y", "right: `right` and `inner`"),
        ("book.paper=x&book.audio=y", "book.audio: `audio` and `paper`"),
        (
            "id=%",
            "id: malformed escape `%`: expected `%` and two hexadecimal digits",
        ),
        ("id=a%2", "id: malformed escape `%2`"),
        ("id=%zz", "id: malformed escape `%zz`"),
        ("%6=x", "%6: malformed escape `%6`"),
        ("nothing=%zz", "nothing: malformed escape `%zz`"),
        ("id=%FF", "id: the value isn't UTF-8"),
        ("id.x=1", "id.x: `id` has no fields"),
        ("id.=1", "id.: `id` has no fields"),
        ("tags.x=1", "tags.x: `tags` has no fields"),
        ("color.x=1", "`color` has no fields"),
        (
            "wrapped.value=x",
            "wrapped.value: `wrapped` has no fields in JSON: expected `wrapped` alone",
        ),
        ("time.seconds=1", "time.seconds: `time` has no fields in JSON"),
        ("times.seconds=1", "`times` has no fields in JSON"),
        (
            "labels=x",
            "labels: `labels` is a map: expected one of its entries, as in `labels[key]`",
        ),
        (
            "labels.a=x",
            "labels.a: `labels` is a map: expected one of its entries, as in `labels[key]`",
        ),
        ("labels[a=x", "labels[a: `labels` is a map: expected one of its entries"),
        ("labels[a].b=x", "labels[a].b: `labels` is a map: expected one"),
        ("labels.a[b]=x", "labels.a[b]: `labels` is a map: expected one"),
        (
            "book.notes=x",
            "book.notes: `notes` is a map: expected one of its entries, as in `notes[key]`",
        ),
        (
            "labels[a]=x&labels[b]=y&labels[%61]=x",
            "labels[a]: expected each key of `labels` once, found it again",
        ),
        ("colorsByNumber[1]=RED&colors_by_number[1.0]=RED", "expected each key"),
        ("book.notes[a]=x&book.notes[a]=y", "expected each key of `notes` once"),
        (
            "colorsByNumber[x]=RED",
            "colorsByNumber[x]: the key of `colors_by_number`: expected a 32-bit integer, found \"x\"",
        ),
        ("colorsByNumber[]=RED", "the key of `colors_by_number`: expected"),
        (
            "colorsByNumber[2147483648]=RED",
            "the key of `colors_by_number`: expected",
        ),
        (
            "counts[1]=1",
            "counts[1]: the key of `counts`: expected true or false, found \"1\"",
        ),
        ("counts[true]=x", "counts[true]: expected a 64-bit integer"),
        (
            "colorsByNumber[1]=GREEN",
            "colorsByNumber[1]: expected a name or number",
        ),
        ("labels[%FF]=x", "the key of `labels` isn't UTF-8"),
        (
            "booksByName[a]=x",
            "`books_by_name` is a map of messages, which a query can't give",
        ),
        ("booksByName[a].title=x", "`books_by_name` is a map of messages"),
        (
            "timesByName[a]=2020-01-02T03:04:05Z",
            "`times_by_name` is a map of messages",
        ),
        ("books=x", "books: `books` is a list of messages"),
        ("books.title=x", "books.title: `books` is a list of messages"),
        (
            "book=x",
            "book: `book` is a message: expected one of its fields, as in `book.title`",
        ),
        ("book={}", "`book` is a message"),
        ("empty=x", "`empty` is a message without fields"),
        (
            "data=x",
            "`data` is a `google.protobuf.Struct`, which a query can't give",
        ),
        ("data.fields=x", "`data` is a `google.protobuf.Struct`"),
        ("value=x", "`value` is a `google.protobuf.Value`"),
        ("value.string_value=x", "`value` is a `google.protobuf.Value`"),
        ("any=x", "`any` is a `google.protobuf.Any`"),
        ("any.type_url=x", "`any` is a `google.protobuf.Any`"),
        ("list=x", "`list` is a `google.protobuf.ListValue`"),
        ("page_size=x", "page_size: "),
        ("pageSize=", "pageSize: "),
        ("numbers=1,2", "numbers: "),
        ("color=GREEN", "color: "),
        ("flag=yes", "flag: "),
        ("time=x", "time: "),
        ("raw=*", "raw: "),
        (
            "update_mask=page_size,,id",
            "update_mask: expected field paths such as display_name,owner.name, found",
        ),
    ];
    for (query, expected) in cases {
        bench.assert_error(&format!("GET /a?{query}"), expected);
    }
    assert!(bench.bound(&format!("GET /a?{}=x", deep(99))).is_ok());
    bench.assert_error(
        &format!("GET /a?{}=x", deep(100)),
        "expected a nesting of at most 100 messages",
    );
}

#[test]
fn a_field_that_the_path_binds_belongs_to_the_path() {
    let bench = Bench::new(r#"get: "/{page_size}/{book.author_info.full_name}/{inner.paper}""#);
    let bound = json!({"pageSize": 1, "book": {"authorInfo": {"fullName": "x"}}, "inner": {"paper": "y"}});
    for query in [
        "page_size=2",
        "pageSize=2",
        "pageSize=wrong",
        "page%53ize=2",
        "pageSize.x=2",
        "book.author_info.full_name=z",
        "book.authorInfo.fullName=z",
        "book.authorInfo.full_name=z&book.author_info.fullName=z",
        "inner.paper=z",
    ] {
        assert_eq!(
            bench.bound(&format!("GET /1/x/y?{query}")),
            Ok(bound.clone()),
            "{query}"
        );
    }
    // Its neighbours are free, but not those in its oneof.
    assert_eq!(
        bench.bound("GET /1/x/y?book.authorInfo.born=3&book.title=t&inner.pages=5"),
        Ok(json!({
            "pageSize": 1,
            "book": {"title": "t", "authorInfo": {"fullName": "x", "born": 3}},
            "inner": {"paper": "y", "pages": "5"},
        }))
    );
    bench.assert_error(
        "GET /1/x/y?left=z",
        "left: `left` and `inner`, which the path gives, are members of one oneof",
    );
    bench.assert_error(
        "GET /1/x/y?inner.audio=z",
        "inner.audio: `audio` and `paper`, which the path gives",
    );
    bench.assert_error("GET /1/x/y?book.author_info=z", "`author_info` is a message");
}

#[test]
fn a_body_field_is_not_bound_from_the_query() {
    let mut bench = Bench::new(r#"post: "/a" body: "inner""#);
    for has_body in [false, true] {
        bench.has_body = has_body;
        assert_eq!(
            bench.bound("POST /a?inner.title=x&inner=x&id=y"),
            Ok(json!({"id": "y"}))
        );
    }
    bench.assert_error(
        "POST /a?left=x",
        "left: `left` and `inner`, which the body gives, are members of one oneof",
    );
    bench.has_body = false;
    assert_eq!(bench.bound("POST /a?left=x"), Ok(json!({"left": "x"})));

    let bench = Bench::new(r#"post: "/a/{id}" body: "*""#);
    assert_eq!(
        bench.bound("POST /a/x?name=y&id=z&page_size=wrong&a=%zz"),
        Ok(json!({"id": "x"}))
    );
}

#[test]
fn unknown_parameters_are_named_where_they_are_rejected() {
    let mut bench = Bench::rejecting(r#"post: "/a/{page_size}" body: "book""#);
    bench.options.ignored = ["api_key", "a b"].map(str::to_owned).into();
    assert_eq!(
        bench.bound("POST /a/1?id=x&api_key=%zz&%61pi_key&a+b=1&"),
        Ok(json!({"id": "x", "pageSize": 1}))
    );
    let cases = [
        ("nothing=1", "nothing: unknown query parameter: `nothing`"),
        ("b=1&id=x&a%20c=2&", "b: unknown query parameters: `b`, `a c`"),
        ("=1", ": unknown query parameter: ``"),
        ("pageSize=1", "pageSize: unknown query parameter: `pageSize`"),
        ("book.title=1", "book.title: unknown query parameter: `book.title`"),
        ("apiKey=1", "apiKey: unknown query parameter"),
        ("self.nothing=1", "self.nothing: unknown query parameter"),
    ];
    for (query, expected) in cases {
        bench.assert_error(&format!("POST /a/1?{query}"), expected);
    }
    let many: Vec<_> = (0..30).map(|index| format!("x{index}")).collect();
    bench.assert_error(&format!("POST /a/1?{}", many.join("&")), "`x18`, `x19` and 10 more");

    let whole = Bench::rejecting(r#"post: "/a" body: "*""#);
    whole.assert_error("POST /a?id=1&name=2", "unknown query parameters: `id`, `name`");
    whole.assert_error("POST /a?%zz", "malformed escape");
    assert_eq!(whole.bound("POST /a?"), Ok(json!({})));
}

#[test]
fn an_ignored_parameter_is_left_out_even_where_it_is_a_field() {
    let mut bench = Bench::new(r#"get: "/a""#);
    bench.options.ignored = ["id".to_owned()].into();
    assert_eq!(bench.bound("GET /a?id=x&name=y&id=z"), Ok(json!({"name": "y"})));
}

#[test]
fn an_unknown_enum_name_is_left_out_where_it_may_be_ignored() {
    let mut bench = Bench::new(r#"get: "/a""#);
    bench.parse.unknown_enum_names = UnknownEnumNames::Ignore;
    assert_eq!(
        bench.bound("GET /a?color=GREEN&id=x&colors=GREEN&colors=RED"),
        Ok(json!({"id": "x", "colors": ["RED"]}))
    );
    let (wire, _) = bench.records("GET /a?self.self.color=GREEN").unwrap();
    assert_eq!(wire, b"");
}

#[test]
fn the_query_says_whether_it_sets_the_update_mask() {
    let bench = Bench::new(r#"patch: "/a" body: "book""#);
    for (request, set) in [
        ("PATCH /a", false),
        ("PATCH /a?id=x", false),
        ("PATCH /a?update_mask=title", true),
        ("PATCH /a?updateMask=", true),
        ("PATCH /a?self.update_mask=title", false),
    ] {
        assert_eq!(bench.records(request).unwrap().1, set, "{request}");
    }
}

#[test]
fn nested_records_are_written_byte_for_byte() {
    let bench = Bench::new(r#"get: "/a""#);
    // A mask of either form arrives with the names of the .proto.
    for mask in ["update_mask=page_size", "updateMask=pageSize"] {
        let (wire, _) = bench.records(&format!("GET /a?{mask}")).unwrap();
        assert_eq!(wire, b"\x92\x01\x0b\x0a\x09page_size", "{mask}");
    }
    let (wire, _) = bench
        .records("GET /a?book.author_info.born=300&book.title=x&tags=y")
        .unwrap();
    assert_eq!(wire, b"\x22\x01y\x32\x08\x0a\x01x\x12\x03\x10\xac\x02");
    // A length that needs two bytes.
    let (wire, _) = bench
        .records(&format!("GET /a?book.title={}", "x".repeat(126)))
        .unwrap();
    assert_eq!(wire.get(..5), Some(b"\x32\x80\x01\x0a\x7e".as_slice()));
}

#[test]
fn a_group_is_written_between_its_tags() {
    let fixture = Fixture::proto2(
        "message Req { optional group Inner = 20 { optional group Deep = 1 { optional string text = 2; } } }",
        r#"get: "/{inner.deep.text}""#,
    );
    let bench = Bench {
        fixture,
        parse: ParseOptions::default(),
        options: QueryOptions::default(),
        has_body: false,
    };
    let (wire, _) = bench.records("GET /x").unwrap();
    assert_eq!(wire, b"\xa3\x01\x0b\x12\x01x\x0c\xa4\x01");
}

#[test]
fn a_query_of_many_parameters_costs_its_length() {
    let bench = Bench::rejecting(r#"get: "/a""#);
    let tags = "tags=x&".repeat(20_000);
    let (wire, _) = bench.records(&format!("GET /a?{tags}")).unwrap();
    assert_eq!(wire.len(), 3 * 20_000);
    // As many distinct messages as names can be made of.
    let nested: Vec<_> = (0..99)
        .map(|levels| format!("{}flag=1", "self.".repeat(levels)))
        .collect();
    assert!(bench.records(&format!("GET /a?{}", nested.join("&"))).is_ok());
    let entries: Vec<_> = (0..20_000).map(|index| format!("labels[{index}]=x")).collect();
    assert!(bench.records(&format!("GET /a?{}", entries.join("&"))).is_ok());
    let entries: Vec<_> = (0..70_000).map(|index| format!("labels[{index}]=x")).collect();
    bench.assert_error(&format!("GET /a?{}", entries.join("&")), "at most 65536 fields");
    // Neighbours within a message are one run.
    let nested = "self.tags=x&".repeat(100_000);
    assert!(bench.records(&format!("GET /a?{nested}")).is_ok());
    let nested = "self.tags=x&self.self.tags=y&".repeat(40_000);
    bench.assert_error(&format!("GET /a?{nested}"), "at most 65536 fields");
    let unknown: Vec<_> = (0..20_000).map(|index| format!("u{index}")).collect();
    assert!(bench.records(&format!("GET /a?{}", unknown.join("&"))).is_err());
    bench.assert_error(&format!("GET /a?{}=1", "self.".repeat(20_000)), "expected a nesting");
    let error = bench
        .records(&format!("GET /a?id.{}=1", "x".repeat(20_000)))
        .unwrap_err();
    assert!(error.field.len() < 1_000);
}

#[test]
fn no_path_and_no_query_makes_it_panic() {
    let fixture = Fixture::methods([
        ("A", r#"get: "/a/{id}/{book.author_info.born=**}/z:v""#),
        ("B", r#"post: "/a/{left=**}" body: "book""#),
        ("C", r#"get: "/{name=a/*}:v" additional_bindings { get: "/**" }"#),
    ]);
    let router = fixture.router(&[], AutoMapping::All).unwrap();
    let pieces: [&[u8]; 24] = [
        b"/",
        b"a",
        b"z",
        b":v",
        b":",
        b"%",
        b"%2",
        b"%2F",
        b"%00",
        b"%ff",
        b"\xff",
        b"\xc3\xa9",
        b"&",
        b"=",
        b"+",
        b".",
        b"id",
        b"book",
        b"left",
        b"inner",
        b"self",
        b"tags",
        b"1",
        b"colors",
    ];
    let mut random = Random(1);
    let mut text = |length| {
        (0..random.below(length))
            .flat_map(|_| pieces[random.below(pieces.len())])
            .copied()
            .collect::<Vec<u8>>()
    };
    let mut captures = Captures::default();
    let mut binder = Binder::default();
    let mut bound = 0;
    for _ in 0..20_000 {
        let path = [b"/a/".as_slice(), &text(8)].concat();
        let query = text(12);
        for http_method in ["GET", "POST"] {
            if let Match::Route(route) = router.find(http_method, &path, &mut captures) {
                let (parse, options, mut out) = (ParseOptions::default(), QueryOptions::default(), Vec::new());
                let result = binder.bind(
                    &fixture.tables,
                    route,
                    Parameters {
                        captures: &captures,
                        query: Some(&query),
                        has_body: true,
                    },
                    BindOptions {
                        parse: &parse,
                        query: &options,
                    },
                    &mut out,
                );
                if result.is_ok() {
                    let descriptor = fixture.pool.get_message_by_name("t.Req").unwrap();
                    assert!(DynamicMessage::decode(descriptor, out.as_slice()).is_ok());
                    bound += 1;
                }
            }
        }
    }
    assert!(bound > 1_000, "only {bound} were bound");
}
