//! Real Envoy and a real browser: server-sent events to its EventSource, and the page that shows the OpenAPI document.
//! Skipped where there is no Chromium.
//!
//! A page tells what it sees by requests of its own. That events arrive as they come is shown without a clock: the server
//! sends the next one when the page has told of the one before.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tonic::Code;

use crate::bench::bootstrap::Listener;
use crate::bench::chromium::{self, Browser};
use crate::bench::upstream::{Call, Gate, LIMIT, SCRIPT_KEY, Script};
use crate::bench::{Bench, schema, script};

/// The page of the demo.
const WATCH: &str = include_str!("../../examples/bookstore/watch.html");

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let protos = json!({
            "everything.proto": schema::PROTO,
            "bookstore/v1/bookstore.proto": include_str!("../../proto-fixtures/bookstore/v1/bookstore.proto"),
            "bookstore/v1/types.proto": include_str!("../../proto-fixtures/bookstore/v1/types.proto"),
        });
        let events = format!("<!doctype html><meta charset=utf-8><script>{REPORT}{EVENTS}</script>");
        let body = "<h1>";
        let watch = WATCH.replacen(body, &format!("<script>{REPORT}{CONTENTS}</script>{body}"), 1);
        assert_ne!(watch, WATCH);
        let configuration = json!({
            "protos": protos,
            "services": ["bookstore.v1.Bookstore", "test.everything.Echo", "test.everything.Streams"],
            "upstream": { "grpc_web": true },
            "openapi": { "path": "/openapi.json", "page": "/docs", "assets": "/assets" },
        });
        let drive = format!("<!doctype html><meta charset=utf-8><script>{REPORT}{DRIVE}</script>");
        Bench::start(&[Listener::new("browser", &configuration)
            .with_lua()
            .with_grpc_web()
            .without_route_timeout()
            .page("/events", events)
            .page("/watch", watch)
            .page("/drive", drive)
            .file("/assets/swagger-ui.css", "text/css", &asset("swagger-ui.css"))
            .file(
                "/assets/swagger-ui-bundle.js",
                "text/javascript",
                &asset("swagger-ui-bundle.js"),
            )])
    })
}

/// A file of Swagger UI.
fn asset(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/services/node_modules/swagger-ui-dist")
        .join(name);
    assert!(
        file.exists(),
        "{} does not exist: make it with `make services`",
        file.display()
    );
    file
}

/// Has the upstream answer the page's own requests, to which it can add no header, and take its reports, one after the other.
const REPORT: &str = r#"
    const scripts = new URLSearchParams(location.search);
    document.cookie = "x-script=" + scripts.get("answers");
    let reported = Promise.resolve();
    const report = (text) => {
      reported = reported.then(() => fetch("/v1/echo", {
        method: "POST",
        headers: { "content-type": "application/json", "x-script": scripts.get("reports") },
        body: JSON.stringify({ stringValue: text }),
      }));
    };
"#;

/// Tells of all that an EventSource gets.
const EVENTS: &str = r#"
    const source = new EventSource("/v1/streams");
    const state = () => ["connecting", "open", "closed"][source.readyState];
    source.onopen = () => report("open");
    source.onmessage = ({ data }) => report("message " + data);
    source.onerror = ({ data }) => report("error " + (data ?? "without data") + ", " + state());
"#;

/// Tells what the page shows, whenever that changes.
const CONTENTS: &str = r#"
    addEventListener("load", () => new MutationObserver(() => report(document.body.innerText))
      .observe(document.body, { childList: true, characterData: true, subtree: true }));
"#;

