//! The in-process gateway does what WasmX in Kong does: each fact that it claims, shown by a small guest.

use crate::harness::{Exchange, Gateway, Host, Progress, Request, Response, frame};
use crate::harness_envoy_profile::{failure, guest, logged};

// Functions

#[test]
fn functions_of_grpc_status_reset_and_done_trap_when_called() {
    for call in [
        "(drop (call $grpc_stream 'u' 's' 'm' (i32.const 0) (i32.const 0) (i32.const 16)))",
        "(drop (call $grpc_send (i32.const 1) 'm' (i32.const 1)))",
        "(drop (call $cancel (i32.const 1)))",
        "(drop (call $get_status (i32.const 8) (i32.const 0) (i32.const 4)))",
        "(drop (call $close (i32.const 0)))",
        "(drop (call $done))",
    ] {
        let gateway = load(&[("proxy_on_request_headers", &format!("{call} (i32.const 0)"))]);
        let failure = failure(|| drop(gateway.request(Request::post("/").json("{}"))));
        assert!(
            failure.contains("the module trapped in proxy_on_request_headers"),
            "{call}: {failure}"
        );
    }
}

#[test]
fn a_module_that_imports_the_log_level_is_not_instantiated() {
    let text = guest(&[]).replacen(
        "(module",
        r#"(module (import "env" "proxy_get_log_level" (func (param i32) (result i32)))"#,
        1,
    );
    let failure = failure(|| drop(Host::kong().guest(text).load("")));
    assert!(failure.contains("proxy_get_log_level"), "{failure}");
}

// Properties

#[test]
fn at_the_configuration_a_property_is_an_internal_failure() {
    let gateway = load(&[("proxy_on_configure", &format!("{GET_VERSION} (i32.const 1)"))]);
    assert_eq!(
        gateway.log(),
        [
            "Error: cannot get scoped properties outside of a request",
            "Info: get=10"
        ]
    );
}

#[test]
fn a_buffer_is_read_from_its_beginning_wherever_one_starts() {
    let read = "(drop (call $get_buffer (i32.const 7) (i32.const 4) (i32.const 1) (i32.const 0) (i32.const 4))) \
                (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))) (i32.const 1)";
    for (host, expected) in [(Host::kong(), "t"), (Host::envoy(), "")] {
        let gateway = host.guest(guest(&[("proxy_on_configure", read)])).load("text").unwrap();
        assert_eq!(logged(&gateway), [expected]);
    }
}

#[test]
fn the_nginx_version_is_there_in_an_exchange_and_nowhere_in_envoy() {
    let callbacks = [("proxy_on_request_headers", &*format!("{GET_VERSION} (i32.const 0)"))];
    let gateway = load(&callbacks);
    gateway.request(Request::post("/").json("{}"));
    assert_eq!(logged(&gateway), ["get=00"]);
    let gateway = Host::envoy().guest(guest(&callbacks)).load("").unwrap();
    gateway.request(Request::post("/").json("{}"));
    assert_eq!(logged(&gateway), ["get=01"]);
}

#[test]
fn setting_a_property_that_cannot_be_set_answers_1_or_10() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(call $status 'unknown' (call $set_property 'ngx\\00other' 'a')) \
         (call $status 'read-only' (call $set_property 'ngx\\00nginx_version' 'a')) (i32.const 0)",
    )]);
    gateway.request(Request::post("/").json("{}"));
    assert_eq!(logged(&gateway), ["unknown=01", "read-only=10"]);
}

// Requests

#[test]
fn the_path_has_no_effect_unless_the_query_was_emptied_first() {
    let path = "(drop (call $set_header (i32.const 0) ':path' '/p.S/M')) (i32.const 0)";
    let exchange = load(&[("proxy_on_request_headers", path)]).request(Request::get("/v1/a?b=c"));
    assert_eq!(exchange.forwarded().headers.get(":path"), Some("/v1/a?b=c"));
    let emptied = format!("{EMPTY_QUERY} {path}");
    let exchange = load(&[("proxy_on_request_headers", &emptied)]).request(Request::get("/v1/a?b=c"));
    assert_eq!(exchange.forwarded().headers.get(":path"), Some("/p.S/M"));
}

