//! Any bytes as the query of requests to bindings with and without a body and path variables. What is bound reads back
//! as the request message, in protobuf's own library; it is the same for each spelling of the fields and as a form, the sum
//! of what the parameters give by themselves, one record for each message, and it leaves what the path binds as it is.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use protobridge::codec::{BoundRecords, ParseOptions, PrintOptions, UnknownEnumNames, UnknownFields, WireToJson};
use protobridge::routing::{
    BindOptions, Binder, Captures, FormInput, HttpRule, Match, Parameters, QueryOptions, Router, UnknownParameters,
};
use protobridge::wire::{Groups, Reader, WireType};
use protobridge_fuzz::edge::{EDGE, rule};
use protobridge_fuzz::letters::Letters;

/// A binding, a path of its own, and the fields that this binds.
struct Case {
    router: Router,
    http_method: &'static str,
    path: &'static str,
    input: MessageDescriptor,
    bound: &'static [&'static str],
    /// A binding whose body gives what the query gives here.
    form: Option<Router>,
}

thread_local! {
    static CASES: Vec<Case> = cases();
    /// One for all, as in the filter: what an input leaves behind must not matter.
    static BINDER: RefCell<Binder> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let mut letters = Letters(data);
    let (number, choice) = (letters.letter(), letters.letter());
    let query = letters.0;
    CASES.with(|cases| check(&cases[number % cases.len()], choice, query));
});

fn check(case: &Case, choice: usize, query: &[u8]) {
    let bit = |bit: usize| choice >> bit & 1 == 1;
    let parse = ParseOptions {
        unknown_enum_names: match bit(0) {
            true => UnknownEnumNames::Ignore,
            false => UnknownEnumNames::Reject,
        },
        case_insensitive_enums: bit(1),
        unknown_fields: match bit(2) {
            true => UnknownFields::Reject,
            false => UnknownFields::Ignore,
        },
        ..ParseOptions::default()
    };
    let options = QueryOptions {
        unknown: match bit(2) {
            true => UnknownParameters::Reject,
            false => UnknownParameters::Ignore,
        },
        ignored: match bit(4) {
            true => ["key".to_owned()].into(),
            false => Default::default(),
        },
    };
    let mut captures = Captures::default();
    let Match::Route(route) = case.router.find(case.http_method, case.path.as_bytes(), &mut captures) else {
        panic!("{} leads nowhere", case.path);
    };
    let bind = |binder: &mut Binder, query: Option<&[u8]>| {
        let mut wire = Vec::new();
        binder
            .bind(
                &EDGE.tables,
                route,
                Parameters {
                    captures: &captures,
                    query,
                    has_body: bit(3),
                },
                BindOptions {
                    parse: &parse,
                    query: &options,
                },
                &mut wire,
            )
            .map(|bound| (bound.update_mask_set, wire))
    };
    let result = BINDER.with_borrow_mut(|binder| bind(binder, Some(query)));
    assert_eq!(
        result,
        bind(&mut Binder::default(), Some(query)),
        "what came before shows"
    );

    // Both names of a field are the same field.
    for json_names in [false, true] {
        let respelt = respelt(query, &case.input, json_names);
        let shown = String::from_utf8_lossy(&respelt);
        match (&result, bind(&mut Binder::default(), Some(&respelt))) {
            (Ok(expected), found) => assert_eq!(found.as_ref(), Ok(expected), "{shown}"),
            (Err(error), found) => assert!(found.is_err(), "{error}, but not of {shown}"),
        }
    }

    if let Some(form) = &case.form
        && options.ignored.is_empty()
    {
        assert_eq!(
            by_form(form, &parse, query),
            result.as_ref().ok().map(|(_, wire)| wire.clone())
        );
    }

    let Ok((_, wire)) = &result else {
        return;
    };
    let (_, by_path) = bind(&mut Binder::default(), None).expect("the path alone");
    // Records of one message merge.
    let mut sum = by_path.clone();
    for parameter in query.split(|byte| *byte == b'&') {
        let (_, alone) = bind(&mut Binder::default(), Some(parameter)).expect("the parameter alone");
        sum.extend_from_slice(&alone);
    }
    assert_single_records(&case.input, wire);

    let decode = |wire: &[u8]| DynamicMessage::decode(case.input.clone(), wire).expect("the request message");
    let (message, bare) = (decode(wire), decode(&by_path));
    assert_eq!(printed(&case.input, wire), printed(&case.input, &sum));
    for path in case.bound {
        assert_eq!(value(&message, path), value(&bare, path), "{path}");
    }
}

