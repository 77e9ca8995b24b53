//! What a schema costs, and what it adds to the cost of a request.

use serde_json::{Value, json};

use crate::host::{Gateway, Machine, Request};

/// A request costs what it costs, however much there is in the schema that it doesn't use.
#[test]
fn requests_cost_the_same_with_10_methods_and_with_5000() {
    let cost = |methods: usize| {
        let proto = service_of(methods);
        steady(
            json!({ "proto": proto, "limits": { "max_proto_bytes": 10_000_000 } }),
            Request {
                method: "POST",
                target: "/v1/group0/some%20name/at7:verb7".into(),
                body: "{}".into(),
            },
        )
    };
    // A literal is looked up among its neighbours by binary search: of a gateway's whole work, that is below a hundredth.
    assert_alike(cost(10), cost(5000), 0.1);
}

/// What a configuration takes before the first request. Memory that a module once had it keeps: what was needed while the
/// schema was compiled serves the requests.
#[test]
fn a_configuration_takes_what_its_schema_takes() {
    let (few, many) = (service_of(10), service_of(5000));
    let documented = documented(467, 20);
    for (name, proto, fuel, memory) in [
        ("10 methods", &few, 17, 3),
        ("1 MB of documented text", &documented, 580, 14),
        ("5,000 methods", &many, 1080, 14),
    ] {
        let configuration =
            json!({ "proto": proto, "auto_mapping": true, "limits": { "max_proto_bytes": 10_000_000 } });
        let mut machine = Gateway::new(configuration).machine();
        let used = (u64::MAX - machine.store.get_fuel().unwrap()) / 1_000_000;
        let taken = machine.memory() >> 20;
        if std::env::var_os("PRINT_COST").is_some() {
            println!(
                "{name}, {} bytes: {used} million instructions, {taken} MiB",
                proto.len()
            );
        }
        assert!(used <= fuel, "{name}: {used} million instructions");
        assert!(taken <= memory, "{name}: {taken} MiB");
        // A megabyte comes and goes in what was there before.
        let body = format!("{{\"unknown\":\"{}\"}}", "x".repeat(1 << 20));
        let request = Request {
            target: "/t.S/First".into(),
            ..Request::post(body)
        };
        assert!(machine.run(&request.into()).done, "{name}: the request isn't sent on");
        let later = machine.memory() >> 20;
        assert!(name == "10 methods" || later == taken, "{name}: {later} MiB");
    }
}

/// The comments and what else it is made of fit into what making the schema has left free.
#[test]
fn a_document_takes_no_more_memory_than_its_length() {
    let mut proto = documented(467, 20);
    // Each message is in the document.
    for at in 0..467 {
        proto += &format!("service S{at} {{ rpc Call(Message{at}) returns (Message{at}); }}\n");
    }
    let mut configuration = json!({
        "proto": proto, "auto_mapping": true, "limits": { "max_proto_bytes": 10_000_000 },
    });
    let used = |machine: &Machine| (u64::MAX - machine.store.get_fuel().unwrap()) / 1_000_000;
    let mut machine = Gateway::new(configuration.clone()).machine();
    let (without, used_without) = (machine.memory(), used(&machine));
    configuration["openapi"] = json!({ "path": "/openapi.json" });
    let mut machine = Gateway::new(configuration).machine();
    let (more, used) = (machine.memory() - without, used(&machine));
    machine.begin();
    machine.request(&Request {
        method: "GET",
        target: "/openapi.json".into(),
        body: String::new(),
    });
    machine.tick();
    let host = machine.store.data();
    assert_eq!((host.reply, host.status), (true, 200));
    let length = host.replied;
    if std::env::var_os("PRINT_COST").is_some() {
        println!(
            "{} bytes of text, {length} of the document, {more} more of memory, {used} million instructions to load it, \
             {used_without} without",
            proto.len()
        );
    }
    assert!(length > 1 << 20, "{length}");
    assert!(more <= length, "{more} bytes more for a document of {length}");
}