/// Has Swagger UI show a method and try it, as one who reads the page would, and tells what is shown. What the page's policy
/// has refused is told in the end, once more after a style that it doesn't allow, and errors when they come.
const DRIVE: &str = r#"
    const frame = document.createElement("iframe");
    frame.src = "/docs";
    const found = async (selector, within) => {
      for (;;) {
        const element = (within ?? frame.contentDocument)?.querySelector(selector);
        if (element) return element;
        await new Promise((wake) => setTimeout(wake, 20));
      }
    };
    const enter = (input, text) => {
      // As by a keyboard: React has a setter of its own on the element, and the input waits until it is left.
      const inputs = frame.contentWindow.HTMLInputElement.prototype;
      Object.getOwnPropertyDescriptor(inputs, "value").set.call(input, text);
      for (const event of ["input", "focusout"])
        input.dispatchEvent(new frame.contentWindow.Event(event, { bubbles: true }));
    };
    frame.onload = async () => {
      const page = frame.contentWindow;
      page.onerror = (message) => report("error: " + message);
      const refused = [];
      const told = (violation) => refused.push(violation.body.effectiveDirective + " " + violation.body.blockedURL);
      new page.ReportingObserver((reports) => reports.forEach(told), { types: ["csp-violation"], buffered: true }).observe();
      await found(".opblock");
      const tags = [...frame.contentDocument.querySelectorAll(".opblock-tag-section")];
      const bookstore = tags.find((tag) => tag.querySelector("h3").dataset.tag === "Bookstore");
      report(page.document.title);
      for (const operation of bookstore.querySelectorAll(".opblock-summary"))
        report(operation.querySelector(".opblock-summary-method").innerText + " " +
          operation.querySelector(".opblock-summary-path").dataset.path);
      const get = await found("[id='operations-Bookstore-Bookstore_GetBook']");
      (await found(".opblock-summary-control", get)).click();
      (await found(".try-out__btn", get)).click();
      for (const [name, value] of [["shelf", "mystery"], ["book", "a b"]])
        enter(await found(`tr[data-param-name='${name}'] input:enabled`, get), value);
      (await found(".execute", get)).click();
      const answer = await found(".live-responses-table .response", get);
      report(answer.querySelector(".response-col_status").innerText.trim());
      report(JSON.stringify(JSON.parse((await found(".highlight-code code", answer)).innerText)));
      report("refused: " + JSON.stringify(refused));
      page.document.body.insertAdjacentHTML("beforeend", "<b style='color: red'></b>");
      while (!refused.length) await new Promise((wake) => setTimeout(wake, 20));
      report("refused: " + JSON.stringify(refused));
    };
    addEventListener("load", () => document.body.append(frame));
"#;

/// One page in a browser of its own.
struct Page {
    browser: Browser,
    /// The calls that it makes as any page does.
    answers: Call,
    reports: Call,
    /// What has been reported.
    seen: Vec<String>,
}

impl Page {
    /// `None` where there is no browser.
    fn open(test: &str, path: &str, answers: Script) -> Option<Self> {
        let chromium = chromium::find(test)?;
        let (answers, reports) = (script(answers), script(Script::echo()));
        assert_eq!(SCRIPT_KEY, "x-script");
        let url = format!(
            "http://{}{path}?answers={}&reports={}",
            bench().at("browser").address,
            answers.id(),
            reports.id()
        );
        let browser = Browser::open(&chromium, &url);
        Some(Self {
            browser,
            answers,
            reports,
            seen: Vec::new(),
        })
    }