fn cases() -> Vec<Case> {
    let everything = "test.everything.Everything";
    let table: [(HttpRule, &str, &str, &[&str]); 6] = [
        (rule("Everything", "GET", "/q", ""), "/q", everything, &[]),
        (
            rule(
                "Everything",
                "GET",
                "/q/{renamed}/{child.name}/{self.choice_string}/{self.child.count}",
                "",
            ),
            "/q/x/y/z/7",
            everything,
            &["renamed", "child.name", "self.choice_string", "self.child.count"],
        ),
        (
            rule("Everything", "POST", "/b/{int32_value}/{timestamp}", "child"),
            "/b/7/1970-01-01T00:00:01Z",
            everything,
            &["int32_value", "timestamp"],
        ),
        (
            rule("Everything", "POST", "/o/{self.self.color}", "choice_child"),
            "/o/RED",
            everything,
            &["self.self.color"],
        ),
        (
            rule("Everything", "PUT", "/w/{string_value}", "*"),
            "/w/x",
            everything,
            &["string_value"],
        ),
        (
            rule("Old", "GET", "/old/{part.old.name}/{choice_level}", ""),
            "/old/x/LOW",
            "fuzz.Old",
            &["part.old.name", "choice_level"],
        ),
    ];
    table
        .into_iter()
        .map(|(rule, path, input, bound)| Case {
            router: EDGE.router(std::slice::from_ref(&rule)).expect("the rule"),
            http_method: HTTP_METHODS
                .iter()
                .find(|method| **method == rule.http_method)
                .expect("a method"),
            path,
            input: EDGE.message(input),
            bound,
            form: (path == "/q").then(|| {
                EDGE.router(&[self::rule("Everything", "POST", "/f", "*")])
                    .expect("the rule")
            }),
        })
        .collect()
}

/// What these pairs give as a form.
fn by_form(router: &Router, parse: &ParseOptions, pairs: &[u8]) -> Option<Vec<u8>> {
    let Match::Route(route) = router.find("POST", b"/f", &mut Captures::default()) else {
        panic!("/f leads nowhere");
    };
    let mut wire = Vec::new();
    let form = FormInput {
        pairs,
        path: BoundRecords::NONE,
        parse,
    };
    let mut binder = Binder::default();
    let written = binder.bind_form(&EDGE.tables, route, form, None, &mut wire);
    written.is_ok().then_some(wire)
}

/// A message in JSON, where records of one message are merged and the order of fields is none; `None` for a mask that JSON has
/// no form for.
fn printed(message: &MessageDescriptor, wire: &[u8]) -> Option<serde_json::Value> {
    let index = EDGE
        .tables
        .message_index(message.full_name())
        .expect("the request message");
    let mut json = Vec::new();
    let written = WireToJson::default().message(&EDGE.tables, index, wire, &PrintOptions::default(), &mut json);
    match written {
        Ok(()) => Some(serde_json::from_slice(&json).expect("JSON")),
        Err(error) => {
            assert!(error.message.contains("FieldMask"), "{error}");
            None
        }
    }
}

/// No singular field has more than one record in its message, at any depth.
fn assert_single_records(message: &MessageDescriptor, wire: &[u8]) {
    let mut reader = Reader::new(wire);
    let mut seen = Vec::new();
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag().expect("a tag");
        let contents = match wire_type {
            WireType::Len => reader.length_delimited().expect("contents"),
            WireType::StartGroup => reader.group(number, 1, &mut Groups::default()).expect("a group"),
            _ => {
                reader.skip(number, wire_type, 0).expect("a value");
                &[]
            }
        };
        let field = message.get_field(number).expect("a field");
        if !field.is_list() && !field.is_map() {
            assert!(!seen.contains(&number), "{} comes twice", field.full_name());
            seen.push(number);
        }
        if let Kind::Message(below) = field.kind() {
            assert_single_records(&below, contents);
        }
    }
}

const HTTP_METHODS: [&str; 3] = ["GET", "POST", "PUT"];

/// The query with every field by its name in the `.proto`, or by its name in JSON.
fn respelt(query: &[u8], input: &MessageDescriptor, json_names: bool) -> Vec<u8> {
    let parameters: Vec<Vec<u8>> = query
        .split(|byte| *byte == b'&')
        .map(|parameter| {
            let end = parameter
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(parameter.len());
            let (name, value) = parameter.split_at(end);
            match decoded(name) {
                Some(name) if !name.is_empty() => [renamed(&name, input, json_names).as_bytes(), value].concat(),
                _ => parameter.to_vec(),
            }
        })
        .collect();
    parameters.join(&b'&')
}

fn renamed(name: &str, input: &MessageDescriptor, json_names: bool) -> String {
    let mut message = Some(input.clone());
    let segments: Vec<String> = name
        .split('.')
        .map(|segment| {
            let field = message.as_ref().and_then(|message| {
                message
                    .get_field_by_name(segment)
                    .or_else(|| message.get_field_by_json_name(segment))
            });
            message = field.as_ref().and_then(|field| match field.kind() {
                Kind::Message(below) => Some(below),
                _ => None,
            });
            match field {
                Some(field) if json_names => field.json_name().to_owned(),
                Some(field) => field.name().to_owned(),
                None => segment.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            }
        })
        .collect();
    segments.join(".")
}

/// A name, decoded, unless it isn't text.
fn decoded(name: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = name;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (digits, tail) = tail.split_at_checked(2)?;
                rest = tail;
                let digit = |at: usize| char::from(digits[at]).to_digit(16);
                (digit(0)? * 16 + digit(1)?) as u8
            }
            byte => *byte,
        });
    }
    String::from_utf8(out).ok()
}

/// The value of a field, as text that tells it from every other.
fn value(message: &DynamicMessage, path: &str) -> String {
    match path.split_once('.') {
        None => format!("{:?}", message.get_field_by_name(path)),
        Some((name, below)) => {
            let field = message.get_field_by_name(name).expect(name);
            value(field.as_message().expect(name), below)
        }
    }
}
