//! The OpenAPI document of real Envoy against real Envoy: Schemathesis makes requests of it, those that it allows and those
//! that it forbids, and looks whether the answers are as promised.
//!
//! The service answers with what it is sent, so that all that is accepted is printed as well.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::bench::bootstrap::Listener;
use crate::bench::process::{Running, new_directory};
use crate::bench::schema;
use crate::bench::upstream::LIMIT;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What Schemathesis is asked: the same each time. Of methods that aren't there it asks too much: Envoy itself answers 400 to
/// those that its parser doesn't know.
const ARGUMENTS: [&str; 7] = [
    "--seed=2",
    "--generation-database=none",
    "--continue-on-failure",
    "--no-color",
    "--request-timeout=10",
    "--workers=1",
    "--warnings=off",
];

/// Has Schemathesis test the paths that fit a regular expression, in front of the service at this address.
async fn holds(configuration: &Value, address: SocketAddr, paths: &str, more: &[&str]) {
    let listener = Listener::new("described", configuration)
        .with_lua()
        .with_grpc_web()
        .cluster("described");
    let bench = Bench::start_beside(&[listener], "described", address);
    let url = format!("http://{}/openapi.json", bench.at("described").address);
    let program = Path::new(ROOT).join("target/openapi/venv/bin/schemathesis");
    assert!(
        program.exists(),
        "{} does not exist: make it with `make services`",
        program.display()
    );
    let mut command = Command::new(program);
    command.args(["run", &url]).args(ARGUMENTS).args(more);
    command
        .arg(format!("--include-path-regex={paths}"))
        .current_dir(new_directory());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("No issues found"), "{said}");
}

fn python(script: &str) -> Command {
    let mut python = Command::new(Path::new(ROOT).join(".venv/bin/python"));
    python.arg(Path::new(ROOT).join(script));
    python
}

/// Of the test schema, a method of each form. The service answers with what it is sent, so that all that is accepted is
/// printed as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_of_every_form_says_is_true() {
    let (_echo, address) = Running::service(&mut python("tests/envoy/services/echo.py"));
    let configuration = json!({
        "proto": schema::PROTO,
        "services": ["test.everything.Echo", "test.everything.Paths", "test.everything.Patches", "test.everything.Nothing"],
        "upstream": { "grpc_web": true },
        "openapi": { "path": "/openapi.json" },
    });
    let paths = "^/v1/(echo$|nested|message-body|field-body/(list|map|scalar|enum)|part/(map|int64)|\
                 typed/(int|bool|enum|mask)|ping|things|unnamed/)";
    holds(
        &configuration,
        address,
        paths,
        &["--max-examples=5", "--phases=fuzzing"],
    )
    .await;
}

/// Of the bookstore all but the stream, which doesn't end. The service refuses more than its schema says.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_of_the_bookstore_says_is_true() {
    // Free, until somebody else takes it.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut service = python("examples/bookstore/server.py");
    service.arg(format!("--port={}", address.port())).stdout(Stdio::null());
    let _service = Running::start(&mut service);
    let deadline = Instant::now() + LIMIT;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the bookstore does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let configuration = json!({
        "protos": {
            "bookstore/v1/bookstore.proto": include_str!("../../proto-fixtures/bookstore/v1/bookstore.proto"),
            "bookstore/v1/types.proto": include_str!("../../proto-fixtures/bookstore/v1/types.proto"),
        },
        "upstream": { "grpc_web": true },
        "openapi": { "path": "/openapi.json" },
    });
    let phases = "--phases=coverage,fuzzing";
    let checks = "--exclude-checks=unsupported_method,positive_data_acceptance";
    holds(
        &configuration,
        address,
        "^/v1/[^:]*(:lend)?$",
        &["--max-examples=8", phases, checks],
    )
    .await;
}