#[test]
fn the_path_is_shown_decoded_with_its_query() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(drop (call $get_header (i32.const 0) ':path' (i32.const 0) (i32.const 4))) \
         (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))) (i32.const 0)",
    )]);
    gateway.request(Request::get("/v1/a%2Fb?c=%2F"));
    assert_eq!(logged(&gateway), ["/v1/a/b?c=%2F"]);
}

#[test]
fn get_stays_get_and_other_methods_change() {
    let callbacks = [(
        "proxy_on_request_headers",
        "(drop (call $set_header (i32.const 0) ':method' 'POST')) (i32.const 0)",
    )];
    for (method, sent) in [("GET", "GET"), ("PUT", "POST"), ("DELETE", "POST"), ("PATCH", "POST")] {
        let exchange = load(&callbacks).request(Request::new(method, "/"));
        assert_eq!(exchange.forwarded().headers.get(":method"), Some(sent), "{method}");
    }
    let exchange = load(&callbacks).request(Request::get("/").method_in_front("POST"));
    assert_eq!(exchange.forwarded().headers.get(":method"), Some("POST"));
}

#[test]
fn te_reaches_the_upstream_by_its_property_alone() {
    let header = "(drop (call $set_header (i32.const 0) 'te' 'trailers'))";
    let property = "(call $status 'te' (call $set_property 'ngx\\00upstream_te' 'trailers'))";
    for (code, host, te, log) in [
        (header, Host::kong(), None, None),
        (property, Host::kong(), Some("trailers"), Some("te=00")),
        (property, Host::kong().without_upstream_te(), None, Some("te=01")),
    ] {
        let body = format!("{code} (i32.const 0)");
        let gateway = host
            .guest(guest(&[("proxy_on_request_headers", &body)]))
            .load("")
            .unwrap();
        let exchange = gateway.request(Request::get("/"));
        assert_eq!(exchange.forwarded().headers.get("te"), te, "{code}");
        assert_eq!(logged(&gateway).first().map(String::as_str), log);
    }
}

#[test]
fn headers_never_say_that_the_request_ends_with_them() {
    let gateway = load(&[(
        "proxy_on_request_headers",
        "(call $status 'end' (local.get 2)) (i32.const 0)",
    )]);
    gateway.request(Request::get("/"));
    assert_eq!(logged(&gateway), ["end=00"]);
}

#[test]
fn the_body_comes_whole_in_one_callback_with_the_end() {
    let gateway = load(&[(
        "proxy_on_request_body",
        "(call $log_buffer (i32.const 0)) (call $status 'end' (local.get 2)) (i32.const 0)",
    )]);
    gateway.request(Request::post("/").chunk("one").chunk("two"));
    assert_eq!(logged(&gateway), ["onetwo", "end=01"]);
}

#[test]
fn an_empty_body_has_no_callback() {
    let gateway = load(&[("proxy_on_request_body", "(call $say 'body') (i32.const 0)")]);
    gateway.request(Request::post("/").json(""));
    assert_eq!(logged(&gateway), [""; 0]);
}

#[test]
fn a_body_can_be_made_at_the_headers_where_there_is_none() {
    let body = format!("{} {} (i32.const 0)", length("4"), write_body(0, 4, "body"));
    let exchange = load(&[("proxy_on_request_headers", &body)]).request(Request::new("DELETE", "/"));
    assert_eq!(exchange.forwarded().body(), b"body");
}

#[test]
fn a_body_made_where_there_is_one_is_smuggling_and_fails_the_test() {
    let body = format!("{} {} (i32.const 0)", length("4"), write_body(0, 4, "body"));
    let gateway = load(&[("proxy_on_request_headers", &body)]);
    let failure = failure(|| drop(gateway.request(Request::post("/").json("{}"))));
    assert!(failure.contains("next request"), "{failure}");
}

