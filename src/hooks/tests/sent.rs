//! What a hook gets.

use super::*;

#[test]
fn pre_gets_the_request_and_no_session() {
    let mut rig = Rig::post(&[Kind::Pre]);
    let body = r#"{"title":"t"}"#;
    assert_eq!(
        rig.sent(Stage::Admission),
        json!({
            "hook_type": "Pre",
            "hook_name": "Pre",
            "request": {
                "headers": {
                    "Host": "api.test",
                    "Content-Type": "application/json",
                    "Content-Length": "13",
                    "X-A": "1",
                },
                "body": body,
                "raw_body": base64(body.as_bytes()),
                "url": "/v1/shelves/3/books?q=1",
                "params": { "q": "1" },
                "return_overrides": { "response_code": -1 },
                "method": "POST",
                "request_uri": "/v1/shelves/3/books?q=1",
                "scheme": "http",
            },
            "spec": {
                "OrgID": "o1",
                "APIID": "a1",
                "bundle_hash": "d41d8cd98f00b204e9800998ecf8427e",
                "config_data": r#"{"k":"v"}"#,
            },
        })
    );
}

#[test]
fn headers_have_gos_names_and_their_first_value() {
    let lines = [
        ("x-request-id", "1"),
        ("www-authenticate", "Basic"),
        ("etag", "e"),
        ("x-many", "first"),
        ("x-many", "second"),
        ("transfer-encoding", "chunked"),
        ("te", "trailers"),
        ("host", "other"),
        ("x-empty", ""),
        ("x(y", "no name"),
    ];
    let mut rig = Rig::new(vec![hook(Kind::Pre)], request_headers("GET", "/", &lines), b"");
    assert_eq!(
        rig.sent(Stage::Admission)["request"]["headers"],
        json!({
            "Host": "api.test",
            "X-Request-Id": "1",
            "Www-Authenticate": "Basic",
            "Etag": "e",
            "X-Many": "first",
            "Te": "trailers",
            "X-Empty": "",
            "x(y": "no name",
        })
    );
}

#[test]
fn bodies_are_text_too_where_they_can_be() {
    for (body, raw_body_only, text) in [
        (&b"text"[..], false, json!("text")),
        (b"text", true, Value::Null),
        (b"\xff\xfe", false, Value::Null),
        (b"", false, Value::Null),
    ] {
        let hook = Hook {
            raw_body_only,
            ..hook(Kind::Pre)
        };
        let mut rig = Rig::new(vec![hook], request_headers("POST", "/", &[]), body);
        let request = &rig.sent(Stage::Admission)["request"];
        assert_eq!(request["body"], text, "{body:?}");
        let raw = if body.is_empty() {
            Value::Null
        } else {
            json!(base64(body))
        };
        assert_eq!(request["raw_body"], raw, "{body:?}");
    }
}

#[test]
fn what_is_not_utf_8_has_replacement_characters() {
    let mut headers = request_headers("GET", "/a?k=%ff", &[]);
    headers.push(b"x-latin", b"caf\xe9");
    let mut rig = Rig::new(vec![hook(Kind::Pre)], headers, b"");
    let request = &rig.sent(Stage::Admission)["request"];
    assert_eq!(request["headers"]["X-Latin"], "caf\u{fffd}");
    assert_eq!(request["params"], json!({ "k": "\u{fffd}" }));
}

#[test]
fn the_query_is_decoded_and_its_first_values_are_there() {
    let mut rig = Rig::get(
        &[Kind::Pre],
        "/a?page_size=5&tag=a&tag=b&x=1&y=a+b%2B&bad=%zz&semi;colon=1&alone",
    );
    let request = &rig.sent(Stage::Admission)["request"];
    assert_eq!(
        request["params"],
        json!({ "page_size": "5", "tag": "a", "x": "1", "y": "a b+", "alone": "" })
    );
    assert_eq!(request["raw_body"], Value::Null);
}

