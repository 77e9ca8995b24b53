//! Calls of hooks that fail, and clients that leave.

use std::time::Duration;

use serde_json::json;

use super::{DISPATCHER, at, bench, dispatcher, each, hooks, keyless, post, with};
use crate::bench::Bench;
use crate::bench::bootstrap::Listener;
use crate::bench::client::{Http, Live, Request};
use crate::bench::upstream::Script;

#[tokio::test]
async fn a_failed_call_refuses_the_request() {
    for (listener, version) in each(&["down", "empty", "missing", "garbage"]) {
        for request in [post(&json!({})), Request::get("/v1/echo")] {
            let answer = at(listener).refuse(version, request).await;
            assert_eq!(answer.status, 500, "{listener} {version:?} {answer:?}");
            assert_eq!(answer.body, "{\n    \"error\": \"Middleware error\"\n}", "{listener}");
        }
    }
    for version in Http::BOTH {
        let answer = at("down-key").refuse(version, post(&json!({}))).await;
        assert_eq!(answer.status, 403, "{version:?}");
        assert_eq!(answer.body, "{\n    \"error\": \"Key not authorised\"\n}");
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn an_answer_that_is_none_refuses_the_request() {
    for (listener, version) in each(&["in-place", "call"]) {
        for script in [
            "abort(13)",
            r"raw(b'')",
            r"raw(b'\xff\xff\xff')",
            r"raw(o.SerializeToString()[:-7])",
            r"raw(b'x' * 5000000)",
            // A string where the request should be.
            r"raw(b'\x1a\x03\x22\x01\xff')",
            "o.ClearField('request')",
            "o.request.url = ''",
            "o.request.return_overrides.response_code = 42",
            "1/0",
        ] {
            for request in [post(&json!({})), Request::get("/v1/echo")] {
                let answer = at(listener).refuse(version, hooks(request, &[("first", script)])).await;
                assert_eq!(answer.status, 500, "{listener} {version:?} {script} {answer:?}");
                assert_eq!(answer.body, "{\n    \"error\": \"Middleware error\"\n}");
            }
        }
    }
    assert_eq!(bench().traps(), "");
}

#[tokio::test]
async fn a_hook_has_its_time_and_no_more() {
    // Envoy's start isn't the hook's time.
    let hasty = at("hasty");
    for version in Http::BOTH {
        let request = hooks(post(&json!({})), &[("first", "sleep(3)")]);
        let began = std::time::Instant::now();
        let answer = hasty.refuse(version, request).await;
        assert_eq!(answer.status, 500, "{version:?}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn a_lenient_hook_that_fails_lets_the_request_through() {
    for (listener, version) in each(&["lenient", "lenient-down"]) {
        for request in [post(&json!({ "int32Value": 5 })), Request::get("/v1/echo?int32Value=5")] {
            let (answer, received) = at(listener).exchange(version, request, Script::echo()).await;
            assert_eq!(answer.status, 200, "{listener} {version:?} {answer:?}");
            assert_eq!(received.json(), json!({ "int32Value": 5 }));
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call() {
    // Nobody else's calls are counted here.
    let (_dispatcher, address) = dispatcher();
    let listeners = [Listener::new("in-place", &with(keyless(), json!({})))];
    let bench = Bench::start_beside(&listeners, DISPATCHER, address);
    let comes_to = async |calls: u64| {
        for _ in 0..40 {
            if bench.envoy().stat("cluster.dispatcher.upstream_rq_active") == calls {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    };
    for version in Http::BOTH {
        let request = hooks(post(&json!({})), &[("first", "sleep(4.5)")]);
        let live = Live::start(bench.at("in-place").address, version, &request).await;
        assert!(comes_to(1).await, "{version:?}: the hook is asked");
        live.leave();
        // Before the server answers, and the hook's time is up.
        assert!(comes_to(0).await, "{version:?}: the call is cancelled");
    }
    assert_eq!(bench.traps(), "");
}

#[tokio::test]
async fn headers_that_cannot_be_held_are_not_let_through() {
    for version in Http::BOTH {
        let answer = at("no-stop").refuse(version, post(&json!({}))).await;
        assert_eq!(answer.status, 501, "{version:?} {answer:?}");
        assert!(
            answer.json()["message"]
                .as_str()
                .unwrap()
                .contains("allow_on_headers_stop_iteration")
        );
        let (answer, _) = at("finds-out")
            .exchange(version, post(&json!({})), Script::echo())
            .await;
        assert_eq!(answer.status, 200, "{version:?} {answer:?}");
    }
}