#[test]
fn a_body_made_where_frames_come_kills_the_worker_unless_the_length_is_made_empty() {
    let made = format!("{} {}", length("4"), write_body(0, 4, "body"));
    let declared = Request::post("/").header("content-length", "0").http2();
    for request in [declared.clone().chunk(""), declared.chunk("frames")] {
        let body = format!("{made} (i32.const 0)");
        let gateway = load(&[("proxy_on_request_headers", &body)]);
        let failure = failure(|| drop(gateway.request(request.clone())));
        assert!(failure.contains("the worker would die"), "{failure}");
        let body = format!("{made} {} (i32.const 0)", length(""));
        let exchange = load(&[("proxy_on_request_headers", &body)]).request(request);
        assert_eq!(exchange.forwarded().text(), "body");
        assert_eq!(exchange.forwarded().headers.get("content-length"), None);
    }
    // Without a length nginx expects them, whatever is set.
    let body = format!("{made} {} (i32.const 0)", length(""));
    let gateway = load(&[("proxy_on_request_headers", &body)]);
    let failure = failure(|| drop(gateway.request(Request::post("/").chunk("").http2())));
    assert!(failure.contains("the worker would die"), "{failure}");
}

#[test]
fn a_length_that_is_not_there_is_remembered_where_no_body_can_come() {
    let ask = "(call $status 'length' (call $get_property 'ngx\\00content_length' (i32.const 0) (i32.const 4)))";
    let body = format!("{ask} {} {ask} (i32.const 0)", length(""));
    let callbacks = [("proxy_on_request_headers", body.as_str())];
    for (request, kept) in [
        (Request::get("/").http2(), true),
        (Request::get("/").http2().chunk(""), false),
        (Request::get("/").http2().chunk("frames"), false),
    ] {
        let gateway = load(&callbacks);
        let exchange = gateway.request(request);
        let second = if kept { "length=01" } else { "length=00" };
        assert_eq!(logged(&gateway), ["length=01", second]);
        // What was seen is what goes upstream, unless it is empty.
        assert_eq!(exchange.forwarded().headers.get("content-length"), None);
    }
    let body = format!("{} {ask} {} (i32.const 0)", length("0"), length("4"));
    let exchange = load(&[("proxy_on_request_headers", &body)]).request(Request::get("/"));
    assert_eq!(exchange.forwarded().headers.get("content-length"), Some("0"));
}

#[test]
fn what_is_removed_goes_upstream_and_what_is_set_only_has_the_first_field_changed() {
    let body = "(drop (call $remove_header (i32.const 0) 'x-removed')) \
                (drop (call $set_header (i32.const 0) 'x-set' 'new')) \
                (drop (call $set_header (i32.const 0) 'x-emptied' '')) (i32.const 0)";
    let mut request = Request::get("/");
    for name in ["x-removed", "x-set", "x-emptied"] {
        request = request.header(name, "a").header(name, "b");
    }
    let headers = load(&[("proxy_on_request_headers", body)])
        .request(request)
        .forwarded()
        .headers;
    assert_eq!(headers.all("x-removed"), ["a", "b"]);
    assert_eq!(headers.all("x-set"), ["new", "b"]);
    assert_eq!(headers.all("x-emptied"), ["", "b"]);
}

#[test]
fn a_removed_length_fails_the_test() {
    let body = format!(
        "{} (drop (call $remove_header (i32.const 0) 'content-length')) (i32.const 0)",
        length("4")
    );
    let gateway = load(&[("proxy_on_request_headers", &body)]);
    let failure = failure(|| drop(gateway.request(Request::get("/"))));
    assert!(failure.contains("twice"), "{failure}");
}

#[test]
fn no_more_of_a_body_is_written_than_the_size_that_is_replaced() {
    for (size, kept) in [(2, "bo"), (4, "body"), (9, "body")] {
        let body = format!(
            "{} {} (i32.const 0)",
            length(&kept.len().to_string()),
            write_body(0, size, "body")
        );
        let exchange = load(&[("proxy_on_request_body", &body)]).request(Request::post("/").body("ab"));
        assert_eq!(exchange.forwarded().text(), kept, "{size}");
    }
}

#[test]
fn a_written_body_without_its_content_length_fails_the_test() {
    let body = format!("{} (i32.const 0)", write_body(0, 4, "body"));
    let gateway = load(&[("proxy_on_request_body", &body)]);
    let failure = failure(|| drop(gateway.request(Request::post("/").body("ab"))));
    assert!(failure.contains("content-length says Some(\"2\")"), "{failure}");
}

