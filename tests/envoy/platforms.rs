//! The manifests in `deploy/`, behind a real Envoy that is configured as their platforms configure it: the demo's
//! tour gets the answers there that it gets in the demo, but for what `tests/deploy/behind_envoy.py` says is lost.

use std::path::Path;
use std::process::Command;

use crate::bench::{process, turn};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[track_caller]
fn the_tour_holds(platform: &str) {
    turn::take(turn::capability());
    let python = Path::new(ROOT).join("target/deploy/venv/bin/python");
    assert!(
        python.exists(),
        "{} does not exist: make it with `make services`",
        python.display()
    );
    let output = Command::new(format!("{ROOT}/.venv/bin/python"))
        .arg(format!("{ROOT}/tests/deploy/behind_envoy.py"))
        .arg(platform)
        .env("ENVOY_BIN", process::binary())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{platform}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn istio_with_an_envoyfilter() {
    the_tour_holds("istio-envoyfilter");
}

/// What Istio's agent puts in the filter's place denies all.
#[test]
fn istio_with_an_envoyfilter_whose_image_is_not_there() {
    the_tour_holds("istio-envoyfilter-without-image");
}

#[test]
fn istio_with_a_wasmplugin() {
    the_tour_holds("istio-wasmplugin");
}

#[test]
fn istio_with_trafficextensions() {
    the_tour_holds("istio-trafficextension");
}

#[test]
fn envoy_gateway_by_its_own_api() {
    the_tour_holds("envoy-gateway-plain");
}

#[test]
fn envoy_gateway_with_a_patch() {
    the_tour_holds("envoy-gateway-full");
}

/// Its listener has another name there.
#[test]
fn envoy_gateway_before_1_10_with_a_patch() {
    the_tour_holds("envoy-gateway-full-before-1.10");
}

/// What the policies patch isn't there: requests are answered all the same.
#[test]
fn envoy_gateway_with_a_patch_that_is_not_in_force() {
    the_tour_holds("envoy-gateway-full-without-patch");
}

#[test]
fn envoy_in_kubernetes() {
    the_tour_holds("kubernetes");
}

#[test]
fn envoy_in_docker_compose() {
    the_tour_holds("compose");
}