/// All that is wrong is found, however much it is, and costs no more than what is right.
#[test]
fn a_wrong_configuration_costs_what_its_length_does() {
    let proto = |rules: bool, size: usize| {
        let rule = |at: usize| match rules {
            true => format!("{{ option (google.api.http) = {{ get: \"/{at}/{{lost{at}}}\" body: \"none{at}\" }}; }}"),
            false => ";".to_owned(),
        };
        let methods = (0..size).map(|at| format!("rpc R{at}(M) returns (M) {}\n", rule(at)));
        format!(
            "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\"; message M {{ string name = 1; }}\n\
             service S {{ {} }} service T {{ rpc R(M) returns (M); }}",
            methods.collect::<String>()
        )
    };
    let many = |of: fn(usize) -> Value, size: usize| Value::Array((0..size).map(of).collect());
    let selector = |at: usize| json!({ "selector": format!("t.S.Lost{at}"), "get": format!("/{at}") });
    type Shape<'s> = (&'static str, Box<dyn Fn(usize) -> Value + 's>);
    let shapes: [Shape<'_>; 8] = [
        ("annotations", Box::new(|size| json!({ "proto": proto(true, size) }))),
        (
            "selectors",
            Box::new(|size| json!({ "proto": proto(false, size), "http_rules": many(selector, size) })),
        ),
        (
            "selectors of services that aren't known",
            Box::new(
                |size| json!({ "proto": proto(false, size), "services": ["t.T", 1], "http_rules": many(selector, size) }),
            ),
        ),
        (
            "services",
            Box::new(
                |size| json!({ "proto": proto(false, 1), "services": many(|at| json!(format!("t.Lost{at}")), size) }),
            ),
        ),
        (
            "one rule of all methods",
            Box::new(|size| {
                let rule = json!({ "selector": "t.S.*", "get": "/{lost}", "body": "lost", "response_body": "lost" });
                json!({ "proto": proto(false, size), "http_rules": [rule] })
            }),
        ),
        (
            "keys",
            Box::new(|size| {
                let keys = (0..size).map(|at| (format!("lost{at}"), json!(at)));
                Value::Object(keys.collect())
            }),
        ),
        (
            "values",
            Box::new(|size| json!({ "query": { "ignored": many(|at| json!(at), size) } })),
        ),
        (
            "files",
            Box::new(|size| {
                let text = |at: usize| format!("syntax = \"proto3\"; message M{at} {{ Lost{at} a = 1; }}");
                let files = (0..size).map(|at| (format!("{at}.proto"), json!(text(at))));
                json!({ "protos": Value::Object(files.collect()) })
            }),
        ),
    ];
    for (name, shape) in shapes {
        let cost = |size: usize| {
            let configuration = shape(size).to_string();
            let (machine, accepted) = Machine::configured(&configuration);
            assert!(!accepted, "{name}");
            (configuration.len(), u64::MAX - machine.store.get_fuel().unwrap())
        };
        let ((small, few), (large, many)) = (cost(1000), cost(2000));
        let ratio = (many as f64 / few as f64) / (large as f64 / small as f64);
        if std::env::var_os("PRINT_COST").is_some() {
            println!("{name:40} {small:8} bytes {few:12} {large:8} bytes {many:12}: {ratio:.3}");
        }
        assert!(
            ratio <= 1.1,
            "{name}: {small} bytes cost {few}, {large} bytes cost {many}"
        );
    }
}

#[test]
fn messages_cost_the_same_with_10_fields_and_with_2000() {
    let cost = |fields: usize| {
        let mut proto = String::from(
            "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";\n\
             service S { rpc Post(M) returns (M) { option (google.api.http) = { post: \"/m\" body: \"*\" }; } }\n\
             message M {\n",
        );
        for at in 1..=fields {
            proto += &format!("string field_{at} = {at};\n");
        }
        proto += "}";
        let body: Vec<_> = (1..=10).map(|at| format!("\"field{at}\":\"some text\"")).collect();
        steady(
            json!({ "proto": proto }),
            Request::post(format!("{{{}}}", body.join(","))),
        )
    };
    assert_alike(cost(10), cost(2000), 0.1);
}

/// A service of so many methods, each with a rule.
fn service_of(methods: usize) -> String {
    let mut proto = String::from(
        "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";\nmessage M { string name = 1; }\n\
         service S {\nrpc First(M) returns (M);\n",
    );
    for at in 0..methods {
        // Some differ in their first segment, some in their last, some in their verb.
        let (group, place) = (at / 100, at % 100);
        proto += &format!(
            "rpc R{at}(M) returns (M) {{ option (google.api.http) = {{ post: \"/v1/group{group}/{{name}}/at{place}:verb{at}\" \
             body: \"*\" }}; }}\n"
        );
    }
    proto + "}"
}

/// So many messages of so many fields, each with a comment, as benches/envoy/start.py has them.
fn documented(messages: usize, fields: usize) -> String {
    const KINDS: [&str; 7] = [
        "string",
        "int64",
        "bool",
        "double",
        "repeated string",
        "bytes",
        "uint32",
    ];
    let mut proto =
        String::from("syntax = \"proto3\"; package t;\nservice S { rpc First(Message0) returns (Message1); }\n");
    for at in 0..messages {
        proto += &format!(
            "// A message with the number {at}, of which a service tells what it is for in a sentence or two.\n\
             message Message{at} {{\n"
        );
        for field in 0..fields {
            let message = format!("Message{}", at * 7 % messages);
            let kind = if field % 10 == 9 {
                &message
            } else {
                KINDS[(at + field) % KINDS.len()]
            };
            proto += &format!(
                "  // What the field {field} holds, and when it is set by the one that sends it.\n  {kind} field_name_{field} = \
                 {};\n",
                field + 1
            );
        }
        proto += "}\n";
    }
    proto
}

/// What a request costs that has come before.
fn steady(configuration: Value, request: Request) -> u64 {
    let mut machine = Gateway::new(configuration).machine();
    let exchange = request.into();
    let _first = machine.run(&exchange);
    machine.end();
    let outcome = machine.run(&exchange);
    assert!(outcome.done, "the request isn't sent on");
    outcome.fuel
}

fn assert_alike(few: u64, many: u64, tolerance: f64) {
    let ratio = many as f64 / few as f64;
    assert!((ratio - 1.0).abs() <= tolerance, "{few} and {many}: {ratio:.3}");
}