#[test]
fn a_body_over_the_buffer_has_a_size_and_no_bytes() {
    let gateway = Host::kong()
        .body_buffer(4)
        .guest(guest(&[(
            "proxy_on_request_body",
            "(call $status 'size' (local.get 1)) (call $log_buffer (i32.const 0)) (i32.const 0)",
        )]))
        .load("")
        .unwrap();
    let exchange = gateway.request(Request::post("/").body("longer"));
    assert_eq!(logged(&gateway), ["size=06", ""]);
    assert_eq!(exchange.forwarded().body(), b"longer");
}

#[test]
fn a_stop_and_watermark_fails_the_test_which_wasmx_does_not_know() {
    let two = "(i32.const 2)";
    let gateway = load(&[("proxy_on_request_body", two)]);
    let message = failure(|| drop(gateway.request(Request::post("/").json("{}"))));
    assert!(message.contains("proxy_on_request_body returned 2"), "{message}");
    let exchange = load(&[("proxy_on_response_body", two)]).request(Request::get("/"));
    let message = failure(|| exchange.respond(Response::ok("m")));
    assert!(message.contains("proxy_on_response_body returned 2"), "{message}");
}

// Responses

#[test]
fn response_headers_go_out_at_once_whatever_the_callback_says() {
    let gateway = load(&[("proxy_on_response_headers", "(i32.const 1)")]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond_headers(&Response::grpc());
    assert_eq!(exchange.so_far().headers.get(":status"), Some("200"));
}

#[test]
fn a_late_change_of_status_or_type_traps() {
    for name in [":status", "content-type"] {
        let body = format!("(drop (call $set_header (i32.const 2) '{name}' '500')) (i32.const 0)");
        let exchange = load(&[("proxy_on_response_body", &body)]).request(Request::get("/"));
        let failure = failure(|| exchange.respond(Response::ok("m")));
        assert!(failure.contains("which traps"), "{failure}");
    }
}

#[test]
fn the_content_type_that_has_gone_out_is_a_property() {
    let gateway = load(&[
        (
            "proxy_on_response_headers",
            "(drop (call $set_header (i32.const 2) 'content-type' 'text/plain')) (i32.const 0)",
        ),
        (
            "proxy_on_response_body",
            "(drop (call $get_property 'ngx\\00sent_http_content_type' (i32.const 0) (i32.const 4))) \
             (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))) (i32.const 0)",
        ),
    ]);
    gateway.request(Request::get("/")).respond(Response::grpc().chunk("a"));
    assert_eq!(logged(&gateway).first().map(String::as_str), Some("text/plain"));
}

#[test]
fn a_body_set_at_the_response_headers_traps() {
    let body = format!("{} (i32.const 0)", write_body(1, 4, "body"));
    let exchange = load(&[("proxy_on_response_headers", &body)]).request(Request::get("/"));
    let failure = failure(|| exchange.respond(Response::ok("m")));
    assert!(failure.contains("which traps"), "{failure}");
}

#[test]
fn a_local_reply_from_response_headers_hangs() {
    let gateway = load(&[(
        "proxy_on_response_headers",
        "(drop (call $reply (i32.const 500) 'no')) (i32.const 1)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::ok("m"));
    assert_eq!(exchange.progress(), Progress::Hangs);
}

#[test]
fn trailers_have_no_callback_and_are_properties_at_the_last_part() {
    let get = "(call $status 'status' (call $get_property 'ngx\\00upstream_trailer_grpc_status' \
               (i32.const 0) (i32.const 4)))";
    let gateway = load(&[
        (
            "proxy_on_response_body",
            &format!("{get} (call $status 'end' (local.get 2)) (i32.const 0)"),
        ),
        ("proxy_on_response_trailers", "(call $say 'trailers') (i32.const 0)"),
    ]);
    gateway.request(Request::get("/")).respond(Response::ok("m"));
    assert_eq!(logged(&gateway), ["status=01", "end=00", "status=00", "end=01"]);
}

#[test]
fn a_status_in_the_headers_is_a_property_also_where_it_is_hidden() {
    let get = "(call $status 'property' (call $get_property 'ngx\\00upstream_http_grpc_status' \
               (i32.const 0) (i32.const 4))) \
               (call $status 'header' (call $get_header (i32.const 2) 'grpc-status' (i32.const 0) (i32.const 4))) \
               (i32.const 0)";
    for (host, header) in [(Host::kong(), "header=00"), (Host::kong().hiding_status(), "header=01")] {
        let gateway = host
            .guest(guest(&[("proxy_on_response_headers", get)]))
            .load("")
            .unwrap();
        gateway.request(Request::get("/")).respond(Response::error(5, "gone"));
        assert_eq!(logged(&gateway), ["property=00", header]);
    }
}

#[test]
fn an_emptied_part_is_not_sent_and_an_emptied_last_one_hangs() {
    let empty_all = format!("{} (i32.const 0)", write_body(1, 99, ""));
    let exchange = load(&[("proxy_on_response_body", &empty_all)]).request(Request::get("/"));
    exchange.respond_headers(&Response::grpc());
    exchange.respond_data("one", false);
    assert_eq!(
        (exchange.so_far().chunks.len(), exchange.progress()),
        (0, Progress::WaitsForUpstream)
    );
    exchange.respond_data("two", true);
    assert_eq!(exchange.progress(), Progress::Hangs);
}

#[test]
fn the_last_part_can_be_given_bytes() {
    let write = format!("(if (local.get 2) (then {})) (i32.const 0)", write_body(1, 1, "]"));
    let exchange = load(&[("proxy_on_response_body", &write)]).request(Request::get("/"));
    exchange.respond(Response::ok("m"));
    assert_eq!(exchange.answer().body(), [frame(0, b"m"), b"]".to_vec()].concat());
}

#[test]
fn a_response_with_a_length_in_parts_never_ends_for_the_filter() {
    let gateway = load(&[(
        "proxy_on_response_body",
        "(call $status 'end' (local.get 2)) (i32.const 0)",
    )]);
    let exchange = gateway.request(Request::get("/"));
    exchange.respond(Response::grpc().header("content-length", "6").chunk("one").chunk("two"));
    assert_eq!(logged(&gateway), ["end=00", "end=00"]);
    assert_eq!(exchange.answer().body(), b"onetwo");
}

#[test]
fn a_local_reply_passes_the_filters_own_callbacks_and_ends_in_a_line_feed() {
    let gateway = load(&[
        (
            "proxy_on_request_headers",
            "(drop (call $reply (i32.const 404) 'no')) (i32.const 1)",
        ),
        ("proxy_on_response_headers", "(call $say 'headers') (i32.const 0)"),
        (
            "proxy_on_response_body",
            "(call $log_buffer (i32.const 1)) (i32.const 0)",
        ),
    ]);
    let exchange = gateway.request(Request::post("/").json("{}"));
    assert_eq!(logged(&gateway), ["headers", "no\n"]);
    assert_eq!(
        (exchange.answer().status(), exchange.answer().text()),
        (404, "no\n".to_owned())
    );
}

#[test]
fn after_a_trap_an_exchange_goes_on_in_a_context_that_has_not_seen_it() {
    let gateway = load(&[
        ("proxy_on_context_create", "(call $status 'new' (local.get 0))"),
        (
            "proxy_on_response_headers",
            "(call $status 'response' (local.get 0)) (i32.const 0)",
        ),
    ]);
    let exchange: Exchange = gateway.request(Request::get("/"));
    let before = logged(&gateway);
    let exchange = exchange.after_trap();
    exchange.respond(Response::ok("m"));
    let log = logged(&gateway);
    assert_eq!(log.len(), before.len() + 2, "{log:?}");
    let fresh = log[before.len()].strip_prefix("new=").expect("a new context");
    assert_eq!(log[before.len() + 1], format!("response={fresh}"));
}

const GET_VERSION: &str =
    "(call $status 'get' (call $get_property 'ngx\\00nginx_version' (i32.const 0) (i32.const 4)))";
const EMPTY_QUERY: &str = "(drop (call $set_property 'request\\00query' ''))";

fn length(digits: &str) -> String {
    format!("(drop (call $set_header (i32.const 0) 'content-length' '{digits}'))")
}

/// Replaces so many bytes of a body.
fn write_body(buffer: u32, size: u32, text: &str) -> String {
    format!("(drop (call $set_buffer (i32.const {buffer}) (i32.const 0) (i32.const {size}) '{text}'))")
}

fn load(callbacks: &[(&str, &str)]) -> Gateway {
    Host::kong().guest(guest(callbacks)).load("").unwrap()
}
