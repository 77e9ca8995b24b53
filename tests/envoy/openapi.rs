//! The OpenAPI document of real Envoy against real Envoy: Schemathesis makes requests of it, those that it allows and those
//! that it forbids, and looks whether the answers are as promised. A client that is generated from it talks to the bookstore.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::bench::bootstrap::Listener;
use crate::bench::process::{Running, new_directory};
use crate::bench::schema;
use crate::bench::upstream::LIMIT;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Has the requests made of another seed.
const SEED: &str = "PROTOBRIDGE_OPENAPI_SEED";

/// What Schemathesis is asked: the same each time, of one seed. Of methods that aren't there it asks too much: Envoy itself answers 400 to
/// those that its parser doesn't know.
const ARGUMENTS: [&str; 6] = [
    "--generation-database=none",
    "--continue-on-failure",
    "--no-color",
    "--request-timeout=10",
    "--workers=1",
    "--warnings=off",
];

/// Envoy in front of the service at this address, and the URL of its listener.
fn gateway(configuration: &Value, address: SocketAddr) -> (Bench, String) {
    let listener = Listener::new("described", configuration)
        .with_lua()
        .with_grpc_web()
        .cluster("described");
    let bench = Bench::start_beside(&[listener], "described", address);
    let url = format!("http://{}", bench.at("described").address);
    (bench, url)
}

/// A program of the environment that tests documents, to be run in a new folder.
fn program(name: &str) -> (Command, PathBuf) {
    let program = Path::new(ROOT).join("target/openapi/venv/bin").join(name);
    assert!(
        program.exists(),
        "{} does not exist: make it with `make services`",
        program.display()
    );
    let mut command = Command::new(program);
    let directory = new_directory();
    command.current_dir(&directory);
    (command, directory)
}

/// What a command says before it ends well.
async fn said(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// Has Schemathesis test the paths that fit a regular expression, in front of the service at this address.
async fn holds(configuration: &Value, address: SocketAddr, paths: &str, more: &[&str]) {
    let (_bench, url) = gateway(configuration, address);
    let seed = std::env::var(SEED).unwrap_or_else(|_| "2".to_owned());
    let (mut schemathesis, _) = program("schemathesis");
    schemathesis
        .env("SCHEMATHESIS_HOOKS", Path::new(ROOT).join("tests/openapi/hooks.py"))
        .args(["run", &format!("{url}/openapi.json"), &format!("--seed={seed}")])
        .args(ARGUMENTS)
        .args(more)
        .arg(format!("--include-path-regex={paths}"));
    let said = said(schemathesis).await;
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
    let paths = "^/v1/(echo$|nested|message-body|field-body/(list|map|scalar|enum)|part/(map|int64)|\
                 typed/(int|bool|enum|mask)|ping|things|unnamed/)";
    holds(
        &described_forms(),
        address,
        paths,
        &["--max-examples=5", "--phases=fuzzing"],
    )
    .await;
}

fn described_forms() -> Value {
    json!({
        "proto": schema::PROTO,
        "services": ["test.everything.Echo", "test.everything.Paths", "test.everything.Patches", "test.everything.Nothing"],
        "upstream": { "grpc_web": true },
        "openapi": { "path": "/openapi.json" },
    })
}

/// At the limits of each type, which random requests seldom meet.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_says_of_the_values_of_each_type_is_true() {
    let (_echo, address) = Running::service(&mut python("tests/envoy/services/echo.py"));
    let (_bench, url) = gateway(&described_forms(), address);
    let (mut values, _) = program("python");
    values.arg(Path::new(ROOT).join("tests/openapi/values.py")).arg(url);
    said(values).await;
}

/// The bookstore, and its address.
async fn bookstore() -> (Running, SocketAddr) {
    // Free, until somebody else takes it.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut service = python("examples/bookstore/server.py");
    service.arg(format!("--port={}", address.port())).stdout(Stdio::null());
    let service = Running::start(&mut service);
    let deadline = Instant::now() + LIMIT;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the bookstore does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (service, address)
}

fn described_bookstore() -> Value {
    json!({
        "protos": {
            "bookstore/v1/bookstore.proto": include_str!("../../proto-fixtures/bookstore/v1/bookstore.proto"),
            "bookstore/v1/types.proto": include_str!("../../proto-fixtures/bookstore/v1/types.proto"),
        },
        "upstream": { "grpc_web": true },
        "openapi": { "path": "/openapi.json" },
    })
}

/// Of the bookstore all but the stream, which doesn't end.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_of_the_bookstore_says_is_true() {
    let (_service, address) = bookstore().await;
    let phases = "--phases=coverage,fuzzing";
    let checks = "--exclude-checks=unsupported_method";
    holds(
        &described_bookstore(),
        address,
        "^/v1/[^:]*(:lend)?$",
        &["--max-examples=8", phases, checks],
    )
    .await;
}

/// It makes a book, changes it, lends it, and finds it gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_generated_from_the_document_talks_to_the_bookstore() {
    let (_service, address) = bookstore().await;
    let (_bench, url) = gateway(&described_bookstore(), address);
    let (mut generator, directory) = program("openapi-python-client");
    let document = format!("{url}/openapi.json");
    generator.args(["generate", "--url", &document, "--meta=none", "--output-path=generated"]);
    said(generator).await;
    let (mut client, _) = program("python");
    client
        .arg(Path::new(ROOT).join("tests/openapi/client.py"))
        .arg(directory)
        .arg(url);
    said(client).await;
}