#[test]
fn the_spec_has_what_the_gateway_knows() {
    let asked = |path: &str| {
        let known = [
            ("connection.tls_version", "TLSv1.3"),
            ("source.address", "[::1]:4711"),
            ("xds.route_name", ""),
            ("connection.subject_peer_certificate", "CN=c"),
            ("connection.sha256_peer_certificate_digest", "00ff"),
        ];
        let path = path.replace('\0', ".");
        let found = known.iter().find(|(known, _)| *known == path);
        found.map(|(_, value)| value.as_bytes().to_vec())
    };
    let mut caller = Caller::ask(true, asked);
    caller.calls("shop.Books/Get");
    caller.calls("shop.Books/List");
    let mut rig = Rig::get(&[Kind::Post], "/");
    rig.course = Course::new(
        Hooks::new(Settings {
            config_data: None,
            ..settings(vec![hook(Kind::Post)])
        })
        .unwrap()
        .for_path(b"/")
        .unwrap(),
        caller,
        rig.request.headers(),
    );
    let sent = rig.sent(Stage::Sending);
    assert_eq!(
        sent["spec"],
        json!({
            "OrgID": "o1",
            "APIID": "a1",
            "bundle_hash": "d41d8cd98f00b204e9800998ecf8427e",
            "client_ip": "::1",
            "cert_subject": "CN=c",
            "cert_sha256": "00ff",
            "grpc_method": "shop.Books/List",
        })
    );
    assert_eq!(sent["request"]["scheme"], "https");

    // Without TLS there is no certificate.
    let plain = Caller::ask(true, |path| match path.replace('\0', ".").as_str() {
        "connection.tls_version" => None,
        "source.address" => Some(b"10.0.0.1:80".to_vec()),
        _ => Some(b"x".to_vec()),
    });
    let spec: Vec<_> = plain.spec().collect();
    assert_eq!(spec, [("client_ip", &b"10.0.0.1"[..]), ("route", b"x")]);

    // The scheme is told in any case.
    let mut untold = Caller::ask(false, asked);
    assert!(untold.tls);
    untold.calls("shop.Books/Get");
    let spec: Vec<_> = untold.spec().collect();
    assert_eq!(spec, [("grpc_method", &b"shop.Books/Get"[..])]);
}

#[test]
fn calls_belong_to_the_trace_of_the_request() {
    let lines = [
        ("traceparent", "00-1"),
        ("tracestate", "a=b"),
        ("b3", "1"),
        ("x-b3-traceid", "2"),
        ("x-request-id", "3"),
        ("x-other", "4"),
    ];
    let mut rig = Rig::new(vec![hook(Kind::Pre)], request_headers("GET", "/", &lines), b"");
    let Next::Call(call) = rig.course.next(Stage::Admission, &rig.request, || NOW, &mut rig.memory) else {
        panic!("a call");
    };
    assert_eq!(texts(call.metadata).len(), 5);
    assert_eq!(call.metadata.get("traceparent"), Some(&b"00-1"[..]));
    assert_eq!(call.metadata.get("x-other"), None);
    assert_eq!(
        (call.hook.cluster.as_str(), call.timeout),
        ("server", Duration::from_secs(2))
    );
}

#[test]
fn no_client_can_have_calls_refused_for_their_metadata() {
    let long = "x".repeat(1500);
    let lines = [
        ("traceparent", "00-1"),
        ("tracestate", &long),
        ("b3", &long),
        ("x-request-id", "3"),
    ];
    let mut rig = Rig::new(vec![hook(Kind::Pre)], request_headers("GET", "/", &lines), b"");
    let Next::Call(call) = rig.course.next(Stage::Admission, &rig.request, || NOW, &mut rig.memory) else {
        panic!("a call");
    };
    let sent: Vec<_> = call.metadata.iter().map(|(name, _)| name).collect();
    assert_eq!(sent, [&b"traceparent"[..], b"tracestate", b"x-request-id"]);
}