    async fn report(&mut self) -> String {
        let deadline = Instant::now() + LIMIT;
        while !self.reports.has_received() {
            assert!(
                Instant::now() < deadline,
                "the page reports nothing more behind {:?}; the browser: {}",
                self.seen,
                self.browser.words()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let report = self.reports.received().await.json()["stringValue"].clone();
        let report = report.as_str().unwrap_or_default().to_owned();
        self.seen.push(report.clone());
        report
    }

    /// Waits until the page shows exactly this.
    async fn shows(&mut self, lines: &[&str]) {
        loop {
            let report = self.report().await;
            let shown: Vec<&str> = report.split('\n').filter(|line| !line.is_empty()).collect();
            if shown == lines {
                return;
            }
        }
    }
}

#[tokio::test]
async fn an_event_source_gets_each_event_before_the_next_is_sent() {
    let gate = Gate::default();
    let mut sends = Script::default();
    for number in 1..=5 {
        sends = sends.then(json!({ "int32Value": number })).hold(&gate);
    }
    let sends = sends.then_error(Code::ResourceExhausted, "m");
    let test = "an_event_source_gets_each_event_before_the_next_is_sent";
    let Some(mut page) = Page::open(test, "/events", sends) else {
        return;
    };
    assert_eq!(
        page.answers.received().await.header("accept"),
        Some("text/event-stream")
    );
    assert_eq!(page.report().await, "open");
    for number in 1..=5 {
        assert_eq!(page.report().await, format!(r#"message {{"int32Value":{number}}}"#));
        gate.open();
    }
    // The service's error is told from the end of the stream, behind which an EventSource connects again by itself.
    let error = r#"error {"error":{"code":8,"message":"m"}}, open"#;
    assert_eq!(page.report().await, error);
    assert_eq!(page.report().await, "error without data, connecting");
    page.answers.received().await;
    assert_eq!(page.report().await, "open");
}

#[tokio::test]
async fn an_event_source_is_refused_where_there_is_no_stream() {
    let test = "an_event_source_is_refused_where_there_is_no_stream";
    let Some(mut page) = Page::open(test, "/events", Script::error(Code::NotFound, "m")) else {
        return;
    };
    assert_eq!(page.report().await, "error without data, closed");
}

#[tokio::test]
async fn the_page_of_the_demo_shows_books_as_they_come() {
    let gate = Gate::default();
    let book =
        |id: &str, title: &str| json!({ "book": { "name": format!("shelves/mystery/books/{id}"), "title": title } });
    let sends = Script::reply(book("b", "Second"))
        .hold(&gate)
        .then(book("a", "First"))
        .hold(&gate)
        .then(json!({ "deleted": "shelves/mystery/books/b" }))
        .hold(&gate)
        .then_error(Code::ResourceExhausted, "too many watchers");
    let test = "the_page_of_the_demo_shows_books_as_they_come";
    let Some(mut page) = Page::open(test, "/watch", sends) else {
        return;
    };
    let title = "The mystery shelf, live";
    let (first, second) = ("First (shelves/mystery/books/a)", "Second (shelves/mystery/books/b)");
    page.shows(&[title, "connected", second]).await;
    gate.open();
    page.shows(&[title, "connected", first, second]).await;
    gate.open();
    page.shows(&[title, "connected", first]).await;
    gate.open();
    page.shows(&[title, "lost: too many watchers; trying again …", first])
        .await;
    // It does, and what was there before is gone.
    page.shows(&[title, "connected", second]).await;
}

#[tokio::test]
async fn the_page_of_the_document_lists_the_methods_and_tries_one() {
    let test = "the_page_of_the_document_lists_the_methods_and_tries_one";
    let book = json!({ "name": "shelves/mystery/books/a b", "title": "A <b>title</b>" });
    let Some(mut page) = Page::open(test, "/drive", Script::reply(book.clone())) else {
        return;
    };
    let expected = [
        "Bookstore, Echo, Streams",
        "POST /v1/shelves/{shelf}/books",
        "GET /v1/shelves/{shelf}/books",
        "GET /v1/shelves/{shelf}/books/{book}",
        "PATCH /v1/shelves/{shelf}/books/{book}",
        "DELETE /v1/shelves/{shelf}/books/{book}",
        "GET /v1/books",
        "POST /v1/shelves/{shelf}/books/{book}:lend",
        "GET /v1/shelves/{shelf}/books/{book}/cover",
        "GET /v1/shelves/{shelf}/books:watch",
        "200",
    ];
    for expected in expected {
        assert_eq!(page.report().await, expected);
    }
    assert_eq!(serde_json::from_str::<Value>(&page.report().await).unwrap(), book);
    assert_eq!(page.report().await, "refused: []");
    // It would have been seen.
    assert_eq!(page.report().await, r#"refused: ["style-src-attr inline"]"#);
    let asked = page.answers.received().await;
    assert_eq!(asked.json(), json!({ "name": "shelves/mystery/books/a b" }));
}
